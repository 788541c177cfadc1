//! The detector of hypervisor anomalies.

use std::ffi::c_char;
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::ptr::{self, NonNull};

use crate::error::{Error, ErrorKind, check};
use crate::event::Event;
use crate::library::Library;
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
    /// There is no room for another hypervisor or VM.
    Full,
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
            other => Self::Other(other),
        }
    }
}

/// How many observations came to what since the detector was made, and what there is now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Observations that were [`Outcome::Taken`].
    pub taken: u64,
    /// Observations that were [`Outcome::Duplicate`].
    pub duplicate: u64,
    /// Observations that were [`Outcome::Late`].
    pub late: u64,
    /// Observations that were [`Outcome::Ignored`].
    pub ignored: u64,
    /// Observations that were [`Outcome::Masked`].
    pub masked: u64,
    /// Observations that were [`Outcome::Refused`].
    pub refused: u64,
    /// Observations that were [`Outcome::Full`].
    pub full: u64,
    /// Events that were lost because nobody fetched them in time.
    pub events_lost: u64,
    /// Hypervisors that there is state of.
    pub hypervisors: u64,
    /// VMs that there is state of, over all hypervisors and metrics.
    pub vms: u64,
}

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
    /// How many VMs are known.
    pub vms: u32,
    /// Whether an incident is open.
    pub raised: bool,
}

/// A detector of hypervisor anomalies: takes one sample of one VM at a time, and gives events. Made by [`Library::had`].
pub struct Had {
    library: Library,
    handle: NonNull<raw::bw_had>,
}

// SAFETY: a detector may be used from any thread, by one at a time.
unsafe impl Send for Had {}

impl Had {
    /// # Safety
    /// `handle` was made by `library` and is used by nobody else.
    pub(crate) unsafe fn from_raw(library: Library, handle: NonNull<raw::bw_had>) -> Self {
        Self { library, handle }
    }

    /// Takes one sample. Events that it brings about wait for [`Had::next_event`].
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] where a name holds a NUL byte.
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
        let f = self.library.functions();
        // SAFETY: the handle is ours, and the struct and its strings have the sizes that they say.
        unsafe {
            check(&self.library, |error| {
                (f.bw_had_observe)(self.handle.as_ptr(), &observation, &mut outcome, error)
            })
        }?;
        Ok(outcome.into())
    }

    /// Says that no sample with a time before `time` (seconds since the epoch) is going to come any more.
    ///
    /// # Errors
    /// Only a defect of bellwether.
    pub fn advance(&mut self, time: f64) -> Result<(), Error> {
        let f = self.library.functions();
        // SAFETY: the handle is ours.
        unsafe {
            check(&self.library, |error| {
                (f.bw_had_advance)(self.handle.as_ptr(), time, error)
            })
        }
    }

    /// Masks a VM that is paused, shut off or migrating, or unmasks it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] where a name holds a NUL byte.
    pub fn mask(&mut self, hypervisor: &str, vm: &str, masked: bool) -> Result<(), Error> {
        let f = self.library.functions();
        // SAFETY: the handle is ours, and each string has as many bytes as its length says.
        unsafe {
            check(&self.library, |error| {
                (f.bw_had_mask)(
                    self.handle.as_ptr(),
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

    /// The oldest event not yet fetched.
    pub fn next_event(&mut self) -> Option<Event> {
        // SAFETY: the handle is ours, and so is the event that it gives.
        unsafe {
            let event = (self.library.functions().bw_had_next_event)(self.handle.as_ptr());
            NonNull::new(event).map(|event| Event::from_raw(self.library.clone(), event))
        }
    }

    /// Saves all that was learnt to the file `path`, so that a crash at any moment leaves the old file or the new one, whole.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] where it cannot be written; an old file is then untouched.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let f = self.library.functions();
        let path = path.as_os_str().as_bytes();
        // SAFETY: the handle is ours, and the path has as many bytes as its length says.
        unsafe {
            check(&self.library, |error| {
                (f.bw_had_save)(
                    self.handle.as_ptr(),
                    path.as_ptr().cast(),
                    path.len(),
                    error,
                )
            })
        }
    }

    /// Replaces all that was learnt by what was saved to `path`; `false` where there is no such file.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] where it cannot be read, [`ErrorKind::SnapshotUnusable`] where it is damaged, of another version, or
    /// made with options that shape the state otherwise; the detector is then as before and can be used.
    pub fn load(&mut self, path: &Path) -> Result<bool, Error> {
        let f = self.library.functions();
        let path = path.as_os_str().as_bytes();
        // SAFETY: the handle is ours, and the path has as many bytes as its length says.
        let loaded = unsafe {
            check(&self.library, |error| {
                (f.bw_had_load)(
                    self.handle.as_ptr(),
                    path.as_ptr().cast(),
                    path.len(),
                    error,
                )
            })
        };
        match loaded {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// What became of the observations, and what there is.
    ///
    /// # Errors
    /// Only a defect of bellwether.
    pub fn counters(&self) -> Result<Counters, Error> {
        let mut counters = raw::bw_counters {
            size: size_of::<raw::bw_counters>(),
            taken: 0,
            duplicate: 0,
            late: 0,
            ignored: 0,
            masked: 0,
            refused: 0,
            full: 0,
            events_lost: 0,
            hypervisors: 0,
            vms: 0,
        };
        let f = self.library.functions();
        // SAFETY: the handle is ours, and the struct has the size that it says.
        unsafe {
            check(&self.library, |error| {
                (f.bw_had_counters)(self.handle.as_ptr(), &mut counters, error)
            })
        }?;
        Ok(Counters {
            taken: counters.taken,
            duplicate: counters.duplicate,
            late: counters.late,
            ignored: counters.ignored,
            masked: counters.masked,
            refused: counters.refused,
            full: counters.full,
            events_lost: counters.events_lost,
            hypervisors: counters.hypervisors,
            vms: counters.vms,
        })
    }

    /// Where every metric of every hypervisor stands, in the order of their first sight.
    pub fn statuses(&mut self) -> impl Iterator<Item = Status<'_>> {
        // SAFETY: the handle is ours.
        let count = unsafe { (self.library.functions().bw_had_status_count)(self.handle.as_ptr()) };
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
        };
        let f = self.library.functions();
        // SAFETY: the handle is ours, the struct has the size that it says, and its strings live until the handle's next
        // change, which the borrow of `self` puts off.
        unsafe {
            check(&self.library, |error| {
                (f.bw_had_status)(self.handle.as_ptr(), index, &mut status, error)
            })
            .ok()?;
            Some(Status {
                hypervisor: text(status.hypervisor, status.hypervisor_len),
                metric: text(status.metric, status.metric_len),
                time: status.time,
                score: status.score,
                consensus: status.consensus,
                voters: status.voters,
                vms: status.vms,
                raised: status.raised,
            })
        }
    }
}

/// # Safety
/// `start` has `length` bytes that nobody changes while the text lives.
unsafe fn text<'a>(start: *const c_char, length: usize) -> &'a str {
    // SAFETY: passed on to the caller.
    let bytes = unsafe { std::slice::from_raw_parts(start.cast(), length) };
    std::str::from_utf8(bytes).expect("libbellwether's strings are UTF-8")
}

impl Drop for Had {
    fn drop(&mut self) {
        // SAFETY: the handle is ours and used no more.
        unsafe { (self.library.functions().bw_had_free)(self.handle.as_ptr()) };
    }
}

impl fmt::Debug for Had {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Had").finish_non_exhaustive()
    }
}
