//! What detectors of all kinds have in common: made with options, given the time, asked for events and counters, saved and
//! loaded. And what a panic inside one means.

use std::any::Any;
use std::ffi::c_char;
use std::path::Path;
use std::ptr;

use bellwether_core::detector::Detector;
use bellwether_core::event::Event;
use bellwether_core::options::{OptionError, Options};
use bellwether_core::units::Time;

use crate::border::{Failure, Handle, fallible, fallible_new, free, guard, input_bytes, path};
use crate::error::{bw_error, bw_result};
use crate::event::bw_event;
use crate::options::bw_options;
use crate::snapshot::bw_snapshot;
use crate::string::bw_string;

/// A detector of some kind. It starts no thread and reads no clock: data and time come in, events come out. Any thread may use
/// it, one at a time; detectors are independent of each other. Strings that it gives live until the next call that changes it.
pub struct bw_detector {
    detector: Box<dyn AnyDetector>,
    /// A panic left the state half changed.
    broken: bool,
}

impl Handle for bw_detector {
    const NAME: &'static str = "bw_detector";
}

/// A kind of detector. A file of its own has this and its typed functions.
pub(crate) trait Kind: AnyDetector + Sized {
    /// The kind's name.
    const NAME: &'static str;
    /// Its options.
    type Options: Options + Send;
    /// A detector with no state.
    fn new(options: Self::Options) -> Result<Self, OptionError>;
}

/// A kind around a detector of the core's, and what C reads of it.
pub(crate) trait Wraps: Any + Send {
    /// The core's detector.
    type Detector: Detector;
    fn detector(&self) -> &Self::Detector;
    fn detector_mut(&mut self) -> &mut Self::Detector;
}

impl<T: Wraps> AnyDetector for T {
    fn name(&self) -> &'static str {
        T::Detector::NAME
    }
    fn advance(&mut self, time: f64) {
        self.detector_mut().advance(Time::from_secs(time));
    }
    fn next_event(&mut self) -> Option<Event> {
        self.detector_mut().next_event()
    }
    fn counters(&self) -> Vec<(&'static str, u64)> {
        self.detector().counter_list()
    }
    fn save(&self, path: &Path) -> Result<(), Failure> {
        Ok(self.detector().save(path)?)
    }
    fn snapshot(&self) -> bw_snapshot {
        bw_snapshot::new(self.detector().snapshot())
    }
    fn load(&mut self, path: &Path) -> Result<bool, Failure> {
        Ok(self.detector_mut().load(path)?)
    }
    fn load_bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        Ok(self.detector_mut().restore(bytes)?)
    }
}

/// A detector of a kind that is known at run time only.
pub(crate) trait AnyDetector: Any + Send {
    fn name(&self) -> &'static str;
    fn advance(&mut self, time: f64);
    fn next_event(&mut self) -> Option<Event>;
    fn counters(&self) -> Vec<(&'static str, u64)>;
    /// Writes the state to `path`, piece by piece: there is no copy of it in memory.
    fn save(&self, path: &Path) -> Result<(), Failure>;
    fn snapshot(&self) -> bw_snapshot;
    /// Replaces the state by what was saved to `path`; `false` if there is no such file.
    fn load(&mut self, path: &Path) -> Result<bool, Failure>;
    /// Replaces the state by that of a snapshot's bytes.
    fn load_bytes(&mut self, bytes: &[u8]) -> Result<(), Failure>;
}

impl bw_detector {
    pub(crate) fn new(detector: Box<dyn AnyDetector>) -> Self {
        Self {
            detector,
            broken: false,
        }
    }

    /// The detector to read, unless a panic broke it.
    fn whole(&self) -> Result<&dyn AnyDetector, Failure> {
        if self.broken {
            return Err(Failure::new(
                bw_result::BW_PANIC,
                "an earlier call on this detector met an internal error of bellwether; it can only be freed",
            ));
        }
        Ok(&*self.detector)
    }

    /// The detector as one of the kind `K`, to read.
    pub(crate) fn read<K: Kind>(&self) -> Result<&K, Failure> {
        let detector = self.whole()?;
        let any: &dyn Any = detector;
        any.downcast_ref().ok_or_else(|| wrong_kind::<K>(detector))
    }

    /// Lets `change` work on the detector. It is broken until `change` returns, and stays so where that panics.
    fn change_any<T>(
        &mut self,
        change: impl FnOnce(&mut dyn AnyDetector) -> T,
    ) -> Result<T, Failure> {
        self.whole()?;
        self.broken = true;
        let result = change(&mut *self.detector);
        self.broken = false;
        Ok(result)
    }

