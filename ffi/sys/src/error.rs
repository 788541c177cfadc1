//! Why a call failed.

use std::fmt;
use std::ptr::{self, NonNull};

use crate::handle::text;
use crate::library::Library;
use crate::raw::{self, bw_result};

/// What kind of failure it is; `bw_result` without `BW_OK`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// A string has a NUL byte, or a path is empty.
    InvalidArgument,
    /// Unknown option, a value that the option does not take, or options that contradict each other.
    InvalidOption,
    /// No such file, index, key or name.
    NotFound,
    /// The operating system cannot read or write a file.
    Io,
    /// A snapshot is corrupt, of an unknown version, or made with other options; its file was renamed.
    SnapshotUnusable,
    /// An internal error of bellwether; the handle can only be dropped.
    Panic,
    /// A kind that only a newer library has.
    Other(u32),
}

impl From<bw_result> for ErrorKind {
    fn from(code: bw_result) -> Self {
        match code {
            raw::BW_INVALID_ARGUMENT => Self::InvalidArgument,
            raw::BW_INVALID_OPTION => Self::InvalidOption,
            raw::BW_NOT_FOUND => Self::NotFound,
            raw::BW_IO => Self::Io,
            raw::BW_SNAPSHOT_UNUSABLE => Self::SnapshotUnusable,
            raw::BW_PANIC => Self::Panic,
            other => Self::Other(other),
        }
    }
}

/// A failure with one line that says what is wrong, where, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    option: Option<String>,
    reason: String,
}

impl Error {
    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The name of the option that the failure is about, if it is about one.
    pub fn option(&self) -> Option<&str> {
        self.option.as_deref()
    }

    /// The message without the name of the option, where it begins with it.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// Takes over the error that a call stored, and frees it.
    ///
    /// # Safety
    /// `error` was stored by a call of `library`, and is no longer used.
    unsafe fn take(library: &Library, error: *mut raw::bw_error) -> Self {
        let f = library.functions();
        // SAFETY: NULL is fine, and the strings live until the error is freed.
        unsafe {
            let owned = |string| text(string).map(str::to_owned);
            let taken = Self {
                kind: f.bw_error_code(error).into(),
                message: owned(f.bw_error_message(error))
                    .unwrap_or_else(|| "no reason was given".into()),
                option: owned(f.bw_error_option(error)),
                reason: owned(f.bw_error_reason(error)).unwrap_or_default(),
            };
            f.bw_error_free(error);
            taken
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// Makes a call that gives a code.
///
/// # Safety
/// `call` calls a function of `library` with this place for its error, and gives its code.
pub(crate) unsafe fn check(
    library: &Library,
    call: impl FnOnce(*mut *mut raw::bw_error) -> bw_result,
) -> Result<(), Error> {
    let mut error = ptr::null_mut();
    match call(&mut error) {
        raw::BW_OK => Ok(()),
        // SAFETY: the call stored it.
        _ => Err(unsafe { Error::take(library, error) }),
    }
}

/// Makes a call that gives a new handle, or NULL.
///
/// # Safety
/// `call` calls a function of `library` with this place for its error, and gives its result.
pub(crate) unsafe fn check_new<T>(
    library: &Library,
    call: impl FnOnce(*mut *mut raw::bw_error) -> *mut T,
) -> Result<NonNull<T>, Error> {
    let mut error = ptr::null_mut();
    // SAFETY: the call stored the error.
    NonNull::new(call(&mut error)).ok_or_else(|| unsafe { Error::take(library, error) })
}
