//! What is open at each host, for people and for the risk.

use std::collections::BTreeMap;

use bellwether_core::event::{Event, EventKind, IncidentId, State};
use bellwether_core::policy::{Health, HealthChange};
use bellwether_core::text::shortened;
use bellwether_core::units::Time;
use serde::{Deserialize, Serialize};

use super::risks::Risk;

/// Maximum number of open incidents of a host.
const INCIDENTS_MAX: usize = 64;
/// Maximum number of minutes with log failures that are kept for an incident: the risk counts the last 20.
const MINUTES_MAX: usize = 20;
/// A host without an open incident that is green is forgotten after this time, in seconds.
const FORGET_SEC: f64 = 86_400.0;

/// An open incident of a host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// The kind of its events.
    pub event: EventKind,
    /// When it began.
    pub since: f64,
    /// The time of its last event.
    pub time: f64,
    /// The score of its last event, 0 to 1.
    pub score: f64,
    /// Whether it was raised before enough was known.
    pub provisional: bool,
    /// The conformal p-value of the host's resources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p_value: Option<f64>,
    /// The agent's own probabilities that guests fail within 10 and within 30 minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk: Option<(f64, f64)>,
    /// Number of records of a log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Minutes since the epoch in which it was reported, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub minutes: Vec<i64>,
    /// The line for people of its last event.
    pub message: String,
}

/// What is known about a host.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Host {
    /// Its health, by the policy.
    pub health: Health,
    /// Why.
    pub reason: String,
    /// Its open incidents.
    pub incidents: BTreeMap<String, Incident>,
    /// The risk that the controller computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk: Option<Risk>,
    /// The time of its last event or change of health.
    pub time: f64,
}

/// What is known about all hosts.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Hosts {
    hosts: BTreeMap<String, Host>,
    max: usize,
    /// Events about hosts beyond the limit.
    pub full: u64,
}

impl Hosts {
    /// Nothing about at most `max` hosts.
    pub fn new(max: usize) -> Self {
        Self {
            max,
            ..Self::default()
        }
    }

    /// The maximum number of hosts.
    pub fn max(&self) -> usize {
        self.max
    }

    /// Sets the maximum number of hosts.
    pub fn limit(&mut self, max: usize) {
        self.max = max;
    }

    /// All hosts, in the order of their names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&String, &Host)> {
        self.hosts.iter()
    }

    /// A host.
    pub fn get(&self, name: &str) -> Option<&Host> {
        self.hosts.get(name)
    }

    fn entry(&mut self, name: &str) -> Option<&mut Host> {
        if !self.hosts.contains_key(name) {
            if self.hosts.len() >= self.max {
                self.full += 1;
                return None;
            }
            self.hosts.insert(name.to_owned(), Host::default());
        }
        self.hosts.get_mut(name)
    }

    /// Takes an event about a host.
    pub fn observe(&mut self, event: &Event) {
        let name = event.hypervisor();
        if name.is_empty() {
            return;
        }
        let incident = event.incident.to_string();
        if event.state == State::Cleared {
            if let Some(host) = self.hosts.get_mut(name) {
                host.incidents.remove(&incident);
                host.time = host.time.max(event.time.secs());
            }
            return;
        }
        let Some(host) = self.entry(name) else {
            return;
        };
        host.time = host.time.max(event.time.secs());
        let before = host.incidents.remove(&incident);
        if host.incidents.len() >= INCIDENTS_MAX {
            let oldest = host
                .incidents
                .iter()
                .min_by(|a, b| a.1.time.total_cmp(&b.1.time));
            let oldest = oldest.map(|(id, _)| id.clone());
            host.incidents.remove(&oldest.unwrap_or_default());
        }
        let minute = (event.time.secs() / 60.0).floor() as i64;
        let mut minutes = before.map_or(Vec::new(), |before| before.minutes);
        if let Err(at) = minutes.binary_search(&minute) {
            minutes.insert(at, minute);
            let surplus = minutes.len().saturating_sub(MINUTES_MAX);
            minutes.drain(..surplus);
        }
        let risk = event.failure_risk();
        let incident_now = Incident {
            event: event.kind(),
            since: event.since.secs(),
            time: event.time.secs(),
            score: event.score.get(),
            provisional: event.is_provisional(),
            p_value: event.resource_anomaly().and_then(|anomaly| anomaly.p_value),
            risk: risk.map(|risk| (risk.risk_10min.get(), risk.risk_30min.get())),
            count: event.count(),
            minutes,
            message: event.message.clone(),
        };
        host.incidents.insert(incident, incident_now);
    }

    /// Takes a change of health.
    pub fn change(&mut self, change: &HealthChange) {
        if let Some(host) = self.entry(&change.host) {
            host.health = change.to;
            host.reason = shortened(&change.reason, 255);
            host.time = host.time.max(change.time.secs());
        }
    }

    /// Sets the risk of a host.
    pub fn set_risk(&mut self, name: &str, risk: Option<Risk>) {
        if let Some(host) = self.hosts.get_mut(name) {
            host.risk = risk;
        }
    }

    /// Whether an incident of a host is open.
    pub fn is_open(&self, name: &str, incident: IncidentId) -> bool {
        let host = self.hosts.get(name);
        host.is_some_and(|host| host.incidents.contains_key(&incident.to_string()))
    }

    /// Forgets hosts that nothing has been heard of for long and that are well.
    pub fn forget(&mut self, now: Time) {
        self.hosts.retain(|_, host| {
            let is_well = host.incidents.is_empty() && host.health == Health::Green;
            !is_well || now.secs() - host.time < FORGET_SEC
        });
    }
}
