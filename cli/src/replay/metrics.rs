//! Recorded metrics through HAD: files in, events as JSON Lines out.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read as _;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use bellwether_core::event::{Event, EventKind};
use bellwether_core::had::{Detector, HadOptions};
use bellwether_core::maintenance::{self, Window};
use bellwether_records::command::usage;
use bellwether_records::series::{self, Group, Reading};
use bellwether_records::settings::{self, DEFAULT_INTERVAL, Setting};
use clap::{Args, ValueEnum};

use super::output::{Line, Replayed, in_order};
use bellwether_records::fleet::{Fleet, Watch, fleets};

const EXAMPLES: &str = "\
Examples:
  bellwether replay metrics hv1.csv hv2.csv.gz
  bellwether replay metrics --set algorithm=zscore --set threshold=2.2 recorded/
  bellwether replay metrics --interval 10 --kinds all recorded/ | jq -r .message
  curl -fsS \"http://prometheus:9090/api/v1/query_range?query=...&start=...&end=...&step=60\" >fleet.json
  bellwether replay metrics fleet.json
  bellwether replay metrics --vm-label vmname --hypervisor-label cluster_node grafana.csv
  bellwether replay metrics /var/lib/collectd/csv

\"bellwether options had\" lists the options for --set. The book's chapter \"The command\" has an example of each form.";

/// Replay metrics of VMs through HAD and print its events as JSON Lines
///
/// Each PATH is a file, plain or compressed, or a folder of such files. The form of a file is recognized by its content:
///
/// CSV with a column per VM: the first line is "t" and the names of the VMs. In all other lines, t is the number of the row. The time of
/// a row is its number times the interval. Row numbers rise; a number that is left out is a row without samples. An empty cell is a missing
/// sample. If the first column is named "time", or its numbers are too large for rows, it has times: seconds or milliseconds since the
/// epoch, or dates. A file holds one hypervisor and is named after it: NAME.csv or NAME.csv.gz.
///
/// Prometheus: the JSON of a range query (/api/v1/query_range, promtool -o json), what promtool prints, and CSV of Grafana with a column
/// per series or a line per sample. Labels name the VM and the hypervisor; a file may hold several hypervisors.
///
/// collectd: the folder of its plugin csv, or a host's in it. Counters become rates as in bellwether's plugin. rrdtool: what "rrdtool
/// dump", "fetch" and "xport" print, also in the folders of collectd's plugin rrdtool. A folder of dumps of one data source each is
/// a hypervisor, and each dump a VM.
///
/// Several metrics: a folder per metric (cpu/hv1.csv, disk_ops/hv1.csv), columns named VM:METRIC, or several names in an answer
/// of Prometheus. The decision is one over all metrics of a hypervisor (joint_metrics).
///
/// The hypervisors of a folder, or of one file, are a fleet: one detector sees them all, and what happens to a fifth of them at once is
/// one event, fleet_change. So are those of files that are all of their folder. Any other file, and files beside a labels.json as the
/// laboratory writes it, are by themselves. Events are printed in the order of the files and, within a file, by hypervisor and time; those
/// about a fleet come before those about its hypervisors. Each line is a JSON object: the event, and "index", the row at which the
/// incident was raised. Where two VMs hardly ever voted, a line on the standard error says why.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct MetricsArguments {
    /// Files of metrics (plain or compressed), or folders of files named *.csv, *.json, *.xml, *.tsv or *.txt, also compressed (*.csv.gz)
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Set an option of the detector; repeat it for several options
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = settings::had)]
    settings: Vec<Setting>,

    /// Seconds between two rows; the same as --set interval=SECONDS [default: as in the data where these have times, or else 300]
    #[arg(long, value_name = "SECONDS", value_parser = settings::interval)]
    interval: Option<Setting>,

    /// File of maintenance windows, one a line: HYPERVISOR FROM UNTIL, as for the collectd plugin's MaskFile. Nothing is learned or
    /// reported within them
    #[arg(long, value_name = "FILE")]
    mask_file: Option<PathBuf>,

    /// Kinds of events to print, separated by commas
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        value_name = "KIND",
        default_values = ["hypervisor_anomaly", "fleet_change"]
    )]
    kinds: Vec<Kind>,

    #[command(flatten)]
    reading: Reading,

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
    /// Many hypervisors changed at about the same time
    FleetChange,
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
            Kind::FleetChange => of == EventKind::FleetChange,
            Kind::WorkloadChange => of == EventKind::WorkloadChange,
            Kind::All => true,
        }
    }
}

