//! What a detector is given, and how often it was what.

use serde::{Deserialize, Serialize};

#[cfg(doc)]
use super::Detector;
use crate::units::{Interval, Time};

/// One sample of one metric of one VM.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation<'a> {
    /// The hypervisor's name; not empty.
    pub hypervisor: &'a str,
    /// The VM's name, unique on its hypervisor; not empty.
    pub vm: &'a str,
    /// The metric's name; one that is not in the option `metrics` is ignored.
    pub metric: &'a str,
    /// When it was taken.
    pub time: Time,
    /// The interval of this VM's samples; `None` means the option `interval`.
    pub interval: Option<Interval>,
    /// The value, not negative; for `cpu` in percent of one core. NaN is a sample that is known to be missing.
    pub value: f64,
}

/// What became of an observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It counts.
    Taken,
    /// It replaced an earlier one of the same VM and tick, or came again.
    Duplicate,
    /// Its tick has been judged already.
    Late,
    /// Its metric is not watched.
    Ignored,
    /// Its VM is masked ([`Detector::mask`]).
    Masked,
    /// A name is empty or too long, the time or the value is not a number that can be.
    Refused,
    /// One of the options `max_hypervisors` and `max_vms` leaves no room for it, as all that there is state of still reports, or
    /// its hypervisor has VMs of as many intervals as are kept.
    Full,
    /// Its time or its interval is not that of the other VMs. It is held, and counts if they come to agree with it soon.
    SetAside,
}

/// How many observations came to what, and what there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Observations with [`Outcome::Taken`].
    pub taken: u64,
    /// Observations with [`Outcome::Duplicate`].
    pub duplicate: u64,
    /// Observations with [`Outcome::Late`].
    pub late: u64,
    /// Observations with [`Outcome::Ignored`].
    pub ignored: u64,
    /// Observations with [`Outcome::Masked`].
    pub masked: u64,
    /// Observations with [`Outcome::Refused`].
    pub refused: u64,
    /// Observations with [`Outcome::Full`].
    pub full: u64,
    /// Observations with [`Outcome::SetAside`].
    #[serde(skip)]
    pub set_aside: u64,
    /// How often most VMs of a hypervisor moved to another interval, so that it is learned anew, over all metrics.
    #[serde(skip)]
    pub intervals_changed: u64,
    /// How often most VMs of a hypervisor agreed on a time that is earlier, or much later, over all metrics.
    #[serde(skip)]
    pub clock_steps: u64,
    /// Events that nobody fetched in time, lost.
    pub events_lost: u64,
    /// Hypervisors that there is state of.
    pub hypervisors: u64,
    /// VMs that there is state of, over all hypervisors and metrics.
    pub vms: u64,
    /// Metrics of hypervisors that cannot be judged because each of the VMs has an interval of its own.
    #[serde(skip)]
    pub unjudged: u64,
    /// Silent hypervisors whose state made room for another's, because of the option `max_hypervisors`.
    #[serde(skip)]
    pub hypervisors_evicted: u64,
    /// Silent VMs whose state made room for another's, because of the option `max_vms`; over all hypervisors and metrics.
    #[serde(skip)]
    pub vms_evicted: u64,
    /// How much memory the state takes, bytes.
    #[serde(skip)]
    pub bytes: u64,
}

/// The counters that snapshots did not have at first, by their names: they come behind the rest, and may be more or fewer.
pub(super) type LaterCounters = Vec<(String, u64)>;

impl Counters {
    /// Names and values.
    pub fn list(&self) -> [(&'static str, u64); 17] {
        [
            ("taken", self.taken),
            ("duplicate", self.duplicate),
            ("late", self.late),
            ("ignored", self.ignored),
            ("masked", self.masked),
            ("refused", self.refused),
            ("full", self.full),
            ("events_lost", self.events_lost),
            ("hypervisors", self.hypervisors),
            ("vms", self.vms),
            ("hypervisors_evicted", self.hypervisors_evicted),
            ("vms_evicted", self.vms_evicted),
            ("set_aside", self.set_aside),
            ("intervals_changed", self.intervals_changed),
            ("clock_steps", self.clock_steps),
            ("unjudged", self.unjudged),
            ("bytes", self.bytes),
        ]
    }

    pub(super) fn later(&self) -> LaterCounters {
        let counters = [
            ("set_aside", self.set_aside),
            ("intervals_changed", self.intervals_changed),
            ("clock_steps", self.clock_steps),
            ("hypervisors_evicted", self.hypervisors_evicted),
            ("vms_evicted", self.vms_evicted),
        ];
        counters
            .map(|(name, count)| (name.to_owned(), count))
            .into()
    }

    pub(super) fn with_later(mut self, later: LaterCounters) -> Self {
        for (name, count) in later {
            match name.as_str() {
                "set_aside" => self.set_aside = count,
                "intervals_changed" => self.intervals_changed = count,
                "clock_steps" => self.clock_steps = count,
                "hypervisors_evicted" => self.hypervisors_evicted = count,
                "vms_evicted" => self.vms_evicted = count,
                _ => {}
            }
        }
        self
    }
}

/// A plausible observation of a watched metric, as the detector passes it on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sample<'a> {
    pub hypervisor: &'a str,
    pub vm: &'a str,
    /// Seconds since the epoch.
    pub time: f64,
    /// Seconds between two samples of this VM.
    pub interval: f64,
    pub value: f64,
}
