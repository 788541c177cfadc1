//! The detector of HAD.

use std::ffi::{CString, c_char};
use std::ptr;

use bellwether_core::had::{Detector, NoticeKind, Observation};
use bellwether_core::units::{Interval, Time};

use crate::border::{Failure, Filled, Handle, WithSize, c_string, fallible, free, guard, text};
use crate::detector::{self, DetectorHandle, Whole};
use crate::error::{bw_error, bw_result};
use crate::event::bw_event;
use crate::layout::{bw_counters, bw_observation, bw_status};
use crate::observation::bw_outcome;
use crate::options::bw_had_options;
use crate::snapshot::bw_snapshot;
use crate::status::Stock;

/// A detector of hypervisor anomalies. It takes one sample of one VM at a time and gives events. It holds any number of
/// hypervisors and metrics, knows no clock and starts no thread: time comes in with the samples. Made by `bw_had_new`, freed by
/// `bw_had_free`. May be used from any thread, by one thread at a time; detectors are independent of each other.
pub struct bw_had {
    detector: Whole<Detector>,
    stock: Stock,
    /// The message of the notice that was fetched last.
    notice: CString,
}

impl Handle for bw_had {
    const NAME: &'static str = "bw_had";
}

impl DetectorHandle for bw_had {
    type Detector = Detector;
    fn detector(&self) -> &Whole<Detector> {
        &self.detector
    }
    fn detector_mut(&mut self) -> &mut Whole<Detector> {
        &mut self.detector
    }
}

/// Makes a detector that knows nothing yet. `options` are copied: the caller still owns them; NULL means all defaults. The
/// caller owns the detector and frees it with `bw_had_free`.
///
/// NULL where it fails, which is where options contradict each other: the error's code is then `BW_INVALID_OPTION`. `error` may
/// be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_had_new(
    options: *const bw_had_options,
    error: *mut *mut bw_error,
) -> *mut bw_had {
    let make = |options| {
        Ok(bw_had {
            detector: Whole::new(Detector::new(options)?),
            stock: Stock::default(),
            notice: CString::default(),
        })
    };
    // SAFETY: passed on to the caller.
    unsafe { detector::new(options, error, make) }
}

/// Frees `had`. NULL is fine. Events that it gave live on; statuses that it gave do not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_had_free(had: *mut bw_had) {
    // SAFETY: passed on to the caller.
    unsafe { free(had) };
}

/// Takes one sample and says in `*outcome` what became of it; `outcome` may be NULL. Events that it brings about wait for
/// `bw_had_next_event`.
///
/// `BW_INVALID_ARGUMENT` where `had`, `observation` or one of its strings is NULL, a string is not UTF-8 or holds a NUL byte,
/// or the field `size` is not `sizeof(bw_observation)`; `*outcome` is then as before. `error` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_had_observe(
    had: *mut bw_had,
    observation: *const bw_observation,
    outcome: *mut bw_outcome,
    error: *mut *mut bw_error,
) -> bw_result {
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread uses meanwhile.
        let had = unsafe { bw_had::exclusive(had) }?;
        // SAFETY: the caller passes NULL or a struct of the size that it says.
        let o = unsafe { bw_observation::read(observation) }?;
        // SAFETY: each string of the struct is NULL or has as many bytes as it says.
        let (hypervisor, vm, metric) = unsafe {
            (
                text(o.hypervisor, o.hypervisor_len, "bw_observation.hypervisor")?,
                text(o.vm, o.vm_len, "bw_observation.vm")?,
                text(o.metric, o.metric_len, "bw_observation.metric")?,
            )
        };
        let observation = Observation {
            hypervisor,
            vm,
            metric,
            time: Time::from_secs(o.time),
            interval: (o.interval != 0.0).then(|| Interval::from_secs(o.interval)),
            value: o.value,
        };
        let became = had
            .detector
            .change(|detector| detector.observe(&observation))?;
        if !outcome.is_null() {
            // SAFETY: it is not NULL, so the caller lets us write to it.
            unsafe { outcome.write(became.into()) };
        }
        Ok(())
    };
    // SAFETY: the caller passes NULL or a place for an error.
    unsafe { fallible(error, body) }
}

/// Says that no sample with a time before `time` (seconds since the epoch) is going to come any more: judges the intervals
/// that ended by then, notices silence, and forgets who has been silent for too long. A time that is not finite or thousands of
/// years off changes nothing.
///
/// `BW_INVALID_ARGUMENT` where `had` is NULL. `error` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_had_advance(
    had: *mut bw_had,
    time: f64,
    error: *mut *mut bw_error,
) -> bw_result {
    // SAFETY: passed on to the caller.
    unsafe { detector::advance(had, time, error) }
}

