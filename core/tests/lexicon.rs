//! The lexicon on messages of real hosts: those that report failures, and those that only look like it.

use std::fs;
use std::path::Path;

use bellwether_core::inference::{FAULT, Family, Finding, Inference, Lexicon, Message};

const FLAGGED: &str = include_str!("messages/flagged.txt");
const QUIET: &str = include_str!("messages/quiet.txt");
/// The lexicon of each subject.
const LEXICON: &str = concat!(
    include_str!("../src/inference/data/kernel.txt"),
    include_str!("../src/inference/data/storage.txt"),
    include_str!("../src/inference/data/network.txt"),
    include_str!("../src/inference/data/hardware.txt"),
    include_str!("../src/inference/data/vmm.txt"),
    include_str!("../src/inference/data/cluster.txt"),
    include_str!("../src/inference/data/init.txt"),
);
/// A program of each class that is believed.
const PROGRAMS: [&str; 7] = [
    "kernel",
    "systemd",
    "qemu-system-x86_64",
    "smartd",
    "ovs-vswitchd",
    "corosync",
    "mcelog",
];

/// The messages of a file: no comments, no empty lines.
fn messages(file: &str) -> impl Iterator<Item = &str> {
    file.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn found(program: &str, text: &str) -> Option<Finding> {
    let message = Message::of(text).from_program(program);
    Lexicon::builtin().read(&message).finding
}

/// The findings for `text` from each class of sources.
fn findings(text: &str) -> impl Iterator<Item = Finding> {
    PROGRAMS
        .iter()
        .filter_map(move |program| found(program, text))
}

/// The most severe of them.
fn worst(text: &str) -> Option<Finding> {
    findings(text).max_by(|a, b| a.severity.total_cmp(&b.severity))
}

fn severity(program: &str, text: &str) -> f32 {
    found(program, text).map_or(0.0, |f| f.severity)
}

#[test]
fn messages_that_report_failures_are_flagged_in_every_family() {
    let mut section = None;
    let mut seen = Vec::new();
    let mut wrong = Vec::new();
    for message in messages(FLAGGED) {
        if let Some(name) = message.strip_prefix('[').and_then(|m| m.strip_suffix(']')) {
            section = Some(Family::from_name(name).expect(name));
            seen.extend(section);
            continue;
        }
        let is_found = |f: &Finding| f.severity >= FAULT && Some(f.family) == section;
        if !findings(message).any(|finding| is_found(&finding)) {
            let found: Vec<_> = findings(message)
                .map(|f| (f.severity, f.family.as_str(), f.reason))
                .collect();
            wrong.push(format!("{message}: {found:?}"));
        }
    }
    assert_eq!(seen, Family::ALL, "each family has its messages");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Each line of a file in `tests/lexicon` is F (a failure) or N (none), the program, and the message, separated by bars.
#[test]
fn each_program_is_read_as_a_good_operator_reads_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lexicon");
    let (mut checked, mut wrong) = (0, Vec::new());
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        for line in messages(&text) {
            let fields: Vec<&str> = line.splitn(3, '|').collect();
            let [label @ ("F" | "N"), program, message] = fields[..] else {
                panic!("{}: {line}", path.display());
            };
            checked += 1;
            let finding = found(program, message);
            let is_failure = finding.as_ref().is_some_and(|f| f.severity >= FAULT);
            if is_failure != (label == "F") {
                let reason = finding.map_or_else(String::new, |f| f.reason);
                wrong.push(format!("{line}: {reason}"));
            }
        }
    }
    assert!(checked > 500, "{checked} messages");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_phrase_of_failure_is_outweighed_by_its_own_words() {
    let mut family = None;
    let mut checked = 0;
    let mut wrong = Vec::new();
    for line in messages(LEXICON) {
        if let Some(head) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            if !head.starts_with("from ") {
                family = Family::from_name(head);
            }
            continue;
        }
        let Some((weight, phrase)) = line.split_once(' ') else {
            continue;
        };
        let weight = weight.trim_end_matches('?').parse();
        if family.is_none() || weight.is_ok_and(|weight: f32| weight < FAULT) {
            continue;
        }
        let text = phrase.replace(" * ", " sda ").replace('*', "0");
        checked += 1;
        if worst(&text).is_none_or(|finding| finding.severity < FAULT) {
            wrong.push(text);
        }
    }
    assert!(checked > 500, "{checked} phrases");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_only_looks_like_failure_is_not_flagged_whoever_says_it() {
    let mut wrong = Vec::new();
    for message in messages(QUIET) {
        for program in ["", "kernel", "systemd", "sshd"] {
            if let Some(finding) = found(program, message)
                && finding.severity >= FAULT
            {
                wrong.push(format!("{program}: {message}: {}", finding.reason));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_message_of_failure_counts_from_an_unknown_program() {
    for message in messages(FLAGGED).filter(|m| !m.starts_with('[')) {
        for program in ["sshd", "nginx", "alice", "dnsmasq"] {
            assert!(severity(program, message) < FAULT, "{program}: {message}");
        }
        let name = format!("Invalid user {message} from 203.0.113.9 port 4711");
        assert!(severity("sshd", &name) < FAULT, "{name}");
        let line = format!("sshd[4711]: {name}");
        assert!(severity("", &line) < FAULT, "{line}");
    }
}

#[test]
fn a_name_in_quotes_is_no_failure_of_the_host_whoever_reports_it() {
    for name in [
        "Buffer I/O error on dev sda, logical block 12",
        "KVM internal error. Suberror: 1",
        "Kernel panic - not syncing: Fatal exception",
        "OOM-killed",
    ] {
        for (program, text) in [
            (
                "libvirtd",
                format!("Domain id=3 name='{name}' uuid=aaaa is tainted: host-cpu"),
            ),
            ("systemd-machined", format!("New machine {name}.")),
            ("kernel", format!("usb 1-1: Product: {name}")),
            (
                "kernel",
                format!("audit: type=1400 apparmor=\"DENIED\" comm=\"{name}\""),
            ),
            (
                "kernel",
                format!("{name}[4711]: segfault at 0 ip 00007f0000000000 sp 0 error 4 in x"),
            ),
        ] {
            assert!(severity(program, &text) < FAULT, "{program}: {text}");
        }
    }
}

#[test]
fn a_priority_flags_no_message_that_says_nothing() {
    for text in ["br0: port 2(tap1) entered disabled state", "all is well"] {
        let message = Message::of(text)
            .from_program("kernel")
            .with_priority(Some(0));
        assert_eq!(Lexicon::builtin().read(&message).finding, None, "{text}");
    }
}

#[test]
fn a_failure_that_is_logged_as_information_stays_one() {
    let text = "INFO: task qemu-system-x86:4312 blocked for more than 120 seconds.";
    let message = Message::of(text)
        .from_program("kernel")
        .with_priority(Some(6));
    let finding = Lexicon::builtin().read(&message).finding.unwrap();
    assert!(finding.severity >= FAULT, "{finding:?}");
}

#[test]
fn what_programs_log_as_critical_every_day_is_no_failure() {
    for (program, text) in [
        (
            "sshd",
            "fatal: Timeout before authentication for 203.0.113.9 port 53122",
        ),
        (
            "sshd",
            "fatal: no matching mac found: client hmac-sha1 server hmac-sha2-256",
        ),
        (
            "postfix",
            "fatal: parameter inet_interfaces: no local interface found for ::1",
        ),
        (
            "systemd-coredump",
            "Process 11923 (roam-research) of user 1000 dumped core.",
        ),
        ("kernel", "watchdog: watchdog0: watchdog did not stop!"),
        (
            "sudo",
            "admin : 3 incorrect password attempts ; TTY=pts/0 ; COMMAND=/bin/ls",
        ),
        ("httpd", "error: bad request, cannot parse it, giving up"),
    ] {
        let message = Message::of(text)
            .from_program(program)
            .with_priority(Some(2));
        let finding = Lexicon::builtin().read(&message).finding;
        let severity = finding.map_or(0.0, |finding| finding.severity);
        assert!(severity < FAULT, "{program}: {text}");
    }
}
