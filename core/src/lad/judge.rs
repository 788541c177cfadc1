//! What a record's text says, asked once for records that say the same.

use std::fs;
use std::hash::{BuildHasher as _, BuildHasherDefault};
use std::sync::Arc;

use rustc_hash::FxHasher;

use super::options::LadOptions;
use crate::inference::{Finding, Inference, Lexicon, with_priority};
use crate::options::OptionError;

/// Places for answers; a power of two.
const PLACES: usize = 4096;
/// Longer texts are not worth their place.
const TEXT_MAX_BYTES: usize = 1024;
/// Numbers with more digits than this are alike: they are times, ports and sectors, which are never the same twice.
const DIGITS_MAX: u32 = 3;

/// An inference that several detectors can share.
pub type SharedInference = Arc<dyn Inference + Send + Sync>;

/// Asks an inference, and remembers what it answered.
pub(super) struct Judge {
    inference: SharedInference,
    /// Each answer has one place, by the hash of its question; the next one there takes it.
    places: Vec<Answer>,
}

#[derive(Clone, Default)]
struct Answer {
    /// The masked text, empty where the place is.
    masked: String,
    /// What the mask hides and still matters.
    hidden: u64,
    finding: Option<Box<Finding>>,
}

impl Judge {
    pub(super) fn new(inference: SharedInference) -> Self {
        Self {
            inference,
            places: Vec::new(),
        }
    }

    /// What `text` says. `masked` is the text without its values, `template` that of its cluster, `priority` what the record
    /// says of itself (syslog's severity, 0 to 7).
    pub(super) fn judge<'a>(
        &mut self,
        text: &str,
        masked: &str,
        template: impl FnOnce() -> Option<&'a str>,
        priority: Option<u8>,
    ) -> Option<&Finding> {
        if self.places.is_empty() {
            self.places = vec![Answer::default(); PLACES];
        }
        let numbers = if text == masked { 0 } else { numbers(text) };
        let hidden = numbers << 4 | u64::from(priority.map_or(15, |p| p.min(14)));
        let hash = BuildHasherDefault::<FxHasher>::default().hash_one((masked, hidden));
        // The best bits of this hash are the highest.
        let place = &mut self.places[(hash >> (64 - PLACES.ilog2())) as usize];
        let keep = (1..=TEXT_MAX_BYTES).contains(&masked.len());
        if !(keep && place.hidden == hidden && place.masked == masked) {
            let template = template().unwrap_or_default();
            let finding = with_priority(self.inference.judge(text, template), priority);
            place.finding = finding.map(Box::new);
            place.hidden = hidden;
            place.masked.clear();
            if keep {
                place.masked.push_str(masked);
            }
        }
        place.finding.as_deref()
    }

    /// The inference that is asked.
    pub(super) fn inference(&self) -> SharedInference {
        self.inference.clone()
    }

    /// What `text` says, without asking whether it was judged before.
    pub(super) fn judge_anew(&self, text: &str, template: &str) -> Option<Finding> {
        self.inference.judge(text, template)
    }
}

/// A digest of the short numbers in `text`: "0 errors" and "12 errors" are the same masked, and do not say the same.
fn numbers(text: &str) -> u64 {
    let mut digest = Digest::default();
    let mut words = text.as_bytes().chunks_exact(8);
    for word in words.by_ref() {
        // Most of a text is no number: eight bytes at a time are passed over.
        if has_digit(u64::from_le_bytes(word.try_into().expect("eight bytes"))) {
            word.iter().for_each(|&byte| digest.push(byte));
        } else {
            digest.end_number();
        }
    }
    words.remainder().iter().for_each(|&byte| digest.push(byte));
    digest.end_number();
    digest.value
}

/// Whether one of eight bytes is an ASCII digit.
fn has_digit(bytes: u64) -> bool {
    const ONES: u64 = u64::MAX / 255;
    // Digits become 0 to 9, nothing else does; then the well-known test for a byte below 10.
    let off = bytes ^ (ONES * b'0' as u64);
    off.wrapping_sub(ONES * 10) & !off & (ONES * 0x80) != 0
}

/// A digest in the making.
#[derive(Default)]
struct Digest {
    value: u64,
    number: u64,
    digits: u32,
}

impl Digest {
    fn push(&mut self, byte: u8) {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 {
            self.number = self.number.wrapping_mul(10).wrapping_add(u64::from(digit));
            self.digits += 1;
        } else {
            self.end_number();
        }
    }

