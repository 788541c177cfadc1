//! Where in a log the fault is, as those write it down who measure detectors by it.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::script::Scenario;
use super::time::MICROS;
use super::timeline::{Entry, Mark};

/// The lines that a detector is given to learn from.
const TRAINING: u64 = 150;

/// The label of one log. Indices count its lines from 0.
#[derive(Debug, Serialize)]
pub struct Label {
    #[serde(skip)]
    series: String,
    scenario: &'static str,
    /// Number of lines.
    n: u64,
    train: u64,
    /// The first line that the fault brought about.
    inject: Option<u64>,
    /// The line with which a guest dies.
    fail: Option<u64>,
    /// `inject` counted from 1.
    label_region: Option<u64>,
    /// The line before which an alarm is early: `fail`.
    failure_point: Option<u64>,
    inject_time: Option<String>,
    fail_time: Option<String>,
    /// From which line on so many seconds were left, wherever that changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lead_s: Vec<(u64, f64)>,
    /// Where it was written to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    host: String,
    /// The times since the fault began, in microseconds, until the guest dies.
    #[serde(skip)]
    since: Vec<(u64, i64)>,
}

impl Label {
    /// Of a log without lines yet.
    pub fn new(series: String, scenario: Scenario, host: &str) -> Self {
        Self {
            series,
            scenario: scenario.name(),
            n: 0,
            train: TRAINING,
            inject: None,
            fail: None,
            label_region: None,
            failure_point: None,
            inject_time: None,
            fail_time: None,
            lead_s: Vec::new(),
            file: None,
            host: host.to_owned(),
            since: Vec::new(),
        }
    }

    /// Takes note of the next line.
    pub fn note(&mut self, entry: &Entry) {
        if entry.mark != Mark::Normal && self.inject.is_none() {
            self.inject = Some(self.n);
            self.label_region = Some(self.n + 1);
            self.inject_time = Some(clock(entry.time));
        }
        if self.inject.is_some() && self.fail.is_none() {
            self.since.push((self.n, entry.time));
        }
        if entry.mark == Mark::Death {
            self.fail = Some(self.n);
            self.failure_point = Some(self.n);
            self.fail_time = Some(clock(entry.time));
            let left = |(index, time): (u64, i64)| {
                let seconds = (entry.time - time) as f64 / MICROS as f64;
                (index, (seconds * 1_000.0).round() / 1_000.0)
            };
            self.lead_s = self.since.drain(..).map(left).collect();
            self.lead_s.dedup_by_key(|(_, seconds)| *seconds);
        }
        self.n += 1;
    }
}

/// A time in UTC to the microsecond.
fn clock(time: i64) -> String {
    Timestamp::from_microsecond(time).map_or_else(
        |_| String::new(),
        |time| {
            let time = time.to_zoned(TimeZone::UTC);
            time.strftime("%Y-%m-%d %H:%M:%S.%6f").to_string()
        },
    )
}

/// Writes an object "series" with the label of each series.
///
/// # Errors
/// What cannot be written.
pub fn write(labels: &[Label], file: &Path) -> Result<()> {
    let of_file = || file.display().to_string();
    let labels: BTreeMap<&str, &Label> = labels.iter().map(|l| (l.series.as_str(), l)).collect();
    let mut out = BufWriter::new(File::create(file).with_context(of_file)?);
    let labels = BTreeMap::from([("series", labels)]);
    serde_json::to_writer_pretty(&mut out, &labels).with_context(of_file)?;
    writeln!(out)
        .and_then(|()| out.flush())
        .with_context(of_file)
}
