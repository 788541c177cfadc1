//! Finds where in a line a built-in mask can match at all, 64 bytes at a time. Bitsets stand for the bytes, and one addition
//! carries through all words at once.

use super::blocks::{self, BLOCK, bits};

/// A place where a mask can match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Candidate {
    /// The start of a word (a maximal run of ASCII letters and digits) that is hexadecimal throughout, or starts with hexadecimal
    /// digits and an `x`.
    Word(usize),
    /// A quotation mark.
    Quote(usize),
}

/// Bitsets of the bytes of a block.
struct Classes {
    /// Letters and digits.
    word: u64,
    /// Hexadecimal digits.
    hex: u64,
    /// `x` and quotation marks.
    mark: u64,
}

impl Classes {
    #[inline]
    fn of(block: &[u8; BLOCK]) -> Self {
        // Loops over whole arrays without branches, so that the compiler vectorizes them.
        let (mut word, mut hex, mut mark) = ([0; BLOCK], [0; BLOCK], [0; BLOCK]);
        for (at, &byte) in block.iter().enumerate() {
            let digit = byte.wrapping_sub(b'0') < 10;
            let letter = (byte | 0x20).wrapping_sub(b'a');
            word[at] = u8::from(digit | (letter < 26));
            hex[at] = u8::from(digit | (letter < 6));
            mark[at] = u8::from((byte == b'x') | (byte == b'"'));
        }
        Self {
            word: bits(&word),
            hex: bits(&hex),
            mark: bits(&mark),
        }
    }
}

/// Calls `found` with the candidates of a line in order; of two that overlap, the one that begins first.
#[inline]
pub(super) fn each(bytes: &[u8], mut found: impl FnMut(Candidate)) {
    // The word that continues into the block: where it began, whether there is one, whether it is hexadecimal so far.
    let (mut open, mut in_word, mut in_hex) = (0, 0, 0);
    // A word at the end of the line ends at the padding.
    for base in blocks::starts(bytes.len()) {
        let mut buffer = [0; BLOCK];
        let Classes { word, hex, mark } = Classes::of(blocks::block(bytes, base, &mut buffer));
        let starts = word & !(word << 1 | in_word);
        // Adding the first bit of a run of ones carries to the bit after the run: the first byte of the word that is not
        // hexadecimal, or the byte after the word.
        let (sum, over) = hex.overflowing_add(starts & hex);
        let (sum, over_too) = sum.overflowing_add(in_hex);
        let after = sum & !hex;
        let words = after & (!word | mark);
        let quotes = mark & !word;
        let mut hits = words | quotes;
        while hits != 0 {
            let bit = hits & hits.wrapping_neg();
            hits ^= bit;
            if words & bit != 0 {
                let started = starts & (bit - 1);
                found(Candidate::Word(match started {
                    0 => open,
                    _ => base + started.ilog2() as usize,
                }));
            }
            if quotes & bit != 0 {
                found(Candidate::Quote(base + bit.ilog2() as usize));
            }
        }
        if starts != 0 {
            open = base + starts.ilog2() as usize;
        }
        in_word = word >> (BLOCK - 1);
        in_hex = u64::from(over | over_too);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(text: &str) -> Vec<Candidate> {
        let mut all = Vec::new();
        each(text.as_bytes(), |candidate| all.push(candidate));
        all
    }

    /// The same, word by word.
    fn one_by_one(text: &str) -> Vec<Candidate> {
        let bytes = text.as_bytes();
        let (mut all, mut at) = (Vec::new(), 0);
        while at < bytes.len() {
            let word = bytes[at..].iter().take_while(|b| b.is_ascii_alphanumeric());
            let word = &bytes[at..at + word.count()];
            let hex = word.iter().take_while(|b| b.is_ascii_hexdigit()).count();
            if hex > 0 && word.get(hex).is_none_or(|&b| b == b'x') {
                all.push(Candidate::Word(at));
            }
            if word.is_empty() && bytes[at] == b'"' {
                all.push(Candidate::Quote(at));
            }
            at += word.len().max(1);
        }
        all
    }

    #[test]
    fn hexadecimal_words_hexadecimal_prefixes_and_quotation_marks_are_found() {
        use Candidate::{Quote, Word};
        assert_eq!(
            all("beef 12 feeding 0x1f \"a\" x1 g0"),
            [Word(0), Word(5), Word(16), Quote(21), Word(22), Quote(23)]
        );
        assert_eq!(all(""), []);
        assert_eq!(all("é1é"), [Word(2)]);
    }

    #[test]
    fn a_word_may_cross_the_blocks() {
        for length in 1..200 {
            for before in [0, 1, 60, 63, 64, 65] {
                let text = format!("{}{}", " ".repeat(before), "7".repeat(length));
                assert_eq!(all(&text), [Candidate::Word(before)], "{before} {length}");
                assert_eq!(all(&format!("{text}g")), [], "{before} {length}");
                assert_eq!(all(&format!("{text}x")), [Candidate::Word(before)]);
            }
        }
    }

    proptest! {
        #[test]
        fn it_finds_the_same_as_a_check_of_every_word(text in "([0-9a-fA-F]{1,70}|[ g\"xé]{1,3}|[a-z ]{0,70}){0,12}") {
            prop_assert_eq!(all(&text), one_by_one(&text));
        }
    }
}
