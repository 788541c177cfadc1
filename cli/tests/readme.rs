//! The README's table of options is what the command prints.

use std::path::Path;
use std::process::Command;

const BEGIN: &str = "<!-- options -->\n";
const END: &str = "<!-- end of options -->";

#[test]
fn the_readme_has_the_table_of_options() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = std::fs::read_to_string(&path).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_bellwether"))
        .args(["options", "had", "--format", "markdown"])
        .output()
        .unwrap();
    assert!(output.status.success());
    let table = String::from_utf8(output.stdout).unwrap();
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
