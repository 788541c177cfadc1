//! How a file of state is kept on the disk.
//!
//! It is replaced by renaming a new file over it, so that a crash at any moment leaves the old state or the new one, whole. Where
//! that cannot be (the file is a mount of its own, as a file that is mounted into a container, or its folder may not be written
//! to) it is overwritten in place. A whole copy then stands beside it until it is on the disk, where the folder allows that: a
//! reader that finds the file torn takes the copy. A symbolic link is followed and stays; what it leads to is replaced.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// The mode of a folder that is created: what logs say is nobody else's business.
const FOLDER_MODE: u32 = 0o750;
/// The mode of a file that is created.
const FILE_MODE: u32 = 0o640;
/// The bit of a mode that lets every user write.
const WRITABLE_BY_ALL: u32 = 0o002;
/// The most symbolic links in a row, as Linux has it.
const LINKS_MAX: usize = 40;

/// How a file of state is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// A new file is renamed over it.
    Replaced,
    /// In place, because the system does not let it be replaced.
    InPlace,
}

/// `path` with `suffix` added to its file name.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Where the whole copy stands while a file is written.
fn copy_of(real: &Path) -> PathBuf {
    beside(real, ".tmp")
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The metadata of what is at `path`, a link itself where it is one; `None` where there is nothing.
fn there(path: &Path) -> io::Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// The file that `path` leads to, which need not exist.
///
/// # Errors
/// A link that any user could have made is not followed: it could lead to a file that only this process may write.
pub(crate) fn resolved(path: &Path) -> io::Result<PathBuf> {
    let mut real = path.to_owned();
    for _ in 0..LINKS_MAX {
        if !there(&real)?.is_some_and(|m| m.is_symlink()) {
            return Ok(real);
        }
        let folder = folder_of(&real);
        if fs::metadata(folder)?.mode() & WRITABLE_BY_ALL != 0 {
            return Err(io::Error::other(format!(
                "{} is a symbolic link in a folder that every user may write to",
                real.display()
            )));
        }
        real = folder.join(fs::read_link(&real)?);
    }
    Err(io::Error::other(format!(
        "more than {LINKS_MAX} symbolic links follow each other"
    )))
}

/// Makes sure that state can be kept at `path`: creates the folder where only that is missing, and finds out whether the file can
/// be read and written, without changing it. Gives how it is going to be written.
///
/// # Errors
/// Why it cannot.
pub(crate) fn prepare(path: &Path) -> io::Result<Way> {
    let real = resolved(path)?;
    create_folder(folder_of(&real))?;
    let exists = match there(&real)? {
        Some(metadata) if !metadata.is_file() => {
            return Err(io::Error::other("it is not a regular file"));
        }
        Some(_) => {
            let mut options = OpenOptions::new();
            options.read(true).write(true);
            options
                .open(&real)
                .map_err(|error| because("the file cannot be read and written", &error))?;
            true
        }
        None => false,
    };
    match try_folder(&real) {
        Err(error) if exists && is_refusal(&error) => Ok(Way::InPlace),
        Err(error) => Err(because(
            &format!(
                "its folder {} cannot be written to",
                folder_of(&real).display()
            ),
            &error,
        )),
        Ok(()) if exists && is_mount(&real) => Ok(Way::InPlace),
        Ok(()) => Ok(Way::Replaced),
    }
}

/// Whether the file `real` is a mount of its own, which can be neither renamed nor renamed over.
fn is_mount(real: &Path) -> bool {
    let folder = folder_of(real);
    let device = |path| fs::metadata(path).map(|m| m.dev()).ok();
    if device(folder) != device(real) {
        return true;
    }
    // A file that is mounted from the same device.
    let (Ok(folder), Some(name)) = (folder.canonicalize(), real.file_name()) else {
        return false;
    };
    let real = folder.join(name);
    let mounts = fs::read("/proc/self/mountinfo").unwrap_or_default();
    let mut points = mounts
        .split(|&byte| byte == b'\n')
        .filter_map(|line| line.split(|&byte| byte == b' ').nth(4));
    points.any(|point| unescaped(point) == real.as_os_str().as_bytes())
}

/// A path of the system's table of mounts, in which white space and backslashes are octal numbers.
fn unescaped(path: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((&byte, after)) = rest.split_first() {
        let number = match (byte, after) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..]) => {
                Some((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'))
            }
            _ => None,
        };
        plain.push(number.unwrap_or(byte));
        rest = if number.is_some() { &after[3..] } else { after };
    }
    plain
}

fn because(what: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}

