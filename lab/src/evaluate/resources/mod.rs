//! How well methods find anomalies in the resources of servers, on labeled data sets such as SMD and ASD.

mod figures;
mod methods;
mod set;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use bellwether_records::command;
use clap::{Args, ValueEnum};
use rayon::prelude::*;
use serde::Serialize;

use self::figures::{Alarms, average_precision, quantile_above};
use self::methods::Method;
use self::set::Machine;
use super::table::markdown;

const EXAMPLES: &str = "\
Examples:
  bellwether-lab evaluate resources --interval 60 SMD/
  bellwether-lab evaluate resources --interval 300 --half odd --false-alarms-per-day 0.2 ASD/
  bellwether-lab evaluate resources --interval 60 --methods bellwether,pca,nearest --json SMD/";

/// Run the detector of resources and other methods over labeled rows of servers and print how good they are
///
/// FOLDER has the layout of SMD (Su et al. 2019): "train", "test" and "test_label", each with a file NAME.txt per machine; values
/// from 0 to 1, separated by commas, and labels 0 or 1, a row per line. ASD (Li et al. 2021) has to be written in this layout.
///
/// The rows of "train" and "test" are one stream; methods that need training get the first half of "train". AP is the average
/// precision over the rows of "test", as the mean over the machines. For alarms, rows above a bar are unusual: the detector of
/// resources has its own, all others get the score that the same share of the rows in the second half of "train" exceeds. Nothing is
/// adjusted to the labels afterwards.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct EvaluateResourcesArguments {
    /// Folder with a data set
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,

    /// Time between two rows, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60.0, value_parser = seconds)]
    interval: f64,

    /// Methods to run, separated by commas [default: all]
    #[arg(long, value_enum, value_delimiter = ',', value_name = "METHOD")]
    methods: Vec<Method>,

    /// Machines to evaluate: options were chosen on the even ones, counted from 0 in the order of their names
    #[arg(long, value_enum, default_value_t = Half::All)]
    half: Half,

    /// Acceptable number of false alarms per day, as the option of the detector
    #[arg(long, value_name = "N", default_value_t = 0.2, value_parser = alarms)]
    false_alarms_per_day: f64,

    /// Print everything as JSON, including the average precision of each machine
    #[arg(long)]
    json: bool,
}

/// Every other machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Half {
    /// All machines
    All,
    /// The first, third, ... machine
    Even,
    /// The second, fourth, ... machine
    Odd,
}

impl Half {
    fn has(self, at: usize) -> bool {
        match self {
            Self::All => true,
            Self::Even => at.is_multiple_of(2),
            Self::Odd => !at.is_multiple_of(2),
        }
    }
}

/// The figures of a method.
#[derive(Debug, Serialize)]
struct Evaluated {
    method: String,
    /// The mean over the machines.
    average_precision: f64,
    event_precision: f64,
    event_recall: f64,
    false_alarms_per_day: f64,
    /// The largest share of the time of a machine without labels that an alarm was open.
    worst_share_in_alarm: f64,
    microseconds_per_row: f64,
    machines: Vec<(String, f64)>,
}

/// Evaluates and prints.
///
/// # Errors
/// What is wrong with the data set.
pub fn print(arguments: &EvaluateResourcesArguments) -> Result<()> {
    let all = set::read(&arguments.folder)?.into_iter().enumerate();
    let machines: Vec<Machine> = all
        .filter(|(at, _)| arguments.half.has(*at))
        .map(|(_, machine)| machine)
        .collect();
    let methods = match &arguments.methods[..] {
        [] => Method::value_variants(),
        some => some,
    };
    let evaluated: Vec<Evaluated> = methods
        .iter()
        .map(|method| evaluate(*method, &machines, arguments))
        .collect();
    let text = match arguments.json {
        true => serde_json::to_string_pretty(&evaluated)? + "\n",
        false => table(&evaluated, machines.len()),
    };
    command::print(&text)
}

/// The scores of a machine, how many microseconds each took, and the bar for unusual rows.
struct Run<'a> {
    machine: &'a Machine,
    /// Of the labeled rows.
    scores: Vec<f64>,
    bar: f64,
    microseconds: f64,
}

fn run<'a>(method: Method, machine: &'a Machine, interval: f64, share: f64) -> Run<'a> {
    let begin = Instant::now();
    let found = method.scores(machine, interval, share);
    let microseconds = begin.elapsed().as_secs_f64() * 1e6 / found.rows.len() as f64;
    let train = machine.train_rows();
    let known = |score: &f64| {
        if score.is_nan() {
            f64::NEG_INFINITY
        } else {
            *score
        }
    };
    let scores: Vec<f64> = found.rows.iter().map(known).collect();
    Run {
        machine,
        bar: found
            .bar
            .unwrap_or_else(|| quantile_above(&scores[train / 2..train], share)),
        scores: scores[train..].to_vec(),
        microseconds,
    }
}

fn evaluate(
    method: Method,
    machines: &[Machine],
    arguments: &EvaluateResourcesArguments,
) -> Evaluated {
    let interval = arguments.interval;
    let share = bellwether_core::resource::unusual_share(arguments.false_alarms_per_day, interval);
    let runs: Vec<Run<'_>> = machines
        .par_iter()
        .map(|machine| run(method, machine, interval, share))
        .collect();
    let mut alarms = Alarms::default();
    for run in &runs {
        let unusual: Vec<bool> = run.scores.iter().map(|score| *score >= run.bar).collect();
        alarms.add(&unusual, &run.machine.labels, interval);
    }
    let precision = |run: &Run<'_>| {
        let area = average_precision(&run.scores, &run.machine.labels);
        (run.machine.name.clone(), area)
    };
    let by_machine: Vec<(String, f64)> = runs.iter().map(precision).collect();
    let mean = |sum: f64| sum / runs.len() as f64;
    Evaluated {
        method: method.name(),
        average_precision: mean(by_machine.iter().map(|(_, area)| area).sum()),
        event_precision: alarms.precision(),
        event_recall: alarms.recall(),
        false_alarms_per_day: alarms.false_per_day(),
        worst_share_in_alarm: alarms.worst,
        microseconds_per_row: mean(runs.iter().map(|run| run.microseconds).sum()),
        machines: by_machine,
    }
}

fn table(evaluated: &[Evaluated], machines: usize) -> String {
    let header = [
        "method",
        "AP",
        "event precision",
        "event recall",
        "false alarms/day",
        "worst machine in alarm, %",
        "us/row",
    ];
    let row = |one: &Evaluated| {
        vec![
            one.method.clone(),
            format!("{:.3}", one.average_precision),
            format!("{:.2}", one.event_precision),
            format!("{:.2}", one.event_recall),
            format!("{:.2}", one.false_alarms_per_day),
            format!("{:.1}", 100.0 * one.worst_share_in_alarm),
            format!("{:.1}", one.microseconds_per_row),
        ]
    };
    let rows: Vec<Vec<String>> = evaluated.iter().map(row).collect();
    markdown(
        &format!("Anomalies of resources, {machines} machines"),
        &header.map(str::to_owned),
        &rows,
    )
}

/// A number of seconds.
fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok();
    seconds
        .filter(|seconds| (0.001..=86_400.0).contains(seconds))
        .ok_or_else(|| "it takes a number of seconds from 0.001 to 86400".into())
}

/// A number of alarms.
fn alarms(text: &str) -> Result<f64, String> {
    let alarms = text.parse().ok();
    alarms
        .filter(|alarms| (0.001..=100.0).contains(alarms))
        .ok_or_else(|| "it takes a number from 0.001 to 100".into())
}
