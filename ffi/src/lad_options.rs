//! The options of LAD: set by name, and described.

use std::ffi::c_char;
use std::sync::OnceLock;

use bellwether_core::lad::LadOptions;

use crate::border::{free, new_default};
use crate::error::{bw_error, bw_result};
use crate::layout::bw_option_info;
use crate::options::{self, Catalogue, options_handle};

/// The options of a detector of failing hosts by their logs; those of its parser are among them, with names that begin with "drain_", all at their defaults when new. Made by `bw_lad_options_new`, freed by
/// `bw_lad_options_free`. May be used from any thread, by one thread at a time.
#[derive(Default)]
pub struct bw_lad_options(LadOptions);

options_handle!(bw_lad_options, LadOptions);

/// Makes options that are all at their defaults. The caller owns them and frees them with `bw_lad_options_free`. NULL only
/// where bellwether has a defect.
#[unsafe(no_mangle)]
pub extern "C" fn bw_lad_options_new() -> *mut bw_lad_options {
    new_default()
}

/// Frees `options`. NULL is fine. What was made with them goes on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_lad_options_free(options: *mut bw_lad_options) {
    // SAFETY: passed on to the caller.
    unsafe { free(options) };
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
    // SAFETY: passed on to the caller.
    unsafe { options::set(options, name, name_len, value, value_len, error) }
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
    static CATALOGUE: OnceLock<Catalogue<{ LadOptions::SPECS.len() }>> = OnceLock::new();
    // SAFETY: passed on to the caller.
    unsafe { options::describe(&CATALOGUE, LadOptions::SPECS, index, info, error) }
}
