//! `bellwether replay metrics` on every form of recorded metrics, and what it says where nothing can be said.

mod common;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use common::{failure, json, run, shared, skip, stdout};

const CASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/fault-up-n05.csv");
/// 2026-03-03T00:00:00Z: a day's beginning, as row 0 without times is.
const START: u64 = 1_772_496_000;
const INTERVAL: u64 = 300;

/// The case's VMs and rows.
fn case() -> (Vec<String>, Vec<Vec<String>>) {
    let text = fs::read_to_string(CASE).unwrap();
    let mut lines = text.lines();
    let vms = lines.next().unwrap().split(',').skip(1).map(str::to_owned);
    let rows = lines.map(|line| line.split(',').skip(1).map(str::to_owned).collect());
    (vms.collect(), rows.collect())
}

fn time(row: usize) -> u64 {
    START + row as u64 * INTERVAL
}

/// Hypervisor, metric, state and row of each event.
fn events(text: &str) -> Vec<(String, String, String, u64)> {
    let word =
        |event: &serde_json::Value, key: &str| event[key].as_str().unwrap_or_default().to_owned();
    let lines = text.lines().map(json);
    lines
        .map(|event| {
            (
                word(&event, "hypervisor"),
                word(&event, "metric"),
                word(&event, "state"),
                event["index"].as_u64().unwrap(),
            )
        })
        .collect()
}

/// The events of the case as it is, by another name.
fn expected(hypervisor: &str) -> Vec<(String, String, String, u64)> {
    let mut all = events(&stdout(&["replay", "metrics", CASE]));
    assert!(!all.is_empty());
    all.iter_mut()
        .for_each(|event| event.0 = hypervisor.to_owned());
    all
}

fn write(folder: &Path, name: &str, content: &str) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, content).unwrap();
    path
}

/// The answer of Prometheus to a range query for the case, with these labels and a place for the VM's name.
fn answer(labels: &str) -> String {
    let (vms, rows) = case();
    let series = vms.iter().enumerate().map(|(column, vm)| {
        let values = rows
            .iter()
            .enumerate()
            .filter(|(_, cells)| !cells[column].is_empty());
        let values = values.map(|(row, cells)| format!("[{},\"{}\"]", time(row), cells[column]));
        let labels = labels.replace("VM", vm);
        format!(
            "{{\"metric\":{{{labels}}},\"values\":[{}]}}",
            values.collect::<Vec<_>>().join(",")
        )
    });
    format!(
        "{{\"status\":\"success\",\"data\":{{\"resultType\":\"matrix\",\"result\":[{}]}}}}",
        series.collect::<Vec<_>>().join(",")
    )
}

