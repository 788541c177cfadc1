//! One metric of one hypervisor: who its VMs are, and which samples belong to one tick.

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::eviction::{Candidate, ESTABLISHED, Eviction, patience};
use super::iad::Iad;
use super::incident::Incidents;
use super::method::{Method, Verdict};
use super::options::{Algorithm, HadOptions};
use super::rank::Rank;
use super::zscore::Zscore;
use super::{INTERVALS, Observation, Outcome, TIME_MAX};

/// A step of the clock by more ticks than this is taken as many at once.
const STEP_MAX: i64 = 416;
/// So many late samples in a row from every VM mean that the clock was set back.
const LATE_MAX: u32 = 16;
/// A VM is waited for as long as it gave a sample for one of so many last ticks: who misses one is not late at the next.
const EXPECTED_TICKS: i64 = 3;
/// No clock within [`TIME_MAX`] comes to so many ticks.
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
    /// Ticks with a sample of it; of a restored one only whether it is established.
    #[serde(skip)]
    heard: u32,
}

impl Seat {
    /// Whether its VM has been silent for so long, at the tick `next`, that it may have to make room.
    fn is_silent(&self, next: i64, forget_ticks: f64) -> bool {
        (next - self.seen) as f64 > 1.0 + patience(self.heard, 1.0, forget_ticks)
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

/// One metric of one hypervisor.
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
    /// Late samples in a row.
    late: u32,
    /// Samples from far ahead in a row.
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
    #[serde(skip)]
    eviction: Eviction,
    /// VMs that made room for others and have not been counted yet.
    #[serde(skip)]
    pub evicted: u64,
}

impl Panel {
    /// A panel that begins with the tick of `first`.
    pub(super) fn new(
        options: &HadOptions,
        metric: u32,
        first: &Observation<'_>,
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
            late: 0,
            ahead: 0,
            since: first.time,
            raised_since: first.time,
            follows_time_of_day: false,
            last: Verdict::default(),
            guess: 0,
            eviction: Eviction::default(),
            evicted: 0,
        }
    }

