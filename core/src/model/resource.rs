//! A model of the resources of a host, in one file: channels, scaler, autoencoder and threshold.
//!
//! The last rows of all channels, each scaled by its range in the training, go through the autoencoder; a window that it returns
//! with a larger error than the threshold is anomalous. That is the method of FailSafeVM, with two differences: a channel's range is
//! never below the floor that it was trained with, so that one which never moved does not make an alarm of its first movement;
//! and values far outside of the range are clipped, so that one counter gone wild does not drown the others.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::autoencoder::{Autoencoder, AutoencoderScratch};
use super::container::{Matrix, Tensors};
use super::error::{ModelError, at_most};
use super::sequence::TrainingData;

/// The kind of the model in its file.
const KIND: &str = "resources";
/// The tensors of the scaler: the least value of each channel, and its range.
const SCALER: [&str; 2] = ["scaler.least", "scaler.range"];
/// Maximum number of channels, and of rows of a window.
const CHANNELS_MAX: usize = 1024;
const WINDOW_MAX: usize = 256;
/// By how many ranges a value may leave the range of the training, either way.
const BEYOND: f32 = 1.0;
/// What an unknown value without an earlier known one counts as: the middle of the range.
const UNKNOWN: f32 = 0.5;

/// The description of a model of resources: all but its numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ResourceDescription {
    /// Number of rows of a window.
    pub window: usize,
    /// The names of the channels, in the order of the values of a row.
    pub channels: Vec<String>,
    /// A window with a larger mean square of the scaled errors is anomalous.
    pub threshold: f64,
    /// What it was trained on.
    pub data: TrainingData,
}

/// How values are scaled: the least value of each channel in the training becomes 0, the largest 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Scaler {
    /// The least value of each channel.
    pub least: Vec<f32>,
    /// The range of each channel, above 0.
    pub range: Vec<f32>,
}

impl Scaler {
    /// A scaler for `rows`, whose channels have at least the ranges `floors`. Values that are not finite are unknown. A channel
    /// without a range has 1.
    pub fn of<'a>(rows: impl Iterator<Item = &'a [f64]>, floors: &[f64]) -> Self {
        let mut ends = vec![(f64::INFINITY, f64::NEG_INFINITY); floors.len()];
        for row in rows {
            for ((least, most), value) in ends.iter_mut().zip(row) {
                if value.is_finite() {
                    (*least, *most) = (least.min(*value), most.max(*value));
                }
            }
        }
        let range = |((least, most), floor): (&(f64, f64), &f64)| {
            let range = (most - least).max(*floor) as f32;
            if range > 0.0 && range.is_finite() {
                range
            } else {
                1.0
            }
        };
        let least = |&(least, _): &(f64, f64)| {
            let least = least as f32;
            if least.is_finite() { least } else { 0.0 }
        };
        Self {
            least: ends.iter().map(least).collect(),
            range: ends.iter().zip(floors).map(range).collect(),
        }
    }

    /// The value of a channel, scaled and clipped; NaN if it is unknown.
    pub fn scaled(&self, channel: usize, value: f64) -> f32 {
        if !value.is_finite() {
            return f32::NAN;
        }
        let from_least = value - f64::from(self.least[channel]);
        let scaled = (from_least / f64::from(self.range[channel])) as f32;
        scaled.clamp(-BEYOND, 1.0 + BEYOND)
    }
}

/// A model of the resources of a host.
#[derive(Debug, Clone, PartialEq)]
pub struct ResourceModel {
    description: ResourceDescription,
    scaler: Scaler,
    network: Autoencoder,
}

/// The last rows of one host, scaled.
#[derive(Debug, Clone, Default)]
pub struct ResourceHistory {
    /// Row by row, oldest first; NaN for unknown values.
    rows: Vec<f32>,
}

impl ResourceHistory {
    /// Forgets the rows: the next one does not follow them.
    pub fn clear(&mut self) {
        self.rows.clear();
    }

    /// Memory outside of itself in bytes.
    pub fn bytes(&self) -> usize {
        crate::memory::vec(&self.rows)
    }
}

/// How well a model returned a window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reconstructed {
    /// The mean square of the scaled errors over all known values.
    pub error: f64,
    /// It is above the threshold.
    pub anomalous: bool,
    /// The channel with the largest part in it.
    pub channel: usize,
}

