//! The largest deviation of a channel from its exponentially weighted mean.

use super::Machine;
use super::ours::FLOOR;

/// The half-life of mean and variance in seconds.
pub const HALF_LIFE: f64 = 129_600.0;

/// The score of each row.
pub fn scores(machine: &Machine, interval: f64) -> Vec<f64> {
    let slow = 1.0 - 0.5_f64.powf(interval / HALF_LIFE);
    let mut state = vec![(0.0, 0.0); machine.channels];
    let mut scores = Vec::new();
    for (at, row) in machine.rows().enumerate() {
        let weight = slow.max(1.0 / (at + 2) as f64);
        let mut largest = 0.0_f64;
        for ((mean, variance), value) in state.iter_mut().zip(row) {
            if at == 0 {
                *mean = *value;
            }
            let spread = (*variance + FLOOR * FLOOR).sqrt();
            let deviation = value - *mean;
            largest = largest.max(deviation.abs() / spread);
            let deviation = deviation.clamp(-4.0 * spread, 4.0 * spread);
            *mean += weight * deviation;
            *variance = (1.0 - weight) * (*variance + weight * deviation * deviation);
        }
        scores.push(largest);
    }
    scores
}
