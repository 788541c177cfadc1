//! The state of the controller as a function of its journal: the same entries give the same decisions, live and in a replay.
//!
//! Time is that of the entries. Between them the machine ticks at the multiples of `tick_sec`, so that what the passing of time
//! changes needs no entry of its own.

use bellwether_core::event::Event;
use bellwether_core::options::OptionError;
use bellwether_core::policy::{Decision, Finding, HealthChange, Input, InputError, Outputs, What};
use bellwether_core::snapshot::Unusable;
use bellwether_core::units::Time;
use serde::{Deserialize, Serialize};

use super::board::Board;
use super::entry::Entry;
use super::reorder::Reorder;
use super::seen::Seen;
use crate::config::Config;
use crate::decide::Decider;
use crate::judge::{Hosts, Risks};

/// Maximum number of ticks between two entries; a caller that ticks itself records an entry at least as often.
pub const TICKS_MAX: i64 = 1000;
/// Hosts that are well are forgotten at every tick whose number is a multiple of this.
const FORGET_TICKS: i64 = 720;

/// What follows from one entry, with the ticks before it.
#[derive(Debug, Default)]
pub struct Effects {
    /// Decisions, in the order of their numbers.
    pub decisions: Vec<Decision>,
    /// Events about groups of hosts.
    pub events: Vec<Event>,
    /// Changes of the hosts' health.
    pub health: Vec<HealthChange>,
    /// Why the policy refused the entry itself, if it did.
    pub refused: Option<InputError>,
    /// Why the policy refused findings.
    pub findings_refused: Vec<InputError>,
}

impl Effects {
    fn add(&mut self, outputs: Outputs) {
        self.decisions.extend(outputs.decisions);
        self.events.extend(outputs.events);
        self.health.extend(outputs.health);
    }
}

/// Counts of what the machine has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Events that were taken in.
    pub events: u64,
    /// Findings that the policy refused.
    pub findings_refused: u64,
    /// Decisions.
    pub decisions: u64,
}

/// The part of the state that is saved as JSON.
#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    at: f64,
    tick: i64,
    waiting: Vec<(f64, String)>,
    hosts: Hosts,
    board: Board,
    counts: Counts,
}

/// The state in pieces, as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Everything that people can read.
    pub json: String,
    /// The keys of the last events.
    pub seen: Vec<u8>,
    /// The state of the policy.
    pub policy: Vec<u8>,
    /// The state of the detector of risks.
    pub risk: Vec<u8>,
}

/// Why a snapshot cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoSnapshot {
    /// The part that is JSON.
    #[error("the saved state cannot be decoded: {0}")]
    Json(#[from] serde_json::Error),
    /// The policy or the risks.
    #[error("the saved state of the {0} cannot be used: {1}")]
    Part(&'static str, Unusable),
}

/// The state.
pub struct Machine {
    decider: Box<dyn Decider>,
    risks: Risks,
    hosts: Hosts,
    board: Board,
    reorder: Reorder,
    seen: Seen,
    tick_sec: f64,
    /// The latest time of an entry or a tick.
    at: f64,
    /// The number of the last tick.
    tick: i64,
    counts: Counts,
    remember: usize,
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = f.debug_struct("Machine");
        debug.field("at", &self.at).field("counts", &self.counts);
        debug.finish_non_exhaustive()
    }
}

impl Machine {
    /// A machine that has taken in nothing.
    ///
    /// # Errors
    /// Options that contradict each other, or files named by options that cannot be used.
    pub fn new(config: &Config) -> Result<Self, OptionError> {
        let ingest = &config.ingest;
        Ok(Self {
            decider: crate::decide::new(config.policy.clone())?,
            risks: Risks::new(config.risk.clone())?,
            hosts: Hosts::new(config.inventory.max_hosts),
            board: Board::default(),
            reorder: Reorder::new(ingest.reorder_sec, ingest.reorder_length),
            seen: Seen::new(ingest.remember),
            tick_sec: ingest.tick_sec,
            at: 0.0,
            tick: 0,
            counts: Counts::default(),
            remember: ingest.remember,
        })
    }

    /// Takes an entry in. Its time must not be before [`Self::at`]; an earlier one is taken for that.
    pub fn step(&mut self, entry: &Entry) -> Effects {
        let mut effects = Effects::default();
        let at = Time::from_secs(entry.at().secs().max(self.at));
        self.pass(at, &mut effects);
        self.at = at.secs();
        match entry {
            Entry::Event { event, .. } => {
                self.counts.events += 1;
                if self.seen.add(event)
                    && let Some(first) = self.reorder.add(at, Event::clone(event))
                {
                    self.judge(at, &first, &mut effects);
                }
            }
            Entry::Policy(input) => {
                effects.refused = self.decide(at, input.what.clone(), &mut effects);
            }
        }
        self.release(at, &mut effects);
        effects
    }

