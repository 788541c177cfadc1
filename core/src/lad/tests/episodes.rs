//! When failures, hints and novelty are reported.

use super::*;

#[test]
fn a_burst_of_failures_is_raised_once_and_cleared_once() {
    let mut detector = detector(&[]);
    calm(&mut detector, "host-1", 0, 100);
    for i in 100..107 {
        let text = format!("disk sda failed, sector {i}\u{1b}[0m");
        let observed = observe(&mut detector, "host-1", f64::from(i), &text);
        assert!(observed.failure && observed.alarm && !observed.training);
        assert_eq!(
            (observed.score.get(), observed.family),
            (0.8, Some(Family::Storage))
        );
    }
    calm(&mut detector, "host-1", 107, 49);
    let reported = events(&mut detector);
    assert_eq!(reported.len(), 1, "{reported:?}");
    let raised = &reported[0];
    assert_eq!(
        (raised.kind(), raised.state),
        (EventKind::LogFailure, State::Raised)
    );
    assert_eq!(
        (raised.severity, raised.score.get(), raised.time.secs()),
        (Severity::Failure, 0.8, 100.0)
    );
    let found = raised.log_failure().unwrap();
    assert_eq!(
        (raised.hypervisor(), found.stream.as_str()),
        ("host-1", "host-1")
    );
    assert_eq!(
        (found.family.as_deref(), found.phrase.as_str()),
        (Some("storage"), "\"failed\"")
    );
    assert_eq!(
        (found.count, found.seen, found.first_seen),
        (1, Some(1), Some(Time::from_secs(100.0)))
    );
    assert_eq!(
        found.sample.as_deref(),
        Some("disk sda failed, sector 100 [0m")
    );
    assert!(found.template.contains("failed"), "{raised:?}");
    assert!(!found.at_startup);
    let window: Vec<_> = found.window.as_deref().unwrap().lines().collect();
    assert_eq!(window.len(), 4);
    assert_eq!(window[3], "disk sda failed, sector 100 [0m");
    assert!(
        raised
            .message
            .starts_with("host-1: storage failure of sda in the log"),
        "{}",
        raised.message
    );

    calm(&mut detector, "host-1", 156, 2);
    let reported = events(&mut detector);
    assert_eq!(reported.len(), 1, "{reported:?}");
    let cleared = &reported[0];
    assert_eq!(
        (cleared.state, cleared.severity),
        (State::Cleared, Severity::Okay)
    );
    assert_eq!(
        (
            cleared.log_failure().unwrap().count,
            cleared.since.secs(),
            cleared.time.secs()
        ),
        (7, 100.0, 156.0)
    );
    assert_eq!(cleared.reason(), Some("no sign of failure in 50 records"));
    assert_eq!(detector.counters().episodes, 1);
    assert_eq!(detector.counters().failures, 7);
}

#[test]
fn a_failure_during_training_is_reported_as_possibly_older() {
    let mut detector = detector(&[]);
    assert!(observe(&mut detector, "host-1", 1.0, "disk sda failed").training);
    let reported = events(&mut detector);
    assert!(reported[0].log_failure().unwrap().at_startup);
    assert!(
        reported[0].message.contains("may be older"),
        "{}",
        reported[0].message
    );
}

#[test]
fn a_hint_raises_nothing_but_is_returned() {
    let mut detector = detector(&[]);
    calm(&mut detector, "host-1", 0, 20);
    let observed = observe(&mut detector, "host-1", 20.0, "disk sda is slow");
    assert_eq!(
        (
            observed.severity.get(),
            observed.score.get(),
            observed.failure
        ),
        (0.45, 0.0, false)
    );
    assert!(observed.novel && observed.template_id > 0);
    assert!(events(&mut detector).is_empty());
    let critical = Record {
        stream: "host-1",
        time: Time::from_secs(21.0),
        text: "disk sda is slow",
        priority: Some(2),
        source: Source::default(),
    };
    assert!(detector.observe(&critical).failure);
}

#[test]
fn streams_are_independent() {
    let mut alone = detector(&[]);
    let mut both = detector(&[]);
    for i in 0..200 {
        let text = if i % 40 == 30 {
            "disk failed"
        } else {
            "all is well"
        };
        let first = observe(&mut alone, "a", f64::from(i), text);
        assert_eq!(first, observe(&mut both, "a", f64::from(i), text));
        observe(
            &mut both,
            "b",
            f64::from(i),
            &format!("quite different {i} failed"),
        );
    }
    let reported: Vec<_> = events(&mut both)
        .into_iter()
        .filter(|e| e.hypervisor() == "a")
        .collect();
    assert_eq!(events(&mut alone), reported);
}

