//! How good a detector for logs is, by the measures that VMFT-LAD was published with (dissertation, chapter 5).
//!
//! [`Corpus`] holds series, [`Corpus::observe`] runs a detector over them, and an [`Evaluation`] of its scores against
//! [`Label`]s gives [`Figures`] and how sure they are.

mod baselines;
mod chart;
pub mod corpus;
pub mod figures;
pub mod labels;
mod migration;
mod nab;
mod operating;
mod roc;
mod run;
mod scores;
mod tables;

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::{ArgGroup, Args};
use regex::Regex;
use serde::Serialize;

use crate::args::{Setting, lad_setting};
use crate::evaluate::sweep::{Sweep, lad_sweep};
use baselines::Baseline;
use figures::{Evaluation, Figures, Intervals};
use labels::Label;
use migration::{Feasible, Fit};
use run::Run;
use tables::Section;

/// Records at the beginning of a series that count for nothing: detectors learn from them.
const TRAINING: usize = 150;

const EXAMPLES: &str = "\
Examples:
  bellwether evaluate logs --labels labels.json recorded/
  bellwether evaluate logs --labels labels.json --set window_size=6 --threshold 0.5 --json recorded/ | jq .detectors[].figures
  bellwether evaluate logs --labels labels.json --keys keys.json --verdicts verdicts.csv --set mode=paper --set push=false
  bellwether evaluate logs --labels labels.json --sweep window_size=2,4,8 --sweep training=100,200 --tables alarms recorded/
  bellwether evaluate logs --labels labels.json --scores theirs.jsonl --all

\"bellwether options lad\" lists what --set takes.";

/// Series with labels: lines, or log keys with verdicts on them.
#[derive(Debug, Args)]
pub struct LabelledArguments {
    /// Files of lines (plain or gzip), or folders with files named *.log and *.txt
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// JSON, plain or gzip: when the fault of each series was injected, and when it failed
    #[arg(long, value_name = "FILE")]
    pub labels: PathBuf,

    /// JSON, plain or gzip: an object of series, each a list of log keys
    #[arg(long, value_name = "FILE", requires = "verdicts")]
    pub keys: Option<PathBuf>,

    /// CSV with a first line "key,faulty": whether the records with that key tell of a failure, true or false; a key that is not there
    /// tells of none
    #[arg(long, value_name = "CSV", requires = "keys")]
    pub verdicts: Option<PathBuf>,
}

/// Run LAD over labelled logs and print how good it is
///
/// Each PATH is a file of log lines, or a folder with such, as \"bellwether replay logs\" takes them. Series are matched with
/// labels by their names; those without a label are left out. Log keys and verdicts (see \"bellwether replay keys\") and scores
/// that another detector gave can be judged beside them or instead.
///
/// The labels are an object \"series\" of JSON: for each name \"scenario\", \"n\" (records), \"inject\" and \"fail\" (number from 0 of
/// the first record of the fault and of the failure; null where nothing fails), and, if known, \"lead_s\": pairs of a record and the
/// seconds from it on to the failure.
///
/// Ranges in brackets hold the figure with 95 % confidence: percentiles over draws of as many series of each scenario, with
/// replacement.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
#[command(group = ArgGroup::new("input").args(["paths", "keys", "scores"]).required(true).multiple(true))]
pub struct EvaluateLogsArguments {
    #[command(flatten)]
    pub labelled: LabelledArguments,

    /// Scores that a detector gave, plain or gzip: {"series": NAME, "index": RECORD, "score": S} a line; may be repeated
    #[arg(long, value_name = "FILE")]
    pub scores: Vec<PathBuf>,

