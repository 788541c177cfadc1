//! HAD: telling a failing hypervisor from a busy guest by the metrics of its guests.
//!
//! A [`Detector`] takes one sample of one VM at a time ([`Detector::observe`]) and gives [`Event`]s
//! ([`Detector::next_event`]). Each metric of each hypervisor is judged by itself, and so are VMs whose samples have different
//! intervals. Samples of one hypervisor that belong to the same interval form a tick; a tick is judged when all VMs of the last
//! one have reported, when most of them have come so far that nothing can be in time for it any more, or when
//! [`Detector::advance`] says that its time is over. What time it is no single VM decides.

mod attribution;
#[doc(hidden)]
pub mod bare;
mod eviction;
mod filter;
mod iad;
mod incident;
mod method;
mod notice;
mod options;
mod overlap;
mod panel;
mod past;
mod presence;
mod quorum;
mod rank;
mod tell;
mod window;
mod zscore;

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::path::Path;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use self::eviction::{ESTABLISHED, Eviction};
use self::method::Alarm;
use self::notice::Notices;
use self::panel::{Judged, Leaver, Panel};
use self::presence::{Presence, Presences};
use self::tell::{Gone, Others};
use crate::event::Event;
use crate::options::OptionError;
use crate::snapshot::{self, Shape, SnapshotError, Tag};

pub use notice::{Notice, NoticeKind};
pub use options::{Algorithm, HadOptions};

/// One sample of one metric of one VM.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation<'a> {
    /// The hypervisor's name; not empty.
    pub hypervisor: &'a str,
    /// The VM's name, unique on its hypervisor; not empty.
    pub vm: &'a str,
    /// The metric's name; one that is not in the option `metrics` is ignored.
    pub metric: &'a str,
    /// When, in seconds since the epoch.
    pub time: f64,
    /// Seconds between two samples of this VM; 0 means the option `interval`.
    pub interval: f64,
    /// The value, not negative; for `cpu` in percent of one core. NaN is a sample that is known to be missing.
    pub value: f64,
}

/// What became of an observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It counts.
    Taken,
    /// It replaced an earlier one of the same VM and tick, or came again.
    Duplicate,
    /// Its tick has been judged already.
    Late,
    /// Its metric is not watched.
    Ignored,
    /// Its VM is masked ([`Detector::mask`]).
    Masked,
    /// A name is empty or too long, the time or the value is not a number that can be.
    Refused,
    /// One of the options `max_hypervisors` and `max_vms` leaves no room for it, as all that there is state of still reports, or
    /// its hypervisor has VMs of as many intervals as are kept.
    Full,
    /// Its time or its interval is not that of the other VMs. It is held, and counts if they come to agree with it soon.
    SetAside,
}

/// How many observations came to what, and what there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Observations with [`Outcome::Taken`].
    pub taken: u64,
    /// Observations with [`Outcome::Duplicate`].
    pub duplicate: u64,
    /// Observations with [`Outcome::Late`].
    pub late: u64,
    /// Observations with [`Outcome::Ignored`].
    pub ignored: u64,
    /// Observations with [`Outcome::Masked`].
    pub masked: u64,
    /// Observations with [`Outcome::Refused`].
    pub refused: u64,
    /// Observations with [`Outcome::Full`].
    pub full: u64,
    /// Observations with [`Outcome::SetAside`].
    #[serde(skip)]
    pub set_aside: u64,
    /// How often most VMs of a hypervisor moved to another interval, so that it is learned anew, over all metrics.
    #[serde(skip)]
    pub intervals_changed: u64,
    /// How often most VMs of a hypervisor agreed on a time that is earlier, or much later, over all metrics.
    #[serde(skip)]
    pub clock_steps: u64,
    /// Events that nobody fetched in time, lost.
    pub events_lost: u64,
    /// Hypervisors that there is state of.
    pub hypervisors: u64,
    /// VMs that there is state of, over all hypervisors and metrics.
    pub vms: u64,
    /// Metrics of hypervisors that cannot be judged because each of the VMs has an interval of its own.
    #[serde(skip)]
    pub unjudged: u64,
    /// Silent hypervisors whose state made room for another's, because of the option `max_hypervisors`.
    #[serde(skip)]
    pub hypervisors_evicted: u64,
    /// Silent VMs whose state made room for another's, because of the option `max_vms`; over all hypervisors and metrics.
    #[serde(skip)]
    pub vms_evicted: u64,
}

/// The counters that snapshots did not have at first, by their names: they come behind the rest, and may be more or fewer.
type LaterCounters = Vec<(String, u64)>;

