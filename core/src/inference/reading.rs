//! Reading a message: finds all words in one pass, chains them into phrases, and scores those.

use smallvec::SmallVec;

use super::class::{SourceClass, SourceClasses};
use super::finding::Reading;
use super::lexicon::Lexicon;
use super::message::Message;
use super::phrase::{Hit, Phrase, in_placeholder};
use super::scoring::Score;
use super::subject;
use super::syntax::{Gap, Role};
use super::words::in_word;

/// Maximum number of matches of one message; later ones are ignored.
pub(super) const HITS_MAX: usize = 96;
/// This many matches need no allocation; most messages have fewer.
const HITS_INLINE: usize = 24;
/// Maximum number of hidden ranges of one message.
const HIDDEN_MAX: usize = 8;
/// Maximum number of ways in which a phrase is followed at a time.
const CHAINS_MAX: usize = 8;
/// Between two words of a phrase: maximum number of other words, and of bytes that are not digits.
const SMALL_GAP_WORDS: usize = 2;
const SMALL_GAP_BYTES: usize = 48;
/// The same for a wide gap.
const WIDE_GAP_WORDS: usize = 16;
const WIDE_GAP_BYTES: usize = 120;
/// Number of symbols whose presence is noted without an allocation.
const SYMBOLS_INLINE: usize = 64 * 96;

type Hits = SmallVec<[Hit; HITS_INLINE]>;
type Ranges = SmallVec<[(u32, u32); HIDDEN_MAX]>;

/// The symbols of a message.
pub(super) struct Present(SmallVec<[u64; SYMBOLS_INLINE / 64]>);

impl Present {
    pub(super) fn new(symbols: usize) -> Self {
        Self(SmallVec::from_elem(0, symbols.div_ceil(64)))
    }

    /// Adds a symbol; returns whether it is new.
    pub(super) fn insert(&mut self, symbol: u32) -> bool {
        let (word, bit) = (symbol as usize / 64, 1 << (symbol % 64));
        let new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        new
    }

    #[inline]
    pub(super) fn has(&self, symbol: u32) -> bool {
        self.0[symbol as usize / 64] >> (symbol % 64) & 1 == 1
    }
}

impl Lexicon {
    /// The reading of `text`, which is the text or the template of `message`.
    pub(super) fn read_text(&self, message: &Message<'_>, text: &str) -> Reading {
        let bytes = text.as_bytes();
        let mut hits = Hits::new();
        let mut present = Present::new(self.by_symbol.len());
        self.scanner.scan(bytes, |pattern, start, end| {
            for meaning in &self.meanings[pattern] {
                let Some(begin) = meaning.begin(bytes, start, end) else {
                    continue;
                };
                if in_placeholder(bytes, start, end) || hits.len() == HITS_MAX {
                    continue;
                }
                present.insert(meaning.symbol);
                hits.push(Hit {
                    symbol: meaning.symbol,
                    start: begin as u32,
                    end: end as u32,
                    quoted: matches!(meaning.prefix.first(), Some(b'\'' | b'"')),
                    process: false,
                });
            }
            hits.len() < HITS_MAX
        });
        let classes = self.indicated(&hits, &present);
        if classes == SourceClasses::NONE {
            return Reading::default();
        }
        let origin = self.sources.origin(message, text);
        if !classes.intersects(origin.classes) {
            return Reading::default();
        }
        let opaque = self.names.find(bytes, origin.body, origin.classes);
        hits.retain(|hit| {
            hit.process = opaque.is_process(hit.start, hit.end);
            hit.start >= origin.body as u32 && !opaque.hides(hit.start, hit.end, hit.quoted)
        });
        hits.sort_unstable_by_key(|hit| (hit.start, hit.end));
        let mut present = Present::new(self.by_symbol.len());
        let mut distinct: SmallVec<[u32; HITS_INLINE]> = SmallVec::new();
        for hit in &hits {
            if present.insert(hit.symbol) {
                distinct.push(hit.symbol);
            }
        }
        let candidates = |role: fn(Role) -> bool| {
            distinct
                .iter()
                .flat_map(|&symbol| &self.by_symbol[symbol as usize])
                .map(|&phrase| &self.phrases[phrase as usize])
                .filter(move |phrase| role(phrase.role))
                .filter(|phrase| phrase.parts.iter().all(|part| present.has(part.symbol)))
        };
        let mut hidden = Ranges::new();
        for phrase in candidates(|role| role == Role::Hidden) {
            if phrase.classes.intersects(origin.classes)
                && let Some(found) = find(phrase, bytes, &hits)
                && hidden.len() < HIDDEN_MAX
            {
                hidden.push(found.range);
            }
        }
        if !hidden.is_empty() {
            hits.retain(|hit| {
                !hidden
                    .iter()
                    .any(|&(start, end)| hit.start < end && start < hit.end)
            });
        }
        let mut score = Score::default();
        for phrase in candidates(|role| role != Role::Hidden) {
            if !phrase.classes.intersects(origin.classes) {
                continue;
            }
            let Some(Match { range, starts }) = find(phrase, bytes, &hits) else {
                continue;
            };
            // The word that states the level says nothing else.
            let (from, to) = origin.stated;
            if phrase.role == Role::Word && from <= range.0 && range.1 <= to {
                continue;
            }
            // Where the source is unknown, a phrase counts only where a message begins.
            let counts = origin.known
                || !matches!(phrase.role, Role::Phrase(_))
                || starts
                    .iter()
                    .any(|&start| is_anchored(&bytes[origin.body..start as usize]));
            if counts {
                score.add(phrase);
            }
        }
        let other = origin.classes == SourceClass::Other.into();
        let mut reading = score.reading(origin.level, other);
        if let Some(finding) = &mut reading.finding {
            finding.source_known = origin.known;
            let named = match origin.known {
                true => origin.classes,
                // It may name a device, but nobody vouches for a guest or a unit.
                false => SourceClasses::NONE,
            };
            finding.subject = subject::subject(&text[origin.body..], named);
        } else if reading.pardon > 0.0 {
            reading.pardoned = subject::subject(&text[origin.body..], origin.classes);
        }
        reading
    }

