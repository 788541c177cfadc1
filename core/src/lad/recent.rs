//! The last records of a stream, as an event shows them.

use serde::{Deserialize, Serialize};

use crate::event::shortened;
use crate::memory::{allocation, grow, vec};

/// The longest line that an event shows, bytes.
pub(super) const LINE_MAX_BYTES: usize = 256;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) template_id: u64,
    /// The text, shortened.
    pub(super) text: String,
}

/// The last records, as many as a window has.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Recent {
    lines: Vec<Line>,
    /// Where the oldest is.
    oldest: usize,
}

impl Recent {
    /// Takes a record, and forgets the oldest where there are `max` already.
    pub(super) fn push(&mut self, template_id: u64, text: &str, max: usize) {
        let at = if self.lines.len() < max {
            grow(&mut self.lines, 1);
            self.lines.push(Line::default());
            self.lines.len() - 1
        } else {
            let at = self.oldest;
            self.oldest = (at + 1) % max;
            at
        };
        let mut end = text.len().min(LINE_MAX_BYTES);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let line = &mut self.lines[at];
        line.template_id = template_id;
        line.text.clear();
        line.text.reserve_exact(end);
        line.text.push_str(&text[..end]);
    }

    /// The records, the oldest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Line> {
        let (newer, older) = self.lines.split_at(self.oldest);
        older.iter().chain(newer)
    }

    /// The records as an event shows them, one a line.
    pub(super) fn to_text(&self) -> String {
        let lines: Vec<String> = self
            .iter()
            .map(|line| shortened(&line.text, LINE_MAX_BYTES))
            .collect();
        lines.join("\n")
    }

    /// How much memory it takes at most, in bytes.
    pub(super) fn bytes(&self) -> usize {
        vec(&self.lines) + self.lines.len() * allocation(LINE_MAX_BYTES)
    }

    /// Whether restored records are some that could have been saved.
    pub(super) fn is_sound(&self, max: usize) -> bool {
        let full = self.lines.len() == max;
        self.lines.len() <= max && (self.oldest == 0 || full && self.oldest < max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_records_come_in_their_order() {
        let mut recent = Recent::default();
        for i in 0..10_u64 {
            recent.push(i, &format!("record {i}"), 3);
            assert!(recent.is_sound(3));
            let ids: Vec<u64> = recent.iter().map(|l| l.template_id).collect();
            assert_eq!(ids, (i.saturating_sub(2)..=i).collect::<Vec<_>>());
        }
        assert_eq!(recent.to_text(), "record 7\nrecord 8\nrecord 9");
    }

    #[test]
    fn lines_are_shortened_at_a_characters_border_and_cleaned() {
        let mut recent = Recent::default();
        recent.push(1, &"ü".repeat(1_000), 1);
        assert!(recent.to_text().len() <= LINE_MAX_BYTES);
        recent.push(1, "two\nlines\u{1b}[31m", 1);
        assert_eq!(recent.to_text(), "two lines [31m");
    }
}
