//! The risk of hosts and the board, with the real agent; the other half is a writer of this process, or is not there.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use bellwether_agent::board::{Half, Publishing, Reader, Reading, Risk, RiskSource, Writer};
use bellwether_core::risk::{Detector, RiskOptions};
use bellwether_tests::fluentbit::{FluentBit, free_port, get};
use serde_json::Value;

use super::{COMPANION, FAILING, SERVICE, TAIL, filter, fluent_bit, ordinary, output};

fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("it is after 1970").as_secs_f64()
}

/// The board of a test, made as an operator does it.
fn board(fluent_bit: &FluentBit) -> Result<PathBuf> {
    let folder = fluent_bit.folder().join("board");
    fs::create_dir(&folder)?;
    Ok(folder)
}

/// Tables of these tests: those of the library may change with the data that they are made of.
const TABLES: &str = include_str!("../../../core/tests/risk/tables.json");

/// A pipeline with a filter that meets the other half on the board.
fn configuration(options: &str) -> String {
    [
        SERVICE,
        TAIL,
        "    db @FOLDER@/tail.db\n",
        COMPANION,
        &filter(&format!(
            "board @FOLDER@/board\n    risk_tables @FOLDER@/tables.json\n    {options}"
        )),
        &output("bellwether.events", "events"),
    ]
    .concat()
}

/// Publishes what collectd's half would: an anomaly of the guests of `host` that is one minute old, if `anomaly`.
fn publish(metrics: &mut Writer, host: &str, anomaly: bool) {
    assert!(metrics.begin().expect("nobody else publishes metrics"));
    let reading = Reading {
        source: RiskSource::Had,
        time: now(),
        measure: if anomaly { 60.0 } else { -1.0 },
        provisional: false,
    };
    let published = metrics.publish(host, now(), &[reading]);
    assert_eq!(published.unwrap(), Publishing::Done);
}

fn of_kind(fluent_bit: &FluentBit, kind: &str) -> Vec<Value> {
    let mut events = fluent_bit.records("events");
    events.retain(|event| event["event"] == kind);
    events
}

fn risks(fluent_bit: &FluentBit, state: &str) -> Vec<Value> {
    let mut events = of_kind(fluent_bit, "failure_risk");
    events.retain(|event| event["state"] == state);
    events
}

/// The risk of node7 that the log half publishes.
fn published_risk(folder: &Path) -> Option<Risk> {
    let mut found = None;
    let read = Reader::new(folder, Half::Log).risks(|name, risk| {
        if name == "node7" {
            found = Some(risk);
        }
    });
    read.expect("the board is whole");
    found
}

/// The minutes with failures that the log half publishes of node7.
fn published(reader: &mut Reader) -> Option<f64> {
    let mut found = None;
    let read = reader.read(|name, readings| {
        for reading in readings {
            if name == "node7" && reading.source == RiskSource::Log {
                found = Some(reading.measure);
            }
        }
    });
    read.expect("the board is whole");
    found
}

/// Whether the saved state has an open risk of node7.
fn is_saved_as_raised(fluent_bit: &FluentBit) -> bool {
    let mut saved = Detector::new(RiskOptions::default()).expect("the defaults fit");
    let bytes = fs::read(fluent_bit.folder().join("state.risk")).unwrap_or_default();
    saved.restore(&bytes).is_ok() && saved.status("node7").is_some_and(|status| status.raised)
}

