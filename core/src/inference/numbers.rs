//! Which numbers make a difference to a lexicon.

use std::collections::BTreeSet;

use super::words::in_word;

/// Numbers of at most so many digits are looked up, longer ones compared.
const SHORT_DIGITS: usize = 4;
/// Where the numbers of each length begin among all short ones.
const OFFSETS: [u64; SHORT_DIGITS + 1] = [0, 0, 10, 110, 1110];
/// How many short numbers there are.
const SHORT: usize = 11_110;
/// The kind of all numbers that make no difference.
const ALIKE: u64 = u64::MAX;

/// The numbers that phrases have in them, such as the 0 of "errors: 0". All others are alike: whichever of them a text has,
/// the same phrases are found.
#[derive(Debug)]
pub(super) struct Numbers {
    /// One bit for each short number: whether it is of a kind of its own.
    short: Box<[u64]>,
    /// Longer ones.
    long: Vec<Box<[u8]>>,
    /// Those that may go on in a text.
    open: Vec<Box<[u8]>>,
}

/// Gathers the numbers of phrases, and the words to tell by whether there may be one of them.
#[derive(Debug, Default)]
pub(super) struct Minded {
    numbers: Numbers,
    /// Of each part of a phrase with a number a word, without which the part is not there.
    words: BTreeSet<String>,
    /// There is a part with a number that has no word to tell it by.
    wordless: bool,
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

impl Minded {
    /// Minds the numbers in a part of a phrase from now on; `open`: its last word may go on.
    pub fn mind_those_of(&mut self, part: &str, open: bool) {
        let bytes = part.as_bytes();
        let mut from = 0_usize;
        let mut minded = false;
        for run in bytes.chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit()) {
            let before = from.checked_sub(1).map(|at| bytes[at]);
            from += run.len();
            // Digits within a word are a part of it and no number.
            if !run[0].is_ascii_digit() || before.is_some_and(|b| b.is_ascii_alphanumeric()) {
                continue;
            }
            self.numbers.mind(run);
            minded = true;
            if open && from == bytes.len() {
                self.numbers.open.push(run.into());
            }
        }
        // The longest that fits decides.
        self.numbers
            .open
            .sort_unstable_by_key(|open| std::cmp::Reverse(open.len()));
        if minded {
            match telling_word(part) {
                Some(word) => _ = self.words.insert(word.to_owned()),
                None => self.wordless = true,
            }
        }
    }

    /// The numbers; and words, in lower case and at the begin of a text's words: where a masked text has none of them, no number
    /// in the text makes a difference. `None` where that cannot be told.
    pub fn into_parts(self) -> (Numbers, Option<Vec<String>>) {
        let words = (!self.wordless).then(|| self.words.into_iter().collect());
        (self.numbers, words)
    }
}

impl Numbers {
    fn mind(&mut self, digits: &[u8]) {
        match Self::place(digits) {
            Some(place) => self.short[place / 64] |= 1 << (place % 64),
            None => self.long.push(digits.into()),
        }
    }

    /// The kind of a number, its ASCII digits given: numbers of one kind can stand for each other in any text.
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

/// The longest run of letters at the begin of a word of `part`: no mask hides it, for that would be to hide a word.
fn telling_word(part: &str) -> Option<&str> {
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

/// A kind that a number shares with no other.
pub(super) fn own_kind(digits: &[u8]) -> u64 {
    digits.iter().fold(digits.len() as u64, |kind, &digit| {
        kind.wrapping_mul(31).wrapping_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_phrases_are_of_their_own_kind_and_all_others_alike() {
        let mut minded = Minded::default();
        minded.mind_those_of("errors: 0", false);
        minded.mind_those_of("exit 11 of 123456 on x5", false);
        let (numbers, _) = minded.into_parts();
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
    fn a_part_with_a_number_is_told_by_its_longest_word() {
        let words = |parts: &[&str]| {
            let mut minded = Minded::default();
            parts
                .iter()
                .for_each(|part| minded.mind_those_of(part, false));
            minded.into_parts().1
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
        for untold in ["0", "0xfade 1", "(3)"] {
            assert_eq!(words(&["errors: 0", untold]), None, "{untold}");
        }
    }

    #[test]
    fn what_begins_like_a_number_that_may_go_on_is_of_one_kind() {
        let mut minded = Minded::default();
        minded.mind_those_of("oops: 0", true);
        minded.mind_those_of("now 00", true);
        minded.mind_those_of("bnx2", true);
        let (numbers, _) = minded.into_parts();
        let kind = |digits: &str| numbers.kind(digits.as_bytes());
        for minded in ["0", "00", "000", "0123456789"] {
            assert_ne!(kind(minded), kind("1"), "{minded}");
        }
        assert_eq!(kind("0123456789"), kind("01"));
        assert_eq!(kind("000"), kind("00123456789"));
        assert!(kind("01") != kind("001") && kind("0") != kind("01"));
        assert_eq!(kind("1000"), kind("1"));
        assert_eq!(kind("2"), kind("1"));
    }
}
