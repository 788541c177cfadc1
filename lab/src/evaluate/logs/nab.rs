//! The score of the Numenta Anomaly Benchmark (dissertation, section 5.4; A. Lavin and S. Ahmad, ICMLA 2015).
//!
//! Each failing series has one window. The first alarm in it earns up to 1, more the earlier it comes; a window without an
//! alarm costs [`Profile::miss`], an alarm outside [`Profile::false_alarm`]. One threshold holds for all series, the one that
//! gives the highest sum.

use serde::Serialize;

use super::labels::Label;
use super::series::{Criterion, Series};

/// What errors cost.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Profile {
    name: &'static str,
    /// A window without an alarm.
    miss: f64,
    /// An alarm outside all windows.
    false_alarm: f64,
}

/// NAB's three.
const PROFILES: [Profile; 3] = [
    Profile {
        name: "standard",
        miss: 1.0,
        false_alarm: 0.11,
    },
    Profile {
        name: "reward_low_FP",
        miss: 1.0,
        false_alarm: 0.22,
    },
    Profile {
        name: "reward_low_FN",
        miss: 2.0,
        false_alarm: 0.11,
    },
];
/// The names of the profiles, in the order of the scores.
pub const PROFILE_NAMES: [&str; 3] = [PROFILES[0].name, PROFILES[1].name, PROFILES[2].name];

/// The share of a series in which alarms do not count, and the most records that this is.
const PROBATION: (f64, usize) = (0.3, 1500);
/// The threshold that no score reaches.
const NEVER: f64 = 1.1;
/// The published scores take a detector without alarms for one that misses this many windows of [`PAPER_WINDOWS`]: the value
/// of NAB's own data, which was left in place.
const PAPER_NULL: f64 = 116.0;
const PAPER_WINDOWS: f64 = 540.0;

/// The score under one profile.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Nab {
    /// The threshold with the highest sum; an alarm is a score that reaches it.
    pub threshold: f64,
    /// The sum.
    pub raw: f64,
    /// Series with a window.
    pub windows: f64,
    /// 100 times the sum, from that of a detector without alarms (0) to that of a perfect one (100).
    pub score: Option<f64>,
    /// The same with the baseline of the published results.
    pub score_paper: Option<f64>,
}

/// What changes in the sum of a series when the threshold falls to `score`.
struct Event {
    score: f64,
    series: usize,
    /// Alarms outside the window that come with it.
    false_alarms: f64,
    /// What the first alarm in the window earns more, as it comes earlier.
    gain: f64,
    /// The window is missed no more.
    found: bool,
}

/// The sums of all series as the threshold falls.
pub struct Sweep {
    /// In falling order of the score.
    events: Vec<Event>,
    /// Series with a window, and whether it has records to find.
    windows: Vec<(usize, bool)>,
}

/// NAB's scaled sigmoid.
fn sigmoid(x: f64) -> f64 {
    2.0 / (1.0 + (5.0 * x).exp()) - 1.0
}

impl Sweep {
    /// The sums of `series` under a criterion: the strict one cuts a series after the failure.
    pub fn new(series: &[Series<'_>], criterion: Criterion) -> Self {
        let mut sweep = Self {
            events: Vec::new(),
            windows: Vec::new(),
        };
        for (at, one) in series.iter().enumerate() {
            let records = match (criterion, &one.label.fault) {
                (Criterion::Strict, Some(fault)) => fault.fail + 1,
                _ => one.scores.len(),
            };
            let scores = &one.scores[..records.min(one.scores.len())];
            sweep.add(at, one.label, scores);
        }
        // Stable, so that sums are added up in one order.
        sweep.events.sort_by(|a, b| b.score.total_cmp(&a.score));
        sweep
    }

    fn add(&mut self, series: usize, label: &Label, scores: &[f64]) {
        let records = scores.len();
        let probation = ((PROBATION.0 * records as f64) as usize).min(PROBATION.1);
        let inject = label.fault.as_ref().map(|fault| fault.inject);
        let outside = probation..inject.unwrap_or(records).max(probation);
        let mut outside = scores[outside].to_vec();
        outside.sort_by(f64::total_cmp);
        for alike in outside.chunk_by(|a, b| a == b) {
            self.events.push(Event {
                score: alike[0],
                series,
                false_alarms: alike.len() as f64,
                gain: 0.0,
                found: false,
            });
        }
        let Some(inject) = inject else { return };
        let begin = inject.max(probation);
        let window = scores.get(begin..).unwrap_or_default();
        self.windows.push((series, !window.is_empty()));
        // Records that are higher than all before them in the window: at a threshold at most so high they are the first alarm.
        let width = (records - inject) as f64;
        let mut heights: Vec<(f64, f64)> = Vec::new();
        for (at, &score) in window.iter().enumerate() {
            if heights.last().is_none_or(|(highest, _)| score > *highest) {
                let position = -((records - (begin + at)) as f64) / width;
                heights.push((score, sigmoid(position) / sigmoid(-1.0)));
            }
        }
        for (at, &(score, earns)) in heights.iter().enumerate() {
            let above = heights.get(at + 1);
            self.events.push(Event {
                score,
                series,
                false_alarms: 0.0,
                gain: above.map_or(earns, |above| earns - above.1),
                found: above.is_none(),
            });
        }
    }

    /// The score under each profile, where the series count as often as `weights` says.
    pub fn scores(&self, weights: &[f64]) -> [Nab; 3] {
        let (mut windows, mut open) = (0.0, 0.0);
        for &(series, has_records) in &self.windows {
            windows += weights[series];
            open += if has_records { weights[series] } else { 0.0 };
        }
        let base = PROFILES.map(|profile| -profile.miss * open);
        let mut best = base.map(|base| (NEVER, base));
        let mut sums = [0.0; 3];
        for (at, event) in self.events.iter().enumerate() {
            let weight = weights[event.series];
            let found = f64::from(u8::from(event.found));
            for (sum, profile) in sums.iter_mut().zip(PROFILES) {
                *sum += weight
                    * (event.gain + profile.miss * found
                        - profile.false_alarm * event.false_alarms);
            }
            let next = self.events.get(at + 1);
            if next.is_some_and(|next| next.score == event.score) {
                continue;
            }
            for ((best, sum), base) in best.iter_mut().zip(sums).zip(base) {
                if base + sum > best.1 {
                    *best = (event.score, base + sum);
                }
            }
        }
        let mut scores = best.map(|(threshold, raw)| Nab {
            threshold,
            raw,
            windows,
            score: None,
            score_paper: None,
        });
        for (score, profile) in scores.iter_mut().zip(PROFILES) {
            let normalized =
                |null: f64| (windows > 0.0).then(|| 100.0 * (score.raw - null) / (windows - null));
            score.score = normalized(-profile.miss * windows);
            score.score_paper = normalized(-profile.miss * PAPER_NULL * windows / PAPER_WINDOWS);
        }
        scores
    }
}

#[cfg(test)]
mod tests {
    use super::super::labels::Fault;
    use super::*;

