//! EXPoSE over log keys (M. Schneider, W. Ertel, F. Ramos, "Expected similarity estimation for large-scale batch and streaming
//! anomaly detection", Machine Learning 105, 2016), as the detector of the Numenta Anomaly Benchmark defines it: with decay, a
//! Gaussian kernel on the numbers of the keys approximated by random features, a score made to lie between 0 and 1.
//!
//! What the features miss of the kernel is a part of the published results: scores differ by less than that, and the exact
//! kernel does better.

use std::collections::HashMap;
use std::f64::consts::TAU;
use std::sync::{LazyLock, PoisonError, RwLock};

use rand_mt::Mt;

/// The weight of the newest key in the model of all.
const DECAY: f64 = 0.01;
/// Random features, and the seed that NAB's detector draws them from.
const FEATURES: usize = 20_000;
const SEED: u32 = 290;
/// What random features may make of a similarity beyond 0 and 1, for which NAB's detector makes room.
const MARGIN: f64 = 0.02;

/// The approximated kernel. A feature of the key x is the square root of 2/n times cos(w x + b); by the product of cosines, that
/// of two keys is the mean of cos(w (x - y)) plus the mean of cos(w (x + y) + 2 b), and both need to be found once.
struct Kernel {
    frequencies: Vec<f64>,
    offsets: Vec<f64>,
    by_difference: RwLock<HashMap<u64, f64>>,
    by_sum: RwLock<HashMap<u64, f64>>,
}

static KERNEL: LazyLock<Kernel> = LazyLock::new(Kernel::new);

/// A number from 0 to below 1, as numpy's `RandomState` makes it of two words.
fn uniform(random: &mut Mt) -> f64 {
    let (high, low) = (random.next_u32() >> 5, random.next_u32() >> 6);
    (f64::from(high) * f64::from(1 << 26) + f64::from(low)) / (1_u64 << 53) as f64
}

/// Two normal numbers, as numpy's `RandomState` makes them (the polar method of G. Marsaglia), in its order.
fn normals(random: &mut Mt) -> [f64; 2] {
    loop {
        let (x, y) = (2.0 * uniform(random) - 1.0, 2.0 * uniform(random) - 1.0);
        let square = x * x + y * y;
        if square < 1.0 && square != 0.0 {
            let factor = (-2.0 * square.ln() / square).sqrt();
            return [factor * y, factor * x];
        }
    }
}

impl Kernel {
    /// The kernel e to the power of -(x - y)² / 2 by features of random frequencies and offsets.
    fn new() -> Self {
        let mut random = Mt::new(SEED);
        let pairs = (0..FEATURES / 2).map(|_| normals(&mut random));
        let frequencies = pairs.flatten().collect();
        let offsets = (0..FEATURES).map(|_| TAU * uniform(&mut random)).collect();
        Self {
            frequencies,
            offsets,
            by_difference: RwLock::default(),
            by_sum: RwLock::default(),
        }
    }

    fn similarity(&self, a: u64, b: u64) -> f64 {
        let sum = a.saturating_add(b);
        remembered(&self.by_difference, a.abs_diff(b), |d| self.mean(d, 0.0))
            + remembered(&self.by_sum, sum, |s| self.mean(s, 2.0))
    }

    /// The mean of cos(w `factor` + b `turns`) over the features.
    fn mean(&self, factor: f64, turns: f64) -> f64 {
        let features = self.frequencies.iter().zip(&self.offsets);
        let cosines = features.map(|(w, b)| (w * factor + b * turns).cos());
        cosines.sum::<f64>() / FEATURES as f64
    }
}

/// What `find` says of `key`, asked once.
fn remembered(known: &RwLock<HashMap<u64, f64>>, key: u64, find: impl FnOnce(f64) -> f64) -> f64 {
    let known_value = known
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .get(&key)
        .copied();
    known_value.unwrap_or_else(|| {
        let value = find(key as f64);
        let mut known = known.write().unwrap_or_else(PoisonError::into_inner);
        *known.entry(key).or_insert(value)
    })
}

/// The keys so far, numbered as they came.
#[derive(Default)]
struct Model {
    numbers: HashMap<u64, usize>,
    keys: Vec<u64>,
    /// The weight of each key in the model.
    weights: Vec<f64>,
    /// How similar each key is to those up to itself.
    similar: Vec<Vec<f64>>,
}

impl Model {
    /// Takes the next key: how much it is like all so far, itself included.
    fn similarity(&mut self, key: u64) -> f64 {
        let first = self.keys.is_empty();
        let at = *self.numbers.entry(key).or_insert(self.keys.len());
        if at == self.keys.len() {
            self.keys.push(key);
            self.weights.push(0.0);
            let row = self.keys.iter().map(|other| KERNEL.similarity(key, *other));
            self.similar.push(row.collect());
        }
        self.weights
            .iter_mut()
            .for_each(|weight| *weight *= 1.0 - DECAY);
        self.weights[at] += if first { 1.0 } else { DECAY };
        let of = |other: usize| self.similar[at.max(other)][at.min(other)];
        let weights = self.weights.iter().enumerate();
        weights.map(|(other, weight)| weight * of(other)).sum()
    }
}

/// The score of each key, 0 to 1.
pub fn scores(keys: &[u64]) -> Vec<f64> {
    let mut model = Model::default();
    let score = |key: &u64| (1.0 - model.similarity(*key) + MARGIN) / (1.0 + 2.0 * MARGIN);
    keys.iter().map(score).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_features_approximate_a_gaussian_kernel() {
        for (a, b) in [(7, 7), (7, 8), (9, 7), (1, 4), (100, 90), (3, 500)] {
            let exact = (-0.5 * (a as f64 - b as f64).powi(2)).exp();
            let found = KERNEL.similarity(a, b);
            assert!(
                (found - exact).abs() < 0.03,
                "{a} {b}: {found}, not {exact}"
            );
            assert_eq!(found, KERNEL.similarity(b, a));
        }
    }

    #[test]
    fn what_is_always_the_same_scores_nearly_nothing_and_what_is_new_nearly_one() {
        let mut keys = vec![7; 500];
        keys.push(700);
        let scores = scores(&keys);
        assert!(scores[499] < 0.04 && scores[500] > 0.95);
    }
}
