//! LAD keeps within `max_memory_mib` whatever it is fed, and HAD within what its limits allow: what they hold is counted where it is
//! allocated.

use std::alloc::System;
use std::sync::Mutex;

use bellwether_core::had::{self, HadOptions, Observation};
use bellwether_core::lad::{Detector, LadOptions, Record, Source};
use cap::Cap;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// One test at a time: the allocator counts for all.
static ALONE: Mutex<()> = Mutex::new(());

const MIB: usize = 1 << 20;

/// Feeds records that `record` makes (stream and text) until `records` are judged. Nobody fetches events.
fn feed(
    settings: &[(&str, &str)],
    records: u64,
    record: impl Fn(&mut Random, u64) -> (u64, String),
) -> Detector {
    let mut options = LadOptions::default();
    for (name, value) in [("max_memory_mib", "8"), ("max_streams", "1000000")]
        .iter()
        .chain(settings)
    {
        options.set(name, value).unwrap();
    }
    let limit = options.max_memory_mib * MIB;
    // The lexicon is made once, and for all detectors.
    drop(Detector::new(options.clone()).unwrap());
    let before = ALLOCATOR.allocated();
    let mut detector = Detector::new(options).unwrap();
    let mut random = Random(11);
    for i in 0..records {
        let (stream, text) = record(&mut random, i);
        let stream = format!("host-{stream}");
        detector.observe(&Record {
            stream: &stream,
            time: i as f64,
            text: &text,
            priority: None,
            source: Source::default(),
        });
        drop((stream, text));
        let held = ALLOCATOR.allocated() - before;
        assert!(held <= limit, "{held} bytes after {i} records");
        if i % 1000 == 0 {
            let told = detector.counters().bytes as usize;
            assert!(told + 4096 >= held, "{told} bytes told, {held} held");
        }
    }
    detector
}

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn words(&mut self, count: usize) -> String {
        let word = |_| format!("w{:x} ", self.next() >> 40);
        (0..count).map(word).collect()
    }
}

#[test]
fn lines_that_have_nothing_in_common_keep_within_the_memory_allowed() {
    let _alone = ALONE.lock();
    for (settings, words) in [
        (&[][..], 8),
        (
            &[
                ("drain_max_clusters", "1000000"),
                ("max_windows", "16777216"),
            ],
            1,
        ),
        (
            &[
                ("drain_max_clusters", "1000000"),
                ("max_windows", "16777216"),
            ],
            8,
        ),
        (&[("drain_max_bytes", "17179869184")], 400),
        (&[("window_size", "64"), ("max_windows", "16777216")], 8),
        (
            &[
                ("mode", "paper"),
                ("anomaly_threshold", "0.06"),
                ("max_windows", "2000"),
            ],
            8,
        ),
    ] {
        let records = 200_000 / (words as u64).min(20);
        let detector = feed(settings, records, |random, _| (0, random.words(words)));
        assert_eq!(detector.counters().streams, 1);
        assert!(detector.counters().templates > 100);
    }
}

#[test]
fn very_long_lines_keep_within_the_memory_allowed() {
    let _alone = ALONE.lock();
    let settings = [
        ("drain_max_line_bytes", "65536"),
        ("drain_max_tokens", "10000"),
    ];
    feed(&settings, 300, |random, _| (0, random.words(20_000)));
}

#[test]
fn hosts_that_speak_in_turn_keep_within_the_memory_allowed() {
    let _alone = ALONE.lock();
    for hosts in [3, 900, 2_000, 100_000] {
        let detector = feed(&[], 60_000, |random, i| (i % hosts, random.words(8)));
        let counters = detector.counters();
        assert!(counters.streams_forgotten > 0 || hosts == 3, "{counters:?}");
        assert!(counters.streams >= 2, "{counters:?}");
    }
}

#[test]
fn what_grows_is_seen_at_once_also_where_all_hosts_grow_together() {
    let _alone = ALONE.lock();
    let detector = feed(&[], 60_000, |random, i| {
        let words = if i < 30_000 { 1 } else { 200 };
        (i % 500, random.words(words))
    });
    assert!(detector.counters().streams_forgotten > 0);
}

#[test]
fn events_that_nobody_fetches_keep_within_the_memory_allowed() {
    let _alone = ALONE.lock();
    let detector = feed(
        &[("episode_sz", "1"), ("window_size", "64")],
        60_000,
        |random, i| {
            let text = random.words(30);
            let text = match i % 2 {
                0 => format!("Out of memory: Killed process 17 ({text})"),
                _ => text,
            };
            (i % 7, text)
        },
    );
    assert!(detector.counters().events_lost > 0);
}

#[test]
fn a_flood_of_invented_hypervisors_and_vms_takes_no_more_memory_than_full_tables() {
    let _alone = ALONE.lock();
    let mut options = HadOptions::default();
    options.set("max_hypervisors", "50").unwrap();
    options.set("max_vms", "20").unwrap();
    let before = ALLOCATOR.allocated();
    let mut detector = had::Detector::new(options).unwrap();
    let mut full = 0;
    for interval in 0..2000u32 {
        let time = 10.0 * f64::from(interval);
        for n in 0..100 {
            let name = format!("invented-with-a-name-of-some-length-{interval}-{n}");
            for (hypervisor, vm) in [(name.as_str(), "vm"), ("real", name.as_str())] {
                detector.observe(&Observation {
                    hypervisor,
                    vm,
                    metric: "cpu",
                    time,
                    interval: 10.0,
                    value: 20.0,
                });
            }
        }
        detector.advance(time + 10.0);
        while detector.next_event().is_some() {}
        let held = ALLOCATOR.allocated() - before;
        if interval == 200 {
            full = held;
        }
        // Names and the lists of who may go differ in length from one interval to the next.
        assert!(
            full == 0 || held < full + full / 20,
            "{held} bytes after {interval}, {full} before"
        );
    }
    let counters = detector.counters();
    assert!(
        counters.hypervisors_evicted > 1000 && counters.vms_evicted > 1000,
        "{counters:?}"
    );
}
