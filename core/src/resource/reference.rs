//! How many rows of the past were at least as unusual: conformal p-values.
//!
//! The p-value of a row is (r + 1) / (n + 1), with n rows of the past and r of them at least as unusual (Laxhammar and Falkman 2014,
//! equation 5). The past is a histogram on a logarithmic scale with exponential forgetting. Beyond the largest fiftieth of the past
//! there are too few rows to count, and the tail is taken as exponential (peaks over threshold; Siffer et al. 2017, "Anomaly
//! detection in streams with extreme value theory", with shape 0), so that p-values below 1 / n still have an order.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Bins per doubling, and their number: 16 doublings.
const PER_OCTAVE: f64 = 12.0;
const BINS: usize = 192;
/// Bins begin to be logarithmic at this value.
const UNIT: f64 = 0.125;
/// The share of the past in the tail.
const TAIL: f32 = 0.02;
/// The mean excess of the tail is at least this share of the tail's begin.
const EXCESS_MIN: f64 = 0.02;
/// The smallest p-value.
const P_MIN: f64 = 1e-12;
/// Fewer rows are no past.
const ROWS_MIN: f32 = 64.0;
/// A young past forgets sooner, with a mean age of this share of its rows but of at least [`YOUNG_MIN`]: while little is known, usual
/// rows are more unusual than they will be, and p-values against those first ones would stay too large for weeks.
const YOUNG: f32 = 0.25;
const YOUNG_MIN: f32 = 128.0;

/// The past of one measure of how unusual rows are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Reference {
    /// Weights of the bins.
    bins: Vec<f32>,
    /// Sum of the weights.
    total: f32,
    /// Number of rows so far.
    entered: u32,
    /// Bins of the rows that are too young yet, oldest first.
    waiting: VecDeque<u8>,
}

impl Default for Reference {
    fn default() -> Self {
        Self {
            bins: vec![0.0; BINS],
            total: 0.0,
            entered: 0,
            waiting: VecDeque::new(),
        }
    }
}

/// The place of a measure on the scale of the bins.
fn place(measure: f64) -> f64 {
    let place = (measure / UNIT).ln_1p() / std::f64::consts::LN_2 * PER_OCTAVE;
    place.clamp(0.0, (BINS - 1) as f64)
}

/// The measure at a place of the scale.
fn measure_at(place: f64) -> f64 {
    UNIT * (place / PER_OCTAVE * std::f64::consts::LN_2).exp_m1()
}

impl Reference {
    /// Adds the measure of a row to what waits, and takes what is older than `guard` entries into the past, which forgets with a
    /// mean age of `age` entries.
    pub fn add(&mut self, measure: f64, guard: usize, age: f32) {
        self.waiting.push_back(place(measure) as u8);
        while self.waiting.len() > guard {
            let Some(bin) = self.waiting.pop_front() else {
                break;
            };
            self.entered = self.entered.saturating_add(1);
            let age = age.min((YOUNG * self.entered as f32).max(YOUNG_MIN));
            // The first rows count alike.
            let keep = if self.total < age {
                1.0
            } else {
                1.0 - 1.0 / age
            };
            self.bins.iter_mut().for_each(|weight| *weight *= keep);
            self.bins[usize::from(bin)] += 1.0;
            self.total = self.total * keep + 1.0;
        }
    }

    /// The p-value of a row with this measure; `None` if the past is too short.
    pub fn p_value(&self, measure: f64) -> Option<f64> {
        if self.total < ROWS_MIN {
            return None;
        }
        let place = place(measure);
        let n = f64::from(self.total) + 1.0;
        let mut above = 0.0;
        let mut excess = 0.0;
        for (bin, weight) in self.bins.iter().enumerate().rev() {
            let begin = bin as f64;
            if above + weight > TAIL * self.total {
                // The tail begins at the end of this bin.
                let begin = begin + 1.0;
                let from = measure_at(begin);
                if place >= begin {
                    let mean = match above > 0.0 {
                        true => excess / f64::from(above) - from,
                        false => 0.0,
                    };
                    let mean = mean.max(EXCESS_MIN * from).max(UNIT * EXCESS_MIN);
                    let p = (f64::from(above) + 1.0) / n * (-(measure - from) / mean).exp();
                    return Some(p.clamp(P_MIN, 1.0));
                }
                break;
            }
            above += weight;
            excess += f64::from(*weight) * measure_at(begin + 0.5);
        }
        let bin = place as usize;
        let over: f32 = self.bins[bin + 1..].iter().sum();
        let within = f64::from(self.bins[bin]) * (bin as f64 + 1.0 - place).clamp(0.0, 1.0);
        Some(((f64::from(over) + within + 1.0) / n).min(1.0))
    }

