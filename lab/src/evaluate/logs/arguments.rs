//! The arguments of the evaluation of detectors for logs.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::Result;
use bellwether_records::settings::{self, Setting};
use clap::{ArgGroup, Args};
use regex::Regex;

use super::baselines::Baseline;
use super::labeled::{LabeledArguments, score};
use super::models::VerdictsArguments;
use super::tables::Section;
use crate::evaluate::sweep::{Sweep, lad_sweep};

const EXAMPLES: &str = "\
Examples:
  bellwether-lab evaluate logs --labels labels.json recorded/
  bellwether-lab evaluate logs --labels labels.json --set window_size=6 --threshold 0.5 --json recorded/ | jq .detectors[].figures
  bellwether-lab evaluate logs --labels labels.json --keys keys.json --verdicts verdicts.csv --set mode=paper --set push=false
  bellwether-lab evaluate logs --labels labels.json --keys keys.json --templates templates.csv --language-model http://127.0.0.1:8080 \
    --model some-model --write-verdicts verdicts/ --baseline paper
  bellwether-lab evaluate logs --labels labels.json --sweep window_size=2,4,8 --sweep training=100,200 --tables alarms recorded/
  bellwether-lab evaluate logs --labels labels.json --baseline fleet-unseen,bigram,lstm,failsafe recorded/
  bellwether-lab evaluate logs --labels labels.json --scores theirs.jsonl --all

\"bellwether options lad\" lists the options for --set.";

/// Run LAD over labeled logs and print how good it is
///
/// Each PATH is a log file or a folder of log files, as for "bellwether replay logs". Series are matched with labels by name; those
/// without a label are left out. Log keys with verdicts (see "bellwether replay keys") and the scores of other detectors can be
/// evaluated beside them or instead.
///
/// The labels are a JSON object "series". For each name it has "scenario", "n" (number of records), "inject" and "fail" (the numbers,
/// from 0, of the first records of the fault and of the failure; null where nothing fails), and "lead_s" if known: pairs of a record
/// and the seconds from it to the failure.
///
/// Ranges in brackets are 95 % confidence intervals: percentiles over bootstrap samples of the series of each scenario.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
#[command(group = ArgGroup::new("input").args(["paths", "keys", "scores"]).required(true).multiple(true))]
pub struct EvaluateLogsArguments {
    #[command(flatten)]
    pub labeled: LabeledArguments,

    #[command(flatten)]
    pub verdicts: VerdictsArguments,

    /// Scores of another detector, plain or compressed: one {"series": NAME, "index": RECORD, "score": S} per line; may be repeated
    #[arg(long, value_name = "FILE")]
    pub scores: Vec<PathBuf>,

    /// Other detectors to compare with, separated by commas; they run on the log keys that LAD finds or is given. Those that are trained
    /// (fleet-unseen, bigram, lstm, failsafe) find log keys of their own in lines
    #[arg(
        long = "baseline",
        value_enum,
        value_delimiter = ',',
        value_name = "NAME"
    )]
    pub baselines: Vec<Baseline>,

    /// Number of times that lstm and failsafe go through their training data
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub epochs: u32,

    /// Let fleet-unseen, bigram and lstm raise an alarm at each record of an unknown template; by default only at its first one in a series
    #[arg(long)]
    pub repeat_unknown: bool,

    /// Set an option of the detector; repeat it for several options
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = settings::lad)]
    pub settings: Vec<Setting>,

    /// Run the detector with each of these values of an option, a row each; give it twice for all pairs of values of two options
    #[arg(long, value_name = "NAME=VALUE,...", value_parser = lad_sweep)]
    pub sweep: Vec<Sweep>,

    /// Score from which a record is an alarm. NAB's scores and the areas under the curve do not depend on it [default: the best one by
    /// NAB's standard profile and the relaxed criterion]
    #[arg(long, value_name = "SCORE", value_parser = score)]
    pub threshold: Option<f64>,

    /// Evaluate only series whose names match this regular expression [default: all]
    #[arg(long, value_name = "REGEX")]
    pub only: Option<Regex>,

    /// Include series without scores, as if all scores were 0; by default they are left out
    #[arg(long)]
    pub all: bool,

    /// Add a record with this score to the end of each failing series, as in the scores published with VMFT-LAD
    #[arg(long, value_name = "SCORE", value_parser = score)]
    pub sentinel: Option<f64>,

    /// Number of bootstrap samples for the confidence intervals; 0 omits the intervals
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    pub bootstrap: u32,

    /// Seed of the bootstrap samples, and of the halves and networks of detectors that are trained; the same seed gives the same output
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// CSV file with the columns "memory_gib", "seconds" and optionally "method": measured migrations. They give the time that a VM
    /// needs by its memory, and for which failures the time from alarm to failure suffices
    #[arg(long, value_name = "FILE", requires = "vm_memory")]
    pub migrations: Option<PathBuf>,

    /// Memory of each VM of the host, GiB, separated by commas
    #[arg(long, value_name = "GIB", value_delimiter = ',', value_parser = memory, requires = "migrations")]
    pub vm_memory: Vec<f64>,

    /// Tables to print, separated by commas
    #[arg(long, value_enum, value_delimiter = ',', value_name = "TABLE", default_values = ["nab", "auc", "alarms", "lead"])]
    pub tables: Vec<Section>,

    /// Plot to this SVG file: failures detected early and false alarms by the values of --sweep, or the ROC curves
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,

    /// Print everything as JSON, including the points of the curves
    #[arg(long)]
    pub json: bool,

    /// Year of times without one [default: the year in which the file was last modified]
    #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(i16).range(1970..=9998))]
    pub year: Option<i16>,

    /// Number of series to process at a time [default: the number of cores]
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
}

/// A VM's memory.
fn memory(text: &str) -> Result<f64, String> {
    let gib = text.trim().parse().ok();
    gib.filter(|gib: &f64| *gib > 0.0 && gib.is_finite())
        .ok_or_else(|| "it takes a number of GiB above 0".into())
}
