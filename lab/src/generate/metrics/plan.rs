//! Which hypervisors to generate, and generating one.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Args, ValueEnum as _};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::background::{Background, Regime};
use super::fault::{Generator, KEYS, PRESETS, Shape, inject};
use super::label::Label;
use super::negative::{LEAST_ROWS, Negative};
use super::values::{INTERVAL_S, Values};
use crate::hash::fnv1a;

/// The most VMs of a hypervisor.
const MOST_VMS: usize = 512;

/// Which hypervisors to generate.
#[derive(Debug, Clone, PartialEq, Args, Serialize, Deserialize)]
pub struct CaseArguments {
    /// Scenarios, separated by commas: faults (easy, hard, hard30, difficult, or by the lecture's names, random_easy ...) and hard
    /// negatives (normal, tenant30, diurnal, churn, idle, constant, glitch, missing, reset)
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        default_value = "easy,hard,difficult"
    )]
    pub scenarios: Vec<String>,

    /// Effects of a fault on an affected VM, separated by commas
    #[arg(
        long,
        value_enum,
        value_name = "SHAPES",
        value_delimiter = ',',
        default_value = "increase"
    )]
    pub shapes: Vec<Shape>,

    /// Numbers of VMs per hypervisor, separated by commas; the lecture's n_ts
    #[arg(
        long,
        alias = "n_ts",
        value_name = "NUMBERS",
        value_delimiter = ',',
        default_value = "2,3,5,8,10,13,15,20,30"
    )]
    pub vms: Vec<usize>,

    /// Number of hypervisors per cell (scenario, shape and number of VMs); in a scenario of a fault, every other one has it
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub reps: usize,

    /// Levels of noise, separated by commas
    #[arg(
        long,
        value_enum,
        value_name = "REGIMES",
        value_delimiter = ',',
        default_value = "raw"
    )]
    pub regime: Vec<Regime>,

    /// Folder of recorded VMs to start from: a CSV file per day, plain or compressed, with a heading, and in each row the name of a VM and its
    /// CPU percentages at intervals of 5 minutes [default: synthetic VMs]
    #[arg(long, value_name = "DIR")]
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub traces: Option<PathBuf>,

    /// Use only VMs that were recorded on both of these days; a series then covers both days, and no day is mirrored
    #[arg(long, value_name = "DAY,DAY", requires = "traces")]
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub contiguous: Option<String>,

    /// Use only the VMs of part K of N of the traces, such as 1/2; no VM is in two parts
    #[arg(long, value_name = "K/N", requires = "traces")]
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub part: Option<String>,

    /// Number of rows per hypervisor, five minutes each
    #[arg(long, alias = "ts_len", value_name = "N", default_value_t = 575)]
    pub ts_len: usize,

    /// Set one of the lecture's generator keys for all faults: a number, or a range FROM..TO to draw from; may be repeated
    #[arg(long = "key", value_name = "KEY=VALUE")]
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub keys: Vec<String>,

    /// Random seed; the same seed gives the same hypervisors
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

/// A scenario.
#[derive(Debug, Clone)]
enum Scenario {
    Fault(&'static str, Generator, Shape),
    Negative(Negative),
}

/// What the hypervisors of a cell have in common.
#[derive(Debug, Clone)]
struct Cell {
    scenario: Scenario,
    regime: Regime,
    vms: usize,
    /// Scenario and shape, and the regime where there are several.
    name: String,
}

/// Hypervisors that can be made one by one, in any order.
#[derive(Debug)]
pub struct Plan {
    cells: Vec<Cell>,
    reps: usize,
    rows: usize,
    seed: u64,
    background: Background,
}

/// A hypervisor's metrics and the truth about it.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its name: cell, number of VMs, number within the cell.
    pub hypervisor: String,
    /// The truth.
    pub label: Label,
    /// Its metrics.
    pub values: Values,
}

impl Plan {
    /// The hypervisors that `arguments` ask for.
    ///
    /// # Errors
    /// What is wrong with the arguments or the traces, and what would be right.
    pub fn new(arguments: &CaseArguments) -> Result<Self> {
        let background = background(arguments)?;
        let rows = arguments.ts_len;
        ensure!(
            (LEAST_ROWS..=100_000).contains(&rows),
            "--ts-len {rows}: it takes a number from {LEAST_ROWS} to 100000"
        );
        ensure!(
            rows <= background.rows(),
            "--ts-len {rows}: the two days of traces have {} rows",
            background.rows()
        );
        ensure!(
            (1..=100_000).contains(&arguments.reps),
            "--reps {}: it takes a number from 1 to 100000",
            arguments.reps
        );
        for vms in &arguments.vms {
            let most = background.vms().min(MOST_VMS);
            ensure!(
                (1..=most).contains(vms),
                "--vms {vms}: it takes numbers from 1 to {most}"
            );
        }
        let scenarios = scenarios(arguments)?;
        let mut cells = Vec::new();
        for &regime in &arguments.regime {
            for scenario in &scenarios {
                let mut name = match scenario {
                    Scenario::Fault(name, _, shape) => format!("{name}-{}", shape.word()),
                    Scenario::Negative(kind) => kind.word().to_owned(),
                };
                if arguments.regime.len() > 1 {
                    name = format!("{}-{name}", regime.word());
                }
                cells.extend(arguments.vms.iter().map(|&vms| Cell {
                    scenario: scenario.clone(),
                    regime,
                    vms,
                    name: name.clone(),
                }));
            }
        }
        Ok(Self {
            cells,
            reps: arguments.reps,
            rows,
            seed: arguments.seed,
            background,
        })
    }

