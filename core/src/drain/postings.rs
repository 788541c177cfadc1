//! Which clusters of a leaf have which word where: finds the few that can be similar to a line among very many.
//!
//! A cluster that has at least k words of n in common with a line has one of any n - k + 1 of its own in common. So it is
//! enough to list every cluster under its n - k + 1 rarest words, and the frequent ones cost nothing.
//!
//! Where all words are frequent, lists are long. Most clusters in them have no more than that one word in common with the
//! line, which their signatures tell without a look at the cluster itself: they have four bits of each of the first words.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::words::{PARAMETER, Word};
use crate::memory::{grow, vec};

/// Leaves with at most so many clusters are faster looked through than looked up.
pub(super) const SCANNED: usize = 16;
/// So many words have a part in a signature.
const SIGNED: usize = 16;
/// Added to the place of a list's slots, which are a single one otherwise.
const LONG: u32 = 1 << 31;

/// Clusters that have a word at a position in common. Nearly all lists of an explosion have a single one: a table of them is
/// small enough to be at hand.
#[derive(Debug, Clone, Copy)]
struct List {
    /// Of leaf, position and word. Two lists with the same are one: whoever looks compares the cluster itself.
    hash: u32,
    /// The slot, or [`LONG`] and where the slots are.
    slots: u32,
}

#[derive(Debug, Clone)]
pub(super) struct Postings {
    lists: HashTable<List>,
    /// The slots of lists with more than one, and which of these places are free.
    long: Vec<Vec<u32>>,
    free: Vec<u32>,
    /// What the long lists take outside of their places, in bytes.
    spilled: usize,
    /// By slot.
    signatures: Vec<u64>,
    /// Of the words of the line looked up last, or of a template: the lengths of their lists, their hashes and positions.
    looked_up: Vec<(u32, u32, u32)>,
    /// The leaf that the line was looked up in.
    looked_in: Option<u32>,
}

#[inline]
fn hash(leaf: u32, position: usize, word: Word) -> u32 {
    let place = u64::from(leaf) << 32 | position as u64;
    let mixed = word ^ place.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed.wrapping_mul(0xff51_afd7_ed55_8ccd) >> 32) as u32
}

/// A hash as tables want it, with all of it in the lowest and in the highest bits.
#[inline]
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

/// The bit of a position among those under which a cluster is listed; the last ones share one.
#[inline]
pub(super) fn bit(position: usize) -> u64 {
    1 << position.min(63)
}

/// Four bits of each of the first words.
#[inline]
fn signature(words: &[Word]) -> u64 {
    let bits = |signature: u64, word: &Word| signature << 4 | (word >> 20 & 15);
    words.iter().take(SIGNED).fold(0, bits)
}

/// In how many places of a signature two have the same.
#[inline]
fn alike(a: u64, b: u64) -> usize {
    let other = a ^ b;
    let other = other | other >> 1;
    let other = (other | other >> 2) & (u64::MAX / 15);
    SIGNED - other.count_ones() as usize
}

impl Postings {
    pub fn new() -> Self {
        Self {
            lists: HashTable::new(),
            long: Vec::new(),
            free: Vec::new(),
            spilled: 0,
            signatures: Vec::new(),
            looked_up: Vec::new(),
            looked_in: None,
        }
    }

    /// Adds the cluster of a slot, so that every line with at least `least` (at least 1) of its words finds it. Gives the
    /// [`bit`]s of the positions under which it is listed.
    pub fn add(&mut self, leaf: u32, slot: u32, template: &[Word], least: usize) -> u64 {
        // A new cluster's template is the line that was just looked up.
        if self.looked_in.take() != Some(leaf) {
            self.look_up(leaf, template, |_| {});
        }
        let words = &mut self.looked_up;
        let enough = (words.len() + 1).saturating_sub(least).min(words.len());
        if enough < words.len() && words.iter().any(|&(len, ..)| len > 0) {
            words.sort_unstable();
        }
        let mut bits = 0;
        for at in 0..enough {
            let (_, hash, position) = self.looked_up[at];
            self.insert(hash, slot);
            bits |= bit(position as usize);
        }
        let slot = slot as usize;
        while self.signatures.len() <= slot {
            grow(&mut self.signatures, 1);
            self.signatures.push(0);
        }
        self.signatures[slot] = signature(template);
        bits
    }

    fn insert(&mut self, hash: u32, slot: u32) {
        let same = |list: &List| list.hash == hash;
        let rehash = |list: &List| spread(list.hash);
        match self.lists.entry(spread(hash), same, rehash) {
            Entry::Vacant(place) => {
                place.insert(List { hash, slots: slot });
            }
            Entry::Occupied(mut list) => {
                let list = list.get_mut();
                if list.slots < LONG {
                    let place = self.free.pop().unwrap_or_else(|| {
                        grow(&mut self.long, 1);
                        self.long.push(Vec::new());
                        self.long.len() as u32 - 1
                    });
                    self.long[place as usize].push(list.slots);
                    self.spilled += vec(&self.long[place as usize]);
                    list.slots = LONG + place;
                }
                let slots = &mut self.long[(list.slots - LONG) as usize];
                self.spilled -= vec(slots);
                grow(slots, 1);
                slots.push(slot);
                self.spilled += vec(slots);
            }
        }
    }

