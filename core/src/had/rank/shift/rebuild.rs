//! Rebuilding derived state from the rings.

use super::super::channel::{RING, SHIFT_RINGS, TABLE};
use super::histogram::Histogram;
use super::{BINS, Cursor, MISSING, NO_SHIFT, NOISE_MEMORY, OVERSHOOTS, SCALE_MAX, STEP_MAX, Vm};

impl Vm {
    /// Rebuilds derived state after a restore; `cursor` is the position of the next sample. Invalid bytes count as missing.
    pub(crate) fn rebuild(&mut self, cursor: &Cursor) {
        for bin in &mut self.bins {
            if usize::from(*bin) >= BINS {
                *bin = MISSING;
            }
        }
        for shift in &mut self.ranks {
            if shift[0] > shift[1] {
                *shift = NO_SHIFT;
            }
        }
        self.scale = self.scale.min(SCALE_MAX);
        self.steps = self.steps.min(NOISE_MEMORY);
        self.step = if self.step.is_finite() {
            self.step.clamp(0.0, STEP_MAX)
        } else {
            0.0
        };
        self.overshoots = self.overshoots.min(OVERSHOOTS);
        self.repeats.limit();
        self.rebuild_bases(cursor);
        self.rebuild_shifts(cursor);
    }

    /// Rebuilds histograms and sums from the bins, the next of which will be written at `cursor`.
    pub(super) fn rebuild_bases(&mut self, cursor: &Cursor) {
        for (c, channel) in TABLE.iter().enumerate() {
            let scale = &mut self.scales[c];
            scale.histogram = Histogram::default();
            (
                scale.base_count,
                scale.short_count,
                scale.base_sum,
                scale.short_sum,
            ) = (0, 0, 0, 0);
            for age in 0..channel.short + channel.base {
                let bin = self.bins[(cursor.bin + 2 * RING - 1 - age) % RING];
                if bin == MISSING {
                    continue;
                }
                if age < channel.short {
                    scale.short_count += 1;
                    scale.short_sum += cursor.value(bin);
                } else {
                    scale.histogram.add(bin);
                    scale.base_count += 1;
                    scale.base_sum += cursor.value(bin);
                }
            }
        }
    }

    /// Rebuilds the sums of shifts from their rings, the next of which will be written at `cursor`.
    fn rebuild_shifts(&mut self, cursor: &Cursor) {
        for (c, channel) in TABLE.iter().enumerate() {
            let (ring, offset) = SHIFT_RINGS[c];
            let scale = &mut self.scales[c];
            (scale.shifts, scale.after, scale.before) = Default::default();
            let newest = cursor.new[c] - offset + 2 * ring - 1;
            let guard = channel.guard.map_or((0, 0), |g| (g.after, g.before));
            for age in 0..channel.short + guard.1 {
                let shift = self.ranks[offset + (newest - age) % ring];
                if age < channel.short {
                    scale.shifts.add(shift, 1);
                    if age >= channel.short - guard.0 {
                        scale.after.add(shift, 1);
                    }
                } else {
                    scale.before.add(shift, 1);
                }
            }
        }
    }
}
