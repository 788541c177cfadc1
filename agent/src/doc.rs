//! The tables of options in the book and in man pages, which are generated and compared with the code by the plugins' tests.
//!
//! ```
//! use bellwether_agent::doc::{Row, markdown};
//! use bellwether_agent::options::STATE_FILE;
//!
//! let table = markdown(&[Row::own("StateFile", &STATE_FILE)]);
//! assert!(table.contains("| `StateFile` | _none_ | a path | File for the learned state."));
//! ```

use std::path::Path;
use std::{env, fs};

use crate::options::{OwnOption, with_unit};

/// If this environment variable is set, [`check`] writes the tables.
pub const UPDATE: &str = "BELLWETHER_UPDATE";

/// One option as a table shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The name as the agent's users write it.
    pub name: String,
    /// The default; empty where there is none.
    pub default: String,
    /// What it takes, with the unit.
    pub allowed: String,
    /// One line of help.
    pub help: String,
}

impl Row {
    /// The row of an option of the plugin itself, under the name that the agent's users write.
    pub fn own(name: impl Into<String>, option: &OwnOption) -> Self {
        Self {
            name: name.into(),
            default: option.default.into(),
            allowed: option.allowed(),
            help: option.help.into(),
        }
    }

    /// The row of an option of a detector.
    pub fn of_detector(
        name: impl Into<String>,
        default: &str,
        allowed: String,
        unit: &str,
        help: &str,
    ) -> Self {
        Self {
            name: name.into(),
            default: default.into(),
            allowed: with_unit(allowed, unit),
            help: help.into(),
        }
    }
}

/// A Markdown table, with a blank line before and behind it.
pub fn markdown(rows: &[Row]) -> String {
    let mut out =
        String::from("\n| Option | Default | Allowed | Description |\n| --- | --- | --- | --- |\n");
    for row in rows {
        let default = match row.default.as_str() {
            "" => "_none_".to_owned(),
            default => format!("`{default}`"),
        };
        let cells = [
            format!("`{}`", row.name),
            default,
            row.allowed.clone(),
            row.help.clone(),
        ];
        for cell in cells {
            out += &format!("| {} ", cell.replace('|', "\\|"));
        }
        out += "|\n";
    }
    out + "\n"
}

/// The same as a list of a man page.
pub fn man(rows: &[Row]) -> String {
    let escape = |text: &str| text.replace('\\', "\\e").replace('-', "\\-");
    let mut out = String::from("\n");
    for row in rows {
        let default = match row.default.as_str() {
            "" => "; there is no default.".to_owned(),
            default => format!("; the default is {}.", escape(default)),
        };
        let (name, help, allowed) = (&row.name, escape(&row.help), escape(&row.allowed));
        out += &format!(".TP\n.BI {name} \" value\"\n{help}\nTakes {allowed}{default}\n");
    }
    out
}

/// Checks that `wanted` stands between the two markers in a file; where [`UPDATE`] is set, writes it there.
///
/// # Panics
/// The file cannot be read or lacks a marker, or something else is between them.
pub fn check(file: &Path, markers: [&str; 2], wanted: &str) {
    compare(file, markers, wanted, env::var_os(UPDATE).is_some());
}

fn compare(file: &Path, markers: [&str; 2], wanted: &str, update: bool) {
    let text = fs::read_to_string(file)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", file.display()));
    let parts = text.split_once(markers[0]).and_then(|(before, rest)| {
        let (found, after) = rest.split_once(markers[1])?;
        Some((before, found, after))
    });
    let Some((before, found, after)) = parts else {
        panic!("{} does not have the markers {markers:?}", file.display());
    };
    if found == wanted {
        return;
    }
    if !update {
        panic!(
            "{} differs from the code between {markers:?}; \"make docs\" writes it",
            file.display()
        );
    }
    let text = [before, markers[0], wanted, markers[1], after].concat();
    fs::write(file, text)
        .unwrap_or_else(|error| panic!("cannot write {}: {error}", file.display()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(default: &str) -> Row {
        let allowed = "0 to 1".to_owned();
        Row::of_detector(
            "threshold",
            default,
            allowed,
            "share",
            "Where |z| is high-ish.",
        )
    }

    #[test]
    fn a_bar_in_a_cell_does_not_end_it() {
        assert_eq!(
            markdown(&[row("0.5"), row("")]).lines().nth(3),
            Some("| `threshold` | `0.5` | 0 to 1 (share) | Where \\|z\\| is high-ish. |")
        );
        assert!(markdown(&[row("")]).contains("| _none_ |"));
    }

    #[test]
    fn hyphens_of_a_man_page_are_hyphens_to_copy() {
        assert_eq!(
            man(&[row("-1")]),
            "\n.TP\n.BI threshold \" value\"\nWhere |z| is high\\-ish.\nTakes 0 to 1 (share); the default is \\-1.\n"
        );
    }

    #[test]
    fn a_file_that_differs_fails_and_names_itself_or_is_updated() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("README.md");
        fs::write(&file, "a<1>b<2>c").unwrap();
        compare(&file, ["<1>", "<2>"], "b", false);
        for markers in [["<1>", "<3>"], ["<1>", "<2>"]] {
            let failed = std::panic::catch_unwind(|| compare(&file, markers, "d", false));
            let cause = failed.unwrap_err();
            let message = crate::guard::panic_message(&*cause);
            assert!(message.contains("README.md"), "{message}");
        }
        compare(&file, ["<1>", "<2>"], "d", true);
        assert_eq!(fs::read_to_string(&file).unwrap(), "a<1>d<2>c");
    }
}
