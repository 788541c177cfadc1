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

#[cfg(test)]
mod tests {
    use super::super::lexicon::BUILTIN;
    use super::super::{Inference as _, Message, syntax};
    use super::*;

    fn ignores(text: &str) -> bool {
        Lexicon::builtin().ignores_numbers(text)
    }

    #[test]
    fn numbers_matter_only_beside_the_other_words_of_a_phrase_with_a_number() {
        let files = ["[storage]\n0.9 lost 0 of crew\n0.9 warp status 11\n[words]\n0.4 7 alarms\n"];
        let lexicon = Lexicon::of_files(&files).unwrap();
        for (text, expected) in [
            ("session 11 opened", true),
            ("warp 12 of 13", true),
            ("warp core status 12", false),
            ("lost 3 of crew", false),
            ("lost and found 3", true),
            ("8 alarms", false),
        ] {
            assert_eq!(lexicon.ignores_numbers(text), expected, "{text}");
        }
        let number = Lexicon::of_files(&["[words]\n0.4 42\n"]).unwrap();
        assert!(!number.ignores_numbers("session 11 opened"));
    }

    #[test]
    fn ordinary_messages_of_the_builtin_lexicon_ignore_their_numbers() {
        for text in [
            "Started Session 4121 of User root.",
            "Accepted publickey for root from 10.0.7.9 port 51234 ssh2",
            "DHCPACK of 192.168.122.37 from 192.168.122.1",
            "worker-3 finished job 812 in 34 ms",
        ] {
            assert!(ignores(text), "{text}");
        }
    }

    /// `text` with `number` in place of each decimal number.
    fn with_numbers(text: &str, number: &str) -> String {
        let mut parts = Vec::new();
        for word in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
            let letters = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
            let is_number = !letters.is_empty() && letters.bytes().all(|b| b.is_ascii_digit());
            let kept = if is_number { number } else { letters };
            parts.push(kept.to_owned() + &word[letters.len()..]);
        }
        parts.concat()
    }

    #[test]
    fn no_phrase_of_the_builtin_lexicon_needs_a_number_that_is_ignored() {
        let lexicon = Lexicon::builtin();
        let mut changed = 0;
        let entries = BUILTIN
            .iter()
            .flat_map(|file| syntax::parse(file).unwrap().entries);
        for entry in entries.filter(|entry| entry.phrase.bytes().any(|b| b.is_ascii_digit())) {
            let phrase = entry.phrase.replace(" * ", " and ").replace('*', "");
            for before in ["", "disk failed: "] {
                let quiet: Vec<(String, bool)> = [None, Some("5"), Some("0"), Some("4711")]
                    .into_iter()
                    .map(|number| {
                        let text = format!("{before}{phrase}");
                        let text = number.map_or(text.clone(), |n| with_numbers(&text, n));
                        let message = Message::of(&text).from_program("kernel");
                        let is_quiet = lexicon.read(&message).is_quiet();
                        (text, is_quiet)
                    })
                    .collect();
                if quiet.iter().all(|(_, is_quiet)| *is_quiet == quiet[0].1) {
                    continue;
                }
                changed += 1;
                for (text, is_quiet) in quiet {
                    assert!(!is_quiet || !ignores(&text), "{text}");
                }
            }
        }
        assert!(changed > 10, "{changed}");
    }
}
