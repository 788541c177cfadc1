//! What the tests draw at random, and how they call.

use std::ffi::c_char;
use std::path::Path;
use std::{fs, ptr};

use bellwether::*;
use fastrand::Rng;

#[path = "hostile.rs"]
mod numbers;

use numbers::HOSTILE;

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
            let message = read(bw_error_message(error)).unwrap();
            assert_ne!(code, bw_result::BW_PANIC, "{message}");
            assert!(!message.is_empty());
            bw_error_free(error);
        }
    }
    code
}

/// A string that the library gave, if it gave one.
///
/// # Safety
/// It lives as long as it is used.
pub unsafe fn read<'a>(string: bw_string) -> Option<&'a str> {
    if string.data.is_null() {
        return None;
    }
    // SAFETY: passed on to the caller.
    let bytes = unsafe { std::slice::from_raw_parts(string.data.cast(), string.size) };
    Some(std::str::from_utf8(bytes).expect("libbellwether's strings are UTF-8"))
}

/// `bytes` as a field of a struct.
pub fn string(bytes: &[u8]) -> bw_string {
    let (data, size) = c(bytes);
    bw_string { data, size }
}

/// The value of a counter.
pub fn counter(detector: *const bw_detector, wanted: &str) -> u64 {
    for index in 0.. {
        let (mut name, mut value) = (string(b""), 0);
        // SAFETY: the detector is ours, and both places may be written to; names are static.
        unsafe {
            let found = bw_detector_counter(detector, index, &mut name, &mut value);
            assert!(found, "there is no counter {wanted}");
            if read(name) == Some(wanted) {
                return value;
            }
        }
    }
    unreachable!()
}

/// A kind of detector, and what some of its options take: words, and lists or rules, not all of them sound.
pub struct Half {
    pub name: &'static str,
    pub words: &'static [&'static str],
    pub lists: &'static [&'static str],
}

impl Half {
    /// A value for any option: one that some option takes, or one that none does.
    fn option_value(&self, rng: &mut Rng, default: &str) -> String {
        match rng.u8(..8) {
            0 => default.to_owned(),
            1 => rng.bool().to_string(),
            2 => rng.choice(self.words).unwrap().to_string(),
            3 => rng.u16(..300).to_string(),
            4 => rng.f64().to_string(),
            5 => hostile(rng).to_string(),
            6 => rng.choice(self.lists).unwrap().to_string(),
            _ => String::from_utf8_lossy(&hostile_name(rng)).into_owned(),
        }
    }

    /// A detector with the options `first`, and some others set to a value that is drawn for them; or with the defaults where
    /// they contradict each other. No option has a file of this machine read.
    pub fn detector(&self, rng: &mut Rng, first: &[(&str, &str)]) -> *mut bw_detector {
        let (name, name_len) = c(self.name.as_bytes());
        // SAFETY: the name has this length.
        let new = || unsafe { bw_options_new(name, name_len, ptr::null_mut()) };
        let options = new();
        let set = |name: &str, value: &str| {
            let ((name, name_len), (value, value_len)) = (c(name.as_bytes()), c(value.as_bytes()));
            // SAFETY: the options are ours, and the strings have these lengths.
            coded(|error| unsafe {
                bw_options_set(options, name, name_len, value, value_len, error)
            })
        };
        for (name, value) in first {
            set(name, value);
        }
        for _ in 0..rng.u8(..12) {
            // SAFETY: zeros are a size, and pointers that are NULL.
            let mut info: bw_option_info = unsafe { std::mem::zeroed() };
            info.size = size_of::<bw_option_info>();
            // SAFETY: the options are ours, `info` has the size that it says, and its strings live as long as the options.
            let (name, default) = unsafe {
                let index = rng.usize(..bw_options_count(options));
                coded(|error| bw_options_describe(options, index, &mut info, error));
                (read(info.name).unwrap(), read(info.default_value).unwrap())
            };
            if name != "lexicon" {
                set(name, &self.option_value(rng, default));
            }
        }
        let mut made = ptr::null_mut();
        // SAFETY: the options are ours until they are freed, once.
        unsafe {
            coded(|error| {
                made = bw_detector_new(options, error);
                match made.is_null() {
                    true => bw_error_code(*error),
                    false => bw_result::BW_OK,
                }
            });
            bw_options_free(options);
            if made.is_null() {
                let defaults = new();
                made = bw_detector_new(defaults, ptr::null_mut());
                bw_options_free(defaults);
            }
            made
        }
    }

    /// Saves `detector`, damages the file now and then, and loads it.
    pub fn save_and_load(&self, rng: &mut Rng, detector: *mut bw_detector, folder: &Path) {
        let path = folder.join("state");
        let (start, length) = c(path.as_os_str().as_encoded_bytes());
        // SAFETY: the detector is ours, and the path has this length.
        let code = coded(|error| unsafe { bw_detector_save(detector, start, length, error) });
        assert_eq!(code, bw_result::BW_OK);
        let damaged = rng.bool();
        if damaged {
            let mut bytes = fs::read(&path).unwrap();
            let at = rng.usize(..bytes.len());
            if rng.bool() {
                bytes[at] ^= 1 << rng.u8(..8);
            } else {
                bytes.truncate(at);
            }
            fs::write(&path, bytes).unwrap();
        }
        // SAFETY: as above.
        let code = coded(|error| unsafe { bw_detector_load(detector, start, length, error) });
        let right = if damaged {
            bw_result::BW_SNAPSHOT_UNUSABLE
        } else {
            bw_result::BW_OK
        };
        assert_eq!(code, right);
        for file in fs::read_dir(folder).unwrap() {
            fs::remove_file(file.unwrap().path()).unwrap();
        }
    }

    /// The next event that waits, as JSON, which is in its ranges.
    pub fn next_event(&self, detector: *mut bw_detector) -> Option<serde_json::Value> {
        // SAFETY: the detector is ours, and so is the event until it is freed, after its last string was read.
        unsafe {
            let event = bw_detector_next_event(detector);
            if event.is_null() {
                return None;
            }
            let json = read(bw_event_json(event)).unwrap();
            let json: serde_json::Value = serde_json::from_str(json).unwrap();
            assert_eq!(json.as_object().unwrap().len(), bw_event_field_count(event));
            bw_event_free(event);
            let score = json["score"].as_f64().unwrap();
            assert!((0.0..=1.0).contains(&score), "{json}");
            assert!(
                json["time"].is_number() && json["since"].is_number(),
                "{json}"
            );
            assert!(json["message"].as_str().unwrap().len() <= 255, "{json}");
            Some(json)
        }
    }
}
