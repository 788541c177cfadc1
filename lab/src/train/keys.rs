//! Training an LSTM on streams of log keys.

use anyhow::{Result, ensure};
use bellwether_core::model::{KEYS_MAX, Lstm, Matrix, Predictor};
use serde::Serialize;

use super::fit::{Run, Schedule, Task, fit, random};
use super::held_back::{split, threshold};
use super::initial;
use super::lstm::{Windows, gradient};

/// One key in this many is replaced by the unknown one in training, so that the network has seen it.
const UNKNOWN_ONE_IN: usize = 64;

/// How to train an LSTM.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KeysPlan {
    /// Number of keys from which the next one is predicted.
    pub window: usize,
    /// Length of the embedding of a key; `None` gives the network the key's number, as FailSafeVM does.
    pub embedding: Option<usize>,
    /// Number of units of a layer, and of layers.
    pub units: usize,
    pub layers: usize,
    /// Number of windows of a step.
    pub batch: usize,
    pub schedule: Schedule,
}

impl Default for KeysPlan {
    fn default() -> Self {
        Self {
            window: 10,
            embedding: Some(32),
            units: 64,
            layers: 2,
            batch: 32,
            schedule: Schedule {
                epochs: 10,
                learning_rate: 0.005,
                seed: 1,
            },
        }
    }
}

/// A network, and which keys are anomalous by it.
#[derive(Debug)]
pub struct TrainedKeys {
    pub network: Lstm,
    /// A key is normal if it is among this many likeliest ones.
    pub top: u32,
    /// Number of keys that were held back and ranked, and of those among them that are not normal.
    pub ranked: usize,
    pub above: usize,
}

/// The windows of some streams.
struct Stretches<'a> {
    streams: &'a [&'a [u32]],
    window: usize,
    batch: usize,
}

impl Task for Stretches<'_> {
    type Batch = Windows;

    /// Windows one after the other, from a random key on.
    fn epoch(&self, random: &mut fastrand::Rng) -> Vec<Windows> {
        let mut places: Vec<&[u32]> = Vec::new();
        for stream in self.streams {
            let from = random.usize(..self.window).min(stream.len());
            let mut rest = &stream[from..];
            while rest.len() > self.window {
                places.push(&rest[..=self.window]);
                rest = &rest[self.window..];
            }
        }
        random.shuffle(&mut places);
        let mut batches = Vec::with_capacity(places.len().div_ceil(self.batch));
        for batch in places.chunks(self.batch) {
            let place = |at: usize| batch.iter().map(move |window| window[at]);
            let inputs = (0..self.window).flat_map(place);
            let with_unknown = inputs.map(|key| match random.usize(..UNKNOWN_ONE_IN) {
                0 => 0,
                _ => key,
            });
            batches.push(Windows {
                inputs: with_unknown.collect(),
                targets: (1..=self.window).flat_map(place).collect(),
                count: batch.len(),
            });
        }
        batches
    }

    fn gradient(&self, parameters: &[Matrix], batch: &Windows, gradients: &mut [Matrix]) -> f64 {
        gradient(parameters, batch, gradients)
    }
}

/// Trains a network on streams of `keys` keys, 0 for unknown ones; `None` if it stopped at the time limit. A part of the streams is
/// held back: the number of likeliest keys is set so that at most the share `rate` of its known keys is not among them, unless it is
/// given.
///
/// # Errors
/// There is too little data, or as [`fit`].
pub fn train(
    streams: &[Vec<u32>],
    keys: usize,
    plan: &KeysPlan,
    top: Option<u32>,
    rate: f64,
    run: &Run<'_>,
) -> Result<Option<TrainedKeys>> {
    ensure!(
        (2..=KEYS_MAX).contains(&keys),
        "{} templates; a model has 1 to {}",
        keys.saturating_sub(1),
        KEYS_MAX - 1
    );
    let (training, held) = split(streams);
    let task = Stretches {
        streams: &training,
        window: plan.window,
        batch: plan.batch,
    };
    let mut first = random(plan.schedule.seed, 0);
    let width = plan.embedding.unwrap_or(1);
    let mut parameters = initial::lstm(keys, width, plan.units, plan.layers, &mut first);
    let mut fixed = 0;
    if plan.embedding.is_none() {
        parameters[0] = initial::key_numbers(keys);
        fixed = 1;
    }
    let Some(parameters) = fit(&task, parameters, fixed, &plan.schedule, run)? else {
        return Ok(None);
    };
    let network = Lstm::new(parameters)?;
    let ranks = ranks(&network, plan.window, &held)?;
    let ranked = ranks.len();
    let top = match top {
        Some(top) => top,
        None => threshold(ranks.clone(), rate, u32::cmp).ok_or_else(|| {
            anyhow::anyhow!(
                "no stream that is held back has more than {} records; give --top, or more data",
                plan.window
            )
        })?,
    };
    let above = ranks.iter().filter(|rank| **rank > top).count();
    Ok(Some(TrainedKeys {
        network,
        top,
        ranked,
        above,
    }))
}

