//! LAD: detects a failing host by its log (VMFT-LAD, lecture, chapter 4).
//!
//! A [`Detector`] takes one record at a time ([`Detector::observe`]): it finds the record's template (the log key), classifies
//! its text, compares the window of the last log keys with the known windows, and raises [`Event`](crate::event::Event)s
//! ([`Detector::next_event`]). Each stream, the merged log of one host, is evaluated by itself. A [`Sequence`] is the part that
//! needs no text, for log keys from elsewhere.
//!
//! ```
//! use bellwether_core::event::{EventKind, State};
//! use bellwether_core::lad::{Detector, LadOptions, Record, Source};
//! use bellwether_core::units::Time;
//!
//! let mut detector = Detector::new(LadOptions::default())?;
//! let observed = detector.observe(&Record {
//!     stream: "kvm1",
//!     time: Time::from_secs(1_700_000_000.0),
//!     text: "blk_update_request: I/O error, dev sda, sector 2048",
//!     priority: Some(3),
//!     source: Source { program: b"kernel", ..Source::default() },
//! });
//! assert!(observed.failure);
//! let event = detector.next_event().unwrap();
//! assert_eq!((event.kind(), event.state), (EventKind::LogFailure, State::Raised));
//! # Ok::<(), bellwether_core::options::OptionError>(())
//! ```

mod budget;
mod classifier;
mod counters;
mod detector;
mod episode;
mod feedback;
mod first_seen;
mod novelty;
mod options;
mod paper;
mod pending;
mod prediction;
mod questions;
mod quiet;
mod recent;
mod record;
mod report;
mod seeds;
mod sequence;
mod signs;
mod snapshot;
mod source;
mod standing;
mod status;
mod store;
mod stream;
mod streams;
mod unseen;

pub use crate::inference::Transport;
pub use crate::model::Predicted;
pub use classifier::{SharedInference, inference};
pub use counters::Counters;
pub use detector::Detector;
pub use options::{LadOptions, Mode};
pub use questions::{QUESTION_MAX_BYTES, Question};
pub use record::{CERTAIN_SEVERITY, NAME_MAX_BYTES, Observed, Outcome, Record, Verdict};
pub(crate) use report::RETRACTED;
pub use seeds::{SeedTemplate, Seeds, TEMPLATES_MAX};
pub use sequence::{Sequence, Step};
pub use signs::SIGNS_MINUTES;
pub use source::Source;
pub use status::Status;

#[cfg(test)]
mod tests;
