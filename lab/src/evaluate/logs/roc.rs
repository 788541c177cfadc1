//! Receiver operating characteristic, by scenario (dissertation, section 5.3).
//!
//! A positive is a failing series, found by an alarm in its labeled region. A negative is a block of [`BLOCK`] records of a
//! failing series before that region, wrong by an alarm in it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::series::{Both, Criterion, Series, TRAINING, part};

/// The number of records of a negative.
const BLOCK: usize = 200;
/// Steps of the threshold from 0 to 1.
const STEPS: usize = 20;

/// A point of the curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// An alarm is a score that reaches it.
    pub threshold: f64,
    /// False positive rate, 0 to 1.
    pub fpr: f64,
    /// True positive rate, 0 to 1.
    pub tpr: f64,
}

/// What the curves of one scenario come to.
#[derive(Debug, Clone, PartialEq)]
pub struct Curves {
    /// The points at the thresholds from 0 to 1 in steps of 0.05.
    pub points: Both<Vec<Point>>,
    /// The area under these points, as published.
    pub auc: Both<f64>,
    /// The area where every threshold is tried; `None` without negatives.
    pub auc_exact: Both<Option<f64>>,
}

/// The highest scores of the units of one scenario, each with the series that it is from.
#[derive(Default)]
struct Units {
    /// In rising order.
    negatives: Vec<(f64, usize)>,
    positives: Both<Vec<(f64, usize)>>,
}

/// The units of all scenarios.
pub struct Roc {
    scenarios: BTreeMap<String, Units>,
}

fn threshold(step: usize) -> f64 {
    step as f64 / STEPS as f64
}

fn highest(scores: &[f64]) -> f64 {
    // An empty region is never found.
    scores.iter().copied().fold(-1.0, f64::max)
}

