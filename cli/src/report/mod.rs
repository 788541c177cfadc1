//! One HTML file with the findings of the detectors: `bellwether report`.

mod events;
mod logs;
mod metrics;

use std::fs;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use bellwether_core::had::HadOptions;
use bellwether_core::lad::{LadOptions, inference};
use bellwether_core::risk::RiskOptions;
use bellwether_records::clock::Clock;
use bellwether_records::command::usage;
use bellwether_records::logs as recorded_logs;
use bellwether_records::progress::{bar, each_in_order};
use bellwether_records::series::{self, Reading};
use bellwether_records::settings::{self, DEFAULT_INTERVAL, Setting};
use clap::Args;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use bellwether_report::model::Report;
use bellwether_report::{page, risk, words};

use crate::replay::metrics::{Hypervisors, reading};
use bellwether_records::fleet::fleets;

const EXAMPLES: &str = "\
Examples:
  bellwether report --metrics hv1.csv hv2.csv.gz --start 2026-03-03T00:00 --out report.html
  bellwether report --metrics recorded/ --interval 10 --logs /var/log/syslog --out report.html
  bellwether report --events events.jsonl --time-zone Europe/Berlin --out report.html";

/// Write the findings as one HTML file
///
/// The file is self-contained: it loads nothing from the network or from other files. It shows all hypervisors at a glance. For each
/// one it shows how its VMs changed, which of them agreed and when, and what the verdict rests on. For logs it shows the episodes with
/// their templates and lines.
///
/// The input is recorded metrics and logs, which are replayed as by "bellwether replay metrics" and "bellwether replay logs". Or it
/// is events, as these commands and the plugins write them; then the report has no series.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
#[command(group = clap::ArgGroup::new("data").required(true).multiple(true).args(["metrics", "logs", "events"]))]
pub struct ReportArguments {
    /// Files of metrics (plain or compressed) or folders of them, in any form that "replay metrics" reads
    #[arg(long, value_name = "PATH", num_args = 1..)]
    metrics: Vec<PathBuf>,

    /// Log files (plain or compressed) or folders of them, as for "replay logs"
    #[arg(long, value_name = "PATH", num_args = 1..)]
    logs: Vec<PathBuf>,

    /// Files of events, one JSON object per line (plain or compressed)
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = ["metrics", "logs"])]
    events: Vec<PathBuf>,

    /// The HTML file to write
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,

    /// Title of the page
    #[arg(long, value_name = "TEXT", default_value = "bellwether report")]
    title: String,

    /// Set an option of a detector ("bellwether options had" and "lad" list them); repeat it for several options
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = setting)]
    settings: Vec<Setting>,

    /// Seconds between two rows of metrics; the same as --set interval=SECONDS [default: as in the data where these have times, or else
    /// 300]
    #[arg(long, value_name = "SECONDS", value_parser = settings::interval)]
    interval: Option<Setting>,

    /// Time of row 0 of metrics without times, such as 2026-03-03T06:40 (in the time zone) or 2026-03-03T06:40:00Z [default: unknown, times
    /// count from row 0]
    #[arg(long, value_name = "TIME")]
    start: Option<String>,

    /// Time zone of the page, by its IANA name
    #[arg(long, value_name = "ZONE", default_value = "UTC", value_parser = zone)]
    time_zone: TimeZone,

    /// How often a host fails so that guests die, per host and year; the risk of a failure starts from it [default: 0.4]
    #[arg(long, value_name = "N")]
    failures_per_host_year: Option<String>,

    #[command(flatten)]
    reading: Reading,

    /// Year of the first time of a log, where times have none [default: the latest that is not after the file's last change]
    #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(i16).range(1970..=9998))]
    year: Option<i16>,

    /// Number of files to read at a time [default: the number of cores]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
}

fn is_lad_option(name: &str) -> bool {
    LadOptions::SPECS.iter().any(|spec| spec.name == name) || name.starts_with("drain_")
}

fn is_had_option(name: &str) -> bool {
    HadOptions::SPECS.iter().any(|spec| spec.name == name)
}

/// An option of either detector.
fn setting(text: &str) -> Result<Setting, String> {
    let name = text.split('=').next().unwrap_or_default().trim();
    if is_lad_option(name) && !is_had_option(name) {
        settings::lad(text)
    } else {
        settings::had(text)
    }
}

fn zone(name: &str) -> Result<TimeZone, String> {
    if name == "UTC" {
        return Ok(TimeZone::UTC);
    }
    TimeZone::get(name).map_err(|error| {
        format!("{error}; give the IANA name of a zone, such as UTC or Europe/Berlin")
    })
}

/// Seconds since the epoch of a time that is given with an offset, or in `zone`.
fn start(text: &str, zone: &TimeZone) -> Option<f64> {
    let local = || {
        let date = || {
            text.parse::<Date>()
                .ok()
                .map(|d| d.to_datetime(jiff::civil::Time::midnight()))
        };
        let time: DateTime = text.parse().ok().or_else(date)?;
        Some(time.to_zoned(zone.clone()).ok()?.timestamp())
    };
    let timestamp = text.parse::<Timestamp>().ok().or_else(local)?;
    Some(timestamp.as_second() as f64)
}

