//! Lines of a log.

use arbitrary::Arbitrary;

use crate::hostile::{HOSTILE, Random};

const WORDS: [&str; 32] = [
    "session",
    "opened",
    "for",
    "user",
    "root",
    "Buffer",
    "I/O",
    "error",
    "on",
    "dev",
    "sda1,",
    "Out",
    "of",
    "memory:",
    "Killed",
    "process",
    "task",
    "blocked",
    "more",
    "than",
    "seconds",
    "Started",
    "device",
    "entered",
    "mode",
    "failed",
    "link",
    "down",
    "corrected",
    "<:*:>",
    "<:NUM:>",
    "timeout",
];
const SEPARATORS: [&str; 8] = [" ", " ", "  ", "_", "\t", ": ", "\u{3000}", "\u{85}"];

/// A word: one that hosts print, with values of its own, or one that none does.
#[derive(Arbitrary, Debug, Clone)]
enum Word<'a> {
    Known(u8),
    Number(u16),
    Wide(i64),
    Hex(u32),
    Address([u8; 4]),
    Named(u8, u8),
    Text(&'a str),
    /// The same letter so often: what is longer than a limit.
    Long(u16),
    /// A part of a line of a family that attacks the parser, of so many bytes.
    Hostile(u8, u16, u64),
}

/// A line.
#[derive(Arbitrary, Debug, Clone)]
pub struct Line<'a> {
    words: Vec<(Word<'a>, u8)>,
}

impl Line<'_> {
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (word, separator) in &self.words {
            match word {
                Word::Known(n) => text.push_str(WORDS[usize::from(*n) % WORDS.len()]),
                Word::Number(n) => text.push_str(&n.to_string()),
                Word::Wide(n) => text.push_str(&n.to_string()),
                Word::Hex(n) => text.push_str(&format!("{n:#x}")),
                Word::Address([a, b, c, d]) => text.push_str(&format!("{a}.{b}.{c}.{d}")),
                Word::Named(n, m) => {
                    let word = WORDS[usize::from(*n) % WORDS.len()];
                    text.push_str(&format!("{word}{m}="));
                }
                Word::Text(word) => text.push_str(word),
                Word::Hostile(family, len, seed) => {
                    let (_, family) = HOSTILE[usize::from(*family) % HOSTILE.len()];
                    let end = text.len() + 1 + usize::from(*len) % 512;
                    family(&mut Random::new(*seed), end, &mut text);
                }
                Word::Long(n) => text.extend(std::iter::repeat_n('x', usize::from(*n) % 5000)),
            }
            text.push_str(SEPARATORS[usize::from(*separator) % SEPARATORS.len()]);
        }
        text
    }
}
