//! A model of the sequence of a fleet's log templates, in one file: templates, network and criterion.
//!
//! Each record has a log key ([`Vocabulary`]): the number of the fleet's template that it would join, or 0 if there is none. The network
//! ranks all keys by how likely each comes after the last ones. A record is anomalous if its key is unknown or not among the
//! likeliest [`top`](SequenceDescription::top) (M. Du et al., "DeepLog: Anomaly Detection and Diagnosis from System Logs through Deep
//! Learning", CCS 2017, section 3.1).

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::container::Tensors;
use super::error::ModelError;
use super::lstm::Lstm;
use super::predictor::{Predicted, Predictor, SequenceHistory};
use super::vocabulary::Vocabulary;
use crate::drain::{DrainOptions, Scratch};
use crate::memory::allocation;

/// The kind of the model in its file.
const KIND: &str = "sequence";

/// The description of a model of sequences: all but its network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SequenceDescription {
    /// Number of log keys from which the next one is predicted.
    pub window: usize,
    /// A key is normal if it is among this many likeliest ones.
    pub top: u32,
    /// The templates, in the order of their keys from 1 on.
    pub templates: Vec<String>,
    /// The options of the parser that decide which template a line has, by name.
    pub parser: Vec<(String, String)>,
    /// What it was trained on.
    pub data: TrainingData,
}

/// What a model was trained on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainingData {
    /// Number of log records or rows of resources.
    pub rows: u64,
    /// Number of hosts or recordings.
    pub sources: u64,
    /// A checksum of all of them in their order, hexadecimal.
    pub fingerprint: String,
    /// The seed of the training.
    pub seed: u64,
}

/// A model of the sequence of log templates.
pub struct SequenceModel {
    description: SequenceDescription,
    predictor: Predictor,
    vocabulary: Vocabulary,
}

impl fmt::Debug for SequenceModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SequenceModel")
            .field("templates", &self.description.templates.len())
            .field("data", &self.description.data)
            .finish_non_exhaustive()
    }
}

impl SequenceModel {
    /// A model of `network`, whose keys are 0 for unknown templates and then the templates of `description`, for lines that are
    /// parsed with `options`.
    ///
    /// # Errors
    /// The parts do not fit each other, the model is too large, or it was made with other options of the parser.
    pub fn new(
        options: &DrainOptions,
        description: SequenceDescription,
        network: Lstm,
    ) -> Result<Self, ModelError> {
        Vocabulary::check(options, &description.parser)?;
        let templates = &description.templates;
        if network.keys() != templates.len() + 1 {
            let problem = format!(
                "has {} rows; {} templates and the unknown one require {}",
                network.keys(),
                templates.len(),
                templates.len() + 1
            );
            return Err(ModelError::tensor("embedding", problem));
        }
        Ok(Self {
            predictor: Predictor::new(network, description.window, description.top)?,
            vocabulary: Vocabulary::new(options, templates)?,
            description,
        })
    }

    /// Reads a model that was trained for lines parsed with `options`. The file is never changed.
    ///
    /// # Errors
    /// There is no such file, or it cannot be used.
    pub fn read(options: &DrainOptions, path: &Path) -> Result<Self, ModelError> {
        let tensors: Tensors<SequenceDescription> = Tensors::read(KIND, path)?;
        Self::of(options, tensors)
    }

    /// The same from the bytes of a file.
    ///
    /// # Errors
    /// They cannot be used.
    pub fn from_bytes(options: &DrainOptions, bytes: &[u8]) -> Result<Self, ModelError> {
        Self::of(options, Tensors::from_bytes(KIND, bytes)?)
    }

    fn of(
        options: &DrainOptions,
        tensors: Tensors<SequenceDescription>,
    ) -> Result<Self, ModelError> {
        let layers = tensors.tensors.len().saturating_sub(3) / 3;
        let (description, parameters) = tensors.take(&Lstm::names(layers))?;
        Self::new(options, description, Lstm::new(parameters)?)
    }

    fn tensors(&self) -> Tensors<SequenceDescription> {
        let parameters = self.predictor.network().parameters();
        let names = Lstm::names(parameters.len() / 3 - 1);
        Tensors {
            description: self.description.clone(),
            tensors: names.into_iter().zip(parameters.iter().cloned()).collect(),
        }
    }

