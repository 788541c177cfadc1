//! HAD behind the border: the functions that detectors "had" alone have.

use std::ffi::c_char;

use bellwether_core::detector::Detector as _;
use bellwether_core::had::{Detector, HadOptions, NoticeKind, Observation, Outcome};
use bellwether_core::options::OptionError;
use bellwether_core::units::{Interval, Time};

use crate::border::{Handle, Input, fallible, growable, guard, input_bool, text};
use crate::detector::{Kind, Wraps, bw_detector};
use crate::error::{bw_error, bw_result};
use crate::had_status::Statuses;
use crate::string::bw_string;

/// HAD, and what C reads of it.
pub(crate) struct Had {
    pub(crate) detector: Detector,
    pub(crate) statuses: Statuses,
    /// The message of the notice fetched last.
    notice: String,
}

impl Kind for Had {
    const NAME: &'static str = Detector::NAME;
    type Options = HadOptions;
    fn new(options: HadOptions) -> Result<Self, OptionError> {
        Ok(Self {
            detector: Detector::new(options)?,
            statuses: Statuses::default(),
            notice: String::new(),
        })
    }
}

impl Wraps for Had {
    type Detector = Detector;
    fn detector(&self) -> &Detector {
        &self.detector
    }
    fn detector_mut(&mut self) -> &mut Detector {
        &mut self.detector
    }
}

/// One sample of one metric of one VM.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bw_had_observation {
    /// Set by the caller to `sizeof(bw_had_observation)`.
    pub size: usize,
    /// The name of the hypervisor.
    pub hypervisor: bw_string,
    /// The name of the VM, unique on its hypervisor.
    pub vm: bw_string,
    /// The name of the metric; see the option "metrics".
    pub metric: bw_string,
    /// The time of the sample, in seconds since the epoch.
    pub time: f64,
    /// Seconds between two samples of this VM; 0 means the option "interval".
    pub interval: f64,
    /// The value, not negative; for "cpu" in percent of one core. NaN marks a sample that is known to be missing.
    pub value: f64,
}

growable!(bw_had_observation, 80);

// SAFETY: any bytes are sizes, pointers and numbers.
unsafe impl Input for bw_had_observation {}

/// What became of an observation. None of these is an error; keep feeding samples.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum bw_had_outcome {
    /// It counts.
    BW_HAD_OUTCOME_TAKEN = 0,
    /// It replaced an earlier sample of the same VM and interval, or repeats it.
    BW_HAD_OUTCOME_DUPLICATE = 1,
    /// Its interval has been evaluated already.
    BW_HAD_OUTCOME_LATE = 2,
    /// Its metric is not in the option "metrics".
    BW_HAD_OUTCOME_IGNORED = 3,
    /// Its VM is masked, see `bw_had_mask`, or its hypervisor, see `bw_had_mask_hypervisor`.
    BW_HAD_OUTCOME_MASKED = 4,
    /// A name is empty or too long, or the time, the interval or the value is out of range.
    BW_HAD_OUTCOME_REFUSED = 5,
    /// A limit is reached ("max_hypervisors", "max_vms", or the number of different intervals on a hypervisor), and everything
    /// that is tracked still reports.
    BW_HAD_OUTCOME_FULL = 6,
    /// Its time or interval differs from that of the other VMs. It is held, and counts if they come to agree with it soon.
    BW_HAD_OUTCOME_SET_ASIDE = 7,
    /// In a batch only: it is no observation, as a name is not within the batch's text, not UTF-8, or has a NUL byte.
    BW_HAD_OUTCOME_INVALID = 8,
}

impl From<Outcome> for bw_had_outcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Taken => Self::BW_HAD_OUTCOME_TAKEN,
            Outcome::Duplicate => Self::BW_HAD_OUTCOME_DUPLICATE,
            Outcome::Late => Self::BW_HAD_OUTCOME_LATE,
            Outcome::Ignored => Self::BW_HAD_OUTCOME_IGNORED,
            Outcome::Masked => Self::BW_HAD_OUTCOME_MASKED,
            Outcome::Refused => Self::BW_HAD_OUTCOME_REFUSED,
            Outcome::Full => Self::BW_HAD_OUTCOME_FULL,
            Outcome::SetAside => Self::BW_HAD_OUTCOME_SET_ASIDE,
        }
    }
}

/// An interval in seconds, where 0 means the option "interval".
pub(crate) fn interval(seconds: f64) -> Option<Interval> {
    (seconds != 0.0).then(|| Interval::from_secs(seconds))
}

