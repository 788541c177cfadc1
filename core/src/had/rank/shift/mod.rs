//! How far the present of one VM has shifted in rank against its own past, on every time scale.

mod cursor;
mod histogram;
mod rebuild;

use serde::{Deserialize, Serialize};

use self::cursor::{Constants, rank_sum, sigmas};
use self::histogram::Histogram;
use super::channel::{CHANNELS, FAST, RING, SHIFTS, TABLE};
use super::frozen::Repeats;
use super::usual::Usual;

pub(super) use self::cursor::Cursor;

/// Number of bins of a value, equally wide in ln(1+x).
pub(super) const BINS: usize = 128;
/// The bin of the largest values, and of all that exceed them.
const LAST: u8 = BINS as u8 - 1;
/// The bin of a missing sample.
pub(super) const MISSING: u8 = 255;
/// Minimum number of samples of the base for a rank.
const BASE_MIN: u16 = 36;
/// Values are binned from 0 to this; larger ones after a change of scale.
const FULL_SCALE: f64 = 100.0;
/// Samples of the past that tell what a VM needs, and the newest that do not belong to it.
const PAST: usize = 72;
const PAST_GAP: usize = 4;
/// A VM whose base and present are both below this has no signal (units of the metric).
const IDLE: f32 = 0.5;
/// A VM whose base and present are both below this has no level to speak of (units of the metric).
const BUSY: f32 = 1.0;
/// A VM whose base and present are both above this (percent) cannot rise.
const SATURATED: u32 = 95;
/// A rank of 0 to 1 is stored as 0 to this.
const RANK_ONE: i32 = 255;
/// How far above full scale a value must be to count towards a larger scale.
const OVERSHOOT: f64 = 1.05;
/// This many more samples above full scale than below it change the scale.
const OVERSHOOTS: u8 = 8;
/// Maximum scale, as a power of two.
const SCALE_MAX: u8 = 64;
/// Length of the moving means of step and shift, in samples.
const NOISE_MEMORY: u16 = 288;
/// Minimum number of steps for an estimate of noise.
const NOISE_MIN: u16 = 16;
/// Minimum number of changes of value before a VM can freeze; one that was always constant has not frozen.
const MOVES_MIN: u16 = 16;
/// Maximum contribution of a step of ln(1+x) to noise.
const STEP_MAX: f32 = 1.5;
/// The mean of |N(0, 2)| is 1/0.886 standard deviations of N(0, 1).
const STEP_TO_SIGMA: f32 = 0.886;

/// The bin of ln(1+x), x at scale 1.
fn bin_of_log(log: f32) -> u8 {
    const PER_LOG: f32 = 27.518_24; // 127 / ln 101
    (log * PER_LOG).min((BINS - 1) as f32) as u8
}

/// A count of shifts and the sums of their two ranks.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    /// Sum of the ranks one bin below the samples, which indicates rising.
    low: i32,
    /// Sum of the ranks one bin above the samples, which indicates falling.
    high: i32,
    /// Number of shifts.
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

/// The state of one channel of one VM; all of it can be derived from the VM's rings.
#[derive(Debug, Clone, Default)]
struct Scale {
    /// Number of samples of the base per bin.
    histogram: Histogram,
    /// Samples of the base.
    base_count: u16,
    /// Samples of the short window.
    short_count: u16,
    /// Sum of the base, in units of 1/256 at scale 1.
    base_sum: u32,
    /// Sum of the short window, in units of 1/256 at scale 1.
    short_sum: u32,
    /// The shifts of the short window.
    shifts: Sums,
    /// The shifts of the guard's samples after the common moment.
    after: Sums,
    /// The shifts of the guard's samples before it.
    before: Sums,
}

/// No shift: the sample is missing or the base too short. (A rank one bin below never exceeds the one above.)
const NO_SHIFT: [u8; 2] = [255, 0];

/// Pairs of bytes, serialized as plain bytes.
mod pairs {
    use serde::{Deserializer, Serializer, de::Error};

    use crate::had::rank::channel::SHIFTS;

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

/// The past and present of one VM.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Vm {
    /// The bins of the last samples.
    #[serde(with = "crate::snapshot::owned::byte_array")]
    bins: [u8; RING],
    /// The last shifts of all channels: the ranks one bin below and one bin above each sample.
    #[serde(with = "pairs")]
    ranks: [[u8; 2]; SHIFTS],
    #[serde(skip)]
    scales: [Scale; CHANNELS],
    /// Values are divided by two to this power before binning.
    scale: u8,
    /// Samples above full scale minus those below, not below zero.
    overshoots: u8,
    /// ln(1+x) of the last sample; NaN before the first.
    last_log: f32,
    /// Mean absolute step of ln(1+x).
    step: f32,
    /// Steps that `step` is the mean of.
    steps: u16,
    repeats: Repeats,
    /// Mean absolute shift of the fast channel, by a state of version 2 or before; now in [`Usual`].
    mean_shift: f32,
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
            repeats: Repeats::default(),
            mean_shift: 0.0,
            last: f64::NAN,
        }
    }
}

impl Vm {
    /// Takes the sample of this tick, NaN if missing. `percent`: the metric has a maximum of 100 per core. Writes the shift on
    /// every scale, in standard deviations, NaN if the VM abstains.
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

    /// The usual shifts, of a state that knows only those of the fast channel.
    pub(super) fn usual_before(&self) -> Usual {
        Usual::of(self.mean_shift)
    }

    /// Updates value and noise; returns the value's bin.
    fn take(&mut self, value: f64, cursor: &Cursor) -> u8 {
        self.repeats.pass(value == self.last);
        self.last = value;
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

    /// Enlarges the scale so that `value` fits, and moves every bin accordingly. Values of the last bin exceeded full scale by an
    /// unknown amount and are dropped.
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
        // The sample of this tick is not in the rings yet, so their positions are still those of the last tick.
        self.rebuild_bases(cursor);
    }

