//! HAD through its public interface.

mod common;

use bellwether_core::event::{Direction, Event, EventKind, Evidence, Severity, State};
use bellwether_core::had::{self, Detector, NoticeKind, Observation, Outcome};
use bellwether_core::units::{Interval, Time};
use proptest::prelude::*;

use common::{detector, noise};

const INTERVAL: f64 = 10.0;

fn at(secs: f64) -> Time {
    Time::from_secs(secs)
}

/// CPU of VM `vm` at tick `t`: its own level with 20 % noise.
fn calm(vm: u64, t: u64) -> f64 {
    (15.0 + 3.0 * vm as f64) * (1.0 + 0.2 * noise(vm, t))
}

fn sample<'a>(hypervisor: &'a str, vm: &'a str, t: f64, value: f64) -> Observation<'a> {
    Observation {
        hypervisor,
        vm,
        metric: "cpu",
        time: at(1e9 + t * INTERVAL),
        interval: Some(Interval::from_secs(INTERVAL)),
        value,
    }
}

/// Feeds `vms` VMs of hypervisor "hv" for the ticks in `ticks`; `value` returns a VM's sample, `None` if it is missing.
fn feed(
    detector: &mut Detector,
    vms: u64,
    ticks: std::ops::Range<u64>,
    value: impl Fn(u64, u64) -> Option<f64>,
) -> Vec<Event> {
    let names: Vec<String> = (0..vms).map(|vm| format!("vm{vm}")).collect();
    for t in ticks {
        for vm in 0..vms {
            if let Some(value) = value(vm, t) {
                detector.observe(&sample("hv", &names[vm as usize], t as f64, value));
            }
        }
        detector.advance(at(1e9 + (t + 1) as f64 * INTERVAL));
    }
    std::iter::from_fn(|| detector.next_event()).collect()
}

/// Number of hypervisors that stopped reporting with the collector.
fn hypervisors_of(event: &Event) -> Option<u32> {
    match &event.evidence {
        Evidence::CollectorSilence(silence) => silence.hypervisors,
        _ => None,
    }
}

/// Number of VMs that stopped reporting.
fn vms_of(event: &Event) -> Option<u32> {
    match &event.evidence {
        Evidence::HypervisorSilence(silence) => silence.vms,
        _ => None,
    }
}

fn tick_of(event: &Event) -> f64 {
    (event.time.secs() - 1e9) / INTERVAL
}

#[test]
fn a_common_fall_is_raised_within_fifteen_samples_and_cleared_when_the_vms_are_back() {
    for algorithm in ["rank", "zscore"] {
        let mut detector = detector(&[("algorithm", algorithm), ("provisional_sec", "0")]);
        let events = feed(&mut detector, 5, 0..400, |vm, t| {
            Some(calm(vm, t) * if (200..260).contains(&t) { 0.4 } else { 1.0 })
        });
        assert_eq!(events.len(), 2, "{algorithm}: {events:#?}");
        let (raised, cleared) = (&events[0], &events[1]);
        assert_eq!(
            (raised.kind(), raised.state),
            (EventKind::HypervisorAnomaly, State::Raised)
        );
        assert!(
            (200.0..215.0).contains(&tick_of(raised)),
            "{algorithm}: {}",
            tick_of(raised)
        );
        assert_eq!(
            (raised.severity, raised.common_change().map(|c| c.direction)),
            (Severity::Failure, Some(Direction::Down))
        );
        assert!(
            raised.score.get() >= 0.5 && raised.common_change().unwrap().consensus.get() >= 0.7,
            "{raised:?}"
        );
        assert!(
            raised.message.len() <= 255 && raised.message.contains("hv"),
            "{}",
            raised.message
        );
        assert_eq!(
            (cleared.state, cleared.severity),
            (State::Cleared, Severity::Okay)
        );
        assert_eq!(cleared.reason(), Some("recovered"));
        // Where frequent samples are averaged, levels are followed over minutes.
        let latest = if algorithm == "rank" { 370.0 } else { 290.0 };
        assert!(
            (260.0..latest).contains(&tick_of(cleared)),
            "{algorithm}: {}",
            tick_of(cleared)
        );
        assert_eq!(cleared.since, raised.time);
    }
}

#[test]
fn one_vm_that_changes_alone_is_no_anomaly_and_is_reported_only_on_request() {
    let change = |vm, t| {
        Some(
            calm(vm, t)
                * if vm == 2 && (200..260).contains(&t) {
                    4.0
                } else {
                    1.0
                },
        )
    };
    assert_eq!(feed(&mut detector(&[]), 5, 0..400, change), []);
    let events = feed(
        &mut detector(&[("workload_changes", "true")]),
        5,
        0..400,
        change,
    );
    assert!(events.len() >= 2, "{events:?}");
    assert!(
        events
            .iter()
            .all(|e| e.kind() == EventKind::WorkloadChange && e.vm() == Some("vm2")),
        "{events:#?}"
    );
    assert_eq!(
        (events[0].state, events[1].state),
        (State::Raised, State::Cleared)
    );
}

#[test]
fn vm_statuses_show_how_far_each_vm_has_shifted_and_from_which_level() {
    for algorithm in ["rank", "zscore", "iad"] {
        let mut detector = detector(&[("algorithm", algorithm), ("window_sz", "20")]);
        feed(&mut detector, 5, 0..208, |vm, t| {
            let fell = vm < 4 && t >= 200;
            Some(calm(vm, t) * if fell { 0.3 } else { 1.0 })
        });
        let mut vms: Vec<_> = detector.vm_statuses("hv", "cpu", "fast").collect();
        vms.sort_by_key(|status| status.vm);
        assert_eq!(vms.len(), 5, "{algorithm}");
        for (vm, status) in vms.iter().enumerate() {
            let (level, shift) = (15.0 + 3.0 * vm as f64, status.shift.unwrap());
            assert_eq!(status.vm, format!("vm{vm}"));
            assert!(
                (status.baseline.unwrap() - level).abs() < 0.1 * level,
                "{algorithm}: {status:?}"
            );
            let as_it_did = if vm < 4 { shift < -1.0 } else { shift > -1.0 };
            assert!(as_it_did, "{algorithm}: {status:?}");
        }
        assert_eq!(detector.vm_statuses("hv", "disk_ops", "").count(), 0);
        assert_eq!(detector.vm_statuses("other", "cpu", "").count(), 0);
    }
}

#[test]
fn the_slower_scale_of_an_event_still_sees_a_change_that_the_fastest_has_forgotten() {
    let mut detector = detector(&[]);
    // Samples of five minutes are judged as they are.
    for t in 0..360 {
        for (vm, name) in (0..).zip(["a", "b", "c"]) {
            let value = calm(vm, t) * if t >= 300 { 2.0 } else { 1.0 };
            let seconds = 300.0 * t as f64;
            detector.observe(&Observation {
                time: at(1e9 + seconds),
                interval: Some(Interval::from_secs(300.0)),
                ..sample("hv", name, 0.0, value)
            });
        }
        detector.advance(at(1e9 + 300.0 * (t + 1) as f64));
    }
    let shifts = |channel| {
        let statuses = detector.vm_statuses("hv", "cpu", channel);
        statuses.map(|s| s.shift.unwrap()).collect::<Vec<_>>()
    };
    assert!(shifts("medium").iter().all(|z| *z > 3.0));
    assert!(shifts("fast").iter().all(|z| *z < 3.0));
    assert_eq!(shifts(""), shifts("fast"));
    assert!(detector.present_samples("medium") > detector.present_samples("fast"));
    assert_eq!(
        detector.present_samples(""),
        detector.present_samples("fast")
    );
}

#[test]
fn an_alarm_on_a_hypervisor_not_known_for_a_day_is_provisional() {
    let events = feed(&mut detector(&[]), 5, 0..230, |vm, t| {
        Some(calm(vm, t) * if t >= 200 { 3.0 } else { 1.0 })
    });
    assert_eq!(events.len(), 1, "{events:#?}");
    assert_eq!(
        (events[0].severity, events[0].is_provisional()),
        (Severity::Warning, true)
    );
    assert!(
        events[0].message.contains("provisional"),
        "{}",
        events[0].message
    );
}

