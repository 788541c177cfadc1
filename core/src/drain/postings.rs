//! An inverted index over the clusters of large leaves: which clusters have which word at which position.
//!
//! A cluster that has at least k of n words in common with a line shares at least one of any n - k + 1 of its own words with it.
//! So it is enough to list every cluster under its n - k + 1 rarest words, and frequent words cost nothing (prefix filter).
//!
//! If all words are frequent, lists are long. Most clusters in them share only that one word with the line. Signatures, a byte
//! of each of the first 32 words, reject those without a look at the cluster itself. An epoch per cluster tells which ones the line
//! has met already.
//!
//! The cost of a line is bounded: a cluster is listed under at most [`MAX_LISTED`] words, and a query looks at no more postings than
//! its [`Budget`] allows, those of the rarest words first, the newest clusters of each word first.

use super::budget::Budget;
use super::words::{PARAMETER, Word};
use crate::memory::{allocation, grow, vec};

/// Leaves with at most this many clusters are scanned, because that is faster than a lookup.
pub(super) const SCAN_MAX: usize = 16;
/// Maximum number of words under which a cluster is listed; lines of up to 106 words need no more at the default similarity.
const MAX_LISTED: usize = 64;
/// When there are too many postings for a line, lists of up to the first length come first, then longer ones.
const TIERS: [u32; 4] = [2, 8, 32, u32::MAX];
/// Number of words in a signature.
const SIGNATURE_WORDS: usize = 32;
/// Maximum number of lists.
const MAX_LISTS: usize = 1 << 31;
/// A byte of each of the first words of a template; 0 where it has fewer.
type Signature = [u8; SIGNATURE_WORDS];
/// No posting.
const NONE: u32 = u32::MAX;

/// An entry of the index: a cluster has a word at a position.
#[derive(Debug, Clone, Copy)]
struct Posting {
    /// Hash of leaf, position and word. Collisions are harmless, because the cluster itself is compared afterwards.
    hash: u32,
    slot: u32,
    /// Links of its list; a free posting links to the next free one.
    prev: u32,
    next: u32,
    /// The next posting of the same cluster.
    sibling: u32,
    /// The position of the word.
    position: u32,
}

/// The postings whose hashes have the same leading bits.
#[derive(Debug, Clone, Copy)]
struct List {
    first: u32,
    len: u32,
}

const EMPTY: List = List {
    first: NONE,
    len: 0,
};

/// A word of a line or template in a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Queried {
    /// The length of its list.
    len: u32,
    hash: u32,
    position: u32,
}

/// How far a query has come in the list of a word.
#[derive(Debug, Clone, Copy)]
struct Walk {
    /// The next posting.
    at: u32,
    hash: u32,
}

/// A cluster in the index.
#[derive(Debug, Clone, Copy)]
struct Listed {
    signature: Signature,
    /// Its first posting; `None` if it is not in the index, as opposed to one that has lost all of its postings.
    first: Option<u32>,
    /// The last query that met it.
    epoch: u32,
}

const UNLISTED: Listed = Listed {
    signature: [0; SIGNATURE_WORDS],
    first: None,
    epoch: 0,
};

#[derive(Debug, Clone)]
pub(super) struct Postings {
    /// A power of two.
    lists: Vec<List>,
    postings: Vec<Posting>,
    /// The first free posting, and the number of postings in use.
    free: u32,
    used: usize,
    /// By slot.
    listed: Vec<Listed>,
    /// The words of the line or template queried last.
    query: Vec<Queried>,
    /// The lists that a query walks through.
    walks: Vec<Walk>,
    /// The number of the last query.
    epoch: u32,
    /// The leaf of the last query.
    queried_leaf: Option<u32>,
}

#[inline]
fn hash(leaf: u32, position: usize, word: Word) -> u32 {
    let place = u64::from(leaf) << 32 | position as u64;
    let mixed = word ^ place.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed.wrapping_mul(0xff51_afd7_ed55_8ccd) >> 32) as u32
}

/// The signature of a template or line.
#[inline]
fn signature(words: &[Word]) -> Signature {
    let mut signature = [0; SIGNATURE_WORDS];
    for (byte, word) in signature.iter_mut().zip(words) {
        *byte = (word >> 20) as u8;
    }
    signature
}

