//! Detectors that are evaluated: those of the core, and the baselines.

use anyhow::{Context as _, Result, bail};
use bellwether_core::event::{EventKind, State};
use bellwether_core::had::{Algorithm, HadOptions};
use bellwether_records::feed::Feed;
use bellwether_records::series::Column;

use super::tables::MONTH_DAYS;
use crate::baselines::{self, Baseline};
use crate::generate::metrics::plan::Case;
use crate::generate::metrics::values::vm_name;
use crate::hash::fnv1a;

/// A detector with its options.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// What it is called in tables.
    pub name: String,
    method: Method,
}

#[derive(Debug, Clone)]
enum Method {
    /// A detector of the core, and whether it watches all metrics that a hypervisor has.
    Had(Box<HadOptions>, bool),
    Baseline(Baseline),
}

/// The algorithms of the core.
const ALGORITHMS: &[&str] = &["rank", "zscore", "iad"];

impl Candidate {
    /// A detector of the core, called `name` in tables. `all_metrics`: it watches all that a hypervisor has, and not only those of
    /// its options.
    pub fn had(name: String, options: HadOptions, all_metrics: bool) -> Self {
        Self {
            name,
            method: Method::Had(Box::new(options), all_metrics),
        }
    }

    /// The false alarms per 1000 days that its options accept on hypervisors with this number of metrics, each of which has its own
    /// without a joint decision; `None` where it has no such option.
    pub fn accepted_per_1000_days(&self, metrics: usize) -> Option<f64> {
        match &self.method {
            Method::Had(options, all) if options.algorithm == Algorithm::Rank => {
                let metrics = match (options.joint_metrics, *all) {
                    (true, _) => 1,
                    (false, true) => metrics,
                    (false, false) => options.metrics.len(),
                };
                Some(options.false_alarms_per_month * metrics as f64 * 1000.0 / MONTH_DAYS)
            }
            _ => None,
        }
    }

    /// The detector that `text` names: `NAME`, or `NAME:OPTION=VALUE:...`. `interval`: seconds between two rows.
    ///
    /// # Errors
    /// A name, an option or a value that does not exist, and what does.
    pub fn parse(text: &str, interval: f64) -> Result<Self> {
        let mut words = text.split(':');
        let name = words.next().unwrap_or_default();
        let options = words
            .map(|word| {
                word.split_once('=').with_context(|| {
                    format!(
                        "{text}: \"{word}\" takes the form OPTION=VALUE, such as iad:iad_window_sz=30"
                    )
                })
            })
            .collect::<Result<Vec<(&str, &str)>>>()?;
        let method = if ALGORITHMS.contains(&name) {
            let mut had = HadOptions::default();
            had.set("algorithm", name)?;
            had.set("interval", &interval.to_string())?;
            let metrics_given = options.iter().any(|(option, _)| *option == "metrics");
            for (option, value) in options {
                had.set(option, value)?;
            }
            had.validate()?;
            Method::Had(Box::new(had), !metrics_given)
        } else if let Some(baseline) = Baseline::new(name, &options)? {
            Method::Baseline(baseline)
        } else {
            let known: Vec<&str> = ALGORITHMS
                .iter()
                .copied()
                .chain(baselines::names())
                .collect();
            bail!(
                "there is no detector \"{name}\"; there are {}",
                known.join(", ")
            );
        };
        Ok(Self {
            name: text.to_owned(),
            method,
        })
    }

    /// The rows at which it raises an alarm.
    ///
    /// # Errors
    /// Options that contradict each other.
    pub fn alarms(&self, case: &Case) -> Result<Vec<u64>> {
        match &self.method {
            Method::Had(options, all) if *all && !case.others.is_empty() => {
                let others = case.others.iter().map(|(metric, _)| metric);
                let metrics = [&case.metric].into_iter().chain(others);
                let options = HadOptions {
                    metrics: metrics.cloned().collect(),
                    ..(**options).clone()
                };
                had_alarms(&options, case)
            }
            Method::Had(options, _) => had_alarms(options, case),
            Method::Baseline(baseline) => {
                Ok(baseline.alarms(&case.values, fnv1a(case.hypervisor.as_bytes())))
            }
        }
    }
}

