//! The selected algorithm and its state.

use serde::{Deserialize, Serialize};

use super::iad::Iad;
use super::method::Method;
use super::options::{Algorithm, HadOptions};
use super::rank::{More as RankMore, Rank};
use super::zscore::Zscore;

/// The state of the selected algorithm.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum AnyMethod {
    /// The default; boxed, because it is by far the largest.
    Rank(Box<Rank>),
    /// HAD as published.
    Zscore(Zscore),
    /// The predecessor of HAD.
    Iad(Iad),
}

impl AnyMethod {
    pub(super) fn new(options: &HadOptions, metric: &str, interval: f64) -> Self {
        match options.algorithm {
            Algorithm::Rank => Self::Rank(Box::new(Rank::new(
                metric == "cpu",
                interval,
                options.false_alarms_per_month,
            ))),
            Algorithm::Zscore => Self::Zscore(Zscore::new(options)),
            Algorithm::Iad => Self::Iad(Iad::new(options)),
        }
    }

    /// What `rank` saves separately.
    pub(super) fn more(&self) -> Option<&RankMore> {
        match self {
            Self::Rank(rank) => Some(rank.more()),
            Self::Zscore(_) | Self::Iad(_) => None,
        }
    }

    pub(super) fn get(&self) -> &dyn Method {
        match self {
            Self::Rank(rank) => rank.as_ref(),
            Self::Zscore(zscore) => zscore,
            Self::Iad(iad) => iad,
        }
    }

    pub(super) fn get_mut(&mut self) -> &mut dyn Method {
        match self {
            Self::Rank(rank) => rank.as_mut(),
            Self::Zscore(zscore) => zscore,
            Self::Iad(iad) => iad,
        }
    }
}
