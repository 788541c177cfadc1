//! Misaligned samples: those that fit no open tick, and the agreement of most VMs on another time or interval.

use super::Series;
use super::ticks::{RECENT_TICKS, STEP_MAX, TICKS_MAX, Tick};
use crate::had::observation::{Outcome, Sample};

/// The clock is set back only after most VMs have been late for this many consecutive samples: a delayed burst is no step of the
/// clock.
const STEP_BACK_SAMPLES: u32 = 4;
/// Intervals that differ by at most this share are equal.
pub(super) const INTERVAL_JITTER: f64 = 0.02;
/// A VM moves to another interval after this many consecutive samples of it.
const MOVE_SAMPLES: u32 = 3;
/// Number of samples of a VM that are held until most VMs agree with them; the newest are kept.
pub(super) const HELD_SAMPLES: usize = 2;
/// After this many consecutive misaligned samples, the clock of a VM is reported as wrong.
const WRONG_CLOCK_SAMPLES: u32 = 16;
/// Maximum time to wait for a VM whose samples have a longer interval than before, seconds.
const EXCUSED_MAX_SEC: f64 = 600.0;

/// Time and value of held samples; NaN for none.
pub(crate) type Held = [(f64, f64); HELD_SAMPLES];
/// No held samples.
pub(super) const NOT_HELD: Held = [(f64::NAN, f64::NAN); HELD_SAMPLES];

/// How the samples of a VM differ from those of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Misalignment {
    /// They are later than any open tick.
    Ahead,
    /// Their ticks have already been evaluated.
    Behind,
    /// They have another interval.
    Interval,
}

/// A run of consecutive misaligned samples of a VM.
#[derive(Debug, Clone, Copy)]
pub(super) struct MisalignedRun {
    pub(super) kind: Misalignment,
    /// Number of samples, and of those with rising times and, for another interval, of the same interval.
    pub(super) samples: u32,
    pub(super) rising: u32,
    pub(super) interval: f64,
    /// The newest samples in the order of their times.
    pub(super) held: Held,
}

/// A VM whose clock differs from those of the others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WrongClock {
    /// Its slot.
    pub slot: usize,
    /// How far its clock is ahead, seconds.
    pub ahead_sec: f64,
}

impl Series {
    /// Ends the run of the VM in `slot`, because a sample fits.
    pub(super) fn realign(&mut self, slot: usize) {
        if let Some(run) = self.runs.get_mut(slot)
            && run.take().is_some()
        {
            self.misaligned -= 1;
        }
    }

    /// Adds a misaligned sample of the VM in `slot` to its run.
    pub(super) fn note_misaligned(
        &mut self,
        slot: usize,
        kind: Misalignment,
        sample: &Sample<'_>,
    ) -> MisalignedRun {
        if !self.members[slot].masked {
            self.silent = 0;
        }
        if self.runs.len() < self.members.len() {
            self.runs.resize(self.members.len(), None);
        }
        let held = (sample.time, sample.value);
        let before = self.runs[slot];
        self.misaligned += u32::from(before.is_none());
        let mut run = before
            .filter(|run| run.kind == kind)
            .unwrap_or(MisalignedRun {
                kind,
                samples: 0,
                rising: 0,
                interval: sample.interval,
                held: NOT_HELD,
            });
        let newest = run.held[HELD_SAMPLES - 1].0;
        let half = 0.5 * self.interval.min(sample.interval);
        let rises = newest.is_nan() || sample.time - newest >= half;
        let is_same = kind != Misalignment::Interval
            || (run.interval - sample.interval).abs() <= INTERVAL_JITTER * run.interval;
        run.samples = run.samples.saturating_add(1);
        if rises && is_same {
            run.rising = run.rising.saturating_add(1);
            run.held.rotate_left(1);
        } else {
            run.rising = 1;
            run.held = NOT_HELD;
        }
        run.interval = sample.interval;
        run.held[HELD_SAMPLES - 1] = held;
        self.runs[slot] = Some(run);
        if kind != Misalignment::Interval && run.samples.is_multiple_of(WRONG_CLOCK_SAMPLES) {
            let ahead_sec = sample.time - self.time(self.next);
            self.wrong_clock = Some(WrongClock { slot, ahead_sec });
        }
        run
    }

    /// Adds a sample of another interval of the VM in `slot`; returns whether the VM should move to it.
    pub(crate) fn note_other_interval(&mut self, slot: usize, sample: &Sample<'_>) -> bool {
        let run = self.note_misaligned(slot, Misalignment::Interval, sample);
        // The next one is not due earlier.
        let due = (2.0 * sample.interval).min(EXCUSED_MAX_SEC) / self.interval;
        self.excused = self.excused.max(due.min(TICKS_MAX as f64) as u64);
        run.rising >= MOVE_SAMPLES
    }

