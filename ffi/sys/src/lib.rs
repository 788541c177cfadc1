//! libbellwether seen from Rust: what a plugin uses, without a line of `unsafe` of its own.
//!
//! The library is not linked but loaded at run time ([`Library::load`]), from the plugin's own folder or from where the
//! system keeps libraries. So nothing has to be built or installed in a certain order, and an agent that lacks it gets a message
//! instead of a plugin that cannot be loaded. Methods are named like those of the core.
//!
//! ```no_run
//! use bellwether_sys::{HadOptions, Library, Observation, own_folders};
//!
//! let library = Library::load(own_folders())?;
//! let mut options = HadOptions::new(&library);
//! options.set("algorithm", "zscore")?;
//! let mut had = library.had(&options)?;
//! had.observe(&Observation {
//!     hypervisor: "host-1",
//!     vm: "vm-7",
//!     metric: "cpu",
//!     time: 1_700_000_000.0,
//!     interval: 10.0,
//!     value: 12.5,
//! })?;
//! while let Some(event) = had.next_event() {
//!     println!("{}: {:?}", event.json(), event.number("score"));
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![warn(missing_docs)]

// Generated from the header, where every function has its contract.
#[allow(missing_docs, non_camel_case_types, clippy::all, unsafe_op_in_unsafe_fn)]
#[allow(clippy::undocumented_unsafe_blocks)]
#[rustfmt::skip]
pub mod raw;

mod detector;
mod drain;
mod error;
mod event;
mod had;
mod handle;
mod lad;
mod library;
mod options;
mod resource;
mod risk;
mod snapshot;

pub use detector::{Counters, Detector, Kind};
pub use drain::{Change, Drain, DrainCounters, DrainKind};
pub use error::{Error, ErrorKind};
pub use event::{Event, Field, Value};
pub use had::{Had, HadCounters, HadKind, NoticeKind, Observation, Outcome, Status, Window};
pub use lad::{
    Lad, LadCounters, LadKind, LadStatus, Observed, Question, Record, RecordOutcome, Transport,
    Verdict,
};
pub use library::{LIBRARY_NAME, Library, own_folders};
pub use options::{OptionInfo, Options};
pub use resource::{
    Deviation, Reconstructed, Resource, ResourceCounters, ResourceKind, ResourceStatus, Row,
    RowOutcome, Unusual,
};
pub use risk::{
    Fate, Risk, RiskCounters, RiskKind, RiskObservation, RiskObserved, RiskOutcome, RiskSource,
    RiskStatus,
};
pub use snapshot::{Snapshot, Way};

/// The options of a detector of hypervisor anomalies.
pub type HadOptions = Options<HadKind>;
/// The options of a detector of failures in logs.
pub type LadOptions = Options<LadKind>;
/// The options of a detector of the resources of hosts.
pub type ResourceOptions = Options<ResourceKind>;
/// The options of a detector of risk.
pub type RiskOptions = Options<RiskKind>;
/// The options of a parser of log lines.
pub type DrainOptions = Options<DrainKind>;
