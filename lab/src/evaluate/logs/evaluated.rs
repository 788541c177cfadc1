//! The figures of a detector for logs.

use std::collections::BTreeMap;

use bellwether_records::settings::Setting;
use serde::Serialize;

use super::figures::{Figures, Intervals};
use super::migration::Feasible;

/// The result for one detector.
#[derive(Debug, Serialize)]
pub struct Evaluated {
    pub detector: String,
    /// Where its records are from, as part of its name, and the values of options that are swept.
    #[serde(skip)]
    pub source: String,
    #[serde(skip)]
    pub swept: Vec<Setting>,
    pub figures: Figures,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub intervals: Intervals,
    /// Failing series without an alarm between injection and failure.
    pub missed: Vec<String>,
    /// How many false alarms which series have.
    pub false_alarms: BTreeMap<String, usize>,
    /// Series that have a label and no scores.
    pub left_out: Vec<String>,
    /// Whether there is time to migrate.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub migration: Vec<Feasible>,
}
