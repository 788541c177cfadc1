//! Options that suit labelled data better: a search on one side of the data, and on the other one, which shares no source with it,
//! what the best that was found is worth.

mod logs;
mod metrics;
mod report;
mod search;
mod setup;
mod sides;
mod space;
mod stanza;
mod trials;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::error::ErrorKind;
use clap::{Args, CommandFactory as _, Subcommand};
use serde::Serialize;

use self::report::Report;
use self::search::{Method, Search};
use self::setup::{Options, Setup};
use self::space::{Assignment, Parameter, parameter};
use self::trials::{Trial, TrialFile};
use crate::args::{Arguments, Setting};
use crate::evaluate::metrics::score::percentile;
use crate::generate::metrics::fnv1a;
use crate::replay::progress;

/// What a confidence interval leaves out at either end.
const TAIL: f64 = 0.025;

/// What is tuned.
#[derive(Debug, Subcommand)]
pub enum Tune {
    Metrics(Box<metrics::TuneMetricsArguments>),
    Logs(Box<logs::TuneLogsArguments>),
}

impl Tune {
    /// Searches, and prints what is found.
    ///
    /// # Errors
    /// What is wrong with the arguments or the files.
    pub fn run(&self) -> Result<()> {
        match self {
            Self::Metrics(arguments) => in_pool(&arguments.search, || metrics::run(arguments)),
            Self::Logs(arguments) => in_pool(&arguments.search, || logs::run(arguments)),
        }
    }
}

/// How to search, and where to.
#[derive(Debug, Args)]
pub struct SearchArguments {
    /// How to search
    #[arg(long, value_enum, value_name = "METHOD", default_value = "bayes")]
    pub method: Method,

    /// The most trials of --method bayes, the one without tuning among them
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub trials: usize,

    /// Values of each range in --method grid
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub steps: usize,

    /// Write the trials into this file of CSV; where it has some of this search already, go on after them
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,

    /// Draws that the confidence interval is found from
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(100..=100_000))]
    pub bootstrap: u32,

    /// Print JSON
    #[arg(long)]
    pub json: bool,

    /// How many threads to work on [default: the number of cores]
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
}

/// What one combination of options comes to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measured {
    /// More is better; below 0 where a limit is exceeded.
    pub objective: f64,
    /// In the order of [`Problem::FIGURES`]; what cannot be said is `None`.
    pub figures: Vec<Option<f64>>,
}

impl Measured {
    /// The objective is `value`, unless `alarms` are beyond the `limit`: then it is below 0, the farther the more there are, so
    /// that a search is led back to what is within.
    fn limited(value: f64, alarms: f64, limit: f64, figures: Vec<Option<f64>>) -> Self {
        let objective = if alarms <= limit {
            value
        } else {
            -libm::log((1.0 + alarms) / (1.0 + limit))
        };
        Self { objective, figures }
    }

    /// The objective and the figures.
    fn all(&self) -> impl Iterator<Item = Option<f64>> {
        [Some(self.objective)]
            .into_iter()
            .chain(self.figures.iter().copied())
    }
}

/// What the options without tuning and the best ones come to on the side that was not tuned on.
#[derive(Debug, Clone, PartialEq)]
struct Tested {
    untuned: Measured,
    best: Measured,
    /// The range that holds the difference, the best less the untuned, with 95 % confidence: of the objective, then of the figures.
    differences: Vec<Option<[f64; 2]>>,
}

impl Tested {
    /// `draws`: what both come to on draws of the data, the same data for both in each.
    fn new([untuned, best]: [Measured; 2], draws: &[[Measured; 2]]) -> Self {
        let mut columns: Vec<Vec<f64>> = vec![Vec::new(); untuned.figures.len() + 1];
        for [untuned, best] in draws {
            for ((column, a), b) in columns.iter_mut().zip(untuned.all()).zip(best.all()) {
                column.extend(a.zip(b).map(|(a, b)| b - a));
            }
        }
        let ends = |mut column: Vec<f64>| {
            // Half of the draws without an answer, and the interval says nothing.
            if column.len() < draws.len() / 2 {
                return None;
            }
            column.sort_unstable_by(f64::total_cmp);
            Some([percentile(&column, TAIL)?, percentile(&column, 1.0 - TAIL)?])
        };
        Self {
            differences: columns.into_iter().map(ends).collect(),
            untuned,
            best,
        }
    }
}