/// Replays files of metrics and prints the events.
pub fn print(arguments: &MetricsArguments) -> Result<()> {
    let options = detector_options(arguments)?;
    let given: Vec<&Setting> = arguments
        .settings
        .iter()
        .chain(&arguments.interval)
        .collect();
    let reading = reading(&arguments.reading, &options, &given);
    let masks = match &arguments.mask_file {
        Some(path) => masks(path)?,
        None => Vec::new(),
    };
    let found = series::find(&arguments.paths, &reading)?;
    for warning in &found.warnings {
        eprintln!("bellwether: {warning}");
    }
    let (fleets, warnings) = fleets(&found.groups);
    for warning in &warnings {
        eprintln!("bellwether: {warning}");
    }
    let how = How {
        options: &options,
        given: &given,
        reading: &reading,
        kinds: &arguments.kinds,
        masks: &masks,
    };
    let mut hypervisors = Hypervisors::default();
    in_order(
        &fleets,
        arguments.jobs,
        "hypervisors",
        |groups| replay(groups, &how),
        |replayed| hypervisors.add(&replayed.hypervisors),
    )
}

/// How metrics are to be read, with the settings that were given.
pub fn reading(reading: &Reading, options: &HadOptions, given: &[&Setting]) -> Reading {
    let is_given = |name: &str| given.iter().any(|setting| setting.name == name);
    Reading {
        interval: is_given("interval").then_some(options.interval),
        metrics: if is_given("metrics") {
            options.metrics.clone()
        } else {
            Vec::new()
        },
        ..reading.clone()
    }
}

/// The hypervisors of all files.
#[derive(Debug, Default)]
pub struct Hypervisors(HashMap<String, String>);

impl Hypervisors {
    /// Adds hypervisors, each with the files that it is in.
    ///
    /// # Errors
    /// One that is in other files, too: nobody could distinguish their events.
    pub fn add(&mut self, hypervisors: &[(String, String)]) -> Result<()> {
        for (name, place) in hypervisors {
            if let Some(other) = self.0.insert(name.clone(), place.clone()) {
                bail!(
                    "{other} and {place} both have the hypervisor \"{name}\"; put its samples into one file, one after the other, or \
                     name another label by --hypervisor-label"
                );
            }
        }
        Ok(())
    }
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

/// The windows of a mask file. Lines that are none are warned about.
///
/// # Errors
/// The file cannot be read.
fn masks(path: &Path) -> Result<Vec<Window>> {
    let place = path.display();
    let mut bytes = Vec::new();
    let limit = maintenance::FILE_MAX_BYTES as u64 + 1;
    File::open(path)
        .and_then(|file| file.take(limit).read_to_end(&mut bytes))
        .with_context(|| format!("cannot read the mask file {place}"))?;
    let parsed = maintenance::parse(&String::from_utf8_lossy(&bytes));
    for warning in parsed.warnings() {
        eprintln!("bellwether: {place}: {warning}");
    }
    Ok(parsed.windows)
}

/// How files are replayed.
struct How<'a> {
    options: &'a HadOptions,
    given: &'a [&'a Setting],
    reading: &'a Reading,
    kinds: &'a [Kind],
    masks: &'a [Window],
}

/// Replays the hypervisors of groups that one detector sees.
fn replay(groups: &[Group], how: &How<'_>) -> Result<Replayed> {
    let mut fleet = Fleet::open(groups, how.options, how.given, how.reading)?;
    fleet.mask(how.masks);
    let mut printed = Printed {
        kinds: how.kinds,
        lines: BTreeMap::new(),
    };
    let warnings = fleet.replay(0.0, &mut printed)?;
    Ok(Replayed {
        hypervisors: fleet.hypervisors(),
        lines: printed.lines.into_values().flatten().collect(),
        warnings,
    })
}

/// Events of these kinds as lines: those of all hypervisors, and then those of each.
struct Printed<'a> {
    kinds: &'a [Kind],
    lines: BTreeMap<Option<usize>, Vec<u8>>,
}

impl Watch for Printed<'_> {
    fn row(&mut self, _: usize, _: u64, _: &[Option<f64>], _: &Detector) -> Result<()> {
        Ok(())
    }

    fn event(&mut self, at: Option<usize>, event: Event, index: u64, _: &Detector) -> Result<()> {
        if self.kinds.iter().any(|kind| kind.covers(event.kind())) {
            let line = Line {
                event: &event,
                series: None,
                index,
            };
            line.write(self.lines.entry(at).or_default())?;
        }
        Ok(())
    }
}
