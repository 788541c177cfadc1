//! HAD: distinguishing a failing hypervisor from a busy guest by the metrics of its guests.
//!
//! A [`Detector`] takes one sample of one VM at a time ([`Detector::observe`]) and gives [`Event`]s
//! ([`Detector::next_event`]). Each metric of each hypervisor is judged by itself, and so are VMs whose samples have different
//! intervals. Samples of one hypervisor that belong to the same interval form a tick; a tick is judged when all VMs of the last
//! one have reported, when most of them have come so far that nothing can be in time for it any more, or when
//! [`Detector::advance`] says that its time is over. What time it is no single VM decides.
//!
//! ```
//! use bellwether_core::event::{EventKind, State};
//! use bellwether_core::had::{Detector, HadOptions, Observation};
//! use bellwether_core::units::{Interval, Time};
//!
//! let mut detector = Detector::new(HadOptions::default())?;
//! for tick in 0..400_u32 {
//!     for vm in 0..5_u32 {
//!         // Five VMs with loads of their own that all fall together at tick 300.
//!         let load = f64::from(10 + 7 * ((tick * (3 + vm)) % 11));
//!         detector.observe(&Observation {
//!             hypervisor: "kvm1",
//!             vm: &format!("vm{vm}"),
//!             metric: "cpu",
//!             time: Time::from_secs(f64::from(tick) * 10.0),
//!             interval: Some(Interval::from_secs(10.0)),
//!             value: if tick < 300 { load } else { 0.2 * load },
//!         });
//!     }
//! }
//! let event = detector.next_event().unwrap();
//! assert_eq!((event.kind(), event.state), (EventKind::HypervisorAnomaly, State::Raised));
//! assert_eq!(event.hypervisor(), "kvm1");
//! # Ok::<(), bellwether_core::options::OptionError>(())
//! ```

mod attribution;
#[doc(hidden)]
pub mod bare;
mod eviction;
mod filter;
mod hypervisor;
mod iad;
mod incident;
mod membership;
mod method;
mod notice;
mod observation;
mod options;
mod overlap;
mod panel;
mod past;
mod presence;
mod quorum;
mod rank;
mod room;
mod snapshot;
mod status;
mod tell;
mod window;
mod zscore;

use rustc_hash::FxHashMap;

use self::eviction::Eviction;
use self::hypervisor::Hypervisor;
use self::method::Alarm;
use self::notice::Notices;
use self::observation::Sample;
use self::panel::{Judged, Panel};
use self::presence::Presences;
use self::tell::{Gone, Others};
use crate::detector::detector;
use crate::event::{Event, Queue};
use crate::memory::grow;
use crate::options::OptionError;
use crate::units::{Interval, Time};

pub use notice::{Notice, NoticeKind};
pub use observation::{Counters, Observation, Outcome};
pub use options::{Algorithm, HadOptions};
pub use status::{Status, VmStatus};

/// Longest name of a hypervisor or a VM, bytes.
pub const NAME_MAX_BYTES: usize = 512;
/// Of so many intervals the VMs of a hypervisor may be; who claims a further one is turned away.
const INTERVALS_MAX: usize = 4;
/// Looking for who is to be forgotten takes a walk over all VMs, which is enough so often in the time that they are given.
const SWEEPS: f64 = 50.0;

/// Judges hypervisors by the metrics of their VMs.
#[derive(Debug)]
pub struct Detector {
    options: HadOptions,
    hypervisors: Vec<Hypervisor>,
    index: FxHashMap<Box<str>, u32>,
    /// Where the hypervisor of the last sample is: many samples of one come in a row.
    guess: usize,
    /// Events that wait to be fetched.
    waiting: Queue,
    counters: Counters,
    notices: Notices,
    /// The newest time that [`Detector::advance`] looked for the silent at.
    swept: f64,
    /// The same for [`Detector::advance_hypervisor`], in seconds that have passed.
    swept_elapsed: f64,
    /// When memory was last looked at by it, in seconds that have passed.
    eased_elapsed: f64,
    /// When each of `hypervisors` was heard.
    presences: Presences,
    eviction: Eviction,
    /// How much memory the hypervisors take outside of themselves, in bytes.
    hypervisor_bytes: usize,
    /// How much memory a new hypervisor takes, in bytes.
    newcomer_bytes: usize,
}

