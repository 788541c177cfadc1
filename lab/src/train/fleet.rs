//! The templates of a fleet, and its log lines as log keys.

use std::collections::BTreeSet;

use anyhow::Result;
use bellwether_core::drain::{DrainOptions, Miner};
use bellwether_core::model::{KEYS_MAX, Vocabulary};

/// Maximum memory of templates while they are learned, in bytes.
const LEARNING_MAX_BYTES: usize = 256 << 20;
/// Number of templates while they are learned, of which the most frequent ones stay.
const LEARNING_MAX: usize = 65_536;

/// The templates of some lines, at most as many as a model may have: those of most lines, in the order in which they were first
/// seen.
///
/// # Errors
/// Options that contradict each other.
pub fn templates<'a>(
    options: &DrainOptions,
    lines: impl Iterator<Item = &'a str>,
) -> Result<Vec<String>> {
    let mut miner = Miner::new(DrainOptions {
        max_clusters: LEARNING_MAX,
        max_bytes: LEARNING_MAX_BYTES,
        ..options.clone()
    })?;
    for line in lines {
        miner.add(line);
    }
    let mut clusters: Vec<_> = miner.clusters().collect();
    clusters.sort_unstable_by_key(|cluster| (std::cmp::Reverse(cluster.size), cluster.id));
    clusters.truncate(KEYS_MAX - 1);
    clusters.sort_unstable_by_key(|cluster| cluster.id);
    // Two clusters may become the same template in the end.
    let mut seen = BTreeSet::new();
    clusters.retain(|cluster| seen.insert(cluster.template));
    Ok(clusters
        .iter()
        .map(|cluster| cluster.template.to_owned())
        .collect())
}

/// The keys of lines by a vocabulary.
pub fn keys<'a>(vocabulary: &mut Vocabulary, lines: impl Iterator<Item = &'a str>) -> Vec<u32> {
    lines.map(|line| vocabulary.key(line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_that_templates_were_learned_from_have_keys_and_others_have_none() {
        let options = DrainOptions::default();
        let lines = [
            "session 1 opened for root",
            "link eth0 is up",
            "session 2 opened for daemon",
            "link eth1 is down",
            "a line by itself",
        ];
        let templates = templates(&options, lines.into_iter()).unwrap();
        assert_eq!(templates.len(), 3);
        let mut vocabulary = Vocabulary::new(&options, &templates).unwrap();
        assert_eq!(keys(&mut vocabulary, lines.into_iter()), [1, 2, 1, 2, 3]);
        let other = "quantum flux inverted beyond all measure";
        assert_eq!(keys(&mut vocabulary, [other].into_iter()), [0]);
    }
}
