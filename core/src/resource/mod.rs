//! The resources of hosts: how unusual they are against each host's own past.
//!
//! A [`Detector`] takes one row of one host at a time ([`Detector::observe`]): CPU, memory, swap, disks, pressure, and what its
//! VMs wait for, all as rates or shares, in the order of [`Signal`]. For each row it gives a conformal p-value, and while rows are
//! very unusual an anomaly is open. That is evidence: resources deviate for many reasons, most of which are no failure, so an
//! anomaly is a warning at most.
//!
//! ```
//! use bellwether_core::event::{EventKind, Severity, State};
//! use bellwether_core::resource::{Detector, Observation, ResourceOptions, Signal};
//! use bellwether_core::units::{Interval, Time};
//!
//! let mut detector = Detector::new(ResourceOptions::default())?;
//! let mut values = [f64::NAN; Signal::COUNT];
//! for minute in 0..3_000_u32 {
//!     values[Signal::CpuBusy as usize] = 0.3 + 0.02 * f64::from(minute % 7);
//!     values[Signal::MemoryUsed as usize] = if minute < 2_900 { 0.6 } else { 0.97 };
//!     let observed = detector.observe(&Observation {
//!         hypervisor: "kvm1",
//!         time: Time::from_secs(f64::from(minute) * 60.0),
//!         interval: Some(Interval::from_secs(60.0)),
//!         values: &values,
//!     });
//!     if minute == 2_905 {
//!         assert!(observed.raised);
//!         assert_eq!(observed.deciding[0].channel, Signal::MemoryUsed as usize);
//!     }
//! }
//! let event = detector.next_event().unwrap();
//! assert_eq!((event.kind(), event.state), (EventKind::ResourceAnomaly, State::Raised));
//! assert_eq!((event.severity, event.metric()), (Severity::Warning, Some("memory_used")));
//! # Ok::<(), bellwether_core::options::OptionError>(())
//! ```

mod channel;
mod course;
mod detector;
mod engine;
mod host;
mod memory;
mod model;
mod observation;
mod options;
mod reference;
mod report;
mod signal;
mod snapshot;
mod spans;
mod status;
mod verdict;

pub use channel::{Channel, Scale};
pub use detector::{Detector, NAME_MAX_BYTES};
pub use engine::{Engine, Verdict};
pub use observation::{Counters, Observation, Observed, Outcome};
pub use options::ResourceOptions;
pub use report::unusual_share;
pub use signal::Signal;
pub use status::Status;
pub use verdict::{DECIDING_MAX, Deviation, PValues};
