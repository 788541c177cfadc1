//! Drain: online parsing of log lines into templates.
//!
//! He et al., "Drain: An Online Log Parsing Approach with Fixed Depth Tree", ICWS 2017, with the additions of Drain3: masks
//! before parsing, extra delimiters, a limit of clusters with LRU eviction, parameters by position, and snapshots. The same lines
//! and options give the same clusters as Drain3 0.9.11, in the same order.
//!
//! A line is masked ([`DrainOptions::builtin_masks`], [`DrainOptions::masks`]) and split into words. The number of words and the
//! first words lead to a leaf of the prefix tree. The line joins the cluster in that leaf that has the most words in common with
//! it, if these are enough; words that differ become placeholders of its template. Otherwise the line starts a new cluster.
//!
//! # Bounded cost
//!
//! Whatever a line holds, the work for it is bounded, also when the tree is full of templates that were chosen for the purpose
//! (`benches/hostile.rs` compares such lines with ordinary ones of their length: none costs ten times as much). Three limits see to
//! that:
//!
//! - A leaf with more than 16 templates is searched by an index of words. A search reads at most 96 entries of that index, and 8
//!   more per word of the line; beyond that, those of the rarest words and of the newest templates first.
//! - It compares at most 128 words of templates, 40 more for each of the first 128 words of the line, and 16 for each further one.
//! - A template is in the index with at most 64 of its words, the rarest ones.
//!
//! A line that would need more may start a template although an existing one is similar enough, or join one that is not the most
//! similar; [`Statistics::cut`] counts these searches. They take many templates of the same length that have a third of their words
//! in common and were not merged for that: there was none in 305,414 lines of recorded logs under four sets of options
//! (`make parity`). The third limit can matter only to lines of more than 106 words (at the default `sim_th`).
//! After a restart, a search that is cut may end with another template than it would have otherwise.
//!
//! Only the eviction of many small templates for a large one, and the rebuilding of a tree that has become too large, cost more at
//! once: as much as the lines before them have saved. The cost of custom masks is that of their regular expressions, which take
//! time in proportion to the line for each match: one that looks far ahead at each of many matches, such as `a.*z|a`, takes
//! quadratic time.
//!
//! ```
//! use bellwether_core::drain::{DrainOptions, Miner};
//!
//! let mut miner = Miner::new(DrainOptions::default())?;
//! miner.add("connected to 10.0.0.1 as root");
//! let added = miner.add("connected to 10.0.0.2 as daemon");
//! assert_eq!(miner.template(added.cluster), Some("connected to <:IP:> as <:*:>"));
//! # Ok::<(), bellwether_core::options::OptionError>(())
//! ```

mod blocks;
mod budget;
mod builtin;
mod candidates;
mod clusters;
mod eviction;
#[cfg(test)]
mod hostile;
mod line_cache;
mod mask;
mod options;
mod postings;
mod query;
#[cfg(test)]
mod reference;
mod scratch;
mod snapshot;
mod state;
#[cfg(test)]
mod tests;
mod tree;
mod words;

use std::hash::{BuildHasher as _, BuildHasherDefault};
use std::sync::Arc;

use rustc_hash::FxHasher;
use serde::{Deserialize, Serialize};

use self::budget::Budget;
use self::clusters::Clusters;
use self::line_cache::LineCache;
use self::mask::Masks;
pub(crate) use self::mask::Values;
use self::postings::Postings;
pub(crate) use self::scratch::{Masked, Scratch};
use self::tree::{Found, Leaf, Tree};
use self::words::{PARAMETER, Separators, Word};
use crate::options::OptionError;

pub(crate) use options::SHAPE;
pub use options::{BuiltinMasks, DrainOptions};
pub(crate) use state::Restore;
pub use state::StateError;

/// The placeholder in a template where its lines differ.
pub const PARAMETER_TEXT: &str = words::PARAMETER_TEXT;

/// The effect of a line on the clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It joined a cluster whose template matches it.
    None,
    /// It started a new cluster.
    New,
    /// It joined a cluster whose template became more general.
    Template,
}

