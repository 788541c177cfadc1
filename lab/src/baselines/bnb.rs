//! Branch and Border (Hooi, Faloutsos, "Branch and Border: Partition-Based Change Detection in Multivariate Time Series",
//! SDM 2019).
//!
//! Random trees partition the points of all rows. Around a row, the window before it and the window after it each fall into
//! some of the nodes of a tree. The deeper a node that holds points of both, the more alike the windows are; where, on average
//! over the trees, only shallow nodes do, the series changes.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Points that the online form grows its trees on, the first of the series, as its authors do.
const ONLINE_POINTS: usize = 250;

/// The paper's parameters.
pub struct Options {
    /// How many trees.
    pub trees: usize,
    /// Rows of each of the two windows.
    pub window: usize,
    /// The greatest height of a tree.
    pub height: usize,
}

/// How much the series changes at each row, 1 to 1 + height; NaN in the first window and the last but one row of it, where
/// there is none on either side. The row is the first of the window after.
pub fn offline(rows: &[Vec<f64>], options: &Options, seed: u64) -> Vec<f64> {
    scores(rows, options, seed, |rng| {
        let mut partition = Partition::new(rows.len());
        let mut points: Vec<usize> = (0..rows.len()).collect();
        partition.grow(rng, rows, &mut points, &mut Vec::new(), options.height);
        partition
    })
}

/// [`offline`] with trees that are grown on the first rows alone, into which those that come later are sorted.
pub fn online(rows: &[Vec<f64>], options: &Options, seed: u64) -> Vec<f64> {
    let known = &rows[..rows.len().min(ONLINE_POINTS)];
    scores(rows, options, seed, |rng| {
        let mut partition = Partition::new(rows.len());
        let mut points: Vec<usize> = (0..known.len()).collect();
        let all: Vec<usize> = (0..rows.len()).collect();
        partition.grow_online(rng, rows, &mut points, all, &mut Vec::new(), options.height);
        partition
    })
}

/// Rows whose score is above those beside it.
pub fn peaks(scores: &[f64]) -> Vec<usize> {
    let lower = |beside: f64, score: f64| beside.is_nan() || beside < score;
    (1..scores.len().saturating_sub(1))
        .filter(|&row| {
            let score = scores[row];
            !score.is_nan() && lower(scores[row - 1], score) && lower(scores[row + 1], score)
        })
        .collect()
}

fn scores(
    rows: &[Vec<f64>],
    options: &Options,
    seed: u64,
    mut partition: impl FnMut(&mut ChaCha8Rng) -> Partition,
) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut sums = vec![f64::NAN; rows.len()];
    let window = options.window;
    if rows.len() < 2 * window {
        return sums;
    }
    sums[window..=rows.len() - window].fill(0.0);
    for _ in 0..options.trees {
        partition(&mut rng).add_border_depths(&mut sums, window);
    }
    sums.into_iter()
        .map(|sum| 1.0 + options.height as f64 - sum / options.trees as f64)
        .collect()
}

/// The inner nodes of one tree: each has a depth, and each row is in those on its way from the root.
struct Partition {
    depths: Vec<usize>,
    nodes_of: Vec<Vec<usize>>,
}

impl Partition {
    fn new(rows: usize) -> Self {
        Self {
            depths: Vec::new(),
            nodes_of: vec![Vec::new(); rows],
        }
    }

