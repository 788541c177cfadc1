//! Arguments that name labeled series.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

/// Labeled series: lines, or log keys with verdicts.
#[derive(Debug, Args)]
pub struct LabeledArguments {
    /// Log files (plain or compressed), or folders of log files
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// JSON file, plain or compressed: when the fault of each series was injected, and when the series failed
    #[arg(long, value_name = "FILE")]
    pub labels: PathBuf,

    /// JSON file, plain or compressed: an object of series, each a list of log keys
    #[arg(long, value_name = "FILE", requires = "verdicts")]
    pub keys: Option<PathBuf>,

    /// CSV file with the columns "key" and "faulty" (true or false): whether records with that key are failures. Keys without a row are
    /// not
    #[arg(long, value_name = "CSV", requires = "keys")]
    pub verdicts: Option<PathBuf>,
}

/// A score.
pub fn score(text: &str) -> Result<f64, String> {
    let score = text.trim().parse().ok();
    score
        .filter(|score: &f64| score.is_finite())
        .ok_or_else(|| "it takes a finite number, such as 0.5".into())
}
