//! Files that take more than a line for a record, or whose lines need each other, as the reader gives them.

use std::path::Path;

use bellwether_core::lad::Transport;
use bellwether_records::logs::{self, Record, Records};

/// 2026-11-27T10:00:00Z.
const TIME: f64 = 1_795_773_600.0;

/// The records of a file of this name and content.
fn read(name: &str, content: impl AsRef<[u8]>) -> Vec<Record> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, content).unwrap();
    records(&path)
}

fn records(path: &Path) -> Vec<Record> {
    let mut records = Vec::new();
    logs::each_record(path, Some(2026), |record| {
        records.push(record.clone());
        Ok(())
    })
    .unwrap();
    records
}

/// The warnings about a file of this content.
fn warnings(content: impl AsRef<[u8]>) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.log");
    std::fs::write(&path, content).unwrap();
    let found = logs::find(&[path]).unwrap();
    let mut records = Records::new(&found.groups[0], None);
    while records.next_record().unwrap().is_some() {}
    records.warnings()
}

fn texts(records: &[Record]) -> Vec<(u64, &str)> {
    records
        .iter()
        .map(|record| (record.index, &*record.text))
        .collect()
}

#[test]
fn an_export_of_a_journal_is_read_by_its_fields() {
    let mut content = b"__CURSOR=a\n__REALTIME_TIMESTAMP=1795773600500000\n_HOSTNAME=hv1\n_TRANSPORT=kernel\nPRIORITY=3\n".to_vec();
    content.extend(b"_CMDLINE=Out of memory\nMESSAGE=I/O error\nMESSAGE=forged\n\n__CURSOR=b\n_HOSTNAME=hv1\nMESSAGE\n");
    content.extend(10_u64.to_le_bytes());
    content.extend(b"two\nlines\xff\n_TRANSPORT=stdout\n_COMM=app\n\n");
    let found = read("x.export", &content);
    assert_eq!(texts(&found), [(0, "I/O error"), (9, "two\nlines\u{fffd}")]);
    assert_eq!(
        (
            found[0].time,
            &*found[0].host,
            found[0].transport,
            found[0].priority
        ),
        (TIME + 0.5, "hv1", Transport::Kernel, Some(3))
    );
    assert_eq!(
        (&*found[1].program, found[1].transport),
        ("app", Transport::Process)
    );

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut");
    std::fs::write(&path, &content[..content.len() - 40]).unwrap();
    let error = logs::each_record(&path, None, |_| Ok(())).unwrap_err();
    assert!(
        format!("{error:#}").contains("cut: it ends in the middle of a record"),
        "{error:#}"
    );
}

#[test]
fn entries_and_messages_of_several_lines_are_one_record() {
    let verbose = "Fri 2026-11-27 10:00:00.500000 UTC [s=1;i=1]\n    _HOSTNAME=hv1\n    MESSAGE=first\n            second\n    PRIORITY=3\n\
                   Fri 2026-11-27 10:00:01.000000 UTC [s=1;i=2]\n    MESSAGE=x\n    _TRANSPORT=kernel\n";
    let found = read("v.log", verbose);
    assert_eq!(texts(&found), [(0, "first\nsecond"), (5, "x")]);
    assert_eq!(
        (found[0].time, found[0].priority, found[1].transport),
        (TIME + 0.5, Some(3), Transport::Kernel)
    );

    let pretty = "{\n\t\"__REALTIME_TIMESTAMP\" : \"1795773600500000\",\n\t\"MESSAGE\" : \"a } {\"\n}\n{\n\t\"MESSAGE\" : \"b\",\n\t\"_HOSTNAME\" : \"hv1\"\n}\n";
    assert_eq!(texts(&read("p.log", pretty)), [(0, "a } {"), (4, "b")]);
    let dmesg = "{\n   \"dmesg\": [\n      {\n         \"pri\": 3,\n         \"time\":     1.500000,\n         \"msg\": \"a\"\n      },{\n         \
                 \"pri\": 6,\n         \"time\":     2.5,\n         \"msg\": \"b\"\n      }\n   ]\n}\n";
    assert_eq!(texts(&read("d.log", dmesg)), [(0, "a"), (0, "b")]);
    for (begin, end) in [("", "\n"), ("\u{1e}", "\n"), ("data: ", "\n\n")] {
        let content: String = ["a", "b"]
            .map(|text| format!("{begin}{{\"_HOSTNAME\":\"h\",\"MESSAGE\":\"{text}\"}}{end}"))
            .concat();
        let found = read("j.log", content);
        assert_eq!(
            found.iter().map(|record| &*record.text).collect::<Vec<_>>(),
            ["a", "b"]
        );
    }
}

