//! Where the state of a detector is kept.

use std::ffi::c_char;

use bellwether_core::snapshot::{self, Way};

use crate::border::{fallible, path};
use crate::error::{bw_error, bw_result};

/// Makes sure, before anything is learnt, that state can be saved to the file `path` and loaded from it: creates its folder (mode
/// 0750) where only that is missing, and finds out whether the file can be read and written, without changing it. `path` is in
/// the system's encoding, without NUL bytes, and not kept.
///
/// Sets `*in_place` where it can: true where the system does not let the file be replaced, so that it is going to be written in
/// place. It is a mount of its own then, as a file that is mounted into a container, or its folder may not be written to. That
/// should be said to whoever runs the program: a crash while such a file is written is survived only where its folder has room
/// for a copy. `in_place` may be NULL.
///
/// `BW_IO` where it cannot; the message names the path and the reason. `BW_INVALID_ARGUMENT` where `path` is NULL or empty. `error`
/// may be NULL. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_state_prepare(
    path: *const c_char,
    path_len: usize,
    in_place: *mut bool,
    error: *mut *mut bw_error,
) -> bw_result {
    let body = || {
        // SAFETY: the path is NULL or has as many bytes as its length says.
        let path = unsafe { self::path(path, path_len) }?;
        let way = snapshot::prepare(path)?;
        if !in_place.is_null() {
            // SAFETY: it is not NULL, so the caller lets us write to it.
            unsafe { in_place.write(way == Way::InPlace) };
        }
        Ok(())
    };
    // SAFETY: passed on to the caller.
    unsafe { fallible(error, body) }
}
