//! The clusters: their templates, their ids, and the order in which they were last seen.

use std::sync::OnceLock;

use rustc_hash::FxHashMap;

use super::tokens::Tokens;

const NONE: u32 = u32::MAX;
/// What a cluster costs beside its template: itself, its place by id, the allocations' own.
const CLUSTER_BYTES: usize = size_of::<Cluster>() + 64;

/// A cluster of lines, with the template that they have in common.
#[derive(Debug, Clone)]
pub(super) struct Cluster {
    /// Never used again; 0 where the slot is free.
    pub id: u64,
    /// How many lines it has had.
    pub size: u64,
    /// The template.
    pub template: Box<[u32]>,
    /// The node of the tree that holds it.
    pub leaf: u32,
    /// The template as text, made when somebody asks.
    text: OnceLock<Box<str>>,
    bytes: usize,
    /// The slots of the clusters seen next before and next after this one.
    older: u32,
    newer: u32,
}

/// All clusters, in slots that are used again.
#[derive(Debug, Clone)]
pub(super) struct Clusters {
    slots: Vec<Cluster>,
    free: Vec<u32>,
    by_id: FxHashMap<u64, u32>,
    oldest: u32,
    newest: u32,
    /// The words of all templates.
    words: usize,
    bytes: usize,
}

impl Clusters {
    pub fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            by_id: FxHashMap::default(),
            oldest: NONE,
            newest: NONE,
            words: 0,
            bytes: 0,
        }
    }

    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// The number of words in all templates.
    pub fn words(&self) -> usize {
        self.words
    }

    #[inline]
    pub fn get(&self, slot: u32) -> &Cluster {
        &self.slots[slot as usize]
    }

    pub fn slot(&self, id: u64) -> Option<u32> {
        self.by_id.get(&id).copied()
    }

    /// The slot of the cluster not seen for longest.
    pub fn oldest(&self) -> Option<u32> {
        (self.oldest != NONE).then_some(self.oldest)
    }

    /// All slots in use, from the cluster not seen for longest on.
    pub fn by_age(&self) -> impl Iterator<Item = u32> + '_ {
        std::iter::successors(self.oldest(), |&slot| {
            let newer = self.get(slot).newer;
            (newer != NONE).then_some(newer)
        })
    }

    /// Adds a cluster, as the one seen last; `template` is in use already.
    pub fn add(
        &mut self,
        id: u64,
        size: u64,
        template: Box<[u32]>,
        leaf: u32,
        tokens: &Tokens,
    ) -> u32 {
        let text: usize = template.iter().map(|&t| tokens.text(t).len() + 1).sum();
        let bytes = CLUSTER_BYTES + template.len() * size_of::<u32>() + text;
        self.bytes += bytes;
        self.words += template.len();
        let cluster = Cluster {
            id,
            size,
            template,
            leaf,
            text: OnceLock::new(),
            bytes,
            older: NONE,
            newer: NONE,
        };
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = cluster;
                slot
            }
            None => {
                self.slots.push(cluster);
                (self.slots.len() - 1) as u32
            }
        };
        self.by_id.insert(id, slot);
        self.link(slot);
        slot
    }

    /// Removes a cluster and gives back its template, whose words are still in use.
    pub fn remove(&mut self, slot: u32) -> Box<[u32]> {
        self.unlink(slot);
        let cluster = &mut self.slots[slot as usize];
        self.by_id.remove(&cluster.id);
        cluster.id = 0;
        cluster.text = OnceLock::new();
        self.bytes -= cluster.bytes;
        self.free.push(slot);
        let template = std::mem::take(&mut cluster.template);
        self.words -= template.len();
        template
    }

    /// One more line, which is the newest of all.
    #[inline]
    pub fn seen(&mut self, slot: u32) {
        self.slots[slot as usize].size += 1;
        if self.newest != slot {
            self.unlink(slot);
            self.link(slot);
        }
    }

    /// Puts `word` at `position` of the template and gives back what was there.
    pub fn set_word(&mut self, slot: u32, position: usize, word: u32, tokens: &Tokens) -> u32 {
        let cluster = &mut self.slots[slot as usize];
        let old = std::mem::replace(&mut cluster.template[position], word);
        cluster.text = OnceLock::new();
        let (new_len, old_len) = (tokens.text(word).len(), tokens.text(old).len());
        cluster.bytes = cluster.bytes + new_len - old_len;
        self.bytes = self.bytes + new_len - old_len;
        old
    }

    /// Moves a cluster to another leaf.
    pub fn set_leaf(&mut self, slot: u32, leaf: u32) {
        self.slots[slot as usize].leaf = leaf;
    }

    /// The template of a cluster as text.
    pub fn text(&self, slot: u32, tokens: &Tokens) -> &str {
        let cluster = self.get(slot);
        cluster.text.get_or_init(|| {
            let words: Vec<&str> = cluster.template.iter().map(|&t| tokens.text(t)).collect();
            words.join(" ").into()
        })
    }

    /// About how much memory the clusters take, with all templates as text.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn link(&mut self, slot: u32) {
        let older = std::mem::replace(&mut self.newest, slot);
        let cluster = &mut self.slots[slot as usize];
        (cluster.older, cluster.newer) = (older, NONE);
        match older {
            NONE => self.oldest = slot,
            _ => self.slots[older as usize].newer = slot,
        }
    }

    fn unlink(&mut self, slot: u32) {
        let Cluster { older, newer, .. } = self.slots[slot as usize];
        match older {
            NONE => self.oldest = newer,
            _ => self.slots[older as usize].newer = newer,
        }
        match newer {
            NONE => self.newest = older,
            _ => self.slots[newer as usize].older = older,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_are_in_the_order_in_which_they_were_seen() {
        let (mut clusters, mut tokens) = (Clusters::new(), Tokens::new());
        let word = tokens.hold("word");
        for id in 1..=4 {
            clusters.add(id, 1, [word].into(), 0, &tokens);
        }
        let ids = |clusters: &Clusters| -> Vec<u64> {
            clusters
                .by_age()
                .map(|slot| clusters.get(slot).id)
                .collect()
        };
        assert_eq!(ids(&clusters), [1, 2, 3, 4]);
        clusters.seen(clusters.slot(1).unwrap());
        clusters.seen(clusters.slot(3).unwrap());
        clusters.seen(clusters.slot(3).unwrap());
        assert_eq!(ids(&clusters), [2, 4, 1, 3]);
        clusters.remove(clusters.slot(4).unwrap());
        clusters.remove(clusters.slot(2).unwrap());
        assert_eq!(ids(&clusters), [1, 3]);
        clusters.remove(clusters.slot(3).unwrap());
        clusters.remove(clusters.slot(1).unwrap());
        assert_eq!(
            (ids(&clusters), clusters.bytes(), clusters.len()),
            (vec![], 0, 0)
        );
        clusters.add(5, 1, [word].into(), 0, &tokens);
        assert_eq!(ids(&clusters), [5]);
        assert_eq!(clusters.slots.len(), 4);
    }
}
