//! The learned state of a miner, written and read piece by piece.
//!
//! It is a struct of the depth of the tree, the clusters (from the least recently used on), the nodes of the tree (parents first)
//! and the statistics. Only one cluster and one node at a time is in memory besides the miner.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, SeqAccess, Visitor};
use serde::ser::{SerializeStruct as _, Serializer};
use serde::{Deserialize, Serialize};

use super::tree::SavedNode;
use super::words::{Word, word};
use super::{DrainOptions, Miner};
use crate::snapshot::{ForEach, LazySeq};

/// The fields of a state.
const FIELDS: [&str; 4] = ["depth", "clusters", "nodes", "statistics"];

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct SavedCluster {
    id: u64,
    size: u64,
    template: Vec<String>,
}

/// A state that no miner can have had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StateError(String);

impl From<String> for StateError {
    fn from(what: String) -> Self {
        Self(what)
    }
}

impl From<&str> for StateError {
    fn from(what: &str) -> Self {
        Self(what.to_owned())
    }
}

/// The state of a miner, to be written.
pub(crate) struct SavedMiner<'a>(&'a Miner);

impl Serialize for SavedMiner<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let miner = self.0;
        let slots: Vec<u32> = miner.clusters.by_recency().collect();
        let clusters = || slots.iter().map(|&slot| miner.saved_cluster(slot));
        let parents = miner.tree.parents();
        let nodes = || miner.tree.saved_nodes(&miner.clusters, &parents);
        let mut state = serializer.serialize_struct("State", FIELDS.len())?;
        state.serialize_field(FIELDS[0], &(miner.config.options.depth as u32))?;
        state.serialize_field(FIELDS[1], &LazySeq(clusters))?;
        state.serialize_field(FIELDS[2], &LazySeq(nodes))?;
        state.serialize_field(FIELDS[3], &miner.statistics)?;
        state.end()
    }
}

/// Reads a state into a miner that has learned nothing, under its options: if the depth differs, the tree is rebuilt from the
/// templates; clusters beyond the limits are evicted. After an error, the miner is unusable.
pub(crate) struct Restore<'m>(pub &'m mut Miner);

impl<'de> DeserializeSeed<'de> for Restore<'_> {
    type Value = Result<(), StateError>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_struct("State", &FIELDS, self)
    }
}

impl<'de> Visitor<'de> for Restore<'_> {
    type Value = Result<(), StateError>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the state of a parser")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let missing = |field: usize| A::Error::missing_field(FIELDS[field]);
        let miner = self.0;
        let depth: u32 = fields.next_element()?.ok_or_else(|| missing(0))?;
        let same_tree = depth as usize == miner.config.options.depth;
        let mut restoring = Restoring {
            miner,
            same_tree,
            newest: 0,
            skipped: 0,
            attached: 0,
            error: None,
        };
        let clusters = ForEach::new(|cluster: SavedCluster| restoring.cluster(&cluster));
        fields
            .next_element_seed(clusters)?
            .ok_or_else(|| missing(1))?;
        let nodes = ForEach::new(|node: SavedNode| restoring.node(&node));
        fields.next_element_seed(nodes)?.ok_or_else(|| missing(2))?;
        let statistics = fields.next_element()?.ok_or_else(|| missing(3))?;
        restoring.miner.statistics = statistics;
        Ok(restoring.finish())
    }
}

/// A miner that is being restored.
struct Restoring<'m> {
    miner: &'m mut Miner,
    /// The state was saved with the same depth: its tree is restored instead of being rebuilt from the templates.
    same_tree: bool,
    /// The highest cluster id so far.
    newest: u64,
    /// Clusters that no line can match any more.
    skipped: u64,
    /// Clusters in leaves.
    attached: usize,
    /// What is wrong with the state; the rest of it is then skipped.
    error: Option<StateError>,
}

impl Restoring<'_> {
    fn cluster(&mut self, saved: &SavedCluster) {
        if self.error.is_none() {
            self.error = self.add(saved).err();
        }
    }

    fn node(&mut self, saved: &SavedNode) {
        if self.error.is_none() && self.same_tree {
            self.error = self.attach(saved).err();
        }
    }

    fn add(&mut self, saved: &SavedCluster) -> Result<(), StateError> {
        let DrainOptions {
            max_tokens,
            max_line_bytes,
            ..
        } = self.miner.config.options;
        let clusters = &mut self.miner.clusters;
        let words = || saved.template.iter().map(String::as_str);
        let is_whole = words().all(|word| !word.is_empty() && !word.contains(' '));
        if clusters.slot(saved.id).is_some() || !is_whole || saved.id == 0 {
            return Err(format!("cluster {} is impossible", saved.id).into());
        }
        self.newest = self.newest.max(saved.id);
        let is_long =
            saved.template.len() > max_tokens || words().any(|w| w.len() > 2 * max_line_bytes);
        if is_long && !self.same_tree {
            self.skipped += 1;
            return Ok(());
        }
        let line: Vec<Word> = words().map(word).collect();
        clusters.add(saved.id, saved.size, &line, &saved.template.join(" "));
        Ok(())
    }

    /// Restores a node with the clusters that it held.
    fn attach(&mut self, saved: &SavedNode) -> Result<(), StateError> {
        let miner = &mut *self.miner;
        let node = miner.tree.restore_node(saved)?;
        for &id in &saved.clusters {
            let slot = miner
                .clusters
                .slot(id)
                .filter(|&slot| !miner.clusters.get(slot).is_in_leaf())
                .ok_or_else(|| format!("cluster {id} is missing or listed twice"))?;
            let words = miner.clusters.get(slot).words().len();
            if !miner.tree.is_leaf_of(node, words) {
                return Err(format!("cluster {id} is in the wrong leaf").into());
            }
            miner.attach(slot, node);
            self.attached += 1;
        }
        Ok(())
    }

    fn finish(self) -> Result<(), StateError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let miner = self.miner;
        if self.newest > miner.statistics.created {
            return Err(format!("cluster {} is impossible", self.newest).into());
        }
        miner.statistics.evicted += self.skipped;
        if !self.same_tree {
            miner.rebuild_tree();
        } else if self.attached != miner.clusters.len() {
            return Err("a cluster is in no leaf".into());
        }
        while miner.clusters.len() > miner.config.options.max_clusters {
            miner.evict_least_recent();
        }
        miner.enforce_memory_limit();
        Ok(())
    }
}

impl Miner {
    /// The learned state, to be written; [`Restore`] reads it.
    pub(crate) fn saved(&self) -> SavedMiner<'_> {
        SavedMiner(self)
    }

    fn saved_cluster(&self, slot: u32) -> SavedCluster {
        let cluster = self.clusters.get(slot);
        SavedCluster {
            id: cluster.id,
            size: cluster.size,
            template: cluster.texts().map(|(_, text)| text.to_owned()).collect(),
        }
    }
}
