//! The plugin in a real Fluent Bit, where one is installed.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;

use anyhow::Result;
use bellwether_tests::fluentbit::{FluentBit, find, free_port, get};
use bellwether_tests::skipped;
use serde_json::Value;

/// A folder with the plugin, or nothing where there is no Fluent Bit, which is said.
fn prepared() -> Result<Option<FluentBit>> {
    if let Err(error) = find() {
        skipped(error);
        return Ok(None);
    }
    FluentBit::prepare().map(Some)
}

macro_rules! fluent_bit {
    () => {
        match prepared()? {
            Some(fluent_bit) => fluent_bit,
            None => return Ok(()),
        }
    };
}

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
    fluent_bit.wait("an event", |f| {
        f.records("events").len() == 1 && f.records("out").len() == LINES
    })?;
    let records = fluent_bit.records("out");
    assert_eq!(
        texts(&records),
        log_with_failure().lines().collect::<Vec<_>>()
    );
    assert!(
        records
            .iter()
            .all(|r| r["bellwether_template"].is_string() || !r["bellwether_score"].is_null())
    );
    let flagged: Vec<&Value> = records.iter().filter(|r| r["log"] == FAILING).collect();
    assert_eq!(flagged[0]["bellwether_family"], "storage", "{flagged:?}");
    assert_event(&fluent_bit.records("events")[0]);
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
    fluent_bit.start_with("fluent-bit.yaml", configuration, &[])?;
    fluent_bit.wait("an event", |f| {
        f.records("events").len() == 1 && f.records("out").len() == LINES
    })?;
    let records = fluent_bit.records("out");
    assert!(
        records.iter().all(|r| r["log.record.template"].is_string()),
        "{:?}",
        records[0]
    );
    assert_event(&fluent_bit.records("events")[0]);
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
        &output("bellwether.*", "events"),
    ]
    .concat();
    fluent_bit.start_with("fluent-bit.conf", &configuration, &[])?;
    fluent_bit.wait("an event", |f| f.records("events").len() == 1)
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
"
        );
        fluent_bit.start("fluent-bit.yaml", &configuration)?;
        fluent_bit.wait("an event", |f| {
            f.records("events").len() == 1 && f.records("out").len() == LINES
        })?;
        let records = fluent_bit.records("out");
        assert_eq!(
            texts(&records),
            log_with_failure().lines().collect::<Vec<_>>()
        );
        assert!(records.iter().all(|r| r["bellwether_template_id"].is_u64()));
        assert_event(&fluent_bit.records("events")[0]);
        assert!(fluent_bit.stop()?.success(), "threaded {threaded}");
    }
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
    fluent_bit.wait("an event", |f| {
        f.records("events").len() == 1 && f.records("out").len() == LINES
    })?;
    assert_event(&fluent_bit.records("events")[0]);
    let records = fluent_bit.records("out");
    assert_eq!(
        texts(&records),
        log_with_failure().lines().collect::<Vec<_>>()
    );
    // What was moved is not judged again, though the filter matches its new tag too.
    assert_eq!(
        fluent_bit.records("events")[0]["bellwether_template"],
        Value::Null
    );
    Ok(())
}

#[test]
fn metrics_are_scraped_and_exported() -> Result<()> {
    let mut fluent_bit = fluent_bit!();
    fluent_bit.write("in.log", &log_with_failure())?;
    let (port, exporter) = (free_port()?, free_port()?);
    let configuration = [
        SERVICE,
        &format!("    http_server on\n    http_listen 127.0.0.1\n    http_port {port}\n"),
        TAIL,
        COMPANION,
        "[INPUT]\n    name fluentbit_metrics\n    tag metrics\n    scrape_interval 1\n",
        &filter(""),
        &output("host.log", "out"),
        &format!("[OUTPUT]\n    name prometheus_exporter\n    match metrics\n    host 127.0.0.1\n    port {exporter}\n"),
    ]
    .concat();
    fluent_bit.start("fluent-bit.conf", &configuration)?;
    let wanted = [
        format!("bellwether_filter_records_total{{name=\"bellwether.0\"}} {LINES}"),
        "bellwether_filter_events_total{name=\"bellwether.0\"} 1".into(),
        "bellwether_filter_streams{name=\"bellwether.0\"} 1".into(),
        "bellwether_input_events_dropped_total{name=\"bellwether.1\"} 0".into(),
    ];
    // Figures are told once a second, with the next records.
    let mut more = LINES;
    for (port, path) in [(port, "/api/v2/metrics/prometheus"), (exporter, "/metrics")] {
        fluent_bit.wait("metrics", |f| {
            let metrics = get(port, path).unwrap_or_default();
            more += 1;
            f.append("in.log", &ordinary(more..more + 1)).ok();
            std::thread::sleep(std::time::Duration::from_millis(200));
            wanted[1..]
                .iter()
                .all(|line| metrics.lines().any(|l| l == line))
                && metrics.contains(wanted[0].split('}').next().unwrap_or_default())
        })?;
    }
    Ok(())
}

