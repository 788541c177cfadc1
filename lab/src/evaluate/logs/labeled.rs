//! Arguments that name labeled series.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

/// Labeled series: lines, or log keys.
#[derive(Debug, Args)]
pub struct LabeledArguments {
    /// Log files (plain or compressed), or folders of log files
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// JSON file, plain or compressed: when the fault of each series was injected, and when the series failed
    #[arg(long, value_name = "FILE")]
    pub labels: PathBuf,

    /// JSON file, plain or compressed: an object of series, each a list of log keys; it takes verdicts on them
    #[arg(long, value_name = "FILE")]
    pub keys: Option<PathBuf>,
}

/// A score.
pub fn score(text: &str) -> Result<f64, String> {
    let score = text.trim().parse().ok();
    score
        .filter(|score: &f64| score.is_finite())
        .ok_or_else(|| "it takes a finite number, such as 0.5".into())
}
