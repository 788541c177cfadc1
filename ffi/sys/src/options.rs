//! The options of a detector.

use std::fmt;
use std::ptr::NonNull;

use crate::error::{Error, check};
use crate::library::Library;
use crate::raw;

/// One option as documentation shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OptionInfo {
    /// The name, in snake case.
    pub name: &'static str,
    /// What kind of value it takes: "flag", "integer", "number", "choice", "list" or "text".
    pub kind: &'static str,
    /// The default, as a user would write it.
    pub default: &'static str,
    /// The allowed values, in words.
    pub allowed: &'static str,
    /// The unit of the value, or an empty string.
    pub unit: &'static str,
    /// One line of help.
    pub help: &'static str,
}

/// The options of a detector of hypervisor anomalies, all at their defaults when new.
pub struct Options {
    library: Library,
    handle: NonNull<raw::bw_had_options>,
}

// SAFETY: options may be used from any thread, by one at a time.
unsafe impl Send for Options {}

impl Options {
    /// Options that are all at their defaults.
    ///
    /// # Panics
    /// Where bellwether has a defect.
    pub fn new(library: &Library) -> Self {
        // SAFETY: the function takes nothing.
        let handle = unsafe { (library.functions().bw_had_options_new)() };
        Self {
            library: library.clone(),
            handle: NonNull::new(handle).expect("options can always be made"),
        }
    }

    /// Sets the option `name` to what `value` stands for, as a user would write it.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidOption`] for an unknown name or a value that the option does not take; the message says what
    /// would be right, and the options are as before.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let f = self.library.functions();
        // SAFETY: the handle is ours, and each string has as many bytes as its length says.
        unsafe {
            check(&self.library, |error| {
                (f.bw_had_options_set)(
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

    pub(crate) fn handle(&self) -> NonNull<raw::bw_had_options> {
        self.handle
    }
}

impl Drop for Options {
    fn drop(&mut self) {
        // SAFETY: the handle is ours and used no more.
        unsafe { (self.library.functions().bw_had_options_free)(self.handle.as_ptr()) };
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options").finish_non_exhaustive()
    }
}
