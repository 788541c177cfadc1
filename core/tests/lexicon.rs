//! The lexicon on messages of real hosts: those that report failures, and those that only look like it.

use bellwether_core::inference::{FAULT, Family, Inference, Lexicon, with_priority};

const FLAGGED: &str = include_str!("messages/flagged.txt");
const QUIET: &str = include_str!("messages/quiet.txt");
const LEXICON: &str = include_str!("../src/inference/lexicon.txt");

/// The messages of a file: no comments, no empty lines.
fn messages(file: &str) -> impl Iterator<Item = &str> {
    file.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn severity(text: &str) -> f32 {
    Lexicon::builtin()
        .judge(text, "")
        .map_or(0.0, |f| f.severity)
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
        match Lexicon::builtin().judge(message, "") {
            Some(finding) if finding.severity >= FAULT => {
                if Some(finding.family) != section {
                    wrong.push(format!("{} as {}", message, finding.family.as_str()));
                }
            }
            other => wrong.push(format!("{message}: {other:?}")),
        }
    }
    assert_eq!(seen, Family::ALL, "each family has its messages");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_phrase_of_failure_is_outweighed_by_its_own_words() {
    let mut family = None;
    let mut checked = 0;
    let mut wrong = Vec::new();
    for line in messages(LEXICON) {
        if let Some(head) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            family = Family::from_name(head);
            continue;
        }
        let Some((weight, phrase)) = line.split_once(' ') else {
            continue;
        };
        if family.is_none() || weight.parse().is_ok_and(|weight: f32| weight < FAULT) {
            continue;
        }
        let text = phrase.replace(" * ", " sda ").replace('*', "0");
        checked += 1;
        if severity(&text) < FAULT {
            wrong.push(text);
        }
    }
    assert!(checked > 1000, "{checked} phrases");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_only_looks_like_failure_is_not_flagged() {
    let wrong: Vec<String> = messages(QUIET)
        .filter_map(|message| {
            let finding = Lexicon::builtin().judge(message, "")?;
            (finding.severity >= FAULT).then(|| format!("{message}: {}", finding.reason))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn capital_letters_and_what_stands_around_a_message_do_not_matter() {
    for message in messages(FLAGGED).filter(|m| !m.starts_with('[')) {
        let lines = [
            message.to_ascii_uppercase(),
            format!("Nov 21 10:00:00 host-3 kernel: [ 1234.567890] {message}"),
        ];
        for line in lines {
            assert!(severity(&line) >= FAULT, "{line}");
        }
    }
}

#[test]
fn a_priority_flags_no_message_that_says_nothing() {
    for text in ["br0: port 2(tap1) entered disabled state", "all is well"] {
        let finding = Lexicon::builtin().judge(text, "");
        assert_eq!(with_priority(finding, Some(0)), None, "{text}");
    }
}

#[test]
fn a_failure_that_is_logged_as_information_stays_one() {
    let text = "INFO: task qemu-system-x86:4312 blocked for more than 120 seconds.";
    let finding = with_priority(Lexicon::builtin().judge(text, ""), Some(6)).unwrap();
    assert!(finding.severity >= FAULT && finding.reason.contains("blocked for more than"));
}

#[test]
fn what_only_looks_like_failure_is_not_flagged_as_a_whole_line_either() {
    let mut wrong = Vec::new();
    for source in ["kernel", "systemd[1]", "sshd[77]"] {
        for message in messages(QUIET) {
            let line = format!("Nov 21 10:00:00 host-3 {source}: {message}");
            if severity(&line) >= FAULT {
                wrong.push(line);
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_programs_log_as_critical_every_day_is_no_failure() {
    for text in [
        "fatal: Timeout before authentication for 203.0.113.9 port 53122",
        "fatal: no matching mac found: client hmac-sha1 server hmac-sha2-256",
        "fatal: parameter inet_interfaces: no local interface found for ::1",
        "Process 11923 (roam-research) of user 1000 dumped core.",
        "watchdog: watchdog0: watchdog did not stop!",
        "admin : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/root ; USER=root ; COMMAND=/bin/ls",
        "error: bad request, cannot parse it, giving up",
    ] {
        let finding = with_priority(Lexicon::builtin().judge(text, ""), Some(2));
        let severity = finding.map_or(0.0, |finding| finding.severity);
        assert!(severity < FAULT, "{text}");
    }
}
