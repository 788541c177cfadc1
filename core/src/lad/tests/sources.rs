//! The source of the record that an event reports.

use super::*;
use crate::snapshot::Unusable;

const KERNEL: Source<'_> = Source {
    transport: Transport::Kernel,
    program: b"kernel",
    unit: b"",
    tag: b"host.kmsg",
};

fn observe_from(detector: &mut Detector, time: f64, text: &str, source: Source<'_>) -> Observed {
    detector.observe(&Record {
        stream: "host-1",
        time: Time::from_secs(time),
        text,
        priority: None,
        source,
    })
}

#[test]
fn an_event_names_the_source_of_its_trigger_even_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let mut detector = detector(&[]);
    calm(&mut detector, "host-1", 0, 100);
    observe_from(&mut detector, 100.0, "disk sda failed", KERNEL);
    let other = Source {
        program: b"smartd",
        unit: b"smartd.service",
        ..Source::default()
    };
    observe_from(&mut detector, 101.0, "disk sdb failed", other);
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
fn classification_does_not_depend_on_the_source() {
    let (mut named, mut unnamed) = (detector(&[]), detector(&[]));
    for i in 0..300_u32 {
        let text = match i % 60 {
            50 => "disk sda failed",
            51 => "disk sda is slow",
            _ => "all is well",
        };
        let time = f64::from(i);
        let found = observe_from(&mut named, time, text, KERNEL);
        assert_eq!(
            found,
            observe_from(&mut unnamed, time, text, Source::default()),
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
fn the_source_of_a_missing_episode_is_detected() {
    let mut before = detector(&[]);
    observe_from(&mut before, 100.0, "disk sda failed", KERNEL);
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
