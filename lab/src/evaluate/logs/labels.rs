//! Labels: when the fault of a series was injected, when the VM failed, and how long before that each record came.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use bellwether_records::files::decoded;
use serde::Deserialize;
use serde_json::Value;

/// The most records of a series.
const MOST_RECORDS: usize = 100_000_000;

/// The label of one series.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    pub name: String,
    /// The kind of fault, or of its absence.
    pub scenario: String,
    /// The host that it was recorded on, where the label has it.
    pub host: Option<String>,
    /// How many records it has.
    pub records: usize,
    /// `None` where nothing fails.
    pub fault: Option<Fault>,
}

impl Label {
    /// Number of records at the beginning in which nothing is wrong.
    pub fn benign_records(&self) -> usize {
        let before = |fault: &Fault| fault.inject.min(fault.region);
        self.fault.as_ref().map_or(self.records, before)
    }
}

/// A fault and the failure that it leads to. Records are counted from 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// The first record with the time of the injection.
    pub inject: usize,
    /// The first record with the time of the failure.
    pub fail: usize,
    /// The first record at which an alarm is not a false one, by the label's own count; 0 where the whole series is
    /// labeled.
    pub region: usize,
    /// The first record at which an alarm is too late, by the label's own count.
    pub too_late: usize,
    /// From which record on there are how many seconds to the failure, in the order of the records.
    pub lead: Vec<(usize, f64)>,
}

impl Fault {
    /// Minutes from a record to the failure, where the label has it.
    pub fn lead_minutes(&self, record: usize) -> Option<f64> {
        let known = self.lead.partition_point(|(from, _)| *from <= record);
        known.checked_sub(1).map(|at| self.lead[at].1 / 60.0)
    }
}

/// A label as the file has it.
#[derive(Deserialize)]
struct Raw {
    scenario: String,
    #[serde(default)]
    host: Option<String>,
    n: usize,
    inject: Option<usize>,
    fail: Option<usize>,
    /// The number of the first labeled record, as whoever labeled counted: from 0 or from 1.
    label_region: Option<i64>,
    /// The number of the record of the failure, likewise.
    failure_point: Option<i64>,
    #[serde(default)]
    lead_s: Vec<(usize, f64)>,
}

/// The labels in a file of JSON, plain or compressed, in the order of their names.
///
/// # Errors
/// A file that cannot be read or is no such JSON, and a label that contradicts itself.
pub fn read(path: &Path) -> Result<Vec<Label>> {
    let of_path = || path.display().to_string();
    let mut labels: BTreeMap<String, Value> =
        serde_json::from_reader(decoded(path).with_context(of_path)?).with_context(|| {
            format!(
                "{}: no labels; they are an object \"series\" of names, each with \"scenario\", \"n\" (records), \"inject\" and \
                 \"fail\" (the first record of the fault and of the failure, or null)",
                of_path()
            )
        })?;
    // With or without an envelope: no label is called "series" that holds labels.
    let within = match labels.get_mut("series") {
        Some(Value::Object(series)) => Some(std::mem::take(series)),
        _ => None,
    };
    let series = within.map_or(labels, |series| series.into_iter().collect());
    ensure!(!series.is_empty(), "{}: labels of no series", of_path());
    series
        .into_iter()
        .map(|(name, raw)| {
            let of_label = || format!("{}: the label of \"{name}\"", of_path());
            let raw = serde_json::from_value(raw).with_context(of_label)?;
            label(&name, raw).with_context(of_label)
        })
        .collect()
}

