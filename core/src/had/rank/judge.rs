//! The judge: whether the shifts of a hypervisor's VMs at one sample are an alarm.

use std::f64::consts::LOG10_2;

use serde::{Deserialize, Serialize};

use super::bar::Bar;
use super::calibration::Calibration;
use super::channel::{
    AGREES, BARS, CHANNELS, Channel, FAST, MIXED, MIXED_VOTERS, NOISE_NOISY, Place, RING,
    Statistic, TABLE,
};
use super::frozen;
use super::gate;
use super::shift::{Cursor, Vm};
use super::usual::Usual;
use crate::event::Direction;
use crate::had::method::{Alarm, Verdict};
use crate::had::quorum::{binomial_evidence, normal_evidence, normal_tail, votes_needed};
use crate::memory::{allocation, vec};

/// Index of the mixed channel's bar.
const MIXED_BAR: usize = CHANNELS;
/// With fewer VMs than this, the settings for few VMs apply.
const FEW: usize = 5;
/// A positive answer of the gate is reused for this many samples.
const GATE_STRIDE: u64 = 4;
/// A channel that looks back over less than this share of a day cannot mistake the course of the day for a step.
const GATE_SPAN: f64 = 1.0 / 12.0;
/// Minimum number of repetitions of one value that count as frozen.
const FROZEN_MIN: u16 = 6;
/// Samples before which nothing counts as frozen.
const FROZEN_AFTER: u64 = 36;

/// Sampling interval (seconds) and false alarms per month for which the thresholds were calibrated.
const MEASURED_INTERVAL: f64 = 300.0;
/// Samples at shorter intervals (seconds) are so correlated that they add no chances of a false alarm.
const INDEPENDENT_INTERVAL: f64 = 10.0;
const MEASURED_FALSE_ALARMS: f64 = 0.1;
/// Evidence added to every threshold on the first day, when the course of the day is unknown.
const FIRST_DAY: f64 = 4.0;
/// Evidence added to the thresholds of slow channels while their windows hold samples from before the course of the day was
/// known, beside samples without it.
const UNSETTLED: f64 = 3.0;
const SETTLED_DAYS: f64 = 2.5;
/// Evidence per factor of ten in false alarms.
const EVIDENCE_PER_DECADE: f64 = 1.0;

/// The last answer of the gate.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Gate {
    /// The sample at which it was evaluated.
    checked_at: u64,
    /// Whether there was a step.
    step: bool,
}

/// The state of one metric of one hypervisor.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Judge {
    /// The VMs, by slot.
    vms: Vec<Vm>,
    bars: [Bar; BARS],
    gate: Gate,
    gate_mixed: Gate,
    /// Number of samples.
    samples: u64,
    #[serde(skip)]
    shared: Shared,
}

/// What follows from the options and is computed again after a restore.
#[derive(Debug, Clone, Default)]
struct Shared {
    /// The metric has a maximum of 100 per core.
    percent: bool,
    /// Samples per day.
    day: f64,
    /// Added to every threshold.
    stricter: f64,
    /// Each VM's shifts at the last tick, by slot.
    shifts: Vec<[f32; CHANNELS]>,
    /// Buffer for the voters of one channel.
    votes: Vec<f32>,
}

/// The vote of one channel at one tick.
#[derive(Debug, Clone, Copy, Default)]
struct ChannelVote {
    /// -log10 of the probability of this agreement by chance.
    evidence: f64,
    /// VMs that voted.
    voters: usize,
    /// Whether they rose.
    up: bool,
}

/// Length of the short window of the channel with this name; that of the fastest for any other name.
pub(super) fn present_samples(channel: &str) -> usize {
    let found = TABLE.iter().find(|c| c.name == channel);
    found.unwrap_or(&TABLE[FAST]).short
}

