//! Reliability: stated beside observed frequencies.

use serde::Serialize;

use super::score::Scores;

/// The number of bins.
const BINS: usize = 10;
/// Bins with fewer minutes say nothing.
pub const MINUTES_MIN: u64 = 50;

/// The minutes at which a probability between two bounds was stated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Bin {
    /// How many minutes, not weighted.
    pub minutes: u64,
    /// How much they weigh.
    pub weight: f64,
    /// The mean of what was stated, weighted.
    pub stated: f64,
    /// The share of them that a failure followed, weighted.
    pub observed: f64,
}

/// Ten bins of equal width, from 0 to 1.
pub fn bins(scores: &Scores) -> Vec<Bin> {
    let mut bins = vec![Bin::default(); BINS];
    for case in &scores.cases {
        let at = ((case.stated * BINS as f64) as usize).min(BINS - 1);
        let bin = &mut bins[at];
        bin.minutes += case.minutes;
        bin.weight += case.weight;
        bin.stated += case.weight * case.stated;
        bin.observed += case.weight * f64::from(u8::from(case.failed));
    }
    for bin in &mut bins {
        let weight = bin.weight.max(f64::MIN_POSITIVE);
        bin.stated /= weight;
        bin.observed /= weight;
    }
    bins
}

/// The largest distance between stated and observed, of bins with enough minutes.
pub fn worst(bins: &[Bin]) -> f64 {
    let enough = bins.iter().filter(|bin| bin.minutes >= MINUTES_MIN);
    enough
        .map(|bin| (bin.stated - bin.observed).abs())
        .fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::risk::score::Cases;

    #[test]
    fn a_bin_has_what_was_stated_and_what_was_observed_and_few_minutes_count_for_nothing() {
        let case = |stated, failed, minutes| Cases {
            host: 0,
            stated,
            failed,
            minutes,
            weight: minutes as f64,
        };
        let scores = Scores {
            cases: vec![
                case(0.95, false, 49),
                case(0.35, true, 30),
                case(0.31, false, 30),
                case(0.0, false, 1_000),
            ],
            alarms: Vec::new(),
        };
        let bins = bins(&scores);
        assert_eq!((bins[3].minutes, bins[3].observed), (60, 0.5));
        assert!((bins[3].stated - 0.33).abs() < 1e-12);
        assert!((worst(&bins) - 0.17).abs() < 1e-12, "{}", worst(&bins));
    }
}
