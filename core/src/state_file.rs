//! How a file of state is kept on the disk.
//!
//! **Writing.** The new state goes to a temporary file with a random name in the same folder, which is forced to the disk and
//! renamed over the old one, so that a crash at any moment leaves the old state or the new one, whole. Where the file cannot be
//! replaced (it is a mount of its own, as a file that is mounted into a container, or its folder is read-only) it is overwritten
//! in place. A complete copy then stands beside it as `NAME.tmp` until it is on the disk, where the folder allows that: a reader
//! that finds the file torn takes the copy.
//!
//! **Reading.** Only a regular file within a size limit is opened. The caller checks its content as a stream, so that a wrong
//! header ends the reading before anything is allocated for the rest.
//!
//! **Links.** A symbolic link is followed and stays; what it leads to is replaced. A link in a folder that every user may write
//! to is refused, and nothing is ever opened through a link that appears between the check and the opening.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Seek as _, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown,
};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::rand::GetRandomFlags;

/// The mode of a folder that is created: what logs say is nobody else's business.
const FOLDER_MODE: u32 = 0o750;
/// The mode of a file that is created.
const FILE_MODE: u32 = 0o600;
/// The bits of an old file's mode that a new one takes over.
const PERMISSIONS: u32 = 0o777;
/// The bit of a mode that lets every user write.
const WRITABLE_BY_ALL: u32 = 0o002;
/// The most symbolic links that follow each other, as Linux has it.
const LINKS_MAX: usize = 40;
/// Bytes that are collected before they are handed to the system.
const BUFFER_BYTES: usize = 64 << 10;
/// The random part of a temporary file's name, as bytes and as hexadecimal digits.
const RANDOM_BYTES: usize = 8;
const RANDOM_DIGITS: usize = 2 * RANDOM_BYTES;
/// A temporary file that has not changed for this long was left by a crash.
const STALE: Duration = Duration::from_secs(600);

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

/// Where the complete copy stands while a file is overwritten in place.
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

fn not_regular() -> io::Error {
    io::Error::other("it is not a regular file")
}

/// The metadata of the old state at `real`; `None` where there is none.
///
/// # Errors
/// Something else than a regular file is there, as a device or a folder: it is neither read nor replaced.
fn old_state(real: &Path) -> io::Result<Option<Metadata>> {
    let old = there(real)?;
    match &old {
        Some(metadata) if !metadata.is_file() => Err(not_regular()),
        _ => Ok(old),
    }
}

/// Opens an existing file that has to be a regular one, not through a link. Never blocks, as opening a named pipe would.
fn open_regular(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let file = options
        .custom_flags(flags(OFlags::NOFOLLOW | OFlags::NONBLOCK))
        .open(path)?;
    // Of what was opened, not of what may have taken its place since.
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(not_regular())
    }
}

fn flags(flags: OFlags) -> i32 {
    // The flags of `open` are an `int` in C.
    flags.bits().cast_signed()
}

/// Makes sure that state can be kept at `path`: creates the folder where only that is missing, and finds out whether the file can
/// be read and written, without changing it. Gives how it is going to be written.
///
/// # Errors
/// Why it cannot.
pub(crate) fn prepare(path: &Path) -> io::Result<Way> {
    let real = resolved(path)?;
    create_folder(folder_of(&real))?;
    let exists = old_state(&real)?.is_some();
    if exists {
        open_regular(&real, OpenOptions::new().read(true).write(true))
            .map_err(|error| because("the file cannot be read and written", &error))?;
    }
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
    Temporary::create(real).map(drop)
}

/// A new file beside a file of state, deleted when it is dropped unless it is [renamed](Temporary::rename).
#[derive(Debug)]
struct Temporary {
    path: PathBuf,
    file: File,
    renamed: bool,
}

impl Temporary {
    /// Creates one that only this user can read. Its name cannot be foretold, and nothing that exists is opened.
    fn create(real: &Path) -> io::Result<Self> {
        let mut random = [0; RANDOM_BYTES];
        // So few bytes come at once.
        rustix::rand::getrandom(&mut random, GetRandomFlags::empty())?;
        Self::create_as(temporary_path(real, u64::from_ne_bytes(random)))
    }

