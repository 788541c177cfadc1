//! What the policy gives out.

use serde::{Deserialize, Serialize};

use super::input::{InputError, SuggestionId};
use super::terms::{Action, Health, Rule};
use crate::event::{Event, IncidentId};
use crate::units::Time;

/// Maximum number of reasons of a decision, and maximum length of each in bytes.
pub const REASONS_MAX: usize = 16;
/// See [`REASONS_MAX`].
pub const REASON_MAX_BYTES: usize = crate::event::MESSAGE_MAX_BYTES;

/// One decision. Write it down before acting on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Its own number: 1 and upward, without gaps, so that a lost or repeated one shows.
    pub number: u64,
    /// When it was made.
    pub time: Time,
    /// The suggestion that it belongs to, by which a person approves or dismisses it; `None` if it is about none
    /// ([`Action::Trip`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<SuggestionId>,
    /// The host; for [`Action::Trip`] the last one that made the brake trip.
    pub host: String,
    /// The incident that decided: the latest of those that the suggestion rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    /// What is decided.
    pub action: Action,
    /// The rule that decided.
    pub rule: Rule,
    /// Why, one sentence each: first the rule in words, then the evidence. At most [`REASONS_MAX`].
    pub reasons: Vec<String>,
}

/// A change of a host's health.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HealthChange {
    /// When it changed.
    pub time: Time,
    /// The host.
    pub host: String,
    /// Its health before.
    pub from: Health,
    /// Its health now.
    pub to: Health,
    /// The rule behind it.
    pub rule: Rule,
    /// Why, in words.
    pub reason: String,
}

/// What follows from one input.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outputs {
    /// Why the input was refused, if it was. What follows from the time that has passed is there nevertheless.
    pub refused: Option<InputError>,
    /// Decisions, in the order of their numbers.
    pub decisions: Vec<Decision>,
    /// Events about groups of hosts ([`EventKind::GroupAnomaly`](crate::event::EventKind::GroupAnomaly)).
    pub events: Vec<Event>,
    /// Changes of the hosts' health.
    pub health: Vec<HealthChange>,
}

impl Outputs {
    /// Whether the input was taken and nothing follows.
    pub fn is_empty(&self) -> bool {
        self.refused.is_none()
            && self.decisions.is_empty()
            && self.events.is_empty()
            && self.health.is_empty()
    }
}
