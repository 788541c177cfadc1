//! Why a call failed.

use std::ffi::CStr;
use std::fmt;

use crate::library::Library;
use crate::raw::{self, bw_result};

/// What kind of failure it is; `bw_result` without `BW_OK`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// A string holds a NUL byte, a path is empty.
    InvalidArgument,
    /// There is no option of that name, it does not take that value, or two options contradict each other.
    InvalidOption,
    /// There is no such file, index or key.
    NotFound,
    /// The operating system could not read or write a file.
    Io,
    /// A snapshot is damaged, of another version, or made with other options; its file was renamed.
    SnapshotUnusable,
    /// A defect of bellwether; the handle can only be dropped.
    Panic,
    /// A kind that only a newer library has.
    Other(u32),
}

impl From<bw_result> for ErrorKind {
    fn from(code: bw_result) -> Self {
        match code {
            1 => Self::InvalidArgument,
            2 => Self::InvalidOption,
            3 => Self::NotFound,
            4 => Self::Io,
            5 => Self::SnapshotUnusable,
            6 => Self::Panic,
            other => Self::Other(other),
        }
    }
}

/// A failure with one line that says what was wrong, where, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

impl Error {
    /// What kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Takes over the error that a call stored, and frees it.
    ///
    /// # Safety
    /// `error` was stored by a call of `library`, and is used no more.
    unsafe fn take(library: &Library, error: *mut raw::bw_error) -> Self {
        let f = library.functions();
        // SAFETY: NULL is fine, and the message lives until the error is freed.
        unsafe {
            let kind = ErrorKind::from((f.bw_error_code)(error));
            let message = (f.bw_error_message)(error);
            let message = if message.is_null() {
                "no reason was given".to_owned()
            } else {
                CStr::from_ptr(message).to_string_lossy().into_owned()
            };
            (f.bw_error_free)(error);
            Self { kind, message }
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
    let mut error = std::ptr::null_mut();
    match call(&mut error) {
        raw::OK => Ok(()),
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
) -> Result<std::ptr::NonNull<T>, Error> {
    let mut error = std::ptr::null_mut();
    // SAFETY: the call stored the error.
    std::ptr::NonNull::new(call(&mut error)).ok_or_else(|| unsafe { Error::take(library, error) })
}
