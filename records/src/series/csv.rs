//! CSV files: a column a VM, or a line a sample with its labels in columns.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use clap::ValueEnum;

use super::labels::Labels;
use super::limits::{LAST_ROW, ShortLines};
use super::prometheus::{LabeledSeries, check_samples};
use super::reading::{Column, Reading, mismatch, spacing};
use crate::clock::Clock;
use crate::files::decoded;
use crate::times;

/// Numbers in column "t" from this on are times: as numbers of rows they would be of a recording of decades.
const TIMES_FROM: f64 = 1e8;
/// Rows from which the interval of a file with times is found.
const ROWS_AHEAD: usize = 64;
/// Names of a column with times, in lower case.
const OF_TIME: [&str; 6] = ["time", "timestamp", "datetime", "date", "epoch", "ts"];
/// What a missing sample is called in files with times.
const MISSING: [&str; 5] = ["", "NaN", "nan", "null", "undefined"];

/// What the first column of a CSV file counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Times {
    /// Rows
    Rows,
    /// Seconds, since the epoch or the start
    Seconds,
    /// Milliseconds, since the epoch or the start
    Milliseconds,
}

/// Whether a column's name says that it has times.
pub fn is_time(name: &str) -> bool {
    let name = name.trim().to_ascii_lowercase();
    OF_TIME.contains(&name.trim_start_matches('_'))
}

/// Whether a column's name says that it has the values of a line a sample, as "Value", "value" and Grafana's "Value #A".
pub fn is_value(name: &str) -> bool {
    let name = name.trim().to_ascii_lowercase();
    let name = name.trim_start_matches('_');
    name == "value" || name.starts_with("value #")
}

/// The separator of the columns: the first of a comma, a semicolon and a tab that is in the line outside of quotation marks.
pub fn delimiter(line: &str) -> u8 {
    let outside: String = line.split('"').step_by(2).collect();
    let found = [b',', b';', b'\t']
        .into_iter()
        .find(|c| outside.contains(char::from(*c)));
    found.unwrap_or(b',')
}

/// The records of a file, and its first line's separator.
fn reader(path: &Path) -> Result<csv::Reader<Box<dyn Read>>> {
    let of_path = || path.display().to_string();
    let mut reader = BufReader::new(ShortLines::new(decoded(path).with_context(of_path)?));
    let mut head = reader.fill_buf().with_context(of_path)?;
    let mut skip = if head.starts_with(b"\xef\xbb\xbf") {
        3
    } else {
        0
    };
    head = &head[skip..];
    let first = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let first = String::from_utf8_lossy(first).into_owned();
    // A line for spreadsheets names the separator.
    let separator = match first.trim().strip_prefix("sep=") {
        Some(separator) => {
            skip += (first.len() + 1).min(head.len());
            *separator.as_bytes().first().unwrap_or(&b',')
        }
        None => delimiter(&first),
    };
    reader.consume(skip);
    Ok(csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .delimiter(separator)
        .from_reader(Box::new(reader)))
}

/// What the first column of a file is read as.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Ticks {
    /// Numbers of rows.
    Rows,
    /// Times in this unit, or, without one, dates or numbers whose size shows the unit.
    Times(Option<f64>),
}

/// A file with a column a VM, open for reading row by row.
pub struct Wide {
    path: PathBuf,
    reader: csv::Reader<Box<dyn Read>>,
    record: csv::StringRecord,
    names: Vec<String>,
    lenient: bool,
    ticks: Ticks,
    /// The last row's number or time.
    last: Option<f64>,
    /// Rows that were read ahead.
    ahead: VecDeque<(f64, Vec<Option<f64>>)>,
    /// The time of row 0; `None` where rows have numbers.
    pub start: Option<f64>,
    /// Seconds between two rows, where the file or the command line says so.
    pub interval: Option<f64>,
    /// What an operator should know about how it is read.
    pub notes: Vec<String>,
    /// Invalid cells that were read as missing samples.
    pub bad_cells: u64,
}