fn had_alarms(options: &HadOptions, case: &Case) -> Result<Vec<u64>> {
    let first = case.others.is_empty().then_some((None, &case.values));
    let first = first.unwrap_or((Some(&case.metric), &case.values));
    let others = case
        .others
        .iter()
        .map(|(metric, values)| (Some(metric), values));
    let (mut columns, mut series) = (Vec::new(), Vec::new());
    for (metric, values) in [first].into_iter().chain(others) {
        for (at, vm) in values.iter().enumerate() {
            columns.push(Column {
                metric: metric.cloned(),
                ..Column::from(vm_name(at))
            });
            series.push(vm);
        }
    }
    let mut feed = Feed::new(options, &case.hypervisor, columns)?;
    let mut alarms = Vec::new();
    let mut values = Vec::with_capacity(series.len());
    let rows = series.iter().map(|vm| vm.len()).max().unwrap_or(0);
    for row in 0..rows {
        values.clear();
        let present = |vm: &&Vec<f64>| vm.get(row).copied().filter(|value| !value.is_nan());
        values.extend(series.iter().map(present));
        feed.row(row as u64, &values);
        while let Some((event, index)) = feed.next_event() {
            if event.kind() == EventKind::HypervisorAnomaly && event.state == State::Raised {
                alarms.push(index);
            }
        }
    }
    Ok(alarms)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::metrics::label::Label;

    /// Five VMs that all rise at row 200.
    fn case() -> Case {
        let level = |row: usize| if row < 200 { 10.0 } else { 25.0 };
        let vm = |vm: usize| {
            (0..400)
                .map(|row| level(row) + ((row * 7 + vm * 3) % 11) as f64 / 10.0)
                .collect()
        };
        Case {
            hypervisor: "hv".to_owned(),
            label: Label {
                affected: Vec::new(),
                anomaly: true,
                cell: None,
                day: None,
                end: Some(399),
                n_vms: 5,
                samples: Some(400),
                scenario: "rise".to_owned(),
                shape: None,
                t0: Some(200),
                metrics: Vec::new(),
            },
            metric: "cpu".to_owned(),
            values: (0..5).map(vm).collect(),
            others: Vec::new(),
        }
    }

    #[test]
    fn every_algorithm_sees_all_vms_rise() {
        for name in ALGORITHMS {
            let alarms = Candidate::parse(name, 300.0)
                .unwrap()
                .alarms(&case())
                .unwrap();
            assert!(
                alarms.iter().any(|row| (200..300).contains(row)),
                "{name}: {alarms:?}"
            );
        }
    }

    #[test]
    fn all_metrics_of_a_hypervisor_are_watched_unless_some_are_named() {
        let mut case = case();
        let quiet =
            |vm: usize| (0..400).map(move |row| 10.0 + ((row * 7 + vm * 3) % 11) as f64 / 10.0);
        let changed = std::mem::replace(
            &mut case.values,
            (0..5).map(|vm| quiet(vm).collect()).collect(),
        );
        case.others = vec![("disk_ops".to_owned(), changed)];
        let alarms = |text: &str| {
            Candidate::parse(text, 300.0)
                .unwrap()
                .alarms(&case)
                .unwrap()
        };
        assert!(!alarms("rank").is_empty());
        assert!(alarms("rank:metrics=cpu").is_empty());
        let accepted = |text: &str| {
            let candidate = Candidate::parse(text, 300.0).unwrap();
            candidate
                .accepted_per_1000_days(2)
                .map(|rate| (rate * 100.0).round() / 100.0)
        };
        let one = "rank:false_alarms_per_month=0.1";
        assert_eq!(accepted(one), Some(3.29));
        let separate = format!("{one}:joint_metrics=false");
        assert_eq!(accepted(&separate), Some(6.57));
        assert_eq!(accepted(&format!("{separate}:metrics=cpu")), Some(3.29));
        assert_eq!(accepted("zscore"), None);
    }

    #[test]
    fn a_candidate_takes_options_and_says_what_is_wrong_with_them() {
        let deaf = Candidate::parse("iad:iad_change_threshold=50:iad_quorum=1", 300.0).unwrap();
        assert!(deaf.alarms(&case()).unwrap().is_empty());
        for (text, says) in [
            ("oracle", "\"oracle\"; there are rank"),
            ("iad:iad_window_sz", "OPTION=VALUE"),
            ("iad:window=3", "window"),
        ] {
            let error = Candidate::parse(text, 300.0).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
