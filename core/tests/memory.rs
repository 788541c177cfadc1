//! LAD keeps within `max_memory_mib` whatever it is fed, and HAD within what its limits allow: what they hold is counted where it is
//! allocated.

use std::sync::Mutex;

use bellwether_core::had::{self, HadOptions, Observation};
use bellwether_core::lad::{Detector, LadOptions, Record, Source};
use bellwether_core::units::{Interval, Time};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

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
    let before = ALLOCATOR.current_usage();
    let mut detector = Detector::new(options.clone()).unwrap();
    let mut random = Random(11);
    for i in 0..records {
        let (stream, text) = record(&mut random, i);
        let stream = format!("host-{stream}");
        detector.observe(&Record {
            stream: &stream,
            time: Time::from_secs(i as f64),
            text: &text,
            priority: None,
            source: Source::default(),
        });
        drop((stream, text));
        let held = ALLOCATOR.current_usage() - before;
        assert!(held <= limit, "{held} bytes after {i} records");
        if i % 1000 == 0 {
            let told = detector.counters().bytes as usize;
            assert!(told + 4096 >= held, "{told} bytes told, {held} held");
        }
    }
    // Neither saving nor loading takes it beyond the limit.
    let snapshot = peak(|| detector.snapshot());
    let (saving, snapshot) = (snapshot.0 - before, snapshot.1);
    assert!(
        saving <= limit,
        "{saving} bytes while saving, {} of them the snapshot",
        snapshot.len()
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let streamed = peak(|| detector.save(&path).unwrap()).0 - before - snapshot.len();
    let held = ALLOCATOR.current_usage() - before - snapshot.len();
    assert!(
        streamed <= held + MIB,
        "{streamed} bytes while saving to a file, {held} held"
    );
    drop((snapshot, detector));
    let mut detector = Detector::new(options).unwrap();
    let loading = peak(|| assert!(detector.load(&path).unwrap())).0 - before;
    assert!(loading <= limit, "{loading} bytes while loading");
    detector
}

/// The most memory that was allocated at any moment within `work`, in bytes.
fn peak<T>(work: impl FnOnce() -> T) -> (usize, T) {
    ALLOCATOR.reset_peak_usage();
    let made = work();
    (ALLOCATOR.peak_usage(), made)
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
fn had_keeps_within_the_memory_allowed_also_while_it_saves_and_loads() {
    let _alone = ALONE.lock();
    for (algorithm, window) in [("rank", "31"), ("zscore", "500"), ("iad", "31")] {
        let mut options = HadOptions::default();
        for (name, value) in [
            ("algorithm", algorithm),
            ("zscore_window_long_sz", window),
            ("max_memory_mib", "8"),
            ("workload_changes", "true"),
        ] {
            options.set(name, value).unwrap();
        }
        let limit = options.max_memory_mib * MIB;
        let before = ALLOCATOR.current_usage();
        let mut detector = had::Detector::new(options.clone()).unwrap();
        let held = || ALLOCATOR.current_usage() - before;
        for interval in 0..120_u32 {
            let time = 10.0 * f64::from(interval);
            // New hypervisors come with new VMs; nobody fetches events.
            for n in 0..2_000_u32 {
                let (hypervisor, vm) = (n / 20 + 50 * (interval / 30), n % 20 + interval / 10);
                detector.observe(&Observation {
                    hypervisor: &format!("hypervisor-{hypervisor}"),
                    vm: &format!("vm-{vm}"),
                    metric: "cpu",
                    time: Time::from_secs(time),
                    interval: Some(Interval::from_secs(10.0)),
                    value: f64::from((n * 7 + interval * interval) % 100),
                });
            }
            detector.advance(Time::from_secs(time + 10.0));
            assert!(held() <= limit, "{algorithm}: {} bytes", held());
            let counted = detector.counters().bytes as usize;
            assert!(
                counted + counted / 20 + 65_536 >= held(),
                "{algorithm}: {counted} bytes counted, {} held",
                held()
            );
        }
        let counters = detector.counters();
        assert!(counters.vms > 400 && counters.full > 0, "{counters:?}");
        let (saving, snapshot) = peak(|| detector.snapshot());
        assert!(
            saving - before <= limit,
            "{algorithm}: {} bytes while saving",
            saving - before
        );
        let bytes = snapshot.to_vec();
        drop((snapshot, detector));
        let mut detector = had::Detector::new(options).unwrap();
        let (loading, ()) = peak(|| detector.restore(&bytes).unwrap());
        let loading = loading - before - bytes.len();
        assert!(
            loading <= limit,
            "{algorithm}: {loading} bytes while loading"
        );
        assert_eq!(detector.counters().vms, counters.vms);
    }
}

#[test]
fn hypervisors_that_no_longer_report_make_room_where_memory_runs_short() {
    let _alone = ALONE.lock();
    let mut options = HadOptions::default();
    options.set("max_memory_mib", "8").unwrap();
    // Established hypervisors are given a 24th of this, but at least 32 intervals.
    options.set("forget_sec", "3000").unwrap();
    let mut detector = had::Detector::new(options).unwrap();
    let mut events = Vec::new();
    for interval in 0..400_u32 {
        let time = 10.0 * f64::from(interval);
        // Another hundred hypervisors every hundred intervals; the ones before are gone.
        for n in 0..100 {
            for vm in 0..6 {
                detector.observe(&Observation {
                    hypervisor: &format!("hypervisor-{}-{n}", interval / 100),
                    vm: &format!("vm-{vm}"),
                    metric: "cpu",
                    time: Time::from_secs(time),
                    interval: Some(Interval::from_secs(10.0)),
                    value: 20.0,
                });
            }
        }
        detector.advance(Time::from_secs(time + 10.0));
        events.extend(std::iter::from_fn(|| detector.next_event()));
    }
    let counters = detector.counters();
    assert!(counters.hypervisors_evicted > 0, "{counters:?}");
    // All hypervisors that report have their VMs.
    let statuses: Vec<_> = detector
        .statuses()
        .filter(|status| status.hypervisor.starts_with("hypervisor-3-"))
        .map(|status| status.vms)
        .collect();
    assert_eq!(statuses.len(), 100);
    assert!(statuses.iter().all(|vms| *vms == 6), "{statuses:?}");
}

#[test]
fn a_flood_of_invented_hypervisors_and_vms_takes_no_more_memory_than_full_tables() {
    let _alone = ALONE.lock();
    let mut options = HadOptions::default();
    options.set("max_hypervisors", "50").unwrap();
    options.set("max_vms", "20").unwrap();
    let before = ALLOCATOR.current_usage();
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
                    time: Time::from_secs(time),
                    interval: Some(Interval::from_secs(10.0)),
                    value: 20.0,
                });
            }
        }
        detector.advance(Time::from_secs(time + 10.0));
        while detector.next_event().is_some() {}
        let held = ALLOCATOR.current_usage() - before;
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