impl std::fmt::Debug for Wide {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wide")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Wide {
    /// Opens the file, reads its header and, where it has times, some rows ahead.
    ///
    /// # Errors
    /// A file that cannot be read, or whose first line is not the name of a column of times or rows and the names of VMs.
    pub fn open(path: &Path, reading: &Reading) -> Result<Self> {
        let mut wide = Self {
            path: path.to_owned(),
            reader: reader(path)?,
            record: csv::StringRecord::new(),
            names: Vec::new(),
            lenient: reading.lenient,
            ticks: Ticks::Rows,
            last: None,
            ahead: VecDeque::new(),
            start: None,
            interval: reading.interval,
            notes: Vec::new(),
            bad_cells: 0,
        };
        let is_named_time = wide.read_header()?;
        let first = wide.read_record()?;
        let cell = if first {
            wide.record[0].to_owned()
        } else {
            String::new()
        };
        let number = cell.parse::<f64>().ok();
        let is_large = number.is_some_and(|t| t >= TIMES_FROM);
        let is_date = number.is_none() && times::iso(&cell).is_some();
        wide.ticks = match reading.times {
            Some(Times::Rows) => Ticks::Rows,
            Some(Times::Seconds) => Ticks::Times(Some(1.0)),
            Some(Times::Milliseconds) => Ticks::Times(Some(1e-3)),
            None if is_named_time || is_large || is_date => Ticks::Times(None),
            None => Ticks::Rows,
        };
        if first {
            let row = wide.row_of_record()?;
            wide.ahead.push_back(row);
        }
        if wide.ticks == Ticks::Rows {
            return Ok(wide);
        }
        while wide.ahead.len() < ROWS_AHEAD && wide.read_record()? {
            let row = wide.row_of_record()?;
            wide.ahead.push_back(row);
        }
        wide.start = Some(wide.ahead.front().map_or(0.0, |row| row.0));
        let found = spacing(wide.ahead.iter().map(|row| row.0));
        wide.interval = reading.interval.or(found);
        if let Some((given, found)) = reading.interval.zip(found) {
            wide.notes.extend(mismatch(given, found));
        }
        if !is_named_time && reading.times.is_none() {
            let what = format!(
                "column t has times, from {} on, and not numbers of rows; the rows are placed by them{}",
                Clock::utc(wide.start.unwrap_or(0.0)),
                wide.interval
                    .map_or_else(String::new, |i| format!(", {i} s apart"))
            );
            wide.notes.push(what);
        }
        Ok(wide)
    }

    /// Reads the first line; returns whether its first column is one of times by its name.
    fn read_header(&mut self) -> Result<bool> {
        let found = self.read_record()?;
        let place = format!("{}, line 1", self.path.display());
        ensure!(
            found,
            "{place}: the file is empty; it takes a first line with \"t\" and the names of the VMs"
        );
        let mut names = self.record.iter();
        let first = names.next().unwrap_or_default();
        let is_named_time = is_time(first);
        ensure!(
            first == "t" || is_named_time,
            "{place}: the first column is \"{first}\"; it has to be \"t\", the number of the row, or \"time\""
        );
        let mut seen = HashSet::new();
        for (column, name) in names.enumerate() {
            ensure!(
                !name.is_empty(),
                "{place}, column {}: a VM without a name",
                column + 2
            );
            ensure!(
                seen.insert(name),
                "{place}, column {}: the VM \"{name}\" is there twice",
                column + 2
            );
        }
        self.names = self.record.iter().skip(1).map(str::to_owned).collect();
        ensure!(
            !self.names.is_empty(),
            "{place}: there is no column of a VM beside \"{first}\""
        );
        Ok(is_named_time)
    }

    /// The names of the columns.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Counts rows from `start`, `interval` seconds apart, where the file has times.
    pub fn place_rows(&mut self, start: Option<f64>, interval: Option<f64>) {
        if self.start.is_some() {
            (self.start, self.interval) = (start, interval);
        }
    }

    /// Reads the next row: returns its number and fills `values` with one value per column, `None` where it is missing.
    /// Returns `None` at the end of the file.
    ///
    /// # Errors
    /// What is wrong with the file, the row or, unless lenient, a cell, and where.
    pub fn next_row(&mut self, values: &mut Vec<Option<f64>>) -> Result<Option<u64>> {
        let Some((tick, first)) = self.next_tick()? else {
            return Ok(None);
        };
        *values = first;
        let row = self.number(tick)?;
        if self.start.is_none() {
            return Ok(Some(row));
        }
        // Several rows of the file may fall into one: their mean counts.
        let mut counts: Option<Vec<u32>> = None;
        while let Some((tick, next)) = self.next_tick()? {
            if self.number(tick)? != row {
                self.ahead.push_front((tick, next));
                break;
            }
            let counts = counts
                .get_or_insert_with(|| values.iter().map(|v| u32::from(v.is_some())).collect());
            for ((sum, count), value) in values.iter_mut().zip(counts).zip(next) {
                if let Some(value) = value {
                    *sum = Some(sum.unwrap_or(0.0) + value);
                    *count += 1;
                }
            }
        }
        for (sum, count) in values.iter_mut().zip(counts.into_iter().flatten()) {
            *sum = sum.map(|sum| sum / f64::from(count.max(1)));
        }
        Ok(Some(row))
    }

