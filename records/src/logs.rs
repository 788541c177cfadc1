//! Recorded logs: their records in the order of time, from one file or from the files of one host.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::files;
pub use crate::log_files::{Found, files, find, series};
use crate::log_files::{Log, LogFile};
use crate::log_reader::LogReader;
pub use crate::log_reader::Record;

/// The most records of one time that are compared with those of other files.
const SAME_TIME_MAX: usize = 1 << 16;

/// Refuses two files of one series.
///
/// # Errors
/// Two such files.
pub fn refuse_duplicates(files: &[PathBuf]) -> Result<()> {
    files::refuse_duplicates(files, series, "the series")
}

/// Calls `each` with every record of one file. `year` is that of the first time, where times have none; the default is the year that
/// fits the time at which the file was last modified.
///
/// # Errors
/// A file that cannot be read, and an error of `each`.
pub fn each_record(
    path: &Path,
    year: Option<i16>,
    mut each: impl FnMut(&Record) -> Result<()>,
) -> Result<()> {
    let file = LogFile {
        path: path.to_owned(),
        series: series(path),
        is_named: true,
    };
    let mut reader = LogReader::open(&file, &file.series, year)?;
    while let Some(record) = reader.next_record()? {
        each(&record)?;
    }
    Ok(())
}

/// A log whose files are read one after the other.
struct Chain<'a> {
    log: &'a Log,
    files: VecDeque<&'a LogFile>,
    reader: Option<LogReader>,
    /// The next record.
    head: Option<Record>,
}

impl Chain<'_> {
    fn advance(&mut self, year: Option<i16>, warnings: &mut Vec<String>) -> Result<()> {
        loop {
            if let Some(reader) = &mut self.reader {
                self.head = reader.next_record()?;
                if self.head.is_some() {
                    return Ok(());
                }
                warnings.append(&mut reader.warnings());
            }
            let before = self.reader.take();
            let Some(file) = self.files.pop_front() else {
                return Ok(());
            };
            match LogReader::open(file, &self.log.name, year) {
                Ok(mut reader) => {
                    // A year that the user gave is that of the oldest file.
                    if let Some(before) = before.as_ref().filter(|_| year.is_some()) {
                        reader.continues(before);
                    }
                    self.reader = Some(reader);
                }
                // Nobody asked for this file, and the others of its folder can be read.
                Err(error) if !file.is_named => warnings.push(format!("{error:#}; left out")),
                Err(error) => return Err(error),
            }
        }
    }
}

/// The records of logs that are read together, merged by time. Of every log, one file is open and one record is held.
pub struct Records<'a> {
    chains: Vec<Chain<'a>>,
    year: Option<i16>,
    is_begun: bool,
    /// The time of the last record, and how many there were of each in which log.
    same_time: (f64, HashMap<u64, Vec<(usize, u64)>>),
    repeated: u64,
    warnings: Vec<String>,
}

impl<'a> Records<'a> {
    /// The records of these logs; `year` is as for [`each_record`].
    pub fn new(logs: &'a [Log], year: Option<i16>) -> Self {
        let chain = |log: &'a Log| Chain {
            log,
            files: log.files.iter().collect(),
            reader: None,
            head: None,
        };
        Self {
            chains: logs.iter().map(chain).collect(),
            year,
            is_begun: false,
            same_time: (f64::NAN, HashMap::new()),
            repeated: 0,
            warnings: Vec::new(),
        }
    }

    /// The next record; `None` at the end. A record that two of the logs hold is given once.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn next_record(&mut self) -> Result<Option<Record>> {
        // A pipe may have nothing more to say for long: a single log is read on only when its next record is wanted.
        if let [chain] = &mut self.chains[..] {
            chain.advance(self.year, &mut self.warnings)?;
            return Ok(chain.head.take());
        }
        if !self.is_begun {
            self.is_begun = true;
            for chain in &mut self.chains {
                chain.advance(self.year, &mut self.warnings)?;
            }
        }
        loop {
            let heads = self.chains.iter().enumerate();
            let times = heads.filter_map(|(at, chain)| Some((at, chain.head.as_ref()?.time)));
            // The first of the earliest: the order of the files decides where times are the same.
            let Some((at, _)) = times.min_by(|a, b| a.1.total_cmp(&b.1)) else {
                return Ok(None);
            };
            let chain = &mut self.chains[at];
            let record = chain.head.take();
            chain.advance(self.year, &mut self.warnings)?;
            match record {
                Some(record) if self.is_repeated(at, &record) => self.repeated += 1,
                record => return Ok(record),
            }
        }
    }

    /// Whether another log had this record already: syslog daemons write what the kernel says to several files.
    fn is_repeated(&mut self, log: usize, record: &Record) -> bool {
        let (time, counts) = &mut self.same_time;
        if *time != record.time || counts.len() >= SAME_TIME_MAX {
            *time = record.time;
            counts.clear();
        }
        let mut hasher = DefaultHasher::new();
        (&record.host, &record.program, &record.text).hash(&mut hasher);
        let counts = counts.entry(hasher.finish()).or_default();
        let others = counts
            .iter()
            .filter(|(of, _)| *of != log)
            .map(|(_, count)| *count)
            .max();
        let own = match counts.iter_mut().find(|(of, _)| *of == log) {
            Some((_, count)) => {
                *count += 1;
                *count
            }
            None => {
                counts.push((log, 1));
                1
            }
        };
        others.is_some_and(|others| own <= others)
    }

    /// What the user should know about the files that were read.
    pub fn warnings(self) -> Vec<String> {
        let mut warnings = self.warnings;
        if self.repeated > 0 {
            let names: Vec<&str> = self.chains.iter().map(|chain| &*chain.log.name).collect();
            warnings.push(format!(
                "{}: records that several of them hold, taken once: {}",
                names.join(", "),
                self.repeated
            ));
        }
        warnings
    }
}