/// A detector with options to tune, and data with labels on two sides.
trait Problem: Sync {
    type Options: Options;
    /// The names of the figures behind the objective.
    const FIGURES: &'static [&'static str];

    /// What is searched, and on what.
    fn setup(&self) -> &Setup<Self::Options>;
    /// The objective in words.
    fn objective(&self) -> String;
    /// Steps of progress that a trial takes.
    fn work(&self) -> usize;
    /// What combinations come to on the side of training. `done` is called with steps of progress.
    fn train(
        &self,
        candidates: &[Assignment],
        done: &(dyn Fn(usize) + Sync),
    ) -> Result<Vec<Measured>>;
    /// What two combinations come to on the other side.
    fn test(&self, untuned: &Assignment, best: &Assignment, draws: usize) -> Result<Tested>;
    /// Stanzas of configuration with these options, each with what it is for.
    fn stanzas(&self, options: &Self::Options) -> Vec<(&'static str, String)>;
}

fn in_pool(arguments: &SearchArguments, run: impl FnOnce() -> Result<()> + Send) -> Result<()> {
    match arguments.jobs {
        None => run(),
        Some(jobs) => {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(jobs.get());
            pool.build()?.install(run)
        }
    }
}

fn usage(message: impl std::fmt::Display) -> clap::Error {
    Arguments::command().error(ErrorKind::ValueValidation, message)
}

/// The parameters that are asked for, or the usual ones, `names`.
///
/// # Errors
/// A parameter that is there twice or is set as well.
fn parameters<O: Options>(
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

/// Searches for what is best for a problem. `data`: what the trials depend on beside the parameters.
///
/// # Errors
/// What is wrong with the arguments, with the data, or with the file of the trials.
fn find<P: Problem>(problem: &P, arguments: &SearchArguments, data: &str) -> Result<Report> {
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
            "bellwether: {place}: going on after the {} trials in it",
            known.len()
        );
    }
    let bar = progress(search.trials() * problem.work(), "runs of the detector");
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

    #[test]
    fn what_is_beyond_the_limit_is_below_all_that_is_within() {
        let objective = |alarms| Measured::limited(0.0, alarms, 33.0, Vec::new()).objective;
        assert_eq!(objective(33.0), 0.0);
        assert!(objective(34.0) < 0.0 && objective(100.0) < objective(34.0));
        assert!(Measured::limited(1.0, 0.1, 0.0, Vec::new()).objective < 0.0);
    }

    #[test]
    fn differences_are_between_the_same_draws() {
        let measured = |objective: f64, figure| Measured {
            objective,
            figures: vec![figure],
        };
        let draws: Vec<[Measured; 2]> = (0..100)
            .map(|n| {
                let both = f64::from(n);
                [measured(both, None), measured(both + 1.0, Some(0.5))]
            })
            .collect();
        let tested = Tested::new([measured(5.0, None), measured(6.0, None)], &draws);
        assert_eq!(tested.differences, [Some([1.0, 1.0]), None]);
    }

    #[test]
    fn an_option_is_tuned_once_and_not_set() {
        let set = [crate::args::setting("window_sz=30").unwrap()];
        let usual = |given: &[Parameter]| {
            let names = ["window_sz", "quorum"];
            parameters::<HadOptions>(given, &set, &names)
                .map(|all| all.iter().map(|p| p.name).collect::<Vec<_>>())
        };
        assert_eq!(usual(&[]).unwrap(), ["quorum"]);
        let window = parameter::<HadOptions>("window_sz").unwrap();
        let error = usual(&[window]).unwrap_err().to_string();
        assert!(error.contains("both set and tuned"), "{error}");
        let quorum = parameter::<HadOptions>("quorum").unwrap();
        let error = usual(&[quorum.clone(), quorum]).unwrap_err().to_string();
        assert!(error.contains("two --param"), "{error}");
    }
}
