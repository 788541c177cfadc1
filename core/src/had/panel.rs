//! One metric of one hypervisor: who its VMs are, and which samples belong to one tick.

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::eviction::{Candidate, ESTABLISHED, Eviction, patience};
use super::iad::Iad;
use super::incident::Incidents;
use super::method::{Method, Verdict};
use super::observation::{Outcome, Sample};
use super::options::{Algorithm, HadOptions};
use super::rank::Rank;
use super::zscore::Zscore;
use crate::memory::{allocation, table, vec};
use crate::units::{Interval, Time};

/// A step of the clock by more ticks than this is taken as many at once.
const STEP_MAX: i64 = 416;
/// Most VMs must have been late for so many consecutive samples before the clock is set back: a burst that was held up on its
/// way here is no step of the clock.
const BACK_SAMPLES: u32 = 4;
/// A VM that was heard within so many ticks has a vote on whether the clock is set back.
const RECENT_TICKS: i64 = 16;
/// Two intervals that differ by no more than this share are one.
const INTERVAL_JITTER: f64 = 0.02;
/// A VM moves to another interval after so many consecutive samples of it.
const MOVE_SAMPLES: u32 = 3;
/// The samples of a VM that are held until most VMs agree with them; the newest are kept.
const HELD_SAMPLES: usize = 2;
/// After so many consecutive samples of a VM that were set aside, its clock is said to be wrong.
const WRONG_CLOCK_SAMPLES: u32 = 16;
/// A VM whose samples have a longer interval than before is waited for no longer than this, seconds.
const HUSH_MAX_SEC: f64 = 600.0;
/// A VM is waited for as long as it gave a sample for one of so many last ticks: who misses one is not late at the next.
const EXPECTED_TICKS: i64 = 3;
/// No clock within [`Time::MAX_SECS`] comes to so many ticks.
const TICKS_MAX: i64 = 1_000_000_000_000_000;
/// The clock of the samples follows their phase by this share of each deviation.
const PHASE_SHARE: f64 = 1.0 / 16.0;

/// The state of the algorithm.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum AnyMethod {
    /// The default; boxed, because it is much the largest.
    Rank(Box<Rank>),
    /// HAD as published.
    Zscore(Zscore),
    /// Its predecessor.
    Iad(Iad),
}

impl AnyMethod {
    pub(super) fn new(options: &HadOptions, metric: &str, interval: f64) -> Self {
        match options.algorithm {
            Algorithm::Rank => Self::Rank(Box::new(Rank::new(
                metric == "cpu",
                interval,
                options.false_alarms_per_month,
            ))),
            Algorithm::Zscore => Self::Zscore(Zscore::new(options)),
            Algorithm::Iad => Self::Iad(Iad::new(options)),
        }
    }

    pub(super) fn get(&self) -> &dyn Method {
        match self {
            Self::Rank(rank) => rank.as_ref(),
            Self::Zscore(zscore) => zscore,
            Self::Iad(iad) => iad,
        }
    }

    pub(super) fn get_mut(&mut self) -> &mut dyn Method {
        match self {
            Self::Rank(rank) => rank.as_mut(),
            Self::Zscore(zscore) => zscore,
            Self::Iad(iad) => iad,
        }
    }
}

/// A VM's place in a panel.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Seat {
    /// The VM's name; `None` where the slot is free.
    pub name: Option<Box<str>>,
    /// The newest tick that the VM gave a sample for, in time or late.
    seen: i64,
    /// The tick to be judged waits for it.
    expected: bool,
    /// Its samples do not count.
    masked: bool,
    /// It is known to have changed alone.
    pub alone: bool,
    /// Since when, seconds. Saved apart from the rest.
    #[serde(skip)]
    pub alone_since: f64,
    /// Ticks with a sample of it; of a restored one only whether it is established.
    #[serde(skip)]
    heard: u32,
}

impl Seat {
    /// Whether its VM has been silent for so long, at the tick `next`, that it may have to make room.
    fn is_silent(&self, next: i64, forget_ticks: f64) -> bool {
        self.name.is_some()
            && (next - self.seen) as f64 > 1.0 + patience(self.heard, 1.0, forget_ticks)
    }
}

/// The samples of one tick that has not been judged.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Row {
    /// One value a slot, NaN where there is none.
    values: Vec<f64>,
    /// VMs that are expected and have reported.
    reported: u32,
}

/// A tick that has been judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Judged {
    /// The time of the tick, seconds.
    pub time: f64,
    /// What the algorithm said.
    pub verdict: Verdict,
    /// How many ticks in a row had no sample, although there were VMs that are not masked.
    pub silent: u64,
    /// Whether any VM had a sample.
    pub has_sample: bool,
}

/// In what the samples of a VM differ from those of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Astray {
    /// They are later than any tick that is open.
    Ahead,
    /// Their ticks have been judged.
    Behind,
    /// They have another interval.
    Interval,
}