    /// The classes of the phrases that may indicate something and whose parts are all there, in whatever order.
    fn indicated(&self, hits: &Hits, present: &Present) -> SourceClasses {
        let symbols = hits.iter().map(|hit| hit.symbol as usize);
        let found = symbols
            .filter(|&symbol| self.indicative[symbol])
            .flat_map(|symbol| &self.by_symbol[symbol])
            .map(|&phrase| &self.phrases[phrase as usize])
            .filter(|phrase| {
                matches!(phrase.role, Role::Phrase(_) | Role::Word | Role::Report)
                    && phrase.parts.iter().all(|part| present.has(part.symbol))
            });
        found.fold(SourceClasses::NONE, |all, phrase| all | phrase.classes)
    }
}

/// Where a phrase is.
struct Match {
    /// Of the first match, from start to end.
    range: (u32, u32),
    /// Where it may begin: a word may be there several times.
    starts: SmallVec<[u32; CHAINS_MAX]>,
}

/// Where `phrase` is in a message with these hits, in the order of their starts.
fn find(phrase: &Phrase, text: &[u8], hits: &[Hit]) -> Option<Match> {
    // Start and end of what fits the parts so far, and whether some of it is no name of a process.
    let mut chains: SmallVec<[(u32, u32, bool); CHAINS_MAX]> = SmallVec::new();
    let mut next: SmallVec<[(u32, u32, bool); CHAINS_MAX]> = SmallVec::new();
    for (at, part) in phrase.parts.iter().enumerate() {
        next.clear();
        for hit in hits.iter().filter(|hit| hit.symbol == part.symbol) {
            if next.len() == CHAINS_MAX {
                break;
            }
            if at == 0 {
                next.push((hit.start, hit.end, !hit.process));
                continue;
            }
            let from = chains.iter().find(|&&(_, end, _)| {
                end <= hit.start && fits(part.gap, &text[end as usize..hit.start as usize])
            });
            if let Some(&(start, _, outside)) = from {
                next.push((start, hit.end, outside || !hit.process));
            }
        }
        if next.is_empty() {
            return None;
        }
        std::mem::swap(&mut chains, &mut next);
    }
    chains.retain(|&mut (_, _, outside)| outside);
    let &(start, end, _) = chains.first()?;
    Some(Match {
        range: (start, end),
        starts: chains.iter().map(|&(start, _, _)| start).collect(),
    })
}

/// Whether this text may stand between two parts of a phrase.
fn fits(gap: Gap, between: &[u8]) -> bool {
    let (words_max, bytes_max) = match gap {
        Gap::Glued => return between.iter().copied().all(in_word),
        Gap::Small => (SMALL_GAP_WORDS, SMALL_GAP_BYTES),
        Gap::Wide => (WIDE_GAP_WORDS, WIDE_GAP_BYTES),
    };
    let (mut words, mut bytes, mut blank, mut counted) = (0, 0, false, false);
    for &byte in between {
        // Numbers of any length count the same.
        bytes += usize::from(!byte.is_ascii_digit());
        if byte == b' ' || byte == b'\t' {
            (blank, counted) = (true, false);
        } else if blank && !counted && in_word(byte) {
            words += 1;
            counted = true;
        }
        if words > words_max || bytes > bytes_max {
            return false;
        }
    }
    true
}

/// Whether a message may begin after `before`: nothing but a word, or the names of a subsystem or a device, each ended by
/// punctuation.
fn is_anchored(before: &[u8]) -> bool {
    const WORDS_MAX: usize = 12;
    let trimmed = before.trim_ascii_end();
    let Some(&last) = trimmed.last() else {
        return true;
    };
    let words = trimmed
        .split(|&b| b == b' ')
        .filter(|word| !word.is_empty());
    let words = words.take(WORDS_MAX + 1).count();
    words <= 1 || (b":])>}|,-\"'([{<*".contains(&last) && words <= WORDS_MAX)
}
