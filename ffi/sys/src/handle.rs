//! Handles of the library: owned, freed when they are dropped, and what those of one kind have in common.

use std::ffi::{CStr, c_char};
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::ptr::NonNull;

use crate::error::{Error, ErrorKind, check, check_new};
use crate::event::Event;
use crate::library::Library;
use crate::raw::{self, Functions, bw_error, bw_result};

/// A type that is known only by pointer.
///
/// # Safety
/// The function frees handles of this type, which may be used from any thread, by one at a time.
pub unsafe trait Raw: Sized {
    /// What it is called here.
    const NAME: &'static str;
    /// The function that frees one.
    fn free(functions: &Functions) -> unsafe extern "C" fn(*mut Self);
}

/// A handle that nobody else uses.
pub struct Owned<T: Raw> {
    library: Library,
    handle: NonNull<T>,
}

// SAFETY: as `Raw` demands.
unsafe impl<T: Raw> Send for Owned<T> {}

impl<T: Raw> Owned<T> {
    /// # Safety
    /// `handle` was made by `library` and is used by nobody else.
    pub(crate) unsafe fn from_raw(library: Library, handle: NonNull<T>) -> Self {
        Self { library, handle }
    }

    pub(crate) fn as_ptr(&self) -> *mut T {
        self.handle.as_ptr()
    }

    pub(crate) fn functions(&self) -> &Functions {
        self.library.functions()
    }

    /// Calls a function that gives a code.
    ///
    /// # Safety
    /// `call` calls one of these functions with this handle and this place for its error, as the header says, and gives its
    /// code.
    pub(crate) unsafe fn call(
        &self,
        call: impl FnOnce(&Functions, *mut T, *mut *mut bw_error) -> bw_result,
    ) -> Result<(), Error> {
        // SAFETY: passed on to the caller.
        unsafe {
            check(&self.library, |error| {
                call(self.functions(), self.as_ptr(), error)
            })
        }
    }
}

impl<T: Raw> Drop for Owned<T> {
    fn drop(&mut self) {
        // SAFETY: the handle is ours and used no more.
        unsafe { T::free(self.functions())(self.as_ptr()) };
    }
}

impl<T: Raw> fmt::Debug for Owned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(T::NAME).finish_non_exhaustive()
    }
}

/// Says which function frees a type's handles.
macro_rules! raw {
    ($($raw:ident: $name:literal, $free:ident;)+) => {$(
        // SAFETY: the header says so of each.
        unsafe impl Raw for raw::$raw {
            const NAME: &'static str = $name;
            fn free(functions: &Functions) -> unsafe extern "C" fn(*mut Self) {
                functions.$free
            }
        }
    )+};
}

raw! {
    bw_had_options: "Options", bw_had_options_free;
    bw_had: "Had", bw_had_free;
    bw_lad_options: "LadOptions", bw_lad_options_free;
    bw_lad: "Lad", bw_lad_free;
    bw_drain_options: "DrainOptions", bw_drain_options_free;
    bw_drain: "Drain", bw_drain_free;
    bw_event: "Event", bw_event_free;
    bw_snapshot: "Snapshot", bw_snapshot_free;
}

type Set<T> = unsafe extern "C" fn(
    *mut T,
    *const c_char,
    usize,
    *const c_char,
    usize,
    *mut *mut bw_error,
) -> bw_result;
type Describe =
    unsafe extern "C" fn(usize, *mut raw::bw_option_info, *mut *mut bw_error) -> bw_result;

/// The functions `bw_..._options_...` and `bw_..._option_...`.
pub struct OptionsFunctions<T> {
    pub(crate) new: unsafe extern "C" fn() -> *mut T,
    pub(crate) set: Set<T>,
    pub(crate) count: unsafe extern "C" fn() -> usize,
    pub(crate) describe: Describe,
}

/// The options of something.
///
/// # Safety
/// The functions are those of handles of this type.
pub unsafe trait RawOptions: Raw {
    /// The functions.
    fn functions(of: &Functions) -> OptionsFunctions<Self>;
}

