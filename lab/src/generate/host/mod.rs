//! Generated hosts: the log, the metrics of the guests and the host's own resources, all with one fault time.

pub mod day;
pub mod disturbance;
pub mod failure;
mod label;
pub mod resources;
pub mod setting;
mod strain;
mod vms;

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use bellwether_core::resource::Signal;
use bellwether_records::command::usage;
use bellwether_records::progress::bar;
use clap::Args;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use rayon::prelude::*;

use self::day::HostDay;
use self::failure::Leads;
use self::label::{Label, Labels};
use self::setting::{Setting, seconds};
use crate::generate::logs::script;
use crate::generate::logs::syslog::Format;
use crate::generate::logs::time::MICROS;
use crate::generate::logs::timeline::at_rate;

const EXAMPLES: &str = "\
Examples:
  bellwether-lab generate host --out hosts
  bellwether-lab generate host --failing 20 --healthy 20 --hours 12 --interval 60 --out hosts
  bellwether replay logs hosts/logs; bellwether replay metrics hosts/metrics";

/// Which host-days to generate.
#[derive(Debug, Clone, Args)]
pub struct DaysArguments {
    /// Number of failing hosts: on each, a fault begins and a guest dies of it. They are named failing1, failing2, ... [default: 300; to
    /// generate files, 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub failing: Option<u32>,

    /// Number of healthy hosts, named healthy1, healthy2, ... [default: 300; to generate files, 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub healthy: Option<u32>,

    /// Random seed; another number gives other hosts [default: 1; to evaluate, 1001]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,

    /// When the data begin, with an offset or Z
    #[arg(long, value_name = "TIME", default_value = "2026-01-05T00:00:00Z")]
    pub start: Timestamp,

    /// Hours before the host-day from which detectors can learn; no guest dies in them
    #[arg(long, value_name = "H", default_value_t = 24.0)]
    pub history: f64,

    /// Length of the host-day that follows, in hours
    #[arg(long, value_name = "H", default_value_t = 24.0)]
    pub hours: f64,

    /// Seconds between two rows of metrics and resources
    #[arg(long, value_name = "SECONDS", default_value_t = 10.0)]
    pub interval: f64,

    /// How long after the beginning of a fault the guest dies
    #[arg(long, value_enum, value_name = "LEADS", default_value = "recorded")]
    pub leads: Leads,

    /// Lines per hour in normal operation, on average over a working day
    #[arg(long, value_name = "LINES", default_value_t = 500.0)]
    pub rate: f64,
}

/// Generate hosts: the log, the metrics of the guests and the host's resources, with one fault time
///
/// On a failing host, a fault of a disk, of memory or of a hanging CPU begins at one time. It shows in the log in 85 of 100 cases, in the
/// metrics of the guests in 75 and in the host's resources in 85. A guest dies of it 2 to 41 minutes
/// later. On all hosts there are backups, roll-outs, surges of work, memory pressure that passes, and lines in
/// the log that report failures of which no guest dies.
///
/// For each host, the folder gets logs/NAME.log.gz, metrics/NAME.csv.gz (CPU percentages of the guests) and resources/NAME.csv.gz (shares,
/// rates and latencies of the host), and labels.json has the times of all faults and disturbances. The same arguments give the same
/// bytes; a host depends on the seed and its name alone.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct HostArguments {
    #[command(flatten)]
    pub days: DaysArguments,

    /// Folder to write
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

impl DaysArguments {
    /// What all hosts have in common; `seed` is taken where none was given.
    ///
    /// # Errors
    /// Arguments that cannot be, and what would be right.
    pub fn setting(&self, seed: u64) -> Result<Setting> {
        let within = |name: &str, value: f64, from: f64, to: f64, unit: &str| {
            let is_within = (from..=to).contains(&value);
            is_within
                .then_some(value)
                .ok_or_else(|| usage(format!("--{name} {value}: it takes {from} to {to} {unit}")))
        };
        let least = HostDay::LENGTH_MIN as f64 / 3.6e9;
        let hours = within("hours", self.hours, least, 1_000.0, "hours")?;
        let history = within("history", self.history, 0.0, 10_000.0, "hours")?;
        let interval = within("interval", self.interval, 1.0, 600.0, "seconds")?;
        let rate = within("rate", self.rate, 1.0, 1e6, "lines an hour")?;
        if (self.failing, self.healthy) == (Some(0), Some(0)) {
            return Err(usage("--failing and --healthy: at least one host").into());
        }
        let normal = at_rate(script::normal()?, rate)
            .map_err(|timed| usage(format!("--rate: timers alone log {timed:.0} lines an hour")))?;
        let micros = |hours: f64| (hours * 3_600.0) as i64 * MICROS;
        Ok(Setting {
            seed: self.seed.unwrap_or(seed),
            start: self.start.as_microsecond(),
            history: micros(history),
            length: micros(hours),
            interval: (interval * MICROS as f64) as i64,
            leads: self.leads,
            normal,
        })
    }