    fn end_number(&mut self) {
        if self.digits == 0 {
            return;
        }
        let word = if self.digits > DIGITS_MAX {
            u64::MAX
        } else {
            self.number << 3 | u64::from(self.digits)
        };
        self.value = (self.value.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (self.number, self.digits) = (0, 0);
    }
}

/// The inference that `options` ask for: the lexicon, with a site's own file on top, which is read now.
///
/// # Errors
/// A site's lexicon that cannot be read or is not well-formed.
pub fn inference(options: &LadOptions) -> Result<SharedInference, OptionError> {
    let refused = |why: String| OptionError::Value {
        name: "lexicon",
        value: options.lexicon.clone(),
        allowed: format!("the path of a lexicon, but {why}"),
        unit: "",
    };
    if options.lexicon.is_empty() {
        return Ok(Lexicon::builtin().clone());
    }
    let text = fs::read_to_string(&options.lexicon).map_err(|error| refused(error.to_string()))?;
    let lexicon = Lexicon::with_site_file(&text).map_err(|error| refused(error.to_string()))?;
    Ok(Arc::new(lexicon))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::Family;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Finds a failure in what has the word "bad"; counts how often it was asked.
    #[derive(Default)]
    struct Counting(AtomicU32);

    impl Inference for Counting {
        fn judge(&self, text: &str, _: &str) -> Option<Finding> {
            self.0.fetch_add(1, Ordering::Relaxed);
            text.contains("bad").then(|| Finding {
                severity: 0.5,
                family: Family::Kernel,
                reason: "\"bad\"".into(),
            })
        }
    }

    #[test]
    fn what_says_the_same_is_asked_once_and_what_the_mask_hides_is_minded() {
        let counting = Arc::new(Counting::default());
        let mut judge = Judge::new(counting.clone());
        let mut ask = |text: &str, masked: &str, priority| {
            judge
                .judge(text, masked, || None, priority)
                .map(|f| f.severity)
        };
        let asked = || counting.0.load(Ordering::Relaxed);
        for _ in 0..5 {
            assert_eq!(
                ask("12 bad at 123456", "<:NUM:> bad at <:NUM:>", None),
                Some(0.5)
            );
        }
        ask("12 bad at 654321", "<:NUM:> bad at <:NUM:>", None);
        assert_eq!(asked(), 1);
        ask("0 bad at 654321", "<:NUM:> bad at <:NUM:>", None);
        ask("654321 bad at 12", "<:NUM:> bad at <:NUM:>", None);
        assert_eq!(asked(), 3);
        assert_eq!(
            ask("12 bad at 654321", "<:NUM:> bad at <:NUM:>", Some(2)),
            Some(0.7)
        );
        assert_eq!(asked(), 4);
        assert_eq!(ask("good", "good", None), None);
    }

    #[test]
    fn the_digest_tells_short_numbers_apart_wherever_they_stand() {
        let plain = |text: &str| {
            let mut digest = Digest::default();
            text.bytes().for_each(|byte| digest.push(byte));
            digest.end_number();
            digest.value
        };
        for at in 0..20 {
            let text = |number: &str| {
                format!(
                    "{}{number} errors on /dev/sda:9 é{}",
                    "x".repeat(at),
                    "y".repeat(at)
                )
            };
            assert_ne!(numbers(&text("0")), numbers(&text("12")));
            assert_ne!(numbers(&text("0")), numbers(&text("00")));
            assert_eq!(numbers(&text("12345")), numbers(&text("9876543210123")));
            for number in ["", "0", "12", "999", "1000"] {
                assert_eq!(numbers(&text(number)), plain(&text(number)));
            }
        }
        for byte in 0..=255_u8 {
            let word = u64::from_le_bytes([b'a', byte, 0xff, 0x80, b'/', b':', 0, b'z']);
            assert_eq!(has_digit(word), byte.is_ascii_digit(), "{byte}");
        }
    }

    #[test]
    fn long_and_empty_texts_are_asked_every_time() {
        let counting = Arc::new(Counting::default());
        let mut judge = Judge::new(counting.clone());
        let long = "bad ".repeat(300);
        for _ in 0..3 {
            assert!(judge.judge(&long, &long, || None, None).is_some());
            assert!(judge.judge("", "", || None, None).is_none());
        }
        assert_eq!(counting.0.load(Ordering::Relaxed), 6);
    }

    #[test]
    fn a_lexicon_that_is_not_there_or_makes_no_sense_is_named() {
        let mut options = LadOptions::default();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("site.txt");
        options.lexicon = path.display().to_string();
        let says = |options: &LadOptions| inference(options).err().map(|e| e.to_string());
        let error = says(&options).unwrap();
        assert!(
            error.contains("lexicon") && error.contains("site.txt"),
            "{error}"
        );
        fs::write(&path, "???\n").unwrap();
        let error = says(&options).unwrap();
        assert!(error.contains("line 1"), "{error}");
    }
}