/// The number of positions at which two signatures agree.
#[inline]
fn common_places(a: &Signature, b: &Signature) -> usize {
    // A sum of bytes over whole arrays is vectorized best.
    let sum: u8 = a.iter().zip(b).map(|(a, b)| u8::from(a == b)).sum();
    usize::from(sum)
}

impl Postings {
    pub fn new() -> Self {
        Self {
            lists: Vec::new(),
            postings: Vec::new(),
            free: NONE,
            used: 0,
            listed: Vec::new(),
            query: Vec::new(),
            walks: Vec::new(),
            epoch: 0,
            queried_leaf: None,
        }
    }

    /// Whether the cluster of a slot is in the index.
    #[inline]
    pub fn has(&self, slot: u32) -> bool {
        let listed = self.listed.get(slot as usize);
        listed.is_some_and(|listed| listed.first.is_some())
    }

    /// Lists the cluster of a slot so that every line with at least `least` (1 or more) of its words finds it.
    pub fn add(&mut self, leaf: u32, slot: u32, template: &[Word], least: usize) {
        // The template of a new cluster is the line that was just queried.
        if self.queried_leaf.take() != Some(leaf) {
            self.query(leaf, template);
        }
        let words = &mut self.query;
        let enough = (words.len() + 1).saturating_sub(least);
        let enough = enough.min(words.len()).min(MAX_LISTED);
        if enough < words.len() && words.iter().any(|word| word.len > 0) {
            words.select_nth_unstable(enough);
        }
        while self.listed.len() <= slot as usize {
            grow(&mut self.listed, 1);
            self.listed.push(UNLISTED);
        }
        let lists = 2 * (self.used + enough);
        if lists > self.lists.len() && self.lists.len() < MAX_LISTS {
            self.grow_lists(lists);
        }
        let mut sibling = NONE;
        for at in 0..enough {
            let word = self.query[at];
            sibling = self.insert(word, slot, sibling);
        }
        self.listed[slot as usize] = Listed {
            signature: signature(template),
            first: Some(sibling),
            epoch: 0,
        };
    }

    /// The index of the list for a hash.
    #[inline]
    fn list(&self, hash: u32) -> usize {
        // There are at least two lists, and at most one per hash.
        (hash >> (u32::BITS - self.lists.len().ilog2())) as usize
    }

    fn insert(&mut self, word: Queried, slot: u32, sibling: u32) -> u32 {
        let posting = Posting {
            hash: word.hash,
            slot,
            prev: NONE,
            next: NONE,
            sibling,
            position: word.position,
        };
        let at = match self.postings.get(self.free as usize) {
            Some(free) => {
                let at = std::mem::replace(&mut self.free, free.next);
                self.postings[at as usize] = posting;
                at
            }
            None => {
                grow(&mut self.postings, 1);
                self.postings.push(posting);
                self.postings.len() as u32 - 1
            }
        };
        self.push_front(at);
        self.used += 1;
        at
    }

    /// Inserts a posting, which is in no list, at the front of its list.
    #[inline]
    fn push_front(&mut self, at: u32) {
        let list = self.list(self.postings[at as usize].hash);
        let list = &mut self.lists[list];
        list.len += 1;
        let next = std::mem::replace(&mut list.first, at);
        let posting = &mut self.postings[at as usize];
        (posting.prev, posting.next) = (NONE, next);
        if let Some(next) = self.postings.get_mut(next as usize) {
            next.prev = at;
        }
    }

    /// Rebuilds the table with at least `lists` lists.
    #[cold]
    fn grow_lists(&mut self, lists: usize) {
        // Frees the old table first: both together could exceed the memory limit.
        self.lists = Vec::new();
        self.lists = vec![EMPTY; lists.next_power_of_two().clamp(2, MAX_LISTS)];
        for slot in 0..self.listed.len() {
            let mut at = self.listed[slot].first.unwrap_or(NONE);
            while at != NONE {
                self.push_front(at);
                at = self.postings[at as usize].sibling;
            }
        }
    }

