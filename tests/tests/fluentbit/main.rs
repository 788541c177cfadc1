//! The plugin in a real Fluent Bit, where one is installed; as the target `fluentbit_jemalloc` once more, in one that is built
//! with jemalloc.

mod documentation;
mod feedback;
mod forged;
mod inputs;
mod life;
mod pipeline;
mod risk;

use std::fmt::Write as _;

use anyhow::Result;
use bellwether_tests::fluentbit::{FluentBit, find, find_jemalloc};
use bellwether_tests::skipped;
use serde_json::Value;

/// A folder with the plugin, or nothing where there is no Fluent Bit, which is said.
fn prepared() -> Result<Option<FluentBit>> {
    let found = match env!("CARGO_CRATE_NAME") {
        "fluentbit_jemalloc" => find_jemalloc(),
        _ => find(),
    };
    match found {
        Ok(program) => FluentBit::prepare_program(program).map(Some),
        Err(error) => {
            skipped(error);
            Ok(None)
        }
    }
}

/// [`prepared`], or the end of the test.
macro_rules! fluent_bit {
    () => {
        match super::prepared()? {
            Some(fluent_bit) => fluent_bit,
            None => return Ok(()),
        }
    };
}

use fluent_bit;

/// So many ordinary lines teach a stream what is normal.
const ORDINARY: usize = 400;

const FAILING: &str = "blk_update_request: I/O error, dev sda, sector 7814037";

/// Ordinary lines, numbered.
fn ordinary(numbers: std::ops::Range<usize>) -> String {
    numbers.fold(String::new(), |mut text, n| {
        writeln!(text, "{n}: session opened for user root by (uid={})", n % 7)
            .expect("writing to a string cannot fail");
        text
    })
}

/// A log with a failure behind what is normal.
fn log_with_failure() -> String {
    format!(
        "{}{FAILING}\n{}",
        ordinary(0..ORDINARY),
        ordinary(ORDINARY + 1..ORDINARY + 5)
    )
}

/// Lines of [`log_with_failure`].
const LINES: usize = ORDINARY + 5;

const SERVICE: &str = "[SERVICE]\n    flush 0.2\n    grace 1\n";

/// The parsers that are installed.
const PARSERS: &str = include_str!("../../../fluentbit-plugin/parsers.conf");

const TAIL: &str = "[INPUT]\n    name tail\n    path @FOLDER@/in.log\n    tag host.log\n    read_from_head on\n    \
                    refresh_interval 1\n";

const COMPANION: &str = "[INPUT]\n    name bellwether\n    tag bellwether.events\n";

/// An output of the records whose tags match to a file.
fn output(tags: &str, file: &str) -> String {
    format!(
        "[OUTPUT]\n    name file\n    match {tags}\n    path @FOLDER@\n    file {file}\n    format plain\n"
    )
}

fn filter(options: &str) -> String {
    format!("[FILTER]\n    name bellwether\n    match *\n    host node7\n    {options}\n")
}

/// The texts of records.
fn texts(records: &[Value]) -> Vec<&str> {
    records.iter().filter_map(|r| r["log"].as_str()).collect()
}

fn assert_event(event: &Value) {
    for (key, value) in [
        ("event", "log_failure"),
        ("state", "raised"),
        ("severity", "failure"),
        ("hypervisor", "node7"),
        ("sample", FAILING),
    ] {
        assert_eq!(event[key], value, "{key} of {event}");
    }
    assert_eq!(event["schema"], 1);
}

/// Waits until all lines of [`log_with_failure`] have passed, and checks them and the event; the records.
fn told(fluent_bit: &mut FluentBit) -> Result<Vec<Value>> {
    fluent_bit.wait("an event and all records", |f| {
        f.records("events").len() == 1 && f.records("out").len() == LINES
    })?;
    let records = fluent_bit.records("out");
    let log = log_with_failure();
    assert_eq!(texts(&records), log.lines().collect::<Vec<_>>());
    assert_event(&fluent_bit.records("events")[0]);
    Ok(records)
}
