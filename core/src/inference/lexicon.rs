//! The lexicon: phrases of failure, weighed.
//!
//! All phrases are looked for in one pass over a message, however many phrases there are. What is found is then weighed:
//! phrases by their own weight, words of failure together with each other and with the thing they are said of, all of it
//! against what explains it away. The file `lexicon.txt` says how it is written.

use std::sync::{Arc, LazyLock};

use rustc_hash::FxHashMap;
use smallvec::SmallVec;

use super::numbers::Numbers;
use super::phrase::{Border, Hit, Part, Pattern, Phrase, Use, bit, in_placeholder};
use super::scale::Scale;
use super::scan::Scanner;
use super::syntax::{self, Entry, LexiconError, Role};
use super::words::in_word;
use super::{Finding, Inference};

/// The file that is built in.
const BUILTIN: &str = include_str!("lexicon.txt");
/// Most places of one message that are weighed; what comes later in it is not.
const HITS_MAX: usize = 64;
/// So many hits, which most messages have no more of, need no allocation.
const HITS_INLINE: usize = 16;
/// Most hidden stretches of one message.
const HIDDEN_MAX: usize = 8;
/// The widest gap between two parts of a phrase, bytes that are no digits.
const GAP_MAX_BYTES: usize = 120;
/// Judges messages by the phrases in them.
///
/// Immutable once made, and cheap to share between threads behind an [`Arc`].
#[derive(Debug)]
pub struct Lexicon {
    scanner: Scanner,
    patterns: Vec<Pattern>,
    /// What the patterns are parts of, pattern by pattern.
    uses: Vec<Use>,
    phrases: Vec<Phrase>,
    numbers: Numbers,
    /// Finds the words without which no number makes a difference; `None` where there is a phrase that has no such word.
    number_words: Option<Scanner>,
}

type Hits = SmallVec<[Hit; HITS_INLINE]>;

