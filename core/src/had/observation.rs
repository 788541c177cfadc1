//! Observations, their outcomes, and the counters.

use serde::{Deserialize, Serialize};

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
    /// When the sample was taken.
    pub time: Time,
    /// The sampling interval of this VM; `None` means the option `interval`.
    pub interval: Option<Interval>,
    /// The value, not negative; for `cpu` in percent of one core. NaN is a sample known to be missing.
    pub value: f64,
}

/// The outcome of an observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was taken.
    Taken,
    /// It replaced an earlier one of the same VM and tick, or repeated it.
    Duplicate,
    /// Its tick has already been evaluated.
    Late,
    /// Its metric is not watched.
    Ignored,
    /// Its VM is masked ([`Detector::mask`](super::Detector::mask)), or its hypervisor is
    /// ([`Detector::mask_hypervisor`](super::Detector::mask_hypervisor)).
    Masked,
    /// A name is empty or too long, or the time, interval or value is not plausible.
    Refused,
    /// One of the options `max_hypervisors`, `max_vms` and `max_memory_mib` is reached and everything tracked still reports, or
    /// the VMs of its hypervisor have too many different intervals.
    Full,
    /// Its time or its interval differs from that of the other VMs. It is held, and counts if they soon agree with it.
    SetAside,
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
    /// Number of times that most VMs of a hypervisor moved to another interval, over all metrics.
    #[serde(skip)]
    pub intervals_changed: u64,
    /// Number of times that most VMs of a hypervisor agreed on a time that is earlier, or much later, over all metrics.
    #[serde(skip)]
    pub clock_steps: u64,
    /// Events dropped because nobody fetched them in time.
    pub events_lost: u64,
    /// Tracked hypervisors.
    pub hypervisors: u64,
    /// Tracked VMs, over all hypervisors and metrics.
    pub vms: u64,
    /// Metrics of hypervisors that cannot be evaluated because each VM has another interval.
    #[serde(skip)]
    pub unjudged: u64,
    /// Silent hypervisors that were evicted at `max_hypervisors` or `max_memory_mib`.
    #[serde(skip)]
    pub hypervisors_evicted: u64,
    /// Silent VMs that were evicted at `max_vms` or `max_memory_mib`, over all hypervisors and metrics.
    #[serde(skip)]
    pub vms_evicted: u64,
    /// Open changes of the fleet.
    #[serde(skip)]
    pub fleet_changes: u64,
    /// Memory of the state in bytes.
    #[serde(skip)]
    pub bytes: u64,
}

/// Counters that snapshots did not have at first, by name: they are stored separately, and there may be more or fewer.
pub(super) type LaterCounters = Vec<(String, u64)>;

impl Counters {
    /// Names and values.
    pub fn list(&self) -> [(&'static str, u64); 18] {
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
            ("fleet_changes", self.fleet_changes),
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

/// A plausible observation of a watched metric.
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
