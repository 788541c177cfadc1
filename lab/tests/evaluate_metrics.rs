//! `bellwether-lab generate metrics` and `bellwether-lab evaluate metrics`, as a user runs them, and against the scripts that define
//! their formats, where these are there.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use common::{Script, bellwether, bellwether_program, failure, json, shared, stdout};
use serde_json::Value;

const SCORED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/evaluate-metrics");

fn usage_error(arguments: &[&str]) -> String {
    failure(arguments).1
}

fn read_json(path: &Path) -> Value {
    json(&fs::read_to_string(path).expect("a file"))
}

/// The figures of the first detector of a report, by cell and number of VMs.
fn figures(report: &Value) -> BTreeMap<(String, String), &Value> {
    let rows = report["detectors"][0]["rows"].as_array().expect("rows");
    let key = |row: &Value| {
        let vms = row["vms"]
            .as_u64()
            .map_or_else(|| "all".to_owned(), |n| n.to_string());
        (row["cell"].as_str().expect("a cell").to_owned(), vms)
    };
    rows.iter().map(|row| (key(row), row)).collect()
}

/// Our figures are those of the independent scorer, which rounds shares to four digits.
fn assert_same_figures(report: &Value, theirs: &Value) {
    let ours = figures(report);
    let mut compared = 0;
    for (cell, by_vms) in theirs.as_object().expect("cells") {
        for (vms, theirs) in by_vms.as_object().expect("numbers of VMs") {
            let ours = ours[&(cell.clone(), vms.clone())];
            for (name, theirs) in theirs.as_object().expect("figures") {
                let (ours, theirs) = (ours[name].as_f64(), theirs.as_f64());
                let same = match ours.zip(theirs) {
                    Some((ours, theirs)) => (ours - theirs).abs() < 1.5e-4,
                    None => ours.is_none() && theirs.is_none(),
                };
                assert!(same, "{cell}, {vms} VMs, {name}: {ours:?}, not {theirs:?}");
                compared += 1;
            }
        }
    }
    assert!(compared >= ours.len() * 11, "{compared}");
}

fn scored(more: &[&str]) -> Value {
    let detections = format!("{SCORED}/detections.jsonl");
    let arguments = [
        "evaluate",
        "metrics",
        SCORED,
        "--json",
        "--detections",
        &detections,
    ];
    json(&stdout(&[&arguments, more].concat()))
}

#[test]
fn alarms_are_scored_as_an_independent_scorer_does() {
    let expected = read_json(&Path::new(SCORED).join("expected.json"));
    assert_same_figures(&scored(&[]), &expected["plain"]);
    let strict = scored(&["--tolerance", "0", "--strict", "40"]);
    assert_same_figures(&strict, &expected["tol0_strict40"]);
}

#[test]
fn events_of_a_replay_are_alarms_where_they_raise_an_anomaly() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.jsonl");
    fs::write(
        &file,
        concat!(
            "{\"hypervisor\":\"normal-n05-000\",\"index\":3,\"event\":\"hypervisor_silence\",\"state\":\"raised\"}\n",
            "{\"hypervisor\":\"normal-n05-001\",\"index\":3,\"event\":\"hypervisor_anomaly\",\"state\":\"raised\"}\n",
            "{\"hypervisor\":\"normal-n05-001\",\"index\":3,\"event\":\"hypervisor_anomaly\",\"state\":\"cleared\"}\n",
        ),
    )
    .unwrap();
    let detections = file.to_str().unwrap();
    let report = json(&stdout(&[
        "evaluate",
        "metrics",
        SCORED,
        "--json",
        "--detections",
        detections,
    ]));
    let normal = figures(&report)[&("normal".to_owned(), "5".to_owned())].clone();
    assert_eq!(
        (normal["FP"].as_u64(), normal["alarms_outside"].as_u64()),
        (Some(1), Some(1))
    );

    fs::write(&file, "{\"hypervisor\":\"nobody\",\"index\":3}\n").unwrap();
    let error = usage_error(&["evaluate", "metrics", SCORED, "--detections", detections]);
    assert!(error.contains("\"nobody\", which has no label"), "{error}");
}