    /// Lets `change` work on the detector, which must be of the kind `K`.
    pub(crate) fn change<K: Kind, T>(
        &mut self,
        change: impl FnOnce(&mut K) -> T,
    ) -> Result<T, Failure> {
        self.change_any(|detector| {
            let any: &mut dyn Any = detector;
            match any.downcast_mut() {
                Some(detector) => Ok(change(detector)),
                None => Err(wrong_kind::<K>(detector)),
            }
        })?
    }
}

#[cold]
fn wrong_kind<K: Kind>(found: &dyn AnyDetector) -> Failure {
    Failure::argument(format!(
        "this call needs a detector \"{}\", and this one is \"{}\"",
        K::NAME,
        found.name()
    ))
}

/// A detector with no state; to be freed with `bw_detector_free`. `options` are copied and still belong to the caller. A file
/// that an option names is read now.
///
/// NULL on failure: `BW_INVALID_OPTION` if options contradict each other or a file that one of them names cannot be used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_detector_new(
    options: *const bw_options,
    error: *mut *mut bw_error,
) -> *mut bw_detector {
    let body = || {
        // SAFETY: the caller passes NULL or options that no other thread changes meanwhile.
        let options = unsafe { bw_options::shared(options) }?;
        Ok(bw_detector::new(options.detector()?))
    };
    // SAFETY: the caller passes NULL or a place for an error.
    unsafe { fallible_new(error, body) }
}

/// Frees `detector` with the strings that it gave. NULL is fine. Its events and snapshots live on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_detector_free(detector: *mut bw_detector) {
    // SAFETY: passed on to the caller.
    unsafe { free(detector) };
}

/// Declares that no data with a time before `time` (seconds since the epoch) will come: finishes intervals that end by then,
/// reports silence, and forgets what has been silent for too long. A time that is not finite or thousands of years off changes
/// nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_detector_advance(
    detector: *mut bw_detector,
    time: f64,
    error: *mut *mut bw_error,
) -> bw_result {
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread uses meanwhile.
        let detector = unsafe { bw_detector::exclusive(detector) }?;
        detector.change_any(|detector| detector.advance(time))
    };
    // SAFETY: the caller passes NULL or a place for an error.
    unsafe { fallible(error, body) }
}

/// The oldest event not yet fetched, to be freed with `bw_event_free`; NULL if there is none. A detector keeps some thousands;
/// beyond that the oldest are dropped and counted.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_detector_next_event(detector: *mut bw_detector) -> *mut bw_event {
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread uses meanwhile.
        let detector = unsafe { bw_detector::exclusive(detector) }.ok()?;
        let event = detector.change_any(AnyDetector::next_event).ok()??;
        Some(bw_event::from(event).give())
    };
    guard(None, body).unwrap_or(ptr::null_mut())
}

/// Gives the name of the counter with that index, which is static, and its value; false if there are not that many. `name` and
/// `value` may be NULL. The name says what is counted ("taken", "events_lost", ...); a later version may add counters.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_detector_counter(
    detector: *const bw_detector,
    index: usize,
    name: *mut bw_string,
    value: *mut u64,
) -> bool {
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread changes meanwhile.
        let detector = unsafe { bw_detector::shared(detector) }.ok()?;
        let (found, count) = *detector.whole().ok()?.counters().get(index)?;
        // SAFETY: what is not NULL may be written to.
        unsafe {
            if !name.is_null() {
                name.write(bw_string::of(found));
            }
            if !value.is_null() {
                value.write(count);
            }
        }
        Some(())
    };
    guard(None, body).is_some()
}

/// Saves the learned state to the file `path`, so that a crash at any moment leaves either the old file or the new one, complete.
/// As `bw_detector_save_bytes` and `bw_snapshot_write` do it, but without a copy of the state in memory.
///
/// `BW_IO` if the file cannot be written; an old one is then intact.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_detector_save(
    detector: *const bw_detector,
    path: *const c_char,
    path_len: usize,
    error: *mut *mut bw_error,
) -> bw_result {
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread changes meanwhile, and NULL or that many bytes.
        let (detector, path) =
            unsafe { (bw_detector::shared(detector)?, self::path(path, path_len)?) };
        detector.whole()?.save(path)
    };
    // SAFETY: the caller passes NULL or a place for an error.
    unsafe { fallible(error, body) }
}

