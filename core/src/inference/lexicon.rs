//! The lexicon: weighted phrases of failure.
//!
//! A single pass over a message finds all phrases, however many there are (`reading.rs`). The matches are then scored
//! (`scoring.rs`): a phrase counts by its own weight; words of failure add up, together with the thing they refer to; benign
//! context outweighs both. The file `lexicon.txt` describes its own syntax.

use std::sync::{Arc, LazyLock};

use rustc_hash::FxHashMap;

use super::Inference;
use super::finding::Finding;
use super::numbers::Numbers;
use super::phrase::{Pattern, Phrase, Use};
use super::scan::Scanner;
use super::syntax::{self, Entry, LexiconError};

/// The built-in lexicon file.
const BUILTIN: &str = include_str!("lexicon.txt");

/// Classifies messages by the phrases in them.
///
/// Immutable, and cheap to share between threads behind an [`Arc`].
#[derive(Debug)]
pub struct Lexicon {
    pub(super) scanner: Scanner,
    pub(super) patterns: Vec<Pattern>,
    /// The phrases that each pattern is part of, grouped by pattern.
    pub(super) uses: Vec<Use>,
    pub(super) phrases: Vec<Phrase>,
    pub(super) numbers: Numbers,
    /// Finds the words that accompany numbers in phrases. Without any of them in a message, no number matters. `None` if some
    /// phrase with a number has no such word.
    pub(super) number_words: Option<Scanner>,
}

impl Lexicon {
    /// The built-in lexicon.
    pub fn builtin() -> &'static Arc<Lexicon> {
        static BUILT: LazyLock<Arc<Lexicon>> = LazyLock::new(|| {
            Arc::new(Lexicon::with_site_file("").expect("the built-in lexicon is well-formed"))
        });
        &BUILT
    }

    /// The built-in lexicon, extended by a site's own file. `text` is the content of that file: new phrases are added, existing
    /// ones get the site's weight, and the weight 0 removes a phrase.
    ///
    /// # Errors
    /// A line that does not follow the syntax that `lexicon.txt` describes.
    pub fn with_site_file(text: &str) -> Result<Lexicon, LexiconError> {
        Self::of_files(&[BUILTIN, text])
    }

    /// Builds a lexicon from these files; later ones override earlier ones.
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

    /// Number of phrases, words and things.
    pub fn len(&self) -> usize {
        self.phrases.len()
    }

    /// Whether it has no entries.
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

    fn depends_on_numbers(&self, masked: &str) -> bool {
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
    use crate::inference::scoring::FLOOR;
    use crate::inference::{FAULT, Family};

    /// The lexicon extended by a site's file.
    pub fn site(file: &str) -> Lexicon {
        Lexicon::with_site_file(file).unwrap()
    }

    /// The severity of `text`; 0 without a finding.
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
    fn numbers_matter_only_beside_words_of_phrases_that_contain_numbers() {
        let lexicon = Lexicon::builtin();
        for (masked, depends) in [
            ("session <:NUM:> opened for user root(uid=<:NUM:>)", false),
            ("<:IP:> logged in on port <:NUM:>", false),
            ("Errors: <:NUM:>", true),
            ("qemu[<:NUM:>]: terminating on signal <:NUM:>", true),
        ] {
            assert_eq!(lexicon.depends_on_numbers(masked), depends, "{masked}");
        }
        let without_words = site("[storage]\n0.9 (7/\n");
        assert!(without_words.depends_on_numbers("session <:NUM:>"));
    }

    #[test]
    fn the_template_is_classified_if_there_is_no_text() {
        let lexicon = Lexicon::builtin();
        assert!(lexicon.judge("", "Buffer I/O error on dev <:*:>").is_some());
        assert!(
            lexicon
                .judge("all is well", "Buffer I/O error on dev <:*:>")
                .is_none()
        );
    }

    #[test]
    fn a_site_file_changes_adds_and_removes_phrases() {
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
    fn an_error_in_a_site_file_names_its_line() {
        let error = Lexicon::with_site_file("[storage]\n0.5 fine\nbad line\n").unwrap_err();
        assert_eq!(error.line, 3);
    }

    #[test]
    fn no_phrase_of_the_built_in_lexicon_is_there_twice() {
        let mut seen = FxHashMap::default();
        for entry in syntax::parse(BUILTIN).unwrap() {
            let phrase = entry.phrase.to_ascii_lowercase();
            assert_eq!(seen.insert(phrase, entry.role), None, "{}", entry.phrase);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_classified_without_panic_and_within_range(text in "\\PC{0,300}", at in 0usize..2000) {
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
