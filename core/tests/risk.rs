//! The risk of a host, as its callers see it.

use bellwether_core::detector::Detector as _;
use bellwether_core::event::{Event, EventKind, Severity, State};
use bellwether_core::risk::{
    Detector, Fate, Horizon, Observation, Observed, Outcome, PROBABILITY_MAX, RiskOptions, Source,
    SourceState,
};
use bellwether_core::units::Time;

/// Tables of these tests: those of the library may change with the data that they are made of.
const TABLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/risk/tables.json");

const LOG_5: SourceState = SourceState::log(5);
const LOG_NONE: SourceState = SourceState::log(0);

fn options(settings: &[(&str, &str)]) -> RiskOptions {
    let mut options = RiskOptions::default();
    options.set("tables", TABLES).unwrap();
    for (name, value) in settings {
        options.set(name, value).expect(name);
    }
    options
}

fn detector(settings: &[(&str, &str)]) -> Detector {
    Detector::new(options(settings)).unwrap()
}

fn had(minutes: f64) -> SourceState {
    SourceState::had(Some(minutes * 60.0), false)
}

fn observe(detector: &mut Detector, host: &str, seconds: f64, state: SourceState) -> Observed {
    detector.observe(&Observation {
        hypervisor: host,
        time: Time::from_secs(seconds),
        state,
    })
}

fn events(detector: &mut Detector) -> Vec<Event> {
    std::iter::from_fn(|| detector.next_event()).collect()
}

/// A detector with a raised risk of "kvm1" at 1000 s, and its event.
fn raised(settings: &[(&str, &str)]) -> (Detector, Event) {
    let mut detector = detector(settings);
    observe(&mut detector, "kvm1", 1_000.0, LOG_5);
    observe(&mut detector, "kvm1", 1_000.0, had(1.0));
    let mut all = events(&mut detector);
    assert_eq!(all.len(), 1);
    (detector, all.remove(0))
}

#[test]
fn two_sources_together_raise_what_neither_raises_alone() {
    let mut detector = detector(&[]);
    for minutes in [1, 2, 5, 20] {
        let observed = observe(&mut detector, "log", 0.0, SourceState::log(minutes));
        assert!(!observed.raised, "{observed:?}");
    }
    assert!(!observe(&mut detector, "metrics", 0.0, had(1.0)).raised);
    assert!(events(&mut detector).is_empty());
    assert!(observe(&mut detector, "log", 1.0, had(1.0)).raised);
    assert!(observe(&mut detector, "metrics", 1.0, LOG_5).raised);
    assert_eq!(events(&mut detector).len(), 2);
}

#[test]
fn the_event_explains_itself_with_the_share_of_each_source() {
    let (_, event) = raised(&[]);
    assert_eq!(event.kind(), EventKind::FailureRisk);
    assert_eq!(
        (event.state, event.severity),
        (State::Raised, Severity::Warning)
    );
    assert_eq!(event.hypervisor(), "kvm1");
    let risk = event.failure_risk().unwrap();
    assert_eq!(
        risk.sources,
        "log: failure lines in 4 to 9 of the last 20 minutes (+8.2); \
         had: anomaly of its guests for less than 10 minutes (+9.1); resource: unknown; novelty: unknown"
    );
    assert!(!risk.calibrated && risk.horizon_min == 10 && risk.failures_per_host_year == 0.4);
    assert_eq!(event.score, risk.risk_10min);
    // The strongest ground comes first, and the value is called what it is.
    assert!(
        event.message.contains("evidence score 0.90"),
        "{}",
        event.message
    );
    assert!(
        event.message.contains("not calibrated"),
        "{}",
        event.message
    );
    let at = |text| event.message.find(text).unwrap();
    assert!(at("anomaly of its guests") < at("failure lines"));
}

