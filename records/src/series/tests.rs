//! Every form of recorded metrics, as files.

use super::*;
use std::io::Write as _;

type Read = Vec<(u64, Vec<Option<f64>>)>;

fn rows(recording: &mut Recording) -> Result<Read> {
    let (mut rows, mut values) = (Vec::new(), Vec::new());
    while let Some(row) = recording.next_row(&mut values)? {
        rows.push((row, values.clone()));
    }
    Ok(rows)
}

fn lenient(lenient: bool) -> Reading {
    Reading {
        lenient,
        ..Reading::default()
    }
}

fn file(name: &str, content: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    (folder, path)
}

fn read(content: &[u8], reading: &Reading) -> Result<(Read, Recording)> {
    let (_folder, path) = file("hv1.csv", content);
    let mut recording = open_file(&path, reading)?;
    Ok((rows(&mut recording)?, recording))
}

fn error(content: &str) -> String {
    format!(
        "{:#}",
        read(content.as_bytes(), &lenient(false)).unwrap_err()
    )
}

#[test]
fn a_cell_is_a_value_or_a_missing_sample() {
    let (rows, recording) = read(b"t,a,b\n0,1.5,\n1, 2 ,0\n4,,\n", &lenient(false)).unwrap();
    assert_eq!(
        rows,
        [
            (0, vec![Some(1.5), None]),
            (1, vec![Some(2.0), Some(0.0)]),
            (4, vec![None, None])
        ]
    );
    assert_eq!(
        (recording.bad_cells(), recording.start, recording.interval),
        (0, None, None)
    );
    assert_eq!(recording.hypervisor, "hv1");
}

#[test]
fn a_gzip_file_reads_as_what_it_holds() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(b"t,a\n0,1\n").unwrap();
    let (rows, _) = read(&encoder.finish().unwrap(), &lenient(false)).unwrap();
    assert_eq!(rows, [(0, vec![Some(1.0)])]);
}

#[test]
fn an_error_says_where_and_what_would_be_right() {
    for (content, says) in [
        ("", "line 1: the file is empty"),
        (
            "hour,a\n",
            "the first column is \"hour\"; it has to be \"t\"",
        ),
        ("t\n", "no column of a VM"),
        ("t,a,a\n", "column 3: the VM \"a\" is there twice"),
        ("t,a,\n", "column 3: a VM without a name"),
        ("t,a\n0,1,2\n", "line 2: 3 cells; the first line has 2"),
        (
            "t,a\n0,1\nx,2\n",
            "line 3, column t: \"x\" is not the number of a row",
        ),
        ("t,a\n3,1\n3,2\n", "line 3, column t: 3 comes after 3"),
        (
            "t,a\n0,1\n1,-2\n",
            "line 3, row 1, column a: \"-2\" is not a value",
        ),
        (
            "t,a\n0,nan\n",
            "column a: \"nan\" is not a value; it takes a finite number",
        ),
        (
            "time,a\nnoon,1\n",
            "line 2: \"noon\" is not a time; it takes seconds or milliseconds",
        ),
        ("time,a\n1772496000,1\n1772495000,1\n", "times have to rise"),
        (
            "time,vm,value\n1772496000,a,much\n",
            "line 2: \"much\" is not a value",
        ),
    ] {
        let error = error(content);
        assert!(error.contains(says), "{content:?}: {error}");
    }
}

#[test]
fn lenient_reads_bad_cells_as_missing_and_counts_them() {
    let (rows, recording) = read(b"t,a,b\n0,x,-1\n1,2,3\n", &lenient(true)).unwrap();
    assert_eq!(rows[0].1, [None, None]);
    assert_eq!(recording.bad_cells(), 2);
}

#[test]
fn a_hypervisor_is_named_by_its_file() {
    for (file, name) in [
        ("a/hv1.csv", "hv1"),
        ("hv1.example.org.csv.gz", "hv1.example.org"),
        ("hv1.json.zst", "hv1"),
        ("hv1", "hv1"),
    ] {
        assert_eq!(hypervisor(Path::new(file)), name);
    }
}

