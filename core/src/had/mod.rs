//! HAD: telling a failing hypervisor from a busy guest by the metrics of its guests.
//!
//! A [`Detector`] takes one sample of one VM at a time ([`Detector::observe`]) and gives [`Event`]s
//! ([`Detector::next_event`]). Each metric of each hypervisor is judged by itself. Samples of one hypervisor that belong to
//! the same interval form a tick; a tick is judged when all VMs of the last one have reported, when a sample so new arrives
//! that nothing can be in time for it any more, or when [`Detector::advance`] says that its time is over.

mod attribution;
#[doc(hidden)]
pub mod bare;
mod eviction;
mod filter;
mod iad;
mod incident;
mod method;
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
use self::panel::Panel;
use self::presence::{Presence, Presences};
use crate::event::Event;
use crate::options::OptionError;
use crate::snapshot::{self, Shape, SnapshotError, Tag};

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
    /// One of the options `max_hypervisors` and `max_vms` leaves no room for it: all that there is state of still reports.
    Full,
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
    /// Events that nobody fetched in time, lost.
    pub events_lost: u64,
    /// Hypervisors that there is state of.
    pub hypervisors: u64,
    /// VMs that there is state of, over all hypervisors and metrics.
    pub vms: u64,
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
    /// VMs that are known.
    pub vms: u32,
    /// Whether an incident is open.
    pub raised: bool,
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
/// Marks the snapshots of HAD.
const TAG: Tag = *b"had ";

