//! The consistency of attribution theory: what a hypervisor showed before (lecture, "Reasoning").

use serde::{Deserialize, Serialize};

/// The half-life of the past in ticks: a day of samples at five minutes, as the published algorithms assume.
const HALF_LIFE_TICKS: f64 = 288.0;

/// The largest consensus of a hypervisor before the present window, decaying over time.
///
/// Time is divided into blocks as long as the overlap window. Only blocks that ended at least one block ago belong to the past,
/// so the change at hand does not.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Past {
    block: u64,
    /// Elapsed ticks of the present block.
    passed: u64,
    present: f64,
    former: f64,
    past: f64,
}

impl Past {
    /// An empty past with blocks of `block` ticks.
    pub fn new(block: usize) -> Self {
        Self {
            block: block.max(1) as u64,
            passed: 0,
            present: 0.0,
            former: 0.0,
            past: 0.0,
        }
    }

    /// Whether a restored state has blocks of `block` ticks.
    pub fn is_valid(&self, block: usize) -> bool {
        self.block == block.max(1) as u64
            && self.passed < self.block
            && [self.present, self.former, self.past]
                .iter()
                .all(|x| (0.0..=1.0).contains(x))
    }

    /// Takes the consensus of one tick, 0 to 1.
    #[inline]
    pub fn push(&mut self, consensus: f64) {
        self.present = self.present.max(consensus);
        self.passed += 1;
        if self.passed == self.block {
            self.passed = 0;
            self.turn();
        }
    }

    /// Skips ticks without consensus.
    pub fn skip(&mut self, ticks: u64) {
        let passed = self.passed.saturating_add(ticks);
        let turns = passed / self.block;
        self.passed = passed % self.block;
        // After two turns everything belongs to the past.
        for _ in 0..turns.min(2) {
            self.turn();
        }
        self.fade(turns.saturating_sub(2));
    }

    fn turn(&mut self) {
        self.fade(1);
        self.past = self.past.max(self.former);
        self.former = self.present;
        self.present = 0.0;
    }

    fn fade(&mut self, blocks: u64) {
        self.past *= 0.5f64.powf(blocks as f64 * self.block as f64 / HALF_LIFE_TICKS);
    }

    /// How much the past showed the same, 0 to 1.
    pub fn consistency(&self) -> f64 {
        self.past
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_present_change_does_not_belong_to_the_past() {
        let mut past = Past::new(10);
        for _ in 0..10 {
            past.push(0.9);
            assert_eq!(past.consistency(), 0.0);
        }
        for _ in 0..9 {
            past.push(0.0);
            assert_eq!(past.consistency(), 0.0);
        }
        past.push(0.0);
        assert_eq!(past.consistency(), 0.9);
    }

    #[test]
    fn skipping_is_the_same_as_ticks_without_consensus() {
        for ticks in [0, 1, 7, 10, 25, 1000] {
            let mut skipped = Past::new(10);
            skipped.push(0.9);
            let mut pushed = skipped.clone();
            skipped.skip(ticks);
            for _ in 0..ticks {
                pushed.push(0.0);
            }
            assert!(
                (skipped.consistency() - pushed.consistency()).abs() < 1e-12,
                "{ticks}"
            );
            assert_eq!(skipped.passed, pushed.passed);
        }
        let mut past = Past::new(10);
        past.push(0.9);
        past.skip(u64::MAX);
        assert_eq!(past.consistency(), 0.0);
    }
}