impl Counters {
    fn later(&self) -> LaterCounters {
        let counters = [
            ("set_aside", self.set_aside),
            ("intervals_changed", self.intervals_changed),
            ("clock_steps", self.clock_steps),
            ("hypervisors_evicted", self.hypervisors_evicted),
            ("vms_evicted", self.vms_evicted),
        ];
        counters
            .map(|(name, count)| (name.to_owned(), count))
            .into()
    }

    fn with_later(mut self, later: LaterCounters) -> Self {
        for (name, count) in later {
            match name.as_str() {
                "set_aside" => self.set_aside = count,
                "intervals_changed" => self.intervals_changed = count,
                "clock_steps" => self.clock_steps = count,
                "hypervisors_evicted" => self.hypervisors_evicted = count,
                "vms_evicted" => self.vms_evicted = count,
                _ => {}
            }
        }
        self
    }
}

/// Where one metric of one hypervisor stands after its last tick.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Status<'a> {
    /// The hypervisor.
    pub hypervisor: &'a str,
    /// The metric.
    pub metric: &'a str,
    /// Time of the last tick judged, seconds since the epoch.
    pub time: f64,
    /// How near to an alarm, 0 to 1; an alarm is 0.5 or more.
    pub score: f64,
    /// Share of the voters that changed the same way, 0 to 1.
    pub consensus: f64,
    /// VMs that had a say.
    pub voters: u32,
    /// VMs that are known, whatever their interval.
    pub vms: u32,
    /// Whether an incident is open.
    pub raised: bool,
    /// Seconds between two ticks.
    pub interval: f64,
}

/// Where one VM stands after the last tick of one metric of its hypervisor: its say in the verdict.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VmStatus<'a> {
    /// The VM.
    pub vm: &'a str,
    /// How strongly it changed, in standard deviations of its own past, with its sign (for `iad`, twice the change by
    /// `change_threshold`); `None` where it abstained: too little is known of it, it is silent, idle or saturated.
    pub shift: Option<f64>,
    /// The mean of what it did before the present, in the metric's unit; `None` where that is not known.
    pub baseline: Option<f64>,
}

/// Longest name of a hypervisor or a VM, bytes.
pub const NAME_MAX_BYTES: usize = 512;
/// Times farther than this from the epoch are refused, seconds (some three thousand years).
const TIME_MAX: f64 = 1e11;
/// What may lie between two samples of a VM, seconds.
const INTERVALS: RangeInclusive<f64> = 0.001..=86_400.0;
/// Most events that wait to be fetched; the oldest are lost first.
const EVENTS_MAX: usize = 4096;
/// Of so many intervals the VMs of a hypervisor may be; who claims a further one is turned away.
const INTERVALS_MAX: usize = 4;
/// So many more samples of a further interval than of all others that were turned away make room for it.
const TURNED_AWAY_MAX: u32 = 64;
/// Looking for who is to be forgotten takes a walk over all VMs, which is enough so often in the time that they are given.
const SWEEPS: f64 = 50.0;
/// Marks the snapshots of HAD.
const TAG: Tag = *b"had ";

/// One hypervisor.
#[derive(Debug, Serialize, Deserialize)]
struct Hypervisor {
    name: Box<str>,
    /// One for each metric and interval that has been seen; a VM is in one of each metric.
    panels: Vec<Panel>,
    /// All VMs have been silent since this time, and that was told; seconds.
    silent_since: Option<f64>,
    /// The interval that most samples have for which there is no room, and by how many more than the others.
    #[serde(skip)]
    turned_away: (f64, u32),
}

impl Hypervisor {
    fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            panels: Vec::new(),
            silent_since: None,
            turned_away: (0.0, 0),
        }
    }

    /// The panels of a metric with their places.
    fn of(&self, metric: u32) -> impl Iterator<Item = (usize, &Panel)> {
        let panels = self.panels.iter().enumerate();
        panels.filter(move |(_, panel)| panel.metric == metric)
    }

    /// All panels but the one at `at`.
    fn others(&self, at: usize) -> Others<'_> {
        Others([&self.panels[..at], &self.panels[at + 1..]])
    }

    /// The panel of a metric that speaks for it: one with an open incident, or else the one of most VMs.
    fn main(&self, metric: u32) -> Option<usize> {
        let order = |(at, panel): &(usize, &Panel)| {
            let (raised, vms) = (panel.incidents.is_raised(), panel.vms());
            (raised, vms, usize::MAX - at)
        };
        self.of(metric).max_by_key(order).map(|(at, _)| at)
    }

    /// The metrics that have been seen, in the order of their first sight.
    fn metrics(&self) -> impl Iterator<Item = u32> {
        let panels = self.panels.iter().enumerate();
        let first = |(at, panel): &(usize, &Panel)| {
            self.panels[..*at].iter().all(|p| p.metric != panel.metric)
        };
        panels.filter(first).map(|(_, panel)| panel.metric)
    }

    /// Whether the VMs of a metric have so many intervals that no two of them can be compared.
    fn is_scattered(&self, metric: u32) -> bool {
        self.of(metric).count() > 1 && self.of(metric).all(|(_, panel)| panel.vms() < 2)
    }
}

