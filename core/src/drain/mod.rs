//! Drain: which template a line of a log was printed by, found online.
//!
//! He et al., "Drain: An Online Log Parsing Approach with Fixed Depth Tree", ICWS 2017, with what Drain3 added: masks before
//! parsing, extra delimiters, a limit of clusters with eviction of the one not seen for longest, parameters by position,
//! seeds and snapshots. Same lines and options give the clusters that Drain3 0.9.11 gives, in the same order.
//!
//! A line is masked ([`DrainOptions::builtin_masks`], [`DrainOptions::masks`]), split into words, and led by their number
//! and the first words to a leaf of the prefix tree. Of the clusters there, that with the most words in common gets the line
//! if they are enough, and where they differ its template says so from then on; else the line is the first of a new cluster.

mod builtin;
mod candidates;
mod clusters;
mod lines;
mod mask;
mod options;
#[cfg(test)]
mod plain;
mod postings;
mod state;
#[cfg(test)]
mod tests;
mod tokens;
mod tree;

use std::hash::{BuildHasher as _, BuildHasherDefault};

use rustc_hash::FxHasher;
use serde::{Deserialize, Serialize};

use self::clusters::Clusters;
use self::lines::Lines;
use self::mask::Masks;
use self::postings::Postings;
use self::tokens::{PARAMETER, Separators, Tokens};
use self::tree::{Leaf, Tree};
use crate::options::OptionError;

pub use options::{BuiltinMasks, DrainOptions};
pub use state::State;

/// What stands in a template where its lines differ.
pub const PARAMETER_TEXT: &str = tokens::PARAMETER_TEXT;

/// What a line did to the clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It was one more of a cluster, whose template fits it.
    None,
    /// It is the first of a new cluster.
    New,
    /// It was one more of a cluster, whose template has fewer words of its own since.
    Template,
}

/// What [`Miner::add`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Added {
    /// The id of the line's cluster: from 1 on in the order of creation, never used again.
    pub cluster: u64,
    /// What the line did to the clusters.
    pub change: Change,
}

/// A cluster of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClusterView<'a> {
    /// The cluster's id.
    pub id: u64,
    /// How many lines it has had.
    pub size: u64,
    /// The template.
    pub template: &'a str,
}

/// What there is and what there was.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statistics {
    /// Lines added.
    pub lines: u64,
    /// Clusters that there are.
    pub clusters: u64,
    /// Clusters that were ever created, seeds too.
    pub created: u64,
    /// Clusters that had to make room for others.
    pub evicted: u64,
    /// Templates that lost words.
    pub changed: u64,
    /// About how many bytes of memory are in use.
    pub bytes: u64,
}

/// Finds the templates of log lines.
#[derive(Debug, Clone)]
pub struct Miner {
    options: DrainOptions,
    masks: Masks,
    separators: Separators,
    tokens: Tokens,
    tree: Tree,
    clusters: Clusters,
    postings: Postings,
    lines: Lines,
    statistics: Statistics,
    /// The last line, masked.
    masked: String,
    /// Whether a placeholder in it may stand for words.
    words_masked: bool,
    /// Room to work in: text while it is masked, where the words are, their numbers.
    spare: String,
    words: Vec<(usize, usize)>,
    line: Vec<u32>,
}

impl Miner {
    /// A miner that knows no template yet.
    ///
    /// # Errors
    /// Options that are wrong or contradict each other.
    pub fn new(options: DrainOptions) -> Result<Self, OptionError> {
        options.validate()?;
        Ok(Self {
            masks: Masks::new(&options)?,
            separators: Separators::new(&options.extra_delimiters),
            tokens: Tokens::new(),
            tree: Tree::new(
                options.depth,
                options.max_children,
                options.parametrize_numeric_tokens,
            ),
            clusters: Clusters::new(),
            postings: Postings::default(),
            lines: Lines::new(options.max_bytes / 8),
            statistics: Statistics::default(),
            masked: String::new(),
            words_masked: false,
            spare: String::new(),
            words: Vec::new(),
            line: Vec::new(),
            options,
        })
    }

    /// The options that this was made with.
    pub fn options(&self) -> &DrainOptions {
        &self.options
    }

