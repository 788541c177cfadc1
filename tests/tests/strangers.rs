//! What strangers can make real programs log raises no alarm: user names at a real sshd, names that a real dnsmasq is asked for.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bellwether_tests::fluentbit::{FluentBit, find, free_port};
use bellwether_tests::skipped;
use bellwether_tests::testbed::plugin::Plugin;
use serde_json::{Value, json};

/// Names that read like failures of the host. sshd cuts them at slashes and colons, and its client refuses some punctuation; the
/// lexicon does without.
const NAMES: [&str; 6] = [
    "EXT4-fs error Remounting filesystem read-only",
    "Out of memory Killed process 4711 total-vm 8388608kB",
    "watchdog BUG soft lockup CPU stuck for 23s",
    "Kernel panic not syncing Fatal exception",
    "qemu-kvm invoked oom-killer",
    "OOM-killed",
];

/// What the same names are in the log of the kernel: failures, or this test could not fail.
const REAL: [&str; 3] = [
    "EXT4-fs error (device sda1): Remounting filesystem read-only",
    "watchdog: BUG: soft lockup - CPU#3 stuck for 23s!",
    "Kernel panic - not syncing: Fatal exception",
];

/// How long a program may take for its part.
const PATIENCE: Duration = Duration::from_secs(20);

/// A program whose standard error is read line by line. Dropping it kills it.
struct Logging {
    child: Child,
    lines: Receiver<String>,
}

impl Logging {
    fn start(command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let errors = child.stderr.take().context("it is piped")?;
        let (to, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(errors).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).trim_end().to_owned();
                if to.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, lines })
    }

    /// The lines up to one that holds `wanted`.
    fn until(&self, wanted: &str) -> Result<Vec<String>> {
        let end = Instant::now() + PATIENCE;
        let mut lines = Vec::new();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let line = self
                .lines
                .recv_timeout(left)
                .with_context(|| format!("no line has \"{wanted}\": {lines:#?}"))?;
            let done = line.contains(wanted);
            lines.push(line);
            if done {
                return Ok(lines);
            }
        }
    }
}

impl Drop for Logging {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program of this name in the usual folders.
fn program(name: &str) -> Option<String> {
    ["/usr/sbin", "/usr/bin", "/sbin", "/usr/local/sbin"]
        .map(|folder| format!("{folder}/{name}"))
        .into_iter()
        .find(|path| Path::new(path).exists())
}

/// The failures that the command reports for these lines of a program, as rsyslog writes them to a file.
fn replayed(program: &str, lines: &[String]) -> Result<Vec<Value>> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("messages.log");
    let mut log = String::new();
    for (i, line) in lines.iter().enumerate() {
        log += &format!(
            "2026-11-27T10:{:02}:{:02}Z hv1 {program}: {line}\n",
            i / 60 % 60,
            i % 60
        );
    }
    fs::write(&file, log)?;
    let command = Plugin::build()?.folder().join("bellwether");
    let output = Command::new(command)
        .args(["replay", "logs"])
        .arg(&file)
        .stdin(Stdio::null())
        .output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{errors}");
    let events = String::from_utf8(output.stdout)?;
    let events = events.lines().map(serde_json::from_str::<Value>);
    let events = events.collect::<Result<Vec<_>, _>>()?;
    Ok(events
        .into_iter()
        .filter(|event| event["event"] == "log_failure")
        .collect())
}

/// The failures that a real Fluent Bit reports for these lines as the journal has them; `None` where there is no Fluent Bit.
fn filtered(program: &str, lines: &[String]) -> Result<Option<Vec<Value>>> {
    let path = match find() {
        Ok(path) => path,
        Err(error) => {
            skipped(error);
            return Ok(None);
        }
    };
    let mut fluent_bit = FluentBit::prepare_program(path)?;
    let record = |text: &str, program: &str| {
        json!({"MESSAGE": text, "SYSLOG_IDENTIFIER": program, "_TRANSPORT": "syslog", "_HOSTNAME": "hv1"}).to_string()
    };
    let mut log: Vec<String> = lines.iter().map(|line| record(line, program)).collect();
    // The sentinel: a real failure, behind which nothing of the above can still come.
    log.push(json!({"MESSAGE": REAL[1], "_TRANSPORT": "kernel", "_HOSTNAME": "hv1"}).to_string());
    fs::write(fluent_bit.folder().join("in.log"), log.join("\n") + "\n")?;
    fs::write(
        fluent_bit.folder().join("parsers.conf"),
        "[PARSER]\n    name records\n    format json\n",
    )?;
    fluent_bit.start(
        "strangers.conf",
        "[SERVICE]\n    flush 0.2\n    grace 1\n    parsers_file @FOLDER@/parsers.conf\n\
         [INPUT]\n    name tail\n    path @FOLDER@/in.log\n    tag host.log\n    parser records\n    read_from_head on\n\
         [INPUT]\n    name bellwether\n    tag bellwether.events\n\
         [FILTER]\n    name bellwether\n    match host.*\n    training 0\n\
         [OUTPUT]\n    name file\n    match bellwether.*\n    path @FOLDER@\n    file events\n    format plain\n",
    )?;
    fluent_bit.wait("the sentinel's event", |f| !f.records("events").is_empty())?;
    let mut failures = fluent_bit.records("events");
    failures.retain(|event| event["program"] != "kernel" && event["family"] != "stall");
    Ok(Some(failures))
}

