//! A suggestion: to move the guests of a host away.

use serde::{Deserialize, Serialize};

use super::terms::{Phase, Rule};
use crate::event::IncidentId;

/// A suggestion that is not over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Suggestion {
    /// The host.
    pub host: Box<str>,
    /// The incident that decided.
    pub incident: IncidentId,
    /// The rule by which the evidence suffices.
    pub rule: Rule,
    /// When it was made, in seconds since the epoch.
    pub opened: f64,
    /// What it waits for.
    pub phase: Phase,
    /// The rule that holds it, if one did when it was last tried.
    pub held: Option<Rule>,
    /// Who approved it.
    pub approved_by: Option<String>,
    /// When its evacuation began, in seconds since the epoch.
    pub started: Option<f64>,
}

impl Suggestion {
    /// Whether all its values are ones that it can have.
    pub(super) fn is_valid(&self) -> bool {
        let runs = self.phase == Phase::Running;
        self.opened.is_finite()
            && self.started.is_none_or(f64::is_finite)
            && runs == self.started.is_some()
    }
}