fn create_folder(folder: &Path) -> io::Result<()> {
    match fs::metadata(folder) {
        Ok(metadata) if metadata.is_dir() => return Ok(()),
        Ok(_) => {
            return Err(io::Error::other(format!(
                "{} is not a folder",
                folder.display()
            )));
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => {
            return Err(because(
                &format!("its folder {} cannot be used", folder.display()),
                &error,
            ));
        }
    }
    match DirBuilder::new().mode(FOLDER_MODE).create(folder) {
        // Another process may have been quicker.
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(because(
            &format!(
                "its folder {} does not exist and cannot be created",
                folder.display()
            ),
            &error,
        )),
        _ => Ok(()),
    }
}

/// Whether a file can be created beside `real`.
fn try_folder(real: &Path) -> io::Result<()> {
    let probe = beside(real, &format!(".probe.{}", std::process::id()));
    create_new(&probe)?;
    fs::remove_file(probe)
}

/// Creates a file that nobody else has prepared: not through a link, either.
fn create_new(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(path)
}

/// Whether the system forbids something, rather than fails at it.
fn is_refusal(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
    )
}

/// Whether a rename fails because of what the file is: a mount of its own, or another user's in a folder such as /tmp.
fn cannot_be_replaced(error: &io::Error) -> bool {
    is_refusal(error)
        || matches!(
            error.kind(),
            ErrorKind::ResourceBusy | ErrorKind::CrossesDevices
        )
}

/// Writes `bytes` to the file at `path`.
///
/// # Errors
/// Whatever the system says. What can be read then is the old state or the new one, whole, except where the file had to be
/// overwritten in place with no copy beside it.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let real = resolved(path)?;
    let copy = copy_of(&real);
    let old = fs::metadata(&real).ok();
    match write_new(&copy, bytes, old.as_ref()) {
        Ok(()) => {}
        Err(error) if old.is_some() && is_refusal(&error) => return overwrite(&real, bytes),
        Err(error) => {
            fs::remove_file(&copy).ok();
            return Err(error);
        }
    }
    match fs::rename(&copy, &real) {
        Ok(()) => {
            // The rename itself lives in the folder, so it is on the disk only once the folder is.
            sync_folder(&real)
        }
        Err(error) if old.is_some() && cannot_be_replaced(&error) => {
            sync_folder(&real)?;
            // Where this fails or a crash ends it, the copy stays: it is the state then.
            overwrite(&real, bytes)?;
            fs::remove_file(&copy)
        }
        Err(error) => {
            fs::remove_file(&copy).ok();
            Err(error)
        }
    }
}

/// Writes a new file, with the permissions of the one that it is to replace.
fn write_new(path: &Path, bytes: &[u8], old: Option<&Metadata>) -> io::Result<()> {
    let mut file = create_new(path)?;
    if let Some(old) = old {
        file.set_permissions(old.permissions())?;
    }
    file.write_all(bytes)?;
    file.sync_all()
}

fn overwrite(real: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(real)?;
    file.write_all(bytes)?;
    file.set_len(bytes.len() as u64)?;
    file.sync_all()
}

fn sync_folder(real: &Path) -> io::Result<()> {
    File::open(folder_of(real))?.sync_all()
}

/// The bytes of the file at `path`; `None` where there is none, or an empty one, as containers have mounted before the first start.
///
/// `is_whole` says whether bytes can be used: where those of the file cannot and those of a copy beside it can, they are the ones.
pub(crate) fn read(path: &Path, is_whole: impl Fn(&[u8]) -> bool) -> io::Result<Option<Vec<u8>>> {
    let real = resolved(path)?;
    let bytes = match fs::read(&real) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if is_whole(&bytes) {
        return Ok(Some(bytes));
    }
    let copy = there(&copy_of(&real))?
        .filter(Metadata::is_file)
        .and_then(|_| fs::read(copy_of(&real)).ok())
        .filter(|bytes| is_whole(bytes));
    Ok(copy.or((!bytes.is_empty()).then_some(bytes)))
}

/// Keeps what is at `path` under another name, so that nothing overwrites it; the new name, or `None` where that cannot be.
pub(crate) fn set_aside(path: &Path) -> Option<PathBuf> {
    let real = resolved(path).ok()?;
    let free = (0..100)
        .map(|i| match i {
            0 => beside(&real, ".unusable"),
            i => beside(&real, &format!(".unusable.{i}")),
        })
        .find(|candidate| matches!(there(candidate), Ok(None)))?;
    // A mount of its own cannot be renamed.
    let kept = fs::rename(&real, &free).is_ok() || copied(&real, &free).is_ok();
    kept.then_some(free)
}

