//! Finding and loading libbellwether.

use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::{fmt, fs};

use libloading::os::unix::Library as SharedObject;

use crate::detector::{Detector, Kind};
use crate::drain::{Drain, DrainKind};
use crate::error::Error;
use crate::had::{Had, HadKind};
use crate::handle::text;
use crate::lad::{Lad, LadKind};
use crate::options::Options;
use crate::raw::{self, Functions};
use crate::resource::{Resource, ResourceKind};
use crate::risk::{Risk, RiskKind};

/// The file that is loaded, by its soname. The number is that of [`raw::BW_ABI_VERSION`] divided by 65536.
pub const LIBRARY_NAME: &str = "libbellwether.so.0";

/// The number in the soname of a library with that version of the interface.
const fn soname_number(abi_version: u32) -> u32 {
    abi_version >> 16
}

/// The loaded library. Clones share it; it stays loaded until the process ends.
#[derive(Clone)]
pub struct Library(Arc<Loaded>);

struct Loaded {
    functions: Functions,
    name: PathBuf,
    passed_over: Vec<String>,
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Library").field(&self.0.name).finish()
    }
}

/// The bit of a mode that lets every user write.
const WRITABLE_BY_ALL: u32 = 0o002;

impl Library {
    /// Loads [`LIBRARY_NAME`] from the first place where it can be used: each of `folders` ([`own_folders`] is the usual list) and
    /// the folder above it, and at last from where the system keeps libraries.
    ///
    /// A file that every user could have put there is not loaded.
    ///
    /// # Errors
    /// A line with every place that was tried and why nothing there can be used: it is missing, damaged, for another machine, or
    /// older than this crate.
    pub fn load(folders: &[PathBuf]) -> Result<Self, String> {
        let mut tried = Vec::new();
        let mut passed_over = Vec::new();
        for path in files(folders) {
            match usable(&path).and_then(|found| found.map(|()| Loaded::open(&path)).transpose()) {
                Ok(Some(loaded)) => return Ok(loaded.with(passed_over)),
                Ok(None) => tried.push(format!("{}: no such file", path.display())),
                Err(why) => {
                    let line = format!("{}: {why}", path.display());
                    passed_over.push(line.clone());
                    tried.push(line);
                }
            }
        }
        match Loaded::open(Path::new(LIBRARY_NAME)) {
            Ok(loaded) => Ok(loaded.with(passed_over)),
            Err(why) => {
                tried.push(format!("the system's libraries: {why}"));
                Err(format!(
                    "{LIBRARY_NAME} cannot be loaded; tried {}",
                    tried.join("; ")
                ))
            }
        }
    }

    /// The files that come before the one that was loaded and that could not be used, each with the reason: probably what an
    /// earlier installation has left.
    pub fn passed_over(&self) -> &[String] {
        &self.0.passed_over
    }

    /// The path that was loaded, or the bare name where the system's library path was searched.
    pub fn path(&self) -> &Path {
        &self.0.name
    }

    /// The version of the library, as "major.minor.patch".
    pub fn version(&self) -> &str {
        // SAFETY: the string is static.
        unsafe { text(self.functions().bw_version()) }.unwrap_or_default()
    }

    /// A detector of hypervisor anomalies with no state.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidOption`] if options contradict each other.
    pub fn had(&self, options: &Options<HadKind>) -> Result<Had, Error> {
        self.detector(options)
    }

    /// A detector of failures in logs with no state. A file that the option "lexicon" names is read now.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidOption`] if options contradict each other or that file cannot be used.
    pub fn lad(&self, options: &Options<LadKind>) -> Result<Lad, Error> {
        self.detector(options)
    }

    /// A detector of risk with no state. A file that the option "tables" names is read now.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidOption`] if options contradict each other or that file cannot be used.
    pub fn risk(&self, options: &Options<RiskKind>) -> Result<Risk, Error> {
        self.detector(options)
    }

    /// A parser of log lines with no template.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidOption`] if options contradict each other.
    pub fn drain(&self, options: &Options<DrainKind>) -> Result<Drain, Error> {
        self.detector(options)
    }

    /// A detector of how unusual the resources of hosts are, with no state.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidOption`] if options contradict each other.
    pub fn resource(&self, options: &Options<ResourceKind>) -> Result<Resource, Error> {
        self.detector(options)
    }

    fn detector<K: Kind>(&self, options: &Options<K>) -> Result<Detector<K>, Error> {
        Detector::new(self, options)
    }

    /// The functions of the library, for what the safe methods do not offer.
    pub fn functions(&self) -> &Functions {
        &self.0.functions
    }
}

/// Where the library is looked for: in each folder and in the one above it, each once.
fn files(folders: &[PathBuf]) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = Vec::new();
    let near = folders
        .iter()
        .flat_map(|folder| [Some(folder.as_path()), folder.parent()]);
    // A relative path would lead to wherever the process happens to be.
    for folder in near.flatten().filter(|folder| folder.is_absolute()) {
        let file = folder.join(LIBRARY_NAME);
        if !files.contains(&file) {
            files.push(file);
        }
    }
    files
}

