//! The command that trains an LSTM on benign logs.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use bellwether_core::lad::{LadOptions, inference};
use bellwether_core::model::{SequenceDescription, SequenceModel, TrainingData, Vocabulary};
use bellwether_records::command::usage;
use bellwether_records::logs::{self, Records};
use bellwether_records::progress::bar;
use bellwether_records::settings::{self, Setting};
use clap::Args;

use super::fit::{Run, Schedule};
use super::fleet;
use super::keys::{KeysPlan, TrainedKeys, train};
use super::training::{TrainingArguments, share};
use crate::hash::Fnv1a;

const EXAMPLES: &str = "\
Examples:
  bellwether-lab train sequence --out fleet.model collected/
  bellwether-lab train sequence --out fleet.model --key-numbers --layers 1 --top 20 collected/

The option sequence_model of the detector \"lad\" loads the file.";

/// Train a model of the sequence of templates on benign logs
///
/// Each PATH is a log file, a folder of log files, or "-" for the standard input, as for "bellwether learn logs". Records in which the
/// lexicon finds anything are left out. The templates of the others become log keys. An LSTM learns which key follows the last ones
/// (DeepLog; FailSafeVM). A record is anomalous if its template is unknown or not among the likeliest. How many likeliest ones there are
/// is set on every tenth log, which is held back from training (of fewer than ten logs, on the last tenth of each).
///
/// Training takes one core, a few seconds for each epoch of 100,000 records. Its state is saved after each epoch beside FILE, with the
/// suffix ".training": the same command goes on after an interruption, with the same result.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct TrainSequenceArguments {
    /// Log files (plain or compressed), folders of log files, or "-" for the standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,

    #[command(flatten)]
    training: TrainingArguments,

    /// Number of log keys from which the next one is predicted
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=64))]
    window: u16,

    /// Number of layers
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=4))]
    layers: u16,

    /// Number of units of a layer
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=512))]
    units: u16,

    /// Give the network the numbers of the keys instead of a learned embedding, as FailSafeVM does
    #[arg(long)]
    key_numbers: bool,

    /// Number of times to go through the data
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    epochs: u32,

    /// Number of likeliest keys that are normal [default: set on the data that are held back]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=8192))]
    top: Option<u32>,

    /// Share of the records that are held back that may be anomalous although their templates are known
    #[arg(long, value_name = "SHARE", default_value_t = 0.0001, value_parser = share)]
    alarms: f64,

    /// Maximum number of records; those beyond it are left out
    #[arg(long, value_name = "N", default_value_t = 2_000_000, value_parser = clap::value_parser!(u32).range(1..))]
    max_records: u32,

    /// Set an option of the detector, such as lexicon or those of the parser; repeat it for several options
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = settings::lad)]
    settings: Vec<Setting>,
}

/// The lines of a fleet.
#[derive(Default)]
struct Lines {
    /// By log and host.
    streams: Vec<Vec<String>>,
    records: u64,
    left_out: u64,
    beyond: u64,
    fingerprint: Fnv1a,
}

impl TrainSequenceArguments {
    /// Trains, and writes the model.
    ///
    /// # Errors
    /// What is wrong with the arguments or the files.
    pub fn run(&self) -> Result<()> {
        let options = settings::lad_options(&self.settings).map_err(usage)?;
        let lines = self.read(&options)?;
        ensure!(lines.records > 0, "there is no benign record in these logs");
        let all = lines.streams.iter().flatten().map(|line| &**line);
        let templates = fleet::templates(&options.drain, all)?;
        let mut vocabulary = Vocabulary::new(&options.drain, &templates)?;
        let streams: Vec<Vec<u32>> = lines
            .streams
            .iter()
            .map(|lines| fleet::keys(&mut vocabulary, lines.iter().map(|line| &**line)))
            .collect();
        let data = TrainingData {
            rows: lines.records,
            sources: streams.len() as u64,
            fingerprint: format!("{:016x}", lines.fingerprint.0),
            seed: self.training.seed,
        };
        eprintln!(
            "bellwether-lab: {} records of {} logs with {} templates; {} left out in which the lexicon finds something, {} beyond --max-records",
            lines.records,
            streams.len(),
            templates.len(),
            lines.left_out,
            lines.beyond
        );
        let plan = self.plan();
        let described = serde_json::json!({
            "window": plan.window,
            "embedding": plan.embedding,
            "units": plan.units,
            "layers": plan.layers,
            "batch": plan.batch,
            "epochs": plan.schedule.epochs,
            "learning_rate": plan.schedule.learning_rate,
            "seed": plan.schedule.seed,
            "templates": templates.len(),
            "data": data.fingerprint,
        });
        let keys = templates.len() + 1;
        let train = |run: &Run<'_>| train(&streams, keys, &plan, self.top, self.alarms, run);
        let save = |trained: TrainedKeys| {
            eprintln!(
                "bellwether-lab: a record is anomalous if its template is unknown or not among the {} likeliest: {} of {} records that were held back",
                trained.top, trained.above, trained.ranked
            );
            let description = SequenceDescription {
                window: plan.window,
                top: trained.top,
                templates,
                parser: Vocabulary::shape(&options.drain),
                data,
            };
            let model = SequenceModel::new(&options.drain, description, trained.network)?;
            let out = &self.training.out;
            model.save(out).with_context(|| out.display().to_string())
        };
        self.training
            .run(described, plan.schedule.epochs, train, save)
    }

    fn plan(&self) -> KeysPlan {
        let usual = KeysPlan::default();
        KeysPlan {
            window: self.window.into(),
            embedding: usual.embedding.filter(|_| !self.key_numbers),
            units: self.units.into(),
            layers: self.layers.into(),
            batch: usual.batch,
            schedule: Schedule {
                epochs: self.epochs,
                learning_rate: self.training.learning_rate,
                seed: self.training.seed,
            },
        }
    }

    fn read(&self, options: &LadOptions) -> Result<Lines> {
        let lexicon = inference(options).map_err(usage)?;
        let found = logs::find(&self.paths)?;
        let mut warnings = found.warnings.clone();
        let mut lines = Lines::default();
        let bar = bar(found.groups.len(), "logs");
        for group in &found.groups {
            let mut records = Records::new(group, None);
            let mut hosts: Vec<String> = Vec::new();
            let first = lines.streams.len();
            while let Some(record) = records.next_record()? {
                if lexicon.read(&record.message()).finding.is_some() {
                    lines.left_out += 1;
                    continue;
                }
                if lines.records >= u64::from(self.max_records) {
                    lines.beyond += 1;
                    continue;
                }
                let host = hosts.iter().position(|host| host == record.stream());
                let host = host.unwrap_or_else(|| {
                    hosts.push(record.stream().to_owned());
                    lines.streams.push(Vec::new());
                    hosts.len() - 1
                });
                lines.records += 1;
                for part in [record.stream(), "\0", &record.text, "\0"] {
                    lines.fingerprint.add(part.as_bytes());
                }
                lines.streams[first + host].push(record.text);
            }
            warnings.extend(records.warnings());
            bar.inc(1);
        }
        bar.finish_and_clear();
        for warning in &warnings {
            eprintln!("bellwether-lab: {warning}");
        }
        Ok(lines)
    }
}
