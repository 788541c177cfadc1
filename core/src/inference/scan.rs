//! Finding all phrases of a lexicon in one pass over a message.

use aho_corasick::automaton::Automaton;
use aho_corasick::nfa::contiguous::NFA;
use aho_corasick::{Anchored, MatchKind, PatternID};

/// Bits of each filter; a power of two.
const FILTER_BITS: usize = 1 << 16;

/// An automaton of all patterns, and a filter that tells where it is worth starting.
///
/// Patterns begin where words begin, and few words begin like a pattern: a look at four bytes passes over most of a
/// message. This is several times as fast as stepping the automaton through every byte of it.
#[derive(Debug)]
pub(super) struct Scanner {
    automaton: NFA,
    /// The first four bytes of the patterns that have as many.
    long: Filter,
    /// The first three bytes of the shorter ones.
    short: Filter,
}

impl Scanner {
    /// A scanner for `patterns`, which are in lower case, of two bytes or more, and not the same.
    pub fn new(patterns: &[String]) -> Scanner {
        let automaton = NFA::builder()
            .match_kind(MatchKind::Standard)
            .ascii_case_insensitive(true)
            .prefilter(false)
            .build(patterns)
            .expect("a lexicon has fewer states than an automaton can number");
        let (mut long, mut short) = (Filter::new(), Filter::new());
        for pattern in patterns {
            match *pattern.as_bytes() {
                [a, b, c, d, ..] => long.add([a, b, c, d]),
                [a, b, c] => short.add([a, b, c, 0]),
                [a, b] => (0..=u8::MAX).for_each(|c| short.add([a, b, c, 0])),
                _ => unreachable!("patterns have two bytes or more"),
            }
        }
        Scanner {
            automaton,
            long,
            short,
        }
    }

    /// Calls `found` with pattern, start and end of every occurrence that does not begin within a word, by where they
    /// begin, until it returns false.
    pub fn scan(&self, text: &[u8], mut found: impl FnMut(PatternID, usize, usize) -> bool) {
        let mut inside = false;
        for at in 0..text.len() {
            let first = text[at];
            let word = in_word(first);
            let begins = !(word && inside);
            inside = word;
            if !begins {
                continue;
            }
            let ahead = |by: usize| text.get(at + by).copied().unwrap_or(0);
            let [b, c, d] = match text[at + 1..] {
                [b, c, d, ..] => [b, c, d],
                _ => [ahead(1), ahead(2), ahead(3)],
            };
            let may_begin = self.long.has([first, b, c, d]) || self.short.has([first, b, c, 0]);
            if may_begin && !self.walk(text, at, &mut found) {
                return;
            }
        }
    }

    /// Reports the patterns that begin at `start`; whether to go on.
    #[inline(never)]
    fn walk(
        &self,
        text: &[u8],
        start: usize,
        found: &mut impl FnMut(PatternID, usize, usize) -> bool,
    ) -> bool {
        let Ok(mut state) = self.automaton.start_state(Anchored::Yes) else {
            return true;
        };
        for (offset, &byte) in text[start..].iter().enumerate() {
            state = self.automaton.next_state(Anchored::Yes, state, byte);
            if !self.automaton.is_special(state) {
                continue;
            }
            if self.automaton.is_dead(state) {
                break;
            }
            if self.automaton.is_match(state) {
                for at in 0..self.automaton.match_len(state) {
                    let pattern = self.automaton.match_pattern(state, at);
                    // A state also reports the patterns that its own ends with; those begin later.
                    if self.automaton.pattern_len(pattern) == offset + 1
                        && !found(pattern, start, start + offset + 1)
                    {
                        return false;
                    }
                }
            }
        }
        true
    }
}

/// A set of four bytes each, whatever their case, that may hold more than was put in.
#[derive(Debug)]
struct Filter(Box<[u64]>);

impl Filter {
    fn new() -> Filter {
        Filter(vec![0; FILTER_BITS / 64].into())
    }

    fn add(&mut self, bytes: [u8; 4]) {
        let bit = Self::bit(bytes);
        self.0[bit / 64] |= 1 << (bit % 64);
    }

    #[inline]
    fn has(&self, bytes: [u8; 4]) -> bool {
        let bit = Self::bit(bytes);
        self.0[bit / 64] >> (bit % 64) & 1 == 1
    }

    #[inline]
    fn bit(bytes: [u8; 4]) -> usize {
        // The bit 0x20 tells the cases of a letter apart; that it makes some signs equal costs no more than a look.
        let bytes = u32::from_le_bytes(bytes) | 0x2020_2020;
        (bytes.wrapping_mul(0x9E37_79B1) >> (u32::BITS - FILTER_BITS.ilog2())) as usize
    }
}

/// Whether `byte` belongs to a word: letters, digits, the underscore, and all that is not ASCII.
#[inline]
pub(super) fn in_word(byte: u8) -> bool {
    const WORD: [bool; 256] = {
        let mut table = [false; 256];
        let mut byte = 0;
        while byte < 256 {
            let b = byte as u8;
            table[byte] = b.is_ascii_alphanumeric() || b == b'_' || !b.is_ascii();
            byte += 1;
        }
        table
    };
    WORD[byte as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATTERNS: &[&str] = &["warp", "warp core", "core", "[x] core", "l1", "re"];

    fn scan(text: &str) -> Vec<(usize, usize, usize)> {
        let patterns: Vec<String> = PATTERNS.iter().map(|&p| p.to_owned()).collect();
        let mut all = Vec::new();
        Scanner::new(&patterns).scan(text.as_bytes(), |pattern, start, end| {
            all.push((pattern.as_usize(), start, end));
            true
        });
        all
    }

    #[test]
    fn every_occurrence_at_the_beginning_of_a_word_is_found() {
        assert_eq!(scan("Warp Core"), [(0, 0, 4), (1, 0, 9), (2, 5, 9)]);
        assert_eq!(scan("[X] core"), [(3, 0, 8), (2, 4, 8)]);
        assert_eq!(scan("swarp escore"), []);
        assert_eq!(scan("at L1"), [(4, 3, 5)]);
        assert_eq!(scan("r"), []);
    }

    #[test]
    fn it_stops_when_told_to() {
        let patterns = ["warp".to_owned()];
        let mut count = 0;
        Scanner::new(&patterns).scan(b"warp warp warp", |_, _, _| {
            count += 1;
            count < 2
        });
        assert_eq!(count, 2);
    }

    proptest::proptest! {
        #[test]
        fn it_finds_what_a_plain_search_finds(text in "[ warpcoel1\\[\\]xR]{0,60}") {
            let lower = text.to_ascii_lowercase();
            let mut plain = Vec::new();
            for start in 0..lower.len() {
                let within = start > 0 && in_word(lower.as_bytes()[start - 1]) && in_word(lower.as_bytes()[start]);
                for (index, pattern) in PATTERNS.iter().enumerate() {
                    if !within && lower[start..].starts_with(pattern) {
                        plain.push((index, start, start + pattern.len()));
                    }
                }
            }
            let mut scanned = scan(&text);
            scanned.sort();
            plain.sort();
            proptest::prop_assert_eq!(scanned, plain);
        }
    }
}
