//! Snapshots that earlier versions wrote are still read, and the detectors continue from them as those versions did.
//!
//! Each file of `tests/snapshots/<version>` was saved in the middle of a feed by the version in the name of the folder. The file
//! beside it with the suffix `.events` has the events that this version raised for the rest of the feed.

use std::fs;
use std::path::{Path, PathBuf};

use bellwether_core::detector::Detector;
use bellwether_core::event::State;
use bellwether_core::had::{self, HadOptions, Observation};
use bellwether_core::lad::{self, LadOptions, Record, Source, Verdict};
use bellwether_core::units::{Interval, Time};

const START: f64 = 1_700_000_000.0;

/// A pseudo-random number in 0..1, the same in every run.
fn noise(seed: u64, t: u64) -> f64 {
    let mut x = ((seed << 40) ^ t).wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((x ^ (x >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

/// Feeds HAD the ticks `ticks`: a hypervisor that fails twice, one whose VM changes alone, and one that falls silent.
fn feed_had(detector: &mut had::Detector, ticks: std::ops::Range<u64>) {
    for t in ticks {
        let time = START + 10.0 * t as f64;
        for vm in 0..5 {
            let name = format!("vm{vm}");
            let level = (15.0 + 3.0 * vm as f64) * (0.8 + 0.4 * noise(vm, t));
            let fails = (300..420).contains(&t) || (520..580).contains(&t);
            let samples = [
                ("failing", level * if fails { 0.4 } else { 1.0 }),
                ("busy", level * if vm == 2 && t >= 350 { 4.0 } else { 1.0 }),
                ("silent", level),
            ];
            for (hypervisor, value) in samples {
                let is_silent = hypervisor == "silent" && (380..450).contains(&t);
                if !is_silent {
                    detector.observe(&Observation {
                        hypervisor,
                        vm: &name,
                        metric: "cpu",
                        time: Time::from_secs(time),
                        interval: Some(Interval::from_secs(10.0)),
                        value,
                    });
                }
            }
        }
        if t == 200 {
            detector.mask("busy", "vm4", true);
        }
        detector.advance(Time::from_secs(time + 10.0));
    }
}

/// Feeds LAD the records `records` of two hosts, of which one fails twice.
fn feed_lad(detector: &mut lad::Detector, records: std::ops::Range<u64>) {
    for i in records {
        let time = START + i as f64;
        let pick = (noise(7, i) * 6.0) as u64;
        let number = (noise(8, i) * 9000.0) as u64;
        let fails = (400..410).contains(&i) || (700..705).contains(&i);
        let text = match pick {
            _ if fails && i % 2 == 0 => {
                format!("blk_update_request: I/O error, dev sda, sector {number}")
            }
            0 => format!("Started Session {number} of user root."),
            1 => format!("session opened for user root by (uid={number})"),
            2 => format!("10.0.0.{} connected on port {number}", number % 250),
            3 => format!("domain vm-{} is running, {number} MiB in use", number % 9),
            4 => "Reached target Timers.".to_owned(),
            _ => format!("Removed slice user-{number}.slice"),
        };
        detector.observe(&Record {
            stream: if i % 5 == 0 { "other" } else { "host" },
            time: Time::from_secs(time),
            text: &text,
            priority: (i % 3 == 0).then_some(6),
            source: Source {
                program: b"kernel",
                ..Source::default()
            },
        });
        if i == 402 {
            detector.feedback("other", 1, Some(Verdict::Benign));
        }
    }
}

fn had_detector(settings: &[(&str, &str)]) -> had::Detector {
    let mut options = HadOptions::default();
    options.set("workload_changes", "true").unwrap();
    for (name, value) in settings {
        options.set(name, value).unwrap();
    }
    had::Detector::new(options).unwrap()
}

fn lad_detector(settings: &[(&str, &str)]) -> lad::Detector {
    let mut options = LadOptions::default();
    options.set("training", "100").unwrap();
    for (name, value) in settings {
        options.set(name, value).unwrap();
    }
    lad::Detector::new(options).unwrap()
}

/// The versions of which there are snapshots.
const VERSIONS: [&str; 2] = ["v1", "v2"];
/// Name of the file, and the options.
const HAD: [(&str, &[(&str, &str)]); 3] = [
    ("had-rank", &[("algorithm", "rank")]),
    ("had-zscore", &[("algorithm", "zscore")]),
    ("had-iad", &[("algorithm", "iad")]),
];
const LAD: [(&str, &[(&str, &str)]); 2] = [
    ("lad-symbolic", &[("mode", "symbolic")]),
    (
        "lad-paper",
        &[("mode", "paper"), ("anomaly_threshold", "0.06")],
    ),
];
/// Where each feed is interrupted: an incident and a silence are open, and events are pending.
const HAD_AT: u64 = 400;
const LAD_AT: u64 = 405;

/// The events of a feed, without texts, which may change, and without the keys of later versions.
fn comparable(lines: impl Iterator<Item = String>) -> Vec<serde_json::Value> {
    lines
        .map(|line| {
            let mut event: serde_json::Value = serde_json::from_str(&line).unwrap();
            let keys = event.as_object_mut().unwrap();
            let later = ["trusted", "device", "guest", "failed_unit"];
            for key in ["message", "reason", "incident", "phrase"]
                .iter()
                .chain(&later)
            {
                keys.remove(*key);
            }
            // Version 1 did not store since when a VM had changed alone.
            if keys["event"] == "workload_change" {
                keys.remove("since");
            }
            event
        })
        .collect()
}

fn folder(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/snapshots")
        .join(version)
}

/// The events that were expected for the rest of a feed.
fn expected(version: &str, name: &str) -> Vec<serde_json::Value> {
    let path = folder(version).join(format!("{name}.events"));
    let text = fs::read_to_string(path).unwrap();
    comparable(text.lines().map(str::to_owned))
}

/// A copy of a committed snapshot, because one that cannot be used would be renamed.
fn copied(version: &str, name: &str, to: &Path) -> PathBuf {
    let path = to.join(name);
    fs::copy(folder(version).join(name), &path).unwrap();
    path
}

fn fetched<D: Detector>(detector: &mut D) -> Vec<serde_json::Value> {
    let events = std::iter::from_fn(|| detector.next_event());
    comparable(events.map(|event| event.to_json()))
}

#[test]
fn had_continues_from_a_snapshot_of_each_earlier_version() {
    let to = tempfile::tempdir().unwrap();
    for (version, (name, settings)) in VERSIONS.into_iter().flat_map(|v| HAD.map(|of| (v, of))) {
        let mut detector = had_detector(settings);
        let path = copied(version, name, to.path());
        assert!(detector.load(&path).unwrap(), "{version} {name}");
        // A snapshot of this version gives the same.
        let snapshot = detector.snapshot().to_vec();
        let mut again = had_detector(settings);
        again.restore(&snapshot).unwrap();
        if name == "had-rank" {
            // Versions 1 and 2 judged every sample, however frequent: what they learned means nothing to their successor.
            let is_kept = |event: &serde_json::Value| event["event"] == "hypervisor_silence";
            let pending = fetched(&mut detector);
            assert!(!pending.is_empty(), "{version} {name}");
            assert!(expected(version, name).starts_with(&pending));
            assert_eq!(fetched(&mut again), pending);
            let rest = [detector, again].map(|mut detector| {
                feed_had(&mut detector, HAD_AT..700);
                fetched(&mut detector)
            });
            assert_eq!(rest[0], rest[1], "{version} {name}");
            let of = |events: &[serde_json::Value]| -> Vec<serde_json::Value> {
                let kept = events.iter().filter(|event| is_kept(event));
                kept.cloned().collect()
            };
            let all = [pending, rest[0].clone()].concat();
            assert_eq!(of(&all), of(&expected(version, name)));
            let is_over = |event: &serde_json::Value| {
                event["event"] == "hypervisor_anomaly" && event["state"] == "cleared"
            };
            assert!(rest[0].iter().any(is_over), "the open incident ends");
            continue;
        }
        for mut detector in [detector, again] {
            feed_had(&mut detector, HAD_AT..700);
            assert_eq!(
                fetched(&mut detector),
                expected(version, name),
                "{version} {name}"
            );
        }
    }
}

#[test]
fn lad_continues_from_a_snapshot_of_each_earlier_version() {
    let to = tempfile::tempdir().unwrap();
    for (version, (name, settings)) in VERSIONS.into_iter().flat_map(|v| LAD.map(|of| (v, of))) {
        let mut detector = lad_detector(settings);
        let path = copied(version, name, to.path());
        assert!(detector.load(&path).unwrap(), "{version} {name}");
        let snapshot = detector.snapshot().to_vec();
        let mut again = lad_detector(settings);
        again.restore(&snapshot).unwrap();
        for mut detector in [detector, again] {
            feed_lad(&mut detector, LAD_AT..1000);
            detector.advance(Time::from_secs(START + 1e6));
            assert_eq!(
                fetched(&mut detector),
                expected(version, name),
                "{version} {name}"
            );
        }
    }
}

#[test]
fn every_cleared_event_has_the_incident_of_a_raised_one_also_across_a_restart() {
    fn check<D: Detector>(name: &str, detector: &mut D) {
        let mut open = Vec::new();
        for event in std::iter::from_fn(|| detector.next_event()) {
            match event.state {
                State::Raised => {
                    assert!(!open.contains(&event.incident), "{name}: {event:?}");
                    open.push(event.incident);
                }
                State::Updated => assert!(open.contains(&event.incident), "{name}: {event:?}"),
                State::Cleared => {
                    let at = open.iter().position(|open| *open == event.incident);
                    open.swap_remove(at.unwrap_or_else(|| panic!("{name}: {event:?}")));
                }
            }
        }
        assert!(open.is_empty(), "{name}: {open:?}");
    }
    for (name, settings) in HAD {
        let mut detector = had_detector(settings);
        feed_had(&mut detector, 0..HAD_AT);
        let snapshot = detector.snapshot().to_vec();
        let mut detector = had_detector(settings);
        detector.restore(&snapshot).unwrap();
        feed_had(&mut detector, HAD_AT..700);
        check(name, &mut detector);
    }
    for (name, settings) in LAD {
        let mut detector = lad_detector(settings);
        feed_lad(&mut detector, 0..LAD_AT);
        let snapshot = detector.snapshot().to_vec();
        let mut detector = lad_detector(settings);
        detector.restore(&snapshot).unwrap();
        feed_lad(&mut detector, LAD_AT..1000);
        detector.advance(Time::from_secs(START + 1e6));
        check(name, &mut detector);
    }
}