impl ResourceModel {
    /// A model of these parts.
    ///
    /// # Errors
    /// The parts do not fit each other, have values that are not finite, or are too large.
    pub fn new(
        description: ResourceDescription,
        scaler: Scaler,
        network: Autoencoder,
    ) -> Result<Self, ModelError> {
        let channels = description.channels.len();
        at_most("channels", channels, CHANNELS_MAX)?;
        at_most("rows of a window", description.window, WINDOW_MAX)?;
        for (name, values) in SCALER.iter().zip([&scaler.least, &scaler.range]) {
            row_matrix(values).check(name, 1, channels)?;
        }
        if scaler.range.iter().any(|range| *range <= 0.0) {
            return Err(ModelError::tensor(
                SCALER[1],
                "has a range that is not above 0",
            ));
        }
        let inputs = description.window * channels;
        if network.inputs() != inputs {
            let problem = format!(
                "has {} rows; {} rows of {channels} channels require {inputs}",
                network.inputs(),
                description.window
            );
            return Err(ModelError::tensor("dense.0.kernel", problem));
        }
        if !(description.threshold >= 0.0 && description.threshold.is_finite()) {
            return Err(ModelError::Description(
                "\"threshold\" has to be a number from 0 on".into(),
            ));
        }
        Ok(Self {
            description,
            scaler,
            network,
        })
    }

    /// Reads a model. The file is never changed.
    ///
    /// # Errors
    /// There is no such file, or it cannot be used.
    pub fn read(path: &Path) -> Result<Self, ModelError> {
        Self::of(Tensors::read(KIND, path)?)
    }

    /// Reads a model for these channels. The file is never changed.
    ///
    /// # Errors
    /// There is no such file, it cannot be used, or it has other channels or another order of them.
    pub fn read_for<'a>(
        path: &Path,
        channels: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, ModelError> {
        let model = Self::read(path)?;
        let now: Vec<&str> = channels.into_iter().collect();
        if model.description.channels != now {
            return Err(ModelError::OtherChannels {
                then: model.description.channels.join(", "),
                now: now.join(", "),
            });
        }
        Ok(model)
    }