impl Judge {
    /// State without VMs. `percent`: the metric has a maximum of 100 per core. `interval`: seconds between samples.
    pub(super) fn new(percent: bool, interval: f64, false_alarms_per_month: f64) -> Self {
        let lag = |i: usize| {
            if i == MIXED_BAR {
                MIXED.lag
            } else {
                TABLE[i].lag
            }
        };
        let mut rank = Self {
            vms: Vec::new(),
            bars: std::array::from_fn(|i| Bar::new(lag(i))),
            gate: Gate::default(),
            gate_mixed: Gate::default(),
            samples: 0,
            shared: Shared::default(),
        };
        rank.configure(percent, interval, false_alarms_per_month);
        rank
    }

    fn configure(&mut self, percent: bool, interval: f64, false_alarms_per_month: f64) {
        // The same number of false alarms per month is a smaller one per sample if samples come faster.
        let interval_counted = interval.max(INDEPENDENT_INTERVAL);
        let stricter = (MEASURED_INTERVAL / interval_counted * MEASURED_FALSE_ALARMS
            / false_alarms_per_month)
            .log10();
        self.shared = Shared {
            percent,
            day: 86_400.0 / interval,
            stricter: EVIDENCE_PER_DECADE * stricter,
            shifts: vec![[f32::NAN; CHANNELS]; self.vms.len()],
            votes: Vec::new(),
        };
    }

    /// Completes a restored state; `false` if it is not valid.
    pub(super) fn restore(
        &mut self,
        percent: bool,
        interval: f64,
        false_alarms_per_month: f64,
    ) -> bool {
        self.configure(percent, interval, false_alarms_per_month);
        let next = Cursor::at(self.samples);
        self.vms.iter_mut().for_each(|vm| vm.rebuild(&next));
        self.bars.iter().enumerate().all(|(i, bar)| {
            bar.fits(if i == MIXED_BAR {
                MIXED.lag
            } else {
                TABLE[i].lag
            })
        })
    }

    /// The usual shifts by slot, of a state of version 2 or before.
    pub(super) fn usual_before(&self) -> Vec<Usual> {
        self.vms.iter().map(Vm::usual_before).collect()
    }

    /// Number of slots.
    pub(super) fn slots(&self) -> usize {
        self.vms.len()
    }

    /// Collects the voters' shifts on channel `c` in `votes`.
    fn gather_votes(&mut self, c: usize) {
        self.shared.votes.clear();
        self.shared.votes.extend(
            self.shared
                .shifts
                .iter()
                .map(|z| z[c])
                .filter(|z| !z.is_nan()),
        );
    }

    /// The vote of channel `c`.
    fn vote(&mut self, c: usize) -> ChannelVote {
        self.gather_votes(c);
        let votes = &mut self.shared.votes;
        let n = votes.len();
        if n < 2 {
            return ChannelVote {
                voters: n,
                ..ChannelVote::default()
            };
        }
        let channel = &TABLE[c];
        let k = votes_needed(n, channel.quorum);
        let (evidence, up) = match channel.statistic {
            Statistic::KthLargest => {
                // A quorum is a majority, so at most one direction has one; usually neither has, and nothing needs to be
                // selected.
                let rising = votes.iter().filter(|z| **z > 0.0).count();
                let falling = votes.iter().filter(|z| **z < 0.0).count();
                let up = rising >= k;
                let c = if up {
                    *votes.select_nth_unstable_by(n - k, f32::total_cmp).1
                } else if falling >= k {
                    -*votes.select_nth_unstable_by(k - 1, f32::total_cmp).1
                } else {
                    0.0
                };
                let evidence = if c > 0.0 {
                    binomial_evidence(n, k, normal_tail(f64::from(c)))
                } else {
                    0.0
                };
                (evidence, up)
            }
            Statistic::ClippedSum { clip, clip_few } => {
                let clip = if self.vms.len() < FEW { clip_few } else { clip };
                let sum: f32 = votes.iter().map(|z| z.clamp(-clip, clip)).sum();
                let up = sum >= 0.0;
                let agreeing = votes
                    .iter()
                    .filter(|z| if up { **z > 0.0 } else { **z < 0.0 })
                    .count();
                let z = f64::from(sum.abs()) / (n as f64).sqrt();
                (
                    if agreeing >= k && z > 0.0 {
                        normal_evidence(z)
                    } else {
                        0.0
                    },
                    up,
                )
            }
        };
        ChannelVote {
            evidence,
            voters: n,
            up,
        }
    }

