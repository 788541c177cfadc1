//! Words: where one ends, and by what they are reported apart.

use std::hash::Hasher as _;

use rustc_hash::FxHasher;

use super::blocks::{self, BLOCK, bits, take_lowest};

/// What stands in a template where its lines differ.
pub(super) const PARAMETER_TEXT: &str = "<:*:>";
/// The word [`PARAMETER_TEXT`].
pub(super) const PARAMETER: Word = 0;

/// A word, reported apart from others by 64 bits that its text is mixed into: two of a million different words are taken for one
/// with a probability of some 10⁻⁸. In return a word costs nothing that would have to be looked up or config back.
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
    /// ASCII punctuation.
    extra: String,
}

impl Separators {
    pub fn new(extra: &str) -> Self {
        Self {
            extra: extra.to_owned(),
        }
    }

    /// Makes `words` the first words of `text`, `most` at most, as byte offsets.
    pub fn split(&self, text: &str, most: usize, words: &mut Vec<(usize, usize)>) {
        words.clear();
        // Where the word began that reaches into the block.
        let mut open = None;
        for base in blocks::starts(text.len()) {
            let mut room = [0; BLOCK];
            let block = blocks::block(text.as_bytes(), base, &mut room);
            let Some(separators) = self.of_block(block) else {
                // What is before it is ASCII white space, or nothing.
                self.split_slowly(text, open.unwrap_or(base), words);
                break;
            };
            let behind = separators << 1 | u64::from(open.is_none());
            let mut starts = !separators & behind;
            let mut ends = separators & !behind;
            while ends != 0 {
                let from = open.take();
                let from = from.unwrap_or_else(|| base + take_lowest(&mut starts));
                words.push((from, base + take_lowest(&mut ends)));
            }
            if starts != 0 {
                open = Some(base + take_lowest(&mut starts));
            }
            if words.len() >= most {
                break;
            }
        }
        words.truncate(most);
    }

    /// A bit for each byte that separates words; `None` where there may be white space outside of ASCII.
    #[inline]
    fn of_block(&self, block: &[u8; BLOCK]) -> Option<u64> {
        // Whole arrays without a branch: the compiler makes vectors of them.
        let mut separates = [0; BLOCK];
        let mut wide = 0;
        for (at, &byte) in block.iter().enumerate() {
            let white = (byte.wrapping_sub(0x09) < 5) | (byte.wrapping_sub(0x1c) < 5);
            separates[at] = u8::from(white);
            // The first bytes of such characters.
            wide |= u8::from((byte == 0xc2) | (byte.wrapping_sub(0xe1) < 3));
        }
        for delimiter in self.extra.bytes() {
            for (at, &byte) in block.iter().enumerate() {
                separates[at] |= u8::from(byte == delimiter);
            }
        }
        (wide == 0).then(|| bits(&separates))
    }

    /// Adds the words from `from` on, character by character.
    #[cold]
    fn split_slowly(&self, text: &str, from: usize, words: &mut Vec<(usize, usize)>) {
        let separates =
            |c: char| matches!(c, '\x1c'..='\x1f') || c.is_whitespace() || self.extra.contains(c);
        let mut at = from;
        for word in text[from..].split(separates) {
            if !word.is_empty() {
                words.push((at, at + word.len()));
            }
            at += word.len();
            at += text[at..].chars().next().map_or(0, char::len_utf8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words<'a>(text: &'a str, extra: &str) -> Vec<&'a str> {
        let mut words = Vec::new();
        Separators::new(extra).split(text, 10_000, &mut words);
        words.into_iter().map(|(a, b)| &text[a..b]).collect()
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
        assert!(words("", "").is_empty());
    }

    #[test]
    fn no_more_words_are_given_than_are_asked_for() {
        let mut words = Vec::new();
        for (text, split) in [("a b c", 2), ("a\u{a0}b c", 2), (&"word ".repeat(500), 256)] {
            Separators::new("").split(text, split, &mut words);
            assert_eq!(words.len(), split);
        }
    }

    proptest! {
        #[test]
        fn words_are_the_same_wherever_they_lie(text in "([a-z]{0,70}|[ \t\n\x1c-\x1f_=]{1,3}|[éü€\u{85}\u{a0}\u{2003}\u{200b}\u{3000}]|[a-z_= ]{0,70}){0,9}") {
            let separates = |c: char| c.is_whitespace() || "\x1c\x1d\x1e\x1f_=".contains(c);
            let expected: Vec<&str> = text.split(separates).filter(|w| !w.is_empty()).collect();
            prop_assert_eq!(words(&text, "_="), expected);
        }
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
