//! One way of configuring it after the other: what goes in comes out, and the failure is told.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;

use anyhow::Result;
use bellwether_tests::fluentbit::{free_port, get};
use serde_json::Value;

use super::{
    COMPANION, FAILING, ORDINARY, SERVICE, TAIL, filter, fluent_bit, log_with_failure, ordinary,
    output, told,
};

/// The outputs of a YAML configuration.
const OUTPUTS: &str = "
  outputs:
    - name: file
      match: host.*
      path: @FOLDER@
      file: out
      format: plain
    - name: file
      match: bellwether.*
      path: @FOLDER@
      file: events
      format: plain
";

#[test]
fn a_classic_configuration_filters_a_file_and_tells_events_by_the_companion_input() -> Result<()> {
    let mut fluent_bit = fluent_bit!();
    fluent_bit.write("in.log", &log_with_failure())?;
    let configuration = [
        SERVICE,
        TAIL,
        COMPANION,
        // The host takes keys in any case.
        &filter("Record_Keys template"),
        &output("host.log", "out"),
        &output("bellwether.events", "events"),
    ]
    .concat();
    fluent_bit.start("fluent-bit.conf", &configuration)?;
    let records = told(&mut fluent_bit)?;
    assert!(
        records
            .iter()
            .all(|r| r["bellwether_template"].is_string() || !r["bellwether_score"].is_null())
    );
    let flagged: Vec<&Value> = records.iter().filter(|r| r["log"] == FAILING).collect();
    assert_eq!(flagged[0]["bellwether_family"], "storage", "{flagged:?}");
    assert!(fluent_bit.stop()?.success());
    Ok(())
}

#[test]
fn a_yaml_configuration_loads_the_plugin_itself() -> Result<()> {
    let mut fluent_bit = fluent_bit!();
    fluent_bit.write("in.log", &log_with_failure())?;
    let configuration = "
service:
  flush: 0.2
  grace: 1
plugins:
  - @FOLDER@/flb-filter_bellwether.so
  - @FOLDER@/flb-in_bellwether.so
pipeline:
  inputs:
    - name: tail
      path: @FOLDER@/in.log
      tag: host.log
      read_from_head: on
    - name: bellwether
      tag: bellwether.events
  filters:
    - name: bellwether
      match: host.*
      host: node7
      templateKey: log.record.template
";
    let configuration = [configuration, OUTPUTS].concat();
    fluent_bit.start_with("fluent-bit.yaml", &configuration, &[])?;
    let records = told(&mut fluent_bit)?;
    assert!(
        records.iter().all(|r| r["log.record.template"].is_string()),
        "{:?}",
        records[0]
    );
    Ok(())
}

#[test]
fn a_file_of_plugins_loads_it_too() -> Result<()> {
    let mut fluent_bit = fluent_bit!();
    fluent_bit.write("in.log", &log_with_failure())?;
    fluent_bit.write(
        "plugins.conf",
        "[PLUGINS]\n    path @FOLDER@/flb-filter_bellwether.so\n    path @FOLDER@/flb-in_bellwether.so\n",
    )?;
    let configuration = [
        SERVICE,
        "    plugins_file @FOLDER@/plugins.conf\n",
        TAIL,
        COMPANION,
        &filter(""),
        &output("host.log", "out"),
        &output("bellwether.*", "events"),
    ]
    .concat();
    fluent_bit.start_with("fluent-bit.conf", &configuration, &[])?;
    told(&mut fluent_bit)?;
    Ok(())
}

#[test]
fn it_is_a_processor_too_on_the_thread_of_an_input() -> Result<()> {
    let mut fluent_bit = fluent_bit!();
    fluent_bit.write("in.log", &log_with_failure())?;
    for threaded in ["off", "on"] {
        for file in ["out", "events"] {
            fs::remove_file(fluent_bit.folder().join(file)).ok();
        }
        let configuration = format!(
            "
service:
  flush: 0.2
  grace: 1
pipeline:
  inputs:
    - name: tail
      path: @FOLDER@/in.log
      tag: host.log
      read_from_head: on
      threaded: {threaded}
      processors:
        logs:
          - name: bellwether
            host: node7
            record_keys: template_id
    - name: bellwether
      tag: bellwether.events
      threaded: {threaded}
{OUTPUTS}"
        );
        fluent_bit.start("fluent-bit.yaml", &configuration)?;
        let records = told(&mut fluent_bit)?;
        assert!(records.iter().all(|r| r["bellwether_template_id"].is_u64()));
        assert!(fluent_bit.stop()?.success(), "threaded {threaded}");
    }
    Ok(())
}

