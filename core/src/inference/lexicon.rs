//! The lexicon: phrases of failure, weighed.
//!
//! All phrases are compiled into one automaton, which passes over a message once, however many phrases there are. What it
//! finds is then weighed: phrases by their own weight, words of failure together with each other and with the thing they
//! are said of, all of it against what explains it away. The file `lexicon.txt` says how it is written.

use std::sync::{Arc, LazyLock};

use aho_corasick::PatternID;
use rustc_hash::FxHashMap;

use super::scan::{Scanner, in_word};
use super::syntax::{self, Entry, LexiconError, Role};
use super::{Family, Finding, Inference};

/// The file that is built in.
const BUILTIN: &str = include_str!("lexicon.txt");
/// Most places of one message that are weighed; what comes later in it is not.
const HITS_MAX: usize = 64;
/// Most hidden stretches of one message.
const HIDDEN_MAX: usize = 8;
/// Most words of failure that count in one message.
const WORDS_MAX: usize = 8;
/// The widest gap between two parts of a phrase, bytes.
const GAP_MAX_BYTES: usize = 120;
/// The most that words of failure come to where they are said of nothing in particular.
const THINGLESS_MAX: f32 = 0.45;
/// Findings below this are not worth telling: no priority makes them a failure.
const FLOOR: f32 = 0.3;
/// The signs beside which a word is part of a name, a path or a setting, and says nothing.
const NAMING: &[u8] = b"_-/\\=@+$%";

/// Judges messages by the phrases in them.
///
/// Immutable once made, and cheap to share between threads behind an [`Arc`].
#[derive(Debug)]
pub struct Lexicon {
    scanner: Scanner,
    /// What each pattern is a part of; the uses of pattern `p` are those from `first[p]` to `first[p + 1]`.
    uses: Vec<Use>,
    first: Vec<u32>,
    /// Which patterns are words of failure or end a phrase; without any of them a message says nothing.
    telling: Vec<bool>,
    phrases: Vec<Phrase>,
}

/// A pattern as a part of a phrase.
#[derive(Debug, Clone, Copy)]
struct Use {
    phrase: u32,
    part: u8,
    /// Its last word may go on.
    open: bool,
}

/// An entry, compiled.
#[derive(Debug)]
struct Phrase {
    role: Role,
    weight: f32,
    /// As written, for the reason.
    text: Box<str>,
    parts: Box<[Part]>,
}

/// A part of a phrase, compiled.
#[derive(Debug, Clone, Copy)]
struct Part {
    pattern: PatternID,
    /// Its last word may go on.
    open: bool,
    /// Nothing but the rest of a word parts it from the part before.
    glued: bool,
}

/// A place where a pattern was found.
#[derive(Debug, Clone, Copy, Default)]
struct Hit {
    pattern: PatternID,
    start: u32,
    end: u32,
    border: Border,
}

