//! What all detectors have in common on this side of the border: made of options, told the time, asked for events, saved and
//! loaded; and what a panic within one means.

use std::ffi::c_char;
use std::ptr;

use bellwether_core::detector::Detector;
use bellwether_core::options::OptionError;
use bellwether_core::snapshot::SnapshotError;
use bellwether_core::units::Time;

use crate::border::{Failure, Handle, WithSize, fallible, fallible_new, guard, path};
use crate::error::{bw_error, bw_result};
use crate::event::bw_event;
use crate::options::OptionsHandle;
use crate::snapshot::bw_snapshot;

/// Something of the core's that is never used again once it panicked: nobody knows what state it is in.
pub(crate) struct Whole<T> {
    inner: T,
    /// A panic left the state half changed.
    broken: bool,
}

impl<T> Whole<T> {
    pub(crate) fn new(inner: T) -> Self {
        Self {
            inner,
            broken: false,
        }
    }

    /// Lets `change` work on it.
    pub(crate) fn change<R>(&mut self, change: impl FnOnce(&mut T) -> R) -> Result<R, Failure> {
        self.get()?;
        self.broken = true;
        let result = change(&mut self.inner);
        self.broken = false;
        Ok(result)
    }

    /// It, to look at.
    pub(crate) fn get(&self) -> Result<&T, Failure> {
        if self.broken {
            return Err(Failure::new(
                bw_result::BW_PANIC,
                "this handle met a defect of bellwether in an earlier call and can only be freed",
            ));
        }
        Ok(&self.inner)
    }
}

/// A handle with a detector in it.
pub(crate) trait DetectorHandle: Handle {
    type Detector: Detector;
    fn detector(&self) -> &Whole<Self::Detector>;
    fn detector_mut(&mut self) -> &mut Whole<Self::Detector>;
}

impl From<SnapshotError> for Failure {
    fn from(error: SnapshotError) -> Self {
        let code = match error {
            SnapshotError::Io { .. } => bw_result::BW_IO,
            _ => bw_result::BW_SNAPSHOT_UNUSABLE,
        };
        Self::new(code, error)
    }
}

/// `bw_..._new`: a handle of what `make` makes of the options.
///
/// # Safety
/// `options` is NULL or options that no other thread changes meanwhile, `error` is NULL or may be written to.
pub(crate) unsafe fn new<O: OptionsHandle, H: Handle>(
    options: *const O,
    error: *mut *mut bw_error,
    make: impl FnOnce(O::Options) -> Result<H, OptionError>,
) -> *mut H {
    let body = || {
        let options = if options.is_null() {
            O::Options::default()
        } else {
            // SAFETY: passed on to the caller.
            unsafe { O::shared(options) }?.options().clone()
        };
        make(options).map_err(|e| Failure::new(bw_result::BW_INVALID_OPTION, e))
    };
    // SAFETY: passed on to the caller.
    unsafe { fallible_new(error, body) }
}

/// `bw_..._advance`.
///
/// # Safety
/// `handle` is NULL or used by no other thread meanwhile, `error` is NULL or may be written to.
pub(crate) unsafe fn advance<H: DetectorHandle>(
    handle: *mut H,
    time: f64,
    error: *mut *mut bw_error,
) -> bw_result {
    let body = || {
        // SAFETY: passed on to the caller.
        let handle = unsafe { H::exclusive(handle) }?;
        handle
            .detector_mut()
            .change(|d| d.advance(Time::from_secs(time)))
    };
    // SAFETY: passed on to the caller.
    unsafe { fallible(error, body) }
}

/// `bw_..._next_event`.
///
/// # Safety
/// `handle` is NULL or used by no other thread meanwhile.
pub(crate) unsafe fn next_event<H: DetectorHandle>(handle: *mut H) -> *mut bw_event {
    let body = || {
        // SAFETY: passed on to the caller.
        let handle = unsafe { H::exclusive(handle) }.ok()?;
        let event = handle.detector_mut().change(Detector::next_event).ok()??;
        Some(bw_event::from(event).give())
    };
    guard(None, body).unwrap_or(ptr::null_mut())
}

