//! Searches for the best options of a detector, trial by trial.

use bellwether_core::options::Options;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use bellwether_records::command::usage;
use bellwether_records::progress::bar;
use bellwether_records::settings::Setting;
use clap::Args;

use super::problem::Problem;
use super::report::Report;
use super::search::{self, Method, Search};
use super::space::{Assignment, Parameter, parameter};
use super::trials::{Trial, TrialFile};
use crate::hash::fnv1a;

/// How to search, and where to.
#[derive(Debug, Args)]
pub struct SearchArguments {
    /// Search method
    #[arg(long, value_enum, value_name = "METHOD", default_value = "bayes")]
    pub method: Method,

    /// Maximum number of trials of --method bayes, including the one with the untuned options
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub trials: usize,

    /// Number of values from each range in --method grid
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub steps: usize,

    /// Write the trials to this CSV file; if it has trials of this search already, resume after them
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,

    /// Number of bootstrap samples for the confidence interval
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(100..=100_000))]
    pub bootstrap: u32,

    /// Print JSON
    #[arg(long)]
    pub json: bool,

    /// Number of threads [default: the number of cores]
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
}

/// The parameters in `given`, or else those of `names` that are not set.
///
/// # Errors
/// A parameter that is there twice or is set as well.
pub fn parameters<O: Options>(
    given: &[Parameter],
    settings: &[Setting],
    names: &[&str],
) -> Result<Vec<Parameter>> {
    let is_set = |name: &str| settings.iter().any(|setting| setting.name == name);
    if given.is_empty() {
        let usual = names.iter().filter(|name| !is_set(name));
        let usual: Vec<Parameter> = usual
            .map(|name| parameter::<O>(name).map_err(usage))
            .collect::<Result<_, _>>()?;
        if usual.is_empty() {
            return Err(usage(
                "all options that are usually tuned are set; say with --param which ones to tune",
            )
            .into());
        }
        return Ok(usual);
    }
    for (at, parameter) in given.iter().enumerate() {
        let name = parameter.name;
        if is_set(name) {
            let message = format!(
                "option \"{name}\": it is both set and tuned; leave out its --set or its --param"
            );
            return Err(usage(message).into());
        }
        if given[..at].iter().any(|other| other.name == name) {
            let message = format!(
                "option \"{name}\": there are two --param for it; give one range, or one list of values"
            );
            return Err(usage(message).into());
        }
    }
    Ok(given.to_vec())
}

/// Searches for the best options of a problem. `data` describes what the trials depend on beside the parameters.
///
/// # Errors
/// What is wrong with the arguments, with the data, or with the file of the trials.
pub fn find<P: Problem>(problem: &P, arguments: &SearchArguments, data: &str) -> Result<Report> {
    search::check(arguments.trials, arguments.steps).map_err(usage)?;
    let setup = problem.setup();
    let (parameters, start, seed) = (setup.parameters.clone(), setup.start(), setup.seed);
    setup.with(&start).map_err(usage)?;
    let allowed = |values: &Assignment| setup.with(values).is_ok();
    let search = match arguments.method {
        Method::Bayes => Search::bayes(parameters, start, seed, arguments.trials),
        Method::Grid => Search::grid(parameters, start, arguments.steps, allowed).map_err(usage)?,
    };
    let version = env!("CARGO_PKG_VERSION");
    let mark = format!("{version} {seed} {} {data}", problem.objective());
    let mark = format!("{:016x}", fnv1a(mark.as_bytes()));
    let opened = TrialFile::open(&arguments.out, &mark, search.parameters(), P::FIGURES);
    let (mut file, known) = opened?;
    let place = arguments.out.display();
    ensure!(
        known.len() <= search.trials(),
        "{place}: it has {} trials, more than the {} of this search; give another file with --out, or more --trials",
        known.len(),
        search.trials()
    );
    if !known.is_empty() {
        eprintln!(
            "bellwether-lab: {place}: resuming after the {} trials in it",
            known.len()
        );
    }
    let bar = bar(search.trials() * problem.work(), "runs of the detector");
    let mut past: Vec<Trial> = Vec::new();
    loop {
        let batch = search.batch(&past, allowed)?;
        let done = &known[past.len().min(known.len())..];
        let done = &done[..done.len().min(batch.len())];
        for (at, (done, values)) in done.iter().zip(&batch).enumerate() {
            ensure!(
                done.values == *values,
                "{place}: trial {} tries {}, and this search would try {}; give another file with --out, or the arguments that \
                 it was made with",
                past.len() + at,
                done.values.join(","),
                values.join(",")
            );
        }
        bar.inc((done.len() * problem.work()) as u64);
        let new = &batch[done.len()..];
        let measured = problem.train(new, &|steps| bar.inc(steps as u64))?;
        let new = new.iter().zip(measured).map(|(values, measured)| Trial {
            values: values.clone(),
            objective: measured.objective,
            figures: measured.figures,
        });
        let new: Vec<Trial> = new.collect();
        file.add(&new)?;
        past.extend_from_slice(done);
        past.extend(new);
        if batch.len() < search::BATCH {
            break;
        }
    }
    bar.finish_and_clear();
    Report::new(problem, &search, past, arguments.bootstrap as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bellwether_core::had::HadOptions;
    use bellwether_records::settings;

    #[test]
    fn an_option_is_tuned_once_and_not_set() {
        let set = [settings::had("iad_window_sz=30").unwrap()];
        let usual = |given: &[Parameter]| {
            let names = ["iad_window_sz", "iad_quorum"];
            parameters::<HadOptions>(given, &set, &names)
                .map(|all| all.iter().map(|p| p.name).collect::<Vec<_>>())
        };
        assert_eq!(usual(&[]).unwrap(), ["iad_quorum"]);
        let window = parameter::<HadOptions>("iad_window_sz").unwrap();
        let error = usual(&[window]).unwrap_err().to_string();
        assert!(error.contains("both set and tuned"), "{error}");
        let quorum = parameter::<HadOptions>("iad_quorum").unwrap();
        let error = usual(&[quorum.clone(), quorum]).unwrap_err().to_string();
        assert!(error.contains("two --param"), "{error}");
    }
}
