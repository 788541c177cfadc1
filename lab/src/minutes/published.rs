//! The probability of FailSafeVM as published: the share of the last 20 steps at which the model of log keys or that of resources had a
//! flag. Each model learns from benign data of the same host once, before the day that counts. Its networks are replaced by what they come
//! to: the next key by the key before it (the order of keys beyond the last one adds nothing that could be measured), and a linear
//! autoencoder, which is a projection on principal components.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The next key is expected if it is one of this many likeliest, as published.
const LIKELIEST: usize = 20;
/// The mean squared error of reconstruction above which a window has a flag, in units of the training data's range, as published.
const ERROR_MAX: f64 = 0.0262;
/// Rows of a window, as published.
const WINDOW: usize = 10;
/// Share of the dimensions that the code keeps: 32 of 170, as published.
const CODE: f64 = 32.0 / 170.0;
/// Steps of the share, as published; a step is a minute.
const STEPS: i64 = 20;
/// Iterations of the power method for each component: their accuracy matters little.
const POWER_STEPS: usize = 60;

/// The likeliest next keys by the key before.
pub struct Keys(HashMap<u64, Vec<u64>>);

impl Keys {
    /// Learns from benign keys in their order.
    pub fn learn(keys: impl Iterator<Item = u64> + Clone) -> Self {
        let mut counts: HashMap<u64, BTreeMap<u64, u64>> = HashMap::new();
        for (before, next) in keys.clone().zip(keys.skip(1)) {
            *counts.entry(before).or_default().entry(next).or_default() += 1;
        }
        let likeliest = |counts: BTreeMap<u64, u64>| {
            let mut counts: Vec<(u64, u64)> = counts.into_iter().collect();
            counts.sort_by_key(|(key, count)| (std::cmp::Reverse(*count), *key));
            counts
                .into_iter()
                .take(LIKELIEST)
                .map(|(key, _)| key)
                .collect()
        };
        let counts = counts.into_iter();
        Self(
            counts
                .map(|(key, counts)| (key, likeliest(counts)))
                .collect(),
        )
    }

    /// Whether `next` is unexpected after `before`.
    pub fn flags(&self, before: u64, next: u64) -> bool {
        !self.0.get(&before).is_some_and(|keys| keys.contains(&next))
    }
}

/// Rows of resources by their principal components.
pub struct Rows {
    least: Vec<f64>,
    range: Vec<f64>,
    mean: Vec<f64>,
    components: Vec<Vec<f64>>,
}

impl Rows {
    /// Learns from benign rows; `None` without any.
    pub fn learn(rows: &[&[f64]]) -> Option<Self> {
        let width = rows.first()?.len();
        let column = |at: usize| rows.iter().map(move |row| row[at]).filter(|v| !v.is_nan());
        let least: Vec<f64> = (0..width)
            .map(|at| column(at).fold(f64::INFINITY, f64::min))
            .collect();
        let range: Vec<f64> = (0..width)
            .map(|at| column(at).fold(f64::NEG_INFINITY, f64::max) - least[at])
            .collect();
        let mut learned = Self {
            least,
            range,
            mean: vec![0.0; width],
            components: Vec::new(),
        };
        let scaled: Vec<Vec<f64>> = rows.iter().filter_map(|row| learned.scaled(row)).collect();
        let count = scaled.len().max(1) as f64;
        for row in &scaled {
            for (mean, value) in learned.mean.iter_mut().zip(row) {
                *mean += value / count;
            }
        }
        let mut covariance = vec![vec![0.0; width]; width];
        for row in &scaled {
            for a in 0..width {
                for b in 0..width {
                    covariance[a][b] +=
                        (row[a] - learned.mean[a]) * (row[b] - learned.mean[b]) / count;
                }
            }
        }
        let kept = (CODE * width as f64).ceil() as usize;
        learned.components = (0..kept).map(|_| component(&mut covariance)).collect();
        Some(learned)
    }

    /// The row in units of the training data's range, not clipped; `None` where a value is unknown.
    fn scaled(&self, row: &[f64]) -> Option<Vec<f64>> {
        let scaled = row.iter().zip(&self.least).zip(&self.range);
        let scaled: Vec<f64> = scaled
            .map(|((value, least), range)| (value - least) / range.max(1e-9))
            .collect();
        scaled
            .iter()
            .all(|value| value.is_finite())
            .then_some(scaled)
    }