    /// Makes a restored panel whole; `false` where it cannot be one.
    pub(super) fn restore(&mut self, options: &HadOptions) -> bool {
        let Some(metric) = options.metrics.get(self.metric as usize) else {
            return false;
        };
        let seats = self.seats.len();
        let counts = self.rows.iter().map(|row| row.reported);
        let counts = counts.chain([self.expected, self.late, self.ahead]);
        let sound = INTERVALS.contains(&self.interval)
            && self.time(self.next).abs() <= 2.0 * TIME_MAX
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

    /// The slot of the VM `name`, if it is known.
    fn slot(&mut self, name: &str) -> Option<usize> {
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

    /// The slot of the VM `name`, made if need be and there is room or room can be made.
    fn slot_or_new(&mut self, name: &str, options: &HadOptions) -> Option<usize> {
        if let Some(slot) = self.slot(name) {
            return Some(slot);
        }
        if self.slots.len() >= options.max_vms {
            let slot = self.silent_slot(name, options)?;
            self.vacate(slot);
            self.evicted += 1;
            self.take_seat(slot, name);
            return Some(slot);
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
        self.take_seat(slot, name);
        Some(slot)
    }

    /// The slot of a VM that does not report any more and has to make room for the VM `name`.
    #[cold]
    fn silent_slot(&mut self, name: &str, options: &HadOptions) -> Option<usize> {
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
        self.eviction
            .place_for(name, next as f64, 1.0, candidates, is_silent)
    }

    /// Gives the empty `slot` to the VM `name`.
    fn take_seat(&mut self, slot: usize, name: &str) {
        self.seats[slot] = Seat {
            name: Some(name.into()),
            seen: self.next - 2,
            ..Seat::default()
        };
        self.slots.insert(name.into(), slot as u32);
    }

    /// Forgets the VM in `slot`.
    fn vacate(&mut self, slot: usize) {
        let seat = std::mem::take(&mut self.seats[slot]);
        if let Some(name) = seat.name {
            self.slots.remove(&name);
        }
        // The tick to be judged waits for it no longer, and what it said of that tick does not count.
        let row = &mut self.rows[0];
        self.expected -= u32::from(seat.expected);
        row.reported -= u32::from(seat.expected && !row.values[slot].is_nan());
        for row in &mut self.rows {
            row.values[slot] = f64::NAN;
        }
        self.method.get_mut().reset(slot);
        self.last.voters = self.last.voters.min(self.slots.len() as u32);
        self.incidents.forget(slot);
    }

    /// Takes a sample; judges the ticks that it brings to an end and hands each to `judged`.
    pub(super) fn observe(
        &mut self,
        observation: &Observation<'_>,
        options: &HadOptions,
        mut judged: impl FnMut(&mut Self, Judged),
    ) -> Outcome {
        let Some(slot) = self.slot_or_new(observation.vm, options) else {
            return Outcome::Full;
        };
        self.guess = slot + 1;
        let ticks = ((observation.time - self.origin) / self.interval).round();
        let mut tick = ticks as i64;
        if tick < self.next {
            self.late += 1;
            if self.late <= LATE_MAX * self.seats.len() as u32 {
                let seat = &mut self.seats[slot];
                seat.seen = seat.seen.max(tick);
                if tick == self.next - 1 && !seat.expected && !seat.masked {
                    // A VM that comes after all others is waited for from now on.
                    seat.expected = true;
                    self.expected += 1;
                }
                return Outcome::Late;
            }
            // Nothing has come in time for long: the clock was set back. What was learnt goes on from here.
            self.judge_all(&mut judged);
            let back = observation.time - self.time(self.next);
            self.since += back;
            self.raised_since += back;
            // The ticks are counted anew, or a clock that leaps to and fro would let their number grow without end.
            for seat in &mut self.seats {
                seat.seen = seat.seen.saturating_sub(self.next);
            }
            (self.origin, self.next) = (observation.time, 0);
            tick = 0;
        }
        let newest = self.next + self.rows.len() as i64 - 1;
        if tick > newest + STEP_MAX && self.ahead < self.seats.len() as u32 {
            // One sample with a time far ahead must not carry the clock away from all others.
            self.ahead += 1;
            return Outcome::Refused;
        }
        (self.late, self.ahead) = (0, 0);
        if tick > newest {
            self.judge_until(tick - self.rows.len() as i64 + 1, &mut judged);
        }
        self.origin += PHASE_SHARE * (observation.time - self.time(tick));

        let seat = &mut self.seats[slot];
        let reported_before = seat.seen >= tick;
        seat.seen = seat.seen.max(tick);
        if seat.masked {
            return Outcome::Masked;
        }
        let value = &mut self.rows[(tick - self.next) as usize].values[slot];
        let came_before = !value.is_nan() || (observation.value.is_nan() && reported_before);
        *value = observation.value;
        if came_before {
            return Outcome::Duplicate;
        }
        if tick == self.next && seat.expected {
            self.rows[0].reported += 1;
        }
        while self.expected > 0 && self.rows[0].reported >= self.expected {
            self.judge_next(&mut judged);
        }
        Outcome::Taken
    }

    /// Judges the ticks whose time is over at `time`.
    pub(super) fn advance(&mut self, time: f64, mut judged: impl FnMut(&mut Self, Judged)) {
        let over = ((time - self.origin) / self.interval - 0.5 + 1e-6).floor();
        let over = over.clamp(-(TICKS_MAX as f64), TICKS_MAX as f64) as i64;
        if over >= self.next {
            self.judge_until(over + 1, &mut judged);
        }
    }

    /// Judges the ticks before `end`.
    fn judge_until(&mut self, end: i64, judged: &mut impl FnMut(&mut Self, Judged)) {
        if end - self.next > STEP_MAX + self.rows.len() as i64 {
            self.judge_all(judged);
            let skipped = end - self.next - STEP_MAX;
            if skipped > 0 {
                self.method.get_mut().skip(skipped as u64);
                self.next += skipped;
                self.silent += skipped as u64;
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
            self.slot_or_new(name, options)
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
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: f64) -> Observation<'static> {
        Observation {
            hypervisor: "host",
            vm: "a",
            metric: "cpu",
            time,
            interval: 0.001,
            value: 5.0,
        }
    }

    fn panel(options: &HadOptions) -> Panel {
        let mut panel = Panel::new(options, 0, &at(0.0), 0.001);
        for tick in 0..100 {
            panel.observe(&at(f64::from(tick) * 0.001), options, |_, _| {});
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
            let time = TIME_MAX * f64::from(1 - 2 * (leap % 2));
            let mut taken = 0;
            for tick in 0..40 {
                let outcome = panel.observe(&at(time + f64::from(tick)), &options, |_, _| {});
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
            |panel| panel.late = u32::MAX,
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
