//! The learned state of a detector, saved and restored.
//!
//! A snapshot is a stream of bytes: a header with the detector and the version of its state, the state, and a checksum. It is
//! written and read piece by piece, so that saving and loading take hardly more memory than the detector itself. Each detector
//! has a version of its own and also reads the previous version: an upgrade does not lose what took a day to learn.
//!
//! On disk, a new snapshot replaces the old one whole or not at all. A file that cannot be used is renamed, so that the next save
//! does not overwrite it; it is never deleted and never used in part.
//!
//! ```
//! use bellwether_core::detector::Detector as _;
//! use bellwether_core::had::{Detector, HadOptions};
//!
//! let detector = Detector::new(HadOptions::default())?;
//! let snapshot = detector.snapshot();
//! let mut other = Detector::new(HadOptions::default())?;
//! other.restore(&snapshot.to_vec())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod chunks;
mod container;
pub(crate) mod owned;
mod reader;

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};

use crate::event::Event;
use crate::options::Options;
use crate::state_file;

pub use crate::state_file::Way;
pub use chunks::Snapshot;
pub use container::{CONTAINER_VERSION, HEAD_BYTES};
pub(crate) use reader::Reader;

/// The detector that a snapshot belongs to.
pub type Tag = [u8; 4];

/// Maximum size of a file that is read as a snapshot, in bytes.
pub const FILE_MAX_BYTES: u64 = 4 << 30;

/// Why a snapshot cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unusable {
    /// It is not a snapshot.
    #[error("it is not a snapshot of bellwether")]
    Foreign,
    /// It ends within its header.
    #[error("corrupt snapshot: {bytes} bytes are too few")]
    Short {
        /// Its length.
        bytes: u64,
    },
    /// It is larger than any snapshot.
    #[error("{bytes} bytes are too many for a snapshot, which has at most {max}")]
    Large {
        /// Its length.
        bytes: u64,
        /// The largest length allowed.
        max: u64,
    },
    /// Its container or its state has an unsupported version.
    #[error("its {of} has version {found}; this library reads versions {oldest} to {newest}")]
    Version {
        /// What has the version.
        of: &'static str,
        /// The version that it has.
        found: u32,
        /// The oldest version that can be read.
        oldest: u32,
        /// The newest version that can be read.
        newest: u32,
    },
    /// It belongs to another detector.
    #[error("it belongs to the detector \"{}\", not to \"{}\"", .found.escape_ascii(), .wanted.escape_ascii())]
    OtherDetector {
        /// The detector that it belongs to.
        found: Tag,
        /// The detector that was to read it.
        wanted: Tag,
    },
    /// Its length differs from the one it states.
    #[error("corrupt snapshot: it has {found} bytes of content instead of {expected}")]
    Length {
        /// The length that it has.
        found: u64,
        /// The length that it states.
        expected: u64,
    },
    /// Its checksum does not match.
    #[error("corrupt snapshot: the checksum does not match the content")]
    Checksum,
    /// Its content cannot be decoded.
    #[error("corrupt snapshot: cannot decode {part}: {cause}")]
    Undecodable {
        /// The part of the content.
        part: &'static str,
        /// Why not.
        cause: String,
    },
    /// Its content cannot be what a detector saved.
    #[error("corrupt snapshot: {0}")]
    Impossible(String),
    /// It was made with options that shape the state differently.
    #[error("it was made with {option} = {then}, which is {now} now")]
    OtherOption {
        /// The option's name.
        option: String,
        /// Its value when the snapshot was made.
        then: String,
        /// Its value now.
        now: String,
    },
    /// It is larger than the options allow.
    #[error("it is larger than the options {0} allow")]
    OverLimit(&'static str),
    /// It could not be read.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
}

impl Unusable {
    /// A part that cannot be decoded although the checksum is correct.
    pub(crate) fn undecodable(part: &'static str, cause: &dyn fmt::Display) -> Self {
        Self::Undecodable {
            part,
            cause: cause.to_string(),
        }
    }
}

