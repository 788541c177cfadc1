//! The detector as a whole.

use std::sync::Arc;

use super::*;
use crate::event::{EventKind, Severity, State};
use crate::inference::{Finding, Inference};

/// Finds a failure of storage in what has the word "failed", and a hint in what has "slow".
struct Words;

impl Inference for Words {
    fn judge(&self, text: &str, _: &str) -> Option<Finding> {
        let severity = match text {
            _ if text.contains("failed") => 0.8,
            _ if text.contains("slow") => 0.45,
            _ => return None,
        };
        Some(Finding {
            severity,
            family: Family::Storage,
            reason: "\"failed\"".into(),
        })
    }
}

fn detector(settings: &[(&str, &str)]) -> Detector {
    let mut options = LadOptions::default();
    for (name, value) in [("training", "10")].iter().chain(settings) {
        options.set(name, value).unwrap();
    }
    Detector::with_inference(options, Arc::new(Words)).unwrap()
}

fn observe(detector: &mut Detector, stream: &str, time: f64, text: &str) -> Observed {
    detector.observe(&Record {
        stream,
        time,
        text,
        priority: None,
    })
}

fn events(detector: &mut Detector) -> Vec<Event> {
    std::iter::from_fn(|| detector.next_event()).collect()
}

/// `count` records of ordinary life from the time `from` on, one a second.
fn calm(detector: &mut Detector, stream: &str, from: u32, count: u32) {
    for i in from..from + count {
        let text = [
            "session opened for user root",
            "session closed for user root",
        ][i as usize % 2];
        let observed = observe(detector, stream, f64::from(i), text);
        assert!(!observed.failure && observed.score == 0.0);
    }
}

#[test]
fn a_burst_of_failing_records_is_one_event_and_its_end_another() {
    let mut detector = detector(&[]);
    calm(&mut detector, "host-1", 0, 100);
    for i in 100..107 {
        let text = format!("disk sd{i} failed, sector {i}\u{1b}[0m");
        let observed = observe(&mut detector, "host-1", f64::from(i), &text);
        assert!(observed.failure && observed.alarm && !observed.training);
        assert_eq!(
            (observed.score, observed.family),
            (0.8, Some(Family::Storage))
        );
    }
    calm(&mut detector, "host-1", 107, 49);
    let told = events(&mut detector);
    assert_eq!(told.len(), 1, "{told:?}");
    let raised = &told[0];
    assert_eq!(
        (raised.event, raised.state),
        (EventKind::LogFailure, State::Raised)
    );
    assert_eq!(
        (raised.severity, raised.score, raised.time),
        (Severity::Failure, 0.8, 100.0)
    );
    assert_eq!(
        (raised.hypervisor.as_str(), raised.stream.as_deref()),
        ("host-1", Some("host-1"))
    );
    assert_eq!(
        (raised.family.as_deref(), raised.phrase.as_deref()),
        (Some("storage"), Some("\"failed\""))
    );
    assert_eq!(
        (raised.count, raised.seen, raised.first_seen),
        (Some(1), Some(1), Some(100.0))
    );
    assert_eq!(
        raised.sample.as_deref(),
        Some("disk sd100 failed, sector 100 [0m")
    );
    assert!(
        raised.template.as_deref().unwrap().contains("failed"),
        "{raised:?}"
    );
    assert_eq!(raised.at_startup, None);
    let window: Vec<_> = raised.window.as_deref().unwrap().lines().collect();
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
    let told = events(&mut detector);
    assert_eq!(told.len(), 1, "{told:?}");
    let cleared = &told[0];
    assert_eq!(
        (cleared.state, cleared.severity),
        (State::Cleared, Severity::Okay)
    );
    assert_eq!(
        (cleared.count, cleared.since, cleared.time),
        (Some(7), 100.0, 156.0)
    );
    assert_eq!(
        cleared.reason.as_deref(),
        Some("no sign of failure in 50 records")
    );
    assert_eq!(detector.counters().episodes, 1);
    assert_eq!(detector.counters().failures, 7);
}

#[test]
fn a_failure_in_training_is_told_as_one_that_may_be_older() {
    let mut detector = detector(&[]);
    assert!(observe(&mut detector, "host-1", 1.0, "disk sda failed").training);
    let told = events(&mut detector);
    assert_eq!(told[0].at_startup, Some(true));
    assert!(
        told[0].message.contains("may be older"),
        "{}",
        told[0].message
    );
}

