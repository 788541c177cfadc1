//! Handles of the library: owned, and freed when they are dropped. And its strings.

use std::fmt;
use std::ptr::NonNull;
use std::{ptr, slice, str};

use crate::error::{Error, check, check_new};
use crate::library::Library;
use crate::raw::{self, Functions, bw_error, bw_result, bw_string};

/// A type that is known only by pointer.
///
/// # Safety
/// The function frees handles of this type, which may be used from any thread, by one at a time.
pub unsafe trait Raw: Sized {
    /// What it is called here.
    const NAME: &'static str;
    /// Frees one.
    ///
    /// # Safety
    /// The handle was made by the library with these functions and is no longer used.
    unsafe fn free(functions: &Functions, handle: *mut Self);
}

/// Says which function frees a type's handles.
macro_rules! raw {
    ($($raw:ident: $name:literal, $free:ident;)+) => {$(
        // SAFETY: the header says so of each.
        unsafe impl Raw for raw::$raw {
            const NAME: &'static str = $name;
            unsafe fn free(functions: &Functions, handle: *mut Self) {
                // SAFETY: passed on to the caller.
                unsafe { functions.$free(handle) };
            }
        }
    )+};
}

raw! {
    bw_options: "Options", bw_options_free;
    bw_detector: "Detector", bw_detector_free;
    bw_event: "Event", bw_event_free;
    bw_snapshot: "Snapshot", bw_snapshot_free;
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

    /// What `make` makes.
    ///
    /// # Safety
    /// `make` calls a function of `library` that makes handles of this type, with this place for its error.
    pub(crate) unsafe fn make(
        library: &Library,
        make: impl FnOnce(&Functions, *mut *mut bw_error) -> *mut T,
    ) -> Result<Self, Error> {
        // SAFETY: passed on to the caller; what is made is nobody else's.
        unsafe {
            let handle = check_new(library, |error| make(library.functions(), error))?;
            Ok(Self::from_raw(library.clone(), handle))
        }
    }

    pub(crate) fn as_ptr(&self) -> *mut T {
        self.handle.as_ptr()
    }

    pub(crate) fn library(&self) -> &Library {
        &self.library
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
        // SAFETY: the handle is ours and no longer used.
        unsafe { T::free(self.functions(), self.as_ptr()) };
    }
}

impl<T: Raw> fmt::Debug for Owned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(T::NAME).finish_non_exhaustive()
    }
}

impl bw_string {
    /// No string.
    pub const NONE: Self = Self {
        data: ptr::null(),
        size: 0,
    };
}

/// `text` as the library takes it.
pub(crate) fn string(text: &[u8]) -> bw_string {
    bw_string {
        data: text.as_ptr().cast(),
        size: text.len(),
    }
}

/// A string of the library's; `None` where there is none.
///
/// # Safety
/// `string` has as many bytes as it says, or is none, and is not changed while the text lives.
pub(crate) unsafe fn text<'a>(string: bw_string) -> Option<&'a str> {
    if string.data.is_null() {
        return None;
    }
    // SAFETY: passed on to the caller.
    let bytes = unsafe { slice::from_raw_parts(string.data.cast(), string.size) };
    Some(str::from_utf8(bytes).expect("libbellwether's strings are UTF-8"))
}
