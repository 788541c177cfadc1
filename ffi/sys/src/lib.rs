//! libbellwether seen from Rust: what a plugin uses, without a line of `unsafe` of its own.
//!
//! The library is not linked but loaded at run time ([`Library::load`]), from the plugin's own folder or from where the
//! system keeps libraries; nothing has to be built or installed in a certain order, and a host that lacks it gets a message
//! instead of a plugin that cannot be loaded. Methods are named like those of the core.
//!
//! ```no_run
//! use bellwether_sys::{Library, Observation, Options, own_folders};
//!
//! let library = Library::load(own_folders())?;
//! let mut options = Options::new(&library);
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

pub mod raw;

mod drain;
mod error;
mod event;
mod had;
mod handle;
mod lad;
mod library;
mod options;

pub use drain::{Change, Drain};
pub use error::{Error, ErrorKind};
pub use event::Event;
pub use had::{Counters, Had, NoticeKind, Observation, Outcome, Status};
pub use handle::{Detector, Snapshot, Way};
pub use lad::{Lad, LadCounters, Observed, Record, RecordOutcome, Verdict};
pub use library::{LIBRARY_NAME, Library, own_folders};
pub use options::{DrainOptions, LadOptions, OptionInfo, Options, OptionsOf};
