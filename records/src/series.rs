//! The metrics of one hypervisor as recorded: a CSV file, plain or gzip, with a row per interval and a column per VM.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

use crate::files::{self, decoded, stem};

/// The times of later rows are not distinct in floating point any more.
const LAST_ROW: u64 = 1 << 40;

/// A file of recorded metrics, open for reading row by row.
pub struct Series {
    path: PathBuf,
    reader: csv::Reader<Box<dyn Read>>,
    record: csv::StringRecord,
    vms: Vec<String>,
    lenient: bool,
    last_row: Option<u64>,
    /// Invalid cells that were read as missing samples.
    pub bad_cells: u64,
}

impl Series {
    /// Opens the file and reads its header. With `lenient`, an invalid cell is read as a missing sample.
    ///
    /// # Errors
    /// A file that cannot be read, or whose first line is not `t` and the names of VMs.
    pub fn open(path: &Path, lenient: bool) -> Result<Self> {
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .trim(csv::Trim::All)
            .from_reader(decoded(path).with_context(|| path.display().to_string())?);
        let mut series = Self {
            path: path.to_owned(),
            reader,
            record: csv::StringRecord::new(),
            vms: Vec::new(),
            lenient,
            last_row: None,
            bad_cells: 0,
        };
        series.read_header()?;
        Ok(series)
    }

    fn read_header(&mut self) -> Result<()> {
        let found = self.read_record()?;
        let place = format!("{}, line 1", self.path.display());
        ensure!(
            found,
            "{place}: the file is empty; it takes a first line with \"t\" and the names of the VMs"
        );
        let mut names = self.record.iter();
        let first = names.next().unwrap_or_default();
        ensure!(
            first == "t",
            "{place}: the first column is \"{first}\"; it has to be \"t\", the number of the row"
        );
        let mut seen = std::collections::HashSet::new();
        for (column, name) in names.enumerate() {
            ensure!(
                !name.is_empty(),
                "{place}, column {}: a VM without a name",
                column + 2
            );
            ensure!(
                seen.insert(name),
                "{place}, column {}: the VM \"{name}\" is there twice",
                column + 2
            );
        }
        self.vms = self.record.iter().skip(1).map(str::to_owned).collect();
        ensure!(
            !self.vms.is_empty(),
            "{place}: there is no column of a VM beside \"t\""
        );
        Ok(())
    }

    /// The names of the VMs, in the order of the columns.
    pub fn vms(&self) -> &[String] {
        &self.vms
    }

    /// Reads the next row: returns its number and fills `values` with one value per VM, `None` where it is missing. Returns
    /// `None` at the end of the file.
    ///
    /// # Errors
    /// What is wrong with the file, the row or, unless lenient, a cell, and where.
    pub fn next_row(&mut self, values: &mut Vec<Option<f64>>) -> Result<Option<u64>> {
        if !self.read_record()? {
            return Ok(None);
        }
        let (cells, columns) = (self.record.len(), self.vms.len() + 1);
        ensure!(
            cells == columns,
            "{}: {cells} cells; the first line has {columns}",
            self.place()
        );
        let number = &self.record[0];
        let row = match number.parse::<u64>() {
            Ok(row) if row <= LAST_ROW => row,
            _ => bail!(
                "{}, column t: \"{number}\" is not the number of a row, a whole number from 0 on",
                self.place()
            ),
        };
        if let Some(last) = self.last_row
            && row <= last
        {
            bail!(
                "{}, column t: {row} comes after {last}; the numbers of the rows have to rise",
                self.place()
            );
        }
        self.last_row = Some(row);

        values.clear();
        let mut bad_cells = 0;
        for (vm, cell) in self.vms.iter().zip(self.record.iter().skip(1)) {
            values.push(match cell.parse::<f64>() {
                Ok(value) if value.is_finite() && value >= 0.0 => Some(value),
                _ if cell.is_empty() => None,
                _ if self.lenient => {
                    bad_cells += 1;
                    None
                }
                _ => bail!(
                    "{}, row {row}, column {vm}: \"{cell}\" is not a value; it takes a finite number that is not negative, \
                     or nothing where the sample is missing (--lenient reads it as missing)",
                    self.place()
                ),
            });
        }
        self.bad_cells += bad_cells;
        Ok(Some(row))
    }

