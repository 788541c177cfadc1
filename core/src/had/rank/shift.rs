//! How far one VM's present has shifted in rank against its own past, on every scale of time.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::channel::{CHANNELS, RING, SHIFT_RINGS, SHIFTS, TABLE};

/// Bins of a value, equally wide in ln(1+x).
pub(super) const BINS: usize = 128;
/// The bin of the largest values, and of all that are larger.
const LAST: u8 = BINS as u8 - 1;
/// The bin of a sample that is missing.
pub(super) const MISSING: u8 = 255;
/// Fewest samples of the base that a rank is taken against.
const BASE_MIN: u16 = 36;
/// Values are binned over 0 to this; larger ones after a change of scale.
const FULL_SCALE: f64 = 100.0;
/// A VM whose base and present are both below this has nothing to tell (units of the metric).
const IDLE: f32 = 0.5;
/// A VM whose base and present are both above this (percent) has no room to rise.
const SATURATED: u32 = 95;
/// A rank of 0 to 1 is kept as 0 to this.
const RANK_ONE: i32 = 255;
/// sqrt(12): a rank is uniform, with variance 1/12.
const ROOT_12: f32 = 3.464_101_6;
/// How far above full scale a value must be to ask for a larger scale.
const OVERSHOOT: f64 = 1.05;
/// So many more samples above full scale than below it change the scale.
const OVERSHOOTS: u8 = 8;
/// Largest scale, as a power of two.
const SCALE_MAX: u8 = 64;
/// Samples after which the mean step forgets.
const NOISE_MEMORY: u16 = 288;
/// Fewest steps that noise is estimated from.
const NOISE_MIN: u16 = 16;
/// Fewest changes of value after which a VM can freeze; one that was constant all its life has not.
const MOVES_MIN: u16 = 16;
/// A step of ln(1+x) counts at most so much as noise.
const STEP_MAX: f32 = 1.5;
/// The mean of |N(0, 2)| is 1/0.886 standard deviations of N(0, 1).
const STEP_TO_SIGMA: f32 = 0.886;

/// What is the same for every VM, reckoned once.
#[derive(Debug)]
struct Constants {
    /// The value in the middle of each bin, at scale 1, in 1/256.
    bin_values: [u16; BINS],
    /// Standard deviations a unit of the sum of ranks, below and above or twice one of them, over the whole short window.
    shift_units: [f32; CHANNELS],
    /// The same over the samples of the whole guard, after and before the common moment; 0 where there is none.
    guard_units: [[f32; 2]; CHANNELS],
    /// How many standard deviations between the guard's samples one between the windows is.
    guard_parts: [f32; CHANNELS],
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
fn rank_sum(n: i32) -> f32 {
    (2 * RANK_ONE * n) as f32
}

/// How many standard deviations a difference of 1 between the mean ranks of `a` and of `b` samples is.
fn sigmas(a: i32, b: i32) -> f32 {
    ROOT_12 * ((a * b) as f32 / (a + b) as f32).sqrt()
}

/// The bin of ln(1+x), x at scale 1.
fn bin_of_log(log: f32) -> u8 {
    const PER_LOG: f32 = 27.518_24; // 127 / ln 101
    (log * PER_LOG).min((BINS - 1) as f32) as u8
}

/// Where each ring stands; the same for all VMs of a hypervisor, so reckoned once a tick.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor {
    constants: &'static Constants,
    /// Of the newest bin.
    pub bin: usize,
    /// Per channel, of the bin that leaves the short window and enters the base.
    enter: [usize; CHANNELS],
    /// Per channel, of the bin that leaves the base.
    leave: [usize; CHANNELS],
    /// Per channel, of the newest shift.
    new: [usize; CHANNELS],
    /// Per channel, of the shift that leaves the short window.
    old: [usize; CHANNELS],
    /// Per channel with a guard, of the shift that enters the guard's first samples.
    after: [usize; CHANNELS],
    /// Per channel with a guard, of the shift that leaves what the guard looks at.
    before: [usize; CHANNELS],
}

impl Cursor {
    /// The middle of bin `b` at scale 1, in 1/256.
    fn value(&self, b: u8) -> u32 {
        u32::from(self.constants.bin_values[usize::from(b) % BINS])
    }

