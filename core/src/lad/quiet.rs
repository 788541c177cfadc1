//! A direct-mapped cache of messages that report nothing: most records of a log repeat them, and a look-up costs a fraction of a
//! reading.
//!
//! The key is the source and the normal form of the text, compared as a whole. A new key replaces another only when it comes twice
//! without a third between (admission on the second miss), so texts that never repeat do not displace those that do.

use std::hash::{BuildHasher as _, BuildHasherDefault};

use rustc_hash::FxHasher;

use super::classifier::SharedInference;
use super::record::Record;
use crate::memory::{allocation, vec};

/// Number of slots; a power of two.
const SLOTS: usize = 4096;
/// Longer texts are not cached.
const TEXT_MAX_BYTES: usize = 1024;
/// Longer names are not cached.
const NAME_MAX_BYTES: usize = 64;

/// The cache.
#[derive(Debug, Default)]
pub(super) struct Quiet {
    /// The slot of a key is given by its hash.
    slots: Vec<Box<[u8]>>,
    /// Parts of the hashes that belong to a slot, kept apart from the keys because those do not fit into the nearest cache of the
    /// processor.
    tags: Vec<Tags>,
    /// The key that was looked up last.
    key: Vec<u8>,
    hash: u64,
    /// Maximum memory of the keys in bytes.
    limit: usize,
    /// Memory of the keys in bytes.
    bytes: usize,
}

/// 0 stands for none.
#[derive(Debug, Clone, Copy, Default)]
struct Tags {
    /// Of the key in the slot.
    stored: u32,
    /// Of the last key that was refused.
    contender: u32,
}

impl Quiet {
    /// A cache whose keys take at most `limit` bytes, one key and the empty slots aside.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            ..Self::default()
        }
    }

    /// Maximum memory of the keys in bytes.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Memory of the cache in bytes.
    pub(super) fn bytes(&self) -> usize {
        vec(&self.slots) + vec(&self.tags) + vec(&self.key) + self.bytes
    }

    /// Whether a message like `record` is known to report nothing.
    pub(super) fn has(&mut self, inference: &SharedInference, record: &Record<'_>) -> bool {
        self.key.clear();
        let source = &record.source;
        let names = source.program.len() + source.unit.len();
        if record.text.len() > TEXT_MAX_BYTES || names > NAME_MAX_BYTES {
            return false;
        }
        self.key.extend_from_slice(source.program);
        // Text is UTF-8 and has none of these bytes.
        self.key.extend([0xff, source.transport as u8, 0xff]);
        self.key.extend_from_slice(source.unit);
        self.key.push(0xff);
        inference.normalize(record.text, &mut self.key);
        self.hash = BuildHasherDefault::<FxHasher>::default().hash_one(&self.key);
        let (slot, tag) = self.place();
        let known = |tags: &Tags| tags.stored == tag;
        self.tags.get(slot).is_some_and(known) && *self.slots[slot] == *self.key
    }

    /// Adds the message that was looked up last, which reports nothing.
    pub(super) fn add(&mut self) {
        if self.key.is_empty() {
            return;
        }
        if self.slots.is_empty() || self.bytes > self.limit {
            self.slots = vec![Box::default(); SLOTS];
            self.tags = vec![Tags::default(); SLOTS];
            self.bytes = 0;
        }
        let (slot, tag) = self.place();
        let tags = &mut self.tags[slot];
        if tags.stored != 0 && tags.contender != tag {
            tags.contender = tag;
            return;
        }
        tags.stored = tag;
        self.bytes -= held(&self.slots[slot]);
        self.slots[slot] = self.key.as_slice().into();
        self.bytes += held(&self.slots[slot]);
    }

    /// The slot of the key, from the highest bits of its hash, which are the best mixed, and what tells it from others there.
    fn place(&self) -> (usize, u32) {
        let slot = (self.hash >> (64 - SLOTS.ilog2())) as usize;
        (slot, (self.hash >> 20) as u32 | 1)
    }
}

