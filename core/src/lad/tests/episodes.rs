//! When failures, hints and novelty are reported.

use super::*;

#[test]
fn a_burst_of_failures_is_raised_once_and_cleared_once() {
    let mut detector = detector(&[]);
    calm(&mut detector, "host-1", 0, 100);
    for i in 100..107 {
        let text = format!("disk sd{i} failed, sector {i}\u{1b}[0m");
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
        Some("disk sd100 failed, sector 100 [0m")
    );
    assert!(found.template.contains("failed"), "{raised:?}");
    assert!(!found.at_startup);
    let window: Vec<_> = found.window.as_deref().unwrap().lines().collect();
    assert_eq!(window.len(), 4);
    assert_eq!(window[3], "disk sd100 failed, sector 100 [0m");
    assert!(
        raised
            .message
            .starts_with("host-1: storage failure in the log"),
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
