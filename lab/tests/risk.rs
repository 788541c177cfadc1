//! Generated hosts and what is measured on them, as a user does it. Few and short host-days: the figures mean nothing here.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::path::Path;

use common::{failure, json, stdout};
use flate2::read::GzDecoder;
use serde_json::Value;

/// Two hours after two hours of history.
const SHORT: &str = "--hours 2 --history 2 --interval 60 --rate 150";
/// Two failing and two healthy ones.
const FOUR: &str = "--failing 2 --healthy 2 --hours 2 --history 2 --interval 60 --rate 150";

fn lab(arguments: &str) -> String {
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    stdout(&arguments)
}

fn text(file: &Path) -> String {
    let mut text = String::new();
    let file = fs::File::open(file).unwrap();
    GzDecoder::new(file).read_to_string(&mut text).unwrap();
    text
}

/// What a host's files hold, by their folders.
fn files(folder: &Path, host: &str) -> [String; 3] {
    ["logs", "metrics", "resources"].map(|kind| {
        let ending = if kind == "logs" { ".log.gz" } else { ".csv.gz" };
        text(&folder.join(kind).join(format!("{host}{ending}")))
    })
}

#[test]
fn a_generated_host_has_a_log_metrics_and_resources_and_depends_on_seed_and_name_alone() {
    let folder = tempfile::tempdir().unwrap();
    let out = |name: &str| folder.path().join(name);
    let generate = |name: &str, arguments: &str| {
        lab(&format!(
            "generate host {arguments} --out {}",
            out(name).display()
        ));
    };
    generate("few", FOUR);
    generate("more", &format!("{SHORT} --failing 3 --healthy 2"));
    generate("other", &format!("{FOUR} --seed 2"));
    for host in ["failing1", "failing2", "healthy1", "healthy2"] {
        let [log, metrics, resources] = files(&out("few"), host);
        assert_eq!(
            files(&out("more"), host),
            [log.clone(), metrics.clone(), resources.clone()]
        );
        assert!(log.lines().count() > 200, "{host}");
        assert!(log.lines().all(|line| line.split(' ').nth(1) == Some(host)));
        // A row a minute for four hours, and the heading.
        assert_eq!(
            (metrics.lines().count(), resources.lines().count()),
            (241, 241)
        );
        assert!(resources.starts_with("time,cpu_busy,") && resources.contains("psi_io_full"));
        let [other, ..] = files(&out("other"), host);
        assert_ne!(log, other);
    }
}

#[test]
fn labels_of_generated_hosts_have_the_time_of_the_fault_in_the_day_that_counts() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().display();
    lab(&format!(
        "generate host {SHORT} --failing 6 --healthy 2 --out {out}"
    ));
    let labels = json(&fs::read_to_string(folder.path().join("labels.json")).unwrap());
    let number = |value: &Value| value.as_f64().unwrap();
    let (from, end) = (number(&labels["counted_from"]), number(&labels["end"]));
    assert_eq!(end - from, 7_200.0);
    assert_eq!(from - number(&labels["start"]), 7_200.0);
    let hosts = labels["hosts"].as_object().unwrap();
    assert_eq!(hosts.len(), 8);
    let mut deaths_in_logs = 0;
    for (name, label) in hosts {
        if name.starts_with("healthy") {
            assert_eq!(
                (&label["scenario"], label.get("fault")),
                (&"none".into(), None)
            );
            continue;
        }
        let fault = &label["fault"];
        let (begin, death) = (number(&fault["begin"]), number(&fault["death"]));
        assert!(
            from <= begin && begin < death && death <= end,
            "{name}: {fault}"
        );
        if fault["in_log"] == true {
            let [log, ..] = files(folder.path(), name);
            let scenario = label["scenario"].as_str().unwrap();
            let dies = if scenario == "oom" {
                "(qemu-system-x86)"
            } else {
                " terminated."
            };
            assert!(log.contains(dies), "{name}");
            deaths_in_logs += 1;
        }
    }
    assert!(deaths_in_logs >= 3, "{deaths_in_logs}");
}

