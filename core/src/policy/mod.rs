//! The policy: when the guests of a host are to be moved away, and when nothing is to be done.
//!
//! Pure like the detectors: no clock, no IO. Inputs ([`Input`]) come with their time; decisions ([`Decision`]), changes of the
//! hosts' health ([`HealthChange`]) and events about groups follow. The same inputs give the same outputs, byte for byte, also with
//! a snapshot and a restore in between, so a recorded stream can be replayed.
//!
//! A host is **red** if two kinds of evidence agree within `window_sec`, or if its log has a failure of one of `log_families`; it is
//! **yellow** with any other evidence against it. Evidence counts only if its source is known, if it is about the host itself (not
//! its guests, not the fleet, not silence) and if it is not provisional. A red host gets one suggestion ([`Suggestion`]) for each
//! incident. What it waits for depends on `mode`; before an evacuation starts, all of these rules must allow it:
//!
//! | Rule | Evacuations wait or are refused |
//! | --- | --- |
//! | `tripped` | after the brake has tripped, until a person resets it: many hosts turned red together, or evacuations failed |
//! | `paused`, `frozen` | while a person pauses them, the whole fleet changes, or the caller cannot decide |
//! | `group_anomaly` | while more hosts of a group of the host turn together than by chance |
//! | `unknown_host` | if what the host shares with others is unknown |
//! | `max_hosts`, `max_share`, `max_per_group` | when as many have started within `limit_window_sec` |
//! | `quiet_hours` | during these hours, unless a person approved |
//! | `hold_down` | until the evidence has lasted, so that other hosts can show that they have the same |
//! | `one_at_a_time` | while another evacuation runs |
//!
//! ```
//! use bellwether_core::event::{EventKind, IncidentId, State};
//! use bellwether_core::policy::{
//!     Action, EvidenceKind, Finding, Health, Input, Origin, Policy, PolicyOptions, Step, What,
//! };
//! use bellwether_core::units::Time;
//!
//! let mut options = PolicyOptions::default();
//! options.set("mode", "confirm")?;
//! let mut policy = Policy::new(options)?;
//! let finding = |seconds, kind| What::Finding(Finding {
//!     host: "kvm1".into(),
//!     incident: IncidentId::new(EventKind::LogFailure, &["kvm1"], Time::from_secs(seconds), 0),
//!     kind,
//!     state: State::Raised,
//!     since: Time::from_secs(seconds),
//!     reported: Time::from_secs(seconds),
//!     provisional: false,
//!     trusted: true,
//!     origin: Origin::Host,
//!     family: None,
//!     retracted: false,
//!     text: "something is wrong".into(),
//! });
//! let mut apply = |seconds, what| policy.apply(&Input { time: Time::from_secs(seconds), what });
//!
//! // One kind of evidence makes a host yellow, two kinds make it red.
//! let outputs = apply(1_000.0, finding(1_000.0, EvidenceKind::Log));
//! assert_eq!(outputs.health[0].to, Health::Yellow);
//! let outputs = apply(1_060.0, finding(1_060.0, EvidenceKind::Metrics));
//! assert_eq!(outputs.health[0].to, Health::Red);
//! assert_eq!(outputs.decisions[0].action, Action::Suggest);
//!
//! // A person approves; the evidence has lasted for `hold_down_sec`.
//! let id = outputs.decisions[0].id.unwrap();
//! let outputs = apply(1_100.0, What::Approve { id, by: "ada".into() });
//! assert_eq!(outputs.decisions[0].action, Action::Evacuate);
//! let ended = What::Progress { id, step: Step::Ended, text: String::new() };
//! assert_eq!(apply(1_200.0, ended).decisions[0].action, Action::Withdraw);
//! # Ok::<(), bellwether_core::options::OptionError>(())
//! ```

mod brake;
mod calendar;
mod counters;
mod decide;
mod decision;
mod engine;
mod evacuation;
mod evidence;
mod freezes;
mod gates;
mod host;
mod input;
mod limits;
mod options;
mod record;
mod snapshot;
mod state;
mod status;
mod suggestion;
mod targets;
mod terms;

pub use brake::Tripped;
pub use counters::Counters;
pub use decision::{Decision, HealthChange, Outputs, REASON_MAX_BYTES, REASONS_MAX};
pub use engine::Policy;
pub use input::{Finding, Input, InputError, NAME_MAX_BYTES, SuggestionId, What};
pub use options::PolicyOptions;
pub use state::Paused;
pub use status::{HostStatus, Status};
pub use suggestion::Suggestion;
pub use terms::{
    Action, EvidenceKind, Health, Mode, Origin, Phase, Rule, Step, TargetRule, Verdict,
};
