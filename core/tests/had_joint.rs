//! HAD over several metrics of a hypervisor: one decision, one incident.

mod common;

use std::collections::BTreeSet;
use std::ops::Range;

use common::noise;

use bellwether_core::event::{Event, EventKind, State};
use bellwether_core::had::{Detector, Observation};
use bellwether_core::units::{Interval, Time};

const INTERVAL: f64 = 300.0;
const START: f64 = 1.0e9;
const VMS: u64 = 5;
const SIX: &str = "cpu,disk_ops,disk_time,disk_latency,net_packets,net_errors";

fn detector(options: &[(&str, &str)]) -> Detector {
    common::detector(&[&[("provisional_sec", "0")], options].concat())
}

/// Feeds the metrics of `detector` for the ticks in `ticks`; `factor` is by how much a metric (its index) has changed at a tick.
fn feed(
    detector: &mut Detector,
    ticks: Range<u64>,
    factor: impl Fn(usize, u64) -> f64,
) -> Vec<Event> {
    let metrics = detector.options().metrics.clone();
    for t in ticks {
        for (at, metric) in metrics.iter().enumerate() {
            for vm in 0..VMS {
                let seed = 100 * at as u64 + vm;
                let calm = (15.0 + 3.0 * vm as f64) * (1.0 + 0.3 * noise(seed, t));
                detector.observe(&Observation {
                    hypervisor: "hv",
                    vm: &format!("vm{vm}"),
                    metric,
                    time: Time::from_secs(START + t as f64 * INTERVAL),
                    interval: Some(Interval::from_secs(INTERVAL)),
                    value: calm * factor(at, t),
                });
            }
        }
        detector.advance(Time::from_secs(START + (t + 1) as f64 * INTERVAL));
    }
    std::iter::from_fn(|| detector.next_event()).collect()
}

/// State and metric of each event.
fn course(events: &[Event]) -> Vec<(State, &str)> {
    let of = |event| -> (State, &str) {
        let event: &Event = event;
        assert_eq!(event.kind(), EventKind::HypervisorAnomaly);
        (event.state, event.metric().unwrap())
    };
    events.iter().map(of).collect()
}

fn tick_of(event: &Event) -> u64 {
    ((event.time.secs() - START) / INTERVAL).round() as u64
}

/// Every incident that was raised was cleared, by its own identity.
fn assert_all_cleared(events: &[Event]) {
    let mut open = BTreeSet::new();
    for event in events {
        let id = event.incident.to_string();
        match event.state {
            State::Raised => assert!(open.insert(id), "{events:#?}"),
            State::Cleared => assert!(open.remove(&id), "{events:#?}"),
            State::Updated => {}
        }
    }
    assert!(open.is_empty(), "{events:#?}");
}

#[test]
fn a_fault_in_several_metrics_is_one_incident_that_lasts_until_all_have_recovered() {
    let mut detector = detector(&[("metrics", "cpu,disk_ops,net_packets")]);
    let until = [640, 640, 680];
    let events = feed(&mut detector, 0..900, |metric, t| {
        match t >= 600 + 2 * metric as u64 && t < until[metric] {
            true => 0.2,
            false => 1.0,
        }
    });
    assert_eq!(
        course(&events),
        [(State::Raised, "cpu"), (State::Cleared, "cpu")]
    );
    assert!((600..606).contains(&tick_of(&events[0])), "{events:#?}");
    assert!((680..720).contains(&tick_of(&events[1])), "{events:#?}");
    assert_all_cleared(&events);
    assert_eq!(detector.statuses().count(), 3);
}

#[test]
fn without_a_joint_decision_each_metric_has_its_own_incident() {
    let mut detector = detector(&[("metrics", "cpu,disk_ops"), ("joint_metrics", "false")]);
    let events = feed(&mut detector, 0..900, |_, t| {
        if (600..640).contains(&t) { 0.2 } else { 1.0 }
    });
    let raised: BTreeSet<&str> = course(&events)
        .into_iter()
        .map(|(_, metric)| metric)
        .collect();
    assert_eq!(raised.into_iter().collect::<Vec<_>>(), ["cpu", "disk_ops"]);
    assert_all_cleared(&events);
}