#[test]
fn a_line_that_is_indented_continues_the_record_before_and_other_rest_is_of_its_host() {
    let content = "-- Boot 0123 --\n2026-11-27T10:00:00Z hv1 app[7]: first\n                      second\n\nrest\n2026-11-27T10:00:01Z hv2 a: x\n";
    let found = read("a.log", content);
    let row = |r: &Record| {
        (
            r.index,
            r.time - TIME,
            r.host.clone(),
            r.program.clone(),
            r.text.trim().to_owned(),
        )
    };
    let expected = [
        (1, 0.0, "hv1", "app", "first"),
        (2, 0.0, "hv1", "app", "second"),
        (4, 0.0, "hv1", "", "rest"),
        (5, 1.0, "hv2", "a", "x"),
    ];
    let expected = expected.map(|(index, time, host, program, text)| {
        (
            index,
            time,
            host.to_owned(),
            program.to_owned(),
            text.to_owned(),
        )
    });
    assert_eq!(found.iter().map(row).collect::<Vec<_>>(), expected);
}

#[test]
fn parts_of_a_container_s_text_are_joined_by_output_and_bounded() {
    let content = "2026-11-27T10:00:00Z stdout P one \n2026-11-27T10:00:01Z stderr F level=error msg=lost\n2026-11-27T10:00:02Z stdout F two\n\
                   2026-11-27T10:00:03Z stderr P end\n";
    let found = read("pods/ns_pod_uid/app/0.log", content);
    assert_eq!(texts(&found), [(1, "lost"), (0, "one two"), (3, "end")]);
    assert_eq!(
        (found[0].priority, &*found[0].program, &*found[0].unit),
        (Some(3), "app", "ns/pod")
    );
    let line = |end: &str| {
        format!(
            "{{\"log\":\"{}{end}\",\"stream\":\"stdout\",\"time\":\"2026-11-27T10:00:00Z\"}}\n",
            "x".repeat(16 << 10)
        )
    };
    let content = line("").repeat(100) + &line("\\n");
    let found = read("docker.log", &content);
    assert_eq!((found.len(), found[0].text.len()), (1, 1 << 18));
    assert!(
        warnings(&content)
            .iter()
            .any(|warning| warning.contains("texts in parts that are too long, cut: 1"))
    );
}

#[test]
fn messages_with_their_lengths_in_front_are_divided_by_these() {
    let messages = [
        "<3>1 2026-11-27T10:00:00Z hv1 app 1 - - two\nlines",
        "<11>Nov 27 10:00:01 hv2 su: x",
    ];
    let content: String = messages
        .map(|message| format!("{} {message}", message.len()))
        .concat();
    let found = read("tcp.log", &content);
    assert_eq!(texts(&found), [(0, "two\nlines"), (1, "x")]);
    assert_eq!(
        (&*found[0].host, found[0].transport, &*found[1].host),
        ("hv1", Transport::Kernel, "hv2")
    );
    // Where it is cut in the middle, the rest is read by lines, and told.
    let broken = format!("{content}Nov 27 10:00:02 hv1 a: b\n");
    assert_eq!(read("tcp.log", &broken).len(), 3);
    let told = warnings(&broken);
    assert!(
        told.iter()
            .any(|warning| warning.contains("the rest was read by lines")),
        "{told:?}"
    );
}

#[test]
fn dmesg_s_differences_add_up() {
    let found = read(
        "dmesg",
        "[Nov27 10:00] a\n[  +0.500000] b\n[  +1.000000] c\n",
    );
    assert_eq!(
        found
            .iter()
            .map(|record| record.time - TIME)
            .collect::<Vec<_>>(),
        [0.0, 0.5, 1.5]
    );
    let found = read(
        "dmesg",
        "6,1,1500000,-;a\n SUBSYSTEM=pci\n DEVICE=+pci:0000:00:01.0\n6,2,2500000,-;b\n",
    );
    assert_eq!(texts(&found), [(0, "a"), (3, "b")]);
}

#[test]
fn colors_and_holes_do_not_hide_a_form() {
    let found = read("a.log", b"\x1b[32m[   12.5] \x1b[0m\x1b[33mnvme\x1b[0m: timeout\nNov 27 10:00:00 hv1 a: b\0\0\0\0Nov 27 10:00:01 hv1 c: d\n");
    assert_eq!(texts(&found), [(0, "nvme: timeout"), (1, "b"), (1, "d")]);
}