fn label(name: &str, raw: Raw) -> Result<Label> {
    ensure!(
        raw.n <= MOST_RECORDS,
        "\"n\" {} is more than the {MOST_RECORDS} records that a series may have",
        raw.n
    );
    let fault = match (raw.inject, raw.fail) {
        (None, None) => None,
        (Some(inject), Some(fail)) => {
            ensure!(
                inject <= fail && fail < raw.n,
                "\"inject\" {inject} and \"fail\" {fail} have to be records in this order, below \"n\" {}",
                raw.n
            );
            let count = |given: Option<i64>, otherwise: usize| {
                given.map_or(otherwise, |number| usize::try_from(number).unwrap_or(0))
            };
            Some(Fault {
                inject,
                fail,
                region: count(raw.label_region, inject + 1).saturating_sub(1),
                too_late: count(raw.failure_point, fail),
                lead: raw.lead_s,
            })
        }
        _ => anyhow::bail!("\"inject\" and \"fail\" have to be both there or both null"),
    };
    if let Some(fault) = &fault {
        ensure!(
            fault.lead.is_sorted_by(|a, b| a.0 < b.0) && fault.lead.iter().all(|l| l.1.is_finite()),
            "\"lead_s\" has to be pairs of a record and the seconds from it to the failure, the records rising"
        );
    }
    Ok(Label {
        name: name.to_owned(),
        scenario: raw.scenario,
        host: raw.host,
        records: raw.n,
        fault,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(content: &str) -> Result<Vec<Label>> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        read(file.path())
    }

    #[test]
    fn labels_come_by_name_with_or_without_an_envelope() {
        let series = r#"{"b": {"scenario": "hdd", "n": 400, "inject": 200, "fail": 300, "label_region": 201,
            "failure_point": 301, "lead_s": [[200, 90.0], [250, 30.0]]}, "a": {"scenario": "benign", "n": 7}}"#;
        let bare = labels(series).unwrap();
        assert_eq!(bare, labels(&format!(r#"{{"series": {series}}}"#)).unwrap());
        assert_eq!((&*bare[0].name, &bare[0].fault), ("a", &None));
        let fault = bare[1].fault.as_ref().unwrap();
        assert_eq!((fault.region, fault.too_late), (200, 301));
        let leads = [199, 200, 249, 250, 399].map(|record| fault.lead_minutes(record));
        assert_eq!(leads, [None, Some(1.5), Some(1.5), Some(0.5), Some(0.5)]);
    }

    #[test]
    fn the_records_before_a_fault_are_benign_and_all_of_a_series_without_one() {
        let all = labels(
            r#"{"a": {"scenario": "hdd", "n": 400, "inject": 200, "fail": 300, "label_region": 181},
            "b": {"scenario": "benign", "n": 7, "host": "h"},
            "c": {"scenario": "hdd", "n": 400, "inject": 200, "fail": 300, "label_region": 0}}"#,
        );
        let all = all.unwrap();
        let benign: Vec<usize> = all.iter().map(Label::benign_records).collect();
        assert_eq!(benign, [180, 7, 0]);
        assert_eq!(all[1].host.as_deref(), Some("h"));
    }

    #[test]
    fn what_a_label_leaves_out_follows_from_the_injection_and_the_failure() {
        let all =
            labels(r#"{"a": {"scenario": "hdd", "n": 400, "inject": 200, "fail": 300}}"#).unwrap();
        let fault = all[0].fault.as_ref().unwrap();
        assert_eq!((fault.region, fault.too_late), (200, 300));
        assert_eq!(fault.lead_minutes(250), None);
    }

    #[test]
    fn a_label_that_contradicts_itself_is_named() {
        for (label, says) in [
            (r#""n": 9, "inject": 5, "fail": 4"#, "in this order"),
            (r#""n": 9, "inject": 5, "fail": 9"#, "below \"n\" 9"),
            (r#""n": 9, "inject": 5"#, "both"),
            (r#""n": -9"#, "integer `-9`"),
            (r#""n": 1000000000000"#, "100000000"),
            (
                r#""n": 9, "inject": 5, "fail": 7, "lead_s": [[6, 1], [5, 2]]"#,
                "rising",
            ),
        ] {
            let error = labels(&format!(r#"{{"x/1": {{"scenario": "hdd", {label}}}}}"#));
            let error = format!("{:#}", error.unwrap_err());
            assert!(error.contains("\"x/1\"") && error.contains(says), "{error}");
        }
        assert!(labels("[]").is_err() && labels("{}").is_err());
    }
}