impl Lexicon {
    /// The lexicon that is built in.
    pub fn builtin() -> &'static Arc<Lexicon> {
        static BUILT: LazyLock<Arc<Lexicon>> = LazyLock::new(|| {
            Arc::new(Lexicon::with_site_file("").expect("the lexicon built in is well-formed"))
        });
        &BUILT
    }

    /// The lexicon built in with a site's own file, `text`, on top: its phrases are added, and one that is there already
    /// gets the weight that the site gives it; 0 takes it away.
    ///
    /// # Errors
    /// A line that is not of the form that `lexicon.txt` describes.
    pub fn with_site_file(text: &str) -> Result<Lexicon, LexiconError> {
        Self::of_files(&[BUILTIN, text])
    }

    /// The lexicon of these files, each on top of those before it.
    ///
    /// # Errors
    /// As for [`Lexicon::with_site_file`].
    pub fn of_files(files: &[&str]) -> Result<Lexicon, LexiconError> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut index: FxHashMap<String, usize> = FxHashMap::default();
        for file in files {
            for entry in syntax::parse(file)? {
                match index.get(&entry.phrase.to_ascii_lowercase()) {
                    Some(&at) => entries[at] = entry,
                    None => {
                        index.insert(entry.phrase.to_ascii_lowercase(), entries.len());
                        entries.push(entry);
                    }
                }
            }
        }
        entries.retain(|entry| entry.weight > 0.0);
        Ok(Self::compile(&entries))
    }

    fn compile(entries: &[Entry]) -> Lexicon {
        let mut index: FxHashMap<String, usize> = FxHashMap::default();
        let mut texts: Vec<String> = Vec::new();
        let mut uses: Vec<Vec<Use>> = Vec::new();
        let mut phrases = Vec::new();
        let mut numbers = Numbers::default();
        for entry in entries {
            // Some parsers split at underscores: a template has blanks in their place.
            let forms: &[bool] = match entry.phrase.contains('_') {
                true => &[false, true],
                false => &[false],
            };
            for &split in forms {
                let mut parts = Vec::new();
                let mut needs = 0;
                let last = syntax::parts(&entry.phrase).count() - 1;
                for (at, part) in syntax::parts(&entry.phrase).enumerate() {
                    let mut text = part.text.to_ascii_lowercase();
                    if split {
                        text = text.replace('_', " ");
                    }
                    numbers.mind_those_of(&text, part.open);
                    // The scanner looks where words begin.
                    let lead = text.bytes().take_while(|&byte| !in_word(byte)).count();
                    let pattern = text.split_off(lead);
                    let number = *index.entry(pattern.clone()).or_insert_with(|| {
                        texts.push(pattern);
                        uses.push(Vec::new());
                        texts.len() - 1
                    });
                    uses[number].push(Use {
                        phrase: phrases.len() as u32,

                        last: at == last,
                        anywhere: !matches!(entry.role, Role::Word | Role::Thing(_)),
                        open: part.open,
                        needs,
                    });
                    needs |= bit(number);
                    parts.push(Part {
                        pattern: number as u32,
                        lead: text.into_bytes().into(),
                        open: part.open,
                        glued: part.glued,
                    });
                }
                phrases.push(Phrase {
                    role: entry.role,
                    weight: entry.weight,
                    text: entry.phrase.as_str().into(),
                    parts: parts.into(),
                });
            }
        }
        let mut first_use = 0;
        let mut patterns: Vec<Pattern> = Vec::new();
        for of_pattern in &uses {
            patterns.push(Pattern::new(first_use, of_pattern, &phrases));
            first_use += of_pattern.len() as u32;
        }
        // One more, where the uses of the last one end.
        patterns.push(Pattern::new(first_use, &[], &phrases));
        Lexicon {
            scanner: Scanner::new(&texts),
            patterns,
            uses: uses.concat(),
            phrases,
            number_words: numbers.words().as_deref().map(Scanner::new),
            numbers,
        }
    }

    /// The number of phrases, words and things.
    pub fn len(&self) -> usize {
        self.phrases.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.phrases.is_empty()
    }

    fn uses(&self, pattern: u32) -> &[Use] {
        let at = pattern as usize;
        let (first, next) = (self.patterns[at].first_use, self.patterns[at + 1].first_use);
        &self.uses[first as usize..next as usize]
    }

    /// What `text` says.
    fn read(&self, text: &str) -> Option<Finding> {
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

impl Inference for Lexicon {
    fn judge(&self, text: &str, template: &str) -> Option<Finding> {
        self.read(if text.is_empty() { template } else { text })
    }

    fn kind_of_number(&self, digits: &[u8]) -> u64 {
        self.numbers.kind(digits)
    }

    fn minds_numbers(&self, masked: &str) -> bool {
        let Some(words) = &self.number_words else {
            return true;
        };
        let mut found = false;
        words.scan(masked.as_bytes(), |_, _, _| {
            found = true;
            false
        });
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::scale::FLOOR;
    use crate::inference::{FAULT, Family};

    fn site(file: &str) -> Lexicon {
        Lexicon::with_site_file(file).unwrap()
    }

    fn severity(lexicon: &Lexicon, text: &str) -> f32 {
        lexicon.judge(text, "").map_or(0.0, |f| f.severity)
    }

    #[test]
    fn a_phrase_gives_its_weight_its_family_and_its_own_name_as_the_reason() {
        let lexicon = site("[storage]\n0.9 warp core breach\n");
        let finding = lexicon
            .judge("engine 3: WARP Core Breach, ejecting", "")
            .unwrap();
        assert_eq!((finding.severity, finding.family), (0.9, Family::Storage));
        assert!(finding.reason.contains("warp core breach"));
        assert_eq!(lexicon.judge("engine 3: all is well", ""), None);
    }

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
    fn numbers_make_a_difference_only_beside_words_of_phrases_that_have_some() {
        let lexicon = Lexicon::builtin();
        for (masked, minded) in [
            ("session <:NUM:> opened for user root(uid=<:NUM:>)", false),
            ("<:IP:> logged in on port <:NUM:>", false),
            ("Errors: <:NUM:>", true),
            ("qemu[<:NUM:>]: terminating on signal <:NUM:>", true),
        ] {
            assert_eq!(lexicon.minds_numbers(masked), minded, "{masked}");
        }
        let wordless = site("[storage]\n0.9 (7/\n");
        assert!(wordless.minds_numbers("session <:NUM:>"));
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
        assert!(severity(&lexicon, "wobbly creaky rusty") < FAULT);
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
        let lexicon = site("[words]\n0.4 wobbly\n");
        for text in [
            "wobbly",
            "is wobbly.",
            "(wobbly)",
            "wobbly: yes",
            "\"wobbly\"",
        ] {
            assert!(severity(&lexicon, text) >= FLOOR, "{text}");
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
            assert_eq!(severity(&lexicon, text), 0.0, "{text}");
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
    fn the_template_is_judged_where_there_is_no_text() {
        let lexicon = Lexicon::builtin();
        assert!(lexicon.judge("", "Buffer I/O error on dev <:*:>").is_some());
        assert!(
            lexicon
                .judge("all is well", "Buffer I/O error on dev <:*:>")
                .is_none()
        );
    }

    #[test]
    fn a_site_changes_adds_and_takes_away() {
        let text = "Kernel panic - not syncing: x";
        assert_eq!(severity(Lexicon::builtin(), text), 1.0);
        let lexicon = site("[benign]\n1 not syncing:\n[storage]\n0.7 our own filer groans\n");
        assert_eq!(severity(&lexicon, text), 0.0);
        assert_eq!(severity(&lexicon, "OUR OWN FILER GROANS"), 0.7);
        let before = severity(Lexicon::builtin(), "md0: Disk failure on sda1");
        let after = severity(
            &site("[storage]\n0 disk failure on\n0 disk failure\n"),
            "md0: Disk failure on sda1",
        );
        assert!(before >= FAULT && after < FAULT, "{before} {after}");
    }

    #[test]
    fn a_site_file_that_is_wrong_names_its_line() {
        let error = Lexicon::with_site_file("[storage]\n0.5 fine\nbad line\n").unwrap_err();
        assert_eq!(error.line, 3);
    }

    #[test]
    fn no_phrase_of_the_lexicon_built_in_is_there_twice() {
        let mut seen = FxHashMap::default();
        for entry in syntax::parse(BUILTIN).unwrap() {
            let phrase = entry.phrase.to_ascii_lowercase();
            assert_eq!(seen.insert(phrase, entry.role), None, "{}", entry.phrase);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_judged_without_panic_and_within_range(text in "\\PC{0,300}", at in 0usize..2000) {
            let entry = &Lexicon::builtin().phrases[at % Lexicon::builtin().len()];
            for text in [text.clone(), format!("{text}{}{text}", entry.text)] {
                if let Some(finding) = Lexicon::builtin().judge(&text, "") {
                    proptest::prop_assert!(finding.severity >= FLOOR && finding.severity <= 1.0);
                    proptest::prop_assert!(!finding.reason.is_empty());
                }
            }
        }

        #[test]
        fn capital_letters_do_not_matter(at in 0usize..2000) {
            let entry = &Lexicon::builtin().phrases[at % Lexicon::builtin().len()];
            let text = entry.text.replace('*', "x");
            let lower = Lexicon::builtin().judge(&text.to_ascii_lowercase(), "");
            let upper = Lexicon::builtin().judge(&text.to_ascii_uppercase(), "");
            proptest::prop_assert_eq!(lower, upper);
        }
    }

    #[test]
    fn rubbish_of_a_megabyte_is_judged_in_one_pass() {
        let text = "error failed timeout Buffer I/O error on dev sda ".repeat(20_000);
        assert!(severity(Lexicon::builtin(), &text) >= FAULT);
    }
}
