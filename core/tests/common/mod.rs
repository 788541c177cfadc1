//! What the tests of HAD share.

use bellwether_core::had::{Detector, HadOptions};

/// A detector with these options, by name and value; of those given twice, the last counts.
pub fn detector(options: &[(&str, &str)]) -> Detector {
    let mut all = HadOptions::default();
    for (name, value) in options {
        all.set(name, value).unwrap();
    }
    Detector::new(all).unwrap()
}

/// A pseudo-random number in -1..1, the same in every run.
pub fn noise(seed: u64, t: u64) -> f64 {
    let mut x = (seed << 32 ^ t).wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((x ^ (x >> 31)) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}
