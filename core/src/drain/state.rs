//! What a miner has learnt, in a form that can be saved.

use serde::{Deserialize, Serialize};

use super::tree::SavedNode;
use super::words::{Word, word};
use super::{DrainOptions, Miner, Statistics};

/// What a [`Miner`] has learnt, without its options.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// The depth of the tree in `nodes`.
    depth: u32,
    /// From the cluster not seen for longest on.
    clusters: Vec<SavedCluster>,
    nodes: Vec<SavedNode>,
    statistics: Statistics,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct SavedCluster {
    id: u64,
    size: u64,
    template: Vec<String>,
}

impl Miner {
    /// What was learnt; [`Miner::restore`] continues from it as if nothing had happened.
    pub fn state(&self) -> State {
        State {
            depth: self.given.options.depth as u32,
            clusters: self
                .clusters
                .by_age()
                .map(|slot| {
                    let cluster = self.clusters.get(slot);
                    SavedCluster {
                        id: cluster.id,
                        size: cluster.size,
                        template: cluster.texts().map(|(_, text)| text.to_owned()).collect(),
                    }
                })
                .collect(),
            nodes: self.tree.save(&self.clusters),
            statistics: self.statistics,
        }
    }

    /// Replaces what was learnt by `state`, under the options of this miner: with another depth, the tree is made anew of the
    /// templates; clusters beyond the limits go.
    ///
    /// # Errors
    /// What is wrong with the state; this miner is then as before.
    pub fn restore(&mut self, state: &State) -> Result<(), String> {
        let mut new = self.blank();
        new.load(state)?;
        *self = new;
        Ok(())
    }

    /// Takes the content of `state` into this miner, which is new.
    fn load(&mut self, state: &State) -> Result<(), String> {
        self.statistics = state.statistics;
        let DrainOptions {
            depth,
            max_tokens,
            max_line_bytes,
            max_clusters,
            ..
        } = self.given.options;
        let same_tree = state.depth as usize == depth;
        if same_tree {
            self.tree.restore(&state.nodes)?;
        }
        for saved in &state.clusters {
            let known = self.clusters.slot(saved.id).is_some();
            let words = || saved.template.iter().map(String::as_str);
            let whole = words().all(|word| !word.is_empty() && !word.contains(' '));
            if known || !whole || saved.id == 0 || saved.id > state.statistics.created {
                return Err(format!("cluster {} cannot be", saved.id));
            }
            // Only a line of now could make use of it.
            let long = saved.template.len() > max_tokens
                || saved.template.iter().any(|w| w.len() > 2 * max_line_bytes);
            if long && !same_tree {
                self.statistics.evicted += 1;
                continue;
            }
            let line: Vec<Word> = words().map(word).collect();
            let text = saved.template.join(" ");
            self.clusters.add(saved.id, saved.size, &line, &text);
        }
        if same_tree {
            self.attach_saved(&state.nodes)?;
        } else {
            self.rebuild_tree();
        }
        while self.clusters.len() > max_clusters {
            self.evict_oldest();
        }
        self.make_room();
        Ok(())
    }

    /// Puts the clusters back into the leaves that held them.
    fn attach_saved(&mut self, nodes: &[SavedNode]) -> Result<(), String> {
        let mut attached = 0;
        for (node, saved) in nodes.iter().enumerate() {
            for &id in &saved.clusters {
                let slot = self
                    .clusters
                    .slot(id)
                    .filter(|&slot| !self.clusters.get(slot).is_placed())
                    .ok_or_else(|| format!("cluster {id} is missing or there twice"))?;
                let words = self.clusters.get(slot).words().len();
                if !self.tree.is_leaf_of(node as u32, words) {
                    return Err(format!("cluster {id} is in a place for other lines"));
                }
                self.attach(slot, node as u32);
                attached += 1;
            }
        }
        if attached != self.clusters.len() {
            return Err("a cluster is in no leaf".into());
        }
        Ok(())
    }
}