/// The case in every form that has times, each in a file or folder.
fn forms(folder: &Path) -> Vec<PathBuf> {
    let (vms, rows) = case();
    let mut wide = format!("\"Time\",{}\n", vms.join(","));
    let mut long = "timestamp,vm,value\n".to_owned();
    let mut labeled = "Time".to_owned();
    for vm in &vms {
        write!(
            labeled,
            ",\"{{domain=\"\"{vm}\"\", instance=\"\"hv1:9177\"\"}}\""
        )
        .unwrap();
    }
    labeled += "\n";
    for (row, cells) in rows.iter().enumerate() {
        writeln!(wide, "{}000,{}", time(row), cells.join(",")).unwrap();
        writeln!(labeled, "{},{}", time(row), cells.join(",")).unwrap();
        for (vm, cell) in vms.iter().zip(cells) {
            writeln!(long, "{},{vm},{cell}", time(row)).unwrap();
        }
    }
    let mut promtool = String::new();
    let mut export = format!("<xport><meta><start>{START}</start><step>{INTERVAL}</step><legend>");
    let mut fetched = String::new();
    for (column, vm) in vms.iter().enumerate() {
        write!(export, "<entry>{vm}</entry>").unwrap();
        write!(fetched, "   {vm}").unwrap();
        writeln!(promtool, "{{domain=\"{vm}\", instance=\"hv1:9177\"}} =>").unwrap();
        for (row, cells) in rows.iter().enumerate() {
            if !cells[column].is_empty() {
                writeln!(promtool, "{} @[{}]", cells[column], time(row)).unwrap();
            }
        }
    }
    export += "</legend></meta><data>";
    fetched += "\n\n";
    for (row, cells) in rows.iter().enumerate() {
        export += "<row>";
        write!(fetched, "{}:", time(row)).unwrap();
        for cell in cells {
            let cell = if cell.is_empty() { "NaN" } else { cell };
            write!(export, "<v>{cell}</v>").unwrap();
            write!(fetched, " {cell}").unwrap();
        }
        export += "</row>";
        fetched += "\n";
    }
    export += "</data></xport>";
    // Counters of nanoseconds, as collectd's csv plugin writes them, from an interval before the first row on.
    for (column, vm) in vms.iter().enumerate() {
        let mut text = format!("epoch,value\n{}.000,0\n", START - INTERVAL);
        let mut total = 0.0;
        for (row, cells) in rows.iter().enumerate() {
            total += cells[column].parse::<f64>().unwrap() / 100.0 * 1e9 * INTERVAL as f64;
            writeln!(text, "{}.000,{total:.0}", time(row)).unwrap();
        }
        write(
            folder,
            &format!("collectd/hv1/virt-{vm}/virt_cpu_total-2026-03-03"),
            &text,
        );
    }
    vec![
        write(folder, "wide/hv1.csv", &wide),
        write(folder, "long/hv1.csv", &long),
        write(folder, "labeled/grafana.csv", &labeled),
        write(
            folder,
            "json/fleet.json",
            &answer("\"__name__\":\"x\",\"domain\":\"VM\",\"instance\":\"hv1:9177\""),
        ),
        write(folder, "promtool/fleet.txt", &promtool),
        write(folder, "export/hv1.xml", &export),
        write(folder, "fetched/hv1.txt", &fetched),
        folder.join("collectd"),
        folder.join("collectd/hv1"),
    ]
}

#[test]
fn every_form_of_one_recording_gives_the_same_events() {
    let folder = tempfile::tempdir().unwrap();
    for path in forms(folder.path()) {
        let output = run(&["replay", "metrics", path.to_str().unwrap()]);
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.success() && errors.is_empty(),
            "{}: {errors}",
            path.display()
        );
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(events(&text), expected("hv1"), "{}", path.display());
        let time = json(text.lines().next().unwrap())["time"].as_f64().unwrap();
        assert!(
            time > START as f64,
            "the times are those of the data: {time}"
        );
    }
}

#[test]
fn compressed_recordings_read_as_what_they_hold() {
    let folder = tempfile::tempdir().unwrap();
    let answer = answer("\"domain\":\"VM\"");
    for (program, ending) in [
        ("gzip", "gz"),
        ("xz", "xz"),
        ("zstd", "zst"),
        ("bzip2", "bz2"),
    ] {
        let path = write(folder.path(), &format!("{ending}/hv9.json"), &answer);
        let packed = Command::new(program)
            .arg("-c")
            .stdin(fs::File::open(&path).unwrap())
            .stderr(Stdio::null())
            .output();
        let Some(packed) = packed.ok().filter(|packed| packed.status.success()) else {
            skip(format_args!("there is no {program}"));
            continue;
        };
        fs::write(
            folder.path().join(format!("{ending}/hv9.json.{ending}")),
            packed.stdout,
        )
        .unwrap();
        fs::remove_file(path).unwrap();
        let folder = folder.path().join(ending);
        let found = events(&stdout(&["replay", "metrics", folder.to_str().unwrap()]));
        assert_eq!(found, expected("hv9"), "{program}");
    }
}

