//! Moving statistics of the last values of one VM, in constant time per value.
//!
//! A running sum to which values are added and from which they are subtracted drifts, and the rounding error of one huge value
//! stays forever. Here nothing is ever subtracted from a sum. The window is divided at a *turn*, which comes every `len` values.
//! At the turn, one pass computes the sums of all suffixes of the part before it; one sum accumulates the part after it. The sum
//! of the window is one suffix sum plus that sum: one pass over `len` values every `len` values, O(1) per value (two-stacks
//! queue).
//!
//! All sums are of differences to a value that is itself in the window. So a constant series has a variance of exactly zero, and
//! the error of a variance is a few roundings of the variance itself, however large the values are.

use serde::{Deserialize, Serialize};

use crate::memory::allocation;

/// A ring that returns every value `len` values later.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Delay {
    ring: Box<[f64]>,
    at: u32,
    full: bool,
}

impl Delay {
    /// A ring for `len` values; at least one.
    pub fn new(len: usize) -> Self {
        Self {
            ring: vec![0.0; len.max(1)].into(),
            at: 0,
            full: false,
        }
    }

    /// Whether a restored state is that of a window of `len` values.
    pub fn is_valid(&self, len: usize) -> bool {
        self.ring.len() == len.max(1) && (self.at as usize) < len.max(1)
    }

    /// Memory outside of itself in bytes.
    pub fn bytes(&self) -> usize {
        allocation(size_of_val(&*self.ring))
    }

    /// Takes a value and returns the one `len` values before it, if any.
    #[inline]
    pub fn push(&mut self, value: f64) -> Option<f64> {
        let former = std::mem::replace(&mut self.ring[self.at as usize], value);
        let was_full = self.full;
        self.at += 1;
        if self.at as usize == self.ring.len() {
            self.at = 0;
            self.full = true;
        }
        was_full.then_some(former)
    }
}

/// The mean of the last `len` values.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct MovingMean {
    /// Below `at`: the values since the turn. From `at` on: the sum of the differences of a value before the turn, and of all
    /// between it and the turn, to `older`.
    cells: Box<[f64]>,
    at: u32,
    full: bool,
    /// The last value before the turn.
    older: f64,
    /// The first value after the turn.
    newer: f64,
    /// The sum of the differences of the values since the turn to `newer`.
    sum: f64,
    /// One by the window's length.
    share: f64,
}

impl MovingMean {
    /// Memory outside of itself in bytes.
    pub fn bytes(&self) -> usize {
        allocation(size_of_val(&*self.cells))
    }

    /// A window of `len` values; at least one.
    pub fn new(len: usize) -> Self {
        let len = len.max(1);
        Self {
            cells: vec![0.0; len].into(),
            at: 0,
            full: false,
            older: 0.0,
            newer: 0.0,
            sum: 0.0,
            share: 1.0 / len as f64,
        }
    }

    /// Whether a restored state is that of a window of `len` values.
    pub fn is_valid(&self, len: usize) -> bool {
        self.cells.len() == len.max(1) && (self.at as usize) < len.max(1)
    }

    /// Takes a value; the oldest one leaves.
    #[inline]
    pub fn push(&mut self, value: f64) {
        if self.at == 0 {
            self.newer = value;
            self.sum = 0.0;
        }
        self.sum += value - self.newer;
        self.cells[self.at as usize] = value;
        self.at += 1;
        if self.at as usize == self.cells.len() {
            self.turn();
        }
    }

    fn turn(&mut self) {
        self.older = self.cells[self.cells.len() - 1];
        let mut sum = 0.0;
        for cell in self.cells.iter_mut().rev() {
            sum += *cell - self.older;
            *cell = sum;
        }
        self.at = 0;
        self.full = true;
    }

    /// The mean, once the window is full.
    #[inline]
    pub fn mean(&self) -> Option<f64> {
        if !self.full {
            return None;
        }
        let mut sum = self.cells[self.at as usize];
        if self.at > 0 {
            sum += self.sum + f64::from(self.at) * (self.newer - self.older);
        }
        Some(self.older + sum * self.share)
    }
}

/// The mean and the population variance of the last `len` values.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct MovingVariance {
    /// As in [`MovingMean`]; the second of each pair is the sum of the squares of the differences.
    cells: Box<[[f64; 2]]>,
    at: u32,
    full: bool,
    older: f64,
    newer: f64,
    sum: f64,
    squares: f64,
    share: f64,
}

impl MovingVariance {
    /// Memory outside of itself in bytes.
    pub fn bytes(&self) -> usize {
        allocation(size_of_val(&*self.cells))
    }

    /// A window of `len` values; at least one.
    pub fn new(len: usize) -> Self {
        let len = len.max(1);
        Self {
            cells: vec![[0.0; 2]; len].into(),
            at: 0,
            full: false,
            older: 0.0,
            newer: 0.0,
            sum: 0.0,
            squares: 0.0,
            share: 1.0 / len as f64,
        }
    }

