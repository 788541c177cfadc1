//! The options of a detector of any kind: set by name, and described.

use std::any::Any;
use std::ffi::c_char;

use bellwether_core::options::{OptionError, Options as _, Spec};

use crate::border::{
    Failure, Growable, Handle, fallible, fallible_new, free, growable, guard, text,
};
use crate::detector::{AnyDetector, Kind};
use crate::error::{bw_error, bw_result};
use crate::kinds;
use crate::string::bw_string;

/// The options of one kind of detector, all at their defaults when new. Any thread may use them, one at a time.
pub struct bw_options {
    options: Box<dyn AnyOptions>,
    /// What has to be put together to describe each option.
    texts: Vec<Texts>,
}

/// The allowed values of an option in words, and its other names.
struct Texts {
    allowed: String,
    aliases: String,
}

impl Handle for bw_options {
    const NAME: &'static str = "bw_options";
}

impl bw_options {
    /// Those of detectors of the kind `K`.
    pub(crate) fn of<K: Kind>() -> Self {
        let texts = K::Options::SPECS.iter().map(|spec| Texts {
            allowed: spec.kind.allowed(),
            aliases: spec.aliases().collect::<Vec<_>>().join(","),
        });
        Self {
            options: Box::new(OptionsOf::<K>(K::Options::default())),
            texts: texts.collect(),
        }
    }

    /// A detector with these options.
    pub(crate) fn detector(&self) -> Result<Box<dyn AnyDetector>, OptionError> {
        self.options.detector()
    }
}

/// The options of a kind that is known at run time only.
trait AnyOptions: Any + Send {
    fn specs(&self) -> &'static [Spec];
    fn set(&mut self, name: &str, value: &str) -> Result<(), OptionError>;
    fn detector(&self) -> Result<Box<dyn AnyDetector>, OptionError>;
}

struct OptionsOf<K: Kind>(K::Options);

impl<K: Kind> AnyOptions for OptionsOf<K> {
    fn specs(&self) -> &'static [Spec] {
        K::Options::SPECS
    }
    fn set(&mut self, name: &str, value: &str) -> Result<(), OptionError> {
        self.0.set(name, value)
    }
    fn detector(&self) -> Result<Box<dyn AnyDetector>, OptionError> {
        Ok(Box::new(K::new(self.0.clone())?))
    }
}

/// One option, as documentation shows it. The strings belong to the options.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bw_option_info {
    /// Set by the caller to `sizeof(bw_option_info)`.
    pub size: usize,
    /// The name, in snake case.
    pub name: bw_string,
    /// The type of its values: "flag", "integer", "number", "choice", "list" or "text".
    pub kind: bw_string,
    /// The default, as a user would write it.
    pub default_value: bw_string,
    /// The allowed values, in words.
    pub allowed: bw_string,
    /// The unit of the value, or an empty string.
    pub unit: bw_string,
    /// One line of help.
    pub help: bw_string,
    /// Other names that are accepted, separated by commas; mostly an empty string.
    pub aliases: bw_string,
}

growable!(bw_option_info, 120);

/// The options of the detector with that name ("had", "lad", "resource", "risk" or "drain"), all at their defaults; to be freed
/// with `bw_options_free`. NULL on failure: `BW_NOT_FOUND` if there is no such detector.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_options_new(
    detector: *const c_char,
    detector_len: usize,
    error: *mut *mut bw_error,
) -> *mut bw_options {
    let body = || {
        // SAFETY: the caller passes NULL or that many bytes.
        let name = unsafe { text(detector, detector_len, "detector") }?;
        kinds::options(name)
    };
    // SAFETY: the caller passes NULL or a place for an error.
    unsafe { fallible_new(error, body) }
}

/// Frees `options`. NULL is fine. Detectors that were made with them are not affected.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_options_free(options: *mut bw_options) {
    // SAFETY: passed on to the caller.
    unsafe { free(options) };
}

/// Sets the option `name` to `value`, both as a user would write them. Options that contradict each other are reported by
/// `bw_detector_new` only, so that the order of calls does not matter.
///
/// `BW_INVALID_OPTION` for an unknown name (the message suggests the nearest one) or a value that the option does not take (the
/// message has the allowed ones); the options are then unchanged.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_options_set(
    options: *mut bw_options,
    name: *const c_char,
    name_len: usize,
    value: *const c_char,
    value_len: usize,
    error: *mut *mut bw_error,
) -> bw_result {
    let body = || {
        // SAFETY: the caller passes NULL or options that no other thread uses meanwhile.
        let options = unsafe { bw_options::exclusive(options) }?;
        // SAFETY: the caller passes NULL or that many bytes, twice.
        let (name, value) = unsafe {
            (
                text(name, name_len, "name")?,
                text(value, value_len, "value")?,
            )
        };
        Ok(options.options.set(name, value)?)
    };
    // SAFETY: the caller passes NULL or a place for an error.
    unsafe { fallible(error, body) }
}

/// How many options there are; 0 if `options` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_options_count(options: *const bw_options) -> usize {
    guard(0, || {
        // SAFETY: the caller passes NULL or options that it has not freed.
        unsafe { bw_options::shared(options) }.map_or(0, |options| options.texts.len())
    })
}

/// Describes the option with that index, in the order of the documentation, in `*info`.
///
/// `BW_NOT_FOUND` if `index` is not below `bw_options_count(options)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_options_describe(
    options: *const bw_options,
    index: usize,
    info: *mut bw_option_info,
    error: *mut *mut bw_error,
) -> bw_result {
    let body = || {
        // SAFETY: the caller passes NULL or options that no other thread changes meanwhile.
        let options = unsafe { bw_options::shared(options) }?;
        let spec = options.options.specs().get(index);
        let (spec, texts) = spec.zip(options.texts.get(index)).ok_or_else(|| {
            let count = options.texts.len();
            Failure::not_found(format!(
                "there is no option {index}; there are {count}, counted from 0"
            ))
        })?;
        let described = bw_option_info {
            size: size_of::<bw_option_info>(),
            name: bw_string::of(spec.name),
            kind: bw_string::of(spec.kind.name()),
            default_value: bw_string::of(spec.default),
            allowed: bw_string::of(&texts.allowed),
            unit: bw_string::of(spec.unit),
            help: bw_string::of(spec.help),
            aliases: bw_string::of(&texts.aliases),
        };
        // SAFETY: the caller passes NULL or a struct of the size that it gives.
        unsafe { described.write(info) }
    };
    // SAFETY: the caller passes NULL or a place for an error.
    unsafe { fallible(error, body) }
}
