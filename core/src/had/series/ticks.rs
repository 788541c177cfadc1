//! Ticks: aligning samples in time, and evaluating a tick when it is complete.

use serde::{Deserialize, Serialize};

use super::Series;
use crate::event::Direction;
use crate::had::algorithm::AnyMethod;
use crate::had::incident::{Change, Terms};
use crate::had::method::Verdict;
use crate::had::observation::{Outcome, Sample};
use crate::had::options::HadOptions;

/// A step of the clock by more ticks than this is processed at once.
pub(super) const STEP_MAX: i64 = 416;
/// A VM that reported within this many ticks has a vote on whether the clock is set back.
pub(super) const RECENT_TICKS: i64 = 16;
/// A tick waits for a VM that reported within this many ticks: after a missed sample, it is still waited for at the next tick.
const EXPECTED_TICKS: i64 = 3;
/// Where frequent samples are averaged, the levels of an incident are followed in steps of about this many seconds.
const FOLLOWED_SEC: f64 = 30.0;
/// No clock within [`Time::MAX_SECS`](crate::units::Time::MAX_SECS) reaches this many ticks.
pub(super) const TICKS_MAX: i64 = 1_000_000_000_000_000;
/// The clock follows the phase of the samples by this share of each deviation.
const PHASE_SHARE: f64 = 1.0 / 16.0;

/// The samples of one open tick.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Row {
    /// One value per slot, NaN for none.
    pub(super) values: Vec<f64>,
    /// Number of expected VMs that have reported.
    pub(super) reported: u32,
}

/// An evaluated tick.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tick {
    /// The time of the tick, seconds.
    pub time: f64,
    /// The verdict of the algorithm.
    pub verdict: Verdict,
    /// Number of consecutive ticks without a sample although there were unmasked VMs.
    pub silent: u64,
    /// Whether any VM had a sample.
    pub has_sample: bool,
    /// Whether it was in maintenance, so that nothing of it counts.
    pub masked: bool,
    /// Whether any VM reported in maintenance.
    pub heard: bool,
}

impl Series {
    /// Takes a sample of the VM in `slot`; evaluates the ticks that it completes and passes each to `on_tick`.
    ///
    /// While most VMs still have to report for a tick, a VM that is ahead does not end it: its sample is held until they agree,
    /// until a tick that it fits is open, or until there are newer samples of the same VM.
    #[inline]
    pub(crate) fn observe(
        &mut self,
        slot: usize,
        sample: &Sample<'_>,
        mut on_tick: impl FnMut(&mut Self, Tick),
    ) -> Outcome {
        self.guess = slot + 1;
        let tick = self.tick(sample.time);
        if tick < self.next {
            return self.observe_late(slot, tick, sample, &mut on_tick);
        }
        if tick > self.newest() && !self.most_have_passed(tick - self.rows.len() as i64) {
            return self.observe_ahead(slot, sample, &mut on_tick);
        }
        if self.misaligned > 0 {
            self.realign(slot);
        }
        let next = self.next;
        let outcome = self.take(slot, tick, sample.time, sample.value, &mut on_tick);
        if self.misaligned > 0 && self.next != next {
            self.take_held(&mut on_tick);
        }
        outcome
    }

    /// Takes a sample for the open tick `tick`.
    #[inline]
    pub(super) fn take(
        &mut self,
        slot: usize,
        tick: i64,
        time: f64,
        sample: f64,
        on_tick: &mut impl FnMut(&mut Self, Tick),
    ) -> Outcome {
        self.ahead = 0;
        if tick > self.newest() {
            self.evaluate_until(tick - self.rows.len() as i64 + 1, on_tick);
        }
        let deviation = time - self.time(tick);
        let member = &mut self.members[slot];
        let reported_before = member.seen >= tick;
        let member_expected = member.expected;
        if !reported_before {
            // Only once per tick and VM; otherwise a single VM could move the clock by repeating samples.
            self.origin += PHASE_SHARE * deviation;
            member.seen = tick;
        }
        if member.masked {
            return Outcome::Masked;
        }
        if self.is_masked_at(tick) {
            // It completes the tick like any other sample.
            if tick == self.next && member_expected && !reported_before {
                self.rows[0].reported += 1;
            }
            while self.expected > 0 && self.rows[0].reported >= self.expected {
                self.evaluate_next(on_tick);
            }
            return Outcome::Masked;
        }
        let value = &mut self.rows[(tick - self.next) as usize].values[slot];
        let came_before = !value.is_nan() || (sample.is_nan() && reported_before);
        *value = sample;
        if came_before {
            return Outcome::Duplicate;
        }
        if tick == self.next && member_expected {
            self.rows[0].reported += 1;
        }
        while self.expected > 0 && self.rows[0].reported >= self.expected {
            self.evaluate_next(on_tick);
        }
        Outcome::Taken
    }

