//! Lines of a log, and what classifies them.

use bellwether_sys::Transport;

use super::feedback::Feedback;
use super::outcome::Outcome;

/// What a detector says of a record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict<'a> {
    /// The number of the record's template, or 0 if its stream is not tracked.
    pub template_id: u64,
    /// The template.
    pub template: &'a str,
    /// How severe the failure that the text reports is, 0 to 1.
    pub severity: f64,
    /// The family of failures, where the text reports one.
    pub family: Option<&'a str>,
    /// How certain a failure is, 0 to 1.
    pub score: f64,
    /// Whether the record does not fit the learned state.
    pub novel: bool,
    /// Whether the option `sequence_model` did not predict the record.
    pub unpredicted: bool,
}

impl Verdict<'_> {
    /// Whether there is anything to say of the record beside its template.
    pub fn is_flagged(&self) -> bool {
        self.severity > 0.0 || self.score > 0.0 || self.novel
    }
}

/// A line of a log as the detector takes it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line<'a> {
    /// Whose log it is of.
    pub stream: &'a str,
    /// When, in seconds since the epoch.
    pub time: f64,
    /// The text; it need not be UTF-8.
    pub text: &'a [u8],
    /// The syslog priority, 0 to 7.
    pub priority: Option<u8>,
    /// The program that says it, empty where it is unknown; it need not be UTF-8.
    pub program: &'a [u8],
    /// The unit, pod or container that the program belongs to, likewise.
    pub unit: &'a [u8],
    /// The tag of the record.
    pub tag: &'a [u8],
    /// How it came.
    pub transport: Transport,
}

/// What classifies lines.
pub trait Detector {
    /// Takes the next line; `None` where it cannot.
    fn observe(&mut self, line: &Line<'_>) -> Option<Verdict<'_>>;

    /// The next event that waits, as a record.
    fn next_event(&mut self) -> Option<Vec<u8>>;

    /// The next question that waits, as a record of this time, in seconds since the epoch.
    fn next_question(&mut self, time: f64) -> Option<Vec<u8>>;

    /// Applies feedback; gives to how many templates.
    ///
    /// # Errors
    /// It cannot be applied; why.
    fn apply(&mut self, feedback: &Feedback<'_>) -> Result<usize, String>;

    /// Takes what became of a host.
    ///
    /// # Errors
    /// It cannot be taken; why.
    fn outcome(&mut self, outcome: &Outcome<'_>) -> Result<(), String>;
}