#[test]
fn what_is_not_as_it_should_be_is_told_once_per_file() {
    let text = "plain text\n".repeat(10);
    let found = warnings(&text);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].contains("a.log: no line has a known form") && found[0].contains("journalctl -o"),
        "{found:?}"
    );
    assert!(found[0].contains(": 10;"), "{found:?}");
    let some = warnings("Nov 27 10:00:00 hv1 a: b\nplain\n<3>level\n");
    assert!(
        some[0].contains("lines without a time, read at the time of the line before: 2"),
        "{some:?}"
    );
    assert!(
        some[1].contains("lines of no known form, read whole: 1"),
        "{some:?}"
    );
    assert!(warnings("")[0].contains("there are no lines in it"));
    assert!(
        warnings("Nov 27 10:00:00 hv1 a: b\0\0c\n")
            .iter()
            .any(|w| w.contains("NUL bytes, as a crash leaves them, skipped: 2"))
    );
    assert!(warnings("Nov 27 10:00:00 hv1 a: b\n").is_empty());
}

#[test]
fn logs_of_a_host_are_merged_by_time_and_what_several_hold_is_taken_once() {
    let folder = tempfile::tempdir().unwrap();
    let write =
        |name: &str, content: &str| std::fs::write(folder.path().join(name), content).unwrap();
    write(
        "kern.log.1",
        "2026-11-27T10:00:00Z hv1 kernel: a\n2026-11-27T10:00:00Z hv1 kernel: a\n",
    );
    write("kern.log", "2026-11-27T10:00:05Z hv1 kernel: d\n");
    write(
        "syslog",
        "2026-11-27T10:00:00Z hv1 kernel: a\n2026-11-27T10:00:00Z hv1 kernel: a\n2026-11-27T10:00:02Z hv1 sshd[1]: b\n\
                     2026-11-27T10:00:05Z hv1 kernel: d\n2026-11-27T10:00:05Z hv1 kernel: d\n",
    );
    write("messages", "2026-11-27T10:00:03Z hv1 cron[1]: c\n");
    let found = logs::find(&[folder.path().to_owned()]).unwrap();
    let mut records = Records::new(&found.groups[0], None);
    let mut all = Vec::new();
    while let Some(record) = records.next_record().unwrap() {
        all.push((record.series.to_string(), record.index, record.text));
    }
    let expected = [
        ("kern.log.1", 0, "a"),
        ("kern.log.1", 1, "a"),
        ("syslog", 2, "b"),
        ("messages", 0, "c"),
        ("kern", 0, "d"),
        ("syslog", 4, "d"),
    ];
    let expected =
        expected.map(|(series, index, text)| (series.to_owned(), index, text.to_owned()));
    assert_eq!(all, expected);
    let warnings = records.warnings();
    assert!(warnings[0].contains("taken once: 3"), "{warnings:?}");
}

#[test]
fn what_is_no_log_is_refused_with_what_would_be_right() {
    let folder = tempfile::tempdir().unwrap();
    let of_journal = format!(
        "journalctl -o json -D {} | bellwether replay logs -",
        folder.path().display()
    );
    for (name, content, says) in [
        (
            "core",
            &b"\x7fELF\x02\x01\x01\0\x88\x99\xaa\xbb"[..],
            "core: binary data; a log is text",
        ),
        ("x.journal", b"LPKSHHRH\0\0", &of_journal),
        (
            "a.zip",
            b"PK\x03\x04...",
            "a.zip: it is a zip archive: unpack it first",
        ),
        (
            "a.log.gz",
            b"\x1f\x8b\x08\0\0\0",
            "a.log.gz: the gzip data end early",
        ),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        let error = logs::each_record(&path, None, |_| Ok(())).unwrap_err();
        assert!(format!("{error:#}").contains(says), "{error:#}");
    }
}

#[test]
fn a_file_of_a_folder_that_is_no_log_is_left_out_and_told() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("kern.log"),
        "Nov 27 10:00:00 hv1 kernel: a\n",
    )
    .unwrap();
    std::fs::write(folder.path().join("syslog"), [0x80; 64]).unwrap();
    let found = logs::find(&[folder.path().to_owned()]).unwrap();
    let mut records = Records::new(&found.groups[0], None);
    assert_eq!(records.next_record().unwrap().unwrap().text, "a");
    assert_eq!(records.next_record().unwrap(), None);
    let warnings = records.warnings();
    assert!(
        warnings[0].contains("syslog: binary data") && warnings[0].ends_with("left out"),
        "{warnings:?}"
    );
}

#[test]
fn rotated_files_go_on_in_the_year_after_the_given_one() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("syslog.1"), "Dec 31 23:59:59 hv1 a: b\n").unwrap();
    std::fs::write(folder.path().join("syslog"), "Jan  1 00:00:01 hv1 a: b\n").unwrap();
    let found = logs::find(&[folder.path().to_owned()]).unwrap();
    let mut records = Records::new(&found.groups[0], Some(2023));
    let [one, two] = [(); 2].map(|()| records.next_record().unwrap().unwrap());
    assert_eq!(
        (&*one.series, &*two.series, two.time - one.time),
        ("syslog.1", "syslog", 2.0)
    );
}
