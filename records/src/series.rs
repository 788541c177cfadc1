//! Recorded metrics of hypervisors, in the forms in which they are recorded.
//!
//! [`find`] finds the files that a command names, and [`open`] reads those that belong together into [`Recording`]s, one for each
//! hypervisor: rows of samples, with a column for each VM and metric. [`Form`] lists the forms.

mod collectd;
mod csv;
mod find;
mod labels;
mod limits;
mod prometheus;
mod reading;
mod rrd;
mod table;

use std::collections::BTreeSet;
use std::io::{BufReader, Read};
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};

pub use self::csv::Times;
use self::csv::Wide;
pub use self::find::{Form, Found, Group, Member, find};
use self::labels::{NAME, Roles};
use self::limits::Whole;
use self::prometheus::LabeledSeries;
pub use self::reading::{Column, METRICS, Reading};
use self::table::{Points, Table};
use crate::files::{decoded, stem};

/// The recorded metrics of one hypervisor, row by row.
#[derive(Debug)]
pub struct Recording {
    /// The hypervisor.
    pub hypervisor: String,
    /// The files, for messages.
    pub place: String,
    columns: Vec<Column>,
    /// The time of row 0, seconds since the epoch; `None` where rows have numbers only.
    pub start: Option<f64>,
    /// Seconds between two rows, where the data or [`Reading::interval`] say so.
    pub interval: Option<f64>,
    notes: Vec<String>,
    bad_cells: u64,
    rows: Rows,
}

#[derive(Debug)]
enum Rows {
    Streams(Vec<Stream>),
    Table(Table),
}

/// A file that is read row by row.
#[derive(Debug)]
struct Stream {
    wide: Wide,
    /// Its next row.
    head: Option<(u64, Vec<Option<f64>>)>,
}

impl Recording {
    /// The columns.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The names of the VMs, each once, in the order of the columns.
    pub fn vms(&self) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let vms = self.columns.iter().map(|column| column.vm.clone());
        vms.filter(|vm| seen.insert(vm.clone())).collect()
    }

    /// The metrics that columns name, the usual ones first.
    pub fn metrics(&self) -> Vec<String> {
        let named: BTreeSet<&String> = self
            .columns
            .iter()
            .filter_map(|c| c.metric.as_ref())
            .collect();
        let place = |name: &String| METRICS.iter().position(|known| known == name);
        let mut metrics: Vec<String> = named.into_iter().cloned().collect();
        metrics.sort_by_key(|name| place(name).unwrap_or(METRICS.len()));
        metrics
    }

    /// Invalid cells that were read as missing samples.
    pub fn bad_cells(&self) -> u64 {
        let streams = match &self.rows {
            Rows::Streams(streams) => &streams[..],
            Rows::Table(_) => &[],
        };
        self.bad_cells + streams.iter().map(|s| s.wide.bad_cells).sum::<u64>()
    }

    /// What an operator should know about how it was read.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Reads the next row: returns its number and fills `values` with one value per column, `None` where it is missing.
    /// Returns `None` at the end.
    ///
    /// # Errors
    /// What is wrong with a file, the row or, unless lenient, a cell, and where.
    pub fn next_row(&mut self, values: &mut Vec<Option<f64>>) -> Result<Option<u64>> {
        let streams = match &mut self.rows {
            Rows::Table(table) => return Ok(table.next_row(values)),
            Rows::Streams(streams) => streams,
        };
        if let [stream] = &mut streams[..] {
            return stream.wide.next_row(values);
        }
        for stream in &mut *streams {
            if stream.head.is_none() {
                let mut values = Vec::new();
                let row = stream.wide.next_row(&mut values)?;
                stream.head = row.map(|row| (row, values));
            }
        }
        let Some(row) = streams
            .iter()
            .filter_map(|s| s.head.as_ref().map(|h| h.0))
            .min()
        else {
            return Ok(None);
        };
        values.clear();
        for stream in streams {
            match stream.head.take_if(|head| head.0 == row) {
                Some((_, some)) => values.extend(some),
                None => values.extend(stream.wide.names().iter().map(|_| None)),
            }
        }
        Ok(Some(row))
    }
}