/// Judges hypervisors by the metrics of their VMs.
#[derive(Debug)]
pub struct Detector {
    options: HadOptions,
    hypervisors: Vec<Hypervisor>,
    index: FxHashMap<Box<str>, u32>,
    /// Where the hypervisor of the last sample is: many samples of one come in a row.
    guess: usize,
    events: VecDeque<Event>,
    counters: Counters,
    notices: Notices,
    /// The newest time that [`Detector::advance`] looked for the silent at.
    swept: f64,
    /// The same for [`Detector::advance_hypervisor`], in seconds that have passed.
    swept_elapsed: f64,
    /// When each of `hypervisors` was heard.
    presences: Presences,
    eviction: Eviction,
}

/// What a snapshot holds besides the hypervisors.
#[derive(Serialize, Deserialize)]
struct Saved<H> {
    /// The options that shape the state, as (name, value).
    shape: Shape,
    hypervisors: H,
    counters: Counters,
    swept: f64,
    /// Events that wait, as JSON: their keys come and go, which the binary form cannot say.
    events: Vec<String>,
}

/// What snapshots did not have at first and have behind the rest: further counters, and since when the collector is silent.
type Later = (LaterCounters, Option<f64>);

impl Detector {
    /// A detector that knows nothing yet.
    ///
    /// # Errors
    /// Options that contradict each other.
    pub fn new(options: HadOptions) -> Result<Self, OptionError> {
        options.validate()?;
        Ok(Self {
            options,
            hypervisors: Vec::new(),
            index: FxHashMap::default(),
            guess: 0,
            events: VecDeque::new(),
            counters: Counters::default(),
            notices: Notices::default(),
            swept: f64::NEG_INFINITY,
            swept_elapsed: 0.0,
            presences: Presences::default(),
            eviction: Eviction::default(),
        })
    }

    /// The options it was made with.
    pub fn options(&self) -> &HadOptions {
        &self.options
    }

    /// Takes one sample. Events that it brings about wait for [`Detector::next_event`].
    pub fn observe(&mut self, observation: &Observation<'_>) -> Outcome {
        let outcome = self.place(observation);
        let counter = match outcome {
            Outcome::Taken => &mut self.counters.taken,
            Outcome::Duplicate => &mut self.counters.duplicate,
            Outcome::Late => &mut self.counters.late,
            Outcome::Ignored => &mut self.counters.ignored,
            Outcome::Masked => &mut self.counters.masked,
            Outcome::Refused => &mut self.counters.refused,
            Outcome::Full => &mut self.counters.full,
            Outcome::SetAside => &mut self.counters.set_aside,
        };
        *counter += 1;
        outcome
    }

    /// Gives an observation to its panel.
    fn place(&mut self, observation: &Observation<'_>) -> Outcome {
        let Some(metric) = self
            .options
            .metrics
            .iter()
            .position(|m| m == observation.metric)
        else {
            return Outcome::Ignored;
        };
        let is_name = |name: &str| (1..=NAME_MAX_BYTES).contains(&name.len());
        let sound = is_name(observation.hypervisor)
            && is_name(observation.vm)
            && observation.time.abs() <= TIME_MAX
            && (observation.interval == 0.0 || INTERVALS.contains(&observation.interval))
            && (observation.value.is_nan() || (0.0..f64::INFINITY).contains(&observation.value));
        if !sound {
            return Outcome::Refused;
        }
        let interval = if observation.interval == 0.0 {
            self.options.interval
        } else {
            observation.interval
        };
        let Some(at) = self.hypervisor_or_new(observation, interval) else {
            return Outcome::Full;
        };
        let metric = metric as u32;
        let panels = &self.hypervisors[at].panels;
        let found = panels
            .iter()
            .position(|p| p.metric == metric && p.takes(interval));
        let known = found.and_then(|i| Some((i, panels[i].slot(observation.vm)?)));
        let (i, slot) = match known {
            Some(place) => place,
            None => {
                let observation = Observation {
                    interval,
                    ..*observation
                };
                match self.seat(at, metric, found, &observation) {
                    Ok(place) => place,
                    Err(outcome) => return outcome,
                }
            }
        };
        if self.presences.all[at].is_restored() {
            let due = self.hypervisors[at].panels[0].due();
            self.presences.all[at].resume(observation.time, due);
        }
        let outcome = self.with_panel(at, i, |panel, judged| {
            panel.observe(slot, observation, judged)
        });
        if outcome == Outcome::Taken {
            self.presences.all[at].latest = observation.time;
        } else {
            self.note_clocks(at, i);
        }
        outcome
    }