    /// The most memory outside of itself in bytes: at most 513 rows wait, in an allocation that doubles.
    pub const BYTES_MAX: usize = BINS * size_of::<f32>() + 1024 + 32;

    /// Whether a restored state is one that can be.
    pub fn is_valid(&self, waiting_max: usize) -> bool {
        let is_weight = |weight: &f32| weight.is_finite() && *weight >= 0.0;
        self.bins.len() == BINS
            && self.bins.iter().all(is_weight)
            && is_weight(&self.total)
            && self.waiting.len() <= waiting_max
            && self.waiting.iter().all(|bin| usize::from(*bin) < BINS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uniform(rows: u32) -> Reference {
        let mut reference = Reference::default();
        for i in 0..rows {
            reference.add(f64::from(i * 7919 % 1000) / 100.0, 0, 1e6);
        }
        reference
    }

    #[test]
    fn first_rows_that_were_more_unusual_than_later_ones_are_soon_forgotten() {
        let mut reference = Reference::default();
        let (mut below, mut rows) = (0, 0);
        for i in 0..6_000_u32 {
            // What is unusual falls as more is known, as distances to the nearest of a growing past do.
            let usual = 1.0 + 4.0 / (1.0 + f64::from(i) / 200.0);
            let measure = usual * (0.5 + f64::from(i * 7919 % 1000) / 1000.0);
            if i >= 2_000 {
                rows += 1;
                below += u32::from(reference.p_value(measure).unwrap() < 0.1);
            }
            reference.add(measure, 0, 10_000.0);
        }
        let share = f64::from(below) / f64::from(rows);
        // Against all rows alike, none would be.
        assert!(share > 0.02, "{share} of the rows are in the lowest tenth");
    }

    #[test]
    fn a_short_past_gives_no_p_value() {
        assert_eq!(uniform(63).p_value(1.0), None);
        assert!(uniform(200).p_value(1.0).is_some());
    }

    #[test]
    fn the_p_value_is_the_share_of_the_past_that_was_at_least_as_unusual() {
        let reference = uniform(10_000);
        for (measure, share) in [(0.5, 0.95), (5.0, 0.5), (9.0, 0.1)] {
            let p = reference.p_value(measure).unwrap();
            assert!((p - share).abs() < 0.02, "{measure}: {p}");
        }
    }

    #[test]
    fn beyond_the_past_the_p_value_goes_on_falling() {
        let reference = uniform(1000);
        let p = |measure| reference.p_value(measure).unwrap();
        assert!(p(12.0) < 0.01 && p(15.0) < p(12.0) && p(15.0) > 0.0);
        assert!(p(1e9) >= P_MIN);
    }

    #[test]
    fn the_p_value_never_rises_with_the_measure() {
        let reference = uniform(3000);
        let mut last = 1.0;
        for i in 0..2000 {
            let p = reference.p_value(f64::from(i) * 0.01).unwrap();
            // A bin is an eighteenth of its value wide.
            assert!(p <= last * 1.3, "{i}: {p} {last}");
            last = p;
        }
    }

    #[test]
    fn rows_within_the_guard_do_not_count() {
        let mut reference = uniform(1000);
        let before = reference.p_value(20.0);
        for _ in 0..50 {
            reference.add(20.0, 50, 1e6);
        }
        assert_eq!(reference.p_value(20.0), before);
        for _ in 0..50 {
            reference.add(20.0, 50, 1e6);
        }
        assert!(reference.p_value(20.0) > before.map(|p| 3.0 * p));
    }

    #[test]
    fn an_old_past_is_forgotten() {
        let mut reference = uniform(1000);
        for _ in 0..5000 {
            reference.add(1.0, 0, 500.0);
        }
        assert!(reference.p_value(5.0).unwrap() < 0.01);
        assert!(reference.is_valid(0));
    }
}
