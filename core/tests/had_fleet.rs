//! A detector that sees many hypervisors tells what happens to the fleet from what happens to one of them.

mod common;

use bellwether_core::event::{Direction, Event, EventKind, Severity, State};
use bellwether_core::had::{Detector, Observation};
use bellwether_core::text::split_list;
use bellwether_core::units::{Interval, Time};

use common::noise;

const INTERVAL: f64 = 300.0;
const VMS: u64 = 6;
const START: f64 = 1e9;
/// The tick at which things happen, when all is known that it takes.
const CHANGE: u64 = 150;

fn detector(options: &[(&str, &str)]) -> Detector {
    let own = [("provisional_sec", "0"), ("interval", "300")];
    common::detector(&[&own, options].concat())
}

fn at(tick: u64) -> Time {
    Time::from_secs(START + tick as f64 * INTERVAL)
}

fn tick_of(time: Time) -> f64 {
    (time.secs() - START) / INTERVAL
}

/// Feeds the hypervisors `hv00`, `hv01`, … the ticks `ticks`; `factor` is by how much the VMs of a hypervisor exceed their level,
/// `None` for no samples. Time is advanced only if `advances`.
fn feed_ticks(
    detector: &mut Detector,
    hypervisors: usize,
    ticks: std::ops::Range<u64>,
    advances: bool,
    factor: impl Fn(usize, u64) -> Option<f64>,
) {
    let vms: Vec<String> = (0..VMS).map(|vm| format!("vm{vm}")).collect();
    for t in ticks {
        for h in 0..hypervisors {
            let name = format!("hv{h:02}");
            let Some(factor) = factor(h, t) else { continue };
            for (vm, vm_name) in (0..VMS).zip(&vms) {
                let seed = h as u64 * VMS + vm;
                let value = (15.0 + 3.0 * vm as f64) * (1.0 + 0.2 * noise(seed, t)) * factor;
                detector.observe(&Observation {
                    hypervisor: &name,
                    vm: vm_name,
                    metric: "cpu",
                    time: at(t),
                    interval: Some(Interval::from_secs(INTERVAL)),
                    value,
                });
            }
        }
        if advances {
            detector.advance(at(t + 1));
        }
    }
}

/// [`feed_ticks`] with time advanced, and the events.
fn feed(
    detector: &mut Detector,
    hypervisors: usize,
    ticks: std::ops::Range<u64>,
    factor: impl Fn(usize, u64) -> f64,
) -> Vec<Event> {
    feed_ticks(detector, hypervisors, ticks, true, |h, t| {
        Some(factor(h, t))
    });
    events(detector)
}

fn events(detector: &mut Detector) -> Vec<Event> {
    std::iter::from_fn(|| detector.next_event()).collect()
}

/// Events as "KIND STATE HYPERVISOR".
fn lines(events: &[Event]) -> Vec<String> {
    let line = |e: &Event| {
        let (kind, state) = (e.kind().as_str(), e.state.as_str());
        format!("{kind} {state} {}", e.hypervisor())
    };
    events.iter().map(line).collect()
}

/// The hypervisors that a change of the fleet names.
fn named(event: &Event) -> Vec<String> {
    let names = &event.fleet_change().unwrap().changed_hypervisors;
    split_list(names)
}

/// A change by 80 % from [`CHANGE`] on.
fn more(changes: bool, t: u64) -> f64 {
    if changes && t >= CHANGE { 1.8 } else { 1.0 }
}

/// A restored copy.
fn restored(detector: &Detector) -> Detector {
    let mut copy = self::detector(&[]);
    copy.restore(&detector.snapshot().to_vec()).unwrap();
    copy
}

#[test]
fn a_roll_out_to_the_fleet_is_one_event_and_no_hypervisor_is_called_failing() {
    let mut detector = detector(&[]);
    let back = CHANGE + 60;
    let rolled_out = |_, t| more(t < back, t);
    let raised = feed(&mut detector, 20, 0..back, rolled_out);
    assert_eq!(lines(&raised), ["fleet_change raised "]);
    let change = raised[0].fleet_change().unwrap();
    assert_eq!(raised[0].severity, Severity::Warning);
    assert_eq!(change.direction, Some(Direction::Up));
    assert_eq!(change.voting_hypervisors, 20);
    assert!((4..=20).contains(&change.hypervisors), "{change:?}");
    assert_eq!(
        named(&raised[0]).len(),
        (change.hypervisors as usize).min(8)
    );
    assert!((CHANGE as f64..CHANGE as f64 + 12.0).contains(&tick_of(raised[0].time)));
    assert!(raised[0].to_json().contains("\"cause\":\"fleet\""));
    assert_eq!(detector.counters().fleet_changes, 1);
    assert!(detector.statuses().all(|status| !status.raised));

    let cleared = feed(&mut detector, 20, back..back + 80, rolled_out);
    assert_eq!(lines(&cleared), ["fleet_change cleared "]);
    assert_eq!(cleared[0].reason(), Some("recovered"));
    assert_eq!(cleared[0].incident, raised[0].incident);
    assert_eq!(cleared[0].fleet_change().unwrap().hypervisors, 20);
    assert_eq!(detector.counters().fleet_changes, 0);
}

