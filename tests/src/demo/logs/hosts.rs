//! The hosts and their logs, made up by `bellwether generate logs`.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::testbed::process::run;

/// What goes wrong with each host, in the words of the command.
const SCENARIOS: &str = "disk,oom,hung,none";
/// The log begins on a Monday morning.
const ARGUMENTS: [&str; 8] = [
    "--hours",
    "24",
    "--rate",
    "400",
    "--start",
    "2026-01-05T00:00:00Z",
    "--seed",
    "11",
];

/// A fault of a host, times in seconds since the epoch.
#[derive(Debug)]
pub struct Fault {
    /// When it began.
    pub began: f64,
    /// When a guest died of it.
    pub died: f64,
}

/// One host.
#[derive(Debug)]
pub struct Host {
    /// Its name.
    pub name: String,
    scenario: String,
    /// What is wrong with it, if anything.
    pub fault: Option<Fault>,
}

impl Host {
    /// What begins to go wrong with it.
    pub fn trouble(&self) -> &'static str {
        match self.scenario.as_str() {
            "disk" => "a disk begins to fail on",
            "oom" => "memory runs short on",
            _ => "something begins to hang on",
        }
    }

    /// What is wrong with it.
    pub fn scenario_words(&self) -> &'static str {
        match self.scenario.as_str() {
            "disk" => "disk fails:",
            "oom" => "out of memory:",
            "hung" => "hangs:",
            _ => "healthy:",
        }
    }
}

/// One line of a log.
#[derive(Debug)]
pub struct Line {
    /// Seconds since the epoch.
    pub time: f64,
    /// Which host's.
    pub host: usize,
    /// Which of that host's lines, from 0.
    pub index: u64,
    /// The whole line.
    pub text: String,
}

/// All hosts, and their lines in the order of time.
#[derive(Debug)]
pub struct Hosts {
    /// The hosts.
    pub all: Vec<Host>,
    /// Their lines.
    pub lines: Vec<Line>,
}

impl Hosts {
    /// Has the command in `programs` make them up.
    ///
    /// # Errors
    /// When it fails.
    pub fn generate(programs: &Path) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let (out, labels) = (
            folder.path().join("logs"),
            folder.path().join("labels.json"),
        );
        let mut command = Command::new(programs.join("bellwether"));
        command.args(["generate", "logs", "--scenario", SCENARIOS]);
        command
            .args(ARGUMENTS)
            .arg("--out")
            .arg(&out)
            .arg("--labels")
            .arg(&labels);
        run(&mut command)?;
        let labels: Value = serde_json::from_slice(&fs::read(labels)?)?;
        let series = labels["series"]
            .as_object()
            .context("there are no labels")?;
        let mut hosts = Self {
            all: Vec::new(),
            lines: Vec::new(),
        };
        let mut labels: Vec<&Value> = series.values().collect();
        labels.sort_by_key(|label| label["host"].as_str());
        for label in labels {
            hosts.add(label)?;
        }
        hosts
            .lines
            .sort_by(|one, other| one.time.total_cmp(&other.time));
        Ok(hosts)
    }

    fn add(&mut self, label: &Value) -> Result<()> {
        let text = |key: &str| label[key].as_str().context("a label is incomplete");
        let host = self.all.len();
        let log = fs::read_to_string(text("file")?)?;
        let mut times = Vec::new();
        for (index, line) in (0..).zip(log.lines()) {
            let (time, _) = line.split_once(' ').context("a line has no time")?;
            let time: Timestamp = time.parse()?;
            let time = time.as_microsecond() as f64 / 1e6;
            times.push(time);
            self.lines.push(Line {
                time,
                host,
                index,
                text: line.to_owned(),
            });
        }
        let time = |key: &str| {
            let index = label[key].as_u64()?;
            times.get(index as usize).copied()
        };
        let fault = time("inject").zip(time("fail"));
        self.all.push(Host {
            name: text("host")?.to_owned(),
            scenario: text("scenario")?.to_owned(),
            fault: fault.map(|(began, died)| Fault { began, died }),
        });
        Ok(())
    }

    /// The time of the first line, seconds since the epoch.
    pub fn begin(&self) -> f64 {
        self.lines.first().map_or(0.0, |line| line.time)
    }

    /// From the first line to the last, hours.
    pub fn hours(&self) -> f64 {
        let end = self.lines.last().map_or(0.0, |line| line.time);
        (end - self.begin()) / 3_600.0
    }

    /// Which host is called so.
    pub fn find(&self, name: &Value) -> Option<usize> {
        self.all.iter().position(|host| *name == *host.name)
    }
}

/// A time as the demo tells it: Mon 14:03.
pub fn clock(seconds: f64) -> String {
    let time = Timestamp::from_microsecond((seconds * 1e6) as i64).unwrap_or_default();
    time.to_zoned(TimeZone::UTC)
        .strftime("%a %H:%M")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_by_day_and_minute() {
        assert_eq!(clock(1_767_571_200.5 + 14.0 * 3_600.0 + 180.0), "Mon 14:03");
    }
}
