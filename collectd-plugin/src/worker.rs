//! The detector's thread: takes values from the queue, feeds the detector, and reports its events.
//!
//! It never blocks: values only go into collectd's own queue, events to a thread of their own ([`crate::outbox`]), as many as
//! that has capacity for, and the learned state to another one ([`bellwether_agent::saver`]). Further events wait in the
//! detector, which saves them with its state. So neither a notification plugin nor a disk that hangs holds up the detection or,
//! for longer than a limited time, the shutdown.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};

use bellwether_agent::limiter::LogLimiter;
use bellwether_agent::maintenance::{self, Parsed, Time};
use bellwether_agent::saver::{Report, Saver};
use bellwether_agent::state::{self, Restored};
use bellwether_sys::{Event, Had, HadCounters, NoticeKind, Observation, Outcome, Snapshot, Window};

use crate::board::Publisher;
use crate::clock::{Clock, LIVE_SEC};
use crate::config::Settings;
use crate::counter::{Rate, seconds};
use crate::host::{Host, Level};
use crate::lacking::Lacking;
use crate::mask_file::{Found, Watcher};
use crate::masks::Masks;
use crate::outbox::Dispatcher;
use crate::queue::{Batch, Fixed, Names, Queue};
use crate::report::{self, Counts, Dispatched};
use crate::resource_watch::{Line, ResourceWatch};
use crate::resources::kind as resources;
use crate::risk_values::RiskValues;
use crate::topic::Topic;
use crate::virt::{self, Kind, LATENCY, METRICS};
use crate::vm::Vm;
use crate::vms::{MAX_VMS, NoVm, Vms};
use crate::votes::Votes;

/// Seconds between two looks at the wall clock's duties.
const TURN_SEC: f64 = 1.0;

/// The wall clock was set if it jumps by this many seconds from one turn to the next.
const WALL_STEP_SEC: f64 = 1.0;

/// A hypervisor that was not heard for so long, or since the start, has the time of the wall clock less this.
const LOST_SEC: f64 = 3600.0;

/// A hypervisor that reported before the last stop has this many of collectd's intervals to report again before its silence counts.
const RESTORED_INTERVALS: f64 = 3.0;

/// A hypervisor whose time was no farther than this, and two intervals, from the time of saving reported live, seconds.
const LIVE_AT_SAVE_SEC: f64 = 600.0;

/// Seconds between two rounds of what is published.
const BOARD_SEC: f64 = 5.0;

/// Seconds between two looks for hypervisors that are lost.
const LOST_TURN_SEC: f64 = 60.0;

/// The longest time that the end waits for notification plugins to take the notifications that wait.
const LISTEN_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest time that it then waits for the last save.
const SAVE_TIMEOUT: Duration = Duration::from_secs(4);

/// What the callbacks and the detector's thread share.
#[derive(Debug)]
pub struct Shared {
    /// What waits for the detector's thread.
    pub queue: Queue,
    /// The steady clock's time by which the newest of our own values has come back through collectd's queue, as collectd writes
    /// times; 0 before the first.
    pub returned: AtomicU64,
}

/// The learned state of all detectors.
pub struct States {
    /// That of the VMs' detector.
    pub vms: Snapshot,
    /// That of the detector of resources, if it is kept.
    pub resources: Option<Snapshot>,
}

/// The detectors.
#[derive(Debug)]
pub struct Detectors {
    /// That of the VMs.
    pub had: Had,
    /// That of the resources of hosts, with what it needs; `None` where they are not watched.
    pub resources: Option<ResourceWatch>,
}

/// The threads that do what waits for the disk.
pub struct DiskThreads {
    /// Writes the learned state; `None` without a state file.
    pub saver: Option<Saver<States>>,
    /// Looks after the file of maintenance windows; `None` without one.
    pub mask_watcher: Option<Watcher>,
    /// Publishes the state of hosts; `None` where nothing is published.
    pub board: Option<Publisher>,
}

