//! The figures of detectors for metrics.

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::evaluation::Row;
use crate::generate::metrics::plan::CaseArguments;

/// The result of an evaluation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The arguments from which the hypervisors were generated; `None` where they were read from files.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cases: Option<CaseArguments>,
    /// The detectors.
    pub detectors: Vec<Evaluated>,
}

/// The result for one detector.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluated {
    /// Its name and options.
    pub detector: String,
    /// The rows of its table.
    pub rows: Vec<Row>,
}

impl Report {
    /// As JSON, with a line for each row of the tables.
    pub fn json(&self) -> Result<String> {
        let mut text = "{\n".to_owned();
        if let Some(cases) = &self.cases {
            text += &format!("\"cases\": {},\n", serde_json::to_string(cases)?);
        }
        text += "\"detectors\": [";
        for (at, evaluated) in self.detectors.iter().enumerate() {
            let name = serde_json::to_string(&evaluated.detector)?;
            let rows = evaluated.rows.iter().map(serde_json::to_string);
            let rows = rows.collect::<Result<Vec<String>, _>>()?.join(",\n");
            text += if at > 0 { ",\n" } else { "\n" };
            text += &format!("{{\"detector\": {name}, \"rows\": [\n{rows}\n]}}");
        }
        Ok(text + "\n]\n}\n")
    }

    /// The numbers of VMs, rising.
    pub fn vms(&self) -> Vec<usize> {
        let rows = self.detectors.iter().flat_map(|evaluated| &evaluated.rows);
        let mut vms: Vec<usize> = rows.filter_map(|row| row.vms).collect();
        vms.sort_unstable();
        vms.dedup();
        vms
    }
}