/// `bw_..._save`.
///
/// # Safety
/// `handle` is NULL or changed by no other thread meanwhile, `start` is NULL or has `length` bytes, `error` is NULL or may be
/// written to.
pub(crate) unsafe fn save<H: DetectorHandle>(
    handle: *const H,
    start: *const c_char,
    length: usize,
    error: *mut *mut bw_error,
) -> bw_result {
    let body = || {
        // SAFETY: passed on to the caller.
        let (handle, path) = unsafe { (H::shared(handle)?, path(start, length)?) };
        Ok(handle.detector().get()?.save(path)?)
    };
    // SAFETY: passed on to the caller.
    unsafe { fallible(error, body) }
}

/// `bw_..._snapshot`.
///
/// # Safety
/// `handle` is NULL or changed by no other thread meanwhile, `error` is NULL or may be written to.
pub(crate) unsafe fn snapshot<H: DetectorHandle>(
    handle: *const H,
    error: *mut *mut bw_error,
) -> *mut bw_snapshot {
    let body = || {
        // SAFETY: passed on to the caller.
        let handle = unsafe { H::shared(handle) }?;
        Ok(bw_snapshot::new(handle.detector().get()?.snapshot()))
    };
    // SAFETY: passed on to the caller.
    unsafe { fallible_new(error, body) }
}

/// `bw_..._load`.
///
/// # Safety
/// As for [`save`], and no other thread uses `handle` meanwhile.
pub(crate) unsafe fn load<H: DetectorHandle>(
    handle: *mut H,
    start: *const c_char,
    length: usize,
    error: *mut *mut bw_error,
) -> bw_result {
    let body = || {
        // SAFETY: passed on to the caller.
        let (handle, path) = unsafe { (H::exclusive(handle)?, path(start, length)?) };
        if handle.detector_mut().change(|d| d.load(path))?? {
            return Ok(());
        }
        Err(Failure::not_found(format!(
            "there is no file {}",
            path.display()
        )))
    };
    // SAFETY: passed on to the caller.
    unsafe { fallible(error, body) }
}

/// `bw_..._counters`: what `look` sees in the detector.
///
/// # Safety
/// `handle` is NULL or changed by no other thread meanwhile, `out` is NULL or points to as many writable bytes as its field
/// `size` says, `error` is NULL or may be written to.
pub(crate) unsafe fn write<H: DetectorHandle, S: WithSize>(
    handle: *const H,
    out: *mut S,
    error: *mut *mut bw_error,
    look: impl FnOnce(&H::Detector) -> S,
) -> bw_result {
    let body = || {
        // SAFETY: passed on to the caller.
        let handle = unsafe { H::shared(handle) }?;
        let seen = look(handle.detector().get()?);
        // SAFETY: passed on to the caller.
        unsafe { seen.write(out) }
    };
    // SAFETY: passed on to the caller.
    unsafe { fallible(error, body) }
}

/// What C owns can be handed from thread to thread, as the header says.
const _: () = {
    const fn can_be_handed_over<T: Send>() {}
    // The rest of a `bw_had` are copies of it, whose pointers are NULL while nobody reads them.
    can_be_handed_over::<bellwether_core::had::Detector>();
    can_be_handed_over::<crate::bw_lad>();
    can_be_handed_over::<crate::bw_drain>();
};

#[cfg(test)]
mod tests {
    use super::*;
    use bellwether_core::lad;
    use bellwether_core::lad::LadOptions;

    struct Some(Whole<lad::Detector>);

    impl Handle for Some {
        const NAME: &'static str = "some";
    }

    impl DetectorHandle for Some {
        type Detector = lad::Detector;
        fn detector(&self) -> &Whole<lad::Detector> {
            &self.0
        }
        fn detector_mut(&mut self) -> &mut Whole<lad::Detector> {
            &mut self.0
        }
    }

    #[test]
    fn a_detector_that_panicked_is_not_used_again() {
        let mut some = Some(Whole::new(
            lad::Detector::new(LadOptions::default()).unwrap(),
        ));
        let codes = |some: &mut Some| {
            let none = ptr::null_mut();
            // SAFETY: the detector is ours, errors may be dropped, and the path has this length.
            unsafe {
                [
                    advance(some, 1.0, none),
                    load(some, c"/nowhere".as_ptr(), 8, none),
                ]
            }
        };
        assert_eq!(
            codes(&mut some),
            [bw_result::BW_OK, bw_result::BW_NOT_FOUND]
        );
        guard((), || {
            some.0.change(|_| panic!("half way")).unwrap_or(());
        });
        assert_eq!(codes(&mut some), [bw_result::BW_PANIC; 2]);
        assert!(some.0.get().is_err());
    }
}