    fn label(records: usize, fault: Option<(usize, usize)>) -> Label {
        Label {
            name: "a".into(),
            scenario: "hdd".into(),
            host: None,
            records,
            fault: fault.map(|(inject, fail)| Fault {
                inject,
                fail,
                region: inject,
                too_late: fail,
                lead: Vec::new(),
            }),
        }
    }

    fn scores(records: usize, alarms: &[(usize, f64)]) -> Vec<f64> {
        let mut scores = vec![0.0; records];
        for &(at, score) in alarms {
            scores[at] = score;
        }
        scores
    }

    fn nab(cases: &[(Label, Vec<f64>)], criterion: Criterion) -> [Nab; 3] {
        let series: Vec<_> = cases
            .iter()
            .map(|(label, scores)| Series { label, scores })
            .collect();
        Sweep::new(&series, criterion).scores(&vec![1.0; series.len()])
    }

    #[test]
    fn an_alarm_at_the_injection_is_worth_all_and_none_is_worth_nothing() {
        let label = label(1000, Some((500, 900)));
        let perfect = nab(
            &[(label.clone(), scores(1000, &[(500, 0.9)]))],
            Criterion::Relaxed,
        );
        for score in perfect {
            assert_eq!((score.threshold, score.score), (0.9, Some(100.0)));
        }
        // All records alike: a threshold that none reaches is better than alarms everywhere.
        let none = nab(&[(label, scores(1000, &[]))], Criterion::Relaxed);
        for score in none {
            assert_eq!((score.threshold, score.score), (NEVER, Some(0.0)));
        }
    }

    #[test]
    fn the_later_the_alarm_the_less_it_is_worth_and_after_the_failure_only_the_relaxed_criterion_counts_it()
     {
        let label = label(1000, Some((500, 900)));
        let at = |record, criterion| {
            let case = (label.clone(), scores(1000, &[(record, 0.9)]));
            nab(&[case], criterion)[0].score.unwrap()
        };
        let relaxed = [500, 600, 700, 899, 950].map(|record| at(record, Criterion::Relaxed));
        assert!(relaxed.is_sorted_by(|a, b| a > b), "{relaxed:?}");
        assert!(relaxed[4] > 0.0 && at(950, Criterion::Strict) == 0.0);
        // The strict window ends with the failure: the same record is nearer to its end.
        assert!(at(800, Criterion::Strict) < at(800, Criterion::Relaxed));
    }

    #[test]
    fn false_alarms_cost_what_the_profile_says_but_not_in_probation() {
        let label = label(1000, Some((500, 900)));
        let case = |alarms: &[(usize, f64)]| {
            let case = (label.clone(), scores(1000, alarms));
            nab(&[case], Criterion::Relaxed).map(|score| score.raw)
        };
        let clean = case(&[(500, 0.9)]);
        assert_eq!(clean, [1.0, 1.0, 1.0]);
        assert_eq!(case(&[(299, 0.9), (500, 0.9)]), clean, "in probation");
        let costs = case(&[(300, 0.9), (499, 0.9), (500, 0.9)]);
        for (raw, expected) in costs.iter().zip([0.78, 0.56, 0.78]) {
            assert!((raw - expected).abs() < 1e-12, "{costs:?}");
        }
        // False alarms with a lower score than the true one can be cut off.
        assert_eq!(case(&[(400, 0.5), (500, 0.9)]), clean);
    }

    #[test]
    fn a_series_that_counts_twice_is_like_two_of_it() {
        let case = |at| {
            (
                label(1000, Some((500, 900))),
                scores(1000, &[(at, 0.9), (400, 0.9)]),
            )
        };
        let (one, other) = (case(520), case(890));
        let twice = nab(
            &[one.clone(), one.clone(), other.clone()],
            Criterion::Strict,
        );
        let series = [&one, &other].map(|(label, scores)| Series { label, scores });
        let weighted = Sweep::new(&series, Criterion::Strict).scores(&[2.0, 1.0]);
        for (a, b) in twice.iter().zip(weighted) {
            assert!((a.raw - b.raw).abs() < 1e-12 && a.windows == b.windows);
        }
    }
}
