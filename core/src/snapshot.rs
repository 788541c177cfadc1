//! What a detector has learnt, saved to a file and restored from it.
//!
//! A snapshot survives a crash at any moment: it is written to a temporary file beside the old one, forced to the disk,
//! and renamed over it, or, where it cannot be renamed, written in place while the temporary file is the copy that remains
//! whole. It carries a version and a checksum; one that is damaged or of another version is set aside under another name, never
//! deleted and never half used.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::event::Event;
use crate::state_file;

pub use crate::state_file::Way;

/// The first bytes of every snapshot.
const MAGIC: [u8; 8] = *b"BELLWTHR";
/// The version of the file's layout and of every detector's state in it; a change to either raises it.
pub const VERSION: u32 = 1;
/// Magic, version, kind, length and checksum of the payload.
const HEADER_BYTES: usize = 8 + 4 + 4 + 8 + 4;
/// The largest file that is read as a snapshot.
const FILE_MAX: u64 = 4 << 30;

/// Which detector a snapshot belongs to.
pub type Tag = [u8; 4];

/// Why a snapshot was not restored.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The file could not be read or written.
    #[error("snapshot {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file's content cannot be used; it was set aside, so that the next save does not overwrite it.
    #[error("snapshot {}: {reason}; {}; starting without it", path.display(), match set_aside { Some(to) => format!("kept as {}", to.display()), None => "it can be neither renamed nor copied".into() })]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// Where it is kept now, or `None` where it can be neither renamed nor copied.
        set_aside: Option<PathBuf>,
    },
}

