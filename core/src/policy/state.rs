//! What the policy knows, as a value: a snapshot keeps all of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::brake::Brake;
use super::counters::Counters;
use super::freezes::Freezes;
use super::host::Host;
use super::input::SuggestionId;
use super::limits::Evacuations;
use super::options::PolicyOptions;
use super::suggestion::Suggestion;
use super::terms::Phase;

/// Maximum number of open suggestions.
pub(super) const SUGGESTIONS_MAX: usize = 1000;

/// Why evacuations are paused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Paused {
    /// Since when, in seconds since the epoch.
    pub time: f64,
    /// Who paused them.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// See the [module](self).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    /// The latest time of all inputs.
    pub(super) now: f64,
    /// When all hosts with evidence were last assessed, and when old hosts were last forgotten.
    pub(super) swept: f64,
    pub(super) forgot: f64,
    /// The numbers of the last decision and of the last suggestion.
    pub(super) decisions: u64,
    pub(super) last_suggestion: u64,
    pub(super) hosts: BTreeMap<Box<str>, Host>,
    pub(super) suggestions: BTreeMap<SuggestionId, Suggestion>,
    /// The suggestion whose evacuation runs.
    pub(super) running: Option<SuggestionId>,
    pub(super) evacuations: Evacuations,
    pub(super) freezes: Freezes,
    pub(super) brake: Brake,
    pub(super) paused: Option<Paused>,
    pub(super) counters: Counters,
}

impl State {
    /// Before the first input.
    pub(super) fn new() -> Self {
        Self {
            now: f64::NEG_INFINITY,
            swept: f64::NEG_INFINITY,
            forgot: f64::NEG_INFINITY,
            decisions: 0,
            last_suggestion: 0,
            hosts: BTreeMap::new(),
            suggestions: BTreeMap::new(),
            running: None,
            evacuations: Evacuations::default(),
            freezes: Freezes::new(),
            brake: Brake::default(),
            paused: None,
            counters: Counters::default(),
        }
    }

    /// What cannot have come about, if anything.
    pub(super) fn fault(&self) -> Option<&'static str> {
        let is_open = |(id, suggestion): (&SuggestionId, &Suggestion)| {
            let host = self.hosts.get(&*suggestion.host);
            let is_of_host = host.is_some_and(|host| host.suggestion == Some(*id));
            let runs = suggestion.phase == Phase::Running;
            is_of_host
                && id.0 <= self.last_suggestion
                && suggestion.is_valid()
                && runs == (self.running == Some(*id))
        };
        let open = self
            .hosts
            .values()
            .filter(|host| host.suggestion.is_some())
            .count();
        let runs = self
            .running
            .is_none_or(|id| self.suggestions.contains_key(&id));
        if self.now.is_nan() || self.swept.is_nan() || self.forgot.is_nan() {
            return Some("a time in it is not a number");
        }
        if !self.suggestions.iter().all(is_open) || open != self.suggestions.len() || !runs {
            return Some("its suggestions and its hosts do not fit together");
        }
        let parts = self.evacuations.is_valid() && self.freezes.is_valid() && self.brake.is_valid();
        if !parts || !self.hosts.values().all(Host::is_valid) {
            return Some("a value in it is one that it cannot have");
        }
        None
    }

    /// The limit that it exceeds, if any.
    pub(super) fn over(&self, options: &PolicyOptions) -> Option<&'static str> {
        (self.hosts.len() > options.max_hypervisors).then_some("max_hypervisors")
    }
}