#[test]
fn databases_of_the_real_rrdtool_are_read_as_dumps_as_fetched_rows_and_as_exports() {
    let rrdtool = |arguments: &[&str]| {
        let output = Command::new("rrdtool")
            .args(arguments)
            .env("TZ", "UTC")
            .output()
            .ok()?;
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        Some(String::from_utf8(output.stdout).unwrap())
    };
    if rrdtool(&["--version"]).is_none() {
        skip("there is no rrdtool");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (vms, rows) = case();
    let mut exports = vec![
        "xport".to_owned(),
        "-s".into(),
        time(0).to_string(),
        "-e".into(),
        time(rows.len() - 1).to_string(),
    ];
    for (column, vm) in vms.iter().enumerate() {
        let database = folder
            .path()
            .join(format!("{vm}.rrd"))
            .display()
            .to_string();
        let begin = (START - INTERVAL).to_string();
        let archive = format!("RRA:AVERAGE:0.5:1:{}", rows.len());
        rrdtool(&[
            "create",
            &database,
            "--start",
            &begin,
            "--step",
            "300",
            "DS:value:GAUGE:600:0:U",
            &archive,
        ]);
        let update = |(row, cells): (usize, &Vec<String>)| {
            let cell = &cells[column];
            format!("{}:{}", time(row), if cell.is_empty() { "U" } else { cell })
        };
        let updates: Vec<String> = rows.iter().enumerate().map(update).collect();
        for some in updates.chunks(200) {
            let some = some.iter().map(String::as_str);
            let words: Vec<&str> = ["update", database.as_str()]
                .into_iter()
                .chain(some)
                .collect();
            rrdtool(&words);
        }
        let dump = rrdtool(&["dump", &database]).unwrap();
        write(folder.path(), &format!("hv1/{vm}.xml"), &dump);
        let (from, to) = (
            (START - 1).to_string(),
            (time(rows.len() - 1) - 1).to_string(),
        );
        let fetched = rrdtool(&["fetch", &database, "AVERAGE", "-s", &from, "-e", &to]).unwrap();
        write(folder.path(), &format!("fetched/hv1/{vm}.txt"), &fetched);
        exports.push(format!("DEF:{vm}={database}:value:AVERAGE"));
        exports.push(format!("XPORT:{vm}:{vm}"));
        if column == 0 {
            let (code, errors) = failure(&["replay", "metrics", &database]);
            assert_eq!(code, Some(1), "{errors}");
            assert!(errors.contains("\"rrdtool dump FILE\" prints"), "{errors}");
        }
    }
    let mut words: Vec<&str> = exports.iter().map(String::as_str).collect();
    write(folder.path(), "export/hv1.xml", &rrdtool(&words).unwrap());
    words.insert(1, "--json");
    write(folder.path(), "json/hv1.json", &rrdtool(&words).unwrap());
    for place in ["hv1", "fetched/hv1", "export/hv1.xml", "json/hv1.json"] {
        let path = folder.path().join(place).display().to_string();
        // An export and fetched rows begin where they were asked to.
        let found = events(&stdout(&["replay", "metrics", &path]));
        let near = |found: u64, expected: u64| found.abs_diff(expected) <= 1;
        let expected = expected("hv1");
        assert_eq!(found.len(), expected.len(), "{place}: {found:?}");
        for (found, expected) in found.iter().zip(&expected) {
            assert!(
                found.2 == expected.2 && near(found.3, expected.3),
                "{place}: {found:?}"
            );
        }
    }
}

#[test]
fn a_file_with_several_hypervisors_gives_the_events_of_each() {
    let folder = tempfile::tempdir().unwrap();
    let labels = |instance: &str| format!("\"domain\":\"VM\",\"instance\":\"{instance}\"");
    let both = answer(&labels("hv1:9177")) + "\n" + &answer(&labels("hv2:9177"));
    let path = write(folder.path(), "fleet.json", &both);
    let found = events(&stdout(&["replay", "metrics", path.to_str().unwrap()]));
    assert_eq!(found, [expected("hv1"), expected("hv2")].concat());

    let other = write(folder.path(), "again.json", &answer(&labels("hv2:9177")));
    let (code, errors) = failure(&[
        "replay",
        "metrics",
        path.to_str().unwrap(),
        other.to_str().unwrap(),
    ]);
    assert_eq!(code, Some(1));
    assert!(
        errors.contains("both have the hypervisor \"hv2\""),
        "{errors}"
    );
}

#[test]
fn labels_of_vm_and_hypervisor_can_be_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(
        folder.path(),
        "a.json",
        &answer("\"uuid\":\"VM\",\"rack_node\":\"hv5\""),
    );
    let path = path.to_str().unwrap();
    let (code, errors) = failure(&["replay", "metrics", path]);
    assert_eq!(code, Some(1));
    assert!(
        errors.contains("--vm-label") && errors.contains("rack_node=\"hv5\""),
        "{errors}"
    );
    let named = ["--vm-label", "uuid", "--hypervisor-label", "rack_node"];
    let found = events(&stdout(
        &[&["replay", "metrics", path], &named[..]].concat(),
    ));
    assert_eq!(found, expected("hv5"));
    let (_, errors) = failure(&["replay", "metrics", path, "--vm-label", "name"]);
    assert!(
        errors.contains("no label \"name\"; --vm-label takes one of rack_node, uuid"),
        "{errors}"
    );
}

