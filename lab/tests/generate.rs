//! Made-up data, as a user makes them.

mod common;

use std::collections::BTreeSet;
use std::path::Path;

use common::{bellwether, failure, json, stdout};

fn logs(arguments: &str) -> String {
    let arguments: Vec<&str> = ["generate", "logs"]
        .into_iter()
        .chain(arguments.split_whitespace())
        .collect();
    stdout(&arguments)
}

/// The message and what follows it that all forms have in common: what replaying makes of a file.
fn events(file: &Path) -> Vec<(String, u64)> {
    let events = bellwether(&["replay", "logs", "--year", "2026", file.to_str().unwrap()]);
    let event = |line: &str| {
        let event = json(line);
        let phrase = event["phrase"].as_str().expect("a phrase").to_owned();
        (phrase, event["index"].as_u64().expect("an index"))
    };
    events.lines().map(event).collect()
}

#[test]
fn the_same_arguments_give_the_same_log_and_another_seed_another() {
    let log = logs("--hours 6 --scenario disk --seed 3");
    assert!(log.lines().count() > 1_000);
    assert_eq!(logs("--hours 6 --scenario disk --seed 3"), log);
    assert_ne!(logs("--hours 6 --scenario disk --seed 4"), log);
}

#[test]
fn a_rate_and_a_begin_are_kept_to() {
    let log = logs("--hours 24 --rate 300 --start 2026-03-02T00:00:00+02:00");
    let lines = log.lines().count();
    assert!((24 * 250..24 * 350).contains(&lines), "{lines}");
    assert!(log.starts_with("2026-03-01T22:00:0"), "{log:.40}");
}

#[test]
fn every_form_plain_and_gzip_is_replayed_to_the_same_events_and_parsed_to_the_same_templates() {
    let folder = tempfile::tempdir().unwrap();
    let mut found = BTreeSet::new();
    for format in ["iso", "rfc3164", "rfc5424"] {
        for ending in ["log", "log.gz"] {
            let file = folder.path().join(format!("{format}.{ending}"));
            let path = file.to_str().unwrap();
            logs(&format!(
                "--hours 4 --scenario oom --format {format} --out {path}"
            ));
            let events = events(&file);
            assert!(!events.is_empty(), "{path}");
            // A priority is evidence too, which one of the forms does not have.
            let events = if format == "iso" { Vec::new() } else { events };
            found.insert((events, bellwether(&["templates", path])));
        }
    }
    let templates: BTreeSet<&String> = found.iter().map(|(_, templates)| templates).collect();
    assert_eq!(templates.len(), 1);
    assert_eq!(found.len(), 2, "iso, and the two with a priority");
}

#[test]
fn labels_say_at_which_lines_the_fault_begins_and_the_guest_dies() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (out, labels) = (path("logs"), path("labels.json"));
    logs(&format!(
        "--hours 4 --fault-at 2 --scenario disk,oom,hung,none --hosts 8 --out {out} --labels {labels}"
    ));
    let labels = json(&std::fs::read_to_string(labels).unwrap());
    let series = labels["series"].as_object().unwrap();
    assert_eq!(series.len(), 8);
    for (name, label) in series {
        let log = std::fs::read_to_string(label["file"].as_str().unwrap()).unwrap();
        let lines: Vec<&str> = log.lines().collect();
        assert_eq!(label["n"], lines.len(), "{name}");
        let scenario = label["scenario"].as_str().unwrap();
        assert!(name.starts_with(&format!("{scenario}/hv")), "{name}");
        if scenario == "none" {
            assert!(
                label["inject"].is_null() && label["fail"].is_null(),
                "{name}"
            );
            continue;
        }
        let line = |key: &str| lines[label[key].as_u64().unwrap() as usize];
        assert!(line("inject") > "2026-01-05T02:00:00", "{}", line("inject"));
        let death = if scenario == "oom" {
            "Out of memory: Killed process"
        } else {
            " terminated."
        };
        assert!(line("fail").contains(death), "{}", line("fail"));
        let lead = label["lead_s"][0][1].as_f64().unwrap();
        assert!((8.0 * 60.0..45.0 * 60.0).contains(&lead), "{name}: {lead}");
    }
}

#[test]
fn a_week_of_normal_life_raises_nothing_however_much_of_it_looks_like_trouble() {
    let folder = tempfile::tempdir().unwrap();
    // With and without the priorities that programs give their lines.
    for format in ["rfc5424", "iso"] {
        let file = folder.path().join("hv1.log");
        logs(&format!(
            "--hours 168 --seed 2 --format {format} --out {}",
            file.display()
        ));
        let log = std::fs::read_to_string(&file).unwrap();
        for trouble in [
            "Failed password",
            "0 errors",
            "errors=remount-ro",
            "error: kex_exchange_identification",
            "Input/output error",
            "SMART Prefailure Attribute",
        ] {
            assert!(log.contains(trouble), "{trouble}");
        }
        assert_eq!(events(&file), []);
    }
}

#[test]
fn a_failing_host_is_told_minutes_before_its_guest_dies() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (out, labels) = (path("logs"), path("labels.json"));
    logs(&format!(
        "--hours 6 --scenario disk,oom,hung --hosts 6 --out {out} --labels {labels}"
    ));
    let scores = path("scores.jsonl");
    bellwether(&["replay", "logs", "--scores", &scores, &out]);
    let scores = std::fs::read_to_string(scores).unwrap();
    let labels = json(&std::fs::read_to_string(labels).unwrap());
    for (name, label) in labels["series"].as_object().unwrap() {
        let index = |key: &str| label[key].as_u64().unwrap();
        let flagged = scores.lines().map(json).find_map(|score| {
            let at = score["index"].as_u64().unwrap();
            (score["series"] == **name && at >= index("inject")).then_some(at)
        });
        let flagged = flagged.expect(name);
        let leads = label["lead_s"].as_array().unwrap();
        let left = leads.iter().rfind(|lead| lead[0].as_u64() <= Some(flagged));
        let left = left.unwrap()[1].as_f64().unwrap();
        assert!(flagged < index("fail") && left >= 60.0, "{name}: {left} s");
    }
}

#[test]
fn arguments_that_cannot_be_are_refused_with_what_would_be_right() {
    for (arguments, wanted) in [
        (
            "--hours 0.2 --scenario disk",
            "--hours: the scenario disk needs 0.",
        ),
        (
            "--hours 4 --fault-at 3.9 --scenario hung",
            "needs the last 0.",
        ),
        ("--rate 5", "timers alone log"),
        ("--hosts 2", "--out FOLDER"),
        ("--hours 1e9", "0 to 100000 hours"),
        ("--start yesterday", "yesterday"),
    ] {
        let all: Vec<&str> = ["generate", "logs"]
            .into_iter()
            .chain(arguments.split(' '))
            .collect();
        let (code, errors) = failure(&all);
        assert_eq!(code, Some(2), "{arguments}: {errors}");
        assert!(errors.contains(wanted), "{arguments}: {errors}");
    }
}
