//! The resources of hosts on the detector's thread: values come in, rows go to their detector, and what it says of them to collectd.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bellwether_agent::state::{self, Restored};
use bellwether_sys::{
    Error, Event, Resource, ResourceCounters, Row as Input, RowOutcome, Snapshot,
};

use crate::host::{Gauge, Host};
use crate::masks::Masks;
use crate::queue::{Fixed, Names};
use crate::report::Counts;
use crate::resources::kind::Kind;
use crate::resources::pressure::Reader;
use crate::resources::signal::{SIGNALS, Signal};
use crate::resources::wanted::Wanted;
use crate::resources::{Resources, Row};
use crate::topic::Topic;

/// Seconds between two looks of the detector for hosts that are silent.
const ADVANCE_SEC: f64 = 10.0;
/// After this long it is logged which plugins give nothing, in seconds and in intervals.
const WAIT_SEC: f64 = 300.0;
/// See [`WAIT_SEC`].
const WAIT_INTERVALS: f64 = 3.0;

/// The signals that are dispatched as values, since no plugin of collectd has them, with their names.
const PRESSURE: [(Signal, &str); 5] = [
    (Signal::PsiCpuSome, "psi_cpu_some"),
    (Signal::PsiMemorySome, "psi_memory_some"),
    (Signal::PsiMemoryFull, "psi_memory_full"),
    (Signal::PsiIoSome, "psi_io_some"),
    (Signal::PsiIoFull, "psi_io_full"),
];

/// A line for the log, on a topic that is limited by itself.
pub type Line = (Topic, String);

/// Where it works.
#[derive(Debug)]
pub struct Place {
    /// collectd's interval, in seconds.
    pub interval: f64,
    /// Whether the detector's word on each row is dispatched as values.
    pub values: bool,
    /// The file of the learned state; `None` where it is not kept.
    pub state: Option<PathBuf>,
}

/// See the [module](self).
#[derive(Debug)]
pub struct ResourceWatch {
    wanted: Arc<Wanted>,
    resources: Resources,
    detector: Resource,
    /// Reads from the kernel; `None` where that is switched off.
    reader: Option<Reader>,
    place: Place,
    next_advance: f64,
    /// When it is logged which plugins give nothing; `None` once it was.
    look: Option<f64>,
    evicted: u64,
}

impl ResourceWatch {
    /// Watches the hosts that are `wanted`; `now` is the steady clock's time, in seconds.
    pub fn new(
        wanted: Arc<Wanted>,
        detector: Resource,
        reader: Option<Reader>,
        place: Place,
        now: f64,
    ) -> Self {
        Self {
            wanted,
            resources: Resources::default(),
            detector,
            reader,
            next_advance: now,
            look: Some(now + WAIT_SEC.max(WAIT_INTERVALS * place.interval)),
            place,
            evicted: 0,
        }
    }

    /// The file of the learned state beside that of the VMs' detector.
    pub fn state_path(of_vms: &Path) -> PathBuf {
        let mut path = of_vms.as_os_str().to_owned();
        path.push(".resources");
        path.into()
    }

    /// Replaces the learned state by that in its file, if it is kept in one; what came of that.
    pub fn restore(&mut self) -> Option<Restored> {
        let path = self.place.state.as_deref()?;
        Some(state::restored(path, self.detector.load(path)))
    }

    /// The learned state, serialized; `None` where it is not kept.
    ///
    /// # Errors
    /// Only an internal error of bellwether.
    pub fn snapshot(&self) -> Result<Option<Snapshot>, Error> {
        let is_kept = self.place.state.is_some();
        is_kept.then(|| self.detector.snapshot()).transpose()
    }

    /// Takes a value of that kind from the queue, which arrived at `arrival`, seconds by the steady clock.
    pub fn take(
        &mut self,
        kind: Kind,
        fixed: &Fixed,
        names: &Names<'_>,
        arrival: f64,
        counts: &mut Counts,
    ) -> Option<Line> {
        let taken = self.resources.take(kind, fixed, names, arrival, counts);
        (!taken).then(|| {
            let hosts = self.resources.hosts();
            let message = format!(
                "the resources of {hosts} hosts are kept, which is the limit; those of further hosts are ignored until some no longer report"
            );
            (Topic::Full, message)
        })
    }

    /// Takes what was read from the kernel.
    pub fn read_kernel(&mut self, host: &dyn Host) {
        let Some(sample) = self.reader.as_ref().and_then(Reader::take) else {
            return;
        };
        let age = sample.age();
        let (time, arrival) = (host.now() - age, host.steady() - age);
        self.resources
            .kernel(host.hostname(), sample, time, self.place.interval, arrival);
    }

