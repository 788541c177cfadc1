//! Series to run a detector over: log lines, or log keys that were found and classified elsewhere.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use anyhow::Result;
use bellwether_core::lad::{Detector, LadOptions, Record, Sequence, inference};
use bellwether_records::keys;
use bellwether_records::logs::{self, Record as Line};
use rayon::prelude::*;

/// Series, held in memory so that many detectors can be run over them.
pub enum Corpus {
    /// Lines by series.
    Text(Vec<(String, TextSeries)>),
    /// Log keys by series, and the failing keys.
    Keys {
        series: Vec<(String, Vec<u64>)>,
        faulty: HashSet<u64>,
    },
}

/// The lines of one series.
pub struct TextSeries(Vec<Line>);

/// What a detector makes of one series, record by record.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observations {
    /// 0 to 1.
    pub scores: Vec<f64>,
    /// Log keys: numbers of templates.
    pub keys: Vec<u64>,
    /// How severe what they say is, 0 to 1.
    pub severities: Vec<f64>,
}

impl Corpus {
    /// Reads the log files that `paths` stand for; `year` is that of times that have none. Files of series without one of the
    /// names in `wanted` are not read.
    ///
    /// # Errors
    /// Files that cannot be read, and two of one series.
    pub fn read_text(paths: &[PathBuf], year: Option<i16>, wanted: &HashSet<&str>) -> Result<Self> {
        let mut files = logs::files(paths)?;
        logs::refuse_duplicates(&files)?;
        files.retain(|file| wanted.contains(&*logs::series(file)));
        let read = |file: &PathBuf| {
            let mut lines: Vec<Line> = Vec::new();
            logs::each_record(file, year, |line| {
                // Labels count lines: one that is no record is an empty one.
                while (lines.len() as u64) < line.index {
                    let before = lines.last().unwrap_or(line);
                    lines.push(Line {
                        text: String::new(),
                        ..before.clone()
                    });
                }
                lines.push(line.clone());
                Ok(())
            })?;
            Ok((logs::series(file), TextSeries(lines)))
        };
        Ok(Self::Text(
            files.par_iter().map(read).collect::<Result<_>>()?,
        ))
    }

    /// Reads log keys, of which those in `faulty` are failures, as `replay keys` does.
    ///
    /// # Errors
    /// Files that cannot be read or have another form.
    pub fn read_keys(keys: &Path, faulty: HashSet<u64>, wanted: &HashSet<&str>) -> Result<Self> {
        let mut series: Vec<_> = keys::series(keys)?.into_iter().collect();
        series.retain(|(name, _)| wanted.contains(&**name));
        Ok(Self::Keys { series, faulty })
    }

    /// The names of the series.
    pub fn names(&self) -> Vec<&str> {
        match self {
            Corpus::Text(series) => series.iter().map(|(name, _)| &**name).collect(),
            Corpus::Keys { series, .. } => series.iter().map(|(name, _)| &**name).collect(),
        }
    }

    /// The series whose names `first` picks, and the others.
    pub fn partition(self, first: impl Fn(&str) -> bool) -> (Self, Self) {
        match self {
            Corpus::Text(series) => {
                let (one, other) = series.into_iter().partition(|(name, _)| first(name));
                (Corpus::Text(one), Corpus::Text(other))
            }
            Corpus::Keys { series, faulty } => {
                let (one, other) = series.into_iter().partition(|(name, _)| first(name));
                let keys = |series| Corpus::Keys {
                    series,
                    faulty: faulty.clone(),
                };
                (keys(one), keys(other))
            }
        }
    }

    /// Runs a detector with `options` over each series, several at a time.
    ///
    /// # Errors
    /// Options that contradict each other, and a lexicon that cannot be read.
    pub fn observe(&self, options: &LadOptions) -> Result<BTreeMap<String, Observations>> {
        options.validate()?;
        match self {
            Corpus::Text(series) => {
                let inference = inference(options)?;
                let run = |(name, lines): &(String, TextSeries)| {
                    let detector = Detector::with_inference(options.clone(), inference.clone())?;
                    Ok((name.clone(), lines.observe(name, detector)))
                };
                series.par_iter().map(run).collect()
            }
            Corpus::Keys { series, faulty } => {
                let run = |(name, keys): &(String, Vec<u64>)| {
                    (name.clone(), observe_keys(keys, faulty, options))
                };
                Ok(series.par_iter().map(run).collect())
            }
        }
    }
}