/// Takes one sample and gives in `*outcome`, which may be NULL, what became of it. Events that it causes wait for
/// `bw_detector_next_event`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_had_observe(
    had: *mut bw_detector,
    observation: *const bw_had_observation,
    outcome: *mut bw_had_outcome,
    error: *mut *mut bw_error,
) -> bw_result {
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread uses meanwhile.
        let had = unsafe { bw_detector::exclusive(had) }?;
        // SAFETY: the caller passes NULL or a struct of the size that it gives.
        let o = unsafe { bw_had_observation::read(observation) }?;
        // SAFETY: each string of the struct is NULL or has as many bytes as it says.
        let (hypervisor, vm, metric) = unsafe {
            (
                text(
                    o.hypervisor.data,
                    o.hypervisor.size,
                    "bw_had_observation.hypervisor",
                )?,
                text(o.vm.data, o.vm.size, "bw_had_observation.vm")?,
                text(o.metric.data, o.metric.size, "bw_had_observation.metric")?,
            )
        };
        let observation = Observation {
            hypervisor,
            vm,
            metric,
            time: Time::from_secs(o.time),
            interval: interval(o.interval),
            value: o.value,
        };
        let became = had.change(|had: &mut Had| had.detector.observe(&observation))?;
        if !outcome.is_null() {
            // SAFETY: it is not NULL, so the caller lets us write to it.
            unsafe { outcome.write(became.into()) };
        }
        Ok(())
    };
    // SAFETY: the caller passes NULL or a place for an error.
    unsafe { fallible(error, body) }
}

/// `bw_detector_advance` for one hypervisor, by its own clock: use it where hypervisors lag behind each other. No effect on an
/// unknown hypervisor.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_had_advance_hypervisor(
    had: *mut bw_detector,
    hypervisor: *const c_char,
    hypervisor_len: usize,
    time: f64,
    error: *mut *mut bw_error,
) -> bw_result {
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread uses meanwhile.
        let had = unsafe { bw_detector::exclusive(had) }?;
        // SAFETY: the caller passes NULL or that many bytes.
        let hypervisor = unsafe { text(hypervisor, hypervisor_len, "hypervisor") }?;
        had.change(|had: &mut Had| {
            had.detector
                .advance_hypervisor(hypervisor, Time::from_secs(time));
        })
    };
    // SAFETY: the caller passes NULL or a place for an error.
    unsafe { fallible(error, body) }
}

/// Masks a VM that is paused, shut off or migrating, or unmasks it. A masked VM abstains: its samples do not count, and its
/// standing still means nothing. No effect on an unknown hypervisor.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_had_mask(
    had: *mut bw_detector,
    hypervisor: *const c_char,
    hypervisor_len: usize,
    vm: *const c_char,
    vm_len: usize,
    masked: input_bool,
    error: *mut *mut bw_error,
) -> bw_result {
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread uses meanwhile.
        let had = unsafe { bw_detector::exclusive(had) }?;
        // SAFETY: the caller passes NULL or that many bytes, twice.
        let (hypervisor, vm) = unsafe {
            (
                text(hypervisor, hypervisor_len, "hypervisor")?,
                text(vm, vm_len, "vm")?,
            )
        };
        had.change(|had: &mut Had| had.detector.mask(hypervisor, vm, masked != 0))
    };
    // SAFETY: the caller passes NULL or a place for an error.
    unsafe { fallible(error, body) }
}

/// What a notice is about.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum bw_had_notice {
    /// Most VMs of a hypervisor moved to another interval, which is learned again.
    BW_HAD_NOTICE_INTERVAL_CHANGED = 0,
    /// Every VM of a hypervisor has a different interval, so that they cannot be compared.
    BW_HAD_NOTICE_UNJUDGED = 1,
    /// The VMs of a hypervisor have more intervals than are tracked.
    BW_HAD_NOTICE_INTERVALS = 2,
    /// The clock of one VM differs from those of the others.
    BW_HAD_NOTICE_VM_CLOCK = 3,
    /// The clock of most VMs of a hypervisor jumped.
    BW_HAD_NOTICE_CLOCK_STEP = 4,
}

impl From<NoticeKind> for bw_had_notice {
    fn from(kind: NoticeKind) -> Self {
        match kind {
            NoticeKind::IntervalChanged => Self::BW_HAD_NOTICE_INTERVAL_CHANGED,
            NoticeKind::Unjudged => Self::BW_HAD_NOTICE_UNJUDGED,
            NoticeKind::Intervals => Self::BW_HAD_NOTICE_INTERVALS,
            NoticeKind::VmClock => Self::BW_HAD_NOTICE_VM_CLOCK,
            NoticeKind::ClockStep => Self::BW_HAD_NOTICE_CLOCK_STEP,
        }
    }
}

/// The next line for the operator's log about why a VM or a hypervisor is not evaluated, with its subject in `*kind`, which may
/// be NULL. None if there is none; `*kind` is then unchanged. At most one of each kind waits, the first one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_had_next_notice(
    had: *mut bw_detector,
    kind: *mut bw_had_notice,
) -> bw_string {
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread uses meanwhile.
        let had = unsafe { bw_detector::exclusive(had) }.ok()?;
        let taken = had.change(|had: &mut Had| {
            let notice = had.detector.next_notice()?;
            had.notice = notice.message;
            Some((notice.kind, bw_string::of(&had.notice)))
        });
        let (found, message) = taken.ok()??;
        if !kind.is_null() {
            // SAFETY: it is not NULL, so the caller lets us write to it.
            unsafe { kind.write(found.into()) };
        }
        Some(message)
    };
    guard(None, body).unwrap_or(bw_string::NONE)
}