/// Copies the learned state into a snapshot, to be freed with `bw_snapshot_free`: only the copying needs the detector, and
/// another thread can write the snapshot to a disk meanwhile. NULL on failure, which is as for `bw_detector_save`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_detector_save_bytes(
    detector: *const bw_detector,
    error: *mut *mut bw_error,
) -> *mut bw_snapshot {
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread changes meanwhile.
        let detector = unsafe { bw_detector::shared(detector) }?;
        Ok(detector.whole()?.snapshot())
    };
    // SAFETY: the caller passes NULL or a place for an error.
    unsafe { fallible_new(error, body) }
}

/// Replaces the learned state by that of the file `path`: the detector continues as if it had never stopped.
///
/// `BW_NOT_FOUND` if there is no such file, as at a first start; `BW_IO` if it cannot be read; `BW_SNAPSHOT_UNUSABLE` as
/// described there. The detector is then unchanged and can be used.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_detector_load(
    detector: *mut bw_detector,
    path: *const c_char,
    path_len: usize,
    error: *mut *mut bw_error,
) -> bw_result {
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread uses meanwhile, and NULL or that many bytes.
        let (detector, path) = unsafe {
            (
                bw_detector::exclusive(detector)?,
                self::path(path, path_len)?,
            )
        };
        if detector.change_any(|detector| detector.load(path))?? {
            return Ok(());
        }
        Err(Failure::not_found(format!(
            "there is no file {}",
            path.display()
        )))
    };
    // SAFETY: the caller passes NULL or a place for an error.
    unsafe { fallible(error, body) }
}

/// `bw_detector_load` from the `size` bytes of a snapshot at `bytes`. `BW_SNAPSHOT_UNUSABLE` if they cannot be used; the detector
/// is then unchanged.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_detector_load_bytes(
    detector: *mut bw_detector,
    bytes: *const u8,
    size: usize,
    error: *mut *mut bw_error,
) -> bw_result {
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread uses meanwhile, and NULL or that many bytes.
        let (detector, bytes) = unsafe {
            (
                bw_detector::exclusive(detector)?,
                input_bytes(bytes.cast(), size, "bytes")?,
            )
        };
        detector.change_any(|detector| detector.load_bytes(bytes))?
    };
    // SAFETY: the caller passes NULL or a place for an error.
    unsafe { fallible(error, body) }
}

/// What C owns can be handed from thread to thread, as the header says.
const _: () = {
    const fn can_be_handed_over<T: Send>() {}
    can_be_handed_over::<bw_detector>();
    can_be_handed_over::<bw_options>();
    can_be_handed_over::<bw_event>();
    can_be_handed_over::<bw_snapshot>();
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::had::Had;
    use crate::lad::Lad;

    fn had() -> bw_detector {
        let options = bw_options::of::<Had>();
        bw_detector::new(options.detector().unwrap())
    }

    #[test]
    fn a_detector_that_panicked_is_not_used_again() {
        let mut detector = had();
        let codes = |detector: &mut bw_detector| {
            let none = ptr::null_mut();
            // SAFETY: the detector is ours, errors may be dropped, and the path has this length.
            unsafe {
                [
                    bw_detector_advance(detector, 1.0, none),
                    bw_detector_load(detector, c"/nowhere".as_ptr(), 8, none),
                ]
            }
        };
        assert_eq!(
            codes(&mut detector),
            [bw_result::BW_OK, bw_result::BW_NOT_FOUND]
        );
        guard((), || {
            detector
                .change(|_: &mut Had| panic!("half way"))
                .unwrap_or(());
        });
        assert_eq!(codes(&mut detector), [bw_result::BW_PANIC; 2]);
        assert!(detector.read::<Had>().is_err());
        // SAFETY: the detector is ours.
        unsafe {
            assert!(bw_detector_next_event(&mut detector).is_null());
            assert!(!bw_detector_counter(
                &detector,
                0,
                ptr::null_mut(),
                ptr::null_mut()
            ));
            assert!(bw_detector_save_bytes(&detector, ptr::null_mut()).is_null());
        }
    }

    #[test]
    fn a_detector_of_another_kind_is_refused_and_stays_usable() {
        let mut detector = had();
        let failure = detector.change(|_: &mut Lad| ()).unwrap_err();
        assert_eq!(failure.code, bw_result::BW_INVALID_ARGUMENT);
        assert_eq!(
            failure.message,
            "this call needs a detector \"lad\", and this one is \"had\""
        );
        detector.change(|_: &mut Had| ()).unwrap();
    }
}
