//! `bellwether learn`, as a user runs it.

mod common;

use std::fs;

use common::{command, json, stdout};

const BENIGN: &str = "\
2026-11-27T10:00:01Z hv1 systemd[1]: Started Daily apt download activities.
2026-11-27T10:00:02Z hv2 systemd[1]: Started Daily man-db regeneration.
";
const FAILURE: &str = "2026-11-27T10:00:05Z hv1 kernel: Out of memory: Killed process 17 (qemu)\n";
const NEW: &str = "2026-11-28T10:00:05Z hv3 fluxd[7]: quantum flux inverted\n";

#[test]
fn a_learned_file_says_what_it_has_and_makes_other_messages_new_to_the_fleet() {
    let folder = tempfile::tempdir().unwrap();
    let paths = ["learn.log", "fleet.seeds", "more.log", "more.seeds"];
    let paths = paths.map(|name| folder.path().join(name));
    fs::write(&paths[0], BENIGN.to_owned() + FAILURE).unwrap();
    fs::write(&paths[2], NEW.to_owned() + FAILURE).unwrap();
    let [log, seeds, more, both] = paths.each_ref().map(|path| path.to_str().unwrap());
    let learned = command(&["learn", "logs", "--out", seeds, log]).output();
    let learned = String::from_utf8(learned.unwrap().stderr).unwrap();
    for part in ["records: 3", "hosts: 2", "left out: memory 1"] {
        assert!(learned.contains(part), "{part}: {learned}");
    }
    let rows = stdout(&["learn", "logs", "--add", seeds, "--list"]);
    assert!(rows.starts_with("records\thosts\ttemplate\n"), "{rows}");
    assert!(rows.contains("\tStarted Daily"), "{rows}");
    assert!(!rows.contains("Out of memory"), "{rows}");

    let kinds = |seeds: &str| -> Vec<String> {
        let option = format!("seeds={seeds}");
        let events = stdout(&["replay", "logs", "--set", &option, log, more]);
        let events = events.lines().map(json);
        let kind =
            |e: serde_json::Value| format!("{} {} {}", e["event"], e["severity"], e["hypervisor"]);
        events.map(kind).collect()
    };
    let failure = r#""log_failure" "failure" "hv1""#;
    let novelty = r#""log_novelty" "warning" "hv3""#;
    assert_eq!(kinds(seeds), [failure, novelty, failure]);
    stdout(&["learn", "logs", "--add", seeds, "--out", both, more]);
    assert_eq!(kinds(both), [failure, failure]);
}
