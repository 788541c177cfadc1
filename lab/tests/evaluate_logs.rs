//! The evaluation of detectors for logs, against the script that defines its measures.

mod common;

use std::path::Path;

use common::{Script, json, shared};
use serde_json::Value;

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/evaluate-logs");

fn stdout(arguments: &[&str]) -> String {
    common::stdout(&[&["evaluate", "logs"], arguments].concat())
}

fn failure(arguments: &[&str]) -> (Option<i32>, String) {
    common::failure(&[&["evaluate", "logs"], arguments].concat())
}

/// What is found of the only detector.
fn evaluated(arguments: &[&str]) -> Value {
    let arguments = [arguments, &["--json", "--bootstrap", "0"]].concat();
    let report = json(&stdout(&arguments));
    assert_eq!(report["detectors"].as_array().map(Vec::len), Some(1));
    report["detectors"][0].clone()
}

/// Everything that the script says is what the command says, up to the script's rounding.
fn assert_same(script: &Value, evaluated: &Value) {
    let figures = &evaluated["figures"];
    for key in ["series", "failing", "nab", "auc", "auc_exact"] {
        assert_alike(&script[key], &figures[key], key, 5.1e-4);
    }
    let operating = script["operating"].as_object().expect("an object");
    for (key, value) in operating {
        let tolerance = match key.as_str() {
            "fpr_percent" | "fpr_percent_paper" => 5.1e-6,
            "early_percent_by_scenario" => 5.1e-3,
            _ => 5.1e-4,
        };
        match key.as_str() {
            // The script shows the first thirty of these.
            "missed" => {
                let missed = evaluated["missed"].as_array().expect("a list");
                let first: Vec<_> = missed.iter().take(30).cloned().collect();
                assert_eq!(value, &Value::from(first));
            }
            "fp_where" => {
                let wrong = evaluated["false_alarms"].as_object().expect("an object");
                let first: serde_json::Map<_, _> = wrong.clone().into_iter().take(30).collect();
                assert_eq!(value, &Value::from(first));
            }
            _ => assert_alike(value, &figures["operating"][key], key, tolerance),
        }
    }
    let left_out = evaluated["left_out"].as_array().expect("a list");
    assert_eq!(script["skipped_count"], left_out.len());
}

fn assert_alike(script: &Value, ours: &Value, path: &str, tolerance: f64) {
    match (script, ours) {
        (Value::Object(script), Value::Object(ours)) => {
            let names = |object: &serde_json::Map<String, Value>| {
                object.keys().cloned().collect::<Vec<_>>()
            };
            let (mut one, mut other) = (names(script), names(ours));
            one.sort();
            other.sort();
            assert_eq!(one, other, "{path}");
            for (name, value) in script {
                assert_alike(value, &ours[name], &format!("{path}.{name}"), tolerance);
            }
        }
        (Value::Number(script), Value::Number(ours)) => {
            let (script, ours) = (script.as_f64().unwrap(), ours.as_f64().unwrap());
            assert!(
                (script - ours).abs() <= tolerance,
                "{path}: {script}, and not {ours}"
            );
        }
        _ => assert_eq!(script, ours, "{path}"),
    }
}

fn expected(name: &str) -> Value {
    json(&std::fs::read_to_string(Path::new(CASES).join(name)).expect("a file"))
}

#[test]
fn the_figures_are_those_of_the_script_on_the_committed_cases() {
    let labels = format!("{CASES}/labels.json");
    let scores = format!("{CASES}/scores.jsonl");
    let input = ["--labels", &labels, "--scores", &scores];
    assert_same(&expected("expected.json"), &evaluated(&input));
    let more = ["--all", "--threshold", "0.3", "--sentinel", "1"];
    assert_same(
        &expected("expected-all.json"),
        &evaluated(&[&input[..], &more].concat()),
    );
}

