//! Tests of the whole detector, with a lexicon of two words.

mod budget;
mod episodes;
mod feedback;
mod prediction;
mod questions;
mod reports;
mod restart;
mod seeds;
mod signs;
mod sources;

use std::sync::Arc;

use super::*;
use crate::event::{Event, EventKind, Evidence, LogSource, Severity, State};
use crate::inference::{FailureSubject, Family, Finding, Inference, Message, Reading};
use crate::units::{Share, Time};

/// Finds a storage failure in texts with "failed", a tentative one in those with "perhaps", a memory failure in those with "leak",
/// and a hint, which a critical priority makes a failure, in those with "slow". "explained" explains tentative ones. The subject is
/// the first word that begins with "sd".
struct Words;

impl Inference for Words {
    fn read(&self, message: &Message<'_>) -> Reading {
        let text = message.text;
        let severity = match text {
            _ if text.contains("failed badly") => 0.95,
            _ if text.contains("failed") || text.contains("perhaps") || text.contains("leak") => {
                0.8
            }
            _ if text.contains("slow") && message.priority.is_some_and(|p| p <= 2) => 0.65,
            _ if text.contains("slow") => 0.45,
            _ => 0.0,
        };
        let device = text.split(' ').find(|word| word.starts_with("sd"));
        let subject = device.map(|name| FailureSubject::Device(name.to_owned()));
        let finding = (severity > 0.0).then(|| Finding {
            severity,
            family: match text.contains("leak") {
                true => Family::Memory,
                false => Family::Storage,
            },
            reason: "\"failed\"".into(),
            subject: subject.clone(),
            tentative: text.contains("perhaps"),
            source_known: !message.program.is_empty(),
        });
        let explains = text.contains("explained");
        Reading {
            finding,
            pardon: if explains { 0.9 } else { 0.0 },
            pardoned: subject.filter(|_| explains),
        }
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
