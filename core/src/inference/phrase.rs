//! The phrases of a lexicon, compiled: their parts, what the scanner looks for, and what may surround it.

use super::syntax::Role;
use super::words::in_word;

/// The signs beside which a word is part of a name, a path or a setting, and says nothing.
const NAMING: &[u8] = b"_-/\\=@+$%";

/// What the scanner looks for.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pattern {
    /// Its uses are those from here to the first of the next pattern.
    pub first_use: u32,
    /// One bit for each [`Border`] that at least one of its uses allows.
    pub borders: u8,
    /// Without any such pattern a message says nothing: it is a word of failure or ends a phrase of it.
    pub telling: bool,
    /// It ends a phrase that hides.
    pub hides: bool,
}

/// A pattern as a part of a phrase.
#[derive(Debug, Clone, Copy)]
pub(super) struct Use {
    pub phrase: u32,
    /// It is the last part.
    pub last: bool,
    /// It may stand in a name, a path or a setting.
    pub anywhere: bool,
    /// Its last word may go on.
    pub open: bool,
    /// The patterns of the parts before, as a set of [`bit`]s.
    pub needs: u64,
}

/// An entry, compiled.
#[derive(Debug)]
pub(super) struct Phrase {
    pub role: Role,
    pub weight: f32,
    /// As written, for the reason.
    pub text: Box<str>,
    pub parts: Box<[Part]>,
}

/// A part of a phrase, compiled.
#[derive(Debug)]
pub(super) struct Part {
    pub pattern: u32,
    /// The signs and blanks that it begins with, which are no part of the pattern.
    pub lead: Box<[u8]>,
    /// Its last word may go on.
    pub open: bool,
    /// Nothing but the rest of a word parts it from the part before.
    pub glued: bool,
}

/// A place where a pattern was found. A word begins there.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Hit {
    pub pattern: u32,
    pub start: u32,
    pub end: u32,
    pub border: Border,
}

/// What surrounds a hit.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Border {
    /// A word ends at its end.
    pub after: bool,
    /// It is not part of a name, a path or a setting.
    pub bare: bool,
}

impl Pattern {
    pub fn new(first_use: u32, uses: &[Use], phrases: &[Phrase]) -> Pattern {
        let role = |used: &Use| phrases[used.phrase as usize].role;
        Pattern {
            first_use,
            borders: Border::all()
                .filter(|&border| uses.iter().any(|used| used.allows(border)))
                .fold(0, |borders, border| borders | border.bit()),
            telling: uses.iter().any(|used| match role(used) {
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

/// One of 64 bits for a pattern: where it is not set, the pattern is not there.
#[inline]
pub(super) fn bit(pattern: usize) -> u64 {
    1 << (pattern % 64)
}

impl Use {
    #[inline]
    pub fn allows(&self, border: Border) -> bool {
        (border.after || self.open) && (border.bare || self.anywhere)
    }
}

impl Part {
    /// Where the part begins of which `hit` is the pattern; `None` where its first signs are not there.
    #[inline]
    pub fn start(&self, hit: &Hit, text: &[u8]) -> Option<u32> {
        let there = self.lead.is_empty() || text[..hit.start as usize].ends_with(&self.lead);
        there.then(|| hit.start - self.lead.len() as u32)
    }
}

impl Border {
    fn all() -> impl Iterator<Item = Border> {
        [(false, false), (false, true), (true, false), (true, true)]
            .into_iter()
            .map(|(after, bare)| Border { after, bare })
    }

    /// A bit of its own.
    #[inline]
    pub fn bit(self) -> u8 {
        1 << (u8::from(self.after) << 1 | u8::from(self.bare))
    }

    #[inline]
    pub fn of(text: &[u8], start: usize, end: usize) -> Border {
        let before = start.checked_sub(1).map(|at| text[at]);
        let after = text.get(end).copied();
        let naming = |sign: Option<u8>| sign.is_some_and(|sign| NAMING.contains(&sign));
        // A full stop ends a sentence, unless the name goes on behind it.
        let dotted = before == Some(b'.')
            || (after == Some(b'.') && text.get(end + 1).copied().is_some_and(in_word));
        Border {
            // A sign at the end of a pattern is its own border.
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