/// See the [module](self).
pub struct Worker {
    host: Arc<dyn Host>,
    shared: Arc<Shared>,
    settings: Settings,
    interval: f64,
    had: Had,
    resources: Option<ResourceWatch>,
    vms: Vms,
    clock: Clock,
    dispatched: Dispatched,
    counts: Counts,
    rates: Vec<Rate>,
    limiter: LogLimiter<Topic>,
    dropped_logged: u64,
    /// The counters when they were last read.
    counters: HadCounters,
    notifications: Dispatcher<Event>,
    /// The next event, which did not fit into the queue of notifications.
    held: Option<Event>,
    /// Samples since the statuses were last read, and how many statuses there were.
    since_values: usize,
    statuses: usize,
    votes: Votes,
    lacking: Lacking,
    masks: Masks,
    /// `None` without a file of maintenance windows.
    mask_watcher: Option<Watcher>,
    /// `None` without a state file, and once it has ended.
    saver: Option<Saver<States>>,
    /// `None` where nothing is published.
    board: Option<Publisher>,
    risk_values: RiskValues,
    /// The flush that waits for the state to be saved.
    flush: Option<u64>,
    /// When what recurs is due, by the steady clock.
    next_turn: f64,
    next_health: f64,
    next_lost: f64,
    next_board: f64,
    /// By how much the wall clock is ahead of the steady one, and when it was set last.
    wall_ahead: f64,
    wall_set: f64,
    /// When it started, by the steady clock, and the hypervisors that reported live when the state was saved and have not been
    /// heard since, in the order of their names.
    started: f64,
    restored: Vec<Box<str>>,
}

impl Worker {
    /// A worker whose detector starts without a state, or from its saved state. `interval` is collectd's, in seconds.
    pub fn new(
        host: Arc<dyn Host>,
        shared: Arc<Shared>,
        settings: Settings,
        interval: f64,
        detectors: Detectors,
        notifications: Dispatcher<Event>,
        disk: DiskThreads,
    ) -> Self {
        let Detectors { had, resources } = detectors;
        let DiskThreads {
            saver,
            mask_watcher,
            board,
        } = disk;
        let now = host.steady();
        let mut worker = Self {
            next_turn: now + TURN_SEC,
            next_health: now + TURN_SEC,
            next_lost: now + LOST_SEC,
            next_board: now + TURN_SEC,
            board,
            risk_values: RiskValues::default(),
            wall_ahead: host.now() - now,
            wall_set: now,
            started: now,
            restored: Vec::new(),
            host,
            shared,
            settings,
            interval,
            had,
            resources,
            vms: Vms::default(),
            clock: Clock::default(),
            dispatched: Dispatched::default(),
            counts: Counts::default(),
            rates: Vec::new(),
            limiter: LogLimiter::default(),
            dropped_logged: 0,
            counters: HadCounters::default(),
            notifications,
            held: None,
            since_values: 0,
            statuses: 0,
            votes: Votes::default(),
            lacking: Lacking::default(),
            masks: Masks::default(),
            mask_watcher,
            saver,
            flush: None,
        };
        worker.restore();
        worker.start_masks();
        worker.counters = worker.had.counters().unwrap_or_default();
        worker
    }

    /// Works until the queue is stopped.
    pub fn run(mut self) {
        let mut batch = Batch::default();
        loop {
            let timeout = Duration::from_secs_f64(TURN_SEC);
            let asked = self.shared.queue.take(&mut batch, timeout);
            self.read_masks();
            for (fixed, names) in batch.iter() {
                self.take(&fixed, &names);
            }
            if let Some(resources) = &mut self.resources {
                resources.read_kernel(&*self.host);
            }
            let now = self.host.steady();
            if now >= self.next_turn {
                self.next_turn = now + TURN_SEC;
                self.turn(now);
            }
            self.report();
            self.save(asked.flush, asked.stop);
            if asked.stop && batch.len() == 0 {
                return self.end();
            }
        }
    }

