//! Removal of hypervisors and series: clears what is open.

use super::silence::silence;
use super::{cleared, ended, is_open_elsewhere};
use crate::event::{Event, Evidence, MESSAGE_MAX_BYTES, Silence};
use crate::had::hypervisor::Hypervisor;
use crate::had::incident::End;
use crate::had::options::HadOptions;
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
    let mut events = Vec::new();
    for reported in &hypervisor.reported {
        let series = hypervisor
            .main(reported.metric)
            .map_or(hypervisor.series.first(), |at| hypervisor.series.get(at));
        let Some(series) = series else {
            continue;
        };
        let mut event = cleared(name, options, series, reported, time, End::Gone);
        if why != Removal::Forgotten {
            let lasted = duration((time - reported.since).max(0.0));
            event.message = shortened(
                &format!("{name}: silent, {what}, after {lasted}"),
                MESSAGE_MAX_BYTES,
            );
            if let Evidence::HypervisorAnomaly(anomaly) = &mut event.evidence {
                anomaly.reason = Some(reason.to_owned());
            }
        }
        events.push(event);
    }
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

/// The events that clear what is open of the series `at` that most VMs left for another interval.
pub(crate) fn interval_changed(
    hypervisor: &mut Hypervisor,
    at: usize,
    options: &HadOptions,
    time: f64,
) -> Vec<Event> {
    series_ended(hypervisor, at, options, time, End::Superseded)
}

/// The events that clear what is open of the series `at` whose VMs are all forgotten, while others of the hypervisor remain.
pub(crate) fn vms_removed(
    hypervisor: &mut Hypervisor,
    at: usize,
    options: &HadOptions,
    time: f64,
) -> Vec<Event> {
    series_ended(hypervisor, at, options, time, End::Gone)
}

fn series_ended(
    hypervisor: &mut Hypervisor,
    at: usize,
    options: &HadOptions,
    time: f64,
    end: End,
) -> Vec<Event> {
    let mut events = Vec::new();
    let series = &hypervisor.series[at];
    let is_open =
        series.incidents.is_raised() && !is_open_elsewhere(series, &hypervisor.others(at), options);
    if is_open {
        let known = (series, &mut hypervisor.reported);
        ended(&hypervisor.name, options, known, time, end, &mut events);
    }
    events
}
