//! A snapshot in memory.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;

use super::{SnapshotError, write_file};

/// The size of a chunk in bytes.
const CHUNK_BYTES: usize = 64 << 10;

/// The learned state of a detector at one moment, in the form of a file.
///
/// Its bytes are stored in chunks of one size: growing never copies them, so a snapshot takes no more memory than its own length
/// while it is taken.
#[derive(Clone, Default)]
pub struct Snapshot {
    chunks: Vec<Vec<u8>>,
}

impl Snapshot {
    /// Its length in bytes.
    pub fn len(&self) -> usize {
        self.chunks().map(<[u8]>::len).sum()
    }

    /// Whether it has no bytes; one from a detector always has some.
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Its bytes, chunk by chunk.
    pub fn chunks(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.chunks.iter().map(Vec::as_slice)
    }

    /// Its bytes in one piece.
    pub fn to_vec(&self) -> Vec<u8> {
        self.chunks.concat()
    }

    /// Writes it to the file at `path`, so that a reader finds either the old snapshot or this one, whole.
    ///
    /// # Errors
    /// [`SnapshotError::Io`]; the old snapshot, or a copy of the new one, is then still there.
    pub fn write(&self, path: &Path) -> Result<(), SnapshotError> {
        write_file(path, &mut |out| {
            self.chunks().try_for_each(|chunk| out.write_all(chunk))
        })
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl Write for Snapshot {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let has_room = |chunk: &Vec<u8>| chunk.len() < CHUNK_BYTES;
        if !self.chunks.last().is_some_and(has_room) {
            self.chunks.push(Vec::with_capacity(CHUNK_BYTES));
        }
        let chunk = self.chunks.last_mut().expect("there is one with room");
        let count = bytes.len().min(CHUNK_BYTES - chunk.len());
        chunk.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        // The last chunk is rarely full.
        if let Some(last) = self.chunks.last_mut() {
            last.shrink_to_fit();
        }
        Ok(())
    }
}
