//! The risk of each host, from its open incidents.
//!
//! The controller hears of transitions only. A source without an open incident is therefore unknown, not quiet: it contributes
//! nothing, because its silence may be that of its sender.

use bellwether_core::event::EventKind;
use bellwether_core::options::OptionError;
use bellwether_core::risk::{Detector, LOG_MINUTES, Observation, RiskOptions, Source, SourceState};
use bellwether_core::snapshot::Unusable;
use bellwether_core::units::Time;
use serde::{Deserialize, Serialize};

use super::hosts::{Host, Hosts};

/// The probability that guests of a host fail.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Risk {
    /// Within 10 minutes, 0 to 1.
    pub risk_10min: f64,
    /// Within 30 minutes, 0 to 1.
    pub risk_30min: f64,
    /// Whether these are probabilities of this site; otherwise they are evidence scores.
    pub calibrated: bool,
}

/// The detector of risks.
#[derive(Debug)]
pub struct Risks {
    detector: Detector,
}

impl Risks {
    /// A detector that knows no host.
    ///
    /// # Errors
    /// Options that contradict each other, or tables that cannot be used.
    pub fn new(options: RiskOptions) -> Result<Self, OptionError> {
        let detector = Detector::new(options)?;
        Ok(Self { detector })
    }

    /// The state, to be restored.
    pub fn snapshot(&self) -> Vec<u8> {
        self.detector.snapshot().to_vec()
    }

    /// Restores a state.
    ///
    /// # Errors
    /// The bytes are no such state.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), Unusable> {
        self.detector.restore(bytes)
    }

    /// Computes the risk of every host with open incidents; gives those that have changed by a hundredth or more, by name.
    pub fn assess(&mut self, hosts: &mut Hosts, now: Time) -> Vec<(String, Risk)> {
        let names: Vec<String> = hosts
            .iter()
            .filter(|(_, host)| !host.incidents.is_empty() || host.risk.is_some())
            .map(|(name, _)| name.clone())
            .collect();
        let mut changed = Vec::new();
        for name in names {
            let Some(host) = hosts.get(&name) else {
                continue;
            };
            let before = host.risk;
            let risk = self.of_host(&name, host, now);
            hosts.set_risk(&name, risk);
            let now = risk.unwrap_or(Risk {
                risk_10min: 0.0,
                risk_30min: 0.0,
                calibrated: false,
            });
            let was = before.map_or(0.0, |risk| risk.risk_10min);
            if (now.risk_10min - was).abs() >= 0.01 {
                changed.push((name, now));
            }
        }
        self.detector.advance(now);
        // Alarms are the policy's matter.
        while self.detector.next_event().is_some() {}
        changed
    }

    /// The risk of a host with open incidents: the controller's own, or that of an agent which sees more, whichever is higher.
    fn of_host(&mut self, name: &str, host: &Host, now: Time) -> Option<Risk> {
        if host.incidents.is_empty() {
            return None;
        }
        let mut risk = Risk {
            risk_10min: 0.0,
            risk_30min: 0.0,
            calibrated: false,
        };
        for &source in Source::ALL {
            let observed = self.detector.observe(&Observation {
                hypervisor: name,
                time: now,
                state: state(source, host, now),
            });
            risk.risk_10min = observed.risk_10min.get();
            risk.risk_30min = observed.risk_30min.get();
        }
        risk.calibrated = self.detector.counters().calibrated > 0;
        let agents = host.incidents.values().filter_map(|incident| incident.risk);
        for (ten, thirty) in agents {
            risk.risk_10min = risk.risk_10min.max(ten);
            risk.risk_30min = risk.risk_30min.max(thirty);
        }
        Some(risk)
    }
}

