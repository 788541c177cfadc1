//! Training an autoencoder on rows of resources.

use anyhow::{Context as _, Result, ensure};
use bellwether_core::model::{
    Autoencoder, AutoencoderScratch, Matrix, ResourceDescription, ResourceHistory, ResourceModel,
    Scaler, TrainingData, fill_unknown,
};
use serde::Serialize;

use super::autoencoder::{Inputs, gradient};
use super::fit::{Run, Schedule, Task, fit, random};
use super::held_back::{split, threshold};
use super::initial;

/// How to train an autoencoder.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RowsPlan {
    /// Number of rows of a window.
    pub window: usize,
    /// The units of the hidden layers.
    pub hidden: Vec<usize>,
    /// Number of windows of a step.
    pub batch: usize,
    pub schedule: Schedule,
}

impl Default for RowsPlan {
    /// The network of FailSafeVM.
    fn default() -> Self {
        Self {
            window: 10,
            hidden: vec![64, 32, 64],
            batch: 32,
            schedule: Schedule {
                epochs: 20,
                learning_rate: 0.002,
                seed: 1,
            },
        }
    }
}

/// When a window is anomalous.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Threshold {
    /// With a larger error than this; FailSafeVM has 0.0262.
    Error(f64),
    /// With a larger error than all but this share of the windows that are held back.
    Share(f64),
}

/// A channel: its name, and the least range that it is scaled by.
#[derive(Debug, Clone, PartialEq)]
pub struct Channel {
    pub name: String,
    pub floor: f64,
}

/// A row of values, NaN where one is unknown.
pub type Row = Vec<f64>;

/// The windows of some recordings, scaled.
struct WindowTask {
    /// Row by row; NaN for unknown values.
    recordings: Vec<Vec<f32>>,
    channels: usize,
    /// The length of a window in values.
    length: usize,
    batch: usize,
}

impl Task for WindowTask {
    /// Recording and first value of each window.
    type Batch = Vec<(usize, usize)>;

    fn epoch(&self, random: &mut fastrand::Rng) -> Vec<Self::Batch> {
        let mut places = Vec::new();
        for (recording, values) in self.recordings.iter().enumerate() {
            let last = values.len().checked_sub(self.length);
            let places_of = last
                .into_iter()
                .flat_map(|last| (0..=last).step_by(self.channels));
            places.extend(places_of.map(|from| (recording, from)));
        }
        random.shuffle(&mut places);
        places.chunks(self.batch).map(<[_]>::to_vec).collect()
    }

    fn gradient(
        &self,
        parameters: &[Matrix],
        batch: &Self::Batch,
        gradients: &mut [Matrix],
    ) -> f64 {
        let mut inputs = Inputs::default();
        for &(recording, from) in batch {
            let window = &self.recordings[recording][from..from + self.length];
            let known = window
                .iter()
                .map(|value| if value.is_nan() { 0.0 } else { 1.0 });
            inputs.known.extend(known);
            let at = inputs.values.len();
            inputs.values.extend_from_slice(window);
            fill_unknown(&mut inputs.values[at..], self.channels);
        }
        gradient(parameters, &inputs, gradients)
    }
}

/// Trains a model on benign recordings, each the rows of one host in their order without gaps; `None` if it stopped at the time limit.
/// Every tenth recording (of fewer than ten, the last tenth of each) is held back for the threshold.
///
/// # Errors
/// There is too little data, or as [`fit`].
pub fn train(
    recordings: &[Vec<Row>],
    channels: &[Channel],
    plan: &RowsPlan,
    limit: Threshold,
    data: TrainingData,
    run: &Run<'_>,
) -> Result<Option<ResourceModel>> {
    ensure!(!channels.is_empty(), "there are no channels to train on");
    let (training, held) = split(recordings);
    let floors: Vec<f64> = channels.iter().map(|channel| channel.floor).collect();
    let rows = training
        .iter()
        .flat_map(|rows| rows.iter().map(|row| &row[..]));
    let scaler = Scaler::of(rows, &floors);
    let scaled = |rows: &&[Row]| {
        let row = |row: &Row| {
            let values = row.iter().enumerate();
            values
                .map(|(channel, value)| scaler.scaled(channel, *value))
                .collect::<Vec<_>>()
        };
        rows.iter().flat_map(row).collect()
    };
    let task = WindowTask {
        recordings: training.iter().map(scaled).collect(),
        channels: channels.len(),
        length: plan.window * channels.len(),
        batch: plan.batch,
    };
    let mut first = random(plan.schedule.seed, 0);
    let initial = initial::autoencoder(task.length, &plan.hidden, &mut first);
    let Some(parameters) = fit(&task, initial, 0, &plan.schedule, run)? else {
        return Ok(None);
    };
    let network = Autoencoder::new(parameters)?;
    let description = |threshold| ResourceDescription {
        window: plan.window,
        channels: channels
            .iter()
            .map(|channel| channel.name.clone())
            .collect(),
        threshold,
        data: data.clone(),
    };
    let model =
        |threshold| ResourceModel::new(description(threshold), scaler.clone(), network.clone());
    let threshold = match limit {
        Threshold::Error(error) => error,
        Threshold::Share(share) => {
            let errors = held
                .iter()
                .flat_map(|rows| errors(&model(0.0), rows))
                .collect();
            threshold(errors, share, f64::total_cmp).with_context(|| {
                format!(
                    "no recording that is held back has {} rows; give --threshold, or more data",
                    plan.window
                )
            })?
        }
    };
    Ok(Some(model(threshold)?))
}

