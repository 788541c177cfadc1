//! Jumps: what is large and sudden, in samples that come more often than they are judged.
//!
//! A VM has jumped if the mean of its last few samples lies beyond all of the 48 before, and is clearly larger or smaller.
//! That most VMs of a host jump in the same direction within the same moment is improbable even if each of them often does; what
//! the host's own past showed, recently and at this hour, raises the bar as for the other channels.
//!
//! VMs that all repeat one value for longer than ever before are frozen, as in the [`judge`](super::judge).

use serde::{Deserialize, Serialize};

use super::bar::Bar;
use super::channel::AGREES;
use super::frozen::{self, Repeats};
use super::logs::{self, MISSING};
use crate::event::Direction;
use crate::had::method::{Alarm, Verdict};
use crate::had::quorum::{binomial_evidence, votes_needed};
use crate::memory::vec;

/// Its name in events.
pub(super) const CHANNEL: &str = "jump";
/// Samples of the past; those between them and the present count for neither.
const BASE: usize = 48;
/// Samples of the present, at most.
const PRESENT_MAX: usize = 8;
/// The present lasts this many seconds, if these are as many samples as it may have.
const PRESENT_SEC: f64 = 40.0;
const PRESENT_MIN: usize = 4;
const RING: usize = BASE + PRESENT_MAX;
/// Samples of the past that must be known.
const KNOWN_MIN: usize = 36;
/// A jump changes the mean by at least this, in ln(1+x).
const STEP_MIN: f32 = 0.35;
/// A VM whose past and present are both below this has no signal: 0.5 units of the metric, in ln(1+x).
const IDLE_LOG: f32 = 0.405_465_1;
/// How often a single VM jumps in one direction by chance: autocorrelated loads do so, in made-up series, in less than one of
/// fifty moments.
const CHANCE: f64 = 0.02;
const QUORUM: f64 = 0.7;
/// Evidence above the bar for an alarm, while nothing else knows the VMs yet, and later.
const THRESHOLD_FIRST: f64 = 3.3;
const THRESHOLD: f64 = 5.0;
/// Seconds from which on the second one applies.
const FIRST_SEC: f64 = 6.0 * 3600.0;
/// Samples after which evidence belongs to the past.
const LAG: usize = 60;
/// Maximum weight of the recent past.
const PAST_CAP: f32 = 9.0;
/// New evidence must exceed this multiple of the past.
const PAST_WEIGHT: f64 = 1.25;
/// Least time (seconds) and number of repetitions of one value that count as frozen.
const FROZEN_SEC: f64 = 60.0;
const FROZEN_MIN: f64 = 6.0;
/// Minimum number of changes of value before a VM can freeze.
const MOVES_MIN: u16 = 36;
/// The least spread of the past that a shift is measured by, in ln(1+x).
const SPREAD_MIN: f32 = 0.05;
/// No shift is larger.
const SHIFT_MAX: f32 = 9.0;
/// Above this interval, samples are judged themselves.
const INTERVAL_MAX: f64 = 150.0;

/// Number and sums of stored logarithms; integers, so that what enters and leaves again leaves nothing behind.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    count: u32,
    sum: u32,
    squares: u64,
}

impl Sums {
    fn add(&mut self, log: u16) {
        if log != MISSING {
            self.count += 1;
            self.sum += u32::from(log);
            self.squares += u64::from(log) * u64::from(log);
        }
    }

    fn remove(&mut self, log: u16) {
        if log != MISSING {
            self.count -= 1;
            self.sum -= u32::from(log);
            self.squares -= u64::from(log) * u64::from(log);
        }
    }

    /// The mean, in ln(1+x).
    fn mean(&self) -> f32 {
        self.sum as f32 / self.count as f32 / logs::UNITS
    }

