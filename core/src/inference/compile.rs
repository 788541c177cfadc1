//! Compiles the entries of a lexicon into scanner patterns and weighted phrases.

use rustc_hash::FxHashMap;

use super::lexicon::Lexicon;
use super::numbers::NumberCollector;
use super::phrase::{Part, Pattern, Phrase, Use, bit};
use super::scan::Scanner;
use super::syntax::{self, Entry, Role};
use super::words::in_word;

impl Lexicon {
    /// Compiles `entries`, no two of which have the same phrase.
    pub(super) fn compile(entries: &[Entry]) -> Lexicon {
        let mut index: FxHashMap<String, usize> = FxHashMap::default();
        let mut texts: Vec<String> = Vec::new();
        let mut uses: Vec<Vec<Use>> = Vec::new();
        let mut phrases = Vec::new();
        let mut collector = NumberCollector::default();
        for entry in entries {
            // Some parsers split at underscores, so templates have spaces in their place.
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
                    collector.collect(&text, part.open);
                    // The scanner looks only where words begin.
                    let prefix = text.bytes().take_while(|&byte| !in_word(byte)).count();
                    let pattern = text.split_off(prefix);
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
                        prefix: text.into_bytes().into(),
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
        // A sentinel: the uses of the last pattern end here.
        patterns.push(Pattern::new(first_use, &[], &phrases));
        let (numbers, number_words) = collector.into_parts();
        Lexicon {
            scanner: Scanner::new(&texts),
            patterns,
            uses: uses.concat(),
            phrases,
            numbers,
            number_words: number_words.as_deref().map(Scanner::new),
        }
    }
}
