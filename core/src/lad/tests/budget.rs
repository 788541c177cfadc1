//! Streams are added, forgotten and evicted.

use super::*;
use crate::drain::Statistics;

#[test]
fn silent_streams_are_forgotten_and_their_episodes_cleared() {
    let mut detector = detector(&[("forget_sec", "100")]);
    observe(&mut detector, "a", 0.0, "disk failed");
    observe(&mut detector, "b", 90.0, "all is well");
    events(&mut detector);
    detector.advance(Time::from_secs(101.0));
    let reported = events(&mut detector);
    assert_eq!(reported.len(), 1);
    assert!(reported[0].reason().unwrap().contains("forgotten"));
    assert_eq!(
        (
            detector.counters().streams,
            detector.counters().streams_forgotten
        ),
        (1, 1)
    );
    assert_eq!(detector.counters().streams_evicted, 0);
    assert!(observe(&mut detector, "a", 102.0, "all is well").training);
    detector.advance(Time::from_secs(f64::NAN));
    assert_eq!(detector.counters().streams, 2);
}

#[test]
fn a_record_that_no_stream_can_take_is_classified_all_the_same() {
    let mut detector = detector(&[]);
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
    assert_eq!(detector.counters().refused, 4);
    assert!(events(&mut detector).is_empty());
}

#[test]
fn a_flood_of_invented_hosts_silences_no_host() {
    let mut detector = detector(&[("max_streams", "50")]);
    for host in 0..20 {
        calm(&mut detector, &format!("real-{host}"), 0, 60);
    }
    for i in 0..2_000 {
        observe(
            &mut detector,
            &format!("invented-{i}"),
            100.0,
            "all is well",
        );
    }
    assert_eq!(detector.counters().streams, 50);
    for host in 0..20 {
        let name = format!("real-{host}");
        let stream = detector.streams.find(&name);
        assert!(stream.is_some(), "{name} is still known");
        observe(&mut detector, &name, 101.0, "disk sda failed");
    }
    observe(&mut detector, "new", 102.0, "disk sda failed");
    let raised = events(&mut detector);
    let raised = raised.iter().filter(|e| e.state == State::Raised);
    assert_eq!(raised.count(), 21, "also that of a new host");
}

#[test]
fn a_host_that_fails_is_not_evicted_for_an_invented_one() {
    let mut detector = detector(&[("max_streams", "10")]);
    observe(&mut detector, "failing", 0.0, "disk sda failed");
    for i in 0..1_000 {
        observe(&mut detector, &format!("invented-{i}"), 1.0, "all is well");
    }
    assert!(detector.streams.find("failing").is_some());
}

#[test]
fn memory_stays_within_its_limit_with_any_number_of_streams() {
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
    assert_eq!(counters.streams_evicted, counters.streams_forgotten);
    for at in 0..detector.streams.len() {
        let name = detector.streams[at].past.name.clone();
        assert_eq!(detector.streams.find(&name), Some(at));
    }
}

#[test]
fn interleaved_streams_are_all_measured_and_the_least_recent_evicted() {
    let mut detector = detector(&[("max_memory_mib", "8"), ("max_streams", "100000")]);
    for i in 0..40_000_u32 {
        // The hosts log in turn.
        observe(
            &mut detector,
            &format!("host-{}", i % 4096),
            f64::from(i),
            &format!("unit-{} of host {} says {i:x}", i / 4096, i % 4096),
        );
    }
    let weights = detector.streams.iter().map(|stream| stream.bytes());
    assert_eq!(weights.sum::<usize>(), detector.totals.bytes);
    let counters = detector.counters();
    assert!(counters.bytes <= 8 << 20 && counters.streams_forgotten > 0);
    let of_parsers = |what: fn(&Statistics) -> u64| -> u64 {
        let streams = detector.streams.iter();
        streams.map(|s| what(&s.miner.statistics())).sum()
    };
    assert_eq!(counters.templates, of_parsers(|s| s.clusters));
    assert_eq!(counters.templates_evicted, of_parsers(|s| s.evicted));
    // The most recent one is there.
    assert!(detector.streams.find("host-3135").is_some());
}
