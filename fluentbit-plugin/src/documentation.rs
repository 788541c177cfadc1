//! Compares the options and the metrics in the book with those of the code. `make docs` writes them.

use std::fmt::Write as _;
use std::path::Path;

use bellwether_core::lad::LadOptions;

use crate::config::{INPUT, OWN, OwnOption};
use crate::input::METRICS;

fn row(out: &mut String, key: &str, help: &str, allowed: &str, unit: &str, default: &str) {
    let unit = match unit {
        "" => String::new(),
        unit => format!(" ({unit})"),
    };
    let default = match default {
        "" => "_none_".to_owned(),
        default => format!("`{default}`"),
    };
    let help = help.replace('|', "\\|");
    writeln!(
        out,
        "| `{key}` | {help} Takes {allowed}{unit}. | {default} |"
    )
    .expect("writing to a string cannot fail");
}

const HEAD: &str = "\n| Key | Description | Default |\n| --- | --- | --- |\n";

fn own(options: &[OwnOption]) -> String {
    let mut out = HEAD.to_owned();
    for o in options {
        row(&mut out, o.key, o.help, o.allowed, o.unit, o.default);
    }
    out + "\n"
}

fn core() -> String {
    let mut out = HEAD.to_owned();
    for o in LadOptions::SPECS {
        row(
            &mut out,
            o.name,
            o.help,
            &o.kind.allowed(),
            o.unit,
            o.default,
        );
    }
    out + "\n"
}

fn metrics() -> String {
    let mut out = "\n| Metric | Description | Type |\n| --- | --- | --- |\n".to_owned();
    let text = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
    for (counter, name, help, _) in METRICS {
        let kind = if counter { "counter" } else { "gauge" };
        writeln!(
            out,
            "| `bellwether_filter_{}` | {} | {kind} |",
            text(name),
            text(help)
        )
        .expect("writing to a string cannot fail");
    }
    out + "\n"
}

/// Checks, or writes, what is between the two markers in a page of the book.
fn check(page: &str, name: &str, wanted: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs")
        .join(page);
    let text = std::fs::read_to_string(&path).expect("the documentation is there");
    let markers = [
        format!("<!-- {name} -->\n"),
        format!("<!-- end of {name} -->"),
    ];
    let (before, rest) = text
        .split_once(&markers[0])
        .expect("the first marker is there");
    let (found, after) = rest
        .split_once(&markers[1])
        .expect("the second marker is there");
    if found == wanted {
        return;
    }
    if std::env::var_os("BELLWETHER_UPDATE").is_some() {
        let text = [before, &markers[0], wanted, &markers[1], after].concat();
        std::fs::write(&path, text).expect("the documentation can be written");
        return;
    }
    panic!("the {name} in {page} are not those of the code; \"make docs\" writes them");
}

#[test]
fn the_books_tables_are_those_of_the_code() {
    check("options.md", "options of the filter", &own(&OWN));
    check("options.md", "options of the detector", &core());
    check("options.md", "options of the input", &own(&INPUT));
    check("fluent-bit.md", "metrics", &metrics());
}

#[test]
fn no_option_has_two_meanings_and_none_is_the_hosts() {
    let hosts = [
        "match",
        "match_regex",
        "alias",
        "log_level",
        "log_suppress_interval",
        "tag",
    ];
    for option in LadOptions::SPECS {
        assert!(OWN.iter().all(|o| o.key != option.name), "{}", option.name);
        assert!(!hosts.contains(&option.name), "{}", option.name);
    }
    assert!(OWN.iter().chain(&INPUT).all(|o| !hosts.contains(&o.key)));
}