impl TextSeries {
    /// The messages of its lines.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|line| &*line.text)
    }

    fn observe(&self, name: &str, mut detector: Detector) -> Observations {
        let mut observations = Observations::default();
        for line in &self.0 {
            let observed = detector.observe(&Record {
                stream: name,
                ..line.observation()
            });
            while detector.next_event().is_some() {}
            observations.scores.push(observed.score.get());
            observations.keys.push(observed.template_id);
            observations.severities.push(observed.severity.get());
        }
        observations
    }
}

fn observe_keys(keys: &[u64], faulty: &HashSet<u64>, options: &LadOptions) -> Observations {
    let severity = |key: &u64| f64::from(u8::from(faulty.contains(key)));
    let severities: Vec<f64> = keys.iter().map(severity).collect();
    Observations {
        scores: observe_sequence(keys, &severities, options),
        keys: keys.to_vec(),
        severities,
    }
}

/// The scores of a sequence of log keys, each with how severe its record is.
pub fn observe_sequence(keys: &[u64], severities: &[f64], options: &LadOptions) -> Vec<f64> {
    let mut sequence = Sequence::new(options);
    let records = keys.iter().zip(severities);
    records
        .map(|(&key, &severity)| {
            let failure = severity >= options.severity_threshold;
            sequence.observe(options, key, severity, failure).score
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_keys_of_the_same_records_come_to_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let mut lines = String::new();
        for second in 0..300 {
            let text = match second % 100 {
                99 => "Out of memory: Killed process 17 (qemu)",
                n if n % 2 == 0 => "session opened",
                _ => "session closed",
            };
            let clock = format!("{:02}:{:02}", second / 60, second % 60);
            lines += &format!("2024-02-05T12:{clock}Z host-1 kernel: {text}\n");
        }
        let log = folder.path().join("oom__1.log");
        std::fs::write(&log, lines).unwrap();
        std::fs::write(folder.path().join("other.log"), "session opened\n").unwrap();
        let options = LadOptions::default();
        let wanted = HashSet::from(["oom/1"]);
        let paths = [folder.path().to_owned()];
        let text = Corpus::read_text(&paths, None, &wanted).unwrap();
        let text = text.observe(&options).unwrap();
        assert_eq!(text.keys().collect::<Vec<_>>(), ["oom/1"]);
        let text = &text["oom/1"];

        let keys = folder.path().join("keys.json");
        std::fs::write(&keys, serde_json::json!({"oom/1": text.keys}).to_string()).unwrap();
        let given = Corpus::read_keys(&keys, HashSet::from([text.keys[99]]), &wanted).unwrap();
        let given = given.observe(&options).unwrap();
        let alarms = |observations: &Observations| -> Vec<usize> {
            let scores = observations.scores.iter().enumerate();
            scores.filter(|s| *s.1 > 0.0).map(|s| s.0).collect()
        };
        assert_eq!(alarms(text), [99, 199, 299]);
        assert_eq!(alarms(&given["oom/1"]), alarms(text));
    }

    #[test]
    fn a_line_that_is_no_record_counts_as_one_for_labels() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("a.log");
        let line = "2024-02-05T12:00:00Z h kernel: Out of memory: Killed process 17 (qemu)\n";
        std::fs::write(&log, format!("-- Boot 0 --\n\n{line}")).unwrap();
        let corpus = Corpus::read_text(&[log], None, &HashSet::from(["a"])).unwrap();
        let found = corpus.observe(&LadOptions::default()).unwrap();
        let failing: Vec<bool> = found["a"].scores.iter().map(|score| *score > 0.0).collect();
        assert_eq!(failing, [false, false, true]);
    }
}
