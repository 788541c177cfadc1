//! State files on disk.
//!
//! **Writing.** The new state goes to a temporary file with a random name in the same folder, which is synced to disk and renamed
//! over the old one, so that a crash at any moment leaves the old state or the new one, whole. If the file cannot be replaced (it
//! is a mount of its own, such as a file mounted into a container, or its folder is read-only), it is overwritten in place.
//! Meanwhile a complete copy exists beside it as `NAME.tmp` if the folder allows that: a reader that finds the file torn takes
//! the copy.
//!
//! **Reading.** Only a regular file within a size limit is opened. The caller checks its content as a stream, so that a wrong
//! header ends the reading before anything is allocated for the rest.
//!
//! **Links.** A symbolic link is followed and stays; its target is replaced. A link in a folder that every user may write to is
//! refused, and nothing is ever opened through a link that appears between the check and the opening.

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

/// The mode of a new folder: logs may contain secrets, so it is not for others.
const FOLDER_MODE: u32 = 0o750;
/// The mode of a new file.
const FILE_MODE: u32 = 0o600;
/// The bits of an old file's mode that a new one inherits.
const PERMISSIONS: u32 = 0o777;
/// The bit of a mode that lets every user write.
const WRITABLE_BY_ALL: u32 = 0o002;
/// Maximum length of a chain of symbolic links, as in Linux.
const LINKS_MAX: usize = 40;
/// Size of the write buffer in bytes.
const BUFFER_BYTES: usize = 64 << 10;
/// Length of the random part of a temporary file's name, in bytes and in hexadecimal digits.
const RANDOM_BYTES: usize = 8;
const RANDOM_DIGITS: usize = 2 * RANDOM_BYTES;
/// A temporary file that has not changed for this long was left by a crash.
const STALE: Duration = Duration::from_secs(600);

/// How a state file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// A new file is renamed over it.
    Replaced,
    /// In place, because it cannot be replaced.
    InPlace,
}

