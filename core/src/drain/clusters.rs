//! The clusters: their templates, ids and leaves, and an LRU list over all of them.

use std::hint::black_box;

use hashbrown::HashTable;

use super::words::{PARAMETER, PARAMETER_TEXT, Word};
use crate::memory::{allocation, grow, refit, vec};

/// No slot.
const NONE: u32 = u32::MAX;

/// A cluster of lines, with their common template.
#[derive(Debug, Clone, Default)]
pub(super) struct Cluster {
    /// Unique forever; 0 if the slot is free.
    pub id: u64,
    /// Number of lines.
    pub size: u64,
    /// Its node in the tree.
    pub leaf: u32,
    template: Template,
    /// Links of the LRU list.
    by_recency: Links,
    /// Links of the list of its leaf.
    in_leaf: Links,
}

/// Links of an intrusive doubly linked list, as slots.
#[derive(Debug, Clone, Copy, Default)]
struct Links {
    prev: u32,
    next: u32,
}

/// The ends of an intrusive list, as slots.
#[derive(Debug, Clone, Copy)]
struct Ends {
    first: u32,
    last: u32,
}

impl Ends {
    const NONE: Ends = Ends {
        first: NONE,
        last: NONE,
    };

    /// Appends the cluster of a slot; `of` gives its links in this list.
    #[inline]
    fn append(
        &mut self,
        slots: &mut [Cluster],
        slot: u32,
        of: impl Fn(&mut Cluster) -> &mut Links,
    ) {
        let prev = std::mem::replace(&mut self.last, slot);
        let next = NONE;
        *of(&mut slots[slot as usize]) = Links { prev, next };
        match prev {
            NONE => self.first = slot,
            _ => of(&mut slots[prev as usize]).next = slot,
        }
    }

    /// Removes the cluster of a slot from the list.
    #[inline]
    fn unlink(
        &mut self,
        slots: &mut [Cluster],
        slot: u32,
        of: impl Fn(&mut Cluster) -> &mut Links,
    ) {
        let Links { prev, next } = *of(&mut slots[slot as usize]);
        match prev {
            NONE => self.first = next,
            _ => of(&mut slots[prev as usize]).next = next,
        }
        match next {
            NONE => self.last = prev,
            _ => of(&mut slots[next as usize]).prev = prev,
        }
    }

    /// The slot of the first cluster.
    fn first(self) -> Option<u32> {
        (self.first != NONE).then_some(self.first)
    }
}

/// A template.
#[derive(Debug, Clone, Default)]
struct Template {
    words: Vec<Word>,
    /// The words, separated by single spaces.
    text: String,
}

impl Template {
    /// Replaces the words, reusing the allocations if they fit.
    fn refill(&mut self, words: &[Word], text: &str) {
        refit(&mut self.words, words.len());
        self.words.extend_from_slice(words);
        let mut buffer = std::mem::take(&mut self.text).into_bytes();
        refit(&mut buffer, text.len());
        self.text = String::from_utf8(buffer).expect("it is empty");
        self.text.push_str(text);
    }

    /// Memory outside of itself in bytes.
    fn bytes(&self) -> usize {
        vec(&self.words) + allocation(self.text.capacity())
    }
}

impl Cluster {
    /// The words of the template.
    #[inline]
    pub fn words(&self) -> &[Word] {
        &self.template.words
    }

    /// The template: its words, separated by single spaces.
    #[inline]
    pub fn text(&self) -> &str {
        &self.template.text
    }

    fn by_recency(&mut self) -> &mut Links {
        &mut self.by_recency
    }

    fn in_leaf(&mut self) -> &mut Links {
        &mut self.in_leaf
    }

    /// Whether it is in a leaf.
    pub fn is_in_leaf(&self) -> bool {
        self.leaf != NONE
    }

    /// The words of the template with their texts.
    pub fn texts(&self) -> impl Iterator<Item = (Word, &str)> + Clone {
        let words = self.template.words.iter().copied();
        words.zip(self.template.text.split(' '))
    }
}

/// The clusters of a leaf, in the order in which they were added.
#[derive(Debug, Clone, Copy)]
pub(super) struct Members {
    ends: Ends,
    len: u32,
}

impl Members {
    pub const NONE: Members = Members {
        ends: Ends::NONE,
        len: 0,
    };

    #[inline]
    pub fn len(self) -> usize {
        self.len as usize
    }

    /// The slot of the cluster added first.
    pub fn first(self) -> Option<u32> {
        self.ends.first()
    }
}