#[test]
fn one_or_two_failing_hypervisors_of_twenty_are_failures_as_of_a_detector_of_their_own() {
    for failing in [1, 2] {
        let fault = |h, t| more(h < failing, t);
        let all = feed(&mut detector(&[]), 20, 0..CHANGE + 40, fault);
        assert_eq!(all.len(), failing, "{:?}", lines(&all));
        for (h, event) in all.iter().enumerate() {
            let alone = feed(&mut detector(&[]), failing, 0..CHANGE + 40, fault);
            assert!(alone.contains(event), "{h}: {event:?}");
            assert_eq!(event.severity, Severity::Failure);
        }
    }
}

#[test]
fn a_failing_rack_of_a_fifth_of_the_fleet_is_one_event_that_names_its_hypervisors() {
    let mut detector = detector(&[]);
    let rack = |h, t| more([3, 7, 11, 15].contains(&h), t);
    let events = feed(&mut detector, 20, 0..CHANGE + 40, rack);
    assert_eq!(lines(&events), ["fleet_change raised "]);
    let change = events[0].fleet_change().unwrap();
    assert_eq!((change.hypervisors, change.voting_hypervisors), (4, 20));
    let mut names = named(&events[0]);
    names.sort();
    assert_eq!(names, ["hv03", "hv07", "hv11", "hv15"]);
    assert!(names.iter().all(|name| events[0].message.contains(name)));
}

#[test]
fn nothing_is_claimed_about_a_fleet_of_few_and_none_of_its_failures_waits() {
    for count in [1, 2, 4] {
        let mut detector = detector(&[]);
        let mut late = Vec::new();
        for t in 0..CHANGE + 40 {
            for event in feed(&mut detector, count, t..t + 1, |_, t| more(true, t)) {
                late.push((t as f64 - tick_of(event.time), event));
            }
        }
        assert_eq!(late.len(), count);
        for (late, event) in late {
            assert_eq!(event.kind(), EventKind::HypervisorAnomaly);
            assert_eq!(event.severity, Severity::Failure);
            assert!(late < 0.5, "{late}");
        }
    }
}

#[test]
fn the_published_algorithms_report_every_hypervisor() {
    let mut detector = detector(&[("algorithm", "zscore")]);
    let events = feed(&mut detector, 20, 0..CHANGE + 40, |_, t| more(true, t));
    let raised = events.iter().filter(|e| e.state == State::Raised).count();
    assert_eq!(raised, 20);
    let is_anomaly = |e: &Event| e.kind() == EventKind::HypervisorAnomaly;
    assert!(events.iter().all(is_anomaly));
}

#[test]
fn a_hypervisor_that_does_not_recover_with_the_fleet_is_raised_by_itself_later() {
    let mut detector = detector(&[]);
    let back = CHANGE + 60;
    let factor = |h, t| more(t < back || h == 5, t);
    let events = feed(&mut detector, 20, 0..back + 120, factor);
    assert_eq!(
        lines(&events),
        [
            "fleet_change raised ",
            "fleet_change cleared ",
            "hypervisor_anomaly raised hv05"
        ]
    );
    let (cleared, raised) = (&events[1], &events[2]);
    assert_eq!(raised.severity, Severity::Failure);
    let waited = tick_of(raised.time) - tick_of(cleared.time);
    assert!((23.0..28.0).contains(&waited), "{waited}");
    assert!(tick_of(raised.since) < CHANGE as f64 + 20.0);
    // Its end has the same identity.
    let ended = feed(&mut detector, 20, back + 120..back + 180, |_, _| 1.0);
    assert_eq!(lines(&ended), ["hypervisor_anomaly cleared hv05"]);
    assert_eq!(ended[0].incident, raised.incident);
}