macro_rules! options {
    ($($raw:ident: $new:ident, $set:ident, $count:ident, $describe:ident;)+) => {$(
        // SAFETY: their names say so.
        unsafe impl RawOptions for raw::$raw {
            fn functions(of: &Functions) -> OptionsFunctions<Self> {
                OptionsFunctions { new: of.$new, set: of.$set, count: of.$count, describe: of.$describe }
            }
        }
    )+};
}

options! {
    bw_had_options: bw_had_options_new, bw_had_options_set, bw_had_option_count, bw_had_option_describe;
    bw_lad_options: bw_lad_options_new, bw_lad_options_set, bw_lad_option_count, bw_lad_option_describe;
    bw_drain_options:
        bw_drain_options_new, bw_drain_options_set, bw_drain_option_count, bw_drain_option_describe;
}

type PathCall<P> = unsafe extern "C" fn(P, *const c_char, usize, *mut *mut bw_error) -> bw_result;

/// The functions that every detector has.
pub struct DetectorFunctions<T> {
    advance: unsafe extern "C" fn(*mut T, f64, *mut *mut bw_error) -> bw_result,
    next_event: unsafe extern "C" fn(*mut T) -> *mut raw::bw_event,
    save: PathCall<*const T>,
    snapshot: unsafe extern "C" fn(*const T, *mut *mut bw_error) -> *mut raw::bw_snapshot,
    load: PathCall<*mut T>,
}

/// A detector.
///
/// # Safety
/// The functions are those of handles of this type.
pub unsafe trait RawDetector: Raw {
    /// The functions.
    fn functions(of: &Functions) -> DetectorFunctions<Self>;
}

macro_rules! detectors {
    ($($raw:ident: $advance:ident, $next_event:ident, $save:ident, $snapshot:ident, $load:ident;)+) => {$(
        // SAFETY: their names say so.
        unsafe impl RawDetector for raw::$raw {
            fn functions(of: &Functions) -> DetectorFunctions<Self> {
                DetectorFunctions {
                    advance: of.$advance,
                    next_event: of.$next_event,
                    save: of.$save,
                    snapshot: of.$snapshot,
                    load: of.$load,
                }
            }
        }
    )+};
}

detectors! {
    bw_had: bw_had_advance, bw_had_next_event, bw_had_save, bw_had_snapshot, bw_had_load;
    bw_lad: bw_lad_advance, bw_lad_next_event, bw_lad_save, bw_lad_snapshot, bw_lad_load;
}

/// How a file of state is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// A new file is renamed over it, so that a crash at any moment leaves the old one or the new one.
    Replaced,
    /// In place, because the system does not let it be replaced: a crash meanwhile is survived only where its folder has room
    /// for a copy.
    InPlace,
}

/// A detector: takes one thing after the other, and gives events. Made by [`Library::had`] and [`Library::lad`].
pub struct Detector<T: RawDetector>(pub(crate) Owned<T>);

impl<T: RawDetector> fmt::Debug for Detector<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: RawDetector> Detector<T> {
    /// Says that nothing with a time before `time` (seconds since the epoch) is going to come any more.
    ///
    /// # Errors
    /// Only a defect of bellwether.
    pub fn advance(&mut self, time: f64) -> Result<(), Error> {
        // SAFETY: it is a function of this type.
        unsafe {
            self.0
                .call(|f, handle, error| (T::functions(f).advance)(handle, time, error))
        }
    }

    /// The oldest event not yet fetched.
    pub fn next_event(&mut self) -> Option<Event> {
        // SAFETY: the handle is ours, and so is the event that it gives.
        unsafe {
            let event = (T::functions(self.0.functions()).next_event)(self.0.as_ptr());
            let event = NonNull::new(event)?;
            Some(Event(Owned::from_raw(self.0.library.clone(), event)))
        }
    }