fn copied(from: &Path, to: &Path) -> io::Result<()> {
    let bytes = fs::read(from)?;
    let old = fs::metadata(from)?;
    write_new(to, &bytes, Some(&old))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<String> = entries
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_missing_folder_is_created_for_this_user_and_group_alone() {
        let folder = folder();
        let path = folder.path().join("bellwether/state");
        assert_eq!(prepare(&path).unwrap(), Way::Replaced);
        let mode = fs::metadata(path.parent().unwrap()).unwrap().mode();
        assert_eq!(mode & 0o777 & !0o750, 0, "{mode:o}");
        assert!(names(path.parent().unwrap()).is_empty());
        write(&path, b"state").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o007, 0);
    }

    #[test]
    fn what_cannot_keep_state_is_refused_with_the_reason() {
        let folder = folder();
        let file = folder.path().join("file");
        fs::write(&file, "a file").unwrap();
        for (path, reason) in [
            (
                folder.path().join("no/such/state"),
                "no/such does not exist and cannot be created",
            ),
            (file.join("state"), "file is not a folder"),
            (folder.path().to_owned(), "it is not a regular file"),
            (
                "/proc/bellwether.state".into(),
                "its folder /proc cannot be written to",
            ),
            (
                "/proc/bellwether/state".into(),
                "/proc/bellwether does not exist and cannot be created",
            ),
        ] {
            let error = prepare(&path).unwrap_err().to_string();
            assert!(error.contains(reason), "{path:?}: {error}");
        }
    }

    #[test]
    fn preparing_changes_nothing_of_a_state_that_is_there() {
        let folder = folder();
        let path = folder.path().join("state");
        write(&path, b"learned").unwrap();
        fs::write(copy_of(&path), b"the copy of a save that a crash ended").unwrap();
        let before = fs::metadata(&path).unwrap();
        prepare(&path).unwrap();
        let after = fs::metadata(&path).unwrap();
        assert_eq!(
            (before.ino(), before.mtime_nsec()),
            (after.ino(), after.mtime_nsec())
        );
        assert_eq!(names(folder.path()), ["state", "state.tmp"]);
    }

    #[test]
    fn a_symbolic_link_stays_and_what_it_leads_to_is_replaced() {
        let folder = folder();
        let link = folder.path().join("link");
        fs::create_dir(folder.path().join("volume")).unwrap();
        symlink("volume/state", &link).unwrap();
        prepare(&link).unwrap();
        for bytes in [b"one", b"two"] {
            write(&link, bytes).unwrap();
        }
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(
            fs::read(folder.path().join("volume/state")).unwrap(),
            b"two"
        );
        assert_eq!(
            set_aside(&link).unwrap(),
            folder.path().join("volume/state.unusable")
        );
    }

    #[test]
    fn a_link_that_any_user_could_have_made_is_not_followed() {
        let folder = folder();
        let precious = folder.path().join("precious");
        fs::write(&precious, "the password file").unwrap();
        let shared = folder.path().join("shared");
        fs::create_dir(&shared).unwrap();
        fs::set_permissions(&shared, fs::Permissions::from_mode(0o1777)).unwrap();
        let link = shared.join("state");
        symlink(&precious, &link).unwrap();
        for error in [
            prepare(&link).unwrap_err(),
            write(&link, b"state").unwrap_err(),
            read(&link, |_| true).unwrap_err(),
        ] {
            let error = error.to_string();
            assert!(error.contains("every user may write to"), "{error}");
        }
        assert_eq!(set_aside(&link), None);
        // Nor is what another user put where the copy goes.
        fs::remove_file(&link).unwrap();
        symlink(&precious, copy_of(&link)).unwrap();
        write(&link, b"state").unwrap();
        assert_eq!(fs::read(&precious).unwrap(), b"the password file");
    }

    #[test]
    fn a_path_of_the_table_of_mounts_is_read_as_it_was_written() {
        let plain = unescaped(br"/a\040b\134c\011\xd\");
        assert_eq!(plain, b"/a b\\c\t\\xd\\");
    }

    #[test]
    fn a_file_in_the_table_of_mounts_is_told_from_others() {
        // Some container runtimes mount these; where none does, there is nothing to see.
        for file in ["/etc/hostname", "/etc/hosts", "/etc/resolv.conf"] {
            let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
            let listed = table
                .lines()
                .any(|line| line.split(' ').nth(4) == Some(file));
            if listed && Path::new(file).is_file() {
                assert!(is_mount(Path::new(file)), "{file}");
            }
        }
        let folder = folder();
        fs::write(folder.path().join("state"), "").unwrap();
        assert!(!is_mount(&folder.path().join("state")));
    }

    #[test]
    fn links_that_go_round_in_circles_are_refused() {
        let folder = folder();
        let link = folder.path().join("link");
        symlink("link", &link).unwrap();
        assert!(prepare(&link).unwrap_err().to_string().contains("links"));
    }

    #[test]
    fn a_torn_file_is_replaced_by_the_whole_copy_beside_it() {
        let folder = folder();
        let path = folder.path().join("state");
        fs::write(&path, "ne").unwrap();
        fs::write(copy_of(&path), "new").unwrap();
        let is_whole = |bytes: &[u8]| bytes.len() == 3;
        assert_eq!(read(&path, is_whole).unwrap().unwrap(), b"new");
        fs::write(copy_of(&path), "n").unwrap();
        assert_eq!(read(&path, is_whole).unwrap().unwrap(), b"ne");
        fs::write(&path, "old").unwrap();
        fs::write(copy_of(&path), "new").unwrap();
        assert_eq!(read(&path, is_whole).unwrap().unwrap(), b"old");
    }

    #[test]
    fn an_empty_file_is_no_state_yet() {
        let folder = folder();
        let path = folder.path().join("state");
        File::create(&path).unwrap();
        assert_eq!(read(&path, |bytes| !bytes.is_empty()).unwrap(), None);
    }
}
