//! Holds README.md and the man page to the tables of options. `BELLWETHER_WRITE_DOCS=1 cargo test -p bellwether-collectd`
//! writes the tables anew.

use std::path::Path;

use bellwether_agent::doc::{self, Row};
use bellwether_agent::options::camel_case;
use bellwether_core::had::HadOptions;

use crate::config::OWN;

fn rows() -> Vec<Row> {
    let own = OWN.iter().map(|o| Row::own(camel_case(o.name), o));
    let core = HadOptions::SPECS.iter().map(|o| {
        let default = match o.name {
            "interval" => "collectd's Interval",
            _ => o.default,
        };
        let name = camel_case(o.name);
        Row::of_detector(name, default, o.kind.allowed(), o.unit, o.help)
    });
    own.chain(core).collect()
}

/// Checks, or writes, what stands between the two markers in a file beside this crate's Cargo.toml.
fn check(file: &str, markers: [&str; 2], wanted: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    doc::check(&file, markers, wanted);
}

#[test]
fn the_readmes_table_is_that_of_the_code() {
    let markers = ["<!-- options -->\n", "<!-- end of options -->"];
    check("README.md", markers, &doc::markdown(&rows()));
}

#[test]
fn the_man_pages_options_are_those_of_the_code() {
    let markers = [".\\\" options\n", ".\\\" end of options"];
    check("collectd-bellwether.5", markers, &doc::man(&rows()));
}

#[test]
fn no_option_has_two_meanings() {
    for option in HadOptions::SPECS {
        let name = option.name;
        assert!(OWN.iter().all(|o| o.name != name), "{name}");
    }
}
