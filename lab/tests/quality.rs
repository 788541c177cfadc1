//! The detector for metrics is as good as the committed figures say, on hypervisors made from the committed seed.
//!
//! Where a change makes it better, or worse on purpose, `BELLWETHER_UPDATE=1 cargo test -p bellwether-lab --test quality`
//! writes the new figures.

mod common;

use std::process::Output;

const GENERATED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/quality/generated.json");

fn evaluate(arguments: &[&str]) -> Output {
    common::run(&[&["evaluate", "metrics"], arguments].concat())
}

#[test]
fn quality_is_not_below_the_committed_figures() {
    if std::env::var_os("BELLWETHER_UPDATE").is_some() {
        let output = evaluate(&["--against", GENERATED, "--json"]);
        assert!(!output.stdout.is_empty());
        std::fs::write(GENERATED, output.stdout).unwrap();
        return;
    }
    let output = evaluate(&["--against", GENERATED]);
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_worse_detector_is_told_from_a_better_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("before.json");
    let cases = [
        "--scenarios",
        "hard,tenant30",
        "--vms",
        "5,8",
        "--reps",
        "12",
    ];
    let as_it_is = evaluate(&[&cases[..], &["--json"]].concat());
    std::fs::write(&file, as_it_is.stdout).unwrap();
    let against = |more: &[&str]| {
        let file = file.to_str().unwrap();
        evaluate(&[&["--against", file], more].concat())
    };
    let same = against(&[]);
    assert!(same.status.success());
    assert!(!String::from_utf8_lossy(&same.stdout).contains("worse"));

    let deaf = against(&["--set", "false_alarms_per_month=0.0001"]);
    let table = String::from_utf8_lossy(&deaf.stdout).into_owned();
    assert_eq!(deaf.status.code(), Some(1));
    let of_faults = table
        .lines()
        .find(|l| l.contains("hard-increase") && l.contains("all"));
    assert!(
        of_faults.is_some_and(|line| line.contains("worse")),
        "{table}"
    );
    let error = String::from_utf8_lossy(&deaf.stderr).into_owned();
    assert!(error.contains("1 of the scenarios became worse"), "{error}");

    let nervous = against(&["--set", "algorithm=iad"]);
    let table = String::from_utf8_lossy(&nervous.stdout).into_owned();
    let of_others = table
        .lines()
        .find(|l| l.contains("tenant30") && l.contains("all"));
    assert!(
        of_others.is_some_and(|line| line.contains("worse")),
        "{table}"
    );
}

#[test]
fn figures_without_what_they_were_made_from_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("figures.json");
    std::fs::write(&file, r#"{"detectors": []}"#).unwrap();
    let output = evaluate(&["--against", file.to_str().unwrap()]);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        error.contains("does not say what the hypervisors were made from"),
        "{error}"
    );
}
