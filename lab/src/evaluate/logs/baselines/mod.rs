//! Detectors to hold LAD against. All of them see log keys and what inference says of each record.

mod expose;
mod knn_cad;

use std::collections::HashSet;

use bellwether_core::lad::{LadOptions, Mode};
use clap::ValueEnum;

use super::corpus::{Observations, observe_sequence};
use super::fleet::Trained;

/// A detector to compare LAD with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Baseline {
    /// KNN-CAD on the keys' numbers, as in the Numenta Anomaly Benchmark
    KnnCad,
    /// EXPoSE on the keys' numbers, as in the Numenta Anomaly Benchmark
    Expose,
    /// Raises an alarm at a template that is new after training
    UnseenTemplate,
    /// Scores a record by the severity of its text (or its given verdict) alone
    InferenceOnly,
    /// VMFT-LAD with the options of its published results
    Paper,
    /// VMFT-LAD without inference: scores a record by the distance of its window from those of training
    PaperNoFeedback,
    /// Raises an alarm at each template that is new to the fleet: trained on the benign logs of one half of the hosts, run over the other
    FleetUnseen,
    /// The same, and at a template that hardly ever follows the one before
    Bigram,
    /// The same, and at a template that an LSTM over the last ten does not expect, as DeepLog
    Lstm,
    /// FailSafeVM's share of the last 20 templates that are not among the 20 likeliest by an LSTM over their numbers; trained likewise
    #[value(name = "failsafe")]
    FailSafe,
}

/// The options that VMFT-LAD was published with.
const PAPER_WINDOW: usize = 4;
const PAPER_TRAINING: usize = 150;
const PAPER_SIMILARITY: f64 = 0.05;
const PAPER_ANOMALY: f64 = 0.15;

impl Baseline {
    /// The name on the command line.
    pub fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// What it is trained as, if it is trained on one half of the hosts.
    pub fn trained(self) -> Option<Trained> {
        match self {
            Baseline::FleetUnseen => Some(Trained::Unseen),
            Baseline::Bigram => Some(Trained::Bigram),
            Baseline::Lstm => Some(Trained::Lstm),
            Baseline::FailSafe => Some(Trained::FailSafe),
            _ => None,
        }
    }

    /// The score of each record, 0 to 1. Of `options`, those on training and severity count. Nothing comes of a detector that has to be
    /// trained first.
    pub fn scores(self, observed: &Observations, options: &LadOptions) -> Vec<f64> {
        let paper = || LadOptions {
            mode: Mode::Paper,
            window_size: PAPER_WINDOW,
            training: PAPER_TRAINING,
            similarity_threshold: PAPER_SIMILARITY,
            anomaly_threshold: PAPER_ANOMALY,
            push: false,
            ..options.clone()
        };
        let windows =
            |options: LadOptions| observe_sequence(&observed.keys, &observed.severities, &options);
        match self {
            Baseline::KnnCad => knn_cad::scores(&observed.keys, options.training),
            Baseline::Expose => expose::scores(&observed.keys),
            Baseline::UnseenTemplate => unseen(&observed.keys, options.training),
            Baseline::InferenceOnly => {
                let fails = |severity: &f64| *severity >= options.severity_threshold;
                let severities = observed.severities.iter();
                severities
                    .map(|s| if fails(s) { *s } else { 0.0 })
                    .collect()
            }
            Baseline::Paper => windows(paper()),
            // No window is an anomaly, so that all keep their distance.
            Baseline::PaperNoFeedback => windows(LadOptions {
                anomaly_threshold: 1.0,
                ..paper()
            }),
            Baseline::FleetUnseen | Baseline::Bigram | Baseline::Lstm | Baseline::FailSafe => {
                Vec::new()
            }
        }
    }
}

/// 1 where a key comes for the first time, but 0 in training.
fn unseen(keys: &[u64], training: usize) -> Vec<f64> {
    let mut seen = HashSet::new();
    let keys = keys.iter().enumerate();
    keys.map(|(record, key)| {
        let new = seen.insert(key) && record >= training;
        f64::from(u8::from(new))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the detectors of the Numenta Anomaly Benchmark give.
    #[derive(serde::Deserialize)]
    struct Reference {
        training: usize,
        cases: Vec<Case>,
    }

    #[derive(serde::Deserialize)]
    struct Case {
        keys: Vec<u64>,
        knn_cad: Vec<f64>,
        expose: Vec<f64>,
    }

    fn reference() -> Reference {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/cases/evaluate-logs/baselines.json"
        );
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    #[test]
    fn knn_cad_scores_as_the_benchmarks_own() {
        let reference = reference();
        for case in &reference.cases {
            assert!(case.knn_cad.contains(&0.5) && case.knn_cad.contains(&1.0));
            let ours = knn_cad::scores(&case.keys, reference.training);
            for (at, (ours, theirs)) in ours.iter().zip(&case.knn_cad).enumerate() {
                assert!((ours - theirs).abs() < 1e-8, "{at}: {ours}, not {theirs}");
            }
        }
    }

    #[test]
    fn expose_scores_as_the_benchmarks_own() {
        for case in &reference().cases {
            let ours = expose::scores(&case.keys);
            for (at, (ours, theirs)) in ours.iter().zip(&case.expose).enumerate() {
                assert!((ours - theirs).abs() < 1e-8, "{at}: {ours}, not {theirs}");
            }
        }
    }

    fn observed(keys: &[u64], severities: &[f64]) -> Observations {
        Observations {
            scores: Vec::new(),
            keys: keys.to_vec(),
            severities: severities.to_vec(),
        }
    }

    #[test]
    fn an_unseen_template_is_an_alarm_once_and_not_in_training() {
        assert_eq!(
            unseen(&[1, 2, 1, 2, 3, 3, 1, 4], 2),
            [0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0]
        );
    }

    #[test]
    fn inference_alone_scores_what_is_severe_enough() {
        let observed = observed(&[1, 2, 3], &[0.0, 0.4, 0.7]);
        let scores = Baseline::InferenceOnly.scores(&observed, &LadOptions::default());
        assert_eq!(scores, [0.0, 0.0, 0.7]);
    }

    #[test]
    fn the_published_mode_asks_for_a_verdict_and_without_feedback_the_distance_is_the_score() {
        let mut keys: Vec<u64> = [100, 200].repeat(100);
        let mut severities = vec![0.0; keys.len()];
        for (key, severity) in [(500, 0.0), (100, 0.0), (200, 0.0), (100, 0.0), (700, 1.0)] {
            keys.push(key);
            severities.push(severity);
        }
        let observed = observed(&keys, &severities);
        let scores = |baseline: Baseline| {
            baseline.scores(&observed, &LadOptions::default())[keys.len() - 5..].to_vec()
        };
        assert_eq!(scores(Baseline::Paper), [0.0, 0.0, 0.0, 0.0, 1.0]);
        let apart = scores(Baseline::PaperNoFeedback);
        // 500 instead of 100, in a window that sums to 600.
        assert_eq!(apart[0], 400.0 / 600.0);
        assert!(apart.iter().all(|d| *d > 0.15), "{apart:?}");
    }
}