    /// The vote of the mixed channel: large shifts in any direction.
    fn vote_mixed(&mut self) -> ChannelVote {
        self.gather_votes(FAST);
        let votes = &mut self.shared.votes;
        let n = votes.len();
        if n < MIXED_VOTERS {
            return ChannelVote {
                voters: n,
                ..ChannelVote::default()
            };
        }
        votes.iter_mut().for_each(|z| *z = z.abs());
        let k = votes_needed(n, MIXED.quorum);
        let c = f64::from(*votes.select_nth_unstable_by(n - k, f32::total_cmp).1);
        let evidence = if c > 0.0 {
            binomial_evidence(n, k, 2.0 * normal_tail(c))
        } else {
            0.0
        };
        ChannelVote {
            evidence,
            voters: n,
            up: true,
        }
    }

    /// The median noise of the VMs.
    fn noise(&mut self) -> f64 {
        let noises = &mut self.shared.votes;
        noises.clear();
        noises.extend(self.vms.iter().filter_map(Vm::noise));
        if noises.is_empty() {
            return NOISE_NOISY;
        }
        let middle = noises.len() / 2;
        let even = noises.len().is_multiple_of(2);
        let (below, median, _) = noises.select_nth_unstable_by(middle, f32::total_cmp);
        let lower = if even {
            below
                .iter()
                .copied()
                .fold(*median, |a, b| if a == *median || b > a { b } else { a })
        } else {
            *median
        };
        f64::from(0.5 * (lower + *median))
    }

    /// Whether the present change is a step rather than the course of the day.
    fn is_step(&mut self, mixed: bool) -> bool {
        let known = self.samples + 1;
        let last = if mixed { self.gate_mixed } else { self.gate };
        if last.step && self.samples - last.checked_at < GATE_STRIDE {
            return true;
        }
        let cursor = Cursor::at(self.samples).bin;
        let signs: Option<Vec<f32>> =
            mixed.then(|| self.shared.shifts.iter().map(|z| z[FAST]).collect());
        let known = known.min(RING as u64) as usize;
        let step = gate::is_step(&self.vms, cursor, known, self.shared.day, signs.as_deref());
        let answer = Gate {
            checked_at: self.samples,
            step,
        };
        if mixed {
            self.gate_mixed = answer;
        } else {
            self.gate = answer;
        }
        step
    }

    /// Whether a change on `channel` has to pass the gate.
    fn is_gated(&self, channel: &Channel) -> bool {
        let spans_part_of_the_day =
            (channel.short + channel.base) as f64 >= GATE_SPAN * self.shared.day;
        // With few VMs, the gate costs the fast channel more than it gains.
        spans_part_of_the_day && !(channel.name == TABLE[FAST].name && self.vms.len() < FEW)
    }

    /// The number of VMs with a value, and how many of these repeat it longer than ever before, if that is a quorum.
    fn frozen(&self, values: &[f64]) -> Option<(usize, usize)> {
        if self.samples < FROZEN_AFTER {
            return None;
        }
        let present = || {
            self.vms
                .iter()
                .zip(values)
                .filter(|(_, value)| !value.is_nan())
        };
        let (n, k) = (
            present().count(),
            present().filter(|(vm, _)| vm.frozen(FROZEN_MIN)).count(),
        );
        frozen::is_quorum(n, k).then_some((n, k))
    }

