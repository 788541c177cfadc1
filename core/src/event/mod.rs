//! The events that detectors report, and their JSON.
//!
//! An event is a transition: a condition is raised once and cleared once; nothing repeats with every interval. Its JSON is flat,
//! since its keys become record keys, labels and the metadata of notifications.
//!
//! ```
//! use bellwether_core::event::{Event, Evidence, EventKind, Silence, State, Severity, Subject};
//! use bellwether_core::units::Time;
//!
//! let event = Event::new(
//!     Subject::Hypervisor("kvm1".into()),
//!     State::Raised,
//!     Severity::Warning,
//!     Time::from_secs(1_700_000_000.0),
//!     "kvm1: no samples",
//!     Evidence::HypervisorSilence(Silence { vms: Some(5), reason: None }),
//! );
//! assert_eq!(event.kind(), EventKind::HypervisorSilence);
//! assert!(event.to_json().starts_with(r#"{"event":"hypervisor_silence","schema":1,"time":1700000000.0,"#));
//! let read: Event = serde_json::from_str(&event.to_json())?;
//! assert_eq!(read, event);
//! # Ok::<(), serde_json::Error>(())
//! ```

mod evidence;
mod flat;
mod incident;
mod queue;
mod subject;
mod terms;

use serde::{Deserialize, Serialize};

use crate::memory::allocation;
use crate::text::shortened;
use crate::units::{Share, Time};

pub use evidence::{
    Change, CollectorSilence, CommonChange, Evidence, FailureRisk, FleetChange, GroupAnomaly,
    HypervisorAnomaly, LogFailure, LogNovelty, LogSource, ResourceAnomaly, Silence, WorkloadChange,
};
pub use flat::{Field, FieldValue};
pub use incident::{IncidentId, NoIncidentId};
pub(crate) use queue::Queue;
pub use subject::Subject;
pub(crate) use terms::words;
pub use terms::{Cause, Direction, EventKind, Severity, State};

/// The version of the event's JSON, in its key `schema`.
pub const SCHEMA: u32 = 1;

/// Maximum length of a message in bytes; collectd's notifications hold no more.
pub const MESSAGE_MAX_BYTES: usize = 255;

/// One event.
///
/// As JSON ([`Event::to_json`]) it is one flat object; keys that do not apply to its kind are absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "flat::Flat", try_from = "flat::Flat")]
#[non_exhaustive]
pub struct Event {
    /// The time of the sample or record that decided.
    pub time: Time,
    /// Whether the condition begins or ends.
    pub state: State,
    /// How severe it is.
    pub severity: Severity,
    /// What it is about.
    pub subject: Subject,
    /// Shared by the events of one incident.
    pub incident: IncidentId,
    /// Confidence; alarms start at 0.5.
    pub score: Share,
    /// One line that a person can act on, at most [`MESSAGE_MAX_BYTES`] bytes.
    pub message: String,
    /// When the condition began; for a raised event usually its own `time`.
    pub since: Time,
    /// What was found, by the kind of event.
    pub evidence: Evidence,
}

impl Event {
    /// An event of an incident that begins at `time`, with a score of 0.
    ///
    /// `message` is shortened to [`MESSAGE_MAX_BYTES`] bytes at a character boundary; control characters become spaces.
    pub fn new(
        subject: Subject,
        state: State,
        severity: Severity,
        time: Time,
        message: &str,
        evidence: Evidence,
    ) -> Self {
        Self {
            incident: evidence.incident(&subject, time, 0),
            time,
            state,
            severity,
            subject,
            score: Share::ZERO,
            message: shortened(message, MESSAGE_MAX_BYTES),
            since: time,
            evidence,
        }
    }

    /// The same event as part of the incident that began at `since`. If incidents of this kind and subject can begin at the same
    /// time, `ordinal` distinguishes them.
    #[must_use]
    pub(crate) fn of_incident(self, since: Time, ordinal: u64) -> Self {
        Self {
            incident: self.evidence.incident(&self.subject, since, ordinal),
            // After a clock was set back, an incident must not end before it began.
            since: if since < self.time { since } else { self.time },
            ..self
        }
    }

    /// The same event with this score.
    #[must_use]
    pub(crate) fn with_score(self, score: f64) -> Self {
        Self {
            score: Share::rounded(score),
            ..self
        }
    }

