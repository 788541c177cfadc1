//! Compares the options and the metrics in the book with those of the code. `make docs` writes them.

use std::fmt::Write as _;
use std::path::Path;

use bellwether_agent::doc::{self, Row};
use bellwether_agent::options::OwnOption;
use bellwether_core::lad::LadOptions;
use bellwether_core::options::Spec;
use bellwether_core::risk::RiskOptions;

use crate::config::{INPUT, OWN};
use crate::input::METRICS;
use crate::plugin::RISK_PREFIX;

fn own(options: &[OwnOption]) -> String {
    let rows = options.iter().map(|o| Row::own(o.name, o));
    doc::markdown(&rows.collect::<Vec<_>>())
}

fn core(specs: &[Spec], prefix: &str) -> String {
    let names: Vec<String> = specs
        .iter()
        .map(|o| format!("{prefix}{}", o.name))
        .collect();
    let rows = specs.iter().zip(&names);
    let rows =
        rows.map(|(o, name)| Row::of_detector(name, o.default, o.kind.allowed(), o.unit, o.help));
    doc::markdown(&rows.collect::<Vec<_>>())
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
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../docs")
        .join(page);
    let markers = [
        format!("<!-- {name} -->\n"),
        format!("<!-- end of {name} -->"),
    ];
    doc::check(&file, [&markers[0], &markers[1]], wanted);
}

#[test]
fn the_books_tables_are_those_of_the_code() {
    check("options.md", "options of the filter", &own(&OWN));
    check(
        "options.md",
        "options of the detector",
        &core(LadOptions::SPECS, ""),
    );
    check(
        "options.md",
        "options of the risk",
        &core(RiskOptions::SPECS, RISK_PREFIX),
    );
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
        assert!(OWN.iter().all(|o| o.name != option.name), "{}", option.name);
        assert!(!hosts.contains(&option.name), "{}", option.name);
    }
    for option in RiskOptions::SPECS {
        let name = format!("{RISK_PREFIX}{}", option.name);
        assert!(OWN.iter().all(|o| o.name != name), "{name}");
        assert!(LadOptions::SPECS.iter().all(|o| o.name != name), "{name}");
    }
    assert!(OWN.iter().chain(&INPUT).all(|o| !hosts.contains(&o.name)));
}
