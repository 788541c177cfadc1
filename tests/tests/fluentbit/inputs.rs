//! What the inputs of a real Fluent Bit give is read without an option: the text, the host, the program and the level.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use bellwether_tests::fluentbit::{FluentBit, free_port};
use bellwether_tests::skipped;
use serde_json::{Value, json};

use super::{COMPANION, FAILING, SERVICE, fluent_bit, output};

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

#[test]
fn records_as_they_are_recorded_of_many_inputs() -> Result<()> {
    let mut fluent_bit = fluent_bit!();
    let none = json!({});
    let kubernetes = json!({"pod_name": "db-0", "container_name": "postgres", "host": "hv1"});
    let application = json!({"level": "error", "hostname": "db-0", "msg": FAILING}).to_string();
    for (record, metadata, wanted) in [
        (
            json!({"priority": 3, "sequence": 4711, "sec": 12, "usec": 345, "msg": FAILING}),
            &none,
            json!({"hypervisor": "node7", "program": "kernel", "tag": "host.log"}),
        ),
        (
            json!({"MESSAGE": FAILING, "PRIORITY": "3", "HOSTNAME": "hv1", "SYSLOG_IDENTIFIER": "smartd",
                   "SYSTEMD_UNIT": "smartd.service"}),
            &none,
            json!({"hypervisor": "hv1", "program": "smartd", "unit": "smartd.service"}),
        ),
        (
            json!({"log": format!("2024-02-05T12:39:46.25Z stderr F {application}"), "kubernetes": kubernetes}),
            &none,
            json!({"hypervisor": "hv1", "program": "postgres", "unit": "db-0"}),
        ),
        (
            json!({"log": json!({"log": application, "stream": "stdout"}).to_string(), "hostname": "hv1"}),
            &none,
            json!({"hypervisor": "hv1", "program": null}),
        ),
        (
            json!({"log_processed": {"level": "error", "message": FAILING}, "kubernetes": kubernetes}),
            &none,
            json!({"hypervisor": "hv1", "program": "postgres"}),
        ),
        (
            json!({"log": FAILING, "host": "hv1"}),
            &json!({"otlp": {"severity_number": 17}}),
            json!({"hypervisor": "hv1"}),
        ),
    ] {
        for file in ["out", "events"] {
            std::fs::remove_file(fluent_bit.folder().join(file)).ok();
        }
        let configuration = [SERVICE, &dummy(&record, metadata), &rest()].concat();
        fluent_bit.start("fluent-bit.conf", &configuration)?;
        assert_told(&mut fluent_bit, &wanted)?;
        let event = &fluent_bit.records("events")[0];
        assert_eq!(event["sample"], FAILING, "{record}");
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
        for file in ["out", "events"] {
            std::fs::remove_file(fluent_bit.folder().join(file)).ok();
        }
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

#[test]
fn a_file_of_rsyslogs_is_read_with_a_parser_and_without() -> Result<()> {
    let mut fluent_bit = fluent_bit!();
    fluent_bit.write(
        "parsers.conf",
        "[PARSER]\n    name syslog\n    format regex\n    regex ^(?<time>\\w+ +\\d+ [\\d:]+) (?<host>\\S+) (?<ident>[^ :\\[]+)(\\[(?<pid>\\d+)\\])?: (?<message>.*)$\n",
    )?;
    for (stamp, parser) in [
        ("Oct  3 22:14:15", ""),
        ("2024-02-05T12:39:46.250000+00:00", ""),
        ("Oct  3 22:14:15", "    parser syslog\n"),
    ] {
        for file in ["out", "events"] {
            std::fs::remove_file(fluent_bit.folder().join(file)).ok();
        }
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
        let wanted =
            json!({"hypervisor": "hv1", "program": "kernel", "sample": FAILING, "tag": "host.log"});
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