    /// Where the rings stand at sample number `t`.
    pub(super) fn at(t: u64) -> Self {
        let back = |by: usize, ring: usize| ((t + ring as u64 - by as u64) % ring as u64) as usize;
        let none = [0; CHANNELS];
        let mut cursor = Self {
            constants: &CONSTANTS,
            bin: back(0, RING),
            enter: none,
            leave: none,
            new: none,
            old: none,
            after: none,
            before: none,
        };
        for (c, channel) in TABLE.iter().enumerate() {
            let (ring, offset) = SHIFT_RINGS[c];
            cursor.enter[c] = back(channel.short, RING);
            cursor.leave[c] = back(channel.short + channel.base, RING);
            cursor.new[c] = offset + back(0, ring);
            cursor.old[c] = offset + back(channel.short, ring);
            if let Some(guard) = channel.guard {
                cursor.after[c] = offset + back(channel.short - guard.after, ring);
                cursor.before[c] = offset + back(channel.short + guard.before, ring);
            }
        }
        cursor
    }
}

/// A count of shifts and the sums of their two ranks.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    /// Sum of the ranks one bin below the samples, which tells of rising.
    low: i32,
    /// Sum of the ranks one bin above the samples, which tells of falling.
    high: i32,
    /// How many.
    count: i32,
}

impl Sums {
    fn add(&mut self, shift: [u8; 2], sign: i32) {
        if shift != NO_SHIFT {
            self.low += sign * i32::from(shift[0]);
            self.high += sign * i32::from(shift[1]);
            self.count += sign;
        }
    }
}

/// Bins that a block counts together.
const BLOCK: usize = 8;

/// How many samples fall into each bin, at most 255 in all, so that every count, and every sum of counts, fits a byte.
#[derive(Debug, Clone)]
struct Histogram {
    bins: [u8; BINS],
    /// The same by blocks of [`BLOCK`] bins.
    blocks: [u8; BINS / BLOCK],
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            bins: [0; BINS],
            blocks: [0; BINS / BLOCK],
        }
    }
}

impl Histogram {
    fn add(&mut self, bin: u8) {
        let bin = usize::from(bin) % BINS;
        self.bins[bin] += 1;
        self.blocks[bin / BLOCK] += 1;
    }

    fn remove(&mut self, bin: u8) {
        let bin = usize::from(bin) % BINS;
        self.bins[bin] -= 1;
        self.blocks[bin / BLOCK] -= 1;
    }

    /// How many samples are in bins below `bin`: the blocks below its own, and what is below it in its own. Bytes are added
    /// eight at a time within a word, which no sum of at most 255 overflows, and no branch depends on the data.
    fn count_below(&self, bin: usize) -> u32 {
        let block = bin / BLOCK;
        let blocks = u128::from_le_bytes(self.blocks) & ((1 << (8 * block)) - 1);
        let own: [u8; BLOCK] = self.bins[block * BLOCK..][..BLOCK]
            .try_into()
            .expect("a block of bins");
        let own = u64::from_le_bytes(own) & ((1 << (8 * (bin % BLOCK))) - 1);
        let lanes = (blocks as u64) + ((blocks >> 64) as u64) + own;
        (lanes.wrapping_mul(0x0101_0101_0101_0101) >> 56) as u32
    }

    /// Lets the sample in bin `leave` go and takes the one in bin `enter`, either of which may be [`MISSING`]. Gives the ranks
    /// of `bin` among the `count` samples that it then holds, one bin below and one bin above it: the share below plus half the
    /// share equal. The bin of dead band on either side keeps ties and rounding from counting as change.
    ///
    /// What is read together is read before single bytes of it are written: the other way round the processor would have to
    /// wait for them.
    fn turn(&mut self, leave: u8, enter: u8, bin: usize, count: u16) -> [u8; 2] {
        let (low, high) = (bin.saturating_sub(1), (bin + 1).min(BINS - 1));
        let below_low = self.count_below(low);
        let at = |b: usize| u32::from(self.bins[b]);
        // From `low` up to, but not including, `high`: two bins, or one at either end.
        let between = at(low) + if high - low == 2 { at(low + 1) } else { 0 };
        let twice_low = 2 * below_low + at(low);
        let twice_high = 2 * (below_low + between) + at(high);
        // First out, then in: 255 equal samples fill a byte.
        if leave != MISSING {
            self.remove(leave);
        }
        if enter != MISSING {
            self.add(enter);
        }
        let unit = RANK_UNITS[usize::from(count)];
        let rank = |twice: u32, edge: usize| {
            let twice = twice + weight(enter, edge) - weight(leave, edge);
            ((twice * unit + (1 << 15)) >> 16) as u8
        };
        [rank(twice_low, low), rank(twice_high, high)]
    }
}