#[test]
fn a_hint_raises_nothing_but_is_given() {
    let mut detector = detector(&[]);
    calm(&mut detector, "host-1", 0, 20);
    let observed = observe(&mut detector, "host-1", 20.0, "disk sda is slow");
    assert_eq!(
        (observed.severity, observed.score, observed.failure),
        (0.45, 0.0, false)
    );
    assert!(observed.novel && observed.template_id > 0);
    assert!(events(&mut detector).is_empty());
    let critical = Record {
        stream: "host-1",
        time: 21.0,
        text: "disk sda is slow",
        priority: Some(2),
    };
    assert!(detector.observe(&critical).failure);
}

#[test]
fn streams_know_nothing_of_each_other() {
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
    let told: Vec<_> = events(&mut both)
        .into_iter()
        .filter(|e| e.hypervisor == "a")
        .collect();
    assert_eq!(events(&mut alone), told);
}

#[test]
fn an_operators_word_that_it_is_no_failure_clears_the_episode_and_holds() {
    let mut detector = detector(&[]);
    calm(&mut detector, "host-1", 0, 20);
    let id = observe(&mut detector, "host-1", 20.0, "check failed").template_id;
    events(&mut detector);
    assert!(detector.feedback("host-1", id, Some(Verdict::Benign)));
    let told = events(&mut detector);
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].reason.as_deref(), Some("told to be no failure"));
    let observed = observe(&mut detector, "host-1", 21.0, "check failed");
    assert_eq!(
        (observed.failure, observed.score, observed.severity),
        (false, 0.0, 0.0)
    );
    assert!(detector.feedback("host-1", id, None));
    assert!(observe(&mut detector, "host-1", 22.0, "check failed").failure);
    assert!(!detector.feedback("host-1", 999, None) && !detector.feedback("host-9", id, None));
}

#[test]
fn an_episode_of_which_something_is_left_goes_on() {
    let mut detector = detector(&[]);
    let first = observe(&mut detector, "host-1", 0.0, "check failed").template_id;
    observe(
        &mut detector,
        "host-1",
        1.0,
        "the disk in bay seven has failed",
    );
    events(&mut detector);
    detector.feedback("host-1", first, Some(Verdict::Benign));
    assert!(events(&mut detector).is_empty());
    calm(&mut detector, "host-1", 2, 50);
    assert_eq!(events(&mut detector)[0].count, Some(1));
}

#[test]
fn an_operators_word_that_it_is_a_failure_raises_what_was_missed_and_unlearns_it() {
    let mut detector = detector(&[]);
    calm(&mut detector, "host-1", 0, 20);
    let observed = observe(&mut detector, "host-1", 20.0, "something odd");
    assert!(observed.novel);
    let windows = detector.counters().windows;
    assert!(detector.feedback("host-1", observed.template_id, Some(Verdict::Failure)));
    assert_eq!(detector.counters().windows, windows - 1);
    let told = events(&mut detector);
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].score, told[0].family.as_deref()), (1.0, None));
    assert_eq!(told[0].sample.as_deref(), Some("something odd"));
    assert_eq!(
        observe(&mut detector, "host-1", 21.0, "something odd").score,
        1.0
    );
}

#[test]
fn a_restart_changes_nothing_of_what_is_told() {
    for settings in [
        &[("novelty_events", "true")][..],
        &[("mode", "paper"), ("anomaly_threshold", "0.3")],
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let mut through = detector(settings);
        let mut restarted = detector(settings);
        let mut random = 5_u64;
        let mut told = (Vec::new(), Vec::new());
        for i in 0..6_000_u32 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let draw = random >> 33;
            let text = match draw % 97 {
                0 => format!("disk {} failed", draw % 7),
                1..4 if i > 4_000 => format!("word{} never said before {draw:x}", draw % 1_000),
                _ => format!("unit {} of kind k{} is up", draw % 1_000, draw % 5),
            };
            let stream = ["a", "b"][(draw >> 8) as usize % 2];
            assert_eq!(
                observe(&mut through, stream, f64::from(i), &text),
                observe(&mut restarted, stream, f64::from(i), &text)
            );
            if i % 487 == 0 {
                restarted.save(&path).unwrap();
                restarted = detector(settings);
                assert!(restarted.load(&path).unwrap());
            }
            if i % 100 == 99 {
                told.0.extend(events(&mut through));
                told.1.extend(events(&mut restarted));
            }
        }
        assert!(told.0.len() > 2, "{}", told.0.len());
        assert_eq!(told.0, told.1);
        let (mut a, mut b) = (through.counters(), restarted.counters());
        (a.bytes, b.bytes) = (0, 0);
        assert_eq!(a, b);
    }
}

#[test]
fn a_snapshot_of_another_mode_is_refused_and_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    detector(&[]).save(&path).unwrap();
    let mut other = detector(&[("mode", "paper")]);
    let error = other.load(&path).unwrap_err().to_string();
    assert!(error.contains("mode = symbolic"), "{error}");
    assert!(!other.load(&path).unwrap());
}