/// Opens the recordings of a group of files.
///
/// # Errors
/// What is wrong with a file, and where; files that cannot be put together.
pub fn open(group: &Group, reading: &Reading) -> Result<Vec<Recording>> {
    let are_wide = group
        .members
        .iter()
        .filter(|m| m.form == Form::Wide)
        .count();
    if are_wide == group.members.len() {
        return Ok(vec![streamed(group, reading)?]);
    }
    ensure!(
        are_wide == 0,
        "{}: files with a column a VM and files of other forms cannot be put together; give them in one form",
        group.place()
    );
    let mut points = Vec::new();
    for member in &group.members {
        let of_member = || member.path.display().to_string();
        points.extend(points_of(member, reading).with_context(of_member)?);
    }
    let place = group.place();
    ensure!(!points.is_empty(), "{place}: there is no series in it");
    // A VM has several disks and network interfaces: collectd's files are added up as its plugin does it.
    let adds_up = group.members.iter().all(|m| m.collectd.is_some());
    table::recordings(points, reading, &place, adds_up)
}

/// Opens a file with the recording of one hypervisor.
///
/// # Errors
/// What is wrong with it; that it holds several hypervisors.
pub fn open_file(path: &Path, reading: &Reading) -> Result<Recording> {
    let found = find(&[path.to_owned()], reading)?;
    let group = found
        .groups
        .first()
        .with_context(|| path.display().to_string())?;
    let mut recordings = open(group, reading)?;
    ensure!(
        recordings.len() == 1,
        "{}: it has {} hypervisors; it takes one",
        path.display(),
        recordings.len()
    );
    Ok(recordings.remove(0))
}

/// The hypervisor that a file is named after: its name without its folder and its endings.
pub fn hypervisor(file: &Path) -> String {
    stem(file, &find::ENDINGS)
}

fn streamed(group: &Group, reading: &Reading) -> Result<Recording> {
    let (mut streams, mut columns, mut notes) = (Vec::new(), Vec::new(), Vec::new());
    for member in &group.members {
        let wide = Wide::open(&member.path, reading)?;
        let known = reading.known_metrics();
        let mut seen = BTreeSet::new();
        for name in wide.names() {
            let mut column = csv::column(name, &known);
            if column.metric.is_none() {
                column.metric.clone_from(&member.metric);
            }
            ensure!(
                seen.insert((column.vm.clone(), column.metric.clone())),
                "{}, line 1: the VM \"{}\" is there twice",
                member.path.display(),
                column.vm
            );
            columns.push(column);
        }
        notes.extend(wide.notes.iter().cloned());
        streams.push(Stream { wide, head: None });
    }
    let starts: Vec<f64> = streams.iter().filter_map(|s| s.wide.start).collect();
    ensure!(
        starts.is_empty() || starts.len() == streams.len(),
        "{}: one has times and another one numbers of rows; give both times (a first column named time)",
        group.place()
    );
    let start = starts.into_iter().reduce(f64::min);
    let intervals = streams.iter().filter_map(|s| s.wide.interval);
    let interval = reading.interval.or(intervals.reduce(f64::min));
    let mut at = 0;
    for stream in &mut streams {
        let own = stream.wide.interval;
        for column in &mut columns[at..at + stream.wide.names().len()] {
            column.interval = own.filter(|own| Some(*own) != interval);
        }
        at += stream.wide.names().len();
        stream.wide.place_rows(start, interval);
    }
    notes.sort();
    notes.dedup();
    Ok(Recording {
        hypervisor: group.members[0].hypervisor.clone(),
        place: group.place(),
        columns,
        start,
        interval: start.and(interval).or(reading.interval),
        notes,
        bad_cells: 0,
        rows: Rows::Streams(streams),
    })
}

