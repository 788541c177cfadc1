//! How good a detector is, on labelled data.

pub mod chart;
pub mod logs;
pub mod metrics;
pub mod online;
pub mod sweep;
pub mod table;

use anyhow::Result;

use crate::args::Evaluate;

/// Runs one of the evaluations.
pub fn run(evaluate: &Evaluate) -> Result<()> {
    match evaluate {
        Evaluate::Logs(arguments) => logs::print(arguments),
        Evaluate::Metrics(arguments) => metrics::print(arguments),
        Evaluate::Online(arguments) => online::print(arguments),
    }
}
