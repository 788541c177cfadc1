//! What a detector has learnt, as bytes.

use std::ffi::c_char;

use bellwether_core::snapshot::Snapshot;

use crate::border::{Handle, fallible, free, guard, path};
use crate::error::{bw_error, bw_result};

/// All that a detector has learnt at one moment, in the form of a file that `bw_..._load` reads. Given by `bw_had_snapshot` and
/// `bw_lad_snapshot`, owned by the caller, freed by `bw_snapshot_free`; it outlives the detector, so that one thread can go on
/// with the detector while another one writes. It never changes and may be used from several threads at once.
pub struct bw_snapshot(Snapshot);

impl Handle for bw_snapshot {
    const NAME: &'static str = "bw_snapshot";
}

impl bw_snapshot {
    pub(crate) fn new(snapshot: Snapshot) -> Self {
        Self(snapshot)
    }
}

/// Frees `snapshot`. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_snapshot_free(snapshot: *mut bw_snapshot) {
    // SAFETY: passed on to the caller.
    unsafe { free(snapshot) };
}

/// How many bytes `snapshot` has; 0 where it is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_snapshot_size(snapshot: *const bw_snapshot) -> usize {
    guard(0, || {
        // SAFETY: the caller passes NULL or a snapshot that it has not freed.
        unsafe { bw_snapshot::shared(snapshot) }.map_or(0, |snapshot| snapshot.0.len())
    })
}

/// Writes `snapshot` to the file `path` and waits until it is on the disk, so that a crash at any moment leaves either the old file
/// or the new one, whole. `path` is in the system's encoding, without NUL bytes, and not kept.
///
/// `BW_IO` where the file cannot be written; an old one is then untouched. `BW_INVALID_ARGUMENT` where `snapshot` or `path` is NULL
/// or the path is empty. `error` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_snapshot_write(
    snapshot: *const bw_snapshot,
    path: *const c_char,
    path_len: usize,
    error: *mut *mut bw_error,
) -> bw_result {
    let body = || {
        // SAFETY: the caller passes NULL or a snapshot that it has not freed, and NULL or so many bytes.
        let (snapshot, path) =
            unsafe { (bw_snapshot::shared(snapshot)?, self::path(path, path_len)?) };
        Ok(snapshot.0.write(path)?)
    };
    // SAFETY: the caller passes NULL or a place for an error.
    unsafe { fallible(error, body) }
}