/// The result of [`Miner::add`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Added {
    /// The id of the line's cluster: counts up from 1 in the order of creation, never reused.
    pub cluster: u64,
    /// The effect of the line on the clusters.
    pub change: Change,
}

/// A cluster of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClusterView<'a> {
    /// The cluster's id.
    pub id: u64,
    /// Number of its lines.
    pub size: u64,
    /// The template.
    pub template: &'a str,
}

/// Counters, and the size of the state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statistics {
    /// LineCache added.
    pub lines: u64,
    /// Existing clusters.
    pub clusters: u64,
    /// Clusters ever created, including seeds.
    pub created: u64,
    /// Evicted clusters.
    pub evicted: u64,
    /// Number of times that a template became more general.
    pub changed: u64,
    /// Approximate memory in bytes.
    pub bytes: u64,
    /// Searches that ended at their limit (see [Bounded cost](self#bounded-cost)) since this miner was created or restored.
    #[serde(skip)]
    pub cut: u64,
    /// Steps since then: postings and words that were looked at or changed, a measure of cost that does not depend on the
    /// machine.
    #[serde(skip)]
    pub steps: u64,
}

/// Finds the templates of log lines.
#[derive(Debug, Clone)]
pub struct Miner {
    config: Arc<Config>,
    tree: Tree,
    clusters: Clusters,
    /// Only if some leaf has very many clusters.
    postings: Option<Box<Postings>>,
    line_cache: LineCache,
    statistics: Statistics,
    /// Created with the first line, unless all lines come in another's buffers.
    scratch: Option<Box<Scratch>>,
    /// It may have grown since [`Miner::has_grown`] was last called.
    grown: bool,
}

/// What is given at creation and never changes; clones share it.
#[derive(Debug)]
struct Config {
    options: DrainOptions,
    masks: Masks,
    separators: Separators,
}

impl Miner {
    /// A miner that knows no template yet.
    ///
    /// # Errors
    /// Invalid or contradictory options.
    pub fn new(options: DrainOptions) -> Result<Self, OptionError> {
        options.validate()?;
        let config = Config {
            masks: Masks::new(&options)?,
            separators: Separators::new(&options.extra_delimiters),
            options,
        };
        Ok(Self::of(Arc::new(config)))
    }

    /// A miner that knows no template yet, with the options of this one.
    pub(crate) fn blank(&self) -> Self {
        Self::of(self.config.clone())
    }

    fn of(config: Arc<Config>) -> Self {
        let options = &config.options;
        Self {
            tree: Tree::new(
                options.depth,
                options.max_children,
                options.parametrize_numeric_tokens,
            ),
            clusters: Clusters::new(),
            postings: None,
            line_cache: LineCache::new(options.max_bytes / 8),
            statistics: Statistics::default(),
            scratch: None,
            grown: false,
            config,
        }
    }

    /// The options of this miner.
    pub fn options(&self) -> &DrainOptions {
        &self.config.options
    }

    /// Finds the cluster of a line and adds the line to it.
    pub fn add(&mut self, line: &str) -> Added {
        let mut scratch = self.scratch.take().unwrap_or_default();
        self.mask_into(&mut scratch, line);
        let added = self.add_masked(&mut scratch);
        self.scratch = Some(scratch);
        added
    }

    /// Masks a line into `scratch`, for this miner or another with the same options.
    pub(crate) fn mask_into(&self, scratch: &mut Scratch, line: &str) {
        let Config { masks, .. } = &*self.config;
        let whole = line.len();
        let line = self.config.truncated(line);
        scratch.values = masks.apply(line, &mut scratch.masked, &mut scratch.spare);
        if line.len() < whole {
            scratch.values = Values::Others;
        }
        scratch.hash = BuildHasherDefault::<FxHasher>::default().hash_one(&*scratch.masked);
    }

