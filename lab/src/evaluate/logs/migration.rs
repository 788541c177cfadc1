//! Whether there is time to migrate the VMs away between alarm and failure (dissertation, section 7.1).
//!
//! A migration takes the longer the more memory the VM has: t = a · memory + b, fitted to measured migrations by least squares.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use bellwether_records::files::decoded;
use serde::{Deserialize, Serialize};

use super::operating::Outcome;

/// The method of migrations that name none.
const ONLY_METHOD: &str = "migration";
/// The normal quantile of 95 % confidence.
const CONFIDENCE: f64 = 1.959_964;

/// One measured migration.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Measured {
    /// Of the VM.
    memory_gib: f64,
    /// From the order to the end.
    seconds: f64,
    /// Such as "pre-copy".
    method: Option<String>,
}

/// How long migrations by one method take.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fit {
    pub method: String,
    /// Migrations that were measured.
    pub measured: usize,
    /// a: seconds for each GiB of memory.
    pub seconds_per_gib: f64,
    /// b: seconds whatever the memory.
    pub seconds: f64,
    /// The standard deviation of what the line leaves unexplained, seconds; `None` with two migrations.
    pub residual_deviation: Option<f64>,
    /// The longest that a migration took beyond the line, seconds.
    pub worst_residual: f64,
    /// The share of the variance that the line explains, 0 to 1.
    pub r_squared: f64,
    /// The smallest and the largest VM that was measured, GiB.
    pub range_gib: [f64; 2],
}

/// The fits in a file of CSV with the columns `memory_gib`, `seconds` and perhaps `method`, by method.
///
/// # Errors
/// A file that cannot be read, measurements that cannot be, and those that leave the line open or let it fall.
pub fn fits(path: &Path) -> Result<Vec<Fit>> {
    let of_path = || path.display().to_string();
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .comment(Some(b'#'))
        .from_reader(decoded(path).with_context(of_path)?);
    let mut methods: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    for row in reader.deserialize() {
        let row: Measured = row.with_context(|| {
            format!(
                "{}: it takes a first line \"memory_gib,seconds\" or \"memory_gib,seconds,method\", and a measured migration in \
                 each line after it",
                of_path()
            )
        })?;
        ensure!(
            row.memory_gib > 0.0 && row.memory_gib.is_finite(),
            "{}: memory_gib {} has to be a number above 0",
            of_path(),
            row.memory_gib
        );
        ensure!(
            row.seconds >= 0.0 && row.seconds.is_finite(),
            "{}: seconds {} has to be a number from 0 on",
            of_path(),
            row.seconds
        );
        let method = row.method.filter(|m| !m.is_empty());
        let method = method.unwrap_or_else(|| ONLY_METHOD.into());
        methods
            .entry(method)
            .or_default()
            .push((row.memory_gib, row.seconds));
    }
    ensure!(!methods.is_empty(), "{}: no migrations", of_path());
    methods
        .into_iter()
        .map(|(method, measured)| Fit::new(method, &measured).with_context(of_path))
        .collect()
}

impl Fit {
    /// The line through pairs of GiB and seconds with the least squares of what it leaves.
    fn new(method: String, measured: &[(f64, f64)]) -> Result<Self> {
        let count = measured.len() as f64;
        let mean = |of: &dyn Fn(&(f64, f64)) -> f64| measured.iter().map(of).sum::<f64>() / count;
        let (memory, seconds) = (mean(&|m| m.0), mean(&|m| m.1));
        let spread = mean(&|m| (m.0 - memory).powi(2));
        ensure!(
            spread > 0.0,
            "{method}: all measured VMs have {memory} GiB; the time by memory takes at least two sizes"
        );
        let slope = mean(&|m| (m.0 - memory) * (m.1 - seconds)) / spread;
        ensure!(
            slope >= 0.0,
            "{method}: by these measurements a VM takes {:.2} s less for each GiB more; time by memory is no use here",
            -slope
        );
        let base = seconds - slope * memory;
        let residuals: Vec<f64> = measured
            .iter()
            .map(|m| m.1 - (slope * m.0 + base))
            .collect();
        let squares: f64 = residuals.iter().map(|r| r * r).sum();
        let variance = mean(&|m| (m.1 - seconds).powi(2));
        let sizes = measured.iter().map(|m| m.0);
        Ok(Self {
            method,
            measured: measured.len(),
            seconds_per_gib: slope,
            seconds: base,
            residual_deviation: (count > 2.0).then(|| (squares / (count - 2.0)).sqrt()),
            worst_residual: residuals.iter().copied().fold(0.0, f64::max),
            r_squared: if variance > 0.0 {
                1.0 - squares / count / variance
            } else {
                1.0
            },
            range_gib: [
                sizes.clone().fold(f64::INFINITY, f64::min),
                sizes.fold(0.0, f64::max),
            ],
        })
    }

