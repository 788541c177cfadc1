//! The detector: routes the state of each source to its host.

use std::path::Path;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::host::{Host, Open, Update};
use super::model::{Assessed, Model};
use super::observation::{Counters, Fate, NAME_MAX_BYTES, Observation, Observed, Outcome};
use super::options::RiskOptions;
use super::recent::{Recent, minute};
use super::report::{End, View};
use super::tables::{SharedTables, Tables};
use crate::detector::detector;
use crate::event::{Event, Queue};
use crate::memory::{allocation, grow, table, vec};
use crate::options::OptionError;
use crate::units::{Share, Time};

/// The share of the memory for the hosts; a snapshot takes as much again.
const STATE_SHARE: f64 = 7.0 / 16.0;
/// The share of the memory for pending events.
const EVENTS_SHARE: f64 = 1.0 / 16.0;
/// A search for silent hosts iterates over all of them; this many searches within `forget_sec` are enough.
const SWEEPS: f64 = 50.0;
/// At a limit, silent hosts are searched for at most once in this time, in seconds.
const SEARCH_SEC: f64 = 1.0;
/// An update reports a risk that has risen by this much since the last event...
const WORSE: f64 = 0.1;
/// ...at most once in this time, in seconds.
const WORSE_SEC: f64 = 60.0;

/// Estimates for each host how likely its guests fail soon.
#[derive(Debug)]
pub struct Detector {
    pub(super) options: RiskOptions,
    pub(super) model: Model,
    pub(super) hosts: Vec<Host>,
    pub(super) index: FxHashMap<Box<str>, u32>,
    /// The host of the last observation: consecutive ones often belong to one host.
    guess: usize,
    pub(super) pending: Queue,
    pub(super) counters: Counters,
    /// The time of the last sweep.
    pub(super) swept: f64,
    /// When silent hosts were last searched for at a limit.
    searched: f64,
    /// Memory of the names and of the samples of all hosts in bytes.
    host_bytes: usize,
}

impl Detector {
    /// A detector that knows no host. A file named by the option `tables` is read now.
    ///
    /// # Errors
    /// Options that contradict each other, or tables that cannot be used.
    pub fn new(options: RiskOptions) -> Result<Self, OptionError> {
        let tables = match options.tables.as_str() {
            "" => Arc::clone(Tables::builtin()),
            path => Arc::new(
                Tables::read(Path::new(path)).map_err(|why| OptionError::Value {
                    name: "tables",
                    value: path.to_owned(),
                    allowed: format!("the path of a file with tables, but {why}"),
                    unit: "",
                })?,
            ),
        };
        Self::with_tables(options, tables)
    }

    /// A detector with these tables, whatever the option `tables` says.
    ///
    /// # Errors
    /// Options that contradict each other.
    pub fn with_tables(options: RiskOptions, tables: SharedTables) -> Result<Self, OptionError> {
        options.validate()?;
        let events = (options.max_memory_mib << 20) as f64 * EVENTS_SHARE;
        Ok(Self {
            model: Model::new(&options, tables),
            options,
            hosts: Vec::new(),
            index: FxHashMap::default(),
            guess: 0,
            pending: Queue::new(events as usize, 0),
            counters: Counters::default(),
            swept: f64::NEG_INFINITY,
            searched: f64::NEG_INFINITY,
            host_bytes: 0,
        })
    }

    /// The options of this detector.
    pub fn options(&self) -> &RiskOptions {
        &self.options
    }

    /// The tables of this detector.
    pub fn tables(&self) -> &Tables {
        self.model.tables()
    }

    /// Takes the state of one source of one host. Resulting events wait for [`Detector::next_event`].
    pub fn observe(&mut self, observation: &Observation<'_>) -> Observed {
        let outcome = match self.place(observation) {
            Ok(at) => return self.observe_at(at, observation),
            Err(outcome) => outcome,
        };
        match outcome {
            Outcome::Full => self.counters.full += 1,
            _ => self.counters.refused += 1,
        }
        Observed {
            outcome,
            risk_10min: Share::ZERO,
            risk_30min: Share::ZERO,
            raised: false,
        }
    }

    fn observe_at(&mut self, at: usize, observation: &Observation<'_>) -> Observed {
        let (time, stale_sec) = (observation.time.secs(), self.options.stale_sec);
        let outcome = match self.hosts[at].update(observation.state, time, stale_sec) {
            Update::Taken => {
                self.counters.taken += 1;
                Outcome::Taken
            }
            Update::Late => {
                self.counters.late += 1;
                Outcome::Late
            }
        };
        let assessed = self.follow(at);
        let [ten, thirty] = assessed.risks;
        Observed {
            outcome,
            risk_10min: Share::rounded(ten),
            risk_30min: Share::rounded(thirty),
            raised: self.hosts[at].open.is_some(),
        }
    }

