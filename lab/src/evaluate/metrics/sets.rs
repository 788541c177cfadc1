//! Several sets of labeled hypervisors, evaluated beside each other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use bellwether_records::command::{self, usage};
use bellwether_records::progress::bar;
use serde::Serialize;

use super::score::{Tolerance, Verdict};
use super::source::Source;
use super::tables::number;
use super::{EvaluateMetricsArguments, candidates, evaluation};
use crate::evaluate::table::markdown;
use crate::generate::metrics::label::FILE;

/// Agreement of fewer VMs than this finds large faults only: the recall of a set is over hypervisors with as many.
const LEAST_VMS: usize = 5;

/// A set: its name, and its folder.
pub type Set = (String, PathBuf);

/// The sets that `folders` are, where they are several or hold several.
///
/// # Errors
/// A folder that cannot be read, two sets of one name.
pub fn sets(folders: &[PathBuf]) -> Result<Option<Vec<Set>>> {
    let is_set = |folder: &Path| folder.join(FILE).is_file();
    if folders.is_empty() || folders.len() == 1 && (is_set(&folders[0]) || !folders[0].is_dir()) {
        return Ok(None);
    }
    let mut sets: Vec<Set> = Vec::new();
    for folder in folders {
        let of_folder = || folder.display().to_string();
        let mut inside = vec![folder.clone()];
        if !is_set(folder) {
            inside.clear();
            for entry in folder.read_dir().with_context(of_folder)? {
                let path = entry.with_context(of_folder)?.path();
                if is_set(&path) {
                    inside.push(path);
                }
            }
            inside.sort();
        }
        ensure!(
            !inside.is_empty(),
            "{}: it takes a folder with {FILE} and a CSV file a hypervisor, or a folder of such folders",
            of_folder()
        );
        for path in inside {
            let name = path.canonicalize().unwrap_or_else(|_| path.clone());
            let name = name
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if let Some((_, other)) = sets.iter().find(|(known, _)| *known == name) {
                anyhow::bail!(
                    "{} and {} are both the set \"{name}\"; rename one of them",
                    other.display(),
                    path.display()
                );
            }
            sets.push((name, path));
        }
    }
    Ok(Some(sets))
}

/// Faults and alarms of some hypervisors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
struct Count {
    /// Hypervisors with a fault.
    faults: u64,
    /// Those of them with an alarm between the beginning and the end of the fault.
    found: u64,
    /// Alarms elsewhere.
    false_alarms: u64,
    /// Days of one hypervisor.
    days: f64,
}

impl Count {
    fn new(verdicts: &[Verdict]) -> Self {
        let count = |is: fn(&Verdict) -> bool| verdicts.iter().filter(|v| is(v)).count() as u64;
        Self {
            faults: count(|v| v.fault),
            found: count(|v| v.fault && v.delay.is_some()),
            false_alarms: verdicts.iter().map(|v| v.outside).sum(),
            days: verdicts.iter().filter_map(|v| v.days).sum(),
        }
    }

    fn add(&mut self, other: Self) {
        self.faults += other.faults;
        self.found += other.found;
        self.false_alarms += other.false_alarms;
        self.days += other.days;
    }

    fn rate(&self) -> Option<f64> {
        (self.days > 0.0).then(|| 1000.0 * self.false_alarms as f64 / self.days)
    }

    fn recall(&self) -> Option<f64> {
        (self.faults > 0).then(|| self.found as f64 / self.faults as f64)
    }
}

/// The figures of a cell with one number of VMs.
#[derive(Debug, Serialize)]
struct Cell {
    cell: String,
    vms: usize,
    #[serde(flatten)]
    count: Count,
    false_alarms_per_1000_days: Option<f64>,
}

/// The figures of a detector on a set.
#[derive(Debug, Serialize)]
struct OfDetector {
    detector: String,
    accepted_per_1000_days: Option<f64>,
    false_alarms_per_1000_days: Option<f64>,
    /// Over all faults of hypervisors with [`LEAST_VMS`] VMs or more.
    recall: Option<f64>,
    #[serde(flatten)]
    count: Count,
    cells: Vec<Cell>,
}

