//! What an operator gets at one threshold: false alarms, failures detected early, minutes to act, episodes (dissertation, tables 6
//! and 7).

use std::collections::BTreeMap;

use serde::Serialize;

use super::series::{Series, TRAINING, part};

/// Alarms farther apart than this are two episodes, records.
const EPISODE_GAP: usize = 50;
/// The least lead time that "within a minute" asks for, minutes.
const MINUTE: f64 = 1.0;

/// What one series comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    pub name: String,
    pub scenario: String,
    /// Nothing fails in it.
    pub benign: bool,
    /// Records without a fault, after training, and alarms among them.
    pub benign_records: usize,
    pub false_alarms: usize,
    /// The same as the published results have it: a failing series labeled from its first record counts as benign.
    pub benign_records_paper: usize,
    pub false_alarms_paper: usize,
    /// Episodes among the false alarms.
    pub false_episodes: usize,
    /// Episodes in all.
    pub episodes: usize,
    /// Labeled from its first record: the published early detection leaves it out.
    pub from_start: bool,
    /// An alarm came between injection and failure.
    pub early: bool,
    /// Minutes from the first such alarm to the failure, where the label has it.
    pub lead: Option<f64>,
}

impl Outcome {
    /// What `series` comes to where scores that reach `threshold` are alarms.
    pub fn new(series: &Series<'_>, threshold: f64) -> Self {
        let (label, scores) = (series.label, series.scores);
        let alarms_in = |begin: usize, end: usize| -> Vec<usize> {
            let records = part(scores, begin, end).iter().enumerate();
            let alarms = records.filter(|(_, score)| **score >= threshold);
            alarms.map(|(at, _)| begin + at).collect()
        };
        let records_in = |begin: usize, end: usize| part(scores, begin, end).len();
        let all = scores.len();
        let fault = label.fault.as_ref();
        let from_start = fault.is_some_and(|fault| fault.region == 0);
        let benign_end = fault.map_or(all, |fault| fault.region.min(fault.inject));
        let benign_end_paper = match fault {
            Some(fault) if !from_start => fault.region,
            _ => all,
        };
        let begin = TRAINING + 1;
        let false_alarms = alarms_in(begin, benign_end);
        let first = fault.and_then(|fault| {
            let early = alarms_in(fault.region.max(begin), fault.too_late);
            early.first().copied()
        });
        Self {
            name: label.name.clone(),
            scenario: label.scenario.clone(),
            benign: fault.is_none(),
            benign_records: records_in(begin, benign_end),
            false_alarms: false_alarms.len(),
            benign_records_paper: records_in(begin, benign_end_paper),
            false_alarms_paper: alarms_in(begin, benign_end_paper).len(),
            false_episodes: episodes(&false_alarms),
            episodes: episodes(&alarms_in(0, all)),
            from_start,
            early: first.is_some(),
            lead: first.and_then(|at| fault?.lead_minutes(at)),
        }
    }
}

/// The runs of alarms that are at most [`EPISODE_GAP`] apart.
fn episodes(alarms: &[usize]) -> usize {
    let gaps = alarms.windows(2);
    let gaps = gaps.filter(|pair| pair[1] - pair[0] > EPISODE_GAP).count();
    gaps + usize::from(!alarms.is_empty())
}

/// What all series come to at one threshold.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Operating {
    /// An alarm is a score that reaches it.
    pub threshold: f64,
    /// Alarms among the records without a fault.
    pub fp_records: f64,
    /// Records without a fault, after training.
    pub benign_records: f64,
    /// The first as a percentage of the second.
    pub fpr_percent: f64,
    /// Episodes among the false alarms.
    pub fp_episodes: f64,
    /// Alarms and rate as published: two series that are labeled from their first record count as benign.
    pub fp_records_paper: f64,
    pub fpr_percent_paper: f64,
    /// Series with false alarms, and those among them in which nothing fails.
    pub series_with_fp: f64,
    pub benign_series_with_fp: f64,
    /// Series in which nothing fails.
    pub benign_series: f64,
    /// Episodes in all series, training and what comes after the failure included.
    pub episodes: f64,
    /// Failing series with an alarm between injection and failure, percent.
    pub early_percent: Option<f64>,
    /// The same without the series that are labeled from their first record, as published.
    pub early_percent_paper: Option<f64>,
    /// Failing series with such an alarm at least a minute before the failure, percent.
    pub early_60s_percent: Option<f64>,
    pub early_percent_by_scenario: BTreeMap<String, f64>,
    /// Minutes from the first such alarm to the failure, over the series that have one.
    pub lead_min_mean: BTreeMap<String, f64>,
    pub lead_min_median: BTreeMap<String, f64>,
}