#[test]
fn what_is_no_range_query_is_refused_with_what_would_be_right() {
    let folder = tempfile::tempdir().unwrap();
    for (content, says) in [
        (
            "{\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[]}}",
            "takes \"matrix\"",
        ),
        (
            "{\"status\":\"error\",\"error\":\"too many samples\"}",
            "an error: too many samples",
        ),
        ("# HELP x y\nx{domain=\"a\"} 1\n", "a single scrape"),
        ("{\"a\": 1}", "no answer of Prometheus"),
        ("<html>login</html>", "none of \"rrdtool dump\""),
    ] {
        let path = write(folder.path(), "hv1", content);
        let (code, errors) = failure(&["replay", "metrics", path.to_str().unwrap()]);
        assert_eq!(code, Some(1), "{errors}");
        assert!(errors.contains(says), "{says}: {errors}");
    }
}

#[test]
fn several_metrics_give_events_for_each_from_folders_and_from_columns() {
    let folder = tempfile::tempdir().unwrap();
    let (vms, rows) = case();
    let quiet = |row: usize, vm: usize| 20 + (row * (vm + 3)) % 7 + (row * row + vm) % 5;
    let mut cpu = format!("t,{}\n", vms.join(","));
    let mut both = format!("t,{}", vms.join(","));
    for vm in &vms {
        write!(both, ",{vm}:disk_ops").unwrap();
    }
    both += "\n";
    for (row, cells) in rows.iter().enumerate() {
        let quiet: Vec<String> = (0..vms.len())
            .map(|vm| quiet(row, vm).to_string())
            .collect();
        writeln!(cpu, "{row},{}", quiet.join(",")).unwrap();
        writeln!(both, "{row},{},{}", quiet.join(","), cells.join(",")).unwrap();
    }
    write(folder.path(), "folders/cpu/hv1.csv", &cpu);
    write(
        folder.path(),
        "folders/disk_ops/hv1.csv",
        &fs::read_to_string(CASE).unwrap(),
    );
    write(folder.path(), "columns/hv1.csv", &both);
    let mut expected = expected("hv1");
    expected
        .iter_mut()
        .for_each(|event| event.1 = "disk_ops".to_owned());
    for form in ["folders", "columns"] {
        let path = folder.path().join(form).display().to_string();
        let found = events(&stdout(&["replay", "metrics", &path]));
        assert_eq!(found, expected, "{form}");
        let output = run(&["replay", "metrics", "--set", "metrics=cpu", &path]);
        assert_eq!(output.stdout, b"", "{form}");
        let warnings = String::from_utf8(output.stderr).unwrap();
        assert!(warnings.contains("disk_ops: not evaluated"), "{warnings}");
    }
}

/// The standard error of a replay that prints events or not.
fn warnings(arguments: &[&str]) -> String {
    let output = run(&[&["replay", "metrics"], arguments].concat());
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{errors}");
    errors
}