/// Why a snapshot was not saved or not loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The file could not be read or written.
    #[error("snapshot {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The file's content cannot be used; the file was renamed, so that the next save does not overwrite it.
    #[error("snapshot {}: {reason}; {}; starting without it", path.display(), match set_aside { Some(to) => format!("kept as {}", to.display()), None => "it can be neither renamed nor copied".into() })]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: Unusable,
        /// Where it is kept now, or `None` if it can be neither renamed nor copied.
        set_aside: Option<PathBuf>,
    },
}

/// What each detector implements to be saved and restored.
pub(crate) trait Saved: Sized {
    /// The detector.
    const TAG: Tag;
    /// The version of its state, written with every snapshot.
    const VERSION: u32;
    /// The oldest version that it reads.
    const OLDEST: u32;

    /// Writes the state.
    fn write_state(&self, out: &mut dyn Write) -> io::Result<()>;

    /// A detector with the options of this one and the state of this version in `input`.
    fn read_state(&self, version: u32, input: Reader<'_>) -> Result<Self, Unusable>;
}

/// Makes sure that a snapshot can be kept at `path`: creates the folder if only that is missing (mode 0750), and checks whether
/// the file can be read and written, without changing it. Returns how it is going to be written.
///
/// # Errors
/// [`SnapshotError::Io`] with the reason why it cannot.
pub fn prepare(path: &Path) -> Result<Way, SnapshotError> {
    state_file::prepare(path).map_err(|source| io_error(path, source))
}

fn io_error(path: &Path, source: io::Error) -> SnapshotError {
    SnapshotError::Io {
        path: path.to_owned(),
        source,
    }
}

/// Writes the output of `fill` to the file at `path`, so that a reader finds either the old snapshot or the new one, whole.
///
/// A symbolic link is followed. If the file cannot be replaced and is written in place ([`Way::InPlace`]), that holds as long as
/// its folder has space for a copy; without one, a crash during the write leaves a file that is found to be corrupt.
fn write_file(
    path: &Path,
    fill: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
) -> Result<(), SnapshotError> {
    state_file::write(path, fill).map_err(|source| io_error(path, source))
}

/// Saves `detector` to the file at `path`.
pub(crate) fn save<T: Saved>(detector: &T, path: &Path) -> Result<(), SnapshotError> {
    write_file(path, &mut |out| container::write(detector, out).map(drop))
}

/// The state of `detector`, in memory.
pub(crate) fn take<T: Saved>(detector: &T) -> Snapshot {
    let mut chunks = Snapshot::default();
    container::write(detector, &mut chunks).expect("writing to memory cannot fail");
    chunks
}

/// Replaces `detector` by the one in the snapshot `bytes`; it is unchanged on failure.
pub(crate) fn restore<T: Saved>(detector: &mut T, bytes: &[u8]) -> Result<(), Unusable> {
    let mut input = io::Cursor::new(bytes);
    let head = container::check::<T>(&mut input)?;
    *detector = container::read(detector, &head, &mut input)?;
    Ok(())
}

/// Replaces `detector` by the one in the file at `path`; `false` if there is no such file, or an empty one. A file that cannot be
/// used is renamed; `detector` is then unchanged.
pub(crate) fn load<T: Saved>(detector: &mut T, path: &Path) -> Result<bool, SnapshotError> {
    let (mut head, mut reason) = (None, None);
    let mut is_whole = |file: &mut File| {
        match container::check::<T>(file) {
            Ok(found) => head = Some(found),
            // The problem with the file itself, not with a copy beside it.
            Err(error) => reason = reason.take().or(Some(error)),
        }
        head.is_some()
    };
    let mut file = match state_file::open(path, FILE_MAX_BYTES, &mut is_whole) {
        Ok(None) => return Ok(false),
        Ok(Some(file)) => file,
        Err(error) if error.kind() == ErrorKind::FileTooLarge => {
            let reason = Unusable::Large {
                bytes: std::fs::metadata(path).map_or(0, |m| m.len()),
                max: FILE_MAX_BYTES,
            };
            return Err(set_aside(path, reason));
        }
        Err(error) => return Err(io_error(path, error)),
    };
    let restored = match (head, reason) {
        (Some(head), _) => container::read(detector, &head, &mut file),
        (None, reason) => Err(reason.unwrap_or(Unusable::Foreign)),
    };
    *detector = restored.map_err(|reason| set_aside(path, reason))?;
    Ok(true)
}

/// The one in the file at `path`, which has at most `limit` bytes, with the options of `blank`. The file is an input that others
/// keep: it stays as it is, whatever is wrong with it.
///
/// # Errors
/// There is no such file, it is no regular file or too large, or it cannot be used.
pub(crate) fn read<T: Saved>(blank: &T, path: &Path, limit: u64) -> Result<T, Unusable> {
    let unreadable = |error: io::Error| Unusable::Unreadable(error.to_string());
    let mut head = Err(Unusable::Foreign);
    let mut is_whole = |file: &mut File| {
        head = container::check::<T>(file);
        head.is_ok()
    };
    let file = state_file::open(path, limit, &mut is_whole).map_err(unreadable)?;
    let mut file =
        file.ok_or_else(|| Unusable::Unreadable("there is no such file, or it is empty".into()))?;
    container::read(blank, &head?, &mut file)
}

/// Keeps the snapshot at `path` under another name, so that nothing overwrites it, and returns the error for it.
fn set_aside(path: &Path, reason: Unusable) -> SnapshotError {
    SnapshotError::Unusable {
        path: path.to_owned(),
        reason,
        set_aside: state_file::set_aside(path),
    }
}

/// Serializes an iterator as a sequence, one item at a time, without collecting it first.
pub(crate) struct LazySeq<F>(pub F);

impl<I, F> serde::Serialize for LazySeq<F>
where
    F: Fn() -> I,
    I: ExactSizeIterator<Item: serde::Serialize>,
{
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.0)())
    }
}

