//! The resources of hosts, out of the values that collectd's plugins `cpu`, `disk`, `load`, `memory`, `processes`, `swap` and `vmem`
//! dispatch, and out of what the kernel of this host has in `/proc`: one row of signals per host and interval.
//!
//! One value's way: `kind` (what is it?) → `wanted` (does anybody want to know of its host?) → the queue, together with those of the
//! VMs → `machine` (the host; its `cpu`, `disk`, `share`, `meter`) → `grid` (which row?) → the row.

mod cpu;
mod disk;
mod grid;
pub mod kind;
mod machine;
mod meter;
pub mod pressure;
mod share;
pub mod signal;
pub mod wanted;

use rustc_hash::FxHashMap;

use crate::queue::{Fixed, Names};
use crate::report::Counts;
use kind::{Kind, PLUGINS};
use machine::{Machine, Value};
use pressure::Sample;

pub use machine::Row;

/// The most hosts whose values are kept. One that no longer reports is evicted for others.
const HOSTS_MAX: usize = 10_000;
/// The most CPUs and disks of all hosts together.
const DEVICES_MAX: usize = 400_000;
/// A host that was silent for this long, and for [`FORGET_INTERVALS`], is forgotten; seconds.
const FORGET_SEC: f64 = 3600.0;
/// See [`FORGET_SEC`].
const FORGET_INTERVALS: f64 = 10.0;
/// A host may be evicted when it was silent for this many of its intervals,
const SILENT_INTERVALS: f64 = 2.5;
/// each of at least this many seconds.
const INTERVAL_MIN_SEC: f64 = 10.0;
/// Seconds between two looks for hosts to forget or to evict.
const SWEEP_SEC: f64 = 10.0;

/// See the [module](self).
#[derive(Debug)]
pub struct Resources {
    hosts: FxHashMap<Box<[u8]>, Machine>,
    max: usize,
    /// CPUs and disks of all hosts.
    devices: usize,
    swept: f64,
    /// The hosts that may be evicted, the next one last.
    silent: Vec<Box<[u8]>>,
    rows: Vec<Row>,
}

impl Default for Resources {
    fn default() -> Self {
        Self::new(HOSTS_MAX)
    }
}

impl Resources {
    /// Room for at most `max` hosts.
    fn new(max: usize) -> Self {
        Self {
            hosts: FxHashMap::default(),
            max,
            devices: 0,
            swept: f64::MIN,
            silent: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// Takes a value of that kind from the queue, which arrived at `arrival`, seconds by the steady clock; `false` where it is of one
    /// host more than are kept.
    pub fn take(
        &mut self,
        kind: Kind,
        fixed: &Fixed,
        names: &Names<'_>,
        arrival: f64,
        counts: &mut Counts,
    ) -> bool {
        let may_grow = self.devices < DEVICES_MAX;
        let Some(machine) = self.machine(names.host, arrival) else {
            counts.full += 1;
            return false;
        };
        let value = Value {
            kind,
            // One of these kinds has one value, and the place of the second for this.
            detail: fixed.values[1].try_into().unwrap_or(u8::MAX),
            device: names.plugin_instance,
            time: fixed.time,
            interval: fixed.interval,
            arrival,
            values: fixed.values,
        };
        let before = machine.devices();
        let mut rows = Vec::new();
        machine.take(&value, may_grow, counts, &mut rows);
        let after = machine.devices();
        self.devices = self.devices + after - before;
        self.rows.append(&mut rows);
        true
    }

    /// Takes what was read from the kernel of the host of this name at `time`, seconds since the epoch; it is read once in `interval`.
    pub fn kernel(&mut self, host: &str, sample: Sample, time: f64, interval: f64, arrival: f64) {
        let mut rows = Vec::new();
        if let Some(machine) = self.machine(host.as_bytes(), arrival) {
            machine.kernel(sample, time, interval, arrival, &mut rows);
        }
        self.rows.append(&mut rows);
    }

    /// Closes the rows whose time has passed at `now` by the steady clock, which the wall clock is ahead of by `wall_ahead`, and
    /// forgets hosts that were silent for long; seconds.
    pub fn turn(&mut self, now: f64, wall_ahead: f64) {
        for machine in self.hosts.values_mut() {
            machine.turn(now, wall_ahead, &mut self.rows);
        }
        if now - self.swept >= SWEEP_SEC || now < self.swept {
            self.sweep(now);
        }
    }

    /// The rows that were completed since the last call.
    pub fn rows(&mut self) -> Vec<Row> {
        std::mem::take(&mut self.rows)
    }

    /// How many hosts are kept.
    pub fn hosts(&self) -> usize {
        self.hosts.len()
    }

    /// The plugins that a host of this name has no values of.
    pub fn silent_plugins(&self, host: &str) -> Vec<&'static str> {
        match self.hosts.get(host.as_bytes()) {
            Some(machine) => machine.silent_plugins(),
            None => PLUGINS.to_vec(),
        }
    }

    fn machine(&mut self, host: &[u8], now: f64) -> Option<&mut Machine> {
        if !self.hosts.contains_key(host) {
            if host.is_empty() || (self.hosts.len() >= self.max && !self.evict_one(now)) {
                return None;
            }
            let machine = Machine::new(&String::from_utf8_lossy(host));
            self.hosts.insert(host.into(), machine);
        }
        self.hosts.get_mut(host)
    }

    /// Forgets what was silent for long, counts what is left, and finds what may be evicted.
    fn sweep(&mut self, now: f64) {
        self.swept = now;
        let silent = |machine: &Machine| {
            let (last, interval) = machine.last();
            (now - last, interval)
        };
        self.hosts.retain(|_, machine| {
            let (silent, interval) = silent(machine);
            silent <= FORGET_SEC.max(FORGET_INTERVALS * interval)
        });
        self.devices = self.hosts.values().map(Machine::devices).sum();
        self.silent.clear();
        if self.hosts.len() < self.max {
            return;
        }
        let mut may_go: Vec<_> = self
            .hosts
            .iter()
            .filter(|(_, machine)| is_silent(machine, now))
            .map(|(name, machine)| ((machine.rows() | 1).ilog2(), machine.last().0, name))
            .collect();
        may_go.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        self.silent = may_go
            .into_iter()
            .rev()
            .map(|(_, _, name)| name.clone())
            .collect();
    }

    /// Evicts a host that no longer reports: of those with the fewest rows, the one that has been silent longest. Returns whether there
    /// was one. All hosts are searched at most once per [`SWEEP_SEC`], however many newcomers there are.
    #[cold]
    fn evict_one(&mut self, now: f64) -> bool {
        if now - self.swept >= SWEEP_SEC || now < self.swept {
            self.sweep(now);
        }
        while let Some(name) = self.silent.pop() {
            // It may be gone or have come back since.
            let machine = self.hosts.get(&name);
            if machine.is_some_and(|machine| is_silent(machine, now)) {
                let machine = self.hosts.remove(&name);
                self.devices -= machine.map_or(0, |machine| machine.devices());
                return true;
            }
        }
        self.hosts.len() < self.max
    }
}

fn is_silent(machine: &Machine, now: f64) -> bool {
    let (last, interval) = machine.last();
    now - last > SILENT_INTERVALS * interval.max(INTERVAL_MIN_SEC)
}

#[cfg(test)]
mod tests;
