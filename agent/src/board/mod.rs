//! The board: where the halves of bellwether on one host meet.
//!
//! The metrics and the log of a host are watched by different agents, each in a process of its own. Each of them, a [`Half`],
//! publishes what it knows of its hosts in a small file of a folder that both know ([`Writer`]), and reads the other's ([`Reader`]).
//! Neither waits for the other; either may start first, end or crash. What is not published again becomes stale, and stale means
//! unknown.
//!
//! - **Files.** `log.board` and `metrics.board`, mode 0640, in a folder that the operator has made, by default
//!   [`FOLDER`]. Without the folder there is no board. A file has one writer, which holds a lock on it; it is replaced as a whole
//!   when a writer starts, and removed when it ends.
//! - **Form.** A header and [`HOSTS_MAX`] records of one size, each with a checksum (the `format` module). A record that was
//!   read while it was written, or that is damaged, fails its checksum and counts as absent.
//! - **Access.** With `pread` and `pwrite`, not by mapping: who truncates a file that others have mapped ends their processes.
//!   Whatever the file contains, a pass over it costs at most the reading of its full size.
//! - **Trust.** Who may write to the folder may publish. A folder or file that every user may write to is refused.

mod format;
mod names;
mod reader;
mod writer;

use std::fmt;
use std::io;
use std::path::PathBuf;

pub use bellwether_sys::RiskSource;
pub use names::{is_same_host, name_among};
pub use reader::{Board, Reader};
pub use writer::{Publishing, Writer};

/// The folder of the board, unless the configuration names another.
pub const FOLDER: &str = "/run/bellwether";

/// Maximum number of hosts that one half publishes.
pub const HOSTS_MAX: usize = 1024;

/// A [`Risk`] that is older than this, in seconds, is unknown: its half publishes all hosts at least every ten seconds.
pub const RISK_STALE_SEC: f64 = 60.0;

/// Maximum length of the name of a host in bytes.
pub const NAME_MAX_BYTES: usize = 256;

/// A half of bellwether.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// What watches the logs of hosts.
    Log,
    /// What watches the metrics of hosts and of their guests.
    Metrics,
}

impl Half {
    /// The name of its file.
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Log => "log.board",
            Self::Metrics => "metrics.board",
        }
    }

    /// The sources that it publishes; others in its file are ignored.
    pub const fn sources(self) -> [RiskSource; 2] {
        match self {
            Self::Log => [RiskSource::Log, RiskSource::Novelty],
            Self::Metrics => [RiskSource::Had, RiskSource::Resource],
        }
    }

    /// Whether it publishes a [`Risk`]; one in the other's file is ignored.
    pub const fn has_risk(self) -> bool {
        matches!(self, Self::Log)
    }
}

/// What a source says about a host.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// The source.
    pub source: RiskSource,
    /// When that was true, in seconds since the epoch.
    pub time: f64,
    /// Its measure, see [`RiskSource`].
    pub measure: f64,
    /// For [`RiskSource::Had`]: the anomaly is provisional.
    pub provisional: bool,
}

/// The risk of a host, which the half that watches logs estimates from all sources.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Risk {
    /// When that was true, in seconds since the epoch.
    pub time: f64,
    /// The probability that guests of the host fail within 10 minutes, 0 to 1.
    pub risk_10min: f32,
    /// The same within 30 minutes.
    pub risk_30min: f32,
    /// Whether these are probabilities of this site. If not, they are evidence scores.
    pub calibrated: bool,
    /// Whether `failure_risk` is raised.
    pub raised: bool,
}

impl Risk {
    /// Whether it is of the present at `now`, seconds since the epoch. One far in the future is of before a clock was set back.
    pub fn is_fresh(&self, now: f64) -> bool {
        (now - self.time).abs() <= RISK_STALE_SEC
    }
}

/// Why there is no board, or not this half's part of it.
#[derive(Debug)]
pub enum BoardError {
    /// Another process publishes the same half.
    Taken {
        /// The file.
        path: PathBuf,
    },
    /// Every user may write to the folder or to a file.
    WritableByAll {
        /// The folder or file.
        path: PathBuf,
    },
    /// It is not a file of the board, or is of another version.
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The system refuses.
    Io {
        /// The folder or file.
        path: PathBuf,
        /// The error of the system.
        error: io::Error,
    },
}

impl fmt::Display for BoardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken { path } => write!(
                f,
                "{} is published by another process; only one agent of a host may publish this half",
                path.display()
            ),
            Self::WritableByAll { path } => write!(
                f,
                "every user may write to {}; take that right away from others (chmod o-w)",
                path.display()
            ),
            Self::Unusable { path, why } => write!(f, "{} cannot be used: {why}", path.display()),
            Self::Io { path, error } => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for BoardError {}

/// The bit of a mode that lets every user write.
const WRITABLE_BY_ALL: u32 = 0o002;

#[cfg(test)]
mod tests;
