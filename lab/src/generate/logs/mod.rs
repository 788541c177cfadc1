//! The generated log of a KVM host: hours of normal operation, and a host that fails.
//!
//! The messages are those of real programs, in the form in which they print them, from their documentation and from logs. Their
//! times are drawn at random, set by timers and follow the working day. The same arguments give the same bytes.

pub mod host;
mod kind;
mod labels;
mod pattern;
pub mod schedule;
pub mod script;
pub mod syslog;
pub mod time;
pub mod timeline;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use bellwether_records::command::usage;
use bellwether_records::logs::series;
use clap::Args;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;

use host::Host;
use labels::Label;
use schedule::Fault;
use script::{Scenario, Script};
use syslog::Format;
use time::MICROS;
use timeline::{Timeline, at_rate, derived};

/// How much longer or shorter than its script a fault takes.
pub const PACE: Range<f64> = 0.8..1.3;
/// When a fault begins at the earliest where nothing else is said, as a share of the hours.
const FAULT_SHARE: f64 = 0.5;

const EXAMPLES: &str = "\
Examples:
  bellwether-lab generate logs --hours 48 > host.log
  bellwether-lab generate logs --scenario disk --out disk.log --labels labels.json && bellwether replay logs disk.log
  bellwether-lab generate logs --scenario disk,oom,hung,none --hosts 40 --out logs --labels labels.json
  bellwether replay logs --scores scores.jsonl logs";

/// Generate the log of a KVM host: hours of normal operation, and a host that fails
///
/// It is the merged log of the kernel, systemd, sshd, cron, libvirtd, QEMU, smartd, nginx and others. It has a daily rhythm and
/// harmless messages that look like failures. In a scenario other than "none", a fault begins and becomes worse. Some ten to thirty
/// minutes later a guest dies of it. Then normal operation goes on.
///
/// The same arguments give the same bytes. With several hosts or scenarios, --out is a folder, and the file of a host is named
/// SCENARIO__HOST.log. The hosts take the scenarios in turn.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct LogsArguments {
    /// Random seed; another number gives another log
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// Time of the first line, with an offset or Z
    #[arg(long, value_name = "TIME", default_value = "2026-01-05T00:00:00Z")]
    pub start: Timestamp,

    /// Length of the log, in hours
    #[arg(long, value_name = "H", default_value_t = 24.0, value_parser = hours)]
    pub hours: f64,

    /// Lines per hour in normal operation, on average over a working day
    #[arg(long, value_name = "LINES", default_value_t = 500.0, value_parser = lines)]
    pub rate: f64,

    /// Faults, separated by commas; the hosts take them in turn
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        value_name = "SCENARIO",
        default_value = "none"
    )]
    pub scenario: Vec<Scenario>,

    /// Hours from the first line to the beginning of the fault [default: random, in the second half]
    #[arg(long, value_name = "H", value_parser = hours)]
    pub fault_at: Option<f64>,

    /// Format of the lines
    #[arg(long, value_enum, value_name = "FORMAT", default_value = "iso")]
    pub format: Format,

    /// Number of hosts, named hv1, hv2, ... [default: the number of scenarios]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub hosts: Option<u32>,

    /// File to write, compressed if its name ends with .gz; for several hosts a folder [default: standard output]
    #[arg(long, value_name = "PATH")]
    pub out: Option<PathBuf>,

    /// Write the labels to this JSON file: for each host, the lines (from 0) and times at which its fault begins and its guest dies
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,
}

fn hours(text: &str) -> Result<f64, String> {
    within(text, 0.0..=100_000.0, "hours")
}

fn lines(text: &str) -> Result<f64, String> {
    within(text, 1.0..=10_000_000.0, "lines an hour")
}

fn within(text: &str, range: std::ops::RangeInclusive<f64>, unit: &str) -> Result<f64, String> {
    let value = text
        .parse::<f64>()
        .ok()
        .filter(|value| range.contains(value));
    value.ok_or_else(|| format!("it takes {} to {} {unit}", range.start(), range.end()))
}

/// One host of those asked for.
struct Plan {
    name: String,
    scenario: Scenario,
    seed: u64,
    /// The variant of the scenario, and when it happens.
    fault: Option<(Script, Fault)>,
}