/// Small hypervisors of every kind in a folder.
fn generated(folder: &Path, seed: &str) {
    let scenarios =
        "easy,difficult,normal,tenant30,diurnal,churn,idle,constant,glitch,missing,reset";
    stdout(&[
        "generate",
        "metrics",
        "--out",
        folder.to_str().unwrap(),
        "--scenarios",
        scenarios,
        "--shapes",
        "increase,stall",
        "--vms",
        "3,6",
        "--reps",
        "2",
        "--regime",
        "quiet",
        "--seed",
        seed,
    ]);
}

fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    entries
        .map(|path| (path.file_name().unwrap().into(), fs::read(&path).unwrap()))
        .collect()
}

#[test]
fn the_same_seed_makes_the_same_files_and_another_makes_others() {
    let [first, again, other] = [(); 3].map(|()| tempfile::tempdir().unwrap());
    generated(first.path(), "5");
    generated(again.path(), "5");
    generated(other.path(), "6");
    let (first, again, other) = (
        files(first.path()),
        files(again.path()),
        files(other.path()),
    );
    assert_eq!(first.len(), 1 + (2 * 2 + 9) * 2 * 2);
    assert!(first == again);
    assert!(first.iter().all(|(name, content)| other[name] != *content));
}

#[test]
fn hypervisors_in_files_and_in_memory_are_judged_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let cases = [
        "--scenarios",
        "hard,missing,churn",
        "--vms",
        "4,7",
        "--reps",
        "6",
        "--seed",
        "3",
    ];
    stdout(&[&["generate", "metrics", "--out", path], &cases[..]].concat());
    let detectors = ["--json", "--baseline", "zscore,iad:window_sz=30"];
    let in_files = stdout(&[&["evaluate", "metrics", path], &detectors[..]].concat());
    let in_memory = stdout(&[&["evaluate", "metrics"], &cases[..], &detectors[..]].concat());
    let (in_files, in_memory) = (json(&in_files), json(&in_memory));
    assert_eq!(in_memory["cases"]["seed"], 3);
    // The intervals are drawn with the seed, which the files' evaluation does not know.
    let plain = |report: &Value| {
        let mut detectors = report["detectors"].clone();
        for judged in detectors.as_array_mut().unwrap() {
            for row in judged["rows"].as_array_mut().unwrap() {
                row.as_object_mut().unwrap().remove("intervals");
            }
        }
        detectors
    };
    assert_eq!(plain(&in_files), plain(&in_memory));
    assert_eq!(in_files["detectors"][2]["detector"], "iad:window_sz=30");
}

#[test]
fn tables_have_a_row_for_each_scenario_and_detector() {
    let cases = ["--scenarios", "easy,normal", "--vms", "5,8", "--reps", "4"];
    let table = stdout(
        &[
            &["evaluate", "metrics", "--pivot", "f1", "--baseline", "iad"],
            &cases[..],
        ]
        .concat(),
    );
    let header = table.lines().find(|l| l.contains("detector")).unwrap();
    let columns: Vec<&str> = header.split('|').map(str::trim).collect();
    assert_eq!(
        columns[1..6],
        ["detector", "scenario", "5 VMs", "8 VMs", "all"]
    );
    let rows = table
        .lines()
        .filter(|l| l.contains("easy-increase") || l.contains("normal"));
    assert_eq!(rows.count(), 4);
    let full = stdout(&[&["evaluate", "metrics"], &cases[..]].concat());
    assert!(
        full.contains("false alarms") && full.contains("rank"),
        "{full}"
    );
}

#[test]
fn a_wrong_command_line_says_what_would_be_right() {
    for (arguments, says) in [
        (
            &["evaluate", "metrics", "--baseline", "oracle"][..],
            "there are rank",
        ),
        (
            &["evaluate", "metrics", "/nowhere"],
            "a folder with labels.json",
        ),
        (
            &["evaluate", "metrics", "--set", "treshold=1"],
            "did you mean \"zscore_threshold\"?",
        ),
        (
            &["evaluate", "metrics", SCORED, "--vms", "3"],
            "cannot be used with",
        ),
    ] {
        let error = usage_error(arguments);
        assert!(error.contains(says), "{arguments:?}: {error}");
    }
}