    /// Waits for notification plugins, and then for the last save, each for a limited time.
    fn end(mut self) {
        let deadline = Instant::now() + LISTEN_TIMEOUT;
        let mut all = self.events();
        while self.notifications.wait_empty(deadline) && !all {
            all = self.events();
        }
        // Not to be reported again after the next start.
        if let Some(saver) = self.saver.take() {
            let states = || states(&self.had, self.resources.as_ref());
            let report = saver.finish(states, SAVE_TIMEOUT);
            if let Some(warning) = report.as_ref().and_then(Report::warning) {
                self.host.log(Level::Warning, &warning);
            }
        }
        if let Some(number) = self.flush {
            self.shared.queue.flushed(number);
        }
        let left = if all {
            ""
        } else {
            "; further ones wait in the saved state"
        };
        let held = usize::from(self.held.is_some());
        let lost = held + self.notifications.end(Duration::ZERO);
        if lost > 0 {
            let message = format!(
                "a notification plugin did not return within {} s: {lost} notifications may not have been delivered{left}",
                LISTEN_TIMEOUT.as_secs()
            );
            self.host.log(Level::Warning, &message);
        }
    }

    fn take(&mut self, fixed: &Fixed, names: &Names<'_>) {
        if let Some(kind) = resources::Kind::from_number(fixed.kind) {
            return self.take_resource(kind, fixed, names);
        }
        let Some(kind) = Kind::from_number(fixed.kind) else {
            return;
        };
        match kind {
            Kind::Masked => return self.take_mask(fixed, names),
            Kind::Maintenance => return self.take_maintenance(names),
            _ => {}
        }
        let arrival = seconds(fixed.arrival);
        let interval = seconds(fixed.interval);
        let vm = self.vms.get(
            names,
            self.settings.identity,
            self.host.hostname(),
            arrival,
            interval,
            &mut self.clock,
        );
        let vm = match vm {
            Ok(vm) => vm,
            Err(why) => return self.no_vm(why, names),
        };
        self.clock
            .saw(vm.clock, vm.number, seconds(fixed.time), interval, arrival);
        if kind == Kind::State {
            let [state, reason] = fixed.values.map(f64::from_bits);
            if let Some(masked) = virt::masked_by_state(state, reason) {
                vm.mask(masked, &mut self.had);
            }
            return;
        }
        self.lacking.saw(kind, arrival, interval);
        let metric = kind.metric().filter(|index| self.settings.watched[*index]);
        self.rates.clear();
        let fed = if kind == Kind::CpuPercent {
            vm.percent(fixed, &mut self.rates)
        } else if metric.is_some() {
            vm.count(
                kind,
                fixed,
                names.type_instance,
                &mut self.rates,
                &mut self.counts,
            )
        } else {
            false
        };
        let own = self.rates.len();
        if let Some(half) = kind.half()
            && self.settings.watched[LATENCY]
        {
            vm.latency(half, fixed, names.type_instance, &mut self.rates);
        }
        if fed {
            vm.sampled(&mut self.had);
        }
        let percent_only = kind == Kind::CpuPercent && vm.has_percent_only();
        let mut refused = None;
        for (at, rate) in self.rates.iter().enumerate() {
            // Those behind its own are of the latency.
            let (metric, scale) = match metric {
                Some(metric) if at < own => (metric, kind.scale()),
                _ => (LATENCY, 1.0),
            };
            let observation = Observation {
                hypervisor: &vm.hypervisor,
                vm: &vm.name,
                metric: METRICS[metric],
                time: seconds(rate.time),
                interval,
                value: rate.per_sec * scale,
            };
            if let Some(saver) = &mut self.saver {
                saver.learned();
            }
            match self.had.observe(&observation) {
                Ok(Outcome::Full) => refused = Some((Topic::Full, full_message(vm))),
                Ok(_) => {}
                Err(error) => refused = Some((Topic::Refused, error.to_string())),
            }
        }
        if !self.rates.is_empty() {
            vm.known(&mut self.had);
        }
        if percent_only {
            let message = format!(
                "the VM {} of {} has no virt_cpu_total; using percent-virt_cpu_total, which is noisier (logged once)",
                vm.name, vm.hypervisor
            );
            refused = refused.or(Some((Topic::PercentOnly, message)));
        }
        if let Some((topic, message)) = refused {
            self.warn(topic, &message);
        }
        self.events();
        self.since_values += 1;
        // A replay has many ticks in one batch: all are dispatched, at one look for each sample however many hypervisors there are.
        // Of live ones that end together the last is dispatched, since collectd does not keep the order of what comes at once.
        if arrival - seconds(fixed.time) > LIVE_SEC && self.since_values > self.statuses {
            self.values();
        }
    }

