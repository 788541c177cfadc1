//! What users read is free of expressions that were replaced throughout the project.

use anyhow::Result;
use bellwether_tests::documentation::{file, files, root};
use bellwether_tests::language::{Found, expressions, pieces};
use bellwether_tests::skipped;

/// What has to be free of them: files, and folders with all that is in them.
const SCOPE: &[&str] = &[
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Makefile",
    "SECURITY.md",
    "docs",
    "cli/README.md",
    "cli/src",
    "cli/tests/cases/README.md",
    "collectd-plugin/README.md",
    "collectd-plugin/collectd-bellwether.5",
    "collectd-plugin/shim",
    "core/src",
    "ffi",
    "fluentbit-plugin/README.md",
    "lab/README.md",
    "lab/src",
    "lab/tests/cases/README.md",
    "records/README.md",
    "records/src",
    "include",
];

/// What is not free of them yet: findings here are counted and printed. In [`SCOPE`], where a path moves once it is clean, the test
/// names every place.
const LATER: &[&str] = &[
    "agent/src",
    "collectd-plugin/src",
    "fluentbit-plugin/src",
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

#[test]
fn what_is_not_clean_yet_is_listed() -> Result<()> {
    for path in LATER.iter().filter(|path| root().join(path).exists()) {
        let found = found_in(path)?;
        skipped(match found.first() {
            None => format!("{path} is clean: it belongs into SCOPE of the language test"),
            Some((first, Found { line, .. })) => format!(
                "{path} still has {} replaced expressions, the first at {first}:{line}",
                found.len()
            ),
        });
    }
    Ok(())
}
