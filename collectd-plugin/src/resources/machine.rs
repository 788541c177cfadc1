//! One host: what its plugins report, until a row of it is complete.

use super::cpu::Cpus;
use super::disk::{Disks, Of};
use super::grid::{Grid, Place};
use super::kind::{KERNEL, Kind, PLUGINS, Part, SOURCES, State};
use super::meter::{Mean, Meter};
use super::pressure::Sample;
use super::share::Share;
use super::signal::{SIGNALS, Signal};
use crate::clock::LIVE_SEC;
use crate::counter::{Unrated, seconds};
use crate::report::Counts;

/// A host whose values are older than this many intervals on arrival, and than [`LIVE_SEC`], is being replayed.
const LIVE_INTERVALS: f64 = 6.0;
/// Intervals that differ by less than this share are the same.
const SAME_INTERVAL: f64 = 0.02;
/// After this many consecutive rows in which most plugins have another interval, the rows take it.
const OTHER_ROWS: u32 = 3;
/// The intervals that a value may have, seconds.
const INTERVALS: std::ops::RangeInclusive<f64> = 0.001..=86_400.0;

/// One value as it was taken from the queue.
#[derive(Debug, Clone, Copy)]
pub struct Value<'a> {
    /// What it is.
    pub kind: Kind,
    /// The number of the CPU's [`State`] or of the [`Part`] that it is about.
    pub detail: u8,
    /// The CPU or the disk, or empty.
    pub device: &'a [u8],
    /// collectd's time.
    pub time: u64,
    /// collectd's interval.
    pub interval: u64,
    /// When it arrived by the steady clock, in seconds.
    pub arrival: f64,
    /// The first two of its values, as they came.
    pub values: [u64; 2],
}

/// The signals of one host in one interval.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The host.
    pub host: Box<str>,
    /// The end of the interval, in seconds since the epoch.
    pub time: f64,
    /// Its length, in seconds.
    pub interval: f64,
    /// In the order of [`Signal`]; NaN for what is unknown.
    pub values: [f64; SIGNALS],
}

/// The last values of a plugin: their time and interval, in seconds.
#[derive(Debug, Clone, Copy, Default)]
struct Source {
    time: f64,
    interval: f64,
}

/// See the [module](self).
#[derive(Debug)]
pub struct Machine {
    name: Box<str>,
    /// `None` before the first value.
    grid: Option<Grid>,
    sources: [Source; SOURCES],
    /// Consecutive rows in which most plugins had another interval.
    other: u32,
    means: [Mean; SIGNALS],
    cpus: Cpus,
    disks: Disks,
    memory: Share,
    swap: Share,
    faults: Meter<2>,
    swap_pages: Meter<2>,
    /// As the plugin swap has it, where vmem has nothing; in and out.
    swap_io: ([Meter<1>; 2], [Mean; 2]),
    load: Mean,
    /// The number of CPUs as the plugin cpu or the kernel has it.
    cpu_count: Option<f64>,
    online: Option<f64>,
    kernel: Option<Sample>,
    /// By how much the newest value was behind on arrival, and when that was; seconds by the steady clock.
    lag: f64,
    arrival: f64,
    /// How many rows it has had.
    rows: u64,
}

