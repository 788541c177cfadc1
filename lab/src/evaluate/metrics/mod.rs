//! How good a detector for metrics is.
//!
//! [`run`](evaluation::run) runs [`Candidate`]s over the hypervisors of a [`Source`] and returns verdicts on their alarms. These have
//! [`Figures`](score::Figures), in all and by cell.

pub mod candidate;
mod chart;
pub mod evaluation;
mod report;
pub mod score;
mod sets;
pub mod source;
mod tables;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use bellwether_records::command::{self, usage};
use bellwether_records::progress::bar;
use bellwether_records::settings::{self, Setting};
use clap::Args;
use serde::Deserialize;

use self::candidate::Candidate;
use self::report::{Evaluated, Report};
use self::score::Tolerance;
use self::source::Source;
use self::tables::Measure;
use crate::evaluate::sweep::{Sweep, combinations, had_sweep};
use crate::generate::metrics::label::Labels;
use crate::generate::metrics::plan::CaseArguments;

const EXAMPLES: &str = "\
Examples:
  bellwether-lab evaluate metrics --regime quiet,raw --vms 5,8,13,30 --reps 100
  bellwether-lab evaluate metrics --baseline zscore,iad --pivot f1 --plot f1.svg
  bellwether-lab evaluate metrics --sweep false_alarms_per_month=0.01,0.1,1,10 --pivot f1,false_alarms_per_month
  bellwether-lab evaluate metrics --baseline iad:iad_window_sz=30:iad_change_threshold=0.05 cases/
  bellwether-lab evaluate metrics --detections events.jsonl cases/
  bellwether-lab evaluate metrics --baseline zscore,iad sets/
  bellwether-lab evaluate metrics sets/ar10 sets/wave
  bellwether-lab evaluate metrics --json >before.json; bellwether-lab evaluate metrics --against before.json

\"bellwether options had\" lists the options for --set.";

/// Run HAD over labeled hypervisors and print how good it is
///
/// The hypervisors are generated in memory, as by "bellwether-lab generate metrics", or read from a FOLDER with labels.json and a CSV
/// file per hypervisor. Each folder has its own interval, which labels.json names.
///
/// Several FOLDERs, or one that holds such folders, are sets that are evaluated beside each other: for each set and cell, by the number
/// of VMs, how many of the faults were found and how many false alarms there were in 1000 days of one hypervisor; and for each set, how
/// many the options accept, and the recall. There an alarm is a true one from the beginning to the end of a fault, and all days
/// count.
///
/// An alarm is a true one from the beginning of a fault to --tolerance rows after its end. A hypervisor with a fault is a true
/// positive if it has a true alarm. A hypervisor with any other alarm is a false positive, with or without a fault. F1, precision and
/// recall count hypervisors. The delay is the number of rows from the beginning of the fault to the first true alarm. False alarms are
/// counted per 1000 days of one hypervisor. Ranges in brackets are 95 % confidence intervals: percentiles over bootstrap samples of
/// the hypervisors of each cell. They say nothing about faults of other kinds than the generated ones.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct EvaluateMetricsArguments {
    /// Folders with labels.json and a CSV file (plain or compressed) per hypervisor, or per hypervisor and metric in folders named
    /// after metrics; or a folder of such folders
    #[arg(value_name = "FOLDER", conflicts_with_all = ["scenarios", "shapes", "vms", "reps", "regime", "traces", "ts_len", "keys",
        "interval_s", "phi", "wave", "noise", "tenants", "alike", "metrics", "fault_metrics"])]
    pub folders: Vec<PathBuf>,

    #[command(flatten)]
    pub cases: CaseArguments,

    /// Set an option of the detector; repeat it for several options
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = settings::had)]
    pub settings: Vec<Setting>,

    /// Run the detector with each of these values of an option; each gets rows of its own
    #[arg(long, value_name = "NAME=VALUE,...", value_parser = had_sweep, conflicts_with_all = ["baseline", "detections", "against"])]
    pub sweep: Option<Sweep>,

    /// Other detectors to compare with, separated by commas, each with its own options: NAME:OPTION=VALUE:...
    #[arg(long, value_name = "DETECTORS", value_delimiter = ',')]
    pub baseline: Vec<String>,

    /// Evaluate these alarms instead of running a detector: JSON Lines with "hypervisor" and "index", the row
    #[arg(long, value_name = "FILE", requires = "folders", conflicts_with_all = ["settings", "baseline"])]
    pub detections: Option<PathBuf>,

    /// Compare with the figures in this file, which --json printed. The same hypervisors are generated again. The exit status is 1 if a
    /// scenario is worse by more than 0.005, in F1 or, where it has no faults, in the share of hypervisors with a false alarm
    #[arg(long, value_name = "FILE", conflicts_with_all = ["folders", "baseline", "pivot", "scenarios", "shapes", "vms", "reps", "regime",
        "traces", "ts_len", "keys", "seed", "interval_s", "phi", "wave", "noise", "tenants", "alike", "metrics", "fault_metrics"])]
    pub against: Option<PathBuf>,

    /// Number of rows after the end of a fault in which an alarm still counts as true [default: 51, and 0 for several sets]
    #[arg(long, value_name = "ROWS")]
    pub tolerance: Option<u64>,

    /// Ignore true alarms that come more than this number of rows after the beginning of the fault
    #[arg(long, value_name = "ROWS")]
    pub strict: Option<u64>,

    /// Print these measures only, separated by commas; each is a table with a column for each number of VMs
    #[arg(long, value_enum, value_delimiter = ',', value_name = "MEASURES")]
    pub pivot: Vec<Measure>,

    /// Plot the measures of --pivot to this SVG file, by the number of VMs or by the values of --sweep
    #[arg(long, value_name = "FILE", requires = "pivot")]
    pub plot: Option<PathBuf>,

    /// Print JSON: the arguments from which the hypervisors were generated, and the rows of each detector
    #[arg(long, conflicts_with = "pivot")]
    pub json: bool,
}

