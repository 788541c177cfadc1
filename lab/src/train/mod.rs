//! Models that are trained on benign data only, as FailSafeVM has them: an LSTM over log keys and an autoencoder over resources.
//!
//! [`keys`] and [`rows`] train on data in memory, [`sequence`] and [`resources`] are the commands. [`fit`] is the course of a training
//! by [`adam`], [`lstm`] and [`autoencoder`] have the gradients, [`product`] the products of matrices. All arithmetic has a fixed order:
//! the same data and seed give the same bytes.

mod adam;
mod autoencoder;
mod checkpoint;
pub mod fit;
pub mod fleet;
pub mod held_back;
mod initial;
pub mod keys;
mod lstm;
mod product;
mod resources;
pub mod rows;
mod sequence;
mod training;

use anyhow::Result;
use clap::Subcommand;

/// What is trained.
#[derive(Debug, Subcommand)]
pub enum Train {
    Sequence(Box<sequence::TrainSequenceArguments>),
    Resources(Box<resources::TrainResourcesArguments>),
}

impl Train {
    /// Trains it, and writes the model.
    ///
    /// # Errors
    /// What is wrong with the arguments or the files.
    pub fn run(&self) -> Result<()> {
        match self {
            Self::Sequence(arguments) => arguments.run(),
            Self::Resources(arguments) => arguments.run(),
        }
    }
}