    /// How long a VM takes, seconds.
    fn one(&self, memory_gib: f64) -> f64 {
        (self.seconds_per_gib * memory_gib + self.seconds).max(0.0)
    }
}

/// What there is to migrate before the failure.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "plan")]
pub enum Plan {
    /// One VM of that memory.
    OneVm { memory_gib: f64 },
    /// All VMs of the host, one after the other.
    InTurn,
    /// All at the same time: they share the link, and wait for what does not depend on memory together.
    AtOnce,
}

impl Plan {
    /// How long it takes, seconds.
    fn seconds(&self, fit: &Fit, vms_gib: &[f64]) -> f64 {
        match self {
            Plan::OneVm { memory_gib } => fit.one(*memory_gib),
            Plan::InTurn => vms_gib.iter().map(|gib| fit.one(*gib)).sum(),
            Plan::AtOnce => fit.one(vms_gib.iter().sum()),
        }
    }
}

/// The failures that are detected in time.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Share {
    /// All failures.
    pub failures: usize,
    /// Those that are detected early enough.
    pub in_time: usize,
    /// The second as a percentage of the first, and what holds it with 95 % confidence.
    pub percent: f64,
    pub interval: [f64; 2],
}

impl Share {
    /// With the interval by E. B. Wilson (1927), which also holds where all are in time, or none.
    fn new(in_time: usize, failures: usize) -> Self {
        let (count, square) = (failures as f64, CONFIDENCE.powi(2));
        let share = in_time as f64 / count;
        let center = (share + square / (2.0 * count)) / (1.0 + square / count);
        let half = CONFIDENCE / (1.0 + square / count)
            * (share * (1.0 - share) / count + square / (4.0 * count * count)).sqrt();
        let ends = [center - half, center + half];
        Self {
            failures,
            in_time,
            percent: 100.0 * share,
            interval: ends.map(|end| 100.0 * end.clamp(0.0, 1.0)),
        }
    }
}

/// Whether there is time for a plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Feasible {
    pub method: String,
    #[serde(flatten)]
    pub plan: Plan,
    /// How long it takes.
    pub seconds: f64,
    pub all: Share,
    pub by_scenario: BTreeMap<String, Share>,
}