    /// Takes the cluster of a slot out again, as far as it is listed under the word at this position.
    pub fn remove(&mut self, leaf: u32, slot: u32, position: usize, word: Word) {
        let hash = hash(leaf, position, word);
        let Ok(mut entry) = self
            .lists
            .find_entry(spread(hash), |list| list.hash == hash)
        else {
            return;
        };
        let list = entry.get_mut();
        if list.slots == slot {
            entry.remove();
            return;
        }
        let Some(place) = list.slots.checked_sub(LONG) else {
            return;
        };
        let slots = &mut self.long[place as usize];
        if let Some(at) = slots.iter().position(|&other| other == slot) {
            slots.swap_remove(at);
        }
        if let [last] = slots[..] {
            list.slots = last;
            self.spilled -= vec(slots);
            *slots = Vec::new();
            grow(&mut self.free, 1);
            self.free.push(place);
        }
    }

    /// Tells `candidate` of every slot whose cluster may have `least` words in common with the line; of some more than once,
    /// and of some that have not.
    #[inline]
    pub fn candidates(
        &mut self,
        leaf: u32,
        line: &[Word],
        least: usize,
        mut candidate: impl FnMut(u32),
    ) {
        let own = signature(line);
        // What is no word is alike in all signatures, and what has no part in them may be in common.
        let least = (least + SIGNED).saturating_sub(line.len());
        let signatures = std::mem::take(&mut self.signatures);
        self.look_up(leaf, line, |slots| {
            for &slot in slots {
                if alike(own, signatures[slot as usize]) >= least {
                    candidate(slot);
                }
            }
        });
        self.signatures = signatures;
        self.looked_in = Some(leaf);
    }

    /// Another line is being looked at, which has not been looked up.
    pub fn next_line(&mut self) {
        self.looked_in = None;
    }

    /// Looks up the lists of the words, and shows those that there are.
    #[inline]
    fn look_up(&mut self, leaf: u32, words: &[Word], mut show: impl FnMut(&[u32])) {
        self.looked_up.clear();
        for (position, &word) in words.iter().enumerate() {
            // What stands for any word is similar to none.
            if word == PARAMETER {
                continue;
            }
            let hash = hash(leaf, position, word);
            let list = self.lists.find(spread(hash), |list| list.hash == hash);
            let slots = match list {
                None => &[],
                Some(list) => match list.slots.checked_sub(LONG) {
                    None => std::slice::from_ref(&list.slots),
                    Some(place) => &*self.long[place as usize],
                },
            };
            show(slots);
            self.looked_up
                .push((slots.len() as u32, hash, position as u32));
        }
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Self::new();
    }

    /// How much memory this takes, in bytes.
    pub fn bytes(&self) -> usize {
        self.lists.allocation_size()
            + vec(&self.long)
            + vec(&self.free)
            + self.spilled
            + vec(&self.signatures)
            + vec(&self.looked_up)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(postings: &mut Postings, leaf: u32, line: &[Word], least: usize) -> Vec<u32> {
        let mut found = Vec::new();
        postings.candidates(leaf, line, least, |slot| found.push(slot));
        postings.next_line();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// A word as they are: with bits anywhere.
    fn word(number: u32) -> Word {
        super::super::words::word(&number.to_string())
    }

    #[test]
    fn whoever_shares_enough_words_is_a_candidate_and_frequent_words_are_not_looked_at() {
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
        // The first cluster found no word more frequent than another.
        assert!(of(&[7, 5, 6]).len() <= 1);
        assert!(candidates(&mut postings, 2, &template(42), 2).is_empty());
        postings.clear();
        assert!(candidates(&mut postings, 1, &template(42), 2).is_empty());
    }

    #[test]
    fn clusters_that_come_and_go_leave_nothing_behind() {
        let mut postings = Postings::new();
        let template = |slot: u32| [7, slot, slot / 10, 9].map(word);
        let remove = |postings: &mut Postings, slot: u32| {
            for (position, word) in template(slot).into_iter().enumerate() {
                postings.remove(3, slot % 501, position, word);
            }
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
        let lists = postings.lists.iter();
        let single = lists.filter(|list| list.slots < LONG).count();
        let listed = postings.long.iter().map(Vec::len).sum::<usize>() + single;
        assert_eq!(listed, 501 * 3);
        let spilled: usize = postings.long.iter().map(vec).sum();
        assert_eq!(postings.spilled, spilled);
        assert!(postings.bytes() < 100_000, "{}", postings.bytes());
        for slot in 20_000 - 501..20_000 {
            remove(&mut postings, slot);
        }
        assert_eq!((postings.lists.len(), postings.spilled), (0, 0));
    }

    #[test]
    fn no_cluster_with_enough_in_common_is_passed_over_for_its_signature() {
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