/// `bw_had_advance` for one hypervisor, by its own clock: how far a hypervisor's samples are behind decides then when its
/// intervals end and its silence is noticed, and not when those of others do. Without effect where nothing is known of the
/// hypervisor. The string is in UTF-8, without NUL bytes, and not kept.
///
/// `BW_INVALID_ARGUMENT` where `had` or `hypervisor` is NULL or the string is not UTF-8. `error` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_had_advance_hypervisor(
    had: *mut bw_had,
    hypervisor: *const c_char,
    hypervisor_len: usize,
    time: f64,
    error: *mut *mut bw_error,
) -> bw_result {
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread uses meanwhile.
        let had = unsafe { bw_had::exclusive(had) }?;
        // SAFETY: the caller passes NULL or so many bytes.
        let hypervisor = unsafe { text(hypervisor, hypervisor_len, "hypervisor") }?;
        had.detector
            .change(|detector| detector.advance_hypervisor(hypervisor, Time::from_secs(time)))
    };
    // SAFETY: the caller passes NULL or a place for an error.
    unsafe { fallible(error, body) }
}

/// Masks a VM that is paused, shut off or migrating (`masked` true), or unmasks it (false). A masked VM abstains: its samples
/// do not count, and that it stands still is no sign of anything. Without effect where nothing is known of the hypervisor yet.
/// The strings are in UTF-8, without NUL bytes, and not kept.
///
/// `BW_INVALID_ARGUMENT` where `had`, `hypervisor` or `vm` is NULL or a string is not UTF-8. `error` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_had_mask(
    had: *mut bw_had,
    hypervisor: *const c_char,
    hypervisor_len: usize,
    vm: *const c_char,
    vm_len: usize,
    masked: bool,
    error: *mut *mut bw_error,
) -> bw_result {
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread uses meanwhile.
        let had = unsafe { bw_had::exclusive(had) }?;
        // SAFETY: the caller passes NULL or so many bytes.
        let hypervisor = unsafe { text(hypervisor, hypervisor_len, "hypervisor") }?;
        // SAFETY: as above.
        let vm = unsafe { text(vm, vm_len, "vm") }?;
        had.detector
            .change(|detector| detector.mask(hypervisor, vm, masked))
    };
    // SAFETY: the caller passes NULL or a place for an error.
    unsafe { fallible(error, body) }
}

/// The oldest event that was not fetched yet; the caller owns it and frees it with `bw_event_free`. NULL where there is none,
/// and where `had` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_had_next_event(had: *mut bw_had) -> *mut bw_event {
    // SAFETY: passed on to the caller.
    unsafe { detector::next_event(had) }
}

/// What a notice is about.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum bw_notice {
    /// Most VMs of a hypervisor moved to another interval; it is learned anew.
    BW_NOTICE_INTERVAL_CHANGED = 0,
    /// Each of the VMs of a hypervisor has an interval of its own, so that none can be judged.
    BW_NOTICE_UNJUDGED = 1,
    /// The VMs of a hypervisor have more intervals than are kept.
    BW_NOTICE_INTERVALS = 2,
    /// The clock of one VM differs from those of the others.
    BW_NOTICE_VM_CLOCK = 3,
    /// The clock of most VMs of a hypervisor leapt.
    BW_NOTICE_CLOCK_STEP = 4,
}

impl From<NoticeKind> for bw_notice {
    fn from(kind: NoticeKind) -> Self {
        match kind {
            NoticeKind::IntervalChanged => Self::BW_NOTICE_INTERVAL_CHANGED,
            NoticeKind::Unjudged => Self::BW_NOTICE_UNJUDGED,
            NoticeKind::Intervals => Self::BW_NOTICE_INTERVALS,
            NoticeKind::VmClock => Self::BW_NOTICE_VM_CLOCK,
            NoticeKind::ClockStep => Self::BW_NOTICE_CLOCK_STEP,
        }
    }
}

/// What an operator should know and that is no event, as a line for a log: why a VM or a hypervisor is not judged. At most one
/// of each kind waits, the first one. What it is about is said in `*kind`, which may be NULL.
///
/// NULL where there is none, and where `had` is NULL; `*kind` is then as before. The string is in UTF-8 and NUL-terminated; it
/// belongs to the detector and lives until the next `bw_had_next_notice` or `bw_had_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_had_next_notice(
    had: *mut bw_had,
    kind: *mut bw_notice,
) -> *const c_char {
    guard(ptr::null(), || {
        // SAFETY: the caller passes NULL or a detector that no other thread uses meanwhile.
        let Ok(had) = (unsafe { bw_had::exclusive(had) }) else {
            return ptr::null();
        };
        let Ok(Some(notice)) = had.detector.change(Detector::next_notice) else {
            return ptr::null();
        };
        if !kind.is_null() {
            // SAFETY: it is not NULL, so the caller lets us write to it.
            unsafe { kind.write(notice.kind.into()) };
        }
        had.notice = c_string(notice.message);
        had.notice.as_ptr()
    })
}