impl Detector {
    /// A detector that knows nothing yet.
    ///
    /// # Errors
    /// Options that contradict each other.
    pub fn new(options: HadOptions) -> Result<Self, OptionError> {
        options.validate()?;
        Ok(Self {
            newcomer_bytes: room::newcomer_bytes(&options),
            waiting: Queue::new(room::events_limit(&options), 0),
            options,
            hypervisors: Vec::new(),
            index: FxHashMap::default(),
            guess: 0,
            counters: Counters::default(),
            notices: Notices::default(),
            swept: f64::NEG_INFINITY,
            swept_elapsed: 0.0,
            eased_elapsed: 0.0,
            presences: Presences::default(),
            eviction: Eviction::default(),
            hypervisor_bytes: 0,
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
            && observation.time.is_plausible()
            && observation.interval.is_none_or(Interval::is_plausible)
            && (observation.value.is_nan() || (0.0..f64::INFINITY).contains(&observation.value));
        if !sound {
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
        let Some(at) = self.hypervisor_or_new(&sample) else {
            return Outcome::Full;
        };
        let metric = metric as u32;
        let panels = &self.hypervisors[at].panels;
        let found = panels
            .iter()
            .position(|p| p.metric == metric && p.takes(sample.interval));
        let known = found.and_then(|i| Some((i, panels[i].slot(sample.vm)?)));
        let (i, slot) = match known {
            Some(place) => place,
            None => match self.seat(at, metric, found, &sample) {
                Ok(place) => place,
                Err(outcome) => return outcome,
            },
        };
        if self.presences.all[at].is_restored() {
            let due = self.hypervisors[at].panels[0].due();
            self.presences.all[at].resume(sample.time, due);
        }
        let outcome = self.with_panel(at, i, |panel, judged| panel.observe(slot, &sample, judged));
        if outcome == Outcome::Taken {
            self.presences.all[at].latest = sample.time;
        } else {
            self.note_clocks(at, i);
        }
        outcome
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

    /// Where the hypervisor of a sample is, made if need be and there is room or room can be made.
    fn hypervisor_or_new(&mut self, sample: &Sample<'_>) -> Option<usize> {
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
                self.hypervisors.push(Hypervisor::new(name));
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

    /// Gives the place of a hypervisor that does not report any more to the one of a sample, if there is such a place.
    #[cold]
    fn replace_silent(&mut self, sample: &Sample<'_>) -> Option<usize> {
        let options = &self.options;
        let presences = &self.presences;
        // Who is silent is known only where time is said to pass.
        let now = presences.elapsed()?;
        let at = self.eviction.place_for(
            sample.hypervisor,
            now,
            options.interval,
            || presences.candidates(options.forget_sec),
            |at| presences.is_silent(at, options.forget_sec),
        )?;
        let time = self.presences.time_or(sample.time);
        let new = Hypervisor::new(sample.hypervisor);
        self.index.insert(new.name.clone(), at as u32);
        let old = std::mem::replace(&mut self.hypervisors[at], new);
        self.hypervisor_bytes -= old.bytes;
        self.measure(at);
        self.index.remove(&old.name);
        let ended = tell::gone(&old.name, &self.options, &old, time, Gone::Evicted);
        self.waiting.push(ended);
        self.presences.replace(at, sample.time, sample.interval);
        self.counters.hypervisors_evicted += 1;
        Some(at)
    }

    /// Says that no sample with a time before `time` (seconds) is going to come any more: judges the ticks that ended by then,
    /// notices silence and forgets who has been silent for too long. A time that is not finite or too far off is ignored.
    pub fn advance(&mut self, time: Time) {
        if !time.is_plausible() {
            return;
        }
        let time = time.secs();
        for at in 0..self.hypervisors.len() {
            self.advance_at(at, time);
        }
        self.sweep(time);
        self.ease_memory(time);
    }

    /// [`Detector::advance`] for one hypervisor, by its own clock. Without effect where that is not known.
    pub fn advance_hypervisor(&mut self, hypervisor: &str, time: Time) {
        if !time.is_plausible() {
            return;
        }
        let time = time.secs();
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
        if elapsed - self.eased_elapsed >= self.options.interval {
            self.eased_elapsed = elapsed;
            self.ease_memory(time);
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
            waiting,
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
                waiting.push(event);
            }
            let silence = (&mut *silent_since, &mut *presences, at);
            let told = tell::tick(name, options, panel, &judged, &others, silence);
            waiting.push(told);
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
        let waiting = &mut self.waiting;
        let mut stay = Vec::with_capacity(self.hypervisors.len());
        for hypervisor in &mut self.hypervisors {
            let left: Vec<usize> = hypervisor
                .panels
                .iter_mut()
                .map(|p| p.forget_silent(options.forget_sec))
                .collect();
            let left_all: usize = left.iter().sum();
            if left_all == 0 {
                waiting.push(tell::gone(
                    &hypervisor.name,
                    options,
                    hypervisor,
                    time,
                    Gone::Forgotten,
                ));
            }
            // The last panel of a metric stays, with what was learned of the hypervisor.
            for i in (0..left.len()).rev() {
                let metric = hypervisor.panels[i].metric;
                if left[i] == 0 && left_all > 0 && hypervisor.of(metric).count() > 1 {
                    waiting.push(tell::vms_gone(hypervisor, i, options, time));
                    hypervisor.panels.remove(i);
                }
            }
            stay.push(left_all > 0);
        }
        self.keep(&stay, time);
        self.measure_all();
    }

    fn reindex(&mut self) {
        let names = self.hypervisors.iter().enumerate();
        self.index = names.map(|(i, h)| (h.name.clone(), i as u32)).collect();
    }

    /// What an operator should know and that is no event: at most one of each kind waits, the first one.
    pub fn next_notice(&mut self) -> Option<Notice> {
        self.notices.next()
    }

    /// The oldest event not yet fetched. At most 4096 wait; beyond that the oldest are lost and counted.
    pub fn next_event(&mut self) -> Option<Event> {
        self.waiting.pop()
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
            events_lost: self.waiting.lost(),
            bytes: self.bytes() as u64,
            ..self.counters
        }
    }
}

detector!(Detector, "had", HadOptions, Observation, Outcome);
