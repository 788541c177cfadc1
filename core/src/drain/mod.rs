//! Drain: online parsing of log lines into templates.
//!
//! He et al., "Drain: An Online Log Parsing Approach with Fixed Depth Tree", ICWS 2017, with the additions of Drain3: masks before
//! parsing, extra delimiters, a limit of clusters with LRU eviction, parameters by position, and snapshots. Same lines and
//! options give the clusters that Drain3 0.9.11 gives, in the same order.
//!
//! A line is masked ([`DrainOptions::builtin_masks`], [`DrainOptions::masks`]) and split into words. Their number and the first
//! words push_front to a leaf of the prefix tree. The line joins the cluster there that has the most words in common with it, if they are
//! enough; words that differ become placeholders of its template. Otherwise the line starts a new cluster.
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
mod builtin;
mod candidates;
mod clusters;
mod eviction;
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

use self::clusters::Clusters;
use self::line_cache::LineCache;
use self::mask::Masks;
use self::postings::Postings;
pub(crate) use self::scratch::Scratch;
use self::tree::{Found, Leaf, Tree};
use self::words::{PARAMETER, Separators, Word};
use crate::options::OptionError;

pub use options::{BuiltinMasks, DrainOptions};
pub(crate) use state::Restore;
pub use state::StateError;

/// What stands in a template where its lines differ.
pub const PARAMETER_TEXT: &str = words::PARAMETER_TEXT;

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
    /// LineCache added.
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
    config: Arc<Config>,
    tree: Tree,
    clusters: Clusters,
    /// Only where a leaf has very many clusters.
    postings: Option<Box<Postings>>,
    line_cache: LineCache,
    statistics: Statistics,
    /// Made with the first line, and never where lines are taken apart on another's scratch.
    scratch: Option<Box<Scratch>>,
    /// It may take more memory than when that was asked for last.
    grown: bool,
}