    /// The names of the hosts, and whether each fails; `count` of each kind where no number was given.
    pub fn names(&self, count: u32) -> Vec<(String, bool)> {
        let of = |kind: &str, given: Option<u32>, fails: bool| {
            let numbers = 1..=given.unwrap_or(count);
            numbers
                .map(|number| (format!("{kind}{number}"), fails))
                .collect::<Vec<_>>()
        };
        let mut names = of("failing", self.failing, true);
        names.extend(of("healthy", self.healthy, false));
        names
    }
}

/// Generates the hosts, and writes them.
///
/// # Errors
/// Arguments that cannot be, and what cannot be written.
pub fn write(arguments: &HostArguments) -> Result<()> {
    let setting = arguments.days.setting(1)?;
    let names = arguments.days.names(1);
    for folder in ["logs", "metrics", "resources"] {
        let folder = arguments.out.join(folder);
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    }
    let bar = bar(names.len(), "hosts");
    let written = names.par_iter().map(|(name, is_failing)| {
        let day = HostDay::new(&setting, name, *is_failing)?;
        write_host(&day, &arguments.out)?;
        bar.inc(1);
        Ok((name.clone(), Label::of(&day)))
    });
    let hosts = written.collect::<Result<_>>()?;
    bar.finish_and_clear();
    let labels = Labels {
        seed: setting.seed,
        interval_s: seconds(setting.interval),
        start: seconds(setting.start),
        counted_from: seconds(setting.counted().start),
        end: seconds(setting.span().end),
        hosts,
    };
    labels.write(&arguments.out.join("labels.json"))
}

fn write_host(day: &HostDay<'_>, folder: &Path) -> Result<()> {
    let file = |kind: &str, ending: &str| folder.join(kind).join(format!("{}{ending}", day.name));
    compressed(&file("logs", ".log.gz"), |out| {
        for entry in day.log()? {
            Format::Iso.write(out, &day.name, &entry)?;
        }
        Ok(())
    })?;
    let vms = day.vms();
    let guests = day.guests();
    ensure!(
        guests.len() == vms.len(),
        "{}: {} guests",
        day.name,
        guests.len()
    );
    let rows = (0..day.setting.rows().len()).map(|row| vms.iter().map(move |vm| vm[row]));
    table(&file("metrics", ".csv.gz"), day.setting, &guests, rows)?;
    let signals: Vec<String> = Signal::ALL.iter().map(|s| s.name().to_owned()).collect();
    let rows = day.resources(&vms).into_iter().map(IntoIterator::into_iter);
    table(&file("resources", ".csv.gz"), day.setting, &signals, rows)
}

/// Writes a CSV file with a column of times; a missing value is an empty cell.
fn table<R: Iterator<Item = f64>>(
    path: &Path,
    setting: &Setting,
    names: &[String],
    rows: impl Iterator<Item = R>,
) -> Result<()> {
    compressed(path, |out| {
        writeln!(out, "time,{}", names.join(","))?;
        for (time, row) in setting.rows().zip(rows) {
            write!(out, "{}", seconds(time))?;
            for value in row {
                match value.is_nan() {
                    true => write!(out, ",")?,
                    false => write!(out, ",{value}")?,
                }
            }
            writeln!(out)?;
        }
        Ok(())
    })
}

fn compressed(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let place = || path.display().to_string();
    let file = BufWriter::new(File::create(path).with_context(place)?);
    let mut out = GzEncoder::new(file, Compression::fast());
    write(&mut out).with_context(place)?;
    let finished = out.finish().and_then(|mut out| out.flush());
    finished.with_context(place)
}
