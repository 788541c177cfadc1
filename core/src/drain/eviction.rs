//! Clusters come, and go when there are too many of them or they take too much memory.

use super::Miner;
use super::postings::{Postings, SCANNED};
use super::scratch::Scratch;
use super::tree::Found;

impl Miner {
    /// Makes a cluster of the line on the scratch, which has had so many lines and was led where it is `found`, and gives its id.
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
                settled: true,
            }) => leaf.node,
            _ => {
                let words = scratch.line.iter().copied().zip(scratch.texts());
                self.tree.leaf_for(scratch.line.len(), words).node
            }
        };
        let (words, text) = scratch.template();
        let slot = self.clusters.add(id, size, words, text);
        self.attach(slot, leaf);
        self.make_room();
        id
    }

    /// Adds a cluster to a leaf, and to the postings where the leaf has that many.
    pub(super) fn attach(&mut self, slot: u32, leaf: u32) {
        self.tree.add(leaf, slot, &mut self.clusters);
        let there = self.tree.members(leaf);
        if there.len() == SCANNED + 1 {
            let all: Vec<u32> = self.clusters.of(there).collect();
            for slot in all {
                self.post(slot);
            }
        } else if there.len() > SCANNED {
            self.post(slot);
        }
    }

    /// Adds a cluster to the postings, unless it is there from the time when its leaf had as many before.
    fn post(&mut self, slot: u32) {
        let cluster = self.clusters.get(slot);
        let least = self.least(cluster.words().len()).max(1);
        let postings = self
            .postings
            .get_or_insert_with(|| Box::new(Postings::new()));
        if !postings.has(slot) {
            postings.add(cluster.leaf, slot, cluster.words(), least);
        }
    }

    /// Forgets the cluster not seen for longest.
    pub(super) fn evict_least_recent(&mut self) {
        let Some(slot) = self.clusters.least_recent() else {
            return;
        };
        self.tree.remove(slot, &mut self.clusters);
        if let Some(postings) = &mut self.postings {
            postings.remove_cluster(slot);
        }
        self.clusters.remove(slot);
        self.statistics.evicted += 1;
    }

    /// Keeps within the memory allowed: by forgetting clusters, and nodes of the tree that push_front to none.
    pub(super) fn make_room(&mut self) {
        let limit = self.config.options.max_bytes;
        while self.bytes() > limit && self.clusters.len() > 1 {
            self.evict_least_recent();
        }
        // The tree keeps nodes whose clusters are gone; it must not squeeze out the clusters.
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

    /// Makes the tree anew, of the clusters that there are.
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
