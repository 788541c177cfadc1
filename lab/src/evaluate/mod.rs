//! How good a detector is, on labeled data.

pub mod chart;
pub mod logs;
pub mod metrics;
mod online;
mod resources;
pub mod risk;
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
    Resources(resources::EvaluateResourcesArguments),
    Risk(Box<risk::EvaluateRiskArguments>),
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
            Self::Resources(arguments) => resources::print(arguments),
            Self::Risk(arguments) => risk::print(arguments),
        }
    }
}
