//! How good a detector is, on labeled data.

pub mod chart;
pub mod logs;
pub mod metrics;
mod online;
pub mod sweep;
pub mod table;

use anyhow::Result;
use clap::Subcommand;

/// What is evaluated.
#[derive(Debug, Subcommand)]
pub enum Evaluate {
    Metrics(Box<metrics::EvaluateMetricsArguments>),
    Logs(Box<logs::EvaluateLogsArguments>),
    Online(online::EvaluateOnlineArguments),
}

impl Evaluate {
    /// Evaluates it, and prints how good it is.
    ///
    /// # Errors
    /// What is wrong with the arguments or the files.
    pub fn run(&self) -> Result<()> {
        match self {
            Self::Metrics(arguments) => metrics::print(arguments),
            Self::Logs(arguments) => logs::print(arguments),
            Self::Online(arguments) => online::print(arguments),
        }
    }
}