    /// Whether a restored state is that of a window of `len` values.
    pub fn is_valid(&self, len: usize) -> bool {
        self.cells.len() == len.max(1) && (self.at as usize) < len.max(1)
    }

    /// Takes a value; the oldest one leaves.
    #[inline]
    pub fn push(&mut self, value: f64) {
        if self.at == 0 {
            self.newer = value;
            self.sum = 0.0;
            self.squares = 0.0;
        }
        let difference = value - self.newer;
        self.sum += difference;
        self.squares += difference * difference;
        self.cells[self.at as usize][0] = value;
        self.at += 1;
        if self.at as usize == self.cells.len() {
            self.turn();
        }
    }

    fn turn(&mut self) {
        self.older = self.cells[self.cells.len() - 1][0];
        let (mut sum, mut squares) = (0.0, 0.0);
        for cell in self.cells.iter_mut().rev() {
            let difference = cell[0] - self.older;
            sum += difference;
            squares += difference * difference;
            *cell = [sum, squares];
        }
        self.at = 0;
        self.full = true;
    }

    /// Mean and variance, once the window is full. Rounding can make a variance of about zero negative.
    #[inline]
    pub fn moments(&self) -> Option<(f64, f64)> {
        if !self.full {
            return None;
        }
        let [mut sum, mut squares] = self.cells[self.at as usize];
        if self.at > 0 {
            let apart = self.newer - self.older;
            let count = f64::from(self.at);
            sum += self.sum + count * apart;
            squares += self.squares + apart * (2.0 * self.sum + count * apart);
        }
        let mean = sum * self.share;
        Some((self.older + mean, squares * self.share - mean * mean))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn from_scratch(values: &[f64]) -> (f64, f64) {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let squares: f64 = values.iter().map(|x| (x - mean) * (x - mean)).sum();
        (mean, squares / values.len() as f64)
    }

    fn near(a: f64, b: f64, scale: f64) -> bool {
        (a - b).abs() <= 1e-12 * scale.abs().max(1e-300)
    }

    proptest! {
        #[test]
        fn a_moving_window_is_the_window_recomputed_from_scratch(
            len in 1usize..40,
            values in prop::collection::vec(prop_oneof![4 => 0.0..100.0f64, 1 => 0.0..1e9f64], 0..200),
        ) {
            let mut mean = MovingMean::new(len);
            let mut variance = MovingVariance::new(len);
            for (i, &value) in values.iter().enumerate() {
                mean.push(value);
                variance.push(value);
                if i + 1 < len {
                    prop_assert_eq!(mean.mean(), None);
                    prop_assert_eq!(variance.moments(), None);
                    continue;
                }
                let window = &values[i + 1 - len..=i];
                let largest = window.iter().fold(0.0f64, |a, &b| a.max(b));
                let (m, v) = from_scratch(window);
                let (moving, spread) = variance.moments().unwrap();
                prop_assert!(near(mean.mean().unwrap(), m, largest), "{:?} {m}", mean.mean());
                prop_assert!(near(moving, m, largest), "{moving} {m}");
                prop_assert!(near(spread, v, v + 1e-16 * largest * largest), "{spread} {v}");
            }
        }

        #[test]
        fn a_delay_gives_every_value_back(len in 1usize..40, values in prop::collection::vec(0.0..100.0f64, 0..200)) {
            let mut delay = Delay::new(len);
            for (i, &value) in values.iter().enumerate() {
                prop_assert_eq!(delay.push(value), i.checked_sub(len).map(|past| values[past]));
            }
        }
    }

    #[test]
    fn a_constant_series_has_no_variance_at_all_even_after_a_change_of_level() {
        let mut variance = MovingVariance::new(31);
        for _ in 0..40 {
            variance.push(1e9 + 0.1);
        }
        for _ in 0..31 {
            variance.push(37.2);
        }
        for _ in 0..100 {
            assert_eq!(variance.moments(), Some((37.2, 0.0)));
            variance.push(37.2);
        }
    }

    #[test]
    fn ten_million_values_do_not_make_the_sums_drift() {
        let mut variance = MovingVariance::new(100);
        let values: Vec<f64> = (0..1000)
            .map(|i| 50.0 + (f64::from(i) * 0.7).sin() / 3.0)
            .collect();
        for _ in 0..10_000 {
            for &value in &values {
                variance.push(value);
            }
        }
        let (mean, spread) = from_scratch(&values[900..]);
        let (moving_mean, moving_spread) = variance.moments().unwrap();
        assert!(near(moving_mean, mean, mean) && near(moving_spread, spread, spread));
    }

    #[test]
    fn an_infinite_value_is_forgotten_when_it_has_left_the_window() {
        let mut variance = MovingVariance::new(10);
        for value in [1.0, f64::MAX, -f64::MAX, f64::INFINITY]
            .into_iter()
            .chain([3.0; 25])
        {
            variance.push(value);
        }
        assert_eq!(variance.moments(), Some((3.0, 0.0)));
    }
}
