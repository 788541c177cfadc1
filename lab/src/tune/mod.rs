//! Options that suit labeled data better: a search on one half of the data, and a test of the best options on the other half, which
//! shares no source with it.

mod find;
mod logs;
mod metrics;
mod problem;
mod report;
mod risk;
mod search;
mod setup;
mod space;
mod stanza;
mod trials;

use anyhow::Result;
use clap::Subcommand;

use self::find::SearchArguments;

/// What is tuned.
#[derive(Debug, Subcommand)]
pub enum Tune {
    Metrics(Box<metrics::TuneMetricsArguments>),
    Logs(Box<logs::TuneLogsArguments>),
    Risk(Box<risk::TuneRiskArguments>),
}

impl Tune {
    /// Searches, and prints the best options.
    ///
    /// # Errors
    /// What is wrong with the arguments or the files.
    pub fn run(&self) -> Result<()> {
        match self {
            Self::Metrics(arguments) => in_pool(&arguments.search, || metrics::run(arguments)),
            Self::Logs(arguments) => in_pool(&arguments.search, || logs::run(arguments)),
            Self::Risk(arguments) => risk::run(arguments),
        }
    }
}

fn in_pool(arguments: &SearchArguments, run: impl FnOnce() -> Result<()> + Send) -> Result<()> {
    match arguments.jobs {
        None => run(),
        Some(jobs) => {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs.get());
            pool.build()?.install(run)
        }
    }
}
