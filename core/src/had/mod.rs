//! HAD: distinguishes a failing hypervisor from a busy guest by the metrics of its guests.
//!
//! A [`Detector`] takes one sample of one VM at a time ([`Detector::observe`]) and returns [`Event`](crate::event::Event)s
//! ([`Detector::next_event`]). Each metric of each hypervisor has its own evidence, and so have VMs with different sampling
//! intervals; the decision is one per hypervisor (`joint`). Samples of one hypervisor that belong to the same interval form a tick. A tick is evaluated when all VMs of the
//! last one have reported, when most of them have advanced so far that nothing can be in time for it any more, or when
//! [`Detector::advance`] declares its time over. No single VM decides what time it is.
//!
//! ```
//! use bellwether_core::event::{EventKind, State};
//! use bellwether_core::had::{Detector, HadOptions, Observation};
//! use bellwether_core::units::{Interval, Time};
//!
//! let mut detector = Detector::new(HadOptions::default())?;
//! for tick in 0..400_u32 {
//!     for vm in 0..5_u32 {
//!         // Five VMs with loads of their own that all fall together at tick 300.
//!         let load = f64::from(10 + 7 * ((tick * (3 + vm)) % 11));
//!         detector.observe(&Observation {
//!             hypervisor: "kvm1",
//!             vm: &format!("vm{vm}"),
//!             metric: "cpu",
//!             time: Time::from_secs(f64::from(tick) * 10.0),
//!             interval: Some(Interval::from_secs(10.0)),
//!             value: if tick < 300 { load } else { 0.2 * load },
//!         });
//!     }
//! }
//! let event = detector.next_event().unwrap();
//! assert_eq!((event.kind(), event.state), (EventKind::HypervisorAnomaly, State::Raised));
//! assert_eq!(event.hypervisor(), "kvm1");
//! # Ok::<(), bellwether_core::options::OptionError>(())
//! ```

mod algorithm;
mod attribution;
#[doc(hidden)]
pub mod bare;
mod budget;
#[cfg(test)]
mod contract;
mod detector;
mod filter;
mod fleet;
mod hypervisor;
mod iad;
mod incident;
mod joint;
mod masks;
mod membership;
mod method;
mod notice;
mod observation;
mod options;
mod overlap;
mod past;
mod presence;
mod quorum;
mod rank;
mod report;
mod series;
mod snapshot;
mod spans;
mod status;
mod window;
mod zscore;

pub use detector::{Detector, NAME_MAX_BYTES};
pub use notice::{Notice, NoticeKind};
pub use observation::{Counters, Observation, Outcome};
pub use options::{Algorithm, HadOptions};
pub(crate) use quorum::binomial_evidence;
pub use status::{Status, VmStatus};