impl Roc {
    /// The units of `series`.
    pub fn new(series: &[Series<'_>]) -> Self {
        let mut scenarios: BTreeMap<String, Units> = BTreeMap::new();
        for (at, one) in series.iter().enumerate() {
            let Some(fault) = &one.label.fault else {
                continue;
            };
            let units = scenarios.entry(one.label.scenario.clone()).or_default();
            let mut begin = TRAINING + 1;
            while begin < fault.region {
                let end = ((begin / BLOCK + 1) * BLOCK).min(fault.region);
                let block = part(one.scores, begin, end);
                if !block.is_empty() {
                    units.negatives.push((highest(block), at));
                }
                begin = end;
            }
            let early = part(one.scores, begin, fault.too_late);
            units.positives.strict.push((highest(early), at));
            let all = part(one.scores, begin, one.scores.len());
            units.positives.relaxed.push((highest(all), at));
        }
        for units in scenarios.values_mut() {
            units.negatives.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        Self { scenarios }
    }

    /// The curves by scenario, where the series count as often as `weights` says.
    pub fn curves(&self, weights: &[f64]) -> BTreeMap<String, Curves> {
        let curves = self.scenarios.iter();
        curves
            .map(|(name, units)| (name.clone(), units.curves(weights)))
            .collect()
    }
}

impl Units {
    fn curves(&self, weights: &[f64]) -> Curves {
        // The weight of the negatives below each place.
        let mut below = Vec::with_capacity(self.negatives.len() + 1);
        below.push(0.0);
        for &(_, series) in &self.negatives {
            below.push(below[below.len() - 1] + weights[series]);
        }
        let points = Both::of(|criterion| self.points(criterion, weights, &below));
        Curves {
            auc: Both::of(|criterion| area(points.get(criterion))),
            auc_exact: Both::of(|criterion| self.exact(criterion, weights, &below)),
            points,
        }
    }

    fn points(&self, criterion: Criterion, weights: &[f64], below: &[f64]) -> Vec<Point> {
        let negatives = below[below.len() - 1];
        let positives = self.positives.get(criterion);
        let all: f64 = positives.iter().map(|p| weights[p.1]).sum();
        let point = |step| {
            let threshold = threshold(step);
            let quiet = self.negatives.partition_point(|n| n.0 < threshold);
            let found = positives.iter().filter(|p| p.0 >= threshold);
            let found: f64 = found.map(|p| weights[p.1]).sum();
            Point {
                threshold,
                fpr: share_of(negatives - below[quiet], negatives),
                tpr: share_of(found, all),
            }
        };
        (0..=STEPS).map(point).collect()
    }

    /// The chance that a positive is above a negative, ties counting half.
    fn exact(&self, criterion: Criterion, weights: &[f64], below: &[f64]) -> Option<f64> {
        let negatives = below[below.len() - 1];
        let (mut sum, mut all) = (0.0, 0.0);
        for &(score, series) in self.positives.get(criterion) {
            let low = self.negatives.partition_point(|n| n.0 < score);
            let high = self.negatives.partition_point(|n| n.0 <= score);
            sum += weights[series] * f64::midpoint(below[low], below[high]);
            all += weights[series];
        }
        (negatives > 0.0 && all > 0.0).then(|| sum / all / negatives)
    }
}

fn share_of(part: f64, all: f64) -> f64 {
    if all > 0.0 { part / all } else { 0.0 }
}

/// The area under `points`, by trapezoids from the origin to the last one.
fn area(points: &[Point]) -> f64 {
    let mut points: Vec<(f64, f64)> = points.iter().map(|p| (p.fpr, p.tpr)).collect();
    points.push((0.0, 0.0));
    points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let trapezoids = points.windows(2);
    trapezoids
        .map(|pair| (pair[1].0 - pair[0].0) * (pair[1].1 + pair[0].1) / 2.0)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::super::labels::{Fault, Label};
    use super::*;

    fn label(region: usize) -> Label {
        Label {
            name: "a".into(),
            scenario: "hdd".into(),
            host: None,
            records: 1000,
            fault: Some(Fault {
                inject: region,
                fail: 800,
                region,
                too_late: 800,
                lead: Vec::new(),
            }),
        }
    }

    fn curves(label: &Label, alarms: &[(usize, f64)]) -> Curves {
        let mut scores = vec![0.0; 1000];
        for &(at, score) in alarms {
            scores[at] = score;
        }
        let roc = Roc::new(&[Series {
            label,
            scores: &scores,
        }]);
        roc.curves(&[1.0]).remove("hdd").unwrap()
    }

    #[test]
    fn an_alarm_in_the_labeled_region_alone_is_perfect() {
        let curves = curves(&label(600), &[(600, 1.0)]);
        assert_eq!(
            curves.auc,
            Both {
                relaxed: 1.0,
                strict: 1.0
            }
        );
        assert_eq!(curves.auc_exact.strict, Some(1.0));
    }

    #[test]
    fn an_alarm_after_the_failure_is_one_by_the_relaxed_criterion_only() {
        let curves = curves(&label(600), &[(800, 1.0)]);
        assert_eq!(curves.auc.relaxed, 1.0);
        assert_eq!(curves.auc_exact.strict, Some(0.5), "never above a negative");
    }

    #[test]
    fn negatives_are_blocks_cut_at_multiples_of_200_after_training() {
        // 151 to 199, 200 to 399, 400 to 599: two of three have an alarm.
        let curves = curves(
            &label(600),
            &[(150, 1.0), (199, 0.7), (200, 0.7), (399, 0.7)],
        );
        let rates: Vec<f64> = curves.points.strict.iter().map(|p| p.fpr).collect();
        assert_eq!(
            (rates[0], rates[1], rates[14], rates[15]),
            (1.0, 2.0 / 3.0, 2.0 / 3.0, 0.0)
        );
    }

    #[test]
    fn without_negatives_no_threshold_is_better_than_another() {
        let curves = curves(&label(0), &[(300, 1.0)]);
        assert_eq!(curves.auc_exact.strict, None);
        assert!(
            curves
                .points
                .strict
                .iter()
                .all(|p| p.fpr == 0.0 && p.tpr == 1.0)
        );
    }
}