#[test]
fn every_method_has_figures_at_both_horizons_and_the_same_seed_gives_the_same_ones() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (plot, minutes) = (path("reliability.svg"), path("minutes.csv"));
    let arguments = format!("evaluate risk {FOUR} --fleet 1 --bootstrap 20 --json");
    let report = lab(&format!("{arguments} --plot {plot} --minutes {minutes}"));
    assert_eq!(report, lab(&arguments));
    let report = json(&report);
    let generated = report["generated"].as_array().unwrap();
    let rows: BTreeSet<(&str, u64)> = generated
        .iter()
        .map(|row| {
            (
                row["method"].as_str().unwrap(),
                row["horizon"].as_u64().unwrap(),
            )
        })
        .collect();
    for method in [
        "risk",
        "log alone",
        "had alone",
        "resource alone",
        "Fisher's method",
        "noisy-or",
    ] {
        assert!(
            rows.contains(&(method, 10)) && rows.contains(&(method, 30)),
            "{method}"
        );
    }
    assert!(rows.contains(&("FailSafeVM, share of 20", 10)));
    for row in generated {
        let figure = |name: &str| row["figures"][name].as_f64().unwrap();
        assert!(figure("brier_skill") <= 1.0, "{row}");
        assert!((0.0..=1.0).contains(&figure("average_precision")), "{row}");
        assert!((0.0..=1.0).contains(&figure("recall")), "{row}");
        assert_eq!(row["reliability"].as_array().map(Vec::len), Some(10));
    }
    let svg = fs::read_to_string(plot).unwrap();
    assert!(svg.contains("within 10 minutes") && svg.contains("as stated"));
    let csv = fs::read_to_string(minutes).unwrap();
    assert!(csv.starts_with("host,time,log,had,resource,novelty,published,fails_10min"));
    assert!(csv.lines().count() > 240, "{}", csv.lines().count());
}

#[test]
fn tables_made_from_generated_hosts_and_given_logs_are_what_the_risk_takes() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (logs, labels, tables) = (path("logs"), path("labels.json"), path("tables.json"));
    lab(&format!(
        "generate logs --scenario disk,oom,none --hosts 3 --hours 2 --rate 150 --out {logs} --labels {labels}"
    ));
    let given = format!("--logs {logs} --labels {labels}");
    let printed = lab(&format!(
        "tune risk {FOUR} --fleet 1 {given} --out {tables}"
    ));
    assert!(
        printed.contains("2 failing and 1 healthy given logs"),
        "{printed}"
    );
    assert!(printed.contains("10 minutes and more"), "{printed}");
    let file = json(&fs::read_to_string(&tables).unwrap());
    assert_eq!(file["version"], 1);
    let log = file["horizons"][0]["log"]["failing"].as_array().unwrap();
    let minutes: f64 = log.iter().filter_map(Value::as_f64).sum();
    // Two generated and two given failures.
    assert!((25.0..=40.0).contains(&minutes), "{log:?}");
    let text = lab(&format!(
        "evaluate risk {FOUR} --fleet 1 --bootstrap 0 --tables {tables} {given}"
    ));
    for expected in [
        "Given logs, nothing else known",
        "Reliability on given logs: risk",
        "Tables: bellwether-lab tune risk --seed 1",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[test]
fn arguments_that_cannot_be_are_refused_with_what_would_be_right() {
    for (arguments, code, wanted) in [
        (
            "generate host --out x --hours 1",
            2,
            "--hours 1: it takes 1.5 to 1000 hours",
        ),
        (
            "generate host --out x --interval 0.1",
            2,
            "it takes 1 to 600 seconds",
        ),
        (
            "generate host --out x --failing 0 --healthy 0",
            2,
            "at least one host",
        ),
        ("generate host --out x --rate 3", 2, "timers alone log"),
        (
            "evaluate risk --failures-per-host-year 0",
            2,
            "0.0001 to 1000",
        ),
        ("evaluate risk --logs x", 2, "--labels"),
        ("evaluate risk --tables /nowhere", 1, "/nowhere"),
    ] {
        let all: Vec<&str> = arguments.split(' ').collect();
        let (found, errors) = failure(&all);
        assert_eq!(found, Some(code), "{arguments}: {errors}");
        assert!(errors.contains(wanted), "{arguments}: {errors}");
    }
    let healthy = format!("evaluate risk {SHORT} --failing 0 --fleet 1");
    let all: Vec<&str> = healthy.split(' ').collect();
    let (code, errors) = failure(&all);
    assert_eq!(code, Some(2), "{errors}");
    assert!(errors.contains("some of both"), "{errors}");
}
