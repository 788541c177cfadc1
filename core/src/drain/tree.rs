//! The prefix tree: the number of words, then the first words, then a leaf with clusters.
//!
//! Nodes are never removed one by one: in the reference implementation, too, one whose clusters are gone still leads the
//! lines with its words to it, and so decides what they become.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::tokens::{PARAMETER, Tokens};

/// What a node costs: itself, its place among the children of its parent, and the word it holds.
const NODE_BYTES: usize = 160;

/// A node of the tree.
#[derive(Debug, Clone)]
struct Node {
    /// The slots of the clusters here, in the order of their creation; only leaves have any.
    clusters: VecDeque<u32>,
    children: u32,
    /// How many words the lines here have.
    words: u32,
    /// How many of them led here.
    level: u32,
    /// Counts what may change which cluster a line that arrives here gets.
    version: u64,
}

/// Where a line's path ends, and what it depended on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Leaf {
    /// The node of the number of words.
    pub group: u32,
    /// The node with the clusters.
    pub node: u32,
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
    children: FxHashMap<(u32, u32), u32>,
    bytes: usize,
}

/// A node as a snapshot holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct SavedNode {
    /// The index of the parent among the nodes saved, or `None` for a node of a number of words.
    parent: Option<u32>,
    /// The word that leads here from the parent, or the number of words.
    key: SavedKey,
    /// The ids of the clusters here.
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
            bytes: 0,
        }
    }

    /// How many words a line of so many is led by.
    fn steps(&self, words: usize) -> usize {
        (self.depth - 2).min(words).saturating_sub(1)
    }

    /// The leaf that a line of these words is led to.
    #[inline]
    pub fn search(&self, line: &[u32]) -> Option<Leaf> {
        let group = *self.groups.get(&(line.len() as u32))?;
        let mut node = group;
        for &word in &line[..self.steps(line.len())] {
            node = match self.children.get(&(node, word)) {
                Some(&child) => child,
                None => *self.children.get(&(node, PARAMETER))?,
            };
        }
        Some(Leaf { group, node })
    }

    /// The leaf that a template of these words belongs to, made where there is none.
    pub fn leaf_for(&mut self, template: &[u32], tokens: &mut Tokens) -> Leaf {
        let group = match self.groups.get(&(template.len() as u32)) {
            Some(&group) => group,
            None => {
                let group = self.node(template.len() as u32, 0);
                self.groups.insert(template.len() as u32, group);
                group
            }
        };
        let mut node = group;
        for &word in &template[..self.steps(template.len())] {
            let key = self.key(node, word, tokens);
            node = match self.children.get(&(node, key)) {
                Some(&child) => child,
                None => self.child(group, node, key, tokens),
            };
        }
        Leaf { group, node }
    }

    /// The word under which a template with `word` goes down from `node`: itself, or the one that all others share.
    fn key(&self, node: u32, word: u32, tokens: &Tokens) -> u32 {
        if self.children.contains_key(&(node, word)) {
            return word;
        }
        let numeric = || tokens.text(word).bytes().any(|b| b.is_ascii_digit());
        if self.parametrize_numeric_tokens && numeric() {
            return PARAMETER;
        }
        // The last place is kept for the child that all others share.
        let shared = usize::from(!self.children.contains_key(&(node, PARAMETER)));
        if (self.nodes[node as usize].children as usize) + shared < self.max_children {
            word
        } else {
            PARAMETER
        }
    }

    fn node(&mut self, words: u32, level: u32) -> u32 {
        self.nodes.push(Node {
            clusters: VecDeque::new(),
            children: 0,
            words,
            level,
            version: 0,
        });
        self.bytes += NODE_BYTES;
        (self.nodes.len() - 1) as u32
    }

    fn child(&mut self, group: u32, parent: u32, key: u32, tokens: &mut Tokens) -> u32 {
        let Node { words, level, .. } = self.nodes[parent as usize];
        let child = self.node(words, level + 1);
        tokens.hold_again(key);
        self.bytes += tokens.text(key).len();
        self.children.insert((parent, key), child);
        self.nodes[parent as usize].children += 1;
        // Lines that went another way so far may come here from now on.
        self.nodes[group as usize].version += 1;
        child
    }

    /// The slots of the clusters of a leaf.
    #[inline]
    pub fn clusters(&self, node: u32) -> &VecDeque<u32> {
        &self.nodes[node as usize].clusters
    }

    /// Adds the cluster of a slot to a leaf.
    pub fn add(&mut self, node: u32, slot: u32) {
        let leaf = &mut self.nodes[node as usize];
        leaf.clusters.push_back(slot);
        leaf.version += 1;
        self.bytes += size_of::<u32>();
    }

    /// Takes the cluster of a slot from a leaf. No other line's cluster is another for that.
    pub fn remove(&mut self, node: u32, slot: u32) {
        let clusters = &mut self.nodes[node as usize].clusters;
        if let Some(at) = clusters.iter().position(|&s| s == slot) {
            clusters.remove(at);
            self.bytes -= size_of::<u32>();
        }
    }

    /// A template in the leaf has changed.
    pub fn changed(&mut self, node: u32) {
        self.nodes[node as usize].version += 1;
    }

    /// Grows whenever lines led to this leaf may get another cluster than before.
    #[inline]
    pub fn versions(&self, leaf: Leaf) -> (u64, u64) {
        (
            self.nodes[leaf.group as usize].version,
            self.nodes[leaf.node as usize].version,
        )
    }

    /// Forgets all nodes.
    pub fn clear(&mut self, tokens: &mut Tokens) {
        for &(_, word) in self.children.keys() {
            tokens.release(word);
        }
        self.nodes = Vec::new();
        self.groups = FxHashMap::default();
        self.children = FxHashMap::default();
        self.bytes = 0;
    }

    /// About how much memory the tree takes, without the clusters.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// All nodes, parents before children; `id` gives the id of the cluster of a slot.
    pub fn save(&self, tokens: &Tokens, id: impl Fn(u32) -> u64) -> Vec<SavedNode> {
        let mut saved: Vec<SavedNode> = self
            .nodes
            .iter()
            .map(|node| SavedNode {
                parent: None,
                key: SavedKey::Words(0),
                clusters: node.clusters.iter().map(|&slot| id(slot)).collect(),
            })
            .collect();
        for (&words, &node) in &self.groups {
            saved[node as usize].key = SavedKey::Words(words);
        }
        for (&(parent, word), &node) in &self.children {
            let node = &mut saved[node as usize];
            node.parent = Some(parent);
            node.key = SavedKey::Word(tokens.text(word).to_owned());
        }
        saved
    }

    /// Restores the nodes that [`Tree::save`] gave; their clusters are left to the caller, whose leaves have the indices
    /// that they had.
    ///
    /// # Errors
    /// What is wrong with the nodes; the tree is then of no use.
    pub fn restore(&mut self, saved: &[SavedNode], tokens: &mut Tokens) -> Result<(), String> {
        self.clear(tokens);
        for node in saved {
            match (&node.key, node.parent) {
                (SavedKey::Words(words), None) => {
                    let group = self.node(*words, 0);
                    if self.groups.insert(*words, group).is_some() {
                        return Err(format!("two nodes for {words} words"));
                    }
                }
                (SavedKey::Word(word), Some(parent)) => {
                    let Some(&Node { words, level, .. }) = self.nodes.get(parent as usize) else {
                        return Err("a node comes before its parent".into());
                    };
                    if level as usize >= self.steps(words as usize) {
                        return Err("a node below the leaves".into());
                    }
                    let key = tokens.hold(word);
                    if self.children.contains_key(&(parent, key)) {
                        return Err("two nodes for one word".into());
                    }
                    let group = self.groups[&words];
                    self.child(group, parent, key, tokens);
                    tokens.release(key);
                }
                _ => return Err("a node without a place".into()),
            }
        }
        Ok(())
    }

    /// Whether a node is where templates of so many words are.
    pub fn is_leaf_of(&self, node: u32, words: usize) -> bool {
        let node = &self.nodes[node as usize];
        node.words as usize == words && node.level as usize == self.steps(words)
    }
}
