//! The command as a user runs it.

mod common;

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::Stdio;

use common::{command, failure, json, run, shared, stdout};

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases");

/// Hypervisor and row of every line.
fn detections(lines: &str) -> BTreeSet<(String, u64)> {
    lines
        .lines()
        .map(|line| {
            let line = json(line);
            let hypervisor = line["hypervisor"].as_str().expect("a name");
            (
                hypervisor.to_owned(),
                line["index"].as_u64().expect("a row"),
            )
        })
        .collect()
}

/// The folder's detections by HAD as published are exactly those that it holds.
fn assert_published_detections(folder: &Path) {
    let expected = std::fs::read_to_string(folder.join("detections.jsonl")).expect("detections");
    let folder = folder.to_str().expect("UTF-8");
    let found = stdout(&["replay", "metrics", "--set", "algorithm=zscore", folder]);
    assert_eq!(detections(&found), detections(&expected));
    let raised = found.lines().filter(|line| json(line)["state"] == "raised");
    assert_eq!(
        raised.count(),
        expected.lines().count(),
        "each is raised once"
    );
}

#[test]
fn zscore_detects_what_the_published_definition_gives() {
    assert_published_detections(Path::new(CASES));
}

#[test]
fn zscore_detects_what_the_published_definition_gives_on_real_traces() {
    if let Some(folder) = shared("eval/had_zscore_cases") {
        assert_published_detections(&folder);
    }
}

#[test]
fn rank_and_iad_find_the_faults_of_the_host_and_leave_the_busy_guest_alone() {
    for algorithm in ["rank", "iad"] {
        let setting = format!("algorithm={algorithm}");
        let found = stdout(&["replay", "metrics", "--set", &setting, CASES]);
        let hypervisors: BTreeSet<String> =
            detections(&found).into_iter().map(|(h, _)| h).collect();
        for fault in [
            "fault-down-n08",
            "fault-recovers-n06",
            "fault-up-n05",
            "missing-n05",
        ] {
            assert!(
                hypervisors.contains(fault),
                "{algorithm}: {fault} in {hypervisors:?}"
            );
        }
        assert_eq!(hypervisors.len(), 4, "{algorithm}: {hypervisors:?}");
    }
}

