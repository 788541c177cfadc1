//! Publishes the hosts of one half.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};

use super::format::{FILE_BYTES, HEADER_BYTES, RECORD_BYTES, header, record};
use super::{BoardError, HOSTS_MAX, Half, NAME_MAX_BYTES, Reading, Risk, WRITABLE_BY_ALL};
use crate::text::clean;

/// The mode of a file: its group, which both agents can share, may read it.
const FILE_MODE: u32 = 0o640;
/// The place of a host that was not published for this time, in seconds, is free for another.
const IDLE_SEC: f64 = 600.0;
/// A full file is searched for such hosts at most once in this time, in seconds: the search iterates over all of them.
const SEARCH_SEC: f64 = 10.0;

/// What became of a host that was to be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Publishing {
    /// It is published.
    Done,
    /// Its name is empty, or too long.
    Refused,
    /// [`HOSTS_MAX`] others are published already.
    Full,
}

/// Publishes the hosts of one half, as the only writer of its file.
#[derive(Debug)]
pub struct Writer {
    folder: PathBuf,
    half: Half,
    open: Option<Open>,
}

/// A file that this process publishes.
#[derive(Debug)]
struct Open {
    /// Locked as long as it is open.
    file: File,
    identity: (u64, u64),
    rows: HashMap<Box<str>, Row>,
    /// When it was last searched for a free place in vain.
    searched: f64,
}

/// Where a host is published.
#[derive(Debug, Clone, Copy)]
struct Row {
    at: usize,
    /// When it was last published.
    time: f64,
}

