//! A direct-mapped cache of masked lines, each with its cluster: the fast path.
//!
//! The cluster of a line depends on its path through the tree and on the clusters at the end of the path. An entry is made only
//! by a line that changed nothing, and holds the versions of both. While these are current and the cluster exists, the same line
//! gets the same cluster and changes nothing again. (The eviction of another cluster of the leaf does not matter, because that
//! cluster was not chosen.)

use std::hint::black_box;

use super::tree::Leaf;
use crate::memory::{allocation, vec};

/// Maximum number of slots; a power of two.
const MAX_SLOTS: usize = 4096;
/// Initial number of slots; a power of two.
const FIRST_SLOTS: usize = 8;
/// Longer lines are not cached.
const MAX_TEXT_BYTES: usize = 1024;
/// Memory of an entry besides its text.
const ENTRY_BYTES: usize = size_of::<Option<Entry>>() + size_of::<Tags>();

#[derive(Debug, Clone)]
pub(super) struct Entry {
    hash: u64,
    text: Box<str>,
    pub slot: u32,
    /// The id of the cluster; the slot has another one once the cluster is evicted.
    pub cluster: u64,
    pub leaf: Leaf,
    /// [`Tree::versions`](super::tree::Tree::versions) of the leaf.
    pub versions: (u64, u64),
}

/// Parts of the hashes that belong to a slot, kept apart from the entries because those do not fit into the nearest cache of the
/// processor.
#[derive(Debug, Clone, Copy, Default)]
struct Tags {
    /// Of the line in the slot.
    stored: u32,
    /// Of the last line that was refused.
    contender: u32,
}

/// The slot of a line is given by its hash. A new line replaces another only when it comes twice without a third between
/// (admission on the second miss), so most lines that never repeat displace none.
#[derive(Debug, Clone)]
pub(super) struct LineCache {
    /// Maximum memory in bytes.
    limit: usize,
    slots: Vec<Option<Entry>>,
    /// By slot.
    tags: Vec<Tags>,
    /// Number of lines that were replaced or refused since the slots were created.
    displaced: usize,
    bytes: usize,
}

impl LineCache {
    /// A cache of at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            slots: Vec::new(),
            tags: Vec::new(),
            displaced: 0,
            bytes: 0,
        }
    }

    /// Touches the slot of a line with this hash.
    pub fn prefetch(&self, hash: u64) {
        let at = self.slot_of(hash);
        black_box(self.tags.get(at).map(|tags| tags.stored));
        black_box(self.slots.get(at).map(Option::is_some));
    }

    #[inline]
    pub fn find(&self, hash: u64, text: &str) -> Option<&Entry> {
        let at = self.slot_of(hash);
        if self.tags.get(at)?.stored != tag(hash) {
            return None;
        }
        let line = self.slots[at].as_ref()?;
        (line.hash == hash && *line.text == *text).then_some(line)
    }

    pub fn insert(
        &mut self,
        hash: u64,
        text: &str,
        (slot, cluster): (u32, u64),
        leaf: Leaf,
        versions: (u64, u64),
    ) {
        if text.len() > MAX_TEXT_BYTES {
            return;
        }
        let size = self.slots.len();
        let larger = size < MAX_SLOTS && 4 * size * ENTRY_BYTES < self.limit;
        if size == 0 || self.displaced > size && larger {
            self.grow();
        }
        if self.bytes() + allocation(text.len()) > self.limit {
            self.clear();
            return;
        }
        let at = self.slot_of(hash);
        let tags = &mut self.tags[at];
        let taken = tags.stored != tag(hash) && self.slots[at].is_some();
        if taken && tags.contender != tag(hash) {
            tags.contender = tag(hash);
            self.displaced += 1;
            return;
        }
        tags.stored = tag(hash);
        let line = Entry {
            hash,
            text: text.into(),
            slot,
            cluster,
            leaf,
            versions,
        };
        self.bytes += allocation(text.len());
        if let Some(old) = self.slots[at].replace(line) {
            self.bytes -= allocation(old.text.len());
            // An outdated entry of the same line does not count.
            self.displaced += usize::from(old.hash != hash);
        }
    }

    fn grow(&mut self) {
        let size = (self.slots.len() * 2).max(FIRST_SLOTS);
        let old = std::mem::take(&mut self.slots);
        self.slots.resize_with(size, || None);
        self.tags = vec![Tags::default(); size];
        (self.displaced, self.bytes) = (0, 0);
        for line in old.into_iter().flatten() {
            self.bytes += allocation(line.text.len());
            let at = self.slot_of(line.hash);
            self.tags[at].stored = tag(line.hash);
            if let Some(old) = self.slots[at].replace(line) {
                self.bytes -= allocation(old.text.len());
            }
        }
    }

    #[inline]
    fn slot_of(&self, hash: u64) -> usize {
        tag(hash) as usize & self.slots.len().wrapping_sub(1)
    }

    /// Removes all lines.
    pub fn clear(&mut self) {
        *self = Self::new(self.limit);
    }

    /// Memory in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes + vec(&self.slots) + vec(&self.tags)
    }
}

/// Distinguishes lines with the same slot.
#[inline]
fn tag(hash: u64) -> u32 {
    // The upper bits are better mixed.
    (hash >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAF: Leaf = Leaf { group: 0, node: 1 };

    #[test]
    fn a_line_is_found_by_its_text_not_by_its_hash_alone() {
        let mut cache = LineCache::new(1 << 24);
        assert!(cache.find(5, "a").is_none());
        cache.insert(5, "a", (3, 9), LEAF, (0, 0));
        assert_eq!(cache.find(5, "a").unwrap().cluster, 9);
        assert!(cache.find(5, "b").is_none());
        assert!(cache.find(6, "a").is_none());
    }

    #[test]
    fn a_line_that_comes_once_displaces_no_other() {
        let mut cache = LineCache::new(1 << 24);
        let insert =
            |cache: &mut LineCache, hash, text| cache.insert(hash, text, (0, 1), LEAF, (0, 0));
        // The bits of the hash that choose the slot are the same.
        let other = |n: u64| 5 | n << 60;
        insert(&mut cache, 5, "a");
        insert(&mut cache, other(1), "once");
        insert(&mut cache, other(2), "b");
        assert!(cache.find(5, "a").is_some() && cache.find(other(2), "b").is_none());
        insert(&mut cache, other(2), "b");
        assert!(cache.find(5, "a").is_none() && cache.find(other(2), "b").is_some());
    }

    #[test]
    fn the_cache_is_bounded_in_lines_and_bytes() {
        let mut cache = LineCache::new(1 << 24);
        for i in 0..200_000u64 {
            let hash = i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            cache.insert(hash, &format!("line {i}"), (0, 1), LEAF, (0, 0));
        }
        assert_eq!(cache.slots.len(), MAX_SLOTS);
        let before = cache.bytes();
        cache.insert(1, &"x".repeat(MAX_TEXT_BYTES + 1), (0, 1), LEAF, (0, 0));
        assert_eq!(cache.bytes(), before);
        assert!(before < MAX_SLOTS * (ENTRY_BYTES + 32) + 64);
        cache.clear();
        assert_eq!(cache.bytes(), 0);
    }
}
