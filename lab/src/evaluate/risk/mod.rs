//! How good the probability is that a host fails: by its Brier skill, its average precision, its alarms and its reliability, beside other
//! ways to put the same evidence together.

mod bins;
mod chart;
mod dump;
mod figures;
mod methods;
mod score;
mod tables;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use bellwether_core::had::HadOptions;
use bellwether_core::lad::{LadOptions, inference};
use bellwether_core::resource::ResourceOptions;
use bellwether_core::risk::{RiskOptions, SharedTables, Tables};
use bellwether_records::command::{self, usage};
use bellwether_records::progress::bar;
use clap::Args;
use rayon::prelude::*;

use self::figures::Evaluated;
use self::methods::{Method, Methods};
use crate::generate::host::DaysArguments;
use crate::generate::host::day::HostDay;
use crate::generate::host::setting::Setting;
use crate::minutes::{Detectors, Fleet, GivenArguments, Host, Weights, given, replay};

const EXAMPLES: &str = "\
Examples:
  bellwether-lab evaluate risk
  bellwether-lab evaluate risk --failing 300 --healthy 300 --seed 7 --plot reliability.svg --minutes minutes.csv
  bellwether-lab evaluate risk --tables tables.json --failures-per-host-year 4
  bellwether-lab evaluate risk --logs recorded/ --labels labels.json";

/// Host-days to measure with when nothing else is said.
const HOSTS: u32 = 300;
/// The seed when nothing else is said; "tune risk" has another one.
const SEED: u64 = 1001;

/// How hosts are replayed, for what measures the risk and what makes its tables.
#[derive(Debug, Clone, Args)]
pub struct ReplayArguments {
    #[command(flatten)]
    pub days: DaysArguments,

    /// Number of further healthy hosts from which the templates of the fleet are learned
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub fleet: u32,

    /// How often a host fails in a year. Minutes without a fault are weighted so that the failures are as frequent, and the probability
    /// starts from it. The default makes 1 of 2900 minutes one that a failure follows within 10 minutes; in fewer hosts than that,
    /// nothing could be measured
    #[arg(long, value_name = "N", default_value_t = 18.0, value_parser = rate)]
    pub failures_per_host_year: f64,
}

/// Evaluate the probability that a host fails
///
/// The hosts are generated in memory, as by "bellwether-lab generate host", and replayed through the detectors of logs, of metrics and
/// of resources. At the end of each minute, each method states a probability that a guest dies within the horizon; a failing host counts
/// until then. Ours is the detector "risk"; log, had, resource and novelty are the same with one source alone. FailSafeVM is the share of
/// the last 20 minutes in which its model of log keys or of resources had a flag, both learned from the hours before the host-day. Fisher's
/// method and noisy-or combine the same states.
///
/// Brier skill is 1 for a perfect probability, 0 for one that is always the base rate, and negative for what is worse. AP is the average
/// precision over all thresholds. A host is found if the probability reaches 0.5 between the beginning of the fault and the death; the lead
/// is from the first such minute to the death. A false alarm begins on a healthy host at 0.5 and ends below 0.25. The reliability compares
/// stated with observed frequencies. Ranges in brackets are 95 % confidence intervals: percentiles over bootstrap samples of the hosts.
/// They say nothing about faults of other kinds than the generated ones.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct EvaluateRiskArguments {
    #[command(flatten)]
    pub replay: ReplayArguments,

    /// Tables of the detector, by "bellwether-lab tune risk" [default: the built-in ones]
    #[arg(long, value_name = "FILE")]
    pub tables: Option<PathBuf>,

    #[command(flatten)]
    pub given: GivenArguments,

    /// Number of bootstrap samples for the confidence intervals; 0 omits the intervals
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub bootstrap: u32,

    /// Plot the reliability to this SVG file
    #[arg(long, value_name = "FILE")]
    pub plot: Option<PathBuf>,

    /// Write every minute with the states of its sources to this CSV file
    #[arg(long, value_name = "FILE")]
    pub minutes: Option<PathBuf>,

    /// Print everything as JSON
    #[arg(long)]
    pub json: bool,
}