    /// Number of VMs that should move to the interval.
    pub(crate) fn movers(&self, interval: f64) -> usize {
        let moves = |run: &&MisalignedRun| {
            run.kind == Misalignment::Interval
                && run.rising >= MOVE_SAMPLES
                && (run.interval - interval).abs() <= INTERVAL_JITTER * interval
        };
        self.runs.iter().flatten().filter(moves).count()
    }

    /// Takes a sample whose tick was already evaluated. If the clocks of most VMs have been set back, ticks are counted from
    /// there.
    #[cold]
    #[inline(never)]
    pub(super) fn observe_late(
        &mut self,
        slot: usize,
        tick: i64,
        sample: &Sample<'_>,
        on_tick: &mut impl FnMut(&mut Self, Tick),
    ) -> Outcome {
        let member = &mut self.members[slot];
        member.seen = member.seen.max(tick);
        if member.masked {
            return Outcome::Late;
        }
        if tick == self.next - 1 && !member.expected {
            // A VM that reports after all others is waited for from now on.
            member.expected = true;
            self.expected += 1;
        }
        let run = self.note_misaligned(slot, Misalignment::Behind, sample);
        if !run.rising.is_multiple_of(STEP_BACK_SAMPLES) {
            return Outcome::Late;
        }
        let oldest = self.next - RECENT_TICKS;
        let mut all = 0;
        let mut times = Vec::new();
        for (slot, member) in self.members.iter().enumerate() {
            if member.name.is_none() || member.masked {
                continue;
            }
            let behind = self.runs[slot].filter(|run| run.kind == Misalignment::Behind);
            all += usize::from(behind.is_some() || member.seen >= oldest);
            if let Some(run) = behind
                && run.rising >= STEP_BACK_SAMPLES
            {
                times.push(run.held[0].0);
            }
        }
        if 2 * times.len() <= all {
            return Outcome::Late;
        }
        let middle = times.len() / 2;
        let time = *times.select_nth_unstable_by(middle, f64::total_cmp).1;
        if self
            .advanced
            .is_some_and(|now| time < now - RECENT_TICKS as f64 * self.interval)
        {
            // The clock that ends ticks would end all of them again.
            return Outcome::Late;
        }
        // Learning continues from here.
        self.evaluate_open(on_tick);
        let back = time - self.time(self.next);
        self.since += back;
        self.stepped = Some(back);
        // Ticks are numbered from zero again; otherwise a clock that jumps back and forth could let the numbers grow without
        // bound.
        for member in &mut self.members {
            member.seen = member.seen.saturating_sub(self.next);
            member.expected = false;
        }
        self.expected = 0;
        self.rows[0].reported = 0;
        (self.origin, self.next) = (time, 0);
        self.replay(Misalignment::Behind, slot, 0, on_tick)
            .unwrap_or(Outcome::Late)
    }

    /// Takes a sample that is later than any open tick and than the samples of most VMs: holds it, and steps the clock if most
    /// VMs agree.
    #[cold]
    #[inline(never)]
    pub(super) fn observe_ahead(
        &mut self,
        slot: usize,
        sample: &Sample<'_>,
        on_tick: &mut impl FnMut(&mut Self, Tick),
    ) -> Outcome {
        if self.members[slot].masked {
            return Outcome::Masked;
        }
        let run = self.note_misaligned(slot, Misalignment::Ahead, sample);
        self.ahead = self.ahead.saturating_add(1).min(u32::MAX / 2);
        // A single VM changes nothing by continuing, so the others are not checked every time.
        if run.rising > 4 && !run.rising.is_power_of_two() {
            return Outcome::SetAside;
        }
        let Some(target) = self.agreed_tick(run.rising) else {
            return Outcome::SetAside;
        };
        let next = self.next;
        let leap = target - self.newest();
        let end = target - self.rows.len() as i64 + 1;
        if self.expected < 2 {
            // Whether there was a time without samples is unknown: so far a single clock, which may be wrong, gave the time.
            self.evaluate_until(end.min(self.newest() + 1), on_tick);
            self.excused = self.excused.max(leap.unsigned_abs());
        }
        // In the order of their times, so that none is skipped.
        let became = self.replay(Misalignment::Ahead, slot, target, on_tick);
        if leap > STEP_MAX {
            self.stepped = Some((self.next - next) as f64 * self.interval);
        }
        became.unwrap_or(Outcome::SetAside)
    }