/// One scenario's failing series.
#[derive(Default)]
struct Failing {
    series: f64,
    early: f64,
    /// Minutes and weight.
    leads: Vec<(f64, f64)>,
}

impl Operating {
    /// The sums over `outcomes`, which count as often as `weights` says.
    pub fn new(outcomes: &[Outcome], weights: &[f64], threshold: f64) -> Self {
        let sum = |value: &dyn Fn(&Outcome) -> usize| -> f64 {
            let pairs = outcomes.iter().zip(weights);
            pairs.map(|(o, weight)| weight * value(o) as f64).sum()
        };
        let count = |is: &dyn Fn(&Outcome) -> bool| sum(&|o| usize::from(is(o)));
        let mut scenarios: BTreeMap<&str, Failing> = BTreeMap::new();
        for (outcome, &weight) in outcomes.iter().zip(weights) {
            if outcome.benign || weight == 0.0 {
                continue;
            }
            let failing = scenarios.entry(&outcome.scenario).or_default();
            failing.series += weight;
            failing.early += if outcome.early { weight } else { 0.0 };
            failing.leads.extend(outcome.lead.map(|m| (m, weight)));
        }
        for failing in scenarios.values_mut() {
            failing.leads.sort_by(|a, b| a.0.total_cmp(&b.0));
        }
        let failing = count(&|o| !o.benign);
        let early = count(&|o| o.early);
        let late_enough = |o: &Outcome| o.lead.is_some_and(|minutes| minutes >= MINUTE);
        let counted = count(&|o| !o.benign && !o.from_start);
        let early_counted = count(&|o| o.early && !o.from_start);
        let (fp, benign) = (sum(&|o| o.false_alarms), sum(&|o| o.benign_records));
        let fp_paper = sum(&|o| o.false_alarms_paper);
        let benign_paper = sum(&|o| o.benign_records_paper);
        let percent = |part: f64, all: f64| (all > 0.0).then(|| 100.0 * part / all);
        let by_scenario = |value: &dyn Fn(&Failing) -> Option<f64>| {
            let scenarios = scenarios.iter();
            scenarios
                .filter_map(|(name, failing)| Some(((*name).to_owned(), value(failing)?)))
                .collect()
        };
        Self {
            threshold,
            fp_records: fp,
            benign_records: benign,
            fpr_percent: 100.0 * fp / benign.max(1.0),
            fp_episodes: sum(&|o| o.false_episodes),
            fp_records_paper: fp_paper,
            fpr_percent_paper: 100.0 * fp_paper / benign_paper.max(1.0),
            series_with_fp: count(&|o| o.false_alarms > 0),
            benign_series_with_fp: count(&|o| o.benign && o.false_alarms > 0),
            benign_series: count(&|o| o.benign),
            episodes: sum(&|o| o.episodes),
            early_percent: percent(early, failing),
            early_percent_paper: percent(early_counted, counted),
            early_60s_percent: percent(count(&late_enough), failing),
            early_percent_by_scenario: by_scenario(&|f| percent(f.early, f.series)),
            lead_min_mean: by_scenario(&|f| mean(&f.leads)),
            lead_min_median: by_scenario(&|f| median(&f.leads)),
        }
    }
}

/// The mean of values with weights.
fn mean(values: &[(f64, f64)]) -> Option<f64> {
    let weight: f64 = values.iter().map(|v| v.1).sum();
    let sum: f64 = values.iter().map(|v| v.0 * v.1).sum();
    (weight > 0.0).then(|| sum / weight)
}

/// The median of rising values, each there as often as its whole weight says.
fn median(values: &[(f64, f64)]) -> Option<f64> {
    let all: f64 = values.iter().map(|v| v.1).sum();
    let at = |place: f64| {
        let mut passed = 0.0;
        let mut values = values.iter();
        values.find_map(|&(value, weight)| {
            passed += weight;
            (passed > place).then_some(value)
        })
    };
    let low = at(((all - 1.0) / 2.0).floor())?;
    let high = at((all / 2.0).floor())?;
    Some(f64::midpoint(low, high))
}