#[test]
fn evidence_adds_up_in_the_odds_and_is_capped() {
    let mut detector = detector(&[("failures_per_host_year", "1")]);
    let observed = observe(&mut detector, "kvm1", 0.0, LOG_5);
    let tables = detector.tables();
    let prior = 10.0 / 525_960.0_f64;
    let evidence = tables.evidence(Horizon::Ten, LOG_5);
    let odds = prior / (1.0 - prior) * evidence.exp();
    let expected = odds / (1.0 + odds);
    assert!(
        (observed.risk_10min.get() - expected).abs() < 1e-4,
        "{observed:?}"
    );
    assert!(observed.risk_30min > observed.risk_10min);
    for state in [
        had(1.0),
        SourceState::resource(0.0),
        SourceState::novelty(9),
        SourceState::log(20),
    ] {
        observe(&mut detector, "kvm1", 0.0, state);
    }
    let status = detector.status("kvm1").unwrap();
    assert_eq!(status.risk_10min.get(), PROBABILITY_MAX);
    assert_eq!(status.risk_30min.get(), PROBABILITY_MAX);
}

#[test]
fn a_stale_source_is_unknown_and_never_healthy() {
    let mut detector = detector(&[("stale_sec", "60"), ("failures_per_host_year", "300")]);
    let with_log = observe(&mut detector, "kvm1", 0.0, LOG_NONE).risk_10min;
    // Quiet counts against a failure while it is known.
    detector.advance(Time::from_secs(60.0));
    assert_eq!(detector.status("kvm1").unwrap().risk_10min, with_log);
    detector.advance(Time::from_secs(61.0));
    let status = detector.status("kvm1").unwrap();
    assert!(status.risk_10min > with_log, "{status:?}");
    for source in status.sources {
        assert_eq!((source.state.level(), source.evidence), (None, [0.0; 2]));
    }
}

#[test]
fn a_risk_is_cleared_once_after_it_has_been_low_for_a_while() {
    let (mut detector, raised) = raised(&[("hold_sec", "120")]);
    for seconds in [1_060.0, 1_120.0, 1_179.0] {
        observe(&mut detector, "kvm1", seconds, LOG_NONE);
        observe(
            &mut detector,
            "kvm1",
            seconds,
            SourceState::had(None, false),
        );
        assert!(events(&mut detector).is_empty(), "{seconds}");
    }
    observe(&mut detector, "kvm1", 1_180.0, LOG_NONE);
    let all = events(&mut detector);
    let [cleared] = &all[..] else {
        panic!("{all:?}")
    };
    assert_eq!(
        (cleared.state, cleared.severity),
        (State::Cleared, Severity::Okay)
    );
    assert_eq!(cleared.incident, raised.incident);
    assert_eq!(cleared.since.secs(), 1_000.0);
    assert_eq!(cleared.reason(), Some("the risk has been low for 2 min"));
    detector.advance(Time::from_secs(5_000.0));
    assert!(events(&mut detector).is_empty());
}

#[test]
fn evidence_that_flickers_keeps_one_incident() {
    let (mut detector, _) = raised(&[("hold_sec", "120")]);
    for i in 1..20 {
        let state = if i % 2 == 0 {
            had(1.0)
        } else {
            SourceState::had(None, false)
        };
        observe(&mut detector, "kvm1", 1_000.0 + 60.0 * f64::from(i), state);
        observe(
            &mut detector,
            "kvm1",
            1_000.0 + 60.0 * f64::from(i),
            SourceState::log(1),
        );
    }
    let states: Vec<State> = events(&mut detector).iter().map(|e| e.state).collect();
    assert!(
        states.iter().all(|state| *state == State::Updated),
        "{states:?}"
    );
}

#[test]
fn a_risk_whose_sources_fall_silent_is_not_reported_as_well_again() {
    let (mut detector, _) = raised(&[]);
    for minute in 1..=20 {
        detector.advance(Time::from_secs(1_000.0 + 60.0 * f64::from(minute)));
    }
    let all = events(&mut detector);
    let [cleared] = &all[..] else {
        panic!("{all:?}")
    };
    assert_eq!(cleared.state, State::Cleared);
    let reason = cleared.reason().unwrap();
    assert!(
        reason.contains("the state of the host is unknown"),
        "{reason}"
    );
}

