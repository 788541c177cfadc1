//! A detector whose options are searched, and how good a combination of them is.

use anyhow::Result;
use bellwether_core::options::Options;
use serde::Serialize;

use super::setup::Setup;
use super::space::Assignment;
use crate::evaluate::metrics::score::percentile;

/// What a confidence interval leaves out at either end.
const TAIL: f64 = 0.025;

/// The figures of one combination of options.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measured {
    /// More is better; below 0 where a limit is exceeded.
    pub objective: f64,
    /// In the order of [`Problem::FIGURES`]; what cannot be said is `None`.
    pub figures: Vec<Option<f64>>,
}

impl Measured {
    /// The objective is `value`, unless `alarms` are beyond the `limit`: then it is below 0, the farther the more there are, so
    /// that a search is led back to what is within.
    pub fn limited(value: f64, alarms: f64, limit: f64, figures: Vec<Option<f64>>) -> Self {
        let objective = if alarms <= limit {
            value
        } else {
            -libm::log((1.0 + alarms) / (1.0 + limit))
        };
        Self { objective, figures }
    }

    /// The objective and the figures.
    pub fn all(&self) -> impl Iterator<Item = Option<f64>> {
        [Some(self.objective)]
            .into_iter()
            .chain(self.figures.iter().copied())
    }
}

/// The figures of the untuned and of the best options on the test half.
#[derive(Debug, Clone, PartialEq)]
pub struct Tested {
    pub untuned: Measured,
    pub best: Measured,
    /// The 95 % confidence interval of the difference, best minus untuned: of the objective, then of the figures.
    pub differences: Vec<Option<[f64; 2]>>,
}

impl Tested {
    /// `draws`: the figures of both on bootstrap samples, the same sample for both in each.
    pub fn new([untuned, best]: [Measured; 2], draws: &[[Measured; 2]]) -> Self {
        let mut columns: Vec<Vec<f64>> = vec![Vec::new(); untuned.figures.len() + 1];
        for [untuned, best] in draws {
            for ((column, a), b) in columns.iter_mut().zip(untuned.all()).zip(best.all()) {
                column.extend(a.zip(b).map(|(a, b)| b - a));
            }
        }
        let ends = |mut column: Vec<f64>| {
            // Half of the draws without an answer, and the interval says nothing.
            if column.len() < draws.len() / 2 {
                return None;
            }
            column.sort_unstable_by(f64::total_cmp);
            Some([percentile(&column, TAIL)?, percentile(&column, 1.0 - TAIL)?])
        };
        Self {
            differences: columns.into_iter().map(ends).collect(),
            untuned,
            best,
        }
    }
}

/// A detector with options to tune, and labeled data in two halves.
pub trait Problem: Sync {
    type Options: Options + Sync;
    /// The names of the figures behind the objective.
    const FIGURES: &'static [&'static str];

    /// What is searched, and on what.
    fn setup(&self) -> &Setup<Self::Options>;
    /// The objective in words.
    fn objective(&self) -> String;
    /// Steps of progress that a trial takes.
    fn work(&self) -> usize;
    /// The figures of combinations on the training half. Calls `done` with steps of progress.
    fn train(
        &self,
        candidates: &[Assignment],
        done: &(dyn Fn(usize) + Sync),
    ) -> Result<Vec<Measured>>;
    /// The figures of two combinations on the test half.
    fn test(&self, untuned: &Assignment, best: &Assignment, draws: usize) -> Result<Tested>;
    /// Stanzas of configuration with these options, each with what it is for.
    fn stanzas(&self, options: &Self::Options) -> Vec<(&'static str, String)>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beyond_the_limit_is_below_all_that_is_within() {
        let objective = |alarms| Measured::limited(0.0, alarms, 33.0, Vec::new()).objective;
        assert_eq!(objective(33.0), 0.0);
        assert!(objective(34.0) < 0.0 && objective(100.0) < objective(34.0));
        assert!(Measured::limited(1.0, 0.1, 0.0, Vec::new()).objective < 0.0);
    }

    #[test]
    fn differences_are_between_the_same_draws() {
        let measured = |objective: f64, figure| Measured {
            objective,
            figures: vec![figure],
        };
        let draws: Vec<[Measured; 2]> = (0..100)
            .map(|n| {
                let both = f64::from(n);
                [measured(both, None), measured(both + 1.0, Some(0.5))]
            })
            .collect();
        let tested = Tested::new([measured(5.0, None), measured(6.0, None)], &draws);
        assert_eq!(tested.differences, [Some([1.0, 1.0]), None]);
    }
}
