//! The risk of a host: one probability that its guests fail soon, from all evidence about it.
//!
//! Each source of evidence ([`Source`]) is in one of a few states. Bayes' rule joins what they say (I. J. Good, "Probability and the
//! Weighing of Evidence", 1950; naive Bayes), between three hypotheses: guests fail within the horizon (F), there is a fault of which they
//! fail later (L), there is none (N):
//!
//! ```text
//! odds(F) = 1 / (P(N)/P(F) product of P(state | N)/P(state | F) + P(L)/P(F) product of P(state | L)/P(state | F))
//! ```
//!
//! With two hypotheses, failing and not, two sources that show the same fault would count as if each said by itself when it fails: on
//! generated hosts that is overconfident. Once it is known which of the three is the case, the sources are about independent.
//!
//! The shares come from tables of counts ([`Tables`]), P(F) from the option `failures_per_host_year`. A source that is absent or stale
//! contributes nothing. The result is at most [`PROBABILITY_MAX`]. It is an evidence score until a site has reported
//! enough outcomes ([`Detector::outcome`]): from then on, a line fitted to them (Platt's scaling) makes it a probability of this
//! site.
//!
//! ```
//! use bellwether_core::detector::Detector as _;
//! use bellwether_core::event::{EventKind, State};
//! use bellwether_core::risk::{Detector, Observation, RiskOptions, SourceState};
//! use bellwether_core::units::Time;
//!
//! let mut detector = Detector::new(RiskOptions::default())?;
//! let mut observe = |seconds, state| {
//!     let (hypervisor, time) = ("kvm1", Time::from_secs(seconds));
//!     detector.observe(&Observation { hypervisor, time, state })
//! };
//! // Failure lines in five of the last twenty minutes are not enough...
//! assert!(!observe(1_000.0, SourceState::log(5)).raised);
//! // ...but they are together with an anomaly of the guests.
//! let observed = observe(1_010.0, SourceState::had(Some(30.0), false));
//! assert!(observed.raised && observed.risk_10min.get() >= 0.5);
//! let event = detector.next_event().unwrap();
//! assert_eq!((event.kind(), event.state), (EventKind::FailureRisk, State::Raised));
//! # Ok::<(), bellwether_core::options::OptionError>(())
//! ```

mod calibration;
mod detector;
mod host;
mod model;
mod observation;
mod odds;
mod options;
mod recent;
mod report;
mod snapshot;
mod source;
mod status;
mod tables;

pub use detector::Detector;
pub use observation::{Counters, Fate, NAME_MAX_BYTES, Observation, Observed, Outcome};
pub use odds::PROBABILITY_MAX;
pub use options::{AlarmHorizon, RiskOptions};
pub use source::{LOG_MINUTES, Source, SourceState};
pub use status::{SourceStatus, Status};
pub use tables::{
    Counts, Horizon, HorizonCounts, Joint, SharedTables, TABLES_MAX_BYTES, TABLES_VERSION, Tables,
    TablesError, TablesFile,
};
