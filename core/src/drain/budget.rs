//! The budget of a search: how much a line may cost, whatever it holds.

use super::postings::SCAN_MAX;

/// Postings that a search may look at, and so many more per word of the line.
const POSTINGS: usize = 1024;
const POSTINGS_PER_WORD: usize = 8;
/// Words of templates that a search may compare, and so many more per word of the line.
const WORDS: usize = 1024;
const WORDS_PER_WORD: usize = 32;

/// What is left for a search.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    /// Postings.
    postings: usize,
    /// Words of templates.
    words: usize,
    steps: usize,
    /// It was not enough.
    is_exceeded: bool,
}

impl Budget {
    /// The budget for a search of the index for a line of so many words.
    #[inline]
    pub fn search(words: usize) -> Self {
        Self {
            postings: POSTINGS + POSTINGS_PER_WORD * words,
            words: WORDS + WORDS_PER_WORD * words,
            steps: 0,
            is_exceeded: false,
        }
    }

    /// The budget for a scan of a leaf: enough for one that is scanned because it has few clusters.
    #[inline]
    pub fn scan(words: usize) -> Self {
        Self {
            postings: 0,
            words: SCAN_MAX * words,
            steps: 0,
            is_exceeded: false,
        }
    }

    #[cfg(test)]
    pub fn unlimited() -> Self {
        Self {
            postings: usize::MAX,
            words: usize::MAX,
            steps: 0,
            is_exceeded: false,
        }
    }

    /// Whether it is enough for this number of postings.
    #[inline]
    pub fn allows(&self, postings: usize) -> bool {
        postings <= self.postings
    }

    /// Takes a posting from the budget; `false` if nothing is left.
    #[inline]
    pub fn take_posting(&mut self) -> bool {
        self.is_exceeded |= self.postings == 0;
        if self.is_exceeded {
            return false;
        }
        self.postings -= 1;
        self.steps += 1;
        true
    }

    /// Takes words of a template from the budget; `false` if there are not as many left.
    #[inline]
    pub fn take_words(&mut self, words: usize) -> bool {
        self.is_exceeded |= self.words < words;
        if self.is_exceeded {
            return false;
        }
        self.words -= words;
        self.steps += words;
        true
    }

    /// Whether more was needed than there was.
    pub fn is_exceeded(&self) -> bool {
        self.is_exceeded
    }

    /// The postings and words that were read.
    pub fn steps(&self) -> u64 {
        self.steps as u64
    }
}
