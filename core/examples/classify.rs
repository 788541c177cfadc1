//! Classifies each line of standard input with the lexicon; prints severity, family, reason and line, separated by tabs.
//!
//! Lines without a finding are omitted, unless the argument `--all` is given. Used by `tests/lexicon-audit.sh`.

use std::io::{BufRead, Write};

use bellwether_core::inference::{Inference, Lexicon};

fn main() -> std::io::Result<()> {
    let all = std::env::args().any(|argument| argument == "--all");
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        match Lexicon::builtin().judge(&line, "") {
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
