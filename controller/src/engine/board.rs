//! What people see of the policy: open suggestions, pause and brake.

use std::collections::BTreeMap;

use bellwether_core::policy::{Action, Decision, What};
use serde::{Deserialize, Serialize};

/// A suggestion that is open.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Suggestion {
    /// Its number.
    pub id: u64,
    /// The host.
    pub host: String,
    /// The incident that decided, if one did.
    pub incident: Option<String>,
    /// When it was made.
    pub since: f64,
    /// The last decision about it: `suggest`, `hold`, `refuse` or `evacuate`.
    pub state: Action,
    /// When that was decided.
    pub time: f64,
    /// The rule that decided.
    pub rule: String,
    /// Why, one sentence each.
    pub reasons: Vec<String>,
}

/// A pause by a person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pause {
    /// Since when.
    pub since: f64,
    /// Who it is.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// The brake that has tripped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Brake {
    /// Since when.
    pub since: f64,
    /// The rule that decided.
    pub rule: String,
    /// Why, one sentence each.
    pub reasons: Vec<String>,
}

/// Open suggestions, pause and brake.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Board {
    /// The open suggestions by number.
    pub suggestions: BTreeMap<u64, Suggestion>,
    /// The pause, if there is one.
    pub pause: Option<Pause>,
    /// The brake, if it has tripped.
    pub brake: Option<Brake>,
    /// Why the controller itself does not let anything be evacuated.
    pub freezes: BTreeMap<String, f64>,
}

impl Board {
    /// Takes a decision.
    pub(super) fn decide(&mut self, decision: &Decision) {
        let rule = decision.rule.as_str().to_owned();
        let time = decision.time.secs();
        let Some(id) = decision.id.map(|id| id.0) else {
            if decision.action == Action::Trip {
                self.brake = Some(Brake {
                    since: time,
                    rule,
                    reasons: decision.reasons.clone(),
                });
            }
            return;
        };
        if decision.action == Action::Withdraw {
            self.suggestions.remove(&id);
            return;
        }
        let suggestion = self.suggestions.entry(id).or_insert_with(|| Suggestion {
            id,
            host: decision.host.clone(),
            incident: None,
            since: time,
            state: decision.action,
            time,
            rule: String::new(),
            reasons: Vec::new(),
        });
        suggestion.incident = decision.incident.map(|incident| incident.to_string());
        suggestion.state = decision.action;
        suggestion.time = time;
        suggestion.rule = rule;
        suggestion.reasons.clone_from(&decision.reasons);
    }

    /// Takes an input that the policy has accepted.
    pub(super) fn accept(&mut self, time: f64, what: &What) {
        match what {
            What::Pause { by, reason } => {
                self.pause = Some(Pause {
                    since: time,
                    by: by.clone(),
                    reason: reason.clone(),
                });
            }
            What::Resume { .. } => self.pause = None,
            What::Reset { .. } => self.brake = None,
            What::Freeze { cause, on: true } => {
                self.freezes.entry(cause.clone()).or_insert(time);
            }
            What::Freeze { cause, on: false } => {
                self.freezes.remove(cause);
            }
            _ => {}
        }
    }
}