    fn take_resource(&mut self, kind: resources::Kind, fixed: &Fixed, names: &Names<'_>) {
        let arrival = seconds(fixed.arrival);
        let line = self
            .resources
            .as_mut()
            .and_then(|all| all.take(kind, fixed, names, arrival, &mut self.counts));
        self.log_lines(line);
    }

    fn take_mask(&mut self, fixed: &Fixed, names: &Names<'_>) {
        let masked = fixed.values[0] != 0;
        let mut senders = Vec::new();
        if self
            .settings
            .identity
            .host_is_vm(names.host, names.plugin_instance)
        {
            senders = self.vms.senders_of(names.host, names.plugin_instance);
        }
        if senders.is_empty() {
            senders.push((*b"").into());
        }
        for sender in senders {
            let names = Names {
                sender: &sender,
                ..*names
            };
            let vm = self.vms.get(
                &names,
                self.settings.identity,
                self.host.hostname(),
                seconds(fixed.arrival),
                self.interval,
                &mut self.clock,
            );
            match vm {
                Ok(vm) => vm.mask(masked, &mut self.had),
                Err(why) => self.no_vm(why, &names),
            }
        }
    }

    /// A notification about the maintenance of a hypervisor, whose host it has.
    fn take_maintenance(&mut self, names: &Names<'_>) {
        let hypervisor = String::from_utf8_lossy(names.host);
        let message = String::from_utf8_lossy(names.type_instance);
        match self.masks.notified(&hypervisor, &message, self.host.now()) {
            Ok(()) => self.apply_masks(),
            Err(fault) => {
                let message = format!(
                    "the notification about the maintenance of \"{hypervisor}\" is ignored: {fault}"
                );
                self.warn(Topic::MaskNotification, &message);
            }
        }
    }

    /// The windows of the saved state and of the file.
    fn start_masks(&mut self) {
        let saved = self.had.windows();
        self.read_masks();
        if self.settings.mask_notifications {
            self.masks.restored(saved.iter().map(as_written).collect());
        }
        self.apply_masks();
    }

    /// Takes what is new in the file of maintenance windows.
    fn read_masks(&mut self) {
        let Some(found) = self.mask_watcher.as_ref().and_then(Watcher::take) else {
            return;
        };
        let path = self.settings.mask_file.clone().unwrap_or_default();
        match found {
            Found::Read(parsed) => {
                self.limiter.reset(Topic::MaskFile);
                let faults: Vec<String> = parsed.warnings().collect();
                if !faults.is_empty() {
                    let message = format!("MaskFile {path}: {}", faults.join("; "));
                    self.warn(Topic::MaskFile, &message);
                }
                let count = parsed.windows.len();
                let plural = if count == 1 { "" } else { "s" };
                let message = format!("MaskFile {path}: {count} maintenance window{plural}");
                self.host.log(Level::Info, &message);
                self.masks.read(parsed);
            }
            Found::Missing => {
                let message = format!(
                    "MaskFile {path}: there is no such file, so no maintenance window of it"
                );
                self.host.log(Level::Notice, &message);
                self.masks.read(Parsed::default());
            }
            Found::Unreadable(reason) => {
                let message = format!(
                    "MaskFile {path} cannot be read, its windows stay as they were: {reason}"
                );
                self.warn(Topic::MaskFile, &message);
                return;
            }
        }
        self.apply_masks();
    }

