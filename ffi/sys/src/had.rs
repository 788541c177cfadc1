//! The detector of hypervisor anomalies.

use crate::detector::{Detector, Kind, counters};
use crate::error::Error;
use crate::handle::{string, text};
use crate::raw;

/// The kind of [`Had`].
#[derive(Debug)]
pub enum HadKind {}

impl Kind for HadKind {
    const NAME: &'static str = "had";
    type Counters = HadCounters;
}

counters! {
    /// What a detector of hypervisor anomalies has counted since it was made, and what it tracks now.
    pub struct HadCounters {
        /// Observations that were [`Outcome::Taken`].
        taken,
        /// Observations that were [`Outcome::Duplicate`].
        duplicate,
        /// Observations that were [`Outcome::Late`].
        late,
        /// Observations that were [`Outcome::Ignored`].
        ignored,
        /// Observations that were [`Outcome::Masked`].
        masked,
        /// Observations that were [`Outcome::Refused`].
        refused,
        /// Observations that were [`Outcome::Full`].
        full,
        /// Observations that were [`Outcome::SetAside`].
        set_aside,
        /// How often most VMs of a hypervisor moved to another interval, over all metrics.
        intervals_changed,
        /// How often most VMs of a hypervisor agreed on an earlier or a much later time, over all metrics.
        clock_steps,
        /// Events dropped because nobody fetched them in time.
        events_lost,
        /// Hypervisors that are tracked.
        hypervisors,
        /// VMs that are tracked, over all hypervisors and metrics.
        vms,
        /// Metrics of hypervisors that cannot be evaluated because every VM has a different interval.
        unjudged,
        /// Hypervisors that no longer reported and were evicted because of the option "max_hypervisors".
        hypervisors_evicted,
        /// VMs that no longer reported and were evicted because of the option "max_vms", over all hypervisors and metrics.
        vms_evicted,
        /// Open changes of the fleet: many hypervisors changed at about the same time.
        fleet_changes,
        /// Memory in use, in bytes.
        bytes,
    }
}

/// One sample of one metric of one VM.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation<'a> {
    /// The name of the hypervisor.
    pub hypervisor: &'a str,
    /// The name of the VM, unique on its hypervisor.
    pub vm: &'a str,
    /// The name of the metric.
    pub metric: &'a str,
    /// When, in seconds since the epoch.
    pub time: f64,
    /// Seconds between two samples of this VM; 0 means the option "interval".
    pub interval: f64,
    /// The value, not negative; for "cpu" in percent of one core. NaN marks a sample that is known to be missing.
    pub value: f64,
}

/// What became of an observation; `bw_had_outcome`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It counts.
    Taken,
    /// It replaced an earlier sample of the same VM and interval, or repeats it.
    Duplicate,
    /// Its interval has been evaluated already.
    Late,
    /// Its metric is not in the option "metrics".
    Ignored,
    /// Its VM is masked, or its hypervisor.
    Masked,
    /// A name is empty or too long, or the time, the interval or the value is out of range.
    Refused,
    /// A limit is reached, and everything that is tracked still reports.
    Full,
    /// Its time or interval differs from that of the other VMs; it counts if they come to agree with it soon.
    SetAside,
    /// In a batch only: it is no observation.
    Invalid,
    /// A value that only a newer library has.
    Other(u32),
}

impl From<raw::bw_had_outcome> for Outcome {
    fn from(code: raw::bw_had_outcome) -> Self {
        match code {
            raw::BW_HAD_OUTCOME_TAKEN => Self::Taken,
            raw::BW_HAD_OUTCOME_DUPLICATE => Self::Duplicate,
            raw::BW_HAD_OUTCOME_LATE => Self::Late,
            raw::BW_HAD_OUTCOME_IGNORED => Self::Ignored,
            raw::BW_HAD_OUTCOME_MASKED => Self::Masked,
            raw::BW_HAD_OUTCOME_REFUSED => Self::Refused,
            raw::BW_HAD_OUTCOME_FULL => Self::Full,
            raw::BW_HAD_OUTCOME_SET_ASIDE => Self::SetAside,
            raw::BW_HAD_OUTCOME_INVALID => Self::Invalid,
            other => Self::Other(other),
        }
    }
}

