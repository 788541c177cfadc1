//! From events and states to what collectd carries: notifications and values of stock types.

use bellwether_sys::{Event, HadCounters, ResourceCounters, Status};
use rustc_hash::FxHashMap;

use crate::host::{Gauge, Host, Notification, Severity};

/// Dispatches an event as a notification.
///
/// The type is the event's kind, the host its hypervisor, the type instance its metric, and the plugin instance its VM where
/// it is about one alone: so what is raised and what is cleared later have the same identifier. What is about the collector
/// or the fleet has the daemon's own host. All keys of the event are its metadata.
pub fn event(host: &dyn Host, event: &Event) {
    let text = |key| event.text(key).unwrap_or_default();
    let about = match text("hypervisor") {
        "" => host.hostname(),
        hypervisor => hypervisor,
    };
    host.dispatch_notification(&Notification {
        severity: severity(text("severity")),
        time: event.number("time").unwrap_or_else(|| host.now()),
        host: about,
        plugin_instance: text("vm"),
        type_: text("event"),
        type_instance: text("metric"),
        message: text("message"),
        // The message has its own place in a notification.
        metadata: event
            .fields()
            .filter(|field| field.key != "message")
            .map(|field| (field.key, field.text))
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

/// Which ticks were dispatched as values.
#[derive(Debug, Default)]
pub struct Dispatched {
    ticks: FxHashMap<Box<str>, Ticks>,
    /// Counts the looks at the statuses.
    look: u64,
}

/// What was dispatched of a hypervisor.
#[derive(Debug, Default)]
struct Ticks {
    /// Its metrics, and the time of the last tick dispatched of each.
    metrics: Vec<(Box<str>, f64)>,
    /// The last look that found it.
    look: u64,
}

impl Dispatched {
    /// Dispatches the values of every hypervisor and metric whose last tick was not dispatched yet; gives their number. `masked` is
    /// whether one of the values is that of maintenance.
    pub fn values<'a>(
        &mut self,
        host: &dyn Host,
        statuses: impl Iterator<Item = Status<'a>>,
        masked: bool,
    ) -> usize {
        let mut present = 0;
        self.look += 1;
        for status in statuses {
            present += 1;
            if self.is_new(&status) {
                values_of(host, &status, masked);
            }
        }
        // Hypervisors that the detector has forgotten.
        if self.ticks.len() > 2 * present + 64 {
            let look = self.look;
            self.ticks.retain(|_, ticks| ticks.look == look);
        }
        present
    }

    fn is_new(&mut self, status: &Status<'_>) -> bool {
        if status.time <= 0.0 {
            return false;
        }
        let look = self.look;
        if let Some(ticks) = self.ticks.get_mut(status.hypervisor)
            && let Some((_, last)) = ticks
                .metrics
                .iter_mut()
                .find(|(m, _)| **m == *status.metric)
        {
            ticks.look = look;
            // The time of a tick follows the samples' phase, so that of the last one shifts a little after it was dispatched.
            let new = (status.time - *last).abs() > 0.5 * status.interval;
            if new {
                *last = status.time;
            }
            return new;
        }
        let ticks = self.ticks.entry(status.hypervisor.into()).or_default();
        ticks.look = look;
        ticks.metrics.push((status.metric.into(), status.time));
        true
    }
}

fn values_of(host: &dyn Host, status: &Status<'_>, masked: bool) {
    let values = [
        ("percent", "consensus", 100.0 * status.consensus),
        ("gauge", "score", status.score),
        ("gauge", "raised", f64::from(u8::from(status.raised))),
        ("count", "voters", f64::from(status.voters)),
    ];
    let maintenance = ("gauge", "masked", f64::from(u8::from(status.masked)));
    let maintenance = masked.then_some(maintenance);
    for (type_, name, value) in values.into_iter().chain(maintenance) {
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
            interval: status.interval,
            value,
        });
    }
}

/// What the plugin itself counts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    /// Counters that went backwards.
    pub resets: u64,
    /// Samples that came twice.
    pub duplicates: u64,
    /// Samples too late for a rate.
    pub late: u64,
    /// Values whose VM or hypervisor is unknown.
    pub unnamed: u64,
    /// Values of resources whose time or interval cannot be.
    pub refused: u64,
    /// Values of VMs or devices beyond the limits.
    pub full: u64,
    /// VMs whose counters were replaced by those of others.
    pub evicted: u64,
    /// How often the clock of this machine was set.
    pub wall_steps: u64,
    /// Saves of the learned state that failed.
    pub save_failures: u64,
}