#[test]
fn a_risk_that_goes_on_is_reported_at_a_bounded_rate_and_at_once_when_worse() {
    let settings = [
        ("threshold", "0.2"),
        ("update_sec", "600"),
        ("failures_per_host_year", "0.05"),
    ];
    let mut detector = detector(&settings);
    observe(&mut detector, "kvm1", 0.0, had(1.0));
    observe(&mut detector, "kvm1", 0.0, SourceState::log(1));
    let first = events(&mut detector).remove(0);
    for second in 1..=590 {
        observe(&mut detector, "kvm1", f64::from(second), had(1.0));
        observe(
            &mut detector,
            "kvm1",
            f64::from(second),
            SourceState::log(1),
        );
    }
    assert!(events(&mut detector).is_empty());
    observe(&mut detector, "kvm1", 591.0, LOG_5);
    let worse = events(&mut detector);
    assert_eq!((worse.len(), worse[0].state), (1, State::Updated));
    assert_eq!(worse[0].incident, first.incident);
    for second in 592..=1_200 {
        observe(&mut detector, "kvm1", f64::from(second), had(1.0));
        observe(&mut detector, "kvm1", f64::from(second), LOG_5);
    }
    assert_eq!(events(&mut detector).len(), 1);
}

#[test]
fn what_cannot_be_an_observation_is_refused_and_counted() {
    let mut detector = detector(&[]);
    let long = "x".repeat(600);
    for (host, seconds) in [
        ("", 0.0),
        (long.as_str(), 0.0),
        ("kvm1", f64::NAN),
        ("kvm1", 1e12),
    ] {
        let observed = observe(&mut detector, host, seconds, LOG_5);
        assert_eq!(observed.outcome, Outcome::Refused);
    }
    observe(&mut detector, "kvm1", 100.0, LOG_5);
    let late = observe(&mut detector, "kvm1", 99.0, LOG_NONE);
    assert_eq!(late.outcome, Outcome::Late);
    let counters = detector.counters();
    assert_eq!((counters.refused, counters.late, counters.taken), (4, 1, 1));
    detector.advance(Time::from_secs(f64::NAN));
}

#[test]
fn a_clock_that_is_set_back_is_followed() {
    let mut detector = detector(&[]);
    observe(&mut detector, "kvm1", 1e9, had(1.0));
    let observed = observe(&mut detector, "kvm1", 1_000.0, had(1.0));
    assert_eq!(observed.outcome, Outcome::Taken);
    assert!(observe(&mut detector, "kvm1", 1_000.0, LOG_5).raised);
}

#[test]
fn made_up_names_do_not_displace_hosts_that_report() {
    let mut detector = detector(&[("max_hypervisors", "10")]);
    for second in 0..1_000 {
        let time = f64::from(second);
        observe(&mut detector, "real", time, had(1.0));
        observe(&mut detector, &format!("made-up-{second}"), time, LOG_5);
    }
    let counters = detector.counters();
    assert_eq!(counters.hypervisors, 10);
    assert!(
        counters.full > 0 && counters.hypervisors_evicted > 0,
        "{counters:?}"
    );
    assert!(detector.status("real").is_some());
    let sum = counters.taken + counters.full;
    assert_eq!(sum, 2_000);
}

#[test]
fn memory_stays_within_the_limit_whatever_the_names_are() {
    let mut detector = detector(&[
        ("max_memory_mib", "1"),
        ("max_hypervisors", "1000000"),
        ("calibrate", "true"),
    ]);
    let limit = 1 << 20;
    for i in 0..20_000 {
        let name = format!("{i}{}", "x".repeat(i % 400));
        observe(&mut detector, &name, i as f64 / 100.0, LOG_5);
        observe(&mut detector, &name, i as f64 / 100.0, had(1.0));
    }
    assert!(
        detector.bytes() <= limit / 2 + limit / 16,
        "{}",
        detector.bytes()
    );
    assert!(detector.snapshot().len() <= limit / 2);
    assert!(detector.counters().full > 0);
}