    /// The panel and the slot of a VM that is not in the panel of its interval, `found`, if there is one: the VM is new, or it
    /// has samples of another interval than before, to which it moves once they are several.
    #[cold]
    #[inline(never)]
    fn seat(
        &mut self,
        at: usize,
        metric: u32,
        found: Option<usize>,
        observation: &Observation<'_>,
    ) -> Result<(usize, usize), Outcome> {
        let hypervisor = &mut self.hypervisors[at];
        let home = hypervisor
            .of(metric)
            .find_map(|(i, panel)| Some((i, panel.slot(observation.vm)?)));
        if let Some((i, slot)) = home {
            let panel = &mut hypervisor.panels[i];
            if panel.takes(observation.interval) {
                return Ok((i, slot));
            }
            if !panel.has_other_interval(slot, observation) {
                return Err(Outcome::SetAside);
            }
        } else if !self.has_room(at, metric, observation.vm) {
            return Err(Outcome::Full);
        }
        let i = match found {
            Some(i) => i,
            None => self.panel_of_new_interval(at, metric, home, observation)?,
        };
        let (i, leaver) = match home {
            Some((from, slot)) if from != i => {
                let (i, leaver) = self.leave(at, (from, slot), i, observation.time);
                (i, Some(leaver))
            }
            _ => (i, None),
        };
        let hypervisor = &mut self.hypervisors[at];
        let panel = &mut hypervisor.panels[i];
        let slot = panel.slot_or_new(observation.vm);
        if let Some(leaver) = leaver {
            panel.moved = panel.moved.saturating_sub(1);
            panel.mask(observation.vm, leaver.masked, &self.options);
            for (time, value) in leaver.held {
                if time < observation.time {
                    let held = Observation {
                        time,
                        value,
                        ..*observation
                    };
                    self.with_panel(at, i, |panel, judged| panel.observe(slot, &held, judged));
                }
            }
        }
        let hypervisor = &self.hypervisors[at];
        if hypervisor.is_scattered(metric) {
            self.notices.add(NoticeKind::Unjudged, || {
                notice::unjudged(&hypervisor.name, &self.options.metrics[metric as usize])
            });
        }
        Ok((i, slot))
    }

    /// Whether there is room for the VM `name`, which is not known: at the option `max_vms`, one that no longer reports makes it.
    fn has_room(&mut self, at: usize, metric: u32, name: &str) -> bool {
        let hypervisor = &mut self.hypervisors[at];
        let vms: usize = hypervisor.of(metric).map(|(_, panel)| panel.vms()).sum();
        if vms < self.options.max_vms {
            return true;
        }
        let mut panels = hypervisor.panels.iter_mut();
        let evicted = panels.any(|p| p.metric == metric && p.evict_silent(name, &self.options));
        self.counters.vms_evicted += u64::from(evicted);
        evicted
    }

    /// A panel for an interval that there is none of. `home` is where the VM has been so far.
    fn panel_of_new_interval(
        &mut self,
        at: usize,
        metric: u32,
        home: Option<(usize, usize)>,
        observation: &Observation<'_>,
    ) -> Result<usize, Outcome> {
        let interval = observation.interval;
        let hypervisor = &mut self.hypervisors[at];
        let new = Panel::new(&self.options, metric, observation, interval);
        if hypervisor.of(metric).count() < INTERVALS_MAX {
            hypervisor.panels.push(new);
            return Ok(hypervisor.panels.len() - 1);
        }
        let (smallest, vms) = hypervisor
            .of(metric)
            .map(|(i, panel)| (i, panel.vms()))
            .min_by_key(|(_, vms)| *vms)
            .expect("there are several");
        // A panel makes room for an interval that more VMs have; one whose only VM cannot be judged, for one that is claimed
        // again and again.
        let movers: usize = hypervisor
            .of(metric)
            .map(|(_, panel)| panel.movers(interval))
            .sum();
        let (claimed, votes) = &mut hypervisor.turned_away;
        if *votes == 0 {
            *claimed = interval;
        }
        if *claimed == interval {
            *votes += 1;
        } else {
            *votes -= 1;
        }
        let empties = home.is_some_and(|(i, _)| hypervisor.panels[i].vms() == 1);
        let makes_room = vms < movers || (vms < 2 && *votes > TURNED_AWAY_MAX);
        if !empties && !makes_room {
            self.notices.add(NoticeKind::Intervals, || {
                notice::intervals(&hypervisor.name, INTERVALS_MAX, interval)
            });
            return Err(if home.is_some() {
                Outcome::SetAside
            } else {
                Outcome::Full
            });
        }
        *votes = 0;
        if !empties {
            // The VM itself may have been in it, and is then a newcomer.
            let old = &hypervisor.panels[smallest];
            let ended = tell::interval_changed(
                &hypervisor.name,
                &self.options,
                old,
                &hypervisor.others(smallest),
                observation.time,
            );
            push(&mut self.events, &mut self.counters, ended);
            hypervisor.panels[smallest] = new;
            return Ok(smallest);
        }
        hypervisor.panels.push(new);
        Ok(hypervisor.panels.len() - 1)
    }

