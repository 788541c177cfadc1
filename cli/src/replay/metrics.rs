//! Recorded metrics through a detector: CSV files in, events as JSON Lines out.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use bellwether_core::event::EventKind;
use bellwether_core::had::{Counters, HadOptions};
use clap::CommandFactory as _;
use clap::error::ErrorKind;

use super::feed::Feed;
use super::{Line, Replayed, in_order};
use crate::args::{Arguments, Kind, MetricsArguments, Setting};
use crate::files::files;
use crate::series::{ENDINGS, Series, hypervisor};

/// Seconds between two rows, unless said otherwise: what public traces of VMs have.
pub const DEFAULT_INTERVAL: &str = "300";

/// Replays files of metrics and prints the events.
pub fn metrics(arguments: &MetricsArguments) -> Result<()> {
    let options = detector_options(arguments)?;
    let files = files(&arguments.paths, ENDINGS)?;
    refuse_namesakes(&files)?;
    in_order(&files, arguments.jobs, "hypervisors", |file| {
        replay(file, &options, arguments)
    })
}

/// The detector's options.
///
/// # Errors
/// The usage error that says how they contradict each other.
fn detector_options(arguments: &MetricsArguments) -> Result<HadOptions, clap::Error> {
    let workload = arguments
        .kinds
        .iter()
        .any(|k| k.covers(EventKind::WorkloadChange));
    let defaults = [
        ("interval", DEFAULT_INTERVAL),
        ("workload_changes", if workload { "true" } else { "false" }),
    ]
    .map(|(name, value)| Setting {
        name: name.to_owned(),
        value: value.to_owned(),
    });
    set(defaults
        .iter()
        .chain(&arguments.settings)
        .chain(&arguments.interval))
}

/// The detector's options after these settings; the last one of a name wins.
///
/// # Errors
/// The usage error that says how they contradict each other.
pub fn set<'a>(settings: impl IntoIterator<Item = &'a Setting>) -> Result<HadOptions, clap::Error> {
    let mut options = HadOptions::default();
    settings
        .into_iter()
        .try_for_each(|s| options.set(&s.name, &s.value))
        .and_then(|()| options.validate())
        .map_err(|error| Arguments::command().error(ErrorKind::ValueValidation, error))?;
    Ok(options)
}

/// Two files of one name would be one hypervisor to whoever reads the output.
///
/// # Errors
/// The first two of one name.
pub fn refuse_namesakes(files: &[PathBuf]) -> Result<()> {
    let mut seen: HashMap<String, &Path> = HashMap::new();
    for file in files {
        let name = hypervisor(file);
        if let Some(other) = seen.insert(name.clone(), file) {
            bail!(
                "{} and {} are both of the hypervisor \"{name}\"; give one of them another name",
                other.display(),
                file.display()
            );
        }
    }
    Ok(())
}

fn replay(file: &Path, options: &HadOptions, arguments: &MetricsArguments) -> Result<Replayed> {
    let mut series = Series::open(file, arguments.lenient)?;
    let hypervisor = hypervisor(file);
    let mut feed = Feed::new(options, &hypervisor, series.vms().to_vec())?;
    let mut lines = Vec::new();
    let mut values = Vec::new();
    let mut rows = 0_u64;
    while let Some(row) = series.next_row(&mut values)? {
        rows += 1;
        feed.row(row, &values);
        print_events(&mut feed, &arguments.kinds, &mut lines)?;
    }

    let mut warnings = warnings(file, series.bad_cells, &feed.counters());
    if rows == 0 {
        warnings.push(format!("{}: there are no rows in it", file.display()));
    }
    Ok(Replayed {
        lines,
        warnings,
        ..Replayed::default()
    })
}

/// What the user should know of a file although it is no error: cells that were taken for missing samples, and values that the
/// detector did not count.
pub fn warnings(file: &Path, bad_cells: u64, counters: &Counters) -> Vec<String> {
    [
        (
            bad_cells,
            "cells that are no valid value, taken for missing samples",
        ),
        (
            counters.full,
            "samples ignored, of VMs beyond the option \"max_vms\"",
        ),
        (
            counters.vms_evicted,
            "VMs that no longer reported and made room for others because of the option \"max_vms\"",
        ),
        (
            counters.refused,
            "samples refused, with names or values beyond what a detector takes",
        ),
        (
            counters.late,
            "samples ignored, of rows that were judged already",
        ),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!("{}: {what}: {count}", file.display()))
    .collect()
}

fn print_events(feed: &mut Feed<'_>, kinds: &[Kind], out: &mut Vec<u8>) -> Result<()> {
    while let Some((event, index)) = feed.next_event() {
        if kinds.iter().any(|kind| kind.covers(event.event)) {
            Line {
                event: &event,
                index,
            }
            .write(out)?;
        }
    }
    Ok(())
}
