//! Maintenance windows of hypervisors through HAD's public interface.

mod common;

use bellwether_core::event::{Event, EventKind, State};
use bellwether_core::had::{Detector, Observation, Outcome};
use bellwether_core::maintenance::{WINDOWS_MAX, WindowError};
use bellwether_core::units::{Interval, Time};

use common::{detector, noise};

const INTERVAL: f64 = 10.0;
/// Ticks after a window in which guests settle.
const SETTLE: u64 = 30;

/// CPU of VM `vm` at tick `t`: its own level with 20 % noise.
fn calm(vm: u64, t: u64) -> f64 {
    (15.0 + 3.0 * vm as f64) * (1.0 + 0.2 * noise(vm, t))
}

/// The time of a tick.
fn at(tick: u64) -> Time {
    Time::from_secs(1e9 + tick as f64 * INTERVAL)
}

fn tick_of(event: &Event) -> u64 {
    ((event.time.secs() - 1e9) / INTERVAL).round() as u64
}

fn observe(detector: &mut Detector, hypervisor: &str, vm: u64, t: u64, value: f64) -> Outcome {
    detector.observe(&Observation {
        hypervisor,
        vm: &format!("vm{vm}"),
        metric: "cpu",
        time: at(t),
        interval: Some(Interval::from_secs(INTERVAL)),
        value,
    })
}

/// Feeds five VMs of the hypervisor "hv"; `factor` is what a VM needs of its level at a tick, `None` if there is no sample.
fn feed(
    detector: &mut Detector,
    ticks: std::ops::Range<u64>,
    factor: impl Fn(u64) -> Option<f64>,
) -> Vec<Event> {
    for t in ticks {
        for vm in 0..5 {
            if let Some(factor) = factor(t) {
                observe(detector, "hv", vm, t, factor * calm(vm, t));
            }
        }
        detector.advance(at(t + 1));
    }
    std::iter::from_fn(|| detector.next_event()).collect()
}

/// The events as "KIND STATE REASON", each with its tick.
fn lines(events: &[Event]) -> Vec<(u64, String)> {
    let line = |event: &Event| {
        let state = match event.state {
            State::Raised => "raised",
            State::Updated => "updated",
            State::Cleared => "cleared",
        };
        let kind = match event.kind() {
            EventKind::HypervisorAnomaly => "anomaly",
            EventKind::HypervisorSilence => "silence",
            EventKind::CollectorSilence => "collector",
            _ => "other",
        };
        let text = format!("{kind} {state} {}", event.reason().unwrap_or_default());
        (tick_of(event), text.trim_end().to_owned())
    };
    events.iter().map(line).collect()
}

fn fell(t: u64, ticks: std::ops::Range<u64>) -> Option<f64> {
    Some(if ticks.contains(&t) { 0.3 } else { 1.0 })
}

#[test]
fn a_fault_in_maintenance_is_not_raised_and_the_same_fault_later_is() {
    for algorithm in ["rank", "zscore"] {
        let fault = |t| match t {
            620..700 => Some(0.3),
            1100..1200 => Some(0.3),
            _ => Some(1.0),
        };
        let mut masked = detector(&[("algorithm", algorithm)]);
        masked.mask_hypervisor("hv", at(600), at(700)).unwrap();
        let events = lines(&feed(&mut masked, 0..1200, fault));
        assert_eq!(events.len(), 1, "{algorithm}: {events:?}");
        let (tick, line) = &events[0];
        assert!(
            line == "anomaly raised" && (1100..1120).contains(tick),
            "{algorithm}: {events:?}"
        );

        let mut unmasked = detector(&[("algorithm", algorithm)]);
        let events = lines(&feed(&mut unmasked, 0..1200, fault));
        assert!((620..640).contains(&events[0].0), "{algorithm}: {events:?}");
    }
}

#[test]
fn what_is_open_when_maintenance_begins_is_cleared_for_that_reason() {
    let mut detector = detector(&[]);
    detector.mask_hypervisor("hv", at(450), at(500)).unwrap();
    let events = feed(&mut detector, 0..800, |t| fell(t, 400..520));
    let found = lines(&events);
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[1], (450, "anomaly cleared maintenance".to_owned()));
    assert_eq!(events[0].incident, events[1].incident);
    assert_eq!(events[1].message, "hv: in maintenance, after 8 min 10 s");
}

