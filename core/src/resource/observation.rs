//! Observations, what becomes of them, and the counters.

use serde::{Deserialize, Serialize};

use super::verdict::{Deviation, PValues};
use crate::model::Reconstructed;
use crate::units::{Interval, Share, Time};

/// One row: the signals of one host at one time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation<'a> {
    /// The host's name; not empty, at most 512 bytes.
    pub hypervisor: &'a str,
    /// When the row was taken.
    pub time: Time,
    /// The time between two rows of this host; `None` means the option `interval`.
    pub interval: Option<Interval>,
    /// The values in the order of [`Signal`](super::Signal), each in its unit. NaN is unknown, which is legal for any signal and
    /// any time; so are signals that are missing at the end. Infinite ones count as unknown.
    pub values: &'a [f64],
}

/// What became of an observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was taken.
    Taken,
    /// Its host has a row of the same time, or of less than half an interval before it.
    Duplicate,
    /// It is earlier than the last row of its host. The fifth consecutive one is taken: the clock was set back.
    Late,
    /// It has another interval than the rows of its host before it, which is believed from the fifth consecutive one on; the host
    /// is then learned again.
    SetAside,
    /// The name is empty or too long, the time or the interval is not plausible, or there are more values than signals.
    Refused,
    /// One of the options `max_hypervisors` and `max_memory_mib` is reached, and every tracked host still reports.
    Full,
}

/// The immediate result of an observation.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    /// What became of it.
    pub outcome: Outcome,
    /// How unusual the last row taken of its host is; `None` if there is none, all of it is unknown, or the host is too little
    /// known.
    pub p_values: Option<PValues>,
    /// Closeness to an anomaly; 0.5 or more is one.
    pub score: Share,
    /// Whether an anomaly of the host is open.
    pub raised: bool,
    /// How well the model that the option `resource_model` names returns the window that ends with that row; `None` without a
    /// model, until a window without missing rows is complete, and if less than half of it is known.
    pub reconstructed: Option<Reconstructed>,
    /// The signals that deviate most, the strongest first; at most [`DECIDING_MAX`](super::DECIDING_MAX).
    pub deciding: Vec<Deviation>,
}

impl Observed {
    /// That of a row of no tracked host.
    pub(super) fn not_taken(outcome: Outcome) -> Self {
        Self {
            outcome,
            p_values: None,
            score: Share::ZERO,
            raised: false,
            reconstructed: None,
            deciding: Vec::new(),
        }
    }
}

/// Counts of observations by outcome, and the size of the state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Observations with [`Outcome::Taken`].
    pub taken: u64,
    /// Observations with [`Outcome::Duplicate`].
    pub duplicate: u64,
    /// Observations with [`Outcome::Late`].
    pub late: u64,
    /// Observations with [`Outcome::Refused`].
    pub refused: u64,
    /// Observations with [`Outcome::SetAside`].
    pub set_aside: u64,
    /// Observations with [`Outcome::Full`].
    pub full: u64,
    /// Rows that the option `resource_model` did not return well enough, since the detector was created or restored.
    #[serde(skip)]
    pub unreconstructed: u64,
    /// Events dropped because nobody fetched them in time.
    pub events_lost: u64,
    /// Silent hosts that were evicted at `max_hypervisors` or `max_memory_mib`.
    pub hypervisors_evicted: u64,
    /// Tracked hosts.
    pub hypervisors: u64,
    /// Open anomalies.
    pub anomalies: u64,
    /// Memory of the state in bytes.
    pub bytes: u64,
}

impl Counters {
    /// Names and values.
    pub fn list(&self) -> [(&'static str, u64); 12] {
        [
            ("taken", self.taken),
            ("duplicate", self.duplicate),
            ("late", self.late),
            ("refused", self.refused),
            ("set_aside", self.set_aside),
            ("full", self.full),
            ("unreconstructed", self.unreconstructed),
            ("events_lost", self.events_lost),
            ("hypervisors_evicted", self.hypervisors_evicted),
            ("hypervisors", self.hypervisors),
            ("anomalies", self.anomalies),
            ("bytes", self.bytes),
        ]
    }
}
