//! The companion input: it brings events into the pipeline under a tag of their own, and exports counters as metrics of Fluent Bit.
//!
//! Its callbacks run on the pipeline's thread, or on that of the input where it is `threaded`.

use std::ffi::{CStr, CString, c_int, c_void};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::abi::{self, Handle, Host, Layout, Level, Metric, Metrics};
use crate::channel::{Channel, Figures};
use crate::config;
use crate::event;
use crate::host::{check, guard, host};

/// How often events are taken from the queue, in nanoseconds.
const COLLECT_NANOS: i64 = 200_000_000;

/// How often metrics are set.
const METRICS_INTERVAL: Duration = Duration::from_secs(1);

/// A pipeline that has no filter for so long is likely not to be meant so.
const ALONE: Duration = Duration::from_secs(60);

/// What a metric is of.
pub type Read = fn(&Figures) -> u64;

/// Every metric of a filter: whether it only grows, name, help, value.
pub const METRICS: [(bool, &CStr, &CStr, Read); 27] = [
    (
        true,
        c"records_total",
        c"Records that were classified, or had no text",
        |f| f.filter.records,
    ),
    (true, c"textless_total", c"Records without a text", |f| {
        f.filter.textless
    }),
    (true, c"flagged_total", c"Records that were flagged", |f| {
        f.filter.flagged
    }),
    (
        true,
        c"failures_total",
        c"Records whose text reports a failure",
        |f| f.detector.failures,
    ),
    (
        true,
        c"novel_total",
        c"Records that do not fit the learned state",
        |f| f.detector.novel,
    ),
    (
        true,
        c"refused_total",
        c"Records that could not be classified",
        |f| f.filter.refused + f.detector.refused,
    ),
    (
        true,
        c"streams_evicted_total",
        c"Streams evicted for others at max_streams or max_memory_mib",
        |f| f.detector.streams_evicted,
    ),
    (
        true,
        c"foreign_total",
        c"Records with keys of events, or of the filter's own, of somebody else",
        |f| f.filter.foreign,
    ),
    (
        true,
        c"undecodable_chunks_total",
        c"Chunks that could not be read",
        |f| f.filter.malformed,
    ),
    (true, c"events_total", c"Events", |f| f.filter.events),
    (true, c"questions_total", c"Questions", |f| {
        f.filter.questions
    }),
    (
        true,
        c"questions_dropped_total",
        c"Questions that were dropped without an answer, or not asked, beyond the option questions",
        |f| f.detector.questions_dropped,
    ),
    (
        true,
        c"feedback_total",
        c"Verdicts that were applied",
        |f| f.filter.feedback,
    ),
    (
        true,
        c"feedback_refused_total",
        c"Verdicts that were refused",
        |f| f.filter.feedback_refused,
    ),
    (
        true,
        c"episodes_total",
        c"Episodes of failure that began",
        |f| f.detector.episodes,
    ),
    (
        false,
        c"open_episodes",
        c"Episodes of failure that are open",
        |f| f.detector.open_episodes,
    ),
    (
        true,
        c"templates_evicted_total",
        c"Templates that were replaced by others",
        |f| f.detector.templates_evicted,
    ),
    (
        true,
        c"save_failures_total",
        c"Saves of the learned state that failed",
        |f| f.save_failures,
    ),
    (false, c"templates", c"Templates", |f| f.detector.templates),
    (false, c"windows", c"Windows", |f| f.detector.windows),
    (false, c"streams", c"Streams that are tracked", |f| {
        f.detector.streams
    }),
    (
        false,
        c"failure_risk_percent",
        c"Highest probability of a host that its guests fail within 10 minutes, in percent; an evidence score unless calibrated",
        |f| f.risk.highest_percent,
    ),
    (
        true,
        c"failure_risks_total",
        c"Risks of failure that were raised",
        |f| f.risk.detector.raised,
    ),
    (
        false,
        c"open_failure_risks",
        c"Risks of failure that are open",
        |f| f.risk.detector.open,
    ),
    (
        false,
        c"board_hosts",
        c"Hosts whose metrics are on the board",
        |f| f.risk.board_hosts,
    ),
    (
        true,
        c"board_damaged_total",
        c"Damaged records of the board",
        |f| f.risk.board_damaged,
    ),
    (false, c"bytes", c"Memory of the detector, in bytes", |f| {
        f.detector.bytes
    }),
];

/// The companion input of a pipeline.
#[derive(Debug)]
pub struct Companion {
    /// The host's instance of it, which identifies it.
    instance: usize,
    name: String,
    metrics: Vec<(Metric, Read)>,
    dropped: Option<Metric>,
    next_metrics: Instant,
    since: Instant,
    said_alone: bool,
}

