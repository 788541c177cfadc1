//! Compares the options in the book and the man page with those of the code. `make docs` writes them.

use std::fmt::Write as _;
use std::path::Path;

use bellwether_core::had::HadOptions;
use bellwether_core::options;

use crate::config::{OWN, camel_case};

/// One option: key, default, what it takes with its unit, help.
type Row = (String, String, String, String);

fn rows() -> Vec<Row> {
    let with_unit = |allowed: String, unit: &str| match unit {
        "" => allowed,
        unit => format!("{allowed} ({unit})"),
    };
    let own = OWN.iter().map(|o| {
        (
            o.key.to_owned(),
            o.default.to_owned(),
            with_unit(o.allowed.into(), o.unit),
            o.help.to_owned(),
        )
    });
    let core = HadOptions::SPECS.iter().map(|o| {
        let default = match o.name {
            "interval" => "collectd's Interval",
            _ => o.default,
        };
        (
            camel_case(o.name),
            default.to_owned(),
            with_unit(o.kind.allowed(), o.unit),
            o.help.to_owned(),
        )
    });
    own.chain(core).collect()
}

fn markdown() -> String {
    let mut out =
        String::from("\n| Option | Default | Allowed | Description |\n| --- | --- | --- | --- |\n");
    for (key, default, allowed, help) in rows() {
        let default = if default.is_empty() {
            default
        } else {
            format!("`{default}`")
        };
        let help = help.replace('|', "\\|");
        writeln!(out, "| `{key}` | {default} | {allowed} | {help} |")
            .expect("writing to a string cannot fail");
    }
    out + "\n"
}

fn man() -> String {
    let escape = |text: &str| text.replace('\\', "\\e").replace('-', "\\-");
    let mut out = String::from("\n");
    for (key, default, allowed, help) in rows() {
        writeln!(out, ".TP\n.BI {key} \" value\"\n{}", escape(&help))
            .expect("writing to a string cannot fail");
        write!(out, "Takes {}", escape(&allowed)).expect("writing to a string cannot fail");
        let default = match default.as_str() {
            "" => "; there is no default.".to_owned(),
            default => format!("; the default is {}.", escape(default)),
        };
        writeln!(out, "{default}").expect("writing to a string cannot fail");
    }
    out
}

/// Checks, or writes, what is between the two markers in a file, by its path from this crate's folder.
fn check(file: &str, markers: [&str; 2], wanted: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = std::fs::read_to_string(&path).expect("the documentation is there");
    let (before, rest) = text
        .split_once(markers[0])
        .expect("the first marker is there");
    let (found, after) = rest
        .split_once(markers[1])
        .expect("the second marker is there");
    if found == wanted {
        return;
    }
    if std::env::var_os("BELLWETHER_UPDATE").is_some() {
        let text = [before, markers[0], wanted, markers[1], after].concat();
        std::fs::write(&path, text).expect("the documentation can be written");
        return;
    }
    panic!("the options in {file} are not those of the code; \"make docs\" writes them");
}

#[test]
fn the_books_table_is_that_of_the_code() {
    let markers = [
        "<!-- options of the collectd plugin -->\n",
        "<!-- end of options of the collectd plugin -->",
    ];
    check("../docs/options.md", markers, &markdown());
}

#[test]
fn the_man_pages_options_are_those_of_the_code() {
    let markers = [".\\\" options\n", ".\\\" end of options"];
    check("collectd-bellwether.5", markers, &man());
}

#[test]
fn keys_are_written_as_the_core_writes_them() {
    for option in HadOptions::SPECS {
        assert_eq!(camel_case(option.name), options::camel_case(option.name));
    }
}

#[test]
fn no_option_has_two_meanings() {
    for option in HadOptions::SPECS {
        let key = camel_case(option.name);
        assert!(OWN.iter().all(|o| o.key != key), "{key}");
    }
}
