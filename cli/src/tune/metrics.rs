//! The options of HAD.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use bellwether_core::had::HadOptions;
use bellwether_core::options::OptionError;
use clap::{Args, ValueEnum};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::sides::{divide, linked};
use super::space::{Assignment, Parameter, had_parameter};
use super::{Measured, Problem, SearchArguments, Tested, chosen, find, parameters, stanza, usage};
use crate::args::{Setting, setting};
use crate::evaluate::metrics::evaluation;
use crate::evaluate::metrics::judge::Judge;
use crate::evaluate::metrics::score::{Draws, Figures, Tolerance, Verdict};
use crate::evaluate::metrics::source::{self, Source};
use crate::generate::metrics::label::Label;
use crate::generate::metrics::plan::CaseArguments;
use crate::replay::metrics::set;
use crate::series::Series;

const EXAMPLES: &str = "\
Examples:
  bellwether tune metrics --out trials.csv --traces vm-cpu-traces --vms 5,8,13,30 --reps 50
  bellwether tune metrics --out trials.csv --set algorithm=zscore --param threshold=1..4 --param overlap_min_pct=0.5..0.95
  bellwether tune metrics --out trials.csv --method grid --set algorithm=iad --param window_sz=15,30,60,120 --param quorum
  bellwether tune metrics --out trials.csv recorded/ --test later/

\"bellwether options had\" lists what --set and --param take.";

/// Search for options of HAD that find more faults with as few false alarms
///
/// The hypervisors are made in memory as \"bellwether generate metrics\" makes them, or those of a FOLDER with labels.json and a CSV
/// file a hypervisor. One half is tuned on; the best is then judged on the other half, and an interval says whether it is better
/// there than what was not tuned (the defaults and what --set says). No VM is on both sides: traces are divided by the VM (the
/// half to judge on is that of \"evaluate metrics --part 2/2\" with the next seed), made-up VMs are made anew, and the hypervisors
/// of a folder are divided so that those with a VM in common stay together.
///
/// The objective is F1, or recall, over all hypervisors of a side, as long as there are no more false alarms than
/// --max-false-alarms; beyond, it is -ln((1 + false alarms) / (1 + limit)), below all that is within.
///
/// The file of the trials has a line a trial; an interrupted search goes on from it and comes to what it would have come to.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct TuneMetricsArguments {
    /// Folder with labels.json and a CSV file, plain or gzip, for each hypervisor in it
    #[arg(value_name = "FOLDER", conflicts_with_all = ["scenarios", "shapes", "vms", "reps", "regime", "traces", "ts_len", "keys"])]
    pub folder: Option<PathBuf>,

    /// Judge on this folder, and tune on all of FOLDER, instead of dividing FOLDER
    #[arg(long, value_name = "FOLDER", requires = "folder")]
    pub test: Option<PathBuf>,

    /// Names of VMs count within their hypervisor only, as vm00 and vm01 do; they do not say that VMs are the same
    #[arg(long, requires = "folder")]
    pub local_names: bool,

    #[command(flatten)]
    pub cases: CaseArguments,

    /// Set an option for all trials; may be repeated, the last one wins
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = setting)]
    pub settings: Vec<Setting>,

    /// Tune an option over a range or a list of values; may be repeated [default: a few of the algorithm]
    #[arg(long = "param", value_name = "NAME[=FROM..TO|=A,B,C]", value_parser = had_parameter)]
    pub parameters: Vec<Parameter>,

    /// What to make as large as can be
    #[arg(long, value_enum, value_name = "MEASURE", default_value = "f1")]
    pub objective: Objective,

    /// The most false alarms that are acceptable, in 1000 days of one hypervisor; 33 are one a month
    #[arg(long, value_name = "RATE", default_value_t = 33.0)]
    pub max_false_alarms: f64,

    /// Rows after a fault's end in which an alarm is still its own
    #[arg(long, value_name = "ROWS", default_value_t = 51)]
    pub tolerance: u64,

    /// An alarm more rows than this after a fault's beginning does not find it any more; it is not false either
    #[arg(long, value_name = "ROWS")]
    pub strict: Option<u64>,

    #[command(flatten)]
    pub search: SearchArguments,
}

/// What to make as large as can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Objective {
    /// Harmonic mean of precision and recall
    F1,
    /// Share of the faults that are found
    Recall,
}

const FIGURES: &[&str] = &[
    "f1",
    "precision",
    "recall",
    "false_alarms_per_1000_days",
    "delay_median",
];

