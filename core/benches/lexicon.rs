//! What the lexicon costs a message, by what it finds in it.

use std::hint::black_box;

use bellwether_core::inference::{Inference, Lexicon};
use divan::Bencher;

fn main() {
    println!("The lexicon has {} phrases.\n", Lexicon::builtin().len());
    divan::main();
}

/// Messages of about 100 bytes with nothing in them.
const MISS: &[&str] = &[
    "Accepted publickey for deploy from 10.20.30.40 port 51234 ssh2: ED25519 SHA256:2oxdGuF8CnaufbYeewKd",
    "br0: port 2(tap17) entered forwarding state; topology of the bridge has changed, propagating to all",
    "[origin software=\"rsyslogd\" swVersion=\"8.2001.0\" x-pid=\"987\" x-info=\"https://www.rsyslog.com\"] start",
    "Session 4121 of user operator logged out after 3 hours of work, waiting for its processes to go away",
];
/// A weak word, which comes to nothing.
const WEAK: &str = "connection to 10.20.30.40 port 8080 was closed by its peer, error is left to the caller to deal with";
/// A failure.
const HIT: &str = "blk_update_request: I/O error, dev sda, sector 2048 op 0x0:(READ) flags 0x80700 phys_seg 1 prio 0";

#[divan::bench]
fn miss(bencher: Bencher) {
    let lexicon = Lexicon::builtin();
    bencher
        .counter(divan::counter::ItemsCount::new(MISS.len()))
        .bench(|| {
            for text in MISS {
                black_box(lexicon.judge(black_box(text), ""));
            }
        });
}

#[divan::bench(args = [WEAK, HIT])]
fn one(bencher: Bencher, text: &str) {
    let lexicon = Lexicon::builtin();
    bencher.bench(|| lexicon.judge(black_box(text), ""));
}

#[divan::bench]
fn a_megabyte_of_rubbish(bencher: Bencher) {
    let lexicon = Lexicon::builtin();
    let mut text = String::with_capacity(1 << 20);
    let mut rng = 1u32;
    while text.len() < 1 << 20 {
        rng = rng.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text.push(char::from(b' ' + (rng >> 24) as u8 % 95));
    }
    bencher
        .counter(divan::counter::BytesCount::new(text.len()))
        .bench(|| lexicon.judge(black_box(&text), ""));
}

#[divan::bench]
fn build() -> Lexicon {
    Lexicon::with_site_file("").expect("the lexicon built in is well-formed")
}