/// The consecutive samples of a VM that fit no open tick of its panel.
#[derive(Debug, Clone, Copy)]
struct Stray {
    astray: Astray,
    /// How many there were of any times, and how many of rising times and, where that is the difference, of one interval.
    samples: u32,
    rising: u32,
    interval: f64,
    /// Time and value of the newest ones, in the order of their times; NaN where there is none.
    held: [(f64, f64); HELD_SAMPLES],
}

/// What moves with a VM to another panel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leaver {
    /// Whether it is masked.
    pub masked: bool,
    /// Time and value of the samples that were held.
    pub held: [(f64, f64); HELD_SAMPLES],
}

/// A VM whose clock differs from those of the others.
#[derive(Debug, Clone, Copy)]
pub(super) struct WrongClock {
    /// Its slot.
    pub slot: usize,
    /// By how much its clock is ahead, seconds.
    pub ahead_sec: f64,
}

/// One metric of one hypervisor, of the VMs that have one interval.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Panel {
    /// Index of the metric in the option `metrics`.
    pub metric: u32,
    pub method: AnyMethod,
    pub incidents: Incidents,
    /// By slot.
    pub seats: Vec<Seat>,
    #[serde(skip)]
    slots: FxHashMap<Box<str>, u32>,
    /// Seconds between ticks.
    pub interval: f64,
    /// The time of tick 0, which follows the samples' phase.
    origin: f64,
    /// The next tick to be judged.
    next: i64,
    /// Samples of the ticks `next`, `next + 1`, …
    rows: Vec<Row>,
    /// VMs that the tick `next` waits for.
    expected: u32,
    /// Ticks in a row that had no sample.
    silent: u64,
    /// Ticks whose silence does not count, since all its VMs were masked until now.
    hushed: u64,
    /// Not used; it keeps the layout of snapshots.
    reserved: u32,
    /// Samples from ahead since the last one that was in time.
    ahead: u32,
    /// The time of the first sample, seconds.
    pub since: f64,
    /// When the open incident was raised, seconds.
    pub raised_since: f64,
    /// The last tick had a common change that follows the time of day.
    pub follows_time_of_day: bool,
    /// What the algorithm said last.
    #[serde(skip)]
    pub last: Verdict,
    /// The slot after that of the last sample: samples come in the same order at every tick.
    #[serde(skip)]
    guess: usize,
    /// By slot, or shorter: who is astray.
    #[serde(skip)]
    strays: Vec<Option<Stray>>,
    /// How many of `strays` there are.
    #[serde(skip)]
    astray: u32,
    /// The last time that [`Panel::advance`] was given, seconds.
    #[serde(skip)]
    advanced: Option<f64>,
    /// VMs that moved to another interval, less those that came from one.
    #[serde(skip)]
    pub moved: usize,
    /// By how many seconds most VMs have made the clock leap since this was last looked at.
    #[serde(skip)]
    pub stepped: Option<f64>,
    /// A VM whose clock was found to be wrong since this was last looked at.
    #[serde(skip)]
    pub wrong_clock: Option<WrongClock>,
    #[serde(skip)]
    eviction: Eviction,
}

impl Panel {
    /// A panel that begins with the tick of `first`.
    pub(super) fn new(
        options: &HadOptions,
        metric: u32,
        first: &Sample<'_>,
        interval: f64,
    ) -> Self {
        let name = &options.metrics[metric as usize];
        Self {
            metric,
            method: AnyMethod::new(options, name, interval),
            incidents: match options.algorithm {
                Algorithm::Rank => Incidents::default(),
                Algorithm::Zscore | Algorithm::Iad => Incidents::once_a_run(),
            },
            seats: Vec::new(),
            slots: FxHashMap::default(),
            interval,
            origin: first.time,
            next: 0,
            rows: vec![Row::default(); options.reorder_sz + 1],
            expected: 0,
            silent: 0,
            hushed: 0,
            reserved: 0,
            ahead: 0,
            since: first.time,
            raised_since: first.time,
            follows_time_of_day: false,
            last: Verdict::default(),
            guess: 0,
            strays: Vec::new(),
            astray: 0,
            advanced: None,
            moved: 0,
            stepped: None,
            wrong_clock: None,
            eviction: Eviction::default(),
        }
    }

    /// Whether samples of that interval are for this panel: it may jitter.
    #[inline]
    pub(super) fn takes(&self, interval: f64) -> bool {
        self.interval == interval
            || (self.interval - interval).abs() <= INTERVAL_JITTER * self.interval
    }