#[test]
fn one_of_six_metrics_needs_more_evidence_and_six_together_no_more_than_one_by_itself() {
    let is_raised = |metrics: &str, changed: usize, factor: f64| {
        let mut detector = detector(&[("metrics", metrics)]);
        let events = feed(&mut detector, 0..640, |metric, t| {
            match t >= 600 && metric < changed {
                true => factor,
                false => 1.0,
            }
        });
        !events.is_empty()
    };
    let mut is_between = false;
    for percent in (105..200).step_by(5) {
        let factor = f64::from(percent) / 100.0;
        let by_itself = is_raised("cpu", 1, factor);
        let one_of_six = is_raised(SIX, 1, factor);
        assert!(by_itself || !one_of_six, "at {percent} %");
        if by_itself && !one_of_six {
            is_between = true;
            assert!(is_raised(SIX, 6, factor), "at {percent} %");
        }
    }
    assert!(is_between);
    assert!(is_raised(SIX, 1, 2.5));
}

#[test]
fn the_cure_of_a_long_fault_is_no_incident_in_a_metric_that_had_none() {
    let mut detector = detector(&[("metrics", "cpu,disk_ops")]);
    // What comes on slowly in one metric, and ends at once, shows in it at the end alone.
    let events = feed(&mut detector, 0..1600, |metric, t| match (metric, t) {
        (0, 600..1176) => 0.2,
        (1, 600..1176) => 1.0 + (t - 600) as f64 / 350.0,
        _ => 1.0,
    });
    let late = events
        .iter()
        .filter(|event| event.state == State::Raised && tick_of(event) >= 1170);
    assert_eq!(late.count(), 0, "{events:#?}");
    assert_all_cleared(&events);
}

#[test]
fn a_later_change_of_another_metric_supersedes_an_incident_that_lasts() {
    let mut detector = detector(&[("metrics", "cpu,disk_ops")]);
    let events = feed(&mut detector, 0..1100, |metric, t| match (metric, t) {
        (0, 600..900) => 0.2,
        (1, 800..900) => 5.0,
        _ => 1.0,
    });
    let expected = [
        (State::Raised, "cpu"),
        (State::Cleared, "cpu"),
        (State::Raised, "disk_ops"),
        (State::Cleared, "disk_ops"),
    ];
    assert_eq!(course(&events), expected, "{events:#?}");
    assert!((800..806).contains(&tick_of(&events[2])), "{events:#?}");
    assert_all_cleared(&events);
}

#[test]
fn a_restart_in_the_middle_of_an_incident_changes_nothing() {
    let options = [("metrics", "cpu,disk_ops,net_packets")];
    let factor = |metric: usize, t: u64| match t >= 600 + 3 * metric as u64
        && t < 650 + 10 * metric as u64
    {
        true => 0.2,
        false => 1.0,
    };
    let expected = feed(&mut detector(&options), 0..900, factor);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    for cut in [601, 604, 620, 655, 665] {
        let mut first = detector(&options);
        let mut events = feed(&mut first, 0..cut, factor);
        first.save(&path).unwrap();
        let mut second = detector(&options);
        assert!(second.load(&path).unwrap());
        events.extend(feed(&mut second, cut..900, factor));
        assert_eq!(events, expected, "cut at {cut}");
    }
}

#[test]
fn what_is_learned_of_a_metric_outlives_a_change_of_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let mut first = detector(&[("metrics", "net_errors,cpu,disk_ops")]);
    assert_eq!(feed(&mut first, 0..600, |_, _| 1.0), []);
    first.save(&path).unwrap();

    let mut second = detector(&[("metrics", "cpu,disk_time")]);
    assert!(second.load(&path).unwrap());
    let metrics: Vec<String> = second
        .statuses()
        .map(|status| status.metric.to_owned())
        .collect();
    assert_eq!(metrics, ["cpu"]);
    let events = feed(&mut second, 600..620, |metric, t| {
        match t >= 602 && metric == 0 {
            true => 0.1,
            false => 1.0,
        }
    });
    assert_eq!(course(&events), [(State::Raised, "cpu")]);

    let mut third = detector(&[("metrics", "disk_latency")]);
    first.save(&path).unwrap();
    assert!(third.load(&path).unwrap());
    assert_eq!(
        (third.statuses().count(), third.counters().hypervisors),
        (0, 0)
    );
    assert_eq!(feed(&mut third, 600..620, |_, _| 1.0), []);
}
