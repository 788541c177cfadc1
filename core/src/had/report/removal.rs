//! Removal of hypervisors and series: clears what is open.

use super::cleared;
use super::silence::silence;
use crate::event::{Event, Evidence, MESSAGE_MAX_BYTES, Silence};
use crate::had::hypervisor::{Hypervisor, Others};
use crate::had::incident::End;
use crate::had::options::HadOptions;
use crate::had::series::Series;
use crate::text::{duration, shortened};

/// Why a hypervisor is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Removal {
    /// It has been silent for the option `forget_sec`.
    Forgotten,
    /// It was evicted at the option `max_hypervisors`.
    Evicted,
    /// It was evicted at the option `max_memory_mib`.
    OutOfMemory,
}

/// The events that clear what is open of a hypervisor that is being removed.
pub(crate) fn removed(
    name: &str,
    options: &HadOptions,
    hypervisor: &Hypervisor,
    time: f64,
    why: Removal,
) -> Vec<Event> {
    let (what, reason) = match why {
        Removal::Forgotten => ("forgotten", "forgotten"),
        Removal::Evicted => (
            "evicted because max_hypervisors is reached",
            "evicted: max_hypervisors is reached",
        ),
        Removal::OutOfMemory => (
            "evicted because max_memory_mib is reached",
            "evicted: max_memory_mib is reached",
        ),
    };
    let raised = |metric| {
        let mut series = hypervisor.of(metric).map(|(_, series)| series);
        series.find(|series| series.incidents.is_raised())
    };
    let mut events: Vec<Event> = hypervisor
        .metrics()
        .filter_map(raised)
        .map(|series| {
            let mut event = cleared(name, options, series, time, End::Gone);
            if why != Removal::Forgotten {
                let lasted = duration(time - series.raised_since);
                event.message = shortened(
                    &format!("{name}: silent, {what}, after {lasted}"),
                    MESSAGE_MAX_BYTES,
                );
                if let Evidence::HypervisorAnomaly(anomaly) = &mut event.evidence {
                    anomaly.reason = Some(reason.to_owned());
                }
            }
            event
        })
        .collect();
    if let Some(since) = hypervisor.silent_since {
        let lasted = duration(time - since.min(time));
        let text = format!("{name}: silent for {lasted}, {what}");
        let evidence = Silence {
            vms: None,
            reason: Some(reason.to_owned()),
        };
        events.push(silence(name, since, time, &text, evidence));
    }
    events
}

/// The events that clear what is open of a series that most VMs left for another interval.
pub(crate) fn interval_changed(
    name: &str,
    options: &HadOptions,
    series: &Series,
    others: &Others<'_>,
    time: f64,
) -> Vec<Event> {
    let is_open = series.incidents.is_raised() && others.raised_since(series.metric).is_none();
    let event = is_open.then(|| cleared(name, options, series, time, End::Superseded));
    event.into_iter().collect()
}

/// The events that clear what is open of a series whose VMs are all forgotten, while others of the hypervisor remain.
pub(crate) fn vms_removed(
    hypervisor: &Hypervisor,
    at: usize,
    options: &HadOptions,
    time: f64,
) -> Vec<Event> {
    let series = &hypervisor.series[at];
    let is_reported = hypervisor.others(at).raised_since(series.metric).is_some();
    let is_open = series.incidents.is_raised() && !is_reported;
    let event = is_open.then(|| cleared(&hypervisor.name, options, series, time, End::Gone));
    event.into_iter().collect()
}