    /// Detectors to put beside it, separated by commas; they work on the log keys that it finds or is given
    #[arg(
        long = "baseline",
        value_enum,
        value_delimiter = ',',
        value_name = "NAME"
    )]
    pub baselines: Vec<Baseline>,

    /// Set an option of the detector; may be repeated, the last one wins
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = lad_setting)]
    pub settings: Vec<Setting>,

    /// Run the detector with each of these values of an option, a row each; twice for each pair of values of two options
    #[arg(long, value_name = "NAME=VALUE,...", value_parser = lad_sweep)]
    pub sweep: Vec<Sweep>,

    /// The score from which a record is an alarm, for all but NAB's scores and the areas under the curve [default: the one
    /// that NAB finds best by its standard profile and the relaxed criterion]
    #[arg(long, value_name = "SCORE", value_parser = score)]
    pub threshold: Option<f64>,

    /// Series to judge: those whose names match this regular expression [default: all]
    #[arg(long, value_name = "REGEX")]
    pub only: Option<Regex>,

    /// Judge series without scores, too, as if all were 0; otherwise they are left out
    #[arg(long)]
    pub all: bool,

    /// Add a record with this score to the end of each failing series, as in the scores published with VMFT-LAD
    #[arg(long, value_name = "SCORE", value_parser = score)]
    pub sentinel: Option<f64>,

    /// How many draws the confidence is found from; 0 leaves it out
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub bootstrap: u32,

    /// What the draws follow from: the same seed gives the same output
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// CSV with a first line "memory_gib,seconds" or "memory_gib,seconds,method": measured migrations, from which follows how
    /// long a VM takes by its memory, and for which failures the time from alarm to failure suffices
    #[arg(long, value_name = "FILE", requires = "vm_memory")]
    pub migrations: Option<PathBuf>,

    /// The memory of the host's VMs, GiB, separated by commas
    #[arg(long, value_name = "GIB", value_delimiter = ',', value_parser = memory, requires = "migrations")]
    pub vm_memory: Vec<f64>,

    /// Which tables to print, separated by commas
    #[arg(long, value_enum, value_delimiter = ',', value_name = "TABLE", default_values = ["nab", "auc", "alarms", "lead"])]
    pub tables: Vec<Section>,

    /// Draw a chart as SVG: failures told early and false alarms by the values of --sweep, or the curves of true and false positive
    /// rates
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,

    /// Print everything as JSON instead, the points of the curves too
    #[arg(long)]
    pub json: bool,

    /// The year of times that have none [default: that in which the file was changed last]
    #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(i16).range(1970..=9998))]
    pub year: Option<i16>,

    /// How many series to work on at a time [default: the number of cores]
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
}

/// A score.
pub fn score(text: &str) -> Result<f64, String> {
    let score = text.trim().parse().ok();
    score
        .filter(|score: &f64| score.is_finite())
        .ok_or_else(|| "it takes a finite number, such as 0.5".into())
}

/// A VM's memory.
fn memory(text: &str) -> Result<f64, String> {
    let gib = text.trim().parse().ok();
    gib.filter(|gib: &f64| *gib > 0.0 && gib.is_finite())
        .ok_or_else(|| "it takes a number of GiB above 0".into())
}

/// When an alarm counts as one that tells of the failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Criterion {
    /// From the injection to the end of the series (dissertation, section 5.1.1).
    Relaxed,
    /// Before the failure (section 5.1.2).
    Strict,
}

/// Something by either criterion.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Both<T> {
    pub relaxed: T,
    pub strict: T,
}

impl<T> Both<T> {
    fn of(make: impl Fn(Criterion) -> T) -> Self {
        Self {
            relaxed: make(Criterion::Relaxed),
            strict: make(Criterion::Strict),
        }
    }

    fn get(&self, criterion: Criterion) -> &T {
        match criterion {
            Criterion::Relaxed => &self.relaxed,
            Criterion::Strict => &self.strict,
        }
    }
}

/// A labelled series and the score of each of its records.
#[derive(Debug, Clone, Copy)]
pub struct Series<'a> {
    pub label: &'a Label,
    pub scores: &'a [f64],
}

/// The records from `begin` to before `end`, as far as there are any.
fn part(scores: &[f64], begin: usize, end: usize) -> &[f64] {
    let end = end.min(scores.len());
    &scores[begin.min(end)..end]
}

/// What is found of one detector.
#[derive(Debug, Serialize)]
pub struct Judged {
    pub detector: String,
    /// Where its records are from, as part of its name, and the values of options that are swept.
    #[serde(skip)]
    source: String,
    #[serde(skip)]
    swept: Vec<Setting>,
    pub figures: Figures,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub intervals: Intervals,
    /// Failing series without an alarm between injection and failure.
    pub missed: Vec<String>,
    /// How many false alarms which series have.
    pub false_alarms: BTreeMap<String, usize>,
    /// Series that have a label and no scores.
    pub left_out: Vec<String>,
    /// Whether there is time to migrate.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub migration: Vec<Feasible>,
}

