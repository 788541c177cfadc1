//! What the policy shows of its state.

use serde::Serialize;

use super::brake::Tripped;
use super::counters::Counters;
use super::engine::Policy;
use super::input::SuggestionId;
use super::state::Paused;
use super::suggestion::Suggestion;
use super::terms::{Health, Mode, Rule};
use crate::units::{Share, Time};

/// The state of the policy as a whole.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    /// The policy's time; `None` before the first input.
    pub time: Option<Time>,
    /// Who starts an evacuation.
    pub mode: &'static str,
    /// Why the brake has tripped, if it has.
    pub tripped: Option<Tripped>,
    /// Why evacuations are paused, if they are.
    pub paused: Option<Paused>,
    /// What freezes evacuations, in words; empty if nothing does.
    pub frozen: Vec<String>,
    /// Groups with an open anomaly, such as `rack=r12`.
    pub anomalous_groups: Vec<String>,
    /// The suggestion whose evacuation runs.
    pub running: Option<SuggestionId>,
    /// Number of evacuations within `limit_window_sec`.
    pub recent_evacuations: usize,
    /// Number of hosts of the cluster.
    pub hosts: usize,
    /// Number of yellow hosts, and of red ones.
    pub yellow: usize,
    /// See `yellow`.
    pub red: usize,
    /// Number of open suggestions.
    pub suggestions: usize,
    /// See [`Counters`].
    pub counters: Counters,
}

/// The state of one host.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HostStatus {
    /// Its name.
    pub host: String,
    /// Its health.
    pub health: Health,
    /// The rule behind its health.
    pub rule: Rule,
    /// The evidence against it, one sentence each; empty if it is green.
    pub evidence: Vec<String>,
    /// Its open suggestion.
    pub suggestion: Option<SuggestionId>,
    /// The last risk within 10 minutes that was received, and when.
    pub risk_10min: Option<(Share, Time)>,
    /// Its labels, such as `rack=r12`.
    pub labels: Vec<String>,
    /// One of its groups that has an open anomaly.
    pub anomalous_group: Option<String>,
}

impl Policy {
    /// The state of the policy as a whole.
    pub fn status(&self) -> Status {
        let state = &self.state;
        let health = |name: &str| {
            state
                .hosts
                .get(name)
                .map_or(Health::Green, |host| host.health)
        };
        let count = |of: Health| self.active.iter().filter(|name| health(name) == of).count();
        Status {
            time: state.now.is_finite().then(|| Time::from_secs(state.now)),
            mode: Mode::as_str(self.options.mode),
            tripped: state.brake.tripped.clone(),
            paused: state.paused.clone(),
            frozen: self.frozen(),
            anomalous_groups: self.groups.open().map(str::to_owned).collect(),
            running: state.running,
            recent_evacuations: state.evacuations.count(),
            hosts: self.cluster(),
            yellow: count(Health::Yellow),
            red: count(Health::Red),
            suggestions: state.suggestions.len(),
            counters: state.counters,
        }
    }

    /// The open suggestions, the oldest first.
    pub fn suggestions(&self) -> impl ExactSizeIterator<Item = (SuggestionId, &Suggestion)> {
        self.state
            .suggestions
            .iter()
            .map(|(id, suggestion)| (*id, suggestion))
    }

    /// The hosts that are not green, or that a suggestion is about, by name.
    pub fn noteworthy_hosts(&self) -> impl ExactSizeIterator<Item = &str> {
        self.active.iter().map(|name| &**name)
    }

    /// All hosts: those of the topology, then others that had evidence.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        let topology = self.groups.topology();
        let others = self.state.hosts.keys().map(|name| &**name);
        let others = others.filter(|name| topology.groups_of(name).is_none());
        topology.hosts().chain(others)
    }

    /// The state of one host; `None` if it is neither in the topology nor had evidence.
    pub fn host(&self, name: &str) -> Option<HostStatus> {
        let topology = self.groups.topology();
        let (groups, host) = (topology.groups_of(name), self.state.hosts.get(name));
        if groups.is_none() && host.is_none() {
            return None;
        }
        let now = self.state.now;
        let label = |group: &u32| topology.groups()[*group as usize].name();
        let assessed = host.map(|host| host.assess(&self.families, now, &self.terms));
        let risk = host.and_then(|host| host.risk);
        Some(HostStatus {
            host: name.to_owned(),
            health: assessed.map_or(Health::Green, |assessed| assessed.health),
            rule: assessed.map_or(Rule::NoEvidence, |assessed| assessed.rule),
            evidence: host.map_or(Vec::new(), |host| host.evidence(now, &self.terms)),
            suggestion: host.and_then(|host| host.suggestion),
            risk_10min: risk.map(|(risk, at)| (Share::new(risk), Time::from_secs(at))),
            labels: groups.unwrap_or_default().iter().map(label).collect(),
            anomalous_group: self.groups.anomalous(name),
        })
    }
}
