//! Arguments that both trainings take.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use serde_json::Value;

use super::checkpoint::Checkpoint;
use super::fit::Run;

/// Where the result goes, and for how long to train.
#[derive(Debug, Args)]
pub struct TrainingArguments {
    /// Write the model to this file
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,

    /// Step of the optimizer in the first epoch; it falls in equal steps with each epoch
    #[arg(long, value_name = "RATE", default_value_t = 0.005, value_parser = rate)]
    pub learning_rate: f64,

    /// Seed of the first parameters and of the order of the data: the same data and seed give the same file
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// Stop after the epoch in which this time is over; the same command then goes on where it stopped [default: no limit]
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u64).range(0..=100_000))]
    pub minutes: Option<u64>,

    /// Delete an unfinished training and start again
    #[arg(long)]
    pub restart: bool,
}

impl TrainingArguments {
    /// Runs a training that returns nothing if it stopped at the time limit; `described` is its plan and its data, `save` writes its
    /// result.
    pub fn run<T>(
        &self,
        described: Value,
        epochs: u32,
        train: impl FnOnce(&Run<'_>) -> Result<Option<T>>,
        save: impl FnOnce(T) -> Result<()>,
    ) -> Result<()> {
        let checkpoint = Checkpoint::beside(&self.out, described, self.restart)?;
        let report = |epoch, loss| {
            eprintln!("bellwether-lab: epoch {epoch} of {epochs}: mean loss {loss:.5}");
        };
        let run = Run {
            checkpoint: Some(&checkpoint),
            limit: self
                .minutes
                .map(|minutes| Duration::from_secs(60 * minutes)),
            report: Some(&report),
        };
        match train(&run)? {
            Some(result) => {
                save(result)?;
                checkpoint.delete()
            }
            None => {
                eprintln!(
                    "bellwether-lab: stopped after --minutes; the state is in {}, and the same command continues from it",
                    checkpoint.path().display()
                );
                Ok(())
            }
        }
    }
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.trim().parse().ok();
    rate.filter(|rate| (1e-9..=1.0).contains(rate))
        .ok_or_else(|| "it takes a number above 0, at most 1".into())
}

/// A share.
pub fn share(text: &str) -> Result<f64, String> {
    let share = text.trim().parse().ok();
    share
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| "it takes a share, 0 to 1".into())
}
