//! What the tests draw at random, and how they call.

use std::ffi::{CStr, c_char};
use std::ptr;

use bellwether::*;
use fastrand::Rng;

/// Numbers at which arithmetic breaks.
const HOSTILE: [f64; 18] = [
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::MAX,
    f64::MIN,
    f64::MIN_POSITIVE,
    f64::EPSILON,
    5e-324,
    0.0,
    -0.0,
    -1.0,
    1e-9,
    1e11,
    -1e11,
    1e18,
    9.3e18,
    1e154,
    1e300,
];

pub fn hostile(rng: &mut Rng) -> f64 {
    match rng.u8(..4) {
        0 => f64::from_bits(rng.u64(..)),
        1 => (rng.f64() - 0.5) * 10f64.powi(rng.i32(-30..30)),
        _ => HOSTILE[rng.usize(..HOSTILE.len())],
    }
}

/// A name that no fleet has, and whether it can be a text at all.
pub fn hostile_name(rng: &mut Rng) -> Vec<u8> {
    let length = match rng.u8(..4) {
        0 => 0,
        1 => rng.usize(1..8),
        2 => rng.usize(500..530),
        _ => 100_000,
    };
    match rng.u8(..3) {
        0 => vec![b'x'; length],
        1 => "\u{10ffff}".repeat(length / 4).into_bytes(),
        _ => (0..length).map(|_| rng.u8(..)).collect(),
    }
}

/// Pointer and length, as every string goes in.
pub fn c(bytes: &[u8]) -> (*const c_char, usize) {
    (bytes.as_ptr().cast(), bytes.len())
}

/// The code of a call that was asked for its error, which has a message where and only where the call failed.
pub fn coded(call: impl FnOnce(*mut *mut bw_error) -> bw_result) -> bw_result {
    let mut error = ptr::null_mut();
    let code = call(&mut error);
    assert_eq!(error.is_null(), code == bw_result::BW_OK);
    if !error.is_null() {
        // SAFETY: the call made the error, which is freed once, after its message was read.
        unsafe {
            let message = CStr::from_ptr(bw_error_message(error)).to_string_lossy();
            assert_ne!(code, bw_result::BW_PANIC, "{message}");
            assert!(!message.is_empty());
            bw_error_free(error);
        }
    }
    code
}