#[test]
fn what_one_hypervisor_does_by_itself_while_the_fleet_is_changed_is_its_own() {
    // It falls while the others rise.
    let mut other_way = detector(&[]);
    let factor = |h, t| match h {
        0 if t >= CHANGE => 0.3,
        _ => more(true, t),
    };
    let events = feed(&mut other_way, 20, 0..CHANGE + 40, factor);
    let mut all = lines(&events);
    all.sort();
    assert_eq!(
        all,
        ["fleet_change raised ", "hypervisor_anomaly raised hv00"]
    );

    // It rises twelve hours after them.
    let mut later = detector(&[]);
    let late = CHANGE + 144;
    let factor = |h, t| {
        let own = if h == 0 && t >= late { 2.0 } else { 1.0 };
        own * more(true, t)
    };
    let events = feed(&mut later, 20, 0..late, factor);
    assert_eq!(lines(&events), ["fleet_change raised "]);
    let events = feed(&mut later, 20, late..late + 40, factor);
    assert_eq!(lines(&events), ["hypervisor_anomaly raised hv00"]);
}

/// A detector of twenty hypervisors that holds the failure of the first one, and the tick at which it would be raised.
fn holding() -> (Detector, u64) {
    let fault = |h: usize, t| more(h == 0, t);
    let alone = feed(&mut detector(&[]), 1, 0..CHANGE + 40, fault);
    let tick = tick_of(alone[0].time).round() as u64;
    let mut detector = detector(&[]);
    let events = feed(&mut detector, 20, 0..tick + 1, fault);
    assert_eq!(events, []);
    (detector, tick)
}

#[test]
fn a_failure_that_waits_for_others_is_raised_by_later_samples_of_any_hypervisor() {
    for advances in [true, false] {
        let (mut detector, tick) = holding();
        feed_ticks(&mut detector, 20, tick + 1..tick + 5, advances, |h, _| {
            (h > 0).then_some(1.0)
        });
        let events = events(&mut detector);
        assert_eq!(lines(&events)[0], "hypervisor_anomaly raised hv00");
        assert_eq!(tick_of(events[0].time).round() as u64, tick);
    }
}

#[test]
fn a_failure_that_waits_for_others_is_raised_as_time_passes_and_at_the_end_of_the_data() {
    let (mut detector, tick) = holding();
    detector.advance(at(tick + 4));
    assert_eq!(
        lines(&events(&mut detector)),
        ["hypervisor_anomaly raised hv00"]
    );
    let (mut detector, _) = holding();
    detector.finish();
    assert_eq!(
        lines(&events(&mut detector)),
        ["hypervisor_anomaly raised hv00"]
    );
    detector.finish();
    assert_eq!(events(&mut detector), []);
}

#[test]
fn a_failure_that_waits_for_others_survives_a_restart() {
    let (detector, tick) = holding();
    let mut second = restored(&detector);
    let events = feed(&mut second, 20, tick + 1..tick + 5, |h, t| more(h == 0, t));
    assert_eq!(lines(&events), ["hypervisor_anomaly raised hv00"]);
}

#[test]
fn a_failure_of_a_hypervisor_that_is_forgotten_while_it_waits_is_raised_and_cleared() {
    let (mut detector, tick) = holding();
    // A day passes at once.
    detector.advance(at(tick + 400));
    let all = events(&mut detector);
    let own: Vec<String> = lines(&all)
        .into_iter()
        .filter(|line| line == "hypervisor_anomaly raised hv00" || line.contains("cleared hv00"))
        .collect();
    assert_eq!(own[0], "hypervisor_anomaly raised hv00", "{own:?}");
    assert!(own.contains(&"hypervisor_anomaly cleared hv00".to_owned()));
}

#[test]
fn a_restart_changes_nothing_about_a_change_of_the_fleet() {
    let back = CHANGE + 60;
    let factor = |h, t| more(t < back || h == 5, t);
    let whole = feed(&mut detector(&[]), 20, 0..back + 180, factor);
    assert_eq!(whole.len(), 3);
    // Before it is raised, while it is open, after it was cleared.
    for tick in [CHANGE + 3, CHANGE + 5, CHANGE + 30, back + 20, back + 60] {
        let mut first = detector(&[]);
        let mut events = feed(&mut first, 20, 0..tick, factor);
        let mut second = restored(&first);
        events.extend(feed(&mut second, 20, tick..back + 180, factor));
        let lines_of = |events: &[Event]| -> Vec<(String, f64)> {
            let times = events.iter().map(|e| tick_of(e.since).round());
            lines(events).into_iter().zip(times).collect()
        };
        assert_eq!(lines_of(&events), lines_of(&whole), "{tick}");
    }
}

#[test]
fn a_fleet_change_that_lasts_is_taken_as_normal_after_the_accepted_time() {
    let mut detector = detector(&[("accept_sec", "36000")]);
    let events = feed(&mut detector, 20, 0..CHANGE + 200, |_, t| more(true, t));
    assert_eq!(
        lines(&events),
        ["fleet_change raised ", "fleet_change cleared "]
    );
    assert_eq!(events[1].reason(), Some("lasting change taken as normal"));
}