    /// Finds the cluster of the masked line in `scratch` and adds the line to it.
    pub(crate) fn add_masked(&mut self, scratch: &mut Scratch) -> Added {
        self.statistics.lines += 1;
        let hash = scratch.hash;
        if let Some(known) = self.line_cache.find(hash, &scratch.masked)
            && self.clusters.get(known.slot).id == known.cluster
            && self.tree.versions(known.leaf) == known.versions
        {
            self.clusters.touch(known.slot);
            return Added {
                cluster: known.cluster,
                change: Change::None,
            };
        }
        self.split(scratch);
        let found = self.tree.search(&scratch.line);
        let Some((Found { leaf, .. }, slot)) =
            found.and_then(|found| Some((found, self.most_similar(found.leaf, &scratch.line)?)))
        else {
            return Added {
                cluster: self.create(scratch, 1, found),
                change: Change::New,
            };
        };
        let change = self.generalize(slot, &scratch.line);
        self.clusters.touch(slot);
        let cluster = self.clusters.get(slot).id;
        self.grown = true;
        if change == Change::None {
            let versions = self.tree.versions(leaf);
            self.line_cache
                .insert(hash, &scratch.masked, (slot, cluster), leaf, versions);
        }
        Added { cluster, change }
    }

    /// The masked text of the last line.
    pub fn masked(&self) -> &str {
        self.scratch
            .as_deref()
            .map_or("", |scratch| &scratch.masked)
    }

    /// Adds a template to start from, in the form of [`Miner::template`], and returns the id of its cluster; if there is a
    /// cluster with exactly that template, returns its id. Sample lines can be seeds as well: add them like any other line.
    pub fn seed(&mut self, template: &str) -> u64 {
        let mut scratch = Scratch::default();
        scratch.masked.push_str(self.config.truncated(template));
        self.split(&mut scratch);
        let found = self.tree.search(&scratch.line);
        let same = found.and_then(|found| {
            let mut there = self.clusters.of(self.tree.members(found.leaf.node));
            there.find(|&slot| self.clusters.get(slot).words() == scratch.line)
        });
        match same {
            Some(slot) => self.clusters.get(slot).id,
            None => self.create(&mut scratch, 0, found),
        }
    }

    /// Counters, and the size of the state.
    pub fn statistics(&self) -> Statistics {
        Statistics {
            clusters: self.clusters.len() as u64,
            bytes: self.bytes() as u64,
            ..self.statistics
        }
    }

    /// Touches the memory that the masked line in `scratch` is going to need.
    pub(crate) fn prefetch(&self, scratch: &Scratch) {
        self.line_cache.prefetch(scratch.hash);
        self.clusters.prefetch();
        self.tree.prefetch();
    }

    /// Number of clusters.
    pub(crate) fn len(&self) -> usize {
        self.clusters.len()
    }

    /// Memory in bytes; at most the option `max_bytes`, unless a single cluster takes more.
    pub fn bytes(&self) -> usize {
        let postings = self.postings.as_deref().map_or(0, Postings::bytes);
        self.tree.bytes() + self.clusters.bytes() + self.line_cache.bytes() + postings
    }

    /// Whether it may have grown since this was last called.
    pub(crate) fn has_grown(&mut self) -> bool {
        std::mem::take(&mut self.grown)
    }

    /// Splits the masked line into words.
    fn split(&mut self, scratch: &mut Scratch) {
        let Config {
            separators,
            options,
            ..
        } = &*self.config;
        scratch.split(separators, options.max_tokens);
        if let Some(postings) = &mut self.postings {
            postings.next_line();
        }
    }

    /// The cluster of a leaf that has the most words in common with the line, if these are enough; of several, the one with more
    /// parameters; of those, the oldest.
    fn most_similar(&mut self, leaf: Leaf, line: &[Word]) -> Option<u32> {
        let there = self.tree.members(leaf.node);
        let clusters = &self.clusters;
        if line.is_empty() {
            return there.first();
        }
        let least = self.least(line.len());
        let mut best = Best {
            same: least,
            ..Best::default()
        };
        let has_parameters = line.contains(&PARAMETER);
        let mut consider = |slot: u32, budget: &mut Budget| {
            let cluster = clusters.get(slot);
            if cluster.leaf != leaf.node || cluster.words().len() != line.len() {
                return;
            }
            let Some(same) = common(cluster.words(), line, has_parameters, best.same, budget)
            else {
                return;
            };
            let found = Best {
                slot: Some(slot),
                same,
                parameters: parameters(cluster.words()),
                id: cluster.id,
            };
            if found.is_better_than(&best) {
                best = found;
            }
        };
        let mut budget;
        match &mut self.postings {
            Some(postings) if there.len() > postings::SCAN_MAX && least > 0 => {
                budget = Budget::search(line.len());
                postings.candidates(leaf.node, line, least, &mut budget, &mut consider);
            }
            _ => {
                budget = Budget::scan(line.len());
                for slot in clusters.of(there) {
                    consider(slot, &mut budget);
                    if budget.is_exceeded() {
                        break;
                    }
                }
            }
        }
        let found = best.slot;
        self.statistics.steps += budget.steps();
        self.statistics.cut += u64::from(budget.is_exceeded());
        found
    }

