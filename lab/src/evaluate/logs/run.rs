//! The detectors that are asked for, run over the labeled series.

use std::collections::{BTreeMap, HashSet};

use anyhow::Result;
use bellwether_records::command::usage;
use bellwether_records::files;
use bellwether_records::settings::{Setting, lad_options};
use rayon::prelude::*;

use super::arguments::EvaluateLogsArguments;
use super::corpus::Corpus;
use super::fleet::{self, Training};
use super::labels::Label;
use super::models;
use super::scores;
use crate::evaluate::sweep::combinations;

/// The scores that a detector gave, by series.
pub type Scores = BTreeMap<String, Vec<f64>>;

/// A detector that was run.
pub struct Run {
    /// Its name in tables.
    pub detector: String,
    /// The part of the name that says what it is and where its records are from.
    pub source: String,
    /// Options that it has other values of than its neighbors.
    pub swept: Vec<Setting>,
    pub scores: Scores,
}

impl Run {
    fn new(detector: String, scores: Scores) -> Self {
        Self {
            source: detector.clone(),
            detector,
            swept: Vec::new(),
            scores,
        }
    }
}

/// Runs each detector that is asked for over the labeled series.
///
/// # Errors
/// What is wrong with the options or the files.
pub fn detectors(arguments: &EvaluateLogsArguments, labels: &[Label]) -> Result<Vec<Run>> {
    let options = lad_options(&arguments.settings).map_err(usage)?;
    let wanted: HashSet<&str> = labels.iter().map(|label| &*label.name).collect();
    let mut corpora = Vec::new();
    if !arguments.labeled.paths.is_empty() {
        let corpus = Corpus::read_text(&arguments.labeled.paths, arguments.year, &wanted)?;
        corpora.push((String::new(), corpus));
    }
    if let Some(keys) = &arguments.labeled.keys {
        for (name, faulty) in models::verdicts(&arguments.verdicts, keys, options.training)? {
            let corpus = Corpus::read_keys(keys, faulty, &wanted)?;
            corpora.push((format!(", {name}"), corpus));
        }
    }
    let mut detectors = Vec::new();
    for (of, corpus) in corpora {
        for swept in combinations(&arguments.sweep) {
            let options = lad_options(arguments.settings.iter().chain(&swept)).map_err(usage)?;
            let observations = corpus.observe(&options)?.into_iter();
            let scores = observations.map(|(series, o)| (series, o.scores));
            let with = swept.iter().map(|s| format!(" {}={}", s.name, s.value));
            let source = format!("bellwether{of}");
            detectors.push(Run {
                detector: source.clone() + &with.collect::<String>(),
                source,
                scores: scores.collect(),
                swept,
            });
        }
        if arguments.baselines.is_empty() {
            continue;
        }
        let training = Training {
            epochs: arguments.epochs,
            seed: arguments.seed,
            repeat_unknown: arguments.repeat_unknown,
        };
        let observations = corpus.observe(&options)?;
        for baseline in &arguments.baselines {
            if let Some(trained) = baseline.trained() {
                let scores =
                    fleet::scores(trained, &corpus, &observations, labels, &options, training)?;
                detectors.push(Run::new(format!("{}{of}", baseline.name()), scores));
                continue;
            }
            let observations = observations.par_iter();
            let scores =
                observations.map(|(series, o)| (series.clone(), baseline.scores(o, &options)));
            detectors.push(Run::new(
                format!("{}{of}", baseline.name()),
                scores.collect(),
            ));
        }
    }
    for file in &arguments.scores {
        let name = files::stem(file, &[".jsonl", ".json"]);
        let warn = |warning: &str| eprintln!("bellwether-lab: {warning}");
        detectors.push(Run::new(name, scores::read(file, labels, warn)?));
    }
    Ok(detectors)
}
