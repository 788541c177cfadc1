//! The lines of one source within a few seconds are judged as one report.

use super::*;

/// Observes a line of `program`.
fn line(detector: &mut Detector, program: &str, time: f64, text: &str) -> Observed {
    detector.observe(&Record {
        stream: "host-1",
        time: Time::from_secs(time),
        text,
        priority: None,
        source: Source {
            program: program.as_bytes(),
            ..Source::default()
        },
    })
}

fn states(detector: &mut Detector) -> Vec<State> {
    events(detector).iter().map(|event| event.state).collect()
}

#[test]
fn a_tentative_failure_is_raised_when_its_report_is_over() {
    let mut detector = detector(&[]);
    let observed = line(&mut detector, "kernel", 100.0, "perhaps it is broken");
    assert!(
        observed.failure && observed.alarm,
        "the record itself does not wait"
    );
    line(&mut detector, "kernel", 104.0, "and so on");
    assert!(events(&mut detector).is_empty());
    line(&mut detector, "sshd", 110.0, "all is well");
    let reported = events(&mut detector);
    assert_eq!(reported.len(), 1);
    assert_eq!(
        (reported[0].state, reported[0].time.secs()),
        (State::Raised, 100.0)
    );
    let window = reported[0].log_failure().unwrap().window.clone();
    assert_eq!(window.as_deref(), Some("perhaps it is broken"));
}

#[test]
fn a_tentative_failure_is_raised_by_the_clock_if_no_record_follows() {
    let mut detector = detector(&[]);
    line(&mut detector, "kernel", 100.0, "perhaps it is broken");
    detector.advance(Time::from_secs(104.0));
    assert!(events(&mut detector).is_empty());
    detector.advance(Time::from_secs(106.0));
    assert_eq!(states(&mut detector), [State::Raised]);
}

#[test]
fn a_later_line_explains_what_its_own_source_said_before() {
    for (program, text, raised) in [
        ("kernel", "explained", 0),
        ("sshd", "explained", 1),
        ("kernel", "sdb is explained", 1),
        ("kernel", "sda is explained", 0),
    ] {
        let mut detector = detector(&[]);
        line(&mut detector, "kernel", 100.0, "perhaps sda is broken");
        line(&mut detector, program, 102.0, text);
        line(&mut detector, "cron", 120.0, "all is well");
        assert_eq!(states(&mut detector).len(), raised, "{program}: {text}");
        assert_eq!(detector.counters().open_episodes, raised as u64);
    }
}

#[test]
fn an_earlier_line_explains_what_follows_within_seconds() {
    let mut detector = detector(&[]);
    line(&mut detector, "kernel", 100.0, "explained");
    let observed = line(&mut detector, "kernel", 103.0, "perhaps it is broken");
    assert!(!observed.failure && observed.severity.get() < 0.5);
    assert!(
        line(&mut detector, "kernel", 103.0, "it failed").failure,
        "certain"
    );
    assert!(line(&mut detector, "kernel", 109.0, "perhaps it is broken").failure);
}

#[test]
fn a_certain_line_ends_the_wait() {
    let mut detector = detector(&[]);
    line(&mut detector, "kernel", 100.0, "perhaps sda is broken");
    line(&mut detector, "kernel", 101.0, "sda failed");
    assert_eq!(states(&mut detector), [State::Raised]);
}

#[test]
fn what_waits_outlives_a_restart_and_is_not_lost_with_its_stream() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let mut before = detector(&[]);
    line(&mut before, "kernel", 100.0, "perhaps sda is broken");
    before.snapshot().write(&path).unwrap();
    let mut after = detector(&[("forget_sec", "1000")]);
    assert!(after.load(&path).unwrap());
    assert_eq!(after.counters().open_episodes, 1);
    line(&mut after, "kernel", 102.0, "sda is explained");
    assert_eq!(after.counters().open_episodes, 0);

    let mut after = detector(&[("forget_sec", "1000")]);
    assert!(after.load(&path).unwrap());
    after.advance(Time::from_secs(2_000.0));
    assert_eq!(states(&mut after), [State::Raised, State::Cleared]);
}

#[test]
fn an_event_says_whether_its_source_was_known() {
    for (program, trusted) in [("kernel", true), ("", false)] {
        let mut detector = detector(&[]);
        line(&mut detector, program, 100.0, "disk sda failed");
        let event = &events(&mut detector)[0];
        assert_eq!(event.log_failure().unwrap().trusted, trusted);
        let json = event.to_json();
        assert!(json.contains(&format!("\"trusted\":{trusted}")), "{json}");
        assert!(json.contains("\"device\":\"sda\""), "{json}");
    }
}

#[test]
fn at_the_end_of_a_log_nothing_waits_any_longer() {
    let mut detector = detector(&[]);
    let observed = line(&mut detector, "kernel", 100.0, "perhaps it is broken");
    detector.finish();
    let reported = events(&mut detector);
    assert_eq!(reported.len(), 1);
    assert_eq!(Some(reported[0].incident), observed.incident);
    detector.finish();
    assert!(events(&mut detector).is_empty());
}

#[test]
fn a_record_names_the_incident_that_it_belongs_to() {
    let mut detector = detector(&[]);
    let first = line(&mut detector, "kernel", 100.0, "disk sda failed").incident;
    let other = line(&mut detector, "kernel", 100.0, "disk sdb failed").incident;
    let again = line(&mut detector, "kernel", 101.0, "disk sda failed").incident;
    assert_eq!(
        line(&mut detector, "kernel", 102.0, "all is well").incident,
        None
    );
    let raised: Vec<_> = events(&mut detector)
        .iter()
        .map(|e| Some(e.incident))
        .collect();
    assert_eq!(raised, [first, other]);
    assert_eq!(first, again);
}