/// What a miner is reported at first and never changes; its clones share it.
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
    /// Options that are wrong or contradict each other.
    pub fn new(options: DrainOptions) -> Result<Self, OptionError> {
        options.validate()?;
        let config = Config {
            masks: Masks::new(&options)?,
            separators: Separators::new(&options.extra_delimiters),
            options,
        };
        Ok(Self::of(Arc::new(config)))
    }

    /// A miner that knows no template yet, under the options of this one.
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

    /// The options that this was made with.
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

    /// Lays a line on a scratch, masked, for this miner or another with the same options.
    pub(crate) fn mask_into(&self, scratch: &mut Scratch, line: &str) {
        let Config { masks, .. } = &*self.config;
        let line = self.config.within(line);
        scratch.words_masked = masks.apply(line, &mut scratch.masked, &mut scratch.spare);
        scratch.hash = BuildHasherDefault::<FxHasher>::default().hash_one(&*scratch.masked);
    }

    /// Finds the cluster of the line that lies on the scratch, masked, and adds the line to it.
    pub(crate) fn add_masked(&mut self, scratch: &mut Scratch) -> Added {
        self.statistics.lines += 1;
        let hash = scratch.hash;
        if let Some(known) = self.line_cache.find(hash, &scratch.masked)
            && self.clusters.get(known.slot).id == known.cluster
            && self.tree.versions(known.leaf) == known.versions
        {
            self.clusters.seen(known.slot);
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
        self.clusters.seen(slot);
        let cluster = self.clusters.get(slot).id;
        self.grown = true;
        if change == Change::None {
            let versions = self.tree.versions(leaf);
            self.line_cache
                .insert(hash, &scratch.masked, (slot, cluster), leaf, versions);
        }
        Added { cluster, change }
    }

    /// The masked text of the line added last.
    pub fn masked(&self) -> &str {
        self.scratch
            .as_deref()
            .map_or("", |scratch| &scratch.masked)
    }

    /// `line`, which lies on `scratch`, with placeholders for its values as far as those have no words in them: identifiers,
    /// addresses and numbers. Where a placeholder may stand for words, that of a command or of one of the user's own masks,
    /// the line as it is.
    pub(crate) fn masked_values<'a>(&self, scratch: &'a Scratch, line: &'a str) -> &'a str {
        let whole = line.len() <= self.config.options.max_line_bytes;
        if scratch.words_masked || !whole {
            line
        } else {
            &scratch.masked
        }
    }

    /// Adds a template to start from, as [`Miner::template`] shows it, and gives the id of its cluster; where there is a
    /// cluster with that very template already, its id. Sample lines are seeds, too: add them as any other.
    pub fn seed(&mut self, template: &str) -> u64 {
        let mut scratch = Scratch::default();
        scratch.masked.push_str(self.config.within(template));
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

    /// What there is and what there was.
    pub fn statistics(&self) -> Statistics {
        Statistics {
            clusters: self.clusters.len() as u64,
            bytes: self.bytes() as u64,
            ..self.statistics
        }
    }

    /// Reads what the line that lies on the scratch, masked, is going to need.
    pub(crate) fn prefetch(&self, scratch: &Scratch) {
        self.line_cache.prefetch(scratch.hash);
        self.clusters.prefetch();
        self.tree.prefetch();
    }

    /// How many clusters there are.
    pub(crate) fn len(&self) -> usize {
        self.clusters.len()
    }

    /// How much memory is in use, in bytes; at most the option `max_bytes`, unless a single cluster takes more.
    pub fn bytes(&self) -> usize {
        let postings = self.postings.as_deref().map_or(0, Postings::bytes);
        self.tree.bytes() + self.clusters.bytes() + self.line_cache.bytes() + postings
    }

    /// Whether it may take more memory than when this was asked for last.
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

    /// The cluster of a leaf that has the most words in common with the line, if they are enough: of several, that with
    /// more parameters; of several again, the least_recent.
    fn most_similar(&mut self, leaf: Leaf, line: &[Word]) -> Option<u32> {
        let there = self.tree.members(leaf.node);
        let clusters = &self.clusters;
        if line.is_empty() {
            return there.first();
        }
        let least = self.least(line.len());
        let mut best: Option<(usize, usize, u64, u32)> = None;
        let mut consider = |slot: u32| {
            let cluster = clusters.get(slot);
            if cluster.leaf != leaf.node || cluster.words().len() != line.len() {
                return;
            }
            let (same, parameters) = common(cluster.words(), line);
            let better = best.is_none_or(|(most, more, id, _)| {
                (same, parameters) > (most, more)
                    || (same, parameters) == (most, more) && cluster.id < id
            });
            if same >= least && better {
                best = Some((same, parameters, cluster.id, slot));
            }
        };
        match &mut self.postings {
            Some(postings) if there.len() > postings::SCANNED && least > 0 => {
                postings.candidates(leaf.node, line, least, &mut consider);
            }
            _ => clusters.of(there).for_each(consider),
        }
        best.map(|(.., slot)| slot)
    }

    /// How many of so many words two lines have to have in common.
    #[inline]
    fn least(&self, words: usize) -> usize {
        let sim_th = self.config.options.sim_th;
        let guess = (sim_th * words as f64) as usize;
        let enough = |same: &usize| *same as f64 / words as f64 >= sim_th;
        (guess.saturating_sub(1)..words)
            .find(enough)
            .unwrap_or(words)
    }

    /// Makes the template of a cluster fit the line.
    fn generalize(&mut self, slot: u32, line: &[Word]) -> Change {
        if let Some(postings) = &mut self.postings
            && postings.has(slot)
        {
            let cluster = self.clusters.get(slot);
            let words = cluster.words().iter().zip(line);
            for (position, (&word, other)) in words.enumerate() {
                if word != *other && word != PARAMETER {
                    postings.remove_word(cluster.leaf, slot, position, word);
                }
            }
        }
        if !self.clusters.generalize(slot, line) {
            return Change::None;
        }
        self.statistics.changed += 1;
        self.tree.changed(self.clusters.get(slot).leaf);
        Change::Template
    }
}

impl Config {
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
}

/// How many words a template has in common with a line as long, and how many parameters it has.
#[inline]
fn common(template: &[Word], line: &[Word]) -> (usize, usize) {
    let (mut same, mut parameters) = (0, 0);
    for (&word, &other) in template.iter().zip(line) {
        parameters += usize::from(word == PARAMETER);
        same += usize::from(word == other && word != PARAMETER);
    }
    (same, parameters)
}