/// For which failures the time from the first alarm suffices to migrate VMs of these sizes (GiB), by method and plan. Failures
/// whose labels do not say how long before them a record came are left out.
///
/// # Errors
/// No failure whose time is known.
pub fn feasible(fits: &[Fit], vms_gib: &[f64], outcomes: &[Outcome]) -> Result<Vec<Feasible>> {
    let known = |o: &&Outcome| !o.benign && (o.lead.is_some() || !o.early);
    let failures: Vec<&Outcome> = outcomes.iter().filter(known).collect();
    ensure!(
        failures.iter().any(|o| o.lead.is_some()) || outcomes.iter().all(|o| !o.early),
        "the labels do not say how long before the failure a record came: \"lead_s\" is missing"
    );
    ensure!(!failures.is_empty(), "no labeled series fails");
    let mut sizes = vms_gib.to_vec();
    sizes.sort_by(f64::total_cmp);
    sizes.dedup();
    let one = sizes
        .into_iter()
        .map(|memory_gib| Plan::OneVm { memory_gib });
    let mut plans: Vec<Plan> = one.collect();
    if vms_gib.len() > 1 {
        plans.extend([Plan::InTurn, Plan::AtOnce]);
    }
    let mut all = Vec::new();
    for fit in fits {
        for plan in &plans {
            let seconds = plan.seconds(fit, vms_gib);
            let mut scenarios: BTreeMap<String, (usize, usize)> = BTreeMap::new();
            for outcome in &failures {
                let counts = scenarios.entry(outcome.scenario.clone()).or_default();
                let in_time = outcome.lead.is_some_and(|lead| lead * 60.0 >= seconds);
                *counts = (counts.0 + usize::from(in_time), counts.1 + 1);
            }
            let in_time = scenarios.values().map(|counts| counts.0).sum();
            all.push(Feasible {
                method: fit.method.clone(),
                plan: plan.clone(),
                seconds,
                all: Share::new(in_time, failures.len()),
                by_scenario: scenarios
                    .into_iter()
                    .map(|(name, (in_time, count))| (name, Share::new(in_time, count)))
                    .collect(),
            });
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &str) -> Result<Vec<Fit>> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        fits(file.path())
    }

    fn error(content: &str) -> String {
        format!("{:#}", read(content).unwrap_err())
    }

    fn outcome(scenario: &str, lead: Option<f64>) -> Outcome {
        Outcome {
            name: "a".into(),
            scenario: scenario.into(),
            benign: scenario == "benign",
            benign_records: 0,
            false_alarms: 0,
            benign_records_paper: 0,
            false_alarms_paper: 0,
            false_episodes: 0,
            episodes: 0,
            from_start: false,
            early: lead.is_some(),
            lead,
        }
    }

    #[test]
    fn each_method_has_the_line_of_least_squares_and_what_it_leaves() {
        // Of a line with 2 s a GiB and 5 s: exactly, and with an error of 1 s to either side.
        let fits = read(
            "memory_gib,seconds,method\n1,7,post-copy\n4,13,post-copy\n# by hand\n\
             2, 10, pre-copy\n2,8,pre-copy\n8,22,pre-copy\n8,20,pre-copy\n",
        )
        .unwrap();
        let [post, pre] = &fits[..] else {
            panic!("{fits:?}")
        };
        assert_eq!((&*post.method, &*pre.method), ("post-copy", "pre-copy"));
        for fit in &fits {
            assert!((fit.seconds_per_gib - 2.0).abs() < 1e-12 && (fit.seconds - 5.0).abs() < 1e-12);
        }
        assert_eq!(post.residual_deviation, None);
        assert_eq!(pre.residual_deviation, Some(2.0_f64.sqrt()));
        assert!((pre.worst_residual - 1.0).abs() < 1e-12);
        assert!((pre.r_squared - 36.0 / 37.0).abs() < 1e-12, "{pre:?}");
        assert_eq!(pre.range_gib, [2.0, 8.0]);
    }

    #[test]
    fn measurements_that_no_line_follows_from_are_refused_with_the_reason() {
        assert!(error("memory_gib,seconds\n4,9\n4,10\n").contains("at least two sizes"));
        assert!(error("memory_gib,seconds\n4,9\n8,7\n").contains("0.50 s less"));
        assert!(error("memory_gib,seconds\n").contains("no migrations"));
        assert!(error("memory,seconds\n4,9\n").contains("memory_gib"));
        assert!(error("memory_gib,seconds\n4,soon\n").contains("first line"));
        assert!(error("memory_gib,seconds\n0,9\n").contains("above 0"));
        assert!(error("memory_gib,seconds\n4,-9\n").contains("from 0 on"));
    }

    #[test]
    fn a_failure_counts_where_the_lead_time_covers_the_plan() {
        let fits = read("memory_gib,seconds\n1,7\n4,13\n").unwrap();
        // One takes 13 or 21 s, all in turn 47, at once 37.
        let outcomes = [
            outcome("hdd", Some(1.0)),
            outcome("hdd", Some(40.0 / 60.0)),
            outcome("oom", Some(13.0 / 60.0)),
            outcome("oom", None),
            outcome("benign", None),
        ];
        let feasible = feasible(&fits, &[4.0, 8.0, 4.0], &outcomes).unwrap();
        let found: Vec<_> = feasible
            .iter()
            .map(|f| {
                (
                    f.seconds.round(),
                    f.all.in_time,
                    f.by_scenario["oom"].in_time,
                )
            })
            .collect();
        assert_eq!(
            found,
            [(13.0, 3, 1), (21.0, 2, 0), (47.0, 1, 0), (37.0, 2, 0)]
        );
        assert_eq!(feasible[0].all.failures, 4);
        assert_eq!(feasible[0].all.percent, 75.0);
    }

    #[test]
    fn without_times_in_the_labels_nothing_is_known() {
        let fits = read("memory_gib,seconds\n1,7\n4,13\n").unwrap();
        let mut detected = outcome("hdd", None);
        detected.early = true;
        let error = feasible(&fits, &[4.0], &[detected])
            .unwrap_err()
            .to_string();
        assert!(error.contains("lead_s"), "{error}");
    }

    #[test]
    fn an_interval_is_not_sure_of_all() {
        let Share { interval, .. } = Share::new(40, 40);
        assert!(
            (interval[0] - 91.24).abs() < 0.01 && interval[1] > 99.99,
            "{interval:?}"
        );
    }
}
