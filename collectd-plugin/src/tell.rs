//! From events and states to what collectd carries: notifications and values of stock types.

use bellwether_sys::{Counters, Event, Status};
use rustc_hash::FxHashMap;

use crate::host::{Gauge, Host, Notification, Severity};

/// Dispatches an event as a notification.
///
/// The type is the event's kind, the host its hypervisor, the type instance its metric, and the plugin instance its VM where
/// it is about one alone: so what is raised and what is cleared later have the same identifier. All keys of the event are
/// its metadata.
pub fn event(host: &dyn Host, event: &Event) {
    let text = |key| event.text(key).unwrap_or_default();
    host.dispatch_notification(&Notification {
        severity: severity(text("severity")),
        time: event.number("time").unwrap_or_else(|| host.now()),
        host: text("hypervisor"),
        plugin_instance: text("vm"),
        type_: text("event"),
        type_instance: text("metric"),
        message: text("message"),
        // The message has its own place in a notification.
        metadata: event
            .fields()
            .filter(|(key, _)| *key != "message")
            .collect(),
    });
}

fn severity(word: &str) -> Severity {
    match word {
        "failure" => Severity::Failure,
        "okay" => Severity::Okay,
        _ => Severity::Warning,
    }
}

/// Which ticks were told of as values.
#[derive(Debug, Default)]
pub struct Told {
    /// For each hypervisor its metrics, and the time of the last tick told of each.
    ticks: FxHashMap<Box<str>, Vec<(Box<str>, f64)>>,
}

impl Told {
    /// Dispatches the values of every hypervisor and metric whose last tick was not told yet; gives their number.
    pub fn values<'a>(
        &mut self,
        host: &dyn Host,
        interval: f64,
        statuses: impl Iterator<Item = Status<'a>>,
    ) -> usize {
        let mut present = 0;
        for status in statuses {
            present += 1;
            if self.is_new(&status) {
                values_of(host, interval, &status);
            }
        }
        // Hypervisors that the detector has forgotten.
        if self.ticks.len() > 2 * present + 64 {
            self.ticks.clear();
        }
        present
    }

    fn is_new(&mut self, status: &Status<'_>) -> bool {
        if status.time <= 0.0 {
            return false;
        }
        if let Some(metrics) = self.ticks.get_mut(status.hypervisor)
            && let Some((_, last)) = metrics.iter_mut().find(|(m, _)| **m == *status.metric)
        {
            let new = status.time > *last;
            *last = last.max(status.time);
            return new;
        }
        self.ticks
            .entry(status.hypervisor.into())
            .or_default()
            .push((status.metric.into(), status.time));
        true
    }
}

fn values_of(host: &dyn Host, interval: f64, status: &Status<'_>) {
    let values = [
        ("percent", "consensus", 100.0 * status.consensus),
        ("gauge", "score", status.score),
        ("gauge", "raised", f64::from(u8::from(status.raised))),
        ("count", "voters", f64::from(status.voters)),
    ];
    for (type_, name, value) in values {
        // CPU is the metric that everybody watches: its values have short names.
        let named;
        let type_instance = if status.metric == "cpu" {
            name
        } else {
            named = format!("{name}-{}", status.metric);
            &named
        };
        host.dispatch_gauge(&Gauge {
            plugin_instance: status.hypervisor,
            type_,
            type_instance,
            time: status.time,
            interval,
            value,
        });
    }
}

/// What the plugin itself counts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tallies {
    /// Counters that went backwards.
    pub resets: u64,
    /// Samples that came twice.
    pub duplicates: u64,
    /// Samples too late for a rate.
    pub late: u64,
    /// Values whose VM or hypervisor could not be told.
    pub unnamed: u64,
    /// Values of VMs or devices that there is no room for.
    pub full: u64,
}

/// Dispatches the values on the plugin itself: `waiting` values in its queue, so many `dropped`.
pub fn health(
    host: &dyn Host,
    interval: f64,
    waiting: usize,
    dropped: u64,
    tallies: &Tallies,
    core: &Counters,
) {
    let time = host.now();
    let counts = [
        ("dropped", dropped),
        ("taken", core.taken),
        ("duplicate", tallies.duplicates + core.duplicate),
        ("late", tallies.late + core.late),
        ("masked", core.masked),
        ("reset", tallies.resets),
        ("unnamed", tallies.unnamed),
        ("refused", core.refused),
        ("full", tallies.full + core.full),
        ("hypervisors", core.hypervisors),
        ("vms", core.vms),
    ];
    let gauge = |type_, type_instance, value| {
        host.dispatch_gauge(&Gauge {
            plugin_instance: "",
            type_,
            type_instance,
            time,
            interval,
            value,
        });
    };
    gauge("gauge", "queue", waiting as f64);
    for (name, count) in counts {
        gauge("count", name, count as f64);
    }
}