#[test]
fn a_fault_in_the_log_and_in_the_metrics_is_one_risk_that_explains_itself() -> Result<()> {
    let mut fluent_bit = fluent_bit!();
    let folder = board(&fluent_bit)?;
    let mut metrics = Writer::new(&folder, Half::Metrics);
    // The other half is there first, and knows the host by its full name.
    publish(&mut metrics, "node7.example.org", true);
    fluent_bit.write("in.log", &ordinary(0..50))?;
    let port = free_port()?;
    let service = format!("    http_server on\n    http_listen 127.0.0.1\n    http_port {port}\n");
    let configuration = configuration("").replacen(SERVICE, &(SERVICE.to_owned() + &service), 1);
    fluent_bit.write("tables.json", TABLES)?;
    fluent_bit.start("fluent-bit.conf", &configuration)?;
    fluent_bit.wait("the other half", |f| {
        publish(&mut metrics, "node7.example.org", true);
        f.log().contains("the metrics of 1 host are on the board")
    })?;
    assert_eq!(risks(&fluent_bit, "raised").len(), 0);
    fluent_bit.wait("a low risk", |_| {
        publish(&mut metrics, "node7.example.org", true);
        published_risk(&folder).is_some_and(|risk| !risk.raised && risk.risk_10min < 0.5)
    })?;
    fluent_bit.append("in.log", &format!("{FAILING}\n"))?;
    fluent_bit.wait("both alarms", |f| {
        publish(&mut metrics, "node7.example.org", true);
        !risks(f, "raised").is_empty() && !of_kind(f, "log_failure").is_empty()
    })?;
    let all = of_kind(&fluent_bit, "failure_risk");
    assert_eq!(all.len(), 1, "{all:?}");
    let risk = &all[0];
    assert_eq!(risk["hypervisor"], "node7");
    assert_eq!(
        (&risk["calibrated"], &risk["severity"]),
        (&Value::Bool(false), &"warning".into())
    );
    let sources = risk["sources"].as_str().unwrap();
    for part in [
        "log: failure lines in 1 of",
        "had: anomaly of its guests for less than",
        "resource: unknown",
    ] {
        assert!(sources.contains(part), "{part}: {sources}");
    }
    assert!(risk["risk_10min"].as_f64() >= Some(0.5), "{risk}");
    // With the first alarm: the next turn of the housekeeper after the record, whatever the machine's load makes of a second.
    let alarm = &of_kind(&fluent_bit, "log_failure")[0];
    let after = risk["time"].as_f64().unwrap() - alarm["time"].as_f64().unwrap();
    assert!(after < 60.0, "{after} s");
    // The other half can read it.
    fluent_bit.wait("a high risk on the board", |_| {
        publish(&mut metrics, "node7.example.org", true);
        published_risk(&folder).is_some_and(|published| {
            let value = risk["risk_10min"].as_f64().unwrap_or_default() as f32;
            published.raised && !published.calibrated && (published.risk_10min - value).abs() < 0.01
        })
    })?;
    let names = [
        "failure_risk_percent",
        "open_failure_risks",
        "board_hosts",
        "board_damaged_total",
    ];
    let value = |name: &str| -> Option<f64> {
        let metrics = get(port, "/api/v2/metrics/prometheus").ok()?;
        let start = format!("bellwether_filter_{name}{{");
        let line = metrics.lines().find(|line| line.starts_with(&start))?;
        line.rsplit(' ').next()?.parse().ok()
    };
    fluent_bit.wait("the metrics", |_| {
        publish(&mut metrics, "node7.example.org", true);
        std::thread::sleep(Duration::from_millis(200));
        let values = names.map(|name| value(name).unwrap_or(-1.0));
        values[0] >= 50.0 && values[1..] == [1.0, 1.0, 0.0]
    })?;
    Ok(())
}

#[test]
fn either_half_may_come_later_and_each_reads_the_other() -> Result<()> {
    let mut fluent_bit = fluent_bit!();
    let folder = board(&fluent_bit)?;
    fluent_bit.write("in.log", &format!("{}{FAILING}\n", ordinary(0..50)))?;
    fluent_bit.write("tables.json", TABLES)?;
    fluent_bit.start("fluent-bit.conf", &configuration(""))?;
    let mut log = Reader::new(&folder, Half::Log);
    fluent_bit.wait("the log half", |_| published(&mut log) == Some(1.0))?;
    assert_eq!(risks(&fluent_bit, "raised").len(), 0);
    let mut metrics = Writer::new(&folder, Half::Metrics);
    fluent_bit.wait("a risk", |f| {
        publish(&mut metrics, "node7", true);
        risks(f, "raised").len() == 1
    })?;
    // At its end the log half takes back what it said.
    fluent_bit.stop()?;
    assert_eq!(published(&mut log), None);
    Ok(())
}

#[test]
fn what_a_killed_half_has_said_becomes_unknown() -> Result<()> {
    let mut fluent_bit = fluent_bit!();
    let folder = board(&fluent_bit)?;
    fluent_bit.write("in.log", &format!("{}{FAILING}\n", ordinary(0..50)))?;
    let options = "risk_stale_sec 3\n    risk_hold_sec 1";
    fluent_bit.write("tables.json", TABLES)?;
    fluent_bit.start("fluent-bit.conf", &configuration(options))?;
    let mut metrics = Writer::new(&folder, Half::Metrics);
    fluent_bit.wait("a risk", |f| {
        publish(&mut metrics, "node7", true);
        risks(f, "raised").len() == 1
    })?;
    // Nothing is published any more, and the file stays.
    fluent_bit.wait("the end of it", |f| risks(f, "cleared").len() == 1)?;
    assert!(folder.join("metrics.board").exists());
    let cleared = &risks(&fluent_bit, "cleared")[0];
    assert!(
        cleared["sources"]
            .as_str()
            .unwrap()
            .contains("had: unknown"),
        "{cleared}"
    );
    Ok(())
}