/// Makes the page and writes it.
///
/// # Errors
/// Data that cannot be read, options that contradict each other, a page that cannot be written.
pub fn report(arguments: &ReportArguments) -> Result<()> {
    let mut report = Report::default();
    let options = risk_options(arguments)?;
    if !arguments.metrics.is_empty() {
        add_metrics(&mut report, arguments)?;
    }
    if !arguments.logs.is_empty() {
        add_logs(&mut report, arguments)?;
    }
    if !arguments.events.is_empty() {
        report.hosts = events::read(&arguments.events)?;
        let files = arguments.events.iter().map(|f| f.display().to_string());
        let files: Vec<String> = files.collect();
        report
            .sources
            .push(format!("events in {}", files.join(", ")));
    }
    report.arrange();
    for host in &mut report.hosts {
        host.risk = risk::assess(host, &options)?;
    }
    for warning in &report.warnings {
        eprintln!("bellwether: {warning}");
    }
    let clock = Clock::new(arguments.time_zone.clone());
    let page = page::render(&report, &arguments.title, &clock);
    let out = &arguments.out;
    fs::write(out, page).with_context(|| format!("{}: the page cannot be written", out.display()))
}

fn risk_options(arguments: &ReportArguments) -> Result<RiskOptions> {
    let mut options = RiskOptions::default();
    if let Some(rate) = &arguments.failures_per_host_year {
        options.set("failures_per_host_year", rate).map_err(usage)?;
    }
    Ok(options)
}

fn add_metrics(report: &mut Report, arguments: &ReportArguments) -> Result<()> {
    let interval = Setting::new("interval", DEFAULT_INTERVAL);
    let given = arguments.settings.iter().filter(|s| is_had_option(&s.name));
    let given: Vec<&Setting> = given.chain(&arguments.interval).collect();
    let all = [&interval].into_iter().chain(given.iter().copied());
    let options = settings::had_options(all).map_err(usage)?;
    let start = match &arguments.start {
        None => 0.0,
        Some(text) => start(text, &arguments.time_zone).ok_or_else(|| {
            usage(format!(
                "--start: \"{text}\" is not a time; give one such as 2026-03-03T06:40 or 2026-03-03T06:40:00Z"
            ))
        })?,
    };
    let reading = reading(&arguments.reading, &options, &given);
    let replay = metrics::Replay {
        options: &options,
        given: &given,
        reading: &reading,
        start,
    };
    let found = series::find(&arguments.metrics, &reading)?;
    report.warnings.extend(found.warnings.iter().cloned());
    let files = found.paths();
    report.sources.push(words::metrics_source(&files, &options));
    let mut hypervisors = Hypervisors::default();
    let (fleets, warnings) = fleets(&found.groups);
    report.warnings.extend(warnings);
    each_in_order(
        &fleets,
        arguments.jobs,
        &bar(fleets.len(), "hypervisors"),
        |groups| metrics::replay(groups, &replay),
        |found| {
            hypervisors.add(&found.hypervisors)?;
            report.hosts.extend(found.hosts);
            report.warnings.extend(found.warnings);
            Ok(())
        },
    )
}

fn add_logs(report: &mut Report, arguments: &ReportArguments) -> Result<()> {
    let given = arguments.settings.iter().filter(|s| is_lad_option(&s.name));
    let options = settings::lad_options(given).map_err(usage)?;
    let lexicon = inference(&options).map_err(usage)?;
    let found = recorded_logs::find(&arguments.logs)?;
    report.sources.push(words::logs_source(&found));
    report.warnings.extend(found.warnings);
    each_in_order(
        &found.groups,
        arguments.jobs,
        &bar(found.groups.len(), "logs"),
        |group| logs::replay(group, &options, &lexicon, arguments.year),
        |(hosts, warnings)| {
            report.hosts.extend(hosts);
            report.warnings.extend(warnings);
            Ok(())
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_goes_to_the_detector_that_has_it() {
        assert!(setting("threshold=2.2").is_ok());
        assert!(setting("episode_sz=100").is_ok());
        assert!(setting("drain_sim_th=0.5").is_ok());
        assert!(setting("treshold=2").unwrap_err().contains("threshold"));
        assert!(setting("episode_sz=many").unwrap_err().contains("many"));
    }

    #[test]
    fn a_start_is_read_in_its_own_offset_or_in_the_zone_of_the_page() {
        let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let time = Some(1_707_136_800.0);
        assert_eq!(start("2024-02-05T12:40:00Z", &berlin), time);
        assert_eq!(start("2024-02-05T12:40", &TimeZone::UTC), time);
        assert_eq!(start("2024-02-05 13:40", &berlin), time);
        assert_eq!(start("2024-02-05", &TimeZone::UTC), Some(1_707_091_200.0));
        assert_eq!(start("yesterday", &berlin), None);
    }
}