/// Evaluates detectors for logs and prints what is found.
pub fn print(arguments: &EvaluateLogsArguments) -> Result<()> {
    if let Some(jobs) = arguments.jobs {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs.get());
        return pool.build()?.install(|| evaluate_and_print(arguments));
    }
    evaluate_and_print(arguments)
}

fn evaluate_and_print(arguments: &EvaluateLogsArguments) -> Result<()> {
    let mut labels = labels::read(&arguments.labelled.labels)?;
    if let Some(only) = &arguments.only {
        labels.retain(|label| only.is_match(&label.name));
        ensure!(
            !labels.is_empty(),
            "--only {only}: no label has such a name"
        );
    }
    let fits = arguments.migrations.as_deref().map(migration::fits);
    let fits = fits.transpose()?.unwrap_or_default();
    warn_beyond(&fits, &arguments.vm_memory);
    let mut judged = Vec::new();
    for run in run::detectors(arguments, &labels)? {
        judged.push(judge(run, &labels, &fits, arguments)?);
    }
    if let Some(file) = &arguments.plot {
        chart::chart(&judged).write(file)?;
    }
    let text = if arguments.json {
        let report = serde_json::json!({
            "seed": arguments.seed,
            "draws": arguments.bootstrap,
            "migrations": fits,
            "detectors": judged,
        });
        serde_json::to_string_pretty(&report)? + "\n"
    } else {
        let tables = tables::text(&judged, &arguments.tables);
        tables + &tables::migration(&fits, &judged)
    };
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// Says where a fit has to hold for VMs larger than those measured.
fn warn_beyond(fits: &[Fit], vms_gib: &[f64]) {
    let largest = vms_gib.iter().copied().fold(0.0, f64::max);
    for fit in fits.iter().filter(|fit| largest > fit.range_gib[1]) {
        eprintln!(
            "bellwether: {}: no VM above {} GiB was measured; how long one of {largest} GiB takes is a guess",
            fit.method, fit.range_gib[1]
        );
    }
}

/// Judges the scores of a detector by the labels.
fn judge(
    run: Run,
    labels: &[Label],
    fits: &[Fit],
    arguments: &EvaluateLogsArguments,
) -> Result<Judged> {
    let Run {
        detector,
        source,
        swept,
        mut scores,
    } = run;
    let mut left_out = Vec::new();
    for label in labels {
        if arguments.all {
            scores.entry(label.name.clone()).or_default();
        }
        let Some(scores) = scores.get_mut(&label.name) else {
            left_out.push(label.name.clone());
            continue;
        };
        if !scores.is_empty() && scores.len() != label.records {
            eprintln!(
                "bellwether: {detector}: the series \"{}\" has {} records, its label says {}",
                label.name,
                scores.len(),
                label.records
            );
        }
        scores.resize(label.records, 0.0);
        if label.fault.is_some() {
            scores.extend(arguments.sentinel);
        }
    }
    let there = labels.iter().filter_map(|label| {
        let scores = scores.get(&label.name)?;
        Some(Series { label, scores })
    });
    let series: Vec<Series<'_>> = there.collect();
    ensure!(
        !series.is_empty(),
        "{detector}: no series has the name of a label; a label's name is that of the file without .log and .gz, \"__\" read as \
         \"/\""
    );
    if !left_out.is_empty() {
        eprintln!(
            "bellwether: {detector}: {} of {} labelled series have no scores and are left out (--all takes them for 0)",
            left_out.len(),
            labels.len()
        );
    }
    let evaluation = Evaluation::new(&series, arguments.threshold);
    let intervals = match arguments.bootstrap {
        0 => Intervals::new(),
        draws => evaluation.intervals(draws as usize, arguments.seed),
    };
    let migration = match fits {
        [] => Vec::new(),
        fits => migration::feasible(fits, &arguments.vm_memory, &evaluation.outcomes)?,
    };
    let missed = evaluation.outcomes.iter().filter(|o| !o.benign && !o.early);
    let wrong = evaluation.outcomes.iter().filter(|o| o.false_alarms > 0);
    Ok(Judged {
        figures: evaluation.figures(),
        intervals,
        missed: missed.map(|o| o.name.clone()).collect(),
        false_alarms: wrong.map(|o| (o.name.clone(), o.false_alarms)).collect(),
        left_out,
        migration,
        detector,
        source,
        swept,
    })
}