#[test]
fn novelty_is_a_warning_and_reported_only_on_request() {
    for (asked, expected) in [("false", 0), ("true", 1)] {
        let mut detector = detector(&[("novelty_events", asked)]);
        calm(&mut detector, "a", 0, 3_000);
        for i in 3_000..3_100_u32 {
            let text = format!("{} of another kind", "new ".repeat(i as usize % 50 + 1));
            observe(&mut detector, "a", f64::from(i), &text);
        }
        let reported = events(&mut detector);
        assert_eq!(reported.len(), expected, "{reported:?}");
        for event in reported {
            assert_eq!(
                (event.kind(), event.severity),
                (EventKind::LogNovelty, Severity::Warning)
            );
        }
    }
}

fn raised(detector: &mut Detector) -> Vec<String> {
    let events = events(detector).into_iter();
    let raised = events.filter(|event| event.state == State::Raised);
    raised
        .map(|event| {
            let failure = event.log_failure().unwrap();
            let subject = failure.subject.as_ref().map_or("-", FailureSubject::name);
            format!("{} {subject}", failure.family.as_deref().unwrap())
        })
        .collect()
}

#[test]
fn each_device_and_each_family_is_an_event_of_its_own() {
    let mut detector = detector(&[]);
    calm(&mut detector, "host-1", 0, 20);
    for (i, text) in [
        "disk sda failed",
        "disk sda failed",
        "disk sdb failed",
        "a leak",
        "a leak",
    ]
    .iter()
    .enumerate()
    {
        observe(&mut detector, "host-1", 20.0 + i as f64, text);
    }
    assert_eq!(
        raised(&mut detector),
        ["storage sda", "storage sdb", "memory -"]
    );
    assert_eq!(detector.counters().open_episodes, 3);
}

#[test]
fn a_fake_failure_now_and_then_hides_no_other_failure() {
    let mut detector = detector(&[]);
    calm(&mut detector, "host-1", 0, 200);
    events(&mut detector);
    let mut time = 200.0;
    for i in 0..400_u32 {
        let text = match i {
            _ if i % 45 == 0 => "a leak".to_owned(),
            100 | 300 => "disk sda failed".to_owned(),
            200 => "disk sdb failed".to_owned(),
            _ => format!("session {} opened", i % 7),
        };
        observe(&mut detector, "host-1", time, &text);
        time += 1.0;
    }
    let raised = raised(&mut detector);
    let of = |name: &str| raised.iter().filter(|raised| *raised == name).count();
    assert_eq!((of("storage sda"), of("storage sdb")), (2, 1), "{raised:?}");
}

#[test]
fn a_flood_of_devices_is_bounded() {
    let mut detector = detector(&[]);
    calm(&mut detector, "host-1", 0, 20);
    for i in 0..1_000 {
        observe(&mut detector, "host-1", 20.0, &format!("disk sd{i} failed"));
    }
    assert!(detector.counters().open_episodes < 20);
    assert!(raised(&mut detector).len() < 20);
}

#[test]
fn an_episode_ends_by_the_clock_where_few_records_come() {
    let mut detector = detector(&[("episode_sec", "600")]);
    calm(&mut detector, "host-1", 0, 20);
    observe(&mut detector, "host-1", 20.0, "disk sda failed");
    events(&mut detector);
    observe(&mut detector, "host-1", 500.0, "all is well");
    assert!(events(&mut detector).is_empty());
    detector.advance(Time::from_secs(625.0));
    let cleared = events(&mut detector);
    assert_eq!(cleared.len(), 1);
    assert_eq!(
        cleared[0].reason(),
        Some("no sign of failure for 10 min 5 s")
    );
}

#[test]
fn a_busy_host_does_not_end_and_begin_an_episode_every_second() {
    let mut detector = detector(&[]);
    calm(&mut detector, "host-1", 0, 20);
    for i in 0..20_000_u32 {
        let text = match i % 200 {
            0 => "disk sda failed",
            _ => "all is well",
        };
        observe(&mut detector, "host-1", 20.0 + f64::from(i) / 100.0, text);
    }
    assert_eq!(raised(&mut detector), ["storage sda"]);
}

#[test]
fn what_becomes_clearly_worse_or_lasts_is_updated_under_the_same_incident() {
    let mut detector = detector(&[]);
    calm(&mut detector, "host-1", 0, 20);
    observe(&mut detector, "host-1", 20.0, "disk sda failed");
    for i in 0..3 {
        observe(
            &mut detector,
            "host-1",
            f64::from(90 + i),
            "disk sda failed badly",
        );
    }
    let reported = events(&mut detector);
    let states: Vec<_> = reported.iter().map(|event| event.state).collect();
    assert_eq!(states, [State::Raised, State::Updated]);
    assert_eq!(reported[0].incident, reported[1].incident);
    assert_eq!(reported[1].score, Share::new(0.95));
    assert_eq!(reported[1].since, reported[0].time);
    for i in 0..3 * 360 {
        observe(
            &mut detector,
            "host-1",
            f64::from(100 + 10 * i),
            "disk sda failed",
        );
    }
    let states: Vec<_> = events(&mut detector).iter().map(|e| e.state).collect();
    assert_eq!(states, [State::Updated; 3], "once an hour");
}
