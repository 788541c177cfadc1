//! Ring positions and constants, which are the same for every VM at a tick.

use std::sync::LazyLock;

use super::super::channel::{CHANNELS, RING, SHIFT_RINGS, TABLE};
use super::{BINS, FULL_SCALE, RANK_ONE};

/// sqrt(12): a rank is uniform, with variance 1/12.
const ROOT_12: f32 = 3.464_101_6;

/// Constants of the channels, computed once.
#[derive(Debug)]
pub(super) struct Constants {
    /// The value in the middle of each bin, at scale 1, in units of 1/256.
    bin_values: [u16; BINS],
    /// Standard deviations per unit of the sum of ranks (below and above, or twice one of them) over the whole short window.
    pub(super) shift_units: [f32; CHANNELS],
    /// The same over the samples of the whole guard, after and before the common moment; 0 without a guard.
    pub(super) guard_units: [[f32; 2]; CHANNELS],
    /// Standard deviations between the guard's samples per standard deviation between the windows.
    pub(super) guard_parts: [f32; CHANNELS],
}

static CONSTANTS: LazyLock<Constants> = LazyLock::new(|| {
    let windows = |c: usize| [TABLE[c].short as i32, TABLE[c].base as i32];
    let guard = |c: usize| TABLE[c].guard.map(|g| [g.after as i32, g.before as i32]);
    Constants {
        bin_values: std::array::from_fn(|b| {
            let edge = |b: usize| ((b as f64 / (BINS - 1) as f64) * FULL_SCALE.ln_1p()).exp_m1();
            let middle = if b == BINS - 1 {
                edge(b)
            } else {
                (edge(b) + edge(b + 1)) / 2.0
            };
            (middle * 256.0).round() as u16
        }),
        shift_units: std::array::from_fn(|c| {
            let [short, base] = windows(c);
            sigmas(short, base) / rank_sum(short)
        }),
        guard_units: std::array::from_fn(|c| {
            guard(c).map_or([0.0; 2], |[after, before]| {
                [after, before].map(|n| sigmas(after, before) / rank_sum(n))
            })
        }),
        guard_parts: std::array::from_fn(|c| {
            let [short, base] = windows(c);
            guard(c).map_or(0.0, |[after, before]| {
                sigmas(after, before) / sigmas(short, base)
            })
        }),
    }
});

/// Twice the largest sum of `n` ranks.
pub(super) fn rank_sum(n: i32) -> f32 {
    (2 * RANK_ONE * n) as f32
}

/// Standard deviations per difference of 1 between the mean ranks of `a` and `b` samples.
pub(super) fn sigmas(a: i32, b: i32) -> f32 {
    ROOT_12 * ((a * b) as f32 / (a + b) as f32).sqrt()
}

/// The positions in all rings; the same for all VMs of a hypervisor, so computed once per tick.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor {
    pub(super) constants: &'static Constants,
    /// Of the newest bin.
    pub(crate) bin: usize,
    /// Per channel, of the bin that leaves the short window and enters the base.
    pub(super) enter: [usize; CHANNELS],
    /// Per channel, of the bin that leaves the base.
    pub(super) leave: [usize; CHANNELS],
    /// Per channel, of the newest shift.
    pub(super) new: [usize; CHANNELS],
    /// Per channel, of the shift that leaves the short window.
    pub(super) old: [usize; CHANNELS],
    /// Per channel with a guard, of the shift that enters the guard's first samples.
    pub(super) after: [usize; CHANNELS],
    /// Per channel with a guard, of the shift that leaves the samples of the guard.
    pub(super) before: [usize; CHANNELS],
}

impl Cursor {
    /// The middle of bin `b` at scale 1, in units of 1/256.
    pub(super) fn value(&self, b: u8) -> u32 {
        u32::from(self.constants.bin_values[usize::from(b) % BINS])
    }

    /// The positions at sample number `t`.
    pub(crate) fn at(t: u64) -> Self {
        // The index `by` before `newest`, less than one turn away: needs no division except one per ring.
        let back = |newest: usize, by: usize, ring: usize| {
            if newest >= by {
                newest - by
            } else {
                newest + ring - by
            }
        };
        let bin = (t % RING as u64) as usize;
        let none = [0; CHANNELS];
        let mut cursor = Self {
            constants: &CONSTANTS,
            bin,
            enter: none,
            leave: none,
            new: none,
            old: none,
            after: none,
            before: none,
        };
        for (c, channel) in TABLE.iter().enumerate() {
            let (ring, offset) = SHIFT_RINGS[c];
            let new = (t % ring as u64) as usize;
            cursor.enter[c] = back(bin, channel.short, RING);
            cursor.leave[c] = back(bin, channel.short + channel.base, RING);
            cursor.new[c] = offset + new;
            cursor.old[c] = offset + back(new, channel.short, ring);
            if let Some(guard) = channel.guard {
                cursor.after[c] = offset + back(new, channel.short - guard.after, ring);
                cursor.before[c] = offset + back(new, channel.short + guard.before, ring);
            }
        }
        cursor
    }
}