    /// Makes a restored panel whole; `false` where it cannot be one.
    pub(super) fn restore(&mut self, options: &HadOptions) -> bool {
        let Some(metric) = options.metrics.get(self.metric as usize) else {
            return false;
        };
        let seats = self.seats.len();
        let counts = self.rows.iter().map(|row| row.reported);
        let counts = counts.chain([self.expected, self.reserved, self.ahead]);
        let sound = Interval::from_secs(self.interval).is_plausible()
            && self.time(self.next).abs() <= 2.0 * Time::MAX_SECS
            && self.next.abs() <= TICKS_MAX
            && [self.since, self.raised_since]
                .iter()
                .all(|x| x.is_finite())
            && seats <= options.max_vms
            && counts.max() <= Some(u32::MAX / 2)
            && self.silent.max(self.hushed) <= TICKS_MAX as u64;
        if !sound {
            return false;
        }
        for (slot, seat) in self.seats.iter().enumerate() {
            if let Some(name) = &seat.name {
                self.slots.insert(name.clone(), slot as u32);
            }
        }
        self.rows.resize(options.reorder_sz + 1, Row::default());
        for row in &mut self.rows {
            row.values.resize(self.seats.len(), f64::NAN);
        }
        let whole = match &mut self.method {
            AnyMethod::Rank(rank) => {
                rank.restore(
                    metric == "cpu",
                    self.interval,
                    options.false_alarms_per_month,
                ) && rank.slots() == self.seats.len()
            }
            AnyMethod::Zscore(zscore) => zscore.restore(options, self.seats.len()),
            AnyMethod::Iad(iad) => iad.restore(options, self.seats.len()),
        };
        if whole {
            for slot in 0..self.seats.len() {
                // Who has a level has had many samples.
                let is_known = self.method.get().baseline(slot).is_some();
                self.seats[slot].heard = if is_known { ESTABLISHED } else { 1 };
            }
        }
        whole
    }

    /// How much memory it takes outside of itself, in bytes; it changes only with its VMs.
    pub(super) fn bytes(&self) -> usize {
        let method = match &self.method {
            AnyMethod::Rank(_) => allocation(size_of::<Rank>()),
            AnyMethod::Zscore(_) | AnyMethod::Iad(_) => 0,
        };
        let slots = self.seats.len();
        let rows = self.rows.iter().map(|row| vec(&row.values)).sum::<usize>();
        let names = self.seats.iter().filter_map(|seat| seat.name.as_deref());
        // A name is in its seat and in the table of slots.
        let names = names.map(|name| 2 * allocation(name.len())).sum::<usize>();
        // At worst, all its VMs are astray and have changed.
        let rare = allocation(slots * size_of::<Option<Stray>>()) + self.incidents.bytes(slots);
        method
            + self.method.get().bytes()
            + vec(&self.seats)
            + vec(&self.rows)
            + rows
            + names
            + table(self.slots.capacity(), size_of::<(Box<str>, u32)>())
            + rare
    }

    /// Whether one of its VMs is established.
    pub(super) fn is_established(&self) -> bool {
        self.seats.iter().any(|seat| seat.heard >= ESTABLISHED)
    }

    /// The time of the next tick to be judged, seconds.
    pub(super) fn due(&self) -> f64 {
        self.time(self.next)
    }

    /// The time of the last judged tick that had a sample, seconds.
    pub(super) fn heard_time(&self) -> f64 {
        self.time(self.next - 1 - self.silent as i64)
    }

    /// Number of VMs.
    pub(super) fn vms(&self) -> usize {
        self.slots.len()
    }

    /// The time of the last tick judged, seconds.
    pub(super) fn judged_time(&self) -> f64 {
        self.time(self.next - 1)
    }

    /// The time of tick `tick`, seconds.
    fn time(&self, tick: i64) -> f64 {
        self.origin + tick as f64 * self.interval
    }

    /// The tick that `time` is nearest to.
    fn tick(&self, time: f64) -> i64 {
        ((time - self.origin) / self.interval).round() as i64
    }

    /// The newest tick that is open.
    fn newest(&self) -> i64 {
        self.next + self.rows.len() as i64 - 1
    }

    /// The slot of the VM `name`, if it is known.
    #[inline]
    pub(super) fn slot(&self, name: &str) -> Option<usize> {
        let guess = self.guess;
        if self
            .seats
            .get(guess)
            .is_some_and(|seat| seat.name.as_deref() == Some(name))
        {
            return Some(guess);
        }
        self.slots.get(name).map(|slot| *slot as usize)
    }

    /// The slot of the VM `name`, made if need be; whether there is room for it, the caller knows.
    pub(super) fn slot_or_new(&mut self, name: &str) -> usize {
        if let Some(slot) = self.slot(name) {
            return slot;
        }
        let slot = match self.seats.iter().position(|seat| seat.name.is_none()) {
            Some(free) => {
                self.method.get_mut().reset(free);
                free
            }
            None => {
                self.seats.push(Seat::default());
                let slots = self.seats.len();
                self.method.get_mut().resize(slots);
                self.rows
                    .iter_mut()
                    .for_each(|row| row.values.resize(slots, f64::NAN));
                slots - 1
            }
        };
        self.seats[slot] = Seat {
            name: Some(name.into()),
            seen: self.next - 2,
            ..Seat::default()
        };
        self.slots.insert(name.into(), slot as u32);
        slot
    }