    /// Takes the VM in `slot` out of the panel `from`, to go to the panel `to`; gives the place of that one afterwards.
    fn leave(
        &mut self,
        at: usize,
        (from, slot): (usize, usize),
        to: usize,
        time: f64,
    ) -> (usize, Leaver) {
        let hypervisor = &mut self.hypervisors[at];
        let (old, new) = (
            hypervisor.panels[from].interval,
            hypervisor.panels[to].interval,
        );
        let leaver = hypervisor.panels[from].leave(slot);
        let panel = &hypervisor.panels[from];
        if panel.moved > panel.vms() {
            let ended = tell::interval_changed(
                &hypervisor.name,
                &self.options,
                panel,
                &hypervisor.others(from),
                time,
            );
            push(&mut self.events, &mut self.counters, ended);
            if panel.moved > 1 {
                self.counters.intervals_changed += 1;
                self.notices.add(NoticeKind::IntervalChanged, || {
                    let metric = &self.options.metrics[panel.metric as usize];
                    notice::interval_changed(&hypervisor.name, metric, old, new)
                });
            }
            hypervisor.panels[from].most_have_moved();
        }
        if hypervisor.panels[from].vms() > 0 {
            return (to, leaver);
        }
        hypervisor.panels.remove(from);
        (to - usize::from(to > from), leaver)
    }

    /// Notes what a panel found out about clocks.
    fn note_clocks(&mut self, at: usize, i: usize) {
        let hypervisor = &mut self.hypervisors[at];
        let (name, panel) = (&hypervisor.name, &mut hypervisor.panels[i]);
        let (stepped, wrong) = (panel.stepped.take(), panel.wrong_clock.take());
        if panel.vms() < 2 {
            // It is judged neither before nor after.
            return;
        }
        if let Some(seconds) = stepped {
            self.counters.clock_steps += 1;
            self.notices
                .add(NoticeKind::ClockStep, || notice::clock_step(name, seconds));
        }
        if let Some(wrong) = wrong
            && let Some(vm) = &panel.seats[wrong.slot].name
        {
            self.notices.add(NoticeKind::VmClock, || {
                notice::vm_clock(name, vm, wrong.ahead_sec)
            });
        }
    }

    /// Where the hypervisor of an observation is, made if need be and there is room or room can be made.
    fn hypervisor_or_new(&mut self, observation: &Observation<'_>, interval: f64) -> Option<usize> {
        let name = observation.hypervisor;
        if self
            .hypervisors
            .get(self.guess)
            .is_some_and(|h| &*h.name == name)
        {
            return Some(self.guess);
        }
        let at = match self.index.get(name) {
            Some(at) => *at as usize,
            None if self.hypervisors.len() >= self.options.max_hypervisors => {
                self.replace_silent(observation, interval)?
            }
            None => {
                self.presences.add(observation.time, interval);
                self.hypervisors.push(Hypervisor::new(name));
                self.index
                    .insert(name.into(), self.hypervisors.len() as u32 - 1);
                self.hypervisors.len() - 1
            }
        };
        self.guess = at;
        Some(at)
    }

    /// Gives the place of a hypervisor that does not report any more to the one of an observation, if there is such a place.
    #[cold]
    fn replace_silent(&mut self, observation: &Observation<'_>, interval: f64) -> Option<usize> {
        let options = &self.options;
        let presences = &self.presences;
        // Who is silent is known only where time is said to pass.
        let now = presences.elapsed()?;
        let at = self.eviction.place_for(
            observation.hypervisor,
            now,
            options.interval,
            || presences.candidates(options.forget_sec),
            |at| presences.is_silent(at, options.forget_sec),
        )?;
        let time = self.presences.time_or(observation.time);
        let new = Hypervisor::new(observation.hypervisor);
        self.index.insert(new.name.clone(), at as u32);
        let old = std::mem::replace(&mut self.hypervisors[at], new);
        self.index.remove(&old.name);
        let ended = tell::gone(&old.name, options, &old, time, Gone::Evicted);
        push(&mut self.events, &mut self.counters, ended);
        self.presences.replace(at, observation.time, interval);
        self.counters.hypervisors_evicted += 1;
        Some(at)
    }

