//! The lexicon: weighted phrases of failure.
//!
//! A single pass over a message finds the words of all phrases, however many there are (`reading.rs`). Phrases count where their
//! words stand in their order, close to each other, in a message from a source that they are declared for. They are then scored
//! (`scoring.rs`): a phrase counts by its own weight; words of failure add up, together with the thing they refer to; benign
//! context outweighs both. The file `data/common.txt` describes the syntax of lexicon files.

use std::sync::{Arc, LazyLock};

use rustc_hash::FxHashSet;

use super::Inference;
use super::finding::Reading;
use super::message::Message;
use super::normal::Numbers;
use super::numeric::Numeric;
use super::opaque::Names;
use super::phrase::{Meaning, Phrase};
use super::scan::Scanner;
use super::sources::Sources;
use super::syntax::{self, File, LexiconError};

/// The built-in lexicon files.
pub(super) const BUILTIN: &[&str] = &[
    include_str!("data/sources.txt"),
    include_str!("data/names.txt"),
    include_str!("data/common.txt"),
    include_str!("data/kernel.txt"),
    include_str!("data/storage.txt"),
    include_str!("data/network.txt"),
    include_str!("data/hardware.txt"),
    include_str!("data/vmm.txt"),
    include_str!("data/cluster.txt"),
    include_str!("data/init.txt"),
];

/// Classifies messages by the phrases in them.
///
/// Immutable, and cheap to share between threads behind an [`Arc`].
#[derive(Debug)]
pub struct Lexicon {
    pub(super) scanner: Scanner,
    /// What each pattern of the scanner stands for.
    pub(super) meanings: Vec<Vec<Meaning>>,
    /// The phrases that are looked for where a symbol is found.
    pub(super) by_symbol: Vec<Vec<u32>>,
    /// By symbol: without any of these in a message, it has no finding.
    pub(super) indicative: Vec<bool>,
    pub(super) phrases: Vec<Phrase>,
    pub(super) names: Names,
    pub(super) sources: Sources,
    pub(super) numbers: Numbers,
    pub(super) numeric: Numeric,
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
    /// ones get the site's weight and sources, and the weight 0 removes a phrase.
    ///
    /// # Errors
    /// A line that does not follow the syntax that `common.txt` describes.
    pub fn with_site_file(text: &str) -> Result<Lexicon, LexiconError> {
        let mut all = File::default();
        for file in BUILTIN {
            all.append(syntax::parse(file)?);
        }
        Ok(Self::extended(all, syntax::parse(text)?))
    }

    /// Builds a lexicon from these files; later ones override earlier ones.
    ///
    /// # Errors
    /// As for [`Lexicon::with_site_file`].
    pub fn of_files(files: &[&str]) -> Result<Lexicon, LexiconError> {
        let mut all = File::default();
        for text in files {
            all.append(syntax::parse(text)?);
        }
        Ok(Self::extended(File::default(), all))
    }

    /// The lexicon of `all`, in which what has the same phrase as an entry of `site` is replaced by that.
    fn extended(mut all: File, site: File) -> Lexicon {
        let written: FxHashSet<String> = site
            .entries
            .iter()
            .map(|entry| entry.phrase.to_ascii_lowercase())
            .collect();
        all.entries
            .retain(|entry| !written.contains(&entry.phrase.to_ascii_lowercase()));
        all.append(site);
        let removed: FxHashSet<String> = all
            .entries
            .iter()
            .filter(|entry| entry.weight <= 0.0)
            .map(|entry| entry.phrase.to_ascii_lowercase())
            .collect();
        all.entries
            .retain(|entry| !removed.contains(&entry.phrase.to_ascii_lowercase()));
        Self::compile(all)
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
    fn read(&self, message: &Message<'_>) -> Reading {
        let text = match message.text.is_empty() {
            true => message.template,
            false => message.text,
        };
        self.read_text(message, text)
    }

    fn normalize(&self, text: &str, into: &mut Vec<u8>) {
        self.numbers.normalize(text.as_bytes(), into);
    }

    fn ignores_numbers(&self, text: &str) -> bool {
        self.has_no_numeric_phrase(text.as_bytes())
    }
}
