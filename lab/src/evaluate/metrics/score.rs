//! Alarms against the truth. The definitions:
//!
//! An alarm at a row from the fault's beginning to [`Tolerance::after`] rows past its end is inside. A hypervisor with a fault is
//! a true positive if an alarm is inside, otherwise a false negative. A hypervisor with an alarm elsewhere, with a fault or
//! without, is a false positive, once. One without fault and alarm is a true negative. The delay is from the fault's
//! beginning to the first alarm inside.

use std::collections::BTreeMap;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::generate::metrics::label::Label;

/// Seconds of a day.
const DAY_S: f64 = 86_400.0;
/// Draws of the bootstrap.
const DRAWS: usize = 1000;
/// What a confidence interval leaves out at either end.
const TAIL: f64 = 0.025;

/// Which alarms are inside.
#[derive(Debug, Clone, Copy)]
pub struct Tolerance {
    /// Rows after the fault's end in which an alarm is still its own.
    pub after: u64,
    /// If given, an alarm more rows than this after the fault's beginning does not find it any more; it is not false either.
    pub strict: Option<u64>,
}

/// What the alarms of one hypervisor come to.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Whether there is a fault.
    pub fault: bool,
    /// Rows from the fault's beginning to the first alarm inside.
    pub delay: Option<u64>,
    /// Alarms that are neither true nor too late by the strict limit.
    pub outside: u64,
    /// Days in which an alarm would be outside, where the length is known.
    pub calm_days: Option<f64>,
    /// All days, where the length is known.
    pub days: Option<f64>,
}

/// The verdict on the alarms, rows in any order, of a hypervisor with this `label`. `interval`: seconds between two rows.
pub fn verdict(label: &Label, alarms: &[u64], tolerance: Tolerance, interval: f64) -> Verdict {
    let rows = label.samples;
    let days = |rows: u64| rows as f64 * interval / DAY_S;
    let Some((t0, end)) = label.fault() else {
        return Verdict {
            fault: false,
            delay: None,
            outside: alarms.len() as u64,
            calm_days: rows.map(days),
            days: rows.map(days),
        };
    };
    let limit = end.saturating_add(tolerance.after);
    let found_by = tolerance
        .strict
        .map_or(limit, |strict| limit.min(t0.saturating_add(strict)));
    let inside = |row: u64| (t0..=limit).contains(&row);
    let first = alarms.iter().filter(|a| (t0..=found_by).contains(*a)).min();
    Verdict {
        fault: true,
        delay: first.map(|row| row - t0),
        outside: alarms.iter().filter(|a| !inside(**a)).count() as u64,
        calm_days: rows
            .map(|rows| days(rows.saturating_sub(limit.saturating_add(1)) + t0.min(rows))),
        days: rows.map(days),
    }
}

/// How good a detector is on some hypervisors. What cannot be said, for lack of alarms or faults, is null.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Hypervisors.
    pub n: u64,
    /// True positives.
    #[serde(rename = "TP")]
    pub tp: u64,
    /// False positives.
    #[serde(rename = "FP")]
    pub fp: u64,
    /// False negatives.
    #[serde(rename = "FN")]
    pub fn_: u64,
    /// True negatives.
    #[serde(rename = "TN")]
    pub tn: u64,
    /// Alarms that found no fault.
    pub alarms_outside: u64,
    /// Share of the positives that are true.
    pub precision: Option<f64>,
    /// Share of the faults that were found.
    pub recall: Option<f64>,
    /// Harmonic mean of both.
    pub f1: Option<f64>,
    /// Median of the delays, rows.
    pub delay_median: Option<f64>,
    /// Nine of ten delays are shorter, rows.
    pub delay_p90: Option<f64>,
    /// Alarms outside in 1000 days of one hypervisor.
    pub false_alarms_per_1000_days: Option<f64>,
    /// 95 % confidence intervals of `precision`, `recall`, `f1` and `false_alarms_per_1000_days`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub intervals: BTreeMap<String, [f64; 2]>,
}