    /// Whether most VMs have given samples of ticks after `last`, so that none of them misses it.
    pub(super) fn most_have_passed(&self, last: i64) -> bool {
        let (mut all, mut passed) = (0, 0);
        for member in self.members.iter().filter(|member| self.votes(member)) {
            all += 1;
            passed += usize::from(member.seen > last);
        }
        2 * passed > all
    }

    /// Evaluates the ticks that are over at `time`.
    pub(crate) fn advance(&mut self, time: f64, mut on_tick: impl FnMut(&mut Self, Tick)) {
        self.advanced = Some(time);
        let over = ((time - self.origin) / self.interval - 0.5 + 1e-6).floor();
        let over = over.clamp(-(TICKS_MAX as f64), TICKS_MAX as f64) as i64;
        while over >= self.next {
            // Stops at the ticks of held samples.
            let held = self.first_held().filter(|_| self.misaligned > 0);
            let end = held.map_or(over, |tick| over.min(tick - self.rows.len() as i64));
            self.evaluate_until(end.max(self.next) + 1, &mut on_tick);
            if self.misaligned > 0 {
                self.take_held(&mut on_tick);
            }
        }
    }

    /// Evaluates the ticks before `end`.
    pub(super) fn evaluate_until(&mut self, end: i64, on_tick: &mut impl FnMut(&mut Self, Tick)) {
        if end - self.next > STEP_MAX + self.rows.len() as i64 {
            self.evaluate_open(on_tick);
            while end - self.next > STEP_MAX {
                self.skip(end - self.next - STEP_MAX, on_tick);
            }
        }
        while self.next < end {
            self.evaluate_next(on_tick);
        }
    }

    /// Skips up to `most` ticks, at least one: those to the next begin or end of maintenance. The first one of maintenance is
    /// evaluated, so that it ends what is open.
    fn skip(&mut self, most: i64, on_tick: &mut impl FnMut(&mut Self, Tick)) {
        let time = self.time(self.next);
        let change = self.maintenance.next_change(time, self.interval);
        let ticks = change.map_or(most as f64, |change| {
            ((change - time) / self.interval).ceil()
        });
        let ticks = ticks.clamp(1.0, most as f64) as i64;
        if self.is_masked_at(self.next) {
            self.evaluate_next(on_tick);
            self.method.get_mut().skip(ticks as u64 - 1);
            self.next += ticks - 1;
        } else {
            self.method.get_mut().skip(ticks as u64);
            self.next += ticks;
            let excused = self.excused.min(ticks as u64);
            self.excused -= excused;
            self.silent += ticks as u64 - excused;
        }
    }

    /// Whether `tick` is in maintenance.
    #[inline]
    fn is_masked_at(&self, tick: i64) -> bool {
        !self.maintenance.is_empty()
            && self
                .maintenance
                .at(self.time(tick), self.interval)
                .is_some()
    }

    /// Evaluates all open ticks.
    pub(super) fn evaluate_open(&mut self, on_tick: &mut impl FnMut(&mut Self, Tick)) {
        for _ in 0..self.rows.len() {
            self.evaluate_next(on_tick);
        }
    }