    /// The standard deviation, in ln(1+x).
    fn spread(&self) -> f32 {
        // n Σx² - (Σx)² is exact: 48 squares of 16 bits need 38 bits.
        let (count, sum) = (u64::from(self.count), u64::from(self.sum));
        let scaled = count * self.squares - sum * sum;
        (scaled as f32).sqrt() / self.count as f32 / logs::UNITS
    }
}

/// The last samples of one VM.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Vm {
    #[serde(with = "super::logs")]
    logs: [u16; RING],
    repeats: Repeats,
    /// The first [`BASE`] of the ring.
    #[serde(skip)]
    past: Sums,
    /// Its last samples, as many as are the present.
    #[serde(skip)]
    now: Sums,
    /// The last shift, in standard deviations of the past; NaN if unknown.
    #[serde(skip, default = "unknown")]
    shift: f32,
    /// The mean of the past, in ln(1+x); NaN if unknown.
    #[serde(skip, default = "unknown")]
    level: f32,
}

fn unknown() -> f32 {
    f32::NAN
}

impl Default for Vm {
    fn default() -> Self {
        Self {
            logs: [MISSING; RING],
            repeats: Repeats::default(),
            past: Sums::default(),
            now: Sums::default(),
            shift: unknown(),
            level: unknown(),
        }
    }
}

/// Whether a VM has jumped.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Vote {
    Abstains,
    Stays,
    Up,
    Down,
}

/// The place in the ring `by` samples after `at`; `by` is at most [`RING`].
fn after(at: usize, by: usize) -> usize {
    match at + by {
        place if place >= RING => place - RING,
        place => place,
    }
}

impl Vm {
    /// Takes a sample at the place `at` of the ring; `present` samples are the present.
    fn take(&mut self, at: usize, present: usize, value: f64) {
        let log = match value.is_nan() {
            true => MISSING,
            false => {
                let log = logs::stored(value.max(0.0).ln_1p() as f32);
                self.repeats.pass(log == self.logs[after(at, RING - 1)]);
                log
            }
        };
        self.put(at, present, log);
    }

    /// Puts a stored logarithm at the place `at` of the ring, which is that of the oldest one.
    fn put(&mut self, at: usize, present: usize, log: u16) {
        self.past.remove(self.logs[at]);
        self.past.add(self.logs[after(at, BASE)]);
        self.now.remove(self.logs[after(at, RING - present)]);
        self.now.add(log);
        self.logs[at] = log;
    }

    /// Computes the sums of a restored state; `next` is the place of the oldest sample.
    fn rebuild(&mut self, next: usize, present: usize) {
        let sums = |from: usize, to: usize| {
            let mut sums = Sums::default();
            (from..to).for_each(|by| sums.add(self.logs[after(next, by)]));
            sums
        };
        (self.past, self.now) = (sums(0, BASE), sums(RING - present, RING));
    }

    /// Whether all of the past lies below (`up`) or above `now`, in ln(1+x); `next` is the place of the oldest sample.
    fn is_beyond(&self, next: usize, up: bool, now: f32) -> bool {
        let past = (0..BASE).filter_map(|by| logs::known(self.logs[after(next, by)]));
        match up {
            true => past.fold(f32::NEG_INFINITY, f32::max) < now,
            false => past.fold(f32::INFINITY, f32::min) > now,
        }
    }

    /// The vote; `next` is the place of the oldest sample, and the last `present` are the present.
    fn vote(&mut self, next: usize, present: usize) -> Vote {
        (self.shift, self.level) = (unknown(), unknown());
        if (self.past.count as usize) < KNOWN_MIN {
            return Vote::Abstains;
        }
        let mean = self.past.mean();
        self.level = mean;
        if (self.now.count as usize) < present {
            return Vote::Abstains;
        }
        let now = self.now.mean();
        if mean < IDLE_LOG && now < IDLE_LOG {
            return Vote::Abstains;
        }
        let step = now - mean;
        let shift = step / self.past.spread().max(SPREAD_MIN);
        self.shift = shift.clamp(-SHIFT_MAX, SHIFT_MAX);
        let up = step > 0.0;
        match step.abs() >= STEP_MIN && self.is_beyond(next, up, now) {
            true if up => Vote::Up,
            true => Vote::Down,
            false => Vote::Stays,
        }
    }
}