impl Figures {
    /// The figures of some verdicts, with confidence intervals from a bootstrap that depends on `seed` alone: hypervisors
    /// with and without fault are drawn again, each as many as there are.
    pub fn new(verdicts: &[&Verdict], seed: u64) -> Self {
        let mut figures = Self::plain(verdicts);
        let draws = Draws::new(verdicts);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut drawn: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        let mut sample = Vec::with_capacity(verdicts.len());
        for _ in 0..DRAWS {
            sample.clear();
            sample.extend(draws.draw(&mut rng).map(|at| verdicts[at]));
            let counts = Counts::new(&sample);
            for (name, value) in counts.measures() {
                if let Some(value) = value {
                    drawn.entry(name).or_default().push(value);
                }
            }
        }
        for (name, mut values) in drawn {
            // Half of the draws without an answer, and the interval says nothing.
            if values.len() < DRAWS / 2 {
                continue;
            }
            values.sort_unstable_by(f64::total_cmp);
            let ends = [
                percentile(&values, TAIL).expect("values"),
                percentile(&values, 1.0 - TAIL).expect("values"),
            ];
            figures.intervals.insert(name.to_owned(), ends.map(rounded));
        }
        figures
    }

    /// The figures of some verdicts, without confidence intervals.
    pub fn plain(verdicts: &[&Verdict]) -> Self {
        let counts = Counts::new(verdicts);
        let mut delays: Vec<f64> = verdicts
            .iter()
            .filter_map(|v| v.delay)
            .map(|d| d as f64)
            .collect();
        delays.sort_unstable_by(f64::total_cmp);
        let [precision, recall, f1, rate] = counts.measures().map(|(_, v)| v.map(rounded));
        Self {
            n: verdicts.len() as u64,
            tp: counts.tp,
            fp: counts.fp,
            fn_: counts.fn_,
            tn: counts.tn,
            alarms_outside: counts.outside,
            precision,
            recall,
            f1,
            delay_median: percentile(&delays, 0.5),
            delay_p90: percentile(&delays, 0.9),
            false_alarms_per_1000_days: rate,
            intervals: BTreeMap::new(),
        }
    }
}

/// Draws of a bootstrap over hypervisors: of those with a fault and of those without, as many as there are.
pub struct Draws([Vec<usize>; 2]);

impl Draws {
    /// Draws over the hypervisors of `verdicts`.
    pub fn new(verdicts: &[&Verdict]) -> Self {
        let (ill, well) = (0..verdicts.len()).partition(|at| verdicts[*at].fault);
        Self([ill, well])
    }

    /// The places of the hypervisors of one draw.
    pub fn draw(&self, rng: &mut ChaCha8Rng) -> impl Iterator<Item = usize> {
        self.0.iter().flat_map(move |group| {
            let places: Vec<usize> = (0..group.len())
                .map(|_| group[rng.random_range(0..group.len())])
                .collect();
            places
        })
    }
}

#[derive(Default)]
struct Counts {
    tp: u64,
    fp: u64,
    fn_: u64,
    tn: u64,
    outside: u64,
    /// `None` where the length of a hypervisor's record is not known.
    days: Option<f64>,
}

impl Counts {
    fn new(verdicts: &[&Verdict]) -> Self {
        let mut counts = Self {
            days: Some(0.0),
            ..Self::default()
        };
        for verdict in verdicts {
            let found = verdict.delay.is_some();
            counts.tp += u64::from(verdict.fault && found);
            counts.fn_ += u64::from(verdict.fault && !found);
            counts.fp += u64::from(verdict.outside > 0);
            counts.tn += u64::from(!verdict.fault && verdict.outside == 0);
            counts.outside += verdict.outside;
            counts.days = counts.days.zip(verdict.calm_days).map(|(a, b)| a + b);
        }
        counts
    }

    fn measures(&self) -> [(&'static str, Option<f64>); 4] {
        let share = |of: u64, all: u64| (all > 0).then(|| of as f64 / all as f64);
        let days = self.days.filter(|days| *days > 0.0);
        [
            ("precision", share(self.tp, self.tp + self.fp)),
            ("recall", share(self.tp, self.tp + self.fn_)),
            ("f1", share(2 * self.tp, 2 * self.tp + self.fp + self.fn_)),
            (
                "false_alarms_per_1000_days",
                days.map(|days| 1000.0 * self.outside as f64 / days),
            ),
        ]
    }
}

/// The value below which the share `at` of the sorted values lies, between two of them in proportion.
pub fn percentile(sorted: &[f64], at: f64) -> Option<f64> {
    let place = at * sorted.len().checked_sub(1)? as f64;
    let (below, above) = (
        sorted[place.floor() as usize],
        sorted[place.ceil() as usize],
    );
    Some(below + (above - below) * place.fract())
}

fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Tolerance = Tolerance {
        after: 10,
        strict: None,
    };