/// Whether there is a file at `path` that may be loaded; `None` where there is nothing.
fn usable(path: &Path) -> Result<Option<()>, String> {
    if fs::symlink_metadata(path).is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound) {
        return Ok(None);
    }
    let real = fs::canonicalize(path).map_err(|error| match fs::read_link(path) {
        Ok(target) => format!("it is a link to {}: {error}", target.display()),
        Err(_) => error.to_string(),
    })?;
    let folders = [path.parent(), real.parent()];
    for part in folders.into_iter().flatten().chain([real.as_path()]) {
        let metadata = fs::metadata(part).map_err(|error| error.to_string())?;
        if metadata.mode() & WRITABLE_BY_ALL != 0 {
            return Err(format!("every user may write to {}", part.display()));
        }
    }
    Ok(Some(()))
}

impl Loaded {
    /// The library `name`, a path or what the system's search finds by that name, where it can be used.
    fn open(name: &Path) -> Result<Self, String> {
        let flags = libc::RTLD_NOW | libc::RTLD_LOCAL;
        let said = |error: &libloading::Error| {
            let said = reason(error);
            // The caller names the file.
            let prefix = format!("{}: ", name.display());
            said.strip_prefix(&prefix).unwrap_or(&said).to_owned()
        };
        // SAFETY: loading runs the library's initialisers; those of libbellwether do nothing.
        let object = unsafe { SharedObject::open(Some(name), flags) }.map_err(|e| said(&e))?;
        // SAFETY: a function of that name has had this type in every version.
        let version = unsafe {
            object
                .get::<unsafe extern "C" fn() -> u32>(b"bw_abi_version\0")
                .map(|version| version())
        };
        let version = version.map_err(|e| format!("it is not bellwether: {}", said(&e)))?;
        let (found, needed) = (soname_number(version), soname_number(raw::BW_ABI_VERSION));
        if found != needed {
            return Err(format!(
                "its interface is that of libbellwether.so.{found}, and {LIBRARY_NAME} is needed; its file was renamed"
            ));
        }
        if version < raw::BW_ABI_VERSION {
            return Err(format!(
                "its interface is of version {version}, and at least {} is needed; it is older than what loads it",
                raw::BW_ABI_VERSION
            ));
        }
        let incomplete = |e: libloading::Error| format!("it is incomplete: {}", said(&e));
        // SAFETY: it is a libbellwether of a sufficient version, whose functions have the types of the header.
        let _loaded = unsafe { Functions::from_library(object) }.map_err(incomplete)?;
        // From here on it is not unloaded again: its code may have work left at the end of every thread that ran it. What cannot
        // be used is unloaded, since the system's search would find it again by its name.
        // SAFETY: as above.
        let object = unsafe { SharedObject::open(Some(name), flags | libc::RTLD_NODELETE) }
            .map_err(|e| said(&e))?;
        Ok(Self {
            // SAFETY: as above.
            functions: unsafe { Functions::from_library(object) }.map_err(incomplete)?,
            name: name.to_owned(),
            passed_over: Vec::new(),
        })
    }

    fn with(self, passed_over: Vec<String>) -> Library {
        Library(Arc::new(Self {
            passed_over,
            ..self
        }))
    }
}

/// What the dynamic linker said.
fn reason(error: &libloading::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => source.to_string(),
        None => error.to_string(),
    }
}

/// The folders of the shared object, or of the program, that this crate is linked into: the one where the host found it, and,
/// where that is a symbolic link, the one of the file itself. None where the dynamic linker does not know.
///
/// They are found once: a path that the host gave may be relative to a folder that the process leaves later.
pub fn own_folders() -> &'static [PathBuf] {
    static FOLDERS: OnceLock<Vec<PathBuf>> = OnceLock::new();
    FOLDERS.get_or_init(|| {
        let Some(file) = own_file() else {
            return Vec::new();
        };
        let beside_link = file.parent().and_then(|folder| folder.canonicalize().ok());
        let file = file.canonicalize().ok();
        let beside_file = file.and_then(|file| Some(file.parent()?.to_owned()));
        let mut folders: Vec<PathBuf> = beside_link.into_iter().chain(beside_file).collect();
        folders.dedup();
        folders
    })
}

/// The shared object, or the program, as the host named it.
fn own_file() -> Option<PathBuf> {
    let mut info = libc::Dl_info {
        dli_fname: std::ptr::null(),
        dli_fbase: std::ptr::null_mut(),
        dli_sname: std::ptr::null(),
        dli_saddr: std::ptr::null_mut(),
    };
    let here = own_file as *const () as *const libc::c_void;
    // SAFETY: `here` is an address of this very object, and `info` may be written to.
    if unsafe { libc::dladdr(here, &mut info) } == 0 || info.dli_fname.is_null() {
        return None;
    }
    // SAFETY: the name is NUL-terminated and lives as long as the object, which is running.
    let name = unsafe { CStr::from_ptr(info.dli_fname) };
    Some(Path::new(OsStr::from_bytes(name.to_bytes())).to_owned())
}
