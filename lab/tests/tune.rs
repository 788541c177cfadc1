//! `bellwether-lab tune`, as a user runs it, on small made-up data.

mod common;

use std::fs;
use std::path::Path;

use bellwether_core::had::HadOptions;
use bellwether_core::lad::LadOptions;
use bellwether_core::options::camel_case;
use common::{failure, json, stdout};
use serde_json::Value;

fn report(arguments: &[&str]) -> Value {
    json(&stdout(&[arguments, &["--json"]].concat()))
}

fn error(arguments: &[&str]) -> String {
    failure(arguments).1
}

/// A search over few small hypervisors.
fn metrics<'a>(out: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
    let out = out.to_str().expect("UTF-8");
    let small = [
        "tune",
        "metrics",
        "--out",
        out,
        "--scenarios",
        "easy",
        "--vms",
        "5",
        "--reps",
        "8",
        "--set",
        "algorithm=zscore",
        "--trials",
        "20",
        "--bootstrap",
        "200",
    ];
    [&small[..], more].concat()
}

#[test]
fn the_same_seed_makes_the_same_trials_whatever_the_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let [one, other, third] = ["1", "2", "3"].map(|name| folder.path().join(name));
    let first = report(&metrics(&one, &["--jobs", "1"]));
    assert_eq!(first, report(&metrics(&other, &["--jobs", "3"])));
    let trials = fs::read_to_string(&one).unwrap();
    assert_eq!(trials, fs::read_to_string(&other).unwrap());
    assert_eq!(trials.lines().count(), 21);
    report(&metrics(&third, &["--seed", "2"]));
    assert_ne!(trials, fs::read_to_string(&third).unwrap());
}

#[test]
fn a_search_that_was_interrupted_comes_to_what_it_would_have_come_to() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("trials.csv");
    let whole = report(&metrics(&out, &[]));
    let trials = fs::read_to_string(&out).unwrap();
    // In a batch, in a line, and behind the first line.
    let lines = |n: usize| {
        trials
            .split_inclusive('\n')
            .take(n)
            .map(str::len)
            .sum::<usize>()
    };
    for end in [lines(12), lines(18) + 9, lines(1), 4] {
        fs::write(&out, &trials[..end]).unwrap();
        assert_eq!(report(&metrics(&out, &[])), whole, "{end}");
        assert_eq!(fs::read_to_string(&out).unwrap(), trials, "{end}");
    }
    let fewer = folder.path().join("fewer.csv");
    let mut shorter = metrics(&fewer, &[]);
    let count = shorter.iter().position(|word| *word == "20").unwrap();
    shorter[count] = "10";
    assert_eq!(report(&shorter)["trials"], 10);
    assert_eq!(report(&metrics(&fewer, &[])), whole);
    let error = error(&metrics(&out, &["--max-false-alarms", "5"]));
    assert!(
        error.contains("trials.csv") && error.contains("--out"),
        "{error}"
    );
}

/// The options that a stanza of collectd.conf sets, by the table.
fn options_of(stanza: &str) -> HadOptions {
    let mut options = HadOptions::default();
    let mut lines = stanza.lines().filter(|line| !line.starts_with('#'));
    assert_eq!(lines.next(), Some("<Plugin \"bellwether\">"));
    for line in lines {
        let Some((key, value)) = line.trim().split_once(' ') else {
            assert_eq!(line, "</Plugin>");
            break;
        };
        let spec = HadOptions::SPECS.iter().find(|s| camel_case(s.name) == key);
        let name = spec.expect("a key that the plugin knows").name;
        options
            .set(name, value.trim_matches('"'))
            .expect("a value that it takes");
    }
    options
}

#[test]
fn the_stanza_for_collectd_sets_the_best_options() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("trials.csv");
    let report = report(&metrics(
        &out,
        &[
            "--param",
            "zscore_threshold=0.5..4",
            "--param",
            "zscore_overlap_min_pct",
        ],
    ));
    assert!(report["best_trial"].as_u64().unwrap() > 0, "{report}");
    let options = options_of(report["stanzas"][0][1].as_str().unwrap());
    options.validate().unwrap();
    assert_eq!(options.get("algorithm").as_deref(), Some("zscore"));
    for (name, value) in report["best"].as_object().unwrap() {
        assert_eq!(options.get(name).as_deref(), value.as_str(), "{name}");
    }
    let measures = report["measures"].as_array().unwrap();
    let train = &measures[0]["train"];
    assert!(train[1].as_f64() > train[0].as_f64(), "{train}");
}