    /// The number of the row at a time, or with a number.
    fn number(&self, tick: f64) -> Result<u64> {
        let Some(start) = self.start else {
            return Ok(tick as u64);
        };
        let row = ((tick - start) / self.interval.unwrap_or(1.0)).round();
        ensure!(
            (0.0..=LAST_ROW as f64).contains(&row),
            "{}: the time {} is too far from the first, {}",
            self.place(),
            Clock::utc(tick),
            Clock::utc(start)
        );
        Ok(row as u64)
    }

    /// The next row's number or time, and its values.
    fn next_tick(&mut self) -> Result<Option<(f64, Vec<Option<f64>>)>> {
        if let Some(row) = self.ahead.pop_front() {
            return Ok(Some(row));
        }
        if !self.read_record()? {
            return Ok(None);
        }
        self.row_of_record().map(Some)
    }

    /// The present record as a row.
    fn row_of_record(&mut self) -> Result<(f64, Vec<Option<f64>>)> {
        let (cells, columns) = (self.record.len(), self.names.len() + 1);
        ensure!(
            cells == columns,
            "{}: {cells} cells; the first line has {columns}",
            self.place()
        );
        let tick = self.tick(&self.record[0])?;
        if let Some(last) = self.last
            && tick <= last
        {
            if self.ticks == Ticks::Rows {
                bail!(
                    "{}, column t: {tick} comes after {last}; the numbers of the rows have to rise",
                    self.place()
                );
            }
            bail!(
                "{}: the time {} comes after {}; times have to rise",
                self.place(),
                Clock::utc(tick),
                Clock::utc(last)
            );
        }
        self.last = Some(tick);
        let mut values = Vec::with_capacity(self.names.len());
        let mut bad_cells = 0;
        for (name, cell) in self.names.iter().zip(self.record.iter().skip(1)) {
            values.push(match value(cell) {
                Some(value) if value.is_finite() && value >= 0.0 => Some(value),
                _ if cell.is_empty() => None,
                _ if self.ticks != Ticks::Rows && MISSING.contains(&cell) => None,
                _ if self.lenient => {
                    bad_cells += 1;
                    None
                }
                _ => bail!(
                    "{}, row {}, column {name}: \"{cell}\" is not a value; it takes a finite number that is not negative, \
                     or nothing where the sample is missing (--lenient reads it as missing)",
                    self.place(),
                    &self.record[0]
                ),
            });
        }
        self.bad_cells += bad_cells;
        Ok((tick, values))
    }

    /// What the first cell of a row says.
    fn tick(&self, cell: &str) -> Result<f64> {
        match self.ticks {
            Ticks::Rows => match cell.parse::<u64>() {
                Ok(row) if row <= LAST_ROW => Ok(row as f64),
                _ => bail!(
                    "{}, column t: \"{cell}\" is not the number of a row, a whole number from 0 on (--times reads it as seconds or \
                     milliseconds)",
                    self.place()
                ),
            },
            Ticks::Times(unit) => time(cell, unit).with_context(|| {
                format!("{}: \"{cell}\" is not a time; {TIMES_ARE}", self.place())
            }),
        }
    }

    fn read_record(&mut self) -> Result<bool> {
        self.reader
            .read_record(&mut self.record)
            .with_context(|| self.path.display().to_string())
    }

    /// The position of the current record: file and line.
    fn place(&self) -> String {
        let line = self.record.position().map_or(0, csv::Position::line);
        format!("{}, line {line}", self.path.display())
    }
}

const TIMES_ARE: &str = "it takes seconds or milliseconds since the epoch, or a date as 2026-03-03T06:40:00Z or 2026-03-03 06:40:00";

/// A time in seconds: a number in `unit` seconds or, without a unit, of the size that shows it, or a date.
fn time(cell: &str, unit: Option<f64>) -> Option<f64> {
    match (cell.parse::<f64>(), unit) {
        (Ok(number), Some(unit)) => Some(number * unit).filter(|time| time.is_finite()),
        (Ok(number), None) => times::of_number(number),
        (Err(_), _) => {
            let (time, _, rest) = times::iso(cell)?;
            rest.trim().is_empty().then_some(time)
        }
    }
}

/// A number, also in percent.
fn value(cell: &str) -> Option<f64> {
    let cell = cell.strip_suffix('%').map_or(cell, str::trim_end);
    cell.parse().ok()
}

/// Splits `VM:METRIC` where the metric is one of `metrics`.
pub fn column(name: &str, metrics: &[&str]) -> Column {
    let split = name.rsplit_once(':');
    match split.filter(|(vm, metric)| !vm.is_empty() && metrics.contains(metric)) {
        Some((vm, metric)) => Column {
            vm: vm.to_owned(),
            metric: Some(metric.to_owned()),
            interval: None,
        },
        None => Column::from(name.to_owned()),
    }
}

