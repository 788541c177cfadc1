//! The hypervisor's own past as a bar that new evidence has to clear.

use crate::memory::vec;
use serde::{Deserialize, Serialize};

/// Samples in which remembered evidence halves.
const HALF_LIFE: f64 = 288.0;
/// Evidence that a hypervisor is taken to have shown before anything is known of it.
const INITIAL: f32 = 2.0;
/// Slots of a day.
const HOURS: usize = 24;
/// New evidence must exceed so many times what the past has shown.
const WEIGHT: f64 = 1.25;

/// What evidence one channel of one hypervisor has shown, recently and at each hour of earlier days.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Bar {
    /// Decaying maximum of the evidence that is at least `lag` samples old.
    recent: f32,
    /// The last `lag` samples' evidence, which is the present and not yet the past.
    waiting: Vec<f32>,
    /// Where the oldest of `waiting` is.
    oldest: u32,
    /// The largest evidence at each hour of earlier days, halved with each day.
    earlier_days: [f32; HOURS],
    /// The largest evidence at each hour since that hour last began.
    this_day: [f32; HOURS],
    /// The hour of the last sample.
    hour: Option<u8>,
}

impl Bar {
    /// How much memory it takes outside of itself, in bytes.
    pub(super) fn bytes(&self) -> usize {
        vec(&self.waiting)
    }

    /// A bar that knows nothing; evidence becomes past after `lag` samples.
    pub(super) fn new(lag: usize) -> Self {
        Self {
            recent: INITIAL,
            waiting: vec![0.0; lag],
            oldest: 0,
            earlier_days: [0.0; HOURS],
            this_day: [0.0; HOURS],
            hour: None,
        }
    }

    /// Whether a restored bar can be used with this lag.
    pub(super) fn fits(&self, lag: usize) -> bool {
        self.waiting.len() == lag && (self.oldest as usize) < lag && self.recent.is_finite()
    }

    /// Takes the evidence of one sample at `hour` (0 to 23) and gives what the past has shown of the like; `cap` holds down
    /// what the recent past counts.
    pub(super) fn pass(&mut self, evidence: f64, cap: f32, hour: usize) -> f64 {
        let evidence = evidence as f32;
        self.recent *= decay(1);
        let slot = self.oldest as usize;
        self.recent = self.recent.max(self.waiting[slot].min(cap));
        self.waiting[slot] = evidence;
        self.oldest = if slot + 1 == self.waiting.len() {
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
        // The next hour has not begun today, so what its slot holds as this day's is yesterday's.
        let after = self.this_day[next].max(0.5 * self.earlier_days[next]);
        let season = self.earlier_days[hour].max(before).max(after);
        f64::from(self.recent.max(season))
    }

    /// How much evidence above what the past has shown (`past`, from [`Bar::pass`]) there is.
    pub(super) fn margin(evidence: f64, past: f64) -> f64 {
        evidence - WEIGHT * past
    }

    /// Lets `samples` samples without evidence pass, more than it keeps waiting.
    pub(super) fn skip(&mut self, samples: u64) {
        let newest = self.waiting.iter().fold(0.0f32, |a, b| a.max(*b));
        self.recent = self.recent.max(newest) * decay(samples);
        self.waiting.fill(0.0);
    }
}

/// What is left of remembered evidence after `samples` samples.
fn decay(samples: u64) -> f32 {
    if samples == 1 {
        // 0.5^(1/288), the value of every ordinary call.
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
