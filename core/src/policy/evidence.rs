//! Evidence from the events of the detectors.

use super::input::Finding;
use super::terms::{EvidenceKind, Origin};
use crate::event::{Cause, Event, Evidence};
use crate::inference::Family;
use crate::lad::RETRACTED;

impl Finding {
    /// What an event says about a host or about the fleet; `None` if it is about neither, as a change of a workload.
    ///
    /// An event that the log has new messages is only a hint, as is a failure that may be older than the detector.
    pub fn from_event(event: &Event) -> Option<Self> {
        let (kind, origin) = match &event.evidence {
            Evidence::HypervisorAnomaly(anomaly) => {
                let cause = anomaly.change.as_ref().map(|change| change.cause);
                let origin = match cause {
                    Some(Cause::Internal) => Origin::Internal,
                    Some(Cause::Fleet) => Origin::Fleet,
                    Some(Cause::External) | None => Origin::Host,
                };
                (EvidenceKind::Metrics, origin)
            }
            Evidence::HypervisorSilence(_) | Evidence::CollectorSilence(_) => {
                (EvidenceKind::Metrics, Origin::Silence)
            }
            Evidence::FleetChange(_) => (EvidenceKind::Metrics, Origin::Fleet),
            Evidence::ResourceAnomaly(_) => (EvidenceKind::Resource, Origin::Host),
            Evidence::LogFailure(_) | Evidence::LogNovelty(_) => (EvidenceKind::Log, Origin::Host),
            Evidence::FailureRisk(_) => (EvidenceKind::Risk, Origin::Host),
            Evidence::WorkloadChange(_) | Evidence::GroupAnomaly(_) => return None,
        };
        let failure = event.log_failure();
        let family = failure.and_then(|failure| failure.family.as_deref());
        let is_hint = matches!(&event.evidence, Evidence::LogNovelty(_))
            || failure.is_some_and(|failure| failure.at_startup);
        Some(Self {
            host: event.hypervisor().to_owned(),
            incident: event.incident,
            kind,
            state: event.state,
            since: event.since,
            reported: event.time,
            provisional: event.is_provisional() || is_hint,
            trusted: failure.is_none_or(|failure| failure.trusted),
            origin,
            family: family.and_then(Family::from_name),
            retracted: failure.is_some() && event.reason() == Some(RETRACTED),
            text: event.message.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{
        Change, CommonChange, Direction, FleetChange, HypervisorAnomaly, LogFailure, Severity,
        Silence, State, Subject, WorkloadChange,
    };
    use crate::units::{Share, Time};

    fn of(subject: Subject, state: State, evidence: Evidence) -> Option<Finding> {
        let time = Time::from_secs(100.0);
        Finding::from_event(&Event::new(
            subject,
            state,
            Severity::Failure,
            time,
            "text",
            evidence,
        ))
    }

    fn of_host(evidence: Evidence) -> Finding {
        of(Subject::Hypervisor("hv1".into()), State::Raised, evidence).unwrap()
    }

    fn anomaly(cause: Cause, provisional: bool) -> Evidence {
        Evidence::HypervisorAnomaly(HypervisorAnomaly {
            provisional,
            change: Some(CommonChange {
                cause,
                consensus: Share::ONE,
                distinctiveness: Share::ONE,
                consistency: Share::ZERO,
                direction: Direction::Up,
                channel: String::new(),
                changed_vms: String::new(),
            }),
            ..HypervisorAnomaly::default()
        })
    }

    fn failure(trusted: bool, at_startup: bool, reason: Option<&str>) -> Evidence {
        Evidence::LogFailure(Box::new(LogFailure {
            family: Some("storage".into()),
            trusted,
            at_startup,
            reason: reason.map(str::to_owned),
            ..LogFailure::default()
        }))
    }

    #[test]
    fn an_anomaly_is_evidence_of_the_host_unless_it_has_another_cause() {
        for (cause, origin) in [
            (Cause::External, Origin::Host),
            (Cause::Internal, Origin::Internal),
            (Cause::Fleet, Origin::Fleet),
        ] {
            let finding = of_host(anomaly(cause, false));
            assert_eq!(
                (finding.kind, finding.origin),
                (EvidenceKind::Metrics, origin)
            );
            assert!(finding.trusted && !finding.provisional);
        }
        assert!(of_host(anomaly(Cause::External, true)).provisional);
        let silence = of_host(Evidence::HypervisorSilence(Silence::default()));
        assert_eq!(silence.origin, Origin::Silence);
    }

    #[test]
    fn a_log_failure_keeps_its_family_and_whether_its_source_is_known() {
        let finding = of_host(failure(true, false, None));
        assert_eq!(
            (finding.kind, finding.family),
            (EvidenceKind::Log, Some(Family::Storage))
        );
        assert!(finding.trusted && !finding.provisional);
        assert!(!of_host(failure(false, false, None)).trusted);
        assert!(of_host(failure(true, true, None)).provisional);
        assert!(of_host(Evidence::LogNovelty(Box::default())).provisional);
    }

    #[test]
    fn a_failure_that_feedback_ended_is_retracted_and_one_that_became_quiet_is_not() {
        let ended = |reason| {
            let subject = Subject::Hypervisor("hv1".into());
            of(subject, State::Cleared, failure(true, false, Some(reason))).unwrap()
        };
        assert!(ended(RETRACTED).retracted);
        assert!(!ended("no sign of failure in 30 records").retracted);
    }

    #[test]
    fn a_change_of_the_fleet_has_no_host_and_a_workload_is_no_evidence() {
        let change = Evidence::FleetChange(FleetChange::default());
        let finding = of(Subject::Group(String::new()), State::Raised, change).unwrap();
        assert_eq!((finding.host.as_str(), finding.origin), ("", Origin::Fleet));
        let workload = Evidence::WorkloadChange(WorkloadChange {
            metric: "cpu".into(),
            consensus: Share::ZERO,
            change: Change::Alone,
        });
        assert_eq!(
            of(Subject::Hypervisor("hv1".into()), State::Raised, workload),
            None
        );
    }
}
