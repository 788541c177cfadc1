//! The learned state of a detector, and where it is kept.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crate::error::{Error, check};
use crate::handle::Owned;
use crate::library::Library;
use crate::raw;

/// The learned state of a detector at one moment. Made by [`crate::Detector::snapshot`].
#[derive(Debug)]
pub struct Snapshot(pub(crate) Owned<raw::bw_snapshot>);

impl Snapshot {
    /// Writes it to the file `path` and waits for the disk, so that a crash at any moment leaves the old file or the new one,
    /// complete.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] if it cannot be written; an old file is then intact.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        let path = path.as_os_str().as_bytes();
        // SAFETY: it is a function of this type, and the path has as many bytes as its length says.
        unsafe {
            self.0.call(|f, handle, error| {
                f.bw_snapshot_write(handle, path.as_ptr().cast(), path.len(), error)
            })
        }
    }

    /// Its length in bytes.
    pub fn size(&self) -> usize {
        // SAFETY: the handle is ours.
        unsafe { self.0.functions().bw_snapshot_size(self.0.as_ptr()) }
    }

    /// Its bytes, which [`crate::Detector::load_bytes`] takes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.size()];
        // SAFETY: the handle is ours, and the buffer has that many bytes.
        let copied = unsafe {
            self.0
                .functions()
                .bw_snapshot_copy(self.0.as_ptr(), 0, bytes.as_mut_ptr(), bytes.len())
        };
        bytes.truncate(copied);
        bytes
    }
}

/// How a file of state is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// A new file is renamed over it, so that a crash at any moment leaves the old one or the new one.
    Replaced,
    /// In place, because the system does not allow replacing it: a crash meanwhile loses the state unless its folder has room for
    /// a copy.
    InPlace,
}

impl Library {
    /// Checks that state can be saved to the file `path` and loaded from it: creates its folder if only that is missing, and does
    /// not change the file. Gives how it is going to be written.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] if the state cannot be kept there, with the path and the reason.
    pub fn prepare_state(&self, path: &Path) -> Result<Way, Error> {
        let path = path.as_os_str().as_bytes();
        let mut in_place = false;
        // SAFETY: the path has as many bytes as its length says, and the flag may be written to.
        unsafe {
            check(self, |error| {
                self.functions().bw_state_prepare(
                    path.as_ptr().cast(),
                    path.len(),
                    &mut in_place,
                    error,
                )
            })?;
        }
        Ok(match in_place {
            true => Way::InPlace,
            false => Way::Replaced,
        })
    }
}
