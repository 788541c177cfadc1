//! The prefix tree: the number of words, then the first words, then a leaf with clusters.
//!
//! Nodes are never removed one by one. In the reference implementation, too, a node without clusters still attracts the lines
//! with its words, and so affects which clusters they create.

use std::hint::black_box;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::clusters::{Clusters, Members};
use super::state::StateError;
use super::words::{PARAMETER, PARAMETER_TEXT, Word, word};
use crate::memory::{allocation, grow, table, vec};

/// A node of the tree.
#[derive(Debug, Clone)]
struct Node {
    /// The clusters; only leaves have any.
    members: Members,
    children: u32,
    /// Number of words of its lines.
    words: u32,
    /// Number of words on the path to it.
    level: u32,
    /// The last of these.
    text: Box<str>,
    /// Incremented when the cluster of a line that arrives here may change.
    version: u64,
}

/// The end of a line's path, and what the path depended on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Leaf {
    /// The node of the number of words.
    pub group: u32,
    /// The node with the clusters.
    pub node: u32,
}

/// The result of a search.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub leaf: Leaf,
    /// A template of the same words belongs to this leaf, too, and not to a node that would have to be created.
    pub is_final: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Tree {
    depth: usize,
    max_children: usize,
    parametrize_numeric_tokens: bool,
    nodes: Vec<Node>,
    /// By number of words.
    groups: FxHashMap<u32, u32>,
    /// By parent and word.
    children: FxHashMap<(u32, Word), u32>,
    /// Memory of the nodes' texts, and of the whole tree, in bytes.
    texts: usize,
    bytes: usize,
}

/// A node in a snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct SavedNode {
    /// The index of the parent among the saved nodes, or `None` for the node of a number of words.
    parent: Option<u32>,
    /// The word on the edge from the parent, or the number of words.
    key: SavedKey,
    /// The ids of its clusters.
    pub clusters: Vec<u64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum SavedKey {
    Words(u32),
    Word(String),
}

impl Tree {
    pub fn new(depth: usize, max_children: usize, parametrize_numeric_tokens: bool) -> Self {
        Self {
            depth,
            max_children,
            parametrize_numeric_tokens,
            nodes: Vec::new(),
            groups: FxHashMap::default(),
            children: FxHashMap::default(),
            texts: 0,
            bytes: 0,
        }
    }

    /// The number of words that lead a line of `words` words to its leaf.
    fn prefix_len(&self, words: usize) -> usize {
        (self.depth - 2).min(words).saturating_sub(1)
    }

    /// The leaf for a line of these words.
    #[inline]
    pub fn search(&self, line: &[Word]) -> Option<Found> {
        let group = *self.groups.get(&(line.len() as u32))?;
        let (mut node, mut is_final) = (group, true);
        for &word in &line[..self.prefix_len(line.len())] {
            node = match self.children.get(&(node, word)) {
                Some(&child) => child,
                None => {
                    is_final &= self.nodes[node as usize].children as usize >= self.max_children;
                    *self.children.get(&(node, PARAMETER))?
                }
            };
        }
        let leaf = Leaf { group, node };
        Some(Found { leaf, is_final })
    }

    /// The leaf for a template of `len` words, created if necessary; `words` are its words with their texts.
    pub fn leaf_for<'a>(
        &mut self,
        len: usize,
        words: impl Iterator<Item = (Word, &'a str)>,
    ) -> Leaf {
        let group = match self.groups.get(&(len as u32)) {
            Some(&group) => group,
            None => {
                let group = self.node(len as u32, 0, "");
                self.groups.insert(len as u32, group);
                self.measure();
                group
            }
        };
        let mut node = group;
        for (word, text) in words.take(self.prefix_len(len)) {
            let (key, text) = self.key(node, word, text);
            node = match self.children.get(&(node, key)) {
                Some(&child) => child,
                None => self.child(group, node, key, text),
            };
        }
        Leaf { group, node }
    }