impl Companion {
    /// What the host calls it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is another input than `instance` and one of the pipeline with that configuration.
    ///
    /// # Safety
    /// `instance` and `config` are what the host passes to `cb_init`.
    unsafe fn is_beside(&self, host: Host, instance: Handle, config: Handle) -> bool {
        // An input of the same name at the same place: one of a former pipeline is at most one of the two.
        // SAFETY: as the caller promises; the host lists the inputs, which live.
        let is_it = |&other: &Handle| unsafe {
            other as usize == self.instance && host.input_name(other) == self.name
        };
        // SAFETY: as above; the pipeline has this input.
        self.instance != instance as usize && unsafe { abi::inputs(config) }.iter().any(is_it)
    }

    /// # Safety
    /// `instance` is this input, within its callback.
    unsafe fn collect(&mut self, host: Host, channel: &Channel, instance: Handle) {
        // SAFETY: as the caller promises.
        channel.deliver(|records| unsafe { host.append(instance, records) });
        let statuses = channel.statuses();
        for status in &statuses {
            status.write(Duration::ZERO, |level, line| host.log(level, line));
        }
        let now = Instant::now();
        if now < self.next_metrics {
            return;
        }
        self.next_metrics = now + METRICS_INTERVAL;
        if statuses.is_empty() && !self.said_alone && now - self.since > ALONE {
            self.said_alone = true;
            let message = format!(
                "[input:bellwether:{}] there is no filter bellwether in this pipeline whose events could be taken; \
                 flb-in_bellwether.so has to be a symbolic link to the flb-filter_bellwether.so that the pipeline loads, not a \
                 copy of it",
                self.name
            );
            host.log(Level::Warning, &message);
        }
        let nanos = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_nanos() as u64);
        for status in &statuses {
            let figures = status.figures.lock().clone();
            let Ok(label) = CString::new(figures.name.as_str()) else {
                continue;
            };
            for (metric, read) in &self.metrics {
                // SAFETY: as the caller promises.
                unsafe { metric.set(nanos, read(&figures) as f64, &label) };
            }
        }
        if let Some(metric) = &self.dropped
            && let Ok(label) = CString::new(self.name.as_str())
        {
            let dropped = channel.dropped();
            // SAFETY: as the caller promises.
            unsafe { metric.set(nanos, dropped as f64, &label) };
        }
    }
}

/// `cb_init`.
pub unsafe extern "C" fn init(instance: Handle, config: Handle, _: *mut c_void) -> c_int {
    guard(-1, || {
        let Some(host) = host() else {
            return -1;
        };
        // SAFETY: the host passes the input that it starts.
        match unsafe { start(host, instance, config) } {
            Ok(()) => 0,
            Err(error) => {
                // SAFETY: as above.
                let name = unsafe { host.input_name(instance) };
                host.log(Level::Error, &format!("[input:bellwether:{name}] {error}"));
                -1
            }
        }
    })
}

/// # Safety
/// `instance` and `config` are what the host passes to `cb_init`.
unsafe fn start(host: Host, instance: Handle, config: Handle) -> Result<(), String> {
    // SAFETY: as the caller promises, in all of this.
    unsafe {
        let property = |key: &str| host.input_property(instance, key);
        if let Some(risk) = check(Layout::of_program().fits_input(), property)? {
            let name = host.input_name(instance);
            host.log(Level::Warning, &format!("[input:bellwether:{name}] {risk}"));
        }
        let limit = config::queue_length(property)?;
        event::remember(limit);
        let metrics = Metrics::of(instance);
        let of_filters = metrics.iter().flat_map(|metrics| {
            METRICS.iter().filter_map(|&(counter, name, help, read)| {
                Some((metrics.metric(counter, c"filter", name, help)?, read))
            })
        });
        let of_filters = of_filters.collect();
        let dropped = metrics.as_ref().and_then(|metrics| {
            let help = c"Events that were dropped because the queue was full";
            metrics.metric(true, c"input", c"events_dropped_total", help)
        });
        let now = Instant::now();
        let companion = Companion {
            instance: instance as usize,
            name: host.input_name(instance),
            metrics: of_filters,
            dropped,
            next_metrics: now,
            since: now,
            said_alone: false,
        };
        Channel::accompany(config as usize, companion, limit, |former| {
            former.is_beside(host, instance, config)
        })?;
        // The context only has to be something: what is kept of a pipeline is found by its configuration.
        if host.collect_by_time(instance, config, config, collect, COLLECT_NANOS) {
            Ok(())
        } else {
            Err("the host gives it no timer".into())
        }
    }
}

/// `cb_collect`.
pub unsafe extern "C" fn collect(instance: Handle, config: Handle, _: *mut c_void) -> c_int {
    guard(0, || {
        if let (Some(host), Some(channel)) = (host(), Channel::find(config as usize))
            && let Some(companion) = &mut *channel.companion.lock()
        {
            // SAFETY: the host passes the input that is collected.
            unsafe { companion.collect(host, &channel, instance) };
        }
        0
    })
}