    fn read_record(&mut self) -> Result<bool> {
        self.reader
            .read_record(&mut self.record)
            .with_context(|| self.path.display().to_string())
    }

    /// The position of the current record: file and line.
    fn place(&self) -> String {
        let line = self.record.position().map_or(0, csv::Position::line);
        format!("{}, line {line}", self.path.display())
    }
}

/// The endings of the names of files with metrics, also before `.gz`.
const ENDINGS: &[&str] = &[".csv"];

/// The files of metrics that `paths` name ([`files::files`]).
///
/// # Errors
/// A path that does not exist, and a folder without a file of metrics.
pub fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    files::files(paths, ENDINGS)
}

/// The hypervisor that a file is of: the file's name without its folder, `.gz` and `.csv`.
pub fn hypervisor(file: &Path) -> String {
    stem(file, ENDINGS)
}

/// Refuses two files of one hypervisor.
///
/// # Errors
/// Two such files.
pub fn refuse_duplicates(files: &[PathBuf]) -> Result<()> {
    files::refuse_duplicates(files, hypervisor, "of the hypervisor")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    type Rows = Vec<(u64, Vec<Option<f64>>)>;

    fn read(content: &[u8], lenient: bool) -> Result<(Rows, u64)> {
        let mut file = tempfile::NamedTempFile::new()?;
        file.write_all(content)?;
        let mut series = Series::open(file.path(), lenient)?;
        let (mut rows, mut values) = (Vec::new(), Vec::new());
        while let Some(row) = series.next_row(&mut values)? {
            rows.push((row, values.clone()));
        }
        Ok((rows, series.bad_cells))
    }

    fn error(content: &str) -> String {
        format!("{:#}", read(content.as_bytes(), false).unwrap_err())
    }

    #[test]
    fn a_cell_is_a_value_or_a_missing_sample() {
        let (rows, bad) = read(b"t,a,b\n0,1.5,\n1, 2 ,0\n4,,\n", false).unwrap();
        assert_eq!(
            rows,
            [
                (0, vec![Some(1.5), None]),
                (1, vec![Some(2.0), Some(0.0)]),
                (4, vec![None, None])
            ]
        );
        assert_eq!(bad, 0);
    }

    #[test]
    fn a_gzip_file_reads_as_what_it_holds() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(b"t,a\n0,1\n").unwrap();
        let (rows, _) = read(&encoder.finish().unwrap(), false).unwrap();
        assert_eq!(rows, [(0, vec![Some(1.0)])]);
    }

    #[test]
    fn an_error_says_where_and_what_would_be_right() {
        for (content, says) in [
            ("", "line 1: the file is empty"),
            (
                "time,a\n",
                "the first column is \"time\"; it has to be \"t\"",
            ),
            ("t\n", "no column of a VM"),
            ("t,a,a\n", "column 3: the VM \"a\" is there twice"),
            ("t,a,\n", "column 3: a VM without a name"),
            ("t,a\n0,1,2\n", "line 2: 3 cells; the first line has 2"),
            (
                "t,a\n0,1\nx,2\n",
                "line 3, column t: \"x\" is not the number of a row",
            ),
            ("t,a\n3,1\n3,2\n", "line 3, column t: 3 comes after 3"),
            (
                "t,a\n0,1\n1,-2\n",
                "line 3, row 1, column a: \"-2\" is not a value",
            ),
            (
                "t,a\n0,nan\n",
                "column a: \"nan\" is not a value; it takes a finite number",
            ),
        ] {
            let error = error(content);
            assert!(error.contains(says), "{content:?}: {error}");
        }
    }

    #[test]
    fn lenient_reads_bad_cells_as_missing_and_counts_them() {
        let (rows, bad) = read(b"t,a,b\n0,x,-1\n1,2,3\n", true).unwrap();
        assert_eq!(rows[0].1, [None, None]);
        assert_eq!(bad, 2);
    }

    #[test]
    fn a_hypervisor_is_named_by_its_file() {
        for (file, name) in [
            ("a/hv1.csv", "hv1"),
            ("hv1.example.org.csv.gz", "hv1.example.org"),
            ("hv1", "hv1"),
        ] {
            assert_eq!(hypervisor(Path::new(file)), name);
        }
    }
}
