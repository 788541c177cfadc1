//! The plugin in other versions of Fluent Bit, where there are any: it works in those that it says it works in, and is refused
//! with a sentence, not with a crash, in those that it does not.

use std::fmt::Write as _;

use anyhow::Result;
use bellwether_tests::fluentbit::{FluentBit, other_versions};
use bellwether_tests::skipped;

/// The oldest version that the plugin works in.
const OLDEST: [u32; 3] = [2, 2, 0];

const CONFIGURATION: &str = "[SERVICE]
    flush 0.2
    grace 1

[INPUT]
    name tail
    path @FOLDER@/in.log
    tag host.log
    read_from_head on
    refresh_interval 1

[INPUT]
    name bellwether
    tag bellwether.events

[FILTER]
    name bellwether
    match host.*
    host node7

[OUTPUT]
    name file
    match host.*
    path @FOLDER@
    file out
    format plain

[OUTPUT]
    name file
    match bellwether.*
    path @FOLDER@
    file events
    format plain
";

const ORDINARY: usize = 400;

/// Lines of many kinds, and a failure behind them.
fn log() -> String {
    let mut text = String::new();
    for n in 0..ORDINARY {
        let kind = [
            "session opened for user",
            "link is up on",
            "started unit",
            "query took",
        ][n % 4];
        writeln!(text, "{n}: {kind} name{} after {} ms", n % 7, n * 13)
            .expect("writing to a string cannot fail");
    }
    text + "blk_update_request: I/O error, dev sda, sector 7814037\n"
}

#[test]
fn every_version_that_is_there_works_or_is_refused_with_a_sentence() -> Result<()> {
    let versions = other_versions();
    if versions.is_empty() {
        skipped("there is no other version of Fluent Bit, as /opt/fluent-bit-3.0.7");
    }
    for (version, program) in versions {
        let shown = program.display().to_string();
        let mut fluent_bit = FluentBit::prepare_program(program)?;
        fluent_bit.write("in.log", &log())?;
        fluent_bit.start("flb.conf", CONFIGURATION)?;
        if version < OLDEST {
            let status = fluent_bit.wait_end()?;
            let log = fluent_bit.log();
            assert!(
                status.code().is_some_and(|code| code != 0),
                "{shown}: {status}\n{log}"
            );
            assert!(
                log.contains("this Fluent Bit is too old") && log.contains("2.2 to 5.1"),
                "{shown}: {log}"
            );
            continue;
        }
        fluent_bit.wait("an event and all records", |f| {
            f.records("events").len() == 1 && f.records("out").len() == ORDINARY + 1
        })?;
        let event = &fluent_bit.records("events")[0];
        assert_eq!(event["hypervisor"], "node7", "{shown}: {event}");
        assert_eq!(event["family"], "storage", "{shown}: {event}");
        let records = fluent_bit.records("out");
        assert!(
            records.iter().all(|r| r["bellwether_template"].is_string()),
            "{shown}: {records:?}"
        );
        let status = fluent_bit.stop()?;
        assert!(status.success(), "{shown}: {status}\n{}", fluent_bit.log());
    }
    Ok(())
}