    /// Finds the cluster of a line and adds the line to it.
    pub fn add(&mut self, line: &str) -> Added {
        self.statistics.lines += 1;
        let mut masked = std::mem::take(&mut self.masked);
        self.words_masked = self
            .masks
            .apply(self.within(line), &mut masked, &mut self.spare);
        self.masked = masked;
        let hash = BuildHasherDefault::<FxHasher>::default().hash_one(&*self.masked);
        if let Some(known) = self.lines.find(hash, &self.masked)
            && self.clusters.get(known.slot).id == known.cluster
            && self.tree.versions(known.leaf) == known.versions
        {
            self.clusters.seen(known.slot);
            return Added {
                cluster: known.cluster,
                change: Change::None,
            };
        }
        self.split();
        let leaf = self.tree.search(&self.line);
        let Some((leaf, slot)) = leaf.and_then(|leaf| Some((leaf, self.most_similar(leaf)?)))
        else {
            return self.create();
        };
        let change = self.generalise(slot);
        self.clusters.seen(slot);
        let cluster = self.clusters.get(slot).id;
        if change == Change::None {
            let versions = self.tree.versions(leaf);
            self.lines
                .keep(hash, &self.masked, (slot, cluster), leaf, versions);
        }
        Added { cluster, change }
    }

    /// The cluster whose template fits a line word by word, without learning from the line.
    pub fn find(&self, line: &str) -> Option<u64> {
        let (mut masked, mut spare) = (String::new(), String::new());
        self.masks.apply(self.within(line), &mut masked, &mut spare);
        let numbers: Vec<u32> = self
            .separators
            .words(&masked)
            .take(self.options.max_tokens)
            .map(|(from, to)| self.tokens.number(&masked[from..to]))
            .collect();
        let leaf = self.tree.search(&numbers)?;
        let mut best: Option<(usize, u64)> = None;
        for &slot in self.tree.clusters(leaf.node) {
            let cluster = self.clusters.get(slot);
            let (same, parameters) = common(&cluster.template, &numbers);
            if same + parameters == numbers.len() && best.is_none_or(|(most, _)| parameters > most)
            {
                best = Some((parameters, cluster.id));
            }
        }
        best.map(|(_, id)| id)
    }

    /// The masked text of the line added last.
    pub fn masked(&self) -> &str {
        &self.masked
    }

    /// `line`, which was added last, with placeholders for its values as far as those have no words in them: identifiers,
    /// addresses and numbers. Where a placeholder may stand for words, that of a command or of one of the user's own masks,
    /// the line as it is.
    pub(crate) fn masked_values<'a>(&'a self, line: &'a str) -> &'a str {
        let whole = line.len() <= self.options.max_line_bytes;
        if self.words_masked || !whole {
            line
        } else {
            &self.masked
        }
    }

    /// The template of a cluster, or `None` where there is no such cluster (any more).
    pub fn template(&self, cluster: u64) -> Option<&str> {
        let slot = self.clusters.slot(cluster)?;
        Some(self.clusters.text(slot, &self.tokens))
    }

    /// How many lines a cluster has had, or `None` where there is no such cluster (any more).
    pub fn size(&self, cluster: u64) -> Option<u64> {
        let slot = self.clusters.slot(cluster)?;
        Some(self.clusters.get(slot).size)
    }

