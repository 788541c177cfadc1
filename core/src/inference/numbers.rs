//! Equivalence classes of numbers: which numbers matter to a lexicon.

use std::collections::BTreeSet;

use super::words::in_word;

/// Numbers of at most this many digits are looked up, longer ones compared.
const SHORT_DIGITS: usize = 4;
/// The index of the first number of each length among all short ones.
const OFFSETS: [u64; SHORT_DIGITS + 1] = [0, 0, 10, 110, 1110];
/// Number of short numbers.
const SHORT: usize = 11_110;
/// The class of all numbers that do not matter.
const ALIKE: u64 = u64::MAX;

/// The numbers that occur in phrases, such as the 0 of "errors: 0". All others are equivalent: whichever of them a text has, the
/// same phrases are found.
#[derive(Debug)]
pub(super) struct Numbers {
    /// Bitset of the short numbers that are classes of their own.
    short: Box<[u64]>,
    /// Longer numbers that are classes of their own.
    long: Vec<Box<[u8]>>,
    /// Numbers that a text may continue with further digits.
    open: Vec<Box<[u8]>>,
}

/// Collects the numbers of phrases and the words that accompany them.
#[derive(Debug, Default)]
pub(super) struct NumberCollector {
    numbers: Numbers,
    /// One word of each part of a phrase with a number; without the word, the part cannot match.
    words: BTreeSet<String>,
    /// Some part with a number has no such word.
    without_words: bool,
}

impl Default for Numbers {
    fn default() -> Self {
        Self {
            short: vec![0; SHORT.div_ceil(64)].into(),
            long: Vec::new(),
            open: Vec::new(),
        }
    }
}

impl NumberCollector {
    /// Adds the numbers in a part of a phrase; `open`: its last word may continue.
    pub fn collect(&mut self, part: &str, open: bool) {
        let bytes = part.as_bytes();
        let mut from = 0_usize;
        let mut has_number = false;
        for run in bytes.chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit()) {
            let before = from.checked_sub(1).map(|at| bytes[at]);
            from += run.len();
            // Digits within a word are part of it and no number.
            if !run[0].is_ascii_digit() || before.is_some_and(|b| b.is_ascii_alphanumeric()) {
                continue;
            }
            self.numbers.add(run);
            has_number = true;
            if open && from == bytes.len() {
                self.numbers.open.push(run.into());
            }
        }
        // The longest match decides.
        self.numbers
            .open
            .sort_unstable_by_key(|open| std::cmp::Reverse(open.len()));
        if has_number {
            match anchor_word(part) {
                Some(word) => _ = self.words.insert(word.to_owned()),
                None => self.without_words = true,
            }
        }
    }

    /// The numbers; and prefixes of words, in lower case: if no word of a masked text starts with one of them, no number in the
    /// text matters. `None` if that cannot be decided by words.
    pub fn into_parts(self) -> (Numbers, Option<Vec<String>>) {
        let words = (!self.without_words).then(|| self.words.into_iter().collect());
        (self.numbers, words)
    }
}

impl Numbers {
    fn add(&mut self, digits: &[u8]) {
        match Self::place(digits) {
            Some(place) => self.short[place / 64] |= 1 << (place % 64),
            None => self.long.push(digits.into()),
        }
    }

    /// The class of a number, given as ASCII digits.
    #[inline]
    pub fn kind(&self, digits: &[u8]) -> u64 {
        let own = match Self::place(digits) {
            Some(place) => self.short[place / 64] >> (place % 64) & 1 == 1,
            None => self.long.iter().any(|long| **long == *digits),
        };
        if own {
            return own_kind(digits);
        }
        match self.open.iter().find(|open| digits.starts_with(open)) {
            Some(open) => !own_kind(open),
            None => ALIKE,
        }
    }

    #[inline]
    fn place(digits: &[u8]) -> Option<usize> {
        let offset = OFFSETS.get(digits.len()).filter(|_| !digits.is_empty())?;
        let number = digits
            .iter()
            .fold(0, |number, digit| 10 * number + u64::from(digit - b'0'));
        Some((offset + number) as usize)
    }
}

/// The longest run of letters at the start of a word of `part`. No mask can hide it, because masks do not match words.
fn anchor_word(part: &str) -> Option<&str> {
    let begins =
        |&(at, byte): &(usize, u8)| in_word(byte) && (at == 0 || !in_word(part.as_bytes()[at - 1]));
    let letters = |at: usize| {
        let rest = &part[at..];
        let end = rest.bytes().position(|b| !b.is_ascii_lowercase());
        &rest[..end.unwrap_or(rest.len())]
    };
    part.bytes()
        .enumerate()
        .filter(begins)
        .map(|(at, _)| letters(at))
        .filter(|word| word.len() >= 2)
        .max_by_key(|word| word.len())
}

/// A class that a number shares with no other.
pub(super) fn own_kind(digits: &[u8]) -> u64 {
    digits.iter().fold(digits.len() as u64, |kind, &digit| {
        kind.wrapping_mul(31).wrapping_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_phrases_are_classes_of_their_own_and_all_others_are_equivalent() {
        let mut collector = NumberCollector::default();
        collector.collect("errors: 0", false);
        collector.collect("exit 11 of 123456 on x5", false);
        let (numbers, _) = collector.into_parts();
        let kind = |digits: &str| numbers.kind(digits.as_bytes());
        for own in ["0", "11", "123456"] {
            assert_ne!(kind(own), kind("5"), "{own}");
            assert_ne!(kind(own), kind("8"), "{own}");
        }
        for alike in [
            "00", "1", "110", "011", "1234567", "12345", "9999", "10000", "07",
        ] {
            assert_eq!(kind(alike), kind("5"), "{alike}");
        }
        assert_ne!(kind("0"), kind("11"));
    }

    #[test]
    fn a_part_with_a_number_is_found_by_its_longest_word() {
        let words = |parts: &[&str]| {
            let mut collector = NumberCollector::default();
            parts.iter().for_each(|part| collector.collect(part, false));
            collector.into_parts().1
        };
        let found = words(&[
            "errors: 0",
            "no number here",
            "exit code=1",
            "9th of 12",
            "x2",
        ]);
        let wanted = ["code", "errors", "of"].map(str::to_owned);
        assert_eq!(found, Some(wanted.to_vec()));
        for without_words in ["0", "0xfade 1", "(3)"] {
            assert_eq!(
                words(&["errors: 0", without_words]),
                None,
                "{without_words}"
            );
        }
    }

    #[test]
    fn continuations_of_an_open_number_are_equivalent() {
        let mut collector = NumberCollector::default();
        collector.collect("oops: 0", true);
        collector.collect("now 00", true);
        collector.collect("bnx2", true);
        let (numbers, _) = collector.into_parts();
        let kind = |digits: &str| numbers.kind(digits.as_bytes());
        for continued in ["0", "00", "000", "0123456789"] {
            assert_ne!(kind(continued), kind("1"), "{continued}");
        }
        assert_eq!(kind("0123456789"), kind("01"));
        assert_eq!(kind("000"), kind("00123456789"));
        assert!(kind("01") != kind("001") && kind("0") != kind("01"));
        assert_eq!(kind("1000"), kind("1"));
        assert_eq!(kind("2"), kind("1"));
    }
}
