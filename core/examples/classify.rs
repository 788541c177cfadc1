//! Classifies each line of standard input with the lexicon; prints severity, family, reason and line, separated by tabs.
//!
//! Lines without a finding are omitted, unless the argument `--all` is given. With `--sources`, a line is PROGRAM, LEVEL (a word or
//! number of syslog, or nothing) and MESSAGE, separated by tabs. Arguments that are no options are the files of another lexicon, to
//! try changes of it. Used by `tests/lexicon-audit.sh`.

use std::io::{BufRead, Write};
use std::sync::Arc;

use bellwether_core::inference::{Inference, Lexicon, Message};

/// The names of syslog's severities, by their numbers.
const LEVELS: [&str; 8] = [
    "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug",
];

fn main() -> std::io::Result<()> {
    let has = |name: &str| std::env::args().any(|argument| argument == name);
    let (all, sources) = (has("--all"), has("--sources"));
    let files: Result<Vec<String>, _> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .map(std::fs::read_to_string)
        .collect();
    let files = files?;
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let lexicon = match files[..] {
        [] => Lexicon::builtin().clone(),
        _ => Arc::new(Lexicon::of_files(&files).map_err(std::io::Error::other)?),
    };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        let message = match sources {
            true => with_source(&line),
            false => Message::of(&line),
        };
        match lexicon.read(&message).finding {
            Some(finding) => writeln!(
                out,
                "{:.2}\t{}\t{}\t{line}",
                finding.severity,
                finding.family.as_str(),
                finding.reason
            )?,
            None if all => writeln!(out, "0.00\t-\t-\t{line}")?,
            None => {}
        }
    }
    out.flush()
}

/// The message of a line with its source.
fn with_source(line: &str) -> Message<'_> {
    let mut fields = line.splitn(3, '\t');
    let (program, level) = (fields.next().unwrap_or_default(), fields.next());
    let level = level.unwrap_or_default();
    let named = LEVELS.iter().position(|name| *name == level);
    let priority = named.map(|at| at as u8).or_else(|| level.parse().ok());
    Message::of(fields.next().unwrap_or_default())
        .from_program(program)
        .with_priority(priority)
}