    fn label(fault: Option<(u64, u64)>) -> Label {
        Label {
            affected: Vec::new(),
            anomaly: fault.is_some(),
            cell: None,
            day: None,
            end: fault.map(|f| f.1),
            metrics: Vec::new(),
            n_vms: 5,
            samples: Some(288),
            scenario: "x".to_owned(),
            shape: None,
            t0: fault.map(|f| f.0),
        }
    }

    fn of_alarms(fault: Option<(u64, u64)>, alarms: &[u64]) -> Verdict {
        verdict(&label(fault), alarms, PLAIN, 300.0)
    }

    #[test]
    fn an_alarm_is_inside_from_the_beginning_to_the_tolerance_past_the_end() {
        let fault = Some((100, 150));
        for (row, delay, outside) in [
            (99, None, 1),
            (100, Some(0), 0),
            (160, Some(60), 0),
            (161, None, 1),
        ] {
            let verdict = of_alarms(fault, &[row]);
            assert_eq!((verdict.delay, verdict.outside), (delay, outside), "{row}");
        }
        assert_eq!(of_alarms(fault, &[140, 120]).delay, Some(20));
    }

    #[test]
    fn with_a_strict_limit_a_late_alarm_is_neither_true_nor_false() {
        let strict = Tolerance {
            strict: Some(5),
            ..PLAIN
        };
        let verdict = verdict(&label(Some((100, 150))), &[106], strict, 300.0);
        assert_eq!((verdict.delay, verdict.outside), (None, 0));
    }

    #[test]
    fn days_are_calm_where_an_alarm_would_be_false() {
        assert_eq!(of_alarms(None, &[]).calm_days, Some(1.0));
        let calm = of_alarms(Some((100, 150)), &[]).calm_days.unwrap();
        assert!((calm - (100.0 + 127.0) / 288.0).abs() < 1e-12, "{calm}");
        assert_eq!(
            of_alarms(Some((100, 287)), &[]).calm_days,
            Some(100.0 / 288.0)
        );
    }

    #[test]
    fn figures_count_hypervisors() {
        let verdicts = [
            of_alarms(Some((100, 150)), &[110]),
            of_alarms(Some((100, 150)), &[110, 20, 30]),
            of_alarms(Some((100, 150)), &[]),
            of_alarms(None, &[]),
            of_alarms(None, &[7]),
        ];
        let figures = Figures::new(&verdicts.iter().collect::<Vec<_>>(), 1);
        assert_eq!(
            (figures.tp, figures.fp, figures.fn_, figures.tn, figures.n),
            (2, 2, 1, 1, 5)
        );
        assert_eq!(
            (figures.precision, figures.recall),
            (Some(0.5), Some(0.6667))
        );
        assert_eq!((figures.f1, figures.alarms_outside), (Some(0.5714), 3));
        assert_eq!(figures.delay_p90, Some(10.0));
        let [low, high] = figures.intervals["f1"];
        assert!(low < 0.5714 && high > 0.5714 && high <= 1.0, "{low} {high}");
    }

    #[test]
    fn an_unknown_figure_is_null() {
        let verdicts = [of_alarms(None, &[])];
        let figures = Figures::new(&verdicts.iter().collect::<Vec<_>>(), 1);
        assert_eq!(
            (figures.precision, figures.f1, figures.recall),
            (None, None, None)
        );
        assert_eq!(figures.false_alarms_per_1000_days, Some(0.0));
        let unknown = Label {
            samples: None,
            ..label(None)
        };
        let verdicts = [verdict(&unknown, &[1], PLAIN, 300.0)];
        let figures = Figures::new(&verdicts.iter().collect::<Vec<_>>(), 1);
        assert_eq!(figures.false_alarms_per_1000_days, None);
    }

    #[test]
    fn an_interval_narrows_with_more_hypervisors() {
        let width = |n: usize| {
            let verdicts: Vec<Verdict> = (0..n)
                .map(|i| {
                    let alarms: &[u64] = if i % 3 == 0 { &[] } else { &[110] };
                    of_alarms(Some((100, 150)), alarms)
                })
                .collect();
            let figures = Figures::new(&verdicts.iter().collect::<Vec<_>>(), 1);
            let [low, high] = figures.intervals["recall"];
            high - low
        };
        let (few, many) = (width(30), width(480));
        assert!((3.0..5.0).contains(&(few / many)), "{few} {many}");
    }

    #[test]
    fn percentiles_lie_between_values_in_proportion() {
        assert_eq!(percentile(&[], 0.5), None);
        assert_eq!(percentile(&[1.0, 2.0], 0.5), Some(1.5));
        assert_eq!(
            percentile(
                &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0],
                0.9
            ),
            Some(9.0)
        );
    }
}
