//! Masked lines seen lately, each with the cluster that it got: the fast path.
//!
//! Which cluster a line gets depends on its path through the tree and on the clusters at the path's end. An entry is made
//! only by a line that changed nothing, and holds the versions of both as they were; while they are the same and the
//! cluster lives, the same line gets the same cluster and changes nothing again. (Another cluster of the leaf that goes
//! does not matter: it was not chosen when it was there.)

use super::tree::Leaf;

/// The most lines that are kept; a power of two.
const MAX_LINES: usize = 4096;
/// How many there is room for at first; a power of two.
const FIRST_LINES: usize = 64;
/// Longer lines are not worth their place.
const MAX_TEXT_BYTES: usize = 1024;
/// What an entry costs beside its text.
const ENTRY_BYTES: usize = size_of::<Option<Line>>() + 16;

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

/// Each line has one place, by its hash; who comes later takes it.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    /// The most memory to use, in bytes.
    limit: usize,
    places: Vec<Option<Line>>,
    /// How many lines had to make room since the places were made.
    displaced: usize,
    bytes: usize,
}

impl Lines {
    /// Keeps lines in at most `limit` bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            places: Vec::new(),
            displaced: 0,
            bytes: 0,
        }
    }

    #[inline]
    pub fn find(&self, hash: u64, text: &str) -> Option<&Line> {
        let line = self.places.get(self.place(hash))?.as_ref()?;
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
        if self.bytes() + text.len() > self.limit {
            self.clear();
            return;
        }
        let line = Line {
            hash,
            text: text.into(),
            slot,
            cluster,
            leaf,
            versions,
        };
        self.bytes += text.len();
        let place = self.place(hash);
        if let Some(old) = self.places[place].replace(line) {
            self.bytes -= old.text.len();
            // A line whose entry was out of date only takes its own place again.
            self.displaced += usize::from(old.hash != hash);
        }
    }

    fn grow(&mut self) {
        let size = (self.places.len() * 2).max(FIRST_LINES);
        let old = std::mem::take(&mut self.places);
        self.places.resize_with(size, || None);
        (self.displaced, self.bytes) = (0, 0);
        for line in old.into_iter().flatten() {
            self.bytes += line.text.len();
            let place = self.place(line.hash);
            self.places[place] = Some(line);
        }
    }

    #[inline]
    fn place(&self, hash: u64) -> usize {
        // The upper bits, which are the better ones.
        (hash >> 32) as usize & self.places.len().wrapping_sub(1)
    }

    /// Forgets all lines.
    pub fn clear(&mut self) {
        *self = Self::new(self.limit);
    }

    /// About how much memory the lines take.
    pub fn bytes(&self) -> usize {
        self.bytes + self.places.len() * ENTRY_BYTES
    }
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
        assert!(before < MAX_LINES * (ENTRY_BYTES + 16));
        lines.clear();
        assert_eq!(lines.bytes(), 0);
    }
}
