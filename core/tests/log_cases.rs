//! Recorded cases of failing and of healthy hosts, through the whole detector: which of them raise an alarm.
//!
//! The cases are not part of this repository; without them the test says that it is skipped.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use bellwether_core::event::{EventKind, State};
use bellwether_core::lad::{Detector, LadOptions, Record, Source};
use bellwether_core::units::Time;
use serde_json::Value;

/// An ordinary host, between whose lines those of a case stand.
const ORDINARY: [(&str, &str); 6] = [
    ("systemd", "Started Session 7 of user root."),
    ("CRON", "(root) CMD (/usr/lib/sysstat/sa1 1 1)"),
    ("systemd-logind", "New session 8 of user root."),
    (
        "sshd",
        "Accepted publickey for root from 10.0.0.9 port 51515 ssh2",
    ),
    ("kernel", "br0: port 3(vnet2) entered forwarding state"),
    ("systemd", "session-7.scope: Deactivated successfully."),
];
/// Seconds between two lines.
const STEP: f64 = 3.0;

/// What is expected of a group of cases, and what was found.
#[derive(Default)]
struct Group {
    cases: usize,
    alarms: usize,
    /// Those that were read otherwise than expected.
    wrong: Vec<String>,
}

fn folder() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/log-cases");
    if !folder.exists() {
        eprintln!("SKIPPED: there are no log cases beside the project");
        return None;
    }
    Some(folder)
}

/// Whether these lines, each with its source in front, raise an alarm.
fn alarms(lines: &[String]) -> bool {
    let mut detector = Detector::new(LadOptions::default()).unwrap();
    let mut time = 1_795_000_000.0;
    let mut raised = false;
    let mut observe = |detector: &mut Detector, program: &str, text: &str| {
        detector.observe(&Record {
            stream: "hv1",
            time: Time::from_secs(time),
            text,
            priority: None,
            source: Source {
                program: program.as_bytes(),
                ..Source::default()
            },
        });
        time += STEP;
        while let Some(event) = detector.next_event() {
            raised |= event.kind() == EventKind::LogFailure && event.state == State::Raised;
        }
    };
    for (program, text) in ORDINARY.iter().cycle().take(180) {
        observe(&mut detector, program, text);
    }
    for line in lines {
        let (program, text) = line.split_once(": ").unwrap_or((line, ""));
        observe(&mut detector, program, text);
    }
    for (program, text) in ORDINARY.iter().cycle().take(60) {
        observe(&mut detector, program, text);
    }
    raised
}

fn judge(
    groups: &mut BTreeMap<&'static str, Group>,
    group: &'static str,
    name: &str,
    lines: &[String],
) {
    let alarm = alarms(lines);
    let of_group = groups.entry(group).or_default();
    of_group.cases += 1;
    of_group.alarms += usize::from(alarm);
    if alarm != group.ends_with("failure") {
        of_group
            .wrong
            .push(format!("{name}: {}", lines.join(" / ")));
    }
}

#[test]
fn failures_of_real_hosts_are_told_from_what_only_looks_like_them() {
    let Some(folder) = folder() else { return };
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    let mut groups = BTreeMap::new();
    for line in read("cases.jsonl").lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        if case["grey"] == true {
            continue;
        }
        let lines = case["lines"].as_array().unwrap();
        let lines: Vec<String> = lines
            .iter()
            .map(|l| l.as_str().unwrap().to_owned())
            .collect();
        let group = match case["expect"] == "failure" {
            true => "cases: failure",
            false => "cases: none",
        };
        judge(&mut groups, group, case["id"].as_str().unwrap(), &lines);
    }
    let messages = read("messages.txt");
    for line in messages.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.splitn(4, '|').collect();
        let [category, label, source, message] = fields[..] else {
            continue;
        };
        let group = match label {
            "F" => "messages: failure",
            _ => "messages: none",
        };
        judge(
            &mut groups,
            group,
            category,
            &[format!("{source}: {message}")],
        );
    }
    for line in read("hostile.txt").lines() {
        // Without time and host.
        let line = line.splitn(3, ' ').nth(2).unwrap_or_default();
        judge(&mut groups, "hostile: none", "hostile", &[line.to_owned()]);
    }
    let mut failed = Vec::new();
    for (group, least, most) in [
        ("cases: failure", 0.93, 1.0),
        ("cases: none", 0.0, 0.06),
        ("messages: failure", 0.92, 1.0),
        ("messages: none", 0.0, 0.04),
        ("hostile: none", 0.0, 0.0),
    ] {
        let found = &groups[group];
        let share = found.alarms as f64 / found.cases as f64;
        println!("{group}: {} alarms of {}", found.alarms, found.cases);
        if !(least..=most).contains(&share) {
            failed.push(format!(
                "{group}: {share:.3}, not within {least} to {most}:\n  {}",
                found.wrong.join("\n  ")
            ));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}
