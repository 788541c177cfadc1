//! Finding and loading libbellwether.

use std::ffi::{CStr, OsStr};
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use libloading::os::unix::Library as SharedObject;

use crate::drain::Drain;
use crate::error::Error;
use crate::had::Had;
use crate::handle::{Detector, text};
use crate::lad::Lad;
use crate::options::{DrainOptions, LadOptions, OptionInfo, Options};
use crate::raw::{self, Functions};

/// The file that is loaded: its number is raised when a function or a field is removed or changes its meaning.
pub const LIBRARY_NAME: &str = "libbellwether.so.0";

/// The loaded library. Clones share it; it stays loaded until the process ends.
#[derive(Clone)]
pub struct Library(Arc<Loaded>);

struct Loaded {
    functions: Functions,
    name: PathBuf,
    _object: SharedObject,
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Library").field(&self.0.name).finish()
    }
}

impl Library {
    /// Loads [`LIBRARY_NAME`] from the folder `beside` ([`own_folder`] is the usual one), or, where there is none in it or no
    /// folder is given, from where the system keeps libraries.
    ///
    /// # Errors
    /// A line that names the file and says why it cannot be used: it is missing, damaged, or older than this crate.
    pub fn load(beside: Option<&Path>) -> Result<Self, String> {
        let near = beside.map(|folder| folder.join(LIBRARY_NAME));
        let name = near
            .as_deref()
            .filter(|path| path.exists())
            .unwrap_or(Path::new(LIBRARY_NAME));
        // Not unloaded again: the library's code may have work left at the end of every thread that ran it.
        let flags = libc::RTLD_NOW | libc::RTLD_LOCAL | libc::RTLD_NODELETE;
        // SAFETY: loading runs the library's initialisers; those of libbellwether do nothing.
        let object = unsafe { SharedObject::open(Some(name), flags) }.map_err(|error| {
            let sought = match &near {
                Some(path) if path != name => format!("there is no {}, and ", path.display()),
                _ => String::new(),
            };
            format!(
                "{sought}{} cannot be loaded: {}",
                name.display(),
                reason(&error)
            )
        })?;
        let unusable = |why: String| format!("{} cannot be used: {why}", name.display());
        // SAFETY: a function of that name has had this type in every version.
        let version = unsafe {
            object
                .get::<unsafe extern "C" fn() -> u32>(b"bw_abi_version\0")
                .map(|version| version())
        };
        let version = version.map_err(|error| unusable(reason(&error)))?;
        if version < raw::ABI_VERSION {
            return Err(unusable(format!(
                "its interface is of version {version}, and at least {} is needed; it is older than what loads it",
                raw::ABI_VERSION
            )));
        }
        // SAFETY: it is a libbellwether of a sufficient version.
        let functions =
            unsafe { Functions::find(&object) }.map_err(|error| unusable(reason(&error)))?;
        Ok(Self(Arc::new(Loaded {
            functions,
            name: name.to_owned(),
            _object: object,
        })))
    }

    /// The path that was loaded, or the bare name where the system's library path was searched.
    pub fn path(&self) -> &Path {
        &self.0.name
    }

    /// The version of the library, as "major.minor.patch".
    pub fn version(&self) -> &str {
        // SAFETY: the string is static.
        unsafe { text((self.functions().bw_version)()) }.unwrap_or_default()
    }

    /// Every option of the detector of hypervisor anomalies, in the order in which documentation lists them.
    ///
    /// # Errors
    /// Only a defect of bellwether.
    pub fn had_options(&self) -> Result<Vec<OptionInfo>, Error> {
        self.described::<raw::bw_had_options>()
    }

    /// Every option of the detector of failing hosts by their logs, in the order in which documentation lists them.
    ///
    /// # Errors
    /// Only a defect of bellwether.
    pub fn lad_options(&self) -> Result<Vec<OptionInfo>, Error> {
        self.described::<raw::bw_lad_options>()
    }

    /// Every option of the parser of log lines, in the order in which documentation lists them.
    ///
    /// # Errors
    /// Only a defect of bellwether.
    pub fn drain_options(&self) -> Result<Vec<OptionInfo>, Error> {
        self.described::<raw::bw_drain_options>()
    }

    /// A detector of hypervisor anomalies that knows nothing yet.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidOption`] where options contradict each other.
    pub fn had(&self, options: &Options) -> Result<Had, Error> {
        // SAFETY: it is the function of these types.
        unsafe { self.make(&options.0, self.functions().bw_had_new) }.map(Detector)
    }

    /// A detector of failing hosts by their logs that knows nothing yet. A file that the option "lexicon" names is read now.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidOption`] where options contradict each other or that file cannot be used.
    pub fn lad(&self, options: &LadOptions) -> Result<Lad, Error> {
        // SAFETY: as above.
        unsafe { self.make(&options.0, self.functions().bw_lad_new) }.map(Detector)
    }

    /// A parser of log lines that knows no template yet.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidOption`] where options are wrong together.
    pub fn drain(&self, options: &DrainOptions) -> Result<Drain, Error> {
        // SAFETY: as above.
        unsafe { self.make(&options.0, self.functions().bw_drain_new) }.map(Drain)
    }

    /// The functions of the library, for what the safe methods do not offer.
    pub fn functions(&self) -> &Functions {
        &self.0.functions
    }
}

/// What the dynamic linker said.
fn reason(error: &libloading::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => source.to_string(),
        None => error.to_string(),
    }
}

/// The folder of the shared object, or of the program, that this crate is linked into: for a plugin, where the host found it.
/// `None` where the dynamic linker does not know.
pub fn own_folder() -> Option<PathBuf> {
    let mut info = libc::Dl_info {
        dli_fname: std::ptr::null(),
        dli_fbase: std::ptr::null_mut(),
        dli_sname: std::ptr::null(),
        dli_saddr: std::ptr::null_mut(),
    };
    let here = own_folder as *const () as *const libc::c_void;
    // SAFETY: `here` is an address of this very object, and `info` may be written to.
    if unsafe { libc::dladdr(here, &mut info) } == 0 || info.dli_fname.is_null() {
        return None;
    }
    // SAFETY: the name is NUL-terminated and lives as long as the object, which is running.
    let name = unsafe { CStr::from_ptr(info.dli_fname) };
    let folder = Path::new(OsStr::from_bytes(name.to_bytes())).parent()?;
    folder.canonicalize().ok()
}
