//! What the inputs of a real Fluent Bit give is read without an option: the text, the host, the program and the level.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use bellwether_tests::fluentbit::{FluentBit, free_port, get};
use bellwether_tests::skipped;
use serde_json::{Value, json};

use super::{COMPANION, FAILING, PARSERS, SERVICE, fluent_bit, output};

const FILTER: &str = "[FILTER]\n    name bellwether\n    match *\n    host node7\n    training 0\n";

/// What comes behind the inputs under test.
fn rest() -> String {
    [
        COMPANION,
        FILTER,
        &output("host.*", "out"),
        &output("bellwether.*", "events"),
    ]
    .concat()
}

/// Waits for the one event, and checks what it says of its record.
fn assert_told(fluent_bit: &mut FluentBit, wanted: &Value) -> Result<()> {
    fluent_bit.wait("an event", |f| !f.records("events").is_empty())?;
    let event = fluent_bit.records("events").remove(0);
    for (key, value) in wanted.as_object().context("an object is wanted")? {
        assert_eq!(event[key], *value, "{key} of {event}");
    }
    Ok(())
}

/// One record of the input `dummy`.
fn dummy(record: &Value, metadata: &Value) -> String {
    format!(
        "[INPUT]\n    name dummy\n    tag host.log\n    samples 1\n    dummy {record}\n    metadata {metadata}\n"
    )
}

/// What smartd says of a disk that fails.
const SMARTD: &str = "Device: /dev/sda [SAT], FAILED SMART self-check. BACK UP DATA NOW!";

/// Removes what the outputs have written.
fn forget(fluent_bit: &FluentBit) {
    for file in ["out", "events"] {
        std::fs::remove_file(fluent_bit.folder().join(file)).ok();
    }
}

#[test]
fn records_as_they_are_recorded_of_many_inputs() -> Result<()> {
    let mut fluent_bit = fluent_bit!();
    let none = json!({});
    for (record, metadata, wanted) in [
        (
            json!({"priority": 3, "sequence": 4711, "sec": 12, "usec": 345, "msg": FAILING}),
            &none,
            json!({"hypervisor": "node7", "program": "kernel", "tag": "host.log", "sample": FAILING}),
        ),
        (
            json!({"MESSAGE": FAILING, "PRIORITY": "3", "HOSTNAME": "hv1", "TRANSPORT": "kernel",
                   "SYSLOG_IDENTIFIER": "kernel"}),
            &none,
            json!({"hypervisor": "hv1", "program": "kernel", "unit": null, "sample": FAILING}),
        ),
        (
            json!({"MESSAGE": SMARTD, "PRIORITY": "2", "_HOSTNAME": "hv1", "SYSLOG_IDENTIFIER": "smartd", "_TRANSPORT": "syslog",
                   "_SYSTEMD_UNIT": "smartmontools.service", "_UID": "0", "_COMM": "smartd"}),
            &none,
            json!({"hypervisor": "hv1", "program": "smartd", "unit": "smartmontools.service", "sample": SMARTD}),
        ),
        (
            json!({"log": SMARTD, "host": "hv1", "ident": "smartd"}),
            &json!({"otlp": {"severity_number": 17}}),
            json!({"hypervisor": "hv1", "program": "smartd", "sample": SMARTD}),
        ),
    ] {
        forget(&fluent_bit);
        let configuration = [SERVICE, &dummy(&record, metadata), &rest()].concat();
        fluent_bit.start("fluent-bit.conf", &configuration)?;
        assert_told(&mut fluent_bit, &wanted)?;
        fluent_bit.stop()?;
    }
    Ok(())
}

/// A line of a container's log as its runtime writes it, by the name of the runtime.
fn written_by(runtime: &str, said: &str) -> String {
    match runtime {
        "cri" => format!("2024-02-05T12:39:46.25Z stderr F {said}\n"),
        _ => {
            let line = json!({"log": format!("{said}\n"), "stream": "stderr", "time": "2024-02-05T12:39:46.25Z"});
            format!("{line}\n")
        }
    }
}

