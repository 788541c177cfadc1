//! Reading a message: finds all patterns in one pass, chains them into phrases, and scores those.

use smallvec::SmallVec;

use super::finding::Finding;
use super::lexicon::Lexicon;
use super::phrase::{Boundary, Hit, Use, bit, in_placeholder};
use super::scoring::Score;
use super::syntax::Role;
use super::words::in_word;

/// Maximum number of matches of one message; later ones are ignored.
const HITS_MAX: usize = 64;
/// This many matches need no allocation; most messages have fewer.
const HITS_INLINE: usize = 16;
/// Maximum number of hidden ranges of one message.
const HIDDEN_MAX: usize = 8;
/// Maximum gap between two parts of a phrase, in bytes that are not digits.
const GAP_MAX_BYTES: usize = 120;

type Hits = SmallVec<[Hit; HITS_INLINE]>;

impl Lexicon {
    fn uses(&self, pattern: u32) -> &[Use] {
        let at = pattern as usize;
        let (first, next) = (self.patterns[at].first_use, self.patterns[at + 1].first_use);
        &self.uses[first as usize..next as usize]
    }

    /// The finding for `text`.
    pub(super) fn read(&self, text: &str) -> Option<Finding> {
        let bytes = text.as_bytes();
        let mut hits = Hits::new();
        let (mut indicative, mut hides) = (false, false);
        let mut present = 0;
        self.scanner.scan(bytes, |number, start, end| {
            let pattern = &self.patterns[number];
            let boundary = Boundary::of(bytes, start, end);
            if pattern.boundaries & boundary.bit() != 0 && !in_placeholder(bytes, start, end) {
                hits.push(Hit {
                    pattern: number as u32,
                    start: start as u32,
                    end: end as u32,
                    boundary,
                });
                present |= bit(number);
                indicative |= pattern.indicative;
                hides |= pattern.hides;
            }
            hits.len() < HITS_MAX
        });
        if indicative {
            self.score(bytes, &hits, present, hides)
        } else {
            None
        }
    }

    /// The finding for `hits`; `present` has the bits of all their patterns, `hides` is whether one of them ends a hidden phrase.
    fn score(&self, text: &[u8], hits: &[Hit], present: u64, hides: bool) -> Option<Finding> {
        let hidden = if hides {
            self.hidden(text, hits)
        } else {
            SmallVec::new()
        };
        let mut score = Score::default();
        for (at, hit) in hits.iter().enumerate() {
            for used in self.uses(hit.pattern) {
                if !used.last || used.needs & !present != 0 {
                    continue;
                }
                let phrase = &self.phrases[used.phrase as usize];
                if phrase.role != Role::Hidden
                    && self.chain(used, text, hits, at, &hidden).is_some()
                {
                    score.add(phrase);
                }
            }
        }
        score.finding()
    }

    /// The ranges of the text that are hidden.
    fn hidden(&self, text: &[u8], hits: &[Hit]) -> SmallVec<[(u32, u32); HIDDEN_MAX]> {
        let mut ranges = SmallVec::new();
        for (at, hit) in hits.iter().enumerate() {
            for used in self.uses(hit.pattern) {
                if used.last
                    && self.phrases[used.phrase as usize].role == Role::Hidden
                    && let Some(start) = self.chain(used, text, hits, at, &[])
                    && ranges.len() < HIDDEN_MAX
                {
                    ranges.push((start, hit.end));
                }
            }
        }
        ranges
    }