/// The jumps of one metric of one hypervisor.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Jumps {
    /// By slot; none where every sample is judged.
    vms: Vec<Vm>,
    bar: Bar,
    /// The place of the oldest sample in the rings.
    next: u32,
    /// Number of samples.
    samples: u32,
    #[serde(skip)]
    present: usize,
    /// The first samples, in which little is known.
    #[serde(skip)]
    first: u32,
    /// Repetitions of one value that are at least a frozen VM's.
    #[serde(skip)]
    repeats_min: u16,
    /// The decay of remembered evidence over one sample.
    #[serde(skip)]
    decay: f32,
}

impl Default for Jumps {
    fn default() -> Self {
        Self::new(f64::INFINITY)
    }
}

impl Jumps {
    /// State without VMs, for samples that are `interval` seconds apart.
    pub(super) fn new(interval: f64) -> Self {
        let mut jumps = Self {
            vms: Vec::new(),
            bar: Bar::new(LAG),
            next: 0,
            samples: 0,
            first: 0,
            present: 0,
            repeats_min: 0,
            decay: 1.0,
        };
        jumps.configure(interval);
        jumps
    }

    /// Sets what follows from the interval, in seconds.
    pub(super) fn configure(&mut self, interval: f64) {
        let samples = (PRESENT_SEC / interval).round() as usize;
        self.present = match interval <= INTERVAL_MAX {
            true => samples.clamp(PRESENT_MIN, PRESENT_MAX),
            false => 0,
        };
        self.first = (FIRST_SEC / interval) as u32;
        self.repeats_min = (FROZEN_SEC / interval).clamp(FROZEN_MIN, 1e4) as u16;
        self.decay = match interval.is_finite() {
            true => 0.5f64.powf(interval / 86_400.0) as f32,
            false => 1.0,
        };
    }

    /// Computes what is not saved, of a valid state.
    pub(super) fn rebuild(&mut self) {
        let (next, present) = (self.next as usize, self.present);
        self.vms.iter_mut().for_each(|vm| vm.rebuild(next, present));
    }

    /// Whether a restored state is possible.
    pub(super) fn is_valid(&self, slots: usize, interval: f64) -> bool {
        let vms = if interval <= INTERVAL_MAX { slots } else { 0 };
        self.vms.len() == vms && (self.next as usize) < RING && self.bar.fits(LAG)
    }

    pub(super) fn resize(&mut self, slots: usize) {
        if self.present > 0 {
            self.vms.resize_with(slots, Vm::default);
        }
    }

    pub(super) fn reset(&mut self, slot: usize) {
        if let Some(vm) = self.vms.get_mut(slot) {
            *vm = Vm::default();
        }
    }

    /// Memory outside of itself in bytes.
    pub(super) fn bytes(&self) -> usize {
        vec(&self.vms) + self.bar.bytes()
    }