/// The bytes of a snapshot with `payload` as its content; [`payload`] is the way back.
pub fn bytes(tag: Tag, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + payload.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&tag);
    bytes.extend_from_slice(&(payload.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&crc32fast::hash(payload).to_le_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// Makes sure that a snapshot can be kept at `path`: creates the folder where only that is missing (mode 0750), and finds out
/// whether the file can be read and written, without changing it. Gives how it is going to be written.
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

/// Writes `payload` to `path` as a snapshot ([`write()`]).
///
/// # Errors
/// As [`write()`].
pub fn save(path: &Path, tag: Tag, payload: &[u8]) -> Result<(), SnapshotError> {
    write(path, &bytes(tag, payload))
}

/// Writes a snapshot's [`bytes`] to `path` so that a reader finds either the old snapshot or the new one, whole. A symbolic link is followed.
///
/// Where the file cannot be replaced and is written in place ([`Way::InPlace`]), that holds as long as its folder has room for a
/// copy; without one, a crash within the write leaves a file that is found to be damaged.
///
/// # Errors
/// Whatever the operating system says; the old snapshot, or a copy of the new one, is then still there.
pub fn write(path: &Path, snapshot: &[u8]) -> Result<(), SnapshotError> {
    state_file::write_bytes(path, snapshot).map_err(|source| io_error(path, source))
}

/// The bytes of a snapshot with a detector's `state` as its payload, and `more` behind it, which was added later.
pub(crate) fn to_bytes(tag: Tag, state: &impl Serialize, more: &impl Serialize) -> Vec<u8> {
    let mut payload = payload_of(state);
    payload.extend(payload_of(more));
    bytes(tag, &payload)
}

fn payload_of(state: &impl Serialize) -> Vec<u8> {
    postcard::to_stdvec(state).expect("the state has only types that can be written")
}

/// Puts in the place of `detector` what `restored` makes of it and the payload at `path`; `false` where there is no such file.
///
/// # Errors
/// As [`load`]. What `restored` cannot use is set aside likewise, with the reason that it gives; `detector` is then as it was.
pub(crate) fn load_state<T>(
    detector: &mut T,
    path: &Path,
    tag: Tag,
    restored: impl FnOnce(&T, &[u8]) -> Result<T, String>,
) -> Result<bool, SnapshotError> {
    let Some(payload) = load(path, tag)? else {
        return Ok(false);
    };
    match restored(detector, &payload) {
        Ok(state) => {
            *detector = state;
            Ok(true)
        }
        Err(reason) => Err(set_aside(path, reason)),
    }
}

/// What is said of a part of a payload that the checksum vouches for and that cannot be all the same.
pub(crate) fn senseless(part: &str, error: &dyn std::fmt::Display) -> String {
    format!("damaged: {part} makes no sense ({error})")
}

/// Reads the state that [`to_bytes`] wrote, and what is behind it, which an older snapshot does not have.
pub(crate) fn state<T: DeserializeOwned, M: DeserializeOwned + Default>(
    payload: &[u8],
) -> Result<(T, M), String> {
    let (state, rest) =
        postcard::take_from_bytes(payload).map_err(|e| senseless("its content", &e))?;
    let more = match rest {
        [] => M::default(),
        rest => postcard::from_bytes(rest).map_err(|e| senseless("what is behind it", &e))?,
    };
    Ok((state, more))
}

/// Events as they are saved: their keys come and go, which the binary form cannot say.
pub(crate) fn events_to_json<'a>(events: impl IntoIterator<Item = &'a Event>) -> Vec<String> {
    events.into_iter().map(Event::to_json).collect()
}

/// The way back from [`events_to_json`].
pub(crate) fn events_from_json(saved: &[String]) -> Result<VecDeque<Event>, String> {
    let events = saved.iter().map(|json| serde_json::from_str(json));
    events
        .collect::<Result<_, _>>()
        .map_err(|e| senseless("an event in it", &e))
}

/// Names and values of the options that shape a detector's state: a snapshot made with others cannot be used.
pub(crate) type Shape = Vec<(String, String)>;

/// Whether the state was made with the options of `now`, or which one is another.
pub(crate) fn same_shape(now: &Shape, then: &Shape) -> Result<(), String> {
    match now.iter().zip(then).find(|(now, then)| now.1 != then.1) {
        Some(((name, now), (_, then))) => Err(format!(
            "it was made with {name} = {then}, which is {now} now"
        )),
        None => Ok(()),
    }
}

/// Reads the payload that [`save`] wrote to `path`; `None` where there is no such file, or an empty one.
///
/// # Errors
/// [`SnapshotError::Io`] where the file cannot be read, [`SnapshotError::Unusable`] where it is damaged, of another version
/// or of another detector; it is then set aside.
pub fn load(path: &Path, tag: Tag) -> Result<Option<Vec<u8>>, SnapshotError> {
    let (mut payload, mut reason) = (None, None);
    let mut is_whole = |file: &mut File| {
        match read_payload(file, tag) {
            Ok(read) => payload = Some(read),
            // What is wrong with the file itself, not with a copy beside it.
            Err(error) => reason = reason.take().or(Some(error)),
        }
        payload.is_some()
    };
    match state_file::open(path, FILE_MAX, &mut is_whole) {
        Ok(None) => Ok(None),
        Ok(Some(_)) => match (payload, reason) {
            (Some(payload), _) => Ok(Some(payload)),
            (None, reason) => Err(set_aside(path, reason.unwrap_or_default())),
        },
        Err(error) if error.kind() == ErrorKind::FileTooLarge => {
            Err(set_aside(path, error.to_string()))
        }
        Err(error) => Err(io_error(path, error)),
    }
}

/// The payload of the snapshot in `file`, whose header is checked before memory is asked for the rest.
fn read_payload(file: &mut File, tag: Tag) -> Result<Vec<u8>, String> {
    let unreadable = |error: io::Error| format!("it cannot be read: {error}");
    let length = file.metadata().map_err(unreadable)?.len();
    let mut header = Vec::with_capacity(HEADER_BYTES);
    file.take(HEADER_BYTES as u64)
        .read_to_end(&mut header)
        .map_err(unreadable)?;
    let content = length.saturating_sub(HEADER_BYTES as u64);
    let checksum = checksum_in(&header, content, tag)?;
    let mut payload = Vec::new();
    payload
        .try_reserve_exact(usize::try_from(content).unwrap_or(usize::MAX))
        .map_err(|error| error.to_string())?;
    file.take(content)
        .read_to_end(&mut payload)
        .map_err(unreadable)?;
    verified(&payload, checksum)?;
    Ok(payload)
}

/// Keeps the snapshot at `path` under another name, so that nothing overwrites it, and gives the error that says so.
fn set_aside(path: &Path, reason: String) -> SnapshotError {
    SnapshotError::Unusable {
        path: path.to_owned(),
        reason,
        set_aside: state_file::set_aside(path),
    }
}

/// The payload within a snapshot's bytes, or what is wrong with them.
pub fn payload(bytes: &[u8], tag: Tag) -> Result<&[u8], String> {
    let (header, payload) = bytes.split_at(bytes.len().min(HEADER_BYTES));
    let checksum = checksum_in(header, payload.len() as u64, tag)?;
    verified(payload, checksum)?;
    Ok(payload)
}

fn verified(payload: &[u8], checksum: u32) -> Result<(), String> {
    if checksum == crc32fast::hash(payload) {
        Ok(())
    } else {
        Err("damaged: the checksum does not match the content".into())
    }
}

/// The checksum that a snapshot's header states for its payload of `content` bytes, or what is wrong with the header.
fn checksum_in(header: &[u8], content: u64, tag: Tag) -> Result<u32, String> {
    if header.len() < HEADER_BYTES {
        return Err(format!(
            "damaged: {} bytes are too few for a snapshot",
            header.len()
        ));
    }
    let word = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().expect("four bytes"));
    if header[..8] != MAGIC {
        return Err("this is not a snapshot of bellwether".into());
    }
    if word(8) != VERSION {
        return Err(format!(
            "it is of version {}, this is version {VERSION}",
            word(8)
        ));
    }
    if header[12..16] != tag {
        return Err(format!(
            "it is of detector \"{}\", not of \"{}\"",
            header[12..16].escape_ascii(),
            tag.escape_ascii()
        ));
    }
    let length = u64::from_le_bytes(header[16..24].try_into().expect("eight bytes"));
    if length != content {
        return Err(format!(
            "damaged: {content} bytes of content instead of {length}"
        ));
    }
    Ok(word(24))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state_file::beside;
    use std::fs;

    const TAG: Tag = *b"test";

    #[test]
    fn what_was_saved_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        assert!(load(&path, TAG).unwrap().is_none());
        save(&path, TAG, b"one").unwrap();
        save(&path, TAG, b"two").unwrap();
        assert_eq!(load(&path, TAG).unwrap().unwrap(), b"two");
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            1,
            "no temporary file is left"
        );
    }

    #[test]
    fn a_temporary_file_that_a_crash_left_is_neither_read_nor_in_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        save(&path, TAG, b"old").unwrap();
        fs::write(beside(&path, ".tmp"), b"half a snap").unwrap();
        assert_eq!(load(&path, TAG).unwrap().unwrap(), b"old");
        save(&path, TAG, b"new").unwrap();
        assert_eq!(load(&path, TAG).unwrap().unwrap(), b"new");
    }

    #[test]
    fn a_snapshot_that_a_crash_tore_in_place_is_taken_from_the_copy_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        save(&path, TAG, b"old and longer").unwrap();
        let old = fs::read(&path).unwrap();
        let new = bytes(TAG, b"new");
        fs::write(beside(&path, ".tmp"), &new).unwrap();
        for written in 1..new.len() {
            fs::write(&path, [&new[..written], &old[written..]].concat()).unwrap();
            let found = load(&path, TAG).unwrap().unwrap();
            let torn = payload(&fs::read(&path).unwrap(), TAG).is_err();
            let expected: &[u8] = if torn { b"new" } else { b"old and longer" };
            assert_eq!(found, expected, "{written} bytes written");
        }
    }

    #[test]
    fn every_single_flipped_bit_and_every_truncation_is_noticed_and_the_file_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        save(&path, TAG, b"content").unwrap();
        let whole = fs::read(&path).unwrap();
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(payload(&bytes, TAG).is_err(), "bit {bit}");
        }
        for len in 0..whole.len() {
            assert!(payload(&whole[..len], TAG).is_err(), "length {len}");
        }
        fs::write(&path, &whole[..20]).unwrap();
        let error = load(&path, TAG).unwrap_err().to_string();
        assert!(
            error.contains("damaged") && error.contains("state.unusable"),
            "{error}"
        );
        assert!(!path.exists() && beside(&path, ".unusable").exists());
    }

    #[test]
    fn another_version_and_another_detector_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        save(&path, TAG, b"content").unwrap();
        let mut bytes = fs::read(&path).unwrap();
        assert!(payload(&bytes, *b"else").unwrap_err().contains("\"test\""));
        bytes[8] = 9;
        assert!(payload(&bytes, TAG).unwrap_err().contains("version 9"));
    }

    #[test]
    fn four_gibibytes_of_zeros_are_set_aside_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        for (size, reason) in [
            (4 << 30, "not a snapshot"),
            ((4 << 30) + 1, "more than the"),
        ] {
            File::create(&path).unwrap().set_len(size).unwrap();
            let started = std::time::Instant::now();
            let error = load(&path, TAG).unwrap_err().to_string();
            assert!(
                error.contains(reason) && error.contains("state.unusable"),
                "{error}"
            );
            assert!(started.elapsed() < std::time::Duration::from_secs(5));
        }
    }
}
