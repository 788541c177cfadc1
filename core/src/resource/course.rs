//! The courses of one channel: recent averages, and the usual one with its spread.

use serde::{Deserialize, Serialize};

use super::spans::Spans;

/// Values on their scale are limited to this many smallest changes that matter.
pub(super) const SCALED_MAX: f64 = 64.0;
/// A value farther than this many standard deviations from the usual counts as this far when the usual is learned.
const WINSOR: f64 = 4.0;

/// The courses of one channel, on its scale.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Course {
    short: f32,
    long: f32,
    /// Mean and variance of the usual course: exponentially weighted, with winsorized deviations (Gelper, Fried and Croux 2010,
    /// "Robust forecasting with exponential and Holt-Winters smoothing"), so that a spike teaches little.
    mean: f64,
    variance: f64,
    /// Number of known values.
    count: u64,
}

impl Default for Course {
    fn default() -> Self {
        Self {
            short: f32::NAN,
            long: f32::NAN,
            mean: 0.0,
            variance: 0.0,
            count: 0,
        }
    }
}

impl Course {
    /// The standard deviation of the usual course; a change below 1 never matters.
    fn spread(&self) -> f64 {
        (self.variance + 1.0).sqrt()
    }

    /// Signed distance of a value from the usual course in standard deviations; 0 for the first one.
    pub fn deviation(&self, scaled: f64) -> f64 {
        match self.count {
            0 => 0.0,
            _ => (scaled - self.mean) / self.spread(),
        }
    }

    /// The usual value, on the scale.
    pub fn usual(&self) -> f64 {
        self.mean
    }

    /// Takes a value, and gives its short and long average.
    pub fn push(&mut self, scaled: f64, spans: &Spans) -> [f32; 2] {
        let value = scaled as f32;
        let step = |average: &mut f32, weight: f32| {
            *average = match average.is_nan() {
                true => value,
                false => *average + weight * (value - *average),
            };
        };
        step(&mut self.short, spans.short);
        step(&mut self.long, spans.long);
        if self.count == 0 {
            self.mean = scaled;
        }
        let weight = spans.usual.max(1.0 / (self.count + 2) as f64);
        let most = WINSOR * self.spread();
        let deviation = (scaled - self.mean).clamp(-most, most);
        self.mean += weight * deviation;
        self.variance = (1.0 - weight) * (self.variance + weight * deviation * deviation);
        self.count += 1;
        [self.short, self.long]
    }

    /// Begins the averages again, after a gap.
    pub fn restart(&mut self) {
        self.short = f32::NAN;
        self.long = f32::NAN;
    }

    /// Whether a restored state is one that can be.
    pub fn is_valid(&self) -> bool {
        let is_scaled = |x: f64| x.is_nan() || x.abs() <= 1.01 * SCALED_MAX;
        is_scaled(self.short.into())
            && is_scaled(self.long.into())
            && self.mean.abs() <= 1.01 * SCALED_MAX
            && (0.0..=5.0 * SCALED_MAX * SCALED_MAX).contains(&self.variance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Interval;

    #[test]
    fn a_spike_hardly_changes_what_is_usual() {
        let spans = Spans::new(Interval::from_secs(60.0));
        let mut course = Course::default();
        for i in 0..5_000 {
            course.push(f64::from(i % 3), &spans);
        }
        let before = course;
        course.push(SCALED_MAX, &spans);
        assert!((course.usual() - before.usual()).abs() < 0.01);
        assert!(course.deviation(SCALED_MAX) > 20.0);
    }

    #[test]
    fn a_lasting_change_becomes_usual() {
        let spans = Spans::new(Interval::from_secs(60.0));
        let mut course = Course::default();
        for _ in 0..5_000 {
            course.push(0.0, &spans);
        }
        for _ in 0..10 * 2_160 {
            course.push(10.0, &spans);
        }
        assert!(course.deviation(10.0).abs() < 0.5);
        assert!(course.is_valid());
    }
}