const DAY: f64 = 1_772_496_000.0;

#[test]
fn times_place_rows_whatever_their_unit() {
    for (content, is_noted) in [
        ("t,a\n1772496000,1\n1772496300,2\n1772496900,3\n", true),
        (
            "t,a\n1772496000000,1\n1772496300000,2\n1772496900000,3\n",
            true,
        ),
        (
            "t,a\n2026-03-03T00:00:00Z,1\n2026-03-03T00:05:00Z,2\n2026-03-03T00:15:00Z,3\n",
            true,
        ),
        (
            "\"Time\";\"a\"\n2026-03-03 00:00:00;1\n2026-03-03 00:05:00;2\n2026-03-03 00:15:00;3 %\n",
            false,
        ),
        (
            "sep=,\n\"Time\",\"a\"\n1772496000000,1\n1772496300000,2\n1772496900000,3\n",
            false,
        ),
        (
            "time,a\n1772496000.1,1\n1772496300,2\n1772496600,NaN\n1772496900,3\n",
            false,
        ),
    ] {
        let (rows, recording) = read(content.as_bytes(), &lenient(false)).unwrap();
        let with_value: Vec<_> = rows
            .iter()
            .filter(|row| row.1[0].is_some())
            .cloned()
            .collect();
        assert_eq!(
            with_value,
            [
                (0, vec![Some(1.0)]),
                (1, vec![Some(2.0)]),
                (3, vec![Some(3.0)])
            ],
            "{content}"
        );
        assert_eq!(
            (recording.start.unwrap().floor(), recording.interval),
            (DAY, Some(300.0))
        );
        let notes = recording.notes();
        assert_eq!(
            notes
                .iter()
                .any(|note| note.contains("has times, from 2026-03-03T00:00:00Z on")),
            is_noted,
            "{notes:?}"
        );
    }
}

#[test]
fn what_column_t_counts_can_be_given() {
    let content = "t,a\n0,1\n10,2\n20,3\n";
    let (rows, recording) = read(content.as_bytes(), &lenient(false)).unwrap();
    assert_eq!((rows[2].0, recording.start), (20, None));
    let seconds = Reading {
        times: Some(Times::Seconds),
        ..Reading::default()
    };
    let (rows, recording) = read(content.as_bytes(), &seconds).unwrap();
    assert_eq!(
        (rows[2].0, recording.start, recording.interval),
        (2, Some(0.0), Some(10.0))
    );
}

#[test]
fn an_interval_that_does_not_fit_the_times_is_noted() {
    let reading = Reading {
        interval: Some(600.0),
        ..Reading::default()
    };
    let content = b"time,a\n1772496000,1\n1772496200,2\n1772496400,6\n1772496600,4\n";
    let (rows, recording) = read(content, &reading).unwrap();
    assert!(recording.notes()[0].contains("given as 600 s, and the samples are 200 s apart"));
    assert_eq!(rows, [(0, vec![Some(1.5)]), (1, vec![Some(5.0)])]);
}

#[test]
fn a_column_names_a_vm_and_a_metric() {
    let (_, recording) = read(b"t,a,a:disk_ops,web:8080\n0,1,2,3\n", &lenient(false)).unwrap();
    let columns: Vec<_> = recording
        .columns()
        .iter()
        .map(|c| (&*c.vm, c.metric.as_deref()))
        .collect();
    assert_eq!(
        columns,
        [("a", None), ("a", Some("disk_ops")), ("web:8080", None)]
    );
    assert_eq!(recording.vms(), ["a", "web:8080"]);
    assert_eq!(recording.metrics(), ["disk_ops"]);
}

/// The recordings of all files of a folder.
fn all(folder: &Path) -> Vec<(String, Vec<Column>, Read)> {
    let reading = Reading::default();
    let found = find(&[folder.to_owned()], &reading).unwrap();
    let groups = found
        .groups
        .iter()
        .map(|group| open(group, &reading).unwrap());
    groups
        .flatten()
        .map(|mut recording| {
            let rows = rows(&mut recording).unwrap();
            (
                recording.hypervisor.clone(),
                recording.columns().to_vec(),
                rows,
            )
        })
        .collect()
}

