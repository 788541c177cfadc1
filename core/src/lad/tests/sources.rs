//! The source of the record that an event reports.

use super::*;

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
    observe_from(&mut detector, 101.0, "disk sda failed", other);
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
fn what_an_inference_finds_in_any_source_counts() {
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
            failure.trusted = false;
        }
        event
    };
    let reported: Vec<_> = events(&mut named).into_iter().map(without).collect();
    assert_eq!(reported, events(&mut unnamed));
}
