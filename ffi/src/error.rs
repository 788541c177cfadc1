//! Result codes, and the message that goes with a failure.

use std::ffi::{CString, c_char};
use std::ptr;

use crate::border::{Failure, Handle, c_string, guard};

/// What came of a call. Everything but `BW_OK` is a failure: nothing was done, and the message is in the `bw_error` that
/// the call gave, if it was asked for one.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum bw_result {
    /// It was done.
    BW_OK = 0,
    /// An argument is NULL where it must not be, a string is not UTF-8 or holds a NUL byte, or a `size` field is wrong.
    BW_INVALID_ARGUMENT = 1,
    /// There is no option of that name, it does not take that value, or two options contradict each other.
    BW_INVALID_OPTION = 2,
    /// There is no such file, index or key.
    BW_NOT_FOUND = 3,
    /// The operating system could not read or write a file.
    BW_IO = 4,
    /// A snapshot is damaged, of another version, or made with options that shape the state otherwise. Its file was renamed,
    /// so that the next save does not overwrite it; the message says to what.
    BW_SNAPSHOT_UNUSABLE = 5,
    /// A defect of bellwether itself. The handle that the call was about can only be freed; every other call on it fails in
    /// the same way.
    BW_PANIC = 6,
}

/// Why a call failed. Made by every call that has a parameter `bw_error **error`: that may be NULL; otherwise the call sets
/// `*error` in any case, to NULL where it succeeds and to a new `bw_error` where it fails, which the caller owns and frees with
/// `bw_error_free`. What `*error` was before is neither read nor freed. May be used from several threads at once.
pub struct bw_error {
    code: bw_result,
    message: CString,
}

impl Handle for bw_error {
    const NAME: &'static str = "bw_error";
}

impl From<Failure> for bw_error {
    fn from(failure: Failure) -> Self {
        Self {
            code: failure.code,
            message: c_string(failure.message),
        }
    }
}

/// The code of the call that made `error`; `BW_OK` where `error` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_error_code(error: *const bw_error) -> bw_result {
    guard(bw_result::BW_PANIC, || {
        // SAFETY: the caller passes NULL or an error that it has not freed.
        unsafe { bw_error::shared(error) }.map_or(bw_result::BW_OK, |error| error.code)
    })
}

/// One line in UTF-8 that says what was wrong, where, and what would be right. The string belongs to `error` and lives as
/// long as it. NULL where `error` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_error_message(error: *const bw_error) -> *const c_char {
    guard(ptr::null(), || {
        // SAFETY: the caller passes NULL or an error that it has not freed.
        unsafe { bw_error::shared(error) }.map_or(ptr::null(), |error| error.message.as_ptr())
    })
}

/// Frees `error`. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_error_free(error: *mut bw_error) {
    // SAFETY: the caller passes NULL or an error that it has not freed and uses no more.
    guard((), || unsafe { bw_error::free(error) });
}