    /// Splits `points` at random places: the mean of two uniform draws between the least and the greatest value of a feature.
    fn grow(
        &mut self,
        rng: &mut ChaCha8Rng,
        rows: &[Vec<f64>],
        points: &mut [usize],
        way: &mut Vec<usize>,
        height: usize,
    ) {
        if points.len() <= 1 || way.len() == height {
            self.end(points, way);
            return;
        }
        self.enter(way);
        let feature = rng.random_range(0..rows[0].len());
        let values = points.iter().map(|&row| rows[row][feature]);
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
            (low.min(v), high.max(v))
        });
        let at = between(rng, low, high);
        let split = partition(points, |row| rows[row][feature] < at);
        let (below, above) = points.split_at_mut(split);
        self.grow(rng, rows, below, way, height);
        self.grow(rng, rows, above, way, height);
        way.pop();
    }

    /// Splits the `known` points between two of them, and sorts `all` rows by the same splits.
    fn grow_online(
        &mut self,
        rng: &mut ChaCha8Rng,
        rows: &[Vec<f64>],
        known: &mut [usize],
        all: Vec<usize>,
        way: &mut Vec<usize>,
        height: usize,
    ) {
        if known.len() <= 1 || way.len() == height {
            self.end(&all, way);
            return;
        }
        self.enter(way);
        let feature = rng.random_range(0..rows[0].len());
        let pair = rand::seq::index::sample(rng, known.len(), 2);
        let value = |at: usize| rows[known[pair.index(at)]][feature];
        let at = between(rng, value(0), value(1));
        let is_below = |row: usize| rows[row][feature] < at;
        let (all_below, all_above) = all.into_iter().partition(|&row| is_below(row));
        let split = partition(known, is_below);
        let (below, above) = known.split_at_mut(split);
        self.grow_online(rng, rows, below, all_below, way, height);
        self.grow_online(rng, rows, above, all_above, way, height);
        way.pop();
    }

    fn enter(&mut self, way: &mut Vec<usize>) {
        self.depths.push(way.len());
        way.push(self.depths.len() - 1);
    }

    fn end(&mut self, rows: &[usize], way: &[usize]) {
        for &row in rows {
            self.nodes_of[row] = way.to_vec();
        }
    }

    /// Adds, to each row with a window on either side, the depth of the deepest node with points of both.
    fn add_border_depths(&self, sums: &mut [f64], window: usize) {
        let mut before = vec![0u32; self.depths.len()];
        let mut after = before.clone();
        // How many nodes of each depth hold points of both windows.
        let mut shared = vec![0usize; self.depths.iter().max().map_or(1, |depth| depth + 1)];
        let mut update = |side: &mut [u32], other: &[u32], row: usize, enters: bool| {
            for &node in &self.nodes_of[row] {
                let was = side[node];
                side[node] = if enters { was + 1 } else { was - 1 };
                if other[node] > 0 {
                    match (was, side[node]) {
                        (0, 1) => shared[self.depths[node]] += 1,
                        (1, 0) => shared[self.depths[node]] -= 1,
                        _ => {}
                    }
                }
            }
            shared.iter().rposition(|nodes| *nodes > 0).unwrap_or(0)
        };
        let mut deepest = 0;
        for row in 0..window {
            update(&mut before, &after, row, true);
            deepest = update(&mut after, &before, row + window, true);
        }
        sums[window] += deepest as f64;
        for row in window..self.nodes_of.len() - window {
            update(&mut before, &after, row, true);
            update(&mut before, &after, row - window, false);
            update(&mut after, &before, row + window, true);
            sums[row + 1] += update(&mut after, &before, row, false) as f64;
        }
    }
}

/// The mean of two uniform draws between `a` and `b`.
fn between(rng: &mut ChaCha8Rng, a: f64, b: f64) -> f64 {
    let middle = (rng.random::<f64>() + rng.random::<f64>()) / 2.0;
    a + middle * (b - a)
}

/// Moves the rows of which `is_first` holds to the front, and gives how many they are.
fn partition(rows: &mut [usize], is_first: impl Fn(usize) -> bool) -> usize {
    let mut first = 0;
    for at in 0..rows.len() {
        if is_first(rows[at]) {
            rows.swap(at, first);
            first += 1;
        }
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baselines::reference;

    #[test]
    fn scores_are_those_of_the_authors() {
        for case in reference::cases("bnb") {
            let rows = reference::matrix(&case["rows"]);
            let options = Options {
                trees: 2000,
                window: case["window"].as_u64().unwrap() as usize,
                height: case["height"].as_u64().unwrap() as usize,
            };
            for (form, scores) in [
                ("offline", offline(&rows, &options, 1)),
                ("online", online(&rows, &options, 1)),
            ] {
                let expected = reference::vector(&case[form]);
                assert_eq!(scores.len(), expected.len());
                for (row, (score, expected)) in scores.iter().zip(expected).enumerate() {
                    assert_eq!(score.is_nan(), expected.is_nan(), "{form}, row {row}");
                    // Both are means over 2000 random trees, of depths that differ by some two.
                    let near = (score - expected).abs() < 0.3;
                    assert!(
                        near || score.is_nan(),
                        "{form}, row {row}: {score}, not {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_peak_is_above_its_neighbors() {
        let nan = f64::NAN;
        assert_eq!(peaks(&[nan, 2.0, 1.0, 3.0, 3.0, 4.0, nan]), [1, 5]);
    }

    #[test]
    fn a_series_shorter_than_two_windows_has_no_score() {
        let options = Options {
            trees: 2,
            window: 5,
            height: 4,
        };
        assert!(
            offline(&vec![vec![1.0]; 9], &options, 1)
                .iter()
                .all(|s| s.is_nan())
        );
    }
}
