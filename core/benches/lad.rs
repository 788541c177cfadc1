//! The cost of a record in LAD, compared with its parser alone in the same run: the difference is what follows parsing. Every
//! figure is the time per record, with known templates.
//!
//! The records are those of the VM failure logs if they are available (`../shared/data/vm-failure-logs`), otherwise generated
//! ones.

mod recorded;

use std::hint::black_box;
use std::sync::LazyLock;

use bellwether_core::drain::Miner;
use bellwether_core::lad::{Detector, LadOptions, Mode, Record, Sequence, Source};
use bellwether_core::units::Time;
use divan::Bencher;
use divan::counter::ItemsCount;

fn main() {
    println!(
        "All times are of {} records, {:.0} bytes on average; items/s are records a second.\n",
        RECORDS.len(),
        RECORDS.iter().map(String::len).sum::<usize>() as f64 / RECORDS.len() as f64
    );
    divan::main();
}

/// Records per measurement, in order.
const SAMPLE: usize = 40_000;

static RECORDS: LazyLock<Vec<String>> = LazyLock::new(|| recorded().unwrap_or_else(generated));

/// The messages of the first logs without failures, one log after the other.
fn recorded() -> Option<Vec<String>> {
    let records: Vec<_> = recorded::recorded()?.take(SAMPLE).collect();
    (records.len() == SAMPLE).then_some(records)
}

fn generated() -> Vec<String> {
    (0..SAMPLE)
        .map(|i| match i * 7 % 5 {
            0 => format!(
                "[{i}.{:06}] device vnet{} entered promiscuous mode",
                i * 7 % 999_999,
                i % 30
            ),
            1 => format!("Started Session {i} of User root."),
            2 => format!(
                "Accepted publickey for root from 10.0.{}.{} port {} ssh2",
                i % 256,
                i % 251,
                i
            ),
            3 => format!("(root) CMD (run-parts /etc/cron.hourly {i})"),
            _ => format!("worker-{} finished job {i} in {} ms", i % 8, i % 977),
        })
        .collect()
}

/// A detector that knows the records, and as many further windows.
fn detector(mode: Mode, records: &[String], windows: u64) -> Detector {
    let options = LadOptions {
        mode,
        ..LadOptions::default()
    };
    let mut detector = Detector::new(options).expect("the defaults agree");
    for text in records {
        observe(&mut detector, text);
    }
    // In another order, the same records give new windows.
    for i in 0..windows {
        let at = i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        observe(&mut detector, &records[at as usize % SAMPLE]);
    }
    while detector.next_event().is_some() {}
    detector
}

fn observe(detector: &mut Detector, text: &str) -> f64 {
    let record = Record {
        stream: "host-1",
        time: Time::from_secs(1.7e9),
        text,
        priority: None,
        source: Source::default(),
    };
    detector.observe(&record).score.get()
}

/// A kind of records: with different numbers every time, which the parser masks, or with different words.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// The recorded or generated ones, whose masked texts repeat.
    Recorded,
    /// The same with different numbers, which the verdict cache ignores.
    Numbers,
    /// Lines with words that begin like phrases of failure, and different numbers every time.
    NearMiss,
    /// The same with a word that never repeats: no verdict is cached.
    NeverAgain,
    /// Lines with words of failure but no finding, and different numbers every time.
    Weak,
}

impl Kind {
    const ALL: [Kind; 5] = [
        Kind::Recorded,
        Kind::Numbers,
        Kind::NearMiss,
        Kind::NeverAgain,
        Kind::Weak,
    ];

    fn records(self) -> Vec<String> {
        if matches!(self, Kind::Recorded) {
            return RECORDS.clone();
        }
        let mut random = 1_u64;
        let mut next = |below: u64| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (random >> 33) % below
        };
        (0..SAMPLE as u64)
            .map(|i| {
                let (a, b) = (next(1_000), next(100_000));
                match (self, i % 4) {
                    (Kind::Weak, 0) => format!("backup of {a} volumes done: {b} files copied, 0 failed, no errors, next run later"),
                    (Kind::Weak, 1) => format!("Failed password for admin from 203.0.113.{a} port {b} ssh2"),
                    (Kind::Weak, 2) => format!("connection to 10.20.30.40 port {b} closed by peer, error {a} is left to the caller"),
                    (Kind::Weak, _) => format!("retry {a} of job {b}: timeout is not reached, and nothing is lost"),
                    (Kind::Numbers, 0) => format!("worker-{} finished job {a} in {b} ms", a % 8),
                    (Kind::Numbers, 1) => format!("Started Session {b} of User root."),
                    (Kind::Numbers, 2) => format!("DHCPACK of 192.168.{}.{} from 192.168.122.1", a % 256, b % 256),
                    (Kind::Numbers, _) => format!("Reloading configuration, {a} workers, pid {b}"),
                    (Kind::NearMiss, 0) => format!("Accepted publickey for deploy from 10.20.30.40 port {b} ssh2: ED25519 SHA256:2oxdGuF8CnaufbYeewKd"),
                    (Kind::NearMiss, 1) => format!("br0: port {a}(tap) entered forwarding state; topology of the bridge has changed, propagating"),
                    (Kind::NearMiss, 2) => format!("Session {b} of user operator logged out after {a} hours of work, waiting for its processes"),
                    (Kind::NearMiss, _) => format!("device sda: host bus adapter {a} reset its link; disk cache write through, error handling is on"),
                    (_, 0) => format!("Accepted publickey for u{b}x{i} from 10.20.30.40 port {b} ssh2: ED25519 SHA256"),
                    (_, 1) => format!("br0: port {a} (tap{i}) entered forwarding state; topology of the bridge has changed"),
                    (_, 2) => format!("Session {b} of user op{i} logged out after {a} hours of work, waiting for its processes"),
                    (_, _) => format!("device vd{i}: host bus adapter {a} reset its link; disk cache write through"),
                }
            })
            .collect()
    }
}

