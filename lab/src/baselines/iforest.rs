//! Isolation Forest (Liu, Ting, Zhou 2008): points that random splits isolate early are anomalous.

use rand::seq::index;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Euler's constant.
const EULER: f64 = 0.577_215_664_901_532_9;

enum Node {
    Leaf {
        points: usize,
    },
    Split {
        feature: usize,
        at: f64,
        below: Box<Node>,
        above: Box<Node>,
    },
}

/// Trees that were grown on some points.
pub struct Forest {
    trees: Vec<Node>,
    subsample: usize,
}

impl Forest {
    /// Grows `trees` trees, each on `subsample` points drawn from `points`, to the height at which an average tree ends.
    pub fn new(points: &[Vec<f64>], trees: usize, subsample: usize, seed: u64) -> Self {
        let subsample = subsample.min(points.len());
        let height = (subsample as f64).log2().ceil() as usize;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let trees = (0..trees)
            .map(|_| {
                let drawn = index::sample(&mut rng, points.len(), subsample);
                let mut drawn: Vec<&[f64]> = drawn.iter().map(|at| points[at].as_slice()).collect();
                grow(&mut rng, &mut drawn, height)
            })
            .collect();
        Self { trees, subsample }
    }

    /// How anomalous a point is: 0 to 1; 0.5 is as usual (equation 2 of the paper).
    pub fn score(&self, point: &[f64]) -> f64 {
        let depths: f64 = self.trees.iter().map(|tree| depth(tree, point)).sum();
        let mean = depths / self.trees.len() as f64;
        let usual = path_length(self.subsample);
        if usual > 0.0 {
            (-mean / usual * std::f64::consts::LN_2).exp()
        } else {
            0.5
        }
    }
}

/// The average path to a point in a binary search tree of `points` points (equation 1 of the paper).
fn path_length(points: usize) -> f64 {
    match points {
        0 | 1 => 0.0,
        2 => 1.0,
        _ => {
            let n = points as f64;
            2.0 * ((n - 1.0).ln() + EULER) - 2.0 * (n - 1.0) / n
        }
    }
}

fn grow(rng: &mut ChaCha8Rng, points: &mut [&[f64]], height: usize) -> Node {
    let leaf = Node::Leaf {
        points: points.len(),
    };
    if height == 0 || points.len() <= 1 {
        return leaf;
    }
    // Features in random order, until one has two values.
    let features = points[0].len();
    let order = index::sample(rng, features, features);
    let ranges = order.into_iter().map(|feature| {
        let values = points.iter().map(|point| point[feature]);
        let ends = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
            (low.min(v), high.max(v))
        });
        (feature, ends)
    });
    let Some((feature, (low, high))) = { ranges }.find(|(_, (low, high))| low < high) else {
        return leaf;
    };
    let at = rng.random_range(low..high);
    let mut split = 0;
    for i in 0..points.len() {
        if points[i][feature] <= at {
            points.swap(i, split);
            split += 1;
        }
    }
    let (below, above) = points.split_at_mut(split);
    Node::Split {
        feature,
        at,
        below: Box::new(grow(rng, below, height - 1)),
        above: Box::new(grow(rng, above, height - 1)),
    }
}

fn depth(mut node: &Node, point: &[f64]) -> f64 {
    let mut passed = 0.0;
    loop {
        match node {
            Node::Leaf { points } => return passed + path_length(*points),
            Node::Split {
                feature,
                at,
                below,
                above,
            } => {
                node = if point[*feature] <= *at { below } else { above };
                passed += 1.0;
            }
        }
    }
}

/// What a row is like over all VMs, for the form with features: mean, standard deviation, median, least, most, and mean change
/// since the row before.
pub fn features(rows: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let mut before: Option<&Vec<f64>> = None;
    rows.iter()
        .map(|row| {
            let n = row.len() as f64;
            let mean = row.iter().sum::<f64>() / n;
            let variance = row.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n;
            let mut sorted = row.clone();
            sorted.sort_unstable_by(f64::total_cmp);
            let change = before.map_or(0.0, |before| {
                let changes = row.iter().zip(before).map(|(now, then)| (now - then).abs());
                changes.sum::<f64>() / n
            });
            before = Some(row);
            let (least, most) = (sorted[0], sorted[sorted.len() - 1]);
            vec![
                mean,
                variance.sqrt(),
                sorted[sorted.len() / 2],
                least,
                most,
                change,
            ]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baselines::reference;

    #[test]
    fn scores_are_those_of_scikit_learn() {
        for case in reference::cases("iforest") {
            let points = reference::matrix(&case["points"]);
            let expected = reference::vector(&case["scores"]);
            let subsample = case["subsample"].as_u64().unwrap() as usize;
            let forest = Forest::new(&points, 3000, subsample, 1);
            for (point, expected) in points.iter().zip(expected) {
                let score = forest.score(point);
                // Both are means over 3000 random trees.
                assert!((score - expected).abs() < 0.012, "{score}, not {expected}");
            }
        }
    }

    #[test]
    fn a_point_far_off_is_the_most_anomalous() {
        let mut points: Vec<Vec<f64>> = (0..100)
            .map(|i| vec![f64::from(i % 10), f64::from(i / 10)])
            .collect();
        points.push(vec![50.0, 50.0]);
        let forest = Forest::new(&points, 100, 256, 2);
        let far = forest.score(&points[100]);
        assert!(far > 0.7 && points[..100].iter().all(|p| forest.score(p) < far - 0.1));
    }

    #[test]
    fn features_of_a_row_are_over_its_vms() {
        let features = features(&[vec![1.0, 2.0, 6.0], vec![2.0, 2.0, 5.0]]);
        assert_eq!(features[0][0], 3.0);
        assert!((features[0][1] - (14.0f64 / 3.0).sqrt()).abs() < 1e-12);
        assert_eq!(features[0][2..], [2.0, 1.0, 6.0, 0.0]);
        assert!((features[1][5] - 2.0 / 3.0).abs() < 1e-12);
    }
}