#[test]
fn the_scorers_script_gives_the_same_figures_on_what_we_generate_and_detect() {
    let Some(script) = Script::find("eval_had.py") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    generated(folder.path(), "9");
    let path = folder.path().to_str().unwrap();
    let events = bellwether(&["replay", "metrics", path]);
    let raised: String = events
        .lines()
        .filter(|line| json(line)["state"] == "raised")
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(!raised.is_empty());
    let detections = folder.path().join("detections.jsonl");
    fs::write(&detections, raised).unwrap();
    let labels = folder.path().join("labels.json");
    let theirs = script.run(&[
        "--labels",
        labels.to_str().unwrap(),
        "--detections",
        detections.to_str().unwrap(),
    ]);
    assert_same_figures(
        &json(&stdout(&["evaluate", "metrics", path, "--json"])),
        &json(&theirs),
    );
}

/// The CPU percentages in a file: rows of VMs, NaN where missing.
fn values(file: &Path) -> Vec<Vec<f64>> {
    let text = fs::read_to_string(file).expect("a CSV file");
    let rows = text.lines().skip(1);
    rows.map(|row| {
        let cells = row.split(',').skip(1);
        cells.map(|cell| cell.parse().unwrap_or(f64::NAN)).collect()
    })
    .collect()
}

fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let (sum, count) = values
        .into_iter()
        .filter(|v| !v.is_nan())
        .fold((0.0, 0.0), |(sum, count), v| (sum + v, count + 1.0));
    sum / count
}

/// What a folder of hypervisors is like, by cell: the medians over hypervisors of level, step and missing share, and over
/// faults, how long they last and how many VMs they reach; and over these VMs, by which factor they change.
fn character(folder: &Path) -> BTreeMap<String, [f64; 6]> {
    let labels = read_json(&folder.join("labels.json"));
    let mut by_cell: BTreeMap<String, [Vec<f64>; 6]> = BTreeMap::new();
    for (name, label) in labels["hypervisors"].as_object().unwrap() {
        let rows = values(&folder.join(format!("{name}.csv")));
        assert_eq!(
            (rows.len(), rows[0].len() as u64),
            (575, label["n_vms"].as_u64().unwrap())
        );
        let of = by_cell
            .entry(label["cell"].as_str().unwrap().to_owned())
            .or_default();
        let all = rows.iter().flatten().copied();
        let level = mean(all.clone());
        of[0].push(level);
        let steps = rows.windows(2).map(|two| {
            let vms = two[0].iter().zip(&two[1]).map(|(a, b)| (a - b).abs());
            mean(vms)
        });
        of[1].push(mean(steps) / level);
        of[2].push(mean(all.map(|v| f64::from(v.is_nan()))));
        if label["anomaly"] == true {
            let (t0, end) = (
                label["t0"].as_u64().unwrap(),
                label["end"].as_u64().unwrap(),
            );
            of[3].push((end - t0) as f64);
            let affected: Vec<usize> = label["affected"]
                .as_array()
                .unwrap()
                .iter()
                .map(|vm| vm.as_u64().unwrap() as usize)
                .collect();
            of[4].push(affected.len() as f64);
            // Near the fault's beginning, lest the VMs' own changes of level count for more than it does.
            let t0 = t0 as usize;
            of[5].extend(affected.iter().map(|vm| {
                let level = |rows: &[Vec<f64>]| mean(rows.iter().map(|row| row[*vm]));
                level(&rows[t0 + 31..t0 + 71]) / level(&rows[t0 - 40..t0]).max(0.1)
            }));
        }
    }
    let median = |mut values: Vec<f64>| {
        values.sort_unstable_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(0.0)
    };
    by_cell
        .into_iter()
        .map(|(cell, of)| (cell, of.map(median)))
        .collect()
}

