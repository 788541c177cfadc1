//! How badly an autoencoder returns windows, as FailSafeVM has it.

use anyhow::Result;
use bellwether_core::model::{AutoencoderScratch, ResourceHistory, ResourceModel, TrainingData};

use super::Machine;
use crate::train::fit::Run;
use crate::train::rows::{Channel, Row, RowsPlan, Threshold, train};

/// The least range of a channel: those of these data sets go from 0 to 1.
const FLOOR: f64 = 0.01;

/// The score of each row; NaN for the first ones, which complete no window, and for a machine of too few rows. The network is trained
/// on the first half of the rows without labels.
pub fn scores(machine: &Machine) -> Vec<f64> {
    let model = trained(machine).ok().flatten();
    let (mut history, mut scratch) = (ResourceHistory::default(), AutoencoderScratch::default());
    let score = |row: &[f64]| {
        let found = model.as_ref()?.observe(&mut history, row, &mut scratch)?;
        Some(found.error)
    };
    machine
        .rows()
        .map(score)
        .map(|found| found.unwrap_or(f64::NAN))
        .collect()
}

fn trained(machine: &Machine) -> Result<Option<ResourceModel>> {
    let channel = |at: usize| Channel {
        name: format!("channel_{at}"),
        floor: FLOOR,
    };
    let channels: Vec<Channel> = (0..machine.channels).map(channel).collect();
    let learned: Vec<Row> = machine
        .rows()
        .take(machine.train_rows() / 2)
        .map(<[f64]>::to_vec)
        .collect();
    // The score of the second half decides which rows are unusual, not the threshold of the model.
    let plan = RowsPlan::default();
    let limit = Threshold::Error(0.0);
    train(
        &[learned],
        &channels,
        &plan,
        limit,
        TrainingData::default(),
        &Run::default(),
    )
}