/// Deserializes a sequence and passes on each element, without collecting them.
pub(crate) struct ForEach<T, F> {
    take: F,
    element: PhantomData<T>,
}

impl<T, F: FnMut(T)> ForEach<T, F> {
    pub(crate) fn new(take: F) -> Self {
        let element = PhantomData;
        Self { take, element }
    }
}

impl<'de, T: Deserialize<'de>, F: FnMut(T)> DeserializeSeed<'de> for ForEach<T, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de, T: Deserialize<'de>, F: FnMut(T)> Visitor<'de> for ForEach<T, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
        while let Some(element) = elements.next_element()? {
            (self.take)(element);
        }
        Ok(())
    }
}

/// Writes a value in postcard's format, preserving the error of the operating system.
pub(crate) fn write_value(
    out: &mut dyn Write,
    value: &(impl serde::Serialize + ?Sized),
) -> io::Result<()> {
    struct Keeping<'a> {
        out: &'a mut dyn Write,
        error: io::Result<()>,
    }
    impl Write for &mut Keeping<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.out.write(bytes).map_err(|error| {
                let kind = error.kind();
                self.error = Err(error);
                kind.into()
            })
        }

        fn flush(&mut self) -> io::Result<()> {
            // The caller flushes when all is written.
            Ok(())
        }
    }
    let mut keeping = Keeping { out, error: Ok(()) };
    let written = postcard::to_io(value, &mut keeping).map(drop);
    keeping.error?;
    written.map_err(io::Error::other)
}

/// The options `names` with their values: a state can be used only with the same ones.
pub(crate) fn shape(options: &impl Options, names: &[&str]) -> Shape {
    let value = |name: &str| options.get(name).expect("an option's name");
    let pairs = names.iter().map(|name| (name.to_string(), value(name)));
    pairs.collect()
}

/// A pending event from its JSON. JSON tolerates keys that later versions add or drop, which the binary format cannot.
pub(crate) fn event_from_json(json: &str) -> Result<Event, Unusable> {
    serde_json::from_str(json).map_err(|e| Unusable::undecodable("an event in it", &e))
}

/// Names and values of the options that shape a detector's state: a snapshot made with others cannot be used.
pub(crate) type Shape = Vec<(String, String)>;

/// Checks that the state was made with the options of `now`.
pub(crate) fn same_shape(now: &Shape, then: &Shape) -> Result<(), Unusable> {
    match now.iter().zip(then).find(|(now, then)| now.1 != then.1) {
        Some(((name, now), (_, then))) => Err(Unusable::OtherOption {
            option: name.clone(),
            then: then.clone(),
            now: now.clone(),
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
