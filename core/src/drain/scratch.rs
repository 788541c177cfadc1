//! Buffers for a line on its way to its cluster: masked, then split into words.

use super::mask::Values;
use super::words::{Separators, Word, word};
use crate::memory::{allocation, vec};

/// Scratch buffers, reused from line to line. Nothing but their capacity carries over.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scratch {
    /// The masked line.
    pub(super) masked: String,
    /// The hash of the masked line.
    pub(super) hash: u64,
    /// What its placeholders stand for.
    pub(super) values: Values,
    /// A second buffer for masking.
    pub(super) spare: String,
    /// The byte offsets of the words.
    spans: Vec<(usize, usize)>,
    /// The words.
    pub(super) line: Vec<Word>,
}

/// A masked line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Masked<'a> {
    /// The text with its placeholders.
    pub text: &'a str,
    /// The hash of the text.
    pub hash: u64,
    /// What the placeholders stand for.
    pub values: Values,
}

impl Scratch {
    /// The masked line.
    #[inline]
    pub(crate) fn masked(&self) -> Masked<'_> {
        Masked {
            text: &self.masked,
            hash: self.hash,
            values: self.values,
        }
    }

    /// Splits the masked line into words, `most` at most.
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

    /// The words, and their text with single spaces between them.
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

    /// Memory in bytes.
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
    fn a_line_is_split_into_its_first_words_independently_of_the_line_before() {
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