/// What surrounds a hit.
#[derive(Debug, Clone, Copy, Default)]
struct Border {
    /// A word begins here.
    before: bool,
    /// A word ends here.
    after: bool,
    /// It is not part of a name, a path or a setting.
    bare: bool,
}

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
        let mut ids: FxHashMap<String, PatternID> = FxHashMap::default();
        let mut patterns: Vec<String> = Vec::new();
        let mut phrases = Vec::new();
        let mut uses: Vec<Vec<Use>> = Vec::new();
        for entry in entries {
            // Some parsers split at underscores: a template has blanks in their place.
            let forms: &[bool] = match entry.phrase.contains('_') {
                true => &[false, true],
                false => &[false],
            };
            for &split in forms {
                let mut parts = Vec::new();
                for (at, part) in syntax::parts(&entry.phrase).enumerate() {
                    let mut text = part.text.to_ascii_lowercase();
                    if split {
                        text = text.replace('_', " ");
                    }
                    let pattern = *ids.entry(text.clone()).or_insert_with(|| {
                        patterns.push(text);
                        uses.push(Vec::new());
                        PatternID::must(patterns.len() - 1)
                    });
                    uses[pattern.as_usize()].push(Use {
                        phrase: phrases.len() as u32,
                        part: at as u8,
                        open: part.open,
                    });
                    parts.push(Part {
                        pattern,
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
        let telling = |used: &Use| {
            let phrase: &Phrase = &phrases[used.phrase as usize];
            match phrase.role {
                Role::Word => true,
                Role::Phrase(_) => usize::from(used.part) + 1 == phrase.parts.len(),
                Role::Thing(_) | Role::Benign | Role::Hidden => false,
            }
        };
        let telling = uses.iter().map(|of| of.iter().any(telling)).collect();
        let mut first = vec![0];
        for of_pattern in &uses {
            first.push(first[first.len() - 1] + of_pattern.len() as u32);
        }
        Lexicon {
            scanner: Scanner::new(&patterns),
            uses: uses.concat(),
            first,
            telling,
            phrases,
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

    fn uses(&self, pattern: PatternID) -> &[Use] {
        let at = pattern.as_usize();
        &self.uses[self.first[at] as usize..self.first[at + 1] as usize]
    }

    /// What `text` says.
    fn read(&self, text: &str) -> Option<Finding> {
        let bytes = text.as_bytes();
        // Most messages have no hit: nothing is set up before the first.
        let mut hits: Option<[Hit; HITS_MAX]> = None;
        let mut count = 0;
        let mut telling = false;
        self.scanner.scan(bytes, |pattern, start, end| {
            if let Some(hit) = self.hit(bytes, pattern, start, end) {
                hits.get_or_insert([Hit::default(); HITS_MAX])[count] = hit;
                count += 1;
                telling |= self.telling[pattern.as_usize()];
            }
            count < HITS_MAX
        });
        if !telling {
            return None;
        }
        self.weigh(bytes, &hits?[..count])
    }

    /// The match as a hit, unless its borders allow none of its uses or it lies within a placeholder.
    fn hit(&self, text: &[u8], pattern: PatternID, start: usize, end: usize) -> Option<Hit> {
        let border = Border::of(text, start, end);
        let allowed = self
            .uses(pattern)
            .iter()
            .any(|used| self.allows(used, border));
        (allowed && !in_placeholder(text, start, end)).then_some(Hit {
            pattern,
            start: start as u32,
            end: end as u32,
            border,
        })
    }

    fn allows(&self, used: &Use, border: Border) -> bool {
        let bare = match self.phrases[used.phrase as usize].role {
            Role::Word | Role::Thing(_) => border.bare,
            Role::Phrase(_) | Role::Benign | Role::Hidden => true,
        };
        border.before && (border.after || used.open) && bare
    }

    fn weigh(&self, text: &[u8], hits: &[Hit]) -> Option<Finding> {
        let hidden = self.hidden(text, hits);
        let mut scale = Scale::default();
        for (at, hit) in hits.iter().enumerate() {
            for used in self.uses(hit.pattern) {
                let phrase = &self.phrases[used.phrase as usize];
                let last = usize::from(used.part) + 1 == phrase.parts.len();
                if phrase.role != Role::Hidden
                    && last
                    && self.allows(used, hit.border)
                    && self.chain(phrase, text, hits, at, &hidden).is_some()
                {
                    scale.put(phrase);
                }
            }
        }
        scale.finding()
    }

    /// The stretches of the text that are hidden; those not in use are empty.
    fn hidden(&self, text: &[u8], hits: &[Hit]) -> [(u32, u32); HIDDEN_MAX] {
        let mut stretches = [(0, 0); HIDDEN_MAX];
        let mut free = stretches.iter_mut();
        for (at, hit) in hits.iter().enumerate() {
            for used in self.uses(hit.pattern) {
                let phrase = &self.phrases[used.phrase as usize];
                let last = usize::from(used.part) + 1 == phrase.parts.len();
                if phrase.role == Role::Hidden
                    && last
                    && self.allows(used, hit.border)
                    && let Some(start) = self.chain(phrase, text, hits, at, &[])
                    && let Some(stretch) = free.next()
                {
                    *stretch = (start, hit.end);
                }
            }
        }
        stretches
    }

    /// Where the parts of `phrase` begin that end with the hit `at`, each the nearest before the next.
    fn chain(
        &self,
        phrase: &Phrase,
        text: &[u8],
        hits: &[Hit],
        at: usize,
        hidden: &[(u32, u32)],
    ) -> Option<u32> {
        let seen = |hit: &Hit| {
            !hidden
                .iter()
                .any(|&(start, end)| hit.start < end && start < hit.end)
        };
        let last = &hits[at];
        if !seen(last) {
            return None;
        }
        let mut start = last.start;
        for pair in phrase.parts.windows(2).rev() {
            let (part, next) = (pair[0], pair[1]);
            let hit = hits[..at]
                .iter()
                .rev()
                .filter(|hit| hit.pattern == part.pattern && hit.end <= start)
                .find(|hit| hit.border.before && (hit.border.after || part.open) && seen(hit))?;
            let gap = &text[hit.end as usize..start as usize];
            let near = match next.glued {
                true => gap.iter().copied().all(in_word),
                false => gap.len() <= GAP_MAX_BYTES,
            };
            if !near {
                return None;
            }
            start = hit.start;
        }
        Some(start)
    }
}

impl Inference for Lexicon {
    fn judge(&self, text: &str, template: &str) -> Option<Finding> {
        self.read(if text.is_empty() { template } else { text })
    }
}

impl Border {
    fn of(text: &[u8], start: usize, end: usize) -> Border {
        let before = start.checked_sub(1).map(|at| text[at]);
        let after = text.get(end).copied();
        // A sign at the end of a pattern is its own border.
        let ends = |inner: u8, outer: Option<u8>| !in_word(inner) || !outer.is_some_and(in_word);
        let naming = |sign: Option<u8>| sign.is_some_and(|sign| NAMING.contains(&sign));
        // A full stop ends a sentence, unless the name goes on behind it.
        let dotted = before == Some(b'.')
            || (after == Some(b'.') && text.get(end + 1).copied().is_some_and(in_word));
        Border {
            before: ends(text[start], before),
            after: ends(text[end - 1], after),
            bare: !naming(before) && !naming(after) && !dotted,
        }
    }
}

/// Whether the bytes from `start` to `end` are the name of a placeholder, as in `<:NUM:>`.
fn in_placeholder(text: &[u8], start: usize, end: usize) -> bool {
    text[..start].ends_with(b"<:") && text[end..].starts_with(b":>")
}

/// What has been found in a message, for and against.
#[derive(Default)]
struct Scale<'a> {
    phrase: Option<&'a Phrase>,
    thing: Option<&'a Phrase>,
    words: [Option<&'a Phrase>; WORDS_MAX],
    benign: f32,
}

impl<'a> Scale<'a> {
    fn put(&mut self, phrase: &'a Phrase) {
        let heavier = |than: Option<&Phrase>| than.is_none_or(|other| phrase.weight > other.weight);
        match phrase.role {
            Role::Phrase(_) if heavier(self.phrase) => self.phrase = Some(phrase),
            Role::Thing(_) if heavier(self.thing) => self.thing = Some(phrase),
            Role::Word => {
                let known = |word: &Option<&Phrase>| word.is_none_or(|w| w.text == phrase.text);
                if let Some(room) = self.words.iter_mut().find(|word| known(word)) {
                    *room = Some(phrase);
                }
            }
            Role::Benign => self.benign = self.benign.max(phrase.weight),
            _ => {}
        }
    }

    /// What the words come to: each makes up its share of what the others have left open.
    fn weak(&self) -> f32 {
        let open = |open: f32, phrase: &Phrase| open * (1.0 - phrase.weight);
        let words = self.words.iter().flatten().copied().fold(1.0, open);
        match self.thing {
            Some(thing) if words < 1.0 => 1.0 - open(words, thing),
            _ => (1.0 - words).min(THINGLESS_MAX),
        }
    }

    fn finding(&self) -> Option<Finding> {
        let weak = self.weak();
        let finding = match self.phrase {
            Some(phrase) if phrase.weight >= weak => Finding {
                severity: phrase.weight,
                family: phrase.role.family(),
                reason: format!("\"{}\"", phrase.text),
            },
            _ if weak < FLOOR => return None,
            _ => Finding {
                severity: weak,
                family: self
                    .thing
                    .map_or(Family::Service, |thing| thing.role.family()),
                reason: self.words(),
            },
        };
        (finding.severity >= FLOOR && finding.severity > self.benign).then_some(finding)
    }

    /// The words found and what they are said of, in words.
    fn words(&self) -> String {
        let mut said = String::new();
        for word in self.words.iter().flatten() {
            let and = if said.is_empty() { "" } else { " and " };
            said += &format!("{and}\"{}\"", word.text);
        }
        if let Some(thing) = self.thing {
            said += &format!(" said of \"{}\"", thing.text);
        }
        said
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::FAULT;

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
