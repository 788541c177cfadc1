//! Detectors that distinguish a failing hypervisor from a busy guest.
//!
//! Pure computation: no agent, no C, no clock, no thread, no printing. Time comes in with the data, so that the same input in the
//! same order gives the same events, byte for byte.
//!
//! It accesses few files, and only on request: a snapshot ([`snapshot`]), written and read where its caller says; a site's own
//! lexicon and a trained model ([`model`]), which [`lad::Detector::new`] reads once if the options name them; and the tables that
//! [`risk::Detector::new`] reads once if the option `tables` names some. No observation reads or writes anything.
//!
//! - [`detector`]: the trait that all detectors implement.
//! - [`had`]: hypervisor anomaly detection on per-VM metrics.
//! - [`lad`]: log anomaly detection on the records of a host's log.
//! - [`drain`]: online parsing of log lines into templates.
//! - [`inference`]: failure inference from the text of a log message.
//! - [`event`]: the events that detectors report, and their JSON.
//! - [`maintenance`]: when a hypervisor is in maintenance, and how people write that.
//! - [`model`]: models that are trained beforehand and loaded from a file.
//! - [`options`]: every option once, with its type, default, range, unit and a line of help.
//! - [`policy`]: when the guests of a host are to be moved away, and when nothing is to be done.
//! - [`resource`]: how unusual the resources of a host are against its own past.
//! - [`risk`]: one probability per host that its guests fail, from all evidence about it.
//! - [`snapshot`]: the learned state of a detector, saved and restored.
//! - [`state_file`]: files that are written whole or not at all.
//! - [`units`]: points in time, intervals and shares.
#![warn(missing_docs, missing_debug_implementations)]
#![forbid(unsafe_code)]

pub mod detector;
pub mod drain;
pub mod event;
mod eviction;
mod group;
pub mod had;
pub mod inference;
pub mod lad;
pub mod maintenance;
mod memory;
pub mod model;
pub mod options;
pub mod policy;
pub mod resource;
pub mod risk;
pub mod snapshot;
pub mod state_file;
pub mod text;
pub mod units;

/// The version of the product, as `major.minor.patch`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