    fn create_as(path: PathBuf) -> io::Result<Self> {
        // `O_EXCL` comes with `create_new`, `O_CLOEXEC` with every file that Rust opens.
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(FILE_MODE)
            .custom_flags(flags(OFlags::NOFOLLOW))
            .open(&path)?;
        Ok(Self {
            path,
            file,
            renamed: false,
        })
    }

    /// Forces it to the disk, with owner and permissions of the file that it is going to replace.
    fn finish(&self, old: Option<&Metadata>) -> io::Result<()> {
        if let Some(old) = old {
            let new = self.file.metadata()?;
            if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
                // Only root may give files away. For others the new file is their own, as it would be without an old one.
                fchown(&self.file, Some(old.uid()), Some(old.gid())).ok();
            }
            let mode = old.mode() & PERMISSIONS;
            self.file
                .set_permissions(fs::Permissions::from_mode(mode))?;
        }
        self.file.sync_all()
    }

    fn rename(&mut self, to: &Path) -> io::Result<()> {
        fs::rename(&self.path, to)?;
        self.renamed = true;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.renamed {
            fs::remove_file(&self.path).ok();
        }
    }
}

/// The temporary file of the state `real` with this random number: `.NAME.0123456789abcdef.tmp`.
fn temporary_path(real: &Path, random: u64) -> PathBuf {
    let mut name = OsStr::new(".").to_owned();
    name.push(real.file_name().unwrap_or_default());
    name.push(format!(".{random:0RANDOM_DIGITS$x}.tmp"));
    folder_of(real).join(name)
}

/// Whether `name` is one that [`temporary_path`] gives for the state with the file name `state`.
fn is_temporary(name: &[u8], state: &[u8]) -> bool {
    let random = name
        .strip_prefix(b".")
        .and_then(|name| name.strip_prefix(state))
        .and_then(|name| name.strip_prefix(b"."))
        .and_then(|name| name.strip_suffix(b".tmp"));
    random.is_some_and(|digits| {
        digits.len() == RANDOM_DIGITS
            && digits
                .iter()
                .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
    })
}