    /// The same from the bytes of a file.
    ///
    /// # Errors
    /// They cannot be used.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        Self::of(Tensors::from_bytes(KIND, bytes)?)
    }

    fn of(tensors: Tensors<ResourceDescription>) -> Result<Self, ModelError> {
        let layers = tensors.tensors.len().saturating_sub(SCALER.len()) / 2;
        let mut names = SCALER.map(str::to_owned).to_vec();
        names.extend(Autoencoder::names(layers));
        let (description, mut parameters) = tensors.take(&names)?;
        let network = Autoencoder::new(parameters.split_off(SCALER.len()))?;
        let mut scaler = parameters.into_iter().map(|matrix| matrix.values);
        let scaler = Scaler {
            least: scaler.next().unwrap_or_default(),
            range: scaler.next().unwrap_or_default(),
        };
        Self::new(description, scaler, network)
    }

    fn tensors(&self) -> Tensors<ResourceDescription> {
        let parameters = self.network.parameters();
        let scaler = [&self.scaler.least, &self.scaler.range].map(|values| row_matrix(values));
        let scaler = SCALER.map(str::to_owned).into_iter().zip(scaler);
        let names = Autoencoder::names(parameters.len() / 2).into_iter();
        Tensors {
            description: self.description.clone(),
            tensors: scaler
                .chain(names.zip(parameters.iter().cloned()))
                .collect(),
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

    /// All of it but its numbers.
    pub fn description(&self) -> &ResourceDescription {
        &self.description
    }

    /// Takes the next row of the host with this history: a value for each channel, NaN if it is unknown. Nothing comes of a row of
    /// another length, of one that does not complete a window, and of a window with less than half of its values.
    pub fn observe(
        &self,
        history: &mut ResourceHistory,
        row: &[f64],
        scratch: &mut AutoencoderScratch,
    ) -> Option<Reconstructed> {
        let (channels, whole) = (self.description.channels.len(), self.network.inputs());
        if row.len() != channels {
            return None;
        }
        if history.rows.len() >= whole {
            history.rows.drain(..channels);
        }
        let scaled = row.iter().enumerate();
        let scaled = scaled.map(|(channel, value)| self.scaler.scaled(channel, *value));
        history.rows.extend(scaled);
        if history.rows.len() < whole {
            return None;
        }
        scratch.input.clear();
        scratch.input.extend_from_slice(&history.rows);
        fill_unknown(&mut scratch.input, channels);
        let (input, output) = self.network.reconstruct(scratch);
        let (mut known, mut sum) = (0_u32, 0.0);
        let mut worst = (0, 0.0);
        for channel in 0..channels {
            let mut of_channel = 0.0;
            for at in (channel..whole).step_by(channels) {
                if !history.rows[at].is_nan() {
                    let off = f64::from(input[at]) - f64::from(output[at]);
                    of_channel += off * off;
                    known += 1;
                }
            }
            sum += of_channel;
            if of_channel > worst.1 {
                worst = (channel, of_channel);
            }
        }
        let error = sum / f64::from(known);
        (2 * known as usize >= whole && error.is_finite()).then_some(Reconstructed {
            error,
            anomalous: error > self.description.threshold,
            channel: worst.0,
        })
    }

    /// Memory in bytes, without what a host's history takes.
    pub fn bytes(&self) -> usize {
        let names = self.description.channels.iter();
        self.network.bytes()
            + crate::memory::vec(&self.scaler.least)
            + crate::memory::vec(&self.scaler.range)
            + names
                .map(|name| crate::memory::allocation(name.capacity()) + size_of::<String>())
                .sum::<usize>()
    }
}

/// A matrix of one row.
fn row_matrix(values: &[f32]) -> Matrix {
    Matrix {
        rows: 1,
        columns: values.len(),
        values: values.to_vec(),
    }
}

/// Puts the last known value of its channel in the place of each unknown one in a window, rows oldest first, and the middle of the
/// range where there is none.
pub fn fill_unknown(window: &mut [f32], channels: usize) {
    for channel in 0..channels {
        let mut last = UNKNOWN;
        for value in window.iter_mut().skip(channel).step_by(channels) {
            match value.is_nan() {
                true => *value = last,
                false => last = *value,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A model of two channels over windows of two rows that returns 0.5 for each value.
    fn model() -> ResourceModel {
        let mut bias = Matrix::zeros(1, 4);
        bias.values.fill(0.5);
        let network = Autoencoder::new(vec![
            Matrix::zeros(4, 3),
            Matrix::zeros(1, 3),
            Matrix::zeros(3, 4),
            bias,
        ]);
        let description = ResourceDescription {
            window: 2,
            channels: vec!["cpu".into(), "swap".into()],
            threshold: 0.2,
            data: TrainingData::default(),
        };
        let scaler = Scaler {
            least: vec![10.0, 0.0],
            range: vec![2.0, 1.0],
        };
        ResourceModel::new(description, scaler, network.unwrap()).unwrap()
    }

    fn errors(model: &ResourceModel, rows: &[[f64; 2]]) -> Vec<Option<(f64, bool, usize)>> {
        let (mut history, mut scratch) = Default::default();
        let observe = |row: &[f64; 2]| {
            let found = model.observe(&mut history, row, &mut scratch)?;
            Some((found.error, found.anomalous, found.channel))
        };
        rows.iter().map(observe).collect()
    }

    #[test]
    fn a_window_with_a_larger_error_than_the_threshold_is_anomalous_and_names_its_channel() {
        let rows = [[11.0, 0.5], [11.0, 0.5], [11.0, 1.0], [11.0, 2.0]];
        let found = errors(&model(), &rows);
        assert_eq!(found[..2], [None, Some((0.0, false, 0))]);
        assert_eq!(found[2], Some((0.25 / 4.0, false, 1)));
        assert_eq!(found[3], Some(((0.25 + 2.25) / 4.0, true, 1)));
    }

    #[test]
    fn values_far_outside_of_the_training_are_clipped() {
        let found = errors(&model(), &[[11.0, 0.5], [1e300, -1e300]]);
        assert_eq!(found[1], Some(((2.25 + 2.25) / 4.0, true, 0)));
    }

    #[test]
    fn unknown_values_count_for_nothing_and_half_of_a_window_has_to_be_known() {
        let unknown = f64::NAN;
        let found = errors(
            &model(),
            &[
                [12.0, unknown],
                [12.0, unknown],
                [unknown, unknown],
                [f64::INFINITY, 0.5],
            ],
        );
        assert_eq!(found[1], Some((0.25, true, 0)));
        assert_eq!(found[2..], [None, None]);
    }

    #[test]
    fn a_row_of_another_length_is_none_and_changes_nothing() {
        let (mut history, mut scratch) = Default::default();
        assert_eq!(model().observe(&mut history, &[1.0], &mut scratch), None);
        assert_eq!(history.bytes(), 0);
    }

    #[test]
    fn an_unknown_value_is_filled_with_the_last_known_one_of_its_channel() {
        let nan = f32::NAN;
        let mut window = [nan, 1.0, 0.25, nan, nan, 2.0];
        fill_unknown(&mut window, 2);
        assert_eq!(window, [0.5, 1.0, 0.25, 1.0, 0.25, 2.0]);
    }

    #[test]
    fn a_scaler_has_the_ranges_of_its_rows_but_not_below_the_floors() {
        let rows: [&[f64]; 3] = [
            &[1.0, 5.0, f64::NAN],
            &[3.0, 5.0, f64::NAN],
            &[f64::INFINITY, 5.0, f64::NAN],
        ];
        let scaler = Scaler::of(rows.into_iter(), &[0.5, 4.0, 0.0]);
        assert_eq!(scaler.least, [1.0, 5.0, 0.0]);
        assert_eq!(scaler.range, [2.0, 4.0, 1.0]);
        assert_eq!(scaler.scaled(0, 2.0), 0.5);
        assert!(scaler.scaled(0, f64::NAN).is_nan());
    }

    #[test]
    fn a_saved_model_is_the_same_and_its_file_the_same_bytes() {
        let bytes = model().to_bytes();
        let again = ResourceModel::from_bytes(&bytes).unwrap();
        assert_eq!((&again, again.to_bytes()), (&model(), bytes));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model");
        model().save(&path).unwrap();
        assert!(ResourceModel::read_for(&path, ["cpu", "swap"]).is_ok());
        let error = ResourceModel::read_for(&path, ["swap", "cpu"]).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("are cpu, swap; those that are observed here are swap, cpu")
        );
    }

    #[test]
    fn a_model_whose_parts_do_not_fit_is_refused_with_the_reason() {
        let says = |change: &dyn Fn(&mut ResourceModel)| {
            let mut model = model();
            change(&mut model);
            let error = ResourceModel::from_bytes(&model.to_bytes());
            error.err().map(|e| e.to_string()).unwrap_or_default()
        };
        assert_eq!(says(&|_| {}), "");
        assert!(says(&|m| m.description.window = 3).contains("3 rows of 2 channels require 6"));
        assert!(says(&|m| m.description.threshold = -1.0).contains("threshold"));
        assert!(says(&|m| m.scaler.range[0] = 0.0).contains("not above 0"));
        assert!(says(&|m| m.scaler.least[0] = f32::INFINITY).contains("not finite"));
        assert!(says(&|m| m.scaler.least.truncate(1)).contains("\"scaler.least\""));
        let network = |shapes: &[(usize, usize)]| {
            let layers = shapes.iter().flat_map(|&(rows, columns)| {
                [Matrix::zeros(rows, columns), Matrix::zeros(1, columns)]
            });
            Autoencoder::new(layers.collect())
                .map(drop)
                .map_err(|e| e.to_string())
        };
        assert!(network(&[(4, 3), (3, 4)]).is_ok());
        assert!(
            network(&[(4, 3), (3, 5)])
                .unwrap_err()
                .contains("as many outputs")
        );
        assert!(
            network(&[(4, 3), (2, 4)])
                .unwrap_err()
                .contains("\"dense.1.kernel\" has 2 rows")
        );
        assert!(
            network(&[(4000, 3000), (3000, 4000)])
                .unwrap_err()
                .contains("multiplications")
        );
        assert!(network(&[]).is_err() && network(&[(0, 0)]).is_err());
    }
}
