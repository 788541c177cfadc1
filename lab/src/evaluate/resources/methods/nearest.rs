//! The distance to the nearest of some windows of the past, which are chosen again every hour.

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::{Machine, WINDOW, windows};

/// The number of windows.
const CHOSEN: usize = 400;
/// They are from the last three days without the last hour.
const PAST: f64 = 3.0 * 86_400.0;
const RENEWED: f64 = 3600.0;

/// The score of each row.
pub fn scores(machine: &Machine, interval: f64) -> Vec<f64> {
    let width = WINDOW * machine.channels;
    let all: Vec<f32> = windows(machine).iter().map(|x| *x as f32).collect();
    let rows = all.len() / width;
    let window = |at: usize| &all[at * width..(at + 1) * width];
    let (renewed, past) = ((RENEWED / interval) as usize, (PAST / interval) as usize);
    let renewed = renewed.max(1);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut chosen: Vec<usize> = Vec::new();
    let score = |at: usize| {
        if at >= 3 * renewed && at.is_multiple_of(renewed) {
            let end = at - renewed;
            let from = end.saturating_sub(past);
            chosen = (0..CHOSEN).map(|_| rng.random_range(from..end)).collect();
        }
        if chosen.is_empty() {
            return f64::NAN;
        }
        let mut best = f32::INFINITY;
        for other in &chosen {
            best = best.min(squared_below(window(at), window(*other), best));
        }
        f64::from(best).sqrt()
    };
    (0..rows).map(score).collect()
}

/// The squared distance, or one of at least `bar` where it is not below.
fn squared_below(a: &[f32], b: &[f32], bar: f32) -> f32 {
    let mut sum = 0.0;
    for (a, b) in a.chunks(32).zip(b.chunks(32)) {
        sum += a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
        if sum >= bar {
            break;
        }
    }
    sum
}
