//! Netdata's anomaly detection: for each channel, two-means clusterings of its recent changes, of which all have to agree.
//!
//! By Netdata's documentation ("Machine learning and anomaly detection"): values are differenced, smoothed over 3 and lagged by 5;
//! a model is trained on the last 6 hours every 3 hours and kept for 24 hours (8 models); a channel is anomalous if its distance,
//! scaled by the range in training, exceeds 99 of 100 for all of them.

use super::Machine;

const SMOOTHED: usize = 3;
const LAGS: usize = 6;
const TRAINED_ON: f64 = 6.0 * 3600.0;
const TRAINED_EVERY: f64 = 3.0 * 3600.0;
const KEPT: usize = 8;
const ANOMALOUS: f64 = 99.0;
const ITERATIONS: usize = 10;

type Features = [f64; LAGS];

/// A clustering, and the range of its distances in training.
struct Model {
    centers: [Features; 2],
    least: f64,
    most: f64,
}

fn distance(a: &Features, b: &Features) -> f64 {
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).powi(2))
        .sum::<f64>()
        .sqrt()
}

impl Model {
    /// Lloyd's algorithm from the first row and the one farthest from it.
    fn train(rows: &[Features]) -> Self {
        let first = rows[0];
        let farthest = rows
            .iter()
            .max_by(|a, b| distance(a, &first).total_cmp(&distance(b, &first)));
        let mut centers = [first, farthest.copied().unwrap_or(first)];
        for _ in 0..ITERATIONS {
            let mut sums = [([0.0; LAGS], 0.0_f64); 2];
            for row in rows {
                let nearer = usize::from(distance(row, &centers[1]) < distance(row, &centers[0]));
                let (sum, count) = &mut sums[nearer];
                sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
                *count += 1.0;
            }
            for (center, (sum, count)) in centers.iter_mut().zip(sums) {
                if count > 0.0 {
                    *center = sum.map(|x| x / count);
                }
            }
        }
        let mut model = Self {
            centers,
            least: f64::INFINITY,
            most: 0.0,
        };
        for row in rows {
            let one = model.mean_distance(row);
            model.least = model.least.min(one);
            model.most = model.most.max(one);
        }
        model
    }

    fn mean_distance(&self, row: &Features) -> f64 {
        0.5 * (distance(row, &self.centers[0]) + distance(row, &self.centers[1]))
    }

    fn is_anomalous(&self, row: &Features) -> bool {
        let range = self.most - self.least;
        range > 0.0 && 100.0 * (self.mean_distance(row) - self.least) / range > ANOMALOUS
    }
}

/// The share of anomalous channels at each row.
pub fn scores(machine: &Machine, interval: f64) -> Vec<f64> {
    let rows: Vec<&[f64]> = machine.rows().collect();
    let (on, every) = (
        (TRAINED_ON / interval) as usize,
        ((TRAINED_EVERY / interval) as usize).max(1),
    );
    let mut anomalous = vec![0_u32; rows.len()];
    for channel in 0..machine.channels {
        let value = |at: usize| rows[at][channel];
        let change = |at: usize| {
            if at == 0 {
                0.0
            } else {
                value(at) - value(at - 1)
            }
        };
        let smooth = |at: usize| {
            let sum: f64 = (0..SMOOTHED)
                .map(|back| change(at.saturating_sub(back)))
                .sum();
            sum / SMOOTHED as f64
        };
        let features =
            |at: usize| -> Features { std::array::from_fn(|back| smooth(at.saturating_sub(back))) };
        let all: Vec<Features> = (0..rows.len()).map(features).collect();
        let mut models: Vec<Model> = Vec::new();
        for at in 0..rows.len() {
            if at >= on && at % every == 0 {
                if models.len() == KEPT {
                    models.remove(0);
                }
                models.push(Model::train(&all[at - on..at]));
            }
            let is_anomalous =
                !models.is_empty() && models.iter().all(|m| m.is_anomalous(&all[at]));
            anomalous[at] += u32::from(is_anomalous);
        }
    }
    let share = |count: u32| f64::from(count) / machine.channels as f64;
    anomalous.into_iter().map(share).collect()
}
