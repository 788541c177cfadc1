//! Compiled phrases: their parts, the patterns of the scanner, and the word boundaries of a match.

use super::syntax::Role;
use super::words::in_word;

/// A word next to one of these characters is part of a name, a path or a setting and does not count.
const NAMING: &[u8] = b"_-/\\=@+$%";

/// A literal that the scanner finds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pattern {
    /// Index of its first use; its uses end where those of the next pattern begin.
    pub first_use: u32,
    /// Bitset of the [`Boundary`] values that at least one of its uses allows.
    pub boundaries: u8,
    /// It is a word of failure or ends a phrase of failure: a message without any such pattern has no finding.
    pub indicative: bool,
    /// It ends a phrase of the section `hidden`.
    pub hides: bool,
}

/// A pattern as a part of a phrase.
#[derive(Debug, Clone, Copy)]
pub(super) struct Use {
    pub phrase: u32,
    /// It is the last part.
    pub last: bool,
    /// It also counts within a name, a path or a setting.
    pub anywhere: bool,
    /// Its last word may continue.
    pub open: bool,
    /// The patterns of the preceding parts, as a set of [`bit`]s.
    pub needs: u64,
}

/// A compiled entry.
#[derive(Debug)]
pub(super) struct Phrase {
    pub role: Role,
    pub weight: f32,
    /// As written in the file, for the reason of a finding.
    pub text: Box<str>,
    pub parts: Box<[Part]>,
}

/// A compiled part of a phrase.
#[derive(Debug)]
pub(super) struct Part {
    pub pattern: u32,
    /// Punctuation and spaces before the pattern.
    pub prefix: Box<[u8]>,
    /// Its last word may continue.
    pub open: bool,
    /// Nothing but the rest of a word separates it from the preceding part.
    pub glued: bool,
}

/// A match of a pattern. It starts at the beginning of a word.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Hit {
    pub pattern: u32,
    pub start: u32,
    pub end: u32,
    pub boundary: Boundary,
}

/// What surrounds a match.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Boundary {
    /// It ends at the end of a word.
    pub after: bool,
    /// It is not part of a name, a path or a setting.
    pub bare: bool,
}

impl Pattern {
    pub fn new(first_use: u32, uses: &[Use], phrases: &[Phrase]) -> Pattern {
        let role = |used: &Use| phrases[used.phrase as usize].role;
        Pattern {
            first_use,
            boundaries: Boundary::all()
                .filter(|&boundary| uses.iter().any(|used| used.allows(boundary)))
                .fold(0, |boundaries, boundary| boundaries | boundary.bit()),
            indicative: uses.iter().any(|used| match role(used) {
                Role::Word => true,
                Role::Phrase(_) => used.last,
                Role::Thing(_) | Role::Benign | Role::Hidden => false,
            }),
            hides: uses
                .iter()
                .any(|used| used.last && role(used) == Role::Hidden),
        }
    }
}

/// The bit of a pattern in a Bloom filter of 64 bits: if it is not set, the pattern was not found.
#[inline]
pub(super) fn bit(pattern: usize) -> u64 {
    1 << (pattern % 64)
}

impl Use {
    #[inline]
    pub fn allows(&self, boundary: Boundary) -> bool {
        (boundary.after || self.open) && (boundary.bare || self.anywhere)
    }
}

impl Part {
    /// Where the part begins whose pattern matched at `hit`; `None` if its prefix is not there.
    #[inline]
    pub fn start(&self, hit: &Hit, text: &[u8]) -> Option<u32> {
        let matches = self.prefix.is_empty() || text[..hit.start as usize].ends_with(&self.prefix);
        matches.then(|| hit.start - self.prefix.len() as u32)
    }
}

impl Boundary {
    fn all() -> impl Iterator<Item = Boundary> {
        [(false, false), (false, true), (true, false), (true, true)]
            .into_iter()
            .map(|(after, bare)| Boundary { after, bare })
    }

    /// Its bit in a set.
    #[inline]
    pub fn bit(self) -> u8 {
        1 << (u8::from(self.after) << 1 | u8::from(self.bare))
    }

    #[inline]
    pub fn of(text: &[u8], start: usize, end: usize) -> Boundary {
        let before = start.checked_sub(1).map(|at| text[at]);
        let after = text.get(end).copied();
        let naming = |sign: Option<u8>| sign.is_some_and(|sign| NAMING.contains(&sign));
        // A period ends a sentence, unless the name continues after it.
        let dotted = before == Some(b'.')
            || (after == Some(b'.') && text.get(end + 1).copied().is_some_and(in_word));
        Boundary {
            // Punctuation at the end of a pattern is its own boundary.
            after: !in_word(text[end - 1]) || !after.is_some_and(in_word),
            bare: !naming(before) && !naming(after) && !dotted,
        }
    }
}

/// Whether the bytes from `start` to `end` are the name of a placeholder, as in `<:NUM:>`.
#[inline]
pub(super) fn in_placeholder(text: &[u8], start: usize, end: usize) -> bool {
    text[end..].starts_with(b":>") && text[..start].ends_with(b"<:")
}
