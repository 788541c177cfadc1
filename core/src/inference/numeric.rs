//! Phrases with decimal numbers: whether other numbers in a message could complete one.

use rustc_hash::FxHashMap;

use super::lexicon::Lexicon;
use super::phrase::{Phrase, in_placeholder};
use super::reading::{HITS_MAX, Present};
use super::scan::Scanner;
use super::words::in_word;

/// A number of a message stands for at most this many matches.
const HITS_PER_NUMBER: usize = 8;

/// The phrases with numbers, found by what they have besides.
#[derive(Debug)]
pub(super) struct Numeric {
    /// Finds the other words of symbols with numbers: "failed" for "0 failed".
    scanner: Scanner,
    /// The symbols of each pattern.
    by_pattern: Vec<Vec<u32>>,
    /// By symbol: it may be a number and nothing else.
    bare: Vec<bool>,
    /// The phrases with numbers, by the rarest of the symbols that are more than a number.
    by_symbol: FxHashMap<u32, Vec<u32>>,
    /// Some phrase has nothing but numbers.
    is_possible: bool,
}

/// Collects the words of symbols.
#[derive(Debug, Default)]
pub(super) struct Builder {
    /// By symbol: whether it may have a number; whether it may be nothing else.
    symbols: Vec<(bool, bool)>,
    texts: Vec<(String, bool)>,
    patterns: FxHashMap<String, usize>,
    by_pattern: Vec<Vec<u32>>,
}

impl Builder {
    /// Adds one of the texts that stand for the symbol.
    pub fn add(&mut self, symbol: u32, text: &str) {
        let symbol = symbol as usize;
        if self.symbols.len() <= symbol {
            self.symbols.resize(symbol + 1, (false, false));
        }
        let is_number = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
        let is_sign = |c: char| c.is_ascii() && !c.is_ascii_alphanumeric();
        if !text.split(is_sign).any(is_number) {
            return;
        }
        self.symbols[symbol].0 = true;
        let words = text.split(|c: char| c.is_ascii() && !in_word(c as u8));
        let other = words
            .filter(|word| word.len() > 1 && !word.bytes().any(|b| b.is_ascii_digit()))
            .max_by_key(|word| word.len());
        let Some(other) = other else {
            self.symbols[symbol].1 = true;
            return;
        };
        let at = *self.patterns.entry(other.to_owned()).or_insert_with(|| {
            self.texts.push((other.to_owned(), true));
            self.by_pattern.push(Vec::new());
            self.texts.len() - 1
        });
        if !self.by_pattern[at].contains(&(symbol as u32)) {
            self.by_pattern[at].push(symbol as u32);
        }
    }

    /// The phrases with numbers among `phrases`; `frequency` has the number of phrases of each symbol.
    pub fn build(self, phrases: &[Phrase], frequency: &[u32]) -> Numeric {
        let mut symbols = self.symbols;
        symbols.resize(frequency.len(), (false, false));
        let mut by_symbol: FxHashMap<u32, Vec<u32>> = FxHashMap::default();
        let mut is_possible = false;
        for (index, phrase) in phrases.iter().enumerate() {
            let parts = || phrase.parts.iter().map(|part| part.symbol);
            if !parts().any(|symbol| symbols[symbol as usize].0) {
                continue;
            }
            let more = parts().filter(|&symbol| !symbols[symbol as usize].1);
            match more.min_by_key(|&symbol| frequency[symbol as usize]) {
                Some(symbol) => by_symbol.entry(symbol).or_default().push(index as u32),
                None => is_possible = true,
            }
        }
        Numeric {
            scanner: Scanner::new(&self.texts),
            by_pattern: self.by_pattern,
            bare: symbols.into_iter().map(|(_, bare)| bare).collect(),
            by_symbol,
            is_possible,
        }
    }
}

impl Lexicon {
    /// Whether a text with other decimal numbers in place of its own, which have no sign, matches the same phrases: none has numbers
    /// and otherwise only words of this text.
    pub(super) fn has_no_numeric_phrase(&self, text: &[u8]) -> bool {
        let numeric = &self.numeric;
        if numeric.is_possible {
            return false;
        }
        let mut possible = Present::new(self.by_symbol.len());
        let mut hits = HITS_PER_NUMBER * numbers(text);
        let mut matches = false;
        let mut add = |symbol: u32| {
            if possible.insert(symbol) {
                matches |= numeric.by_symbol.contains_key(&symbol);
            }
        };
        self.scanner.scan(text, |pattern, start, end| {
            for meaning in &self.meanings[pattern] {
                if meaning.begin(text, start, end).is_some() && !in_placeholder(text, start, end) {
                    add(meaning.symbol);
                    hits += 1;
                }
            }
            hits < HITS_MAX
        });
        numeric.scanner.scan(text, |pattern, _, _| {
            numeric.by_pattern[pattern]
                .iter()
                .for_each(|&symbol| add(symbol));
            true
        });
        if hits >= HITS_MAX {
            return false;
        }
        let is_possible = |&index: &u32| {
            let mut parts = self.phrases[index as usize].parts.iter();
            parts.all(|part| numeric.bare[part.symbol as usize] || possible.has(part.symbol))
        };
        !matches
            || !numeric
                .by_symbol
                .iter()
                .any(|(&symbol, phrases)| possible.has(symbol) && phrases.iter().any(is_possible))
    }
}

/// How many numbers a text has; not all of a text that is far too long for a cache.
fn numbers(text: &[u8]) -> usize {
    let text = &text[..text.len().min(usize::from(u16::MAX))];
    let pairs = text.iter().zip(text.get(1..).unwrap_or_default());
    let begins = |(a, b): (&u8, &u8)| u16::from(b.is_ascii_digit() & !a.is_ascii_digit());
    usize::from(pairs.map(begins).sum::<u16>()) + 1
}