#[test]
fn a_fault_that_outlasts_maintenance_is_raised_after_it_by_the_levels_of_before() {
    let mut detector = detector(&[]);
    detector.mask_hypervisor("hv", at(4050), at(4100)).unwrap();
    let found = lines(&feed(&mut detector, 0..4800, |t| fell(t, 4060..4800)));
    assert_eq!(found.len(), 1, "{found:?}");
    let settled = 4100 + SETTLE;
    let is_soon = (settled..settled + 500).contains(&found[0].0);
    assert!(found[0].1 == "anomaly raised" && is_soon, "{found:?}");
}

#[test]
fn samples_in_maintenance_are_as_good_as_missing() {
    for algorithm in ["rank", "zscore", "iad"] {
        let options = [
            ("algorithm", algorithm),
            ("silence_sz", "0"),
            ("provisional_sec", "8000"),
        ];
        let mut masked = detector(&options);
        masked.mask_hypervisor("hv", at(600), at(700)).unwrap();
        let mut missing = detector(&options);
        let window = 600..700 + SETTLE;
        let later = |t| if t < 1200 { 1.0 } else { 2.5 };
        let wild = |t| {
            Some(if window.contains(&t) {
                10.0 * noise(9, t).abs()
            } else {
                later(t)
            })
        };
        let none = |t| (!window.contains(&t)).then(|| later(t));
        let (one, other) = (
            feed(&mut masked, 0..1300, wild),
            feed(&mut missing, 0..1300, none),
        );
        assert!(!one.is_empty(), "{algorithm}");
        let json = |events: &[Event]| events.iter().map(Event::to_json).collect::<Vec<_>>();
        assert_eq!(json(&one), json(&other), "{algorithm}");
        let statuses = |detector: &Detector| {
            let vms = detector
                .vm_statuses("hv", "cpu", "")
                .map(|s| format!("{s:?}"));
            vms.collect::<Vec<_>>()
        };
        assert_eq!(statuses(&masked), statuses(&missing), "{algorithm}");
    }
}

#[test]
fn samples_in_maintenance_are_counted_as_masked_and_the_status_says_so() {
    let mut detector = detector(&[]);
    detector.mask_hypervisor("hv", at(10), at(20)).unwrap();
    for t in 0..80 {
        let expected = match t {
            10..50 => Outcome::Masked,
            _ => Outcome::Taken,
        };
        for vm in 0..5 {
            assert_eq!(
                observe(&mut detector, "hv", vm, t, 10.0),
                expected,
                "{t} {vm}"
            );
        }
        detector.advance(at(t + 1));
        let status = detector.statuses().next().unwrap();
        assert_eq!(status.masked, (10..50).contains(&t), "{t}");
        assert_eq!(status.time, at(t));
    }
    assert_eq!(detector.counters().masked, 5 * 40);
}

#[test]
fn a_tick_in_maintenance_ends_with_its_last_sample_like_any_other() {
    let mut detector = detector(&[]);
    detector.mask_hypervisor("hv", at(10), at(1000)).unwrap();
    for t in 0..60 {
        for vm in 0..5 {
            let outcome = observe(&mut detector, "hv", vm, t, 10.0);
            let expected = if t < 10 {
                Outcome::Taken
            } else {
                Outcome::Masked
            };
            assert_eq!(outcome, expected, "{t} {vm}");
        }
        let evaluated = detector.statuses().next().unwrap().time;
        // Which VMs there are shows after the first ones.
        assert!(evaluated == at(t) || t < 3, "{t}");
    }
}

