//! The result of classifying a message.

use super::family::Family;
use super::subject::FailureSubject;

/// A message with at least this severity is a failure; below, it is at most a hint.
pub const FAULT: f32 = 0.5;

/// What a message reports.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Greater than 0, at most 1; [`FAULT`] or more is a failure.
    pub severity: f32,
    /// What is failing.
    pub family: Family,
    /// Why: the phrases that were found.
    pub reason: String,
    /// The device, guest or unit that it is about, where it names one.
    pub subject: Option<FailureSubject>,
    /// Later lines of the same report may explain it ([`Reading::pardon`]).
    pub tentative: bool,
    /// The source of the message is known. Without one, anybody may have written it.
    pub source_known: bool,
}

/// What a message says of its host, and of the report that it belongs to: the lines that one source writes at about the same time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reading {
    /// What it reports; `None` if it reports nothing known.
    pub finding: Option<Finding>,
    /// Findings of the same report up to this severity are explained by it; 0 for none.
    pub pardon: f32,
    /// Only those about this subject, if it names one.
    pub pardoned: Option<FailureSubject>,
}

impl Reading {
    /// Whether it says nothing at all.
    pub fn is_quiet(&self) -> bool {
        self.finding.is_none() && self.pardon <= 0.0
    }
}
