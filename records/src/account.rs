//! What is to be said about a recording that is replayed.

use std::collections::BTreeSet;

use bellwether_core::had::{Counters, Detector, HadOptions};

use crate::diagnosis::Diagnosis;
use crate::series::Recording;

/// What is to be said about a recording that is replayed.
pub struct Account {
    rows: u64,
    notices: BTreeSet<String>,
    diagnosis: Diagnosis,
}

/// The most notices of a detector that are repeated for a recording.
const NOTICES_MAX: usize = 4;

impl Account {
    /// Begins with the first row.
    pub fn new(recording: &Recording, options: &HadOptions) -> Self {
        Self {
            rows: 0,
            notices: BTreeSet::new(),
            diagnosis: Diagnosis::new(&recording.hypervisor, recording.columns(), options),
        }
    }

    /// Takes a row that `detector` has observed.
    pub fn row(&mut self, row: u64, values: &[Option<f64>], detector: &mut Detector) {
        self.rows += 1;
        self.diagnosis.row(row, values, detector);
        while let Some(notice) = detector.next_notice() {
            if self.notices.len() < NOTICES_MAX {
                self.notices.insert(notice.message);
            }
        }
    }

    /// Warnings about the recording: how it was read, cells that were read as missing samples, values that the detector did not count,
    /// and why no VMs voted.
    pub fn warnings(&self, recording: &Recording, counters: &Counters) -> Vec<String> {
        let place = &recording.place;
        let mut warnings: Vec<String> = recording.notes().to_vec();
        warnings.extend(counted(recording.bad_cells(), counters));
        warnings.extend(self.notices.iter().cloned());
        if self.rows == 0 {
            warnings.push("there are no rows in it".to_owned());
        }
        warnings.extend(self.diagnosis.warnings());
        let hypervisor = &recording.hypervisor;
        let is_named = place.contains(hypervisor.as_str());
        let of = if is_named {
            String::new()
        } else {
            format!("{hypervisor}: ")
        };
        let line = |warning: String| match warning.strip_prefix(&format!("{hypervisor}: ")) {
            Some(rest) => format!("{place}: {hypervisor}: {rest}"),
            None => format!("{place}: {of}{warning}"),
        };
        warnings.into_iter().map(line).collect()
    }
}

/// How many cells and samples did not count, and why.
pub fn counted(bad_cells: u64, counters: &Counters) -> impl Iterator<Item = String> {
    [
        (bad_cells, "invalid cells, read as missing samples"),
        (
            counters.full,
            "samples ignored, of VMs beyond the option \"max_vms\"",
        ),
        (
            counters.vms_evicted,
            "VMs that no longer reported, evicted because of the option \"max_vms\"",
        ),
        (
            counters.refused,
            "samples refused, with names, times or values out of range",
        ),
        (
            counters.late,
            "samples ignored, of rows that were closed already",
        ),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!("{what}: {count}"))
}
