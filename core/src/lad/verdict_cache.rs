//! A direct-mapped cache of verdicts: records that say the same are classified once.
//!
//! The key is the masked text, together with those of the masked values that can change the finding. A new key replaces another
//! only when it comes twice without a third between (admission on the second miss), so texts that never repeat do not displace
//! those that do.

use std::fs;
use std::hash::{BuildHasher as _, BuildHasherDefault};
use std::sync::Arc;

use memchr::memchr2_iter;
use rustc_hash::FxHasher;

use super::options::LadOptions;
use crate::inference::{Finding, Inference, Lexicon, with_priority};
use crate::memory::{allocation, vec};
use crate::options::OptionError;

/// Number of slots; a power of two.
const SLOTS: usize = 4096;
/// Longer texts are not cached.
const TEXT_MAX_BYTES: usize = 1024;
/// Stands for the numbers of a text in which none matters.
const ANY_NUMBERS: u64 = u64::MAX >> 4;
/// Number of slots for hashes of texts in which numbers matter; a power of two.
const SENSITIVE: usize = 256;

/// An inference that several detectors can share.
pub type SharedInference = Arc<dyn Inference + Send + Sync>;

/// An inference with a cache in front. See the [module](self).
pub(super) struct VerdictCache {
    inference: SharedInference,
    /// The slot of a key is given by its hash.
    slots: Vec<Entry>,
    /// By slot.
    tags: Vec<Tags>,
    /// The last finding that was not cached.
    uncached: Option<Finding>,
    /// Hashes of masked texts in which numbers matter, direct-mapped by their lowest bits.
    sensitive: Box<[u64; SENSITIVE]>,
    /// Maximum memory of the entries in bytes.
    limit: usize,
    /// Memory of the entries outside of their slots in bytes.
    bytes: usize,
}

/// Parts of the hashes that belong to a slot, kept apart from the entries because those do not fit into the nearest cache of the
/// processor. 0 stands for none.
#[derive(Clone, Copy, Default)]
struct Tags {
    /// Of the key in the slot.
    stored: u32,
    /// Of the last key that was refused.
    contender: u32,
}

/// A masked text with what the mask hides and still matters.
struct Key {
    /// Digest of the numbers that matter, and the priority.
    hidden: u64,
    hash: u64,
}

impl Key {
    fn new(masked: &str, numbers: u64, priority: Option<u8>) -> Self {
        let hidden = numbers << 4 | u64::from(priority.map_or(15, |p| p.min(14)));
        let hash = BuildHasherDefault::<FxHasher>::default().hash_one((masked, hidden));
        Self { hidden, hash }
    }

    /// The index of the slot: the highest bits of the hash are the best mixed.
    fn slot(&self) -> usize {
        (self.hash >> (64 - SLOTS.ilog2())) as usize
    }

    /// Distinguishes keys with the same slot.
    fn tag(&self) -> u32 {
        (self.hash >> 20) as u32 | 1
    }
}

#[derive(Clone, Default)]
struct Entry {
    /// The masked text; empty if the slot is.
    masked: String,
    /// As in [`Key`].
    hidden: u64,
    finding: Option<Box<Finding>>,
}

impl Entry {
    /// Memory outside of itself in bytes.
    fn bytes(&self) -> usize {
        let finding = self.finding.as_ref().map_or(0, |finding| {
            allocation(size_of::<Finding>()) + allocation(finding.reason.capacity())
        });
        allocation(self.masked.capacity()) + finding
    }
}

impl VerdictCache {
    /// A cache whose entries take at most `limit` bytes, one entry and the empty slots aside.
    pub(super) fn new(inference: SharedInference, limit: usize) -> Self {
        Self {
            inference,
            slots: Vec::new(),
            tags: Vec::new(),
            uncached: None,
            sensitive: Box::new([0; SENSITIVE]),
            limit,
            bytes: 0,
        }
    }

