//! `rank`: multi-scale rank shifts, a quorum, and an adaptive threshold from the hypervisor's own past.
//!
//! Time is counted in seconds. Samples that come more often than every five minutes are averaged to five minutes for the [`judge`]:
//! consecutive samples of a load are so alike that they say little more than one. What is large and sudden is seen in the samples
//! themselves ([`jump`]). Before a VM is judged, the part of its load that its own days before predict is divided out ([`course`]).
//!
//! The judge measures for each VM how far its present has shifted in rank against its own recent past, on four time scales
//! (`shift`). The hypervisor's evidence on a scale is the improbability that this many VMs agree by chance (`channel`,
//! [`quorum`]). It must exceed a threshold that depends on the number of voters and their noise and on how often this hypervisor
//! comes near it (`calibration`), on top of what the hypervisor's own past has shown, recently and at this hour (`bar`); and a step
//! must explain it better than the course of the day (`gate`). VMs that fall to a fraction of what they ever were need none of that
//! ([`size`]), nor do VMs that, their course of the day divided out, change together by more than within days ([`level`]).
//!
//! [`quorum`]: super::quorum

mod alike;
mod bar;
mod calibration;
mod channel;
mod course;
mod frozen;
mod gate;
mod judge;
mod jump;
mod level;
mod logs;
mod shift;
mod size;
mod usual;

use serde::{Deserialize, Serialize};

use self::alike::Alike;
use self::course::Course;
use self::judge::Judge;
use self::jump::Jumps;
use self::level::Level;
use self::usual::Usual;
use super::method::{Alarm, Method, Verdict};
use crate::event::Direction;
use crate::memory::{allocation, vec};

/// Seconds between the samples that are judged: more frequent ones are averaged.
const JUDGED_SEC: f64 = 300.0;
/// Larger values are as good as this one, so that sums stay finite.
const VALUE_MAX: f64 = 1e290;
/// The score of an alarm by size: chance is ruled out.
const SIZE_SCORE: f64 = 0.9;

/// Length of the short window of the channel with this name; that of the fastest for any other name.
pub(super) fn present_samples(channel: &str) -> usize {
    judge::present_samples(channel)
}

/// Seconds between two judgments on the time scale of a `channel`, of samples that are `interval` seconds apart.
pub(super) fn judged_sec(channel: &str, interval: f64) -> f64 {
    match channel {
        jump::CHANNEL => interval,
        _ => Setting::of(interval).judged_sec,
    }
}

/// The mean of the samples of one VM since the last judgment.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Mean {
    sum: f64,
    count: u32,
}

/// The state of one metric of one hypervisor.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Rank {
    judge: Judge,
    #[serde(skip)]
    more: More,
}

/// What is not part of a snapshot of version 2 and before; saved separately.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct More {
    /// Ticks since the last judgment.
    passed: u32,
    /// By slot, as what follows.
    means: Vec<Mean>,
    courses: Vec<Course>,
    usual: Vec<Usual>,
    /// Only where samples are averaged.
    jumps: Jumps,
    calibration: calibration::Calibration,
    /// Not part of a snapshot of version 3; saved separately again.
    #[serde(skip)]
    habits: Habits,
    /// Judgments in which most VMs were tiny.
    tiny: u32,
    /// By slot, whether it was at the last judgment; empty before the first.
    #[serde(skip)]
    is_tiny: Vec<bool>,
    #[serde(skip)]
    setting: Setting,
    /// The values of the last judgment.
    #[serde(skip)]
    values: Vec<f64>,
    /// The last verdict, without its alarm.
    #[serde(skip)]
    last: Verdict,
}

/// What the VMs usually do together.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Habits {
    level: Level,
    alike: Alike,
}

/// What follows from the options.
#[derive(Debug, Clone, Copy)]
struct Setting {
    /// Ticks per judgment.
    factor: u32,
    /// Seconds between judgments.
    judged_sec: f64,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            factor: 1,
            judged_sec: JUDGED_SEC,
        }
    }
}

impl Setting {
    fn of(interval: f64) -> Self {
        let factor = (JUDGED_SEC / interval).round().clamp(1.0, 1e6) as u32;
        Self {
            factor,
            judged_sec: interval * f64::from(factor),
        }
    }
}

impl Rank {
    /// State without VMs. `percent`: the metric has a maximum of 100 per core. `interval`: seconds between samples.
    pub(super) fn new(percent: bool, interval: f64, false_alarms_per_month: f64) -> Self {
        let setting = Setting::of(interval);
        let more = More {
            setting,
            jumps: Jumps::new(interval),
            ..More::default()
        };
        Self {
            judge: Judge::new(percent, setting.judged_sec, false_alarms_per_month),
            more,
        }
    }