impl OfDetector {
    fn new(detector: String, accepted: Option<f64>, verdicts: &evaluation::Verdicts) -> Self {
        let (mut all, mut of_many) = (Count::default(), Count::default());
        let mut cells = Vec::new();
        for (cell, vms, verdicts) in verdicts.by_cell() {
            let count = Count::new(verdicts);
            all.add(count);
            if vms >= LEAST_VMS {
                of_many.add(count);
            }
            cells.push(Cell {
                cell: cell.to_owned(),
                vms,
                count,
                false_alarms_per_1000_days: count.rate(),
            });
        }
        Self {
            detector,
            accepted_per_1000_days: accepted,
            false_alarms_per_1000_days: all.rate(),
            recall: of_many.recall(),
            count: all,
            cells,
        }
    }

    /// The recall over all cells by the number of VMs.
    fn by_vms(&self) -> BTreeMap<usize, Count> {
        let mut by_vms: BTreeMap<usize, Count> = BTreeMap::new();
        for cell in &self.cells {
            by_vms.entry(cell.vms).or_default().add(cell.count);
        }
        by_vms
    }
}

/// The figures of a set.
#[derive(Debug, Serialize)]
struct OfSet {
    set: String,
    interval_s: f64,
    detectors: Vec<OfDetector>,
}

#[derive(Debug, Serialize)]
struct OfSets {
    sets: Vec<OfSet>,
}

/// Evaluates the sets and prints the figures.
///
/// # Errors
/// Arguments that sets do not take, and files that cannot be read.
pub fn print(arguments: &EvaluateMetricsArguments, sets: &[Set]) -> Result<()> {
    for (is_given, name) in [
        (arguments.detections.is_some(), "--detections"),
        (!arguments.pivot.is_empty(), "--pivot"),
        (arguments.plot.is_some(), "--plot"),
    ] {
        if is_given {
            return Err(usage(format!(
                "{name} takes one folder with labels.json, not several sets"
            ))
            .into());
        }
    }
    let tolerance = Tolerance {
        after: arguments.tolerance.unwrap_or(0),
        strict: arguments.strict,
    };
    let mut figures = Vec::new();
    for (set, folder) in sets {
        let source = Source::folder(folder)?;
        let candidates = candidates(arguments, source.interval())?;
        let bar = bar(source.len(), &format!("hypervisors of {set}"));
        let verdicts = evaluation::run(&source, &candidates, tolerance, || bar.inc(1))?;
        bar.finish_and_clear();
        let metrics = source.metrics();
        let detectors = candidates
            .into_iter()
            .zip(&verdicts)
            .map(|(candidate, verdicts)| {
                let accepted = candidate.accepted_per_1000_days(metrics);
                OfDetector::new(candidate.name, accepted, verdicts)
            });
        figures.push(OfSet {
            set: set.clone(),
            interval_s: source.interval(),
            detectors: detectors.collect(),
        });
    }
    let figures = OfSets { sets: figures };
    command::print(&if arguments.json {
        serde_json::to_string_pretty(&figures)? + "\n"
    } else {
        tables(&figures)
    })
}

fn tables(figures: &OfSets) -> String {
    let mut text = String::new();
    for of_set in &figures.sets {
        text += &cells(of_set);
        text += "\n";
    }
    text + &summary(figures)
}

/// A set: a row for each cell and detector, a column for each number of VMs.
fn cells(of_set: &OfSet) -> String {
    let all = || of_set.detectors.iter().flat_map(|d| &d.cells);
    let vms: BTreeSet<usize> = all().map(|cell| cell.vms).collect();
    let names: BTreeSet<&str> = all().map(|cell| cell.cell.as_str()).collect();
    let mut header = vec!["cell".to_owned(), "detector".to_owned()];
    header.extend(vms.iter().map(|n| format!("{n} VMs")));
    let mut rows = Vec::new();
    for name in names {
        for of in &of_set.detectors {
            let mut row = vec![name.to_owned(), of.detector.clone()];
            row.extend(vms.iter().map(|vms| {
                let cell = of.cells.iter().find(|c| c.cell == name && c.vms == *vms);
                cell.map_or_else(|| "–".to_owned(), |cell| found_and_false(&cell.count))
            }));
            rows.push(row);
        }
    }
    let title = format!(
        "{}, a row every {} s: faults found of all, and false alarms in 1000 hypervisor-days",
        of_set.set, of_set.interval_s
    );
    markdown(&title, &header, &rows)
}