#[test]
fn a_status_says_since_when_an_incident_is_open_and_whether_it_is_provisional() {
    for (provisional_sec, provisional) in [("86400", true), ("60", false)] {
        let mut detector = detector(&[("provisional_sec", provisional_sec)]);
        let fall = |from: u64| {
            move |vm: u64, t: u64| Some(calm(vm, t) * if t >= from { 0.3 } else { 1.0 })
        };
        feed(&mut detector, 5, 0..200, fall(200));
        let status = detector.statuses().next().unwrap();
        assert_eq!((status.since, status.provisional), (None, false));
        let events = feed(&mut detector, 5, 200..230, fall(200));
        let raised = events
            .iter()
            .find(|event| event.state == State::Raised)
            .unwrap();
        let status = detector.statuses().next().unwrap();
        assert_eq!(status.since, Some(raised.time));
        assert_eq!(status.provisional, provisional);
        assert_eq!(raised.is_provisional(), provisional);
        feed(&mut detector, 5, 230..400, |vm, t| Some(calm(vm, t)));
        assert_eq!(detector.statuses().next().unwrap().since, None);
    }
}

#[test]
fn half_of_the_guests_at_nothing_are_an_alarm_that_names_them() {
    let mut detector = detector(&[("workload_changes", "false")]);
    let names: Vec<String> = (0..8).map(|vm| format!("vm{vm}")).collect();
    for t in 0..420_u32 {
        for (vm, name) in (0..).zip(&names) {
            let time = 1e9 + 300.0 * f64::from(t);
            let is_gone = t >= 400 && vm % 2 == 1;
            detector.observe(&Observation {
                time: at(time),
                interval: Some(Interval::from_secs(300.0)),
                ..sample(
                    "hv",
                    name,
                    0.0,
                    if is_gone { 0.0 } else { calm(vm, t.into()) },
                )
            });
        }
    }
    let event = detector.next_event().expect("the outage is raised");
    let change = event.common_change().unwrap();
    let mut named: Vec<&str> = change.changed_vms.split(',').collect();
    named.sort_unstable();
    assert_eq!(
        (change.channel.as_str(), named),
        ("size", vec!["vm1", "vm3", "vm5", "vm7"])
    );
}

#[test]
fn guests_that_all_repeat_one_value_are_frozen() {
    let events = feed(&mut detector(&[]), 5, 0..230, |vm, t| {
        Some(calm(vm, t.min(200)))
    });
    assert_eq!(events.len(), 1, "{events:#?}");
    assert_eq!(
        events[0].common_change().map(|c| c.direction),
        Some(Direction::Frozen)
    );
}

#[test]
fn guests_that_never_changed_are_not_frozen() {
    let mut detector = detector(&[("silence_sz", "0")]);
    let constant = |vm: u64, t| (!(30..45).contains(&t)).then_some(20.0 + vm as f64);
    assert_eq!(feed(&mut detector, 3, 0..120, constant), []);
}

#[test]
fn a_vm_that_misses_a_tick_is_waited_for_at_the_next() {
    let mut detector = detector(&[]);
    for t in 0..200u64 {
        for (vm, name) in ["a", "b", "c"].into_iter().enumerate() {
            if name != "c" || t % 4 != 0 {
                detector.observe(&sample("hv", name, t as f64, calm(vm as u64, t)));
            }
        }
    }
    assert_eq!(detector.counters().late, 0, "{:?}", detector.counters());
}

#[test]
fn a_silence_of_all_vms_is_its_own_event_and_no_anomaly() {
    let mut detector = detector(&[]);
    let events = feed(&mut detector, 5, 0..300, |vm, t| {
        (!(200..230).contains(&t)).then(|| calm(vm, t))
    });
    assert_eq!(events.len(), 2, "{events:#?}");
    assert!(
        events
            .iter()
            .all(|e| e.kind() == EventKind::HypervisorSilence)
    );
    assert_eq!(
        (events[0].severity, tick_of(&events[0])),
        (Severity::Warning, 205.0)
    );
    assert_eq!(
        (events[1].state, tick_of(&events[1])),
        (State::Cleared, 230.0)
    );
}

/// A load that lasts for minutes, sampled every few seconds: an autoregressive process with coefficient 0.9.
#[test]
fn vms_that_drift_independently_are_no_failing_host() {
    let mut detector = detector(&[("provisional_sec", "0")]);
    let names: Vec<String> = (0..30).map(|vm| format!("vm{vm}")).collect();
    let mut state = [0.0f64; 30];
    let mut alarms = 0;
    for t in 0..8640 {
        for (vm, wander) in state.iter_mut().enumerate() {
            let chance: f64 = (0..4).map(|i| noise(vm as u64 * 4 + i, t)).sum();
            *wander = 0.9 * *wander + 0.4 * chance;
            let value = (20.0 * (1.0 + 0.15 * *wander)).max(0.0);
            detector.observe(&sample("hv", &names[vm], t as f64, value));
        }
        while let Some(event) = detector.next_event() {
            alarms += u32::from(
                event.kind() == EventKind::HypervisorAnomaly && event.state == State::Raised,
            );
        }
    }
    assert!(alarms <= 3, "{alarms} in a day");
}

#[test]
fn masked_vms_abstain_and_their_silence_does_not_count() {
    let mut detector = detector(&[]);
    feed(&mut detector, 5, 0..200, |vm, t| Some(calm(vm, t)));
    for vm in ["vm0", "vm1", "vm2", "vm3", "vm4"] {
        detector.mask("hv", vm, true);
    }
    let events = feed(&mut detector, 5, 200..260, |_, _| Some(0.0));
    assert_eq!(events, []);
    assert_eq!(detector.counters().masked, 300);
    assert_eq!(detector.statuses().next().unwrap().voters, 0);
    for vm in ["vm0", "vm1"] {
        detector.mask("hv", vm, false);
    }
    // Two of them are to report again, but there was no time for it yet.
    assert_eq!(feed(&mut detector, 5, 260..264, |_, _| None), []);
    for vm in ["vm0", "vm1", "vm2", "vm3", "vm4"] {
        detector.mask("hv", vm, false);
    }
    assert_eq!(
        feed(&mut detector, 5, 260..400, |vm, t| Some(calm(vm, t))),
        []
    );
    assert_eq!(detector.statuses().next().unwrap().voters, 5);
}

#[test]
fn a_silence_counts_only_after_unmasked_vms_had_the_time_to_report() {
    let mut detector = detector(&[]);
    feed(&mut detector, 5, 0..200, |vm, t| Some(calm(vm, t)));
    let vms = ["vm0", "vm1", "vm2", "vm3", "vm4"];
    vms.iter().for_each(|vm| detector.mask("hv", vm, true));
    // The ticks during which all were masked are evaluated only after they are unmasked.
    vms.iter().for_each(|vm| detector.mask("hv", vm, false));
    detector.advance(at(1e9 + 210.0 * INTERVAL));
    assert_eq!(detector.next_event(), None);
    detector.advance(at(1e9 + 230.0 * INTERVAL));
    let event = detector.next_event().expect("they do not report at all");
    assert_eq!(event.kind(), EventKind::HypervisorSilence);
    assert_eq!(event.state, State::Raised);
}

#[test]
fn duplicates_replace_and_late_samples_are_counted() {
    let mut detector = detector(&[]);
    assert_eq!(
        detector.observe(&sample("hv", "a", 0.0, 1.0)),
        Outcome::Taken
    );
    assert_eq!(
        detector.observe(&sample("hv", "a", 0.0, 2.0)),
        Outcome::Duplicate
    );
    assert_eq!(
        detector.observe(&sample("hv", "a", 1.0, 2.0)),
        Outcome::Taken
    );
    assert_eq!(
        detector.observe(&sample("hv", "a", 2.0, 2.0)),
        Outcome::Taken
    );
    assert_eq!(
        detector.observe(&sample("hv", "a", 0.0, 2.0)),
        Outcome::Late
    );
    let counters = detector.counters();
    assert_eq!(
        (counters.taken, counters.duplicate, counters.late),
        (3, 1, 1)
    );
}

