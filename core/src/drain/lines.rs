//! Masked lines seen lately, each with the cluster that it got: the fast path.
//!
//! Which cluster a line gets depends on its path through the tree and on the clusters at the path's end. An entry is made
//! only by a line that changed nothing, and holds the versions of both as they were; while they are the same and the
//! cluster lives, the same line gets the same cluster and changes nothing again. (Another cluster of the leaf that goes
//! does not matter: it was not chosen when it was there.)

use std::hint::black_box;

use super::tree::Leaf;
use crate::memory::{allocation, vec};

/// The most lines that are kept; a power of two.
const MAX_LINES: usize = 4096;
/// How many there is room for at first; a power of two.
const FIRST_LINES: usize = 8;
/// Longer lines are not worth their place.
const MAX_TEXT_BYTES: usize = 1024;
/// What an entry costs beside its text.
const ENTRY_BYTES: usize = size_of::<Option<Line>>() + size_of::<Marks>();

#[derive(Debug, Clone)]
pub(super) struct Line {
    hash: u64,
    text: Box<str>,
    pub slot: u32,
    /// The id of the cluster, which is not that of the slot any more when it is gone.
    pub cluster: u64,
    pub leaf: Leaf,
    /// [`Tree::versions`](super::tree::Tree::versions) of the leaf.
    pub versions: (u64, u64),
}

/// Of a place: by which part of their hashes lines are told apart without a look at the entry, of which there are too many for
/// the processor's nearest cache.
#[derive(Debug, Clone, Copy, Default)]
struct Marks {
    /// That of the line that has the place.
    kept: u32,
    /// That of the line that would have liked to have it last.
    refused: u32,
}

/// Each line has one place, by its hash; another one takes it that comes twice without a third between: most lines that never
/// come again leave no trace.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    /// The most memory to use, in bytes.
    limit: usize,
    places: Vec<Option<Line>>,
    /// Those of the places.
    marks: Vec<Marks>,
    /// How many lines had to make room, or found none, since the places were made.
    displaced: usize,
    bytes: usize,
}

impl Lines {
    /// Keeps lines in at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            places: Vec::new(),
            marks: Vec::new(),
            displaced: 0,
            bytes: 0,
        }
    }

    /// Reads where a line with that hash would be.
    pub fn prefetch(&self, hash: u64) {
        let place = self.place(hash);
        black_box(self.marks.get(place).map(|marks| marks.kept));
        black_box(self.places.get(place).map(Option::is_some));
    }

    #[inline]
    pub fn find(&self, hash: u64, text: &str) -> Option<&Line> {
        let place = self.place(hash);
        if self.marks.get(place)?.kept != mark(hash) {
            return None;
        }
        let line = self.places[place].as_ref()?;
        (line.hash == hash && *line.text == *text).then_some(line)
    }

    pub fn keep(
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
        let size = self.places.len();
        let larger = size < MAX_LINES && 4 * size * ENTRY_BYTES < self.limit;
        if size == 0 || self.displaced > size && larger {
            self.grow();
        }
        if self.bytes() + allocation(text.len()) > self.limit {
            self.clear();
            return;
        }
        let place = self.place(hash);
        let marks = &mut self.marks[place];
        let taken = marks.kept != mark(hash) && self.places[place].is_some();
        if taken && marks.refused != mark(hash) {
            marks.refused = mark(hash);
            self.displaced += 1;
            return;
        }
        marks.kept = mark(hash);
        let line = Line {
            hash,
            text: text.into(),
            slot,
            cluster,
            leaf,
            versions,
        };
        self.bytes += allocation(text.len());
        if let Some(old) = self.places[place].replace(line) {
            self.bytes -= allocation(old.text.len());
            // A line whose entry was out of date only takes its own place again.
            self.displaced += usize::from(old.hash != hash);
        }
    }

    fn grow(&mut self) {
        let size = (self.places.len() * 2).max(FIRST_LINES);
        let old = std::mem::take(&mut self.places);
        self.places.resize_with(size, || None);
        self.marks = vec![Marks::default(); size];
        (self.displaced, self.bytes) = (0, 0);
        for line in old.into_iter().flatten() {
            self.bytes += allocation(line.text.len());
            let place = self.place(line.hash);
            self.marks[place].kept = mark(line.hash);
            if let Some(old) = self.places[place].replace(line) {
                self.bytes -= allocation(old.text.len());
            }
        }
    }

    #[inline]
    fn place(&self, hash: u64) -> usize {
        mark(hash) as usize & self.places.len().wrapping_sub(1)
    }

    /// Forgets all lines.
    pub fn clear(&mut self) {
        *self = Self::new(self.limit);
    }

    /// How much memory the lines take, in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes + vec(&self.places) + vec(&self.marks)
    }
}

/// What tells lines of one place apart.
#[inline]
fn mark(hash: u64) -> u32 {
    // The upper bits, which are the better ones.
    (hash >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAF: Leaf = Leaf { group: 0, node: 1 };

    #[test]
    fn a_line_is_found_by_its_text_not_by_its_hash_alone() {
        let mut lines = Lines::new(1 << 24);
        assert!(lines.find(5, "a").is_none());
        lines.keep(5, "a", (3, 9), LEAF, (0, 0));
        assert_eq!(lines.find(5, "a").unwrap().cluster, 9);
        assert!(lines.find(5, "b").is_none());
        assert!(lines.find(6, "a").is_none());
    }

    #[test]
    fn a_line_that_comes_once_takes_no_place_from_another() {
        let mut lines = Lines::new(1 << 24);
        let keep = |lines: &mut Lines, hash, text| lines.keep(hash, text, (0, 1), LEAF, (0, 0));
        // As many bits of the hash as choose the place are the same.
        let other = |n: u64| 5 | n << 60;
        keep(&mut lines, 5, "a");
        keep(&mut lines, other(1), "once");
        keep(&mut lines, other(2), "b");
        assert!(lines.find(5, "a").is_some() && lines.find(other(2), "b").is_none());
        keep(&mut lines, other(2), "b");
        assert!(lines.find(5, "a").is_none() && lines.find(other(2), "b").is_some());
    }

    #[test]
    fn the_lines_kept_are_bounded_in_number_and_length() {
        let mut lines = Lines::new(1 << 24);
        for i in 0..200_000u64 {
            let hash = i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            lines.keep(hash, &format!("line {i}"), (0, 1), LEAF, (0, 0));
        }
        assert_eq!(lines.places.len(), MAX_LINES);
        let before = lines.bytes();
        lines.keep(1, &"x".repeat(MAX_TEXT_BYTES + 1), (0, 1), LEAF, (0, 0));
        assert_eq!(lines.bytes(), before);
        assert!(before < MAX_LINES * (ENTRY_BYTES + 32) + 64);
        lines.clear();
        assert_eq!(lines.bytes(), 0);
    }
}
