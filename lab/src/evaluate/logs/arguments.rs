//! The arguments of the evaluation of detectors for logs.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::Result;
use bellwether_records::settings::{self, Setting};
use clap::{ArgGroup, Args};
use regex::Regex;

use super::baselines::Baseline;
use super::labelled::{LabelledArguments, score};
use super::tables::Section;
use crate::evaluate::sweep::{Sweep, lad_sweep};

const EXAMPLES: &str = "\
Examples:
  bellwether evaluate logs --labels labels.json recorded/
  bellwether evaluate logs --labels labels.json --set window_size=6 --threshold 0.5 --json recorded/ | jq .detectors[].figures
  bellwether evaluate logs --labels labels.json --keys keys.json --verdicts verdicts.csv --set mode=paper --set push=false
  bellwether evaluate logs --labels labels.json --sweep window_size=2,4,8 --sweep training=100,200 --tables alarms recorded/
  bellwether evaluate logs --labels labels.json --scores theirs.jsonl --all

\"bellwether options lad\" lists what --set takes.";

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
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = settings::lad)]
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

/// A VM's memory.
fn memory(text: &str) -> Result<f64, String> {
    let gib = text.trim().parse().ok();
    gib.filter(|gib: &f64| *gib > 0.0 && gib.is_finite())
        .ok_or_else(|| "it takes a number of GiB above 0".into())
}