    /// The share of the voters that agree, and their mean distance from their own past, on channel `c`.
    fn agreement(&self, c: usize, direction: Direction) -> (f64, f64) {
        // The maximum shift: every sample above (or below) all of the base.
        let largest =
            3f32.sqrt() / (1.0 / TABLE[c].short as f32 + 1.0 / TABLE[c].base as f32).sqrt();
        let (mut voters, mut agreeing, mut distance) = (0u32, 0u32, 0.0f64);
        for z in self
            .shared
            .shifts
            .iter()
            .map(|z| z[c])
            .filter(|z| !z.is_nan())
        {
            voters += 1;
            let along = match direction {
                Direction::Up => z,
                Direction::Down => -z,
                Direction::Mixed | Direction::Frozen => z.abs(),
            };
            if along >= AGREES {
                agreeing += 1;
                distance += f64::from((along / largest).min(1.0));
            }
        }
        let share = f64::from(agreeing) / f64::from(voters.max(1));
        (
            share,
            if agreeing > 0 {
                distance / f64::from(agreeing)
            } else {
                0.0
            },
        )
    }

    /// Memory outside of itself in bytes.
    pub(super) fn bytes(&self) -> usize {
        let Shared { shifts, votes, .. } = &self.shared;
        // There are as many votes as VMs as soon as all vote.
        let votes = vec(votes).max(allocation(self.vms.len() * size_of::<f32>()));
        let bars = self.bars.iter().map(Bar::bytes).sum::<usize>();
        vec(&self.vms) + vec(shifts) + votes + bars
    }

    pub(super) fn resize(&mut self, slots: usize) {
        self.vms.resize_with(slots, Vm::default);
        self.shared.shifts.resize(slots, [f32::NAN; CHANNELS]);
    }

    pub(super) fn reset(&mut self, slot: usize) {
        self.vms[slot] = Vm::default();
        self.shared.shifts[slot] = [f32::NAN; CHANNELS];
    }

    /// Judges one sample: `values` and `usual` have one entry per slot, NaN for no value; `hour` is the hour of the day, 0 to 23; `has_course` says
    /// that the course of the day was divided out of most of them.
    pub(super) fn close(
        &mut self,
        values: &[f64],
        hour: usize,
        usual: &mut [Usual],
        calibration: &mut Calibration,
        has_course: bool,
    ) -> Verdict {
        let cursor = Cursor::at(self.samples);
        let vms = self.vms.iter_mut().zip(usual);
        for (((vm, usual), shifts), value) in vms.zip(&mut self.shared.shifts).zip(values) {
            vm.push(*value, &cursor, self.shared.percent, shifts.each_mut());
            usual.pass(shifts);
        }
        let noise = self.noise();
        let first_day = match (self.samples as f64) < self.shared.day {
            true => FIRST_DAY,
            false => 0.0,
        };
        let settles = has_course && (self.samples as f64) < SETTLED_DAYS * self.shared.day;
        // All channels have the same voters except while windows fill.
        let mut place = Place::default();
        let mut verdict = Verdict::default();
        let mut best: Option<(f64, Alarm, usize)> = None;
        let mut excess = f64::NEG_INFINITY;
        for (i, channel) in TABLE.iter().chain([&MIXED]).enumerate() {
            let vote = if i == MIXED_BAR {
                self.vote_mixed()
            } else {
                self.vote(i)
            };
            let past = self.bars[i].pass(vote.evidence, channel.past_cap, hour);
            verdict.voters = verdict.voters.max(vote.voters as u32);
            if vote.voters < 2 {
                continue;
            }
            if vote.voters != place.voters {
                place = Place::new(vote.voters, noise);
            }
            let unsettled = match settles && channel.slow {
                true => UNSETTLED,
                false => 0.0,
            };
            let extra = self.shared.stricter + first_day + unsettled;
            let ordinary = channel.threshold.at(&place) + extra;
            let ordinary = ordinary.max(LOG10_2);
            let threshold = calibration.threshold(i, ordinary, channel.highest);
            let margin = Bar::margin(vote.evidence, past, channel.past_weight);
            calibration.pass(i, margin, ordinary);
            let score = if margin > 0.0 {
                margin / (margin + threshold)
            } else {
                0.0
            };
            let mut alarmed = margin >= threshold;
            if alarmed && self.is_gated(channel) && !self.is_step(i == MIXED_BAR) {
                alarmed = false;
                verdict.follows_time_of_day = true;
            } else {
                excess = excess.max(margin - threshold);
            }
            if !alarmed {
                verdict.score = verdict.score.max(score.min(Verdict::NO_ALARM_MAX));
                continue;
            }
            let direction = match (i == MIXED_BAR, vote.up) {
                (true, _) => Direction::Mixed,
                (false, true) => Direction::Up,
                (false, false) => Direction::Down,
            };
            let alarm = Alarm {
                channel: channel.name,
                slow: channel.slow,
                direction,
                distinctiveness: 0.0,
                consistency: (past / vote.evidence).clamp(0.0, 1.0),
            };
            // An alarm of a fast channel is preferred over one of a slow channel; among equals, the highest score.
            if best
                .as_ref()
                .is_none_or(|(s, b, _)| (!alarm.slow, score) > (!b.slow, *s))
            {
                best = Some((score, alarm, if i == MIXED_BAR { FAST } else { i }));
            }
        }
        verdict.weight = Verdict::weight_of(excess);
        let frozen = match &best {
            Some((_, alarm, _)) if !alarm.slow => None,
            _ => self.frozen(values),
        };
        match (frozen, best) {
            (Some((present, frozen)), _) => {
                verdict.voters = present as u32;
                verdict.consensus = frozen as f64 / present as f64;
                verdict.score = verdict.score.max(frozen::SCORE);
                verdict.weight = Verdict::CERTAIN;
                verdict.alarm = Some(frozen::ALARM);
            }
            (None, Some((score, mut alarm, c))) => {
                (verdict.consensus, alarm.distinctiveness) = self.agreement(c, alarm.direction);
                verdict.score = verdict.score.max(score);
                verdict.alarm = Some(alarm);
            }
            (None, None) => {
                let up = self.agreement(FAST, Direction::Up).0;
                verdict.consensus = up.max(self.agreement(FAST, Direction::Down).0);
            }
        }
        self.samples += 1;
        calibration.turn(self.shared.day);
        verdict
    }

