//! Logs as the real programs of a host write them. What is not installed is skipped, and told.

#[path = "program/skip.rs"]
mod skip;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use bellwether_core::lad::Transport;
use bellwether_records::logs::{self, Record, Records};
use skip::skip;

/// What the kernel says in these tests.
const TEXT: &str = "Out of memory: Killed process 17 (qemu-system-x86)";

/// When it says that: 2026-11-27T10:00:05.25Z.
const TIME: f64 = 1_795_773_605.25;

/// The records of a file of this content, and the warnings about it.
fn read(content: &[u8]) -> (Vec<Record>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.log");
    fs::write(&path, content).unwrap();
    let found = logs::find(&[path]).unwrap();
    let mut records = Records::new(&found.groups[0], Some(2026));
    let mut all = Vec::new();
    while let Some(record) = records.next_record().unwrap() {
        all.push(record);
    }
    (all, records.warnings())
}

/// What a program prints; `None` if it cannot be run, which is told.
fn printed(program: &str, arguments: &[&str]) -> Option<Vec<u8>> {
    match Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
    {
        Ok(output) if output.status.success() => Some(output.stdout),
        Ok(output) => {
            skip(format_args!(
                "{program} {arguments:?}: {}",
                String::from_utf8_lossy(&output.stderr).trim()
            ));
            None
        }
        Err(error) => {
            skip(format_args!("{program}: {error}"));
            None
        }
    }
}

/// A journal as the real tools of systemd write it, in `folder`.
fn journal(folder: &Path) -> Option<String> {
    const REMOTE: &str = "/lib/systemd/systemd-journal-remote";
    let entries = [
        (
            "kernel",
            "_TRANSPORT=kernel\nPRIORITY=3\nSYSLOG_FACILITY=0",
            TEXT,
        ),
        (
            "sshd",
            "_TRANSPORT=syslog\nPRIORITY=6\n_PID=77\n_CMDLINE=Kernel panic - not syncing: x",
            "Invalid user x",
        ),
        (
            "app",
            "_TRANSPORT=stdout\nPRIORITY=6\n_PID=78\n_SYSTEMD_UNIT=app.service",
            "first\nsecond",
        ),
        (
            "app",
            "_TRANSPORT=journal\nPRIORITY=6\n_PID=78",
            "bell \u{7} rings",
        ),
    ];
    let mut export = Vec::new();
    for (second, (program, fields, text)) in entries.iter().enumerate() {
        let begin = format!(
            "__REALTIME_TIMESTAMP={}\n__MONOTONIC_TIMESTAMP={}\n_BOOT_ID={}\n_HOSTNAME=hv1\nSYSLOG_IDENTIFIER={program}\n{fields}\nMESSAGE\n",
            1_795_773_605_250_000 + second * 1_000_000,
            5_250_000 + second * 1_000_000,
            "0123456789abcdef".repeat(2),
        );
        export.extend(begin.bytes());
        export.extend((text.len() as u64).to_le_bytes());
        export.extend(text.bytes());
        export.extend(b"\n\n");
    }
    let (from, to) = (folder.join("in.export"), folder.join("x.journal"));
    fs::write(&from, export).unwrap();
    let to = to.to_str().unwrap();
    printed(REMOTE, &["-o", to, from.to_str().unwrap()])?;
    Some(to.to_owned())
}

