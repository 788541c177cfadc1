//! Compiles the entries of a lexicon into scanner patterns, symbols and weighted phrases.

use rustc_hash::FxHashMap;

use super::lexicon::Lexicon;
use super::normal::Numbers;
use super::numeric;
use super::opaque::Names;
use super::phrase::{Meaning, Part, Phrase};
use super::scan::Scanner;
use super::sources::Sources;
use super::syntax::{self, File, Gap, Role};
use super::words::in_word;

/// What two symbols must not share: its words, how they may continue, and where they count.
type Key = (Vec<(String, bool)>, bool);

/// Collects patterns and symbols.
#[derive(Default)]
struct Symbols {
    by_key: FxHashMap<Key, u32>,
    patterns: FxHashMap<String, usize>,
    /// Each with whether it may continue.
    texts: Vec<(String, bool)>,
    meanings: Vec<Vec<Meaning>>,
    numbers: Numbers,
    numeric: numeric::Builder,
}

impl Symbols {
    /// The symbol for any of these words, each with whether it may continue. `bare`: not within a name, a path or a setting.
    fn symbol(&mut self, words: Vec<(String, bool)>, bare: bool) -> u32 {
        let next = self.by_key.len() as u32;
        let key = (words, bare);
        if let Some(&known) = self.by_key.get(&key) {
            return known;
        }
        for (word, open) in &key.0 {
            // Some parsers split at underscores, so templates have spaces in their place.
            let split = word.replace('_', " ");
            let forms = [Some(word.clone()), (split != *word).then_some(split)];
            for mut form in forms.into_iter().flatten() {
                self.numbers.collect(&form, *open);
                self.numeric.add(next, &form);
                // The scanner looks only where words begin.
                let prefix = form.bytes().take_while(|&byte| !in_word(byte)).count();
                let pattern = form.split_off(prefix);
                if pattern.len() < 2 {
                    continue;
                }
                let at = *self.patterns.entry(pattern.clone()).or_insert_with(|| {
                    self.texts.push((pattern, false));
                    self.meanings.push(Vec::new());
                    self.texts.len() - 1
                });
                self.texts[at].1 |= *open;
                let meaning = Meaning {
                    symbol: next,
                    open: *open,
                    bare,
                    prefix: form.into_bytes().into(),
                };
                if !self.meanings[at].contains(&meaning) {
                    self.meanings[at].push(meaning);
                }
            }
        }
        self.by_key.insert(key, next);
        next
    }
}

/// Groups of words that stand for each other.
struct Alike<'a> {
    groups: &'a [Vec<String>],
    by_first: FxHashMap<&'a str, Vec<(usize, &'a str)>>,
}

impl<'a> Alike<'a> {
    fn new(groups: &'a [Vec<String>]) -> Self {
        let mut by_first: FxHashMap<&str, Vec<(usize, &str)>> = FxHashMap::default();
        for (group, words) in groups.iter().enumerate() {
            for word in words {
                let first = word.split(' ').next().unwrap_or(word);
                by_first.entry(first).or_default().push((group, word));
            }
        }
        for members in by_first.values_mut() {
            members.sort_by_key(|(_, word)| std::cmp::Reverse(word.len()));
        }
        Self { groups, by_first }
    }

    /// The group of the longest member at the beginning of `parts`, and of how many parts it consists.
    fn find(&self, parts: &[syntax::Part]) -> Option<(usize, usize)> {
        let members = self.by_first.get(parts[0].text.as_str())?;
        members.iter().find_map(|&(group, member)| {
            let words = member.split(' ').count();
            let fits = words <= parts.len()
                && member
                    .split(' ')
                    .zip(parts)
                    .enumerate()
                    .all(|(at, (word, part))| {
                        part.text == word && !part.open && (at == 0 || part.gap == Gap::Small)
                    })
                && parts.get(words).is_none_or(|next| next.gap != Gap::Glued);
            fits.then_some((group, words))
        })
    }

    fn members(&self, group: usize) -> Vec<(String, bool)> {
        let member = |word: &String| match word.strip_suffix('*') {
            Some(word) => (word.to_owned(), true),
            None => (word.clone(), false),
        };
        self.groups[group].iter().map(member).collect()
    }
}

impl Lexicon {
    /// Compiles a lexicon, no two entries of which have the same phrase, role and classes.
    pub(super) fn compile(file: File) -> Lexicon {
        let alike = Alike::new(&file.alike);
        let mut symbols = Symbols::default();
        let mut phrases = Vec::new();
        for entry in &file.entries {
            let bare = !matches!(entry.role, Role::Benign | Role::Routine | Role::Hidden);
            let grouped = entry.role.is_loose();
            let written = &entry.parts;
            let mut parts = Vec::new();
            let mut at = 0;
            while at < written.len() {
                let part = &written[at];
                let group = alike
                    .find(&written[at..])
                    .filter(|_| grouped && part.gap != Gap::Glued);
                let (words, used) = match group {
                    Some((group, used)) => (alike.members(group), used),
                    None => (vec![(part.text.clone(), part.open)], 1),
                };
                parts.push(Part {
                    symbol: symbols.symbol(words, bare),
                    gap: part.gap,
                });
                at += used;
            }
            phrases.push(Phrase {
                role: entry.role,
                weight: entry.weight,
                tentative: entry.tentative,
                classes: entry.classes,
                text: entry.phrase.as_str().into(),
                parts: parts.into(),
            });
        }
        let count = symbols.by_key.len();
        let mut frequency = vec![0_u32; count];
        for part in phrases.iter().flat_map(|phrase| &phrase.parts) {
            frequency[part.symbol as usize] += 1;
        }
        // A phrase is looked for where its rarest word is found.
        let mut by_symbol: Vec<Vec<u32>> = vec![Vec::new(); count];
        for (index, phrase) in phrases.iter().enumerate() {
            let rarest = phrase.parts.iter().map(|part| part.symbol as usize);
            let rarest = rarest.min_by_key(|&symbol| frequency[symbol]);
            by_symbol[rarest.expect("a phrase has parts")].push(index as u32);
        }
        let indicates = |phrase: &u32| {
            let role = phrases[*phrase as usize].role;
            matches!(role, Role::Phrase(_) | Role::Word | Role::Report)
        };
        let indicative = by_symbol
            .iter()
            .map(|of_symbol| of_symbol.iter().any(indicates))
            .collect();
        // Where names stand may depend on a number, too.
        for rule in &file.names {
            symbols.numbers.collect(&rule.before, false);
            symbols.numbers.collect(&rule.after, false);
        }
        Lexicon {
            numbers: symbols.numbers,
            numeric: symbols.numeric.build(&phrases, &frequency),
            scanner: Scanner::new(&symbols.texts),
            meanings: symbols.meanings,
            by_symbol,
            indicative,
            phrases,
            names: Names::new(file.names),
            sources: Sources::new(&file.programs),
        }
    }
}