    /// The tick beyond the open ones that most VMs have reached with held samples; a single VM has to confirm it by a second
    /// sample. `rising` is the number of rising samples of the last VM.
    pub(super) fn agreed_tick(&self, rising: u32) -> Option<i64> {
        let held = |slot: usize| {
            let run = self.runs.get(slot).copied().flatten()?;
            let time = run.held[HELD_SAMPLES - 1].0;
            (run.kind == Misalignment::Ahead && !time.is_nan()).then(|| self.tick(time))
        };
        let mut all = 0;
        let mut ticks = Vec::new();
        let mut ahead = Vec::new();
        for (slot, member) in self.members.iter().enumerate() {
            let tick = held(slot);
            ahead.extend(tick);
            if self.votes(member) {
                all += 1;
                ticks.extend(tick.or_else(|| (member.seen > self.next).then_some(member.seen)));
            }
        }
        let most = all / 2 + 1;
        let clock = self
            .advanced
            .filter(|time| self.time(self.next) - time <= STEP_MAX as f64 * self.interval);
        let target = if ticks.len() >= most && (all > 1 || rising > 1) {
            // No tick that fewer have reached: the farthest VM is not followed.
            let fewer = ticks.len() - most;
            let target = *ticks.select_nth_unstable(fewer).1;
            let latest = clock.map(|time| time + RECENT_TICKS as f64 * self.interval);
            if all == 1 && latest.is_some_and(|latest| self.time(target) > latest) {
                return None;
            }
            target
        } else {
            // Without a clock besides that of the samples, the VMs that still report count as all.
            let enough = (2 * ahead.len()).max(all);
            if clock.is_some() || (self.ahead as usize) < enough {
                return None;
            }
            let middle = (ahead.len() - 1) / 2;
            *ahead.select_nth_unstable(middle).1
        };
        (target > self.newest()).then_some(target)
    }

    /// Takes the held samples of all runs of this kind up to the tick `target`, in the order of their times. Returns the outcome
    /// of the last one of the VM in `slot`.
    pub(super) fn replay(
        &mut self,
        kind: Misalignment,
        slot: usize,
        target: i64,
        on_tick: &mut impl FnMut(&mut Self, Tick),
    ) -> Option<Outcome> {
        let mut samples = Vec::new();
        for (slot, place) in self.runs.iter_mut().enumerate() {
            if let Some(run) = place.take_if(|run| run.kind == kind) {
                self.misaligned -= 1;
                let held = run.held.into_iter().filter(|(time, _)| !time.is_nan());
                samples.extend(held.map(|(time, value)| (slot, time, value)));
            }
        }
        samples.sort_by(|a, b| a.1.total_cmp(&b.1));
        let mut became = None;
        for (of, time, value) in samples {
            let tick = self.tick(time);
            let fits = tick >= self.next
                && (tick <= target.max(self.newest())
                    || self.most_have_passed(tick - self.rows.len() as i64));
            let outcome = fits.then(|| self.take(of, tick, time, value, on_tick));
            if of == slot {
                became = outcome;
            }
        }
        became
    }

    /// Takes held samples whose ticks are now open, and drops those whose ticks are over.
    #[cold]
    #[inline(never)]
    pub(super) fn take_held(&mut self, on_tick: &mut impl FnMut(&mut Self, Tick)) {
        let mut again = true;
        while again && self.misaligned > 0 {
            let next = self.next;
            for slot in 0..self.runs.len() {
                let Some(mut run) = self.runs[slot] else {
                    continue;
                };
                if run.kind != Misalignment::Ahead {
                    continue;
                }
                for at in 0..HELD_SAMPLES {
                    let (time, value) = run.held[at];
                    let tick = self.tick(time);
                    if time.is_nan() || tick > self.newest() {
                        continue;
                    }
                    run.held[at] = (f64::NAN, f64::NAN);
                    self.runs[slot] = Some(run);
                    if tick >= self.next {
                        self.take(slot, tick, time, value, on_tick);
                    }
                }
            }
            again = self.next != next;
        }
    }

    /// The first tick of a held sample.
    pub(super) fn first_held(&self) -> Option<i64> {
        let ahead = |run: &&MisalignedRun| run.kind == Misalignment::Ahead;
        let held = self
            .runs
            .iter()
            .flatten()
            .filter(ahead)
            .flat_map(|s| s.held);
        let held = held.filter(|(time, _)| !time.is_nan());
        held.map(|(time, _)| self.tick(time)).min()
    }
}
