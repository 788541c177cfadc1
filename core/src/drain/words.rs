//! Words: where one ends, and by what they are told apart.

use std::hash::Hasher as _;

use rustc_hash::FxHasher;

/// What stands in a template where its lines differ.
pub(super) const PARAMETER_TEXT: &str = "<:*:>";
/// The word [`PARAMETER_TEXT`].
pub(super) const PARAMETER: Word = 0;

/// A word, told apart from others by 64 bits that its text is mixed into: two of a million different words are taken for one
/// with a probability of some 10⁻⁸. In return a word costs nothing that would have to be looked up or given back.
pub(super) type Word = u64;

/// The word with that text.
#[inline]
pub(super) fn word(text: &str) -> Word {
    if text == PARAMETER_TEXT {
        return PARAMETER;
    }
    let mut hasher = FxHasher::default();
    hasher.write(text.as_bytes());
    hasher.finish()
}

/// What separates words: white space as Python's `str.split` has it, and the extra delimiters.
#[derive(Debug, Clone)]
pub(super) struct Separators {
    table: [Kind; 256],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Word,
    Separator,
    /// The first byte of a character that may be white space outside of ASCII.
    Perhaps,
}

impl Separators {
    pub fn new(extra: &str) -> Self {
        let mut table = [Kind::Word; 256];
        for byte in (0x09..=0x0d).chain(0x1c..=0x20).chain(extra.bytes()) {
            table[usize::from(byte)] = Kind::Separator;
        }
        for lead in [0xc2, 0xe1, 0xe2, 0xe3] {
            table[lead] = Kind::Perhaps;
        }
        Self { table }
    }

    /// How many bytes at `at` separate words; 0 where a word goes on.
    #[inline]
    fn width(&self, text: &str, at: usize) -> usize {
        match self.table[usize::from(text.as_bytes()[at])] {
            Kind::Word => 0,
            Kind::Separator => 1,
            Kind::Perhaps => text[at..]
                .chars()
                .next()
                .filter(|c| c.is_whitespace())
                .map_or(0, char::len_utf8),
        }
    }

    /// The first word of `text` at or after `from`, as byte offsets.
    #[inline]
    pub fn word(&self, text: &str, from: usize) -> Option<(usize, usize)> {
        let mut start = from;
        while start < text.len() {
            match self.width(text, start) {
                0 => break,
                width => start += width,
            }
        }
        if start >= text.len() {
            return None;
        }
        let mut end = start + 1;
        while end < text.len() && self.width(text, end) == 0 {
            end += 1;
        }
        Some((start, end))
    }

    /// All words of `text` as byte offsets.
    pub fn words<'a>(&'a self, text: &'a str) -> impl Iterator<Item = (usize, usize)> + 'a {
        let mut at = 0;
        std::iter::from_fn(move || {
            let (start, end) = self.word(text, at)?;
            at = end;
            Some((start, end))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words<'a>(text: &'a str, extra: &str) -> Vec<&'a str> {
        let separators = Separators::new(extra);
        separators.words(text).map(|(a, b)| &text[a..b]).collect()
    }

    #[test]
    fn white_space_and_extra_delimiters_separate_words() {
        assert_eq!(words("  a_b \t c\n", "_"), ["a", "b", "c"]);
        assert_eq!(words("a_b=c", ""), ["a_b=c"]);
        assert_eq!(
            words("a\u{a0}b\u{3000}c\u{2003}d\u{1f}e\u{85}f", ""),
            ["a", "b", "c", "d", "e", "f"]
        );
        assert_eq!(words("é\u{200b}x ©", ""), ["é\u{200b}x", "©"]);
        assert!(words(" _ ", "_").is_empty());
    }

    #[test]
    fn words_are_told_apart_by_their_text() {
        let mut seen = std::collections::HashSet::from([word(""), PARAMETER]);
        for i in 0..200_000 {
            assert!(seen.insert(word(&i.to_string())), "{i}");
            assert!(
                seen.insert(word(&format!("a-word-of-some-length-{i}"))),
                "{i}"
            );
        }
        assert_eq!(word(PARAMETER_TEXT), PARAMETER);
    }
}
