//! Recorded data through a detector: files in, events as JSON Lines out.

pub mod keys;
pub mod logs;
pub mod metrics;
mod output;

use anyhow::Result;
use clap::Subcommand;

/// What is replayed.
#[derive(Debug, Subcommand)]
pub enum Replay {
    Metrics(metrics::MetricsArguments),
    Logs(logs::LogsArguments),
    Keys(keys::KeysArguments),
}

impl Replay {
    /// Replays it and prints the events.
    ///
    /// # Errors
    /// Data that cannot be read, options that contradict each other, an output that cannot be written.
    pub fn run(&self) -> Result<()> {
        match self {
            Self::Metrics(arguments) => metrics::print(arguments),
            Self::Logs(arguments) => logs::print(arguments),
            Self::Keys(arguments) => keys::print(arguments),
        }
    }
}
