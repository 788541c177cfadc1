//! The model of the sequence of templates that the option `sequence_model` names.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::options::LadOptions;
use crate::drain::Scratch;
use crate::model::{Predicted, SequenceHistory, SequenceModel};
use crate::options::OptionError;

/// The model, as all streams of a detector share it.
#[derive(Clone)]
pub(super) struct SharedModel {
    /// A prediction changes nothing but buffers.
    model: Arc<Mutex<SequenceModel>>,
    bytes: usize,
}

impl fmt::Debug for SharedModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedModel")
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

impl SharedModel {
    /// The history of a stream without a record.
    pub(super) fn history(&self) -> SequenceHistory {
        let model = self.model.lock().unwrap_or_else(PoisonError::into_inner);
        model.history()
    }

    /// Takes the masked line in `scratch` as the next record of the stream with this history.
    pub(super) fn observe(
        &self,
        history: &mut SequenceHistory,
        scratch: &mut Scratch,
    ) -> Predicted {
        let mut model = self.model.lock().unwrap_or_else(PoisonError::into_inner);
        let key = model.key_of_masked(scratch);
        model.observe(history, key)
    }

    /// Memory in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// The model that `options` name, if any.
///
/// # Errors
/// It cannot be used, or takes more than a quarter of `max_memory_mib`.
pub(super) fn shared(options: &LadOptions) -> Result<Option<SharedModel>, OptionError> {
    if options.sequence_model.is_empty() {
        return Ok(None);
    }
    let path = &options.sequence_model;
    let model = SequenceModel::read(&options.drain, Path::new(path));
    let model = model.map_err(|why| OptionError::Value {
        name: "sequence_model",
        value: path.clone(),
        allowed: format!("the path of a file by \"bellwether-lab train sequence\", but {why}"),
        unit: "",
    })?;
    let bytes = model.bytes();
    let most = (options.max_memory_mib << 20) / 4;
    if bytes > most {
        return Err(OptionError::Conflict {
            name: "sequence_model",
            message: format!(
                "the model in {path} takes {bytes} bytes; it takes at most a quarter of \"max_memory_mib\" ({most} bytes)"
            ),
        });
    }
    Ok(Some(SharedModel {
        model: Arc::new(Mutex::new(model)),
        bytes,
    }))
}
