//! The cost of a message in the lexicon, by what it contains. Every figure is the time per message.

use std::hint::black_box;

use bellwether_core::inference::{Inference, Lexicon, Message};
use divan::Bencher;

fn main() {
    println!("The lexicon has {} phrases.\n", Lexicon::builtin().len());
    divan::main();
}

/// Messages per measurement.
const SAMPLE: u32 = 10_000;

/// Routine messages, 45 bytes on average, without a match.
const ORDINARY: &[&str] = &[
    "Started Session 4121 of User root.",
    "(root) CMD (run-parts /etc/cron.hourly)",
    "pam_unix(sudo:session): session closed for user root",
    "Starting Daily apt download activities...",
    "DHCPACK of 192.168.122.37 from 192.168.122.1",
    "worker-3 finished job 812 in 34 ms",
    "device vnet7 entered promiscuous mode",
    "Reloading configuration of nginx, 4 workers, pid 913",
];
/// Longer ones, 100 bytes, with words that begin like phrases of failure, and with things.
const NEAR_MISS: &[&str] = &[
    "Accepted publickey for deploy from 10.20.30.40 port 51234 ssh2: ED25519 SHA256:2oxdGuF8CnaufbYeewKd",
    "br0: port 2(tap17) entered forwarding state; topology of the bridge has changed, propagating to all",
    "[origin software=\"rsyslogd\" swVersion=\"8.2001.0\" x-pid=\"987\" x-info=\"https://www.rsyslog.com\"] start",
    "Session 4121 of user operator logged out after 3 hours of work, waiting for its processes to go away",
    "device sda: host bus adapter 3 reset its link speed; disk cache write through, error handling is on",
];
/// Weak words without a finding.
const WEAK: &[&str] = &[
    "connection to 10.20.30.40 port 8080 was closed by its peer, error is left to the caller to deal with",
    "backup of 12 volumes done: 3841 files copied, 0 failed, no errors, next run in 86400 seconds as usual",
    "Failed password for invalid user admin from 203.0.113.9 port 53122 ssh2, 3 attempts in this session",
];
/// Failures.
const FAILURE: &[&str] = &[
    "blk_update_request: I/O error, dev sda, sector 2048 op 0x0:(READ) flags 0x80700 phys_seg 1 prio 0",
    "INFO: task qemu-system-x86:4312 blocked for more than 120 seconds, and its guest waits for the disk",
    "Out of memory: Killed process 4312 (qemu-system-x86) total-vm:8388608kB, anon-rss:4194304kB",
];

#[divan::bench(args = ["ordinary", "near_miss", "weak", "failure"], sample_count = 21, sample_size = SAMPLE)]
fn message(bencher: Bencher, kind: &str) {
    let texts = match kind {
        "ordinary" => ORDINARY,
        "near_miss" => NEAR_MISS,
        "weak" => WEAK,
        _ => FAILURE,
    };
    let lexicon = Lexicon::builtin();
    // In an order that a processor cannot learn.
    let mut random = 1_u32;
    bencher.bench_local(|| {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let text = texts[(random >> 16) as usize % texts.len()];
        black_box(lexicon.read(&Message::of(black_box(text)).from_program("kernel")))
    });
}

#[divan::bench]
fn a_megabyte_of_random_text(bencher: Bencher) {
    let lexicon = Lexicon::builtin();
    let mut text = String::with_capacity(1 << 20);
    let mut rng = 1u32;
    while text.len() < 1 << 20 {
        rng = rng.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text.push(char::from(b' ' + (rng >> 24) as u8 % 95));
    }
    bencher
        .counter(divan::counter::BytesCount::new(text.len()))
        .bench(|| lexicon.read(&Message::of(black_box(&text)).from_program("kernel")));
}

#[divan::bench]
fn build() -> Lexicon {
    Lexicon::with_site_file("").expect("the built-in lexicon is well-formed")
}
