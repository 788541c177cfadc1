//! The options of HAD.

mod split;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use bellwether_core::had::HadOptions;
use bellwether_records::command::usage;
use bellwether_records::settings::{self, Setting};
use clap::{Args, ValueEnum};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::find::{SearchArguments, find, parameters};
use super::problem::{Measured, Problem, Tested};
use super::setup::{Setup, chosen};
use super::space::{Assignment, Parameter, parameter};
use super::stanza;
use crate::evaluate::metrics::candidate::Candidate;
use crate::evaluate::metrics::evaluation;
use crate::evaluate::metrics::score::{Draws, Figures, Tolerance, Verdict};
use crate::evaluate::metrics::source::Source;
use crate::generate::metrics::plan::CaseArguments;

const EXAMPLES: &str = "\
Examples:
  bellwether-lab tune metrics --out trials.csv --traces vm-cpu-traces --vms 5,8,13,30 --reps 50
  bellwether-lab tune metrics --out trials.csv --set algorithm=zscore --param zscore_threshold=1..4 --param zscore_overlap_min_pct=0.5..0.95
  bellwether-lab tune metrics --out trials.csv --method grid --set algorithm=iad --param iad_window_sz=15,30,60,120 --param iad_quorum
  bellwether-lab tune metrics --out trials.csv recorded/ --test later/

\"bellwether options had\" lists the options for --set and --param.";

/// Search for options of HAD that detect more faults without more false alarms
///
/// The hypervisors are generated in memory, as by "bellwether-lab generate metrics", or read from a FOLDER with labels.json and a CSV
/// file per hypervisor. The search trains on one half and tests the best options on the other. A confidence interval says whether they
/// are better there than the untuned options (the defaults and those of --set). No VM is in both halves. Traces are split by VM; the
/// test half is that of "evaluate metrics --part 2/2" with the next seed. Synthetic VMs are other ones. The hypervisors of a folder
/// are split so that those with a VM in common stay together.
///
/// The objective is F1, or recall, over all hypervisors of a half, as long as there are at most --max-false-alarms. Above that limit it
/// is -ln((1 + false alarms) / (1 + limit)), which is less than any value within the limit.
///
/// The trials are written to a file, a row each. An interrupted search resumes from it, with the same result.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct TuneMetricsArguments {
    /// Folder with labels.json and a CSV file (plain or compressed) per hypervisor
    #[arg(value_name = "FOLDER", conflicts_with_all = ["scenarios", "shapes", "vms", "reps", "regime", "traces", "ts_len", "keys", "interval_s", "phi", "wave", "noise", "tenants",
        "alike", "metrics", "fault_metrics"])]
    pub folder: Option<PathBuf>,

    /// Test on this folder and train on all of FOLDER, instead of splitting FOLDER
    #[arg(long, value_name = "FOLDER", requires = "folder")]
    pub test: Option<PathBuf>,

    /// Names of VMs are unique within their hypervisor only, such as vm00: VMs of one name on two hypervisors are two VMs
    #[arg(long, requires = "folder")]
    pub local_names: bool,

    #[command(flatten)]
    pub cases: CaseArguments,

    /// Set an option for all trials; repeat it for several options
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = settings::had)]
    pub settings: Vec<Setting>,

    /// Tune an option over a range or a list of values; may be repeated [default: a few options of the algorithm]
    #[arg(long = "param", value_name = "NAME[=FROM..TO|=A,B,C]", value_parser = parameter::<HadOptions>)]
    pub parameters: Vec<Parameter>,

    /// Measure to maximize
    #[arg(long, value_enum, value_name = "MEASURE", default_value = "f1")]
    pub objective: Objective,

    /// Maximum number of false alarms per 1000 days of one hypervisor; 33 are one per month
    #[arg(long, value_name = "RATE", default_value_t = 33.0)]
    pub max_false_alarms: f64,

    /// Number of rows after the end of a fault in which an alarm still counts as true
    #[arg(long, value_name = "ROWS", default_value_t = 51)]
    pub tolerance: u64,

    /// Ignore true alarms that come more than this number of rows after the beginning of the fault
    #[arg(long, value_name = "ROWS")]
    pub strict: Option<u64>,

    #[command(flatten)]
    pub search: SearchArguments,
}

/// The measure to maximize.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Objective {
    /// Harmonic mean of precision and recall
    F1,
    /// Share of the faults that are detected
    Recall,
}

/// The options of an algorithm that are tuned by default.
fn usual(algorithm: &str) -> &'static [&'static str] {
    match algorithm {
        "zscore" => &[
            "zscore_window_long_sz",
            "zscore_window_short_sz",
            "zscore_threshold",
            "zscore_overlap_min_pct",
            "overlap_window_sz",
        ],
        "iad" => &["iad_window_sz", "iad_change_threshold", "iad_quorum"],
        _ => &["false_alarms_per_month", "overlap_window_sz"],
    }
}

struct Metrics {
    setup: Setup<HadOptions>,
    /// To train on and to test on.
    sources: [Source; 2],
    objective: Objective,
    tolerance: Tolerance,
}

