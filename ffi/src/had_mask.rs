//! Maintenance of hypervisors.

use std::ffi::c_char;

use bellwether_core::maintenance::WindowError;
use bellwether_core::units::Time;

use crate::border::{Failure, Growable, Handle, fallible, growable, guard, text};
use crate::detector::bw_detector;
use crate::error::{bw_error, bw_result};
use crate::had::Had;
use crate::string::bw_string;

/// A window of time in which a hypervisor is masked, see `bw_had_mask_hypervisor`. Its string lives until the next call that
/// changes the detector.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bw_had_window {
    /// Set by the caller to `sizeof(bw_had_window)`.
    pub size: usize,
    /// The name of the hypervisor, or a pattern.
    pub hypervisor: bw_string,
    /// Its start, in seconds since the epoch.
    pub from: f64,
    /// Its end, in seconds since the epoch.
    pub until: f64,
}

growable!(bw_had_window, 40);

impl From<WindowError> for Failure {
    fn from(error: WindowError) -> Self {
        Self::argument(error)
    }
}

/// Masks a hypervisor that is in maintenance from the time `from` on and before `until`, seconds since the epoch, by the times of
/// the samples. Nothing is learned about its VMs, and nothing is raised; what is open when the window begins is cleared for the
/// reason "maintenance". After it, and some minutes in which guests may start, the detector continues from its learned
/// state.
///
/// In the name, which need not be known yet, each `*` stands for any text. Windows of one name that overlap are merged. They are
/// part of the saved state. `BW_INVALID_ARGUMENT` if the window has no duration, or if there are 4096 of which none is over.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_had_mask_hypervisor(
    had: *mut bw_detector,
    hypervisor: *const c_char,
    hypervisor_len: usize,
    from: f64,
    until: f64,
    error: *mut *mut bw_error,
) -> bw_result {
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread uses meanwhile.
        let had = unsafe { bw_detector::exclusive(had) }?;
        // SAFETY: the caller passes NULL or that many bytes.
        let hypervisor = unsafe { text(hypervisor, hypervisor_len, "hypervisor") }?;
        let (from, until) = (Time::from_secs(from), Time::from_secs(until));
        had.change(|had: &mut Had| had.detector.mask_hypervisor(hypervisor, from, until))??;
        Ok(())
    };
    // SAFETY: the caller passes NULL or a place for an error.
    unsafe { fallible(error, body) }
}

/// Removes all windows of exactly this name or pattern. No effect if there are none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_had_unmask_hypervisor(
    had: *mut bw_detector,
    hypervisor: *const c_char,
    hypervisor_len: usize,
    error: *mut *mut bw_error,
) -> bw_result {
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread uses meanwhile.
        let had = unsafe { bw_detector::exclusive(had) }?;
        // SAFETY: the caller passes NULL or that many bytes.
        let hypervisor = unsafe { text(hypervisor, hypervisor_len, "hypervisor") }?;
        had.change(|had: &mut Had| {
            had.detector.unmask_hypervisor(hypervisor);
        })
    };
    // SAFETY: the caller passes NULL or a place for an error.
    unsafe { fallible(error, body) }
}

/// How many windows there are; 0 if `had` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_had_window_count(had: *const bw_detector) -> usize {
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread changes meanwhile.
        let had: &Had = unsafe { bw_detector::shared(had) }.ok()?.read().ok()?;
        Some(had.detector.masks().len())
    };
    guard(None, body).unwrap_or(0)
}

/// Gives one window in `*window`, in the order of their names and starts. `BW_NOT_FOUND` if `index` is not below their number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_had_window_at(
    had: *const bw_detector,
    index: usize,
    window: *mut bw_had_window,
    error: *mut *mut bw_error,
) -> bw_result {
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread changes meanwhile.
        let had: &Had = unsafe { bw_detector::shared(had) }?.read()?;
        let windows = had.detector.masks();
        let found = windows.get(index).ok_or_else(|| {
            let count = windows.len();
            Failure::not_found(format!(
                "there is no window {index} of {count}, counted from 0"
            ))
        })?;
        let found = bw_had_window {
            size: size_of::<bw_had_window>(),
            hypervisor: bw_string::of(&found.hypervisor),
            from: found.from.secs(),
            until: found.until.secs(),
        };
        // SAFETY: the caller passes NULL or a struct of the size that it gives.
        unsafe { found.write(window) }
    };
    // SAFETY: the caller passes NULL or a place for an error.
    unsafe { fallible(error, body) }
}
