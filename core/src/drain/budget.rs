//! The budget of a search: how much a line may cost, whatever it holds.

use super::postings::SCAN_MAX;

/// Postings that a search may look at, and how many more per word of the line.
const POSTINGS: usize = 48;
const POSTINGS_PER_WORD: usize = 4;
/// Words of templates that a search may compare, how many more per word of the line, as for a leaf that is scanned, and how many
/// more for each of its first words.
const WORDS: usize = 128;
const WORDS_PER_FIRST: usize = 24;
const FIRST: usize = 128;

/// What is left for a search.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    /// Postings.
    postings: usize,
    /// Words of templates.
    words: usize,
    /// Both at the start.
    given: usize,
    /// It was not enough.
    is_exceeded: bool,
}

impl Budget {
    /// The budget for a search of the index for a line of so many words.
    #[inline]
    pub fn search(words: usize) -> Self {
        Self::of(
            POSTINGS + POSTINGS_PER_WORD * words,
            WORDS + SCAN_MAX * words + WORDS_PER_FIRST * words.min(FIRST),
        )
    }

    /// The budget for a scan of a leaf: enough for one that is scanned because it has few clusters.
    #[inline]
    pub fn scan(words: usize) -> Self {
        Self::of(0, SCAN_MAX * words)
    }

    fn of(postings: usize, words: usize) -> Self {
        Self {
            postings,
            words,
            given: postings + words,
            is_exceeded: false,
        }
    }

    #[cfg(test)]
    pub fn unlimited() -> Self {
        Self::of(usize::MAX / 2, usize::MAX / 2)
    }

    /// Whether it is enough for this number of postings.
    #[inline]
    pub fn allows(&self, postings: usize) -> bool {
        postings <= self.postings
    }

    /// Takes a posting from the budget; `false` if nothing is left.
    #[inline]
    pub fn take_posting(&mut self) -> bool {
        match self.postings.checked_sub(1) {
            Some(left) => self.postings = left,
            None => self.is_exceeded = true,
        }
        !self.is_exceeded
    }

    /// Takes words of a template from the budget; `false` if there are not as many left.
    #[inline]
    pub fn take_words(&mut self, words: usize) -> bool {
        match self.words.checked_sub(words) {
            Some(left) => self.words = left,
            None => self.is_exceeded = true,
        }
        !self.is_exceeded
    }

    /// Whether more was needed than there was.
    pub fn is_exceeded(&self) -> bool {
        self.is_exceeded
    }

    /// The postings and words that were read.
    pub fn steps(&self) -> u64 {
        (self.given - self.postings - self.words) as u64
    }
}