    /// Removes a posting from its list; the caller repairs the siblings.
    fn remove(&mut self, at: u32) -> Posting {
        let posting = self.postings[at as usize];
        let list = self.list(posting.hash);
        let list = &mut self.lists[list];
        list.len -= 1;
        match self.postings.get_mut(posting.prev as usize) {
            Some(prev) => prev.next = posting.next,
            None => list.first = posting.next,
        }
        if let Some(next) = self.postings.get_mut(posting.next as usize) {
            next.prev = posting.prev;
        }
        self.postings[at as usize].next = std::mem::replace(&mut self.free, at);
        self.used -= 1;
        posting
    }

    /// Removes the cluster of a slot from the index.
    pub fn remove_cluster(&mut self, slot: u32) {
        let Some(listed) = self.listed.get_mut(slot as usize) else {
            return;
        };
        let mut at = listed.first.take().unwrap_or(NONE);
        while at != NONE {
            at = self.remove(at).sibling;
        }
    }

    /// Removes those postings of a cluster whose words, by their positions, its template has lost.
    pub fn remove_words(&mut self, slot: u32, lost: impl Fn(usize) -> bool) {
        let Some(listed) = self.listed.get(slot as usize) else {
            return;
        };
        let (mut last, mut at) = (NONE, listed.first.unwrap_or(NONE));
        while at != NONE {
            let Posting {
                position, sibling, ..
            } = self.postings[at as usize];
            if lost(position as usize) {
                self.remove(at);
                match self.postings.get_mut(last as usize) {
                    Some(last) => last.sibling = sibling,
                    None => self.listed[slot as usize].first = Some(sibling),
                }
            } else {
                last = at;
            }
            at = sibling;
        }
    }

    /// Calls `candidate` with the slots whose clusters may have `least` words in common with the line, as far as the budget
    /// allows; some are false positives.
    #[inline]
    pub fn candidates(
        &mut self,
        leaf: u32,
        line: &[Word],
        least: usize,
        budget: &mut Budget,
        mut candidate: impl FnMut(u32, &mut Budget),
    ) {
        let own = signature(line);
        // Missing words agree in all signatures, and words beyond the signature may agree.
        let least = (least + SIGNATURE_WORDS).saturating_sub(line.len());
        let postings = self.query(leaf, line);
        self.queried_leaf = Some(leaf);
        self.epoch = self.epoch.wrapping_add(1);
        if self.epoch == 0 {
            self.listed.iter_mut().for_each(|listed| listed.epoch = 0);
            self.epoch = 1;
        }
        let epoch = self.epoch;
        let (query, lists, walks) = (&self.query, &self.lists, &mut self.walks);
        let (postings_of, listed) = (&self.postings, &mut self.listed);
        let bits = lists.len().checked_ilog2().unwrap_or(0);
        // All lists at once, a posting of each in turn: the loads of one list wait for each other, those of several do not.
        let mut walk = |longer: u32, up_to: u32, budget: &mut Budget| {
            let words = query.iter().filter(|w| w.len > longer && w.len <= up_to);
            walks.clear();
            walks.extend(words.map(|word| Walk {
                at: lists[(word.hash >> (u32::BITS - bits)) as usize].first,
                hash: word.hash,
            }));
            while !walks.is_empty() {
                let mut going = 0;
                for i in 0..walks.len() {
                    let Walk { at, hash } = walks[i];
                    let Some(posting) = postings_of.get(at as usize) else {
                        continue;
                    };
                    if !budget.take_posting() {
                        return;
                    }
                    let at = posting.next;
                    walks[going] = Walk { at, hash };
                    going += 1;
                    if posting.hash != hash {
                        continue;
                    }
                    let listed = &mut listed[posting.slot as usize];
                    let met = std::mem::replace(&mut listed.epoch, epoch) == epoch;
                    if !met && common_places(&own, &listed.signature) >= least {
                        candidate(posting.slot, budget);
                    }
                }
                walks.truncate(going);
            }
        };
        if budget.allows(postings) {
            return walk(0, u32::MAX, budget);
        }
        let mut longer = 0;
        for tier in TIERS {
            walk(longer, tier, budget);
            longer = tier;
        }
    }

    /// Another line follows that has not been queried yet.
    pub fn next_line(&mut self) {
        self.queried_leaf = None;
    }

