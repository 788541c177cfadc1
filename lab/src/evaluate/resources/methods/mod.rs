//! Methods that score rows: the detector of resources, and others to hold it against.

mod autoencoder;
mod ewma;
mod half_space;
mod kmeans;
mod mahalanobis;
mod nearest;
mod ours;
mod pca;

use clap::ValueEnum;

use super::set::Machine;

/// A method that scores rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Method {
    /// The detector of resources: its combined p-value
    Bellwether,
    /// Its distance to the nearest constellations of the past, without the p-values
    Distance,
    /// The largest deviation of a channel from its exponentially weighted mean, in standard deviations
    Ewma,
    /// The distance from an exponentially weighted mean by the covariance of all channels
    Mahalanobis,
    /// What the main components of windows of ten rows leave unexplained; learned from the rows without labels
    Pca,
    /// How badly an autoencoder of windows of ten rows returns them (FailSafeVM); trained on rows without labels
    Autoencoder,
    /// Half-space trees (Tan, Ting and Liu 2011)
    HalfSpace,
    /// The share of channels that two-means clusterings of their recent changes find anomalous, as Netdata does it
    Kmeans,
    /// The distance to the nearest of 400 windows of ten rows, renewed every hour
    Nearest,
}

/// The scores of the rows of a machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    /// One for each row without a label and then each with one; larger is more unusual, NaN is not scored.
    pub rows: Vec<f64>,
    /// The score from which a row is unusual, if the method knows it itself.
    pub bar: Option<f64>,
}

impl Method {
    /// The name on the command line.
    pub fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// The scores of all rows of a machine, with a row per `interval` seconds. No score depends on a later row or on a label, except
    /// that methods that learn from rows without labels do so from their first half.
    pub fn scores(self, machine: &Machine, interval: f64, unusual_share: f64) -> Scores {
        let by_row = |rows| Scores { rows, bar: None };
        match self {
            Self::Bellwether => Scores {
                rows: ours::p_values(machine, interval),
                bar: Some(-unusual_share.ln()),
            },
            Self::Distance => by_row(ours::distances(machine, interval)),
            Self::Ewma => by_row(ewma::scores(machine, interval)),
            Self::Mahalanobis => by_row(mahalanobis::scores(machine, interval)),
            Self::Pca => by_row(pca::scores(machine)),
            Self::Autoencoder => by_row(autoencoder::scores(machine)),
            Self::HalfSpace => by_row(half_space::scores(machine)),
            Self::Kmeans => by_row(kmeans::scores(machine, interval)),
            Self::Nearest => by_row(nearest::scores(machine, interval)),
        }
    }
}

/// Rows of a window, for methods that see several rows at once.
pub const WINDOW: usize = 10;

/// The window that ends with each row, one after the other; of the first rows, that row for each that is missing.
pub fn windows(machine: &Machine) -> Vec<f64> {
    let rows: Vec<&[f64]> = machine.rows().collect();
    let mut all = Vec::with_capacity(rows.len() * WINDOW * machine.channels);
    for end in 0..rows.len() {
        for back in 0..WINDOW {
            all.extend_from_slice(rows[end.saturating_sub(back)]);
        }
    }
    all
}