/// The status of one metric of one hypervisor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Status<'a> {
    /// The name of the hypervisor.
    pub hypervisor: &'a str,
    /// The name of the metric.
    pub metric: &'a str,
    /// The time of the last interval evaluated, in seconds since the epoch.
    pub time: f64,
    /// The anomaly score, 0 to 1; an alarm is 0.5 or more.
    pub score: f64,
    /// The share of the voters that changed the same way, 0 to 1.
    pub consensus: f64,
    /// How many VMs voted.
    pub voters: u32,
    /// How many VMs are tracked, whatever their interval.
    pub vms: u32,
    /// Whether an incident is open.
    pub raised: bool,
    /// Whether the last interval evaluated was in maintenance.
    pub masked: bool,
    /// Seconds between two intervals.
    pub interval: f64,
    /// When the open incident of the hypervisor was raised, the oldest that this metric is part of, in seconds since the epoch.
    pub since: Option<f64>,
    /// Whether that was before a day of its VMs was known.
    pub provisional: bool,
}

/// A window of time in which a hypervisor is in maintenance.
#[derive(Debug, Clone, PartialEq)]
pub struct Window {
    /// The name of the hypervisor, or a pattern in which each `*` stands for any text.
    pub hypervisor: String,
    /// Its start, in seconds since the epoch.
    pub from: f64,
    /// Its end, in seconds since the epoch.
    pub until: f64,
}

/// What a notice of [`Had::next_notice`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeKind {
    /// Most VMs of a hypervisor moved to another interval, which is learned again.
    IntervalChanged,
    /// Every VM of a hypervisor has a different interval, so that they cannot be compared.
    Unjudged,
    /// The VMs of a hypervisor have more intervals than are tracked.
    Intervals,
    /// The clock of one VM differs from those of the others.
    VmClock,
    /// The clock of most VMs of a hypervisor jumped.
    ClockStep,
    /// A value that only a newer library has.
    Other(u32),
}

impl From<raw::bw_had_notice> for NoticeKind {
    fn from(code: raw::bw_had_notice) -> Self {
        match code {
            raw::BW_HAD_NOTICE_INTERVAL_CHANGED => Self::IntervalChanged,
            raw::BW_HAD_NOTICE_UNJUDGED => Self::Unjudged,
            raw::BW_HAD_NOTICE_INTERVALS => Self::Intervals,
            raw::BW_HAD_NOTICE_VM_CLOCK => Self::VmClock,
            raw::BW_HAD_NOTICE_CLOCK_STEP => Self::ClockStep,
            other => Self::Other(other),
        }
    }
}

/// A detector of hypervisor anomalies, from the metrics of their VMs. Made by [`crate::Library::had`].
pub type Had = Detector<HadKind>;

impl Had {
    /// Takes one sample. Events that it causes wait for [`Had::next_event`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if a name has a NUL byte.
    pub fn observe(&mut self, observation: &Observation<'_>) -> Result<Outcome, Error> {
        let observation = raw::bw_had_observation {
            size: size_of::<raw::bw_had_observation>(),
            hypervisor: string(observation.hypervisor.as_bytes()),
            vm: string(observation.vm.as_bytes()),
            metric: string(observation.metric.as_bytes()),
            time: observation.time,
            interval: observation.interval,
            value: observation.value,
        };
        let mut outcome = 0;
        // SAFETY: the struct and its strings have the sizes that they say.
        unsafe {
            self.0.call(|f, handle, error| {
                f.bw_had_observe(handle, &observation, &mut outcome, error)
            })
        }?;
        Ok(outcome.into())
    }

    /// Declares that no sample of that hypervisor with a time before `time` (seconds) will come.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if the name has a NUL byte.
    pub fn advance_hypervisor(&mut self, hypervisor: &str, time: f64) -> Result<(), Error> {
        // SAFETY: the string has as many bytes as its length says.
        unsafe {
            self.0.call(|f, handle, error| {
                f.bw_had_advance_hypervisor(
                    handle,
                    hypervisor.as_ptr().cast(),
                    hypervisor.len(),
                    time,
                    error,
                )
            })
        }
    }

    /// The next line for the operator's log about why a VM or a hypervisor is not evaluated; at most one of each kind waits.
    pub fn next_notice(&mut self) -> Option<(NoticeKind, String)> {
        let mut kind = 0;
        // SAFETY: the handle is ours, and the string lives until its next change.
        let message = unsafe {
            let f = self.0.functions();
            text(f.bw_had_next_notice(self.0.as_ptr(), &mut kind))?.to_owned()
        };
        Some((kind.into(), message))
    }