fn identity(metadata: &fs::Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

impl Writer {
    /// A writer of one half in this folder. Nothing is accessed yet.
    pub fn new(folder: &Path, half: Half) -> Self {
        Self {
            folder: folder.to_owned(),
            half,
            open: None,
        }
    }

    /// Ends as a process does that is killed: the file stays, and nobody holds its lock.
    #[cfg(test)]
    pub(super) fn crash(mut self) {
        self.open = None;
    }

    fn path(&self) -> PathBuf {
        self.folder.join(self.half.file_name())
    }

    /// Makes sure that this process may publish, before a round of [`Writer::publish`]; `false` if there is no folder. What has gone
    /// is made again, and what is refused now may be granted in the next round.
    ///
    /// # Errors
    /// [`BoardError`].
    pub fn begin(&mut self) -> Result<bool, BoardError> {
        let path = self.path();
        if let Some(open) = &self.open {
            let found = fs::symlink_metadata(&path);
            if found.is_ok_and(|metadata| identity(&metadata) == open.identity) {
                return Ok(true);
            }
            self.open = None;
        }
        let failed = |path: &Path| {
            let path = path.to_owned();
            |error| BoardError::Io { path, error }
        };
        match fs::metadata(&self.folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(failed(&self.folder)(error)),
            Ok(folder) if folder.mode() & WRITABLE_BY_ALL != 0 => {
                let path = self.folder.clone();
                return Err(BoardError::WritableByAll { path });
            }
            Ok(_) => {}
        }
        // Held until the file is replaced: whoever has the lock publishes.
        let former = locked(&path).map_err(failed(&path))?;
        if let Former::Taken = former {
            return Err(BoardError::Taken { path });
        }
        self.open = Some(self.create(&path).map_err(failed(&path))?);
        drop(former);
        Ok(true)
    }

    /// Makes an empty file and puts it in the place of a former one.
    fn create(&self, path: &Path) -> io::Result<Open> {
        let new = self.folder.join(format!(".{}.new", self.half.file_name()));
        // What a crash has left.
        match fs::remove_file(&new) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(FILE_MODE)
            .open(&new)?;
        // Whatever the umask is.
        file.set_permissions(fs::Permissions::from_mode(FILE_MODE))?;
        flock(&file, FlockOperation::NonBlockingLockExclusive)?;
        file.set_len(FILE_BYTES)?;
        file.write_all_at(&header(self.half, 0), 0)?;
        fs::rename(&new, path)?;
        Ok(Open {
            identity: identity(&file.metadata()?),
            file,
            rows: HashMap::new(),
            searched: f64::NEG_INFINITY,
        })
    }

    /// Publishes what the sources of this half say about a host at present; `time` is now, in seconds since the epoch. Without a
    /// board, that has no effect.
    ///
    /// # Errors
    /// [`BoardError::Io`], such as a full file system; the host is then unknown to readers.
    pub fn publish(
        &mut self,
        host: &str,
        time: f64,
        readings: &[Reading],
    ) -> Result<Publishing, BoardError> {
        self.publish_with(host, time, readings, None)
    }

    /// The same with the risk of the host, which the half of the metrics has not.
    ///
    /// # Errors
    /// Those of [`Writer::publish`].
    pub fn publish_with(
        &mut self,
        host: &str,
        time: f64,
        readings: &[Reading],
        risk: Option<Risk>,
    ) -> Result<Publishing, BoardError> {
        let (path, half) = (self.path(), self.half);
        let Some(open) = &mut self.open else {
            return Ok(Publishing::Done);
        };
        let name = clean(host);
        if !(1..=NAME_MAX_BYTES).contains(&name.len()) {
            return Ok(Publishing::Refused);
        }
        let Some((at, is_new)) = open.row(&name, time) else {
            return Ok(Publishing::Full);
        };
        let risk = risk.filter(|_| half.has_risk());
        let written = open.write(half, at, &record(&name, readings, risk), is_new);
        if is_new || written.is_err() {
            match written.is_ok() {
                true => drop(open.rows.insert(name.as_ref().into(), Row { at, time })),
                false => drop(open.rows.remove(&*name)),
            }
        }
        written.map_err(|error| BoardError::Io { path, error })?;
        Ok(Publishing::Done)
    }
}

impl Open {
    /// The place of a host, and whether it has to be noted; `None` if there is none left.
    fn row(&mut self, name: &str, time: f64) -> Option<(usize, bool)> {
        if let Some(row) = self.rows.get_mut(name) {
            row.time = time;
            return Some((row.at, false));
        }
        if self.rows.len() < HOSTS_MAX {
            return Some((self.rows.len(), true));
        }
        if (time - self.searched).abs() < SEARCH_SEC {
            return None;
        }
        let is_idle = |row: &Row| (time - row.time).abs() > IDLE_SEC;
        let idle = self.rows.iter().find(|(_, row)| is_idle(row));
        let Some((name, at)) = idle.map(|(name, row)| (name.clone(), row.at)) else {
            self.searched = time;
            return None;
        };
        self.rows.remove(&name);
        Some((at, true))
    }

    /// Writes a record, and counts it in the header if it is one more.
    fn write(&self, half: Half, at: usize, record: &[u8], is_new: bool) -> io::Result<()> {
        let offset = HEADER_BYTES + at * RECORD_BYTES;
        self.file.write_all_at(record, offset as u64)?;
        if is_new && at >= self.rows.len() {
            self.file.write_all_at(&header(half, at + 1), 0)?;
        }
        Ok(())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let path = self.path();
        if let Some(open) = &self.open
            && fs::symlink_metadata(&path).is_ok_and(|found| identity(&found) == open.identity)
        {
            // Where it cannot be removed, it becomes stale.
            fs::remove_file(&path).ok();
        }
    }
}

/// A file that another process may publish.
enum Former {
    /// There is none, or nobody publishes it; it is locked as long as this lives.
    Free(#[expect(dead_code, reason = "it holds the lock")] Option<File>),
    /// Another process publishes it.
    Taken,
}

/// Locks the file at `path`, whatever it is.
fn locked(path: &Path) -> io::Result<Former> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits() as i32)
        .open(path);
    let file = match opened {
        Ok(file) => file,
        // A link, or what is no file: it is replaced.
        Err(_) => return Ok(Former::Free(None)),
    };
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Former::Free(Some(file))),
        Err(error) if error == rustix::io::Errno::WOULDBLOCK => Ok(Former::Taken),
        Err(error) => Err(error.into()),
    }
}
