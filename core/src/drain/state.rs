//! What a miner has learnt, in a form that can be saved.

use serde::{Deserialize, Serialize};

use super::tree::SavedNode;
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
            depth: self.options.depth as u32,
            clusters: self
                .clusters
                .by_age()
                .map(|slot| {
                    let cluster = self.clusters.get(slot);
                    let words = cluster.template.iter();
                    SavedCluster {
                        id: cluster.id,
                        size: cluster.size,
                        template: words.map(|&w| self.tokens.text(w).to_owned()).collect(),
                    }
                })
                .collect(),
            nodes: self
                .tree
                .save(&self.tokens, |slot| self.clusters.get(slot).id),
            statistics: self.statistics,
        }
    }

    /// Replaces what was learnt by `state`, under the options of this miner: with another depth, the tree is made anew of the
    /// templates; clusters beyond the limits go.
    ///
    /// # Errors
    /// What is wrong with the state; this miner is then as before.
    pub fn restore(&mut self, state: &State) -> Result<(), String> {
        let mut new = Self::new(self.options.clone()).map_err(|e| e.to_string())?;
        new.load(state)?;
        *self = new;
        Ok(())
    }

    /// Takes the content of `state` into this miner, which is new.
    fn load(&mut self, state: &State) -> Result<(), String> {
        self.statistics = state.statistics;
        let same_tree = state.depth as usize == self.options.depth;
        if same_tree {
            self.tree.restore(&state.nodes, &mut self.tokens)?;
        }
        for saved in &state.clusters {
            let known = self.clusters.slot(saved.id).is_some();
            if known || saved.id == 0 || saved.id > state.statistics.created {
                return Err(format!("cluster {} cannot be", saved.id));
            }
            let DrainOptions {
                max_tokens,
                max_line_bytes,
                ..
            } = self.options;
            // Only a line of now could make use of it.
            let long = saved.template.len() > max_tokens
                || saved.template.iter().any(|w| w.len() > 2 * max_line_bytes);
            if long && !same_tree {
                continue;
            }
            let template = saved.template.iter().map(|w| self.tokens.hold(w));
            let template: Box<[u32]> = template.collect();
            let leaf = u32::MAX;
            self.clusters
                .add(saved.id, saved.size, template, leaf, &self.tokens);
        }
        if same_tree {
            self.attach_saved(&state.nodes)?;
        } else {
            self.rebuild_tree();
        }
        while self.clusters.len() > self.options.max_clusters {
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
                    .filter(|&slot| self.clusters.get(slot).leaf == u32::MAX)
                    .ok_or_else(|| format!("cluster {id} is missing or there twice"))?;
                let words = self.clusters.get(slot).template.len();
                if !self.tree.is_leaf_of(node as u32, words) {
                    return Err(format!("cluster {id} is in a place for other lines"));
                }
                self.clusters.set_leaf(slot, node as u32);
                self.attach(slot);
                attached += 1;
            }
        }
        if attached != self.clusters.len() {
            return Err("a cluster is in no leaf".into());
        }
        Ok(())
    }
}