#[test]
fn impossible_samples_are_refused_and_unwatched_metrics_ignored() {
    let mut detector = detector(&[]);
    let good = sample("hv", "a", 0.0, 1.0);
    let long = "x".repeat(1000);
    for bad in [
        Observation {
            hypervisor: "",
            ..good
        },
        Observation { vm: "", ..good },
        Observation { vm: &long, ..good },
        Observation {
            time: at(f64::NAN),
            ..good
        },
        Observation {
            time: at(1e300),
            ..good
        },
        Observation {
            value: f64::INFINITY,
            ..good
        },
        Observation {
            value: -1.0,
            ..good
        },
        Observation {
            interval: Some(Interval::from_secs(-1.0)),
            ..good
        },
        Observation {
            interval: Some(Interval::from_secs(f64::NAN)),
            ..good
        },
    ] {
        assert_eq!(detector.observe(&bad), Outcome::Refused, "{bad:?}");
    }
    assert_eq!(
        detector.observe(&Observation {
            metric: "memory",
            ..good
        }),
        Outcome::Ignored
    );
    assert_eq!(
        (detector.counters().hypervisors, detector.counters().refused),
        (0, 9)
    );
}

#[test]
fn state_stays_within_the_options() {
    let mut detector = detector(&[("max_hypervisors", "3"), ("max_vms", "2")]);
    for hypervisor in 0..10 {
        for vm in 0..10 {
            detector.observe(&sample(
                &format!("hv{hypervisor}"),
                &format!("vm{vm}"),
                0.0,
                1.0,
            ));
        }
    }
    let counters = detector.counters();
    assert_eq!(
        (counters.hypervisors, counters.vms, counters.full),
        (3, 6, 94)
    );
}

#[test]
fn vms_and_hypervisors_that_are_silent_for_long_are_forgotten() {
    let mut detector = detector(&[("forget_sec", "1000"), ("max_vms", "5")]);
    feed(&mut detector, 5, 0..50, |vm, t| Some(calm(vm, t)));
    feed(&mut detector, 5, 50..250, |vm, t| {
        (vm < 2).then(|| calm(vm, t))
    });
    assert_eq!(detector.counters().vms, 2);
    assert_eq!(
        detector.observe(&sample("hv", "new", 250.0, 1.0)),
        Outcome::Taken
    );
    detector.advance(at(1e9 + 10_000.0 * INTERVAL));
    assert_eq!(
        (detector.counters().vms, detector.counters().hypervisors),
        (0, 0)
    );
    let last = std::iter::from_fn(|| detector.next_event()).last().unwrap();
    assert_eq!(
        (last.kind(), last.state),
        (EventKind::HypervisorSilence, State::Cleared)
    );
}

#[test]
fn a_vm_that_always_reports_last_votes_from_the_second_tick_on() {
    let mut detector = detector(&[]);
    for t in 0..100u64 {
        for (vm, name) in ["a", "b", "c"].into_iter().enumerate() {
            if name != "c" || t >= 10 {
                detector.observe(&sample("hv", name, t as f64, calm(vm as u64, t)));
            }
        }
    }
    assert!(detector.counters().late <= 1, "{:?}", detector.counters());
    assert_eq!(detector.statuses().next().unwrap().voters, 3);
}

#[test]
fn jitter_and_drift_of_the_samples_times_lose_no_tick() {
    let mut detector = detector(&[]);
    for t in 0..5000u64 {
        // 30 % jitter, and a clock that gains a fifth of an interval every hundred.
        let time = t as f64 * 1.002 + 0.3 * noise(99, t);
        for vm in 0..3u64 {
            detector.observe(&sample(
                "hv",
                ["a", "b", "c"][vm as usize],
                time,
                calm(vm, t),
            ));
        }
    }
    let counters = detector.counters();
    assert!(counters.late + counters.duplicate < 150, "{counters:?}");
}

#[test]
fn one_sample_from_the_far_future_does_not_move_the_clock() {
    let mut detector = detector(&[]);
    feed(&mut detector, 5, 0..100, |vm, t| Some(calm(vm, t)));
    assert_eq!(
        detector.observe(&sample("hv", "vm1", 1e8, 5.0)),
        Outcome::SetAside
    );
    feed(&mut detector, 5, 100..110, |vm, t| Some(calm(vm, t)));
    assert_eq!(detector.counters().late, 0);
    assert_eq!(detector.statuses().next().unwrap().voters, 5);
}

#[test]
fn a_clock_that_is_set_back_is_followed_and_the_learned_state_kept() {
    let mut detector = detector(&[]);
    feed(&mut detector, 5, 1000..1100, |vm, t| Some(calm(vm, t)));
    feed(&mut detector, 5, 100..200, |vm, t| Some(calm(vm, t)));
    let counters = detector.counters();
    assert!(counters.late > 0 && counters.late < 90, "{counters:?}");
    assert_eq!(detector.statuses().next().unwrap().voters, 5);
}

#[test]
fn vms_with_many_cores_and_unbounded_metrics_are_evaluated_on_their_own_scale() {
    for level in [350.0, 20_000.0] {
        let mut detector = detector(&[("provisional_sec", "0")]);
        let events = feed(&mut detector, 6, 0..320, |vm, t| {
            Some(level * (1.0 + 0.1 * noise(vm, t)) * if t >= 250 { 0.5 } else { 1.0 })
        });
        assert_eq!(events.len(), 1, "level {level}: {events:#?}");
        assert!(
            (250.0..265.0).contains(&tick_of(&events[0])),
            "{}",
            tick_of(&events[0])
        );
    }
}

#[test]
fn a_fault_in_one_of_two_metrics_is_raised_with_its_name() {
    let mut detector = detector(&[("metrics", "cpu,disk_time")]);
    for t in 0..260u64 {
        for vm in 0..5u64 {
            let name = format!("vm{vm}");
            let cpu = sample("hv", &name, t as f64, calm(vm, t));
            detector.observe(&cpu);
            let slow = if t >= 200 { 5.0 } else { 1.0 };
            detector.observe(&Observation {
                metric: "disk_time",
                value: calm(vm + 50, t) * slow,
                ..cpu
            });
        }
    }
    let events: Vec<Event> = std::iter::from_fn(|| detector.next_event()).collect();
    assert_eq!(events.len(), 1, "{events:#?}");
    assert_eq!(events[0].metric(), Some("disk_time"));
    assert_eq!(detector.statuses().count(), 2);
}

/// A course with churn, gaps, a fault and a second one, for the tests of restarts.
fn eventful(vm: u64, t: u64) -> Option<f64> {
    let is_away =
        (vm == 3 && (120..180).contains(&t)) || (90..97).contains(&t) || noise(vm + 7, t) < -0.98;
    let fault = if (300..340).contains(&t) || t >= 520 {
        2.5
    } else {
        1.0
    };
    (!is_away).then(|| calm(vm, t) * fault)
}

#[test]
fn a_restart_with_a_snapshot_continues_as_if_it_had_never_stopped() {
    for algorithm in ["rank", "zscore", "iad"] {
        let options = [("algorithm", algorithm), ("workload_changes", "true")];
        let mut whole = detector(&options);
        let expected = feed(&mut whole, 6, 0..600, eventful);
        assert!(expected.len() >= 2, "{algorithm}: {expected:#?}");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        for cut in [1, 40, 95, 130, 301, 320, 345, 530] {
            let mut first = detector(&options);
            let mut events = feed(&mut first, 6, 0..cut, eventful);
            first.save(&path).unwrap();
            let mut second = detector(&options);
            assert!(second.load(&path).unwrap());
            events.extend(feed(&mut second, 6, cut..600, eventful));
            assert_eq!(events, expected, "{algorithm}: cut at {cut}");
            second.save(&path).unwrap();
            let saved = std::fs::read(&path).unwrap();
            whole.save(&path).unwrap();
            assert!(
                saved == std::fs::read(&path).unwrap(),
                "{algorithm}: the states differ after a cut at {cut}"
            );
        }
    }
}

