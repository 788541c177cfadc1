//! A site: a policy, and what comes in.

use bellwether_core::event::{EventKind, IncidentId, State};
use bellwether_core::inference::Family;
use bellwether_core::policy::{
    Action, EvidenceKind, Finding, Health, Input, Origin, Outputs, Policy, PolicyOptions, Rule,
    Step, SuggestionId, Verdict, What,
};
use bellwether_core::units::Time;

/// 2026-11-28T12:00:00Z.
pub const NOON: f64 = 1_795_867_200.0;

pub fn options(set: &[(&str, &str)]) -> PolicyOptions {
    let mut options = PolicyOptions::default();
    for (name, value) in set {
        options.set(name, value).unwrap();
    }
    options
}

pub const AUTO: &[(&str, &str)] = &[
    ("mode", "auto"),
    ("max_hosts", "100"),
    ("group_labels", "none"),
    ("targets", "green"),
    ("hold_down_sec", "0"),
];

/// A policy, and the time of its last input in seconds after noon.
pub struct Site {
    pub policy: Policy,
    pub now: f64,
}

impl Site {
    pub fn new(set: &[(&str, &str)]) -> Self {
        Self {
            policy: Policy::new(options(set)).unwrap(),
            now: 0.0,
        }
    }

    pub fn auto(set: &[(&str, &str)]) -> Self {
        Self::new(&[AUTO, set].concat())
    }

    pub fn at(&mut self, seconds: f64, what: What) -> Outputs {
        self.now = seconds;
        let time = Time::from_secs(NOON + seconds);
        self.policy.apply(&Input { time, what })
    }

    pub fn apply(&mut self, what: What) -> Outputs {
        self.at(self.now, what)
    }

    pub fn find(&mut self, finding: Finding) -> Outputs {
        self.apply(What::Finding(finding))
    }

    pub fn tick(&mut self, seconds: f64) -> Outputs {
        self.at(seconds, What::Tick)
    }

    /// Two kinds of evidence about a host.
    pub fn redden(&mut self, host: &str) -> Outputs {
        let mut out = self.find(finding(host, EvidenceKind::Metrics, self.now));
        let more = self.find(finding(host, EvidenceKind::Resource, self.now));
        out.decisions.extend(more.decisions);
        out.events.extend(more.events);
        out.health.extend(more.health);
        out
    }

    pub fn end(&mut self, id: u64) -> Outputs {
        self.progress(id, Step::Ended)
    }

    pub fn progress(&mut self, id: u64, step: Step) -> Outputs {
        let id = SuggestionId(id);
        let text = String::new();
        self.apply(What::Progress { id, step, text })
    }

    pub fn approve(&mut self, id: u64) -> Outputs {
        let (id, by) = (SuggestionId(id), "ada".into());
        self.apply(What::Approve { id, by })
    }

    pub fn dismiss(&mut self, id: u64, verdict: Verdict) -> Outputs {
        let (id, by) = (SuggestionId(id), "ada".into());
        self.apply(What::Dismiss { id, verdict, by })
    }

    pub fn health(&self, host: &str) -> Health {
        self.policy
            .host(host)
            .map_or(Health::Green, |host| host.health)
    }

    /// Hosts `hv0`, `hv1`, ... in racks of `size`.
    pub fn racks(&mut self, hosts: usize, size: usize) -> Outputs {
        let host = |i: usize| {
            let labels = [("rack".to_owned(), format!("r{}", i / size))].into();
            (format!("hv{i}"), labels)
        };
        self.apply(What::Topology {
            hosts: (0..hosts).map(host).collect(),
        })
    }
}

/// A condition of a host that is raised at `seconds`.
pub fn finding(host: &str, kind: EvidenceKind, seconds: f64) -> Finding {
    let since = Time::from_secs(NOON + seconds);
    Finding {
        host: host.into(),
        incident: IncidentId::new(EventKind::LogFailure, &[host, kind.as_str()], since, 0),
        kind,
        state: State::Raised,
        since,
        reported: since,
        provisional: false,
        trusted: true,
        origin: Origin::Host,
        family: None,
        retracted: false,
        text: format!("{} of {host}", kind.as_str()),
    }
}

pub fn log(host: &str, family: Family, seconds: f64) -> Finding {
    Finding {
        family: Some(family),
        ..finding(host, EvidenceKind::Log, seconds)
    }
}

pub fn cleared(finding: &Finding, seconds: f64) -> Finding {
    Finding {
        state: State::Cleared,
        reported: Time::from_secs(NOON + seconds),
        ..finding.clone()
    }
}

pub fn actions(out: &Outputs) -> Vec<(Action, Rule)> {
    let decisions = out.decisions.iter();
    decisions
        .map(|decision| (decision.action, decision.rule))
        .collect()
}

/// The hosts that are evacuated.
pub fn evacuated(out: &Outputs) -> Vec<&str> {
    let decisions = out
        .decisions
        .iter()
        .filter(|decision| decision.action == Action::Evacuate);
    decisions.map(|decision| decision.host.as_str()).collect()
}
