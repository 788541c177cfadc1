//! Where on generated hosts the faults are, and what else happens on them.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::day::HostDay;
use super::disturbance::Kind;
use super::failure::Shows;
use super::setting::seconds;

/// The labels of a folder of hosts. Times are in seconds since the epoch.
#[derive(Debug, Serialize)]
pub struct Labels {
    /// What they were generated from.
    pub seed: u64,
    /// Seconds between two rows of metrics and resources.
    pub interval_s: f64,
    /// When the data begin.
    pub start: f64,
    /// From when on detectors are measured.
    pub counted_from: f64,
    /// When the data end.
    pub end: f64,
    /// The hosts by name.
    pub hosts: BTreeMap<String, Label>,
}

/// The label of one host.
#[derive(Debug, Serialize)]
pub struct Label {
    /// The kind of fault, or "none".
    scenario: &'static str,
    /// The fault, on a failing host.
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<Fault>,
    /// What else happens.
    disturbances: Vec<Span>,
}

#[derive(Debug, Serialize)]
struct Fault {
    /// When it begins.
    begin: f64,
    /// When the guest dies.
    death: f64,
    #[serde(flatten)]
    shows: Shows,
}

#[derive(Debug, Serialize)]
struct Span {
    kind: Kind,
    from: f64,
    to: f64,
}

impl Label {
    /// The label of a host.
    pub fn of(day: &HostDay<'_>) -> Self {
        let disturbances = day.disturbances.iter().map(|disturbance| Span {
            kind: disturbance.kind,
            from: seconds(disturbance.from),
            to: seconds(disturbance.to),
        });
        let failure = day.failure.as_ref();
        Self {
            scenario: failure.map_or("none", |failure| failure.scenario.name()),
            fault: failure.map(|failure| Fault {
                begin: seconds(failure.begin),
                death: seconds(failure.death),
                shows: failure.shows,
            }),
            disturbances: disturbances.collect(),
        }
    }
}

impl Labels {
    /// Writes them.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn write(&self, file: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        std::fs::write(file, text).with_context(|| file.display().to_string())
    }
}
