//! Files of snapshots.

use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;

/// A folder of this process, and in it the path of a snapshot that is not there yet.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("there is a folder for temporary files"))
    }

    pub fn path(&self) -> PathBuf {
        self.0.path().join("state")
    }

    /// The path of a snapshot of these bytes.
    pub fn with(&self, bytes: &[u8]) -> PathBuf {
        let path = self.path();
        fs::write(&path, bytes).expect("a temporary file can be written");
        path
    }

    /// Removes all files, also those that were set aside.
    pub fn clear(&self) {
        let files = fs::read_dir(self.0.path()).expect("the folder is there");
        for file in files.flatten() {
            fs::remove_file(file.path()).expect("a temporary file can be removed");
        }
    }
}

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}