#[test]
fn pending_events_survive_a_restart() {
    let fault = |vm, t| Some(calm(vm, t) * if t >= 200 { 3.0 } else { 1.0 });
    let expected = feed(&mut detector(&[]), 5, 0..230, fault);
    let mut first = detector(&[]);
    let names = ["vm0", "vm1", "vm2", "vm3", "vm4"];
    for t in 0..230u64 {
        for (vm, name) in names.into_iter().enumerate() {
            first.observe(&sample("hv", name, t as f64, fault(vm as u64, t).unwrap()));
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    first.save(&path).unwrap();
    let mut second = detector(&[]);
    assert!(second.load(&path).unwrap());
    let events: Vec<Event> = std::iter::from_fn(|| second.next_event()).collect();
    assert_eq!((events.len(), &events), (1, &expected));
}

#[test]
fn a_snapshot_made_with_other_options_is_renamed_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    detector(&[("algorithm", "zscore")]).save(&path).unwrap();
    let mut other = detector(&[]);
    let error = other.load(&path).unwrap_err().to_string();
    assert!(
        error.contains("algorithm = zscore") && error.contains("rank"),
        "{error}"
    );
    assert!(!path.exists() && !other.load(&path).unwrap());
}

#[test]
fn the_order_of_hypervisors_is_irrelevant() {
    let run = |order: &[u64]| {
        let mut detector = detector(&[]);
        for t in 0..330u64 {
            for hypervisor in order {
                for vm in 0..4u64 {
                    let fault = if hypervisor % 2 == 0 && t >= 200 + 3 * hypervisor {
                        3.0
                    } else {
                        1.0
                    };
                    let (hv, name) = (format!("hv{hypervisor}"), format!("vm{vm}"));
                    detector.observe(&sample(
                        &hv,
                        &name,
                        t as f64,
                        calm(vm + 10 * hypervisor, t) * fault,
                    ));
                }
            }
        }
        let mut events: Vec<String> = std::iter::from_fn(|| detector.next_event())
            .map(|e| e.to_json())
            .collect();
        events.sort();
        events
    };
    let expected = run(&[0, 1, 2, 3, 4]);
    // The first one, and then all three as a change of the fleet.
    assert_eq!(expected.len(), 2, "{expected:#?}");
    assert_eq!(run(&[4, 2, 0, 1, 3]), expected);
    assert_eq!(run(&[3, 1, 0, 4, 2]), expected);
}

/// Feeds `vms` VMs of each of `hypervisors` for the ticks in `ticks`, and advances after each. `reports` is
/// whether a hypervisor has samples at a tick.
fn feed_fleet(
    detector: &mut Detector,
    hypervisors: &[String],
    ticks: std::ops::Range<u64>,
    reports: impl Fn(usize, u64) -> bool,
) -> Vec<Event> {
    for t in ticks {
        for (h, hypervisor) in hypervisors.iter().enumerate() {
            if reports(h, t) {
                for vm in 0..3u64 {
                    let vm_name = ["a", "b", "c"][vm as usize];
                    let value = calm(vm + 3 * h as u64, t);
                    detector.observe(&sample(hypervisor, vm_name, t as f64, value));
                }
            }
        }
        detector.advance(at(1e9 + (t + 1) as f64 * INTERVAL));
    }
    std::iter::from_fn(|| detector.next_event()).collect()
}

fn fleet(count: usize) -> Vec<String> {
    (0..count).map(|h| format!("hv{h:03}")).collect()
}

/// The events of these kinds as "KIND STATE HYPERVISOR".
fn kinds(events: &[Event]) -> Vec<String> {
    let line = |e: &Event| {
        let json: serde_json::Value = serde_json::from_str(&e.to_json()).unwrap();
        let text = |key: &str| json[key].as_str().unwrap_or_default().to_owned();
        format!("{} {} {}", text("event"), text("state"), e.hypervisor())
    };
    events.iter().map(line).collect()
}

/// Whether the hypervisor is tracked.
fn is_known(detector: &Detector, hypervisor: &str) -> bool {
    detector.statuses().any(|s| s.hypervisor == hypervisor)
}

#[test]
fn made_up_hypervisors_displace_no_established_one_and_a_real_new_one_gets_a_place() {
    let mut detector = detector(&[("max_hypervisors", "60")]);
    let established = fleet(40);
    feed_fleet(&mut detector, &established, 0..50, |_, _| true);
    let mut known_since = None;
    for t in 50..250u64 {
        // Five times the limit in every interval, before and after the real ones.
        for n in 0..100 {
            let name = format!("invented-{t}-{n}");
            detector.observe(&sample(&name, "a", t as f64, 10.0));
            if n == 50 {
                for (h, hypervisor) in established.iter().enumerate() {
                    for vm in ["a", "b", "c"] {
                        let outcome =
                            detector.observe(&sample(hypervisor, vm, t as f64, calm(h as u64, t)));
                        assert_eq!(outcome, Outcome::Taken, "{hypervisor} at {t}");
                    }
                }
            }
        }
        if t >= 60 {
            detector.observe(&sample("real", "a", t as f64, calm(7, t)));
            detector.observe(&sample("real", "b", t as f64, calm(8, t)));
        }
        detector.advance(at(1e9 + (t + 1) as f64 * INTERVAL));
        match known_since {
            None if is_known(&detector, "real") => known_since = Some(t),
            Some(since) => assert!(is_known(&detector, "real"), "known at {since}, gone at {t}"),
            None => {}
        }
        assert!(detector.counters().hypervisors <= 60);
    }
    assert!(known_since.is_some_and(|t| t < 200), "{known_since:?}");
    for hypervisor in &established {
        assert!(is_known(&detector, hypervisor), "{hypervisor}");
    }
    let counters = detector.counters();
    assert!(counters.hypervisors_evicted > 100, "{counters:?}");
    assert!(counters.full > 1000, "{counters:?}");
}

#[test]
fn made_up_vms_displace_no_established_one_and_a_real_new_one_gets_a_place() {
    let mut detector = detector(&[("max_vms", "20")]);
    feed(&mut detector, 10, 0..50, |vm, t| Some(calm(vm, t)));
    for t in 50..250u64 {
        for n in 0..40 {
            let name = format!("invented-{t}-{n}");
            detector.observe(&sample("hv", &name, t as f64, 10.0));
            if n == 20 {
                for vm in 0..10u64 {
                    let outcome =
                        detector.observe(&sample("hv", &format!("vm{vm}"), t as f64, calm(vm, t)));
                    assert_eq!(outcome, Outcome::Taken, "vm{vm} at {t}");
                }
            }
        }
        detector.observe(&sample("hv", "real", t as f64, calm(77, t)));
        detector.advance(at(1e9 + (t + 1) as f64 * INTERVAL));
    }
    let names: Vec<&str> = detector
        .vm_statuses("hv", "cpu", "")
        .map(|s| s.vm)
        .collect();
    for vm in (0..10)
        .map(|vm| format!("vm{vm}"))
        .chain(["real".to_owned()])
    {
        assert!(names.contains(&vm.as_str()), "{vm} in {names:?}");
    }
    let voters = detector.statuses().next().unwrap().voters;
    assert_eq!(voters, 11, "the real ones have their say");
    let counters = detector.counters();
    assert!(
        counters.vms <= 20 && counters.vms_evicted > 100,
        "{counters:?}"
    );
}

#[test]
fn a_full_table_admits_new_hypervisors_within_intervals() {
    let mut detector = detector(&[("max_hypervisors", "100")]);
    for n in 0..100 {
        detector.observe(&sample(&format!("invented-{n}"), "a", 0.0, 10.0));
    }
    let real = fleet(30);
    feed_fleet(&mut detector, &real, 1..60, |_, _| true);
    for hypervisor in &real {
        assert!(is_known(&detector, hypervisor), "{hypervisor}");
    }
    assert_eq!(detector.counters().hypervisors_evicted, 30);
}

#[test]
fn the_eviction_of_a_hypervisor_clears_what_was_open() {
    let mut detector = detector(&[("max_hypervisors", "2")]);
    let fleet = fleet(2);
    feed_fleet(&mut detector, &fleet, 0..50, |_, _| true);
    // One of them is silent for more than an hour, which is reported.
    let reported = feed_fleet(&mut detector, &fleet, 50..450, |h, _| h == 1);
    assert_eq!(kinds(&reported), ["hypervisor_silence raised hv000"]);
    assert_eq!(
        detector.observe(&sample("new", "a", 450.0, 10.0)),
        Outcome::Taken
    );
    let ended = detector.next_event().expect("the silence ends");
    assert_eq!(
        kinds(std::slice::from_ref(&ended)),
        ["hypervisor_silence cleared hv000"]
    );
    assert!(
        ended.message.contains("max_hypervisors"),
        "{}",
        ended.message
    );
    assert_eq!(ended.since, reported[0].since);
    assert_eq!(detector.next_event(), None);
    assert!(!is_known(&detector, "hv000") && is_known(&detector, "hv001"));
}

#[test]
fn a_snapshot_without_the_later_counters_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let fault = |vm, t| Some(calm(vm, t) * if t >= 200 { 3.0 } else { 1.0 });
    let mut first = detector(&[]);
    let mut events = feed(&mut first, 5, 0..100, fault);
    first.save(&path).unwrap();
    let saved = std::fs::read(&path).unwrap();
    // The header precedes the state. The later counters follow: their number in one byte, and the length of the first name in another.
    let name = b"set_aside";
    let end = saved.windows(name.len()).rposition(|w| w == name).unwrap() - 2;
    let state = &saved[bellwether_core::snapshot::HEAD_BYTES..end];
    let length = (state.len() as u64).to_le_bytes();
    let sum = crc32fast::hash(state).to_le_bytes();
    let first_version = [
        b"BELLWTHR",
        &1_u32.to_le_bytes()[..],
        b"had ",
        &length,
        &sum,
        state,
    ];
    let mut second = detector(&[]);
    second.restore(&first_version.concat()).unwrap();
    let counted = |detector: &Detector| had::Counters {
        bytes: 0,
        ..detector.counters()
    };
    assert_eq!(counted(&second), counted(&first));
    events.extend(feed(&mut second, 5, 100..230, fault));
    // What such a state lacks are the means and bars of frequent samples, so scores differ a little.
    let what = |events: Vec<Event>| -> Vec<_> {
        let events = events.into_iter();
        events
            .map(|e| (e.kind(), e.state, e.time, e.severity))
            .collect()
    };
    let uninterrupted = feed(&mut detector(&[]), 5, 0..230, fault);
    assert_eq!(what(events), what(uninterrupted));
}