/// Deletes temporary files of the same state that crashes left: regular files of the same owner as `new`, with a name of ours,
/// that are older than it by [`STALE`]. The comparison needs no clock, which may differ from that of a network file system.
fn delete_stale(real: &Path, new: &Metadata) {
    let (Some(state), Ok(entries)) = (real.file_name(), fs::read_dir(folder_of(real))) else {
        return;
    };
    let is_stale = |metadata: &Metadata| {
        let age = new
            .modified()
            .and_then(|new| Ok((new, metadata.modified()?)))
            .map(|(new, old)| new.duration_since(old).unwrap_or_default());
        metadata.is_file() && metadata.uid() == new.uid() && age.is_ok_and(|age| age >= STALE)
    };
    for entry in entries.flatten() {
        // The metadata is the entry's own, not that of what a link leads to.
        if is_temporary(entry.file_name().as_bytes(), state.as_bytes())
            && entry.metadata().is_ok_and(|metadata| is_stale(&metadata))
        {
            fs::remove_file(entry.path()).ok();
        }
    }
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

/// Fills a writer with the new state.
pub(crate) type Fill<'a> = &'a mut dyn FnMut(&mut dyn Write) -> io::Result<()>;

/// Writes what `fill` writes to the file at `path`. It is called at most once; its errors are passed on.
///
/// # Errors
/// Whatever the system says. What can be read then is the old state or the new one, whole, except where the file had to be
/// overwritten in place with no copy beside it.
pub(crate) fn write(path: &Path, fill: Fill<'_>) -> io::Result<()> {
    let real = resolved(path)?;
    let old = old_state(&real)?;
    let mut new = match Temporary::create(&real) {
        Ok(new) => new,
        Err(error) if old.is_some() && is_refusal(&error) => return overwrite(&real, fill),
        Err(error) => return Err(error),
    };
    delete_stale(&real, &new.file.metadata()?);
    fill_buffered(&new.file, fill)?;
    new.finish(old.as_ref())?;
    match new.rename(&real) {
        Ok(()) => {
            // The copy of a save in place that failed earlier: it is older than what is there now.
            delete_copy(&real);
            // The rename itself lives in the folder, so it is on the disk only once the folder is.
            sync_folder(&real)
        }
        Err(error) if old.is_some() && cannot_be_replaced(&error) => copy_over(&real, new),
        Err(error) => Err(error),
    }
}

fn fill_buffered(file: &File, fill: Fill<'_>) -> io::Result<()> {
    let mut writer = BufWriter::with_capacity(BUFFER_BYTES, file);
    fill(&mut writer)?;
    writer.flush()
}

/// Overwrites `real` in place with the complete file `new`, which is the copy beside it meanwhile.
fn copy_over(real: &Path, mut new: Temporary) -> io::Result<()> {
    // Where something that is not ours has the copy's name, the file is overwritten without one, as in a read-only folder.
    let has_copy = new.rename(&copy_of(real)).is_ok();
    sync_folder(real)?;
    // Where this fails or a crash ends it, the copy stays: it is the state then.
    overwrite(real, &mut |writer| {
        new.file.rewind()?;
        io::copy(&mut new.file, writer).map(drop)
    })?;
    if has_copy {
        delete_copy(real);
    }
    Ok(())
}

fn overwrite(real: &Path, fill: Fill<'_>) -> io::Result<()> {
    let mut file = open_regular(real, OpenOptions::new().write(true))?;
    fill_buffered(&file, fill)?;
    let length = file.stream_position()?;
    file.set_len(length)?;
    file.sync_all()
}

fn delete_copy(real: &Path) {
    fs::remove_file(copy_of(real)).ok();
}

fn sync_folder(real: &Path) -> io::Result<()> {
    File::open(folder_of(real))?.sync_all()
}

/// Opens the file at `path` for reading, from its start; `None` where there is none, or an empty one, as containers have mounted
/// before the first start.
///
/// `is_whole` says whether a file can be used. It gets the file, opened at its start, and should look at the header before it
/// reads on. Where it refuses the file and accepts the copy beside it, that is opened instead; where it accepts neither, the file
/// is, for the caller to say what is wrong with it.
///
/// # Errors
/// [`ErrorKind::FileTooLarge`] where the file has more than `limit` bytes and no copy can be used. It is not a regular file, or
/// whatever the system says.
pub(crate) fn open(
    path: &Path,
    limit: u64,
    is_whole: &mut dyn FnMut(&mut File) -> bool,
) -> io::Result<Option<File>> {
    let real = resolved(path)?;
    let mut file = match open_regular(&real, OpenOptions::new().read(true)) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    let fits = metadata.len() <= limit;
    if fits && metadata.len() > 0 && is_whole(&mut file) {
        file.rewind()?;
        return Ok(Some(file));
    }
    if let Some(mut copy) = open_copy(&real, &metadata, limit)
        && is_whole(&mut copy)
    {
        copy.rewind()?;
        return Ok(Some(copy));
    }
    if !fits {
        return Err(io::Error::new(
            ErrorKind::FileTooLarge,
            format!(
                "it has {} bytes, more than the {limit} that a state can have",
                metadata.len()
            ),
        ));
    }
    file.rewind()?;
    Ok((metadata.len() > 0).then_some(file))
}

/// The copy beside a file with the metadata `state`, where there is one that this process, or whoever made the file, has written:
/// in a folder such as /tmp it could be anybody's.
fn open_copy(real: &Path, state: &Metadata, limit: u64) -> Option<File> {
    let copy = open_regular(&copy_of(real), OpenOptions::new().read(true)).ok()?;
    let metadata = copy.metadata().ok()?;
    let owner = metadata.uid();
    let is_trusted = owner == rustix::process::geteuid().as_raw() || owner == state.uid();
    (is_trusted && (1..=limit).contains(&metadata.len())).then_some(copy)
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
    let mut file = open_regular(from, OpenOptions::new().read(true))?;
    let mut copy = Temporary::create(to)?;
    io::copy(&mut file, &mut copy.file)?;
    copy.finish(Some(&file.metadata()?))?;
    copy.rename(to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::env;
    use std::io::Read as _;
    use std::os::unix::fs::symlink;
    use std::process::{Command, Stdio};
    use std::time::{Instant, SystemTime};

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    const LIMIT: u64 = 1 << 20;

    /// [`write()`](super::write()) of what is in memory already.
    fn write_bytes(path: &Path, bytes: &[u8]) -> io::Result<()> {
        write(path, &mut |writer| writer.write_all(bytes))
    }

    /// The content of what [`open`] gives.
    fn read(path: &Path, is_whole: impl Fn(&[u8]) -> bool) -> io::Result<Option<Vec<u8>>> {
        let content = |file: &mut File| {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            bytes
        };
        let file = open(path, LIMIT, &mut |file| is_whole(&content(file)))?;
        Ok(file.map(|mut file| content(&mut file)))
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

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
        write_bytes(&path, b"state").unwrap();
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
        write_bytes(&path, b"learned").unwrap();
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
            write_bytes(&link, bytes).unwrap();
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
            write_bytes(&link, b"state").unwrap_err(),
            open(&link, LIMIT, &mut |_| true).unwrap_err(),
        ] {
            let error = error.to_string();
            assert!(error.contains("every user may write to"), "{error}");
        }
        assert_eq!(set_aside(&link), None);
        // Nor is what another user put where the copy goes, neither to write nor to read it.
        fs::remove_file(&link).unwrap();
        symlink(&precious, copy_of(&link)).unwrap();
        fs::write(&link, "torn").unwrap();
        let is_whole = |bytes: &[u8]| bytes == b"the password file";
        assert_eq!(read(&link, is_whole).unwrap().unwrap(), b"torn");
        write_bytes(&link, b"state").unwrap();
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

    #[test]
    fn a_link_that_leads_nowhere_is_followed_when_the_state_is_written() {
        let folder = folder();
        let link = folder.path().join("link");
        symlink("target", &link).unwrap();
        assert_eq!(read(&link, |_| true).unwrap(), None);
        assert_eq!(prepare(&link).unwrap(), Way::Replaced);
        write_bytes(&link, b"state").unwrap();
        assert_eq!(read(&link, |_| true).unwrap().unwrap(), b"state");
        assert_eq!(names(folder.path()), ["link", "target"]);
    }

    #[test]
    fn a_new_file_is_for_this_user_alone_and_an_old_one_keeps_its_mode() {
        let folder = folder();
        let path = folder.path().join("state");
        write_bytes(&path, b"new").unwrap();
        assert_eq!(mode(&path), 0o600);
        for old in [0o640, 0o664, 0o600] {
            fs::set_permissions(&path, fs::Permissions::from_mode(old)).unwrap();
            write_bytes(&path, b"newer").unwrap();
            assert_eq!(mode(&path), old, "{old:o}");
        }
    }

    #[test]
    fn what_is_set_aside_keeps_its_mode_too() {
        let folder = folder();
        let path = folder.path().join("state");
        write_bytes(&path, b"unusable").unwrap();
        copied(&path, &folder.path().join("copy")).unwrap();
        assert_eq!(mode(&folder.path().join("copy")), 0o600);
        assert_eq!(mode(&set_aside(&path).unwrap()), 0o600);
    }

    #[test]
    fn root_leaves_a_state_to_whom_it_belongs() {
        let folder = folder();
        let path = folder.path().join("state");
        write_bytes(&path, b"a daemon's").unwrap();
        if std::os::unix::fs::chown(&path, Some(12345), Some(12346)).is_err() {
            eprintln!("SKIPPED: only root can give a file away");
            return;
        }
        write_bytes(&path, b"what root has saved").unwrap();
        let new = fs::metadata(&path).unwrap();
        assert_eq!((new.uid(), new.gid()), (12345, 12346));
    }

    /// The file that is being written, as the process has it open: its path and its flags.
    fn open_temporary(folder: &Path) -> (PathBuf, i32) {
        let folder = folder.canonicalize().unwrap();
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc/self/fd").unwrap() {
            let entry = entry.unwrap();
            let Ok(path) = fs::read_link(entry.path()) else {
                continue;
            };
            if path.parent() == Some(&folder) {
                let number = entry.file_name().into_string().unwrap();
                let info = fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap();
                let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
                let flags = i32::from_str_radix(flags.unwrap().trim(), 8).unwrap();
                found.push((path, flags));
            }
        }
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }

    #[test]
    fn the_temporary_file_has_another_name_each_time_and_is_private_and_closed_on_exec() {
        let folder = folder();
        let path = folder.path().join("state");
        let mut seen = Vec::new();
        for _ in 0..3 {
            write(&path, &mut |writer| {
                let (temporary, flags_of_it) = open_temporary(folder.path());
                let wanted = flags(OFlags::NOFOLLOW | OFlags::CLOEXEC);
                assert_eq!(flags_of_it & wanted, wanted, "{flags_of_it:o}");
                assert_eq!(mode(&temporary), 0o600);
                let name = temporary.file_name().unwrap().as_bytes();
                assert!(is_temporary(name, b"state"), "{temporary:?}");
                seen.push(temporary);
                writer.write_all(b"state")
            })
            .unwrap();
        }
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 3, "{seen:?}");
        assert_eq!(names(folder.path()), ["state"]);
    }

    #[test]
    fn nothing_that_exists_is_taken_for_a_temporary_file() {
        let folder = folder();
        let precious = folder.path().join("precious");
        fs::write(&precious, "precious").unwrap();
        let path = temporary_path(&folder.path().join("state"), 7);
        symlink(&precious, &path).unwrap();
        let error = Temporary::create_as(path.clone()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        fs::remove_file(&path).unwrap();
        symlink("nowhere", &path).unwrap();
        let error = Temporary::create_as(path.clone()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert!(!folder.path().join("nowhere").exists());
        fs::remove_file(&path).unwrap();
        fs::write(&path, "another's").unwrap();
        let error = Temporary::create_as(path.clone()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"another's");
        assert_eq!(fs::read(&precious).unwrap(), b"precious");
    }

    #[test]
    fn only_old_regular_files_with_our_own_names_are_cleaned_up() {
        let folder = folder();
        let path = folder.path().join("state");
        let hour_ago = SystemTime::now() - Duration::from_secs(3600);
        let create = |name: &str, modified: SystemTime| {
            let file = File::create(folder.path().join(name)).unwrap();
            file.set_modified(modified).unwrap();
        };
        create(".state.0123456789abcdef.tmp", hour_ago);
        let kept = [
            // Perhaps another process writes it right now.
            (".state.0123456789abcde0.tmp", SystemTime::now()),
            (".state.0123456789abcde.tmp", hour_ago),
            (".state.0123456789abcdefa.tmp", hour_ago),
            (".state.0123456789ABCDEF.tmp", hour_ago),
            (".state.0123456789abcdef.tmq", hour_ago),
            (".other.0123456789abcdef.tmp", hour_ago),
            ("state.0123456789abcdef.tmp", hour_ago),
            (".state2.0123456789abcdef.tmp", hour_ago),
        ];
        for (name, modified) in kept {
            create(name, modified);
        }
        let precious = folder.path().join("precious");
        create("precious", hour_ago);
        symlink(&precious, folder.path().join(".state.00000000000000ff.tmp")).unwrap();
        fs::create_dir(folder.path().join(".state.00000000000000fe.tmp")).unwrap();
        write_bytes(&path, b"state").unwrap();
        let left = names(folder.path());
        assert_eq!(left.len(), kept.len() + 4, "{left:?}");
        assert!(!left.contains(&".state.0123456789abcdef.tmp".into()));
    }

    #[test]
    fn an_error_and_a_panic_within_a_save_leave_the_old_state_and_nothing_else() {
        let folder = folder();
        let path = folder.path().join("state");
        write_bytes(&path, b"old").unwrap();
        let error = write(&path, &mut |writer| {
            writer.write_all(&[7; 3 * BUFFER_BYTES])?;
            Err(io::Error::other("it cannot be serialized"))
        });
        assert_eq!(error.unwrap_err().to_string(), "it cannot be serialized");
        let panic = std::panic::catch_unwind(|| {
            write(&path, &mut |writer| {
                writer.write_all(b"half")?;
                panic!("out of the blue")
            })
        });
        assert!(panic.is_err());
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["state"]);
    }

    #[test]
    fn a_large_state_arrives_whole_and_a_shorter_one_leaves_nothing_of_it() {
        let folder = folder();
        let path = folder.path().join("state");
        let large: Vec<u8> = (0..5 * BUFFER_BYTES + 3).map(|i| i as u8).collect();
        write(&path, &mut |writer| {
            large
                .chunks(999)
                .try_for_each(|part| writer.write_all(part))
        })
        .unwrap();
        assert_eq!(fs::read(&path).unwrap(), large);
        overwrite(&path, &mut |writer| writer.write_all(b"short")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"short");
    }

    #[test]
    fn a_pipe_a_device_and_a_folder_are_neither_read_nor_replaced_and_block_nobody() {
        let folder = folder();
        let pipe = folder.path().join("pipe");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::from(0o600), 0).unwrap();
        let device = folder.path().join("device");
        symlink("/dev/zero", &device).unwrap();
        let inner = folder.path().join("folder");
        fs::create_dir(&inner).unwrap();
        for path in [&pipe, &device, &inner] {
            for error in [
                prepare(path).unwrap_err(),
                write_bytes(path, b"state").unwrap_err(),
                open(path, LIMIT, &mut |_| panic!("it is opened")).unwrap_err(),
            ] {
                assert_eq!(error.to_string(), "it is not a regular file", "{path:?}");
            }
        }
        assert_eq!(names(folder.path()), ["device", "folder", "pipe"]);
        assert!(!there(&pipe).unwrap().unwrap().is_file());
    }

    #[test]
    fn a_pipe_and_a_folder_beside_a_torn_state_are_no_copies() {
        let folder = folder();
        let path = folder.path().join("state");
        fs::write(&path, "torn").unwrap();
        mknodat(CWD, copy_of(&path), FileType::Fifo, Mode::from(0o600), 0).unwrap();
        assert_eq!(read(&path, |_| false).unwrap().unwrap(), b"torn");
        fs::remove_file(copy_of(&path)).unwrap();
        fs::create_dir(copy_of(&path)).unwrap();
        assert_eq!(read(&path, |_| false).unwrap().unwrap(), b"torn");
        write_bytes(&path, b"state").unwrap();
        assert_eq!(read(&path, |_| true).unwrap().unwrap(), b"state");
    }

    #[test]
    fn a_file_larger_than_the_limit_is_not_looked_at() {
        let folder = folder();
        let path = folder.path().join("state");
        let limit = 10;
        let looked = Cell::new(0);
        let mut is_whole = |_: &mut File| {
            looked.set(looked.get() + 1);
            true
        };
        fs::write(&path, [0; 10]).unwrap();
        assert!(open(&path, limit, &mut is_whole).unwrap().is_some());
        fs::write(&path, [0; 11]).unwrap();
        let error = open(&path, limit, &mut is_whole).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FileTooLarge);
        assert_eq!(
            error.to_string(),
            "it has 11 bytes, more than the 10 that a state can have"
        );
        // Nor is a copy of that size.
        fs::write(copy_of(&path), [0; 11]).unwrap();
        open(&path, limit, &mut is_whole).unwrap_err();
        assert_eq!(looked.get(), 1);
        fs::write(copy_of(&path), [0; 10]).unwrap();
        assert!(open(&path, limit, &mut is_whole).unwrap().is_some());
    }

    #[test]
    fn four_gibibytes_of_zeros_are_refused_at_their_first_bytes() {
        let folder = folder();
        let path = folder.path().join("state");
        let sparse = File::create(&path).unwrap();
        sparse.set_len(4 << 30).unwrap();
        let started = Instant::now();
        let mut head = [1; 8];
        let mut is_whole = |file: &mut File| {
            file.read_exact(&mut head).unwrap();
            head == *b"BELLWTHR"
        };
        let file = open(&path, u64::MAX, &mut is_whole).unwrap().unwrap();
        assert_eq!(file.metadata().unwrap().len(), 4 << 30);
        assert_eq!(head, [0; 8]);
        assert!(started.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn a_copy_that_another_user_made_is_not_taken() {
        let folder = folder();
        let path = folder.path().join("state");
        fs::write(&path, "ne").unwrap();
        fs::write(copy_of(&path), "new").unwrap();
        let is_whole = |bytes: &[u8]| bytes.len() == 3;
        assert_eq!(read(&path, is_whole).unwrap().unwrap(), b"new");
        if std::os::unix::fs::chown(copy_of(&path), Some(12345), None).is_err() {
            eprintln!("SKIPPED: only root can give a file away");
            return;
        }
        assert_eq!(read(&path, is_whole).unwrap().unwrap(), b"ne");
    }

    /// Set in a process that [`elsewhere`] has started, to where it is to work.
    const ELSEWHERE: &str = "BELLWETHER_TEST_FOLDER";

    /// Runs the test `name` of this program once more, in a namespace of mounts of its own that `script` prepares, where "$1" is
    /// a folder for it; then `check` in that process. Says so and does nothing where there are no such namespaces.
    fn elsewhere(name: &str, script: &str, check: impl Fn(&Path)) {
        if let Some(folder) = env::var_os(ELSEWHERE) {
            return check(Path::new(&folder));
        }
        let unshare = |script: &str| {
            let mut command = Command::new("unshare");
            let users = if rustix::process::geteuid().is_root() {
                "-m"
            } else {
                "-rm"
            };
            command.args([users, "sh", "-ec", script, "sh"]);
            command.stdin(Stdio::null());
            command
        };
        let folder = folder();
        let possible = unshare("mount -t tmpfs none \"$1\"")
            .arg(folder.path())
            .output();
        if !possible.is_ok_and(|output| output.status.success()) {
            eprintln!("SKIPPED: no mounts in a namespace of its own are allowed here");
            return;
        }
        let output = unshare(&format!("{script}\nexec \"$2\" --exact \"$3\" --nocapture"))
            .arg(folder.path())
            .arg(env::current_exe().unwrap())
            .arg(format!("state_file::tests::{name}"))
            .env(ELSEWHERE, folder.path())
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        assert!(
            output.status.success() && text.contains("1 passed"),
            "{text}"
        );
    }

    #[test]
    fn on_a_full_disk_the_old_state_stays_and_nothing_else() {
        elsewhere(
            "on_a_full_disk_the_old_state_stays_and_nothing_else",
            "mount -t tmpfs -o size=128k none \"$1\"",
            |folder| {
                let path = folder.join("state");
                write_bytes(&path, b"old").unwrap();
                let error = write_bytes(&path, &[7; 1 << 20]).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::StorageFull);
                assert_eq!(fs::read(&path).unwrap(), b"old");
                assert_eq!(names(folder), ["state"]);
                write_bytes(&path, b"new").unwrap();
                assert_eq!(fs::read(&path).unwrap(), b"new");
            },
        );
    }

    #[test]
    fn on_a_read_only_file_system_state_is_read_and_cannot_be_prepared() {
        elsewhere(
            "on_a_read_only_file_system_state_is_read_and_cannot_be_prepared",
            "mount -t tmpfs none \"$1\"; printf old > \"$1/state\"; mount -o remount,bind,ro \"$1\"",
            |folder| {
                let path = folder.join("state");
                assert_eq!(read(&path, |_| true).unwrap().unwrap(), b"old");
                assert_eq!(
                    prepare(&path).unwrap_err().kind(),
                    ErrorKind::ReadOnlyFilesystem
                );
                assert_eq!(
                    write_bytes(&path, b"new").unwrap_err().kind(),
                    ErrorKind::ReadOnlyFilesystem
                );
                assert_eq!(
                    prepare(&folder.join("new")).unwrap_err().kind(),
                    ErrorKind::ReadOnlyFilesystem
                );
                assert_eq!(set_aside(&path), None);
            },
        );
    }

    #[test]
    fn a_file_that_is_a_mount_is_overwritten_in_place_with_a_copy_beside_it_until_then() {
        elsewhere(
            "a_file_that_is_a_mount_is_overwritten_in_place_with_a_copy_beside_it_until_then",
            "mount -t tmpfs none \"$1\"; printf 'old and longer' > \"$1/outside\"; : > \"$1/state\"
             mount --bind \"$1/outside\" \"$1/state\"",
            |folder| {
                let path = folder.join("state");
                assert_eq!(prepare(&path).unwrap(), Way::InPlace);
                write_bytes(&path, b"new").unwrap();
                assert_eq!(fs::read(folder.join("outside")).unwrap(), b"new");
                assert_eq!(names(folder), ["outside", "state"]);
                // Where another's folder has the copy's name, it is overwritten all the same.
                fs::create_dir(copy_of(&path)).unwrap();
                write_bytes(&path, b"newer").unwrap();
                assert_eq!(fs::read(&path).unwrap(), b"newer");
                assert_eq!(names(folder), ["outside", "state", "state.tmp"]);
                // It can be kept under another name only as a copy.
                assert_eq!(set_aside(&path).unwrap(), folder.join("state.unusable"));
                assert_eq!(fs::read(folder.join("state.unusable")).unwrap(), b"newer");
            },
        );
    }

    #[test]
    fn a_file_in_a_read_only_folder_is_overwritten_in_place() {
        elsewhere(
            "a_file_in_a_read_only_folder_is_overwritten_in_place",
            "mkdir \"$1/outside\"; mount -t tmpfs none \"$1/outside\"; printf old > \"$1/outside/file\"
             mkdir \"$1/folder\"; mount -t tmpfs none \"$1/folder\"; : > \"$1/folder/state\"
             mount --bind \"$1/outside/file\" \"$1/folder/state\"; mount -o remount,bind,ro \"$1/folder\"",
            |folder| {
                let path = folder.join("folder/state");
                assert_eq!(prepare(&path).unwrap(), Way::InPlace);
                write_bytes(&path, b"new and longer").unwrap();
                write_bytes(&path, b"new").unwrap();
                assert_eq!(fs::read(&path).unwrap(), b"new");
            },
        );
    }

    /// Set in a process that is to end in the middle of a save, to after how many bytes.
    const CRASH: &str = "BELLWETHER_TEST_CRASH";

    #[test]
    fn a_crash_at_any_byte_leaves_the_old_state_and_a_file_that_is_cleaned_up_later() {
        let new = [7; 3 * BUFFER_BYTES];
        if let (Some(folder), Ok(written)) = (env::var_os(ELSEWHERE), env::var(CRASH)) {
            let written: usize = written.parse().unwrap();
            write(&Path::new(&folder).join("state"), &mut |writer| {
                writer.write_all(&new[..written])?;
                std::process::abort()
            })
            .unwrap();
        }
        let folder = folder();
        let path = folder.path().join("state");
        write_bytes(&path, b"old").unwrap();
        let crashes = [0, 1, BUFFER_BYTES, 2 * BUFFER_BYTES + 1, new.len()];
        for written in crashes {
            let status = Command::new(env::current_exe().unwrap())
                .arg("--exact")
                .arg("state_file::tests::a_crash_at_any_byte_leaves_the_old_state_and_a_file_that_is_cleaned_up_later")
                .env(ELSEWHERE, folder.path())
                .env(CRASH, written.to_string())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .unwrap();
            assert_eq!(status.code(), None, "it was to be killed");
            assert_eq!(read(&path, |_| true).unwrap().unwrap(), b"old");
            assert_eq!(read(&path, |_| false).unwrap().unwrap(), b"old");
        }
        assert_eq!(names(folder.path()).len(), 1 + crashes.len());
        for name in names(folder.path()) {
            if name != "state" {
                let file = File::options().write(true).open(folder.path().join(name));
                let hour_ago = SystemTime::now() - Duration::from_secs(3600);
                file.unwrap().set_modified(hour_ago).unwrap();
            }
        }
        write_bytes(&path, b"new").unwrap();
        assert_eq!(names(folder.path()), ["state"]);
    }
}