#[test]
fn what_we_generate_is_like_what_the_generators_script_makes() {
    let Some(script) = Script::find("gen_had.py") else {
        return;
    };
    let Some(traces) = shared("data/vm-cpu-traces") else {
        return;
    };
    let traces = traces.to_str().unwrap();
    let scenarios = "easy,hard,difficult,normal,idle,missing,churn,diurnal,tenant30";
    for regime in ["raw", "quiet"] {
        let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let arguments = |folder: &Path| -> Vec<String> {
            let folder = folder.to_str().unwrap();
            [
                "--traces",
                traces,
                "--out",
                folder,
                "--scenarios",
                scenarios,
                "--vms",
                "12",
                "--reps",
                "30",
                "--regime",
                regime,
            ]
            .map(str::to_owned)
            .to_vec()
        };
        let (for_us, for_them) = (arguments(ours.path()), arguments(theirs.path()));
        let for_us: Vec<&str> = for_us.iter().map(String::as_str).collect();
        let for_them: Vec<&str> = for_them.iter().map(String::as_str).collect();
        stdout(&[&["generate", "metrics"], &for_us[..]].concat());
        script.run(&for_them);
        let (ours, theirs) = (character(ours.path()), character(theirs.path()));
        assert_eq!(
            ours.keys().collect::<Vec<_>>(),
            theirs.keys().collect::<Vec<_>>()
        );
        for (cell, ours) in &ours {
            let theirs = theirs[cell];
            let names = ["level", "step", "missing", "length", "affected", "factor"];
            // Medians of 12 to 24 hypervisors differ by chance; levels, which are far apart, the most.
            let tolerated = [0.35, 0.3, 0.5, 0.06, 0.0, 0.12];
            for ((name, tolerated), (a, b)) in
                names.iter().zip(tolerated).zip(ours.iter().zip(theirs))
            {
                let near = (a - b).abs() <= tolerated * b.abs() + 1e-9;
                assert!(near, "{regime}, {cell}, {name}: {a}, the script's {b}");
            }
        }
    }
}

#[test]
fn a_sweep_is_a_row_for_each_value_and_a_line_for_each_number_of_vms() {
    let folder = tempfile::tempdir().unwrap();
    let chart = folder.path().join("chart.svg").display().to_string();
    let text = stdout(&[
        "evaluate",
        "metrics",
        "--scenarios",
        "easy,normal",
        "--vms",
        "5,8",
        "--reps",
        "4",
        "--sweep",
        "false_alarms_per_month=0.01,10",
        "--pivot",
        "f1,false_alarms",
        "--plot",
        &chart,
    ]);
    for value in ["0.01", "10"] {
        let row = format!("| rank:false_alarms_per_month={value} ");
        // Two scenarios, two measures.
        assert_eq!(text.matches(&row).count(), 4, "{text}");
    }
    let svg = fs::read_to_string(&chart).unwrap();
    // Of normal hypervisors there is no F1: three panels and the legend.
    assert_eq!(
        svg.matches("false_alarms_per_month").count(),
        1 + 3,
        "{svg}"
    );
    assert!(svg.contains("5 VMs") && svg.contains("8 VMs"));
    let error = usage_error(&["evaluate", "metrics", "--plot", &chart]);
    assert!(error.contains("--pivot"), "{error}");
}

/// Two small sets below `root`: one at ten seconds, whose name says so to the script that scores sets, and one with a wave of the day.
fn two_sets(root: &Path) {
    let out = |set: &str| root.join(set).to_str().unwrap().to_owned();
    let generate = |arguments: &str, set: &str| {
        let mut words = vec!["generate", "metrics"];
        words.extend(arguments.split_whitespace());
        let out = out(set);
        words.extend(["--out", &out]);
        stdout(&words);
    };
    generate(
        "--scenarios easy --phi 0.9,0.95 --noise 0.2 --interval 10 --ts-len 6000 --vms 3,5 --reps 4 --seed 3 \
         --key ts_stay_width=300 --key ts_anomaly_point=60..80",
        "ar10",
    );
    generate(
        "--scenarios easy,hard,normal --wave 0,0.4 --noise 0.05..0.2 --ts-len 1200 --vms 5,8 --reps 2 --seed 3 \
         --key ts_anomaly_point=68..75",
        "wave",
    );
}