    /// Saves all that was learnt to the file `path`, so that a crash at any moment leaves the old file or the new one, whole.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] where it cannot be written; an old file is then untouched.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let path = path.as_os_str().as_bytes();
        // SAFETY: it is a function of this type, and the path has as many bytes as its length says.
        unsafe {
            self.0.call(|f, handle, error| {
                (T::functions(f).save)(handle, path.as_ptr().cast(), path.len(), error)
            })
        }
    }

    /// All that was learnt, as [`Detector::save`] would write it: to be written without the detector.
    ///
    /// # Errors
    /// Only a defect of bellwether.
    pub fn snapshot(&self) -> Result<Snapshot, Error> {
        // SAFETY: it is a function of this type, and what it gives is nobody else's.
        unsafe {
            let take = T::functions(self.0.functions()).snapshot;
            let handle = check_new(&self.0.library, |error| take(self.0.as_ptr(), error))?;
            Ok(Snapshot(Owned::from_raw(self.0.library.clone(), handle)))
        }
    }

    /// Replaces all that was learnt by what was saved to `path`; `false` where there is no such file.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] where it cannot be read, [`ErrorKind::SnapshotUnusable`] where it is damaged, of another version, or
    /// made with options that shape the state otherwise; the detector is then as before and can be used.
    pub fn load(&mut self, path: &Path) -> Result<bool, Error> {
        let path = path.as_os_str().as_bytes();
        // SAFETY: it is a function of this type, and the path has as many bytes as its length says.
        found(unsafe {
            self.0.call(|f, handle, error| {
                (T::functions(f).load)(handle, path.as_ptr().cast(), path.len(), error)
            })
        })
    }
}

/// What a detector had learnt at one moment. Made by [`Detector::snapshot`].
#[derive(Debug)]
pub struct Snapshot(Owned<raw::bw_snapshot>);

impl Snapshot {
    /// Writes it to the file `path` and waits for the disk, so that a crash at any moment leaves the old file or the new one, whole.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] where it cannot be written; an old file is then untouched.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let path = path.as_os_str().as_bytes();
        // SAFETY: it is a function of this type, and the path has as many bytes as its length says.
        unsafe {
            self.0.call(|f, handle, error| {
                (f.bw_snapshot_write)(handle, path.as_ptr().cast(), path.len(), error)
            })
        }
    }

    /// How many bytes it has.
    pub fn size(&self) -> usize {
        // SAFETY: the handle is ours.
        unsafe { (self.0.functions().bw_snapshot_size)(self.0.as_ptr()) }
    }
}

impl Library {
    /// Makes sure that state can be saved to the file `path` and loaded from it: creates its folder where only that is missing,
    /// and finds out whether the file can be read and written, without changing it. Gives how it is going to be written.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] where it cannot, with the path and the reason.
    pub fn prepare_state(&self, path: &Path) -> Result<Way, Error> {
        let path = path.as_os_str().as_bytes();
        let mut in_place = false;
        // SAFETY: the path has as many bytes as its length says, and the flag may be written to.
        unsafe {
            check(self, |error| {
                let prepare = self.functions().bw_state_prepare;
                prepare(path.as_ptr().cast(), path.len(), &mut in_place, error)
            })?;
        }
        Ok(match in_place {
            true => Way::InPlace,
            false => Way::Replaced,
        })
    }

    /// What `new` makes of options.
    ///
    /// # Safety
    /// `new` is the function of this library that makes handles of this type of such options.
    pub(crate) unsafe fn make<O: Raw, T: Raw>(
        &self,
        options: &Owned<O>,
        new: unsafe extern "C" fn(*const O, *mut *mut bw_error) -> *mut T,
    ) -> Result<Owned<T>, Error> {
        // SAFETY: the options are not freed, and nobody changes them while they are borrowed; what is made is nobody else's.
        unsafe {
            let handle = check_new(self, |error| new(options.as_ptr(), error))?;
            Ok(Owned::from_raw(self.clone(), handle))
        }
    }
}

/// A call that may find nothing: whether it found something.
pub(crate) fn found(result: Result<(), Error>) -> Result<bool, Error> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// A string of the library's; `None` where it is NULL.
///
/// # Safety
/// `start` is NULL, or NUL-terminated and not changed while the text lives.
pub(crate) unsafe fn text<'a>(start: *const c_char) -> Option<&'a str> {
    if start.is_null() {
        return None;
    }
    // SAFETY: passed on to the caller.
    let text = unsafe { CStr::from_ptr(start) };
    Some(text.to_str().expect("libbellwether's strings are UTF-8"))
}