#[test]
fn a_real_journal_is_read_in_every_form_that_journalctl_prints() {
    let folder = tempfile::tempdir().unwrap();
    let Some(journal) = journal(folder.path()) else {
        return;
    };
    let error = logs::each_record(Path::new(&journal), None, |_| Ok(()))
        .unwrap_err()
        .to_string();
    assert!(error.contains("journalctl -o json -D"), "{error}");
    let print = |form: &str| printed("journalctl", &["--utc", "--file", &journal, "-o", form]);
    let short = "short short-precise short-iso short-iso-precise short-full short-monotonic short-unix short-delta with-unit";
    for form in short.split(' ') {
        let Some(text) = print(form) else { continue };
        let (records, warnings) = read(&text);
        let row = |record: &Record| {
            (
                record.host.clone(),
                record.program.clone(),
                record.text.trim().to_owned(),
            )
        };
        let text = ["Invalid user x", "first", "second"];
        let expected = [
            ("kernel", TEXT),
            ("sshd", text[0]),
            ("app", text[1]),
            ("app", text[2]),
        ];
        let expected =
            expected.map(|(program, text)| ("hv1".to_owned(), program.to_owned(), text.to_owned()));
        assert_eq!(
            records[..4].iter().map(row).collect::<Vec<_>>(),
            expected,
            "{form}"
        );
        let seconds = match form {
            "short-monotonic" | "short-delta" => [5.25, 5.25],
            _ => [TIME, TIME.floor()],
        };
        assert!(
            seconds.contains(&records[0].time),
            "{form}: {}",
            records[0].time
        );
        assert!(
            records
                .iter()
                .all(|record| record.transport == Transport::Unknown),
            "{form}"
        );
        assert!(
            warnings.len() == 2 && warnings[0].ends_with(": 1"),
            "only the second line is none of its own, {form}: {warnings:?}"
        );
    }
    for form in "verbose export json json-pretty json-sse json-seq".split(' ') {
        let Some(text) = print(form) else { continue };
        let (records, warnings) = read(&text);
        let row = |record: &Record| {
            (
                record.time - TIME,
                record.program.clone(),
                record.transport,
                record.priority,
                record.unit.clone(),
            )
        };
        let expected = [
            (0.0, "kernel", Transport::Kernel, 3, ""),
            (1.0, "sshd", Transport::Process, 6, ""),
            (2.0, "app", Transport::Process, 6, "app.service"),
            (3.0, "app", Transport::Process, 6, ""),
        ];
        let expected = expected.map(|(time, program, transport, priority, unit)| {
            (
                time,
                program.to_owned(),
                transport,
                Some(priority),
                unit.to_owned(),
            )
        });
        assert_eq!(
            records.iter().map(row).collect::<Vec<_>>(),
            expected,
            "{form}"
        );
        assert_eq!(
            (&*records[0].text, &*records[2].text),
            (TEXT, "first\nsecond"),
            "{form}"
        );
        assert!(
            records.iter().all(|record| record.host == "hv1") && warnings.is_empty(),
            "{form}: {warnings:?}"
        );
    }
    if let Some(text) = print("cat") {
        let (records, warnings) = read(&text);
        assert_eq!(records[0].text, TEXT);
        assert!(
            warnings[0].contains("no line has a known form"),
            "{warnings:?}"
        );
    }
}

#[test]
fn a_real_dmesg_is_read_in_all_its_formats() {
    for arguments in [
        &["--time-format", "ctime"][..],
        &["--time-format", "iso"],
        &["--time-format", "delta"],
        &["--time-format", "reltime"],
        &["-x"],
        &["-x", "-T"],
        &["-x", "--time-format", "iso"],
        &["-r"],
        &["-d"],
        &["-J"],
        &["-x", "-J"],
        &["--color=always", "-T"],
        &[],
    ] {
        let Some(text) =
            printed("dmesg", &[&["-k"], arguments].concat()).filter(|text| !text.is_empty())
        else {
            continue;
        };
        let (records, warnings) = read(&text);
        let warnings = warnings.join("\n");
        assert!(
            records
                .iter()
                .any(|record| record.transport == Transport::Kernel && record.program == "kernel")
        );
        // Texts of several lines have no time on all but the first.
        assert!(
            !warnings.contains("no line has a known form"),
            "dmesg {arguments:?}: {warnings}"
        );
        let is_formless = |record: &&Record| record.transport == Transport::Unknown;
        let formless = records.iter().filter(is_formless).count();
        assert!(
            formless * 20 <= records.len(),
            "dmesg {arguments:?}: {formless} of {}",
            records.len()
        );
    }
}

