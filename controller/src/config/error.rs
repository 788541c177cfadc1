//! Why a configuration was refused.

use std::path::PathBuf;

use bellwether_core::options::OptionError;

use super::FILE_MAX_BYTES;

/// Why a configuration was refused. The message names the section, the setting, the value and what is allowed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {error}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// The file is larger than any configuration.
    #[error("{} has {bytes} bytes; it takes at most {FILE_MAX_BYTES}", .path.display())]
    Large {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// It is not TOML.
    #[error("it is not TOML: {0}")]
    Syntax(toml::de::Error),
    /// There is no such section or setting.
    #[error("unknown {what} \"{name}\"{}; it takes {takes}", .nearest.as_ref().map(|n| format!(" (did you mean \"{n}\"?)")).unwrap_or_default())]
    Unknown {
        /// "section" or "setting".
        what: &'static str,
        /// The name that was given.
        name: String,
        /// The nearest existing name, if one is near.
        nearest: Option<String>,
        /// All names.
        takes: String,
    },
    /// The setting does not allow the value.
    #[error("\"{section}.{name}\": {value} is not allowed; it takes {takes}")]
    Value {
        /// The section.
        section: String,
        /// The name of the setting.
        name: String,
        /// The value that was given.
        value: String,
        /// What is allowed.
        takes: &'static str,
    },
    /// An option of the policy or of the risk was refused.
    #[error("section \"{0}\": {1}")]
    Option(String, OptionError),
    /// Settings contradict each other.
    #[error("section \"{section}\": {message}")]
    Conflict {
        /// The section.
        section: &'static str,
        /// What contradicts what, and what would be right.
        message: String,
    },
}
