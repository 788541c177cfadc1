//! The figures of a method.

use bellwether_core::risk::Horizon;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::Serialize;

use super::bins::{Bin, bins, worst};
use super::score::{Alarms, Scores};

/// The ends of the confidence intervals, as shares of the bootstrap samples.
const INTERVAL: (f64, f64) = (0.025, 0.975);

/// How good a method is at one horizon.
#[derive(Debug, Clone, Serialize)]
pub struct Evaluated {
    /// The method.
    pub method: &'static str,
    /// The horizon in minutes.
    pub horizon: u32,
    /// The share of minutes that a failure followed, weighted.
    pub base_rate: f64,
    /// The figures.
    pub figures: Figures,
    /// The ends of their 95 % confidence intervals, where there are any.
    pub interval: Option<(Figures, Figures)>,
    /// Stated and observed frequencies.
    pub reliability: Vec<Bin>,
    /// The largest distance between them, of bins with 50 minutes and more.
    pub worst_bin: f64,
}

/// The figures that have confidence intervals.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Figures {
    /// 1 is perfect, 0 is always stating the base rate.
    pub brier_skill: f64,
    /// Average precision, 0 to 1.
    pub average_precision: f64,
    /// Share of failing hosts that were found.
    pub recall: f64,
    /// False alarms in 100 healthy host-days.
    pub false_alarms: f64,
    /// Median minutes from the first alarm to the death, of hosts that were found; 0 if none was.
    pub lead_min: f64,
}

/// The figures of a method, with intervals by this number of bootstrap samples.
pub fn evaluated(method: &'static str, horizon: Horizon, scores: &Scores, draws: u32) -> Evaluated {
    let once = vec![1.0; scores.alarms.len()];
    let samples: Vec<Figures> = (0..u64::from(draws))
        .into_par_iter()
        .map(|draw| figures(scores, &resampled(&scores.alarms, draw)))
        .collect();
    let reliability = bins(scores);
    Evaluated {
        method,
        horizon: horizon.minutes(),
        base_rate: base_rate(scores, &once),
        figures: figures(scores, &once),
        interval: (draws > 0).then(|| {
            (
                percentile(&samples, INTERVAL.0),
                percentile(&samples, INTERVAL.1),
            )
        }),
        worst_bin: worst(&reliability),
        reliability,
    }
}

/// How often each host is drawn: as many failing and as many healthy ones as there are.
fn resampled(alarms: &[Alarms], draw: u64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(draw);
    let mut times = vec![0.0; alarms.len()];
    for is_failing in [true, false] {
        let of_kind = alarms
            .iter()
            .enumerate()
            .filter(|(_, a)| a.is_failing == is_failing);
        let of_kind: Vec<usize> = of_kind.map(|(at, _)| at).collect();
        for _ in 0..of_kind.len() {
            times[of_kind[rng.random_range(0..of_kind.len())]] += 1.0;
        }
    }
    times
}

fn percentile(samples: &[Figures], share: f64) -> Figures {
    let of = |get: fn(&Figures) -> f64| {
        let mut values: Vec<f64> = samples.iter().map(get).collect();
        values.sort_unstable_by(f64::total_cmp);
        values[((values.len() - 1) as f64 * share).round() as usize]
    };
    Figures {
        brier_skill: of(|f| f.brier_skill),
        average_precision: of(|f| f.average_precision),
        recall: of(|f| f.recall),
        false_alarms: of(|f| f.false_alarms),
        lead_min: of(|f| f.lead_min),
    }
}

fn base_rate(scores: &Scores, times: &[f64]) -> f64 {
    let cases = scores.cases.iter();
    let (failed, all) = cases.fold((0.0, 0.0), |(failed, all), case| {
        let weight = case.weight * times[case.host];
        (
            failed + if case.failed { weight } else { 0.0 },
            all + weight,
        )
    });
    failed / all.max(f64::MIN_POSITIVE)
}