#[test]
fn a_grid_tries_each_combination() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("trials.csv");
    let grid = [
        "--method",
        "grid",
        "--steps",
        "3",
        "--param",
        "zscore_threshold=1..2",
        "--param",
        "zscore_dynamic_filtering",
    ];
    let report = report(&metrics(&out, &grid));
    assert_eq!(report["trials"], 7);
}

/// Logs of hosts that fail after a warning, or do not.
fn logs(folder: &Path) {
    let mut labels = serde_json::Map::new();
    for number in 0..12 {
        let failing = number < 8;
        let mut text = String::new();
        for record in 0..600 {
            let what = match record {
                520..540 if failing => "Out of memory: Killed process 17 (qemu)",
                n if n % 3 == 0 => "session opened",
                n if n % 3 == 1 => "session closed",
                _ => "job done",
            };
            let clock = format!("{:02}:{:02}", record / 60, record % 60);
            text += &format!("2024-02-05T12:{clock}Z host kernel: {what}\n");
        }
        fs::write(folder.join(format!("oom__{number}.log")), text).unwrap();
        let scenario = if failing { "oom" } else { "benign" };
        let label = serde_json::json!({
            "scenario": scenario, "n": 600, "inject": failing.then_some(500), "fail": failing.then_some(580),
        });
        labels.insert(format!("oom/{number}"), label);
    }
    fs::write(folder.join("labels.json"), Value::from(labels).to_string()).unwrap();
}

#[test]
fn logs_are_tuned_on_one_half_and_tested_on_the_other() {
    let folder = tempfile::tempdir().unwrap();
    logs(folder.path());
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (data, labels, out) = (path(""), path("labels.json"), path("trials.csv"));
    let tune = |out: &str, more: &[&str]| {
        let input = ["tune", "logs", &data, "--labels", &labels, "--out", out];
        let how = ["--method", "grid", "--bootstrap", "200"];
        report(&[&input[..], &how, more].concat())
    };
    // What a line says counts whatever else: nothing here makes a difference, and that is said.
    let tuned = tune(
        &out,
        &[
            "--param",
            "training=150,599",
            "--param",
            "severity_threshold=0.5,1",
        ],
    );
    assert_eq!(tuned["train"], "6 series, 4 of them failing");
    assert_eq!(tuned["test"], "6 series, 4 of them failing");
    assert_eq!(tuned["trials"], 4);
    assert_eq!(tuned["verdict"], "no_difference", "{tuned}");
    assert_eq!(tuned["best_trial"], 0);
    let classic = tuned["stanzas"][0][1].as_str().unwrap();
    assert_eq!(classic, "[FILTER]\n    name bellwether\n    match host\n");

    let deaf = tune(
        &path("other.csv"),
        &[
            "--set",
            "severity_threshold=1",
            "--param",
            "drain_sim_th=0.4,0.5",
            "--param",
            "window_size=3,4",
        ],
    );
    assert_eq!(deaf["trials"], 4);
    let mut options = LadOptions::default();
    let yaml = deaf["stanzas"][1][1].as_str().unwrap();
    for line in yaml.lines().skip(4) {
        let (name, value) = line.trim().split_once(": ").expect("a key and its value");
        options
            .set(name, value)
            .expect("an option and a value that it takes");
    }
    assert_eq!(options.get("severity_threshold").as_deref(), Some("1"));
}

#[test]
fn what_is_wrong_is_said_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("trials.csv");
    for (more, says) in [
        (
            &["--param", "treshold"][..],
            "did you mean \"zscore_threshold\"?",
        ),
        (&["--param", "zscore_threshold=9..1"], "1..9"),
        (&["--param", "interval=1..9"], "the data say"),
        (&["--param", "algorithm"], "both set and tuned"),
        (&["--max-false-alarms=-1"], "0 to 1e9"),
        (&["--method", "grid", "--steps", "1"], "--steps 1"),
        (&["--part", "1/2", "--traces", "."], "divided"),
    ] {
        let error = error(&metrics(&out, more));
        assert!(error.contains(says), "{more:?}: {error}");
        assert!(!out.exists(), "{more:?}");
    }
}