#[test]
fn a_folder_a_metric_is_one_recording_row_by_row() {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in [
        ("cpu/hv1.csv", "t,a,b\n0,1,2\n2,3,4\n"),
        ("disk_ops/hv1.csv", "t,b\n0,10\n1,20\n"),
    ] {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let [(hypervisor, columns, rows)] = &all(folder.path())[..] else {
        panic!("one recording");
    };
    assert_eq!(hypervisor, "hv1");
    let metrics: Vec<_> = columns
        .iter()
        .map(|c| c.metric.as_deref().unwrap())
        .collect();
    assert_eq!(metrics, ["cpu", "cpu", "disk_ops"]);
    assert_eq!(
        *rows,
        [
            (0, vec![Some(1.0), Some(2.0), Some(10.0)]),
            (1, vec![None, None, Some(20.0)]),
            (2, vec![Some(3.0), Some(4.0), None])
        ]
    );
}

/// Two VMs of two hypervisors in every form that names both: all read the same.
#[test]
fn forms_with_labels_give_a_recording_for_each_hypervisor() {
    let series = |domain: &str, instance: &str, first: f64| {
        format!(
            r#"{{"metric":{{"__name__":"cpu","domain":"{domain}","instance":"{instance}:9177"}},"values":[[1772496000,"{first}"],[1772496060,"{}"]]}}"#,
            first + 1.0
        )
    };
    let all_series = [
        series("a", "hv1", 1.0),
        series("b", "hv1", 3.0),
        series("c", "hv2", 5.0),
    ];
    let json = format!(
        r#"{{"status":"success","data":{{"resultType":"matrix","result":[{}]}}}}"#,
        all_series.join(",")
    );
    let promtool: String = [("a", "hv1", 1), ("b", "hv1", 3), ("c", "hv2", 5)]
        .iter()
        .map(|(domain, instance, first)| {
            format!("{{domain=\"{domain}\", instance=\"{instance}:9177\"}} =>\n{first} @[1772496000]\n{} @[1772496060]\n", first + 1)
        })
        .collect();
    let grafana = "\"Time\",\"{domain=\"\"a\"\", instance=\"\"hv1:9177\"\"}\",\"{domain=\"\"b\"\", instance=\"\"hv1:9177\"\"}\",\"{domain=\"\"c\"\", instance=\"\"hv2:9177\"\"}\"\n\
        2026-03-03 00:00:00,1,3,5\n2026-03-03 00:01:00,2,4,6\n";
    let long = "Time,domain,instance,Value\n1772496000000,a,hv1:9177,1\n1772496000000,b,hv1:9177,3\n1772496000000,c,hv2:9177,5\n\
        1772496060000,a,hv1:9177,2\n1772496060000,b,hv1:9177,4\n1772496060000,c,hv2:9177,6\n";
    let rows_of = "Time,Metric,Value\n1772496000000,\"{domain=\"\"a\"\", instance=\"\"hv1:9177\"\"}\",1\n1772496060000,\"{domain=\"\"a\"\", instance=\"\"hv1:9177\"\"}\",2\n\
        1772496000000,\"{domain=\"\"b\"\", instance=\"\"hv1:9177\"\"}\",3\n1772496060000,\"{domain=\"\"b\"\", instance=\"\"hv1:9177\"\"}\",4\n\
        1772496000000,\"{domain=\"\"c\"\", instance=\"\"hv2:9177\"\"}\",5\n1772496060000,\"{domain=\"\"c\"\", instance=\"\"hv2:9177\"\"}\",6\n";
    for (name, content) in [
        ("fleet.json", &json),
        ("fleet.txt", &promtool),
        ("wide.csv", &grafana.to_owned()),
        ("long.csv", &long.to_owned()),
        ("rows.csv", &rows_of.to_owned()),
    ] {
        let (folder, _) = file(name, content.as_bytes());
        let found = all(folder.path());
        let names: Vec<&str> = found
            .iter()
            .map(|(hypervisor, ..)| hypervisor.as_str())
            .collect();
        assert_eq!(names, ["hv1", "hv2"], "{name}");
        let vms: Vec<&str> = found[0].1.iter().map(|column| column.vm.as_str()).collect();
        assert_eq!(vms, ["a", "b"], "{name}");
        assert_eq!(
            found[0].2,
            [
                (0, vec![Some(1.0), Some(3.0)]),
                (1, vec![Some(2.0), Some(4.0)])
            ],
            "{name}"
        );
        assert_eq!(found[1].2[1], (1, vec![Some(6.0)]), "{name}");
    }
}

#[test]
fn several_names_of_one_answer_are_several_metrics() {
    let series = |name: &str, device: &str| {
        format!(
            r#"{{"metric":{{"__name__":"{name}","domain":"a","device":"{device}"}},"values":[[1772496000,"1"],[1772496060,"2"]]}}"#
        )
    };
    let all_series = [
        series("disk_ops", "vda"),
        series("disk_ops", "vdb"),
        series("cpu", ""),
    ];
    let (folder, path) = file("hv1.json", format!("[{}]", all_series.join(",")).as_bytes());
    let found = all(folder.path());
    assert_eq!(found.len(), 1);
    let columns: Vec<_> = found[0]
        .1
        .iter()
        .map(|c| c.metric.as_deref().unwrap())
        .collect();
    assert_eq!(columns, ["cpu", "disk_ops"]);
    assert_eq!(
        found[0].2[0].1,
        [Some(1.0), Some(2.0)],
        "devices are added up"
    );
    let reading = Reading::default();
    let group = &find(&[path], &reading).unwrap().groups[0];
    let recording = open(group, &reading).unwrap().remove(0);
    assert!(
        recording.notes()[0].contains("several series of disk_ops"),
        "{:?}",
        recording.notes()
    );
}

#[test]
fn folders_of_collectd_give_the_rates_that_its_plugin_computes() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: String| {
        let path = folder.path().join("hv1").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    };
    for (at, vm) in ["a", "b"].iter().enumerate() {
        // Half a core, and a whole one.
        let lines: String = (0..20)
            .map(|i| {
                format!(
                    "{}.000,{}\n",
                    DAY as u64 + 10 * i,
                    5_000_000_000 * i * (at as u64 + 1)
                )
            })
            .collect();
        write(
            &format!("virt-{vm}/virt_cpu_total-2026-03-03"),
            format!("epoch,value\n{lines}"),
        );
        for disk in ["vda", "vdb"] {
            let lines: String = (0..20)
                .map(|i| format!("{}.000,{},{}\n", DAY as u64 + 10 * i, 10 * i, 20 * i))
                .collect();
            write(
                &format!("virt-{vm}/disk_ops-{disk}-2026-03-03"),
                format!("epoch,read,write\n{lines}"),
            );
        }
    }
    let found = all(folder.path());
    let [(hypervisor, columns, rows)] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(hypervisor, "hv1");
    let columns: Vec<_> = columns
        .iter()
        .map(|c| (&*c.vm, c.metric.as_deref().unwrap()))
        .collect();
    assert_eq!(
        columns,
        [
            ("a", "cpu"),
            ("b", "cpu"),
            ("a", "disk_ops"),
            ("b", "disk_ops")
        ]
    );
    assert_eq!(rows.len(), 19);
    assert_eq!(rows[5].1, [Some(50.0), Some(100.0), Some(6.0), Some(6.0)]);
}

