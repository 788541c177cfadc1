//! Training models, and what detectors and evaluations make of them.

mod common;

use std::fmt::Write as _;
use std::path::Path;

use common::json;

fn run(arguments: &[&str]) -> String {
    common::stdout(arguments)
}

/// Logs of twelve healthy hosts that print five messages over and over.
fn logs(folder: &Path) {
    let messages = [
        "session opened for root",
        "probe of storage pool finished",
        "link eth0 is up",
        "lease renewed by the server",
        "timer fired",
    ];
    for host in 0..12 {
        let mut lines = String::new();
        for second in 0..120 {
            let text = messages[(host + second) % messages.len()];
            let clock = format!("{:02}:{:02}", second / 60, second % 60);
            writeln!(lines, "2024-02-05T12:{clock}Z host-{host} agent: {text}").unwrap();
        }
        std::fs::write(folder.join(format!("benign__{host}.log")), lines).unwrap();
    }
}

#[test]
fn a_sequence_model_is_the_same_bytes_for_the_same_data_and_seed_and_goes_on_after_an_interruption()
{
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("logs");
    std::fs::create_dir(&data).unwrap();
    logs(&data);
    let data = data.display().to_string();
    let small = ["--units", "8", "--epochs", "3", "--seed", "4"];
    let train = |name: &str, more: &[&str]| {
        let out = folder.path().join(name).display().to_string();
        let train = ["train", "sequence", "--out", &out, &data];
        run(&[&train[..], &small, more].concat());
        std::fs::read(out)
    };
    let whole = train("a", &[]).unwrap();
    assert_eq!(train("b", &[]).unwrap(), whole);
    for _ in 0..2 {
        assert!(train("c", &["--minutes", "0"]).is_err(), "it stops early");
    }
    assert!(folder.path().join("c.training").exists());
    assert_eq!(train("c", &[]).unwrap(), whole);
    assert!(!folder.path().join("c.training").exists());
    let header = String::from_utf8_lossy(&whole);
    assert!(header.contains("lease renewed by the server"), "{header}");
}

#[test]
fn a_checkpoint_of_other_data_is_refused_with_the_difference() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("logs");
    std::fs::create_dir(&data).unwrap();
    logs(&data);
    let out = folder.path().join("model").display().to_string();
    let train = [
        "train", "sequence", "--units", "4", "--epochs", "2", "--out", &out,
    ];
    let data = data.display().to_string();
    run(&[&train[..], &["--minutes", "0", &data]].concat());
    let other = [&train[..], &["--window", "5", &data]].concat();
    let (status, error) = common::failure(&other);
    assert_eq!(status, Some(1));
    assert!(
        error.contains("window 10, which is 5 now") && error.contains("--restart"),
        "{error}"
    );
    run(&[&other[..], &["--restart"]].concat());
}

#[test]
fn a_resource_model_is_trained_from_csv_files_and_refuses_what_is_no_number() {
    let folder = tempfile::tempdir().unwrap();
    let mut lines = "time,cpu_busy,swap_in\n".to_owned();
    for row in 0..200 {
        let cpu = 0.5 + 0.3 * (f64::from(row) / 9.0).sin();
        let swap = if row == 17 { "nan" } else { "0" };
        writeln!(lines, "{row},{cpu:.4},{swap}").unwrap();
    }
    let file = folder.path().join("host.csv");
    std::fs::write(&file, &lines).unwrap();
    let (out, file) = (
        folder.path().join("model").display().to_string(),
        file.display().to_string(),
    );
    let train = ["train", "resources", "--epochs", "2", "--out", &out, &file];
    run(&[&train[..], &["--floor", "swap_in=100"]].concat());
    let first = std::fs::read(&out).unwrap();
    assert!(String::from_utf8_lossy(&first).contains(r#"[\"cpu_busy\",\"swap_in\"]"#));
    run(&[&train[..], &["--floor", "swap_in=100"]].concat());
    assert_eq!(std::fs::read(&out).unwrap(), first);
    let (status, error) = common::failure(&[&train[..], &["--floor", "swap=1"]].concat());
    assert_eq!(status, Some(2));
    assert!(
        error.contains("the channels are cpu_busy, swap_in"),
        "{error}"
    );
    std::fs::write(&file, lines.replace("nan", "none")).unwrap();
    let (status, error) = common::failure(&train);
    assert_eq!(status, Some(1));
    assert!(error.contains("line 19: \"none\" is no number"), "{error}");
}

#[test]
fn detectors_that_are_trained_on_one_half_find_what_the_other_half_prints_before_it_fails() {
    let folder = tempfile::tempdir().unwrap();
    let (mut keys, mut labels) = (serde_json::Map::new(), serde_json::Map::new());
    for host in 0..24_u64 {
        // A circle of five keys; on every second host a new key, and two that change places.
        let mut series: Vec<u64> = (0..400).map(|at| 1 + (host + at) % 5).collect();
        let fails = host % 2 == 0;
        let scenario = if fails { "hdd" } else { "benign" };
        let mut label =
            serde_json::json!({"scenario": scenario, "n": 400, "host": format!("h{host}")});
        if fails {
            series[300] = 99;
            series.swap(310, 311);
            label["inject"] = 300.into();
            label["fail"] = 390.into();
        }
        keys.insert(format!("s/{host}"), series.into());
        labels.insert(format!("s/{host}"), label);
    }
    let write = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let labels = write(
        "labels.json",
        serde_json::json!({"series": labels}).to_string(),
    );
    let keys = write("keys.json", serde_json::json!(keys).to_string());
    let verdicts = write("verdicts.csv", "key,faulty\n1,false\n".into());
    let evaluate = [
        "evaluate",
        "logs",
        "--labels",
        &labels,
        "--keys",
        &keys,
        "--verdicts",
        &verdicts,
        "--bootstrap",
        "0",
        "--json",
        "--epochs",
        "4",
        "--baseline",
        "fleet-unseen,bigram,lstm,failsafe",
    ];
    let report = json(&run(&evaluate));
    let rows = report["detectors"].as_array().unwrap();
    assert_eq!(rows.len(), 5);
    for row in &rows[1..4] {
        let operating = &row["figures"]["operating"];
        assert_eq!(operating["early_percent"], 100.0, "{}", row["detector"]);
        assert_eq!(operating["fp_records"], 0.0, "{}", row["detector"]);
    }
    assert_eq!(rows[4]["detector"], "failsafe, given keys");
    assert_eq!(
        report,
        json(&run(&[&evaluate[..], &["--jobs", "1"]].concat()))
    );
}