    /// The median of the last hours of a VM before the present, and the least of what is no outlier.
    pub(super) fn past(&self, slot: usize) -> Option<(f64, f64)> {
        let cursor = Cursor::at(self.samples.saturating_sub(1));
        self.vms[slot].past(&cursor)
    }

    pub(super) fn skip(&mut self, ticks: u64) {
        let missing = vec![f64::NAN; self.vms.len()];
        // After this many missing samples the windows are empty, and only the bars still change.
        let whole = ticks.min(2 * RING as u64);
        for _ in 0..whole {
            let cursor = Cursor::at(self.samples);
            for ((vm, shifts), value) in self
                .vms
                .iter_mut()
                .zip(&mut self.shared.shifts)
                .zip(&missing)
            {
                vm.push(*value, &cursor, self.shared.percent, shifts.each_mut());
            }
            self.samples += 1;
        }
        self.samples += ticks - whole;
        self.bars.iter_mut().for_each(|bar| bar.skip(ticks));
    }

    /// How much a VM has changed on channel `c`, in ln of its mean; `None` if unknown.
    pub(super) fn change(&self, slot: usize, c: usize) -> Option<f64> {
        self.vms[slot].change(c)
    }

    pub(super) fn baseline(&self, slot: usize) -> Option<f64> {
        self.vms[slot].baseline()
    }

    /// The VMs' shifts on the fast channel, NaN where one abstains.
    pub(super) fn shifts(&self) -> impl Iterator<Item = f32> {
        self.shared.shifts.iter().map(|shifts| shifts[FAST])
    }

    pub(super) fn shift(&self, slot: usize) -> f64 {
        f64::from(self.shared.shifts[slot][FAST])
    }

    pub(super) fn shift_on(&self, slot: usize, channel: &str) -> f64 {
        let c = TABLE.iter().position(|c| c.name == channel);
        f64::from(self.shared.shifts[slot][c.unwrap_or(FAST)])
    }

    pub(super) fn memory(&self) -> usize {
        RING
    }
}