    /// Says that no sample with a time before `time` (seconds) is going to come any more: judges the ticks that ended by then,
    /// notices silence and forgets who has been silent for too long. A time that is not finite or too far off is ignored.
    pub fn advance(&mut self, time: f64) {
        if time.is_nan() || time.abs() > TIME_MAX {
            return;
        }
        for at in 0..self.hypervisors.len() {
            self.advance_at(at, time);
        }
        self.sweep(time);
    }

    /// [`Detector::advance`] for one hypervisor, by its own clock. Without effect where that is not known.
    pub fn advance_hypervisor(&mut self, hypervisor: &str, time: f64) {
        if time.is_nan() || time.abs() > TIME_MAX {
            return;
        }
        let Some(&at) = self.index.get(hypervisor) else {
            return;
        };
        self.advance_at(at as usize, time);
        // Their clocks differ, so it goes by how much time has passed and not by what time it is.
        let elapsed = self.presences.elapsed().unwrap_or_default();
        if elapsed - self.swept_elapsed >= self.options.forget_sec / SWEEPS {
            self.swept_elapsed = elapsed;
            self.forget_silent(time);
        }
    }

    fn advance_at(&mut self, at: usize, time: f64) {
        let hypervisor = &mut self.hypervisors[at];
        if self.presences.all[at].is_restored()
            && let Some(panel) = hypervisor.panels.first()
            && self.presences.all[at].resume(time, panel.due())
        {
            // The time that the detector did not run is nobody's silence, and who was to be forgotten gets the time to speak.
            self.swept = self.swept.max(time);
        }
        self.presences.advance(at, time);
        for i in 0..self.hypervisors[at].panels.len() {
            self.with_panel(at, i, |panel, judged| panel.advance(time, judged));
        }
    }

    /// Lets `work` work on the panel `i` of the hypervisor at `at`, and tells what comes of it.
    #[inline]
    fn with_panel<T>(
        &mut self,
        at: usize,
        i: usize,
        work: impl FnOnce(&mut Panel, &mut dyn FnMut(&mut Panel, Judged)) -> T,
    ) -> T {
        let Self {
            options,
            hypervisors,
            events,
            counters,
            presences,
            ..
        } = self;
        let Hypervisor {
            name,
            panels,
            silent_since,
            ..
        } = &mut hypervisors[at];
        let (before, rest) = panels.split_at_mut(i);
        let (panel, after) = rest.split_first_mut().expect("the panel is there");
        let others = Others([before, after]);
        work(panel, &mut |panel, judged| {
            if judged.has_sample {
                // The first panel counts the intervals; any of them says that the hypervisor is heard.
                let event = presences.heard(at, judged.time, i == 0);
                push(events, counters, event);
            }
            let silence = (&mut *silent_since, &mut *presences, at);
            let told = tell::tick(name, options, panel, &judged, &others, silence);
            push(events, counters, told);
        })
    }

    /// Forgets the silent, where that was not done lately.
    fn sweep(&mut self, time: f64) {
        if time - self.swept >= self.options.forget_sec / SWEEPS {
            self.swept = time;
            self.forget_silent(time);
        }
    }

    /// Forgets VMs that have been silent for `forget_sec` seconds, and hypervisors that have no VM left.
    fn forget_silent(&mut self, time: f64) {
        let options = &self.options;
        let (events, counters) = (&mut self.events, &mut self.counters);
        let mut stay = Vec::with_capacity(self.hypervisors.len());
        self.hypervisors.retain_mut(|hypervisor| {
            let left: Vec<usize> = hypervisor
                .panels
                .iter_mut()
                .map(|p| p.forget_silent(options.forget_sec))
                .collect();
            let left_all: usize = left.iter().sum();
            if left_all == 0 {
                push(
                    events,
                    counters,
                    tell::gone(&hypervisor.name, options, hypervisor, time, Gone::Forgotten),
                );
            }
            // The last panel of a metric stays, with what was learned of the hypervisor.
            for i in (0..left.len()).rev() {
                let metric = hypervisor.panels[i].metric;
                if left[i] == 0 && left_all > 0 && hypervisor.of(metric).count() > 1 {
                    let ended = tell::vms_gone(hypervisor, i, options, time);
                    push(events, counters, ended);
                    hypervisor.panels.remove(i);
                }
            }
            stay.push(left_all > 0);
            left_all > 0
        });
        if self.hypervisors.len() != self.index.len() {
            let over = self.presences.retain(&stay, time);
            push(events, counters, over);
            self.eviction.restart();
            self.reindex();
        }
    }

