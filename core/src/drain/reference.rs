//! A reference implementation of Drain, as simple as possible, for tests of the fast one.

use std::collections::HashMap;

use super::builtin;
use super::{Change, DrainOptions, PARAMETER_TEXT};

#[derive(Default)]
struct Node {
    children: HashMap<String, Node>,
    clusters: Vec<u64>,
}

struct Cluster {
    id: u64,
    size: u64,
    template: Vec<String>,
}

pub(super) struct Reference {
    options: DrainOptions,
    root: HashMap<usize, Node>,
    /// Least recently used first.
    clusters: Vec<Cluster>,
    created: u64,
}

impl Reference {
    pub fn new(options: DrainOptions) -> Self {
        Self {
            options,
            root: HashMap::new(),
            clusters: Vec::new(),
            created: 0,
        }
    }

    /// All clusters as (id, size, template), least recently used first.
    pub fn clusters(&self) -> Vec<(u64, u64, String)> {
        let all = self.clusters.iter();
        all.map(|c| (c.id, c.size, c.template.join(" "))).collect()
    }

    fn split(&self, line: &str) -> Vec<String> {
        let mut masked = String::new();
        builtin::mask(line, &mut masked, |_| {});
        for delimiter in self.options.extra_delimiters.chars() {
            masked = masked.replace(delimiter, " ");
        }
        masked.split_whitespace().map(str::to_owned).collect()
    }

    fn prefix_len(&self, words: usize) -> usize {
        (self.options.depth - 2).min(words).saturating_sub(1)
    }

    fn search(&self, line: &[String]) -> Option<&Node> {
        let mut node = self.root.get(&line.len())?;
        for word in &line[..self.prefix_len(line.len())] {
            let own = node.children.get(word);
            node = own.or_else(|| node.children.get(PARAMETER_TEXT))?;
        }
        Some(node)
    }

    fn get(&self, id: u64) -> Option<&Cluster> {
        self.clusters.iter().find(|c| c.id == id)
    }

    pub fn add(&mut self, line: &str) -> (u64, Change) {
        let line = self.split(line);
        match self.best(&line) {
            None => (self.create(line), Change::New),
            Some(id) => {
                let at = self.clusters.iter().position(|c| c.id == id).unwrap();
                let mut cluster = self.clusters.remove(at);
                let before = cluster.template.clone();
                for (word, other) in cluster.template.iter_mut().zip(&line) {
                    if word != other {
                        *word = PARAMETER_TEXT.into();
                    }
                }
                cluster.size += 1;
                let same = cluster.template == before;
                self.clusters.push(cluster);
                (id, if same { Change::None } else { Change::Template })
            }
        }
    }

    fn best(&self, line: &[String]) -> Option<u64> {
        let leaf = self.search(line)?;
        if line.is_empty() {
            return self.get(*leaf.clusters.first()?).map(|c| c.id);
        }
        let mut best: Option<(f64, usize, u64)> = None;
        for cluster in leaf.clusters.iter().filter_map(|&id| self.get(id)) {
            let pairs = || cluster.template.iter().zip(line);
            let parameters = pairs().filter(|(word, _)| *word == PARAMETER_TEXT).count();
            let same = pairs()
                .filter(|(word, other)| *word != PARAMETER_TEXT && word == other)
                .count();
            let similarity = same as f64 / line.len() as f64;
            if best.is_none_or(|(most, more, _)| {
                similarity > most || similarity == most && parameters > more
            }) {
                best = Some((similarity, parameters, cluster.id));
            }
        }
        let (similarity, _, id) = best?;
        (similarity >= self.options.sim_th).then_some(id)
    }

    fn create(&mut self, template: Vec<String>) -> u64 {
        self.created += 1;
        let id = self.created;
        if self.clusters.len() == self.options.max_clusters {
            self.clusters.remove(0);
        }
        let prefix_len = self.prefix_len(template.len());
        let mut node = self.root.entry(template.len()).or_default();
        for word in &template[..prefix_len] {
            let numeric =
                self.options.parametrize_numeric_tokens && word.chars().any(|c| c.is_ascii_digit());
            let shared = node.children.contains_key(PARAMETER_TEXT);
            let room = node.children.len() + usize::from(!shared) < self.options.max_children;
            let own = node.children.contains_key(word) || !numeric && room;
            let key = if own { word } else { PARAMETER_TEXT };
            node = node.children.entry(key.to_owned()).or_default();
        }
        if template.is_empty() {
            node.clusters.clear();
        }
        node.clusters.push(id);
        self.clusters.push(Cluster {
            id,
            size: 1,
            template,
        });
        id
    }
}