    /// The kind of event.
    pub fn kind(&self) -> EventKind {
        self.evidence.kind()
    }

    /// The hypervisor's name; empty for a group.
    pub fn hypervisor(&self) -> &str {
        self.subject.hypervisor()
    }

    /// The VM's name, if it is about one VM.
    pub fn vm(&self) -> Option<&str> {
        self.subject.vm()
    }

    /// The metric that showed it, if it is about one.
    pub fn metric(&self) -> Option<&str> {
        match &self.evidence {
            Evidence::HypervisorAnomaly(anomaly) => Some(&anomaly.metric),
            Evidence::FleetChange(change) => Some(&change.metric),
            Evidence::WorkloadChange(change) => Some(&change.metric),
            Evidence::ResourceAnomaly(anomaly) => Some(&anomaly.signal),
            _ => None,
        }
    }

    /// Why the condition ended; `None` if it begins.
    pub fn reason(&self) -> Option<&str> {
        self.evidence.reason()
    }

    /// Whether it was raised before the detector knew a whole day of its hypervisor.
    pub fn is_provisional(&self) -> bool {
        match &self.evidence {
            Evidence::HypervisorAnomaly(anomaly) => anomaly.provisional,
            Evidence::ResourceAnomaly(anomaly) => anomaly.provisional,
            _ => false,
        }
    }

    /// The evidence of a [`EventKind::ResourceAnomaly`].
    pub fn resource_anomaly(&self) -> Option<&ResourceAnomaly> {
        match &self.evidence {
            Evidence::ResourceAnomaly(anomaly) => Some(anomaly),
            _ => None,
        }
    }

    /// The evidence of a [`EventKind::HypervisorAnomaly`].
    pub fn anomaly(&self) -> Option<&HypervisorAnomaly> {
        match &self.evidence {
            Evidence::HypervisorAnomaly(anomaly) => Some(anomaly),
            _ => None,
        }
    }

    /// The common change that raised a [`EventKind::HypervisorAnomaly`].
    pub fn common_change(&self) -> Option<&CommonChange> {
        self.anomaly()?.change.as_ref()
    }

    /// The evidence of a [`EventKind::FleetChange`].
    pub fn fleet_change(&self) -> Option<&FleetChange> {
        match &self.evidence {
            Evidence::FleetChange(change) => Some(change),
            _ => None,
        }
    }

    /// The evidence of a [`EventKind::LogFailure`].
    pub fn log_failure(&self) -> Option<&LogFailure> {
        match &self.evidence {
            Evidence::LogFailure(failure) => Some(failure),
            _ => None,
        }
    }

    /// The evidence of a [`EventKind::FailureRisk`].
    pub fn failure_risk(&self) -> Option<&FailureRisk> {
        match &self.evidence {
            Evidence::FailureRisk(risk) => Some(risk),
            _ => None,
        }
    }

    /// The evidence of a [`EventKind::GroupAnomaly`].
    pub fn group_anomaly(&self) -> Option<&GroupAnomaly> {
        match &self.evidence {
            Evidence::GroupAnomaly(anomaly) => Some(anomaly),
            _ => None,
        }
    }

    /// The log that it is about, if it is about one.
    pub fn stream(&self) -> Option<&str> {
        match &self.evidence {
            Evidence::LogFailure(failure) => Some(&failure.stream),
            Evidence::LogNovelty(novelty) => Some(&novelty.stream),
            _ => None,
        }
    }

    /// The source of the log record that decided, if one did.
    pub fn log_source(&self) -> Option<&LogSource> {
        match &self.evidence {
            Evidence::LogFailure(failure) => Some(&failure.source),
            Evidence::LogNovelty(novelty) => Some(&novelty.source),
            _ => None,
        }
    }

    /// Number and text of the template of the log record that decided, if one did.
    pub fn template(&self) -> Option<(u64, &str)> {
        match &self.evidence {
            Evidence::LogFailure(failure) => Some((failure.template_id, &failure.template)),
            Evidence::LogNovelty(novelty) => {
                Some((novelty.template_id?, novelty.template.as_deref()?))
            }
            _ => None,
        }
    }