/// Saves all that was learnt to the file `path`, so that a crash at any moment leaves either the old file or the new one,
/// whole. `path` is in the system's encoding, without NUL bytes, and not kept.
///
/// `BW_IO` where the file cannot be written; an old one is then untouched. `BW_INVALID_ARGUMENT` where `had` or `path` is NULL or
/// the path is empty. `error` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_had_save(
    had: *const bw_had,
    path: *const c_char,
    path_len: usize,
    error: *mut *mut bw_error,
) -> bw_result {
    // SAFETY: passed on to the caller.
    unsafe { detector::save(had, path, path_len, error) }
}

/// All that `had` has learnt, as `bw_had_save` would write it; the caller owns it and frees it with `bw_snapshot_free`. Taking it takes
/// as long as it takes to copy what was learnt; only `bw_snapshot_write` waits for a disk, and needs no detector.
///
/// NULL where it fails, which is where `had` is NULL. `error` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_had_snapshot(
    had: *const bw_had,
    error: *mut *mut bw_error,
) -> *mut bw_snapshot {
    // SAFETY: passed on to the caller.
    unsafe { detector::snapshot(had, error) }
}

/// Replaces all that was learnt by what `bw_had_save` wrote to the file `path`: the detector goes on as if it had never
/// stopped. `path` is in the system's encoding, without NUL bytes, and not kept.
///
/// `BW_NOT_FOUND` where there is no such file, which is how a first start looks; `BW_IO` where it cannot be read;
/// `BW_SNAPSHOT_UNUSABLE` where it is damaged, of another version, or made with options that shape the state otherwise: it is
/// then renamed, and the message says to what. `BW_INVALID_ARGUMENT` where `had` or `path` is NULL or the path is empty. In all
/// these cases the detector is as before and can be used. `error` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_had_load(
    had: *mut bw_had,
    path: *const c_char,
    path_len: usize,
    error: *mut *mut bw_error,
) -> bw_result {
    // SAFETY: passed on to the caller.
    unsafe { detector::load(had, path, path_len, error) }
}

/// Counts in `*counters`, whose field `size` the caller has set.
///
/// `BW_INVALID_ARGUMENT` where `had` or `counters` is NULL or the field `size` is too small; `*counters` is then as before.
/// `error` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_had_counters(
    had: *const bw_had,
    counters: *mut bw_counters,
    error: *mut *mut bw_error,
) -> bw_result {
    // SAFETY: passed on to the caller.
    unsafe { detector::write(had, counters, error, |d| bw_counters::from(d.counters())) }
}

/// Takes stock of where every metric of every hypervisor stands, for `bw_had_status` to read, and says how many these are; 0
/// where `had` is NULL. What an earlier call took stock of is gone, with the strings of its statuses.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_had_status_count(had: *mut bw_had) -> usize {
    guard(0, || {
        // SAFETY: the caller passes NULL or a detector that no other thread uses meanwhile.
        let Ok(had) = (unsafe { bw_had::exclusive(had) }) else {
            return 0;
        };
        let Ok(detector) = had.detector.get() else {
            return 0;
        };
        had.stock.take(detector)
    })
}

/// Reads one status of those that the last `bw_had_status_count` took stock of into `*status`, whose field `size` the caller
/// has set. The order is that of first sight; a hypervisor that took the place of an evicted one has its place. What was observed
/// since is not in it.
///
/// `BW_NOT_FOUND` where `index` is not below what `bw_had_status_count` said, `BW_INVALID_ARGUMENT` where `had` or `status` is NULL
/// or the field `size` is too small; `*status` is then as before. `error` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_had_status(
    had: *const bw_had,
    index: usize,
    status: *mut bw_status,
    error: *mut *mut bw_error,
) -> bw_result {
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread uses meanwhile.
        let had = unsafe { bw_had::shared(had) }?;
        had.detector.get()?;
        let found = had.stock.get(index).ok_or_else(|| {
            let count = had.stock.len();
            Failure::not_found(format!(
                "there is no status {index}; the last bw_had_status_count found {count}, counted from 0"
            ))
        })?;
        // SAFETY: the caller passes NULL or a struct of the size that it says.
        unsafe { found.write(status) }
    };
    // SAFETY: the caller passes NULL or a place for an error.
    unsafe { fallible(error, body) }
}