    /// Whether an event was taken in before. It is then not to be taken in again: it would change nothing but the time.
    pub fn is_repeated(&self, event: &Event) -> bool {
        self.seen.contains(event)
    }

    /// Lets time pass up to `now`.
    pub fn advance(&mut self, now: Time) -> Effects {
        let mut effects = Effects::default();
        self.pass(now, &mut effects);
        effects
    }

    /// The latest time of an entry or a tick.
    pub fn at(&self) -> Time {
        Time::from_secs(self.at)
    }

    /// The time of the next tick.
    pub fn next_tick(&self) -> Time {
        Time::from_secs((self.tick + 1) as f64 * self.tick_sec)
    }

    /// What is known about the hosts.
    pub fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    /// Suggestions, pause and brake.
    pub fn board(&self) -> &Board {
        &self.board
    }

    /// Counts of what was done.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Number of events that wait for earlier ones.
    pub fn waiting(&self) -> usize {
        self.reorder.len()
    }

    /// What decides, to be asked about hosts.
    pub fn decider(&self) -> &dyn Decider {
        &*self.decider
    }

    fn pass(&mut self, now: Time, effects: &mut Effects) {
        let last = (now.secs() / self.tick_sec).floor() as i64;
        let first = (self.tick + 1).max(last - TICKS_MAX + 1);
        for tick in first..=last {
            let time = Time::from_secs((tick as f64 * self.tick_sec).max(self.at));
            self.tick = tick;
            self.at = time.secs();
            self.release(time, effects);
            for (host, risk) in self.risks.assess(&mut self.hosts, time) {
                let what = What::Risk {
                    host,
                    risk_10min: share(risk.risk_10min),
                    risk_30min: share(risk.risk_30min),
                    calibrated: risk.calibrated,
                };
                self.decide(time, what, effects);
            }
            self.decide(time, What::Tick, effects);
            if tick % FORGET_TICKS == 0 {
                self.hosts.forget(time);
            }
        }
    }

    fn release(&mut self, now: Time, effects: &mut Effects) {
        for event in self.reorder.due(now) {
            self.judge(now, &event, effects);
        }
    }

    fn judge(&mut self, at: Time, event: &Event, effects: &mut Effects) {
        self.hosts.observe(event);
        let Some(finding) = Finding::from_event(event) else {
            return;
        };
        if let Some(refused) = self.decide(at, What::Finding(finding), effects) {
            self.counts.findings_refused += 1;
            effects.findings_refused.push(refused);
        }
    }

    /// Gives the policy an input; returns why it was refused, if it was.
    fn decide(&mut self, time: Time, what: What, effects: &mut Effects) -> Option<InputError> {
        let input = Input { time, what };
        let mut outputs = self.decider.take(&input);
        let refused = outputs.refused.take();
        if refused.is_none() {
            self.board.accept(time.secs(), &input.what);
        }
        for decision in &outputs.decisions {
            self.counts.decisions += 1;
            self.board.decide(decision);
        }
        for change in &outputs.health {
            self.hosts.change(change);
        }
        effects.add(outputs);
        refused
    }

    /// The state.
    pub fn snapshot(&self) -> Snapshot {
        let saved = Saved {
            at: self.at,
            tick: self.tick,
            waiting: self.reorder.list(),
            hosts: self.hosts.clone(),
            board: self.board.clone(),
            counts: self.counts,
        };
        Snapshot {
            json: serde_json::to_string(&saved).expect("a state is JSON"),
            seen: self.seen.to_bytes(),
            policy: self.decider.snapshot(),
            risk: self.risks.snapshot(),
        }
    }

    /// Replaces the state.
    ///
    /// # Errors
    /// The snapshot is of another version or corrupt. The machine is then not to be used.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Result<(), NoSnapshot> {
        let saved: Saved = serde_json::from_str(&snapshot.json)?;
        let policy = self.decider.restore(&snapshot.policy);
        policy.map_err(|why| NoSnapshot::Part("policy", why))?;
        let risk = self.risks.restore(&snapshot.risk);
        risk.map_err(|why| NoSnapshot::Part("risks", why))?;
        let max = self.hosts.max();
        self.hosts = saved.hosts;
        self.hosts.limit(max);
        self.seen = Seen::from_bytes(&snapshot.seen, self.remember);
        for (arrived, event) in saved.waiting {
            let event = serde_json::from_str(&event)?;
            // There are at most as many as before.
            let surplus = self.reorder.add(Time::from_secs(arrived), event);
            debug_assert!(surplus.is_none());
        }
        self.board = saved.board;
        self.counts = saved.counts;
        (self.at, self.tick) = (saved.at, saved.tick);
        Ok(())
    }
}

fn share(x: f64) -> bellwether_core::units::Share {
    bellwether_core::units::Share::rounded(x)
}
