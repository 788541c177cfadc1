//! The tables of options in the book are what the command prints. `make docs` writes them.

mod common;

use std::fs;
use std::path::Path;

/// The detectors by the command's names, and what the book calls their options.
const TABLES: [(&str, &str); 2] = [("had", "options of HAD"), ("drain", "options of Drain")];

#[test]
fn the_book_has_the_tables_of_options() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/options.md");
    for (detector, name) in TABLES {
        let page = fs::read_to_string(&path).unwrap();
        let (begin, end) = (
            format!("<!-- {name} -->\n"),
            format!("<!-- end of {name} -->"),
        );
        let table = common::stdout(&["options", detector, "--format", "markdown"]);
        let (before, rest) = page
            .split_once(&begin)
            .expect("the page marks where it begins");
        let (_, after) = rest.split_once(&end).expect("the page marks where it ends");
        let expected = format!("{before}{begin}\n{}\n\n{end}{after}", table.trim());
        if std::env::var_os("BELLWETHER_UPDATE").is_some() {
            fs::write(&path, &expected).unwrap();
            continue;
        }
        assert!(
            page == expected,
            "the {name} are out of date; \"make docs\" writes them"
        );
    }
}