/// The state of a source by the open incidents of a host.
fn state(source: Source, host: &Host, now: Time) -> SourceState {
    let open = |kind| host.incidents.values().filter(move |i| i.event == kind);
    match source {
        Source::Had => {
            let mut of_guests: Vec<_> = open(EventKind::HypervisorAnomaly).collect();
            of_guests.sort_by(|a, b| a.since.total_cmp(&b.since));
            match of_guests.first() {
                None => SourceState::unknown(source),
                Some(oldest) => {
                    let age = (now.secs() - oldest.since).max(0.0);
                    SourceState::had(Some(age), of_guests.iter().all(|i| i.provisional))
                }
            }
        }
        Source::Log => {
            let first = (now.secs() / 60.0).floor() as i64 - i64::from(LOG_MINUTES);
            let failures = open(EventKind::LogFailure).flat_map(|i| &i.minutes);
            let mut minutes: Vec<i64> = failures.copied().filter(|m| *m > first).collect();
            minutes.sort_unstable();
            minutes.dedup();
            match minutes.len() {
                0 => SourceState::unknown(source),
                count => SourceState::log(count as u32),
            }
        }
        Source::Resource => {
            let values = open(EventKind::ResourceAnomaly).filter_map(|i| i.p_value);
            match values.min_by(f64::total_cmp) {
                None => SourceState::unknown(source),
                Some(p_value) => SourceState::resource(p_value),
            }
        }
        Source::Novelty => {
            let counts = open(EventKind::LogNovelty).filter_map(|i| i.count);
            match counts.max() {
                None => SourceState::unknown(source),
                Some(count) => SourceState::novelty(count.min(1000) as u32),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bellwether_core::event::Event;

    fn event(kind: &str, incident: char, extra: &str) -> Event {
        let id = incident.to_string().repeat(32);
        let json = format!(
            r#"{{"event":"{kind}","time":1000000000,"state":"raised","severity":"failure","hypervisor":"hv1","score":0.8,"message":"m",
            "since":1000000000,"incident":"{id}",{extra}}}"#
        );
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn evidence_of_two_kinds_makes_a_higher_risk_than_either_and_without_any_there_is_none() {
        let anomaly = event(
            "hypervisor_anomaly",
            'a',
            r#""metric":"cpu","cause":"external","consensus":1,"distinctiveness":0.6,"consistency":0.1,"direction":"down","channel":"fast","vms":5,"voters":5"#,
        );
        let failure = event(
            "log_failure",
            'b',
            r#""stream":"hv1","template":"t","template_id":1,"family":"storage","phrase":"p","trusted":true,"count":1"#,
        );
        let risk = |events: &[&Event]| {
            let mut hosts = Hosts::new(10);
            for event in events {
                hosts.observe(event);
            }
            let mut risks = Risks::new(RiskOptions::default()).unwrap();
            let changed = risks.assess(&mut hosts, Time::from_secs(1e9 + 30.0));
            changed.first().map_or(0.0, |(_, risk)| risk.risk_10min)
        };
        let (one, other) = (risk(&[&anomaly]), risk(&[&failure]));
        let both = risk(&[&anomaly, &failure]);
        assert!(both > one && both > other, "{one} {other} {both}");
        assert_eq!(risk(&[]), 0.0);
    }

    #[test]
    fn the_risk_of_a_host_ends_with_its_last_incident() {
        let mut hosts = Hosts::new(10);
        let mut risks = Risks::new(RiskOptions::default()).unwrap();
        let failure = event(
            "failure_risk",
            'c',
            r#""horizon_min":10,"risk_10min":0.7,"risk_30min":0.8,"calibrated":false,"failures_per_host_year":0.4,"sources":"""#,
        );
        hosts.observe(&failure);
        let now = Time::from_secs(1e9 + 30.0);
        let changed = risks.assess(&mut hosts, now);
        assert_eq!(changed[0].1.risk_10min, 0.7);
        let mut cleared = failure;
        cleared.state = bellwether_core::event::State::Cleared;
        hosts.observe(&cleared);
        let changed = risks.assess(&mut hosts, now);
        assert_eq!(changed[0].1.risk_10min, 0.0);
        assert!(hosts.get("hv1").unwrap().risk.is_none());
    }

    #[test]
    fn hosts_beyond_the_limit_are_counted_and_well_ones_are_forgotten() {
        let mut hosts = Hosts::new(1);
        let mut one = event("hypervisor_silence", 'd', r#""vms":5"#);
        hosts.observe(&one);
        one.subject = bellwether_core::event::Subject::Hypervisor("hv2".into());
        hosts.observe(&one);
        assert_eq!((hosts.iter().len(), hosts.full), (1, 1));
        hosts.forget(Time::from_secs(2e9));
        assert_eq!(hosts.iter().len(), 1, "an open incident is kept");
    }
}
