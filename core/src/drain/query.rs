//! Read-only queries: clusters, templates and parameters.

use super::tree::Found;
use super::words::PARAMETER;
use super::{ClusterView, Config, Miner, Scratch, mask, parameters};

impl Miner {
    /// The cluster whose template matches a line word by word. Learns nothing from the line.
    pub fn find(&self, line: &str) -> Option<u64> {
        let mut scratch = Scratch::default();
        let Config { masks, .. } = &*self.config;
        masks.apply(
            self.config.truncated(line),
            &mut scratch.masked,
            &mut scratch.spare,
        );
        scratch.split(&self.config.separators, self.config.options.max_tokens);
        let Found { leaf, .. } = self.tree.search(&scratch.line)?;
        let mut best: Option<(usize, u64)> = None;
        for slot in self.clusters.of(self.tree.members(leaf.node)) {
            let cluster = self.clusters.get(slot);
            let mut words = cluster.words().iter().zip(&scratch.line);
            if !words.all(|(word, other)| word == other || *word == PARAMETER) {
                continue;
            }
            let parameters = parameters(cluster.words());
            if best.is_none_or(|(most, _)| parameters > most) {
                best = Some((parameters, cluster.id));
            }
        }
        best.map(|(_, id)| id)
    }

    /// The cluster that the masked line in `scratch` would join, if it would not start one. Learns nothing from it; the work is
    /// bounded as for a line that is added.
    pub(crate) fn joins(&mut self, scratch: &mut Scratch) -> Option<u64> {
        self.split(scratch);
        let Found { leaf, .. } = self.tree.search(&scratch.line)?;
        let slot = self.most_similar(leaf, &scratch.line)?;
        Some(self.clusters.get(slot).id)
    }

    /// The clusters whose templates `template` covers: word by word the same, where [`PARAMETER_TEXT`](super::PARAMETER_TEXT) in it
    /// stands for any word.
    pub(crate) fn instances(&self, template: &str) -> Vec<u64> {
        let mut scratch = Scratch::default();
        scratch.masked.push_str(self.config.truncated(template));
        scratch.split(&self.config.separators, self.config.options.max_tokens);
        let Some(Found { leaf, .. }) = self.tree.search(&scratch.line) else {
            return Vec::new();
        };
        let clusters = self.clusters.of(self.tree.members(leaf.node));
        let covered = clusters
            .map(|slot| self.clusters.get(slot))
            .filter(|cluster| {
                let words = cluster.words();
                words.len() == scratch.line.len()
                    && words
                        .iter()
                        .zip(&scratch.line)
                        .all(|(word, of_template)| word == of_template || *of_template == PARAMETER)
            });
        covered.map(|cluster| cluster.id).collect()
    }

    /// The template of a cluster, or `None` if there is no such cluster (any more).
    pub fn template(&self, cluster: u64) -> Option<&str> {
        let slot = self.clusters.slot(cluster)?;
        Some(self.clusters.get(slot).text())
    }

    /// Number of lines of a cluster, or `None` if there is no such cluster (any more).
    pub fn size(&self, cluster: u64) -> Option<u64> {
        let slot = self.clusters.slot(cluster)?;
        Some(self.clusters.get(slot).size)
    }

    /// The parts of `line` at the placeholders of the template of `cluster`, in order; empty if the template does not match the
    /// line.
    pub fn parameters<'a>(&self, cluster: u64, line: &'a str) -> Vec<&'a str> {
        let Some(slot) = self.clusters.slot(cluster) else {
            return Vec::new();
        };
        let template = self.clusters.get(slot);
        let line = self.config.truncated(line);
        let (masked, spans) = self.config.masks.spans(line);
        let Config {
            separators,
            options,
            ..
        } = &*self.config;
        let mut words = Vec::new();
        separators.split(&masked, options.max_tokens, &mut words);
        let fits = template.words().len() == words.len()
            && template
                .texts()
                .zip(&words)
                .all(|((word, text), &(from, to))| word == PARAMETER || *text == masked[from..to]);
        if !fits {
            return Vec::new();
        }
        let mut values = Vec::new();
        for (&word, &(from, to)) in template.words().iter().zip(&words) {
            if word == PARAMETER {
                let (from, to) = (
                    mask::origin(&spans, from, false),
                    mask::origin(&spans, to, true),
                );
                values.push(&line[from..to]);
            } else {
                let first = spans.partition_point(|s| s.masked < from);
                let within = spans[first..].iter().take_while(|s| s.masked < to);
                values.extend(within.map(|s| &line[s.from..s.to]));
            }
        }
        values
    }

    /// All clusters, least recently used first.
    pub fn clusters(&self) -> impl Iterator<Item = ClusterView<'_>> + '_ {
        self.clusters.by_recency().map(|slot| {
            let cluster = self.clusters.get(slot);
            ClusterView {
                id: cluster.id,
                size: cluster.size,
                template: cluster.text(),
            }
        })
    }
}