#[test]
fn a_hot_reload_starts_it_anew_twenty_times() -> Result<()> {
    let mut fluent_bit = fluent_bit!();
    fluent_bit.write("in.log", &ordinary(0..ORDINARY))?;
    let configuration = [
        SERVICE,
        "    hot_reload on\n",
        TAIL,
        "    db @FOLDER@/tail.db\n",
        COMPANION,
        &filter("state_file @FOLDER@/state"),
        &output("host.log", "out"),
        &output("bellwether.events", "events"),
    ]
    .concat();
    fluent_bit.start("fluent-bit.conf", &configuration)?;
    fluent_bit.wait("the first records", |f| f.records("out").len() == ORDINARY)?;
    let mut lines = ORDINARY;
    for time in 1..=20 {
        fluent_bit.reload()?;
        fluent_bit.wait("a reload", |f| {
            f.log().matches("goes on from the state in").count() >= time
        })?;
        fluent_bit.append("in.log", &ordinary(lines..lines + 1))?;
        lines += 1;
        fluent_bit.wait("the next record", |f| f.records("out").len() == lines)?;
    }
    fluent_bit.append("in.log", &format!("{FAILING}\n"))?;
    fluent_bit.wait("an event", |f| f.records("events").len() == 1)?;
    assert_event(&fluent_bit.records("events")[0]);
    let ids: Vec<Value> = fluent_bit.records("out")[..lines]
        .iter()
        .map(|r| r["bellwether_template_id"].clone())
        .collect();
    assert!(ids.iter().all(|id| *id == ids[ORDINARY - 1]), "{ids:?}");
    assert!(fluent_bit.stop()?.success());
    Ok(())
}

#[test]
fn a_bad_option_stops_the_start_with_what_would_be_right() -> Result<()> {
    let mut fluent_bit = fluent_bit!();
    let mut with = |property: &str| {
        fluent_bit.run(&[
            "-e@FOLDER@/flb-filter_bellwether.so",
            "-idummy",
            "-Fbellwether",
            "-m*",
            &format!("-p{property}"),
            "-onull",
        ])
    };
    for (property, wanted) in [
        (
            "windw_size=4",
            "unknown configuration property 'windw_size'",
        ),
        (
            "window_size=0",
            "[filter:bellwether:bellwether.0] option \"window_size\": \"0\" is not allowed; it takes 1 to",
        ),
        ("record_keys=templates", "(did you mean template?)"),
        (
            "state_file=",
            "option \"state_file\": \"\" is not allowed; it takes a path",
        ),
    ] {
        let (success, text) = with(property)?;
        assert!(!success && text.contains(wanted), "{property}: {text}");
    }
    Ok(())
}

#[test]
fn help_shows_every_option_with_its_default() -> Result<()> {
    let mut fluent_bit = fluent_bit!();
    let (_, text) =
        fluent_bit.run(&["-e@FOLDER@/flb-filter_bellwether.so", "-Fbellwether", "-h"])?;
    for option in [
        "text_keys",
        "log,message,MESSAGE",
        "state_file",
        "window_size",
        "drain_",
    ] {
        assert!(text.contains(option), "{option} in {text}");
    }
    Ok(())
}

#[test]
fn killed_and_started_again_it_knows_what_it_knew() -> Result<()> {
    let mut fluent_bit = fluent_bit!();
    fluent_bit.write("in.log", &ordinary(0..ORDINARY))?;
    let configuration = [
        SERVICE,
        TAIL,
        "    db @FOLDER@/tail.db\n",
        COMPANION,
        &filter("state_file @FOLDER@/state\n    state_interval 1"),
        &output("host.log", "out"),
        &output("bellwether.events", "events"),
    ]
    .concat();
    fluent_bit.start("fluent-bit.conf", &configuration)?;
    let mut lines = ORDINARY;
    // The state is saved with the first records after a second.
    fluent_bit.wait("a state", |f| {
        std::thread::sleep(std::time::Duration::from_millis(300));
        f.append("in.log", &ordinary(lines..lines + 1)).ok();
        lines += 1;
        f.folder().join("state").exists()
    })?;
    let before = fluent_bit.records("out")[0]["bellwether_template_id"].clone();
    fluent_bit.kill()?;
    fluent_bit.append("in.log", &format!("{FAILING}\n{}", ordinary(9000..9002)))?;
    fluent_bit.start_again()?;
    fluent_bit.wait("an event", |f| {
        f.records("events").len() == 1
            && f.records("out")
                .last()
                .is_some_and(|r| r["log"].as_str() == ordinary(9001..9002).lines().next())
    })?;
    assert!(
        fluent_bit.log().contains("goes on from the state in"),
        "{}",
        fluent_bit.log()
    );
    assert_eq!(
        fluent_bit.records("out").last().unwrap()["bellwether_template_id"],
        before
    );
    // It has learnt already: the failure is no matter of its start.
    assert_eq!(fluent_bit.records("events")[0]["at_startup"], Value::Null);
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
        "{{\"host\":\"b\",\"message\":\"{FAILING}\",\"pri\":\"11\"}}"
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
