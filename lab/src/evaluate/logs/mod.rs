//! How good a detector for logs is, by the measures that VMFT-LAD was published with (dissertation, chapter 5).
//!
//! [`corpus::Corpus`] holds series, [`corpus::Corpus::observe`] runs a detector over them, and an [`Evaluation`] of its scores against
//! [`Label`]s gives [`figures::Figures`] with confidence intervals.

mod arguments;
mod baselines;
mod chart;
pub mod corpus;
mod evaluated;
pub mod figures;
mod fleet;
pub mod labeled;
pub mod labels;
mod migration;
mod models;
mod nab;
mod operating;
mod roc;
mod run;
mod scores;
pub mod series;
mod tables;

use anyhow::{Result, ensure};
use bellwether_records::command;

pub use arguments::EvaluateLogsArguments;
use evaluated::Evaluated;
use figures::{Evaluation, Intervals};
use labels::Label;
use migration::Fit;
use run::Run;
use series::Series;

/// Evaluates detectors for logs and prints what is found.
pub fn print(arguments: &EvaluateLogsArguments) -> Result<()> {
    if let Some(jobs) = arguments.jobs {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs.get());
        return pool.build()?.install(|| evaluate_and_print(arguments));
    }
    evaluate_and_print(arguments)
}

fn evaluate_and_print(arguments: &EvaluateLogsArguments) -> Result<()> {
    let mut labels = labels::read(&arguments.labeled.labels)?;
    if let Some(only) = &arguments.only {
        labels.retain(|label| only.is_match(&label.name));
        ensure!(
            !labels.is_empty(),
            "--only {only}: no label has such a name"
        );
    }
    let fits = arguments.migrations.as_deref().map(migration::fits);
    let fits = fits.transpose()?.unwrap_or_default();
    warn_beyond(&fits, &arguments.vm_memory);
    let mut evaluated = Vec::new();
    for run in run::detectors(arguments, &labels)? {
        evaluated.push(evaluate(run, &labels, &fits, arguments)?);
    }
    if let Some(file) = &arguments.plot {
        chart::chart(&evaluated).write(file)?;
    }
    let text = if arguments.json {
        let report = serde_json::json!({
            "seed": arguments.seed,
            "draws": arguments.bootstrap,
            "migrations": fits,
            "detectors": evaluated,
        });
        serde_json::to_string_pretty(&report)? + "\n"
    } else {
        let tables = tables::text(&evaluated, &arguments.tables);
        tables + &tables::migration(&fits, &evaluated)
    };
    command::print(&text)
}

/// Says where a fit has to hold for VMs larger than those measured.
fn warn_beyond(fits: &[Fit], vms_gib: &[f64]) {
    let largest = vms_gib.iter().copied().fold(0.0, f64::max);
    for fit in fits.iter().filter(|fit| largest > fit.range_gib[1]) {
        eprintln!(
            "bellwether-lab: {}: no VM above {} GiB was measured; how long one of {largest} GiB takes is a guess",
            fit.method, fit.range_gib[1]
        );
    }
}

/// Evaluates the scores of a detector by the labels.
fn evaluate(
    run: Run,
    labels: &[Label],
    fits: &[Fit],
    arguments: &EvaluateLogsArguments,
) -> Result<Evaluated> {
    let Run {
        detector,
        source,
        swept,
        mut scores,
    } = run;
    let mut left_out = Vec::new();
    for label in labels {
        if arguments.all {
            scores.entry(label.name.clone()).or_default();
        }
        let Some(scores) = scores.get_mut(&label.name) else {
            left_out.push(label.name.clone());
            continue;
        };
        if !scores.is_empty() && scores.len() != label.records {
            eprintln!(
                "bellwether-lab: {detector}: the series \"{}\" has {} records, its label says {}",
                label.name,
                scores.len(),
                label.records
            );
        }
        scores.resize(label.records, 0.0);
        if label.fault.is_some() {
            scores.extend(arguments.sentinel);
        }
    }
    let there = labels.iter().filter_map(|label| {
        let scores = scores.get(&label.name)?;
        Some(Series { label, scores })
    });
    let series: Vec<Series<'_>> = there.collect();
    ensure!(
        !series.is_empty(),
        "{detector}: no series has the name of a label; a label's name is that of the file without .log and .gz, \"__\" read as \
         \"/\""
    );
    if !left_out.is_empty() {
        eprintln!(
            "bellwether-lab: {detector}: {} of {} labeled series have no scores and are left out (--all takes them for 0)",
            left_out.len(),
            labels.len()
        );
    }
    let evaluation = Evaluation::new(&series, arguments.threshold);
    let intervals = match arguments.bootstrap {
        0 => Intervals::new(),
        draws => evaluation.intervals(draws as usize, arguments.seed),
    };
    let migration = match fits {
        [] => Vec::new(),
        fits => migration::feasible(fits, &arguments.vm_memory, &evaluation.outcomes)?,
    };
    let missed = evaluation.outcomes.iter().filter(|o| !o.benign && !o.early);
    let wrong = evaluation.outcomes.iter().filter(|o| o.false_alarms > 0);
    Ok(Evaluated {
        figures: evaluation.figures(),
        intervals,
        missed: missed.map(|o| o.name.clone()).collect(),
        false_alarms: wrong.map(|o| (o.name.clone(), o.false_alarms)).collect(),
        left_out,
        migration,
        detector,
        source,
        swept,
    })
}