/// What one channel keeps of one VM; all of it follows from the VM's rings.
#[derive(Debug, Clone, Default)]
struct Scale {
    /// How many samples of the base fall into each bin.
    histogram: Histogram,
    /// Samples of the base.
    base_count: u16,
    /// Samples of the short window.
    short_count: u16,
    /// Sum of the base, in 1/256 at scale 1.
    base_sum: u32,
    /// Sum of the short window, in 1/256 at scale 1.
    short_sum: u32,
    /// The shifts of the short window.
    shifts: Sums,
    /// The shifts of the guard's samples after the common moment.
    after: Sums,
    /// The shifts of the guard's samples before it.
    before: Sums,
}

/// No shift: the sample is missing or the base too short. (A rank one bin below is never above that one bin above.)
const NO_SHIFT: [u8; 2] = [255, 0];

/// Pairs of bytes, written as plain bytes.
mod pairs {
    use serde::{Deserializer, Serializer, de::Error};

    use super::SHIFTS;

    pub(super) fn serialize<S: Serializer>(
        pairs: &[[u8; 2]; SHIFTS],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(pairs.as_flattened())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<[[u8; 2]; SHIFTS], D::Error> {
        let bytes: Vec<u8> = serde_bytes::deserialize(from)?;
        let (pairs, rest) = bytes.as_chunks::<2>();
        match pairs.try_into() {
            Ok(pairs) if rest.is_empty() => Ok(pairs),
            _ => Err(D::Error::invalid_length(bytes.len(), &"two bytes a shift")),
        }
    }
}

/// One VM's past and present.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Vm {
    /// The last samples' bins.
    #[serde(with = "serde_bytes")]
    bins: [u8; RING],
    /// The last shifts of all channels: the ranks one bin below and one bin above each sample.
    #[serde(with = "pairs")]
    ranks: [[u8; 2]; SHIFTS],
    #[serde(skip)]
    scales: [Scale; CHANNELS],
    /// Values are divided by two to this power before they are binned.
    scale: u8,
    /// Samples above full scale, less those below, not below zero.
    overshoots: u8,
    /// ln(1+x) of the last sample; NaN before the first.
    last_log: f32,
    /// Mean absolute step of ln(1+x).
    step: f32,
    /// Steps that `step` is the mean of.
    steps: u16,
    /// How often the last value has come again in a row.
    repeats: u16,
    /// The longest such run before.
    repeats_max: u16,
    /// How often the value has been another than the last.
    moves: u16,
    /// The last value; NaN before the first.
    last: f64,
}

impl Default for Vm {
    fn default() -> Self {
        Self {
            bins: [MISSING; RING],
            ranks: [NO_SHIFT; SHIFTS],
            scales: std::array::from_fn(|_| Scale::default()),
            scale: 0,
            overshoots: 0,
            last_log: f32::NAN,
            step: 0.0,
            steps: 0,
            repeats: 0,
            repeats_max: 0,
            moves: 0,
            last: f64::NAN,
        }
    }
}

impl Vm {
    /// Takes the sample of this tick, NaN where it is missing. `percent`: the metric has a ceiling of 100 a core.
    /// Writes the shift on every scale, in standard deviations, NaN where the VM abstains.
    pub(super) fn push(
        &mut self,
        value: f64,
        cursor: &Cursor,
        percent: bool,
        z: [&mut f32; CHANNELS],
    ) {
        let bin = if value.is_nan() {
            MISSING
        } else {
            self.take(value, cursor)
        };
        self.bins[cursor.bin] = bin;
        for (c, z) in z.into_iter().enumerate() {
            *z = self.push_channel(c, bin, cursor, percent);
        }
    }

