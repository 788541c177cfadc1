//! The options of LAD.

use std::collections::HashSet;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use bellwether_core::lad::LadOptions;
use bellwether_records::command::usage;
use bellwether_records::keys;
use bellwether_records::settings::{self, Setting};
use clap::{ArgGroup, Args, ValueEnum};
use rayon::prelude::*;
use regex::Regex;

use super::find::{SearchArguments, find, parameters};
use super::problem::{Measured, Problem, Tested};
use super::setup::{Setup, chosen};
use super::space::{Assignment, Parameter, parameter};
use super::stanza;
use crate::evaluate::logs::corpus::Corpus;
use crate::evaluate::logs::figures::{Evaluation, Figures};
use crate::evaluate::logs::labeled::{LabeledArguments, score};
use crate::evaluate::logs::labels::{self, Label};
use crate::evaluate::logs::series::Series;
use crate::split::divide;

const EXAMPLES: &str = "\
Examples:
  bellwether-lab tune logs --out trials.csv --labels labels.json recorded/
  bellwether-lab tune logs --out trials.csv --labels labels.json --method grid --param window_size=2..8 --param drain_sim_th=0.3,0.4,0.5 recorded/
  bellwether-lab tune logs --out trials.csv --labels labels.json --keys keys.json --verdicts verdicts.csv --set mode=paper --objective auc

\"bellwether options lad\" lists the options for --set and --param.";

/// Search for options of LAD that detect more failures earlier without more false alarms
///
/// Series and labels are as for "bellwether-lab evaluate logs". The search trains on one half and tests the best options on the other.
/// A confidence interval says whether they are better there than the untuned options (the defaults and those of --set). All series of
/// one --source are in the same half. Each scenario is split evenly.
///
/// The objective is NAB's score by its standard profile, or the area under the ROC curve, averaged over the scenarios. Both use the
/// strict criterion: an alarm before the failure. At most --max-fpr percent of the records without a fault may be alarms. Above that
/// limit the objective is -ln((1 + rate) / (1 + limit)), which is less than any value within the limit.
///
/// The trials are written to a file, a row each. An interrupted search resumes from it, with the same result.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
#[command(group = ArgGroup::new("input").args(["paths", "keys"]).required(true))]
pub struct TuneLogsArguments {
    #[command(flatten)]
    pub labeled: LabeledArguments,

    /// CSV file with the columns "key" and "faulty" (true or false): whether records with that key are failures. Keys without a row are
    /// not
    #[arg(long, value_name = "CSV", requires = "keys")]
    pub verdicts: Option<PathBuf>,

    /// Use only series whose names match this regular expression [default: all]
    #[arg(long, value_name = "REGEX")]
    pub only: Option<Regex>,

    /// Regular expression that finds the source in the name of a series, such as '_([a-z0-9]+)$' for a machine at its end. The source is
    /// the first group, or else the whole match [default: each series is its own source]
    #[arg(long, value_name = "REGEX")]
    pub source: Option<Regex>,

    /// Set an option for all trials; repeat it for several options
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = settings::lad)]
    pub settings: Vec<Setting>,

    /// Tune an option over a range or a list of values; may be repeated [default: a few options of the mode]
    #[arg(long = "param", value_name = "NAME[=FROM..TO|=A,B,C]", value_parser = parameter::<LadOptions>)]
    pub parameters: Vec<Parameter>,

    /// Measure to maximize
    #[arg(long, value_enum, value_name = "MEASURE", default_value = "nab")]
    pub objective: Objective,

    /// Maximum percentage of the records without a fault that are alarms
    #[arg(long, value_name = "PERCENT", default_value_t = 1.0)]
    pub max_fpr: f64,

    /// Score from which a record is an alarm, for false alarms and early detection [default: the best one by NAB's standard profile and
    /// the relaxed criterion]
    #[arg(long, value_name = "SCORE", value_parser = score)]
    pub threshold: Option<f64>,

    /// Tag that the filter of Fluent Bit matches
    #[arg(long = "match", value_name = "TAG", default_value = "host")]
    pub tag: String,

    /// Random seed, also of the split into halves
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// Year of times without one [default: the year in which the file was last modified]
    #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(i16).range(1970..=9998))]
    pub year: Option<i16>,

    #[command(flatten)]
    pub search: SearchArguments,
}

/// The measure to maximize.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Objective {
    /// NAB's score, standard profile, strict criterion
    Nab,
    /// Area under the ROC curve by the strict criterion, averaged over the scenarios
    Auc,
}

