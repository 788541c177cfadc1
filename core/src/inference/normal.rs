//! The normal form of a message: without the numbers that make no difference to a lexicon.

use rustc_hash::{FxHashMap, FxHashSet};

use super::words::in_word;

/// Stands for the rest of a word from its first digit on.
const NUMBER: u8 = b'#';
/// Longer words are no words of a lexicon.
const WORD_MAX_BYTES: usize = 32;

/// The words with a digit that occur in phrases, in lower case.
#[derive(Debug)]
pub(super) struct Numbers {
    whole: FxHashSet<Box<[u8]>>,
    /// Words that a text may continue, by their first byte.
    open: FxHashMap<u8, Vec<Box<[u8]>>>,
    /// By first byte in lower case: the lengths of whole words, one bit each, and the highest bit if an open word begins so. Most
    /// words of a text are sorted out by this.
    begins: Box<[u64; 256]>,
}

/// In [`Numbers::begins`]: an open word begins so.
const OPEN: u64 = 1 << 63;

impl Default for Numbers {
    fn default() -> Self {
        Self {
            whole: FxHashSet::default(),
            open: FxHashMap::default(),
            begins: Box::new([0; 256]),
        }
    }
}

impl Numbers {
    /// Adds the words with a digit of a pattern, which may continue if `open`.
    pub fn collect(&mut self, pattern: &str, open: bool) {
        let words = pattern.split(|c: char| c.is_ascii() && !in_word(c as u8));
        let mut words = words.peekable();
        while let Some(word) = words.next() {
            if !word.bytes().any(|b| b.is_ascii_digit()) {
                continue;
            }
            let word: Box<[u8]> = word.as_bytes().into();
            self.begins[usize::from(word[0])] |= match open && words.peek().is_none() {
                true => OPEN,
                false => 1 << word.len().min(WORD_MAX_BYTES),
            };
            if open && words.peek().is_none() {
                let others = self.open.entry(word[0]).or_default();
                if !others.contains(&word) {
                    others.push(word);
                }
            } else {
                self.whole.insert(word);
            }
        }
    }

    /// Whether a word with a digit makes a difference.
    fn matters(&self, word: &[u8]) -> bool {
        let begins = self.begins[usize::from(word[0].to_ascii_lowercase())];
        if begins & (OPEN | 1 << word.len().min(WORD_MAX_BYTES)) == 0 {
            return false;
        }
        let mut lower = [0; WORD_MAX_BYTES];
        let cut = word.len().min(WORD_MAX_BYTES);
        let lower = &mut lower[..cut];
        lower.copy_from_slice(&word[..cut]);
        lower.make_ascii_lowercase();
        // Few words are open, and most of those differ in their second byte: no call is worth it.
        let continues = |open: &[u8]| {
            open.len() <= lower.len() && open.iter().zip(&*lower).all(|(a, b)| a == b)
        };
        (cut == word.len() && begins & (1 << cut) != 0 && self.whole.contains(&*lower))
            || begins & OPEN != 0
                && self
                    .open
                    .get(&lower[0])
                    .is_some_and(|words| words.iter().any(|open| continues(open)))
    }

    /// Appends the normal form of `text`: each word with a digit is cut at its first one, unless the word makes a difference.
    pub fn normalize(&self, text: &[u8], into: &mut Vec<u8>) {
        let mut copied = 0;
        let mut at = 0;
        while let Some(digit) = next_digit(text, at) {
            let mut begin = digit;
            at = digit + 1;
            while begin > copied && in_word(text[begin - 1]) {
                begin -= 1;
            }
            while text.get(at).copied().is_some_and(in_word) {
                at += 1;
            }
            if !self.matters(&text[begin..at]) {
                into.extend_from_slice(&text[copied..digit]);
                into.push(NUMBER);
                copied = at;
            }
        }
        into.extend_from_slice(&text[copied..]);
    }
}

/// Where the next ASCII digit is from `at` on.
#[inline]
fn next_digit(text: &[u8], mut at: usize) -> Option<usize> {
    while let Some(eight) = text.get(at..at + 8) {
        let eight = u64::from_le_bytes(eight.try_into().expect("eight bytes"));
        match first_digit(eight) {
            8 => at += 8,
            within => return Some(at + within),
        }
    }
    let rest = text.get(at..)?.iter().position(u8::is_ascii_digit);
    rest.map(|within| at + within)
}

/// The index of the first of eight bytes that is an ASCII digit, or 8 (SIMD within a register).
#[inline]
fn first_digit(bytes: u64) -> usize {
    const ONES: u64 = u64::MAX / 255;
    // Digits become 0 to 9 and nothing else does; then the well-known test for a byte below 10. A borrow may falsify what follows the
    // first one.
    let off = bytes ^ (ONES * b'0' as u64);
    let below = off.wrapping_sub(ONES * 10) & !off & (ONES * 0x80);
    below.trailing_zeros() as usize / 8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers() -> Numbers {
        let mut numbers = Numbers::default();
        numbers.collect("ext4-fs", false);
        numbers.collect("paths: 0", false);
        numbers.collect("signal 11", false);
        numbers.collect("oops: 0x", true);
        numbers
    }

    fn normal(text: &str) -> String {
        let mut into = Vec::new();
        numbers().normalize(text.as_bytes(), &mut into);
        String::from_utf8(into).unwrap()
    }

    #[test]
    fn numbers_that_make_no_difference_are_cut() {
        for (text, wanted) in [
            ("session 4711 of user7b", "session # of user#"),
            ("EXT4-fs and ext3-fs", "EXT4-fs and ext#-fs"),
            ("0 of 11, 12 and 110", "0 of 11, # and #"),
            ("at 0x7f and 1x7f", "at 0x7f and #"),
            ("10.0.0.9:22", "#.0.0.#:#"),
            ("no number at all, really", "no number at all, really"),
            ("über9 9", "über# #"),
            ("", ""),
        ] {
            assert_eq!(normal(text), wanted, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn the_normal_form_is_that_of_its_words(text in "[a-z0-9 é.:_]{0,60}") {
            let numbers = numbers();
            let word = |word: &str| match word.find(|c: char| c.is_ascii_digit()) {
                Some(at) if !numbers.matters(word.as_bytes()) => format!("{}#", &word[..at]),
                _ => word.to_owned(),
            };
            let is_sign = |c: char| " .:".contains(c);
            let plain: String = text.split_inclusive(is_sign).map(|part| {
                let cut = part.trim_end_matches(is_sign);
                word(cut) + &part[cut.len()..]
            }).collect();
            proptest::prop_assert_eq!(normal(&text), plain);
        }
    }
}
