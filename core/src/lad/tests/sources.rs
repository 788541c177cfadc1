//! Who said what an event is about.

use super::*;
use crate::snapshot::Unusable;

const KERNEL: Source<'_> = Source {
    program: b"kernel",
    unit: b"",
    tag: b"host.kmsg",
};

fn said(detector: &mut Detector, time: f64, text: &str, source: Source<'_>) -> Observed {
    detector.observe(&Record {
        stream: "host-1",
        time: Time::from_secs(time),
        text,
        priority: None,
        source,
    })
}

#[test]
fn an_event_names_who_said_the_record_that_raised_it_also_when_it_ends_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let mut detector = detector(&[]);
    calm(&mut detector, "host-1", 0, 100);
    said(&mut detector, 100.0, "disk sda failed", KERNEL);
    let other = Source {
        program: b"smartd",
        unit: b"smartd.service",
        tag: b"",
    };
    said(&mut detector, 101.0, "disk sdb failed", other);
    detector.snapshot().write(&path).unwrap();
    let raised = events(&mut detector);
    let mut restarted = self::detector(&[]);
    assert!(restarted.load(&path).unwrap());
    assert_eq!(restarted.counters().open_episodes, 1);
    assert_eq!(events(&mut restarted), raised);
    calm(&mut restarted, "host-1", 102, 50);
    assert_eq!(restarted.counters().open_episodes, 0);
    let reported = [raised, events(&mut restarted)].concat();
    assert_eq!(reported.len(), 2, "{reported:?}");
    for event in &reported {
        assert_eq!(
            event.log_failure().unwrap().source.program.as_deref(),
            Some("kernel")
        );
        assert_eq!(
            event.log_failure().unwrap().source.tag.as_deref(),
            Some("host.kmsg")
        );
        assert!(!event.to_json().contains("\"unit\""), "{event:?}");
    }
}

#[test]
fn what_is_found_does_not_depend_on_who_says_it() {
    let (mut named, mut unnamed) = (detector(&[]), detector(&[]));
    for i in 0..300_u32 {
        let text = match i % 60 {
            50 => "disk sda failed",
            51 => "disk sda is slow",
            _ => "all is well",
        };
        let time = f64::from(i);
        let found = said(&mut named, time, text, KERNEL);
        assert_eq!(
            found,
            said(&mut unnamed, time, text, Source::default()),
            "{text}"
        );
    }
    let without = |mut event: Event| {
        if let Evidence::LogFailure(failure) = &mut event.evidence {
            failure.source = LogSource::default();
        }
        event
    };
    let reported: Vec<_> = events(&mut named).into_iter().map(without).collect();
    assert_eq!(reported, events(&mut unnamed));
}

#[test]
fn a_source_of_an_episode_that_is_not_there_is_noticed() {
    let mut before = detector(&[]);
    said(&mut before, 100.0, "disk sda failed", KERNEL);
    let mut bytes = before.snapshot().to_vec();
    // The place of the stream in the list of sources.
    let source = b"\x01\x00\x01\x06kernel\x00\x01\x09host.kmsg";
    let at = bytes.windows(source.len()).position(|w| w == source);
    bytes[at.unwrap() + 1] = 7;
    let end = bytes.len() - 4;
    let sum = crc32fast::hash(&bytes[..end]);
    bytes[end..].copy_from_slice(&sum.to_le_bytes());
    let error = detector(&[]).restore(&bytes).unwrap_err();
    assert!(matches!(error, Unusable::Impossible(_)), "{error}");
}