    /// Follows value and noise; gives the value's bin.
    fn take(&mut self, value: f64, cursor: &Cursor) -> u8 {
        if value == self.last {
            self.repeats = self.repeats.saturating_add(1);
        } else {
            self.repeats_max = self.repeats_max.max(self.repeats);
            self.moves = self.moves.saturating_add(1);
            self.repeats = 0;
            self.last = value;
        }
        let scaled = value / f64::from(self.unit());
        if scaled > FULL_SCALE * OVERSHOOT {
            self.overshoots += 1;
            if self.overshoots >= OVERSHOOTS && self.scale < SCALE_MAX {
                self.enlarge(value, cursor);
            }
        } else {
            self.overshoots = self.overshoots.saturating_sub(1);
        }
        let scaled = if self.scale == 0 {
            value
        } else {
            value / f64::from(self.scale).exp2()
        };
        let log = (scaled.min(FULL_SCALE) as f32 + 1.0).ln();
        if !self.last_log.is_nan() {
            self.steps = (self.steps + 1).min(NOISE_MEMORY);
            self.step +=
                ((log - self.last_log).abs().min(STEP_MAX) - self.step) / f32::from(self.steps);
        }
        self.last_log = log;
        bin_of_log(log)
    }

    /// Enlarges the scale so that `value` fits. Every bin that is kept moves to where its value belongs now; the values of the
    /// last bin were above full scale, nobody knows how far, and are dropped.
    fn enlarge(&mut self, value: f64, cursor: &Cursor) {
        let larger = ((value / FULL_SCALE).log2().ceil() as u8)
            .min(SCALE_MAX)
            .max(self.scale + 1);
        let ratio = f32::from(larger - self.scale).exp2();
        self.scale = larger;
        self.overshoots = 0;
        for bin in &mut self.bins {
            *bin = match *bin {
                MISSING | LAST => MISSING,
                within => bin_of_log((cursor.value(within) as f32 / (256.0 * ratio)).ln_1p()),
            };
        }
        self.last_log = (self.last_log.exp_m1() / ratio).ln_1p();
        // The sample of this tick is not in the rings yet, so they stand where the last tick left them.
        self.rebuild_bases(cursor);
    }

    fn push_channel(&mut self, c: usize, bin: u8, cursor: &Cursor, percent: bool) -> f32 {
        let channel = &TABLE[c];
        let (enter, leave) = (self.bins[cursor.enter[c]], self.bins[cursor.leave[c]]);
        let scale = &mut self.scales[c];
        // In locals: stored one by one and read again together, the counts would stall the processor.
        let Scale {
            mut base_count,
            mut short_count,
            mut base_sum,
            mut short_sum,
            ..
        } = *scale;
        if bin != MISSING {
            short_count += 1;
            short_sum += cursor.value(bin);
        }
        if leave != MISSING {
            base_count -= 1;
            base_sum -= cursor.value(leave);
        }
        if enter != MISSING {
            let value = cursor.value(enter);
            base_count += 1;
            base_sum += value;
            short_count -= 1;
            short_sum -= value;
        }
        (
            scale.base_count,
            scale.short_count,
            scale.base_sum,
            scale.short_sum,
        ) = (base_count, short_count, base_sum, short_sum);

        let m = base_count;
        let ranks = scale
            .histogram
            .turn(leave, enter, usize::from(bin) % BINS, m);
        let shift = if bin == MISSING || m < BASE_MIN {
            NO_SHIFT
        } else {
            ranks
        };
        scale.shifts.add(shift, 1);
        let old = self.ranks[cursor.old[c]];
        scale.shifts.add(old, -1);
        if let Some(guard) = channel.guard {
            let entering = if guard.after == channel.short {
                shift
            } else {
                self.ranks[cursor.after[c]]
            };
            scale.after.add(entering, 1);
            scale.after.add(old, -1);
            scale.before.add(old, 1);
            scale.before.add(self.ranks[cursor.before[c]], -1);
        }
        self.ranks[cursor.new[c]] = shift;

        let scale = &self.scales[c];
        let k = scale.shifts.count;
        if m < BASE_MIN || 2 * k < channel.short as i32 {
            return f32::NAN;
        }
        if short_count > 0 {
            // Levels in 1/256 at scale 1, multiplied by their counts instead of divided: both windows below, or both above.
            let idle = IDLE * 256.0 / self.unit();
            let is_idle = |sum: u32, count: u16| (sum as f32) < idle * f32::from(count);
            let is_saturated = |sum: u32, count: u16| sum > SATURATED * 256 * u32::from(count);
            let (base, short) = ((base_sum, m), (short_sum, short_count));
            if is_idle(base.0, base.1) && is_idle(short.0, short.1)
                || percent && is_saturated(base.0, base.1) && is_saturated(short.0, short.1)
            {
                return f32::NAN;
            }
        }
        scale.z(c, cursor.constants)
    }

