//! Two direct-mapped caches of messages that report nothing: most records of a log repeat them, and a look-up costs a fraction of a
//! reading.
//!
//! The first one has the masked texts, which the parser has made and hashed anyway, of messages whose numbers make no difference. The
//! second one has the normal forms of the others. Either key includes the source, and is compared as a whole. A new key replaces
//! another only when it comes twice without a third between (admission on the second miss), so texts that never repeat do not
//! displace those that do.

use std::hash::{BuildHasher as _, BuildHasherDefault, Hasher as _};

use rustc_hash::FxHasher;

use super::classifier::SharedInference;
use super::record::Record;
use crate::drain::{Masked, Values};
use crate::memory::{allocation, vec};

/// Number of slots; a power of two.
const SLOTS: usize = 4096;
/// Longer texts are not cached.
const TEXT_MAX_BYTES: usize = 1024;
/// Longer names are not cached.
const NAME_MAX_BYTES: usize = 64;
/// Length of a [`Head`].
const HEAD_BYTES: usize = 4;

/// The caches.
#[derive(Debug)]
pub(super) struct Quiet {
    masked: Table,
    normal: Table,
    /// The key in the second cache of the message that was looked up last; empty if it has none.
    key: Vec<u8>,
    hash: u64,
    /// The hash of the same message in the first cache, if it is missing there.
    missing: Option<u64>,
    /// Maximum memory of the keys in bytes.
    limit: usize,
}

/// The beginning of a key, followed by program, unit and text.
type Head = [u8; HEAD_BYTES];

/// What the first cache knows of a masked text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// Messages with this masked text report nothing.
    Quiet = 1,
    /// That depends on their numbers.
    Depends,
}

#[derive(Debug, Default)]
struct Table {
    /// The slot of a key is given by its hash.
    slots: Vec<Box<[u8]>>,
    /// Parts of the hashes that belong to a slot, kept apart from the keys because those do not fit into the nearest cache of the
    /// processor.
    tags: Vec<Tags>,
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

impl Table {
    fn bytes(&self) -> usize {
        vec(&self.slots) + vec(&self.tags) + self.bytes
    }

    /// The key that has this hash, if any does.
    #[inline]
    fn get(&self, hash: u64) -> Option<&[u8]> {
        let (slot, tag) = Self::place(hash);
        (self.tags.get(slot)?.stored == tag).then(|| &*self.slots[slot])
    }

    /// Whether to insert a key with this hash.
    fn admits(&mut self, hash: u64, limit: usize) -> bool {
        if self.slots.is_empty() || self.bytes > limit {
            self.slots = vec![Box::default(); SLOTS];
            self.tags = vec![Tags::default(); SLOTS];
            self.bytes = 0;
        }
        let (slot, tag) = Self::place(hash);
        let tags = &mut self.tags[slot];
        let is_admitted = tags.stored == 0 || tags.contender == tag;
        tags.contender = tag;
        is_admitted
    }

    /// Inserts a key that was admitted.
    fn insert(&mut self, hash: u64, key: Box<[u8]>) {
        let (slot, tag) = Self::place(hash);
        self.tags[slot].stored = tag;
        self.bytes += held(&key);
        self.bytes -= held(&std::mem::replace(&mut self.slots[slot], key));
    }