#[test]
fn a_restart_changes_nothing() {
    let mut straight = detector(&[("calibrate", "true")]);
    let mut restarted = detector(&[("calibrate", "true")]);
    let mut said = (String::new(), String::new());
    for minute in 0..400_u32 {
        let seconds = f64::from(minute) * 60.0;
        for (detector, said) in [(&mut straight, &mut said.0), (&mut restarted, &mut said.1)] {
            for host in ["a", "b", "c"] {
                let phase = minute + host.len() as u32 * u32::from(host.as_bytes()[0]);
                observe(detector, host, seconds, SourceState::log(phase % 40 / 4));
                observe(detector, host, seconds, had(f64::from(phase % 60)));
            }
            if minute % 90 == 89 {
                detector.outcome("a", Time::from_secs(seconds), Fate::Failed);
            }
            for event in events(detector) {
                said.push_str(&event.to_json());
            }
        }
        if minute % 37 == 0 {
            let snapshot = restarted.snapshot().to_vec();
            restarted = detector(&[("calibrate", "true")]);
            restarted.restore(&snapshot).unwrap();
        }
    }
    assert!(!said.0.is_empty());
    assert_eq!(said.0, said.1);
    assert_eq!(straight.counter_list(), restarted.counter_list());
}

#[test]
fn a_corrupt_snapshot_changes_nothing() {
    let (mut detector, _) = raised(&[]);
    let snapshot = detector.snapshot().to_vec();
    for at in 0..snapshot.len() {
        let mut corrupt = snapshot.clone();
        corrupt[at] ^= 0x55;
        assert!(detector.restore(&corrupt).is_err(), "byte {at}");
    }
    assert!(detector.restore(&snapshot[..snapshot.len() / 2]).is_err());
    assert!(detector.status("kvm1").unwrap().raised);
    let mut small = self::detector(&[("max_hypervisors", "1")]);
    observe(&mut detector, "kvm2", 1_000.0, LOG_5);
    let error = small.restore(&detector.snapshot().to_vec()).unwrap_err();
    assert!(error.to_string().contains("max_hypervisors"), "{error}");
}

/// Lets every tenth of the minutes in which both sources are severe end in a failure, for `days` days.
fn live(detector: &mut Detector, days: u32) {
    let mut severe = 0_u32;
    for minute in 0..days * 24 * 60 {
        let seconds = f64::from(minute) * 60.0;
        // An hour of trouble every six hours.
        let trouble = minute % 360 < 20;
        let log = if trouble { LOG_5 } else { LOG_NONE };
        let metrics = if trouble {
            had(1.0)
        } else {
            SourceState::had(None, false)
        };
        observe(detector, "kvm1", seconds, log);
        observe(detector, "kvm1", seconds, metrics);
        if minute % 360 == 19 {
            severe += 1;
            if severe.is_multiple_of(4) {
                assert!(detector.outcome("kvm1", Time::from_secs(seconds), Fate::Failed));
            }
        }
    }
}

#[test]
fn enough_outcomes_turn_the_score_into_the_rate_of_this_site() {
    let settings = [("calibrate", "true"), ("calibration_failures", "10")];
    let mut detector = detector(&settings);
    live(&mut detector, 30);
    let counters = detector.counters();
    assert_eq!((counters.failures, counters.calibrated), (30, 1));
    events(&mut detector);
    let now = 31.0 * 86_400.0;
    observe(&mut detector, "kvm1", now, LOG_5);
    let observed = observe(&mut detector, "kvm1", now, had(1.0));
    // A quarter of the hours of trouble end in a failure, within 10 minutes of half their minutes.
    let risk = observed.risk_10min.get();
    assert!((0.08..0.3).contains(&risk), "{observed:?}");
    assert!(!observed.raised);
    // The same without outcomes is a score near the cap.
    let (mut score, _) = raised(&[]);
    assert_eq!(
        observe(&mut score, "kvm1", 1_001.0, LOG_5).risk_10min.get(),
        PROBABILITY_MAX
    );
}