/// All clusters, in slots that are reused.
#[derive(Debug, Clone)]
pub(super) struct Clusters {
    slots: Vec<Cluster>,
    free: Vec<u32>,
    by_id: HashTable<u32>,
    /// The LRU list, from the least to the most recently used cluster.
    lru: Ends,
    /// Memory of the templates in bytes, including that of the first free slot.
    templates: usize,
}

/// Ids count up: multiplication spreads them over the upper bits, which a hash table uses.
#[inline]
fn hash(id: u64) -> u64 {
    id.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(20)
}

impl Clusters {
    pub fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            by_id: HashTable::new(),
            lru: Ends::NONE,
            templates: 0,
        }
    }

    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    #[inline]
    pub fn get(&self, slot: u32) -> &Cluster {
        &self.slots[slot as usize]
    }

    /// Touches some of the clusters.
    pub fn prefetch(&self) {
        black_box(self.slots.first().map(|cluster| cluster.id));
    }

    pub fn slot(&self, id: u64) -> Option<u32> {
        let known = |&slot: &u32| self.slots[slot as usize].id == id;
        self.by_id.find(hash(id), known).copied()
    }

    /// The slot of the least recently used cluster.
    pub fn least_recent(&self) -> Option<u32> {
        self.lru.first()
    }

    /// All slots in use, least recently used first.
    pub fn by_recency(&self) -> impl Iterator<Item = u32> + '_ {
        std::iter::successors(self.least_recent(), |&slot| {
            let newer = self.get(slot).by_recency.next;
            (newer != NONE).then_some(newer)
        })
    }

    /// Adds a cluster with a new id as the most recently used one; it is in no leaf yet. `text` has its words, separated by
    /// single spaces.
    pub fn add(&mut self, id: u64, size: u64, words: &[Word], text: &str) -> u32 {
        let slot = self.free.pop().unwrap_or_else(|| {
            grow(&mut self.slots, 1);
            self.slots.push(Cluster::default());
            self.slots.len() as u32 - 1
        });
        let cluster = &mut self.slots[slot as usize];
        (cluster.id, cluster.size, cluster.leaf) = (id, size, NONE);
        self.templates -= cluster.template.bytes();
        cluster.template.refill(words, text);
        self.templates += cluster.template.bytes();
        let slots = &self.slots;
        let rehash = |&slot: &u32| hash(slots[slot as usize].id);
        self.by_id.insert_unique(hash(id), slot, rehash);
        self.lru.append(&mut self.slots, slot, Cluster::by_recency);
        slot
    }

    /// Removes a cluster, which must not be in a leaf.
    pub fn remove(&mut self, slot: u32) {
        self.lru.unlink(&mut self.slots, slot, Cluster::by_recency);
        let cluster = &mut self.slots[slot as usize];
        let known = self.by_id.find_entry(hash(cluster.id), |&s| s == slot);
        if let Ok(entry) = known {
            entry.remove();
        }
        cluster.id = 0;
        // The next cluster may reuse the allocations, but only those of one free slot are kept for it.
        if !self.free.is_empty() {
            self.templates -= cluster.template.bytes();
            cluster.template = Template::default();
        }
        grow(&mut self.free, 1);
        self.free.push(slot);
    }

    /// Counts a line, and makes the cluster the most recently used one.
    #[inline]
    pub fn touch(&mut self, slot: u32) {
        self.slots[slot as usize].size += 1;
        if self.lru.last != slot {
            self.lru.unlink(&mut self.slots, slot, Cluster::by_recency);
            self.lru.append(&mut self.slots, slot, Cluster::by_recency);
        }
    }

    /// Puts a parameter wherever the template of a cluster differs from a line of the same length; returns whether it changed.
    pub fn generalize(&mut self, slot: u32, line: &[Word]) -> bool {
        let template = &mut self.slots[slot as usize].template;
        let differs = |(&word, &other): (&Word, &Word)| word != other && word != PARAMETER;
        if !template.words.iter().zip(line).any(differs) {
            return false;
        }
        self.templates -= template.bytes();
        let old = std::mem::take(&mut template.text);
        let mut text = String::with_capacity(old.len() + line.len() * PARAMETER_TEXT.len());
        for ((word, &other), old) in template.words.iter_mut().zip(line).zip(old.split(' ')) {
            if *word != other {
                *word = PARAMETER;
            }
            text.push_str(if *word == PARAMETER {
                PARAMETER_TEXT
            } else {
                old
            });
            text.push(' ');
        }
        text.pop();
        text.shrink_to_fit();
        template.text = text;
        self.templates += template.bytes();
        true
    }

    /// The clusters of a leaf, in order.
    pub fn of(&self, members: Members) -> impl Iterator<Item = u32> + '_ {
        std::iter::successors(members.first(), |&slot| {
            let next = self.get(slot).in_leaf.next;
            (next != NONE).then_some(next)
        })
    }

    /// Appends a cluster to those of a leaf.
    pub fn push_member(&mut self, members: &mut Members, leaf: u32, slot: u32) {
        self.slots[slot as usize].leaf = leaf;
        members.ends.append(&mut self.slots, slot, Cluster::in_leaf);
        members.len += 1;
    }

    /// Removes a cluster from those of its leaf.
    pub fn remove_member(&mut self, members: &mut Members, slot: u32) {
        members.ends.unlink(&mut self.slots, slot, Cluster::in_leaf);
        members.len -= 1;
    }

    /// Memory of the clusters in bytes.
    pub fn bytes(&self) -> usize {
        self.templates + vec(&self.slots) + vec(&self.free) + self.by_id.allocation_size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drain::words::word;

    fn add(clusters: &mut Clusters, id: u64, text: &str) -> u32 {
        let words: Vec<Word> = text.split(' ').map(word).collect();
        clusters.add(id, 1, &words, text)
    }

    #[test]
    fn clusters_are_listed_in_the_order_of_their_last_use() {
        let mut clusters = Clusters::new();
        for id in 1..=4 {
            add(&mut clusters, id, "word");
        }
        let ids = |clusters: &Clusters| -> Vec<u64> {
            clusters
                .by_recency()
                .map(|slot| clusters.get(slot).id)
                .collect()
        };
        assert_eq!(ids(&clusters), [1, 2, 3, 4]);
        clusters.touch(clusters.slot(1).unwrap());
        clusters.touch(clusters.slot(3).unwrap());
        clusters.touch(clusters.slot(3).unwrap());
        assert_eq!(ids(&clusters), [2, 4, 1, 3]);
        clusters.remove(clusters.slot(4).unwrap());
        clusters.remove(clusters.slot(2).unwrap());
        assert_eq!(ids(&clusters), [1, 3]);
        clusters.remove(clusters.slot(3).unwrap());
        clusters.remove(clusters.slot(1).unwrap());
        assert_eq!((ids(&clusters), clusters.len()), (vec![], 0));
        let kept = clusters
            .slots
            .iter()
            .map(|cluster| cluster.template.bytes());
        assert_eq!(clusters.templates, kept.sum::<usize>());
        assert!(clusters.templates <= allocation(8) + allocation(4));
        add(&mut clusters, 5, "word");
        assert_eq!(ids(&clusters), [5]);
        assert_eq!(clusters.slots.len(), 4);
    }

    #[test]
    fn the_clusters_of_a_leaf_keep_their_order_whichever_is_removed() {
        let mut clusters = Clusters::new();
        let mut members = Members::NONE;
        for id in 1..=5 {
            let slot = add(&mut clusters, id, "word");
            clusters.push_member(&mut members, 7, slot);
        }
        for (leaving, left) in [(3, vec![1, 2, 4, 5]), (1, vec![2, 4, 5]), (5, vec![2, 4])] {
            clusters.remove_member(&mut members, clusters.slot(leaving).unwrap());
            let ids: Vec<u64> = clusters.of(members).map(|s| clusters.get(s).id).collect();
            assert_eq!((ids, members.len()), (left.clone(), left.len()));
        }
    }

    #[test]
    fn a_template_loses_words_that_differ_and_its_memory_is_counted() {
        let mut clusters = Clusters::new();
        let slot = add(&mut clusters, 1, "a bc d");
        let line = |text: &str| text.split(' ').map(word).collect::<Vec<Word>>();
        assert!(!clusters.generalize(slot, &line("a bc d")));
        assert!(clusters.generalize(slot, &line("a x d")));
        assert_eq!(clusters.get(slot).text(), "a <:*:> d");
        assert!(!clusters.generalize(slot, &line("a y d")));
        assert!(clusters.generalize(slot, &line("a bc y")));
        assert_eq!(clusters.get(slot).text(), "a <:*:> <:*:>");
        assert_eq!(clusters.get(slot).words(), line("a <:*:> <:*:>"));
        assert_eq!(clusters.templates, clusters.get(slot).template.bytes());
    }
}