    /// Number of log records of the condition so far, if it is about a log.
    pub fn count(&self) -> Option<u64> {
        match &self.evidence {
            Evidence::LogFailure(failure) => Some(failure.count),
            Evidence::LogNovelty(novelty) => novelty.count,
            _ => None,
        }
    }

    /// The last log records up to the one that decided, one per line, if it is about a log.
    pub fn window(&self) -> Option<&str> {
        match &self.evidence {
            Evidence::LogFailure(failure) => failure.window.as_deref(),
            Evidence::LogNovelty(novelty) => novelty.window.as_deref(),
            _ => None,
        }
    }

    /// The event as one line of JSON, without a newline.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("an event has only string keys and finite numbers")
    }

    /// Keys and values in the order of the JSON.
    pub fn fields(&self) -> Vec<Field> {
        flat::Flat::from(self.clone()).fields()
    }

    /// Memory in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let subject = match &self.subject {
            Subject::Vm { hypervisor, vm } => {
                allocation(hypervisor.capacity()) + allocation(vm.capacity())
            }
            Subject::Hypervisor(name) | Subject::Group(name) => allocation(name.capacity()),
        };
        size_of::<Self>() + allocation(self.message.capacity()) + subject + self.evidence.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::clean;
    use proptest::prelude::*;

    fn event(time: f64) -> Event {
        Event::new(
            Subject::Hypervisor("host-1".into()),
            State::Raised,
            Severity::Failure,
            Time::from_secs(time),
            "all VMs fell",
            Evidence::HypervisorAnomaly(HypervisorAnomaly {
                metric: "cpu".into(),
                vms: 5,
                voters: 4,
                provisional: true,
                change: None,
                reason: None,
            }),
        )
    }

    #[test]
    fn a_time_is_read_from_json_to_the_last_bit() {
        // An inexact parser rounds this number to its neighbor.
        let event = event(10_073.559424506719);
        let read: Event = serde_json::from_str(&event.to_json()).unwrap();
        assert_eq!(read.time, event.time);
        assert_eq!(read, event);
    }

    #[test]
    fn a_long_message_is_cut_at_a_character_boundary() {
        let long = Event::new(
            Subject::Group(String::new()),
            State::Raised,
            Severity::Warning,
            Time::from_secs(1.0),
            &"ü\n".repeat(200),
            Evidence::CollectorSilence(CollectorSilence::default()),
        );
        assert!(long.message.len() <= MESSAGE_MAX_BYTES);
        assert!(long.message.ends_with('…') && !long.message.contains('\n'));
    }

    proptest! {
        #[test]
        fn no_text_of_an_event_has_a_control_character_or_one_that_turns_the_direction(
            names in prop::collection::vec("(vm|,|\"|\n|\r|\u{0}|\u{9b}|\u{202e}|\u{2066}|\u{feff}|\u{200b}){0,12}", 6),
        ) {
            let [hypervisor, vm, metric, stream, program, template] = &names[..] else {
                unreachable!("there are six")
            };
            let evidence = [
                Evidence::WorkloadChange(WorkloadChange {
                    metric: metric.clone(),
                    consensus: Share::ZERO,
                    change: Change::Alone,
                }),
                Evidence::LogFailure(Box::new(LogFailure {
                    stream: stream.clone(),
                    source: LogSource {
                        program: Some(program.clone()),
                        ..LogSource::default()
                    },
                    template: template.clone(),
                    sample: Some(template.clone()),
                    ..LogFailure::default()
                })),
            ];
            for evidence in evidence {
                let (hypervisor, vm) = (hypervisor.clone(), vm.clone());
                let message = format!("{hypervisor}: {vm}");
                let event = Event::new(
                    Subject::Vm { hypervisor, vm },
                    State::Raised,
                    Severity::Warning,
                    Time::from_secs(1.0),
                    &message,
                    evidence,
                );
                for Field { key, value } in event.fields() {
                    if let FieldValue::Text(text) = value {
                        prop_assert_eq!(clean(&text), &*text, "{}", key);
                    }
                }
            }
        }
    }

    #[test]
    fn an_incident_keeps_its_identity_until_it_ends() {
        let raised = event(100.0);
        let cleared = Event {
            state: State::Cleared,
            ..event(160.0)
        }
        .of_incident(raised.since, 0);
        assert_eq!(cleared.incident, raised.incident);
        assert_eq!(cleared.since, raised.time);
        assert_ne!(event(160.0).incident, raised.incident);
    }

    #[test]
    fn an_event_of_a_version_without_incidents_gets_one() {
        let json = event(100.0).to_json();
        let (before, after) = json.split_once("\"incident\":\"").unwrap();
        let old = format!("{before}{}", after.split_once("\",").unwrap().1);
        let read: Event = serde_json::from_str(&old).unwrap();
        assert_eq!(read, event(100.0));
    }

    #[test]
    fn a_change_of_the_fleet_is_read_as_it_was_written() {
        let change = FleetChange {
            metric: "cpu".into(),
            hypervisors: 19,
            voting_hypervisors: 20,
            direction: Some(Direction::Up),
            changed_hypervisors: "hv1,hv2".into(),
            reason: None,
        };
        let ended = FleetChange {
            direction: None,
            changed_hypervisors: String::new(),
            reason: Some("recovered".into()),
            ..change.clone()
        };
        for (evidence, has_cause) in [(change, true), (ended, false)] {
            let event = Event::new(
                Subject::Group(String::new()),
                State::Raised,
                Severity::Warning,
                Time::from_secs(1.0),
                "text",
                Evidence::FleetChange(evidence),
            );
            let json = event.to_json();
            assert_eq!(json.contains("\"cause\":\"fleet\""), has_cause, "{json}");
            assert_eq!(json.contains("\"consensus\":0.95"), has_cause, "{json}");
            let read: Event = serde_json::from_str(&json).unwrap();
            assert_eq!(read, event);
        }
    }

    #[test]
    fn an_anomaly_of_a_group_is_read_as_it_was_written() {
        let anomaly = GroupAnomaly {
            hypervisors: 4,
            group_hypervisors: 10,
            p_value: Some(1.25e-7),
            changed_hypervisors: "hv1,hv2,hv3,hv4".into(),
            reason: None,
        };
        let ended = GroupAnomaly {
            p_value: None,
            changed_hypervisors: String::new(),
            reason: Some("recovered".into()),
            ..anomaly.clone()
        };
        for (evidence, state) in [(anomaly, State::Raised), (ended, State::Cleared)] {
            let event = Event::new(
                Subject::Group("rack=r12".into()),
                state,
                Severity::Warning,
                Time::from_secs(1.0),
                "text",
                Evidence::GroupAnomaly(evidence),
            );
            let json = event.to_json();
            assert!(
                json.contains(r#""hypervisor":"","group":"rack=r12""#),
                "{json}"
            );
            assert!(
                json.contains(r#""hypervisors":4,"group_hypervisors":10"#),
                "{json}"
            );
            let read: Event = serde_json::from_str(&json).unwrap();
            assert_eq!(read, event);
            assert_eq!(read.kind(), EventKind::GroupAnomaly);
        }
    }

    #[test]
    fn a_risk_is_read_as_it_was_written() {
        let risk = FailureRisk {
            horizon_min: 10,
            risk_10min: Share::new(0.75),
            risk_30min: Share::new(0.875),
            calibrated: true,
            failures_per_host_year: 0.4,
            sources: "log: failure lines in 1 of the last 20 minutes (+4.1)".into(),
            reason: None,
        };
        let ended = FailureRisk {
            calibrated: false,
            reason: Some("the risk is low again".into()),
            ..risk.clone()
        };
        for risk in [risk, ended] {
            let event = Event::new(
                Subject::Hypervisor("kvm1".into()),
                State::Raised,
                Severity::Warning,
                Time::from_secs(1.0),
                "text",
                Evidence::FailureRisk(Box::new(risk)),
            );
            let json = event.to_json();
            assert!(json.contains("\"risk_30min\":0.875"), "{json}");
            let read: Event = serde_json::from_str(&json).unwrap();
            assert_eq!(read, event);
        }
    }

    #[test]
    fn an_event_without_what_its_kind_needs_is_refused() {
        let json = event(100.0).to_json();
        let without = json.replace("\"metric\":\"cpu\",", "");
        let error = serde_json::from_str::<Event>(&without).unwrap_err();
        assert!(error.to_string().contains("\"metric\""), "{error}");
    }
}
