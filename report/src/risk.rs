//! The probability that a host fails, over the time of a report: what the detector "risk" says to what the page shows of the host.

use bellwether_core::event::{Cause, EventKind};
use bellwether_core::options::OptionError;
use bellwether_core::risk::{
    Detector, Horizon, LOG_MINUTES, Observation, RiskOptions, Source, SourceState,
};
use bellwether_core::units::Time;

use crate::model::{Host, Risk, RiskSource};

/// Seconds between two rows: the state of a log is counted in minutes.
const STEP_S: f64 = 60.0;
/// The most rows; over a longer time, they are farther apart.
const ROWS_MAX: f64 = 50_000.0;

/// An anomaly of the VMs: when it was open, and whether it was provisional.
struct Open {
    from: f64,
    to: f64,
    provisional: bool,
}

/// The risk of a host over the time of its log or, without one, of its recording; `None` without either.
///
/// The state of its log follows from the failing records, that of its VMs from the anomalies. Its resources, and which messages are new to
/// the fleet, are unknown here.
///
/// # Errors
/// Options that contradict each other, and tables that cannot be read.
pub fn assess(host: &Host, options: &RiskOptions) -> Result<Option<Risk>, OptionError> {
    let log = host.log.as_ref().filter(|log| !log.records.is_empty());
    let recording = host
        .recording
        .as_ref()
        .filter(|recording| recording.rows() > 0);
    let (from, to) = match (log, recording) {
        (Some(log), _) => {
            let times = log.records.iter().map(|(time, _)| *time);
            times.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), t| {
                (a.min(t), b.max(t))
            })
        }
        (None, Some(recording)) => (recording.start, recording.time(recording.rows() - 1)),
        (None, None) => return Ok(None),
    };
    let steps = ((to - from) / STEP_S / ROWS_MAX).ceil().max(1.0);
    let interval = STEP_S * steps;
    let start = ((from / STEP_S).floor() + 1.0) * STEP_S;
    let rows = ((to - start) / interval).ceil().max(0.0) as usize + 1;
    let anomalies = anomalies(host);
    let mut failing = log.map(|log| failing_minutes(&log.records));
    let mut detector = Detector::new(options.clone())?;
    let mut risk = Risk {
        start,
        interval,
        ten: Vec::with_capacity(rows),
        thirty: Vec::with_capacity(rows),
        sources: Vec::new(),
    };
    let mut known: Vec<(Source, Vec<SourceState>)> = Vec::new();
    let mut add = |state: SourceState| {
        let source = state.source();
        match known.iter_mut().find(|(of, _)| *of == source) {
            Some((_, states)) => states.push(state),
            None => known.push((source, vec![state])),
        }
    };
    for row in 0..rows {
        let time = start + row as f64 * interval;
        let log = failing.as_mut().map(|minutes| log_state(minutes, time));
        let vms = recording.map(|recording| {
            let last = recording.time(recording.rows() - 1);
            match (recording.start - interval..=last + interval).contains(&time) {
                true => vms_state(&anomalies, time),
                false => SourceState::unknown(Source::Had),
            }
        });
        let (mut ten, mut thirty) = (f32::NAN, f32::NAN);
        for state in [log, vms].into_iter().flatten() {
            let observed = detector.observe(&Observation {
                hypervisor: &host.name,
                time: Time::from_secs(time),
                state,
            });
            (ten, thirty) = (
                observed.risk_10min.get() as f32,
                observed.risk_30min.get() as f32,
            );
            add(state);
        }
        while detector.next_event().is_some() {}
        risk.ten.push(ten);
        risk.thirty.push(thirty);
    }
    let sources = known.into_iter().map(|(source, states)| {
        let evidence = states.iter().map(|state| {
            let nats = detector.tables().evidence(Horizon::Ten, *state);
            if state.level().is_some() {
                nats as f32
            } else {
                f32::NAN
            }
        });
        RiskSource {
            name: source.name(),
            evidence: evidence.collect(),
            states: states.iter().map(|state| state.name()).collect(),
        }
    });
    risk.sources = sources.collect();
    Ok(Some(risk))
}

/// The anomalies of the VMs that count as evidence: not what they have done before, which is their work.
fn anomalies(host: &Host) -> Vec<Open> {
    let incidents = host.incidents.iter().filter(|incident| {
        let event = &incident.event;
        let is_work = event
            .common_change()
            .is_some_and(|change| change.cause == Cause::Internal);
        event.kind() == EventKind::HypervisorAnomaly && !is_work
    });
    let open = incidents.map(|incident| Open {
        from: incident.since(),
        to: incident.until().unwrap_or(f64::INFINITY),
        provisional: incident.event.is_provisional(),
    });
    open.collect()
}