    /// Memory of the cache in bytes.
    pub(super) fn bytes(&self) -> usize {
        vec(&self.slots) + vec(&self.tags) + self.bytes
    }

    /// Maximum memory of the entries in bytes.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// The finding for `text`. `masked` is the text with placeholders for those values that contain no words, `template` the
    /// template of its cluster, `priority` the record's own (syslog severity, 0 to 7).
    pub(super) fn finding<'a>(
        &mut self,
        text: &str,
        masked: &str,
        template: impl FnOnce() -> Option<&'a str>,
        priority: Option<u8>,
    ) -> Option<&Finding> {
        if self.slots.is_empty() || self.bytes > self.limit {
            self.slots = vec![Entry::default(); SLOTS];
            self.tags = vec![Tags::default(); SLOTS];
            self.bytes = 0;
        }
        let (key, known) = self.key(text, masked, priority);
        let (at, tag) = (key.slot(), key.tag());
        if known {
            return self.slots[at].finding.as_deref();
        }
        let template = template().unwrap_or_default();
        let finding = with_priority(self.inference.judge(text, template), priority);
        let (slot, tags) = (&mut self.slots[at], &mut self.tags[at]);
        let free = tags.stored == 0 || tags.stored == tag || tags.contender == tag;
        if !free || !(1..=TEXT_MAX_BYTES).contains(&masked.len()) {
            tags.contender = tag;
            self.uncached = finding;
            return self.uncached.as_ref();
        }
        tags.stored = tag;
        self.bytes -= slot.bytes();
        slot.finding = finding.map(Box::new);
        slot.hidden = key.hidden;
        slot.masked.clear();
        slot.masked.reserve_exact(masked.len());
        slot.masked.push_str(masked);
        self.bytes += slot.bytes();
        slot.finding.as_deref()
    }

    /// The key of a text, and whether the cache has it.
    fn key(&mut self, text: &str, masked: &str, priority: Option<u8>) -> (Key, bool) {
        let of = |numbers| Key::new(masked, numbers, priority);
        // In most texts no number matters, but a sign before one may.
        if text != masked && !has_signed_number(text) {
            let key = of(ANY_NUMBERS);
            if self.knows(&key, masked) {
                return (key, true);
            }
            let sensitive = &mut self.sensitive[key.hash as usize % SENSITIVE];
            if *sensitive != key.hash && !self.inference.depends_on_numbers(masked) {
                return (key, false);
            }
            *sensitive = key.hash;
        }
        let key = of(match text == masked {
            true => 0,
            false => digest_numbers(text, &*self.inference),
        });
        let known = self.knows(&key, masked);
        (key, known)
    }

    fn knows(&self, key: &Key, masked: &str) -> bool {
        let at = key.slot();
        let entry = &self.slots[at];
        self.tags[at].stored == key.tag() && entry.hidden == key.hidden && entry.masked == masked
    }

    /// The inference behind the cache.
    pub(super) fn inference(&self) -> SharedInference {
        self.inference.clone()
    }

    /// The finding for `text`, bypassing the cache.
    pub(super) fn classify_uncached(&self, text: &str, template: &str) -> Option<Finding> {
        self.inference.judge(text, template)
    }
}

/// Whether `text` may have a number with a sign.
#[inline]
fn has_signed_number(text: &str) -> bool {
    let text = text.as_bytes();
    memchr2_iter(b'-', b'+', text).any(|sign| text.get(sign + 1).is_some_and(u8::is_ascii_digit))
}