#[test]
fn a_filter_that_is_killed_continues_with_the_same_risk() -> Result<()> {
    let mut fluent_bit = fluent_bit!();
    let folder = board(&fluent_bit)?;
    fluent_bit.write("in.log", &format!("{}{FAILING}\n", ordinary(0..50)))?;
    let options = "state_file @FOLDER@/state";
    fluent_bit.write("tables.json", TABLES)?;
    fluent_bit.start("fluent-bit.conf", &configuration(options))?;
    let mut metrics = Writer::new(&folder, Half::Metrics);
    let mut log = Reader::new(&folder, Half::Log);
    fluent_bit.wait("a risk and its state", |f| {
        publish(&mut metrics, "node7", true);
        risks(f, "raised").len() == 1 && is_saved_as_raised(f)
    })?;
    fluent_bit.kill()?;
    // What it published is still there; the next one replaces it.
    assert_eq!(published(&mut log), Some(1.0));
    let former = fs::metadata(folder.join("log.board"))?.modified()?;
    fluent_bit.start_again()?;
    fluent_bit.wait("the next one", |f| {
        publish(&mut metrics, "node7", true);
        let board = fs::metadata(folder.join("log.board"));
        f.log().contains("state.risk") && board.is_ok_and(|b| b.modified().unwrap() > former)
    })?;
    fluent_bit.append("in.log", &ordinary(51..52))?;
    fluent_bit.wait("what it publishes", |_| {
        publish(&mut metrics, "node7", true);
        published(&mut log) == Some(1.0)
    })?;
    std::thread::sleep(Duration::from_secs(2));
    let all = of_kind(&fluent_bit, "failure_risk");
    assert_eq!(all.len(), 1, "raised once: {all:?}");
    Ok(())
}

#[test]
fn a_damaged_board_is_named_and_harms_nobody() -> Result<()> {
    let mut fluent_bit = fluent_bit!();
    let folder = board(&fluent_bit)?;
    fs::write(folder.join("metrics.board"), "no board")?;
    fluent_bit.write("in.log", &ordinary(0..50))?;
    fluent_bit.write("tables.json", TABLES)?;
    fluent_bit.start("fluent-bit.conf", &configuration(""))?;
    fluent_bit.wait("a warning", |f| {
        f.log()
            .contains("what the metrics say of this host is unknown")
    })?;
    assert!(fluent_bit.log().contains("metrics.board cannot be used"));
    fluent_bit.append("in.log", &format!("{FAILING}\n"))?;
    fluent_bit.wait("an event", |f| of_kind(f, "log_failure").len() == 1)?;
    Ok(())
}

#[test]
fn without_a_folder_the_risk_is_that_of_the_logs() -> Result<()> {
    let mut fluent_bit = fluent_bit!();
    fluent_bit.write("in.log", &format!("{}{FAILING}\n", ordinary(0..50)))?;
    let options = "risk_threshold 0.01\n    risk_failures_per_host_year 10";
    fluent_bit.write("tables.json", TABLES)?;
    fluent_bit.start("fluent-bit.conf", &configuration(options))?;
    fluent_bit.wait("a risk", |f| risks(f, "raised").len() == 1)?;
    let risk = &risks(&fluent_bit, "raised")[0];
    assert!(
        risk["sources"].as_str().unwrap().contains("had: unknown"),
        "{risk}"
    );
    assert!(!fluent_bit.log().contains("board"));
    Ok(())
}

#[test]
fn options_of_the_risk_are_checked_under_their_own_names() -> Result<()> {
    let mut fluent_bit = fluent_bit!();
    fluent_bit.write("in.log", "")?;
    fluent_bit.write("tables.json", TABLES)?;
    fluent_bit.start("fluent-bit.conf", &configuration("risk_threshold 0.95"))?;
    fluent_bit.wait_end()?;
    let log = fluent_bit.log();
    assert!(
        log.contains("option \"risk_threshold\": \"0.95\" is not allowed"),
        "{log}"
    );
    Ok(())
}