    /// The bytes of a file of this model; the same model is the same bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.tensors().to_bytes(KIND)
    }

    /// Writes the file at `path`, so that a crash at any moment leaves the old file or the new one, whole.
    ///
    /// # Errors
    /// That of the operating system.
    pub fn save(&self, path: &Path) -> std::io::Result<()> {
        self.tensors().save(KIND, path)
    }

    /// All of it but its network.
    pub fn description(&self) -> &SequenceDescription {
        &self.description
    }

    /// The log key of a line: 0 if it has none of the templates.
    pub fn key(&mut self, line: &str) -> u32 {
        self.vocabulary.key(line)
    }

    /// The log key of the masked line in `scratch`.
    pub(crate) fn key_of_masked(&mut self, scratch: &mut Scratch) -> u32 {
        self.vocabulary.key_of_masked(scratch)
    }

    /// The history of a stream without a record.
    pub fn history(&self) -> SequenceHistory {
        self.predictor.history()
    }

    /// Takes the next record of the stream with this history: its log key.
    pub fn observe(&mut self, history: &mut SequenceHistory, key: u32) -> Predicted {
        self.predictor.observe(history, key)
    }

    /// Memory in bytes.
    pub fn bytes(&self) -> usize {
        let texts = self.description.templates.iter();
        let texts = texts.map(|text| allocation(text.capacity()) + size_of::<String>());
        self.vocabulary.bytes() + self.predictor.bytes() + texts.sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::super::container::Matrix;
    use super::super::lstm::circle::circle;
    use super::*;

    fn description() -> SequenceDescription {
        let templates = ["session opened", "session closed", "link <:*:> is up"];
        SequenceDescription {
            window: 2,
            top: 1,
            templates: templates.map(str::to_owned).to_vec(),
            parser: Vocabulary::shape(&DrainOptions::default()),
            data: TrainingData::default(),
        }
    }

    fn model() -> SequenceModel {
        SequenceModel::new(&DrainOptions::default(), description(), circle(4)).unwrap()
    }

    #[test]
    fn a_record_is_anomalous_if_its_template_is_unknown_or_not_among_the_likeliest() {
        let mut model = model();
        let mut history = model.history();
        let lines = [
            "session opened",
            "session closed",
            "link eth7 is up",
            "session opened",
            "link eth7 is up",
            "quantum flux inverted beyond all measure",
        ];
        let steps = lines.map(|line| {
            let key = model.key(line);
            model.observe(&mut history, key)
        });
        let found = steps.map(|step| (step.key, step.rank, step.anomalous));
        assert_eq!(found[..3], [(1, 0, false), (2, 0, false), (3, 1, false)]);
        assert_eq!(found[3], (1, 1, false));
        assert!(found[4].1 > 1 && found[4].2, "{found:?}");
        assert_eq!(found[5], (0, 0, true));
        assert_eq!(steps[5].share, 0.1);
    }

    #[test]
    fn the_share_is_that_of_the_last_twenty_records() {
        let mut model = model();
        let mut history = model.history();
        let shares: Vec<f64> = (0..45)
            .map(|_| model.observe(&mut history, 0).share)
            .collect();
        assert_eq!((shares[0], shares[19], shares[44]), (0.05, 1.0, 1.0));
        for (record, key) in [1, 2, 3].into_iter().cycle().take(20).enumerate() {
            let step = model.observe(&mut history, key);
            assert!(record < 2 || step.rank == 1, "{record}");
        }
        assert_eq!(model.observe(&mut history, 3).share, 0.0);
    }

    #[test]
    fn a_saved_model_is_the_same_and_its_file_the_same_bytes() {
        let bytes = model().to_bytes();
        let again = SequenceModel::from_bytes(&DrainOptions::default(), &bytes).unwrap();
        assert_eq!(again.description(), model().description());
        assert_eq!(again.predictor.network(), model().predictor.network());
        assert_eq!(again.to_bytes(), bytes);
    }

    #[test]
    fn a_model_whose_parts_do_not_fit_is_refused_with_the_reason() {
        let options = DrainOptions::default();
        let says = |change: &dyn Fn(&mut SequenceDescription)| {
            let mut description = description();
            change(&mut description);
            let model = SequenceModel::new(&options, description, circle(4));
            model.err().map(|e| e.to_string()).unwrap_or_default()
        };
        assert_eq!(says(&|_| {}), "");
        assert!(says(&|d| d.window = 0).contains("at least 1"));
        assert!(says(&|d| d.window = 65).contains("at most 64"));
        assert!(says(&|d| d.top = 8193).contains("likeliest keys"));
        assert!(says(&|d| d.templates.truncate(2)).contains("require 3"));
        assert!(says(&|d| d.templates[1] = "session opened".into()).contains("is there twice"));
        assert!(
            says(&|d| d.parser[1].1 = "0.9".into())
                .contains("drain_sim_th = 0.9, which is 0.4 now")
        );
        assert!(says(&|d| d.parser.clear()).contains("options of the parser"));
    }

    #[test]
    fn a_network_whose_shapes_do_not_fit_or_whose_numbers_are_not_finite_is_refused() {
        let says = |change: &dyn Fn(&mut Vec<Matrix>)| {
            let mut parameters = circle(4).parameters().to_vec();
            change(&mut parameters);
            Lstm::new(parameters).unwrap_err().to_string()
        };
        assert!(
            says(&|p| p[4] = Matrix::zeros(3, 16)).contains("\"lstm.1.kernel\" has 3 rows of 16")
        );
        assert!(
            says(&|p| p[8].values[0] = f32::NAN)
                .contains("\"output.bias\" has values that are not")
        );
        assert!(says(&|p| p.truncate(2)).contains("no whole network"));
        assert!(says(&|p| p[0] = Matrix::zeros(8193, 4)).contains("templates"));
        assert!(says(&|p| p[0].values.truncate(2)).contains("\"embedding\""));
        let wide = |units: usize| {
            let mut parameters = vec![Matrix::zeros(4, 4)];
            parameters.extend([
                Matrix::zeros(4, 4 * units),
                Matrix::zeros(units, 4 * units),
                Matrix::zeros(1, 4 * units),
                Matrix::zeros(units, 4),
                Matrix::zeros(1, 4),
            ]);
            Lstm::new(parameters)
        };
        assert!(wide(513).unwrap_err().to_string().contains("units"));
        assert!(
            wide(512)
                .unwrap()
                .check_cost(10)
                .unwrap_err()
                .to_string()
                .contains("multiplications")
        );
        assert!(wide(64).unwrap().check_cost(10).is_ok());
    }
}