    /// The word under which a template with `word` descends from `node`: itself, or the wildcard.
    fn key<'a>(&self, node: u32, word: Word, text: &'a str) -> (Word, &'a str) {
        if self.children.contains_key(&(node, word)) {
            return (word, text);
        }
        let numeric = || text.bytes().any(|b| b.is_ascii_digit());
        if self.parametrize_numeric_tokens && numeric() {
            return (PARAMETER, PARAMETER_TEXT);
        }
        // The last place is reserved for the wildcard.
        let shared = usize::from(!self.children.contains_key(&(node, PARAMETER)));
        if (self.nodes[node as usize].children as usize) + shared < self.max_children {
            (word, text)
        } else {
            (PARAMETER, PARAMETER_TEXT)
        }
    }

    fn node(&mut self, words: u32, level: u32, text: &str) -> u32 {
        grow(&mut self.nodes, 1);
        self.nodes.push(Node {
            members: Members::NONE,
            children: 0,
            words,
            level,
            text: text.into(),
            version: 0,
        });
        self.texts += allocation(text.len());
        (self.nodes.len() - 1) as u32
    }

    fn child(&mut self, group: u32, parent: u32, key: Word, text: &str) -> u32 {
        let Node { words, level, .. } = self.nodes[parent as usize];
        let child = self.node(words, level + 1, text);
        self.children.insert((parent, key), child);
        self.nodes[parent as usize].children += 1;
        // Lines that took another path so far may come here from now on.
        self.nodes[group as usize].version += 1;
        self.measure();
        child
    }

    /// The clusters of a leaf.
    #[inline]
    pub fn members(&self, node: u32) -> Members {
        self.nodes[node as usize].members
    }

    /// Adds the cluster of a slot to a leaf.
    pub fn add(&mut self, node: u32, slot: u32, clusters: &mut Clusters) {
        let leaf = &mut self.nodes[node as usize];
        clusters.push_member(&mut leaf.members, node, slot);
        leaf.version += 1;
    }

    /// Removes the cluster of a slot from its leaf. That changes the cluster of no other line.
    pub fn remove(&mut self, slot: u32, clusters: &mut Clusters) {
        let leaf = &mut self.nodes[clusters.get(slot).leaf as usize];
        clusters.remove_member(&mut leaf.members, slot);
    }

    /// A template in the leaf has changed.
    pub fn changed(&mut self, node: u32) {
        self.nodes[node as usize].version += 1;
    }

    /// Touches some of the nodes.
    pub fn prefetch(&self) {
        black_box(self.nodes.first().map(|node| node.version));
    }

    /// Changes whenever lines that are led to this leaf may get another cluster than before.
    #[inline]
    pub fn versions(&self, leaf: Leaf) -> (u64, u64) {
        (
            self.nodes[leaf.group as usize].version,
            self.nodes[leaf.node as usize].version,
        )
    }

    /// Removes all nodes.
    pub fn clear(&mut self) {
        *self = Self::new(
            self.depth,
            self.max_children,
            self.parametrize_numeric_tokens,
        );
    }

    /// Memory without the clusters in bytes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Measures the memory.
    fn measure(&mut self) {
        self.bytes = self.texts
            + vec(&self.nodes)
            + table(self.groups.capacity(), size_of::<(u32, u32)>())
            + table(self.children.capacity(), size_of::<((u32, Word), u32)>());
    }

    /// The parents of all nodes by index; `None` for the node of a number of words.
    pub fn parents(&self) -> Vec<Option<u32>> {
        let mut parents = vec![None; self.nodes.len()];
        for (&(parent, _), &node) in &self.children {
            parents[node as usize] = Some(parent);
        }
        parents
    }

    /// The nodes as saved in a snapshot, parents first; `parents` comes from [`Tree::parents`].
    pub fn saved_nodes<'a>(
        &'a self,
        clusters: &'a Clusters,
        parents: &'a [Option<u32>],
    ) -> impl ExactSizeIterator<Item = SavedNode> + 'a {
        self.nodes
            .iter()
            .zip(parents)
            .map(|(node, &parent)| SavedNode {
                parent,
                key: match node.level {
                    0 => SavedKey::Words(node.words),
                    _ => SavedKey::Word(node.text.to_string()),
                },
                clusters: clusters
                    .of(node.members)
                    .map(|slot| clusters.get(slot).id)
                    .collect(),
            })
    }

    /// Restores the next node of [`Tree::saved_nodes`], and returns its index, which is the one that it had. The caller adds its
    /// clusters.
    ///
    /// # Errors
    /// What is wrong with the node; the tree is then unusable.
    pub fn restore_node(&mut self, saved: &SavedNode) -> Result<u32, StateError> {
        match (&saved.key, saved.parent) {
            (SavedKey::Words(words), None) => {
                let group = self.node(*words, 0, "");
                if self.groups.insert(*words, group).is_some() {
                    return Err(format!("two nodes for {words} words").into());
                }
                self.measure();
            }
            (SavedKey::Word(text), Some(parent)) => {
                let Some(&Node { words, level, .. }) = self.nodes.get(parent as usize) else {
                    return Err("a node comes before its parent".into());
                };
                if level as usize >= self.prefix_len(words as usize) {
                    return Err("a node is below the leaves".into());
                }
                let key = word(text);
                if self.children.contains_key(&(parent, key)) {
                    return Err("two nodes for one word".into());
                }
                let group = self.groups[&words];
                self.child(group, parent, key, text);
            }
            _ => return Err("a node has neither a parent nor a number of words".into()),
        }
        Ok(self.nodes.len() as u32 - 1)
    }

    /// Whether a node is a leaf for templates of `words` words.
    pub fn is_leaf_of(&self, node: u32, words: usize) -> bool {
        let node = &self.nodes[node as usize];
        node.words as usize == words && node.level as usize == self.prefix_len(words)
    }
}