#[cfg(test)]
mod tests {
    use super::super::labels::{Fault, Label};
    use super::*;

    fn label(fault: Option<(usize, usize)>) -> Label {
        Label {
            name: "a".into(),
            scenario: "hdd".into(),
            host: None,
            records: 1000,
            fault: fault.map(|(region, inject)| Fault {
                inject,
                fail: 900,
                region,
                too_late: 900,
                lead: vec![(inject, 600.0), (700, 120.0), (890, 6.0)],
            }),
        }
    }

    fn outcome(label: &Label, alarms: &[usize]) -> Outcome {
        let mut scores = vec![0.0; 1000];
        alarms.iter().for_each(|&at| scores[at] = 0.8);
        Outcome::new(
            &Series {
                label,
                scores: &scores,
            },
            0.5,
        )
    }

    #[test]
    fn the_first_alarm_between_injection_and_failure_gives_the_lead_time() {
        let failing = label(Some((500, 500)));
        let found = outcome(&failing, &[700, 890, 950]);
        assert_eq!((found.early, found.lead), (true, Some(2.0)));
        let late = outcome(&failing, &[900, 950]);
        assert_eq!((late.early, late.lead), (false, None));
        assert_eq!(outcome(&failing, &[499]).false_alarms, 1);
    }

    #[test]
    fn false_alarms_are_counted_after_training_and_before_the_injection() {
        let failing = outcome(&label(Some((600, 500))), &[150, 151, 499, 500]);
        assert_eq!((failing.false_alarms, failing.benign_records), (2, 349));
        assert_eq!(
            (failing.false_alarms_paper, failing.benign_records_paper),
            (3, 449),
            "as published up to the label's region"
        );
        let benign = outcome(&label(None), &[150, 999]);
        assert_eq!((benign.false_alarms, benign.benign_records), (1, 849));
    }

    #[test]
    fn a_series_labeled_from_its_first_record_has_nothing_benign_but_as_published() {
        let found = outcome(&label(Some((0, 0))), &[300, 999]);
        assert_eq!((found.false_alarms, found.benign_records), (0, 0));
        assert_eq!(
            (found.false_alarms_paper, found.benign_records_paper),
            (2, 849)
        );
        assert!(found.early && found.from_start);
    }

    #[test]
    fn alarms_more_than_fifty_records_apart_are_two_episodes() {
        let benign = label(None);
        assert_eq!(outcome(&benign, &[]).episodes, 0);
        assert_eq!(outcome(&benign, &[200, 250, 300]).episodes, 1);
        assert_eq!(outcome(&benign, &[10, 200, 251]).false_episodes, 2);
        assert_eq!(outcome(&benign, &[10, 200, 251]).episodes, 3);
    }

    #[test]
    fn sums_are_percentages_of_what_counts() {
        let outcomes = [
            outcome(&label(Some((500, 500))), &[700]),
            outcome(&label(Some((500, 500))), &[890]),
            outcome(&label(Some((500, 500))), &[]),
            outcome(&label(Some((0, 0))), &[600]),
            outcome(&label(None), &[400]),
        ];
        let all = Operating::new(&outcomes, &[1.0; 5], 0.5);
        assert_eq!(all.early_percent, Some(75.0));
        assert_eq!(all.early_percent_paper, Some(200.0 / 3.0));
        assert_eq!(all.early_60s_percent, Some(50.0));
        assert_eq!(
            (all.fp_records, all.benign_records),
            (1.0, 3.0 * 349.0 + 849.0)
        );
        assert_eq!(all.lead_min_median["hdd"], 2.0);
        assert_eq!(all.lead_min_mean["hdd"], (2.0 + 0.1 + 10.0) / 3.0);
        let twice = Operating::new(&outcomes, &[1.0, 3.0, 0.0, 0.0, 0.0], 0.5);
        assert_eq!(
            (twice.early_percent, twice.lead_min_median["hdd"]),
            (Some(100.0), 0.1)
        );
        assert_eq!(twice.fpr_percent, 0.0);
    }
}
