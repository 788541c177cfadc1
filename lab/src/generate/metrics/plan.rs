//! Which hypervisors to generate, and generating one.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use bellwether_records::series::METRICS;
use clap::{Args, ValueEnum as _};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::background::{Background, Regime};
use super::estate::{Estate, following, scale};
use super::fault::{Generator, KEYS, PRESETS, Shape, Span, inject};
use super::label::Label;
use super::negative::{LEAST_ROWS, Negative};
use super::values::{INTERVAL_S, Values};
use crate::hash::fnv1a;

/// The most VMs of a hypervisor.
const MOST_VMS: usize = 512;
/// The most rows of a hypervisor.
const MOST_ROWS: usize = 1_000_000;
/// Seconds of a day.
const DAY_S: f64 = 86_400.0;

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

    /// Number of rows per hypervisor
    #[arg(long, alias = "ts_len", value_name = "N", default_value_t = 575)]
    pub ts_len: usize,

    /// Seconds between two rows of synthetic VMs; recorded ones have five minutes. The lengths of faults are in rows
    #[arg(long = "interval", value_name = "SECONDS", default_value_t = INTERVAL_S)]
    #[serde(default = "five_minutes")]
    pub interval_s: f64,

    /// Make VMs to order whose noise correlates by this from one row to the next (an autoregressive process of order 1), separated by commas;
    /// each gets cells of its own [default of --wave, --noise and --tenants: 0.5]
    #[arg(
        long,
        value_name = "NUMBERS",
        value_delimiter = ',',
        conflicts_with = "traces"
    )]
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub phi: Vec<f64>,

    /// Make VMs to order that share a wave of the day of this amplitude, a share of the level, separated by commas; each gets cells of its own
    #[arg(
        long,
        value_name = "SHARES",
        value_delimiter = ',',
        conflicts_with = "traces"
    )]
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub wave: Vec<f64>,

    /// Make VMs to order with noise of this standard deviation, a share of the level or a range FROM..TO of shares from which each VM draws
    /// [default of --phi, --wave and --tenants: 0.1..0.3]
    #[arg(long, value_name = "SHARE", conflicts_with = "traces")]
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub noise: Option<String>,

    /// Make VMs to order that belong to this number of tenants in turn; those of a tenant move alike
    #[arg(long, value_name = "N", conflicts_with = "traces")]
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tenants: Option<usize>,

    /// Share of the variance of their noise that the VMs of a tenant have in common [default: 0.9]
    #[arg(long, value_name = "SHARE", requires = "tenants")]
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub alike: Option<f64>,

    /// Metrics per VM, separated by commas; those after cpu follow it, with noise of their own. Several are written to a folder each
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        default_value = "cpu"
    )]
    #[serde(default = "only_cpu")]
    pub metrics: Vec<String>,

    /// Metrics in which faults show, separated by commas [default: all]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub fault_metrics: Vec<String>,

    /// Set one of the lecture's generator keys for all faults: a number, or a range FROM..TO to draw from; may be repeated
    #[arg(long = "key", value_name = "KEY=VALUE")]
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub keys: Vec<String>,

    /// Random seed; the same seed gives the same hypervisors
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

fn five_minutes() -> f64 {
    INTERVAL_S
}

fn only_cpu() -> Vec<String> {
    vec![METRICS[0].to_owned()]
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
    /// Scenario and shape, the regime where there are several, and how the VMs were ordered.
    name: String,
    /// What is ordered of the VMs, as in names.
    order: String,
    /// Where its VMs are from.
    background: usize,
}

/// Hypervisors that can be made one by one, in any order.
#[derive(Debug)]
pub struct Plan {
    cells: Vec<Cell>,
    reps: usize,
    rows: usize,
    seed: u64,
    interval: f64,
    backgrounds: Vec<Background>,
    metrics: Vec<String>,
    fault_metrics: Vec<String>,
}

/// A hypervisor's metrics and the truth about it.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its name: cell, number of VMs, number within the cell.
    pub hypervisor: String,
    /// The truth.
    pub label: Label,
    /// Its first metric.
    pub metric: String,
    /// The values of that.
    pub values: Values,
    /// Further metrics, of the same VMs.
    pub others: Vec<(String, Values)>,
}

