//! The last records of a stream, as an event shows them.

use std::hint::black_box;

use serde::{Deserialize, Serialize};

use crate::memory::vec;
use crate::text::shortened;

/// Maximum length of a line in an event, in bytes.
pub(super) const LINE_MAX_BYTES: usize = 256;

/// A record.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    pub(super) template_id: u64,
    /// The text, shortened.
    pub(super) text: String,
}

/// A ring of the last records, as many as a window has. All texts are in one buffer: with very many streams none of it is in the
/// processor's caches, and each further allocation would be one more cache miss.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Recent {
    lines: Vec<Entry>,
    /// Index of the oldest record.
    oldest: usize,
    /// The texts, oldest first, preceded by those of forgotten records.
    texts: Vec<u8>,
    /// Length of the texts of forgotten records.
    forgotten: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Entry {
    template_id: u64,
    /// Length of its text.
    bytes: u16,
}

impl Recent {
    /// Adds a record, and forgets the oldest if there are `max` already; returns whether the memory has grown.
    pub(super) fn push(&mut self, template_id: u64, text: &str, max: usize) -> bool {
        let held = (self.lines.capacity(), self.texts.capacity());
        let mut end = text.len().min(LINE_MAX_BYTES);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let line = Entry {
            template_id,
            bytes: end as u16,
        };
        if self.lines.len() < max {
            self.lines.reserve_exact(max - self.lines.len());
            self.lines.push(line);
        } else {
            let oldest = std::mem::replace(&mut self.lines[self.oldest], line);
            self.forgotten += usize::from(oldest.bytes);
            self.oldest = match self.oldest + 1 {
                next if next == max => 0,
                next => next,
            };
        }
        if self.texts.capacity() - self.texts.len() < end {
            self.reserve(end, max);
        }
        self.texts.extend_from_slice(&text.as_bytes()[..end]);
        held != (self.lines.capacity(), self.texts.capacity())
    }

    /// Reserves space for a text of `bytes` bytes.
    fn reserve(&mut self, bytes: usize, max: usize) {
        self.texts.drain(..std::mem::take(&mut self.forgotten));
        // As if all missing records were as long; plus some spare, so that this is not needed for every record.
        let missing = max + 1 - self.lines.len();
        let needed = self.texts.len() + missing * bytes;
        if needed > self.texts.capacity() / 4 * 3 {
            self.texts
                .reserve_exact(needed + needed / 2 - self.texts.len());
        }
    }

    /// Touches the memory that the next record is going to need.
    pub(super) fn prefetch(&self) {
        black_box(self.lines.first().map(|line| line.template_id));
        black_box(self.texts.last().copied());
    }

    /// The records, oldest first.
    pub(super) fn lines(&self) -> Vec<Line> {
        let (newer, older) = self.lines.split_at(self.oldest);
        let mut from = self.forgotten;
        let line = |line: &Entry| {
            let text = &self.texts[from..][..usize::from(line.bytes)];
            from += text.len();
            Line {
                template_id: line.template_id,
                text: String::from_utf8_lossy(text).into_owned(),
            }
        };
        older.iter().chain(newer).map(line).collect()
    }

    /// The template number of the newest record.
    pub(super) fn newest(&self) -> Option<u64> {
        let newest = match self.oldest {
            0 => self.lines.last(),
            oldest => self.lines.get(oldest - 1),
        };
        newest.map(|line| line.template_id)
    }

    /// The records as an event shows them, one per line.
    pub(super) fn to_text(&self) -> String {
        let lines: Vec<String> = self
            .lines()
            .iter()
            .map(|line| shortened(&line.text, LINE_MAX_BYTES))
            .collect();
        lines.join("\n")
    }

    /// Memory outside of itself in bytes.
    pub(super) fn bytes(&self) -> usize {
        vec(&self.lines) + vec(&self.texts)
    }

    /// Whether restored records are ones that could have been saved.
    pub(super) fn is_valid(&self, max: usize) -> bool {
        let full = self.lines.len() == max;
        let lens = self.lines.iter().map(|line| usize::from(line.bytes));
        self.lines.len() <= max
            && (self.oldest == 0 || full && self.oldest < max)
            && lens.clone().all(|len| len <= LINE_MAX_BYTES)
            && self.texts.len().checked_sub(self.forgotten) == Some(lens.sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_records_are_in_order() {
        let mut recent = Recent::default();
        for i in 0..10_u64 {
            recent.push(i, &format!("record {i}"), 3);
            assert!(recent.is_valid(3));
            let ids: Vec<u64> = recent.lines().iter().map(|l| l.template_id).collect();
            assert_eq!(ids, (i.saturating_sub(2)..=i).collect::<Vec<_>>());
            assert_eq!(recent.newest(), Some(i));
        }
        assert_eq!(recent.to_text(), "record 7\nrecord 8\nrecord 9");
    }

    #[test]
    fn lines_are_cut_at_a_character_boundary_and_cleaned() {
        let mut recent = Recent::default();
        recent.push(1, &"ü".repeat(1_000), 1);
        assert!(recent.to_text().len() <= LINE_MAX_BYTES);
        recent.push(1, "two\nlines\u{1b}[31m", 1);
        assert_eq!(recent.to_text(), "two lines [31m");
    }

    #[test]
    fn memory_is_bounded_by_the_lines_and_growth_is_reported() {
        for max in [1, 4, 64] {
            let mut recent = Recent::default();
            for i in 0..1_000 {
                let held = recent.bytes();
                let more = recent.push(1, &"x".repeat(i * i % 400), max);
                assert!(more || held == recent.bytes());
                assert!(recent.texts.capacity() <= 2 * (max + 1) * LINE_MAX_BYTES);
                assert!(recent.lines.capacity() <= max);
            }
        }
    }

    #[test]
    fn records_that_cannot_have_been_saved_are_invalid() {
        let mut recent = Recent::default();
        recent.push(1, "one", 4);
        recent.push(2, "three", 4);
        assert!(recent.is_valid(2) && !recent.is_valid(1));
        let mut short = recent.clone();
        short.texts.pop();
        assert!(!short.is_valid(4));
        recent.lines[1].bytes = 300;
        assert!(!recent.is_valid(4));
    }
}