/// Reads a file whose columns are named by the labels of their series, as Grafana exports them.
///
/// # Errors
/// What is wrong, and where.
pub fn read_labeled(path: &Path, reading: &Reading) -> Result<Vec<LabeledSeries>> {
    let mut wide = Wide::open(path, reading)?;
    let labeled = |name: &String| LabeledSeries {
        labels: match Labels::parse(name) {
            Some((labels, rest)) if rest.trim().is_empty() => labels,
            _ => Labels([("vm".to_owned(), name.clone())].into()),
        },
        points: Vec::new(),
    };
    let mut all: Vec<LabeledSeries> = wide.names.iter().map(labeled).collect();
    let mut samples = 0;
    while let Some((time, values)) = wide.next_tick()? {
        samples += values.len();
        check_samples(samples)?;
        for (series, value) in all.iter_mut().zip(values) {
            series.points.extend(value.map(|value| (time, value)));
        }
    }
    Ok(all)
}

/// Reads a file with a line a sample: a column of times, one of values, and labels. Where a column named metric has labels as
/// Prometheus writes them, these count; where no other column names a VM, it is the legend of a VM.
///
/// # Errors
/// What is wrong, and where.
pub fn read_long(path: &Path, reading: &Reading) -> Result<Vec<LabeledSeries>> {
    let mut reader = reader(path)?;
    let mut record = csv::StringRecord::new();
    let of_path = || path.display().to_string();
    ensure!(
        reader.read_record(&mut record).with_context(of_path)?,
        "{}: the file is empty",
        path.display()
    );
    let names: Vec<String> = record.iter().map(str::to_owned).collect();
    let find = |is: fn(&str) -> bool| names.iter().position(|name| is(name));
    let (Some(at_time), Some(at_value)) = (find(is_time), find(is_value)) else {
        bail!(
            "{}, line 1: a line a sample takes the columns \"time\" and \"value\"",
            path.display()
        );
    };
    let unit = match reading.times {
        Some(Times::Seconds) => Some(1.0),
        Some(Times::Milliseconds) => Some(1e-3),
        Some(Times::Rows) | None => None,
    };
    let mut all: Vec<LabeledSeries> = Vec::new();
    let mut places: BTreeMap<Labels, usize> = BTreeMap::new();
    let mut samples = 0;
    while reader.read_record(&mut record).with_context(of_path)? {
        let line = record.position().map_or(0, csv::Position::line);
        let place = || format!("{}, line {line}", path.display());
        ensure!(
            record.len() == names.len(),
            "{}: {} cells; the first line has {}",
            place(),
            record.len(),
            names.len()
        );
        let cell = &record[at_time];
        let time = time(cell, unit)
            .with_context(|| format!("{}: \"{cell}\" is not a time; {TIMES_ARE}", place()))?;
        let cell = &record[at_value];
        let number = match value(cell) {
            Some(number) => number,
            None if reading.lenient || MISSING.contains(&cell) => f64::NAN,
            None => bail!(
                "{}: \"{cell}\" is not a value (--lenient reads it as missing)",
                place()
            ),
        };
        let mut labels = Labels::default();
        for (at, (name, cell)) in names.iter().zip(record.iter()).enumerate() {
            if at == at_time || at == at_value || is_value(name) || cell.is_empty() {
                continue;
            }
            let is_series = ["metric", "series"].contains(&&*name.to_ascii_lowercase());
            match Labels::parse(cell).filter(|_| is_series && cell.contains('{')) {
                Some((more, _)) => labels.0.extend(more.0),
                None => {
                    labels.0.insert(name.clone(), cell.to_owned());
                }
            }
        }
        samples += 1;
        check_samples(samples)?;
        let place = *places.entry(labels).or_insert_with_key(|labels| {
            all.push(LabeledSeries {
                labels: labels.clone(),
                points: Vec::new(),
            });
            all.len() - 1
        });
        all[place].points.push((time, number));
    }
    name_vms_by_legend(&mut all);
    Ok(all)
}

/// Makes the legend of series the name of their VM, where they have nothing else.
fn name_vms_by_legend(all: &mut [LabeledSeries]) {
    for series in all {
        let labels = &mut series.labels.0;
        if labels.len() == 1
            && let Some((name, legend)) = labels.pop_first()
        {
            let is_legend = ["metric", "series"].contains(&&*name.to_ascii_lowercase());
            labels.insert(if is_legend { "vm".to_owned() } else { name }, legend);
        }
    }
}

/// Reads a file with a column of times and one of values: of one VM.
///
/// # Errors
/// What is wrong, and where.
pub fn read_single(path: &Path, reading: &Reading) -> Result<Vec<(f64, f64)>> {
    let mut all = read_long(path, reading)?;
    ensure!(
        all.len() <= 1,
        "{}: it has series of several VMs",
        path.display()
    );
    Ok(all.pop().map_or_else(Vec::new, |series| series.points))
}