/// One hypervisor.
#[derive(Debug, Serialize, Deserialize)]
struct Hypervisor {
    name: Box<str>,
    /// One a metric that has been seen.
    panels: Vec<Panel>,
    /// All VMs have been silent since this time, and that was told; seconds.
    silent_since: Option<f64>,
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
    /// The newest time that [`Detector::advance`] looked for the silent at.
    swept: f64,
    /// When each of `hypervisors` was heard.
    presences: Presences,
    eviction: Eviction,
    /// It was restored, and no time has passed since.
    is_restored: bool,
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
            swept: f64::NEG_INFINITY,
            presences: Presences::default(),
            eviction: Eviction::default(),
            is_restored: false,
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
        let options = &self.options;
        let Hypervisor {
            name,
            panels,
            silent_since,
        } = &mut self.hypervisors[at];
        let found = panels.iter().position(|p| p.metric as usize == metric);
        let i = match found {
            // Another interval makes another past: what was learnt at the old one says nothing of the new.
            Some(i) if panels[i].interval == interval => i,
            Some(i) => {
                let ended = tell::interval_changed(name, options, &panels[i], observation.time);
                push(&mut self.events, &mut self.counters, ended);
                panels[i] = Panel::new(options, metric as u32, observation, interval);
                i
            }
            None => {
                panels.push(Panel::new(options, metric as u32, observation, interval));
                panels.len() - 1
            }
        };
        if self.presences.all[at].is_restored() {
            self.presences.all[at].resume(observation.time, panels[0].due());
        }
        let (events, counters) = (&mut self.events, &mut self.counters);
        let presences = &mut self.presences;
        let outcome = panels[i].observe(observation, options, |panel, judged| {
            let silence = (i == 0).then_some((&mut *silent_since, &mut *presences, at));
            let told = tell::tick(name, options, panel, &judged, silence);
            push(events, counters, told);
        });
        if outcome == Outcome::Taken {
            self.presences.all[at].latest = observation.time;
        }
        self.counters.vms_evicted += std::mem::take(&mut panels[i].evicted);
        outcome
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
                self.hypervisors.push(Hypervisor {
                    name: name.into(),
                    panels: Vec::new(),
                    silent_since: None,
                });
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
        let new = Hypervisor {
            name: observation.hypervisor.into(),
            panels: Vec::new(),
            silent_since: None,
        };
        self.index.insert(new.name.clone(), at as u32);
        let old = std::mem::replace(&mut self.hypervisors[at], new);
        self.index.remove(&old.name);
        let ended = tell::gone(&old.name, options, &old, time, tell::Gone::Evicted);
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
        if self.is_restored {
            self.resume(time);
        }
        self.presences.advance(time);
        let options = &self.options;
        let (events, counters) = (&mut self.events, &mut self.counters);
        let presences = &mut self.presences;
        for (at, hypervisor) in self.hypervisors.iter_mut().enumerate() {
            let Hypervisor {
                name,
                panels,
                silent_since,
            } = hypervisor;
            for (i, panel) in panels.iter_mut().enumerate() {
                panel.advance(time, |panel, judged| {
                    let silence = (i == 0).then_some((&mut *silent_since, &mut *presences, at));
                    let told = tell::tick(name, options, panel, &judged, silence);
                    push(events, counters, told);
                });
            }
        }
        // Looking for the silent takes a walk over all VMs, which once in a fiftieth of the time they are given is enough.
        if time - self.swept >= self.options.forget_sec / 50.0 {
            self.swept = time;
            self.forget_silent(time);
        }
    }

    /// The first time that passes after a restart: the time that the detector did not run is nobody's silence.
    #[cold]
    fn resume(&mut self, time: f64) {
        self.is_restored = false;
        let mut stopped = false;
        for (hypervisor, presence) in self.hypervisors.iter().zip(&mut self.presences.all) {
            if let Some(panel) = hypervisor.panels.first()
                && presence.is_restored()
            {
                stopped |= presence.resume(time, panel.due());
            }
        }
        if stopped {
            // Who was to be forgotten gets the time to speak first.
            self.swept = self.swept.max(time);
        }
    }

    /// Forgets VMs that have been silent for `forget_sec` seconds, and hypervisors that have no VM left.
    fn forget_silent(&mut self, time: f64) {
        let options = &self.options;
        let (events, counters) = (&mut self.events, &mut self.counters);
        let mut stay = Vec::with_capacity(self.hypervisors.len());
        self.hypervisors.retain_mut(|hypervisor| {
            let left: usize = hypervisor
                .panels
                .iter_mut()
                .map(|p| p.forget_silent(options.forget_sec))
                .sum();
            if left == 0 {
                push(
                    events,
                    counters,
                    tell::gone(
                        &hypervisor.name,
                        options,
                        hypervisor,
                        time,
                        tell::Gone::Forgotten,
                    ),
                );
            }
            stay.push(left > 0);
            left > 0
        });
        if self.hypervisors.len() != self.index.len() {
            self.reindex();
            self.eviction.restart();
            let over = self.presences.retain(&stay, time);
            push(
                &mut self.events,
                &mut self.counters,
                over.into_iter().collect(),
            );
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
        if (1..=NAME_MAX_BYTES).contains(&vm.len()) {
            for panel in &mut self.hypervisors[at as usize].panels {
                panel.mask(vm, masked, &self.options);
            }
        }
    }

    /// The oldest event not yet fetched. At most 4096 wait; beyond that the oldest are lost and counted.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Where every metric of every hypervisor stands, in the order of their first sight; one that made an evicted one's place
    /// its own stands there.
    pub fn statuses(&self) -> impl Iterator<Item = Status<'_>> {
        self.hypervisors.iter().flat_map(|hypervisor| {
            hypervisor.panels.iter().map(|panel| Status {
                hypervisor: &hypervisor.name,
                metric: &self.options.metrics[panel.metric as usize],
                time: panel.judged_time(),
                score: crate::event::share(panel.last.score),
                consensus: crate::event::share(panel.last.consensus),
                voters: panel.last.voters,
                vms: panel.vms() as u32,
                raised: panel.incidents.is_raised(),
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
        let panel = at.zip(metric).and_then(|(at, metric)| {
            let panels = &self.hypervisors[at].panels;
            panels.iter().find(|p| p.metric as usize == metric)
        });
        panel.into_iter().flat_map(move |panel| {
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
        Counters {
            hypervisors: self.hypervisors.len() as u64,
            vms,
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

    /// Saves all that was learnt to `path` ([`snapshot::write`]). A detector that loads it goes on as if it had never
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
            swept: saved.swept,
            presences: Presences::default(),
            eviction: Eviction::default(),
            is_restored: true,
        };
        let options = &detector.options;
        let whole = detector.hypervisors.len() <= options.max_hypervisors
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
fn push(waiting: &mut VecDeque<Event>, counters: &mut Counters, told: Vec<Event>) {
    for event in told {
        if waiting.len() >= EVENTS_MAX {
            waiting.pop_front();
            counters.events_lost += 1;
        }
        waiting.push_back(event);
    }
}
