//! Maintenance: clears what is open.

use super::ended;
use super::silence::silence;
use crate::event::{Event, Silence};
use crate::had::incident::End;
use crate::had::joint::Reported;
use crate::had::options::HadOptions;
use crate::had::series::{Series, Tick};
use crate::text::duration;

/// The events that clear at a tick in maintenance what is open of a hypervisor: its silence, and its incident, or that of the
/// metric.
pub(crate) fn masked(
    name: &str,
    options: &HadOptions,
    series: &mut Series,
    tick: &Tick,
    reported: &mut Vec<Reported>,
    silent_since: &mut Option<f64>,
) -> Vec<Event> {
    let mut events = Vec::new();
    if let Some(since) = silent_since.take() {
        let lasted = duration(tick.time - since.min(tick.time));
        let text = format!("{name}: silent for {lasted}, now in maintenance");
        let evidence = Silence {
            vms: None,
            reason: Some("maintenance".to_owned()),
        };
        events.push(silence(name, since, tick.time, &text, evidence));
    }
    // The first of its series that is in maintenance clears what any of them has raised.
    let known = (&*series, reported);
    ended(
        name,
        options,
        known,
        tick.time,
        End::Maintenance,
        &mut events,
    );
    series.incidents.end();
    series.follows_time_of_day = false;
    events
}