/// Searches, and prints what is found.
///
/// # Errors
/// What is wrong with the arguments or the files.
pub fn run(arguments: &TuneMetricsArguments) -> Result<()> {
    let limit = arguments.max_false_alarms;
    if !(0.0..=1e9).contains(&limit) {
        let message = format!("--max-false-alarms {limit}: it takes a number from 0 to 1e9");
        return Err(usage(message).into());
    }
    if let Some(name) = ["interval", "metrics"]
        .into_iter()
        .find(|name| arguments.parameters.iter().any(|p| p.name == *name))
    {
        let message = format!(
            "option \"{name}\": the data say what it is; tune others, such as overlap_window_sz"
        );
        return Err(usage(message).into());
    }
    let (sources, descriptions) = split::split(arguments)?;
    let interval = Setting::new("interval", sources[0].interval());
    let given = [&interval].into_iter().chain(&arguments.settings);
    let options = settings::had_options(given).map_err(usage)?;
    let usual = usual(&options.get("algorithm").unwrap_or_default());
    let problem = Metrics {
        setup: Setup {
            descriptions,
            parameters: parameters::<HadOptions>(
                &arguments.parameters,
                &arguments.settings,
                usual,
            )?,
            options,
            limit,
            seed: arguments.cases.seed,
        },
        sources,
        objective: arguments.objective,
        tolerance: Tolerance {
            after: arguments.tolerance,
            strict: arguments.strict,
        },
    };
    let data = format!(
        "{:?} {:?} {:?} {:?} {} {:?}",
        arguments.folder,
        arguments.test,
        arguments.cases,
        problem.setup.options,
        arguments.local_names,
        problem.tolerance
    );
    find(&problem, &arguments.search, &data)?.print(arguments.search.json)
}

impl Metrics {
    fn verdicts(
        &self,
        half: usize,
        candidates: &[&Assignment],
        done: &(dyn Fn(usize) + Sync),
    ) -> Result<Vec<evaluation::Verdicts>> {
        let candidates = candidates
            .iter()
            .map(|values| {
                let options = self.setup.with(values)?;
                let all_metrics = options.metrics == HadOptions::default().metrics;
                Ok(Candidate::had(values.join(":"), options, all_metrics))
            })
            .collect::<Result<Vec<Candidate>>>()?;
        evaluation::run(&self.sources[half], &candidates, self.tolerance, || {
            done(candidates.len());
        })
    }

    fn measured(&self, verdicts: &[&Verdict]) -> Result<Measured> {
        let figures = Figures::plain(verdicts);
        let value = match self.objective {
            Objective::F1 => figures.f1,
            Objective::Recall => figures.recall,
        };
        let value = value.filter(|_| figures.tp + figures.fn_ > 0).context(
            "no hypervisor has a fault, so that there is nothing to find; take --scenarios, or labels, with faults",
        )?;
        let alarms = figures.false_alarms_per_1000_days;
        let all = vec![
            figures.f1,
            figures.precision,
            figures.recall,
            alarms,
            figures.delay_median,
        ];
        Ok(Measured::limited(
            value,
            alarms.unwrap_or(0.0),
            self.setup.limit,
            all,
        ))
    }
}

impl Problem for Metrics {
    type Options = HadOptions;
    const FIGURES: &'static [&'static str] = &[
        "f1",
        "precision",
        "recall",
        "false_alarms_per_1000_days",
        "delay_median",
    ];

    fn setup(&self) -> &Setup<HadOptions> {
        &self.setup
    }

    fn objective(&self) -> String {
        let measure = match self.objective {
            Objective::F1 => "F1",
            Objective::Recall => "recall",
        };
        format!(
            "{measure} with at most {} false alarms in 1000 hypervisor-days",
            self.setup.limit
        )
    }

    fn work(&self) -> usize {
        self.sources[0].len()
    }

    fn train(
        &self,
        candidates: &[Assignment],
        done: &(dyn Fn(usize) + Sync),
    ) -> Result<Vec<Measured>> {
        if candidates.is_empty() {
            return Ok(Vec::new());
        }
        let candidates: Vec<&Assignment> = candidates.iter().collect();
        let verdicts = self.verdicts(0, &candidates, done)?;
        verdicts.iter().map(|v| self.measured(&v.all())).collect()
    }

    fn test(&self, untuned: &Assignment, best: &Assignment, draws: usize) -> Result<Tested> {
        let verdicts = self.verdicts(1, &[untuned, best], &|_| {})?;
        let both = [verdicts[0].all(), verdicts[1].all()];
        let bootstrap = Draws::new(&both[0]);
        let drawn = (0..draws as u64)
            .into_par_iter()
            .map(|number| {
                let mut rng = ChaCha8Rng::seed_from_u64(self.setup.seed);
                rng.set_stream(number);
                let places: Vec<usize> = bootstrap.draw(&mut rng).collect();
                let of = |all: &[&Verdict]| {
                    let sample: Vec<&Verdict> = places.iter().map(|at| all[*at]).collect();
                    self.measured(&sample)
                };
                Ok([of(&both[0])?, of(&both[1])?])
            })
            .collect::<Result<Vec<_>>>()?;
        let measured = [self.measured(&both[0])?, self.measured(&both[1])?];
        Ok(Tested::new(measured, &drawn))
    }

    fn stanzas(&self, options: &HadOptions) -> Vec<(&'static str, String)> {
        // collectd knows its own interval.
        let options = chosen(options, &["interval"]);
        let interval = self.sources[0].interval();
        vec![("For collectd.conf", stanza::collectd(&options, interval))]
    }
}