#[test]
fn the_logs_of_containers_are_read_with_and_without_what_takes_them_apart() -> Result<()> {
    let mut fluent_bit = fluent_bit!();
    let folder = fluent_bit.folder().join("meta");
    std::fs::create_dir(&folder)?;
    for pod in ["db-0", "db-1"] {
        let of_server = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": pod, "namespace": "default", "uid": "u"},
            "spec": {"nodeName": "hv1", "containers": [{"name": "postgres", "image": "i"}]}, "status": {"containerStatuses": []},
        });
        std::fs::write(
            folder.join(format!("default_{pod}.meta")),
            of_server.to_string(),
        )?;
    }
    for (runtime, parser, kubernetes) in [
        ("cri", "", None),
        ("docker", "", None),
        ("cri", "    multiline.parser cri\n", None),
        ("docker", "    multiline.parser docker\n", None),
        ("cri", "    multiline.parser cri\n", Some("merge_log off")),
        ("cri", "    multiline.parser cri\n", Some("merge_log on")),
        (
            "docker",
            "    multiline.parser docker\n",
            Some("merge_log on\n    keep_log off"),
        ),
        (
            "docker",
            "    multiline.parser docker\n",
            Some("merge_log on\n    merge_log_key log_processed\n    keep_log off"),
        ),
    ] {
        forget(&fluent_bit);
        let port = free_port()?;
        let mut configuration = [
            SERVICE,
            &format!("    http_server on\n    http_port {port}\n"),
        ]
        .concat();
        for pod in ["db-0", "db-1"] {
            let said = json!({"level": "error", "hostname": pod, "_TRANSPORT": "kernel", "msg": "checkpoint 7 took 9 s"});
            let name = format!("{pod}_default_postgres-{:064}.log", 7);
            fluent_bit.write(&name, &written_by(runtime, &said.to_string()))?;
            configuration += &format!(
                "[INPUT]\n    name tail\n    path @FOLDER@/{name}\n    tag kube.{name}\n    read_from_head on\n{parser}"
            );
        }
        if let Some(merge) = kubernetes {
            configuration += &format!(
                "[FILTER]\n    name kubernetes\n    match kube.*\n    kube_tag_prefix kube.\n    kube_url http://127.0.0.1:1\n    \
                 kube_meta_preload_cache_dir @FOLDER@/meta\n    {merge}\n"
            );
        }
        configuration += &[COMPANION, FILTER, &output("kube.*", "out")].concat();
        fluent_bit.start("fluent-bit.conf", &configuration)?;
        fluent_bit.wait("both records", |f| f.records("out").len() == 2)?;
        for record in fluent_bit.records("out") {
            let template = record["bellwether_template"].as_str().unwrap_or_default();
            assert!(
                template.starts_with("checkpoint "),
                "{kubernetes:?} {record}"
            );
            let node = record["kubernetes"]["host"].as_str();
            assert_eq!(node, kubernetes.map(|_| "hv1"), "{record}");
        }
        // Both pods are of the same host.
        if kubernetes.is_some() {
            let mut metrics = String::new();
            fluent_bit.wait("metrics", |_| {
                metrics = get(port, "/api/v2/metrics/prometheus").unwrap_or_default();
                metrics.contains("bellwether_filter_records_total{name=\"bellwether.0\"} 2")
                    || metrics.lines().any(|l| {
                        l.starts_with("bellwether_filter_records_total") && l.ends_with(" 2")
                    })
            })?;
            let streams = metrics
                .lines()
                .find(|l| l.starts_with("bellwether_filter_streams{"));
            assert!(streams.is_some_and(|l| l.ends_with(" 1")), "{metrics}");
        }
        fluent_bit.stop()?;
    }
    Ok(())
}

