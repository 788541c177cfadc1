//! Recorded metrics and logs: reading them, and running them through the detectors.
//!
//! - [`files`] finds the files that a command names, [`decompress`] reads them.
//! - [`series`] finds and reads the metrics of hypervisors, [`keys`] log keys that were found and classified elsewhere.
//! - [`logs`] reads the records of logs: [`log_files`] finds the files of a log, [`text`] splits them into lines, [`forms`] has the
//!   forms of lines, [`times`] their times, and [`log_reader`] reads one file.
//! - [`feed`] runs a hypervisor's rows through a detector, and [`diagnosis`] says why nothing is found in them.
//! - [`settings`] has the options of a detector as a command line gives them.
//! - [`progress`] reads several files at a time, in order, and shows how far it is.
//! - [`clock`] formats times for people.
//! - [`command`] is what the command lines of all programs have in common.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod account;
pub mod clock;
pub mod command;
pub mod decompress;
pub mod diagnosis;
pub mod feed;
pub mod files;
pub mod fleet;
pub mod forms;
pub mod keys;
pub mod log_files;
pub mod log_reader;
pub mod logs;
pub mod progress;
pub mod series;
pub mod settings;
pub mod text;
pub mod times;
