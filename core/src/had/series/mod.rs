//! A series: one metric of one hypervisor, over the VMs that share an interval.
//!
//! [`members`] are its VMs, [`ticks`] align their samples in time and evaluate them, and [`misaligned`] handles samples that fit
//! no open tick: VMs whose clock or interval differs, until most VMs agree with them.

mod members;
mod misaligned;
mod state;
mod ticks;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use self::misaligned::{INTERVAL_JITTER, MisalignedRun, WrongClock};
use self::ticks::Row;
use super::algorithm::AnyMethod;
use super::incident::Incidents;
use super::method::Verdict;
use super::observation::Sample;
use super::options::{Algorithm, HadOptions};
use super::spans::Spans;
use crate::eviction::{ESTABLISHED, Eviction};

pub(super) use self::members::{Member, Transfer};
pub(super) use self::ticks::Tick;

/// One metric of one hypervisor, over the VMs that share an interval.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Series {
    /// Index of the metric in the option `metrics`.
    pub metric: u32,
    pub method: AnyMethod,
    pub incidents: Incidents,
    /// By slot.
    pub members: Vec<Member>,
    #[serde(skip)]
    slots: FxHashMap<Box<str>, u32>,
    /// Seconds between ticks.
    pub interval: f64,
    /// The time of tick 0, which follows the phase of the samples.
    origin: f64,
    /// The next tick to be evaluated.
    next: i64,
    /// The samples of the ticks `next`, `next + 1`, …
    rows: Vec<Row>,
    /// Number of VMs that the tick `next` waits for.
    expected: u32,
    /// Consecutive ticks without a sample.
    silent: u64,
    /// Ticks whose silence does not count, because all VMs were masked until recently.
    excused: u64,
    /// Unused; kept for the layout of snapshots.
    reserved: u32,
    /// Number of samples ahead since the last one in time.
    ahead: u32,
    /// The time of the first sample, seconds.
    pub since: f64,
    /// When the open incident was raised, in seconds, by a state of version 2 or before; now of the hypervisor.
    pub raised_since: f64,
    /// The last tick had a common change that follows the time of day.
    pub follows_time_of_day: bool,
    /// The last verdict.
    #[serde(skip)]
    pub last: Verdict,
    /// The slot after that of the last sample: samples come in the same order at every tick.
    #[serde(skip)]
    guess: usize,
    /// Runs of misaligned samples by slot; may be shorter.
    #[serde(skip)]
    runs: Vec<Option<MisalignedRun>>,
    /// Number of such runs.
    #[serde(skip)]
    misaligned: u32,
    /// The last time passed to [`Series::advance`], seconds.
    #[serde(skip)]
    advanced: Option<f64>,
    /// Number of VMs that moved to another interval minus those that came from one.
    #[serde(skip)]
    pub moved: usize,
    /// By how many seconds the clock has stepped since this was last read.
    #[serde(skip)]
    pub stepped: Option<f64>,
    /// A VM whose clock was found to be wrong since this was last read.
    #[serde(skip)]
    pub wrong_clock: Option<WrongClock>,
    /// When its hypervisor is in maintenance.
    #[serde(skip)]
    pub maintenance: Spans,
    #[serde(skip)]
    eviction: Eviction,
    /// Memory of the names of its VMs in bytes: a flood of new VMs must not sum it up for each.
    #[serde(skip)]
    name_bytes: usize,
}

impl Series {
    /// A series that begins with the tick of `first`.
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
            members: Vec::new(),
            slots: FxHashMap::default(),
            interval,
            origin: first.time,
            next: 0,
            rows: vec![Row::default(); options.reorder_sz + 1],
            expected: 0,
            silent: 0,
            excused: 0,
            reserved: 0,
            ahead: 0,
            since: first.time,
            raised_since: first.time,
            follows_time_of_day: false,
            last: Verdict::default(),
            guess: 0,
            runs: Vec::new(),
            misaligned: 0,
            advanced: None,
            moved: 0,
            stepped: None,
            wrong_clock: None,
            maintenance: Spans::default(),
            eviction: Eviction::default(),
            name_bytes: 0,
        }
    }

    /// Whether samples of this interval belong to this series: it may jitter.
    #[inline]
    pub(super) fn takes(&self, interval: f64) -> bool {
        self.interval == interval
            || (self.interval - interval).abs() <= INTERVAL_JITTER * self.interval
    }

    /// Whether one of its VMs is established.
    pub(super) fn is_established(&self) -> bool {
        self.members
            .iter()
            .any(|member| member.ticks >= ESTABLISHED)
    }

    /// The time of the next tick to be evaluated, seconds.
    pub(super) fn due(&self) -> f64 {
        self.time(self.next)
    }

    /// The time of the last evaluated tick with a sample, seconds.
    pub(super) fn last_sample_time(&self) -> f64 {
        self.time(self.next - 1 - self.silent as i64)
    }

    /// Whether the last evaluated tick was in maintenance.
    pub(super) fn is_masked(&self) -> bool {
        self.maintenance
            .at(self.last_tick_time(), self.interval)
            .is_some()
    }

    /// Number of VMs.
    pub(super) fn vms(&self) -> usize {
        self.slots.len()
    }

    /// The time of the last evaluated tick, seconds.
    pub(super) fn last_tick_time(&self) -> f64 {
        self.time(self.next - 1)
    }

    /// The time of tick `tick`, seconds.
    fn time(&self, tick: i64) -> f64 {
        self.origin + tick as f64 * self.interval
    }

    /// The tick nearest to `time`.
    fn tick(&self, time: f64) -> i64 {
        ((time - self.origin) / self.interval).round() as i64
    }

    /// The newest open tick.
    fn newest(&self) -> i64 {
        self.next + self.rows.len() as i64 - 1
    }

    /// The slot of the VM `name`, if it is known.
    #[inline]
    pub(super) fn slot(&self, name: &str) -> Option<usize> {
        let guess = self.guess;
        if self
            .members
            .get(guess)
            .is_some_and(|member| member.name.as_deref() == Some(name))
        {
            return Some(guess);
        }
        self.slots.get(name).map(|slot| *slot as usize)
    }

    /// Number of consecutive ticks without a sample although there are unmasked VMs.
    pub(super) fn silent(&self) -> u64 {
        self.silent
    }

    /// When an unmasked VM last reported, seconds.
    pub(super) fn last_report(&self) -> f64 {
        let unmasked = self
            .members
            .iter()
            .filter(|member| member.name.is_some() && !member.masked);
        // Those who are kind are heard as well.
        let is_astray = self.misaligned > 0 && self.silent == 0;
        let kind = is_astray.then_some(self.next);
        let tick = unmasked.map(|member| member.seen).chain(kind).max();
        tick.map_or(f64::NEG_INFINITY, |tick| self.time(tick))
    }
}
