//! HAD: telling a failing hypervisor from a busy guest by the metrics of its guests.
//!
//! A [`Detector`] takes one sample of one VM at a time ([`Detector::observe`]) and gives [`Event`]s
//! ([`Detector::next_event`]). Each metric of each hypervisor is judged by itself. Samples of one hypervisor that belong to
//! the same interval form a tick; a tick is judged when all VMs of the last one have reported, when a sample so new arrives
//! that nothing can be in time for it any more, or when [`Detector::advance`] says that its time is over.

mod method;
mod options;

use crate::event::Event;
use crate::snapshot::SnapshotError;

pub use options::{Algorithm, HadOptions};

/// One sample of one metric of one VM.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation<'a> {
    /// The hypervisor's name; not empty.
    pub hypervisor: &'a str,
    /// The VM's name, unique on its hypervisor; not empty.
    pub vm: &'a str,
    /// The metric's name; one that is not in the option `metrics` is ignored.
    pub metric: &'a str,
    /// When, in seconds since the epoch.
    pub time: f64,
    /// Seconds between two samples of this VM; 0 means the option `interval`.
    pub interval: f64,
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
    /// One of the options `max_hypervisors` and `max_vms` leaves no room for it.
    Full,
}

/// How many observations came to what, and what there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
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
    /// Events that nobody fetched in time, lost.
    pub events_lost: u64,
    /// Hypervisors that there is state of.
    pub hypervisors: u64,
    /// VMs that there is state of, over all hypervisors and metrics.
    pub vms: u64,
}

/// Where one metric of one hypervisor stands after its last tick.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Status<'a> {
    /// The hypervisor.
    pub hypervisor: &'a str,
    /// The metric.
    pub metric: &'a str,
    /// Time of the last tick judged, seconds since the epoch.
    pub time: f64,
    /// How near to an alarm, 0 to 1; an alarm is 0.5 or more.
    pub score: f64,
    /// Share of the voters that changed the same way, 0 to 1.
    pub consensus: f64,
    /// VMs that had a say.
    pub voters: u32,
    /// VMs that are known.
    pub vms: u32,
    /// Whether an incident is open.
    pub raised: bool,
}

/// Judges hypervisors by the metrics of their VMs.
#[derive(Debug)]
pub struct Detector {
    options: HadOptions,
}

impl Detector {
    /// A detector that knows nothing yet.
    ///
    /// # Errors
    /// Options that contradict each other.
    pub fn new(options: HadOptions) -> Result<Self, crate::options::OptionError> {
        options.validate()?;
        Ok(Self { options })
    }

    /// The options it was made with.
    pub fn options(&self) -> &HadOptions {
        &self.options
    }

    /// Takes one sample. Events that it brings about wait for [`Detector::next_event`].
    pub fn observe(&mut self, _observation: &Observation<'_>) -> Outcome {
        Outcome::Ignored
    }

    /// Says that no sample with a time before `time` (seconds) is going to come any more: judges the ticks that ended by then,
    /// notices silence and forgets who has been silent for too long.
    pub fn advance(&mut self, _time: f64) {}

    /// Masks a VM that is paused, shut off or migrating, or unmasks it. A masked VM abstains: its samples do not count.
    pub fn mask(&mut self, _hypervisor: &str, _vm: &str, _masked: bool) {}

    /// The oldest event not yet fetched.
    pub fn next_event(&mut self) -> Option<Event> {
        None
    }

    /// Where every metric of every hypervisor stands, in the order of their first sight.
    pub fn statuses(&self) -> impl Iterator<Item = Status<'_>> {
        std::iter::empty()
    }

    /// What became of the observations, and what there is.
    pub fn counters(&self) -> Counters {
        Counters::default()
    }

    /// Saves all that was learnt to `path` ([`crate::snapshot::save`]). A detector that loads it goes on as if it had never
    /// stopped.
    ///
    /// # Errors
    /// [`SnapshotError::Io`].
    pub fn save(&self, _path: &std::path::Path) -> Result<(), SnapshotError> {
        Ok(())
    }

    /// Replaces all that was learnt by what was saved to `path`; `false` where there is no such file.
    ///
    /// # Errors
    /// A file that cannot be read, is damaged, of another version, or made with options that shape the state otherwise; the
    /// detector is then as it was.
    pub fn load(&mut self, _path: &std::path::Path) -> Result<bool, SnapshotError> {
        Ok(false)
    }
}
