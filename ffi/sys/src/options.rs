//! The options of a detector.

use std::fmt;
use std::ptr::{self, NonNull};

use crate::error::{Error, check};
use crate::handle::{Owned, RawOptions, text};
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

/// Options, all at their defaults when new.
pub struct OptionsOf<T: RawOptions>(pub(crate) Owned<T>);

impl<T: RawOptions> fmt::Debug for OptionsOf<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The options of a detector of hypervisor anomalies.
pub type Options = OptionsOf<raw::bw_had_options>;
/// The options of a detector of failing hosts by their logs.
pub type LadOptions = OptionsOf<raw::bw_lad_options>;
/// The options of a parser of log lines.
pub type DrainOptions = OptionsOf<raw::bw_drain_options>;

impl<T: RawOptions> OptionsOf<T> {
    /// Options that are all at their defaults.
    ///
    /// # Panics
    /// Where bellwether has a defect.
    pub fn new(library: &Library) -> Self {
        // SAFETY: the function takes nothing, and what it makes is nobody else's.
        unsafe {
            let handle = (T::functions(library.functions()).new)();
            let handle = NonNull::new(handle).expect("options can always be made");
            Self(Owned::from_raw(library.clone(), handle))
        }
    }

    /// Sets the option `name` to what `value` stands for, as a user would write it.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidOption`] for an unknown name or a value that the option does not take; the message says what
    /// would be right, and the options are as before.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let ((name, name_len), (value, value_len)) = [name, value]
            .map(|text| (text.as_ptr().cast(), text.len()))
            .into();
        // SAFETY: it is a function of this type, and each string has as many bytes as its length says.
        unsafe {
            self.0.call(|f, handle, error| {
                (T::functions(f).set)(handle, name, name_len, value, value_len, error)
            })
        }
    }
}

impl Library {
    /// Every option of this kind, in the order in which documentation lists them.
    pub(crate) fn described<T: RawOptions>(&self) -> Result<Vec<OptionInfo>, Error> {
        let f = T::functions(self.functions());
        let info = |index| {
            let mut info = raw::bw_option_info {
                size: size_of::<raw::bw_option_info>(),
                name: ptr::null(),
                kind: ptr::null(),
                default_value: ptr::null(),
                allowed: ptr::null(),
                unit: ptr::null(),
                help: ptr::null(),
            };
            // SAFETY: `info` has the size that it says; the strings that it gets are static, since the library is never
            // unloaded.
            unsafe {
                check(self, |error| (f.describe)(index, &mut info, error))?;
                let text = |start| text(start).unwrap_or_default();
                Ok(OptionInfo {
                    name: text(info.name),
                    kind: text(info.kind),
                    default: text(info.default_value),
                    allowed: text(info.allowed),
                    unit: text(info.unit),
                    help: text(info.help),
                })
            }
        };
        // SAFETY: the function takes nothing.
        let count = unsafe { (f.count)() };
        (0..count).map(info).collect()
    }
}
