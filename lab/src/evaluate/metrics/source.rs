//! The hypervisors that a detector is evaluated on: generated in memory, or files with labels beside them.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use bellwether_records::series::Series;

use crate::generate::metrics::label::{Label, Labels};
use crate::generate::metrics::plan::{Case, CaseArguments, Plan};

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
                ..
            } => {
                let (name, label) = &hypervisors[at];
                read(&file(folder, name)?, name, label)
            }
        }
    }
}

/// The file of the hypervisor `name`, plain or compressed.
///
/// # Errors
/// There is none.
pub fn file(folder: &Path, name: &str) -> Result<PathBuf> {
    let files = [".csv", ".csv.gz"].map(|ending| folder.join(format!("{name}{ending}")));
    files.into_iter().find(|file| file.exists()).with_context(|| {
        format!(
            "{}: there is a label of the hypervisor \"{name}\" and no file {name}.csv or {name}.csv.gz",
            folder.display()
        )
    })
}

fn read(file: &Path, name: &str, label: &Label) -> Result<Case> {
    let mut series = Series::open(file, false)?;
    let mut values = vec![Vec::new(); series.vms().len()];
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
        values,
    })
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
        let case = source.case(0).unwrap();
        assert_eq!((case.values[0][0], case.values[1][2]), (1.0, 4.0));
        assert!(case.values[1][0].is_nan() && case.values[0][1].is_nan());
        assert_eq!(case.label.samples, Some(3));
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