    /// Completes a restored state; `false` if it is not valid. `more` is `None` if the state is of a version that judged every
    /// sample: at short intervals, its windows mean nothing here, and learning begins again.
    pub(super) fn restore(
        &mut self,
        percent: bool,
        interval: f64,
        false_alarms_per_month: f64,
        more: Option<More>,
    ) -> bool {
        let slots = self.judge.slots();
        let setting = Setting::of(interval);
        let is_new = more.is_none();
        if is_new && setting.factor > 1 {
            *self = Self::new(percent, interval, false_alarms_per_month);
            self.resize(slots);
            return true;
        }
        let new = || Self::new(percent, interval, false_alarms_per_month).more;
        self.more = more.unwrap_or_else(new);
        self.more.setting = setting;
        self.more.jumps.configure(interval);
        self.more.values = vec![f64::NAN; slots];
        if is_new {
            self.more.resize(slots);
            self.more.usual = self.judge.usual_before();
        }
        if !self.more.is_valid(slots, interval) {
            return false;
        }
        self.more.jumps.rebuild();
        self.judge
            .restore(percent, setting.judged_sec, false_alarms_per_month)
    }

    /// What is saved separately.
    pub(super) fn more(&self) -> &More {
        &self.more
    }

    /// Number of slots.
    pub(super) fn slots(&self) -> usize {
        self.judge.slots()
    }

    /// Judges the mean samples since the last judgment.
    fn judged(&mut self, hour: usize) -> Verdict {
        let more = &mut self.more;
        let factor = more.setting.factor;
        let courses = more.courses.iter_mut();
        for ((mean, course), value) in more.means.iter_mut().zip(courses).zip(&mut more.values) {
            // A VM that was there for less than half of the time is not comparable.
            let mean = std::mem::take(mean);
            let raw = match mean.count > 0 && 2 * mean.count >= factor {
                true => mean.sum / f64::from(mean.count),
                false => f64::NAN,
            };
            *value = course.pass(raw, more.setting.judged_sec);
        }
        let with_course = more.courses.iter().filter(|course| course.is_known());
        let has_course = 2 * with_course.count() > more.courses.len();
        let mut verdict = self.judge.close(
            &more.values,
            hour,
            &mut more.usual,
            &mut more.calibration,
            has_course,
        );
        more.habits.alike.pass(self.judge.shifts());
        let day = 86_400.0 / more.setting.judged_sec;
        if let Some(level) = more.habits.level.pass(&self.judge, has_course, day) {
            verdict = of_both(verdict, level);
        }
        let tiny = size::tiny(&self.judge, &more.values, &mut more.is_tiny);
        more.tiny = match tiny {
            Some(_) => more.tiny.saturating_add(1),
            None => 0,
        };
        if let Some((tiny, voters)) = tiny
            && more.tiny >= size::STEADY
            && verdict.alarm.is_none_or(|alarm| alarm.slow)
        {
            verdict.consensus = tiny as f64 / voters as f64;
            verdict.voters = voters as u32;
            verdict.score = verdict.score.max(SIZE_SCORE);
            verdict.weight = Verdict::CERTAIN;
            verdict.alarm = Some(Alarm::certain(size::CHANNEL, Direction::Down));
        }
        verdict
    }
}

/// The verdict of the judge and that of a channel beside it, whose alarm counts unless the judge has one that is not slow.
fn of_both(judged: Verdict, beside: Verdict) -> Verdict {
    let mut verdict = match beside.alarm {
        Some(_) if judged.alarm.is_none_or(|alarm| alarm.slow) => beside,
        _ => Verdict {
            voters: judged.voters.max(beside.voters),
            score: judged.score.max(beside.score),
            ..judged
        },
    };
    if verdict.alarm.is_none() {
        verdict.consensus = judged.consensus.max(beside.consensus);
    }
    verdict.weight = judged.weight.max(beside.weight);
    verdict
}

impl More {
    /// What is saved separately once more.
    pub(super) fn habits(&self) -> &Habits {
        &self.habits
    }

    /// The same with the habits of a saved state.
    pub(super) fn with_habits(self, habits: Habits) -> Self {
        Self { habits, ..self }
    }

    fn resize(&mut self, slots: usize) {
        self.means.resize(slots, Mean::default());
        self.courses.resize_with(slots, Course::default);
        self.usual.resize(slots, Usual::default());
        self.values.resize(slots, f64::NAN);
        self.jumps.resize(slots);
    }