    /// The mean of `count` values whose sum is `sum`, in the metric's unit.
    fn level(&self, sum: u32, count: u16) -> f32 {
        sum as f32 / (256.0 * f32::from(count)) * self.unit()
    }

    /// What full scale stands for, in hundreds of the metric's unit: two to the power of `scale`.
    fn unit(&self) -> f32 {
        f32::from_bits((127 + u32::from(self.scale)) << 23)
    }

    /// The mean of the fast channel's base, in the metric's unit; `None` where the base is too short.
    pub(super) fn baseline(&self) -> Option<f64> {
        let scale = &self.scales[super::channel::FAST];
        (scale.base_count >= BASE_MIN)
            .then(|| f64::from(self.level(scale.base_sum, scale.base_count)))
    }

    /// Standard deviation of the noise between successive samples of ln(1+x); `None` where too few are known.
    pub(super) fn noise(&self) -> Option<f32> {
        (self.steps >= NOISE_MIN).then_some(STEP_TO_SIGMA * self.step)
    }

    /// Whether a VM that used to move repeats one value as often in a row as never before, and at least `repeats_min` times.
    pub(super) fn frozen(&self, repeats_min: u16) -> bool {
        self.moves >= MOVES_MIN && self.repeats >= repeats_min.max(2 * self.repeats_max + 1)
    }

