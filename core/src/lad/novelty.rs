//! Novelty: the rate of unknown windows in a stream, against its own past. It is for triage and no verdict: a restart or an
//! update is new as well.

use serde::{Deserialize, Serialize};

/// Records that are counted together.
const BLOCK: u32 = 50;
/// Number of counts before one may stand out.
const BLOCKS_MIN: u64 = 20;
/// A count that stands out has at least this many unknown windows.
const NOVEL_MIN: u32 = 25;
/// A count stands out if it is this many standard deviations above the mean.
const DEVIATIONS: f64 = 6.0;
/// The weight of the newest count in the exponential moving averages: counts are forgotten after a few hundred.
const WEIGHT: f64 = 1.0 / 64.0;

/// A transition of the novelty of a stream.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Change {
    /// This many of the last records were new, and this many were expected.
    Raised { count: u32, expected: f64 },
    /// The condition raised at this time (seconds) has ended.
    Cleared { since: f64 },
}

/// The novelty of one stream.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Novelty {
    records: u32,
    novel: u32,
    blocks: u64,
    mean: f64,
    variance: f64,
    /// Since when novelty stands out, in seconds.
    raised: Option<f64>,
}

impl Novelty {
    /// Takes one record after training.
    pub(super) fn observe(&mut self, novel: bool, time: f64) -> Option<Change> {
        self.records += 1;
        self.novel += u32::from(novel);
        if self.records < BLOCK {
            return None;
        }
        let count = self.novel;
        (self.records, self.novel) = (0, 0);
        let spread = self.variance.max(self.mean).max(1.0).sqrt();
        let stands_out = self.blocks >= BLOCKS_MIN
            && count >= NOVEL_MIN
            && f64::from(count) > self.mean + DEVIATIONS * spread;
        let expected = self.mean;
        self.blocks += 1;
        // At first the plain mean.
        let weight = WEIGHT.max(1.0 / self.blocks as f64);
        let off = f64::from(count) - self.mean;
        self.mean += weight * off;
        self.variance = (1.0 - weight) * (self.variance + weight * off * off);
        match (stands_out, self.raised) {
            (true, None) => {
                self.raised = Some(time);
                Some(Change::Raised { count, expected })
            }
            (false, Some(since)) => {
                self.raised = None;
                Some(Change::Cleared { since })
            }
            _ => None,
        }
    }

    /// Ends the condition; returns since when it was raised, in seconds.
    pub(super) fn end(&mut self) -> Option<f64> {
        self.raised.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The transitions caused by `records`, each with the index of its record.
    fn changes(novelty: &mut Novelty, records: impl Iterator<Item = bool>) -> Vec<(usize, Change)> {
        let changes = records
            .enumerate()
            .filter_map(|(i, novel)| Some((i, novelty.observe(novel, i as f64)?)));
        changes.collect()
    }

    #[test]
    fn a_burst_in_a_quiet_stream_is_raised_once_and_cleared_once() {
        let mut novelty = Novelty::default();
        let calm = (0..5_000).map(|i| i % 100 == 0);
        assert_eq!(changes(&mut novelty, calm.clone()), []);
        let burst = (0..200).map(|_| true);
        let found = changes(&mut novelty, burst.chain(calm));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(matches!(found[0], (49, Change::Raised { count: 50, .. })));
        assert!(matches!(found[1], (i, Change::Cleared { since: 49.0 }) if i < 400));
    }

    #[test]
    fn a_stream_with_constant_novelty_raises_nothing() {
        let mut novelty = Novelty::default();
        let restless = (0..20_000_u64).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 62 != 0);
        assert_eq!(changes(&mut novelty, restless), []);
    }

    #[test]
    fn nothing_stands_out_before_there_is_enough_history() {
        let mut novelty = Novelty::default();
        assert_eq!(changes(&mut novelty, (0..900).map(|i| i >= 500)), []);
    }
}
