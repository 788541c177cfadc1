//! Half-space trees (Tan, Ting and Liu 2011, "Fast anomaly detection for streaming data", algorithms 1 to 3).

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::Machine;

/// The parameters of the paper: trees, depth, rows per window, and the smallest mass of a node that is split.
const TREES: usize = 25;
const DEPTH: usize = 15;
const WINDOW_ROWS: usize = 250;
const SIZE_LIMIT: f64 = 0.1 * WINDOW_ROWS as f64;

/// A tree, its nodes in breadth-first order: the children of node `i` are `2 i + 1` and `2 i + 2`.
struct Tree {
    /// The channel and the value at which each inner node splits.
    splits: Vec<(usize, f64)>,
    /// Rows of the last window and of this one in each node.
    reference: Vec<u32>,
    latest: Vec<u32>,
}

impl Tree {
    fn new(rng: &mut ChaCha8Rng, channels: usize) -> Self {
        // The work space of each channel, around a random center (section 3).
        let space = (0..channels).map(|_| {
            let center: f64 = rng.random_range(0.0..1.0);
            let half = 2.0 * center.max(1.0 - center);
            (center - half, center + half)
        });
        let mut spaces: Vec<Vec<(f64, f64)>> = vec![space.collect()];
        let mut splits = Vec::new();
        for at in 0..(1 << DEPTH) - 1 {
            let channel = rng.random_range(0..channels);
            let space = std::mem::take(&mut spaces[at]);
            let (from, to) = space[channel];
            let middle = 0.5 * (from + to);
            splits.push((channel, middle));
            let mut left = space.clone();
            left[channel] = (from, middle);
            let mut right = space;
            right[channel] = (middle, to);
            spaces.extend([left, right]);
        }
        let nodes = (1 << (DEPTH + 1)) - 1;
        Self {
            splits,
            reference: vec![0; nodes],
            latest: vec![0; nodes],
        }
    }

    /// The mass of a row's region in the last window (algorithm 3), and counts the row in this window.
    fn pass(&mut self, row: &[f64]) -> f64 {
        let (mut at, mut mass) = (0, None);
        for depth in 0..=DEPTH {
            self.latest[at] += 1;
            let here = f64::from(self.reference[at]);
            if mass.is_none() && (here <= SIZE_LIMIT || depth == DEPTH) {
                mass = Some(here * f64::from(1_u32 << depth));
            }
            if let Some((channel, middle)) = self.splits.get(at) {
                at = 2 * at + if row[*channel] < *middle { 1 } else { 2 };
            }
        }
        mass.unwrap_or_default()
    }
}

/// The score of each row; the channels go from 0 to 1.
pub fn scores(machine: &Machine) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut trees: Vec<Tree> = (0..TREES)
        .map(|_| Tree::new(&mut rng, machine.channels))
        .collect();
    let mut scores = Vec::new();
    for (at, row) in machine.rows().enumerate() {
        let mass: f64 = trees.iter_mut().map(|tree| tree.pass(row)).sum();
        scores.push(if at < WINDOW_ROWS { f64::NAN } else { -mass });
        if (at + 1) % WINDOW_ROWS == 0 {
            for tree in &mut trees {
                std::mem::swap(&mut tree.reference, &mut tree.latest);
                tree.latest.fill(0);
            }
        }
    }
    scores
}