/// The options of a mode that are tuned by default.
fn usual(mode: &str) -> &'static [&'static str] {
    match mode {
        "paper" => &[
            "window_size",
            "training",
            "similarity_threshold",
            "anomaly_threshold",
            "push",
        ],
        _ => &[
            "window_size",
            "training",
            "severity_threshold",
            "drain_sim_th",
            "push",
        ],
    }
}

/// Labeled series.
struct Part {
    corpus: Corpus,
    labels: Vec<Label>,
}

struct Logs {
    setup: Setup<LadOptions>,
    /// To train on and to test on.
    data: [Part; 2],
    objective: Objective,
    threshold: Option<f64>,
    tag: String,
}

/// Searches, and prints what is found.
///
/// # Errors
/// What is wrong with the arguments or the files.
pub fn run(arguments: &TuneLogsArguments) -> Result<()> {
    let limit = arguments.max_fpr;
    if !(0.0..=100.0).contains(&limit) {
        let message = format!("--max-fpr {limit}: it takes a number from 0 to 100 (percent)");
        return Err(usage(message).into());
    }
    let options = settings::lad_options(&arguments.settings).map_err(usage)?;
    let parameters = parameters::<LadOptions>(
        &arguments.parameters,
        &arguments.settings,
        usual(&options.get("mode").unwrap_or_default()),
    )?;
    let data = split(arguments)?;
    let descriptions = data.each_ref().map(|part| {
        let failing = part.labels.iter().filter(|l| l.fault.is_some()).count();
        format!("{} series, {failing} of them failing", part.labels.len())
    });
    let problem = Logs {
        setup: Setup {
            descriptions,
            options,
            parameters,
            limit,
            seed: arguments.seed,
        },
        data,
        objective: arguments.objective,
        threshold: arguments.threshold,
        tag: arguments.tag.clone(),
    };
    let labels = &problem.data.each_ref().map(|part| &part.labels);
    let data = format!(
        "{:?} {:?} {:?} {:?} {:?} {:?}",
        arguments.labeled.paths,
        arguments.labeled.keys,
        arguments.verdicts,
        problem.setup.options,
        problem.threshold,
        labels
    );
    find(&problem, &arguments.search, &data)?.print(arguments.search.json)
}

/// The series to train on and those to test on.
fn split(arguments: &TuneLogsArguments) -> Result<[Part; 2]> {
    let mut labels = labels::read(&arguments.labeled.labels)?;
    if let Some(only) = &arguments.only {
        labels.retain(|label| only.is_match(&label.name));
    }
    let wanted: HashSet<&str> = labels.iter().map(|label| &*label.name).collect();
    let corpus = match (&arguments.labeled.keys, &arguments.verdicts) {
        (Some(keys), Some(verdicts)) => {
            Corpus::read_keys(keys, keys::verdicts(verdicts)?, &wanted)?
        }
        (Some(_), None) => return Err(usage("--keys takes verdicts on them: --verdicts").into()),
        (None, _) => Corpus::read_text(&arguments.labeled.paths, arguments.year, &wanted)?,
    };
    let there: HashSet<String> = corpus.names().into_iter().map(str::to_owned).collect();
    let labeled = labels.len();
    labels.retain(|label| there.contains(&label.name));
    if labels.len() < labeled {
        eprintln!(
            "bellwether-lab: {} of {labeled} labeled series are not there and are left out",
            labeled - labels.len()
        );
    }
    let items = labels
        .iter()
        .map(|label| {
            let source = source(&label.name, arguments.source.as_ref())?;
            Ok((source, label.scenario.clone()))
        })
        .collect::<Result<Vec<_>>>()?;
    let train: HashSet<String> = divide(&items, arguments.seed)
        .into_iter()
        .zip(&labels)
        .filter(|(train, _)| *train)
        .map(|(_, label)| label.name.clone())
        .collect();
    let (one, other) = corpus.partition(|name| train.contains(name));
    let (labels, other_labels): (Vec<Label>, Vec<Label>) = labels
        .into_iter()
        .partition(|label| train.contains(&label.name));
    let parts = [
        Part {
            corpus: one,
            labels,
        },
        Part {
            corpus: other,
            labels: other_labels,
        },
    ];
    ensure!(
        parts
            .iter()
            .all(|s| s.labels.iter().any(|l| l.fault.is_some())),
        "{} series with a label can be divided into {} and {}, and there is to be one that fails on either side; give more series \
         (a label's name is that of the file without .log and .gz, \"__\" read as \"/\") or a --source that joins fewer of them",
        there.len(),
        parts[0].labels.len(),
        parts[1].labels.len()
    );
    Ok(parts)
}