    /// Looks up the lists of the words; returns the sum of their lengths.
    #[inline]
    fn query(&mut self, leaf: u32, words: &[Word]) -> usize {
        self.query.clear();
        self.query.reserve(words.len());
        let mut sum = 0;
        for (position, &word) in words.iter().enumerate() {
            // A parameter is similar to no word.
            if word == PARAMETER {
                continue;
            }
            let hash = hash(leaf, position, word);
            let len = match self.lists[..] {
                [] => 0,
                ref lists => lists[self.list(hash)].len,
            };
            sum += len as usize;
            self.query.push(Queried {
                len,
                hash,
                position: position as u32,
            });
        }
        sum
    }

    /// Memory including itself, in bytes.
    pub fn bytes(&self) -> usize {
        allocation(size_of::<Self>())
            + vec(&self.lists)
            + vec(&self.postings)
            + vec(&self.listed)
            + vec(&self.query)
            + vec(&self.walks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(postings: &mut Postings, leaf: u32, line: &[Word], least: usize) -> Vec<u32> {
        let mut found = Vec::new();
        let mut budget = Budget::unlimited();
        postings.candidates(leaf, line, least, &mut budget, |slot, _| found.push(slot));
        postings.next_line();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// A word with bits anywhere.
    fn word(number: u32) -> Word {
        super::super::words::word(&number.to_string())
    }

    #[test]
    fn clusters_that_share_enough_words_are_candidates_and_frequent_words_are_skipped() {
        let mut postings = Postings::new();
        let template = |own: u32| [word(7), word(1000 + own), word(2000 + own)];
        for slot in 0..100 {
            postings.add(1, slot, &template(slot), 2);
        }
        let mut of = |line: &[u32]| {
            let line: Vec<Word> = line.iter().copied().map(word).collect();
            candidates(&mut postings, 1, &line, 2)
        };
        assert!(of(&[7, 1042, 2042]).contains(&42));
        assert!(of(&[7, 1042, 5]).contains(&42));
        assert!(of(&[5, 1042, 2042]).contains(&42));
        // For the first cluster, all words were equally frequent.
        assert!(of(&[7, 5, 6]).len() <= 1);
        assert!(candidates(&mut postings, 2, &template(42), 2).is_empty());
    }

    #[test]
    fn removed_clusters_leave_no_postings() {
        let mut postings = Postings::new();
        let template = |slot: u32| [7, slot, slot / 10, 9].map(word);
        let remove = |postings: &mut Postings, slot: u32| {
            if slot.is_multiple_of(2) {
                return postings.remove_cluster(slot % 501);
            }
            postings.remove_words(slot % 501, |position| position < 4);
            assert!(postings.has(slot % 501));
            postings.remove_cluster(slot % 501);
            assert!(!postings.has(slot % 501));
        };
        for slot in 0..20_000 {
            if slot > 500 {
                remove(&mut postings, slot - 501);
                assert!(
                    !candidates(&mut postings, 3, &template(slot - 501), 2).contains(&(slot % 501))
                );
            }
            postings.add(3, slot % 501, &template(slot), 2);
            assert!(candidates(&mut postings, 3, &template(slot), 2).contains(&(slot % 501)));
        }
        assert_eq!(postings.used, 501 * 3);
        assert!(postings.bytes() < 100_000, "{}", postings.bytes());
        for slot in 20_000 - 501..20_000 {
            remove(&mut postings, slot);
        }
        assert!(
            postings.used == 0
                && postings
                    .lists
                    .iter()
                    .all(|list| list.first == NONE && list.len == 0)
        );
    }

    #[test]
    fn no_cluster_with_enough_words_in_common_is_rejected_by_its_signature() {
        let mut random = 5_u64;
        for len in 1..40_usize {
            let mut postings = Postings::new();
            let mut line = || -> Vec<Word> {
                let mut next = || {
                    random = random
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1);
                    word((random >> 60) as u32)
                };
                (0..len).map(|_| next()).collect()
            };
            let templates: Vec<Vec<Word>> = (0..200).map(|_| line()).collect();
            let least = (2 * len).div_ceil(5);
            for (slot, template) in (0..).zip(&templates) {
                postings.add(1, slot, template, least);
            }
            for _ in 0..50 {
                let line = line();
                let found = candidates(&mut postings, 1, &line, least);
                for (slot, template) in (0..).zip(&templates) {
                    let common = template.iter().zip(&line).filter(|(a, b)| a == b).count();
                    assert!(common < least || found.contains(&slot), "{len}");
                }
            }
        }
    }
}
