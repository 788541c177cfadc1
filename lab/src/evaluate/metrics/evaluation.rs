//! Runs detectors over hypervisors and scores their alarms.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Result, bail};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::candidate::Candidate;
use super::score::{Figures, Tolerance, Verdict, verdict};
use super::source::Source;
use crate::generate::metrics::label::Labels;

/// The verdicts on a detector's alarms, by what they are counted under.
#[derive(Debug, Default)]
pub struct Verdicts(BTreeMap<(String, usize), Vec<Verdict>>);

/// One row of a table: how good a detector is on the hypervisors of one cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Scenario and shape, and the regime where there are several.
    pub cell: String,
    /// The number of VMs; none: all hypervisors of the cell.
    pub vms: Option<usize>,
    /// The figures.
    #[serde(flatten)]
    pub figures: Figures,
}

impl Verdicts {
    fn add(&mut self, cell: &str, vms: usize, verdict: Verdict) {
        self.0
            .entry((cell.to_owned(), vms))
            .or_default()
            .push(verdict);
    }

    /// All of them. Those of detectors that ran over the same hypervisors come in the same order.
    pub fn all(&self) -> Vec<&Verdict> {
        self.0.values().flatten().collect()
    }

    /// The verdicts by cell and number of VMs.
    pub fn by_cell(&self) -> impl Iterator<Item = (&str, usize, &[Verdict])> {
        let all = self.0.iter();
        all.map(|((cell, vms), verdicts)| (cell.as_str(), *vms, verdicts.as_slice()))
    }

    /// The rows: per cell one for each number of VMs and one for all.
    pub fn rows(&self, seed: u64) -> Vec<Row> {
        let mut groups: BTreeMap<(&str, usize), Vec<&Verdict>> = BTreeMap::new();
        for ((cell, vms), verdicts) in &self.0 {
            groups.insert((cell, *vms), verdicts.iter().collect());
            groups
                .entry((cell, usize::MAX))
                .or_default()
                .extend(verdicts);
        }
        groups
            .into_par_iter()
            .map(|((cell, vms), verdicts)| Row {
                cell: cell.to_owned(),
                vms: (vms != usize::MAX).then_some(vms),
                figures: Figures::new(&verdicts, seed),
            })
            .collect()
    }
}

/// Runs each of `candidates` over each hypervisor of `source`, in parallel, and returns the verdicts on their alarms in the order of
/// the candidates. Calls `done` after each hypervisor.
///
/// # Errors
/// A hypervisor that cannot be read, or a candidate whose options contradict each other.
pub fn run(
    source: &Source,
    candidates: &[Candidate],
    tolerance: Tolerance,
    done: impl Fn() + Sync,
) -> Result<Vec<Verdicts>> {
    let interval = source.interval();
    let scored = (0..source.len())
        .into_par_iter()
        .map(|at| {
            let case = source.case(at)?;
            let verdicts = candidates
                .iter()
                .map(|candidate| {
                    let alarms = candidate.alarms(&case)?;
                    Ok(verdict(&case.label, &alarms, tolerance, interval))
                })
                .collect::<Result<Vec<Verdict>>>()?;
            done();
            Ok((case.label.cell().to_owned(), case.label.n_vms, verdicts))
        })
        .collect::<Result<Vec<_>>>()?;
    let mut all: Vec<Verdicts> = candidates.iter().map(|_| Verdicts::default()).collect();
    for (cell, vms, verdicts) in scored {
        for (of, verdict) in all.iter_mut().zip(verdicts) {
            of.add(&cell, vms, verdict);
        }
    }
    Ok(all)
}

/// Candidates alarms that were raised elsewhere: pairs of a hypervisor's name and a row.
///
/// # Errors
/// An alarm of a hypervisor that has no label.
pub fn score_alarms(
    labels: &Labels,
    alarms: &[(String, u64)],
    tolerance: Tolerance,
) -> Result<Verdicts> {
    let mut by_name: HashMap<&str, Vec<u64>> = HashMap::new();
    for (hypervisor, row) in alarms {
        if !labels.hypervisors.contains_key(hypervisor) {
            bail!("there is an alarm of the hypervisor \"{hypervisor}\", which has no label");
        }
        by_name.entry(hypervisor).or_default().push(*row);
    }
    let mut verdicts = Verdicts::default();
    for (name, label) in &labels.hypervisors {
        let rows = by_name.remove(name.as_str()).unwrap_or_default();
        let verdict = verdict(label, &rows, tolerance, labels.interval_s);
        verdicts.add(label.cell(), label.n_vms, verdict);
    }
    Ok(verdicts)
}