/// Failures of a host in a year.
fn rate(text: &str) -> Result<f64, String> {
    let number = text.trim().parse().ok();
    number
        .filter(|rate| (1e-4..=1e3).contains(rate))
        .ok_or_else(|| "it takes a number from 0.0001 to 1000".into())
}

/// The detectors with their default options.
///
/// # Errors
/// None that a default could have.
fn detectors() -> Result<Detectors> {
    let lad = LadOptions::default();
    Ok(Detectors {
        inference: inference(&lad)?,
        lad,
        had: HadOptions::default(),
        resource: ResourceOptions::default(),
    })
}

impl ReplayArguments {
    /// What all hosts have in common; `seed` is taken where none was given.
    ///
    /// # Errors
    /// Arguments that cannot be.
    pub fn setting(&self, seed: u64) -> Result<Setting> {
        if [self.days.failing, self.days.healthy].contains(&Some(0)) {
            return Err(usage("--failing and --healthy: it takes some of both").into());
        }
        self.days.setting(seed)
    }

    /// The fleet, and the detectors that know it.
    ///
    /// # Errors
    /// Files that cannot be written.
    pub fn fleet(&self, setting: &Setting) -> Result<(Fleet, Detectors)> {
        let mut detectors = detectors()?;
        let fleet = Fleet::learn(setting, self.fleet, &mut detectors)?;
        Ok((fleet, detectors))
    }

    /// The generated hosts, replayed.
    ///
    /// # Errors
    /// A mistake in the scripts.
    pub fn hosts(&self, setting: &Setting, detectors: &Detectors) -> Result<Vec<Host>> {
        let names = self.days.names(HOSTS);
        let bar = bar(names.len(), "hosts");
        let replayed = names.par_iter().map(|(name, is_failing)| {
            let day = HostDay::new(setting, name, *is_failing)?;
            let host = replay(&day, detectors);
            bar.inc(1);
            host
        });
        let hosts = replayed.collect::<Result<Vec<Host>>>()?;
        bar.finish_and_clear();
        Ok(hosts)
    }
}

/// Evaluates, and prints.
///
/// # Errors
/// Arguments that cannot be, tables that cannot be used, and what cannot be read or written.
pub fn print(arguments: &EvaluateRiskArguments) -> Result<()> {
    let tables: SharedTables = match &arguments.tables {
        None => Arc::clone(Tables::builtin()),
        Some(file) => {
            let tables = Tables::read(file).with_context(|| file.display().to_string())?;
            Arc::new(tables)
        }
    };
    let mut options = RiskOptions::default();
    let rate = arguments.replay.failures_per_host_year;
    options.set("failures_per_host_year", &rate.to_string())?;
    let setting = arguments.replay.setting(SEED)?;
    let (fleet, detectors) = arguments.replay.fleet(&setting)?;
    let methods = Methods {
        options,
        tables: &tables,
        fleet: &fleet,
    };
    let hosts = arguments.replay.hosts(&setting, &detectors)?;
    let weights = Weights::new(&hosts, rate);
    let generated = methods.evaluate(&hosts, weights, &Method::ALL, arguments.bootstrap)?;
    if let Some(file) = &arguments.minutes {
        dump::write(file, &hosts, weights)?;
    }
    if let Some(file) = &arguments.plot {
        chart::chart(&generated).write(file)?;
    }
    let recorded = given(&arguments.given, &detectors)?;
    let recorded: Vec<Evaluated> = match &arguments.given.labels {
        None => Vec::new(),
        Some(file) => {
            let failing = recorded.iter().any(|host| host.failure.is_some());
            ensure!(
                failing,
                "{}: no failing log of these is among --logs",
                file.display()
            );
            let weights = Weights::new(&recorded, rate);
            methods.evaluate(&recorded, weights, &[Method::Ours], arguments.bootstrap)?
        }
    };
    let text = if arguments.json {
        let report = serde_json::json!({
            "seed": setting.seed,
            "tables": tables.made_by(),
            "failures_per_host_year": rate,
            "draws": arguments.bootstrap,
            "generated": generated,
            "given": recorded,
        });
        serde_json::to_string_pretty(&report)? + "\n"
    } else {
        tables::text(&generated, &recorded, tables.made_by())
    };
    command::print(&text)
}
