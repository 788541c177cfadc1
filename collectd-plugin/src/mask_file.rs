//! The file of maintenance windows: read at the start, and again whenever it changes.
//!
//! A thread of its own looks after it: a disk that hangs holds up neither collectd nor the detection.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bellwether_agent::maintenance::{FILE_MAX_BYTES, Parsed, parse};
use bellwether_agent::thread::spawn;
use parking_lot::{Condvar, Mutex};

/// The time between two looks at the file.
pub const PERIOD: Duration = Duration::from_secs(10);

/// What became of reading the file.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// There is no such file.
    Missing,
    /// It cannot be read, for this reason.
    Unreadable(String),
    /// Its windows.
    Read(Parsed),
}

/// What changes when somebody writes the file, or puts another in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Version {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Version {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

/// The file, as it was when last read.
#[derive(Debug)]
struct MaskFile {
    path: PathBuf,
    /// Its version, or why there was none; `None` before the first time.
    last: Option<Result<Version, io::ErrorKind>>,
}

impl MaskFile {
    /// What is in the file, if that is news.
    fn look(&mut self) -> Option<Found> {
        let version = fs::metadata(&self.path).map(|metadata| Version::of(&metadata));
        let version = version.map_err(|error| error.kind());
        if self.last == Some(version) {
            return None;
        }
        let found = match read(&self.path) {
            Ok((text, read)) if Ok(read) == version => Found::Read(parse(&text)),
            // It is being written: the next look finds it whole.
            Ok(_) => return None,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Found::Missing,
            Err(error) => Found::Unreadable(error.to_string()),
        };
        self.last = Some(version);
        Some(found)
    }
}

/// The text of a file, up to a limit, and the version that was read.
fn read(path: &Path) -> io::Result<(String, Version)> {
    // Opening a pipe would wait for whoever writes to it.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let file = File::open(path)?;
    let mut bytes = Vec::new();
    // One byte more shows that there is more.
    let limit = FILE_MAX_BYTES as u64 + 1;
    (&file).take(limit).read_to_end(&mut bytes)?;
    let version = Version::of(&file.metadata()?);
    Ok((String::from_utf8_lossy(&bytes).into_owned(), version))
}

#[derive(Debug, Default)]
struct Slot {
    found: Option<Found>,
    ended: bool,
}

#[derive(Debug, Default)]
struct Shared {
    slot: Mutex<Slot>,
    /// Nobody wants to know any more.
    wake: Condvar,
}

/// Looks after the file until it is dropped.
#[derive(Debug)]
pub struct Watcher {
    shared: Arc<Shared>,
}

impl Watcher {
    /// Reads the file at `path`, and starts the thread that reads it again when it changes, looks for that after each `period`, and
    /// calls `news` when there is some.
    ///
    /// # Errors
    /// What the operating system says when it gives no thread.
    pub fn start(
        name: &str,
        path: &Path,
        period: Duration,
        news: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        let mut file = MaskFile {
            path: path.to_owned(),
            last: None,
        };
        let shared = Arc::new(Shared::default());
        shared.slot.lock().found = file.look();
        let theirs = shared.clone();
        spawn(name, move || {
            loop {
                let mut slot = theirs.slot.lock();
                if !slot.ended {
                    theirs.wake.wait_for(&mut slot, period);
                }
                if slot.ended {
                    return;
                }
                drop(slot);
                if let Some(found) = file.look() {
                    theirs.slot.lock().found = Some(found);
                    news();
                }
            }
        })?;
        Ok(Self { shared })
    }

    /// What was found since the last call, if that is news.
    pub fn take(&self) -> Option<Found> {
        self.shared.slot.lock().found.take()
    }
}

impl Drop for Watcher {
    /// Lets the thread end. Nobody waits for it: it may hang with the disk.
    fn drop(&mut self) {
        self.shared.slot.lock().ended = true;
        self.shared.wake.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("bellwether-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn windows(found: Option<Found>) -> Vec<String> {
        match found {
            Some(Found::Read(parsed)) => parsed.windows.into_iter().map(|w| w.hypervisor).collect(),
            other => vec![format!("{other:?}")],
        }
    }

    #[test]
    fn a_file_is_read_once_for_each_of_its_versions() {
        let folder = folder("mask-file");
        let path = folder.join("masks");
        let mut file = MaskFile {
            path: path.clone(),
            last: None,
        };
        assert_eq!(file.look(), Some(Found::Missing));
        assert_eq!(file.look(), None);
        fs::write(&path, "hv1 1 2\n").unwrap();
        assert_eq!(windows(file.look()), ["hv1"]);
        assert_eq!(file.look(), None);
        // Another file in its place, with the same size and time.
        let (old, new) = (fs::metadata(&path).unwrap(), folder.join("new"));
        fs::write(&new, "hv2 1 2\n").unwrap();
        File::options()
            .write(true)
            .open(&new)
            .unwrap()
            .set_modified(old.modified().unwrap())
            .unwrap();
        fs::rename(&new, &path).unwrap();
        assert_eq!(windows(file.look()), ["hv2"]);
        fs::write(&path, "hv2 1 2\nhv3 1 2\n").unwrap();
        assert_eq!(windows(file.look()), ["hv2", "hv3"]);
        fs::remove_file(&path).unwrap();
        assert_eq!(file.look(), Some(Found::Missing));
        assert_eq!(file.look(), None);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_is_no_file_is_said_once_and_a_pipe_holds_nobody_up() {
        let folder = folder("mask-pipe");
        let mut file = MaskFile {
            path: folder.clone(),
            last: None,
        };
        let unreadable = Some(Found::Unreadable("it is not a file".into()));
        assert_eq!(file.look(), unreadable);
        assert_eq!(file.look(), None);
        let pipe = folder.join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        file.path = pipe;
        assert_eq!(file.look(), unreadable);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn of_a_huge_file_no_more_is_read_than_counts() {
        let folder = folder("mask-huge");
        let path = folder.join("masks");
        fs::write(&path, "hv1 1 2\n".repeat(FILE_MAX_BYTES / 4)).unwrap();
        assert_eq!(read(&path).unwrap().0.len(), FILE_MAX_BYTES + 1);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_change_is_news_and_a_dropped_watcher_ends() {
        let folder = folder("mask-watch");
        let path = folder.join("masks");
        fs::write(&path, "hv1 1 2\n").unwrap();
        let (sender, news) = mpsc::channel();
        let period = Duration::from_millis(5);
        let watcher = Watcher::start("test", &path, period, move || sender.send(()).unwrap());
        let watcher = watcher.unwrap();
        assert_eq!(windows(watcher.take()), ["hv1"]);
        assert_eq!(watcher.take(), None);
        fs::write(&path, "hv1 1 2\nhv2 1 2\n").unwrap();
        news.recv().unwrap();
        // Written in two steps, it may be found in between.
        while windows(watcher.take()) != ["hv1", "hv2"] {
            news.recv().unwrap();
        }
        drop(watcher);
        // Its end drops the other end of the channel.
        assert!(news.iter().count() < 2);
        fs::remove_dir_all(folder).unwrap();
    }
}
