//! The hypervisors that a detector is evaluated on: generated in memory, or files with labels beside them.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use bellwether_records::series::{METRICS, Reading, open_file};

use crate::generate::metrics::label::{Label, Labels};
use crate::generate::metrics::plan::{Case, CaseArguments, Plan};
use crate::generate::metrics::values::Values;

/// Labeled hypervisors, by number.
#[derive(Debug)]
pub enum Source {
    /// They are made when they are asked for.
    Generated(Plan),
    /// They are read from a folder.
    Folder {
        /// Where the files are.
        folder: PathBuf,
        /// What is true of each, by its name.
        hypervisors: Vec<(String, Label)>,
        /// Seconds between two rows.
        interval: f64,
    },
}

impl Source {
    /// Hypervisors as `arguments` ask for.
    ///
    /// # Errors
    /// What is wrong with the arguments or the traces.
    pub fn generated(arguments: &CaseArguments) -> Result<Self> {
        Ok(Self::Generated(Plan::new(arguments)?))
    }

    /// The hypervisors of the labels in `folder`; the metrics of each are in a file there that is named as it is.
    ///
    /// # Errors
    /// Labels that cannot be read.
    pub fn folder(folder: &Path) -> Result<Self> {
        ensure!(
            folder.is_dir(),
            "{}: it takes a folder with labels.json and a CSV file a hypervisor",
            folder.display()
        );
        let labels = Labels::read(folder)?;
        Ok(Self::Folder {
            folder: folder.to_owned(),
            interval: labels.interval_s,
            hypervisors: labels.hypervisors.into_iter().collect(),
        })
    }

    /// How many metrics the hypervisors have.
    pub fn metrics(&self) -> usize {
        match self {
            Self::Generated(plan) => plan.metrics(),
            Self::Folder {
                folder,
                hypervisors,
                ..
            } => {
                let first = hypervisors.first();
                let files = first.and_then(|(name, _)| files(folder, name).ok());
                files.map_or(1, |files| files.len())
            }
        }
    }

    /// How many hypervisors there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Generated(plan) => plan.len(),
            Self::Folder { hypervisors, .. } => hypervisors.len(),
        }
    }

    /// Seconds between two rows.
    pub fn interval(&self) -> f64 {
        match self {
            Self::Generated(plan) => plan.interval(),
            Self::Folder { interval, .. } => *interval,
        }
    }

    /// The hypervisor with the number `at`, below [`Source::len`].
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn case(&self, at: usize) -> Result<Case> {
        match self {
            Self::Generated(plan) => plan.case(at),
            Self::Folder {
                folder,
                hypervisors,
                interval,
            } => {
                let (name, label) = &hypervisors[at];
                read(&files(folder, name)?, name, label, *interval)
            }
        }
    }
}

/// The endings of a hypervisor's file, and those of compression.
const ENDINGS: [&str; 5] = [".csv", ".json", ".xml", ".tsv", ".txt"];
const COMPRESSED: [&str; 5] = ["", ".gz", ".xz", ".zst", ".bz2"];

/// The files of the hypervisor `name`, plain or compressed, each with its metric: one in the folder, or one in each of its folders that are
/// named after metrics, the usual metrics first.
///
/// # Errors
/// There is none.
pub fn files(folder: &Path, name: &str) -> Result<Vec<(Option<String>, PathBuf)>> {
    let file = |folder: &Path| {
        let endings = ENDINGS
            .iter()
            .flat_map(|form| COMPRESSED.map(|packed| format!("{form}{packed}")));
        let mut files = endings.map(|ending| folder.join(format!("{name}{ending}")));
        files.find(|file| file.exists())
    };
    if let Some(file) = file(folder) {
        return Ok(vec![(None, file)]);
    }
    let metrics = METRICS
        .iter()
        .filter_map(|metric| Some((Some((*metric).to_owned()), file(&folder.join(metric))?)));
    let files: Vec<_> = metrics.collect();
    ensure!(
        !files.is_empty(),
        "{}: there is a label of the hypervisor \"{name}\" and no file {name}.csv or {name}.csv.gz, nor one in a folder named after a \
         metric ({})",
        folder.display(),
        METRICS.join(", ")
    );
    Ok(files)
}

