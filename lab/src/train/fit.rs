//! The course of a training: epochs of batches, in an order that the seed decides.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bellwether_core::model::Matrix;
use serde::{Deserialize, Serialize};

use super::adam::{Moments, zeros_like};
use super::checkpoint::Checkpoint;

/// How long and how fast to train.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// How often to go through the data.
    pub epochs: u32,
    /// The step of Adam in the first epoch; it falls in equal steps with each epoch.
    pub learning_rate: f64,
    /// The seed of the first parameters and of the order of the data.
    pub seed: u64,
}

/// What is trained.
pub trait Task {
    /// A part of the data that makes one step.
    type Batch;

    /// The batches of one epoch.
    fn epoch(&self, random: &mut fastrand::Rng) -> Vec<Self::Batch>;

    /// Adds to `gradients` those of the mean loss over a batch; returns the loss.
    fn gradient(&self, parameters: &[Matrix], batch: &Self::Batch, gradients: &mut [Matrix])
    -> f64;
}

/// How far a training is.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    pub parameters: Vec<Matrix>,
    pub moments: Moments,
    /// The mean loss of each epoch so far.
    pub losses: Vec<f64>,
}

impl Progress {
    /// A training that begins with these parameters.
    pub fn of(parameters: Vec<Matrix>) -> Self {
        Self {
            moments: Moments::of(&parameters),
            parameters,
            losses: Vec::new(),
        }
    }
}

/// What goes on beside a training.
#[derive(Default)]
pub struct Run<'a> {
    /// Where it is saved after each epoch, and continued.
    pub checkpoint: Option<&'a Checkpoint>,
    /// It stops after the epoch in which this time is over.
    pub limit: Option<Duration>,
    /// Gets the number of epochs done and the loss of the last one.
    pub report: Option<&'a dyn Fn(u32, f64)>,
}

/// The random numbers of one part of a training: those of an epoch do not depend on whether it was interrupted before.
pub fn random(seed: u64, part: u32) -> fastrand::Rng {
    fastrand::Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(part))
}

/// Trains the parameters `initial`, of which the first `fixed` stay as they are; `None` if it stopped at the time limit. Continues
/// from the checkpoint if there is one.
///
/// # Errors
/// A checkpoint that cannot be read or written, or a loss that is no number any more.
pub fn fit<T: Task>(
    task: &T,
    initial: Vec<Matrix>,
    fixed: usize,
    schedule: &Schedule,
    run: &Run<'_>,
) -> Result<Option<Vec<Matrix>>> {
    let begin = Instant::now();
    let mut progress = match run.checkpoint {
        Some(checkpoint) => checkpoint.load(&initial)?,
        None => None,
    }
    .unwrap_or_else(|| Progress::of(initial));
    for epoch in progress.losses.len() as u32..schedule.epochs {
        let left = f64::from(schedule.epochs - epoch) / f64::from(schedule.epochs);
        let rate = schedule.learning_rate * left;
        let batches = task.epoch(&mut random(schedule.seed, epoch + 1));
        ensure!(
            !batches.is_empty(),
            "there is nothing to train on: no stretch of the data is as long as a window and one more"
        );
        let mut sum = 0.0;
        for batch in &batches {
            let mut gradients = zeros_like(&progress.parameters);
            sum += task.gradient(&progress.parameters, batch, &mut gradients);
            let moments = &mut progress.moments;
            moments.step(&mut progress.parameters, &mut gradients, rate, fixed);
        }
        let loss = sum / batches.len() as f64;
        ensure!(
            loss.is_finite(),
            "the training diverged in epoch {}; a smaller --learning-rate may help",
            epoch + 1
        );
        progress.losses.push(loss);
        if let Some(checkpoint) = run.checkpoint {
            checkpoint.save(&progress)?;
        }
        if let Some(report) = run.report {
            report(epoch + 1, loss);
        }
        let over = run.limit.is_some_and(|limit| begin.elapsed() >= limit);
        if over && epoch + 1 < schedule.epochs {
            return Ok(None);
        }
    }
    Ok(Some(progress.parameters))
}
