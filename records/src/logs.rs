//! Recorded logs: files of lines, plain or gzip.

use std::fs;
use std::io::{BufRead, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context as _, Result};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::files::{self, decoded, stem};
use crate::log_line::LogLine;

/// The endings of the names of log files, also before `.gz`.
const ENDINGS: &[&str] = &[".log", ".txt"];
/// Lines are truncated to this length, bytes.
const LINE_MAX_BYTES: u64 = 1 << 20;
/// In a log without years, a time that is this much before the last one is of the next year; seconds.
const HALF_A_YEAR: f64 = 183.0 * 86_400.0;

/// The log files that `paths` name ([`files::files`]).
///
/// # Errors
/// A path that does not exist, and a folder without a log file.
pub fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    files::files(paths, ENDINGS)
}

/// The name of the series in a file: the file's name without its folder and endings, "__" read as "/".
pub fn series(file: &Path) -> String {
    stem(file, ENDINGS).replace("__", "/")
}

/// Refuses two files of one series.
///
/// # Errors
/// Two such files.
pub fn refuse_duplicates(files: &[PathBuf]) -> Result<()> {
    files::refuse_duplicates(files, series, "the series")
}

/// Calls `each` with the time (seconds since the epoch) and the parts of every line of a file. A line without a time takes that
/// of the line before it; returns how many such lines there are. `year` is that of the first time, where times have none; the
/// default is the year in which the file was last modified.
///
/// # Errors
/// A file that cannot be read, and an error of `each`.
pub fn each_record(
    path: &Path,
    year: Option<i16>,
    mut each: impl FnMut(f64, &LogLine<'_>) -> Result<()>,
) -> Result<u64> {
    let year = year.map_or_else(|| year_of(path), Ok);
    let mut year = year.with_context(|| path.display().to_string())?;
    let (mut untimed, mut time) = (0, 0.0_f64);
    each_line(path, |line| {
        let mut parsed = LogLine::parse(line, year);
        if parsed.time.is_some_and(|t| t < time - HALF_A_YEAR) {
            let next = LogLine::parse(line, year + 1);
            if next.time != parsed.time {
                year += 1;
                parsed = next;
            }
        }
        untimed += u64::from(parsed.time.is_none());
        time = parsed.time.unwrap_or(time);
        each(time, &parsed)
    })?;
    Ok(untimed)
}

/// The year in which a file was last modified.
fn year_of(file: &Path) -> Result<i16> {
    let changed = fs::metadata(file)?.modified()?;
    let seconds = changed
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_secs());
    let time = Timestamp::from_second(seconds as i64)?;
    Ok(time.to_zoned(TimeZone::UTC).year())
}

/// Calls `each` with every line of a file, without the line ending. Invalid UTF-8 is replaced.
///
/// # Errors
/// A file that cannot be read, and an error of `each`.
pub fn each_line(path: &Path, mut each: impl FnMut(&str) -> Result<()>) -> Result<()> {
    let of_path = || path.display().to_string();
    let mut reader = BufReader::new(decoded(path).with_context(of_path)?);
    let mut line = Vec::new();
    while next_line(&mut reader, &mut line).with_context(of_path)? {
        each(&String::from_utf8_lossy(&line))?;
    }
    Ok(())
}

/// Reads a line without its ending; `false` at the end of the file.
fn next_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<bool> {
    line.clear();
    let length = reader
        .by_ref()
        .take(LINE_MAX_BYTES)
        .read_until(b'\n', line)?;
    if length == 0 {
        return Ok(false);
    }
    if line.last() != Some(&b'\n') && length as u64 == LINE_MAX_BYTES {
        reader.skip_until(b'\n')?;
    }
    for end in [b'\n', b'\r'] {
        if line.last() == Some(&end) {
            line.pop();
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(content: &[u8]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.log");
        fs::write(&file, content).unwrap();
        assert_eq!(
            files(&[folder.path().to_owned()]).unwrap(),
            std::slice::from_ref(&file)
        );
        let mut lines = Vec::new();
        each_line(&file, |line| {
            lines.push(line.to_owned());
            Ok(())
        })
        .unwrap();
        lines
    }

    #[test]
    fn lines_are_read_whatever_their_bytes() {
        assert_eq!(
            lines(b"one\r\n\xfftwo\n\nthree"),
            ["one", "\u{fffd}two", "", "three"]
        );
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_and_the_next_one_is_whole() {
        let content = format!("one\r\n{}\n\nthree", "x".repeat(3 << 20));
        let lengths: Vec<usize> = lines(content.as_bytes()).iter().map(String::len).collect();
        assert_eq!(lengths, [3, 1 << 20, 0, 5]);
    }

    #[test]
    fn a_series_is_named_by_its_file() {
        assert_eq!(series(Path::new("logs/hdd__2024_x.log.gz")), "hdd/2024_x");
        assert_eq!(series(Path::new("messages")), "messages");
    }
}