#[test]
fn the_figures_are_those_of_the_script_on_real_series() {
    let Some(data) = shared("data/vm-failure-logs") else {
        return;
    };
    let Some(script) = Script::find("eval_lad.py") else {
        return;
    };
    let of_data = |name: &str| data.join(name).display().to_string();
    let (labels, keys) = (of_data("labels.json"), of_data("keys.json.gz"));
    let verdicts = of_data("gpt35_verdicts.csv");
    let folder = tempfile::tempdir().unwrap();
    let scores = folder.path().join("scores.jsonl").display().to_string();
    let as_published = ["--set", "mode=paper", "--set", "push=false"];
    let given = ["--keys", &keys, "--verdicts", &verdicts];
    let replay = ["replay", "keys", "--scores", &scores];
    common::bellwether(&[&replay[..], &given, &as_published].concat());
    let scored = ["--labels", &labels, "--scores", &scores, "--all"];
    let by_script = json(&script.run(&scored));
    let standard = &by_script["nab"]["strict"]["standard"];
    let published = standard["score_paper"].as_f64().unwrap();
    assert!((published - 90.81).abs() < 0.005, "{published}");
    assert_same(&by_script, &evaluated(&scored));
    let observed = [&["--labels", &labels], &given[..], &as_published].concat();
    assert_same(&by_script, &evaluated(&observed));
    let named = format!("GPT-3.5={verdicts}");
    let named = ["--keys", &keys, "--verdicts", &named];
    let observed = [&["--labels", &labels], &named[..], &as_published].concat();
    let row = evaluated(&observed);
    assert_eq!(row["detector"], "bellwether, GPT-3.5");
    assert_same(&by_script, &row);
}

#[test]
fn lines_are_evaluated_as_the_scores_that_replay_writes() {
    let Some(data) = shared("data/vm-failure-logs") else {
        return;
    };
    let of_data = |name: &str| data.join(name).display().to_string();
    let (labels, logs) = (of_data("labels.json"), of_data("logs"));
    let folder = tempfile::tempdir().unwrap();
    let scores = folder.path().join("scores.jsonl").display().to_string();
    common::bellwether(&["replay", "logs", "--scores", &scores, &logs]);
    let observed = evaluated(&["--labels", &labels, &logs]);
    let scored = evaluated(&["--labels", &labels, "--scores", &scores, "--all"]);
    assert_eq!(observed["figures"], scored["figures"]);
    assert_eq!(observed["figures"]["series"], 207.0);
}

#[test]
fn the_same_seed_gives_the_same_output_whatever_the_number_of_jobs() {
    let labels = format!("{CASES}/labels.json");
    let scores = format!("{CASES}/scores.jsonl");
    let input = ["--labels", &labels, "--scores", &scores];
    let with = |arguments: &[&str]| stdout(&[&input[..], arguments].concat());
    let one = with(&["--seed", "7", "--jobs", "1"]);
    assert_eq!(one, with(&["--seed", "7", "--jobs", "3"]));
    assert_ne!(one, with(&["--seed", "8"]));
    assert!(one.contains("| scores   |"), "{one}");
}

#[test]
fn the_time_to_migrate_is_held_against_the_lead_time() {
    let folder = tempfile::tempdir().unwrap();
    let measured = folder.path().join("migrations.csv");
    std::fs::write(&measured, "memory_gib,seconds\n1,62\n2,124\n4,248\n").unwrap();
    let (labels, scores) = (
        format!("{CASES}/labels.json"),
        format!("{CASES}/scores.jsonl"),
    );
    let input = ["--labels", &labels, "--scores", &scores];
    let migrations = [
        "--migrations",
        measured.to_str().unwrap(),
        "--vm-memory",
        "1,4",
    ];
    let evaluated = evaluated(&[&input[..], &migrations].concat());
    let seconds: Vec<f64> = evaluated["migration"]
        .as_array()
        .unwrap()
        .iter()
        .map(|feasible| feasible["seconds"].as_f64().unwrap().round())
        .collect();
    assert_eq!(seconds, [62.0, 248.0, 310.0, 310.0]);
    let in_time = |at: usize| {
        evaluated["migration"][at]["all"]["in_time"]
            .as_u64()
            .unwrap()
    };
    // Nobody's lead lies between a minute and 62 seconds.
    let minute = evaluated["figures"]["operating"]["early_60s_percent"]
        .as_f64()
        .unwrap();
    let share = evaluated["migration"][0]["all"]["percent"]
        .as_f64()
        .unwrap();
    assert!((share - minute).abs() < 1e-9, "{share}, not {minute}");
    assert!(in_time(0) > in_time(1) && in_time(1) >= in_time(2));
    let text = stdout(&[&input[..], &migrations, &["--tables", "lead"]].concat());
    assert!(text.contains("| migration, all in turn"), "{text}");
    let (_, alone) = failure(&[&input[..], &migrations[..2]].concat());
    assert!(alone.contains("--vm-memory"), "{alone}");
}

