//! The options of a detector.

use std::fmt;
use std::marker::PhantomData;

use crate::detector::Kind;
use crate::error::Error;
use crate::handle::{Owned, text};
use crate::library::Library;
use crate::raw;

/// One option, as documentation shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OptionInfo {
    /// The name, in snake case.
    pub name: String,
    /// The type of its values: "flag", "integer", "number", "choice", "list" or "text".
    pub kind: String,
    /// The default, as a user would write it.
    pub default: String,
    /// The allowed values, in words.
    pub allowed: String,
    /// The unit of the value, or an empty string.
    pub unit: String,
    /// One line of help.
    pub help: String,
    /// Other names that are accepted.
    pub aliases: Vec<String>,
}

impl OptionInfo {
    /// All names that are accepted: the name, and the aliases.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.name)
            .chain(&self.aliases)
            .map(String::as_str)
    }
}

/// The options of a kind of detector, all at their defaults when new.
pub struct Options<K>(pub(crate) Owned<raw::bw_options>, PhantomData<K>);

impl<K: Kind> fmt::Debug for Options<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("kind", &K::NAME)
            .finish_non_exhaustive()
    }
}

impl<K: Kind> Options<K> {
    /// Options that are all at their defaults.
    ///
    /// # Panics
    /// On an internal error of bellwether.
    pub fn new(library: &Library) -> Self {
        // SAFETY: the name has as many bytes as its length says.
        let options = unsafe {
            Owned::make(library, |f, error| {
                f.bw_options_new(K::NAME.as_ptr().cast(), K::NAME.len(), error)
            })
        };
        Self(
            options.expect("libbellwether has every kind of this crate"),
            PhantomData,
        )
    }

    /// Sets the option `name` to `value`, as a user would write it.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidOption`] for an unknown name or a value that the option does not take; the message has what would
    /// be right, and the options are unchanged.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let ((name, name_len), (value, value_len)) = [name, value]
            .map(|text| (text.as_ptr().cast(), text.len()))
            .into();
        // SAFETY: it is a function of this type, and each string has as many bytes as its length says.
        unsafe {
            self.0.call(|f, handle, error| {
                f.bw_options_set(handle, name, name_len, value, value_len, error)
            })
        }
    }

    /// Every option, in the order of the documentation.
    ///
    /// # Errors
    /// Only an internal error of bellwether.
    pub fn described(&self) -> Result<Vec<OptionInfo>, Error> {
        // SAFETY: the handle is ours.
        let count = unsafe { self.0.functions().bw_options_count(self.0.as_ptr()) };
        (0..count).map(|index| self.describe(index)).collect()
    }

    fn describe(&self, index: usize) -> Result<OptionInfo, Error> {
        let mut info = raw::bw_option_info {
            size: size_of::<raw::bw_option_info>(),
            name: raw::bw_string::NONE,
            kind: raw::bw_string::NONE,
            default_value: raw::bw_string::NONE,
            allowed: raw::bw_string::NONE,
            unit: raw::bw_string::NONE,
            help: raw::bw_string::NONE,
            aliases: raw::bw_string::NONE,
        };
        // SAFETY: `info` has the size that it says; the strings live as long as the options.
        unsafe {
            self.0
                .call(|f, handle, error| f.bw_options_describe(handle, index, &mut info, error))?;
            let owned = |string| text(string).unwrap_or_default().to_owned();
            Ok(OptionInfo {
                name: owned(info.name),
                kind: owned(info.kind),
                default: owned(info.default_value),
                allowed: owned(info.allowed),
                unit: owned(info.unit),
                help: owned(info.help),
                aliases: owned(info.aliases)
                    .split_terminator(',')
                    .map(String::from)
                    .collect(),
            })
        }
    }
}
