//! The options of HAD: set by name, and described.

use std::ffi::c_char;
use std::sync::OnceLock;

use bellwether_core::had::HadOptions;
use bellwether_core::options::{OptionError, Spec};

use crate::border::{Failure, Handle, WithSize, fallible, free, new_default, text, with_size};
use crate::error::{bw_error, bw_result};
use crate::layout::bw_option_info;

/// Options of something that C makes.
pub(crate) trait OptionsHandle: Handle + Default {
    type Options: Clone + Default;
    fn options(&self) -> &Self::Options;
    fn set(&mut self, name: &str, value: &str) -> Result<(), OptionError>;
}

/// Makes a handle of options of the core's.
macro_rules! options_handle {
    ($handle:ident, $options:ty) => {
        impl crate::border::Handle for $handle {
            const NAME: &'static str = stringify!($handle);
        }

        impl crate::options::OptionsHandle for $handle {
            type Options = $options;
            fn options(&self) -> &$options {
                &self.0
            }
            fn set(
                &mut self,
                name: &str,
                value: &str,
            ) -> Result<(), bellwether_core::options::OptionError> {
                self.0.set(name, value)
            }
        }
    };
}
pub(crate) use options_handle;

/// `bw_..._options_set`.
///
/// # Safety
/// `options` is NULL or used by no other thread meanwhile, each string is NULL or has as many bytes as its length says, `error`
/// is NULL or may be written to.
pub(crate) unsafe fn set<O: OptionsHandle>(
    options: *mut O,
    name: *const c_char,
    name_len: usize,
    value: *const c_char,
    value_len: usize,
    error: *mut *mut bw_error,
) -> bw_result {
    let body = || {
        // SAFETY: passed on to the caller.
        let options = unsafe { O::exclusive(options) }?;
        // SAFETY: as above.
        let (name, value) = unsafe {
            (
                text(name, name_len, "name")?,
                text(value, value_len, "value")?,
            )
        };
        let set = options.set(name, value);
        set.map_err(|e| Failure::new(bw_result::BW_INVALID_OPTION, e))
    };
    // SAFETY: passed on to the caller.
    unsafe { fallible(error, body) }
}

/// `bw_..._option_describe`.
///
/// # Safety
/// `info` is NULL or points to as many writable bytes as its field `size` says, `error` is NULL or may be written to.
pub(crate) unsafe fn describe<const OPTIONS: usize>(
    catalogue: &'static OnceLock<Catalogue<OPTIONS>>,
    specs: &[Spec],
    index: usize,
    info: *mut bw_option_info,
    error: *mut *mut bw_error,
) -> bw_result {
    let body = || {
        let catalogue = catalogue.get_or_init(|| Catalogue::new(specs));
        let described = catalogue.get(index)?;
        // SAFETY: passed on to the caller.
        unsafe { described.write(info) }
    };
    // SAFETY: passed on to the caller.
    unsafe { fallible(error, body) }
}

/// The options of a detector of hypervisor anomalies, all at their defaults when new. Made by `bw_had_options_new`, freed by `bw_had_options_free`.
/// May be used from any thread, by one thread at a time.
#[derive(Default)]
pub struct bw_had_options(HadOptions);

options_handle!(bw_had_options, HadOptions);

with_size!(bw_option_info);

/// Makes options that are all at their defaults. The caller owns them and frees them with `bw_had_options_free`. NULL only
/// where bellwether has a defect.
#[unsafe(no_mangle)]
pub extern "C" fn bw_had_options_new() -> *mut bw_had_options {
    new_default()
}

/// Frees `options`. NULL is fine. Detectors that were made with them go on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_had_options_free(options: *mut bw_had_options) {
    // SAFETY: passed on to the caller.
    unsafe { free(options) };
}

/// Sets the option `name` to what `value` stands for, both in UTF-8 as a user would write them. What contradicts another
/// option is noticed only by `bw_had_new`, so that the order of setting does not matter.
///
/// `BW_INVALID_OPTION` for an unknown name (the message has the nearest one) or a value that the option does not take (the
/// message says what it takes), `BW_INVALID_ARGUMENT` where `options`, `name` or `value` is NULL; the options are then as
/// before. `error` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_had_options_set(
    options: *mut bw_had_options,
    name: *const c_char,
    name_len: usize,
    value: *const c_char,
    value_len: usize,
    error: *mut *mut bw_error,
) -> bw_result {
    // SAFETY: passed on to the caller.
    unsafe { set(options, name, name_len, value, value_len, error) }
}

/// How many options there are. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn bw_had_option_count() -> usize {
    HadOptions::SPECS.len()
}

/// Describes the option with this `index`, in the order in which documentation lists them, in `*info`, whose field `size` the
/// caller has set. Any thread may call it at any time.
///
/// `BW_NOT_FOUND` where `index` is not below `bw_had_option_count()`, `BW_INVALID_ARGUMENT` where `info` is NULL or its `size`
/// is too small; `*info` is then as before. `error` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_had_option_describe(
    index: usize,
    info: *mut bw_option_info,
    error: *mut *mut bw_error,
) -> bw_result {
    static CATALOGUE: OnceLock<Catalogue<{ HadOptions::SPECS.len() }>> = OnceLock::new();
    // SAFETY: passed on to the caller.
    unsafe { describe(&CATALOGUE, HadOptions::SPECS, index, info, error) }
}

/// Name, kind, default, allowed values, unit and help.
const TEXTS: usize = 6;
/// Room for every text of every option with its NUL.
const CATALOGUE_BYTES: usize = 16 * 1024;

/// The texts of all options of one kind, NUL-terminated, in one static piece: on the heap it would be memory that nobody can
/// free.
pub(crate) struct Catalogue<const OPTIONS: usize> {
    bytes: [u8; CATALOGUE_BYTES],
    starts: [[usize; TEXTS]; OPTIONS],
}

impl<const OPTIONS: usize> Catalogue<OPTIONS> {
    pub(crate) fn new(specs: &[Spec]) -> Self {
        let mut bytes = [0; CATALOGUE_BYTES];
        let mut end = 0;
        let starts = std::array::from_fn(|option| {
            let spec = &specs[option];
            let allowed = spec.kind.allowed();
            [
                spec.name,
                spec.kind.name(),
                spec.default,
                &allowed,
                spec.unit,
                spec.help,
            ]
            .map(|text| {
                let start = end;
                bytes[start..start + text.len()].copy_from_slice(text.as_bytes());
                end = start + text.len() + 1;
                start
            })
        });
        assert!(end <= CATALOGUE_BYTES, "the last text has its NUL too");
        Self { bytes, starts }
    }

    /// The option with that index.
    pub(crate) fn get(&'static self, option: usize) -> Result<bw_option_info, Failure> {
        let starts = self.starts.get(option).ok_or_else(|| {
            Failure::not_found(format!(
                "there is no option {option}; there are {OPTIONS}, counted from 0"
            ))
        })?;
        let [name, kind, default_value, allowed, unit, help] =
            starts.map(|start| self.bytes[start..].as_ptr().cast());
        Ok(bw_option_info {
            size: size_of::<bw_option_info>(),
            name,
            kind,
            default_value,
            allowed,
            unit,
            help,
        })
    }
}