    /// The slot of a key, from the highest bits of its hash, which are the best mixed, and what tells it from others there.
    #[inline]
    fn place(hash: u64) -> (usize, u32) {
        let slot = (hash >> (64 - SLOTS.ilog2())) as usize;
        (slot, (hash >> 20) as u32 | 1)
    }
}

fn held(key: &[u8]) -> usize {
    match key.len() {
        0 => 0,
        length => allocation(length),
    }
}

impl Quiet {
    /// Caches whose keys take at most `limit` bytes, two keys and the empty slots aside.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            masked: Table::default(),
            normal: Table::default(),
            key: Vec::new(),
            hash: 0,
            missing: None,
            limit,
        }
    }

    /// Maximum memory of the keys in bytes.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Memory of the caches in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.masked.bytes() + self.normal.bytes() + vec(&self.key)
    }

    /// Whether a message like `record` is known to report nothing. `masked` is its masked text.
    pub(super) fn has(
        &mut self,
        inference: &SharedInference,
        record: &Record<'_>,
        masked: Masked<'_>,
    ) -> bool {
        self.key.clear();
        self.missing = None;
        let source = &record.source;
        if record.text.len().max(masked.text.len()) > TEXT_MAX_BYTES
            || source.program.len() + source.unit.len() > NAME_MAX_BYTES
        {
            return false;
        }
        let head = head(record, masked.values);
        if is_exact(record.text, masked.values) {
            let hash = hash(&head, record, masked.hash);
            match self.known(hash, &head, record, masked.text) {
                Some(Known::Quiet) => return true,
                Some(Known::Depends) => {}
                None => self.missing = Some(hash),
            }
        }
        self.key.extend(self::head(record, Values::None));
        self.key.extend_from_slice(source.program);
        self.key.extend_from_slice(source.unit);
        inference.normalize(record.text, &mut self.key);
        self.hash = BuildHasherDefault::<FxHasher>::default().hash_one(&self.key);
        let is_known = self.normal.get(self.hash) == Some(&*self.key);
        if is_known {
            self.add_masked(inference, record, masked);
        }
        is_known
    }

    /// What the first cache knows of a masked text.
    #[inline]
    fn known(&self, hash: u64, head: &Head, record: &Record<'_>, text: &str) -> Option<Known> {
        let (&known, key) = self.masked.get(hash)?.split_first()?;
        let source = &record.source;
        let rest = key.strip_prefix(head)?;
        let rest = rest.strip_prefix(source.program)?;
        let rest = rest.strip_prefix(source.unit)?;
        (rest == text.as_bytes()).then_some(match known == Known::Quiet as u8 {
            true => Known::Quiet,
            false => Known::Depends,
        })
    }

    /// Adds the message that was looked up last, which reports nothing.
    pub(super) fn add(
        &mut self,
        inference: &SharedInference,
        record: &Record<'_>,
        masked: Masked<'_>,
    ) {
        if self.key.is_empty() {
            return;
        }
        self.add_masked(inference, record, masked);
        if self.normal.admits(self.hash, self.limit / 2) {
            self.normal.insert(self.hash, self.key.as_slice().into());
        }
    }

    /// Adds to the first cache a message that reports nothing.
    fn add_masked(&mut self, inference: &SharedInference, record: &Record<'_>, masked: Masked<'_>) {
        let Some(hash) = self.missing.take() else {
            return;
        };
        if !self.masked.admits(hash, self.limit / 2) {
            return;
        }
        let ignores = masked.values == Values::None || inference.ignores_numbers(record.text);
        let known = match ignores {
            true => Known::Quiet,
            false => Known::Depends,
        };
        let source = &record.source;
        let key = [
            &[known as u8],
            &head(record, masked.values)[..],
            source.program,
            source.unit,
            masked.text.as_bytes(),
        ];
        self.masked.insert(hash, key.concat().into());
    }
}

/// Whether two texts with the same masked text differ in nothing but numbers.
#[inline]
fn is_exact(text: &str, values: Values) -> bool {
    match values {
        Values::None => true,
        // A placeholder may stand in the text itself.
        Values::Numbers => {
            let text = text.as_bytes();
            memchr::memchr_iter(b'<', text).all(|at| text.get(at + 1) != Some(&b':'))
        }
        Values::Others => false,
    }
}

/// The lengths keep program and unit apart. A masked text may be the text itself.
#[inline]
fn head(record: &Record<'_>, values: Values) -> Head {
    let source = &record.source;
    // Neither is longer than `NAME_MAX_BYTES`.
    let length = |name: &[u8]| name.len() as u8;
    [
        values as u8,
        source.transport as u8,
        length(source.program),
        length(source.unit),
    ]
}

