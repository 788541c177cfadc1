//! The detector: one engine per host, and the anomalies that they find.

use rustc_hash::FxHashMap;

use super::channel::Channel;
use super::engine::Engine;
use super::host::{Fit, Host};
use super::model::SharedModel;
use super::observation::{Counters, Observation, Observed, Outcome};
use super::options::ResourceOptions;
use super::report::{self, End};
use super::signal::Signal;
use crate::detector::detector;
use crate::event::{Event, Queue};
use crate::eviction::{Candidate, ESTABLISHED, Eviction, patience};
use crate::memory::{grow, table, vec};
use crate::options::OptionError;
use crate::units::{Interval, Time};

/// Maximum length of a host's name in bytes.
pub const NAME_MAX_BYTES: usize = crate::maintenance::NAME_MAX_BYTES;

/// Of the option `max_memory_mib`, the hosts may take this share; the rest is for pending events and for a snapshot while it is
/// taken, which is never larger than the state.
const STATE_SHARE: f64 = 15.0 / 32.0;
/// The share of the memory for pending events.
const EVENTS_SHARE: f64 = 1.0 / 16.0;
/// Silent hosts are searched for this many times within `forget_sec`.
const SWEEPS: f64 = 50.0;

/// Evaluates the resources of hosts, each against its own past.
#[derive(Debug)]
pub struct Detector {
    pub(super) options: ResourceOptions,
    pub(super) channels: Vec<Channel>,
    /// What returns rows as it has learned them from other hosts, if the option `resource_model` names it.
    pub(super) model: Option<SharedModel>,
    pub(super) hosts: Vec<Host>,
    pub(super) index: FxHashMap<Box<str>, u32>,
    pub(super) pending: Queue,
    pub(super) counters: Counters,
    pub(super) eviction: Eviction,
    /// The time of the last [`Detector::advance`], in seconds.
    pub(super) clock: Option<f64>,
    /// When it last forgot silent hosts, by that clock.
    pub(super) swept: f64,
    /// Memory of the hosts outside of themselves in bytes.
    pub(super) host_bytes: usize,
}

impl Detector {
    /// A detector that has learned nothing. A file named by the option `resource_model` is read now.
    ///
    /// # Errors
    /// Options that contradict each other, or a model that cannot be used.
    pub fn new(options: ResourceOptions) -> Result<Self, OptionError> {
        options.validate()?;
        let model = SharedModel::of(&options)?;
        Ok(Self::with_model(options, model))
    }

    /// The same with a model that was read already.
    pub(super) fn with_model(options: ResourceOptions, model: Option<SharedModel>) -> Self {
        Self {
            model,
            pending: Queue::new(share_of(&options, EVENTS_SHARE), 0),
            options,
            channels: Signal::channels(),
            hosts: Vec::new(),
            index: FxHashMap::default(),
            counters: Counters::default(),
            eviction: Eviction::default(),
            clock: None,
            swept: f64::NEG_INFINITY,
            host_bytes: 0,
        }
    }

    /// The options of this detector.
    pub fn options(&self) -> &ResourceOptions {
        &self.options
    }

    /// Takes one row. Resulting events wait for [`Detector::next_event`].
    pub fn observe(&mut self, observation: &Observation<'_>) -> Observed {
        let observed = self.dispatch(observation);
        let counter = match observed.outcome {
            Outcome::Taken => &mut self.counters.taken,
            Outcome::Duplicate => &mut self.counters.duplicate,
            Outcome::Late => &mut self.counters.late,
            Outcome::SetAside => &mut self.counters.set_aside,
            Outcome::Refused => &mut self.counters.refused,
            Outcome::Full => &mut self.counters.full,
        };
        *counter += 1;
        observed
    }

    fn dispatch(&mut self, observation: &Observation<'_>) -> Observed {
        let is_valid = (1..=NAME_MAX_BYTES).contains(&observation.hypervisor.len())
            && observation.time.is_plausible()
            && observation.interval.is_none_or(Interval::is_plausible)
            && observation.values.len() <= self.channels.len();
        if !is_valid {
            return Observed::not_taken(Outcome::Refused);
        }
        let time = observation.time.secs();
        let interval = observation
            .interval
            .map_or(self.options.interval, Interval::secs);
        let Some(at) = self.find_or_add(observation.hypervisor, time, interval) else {
            return Observed::not_taken(Outcome::Full);
        };
        let host = &mut self.hosts[at];
        host.heard = self.clock;
        match host.fit(time, interval) {
            Fit::Duplicate => return host.observed(Outcome::Duplicate),
            Fit::Late => return host.observed(Outcome::Late),
            Fit::SetAside => return host.observed(Outcome::SetAside),
            Fit::Next(0) => {}
            Fit::Next(missing) => {
                host.engine.skip(missing);
                host.history.clear();
            }
            // How long the past is ago is not known any more.
            Fit::ClockStep => {
                host.first -= host.time - time;
                host.engine.skip(1);
                host.history.clear();
            }
            Fit::NewInterval => {
                let ended = report::cleared(host, time, End::NewInterval);
                self.pending.push(ended);
                host.interval = interval;
                host.first = time;
                host.engine = Engine::new(&self.channels, Interval::from_secs(interval));
                host.history.clear();
            }
        }
        let host = &mut self.hosts[at];
        host.time = time;
        if let Some(model) = &mut self.model {
            let found = model.observe(&mut host.history, observation.values);
            host.last.reconstructed = found;
            self.counters.unreconstructed += u64::from(found.is_some_and(|found| found.anomalous));
        }
        let verdict = host.engine.push(&self.channels, observation.values);
        let event = report::follow(host, &self.options, &self.channels, verdict);
        self.pending.push(event);
        host.observed(Outcome::Taken)
    }

