//! Models that are trained beforehand on benign data, and loaded from a file: forward passes only.
//!
//! - [`SequenceModel`]: an LSTM over the templates of a fleet's logs, for the option `sequence_model` of LAD.
//! - [`ResourceModel`]: an autoencoder over the resources of a host.
//!
//! Both are as FailSafeVM has them; "bellwether-lab train" makes their files. A file is of the form safetensors: matrices of single
//! precision, and a description with the fingerprint of the data. A file that is damaged, too large, too costly, or does not fit
//! the options is refused with the reason. The cost of a forward pass is bounded when the file is read; inputs are clipped. The same
//! file and input give the same bits on every machine.

mod autoencoder;
mod container;
mod error;
pub mod kernel;
mod lstm;
mod predictor;
#[cfg(test)]
mod reference;
mod resource;
mod sequence;
mod vocabulary;

pub use autoencoder::{Autoencoder, AutoencoderScratch};
pub use container::{FILE_MAX_BYTES, Matrix, Tensors};
pub use error::ModelError;
#[cfg(test)]
pub(crate) use lstm::circle::circle;
pub use lstm::{KEYS_MAX, Lstm, LstmScratch, WINDOW_MAX, rank};
pub use predictor::{Predicted, Predictor, SHARE_RECORDS, SequenceHistory};
pub use resource::{
    Reconstructed, ResourceDescription, ResourceHistory, ResourceModel, Scaler, fill_unknown,
};
pub use sequence::{SequenceDescription, SequenceModel, TrainingData};
pub use vocabulary::Vocabulary;