/// What is tuned of an algorithm where nothing else is said.
fn usual(algorithm: &str) -> &'static [&'static str] {
    match algorithm {
        "zscore" => &[
            "window_long_sz",
            "window_short_sz",
            "threshold",
            "overlap_min_pct",
            "overlap_window_sz",
        ],
        "iad" => &["window_sz", "change_threshold", "quorum"],
        _ => &["false_alarms_per_month", "overlap_window_sz"],
    }
}

struct Metrics {
    /// To tune on and to judge on.
    sources: [Source; 2],
    sides: [String; 2],
    /// What all trials have in common.
    options: HadOptions,
    /// The options that are tuned.
    names: Vec<&'static str>,
    objective: Objective,
    limit: f64,
    tolerance: Tolerance,
    seed: u64,
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
    let (sources, sides) = sides(arguments)?;
    let interval = Setting {
        name: "interval".to_owned(),
        value: sources[0].interval().to_string(),
    };
    let options = set([&interval].into_iter().chain(&arguments.settings))?;
    let algorithm = options.get("algorithm").unwrap_or_default();
    let parameters = parameters(
        &arguments.parameters,
        &arguments.settings,
        usual(&algorithm),
        had_parameter,
    )?;
    let problem = Metrics {
        sources,
        sides,
        names: parameters.iter().map(|p| p.name).collect(),
        objective: arguments.objective,
        limit,
        tolerance: Tolerance {
            after: arguments.tolerance,
            strict: arguments.strict,
        },
        seed: arguments.cases.seed,
        options,
    };
    let start = problem.names.iter().filter_map(|n| problem.options.get(n));
    let start = start.collect();
    let data = format!(
        "{:?} {:?} {:?} {:?} {} {:?}",
        arguments.folder,
        arguments.test,
        arguments.cases,
        problem.options,
        arguments.local_names,
        problem.tolerance
    );
    let seed = problem.seed;
    find(&problem, &arguments.search, parameters, start, seed, &data)?.print(arguments.search.json)
}

/// The hypervisors to tune on and those to judge on, and what they are in words.
fn sides(arguments: &TuneMetricsArguments) -> Result<([Source; 2], [String; 2])> {
    let Some(folder) = &arguments.folder else {
        return generated(&arguments.cases);
    };
    let sources = match &arguments.test {
        None => halves(folder, arguments.local_names, arguments.cases.seed)?,
        Some(test) => separate(folder, test, arguments.local_names)?,
    };
    let folders = [folder, arguments.test.as_ref().unwrap_or(folder)];
    let mut words = [String::new(), String::new()];
    for ((words, source), folder) in words.iter_mut().zip(&sources).zip(folders) {
        *words = format!("{} hypervisors of {}", source.len(), folder.display());
    }
    Ok((sources, words))
}

fn generated(cases: &CaseArguments) -> Result<([Source; 2], [String; 2])> {
    if let Some(part) = &cases.part {
        let message = format!(
            "--part {part}: the traces are divided into 1/2, to tune on, and 2/2, to judge on, already; leave it out"
        );
        return Err(usage(message).into());
    }
    let side = |number: u64| -> Result<(Source, String)> {
        let own = CaseArguments {
            part: cases.traces.as_ref().map(|_| format!("{number}/2")),
            seed: cases.seed.wrapping_add(number - 1),
            ..cases.clone()
        };
        let source = Source::generated(&own)?;
        let vms = match &own.traces {
            Some(traces) => format!("VMs of part {number}/2 of {}", traces.display()),
            None => "made-up VMs".to_owned(),
        };
        let words = format!("{} hypervisors of {vms}, seed {}", source.len(), own.seed);
        Ok((source, words))
    };
    let ((train, train_words), (test, test_words)) = (side(1)?, side(2)?);
    Ok(([train, test], [train_words, test_words]))
}

/// Hypervisors of a folder by name.
type Hypervisors = Vec<(String, Label)>;

fn hypervisors(folder: &Path) -> Result<(Hypervisors, f64)> {
    match Source::folder(folder)? {
        Source::Folder {
            hypervisors,
            interval,
            ..
        } => Ok((hypervisors, interval)),
        Source::Generated(_) => bail!("{}: it is no folder", folder.display()),
    }
}

/// The names that say which VMs a hypervisor has.
fn vms(folder: &Path, hypervisor: &str, local: bool) -> Result<Vec<String>> {
    let file = source::file(folder, hypervisor);
    let series = Series::open(&file, false)?;
    let name = |vm: &String| {
        if local {
            format!("{hypervisor}/{vm}")
        } else {
            vm.clone()
        }
    };
    Ok(series.vms().iter().map(name).collect())
}