/// The errors of all windows of a recording.
fn errors(
    model: &Result<ResourceModel, bellwether_core::model::ModelError>,
    rows: &[Row],
) -> Vec<f64> {
    let Ok(model) = model else {
        return Vec::new();
    };
    let (mut history, mut scratch) = (ResourceHistory::default(), AutoencoderScratch::default());
    let found = rows
        .iter()
        .filter_map(|row| model.observe(&mut history, row, &mut scratch));
    found.map(|found| found.error).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two channels that follow each other, and one that stands still; some values are unknown.
    fn recordings() -> Vec<Vec<Row>> {
        let mut random = fastrand::Rng::with_seed(8);
        let mut recording = |_| {
            let phase = random.f64() * 6.0;
            let row = |at: i32| {
                let wave = (f64::from(at) / 7.0 + phase).sin();
                let noise = 0.05 * (random.f64() - 0.5);
                let load = if at % 31 == 0 {
                    f64::NAN
                } else {
                    50.0 + 40.0 * wave + noise
                };
                vec![load, 2.0 + wave, 0.0]
            };
            (0..150).map(row).collect()
        };
        (0..10).map(&mut recording).collect()
    }

    fn channels() -> Vec<Channel> {
        let channel = |(name, floor): (&str, f64)| Channel {
            name: name.into(),
            floor,
        };
        [("cpu", 1.0), ("load", 0.1), ("swap", 100.0)]
            .map(channel)
            .to_vec()
    }

    fn plan() -> RowsPlan {
        RowsPlan {
            window: 4,
            hidden: vec![8, 3, 8],
            schedule: Schedule {
                epochs: 30,
                learning_rate: 0.01,
                seed: 2,
            },
            ..RowsPlan::default()
        }
    }

    fn trained(limit: Threshold) -> ResourceModel {
        let data = TrainingData::default();
        let model = train(
            &recordings(),
            &channels(),
            &plan(),
            limit,
            data,
            &Run::default(),
        );
        model.unwrap().unwrap()
    }

    #[test]
    fn what_moves_as_in_training_is_returned_and_what_does_not_is_anomalous() {
        let model = trained(Threshold::Share(0.02));
        let (mut history, mut scratch) = Default::default();
        let mut flags = |contrary: bool| {
            let mut flags = 0;
            for at in 0..100 {
                let wave = (f64::from(at) / 7.0).sin();
                let load = if contrary { 2.0 - wave } else { 2.0 + wave };
                let row = [50.0 + 40.0 * wave, load, 0.0];
                let found = model.observe(&mut history, &row, &mut scratch);
                flags += u32::from(found.is_some_and(|found| found.anomalous));
            }
            flags
        };
        let (with, against) = (flags(false), flags(true));
        assert!(with <= 5 && against > 60, "{with} {against}");
    }

    #[test]
    fn the_first_movement_of_a_channel_that_stood_still_is_measured_by_its_floor() {
        let model = trained(Threshold::Error(0.02));
        let (mut history, mut scratch) = Default::default();
        let mut error = |swap: f64| {
            let mut last = None;
            for _ in 0..4 {
                last = model.observe(&mut history, &[50.0, 2.0, swap], &mut scratch);
            }
            last.unwrap()
        };
        assert!(!error(2.0).anomalous);
        let far = error(300.0);
        assert!(far.anomalous && far.channel == 2);
    }

    #[test]
    fn the_same_data_and_seed_give_the_same_bytes_and_another_seed_others() {
        let with = |seed| {
            let mut plan = plan();
            plan.schedule.seed = seed;
            plan.schedule.epochs = 1;
            let data = TrainingData::default();
            let limit = Threshold::Share(0.01);
            let model = train(
                &recordings(),
                &channels(),
                &plan,
                limit,
                data,
                &Run::default(),
            );
            model.unwrap().unwrap().to_bytes()
        };
        assert_eq!(with(5), with(5));
        assert_ne!(with(5), with(6));
    }
}
