//! Detectors that are evaluated: those of the core, and the baselines.

use anyhow::{Context as _, Result, bail};
use bellwether_core::event::{EventKind, State};
use bellwether_core::had::HadOptions;
use bellwether_records::feed::Feed;

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
    Had(Box<HadOptions>),
    Baseline(Baseline),
}

/// The algorithms of the core.
const ALGORITHMS: &[&str] = &["rank", "zscore", "iad"];

impl Candidate {
    /// A detector of the core, called `name` in tables.
    pub fn had(name: String, options: HadOptions) -> Self {
        Self {
            name,
            method: Method::Had(Box::new(options)),
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
            for (option, value) in options {
                had.set(option, value)?;
            }
            had.validate()?;
            Method::Had(Box::new(had))
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
            Method::Had(options) => had_alarms(options, case),
            Method::Baseline(baseline) => {
                Ok(baseline.alarms(&case.values, fnv1a(case.hypervisor.as_bytes())))
            }
        }
    }
}

fn had_alarms(options: &HadOptions, case: &Case) -> Result<Vec<u64>> {
    let names = (0..case.values.len()).map(vm_name).collect();
    let mut feed = Feed::new(options, &case.hypervisor, names)?;
    let mut alarms = Vec::new();
    let mut values = Vec::with_capacity(case.values.len());
    for row in 0..case.values.first().map_or(0, Vec::len) {
        values.clear();
        let present = |value: f64| (!value.is_nan()).then_some(value);
        values.extend(case.values.iter().map(|vm| present(vm[row])));
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
            },
            values: (0..5).map(vm).collect(),
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
