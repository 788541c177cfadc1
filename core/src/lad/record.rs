//! One record of a log, and how it was classified.

use serde::{Deserialize, Serialize};

use super::source::Source;
use crate::event::IncidentId;
use crate::inference::Family;
use crate::model::Predicted;
use crate::units::{Share, Time};

/// Maximum length of a stream's name in bytes.
pub const NAME_MAX_BYTES: usize = 512;

/// One record of a log.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Record<'a> {
    /// The stream that it belongs to: the name of the host that logged it; not empty.
    pub stream: &'a str,
    /// When it was logged.
    pub time: Time,
    /// Its message, without time, host and source.
    pub text: &'a str,
    /// Its own priority, if it has one: syslog severity, 0 (emergency) to 7 (debug).
    pub priority: Option<u8>,
    /// Its source.
    pub source: Source<'a>,
}

/// The outcome of observing a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was added to its stream.
    Taken,
    /// The stream's name is empty or too long, or the time is not plausible. It was classified by text only.
    Refused,
}

/// How a record was classified.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observed {
    /// What became of it.
    pub outcome: Outcome,
    /// The number of its template within its stream, from 1; 0 if it has no stream.
    pub template_id: u64,
    /// The severity of its text.
    pub severity: Share,
    /// The family of failures that its text belongs to, if any.
    pub family: Option<Family>,
    /// Its score according to the option `mode`.
    pub score: Share,
    /// It reports a failure: its severity reaches `severity_threshold`.
    pub failure: bool,
    /// It begins or extends an episode.
    pub alarm: bool,
    /// The incident of that episode, as its events name it.
    pub incident: Option<IncidentId>,
    /// It completes an unknown window.
    pub novel: bool,
    /// It is one of the first of its stream.
    pub training: bool,
    /// It reports nothing, and is the first of a template that is new to its stream and not among the option `seeds`.
    pub unseen: bool,
    /// How it compares to what the option `sequence_model` predicts; `None` without that, or if it belongs to no stream.
    pub predicted: Option<Predicted>,
}

/// A verdict on a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// An operator's: its records report no failure, whatever their text.
    Benign,
    /// An operator's: its records report a failure.
    Failure,
    /// That of a language model, or of whoever else is not to be relied on: its records report no failure. It does not count
    /// against a text with a severity of [`CERTAIN_SEVERITY`] or more.
    LikelyBenign,
    /// The same: its records report a failure, of this family if known. It raises a warning at most.
    LikelyFailure(Option<Family>),
}

/// A text with this severity reports a failure whatever a [`Verdict::LikelyBenign`] says.
pub const CERTAIN_SEVERITY: f64 = 0.7;

impl Verdict {
    /// Whether it is the word of somebody who can be relied on.
    pub fn is_certain(self) -> bool {
        matches!(self, Verdict::Benign | Verdict::Failure)
    }
}
