//! An adaptive threshold, the bar: new evidence has to exceed what the hypervisor showed in its own past.

use crate::memory::vec;
use serde::{Deserialize, Serialize};

/// Half-life of remembered evidence in samples.
const HALF_LIFE: f64 = 288.0;
/// Assumed evidence before anything is known.
const INITIAL: f32 = 2.0;
/// Hours of a day.
const HOURS: usize = 24;

/// The evidence that one channel of one hypervisor has shown, recently and at each hour of earlier days.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Bar {
    /// Decaying maximum of the evidence that is at least `lag` samples old.
    recent: f32,
    /// Ring of the evidence of the last `lag` samples, which is not yet the past.
    pending: Vec<f32>,
    /// Index of the oldest entry of `pending`.
    oldest: u32,
    /// The largest evidence at each hour of earlier days, halved with each day.
    earlier_days: [f32; HOURS],
    /// The largest evidence at each hour since that hour last began.
    this_day: [f32; HOURS],
    /// The hour of the last sample.
    hour: Option<u8>,
}

impl Bar {
    /// Memory outside of itself in bytes.
    pub(super) fn bytes(&self) -> usize {
        vec(&self.pending)
    }

    /// An initial bar; evidence becomes past after `lag` samples.
    pub(super) fn new(lag: usize) -> Self {
        Self {
            recent: INITIAL,
            pending: vec![0.0; lag],
            oldest: 0,
            earlier_days: [0.0; HOURS],
            this_day: [0.0; HOURS],
            hour: None,
        }
    }

    /// Whether a restored bar can be used with this lag.
    pub(super) fn fits(&self, lag: usize) -> bool {
        self.pending.len() == lag && (self.oldest as usize) < lag && self.recent.is_finite()
    }

    /// Takes the evidence of one sample at `hour` (0 to 23) and returns the comparable evidence of the past; `cap` limits the
    /// recent past.
    pub(super) fn pass(&mut self, evidence: f64, cap: f32, hour: usize) -> f64 {
        self.pass_with(evidence, cap, hour, decay(1))
    }

    /// The same with another decay factor per sample.
    pub(super) fn pass_with(&mut self, evidence: f64, cap: f32, hour: usize, decay: f32) -> f64 {
        let evidence = evidence as f32;
        self.recent *= decay;
        let slot = self.oldest as usize;
        self.recent = self.recent.max(self.pending[slot].min(cap));
        self.pending[slot] = evidence;
        self.oldest = if slot + 1 == self.pending.len() {
            0
        } else {
            self.oldest + 1
        };

        if self.hour != Some(hour as u8) {
            self.hour = Some(hour as u8);
            self.earlier_days[hour] = self.this_day[hour].max(0.5 * self.earlier_days[hour]);
            self.this_day[hour] = 0.0;
        }
        self.this_day[hour] = self.this_day[hour].max(evidence);
        let before = self.earlier_days[(hour + HOURS - 1) % HOURS];
        let next = (hour + 1) % HOURS;
        // The next hour has not begun today, so its entry for this day is yesterday's.
        let after = self.this_day[next].max(0.5 * self.earlier_days[next]);
        let season = self.earlier_days[hour].max(before).max(after);
        f64::from(self.recent.max(season))
    }

    /// The evidence above the bar, a multiple of the `past` from [`Bar::pass`].
    pub(super) fn margin(evidence: f64, past: f64, weight: f64) -> f64 {
        evidence - weight * past
    }

    /// Skips `samples` samples without evidence, at least as many as are pending.
    pub(super) fn skip(&mut self, samples: u64) {
        self.skip_by(decay(samples));
    }

    /// The same with another decay factor per sample.
    pub(super) fn skip_with(&mut self, samples: u64, decay: f32) {
        self.skip_by(f64::from(decay).powf(samples as f64) as f32);
    }

    fn skip_by(&mut self, decay: f32) {
        let newest = self.pending.iter().fold(0.0f32, |a, b| a.max(*b));
        self.recent = self.recent.max(newest) * decay;
        self.pending.fill(0.0);
    }
}

/// The decay factor of remembered evidence over `samples` samples.
fn decay(samples: u64) -> f32 {
    if samples == 1 {
        // 0.5^(1/288), for every ordinary call.
        return 0.997_596_1;
    }
    0.5f64.powf(samples as f64 / HALF_LIFE) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_decay_of_one_sample_is_the_half_lifes() {
        assert!((f64::from(decay(1)) - 0.5f64.powf(1.0 / HALF_LIFE)).abs() < 1e-7);
    }

    #[test]
    fn evidence_becomes_past_only_after_the_lag_and_then_halves_with_the_half_life() {
        let mut bar = Bar::new(40);
        let mut past = bar.pass(8.0, 9.0, 0);
        for _ in 0..39 {
            past = bar.pass(0.0, 9.0, 0);
            assert!(past <= 2.0, "{past}");
        }
        past = past.max(bar.pass(0.0, 9.0, 0));
        assert!((past - 8.0).abs() < 0.01, "{past}");
        for _ in 0..288 {
            past = bar.pass(0.0, 9.0, 0);
        }
        assert!((past - 4.0).abs() < 0.01, "{past}");
    }

    #[test]
    fn the_recent_past_counts_at_most_its_cap() {
        let mut bar = Bar::new(1);
        bar.pass(100.0, 5.0, 3);
        assert!((bar.pass(0.0, 5.0, 3) - 5.0).abs() < 1e-6);
    }

    #[test]
    fn what_happened_at_this_hour_yesterday_is_expected_an_hour_early_and_an_hour_late() {
        let mut bar = Bar::new(10);
        let day = |bar: &mut Bar, at_nine: f64| -> Vec<f64> {
            (0..24 * 12)
                .map(|t| bar.pass(if t / 12 == 9 { at_nine } else { 0.0 }, 1.0, t / 12))
                .collect()
        };
        day(&mut bar, 20.0);
        let second = day(&mut bar, 0.0);
        assert!(
            second[9 * 12] == 20.0 && second[8 * 12 + 5] == 20.0 && second[10 * 12 + 5] == 20.0
        );
        assert!(second[12 * 12] < 3.0);
    }
}
