//! Recorded logs: files of lines, plain or gzip.

use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use crate::series::decoded;

/// How a file of log lines in a folder is named.
const ENDINGS: [&str; 3] = [".log", ".txt", ".gz"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// The files that `paths` stand for: files themselves, folders by what is in them (not below), sorted by name.
///
/// # Errors
/// A path that does not exist, and a folder without any file of log lines.
pub fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        let of_path = || path.display().to_string();
        if !path.metadata().with_context(of_path)?.is_dir() {
            files.push(path.clone());
            continue;
        }
        let mut inside = Vec::new();
        for entry in path.read_dir().with_context(of_path)? {
            let file = entry.with_context(of_path)?.path();
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            if file.is_file() && ENDINGS.iter().any(|ending| name.ends_with(ending)) {
                inside.push(file);
            }
        }
        ensure!(
            !inside.is_empty(),
            "{}: no file named *.log, *.txt or *.gz in this folder",
            of_path()
        );
        inside.sort();
        files.append(&mut inside);
    }
    Ok(files)
}

/// Calls `each` with every line of a file, without its end; bytes that are no UTF-8 are replaced.
///
/// # Errors
/// A file that cannot be read, and what `each` says.
pub fn each_line(path: &Path, mut each: impl FnMut(&str) -> Result<()>) -> Result<()> {
    let of_path = || path.display().to_string();
    let mut reader: BufReader<Box<dyn Read>> = BufReader::new(decoded(path).with_context(of_path)?);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).with_context(of_path)? > 0 {
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        each(&String::from_utf8_lossy(
            text.strip_suffix(b"\r").unwrap_or(text),
        ))?;
        line.clear();
    }
    Ok(())
}

/// The message of a line: of one that begins with a time, what follows the source and its colon; else the whole line.
pub fn message(line: &str) -> &str {
    let rest = line
        .strip_prefix('<')
        .and_then(|rest| rest.split_once('>'))
        .map_or(line, |(_, rest)| rest);
    let has_time = begins_with_date(rest) || MONTHS.iter().any(|month| rest.starts_with(month));
    match rest.split_once(": ") {
        Some((_, message)) if has_time => message,
        _ => line,
    }
}

/// Whether `text` begins as 2024-03-05T does, or with the version of RFC 5424 and that.
fn begins_with_date(text: &str) -> bool {
    let text = text.strip_prefix("1 ").unwrap_or(text).as_bytes();
    let digits = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
    text.len() > 10
        && digits(&text[..4])
        && text[4] == b'-'
        && digits(&text[5..7])
        && text[7] == b'-'
        && digits(&text[8..10])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_what_follows_the_source() {
        for (line, text) in [
            (
                "2024-03-05T07:25:47.000000+00:00 host-20 kernel: [ 5464.511983] device: up",
                "[ 5464.511983] device: up",
            ),
            (
                "Mar  5 07:25:47 host sshd[13549]: Failed password",
                "Failed password",
            ),
            (
                "<34>Oct 11 22:14:15 host su: 'su root' failed",
                "'su root' failed",
            ),
            (
                "<13>1 2003-10-11T22:14:15.003Z host app: started",
                "started",
            ),
            ("error: no such file", "error: no such file"),
            (
                "2024-03-05T07:25:47Z nothing more",
                "2024-03-05T07:25:47Z nothing more",
            ),
            ("", ""),
        ] {
            assert_eq!(message(line), text, "{line}");
        }
    }

    #[test]
    fn lines_are_read_whatever_their_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.log");
        std::fs::write(&file, b"one\r\n\xfftwo\n\nthree").unwrap();
        let mut lines = Vec::new();
        each_line(&file, |line| {
            lines.push(line.to_owned());
            Ok(())
        })
        .unwrap();
        assert_eq!(lines, ["one", "\u{fffd}two", "", "three"]);
        assert_eq!(files(&[folder.path().to_owned()]).unwrap(), [file]);
    }
}