    /// Forgets a VM that does not report any more, to make room for the VM `name`; whether there was one.
    #[cold]
    pub(super) fn evict_silent(&mut self, name: &str, options: &HadOptions) -> bool {
        let (seats, next) = (&self.seats, self.next);
        let forget = options.forget_sec / self.interval;
        let candidates = || {
            let slots = seats.iter().enumerate();
            slots
                .filter(|(_, seat)| seat.is_silent(next, forget))
                .map(|(at, seat)| Candidate {
                    at,
                    heard: seat.heard,
                    silent: (next - seat.seen) as f64,
                })
        };
        let is_silent = |slot: usize| seats[slot].is_silent(next, forget);
        let found = self
            .eviction
            .place_for(name, next as f64, 1.0, candidates, is_silent);
        if let Some(slot) = found {
            self.vacate(slot);
        }
        found.is_some()
    }

    /// Takes a sample of the VM in `slot`; judges the ticks that it brings to an end and hands each to `judged`.
    ///
    /// A tick that most VMs still have to report is not ended by the one that is ahead of them: its sample is held until they
    /// agree, until a tick that it fits is open, or until there are newer ones of the same VM.
    #[inline]
    pub(super) fn observe(
        &mut self,
        slot: usize,
        sample: &Sample<'_>,
        mut judged: impl FnMut(&mut Self, Judged),
    ) -> Outcome {
        self.guess = slot + 1;
        let tick = self.tick(sample.time);
        if tick < self.next {
            return self.late(slot, tick, sample, &mut judged);
        }
        if tick > self.newest() && !self.most_have_passed(tick - self.rows.len() as i64) {
            return self.hold(slot, sample, &mut judged);
        }
        if self.astray > 0 {
            self.found(slot);
        }
        let next = self.next;
        let outcome = self.take(slot, tick, sample.time, sample.value, &mut judged);
        if self.astray > 0 && self.next != next {
            self.place_held(&mut judged);
        }
        outcome
    }

    /// Takes a sample for the tick `tick`, which has not been judged.
    #[inline]
    fn take(
        &mut self,
        slot: usize,
        tick: i64,
        time: f64,
        sample: f64,
        judged: &mut impl FnMut(&mut Self, Judged),
    ) -> Outcome {
        self.ahead = 0;
        if tick > self.newest() {
            self.judge_until(tick - self.rows.len() as i64 + 1, judged);
        }
        let deviation = time - self.time(tick);
        let seat = &mut self.seats[slot];
        let reported_before = seat.seen >= tick;
        if !reported_before {
            // Once a tick and VM, or a single one could carry the clock away by samples that come again and again.
            self.origin += PHASE_SHARE * deviation;
            seat.seen = tick;
        }
        if seat.masked {
            return Outcome::Masked;
        }
        let value = &mut self.rows[(tick - self.next) as usize].values[slot];
        let came_before = !value.is_nan() || (sample.is_nan() && reported_before);
        *value = sample;
        if came_before {
            return Outcome::Duplicate;
        }
        if tick == self.next && seat.expected {
            self.rows[0].reported += 1;
        }
        while self.expected > 0 && self.rows[0].reported >= self.expected {
            self.judge_next(judged);
        }
        Outcome::Taken
    }

    /// Whether a VM has a vote on what time it is: while several are waited for, those are asked.
    fn votes(&self, seat: &Seat) -> bool {
        seat.name.is_some() && !seat.masked && (seat.expected || self.expected < 2)
    }

    /// Whether most VMs have given samples of ticks after `last`, which none of them then misses.
    fn most_have_passed(&self, last: i64) -> bool {
        let (mut all, mut passed) = (0, 0);
        for seat in self.seats.iter().filter(|seat| self.votes(seat)) {
            all += 1;
            passed += usize::from(seat.seen > last);
        }
        2 * passed > all
    }

    /// A sample of the VM in `slot` fits.
    fn found(&mut self, slot: usize) {
        if let Some(stray) = self.strays.get_mut(slot)
            && stray.take().is_some()
        {
            self.astray -= 1;
        }
    }

    /// Notes a sample of the VM in `slot` that fits no open tick.
    fn goes_astray(&mut self, slot: usize, astray: Astray, sample: &Sample<'_>) -> Stray {
        if !self.seats[slot].masked {
            self.silent = 0;
        }
        if self.strays.len() < self.seats.len() {
            self.strays.resize(self.seats.len(), None);
        }
        let held = (sample.time, sample.value);
        let before = self.strays[slot];
        self.astray += u32::from(before.is_none());
        let mut stray = before
            .filter(|stray| stray.astray == astray)
            .unwrap_or(Stray {
                astray,
                samples: 0,
                rising: 0,
                interval: sample.interval,
                held: [(f64::NAN, f64::NAN); HELD_SAMPLES],
            });
        let newest = stray.held[HELD_SAMPLES - 1].0;
        let half = 0.5 * self.interval.min(sample.interval);
        let rises = newest.is_nan() || sample.time - newest >= half;
        let is_same = astray != Astray::Interval
            || (stray.interval - sample.interval).abs() <= INTERVAL_JITTER * stray.interval;
        stray.samples = stray.samples.saturating_add(1);
        if rises && is_same {
            stray.rising = stray.rising.saturating_add(1);
            stray.held.rotate_left(1);
        } else {
            stray.rising = 1;
            stray.held = [(f64::NAN, f64::NAN); HELD_SAMPLES];
        }
        stray.interval = sample.interval;
        stray.held[HELD_SAMPLES - 1] = held;
        self.strays[slot] = Some(stray);
        if astray != Astray::Interval && stray.samples.is_multiple_of(WRONG_CLOCK_SAMPLES) {
            let ahead_sec = sample.time - self.time(self.next);
            self.wrong_clock = Some(WrongClock { slot, ahead_sec });
        }
        stray
    }