/// Dispatches the values on the plugin itself: `waiting` values in its queue, and how many were `dropped`. `resources` are the counters
/// of the detector of resources, if there is one.
pub fn health(
    host: &dyn Host,
    interval: f64,
    waiting: usize,
    dropped: u64,
    counts: &Counts,
    core: &HadCounters,
    resources: Option<&ResourceCounters>,
) {
    let time = host.now();
    let named = [
        ("dropped", dropped),
        ("taken", core.taken),
        ("duplicate", counts.duplicates + core.duplicate),
        ("late", counts.late + core.late),
        ("masked", core.masked),
        ("reset", counts.resets),
        ("unnamed", counts.unnamed),
        ("refused", counts.refused + core.refused),
        ("full", counts.full + core.full),
        ("set_aside", core.set_aside),
        ("intervals_changed", core.intervals_changed),
        ("clock_steps", core.clock_steps),
        ("wall_steps", counts.wall_steps),
        ("unjudged", core.unjudged),
        ("fleet_changes", core.fleet_changes),
        ("hypervisors", core.hypervisors),
        ("vms", core.vms),
        ("hypervisors_evicted", core.hypervisors_evicted),
        ("vms_evicted", counts.evicted + core.vms_evicted),
        (
            "notifications_lost",
            core.events_lost + resources.map_or(0, |resources| resources.events_lost),
        ),
        ("save_failures", counts.save_failures),
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
    for (name, count) in named {
        gauge("count", name, count as f64);
    }
    if let Some(resources) = resources {
        gauge("count", "resource_hosts", resources.hypervisors as f64);
        gauge("count", "resource_rows", resources.taken as f64);
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;

    use super::*;
    use crate::host::Level;

    /// A daemon that keeps the gauges it gets, as "PLUGIN_INSTANCE/TYPE-TYPE_INSTANCE VALUE".
    #[derive(Default)]
    struct Recorder(Mutex<Vec<String>>);

    impl Host for Recorder {
        fn log(&self, _: Level, _: &str) {}
        fn now(&self) -> f64 {
            1000.0
        }
        fn steady(&self) -> f64 {
            1000.0
        }
        fn hostname(&self) -> &str {
            "here"
        }
        fn dispatch_gauge(&self, gauge: &Gauge<'_>) {
            let Gauge {
                plugin_instance,
                type_,
                type_instance,
                value,
                ..
            } = gauge;
            let line = format!("{plugin_instance}/{type_}-{type_instance} {value}");
            self.0.lock().push(line);
        }
        fn dispatch_notification(&self, _: &Notification<'_>) {}
    }

    fn status(metric: &'static str, time: f64) -> Status<'static> {
        Status {
            hypervisor: "hv0",
            metric,
            time,
            score: 0.25,
            consensus: 0.5,
            voters: 7,
            vms: 8,
            raised: false,
            masked: true,
            interval: 10.0,
            since: None,
            provisional: false,
        }
    }

    /// What is dispatched when these statuses are looked at one after the other, at an interval of ten seconds.
    fn dispatched(statuses: &[Status<'static>]) -> Vec<String> {
        let (host, mut values) = (Recorder::default(), Dispatched::default());
        for status in statuses {
            values.values(&host, [*status].into_iter(), false);
        }
        host.0.into_inner()
    }

    #[test]
    fn a_tick_is_dispatched_in_four_values_of_stock_types() {
        let expected = [
            "hv0/percent-consensus 50",
            "hv0/gauge-score 0.25",
            "hv0/gauge-raised 0",
            "hv0/count-voters 7",
        ];
        assert_eq!(dispatched(&[status("cpu", 1000.0)]), expected);
    }

    #[test]
    fn where_windows_are_configured_a_fifth_value_says_whether_it_was_in_one() {
        let (host, mut values) = (Recorder::default(), Dispatched::default());
        values.values(&host, [status("cpu", 1000.0)].into_iter(), true);
        let lines = host.0.into_inner();
        assert_eq!((lines.len(), &*lines[4]), (5, "hv0/gauge-masked 1"));
    }

    #[test]
    fn the_values_of_other_metrics_have_its_name() {
        let all = dispatched(&[status("cpu", 1000.0), status("disk_ops", 1000.0)]);
        assert_eq!(all.len(), 8);
        assert_eq!(all[5], "hv0/gauge-score-disk_ops 0.25");
    }

    #[test]
    fn a_tick_is_dispatched_once_although_its_time_shifts_a_little() {
        let times = [1000.0, 1000.0, 1000.2, 999.9, 1010.1, 1010.0];
        assert_eq!(
            dispatched(&times.map(|time| status("cpu", time))).len(),
            2 * 4
        );
    }

    #[test]
    fn hypervisors_that_come_once_and_are_forgotten_have_no_other_dispatched_twice() {
        let (host, mut values) = (Recorder::default(), Dispatched::default());
        for n in 0..1000 {
            let name = format!("invented-{n}");
            let invented = Status {
                hypervisor: &name,
                ..status("cpu", 1000.0)
            };
            values.values(&host, [status("cpu", 1000.0), invented].into_iter(), false);
        }
        let lines = host.0.into_inner();
        let own = lines.iter().filter(|line| line.starts_with("hv0/"));
        assert_eq!(own.count(), 4);
        assert!(values.ticks.len() < 100, "{}", values.ticks.len());
    }

    #[test]
    fn a_hypervisor_whose_clock_was_set_back_is_dispatched_again() {
        let times = [1000.0, 500.0, 510.0];
        assert_eq!(
            dispatched(&times.map(|time| status("cpu", time))).len(),
            3 * 4
        );
    }

    #[test]
    fn before_the_first_tick_there_is_nothing_to_dispatch() {
        assert_eq!(dispatched(&[status("cpu", 0.0)]).len(), 0);
    }
}
