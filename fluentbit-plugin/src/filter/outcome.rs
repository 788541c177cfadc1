//! Outcomes: an operator, or a controller, reports as a record what became of a host.

use std::borrow::Cow;

use bellwether_agent::text::clean;
use bellwether_sys::Fate;

use super::feedback::VERDICT;
use super::values::{name, text};
use crate::msgpack::Value;
use crate::record::{Record, each_pair};

/// The verdicts on hosts.
const WORDS: [(&str, Fate); 2] = [
    ("host_failed", Fate::Failed),
    ("host_unknown", Fate::Unknown),
];

/// What became of a host.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome<'a> {
    /// The host.
    pub hypervisor: Cow<'a, str>,
    /// What became of it.
    pub fate: Fate,
    /// When, in seconds since the epoch; now, if the record does not say.
    pub time: Option<f64>,
}

impl<'a> Outcome<'a> {
    /// What a record says that has a verdict; `None` if that is none on a host.
    ///
    /// # Errors
    /// What is wrong with it, and what would be right.
    #[cold]
    pub fn of(record: &Record<'a>) -> Option<Result<Self, String>> {
        let (mut fate, mut hypervisor, mut time) = (None, None, None);
        each_pair(record.map, |key, value, _| {
            if key == VERDICT.as_bytes() {
                let known = WORDS
                    .iter()
                    .find(|word| Some(word.0.as_bytes()) == text(value));
                fate = known.copied();
            } else if key == b"hypervisor" {
                hypervisor = name(value);
            } else if key == b"time" {
                time = Some(value);
            }
        });
        let (word, fate) = fate?;
        let Some(hypervisor) = hypervisor else {
            return Some(Err(format!(
                "{VERDICT} is {word} without a hypervisor; it must be the name of the host"
            )));
        };
        let time = match time {
            None | Some(Value::Nil) => None,
            Some(Value::Unsigned(seconds)) => Some(seconds as f64),
            Some(Value::Float(seconds)) if seconds >= 0.0 => Some(seconds),
            Some(_) => {
                return Some(Err(
                    "time is no number; it must be in seconds since the epoch, or be left out"
                        .into(),
                ));
            }
        };
        Some(Ok(Self {
            hypervisor,
            fate,
            time,
        }))
    }

    /// A line for the log.
    pub fn applied(&self) -> String {
        let host = clean(&self.hypervisor);
        match self.fate {
            Fate::Failed => format!("{host} has failed: the risk learns from it"),
            Fate::Unknown => {
                format!("what becomes of {host} is unknown: the risk learns nothing from it")
            }
        }
    }
}
