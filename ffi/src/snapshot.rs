//! The learned state of a detector, as bytes.

use std::ffi::c_char;
use std::path::Path;
use std::ptr;

use bellwether_core::snapshot::Snapshot;

use crate::border::{Failure, Handle, fallible, free, guard, path};
use crate::error::{bw_error, bw_result};

/// The learned state of a detector at one moment, which outlives the detector. It never changes; several threads may use it at
/// once.
pub struct bw_snapshot(Snapshot);

impl Handle for bw_snapshot {
    const NAME: &'static str = "bw_snapshot";
}

impl bw_snapshot {
    pub(crate) fn new(snapshot: Snapshot) -> Self {
        Self(snapshot)
    }

    /// Writes it to the file `path`.
    pub(crate) fn write(&self, path: &Path) -> Result<(), Failure> {
        Ok(self.0.write(path)?)
    }
}

/// Frees `snapshot`. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_snapshot_free(snapshot: *mut bw_snapshot) {
    // SAFETY: passed on to the caller.
    unsafe { free(snapshot) };
}

/// The length of `snapshot` in bytes; 0 if it is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_snapshot_size(snapshot: *const bw_snapshot) -> usize {
    guard(0, || {
        // SAFETY: the caller passes NULL or a snapshot that it has not freed.
        unsafe { bw_snapshot::shared(snapshot) }.map_or(0, |snapshot| snapshot.0.len())
    })
}

/// Copies the bytes of `snapshot` from `offset` on into the `size` bytes at `buffer`, and gives the number of bytes copied: fewer
/// than `size` at the end, and 0 behind it. 0 also if `snapshot` or `buffer` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_snapshot_copy(
    snapshot: *const bw_snapshot,
    offset: usize,
    buffer: *mut u8,
    size: usize,
) -> usize {
    guard(0, || {
        // SAFETY: the caller passes NULL or a snapshot that it has not freed.
        let Ok(snapshot) = (unsafe { bw_snapshot::shared(snapshot) }) else {
            return 0;
        };
        if buffer.is_null() {
            return 0;
        }
        let (mut skipped, mut copied) = (0, 0);
        for chunk in snapshot.0.chunks() {
            let rest = chunk.get(offset.saturating_sub(skipped)..);
            skipped += chunk.len();
            let Some(rest) = rest else { continue };
            let count = rest.len().min(size - copied);
            // SAFETY: both have that many bytes, and nobody else uses the buffer meanwhile.
            unsafe { ptr::copy_nonoverlapping(rest.as_ptr(), buffer.add(copied), count) };
            copied += count;
        }
        copied
    })
}

/// Writes `snapshot` to the file `path` and waits for the disk, so that a crash at any moment leaves either the old file or the
/// new one, complete. `BW_IO` if the file cannot be written; an old one is then intact.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_snapshot_write(
    snapshot: *const bw_snapshot,
    path: *const c_char,
    path_len: usize,
    error: *mut *mut bw_error,
) -> bw_result {
    let body = || {
        // SAFETY: the caller passes NULL or a snapshot that it has not freed, and NULL or that many bytes.
        let (snapshot, path) =
            unsafe { (bw_snapshot::shared(snapshot)?, self::path(path, path_len)?) };
        snapshot.write(path)
    };
    // SAFETY: the caller passes NULL or a place for an error.
    unsafe { fallible(error, body) }
}