/// Two halves of a folder, hypervisors with a VM in common in the same one.
fn halves(folder: &Path, local: bool, seed: u64) -> Result<[Source; 2]> {
    let (hypervisors, interval) = hypervisors(folder)?;
    let names = hypervisors
        .iter()
        .map(|(name, _)| vms(folder, name, local))
        .collect::<Result<Vec<_>>>()?;
    let linked = linked(&names);
    let items: Vec<(String, String)> = hypervisors
        .iter()
        .zip(linked)
        .map(|((_, label), first)| {
            let kind = format!("{} {}", label.cell(), label.anomaly);
            (hypervisors[first].0.clone(), kind)
        })
        .collect();
    let train = divide(&items, seed);
    let side = |wanted: bool| {
        let here = hypervisors.iter().zip(&train);
        here.filter(|(_, train)| **train == wanted)
            .map(|(hypervisor, _)| hypervisor.clone())
            .collect::<Hypervisors>()
    };
    let sides = [side(true), side(false)];
    ensure!(
        sides.iter().all(|side| !side.is_empty()),
        "{}: its hypervisors cannot be divided, for each has VMs in common with another one; give a second folder with --test, or \
         --local-names where names of VMs count within their hypervisor only",
        folder.display()
    );
    ensure!(
        sides.iter().all(|side| side.iter().any(|(_, l)| l.anomaly)),
        "{}: there is no fault on one of two sides that share no VM; give a second folder with --test, or one with more faults",
        folder.display()
    );
    Ok(sides.map(|hypervisors| Source::Folder {
        folder: folder.to_owned(),
        hypervisors,
        interval,
    }))
}

/// Two folders that share no VM.
fn separate(train: &Path, test: &Path, local: bool) -> Result<[Source; 2]> {
    ensure!(
        train.canonicalize().ok() != test.canonicalize().ok(),
        "--test {}: it is the folder to tune on; without --test, that is divided",
        test.display()
    );
    let (one, interval) = hypervisors(train)?;
    let (other, other_interval) = hypervisors(test)?;
    ensure!(
        interval == other_interval,
        "--test {}: its rows are {other_interval} seconds apart, those of {} {interval}",
        test.display(),
        train.display()
    );
    if !local {
        let mut seen = std::collections::HashMap::new();
        for (name, _) in &one {
            for vm in vms(train, name, false)? {
                seen.insert(vm, name);
            }
        }
        for (name, _) in &other {
            for vm in vms(test, name, false)? {
                if let Some(first) = seen.get(&vm) {
                    bail!(
                        "the VM \"{vm}\" is in {first} of {} and in {name} of {}: it cannot be judged where it was tuned; leave one \
                         of them out, or give --local-names where names of VMs count within their hypervisor only",
                        train.display(),
                        test.display()
                    );
                }
            }
        }
    }
    let source = |folder: &Path, hypervisors| Source::Folder {
        folder: folder.to_owned(),
        hypervisors,
        interval,
    };
    Ok([source(train, one), source(test, other)])
}

impl Metrics {
    fn options(&self, values: &Assignment) -> Result<HadOptions, OptionError> {
        let mut options = self.options.clone();
        for (name, value) in self.names.iter().zip(values) {
            options.set(name, value)?;
        }
        options.validate()?;
        Ok(options)
    }

    fn verdicts(
        &self,
        side: usize,
        candidates: &[&Assignment],
        done: &(dyn Fn(usize) + Sync),
    ) -> Result<Vec<evaluation::Verdicts>> {
        let judges = candidates
            .iter()
            .map(|values| Ok(Judge::had(values.join(":"), self.options(values)?)))
            .collect::<Result<Vec<Judge>>>()?;
        evaluation::run(&self.sources[side], &judges, self.tolerance, || {
            done(judges.len());
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
            self.limit,
            all,
        ))
    }
}

impl Problem for Metrics {
    fn sides(&self) -> &[String; 2] {
        &self.sides
    }

    fn objective(&self) -> String {
        let measure = match self.objective {
            Objective::F1 => "F1",
            Objective::Recall => "recall",
        };
        format!(
            "{measure} with at most {} false alarms in 1000 hypervisor-days",
            self.limit
        )
    }

