//! Drain and LAD with a template explosion: time per record and per byte, compared with recorded logs and ordinary records (as
//! they are, and of the same length), and the maximum memory of LAD after a few hundred records.

mod random;
mod recorded;

use std::alloc::System;

use bellwether_core::drain::Miner;
use bellwether_core::lad::{Detector, LadOptions, Record, Source};
use bellwether_core::units::Time;
use cap::Cap;
use random::Random;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

fn main() {
    // `cargo bench NAME` runs every benchmark with the name as a filter.
    let mut filters = std::env::args().skip(1).filter(|a| !a.starts_with('-'));
    if filters
        .next()
        .is_some_and(|filter| !"explosion".contains(&filter))
    {
        return;
    }
    println!(
        "{:42} {:>9} {:>7} {:>16} {:>16} {:>9} {:>8}",
        "with the defaults; ns a record (a byte)",
        "records",
        "bytes",
        "Drain",
        "LAD with it",
        "peak MiB",
        "streams"
    );
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    if let Some(logs) = recorded::recorded() {
        let logs: Vec<String> = logs.collect();
        let count = logs.len() as u64;
        feed("the VM failure logs", 2 * count, 1, |i, text| {
            text.clone_from(&logs[(i % count) as usize]);
        });
    }
    feed("ordinary records", 1_000_000, 1, ordinary);
    feed("ordinary records of 8 words, 56 bytes", 1_000_000, 1, alike);
    let mut words = |words, letters| {
        let mut random = Random(random.next());
        move |_, text: &mut String| random.words(words, letters, text)
    };
    feed("8 words with nothing in common", 10_000_000, 1, words(8, 6));
    feed("8 words of two letters", 1_000_000, 1, words(8, 2));
    feed(
        "30 words with nothing in common",
        1_000_000,
        1,
        words(30, 6),
    );
    feed("lines of 1 MB", 2_000, 1, words(150_000, 6));
    feed("ordinary lines of 1 MB", 2_000, 1, |i, text| {
        *text = "unit says that all is well ".repeat(39_000);
        text.push_str(["now", "then"][i as usize % 2]);
    });
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    feed("binary rubbish", 1_000_000, 1, |_, text| {
        let bytes: Vec<u8> = (0..100).map(|_| random.next() as u8).collect();
        *text = String::from_utf8_lossy(&bytes).into_owned();
    });
    let hosts = 100_000;
    feed(
        "ordinary records of 100,000 hosts",
        1_000_000,
        hosts,
        // Each of them says all that there is to say.
        |i, text| ordinary(i + i / hosts, text),
    );
    feed(
        "8 words each of 100,000 hosts",
        1_000_000,
        hosts,
        words(8, 6),
    );
}

fn ordinary(i: u64, text: &mut String) {
    *text = match i % 4 {
        0 => format!("Started Session {i} of User root."),
        1 => format!("DHCPACK of 192.168.122.{} from 192.168.122.1", i % 251),
        2 => format!("worker-{} finished job {i} in {} ms", i % 8, i % 977),
        _ => "pam_unix(sudo:session): session closed for user root".to_owned(),
    }
}

/// Eight words of six letters on average.
fn alike(i: u64, text: &mut String) {
    *text = match i % 4 {
        0 => format!(
            "Session number {:06} of operator was opened through {:05}",
            i,
            i % 99_991
        ),
        1 => format!(
            "worker {:02} finished another nightly backup after {:06} ms",
            i % 8,
            i
        ),
        2 => format!(
            "device vnet{:02} entered blocking state, forwarding {:05} kB",
            i % 16,
            i % 977
        ),
        _ => "accepted another connection from monitoring as expected".to_owned(),
    }
}

/// Feeds records in turn to a number of streams, and for a single stream also to a parser alone; prints their cost.
fn feed(name: &str, records: u64, streams: u64, mut record: impl FnMut(u64, &mut String)) {
    let before = ALLOCATOR.allocated();
    let options = LadOptions {
        max_streams: 1_000_000,
        ..LadOptions::default()
    };
    let mut detector = Detector::new(options.clone()).expect("the defaults agree");
    let mut peak = 0;
    let lad = each_batch(records, streams, &mut record, |batch| {
        let texts: usize = batch.iter().map(|(s, t)| s.capacity() + t.capacity()).sum();
        let start = cpu_ns();
        for (stream, text) in batch {
            detector.observe(&Record {
                stream,
                time: Time::from_secs(1.7e9),
                text,
                priority: None,
                source: Source::default(),
            });
        }
        let spent = cpu_ns() - start;
        while detector.next_event().is_some() {}
        peak = peak.max(ALLOCATOR.allocated().saturating_sub(before + texts));
        spent
    });
    let streams_left = detector.counters().streams;
    drop(detector);
    let drain = (streams == 1).then(|| {
        let mut miner = Miner::new(options.drain).expect("the defaults agree");
        each_batch(records.min(1_000_000), streams, &mut record, |batch| {
            let start = cpu_ns();
            for (_, text) in batch {
                miner.add(text);
            }
            cpu_ns() - start
        })
    });
    let bytes = lad.bytes;
    let cost = |cost: &Cost| format!("{:.0} ({:.1})", cost.ns, cost.ns / bytes);
    println!(
        "{name:42} {records:>9} {bytes:>7.0} {:>16} {:>16} {:>9.1} {streams_left:>8}",
        drain.as_ref().map_or("-".into(), cost),
        cost(&lad),
        peak as f64 / f64::from(1 << 20),
    );
}

/// The average cost of a record.
struct Cost {
    ns: f64,
    bytes: f64,
}

/// Generates records in batches, outside of the measurement, and returns the time that it took to observe them.
fn each_batch(
    records: u64,
    streams: u64,
    mut record: impl FnMut(u64, &mut String),
    mut judge: impl FnMut(&[(String, String)]) -> u64,
) -> Cost {
    let size = 500_u64.min(records / 100);
    let (mut ns, mut bytes) = (0, 0);
    for from in (0..records).step_by(size as usize) {
        let of = |i: u64| {
            let mut text = String::new();
            record(i, &mut text);
            (format!("host-{}", i % streams), text)
        };
        let batch: Vec<_> = (from..(from + size).min(records)).map(of).collect();
        bytes += batch.iter().map(|(_, text)| text.len()).sum::<usize>();
        ns += judge(&batch);
    }
    Cost {
        ns: ns as f64 / records as f64,
        bytes: bytes as f64 / records as f64,
    }
}

/// CPU time of this thread in nanoseconds; wall-clock time if that is unavailable.
fn cpu_ns() -> u64 {
    let said = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    said.and_then(|text| text.split(' ').next()?.parse().ok())
        .unwrap_or_else(|| {
            static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
            START
                .get_or_init(std::time::Instant::now)
                .elapsed()
                .as_nanos() as u64
        })
}