    fn push_channel(&mut self, c: usize, bin: u8, cursor: &Cursor, percent: bool) -> f32 {
        let channel = &TABLE[c];
        let (enter, leave) = (self.bins[cursor.enter[c]], self.bins[cursor.leave[c]]);
        let scale = &mut self.scales[c];
        // In locals: stored one by one and then read together, the counts would stall the processor.
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
            // Levels in units of 1/256 at scale 1, multiplied by their counts instead of divided: both windows below, or both
            // above.
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

    /// Full scale in hundreds of the metric's unit: two to the power of `scale`.
    fn unit(&self) -> f32 {
        f32::from_bits((127 + u32::from(self.scale)) << 23)
    }

    /// How much the present of channel `c` differs from its base, as ln of the ratio of the means of 1+x; `None` if too little is
    /// known, or both are next to nothing.
    pub(super) fn change(&self, c: usize) -> Option<f64> {
        let scale = &self.scales[c];
        if scale.base_count < BASE_MIN || 2 * usize::from(scale.short_count) < TABLE[c].short {
            return None;
        }
        let now = self.level(scale.short_sum, scale.short_count);
        let before = self.level(scale.base_sum, scale.base_count);
        let is_busy = now.max(before) >= BUSY;
        is_busy.then(|| f64::from(((now + 1.0) / (before + 1.0)).ln()))
    }

    /// The mean of the fast channel's base, in the metric's unit; `None` if the base is too short.
    pub(super) fn baseline(&self) -> Option<f64> {
        let scale = &self.scales[FAST];
        (scale.base_count >= BASE_MIN)
            .then(|| f64::from(self.level(scale.base_sum, scale.base_count)))
    }

    /// The median of the last six hours or so before the present, and the least of them but outliers; in the metric's unit.
    pub(super) fn past(&self, cursor: &Cursor) -> Option<(f64, f64)> {
        let newest = self.history(cursor.bin).count();
        let window = self
            .history(cursor.bin)
            .skip(newest.saturating_sub(PAST + PAST_GAP))
            .take(PAST);
        let mut bins: Vec<u8> = window.filter(|bin| *bin != MISSING).collect();
        if bins.len() < PAST / 2 {
            return None;
        }
        let outliers = bins.len() / 50;
        let least = *bins.select_nth_unstable(outliers).1;
        let middle = bins.len() / 2;
        let median = *bins.select_nth_unstable(middle).1;
        let value = |bin: u8| f64::from(cursor.value(bin)) / 256.0 * f64::from(self.unit());
        // A bin is as wide as its rounding; what lies in the lowest one may be nothing at all.
        let least = match least {
            0 => 0.0,
            least => value(least - 1),
        };
        Some((value(median), least))
    }

    /// Standard deviation of the noise between consecutive samples of ln(1+x); `None` if too few are known.
    pub(super) fn noise(&self) -> Option<f32> {
        (self.steps >= NOISE_MIN).then_some(STEP_TO_SIGMA * self.step)
    }

    /// Whether a VM that used to change repeats one value longer than ever before, and at least `repeats_min` times.
    pub(super) fn frozen(&self, repeats_min: u16) -> bool {
        self.repeats.is_frozen(MOVES_MIN, repeats_min)
    }

    /// The bins from oldest to newest, where the newest is at `cursor`.
    pub(super) fn history(&self, cursor: usize) -> impl Iterator<Item = u8> + '_ {
        self.bins[cursor + 1..]
            .iter()
            .chain(&self.bins[..=cursor])
            .copied()
    }
}

impl Scale {
    /// The shift of the short window against the base, in standard deviations of the mean of that many ranks; 0 if the guard
    /// finds that the VM did not change at the common moment.
    fn z(&self, c: usize, constants: &Constants) -> f32 {
        let channel = &TABLE[c];
        let k = self.shifts.count;
        let up = 2 * self.shifts.low - k * RANK_ONE;
        let down = 2 * self.shifts.high - k * RANK_ONE;
        // At most one of them is not 0, because `low` is at most `high`; a branch could not be predicted.
        let sum = up.max(0) + down.min(0);
        let m = i32::from(self.base_count);
        // Full windows are the common case, and it pays to save a square root and divisions.
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
        // A step at the common moment as large as the shift itself would show this part of it between the guard's samples; half
        // of that, less two standard deviations, is required.
        if z.signum() * step < 0.5 * constants.guard_parts[c] * z.abs() - 2.0 {
            0.0
        } else {
            z
        }
    }
}

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

    /// The same from scratch, by definition: windows are slices of the whole series, without running state.
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
            for c in (0..CHANNELS).filter(|c| !TABLE[*c].slow) {
                for (t, expected) in from_scratch(&values, c).into_iter().enumerate() {
                    let got = f64::from(online[t][c]);
                    // Ranks are rounded to a byte, which moves a shift a little, and one near zero across the sign.
                    let near = got.is_nan() == expected.is_nan() && (got.is_nan() || (got - expected).abs() < 0.05);
                    prop_assert!(near, "channel {c} at {t}: {got} instead of {expected}");
                }
            }
        }

        #[test]
        fn running_sums_are_those_of_the_rings(values in series(), cut in 0usize..700) {
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
    fn a_vm_that_changed_at_another_time_has_no_vote_on_the_slow_scales() {
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
    fn a_constant_vm_and_one_that_varies_within_a_bin_have_not_shifted() {
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
    fn a_vm_takes_little_more_than_two_kibibytes() {
        assert!(size_of::<Vm>() <= 2112, "{}", size_of::<Vm>());
    }
}