    /// A sample of the VM in `slot` has another interval; whether the VM is to move to it.
    pub(super) fn has_other_interval(&mut self, slot: usize, sample: &Sample<'_>) -> bool {
        let stray = self.goes_astray(slot, Astray::Interval, sample);
        // The next one is not due before.
        let due = (2.0 * sample.interval).min(HUSH_MAX_SEC) / self.interval;
        self.hushed = self.hushed.max(due.min(TICKS_MAX as f64) as u64);
        stray.rising >= MOVE_SAMPLES
    }

    /// How many VMs are to move to the interval.
    pub(super) fn movers(&self, interval: f64) -> usize {
        let moves = |stray: &&Stray| {
            stray.astray == Astray::Interval
                && stray.rising >= MOVE_SAMPLES
                && (stray.interval - interval).abs() <= INTERVAL_JITTER * interval
        };
        self.strays.iter().flatten().filter(moves).count()
    }

    /// The VM in `slot` moves away.
    pub(super) fn leave(&mut self, slot: usize) -> Leaver {
        let masked = self.seats[slot].masked;
        let held = self.strays.get(slot).copied().flatten();
        let none = [(f64::NAN, f64::NAN); HELD_SAMPLES];
        self.vacate(slot);
        self.moved += 1;
        Leaver {
            masked,
            held: held.map_or(none, |stray| stray.held),
        }
    }

    /// Most VMs have moved away: what was learned of them together is over, and who does not give samples of the old interval
    /// any more leaves as well.
    pub(super) fn most_have_moved(&mut self) {
        self.moved = 0;
        self.incidents.end();
        for slot in 0..self.seats.len() {
            let is_gone = self.seats[slot].seen < self.next - RECENT_TICKS
                || self.strays.get(slot).is_some_and(Option::is_some);
            if is_gone && self.seats[slot].name.is_some() {
                self.vacate(slot);
            }
        }
    }

