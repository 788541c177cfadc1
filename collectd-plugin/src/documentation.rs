//! Compares the options in the book and the man page with those of the code. `make docs` writes them.

use std::path::Path;

use bellwether_agent::doc::{self, Row};
use bellwether_agent::options::camel_case;
use bellwether_core::had::HadOptions;
use bellwether_core::resource::ResourceOptions;

use crate::config::{CoreOption, OWN, Of};

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
    let resources = ResourceOptions::SPECS.iter().filter_map(|o| {
        let name = camel_case(&CoreOption::name_of(Of::Resources, o.name)?);
        let allowed = o.kind.allowed();
        Some(Row::of_detector(name, o.default, allowed, o.unit, o.help))
    });
    own.chain(core).chain(resources).collect()
}

/// Checks, or writes, what is between the two markers in a file, by its path from this crate's folder.
fn check(file: &str, markers: [&str; 2], wanted: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    doc::check(&file, markers, wanted);
}

#[test]
fn the_books_table_is_that_of_the_code() {
    let markers = [
        "<!-- options of the collectd plugin -->\n",
        "<!-- end of options of the collectd plugin -->",
    ];
    check("../docs/options.md", markers, &doc::markdown(&rows()));
}

#[test]
fn the_man_pages_options_are_those_of_the_code() {
    let markers = [".\\\" options\n", ".\\\" end of options"];
    check("collectd-bellwether.5", markers, &doc::man(&rows()));
}

#[test]
fn no_option_has_two_meanings() {
    let of_vms = HadOptions::SPECS.iter().map(|o| o.name.to_owned());
    let of_resources = ResourceOptions::SPECS.iter();
    let of_resources = of_resources.filter_map(|o| CoreOption::name_of(Of::Resources, o.name));
    let own = OWN.iter().map(|o| o.name.to_owned());
    let mut names: Vec<String> = own.chain(of_vms).chain(of_resources).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all, "{names:?}");
}