#[test]
fn where_no_vms_vote_a_line_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let (vms, rows) = case();
    let header = format!("t,{}\n", vms.join(","));
    let text = |row: &dyn Fn(usize, &[String]) -> String| {
        let rows = rows
            .iter()
            .enumerate()
            .map(|(at, cells)| row(at, cells) + "\n");
        header.clone() + &rows.collect::<String>()
    };
    let number = |cell: &String| cell.parse::<f64>().unwrap();
    let joined = |cells: Vec<String>| cells.join(",");
    let cores = text(&|at, cells| {
        format!(
            "{at},{}",
            joined(
                cells
                    .iter()
                    .map(|c| format!("{:.4}", number(c) / 100.0))
                    .collect()
            )
        )
    });
    let seconds = text(&|at, cells| format!("{},{}", at * 10, cells.join(",")));
    let staggered = text(&|at, cells| {
        let only = |(vm, cell): (usize, &String)| {
            if at % 5 == vm {
                cell.clone()
            } else {
                String::new()
            }
        };
        format!(
            "{at},{}",
            joined(cells.iter().enumerate().map(only).collect())
        )
    });
    let counters = text(&|at, cells| {
        format!(
            "{at},{}",
            joined(
                cells
                    .iter()
                    .map(|c| format!("{}", at as f64 * 3e11 + number(c) * 1e9))
                    .collect()
            )
        )
    });
    let epoch = text(&|at, cells| format!("{},{}", time(at), cells.join(",")));
    for (content, interval, says) in [
        (cores, "300", "cores or shares of one"),
        (seconds, "300", "the numbers of the rows rise by 10"),
        (staggered, "300", "1.0 of 5 VMs on average"),
        (counters, "300", "look like counters"),
        (
            epoch.clone(),
            "300",
            "column t has times, from 2026-03-03T00:00:00Z on",
        ),
        (
            epoch,
            "10",
            "the interval is given as 10 s, and the samples are 300 s apart",
        ),
    ] {
        let path = write(folder.path(), "hv1.csv", &content);
        let path = path.to_str().unwrap();
        let found = warnings(&["--interval", interval, path]);
        assert!(
            found.contains(says) && found.contains("hv1.csv: "),
            "{says}: {found}"
        );
    }
    assert_eq!(warnings(&["--times", "rows", CASE]), "");
}

#[test]
fn every_silent_case_of_the_world_gets_its_line() {
    let Some(folder) = shared("data/world-metrics/cases") else {
        return;
    };
    for (name, interval, says) in [
        ("07_epoch_seconds.csv", "300", "has times, from"),
        ("39_rows_at_10s_in_seconds.csv", "300", "rise by 10"),
        ("50_cores.csv", "300", "cores"),
        ("57_one_vm_a_row.csv", "300", "different rows"),
        (
            "renewed_every_5min_seen_every_10s.csv.gz",
            "10",
            "renewed only every 30 samples",
        ),
    ] {
        let path = folder.join(name);
        let found = warnings(&["--interval", interval, path.to_str().unwrap()]);
        assert!(found.contains(says), "{name}: {found}");
    }
    for name in [
        "4_of_8_to_zero_at_1400.csv",
        "wave20_doubled_at_1600.csv",
        "ar95_13vms_10s_nothing.csv.gz",
    ] {
        let path = folder.join(name);
        assert_eq!(
            warnings(&[
                "--interval",
                if name.contains("10s") { "10" } else { "300" },
                path.to_str().unwrap()
            ]),
            "",
            "{name}"
        );
    }
}

/// A folder of twenty hypervisors of six VMs; `factor` is by how much those of a hypervisor exceed their level at a row.
fn estate(folder: &Path, factor: impl Fn(u64, u64) -> f64) {
    // Any noise does: a generator of Numerical Recipes.
    let mut state = 7_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state >> 8) / f64::from(1_u32 << 24)
    };
    for host in 0..20 {
        let mut text = "t,a,b,c,d,e,f\n".to_owned();
        for row in 0..200 {
            write!(text, "{row}").unwrap();
            for vm in 0..6 {
                let level = f64::from(15 + 3 * vm) * factor(host, row);
                write!(text, ",{:.1}", level * (0.8 + 0.4 * noise())).unwrap();
            }
            text += "\n";
        }
        write(folder, &format!("hv{host:02}.csv"), &text);
    }
}

/// Kind, hypervisor and state of each line.
fn kinds(text: &str) -> Vec<String> {
    let word = |event: &serde_json::Value, key: &str| event[key].as_str().unwrap().to_owned();
    text.lines()
        .map(json)
        .map(|e| {
            let words = ["event", "hypervisor", "state"].map(|key| word(&e, key));
            words.join(" ")
        })
        .collect()
}

