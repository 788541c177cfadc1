//! `bellwether templates` as a user runs it.

mod common;

use std::io::Write as _;

use common::{failure, stdout};

const LINES: &str = "\
2024-03-05T07:25:47+00:00 host sshd[12]: Accepted password for root from 10.0.0.1 port 22 ssh2
2024-03-05T07:25:48+00:00 host sshd[13]: Accepted password for daemon from 10.0.0.2 port 23 ssh2
Mar  5 07:25:49 host kernel: Out of memory: Killed process 123 (qemu-system-x86)

2024-03-05T07:25:50+00:00 host sshd[14]: Accepted password for root from 10.0.0.3 port 24 ssh2
";

#[test]
fn templates_are_printed_with_counts_and_verdicts_and_lines_assigned_to_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = std::fs::File::create(folder.path().join("host.log.gz")).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    gzip.write_all(LINES.as_bytes()).unwrap();
    gzip.finish().unwrap();
    let assigned = folder.path().join("assigned");
    let paths = [folder.path(), &assigned].map(|p| p.to_str().unwrap());

    let text = stdout(&["templates", "--assign", paths[1], paths[0]]);
    let rows: Vec<Vec<&str>> = text.lines().map(|row| row.split('\t').collect()).collect();
    assert_eq!(rows[0], ["id", "lines", "severity", "family", "template"]);
    assert_eq!(
        rows[1],
        [
            "1",
            "3",
            "0",
            "-",
            "Accepted password for <:*:> from <:IP:> port <:NUM:> ssh2"
        ]
    );
    let oom = &rows[2];
    assert_eq!((oom[0], oom[1], oom[3]), ("2", "1", "memory"));
    assert!(oom[2].parse::<f32>().unwrap() >= 0.5, "{oom:?}");
    assert_eq!(
        std::fs::read_to_string(assigned).unwrap(),
        "1\n1\n2\n0\n1\n"
    );
}

#[test]
fn an_option_that_is_none_and_a_mask_that_is_none_are_refused_with_status_2() {
    for (setting, says) in [
        ("sim_thr=0.5", "did you mean \"sim_th\"?"),
        ("sim_th=2", "0 to 1"),
        ("masks=X=(", "unclosed group"),
    ] {
        let (code, errors) = failure(&["templates", "--set", setting, "/nowhere"]);
        assert_eq!(code, Some(2), "{errors}");
        assert!(errors.contains(says), "{errors}");
    }
}

#[test]
fn the_options_of_the_parser_are_listed() {
    let text = stdout(&["options", "drain"]);
    assert!(
        text.contains("max_clusters = 5000") && text.contains("sim_th = 0.4"),
        "{text}"
    );
}
