//! Adding clusters, and evicting them when there are too many or they take too much memory.

use super::Miner;
use super::postings::{Postings, SCAN_MAX};
use super::scratch::Scratch;
use super::tree::Found;

impl Miner {
    /// Creates a cluster of `size` lines from the line in `scratch`, at leaf `found` if any; returns its id.
    pub(super) fn create(&mut self, scratch: &mut Scratch, size: u64, found: Option<Found>) -> u64 {
        while self.clusters.len() >= self.config.options.max_clusters {
            self.evict_least_recent();
        }
        self.grown = true;
        self.statistics.created += 1;
        let id = self.statistics.created;
        let leaf = match found {
            Some(Found {
                leaf,
                is_final: true,
            }) => leaf.node,
            _ => {
                let words = scratch.line.iter().copied().zip(scratch.texts());
                self.tree.leaf_for(scratch.line.len(), words).node
            }
        };
        self.statistics.steps += scratch.line.len() as u64;
        let (words, text) = scratch.template();
        let slot = self.clusters.add(id, size, words, text);
        self.attach(slot, leaf);
        self.enforce_memory_limit();
        id
    }

    /// Adds a cluster to a leaf, and to the postings if the leaf has enough clusters.
    pub(super) fn attach(&mut self, slot: u32, leaf: u32) {
        self.tree.add(leaf, slot, &mut self.clusters);
        let members = self.tree.members(leaf);
        if members.len() == SCAN_MAX + 1 {
            let all: Vec<u32> = self.clusters.of(members).collect();
            for slot in all {
                self.post(slot);
            }
        } else if members.len() > SCAN_MAX {
            self.post(slot);
        }
    }

    /// Adds a cluster to the postings, unless it is still there from when its leaf had as many before.
    fn post(&mut self, slot: u32) {
        let cluster = self.clusters.get(slot);
        let least = self.least(cluster.words().len()).max(1);
        let postings = self
            .postings
            .get_or_insert_with(|| Box::new(Postings::new()));
        if !postings.has(slot) {
            self.statistics.steps += cluster.words().len() as u64;
            postings.add(cluster.leaf, slot, cluster.words(), least);
        }
    }

    /// Evicts the least recently used cluster.
    pub(super) fn evict_least_recent(&mut self) {
        let Some(slot) = self.clusters.least_recent() else {
            return;
        };
        self.tree.remove(slot, &mut self.clusters);
        if let Some(postings) = &mut self.postings {
            postings.remove_cluster(slot);
        }
        self.statistics.steps += self.clusters.get(slot).words().len() as u64;
        self.clusters.remove(slot);
        self.statistics.evicted += 1;
    }

    /// Keeps within the memory limit by evicting clusters, and by rebuilding a tree of too many empty nodes.
    pub(super) fn enforce_memory_limit(&mut self) {
        let limit = self.config.options.max_bytes;
        while self.bytes() > limit && self.clusters.len() > 1 {
            self.evict_least_recent();
        }
        // The tree keeps nodes without clusters; it must not displace the clusters.
        while self.tree.bytes() > limit / 4 {
            for _ in 0..self.clusters.len() / 2 {
                self.evict_least_recent();
            }
            self.rebuild_tree();
            if self.clusters.len() <= 1 {
                break;
            }
        }
    }

    /// Rebuilds the tree from the clusters.
    pub(super) fn rebuild_tree(&mut self) {
        self.line_cache.clear();
        self.postings = None;
        self.tree.clear();
        let mut slots: Vec<u32> = self.clusters.by_recency().collect();
        slots.sort_unstable_by_key(|&slot| self.clusters.get(slot).id);
        for slot in slots {
            let cluster = self.clusters.get(slot);
            let leaf = self.tree.leaf_for(cluster.words().len(), cluster.texts());
            self.attach(slot, leaf.node);
        }
    }
}