#[divan::bench(args = Kind::ALL)]
fn drain_alone(bencher: Bencher, kind: Kind) {
    let records = kind.records();
    let mut miner = Miner::new(LadOptions::default().drain).expect("the defaults agree");
    for text in &records {
        miner.add(text);
    }
    bencher.counter(ItemsCount::new(SAMPLE)).bench_local(|| {
        for text in &records {
            black_box(miner.add(black_box(text)));
        }
    });
}

#[divan::bench(args = Kind::ALL)]
fn lad(bencher: Bencher, kind: Kind) {
    whole(bencher, kind, 0);
}

#[divan::bench]
fn lad_with_200000_other_windows(bencher: Bencher) {
    whole(bencher, Kind::Recorded, 200_000);
}

fn whole(bencher: Bencher, kind: Kind, windows: u64) {
    let records = kind.records();
    let mut detector = detector(Mode::Symbolic, &records, windows);
    bencher.counter(ItemsCount::new(SAMPLE)).bench_local(|| {
        for text in &records {
            black_box(observe(&mut detector, black_box(text)));
        }
        while detector.next_event().is_some() {}
    });
}

#[divan::bench(args = [Mode::Symbolic, Mode::Paper])]
fn keys_alone(bencher: Bencher, mode: Mode) {
    let mut miner = Miner::new(LadOptions::default().drain).expect("the defaults agree");
    let keys: Vec<u64> = RECORDS.iter().map(|text| miner.add(text).cluster).collect();
    let options = LadOptions {
        mode,
        ..LadOptions::default()
    };
    let mut sequence = Sequence::new(&options);
    bencher.counter(ItemsCount::new(SAMPLE)).bench_local(|| {
        for &key in &keys {
            black_box(sequence.observe(&options, black_box(key), 0.0, false));
        }
    });
}

/// The similarity thresholds of figure 9 of VMFT-LAD's dissertation.
const SIMILARITIES: [f64; 10] = [0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45];

/// The options of that figure.
fn figure_9(similarity_threshold: f64) -> LadOptions {
    LadOptions {
        mode: Mode::Paper,
        push: false,
        anomaly_threshold: 0.5,
        similarity_threshold,
        ..LadOptions::default()
    }
}

static KEYS: LazyLock<Vec<u64>> = LazyLock::new(|| {
    let mut miner = Miner::new(LadOptions::default().drain).expect("the defaults agree");
    RECORDS.iter().map(|text| miner.add(text).cluster).collect()
});

#[divan::bench(args = SIMILARITIES)]
fn paper_by_similarity_threshold(bencher: Bencher, similarity: f64) {
    let options = figure_9(similarity);
    let mut sequence = Sequence::new(&options);
    bencher.counter(ItemsCount::new(SAMPLE)).bench_local(|| {
        for &key in KEYS.iter() {
            black_box(sequence.observe(&options, black_box(key), 0.0, false));
        }
    });
}

/// The same with the training windows in a plain list, in order of arrival.
#[divan::bench(args = SIMILARITIES)]
fn paper_with_a_list(bencher: Bencher, similarity: f64) {
    let options = figure_9(similarity);
    let windows = KEYS[..options.training].windows(options.window_size);
    let mut list: Vec<&[u64]> = Vec::new();
    for window in windows {
        if !list.contains(&window) {
            list.push(window);
        }
    }
    let distance = |a: &[u64], b: &[u64]| {
        let apart: u64 = a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).sum();
        (apart as f64 / b.iter().sum::<u64>() as f64).min(1.0)
    };
    bencher.counter(ItemsCount::new(SAMPLE)).bench_local(|| {
        for window in KEYS.windows(options.window_size) {
            let mut smallest = 1.0_f64;
            for known in &list {
                smallest = smallest.min(distance(black_box(window), known));
                if smallest <= similarity {
                    break;
                }
            }
            black_box(smallest);
        }
    });
}
