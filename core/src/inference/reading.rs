//! Reading a message: all phrases in one pass, then what stands where, and what it comes to.

use smallvec::SmallVec;

use super::Finding;
use super::lexicon::Lexicon;
use super::phrase::{Border, Hit, Use, bit, in_placeholder};
use super::scale::Scale;
use super::syntax::Role;
use super::words::in_word;

/// Most places of one message that are weighed; what comes later in it is not.
const HITS_MAX: usize = 64;
/// So many hits, which most messages have no more of, need no allocation.
const HITS_INLINE: usize = 16;
/// Most hidden stretches of one message.
const HIDDEN_MAX: usize = 8;
/// The widest gap between two parts of a phrase, bytes that are no digits.
const GAP_MAX_BYTES: usize = 120;

type Hits = SmallVec<[Hit; HITS_INLINE]>;

impl Lexicon {
    fn uses(&self, pattern: u32) -> &[Use] {
        let at = pattern as usize;
        let (first, next) = (self.patterns[at].first_use, self.patterns[at + 1].first_use);
        &self.uses[first as usize..next as usize]
    }

    /// What `text` says.
    pub(super) fn read(&self, text: &str) -> Option<Finding> {
        let bytes = text.as_bytes();
        let mut hits = Hits::new();
        let (mut telling, mut hides) = (false, false);
        let mut there = 0;
        self.scanner.scan(bytes, |number, start, end| {
            let pattern = &self.patterns[number];
            let border = Border::of(bytes, start, end);
            if pattern.borders & border.bit() != 0 && !in_placeholder(bytes, start, end) {
                hits.push(Hit {
                    pattern: number as u32,
                    start: start as u32,
                    end: end as u32,
                    border,
                });
                there |= bit(number);
                telling |= pattern.telling;
                hides |= pattern.hides;
            }
            hits.len() < HITS_MAX
        });
        if telling {
            self.weigh(bytes, &hits, there, hides)
        } else {
            None
        }
    }

    /// What `hits` come to; `there` are the bits of all their patterns, `hides` whether one of them ends a hidden phrase.
    fn weigh(&self, text: &[u8], hits: &[Hit], there: u64, hides: bool) -> Option<Finding> {
        let hidden = if hides {
            self.hidden(text, hits)
        } else {
            SmallVec::new()
        };
        let mut scale = Scale::default();
        for (at, hit) in hits.iter().enumerate() {
            for used in self.uses(hit.pattern) {
                if !used.last || used.needs & !there != 0 {
                    continue;
                }
                let phrase = &self.phrases[used.phrase as usize];
                if phrase.role != Role::Hidden
                    && self.chain(used, text, hits, at, &hidden).is_some()
                {
                    scale.put(phrase);
                }
            }
        }
        scale.finding()
    }

    /// The stretches of the text that are hidden.
    fn hidden(&self, text: &[u8], hits: &[Hit]) -> SmallVec<[(u32, u32); HIDDEN_MAX]> {
        let mut stretches = SmallVec::new();
        for (at, hit) in hits.iter().enumerate() {
            for used in self.uses(hit.pattern) {
                if used.last
                    && self.phrases[used.phrase as usize].role == Role::Hidden
                    && let Some(start) = self.chain(used, text, hits, at, &[])
                    && stretches.len() < HIDDEN_MAX
                {
                    stretches.push((start, hit.end));
                }
            }
        }
        stretches
    }

    /// Where the phrase begins whose last part is `used` at the hit `at`, each part being the nearest before the next;
    /// `None` where it is not there.
    fn chain(
        &self,
        used: &Use,
        text: &[u8],
        hits: &[Hit],
        at: usize,
        hidden: &[(u32, u32)],
    ) -> Option<u32> {
        let last = &hits[at];
        if !used.allows(last.border) {
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
                    && (hit.border.after || part.open)
                    && seen(hit)
            };
            let (end, begin) = hits[..at]
                .iter()
                .rev()
                .filter(|hit| fits(hit))
                .find_map(|hit| Some((hit.end, part.start(hit, text)?)))?;
            let gap = &text[end as usize..start as usize];
            // Numbers of any length are alike.
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
    use crate::inference::scale::FLOOR;
    use crate::inference::{FAULT, Family, Inference};

    #[test]
    fn a_phrase_begins_and_ends_at_the_border_of_a_word() {
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
    fn an_open_word_may_go_on_and_a_gap_may_hold_anything_in_order() {
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
    fn an_underscore_finds_the_blank_that_a_parser_left_there() {
        let lexicon = site("[storage]\n0.9 warp_core_reaper: gone\n");
        assert_eq!(severity(&lexicon, "warp core reaper: gone"), 0.9);
        assert_eq!(severity(&lexicon, "warp_core_reaper: gone"), 0.9);
    }

    #[test]
    fn words_add_up_to_a_failure_only_where_they_are_said_of_a_thing() {
        let lexicon =
            site("[words]\n0.3 wobbly\n0.3 creaky\n0.3 rusty\n[things hardware]\n0.3 flange\n");
        assert_eq!(severity(&lexicon, "wobbly creaky rusty"), 0.0);
        assert!(severity(&lexicon, "wobbly, creaky flange") >= FAULT);
        assert!(severity(&lexicon, "wobbly wobbly wobbly flange") < FAULT + 0.02);
        assert_eq!(severity(&lexicon, "flange"), 0.0);
        let finding = lexicon.judge("wobbly, creaky flange", "").unwrap();
        assert_eq!(finding.family, Family::Hardware);
        assert_eq!(
            finding.reason,
            "\"wobbly\" and \"creaky\" said of \"flange\""
        );
    }

    #[test]
    fn a_word_within_a_name_a_path_or_a_setting_says_nothing() {
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
    fn benign_context_explains_away_what_weighs_no_more() {
        let lexicon = site("[storage]\n0.9 warp breach\n0.6 warp leak\n[benign]\n0.7 drill\n");
        assert_eq!(severity(&lexicon, "drill: warp leak"), 0.0);
        assert_eq!(severity(&lexicon, "drill: warp breach"), 0.9);
    }

    #[test]
    fn a_hidden_phrase_hides_what_is_within_it_and_nothing_else() {
        let lexicon = site("[storage]\n0.9 warp breach\n[hidden]\nno warp breach\n");
        assert_eq!(severity(&lexicon, "no warp breach"), 0.0);
        assert_eq!(severity(&lexicon, "no warp breach. Now: warp breach"), 0.9);
    }

    #[test]
    fn a_placeholder_is_a_value_and_no_word() {
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
    fn rubbish_of_a_megabyte_is_judged_in_one_pass() {
        let text = "error failed timeout Buffer I/O error on dev sda ".repeat(20_000);
        assert!(severity(Lexicon::builtin(), &text) >= FAULT);
    }
}