#[test]
fn a_roll_out_to_the_hypervisors_of_a_folder_is_one_event_and_files_by_themselves_are_no_fleet() {
    let folder = tempfile::tempdir().unwrap();
    estate(folder.path(), |_, row| if row >= 150 { 1.8 } else { 1.0 });
    let name = folder.path().to_str().unwrap();
    let whole = stdout(&["replay", "metrics", name]);
    assert_eq!(kinds(&whole), ["fleet_change  raised"]);
    let event = json(&whole);
    assert!((150..160).contains(&event["index"].as_u64().unwrap()));
    assert_eq!(event["voting_hypervisors"], 20);
    assert_eq!(event["cause"], "fleet");

    // A shell names all of its files.
    let files: Vec<String> = (0..20).map(|h| format!("{name}/hv{h:02}.csv")).collect();
    let replayed = |files: &[String]| {
        let mut arguments = vec!["replay", "metrics"];
        arguments.extend(files.iter().map(String::as_str));
        stdout(&arguments)
    };
    assert_eq!(replayed(&files), whole);
    let alone: Vec<String> = (0..19)
        .map(|host| format!("hypervisor_anomaly hv{host:02} raised"))
        .collect();
    assert_eq!(kinds(&replayed(&files[..19])), alone);
    // Cases of the laboratory are made independently.
    write(folder.path(), "labels.json", "{}");
    assert_eq!(kinds(&stdout(&["replay", "metrics", name])).len(), 20);
}

#[test]
fn a_failing_hypervisor_of_a_folder_is_reported_as_by_itself_also_at_the_end_of_the_data() {
    let folder = tempfile::tempdir().unwrap();
    for since in [150, 193] {
        let fault = |host, row| if host == 11 && row >= since { 2.5 } else { 1.0 };
        estate(folder.path(), fault);
        let all = stdout(&["replay", "metrics", folder.path().to_str().unwrap()]);
        let own = folder.path().join("hv11.csv");
        let own = stdout(&["replay", "metrics", own.to_str().unwrap()]);
        assert_eq!(kinds(&own), ["hypervisor_anomaly hv11 raised"], "{since}");
        assert_eq!(all, own, "{since}");
    }
}

#[test]
fn the_given_case_of_a_roll_out_is_one_event() {
    let Some(case) = shared("data/world-metrics/cases/deploy") else {
        return;
    };
    let text = stdout(&["replay", "metrics", case.to_str().unwrap()]);
    assert_eq!(kinds(&text), ["fleet_change  raised"]);
}

#[test]
fn within_the_windows_of_a_mask_file_nothing_is_learned_or_reported() {
    let folder = tempfile::tempdir().unwrap();
    let name = "fault-up-n05";
    let unmasked = expected(name);
    let raised = unmasked[0].3;
    // Rows without times are at their number times the interval.
    let window = |from: u64, until: u64| {
        let mask = format!(
            "# HYPERVISOR FROM UNTIL\n{name} {} {} # kernel\nother 0 +1000d\nfault-up-n05 now +2h\n",
            from * INTERVAL,
            until * INTERVAL
        );
        write(folder.path(), "masks", &mask).display().to_string()
    };
    let replay = |mask: &str| run(&["replay", "metrics", "--mask-file", mask, CASE]);
    let masked = replay(&window(raised - 20, 1_000_000));
    assert!(masked.status.success());
    assert_eq!(String::from_utf8_lossy(&masked.stdout), "");
    let warnings = String::from_utf8_lossy(&masked.stderr).into_owned();
    let warning = "line 4: the start \"now\" would be another time whenever the file is read";
    assert!(warnings.contains(warning), "{warnings}");

    let open = replay(&window(raised + 2, 1_000_000));
    let text = String::from_utf8(open.stdout).unwrap();
    let reasons: Vec<_> = text
        .lines()
        .map(|line| json(line)["reason"].clone())
        .collect();
    assert_eq!(reasons, [serde_json::Value::Null, "maintenance".into()]);

    let (_, missing) = failure(&["replay", "metrics", "--mask-file", "/nowhere/masks", CASE]);
    assert!(
        missing.contains("cannot read the mask file /nowhere/masks"),
        "{missing}"
    );
}