/// Rows after the end of a fault in which an alarm is still a true one.
const TOLERANCE_ROWS: u64 = 51;

/// Evaluates and prints.
pub fn print(arguments: &EvaluateMetricsArguments) -> Result<()> {
    if let Some(file) = &arguments.against {
        return compare(arguments, file);
    }
    if let Some(sets) = sets::sets(&arguments.folders)? {
        return sets::print(arguments, &sets);
    }
    let report = evaluate(arguments, &arguments.cases)?;
    let text = if arguments.json {
        report.json()?
    } else if arguments.pivot.is_empty() {
        tables::full(&report)
    } else {
        let pivot = arguments.pivot.iter();
        let tables: Vec<String> = pivot.map(|m| tables::pivot(&report, *m)).collect();
        tables.join("\n")
    };
    if let Some(file) = &arguments.plot {
        chart::chart(&report, &arguments.pivot, arguments.sweep.as_ref()).write(file)?;
    }
    command::print(&text)
}

/// Evaluates on the hypervisors of an earlier evaluation again. Prints both side by side or, with `--json`, the new figures.
fn compare(arguments: &EvaluateMetricsArguments, file: &Path) -> Result<()> {
    let place = || file.display().to_string();
    let text = std::fs::read_to_string(file).with_context(place)?;
    let before: Report = serde_json::from_str(&text).with_context(place)?;
    let (Some(cases), Some(first)) = (&before.cases, before.detectors.first()) else {
        bail!(
            "{}: it does not say what the hypervisors were made from; it takes what --json printed without a FOLDER",
            place()
        );
    };
    let after = evaluate(arguments, cases)?;
    let (table, worse) = tables::compare(first, &after.detectors[0]).with_context(place)?;
    command::print(&if arguments.json { after.json()? } else { table })?;
    ensure!(
        worse == 0,
        "{worse} of the scenarios became worse than in {}",
        place()
    );
    Ok(())
}