    /// The index of the host of an observation, which is added if it is new.
    fn place(&mut self, observation: &Observation<'_>) -> Result<usize, Outcome> {
        let name = observation.hypervisor;
        let is_name = (1..=NAME_MAX_BYTES).contains(&name.len());
        if !is_name || !observation.time.is_plausible() {
            return Err(Outcome::Refused);
        }
        if self.hosts.get(self.guess).is_some_and(|h| &*h.name == name) {
            return Ok(self.guess);
        }
        let at = match self.index.get(name) {
            Some(&at) => at as usize,
            None => self.add(name, observation.time.secs())?,
        };
        self.guess = at;
        Ok(at)
    }

    #[cold]
    fn add(&mut self, name: &str, time: f64) -> Result<usize, Outcome> {
        if self.is_full(name) {
            if (time - self.searched).abs() < SEARCH_SEC {
                return Err(Outcome::Full);
            }
            self.searched = time;
            let stale_sec = self.options.stale_sec;
            self.counters.hypervisors_evicted += self.remove_silent(time, stale_sec);
            if self.is_full(name) {
                return Err(Outcome::Full);
            }
        }
        let mut host = Host::new(name, time);
        if self.options.calibrate {
            host.recent = Some(Box::new(Recent::new(minute(time))));
        }
        self.host_bytes += bytes_outside(&host);
        grow(&mut self.hosts, 1);
        self.hosts.push(host);
        let at = self.hosts.len() - 1;
        self.index.insert(name.into(), at as u32);
        Ok(at)
    }

    /// Whether there is no place for a host of this name.
    fn is_full(&self, name: &str) -> bool {
        let recent = match self.options.calibrate {
            true => Recent::BYTES,
            false => 0,
        };
        let more = size_of::<Host>() + 2 * allocation(name.len()) + recent;
        self.hosts.len() >= self.options.max_hypervisors
            || self.bytes() - self.pending.bytes() + more > self.state_limit()
    }

    fn state_limit(&self) -> usize {
        ((self.options.max_memory_mib << 20) as f64 * STATE_SHARE) as usize
    }

    /// Assesses a host at its newest time, and reports what begins, goes on or ends.
    fn follow(&mut self, at: usize) -> Assessed {
        let Self {
            options,
            model,
            hosts,
            pending,
            counters,
            ..
        } = self;
        let host = &mut hosts[at];
        let assessed = model.assess(host, options.stale_sec);
        if let Some(recent) = &mut host.recent {
            let is_new = recent.advance(minute(host.now), |horizon, evidence| {
                model.learn(horizon, evidence, false);
            });
            if let Some(evidence) = assessed.evidence.filter(|_| is_new) {
                recent.put(evidence);
            }
        }
        let view = View {
            tables: model.tables(),
            stale_sec: options.stale_sec,
            failures_per_host_year: options.failures_per_host_year,
            horizon: options.horizon.into(),
            calibrated: model.is_calibrated(),
            risks: assessed.risks,
        };
        let risk = assessed.risks[view.horizon as usize];
        let now = host.now;
        let Some(mut open) = host.open else {
            if risk >= options.threshold {
                host.open = Some(Open {
                    since: now,
                    reported: now,
                    score: risk,
                    low_since: None,
                });
                counters.raised += 1;
                counters.open += 1;
                pending.push([view.raised(host)]);
            }
            return assessed;
        };
        open.low_since = match risk < options.threshold / 2.0 {
            false => None,
            // After a clock was set back, the time begins again.
            true => Some(open.low_since.unwrap_or(now).min(now)),
        };
        open.reported = open.reported.min(now);
        host.open = Some(open);
        if let Some(since) = open.low_since {
            if now - since >= options.hold_sec {
                let end = match assessed.evidence {
                    Some(_) => End::Low(now - since),
                    None => End::Silent(now - host.last_report().min(now)),
                };
                host.open = None;
                counters.open -= 1;
                pending.push([view.cleared(host, &open, end)]);
            }
            return assessed;
        }
        let passed = now - open.reported;
        let is_worse = risk >= open.score + WORSE && passed >= WORSE_SEC;
        if is_worse || passed >= options.update_sec {
            pending.push([view.updated(host, &open)]);
            host.open = Some(Open {
                reported: now,
                score: risk,
                ..open
            });
        }
        assessed
    }