#[test]
fn a_calibrated_risk_is_a_probability_and_a_failure() {
    let settings = [
        ("calibrate", "true"),
        ("calibration_failures", "10"),
        ("threshold", "0.05"),
    ];
    let mut detector = detector(&settings);
    live(&mut detector, 30);
    let last = events(&mut detector);
    let last = last
        .iter()
        .rfind(|event| event.state == State::Raised)
        .unwrap();
    assert_eq!(last.severity, Severity::Failure);
    assert!(last.failure_risk().unwrap().calibrated);
    assert!(last.message.contains("probability"), "{}", last.message);
}

#[test]
fn outcomes_teach_nothing_unless_the_site_says_that_it_reports_them() {
    let mut detector = detector(&[("calibration_failures", "10")]);
    live(&mut detector, 30);
    let counters = detector.counters();
    assert_eq!((counters.failures, counters.calibrated), (0, 0));
    assert!(!detector.outcome("unheard", Time::from_secs(1.0), Fate::Failed));
}

#[test]
fn what_was_learned_with_other_tables_is_not_used() {
    let settings = [("calibrate", "true"), ("calibration_failures", "10")];
    let mut detector = detector(&settings);
    live(&mut detector, 30);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tables.json");
    let file = include_str!("risk/tables.json").replacen("[22", "[23", 1);
    std::fs::write(&path, file).unwrap();
    let with = [&settings[..], &[("tables", path.to_str().unwrap())]].concat();
    let mut other = self::detector(&with);
    other.restore(&detector.snapshot().to_vec()).unwrap();
    let counters = other.counters();
    assert_eq!((counters.failures, counters.calibrated), (0, 0));
    assert_eq!(counters.hypervisors, 1);
}

#[test]
fn tables_that_cannot_be_used_are_named() {
    let error = Detector::new(options(&[("tables", "/nonexistent/tables.json")])).unwrap_err();
    assert_eq!(error.option(), "tables");
    assert!(
        error.to_string().contains("/nonexistent/tables.json"),
        "{error}"
    );
}

#[test]
fn a_silent_host_is_forgotten_and_its_open_risk_cleared() {
    let (mut detector, raised) = raised(&[("forget_sec", "3600"), ("hold_sec", "86400")]);
    detector.advance(Time::from_secs(1_000.0 + 3_500.0));
    assert!(detector.status("kvm1").is_some());
    events(&mut detector);
    detector.advance(Time::from_secs(1_000.0 + 3_700.0));
    assert!(detector.status("kvm1").is_none());
    let all = events(&mut detector);
    assert_eq!((all.len(), all[0].state), (1, State::Cleared));
    assert_eq!(all[0].incident, raised.incident);
    assert_eq!(detector.counters().open, 0);
}

#[test]
fn every_source_alone_moves_the_value_in_the_direction_of_its_evidence() {
    for &source in Source::ALL {
        for level in 0..source.states().len() {
            let state = SourceState::new(source, level).unwrap();
            let mut detector =
                detector(&[("failures_per_host_year", "1000"), ("threshold", "0.9")]);
            let base = observe(&mut detector, "kvm1", 0.0, SourceState::unknown(source));
            let with = observe(&mut detector, "kvm1", 0.0, state);
            let evidence = detector.tables().evidence(Horizon::Ten, state);
            assert_eq!(
                with.risk_10min > base.risk_10min,
                evidence > 0.0,
                "{state:?}"
            );
        }
    }
}