fn read(
    files: &[(Option<String>, PathBuf)],
    name: &str,
    label: &Label,
    interval: f64,
) -> Result<Case> {
    let mut all = files
        .iter()
        .map(|(metric, file)| {
            Ok((
                metric.clone().unwrap_or_else(|| METRICS[0].to_owned()),
                values(file, interval)?,
            ))
        })
        .collect::<Result<Vec<(String, Values)>>>()?;
    let (metric, values) = all.remove(0);
    let file = &files[0].1;
    let rows = values[0].len() as u64;
    ensure!(rows > 0, "{}: there are no rows in it", file.display());
    if let Some((t0, _)) = label.fault() {
        ensure!(
            t0 < rows,
            "{}: it has {rows} rows, and by its label a fault that begins at row {t0}",
            file.display()
        );
    }
    let label = Label {
        samples: Some(rows),
        ..label.clone()
    };
    Ok(Case {
        hypervisor: name.to_owned(),
        label,
        metric,
        values,
        others: all,
    })
}

fn values(file: &Path, interval: f64) -> Result<Values> {
    let reading = Reading {
        interval: Some(interval),
        ..Reading::default()
    };
    let mut series = open_file(file, &reading)?;
    let mut values = vec![Vec::new(); series.columns().len()];
    let mut row_values = Vec::new();
    while let Some(row) = series.next_row(&mut row_values)? {
        ensure!(
            row < 1 << 24,
            "{}: row {row} is beyond what can be held in memory",
            file.display()
        );
        for (vm, value) in values.iter_mut().zip(&row_values) {
            // A number left out is a row without samples.
            vm.resize(row as usize, f64::NAN);
            vm.push(value.unwrap_or(f64::NAN));
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gives_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let labels = r#"{"interval_s": 60, "hypervisors":
            {"hv": {"anomaly": false, "t0": null, "end": null, "n_vms": 2, "scenario": "normal"}}}"#;
        std::fs::write(folder.path().join("labels.json"), labels).unwrap();
        std::fs::write(folder.path().join("hv.csv"), "t,a,b\n0,1,\n2,3,4\n").unwrap();
        let source = Source::folder(folder.path()).unwrap();
        assert_eq!((source.len(), source.interval()), (1, 60.0));
        // In any form that a replay reads.
        let json = r#"[{"metric": {"vm": "a"}, "values": [[60, "1"], [180, "3"]]},
            {"metric": {"vm": "b"}, "values": [[60, "NaN"], [120, "NaN"], [180, "4"]]}]"#;
        std::fs::create_dir(folder.path().join("other")).unwrap();
        std::fs::write(folder.path().join("other/labels.json"), labels).unwrap();
        std::fs::write(folder.path().join("other/hv.json"), json).unwrap();
        let other = Source::folder(&folder.path().join("other")).unwrap();
        for source in [&source, &other] {
            let case = source.case(0).unwrap();
            assert_eq!((case.values[0][0], case.values[1][2]), (1.0, 4.0));
            assert!(case.values[1][0].is_nan() && case.values[0][1].is_nan());
            assert_eq!(case.label.samples, Some(3));
        }
        let late = labels.replace("false", "true").replace("null", "3");
        std::fs::write(folder.path().join("labels.json"), late).unwrap();
        let late = Source::folder(folder.path()).unwrap().case(0).unwrap_err();
        assert!(late.to_string().contains("3 rows"), "{late}");
        std::fs::write(folder.path().join("hv.csv"), "t,a,b\n").unwrap();
        let empty = source.case(0).unwrap_err();
        assert!(empty.to_string().contains("no rows"), "{empty}");
        std::fs::remove_file(folder.path().join("hv.csv")).unwrap();
        let error = format!("{:#}", source.case(0).unwrap_err());
        assert!(error.contains("hv.csv"), "{error}");
    }
}