    /// The number of words that two lines of `words` words must have in common.
    #[inline]
    fn least(&self, words: usize) -> usize {
        let sim_th = self.config.options.sim_th;
        let guess = (sim_th * words as f64) as usize;
        let enough = |same: &usize| *same as f64 / words as f64 >= sim_th;
        (guess.saturating_sub(1)..words)
            .find(enough)
            .unwrap_or(words)
    }

    /// Generalizes the template of a cluster to match the line.
    fn generalize(&mut self, slot: u32, line: &[Word]) -> Change {
        if let Some(postings) = &mut self.postings
            && postings.has(slot)
        {
            let words = self.clusters.get(slot).words();
            postings.remove_words(slot, |position| words[position] != line[position]);
        }
        self.statistics.steps += line.len() as u64;
        if !self.clusters.generalize(slot, line) {
            return Change::None;
        }
        self.statistics.changed += 1;
        self.tree.changed(self.clusters.get(slot).leaf);
        Change::Template
    }
}

impl Config {
    /// `line`, truncated to the option `max_line_bytes`.
    #[inline]
    fn truncated<'a>(&self, line: &'a str) -> &'a str {
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
}

/// The best cluster so far for a line.
#[derive(Debug, Clone, Copy, Default)]
struct Best {
    slot: Option<u32>,
    id: u64,
    /// Number of words that it has in common with the line; until there is one, the number that it must have.
    same: usize,
    /// Number of parameters of its template.
    parameters: usize,
}

impl Best {
    #[inline]
    fn is_better_than(&self, other: &Self) -> bool {
        let rank = |of: &Self| (of.same, of.parameters);
        other.slot.is_none()
            || rank(self) > rank(other)
            || rank(self) == rank(other) && self.id < other.id
    }
}

/// Words that are compared before a look at whether the rest can matter.
const STRIDE: usize = 8;

/// Number of words that a template has in common with a line of the same length, if these are at least `least`. `has_parameters`:
/// the line has a parameter.
#[inline]
fn common(
    template: &[Word],
    line: &[Word],
    has_parameters: bool,
    least: usize,
    budget: &mut Budget,
) -> Option<usize> {
    /// Loops over whole arrays without branches are vectorized.
    #[inline]
    fn equal(template: &[Word], line: &[Word]) -> usize {
        let pairs = template.iter().zip(line);
        pairs.map(|(word, other)| usize::from(word == other)).sum()
    }
    // A parameter is similar to no word, and few lines have one.
    let parameters = match has_parameters {
        true => template
            .iter()
            .zip(line)
            .filter(|&(&word, &other)| word == PARAMETER && other == PARAMETER)
            .count(),
        false => 0,
    };
    let least = least + parameters;
    let (templates, template_rest) = template.as_chunks::<STRIDE>();
    let (lines, line_rest) = line.as_chunks::<STRIDE>();
    let (mut same, mut left) = (0, line.len());
    for (template, line) in templates.iter().zip(lines) {
        if same + left < least || !budget.take_words(STRIDE) {
            return None;
        }
        left -= STRIDE;
        same += equal(template, line);
    }
    if same + left < least || !budget.take_words(line_rest.len()) {
        return None;
    }
    same += equal(template_rest, line_rest);
    (same >= least).then(|| same - parameters)
}

/// Number of parameters of a template.
fn parameters(template: &[Word]) -> usize {
    template.iter().filter(|&&word| word == PARAMETER).count()
}
