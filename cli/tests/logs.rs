//! `bellwether replay logs` on several hosts, files and the standard input, as a user runs it.

mod common;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::Stdio;

use common::{command, json, stdout};

/// What fails, in a form that names the host.
const FAILURE: &str = "2026-11-27T10:00:05Z hv1 kernel: Out of memory: Killed process 17 (qemu)\n";

/// Host, series and line of each event.
fn places(events: &str) -> Vec<String> {
    let events = events.lines().map(json);
    let place = |event: serde_json::Value| {
        format!(
            "{} {} {}",
            event["hypervisor"], event["series"], event["index"]
        )
    };
    events.map(place).collect()
}

#[test]
fn an_event_is_printed_while_the_standard_input_goes_on() {
    let mut child = command(&["replay", "logs", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(FAILURE.as_bytes()).unwrap();
    let mut first = String::new();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    output.read_line(&mut first).unwrap();
    assert_eq!(places(&first), ["\"hv1\" \"stdin\" 0"]);
    drop(input);
    assert!(child.wait().unwrap().success());
}

#[test]
fn every_host_of_a_file_is_a_stream_and_scores_are_the_file_s() {
    let folder = tempfile::tempdir().unwrap();
    let paths = ["central__1.log", "scores"].map(|name| folder.path().join(name));
    fs::write(
        &paths[0],
        FAILURE.to_owned() + &FAILURE.replace("hv1", "hv2"),
    )
    .unwrap();
    let [log, scores] = paths.each_ref().map(|path| path.to_str().unwrap());
    let events = stdout(&["replay", "logs", "--scores", scores, log]);
    let expected = ["\"hv1\" \"central/1\" 0", "\"hv2\" \"central/1\" 1"];
    assert_eq!(places(&events), expected);
    let scores = fs::read_to_string(scores).unwrap();
    let scores: Vec<_> = scores.lines().map(json).collect();
    assert!(scores.iter().all(|score| score["series"] == "central/1"));
    assert_eq!((scores.len(), &scores[1]["index"]), (2, &1.into()));
}