#[test]
fn a_sweep_is_a_row_for_each_combination_of_values() {
    let folder = tempfile::tempdir().unwrap();
    let (keys, verdicts) = (
        folder.path().join("keys.json"),
        folder.path().join("verdicts.csv"),
    );
    // The one fault of hdd/02, told by key 9.
    let labels = format!("{CASES}/labels.json");
    let all = expected("labels.json");
    let label = &all["series"]["hdd/02"];
    let (records, inject) = (
        label["n"].as_u64().unwrap(),
        label["inject"].as_u64().unwrap(),
    );
    let series: Vec<u64> = (0..records)
        .map(|i| if i == inject + 5 { 9 } else { 1 + i % 2 })
        .collect();
    std::fs::write(&keys, serde_json::json!({ "hdd/02": series }).to_string()).unwrap();
    std::fs::write(&verdicts, "key,faulty\n9,true\n").unwrap();
    let (keys, verdicts) = (keys.display().to_string(), verdicts.display().to_string());
    let input = [
        "--labels",
        &labels,
        "--keys",
        &keys,
        "--verdicts",
        &verdicts,
        "--set",
        "mode=paper",
    ];
    let sweep = [
        "--sweep",
        "training=150,200",
        "--sweep",
        "window_size=2,4",
        "--bootstrap",
        "0",
    ];
    let chart = folder.path().join("chart.svg").display().to_string();
    let text = stdout(
        &[
            &input[..],
            &sweep,
            &["--tables", "alarms", "--plot", &chart],
        ]
        .concat(),
    );
    let svg = std::fs::read_to_string(&chart).unwrap();
    for word in [
        "window_size",
        "training=150",
        "training=200",
        "failures detected early",
    ] {
        assert!(svg.contains(word), "{word}: {svg}");
    }
    let rows: Vec<&str> = text
        .lines()
        .filter_map(|l| l.strip_prefix("| bellwether"))
        .collect();
    let names: Vec<&str> = rows
        .iter()
        .map(|row| row.split('|').next().unwrap().trim())
        .collect();
    let expected = [
        ", given keys training=150 window_size=2",
        ", given keys training=150 window_size=4",
        ", given keys training=200 window_size=2",
        ", given keys training=200 window_size=4",
    ];
    assert_eq!(names, expected);
    // The last column counts the episodes.
    assert!(
        rows.iter()
            .all(|row| row.trim_end_matches(" |").ends_with(" 1")),
        "{text}"
    );
    let (_, errors) = failure(&[&input[..], &["--sweep", "window_size=2,many"]].concat());
    assert!(
        errors.contains("window_size") && errors.contains("many"),
        "{errors}"
    );
}

#[test]
fn what_is_wrong_with_the_input_is_said() {
    let labels = format!("{CASES}/labels.json");
    let scores = format!("{CASES}/scores.jsonl");
    let cases: [(&[&str], i32, &str); 5] = [
        (&["--labels", &labels], 2, "required"),
        (&["--labels", &labels, "--keys", "k.json"], 2, "--verdicts"),
        (&["--labels", &scores, "--scores", &scores], 1, "no labels"),
        (&["--labels", &labels, "--scores", &labels], 1, "line 1"),
        (
            &["--labels", &labels, "--scores", &scores, "--only", "^z"],
            1,
            "no label",
        ),
    ];
    for (arguments, code, says) in cases {
        let (found, errors) = failure(arguments);
        assert_eq!(found, Some(code), "{arguments:?}: {errors}");
        assert!(errors.contains(says), "{arguments:?}: {errors}");
    }
}
