//! The parser of log lines, Drain, alone.

use std::ffi::{CString, c_char};
use std::ptr;
use std::sync::OnceLock;

use bellwether_core::drain::{Change, DrainOptions, Miner};

use crate::border::{
    Handle, WithSize, any_text, c_string, fallible, free, guard, new_default, with_size,
};
use crate::detector::{self, Whole};
use crate::error::{bw_error, bw_result};
use crate::layout::bw_option_info;
use crate::options::{self, Catalogue, options_handle};

/// The options of a parser of log lines, all at their defaults when new. Made by `bw_drain_options_new`, freed by
/// `bw_drain_options_free`. May be used from any thread, by one thread at a time.
#[derive(Default)]
pub struct bw_drain_options(DrainOptions);

options_handle!(bw_drain_options, DrainOptions);

/// Makes options that are all at their defaults. The caller owns them and frees them with `bw_drain_options_free`. NULL only
/// where bellwether has a defect.
#[unsafe(no_mangle)]
pub extern "C" fn bw_drain_options_new() -> *mut bw_drain_options {
    new_default()
}

/// Frees `options`. NULL is fine. What was made with them goes on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_drain_options_free(options: *mut bw_drain_options) {
    // SAFETY: passed on to the caller.
    unsafe { free(options) };
}

/// Sets the option `name` to what `value` stands for, as `bw_had_options_set` does. What contradicts another option is noticed
/// only by `bw_drain_new`.
///
/// `BW_INVALID_OPTION` for an unknown name (the message has the nearest one) or a value that the option does not take (the
/// message says what it takes), `BW_INVALID_ARGUMENT` where `options`, `name` or `value` is NULL; the options are then as
/// before. `error` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_drain_options_set(
    options: *mut bw_drain_options,
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
pub extern "C" fn bw_drain_option_count() -> usize {
    DrainOptions::SPECS.len()
}

/// Describes the option with this `index` in `*info`, as `bw_had_option_describe` does. Any thread may call it at any time.
///
/// `BW_NOT_FOUND` where `index` is not below `bw_drain_option_count()`, `BW_INVALID_ARGUMENT` where `info` is NULL or its `size`
/// is too small; `*info` is then as before. `error` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_drain_option_describe(
    index: usize,
    info: *mut bw_option_info,
    error: *mut *mut bw_error,
) -> bw_result {
    static CATALOGUE: OnceLock<Catalogue<{ DrainOptions::SPECS.len() }>> = OnceLock::new();
    // SAFETY: passed on to the caller.
    unsafe { options::describe(&CATALOGUE, DrainOptions::SPECS, index, info, error) }
}

/// Finds the template of one log line after the other. What a detector of failing hosts (`bw_lad`) does with its records
/// anyway; this is for who wants nothing but that. Made by `bw_drain_new`, freed by `bw_drain_free`. May be used from any thread,
/// by one thread at a time.
pub struct bw_drain {
    miner: Whole<Miner>,
    /// The text that was given last.
    given: CString,
    /// The values that were taken stock of last.
    values: Vec<CString>,
}

impl Handle for bw_drain {
    const NAME: &'static str = "bw_drain";
}

/// What a line did to the templates.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum bw_change {
    /// It was one more of a template that fits it.
    BW_CHANGE_NONE = 0,
    /// It is the first of a new template.
    BW_CHANGE_NEW = 1,
    /// It was one more of a template that has fewer words of its own since.
    BW_CHANGE_TEMPLATE = 2,
}

impl From<Change> for bw_change {
    fn from(change: Change) -> Self {
        match change {
            Change::None => Self::BW_CHANGE_NONE,
            Change::New => Self::BW_CHANGE_NEW,
            Change::Template => Self::BW_CHANGE_TEMPLATE,
        }
    }
}

/// Where a line was added.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bw_added {
    /// Set by the caller to `sizeof(bw_added)`.
    pub size: usize,
    /// The number of its template: from 1 on in the order of first sight, never used again.
    pub template_id: u64,
    /// What the line did to the templates.
    pub change: bw_change,
}

with_size!(bw_added);

/// Makes a parser that knows no template yet. `options` are copied: the caller still owns them; NULL means all defaults. The
/// caller owns the parser and frees it with `bw_drain_free`.
///
/// NULL where it fails, which is where options are wrong together or a mask is no regular expression: the error's code is then
/// `BW_INVALID_OPTION`. `error` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_drain_new(
    options: *const bw_drain_options,
    error: *mut *mut bw_error,
) -> *mut bw_drain {
    let make = |options| {
        Ok(bw_drain {
            miner: Whole::new(Miner::new(options)?),
            given: CString::default(),
            values: Vec::new(),
        })
    };
    // SAFETY: passed on to the caller.
    unsafe { detector::new(options, error, make) }
}

