//! What users read is free of expressions that were replaced throughout the project.

use anyhow::Result;
use bellwether_tests::documentation::{file, files};
use bellwether_tests::language::{Found, expressions, pieces};

/// What has to be free of them: files, and folders with all that is in them.
const SCOPE: &[&str] = &[
    "README.md",
    "agent",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Makefile",
    "SECURITY.md",
    "docs",
    "cli/README.md",
    "cli/src",
    "cli/tests/cases/README.md",
    "collectd-plugin",
    "core/src",
    "ffi",
    "fluentbit-plugin",
    "lab/README.md",
    "lab/src",
    "controller/src",
    "language-model/src",
    "lab/tests/cases/README.md",
    "records/README.md",
    "records/src",
    "report/README.md",
    "report/src",
    "include",
];

/// The expressions in all files of text below `path`.
fn found_in(path: &str) -> Result<Vec<(String, Found)>> {
    let mut all = Vec::new();
    for path in files(path)? {
        // Not .txt: the lexicon and the scripts of generated logs hold what programs print, in their words.
        let readable = [".md", ".rs", ".h", ".c", ".5", "Makefile"];
        if !readable.iter().any(|end| path.ends_with(end)) {
            continue;
        }
        let found = expressions(&pieces(&path, &file(&path)?));
        all.extend(found.into_iter().map(|found| (path.clone(), found)));
    }
    Ok(all)
}

#[test]
fn replaced_expressions_do_not_come_back() -> Result<()> {
    let mut lines = Vec::new();
    for path in SCOPE {
        for (path, found) in found_in(path)? {
            let Found {
                line,
                expression,
                better,
            } = found;
            lines.push(format!("{path}:{line}: \"{expression}\"; write: {better}"));
        }
    }
    assert!(lines.is_empty(), "\n{}", lines.join("\n"));
    Ok(())
}
