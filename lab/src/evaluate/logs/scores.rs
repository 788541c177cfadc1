//! Scores that some detector gave, read from a file.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use bellwether_records::files::decoded;
use serde::Deserialize;

use super::labels::Label;

/// A line of the file.
#[derive(Deserialize)]
struct Line {
    series: String,
    index: usize,
    score: f64,
}

/// The scores of each labeled series in a file of lines such as `{"series": NAME, "index": RECORD, "score": S}`, plain or
/// gzip; a record without a line has 0. Lines of series without a label, and of records beyond a series' end, do not count;
/// `warn` gets the warnings.
///
/// # Errors
/// A file that cannot be read, and a line that is no such JSON or whose score is no number.
pub fn read(
    path: &Path,
    labels: &[Label],
    warn: impl FnOnce(&str),
) -> Result<BTreeMap<String, Vec<f64>>> {
    let of_path = || path.display().to_string();
    let lengths: BTreeMap<&str, usize> = labels.iter().map(|l| (&*l.name, l.records)).collect();
    let mut all: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    let (mut unlabeled, mut beyond) = (0, 0);
    let lines = BufReader::new(decoded(path).with_context(of_path)?).lines();
    for (number, line) in lines.enumerate() {
        let line = line.with_context(of_path)?;
        if line.trim().is_empty() {
            continue;
        }
        let of_line = || format!("{}: line {}", of_path(), number + 1);
        let line: Line = serde_json::from_str(&line).with_context(|| {
            format!(
                "{}: it takes {{\"series\": NAME, \"index\": RECORD, \"score\": S}}",
                of_line()
            )
        })?;
        ensure!(
            line.score.is_finite(),
            "{}: the score {} is no finite number",
            of_line(),
            line.score
        );
        let Some(&length) = lengths.get(&*line.series) else {
            unlabeled += 1;
            continue;
        };
        let scores = all.entry(line.series).or_insert_with(|| vec![0.0; length]);
        match scores.get_mut(line.index) {
            Some(score) => *score = line.score,
            None => beyond += 1,
        }
    }
    if unlabeled + beyond > 0 {
        warn(&format!(
            "{}: scores that do not count: {unlabeled} of series without a label, {beyond} of records beyond the end of their series",
            of_path()
        ));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(content: &str) -> (Result<BTreeMap<String, Vec<f64>>>, String) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        let label = Label {
            name: "a/b".into(),
            scenario: "benign".into(),
            host: None,
            records: 3,
            fault: None,
        };
        let mut warning = String::new();
        let read = read(file.path(), &[label], |text| warning.push_str(text));
        (read, warning)
    }

    #[test]
    fn records_without_a_line_score_nothing_and_lines_that_do_not_count_are_told_of() {
        let (read, warning) = scores(
            "{\"series\": \"a/b\", \"index\": 1, \"score\": 0.5}\n\n\
             {\"series\": \"a/b\", \"index\": 3, \"score\": 0.5}\n\
             {\"series\": \"c\", \"index\": 0, \"score\": 1}\n",
        );
        assert_eq!(
            read.unwrap(),
            BTreeMap::from([("a/b".into(), vec![0.0, 0.5, 0.0])])
        );
        assert!(
            warning.contains("1 of series without a label, 1 of records beyond"),
            "{warning}"
        );
    }

    #[test]
    fn a_line_that_is_no_score_is_named() {
        let (error, _) =
            scores("{\"series\": \"a/b\", \"index\": 1, \"score\": 0.5}\n{\"index\": 1}\n");
        let error = format!("{:#}", error.unwrap_err());
        assert!(
            error.contains("line 2") && error.contains("NAME"),
            "{error}"
        );
    }
}