    /// The index of a host. A new one is added if the limits allow, or replaces a silent one.
    fn find_or_add(&mut self, name: &str, time: f64, interval: f64) -> Option<usize> {
        if let Some(at) = self.index.get(name) {
            return Some(*at as usize);
        }
        let engine = Engine::new(&self.channels, Interval::from_secs(interval));
        let new = Host::new(name, time, interval, engine);
        let is_full = self.hosts.len() >= self.options.max_hypervisors
            || self.state_bytes() + size_of::<Host>() + self.bytes_of(&new) > self.state_limit();
        let at = if is_full {
            let at = self.victim(name)?;
            self.host_bytes += self.bytes_of(&new);
            let mut old = std::mem::replace(&mut self.hosts[at], new);
            self.host_bytes -= self.bytes_of(&old);
            self.index.remove(&old.name);
            let ended = report::cleared(&mut old, time, End::Evicted);
            self.pending.push(ended);
            self.counters.hypervisors_evicted += 1;
            at
        } else {
            self.host_bytes += self.bytes_of(&new);
            grow(&mut self.hosts, 1);
            self.hosts.push(new);
            self.hosts.len() - 1
        };
        self.index.insert(name.into(), at as u32);
        Some(at)
    }

    /// The host that the newcomer `name` replaces: one that no longer reports. Silence is known only if time is reported to pass.
    #[cold]
    fn victim(&mut self, name: &str) -> Option<usize> {
        let now = self.clock?;
        let (hosts, forget) = (&self.hosts, self.options.forget_sec);
        let candidate = |at: usize| {
            let host: &Host = hosts.get(at)?;
            let silent = now - host.heard?;
            let intervals = u32::try_from(host.engine.rows()).unwrap_or(ESTABLISHED);
            let is_silent = silent > patience(intervals, host.interval, forget);
            is_silent.then_some(Candidate {
                at,
                intervals,
                silent,
            })
        };
        self.eviction.slot_for(
            name,
            now,
            self.options.interval,
            || (0..hosts.len()).filter_map(candidate),
            |at| candidate(at).is_some(),
        )
    }

    /// Declares that time has passed until `time`: hosts that have been silent for `forget_sec` are forgotten. A time that is not
    /// plausible is ignored.
    pub fn advance(&mut self, time: Time) {
        if !time.is_plausible() {
            return;
        }
        let now = time.secs();
        // After the clock was set back, nothing is silent yet.
        let is_set_back = self.clock.is_some_and(|clock| now < clock);
        self.clock = Some(now);
        for host in &mut self.hosts {
            if is_set_back || host.heard.is_none() {
                host.heard = Some(now);
            }
        }
        if is_set_back || now - self.swept >= self.options.forget_sec / SWEEPS {
            self.swept = now;
            self.forget_silent(now);
        }
    }

    fn forget_silent(&mut self, now: f64) {
        let forget = self.options.forget_sec;
        let pending = &mut self.pending;
        let before = self.hosts.len();
        self.hosts.retain_mut(|host| {
            let is_kept = host.heard.is_none_or(|heard| now - heard < forget);
            if !is_kept {
                pending.push(report::cleared(host, now, End::Forgotten));
            }
            is_kept
        });
        if self.hosts.len() < before {
            self.eviction.reset();
            self.reindex();
            self.measure();
        }
    }

    /// Rebuilds the index of the hosts.
    pub(super) fn reindex(&mut self) {
        let names = self.hosts.iter().zip(0..);
        self.index = names.map(|(host, at)| (host.name.clone(), at)).collect();
    }

    /// Measures the hosts after they have changed.
    pub(super) fn measure(&mut self) {
        self.host_bytes = self.hosts.iter().map(|host| self.bytes_of(host)).sum();
    }

    /// The most memory of a host outside of itself in bytes.
    fn bytes_of(&self, host: &Host) -> usize {
        let history = self.model.as_ref().map_or(0, SharedModel::history_bytes);
        host.bytes() + history
    }

    /// Memory of what was loaded in bytes.
    fn loaded_bytes(&self) -> usize {
        self.model.as_ref().map_or(0, SharedModel::bytes)
    }

    /// Maximum memory of the hosts in bytes.
    pub(super) fn state_limit(&self) -> usize {
        // What was loaded is no part of the state: it takes its memory from the whole, of which it has a quarter at most.
        let whole = (self.options.max_memory_mib << 20) - self.loaded_bytes();
        (whole as f64 * STATE_SHARE) as usize
    }

    /// Memory of the hosts in bytes.
    pub(super) fn state_bytes(&self) -> usize {
        self.host_bytes
            + vec(&self.hosts)
            + table(self.index.capacity(), size_of::<(Box<str>, u32)>())
    }

    /// Memory of the state in bytes.
    pub fn bytes(&self) -> usize {
        self.state_bytes() + self.loaded_bytes() + self.pending.bytes()
    }

    /// The oldest event that was not fetched yet. At most 4096 wait; beyond that, the oldest are lost and counted.
    pub fn next_event(&mut self) -> Option<Event> {
        self.pending.pop()
    }

    /// The counters.
    pub fn counters(&self) -> Counters {
        let raised = self.hosts.iter().filter(|host| host.incident.is_some());
        Counters {
            hypervisors: self.hosts.len() as u64,
            anomalies: raised.count() as u64,
            events_lost: self.pending.lost(),
            bytes: self.bytes() as u64,
            ..self.counters
        }
    }
}

fn share_of(options: &ResourceOptions, share: f64) -> usize {
    ((options.max_memory_mib << 20) as f64 * share) as usize
}

detector!(Detector, "resource", ResourceOptions, Observation, Observed);
