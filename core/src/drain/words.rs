//! Words: splitting lines, and hashes that stand for words.

use std::hash::Hasher as _;

use rustc_hash::FxHasher;

use super::blocks::{self, BLOCK, bits, take_lowest};

/// The placeholder in a template where its lines differ.
pub(super) const PARAMETER_TEXT: &str = "<:*:>";
/// The word [`PARAMETER_TEXT`].
pub(super) const PARAMETER: Word = 0;

/// A word, represented by a 64-bit hash of its text. Among a million words, two collide with a probability of about 10⁻⁸. In
/// return, words need no interning and no reference counts.
pub(super) type Word = u64;

/// The word with this text.
#[inline]
pub(super) fn word(text: &str) -> Word {
    if text == PARAMETER_TEXT {
        return PARAMETER;
    }
    let mut hasher = FxHasher::default();
    hasher.write(text.as_bytes());
    hasher.finish()
}

/// What separates words: white space as in Python's `str.split`, and the extra delimiters.
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

    /// Sets `words` to the byte offsets of the first words of `text`, `most` at most.
    pub fn split(&self, text: &str, most: usize, words: &mut Vec<(usize, usize)>) {
        words.clear();
        // The start of a word that continues into the block.
        let mut open = None;
        for base in blocks::starts(text.len()) {
            let mut buffer = [0; BLOCK];
            let block = blocks::block(text.as_bytes(), base, &mut buffer);
            let Some(separators) = self.of_block(block) else {
                // Before the block there is only ASCII white space, or nothing.
                self.split_by_chars(text, open.unwrap_or(base), words);
                break;
            };
            let after = separators << 1 | u64::from(open.is_none());
            let mut starts = !separators & after;
            let mut ends = separators & !after;
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

    /// The bitset of bytes that separate words; `None` if there may be white space outside of ASCII.
    #[inline]
    fn of_block(&self, block: &[u8; BLOCK]) -> Option<u64> {
        // Loops over whole arrays without branches, so that the compiler vectorizes them.
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

    /// Appends the words from `from` on, character by character.
    #[cold]
    fn split_by_chars(&self, text: &str, from: usize, words: &mut Vec<(usize, usize)>) {
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
    fn no_more_words_are_returned_than_requested() {
        let mut words = Vec::new();
        for (text, split) in [("a b c", 2), ("a\u{a0}b c", 2), (&"word ".repeat(500), 256)] {
            Separators::new("").split(text, split, &mut words);
            assert_eq!(words.len(), split);
        }
    }

    proptest! {
        #[test]
        fn words_do_not_depend_on_their_offset(text in "([a-z]{0,70}|[ \t\n\x1c-\x1f_=]{1,3}|[éü€\u{85}\u{a0}\u{2003}\u{200b}\u{3000}]|[a-z_= ]{0,70}){0,9}") {
            let separates = |c: char| c.is_whitespace() || "\x1c\x1d\x1e\x1f_=".contains(c);
            let expected: Vec<&str> = text.split(separates).filter(|w| !w.is_empty()).collect();
            prop_assert_eq!(words(&text, "_="), expected);
        }
    }

    #[test]
    fn words_are_distinguished_by_their_text() {
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