fn held(key: &[u8]) -> usize {
    match key.len() {
        0 => 0,
        length => allocation(length),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::inference::{Inference, Lexicon, Message, Reading};
    use crate::lad::{Source, Transport};
    use crate::units::Time;

    /// Texts are their own normal form.
    struct Plain;

    impl Inference for Plain {
        fn read(&self, _: &Message<'_>) -> Reading {
            Reading::default()
        }
    }

    fn record<'a>(program: &'a str, text: &'a str) -> Record<'a> {
        Record {
            stream: "a",
            time: Time::from_secs(0.0),
            text,
            priority: None,
            source: Source {
                program: program.as_bytes(),
                ..Source::default()
            },
        }
    }

    #[test]
    fn what_was_added_is_known_from_the_same_source_only() {
        let inference: SharedInference = Arc::new(Plain);
        let mut quiet = Quiet::new(1 << 20);
        let session = record("sshd", "session opened");
        assert!(!quiet.has(&inference, &session));
        quiet.add();
        assert!(quiet.has(&inference, &session));
        assert!(!quiet.has(&inference, &record("kernel", "session opened")));
        assert!(!quiet.has(&inference, &record("sshd", "session closed")));
        let mut container = session;
        container.source.transport = Transport::Container;
        assert!(!quiet.has(&inference, &container));
        let mut unit = session;
        unit.source.unit = b"user@1.service";
        assert!(!quiet.has(&inference, &unit));
    }

    #[test]
    fn texts_that_never_repeat_displace_none_that_do() {
        let inference: SharedInference = Arc::new(Plain);
        let mut quiet = Quiet::new(1 << 24);
        let steady: Vec<String> = (0..50).map(|i| format!("steady {i}")).collect();
        let mut misses = 0;
        for round in 0..200 {
            for text in &steady {
                if !quiet.has(&inference, &record("a", text)) {
                    misses += 1;
                    quiet.add();
                }
            }
            for i in 0..200 {
                let text = format!("never again {round} {i}");
                if !quiet.has(&inference, &record("a", &text)) {
                    quiet.add();
                }
            }
        }
        assert!(misses < 400, "{misses}");
    }

    #[test]
    fn memory_is_bounded_and_long_texts_are_not_kept() {
        let inference: SharedInference = Arc::new(Plain);
        let mut quiet = Quiet::new(100_000);
        for i in 0..20_000 {
            let text = format!("{i} {}", "x".repeat(i % 2_000));
            for _ in 0..2 {
                if !quiet.has(&inference, &record("a", &text)) {
                    quiet.add();
                }
            }
            assert!(quiet.bytes <= 100_000 + 2 * TEXT_MAX_BYTES);
        }
        let long = "x".repeat(TEXT_MAX_BYTES + 1);
        assert!(!quiet.has(&inference, &record("a", &long)));
        quiet.add();
        assert!(!quiet.has(&inference, &record("a", &long)));
    }

    proptest::proptest! {
        /// Two messages with the same key are both quiet or neither is.
        #[test]
        fn a_known_message_is_read_as_quiet(
            text in "(md0: |EXT4-fs |errs: wr |paths: |error|failed|timeout|device|sda|nvme|, | ){0,8}",
            a in 0_u64..3_000, b in 0_u64..3_000,
            program in proptest::sample::select(&["kernel", "smartd", "sshd", ""][..]),
        ) {
            let inference: SharedInference = Lexicon::builtin().clone();
            let mut quiet = Quiet::new(1 << 20);
            for n in [a, b, 0, 1, 11] {
                let text = format!("{text} {n} {text}{n}");
                let record = record(program, &text);
                let known = quiet.has(&inference, &record);
                let reading = crate::lad::classifier::read(&inference, &record);
                let is_quiet = reading.is_quiet();
                proptest::prop_assert!(!known || is_quiet, "{}", text);
                if is_quiet {
                    quiet.add();
                }
            }
        }
    }
}