    /// A sample comes after its tick was judged. Most VMs' clocks having been set back, the ticks are counted anew from there.
    #[cold]
    #[inline(never)]
    fn late(
        &mut self,
        slot: usize,
        tick: i64,
        sample: &Sample<'_>,
        judged: &mut impl FnMut(&mut Self, Judged),
    ) -> Outcome {
        let seat = &mut self.seats[slot];
        seat.seen = seat.seen.max(tick);
        if seat.masked {
            return Outcome::Late;
        }
        if tick == self.next - 1 && !seat.expected {
            // A VM that comes after all others is waited for from now on.
            seat.expected = true;
            self.expected += 1;
        }
        let stray = self.goes_astray(slot, Astray::Behind, sample);
        if !stray.rising.is_multiple_of(BACK_SAMPLES) {
            return Outcome::Late;
        }
        let oldest = self.next - RECENT_TICKS;
        let mut all = 0;
        let mut times = Vec::new();
        for (slot, seat) in self.seats.iter().enumerate() {
            if seat.name.is_none() || seat.masked {
                continue;
            }
            let behind = self.strays[slot].filter(|stray| stray.astray == Astray::Behind);
            all += usize::from(behind.is_some() || seat.seen >= oldest);
            if let Some(stray) = behind
                && stray.rising >= BACK_SAMPLES
            {
                times.push(stray.held[0].0);
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
            // The clock that tells when ticks are over would end them all again.
            return Outcome::Late;
        }
        // What was learned goes on from here.
        self.judge_all(judged);
        let back = time - self.time(self.next);
        self.since += back;
        self.raised_since += back;
        self.stepped = Some(back);
        // The ticks are counted anew, or a clock that leaps to and fro would let their number grow without end.
        for seat in &mut self.seats {
            seat.seen = seat.seen.saturating_sub(self.next);
            seat.expected = false;
        }
        self.expected = 0;
        self.rows[0].reported = 0;
        (self.origin, self.next) = (time, 0);
        self.replay(Astray::Behind, slot, 0, judged)
            .unwrap_or(Outcome::Late)
    }

    /// A sample is later than any open tick and than what most VMs gave. Holds it, and lets the clock leap where most agree.
    #[cold]
    #[inline(never)]
    fn hold(
        &mut self,
        slot: usize,
        sample: &Sample<'_>,
        judged: &mut impl FnMut(&mut Self, Judged),
    ) -> Outcome {
        if self.seats[slot].masked {
            return Outcome::Masked;
        }
        let stray = self.goes_astray(slot, Astray::Ahead, sample);
        self.ahead = self.ahead.saturating_add(1).min(u32::MAX / 2);
        // Who goes on alone changes nothing by it, so the others are not asked each time.
        if stray.rising > 4 && !stray.rising.is_power_of_two() {
            return Outcome::SetAside;
        }
        let Some(target) = self.agreed_tick(stray.rising) else {
            return Outcome::SetAside;
        };
        let next = self.next;
        let leap = target - self.newest();
        let end = target - self.rows.len() as i64 + 1;
        if self.expected < 2 {
            // Nobody knows that there was a time without samples: so far a single clock told the time, which may be wrong.
            self.judge_until(end.min(self.newest() + 1), judged);
            self.hushed = self.hushed.max(leap.unsigned_abs());
        }
        // In the order of their times, so that none of them is passed over.
        let became = self.replay(Astray::Ahead, slot, target, judged);
        if leap > STEP_MAX {
            self.stepped = Some((self.next - next) as f64 * self.interval);
        }
        became.unwrap_or(Outcome::SetAside)
    }

    /// The tick beyond the open ones that most VMs have come to, by samples that are held; a VM that is the only one has to
    /// say so twice. `rising` is how often the last one to speak did.
    fn agreed_tick(&self, rising: u32) -> Option<i64> {
        let held = |slot: usize| {
            let stray = self.strays.get(slot).copied().flatten()?;
            let time = stray.held[HELD_SAMPLES - 1].0;
            (stray.astray == Astray::Ahead && !time.is_nan()).then(|| self.tick(time))
        };
        let mut all = 0;
        let mut ticks = Vec::new();
        let mut ahead = Vec::new();
        for (slot, seat) in self.seats.iter().enumerate() {
            let tick = held(slot);
            ahead.extend(tick);
            if self.votes(seat) {
                all += 1;
                ticks.extend(tick.or_else(|| (seat.seen > self.next).then_some(seat.seen)));
            }
        }
        let most = all / 2 + 1;
        let clock = self
            .advanced
            .filter(|time| self.time(self.next) - time <= STEP_MAX as f64 * self.interval);
        let target = if ticks.len() >= most && (all > 1 || rising > 1) {
            // No tick that fewer have come to: the farthest of them is not followed.
            let fewer = ticks.len() - most;
            let target = *ticks.select_nth_unstable(fewer).1;
            let latest = clock.map(|time| time + RECENT_TICKS as f64 * self.interval);
            if all == 1 && latest.is_some_and(|latest| self.time(target) > latest) {
                return None;
            }
            target
        } else {
            // Where there is no clock but that of the samples, those who still give any are the VMs that there are.
            let enough = (2 * ahead.len()).max(all);
            if clock.is_some() || (self.ahead as usize) < enough {
                return None;
            }
            let middle = (ahead.len() - 1) / 2;
            *ahead.select_nth_unstable(middle).1
        };
        (target > self.newest()).then_some(target)
    }

    /// Takes the samples up to the tick `target` that were held of those who were astray in that way, in the order of their times; gives what became
    /// of the last one of the VM in `slot`.
    fn replay(
        &mut self,
        astray: Astray,
        slot: usize,
        target: i64,
        judged: &mut impl FnMut(&mut Self, Judged),
    ) -> Option<Outcome> {
        let mut samples = Vec::new();
        for (slot, place) in self.strays.iter_mut().enumerate() {
            if let Some(stray) = place.take_if(|stray| stray.astray == astray) {
                self.astray -= 1;
                let held = stray.held.into_iter().filter(|(time, _)| !time.is_nan());
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
            let outcome = fits.then(|| self.take(of, tick, time, value, judged));
            if of == slot {
                became = outcome;
            }
        }
        became
    }

    /// Takes the held samples whose ticks have come, and drops those whose ticks are over.
    #[cold]
    #[inline(never)]
    fn place_held(&mut self, judged: &mut impl FnMut(&mut Self, Judged)) {
        let mut again = true;
        while again && self.astray > 0 {
            let next = self.next;
            for slot in 0..self.strays.len() {
                let Some(mut stray) = self.strays[slot] else {
                    continue;
                };
                if stray.astray != Astray::Ahead {
                    continue;
                }
                for at in 0..HELD_SAMPLES {
                    let (time, value) = stray.held[at];
                    let tick = self.tick(time);
                    if time.is_nan() || tick > self.newest() {
                        continue;
                    }
                    stray.held[at] = (f64::NAN, f64::NAN);
                    self.strays[slot] = Some(stray);
                    if tick >= self.next {
                        self.take(slot, tick, time, value, judged);
                    }
                }
            }
            again = self.next != next;
        }
    }

    /// Judges the ticks whose time is over at `time`.
    pub(super) fn advance(&mut self, time: f64, mut judged: impl FnMut(&mut Self, Judged)) {
        self.advanced = Some(time);
        let over = ((time - self.origin) / self.interval - 0.5 + 1e-6).floor();
        let over = over.clamp(-(TICKS_MAX as f64), TICKS_MAX as f64) as i64;
        while over >= self.next {
            // Not in one stride over the ticks of samples that are held.
            let held = self.first_held().filter(|_| self.astray > 0);
            let end = held.map_or(over, |tick| over.min(tick - self.rows.len() as i64));
            self.judge_until(end.max(self.next) + 1, &mut judged);
            if self.astray > 0 {
                self.place_held(&mut judged);
            }
        }
    }

    /// The first tick of a sample that is held.
    fn first_held(&self) -> Option<i64> {
        let ahead = |stray: &&Stray| stray.astray == Astray::Ahead;
        let held = self
            .strays
            .iter()
            .flatten()
            .filter(ahead)
            .flat_map(|s| s.held);
        let held = held.filter(|(time, _)| !time.is_nan());
        held.map(|(time, _)| self.tick(time)).min()
    }

    /// Judges the ticks before `end`.
    fn judge_until(&mut self, end: i64, judged: &mut impl FnMut(&mut Self, Judged)) {
        if end - self.next > STEP_MAX + self.rows.len() as i64 {
            self.judge_all(judged);
            let skipped = end - self.next - STEP_MAX;
            if skipped > 0 {
                self.method.get_mut().skip(skipped as u64);
                self.next += skipped;
                let hushed = self.hushed.min(skipped as u64);
                self.hushed -= hushed;
                self.silent += skipped as u64 - hushed;
            }
        }
        while self.next < end {
            self.judge_next(judged);
        }
    }

    /// Judges the ticks that there are samples of.
    fn judge_all(&mut self, judged: &mut impl FnMut(&mut Self, Judged)) {
        for _ in 0..self.rows.len() {
            self.judge_next(judged);
        }
    }

    /// Judges the next tick.
    fn judge_next(&mut self, judged: &mut impl FnMut(&mut Self, Judged)) {
        let time = self.time(self.next);
        let hour = ((time / 3600.0).floor() as i64).rem_euclid(24) as usize;
        let mut row = std::mem::take(&mut self.rows[0]);
        let verdict = self.method.get_mut().close(&row.values, hour);
        let has_sample = row.values.iter().any(|v| !v.is_nan());
        // Where every VM is masked, silence is what is expected.
        if has_sample || self.audible() == 0 {
            self.silent = 0;
        } else if self.hushed > 0 {
            self.hushed -= 1;
        } else {
            self.silent += 1;
        }
        if has_sample {
            self.hushed = 0;
        }
        self.last = verdict;

        // `judged` looks at the values of the tick, so they stay in place until it is done.
        self.rows[0] = row;
        judged(
            self,
            Judged {
                time,
                verdict,
                silent: self.silent,
                has_sample,
            },
        );
        row = std::mem::take(&mut self.rows[0]);
        for (seat, value) in self.seats.iter_mut().zip(&row.values) {
            seat.heard = seat.heard.saturating_add(u32::from(!value.is_nan()));
        }
        row.values.fill(f64::NAN);
        row.values.resize(self.seats.len(), f64::NAN);
        row.reported = 0;
        self.rows.rotate_left(1);
        let last = self.rows.len() - 1;
        self.rows[last] = row;
        let tick = self.next;
        self.next += 1;
        // A sample that came for the next tick already counts as reported.
        let Row { values, reported } = &mut self.rows[0];
        self.expected = 0;
        *reported = 0;
        for (seat, value) in self.seats.iter_mut().zip(values) {
            seat.expected = seat.seen > tick - EXPECTED_TICKS && !seat.masked;
            self.expected += u32::from(seat.expected);
            *reported += u32::from(seat.expected && !value.is_nan());
        }
    }

    /// Follows the incident with the tick that is being judged; `changed` as for [`Incidents::tick`].
    pub(super) fn follow_incident(
        &mut self,
        verdict: &Verdict,
        quiet: u64,
    ) -> [Option<super::incident::Change>; 2] {
        let method = self.method.get();
        let changed = || {
            let direction = verdict.alarm.map(|a| a.direction);
            self.seats
                .iter()
                .enumerate()
                .filter(|(_, seat)| seat.name.is_some())
                .filter(|(slot, _)| {
                    let shift = method.shift(*slot);
                    match direction {
                        Some(crate::event::Direction::Up) => shift > 0.0,
                        Some(crate::event::Direction::Down) => shift < 0.0,
                        _ => !shift.is_nan(),
                    }
                })
                .filter_map(|(slot, _)| Some((slot, method.baseline(slot)?)))
                .collect()
        };
        self.incidents.tick(
            verdict.alarm.as_ref(),
            &self.rows[0].values,
            quiet,
            method.memory() as u64,
            changed,
        )
    }

    /// Masks or unmasks the VM `name`; one that is not known yet is made known, so that its first samples do not count.
    pub(super) fn mask(&mut self, name: &str, masked: bool, options: &HadOptions) {
        let slot = if masked {
            Some(self.slot_or_new(name))
        } else {
            self.slot(name)
        };
        if let Some(slot) = slot {
            // Ticks are judged some time after they are over, so that those of the time when all were masked may still come;
            // and who is resumed takes a while to speak.
            if !masked && self.seats[slot].masked && self.audible() == 0 {
                self.hushed = options.silence_sz as u64;
            }
            self.seats[slot].masked = masked;
            if masked {
                self.rows
                    .iter_mut()
                    .for_each(|row| row.values[slot] = f64::NAN);
            }
        }
    }

    /// Number of VMs whose silence would mean something.
    pub(super) fn audible(&self) -> usize {
        self.seats
            .iter()
            .filter(|seat| seat.name.is_some() && !seat.masked)
            .count()
    }

    /// Forgets the VMs that have given no sample for `forget_sec` seconds; gives how many are left.
    pub(super) fn forget_silent(&mut self, forget_sec: f64) -> usize {
        let oldest = self.next - (forget_sec / self.interval).ceil().min(TICKS_MAX as f64) as i64;
        for slot in 0..self.seats.len() {
            let seat = &self.seats[slot];
            if seat.seen < oldest && seat.name.is_some() {
                self.vacate(slot);
            }
        }
        self.slots.len()
    }

    /// The VM in `slot` is gone: the slot is free.
    fn vacate(&mut self, slot: usize) {
        self.found(slot);
        let seat = &mut self.seats[slot];
        let Some(name) = seat.name.take() else {
            return;
        };
        if seat.expected {
            self.expected -= 1;
            if !self.rows[0].values[slot].is_nan() {
                self.rows[0].reported = self.rows[0].reported.saturating_sub(1);
            }
        }
        (seat.expected, seat.masked, seat.alone) = (false, false, false);
        for row in &mut self.rows {
            row.values[slot] = f64::NAN;
        }
        self.slots.remove(&name);
        self.method.get_mut().reset(slot);
        self.last.voters = self.last.voters.min(self.slots.len() as u32);
        self.incidents.forget(slot);
    }

    /// How many consecutive ticks had no sample although there are VMs that are not masked.
    pub(super) fn silent(&self) -> u64 {
        self.silent
    }

    /// When one of its VMs that are not masked was last heard, seconds.
    pub(super) fn heard(&self) -> f64 {
        let heard = self
            .seats
            .iter()
            .filter(|seat| seat.name.is_some() && !seat.masked);
        // Those who are astray are heard as well.
        let is_astray = self.astray > 0 && self.silent == 0;
        let astray = is_astray.then_some(self.next);
        let tick = heard.map(|seat| seat.seen).chain(astray).max();
        tick.map_or(f64::NEG_INFINITY, |tick| self.time(tick))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: f64) -> Sample<'static> {
        Sample {
            hypervisor: "host",
            vm: "a",
            time,
            interval: 0.001,
            value: 5.0,
        }
    }

    fn panel(options: &HadOptions) -> Panel {
        let mut panel = Panel::new(options, 0, &at(0.0), 0.001);
        let slot = panel.slot_or_new("a");
        for tick in 0..100 {
            panel.observe(slot, &at(f64::from(tick) * 0.001), |_, _| {});
        }
        panel
    }

    /// Whether the panel can be saved and restored.
    fn is_sound(panel: &Panel, options: &HadOptions) -> bool {
        let bytes = postcard::to_stdvec(panel).unwrap();
        let mut restored: Panel = postcard::from_bytes(&bytes).unwrap();
        restored.restore(options)
    }

    #[test]
    fn a_clock_that_leaps_to_and_fro_leaves_a_panel_that_can_go_on() {
        let options = HadOptions::default();
        let mut panel = panel(&options);
        for leap in 0..50 {
            let time = Time::MAX_SECS * f64::from(1 - 2 * (leap % 2));
            let mut taken = 0;
            for tick in 0..40 {
                let outcome = panel.observe(0, &at(time + f64::from(tick)), |_, _| {});
                taken += usize::from(outcome == Outcome::Taken);
            }
            assert!(taken > 10, "{leap}: {taken}");
            assert!(panel.next.abs() < TICKS_MAX / 2, "{leap}: {}", panel.next);
            assert!(is_sound(&panel, &options));
        }
    }

    #[test]
    fn what_no_panel_can_have_been_is_refused() {
        let options = HadOptions::default();
        let whole = panel(&options);
        assert!(is_sound(&whole, &options));
        let spoilt: [fn(&mut Panel); 9] = [
            |panel| panel.interval = 1e-300,
            |panel| panel.interval = f64::NAN,
            |panel| panel.origin = 1e300,
            |panel| panel.since = f64::INFINITY,
            |panel| panel.next = i64::MAX / 8,
            |panel| panel.ahead = u32::MAX,
            |panel| panel.expected = u32::MAX,
            |panel| panel.rows[0].reported = u32::MAX,
            |panel| panel.silent = u64::MAX,
        ];
        for (at, spoil) in spoilt.into_iter().enumerate() {
            let mut panel = whole.clone();
            spoil(&mut panel);
            assert!(!is_sound(&panel, &options), "{at}");
        }
    }
}