    /// Gives the detector the windows that it is to have, and no other.
    fn apply_masks(&mut self) {
        let mut failed = None;
        for old in self.had.windows() {
            failed = self.had.unmask_hypervisor(&old.hypervisor).err().or(failed);
        }
        for window in self.masks.wanted() {
            let window = Window {
                hypervisor: window.hypervisor.clone(),
                from: window.from.secs(),
                until: window.until.secs(),
            };
            failed = self.had.mask_hypervisor(&window).err().or(failed);
        }
        let applied = self.had.windows();
        self.masks.applied(applied.iter().map(as_written).collect());
        if let Some(saver) = &mut self.saver {
            saver.learned();
        }
        if let Some(error) = failed {
            self.warn(
                Topic::MaskFile,
                &format!("a maintenance window is ignored: {error}"),
            );
        }
    }

    /// Whether anything gives maintenance windows.
    fn has_masks(&self) -> bool {
        self.mask_watcher.is_some() || self.settings.mask_notifications
    }

    fn no_vm(&mut self, why: NoVm, names: &Names<'_>) {
        match why {
            NoVm::Unnamed => {
                self.counts.unnamed += 1;
                let message = format!(
                    "values of host \"{}\" do not name their VM; with HostnameFormat hostname, the virt plugin needs \
                     PluginInstanceFormat name (or uuid)",
                    String::from_utf8_lossy(names.host)
                );
                self.warn(Topic::Unnamed, &message);
            }
            NoVm::Full => {
                self.counts.full += 1;
                let message = format!(
                    "{MAX_VMS} VMs report, which is the limit; further VMs are ignored until some no longer report"
                );
                self.warn(Topic::Full, &message);
            }
        }
    }

    /// The periodic work.
    fn turn(&mut self, now: f64) {
        self.look_at_the_wall_clock(now);
        let returned = match self.shared.returned.load(Ordering::Relaxed) {
            0 => None,
            // The next one is not due before.
            time => Some(seconds(time) + self.interval),
        };
        let mut failed = None;
        for (hypervisor, number) in self.vms.hypervisors() {
            let passed = self.clock.passed(number, now, returned, self.wall_ahead);
            if let Some(passed) = passed
                && let Err(error) = self.had.advance_hypervisor(hypervisor, passed)
            {
                failed = Some(error);
            }
        }
        if let Some(error) = failed {
            self.warn(Topic::Refused, &error.to_string());
        }
        self.advance_restored(now);
        if now >= self.next_lost {
            self.next_lost = now + LOST_TURN_SEC;
            self.advance_lost(now);
        }
        self.turn_resources(now);
        self.publish(now);
        self.risks();
        self.vms.forget_silent(now, &mut self.clock);
        self.counts.evicted = self.vms.evicted();
        self.limits();
        for line in self.masks.turn(self.host.now()) {
            self.host.log(Level::Notice, &line);
        }
        if let Some(line) = self
            .lacking
            .turn(now, &self.settings.watched, &self.settings.unread)
        {
            // Who asked for a metric by its name wants it.
            let level = match self.settings.metrics_given {
                true => Level::Warning,
                false => Level::Info,
            };
            self.host.log(level, &line);
        }
        let (_, dropped) = self.shared.queue.counts();
        if dropped > self.dropped_logged {
            let message = format!(
                "queue full: {dropped} values were dropped so far; QueueLength is too small, or the machine is too busy for the \
                 detector thread"
            );
            self.warn(Topic::Dropped, &message);
            self.dropped_logged = dropped;
        }
        if now >= self.next_health {
            self.next_health = now + self.interval;
            self.health();
            self.lone_vms();
            self.votes(now);
        }
    }

    fn turn_resources(&mut self, now: f64) {
        let Some(resources) = &mut self.resources else {
            return;
        };
        let hypervisors = self.vms.hypervisors().map(|(name, _)| name);
        let local = self.host.hostname();
        let lines = resources.turn(now, self.wall_ahead, hypervisors, local);
        self.log_lines(lines);
    }