fn found_and_false(count: &Count) -> String {
    let rate = number(count.rate(), 0);
    if count.faults == 0 {
        return rate;
    }
    format!("{}/{} {rate}", count.found, count.faults)
}

/// All sets: a row for each set and detector.
fn summary(figures: &OfSets) -> String {
    let detectors = || figures.sets.iter().flat_map(|s| &s.detectors);
    let vms: BTreeSet<usize> = detectors().flat_map(|d| d.by_vms().into_keys()).collect();
    let mut header: Vec<String> = [
        "set",
        "detector",
        "hypervisor-days",
        "accepted",
        "false alarms",
    ]
    .map(str::to_owned)
    .to_vec();
    header.push(format!("recall, {LEAST_VMS} VMs or more"));
    header.extend(vms.iter().map(|n| format!("{n} VMs")));
    let mut rows = Vec::new();
    for of_set in &figures.sets {
        for of in &of_set.detectors {
            let by_vms = of.by_vms();
            let mut row = vec![
                of_set.set.clone(),
                of.detector.clone(),
                number(Some(of.count.days), 0),
                number(of.accepted_per_1000_days, 1),
                number(of.false_alarms_per_1000_days, 1),
                number(of.recall, 2),
            ];
            row.extend(
                vms.iter()
                    .map(|n| number(by_vms.get(n).and_then(Count::recall), 2)),
            );
            rows.push(row);
        }
    }
    markdown(
        "All sets: false alarms in 1000 hypervisor-days, as the options accept them and as they were, and recall by the number of VMs",
        &header,
        &rows,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(sets: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for set in sets {
            let path = folder.path().join(set);
            std::fs::create_dir_all(&path).unwrap();
            std::fs::write(path.join(FILE), "{}").unwrap();
        }
        folder
    }

    #[test]
    fn several_folders_and_a_folder_of_folders_are_sets_and_one_folder_is_none() {
        let root = folder(&["b", "a"]);
        let names = |folders: &[PathBuf]| {
            let sets = sets(folders).unwrap();
            sets.map(|sets| sets.into_iter().map(|set| set.0).collect::<Vec<_>>())
        };
        let all = Some(vec!["a".to_owned(), "b".to_owned()]);
        assert_eq!(names(&[root.path().to_owned()]), all);
        assert_eq!(names(&[root.path().join("a"), root.path().join("b")]), all);
        assert_eq!(names(&[root.path().join("a")]), None);
        assert_eq!(names(&[]), None);
        let other = folder(&["a"]);
        let error = sets(&[root.path().to_owned(), other.path().join("a")]).unwrap_err();
        assert!(error.to_string().contains("both the set \"a\""), "{error}");
        let empty = tempfile::tempdir().unwrap();
        let error = sets(&[empty.path().to_owned()]).unwrap_err().to_string();
        assert!(error.contains("a folder with labels.json"), "{error}");
    }

    #[test]
    fn counts_are_of_hypervisors_alarms_and_all_days() {
        let verdict = |fault: bool, delay: Option<u64>, outside: u64| Verdict {
            fault,
            delay,
            outside,
            calm_days: Some(0.5),
            days: Some(2.0),
        };
        let count = Count::new(&[
            verdict(true, Some(3), 1),
            verdict(true, None, 0),
            verdict(false, None, 2),
        ]);
        assert_eq!((count.found, count.faults, count.false_alarms), (1, 2, 3));
        assert_eq!((count.rate(), count.recall()), (Some(500.0), Some(0.5)));
        assert_eq!(found_and_false(&count), "1/2 500");
    }
}
