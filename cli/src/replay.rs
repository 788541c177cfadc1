//! Recorded metrics through a detector: CSV files in, events as JSON Lines out.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use anyhow::{Context as _, Result, bail};
use bellwether_core::event::{Event, EventKind};
use bellwether_core::had::{Detector, HadOptions, Observation};
use clap::CommandFactory as _;
use clap::error::ErrorKind;
use indicatif::{ProgressBar, ProgressStyle};

use crate::args::{Arguments, Kind, MetricsArguments};
use crate::series::{Series, files, hypervisor};

/// Seconds between two rows, unless said otherwise: what public traces of VMs have.
const DEFAULT_INTERVAL: &str = "300";

/// One line of output: the event, and the row at which its incident was raised.
#[derive(serde::Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    event: &'a Event,
    index: u64,
}

/// What one file came to.
struct Replayed {
    lines: Vec<u8>,
    /// What the user should know although it is no error.
    warnings: Vec<String>,
}

/// Replays files of metrics and prints the events.
pub fn metrics(arguments: &MetricsArguments) -> Result<()> {
    let options = detector_options(arguments)?;
    let files = files(&arguments.paths)?;
    refuse_namesakes(&files)?;
    let jobs = arguments
        .jobs
        .or_else(|| thread::available_parallelism().ok())
        .map_or(1, NonZeroUsize::get)
        .min(files.len());
    let progress = progress(files.len());
    let mut out = io::stdout().lock();

    // Workers take the files in turn; what comes of them is printed in the order of the files, as soon as it can be.
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..jobs {
            let (sender, next, files, options) = (sender.clone(), &next, &files, &options);
            scope.spawn(move || {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(file) = files.get(at) else { break };
                    // The receiver is gone after an error: nobody wants the rest.
                    if sender.send((at, replay(file, options, arguments))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut waiting = BTreeMap::new();
        let mut printed = 0;
        for (at, result) in receiver {
            waiting.insert(at, result);
            while let Some(result) = waiting.remove(&printed) {
                let replayed = result?;
                for warning in &replayed.warnings {
                    progress.suspend(|| eprintln!("bellwether: {warning}"));
                }
                progress.suspend(|| out.write_all(&replayed.lines))?;
                progress.inc(1);
                printed += 1;
            }
        }
        Ok::<_, anyhow::Error>(())
    })?;
    progress.finish_and_clear();
    Ok(out.flush()?)
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

/// Progress on the standard error, drawn only where that is a terminal.
fn progress(files: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} hypervisors, {eta} left")
        .expect("the template is valid");
    ProgressBar::new(files as u64).with_style(style)
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
    Ok(Replayed { lines, warnings })
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
            serde_json::to_writer(
                &mut *out,
                &Line {
                    event: &event,
                    index,
                },
            )?;
            out.push(b'\n');
        }
    }
    Ok(())
}
