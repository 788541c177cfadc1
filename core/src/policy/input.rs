//! What the policy takes in.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::terms::{EvidenceKind, Origin, Phase, Step, Verdict};
use crate::event::{IncidentId, State};
use crate::inference::Family;
use crate::units::{Share, Time};

/// Maximum length of the name of a host, a label, a person or a cause in bytes.
pub const NAME_MAX_BYTES: usize = crate::maintenance::NAME_MAX_BYTES;

/// One input. As JSON it is one flat object, so that a recorded stream can be replayed:
///
/// ```
/// use bellwether_core::policy::{Input, What};
/// use bellwether_core::units::Time;
///
/// let json = r#"{"time":1700000000.5,"input":"pause","by":"ada","reason":"power work in hall 2"}"#;
/// let input: Input = serde_json::from_str(json)?;
/// assert_eq!(input.time, Time::from_secs(1_700_000_000.5));
/// assert!(matches!(&input.what, What::Pause { by, .. } if by == "ada"));
/// assert_eq!(serde_json::to_string(&input)?, json);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// When it was received, by the clock of the caller. The policy's time is the latest of all; an earlier one is taken for that.
    pub time: Time,
    /// What it is.
    #[serde(flatten)]
    pub what: What,
}

/// The number of a suggestion: 1 and upward, in the order in which they were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SuggestionId(pub u64);

impl fmt::Display for SuggestionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What an input is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "input", rename_all = "snake_case")]
pub enum What {
    /// Evidence from an event.
    Finding(Finding),
    /// The present risk of a host: it orders those that wait.
    Risk {
        /// The host's name.
        host: String,
        /// The probability that its guests fail within 10 minutes.
        risk_10min: Share,
        /// The same within 30 minutes.
        risk_30min: Share,
        /// Whether these are probabilities of this site; otherwise they are evidence scores.
        calibrated: bool,
    },
    /// All hosts of the cluster with their labels, such as `rack`, by name. It replaces the one before.
    Topology {
        /// The labels by the host's name.
        hosts: BTreeMap<String, BTreeMap<String, String>>,
    },
    /// A person approves a suggestion.
    Approve {
        /// The suggestion.
        id: SuggestionId,
        /// Who it is.
        by: String,
    },
    /// A person dismisses a suggestion.
    Dismiss {
        /// The suggestion.
        id: SuggestionId,
        /// What is true of it.
        verdict: Verdict,
        /// Who it is.
        by: String,
    },
    /// A person pauses evacuations: none starts until `resume`; those that run continue.
    Pause {
        /// Who it is.
        by: String,
        /// Why.
        #[serde(default)]
        reason: String,
    },
    /// A person ends the pause.
    Resume {
        /// Who it is.
        by: String,
    },
    /// A person resets the brake.
    Reset {
        /// Who it is.
        by: String,
    },
    /// What became of an evacuation.
    Progress {
        /// The suggestion that it carries out.
        id: SuggestionId,
        /// What happened.
        step: Step,
        /// Details for people; why it failed.
        #[serde(default)]
        text: String,
    },
    /// The caller cannot decide, such as for a full disk or a lost feed, or can again: while any cause is on, nothing is evacuated.
    Freeze {
        /// The cause, which identifies it.
        cause: String,
        /// Whether it begins or ends.
        on: bool,
    },
    /// Time passes: what was held may start. At least every few seconds; a replay needs the same ticks.
    Tick,
}

/// Evidence from one event about one host, or about all of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The host's name; empty for all hosts ([`Origin::Silence`], [`Origin::Fleet`]).
    pub host: String,
    /// The identity of the condition, which its reports share.
    pub incident: IncidentId,
    /// The kind of evidence.
    pub kind: EvidenceKind,
    /// Whether the condition begins, goes on or ends.
    pub state: State,
    /// When the condition began, by the clock of whoever reports it.
    pub since: Time,
    /// The time of this report, by the same clock. More than the option `clock_skew_sec` ahead of the time of the input, the report
    /// is refused.
    pub reported: Time,
    /// Raised before enough was known, or only a hint: never counts for an evacuation.
    #[serde(default)]
    pub provisional: bool,
    /// Whether the source is known. Evidence that anybody may have written never counts.
    pub trusted: bool,
    /// Where the cause is.
    pub origin: Origin,
    /// The family of a log failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<Family>,
    /// A condition that ends because a person called it no failure. The end of a log failure otherwise only says that no further
    /// lines have come, so it counts until the option `window_sec` has passed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub retracted: bool,
    /// One line for a person.
    #[serde(default)]
    pub text: String,
}

/// Why an input was refused. The policy is then unchanged, apart from its time and its counters.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InputError {
    /// A time is not plausible.
    #[error("the {0} is not a time; it takes seconds since the epoch")]
    Time(&'static str),
    /// A report is from the future.
    #[error(
        "the report is {ahead_sec:.0} s ahead of this clock; at most \"clock_skew_sec\" ({allowed_sec} s) are allowed: set the clock of the host right"
    )]
    ClockSkew {
        /// How far it is ahead, in seconds.
        ahead_sec: f64,
        /// What is allowed, in seconds.
        allowed_sec: f64,
    },
    /// A name is empty or too long.
    #[error("the {what} has {bytes} bytes; it takes 1 to {NAME_MAX_BYTES}")]
    Name {
        /// What has the name.
        what: &'static str,
        /// Its length.
        bytes: usize,
    },
    /// Evidence about all hosts has another origin than silence or the fleet.
    #[error("evidence without a host takes the origin \"silence\" or \"fleet\"")]
    NoHost,
    /// A topology has too many or too long labels.
    #[error("topology: {0}")]
    Topology(String),
    /// There is no such suggestion, or it is over.
    #[error("there is no open suggestion {0}")]
    NoSuggestion(SuggestionId),
    /// The suggestion does not wait for this.
    #[error("suggestion {id} is {}; {wanted}", .phase.as_str())]
    WrongPhase {
        /// The suggestion.
        id: SuggestionId,
        /// What it waits for.
        phase: Phase,
        /// What would be right.
        wanted: &'static str,
    },
    /// The mode only suggests.
    #[error(
        "the mode is \"suggest\": move the guests by hand, or set \"mode\" to \"confirm\" or \"auto\""
    )]
    OnlySuggests,
    /// A limit of the state is reached.
    #[error("{what} are at the limit of {limit}")]
    Full {
        /// What is at its limit.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
}