    /// How many hypervisors there are.
    pub fn len(&self) -> usize {
        self.cells.len() * self.reps
    }

    /// Makes the hypervisor with the number `at`, below [`Plan::len`]. Values are rounded to hundredths, as they are written;
    /// NaN is a missing sample. It depends on the seed and its own name alone, whatever else is made.
    ///
    /// # Errors
    /// Too few VMs in the traces.
    pub fn case(&self, at: usize) -> Result<Case> {
        let (cell, rep) = (&self.cells[at / self.reps], at % self.reps);
        let hypervisor = format!("{}-n{:02}-{rep:03}", cell.name, cell.vms);
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let shape = match cell.scenario {
            Scenario::Fault(name, _, shape) => format!("{name}-{}", shape.word()),
            Scenario::Negative(kind) => kind.word().to_owned(),
        };
        let own = format!("{}-{shape}-n{:02}-{rep:03}", cell.regime.word(), cell.vms);
        rng.set_stream(fnv1a(own.as_bytes()));

        let mut fault = None;
        let (mut values, day) = match &cell.scenario {
            Scenario::Fault(_, generator, shape) => {
                let (mut values, day) =
                    self.background
                        .normal(&mut rng, cell.vms, self.rows, false, cell.regime)?;
                if rep % 2 == 0 {
                    fault = Some((inject(&mut rng, &mut values, generator, *shape), *shape));
                }
                (values, day)
            }
            Scenario::Negative(kind) => {
                kind.values(&mut rng, &self.background, cell.vms, self.rows, cell.regime)?
            }
        };
        for value in values.iter_mut().flatten() {
            *value = (*value * 100.0).round() / 100.0;
        }
        let label = Label {
            anomaly: fault.is_some(),
            cell: Some(cell.name.clone()),
            day: Some(day),
            end: fault.as_ref().map(|(f, _)| f.end as u64),
            n_vms: cell.vms,
            samples: Some(self.rows as u64),
            scenario: match cell.scenario {
                Scenario::Fault(name, ..) => name,
                Scenario::Negative(kind) => kind.word(),
            }
            .to_owned(),
            shape: fault.as_ref().map(|(_, shape)| shape.word().to_owned()),
            t0: fault.as_ref().map(|(f, _)| f.t0 as u64),
            affected: fault.map(|(f, _)| f.affected).unwrap_or_default(),
        };
        Ok(Case {
            hypervisor,
            label,
            values,
        })
    }

    /// Seconds between two rows.
    pub fn interval(&self) -> f64 {
        INTERVAL_S
    }
}

fn background(arguments: &CaseArguments) -> Result<Background> {
    let Some(folder) = &arguments.traces else {
        return Ok(Background::Synthetic);
    };
    let mut background = Background::traces(folder)?;
    if let Some(days) = &arguments.contiguous {
        let (first, second) = days
            .split_once(',')
            .with_context(|| format!("--contiguous {days}: it takes two days, DAY,DAY"))?;
        background = background.contiguous(first, second)?;
    }
    if let Some(part) = &arguments.part {
        let numbers = part
            .split_once('/')
            .and_then(|(part, of)| Some((part.parse().ok()?, of.parse().ok()?)))
            .filter(|(part, of)| (1..=*of).contains(part));
        let Some((part, of)) = numbers else {
            bail!("--part {part}: it takes K/N, K from 1 to N, such as 1/2");
        };
        background.keep_part(part, of);
        ensure!(
            background.vms() > 0,
            "--part {part}/{of}: that part has no VM of some day of the traces; take fewer parts"
        );
    }
    Ok(background)
}

