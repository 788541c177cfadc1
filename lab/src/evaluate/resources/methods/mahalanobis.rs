//! The distance from an exponentially weighted mean by an exponentially weighted covariance of all channels.

use super::Machine;
use super::ewma::HALF_LIFE;
use super::ours::FLOOR;

/// Added to each variance: the square of the smallest change that matters.
const RIDGE: f64 = FLOOR * FLOOR;
/// The covariance is factorized again after this many rows.
const FACTORIZED_EVERY: usize = 30;

/// The score of each row.
pub fn scores(machine: &Machine, interval: f64) -> Vec<f64> {
    let n = machine.channels;
    let slow = 1.0 - 0.5_f64.powf(interval / HALF_LIFE);
    let (mut mean, mut covariance) = (vec![0.0; n], vec![0.0; n * n]);
    let mut factor = vec![0.0; n * n];
    let mut scores = Vec::new();
    for (at, row) in machine.rows().enumerate() {
        if at == 0 {
            mean.copy_from_slice(row);
        }
        if at % FACTORIZED_EVERY == 0 {
            factor = cholesky(&covariance, n);
        }
        let deviation: Vec<f64> = row.iter().zip(&mean).map(|(x, m)| x - m).collect();
        scores.push(norm(&factor, &deviation));
        let weight = slow.max(1.0 / (at + 2) as f64);
        for i in 0..n {
            mean[i] += weight * deviation[i];
            for j in 0..=i {
                let one = &mut covariance[i * n + j];
                *one = (1.0 - weight) * (*one + weight * deviation[i] * deviation[j]);
            }
        }
    }
    scores
}

/// The lower Cholesky factor of the covariance with [`RIDGE`] added; only the lower half of `covariance` is read.
fn cholesky(covariance: &[f64], n: usize) -> Vec<f64> {
    let mut factor = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            let known: f64 = (0..j).map(|k| factor[i * n + k] * factor[j * n + k]).sum();
            let rest = covariance[i * n + j] - known;
            factor[i * n + j] = match i == j {
                true => (rest + RIDGE).max(1e-12).sqrt(),
                false => rest / factor[j * n + j],
            };
        }
    }
    factor
}

/// The length of a vector by the inverse of the factorized covariance.
fn norm(factor: &[f64], vector: &[f64]) -> f64 {
    let n = vector.len();
    let mut solved = vec![0.0; n];
    for i in 0..n {
        let known: f64 = (0..i).map(|k| factor[i * n + k] * solved[k]).sum();
        solved[i] = (vector[i] - known) / factor[i * n + i];
    }
    solved.iter().map(|x| x * x).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deviation_along_the_common_course_is_near_and_one_across_it_is_far() {
        // Both vary by 1 and go together.
        let factor = cholesky(&[1.0, 0.0, 0.99, 1.0], 2);
        let along = norm(&factor, &[1.0, 1.0]);
        let across = norm(&factor, &[1.0, -1.0]);
        assert!(along < 1.1 && across > 8.0, "{along} {across}");
    }
}