#[test]
fn processors_are_told_apart_in_metrics_and_log_by_what_they_belong_to() -> Result<()> {
    let mut fluent_bit = fluent_bit!();
    fluent_bit.write("in.log", &log_with_failure())?;
    let port = free_port()?;
    let processor = |indent: &str, options: &str| {
        format!(
            "{indent}  processors:\n{indent}    logs:\n{indent}      - name: bellwether\n{options}"
        )
    };
    let input = |tag: &str, processor: &str| {
        format!(
            "    - name: tail\n      path: @FOLDER@/in.log\n      tag: {tag}\n      read_from_head: on\n{processor}"
        )
    };
    let plain = processor("    ", "");
    let with_alias = processor("    ", "            alias: mine\n");
    let twice = [plain.as_str(), "          - name: bellwether\n"].concat();
    let configuration = [
        &format!("service:\n  flush: 0.2\n  grace: 1\n  http_server: on\n  http_port: {port}\npipeline:\n  inputs:\n"),
        &input("host.a", &plain),
        &input("host.b", &plain),
        &input("host.c", &with_alias),
        &input("host.d", &twice),
        "    - name: bellwether\n      tag: bellwether.events\n",
        "  outputs:\n    - name: file\n      match: host.*\n      path: @FOLDER@\n      file: out\n      format: plain\n",
        &plain,
    ]
    .concat();
    fluent_bit.start("fluent-bit.yaml", &configuration)?;
    let total = "bellwether_filter_records_total";
    let mut series = Vec::new();
    fluent_bit.wait("six series of all records", |_| {
        let metrics = get(port, "/api/v2/metrics/prometheus").unwrap_or_default();
        let lines = metrics
            .lines()
            .filter_map(|l| l.strip_prefix(total)?.strip_prefix("{name=\""));
        series = lines.map(String::from).collect();
        series.sort();
        series.len() == 6 && series.iter().all(|s| !s.ends_with(" 0"))
    })?;
    let names: Vec<&str> = series
        .iter()
        .filter_map(|s| Some(s.split_once('"')?.0))
        .collect();
    assert_eq!(
        names,
        [
            "bellwether@file.0",
            "bellwether@tail.0",
            "bellwether@tail.1",
            "bellwether@tail.3",
            "bellwether@tail.3#2",
            "mine"
        ]
    );
    assert!(fluent_bit.stop()?.success());
    Ok(())
}

#[test]
fn without_a_companion_input_rewrite_tag_moves_inline_events() -> Result<()> {
    let mut fluent_bit = fluent_bit!();
    fluent_bit.write("in.log", &log_with_failure())?;
    let configuration = [
        SERVICE,
        TAIL,
        &filter(""),
        "[FILTER]\n    name rewrite_tag\n    match host.*\n    rule $event ^log_ bellwether.events false\n",
        &output("host.log", "out"),
        &output("bellwether.events", "events"),
    ]
    .concat();
    fluent_bit.start("fluent-bit.conf", &configuration)?;
    told(&mut fluent_bit)?;
    // What was moved is not judged again, though the filter matches its new tag too.
    assert_eq!(
        fluent_bit.records("events")[0]["bellwether_template"],
        Value::Null
    );
    Ok(())
}

#[test]
fn records_of_several_hosts_are_judged_apart() -> Result<()> {
    let mut fluent_bit = fluent_bit!();
    let mut text = String::new();
    for n in 0..ORDINARY {
        for host in ["a", "b", "c"] {
            writeln!(
                text,
                "{{\"host\":\"{host}\",\"message\":\"session {n} opened\"}}"
            )?;
        }
    }
    writeln!(
        text,
        "{{\"host\":\"b\",\"message\":\"{FAILING}\",\"pri\":\"3\"}}"
    )?;
    fluent_bit.write("in.log", &text)?;
    fluent_bit.write(
        "parsers.conf",
        "[PARSER]\n    name lines\n    format json\n",
    )?;
    let configuration = [
        SERVICE,
        "    parsers_file @FOLDER@/parsers.conf\n",
        TAIL,
        "    parser lines\n",
        COMPANION,
        &filter(""),
        &output("bellwether.events", "events"),
    ]
    .concat();
    fluent_bit.start("fluent-bit.conf", &configuration)?;
    fluent_bit.wait("an event", |f| !f.records("events").is_empty())?;
    let events = fluent_bit.records("events");
    let of: HashMap<&str, &Value> = events
        .iter()
        .filter_map(|e| Some((e["hypervisor"].as_str()?, e)))
        .collect();
    assert_eq!(of.keys().copied().collect::<Vec<_>>(), ["b"], "{events:?}");
    Ok(())
}

#[test]
fn of_a_million_lines_none_is_lost_and_none_is_reordered() -> Result<()> {
    const MILLION: usize = 1_000_000;
    let mut fluent_bit = fluent_bit!();
    fluent_bit.write("in.log", &ordinary(0..MILLION))?;
    let configuration = [
        SERVICE,
        TAIL,
        "    exit_on_eof on\n    static_batch_size 4G\n    mem_buf_limit 4G\n",
        &filter("record_keys template_id"),
        &output("host.log", "out"),
    ]
    .concat()
    .replace("grace 1", "grace 60");
    fluent_bit.start("fluent-bit.conf", &configuration)?;
    assert!(fluent_bit.wait_end()?.success(), "{}", fluent_bit.log());
    let text = fs::read_to_string(fluent_bit.folder().join("out"))?;
    let mut count = 0;
    for (number, line) in text.lines().enumerate() {
        let start = format!("{{\"log\":\"{number}: ");
        assert!(line.starts_with(&start), "line {number} is {line}");
        assert!(
            line.contains("\"bellwether_template_id\":"),
            "line {number} is {line}"
        );
        count += 1;
    }
    assert_eq!(count, MILLION);
    Ok(())
}