/// The ranks of all known keys of some streams that have enough keys before them.
fn ranks(network: &Lstm, window: usize, streams: &[&[u32]]) -> Result<Vec<u32>> {
    let mut predictor = Predictor::new(network.clone(), window, 1)?;
    let mut ranks = Vec::new();
    for stream in streams {
        let mut history = predictor.history();
        for key in *stream {
            let predicted = predictor.observe(&mut history, *key);
            ranks.extend((predicted.rank > 0).then_some(predicted.rank));
        }
    }
    Ok(ranks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::checkpoint::Checkpoint;

    /// Streams of a circle of five keys, and a plan that learns it within a second.
    fn circles() -> (Vec<Vec<u32>>, KeysPlan) {
        let stream = |from: u32| (0..60).map(|at| 1 + (from + at) % 5).collect();
        let plan = KeysPlan {
            window: 4,
            embedding: Some(6),
            units: 8,
            layers: 2,
            batch: 4,
            schedule: Schedule {
                epochs: 12,
                learning_rate: 0.02,
                seed: 3,
            },
        };
        ((0..12).map(stream).collect(), plan)
    }

    #[test]
    fn a_network_learns_what_follows_and_ranks_it_first() {
        let (streams, plan) = circles();
        let trained = train(&streams, 6, &plan, None, 0.0, &Run::default());
        let trained = trained.unwrap().unwrap();
        assert_eq!((trained.top, trained.above), (1, 0));
        assert_eq!(trained.ranked, 56, "one stream is held back");
        let mut predictor = Predictor::new(trained.network, 4, 1).unwrap();
        let mut history = predictor.history();
        let flags = [1, 2, 3, 4, 5, 1, 4].map(|key| predictor.observe(&mut history, key).anomalous);
        assert_eq!(flags, [false, false, false, false, false, false, true]);
    }

    #[test]
    fn key_numbers_stay_as_they_are() {
        let (streams, mut plan) = circles();
        plan.embedding = None;
        plan.schedule.epochs = 1;
        let trained = train(&streams, 6, &plan, Some(5), 0.0, &Run::default());
        let network = trained.unwrap().unwrap().network;
        assert_eq!(network.parameters()[0], initial::key_numbers(6));
    }

    #[test]
    fn a_training_that_was_interrupted_gives_the_same_bits_as_one_that_was_not() {
        let (streams, mut plan) = circles();
        plan.schedule.epochs = 3;
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("model");
        let described = || serde_json::json!({"epochs": plan.schedule.epochs, "rows": 720});
        let run = |checkpoint: Option<&Checkpoint>, limit| {
            let run = Run {
                checkpoint,
                limit,
                report: None,
            };
            train(&streams, 6, &plan, Some(1), 0.0, &run)
        };
        let whole = run(None, None).unwrap().unwrap().network;
        let checkpoint = Checkpoint::beside(&out, described(), false).unwrap();
        // Each run stops after one epoch.
        let now = Some(std::time::Duration::ZERO);
        assert!(run(Some(&checkpoint), now).unwrap().is_none());
        assert!(run(Some(&checkpoint), now).unwrap().is_none());
        let resumed = run(Some(&checkpoint), now).unwrap().unwrap().network;
        assert_eq!(resumed, whole);
        let other = Checkpoint::beside(&out, serde_json::json!({"epochs": 4, "rows": 720}), false);
        let error = run(Some(&other.unwrap()), None).unwrap_err().to_string();
        assert!(
            error.contains("epochs 3, which is 4 now") && error.contains("--restart"),
            "{error}"
        );
        let anew = Checkpoint::beside(&out, serde_json::json!({"epochs": 4}), true).unwrap();
        assert!(!anew.path().exists());
    }
}
