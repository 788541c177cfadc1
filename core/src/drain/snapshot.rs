//! Snapshots of a miner by itself.

use std::io::{self, Write};
use std::path::Path;

use super::{Miner, Restore};
use crate::snapshot::{self, Reader, Saved, Snapshot, SnapshotError, Tag, Unusable, write_value};

impl Saved for Miner {
    const TAG: Tag = *b"drai";
    const VERSION: u32 = 1;
    const OLDEST: u32 = 1;

    fn write_state(&self, out: &mut dyn Write) -> io::Result<()> {
        write_value(out, &self.saved())
    }

    fn read_state(&self, _: u32, mut input: Reader<'_>) -> Result<Self, Unusable> {
        let mut miner = self.blank();
        let restored = input.next_into("the templates", Restore(&mut miner))?;
        restored.map_err(|error| Unusable::Impossible(error.to_string()))?;
        Ok(miner)
    }
}

impl Miner {
    /// The learned state at this moment.
    pub fn snapshot(&self) -> Snapshot {
        snapshot::take(self)
    }

    /// Replaces the learned state by a snapshot's, under the options of this miner: if the depth differs, the tree is rebuilt
    /// from the templates; clusters beyond the limits are evicted.
    ///
    /// # Errors
    /// A snapshot that is corrupt or of an unsupported version; the miner is then unchanged.
    pub fn restore(&mut self, snapshot: &[u8]) -> Result<(), Unusable> {
        snapshot::restore(self, snapshot)
    }

    /// Saves the learned state to the file at `path`, so that a crash at any moment leaves the old state or the new one, whole.
    ///
    /// # Errors
    /// [`SnapshotError::Io`].
    pub fn save(&self, path: &Path) -> Result<(), SnapshotError> {
        snapshot::save(self, path)
    }

    /// Replaces the learned state by that saved to `path`; `false` if there is no such file.
    ///
    /// # Errors
    /// A file that cannot be read, or that cannot be used; the latter is renamed. The miner is then unchanged.
    pub fn load(&mut self, path: &Path) -> Result<bool, SnapshotError> {
        snapshot::load(self, path)
    }
}
