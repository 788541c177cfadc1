//! Generated data that look like recorded ones, with faults at known places: to try, measure and show the detectors with.

pub mod host;
pub mod logs;
pub mod metrics;

use anyhow::Result;
use clap::Subcommand;

/// What is generated.
#[derive(Debug, Subcommand)]
pub enum Generate {
    Metrics(Box<metrics::GenerateArguments>),
    Logs(Box<logs::LogsArguments>),
    Host(Box<host::HostArguments>),
}

impl Generate {
    /// Generates it.
    ///
    /// # Errors
    /// When it cannot be written, or the arguments contradict each other.
    pub fn run(&self) -> Result<()> {
        match self {
            Self::Metrics(arguments) => metrics::write(arguments),
            Self::Logs(arguments) => logs::generate(arguments),
            Self::Host(arguments) => host::write(arguments),
        }
    }
}
