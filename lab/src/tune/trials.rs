//! The trials of a search as a file of CSV, from which the search goes on after it was interrupted.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use super::space::{Assignment, Parameter};

/// One combination of values, and its figures on the training half.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    pub values: Assignment,
    /// More is better.
    pub objective: f64,
    /// The figures behind it; what cannot be said is `None`.
    pub figures: Vec<Option<f64>>,
}

/// The columns before those of the parameters: which search it is, and the trial's number.
const FIRST: [&str; 2] = ["search", "trial"];

/// A file that trials are added to.
#[derive(Debug)]
pub struct TrialFile {
    path: PathBuf,
    file: File,
    search: String,
    written: usize,
}

impl TrialFile {
    /// Opens the file of the search with the mark `search`, and gives the trials that are in it. What an interrupted write left
    /// at its end, a line without an end, is cut off.
    ///
    /// # Errors
    /// A file that cannot be read or written, and one that is not of this search.
    pub fn open(
        path: &Path,
        search: &str,
        parameters: &[Parameter],
        figures: &[&str],
    ) -> Result<(Self, Vec<Trial>)> {
        let of_path = || path.display().to_string();
        let mut header: Vec<&str> = FIRST.to_vec();
        header.extend(parameters.iter().map(|p| p.name));
        header.push("objective");
        header.extend(figures);
        let content = match fs::read_to_string(path) {
            Ok(content) => content,
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).with_context(of_path),
        };
        let whole = content.rfind('\n').map_or(0, |end| end + 1);
        ensure!(
            whole > 0 || header.join(",").starts_with(&content),
            "{}: it is no file of trials; give another file with --out",
            of_path()
        );
        let content = &content[..whole];
        let trials = read(content, search, &header, parameters.len()).with_context(of_path)?;
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .with_context(of_path)?;
        file.set_len(whole as u64).with_context(of_path)?;
        let mut file = Self {
            path: path.to_owned(),
            file,
            search: search.to_owned(),
            written: trials.len(),
        };
        if whole == 0 {
            file.write(&[header])?;
        }
        Ok((file, trials))
    }

    /// Adds trials.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn add(&mut self, trials: &[Trial]) -> Result<()> {
        let record = |(at, trial): (usize, &Trial)| {
            let mut cells = vec![self.search.clone(), (self.written + at).to_string()];
            cells.extend(trial.values.iter().cloned());
            cells.push(trial.objective.to_string());
            let figures = trial.figures.iter();
            cells.extend(figures.map(|f| f.map_or_else(String::new, |f| f.to_string())));
            cells
        };
        let records: Vec<Vec<String>> = trials.iter().enumerate().map(record).collect();
        self.write(&records)?;
        self.written += trials.len();
        Ok(())
    }

    fn write<T: AsRef<[u8]>>(&mut self, records: &[Vec<T>]) -> Result<()> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        for record in records {
            writer.write_record(record)?;
        }
        let bytes = writer
            .into_inner()
            .map_err(|error| error.into_error())
            .with_context(|| self.path.display().to_string())?;
        self.file
            .write_all(&bytes)
            .with_context(|| self.path.display().to_string())
    }
}

fn read(content: &str, search: &str, header: &[&str], parameters: usize) -> Result<Vec<Trial>> {
    if content.is_empty() {
        return Ok(Vec::new());
    }
    let mut reader = csv::Reader::from_reader(content.as_bytes());
    let other = "give another file with --out, or the arguments that it was made with";
    let found: Vec<String> = reader.headers()?.iter().map(str::to_owned).collect();
    ensure!(
        found == header,
        "it has the columns {}, this search {}; {other}",
        found.join(","),
        header.join(",")
    );
    let mut trials = Vec::new();
    for record in reader.records() {
        let record = record?;
        ensure!(
            &record[0] == search,
            "it is of a search over other data, with another objective, seed or version (its mark is {}, this one's {search}); \
             {other}",
            &record[0]
        );
        let number = |cell: &str| -> Result<f64> {
            let number: f64 = cell
                .parse()
                .ok()
                .filter(|number: &f64| number.is_finite())
                .with_context(|| format!("trial {}: \"{cell}\" is no number", trials.len()))?;
            Ok(number)
        };
        ensure!(
            record[1] == trials.len().to_string(),
            "the line after trial {} is one of trial \"{}\"; trials are numbered from 0 on",
            trials.len() as i64 - 1,
            &record[1]
        );
        let values = FIRST.len()..FIRST.len() + parameters;
        let objective = number(&record[values.end])?;
        let figures = record.iter().skip(values.end + 1);
        let figures = figures
            .map(|cell| (!cell.is_empty()).then(|| number(cell)).transpose())
            .collect::<Result<_>>()?;
        trials.push(Trial {
            values: values.map(|at| record[at].to_owned()).collect(),
            objective,
            figures,
        });
    }
    Ok(trials)
}

#[cfg(test)]
mod tests {
    use super::super::space::parameter;
    use super::*;
    use bellwether_core::had::HadOptions;

    fn open(path: &Path, search: &str) -> Result<(TrialFile, Vec<Trial>)> {
        let parameters = [parameter::<HadOptions>("iad_window_sz").unwrap()];
        TrialFile::open(path, search, &parameters, &["f1", "delay"])
    }

    fn trial(window: &str, objective: f64) -> Trial {
        Trial {
            values: vec![window.to_owned()],
            objective,
            figures: vec![Some(0.1 + 0.2), None],
        }
    }

    #[test]
    fn trials_are_read_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trials.csv");
        let all = [trial("60", 1.0 / 3.0), trial("30", -2.5)];
        let (mut file, before) = open(&path, "s").unwrap();
        assert!(before.is_empty());
        file.add(&all[..1]).unwrap();
        drop(file);
        let (mut file, before) = open(&path, "s").unwrap();
        assert_eq!(before, all[..1]);
        file.add(&all[1..]).unwrap();
        assert_eq!(open(&path, "s").unwrap().1, all);
    }

    #[test]
    fn a_line_that_was_cut_off_is_written_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trials.csv");
        let (mut file, _) = open(&path, "s").unwrap();
        file.add(&[trial("60", 0.25), trial("30", 0.125)]).unwrap();
        let whole = fs::read_to_string(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 3]).unwrap();
        let (mut file, before) = open(&path, "s").unwrap();
        assert_eq!(before, [trial("60", 0.25)]);
        file.add(&[trial("30", 0.125)]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), whole);
    }

    #[test]
    fn a_file_of_another_search_is_refused_and_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trials.csv");
        let (mut file, _) = open(&path, "s").unwrap();
        file.add(&[trial("60", 0.25)]).unwrap();
        let error = format!("{:#}", open(&path, "other").unwrap_err());
        assert!(
            error.contains("trials.csv") && error.contains("--out"),
            "{error}"
        );
        let notes = folder.path().join("notes.csv");
        fs::write(&notes, "a,b\n1,2\n3").unwrap();
        let error = format!("{:#}", open(&notes, "s").unwrap_err());
        assert!(error.contains("columns a,b"), "{error}");
        assert_eq!(fs::read_to_string(&notes).unwrap(), "a,b\n1,2\n3");
        fs::write(&notes, "a note").unwrap();
        let error = open(&notes, "s").unwrap_err().to_string();
        assert!(error.contains("no file of trials"), "{error}");
        assert_eq!(fs::read_to_string(&notes).unwrap(), "a note");
    }
}
