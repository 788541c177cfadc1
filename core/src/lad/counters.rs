//! Counters of the detector.

use std::ops::{AddAssign, SubAssign};

use serde::{Deserialize, Serialize};

#[cfg(doc)]
use super::record::Outcome;

/// Counts of records by outcome, and the size of the state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Records with [`Outcome::Taken`].
    pub taken: u64,
    /// Records with [`Outcome::Refused`].
    pub refused: u64,
    /// Always 0: in earlier versions, records that were not taken because there were `max_streams` already. Now a stream makes room
    /// ([`streams_evicted`](Self::streams_evicted)).
    pub full: u64,
    /// Records that reported a failure.
    pub failures: u64,
    /// Records that completed an unknown window.
    pub novel: u64,
    /// Records of templates that are new to the fleet; with the option `seeds`. Saved separately.
    #[serde(skip)]
    pub unseen: u64,
    /// Records that the option `sequence_model` did not predict, since the detector was created or restored.
    #[serde(skip)]
    pub unpredicted: u64,
    /// Episodes that were raised.
    pub episodes: u64,
    /// Events dropped because nobody fetched them in time.
    pub events_lost: u64,
    /// Streams that were evicted or silent for too long.
    pub streams_forgotten: u64,
    /// Streams that were evicted at the limit `max_streams` or `max_memory_mib`, since the detector was created or restored.
    #[serde(skip)]
    pub streams_evicted: u64,
    /// Tracked streams.
    pub streams: u64,
    /// Known templates over all streams.
    pub templates: u64,
    /// Evicted templates over the tracked streams.
    pub templates_evicted: u64,
    /// Known windows over all streams.
    pub windows: u64,
    /// Memory of the state in bytes.
    pub bytes: u64,
    /// Open episodes.
    #[serde(skip)]
    pub open_episodes: u64,
    /// Questions without an answer.
    #[serde(skip)]
    pub questions: u64,
    /// Questions that were dropped without an answer, or not asked because the limit was reached.
    #[serde(skip)]
    pub questions_dropped: u64,
}

impl Counters {
    /// Names and values.
    pub fn list(&self) -> [(&'static str, u64); 19] {
        [
            ("taken", self.taken),
            ("refused", self.refused),
            ("full", self.full),
            ("failures", self.failures),
            ("novel", self.novel),
            ("unseen", self.unseen),
            ("unpredicted", self.unpredicted),
            ("episodes", self.episodes),
            ("events_lost", self.events_lost),
            ("streams_forgotten", self.streams_forgotten),
            ("streams_evicted", self.streams_evicted),
            ("streams", self.streams),
            ("templates", self.templates),
            ("templates_evicted", self.templates_evicted),
            ("windows", self.windows),
            ("bytes", self.bytes),
            ("open_episodes", self.open_episodes),
            ("questions", self.questions),
            ("questions_dropped", self.questions_dropped),
        ]
    }
}

/// Size of one stream, or of all together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Totals {
    /// Memory, in bytes.
    pub(super) bytes: usize,
    pub(super) templates: u64,
    pub(super) templates_evicted: u64,
    pub(super) windows: u64,
}

impl AddAssign for Totals {
    fn add_assign(&mut self, more: Self) {
        self.bytes += more.bytes;
        self.templates += more.templates;
        self.templates_evicted += more.templates_evicted;
        self.windows += more.windows;
    }
}

impl SubAssign for Totals {
    fn sub_assign(&mut self, less: Self) {
        self.bytes -= less.bytes;
        self.templates -= less.templates;
        self.templates_evicted -= less.templates_evicted;
        self.windows -= less.windows;
    }
}