/// The numbers of the minutes with records that report a failure, rising.
fn failing_minutes(records: &[(f64, bool)]) -> Vec<i64> {
    let failing = records.iter().filter(|(_, fails)| *fails);
    let mut minutes: Vec<i64> = failing.map(|(time, _)| minute_of(*time)).collect();
    minutes.sort_unstable();
    minutes.dedup();
    minutes
}

fn minute_of(time: f64) -> i64 {
    (time / STEP_S).floor() as i64
}

fn log_state(minutes: &[i64], time: f64) -> SourceState {
    let now = minute_of(time);
    let first = minutes.partition_point(|minute| *minute < now - i64::from(LOG_MINUTES));
    let end = minutes.partition_point(|minute| *minute < now);
    SourceState::log((end - first) as u32)
}

fn vms_state(anomalies: &[Open], time: f64) -> SourceState {
    let open = anomalies
        .iter()
        .filter(|one| one.from <= time && time < one.to);
    // One that counts goes before one that is provisional.
    let oldest = open.min_by(|a, b| {
        let order = a.provisional.cmp(&b.provisional);
        order.then(a.from.total_cmp(&b.from))
    });
    match oldest {
        None => SourceState::had(None, false),
        Some(one) => SourceState::had(Some(time - one.from), one.provisional),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Incident, Log, Recording};
    use bellwether_core::event::{Event, Evidence, HypervisorAnomaly, Severity, State, Subject};

    /// 2026-02-02T02:40:00Z.
    const START: f64 = 1_770_000_000.0;

    /// A host with failing records in the minutes 60 to 66 of two hours, and an anomaly of its VMs from minute 62 on.
    fn host() -> Host {
        let minutes = (0..120).map(|minute| {
            let fails = (60..=66).contains(&minute);
            (START + f64::from(minute) * 60.0 + 5.0, fails)
        });
        let event = Event::new(
            Subject::Hypervisor("hv1".into()),
            State::Raised,
            Severity::Failure,
            Time::from_secs(START + 62.0 * 60.0),
            "text",
            Evidence::HypervisorAnomaly(HypervisorAnomaly::default()),
        );
        Host {
            name: "hv1".into(),
            log: Some(Log {
                records: minutes.collect(),
                templates: 1,
            }),
            recording: Some(Recording {
                start: START,
                interval: 60.0,
                score: vec![0.0; 120],
                ..Recording::default()
            }),
            incidents: vec![Incident::new(event)],
            ..Host::default()
        }
    }

    fn options() -> RiskOptions {
        RiskOptions::default()
    }

    #[test]
    fn the_risk_rises_with_failing_records_and_with_anomalies_and_names_its_sources() {
        let risk = assess(&host(), &options()).unwrap().unwrap();
        let at = |minute: usize| risk.ten[minute - 1];
        assert!(at(59) < 0.001 && at(61) < 0.1, "{} {}", at(59), at(61));
        assert!(at(62) > at(61) && at(66) > 0.5, "{} {}", at(62), at(66));
        assert!(
            risk.thirty
                .iter()
                .zip(&risk.ten)
                .all(|(thirty, ten)| thirty >= ten)
        );
        let names: Vec<&str> = risk.sources.iter().map(|source| source.name).collect();
        assert_eq!(names, ["log", "had"]);
        assert_eq!(risk.sources[0].states[65], Some("4 to 9 minutes"));
        assert_eq!(risk.sources[1].states[65], Some("under 10 minutes"));
        assert!(risk.stands_out());
    }

    #[test]
    fn a_host_on_which_nothing_is_found_has_a_risk_that_does_not_stand_out() {
        let mut healthy = host();
        healthy.incidents.clear();
        for (_, fails) in &mut healthy.log.as_mut().unwrap().records {
            *fails = false;
        }
        let risk = assess(&healthy, &options()).unwrap().unwrap();
        assert!(!risk.stands_out());
        assert_eq!(
            assess(&Host::default(), &options()).unwrap().map(|_| ()),
            None
        );
    }

    #[test]
    fn years_of_a_log_have_a_bounded_number_of_rows() {
        let mut long = host();
        long.log
            .as_mut()
            .unwrap()
            .records
            .push((START + 9e8, false));
        let risk = assess(&long, &options()).unwrap().unwrap();
        assert!(
            risk.ten.len() as f64 <= ROWS_MAX + 2.0,
            "{}",
            risk.ten.len()
        );
        // The recording has ended long before.
        assert!(risk.sources[1].evidence[40_000].is_nan());
    }
}