    fn is_valid(&self, slots: usize, interval: f64) -> bool {
        self.means.len() == slots
            && self.courses.len() == slots
            && self.usual.len() == slots
            && self.usual.iter().all(Usual::is_valid)
            && self.passed < self.setting.factor
            && self.means.iter().all(|mean| mean.sum.is_finite())
            && self.courses.iter().all(Course::is_valid)
            && self.calibration.is_valid()
            && self.jumps.is_valid(slots, interval)
            && self.habits.level.is_valid()
            && self.habits.alike.is_valid()
    }
}

impl Method for Rank {
    fn bytes(&self) -> usize {
        let more = &self.more;
        self.judge.bytes()
            + vec(&more.means)
            + vec(&more.courses)
            + vec(&more.usual)
            + vec(&more.values)
            + allocation(self.judge.slots())
            + more.jumps.bytes()
            + more.habits.level.bytes()
    }

    fn resize(&mut self, slots: usize) {
        self.judge.resize(slots);
        self.more.resize(slots);
    }

    fn reset(&mut self, slot: usize) {
        self.judge.reset(slot);
        let more = &mut self.more;
        more.means[slot] = Mean::default();
        more.courses[slot] = Course::default();
        more.usual[slot] = Usual::default();
        more.values[slot] = f64::NAN;
        more.jumps.reset(slot);
    }

    fn close(&mut self, values: &[f64], hour: usize) -> Verdict {
        let more = &mut self.more;
        for (mean, value) in more.means.iter_mut().zip(values) {
            if !value.is_nan() {
                mean.sum += value.min(VALUE_MAX);
                mean.count += 1;
            }
        }
        let jump = more.jumps.pass(values, hour);
        more.passed += 1;
        let mut verdict = if more.passed >= more.setting.factor {
            more.passed = 0;
            let verdict = self.judged(hour);
            self.more.last = Verdict {
                alarm: None,
                ..verdict
            };
            verdict
        } else {
            more.last
        };
        if let Some(jump) = jump {
            verdict = of_both(verdict, jump);
        }
        // The consensus of VMs that usually move alike says little of their host.
        let usual = self.more.habits.alike.share();
        if let Some(alarm) = &mut verdict.alarm {
            alarm.consistency = alarm.consistency.max(usual);
            alarm.distinctiveness = alarm.distinctiveness.min(1.0 - usual);
        }
        verdict
    }

    fn skip(&mut self, ticks: u64) {
        let more = &mut self.more;
        let all = u64::from(more.passed) + ticks;
        let factor = u64::from(more.setting.factor);
        more.passed = (all % factor) as u32;
        more.means.fill(Mean::default());
        more.jumps.skip(ticks);
        let judgments = all / factor;
        if judgments > 0 {
            let sec = judgments as f64 * more.setting.judged_sec;
            more.courses.iter_mut().for_each(|course| course.skip(sec));
            self.judge.skip(judgments);
        }
    }

    fn baseline(&self, slot: usize) -> Option<f64> {
        let judged = self.judge.baseline(slot);
        judged.or_else(|| self.more.jumps.baseline(slot))
    }

    fn shift(&self, slot: usize) -> f64 {
        let more = &self.more;
        if more.tiny >= size::STEADY && more.is_tiny.get(slot) == Some(&true) {
            return size::SHIFT;
        }
        let (judged, sudden) = (self.judge.shift(slot), self.more.jumps.shift(slot));
        match sudden.abs() > judged.abs() || judged.is_nan() {
            true => sudden,
            false => judged,
        }
    }

    fn shift_on(&self, slot: usize, channel: &str) -> f64 {
        if channel == size::CHANNEL {
            let is_tiny = self.more.is_tiny.get(slot) == Some(&true);
            return if is_tiny { size::SHIFT } else { f64::NAN };
        }
        let judged = self.judge.shift_on(slot, channel);
        match channel == jump::CHANNEL || judged.is_nan() {
            true => self.more.jumps.shift(slot),
            false => judged,
        }
    }

    fn memory(&self) -> usize {
        self.judge.memory()
    }

    fn pace(&self) -> u64 {
        u64::from(self.more.setting.factor)
    }

    fn pace_of(&self, channel: &str) -> u64 {
        match channel {
            jump::CHANNEL => 1,
            _ => self.pace(),
        }
    }

    fn adjusted(&self, slot: usize, value: f64) -> f64 {
        let elapsed = f64::from(self.more.passed) / f64::from(self.more.setting.factor);
        let ahead = elapsed * self.more.setting.judged_sec;
        self.more.courses[slot].without(value, ahead)
    }
}