#[test]
fn what_a_real_logger_sends_is_read_with_its_level_and_program() {
    for form in [
        &["--rfc3164"][..],
        &["--rfc5424"],
        &["--rfc5424=notime"],
        &["--rfc5424", "--octet-count"],
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let to = [
            "--server",
            "127.0.0.1",
            "--port",
            &port,
            "--tcp",
            "-p",
            "daemon.err",
            "-t",
            "smartd",
        ];
        if printed(
            "logger",
            &[&to[..], form, &["/dev/sda: FAILED SMART self-check"]].concat(),
        )
        .is_none()
        {
            continue;
        }
        let mut sent = Vec::new();
        listener.accept().unwrap().0.read_to_end(&mut sent).unwrap();
        let (records, warnings) = read(&sent);
        let [record] = &records[..] else {
            panic!("{form:?}: {records:?}")
        };
        assert_eq!(
            (&*record.program, &*record.text),
            ("smartd", "/dev/sda: FAILED SMART self-check"),
            "{form:?}"
        );
        assert_eq!(
            (record.priority, record.transport),
            (Some(3), Transport::Process),
            "{form:?}"
        );
        assert_eq!(
            warnings.is_empty(),
            form != ["--rfc5424=notime"],
            "{form:?}: {warnings:?}"
        );
    }
}

#[test]
fn what_a_real_rsyslogd_writes_is_read_with_its_host_and_program() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let forms = [
        "RSYSLOG_TraditionalFileFormat",
        "RSYSLOG_FileFormat",
        "RSYSLOG_SyslogProtocol23Format",
    ];
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let actions = forms
        .map(|form| {
            format!(
                "*.* action(type=\"omfile\" file=\"{}\" template=\"{form}\")\n",
                path(form)
            )
        })
        .concat();
    let settings = format!(
        "module(load=\"imtcp\")\ninput(type=\"imtcp\" address=\"127.0.0.1\" port=\"{port}\")\n{actions}"
    );
    fs::write(path("conf"), settings).unwrap();
    let daemon = Command::new("rsyslogd")
        .args(["-n", "-f", &path("conf"), "-i", &path("pid")])
        .stdin(Stdio::null())
        .spawn();
    let mut daemon = match daemon {
        Ok(daemon) => daemon,
        Err(error) => return skip(format_args!("rsyslogd: {error}")),
    };
    let until = |done: &dyn Fn() -> bool| {
        (0..600).any(|_| {
            done() || {
                std::thread::sleep(Duration::from_millis(100));
                false
            }
        })
    };
    let message =
        "<2>Nov 27 10:00:05 hv1 kernel: Out of memory: Killed process 17 (qemu-system-x86)\n";
    let sent = until(&|| {
        TcpStream::connect(("127.0.0.1", port))
            .is_ok_and(|mut to| to.write_all(message.as_bytes()).is_ok())
    });
    let written = sent
        && until(&|| {
            forms
                .iter()
                .all(|form| fs::metadata(path(form)).is_ok_and(|file| file.len() > 0))
        });
    daemon.kill().unwrap();
    daemon.wait().unwrap();
    assert!(written, "rsyslogd wrote nothing");
    for form in forms {
        let lines = fs::read(path(form)).unwrap();
        let (records, warnings) = read(&lines);
        let record = records.iter().find(|record| record.text == TEXT).unwrap();
        assert_eq!(
            (&*record.host, &*record.program),
            ("hv1", "kernel"),
            "{form}"
        );
        assert!(
            records
                .iter()
                .all(|record| !record.host.is_empty() && !record.program.is_empty()),
            "{form}: {records:?}"
        );
        assert!(warnings.is_empty(), "{form}: {warnings:?}");
    }
}