#[test]
fn a_folder_of_dumps_of_one_source_each_is_a_hypervisor() {
    let dump = |value: &str| {
        format!(
            "<rrd><step>60</step><lastupdate>1772496120</lastupdate><ds><name> value </name></ds>\
             <rra><cf>AVERAGE</cf><pdp_per_row>1</pdp_per_row><database><row><v>1</v></row><row><v>{value}</v></row></database></rra></rrd>"
        )
    };
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("hv7");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("a.xml"), dump("2")).unwrap();
    std::fs::write(folder.join("b.xml"), dump("NaN")).unwrap();
    let found = all(&folder);
    assert_eq!(found.len(), 1);
    assert_eq!((&*found[0].0, found[0].1.len()), ("hv7", 2));
    std::fs::create_dir_all(parent.path().join("hv8/disk_ops")).unwrap();
    std::fs::write(parent.path().join("hv8/disk_ops/a.xml"), dump("2")).unwrap();
    let of_metric = all(&parent.path().join("hv8"));
    assert_eq!(of_metric[0].0, "hv8");
    assert_eq!(of_metric[0].1[0].metric.as_deref(), Some("disk_ops"));
    assert_eq!(
        found[0].2,
        [(0, vec![Some(1.0), Some(1.0)]), (1, vec![Some(2.0), None])]
    );
}

