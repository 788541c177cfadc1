//! The command that trains an autoencoder on the resources of benign hosts.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use bellwether_core::model::{ResourceModel, TrainingData};
use bellwether_records::command::usage;
use bellwether_records::files::{decoded, files};
use clap::Args;

use super::fit::{Run, Schedule};
use super::rows::{Channel, Row, RowsPlan, Threshold, train};
use super::training::{TrainingArguments, share};
use crate::hash::Fnv1a;

const EXAMPLES: &str = "\
Examples:
  bellwether-lab train resources --out hosts.model benign/
  bellwether-lab train resources --out hosts.model --floor swap_in=1000 --floor memory_used=0.1 --threshold 0.0262 benign/*.csv";

/// The endings of recordings.
const ENDINGS: [&str; 1] = [".csv"];
/// What a column is called that is no channel.
const TIME: &str = "time";

/// Train a model of the resources of hosts on benign recordings
///
/// Each PATH is a CSV file or a folder of CSV files, plain or compressed: one host each, a row for each interval, without gaps. The first
/// line has the names of the channels; a column "time" is none of them. An empty cell, or "nan", is unknown. All files have the same
/// channels in the same order.
///
/// Each channel is scaled by its range, and an autoencoder learns to return windows of ten rows (FailSafeVM). A window is anomalous if
/// the mean square of the errors is above the threshold, which is set on every tenth recording, held back from training (of fewer than
/// ten recordings, on the last tenth of each).
///
/// The state of the training is saved after each epoch beside FILE, with the suffix ".training": the same command goes on after an
/// interruption, with the same result.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct TrainResourcesArguments {
    /// CSV files (plain or compressed), or folders of CSV files
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,

    #[command(flatten)]
    training: TrainingArguments,

    /// Number of rows of a window
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=256))]
    window: u16,

    /// Units of the hidden layers, separated by commas
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_values = ["64", "32", "64"],
        value_parser = clap::value_parser!(u16).range(1..=4096))]
    hidden: Vec<u16>,

    /// Number of times to go through the data
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    epochs: u32,

    /// Least range that a channel is scaled by, in its own unit; may be repeated. A channel without one that never moves in training
    /// has 1
    #[arg(long = "floor", value_name = "CHANNEL=RANGE", value_parser = floor)]
    floors: Vec<(String, f64)>,

    /// Error above which a window is anomalous [default: set on the data that are held back]
    #[arg(long, value_name = "ERROR", value_parser = crate::evaluate::logs::labeled::score)]
    threshold: Option<f64>,

    /// Share of the windows that are held back that may be anomalous
    #[arg(long, value_name = "SHARE", default_value_t = 0.001, value_parser = share)]
    alarms: f64,

    /// Maximum number of rows; those beyond it are left out
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..))]
    max_rows: u32,
}

fn floor(text: &str) -> Result<(String, f64), String> {
    let (name, range) = text.split_once('=').unwrap_or((text, ""));
    let range = range.trim().parse().ok();
    let range = range.filter(|range: &f64| *range > 0.0 && range.is_finite());
    match range {
        Some(range) => Ok((name.trim().to_owned(), range)),
        None => Err("it takes CHANNEL=RANGE with a range above 0, such as swap_in=1000".into()),
    }
}

/// The recordings of some hosts.
#[derive(Debug, Default)]
struct Recordings {
    channels: Vec<String>,
    hosts: Vec<Vec<Row>>,
    rows: u64,
    beyond: u64,
    fingerprint: Fnv1a,
}

impl Recordings {
    /// Adds the recording in a file, up to a number of rows of all recordings.
    fn add(&mut self, path: &Path, most: u64) -> Result<()> {
        let of_path = || path.display().to_string();
        let mut reader = csv::Reader::from_reader(decoded(path).with_context(of_path)?);
        let header = reader.headers().with_context(of_path)?.clone();
        let is_channel: Vec<bool> = header.iter().map(|name| name.trim() != TIME).collect();
        let named = header.iter().zip(&is_channel).filter(|(_, is)| **is);
        let channels: Vec<String> = named.map(|(name, _)| name.trim().to_owned()).collect();
        ensure!(
            !channels.is_empty(),
            "{}: the first line names no channel",
            of_path()
        );
        if self.hosts.is_empty() {
            self.channels = channels;
        } else {
            ensure!(
                channels == self.channels,
                "{}: its channels are {}; those of the other recordings are {}",
                of_path(),
                channels.join(", "),
                self.channels.join(", ")
            );
        }
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.with_context(of_path)?;
            if self.rows >= most {
                self.beyond += 1;
                continue;
            }
            let cells = record.iter().zip(&is_channel).filter(|(_, is)| **is);
            let value = |(cell, _): (&str, _)| {
                let cell = cell.trim();
                if cell.is_empty() {
                    return Ok(f64::NAN);
                }
                cell.parse().with_context(|| {
                    let line = record.position().map_or(0, csv::Position::line);
                    format!("{}: line {line}: \"{cell}\" is no number", of_path())
                })
            };
            let row: Row = cells.map(value).collect::<Result<_>>()?;
            for value in &row {
                self.fingerprint.add(&value.to_bits().to_le_bytes());
            }
            self.rows += 1;
            rows.push(row);
        }
        self.hosts.push(rows);
        Ok(())
    }
}

impl TrainResourcesArguments {
    /// Trains, and writes the model.
    ///
    /// # Errors
    /// What is wrong with the arguments or the files.
    pub fn run(&self) -> Result<()> {
        let mut recordings = Recordings::default();
        for path in files(&self.paths, &ENDINGS)? {
            recordings.add(&path, self.max_rows.into())?;
        }
        let mut channels: Vec<Channel> = recordings
            .channels
            .iter()
            .map(|name| Channel {
                name: name.clone(),
                floor: 0.0,
            })
            .collect();
        for (name, floor) in &self.floors {
            match channels.iter_mut().find(|channel| channel.name == *name) {
                Some(channel) => channel.floor = *floor,
                None => bail!(usage(format!(
                    "--floor {name}={floor}: there is no such channel; the channels are {}",
                    recordings.channels.join(", ")
                ))),
            }
        }
        eprintln!(
            "bellwether-lab: {} rows of {} recordings with {} channels; {} beyond --max-rows",
            recordings.rows,
            recordings.hosts.len(),
            channels.len(),
            recordings.beyond
        );
        let data = TrainingData {
            rows: recordings.rows,
            sources: recordings.hosts.len() as u64,
            fingerprint: format!("{:016x}", recordings.fingerprint.0),
            seed: self.training.seed,
        };
        let plan = RowsPlan {
            window: self.window.into(),
            hidden: self
                .hidden
                .iter()
                .map(|units| usize::from(*units))
                .collect(),
            batch: RowsPlan::default().batch,
            schedule: Schedule {
                epochs: self.epochs,
                learning_rate: self.training.learning_rate,
                seed: self.training.seed,
            },
        };
        let floors: Vec<f64> = channels.iter().map(|channel| channel.floor).collect();
        let described = serde_json::json!({
            "window": plan.window,
            "hidden": plan.hidden,
            "batch": plan.batch,
            "epochs": plan.schedule.epochs,
            "learning_rate": plan.schedule.learning_rate,
            "seed": plan.schedule.seed,
            "channels": recordings.channels,
            "floors": floors,
            "data": data.fingerprint,
        });
        let limit = match self.threshold {
            Some(error) => Threshold::Error(error),
            None => Threshold::Share(self.alarms),
        };
        let train = |run: &Run<'_>| train(&recordings.hosts, &channels, &plan, limit, data, run);
        let save = |model: ResourceModel| {
            eprintln!(
                "bellwether-lab: a window is anomalous if its error is above {}",
                model.description().threshold
            );
            let out = &self.training.out;
            model.save(out).with_context(|| out.display().to_string())
        };
        self.training
            .run(described, plan.schedule.epochs, train, save)
    }
}