fn scenarios(arguments: &CaseArguments) -> Result<Vec<Scenario>> {
    let mut scenarios = Vec::new();
    for name in &arguments.scenarios {
        if let Some((name, mut generator)) = Generator::preset(name) {
            for key in &arguments.keys {
                let (key, value) = key.split_once('=').with_context(|| {
                    format!(
                        "--key {key}: it takes the form KEY=VALUE, such as ts_increase_delay=0..30"
                    )
                })?;
                generator.set(key.trim(), value.trim())?;
            }
            let shapes = arguments.shapes.iter();
            scenarios.extend(shapes.map(|s| Scenario::Fault(name, generator.clone(), *s)));
        } else if let Ok(kind) = Negative::from_str(name, false) {
            scenarios.push(Scenario::Negative(kind));
        } else {
            let faults = PRESETS.iter().map(|(short, _)| *short);
            let negatives = Negative::value_variants().iter().map(|n| n.word());
            let known: Vec<&str> = faults.chain(negatives).collect();
            bail!(
                "--scenarios: there is no scenario \"{name}\"; there are {}",
                known.join(", ")
            );
        }
    }
    let has_fault = scenarios.iter().any(|s| matches!(s, Scenario::Fault(..)));
    ensure!(
        has_fault || arguments.keys.is_empty(),
        "--key: none of the scenarios has a fault that the keys {} could shape",
        KEYS.join(", ")
    );
    Ok(scenarios)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        cases: CaseArguments,
    }

    fn arguments(line: &str) -> CaseArguments {
        let words = ["generate"].into_iter().chain(line.split_whitespace());
        Line::try_parse_from(words).unwrap().cases
    }

    fn plan(line: &str) -> Result<Plan> {
        Plan::new(&arguments(line))
    }

    fn same(a: &Case, b: &Case) -> bool {
        let bits = |case: &Case| -> Vec<u64> {
            case.values.iter().flatten().map(|v| v.to_bits()).collect()
        };
        a.label.t0 == b.label.t0 && bits(a) == bits(b)
    }

    #[test]
    fn a_hypervisor_depends_on_seed_and_name_alone() {
        let alone = plan("--scenarios difficult --vms 5 --reps 3 --seed 7").unwrap();
        let among =
            plan("--scenarios normal,random_difficult --vms 3,5 --reps 3 --seed 7").unwrap();
        let both = plan("--scenarios difficult --vms 5 --reps 3 --seed 7 --regime quiet,raw");
        let find = |plan: &Plan, name: &str| {
            let cases = (0..plan.len()).map(|at| plan.case(at).unwrap());
            cases.into_iter().find(|c| c.hypervisor == name).unwrap()
        };
        let name = "difficult-increase-n05-002";
        let case = find(&alone, name);
        assert!(same(&case, &find(&among, name)));
        assert!(same(&case, &find(&both.unwrap(), &format!("raw-{name}"))));
        let other = plan("--scenarios difficult --vms 5 --reps 3 --seed 8").unwrap();
        assert!(!same(&case, &find(&other, name)));
        assert!(!same(&case, &find(&alone, "difficult-increase-n05-000")));
    }

    #[test]
    fn every_other_hypervisor_has_the_fault() {
        let plan = plan("--scenarios hard,idle --shapes stall,mixed --vms 4 --reps 4").unwrap();
        let cases: Vec<Case> = (0..plan.len()).map(|at| plan.case(at).unwrap()).collect();
        let names: Vec<&str> = cases.iter().map(|c| c.label.cell()).collect();
        assert_eq!(
            names,
            [["hard-stall"; 4], ["hard-mixed"; 4], ["idle"; 4]].concat()
        );
        let faults: Vec<bool> = cases.iter().map(|c| c.label.anomaly).collect();
        assert_eq!(faults[..4], [true, false, true, false]);
        assert_eq!(faults[8..], [false; 4]);
        assert_eq!(cases[0].label.affected.len(), 4);
        assert_eq!(cases[0].label.fault().unwrap().0, 287);
    }

    #[test]
    fn a_key_changes_the_faults() {
        let plan = plan(
            "--scenarios hard --vms 10 --reps 1 --key ts_anomaly_point=20 --key ts_percentage_affected=0.5 --ts-len 1000",
        )
        .unwrap();
        let label = plan.case(0).unwrap().label;
        assert_eq!((label.t0, label.affected.len()), (Some(200), 5));
        assert_eq!(label.samples, Some(1000));
    }

    #[test]
    fn bad_arguments_are_refused_with_what_would_be_right() {
        for (line, says) in [
            ("--scenarios hardest", "\"hardest\"; there are easy"),
            ("--vms 0", "--vms 0: it takes numbers from 1"),
            ("--ts-len 10", "from 320"),
            ("--key ts_stay_width", "KEY=VALUE"),
            (
                "--scenarios idle --key ts_stay_width=3",
                "none of the scenarios has a fault",
            ),
            ("--traces /nowhere", "/nowhere"),
        ] {
            let error = format!("{:#}", plan(line).unwrap_err());
            assert!(error.contains(says), "{line}: {error}");
        }
    }
}