    /// The bins from the oldest to the newest, where the newest is at `cursor`.
    pub(super) fn history(&self, cursor: usize) -> impl Iterator<Item = u8> + '_ {
        self.bins[cursor + 1..]
            .iter()
            .chain(&self.bins[..=cursor])
            .copied()
    }

    /// Makes anew what follows from the rings, after a restore; `cursor` is where the next sample will be written. Bytes that
    /// no VM could have left are taken as missing.
    pub(super) fn rebuild(&mut self, cursor: &Cursor) {
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
        self.repeats_max = self.repeats_max.min(u16::MAX / 4);
        self.rebuild_bases(cursor);
        self.rebuild_shifts(cursor);
    }

    /// Counts histograms and sums anew from the bins, the next of which will be written at `cursor`.
    fn rebuild_bases(&mut self, cursor: &Cursor) {
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

    /// Sums the shifts anew from their rings, the next of which will be written at `cursor`.
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

impl Scale {
    /// The shift of the short window against the base, in standard deviations of the mean of so many ranks; 0 where the guard
    /// finds that the VM did not change at the common moment.
    fn z(&self, c: usize, constants: &Constants) -> f32 {
        let channel = &TABLE[c];
        let k = self.shifts.count;
        let up = 2 * self.shifts.low - k * RANK_ONE;
        let down = 2 * self.shifts.high - k * RANK_ONE;
        // At most one of them is not 0, since `low` is at most `high`; which, no branch could foretell.
        let sum = up.max(0) + down.min(0);
        let m = i32::from(self.base_count);
        // Whole windows are the ordinary case, and a square root and divisions a sample are worth saving.
        let is_whole = k == channel.short as i32 && m == channel.base as i32;
        let unit = if is_whole {
            constants.shift_units[c]
        } else {
            sigmas(k, m) / rank_sum(k)
        };
        let z = sum as f32 * unit;
        let Some(guard) = channel.guard else { return z };
        let (na, nb) = (self.after.count, self.before.count);
        if 2 * na < guard.after as i32 || 2 * nb < guard.before as i32 {
            return z;
        }
        let is_whole = na == guard.after as i32 && nb == guard.before as i32;
        let [after_unit, before_unit] = if is_whole {
            constants.guard_units[c]
        } else {
            [na, nb].map(|n| sigmas(na, nb) / rank_sum(n))
        };
        let both = |sums: &Sums| (sums.low + sums.high) as f32;
        let step = both(&self.after) * after_unit - both(&self.before) * before_unit;
        // A step at the common moment as large as the shift itself would show so much of it between the guard's samples;
        // half of that, less two standard deviations, is asked.
        if z.signum() * step < 0.5 * constants.guard_parts[c] * z.abs() - 2.0 {
            0.0
        } else {
            z
        }
    }
}

/// How often a sample in bin `b` counts where those below `edge` count twice and those in it once; [`MISSING`] is above all.
fn weight(b: u8, edge: usize) -> u32 {
    u32::from(usize::from(b) < edge) + u32::from(usize::from(b) <= edge)
}

/// What half a sample of so many counts in a rank of 0 to 255, in 1/65536: a multiplication instead of a division.
const RANK_UNITS: [u32; 256] = {
    let mut units = [0; 256];
    let mut count = 1;
    while count < 256 {
        units[count] = ((RANK_ONE as u32) << 16) / (2 * count as u32);
        count += 1;
    }
    units
};

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The shifts at every sample of `values`, online.
    fn online(values: &[f64]) -> Vec<[f32; CHANNELS]> {
        let mut vm = Vm::default();
        values
            .iter()
            .enumerate()
            .map(|(t, value)| {
                let mut z = [f32::NAN; CHANNELS];
                vm.push(*value, &Cursor::at(t as u64), true, z.each_mut());
                z
            })
            .collect()
    }

    /// The same from scratch, as the method is written down: windows are cut out of the whole series, nothing is carried on.
    fn from_scratch(values: &[f64], c: usize) -> Vec<f64> {
        let (short, base) = (TABLE[c].short, TABLE[c].base);
        let bin = |x: f64| f64::from(bin_of_log((x.min(100.0) as f32 + 1.0).ln()));
        let window = |from: isize, to: isize| -> Vec<f64> {
            (from.max(0)..to.max(0))
                .map(|i| values[i as usize])
                .filter(|x| !x.is_nan())
                .collect()
        };
        let base_of = |t: usize| {
            window(
                t as isize - (short + base) as isize + 1,
                t as isize - short as isize + 1,
            )
        };
        let ranks_at = |t: usize| -> Option<(f64, f64)> {
            let past = base_of(t);
            if values[t].is_nan() || past.len() < usize::from(BASE_MIN) {
                return None;
            }
            let rank = |b: f64| {
                let below = past.iter().filter(|x| bin(**x) < b).count() as f64;
                let equal = past.iter().filter(|x| bin(**x) == b).count() as f64;
                (below + equal / 2.0) / past.len() as f64 - 0.5
            };
            Some((
                rank((bin(values[t]) - 1.0).max(0.0)),
                rank((bin(values[t]) + 1.0).min(127.0)),
            ))
        };
        (0..values.len())
            .map(|t| {
                let shifts: Vec<(f64, f64)> = ((t + 1).saturating_sub(short)..=t)
                    .filter_map(ranks_at)
                    .collect();
                let (k, m) = (shifts.len() as f64, base_of(t).len() as f64);
                if 2 * shifts.len() < short || m < f64::from(BASE_MIN) {
                    return f64::NAN;
                }
                let mean = |x: Vec<f64>| x.iter().sum::<f64>() / x.len() as f64;
                let present = window(t as isize - short as isize + 1, t as isize + 1);
                let levels = [
                    mean(base_of(t)),
                    if present.is_empty() {
                        50.0
                    } else {
                        mean(present)
                    },
                ];
                if levels.iter().all(|l| *l < 0.5) || levels.iter().all(|l| *l > 95.0) {
                    return f64::NAN;
                }
                let (up, down) = shifts
                    .iter()
                    .fold((0.0, 0.0), |(u, d), s| (u + s.0, d + s.1));
                let sum = if up > 0.0 {
                    up
                } else if down < 0.0 {
                    down
                } else {
                    0.0
                };
                12f64.sqrt() * sum / k / (1.0 / k + 1.0 / m).sqrt()
            })
            .collect()
    }

    fn series() -> impl Strategy<Value = Vec<f64>> {
        let sample =
            prop_oneof![12 => 1.0..90.0f64, 2 => 5.0..6.0f64, 1 => Just(f64::NAN), 1 => Just(3.25)];
        prop::collection::vec(sample, 1..700)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn online_is_the_method_recomputed_from_scratch(values in series()) {
            let online = online(&values);
            for c in (0..CHANNELS).filter(|c| TABLE[*c].guard.is_none()) {
                for (t, expected) in from_scratch(&values, c).into_iter().enumerate() {
                    let got = f64::from(online[t][c]);
                    // Ranks are kept in a byte, which moves a shift a little, and one near nothing across the sign.
                    let near = got.is_nan() == expected.is_nan() && (got.is_nan() || (got - expected).abs() < 0.05);
                    prop_assert!(near, "channel {c} at {t}: {got} instead of {expected}");
                }
            }
        }

        #[test]
        fn what_is_carried_on_is_what_the_rings_hold(values in series(), cut in 0usize..700) {
            let mut vm = Vm::default();
            let mut z = [f32::NAN; CHANNELS];
            let mut again = [f32::NAN; CHANNELS];
            for (t, value) in values.iter().enumerate() {
                let cursor = Cursor::at(t as u64);
                if t == cut {
                    let mut rebuilt: Vm = postcard::from_bytes(&postcard::to_stdvec(&vm).unwrap()).unwrap();
                    rebuilt.rebuild(&cursor);
                    rebuilt.push(*value, &cursor, true, again.each_mut());
                }
                vm.push(*value, &cursor, true, z.each_mut());
                if t == cut {
                    prop_assert_eq!(z.map(f32::to_bits), again.map(f32::to_bits));
                }
            }
        }
    }

    #[test]
    fn bins_are_equally_wide_in_the_logarithm() {
        for i in 0..=10_000 {
            let x = f64::from(i) / 100.0;
            let exact = 127.0 * x.ln_1p() / 101f64.ln();
            let bin = f64::from(bin_of_log((x as f32 + 1.0).ln()));
            assert!(
                bin - 1e-4 <= exact && exact <= bin + 1.0 + 1e-4,
                "{x}: {bin} {exact}"
            );
        }
    }

    #[test]
    fn a_vm_that_changed_at_another_time_has_no_say_on_the_slow_scales() {
        let noisy = |t: usize| 20.0 + 4.0 * ((t * 7919 % 101) as f64 / 101.0 - 0.5);
        let step_at = |at: usize| {
            (0..330)
                .map(|t| noisy(t) * if t >= at { 2.0 } else { 1.0 })
                .collect::<Vec<_>>()
        };
        let medium = 2;
        assert_eq!(TABLE[medium].short, 48);
        assert!(
            online(&step_at(282))[329][medium] > 4.0,
            "the step is where the short window begins"
        );
        assert_eq!(
            online(&step_at(230))[329][medium],
            0.0,
            "the step is long before it"
        );
    }

    #[test]
    fn a_constant_vm_and_one_that_moves_within_a_bin_have_not_shifted() {
        for wobble in [0.0, 0.05] {
            let values: Vec<f64> = (0..500).map(|t| 20.0 + wobble * (t % 2) as f64).collect();
            assert_eq!(online(&values)[499], [0.0; CHANNELS]);
        }
    }

    #[test]
    fn idle_and_saturated_vms_abstain() {
        for level in [0.2, 99.0] {
            assert!(
                online(&vec![level; 500])[499].iter().all(|z| z.is_nan()),
                "{level}"
            );
        }
    }

    #[test]
    fn counting_below_a_bin_is_the_plain_sum() {
        let mut histogram = Histogram::default();
        let check = |histogram: &Histogram| {
            for bin in 0..BINS {
                let plain: u32 = histogram.bins[..bin].iter().map(|h| u32::from(*h)).sum();
                assert_eq!(histogram.count_below(bin), plain, "{bin}");
            }
        };
        for i in 0..255u32 {
            histogram.add((i * 37 % 128) as u8);
        }
        check(&histogram);
        for i in 0..255u32 {
            histogram.remove((i * 37 % 128) as u8);
        }
        assert_eq!(histogram.count_below(127), 0);
        for bin in [0, 7, 8, 126, 127] {
            let mut one = Histogram::default();
            (0..255).for_each(|_| one.add(bin));
            check(&one);
        }
    }

    #[test]
    fn a_vm_takes_little_more_than_two_kibibytes() {
        assert!(size_of::<Vm>() <= 2112, "{}", size_of::<Vm>());
    }
}
