//! The labels of hypervisors by which detectors are evaluated: the file labels.json.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

/// The file's name.
pub const FILE: &str = "labels.json";

/// What may be between two rows, seconds.
const INTERVALS_S: RangeInclusive<f64> = 0.001..=86_400.0;

/// The truth about one hypervisor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Label {
    /// The VMs that the fault reaches.
    #[serde(default)]
    pub affected: Vec<usize>,
    /// Whether there is a fault.
    pub anomaly: bool,
    /// What it is counted under: scenario and shape.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cell: Option<String>,
    /// The day of the traces that its background is from.
    #[serde(default)]
    pub day: Option<String>,
    /// The last row at which the fault shows.
    pub end: Option<u64>,
    /// The metrics in which the fault shows, where there are several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<String>,
    /// How many VMs there are.
    pub n_vms: usize,
    /// How many rows there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<u64>,
    /// The scenario.
    pub scenario: String,
    /// The fault's shape.
    #[serde(default)]
    pub shape: Option<String>,
    /// The row at which the fault begins.
    pub t0: Option<u64>,
}

impl Label {
    /// The rows from the fault's beginning to its end, where there is a fault.
    pub fn fault(&self) -> Option<(u64, u64)> {
        self.t0.zip(self.end).filter(|_| self.anomaly)
    }

    /// What it is counted under.
    pub fn cell(&self) -> &str {
        self.cell.as_deref().unwrap_or(&self.scenario)
    }
}

/// The truth about many hypervisors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Labels {
    /// The hypervisors by name.
    pub hypervisors: BTreeMap<String, Label>,
    /// Seconds between two rows.
    #[serde(default = "five_minutes")]
    pub interval_s: f64,
    /// How noisy the background is.
    #[serde(default)]
    pub regime: String,
    /// What they were made from.
    #[serde(default)]
    pub seed: u64,
    /// The metric's unit.
    #[serde(default)]
    pub unit: String,
}

fn five_minutes() -> f64 {
    super::values::INTERVAL_S
}

impl Labels {
    /// Reads the labels from the file `path`, or from labels.json in the folder `path`.
    ///
    /// # Errors
    /// A file that cannot be read, is not JSON of that form, or has a fault without its rows.
    pub fn read(path: &Path) -> Result<Self> {
        let file = if path.is_dir() {
            path.join(FILE)
        } else {
            path.to_owned()
        };
        let place = || file.display().to_string();
        let text = std::fs::read_to_string(&file).with_context(place)?;
        let labels: Self = serde_json::from_str(&text).with_context(place)?;
        ensure!(
            INTERVALS_S.contains(&labels.interval_s),
            "{}: \"interval_s\" is {}; it takes {} to {} seconds",
            place(),
            labels.interval_s,
            INTERVALS_S.start(),
            INTERVALS_S.end()
        );
        for (name, label) in &labels.hypervisors {
            ensure!(
                !label.anomaly || label.fault().is_some_and(|(t0, end)| t0 <= end),
                "{}: the hypervisor {name} has a fault; it takes \"t0\" and \"end\", the rows at which it begins and ends",
                place()
            );
        }
        ensure!(
            !labels.hypervisors.is_empty(),
            "{}: there is no hypervisor in it",
            place()
        );
        Ok(labels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Labels> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join(FILE), text)?;
        Labels::read(folder.path())
    }

    #[test]
    fn labels_need_no_more_than_what_an_evaluation_uses() {
        let labels = read(
            r#"{"hypervisors": {"hv": {"anomaly": true, "t0": 5, "end": 9, "n_vms": 3, "scenario": "disk"}}}"#,
        )
        .unwrap();
        let label = &labels.hypervisors["hv"];
        assert_eq!((label.fault(), label.cell()), (Some((5, 9)), "disk"));
        assert_eq!(labels.interval_s, 300.0);
    }

    #[test]
    fn a_fault_without_its_time_is_refused() {
        for (text, says) in [
            (
                r#"{"hypervisors": {"hv": {"anomaly": true, "t0": 5, "end": null, "n_vms": 3, "scenario": "x"}}}"#,
                "hypervisor hv has a fault",
            ),
            (r#"{"hypervisors": {}}"#, "no hypervisor"),
            (
                r#"{"interval_s": -5, "hypervisors": {}}"#,
                "\"interval_s\" is -5",
            ),
            ("[]", "labels.json"),
        ] {
            let error = format!("{:#}", read(text).unwrap_err());
            assert!(error.contains(says), "{error}");
        }
    }
}