/// Neither the command nor a real Fluent Bit reports a failure for these lines, which hold the names.
fn assert_quiet(program: &str, lines: &[String]) -> Result<()> {
    let failures = replayed(program, lines)?;
    assert!(failures.is_empty(), "{failures:#?}");
    if let Some(failures) = filtered(program, lines)? {
        assert!(failures.is_empty(), "{failures:#?}");
    }
    Ok(())
}

#[test]
fn the_same_words_from_the_kernel_are_failures() -> Result<()> {
    for text in REAL {
        let failures = replayed("kernel", &[text.to_owned()])?;
        assert_eq!(failures.len(), 1, "{text}: {failures:#?}");
    }
    Ok(())
}

#[test]
fn user_names_at_a_real_sshd() -> Result<()> {
    let (Some(sshd), Some(ssh), Some(keygen)) =
        (program("sshd"), program("ssh"), program("ssh-keygen"))
    else {
        skipped("there is no sshd to attack: apt-get install openssh-server");
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let file = |name: &str| folder.path().join(name).display().to_string();
    // Where sshd, as root, gives up its privileges; the package's service makes it.
    let chroot = Path::new("/run/sshd");
    let made = !chroot.exists() && fs::create_dir(chroot).is_ok();
    let status = Command::new(keygen)
        .args(["-q", "-t", "ed25519", "-N", "", "-f", &file("key")])
        .status()?;
    ensure!(status.success(), "ssh-keygen: {status}");
    let port = free_port()?;
    fs::write(
        file("config"),
        format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {}\nPidFile none\nUsePAM no\nLogLevel VERBOSE\n\
             MaxStartups 100\nPerSourcePenalties no\n",
            file("key")
        ),
    )?;
    // Versions before 9.8 know no penalties.
    let check = Command::new(&sshd)
        .args(["-t", "-f", &file("config")])
        .output()?;
    if !check.status.success() {
        let config = fs::read_to_string(file("config"))?.replace("PerSourcePenalties no\n", "");
        fs::write(file("config"), config)?;
    }
    let server = Logging::start(Command::new(&sshd).args(["-D", "-e", "-f", &file("config")]))?;
    let mut lines = server.until("Server listening")?;
    for name in NAMES {
        Command::new(&ssh)
            .args([
                "-F",
                "none",
                "-o",
                "BatchMode=yes",
                "-o",
                "StrictHostKeyChecking=no",
            ])
            .args(["-o", &format!("UserKnownHostsFile={}", file("known"))])
            .args([
                "-o",
                "ConnectTimeout=10",
                "-p",
                &port.to_string(),
                "-l",
                name,
                "127.0.0.1",
                "true",
            ])
            .stdin(Stdio::null())
            .output()?;
        lines.extend(server.until(name)?);
    }
    for name in NAMES.iter().chain(&REAL) {
        let mut peer = TcpStream::connect(("127.0.0.1", port))?;
        peer.set_read_timeout(Some(PATIENCE))?;
        peer.write_all(format!("{name}\r\n").as_bytes())?;
        let _ = peer.read_to_end(&mut Vec::new());
    }
    lines.extend(
        server
            .until("banner exchange")
            .or_else(|_| server.until("Bad protocol"))?,
    );
    drop(server);
    if made {
        fs::remove_dir(chroot)?;
    }
    for name in NAMES {
        ensure!(
            lines.iter().any(|line| line.contains(name)),
            "{name}: {lines:#?}"
        );
    }
    assert_quiet("sshd[812]", &lines)
}

#[test]
fn names_that_a_real_dnsmasq_is_asked_for() -> Result<()> {
    let Some(dnsmasq) = program("dnsmasq") else {
        skipped("there is no dnsmasq to ask: apt-get install dnsmasq-base");
        return Ok(());
    };
    let port = free_port()?;
    let server = Logging::start(
        Command::new(dnsmasq)
            .args([
                "--no-daemon",
                "--no-resolv",
                "--no-hosts",
                "--log-queries",
                "--conf-file=/dev/null",
            ])
            .args([
                "--listen-address=127.0.0.1",
                "--bind-interfaces",
                "--user=root",
            ])
            .arg(format!("--port={port}")),
    )?;
    let mut lines = server.until("started")?;
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    for name in NAMES {
        // One label, as the resolver of a guest may ask; at most 63 bytes.
        let label = &name.as_bytes()[..name.len().min(63)];
        let mut query = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, label.len() as u8];
        query.extend(label);
        query.extend(b"\x07example\0\0\x01\0\x01");
        socket.send_to(&query, ("127.0.0.1", port))?;
    }
    // Names with odd characters are answered but logged as such, so a plain one comes last.
    socket.send_to(
        b"\0\x08\x01\0\0\x01\0\0\0\0\0\0\x0aOOM-killed\x07example\0\0\x01\0\x01",
        ("127.0.0.1", port),
    )?;
    lines.extend(server.until("query[A] OOM-killed.example from")?);
    drop(server);
    assert_quiet("dnsmasq[3]", &lines)
}