#[test]
fn the_input_syslog_is_read_over_the_network_and_over_a_socket() -> Result<()> {
    let mut fluent_bit = fluent_bit!();
    fluent_bit.write("parsers.conf", PARSERS)?;
    for (mode, line, hypervisor) in [
        (
            "udp",
            format!("<27>Oct  3 22:14:15 hv1 smartd[17]: {SMARTD}"),
            "hv1",
        ),
        (
            "tcp",
            format!("<27>Oct  3 22:14:15 hv1 smartd[17]: {SMARTD}\n"),
            "hv1",
        ),
        // As programs write to /dev/log.
        (
            "unix_udp",
            format!("<27>Oct  3 22:14:15 smartd[17]: {SMARTD}"),
            "node7",
        ),
    ] {
        forget(&fluent_bit);
        let port = free_port()?;
        let socket = fluent_bit.folder().join("socket");
        let input = format!(
            "    parsers_file @FOLDER@/parsers.conf\n[INPUT]\n    name syslog\n    tag host.log\n    mode {mode}\n    \
             listen 127.0.0.1\n    port {port}\n    path @FOLDER@/socket\n    unix_perm 0666\n    parser bellwether-syslog\n"
        );
        fluent_bit.start("fluent-bit.conf", &[SERVICE, &input, &rest()].concat())?;
        // Until it listens.
        fluent_bit.wait("a record", |f| {
            let sent = match mode {
                "udp" => std::net::UdpSocket::bind("127.0.0.1:0")
                    .and_then(|from| from.send_to(line.as_bytes(), ("127.0.0.1", port))),
                "tcp" => TcpStream::connect(("127.0.0.1", port))
                    .and_then(|mut stream| stream.write(line.as_bytes())),
                _ => {
                    UnixDatagram::unbound().and_then(|from| from.send_to(line.as_bytes(), &socket))
                }
            };
            std::thread::sleep(std::time::Duration::from_millis(300));
            sent.is_ok() && !f.records("out").is_empty()
        })?;
        let wanted = json!({"hypervisor": hypervisor, "program": "smartd", "sample": SMARTD});
        assert_told(&mut fluent_bit, &wanted)?;
        fluent_bit.stop()?;
    }
    Ok(())
}

/// The program that writes a journal from the form in which it is exported.
const JOURNAL_REMOTE: &str = "/lib/systemd/systemd-journal-remote";

/// Writes a journal with one record of the kernel's, in the folder `journal`.
fn write_journal(fluent_bit: &FluentBit) -> Result<()> {
    let folder = fluent_bit.folder().join("journal");
    std::fs::create_dir_all(&folder)?;
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let exported = format!(
        "__REALTIME_TIMESTAMP={}\n__MONOTONIC_TIMESTAMP=1000000\n_BOOT_ID={:032x}\n_MACHINE_ID={:032x}\n_HOSTNAME=hv1\n\
         _TRANSPORT=kernel\nPRIORITY=3\nSYSLOG_IDENTIFIER=kernel\nMESSAGE={FAILING}\n\n",
        since.as_micros(),
        1,
        2
    );
    let exported = fluent_bit.write("exported", &exported)?;
    let ran = Command::new(JOURNAL_REMOTE)
        .arg("-o")
        .arg(folder.join("system.journal"))
        .arg(exported)
        .output()?;
    ensure!(ran.status.success(), "{ran:?}");
    Ok(())
}

#[test]
fn the_journal_is_read_with_its_underscores_and_without() -> Result<()> {
    let mut fluent_bit = fluent_bit!();
    if !std::path::Path::new(JOURNAL_REMOTE).is_file() {
        skipped(format!(
            "there is no {JOURNAL_REMOTE} to write a journal with"
        ));
        return Ok(());
    }
    if !fluent_bit.run(&["-i", "systemd", "-h"])?.0 {
        skipped("this Fluent Bit is built without the input systemd");
        return Ok(());
    }
    write_journal(&fluent_bit)?;
    for names in [
        "strip_underscores off",
        "strip_underscores on",
        "lowercase on",
    ] {
        forget(&fluent_bit);
        let input = format!(
            "[INPUT]\n    name systemd\n    tag host.log\n    path @FOLDER@/journal\n    read_from_tail off\n    {names}\n"
        );
        fluent_bit.start("fluent-bit.conf", &[SERVICE, &input, &rest()].concat())?;
        assert_told(
            &mut fluent_bit,
            &json!({"hypervisor": "hv1", "program": "kernel", "sample": FAILING}),
        )?;
        fluent_bit.stop()?;
    }
    Ok(())
}

