//! Detectors that are trained on the benign logs of one half of the hosts and run over the other half, and the other way round.
//!
//! None of them reads the lexicon. What is benign are the series without a fault, and the others up to their fault. A part of it is
//! held back from training to set the threshold; what a detector gives is 1 for each record above it and 0 for all others, so that
//! nothing of the series that it is run over decides where alarms begin. A template that is unknown to the half of training is an alarm
//! at its first record of a series, as LAD counts templates that are new to the fleet, or at all of its records.

mod bigram;
mod halves;

use std::collections::{BTreeMap, HashSet};

use anyhow::Result;
use bellwether_core::model::Predictor;
use rayon::prelude::*;

use super::corpus::{Corpus, Observations};
use super::labels::Label;
use crate::train::fit::Run;
use crate::train::keys::{KeysPlan, train};
use bigram::Bigram;
use halves::{Half, halves};

/// Share of the records that are held back that may be anomalous although their templates are known.
const ALARMS: f64 = 1e-4;
/// The number of likeliest keys that FailSafeVM takes for normal.
const FAILSAFE_TOP: u32 = 20;

/// A detector that is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trained {
    /// A record is anomalous if its template is unknown to the half of training.
    Unseen,
    /// The same, or if its template hardly ever follows the one before.
    Bigram,
    /// The same, or if its template is not among those that an LSTM expects.
    Lstm,
    /// FailSafeVM: an LSTM over the numbers of the keys, of which the 20 likeliest are normal; the score is the share of anomalous
    /// records among the last 20.
    FailSafe,
}

/// How detectors are trained.
#[derive(Debug, Clone, Copy)]
pub struct Training {
    /// How often networks go through their data.
    pub epochs: u32,
    /// The seed of the halves and of the networks.
    pub seed: u64,
    /// All records of an unknown template are alarms, not only its first one of a series.
    pub repeat_unknown: bool,
}

/// The scores of each series of `corpus` that has a label. The log keys in `observations` distinguish unknown templates of a series.
///
/// # Errors
/// A half has nothing to train on, or the options contradict each other.
pub fn scores(
    detector: Trained,
    corpus: &Corpus,
    observations: &BTreeMap<String, Observations>,
    labels: &[Label],
    options: &bellwether_core::lad::LadOptions,
    training: Training,
) -> Result<BTreeMap<String, Vec<f64>>> {
    let halves = halves(corpus, labels, &options.drain, training.seed)?;
    let once = !training.repeat_unknown && detector != Trained::FailSafe;
    let of_half = |half: &Half| {
        let mut scores = of_half(detector, half, training)?;
        for ((name, scores), (_, keys)) in scores.iter_mut().zip(&half.others) {
            if let Some(own) = observations.get(name).filter(|_| once) {
                drop_repeated(scores, keys, &own.keys);
            }
        }
        Ok(scores)
    };
    let scores: Vec<Vec<(String, Vec<f64>)>> =
        halves.par_iter().map(of_half).collect::<Result<_>>()?;
    Ok(scores.into_iter().flatten().collect())
}

/// Takes back the alarms of unknown templates after their first record.
fn drop_repeated(scores: &mut [f64], keys: &[u32], own: &[u64]) {
    let mut seen = HashSet::new();
    for ((score, key), own) in scores.iter_mut().zip(keys).zip(own) {
        if *key == 0 && !seen.insert(*own) {
            *score = 0.0;
        }
    }
}

fn of_half(detector: Trained, half: &Half, training: Training) -> Result<Vec<(String, Vec<f64>)>> {
    match detector {
        Trained::Unseen => Ok(each(half, |keys| {
            keys.iter().map(|key| flag(*key == 0)).collect()
        })),
        Trained::Bigram => {
            let (bigram, threshold) = Bigram::trained(&half.benign, half.keys, ALARMS)?;
            Ok(each(half, |keys| bigram.flags(keys, threshold)))
        }
        Trained::Lstm => {
            let predictor = predictor(half, training, KeysPlan::default(), None)?;
            Ok(each(half, |keys| {
                observe(&predictor, keys, |predicted| flag(predicted.anomalous))
            }))
        }
        Trained::FailSafe => {
            let plan = KeysPlan {
                embedding: None,
                ..KeysPlan::default()
            };
            let predictor = predictor(half, training, plan, Some(FAILSAFE_TOP))?;
            Ok(each(half, |keys| {
                observe(&predictor, keys, |predicted| predicted.share)
            }))
        }
    }
}

fn predictor(
    half: &Half,
    training: Training,
    mut plan: KeysPlan,
    top: Option<u32>,
) -> Result<Predictor> {
    plan.schedule.epochs = training.epochs;
    plan.schedule.seed = training.seed;
    let run = Run::default();
    let trained = train(&half.benign, half.keys, &plan, top, ALARMS, &run)?;
    let trained = trained.expect("a training without a time limit ends");
    Ok(Predictor::new(trained.network, plan.window, trained.top)?)
}

/// What comes of each series of the half that is not trained on.
fn each(half: &Half, scores: impl Fn(&[u32]) -> Vec<f64> + Sync) -> Vec<(String, Vec<f64>)> {
    let series = half.others.par_iter();
    series
        .map(|(name, keys)| (name.clone(), scores(keys)))
        .collect()
}

fn observe(
    predictor: &Predictor,
    keys: &[u32],
    score: impl Fn(bellwether_core::model::Predicted) -> f64,
) -> Vec<f64> {
    let mut predictor = predictor.clone();
    let mut history = predictor.history();
    let keys = keys.iter();
    keys.map(|key| score(predictor.observe(&mut history, *key)))
        .collect()
}

fn flag(anomalous: bool) -> f64 {
    f64::from(u8::from(anomalous))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_template_is_an_alarm_at_its_first_record_and_a_known_one_whenever_it_is_anomalous()
     {
        let mut scores = [1.0, 1.0, 1.0, 0.0, 1.0, 1.0];
        drop_repeated(&mut scores, &[0, 0, 5, 5, 0, 5], &[70, 70, 71, 71, 72, 71]);
        assert_eq!(scores, [1.0, 0.0, 1.0, 0.0, 1.0, 1.0]);
    }
}
