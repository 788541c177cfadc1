//! Arguments that name labeled series.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

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

/// A score.
pub fn score(text: &str) -> Result<f64, String> {
    let score = text.trim().parse().ok();
    score
        .filter(|score: &f64| score.is_finite())
        .ok_or_else(|| "it takes a finite number, such as 0.5".into())
}