    /// Takes the samples of one tick; `None` where every sample is judged.
    pub(super) fn pass(&mut self, values: &[f64], hour: usize) -> Option<Verdict> {
        if self.present == 0 {
            return None;
        }
        let at = self.next as usize;
        self.next = after(at, 1) as u32;
        let (mut voters, mut up, mut down) = (0_u32, 0_u32, 0_u32);
        let (mut there, mut frozen) = (0_u32, 0_u32);
        let (mut rising, mut falling) = (0_u32, 0_u32);
        for (vm, value) in self.vms.iter_mut().zip(values) {
            vm.take(at, self.present, *value);
            there += u32::from(!value.is_nan());
            frozen +=
                u32::from(!value.is_nan() && vm.repeats.is_frozen(MOVES_MIN, self.repeats_min));
            match vm.vote(self.next as usize, self.present) {
                Vote::Abstains => continue,
                Vote::Stays => {}
                Vote::Up => up += 1,
                Vote::Down => down += 1,
            }
            voters += 1;
            rising += u32::from(vm.shift >= AGREES);
            falling += u32::from(vm.shift <= -AGREES);
        }
        let agree = up.max(down);
        let consensus = f64::from(rising.max(falling).max(agree)) / f64::from(voters.max(1));
        let is_quorum = agree as usize >= votes_needed(voters as usize, QUORUM);
        let evidence = match is_quorum {
            true => binomial_evidence(voters as usize, agree as usize, CHANCE),
            false => 0.0,
        };
        let past = self.bar.pass_with(evidence, PAST_CAP, hour, self.decay);
        let margin = Bar::margin(evidence, past, PAST_WEIGHT);
        self.samples = self.samples.saturating_add(1);
        let threshold = match self.samples <= self.first {
            true => THRESHOLD_FIRST,
            false => THRESHOLD,
        };
        let score = (margin / (margin.abs() + threshold)).max(0.0);
        if frozen::is_quorum(there as usize, frozen as usize) {
            return Some(Verdict {
                voters: there,
                consensus: f64::from(frozen) / f64::from(there),
                score: frozen::SCORE,
                weight: Verdict::CERTAIN,
                alarm: Some(frozen::ALARM),
                follows_time_of_day: false,
            });
        }
        let direction = match up > down {
            true => Direction::Up,
            false => Direction::Down,
        };
        let alarm = (margin >= threshold).then(|| Alarm {
            consistency: (past / evidence).clamp(0.0, 1.0),
            ..Alarm::certain(CHANNEL, direction)
        });
        Some(Verdict {
            voters,
            consensus,
            score: match alarm {
                Some(_) => score,
                None => score.min(Verdict::NO_ALARM_MAX),
            },
            weight: Verdict::weight_of(margin - threshold),
            alarm,
            follows_time_of_day: false,
        })
    }

    /// Passes over ticks without any value.
    pub(super) fn skip(&mut self, ticks: u64) {
        if self.present == 0 {
            return;
        }
        for _ in 0..ticks.min(RING as u64) {
            let at = self.next as usize;
            let present = self.present;
            self.vms
                .iter_mut()
                .for_each(|vm| vm.put(at, present, MISSING));
            self.next = after(at, 1) as u32;
        }
        self.bar.skip_with(ticks, self.decay);
    }

    /// The shift of a VM at the last tick, in standard deviations of its past; NaN if unknown.
    pub(super) fn shift(&self, slot: usize) -> f64 {
        self.vms
            .get(slot)
            .map_or(f64::NAN, |vm| f64::from(vm.shift))
    }

    /// The level of a VM before the present, in the metric's unit.
    pub(super) fn baseline(&self, slot: usize) -> Option<f64> {
        let level = self.vms.get(slot)?.level;
        (!level.is_nan()).then(|| f64::from(level).exp_m1())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_kept_up_to_date_are_those_of_the_rings() {
        let mut jumps = Jumps::new(10.0);
        jumps.resize(3);
        let value = |t: usize, vm: usize| match (t * 7 + vm * 5) % 11 {
            0 => f64::NAN,
            rest => (rest * rest * (vm + 1)) as f64 + if t > 200 { 1e9 } else { 0.0 },
        };
        for t in 0..400 {
            jumps.pass(&[value(t, 0), value(t, 1), value(t, 2)], 0);
            match t {
                150 => jumps.skip(3),
                300 => jumps.reset(1),
                _ => {}
            }
            let mut rebuilt = jumps.clone();
            rebuilt.rebuild();
            let sums = |jumps: &Jumps| {
                let all = jumps.vms.iter().flat_map(|vm| [vm.past, vm.now]);
                all.map(|s| (s.count, s.sum, s.squares)).collect::<Vec<_>>()
            };
            assert_eq!(sums(&jumps), sums(&rebuilt), "{t}");
        }
    }
}
