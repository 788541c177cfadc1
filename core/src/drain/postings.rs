//! Which clusters of a leaf have which word where: finds the few that can be similar to a line among very many.
//!
//! A cluster that has at least k words of n in common with a line has one of any n - k + 1 of its own in common. So it is
//! enough to list every cluster under its n - k + 1 rarest words, and the frequent ones cost nothing.
//!
//! Entries of clusters that are gone, or that have lost the word, stay until the next clean-up: whoever looks compares the
//! cluster itself.

use rustc_hash::FxHashMap;

use super::tokens::{PARAMETER, UNKNOWN};

/// Leaves with at most so many clusters are faster looked through than looked up.
pub(super) const SCANNED: usize = 16;

const NONE: u32 = u32::MAX;
/// What an entry costs: itself, and its share of the table.
const ENTRY_BYTES: usize = 40;

/// Leaf, position, word.
type Key = (u32, u32, u32);

#[derive(Debug, Clone, Copy)]
struct Entry {
    slot: u32,
    next: u32,
}

#[derive(Debug, Clone, Copy)]
struct List {
    first: u32,
    len: u32,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Postings {
    lists: FxHashMap<Key, List>,
    entries: Vec<Entry>,
    /// Room to sort in: the lengths of lists, and the positions of their words.
    rarest: Vec<(u32, u32)>,
}

impl Postings {
    /// Adds the cluster of a slot, so that every line with at least `least` (at least 1) of its words finds it.
    pub fn add(&mut self, leaf: u32, slot: u32, template: &[u32], least: usize) {
        self.rarest.clear();
        for (position, &word) in template.iter().enumerate() {
            let position = position as u32;
            // What stands for any word is similar to none.
            if word != PARAMETER {
                let list = self.lists.get(&(leaf, position, word));
                self.rarest.push((list.map_or(0, |l| l.len), position));
            }
        }
        let enough = (self.rarest.len() + 1).saturating_sub(least);
        self.rarest.sort_unstable();
        for &(_, position) in self.rarest.iter().take(enough) {
            let at = self.entries.len() as u32;
            let list = self
                .lists
                .entry((leaf, position, template[position as usize]))
                .or_insert(List {
                    first: NONE,
                    len: 0,
                });
            self.entries.push(Entry {
                slot,
                next: list.first,
            });
            list.first = at;
            list.len += 1;
        }
    }

    /// Tells `candidate` of every slot whose cluster may be similar to the line; of some more than once, and of some that
    /// are not.
    pub fn candidates(&self, leaf: u32, line: &[u32], mut candidate: impl FnMut(u32)) {
        for (position, &word) in line.iter().enumerate() {
            // No template has it.
            if word == UNKNOWN {
                continue;
            }
            let Some(list) = self.lists.get(&(leaf, position as u32, word)) else {
                continue;
            };
            let mut at = list.first;
            while let Some(entry) = self.entries.get(at as usize) {
                candidate(entry.slot);
                at = entry.next;
            }
        }
    }

    /// How many entries there are, of clusters that are gone as well.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.lists.clear();
        self.entries.clear();
    }

    /// About how much memory this takes.
    pub fn bytes(&self) -> usize {
        self.entries.len() * ENTRY_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(postings: &Postings, leaf: u32, line: &[u32]) -> Vec<u32> {
        let mut found = Vec::new();
        postings.candidates(leaf, line, |slot| found.push(slot));
        found.sort_unstable();
        found.dedup();
        found
    }

    #[test]
    fn whoever_shares_enough_words_is_a_candidate_and_frequent_words_are_not_looked_at() {
        let mut postings = Postings::default();
        for slot in 0..100 {
            postings.add(1, slot, &[7, 1000 + slot, 2000 + slot], 2);
        }
        let of = |line: &[u32]| candidates(&postings, 1, line);
        assert!(of(&[7, 1042, 2042]).contains(&42));
        assert!(of(&[7, 1042, 5]).contains(&42));
        assert!(of(&[5, 1042, 2042]).contains(&42));
        // The first cluster found no word more frequent than another.
        assert!(of(&[7, 5, UNKNOWN]).len() <= 1);
        assert!(candidates(&postings, 2, &[7, 1042, 2042]).is_empty());
        postings.clear();
        assert!(candidates(&postings, 1, &[7, 1042, 2042]).is_empty());
    }
}
