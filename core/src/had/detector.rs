//! The detector: routes each sample to its series.

use rustc_hash::FxHashMap;

use super::fleet::Fleet;
use super::hypervisor::{Hypervisor, Others};
use super::masks::Masks;
use super::notice::{self, Notice, NoticeKind, Notices};
use super::observation::{Counters, Observation, Outcome, Sample};
use super::options::HadOptions;
use super::presence::Presences;
use super::report::Removal;
use super::series::{Series, Tick};
use super::{budget, report};
use crate::detector::detector;
use crate::event::{Event, Queue};
use crate::eviction::Eviction;
use crate::memory::grow;
use crate::options::OptionError;
use crate::units::{Interval, Time};

/// Maximum length of the name of a hypervisor or VM in bytes.
pub const NAME_MAX_BYTES: usize = crate::maintenance::NAME_MAX_BYTES;
/// Maximum number of different intervals of the VMs of a hypervisor; samples of further intervals are refused.
pub(super) const INTERVALS_MAX: usize = 4;
/// A search for silent VMs and hypervisors iterates over all of them; this many searches within `forget_sec` are enough.
const SWEEPS: f64 = 50.0;

/// Detects failing hypervisors by the metrics of their VMs.
#[derive(Debug)]
pub struct Detector {
    pub(super) options: HadOptions,
    pub(super) hypervisors: Vec<Hypervisor>,
    pub(super) index: FxHashMap<Box<str>, u32>,
    /// The hypervisor of the last sample: consecutive samples often belong to one hypervisor.
    pub(super) guess: usize,
    /// Events that wait to be fetched.
    pub(super) pending: Queue,
    pub(super) counters: Counters,
    pub(super) notices: Notices,
    /// The maintenance windows.
    pub(super) masks: Masks,
    /// The time of the last sweep by [`Detector::advance`].
    pub(super) swept: f64,
    /// The same for [`Detector::advance_hypervisor`], in elapsed seconds.
    pub(super) swept_elapsed: f64,
    /// When it last checked the memory, in elapsed seconds.
    pub(super) memory_checked_elapsed: f64,
    /// When each of `hypervisors` last reported.
    pub(super) presences: Presences,
    pub(super) eviction: Eviction,
    /// What happens to many of them at once.
    pub(super) fleet: Fleet,
    /// Memory of the hypervisors outside of themselves in bytes.
    pub(super) hypervisor_bytes: usize,
    /// Memory of a new hypervisor in bytes.
    pub(super) new_hypervisor_bytes: usize,
}

impl Detector {
    /// A detector that has learned nothing.
    ///
    /// # Errors
    /// Options that contradict each other.
    pub fn new(options: HadOptions) -> Result<Self, OptionError> {
        options.validate()?;
        Ok(Self {
            new_hypervisor_bytes: budget::new_hypervisor_bytes(&options),
            pending: Queue::new(budget::events_limit(&options), 0),
            fleet: Fleet::new(&options, budget::fleet_limit(&options)),
            options,
            hypervisors: Vec::new(),
            index: FxHashMap::default(),
            guess: 0,
            counters: Counters::default(),
            notices: Notices::default(),
            masks: Masks::default(),
            swept: f64::NEG_INFINITY,
            swept_elapsed: 0.0,
            memory_checked_elapsed: 0.0,
            presences: Presences::default(),
            eviction: Eviction::default(),
            hypervisor_bytes: 0,
        })
    }

    /// The options of this detector.
    pub fn options(&self) -> &HadOptions {
        &self.options
    }