/// The samples of a file that is read as a whole.
fn points_of(member: &Member, reading: &Reading) -> Result<Vec<Points>> {
    let path = &member.path;
    let whole = || -> Result<BufReader<Whole<Box<dyn Read>>>> {
        Ok(BufReader::new(Whole::new(decoded(path)?)))
    };
    let sources = match member.form {
        Form::Wide => bail!("it is read row by row"),
        Form::Json => return placed(prometheus::read_json(whole()?)?, member, reading),
        Form::Promtool => return placed(prometheus::read_text(whole()?)?, member, reading),
        Form::Long => return placed(csv::read_long(path, reading)?, member, reading),
        Form::WideLabeled => return placed(csv::read_labeled(path, reading)?, member, reading),
        Form::Single => vec![(String::new(), csv::read_single(path, reading)?)],
        Form::Collectd => {
            let is_counter = member.collectd.is_some_and(|kind| kind.is_counter);
            vec![(String::new(), collectd::read_csv(whole()?, is_counter)?)]
        }
        Form::RrdXml(_) => rrd::read_xml(whole()?)?,
        Form::RrdFetched(_) => rrd::read_fetched(whole()?)?,
    };
    let scale = member.collectd.map_or(1.0, |kind| kind.scale);
    let known = reading.known_metrics();
    let of_source = |(name, points): rrd::Source| {
        let device = collectd::Kind::of(path).map_or_else(String::new, |(_, device)| device);
        let column = match &member.vm {
            Some(vm) => Column::from(vm.clone()),
            None => csv::column(&name, &known),
        };
        let points = points
            .into_iter()
            .map(|(time, value)| (time, value * scale));
        Points {
            hypervisor: member.hypervisor.clone(),
            vm: column.vm,
            metric: column.metric.or_else(|| member.metric.clone()),
            device: device + &name,
            points: points.collect(),
        }
    };
    Ok(sources.into_iter().map(of_source).collect())
}

/// Labeled series as the samples of VMs.
fn placed(all: Vec<LabeledSeries>, member: &Member, reading: &Reading) -> Result<Vec<Points>> {
    if all.is_empty() {
        return Ok(Vec::new());
    }
    let labels: Vec<_> = all.iter().map(|series| &series.labels).collect();
    let roles = Roles::find(&labels, reading)?;
    // One name alone is that of the query, not of one of several metrics.
    let names: BTreeSet<&str> = labels
        .iter()
        .filter_map(|labels| labels.get(NAME))
        .collect();
    let several = names.len() > 1;
    let known = reading.known_metrics();
    // Series with the same labels are parts of one, as of two queries; others of one VM and metric are devices.
    let mut by_labels = std::collections::BTreeMap::<_, Vec<(f64, f64)>>::new();
    for series in all {
        by_labels
            .entry(series.labels)
            .or_default()
            .extend(series.points);
    }
    let place = |(labels, points): (labels::Labels, Vec<(f64, f64)>)| {
        let vm = labels.get(&roles.vm).unwrap_or_default();
        let column = csv::column(vm, &known);
        let hypervisor = roles.hypervisor.as_ref().and_then(|label| {
            let name = labels.get(label)?;
            Some(if label == "instance" {
                without_port(name)
            } else {
                name
            })
        });
        let named = labels
            .get("metric")
            .filter(|_| roles.vm != "metric")
            .or_else(|| labels.get(NAME).filter(|_| several));
        Points {
            hypervisor: hypervisor.unwrap_or(&member.hypervisor).to_owned(),
            device: labels.to_string(),
            vm: column.vm,
            metric: column
                .metric
                .or_else(|| named.map(str::to_owned))
                .or_else(|| member.metric.clone()),
            points,
        }
    };
    Ok(by_labels.into_iter().map(place).collect())
}

/// An instance without the port of its exporter.
fn without_port(instance: &str) -> &str {
    match instance.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => instance,
    }
}

#[cfg(test)]
mod tests;
