//! The lexicon: phrases of failure, weighed.
//!
//! All phrases are looked for in one pass over a message, however many phrases there are. What is found is then weighed:
//! All phrases are looked for in one pass over a message, however many phrases there are (`reading.rs`). What is found is then
//! weighed (`scale.rs`): phrases by their own weight, words of failure together with each other and with the thing they are said
//! of, all of it against what explains it away. The file `lexicon.txt` says how it is written.

use std::sync::{Arc, LazyLock};

use rustc_hash::FxHashMap;

use super::numbers::Numbers;
use super::phrase::{Pattern, Phrase, Use};
use super::scan::Scanner;
use super::syntax::{self, Entry, LexiconError};
use super::{Finding, Inference};

/// The file that is built in.
const BUILTIN: &str = include_str!("lexicon.txt");

/// Judges messages by the phrases in them.
///
/// Immutable once made, and cheap to share between threads behind an [`Arc`].
#[derive(Debug)]
pub struct Lexicon {
    pub(super) scanner: Scanner,
    pub(super) patterns: Vec<Pattern>,
    /// What the patterns are parts of, pattern by pattern.
    pub(super) uses: Vec<Use>,
    pub(super) phrases: Vec<Phrase>,
    pub(super) numbers: Numbers,
    /// Finds the words without which no number makes a difference; `None` where there is a phrase that has no such word.
    pub(super) number_words: Option<Scanner>,
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

    /// The number of phrases, words and things.
    pub fn len(&self) -> usize {
        self.phrases.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.phrases.is_empty()
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
pub(super) mod tests {
    use super::*;
    use crate::inference::scale::FLOOR;
    use crate::inference::{FAULT, Family};

    /// The lexicon with a site's file.
    pub fn site(file: &str) -> Lexicon {
        Lexicon::with_site_file(file).unwrap()
    }

    /// How severe what `text` says is, 0 where it says nothing.
    pub fn severity(lexicon: &Lexicon, text: &str) -> f32 {
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
}
