//! A line on its way to its cluster: masked, then split into words.

use super::words::{Separators, Word, word};
use crate::memory::{allocation, vec};

/// Where a line is taken apart: the last one lies here still. It is worth nothing to the next line but its room.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scratch {
    /// The line, masked.
    pub(super) masked: String,
    /// Of the masked line.
    pub(super) hash: u64,
    /// Whether a placeholder in it may stand for words.
    pub(super) words_masked: bool,
    /// Room for text while it is masked.
    pub(super) spare: String,
    /// Where the words are.
    spans: Vec<(usize, usize)>,
    /// The words.
    pub(super) line: Vec<Word>,
}

impl Scratch {
    /// Splits the masked line into words, the first `most` of it.
    pub(super) fn split(&mut self, separators: &Separators, most: usize) {
        separators.split(&self.masked, most, &mut self.spans);
        let Self {
            masked,
            spans,
            line,
            ..
        } = self;
        line.clear();
        line.extend(spans.iter().map(|&(from, to)| word(&masked[from..to])));
    }

    /// The words, and their texts with a blank between every two.
    pub(super) fn template(&mut self) -> (&[Word], &str) {
        let masked = self.masked.as_bytes();
        let apart = |pair: &[(usize, usize)]| {
            let (to, from) = (pair[0].1, pair[1].0);
            to + 1 != from || masked[to] != b' '
        };
        let (Some(&(from, _)), Some(&(_, to))) = (self.spans.first(), self.spans.last()) else {
            return (&[], "");
        };
        if !self.spans.windows(2).any(apart) {
            return (&self.line, &self.masked[from..to]);
        }
        self.spare.clear();
        for &(from, to) in &self.spans {
            self.spare.push_str(&self.masked[from..to]);
            self.spare.push(' ');
        }
        self.spare.pop();
        (&self.line, &self.spare)
    }

    /// The texts of the words.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> + Clone {
        self.spans.iter().map(|&(from, to)| &self.masked[from..to])
    }

    /// How much memory it takes, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        allocation(self.masked.capacity())
            + allocation(self.spare.capacity())
            + vec(&self.spans)
            + vec(&self.line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_its_words_as_far_as_they_are_looked_at_and_leaves_nothing_to_the_next() {
        let mut scratch = Scratch::default();
        let separators = Separators::new("_");
        for (line, words) in [
            ("of_many words", vec!["of", "many"]),
            (" one ", vec!["one"]),
            ("as_is", vec!["as", "is"]),
            ("as  is", vec!["as", "is"]),
            (" as is there", vec!["as", "is"]),
            ("_ ", vec![]),
        ] {
            line.clone_into(&mut scratch.masked);
            scratch.split(&separators, 2);
            assert_eq!(scratch.texts().collect::<Vec<_>>(), words);
            assert_eq!(scratch.template().1, words.join(" "));
            let hashed: Vec<Word> = words.into_iter().map(word).collect();
            assert_eq!(scratch.line, hashed);
        }
    }
}