    /// Declares the time: sources that have not reported for `stale_sec` seconds are unknown from now on, and hosts without a
    /// report are forgotten in time. A time that is not plausible is ignored.
    pub fn advance(&mut self, time: Time) {
        if !time.is_plausible() {
            return;
        }
        let time = time.secs();
        for at in 0..self.hosts.len() {
            if self.hosts[at].now < time {
                self.hosts[at].now = time;
                self.follow(at);
            }
        }
        if (time - self.swept).abs() >= self.options.forget_sec / SWEEPS {
            self.swept = time;
            self.remove_silent(time, self.options.forget_sec);
            self.model.fit();
        }
    }

    /// Takes what became of a host at a time, at most half an hour ago. `false` if the host is not tracked, or if that failure has
    /// been reported. Values change only with the option `calibrate`.
    pub fn outcome(&mut self, hypervisor: &str, time: Time, fate: Fate) -> bool {
        let Some(&at) = self.index.get(hypervisor).filter(|_| time.is_plausible()) else {
            return false;
        };
        let Some(recent) = &mut self.hosts[at as usize].recent else {
            return true;
        };
        let (model, minute) = (&mut self.model, minute(time.secs()));
        recent.advance(minute, |horizon, evidence| {
            model.learn(horizon, evidence, false);
        });
        match fate {
            Fate::Unknown => recent.drop_until(minute),
            Fate::Failed => {
                let is_new = recent.fail(minute, |horizon, evidence| {
                    model.learn(horizon, evidence, true);
                });
                if !is_new {
                    return false;
                }
                model.count_failure();
                model.fit();
            }
        }
        true
    }

    /// Removes hosts of which no source has reported for `seconds`; how many they were.
    fn remove_silent(&mut self, time: f64, seconds: f64) -> u64 {
        let before = self.hosts.len();
        let mut at = 0;
        while at < self.hosts.len() {
            // A time in the future is one of before the clock was set back.
            if (time - self.hosts[at].last_report()).abs() <= seconds {
                at += 1;
                continue;
            }
            let host = self.hosts.swap_remove(at);
            self.index.remove(&host.name);
            if let Some(moved) = self.hosts.get(at)
                && let Some(place) = self.index.get_mut(&moved.name)
            {
                *place = at as u32;
            }
            self.host_bytes -= bytes_outside(&host);
            if let Some(open) = host.open {
                self.counters.open -= 1;
                let view = View {
                    tables: self.model.tables(),
                    stale_sec: self.options.stale_sec,
                    failures_per_host_year: self.options.failures_per_host_year,
                    horizon: self.options.horizon.into(),
                    calibrated: self.model.is_calibrated(),
                    risks: self.model.assess(&host, self.options.stale_sec).risks,
                };
                self.pending
                    .push([view.cleared(&host, &open, End::Removed)]);
            }
        }
        (before - self.hosts.len()) as u64
    }

    /// Adds a host of a snapshot; `false` if it cannot be.
    pub(super) fn add_restored(&mut self, mut host: Host) -> bool {
        if !host.is_valid() || self.index.contains_key(&host.name) {
            return false;
        }
        match self.options.calibrate {
            false => host.recent = None,
            true if host.recent.is_none() => {
                host.recent = Some(Box::new(Recent::new(minute(host.now))));
            }
            true => {}
        }
        self.counters.open += u64::from(host.open.is_some());
        self.host_bytes += bytes_outside(&host);
        self.index
            .insert(host.name.clone(), self.hosts.len() as u32);
        self.hosts.push(host);
        true
    }

    /// Whether the state is within the limits of the options.
    pub(super) fn fits(&self) -> bool {
        self.hosts.len() <= self.options.max_hypervisors
            && self.bytes() - self.pending.bytes() <= self.state_limit()
    }

    /// The oldest event that was not fetched yet. At most 4096 wait; beyond that, the oldest are lost and counted.
    pub fn next_event(&mut self) -> Option<Event> {
        self.pending.pop()
    }

    /// The counters.
    pub fn counters(&self) -> Counters {
        Counters {
            failures: self.model.failures(),
            events_lost: self.pending.lost(),
            hypervisors: self.hosts.len() as u64,
            calibrated: u64::from(self.model.is_calibrated()),
            bytes: self.bytes() as u64,
            ..self.counters
        }
    }

    /// Memory of the state in bytes.
    pub fn bytes(&self) -> usize {
        self.pending.bytes()
            + self.model.bytes()
            + vec(&self.hosts)
            + table(self.index.capacity(), size_of::<(Box<str>, u32)>())
            + self.host_bytes
    }
}

/// Memory of a host outside of itself in bytes; its name is also in the index.
fn bytes_outside(host: &Host) -> usize {
    let recent = host.recent.as_ref().map_or(0, |_| Recent::BYTES);
    2 * allocation(host.name.len()) + recent
}

detector!(Detector, "risk", RiskOptions, Observation, Observed);
