//! Given logs with labels, minute by minute. These hosts have nothing but their log.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use bellwether_core::lad::Record;
use bellwether_core::risk::{Source, SourceState};
use bellwether_records::logs::{self, Record as Line};
use clap::Args;
use rayon::prelude::*;

use super::host::Detectors;
use super::lines::{Lines, minute_of};
use super::truth::{Host, Minute, unknown};
use crate::evaluate::logs::labels::{self, Label};

/// Given logs of hosts, with and without failures.
#[derive(Debug, Clone, Args)]
pub struct GivenArguments {
    /// Log files (plain or compressed) of hosts, or folders of them, with labels as for "evaluate logs"; may be repeated
    #[arg(long, value_name = "PATH", requires = "labels")]
    pub logs: Vec<PathBuf>,

    /// JSON file, plain or compressed: when the fault of each of --logs was injected, and when it failed
    #[arg(long, value_name = "FILE", requires = "logs")]
    pub labels: Option<PathBuf>,
}

/// The hosts of given logs, from the twentieth minute on: before it, what the log says of the last 20 minutes is not known.
///
/// # Errors
/// Files that cannot be read, and options that contradict each other.
pub fn given(arguments: &GivenArguments, detectors: &Detectors) -> Result<Vec<Host>> {
    let Some(file) = &arguments.labels else {
        return Ok(Vec::new());
    };
    let labels = labels::read(file)?.into_iter();
    let labels: BTreeMap<String, Label> = labels.map(|label| (label.name.clone(), label)).collect();
    let mut files = logs::files(&arguments.logs)?;
    logs::refuse_duplicates(&files)?;
    files.retain(|file| labels.contains_key(&logs::series(file)));
    let read = |file: &PathBuf| {
        let label = &labels[&logs::series(file)];
        let mut lines: Vec<Line> = Vec::new();
        logs::each_record(file, None, |line| {
            lines.push(line.clone());
            Ok(())
        })?;
        host(label, &lines, detectors).with_context(|| file.display().to_string())
    };
    let hosts = files.par_iter().map(read).collect::<Result<Vec<_>>>()?;
    Ok(hosts.into_iter().flatten().collect())
}

/// The host with the log of these lines; `None` if they are too few.
fn host(label: &Label, lines: &[Line], detectors: &Detectors) -> Result<Option<Host>> {
    // Labels count lines, of which those that are no records are not among these.
    let at = |index: usize| {
        let next = lines.partition_point(|line| (line.index as usize) < index);
        lines.get(next).map(|line| line.time)
    };
    let failure = match &label.fault {
        Some(fault) => match (at(fault.inject), at(fault.fail)) {
            (Some(begin), Some(death)) => Some((begin, death)),
            _ => return Ok(None),
        },
        None => None,
    };
    let (Some(first), Some(last)) = (lines.first(), lines.last()) else {
        return Ok(None);
    };
    let end = failure.map_or(last.time, |(_, death)| death);
    let mut replayed = Lines::new(&detectors.lad, &detectors.inference)?;
    for line in lines.iter().filter(|line| line.time < end) {
        replayed.observe(&Record {
            stream: &label.name,
            ..line.observation()
        });
    }
    let begin = minute_of(first.time) + i64::from(bellwether_core::risk::LOG_MINUTES);
    let minutes = (begin + 1..).map(|number| number as f64 * 60.0);
    let minutes = minutes.take_while(|time| *time <= end).map(|time| Minute {
        time,
        states: states(replayed.states(time).0),
        published: f64::NAN,
    });
    let minutes: Vec<Minute> = minutes.collect();
    Ok((!minutes.is_empty()).then(|| Host {
        name: label.name.clone(),
        failure,
        minutes,
    }))
}

/// All unknown but the log.
fn states(log: SourceState) -> [SourceState; super::truth::SOURCES] {
    let mut states = unknown();
    states[Source::Log as usize] = log;
    states
}
