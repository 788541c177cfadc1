//! The usual shifts of a VM: how far its ranks shift without any real change.
//!
//! Consecutive samples of a load are correlated, so the mean of a window varies more than that of independent samples would: its
//! effective sample size is smaller (Thiébaux and Zwiers 1984, "The interpretation and estimation of effective sample size"). By how
//! much, each VM's own past windows show on each channel: shifts that are usually larger than the channel's
//! [`usual`](super::channel::Channel::usual) ones are scaled down to these. They are below the mean absolute shift of independent
//! samples, because loads have longer tails, except where changes that last for hours are looked for.

use serde::{Deserialize, Serialize};

use super::channel::{CHANNELS, TABLE};

/// The mean absolute shift of independent samples: that of |N(0, 1)|.
const INDEPENDENT: f32 = 0.8;
/// Time constant of the means, in samples: a day of those that are judged.
const MEMORY: f32 = 288.0;
/// No mean shift is as large as this.
const LARGEST: f32 = 64.0;

/// The mean absolute shift of one VM on each channel.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Usual([f32; CHANNELS]);

impl Default for Usual {
    fn default() -> Self {
        Self([INDEPENDENT; CHANNELS])
    }
}

impl Usual {
    /// Of a state that knows only the mean shift of the fastest channel.
    pub(super) fn of(mean: f32) -> Self {
        match mean.is_finite() {
            true => Self([mean.clamp(0.0, LARGEST); CHANNELS]),
            false => Self::default(),
        }
    }

    /// Whether a restored state is possible.
    pub(super) fn is_valid(&self) -> bool {
        self.0.iter().all(|mean| (0.0..=LARGEST).contains(mean))
    }

    /// Takes the shifts of one sample, NaN where the VM abstains, and divides them.
    pub(super) fn pass(&mut self, shifts: &mut [f32; CHANNELS]) {
        let all = self.0.iter_mut().zip(shifts).zip(&TABLE);
        for ((mean, shift), channel) in all {
            if shift.is_nan() {
                continue;
            }
            *mean += (shift.abs().min(LARGEST) - *mean) / MEMORY;
            *shift /= (*mean / channel.usual).max(1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The shifts on all channels after a day of shifts of these sizes, in turn up and down.
    fn after(size: f32, shift: f32) -> [f32; CHANNELS] {
        let mut usual = Usual::default();
        for t in 0..1500 {
            usual.pass(&mut [if t % 2 == 0 { size } else { -size }; CHANNELS]);
        }
        let mut shifts = [shift; CHANNELS];
        usual.pass(&mut shifts);
        shifts
    }

    #[test]
    fn shifts_that_are_usually_large_are_scaled_down_to_the_channels_usual_ones() {
        for (shift, channel) in after(3.0, 3.0).into_iter().zip(&TABLE) {
            assert!(
                (shift - channel.usual).abs() < 0.05,
                "{}: {shift}",
                channel.name
            );
        }
    }

    #[test]
    fn small_shifts_stay_as_they_are_and_a_vm_that_abstains_changes_nothing() {
        assert_eq!(after(0.3, 2.0), [2.0; CHANNELS]);
        let mut usual = Usual::default();
        usual.pass(&mut [f32::NAN; CHANNELS]);
        assert_eq!(usual, Usual::default());
    }
}
