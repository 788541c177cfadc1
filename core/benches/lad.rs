//! What LAD costs a record, beside its parser alone in the same run: the difference is what comes after parsing. Every figure
//! is the time of one record, with known templates.
//!
//! The records are those of the VM failure logs where they are on the machine (`../shared/data/vm-failure-logs`), else
//! generated ones.

use std::hint::black_box;
use std::io::Read as _;
use std::sync::LazyLock;

use bellwether_core::drain::Miner;
use bellwether_core::lad::{Detector, LadOptions, Mode, Record, Sequence};
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

const LOGS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../shared/data/vm-failure-logs/logs"
);
/// Records of a sample, in their order.
const SAMPLE: usize = 40_000;

static RECORDS: LazyLock<Vec<String>> = LazyLock::new(|| recorded().unwrap_or_else(generated));

/// The messages of the first logs of ordinary life, one log after the other.
fn recorded() -> Option<Vec<String>> {
    let mut files: Vec<_> = std::fs::read_dir(LOGS)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    files.sort();
    let mut records = Vec::new();
    for file in files {
        let mut text = String::new();
        flate2::read::GzDecoder::new(std::fs::File::open(file).ok()?)
            .read_to_string(&mut text)
            .ok()?;
        let messages = text.lines().filter_map(|line| line.split_once(": "));
        records.extend(messages.map(|(_, message)| message.to_owned()));
        if records.len() >= SAMPLE {
            records.truncate(SAMPLE);
            return Some(records);
        }
    }
    None
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

#[divan::bench]
fn drain_alone(bencher: Bencher) {
    let mut miner = Miner::new(LadOptions::default().drain).expect("the defaults agree");
    for text in RECORDS.iter() {
        miner.add(text);
    }
    bencher.counter(ItemsCount::new(SAMPLE)).bench_local(|| {
        for text in RECORDS.iter() {
            black_box(miner.add(black_box(text)));
        }
    });
}

/// A detector that knows the records, and as many windows besides.
fn detector(mode: Mode, windows: u64) -> Detector {
    let options = LadOptions {
        mode,
        ..LadOptions::default()
    };
    let mut detector = Detector::new(options).expect("the defaults agree");
    for text in RECORDS.iter() {
        observe(&mut detector, text);
    }
    // In another order, the same records make windows that are new.
    for i in 0..windows {
        let at = i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
        observe(&mut detector, &RECORDS[at as usize % SAMPLE]);
    }
    while detector.next_event().is_some() {}
    detector
}

fn observe(detector: &mut Detector, text: &str) -> f64 {
    let record = Record {
        stream: "host-1",
        time: 1.7e9,
        text,
        priority: None,
    };
    detector.observe(&record).score
}

#[divan::bench(args = [0, 200_000])]
fn lad_with_other_windows(bencher: Bencher, windows: u64) {
    let mut detector = detector(Mode::Symbolic, windows);
    bencher.counter(ItemsCount::new(SAMPLE)).bench_local(|| {
        for text in RECORDS.iter() {
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