/// Runs a journald of its own, in which root and a user call themselves the kernel: by `logger`, and by fields of their own; its
/// journal is then in the folder `journal`.
const JOURNALD: &str = r#"
set -eu
mount -t tmpfs none /run
mkdir -p /run/systemd/journal /run/log/journal
/lib/systemd/systemd-journald &
journald=$!
socket=/run/systemd/journal
for _ in $(seq 100); do [ -S $socket/dev-log ] && [ -S $socket/socket ] && break; sleep 0.1; done
logger -u $socket/dev-log -t kernel "$1"
setpriv --reuid 1000 --clear-groups logger -u $socket/dev-log -t kernel "$1"
printf 'MESSAGE=%s\nSYSLOG_IDENTIFIER=kernel\nTRANSPORT=kernel\n_TRANSPORT=kernel\nUID=0\n' "$1" |
  setpriv --reuid 1000 --clear-groups logger --journald --socket-errors=off || true
sleep 1
kill $journald
wait $journald || true
mkdir journal
cp -r /run/log/journal/*/* journal
"#;

#[test]
fn nobody_who_calls_himself_the_kernel_is_it_to_a_real_journald() -> Result<()> {
    let mut fluent_bit = fluent_bit!();
    if !fluent_bit.run(&["-i", "systemd", "-h"])?.0 {
        skipped("this Fluent Bit is built without the input systemd");
        return Ok(());
    }
    let ran = Command::new("unshare")
        .args(["-m", "sh", "-c", JOURNALD, "sh", FAILING])
        .current_dir(fluent_bit.folder())
        .output();
    if !ran.as_ref().is_ok_and(|ran| ran.status.success()) {
        skipped(format!("no journald can be run here: {ran:?}"));
        return Ok(());
    }
    for names in [
        "strip_underscores off",
        "strip_underscores on",
        "lowercase on",
    ] {
        forget(&fluent_bit);
        let input = format!(
            "[INPUT]\n    name systemd\n    tag host.log\n    path @FOLDER@/journal\n    read_from_tail off\n    {names}\n"
        );
        let configuration = [SERVICE, &input, &rest()]
            .concat()
            .replace("training 0", "training 0\n    debug on");
        fluent_bit.start("fluent-bit.conf", &configuration)?;
        let is_forged = |record: &&Value| {
            ["MESSAGE", "message"]
                .iter()
                .any(|key| record[key] == FAILING)
        };
        let forged = |f: &FluentBit| f.records("out").iter().filter(is_forged).count();
        fluent_bit.wait("the forged records", |f| forged(f) >= 2)?;
        fluent_bit.stop()?;
        let log = fluent_bit.log();
        let of_kernel = log
            .lines()
            .find(|l| l.contains(FAILING) && !l.contains(" by Process: "));
        assert_eq!(of_kernel, None, "{names}");
    }
    Ok(())
}

#[test]
fn a_file_of_rsyslogs_is_read_with_the_parsers_that_are_installed_and_without() -> Result<()> {
    let mut fluent_bit = fluent_bit!();
    fluent_bit.write("parsers.conf", PARSERS)?;
    let rsyslog = "    parser bellwether-rsyslog\n";
    for (stamp, parser) in [
        ("Oct  3 22:14:15", ""),
        ("2024-02-05T12:39:46.250000+00:00", ""),
        ("Oct  3 22:14:15", "    parser bellwether-syslog\n"),
        ("<3>Oct  3 22:14:15", "    parser bellwether-syslog\n"),
        ("2024-02-05T12:39:46.250000+00:00", rsyslog),
        ("2024-02-05T13:39:46.250000+01:00", rsyslog),
        ("<3>2024-02-05T12:39:46.250000+00:00", rsyslog),
        // A line of another form passes a parser as it is.
        ("Oct  3 22:14:15", rsyslog),
    ] {
        forget(&fluent_bit);
        fluent_bit.write("in.log", &format!("{stamp} hv1 kernel: {FAILING}\n"))?;
        let configuration = [
            SERVICE,
            "    parsers_file @FOLDER@/parsers.conf\n",
            super::TAIL,
            parser,
            &rest(),
        ]
        .concat();
        fluent_bit.start("fluent-bit.conf", &configuration)?;
        let mut wanted =
            json!({"hypervisor": "hv1", "program": "kernel", "sample": FAILING, "tag": "host.log"});
        if parser == rsyslog && stamp.contains('T') {
            // The time of the line, and not that of reading it.
            wanted["time"] = json!(1_707_136_786.25);
        }
        assert_told(&mut fluent_bit, &wanted)?;
        fluent_bit.stop()?;
    }
    Ok(())
}

/// Posts JSON; the status of the answer.
fn post(port: u16, path: &str, body: &str) -> Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = [0; 64];
    let length = stream.read(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
}

#[test]
fn otlp_is_read_with_the_host_of_its_resource() -> Result<()> {
    let mut fluent_bit = fluent_bit!();
    let port = free_port()?;
    let input = format!(
        "[INPUT]\n    name opentelemetry\n    tag host.otlp\n    listen 127.0.0.1\n    port {port}\n    tag_from_uri off\n"
    );
    let configuration = [SERVICE, &input, &rest()].concat();
    fluent_bit.start("fluent-bit.conf", &configuration)?;
    let attribute = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let record = |body: Value| json!({"timeUnixNano": "1700000000000000000", "severityNumber": 17, "body": body});
    let body = json!({"resourceLogs": [{
        "resource": {"attributes": [attribute("service.name", "smartd"), attribute("host.name", "hv1")]},
        "scopeLogs": [{"scope": {}, "logRecords": [
            record(json!({"kvlistValue": {"values": [attribute("host", "db"), attribute("message", "all is well")]}})),
            record(json!({"stringValue": FAILING})),
        ]}],
    }]})
    .to_string();
    let mut last = String::new();
    let posted = fluent_bit.wait("an answer to the post", |_| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        last = post(port, "/v1/logs", &body).unwrap_or_else(|error| error.to_string());
        last.starts_with("HTTP/1.1 2")
    });
    if fluent_bit.log().contains("no such plugin") || fluent_bit.log().contains("not found") {
        skipped("this Fluent Bit has no input opentelemetry");
        return Ok(());
    }
    posted.with_context(|| last.clone())?;
    let wanted =
        json!({"hypervisor": "hv1", "program": "smartd", "tag": "host.otlp", "sample": FAILING});
    assert_told(&mut fluent_bit, &wanted)?;
    fluent_bit.wait("both records", |f| f.records("out").len() == 2)?;
    let records = fluent_bit.records("out");
    ensure!(
        records.iter().all(|r| r["bellwether_template_id"].is_u64()),
        "{records:?}"
    );
    Ok(())
}

#[test]
fn the_kernels_ring_buffer_of_this_machine_is_read() -> Result<()> {
    let mut fluent_bit = fluent_bit!();
    // Each read is a record; the first of an empty buffer would wait.
    let readable = Command::new("dmesg").output();
    if !readable.is_ok_and(|ran| ran.status.success() && ran.stdout.len() > 1000) {
        skipped("the kernel's ring buffer cannot be read here");
        return Ok(());
    }
    let input = "[INPUT]\n    name kmsg\n    tag host.kmsg\n";
    let configuration = [SERVICE, input, &rest()].concat();
    fluent_bit.start("fluent-bit.conf", &configuration)?;
    fluent_bit.wait("records", |f| f.records("out").len() >= 10)?;
    let records = fluent_bit.records("out");
    let read = |record: &&Value| record["bellwether_template_id"].is_u64();
    let with_text = |record: &&Value| {
        record["msg"]
            .as_str()
            .is_some_and(|msg| !msg.trim().is_empty())
    };
    assert_eq!(
        records.iter().filter(read).count(),
        records.iter().filter(with_text).count(),
        "{:?}",
        records[0]
    );
    Ok(())
}