    /// Publishes the state of hosts.
    fn publish(&mut self, now: f64) {
        let Some(board) = self.board.as_mut().filter(|_| now >= self.next_board) else {
            return;
        };
        self.next_board = now + BOARD_SEC;
        // Before the first tick nothing is known.
        for status in self.had.statuses().filter(|status| status.time > 0.0) {
            let since = status.since.filter(|_| status.raised);
            board.vms(status.hypervisor, status.time, since, status.provisional);
        }
        if let Some(resources) = &mut self.resources {
            resources.p_values(|host, time, p_value| board.resources(host, time, p_value));
        }
        if let Some(trouble) = board.end_round(self.host.now()) {
            self.warn(Topic::Board, &trouble);
        }
    }

    /// Dispatches what the log half said of the risk of hosts.
    fn risks(&mut self) {
        let read = self.board.as_ref().and_then(Publisher::risks);
        if let Some(risks) = read.filter(|_| self.settings.values) {
            let interval = self.interval.max(BOARD_SEC);
            self.risk_values.dispatch(&*self.host, interval, risks);
        }
    }

    fn log_lines(&mut self, lines: impl IntoIterator<Item = Line>) {
        for (topic, message) in lines {
            self.warn(topic, &message);
        }
    }

    /// What the limits made the detector do.
    fn limits(&mut self) {
        let Some(now) = self.had.counters() else {
            return;
        };
        let before = std::mem::replace(&mut self.counters, now);
        if now.hypervisors_evicted > before.hypervisors_evicted {
            let message = format!(
                "MaxHypervisors reached: {} hypervisors that no longer report were replaced by new ones so far; raise it, or, if \
                 names are forged, see SecurityLevel in collectd-bellwether(5)",
                now.hypervisors_evicted
            );
            self.warn(Topic::HypervisorsEvicted, &message);
        }
        if now.vms_evicted > before.vms_evicted {
            let message = format!(
                "MaxVms reached: {} VMs that no longer report were replaced by new ones so far; raise it, or, if names are forged, \
                 see SecurityLevel in collectd-bellwether(5)",
                now.vms_evicted
            );
            self.warn(Topic::VmsEvicted, &message);
        }
        if now.events_lost > before.events_lost {
            let message = format!(
                "{} notifications were lost so far: a notification plugin hangs or is too slow",
                now.events_lost
            );
            self.warn(Topic::Lost, &message);
        }
    }

    /// Notices that the wall clock was set. Nothing goes by it but the times that are written, so that this does no harm.
    fn look_at_the_wall_clock(&mut self, now: f64) {
        let ahead = self.host.now() - now;
        let step = ahead - self.wall_ahead;
        self.wall_ahead = ahead;
        if step.abs() < WALL_STEP_SEC {
            return;
        }
        self.wall_set = now;
        self.counts.wall_steps += 1;
        let which = if step < 0.0 { "back" } else { "forward" };
        let message = format!(
            "the clock of this machine was set {which} by {:.0} s; intervals are measured by a monotonic clock and not affected",
            step.abs()
        );
        self.warn(Topic::WallStep, &message);
    }

    /// Lets time pass for hypervisors that reported live before the last stop and have not been heard since the start, so that who
    /// does not come back is soon known to be silent. Who does has a VM here within an interval, and a time of its own.
    fn advance_restored(&mut self, now: f64) {
        if self.restored.is_empty() {
            return;
        }
        self.restored.retain(|name| !self.vms.knows(name));
        let wait = RESTORED_INTERVALS * self.interval.max(TURN_SEC);
        if now - self.started < wait || now - self.wall_set < wait {
            return;
        }
        let time = self.host.now() - wait;
        for name in &self.restored {
            if let Err(error) = self.had.advance_hypervisor(name, time) {
                let message = error.to_string();
                warn(&*self.host, &mut self.limiter, Topic::Refused, &message);
            }
        }
    }

