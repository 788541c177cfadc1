//! Finding and loading libbellwether.

use std::ffi::{CStr, OsStr, c_char};
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use libloading::os::unix::Library as SharedObject;

use crate::drain::{Drain, DrainOptions};
use crate::error::{Error, check, check_new};
use crate::had::Had;
use crate::lad::{Lad, LadOptions};
use crate::options::{OptionInfo, Options};
use crate::raw::{self, Functions};

/// The file that is loaded: its number is raised when a function or a field is removed or changes its meaning.
pub const LIBRARY_NAME: &str = "libbellwether.so.0";

/// A function that describes an option.
type Describe = unsafe extern "C" fn(
    usize,
    *mut raw::bw_option_info,
    *mut *mut raw::bw_error,
) -> raw::bw_result;

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
        unsafe { static_text((self.functions().bw_version)()) }
    }

    /// Every option of the detector of hypervisor anomalies, in the order in which documentation lists them.
    ///
    /// # Errors
    /// Only a defect of bellwether.
    pub fn had_options(&self) -> Result<Vec<OptionInfo>, Error> {
        let f = self.functions();
        // SAFETY: the first function takes nothing, the second describes an option by its index.
        unsafe { self.described((f.bw_had_option_count)(), f.bw_had_option_describe) }
    }

    /// Every option of the detector of failing hosts by their logs, in the order in which documentation lists them.
    ///
    /// # Errors
    /// Only a defect of bellwether.
    pub fn lad_options(&self) -> Result<Vec<OptionInfo>, Error> {
        let f = self.functions();
        // SAFETY: as above.
        unsafe { self.described((f.bw_lad_option_count)(), f.bw_lad_option_describe) }
    }

    /// Every option of the parser of log lines, in the order in which documentation lists them.
    ///
    /// # Errors
    /// Only a defect of bellwether.
    pub fn drain_options(&self) -> Result<Vec<OptionInfo>, Error> {
        let f = self.functions();
        // SAFETY: as above.
        unsafe { self.described((f.bw_drain_option_count)(), f.bw_drain_option_describe) }
    }

    /// The first `count` of the options that `describe` knows.
    ///
    /// # Safety
    /// `describe` is one of the library's functions that describe an option.
    unsafe fn described(&self, count: usize, describe: Describe) -> Result<Vec<OptionInfo>, Error> {
        let info = |index| {
            let mut info = raw::bw_option_info {
                size: size_of::<raw::bw_option_info>(),
                name: std::ptr::null(),
                kind: std::ptr::null(),
                default_value: std::ptr::null(),
                allowed: std::ptr::null(),
                unit: std::ptr::null(),
                help: std::ptr::null(),
            };
            // SAFETY: `info` has the size that it says; the strings that it gets are static.
            unsafe {
                check(self, |error| describe(index, &mut info, error))?;
                Ok(OptionInfo {
                    name: static_text(info.name),
                    kind: static_text(info.kind),
                    default: static_text(info.default_value),
                    allowed: static_text(info.allowed),
                    unit: static_text(info.unit),
                    help: static_text(info.help),
                })
            }
        };
        (0..count).map(info).collect()
    }

    /// A detector of hypervisor anomalies that knows nothing yet.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidOption`] where options contradict each other.
    pub fn had(&self, options: &Options) -> Result<Had, Error> {
        // SAFETY: the options are not freed, and nobody changes them while they are borrowed.
        let handle = unsafe {
            check_new(self, |error| {
                (self.functions().bw_had_new)(options.handle().as_ptr(), error)
            })
        }?;
        // SAFETY: it was made by this library and is given to nobody else.
        Ok(unsafe { Had::from_raw(self.clone(), handle) })
    }

    /// A detector of failing hosts by their logs that knows nothing yet. A file that the option "lexicon" names is read now.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidOption`] where options contradict each other or that file cannot be used.
    pub fn lad(&self, options: &LadOptions) -> Result<Lad, Error> {
        // SAFETY: the options are not freed, and nobody changes them while they are borrowed.
        let handle = unsafe {
            check_new(self, |error| {
                (self.functions().bw_lad_new)(options.handle().as_ptr(), error)
            })
        }?;
        // SAFETY: it was made by this library and is given to nobody else.
        Ok(unsafe { Lad::from_raw(self.clone(), handle) })
    }

    /// A parser of log lines that knows no template yet.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidOption`] where options are wrong together.
    pub fn drain(&self, options: &DrainOptions) -> Result<Drain, Error> {
        // SAFETY: the options are not freed, and nobody changes them while they are borrowed.
        let handle = unsafe {
            check_new(self, |error| {
                (self.functions().bw_drain_new)(options.handle().as_ptr(), error)
            })
        }?;
        // SAFETY: it was made by this library and is given to nobody else.
        Ok(unsafe { Drain::from_raw(self.clone(), handle) })
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

/// A string of the library that lives as long as the process, since the library is never unloaded.
///
/// # Safety
/// `text` is static and NUL-terminated.
unsafe fn static_text(text: *const c_char) -> &'static str {
    // SAFETY: passed on to the caller.
    unsafe { CStr::from_ptr(text) }
        .to_str()
        .expect("libbellwether's strings are UTF-8")
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