#[test]
fn silence_in_maintenance_and_right_after_it_is_none_and_counts_from_then_on() {
    let mut detector = detector(&[("silence_sz", "6")]);
    detector.mask_hypervisor("hv", at(500), at(600)).unwrap();
    let off = |t| (!(510..700).contains(&t)).then_some(1.0);
    let found = lines(&feed(&mut detector, 0..720, off));
    let settled = 600 + SETTLE;
    let expected = [
        (settled + 5, "silence raised".to_owned()),
        (700, "silence cleared samples again".to_owned()),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_silence_from_before_maintenance_is_cleared_when_it_begins() {
    let mut detector = detector(&[("silence_sz", "6")]);
    detector.mask_hypervisor("hv", at(520), at(600)).unwrap();
    let off = |t| (!(500..615).contains(&t)).then_some(1.0);
    let found = lines(&feed(&mut detector, 0..700, off));
    let expected = [
        (505, "silence raised".to_owned()),
        (520, "silence cleared maintenance".to_owned()),
    ];
    assert_eq!(found, expected);
}

#[test]
fn guests_that_restart_right_after_maintenance_are_no_failure() {
    let mut detector = detector(&[]);
    detector.mask_hypervisor("hv", at(500), at(560)).unwrap();
    let restart = |t| match t {
        505..555 => None,
        555..585 => Some(3.0),
        _ => Some(1.0),
    };
    assert_eq!(lines(&feed(&mut detector, 0..1200, restart)), []);
}

#[test]
fn a_hypervisor_that_is_first_seen_in_maintenance_is_known_from_its_end_on() {
    let run = |window: bool, first: u64| {
        let mut detector = detector(&[("provisional_sec", "8000")]);
        if window {
            detector
                .mask_hypervisor("hv", at(0), at(300 - SETTLE))
                .unwrap();
        }
        feed(&mut detector, first..1200, |t| fell(t, 1090..1200))
    };
    let masked = run(true, 100);
    assert!(masked[0].message.contains("provisional"), "{masked:?}");
    assert_eq!(masked[0].message, run(false, 300)[0].message);
    assert!(!run(false, 100)[0].message.contains("provisional"));
}

#[test]
fn a_window_of_a_pattern_masks_those_that_match_and_ends_when_it_is_removed() {
    let mut detector = detector(&[]);
    let outcomes = |detector: &mut Detector, t| {
        ["rack7-a", "rack7-b", "rack8-a"].map(|name| observe(detector, name, 0, t, 10.0))
    };
    assert_eq!(outcomes(&mut detector, 1), [Outcome::Taken; 3]);
    detector.mask_hypervisor("rack7-*", at(2), at(100)).unwrap();
    detector.mask_hypervisor("rack7-b", at(2), at(50)).unwrap();
    let masked = [Outcome::Masked, Outcome::Masked, Outcome::Taken];
    assert_eq!(outcomes(&mut detector, 2), masked);
    let names: Vec<_> = detector.masks().iter().map(|w| &*w.hypervisor).collect();
    assert_eq!(names, ["rack7-*", "rack7-b"]);
    assert_eq!(detector.unmask_hypervisor("rack7-a"), 0);
    assert_eq!(detector.unmask_hypervisor("rack7-*"), 1);
    let masked = [Outcome::Taken, Outcome::Masked, Outcome::Taken];
    assert_eq!(outcomes(&mut detector, 3), masked);
    detector.mask_hypervisor("*", at(4), at(50)).unwrap();
    assert_eq!(outcomes(&mut detector, 4), [Outcome::Masked; 3]);
    // Also those that come later.
    assert_eq!(observe(&mut detector, "new", 0, 4, 10.0), Outcome::Masked);
}

#[test]
fn windows_that_make_no_sense_are_refused_with_the_reason() {
    let mut detector = detector(&[]);
    let long = "x".repeat(513);
    for (name, from, until, error) in [
        (
            "",
            1.0,
            2.0,
            "the name of the hypervisor has 0 bytes; it takes 1 to 512",
        ),
        (
            &*long,
            1.0,
            2.0,
            "the name of the hypervisor has 513 bytes; it takes 1 to 512",
        ),
        (
            "hv",
            f64::NAN,
            2.0,
            "the start is not a time; it takes seconds since the epoch",
        ),
        (
            "hv",
            1.0,
            f64::INFINITY,
            "the end is not a time; it takes seconds since the epoch",
        ),
        ("hv", 2.0, 2.0, "the end is not after the start"),
    ] {
        let refused = detector.mask_hypervisor(name, Time::from_secs(from), Time::from_secs(until));
        assert_eq!(refused.unwrap_err().to_string(), error);
    }
    assert!(detector.masks().is_empty());
    for i in 0..WINDOWS_MAX as u64 {
        detector
            .mask_hypervisor("hv", at(10 * i), at(10 * i + 5))
            .unwrap();
    }
    let one_more = detector.mask_hypervisor("other", at(1), at(2));
    assert_eq!(one_more, Err(WindowError::Full));
}

#[test]
fn windows_are_saved_and_a_restored_detector_continues_in_maintenance() {
    let mut saved = detector(&[("silence_sz", "0")]);
    saved.mask_hypervisor("hv", at(500), at(600)).unwrap();
    saved.mask_hypervisor("rack*", at(0), at(1)).unwrap();
    let fault = |t| match t {
        520..640 => Some(0.3),
        1100..1200 => Some(0.3),
        _ => Some(1.0),
    };
    assert_eq!(lines(&feed(&mut saved, 0..550, fault)), []);
    let mut restored = detector(&[("silence_sz", "0")]);
    restored.restore(&saved.snapshot().to_vec()).unwrap();
    assert_eq!(restored.masks(), saved.masks());
    let (one, other) = (
        feed(&mut saved, 550..1200, fault),
        feed(&mut restored, 550..1200, fault),
    );
    assert_eq!(lines(&one), lines(&other));
    assert!(one.iter().all(|event| tick_of(event) >= 630), "{one:?}");
}

#[test]
fn a_feed_that_stops_before_maintenance_and_resumes_after_it_clears_what_is_open() {
    let mut detector = detector(&[("silence_sz", "6")]);
    detector
        .mask_hypervisor("hv", at(10_000), at(11_000))
        .unwrap();
    feed(&mut detector, 0..450, |t| fell(t, 400..450));
    // The next samples come days later, and no time has passed meanwhile.
    for vm in 0..5 {
        observe(&mut detector, "hv", vm, 20_000, calm(vm, 20_000));
        observe(&mut detector, "hv", vm, 20_001, calm(vm, 20_001));
    }
    let events: Vec<Event> = std::iter::from_fn(|| detector.next_event()).collect();
    let found = lines(&events);
    assert!(
        found.contains(&(10_000, "anomaly cleared maintenance".to_owned())),
        "{found:?}"
    );
}

#[test]
fn the_silence_after_a_long_gap_counts_from_the_end_of_maintenance() {
    let run = |until: u64| {
        let mut detector = detector(&[("silence_sz", "1000"), ("forget_sec", "1000000")]);
        detector.mask_hypervisor("hv", at(500), at(until)).unwrap();
        feed(&mut detector, 0..450, |_| Some(1.0));
        detector.advance(at(5000));
        let events: Vec<Event> = std::iter::from_fn(|| detector.next_event()).collect();
        let silences: Vec<_> = events.iter().map(|event| event.since.secs()).collect();
        silences
    };
    assert_eq!(run(3000), [at(3000 + SETTLE - 1).secs()]);
    assert!(run(4500).is_empty());
}

#[test]
fn hypervisors_in_maintenance_say_nothing_about_the_collector() {
    // All ten are off; five of them in maintenance.
    let mut detector = detector(&[("silence_sz", "6")]);
    detector.mask_hypervisor("dark*", at(100), at(400)).unwrap();
    let names = [
        "dark0", "dark1", "dark2", "dark3", "dark4", "lit0", "lit1", "lit2", "lit3", "lit4",
    ];
    for t in 0..300 {
        for name in names {
            let is_off = name.starts_with("dark") && t >= 150;
            for vm in 0..2 {
                if !is_off {
                    observe(&mut detector, name, vm, t, calm(vm, t));
                }
            }
        }
        detector.advance(at(t + 1));
    }
    let events: Vec<Event> = std::iter::from_fn(|| detector.next_event()).collect();
    assert_eq!(lines(&events), []);
}

#[test]
fn when_all_stay_off_after_a_common_maintenance_it_is_one_event_about_the_collector() {
    let mut detector = detector(&[("silence_sz", "6")]);
    detector.mask_hypervisor("*", at(100), at(200)).unwrap();
    for t in 0..300 {
        for host in 0..8 {
            for vm in 0..2 {
                if t < 120 {
                    observe(&mut detector, &format!("hv{host}"), vm, t, calm(vm, t));
                }
            }
        }
        detector.advance(at(t + 1));
    }
    let events: Vec<Event> = std::iter::from_fn(|| detector.next_event()).collect();
    assert_eq!(
        lines(&events),
        [(200 + SETTLE + 5, "collector raised".to_owned())]
    );
}

#[test]
fn a_hypervisor_whose_guests_report_in_maintenance_keeps_its_place() {
    let mut detector = detector(&[("max_hypervisors", "1"), ("forget_sec", "3600")]);
    detector.mask_hypervisor("hv", at(100), at(900)).unwrap();
    feed(&mut detector, 0..800, |_| Some(1.0));
    assert_eq!(observe(&mut detector, "other", 0, 800, 1.0), Outcome::Full);
    assert_eq!(detector.counters().vms, 5);
}