    fn reindex(&mut self) {
        let names = self.hypervisors.iter().enumerate();
        self.index = names.map(|(i, h)| (h.name.clone(), i as u32)).collect();
    }

    /// Masks a VM that is paused, shut off or migrating, or unmasks it. A masked VM abstains: its samples do not count.
    /// Masking a VM that was never seen has no effect where the hypervisor was not seen either.
    pub fn mask(&mut self, hypervisor: &str, vm: &str, masked: bool) {
        let Some(at) = self.index.get(hypervisor).copied() else {
            return;
        };
        if !(1..=NAME_MAX_BYTES).contains(&vm.len()) {
            return;
        }
        let metrics: Vec<u32> = self.hypervisors[at as usize].metrics().collect();
        for metric in metrics {
            let hypervisor = &self.hypervisors[at as usize];
            let known = hypervisor.of(metric).find(|(_, p)| p.slot(vm).is_some());
            let known = known.map(|(i, _)| i);
            // One that is not known is made known only where it is masked.
            let place = match known {
                None if masked && self.has_room(at as usize, metric, vm) => {
                    self.hypervisors[at as usize].main(metric)
                }
                known => known,
            };
            if let Some(i) = place {
                self.hypervisors[at as usize].panels[i].mask(vm, masked, &self.options);
            }
        }
    }

    /// What an operator should know and that is no event: at most one of each kind waits, the first one.
    pub fn next_notice(&mut self) -> Option<Notice> {
        self.notices.next()
    }

