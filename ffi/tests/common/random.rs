//! What the tests draw at random, and how they call.

use std::ffi::{CStr, c_char};
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
            let message = CStr::from_ptr(bw_error_message(error)).to_string_lossy();
            assert_ne!(code, bw_result::BW_PANIC, "{message}");
            assert!(!message.is_empty());
            bw_error_free(error);
        }
    }
    code
}

/// What a half of the interface has for options and a detector with them: `O` and `D` are the handles.
pub struct Half<O, D> {
    pub options_new: extern "C" fn() -> *mut O,
    pub options_set: unsafe extern "C" fn(
        *mut O,
        *const c_char,
        usize,
        *const c_char,
        usize,
        *mut *mut bw_error,
    ) -> bw_result,
    pub options_free: unsafe extern "C" fn(*mut O),
    pub count: extern "C" fn() -> usize,
    pub describe: unsafe extern "C" fn(usize, *mut bw_option_info, *mut *mut bw_error) -> bw_result,
    pub new: unsafe extern "C" fn(*const O, *mut *mut bw_error) -> *mut D,
    pub save: unsafe extern "C" fn(*const D, *const c_char, usize, *mut *mut bw_error) -> bw_result,
    pub load: unsafe extern "C" fn(*mut D, *const c_char, usize, *mut *mut bw_error) -> bw_result,
    pub next_event: unsafe extern "C" fn(*mut D) -> *mut bw_event,
    /// What is not a number, a text of chance or the like, and some option takes: words, and lists or rules, not all of them sound.
    pub words: &'static [&'static str],
    pub lists: &'static [&'static str],
}

impl<O, D> Half<O, D> {
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
    pub fn detector(&self, rng: &mut Rng, first: &[(&str, &str)]) -> *mut D {
        let options = (self.options_new)();
        let set = |name: &str, value: &str| {
            let ((name, name_len), (value, value_len)) = (c(name.as_bytes()), c(value.as_bytes()));
            // SAFETY: the options are ours, and the strings have these lengths.
            coded(|error| unsafe {
                (self.options_set)(options, name, name_len, value, value_len, error)
            })
        };
        for (name, value) in first {
            set(name, value);
        }
        for _ in 0..rng.u8(..12) {
            // SAFETY: zeros are a size, and pointers that are NULL.
            let mut info: bw_option_info = unsafe { std::mem::zeroed() };
            info.size = size_of::<bw_option_info>();
            let index = rng.usize(..(self.count)());
            // SAFETY: `info` has the size that it says, and gets static strings.
            let (name, default) = unsafe {
                coded(|error| (self.describe)(index, &mut info, error));
                (
                    CStr::from_ptr(info.name),
                    CStr::from_ptr(info.default_value),
                )
            };
            let name = name.to_str().unwrap();
            if name != "lexicon" {
                set(name, &self.option_value(rng, default.to_str().unwrap()));
            }
        }
        let mut made = ptr::null_mut();
        // SAFETY: the options are ours until they are freed, once.
        unsafe {
            coded(|error| {
                made = (self.new)(options, error);
                match made.is_null() {
                    true => bw_error_code(*error),
                    false => bw_result::BW_OK,
                }
            });
            (self.options_free)(options);
            match made.is_null() {
                true => (self.new)(ptr::null(), ptr::null_mut()),
                false => made,
            }
        }
    }

    /// Saves `detector`, damages the file now and then, and loads it.
    pub fn save_and_load(&self, rng: &mut Rng, detector: *mut D, folder: &Path) {
        let path = folder.join("state");
        let (start, length) = c(path.as_os_str().as_encoded_bytes());
        // SAFETY: the detector is ours, and the path has this length.
        let code = coded(|error| unsafe { (self.save)(detector, start, length, error) });
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
        let code = coded(|error| unsafe { (self.load)(detector, start, length, error) });
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
    pub fn next_event(&self, detector: *mut D) -> Option<serde_json::Value> {
        // SAFETY: the detector is ours, and so is the event until it is freed, after its last string was read.
        unsafe {
            let event = (self.next_event)(detector);
            if event.is_null() {
                return None;
            }
            let json = CStr::from_ptr(bw_event_json(event)).to_str().unwrap();
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