    /// Masks a VM that is paused, shut off or migrating, or unmasks it.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if a name has a NUL byte.
    pub fn mask(&mut self, hypervisor: &str, vm: &str, masked: bool) -> Result<(), Error> {
        // SAFETY: each string has as many bytes as its length says.
        unsafe {
            self.0.call(|f, handle, error| {
                f.bw_had_mask(
                    handle,
                    hypervisor.as_ptr().cast(),
                    hypervisor.len(),
                    vm.as_ptr().cast(),
                    vm.len(),
                    masked,
                    error,
                )
            })
        }
    }

    /// Masks a hypervisor within a window, by the times of the samples.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if it has no name or no duration, or is one too many.
    pub fn mask_hypervisor(&mut self, window: &Window) -> Result<(), Error> {
        let name = &window.hypervisor;
        // SAFETY: the string has as many bytes as its length says.
        unsafe {
            self.0.call(|f, handle, error| {
                f.bw_had_mask_hypervisor(
                    handle,
                    name.as_ptr().cast(),
                    name.len(),
                    window.from,
                    window.until,
                    error,
                )
            })
        }
    }

    /// Removes all windows of exactly this name or pattern.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if the name has a NUL byte.
    pub fn unmask_hypervisor(&mut self, hypervisor: &str) -> Result<(), Error> {
        // SAFETY: the string has as many bytes as its length says.
        unsafe {
            self.0.call(|f, handle, error| {
                f.bw_had_unmask_hypervisor(
                    handle,
                    hypervisor.as_ptr().cast(),
                    hypervisor.len(),
                    error,
                )
            })
        }
    }

    /// The windows in which hypervisors are masked, by their names and starts.
    pub fn windows(&self) -> Vec<Window> {
        // SAFETY: the handle is ours.
        let count = unsafe { self.0.functions().bw_had_window_count(self.0.as_ptr()) };
        (0..count).filter_map(|index| self.window(index)).collect()
    }

    fn window(&self, index: usize) -> Option<Window> {
        let mut window = raw::bw_had_window {
            size: size_of::<raw::bw_had_window>(),
            hypervisor: raw::bw_string::NONE,
            from: 0.0,
            until: 0.0,
        };
        // SAFETY: the struct has the size that it says, and its string is copied before the handle changes.
        unsafe {
            self.0
                .call(|f, handle, error| f.bw_had_window_at(handle, index, &mut window, error))
                .ok()?;
            Some(Window {
                hypervisor: text(window.hypervisor)?.to_owned(),
                from: window.from,
                until: window.until,
            })
        }
    }

    /// The status of every metric of every hypervisor, in the order in which hypervisors were first seen.
    pub fn statuses(&mut self) -> impl Iterator<Item = Status<'_>> {
        // SAFETY: the handle is ours.
        let count = unsafe { self.0.functions().bw_had_status_count(self.0.as_ptr()) };
        let this = &*self;
        (0..count).filter_map(move |index| this.status(index))
    }

    fn status(&self, index: usize) -> Option<Status<'_>> {
        let mut status = raw::bw_had_status {
            size: size_of::<raw::bw_had_status>(),
            hypervisor: raw::bw_string::NONE,
            metric: raw::bw_string::NONE,
            time: 0.0,
            score: 0.0,
            consensus: 0.0,
            voters: 0,
            vms: 0,
            raised: false,
            masked: false,
            interval: 0.0,
            since: f64::NAN,
            provisional: false,
        };
        // SAFETY: the struct has the size that it says, and its strings live until the handle's next
        // change, which the borrow of `self` puts off.
        unsafe {
            self.0
                .call(|f, handle, error| f.bw_had_status_at(handle, index, &mut status, error))
                .ok()?;
            Some(Status {
                hypervisor: text(status.hypervisor)?,
                metric: text(status.metric)?,
                time: status.time,
                score: status.score,
                consensus: status.consensus,
                voters: status.voters,
                vms: status.vms,
                raised: status.raised,
                masked: status.masked,
                interval: status.interval,
                since: (!status.since.is_nan()).then_some(status.since),
                provisional: status.provisional,
            })
        }
    }
}
