//! The detector of hypervisor anomalies.

use std::ptr;

use crate::error::Error;
use crate::handle::{Detector, text};
use crate::raw;

/// One sample of one metric of one VM.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation<'a> {
    /// The hypervisor's name.
    pub hypervisor: &'a str,
    /// The VM's name, unique on its hypervisor.
    pub vm: &'a str,
    /// The metric's name.
    pub metric: &'a str,
    /// When, in seconds since the epoch.
    pub time: f64,
    /// Seconds between two samples of this VM; 0 means the option "interval".
    pub interval: f64,
    /// The value, not negative; for "cpu" in percent of one core. NaN is a sample that is known to be missing.
    pub value: f64,
}

/// What became of an observation; `bw_outcome`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It counts.
    Taken,
    /// It replaced an earlier one of the same VM and interval, or came again.
    Duplicate,
    /// Its interval has been judged already.
    Late,
    /// Its metric is not watched.
    Ignored,
    /// Its VM is masked.
    Masked,
    /// A name is empty or too long, or the time, the interval or the value is not a number that can be.
    Refused,
    /// There is no room for another hypervisor, VM or interval: all that there is state of still reports.
    Full,
    /// Its time or its interval is not that of the other VMs; it counts if they come to agree with it soon.
    SetAside,
    /// What only a newer library says.
    Other(u32),
}

impl From<raw::bw_outcome> for Outcome {
    fn from(code: raw::bw_outcome) -> Self {
        match code {
            0 => Self::Taken,
            1 => Self::Duplicate,
            2 => Self::Late,
            3 => Self::Ignored,
            4 => Self::Masked,
            5 => Self::Refused,
            6 => Self::Full,
            7 => Self::SetAside,
            other => Self::Other(other),
        }
    }
}

/// How many observations came to what since the detector was made, and what there is now.
pub type Counters = raw::bw_counters;

/// Where one metric of one hypervisor stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Status<'a> {
    /// The hypervisor's name.
    pub hypervisor: &'a str,
    /// The metric's name.
    pub metric: &'a str,
    /// Time of the last interval judged, in seconds since the epoch.
    pub time: f64,
    /// How near to an alarm, 0 to 1; an alarm is 0.5 or more.
    pub score: f64,
    /// Share of the VMs that had a say and changed the same way, 0 to 1.
    pub consensus: f64,
    /// How many VMs had a say.
    pub voters: u32,
    /// How many VMs are known, whatever their interval.
    pub vms: u32,
    /// Whether an incident is open.
    pub raised: bool,
    /// Seconds between two intervals judged.
    pub interval: f64,
}

/// What a notice of [`Had::next_notice`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeKind {
    /// Most VMs of a hypervisor moved to another interval; it is learned anew.
    IntervalChanged,
    /// Each of the VMs of a hypervisor has an interval of its own, so that none can be judged.
    Unjudged,
    /// The VMs of a hypervisor have more intervals than are kept.
    Intervals,
    /// The clock of one VM differs from those of the others.
    VmClock,
    /// The clock of most VMs of a hypervisor leapt.
    ClockStep,
    /// What only a newer library says.
    Other(u32),
}

impl From<raw::bw_notice> for NoticeKind {
    fn from(code: raw::bw_notice) -> Self {
        match code {
            0 => Self::IntervalChanged,
            1 => Self::Unjudged,
            2 => Self::Intervals,
            3 => Self::VmClock,
            4 => Self::ClockStep,
            other => Self::Other(other),
        }
    }
}

/// A detector of hypervisor anomalies: takes one sample of one VM at a time, and gives events. Made by [`crate::Library::had`].
pub type Had = Detector<raw::bw_had>;

impl Had {
    /// Takes one sample. Events that it brings about wait for [`Had::next_event`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] where a name holds a NUL byte.
    pub fn observe(&mut self, observation: &Observation<'_>) -> Result<Outcome, Error> {
        let observation = raw::bw_observation {
            size: size_of::<raw::bw_observation>(),
            hypervisor: observation.hypervisor.as_ptr().cast(),
            hypervisor_len: observation.hypervisor.len(),
            vm: observation.vm.as_ptr().cast(),
            vm_len: observation.vm.len(),
            metric: observation.metric.as_ptr().cast(),
            metric_len: observation.metric.len(),
            time: observation.time,
            interval: observation.interval,
            value: observation.value,
        };
        let mut outcome = 0;
        // SAFETY: the struct and its strings have the sizes that they say.
        unsafe {
            self.0.call(|f, handle, error| {
                (f.bw_had_observe)(handle, &observation, &mut outcome, error)
            })
        }?;
        Ok(outcome.into())
    }

    /// Says that no sample of that hypervisor with a time before `time` (seconds) is going to come any more.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] where the name holds a NUL byte.
    pub fn advance_hypervisor(&mut self, hypervisor: &str, time: f64) -> Result<(), Error> {
        // SAFETY: the string has as many bytes as its length says.
        unsafe {
            self.0.call(|f, handle, error| {
                (f.bw_had_advance_hypervisor)(
                    handle,
                    hypervisor.as_ptr().cast(),
                    hypervisor.len(),
                    time,
                    error,
                )
            })
        }
    }

    /// What an operator should know and that is no event; at most one of each kind waits.
    pub fn next_notice(&mut self) -> Option<(NoticeKind, String)> {
        let mut kind = 0;
        // SAFETY: the handle is ours, and the string lives until its next change.
        let message = unsafe {
            let message = (self.0.functions().bw_had_next_notice)(self.0.as_ptr(), &mut kind);
            text(message)?.to_owned()
        };
        Some((kind.into(), message))
    }

    /// Masks a VM that is paused, shut off or migrating, or unmasks it.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] where a name holds a NUL byte.
    pub fn mask(&mut self, hypervisor: &str, vm: &str, masked: bool) -> Result<(), Error> {
        // SAFETY: each string has as many bytes as its length says.
        unsafe {
            self.0.call(|f, handle, error| {
                (f.bw_had_mask)(
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

    /// What became of the observations, and what there is.
    ///
    /// # Errors
    /// Only a defect of bellwether.
    pub fn counters(&self) -> Result<Counters, Error> {
        let mut counters = Counters {
            size: size_of::<Counters>(),
            ..Counters::default()
        };
        // SAFETY: the struct has the size that it says.
        unsafe {
            self.0
                .call(|f, handle, error| (f.bw_had_counters)(handle, &mut counters, error))
        }?;
        Ok(counters)
    }

    /// Where every metric of every hypervisor stands, in the order of their first sight.
    pub fn statuses(&mut self) -> impl Iterator<Item = Status<'_>> {
        // SAFETY: the handle is ours.
        let count = unsafe { (self.0.functions().bw_had_status_count)(self.0.as_ptr()) };
        let this = &*self;
        (0..count).filter_map(move |index| this.status(index))
    }

    fn status(&self, index: usize) -> Option<Status<'_>> {
        let mut status = raw::bw_status {
            size: size_of::<raw::bw_status>(),
            hypervisor: ptr::null(),
            hypervisor_len: 0,
            metric: ptr::null(),
            metric_len: 0,
            time: 0.0,
            score: 0.0,
            consensus: 0.0,
            voters: 0,
            vms: 0,
            raised: false,
            interval: 0.0,
        };
        // SAFETY: the struct has the size that it says, and its strings live until the handle's next
        // change, which the borrow of `self` puts off.
        unsafe {
            self.0
                .call(|f, handle, error| (f.bw_had_status)(handle, index, &mut status, error))
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
                interval: status.interval,
            })
        }
    }
}
