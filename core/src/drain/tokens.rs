//! Words: where one ends, and a number for each that a template or the prefix tree holds.

use std::hash::{BuildHasher as _, BuildHasherDefault};

use compact_str::CompactString;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use rustc_hash::FxHasher;

/// What stands in a template where its lines differ.
pub(super) const PARAMETER_TEXT: &str = "<:*:>";
/// The number of [`PARAMETER_TEXT`].
pub(super) const PARAMETER: u32 = 0;
/// The number of every word that no template and no node holds.
pub(super) const UNKNOWN: u32 = u32::MAX;

/// What a word costs beside its text: its entry, its place in the table, the allocation's own.
const WORD_BYTES: usize = 56;

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

#[derive(Debug, Clone)]
struct Word {
    /// Short ones, which nearly all are, need no allocation.
    text: CompactString,
    hash: u64,
    /// How many templates' positions and nodes hold it; 0 where the entry is free.
    uses: u32,
}

/// The words that are in use, each with a number.
#[derive(Debug, Clone)]
pub(super) struct Tokens {
    words: Vec<Word>,
    numbers: HashTable<u32>,
    free: Vec<u32>,
    bytes: usize,
}

#[inline]
fn hash(text: &str) -> u64 {
    BuildHasherDefault::<FxHasher>::default().hash_one(text)
}

impl Tokens {
    pub fn new() -> Self {
        let mut tokens = Self {
            words: Vec::new(),
            numbers: HashTable::new(),
            free: Vec::new(),
            bytes: 0,
        };
        let parameter = tokens.hold(PARAMETER_TEXT);
        debug_assert_eq!(parameter, PARAMETER);
        tokens
    }

    /// The number of `text`, or [`UNKNOWN`].
    #[inline]
    pub fn number(&self, text: &str) -> u32 {
        self.numbers
            .find(hash(text), |&n| self.words[n as usize].text == text)
            .copied()
            .unwrap_or(UNKNOWN)
    }

    /// The number of `text`, which is in use once more from now on.
    pub fn hold(&mut self, text: &str) -> u32 {
        let hash = hash(text);
        let words = &mut self.words;
        let entry = self.numbers.entry(
            hash,
            |&n| words[n as usize].text == text,
            |&n| words[n as usize].hash,
        );
        let vacant = match entry {
            Entry::Occupied(known) => {
                let number = *known.get();
                words[number as usize].uses += 1;
                return number;
            }
            Entry::Vacant(vacant) => vacant,
        };
        let word = Word {
            text: text.into(),
            hash,
            uses: 1,
        };
        self.bytes += WORD_BYTES + text.len();
        let number = match self.free.pop() {
            Some(number) => {
                words[number as usize] = word;
                number
            }
            None => {
                words.push(word);
                (words.len() - 1) as u32
            }
        };
        vacant.insert(number);
        number
    }

    /// The word of that number is in use once more from now on.
    pub fn hold_again(&mut self, number: u32) {
        self.words[number as usize].uses += 1;
    }

    /// The word of that number is in use once less.
    pub fn release(&mut self, number: u32) {
        let word = &mut self.words[number as usize];
        word.uses -= 1;
        if word.uses > 0 {
            return;
        }
        let text = std::mem::take(&mut word.text);
        self.bytes -= WORD_BYTES + text.len();
        if let Ok(entry) = self.numbers.find_entry(word.hash, |&n| n == number) {
            entry.remove();
        }
        self.free.push(number);
    }

    /// The word of that number.
    pub fn text(&self, number: u32) -> &str {
        &self.words[number as usize].text
    }

    /// About how much memory the words take.
    pub fn bytes(&self) -> usize {
        self.bytes
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
    fn a_word_keeps_its_number_while_it_is_in_use_and_costs_nothing_after() {
        let mut tokens = Tokens::new();
        let empty = tokens.bytes();
        let one = tokens.hold("one");
        assert_eq!(tokens.hold("one"), one);
        assert_ne!(tokens.hold("two"), one);
        tokens.release(one);
        assert_eq!(tokens.number("one"), one);
        assert_eq!(tokens.text(one), "one");
        tokens.release(one);
        assert_eq!(tokens.number("one"), UNKNOWN);
        tokens.release(tokens.number("two"));
        assert_eq!(tokens.bytes(), empty);
        for i in 0..1000 {
            let number = tokens.hold(&i.to_string());
            tokens.release(number);
        }
        assert_eq!((tokens.words.len(), tokens.bytes()), (3, empty));
    }
}
