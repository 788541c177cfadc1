//! Its life in the host: options, metrics, reloads, a sudden end.

use std::fs;
use std::time::Duration;

use anyhow::Result;
use bellwether_tests::fluentbit::{free_port, get};
use bellwether_tests::skipped;
use serde_json::Value;

use super::{
    COMPANION, FAILING, LINES, ORDINARY, SERVICE, TAIL, assert_event, filter, fluent_bit,
    log_with_failure, ordinary, output,
};

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
    for (port, path) in [(port, "/api/v2/metrics/prometheus"), (exporter, "/metrics")] {
        fluent_bit.wait("metrics", |_| {
            let metrics = get(port, path).unwrap_or_default();
            std::thread::sleep(Duration::from_millis(200));
            let has = |line: &String| metrics.lines().any(|l| l == line);
            wanted.iter().all(has)
        })?;
    }
    Ok(())
}

/// The value of a metric as Prometheus scrapes it.
fn scraped(port: u16, name: &str) -> Option<f64> {
    let metrics = get(port, "/api/v2/metrics/prometheus").ok()?;
    let line = metrics.lines().find(|line| line.starts_with(name))?;
    line.rsplit(' ').next()?.parse().ok()
}

#[test]
fn the_documented_alert_fires_for_a_host_that_logs_its_failure_and_dies() -> Result<()> {
    let mut fluent_bit = fluent_bit!();
    fluent_bit.write("in.log", "")?;
    let port = free_port()?;
    let configuration = [
        SERVICE,
        &format!("    http_server on\n    http_listen 127.0.0.1\n    http_port {port}\n"),
        TAIL,
        COMPANION,
        &filter("state_file @FOLDER@/state"),
        &output("bellwether.*", "events"),
    ]
    .concat();
    fluent_bit.start("fluent-bit.conf", &configuration)?;
    let name = "bellwether_filter_episodes_total{";
    fluent_bit.wait("the first scrape", |_| scraped(port, name) == Some(0.0))?;
    // The last line that it writes, within the second of an ordinary one.
    fluent_bit.append("in.log", &ordinary(0..1))?;
    std::thread::sleep(Duration::from_millis(400));
    fluent_bit.append("in.log", &format!("{FAILING}\n"))?;
    // increase(bellwether_filter_episodes_total[10m]) > 0, from the scrape before.
    fluent_bit.wait("an increase", |_| {
        std::thread::sleep(Duration::from_millis(200));
        scraped(port, name) > Some(0.0)
    })?;
    assert_eq!(scraped(port, "bellwether_filter_open_episodes{"), Some(1.0));
    fluent_bit.wait("a state", |f| f.folder().join("state").exists())?;
    // The power goes; what starts again knows of the failure, and does not raise it again.
    fluent_bit.kill()?;
    fluent_bit.start_again()?;
    fluent_bit.wait("the next scrape", |_| {
        std::thread::sleep(Duration::from_millis(200));
        scraped(port, name).is_some()
    })?;
    assert_eq!(scraped(port, name), Some(1.0));
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
            f.log().matches("restored the learned state from").count() >= time
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
        std::thread::sleep(Duration::from_millis(300));
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
        fluent_bit.log().contains("restored the learned state from"),
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
        // By the name that other implementations of Drain have for it.
        (
            "drain_tree_depth=99",
            "option \"drain_depth\": \"99\" is not allowed; it takes 3 to 10",
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
fn help_and_a_dry_run_say_that_the_library_is_missing() -> Result<()> {
    let mut fluent_bit = fluent_bit!();
    fs::remove_file(fluent_bit.folder().join("libbellwether.so.0"))?;
    let plugin = "-e@FOLDER@/flb-filter_bellwether.so";
    let (_, text) = fluent_bit.run(&[plugin, "-Fbellwether", "-h"])?;
    if text.contains("window_size") {
        skipped("libbellwether.so.0 is installed on this system, so it cannot be missing");
        return Ok(());
    }
    for wanted in [
        "text_keys",
        "state_file",
        "(libbellwether.so.0)",
        "libbellwether.so.0 cannot be loaded; tried /",
    ] {
        assert!(text.contains(wanted), "{wanted} in {text}");
    }
    fluent_bit.write("dry.conf", &[SERVICE, TAIL, &filter("")].concat())?;
    let arguments = [plugin, "-c@FOLDER@/dry.conf"];
    let (_, text) = fluent_bit.run(&[&arguments[..], &["--dry-run"]].concat())?;
    assert!(text.contains("the filter does not start"), "{text}");
    let (success, text) = fluent_bit.run(&arguments)?;
    assert!(
        !success
            && text
                .contains("[filter:bellwether:bellwether.0] libbellwether.so.0 cannot be loaded"),
        "{text}"
    );
    Ok(())
}

#[test]
fn a_second_companion_input_stops_the_start() -> Result<()> {
    let mut fluent_bit = fluent_bit!();
    let configuration = [
        SERVICE,
        COMPANION,
        COMPANION,
        &filter(""),
        &output("*", "out"),
    ]
    .concat();
    fluent_bit.start("fluent-bit.conf", &configuration)?;
    assert!(!fluent_bit.wait_end()?.success(), "{}", fluent_bit.log());
    let wanted = "[input:bellwether:bellwether.1] the input bellwether.0 of this pipeline takes its events already";
    assert!(fluent_bit.log().contains(wanted), "{}", fluent_bit.log());
    Ok(())
}

#[test]
fn reloads_of_a_companion_input_alone_are_no_second_one() -> Result<()> {
    let mut fluent_bit = fluent_bit!();
    let configuration = [
        SERVICE,
        "    hot_reload on\n",
        TAIL,
        COMPANION,
        &output("*", "out"),
    ]
    .concat();
    fluent_bit.write("in.log", &ordinary(0..1))?;
    fluent_bit.start("fluent-bit.conf", &configuration)?;
    for time in 1..=10 {
        fluent_bit.wait("all records", |f| f.records("out").len() == time)?;
        fluent_bit.reload()?;
    }
    assert!(fluent_bit.stop()?.success());
    assert!(
        !fluent_bit.log().contains("takes its events already"),
        "{}",
        fluent_bit.log()
    );
    Ok(())
}
