//! Where the state of a detector is kept.

use std::ffi::c_char;

use bellwether_core::snapshot::{self, Way};

use crate::border::{fallible, path};
use crate::error::{bw_error, bw_result};

/// Checks, before anything is learned, that state can be saved to the file `path` and loaded from it: creates its folder (mode
/// 0750) if only that is missing, and does not change the file. Any thread may call it at any time.
///
/// On success, sets `*in_place` (which may be NULL) to whether the system allows no replacing of the file, which is then written
/// in place: it is a mount of its own, as in a container, or its folder is not writable. The operator should know: a crash during
/// such a write loses the state unless the folder has room for a copy. `BW_IO` if the state cannot be kept there.
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