#[test]
fn what_cannot_be_put_together_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in [
        ("cpu/hv1.csv", "t,a\n0,1\n"),
        ("disk_ops/hv1.csv", "time,a\n1772496000,1\n"),
        ("net_packets/hv1.csv", "time,vm,value\n1772496000,a,1\n"),
    ] {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let error = |metrics: [&str; 2]| {
        let paths = metrics.map(|metric| folder.path().join(metric));
        let found = find(&paths, &Reading::default()).unwrap();
        open(&found.groups[0], &Reading::default())
            .unwrap_err()
            .to_string()
    };
    assert!(error(["cpu", "disk_ops"]).contains("one has times and another one numbers of rows"));
    assert!(error(["cpu", "net_packets"]).contains("cannot be put together"));
    let (_folder, path) = file("hv1.json", b"[]");
    let error = open_file(&path, &Reading::default())
        .unwrap_err()
        .to_string();
    assert!(error.contains("there is no series in it"), "{error}");
}

/// Pieces of all forms, of which files are put together.
const PIECES: [&str; 30] = [
    "t,a,b\n",
    "0,1,2\n",
    "1,,\n",
    "time,a\n",
    "1772496000,1\n",
    "1e300,1\n",
    "-5,nan\n",
    "sep=;\n",
    "Time;vm;value\n",
    "epoch,value\n",
    "{\"status\":\"success\",\"data\":",
    "{\"resultType\":\"matrix\",\"result\":[",
    "{\"metric\":{\"vm\":\"a\"},\"values\":[[1,\"2\"],[3,\"4\"]]}",
    "]}}",
    ",",
    "{domain=\"a\"} =>\n",
    "1 @[5]\n",
    "{domain=\"a\"} 1 5\n",
    "<rrd><step>60</step><lastupdate>1772496120</lastupdate>",
    "<ds><name>a</name></ds>",
    "<rra><cf>AVERAGE</cf><pdp_per_row>1</pdp_per_row><database>",
    "<row><v>1</v></row>",
    "</database></rra></rrd>",
    "<xport><meta><start>0</start><step>1</step><legend><entry>a</entry></legend></meta><data>",
    "</data></xport>",
    "     value\n\n",
    "17724960000: 1\n",
    "\u{feff}",
    "\"",
    "\u{0}",
];

proptest::proptest! {
    #[test]
    fn no_content_makes_reading_panic_or_go_on_for_ever(
        pieces in proptest::collection::vec((0..PIECES.len(), 0..3_usize), 0..12),
        noise in proptest::collection::vec(proptest::num::u8::ANY, 0..8),
        name in proptest::sample::select(vec!["hv1.csv", "hv1.json", "virt-a/virt_cpu_total-2026-03-03"]),
    ) {
        let mut content: Vec<u8> = Vec::new();
        for (piece, times) in pieces {
            content.extend(PIECES[piece].repeat(times + 1).bytes());
        }
        content.extend(noise);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        let reading = lenient(true);
        if let Ok(found) = find(&[path], &reading) {
            for group in &found.groups {
                for mut recording in open(group, &reading).unwrap_or_default() {
                    let read = rows(&mut recording);
                    if let Ok(rows) = read {
                        assert!(rows.windows(2).all(|two| two[0].0 < two[1].0), "rows rise");
                    }
                }
            }
        }
    }
}
