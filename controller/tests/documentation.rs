//! The book's table of settings is what the code says.

use std::path::Path;

use bellwether_controller::config::{Config, markdown};

/// If this environment variable is set, the table is written.
const UPDATE: &str = "BELLWETHER_UPDATE";
const MARKERS: [&str; 2] = ["<!-- settings -->\n", "<!-- end of settings -->"];

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

#[test]
fn the_table_of_settings_in_the_book_is_what_the_code_says() {
    let path = root().join("docs/controller.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(MARKERS[0]).unwrap();
    let (found, after) = rest.split_once(MARKERS[1]).unwrap();
    if std::env::var_os(UPDATE).is_some() {
        let text = [before, MARKERS[0], &markdown(), MARKERS[1], after].concat();
        std::fs::write(&path, text).unwrap();
        return;
    }
    assert_eq!(found, markdown(), "\"make docs\" writes it");
}

#[test]
fn the_packaged_configuration_is_valid_and_the_unit_names_what_there_is() {
    let folder = root().join("packaging/systemd");
    Config::read(&folder.join("controller.toml")).unwrap();
    let unit = std::fs::read_to_string(folder.join("bellwether-controller.service")).unwrap();
    let state = Config::default().store.path.unwrap();
    assert!(state.starts_with("/var/lib/bellwether-controller"));
    assert!(unit.contains("StateDirectory=bellwether-controller\n"));
    assert!(unit.contains("RestartPreventExitStatus=78"));
}
