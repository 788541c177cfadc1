//! Which clusters of a leaf have which word where: finds the few that can be similar to a line among very many.
//!
//! A cluster that has at least k words of n in common with a line has one of any n - k + 1 of them. So it is enough to look
//! at the clusters behind the n - k + 1 rarest words of the line, and the frequent words cost nothing.
//!
//! Entries of clusters that are gone, or that have lost the word, stay until the next clean-up: whoever looks compares the
//! cluster itself.

use rustc_hash::FxHashMap;

use super::tokens::PARAMETER;

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
    /// Room to sort in.
    rarest: Vec<List>,
}

impl Postings {
    /// Adds the cluster of a slot under its words.
    pub fn add(&mut self, leaf: u32, slot: u32, template: &[u32]) {
        for (position, &word) in template.iter().enumerate() {
            // What stands for any word is similar to none.
            if word == PARAMETER {
                continue;
            }
            let at = self.entries.len() as u32;
            let list = self
                .lists
                .entry((leaf, position as u32, word))
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

    /// Tells `candidate` of every slot whose cluster may have `least` (at least 1) of the line's words; of some more than
    /// once, and of some that have not.
    pub fn candidates(
        &mut self,
        leaf: u32,
        line: &[u32],
        least: usize,
        mut candidate: impl FnMut(u32),
    ) {
        let Self {
            lists,
            entries,
            rarest,
        } = self;
        rarest.clear();
        rarest.extend(line.iter().enumerate().map(|(position, &word)| {
            lists
                .get(&(leaf, position as u32, word))
                .copied()
                .unwrap_or(List {
                    first: NONE,
                    len: 0,
                })
        }));
        let enough = (line.len() + 1).saturating_sub(least);
        rarest.sort_unstable_by_key(|list| list.len);
        for list in rarest.iter().take(enough) {
            let mut at = list.first;
            while let Some(entry) = entries.get(at as usize) {
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

    fn candidates(postings: &mut Postings, leaf: u32, line: &[u32], least: usize) -> Vec<u32> {
        let mut found = Vec::new();
        postings.candidates(leaf, line, least, |slot| found.push(slot));
        found.sort_unstable();
        found.dedup();
        found
    }

    #[test]
    fn whoever_shares_enough_words_is_a_candidate_and_frequent_words_are_not_looked_at() {
        let mut postings = Postings::default();
        for slot in 0..100 {
            postings.add(1, slot, &[7, 1000 + slot, 2000 + slot]);
        }
        assert_eq!(candidates(&mut postings, 1, &[7, 1042, 2042], 2), [42]);
        assert_eq!(candidates(&mut postings, 1, &[7, 1042, 2043], 2), [42, 43]);
        assert!(candidates(&mut postings, 1, &[7, 5, 5], 2).is_empty());
        assert_eq!(candidates(&mut postings, 1, &[7, 5, 5], 1).len(), 100);
        assert!(candidates(&mut postings, 2, &[7, 1042, 2042], 1).is_empty());
        postings.clear();
        assert!(candidates(&mut postings, 1, &[7, 1042, 2042], 1).is_empty());
    }
}