#[test]
fn the_silent_are_forgotten_and_their_episodes_end() {
    let mut detector = detector(&[("forget_sec", "100")]);
    observe(&mut detector, "a", 0.0, "disk failed");
    observe(&mut detector, "b", 90.0, "all is well");
    events(&mut detector);
    detector.advance(101.0);
    let told = events(&mut detector);
    assert_eq!(told.len(), 1);
    assert!(told[0].reason.as_deref().unwrap().contains("forgotten"));
    assert_eq!(
        (
            detector.counters().streams,
            detector.counters().streams_forgotten
        ),
        (1, 1)
    );
    assert!(observe(&mut detector, "a", 102.0, "all is well").training);
    detector.advance(f64::NAN);
    assert_eq!(detector.counters().streams, 2);
}

#[test]
fn a_record_without_room_for_its_stream_is_judged_all_the_same() {
    let mut detector = detector(&[("max_streams", "1")]);
    observe(&mut detector, "a", 0.0, "all is well");
    let observed = observe(&mut detector, "b", 0.0, "disk failed");
    assert_eq!(
        (observed.outcome, observed.failure, observed.score),
        (Outcome::Full, true, 0.8)
    );
    for (stream, time) in [
        ("", 0.0),
        (&*"x".repeat(513), 0.0),
        ("a", f64::NAN),
        ("a", 1e12),
    ] {
        let observed = observe(&mut detector, stream, time, "disk failed");
        assert_eq!(
            (observed.outcome, observed.failure),
            (Outcome::Refused, true)
        );
    }
    assert_eq!(
        (detector.counters().full, detector.counters().refused),
        (1, 4)
    );
    assert!(events(&mut detector).is_empty());
}

#[test]
fn however_many_streams_speak_of_whatever_memory_stays_within_its_limit() {
    let mut detector = detector(&[("max_memory_mib", "8"), ("max_streams", "100000")]);
    let mut random = 11_u64;
    for i in 0..60_000_u32 {
        let mut text = String::new();
        for _ in 0..8 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            text.push_str(&format!("w{:x} ", random >> 40));
        }
        observe(
            &mut detector,
            &format!("host-{}", i / 3),
            f64::from(i),
            &text,
        );
    }
    let counters = detector.counters();
    assert!(
        counters.bytes <= 8 << 20 && counters.streams > 100,
        "{counters:?}"
    );
    assert!(counters.streams_forgotten > 0);
    for at in 0..detector.streams.len() {
        let name = detector.streams[at].past.name.clone();
        assert_eq!(detector.streams.find(&name), Some(at));
    }
}

#[test]
fn streams_that_speak_in_turn_are_all_weighed_and_the_silent_ones_make_room() {
    let mut detector = detector(&[("max_memory_mib", "8"), ("max_streams", "100000")]);
    for i in 0..40_000_u32 {
        // As many hosts as the records between two weighings: each is heard at its own turn.
        observe(
            &mut detector,
            &format!("host-{}", i % 4096),
            f64::from(i),
            &format!("unit-{} of host {} says {i:x}", i / 4096, i % 4096),
        );
    }
    let weights = detector.streams.iter().map(|stream| stream.weight());
    assert_eq!(weights.sum::<usize>(), detector.bytes);
    let counters = detector.counters();
    assert!(counters.bytes <= 8 << 20 && counters.streams_forgotten > 0);
    // The one heard last is there.
    assert!(detector.streams.find("host-3135").is_some());
}

#[test]
fn novelty_is_a_warning_and_only_where_asked_for() {
    for (asked, expected) in [("false", 0), ("true", 1)] {
        let mut detector = detector(&[("novelty_events", asked)]);
        calm(&mut detector, "a", 0, 3_000);
        for i in 3_000..3_100_u32 {
            let text = format!("{} of another kind", "new ".repeat(i as usize % 50 + 1));
            observe(&mut detector, "a", f64::from(i), &text);
        }
        let told = events(&mut detector);
        assert_eq!(told.len(), expected, "{told:?}");
        for event in told {
            assert_eq!(
                (event.event, event.severity),
                (EventKind::LogNovelty, Severity::Warning)
            );
        }
    }
}

#[test]
fn what_there_is_now_is_counted_and_not_believed_from_a_snapshot() {
    let mut detector = Detector::new(LadOptions::default()).unwrap();
    detector.counters.templates = 7;
    detector.counters.templates_evicted = 7;
    detector.counters.windows = 7;
    assert_eq!(detector.counters(), Counters::default());
}