    /// The oldest event not yet fetched. At most 4096 wait; beyond that the oldest are lost and counted.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Where every metric of every hypervisor stands, in the order of their first sight. Where its VMs have several intervals,
    /// that is where those stand that have an open incident, or else those of the interval that most have.
    pub fn statuses(&self) -> impl Iterator<Item = Status<'_>> {
        self.hypervisors.iter().flat_map(|hypervisor| {
            hypervisor.metrics().filter_map(|metric| {
                let panel = &hypervisor.panels[hypervisor.main(metric)?];
                let vms: usize = hypervisor.of(metric).map(|(_, p)| p.vms()).sum();
                Some(Status {
                    hypervisor: &hypervisor.name,
                    metric: &self.options.metrics[metric as usize],
                    time: panel.judged_time(),
                    score: crate::event::share(panel.last.score),
                    consensus: crate::event::share(panel.last.consensus),
                    voters: panel.last.voters,
                    vms: vms as u32,
                    raised: panel.incidents.is_raised(),
                    interval: panel.interval,
                })
            })
        })
    }

    /// Where the VMs of a hypervisor stand after the last tick of a metric, in no particular order, on the scale of time of a
    /// `channel` (the key of that name in an event; one that the algorithm does not have, such as "", means its fastest).
    /// Gives none for a hypervisor or metric that is not known.
    ///
    /// For a look inside, as a report takes it. It walks over the VMs; nothing is kept for its sake.
    pub fn vm_statuses<'a>(
        &'a self,
        hypervisor: &str,
        metric: &str,
        channel: &'a str,
    ) -> impl Iterator<Item = VmStatus<'a>> {
        let at = self.index.get(hypervisor).map(|at| *at as usize);
        let metric = self.options.metrics.iter().position(|m| m == metric);
        let panels = at.zip(metric).map(|(at, metric)| {
            let panels = self.hypervisors[at].of(metric as u32);
            panels.map(|(_, panel)| panel)
        });
        panels.into_iter().flatten().flat_map(move |panel| {
            let method = panel.method.get();
            let seats = panel.seats.iter().enumerate();
            seats.filter_map(move |(slot, seat)| {
                let shift = method.shift_on(slot, channel);
                Some(VmStatus {
                    vm: seat.name.as_deref()?,
                    shift: (!shift.is_nan()).then_some(shift),
                    baseline: method.baseline(slot),
                })
            })
        })
    }

    /// How many samples a VM's present has on the scale of time of a `channel`, as for [`Detector::vm_statuses`]: a change is at
    /// its plainest so many samples after it began.
    pub fn present_samples(&self, channel: &str) -> usize {
        match self.options.algorithm {
            Algorithm::Rank => rank::present_samples(channel),
            Algorithm::Zscore => self.options.window_short_sz,
            Algorithm::Iad => self.options.window_sz,
        }
    }

    /// What became of the observations, and what there is.
    pub fn counters(&self) -> Counters {
        let vms = self
            .hypervisors
            .iter()
            .flat_map(|h| &h.panels)
            .map(|p| p.vms() as u64)
            .sum();
        let scattered = |h: &Hypervisor| h.metrics().filter(|m| h.is_scattered(*m)).count();
        Counters {
            hypervisors: self.hypervisors.len() as u64,
            vms,
            unjudged: self.hypervisors.iter().map(scattered).sum::<usize>() as u64,
            ..self.counters
        }
    }

    /// The options that shape the state: a snapshot made with others cannot be used.
    fn shape(&self) -> Shape {
        let mut names = vec!["algorithm", "metrics"];
        match self.options.algorithm {
            Algorithm::Rank => {}
            Algorithm::Zscore => {
                names.extend(["window_long_sz", "window_short_sz", "overlap_window_sz"])
            }
            Algorithm::Iad => names.push("window_sz"),
        }
        names
            .into_iter()
            .map(|name| {
                (
                    name.to_owned(),
                    self.options.get(name).expect("an option's name"),
                )
            })
            .collect()
    }

    /// Saves all that was learnt to `path` ([`snapshot::save`]). A detector that loads it goes on as if it had never
    /// stopped.
    ///
    /// # Errors
    /// [`SnapshotError::Io`].
    pub fn save(&self, path: &Path) -> Result<(), SnapshotError> {
        snapshot::write(path, &self.to_snapshot())
    }

    /// All that was learnt, as the bytes of a file that [`Detector::load`] reads ([`snapshot::write`] writes it).
    pub fn to_snapshot(&self) -> Vec<u8> {
        let later: Later = (self.counters.later(), self.presences.collector_since);
        let saved = Saved {
            shape: self.shape(),
            hypervisors: &self.hypervisors,
            counters: self.counters,
            swept: self.swept,
            events: snapshot::events_to_json(&self.events),
        };
        snapshot::to_bytes(TAG, &saved, &later)
    }

    /// Replaces all that was learnt by what was saved to `path`; `false` where there is no such file.
    ///
    /// # Errors
    /// A file that cannot be read, is damaged, of another version, or made with options that shape the state otherwise; the
    /// detector is then as it was.
    pub fn load(&mut self, path: &Path) -> Result<bool, SnapshotError> {
        snapshot::load_state(self, path, TAG, Self::restored)
    }

    /// The detector that a snapshot's payload describes.
    fn restored(&self, payload: &[u8]) -> Result<Self, String> {
        let (saved, (counters, collector_since)): (Saved<Vec<Hypervisor>>, Later) =
            snapshot::state(payload)?;
        snapshot::same_shape(&self.shape(), &saved.shape)?;
        let mut detector = Self {
            options: self.options.clone(),
            hypervisors: saved.hypervisors,
            index: FxHashMap::default(),
            guess: 0,
            events: snapshot::events_from_json(&saved.events)?,
            counters: saved.counters.with_later(counters),
            notices: Notices::default(),
            swept: saved.swept,
            swept_elapsed: 0.0,
            presences: Presences::default(),
            eviction: Eviction::default(),
        };
        let options = &detector.options;
        let whole = detector.hypervisors.len() <= options.max_hypervisors
            && detector
                .hypervisors
                .iter()
                .all(|h| h.metrics().all(|m| h.of(m).count() <= INTERVALS_MAX))
            && detector
                .hypervisors
                .iter_mut()
                .flat_map(|h| &mut h.panels)
                .all(|panel| panel.restore(options));
        if !whole {
            return Err(
                "damaged, or larger than the options max_hypervisors and max_vms allow".into(),
            );
        }
        let presences = detector.hypervisors.iter().map(|hypervisor| {
            let panel = hypervisor.panels.first();
            let established = hypervisor.panels.iter().any(Panel::is_established);
            Presence::restored(
                panel.map_or(f64::NEG_INFINITY, Panel::heard_time),
                panel.map_or(options.interval, |panel| panel.interval),
                if established { ESTABLISHED } else { 1 },
                hypervisor.silent_since.is_some(),
            )
        });
        detector.presences.all = presences.collect();
        let since = collector_since.filter(|since| since.is_finite());
        detector.presences.restore_collector(since);
        detector.reindex();
        Ok(detector)
    }
}

/// Adds events to those that wait.
fn push(
    waiting: &mut VecDeque<Event>,
    counters: &mut Counters,
    told: impl IntoIterator<Item = Event>,
) {
    for event in told {
        if waiting.len() >= EVENTS_MAX {
            waiting.pop_front();
            counters.events_lost += 1;
        }
        waiting.push_back(event);
    }
}
