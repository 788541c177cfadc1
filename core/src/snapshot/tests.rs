use super::container::{CONTAINER_VERSION, HEAD_BYTES};
use super::*;
use crate::state_file::beside;
use std::fs;

/// A detector whose whole state is a text.
#[derive(Debug, Clone, PartialEq)]
struct Text(String);

impl Saved for Text {
    const TAG: Tag = *b"test";
    const VERSION: u32 = 3;
    const OLDEST: u32 = 2;

    fn write_state(&self, out: &mut dyn Write) -> io::Result<()> {
        write_value(out, &self.0)
    }

    fn read_state(&self, _: u32, mut input: Reader<'_>) -> Result<Self, Unusable> {
        input.next("its text").map(Self)
    }
}

/// Another detector.
#[derive(Debug)]
struct Other;

impl Saved for Other {
    const TAG: Tag = *b"else";
    const VERSION: u32 = 3;
    const OLDEST: u32 = 1;

    fn write_state(&self, _: &mut dyn Write) -> io::Result<()> {
        Ok(())
    }

    fn read_state(&self, _: u32, _: Reader<'_>) -> Result<Self, Unusable> {
        Ok(Self)
    }
}

fn text(text: &str) -> Text {
    Text(text.to_owned())
}

fn loaded(path: &Path) -> Result<Option<Text>, SnapshotError> {
    let mut detector = text("before");
    let found = load(&mut detector, path)?;
    Ok(found.then_some(detector))
}

fn restored(bytes: &[u8]) -> Result<Text, Unusable> {
    let mut detector = text("before");
    restore(&mut detector, bytes).map(|()| detector)
}

#[test]
fn what_was_saved_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    assert!(loaded(&path).unwrap().is_none());
    save(&text("one"), &path).unwrap();
    save(&text("two"), &path).unwrap();
    assert_eq!(loaded(&path).unwrap().unwrap(), text("two"));
    let entries = fs::read_dir(folder.path()).unwrap();
    assert_eq!(entries.count(), 1, "no temporary file is left");
}

#[test]
fn a_snapshot_in_memory_has_the_bytes_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (saved, written) = (folder.path().join("saved"), folder.path().join("written"));
    for length in [0, 1, 70_000, 300_000] {
        let detector = Text("x".repeat(length));
        save(&detector, &saved).unwrap();
        let snapshot = take(&detector);
        snapshot.write(&written).unwrap();
        let bytes = fs::read(&saved).unwrap();
        assert_eq!(bytes, fs::read(&written).unwrap());
        assert_eq!(bytes, snapshot.to_vec());
        assert_eq!(bytes.len(), snapshot.len());
        assert_eq!(restored(&bytes).unwrap(), detector);
    }
}

#[test]
fn a_snapshot_torn_by_a_crash_is_replaced_by_the_copy_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let old = take(&text("old and longer")).to_vec();
    let new = take(&text("new")).to_vec();
    fs::write(beside(&path, ".tmp"), &new).unwrap();
    for written in 1..new.len() {
        fs::write(&path, [&new[..written], &old[written..]].concat()).unwrap();
        let is_torn = restored(&fs::read(&path).unwrap()).is_err();
        let expected = if is_torn { "new" } else { "old and longer" };
        let found = loaded(&path).unwrap().unwrap();
        assert_eq!(found, text(expected), "{written} bytes written");
    }
}

#[test]
fn every_flipped_bit_and_every_truncation_is_detected() {
    let whole = take(&text("content")).to_vec();
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(restored(&bytes).is_err(), "bit {bit}");
    }
    for len in 0..whole.len() {
        assert!(restored(&whole[..len]).is_err(), "length {len}");
    }
    assert!(restored(&[&whole[..], b"x"].concat()).is_err());
}

#[test]
fn a_file_that_cannot_be_used_is_kept_under_another_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let whole = take(&text("content")).to_vec();
    fs::write(&path, &whole[..HEAD_BYTES]).unwrap();
    let error = loaded(&path).unwrap_err().to_string();
    assert!(
        error.contains("corrupt") && error.contains("state.unusable"),
        "{error}"
    );
    assert!(!path.exists() && beside(&path, ".unusable").exists());
}

#[test]
fn another_version_and_another_detector_are_named() {
    let whole = take(&text("content")).to_vec();
    let error = restore(&mut Other, &whole).unwrap_err();
    assert_eq!(
        error,
        Unusable::OtherDetector {
            found: *b"test",
            wanted: *b"else"
        }
    );
    let with = |at: usize, version: u32| {
        let mut bytes = whole.clone();
        bytes[at..at + 4].copy_from_slice(&version.to_le_bytes());
        restored(&bytes).unwrap_err()
    };
    let newer = Unusable::Version {
        of: "container",
        found: CONTAINER_VERSION + 1,
        oldest: 1,
        newest: CONTAINER_VERSION,
    };
    assert_eq!(with(8, CONTAINER_VERSION + 1), newer);
    for version in [1, 4] {
        let unread = Unusable::Version {
            of: "state",
            found: version,
            oldest: 2,
            newest: 3,
        };
        assert_eq!(with(16, version), unread);
    }
    // The previous version is read; only the checksum does not match.
    assert_eq!(with(16, 2), Unusable::Checksum);
}

#[test]
fn an_empty_file_is_a_first_start_and_a_foreign_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    fs::write(&path, b"").unwrap();
    assert!(loaded(&path).unwrap().is_none());
    fs::write(&path, b"[Unit]\nDescription=something else\n").unwrap();
    let error = loaded(&path).unwrap_err();
    let reason = match error {
        SnapshotError::Unusable { reason, .. } => reason,
        SnapshotError::Io { source, .. } => panic!("{source}"),
    };
    assert_eq!(reason, Unusable::Foreign);
}

#[test]
fn a_full_disk_is_reported_as_such() {
    if !Path::new("/dev/full").exists() {
        return;
    }
    let mut full = fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let detector = Text("x".repeat(1 << 20));
    let error = container::write(&detector, &mut full).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull);
}