    fn figures(&self) -> &'static [&'static str] {
        FIGURES
    }

    fn check(&self, values: &Assignment) -> Result<(), OptionError> {
        self.options(values).map(|_| ())
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
                let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
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

    fn stanzas(&self, values: &Assignment) -> Vec<(&'static str, String)> {
        let Ok(options) = self.options(values) else {
            return Vec::new();
        };
        // collectd knows its own interval.
        let options = chosen(HadOptions::SPECS, &["interval"], |name| options.get(name));
        let interval = self.sources[0].interval();
        vec![("For collectd.conf", stanza::collectd(&options, interval))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use std::collections::HashSet;
    use std::fs;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        arguments: TuneMetricsArguments,
    }

    fn arguments(more: &[&str]) -> TuneMetricsArguments {
        let all = ["tune", "--out", "trials.csv"].iter().chain(more);
        Command::parse_from(all).arguments
    }

    /// Traces in which VM n stands at n percent all day.
    fn traces(folder: &Path) {
        let mut text = format!("vm{}\n", ",cpu".repeat(288));
        for vm in 5..95 {
            text += &format!("machine-{vm}{}\n", format!(",{vm}").repeat(288));
        }
        fs::write(folder.join("day.csv"), text).unwrap();
    }

    /// The VMs that hypervisors are made of, found by where they stand.
    fn levels(source: &Source) -> HashSet<u64> {
        let mut levels = HashSet::new();
        for at in 0..source.len() {
            for vm in source.case(at).unwrap().values {
                levels.insert((vm.iter().sum::<f64>() / vm.len() as f64).round() as u64);
            }
        }
        levels
    }

    #[test]
    fn no_vm_of_the_traces_is_on_both_sides() {
        let folder = tempfile::tempdir().unwrap();
        traces(folder.path());
        let path = folder.path().display().to_string();
        let cases = ["--traces", &path, "--scenarios", "normal", "--vms", "8"];
        let ([train, test], _) = sides(&arguments(&cases)).unwrap();
        let (train, test) = (levels(&train), levels(&test));
        assert!(train.len() > 20 && test.len() > 20);
        assert!(train.is_disjoint(&test), "{train:?} {test:?}");
    }

    #[test]
    fn the_halves_are_not_to_be_divided_again() {
        let folder = tempfile::tempdir().unwrap();
        traces(folder.path());
        let path = folder.path().display().to_string();
        let error = sides(&arguments(&["--traces", &path, "--part", "1/2"])).unwrap_err();
        assert!(error.to_string().contains("divided"), "{error}");
    }

    /// A folder with hypervisors of these VMs, every other one with a fault.
    fn folder(hypervisors: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let mut labels = serde_json::Map::new();
        for (at, vms) in hypervisors.iter().enumerate() {
            let fault = at % 2 == 0;
            let label = serde_json::json!({
                "anomaly": fault, "t0": fault.then_some(0), "end": fault.then_some(1), "n_vms": 2, "scenario": "x",
            });
            labels.insert(format!("hv{at}"), label);
            let file = folder.path().join(format!("hv{at}.csv"));
            fs::write(file, format!("t,{vms}\n0,1,1\n")).unwrap();
        }
        let labels = serde_json::json!({"interval_s": 60, "hypervisors": labels});
        fs::write(folder.path().join("labels.json"), labels.to_string()).unwrap();
        folder
    }

    fn names(source: &Source) -> Vec<String> {
        (0..source.len())
            .map(|at| source.case(at).unwrap().hypervisor)
            .collect()
    }

    #[test]
    fn hypervisors_of_a_folder_that_share_a_vm_stay_together() {
        let folder = folder(&["a,b", "c,d", "e,f", "g,a", "c,h", "i,k", "l,m", "n,e"]);
        for seed in 0..20 {
            let sides = halves(folder.path(), false, seed).unwrap();
            let [train, test] = sides.each_ref().map(names);
            assert_eq!(train.len() + test.len(), 8);
            for pair in [["hv0", "hv3"], ["hv1", "hv4"], ["hv2", "hv7"]] {
                let here = pair.map(|name| train.iter().any(|n| n == name));
                assert_eq!(here[0], here[1], "{pair:?}");
            }
        }
    }

    #[test]
    fn names_that_all_hypervisors_share_say_nothing_or_everything() {
        let folder = folder(&["vm00,vm01"; 6]);
        let error = halves(folder.path(), false, 1).unwrap_err().to_string();
        assert!(error.contains("--local-names"), "{error}");
        let [train, test] = halves(folder.path(), true, 1).unwrap();
        let faults = [&train, &test].map(|side| {
            let cases = (0..side.len()).map(|at| side.case(at).unwrap().label);
            cases.filter(|label| label.anomaly).count()
        });
        assert!(
            faults.iter().all(|n| *n > 0) && train.len() + test.len() == 6,
            "{faults:?}"
        );
    }

    #[test]
    fn two_folders_that_share_a_vm_are_refused() {
        let (one, other) = (folder(&["a,b", "c,d"]), folder(&["e,f", "g,d"]));
        let error = separate(one.path(), other.path(), false).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("\"d\"") && error.contains("hv1"), "{error}");
        assert!(separate(one.path(), other.path(), true).is_ok());
        let error = separate(one.path(), one.path(), true).unwrap_err();
        assert!(error.to_string().contains("without --test"), "{error}");
    }
}