/// `path` with `suffix` added to its file name.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The path of the complete copy while a file is overwritten in place.
fn copy_of(real: &Path) -> PathBuf {
    beside(real, ".tmp")
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The metadata of `path` without following a link; `None` if nothing is there.
fn metadata_of(path: &Path) -> io::Result<Option<Metadata>> {
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
/// A link that any user could have created is not followed: it could lead to a file that only this process may write.
pub(crate) fn resolved(path: &Path) -> io::Result<PathBuf> {
    let mut real = path.to_owned();
    for _ in 0..LINKS_MAX {
        if !metadata_of(&real)?.is_some_and(|m| m.is_symlink()) {
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

/// The metadata of the old state at `real`; `None` if there is none.
///
/// # Errors
/// It is not a regular file but, for instance, a device or a folder, which is neither read nor replaced.
fn old_state(real: &Path) -> io::Result<Option<Metadata>> {
    let old = metadata_of(real)?;
    match &old {
        Some(metadata) if !metadata.is_file() => Err(not_regular()),
        _ => Ok(old),
    }
}

/// Opens an existing regular file, not through a link. Never blocks, as opening a named pipe could.
fn open_regular(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    let file = options
        .custom_flags(flags(OFlags::NOFOLLOW | OFlags::NONBLOCK))
        .open(path)?;
    // The metadata of the opened file, not of what may have replaced it since.
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

/// Makes sure that state can be kept at `path`: creates the folder if only that is missing, and checks whether the file can be
/// read and written, without changing it. Returns how it is going to be written.
///
/// # Errors
/// Why it cannot.
pub fn prepare(path: &Path) -> io::Result<Way> {
    let real = resolved(path)?;
    create_folder(folder_of(&real))?;
    let exists = old_state(&real)?.is_some();
    if exists {
        open_regular(&real, OpenOptions::new().read(true).write(true))
            .map_err(|error| with_context("the file cannot be read and written", &error))?;
    }
    match try_folder(&real) {
        Err(error) if exists && is_refusal(&error) => Ok(Way::InPlace),
        Err(error) => Err(with_context(
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
    // A file mounted from the same device.
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

/// A path from the system's table of mounts, in which white space and backslashes are octal escapes.
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

fn with_context(what: &str, error: &io::Error) -> io::Error {
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
            return Err(with_context(
                &format!("its folder {} cannot be used", folder.display()),
                &error,
            ));
        }
    }
    match DirBuilder::new().mode(FOLDER_MODE).create(folder) {
        // Another process may have created it meanwhile.
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(with_context(
            &format!(
                "its folder {} does not exist and cannot be created",
                folder.display()
            ),
            &error,
        )),
        _ => Ok(()),
    }
}

/// Checks that a file can be created beside `real`.
fn try_folder(real: &Path) -> io::Result<()> {
    Temporary::create(real).map(drop)
}

/// A new file beside a state file, deleted when dropped unless it was [renamed](Temporary::rename).
#[derive(Debug)]
struct Temporary {
    path: PathBuf,
    file: File,
    renamed: bool,
}

impl Temporary {
    /// Creates one that only this user can read. Its name is unpredictable, and no existing file is opened.
    fn create(real: &Path) -> io::Result<Self> {
        let mut random = [0; RANDOM_BYTES];
        // This few bytes are never returned in part.
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

    /// Syncs it to disk, with owner and permissions of the file that it is going to replace.
    fn finish(&self, old: Option<&Metadata>) -> io::Result<()> {
        if let Some(old) = old {
            let new = self.file.metadata()?;
            if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
                // Only root may change owners. For others the new file is their own, as it would be without an old one.
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

/// Whether `name` is a result of [`temporary_path`] for the state with the file name `state`.
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

/// Deletes temporary files of the same state left by crashes: regular files of the same owner as `new`, with such a name, that
/// are older than it by [`STALE`]. The comparison uses no clock, which may differ from that of a network file system.
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
        // The metadata is that of the entry itself, not of a link's target.
        if is_temporary(entry.file_name().as_bytes(), state.as_bytes())
            && entry.metadata().is_ok_and(|metadata| is_stale(&metadata))
        {
            fs::remove_file(entry.path()).ok();
        }
    }
}

/// Whether the error is a refusal by the system rather than a failure.
fn is_refusal(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
    )
}

/// Whether a rename fails because of the file itself: a mount of its own, or another user's file in a folder such as /tmp.
fn cannot_be_replaced(error: &io::Error) -> bool {
    is_refusal(error)
        || matches!(
            error.kind(),
            ErrorKind::ResourceBusy | ErrorKind::CrossesDevices
        )
}

/// Writes the new state.
pub type Fill<'a> = &'a mut dyn FnMut(&mut dyn Write) -> io::Result<()>;

/// Writes the output of `fill` to the file at `path`. `fill` is called at most once; its errors are passed on.
///
/// # Errors
/// Any error of the system. A reader then finds the old state or the new one, whole, except if the file had to be overwritten in
/// place with no copy beside it.
pub fn write(path: &Path, fill: Fill<'_>) -> io::Result<()> {
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
            // The copy of an earlier failed save in place, which is older than the file now.
            delete_copy(&real);
            // The rename itself is stored in the folder, so it is on disk only after the folder is synced.
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
    // If something else has the copy's name, the file is overwritten without a copy, as in a read-only folder.
    let has_copy = new.rename(&copy_of(real)).is_ok();
    sync_folder(real)?;
    // If this fails or a crash ends it, the copy stays: it is the state then.
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

/// Opens the file at `path` for reading, from its start; `None` if there is none, or an empty one, which containers may mount
/// before the first start.
///
/// `is_whole` checks whether a file can be used. It gets the file, opened at its start, and should check the header before it
/// reads on. If it rejects the file and accepts the copy beside it, that is opened instead; if it accepts neither, the file is
/// opened, and the caller reports what is wrong with it.
///
/// # Errors
/// [`ErrorKind::FileTooLarge`] if the file has more than `limit` bytes and no copy can be used. It is not a regular file, or any
/// error of the system.
pub fn open(
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

/// The copy beside a file with the metadata `state`, if this process or the owner of the file has written it: in a folder such as
/// /tmp it could be anyone's.
fn open_copy(real: &Path, state: &Metadata, limit: u64) -> Option<File> {
    let copy = open_regular(&copy_of(real), OpenOptions::new().read(true)).ok()?;
    let metadata = copy.metadata().ok()?;
    let owner = metadata.uid();
    let is_trusted = owner == rustix::process::geteuid().as_raw() || owner == state.uid();
    (is_trusted && (1..=limit).contains(&metadata.len())).then_some(copy)
}

/// Renames the file at `path`, so that nothing overwrites it; returns the new name, or `None` if that is impossible.
pub fn set_aside(path: &Path) -> Option<PathBuf> {
    let real = resolved(path).ok()?;
    let free = (0..100)
        .map(|i| match i {
            0 => beside(&real, ".unusable"),
            i => beside(&real, &format!(".unusable.{i}")),
        })
        .find(|candidate| matches!(metadata_of(candidate), Ok(None)))?;
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
mod tests;
