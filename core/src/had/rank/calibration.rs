//! The thresholds of a hypervisor that comes near them often: extreme values of its own past.
//!
//! The largest evidence above the bar in each quarter of a day is a block maximum; their mean and mean deviation give a Gumbel
//! distribution (method of moments; Coles, "An Introduction to Statistical Modeling of Extreme Values", chapter 3), and that the
//! level which such a maximum exceeds as rarely as accepted. It raises a threshold and never lowers it: a few days are too few to
//! know that nothing ever happens.

use serde::{Deserialize, Serialize};

use super::channel::BARS;

/// Blocks per day.
const BLOCKS_PER_DAY: f64 = 4.0;
/// Blocks that must be known before they count.
const KNOWN_MIN: u16 = 9;
/// The time constant of mean and deviation, in blocks: five days.
const MEMORY: f32 = 20.0;
/// The scale of a Gumbel distribution per mean absolute deviation.
const SCALE: f32 = 0.975;
/// The mean of a Gumbel distribution lies this many scales above its mode (Euler's constant).
const MEAN: f32 = 0.577;
/// The accepted probability that a block exceeds the threshold, as its negative natural logarithm: once in some 160,000 blocks, a
/// hundred years. It is so small because maxima have longer tails than the distribution, and there are several channels.
const LOG_ODDS: f64 = 12.0;

/// The block maxima of one channel.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Blocks {
    known: u16,
    mean: f32,
    /// Mean absolute deviation.
    deviation: f32,
    /// The maximum of the block at hand.
    largest: f32,
}

/// The block maxima of all channels.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Calibration {
    channels: [Blocks; BARS],
    /// Samples of the block at hand.
    passed: u32,
}

impl Calibration {
    /// Whether a restored state is possible.
    pub(super) fn is_valid(&self) -> bool {
        self.channels.iter().all(|blocks| {
            let numbers = [blocks.mean, blocks.deviation, blocks.largest];
            numbers.iter().all(|x| x.is_finite() && *x >= 0.0)
        })
    }

    /// The threshold of a channel whose ordinary one is `ordinary`; at most `highest` times that.
    pub(super) fn threshold(&self, channel: usize, ordinary: f64, highest: f64) -> f64 {
        let blocks = &self.channels[channel];
        if blocks.known < KNOWN_MIN {
            return ordinary;
        }
        let scale = SCALE * blocks.deviation;
        let own = f64::from(blocks.mean - MEAN * scale) + f64::from(scale) * LOG_ODDS;
        own.clamp(ordinary, highest * ordinary)
    }

    /// Takes the evidence above the bar of one channel at one sample. What exceeds the ordinary threshold counts as that: a fault
    /// is no noise.
    pub(super) fn pass(&mut self, channel: usize, margin: f64, ordinary: f64) {
        let blocks = &mut self.channels[channel];
        blocks.largest = blocks.largest.max(margin.clamp(0.0, ordinary) as f32);
    }

    /// Ends a sample; `day` is the number of samples per day.
    pub(super) fn turn(&mut self, day: f64) {
        self.passed += 1;
        if f64::from(self.passed) < day / BLOCKS_PER_DAY {
            return;
        }
        self.passed = 0;
        for blocks in &mut self.channels {
            blocks.known = blocks.known.saturating_add(1);
            let weight = (1.0 / f32::from(blocks.known)).max(1.0 / MEMORY);
            let off = blocks.largest - blocks.mean;
            blocks.mean += weight * off;
            blocks.deviation += weight * (off.abs() - blocks.deviation);
            blocks.largest = 0.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A channel whose blocks had these maxima.
    fn after(maxima: &[f64]) -> Calibration {
        let mut calibration = Calibration::default();
        for largest in maxima {
            for sample in 0..72 {
                let margin = if sample == 50 { *largest } else { 0.0 };
                calibration.pass(0, margin, 5.0);
                calibration.turn(288.0);
            }
        }
        calibration
    }

    #[test]
    fn a_calm_past_changes_nothing_and_a_restless_one_raises_the_threshold() {
        assert_eq!(after(&[0.2; 12]).threshold(0, 5.0, 3.0), 5.0);
        let restless: Vec<f64> = (0..16)
            .map(|i| if i % 3 == 0 { 4.0 } else { 1.0 })
            .collect();
        let raised = after(&restless).threshold(0, 5.0, 3.0);
        assert!(raised > 7.0 && raised <= 3.0 * 5.0, "{raised}");
        assert_eq!(
            after(&restless).threshold(1, 5.0, 3.0),
            5.0,
            "of its own channel only"
        );
    }

    #[test]
    fn too_short_a_past_and_one_fault_change_little() {
        assert_eq!(after(&[4.0, 0.0, 4.0]).threshold(0, 5.0, 3.0), 5.0);
        let mut maxima = vec![0.3; 20];
        maxima.push(300.0);
        assert!(after(&maxima).threshold(0, 5.0, 3.0) <= 5.0);
    }
}
