//! KNN-CAD over log keys (E. Burnaev, V. Ishimtsev, "Conformalized density- and distance-based anomaly detection in
//! time-series data", arXiv 1608.04585, 2016), as the detector of the Numenta Anomaly Benchmark defines it: windows of the last
//! [`LENGTH`] keys' numbers, how strange one is by the sum of its Mahalanobis distances to the [`NEIGHBORS`] nearest of
//! training, and the share of past windows that were less strange.

use std::collections::VecDeque;

/// Keys in a window.
const LENGTH: usize = 19;
/// Nearest windows that count.
const NEIGHBORS: usize = 27;
/// A share from which the following records are muted.
const MUTING: f64 = 0.9965;
/// The score of a muted record.
const MUTED: f64 = 0.5;
/// Muted records, as a part of the training.
const MUTED_PART: usize = 5;

type Window = [f64; LENGTH];
/// Rows.
type Matrix = [[f64; LENGTH]; LENGTH];

const IDENTITY: Matrix = {
    let mut matrix = [[0.0; LENGTH]; LENGTH];
    let mut at = 0;
    while at < LENGTH {
        matrix[at][at] = 1.0;
        at += 1;
    }
    matrix
};

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
            inverse: IDENTITY,
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
            // Each is its own nearest neighbor.
            self.strange = training
                .map(|w| self.strangeness(w, NEIGHBORS + 1))
                .collect();
        }
        if self.strange.is_empty() {
            return 0.0;
        }
        let strangeness = self.strangeness(window, NEIGHBORS);
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
        let mut moments = [[0.0; LENGTH]; LENGTH];
        for window in &self.training {
            for (row, a) in moments.iter_mut().zip(window) {
                add_scaled(row, *a, window);
            }
        }
        if let Some(inverse) = inverse(moments) {
            self.inverse = inverse;
        }
    }

    /// The sum of the distances of `window` to its nearest `neighbors` in training.
    fn strangeness(&self, window: &Window, neighbors: usize) -> f64 {
        let training = self.training.iter();
        let mut distances: Vec<f64> = training.map(|other| self.distance(window, other)).collect();
        distances.sort_unstable_by(f64::total_cmp);
        distances.iter().take(neighbors).sum()
    }

    fn distance(&self, a: &Window, b: &Window) -> f64 {
        let mut apart = [0.0; LENGTH];
        for (apart, (a, b)) in apart.iter_mut().zip(a.iter().zip(b)) {
            *apart = a - b;
        }
        let mut product = [0.0; LENGTH];
        for (row, &apart) in self.inverse.iter().zip(&apart) {
            // Windows of logs are often alike in most places.
            if apart != 0.0 {
                add_scaled(&mut product, apart, row);
            }
        }
        product.iter().zip(&apart).map(|(p, d)| p * d).sum()
    }
}

/// Adds `other` times `factor` to `row`.
fn add_scaled(row: &mut Window, factor: f64, other: &Window) {
    for (entry, other) in row.iter_mut().zip(other) {
        *entry += factor * other;
    }
}

/// The inverse of `matrix`, by Gaussian elimination with the largest entry left in a column as its pivot; `None` where all that is
/// left of a column is 0, as in LAPACK's `gesv`, which the benchmark's own detector uses.
fn inverse(mut matrix: Matrix) -> Option<Matrix> {
    let mut inverse = IDENTITY;
    for column in 0..LENGTH {
        let pivot = (column..LENGTH).reduce(|best, row| {
            if matrix[row][column].abs() > matrix[best][column].abs() {
                row
            } else {
                best
            }
        })?;
        if matrix[pivot][column] == 0.0 {
            return None;
        }
        matrix.swap(column, pivot);
        inverse.swap(column, pivot);
        let (of_pivot, inverse_of_pivot) = (matrix[column], inverse[column]);
        for row in column + 1..LENGTH {
            let factor = -matrix[row][column] / of_pivot[column];
            add_scaled(&mut matrix[row], factor, &of_pivot);
            add_scaled(&mut inverse[row], factor, &inverse_of_pivot);
        }
    }
    for column in (0..LENGTH).rev() {
        let pivot = matrix[column][column];
        inverse[column] = inverse[column].map(|entry| entry / pivot);
        let solved = inverse[column];
        for row in 0..column {
            add_scaled(&mut inverse[row], -matrix[row][column], &solved);
        }
    }
    Some(inverse)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_times_its_inverse_is_the_identity_also_where_rows_have_to_change_places() {
        let mut matrix = [[0.0; LENGTH]; LENGTH];
        for (at, row) in matrix.iter_mut().enumerate() {
            for (column, entry) in row.iter_mut().enumerate() {
                *entry = ((at * 31 + column * 17) % 23) as f64;
            }
            // The first row begins with 0.
            row[LENGTH - 1 - at] += 40.0;
        }
        let inverse = inverse(matrix).unwrap();
        for (row, expected) in matrix.iter().zip(IDENTITY) {
            let mut product = [0.0; LENGTH];
            for (factor, of_inverse) in row.iter().zip(&inverse) {
                add_scaled(&mut product, *factor, of_inverse);
            }
            for (entry, expected) in product.iter().zip(expected) {
                assert!((entry - expected).abs() < 1e-12, "{product:?}");
            }
        }
    }

    #[test]
    fn a_matrix_with_two_equal_rows_has_no_inverse() {
        let mut matrix = IDENTITY;
        matrix[LENGTH - 1] = matrix[3];
        assert_eq!(inverse(matrix), None);
    }
}