/// Runs the evaluation of `arguments`, on hypervisors generated from `cases` where no folder is given.
///
/// # Errors
/// What is wrong with the arguments or the files.
fn evaluate(arguments: &EvaluateMetricsArguments, cases: &CaseArguments) -> Result<Report> {
    let tolerance = Tolerance {
        after: arguments.tolerance.unwrap_or(TOLERANCE_ROWS),
        strict: arguments.strict,
    };
    let seed = cases.seed;
    if let (Some(folder), Some(detections)) = (arguments.folders.first(), &arguments.detections) {
        let labels = Labels::read(folder)?;
        let verdicts = evaluation::score_alarms(&labels, &alarms(detections)?, tolerance)
            .with_context(|| detections.display().to_string())?;
        let evaluated = Evaluated {
            detector: detections.display().to_string(),
            rows: verdicts.rows(seed),
        };
        return Ok(Report {
            cases: None,
            detectors: vec![evaluated],
        });
    }
    let source = match arguments.folders.first() {
        Some(folder) => Source::folder(folder)?,
        None => Source::generated(cases)?,
    };
    let candidates = candidates(arguments, source.interval())?;
    let bar = bar(source.len(), "hypervisors");
    let verdicts = evaluation::run(&source, &candidates, tolerance, || bar.inc(1))?;
    bar.finish_and_clear();
    let detectors = candidates.into_iter().zip(verdicts);
    Ok(Report {
        cases: arguments.folders.is_empty().then(|| cases.clone()),
        detectors: detectors
            .map(|(candidate, verdicts)| Evaluated {
                detector: candidate.name,
                rows: verdicts.rows(seed),
            })
            .collect(),
    })
}

/// The detector, with each value of the sweep where there is one, and those that it is compared with. `interval`: seconds between
/// two rows.
fn candidates(arguments: &EvaluateMetricsArguments, interval: f64) -> Result<Vec<Candidate>> {
    let default = Setting::new("interval", interval);
    let mut candidates = Vec::new();
    for swept in combinations(arguments.sweep.as_slice()) {
        let given = || arguments.settings.iter().chain(&swept);
        let options =
            settings::had_options([&default].into_iter().chain(given())).map_err(usage)?;
        let name = given().fold(
            options.get("algorithm").unwrap_or_default(),
            |name, setting| match setting.name.as_str() {
                "algorithm" => name,
                option => format!("{name}:{option}={}", setting.value),
            },
        );
        let names_metrics = given().any(|setting| setting.name == "metrics");
        candidates.push(Candidate::had(name, options, !names_metrics));
    }
    for text in &arguments.baseline {
        let candidate = Candidate::parse(text, interval)
            .map_err(|error| usage(format!("--baseline: {error}")))?;
        candidates.push(candidate);
    }
    Ok(candidates)
}

/// An alarm as a line of JSON. Events of a replay are such lines, too.
#[derive(Deserialize)]
struct Alarm {
    hypervisor: String,
    index: u64,
    #[serde(default)]
    event: Option<String>,
    #[serde(default)]
    state: Option<String>,
}

/// The alarms in a file. Of the events of a replay, those are alarms that raise a `hypervisor_anomaly`.
fn alarms(file: &Path) -> Result<Vec<(String, u64)>> {
    let place = || file.display().to_string();
    let text = std::fs::read_to_string(file).with_context(place)?;
    let mut alarms = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let alarm: Alarm = serde_json::from_str(line).with_context(|| {
            format!(
                "{}, line {}: it takes {{\"hypervisor\": NAME, \"index\": ROW}}",
                place(),
                number + 1
            )
        })?;
        let is = |word: &Option<String>, expected: &str| {
            word.as_deref().is_none_or(|word| word == expected)
        };
        if is(&alarm.event, "hypervisor_anomaly") && is(&alarm.state, "raised") {
            alarms.push((alarm.hypervisor, alarm.index));
        }
    }
    Ok(alarms)
}