/// The hash of a key in the first cache, from that of the masked text.
#[inline]
fn hash(head: &Head, record: &Record<'_>, text: u64) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write_u64(text);
    hasher.write(head);
    hasher.write(record.source.program);
    hasher.write(record.source.unit);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::drain::{DrainOptions, Miner, Scratch};
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

    /// The caches with a parser that masks.
    struct Masking {
        quiet: Quiet,
        miner: Miner,
        scratch: Scratch,
        inference: SharedInference,
    }

    impl Masking {
        fn new(inference: SharedInference, limit: usize) -> Self {
            Self {
                quiet: Quiet::new(limit),
                miner: Miner::new(DrainOptions::default()).unwrap(),
                scratch: Scratch::default(),
                inference,
            }
        }

        fn has(&mut self, record: &Record<'_>) -> bool {
            self.miner.mask_into(&mut self.scratch, record.text);
            let masked = self.scratch.masked();
            self.quiet.has(&self.inference, record, masked)
        }

        /// Adds the record that was looked up last.
        fn add(&mut self, record: &Record<'_>) {
            let masked = self.scratch.masked();
            self.quiet.add(&self.inference, record, masked);
        }
    }

    #[test]
    fn what_was_added_is_known_from_the_same_source_only() {
        let mut quiet = Masking::new(Arc::new(Plain), 1 << 20);
        let session = record("sshd", "session opened");
        assert!(!quiet.has(&session));
        quiet.add(&session);
        assert!(quiet.has(&session));
        assert!(!quiet.has(&record("kernel", "session opened")));
        assert!(!quiet.has(&record("sshd", "session closed")));
        let mut container = session;
        container.source.transport = Transport::Container;
        assert!(!quiet.has(&container));
        let mut unit = session;
        unit.source.unit = b"user@1.service";
        assert!(!quiet.has(&unit));
    }

    #[test]
    fn texts_that_never_repeat_displace_none_that_do() {
        let mut quiet = Masking::new(Arc::new(Plain), 1 << 24);
        let steady: Vec<String> = (0..50).map(|i| format!("steady {i}")).collect();
        let mut misses = 0;
        for round in 0..200 {
            for text in &steady {
                let record = record("a", text);
                if !quiet.has(&record) {
                    misses += 1;
                    quiet.add(&record);
                }
            }
            for i in 0..200 {
                let text = format!("never again {round} {i}");
                let record = record("a", &text);
                if !quiet.has(&record) {
                    quiet.add(&record);
                }
            }
        }
        assert!(misses < 400, "{misses}");
    }

    #[test]
    fn memory_is_bounded_and_long_texts_are_not_kept() {
        let mut quiet = Masking::new(Arc::new(Plain), 100_000);
        for i in 0..20_000 {
            let text = format!("{i} {}", "x".repeat(i % 2_000));
            for _ in 0..2 {
                let record = record("a", &text);
                if !quiet.has(&record) {
                    quiet.add(&record);
                }
            }
            let keys = quiet.quiet.masked.bytes + quiet.quiet.normal.bytes;
            assert!(keys <= 100_000 + 4 * TEXT_MAX_BYTES);
        }
        let long = "x".repeat(TEXT_MAX_BYTES + 1);
        let long = record("a", &long);
        assert!(!quiet.has(&long));
        quiet.add(&long);
        assert!(!quiet.has(&long));
    }

    proptest::proptest! {
        /// Two messages with the same key are both quiet or neither is.
        #[test]
        fn a_known_message_is_read_as_quiet(
            text in "(md0: |EXT4-fs |errs: wr |paths: |error|failed|timeout|device|sda|nvme|signal |status |exit code |10\\.0\\.0\\.|<:NUM:>|-|\\[|\\]|, | ){0,8}",
            a in 0_u64..3_000, b in 0_u64..3_000,
            program in proptest::sample::select(&["kernel", "smartd", "sshd", ""][..]),
        ) {
            let inference: SharedInference = Lexicon::builtin().clone();
            let mut quiet = Masking::new(inference.clone(), 1 << 20);
            for n in [a, b, 0, 1, 11] {
                let text = format!("{text} {n} {text}{n} failed");
                let record = record(program, &text);
                let known = quiet.has(&record);
                let reading = crate::lad::classifier::read(&inference, &record);
                let is_quiet = reading.is_quiet();
                proptest::prop_assert!(!known || is_quiet, "{}", text);
                if is_quiet && !known {
                    quiet.add(&record);
                }
            }
        }
    }
}
