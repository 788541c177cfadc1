//! `bellwether report` as a user runs it.

mod common;

use std::fs;
use std::path::Path;

use common::{failure, stdout};

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases");

/// The page that these arguments make.
fn page(arguments: &[&str], out: &Path) -> String {
    let out_text = out.to_str().unwrap();
    stdout(&[&["report", "--out", out_text], arguments].concat());
    fs::read_to_string(out).unwrap()
}

#[test]
fn recorded_metrics_and_logs_make_one_page() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("host-7.log");
    let line = "2024-02-05T12:00:00Z host-7 kernel: Out of memory: Killed process 17 (qemu)\n";
    fs::write(&log, line).unwrap();
    let out = folder.path().join("report.html");
    let page = page(
        &[
            "--metrics",
            CASES,
            "--set",
            "provisional_sec=0",
            "--logs",
            log.to_str().unwrap(),
        ],
        &out,
    );
    for expected in [
        "fault-up-n05",
        "busy-guest-n05",
        "rose together",
        "fell together",
        "The log reports a memory failure",
        "from the start",
        "2024-02-05 12:00 UTC",
    ] {
        assert!(page.contains(expected), "{expected}");
    }
    // What is replayed is what is reported.
    let replayed = stdout(&["replay", "metrics", "--set", "provisional_sec=0", CASES]);
    let raised = replayed
        .lines()
        .filter(|l| l.contains("\"state\":\"raised\""))
        .count();
    assert_eq!(page.matches("class=\"incident fault\"").count(), raised + 1);
}

#[test]
fn reported_events_make_a_page_without_series() {
    let folder = tempfile::tempdir().unwrap();
    let events = folder.path().join("events.jsonl");
    let replayed = stdout(&["replay", "metrics", "--kinds", "all", CASES]);
    fs::write(&events, replayed).unwrap();
    let page = page(
        &[
            "--events",
            events.to_str().unwrap(),
            "--title",
            "Night <shift>",
        ],
        &folder.path().join("report.html"),
    );
    assert!(page.contains("<title>Night &lt;shift&gt;</title>"));
    assert!(page.contains("fault-down-n08") && page.contains("VMs that changed the most"));
    assert!(!page.contains("class=\"view"));
}

#[test]
fn a_start_and_a_zone_make_the_times_those_of_a_calendar() {
    let folder = tempfile::tempdir().unwrap();
    let file = format!("{CASES}/fault-up-n05.csv");
    let page = page(
        &["--metrics", &file, "--start", "2026-03-03T06:40"],
        &folder.path().join("report.html"),
    );
    let (_, body) = page.split_once("</script>").unwrap();
    assert!(body.contains("2026-03-03 06:40") && !body.contains("from the start"));
}

#[test]
fn a_page_of_data_without_rows_or_lines_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("report.html");
    for (option, name, content) in [
        ("--metrics", "hv1.csv", "t,vm00,vm01\n"),
        ("--logs", "hv1.log", ""),
    ] {
        let file = folder.path().join(name);
        fs::write(&file, content).unwrap();
        let page = page(&[option, file.to_str().unwrap()], &out);
        assert!(page.contains("the page does not show it"), "{name}");
    }
}

#[test]
fn a_wrong_command_line_is_refused_with_what_would_be_right() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("report.html");
    let out = out.to_str().unwrap();
    for (arguments, code, says) in [
        (vec![], 2, "--metrics"),
        (
            vec!["--metrics", CASES, "--events", "e.jsonl"],
            2,
            "cannot be used with",
        ),
        (
            vec!["--metrics", CASES, "--start", "noon"],
            2,
            "\"noon\" is not a time",
        ),
        (
            vec!["--metrics", CASES, "--time-zone", "Mars/North"],
            2,
            "IANA name",
        ),
        (vec!["--metrics", "/nowhere"], 1, "/nowhere"),
        (vec!["--events", "/nowhere"], 1, "/nowhere"),
    ] {
        let (found, errors) = failure(&[&["report", "--out", out], &arguments[..]].concat());
        assert_eq!(found, Some(code), "{arguments:?}: {errors}");
        assert!(errors.contains(says), "{arguments:?}: {errors}");
    }
    let (_, errors) = failure(&[
        "report",
        "--metrics",
        CASES,
        "--out",
        "/nowhere/report.html",
    ]);
    assert!(
        errors.contains("/nowhere/report.html: the page cannot be written"),
        "{errors}"
    );
}