#[test]
fn evictions_are_counted_across_restarts() {
    let mut first = detector(&[("max_hypervisors", "2")]);
    for t in 0..40u64 {
        first.observe(&sample(&format!("invented-{t}"), "a", t as f64, 10.0));
        first.advance(at(1e9 + (t + 1) as f64 * INTERVAL));
    }
    let counters = first.counters();
    assert!(counters.hypervisors_evicted > 5, "{counters:?}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    first.save(&path).unwrap();
    let mut second = detector(&[("max_hypervisors", "2")]);
    assert!(second.load(&path).unwrap());
    let counted = |counters| had::Counters {
        bytes: 0,
        ..counters
    };
    assert_eq!(counted(second.counters()), counted(counters));
}

#[test]
fn a_stalled_feed_is_one_event_and_hypervisors_that_stay_silent_are_reported_individually() {
    let fleet = fleet(200);
    let mut detector = detector(&[]);
    // The feed stalls at 100 and resumes at 150; seven hypervisors do not report again.
    let reports = |h: usize, t: u64| t < 100 || (t >= 150 && h >= 7);
    let events = feed_fleet(&mut detector, &fleet, 0..150, reports);
    assert_eq!(kinds(&events), ["collector_silence raised "]);
    assert_eq!(
        (hypervisors_of(&events[0]), events[0].severity),
        (Some(200), Severity::Warning)
    );
    assert_eq!(
        (tick_of(&events[0]), events[0].since),
        (105.0, at(1e9 + 99.0 * INTERVAL))
    );
    let after = feed_fleet(&mut detector, &fleet, 150..200, reports);
    let mut expected = vec!["collector_silence cleared ".to_owned()];
    expected.extend((0..7).map(|h| format!("hypervisor_silence raised hv{h:03}")));
    assert_eq!(kinds(&after), expected);
    assert_eq!(
        (tick_of(&after[0]), after[0].since),
        (150.0, events[0].since)
    );
    // They get as long to report again as it takes to be silent.
    assert_eq!(tick_of(&after[1]), 156.0);
}

#[test]
fn a_stalled_feed_whose_gap_is_detected_only_when_it_resumes_is_one_event_too() {
    let fleet = fleet(50);
    let mut detector = detector(&[]);
    feed_fleet(&mut detector, &fleet, 0..100, |_, _| true);
    // Time is not advanced during the gap.
    let events = feed_fleet(&mut detector, &fleet, 130..170, |_, _| true);
    assert_eq!(
        kinds(&events),
        ["collector_silence raised ", "collector_silence cleared "]
    );
}

#[test]
fn few_silent_hypervisors_are_reported_individually() {
    for (count, silent) in [(1, 1), (4, 4), (30, 20)] {
        let fleet = fleet(count);
        let mut detector = detector(&[]);
        let reports = |h: usize, t: u64| t < 100 || h >= silent;
        let events = feed_fleet(&mut detector, &fleet, 0..130, reports);
        let expected: Vec<String> = (0..silent)
            .map(|h| format!("hypervisor_silence raised hv{h:03}"))
            .collect();
        assert_eq!(kinds(&events), expected, "{silent} of {count}");
    }
}

#[test]
fn a_hypervisor_silent_by_itself_stays_reported_through_a_stalled_feed() {
    let fleet = fleet(20);
    let mut detector = detector(&[]);
    let reports = |h: usize, t: u64| t < 100 || h > 0 && !(140..160).contains(&t);
    let events = feed_fleet(&mut detector, &fleet, 0..200, reports);
    assert_eq!(
        kinds(&events),
        [
            "hypervisor_silence raised hv000",
            "collector_silence raised ",
            "collector_silence cleared ",
        ]
    );
    assert_eq!(hypervisors_of(&events[1]), Some(19));
}

#[test]
fn a_silence_of_the_collector_is_cleared_after_a_restart() {
    let fleet = fleet(20);
    let mut first = detector(&[]);
    let events = feed_fleet(&mut first, &fleet, 0..120, |_, t| t < 100);
    assert_eq!(kinds(&events), ["collector_silence raised "]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    first.save(&path).unwrap();
    let mut second = detector(&[]);
    assert!(second.load(&path).unwrap());
    let events = feed_fleet(&mut second, &fleet, 140..180, |_, _| true);
    assert_eq!(kinds(&events), ["collector_silence cleared "]);
}

/// The events after a restart at tick 100; `reports` is whether a hypervisor has samples, and time first advances at tick `again`.
fn after_downtime(
    fleet: &[String],
    again: u64,
    advance_first: bool,
    reports: impl Fn(usize, u64) -> bool,
) -> Vec<Event> {
    let mut first = detector(&[]);
    assert_eq!(feed_fleet(&mut first, fleet, 0..100, |_, _| true), []);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    first.save(&path).unwrap();
    let mut second = detector(&[]);
    assert!(second.load(&path).unwrap());
    if advance_first {
        second.advance(at(1e9 + again as f64 * INTERVAL));
    }
    feed_fleet(&mut second, fleet, again..again + 60, reports)
}

#[test]
fn downtime_of_the_detector_is_no_silence() {
    for count in [1, 3, 20] {
        for again in [101, 104, 107, 130, 700, 9_000] {
            for advance_first in [false, true] {
                let events = after_downtime(&fleet(count), again, advance_first, |_, _| true);
                assert_eq!(events, [], "{count} hypervisors, again at {again}");
            }
        }
    }
}

#[test]
fn hypervisors_that_do_not_report_after_a_restart_are_silent_after_the_usual_time() {
    for again in [103, 130, 700] {
        for advance_first in [false, true] {
            let reports = |h: usize, _| h > 0;
            let events = after_downtime(&fleet(3), again, advance_first, reports);
            assert_eq!(
                kinds(&events),
                ["hypervisor_silence raised hv000"],
                "{again}"
            );
            let waited = tick_of(&events[0]) - again as f64;
            assert!((6.0..8.0).contains(&waited), "{again}: {waited}");
        }
    }
}

#[test]
fn a_feed_that_does_not_resume_after_a_restart_is_one_event_too() {
    let events = after_downtime(&fleet(20), 130, false, |h, _| h == 0);
    assert_eq!(kinds(&events), ["collector_silence raised "]);
    assert_eq!(hypervisors_of(&events[0]), Some(19));
}

#[test]
fn a_silence_reported_before_a_restart_is_not_reported_again_and_is_cleared() {
    let fleet = fleet(3);
    let mut first = detector(&[]);
    let events = feed_fleet(&mut first, &fleet, 0..100, |h, t| h > 0 || t < 50);
    assert_eq!(kinds(&events), ["hypervisor_silence raised hv000"]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    first.save(&path).unwrap();
    let mut second = detector(&[]);
    assert!(second.load(&path).unwrap());
    let events = feed_fleet(&mut second, &fleet, 130..200, |h, t| h > 0 || t > 180);
    assert_eq!(kinds(&events), ["hypervisor_silence cleared hv000"]);
}

/// Feeds VMs of hypervisor "hv" second by second up to `until`: each has a name, an interval, and a value by time. Returns the
/// events.
fn feed_by_interval(
    detector: &mut Detector,
    seconds: std::ops::Range<u64>,
    vms: &[(String, u64)],
    value: impl Fn(u64, u64) -> Option<f64>,
) -> Vec<Event> {
    for second in seconds {
        for (vm, (name, interval)) in vms.iter().enumerate() {
            if second % interval == 0
                && let Some(value) = value(vm as u64, second)
            {
                detector.observe(&Observation {
                    interval: Some(Interval::from_secs(*interval as f64)),
                    time: at(1e9 + second as f64),
                    ..sample("hv", name, 0.0, value)
                });
            }
        }
        detector.advance(at(1e9 + second as f64 - 20.0));
    }
    std::iter::from_fn(|| detector.next_event()).collect()
}

/// `vms` VMs with one interval, in seconds.
fn group(name: &str, vms: usize, interval: u64) -> Vec<(String, u64)> {
    (0..vms)
        .map(|vm| (format!("{name}{vm}"), interval))
        .collect()
}

fn transitions(events: &[Event]) -> Vec<(EventKind, State)> {
    events.iter().map(|e| (e.kind(), e.state)).collect()
}

const RAISED: (EventKind, State) = (EventKind::HypervisorAnomaly, State::Raised);
const CLEARED: (EventKind, State) = (EventKind::HypervisorAnomaly, State::Cleared);
const SILENT: (EventKind, State) = (EventKind::HypervisorSilence, State::Raised);
const HEARD: (EventKind, State) = (EventKind::HypervisorSilence, State::Cleared);

/// The value of a VM at a second, with a fault from one second to another.
fn faulty(vm: u64, second: u64, fault: std::ops::Range<u64>) -> Option<f64> {
    Some(calm(vm, second) * if fault.contains(&second) { 0.4 } else { 1.0 })
}

#[test]
fn a_vm_with_another_interval_does_not_keep_the_others_from_being_evaluated() {
    for other in [1, 5, 30, 60, 300] {
        let mut detector = detector(&[]);
        let mut vms = group("vm", 10, 10);
        vms.insert(4, ("other".into(), other));
        let events = feed_by_interval(&mut detector, 0..4000, &vms, |vm, second| {
            faulty(vm, second, 2000..2600)
        });
        assert_eq!(
            transitions(&events),
            [RAISED, CLEARED],
            "{other}: {events:#?}"
        );
        let statuses: Vec<_> = detector.statuses().collect();
        assert_eq!(statuses.len(), 1);
        let status = statuses[0];
        assert_eq!((status.voters, status.vms), (10, 11), "{other}");
        assert_eq!(status.interval.secs(), 10.0);
        let counters = detector.counters();
        assert_eq!((counters.unjudged, counters.intervals_changed), (0, 0));
    }
}

#[test]
fn a_few_samples_of_another_interval_change_nothing() {
    let mut detector = detector(&[]);
    feed(&mut detector, 5, 0..200, |vm, t| Some(calm(vm, t)));
    for interval in [60.0, 60.0, 30.0, 60.0, 60.0] {
        let stray = Observation {
            interval: Some(Interval::from_secs(interval)),
            ..sample("hv", "vm2", 200.0, 20.0)
        };
        assert_eq!(detector.observe(&stray), Outcome::SetAside);
    }
    let events = feed(&mut detector, 5, 200..260, |vm, t| Some(0.4 * calm(vm, t)));
    assert_eq!(transitions(&events), [RAISED]);
    assert_eq!(detector.statuses().next().unwrap().voters, 5);
    assert_eq!(detector.counters().set_aside, 5);
}

#[test]
fn a_jittering_interval_is_one() {
    let mut detector = detector(&[]);
    for t in 0..300u64 {
        for (vm, name) in ["a", "b", "c", "d"].into_iter().enumerate() {
            let interval = INTERVAL * (1.0 + 0.008 * noise(vm as u64, t));
            detector.observe(&Observation {
                interval: Some(Interval::from_secs(interval)),
                ..sample("hv", name, t as f64, calm(vm as u64, t))
            });
        }
    }
    assert_eq!(detector.statuses().next().unwrap().voters, 4);
    assert_eq!(detector.counters().set_aside, 0);
}

#[test]
fn learning_starts_again_at_an_interval_that_most_vms_change_to_with_a_notice() {
    for (before, after) in [(10, 30), (30, 10)] {
        let mut detector = detector(&[]);
        let (mut vms, fault) = (group("vm", 8, before), 9000..20_000);
        let events = feed_by_interval(&mut detector, 0..9900, &vms, |vm, second| {
            faulty(vm, second, fault.clone())
        });
        assert_eq!(transitions(&events), [RAISED]);
        vms.iter_mut().for_each(|vm| vm.1 = after);
        let events = feed_by_interval(&mut detector, 9900..19_000, &vms, |vm, second| {
            faulty(vm, second, fault.clone())
        });
        assert_eq!(transitions(&events), [CLEARED], "{events:#?}");
        let reason = events[0].reason().unwrap();
        assert!(reason.starts_with("superseded"), "{reason}");
        assert_eq!(detector.counters().intervals_changed, 1);
        let notice = detector.next_notice().unwrap();
        assert_eq!(notice.kind, NoticeKind::IntervalChanged);
        let said = format!("from {before} s to {after} s");
        assert!(
            notice.message.starts_with("hv: ") && notice.message.contains(&said),
            "{}",
            notice.message
        );
        assert_eq!(detector.next_notice(), None);
        let status = detector.statuses().next().unwrap();
        assert_eq!((status.voters, status.vms), (8, 8));
        assert_eq!(status.interval.secs(), after as f64);
    }
}

#[test]
fn a_fault_of_vms_with_two_intervals_is_one_incident() {
    let mut detector = detector(&[]);
    let vms = [group("fast", 6, 10), group("slow", 6, 20)].concat();
    let events = feed_by_interval(&mut detector, 0..8000, &vms, |vm, second| {
        faulty(vm, second, 4000..5000)
    });
    assert_eq!(transitions(&events), [RAISED, CLEARED], "{events:#?}");
    assert_eq!(events[1].since, events[0].time);
    assert_eq!(detector.statuses().count(), 1);
}

#[test]
fn a_silence_includes_the_vms_of_all_intervals() {
    // A single VM with another interval that falls silent alone, and one that continues alone.
    for (other, interval) in [("fast", 1), ("slow", 600)] {
        let vms = [group(other, 1, interval), group("vm", 6, 10)].concat();
        let mut alone = detector(&[]);
        let events = feed_by_interval(&mut alone, 0..9000, &vms, |vm, second| {
            (vm > 0 || second < 3000).then(|| calm(vm, second))
        });
        assert_eq!(events, [], "{other} falls silent alone");
        let mut all = detector(&[]);
        let events = feed_by_interval(&mut all, 0..9000, &vms, |vm, second| {
            (!(3005..5000).contains(&second)).then(|| calm(vm, second))
        });
        assert_eq!(
            transitions(&events),
            [SILENT, HEARD],
            "{other}: {events:#?}"
        );
        assert_eq!(vms_of(&events[0]), Some(7));
        let late = events[0].time.secs() - 1e9 - 3000.0;
        assert!((50.0..=100.0).contains(&late), "{other}: {late}");
        assert!(events[1].time.secs() - 1e9 >= 5000.0, "{events:#?}");
    }
    let vms = [group("fast", 1, 1), group("vm", 6, 10)].concat();
    let mut goes_on = detector(&[]);
    let events = feed_by_interval(&mut goes_on, 0..9000, &vms, |vm, second| {
        (vm == 0 || second < 3000).then(|| calm(vm, second))
    });
    assert_eq!(events, []);
}

#[test]
fn made_up_intervals_are_bounded_and_displace_no_vm() {
    let mut detector = detector(&[]);
    let names: Vec<String> = (0..5).map(|vm| format!("vm{vm}")).collect();
    for t in 0..600u64 {
        for (vm, name) in names.iter().enumerate() {
            let fault = if t >= 500 { 0.4 } else { 1.0 };
            detector.observe(&sample("hv", name, t as f64, fault * calm(vm as u64, t)));
        }
        for claim in 0..20u64 {
            let name = format!("hostile{}", (t + claim) % 7);
            detector.observe(&Observation {
                interval: Some(Interval::from_secs(1.0 + (t * 20 + claim) as f64 * 0.7)),
                ..sample("hv", &name, t as f64, 5.0)
            });
        }
    }
    let events: Vec<Event> = std::iter::from_fn(|| detector.next_event()).collect();
    assert_eq!(transitions(&events), [RAISED]);
    let status = detector.statuses().next().unwrap();
    assert_eq!(status.voters, 5);
    assert!(detector.counters().vms <= 12);
    let kinds: Vec<_> = std::iter::from_fn(|| detector.next_notice())
        .map(|n| n.kind)
        .collect();
    assert!(kinds.contains(&NoticeKind::Intervals), "{kinds:?}");
}

#[test]
fn vms_with_different_intervals_cause_a_notice_that_none_is_evaluated() {
    let mut detector = detector(&[]);
    let vms: Vec<_> = [10, 20, 30].map(|i| (format!("vm{i}"), i)).into();
    feed_by_interval(&mut detector, 0..300, &vms, |vm, s| Some(calm(vm, s)));
    assert_eq!(detector.counters().unjudged, 1);
    assert_eq!(detector.next_notice().unwrap().kind, NoticeKind::Unjudged);
    let vms: Vec<_> = ["vm20", "vm30"].map(|name| (name.to_owned(), 10)).into();
    feed_by_interval(&mut detector, 300..600, &vms, |vm, s| Some(calm(vm, s)));
    assert_eq!(detector.counters().unjudged, 0);
}

/// The events of a fault of ten VMs, one of which has its samples `shift` intervals late or early, and the detector.
fn with_wrong_clock(shift: impl Fn(u64) -> f64, place: usize) -> (Vec<Event>, Detector) {
    let mut detector = detector(&[("provisional_sec", "0")]);
    let names: Vec<String> = (0..10).map(|vm| format!("vm{vm}")).collect();
    for t in 0..700u64 {
        let fault = if (400..450).contains(&t) { 0.4 } else { 1.0 };
        for (vm, name) in names.iter().enumerate() {
            let shift = if vm == place { shift(t) } else { 0.0 };
            let value = fault * calm(vm as u64, t);
            detector.observe(&sample("hv", name, t as f64 + shift, value));
        }
        detector.advance(at(1e9 + (t as f64 - 2.0) * INTERVAL));
    }
    let events = std::iter::from_fn(|| detector.next_event()).collect();
    (events, detector)
}

#[test]
fn one_vm_with_a_wrong_clock_neither_blinds_nor_resets_its_hypervisor() {
    let (expected, _) = with_wrong_clock(|_| 0.0, 0);
    assert_eq!(transitions(&expected), [RAISED, CLEARED]);
    let shifts = [
        2.0, 3.0, 7.0, 60.0, 400.0, 416.0, 1e5, -3.0, -12.0, -400.0, -1e5,
    ];
    for place in [0, 5, 9] {
        for shift in shifts {
            let (events, mut detector) = with_wrong_clock(|_| shift, place);
            assert_eq!(
                transitions(&events),
                [RAISED, CLEARED],
                "{place} {shift}: {events:#?}"
            );
            for (event, expected) in events.iter().zip(&expected) {
                let off = event.time.seconds_since(expected.time).abs() / INTERVAL;
                assert!(off <= 1.5, "{place} {shift}: {off}");
            }
            let status = detector.statuses().next().unwrap();
            assert!(status.voters >= 9, "{place} {shift}: {}", status.voters);
            let counters = detector.counters();
            let corrected = u64::from(place == 0);
            assert!(counters.clock_steps <= corrected, "{place} {shift}");
            // If it reports first, the others correct it.
            assert!(counters.taken >= 9 * 690, "{place} {shift}: {counters:?}");
            if shift == 2.0 && place > 0 {
                // Its samples fit while those of the others are not waited for.
                continue;
            }
            assert!(counters.set_aside + counters.late >= 600, "{counters:?}");
            let notice = detector.next_notice().expect("it is said");
            assert_eq!(notice.kind, NoticeKind::VmClock);
            assert!(notice.message.contains(&format!("vm{place}")));
        }
        let (events, detector) = with_wrong_clock(|t| (900.0 * noise(3, t)).round(), place);
        assert_eq!(
            transitions(&events),
            [RAISED, CLEARED],
            "{place}: {events:#?}"
        );
        assert!(detector.statuses().next().unwrap().voters >= 9);
    }
}

#[test]
fn a_clock_step_of_most_vms_is_followed_without_losing_a_sample() {
    for ticks in [30u64, 400, 5000] {
        let mut detector = detector(&[]);
        feed(&mut detector, 6, 0..100, |vm, t| Some(calm(vm, t)));
        let before = detector.counters();
        for vm in 0..6u64 {
            let name = format!("vm{vm}");
            let leapt = sample("hv", &name, (100 + ticks) as f64, 5.0);
            let outcome = detector.observe(&leapt);
            let agreed = vm >= 3;
            assert_eq!(
                outcome == Outcome::Taken,
                agreed,
                "{ticks} {vm}: {outcome:?}"
            );
        }
        // Held samples count now: repeating them is detected.
        for vm in ["vm0", "vm1", "vm2"] {
            let again = sample("hv", vm, (100 + ticks) as f64, 5.0);
            assert_eq!(detector.observe(&again), Outcome::Duplicate, "{ticks} {vm}");
        }
        feed(&mut detector, 6, 101 + ticks..110 + ticks, |vm, t| {
            Some(calm(vm, t))
        });
        let counters = detector.counters();
        assert_eq!(counters.set_aside - before.set_aside, 3);
        assert_eq!((counters.late, counters.duplicate), (0, 3));
        assert_eq!(counters.clock_steps, u64::from(ticks > 416));
    }
}

#[test]
fn a_single_vm_has_to_confirm_a_clock_step() {
    let mut detector = detector(&[]);
    for t in 0..100 {
        detector.observe(&sample("hv", "vm0", f64::from(t), 5.0));
    }
    let outcomes = [150.0, 151.0, 152.0].map(|t| detector.observe(&sample("hv", "vm0", t, 5.0)));
    assert_eq!(
        outcomes,
        [Outcome::SetAside, Outcome::Taken, Outcome::Taken]
    );
}

#[test]
fn held_samples_count_when_the_wall_clock_reaches_them() {
    let mut detector = detector(&[]);
    feed(&mut detector, 4, 0..100, |vm, t| Some(calm(vm, t)));
    for t in [104.0, 105.0] {
        let early = sample("hv", "vm0", t, 5.0);
        assert_eq!(detector.observe(&early), Outcome::SetAside);
    }
    detector.advance(at(1e9 + 104.0 * INTERVAL));
    assert_eq!(
        detector.statuses().next().unwrap().time,
        at(1e9 + 105.0 * INTERVAL)
    );
    let early = sample("hv", "vm0", 109.0, 5.0);
    assert_eq!(detector.observe(&early), Outcome::SetAside);
    // Also if it passes them at once: no VM was silent for six ticks.
    detector.advance(at(1e9 + 113.0 * INTERVAL));
    assert_eq!(detector.next_event(), None);
}

#[test]
fn a_burst_of_late_samples_does_not_set_the_clock_back() {
    let mut detector = detector(&[]);
    feed(&mut detector, 6, 0..200, |vm, t| Some(calm(vm, t)));
    for t in 150..153 {
        for vm in 0..6u64 {
            let name = format!("vm{vm}");
            let late = sample("hv", &name, f64::from(t), 5.0);
            assert_eq!(detector.observe(&late), Outcome::Late);
        }
    }
    feed(&mut detector, 6, 200..220, |vm, t| Some(calm(vm, t)));
    let counters = detector.counters();
    assert_eq!((counters.clock_steps, counters.set_aside), (0, 0));
    assert_eq!(counters.late, 18);
}

#[test]
fn time_advances_for_each_hypervisor_separately() {
    let mut detector = detector(&[]);
    for t in 0..100u64 {
        for hypervisor in ["a", "b"] {
            for vm in ["vm0", "vm1"] {
                detector.observe(&sample(hypervisor, vm, t as f64, 5.0));
            }
        }
    }
    detector.advance_hypervisor("unknown", at(1e9 + 120.0 * INTERVAL));
    detector.advance_hypervisor("a", at(f64::NAN));
    assert_eq!(detector.next_event(), None);
    detector.advance_hypervisor("a", at(1e9 + 120.0 * INTERVAL));
    let events: Vec<Event> = std::iter::from_fn(|| detector.next_event()).collect();
    assert_eq!(transitions(&events), [SILENT]);
    assert_eq!(events[0].hypervisor(), "a");
    // What was silent for too long by its own time is forgotten; a jump of the time may come from setting a clock.
    for step in 1..=200 {
        detector.advance_hypervisor("a", at(1e9 + 500.0 * f64::from(step)));
    }
    assert_eq!(detector.counters().hypervisors, 1);
}

/// The samples of a hostile VM: the error of its time in intervals, its interval, and the number of consecutive repetitions.
fn lies() -> impl Strategy<Value = Vec<(f64, f64, u8, u8)>> {
    let shift = prop_oneof![
        3 => -30.0..30.0f64,
        2 => Just(0.0),
        2 => -500.0..500.0f64,
        1 => -1e6..1e6f64,
    ];
    let interval = prop_oneof![4 => Just(INTERVAL), 1 => 0.001..86_400.0f64, 1 => Just(7.0)];
    prop::collection::vec((shift, interval, 0u8..6, 0u8..8), 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn one_vm_that_lies_about_time_does_not_change_what_is_said_of_the_others(lies in lies()) {
        let run = |lies: &[(f64, f64, u8, u8)]| {
            let mut detector = detector(&[("provisional_sec", "0")]);
            let names: Vec<String> = (0..8).map(|vm| format!("vm{vm}")).collect();
            for t in 0..400u64 {
                let lie = lies.get(t as usize % lies.len().max(1)).filter(|_| t >= 20);
                for (vm, name) in names.iter().enumerate() {
                    if let Some((shift, interval, times, place)) = lie
                        && usize::from(*place) == vm
                    {
                        for n in 0..*times {
                            detector.observe(&Observation {
                                interval: Some(Interval::from_secs(*interval)),
                                ..sample("hv", "hostile", t as f64 + shift + f64::from(n), 20.0)
                            });
                        }
                    }
                    let fault = if (200..250).contains(&t) { 0.4 } else { 1.0 };
                    detector.observe(&sample("hv", name, t as f64, fault * calm(vm as u64, t)));
                }
                // As the collectd plugin does: the wall clock waits for two intervals.
                detector.advance(at(1e9 + (t as f64 - 2.0) * INTERVAL));
            }
            let events: Vec<Event> = std::iter::from_fn(|| detector.next_event()).collect();
            (events, detector.counters())
        };
        let (expected, _) = run(&[]);
        let (events, counters) = run(&lies);
        prop_assert_eq!(transitions(&events), transitions(&expected));
        for (event, expected) in events.iter().zip(&expected) {
            prop_assert!(event.time.seconds_since(expected.time).abs() <= 3.0 * INTERVAL, "{event:?}");
        }
        prop_assert_eq!(counters.clock_steps, 0);
        prop_assert!(counters.taken + counters.duplicate >= 8 * 400, "{counters:?}");
        prop_assert!(counters.vms <= 9);
    }
}

/// A value, a time, or an interval as broken sources send it.
fn wild() -> impl Strategy<Value = f64> {
    prop_oneof![
        5 => 0.0..200.0f64,
        1 => Just(f64::NAN),
        1 => Just(f64::INFINITY),
        1 => Just(-1.0),
        1 => Just(0.0),
        1 => Just(f64::MAX),
        1 => Just(1e-300),
        1 => any::<f64>(),
    ]
}

#[derive(Debug, Clone)]
enum Act {
    Observe(u8, u8, f64, f64, f64),
    Burst(u8, u16, f64),
    Advance(f64),
    Mask(u8, u8, bool),
    Restart,
}

fn act() -> impl Strategy<Value = Act> {
    let time = || prop_oneof![6 => 0.0..20_000.0f64, 1 => -1e12..1e12f64, 1 => wild()];
    prop_oneof![
        8 => (0u8..4, 0u8..5, time(), prop_oneof![8 => Just(10.0), 1 => wild()], wild())
            .prop_map(|(h, v, t, i, x)| Act::Observe(h, v, t, i, x)),
        4 => (0u8..4, 0u16..500, wild()).prop_map(|(h, n, x)| Act::Burst(h, n, x)),
        1 => time().prop_map(Act::Advance),
        1 => (0u8..4, 0u8..5, any::<bool>()).prop_map(|(h, v, m)| Act::Mask(h, v, m)),
        1 => Just(Act::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_input_panics_and_every_event_is_finite(
        acts in prop::collection::vec(act(), 1..60),
        algorithm in prop_oneof![4 => Just("rank"), 1 => Just("zscore"), 1 => Just("iad")],
        reorder in 0usize..4,
    ) {
        let options = [("algorithm", algorithm), ("reorder_sz", &reorder.to_string()), ("workload_changes", "true"),
            ("forget_sec", "3000"), ("max_vms", "4"), ("max_hypervisors", "3")];
        let mut detector = detector(&options);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let mut now = 0.0;
        let mut given = 0u64;
        for act in acts {
            match act {
                Act::Observe(h, v, time, interval, value) => {
                    let (hypervisor, vm) = (format!("h{h}"), format!("v{v}"));
                    detector.observe(&Observation { hypervisor: &hypervisor, vm: &vm, metric: "cpu", time: at(time), interval: Some(Interval::from_secs(interval)), value });
                    given += 1;
                }
                Act::Burst(h, ticks, value) => {
                    let hypervisor = format!("h{h}");
                    for t in 0..u64::from(ticks) {
                        now += 10.0;
                        for v in 0..4u64 {
                            let value = if t % 7 == 0 { value } else { calm(v, t) };
                            let vm = format!("v{v}");
                            detector.observe(&Observation { hypervisor: &hypervisor, vm: &vm, metric: "cpu", time: at(now), interval: None, value });
                            given += 1;
                        }
                    }
                }
                Act::Advance(time) => detector.advance(at(time)),
                Act::Mask(h, v, masked) => detector.mask(&format!("h{h}"), &format!("v{v}"), masked),
                Act::Restart => {
                    detector.save(&path).unwrap();
                    let mut next = self::detector(&options);
                    prop_assert!(next.load(&path).unwrap());
                    detector = next;
                }
            }
            let c = detector.counters();
            prop_assert!(c.hypervisors <= 3 && c.vms <= 12);
            prop_assert_eq!(c.taken + c.duplicate + c.late + c.ignored + c.masked + c.refused + c.full + c.set_aside, given);
            while let Some(event) = detector.next_event() {
                prop_assert!(event.message.len() <= 255);
                prop_assert!((0.0..=1.0).contains(&event.score.get()));
                prop_assert!(event.time.secs().is_finite() && event.since <= event.time);
            }
            for status in detector.statuses() {
                prop_assert!((0.0..=1.0).contains(&status.score.get()) && (0.0..=1.0).contains(&status.consensus.get()));
            }
        }
    }
    /// With any input, established hypervisors and VMs that report in every interval keep their state, and tables their size.
    #[test]
    fn no_flood_displaces_who_still_reports(
        floods in prop::collection::vec((0u32..60, 0u32..40, 1u32..4), 1..60),
        hypervisors in 1usize..8,
    ) {
        let options = [("max_hypervisors", "10"), ("max_vms", "8"), ("forget_sec", "2000")];
        let mut detector = detector(&options);
        let fleet = fleet(hypervisors);
        feed_fleet(&mut detector, &fleet, 0..40, |_, _| true);
        let mut t = 40;
        for (invented_hypervisors, invented_vms, ticks) in floods {
            for _ in 0..ticks {
                for n in 0..invented_hypervisors {
                    detector.observe(&sample(&format!("x{t}-{n}"), "a", t as f64, 1.0));
                }
                for n in 0..invented_vms {
                    detector.observe(&sample("hv000", &format!("x{t}-{n}"), t as f64, 1.0));
                }
                feed_fleet(&mut detector, &fleet, t..t + 1, |_, _| true);
                t += 1;
            }
        }
        let c = detector.counters();
        prop_assert!(c.hypervisors <= 10 && c.vms <= 80);
        for hypervisor in &fleet {
            let vms: Vec<&str> = detector.vm_statuses(hypervisor, "cpu", "").map(|s| s.vm).collect();
            for vm in ["a", "b", "c"] {
                prop_assert!(vms.contains(&vm), "{hypervisor}: {vms:?}");
            }
        }
    }
}