impl Machine {
    /// A host of that name, of which nothing is known.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            grid: None,
            sources: [Source::default(); SOURCES],
            other: 0,
            means: [Mean::default(); SIGNALS],
            cpus: Cpus::default(),
            disks: Disks::default(),
            memory: Share::default(),
            swap: Share::default(),
            faults: Meter::default(),
            swap_pages: Meter::default(),
            swap_io: Default::default(),
            load: Mean::default(),
            cpu_count: None,
            online: None,
            kernel: None,
            lag: 0.0,
            arrival: 0.0,
            rows: 0,
        }
    }

    /// CPUs and disks that are kept of it.
    pub fn devices(&self) -> usize {
        self.cpus.len() + self.disks.len()
    }

    /// When its last value arrived, in seconds by the steady clock, and the seconds between two of its rows.
    pub fn last(&self) -> (f64, f64) {
        let interval = self.grid.as_ref().map_or(0.0, Grid::interval);
        (self.arrival, interval)
    }

    /// The plugins that it has no values of.
    pub fn silent_plugins(&self) -> Vec<&'static str> {
        let plugins = PLUGINS.iter().zip(&self.sources);
        let silent = plugins.filter(|(_, source)| source.interval == 0.0);
        silent.map(|(plugin, _)| *plugin).collect()
    }

    /// How many rows it has had.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Takes a value. Rows that are complete by its time are appended to `rows`. A CPU or a disk that is new is kept only where it
    /// `may_grow`.
    pub fn take(
        &mut self,
        value: &Value<'_>,
        may_grow: bool,
        counts: &mut Counts,
        rows: &mut Vec<Row>,
    ) {
        let (time, interval) = (seconds(value.time), seconds(value.interval));
        if !INTERVALS.contains(&interval) || value.time == 0 {
            counts.refused += 1;
            return;
        }
        if !self.arrived(value.kind.source(), time, interval, value.arrival, rows) {
            counts.late += 1;
            return;
        }
        match self.add(value, may_grow, time, interval) {
            None | Some(Unrated::First) => {}
            Some(Unrated::Duplicate) => counts.duplicates += 1,
            Some(Unrated::Late) => counts.late += 1,
            Some(Unrated::Reset) => counts.resets += 1,
            Some(Unrated::Full) => counts.full += 1,
        }
    }

    /// Takes what was read from the kernel of this host at `time`, seconds since the epoch, which it reads once in `interval`.
    pub fn kernel(
        &mut self,
        sample: Sample,
        time: f64,
        interval: f64,
        arrival: f64,
        rows: &mut Vec<Row>,
    ) {
        self.online = sample.cpus.map(f64::from).or(self.online);
        if !self.arrived(KERNEL, time, interval, arrival, rows) {
            return;
        }
        if let Some(before) = self.kernel.replace(sample) {
            for (signal, value) in sample.since(&before) {
                self.means[signal as usize].add(value, time, interval);
            }
        }
    }

    /// A value of a source arrived: whether it belongs to the row that is being filled, once those that are complete are closed.
    fn arrived(
        &mut self,
        source: usize,
        time: f64,
        interval: f64,
        arrival: f64,
        rows: &mut Vec<Row>,
    ) -> bool {
        let mut grid = match self.grid.take() {
            Some(grid) => grid,
            None => Grid::new(time, interval),
        };
        let place = match grid.place(time) {
            Place::Beyond => {
                rows.extend(self.close(&mut grid));
                grid.skip_to(time);
                grid.place(time)
            }
            place => place,
        };
        if place == Place::Restart {
            // Nothing of before is comparable.
            self.restart();
            grid = Grid::new(time, interval);
            grid.place(time);
        }
        self.grid = Some(grid);
        self.arrival = arrival;
        if place == Place::Late {
            return false;
        }
        self.lag = arrival - time;
        self.sources[source] = Source { time, interval };
        true
    }

    fn add(
        &mut self,
        value: &Value<'_>,
        may_grow: bool,
        time: f64,
        interval: f64,
    ) -> Option<Unrated> {
        let gauge = f64::from_bits(value.values[0]);
        let counters = value.values.map(|value| value as i64);
        let mut mean = |signal: Signal, value: f64| {
            self.means[signal as usize].add(value, time, interval);
        };
        match value.kind {
            Kind::CpuTime => {
                let state = State::from_number(value.detail)?;
                let (time, interval) = (value.time, value.interval);
                return self.cpus.jiffies(
                    value.device,
                    may_grow,
                    state,
                    time,
                    interval,
                    counters[0],
                );
            }
            Kind::CpuPercent => {
                let state = State::from_number(value.detail)?;
                self.cpus.percent(value.device, may_grow, state, gauge);
            }
            Kind::CpuCount => self.cpu_count = (gauge >= 1.0).then_some(gauge),
            Kind::Load => self.load.add(gauge, time, interval),
            Kind::LoadPerCpu => mean(Signal::Load, gauge),
            Kind::Blocked => mean(Signal::ProcessesBlocked, gauge),
            Kind::Memory => self.memory.add(Part::from_number(value.detail)?, gauge),
            Kind::MemoryPercent => self.memory.add_percent(gauge),
            Kind::Swap => self.swap.add(Part::from_number(value.detail)?, gauge),
            Kind::SwapPercent => self.swap.add_percent(gauge),
            Kind::SwapIn | Kind::SwapOut => {
                let at = usize::from(value.kind == Kind::SwapOut);
                let (meters, means) = &mut self.swap_io;
                match meters[at].rates(value.time, value.interval, [counters[0]]) {
                    Ok([rate]) => means[at].add(rate, time, interval),
                    Err(why) => return Some(why),
                }
            }
            Kind::SwapPages => match self.swap_pages.rates(value.time, value.interval, counters) {
                Ok([pages_in, pages_out]) => {
                    mean(Signal::SwapIn, pages_in);
                    mean(Signal::SwapOut, pages_out);
                }
                Err(why) => return Some(why),
            },
            Kind::Faults => match self.faults.rates(value.time, value.interval, counters) {
                Ok([_, major]) => mean(Signal::MajorFaults, major),
                Err(why) => return Some(why),
            },
            Kind::DiskIoTime | Kind::DiskOps | Kind::DiskTime => {
                let of = match value.kind {
                    Kind::DiskIoTime => Of::IoTime,
                    Kind::DiskOps => Of::Operations,
                    _ => Of::Latency,
                };
                let (time, interval) = (value.time, value.interval);
                return self
                    .disks
                    .add(value.device, may_grow, of, time, interval, counters);
            }
        }
        None
    }

    /// Closes the row that is being filled if its time has passed at `now` by the steady clock, which the wall clock is ahead of by
    /// `wall_ahead`; seconds. A replay's rows are closed by its own values alone.
    pub fn turn(&mut self, now: f64, wall_ahead: f64, rows: &mut Vec<Row>) {
        let Some(mut grid) = self.grid.take() else {
            return;
        };
        let live = LIVE_SEC.max(LIVE_INTERVALS * grid.interval());
        let is_live = self.lag.abs() <= live || (self.lag + wall_ahead).abs() <= live;
        if is_live && now - self.lag >= grid.end() {
            rows.extend(self.close(&mut grid));
        }
        self.grid = Some(grid);
    }

    /// Closes the row and begins the next one; gives it if anything of it is known.
    fn close(&mut self, grid: &mut Grid) -> Option<Row> {
        let end = grid.end();
        let interval = grid.interval();
        grid.next();
        let values = self.values(end);
        self.follow_interval(grid);
        if values.iter().all(|value| value.is_nan()) {
            return None;
        }
        self.rows += 1;
        Some(Row {
            host: self.name.clone(),
            time: end,
            interval,
            values,
        })
    }

    /// The values of the row that ends at `end`.
    fn values(&mut self, end: f64) -> [f64; SIGNALS] {
        let mut add = |source: Source, signal: Signal, value: f64| {
            self.means[signal as usize].add(value, source.time, source.interval);
        };
        let cpu = self.sources[Kind::CpuTime.source()];
        let shares = self.cpus.take();
        add(cpu, Signal::CpuBusy, shares.busy);
        add(cpu, Signal::CpuSystem, shares.system);
        add(cpu, Signal::CpuIowait, shares.wait);
        add(cpu, Signal::CpuSteal, shares.steal);
        let disk = self.sources[Kind::DiskTime.source()];
        let (busy, latency) = self.disks.take();
        add(disk, Signal::DiskBusy, busy);
        let memory = self.sources[Kind::Memory.source()];
        add(memory, Signal::MemoryUsed, self.memory.take());
        let swap = self.sources[Kind::Swap.source()];
        add(swap, Signal::SwapUsed, self.swap.take());
        let mut values = self.means.each_mut().map(|mean| mean.take(end));
        // It is of this row or unknown: a disk that does nothing is not as slow as it was.
        values[Signal::DiskLatency as usize] = latency;
        let or = |value: &mut f64, other: f64| {
            if value.is_nan() {
                *value = other;
            }
        };
        let [pages_in, pages_out] = self.swap_io.1.each_mut().map(|mean| mean.take(end));
        or(&mut values[Signal::SwapIn as usize], pages_in);
        or(&mut values[Signal::SwapOut as usize], pages_out);
        let heard = self.cpus.heard().map(|count| count as f64);
        let cpus = self.cpu_count.or(heard).or(self.online);
        let load = self.load.take(end) / cpus.unwrap_or(f64::NAN);
        or(&mut values[Signal::Load as usize], load);
        values
    }

    /// Lets the rows have the interval of most plugins, once that has been another one for some rows.
    fn follow_interval(&mut self, grid: &mut Grid) {
        let mut intervals: Vec<f64> = self.sources.iter().map(|source| source.interval).collect();
        intervals.retain(|interval| *interval > 0.0);
        intervals.sort_unstable_by(f64::total_cmp);
        let Some(&middle) = intervals.get((intervals.len().max(1) - 1) / 2) else {
            return;
        };
        if (middle - grid.interval()).abs() <= SAME_INTERVAL * grid.interval() {
            self.other = 0;
            return;
        }
        self.other += 1;
        if self.other >= OTHER_ROWS {
            self.other = 0;
            // A plugin that has stopped has no vote in what comes.
            self.sources = [Source::default(); SOURCES];
            *grid = grid.with_interval(middle);
        }
    }

    /// Forgets all but its name: the clock of the host was set.
    fn restart(&mut self) {
        self.sources = [Source::default(); SOURCES];
        self.means = [Mean::default(); SIGNALS];
        (self.load, self.swap_io) = Default::default();
        self.cpus.restart();
        self.disks.restart();
        (self.memory, self.swap) = Default::default();
        self.faults.forget();
        self.swap_pages.forget();
    }
}