/// Found, faults, false alarms and days of a cell with a number of VMs, by the set.
type Counts = BTreeMap<(String, String, u64), (u64, u64, u64, f64)>;

/// What the replay of the sets comes to: an alarm is true between the fault's beginning and its end, and all days count.
fn replayed(root: &Path) -> Counts {
    let mut counts = Counts::new();
    for set in ["ar10", "wave"] {
        let folder = root.join(set);
        let labels = read_json(&folder.join("labels.json"));
        let interval = labels["interval_s"].as_f64().unwrap();
        let events = bellwether(&[
            "replay",
            "metrics",
            "--interval",
            &interval.to_string(),
            folder.to_str().unwrap(),
        ]);
        let mut alarms: BTreeMap<String, Vec<u64>> = BTreeMap::new();
        for event in events
            .lines()
            .map(json)
            .filter(|event| event["state"] == "raised")
        {
            let of = alarms.entry(event["hypervisor"].as_str().unwrap().to_owned());
            of.or_default().push(event["index"].as_u64().unwrap());
        }
        for (name, label) in labels["hypervisors"].as_object().unwrap() {
            let rows = fs::read_to_string(folder.join(format!("{name}.csv")))
                .unwrap()
                .lines()
                .count()
                - 1;
            let key = (
                set.to_owned(),
                label["cell"].as_str().unwrap().to_owned(),
                label["n_vms"].as_u64().unwrap(),
            );
            let count = counts.entry(key).or_default();
            let range = label["t0"].as_u64().zip(label["end"].as_u64());
            let alarms = alarms.remove(name).unwrap_or_default();
            let inside = |row: &u64| range.is_some_and(|(t0, end)| (t0..=end).contains(row));
            count.0 += u64::from(alarms.iter().any(inside));
            count.1 += u64::from(range.is_some());
            count.2 += alarms.iter().filter(|row| !inside(row)).count() as u64;
            count.3 += rows as f64 * interval / 86_400.0;
        }
    }
    counts
}

