//! The options of LAD: set by name, and described.

use std::ffi::c_char;
use std::ptr;
use std::sync::OnceLock;

use bellwether_core::lad::LadOptions;

use crate::border::{Failure, Handle, WithSize, fallible, guard, text};
use crate::error::{bw_error, bw_result};
use crate::options::{Catalogue, bw_option_info};

/// The options of a detector of failing hosts by their logs; those of its parser are among them, with names that begin with "drain_", all at their defaults when new. Made by `bw_lad_options_new`, freed by
/// `bw_lad_options_free`. May be used from any thread, by one thread at a time.
#[derive(Default)]
pub struct bw_lad_options(pub(crate) LadOptions);

impl Handle for bw_lad_options {
    const NAME: &'static str = "bw_lad_options";
}

/// Makes options that are all at their defaults. The caller owns them and frees them with `bw_lad_options_free`. NULL only
/// where bellwether has a defect.
#[unsafe(no_mangle)]
pub extern "C" fn bw_lad_options_new() -> *mut bw_lad_options {
    guard(ptr::null_mut(), || bw_lad_options::default().give())
}

/// Frees `options`. NULL is fine. What was made with them goes on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_lad_options_free(options: *mut bw_lad_options) {
    // SAFETY: the caller passes NULL or options that it has not freed and uses no more.
    guard((), || unsafe { bw_lad_options::free(options) });
}

/// Sets the option `name` to what `value` stands for, as `bw_had_options_set` does. What contradicts another option is noticed
/// only by `bw_lad_new`.
///
/// `BW_INVALID_OPTION` for an unknown name (the message has the nearest one) or a value that the option does not take (the
/// message says what it takes), `BW_INVALID_ARGUMENT` where `options`, `name` or `value` is NULL; the options are then as
/// before. `error` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_lad_options_set(
    options: *mut bw_lad_options,
    name: *const c_char,
    name_len: usize,
    value: *const c_char,
    value_len: usize,
    error: *mut *mut bw_error,
) -> bw_result {
    let body = || {
        // SAFETY: the caller passes NULL or options that no other thread uses meanwhile.
        let options = unsafe { bw_lad_options::exclusive(options) }?;
        // SAFETY: the caller passes NULL or so many bytes.
        let name = unsafe { text(name, name_len, "name") }?;
        // SAFETY: as above.
        let value = unsafe { text(value, value_len, "value") }?;
        options
            .0
            .set(name, value)
            .map_err(|e| Failure::new(bw_result::BW_INVALID_OPTION, e))
    };
    // SAFETY: the caller passes NULL or a place for an error.
    unsafe { fallible(error, body) }
}

/// How many options there are. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn bw_lad_option_count() -> usize {
    LadOptions::SPECS.len()
}

/// Describes the option with this `index` in `*info`, as `bw_had_option_describe` does. Any thread may call it at any time.
///
/// `BW_NOT_FOUND` where `index` is not below `bw_lad_option_count()`, `BW_INVALID_ARGUMENT` where `info` is NULL or its `size`
/// is too small; `*info` is then as before. `error` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_lad_option_describe(
    index: usize,
    info: *mut bw_option_info,
    error: *mut *mut bw_error,
) -> bw_result {
    let body = || {
        static CATALOGUE: OnceLock<Catalogue<{ LadOptions::SPECS.len() }>> = OnceLock::new();
        let described = CATALOGUE
            .get_or_init(|| Catalogue::new(LadOptions::SPECS))
            .get(index)?;
        // SAFETY: the caller passes NULL or a struct of the size that it says.
        unsafe { described.write(info) }
    };
    // SAFETY: the caller passes NULL or a place for an error.
    unsafe { fallible(error, body) }
}