    /// What stands in `line` where the template of `cluster` has placeholders, in their order; empty where the template does
    /// not fit the line.
    pub fn parameters<'a>(&self, cluster: u64, line: &'a str) -> Vec<&'a str> {
        let Some(slot) = self.clusters.slot(cluster) else {
            return Vec::new();
        };
        let template = &self.clusters.get(slot).template;
        let line = self.within(line);
        let (masked, spans) = self.masks.spans(line);
        let words: Vec<_> = self
            .separators
            .words(&masked)
            .take(self.options.max_tokens)
            .collect();
        let fits = template.len() == words.len()
            && template.iter().zip(&words).all(|(&word, &(from, to))| {
                word == PARAMETER || self.tokens.text(word) == &masked[from..to]
            });
        if !fits {
            return Vec::new();
        }
        let mut values = Vec::new();
        for (&word, &(from, to)) in template.iter().zip(&words) {
            if word == PARAMETER {
                let (from, to) = (
                    mask::origin(&spans, from, false),
                    mask::origin(&spans, to, true),
                );
                values.push(&line[from..to]);
            } else {
                let first = spans.partition_point(|s| s.masked < from);
                let within = spans[first..].iter().take_while(|s| s.masked < to);
                values.extend(within.map(|s| &line[s.from..s.to]));
            }
        }
        values
    }

    /// All clusters, from that not seen for longest on.
    pub fn clusters(&self) -> impl Iterator<Item = ClusterView<'_>> + '_ {
        self.clusters.by_age().map(|slot| {
            let cluster = self.clusters.get(slot);
            ClusterView {
                id: cluster.id,
                size: cluster.size,
                template: self.clusters.text(slot, &self.tokens),
            }
        })
    }

    /// Adds a template to start from, as [`Miner::template`] shows it, and gives the id of its cluster; where there is a
    /// cluster with that very template already, its id. Sample lines are seeds, too: add them as any other.
    pub fn seed(&mut self, template: &str) -> u64 {
        self.masked.clear();
        let mut masked = std::mem::take(&mut self.masked);
        masked.push_str(self.within(template));
        self.masked = masked;
        self.split();
        let same = self.tree.search(&self.line).and_then(|leaf| {
            let mut there = self.tree.clusters(leaf.node).iter();
            there.find(|&&slot| *self.clusters.get(slot).template == *self.line)
        });
        match same {
            Some(&slot) => self.clusters.get(slot).id,
            None => self.create_sized(0).cluster,
        }
    }

    /// What there is and what there was.
    pub fn statistics(&self) -> Statistics {
        Statistics {
            clusters: self.clusters.len() as u64,
            bytes: self.bytes() as u64,
            ..self.statistics
        }
    }

    /// About how much memory is in use, in bytes; at most the option `max_bytes`, unless a single cluster takes more.
    pub fn bytes(&self) -> usize {
        self.tokens.bytes()
            + self.tree.bytes()
            + self.clusters.bytes()
            + self.postings.bytes()
            + self.lines.bytes()
    }

    /// What of a line is looked at.
    #[inline]
    fn within<'a>(&self, line: &'a str) -> &'a str {
        let limit = self.options.max_line_bytes;
        if line.len() <= limit {
            return line;
        }
        // A character has at most four bytes.
        let end = (limit - 3..=limit)
            .rev()
            .find(|&at| line.is_char_boundary(at));
        &line[..end.unwrap_or(0)]
    }

    /// Splits the masked line into words and looks up their numbers.
    fn split(&mut self) {
        self.words.clear();
        self.line.clear();
        let words = self.separators.words(&self.masked);
        for (from, to) in words.take(self.options.max_tokens) {
            self.words.push((from, to));
            self.line.push(self.tokens.number(&self.masked[from..to]));
        }
    }

    /// The cluster of a leaf that has the most words in common with the line, if they are enough: of several, that with
    /// more parameters; of several again, the oldest.
    fn most_similar(&self, leaf: Leaf) -> Option<u32> {
        let there = self.tree.clusters(leaf.node);
        let words = self.line.len();
        if words == 0 {
            return there.front().copied();
        }
        let least = self.least(words);
        let mut best: Option<(usize, usize, u64, u32)> = None;
        let (clusters, line) = (&self.clusters, &self.line);
        let mut consider = |slot: u32| {
            let cluster = clusters.get(slot);
            if cluster.leaf != leaf.node || cluster.template.len() != line.len() {
                return;
            }
            let (same, parameters) = common(&cluster.template, line);
            let better = best.is_none_or(|(most, more, id, _)| {
                (same, parameters) > (most, more)
                    || (same, parameters) == (most, more) && cluster.id < id
            });
            if same >= least && better {
                best = Some((same, parameters, cluster.id, slot));
            }
        };
        if there.len() <= postings::SCANNED || least == 0 {
            there.iter().for_each(|&slot| consider(slot));
        } else {
            self.postings.candidates(leaf.node, line, &mut consider);
        }
        best.map(|(.., slot)| slot)
    }

    /// How many of so many words two lines have to have in common.
    #[inline]
    fn least(&self, words: usize) -> usize {
        let guess = (self.options.sim_th * words as f64) as usize;
        let enough = |same: &usize| *same as f64 / words as f64 >= self.options.sim_th;
        (guess.saturating_sub(1)..words)
            .find(enough)
            .unwrap_or(words)
    }

    /// Makes the template of a cluster fit the line.
    fn generalise(&mut self, slot: u32) -> Change {
        let mut change = Change::None;
        for position in 0..self.line.len() {
            let word = self.clusters.get(slot).template[position];
            if word == self.line[position] || word == PARAMETER {
                continue;
            }
            self.tokens.hold_again(PARAMETER);
            let old = self
                .clusters
                .set_word(slot, position, PARAMETER, &self.tokens);
            self.tokens.release(old);
            change = Change::Template;
        }
        if change == Change::Template {
            self.statistics.changed += 1;
            self.tree.changed(self.clusters.get(slot).leaf);
        }
        change
    }

    /// Makes a cluster of the line.
    fn create(&mut self) -> Added {
        self.create_sized(1)
    }

    fn create_sized(&mut self, size: u64) -> Added {
        while self.clusters.len() >= self.options.max_clusters {
            self.evict_oldest();
        }
        for (number, &(from, to)) in self.line.iter_mut().zip(&self.words) {
            // A word that was known may have gone with a cluster just now.
            *number = self.tokens.hold(&self.masked[from..to]);
        }
        self.statistics.created += 1;
        let id = self.statistics.created;
        let template: Box<[u32]> = self.line.as_slice().into();
        self.place(id, size, template);
        self.make_room();
        Added {
            cluster: id,
            change: Change::New,
        }
    }

    /// Puts a cluster, whose words are in use already, into the tree.
    fn place(&mut self, id: u64, size: u64, template: Box<[u32]>) -> u32 {
        let leaf = self.tree.leaf_for(&template, &mut self.tokens).node;
        let slot = self.clusters.add(id, size, template, leaf, &self.tokens);
        self.attach(slot);
        slot
    }

    /// Adds a cluster to its leaf, and to the postings where the leaf has that many.
    fn attach(&mut self, slot: u32) {
        let leaf = self.clusters.get(slot).leaf;
        self.tree.add(leaf, slot);
        let there = self.tree.clusters(leaf).len();
        if there == postings::SCANNED + 1 {
            for at in 0..there {
                self.post(self.tree.clusters(leaf)[at]);
            }
        } else if there > postings::SCANNED {
            self.post(slot);
        }
    }

    /// Adds a cluster to the postings.
    fn post(&mut self, slot: u32) {
        let cluster = self.clusters.get(slot);
        let least = self.least(cluster.template.len()).max(1);
        self.postings
            .add(cluster.leaf, slot, &cluster.template, least);
    }

    fn evict_oldest(&mut self) {
        let Some(slot) = self.clusters.oldest() else {
            return;
        };
        self.tree.remove(self.clusters.get(slot).leaf, slot);
        for &word in &self.clusters.remove(slot) {
            self.tokens.release(word);
        }
        self.statistics.evicted += 1;
        if self.postings.len() > 2 * self.clusters.words() + 1024 {
            self.rebuild_postings();
        }
    }

    fn rebuild_postings(&mut self) {
        self.postings.clear();
        let slots: Vec<u32> = self.clusters.by_age().collect();
        for slot in slots {
            let leaf = self.clusters.get(slot).leaf;
            if self.tree.clusters(leaf).len() > postings::SCANNED {
                self.post(slot);
            }
        }
    }

    /// Keeps within the memory allowed: by forgetting clusters, and nodes of the tree that lead to none.
    fn make_room(&mut self) {
        let limit = self.options.max_bytes;
        while self.bytes() > limit && self.clusters.len() > 1 {
            self.evict_oldest();
        }
        // The tree keeps nodes whose clusters are gone; it must not squeeze out the clusters.
        while self.tree.bytes() > limit / 4 {
            for _ in 0..self.clusters.len() / 2 {
                self.evict_oldest();
            }
            self.rebuild_tree();
            if self.clusters.len() <= 1 {
                break;
            }
        }
    }

    /// Makes the tree anew, of the clusters that there are.
    fn rebuild_tree(&mut self) {
        self.lines.clear();
        self.postings.clear();
        self.tree.clear(&mut self.tokens);
        let mut slots: Vec<u32> = self.clusters.by_age().collect();
        slots.sort_unstable_by_key(|&slot| self.clusters.get(slot).id);
        for slot in slots {
            let template = &self.clusters.get(slot).template;
            let leaf = self.tree.leaf_for(template, &mut self.tokens).node;
            self.clusters.set_leaf(slot, leaf);
            self.attach(slot);
        }
    }
}

/// How many words a template has in common with a line as long, and how many parameters it has.
#[inline]
fn common(template: &[u32], line: &[u32]) -> (usize, usize) {
    let (mut same, mut parameters) = (0, 0);
    for (&word, &other) in template.iter().zip(line) {
        parameters += usize::from(word == PARAMETER);
        same += usize::from(word == other && word != PARAMETER);
    }
    (same, parameters)
}
