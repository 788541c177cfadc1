//! What the main components of windows leave unexplained.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::{Machine, WINDOW, windows};

/// The number of components, and how often they are improved.
const COMPONENTS: usize = 16;
const ITERATIONS: usize = 12;
/// Every how many rows one is learned from.
const LEARNED_EVERY: usize = 5;

/// The score of each row. The components are those of the first half of the rows without labels.
pub fn scores(machine: &Machine) -> Vec<f64> {
    let width = WINDOW * machine.channels;
    let all = windows(machine);
    let learned = machine.train_rows() / 2;
    let learn: Vec<&[f64]> = all
        .chunks_exact(width)
        .take(learned)
        .step_by(LEARNED_EVERY)
        .collect();
    let mean: Vec<f64> = (0..width)
        .map(|i| learn.iter().map(|row| row[i]).sum::<f64>() / learn.len() as f64)
        .collect();
    let centered =
        |row: &[f64]| -> Vec<f64> { row.iter().zip(&mean).map(|(x, m)| x - m).collect() };
    let learn: Vec<Vec<f64>> = learn.into_iter().map(centered).collect();
    let components = components(&learn, width);
    let score = |row: &[f64]| {
        let row = centered(row);
        let explained: f64 = components.iter().map(|c| dot(c, &row).powi(2)).sum();
        (dot(&row, &row) - explained).max(0.0).sqrt()
    };
    all.chunks_exact(width).map(score).collect()
}

/// The main components of centered rows, by orthogonal iteration.
fn components(rows: &[Vec<f64>], width: usize) -> Vec<Vec<f64>> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let random = |_| (0..width).map(|_| rng.random_range(-1.0..1.0)).collect();
    let mut basis: Vec<Vec<f64>> = (0..COMPONENTS.min(width)).map(random).collect();
    orthonormalize(&mut basis);
    for _ in 0..ITERATIONS {
        let mut next = vec![vec![0.0; width]; basis.len()];
        for row in rows {
            for (to, from) in next.iter_mut().zip(&basis) {
                let weight = dot(from, row);
                to.iter_mut().zip(row).for_each(|(to, x)| *to += weight * x);
            }
        }
        basis = next;
        orthonormalize(&mut basis);
    }
    basis
}

fn orthonormalize(basis: &mut [Vec<f64>]) {
    for i in 0..basis.len() {
        let (before, rest) = basis.split_at_mut(i);
        let one = &mut rest[0];
        for other in before.iter() {
            let weight = dot(other, one);
            one.iter_mut()
                .zip(other)
                .for_each(|(x, o)| *x -= weight * o);
        }
        let length = dot(one, one).sqrt();
        // A direction in which nothing varies explains nothing.
        let factor = if length > 1e-9 { 1.0 / length } else { 0.0 };
        one.iter_mut().for_each(|x| *x *= factor);
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_component_is_the_direction_of_most_variance() {
        let row = |i: i32| vec![f64::from(i), 2.0 * f64::from(i), 0.1 * f64::from(i % 2)];
        let rows: Vec<Vec<f64>> = (-50..=50).map(row).collect();
        let first = &components(&rows, 3)[0];
        assert!((first[1] / first[0] - 2.0).abs() < 0.01, "{first:?}");
    }
}
