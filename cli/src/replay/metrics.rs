//! Recorded metrics through a detector: CSV files in, events as JSON Lines out.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use bellwether_core::event::EventKind;
use bellwether_core::had::{Detector, HadOptions, Observation};
use clap::CommandFactory as _;
use clap::error::ErrorKind;

use super::{Line, Replayed, in_order};
use crate::args::{Arguments, Kind, MetricsArguments};
use crate::files::files;
use crate::series::{ENDINGS, Series, hypervisor};

/// Seconds between two rows, unless said otherwise: what public traces of VMs have.
const DEFAULT_INTERVAL: &str = "300";

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
    let mut options = HadOptions::default();
    let workload = arguments
        .kinds
        .iter()
        .any(|k| k.covers(EventKind::WorkloadChange));
    let defaults = [
        ("interval", DEFAULT_INTERVAL),
        ("workload_changes", if workload { "true" } else { "false" }),
    ];
    let given = arguments.settings.iter().chain(&arguments.interval);
    let given = given.map(|s| (s.name.as_str(), s.value.as_str()));
    defaults
        .into_iter()
        .chain(given)
        .try_for_each(|(name, value)| options.set(name, value))
        .and_then(|()| options.validate())
        .map_err(|error| Arguments::command().error(ErrorKind::ValueValidation, error))?;
    Ok(options)
}

/// Two files of one name would be one hypervisor to whoever reads the output.
fn refuse_namesakes(files: &[PathBuf]) -> Result<()> {
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
    let interval = options.interval;
    let metric = options
        .metrics
        .first()
        .context("the option \"metrics\" names none")?;
    let mut detector = Detector::new(options.clone())?;
    let vms = series.vms().to_vec();
    let mut lines = Vec::new();
    let mut values = Vec::new();
    // A row is judged as soon as all VMs of the row before have reported. One that was missing there would come too late for
    // its own row if it came last, so those come first.
    let mut order: Vec<usize> = (0..vms.len()).collect();
    while let Some(row) = series.next_row(&mut values)? {
        for &vm in &order {
            let Some(value) = values[vm] else { continue };
            detector.observe(&Observation {
                hypervisor: &hypervisor,
                vm: &vms[vm],
                metric,
                time: row as f64 * interval,
                interval,
                value,
            });
        }
        order.sort_by_key(|&vm| (values[vm].is_some(), vm));
        detector.advance((row + 1) as f64 * interval);
        print_events(&mut detector, &arguments.kinds, interval, &mut lines)?;
    }

    let counters = detector.counters();
    let warnings = [
        (
            series.bad_cells,
            "cells that are no valid value, taken for missing samples",
        ),
        (
            counters.full,
            "samples ignored, of VMs beyond the option \"max_vms\"",
        ),
        (
            counters.refused,
            "samples refused, with names or values beyond what a detector takes",
        ),
        (
            counters.late,
            "samples ignored, of rows that were judged already",
        ),
    ];
    let warnings = warnings
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{}: {what}: {count}", file.display()))
        .collect();
    Ok(Replayed {
        lines,
        warnings,
        ..Replayed::default()
    })
}

fn print_events(
    detector: &mut Detector,
    kinds: &[Kind],
    interval: f64,
    out: &mut Vec<u8>,
) -> Result<()> {
    while let Some(event) = detector.next_event() {
        if kinds.iter().any(|kind| kind.covers(event.event)) {
            let index = (event.since / interval).round() as u64;
            Line {
                event: &event,
                index,
            }
            .write(out)?;
        }
    }
    Ok(())
}
