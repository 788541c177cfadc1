//! Observations, outcomes of hosts, and counters.

use serde::{Deserialize, Serialize};

use super::source::SourceState;
use crate::units::{Share, Time};

/// Maximum length of the name of a hypervisor in bytes.
pub const NAME_MAX_BYTES: usize = crate::maintenance::NAME_MAX_BYTES;

/// The state of one source about one host at one time. Sources report it again and again, at least once in a third of the option
/// `stale_sec`: what is not repeated becomes unknown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation<'a> {
    /// The hypervisor's name; not empty.
    pub hypervisor: &'a str,
    /// When the source was in this state: the present, not the time of an old record.
    pub time: Time,
    /// The source and its state.
    pub state: SourceState,
}

/// The outcome of an observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It counts.
    Taken,
    /// The source has reported a later state already.
    Late,
    /// The name is empty or too long, or the time is not plausible.
    Refused,
    /// One of the options `max_hypervisors` and `max_memory_mib` is reached, and every tracked hypervisor has a source that
    /// reports.
    Full,
}

/// The result of an observation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observed {
    /// What became of it.
    pub outcome: Outcome,
    /// The probability that the host fails within 10 minutes; 0 if the observation was refused or the host is not tracked.
    pub risk_10min: Share,
    /// The same within 30 minutes.
    pub risk_30min: Share,
    /// Whether `failure_risk` is raised for the host.
    pub raised: bool,
}

/// What became of a host, as the site reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It failed: at least one of its guests died.
    Failed,
    /// Nobody knows whether it would have failed: its guests were moved away, or it is in maintenance. What was reported in the
    /// half hour before teaches nothing.
    Unknown,
}

/// Counts of observations by outcome, and the size of the state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Observations with [`Outcome::Taken`].
    pub taken: u64,
    /// Observations with [`Outcome::Late`].
    pub late: u64,
    /// Observations with [`Outcome::Refused`].
    pub refused: u64,
    /// Observations with [`Outcome::Full`].
    pub full: u64,
    /// Raised `failure_risk`.
    pub raised: u64,
    /// Failures that the calibration learned from.
    pub failures: u64,
    /// Silent hypervisors that were evicted at `max_hypervisors` or `max_memory_mib`.
    pub hypervisors_evicted: u64,
    /// Events dropped because nobody fetched them in time.
    pub events_lost: u64,
    /// Tracked hypervisors.
    pub hypervisors: u64,
    /// Hypervisors with an open `failure_risk`.
    pub open: u64,
    /// 1 if the values are probabilities of this site, 0 if they are evidence scores.
    pub calibrated: u64,
    /// Memory of the state in bytes.
    pub bytes: u64,
}

impl Counters {
    /// Names and values.
    pub fn list(&self) -> [(&'static str, u64); 12] {
        [
            ("taken", self.taken),
            ("late", self.late),
            ("refused", self.refused),
            ("full", self.full),
            ("raised", self.raised),
            ("failures", self.failures),
            ("hypervisors_evicted", self.hypervisors_evicted),
            ("events_lost", self.events_lost),
            ("hypervisors", self.hypervisors),
            ("open", self.open),
            ("calibrated", self.calibrated),
            ("bytes", self.bytes),
        ]
    }
}
