//! `bellwether replay logs --language-model`, with a server that knows what fails.

mod common;
#[path = "../../language-model/tests/stub/mod.rs"]
mod stub;

use std::fmt::Write as _;
use std::fs;

use common::{command, json};
use stub::Stub;

const KEY: &str = "sk-a-secret-key";

/// A log with a failure in words that the lexicon does not know.
fn log() -> String {
    let mut lines = String::new();
    for second in 0..400 {
        let text = match second {
            300..304 => "coolant pump is leaking",
            n if n % 2 == 0 => "session opened",
            _ => "session closed",
        };
        let clock = format!("{:02}:{:02}", second / 60, second % 60);
        writeln!(lines, "2024-02-05T12:{clock}Z hv1 rackd: {text}").unwrap();
    }
    lines
}

/// Events and errors of a replay of [`log`] with these arguments, the key in the environment.
fn replay(arguments: &[&str]) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.log");
    fs::write(&file, log()).unwrap();
    let output = command(&["replay", "logs"])
        .args(arguments)
        .arg(&file)
        .env("BELLWETHER_MODEL_KEY", KEY)
        .output()
        .unwrap();
    let [out, error] = [output.stdout, output.stderr].map(|b| String::from_utf8(b).unwrap());
    assert!(output.status.success(), "{error}");
    (out, error)
}

#[test]
fn what_a_model_calls_failing_is_a_warning_and_is_asked_once_with_a_cache() {
    assert_eq!(replay(&[]).0, "", "the lexicon does not know it");
    let stub = Stub::new(stub::right);
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("answers");
    let arguments = [
        "--language-model",
        &stub.url,
        "--model",
        "m",
        "--model-cache",
        cache.to_str().unwrap(),
    ];
    let (events, errors) = replay(&arguments);
    let event = json(events.lines().next().expect("an event"));
    assert_eq!(
        (&event["severity"], &event["family"]),
        (&"warning".into(), &"storage".into())
    );
    assert_eq!(errors, "");
    let seen = stub.take_seen();
    assert!(
        seen.iter()
            .all(|seen| seen.head.contains(&format!("bearer {KEY}")))
    );
    let asked: Vec<_> = seen.iter().flat_map(|seen| seen.templates()).collect();
    let leaking = asked
        .iter()
        .filter(|t| t["template"].as_str().unwrap().contains("leaking"));
    assert_eq!(leaking.count(), 1);
    assert_eq!(replay(&arguments).0, events);
    assert_eq!(stub.take_seen().len(), 0);
}

#[test]
fn a_model_that_fails_its_exam_changes_nothing_and_is_reported() {
    let stub = Stub::new(stub::all_failing);
    let (events, errors) = replay(&["--language-model", &stub.url, "--model", "m"]);
    assert_eq!(events, "");
    assert!(errors.contains("failed the exam (10 of 20"), "{errors}");
    assert_eq!(stub.take_seen().len(), 2);
}

#[test]
fn a_key_is_no_argument_and_stands_in_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    fs::write(&key, format!("{KEY}\nmore")).unwrap();
    let key = key.to_str().unwrap();
    for arguments in [
        [
            "--model-key-file",
            key,
            "--language-model",
            "https://h",
            "--model",
            "m",
        ],
        [
            "--model-key",
            KEY,
            "--language-model",
            "https://h",
            "--model",
            "m",
        ],
    ] {
        let output = command(&["replay", "logs", "-"])
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2));
        let error = String::from_utf8(output.stderr).unwrap();
        let is_ours = arguments[0] == "--model-key-file";
        assert!(!is_ours || !error.contains(KEY), "{error}");
    }
}
