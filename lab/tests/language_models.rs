//! The evaluation of language models on given log keys: asked of a server, and from the files that this writes.

mod common;
#[path = "../../language-model/tests/stub/mod.rs"]
mod stub;

use std::path::Path;

use common::json;
use serde_json::{Value, json as value};
use stub::Stub;

/// Writes labels, keys and templates of one series that fails at its end.
fn write_series(folder: &Path) -> [String; 3] {
    let mut keys: Vec<u64> = (0..300).map(|record| 1 + record % 2).collect();
    keys[250] = 3;
    keys[299] = 3;
    let label = value!({"scenario": "pump", "n": 300, "inject": 240, "fail": 299});
    let files = [
        ("labels.json", value!({"series": {"pump/1": label}}).to_string()),
        ("keys.json", value!({"pump/1": keys}).to_string()),
        (
            "templates.csv",
            "key,template\n1,session <:NUM:> opened\n2,session <:NUM:> closed\n3,pump <:*:> is leaking\n".to_owned(),
        ),
    ];
    files.map(|(name, content)| {
        let file = folder.join(name);
        std::fs::write(&file, content).unwrap();
        file.display().to_string()
    })
}

/// Names and figures of the rows.
fn rows(arguments: &[&str]) -> Vec<(String, Value)> {
    let fixed = ["evaluate", "logs", "--json", "--bootstrap", "0"];
    let report = json(&common::stdout(&[&fixed, arguments].concat()));
    let rows = report["detectors"].as_array().unwrap().iter();
    rows.map(|row| {
        let name = row["detector"].as_str().unwrap().to_owned();
        (name, row["figures"].clone())
    })
    .collect()
}

#[test]
fn a_model_has_a_row_few_shot_and_zero_shot_and_its_files_give_the_same_rows() {
    let folder = tempfile::tempdir().unwrap();
    let [labels, keys, templates] = write_series(folder.path());
    let verdicts = folder.path().join("verdicts");
    let given = ["--labels", &labels, "--keys", &keys];
    let stub = Stub::new(stub::right);
    let live = [
        "--language-model",
        &stub.url,
        "--model",
        "some/model",
        "--templates",
        &templates,
        "--write-verdicts",
        verdicts.to_str().unwrap(),
    ];
    let asked = rows(&[&given[..], &live].concat());
    let names: Vec<&str> = asked.iter().map(|(name, _)| &**name).collect();
    let expected = [
        "bellwether, some/model few-shot",
        "bellwether, some/model zero-shot",
    ];
    assert_eq!(names, expected);
    assert_eq!(asked[0].1["operating"]["early_percent"], 100.0);
    let with_examples = stub.take_seen();
    let with_examples = with_examples
        .iter()
        .filter(|seen| seen.data()["hosts"][0].get("normal").is_some());
    assert_eq!(with_examples.count(), 1);
    let files = ["few-shot", "zero-shot"].map(|shots| {
        format!(
            "some/model {shots}={}/some-model-{shots}.csv",
            verdicts.display()
        )
    });
    // A name with a slash is a path.
    let files = files.map(|file| file.replacen("some/model", "some model", 1));
    let from_files = ["--verdicts", &files[0], "--verdicts", &files[1]];
    let read = rows(&[&given[..], &from_files].concat());
    assert_eq!(read.len(), 2);
    for ((name, figures), (read_name, read_figures)) in asked.iter().zip(&read) {
        assert_eq!(&name.replace('/', " "), read_name);
        assert_eq!(figures, read_figures);
    }
}

#[test]
fn keys_without_verdicts_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let [labels, keys, _] = write_series(folder.path());
    let arguments = ["evaluate", "logs", "--labels", &labels, "--keys", &keys];
    let (status, error) = common::failure(&arguments);
    assert_eq!(status, Some(2), "{error}");
    assert!(error.contains("--verdicts"), "{error}");
}
