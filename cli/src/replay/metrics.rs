//! Recorded metrics through HAD: CSV files in, events as JSON Lines out.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::Result;
use bellwether_core::event::EventKind;
use bellwether_core::had::{Counters, HadOptions};
use bellwether_records::command::usage;
use bellwether_records::feed::Feed;
use bellwether_records::series::{self, Series, hypervisor};
use bellwether_records::settings::{self, DEFAULT_INTERVAL, Setting};
use clap::{Args, ValueEnum};

use super::output::{Line, Replayed, in_order};

const EXAMPLES: &str = "\
Examples:
  bellwether replay metrics hv1.csv hv2.csv.gz
  bellwether replay metrics --set algorithm=zscore --set threshold=2.2 recorded/
  bellwether replay metrics --interval 10 --kinds all recorded/ | jq -r .message

\"bellwether options had\" lists the options for --set.";

/// Replay metrics of VMs through HAD and print its events as JSON Lines
///
/// Each PATH is a CSV file, plain or compressed, or a folder of such files. A file holds one hypervisor and is named after it:
/// NAME.csv or NAME.csv.gz. The first line is "t" and the names of the VMs. In all other lines, t is the number of the row, and
/// the other cells are the values of the metric. The time of a row is its number times the interval. Row numbers rise; a number
/// that is left out is a row without samples. An empty cell is a missing sample.
///
/// Each file gets its own detector. Events are printed in the order of the files and, within a file, by time. Each line is a JSON
/// object: the event, and "index", the row at which the incident was raised.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct MetricsArguments {
    /// CSV files (plain or compressed), or folders of files named *.csv, also compressed (*.csv.gz)
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Set an option of the detector; repeat it for several options
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = settings::had)]
    settings: Vec<Setting>,

    /// Seconds between two rows; the same as --set interval=SECONDS [default: 300]
    #[arg(long, value_name = "SECONDS", value_parser = settings::interval)]
    interval: Option<Setting>,

    /// Kinds of events to print, separated by commas
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        value_name = "KIND",
        default_value = "hypervisor_anomaly"
    )]
    kinds: Vec<Kind>,

    /// Read an invalid cell as a missing sample instead of stopping
    #[arg(long)]
    lenient: bool,

    /// Number of files to read at a time [default: the number of cores]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Kind {
    /// Many VMs of a hypervisor changed or froze together
    HypervisorAnomaly,
    /// No VM of a hypervisor reports any more
    HypervisorSilence,
    /// Most hypervisors stopped reporting at about the same time
    CollectorSilence,
    /// One VM changed alone, or many changed as they did before; sets workload_changes=true
    WorkloadChange,
    /// All of these
    All,
}

impl Kind {
    /// Whether events of the kind `of` are among these.
    pub fn covers(self, of: EventKind) -> bool {
        match self {
            Kind::HypervisorAnomaly => of == EventKind::HypervisorAnomaly,
            Kind::HypervisorSilence => of == EventKind::HypervisorSilence,
            Kind::CollectorSilence => of == EventKind::CollectorSilence,
            Kind::WorkloadChange => of == EventKind::WorkloadChange,
            Kind::All => true,
        }
    }
}

/// Replays files of metrics and prints the events.
pub fn print(arguments: &MetricsArguments) -> Result<()> {
    let options = detector_options(arguments)?;
    let files = series::files(&arguments.paths)?;
    series::refuse_duplicates(&files)?;
    in_order(&files, arguments.jobs, "hypervisors", |file| {
        replay(file, &options, arguments)
    })
}

/// The detector's options.
///
/// # Errors
/// The usage error that says how they contradict each other.
fn detector_options(arguments: &MetricsArguments) -> Result<HadOptions, clap::Error> {
    let workload = arguments
        .kinds
        .iter()
        .any(|k| k.covers(EventKind::WorkloadChange));
    let defaults = [
        Setting::new("interval", DEFAULT_INTERVAL),
        Setting::new("workload_changes", workload),
    ];
    let given = arguments.settings.iter().chain(&arguments.interval);
    settings::had_options(defaults.iter().chain(given)).map_err(usage)
}

fn replay(file: &Path, options: &HadOptions, arguments: &MetricsArguments) -> Result<Replayed> {
    let mut series = Series::open(file, arguments.lenient)?;
    let hypervisor = hypervisor(file);
    let mut feed = Feed::new(options, &hypervisor, series.vms().to_vec())?;
    let mut lines = Vec::new();
    let mut values = Vec::new();
    let mut rows = 0_u64;
    while let Some(row) = series.next_row(&mut values)? {
        rows += 1;
        feed.row(row, &values);
        print_events(&mut feed, &arguments.kinds, &mut lines)?;
    }

    let mut warnings = warnings(file, series.bad_cells, &feed.counters());
    if rows == 0 {
        warnings.push(format!("{}: there are no rows in it", file.display()));
    }
    Ok(Replayed { lines, warnings })
}

/// Warnings about a file: cells that were read as missing samples, and values that the detector did not count.
pub fn warnings(file: &Path, bad_cells: u64, counters: &Counters) -> Vec<String> {
    [
        (bad_cells, "invalid cells, read as missing samples"),
        (
            counters.full,
            "samples ignored, of VMs beyond the option \"max_vms\"",
        ),
        (
            counters.vms_evicted,
            "VMs that no longer reported, evicted because of the option \"max_vms\"",
        ),
        (
            counters.refused,
            "samples refused, with names or values out of range",
        ),
        (
            counters.late,
            "samples ignored, of rows that were closed already",
        ),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!("{}: {what}: {count}", file.display()))
    .collect()
}

fn print_events(feed: &mut Feed<'_>, kinds: &[Kind], out: &mut Vec<u8>) -> Result<()> {
    while let Some((event, index)) = feed.next_event() {
        if kinds.iter().any(|kind| kind.covers(event.kind())) {
            Line {
                event: &event,
                series: None,
                index,
            }
            .write(out)?;
        }
    }
    Ok(())
}
