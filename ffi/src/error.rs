//! Result codes, and the message that goes with a failure.

use crate::border::{Failure, Handle, free, guard};
use crate::string::bw_string;

/// The result of a call. Everything but `BW_OK` is a failure: nothing was done.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum bw_result {
    /// Success.
    BW_OK = 0,
    /// An argument is NULL where it must not be, a string is not UTF-8 or has a NUL byte, a `size` is wrong, an enum has no
    /// such value, or the detector is of another kind.
    BW_INVALID_ARGUMENT = 1,
    /// Unknown option, a value that the option does not take, or options that contradict each other.
    BW_INVALID_OPTION = 2,
    /// No such file, index, key or name.
    BW_NOT_FOUND = 3,
    /// The operating system cannot read or write a file.
    BW_IO = 4,
    /// A snapshot is corrupt, of an unknown version, or made with options that shape the state differently. Its file was
    /// renamed, so that the next save does not overwrite it; the message has the new name.
    BW_SNAPSHOT_UNUSABLE = 5,
    /// An internal error of bellwether. The detector can only be freed; every other call on it fails with the same code.
    BW_PANIC = 6,
}

/// Why a call failed. A call with a parameter `bw_error **error` sets `*error`, unless `error` is NULL: to NULL on success, and
/// on failure to a new error, which the caller frees with `bw_error_free`. The former `*error` is neither read nor freed.
/// Several threads may read an error at once.
pub struct bw_error {
    code: bw_result,
    /// With a NUL at its end.
    message: String,
    option: Option<String>,
    /// Where in the message the reason begins.
    reason_at: usize,
}

impl Handle for bw_error {
    const NAME: &'static str = "bw_error";
}

impl From<Failure> for bw_error {
    fn from(failure: Failure) -> Self {
        let mut message = failure.message;
        // Names with a NUL byte are refused, so that only the message of a panic can have one.
        message.retain(|c| c != '\0');
        message.push('\0');
        Self {
            code: failure.code,
            message,
            option: failure.option,
            reason_at: failure.reason_at,
        }
    }
}

/// The code of the failure; `BW_OK` if `error` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_error_code(error: *const bw_error) -> bw_result {
    guard(bw_result::BW_PANIC, || {
        // SAFETY: the caller passes NULL or an error that it has not freed.
        unsafe { bw_error::shared(error) }.map_or(bw_result::BW_OK, |error| error.code)
    })
}

/// One line that says what is wrong, where, and what would be right; NUL-terminated. Belongs to `error`; none if that is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_error_message(error: *const bw_error) -> bw_string {
    guard(bw_string::NONE, || {
        // SAFETY: the caller passes NULL or an error that it has not freed.
        unsafe { bw_error::shared(error) }.map_or(bw_string::NONE, |error| {
            bw_string::before_nul(&error.message)
        })
    })
}

/// The name of the option that the failure is about, as it was given for an unknown option. Belongs to `error`; none if the
/// failure is not about one option, or `error` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_error_option(error: *const bw_error) -> bw_string {
    guard(bw_string::NONE, || {
        // SAFETY: the caller passes NULL or an error that it has not freed.
        let error = unsafe { bw_error::shared(error) };
        bw_string::optional(error.ok().and_then(|error| error.option.as_deref()))
    })
}

/// `bw_error_message` without the name of the option, for a program that writes it in its own way in front; NUL-terminated. The
/// whole message if it does not begin with that name. Belongs to `error`; none if that is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_error_reason(error: *const bw_error) -> bw_string {
    guard(bw_string::NONE, || {
        // SAFETY: the caller passes NULL or an error that it has not freed.
        let error = unsafe { bw_error::shared(error) };
        let reason = error
            .ok()
            .and_then(|error| error.message.get(error.reason_at..));
        reason.map_or(bw_string::NONE, bw_string::before_nul)
    })
}

/// Frees `error`. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_error_free(error: *mut bw_error) {
    // SAFETY: the caller passes NULL or an error that it has not freed and no longer uses.
    unsafe { free(error) };
}