    /// The periodic work, at `now` by the steady clock, which the wall clock is ahead of by `wall_ahead`; seconds. `hypervisors` are
    /// those whose VMs report. Gives lines for the log.
    pub fn turn<'a>(
        &mut self,
        now: f64,
        wall_ahead: f64,
        hypervisors: impl Iterator<Item = &'a str> + Clone,
        local: &str,
    ) -> Vec<Line> {
        let mut lines = Vec::new();
        self.wanted.update(hypervisors);
        self.resources.turn(now, wall_ahead);
        if now >= self.next_advance {
            self.next_advance = now + ADVANCE_SEC;
            if let Err(error) = self.detector.advance(now) {
                lines.push((Topic::Refused, error.to_string()));
            }
        }
        if let Some(why) = self.reader.as_ref().and_then(Reader::missing) {
            let message = format!(
                "no pressure of this host among its resources: {why} (Linux has it since 4.20, on some systems only with psi=1 on \
                 the kernel's command line)"
            );
            lines.push((Topic::NoPressure, message));
        }
        if self.look.is_some_and(|look| now >= look) {
            self.look = None;
            let silent = self.resources.silent_plugins(local);
            if !silent.is_empty() {
                let message = format!(
                    "no values of the collectd plugins {} of this host, so that its resources are watched without them; LoadPlugin adds \
                     them, and Resources \"off\" watches none",
                    silent.join(", ")
                );
                lines.push((Topic::NoResources, message));
            }
        }
        let evicted = self
            .counters()
            .map_or(0, |counters| counters.hypervisors_evicted);
        if evicted > self.evicted {
            self.evicted = evicted;
            let message = format!(
                "ResourceMaxHypervisors or ResourceMaxMemoryMib reached: {evicted} hosts that no longer report were replaced by new ones so \
                 far; raise it, or, if names are forged, see SecurityLevel in collectd-bellwether(5)"
            );
            lines.push((Topic::HypervisorsEvicted, message));
        }
        lines
    }

    /// Gives the rows that are complete to the detector, but for those of hosts in maintenance, of which it learns nothing, and
    /// dispatches what it says of them. Gives the number of rows, and lines for the log.
    pub fn report(&mut self, host: &dyn Host, masks: &Masks) -> (usize, Vec<Line>) {
        let rows = self.resources.rows();
        let lines = rows.iter().filter_map(|row| self.observe(host, masks, row));
        let lines = lines.collect();
        (rows.len(), lines)
    }

    fn observe(&mut self, host: &dyn Host, masks: &Masks, row: &Row) -> Option<Line> {
        let unknown = [f64::NAN; SIGNALS];
        let is_masked = masks.is_masked(&row.host, row.time);
        let observed = self.detector.observe(&Input {
            hypervisor: &row.host,
            time: row.time,
            interval: row.interval,
            values: if is_masked { &unknown } else { &row.values },
        });
        let (outcome, unusual) = match observed {
            Ok(observed) => observed,
            Err(error) => return Some((Topic::Refused, error.to_string())),
        };
        if self.place.values {
            let gauge = |type_, name, value: f64| dispatch(host, row, type_, name, value);
            if outcome == RowOutcome::Taken {
                gauge("gauge", "resource_score", unusual.score);
                gauge("gauge", "resource_p_value", unusual.p_value);
                gauge(
                    "gauge",
                    "resource_raised",
                    f64::from(u8::from(unusual.raised)),
                );
                if let Some(found) = unusual.reconstructed {
                    gauge("gauge", "resource_reconstruction_error", found.error);
                    gauge(
                        "gauge",
                        "resource_unreconstructed",
                        f64::from(u8::from(found.anomalous)),
                    );
                }
            }
            for (signal, name) in PRESSURE {
                gauge("percent", name, 100.0 * row.values[signal as usize]);
            }
        }
        match outcome {
            RowOutcome::Full => {
                let message = format!(
                    "ResourceMaxHypervisors or ResourceMaxMemoryMib reached: the resources of {} are not watched",
                    row.host
                );
                Some((Topic::Full, message))
            }
            RowOutcome::Refused => {
                let message = format!("a row of the resources of {} is refused", row.host);
                Some((Topic::Refused, message))
            }
            _ => None,
        }
    }

    /// Gives `publish` for each host how unusual its resources were, and when: its name, the time of its last row in seconds since the
    /// epoch, and the p-value, which is NaN where that is unknown.
    pub fn p_values(&mut self, mut publish: impl FnMut(&str, f64, f64)) {
        for status in self.detector.statuses() {
            publish(status.hypervisor, status.time, status.unusual.p_value);
        }
    }

    /// The oldest event that was not fetched yet.
    pub fn next_event(&mut self) -> Option<Event> {
        self.detector.next_event()
    }

    /// What the detector has counted.
    pub fn counters(&self) -> Option<ResourceCounters> {
        self.detector.counters()
    }
}

/// Dispatches one value of a host; what is unknown is no value.
fn dispatch(host: &dyn Host, row: &Row, type_: &str, name: &str, value: f64) {
    if value.is_finite() {
        host.dispatch_gauge(&Gauge {
            plugin_instance: &row.host,
            type_,
            type_instance: name,
            time: row.time,
            interval: row.interval,
            value,
        });
    }
}