    /// Which hypervisors reported live when the state in `path` was saved: those of a replay have times of long before.
    fn live_at_save(&mut self, path: &Path) -> Vec<Box<str>> {
        let saved = std::fs::metadata(path).and_then(|metadata| metadata.modified());
        let Some(saved) = saved
            .ok()
            .and_then(|saved| saved.duration_since(UNIX_EPOCH).ok())
        else {
            return Vec::new();
        };
        let behind = |time: f64| (saved.as_secs_f64() - time).abs();
        let live = self
            .had
            .statuses()
            .filter(|status| behind(status.time) <= LIVE_AT_SAVE_SEC + 2.0 * status.interval);
        let mut names: Vec<Box<str>> = live.map(|status| status.hypervisor.into()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Lets time pass for hypervisors that have no VM here any more, or have had none since the start, so that the detector
    /// notices their silence and forgets them in the end. Those of [`Self::advance_restored`] are ahead of this already.
    fn advance_lost(&mut self, now: f64) {
        // A clock that was set lately may be wrong.
        if now - self.wall_set < LOST_SEC {
            return;
        }
        let lost: Vec<String> = self
            .had
            .statuses()
            .map(|status| status.hypervisor)
            .filter(|hypervisor| !self.vms.knows(hypervisor))
            .filter(|hypervisor| {
                let place = self
                    .restored
                    .binary_search_by_key(hypervisor, |name| &**name);
                place.is_err()
            })
            .map(str::to_owned)
            .collect();
        let time = self.host.now() - LOST_SEC;
        for hypervisor in lost {
            if let Err(error) = self.had.advance_hypervisor(&hypervisor, time) {
                self.warn(Topic::Refused, &error.to_string());
            }
        }
    }

    fn health(&mut self) {
        if !self.settings.health {
            return;
        }
        if let Some(counters) = self.had.counters() {
            let (waiting, dropped) = self.shared.queue.counts();
            let resources = self.resources.as_ref().and_then(ResourceWatch::counters);
            report::health(
                &*self.host,
                self.interval,
                waiting,
                dropped,
                &self.counts,
                &counters,
                resources.as_ref(),
            );
        }
    }

    /// Many hypervisors of one VM each are VMs that are taken for hypervisors.
    fn lone_vms(&mut self) {
        let (hypervisors, vms) = self.vms.counts();
        if hypervisors >= 4 && hypervisors == vms {
            let message = format!(
                "each of {hypervisors} hypervisors has one VM; if the virt plugin's HostnameFormat is name, set Identity \
                 \"host-is-vm\""
            );
            self.warn(Topic::LoneVms, &message);
        }
    }

    /// Hypervisors of which too few VMs vote for a fault to be detected.
    fn votes(&mut self, now: f64) {
        if !self.votes.is_due(now) {
            return;
        }
        for status in self.had.statuses() {
            self.votes
                .count(status.hypervisor, status.metric, status.vms, status.voters);
        }
        if let Some(message) = self.votes.end_turn(now) {
            self.warn(Topic::NoVotes, &message);
        }
    }

    fn report(&mut self) {
        self.resources();
        self.events();
        self.notices();
        self.values();
    }

    /// Gives the rows of resources that are complete to their detector.
    fn resources(&mut self) {
        let Some(resources) = &mut self.resources else {
            return;
        };
        let (rows, lines) = resources.report(&*self.host, &self.masks);
        if rows > 0
            && let Some(saver) = &mut self.saver
        {
            saver.learned();
        }
        self.log_lines(lines);
    }

    fn next_event(&mut self) -> Option<Event> {
        let held = self.held.take().or_else(|| self.had.next_event());
        held.or_else(|| self.resources.as_mut()?.next_event())
    }

    fn notices(&mut self) {
        while let Some((kind, message)) = self.had.next_notice() {
            let topic = match kind {
                NoticeKind::IntervalChanged => Topic::IntervalChanged,
                NoticeKind::Unjudged => Topic::Unjudged,
                NoticeKind::Intervals => Topic::Intervals,
                NoticeKind::VmClock => Topic::VmClock,
                NoticeKind::ClockStep => Topic::ClockStep,
                NoticeKind::Other(_) => continue,
            };
            self.warn(topic, &message);
        }
    }

    /// Hands over the events that there is room for; whether these are all.
    fn events(&mut self) -> bool {
        loop {
            let Some(event) = self.next_event() else {
                return true;
            };
            // What was reported is not to be reported again after a crash.
            if let Some(saver) = &mut self.saver {
                saver.event(Instant::now());
            }
            if !self.settings.notifications {
                continue;
            }
            if !self.notifications.has_room() {
                self.held = Some(event);
                let message = "notifications are waiting: a notification plugin hangs or is slow";
                self.warn(Topic::Listener, message);
                return false;
            }
            self.notifications.put(event);
        }
    }

    fn values(&mut self) {
        self.since_values = 0;
        if self.settings.values {
            let masked = self.has_masks();
            self.statuses = self
                .dispatched
                .values(&*self.host, self.had.statuses(), masked);
        }
    }

    fn restore(&mut self) {
        let Some(path) = self.state_path() else {
            return;
        };
        let (level, message) = match state::restored(&path, self.had.load(&path)) {
            Restored::Yes(message) => {
                self.restored = self.live_at_save(&path);
                (Level::Info, message)
            }
            Restored::NotYet(message) => (Level::Info, message),
            Restored::Unusable(message) => (Level::Warning, message),
        };
        self.host.log(level, &message);
        if let Some(restored) = self.resources.as_mut().and_then(ResourceWatch::restore) {
            let (level, message) = match restored {
                Restored::Yes(message) | Restored::NotYet(message) => (Level::Info, message),
                Restored::Unusable(message) => (Level::Warning, message),
            };
            self.host.log(level, &message);
        }
    }

    /// Hands the state to the thread that writes it, where it is due, or `now` it is; `flush` waits for that.
    fn save(&mut self, flush: Option<u64>, now: bool) {
        self.flush = flush.or(self.flush);
        if let Some(saver) = &mut self.saver {
            if flush.is_some() || now {
                saver.request();
            }
            let states = || states(&self.had, self.resources.as_ref());
            let report = saver.turn(Instant::now(), states);
            let is_pending = saver.is_pending();
            if let Some(report) = report {
                match report.warning() {
                    None => self.limiter.reset(Topic::State),
                    Some(warning) => {
                        self.counts.save_failures += 1;
                        self.warn(Topic::State, &warning);
                    }
                }
            }
            if is_pending {
                return;
            }
        }
        if let Some(number) = self.flush.take() {
            self.shared.queue.flushed(number);
        }
    }

    fn state_path(&self) -> Option<PathBuf> {
        self.settings
            .state_file
            .as_ref()
            .map(|path| Path::new(path).to_owned())
    }

    fn warn(&mut self, topic: Topic, message: &str) {
        warn(&*self.host, &mut self.limiter, topic, message);
    }
}

/// Logs a message unless one on the same topic was logged lately.
fn warn(host: &dyn Host, limiter: &mut LogLimiter<Topic>, topic: Topic, message: &str) {
    if topic.once() {
        if limiter.allows_once(topic) {
            host.log(Level::Notice, message);
        }
    } else if limiter.allows(topic, Duration::from_secs_f64(host.steady().max(0.0))) {
        host.log(Level::Warning, message);
    }
}

/// A window of the detector, as a file would have it.
fn as_written(window: &Window) -> maintenance::Window {
    maintenance::Window {
        hypervisor: window.hypervisor.clone(),
        from: Time::from_secs(window.from),
        until: Time::from_secs(window.until),
    }
}

/// The learned state, serialized.
fn states(had: &Had, resources: Option<&ResourceWatch>) -> Result<States, String> {
    let resources = resources.map(ResourceWatch::snapshot).transpose();
    let resources = resources.map_err(|error| error.to_string())?.flatten();
    let vms = had.snapshot().map_err(|error| error.to_string())?;
    Ok(States { vms, resources })
}

fn full_message(vm: &Vm) -> String {
    format!(
        "MaxHypervisors or MaxVms reached: the VM {} of {} is not tracked",
        vm.name, vm.hypervisor
    )
}