/// Where a series is from.
fn source(name: &str, pattern: Option<&Regex>) -> Result<String> {
    let Some(pattern) = pattern else {
        return Ok(name.to_owned());
    };
    let found = pattern.captures(name).with_context(|| {
        format!(
            "--source {pattern}: the series \"{name}\" has no match; it takes a regular expression that finds the source in every \
             name"
        )
    })?;
    let group = found.iter().skip(1).flatten().next();
    Ok(group.or(found.get(0)).map_or("", |m| m.as_str()).to_owned())
}

impl Logs {
    fn evaluation(&self, part: &Part, values: &Assignment) -> Result<Evaluation> {
        let mut observations = part.corpus.observe(&self.setup.with(values)?)?;
        for label in &part.labels {
            let observed = observations.entry(label.name.clone()).or_default();
            observed.scores.resize(label.records, 0.0);
        }
        let series: Vec<Series<'_>> = part
            .labels
            .iter()
            .map(|label| Series {
                label,
                scores: &observations[&label.name].scores,
            })
            .collect();
        Ok(Evaluation::new(&series, self.threshold))
    }

    fn measured(&self, figures: &Figures) -> Measured {
        let nab = figures.nab.strict["standard"].score;
        let areas: Vec<f64> = figures
            .auc_exact
            .values()
            .filter_map(|area| area.strict)
            .collect();
        let auc = (!areas.is_empty()).then(|| areas.iter().sum::<f64>() / areas.len() as f64);
        let value = match self.objective {
            Objective::Nab => nab,
            Objective::Auc => auc,
        };
        let operating = &figures.operating;
        let all = vec![
            nab,
            auc,
            Some(operating.fpr_percent),
            Some(operating.fp_episodes),
            operating.early_percent,
        ];
        // Without anything to find, nothing is found.
        Measured::limited(
            value.unwrap_or(0.0),
            operating.fpr_percent,
            self.setup.limit,
            all,
        )
    }
}

impl Problem for Logs {
    type Options = LadOptions;
    const FIGURES: &'static [&'static str] = &[
        "nab_strict_standard",
        "auc_strict",
        "fpr_percent",
        "false_episodes",
        "early_percent",
    ];

    fn setup(&self) -> &Setup<LadOptions> {
        &self.setup
    }

    fn objective(&self) -> String {
        let measure = match self.objective {
            Objective::Nab => "NAB's standard score, strict criterion,",
            Objective::Auc => "the area under the curve, strict criterion,",
        };
        format!(
            "{measure} with at most {} % of the records false alarms",
            self.setup.limit
        )
    }

    fn work(&self) -> usize {
        1
    }

    fn train(
        &self,
        candidates: &[Assignment],
        done: &(dyn Fn(usize) + Sync),
    ) -> Result<Vec<Measured>> {
        let measure = |values: &Assignment| {
            let measured = self.measured(&self.evaluation(&self.data[0], values)?.figures());
            done(1);
            Ok(measured)
        };
        candidates.par_iter().map(measure).collect()
    }

    fn test(&self, untuned: &Assignment, best: &Assignment, draws: usize) -> Result<Tested> {
        let both = [
            self.evaluation(&self.data[1], untuned)?,
            self.evaluation(&self.data[1], best)?,
        ];
        let drawn = both[0].draws(draws, self.setup.seed);
        let of = |weights: &Vec<f64>| both.each_ref().map(|e| self.measured(&e.weighted(weights)));
        let drawn: Vec<[Measured; 2]> = drawn.par_iter().map(of).collect();
        let measured = both.each_ref().map(|e| self.measured(&e.figures()));
        Ok(Tested::new(measured, &drawn))
    }

    fn stanzas(&self, options: &LadOptions) -> Vec<(&'static str, String)> {
        let options = chosen(options, &[]);
        vec![
            (
                "For Fluent Bit, classic",
                stanza::fluent_bit_classic(&options, &self.tag),
            ),
            (
                "For Fluent Bit, YAML",
                stanza::fluent_bit_yaml(&options, &self.tag),
            ),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_the_group_the_match_or_the_series_itself() {
        let of = |pattern: Option<&str>| {
            let pattern = pattern.map(|p| Regex::new(p).unwrap());
            source("hdd/2024-01-15_02_vm7", pattern.as_ref())
        };
        assert_eq!(of(None).unwrap(), "hdd/2024-01-15_02_vm7");
        assert_eq!(of(Some(r"_(vm\d+)$")).unwrap(), "vm7");
        assert_eq!(of(Some(r"\d{4}-\d\d-\d\d")).unwrap(), "2024-01-15");
        let error = of(Some("host")).unwrap_err().to_string();
        assert!(error.contains("has no match"), "{error}");
    }
}
