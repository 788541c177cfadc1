//! Recorded metrics and logs: reading them, and running them through the detectors.
//!
//! - [`files`] finds the files that a command names and decompresses them.
//! - [`series`] reads the metrics of a hypervisor, [`logs`] and [`log_line`] the lines of a log, [`keys`] log keys that were
//!   found and classified elsewhere.
//! - [`feed`] runs a hypervisor's rows through a detector.
//! - [`settings`] has the options of a detector as a command line gives them.
//! - [`progress`] reads several files at a time, in order, and shows how far it is.
//! - [`clock`] formats times for people.
//! - [`command`] is what the command lines of all programs have in common.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod clock;
pub mod command;
pub mod feed;
pub mod files;
pub mod keys;
pub mod log_line;
pub mod logs;
pub mod progress;
pub mod series;
pub mod settings;