/// Frees `drain` with all strings that it gave. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_drain_free(drain: *mut bw_drain) {
    // SAFETY: passed on to the caller.
    unsafe { free(drain) };
}

/// Adds a line and says in `*added`, whose field `size` the caller has set, to which template; `added` may be NULL. The line
/// may hold any bytes: those that are no UTF-8, and NUL bytes, are replaced. It is not kept.
///
/// `BW_INVALID_ARGUMENT` where `drain` or `line` is NULL or the field `size` is too small; `*added` is then as before, and the
/// line was not added. `error` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_drain_add(
    drain: *mut bw_drain,
    line: *const c_char,
    line_len: usize,
    added: *mut bw_added,
    error: *mut *mut bw_error,
) -> bw_result {
    let body = || {
        // SAFETY: the caller passes NULL or a parser that no other thread uses meanwhile.
        let drain = unsafe { bw_drain::exclusive(drain) }?;
        // SAFETY: the caller passes NULL or so many bytes.
        let line = unsafe { any_text(line, line_len, "line") }?;
        if !added.is_null() {
            // SAFETY: it is not NULL, so the caller lets us read its size.
            unsafe { bw_added::check(added) }?;
        }
        let found = drain.miner.change(|miner| miner.add(&line))?;
        if !added.is_null() {
            let found = bw_added {
                size: size_of::<bw_added>(),
                template_id: found.cluster,
                change: found.change.into(),
            };
            // SAFETY: the caller passes a struct of the size that it says.
            unsafe { found.write(added) }?;
        }
        Ok(())
    };
    // SAFETY: the caller passes NULL or a place for an error.
    unsafe { fallible(error, body) }
}

/// The template with the number `template_id`, in UTF-8 and NUL-terminated. It belongs to the parser and lives until the next
/// `bw_drain_template` or `bw_drain_free`. NULL where there is no such template (any more), and where `drain` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_drain_template(
    drain: *mut bw_drain,
    template_id: u64,
) -> *const c_char {
    let body = || {
        // SAFETY: the caller passes NULL or a parser that no other thread uses meanwhile.
        let drain = unsafe { bw_drain::exclusive(drain) }.ok()?;
        let template = drain
            .miner
            .change(|miner| miner.template(template_id).map(str::to_owned))
            .ok()??;
        drain.given = c_string(template);
        Some(drain.given.as_ptr())
    };
    guard(None, body).unwrap_or(ptr::null())
}

/// Takes stock of what stands in `line` where the template with the number `template_id` has placeholders, for
/// `bw_drain_parameter` to read, and says how many these values are; 0 where there are none, where there is no such template,
/// where it does not fit the line, and where `drain` or `line` is NULL. What an earlier call took stock of is gone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_drain_parameter_count(
    drain: *mut bw_drain,
    template_id: u64,
    line: *const c_char,
    line_len: usize,
) -> usize {
    guard(0, || {
        // SAFETY: the caller passes NULL or a parser that no other thread uses meanwhile.
        let Ok(drain) = (unsafe { bw_drain::exclusive(drain) }) else {
            return 0;
        };
        drain.values.clear();
        // SAFETY: the caller passes NULL or so many bytes.
        let Ok(line) = (unsafe { any_text(line, line_len, "line") }) else {
            return 0;
        };
        let owned = |values: Vec<&str>| -> Vec<CString> {
            values.into_iter().map(|v| c_string(v.to_owned())).collect()
        };
        let values = drain
            .miner
            .change(|miner| owned(miner.parameters(template_id, &line)));
        drain.values = values.unwrap_or_default();
        drain.values.len()
    })
}

/// The value with this `index` of those that the last `bw_drain_parameter_count` took stock of, in UTF-8 and NUL-terminated. It
/// belongs to the parser and lives until the next `bw_drain_parameter_count` or `bw_drain_free`. NULL where `index` is not below
/// what that said, and where `drain` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_drain_parameter(drain: *const bw_drain, index: usize) -> *const c_char {
    guard(ptr::null(), || {
        // SAFETY: the caller passes NULL or a parser that no other thread uses meanwhile.
        let drain = unsafe { bw_drain::shared(drain) };
        let value = drain.ok().and_then(|drain| drain.values.get(index));
        value.map_or(ptr::null(), |value| value.as_ptr())
    })
}