impl Plan {
    /// The hypervisors that `arguments` ask for.
    ///
    /// # Errors
    /// What is wrong with the arguments or the traces, and what would be right.
    pub fn new(arguments: &CaseArguments) -> Result<Self> {
        let interval = arguments.interval_s;
        ensure!(
            (0.1..=21_600.0).contains(&interval),
            "--interval {interval}: it takes 0.1 to 21600 seconds"
        );
        ensure!(
            arguments.traces.is_none() || interval == INTERVAL_S,
            "--interval {interval}: recorded VMs have a sample every {INTERVAL_S} seconds; leave --traces out"
        );
        let (backgrounds, orders) = backgrounds(arguments)?;
        let rows = arguments.ts_len;
        ensure!(
            (LEAST_ROWS..=MOST_ROWS).contains(&rows),
            "--ts-len {rows}: it takes a number from {LEAST_ROWS} to {MOST_ROWS}"
        );
        ensure!(
            rows <= backgrounds[0].rows(),
            "--ts-len {rows}: the two days of traces have {} rows",
            backgrounds[0].rows()
        );
        ensure!(
            (1..=100_000).contains(&arguments.reps),
            "--reps {}: it takes a number from 1 to 100000",
            arguments.reps
        );
        for vms in &arguments.vms {
            let most = backgrounds[0].vms().min(MOST_VMS);
            ensure!(
                (1..=most).contains(vms),
                "--vms {vms}: it takes numbers from 1 to {most}"
            );
        }
        let fault_metrics = metrics(arguments)?;
        let scenarios = scenarios(arguments)?;
        let mut cells = Vec::new();
        for &regime in &arguments.regime {
            for (background, order) in orders.iter().enumerate() {
                for scenario in &scenarios {
                    let mut name = match scenario {
                        Scenario::Fault(name, _, shape) => format!("{name}-{}", shape.word()),
                        Scenario::Negative(kind) => kind.word().to_owned(),
                    };
                    name += order;
                    if arguments.regime.len() > 1 {
                        name = format!("{}-{name}", regime.word());
                    }
                    cells.extend(arguments.vms.iter().map(|&vms| Cell {
                        scenario: scenario.clone(),
                        regime,
                        vms,
                        name: name.clone(),
                        order: order.clone(),
                        background,
                    }));
                }
            }
        }
        Ok(Self {
            cells,
            reps: arguments.reps,
            rows,
            seed: arguments.seed,
            interval,
            backgrounds,
            metrics: arguments.metrics.clone(),
            fault_metrics,
        })
    }

    /// How many metrics each hypervisor has.
    pub fn metrics(&self) -> usize {
        self.metrics.len()
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
        let own = format!(
            "{}-{shape}{}-n{:02}-{rep:03}",
            cell.regime.word(),
            cell.order,
            cell.vms
        );
        rng.set_stream(fnv1a(own.as_bytes()));
        let background = &self.backgrounds[cell.background];
        let shows_in = |metric: &str| self.fault_metrics.iter().any(|m| m == metric);

        let mut fault = None;
        let mut others = Vec::new();
        let mut add_others = |cpu: &Values| {
            for metric in &self.metrics[1..] {
                // Of its own, so that the CPU is the same with and without other metrics.
                let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
                rng.set_stream(fnv1a(format!("{own}-{metric}").as_bytes()));
                others.push((metric.clone(), following(&mut rng, cpu, metric)));
            }
        };
        let (mut values, day) = match &cell.scenario {
            Scenario::Fault(_, generator, shape) => {
                let (mut values, day) =
                    background.normal(&mut rng, cell.vms, self.rows, false, cell.regime)?;
                add_others(&values);
                if rep % 2 == 0 {
                    // The same draws in every metric: the same VMs change at the same time.
                    for (metric, values) in &mut others {
                        if shows_in(metric) {
                            let most = scale(metric).1;
                            let injected =
                                inject(&mut rng.clone(), values, generator, *shape, most);
                            fault = Some((injected, *shape));
                        }
                    }
                    if shows_in(&self.metrics[0]) {
                        let injected = inject(&mut rng, &mut values, generator, *shape, 100.0);
                        fault = Some((injected, *shape));
                    }
                }
                (values, day)
            }
            Scenario::Negative(kind) => {
                let (values, day) =
                    kind.values(&mut rng, background, cell.vms, self.rows, cell.regime)?;
                add_others(&values);
                (values, day)
            }
        };
        let of_others = others.iter_mut().flat_map(|(_, values)| values);
        for value in values.iter_mut().chain(of_others).flatten() {
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
            metrics: match &fault {
                Some(_) if self.metrics.len() > 1 => self.fault_metrics.clone(),
                _ => Vec::new(),
            },
            affected: fault.map(|(f, _)| f.affected).unwrap_or_default(),
        };
        Ok(Case {
            hypervisor,
            label,
            metric: self.metrics[0].clone(),
            values,
            others,
        })
    }

