//! What LAD and its parser take when they are fed what no limit was made for: time a record on the processor, beside that of
//! ordinary records, and the most memory held, looked at every few hundred records.

use std::alloc::System;

use bellwether_core::lad::{Detector, LadOptions, Record};
use cap::Cap;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

fn main() {
    // `cargo bench NAME` runs every bench with the name as a filter.
    let mut filters = std::env::args().skip(1).filter(|a| !a.starts_with('-'));
    if filters
        .next()
        .is_some_and(|filter| !"explosion".contains(&filter))
    {
        return;
    }
    println!(
        "{:44} {:>10} {:>8} {:>9} {:>8}",
        "LAD with its defaults, fed", "records", "ns each", "peak MiB", "streams"
    );
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let ordinary = |i: u64, text: &mut String| {
        *text = match i % 4 {
            0 => format!("Started Session {i} of User root."),
            1 => format!("DHCPACK of 192.168.122.{} from 192.168.122.1", i % 251),
            2 => format!("worker-{} finished job {i} in {} ms", i % 8, i % 977),
            _ => "pam_unix(sudo:session): session closed for user root".to_owned(),
        }
    };
    feed("ordinary records", 1_000_000, 1, ordinary);
    feed("lines with nothing in common", 10_000_000, 1, |_, text| {
        random.words(8, 6, text);
    });
    feed("lines of few letters", 1_000_000, 1, |_, text| {
        random.words(8, 2, text);
    });
    feed("lines of 1 MB", 2_000, 1, |_, text| {
        random.words(150_000, 6, text);
    });
    feed("binary rubbish, 100 bytes", 1_000_000, 1, |_, text| {
        let bytes: Vec<u8> = (0..100).map(|_| random.next() as u8).collect();
        *text = String::from_utf8_lossy(&bytes).into_owned();
    });
    feed(
        "ordinary records of 100,000 hosts",
        1_000_000,
        100_000,
        ordinary,
    );
    feed(
        "explosions of 100,000 hosts",
        1_000_000,
        100_000,
        |_, text| {
            random.words(8, 6, text);
        },
    );
}

/// Feeds so many records in turn to so many streams, and prints what they cost.
fn feed(name: &str, records: u64, streams: u64, mut record: impl FnMut(u64, &mut String)) {
    let before = ALLOCATOR.allocated();
    let mut peak = 0;
    let options = LadOptions {
        max_streams: 1_000_000,
        ..LadOptions::default()
    };
    let mut detector = Detector::new(options).expect("the defaults agree");
    let (mut text, mut stream) = (String::new(), String::new());
    let mut spent_ns = 0;
    // Making the records takes time, too: some are made before the clock starts.
    let size = 500_u64.min(records / 100);
    let mut batch: Vec<(String, String)> = Vec::new();
    for from in (0..records).step_by(size as usize) {
        batch.clear();
        for i in from..(from + size).min(records) {
            record(i, &mut text);
            stream.clear();
            stream.push_str(&format!("host-{}", i % streams));
            batch.push((stream.clone(), text.clone()));
        }
        let texts: usize = batch.iter().map(|(s, t)| s.capacity() + t.capacity()).sum();
        let start = cpu_ns();
        for (stream, text) in &batch {
            detector.observe(&Record {
                stream,
                time: from as f64,
                text,
                priority: None,
            });
        }
        spent_ns += cpu_ns() - start;
        while detector.next_event().is_some() {}
        let held = ALLOCATOR.allocated().saturating_sub(before + texts);
        peak = peak.max(held);
    }
    println!(
        "{name:44} {records:>10} {:>8} {:>9.1} {:>8}",
        spent_ns / records,
        peak as f64 / f64::from(1 << 20),
        detector.counters().streams
    );
}

/// Time that this thread has had on a processor, in nanoseconds; the time of the clock where the system does not say.
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

/// Marsaglia's xorshift.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A line of so many words of so many letters out of 16.
    fn words(&mut self, words: u32, letters: u32, line: &mut String) {
        line.clear();
        for _ in 0..words {
            let word = self.next();
            line.extend((0..letters).map(|i| char::from(b'g' + ((word >> (4 * i)) & 15) as u8)));
            line.push(' ');
        }
    }
}
