//! The parser of log lines, Drain, alone.

use std::ffi::{CStr, c_char};
use std::fmt;
use std::ptr::NonNull;

use crate::error::{Error, check};
use crate::library::Library;
use crate::raw;

/// The options of a parser of log lines, all at their defaults when new.
pub struct DrainOptions {
    library: Library,
    handle: NonNull<raw::bw_drain_options>,
}

// SAFETY: options may be used from any thread, by one at a time.
unsafe impl Send for DrainOptions {}

impl DrainOptions {
    /// Options that are all at their defaults.
    ///
    /// # Panics
    /// Where bellwether has a defect.
    pub fn new(library: &Library) -> Self {
        // SAFETY: the function takes nothing.
        let handle = unsafe { (library.functions().bw_drain_options_new)() };
        Self {
            library: library.clone(),
            handle: NonNull::new(handle).expect("options can always be made"),
        }
    }

    /// Sets the option `name` to what `value` stands for, as a user would write it.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidOption`] for an unknown name or a value that the option does not take; the message says what would
    /// be right, and the options are as before.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let f = self.library.functions();
        // SAFETY: the handle is ours, and each string has as many bytes as its length says.
        unsafe {
            check(&self.library, |error| {
                (f.bw_drain_options_set)(
                    self.handle.as_ptr(),
                    name.as_ptr().cast(),
                    name.len(),
                    value.as_ptr().cast(),
                    value.len(),
                    error,
                )
            })
        }
    }

    pub(crate) fn handle(&self) -> NonNull<raw::bw_drain_options> {
        self.handle
    }
}

impl Drop for DrainOptions {
    fn drop(&mut self) {
        // SAFETY: the handle is ours and used no more.
        unsafe { (self.library.functions().bw_drain_options_free)(self.handle.as_ptr()) };
    }
}

impl fmt::Debug for DrainOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DrainOptions").finish_non_exhaustive()
    }
}

/// What a line did to the templates; `bw_change`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It was one more of a template that fits it.
    None,
    /// It is the first of a new template.
    New,
    /// It was one more of a template that has fewer words of its own since.
    Template,
    /// What only a newer library says.
    Other(u32),
}

impl From<raw::bw_change> for Change {
    fn from(code: raw::bw_change) -> Self {
        match code {
            0 => Self::None,
            1 => Self::New,
            2 => Self::Template,
            other => Self::Other(other),
        }
    }
}

/// Finds the template of one log line after the other. Made by [`Library::drain`].
pub struct Drain {
    library: Library,
    handle: NonNull<raw::bw_drain>,
}

// SAFETY: a parser may be used from any thread, by one at a time.
unsafe impl Send for Drain {}

impl Drain {
    /// # Safety
    /// `handle` was made by `library` and is used by nobody else.
    pub(crate) unsafe fn from_raw(library: Library, handle: NonNull<raw::bw_drain>) -> Self {
        Self { library, handle }
    }

    /// Adds a line, of any bytes: the number of its template, and what the line did to the templates.
    ///
    /// # Errors
    /// Only a defect of bellwether.
    pub fn add(&mut self, line: &[u8]) -> Result<(u64, Change), Error> {
        let mut added = raw::bw_added {
            size: size_of::<raw::bw_added>(),
            template_id: 0,
            change: 0,
        };
        let f = self.library.functions();
        // SAFETY: the handle is ours, and the line and the struct have the sizes that they say.
        unsafe {
            check(&self.library, |error| {
                (f.bw_drain_add)(
                    self.handle.as_ptr(),
                    line.as_ptr().cast(),
                    line.len(),
                    &mut added,
                    error,
                )
            })
        }?;
        Ok((added.template_id, added.change.into()))
    }

    /// The template with that number, or `None` where there is none (any more).
    pub fn template(&mut self, template_id: u64) -> Option<&str> {
        let f = self.library.functions();
        // SAFETY: the handle is ours, and the text lives until its next use, which the borrow of `self` puts off.
        unsafe { text((f.bw_drain_template)(self.handle.as_ptr(), template_id)) }
    }

    /// What stands in `line` where that template has placeholders; nothing where it does not fit the line.
    pub fn parameters(&mut self, template_id: u64, line: &[u8]) -> impl Iterator<Item = &str> {
        let f = self.library.functions();
        let (handle, start) = (self.handle.as_ptr(), line.as_ptr().cast());
        // SAFETY: the handle is ours, and the line has the size that it says.
        let count = unsafe { (f.bw_drain_parameter_count)(handle, template_id, start, line.len()) };
        let this = &*self;
        (0..count).filter_map(move |index| {
            let f = this.library.functions();
            // SAFETY: the handle is ours, and the text lives until its next use, which the borrow of `self` puts off.
            unsafe { text((f.bw_drain_parameter)(this.handle.as_ptr(), index)) }
        })
    }
}

/// # Safety
/// `start` is NULL, or NUL-terminated and not changed while the text lives.
unsafe fn text<'a>(start: *const c_char) -> Option<&'a str> {
    if start.is_null() {
        return None;
    }
    // SAFETY: passed on to the caller.
    let text = unsafe { CStr::from_ptr(start) };
    Some(text.to_str().expect("libbellwether's strings are UTF-8"))
}

impl Drop for Drain {
    fn drop(&mut self) {
        // SAFETY: the handle is ours and used no more.
        unsafe { (self.library.functions().bw_drain_free)(self.handle.as_ptr()) };
    }
}

impl fmt::Debug for Drain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drain").finish_non_exhaustive()
    }
}