/// A digest of the numbers in `text` by their equivalence classes: "0 errors" and "12 errors" have the same masked text and
/// different findings.
fn digest_numbers(text: &str, inference: &dyn Inference) -> u64 {
    let text = text.as_bytes();
    let mut digest = 0_u64;
    let mut at = 0;
    while at < text.len() {
        // Most of a text is no number: skips eight bytes at a time.
        if let Some(eight) = text.get(at..at + 8)
            && !has_digit(u64::from_le_bytes(eight.try_into().expect("eight bytes")))
        {
            at += 8;
            continue;
        }
        if !text[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let from = at;
        while text.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        let sign = match from.checked_sub(1).map(|before| text[before]) {
            // The mask replaces a number together with its sign.
            Some(sign @ (b'-' | b'+')) => u64::from(sign),
            // Digits within a word are part of it.
            Some(letter) if letter.is_ascii_alphanumeric() => continue,
            _ => 0,
        };
        let kind = inference.kind_of_number(&text[from..at]) ^ sign;
        digest = (digest.rotate_left(5) ^ kind).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
    digest
}

/// Whether one of eight bytes is an ASCII digit (SIMD within a register).
fn has_digit(bytes: u64) -> bool {
    const ONES: u64 = u64::MAX / 255;
    // Digits become 0 to 9 and nothing else does; then the well-known test for a byte below 10.
    let off = bytes ^ (ONES * b'0' as u64);
    off.wrapping_sub(ONES * 10) & !off & (ONES * 0x80) != 0
}

/// The inference that `options` select: the lexicon, extended by a site's own file, which is read now.
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
    use crate::drain::{DrainOptions, Miner, Scratch};
    use crate::inference::Family;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Finds a failure in texts with the word "bad"; counts the calls.
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

        fn kind_of_number(&self, digits: &[u8]) -> u64 {
            u64::from(digits == b"0")
        }

        fn depends_on_numbers(&self, masked: &str) -> bool {
            !masked.contains("calm")
        }
    }

    #[test]
    fn equal_texts_are_classified_once_and_masked_values_that_matter_are_distinguished() {
        let counting = Arc::new(Counting::default());
        let mut cache = VerdictCache::new(counting.clone(), 1 << 20);
        let mut find = |text: &str, masked: &str, priority| {
            cache
                .finding(text, masked, || None, priority)
                .map(|f| f.severity)
        };
        let calls = || counting.0.load(Ordering::Relaxed);
        for _ in 0..5 {
            assert_eq!(
                find("12 bad at 123456", "<:NUM:> bad at <:NUM:>", None),
                Some(0.5)
            );
        }
        find("12 bad at 654321", "<:NUM:> bad at <:NUM:>", None);
        assert_eq!(calls(), 1);
        find("0 bad at 654321", "<:NUM:> bad at <:NUM:>", None);
        find("654321 bad at 0", "<:NUM:> bad at <:NUM:>", None);
        assert_eq!(calls(), 3);
        assert_eq!(
            find("12 bad at 654321", "<:NUM:> bad at <:NUM:>", Some(2)),
            Some(0.7)
        );
        assert_eq!(calls(), 4);
        assert_eq!(find("good", "good", None), None);
    }

    #[test]
    fn texts_that_differ_in_irrelevant_numbers_are_classified_once() {
        let counting = Arc::new(Counting::default());
        let mut cache = VerdictCache::new(counting.clone(), 1 << 20);
        for number in 0..100 {
            let text = format!("calm {number} bad");
            assert!(
                cache
                    .finding(&text, "calm <:NUM:> bad", || None, None)
                    .is_some()
            );
        }
        assert_eq!(counting.0.load(Ordering::Relaxed), 1);
        // A sign may matter all the same.
        cache.finding("calm -1 bad", "calm <:NUM:> bad", || None, None);
        assert_eq!(counting.0.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn the_digest_distinguishes_numbers_by_class_at_any_offset() {
        let lexicon = Lexicon::builtin();
        let numbers = |text: &str| digest_numbers(text, &**lexicon);
        for at in 0..20 {
            let text = |number: &str| {
                format!(
                    "{}{number} errors on /dev/sda:5 é{}",
                    "x ".repeat(at),
                    "y".repeat(at)
                )
            };
            assert_ne!(numbers(&text("0")), numbers(&text("12")));
            assert_ne!(numbers(&text("-12")), numbers(&text("12")));
            assert_eq!(numbers(&text("23456")), numbers(&text("23")));
            assert_eq!(numbers(&text("2345")), numbers(&text("876543210123")));
        }
        for byte in 0..=255_u8 {
            let word = u64::from_le_bytes([b'a', byte, 0xff, 0x80, b'/', b':', 0, b'z']);
            assert_eq!(has_digit(word), byte.is_ascii_digit(), "{byte}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_cached_verdict_is_that_of_the_text(
            lines in proptest::collection::vec(
                "(errors: |failed|read failed after |/dev/sda|-fs error|Oops: |[0-9]{1,5}|0|0000|-|\\+|0x1f|10\\.0\\.0\\.1|\
                 killed by signal |executed cmd \"(panic|ls 1)\"| of |, | |got r=|bdev x _aio_thread |oops: |\\.|=|disk failed|usb ){1,8}",
                1..40,
            ),
        ) {
            let lexicon: SharedInference = Lexicon::builtin().clone();
            let mut cache = VerdictCache::new(lexicon.clone(), 4096);
            let mut miner = Miner::new(DrainOptions::default()).unwrap();
            let mut scratch = Scratch::default();
            for line in &lines {
                miner.mask_into(&mut scratch, line);
                miner.add_masked(&mut scratch);
                let found = cache.finding(line, miner.masked_values(&scratch, line), || None, None).cloned();
                proptest::prop_assert_eq!(found, lexicon.judge(line, ""), "{}", line);
            }
        }
    }

    #[test]
    fn long_and_empty_texts_are_not_cached() {
        let counting = Arc::new(Counting::default());
        let mut cache = VerdictCache::new(counting.clone(), 1 << 20);
        let long = "bad ".repeat(300);
        for _ in 0..3 {
            assert!(cache.finding(&long, &long, || None, None).is_some());
            assert!(cache.finding("", "", || None, None).is_none());
        }
        assert_eq!(counting.0.load(Ordering::Relaxed), 6);
    }

    #[test]
    fn texts_that_never_repeat_displace_none_that_do() {
        let counting = Arc::new(Counting::default());
        let mut cache = VerdictCache::new(counting.clone(), 1 << 20);
        let mut find = |text: String| cache.finding(&text, &text, || None, None).is_some();
        for i in 0..100_000 {
            assert!(find(format!("bad {}", ["disk", "link", "fan"][i % 3])));
            assert!(!find(format!("good {i}")));
        }
        let again = counting.0.load(Ordering::Relaxed) - 100_000;
        assert!(again < 50, "{again}");
        for _ in 0..10 {
            assert!(find("bad from now on".into()));
        }
        assert!(counting.0.load(Ordering::Relaxed) - 100_000 - again <= 2);
    }

    #[test]
    fn the_cache_is_emptied_when_it_exceeds_its_limit() {
        let mut cache = VerdictCache::new(Arc::new(Counting::default()), 100_000);
        for i in 0..50_000 {
            let text = format!("{} {i}", ["good", "bad"][i % 2].repeat(i % 50));
            cache.finding(&text, &text, || None, None);
            let held: usize = cache.slots.iter().map(Entry::bytes).sum();
            assert_eq!(cache.bytes, held);
            assert!(held < 100_000 + 2_000, "{held}");
        }
    }

    #[test]
    fn a_lexicon_that_is_missing_or_malformed_is_named() {
        let mut options = LadOptions::default();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("site.txt");
        options.lexicon = path.display().to_string();
        let message = |options: &LadOptions| inference(options).err().map(|e| e.to_string());
        let error = message(&options).unwrap();
        assert!(
            error.contains("lexicon") && error.contains("site.txt"),
            "{error}"
        );
        fs::write(&path, "???\n").unwrap();
        let error = message(&options).unwrap();
        assert!(error.contains("line 1"), "{error}");
    }
}
