//! Tests of the whole detector, with a lexicon of two words.

mod budget;
mod episodes;
mod feedback;
mod restart;
mod sources;

use std::sync::Arc;

use super::*;
use crate::event::{Event, EventKind, Evidence, LogSource, Severity, State};
use crate::inference::{Family, Finding, Inference};
use crate::units::{Share, Time};

/// Finds a storage failure in texts with "failed", and a hint in those with "slow".
struct Words;

impl Inference for Words {
    fn judge(&self, text: &str, _: &str) -> Option<Finding> {
        let severity = match text {
            _ if text.contains("failed") => 0.8,
            _ if text.contains("slow") => 0.45,
            _ => return None,
        };
        Some(Finding {
            severity,
            family: Family::Storage,
            reason: "\"failed\"".into(),
        })
    }
}

fn detector(settings: &[(&str, &str)]) -> Detector {
    let mut options = LadOptions::default();
    for (name, value) in [("training", "10")].iter().chain(settings) {
        options.set(name, value).unwrap();
    }
    Detector::with_inference(options, Arc::new(Words)).unwrap()
}

fn observe(detector: &mut Detector, stream: &str, time: f64, text: &str) -> Observed {
    detector.observe(&Record {
        stream,
        time: Time::from_secs(time),
        text,
        priority: None,
        source: Source::default(),
    })
}

fn events(detector: &mut Detector) -> Vec<Event> {
    std::iter::from_fn(|| detector.next_event()).collect()
}

/// Observes `count` ordinary records from the time `from` on, one per second.
fn calm(detector: &mut Detector, stream: &str, from: u32, count: u32) {
    for i in from..from + count {
        let text = [
            "session opened for user root",
            "session closed for user root",
        ][i as usize % 2];
        let observed = observe(detector, stream, f64::from(i), text);
        assert!(!observed.failure && observed.score == Share::ZERO);
    }
}