/// Writes the logs and the labels.
///
/// # Errors
/// Arguments that contradict each other, and what cannot be written.
pub fn generate(arguments: &LogsArguments) -> Result<()> {
    let normal = script::normal()?;
    let normal = at_rate(normal, arguments.rate)
        .map_err(|timed| usage(format!("--rate: timers alone log {timed:.0} lines an hour")))?;
    let plans = plans(arguments)?;
    let mut labels = Vec::new();
    if let [plan] = plans.as_slice() {
        let label = match &arguments.out {
            Some(file) => to_file(arguments, plan, &normal, file, series(file))?,
            None => {
                let mut out = BufWriter::new(io::stdout().lock());
                let label = write(arguments, plan, &normal, &mut out, plan.name.clone())?;
                out.flush()?;
                label
            }
        };
        labels.push(label);
    } else {
        let folder = arguments.out.as_ref().ok_or_else(|| {
            usage("several hosts need a folder for their files: --out FOLDER".to_owned())
        })?;
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        for plan in &plans {
            let file = folder.join(format!("{}__{}.log", plan.scenario.name(), plan.name));
            labels.push(to_file(arguments, plan, &normal, &file, series(&file))?);
        }
    }
    match &arguments.labels {
        Some(file) => labels::write(&labels, file),
        None => Ok(()),
    }
}

fn plans(arguments: &LogsArguments) -> Result<Vec<Plan>> {
    let hosts = match arguments.hosts {
        Some(hosts) => hosts as usize,
        None => arguments.scenario.len(),
    };
    let scenarios = arguments.scenario.iter().cycle();
    let plan = |(number, scenario): (usize, &Scenario)| {
        let name = format!("hv{}", number + 1);
        let mut rng = derived(arguments.seed, &name);
        let seed = rng.u64(..);
        let mut variants = scenario.variants()?;
        let fault = if variants.is_empty() {
            None
        } else {
            let script = variants.swap_remove(rng.usize(..variants.len()));
            let pace = PACE.start + (PACE.end - PACE.start) * rng.f64();
            Some((script, arguments, pace))
        };
        let fault = fault
            .map(|(script, arguments, pace)| {
                let begin = begin_of_fault(arguments, *scenario, &script, rng.f64())?;
                Ok::<_, anyhow::Error>((script, Fault { begin, pace }))
            })
            .transpose()?;
        Ok(Plan {
            name,
            scenario: *scenario,
            seed,
            fault,
        })
    };
    (0..hosts).zip(scenarios).map(plan).collect()
}

/// When the fault begins, in microseconds since the epoch; its guest dies within the hours. `chance` is 0 to 1.
fn begin_of_fault(
    arguments: &LogsArguments,
    scenario: Scenario,
    script: &Script,
    chance: f64,
) -> Result<i64> {
    let length = script.length() as f64 * PACE.end / (3_600 * MICROS) as f64;
    let latest = arguments.hours - length;
    let name = scenario.name();
    let at = match arguments.fault_at {
        Some(at) if at > latest => {
            let hours = arguments.hours;
            return Err(usage(format!(
                "--fault-at: of {hours} hours, the scenario {name} needs the last {length:.1}"
            ))
            .into());
        }
        Some(at) => at,
        None if latest < 0.0 => {
            return Err(usage(format!(
                "--hours: the scenario {name} needs {length:.1} and more"
            ))
            .into());
        }
        None => {
            let earliest = (arguments.hours * FAULT_SHARE).min(latest);
            earliest + (latest - earliest) * chance
        }
    };
    Ok(arguments.start.as_microsecond() + micros(at))
}

fn micros(hours: f64) -> i64 {
    (hours * (3_600 * MICROS) as f64) as i64
}

fn to_file(
    arguments: &LogsArguments,
    plan: &Plan,
    normal: &Script,
    file: &Path,
    series: String,
) -> Result<Label> {
    let of_file = || file.display().to_string();
    let out = BufWriter::new(File::create(file).with_context(of_file)?);
    let mut label = if file.extension().is_some_and(|ending| ending == "gz") {
        let mut out = GzEncoder::new(out, Compression::default());
        let label = write(arguments, plan, normal, &mut out, series).with_context(of_file)?;
        out.finish()
            .and_then(|mut out| out.flush())
            .with_context(of_file)?;
        label
    } else {
        let mut out = out;
        let label = write(arguments, plan, normal, &mut out, series).with_context(of_file)?;
        out.flush().with_context(of_file)?;
        label
    };
    label.file = Some(file.display().to_string());
    Ok(label)
}

fn write(
    arguments: &LogsArguments,
    plan: &Plan,
    normal: &Script,
    out: &mut impl Write,
    series: String,
) -> Result<Label> {
    let start = arguments.start.as_microsecond();
    let span = start..start + micros(arguments.hours);
    let host = Host::new(&plan.name, start, derived(plan.seed, "the host"));
    let fault = plan.fault.as_ref().map(|(script, fault)| (script, *fault));
    let mut label = Label::new(series, plan.scenario, &plan.name);
    for entry in Timeline::new(host, span, normal, fault, plan.seed) {
        label.note(&entry);
        arguments.format.write(out, &plan.name, &entry)?;
    }
    Ok(label)
}
