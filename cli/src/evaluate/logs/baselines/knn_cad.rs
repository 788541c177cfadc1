//! KNN-CAD over log keys (E. Burnaev, V. Ishimtsev, "Conformalized density- and distance-based anomaly detection in
//! time-series data", arXiv 1608.04585, 2016), as the detector of the Numenta Anomaly Benchmark defines it: windows of the last
//! [`LENGTH`] keys' numbers, how strange one is by the sum of its Mahalanobis distances to the [`NEIGHBOURS`] nearest of
//! training, and the share of past windows that were less strange.

use std::collections::VecDeque;

use nalgebra::SMatrix;

/// Keys in a window.
const LENGTH: usize = 19;
/// Nearest windows that count.
const NEIGHBOURS: usize = 27;
/// A share from which the following records are muted.
const MUTING: f64 = 0.9965;
/// The score of a muted record.
const MUTED: f64 = 0.5;
/// Muted records, as a part of the training.
const MUTED_PART: usize = 5;

type Window = [f64; LENGTH];
type Matrix = SMatrix<f64, LENGTH, LENGTH>;

struct KnnCad {
    /// Records in training, and between two estimates of the covariance at most.
    period: usize,
    records: usize,
    /// The inverse of the windows' matrix of second moments.
    inverse: Matrix,
    training: VecDeque<Window>,
    /// Windows after training, which take the places of those of training one by one.
    calibration: VecDeque<Window>,
    /// How strange the last windows were.
    strange: VecDeque<f64>,
    /// Records that are still muted.
    muted: usize,
}

impl KnnCad {
    fn new(period: usize) -> Self {
        Self {
            period: period.max(1),
            records: 0,
            inverse: Matrix::identity(),
            training: VecDeque::new(),
            calibration: VecDeque::new(),
            strange: VecDeque::new(),
            muted: 0,
        }
    }

    /// The score of the record that completes `window`.
    fn observe(&mut self, window: Option<&Window>) -> f64 {
        self.records += 1;
        let Some(window) = window else { return 0.0 };
        if self.records < self.period {
            self.training.push_back(*window);
            return 0.0;
        }
        let phase = self.records % self.period;
        if phase == 0 || phase == self.period / 2 {
            self.estimate();
        }
        if self.strange.is_empty() {
            let training = self.training.iter();
            // Each is its own nearest neighbour.
            self.strange = training
                .map(|w| self.strangeness(w, NEIGHBOURS + 1))
                .collect();
        }
        if self.strange.is_empty() {
            return 0.0;
        }
        let strangeness = self.strangeness(window, NEIGHBOURS);
        let less = self.strange.iter().filter(|past| **past < strangeness);
        let share = less.count() as f64 / self.strange.len() as f64;
        if self.records >= 2 * self.period
            && let Some(calibrated) = self.calibration.pop_front()
        {
            self.training.pop_front();
            self.training.push_back(calibrated);
        }
        self.calibration.push_back(*window);
        self.strange.pop_front();
        self.strange.push_back(strangeness);
        if self.muted > 0 {
            self.muted -= 1;
            return MUTED;
        }
        if share >= MUTING {
            self.muted = self.period / MUTED_PART;
        }
        share
    }

    /// Estimates the distance's matrix; where the windows of training leave it open, the former one stays.
    fn estimate(&mut self) {
        let moments = self.training.iter().fold(Matrix::zeros(), |sum, window| {
            let window = nalgebra::SVector::from(*window);
            sum + window * window.transpose()
        });
        if let Some(inverse) = moments.try_inverse() {
            self.inverse = inverse;
        }
    }

    /// The sum of the distances of `window` to its nearest `neighbours` in training.
    fn strangeness(&self, window: &Window, neighbours: usize) -> f64 {
        let training = self.training.iter();
        let mut distances: Vec<f64> = training.map(|other| self.distance(window, other)).collect();
        distances.sort_unstable_by(f64::total_cmp);
        distances.iter().take(neighbours).sum()
    }

    fn distance(&self, a: &Window, b: &Window) -> f64 {
        let mut apart = [0.0; LENGTH];
        for (apart, (a, b)) in apart.iter_mut().zip(a.iter().zip(b)) {
            *apart = a - b;
        }
        let mut product = [0.0; LENGTH];
        for (column, &apart) in self.inverse.column_iter().zip(&apart) {
            // Windows of logs are often alike in most places.
            if apart != 0.0 {
                for (product, entry) in product.iter_mut().zip(column.iter()) {
                    *product += apart * entry;
                }
            }
        }
        product.iter().zip(&apart).map(|(p, d)| p * d).sum()
    }
}

/// The score of each key, 0 to 1; the first `training` records score 0.
pub fn scores(keys: &[u64], training: usize) -> Vec<f64> {
    let mut detector = KnnCad::new(training);
    let numbers: Vec<f64> = keys.iter().map(|&key| key as f64).collect();
    let window = |end: usize| -> Option<&Window> { numbers[..=end].last_chunk() };
    (0..numbers.len())
        .map(|end| detector.observe(window(end)))
        .collect()
}
