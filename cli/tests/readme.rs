//! The README's table of options is what the command prints.

mod common;

use std::path::Path;

const BEGIN: &str = "<!-- options -->\n";
const END: &str = "<!-- end of options -->";

#[test]
fn the_readme_has_the_table_of_options() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let table = common::stdout(&["options", "had", "--format", "markdown"]);
    let (before, rest) = readme
        .split_once(BEGIN)
        .expect("the README marks where the table begins");
    let (_, after) = rest
        .split_once(END)
        .expect("the README marks where the table ends");
    let expected = format!("{before}{BEGIN}\n{}\n\n{END}{after}", table.trim());
    if std::env::var_os("BELLWETHER_UPDATE_README").is_some() {
        std::fs::write(&path, &expected).unwrap();
        return;
    }
    assert!(
        readme == expected,
        "the table is out of date: run this test with BELLWETHER_UPDATE_README=1"
    );
}