#[test]
fn a_line_has_the_keys_of_the_event_and_the_row_it_was_raised_at() {
    let file = format!("{CASES}/fault-recovers-n06.csv");
    let lines = stdout(&["replay", "metrics", "--interval", "10", &file]);
    let lines: Vec<_> = lines.lines().map(json).collect();
    let states: Vec<_> = lines.iter().map(|l| l["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["raised", "cleared"]);
    for line in &lines {
        assert_eq!(line["event"], "hypervisor_anomaly");
        assert_eq!(line["hypervisor"], "fault-recovers-n06");
        assert_eq!(line["index"], lines[0]["index"]);
        assert_eq!(
            line["since"].as_f64().unwrap(),
            line["index"].as_f64().unwrap() * 10.0
        );
    }
    assert!(lines[1]["time"].as_f64() > lines[0]["time"].as_f64());
}

#[test]
fn the_output_is_the_same_byte_for_byte_whatever_the_number_of_jobs() {
    let once = stdout(&["replay", "metrics", "--jobs", "1", CASES]);
    assert!(!once.is_empty());
    for jobs in ["1", "2", "7"] {
        assert_eq!(stdout(&["replay", "metrics", "--jobs", jobs, CASES]), once);
    }
}

#[test]
fn files_in_another_order_give_the_same_events_in_that_order() {
    let up = format!("{CASES}/fault-up-n05.csv");
    let down = format!("{CASES}/fault-down-n08.csv.gz");
    let [a, b] = [
        stdout(&["replay", "metrics", &up]),
        stdout(&["replay", "metrics", &down]),
    ];
    assert_eq!(
        stdout(&["replay", "metrics", &up, &down]),
        format!("{a}{b}")
    );
    assert_eq!(
        stdout(&["replay", "metrics", &down, &up]),
        format!("{b}{a}")
    );
}

#[test]
fn a_gzip_file_gives_what_the_plain_file_gives() {
    let folder = tempfile::tempdir().unwrap();
    let zipped = folder.path().join("fault-up-n05.csv.gz");
    let plain = format!("{CASES}/fault-up-n05.csv");
    let file = std::fs::File::create(&zipped).unwrap();
    let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::default());
    encoder.write_all(&std::fs::read(&plain).unwrap()).unwrap();
    encoder.finish().unwrap();
    let expected = stdout(&["replay", "metrics", &plain]);
    assert!(!expected.is_empty());
    assert_eq!(
        stdout(&["replay", "metrics", zipped.to_str().unwrap()]),
        expected
    );
    assert_eq!(
        stdout(&["replay", "metrics", folder.path().to_str().unwrap()]),
        expected
    );
}

#[test]
fn only_the_kinds_asked_for_are_printed() {
    let kinds = |kinds: &str| {
        let lines = stdout(&["replay", "metrics", "--kinds", kinds, CASES]);
        let kinds: BTreeSet<String> = lines
            .lines()
            .map(|line| json(line)["event"].as_str().unwrap().to_owned())
            .collect();
        kinds.into_iter().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(kinds("hypervisor_anomaly"), "hypervisor_anomaly");
    assert_eq!(kinds("workload_change"), "workload_change");
    assert_eq!(
        kinds("hypervisor_anomaly,workload_change"),
        "hypervisor_anomaly workload_change"
    );
}

#[test]
fn a_silence_of_all_vms_is_an_event_only_where_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("silent.csv");
    let mut text = String::from("t,a,b\n");
    for row in 0..60 {
        let cells = match row {
            30..45 => ",".to_owned(),
            _ => format!("{},{}", 5 + row % 3, 9 + row % 2),
        };
        text += &format!(
            "{row},{cells}
"
        );
    }
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    assert_eq!(stdout(&["replay", "metrics", file]), "");
    let lines = stdout(&["replay", "metrics", "--kinds", "all", file]);
    let states: Vec<_> = lines
        .lines()
        .map(json)
        .filter(|line| line["event"] == "hypervisor_silence")
        .map(|line| line["state"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(states, ["raised", "cleared"]);
}

#[test]
fn a_vm_that_comes_back_is_heard_from_its_first_sample_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hv1.csv");
    // "c" is missing in every other row, and is the last one where it is not.
    let rows = (0..40).map(|row| match row % 2 {
        0 => format!("{row},1,2,3\n"),
        _ => format!("{row},1,2,\n"),
    });
    std::fs::write(&file, format!("t,a,b,c\n{}", rows.collect::<String>())).unwrap();
    let output = run(&["replay", "metrics", file.to_str().unwrap()]);
    let warnings = String::from_utf8(output.stderr).unwrap();
    assert!(
        !warnings.contains("samples ignored"),
        "nothing came too late: {warnings}"
    );
}

#[test]
fn vms_beyond_the_limit_are_reported() {
    let file = format!("{CASES}/fault-up-n05.csv");
    let output = run(&["replay", "metrics", "--set", "max_vms=3", &file]);
    let warnings = String::from_utf8(output.stderr).unwrap();
    assert!(
        warnings.contains("beyond the option \"max_vms\": 440\n"),
        "{warnings}"
    );
}

#[test]
fn a_wrong_command_line_is_exit_status_2_and_says_what_would_be_right() {
    for (arguments, says) in [
        (
            &["--set", "treshold=2", CASES][..],
            "did you mean \"zscore_threshold\"?",
        ),
        (
            &["--set", "threshold=high", CASES],
            "\"high\" is not allowed; it takes 0 to",
        ),
        (&["--set", "threshold", CASES], "NAME=VALUE"),
        (
            &["--interval", "0", CASES],
            "option \"interval\": \"0\" is not allowed",
        ),
        (
            &["--set", "forget_sec=300", CASES],
            "at least twice \"interval\"",
        ),
        (&["--kinds", "anomaly", CASES], "hypervisor_anomaly"),
        (&[], "<PATH>"),
    ] {
        let arguments = [&["replay", "metrics"], arguments].concat();
        let (code, errors) = failure(&arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {errors}");
        assert!(errors.contains(says), "{arguments:?}: {errors}");
    }
}

#[test]
fn a_command_of_the_lab_is_refused_with_where_it_is() {
    for name in ["evaluate", "generate", "tune"] {
        let (code, errors) = failure(&[name, "metrics"]);
        assert_eq!(code, Some(2), "{errors}");
        let unknown = format!("unrecognized subcommand '{name}'");
        assert!(errors.contains(&unknown), "{errors}");
        assert!(
            errors.contains(&format!("cargo run --release -p bellwether-lab -- {name}")),
            "{errors}"
        );
    }
    let (code, errors) = failure(&["evalute"]);
    assert_eq!(code, Some(2), "{errors}");
    assert!(!errors.contains("bellwether-lab"), "{errors}");
}

#[test]
fn bad_data_are_exit_status_1_and_name_file_line_row_column_and_value() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hv1.csv");
    std::fs::write(&file, "t,vm0,vm1\n0,1,2\n1,1,lots\n").unwrap();
    let path = file.to_str().unwrap();
    let (code, errors) = failure(&["replay", "metrics", path]);
    assert_eq!(code, Some(1));
    for part in [
        path,
        "line 3",
        "row 1",
        "column vm1",
        "\"lots\"",
        "finite number",
    ] {
        assert!(errors.contains(part), "{part} in {errors}");
    }

    let output = run(&["replay", "metrics", "--lenient", path]);
    assert!(output.status.success());
    let warnings = String::from_utf8(output.stderr).unwrap();
    assert!(
        warnings.contains("read as missing samples: 1\n"),
        "{warnings}"
    );
}

#[test]
fn what_cannot_be_read_is_exit_status_1_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().to_str().unwrap();
    let missing = format!("{empty}/none.csv");
    for (arguments, says) in [
        (vec![missing.as_str()], "none.csv: No such file"),
        (vec![empty], "no file named *.csv or *.csv.gz"),
        (vec![CASES, CASES], "both of the hypervisor"),
    ] {
        let arguments = [vec!["replay", "metrics"], arguments].concat();
        let (code, errors) = failure(&arguments);
        assert_eq!(code, Some(1), "{errors}");
        assert!(errors.contains(says), "{errors}");
    }

    // A gzip file that breaks off.
    let cut = folder.path().join("cut.csv.gz");
    let whole = std::fs::read(format!("{CASES}/fault-down-n08.csv.gz")).unwrap();
    std::fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    let (code, errors) = failure(&["replay", "metrics", cut.to_str().unwrap()]);
    assert_eq!(code, Some(1));
    assert!(errors.contains("cut.csv.gz"), "{errors}");
}

#[test]
fn events_before_a_file_with_an_error_are_printed() {
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("bad.csv");
    std::fs::write(&bad, "t\n").unwrap();
    let good = format!("{CASES}/fault-up-n05.csv");
    let output = run(&["replay", "metrics", &good, bad.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        stdout(&["replay", "metrics", &good])
    );
}

#[test]
fn a_reader_that_has_had_enough_is_no_error() {
    // More output than a pipe holds, whose reader goes away after the first line.
    let mut child = command(&["completions", "zsh"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");

    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read(format!("{CASES}/fault-up-n05.csv")).unwrap();
    for i in 0..400 {
        std::fs::write(folder.path().join(format!("hv{i}.csv")), &text).unwrap();
    }
    let mut child = command(&["replay", "metrics", folder.path().to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut first)
        .unwrap();
    assert!(first.starts_with('{'));
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
fn nothing_but_events_is_printed_where_no_terminal_listens() {
    let output = run(&["replay", "metrics", CASES]);
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
}

#[test]
fn the_options_are_printed_for_people_documents_and_programs() {
    let text = stdout(&["options", "had"]);
    assert!(text.contains("zscore_window_long_sz = 31\n"), "{text}");
    assert!(text.contains("standard deviations"), "{text}");
    let markdown = stdout(&["options", "had", "--format", "markdown", "--camel-case"]);
    assert!(
        markdown.contains("| `ZscoreWindowLongSz` | integer | `31` |"),
        "{markdown}"
    );
    let options = json(&stdout(&["options", "had", "--format", "json"]));
    let names: Vec<_> = options
        .as_array()
        .unwrap()
        .iter()
        .map(|o| &o["name"])
        .collect();
    assert!(
        names.contains(&&serde_json::json!("zscore_overlap_min_pct")),
        "{names:?}"
    );
    assert_eq!(text.matches(" = ").count(), names.len());
}

#[test]
fn every_command_has_help_a_manual_page_and_completions() {
    for command in [
        &["replay"][..],
        &["replay", "metrics"],
        &["options"],
        &["completions"],
        &["man"],
    ] {
        let help = stdout(&[command, &["--help"]].concat());
        assert!(help.contains("Usage: bellwether"), "{help}");
    }
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(
            stdout(&["completions", shell]).contains("replay"),
            "{shell}"
        );
    }
    assert!(stdout(&["man"]).contains(".TH bellwether 1"));

    let folder = tempfile::tempdir().unwrap();
    let pages = folder.path().join("man1");
    stdout(&["man", "--out", pages.to_str().unwrap()]);
    let page = std::fs::read_to_string(pages.join("bellwether-replay-metrics.1")).unwrap();
    assert!(page.contains("\\-\\-interval"), "{page}");
}
