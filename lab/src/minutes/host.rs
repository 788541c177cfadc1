//! A generated host, replayed through the detectors.

use std::collections::BTreeSet;

use anyhow::Result;
use bellwether_core::had::HadOptions;
use bellwether_core::lad::{LadOptions, Record, SharedInference, Source as LogSource};
use bellwether_core::resource::ResourceOptions;
use bellwether_core::units::Time;

use super::incidents::Incidents;
use super::lines::{Lines, minute_of};
use super::published::{self, Keys, Rows};
use super::resources::Resources;
use super::truth::{Host, Minute};
use crate::generate::host::day::HostDay;
use crate::generate::host::resources::Row;
use crate::generate::host::setting::seconds;

/// The detectors to replay hosts through.
#[derive(Clone)]
pub struct Detectors {
    /// The options of LAD.
    pub lad: LadOptions,
    /// Its lexicon.
    pub inference: SharedInference,
    /// The options of HAD.
    pub had: HadOptions,
    /// The options of the detector of resources.
    pub resource: ResourceOptions,
}

/// Replays a host through the detectors; the minutes are those of its host-day until a guest dies.
///
/// # Errors
/// Options that contradict each other.
pub fn replay(day: &HostDay<'_>, detectors: &Detectors) -> Result<Host> {
    let end = day.end();
    let mut lines = Lines::new(&detectors.lad, &detectors.inference)?;
    for entry in day.log()?.take_while(|entry| entry.time < end) {
        lines.observe(&Record {
            stream: &day.name,
            time: Time::from_secs(seconds(entry.time)),
            text: &entry.text,
            priority: Some(entry.severity),
            source: LogSource {
                program: entry.source.as_bytes(),
                ..LogSource::default()
            },
        });
    }
    let (vms, guests) = (day.vms(), day.guests());
    let rows = day.resources(&vms);
    let interval = seconds(day.setting.interval);
    let times: Vec<f64> = day.setting.rows().map(seconds).collect();
    let until = times.partition_point(|time| *time < seconds(end));
    let mut incidents = Incidents::new(&detectors.had)?;
    let mut resources = Resources::new(&detectors.resource)?;
    for (row, &time) in times[..until].iter().enumerate() {
        let values = vms.iter().map(|vm| vm[row]);
        incidents.observe(&day.name, &guests, time, interval, values);
        resources.observe(&day.name, time, interval, &rows[row]);
    }
    let counted = seconds(day.setting.counted().start);
    let flagged = flagged(&lines.keys, &times[..until], &rows, counted);
    let minutes = (minute_of(counted) + 1..)
        .map(|number| (number, number as f64 * 60.0))
        .take_while(|(_, time)| *time <= seconds(end))
        .map(|(number, time)| {
            let (log, novelty) = lines.states(time);
            Minute {
                time,
                states: [log, incidents.state(time), resources.state(time), novelty],
                published: published::share(&flagged, number),
            }
        });
    Ok(Host {
        name: day.name.clone(),
        failure: day
            .failure
            .as_ref()
            .map(|failure| (seconds(failure.begin), seconds(failure.death))),
        minutes: minutes.collect(),
    })
}

/// The minutes from `counted` on in which one of the published models has a flag, after learning from what was before.
fn flagged(keys: &[(f64, u64)], times: &[f64], rows: &[Row], counted: f64) -> BTreeSet<i64> {
    let benign = keys.partition_point(|(time, _)| *time < counted);
    let model = Keys::learn(keys[..benign].iter().map(|(_, key)| *key));
    let by_keys = keys.windows(2).filter(|pair| {
        let [(_, before), (time, next)] = pair else {
            return false;
        };
        *time >= counted && model.flags(*before, *next)
    });
    let mut flagged: BTreeSet<i64> = by_keys.map(|pair| minute_of(pair[1].0)).collect();
    let rows: Vec<&[f64]> = rows.iter().map(Row::as_slice).take(times.len()).collect();
    let first = times.partition_point(|time| *time < counted);
    if let Some(model) = Rows::learn(&rows[..first]) {
        let flags = model.flags(&rows[first..]);
        let by_rows = times[first..].iter().zip(flags).filter(|(_, flag)| *flag);
        flagged.extend(by_rows.map(|(time, _)| minute_of(*time)));
    }
    flagged
}