#[test]
fn sets_have_the_figures_that_a_replay_comes_to_whatever_their_intervals() {
    let root = tempfile::tempdir().unwrap();
    two_sets(root.path());
    let path = root.path().to_str().unwrap();
    let figures = json(&stdout(&[
        "evaluate",
        "metrics",
        path,
        "--json",
        "--baseline",
        "iad",
    ]));
    let expected = replayed(root.path());
    let sets = figures["sets"].as_array().unwrap();
    let names: Vec<&str> = sets
        .iter()
        .map(|set| set["set"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["ar10", "wave"]);
    let mut compared = 0;
    for set in sets {
        assert_eq!(set["detectors"][1]["detector"], "iad");
        let rank = &set["detectors"][0];
        let accepted = rank["accepted_per_1000_days"].as_f64().unwrap();
        assert!((accepted - 3.285).abs() < 0.01, "{accepted}");
        for cell in rank["cells"].as_array().unwrap() {
            let key = (
                set["set"].as_str().unwrap().to_owned(),
                cell["cell"].as_str().unwrap().to_owned(),
                cell["vms"].as_u64().unwrap(),
            );
            let (found, faults, false_alarms, days) = expected[&key];
            let of = |name: &str| cell[name].as_u64().unwrap();
            assert_eq!(
                (of("found"), of("faults"), of("false_alarms")),
                (found, faults, false_alarms),
                "{key:?}"
            );
            assert!(
                (cell["days"].as_f64().unwrap() - days).abs() < 1e-9,
                "{key:?}"
            );
            compared += 1;
        }
    }
    assert_eq!(compared, expected.len());
    assert!(expected.values().any(|count| count.0 > 0), "{expected:?}");

    let table = stdout(&["evaluate", "metrics", path, "--baseline", "zscore,iad"]);
    assert!(table.contains("ar10, a row every 10 s"), "{table}");
    assert!(table.contains("| accepted | false alarms |"), "{table}");
    for detector in ["rank", "zscore", "iad"] {
        assert!(
            table.matches(&format!(" {detector} |")).count() >= 2 + 6 + 2,
            "{table}"
        );
    }
    let error = usage_error(&["evaluate", "metrics", path, "--pivot", "f1"]);
    assert!(error.contains("--pivot takes one folder"), "{error}");

    // The script that scores sets has the same figures.
    let Some(script) = Script::find_plain("world.py") else {
        return;
    };
    let program = bellwether_program().to_str().unwrap();
    let theirs = script.run(&[program, path]);
    for ((set, cell, vms), (found, faults, false_alarms, days)) in &expected {
        let rate = (1000.0 * *false_alarms as f64 / days).round_ties_even();
        let figure = format!("n{vms}: {found}/{faults} {rate:.0}");
        let of_cell = |line: &&str| {
            let mut words = line.split_whitespace();
            words.next() == Some(set) && words.next() == Some(cell)
        };
        let line = theirs.lines().find(of_cell).expect(cell);
        assert!(line.contains(&figure), "{set} {cell}: {figure} in {line}");
    }
    for set in sets {
        let rate = set["detectors"][0]["false_alarms_per_1000_days"]
            .as_f64()
            .unwrap();
        let line = format!("all: {rate:.1} false alarms per 1000 host-days");
        assert!(theirs.contains(&line), "{line} in {theirs}");
    }
}

#[test]
fn hypervisors_with_several_metrics_are_replayed_and_evaluated_from_a_folder_a_metric() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().to_str().unwrap();
    let cases = "--scenarios easy --phi 0.5 --noise 0.1 --metrics cpu,disk_ops,net_packets --fault-metrics disk_ops \
        --vms 6 --reps 4 --interval 60 --ts-len 1500 --seed 2";
    let cases: Vec<&str> = cases.split_whitespace().collect();
    stdout(&[&["generate", "metrics", "--out", path], &cases[..]].concat());
    for metric in ["cpu", "disk_ops", "net_packets"] {
        assert_eq!(files(&root.path().join(metric)).len(), 4, "{metric}");
    }
    let labels = read_json(&root.path().join("labels.json"));
    assert_eq!(labels["interval_s"], 60.0);
    let label = &labels["hypervisors"]["easy-increase-phi50-n06-000"];
    assert_eq!(label["metrics"], serde_json::json!(["disk_ops"]));
    let (t0, end) = (
        label["t0"].as_u64().unwrap(),
        label["end"].as_u64().unwrap(),
    );

    let events = bellwether(&["replay", "metrics", "--interval", "60", path]);
    let raised: Vec<Value> = events
        .lines()
        .map(json)
        .filter(|event| event["state"] == "raised")
        .collect();
    let found = raised.iter().filter(|event| {
        event["hypervisor"] == "easy-increase-phi50-n06-000"
            && (t0..=end).contains(&event["index"].as_u64().unwrap())
    });
    let metrics: Vec<&str> = found
        .map(|event| event["metric"].as_str().unwrap())
        .collect();
    assert_eq!(metrics, ["disk_ops"], "{events}");

    let in_files = json(&stdout(&["evaluate", "metrics", path, "--json"]));
    let in_memory = json(&stdout(
        &[&["evaluate", "metrics", "--json"], &cases[..]].concat(),
    ));
    let counts = |report: &Value| {
        let row = &report["detectors"][0]["rows"][0];
        ["TP", "FP", "FN", "TN", "alarms_outside"].map(|name| row[name].as_u64().unwrap())
    };
    assert_eq!(counts(&in_files), counts(&in_memory));
    assert_eq!(counts(&in_files)[0], 2, "{in_files}");
    let cpu_alone = json(&stdout(&[
        "evaluate",
        "metrics",
        path,
        "--json",
        "--set",
        "metrics=cpu",
    ]));
    assert_eq!(counts(&cpu_alone)[0], 0, "the fault does not show in it");
}