    /// Seconds between two rows.
    pub fn interval(&self) -> f64 {
        self.interval
    }
}

/// Where VMs are from, with what is ordered of each as in names: one, or one for each --phi and --wave.
fn backgrounds(arguments: &CaseArguments) -> Result<(Vec<Background>, Vec<String>)> {
    let is_ordered = !arguments.phi.is_empty()
        || !arguments.wave.is_empty()
        || arguments.noise.is_some()
        || arguments.tenants.is_some();
    if !is_ordered {
        return Ok((vec![background(arguments)?], vec![String::new()]));
    }
    ensure!(
        arguments.regime == [Regime::Raw],
        "--regime: VMs made to order have the noise of --noise; leave --regime out"
    );
    let within = |name: &str, value: f64, most: f64| {
        ensure!(
            (0.0..=most).contains(&value),
            "{name} {value}: it takes numbers from 0 to {most}"
        );
        Ok(value)
    };
    let text = arguments.noise.as_deref().unwrap_or("0.1..0.3");
    let (from, to) = text.split_once("..").unwrap_or((text, text));
    let noise = from.trim().parse().ok().zip(to.trim().parse().ok());
    let noise = noise.map(|(from, to): (f64, f64)| Span { from, to });
    let noise = noise.filter(|noise| noise.from <= noise.to);
    let noise = noise.with_context(|| format!("--noise {text}: it takes a share, or FROM..TO"))?;
    within("--noise", noise.from, 2.0)?;
    within("--noise", noise.to, 2.0)?;
    let tenants = arguments.tenants.unwrap_or(0);
    ensure!(
        tenants <= MOST_VMS,
        "--tenants {tenants}: it takes a number up to {MOST_VMS}"
    );
    let alike = within("--alike", arguments.alike.unwrap_or(0.9), 1.0)?;
    let of_one = |values: &[f64], default: f64| match values {
        [] => vec![default],
        values => values.to_vec(),
    };
    let (mut all, mut orders) = (Vec::new(), Vec::new());
    for phi in of_one(&arguments.phi, 0.5) {
        for wave in of_one(&arguments.wave, 0.0) {
            let mut order = String::new();
            if !arguments.phi.is_empty() {
                order += &format!("-phi{}", percent(phi));
            }
            if !arguments.wave.is_empty() {
                order += &format!("-amp{}", percent(wave));
            }
            if tenants > 0 {
                order += &format!("-tenants{tenants}");
            }
            all.push(Background::Estate(Estate {
                phi: within("--phi", phi, 0.9999)?,
                noise,
                wave: within("--wave", wave, 1.0)?,
                tenants,
                alike,
                day: rows_of_a_day(arguments.interval_s),
            }));
            orders.push(order);
        }
    }
    Ok((all, orders))
}

/// A share in percent as in names: two digits or more.
fn percent(share: f64) -> String {
    let percent = (share * 1e4).round() / 1e2;
    if percent < 10.0 {
        format!("0{percent}")
    } else {
        percent.to_string()
    }
}

fn rows_of_a_day(interval: f64) -> usize {
    ((DAY_S / interval).round() as usize).max(1)
}

