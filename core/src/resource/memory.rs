//! The constellations of the past, and the distance to the nearest of them.
//!
//! The distance to the nearest past windows is the discord of matrix profiles (Yeh et al. 2016) and the k-nearest-neighbor score of
//! Ramaswamy et al. (2000), against a sample of the past that forgets: at any time the remembered ages are about exponentially
//! distributed (biased reservoir sampling; Aggarwal 2006). A sample of 128 finds as much on SMD and ASD as one of 400.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::memory::allocation;

/// The number of constellations remembered.
const REMEMBERED: usize = 128;
/// Fewer say nothing.
const REMEMBERED_MIN: usize = 32;
/// A new one comes when the past has grown by this share.
const GROWTH: u64 = 32;
/// The distance is the mean over this many nearest ones.
const NEAREST: usize = 3;
/// Constellations that wait for the end of the guard.
const WAITING_MAX: usize = 16;

/// A constellation that waits, and after which row it was taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Waiting {
    row: u64,
    features: Vec<f32>,
}

/// The remembered constellations of one host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Memory {
    /// The features of all of them, one after the other; NaN is unknown.
    all: Vec<f32>,
    waiting: VecDeque<Waiting>,
    /// How many there have been.
    count: u64,
    /// After which row the next one is taken.
    next: u64,
}

/// The nearest constellations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Nearest {
    /// The mean Euclidean distance to them.
    pub distance: f64,
    /// The index of the nearest.
    pub at: usize,
}

/// The squared distance over the features that are known in both.
#[inline]
fn squared(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    let (a8, a_rest) = a.as_chunks::<8>();
    let (b8, b_rest) = b.as_chunks::<8>();
    let one = |a: f32, b: f32| {
        let d = a - b;
        if d.is_nan() { 0.0 } else { d * d }
    };
    for (a, b) in a8.iter().zip(b8) {
        for i in 0..8 {
            sums[i] += one(a[i], b[i]);
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| one(*a, *b)).sum();
    sums.iter().sum::<f32>() + rest
}

/// A pseudo-random number, the same for the same argument (SplitMix64).
fn scrambled(x: u64) -> u64 {
    let mut x = x.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

impl Memory {
    /// An empty memory for constellations of this many features.
    pub fn new(features: usize) -> Self {
        Self {
            all: Vec::with_capacity(REMEMBERED * features),
            waiting: VecDeque::with_capacity(WAITING_MAX),
            count: 0,
            next: 0,
        }
    }

    /// The distance of a constellation to the nearest ones of the past, as if all features were known; `None` if none is, or too
    /// few constellations are remembered.
    pub fn nearest(&self, features: &[f32]) -> Option<Nearest> {
        let known = features.iter().filter(|feature| !feature.is_nan()).count();
        if known == 0 || self.all.len() < REMEMBERED_MIN * features.len() {
            return None;
        }
        let mut best = [f32::INFINITY; NEAREST];
        let mut nearest = 0;
        for (at, one) in self.all.chunks_exact(features.len()).enumerate() {
            let mut squared = squared(features, one);
            if squared < best[0] {
                nearest = at;
            }
            for kept in &mut best {
                if squared < *kept {
                    std::mem::swap(&mut squared, kept);
                }
            }
        }
        let scale = features.len() as f64 / known as f64;
        let distances = best.map(|squared| (f64::from(squared) * scale).sqrt());
        Some(Nearest {
            distance: distances.iter().sum::<f64>() / NEAREST as f64,
            at: nearest,
        })
    }

    /// The features of a remembered constellation.
    pub fn get(&self, at: usize, features: usize) -> &[f32] {
        &self.all[at * features..(at + 1) * features]
    }

    /// Takes the constellation after a row if it is time to, and remembers those that were taken `guard` rows ago or earlier.
    /// Remembered ones get a mean age of `age` rows.
    pub fn learn(&mut self, row: u64, features: &[f32], guard: u64, age: u64) {
        if row >= self.next && self.waiting.len() < WAITING_MAX {
            let spacing = (row / GROWTH).clamp(1, (age / REMEMBERED as u64).max(1));
            self.next = row + spacing;
            self.waiting.push_back(Waiting {
                row,
                features: features.to_vec(),
            });
        }
        while let Some(first) = self.waiting.front()
            && row - first.row >= guard
            && let Some(first) = self.waiting.pop_front()
        {
            self.remember(&first.features);
        }
    }

    fn remember(&mut self, features: &[f32]) {
        if self.all.len() < REMEMBERED * features.len() {
            self.all.extend_from_slice(features);
        } else {
            let at = (scrambled(self.count) % REMEMBERED as u64) as usize * features.len();
            self.all[at..at + features.len()].copy_from_slice(features);
        }
        self.count += 1;
    }

    /// The most memory outside of itself in bytes, with this many features.
    pub fn bytes(features: usize) -> usize {
        allocation(REMEMBERED * features * size_of::<f32>())
            + allocation(WAITING_MAX * size_of::<Waiting>())
            + WAITING_MAX * allocation(features * size_of::<f32>())
    }

    /// Whether a restored state is one that a memory for this many features can have after this many rows.
    pub fn is_valid(&self, features: usize, rows: u64) -> bool {
        self.all.len() <= REMEMBERED * features
            && self.all.len().is_multiple_of(features)
            && self.all.iter().all(|feature| !feature.is_infinite())
            && self.waiting.len() <= WAITING_MAX
            && self
                .waiting
                .iter()
                .all(|one| one.features.len() == features && one.row <= rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled() -> Memory {
        let mut memory = Memory::new(2);
        for row in 0..10_000_u64 {
            let x = (row % 10) as f32;
            memory.learn(row, &[x, 10.0 - x], 10, 1000);
        }
        memory
    }

    #[test]
    fn what_happened_before_is_near_and_a_new_constellation_of_usual_values_is_far() {
        let memory = filled();
        let distance = |features: [f32; 2]| memory.nearest(&features).unwrap().distance;
        assert!(distance([3.0, 7.0]) < 1.0);
        assert!(distance([9.0, 9.0]) > 4.0);
    }

    #[test]
    fn unknown_features_are_left_out() {
        let memory = filled();
        assert!(memory.nearest(&[3.0, f32::NAN]).unwrap().distance < 1.5);
        assert_eq!(memory.nearest(&[f32::NAN, f32::NAN]), None);
    }

    #[test]
    fn an_old_constellation_is_forgotten_in_time() {
        let mut memory = filled();
        for row in 10_000..30_000_u64 {
            memory.learn(row, &[100.0, 100.0], 10, 1000);
        }
        assert!(memory.nearest(&[100.0, 100.0]).unwrap().distance < 0.01);
        assert!(memory.nearest(&[3.0, 7.0]).unwrap().distance > 50.0);
        assert!(memory.is_valid(2, 30_000));
    }

    #[test]
    fn memory_is_bounded_whatever_the_guard() {
        for guard in [0, 10, u64::MAX] {
            let mut memory = Memory::new(2);
            for row in 0..5_000_u64 {
                memory.learn(row, &[0.0, 0.0], guard, 1000);
            }
            assert!(memory.waiting.len() <= WAITING_MAX, "{guard}");
            assert!(memory.waiting.capacity() <= WAITING_MAX, "{guard}");
            assert!(memory.all.capacity() <= 2 * REMEMBERED, "{guard}");
        }
    }
}
