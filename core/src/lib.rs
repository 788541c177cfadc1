//! Detectors that tell a failing hypervisor from a busy guest.
//!
//! Pure computation: no host, no C, no clock, no thread, no printing. Time comes in with the data, so that the same input in
//! the same order gives the same events, byte for byte.
//!
//! Two kinds of file are all it ever touches, and only when it is told to: a snapshot ([`snapshot`]), written and read where
//! its caller says, and a site's own lexicon, which [`lad::Detector::new`] reads once, when the option `lexicon` names one.
//! No observation reads or writes anything.
//!
//! - [`drain`]: the templates of log lines, found online.
//! - [`had`]: hypervisor anomaly detection on per-VM metrics.
//! - [`inference`]: what a log message says about the health of its host.
//! - [`lad`]: log anomaly detection on the records of a host's log.
//! - [`event`]: the one event type that every detector emits, and its JSON.
//! - [`options`]: every option once, with its type, default, range, unit and a line of help.
//! - [`snapshot`]: what a detector has learnt, saved and restored.
#![warn(missing_docs)]
#![forbid(unsafe_code)]

pub mod drain;
pub mod event;
pub mod had;
pub mod inference;
pub mod lad;
mod memory;
pub mod options;
pub mod snapshot;
mod state_file;

/// The version of the product, as `major.minor.patch`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