/// The metrics in which faults show, after checking all of them.
fn metrics(arguments: &CaseArguments) -> Result<Vec<String>> {
    let all = &arguments.metrics;
    for (at, metric) in all.iter().enumerate() {
        ensure!(
            METRICS.contains(&metric.as_str()) && !all[..at].contains(metric),
            "--metrics: \"{metric}\" is there twice or no metric; there are {}",
            METRICS.join(", ")
        );
    }
    ensure!(
        all.first().is_some_and(|first| first == METRICS[0]),
        "--metrics: the first one is {}, which the others follow",
        METRICS[0]
    );
    for metric in &arguments.fault_metrics {
        ensure!(
            all.contains(metric),
            "--fault-metrics: \"{metric}\" is none of --metrics {}",
            all.join(",")
        );
    }
    Ok(match arguments.fault_metrics.is_empty() {
        true => all.clone(),
        false => arguments.fault_metrics.clone(),
    })
}

fn background(arguments: &CaseArguments) -> Result<Background> {
    let Some(folder) = &arguments.traces else {
        return Ok(Background::Synthetic(rows_of_a_day(arguments.interval_s)));
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
    fn vms_to_order_have_cells_for_each_phi_and_wave_at_any_interval() {
        let plan = plan(
            "--scenarios easy,normal --vms 5 --reps 2 --phi 0.8,0.985 --wave 0,0.2 --interval 10 --ts-len 2000 \
             --key ts_anomaly_point=60..80",
        )
        .unwrap();
        let cases: Vec<Case> = (0..plan.len()).map(|at| plan.case(at).unwrap()).collect();
        let mut cells: Vec<&str> = cases.iter().map(|case| case.label.cell()).collect();
        cells.dedup();
        assert_eq!(cells.len(), 8, "{cells:?}");
        assert_eq!(
            cells[..2],
            ["easy-increase-phi80-amp00", "normal-phi80-amp00"]
        );
        assert_eq!(cells[7], "normal-phi98.5-amp20");
        assert_eq!(plan.interval(), 10.0);
        let points: Vec<u64> = cases.iter().filter_map(|case| case.label.t0).collect();
        assert!(
            points.iter().all(|t0| (1200..=1600).contains(t0)),
            "{points:?}"
        );
        assert!(points.iter().any(|t0| *t0 != points[0]));
    }

    #[test]
    fn a_fault_shows_in_the_metrics_that_were_asked_for_and_the_cpu_is_as_without_others() {
        let line = "--scenarios easy --vms 6 --reps 1 --phi 0.5 --seed 4";
        let alone = plan(line).unwrap().case(0).unwrap();
        let all = plan(&format!("{line} --metrics cpu,disk_ops,net_packets")).unwrap();
        let all = all.case(0).unwrap();
        assert!(same(&alone, &all));
        assert_eq!(all.label.metrics, ["cpu", "disk_ops", "net_packets"]);
        let disks = plan(&format!(
            "{line} --metrics cpu,disk_ops --fault-metrics disk_ops"
        ));
        let disks = disks.unwrap().case(0).unwrap();
        assert_eq!(
            (&disks.label.affected, &disks.label.t0),
            (&all.label.affected, &all.label.t0)
        );
        assert_eq!(disks.label.metrics, ["disk_ops"]);
        let (vm, t0) = (disks.label.affected[0], disks.label.t0.unwrap() as usize);
        let change = |values: &Values| {
            let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
            mean(&values[vm][t0..t0 + 150]) / mean(&values[vm][t0 - 150..t0])
        };
        assert!(change(&disks.values) < 1.3, "{}", change(&disks.values));
        assert!(
            change(&disks.others[0].1) > 1.6,
            "{}",
            change(&disks.others[0].1)
        );
        assert!(change(&all.values) > 1.6);
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
            ("--phi 1.5", "--phi 1.5: it takes numbers from 0 to 0.9999"),
            (
                "--noise much",
                "--noise much: it takes a share, or FROM..TO",
            ),
            ("--phi 0.8 --regime quiet", "leave --regime out"),
            (
                "--interval 0",
                "--interval 0: it takes 0.1 to 21600 seconds",
            ),
            ("--metrics cpu,heat", "\"heat\" is there twice or no metric"),
            ("--metrics disk_ops", "the first one is cpu"),
            ("--fault-metrics disk_ops", "none of --metrics cpu"),
        ] {
            let error = format!("{:#}", plan(line).unwrap_err());
            assert!(error.contains(says), "{line}: {error}");
        }
    }
}
