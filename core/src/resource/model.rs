//! The model of resources that the option `resource_model` names.

use std::path::Path;
use std::sync::Arc;

use super::options::ResourceOptions;
use super::signal::Signal;
use crate::model::{AutoencoderScratch, Reconstructed, ResourceHistory, ResourceModel};
use crate::options::OptionError;

/// The model, which all hosts of a detector share.
#[derive(Debug, Clone)]
pub(super) struct SharedModel {
    model: Arc<ResourceModel>,
    scratch: AutoencoderScratch,
    bytes: usize,
}

impl SharedModel {
    /// The model that `options` name, if any.
    ///
    /// # Errors
    /// It cannot be used, has other channels than [`Signal`], or takes more than a quarter of `max_memory_mib`.
    pub fn of(options: &ResourceOptions) -> Result<Option<Self>, OptionError> {
        let path = &options.resource_model;
        if path.is_empty() {
            return Ok(None);
        }
        let names = Signal::ALL.iter().map(|signal| signal.name());
        let model = ResourceModel::read_for(Path::new(path), names);
        let model = model.map_err(|why| OptionError::Value {
            name: "resource_model",
            value: path.clone(),
            allowed: format!("the path of a file by \"bellwether-lab train resources\", but {why}"),
            unit: "",
        })?;
        let bytes = model.bytes();
        let most = (options.max_memory_mib << 20) / 4;
        if bytes > most {
            return Err(OptionError::Conflict {
                name: "resource_model",
                message: format!(
                    "the model in {path} takes {bytes} bytes; it takes at most a quarter of \"max_memory_mib\" ({most} bytes)"
                ),
            });
        }
        Ok(Some(Self {
            model: Arc::new(model),
            scratch: AutoencoderScratch::default(),
            bytes,
        }))
    }

    /// Takes the next row of the host with this history; signals that are missing at the end are unknown.
    pub fn observe(
        &mut self,
        history: &mut ResourceHistory,
        values: &[f64],
    ) -> Option<Reconstructed> {
        let mut row = [f64::NAN; Signal::COUNT];
        for (to, value) in row.iter_mut().zip(values) {
            *to = *value;
        }
        self.model.observe(history, &row, &mut self.scratch)
    }

    /// Memory in bytes, without what the hosts' histories take.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The most memory of the history of a host in bytes.
    pub fn history_bytes(&self) -> usize {
        crate::memory::allocation(
            self.model.description().window * Signal::COUNT * size_of::<f32>(),
        )
    }
}