/// The figures where each host counts as often as `times` says.
fn figures(scores: &Scores, times: &[f64]) -> Figures {
    let base = base_rate(scores, times);
    let (mut squared, mut reference, mut failed_all) = (0.0, 0.0, 0.0);
    for case in &scores.cases {
        let (weight, failed) = (
            case.weight * times[case.host],
            f64::from(u8::from(case.failed)),
        );
        squared += weight * (case.stated - failed).powi(2);
        reference += weight * (base - failed).powi(2);
        failed_all += weight * failed;
    }
    let (mut found, mut reached, mut area) = (0.0, 0.0, 0.0);
    for level in scores.cases.chunk_by(|a, b| a.stated == b.stated) {
        let before = found;
        for case in level {
            let weight = case.weight * times[case.host];
            reached += weight;
            found += if case.failed { weight } else { 0.0 };
        }
        if reached > 0.0 {
            area += (found - before) * found / reached;
        }
    }
    let hosts = || {
        scores
            .alarms
            .iter()
            .zip(times)
            .filter(|(_, times)| **times > 0.0)
    };
    let sum = |of: fn(&Alarms) -> f64| hosts().map(|(a, times)| times * of(a)).sum::<f64>();
    let share = |part: f64, all: f64| if all > 0.0 { part / all } else { 0.0 };
    let mut leads: Vec<(f64, f64)> = hosts()
        .filter_map(|(alarms, times)| Some((alarms.lead_min?, *times)))
        .collect();
    leads.sort_by(|a, b| a.0.total_cmp(&b.0));
    Figures {
        brier_skill: 1.0 - squared / reference.max(f64::MIN_POSITIVE),
        average_precision: share(area, failed_all),
        recall: share(
            sum(|a| f64::from(u8::from(a.lead_min.is_some()))),
            sum(|a| f64::from(u8::from(a.is_failing))),
        ),
        false_alarms: 100.0
            * share(
                sum(|a| f64::from(a.false_alarms)),
                sum(|a| if a.is_failing { 0.0 } else { a.days }),
            ),
        lead_min: median(&leads),
    }
}

/// The median of values with weights, which are sorted.
fn median(values: &[(f64, f64)]) -> f64 {
    let all: f64 = values.iter().map(|(_, weight)| weight).sum();
    let mut sum = 0.0;
    let reaches = |(_, weight): &&(f64, f64)| {
        sum += weight;
        sum >= all / 2.0
    };
    values.iter().find(reaches).map_or(0.0, |(value, _)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::risk::score::Cases;

    /// Cases (host, stated, failed, minutes), and alarms.
    fn scores(cases: &[(usize, f64, bool, u64)]) -> Scores {
        let mut cases: Vec<Cases> = cases
            .iter()
            .map(|&(host, stated, failed, minutes)| Cases {
                host,
                stated,
                failed,
                minutes,
                weight: minutes as f64,
            })
            .collect();
        cases.sort_by(|a, b| b.stated.total_cmp(&a.stated));
        let alarms = |(is_failing, lead_min, false_alarms)| Alarms {
            is_failing,
            lead_min,
            false_alarms,
            days: 0.5,
        };
        Scores {
            cases,
            alarms: vec![
                alarms((true, Some(8.0), 0)),
                alarms((true, None, 0)),
                alarms((false, None, 1)),
            ],
        }
    }

    #[test]
    fn a_perfect_probability_has_a_skill_and_a_precision_of_1() {
        let scores = scores(&[
            (0, 1.0, true, 10),
            (0, 0.0, false, 90),
            (2, 0.0, false, 100),
        ]);
        let figures = figures(&scores, &[1.0; 3]);
        assert_eq!((figures.brier_skill, figures.average_precision), (1.0, 1.0));
    }

    #[test]
    fn the_base_rate_has_no_skill_and_its_precision() {
        let scores = scores(&[
            (0, 0.05, true, 10),
            (0, 0.05, false, 90),
            (2, 0.05, false, 100),
        ]);
        let figures = figures(&scores, &[1.0; 3]);
        assert!(figures.brier_skill.abs() < 1e-12);
        assert!((figures.average_precision - 0.05).abs() < 1e-12);
    }

    #[test]
    fn average_precision_is_that_of_the_ranks_with_ties_as_one_threshold() {
        // Precision 1/2 at recall 1/2 (a tie of one and one), 2/5 at recall 1.
        let scores = scores(&[
            (0, 0.9, true, 1),
            (0, 0.9, false, 1),
            (1, 0.4, false, 2),
            (1, 0.3, true, 1),
        ]);
        let precision = figures(&scores, &[1.0; 3]).average_precision;
        assert!(
            (precision - (0.5 * 0.5 + 0.5 * 0.4)).abs() < 1e-12,
            "{precision}"
        );
    }

    #[test]
    fn hosts_are_found_or_not_and_false_alarms_are_counted_by_healthy_days() {
        let figures = figures(&scores(&[(0, 0.5, true, 1)]), &[1.0; 3]);
        assert_eq!((figures.recall, figures.false_alarms), (0.5, 200.0));
        assert_eq!(figures.lead_min, 8.0);
    }

    #[test]
    fn an_interval_contains_its_figure_and_the_same_samples_are_drawn_again() {
        let cases: Vec<(usize, f64, bool, u64)> = (0..3)
            .flat_map(|host| [(host, 0.7, host < 2, 10), (host, 0.1, false, 100)])
            .collect();
        let scores = scores(&cases);
        let one = evaluated("risk", Horizon::Ten, &scores, 50);
        let two = evaluated("risk", Horizon::Ten, &scores, 50);
        let (low, high) = one.interval.unwrap();
        assert_eq!(one.interval, two.interval);
        assert!(low.recall <= one.figures.recall && one.figures.recall <= high.recall);
        assert!(low.brier_skill <= high.brier_skill);
    }
}