    /// Takes one sample. Resulting events wait for [`Detector::next_event`].
    pub fn observe(&mut self, observation: &Observation<'_>) -> Outcome {
        let outcome = self.dispatch(observation);
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

    /// Routes an observation to its series.
    fn dispatch(&mut self, observation: &Observation<'_>) -> Outcome {
        let Some(metric) = self
            .options
            .metrics
            .iter()
            .position(|m| m == observation.metric)
        else {
            return Outcome::Ignored;
        };
        let is_name = |name: &str| (1..=NAME_MAX_BYTES).contains(&name.len());
        let valid = is_name(observation.hypervisor)
            && is_name(observation.vm)
            && observation.time.is_plausible()
            && observation.interval.is_none_or(Interval::is_plausible)
            && (observation.value.is_nan() || (0.0..f64::INFINITY).contains(&observation.value));
        if !valid {
            return Outcome::Refused;
        }
        let sample = Sample {
            hypervisor: observation.hypervisor,
            vm: observation.vm,
            time: observation.time.secs(),
            interval: observation
                .interval
                .map_or(self.options.interval, Interval::secs),
            value: observation.value,
        };
        let Some(at) = self.find_or_add(&sample) else {
            return Outcome::Full;
        };
        let metric = metric as u32;
        let all = &self.hypervisors[at].series;
        let found = all
            .iter()
            .position(|s| s.metric == metric && s.takes(sample.interval));
        let known = found.and_then(|i| Some((i, all[i].slot(sample.vm)?)));
        let (i, slot) = match known {
            Some(place) => place,
            None => match self.admit(at, metric, found, &sample) {
                Ok(place) => place,
                Err(outcome) => return outcome,
            },
        };
        if self.presences.all[at].is_restored() {
            let due = self.hypervisors[at].series[0].due();
            self.presences.all[at].resume(sample.time, due);
        }
        let outcome = self.with_series(at, i, |series, on_tick| {
            series.observe(slot, &sample, on_tick)
        });
        if outcome == Outcome::Taken {
            self.presences.all[at].latest = sample.time;
        } else {
            self.report_clocks(at, i);
        }
        outcome
    }

    /// Reports what a series found out about clocks.
    fn report_clocks(&mut self, at: usize, i: usize) {
        let hypervisor = &mut self.hypervisors[at];
        let (name, series) = (&hypervisor.name, &mut hypervisor.series[i]);
        let (stepped, wrong) = (series.stepped.take(), series.wrong_clock.take());
        if series.vms() < 2 {
            // It is not evaluated anyway.
            return;
        }
        if let Some(seconds) = stepped {
            self.counters.clock_steps += 1;
            self.notices
                .add(NoticeKind::ClockStep, || notice::clock_step(name, seconds));
        }
        if let Some(wrong) = wrong
            && let Some(vm) = &series.members[wrong.slot].name
        {
            self.notices.add(NoticeKind::VmClock, || {
                notice::vm_clock(name, vm, wrong.ahead_sec)
            });
        }
    }

    /// The index of the hypervisor of a sample. A new one is added if the limits allow, or replaces a silent one.
    fn find_or_add(&mut self, sample: &Sample<'_>) -> Option<usize> {
        let name = sample.hypervisor;
        if self
            .hypervisors
            .get(self.guess)
            .is_some_and(|h| &*h.name == name)
        {
            return Some(self.guess);
        }
        let at = match self.index.get(name) {
            Some(at) => *at as usize,
            None if self.hypervisors.len() >= self.options.max_hypervisors || self.is_full() => {
                self.replace_silent(sample)?
            }
            None => {
                self.presences.add(sample.time, sample.interval);
                grow(&mut self.hypervisors, 1);
                let mut new = Hypervisor::new(name);
                new.maintenance = self.masks.of(name);
                self.hypervisors.push(new);
                self.index
                    .insert(name.into(), self.hypervisors.len() as u32 - 1);
                let at = self.hypervisors.len() - 1;
                self.measure(at);
                at
            }
        };
        self.guess = at;
        Some(at)
    }

    /// Replaces a hypervisor that no longer reports by that of a sample, if there is one.
    #[cold]
    fn replace_silent(&mut self, sample: &Sample<'_>) -> Option<usize> {
        let options = &self.options;
        let presences = &self.presences;
        // Silence is known only if time is reported to pass.
        let now = presences.elapsed()?;
        let at = self.eviction.slot_for(
            sample.hypervisor,
            now,
            options.interval,
            || presences.candidates(options.forget_sec),
            |at| presences.is_silent(at, options.forget_sec),
        )?;
        let time = self.presences.time_or(sample.time);
        let mut new = Hypervisor::new(sample.hypervisor);
        new.maintenance = self.masks.of(sample.hypervisor);
        self.index.insert(new.name.clone(), at as u32);
        let old = std::mem::replace(&mut self.hypervisors[at], new);
        self.hypervisor_bytes -= old.bytes;
        self.measure(at);
        self.index.remove(&old.name);
        let ended = report::removed(&old.name, &self.options, &old, time, Removal::Evicted);
        let ended = self.fleet.pass(ended, self.options.interval);
        self.pending.push(ended);
        self.presences.replace(at, sample.time, sample.interval);
        self.fleet.forget(&old.name);
        self.fleet.hosts.replace(at);
        self.counters.hypervisors_evicted += 1;
        Some(at)
    }

    /// Declares that no sample before `time` is going to come: evaluates the ticks that ended by then, detects silence, and
    /// forgets what has been silent for too long. A time that is not plausible is ignored.
    pub fn advance(&mut self, time: Time) {
        if !time.is_plausible() {
            return;
        }
        let time = time.secs();
        for at in 0..self.hypervisors.len() {
            self.advance_at(at, time);
        }
        self.sweep(time);
        self.evict_for_memory(time);
    }

    /// [`Detector::advance`] for one hypervisor, by its own clock. Has no effect for an unknown hypervisor.
    pub fn advance_hypervisor(&mut self, hypervisor: &str, time: Time) {
        if !time.is_plausible() {
            return;
        }
        let time = time.secs();
        let Some(&at) = self.index.get(hypervisor) else {
            return;
        };
        self.advance_at(at as usize, time);
        // Clocks of hypervisors differ, so elapsed time counts and not the time of day.
        let elapsed = self.presences.elapsed().unwrap_or_default();
        if elapsed - self.swept_elapsed >= self.options.forget_sec / SWEEPS {
            self.swept_elapsed = elapsed;
            self.forget_silent(time);
        }
        if elapsed - self.memory_checked_elapsed >= self.options.interval {
            self.memory_checked_elapsed = elapsed;
            self.evict_for_memory(time);
        }
    }

    fn advance_at(&mut self, at: usize, time: f64) {
        let hypervisor = &mut self.hypervisors[at];
        if self.presences.all[at].is_restored()
            && let Some(series) = hypervisor.series.first()
            && self.presences.all[at].resume(time, series.due())
        {
            // The downtime of the detector is no silence, and what was about to be forgotten gets the time to report again.
            self.swept = self.swept.max(time);
        }
        self.presences.advance(at, time);
        for i in 0..self.hypervisors[at].series.len() {
            self.with_series(at, i, |series, on_tick| series.advance(time, on_tick));
        }
    }

    /// Lets `work` use the series `i` of the hypervisor at `at`, and reports the events of the evaluated ticks.
    #[inline]
    pub(super) fn with_series<T>(
        &mut self,
        at: usize,
        i: usize,
        work: impl FnOnce(&mut Series, &mut dyn FnMut(&mut Series, Tick)) -> T,
    ) -> T {
        let Self {
            options,
            hypervisors,
            pending,
            presences,
            fleet,
            ..
        } = self;
        let Hypervisor {
            name,
            series,
            silent_since,
            reported,
            ..
        } = &mut hypervisors[at];
        let (before, rest) = series.split_at_mut(i);
        let (series, after) = rest.split_first_mut().expect("the series is there");
        let others = Others([before, after]);
        work(series, &mut |series, tick| {
            if tick.masked {
                presences.excuse(at, tick.time);
            }
            if tick.has_sample || tick.heard {
                // Any series shows that the hypervisor reports; only the first one counts its intervals.
                let event = presences.reported(at, tick.time, i == 0);
                pending.push(event);
            }
            let events = if tick.masked {
                report::masked(name, options, series, &tick, reported, silent_since)
            } else {
                let silence = (&mut *silent_since, &mut *presences, at);
                let known = (&mut *reported, &others);
                report::events_of_tick(name, options, series, &tick, known, silence)
            };
            fleet.tick(at, &tick, series.interval, i == 0);
            if !events.is_empty() || fleet.is_due() {
                pending.push(fleet.pass(events, series.interval));
            }
        })
    }

    /// Declares that no more samples are going to come. What waits for other hypervisors of a fleet is decided now; a caller that
    /// saves the state instead leaves it to the next one.
    pub fn finish(&mut self) {
        let events = self.fleet.finish();
        self.pending.push(events);
    }

    /// Forgets what has been silent for too long, unless that was done recently.
    fn sweep(&mut self, time: f64) {
        if time - self.swept >= self.options.forget_sec / SWEEPS {
            self.swept = time;
            self.forget_silent(time);
        }
    }

    /// Forgets VMs that have been silent for `forget_sec` seconds, and hypervisors without VMs.
    fn forget_silent(&mut self, time: f64) {
        let options = &self.options;
        let (pending, fleet) = (&mut self.pending, &mut self.fleet);
        let mut is_kept = Vec::with_capacity(self.hypervisors.len());
        for hypervisor in &mut self.hypervisors {
            let left: Vec<usize> = hypervisor
                .series
                .iter_mut()
                .map(|s| s.forget_silent(options.forget_sec))
                .collect();
            let left_all: usize = left.iter().sum();
            if left_all == 0 {
                let ended = report::removed(
                    &hypervisor.name,
                    options,
                    hypervisor,
                    time,
                    Removal::Forgotten,
                );
                pending.push(fleet.pass(ended, options.interval));
            }
            // The last series of a metric stays, with what was learned about the hypervisor.
            for i in (0..left.len()).rev() {
                let metric = hypervisor.series[i].metric;
                if left[i] == 0 && left_all > 0 && hypervisor.of(metric).count() > 1 {
                    let ended = report::vms_removed(hypervisor, i, options, time);
                    pending.push(fleet.pass(ended, options.interval));
                    hypervisor.series.remove(i);
                }
            }
            is_kept.push(left_all > 0);
        }
        self.retain(&is_kept, time);
        self.measure_all();
    }

    pub(super) fn reindex(&mut self) {
        let names = self.hypervisors.iter().enumerate();
        self.index = names.map(|(i, h)| (h.name.clone(), i as u32)).collect();
    }

    /// The next notice for an operator. At most one of each kind waits, the first one.
    pub fn next_notice(&mut self) -> Option<Notice> {
        self.notices.next()
    }

    /// The oldest event that was not fetched yet. At most 4096 wait; beyond that, the oldest are lost and counted.
    pub fn next_event(&mut self) -> Option<Event> {
        self.pending.pop()
    }

    /// The counters.
    pub fn counters(&self) -> Counters {
        let vms = self
            .hypervisors
            .iter()
            .flat_map(|h| &h.series)
            .map(|s| s.vms() as u64)
            .sum();
        let scattered = |h: &Hypervisor| h.metrics().filter(|m| h.is_scattered(*m)).count();
        Counters {
            hypervisors: self.hypervisors.len() as u64,
            vms,
            unjudged: self.hypervisors.iter().map(scattered).sum::<usize>() as u64,
            events_lost: self.pending.lost(),
            fleet_changes: u64::from(self.fleet.is_changed()),
            bytes: self.bytes() as u64,
            ..self.counters
        }
    }
}

detector!(Detector, "had", HadOptions, Observation, Outcome);