    /// Where the phrase begins whose last part is `used` at the match `at`, each part being the nearest before the next; `None`
    /// if the phrase is not there.
    fn chain(
        &self,
        used: &Use,
        text: &[u8],
        hits: &[Hit],
        at: usize,
        hidden: &[(u32, u32)],
    ) -> Option<u32> {
        let last = &hits[at];
        if !used.allows(last.boundary) {
            return None;
        }
        let parts = &self.phrases[used.phrase as usize].parts;
        let seen = |hit: &Hit| {
            !hidden
                .iter()
                .any(|&(start, end)| hit.start < end && start < hit.end)
        };
        let mut start = parts[parts.len() - 1].start(last, text)?;
        if !seen(last) {
            return None;
        }
        for pair in parts.windows(2).rev() {
            let (part, next) = (&pair[0], &pair[1]);
            let fits = |hit: &Hit| {
                hit.pattern == part.pattern
                    && hit.end <= start
                    && (hit.boundary.after || part.open)
                    && seen(hit)
            };
            let (end, begin) = hits[..at]
                .iter()
                .rev()
                .filter(|hit| fits(hit))
                .find_map(|hit| Some((hit.end, part.start(hit, text)?)))?;
            let gap = &text[end as usize..start as usize];
            // Numbers of any length count the same.
            let near = match next.glued {
                true => gap.iter().copied().all(in_word),
                false => gap.iter().filter(|b| !b.is_ascii_digit()).count() <= GAP_MAX_BYTES,
            };
            if !near {
                return None;
            }
            start = begin;
        }
        Some(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::lexicon::tests::{severity, site};
    use crate::inference::scoring::FLOOR;
    use crate::inference::{FAULT, Family, Inference};

    #[test]
    fn a_phrase_begins_and_ends_at_a_word_boundary() {
        let lexicon = site("[storage]\n0.9 warp breach\n0.8 (tachyon\n");
        for text in [
            "warp breach",
            "[warp breach]",
            "a-warp breach.",
            "x:warp breach=1",
        ] {
            assert_eq!(severity(&lexicon, text), 0.9, "{text}");
        }
        for text in [
            "swarp breach",
            "warp breaches",
            "_warp breach",
            "warp breach_2",
            "éwarp breach",
            "warp breaché",
            "9warp breach",
        ] {
            assert_eq!(severity(&lexicon, text), 0.0, "{text}");
        }
        assert_eq!(severity(&lexicon, "x(tachyon)"), 0.8);
    }

    #[test]
    fn an_open_word_may_continue_and_a_gap_may_hold_anything() {
        let lexicon = site("[storage]\n0.9 warp* * has breach*\n0.7 deck*-gamma leaks\n");
        assert_eq!(severity(&lexicon, "warp7 core of deck 3 has breached"), 0.9);
        assert_eq!(severity(&lexicon, "decks12-gamma leaks"), 0.7);
        assert_eq!(severity(&lexicon, "deck 12-gamma leaks"), 0.0);
        assert_eq!(severity(&lexicon, "has breached: warp7"), 0.0);
        assert_eq!(severity(&lexicon, "warp7 has been checked"), 0.0);
        let far = format!("warp {} has breached", "x".repeat(200));
        assert_eq!(severity(&lexicon, &far), 0.0);
    }

    #[test]
    fn an_underscore_also_matches_the_space_that_a_parser_left() {
        let lexicon = site("[storage]\n0.9 warp_core_reaper: gone\n");
        assert_eq!(severity(&lexicon, "warp core reaper: gone"), 0.9);
        assert_eq!(severity(&lexicon, "warp_core_reaper: gone"), 0.9);
    }

    #[test]
    fn words_add_up_to_a_failure_only_if_they_refer_to_a_thing() {
        let lexicon =
            site("[words]\n0.3 wobbly\n0.3 creaky\n0.3 rusty\n[things hardware]\n0.3 flange\n");
        assert_eq!(severity(&lexicon, "wobbly creaky rusty"), 0.0);
        assert!(severity(&lexicon, "wobbly, creaky flange") >= FAULT);
        assert!(severity(&lexicon, "wobbly wobbly wobbly flange") < FAULT + 0.02);
        assert_eq!(severity(&lexicon, "flange"), 0.0);
        let finding = lexicon.judge("wobbly, creaky flange", "").unwrap();
        assert_eq!(finding.family, Family::Hardware);
        assert_eq!(finding.reason, "\"wobbly\" and \"creaky\" about \"flange\"");
    }

    #[test]
    fn a_word_within_a_name_a_path_or_a_setting_does_not_count() {
        let lexicon = site("[words]\n0.4 wobbly\n[things storage]\n0.1 flange\n");
        let severity = |text| severity(&lexicon, &format!("{text} flange"));
        for text in [
            "wobbly",
            "is wobbly.",
            "(wobbly)",
            "wobbly: yes",
            "\"wobbly\"",
        ] {
            assert!(severity(text) >= FLOOR, "{text}");
        }
        for text in [
            "/var/wobbly",
            "wobbly.log",
            "non-wobbly",
            "wobbly=1",
            "x=wobbly",
            "a.wobbly",
            "$wobbly",
        ] {
            assert_eq!(severity(text), 0.0, "{text}");
        }
    }

    #[test]
    fn benign_context_outweighs_phrases_up_to_its_own_weight() {
        let lexicon = site("[storage]\n0.9 warp breach\n0.6 warp leak\n[benign]\n0.7 drill\n");
        assert_eq!(severity(&lexicon, "drill: warp leak"), 0.0);
        assert_eq!(severity(&lexicon, "drill: warp breach"), 0.9);
    }

    #[test]
    fn a_hidden_phrase_hides_its_own_range_and_nothing_else() {
        let lexicon = site("[storage]\n0.9 warp breach\n[hidden]\nno warp breach\n");
        assert_eq!(severity(&lexicon, "no warp breach"), 0.0);
        assert_eq!(severity(&lexicon, "no warp breach. Now: warp breach"), 0.9);
    }

    #[test]
    fn a_placeholder_is_a_value_and_not_a_word() {
        let lexicon = site("[storage]\n0.9 num\n0.8 warp * breach\n");
        assert_eq!(severity(&lexicon, "<:NUM:> of 12"), 0.0);
        assert_eq!(severity(&lexicon, "num of 12"), 0.9);
        for value in ["<:NUM:>", "<:*:>", "<*>", "7"] {
            assert_eq!(
                severity(&lexicon, &format!("warp {value} breach")),
                0.8,
                "{value}"
            );
        }
    }

    #[test]
    fn a_megabyte_of_matches_is_classified() {
        let text = "error failed timeout Buffer I/O error on dev sda ".repeat(20_000);
        assert!(severity(Lexicon::builtin(), &text) >= FAULT);
    }
}
