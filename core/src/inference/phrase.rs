//! Compiled phrases: the symbols that they consist of, and what surrounds a match.

use super::class::SourceClasses;
use super::syntax::{Gap, Role};
use super::words::in_word;

/// A word next to one of these characters is part of a name, a path or a setting and does not count.
const NAMING: &[u8] = b"_-/\\=@+$%";

/// What a pattern of the scanner stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Meaning {
    pub symbol: u32,
    /// Its last word may continue.
    pub open: bool,
    /// It does not count within a name, a path or a setting.
    pub bare: bool,
    /// Punctuation and spaces before the pattern.
    pub prefix: Box<[u8]>,
}

/// A compiled entry.
#[derive(Debug)]
pub(super) struct Phrase {
    pub role: Role,
    pub weight: f32,
    pub tentative: bool,
    pub classes: SourceClasses,
    /// As written in the file, for the reason of a finding.
    pub text: Box<str>,
    pub parts: Box<[Part]>,
}

/// A compiled part of a phrase.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub symbol: u32,
    /// What may stand between the preceding part and this one.
    pub gap: Gap,
}

/// A match of a symbol.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Hit {
    pub symbol: u32,
    pub start: u32,
    pub end: u32,
    /// It begins with a quote.
    pub quoted: bool,
    /// It lies in the name of a process.
    pub process: bool,
}

impl Meaning {
    /// Whether the pattern counts where it was found, at `start..end`; returns where the match with its prefix begins.
    #[inline]
    pub fn begin(&self, text: &[u8], start: usize, end: usize) -> Option<usize> {
        let before = &text[..start];
        if !self.prefix.is_empty() && !before.ends_with(&self.prefix) {
            return None;
        }
        let after = text.get(end).copied();
        let ends = !in_word(text[end - 1]) || self.open || !after.is_some_and(in_word);
        if !ends {
            return None;
        }
        // The "0 failed" of "10.0 failed" and "00:0 failed" is no count.
        if self.prefix.is_empty()
            && text[start].is_ascii_digit()
            && matches!(before.last(), Some(b'.' | b':'))
        {
            return None;
        }
        if self.bare {
            let naming = |sign: Option<u8>| sign.is_some_and(|sign| NAMING.contains(&sign));
            if self.prefix.is_empty() {
                let before = before.last().copied();
                if naming(before) || before == Some(b'.') {
                    return None;
                }
            }
            // A period ends a sentence, unless the name continues after it.
            let dotted = after == Some(b'.') && text.get(end + 1).copied().is_some_and(in_word);
            if !self.open && in_word(text[end - 1]) && (naming(after) || dotted) {
                return None;
            }
        }
        Some(start - self.prefix.len())
    }
}

/// Whether the bytes from `start` to `end` are the name of a placeholder, as in `<:NUM:>`.
#[inline]
pub(super) fn in_placeholder(text: &[u8], start: usize, end: usize) -> bool {
    text[end..].starts_with(b":>") && text[..start].ends_with(b"<:")
}