    /// The mean squared error of a row's reconstruction; `None` where a value is unknown.
    fn error(&self, row: &[f64]) -> Option<f64> {
        let mut rest = self.scaled(row)?;
        for (value, mean) in rest.iter_mut().zip(&self.mean) {
            *value -= mean;
        }
        for component in &self.components {
            let along: f64 = rest.iter().zip(component).map(|(a, b)| a * b).sum();
            for (value, part) in rest.iter_mut().zip(component) {
                *value -= along * part;
            }
        }
        let width = rest.len().max(1) as f64;
        Some(rest.iter().map(|value| value * value).sum::<f64>() / width)
    }

    /// Whether each row ends a window with a flag.
    pub fn flags(&self, rows: &[&[f64]]) -> Vec<bool> {
        let errors: Vec<f64> = rows
            .iter()
            .map(|row| self.error(row).unwrap_or(0.0))
            .collect();
        let window = |end: usize| &errors[(end + 1).saturating_sub(WINDOW)..=end];
        let flag = |end: usize| window(end).iter().sum::<f64>() / WINDOW as f64 > ERROR_MAX;
        (0..rows.len()).map(flag).collect()
    }
}

/// The direction of the largest variance, which is then taken out of `covariance`.
fn component(covariance: &mut [Vec<f64>]) -> Vec<f64> {
    let width = covariance.len();
    let mut direction: Vec<f64> = (0..width).map(|at| 1.0 / (1.0 + at as f64)).collect();
    let mut variance = 0.0;
    for _ in 0..POWER_STEPS {
        let product: Vec<f64> = covariance
            .iter()
            .map(|row| row.iter().zip(&direction).map(|(a, b)| a * b).sum())
            .collect();
        variance = product.iter().map(|v: &f64| v * v).sum::<f64>().sqrt();
        if variance < 1e-15 {
            return vec![0.0; width];
        }
        direction = product.into_iter().map(|value| value / variance).collect();
    }
    for a in 0..width {
        for b in 0..width {
            covariance[a][b] -= variance * direction[a] * direction[b];
        }
    }
    direction
}

/// The share of the last steps before the minute `now` that are among the minutes with a flag.
pub fn share(flagged: &BTreeSet<i64>, now: i64) -> f64 {
    flagged.range(now - STEPS..now).count() as f64 / STEPS as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_unexpected_unless_it_is_one_of_the_likeliest_after_the_one_before() {
        let benign = (0..25_u64).flat_map(|next| {
            let times = if next < 20 { 2 } else { 1 };
            std::iter::repeat_n([100, next], times).flatten()
        });
        let keys = Keys::learn(benign);
        assert!(!keys.flags(100, 19));
        assert!(keys.flags(100, 20), "the 21st");
        assert!(keys.flags(100, 999) && keys.flags(998, 100));
    }

    #[test]
    fn rows_that_leave_the_directions_of_the_benign_ones_have_a_flag_from_a_window_on() {
        // Five signals that move together within their range.
        let value = |row: usize| (row % 17) as f64 / 16.0;
        let benign: Vec<Vec<f64>> = (0..400).map(|row| vec![value(row); 5]).collect();
        let benign: Vec<&[f64]> = benign.iter().map(Vec::as_slice).collect();
        let model = Rows::learn(&benign).unwrap();
        assert!(!model.flags(&benign).contains(&true));
        let strange = [0.0, 1.0, 0.0, 1.0, 0.0];
        let mixed: Vec<&[f64]> = (0..30)
            .map(|row| if row < 15 { benign[row] } else { &strange })
            .collect();
        let flags = model.flags(&mixed);
        assert!(flags[..15].iter().all(|flag| !flag));
        assert!(flags[24..].iter().all(|flag| *flag), "{flags:?}");
    }

    #[test]
    fn the_share_is_of_twenty_minutes() {
        let flagged = BTreeSet::from([1, 10, 20, 30]);
        assert_eq!(share(&flagged, 21), 0.15);
        assert_eq!(share(&flagged, 31), 0.1);
    }
}
