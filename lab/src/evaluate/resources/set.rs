//! Labeled rows of machines: data sets in the layout of SMD.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};

/// The largest number of values of a file: more is not one of these data sets.
const VALUES_MAX: usize = 200_000_000;

/// The rows of one machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    /// The name of its files, without ".txt".
    pub name: String,
    /// The number of channels.
    pub channels: usize,
    /// Rows without labels, one after the other.
    pub train: Vec<f64>,
    /// Rows with labels, one after the other.
    pub test: Vec<f64>,
    /// Whether each row of `test` is an anomaly.
    pub labels: Vec<bool>,
}

impl Machine {
    /// All rows in the order of time, those without labels first.
    pub fn rows(&self) -> impl Iterator<Item = &[f64]> {
        let train = self.train.chunks_exact(self.channels);
        train.chain(self.test.chunks_exact(self.channels))
    }

    /// The number of rows without labels.
    pub fn train_rows(&self) -> usize {
        self.train.len() / self.channels
    }
}

/// Reads a folder with the subfolders "train", "test" and "test_label" (as SMD of OmniAnomaly; Su et al. 2019). Each has a file
/// NAME.txt for each machine: a row per line, values separated by commas; a label per line, 0 or 1.
///
/// # Errors
/// What is missing or wrong, and where.
pub fn read(folder: &Path) -> Result<Vec<Machine>> {
    let train = folder.join("train");
    let entries = fs::read_dir(&train).with_context(|| {
        format!(
            "{}: a data set is a folder with \"train\", \"test\" and \"test_label\", each with a file NAME.txt per machine",
            train.display()
        )
    })?;
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        if let Some(name) = name.strip_suffix(".txt") {
            names.push(name.to_owned());
        }
    }
    // "omi-2" comes before "omi-10".
    names.sort_by_key(|name| (name.len(), name.clone()));
    ensure!(
        !names.is_empty(),
        "{}: there is no file NAME.txt",
        train.display()
    );
    names
        .into_iter()
        .map(|name| machine(folder, name))
        .collect()
}

fn machine(folder: &Path, name: String) -> Result<Machine> {
    let file = |part: &str| folder.join(part).join(format!("{name}.txt"));
    let (train, channels) = rows(&file("train"))?;
    let (test, others) = rows(&file("test"))?;
    ensure!(
        others == channels,
        "{}: {others} values per row, and {channels} in \"train\"",
        file("test").display()
    );
    let (labels, one) = rows(&file("test_label"))?;
    ensure!(
        one == 1 && labels.len() == test.len() / channels,
        "{}: {} labels for {} rows",
        file("test_label").display(),
        labels.len(),
        test.len() / channels
    );
    Ok(Machine {
        labels: labels.iter().map(|label| *label != 0.0).collect(),
        name,
        channels,
        train,
        test,
    })
}

/// The numbers of a file, and how many each line has.
fn rows(path: &Path) -> Result<(Vec<f64>, usize)> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let (mut values, mut width) = (Vec::new(), None);
    for (at, line) in (1..).zip(text.lines()) {
        let before = values.len();
        for word in line.split(',') {
            match word.trim().parse::<f64>() {
                Ok(value) => values.push(value),
                Err(_) => bail!("{}:{at}: \"{word}\" is not a number", path.display()),
            }
        }
        let found = values.len() - before;
        let expected = *width.get_or_insert(found);
        ensure!(
            found == expected,
            "{}:{at}: {found} values, and {expected} in the lines before",
            path.display()
        );
        ensure!(
            values.len() <= VALUES_MAX,
            "{}: more than {VALUES_MAX} values",
            path.display()
        );
    }
    match width {
        Some(width) => Ok((values, width)),
        None => bail!("{}: it is empty", path.display()),
    }
}