    /// Evaluates the next tick.
    pub(super) fn evaluate_next(&mut self, on_tick: &mut impl FnMut(&mut Self, Tick)) {
        let time = self.time(self.next);
        let hour = ((time / 3600.0).floor() as i64).rem_euclid(24) as usize;
        let mut row = std::mem::take(&mut self.rows[0]);
        let maintenance = self.maintenance.at(time, self.interval);
        if maintenance.is_some() {
            // Samples may have come before it was known.
            row.values.fill(f64::NAN);
        }
        let mut verdict = self.method.get_mut().close(&row.values, hour);
        let mut heard = false;
        if let Some(from) = maintenance {
            verdict = Verdict::default();
            heard = self.members.iter().any(|member| member.seen >= self.next);
            if self.since >= from {
                // Nothing was learned yet.
                self.since = time + self.interval;
            }
        }
        let has_sample = row.values.iter().any(|v| !v.is_nan());
        // If every VM is masked, silence is expected.
        if has_sample || maintenance.is_some() || self.unmasked() == 0 {
            self.silent = 0;
        } else if self.excused > 0 {
            self.excused -= 1;
        } else {
            self.silent += 1;
        }
        if has_sample {
            self.excused = 0;
        }
        self.last = verdict;

        // `on_tick` reads the values of the tick, so they stay in place until it returns.
        self.rows[0] = row;
        on_tick(
            self,
            Tick {
                time,
                verdict,
                silent: self.silent,
                has_sample,
                masked: maintenance.is_some(),
                heard,
            },
        );
        row = std::mem::take(&mut self.rows[0]);
        for (member, value) in self.members.iter_mut().zip(&row.values) {
            member.ticks = member.ticks.saturating_add(u32::from(!value.is_nan()));
        }
        row.values.fill(f64::NAN);
        row.values.resize(self.members.len(), f64::NAN);
        row.reported = 0;
        self.rows.rotate_left(1);
        let last = self.rows.len() - 1;
        self.rows[last] = row;
        let tick = self.next;
        self.next += 1;
        let is_masked = self.is_masked_at(self.next);
        // A sample that already came for the next tick counts as reported.
        let Row { values, reported } = &mut self.rows[0];
        self.expected = 0;
        *reported = 0;
        for (member, value) in self.members.iter_mut().zip(values) {
            member.expected = member.seen > tick - EXPECTED_TICKS && !member.masked;
            self.expected += u32::from(member.expected);
            let has_come = !value.is_nan() || (is_masked && member.seen > tick);
            *reported += u32::from(member.expected && has_come);
        }
    }

    /// After this many ticks without an alarm, a run of alarms ends.
    pub(crate) fn quiet(&self, options: &HadOptions) -> u64 {
        let pace = self.method.get().pace();
        (options.overlap_window_sz as u64).saturating_mul(pace)
    }

    /// Whether the VMs of an incident are returning to their former levels, or have done so recently.
    pub(crate) fn is_recovering(&self, options: &HadOptions) -> bool {
        self.incidents.is_recovering(self.quiet(options))
    }

    /// Updates the incident with the tick that is being evaluated.
    pub(crate) fn follow_incident(
        &mut self,
        verdict: &Verdict,
        options: &HadOptions,
    ) -> [Option<Change>; 2] {
        let method = self.method.get();
        let pace = method.pace();
        let alarm = verdict.alarm.as_ref();
        let terms = Terms {
            quiet: self.quiet(options),
            memory: match &self.method {
                AnyMethod::Rank(_) => (options.accept_sec / self.interval) as u64,
                AnyMethod::Zscore(_) | AnyMethod::Iad(_) => method.memory() as u64,
            },
            pace,
            stride: match alarm.map_or(pace, |alarm| method.pace_of(alarm.channel)) {
                1 => 1,
                _ => (FOLLOWED_SEC / self.interval).round().max(1.0) as u32,
            },
        };
        let changed = || {
            let direction = alarm.map(|alarm| alarm.direction);
            self.members
                .iter()
                .enumerate()
                .filter(|(_, member)| member.name.is_some())
                .filter(|(slot, _)| {
                    let shift = method.shift(*slot);
                    match direction {
                        Some(Direction::Up) => shift > 0.0,
                        Some(Direction::Down) => shift < 0.0,
                        _ => !shift.is_nan(),
                    }
                })
                .filter_map(|(slot, _)| Some((slot, method.baseline(slot)?)))
                .collect()
        };
        self.incidents.tick(
            alarm,
            terms,
            |slot| match self.rows[0].values.get(slot) {
                Some(value) => method.adjusted(slot, *value),
                None => f64::NAN,
            },
            changed,
        )
    }
}
