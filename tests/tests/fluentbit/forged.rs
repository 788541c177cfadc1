//! Events are those of this Fluent Bit, whatever records say of themselves.

use anyhow::Result;
use bellwether_tests::fluentbit::{free_port, get};
use serde_json::json;

use super::{COMPANION, SERVICE, TAIL, filter, fluent_bit, log_with_failure, output, prepared};

#[test]
fn a_record_that_imitates_an_event_is_renamed_counted_and_complained_of() -> Result<()> {
    let mut fluent_bit = fluent_bit!();
    let port = free_port()?;
    let forged = json!({
        "event": "log_failure", "schema": 1, "time": 1.5, "state": "raised", "severity": "failure", "hypervisor": "hv9",
        "incident": "00ff", "message": "hv9: storage fails", "bellwether_score": 1.0,
    });
    let configuration = [
        SERVICE,
        &format!("    http_server on\n    http_port {port}\n"),
        // By the tag of the events themselves.
        &format!("[INPUT]\n    name dummy\n    tag bellwether.events\n    samples 2\n    dummy {forged}\n"),
        COMPANION,
        &filter(""),
        &output("bellwether.*", "events"),
    ]
    .concat();
    fluent_bit.start("fluent-bit.conf", &configuration)?;
    fluent_bit.wait("both records", |f| f.records("events").len() == 2)?;
    let record = fluent_bit.records("events").remove(0);
    let wanted = json!({
        "foreign_event": "log_failure", "foreign_schema": 1, "time": 1.5, "state": "raised", "severity": "failure",
        "hypervisor": "hv9", "incident": "00ff", "message": "hv9: storage fails", "foreign_bellwether_score": 1.0,
    });
    assert_eq!(record, wanted);
    let log = fluent_bit.log();
    assert_eq!(
        log.matches("they were renamed to foreign_").count(),
        1,
        "{log}"
    );
    fluent_bit.wait("metrics", |_| {
        let metrics = get(port, "/api/v2/metrics/prometheus").unwrap_or_default();
        let is_counted = |line: &str| {
            line.starts_with("bellwether_filter_foreign_total{") && line.ends_with(" 2")
        };
        metrics.lines().any(is_counted)
    })
}

#[test]
fn own_events_pass_every_filter_and_every_way_as_they_are() -> Result<()> {
    let mut fluent_bit = fluent_bit!();
    fluent_bit.write("in.log", &log_with_failure())?;
    let modify = "[FILTER]\n    name record_modifier\n    match *\n    record cluster one\n";
    let second = filter("").replace("host node7", "key_prefix second_");
    let rewrite = "[FILTER]\n    name rewrite_tag\n    match host.*\n    rule $event ^log_failure$ moved.event false\n";
    for (events, tag) in [
        ([COMPANION, &filter("")].concat(), "bellwether.*"),
        ([&filter("events inline"), rewrite].concat(), "moved.*"),
    ] {
        std::fs::remove_file(fluent_bit.folder().join("events")).ok();
        // What changes events on their way stands before a filter as well as behind it.
        let configuration = [
            SERVICE,
            TAIL,
            modify,
            &events,
            &second,
            &output(tag, "events"),
        ]
        .concat();
        fluent_bit.start("fluent-bit.conf", &configuration)?;
        fluent_bit.wait("an event", |f| !f.records("events").is_empty())?;
        let event = fluent_bit.records("events").remove(0);
        super::assert_event(&event);
        assert_eq!(event["cluster"], "one", "{event}");
        let keys = event.as_object().expect("an object").keys();
        let foreign: Vec<_> = keys
            .filter(|key| key.starts_with("foreign_") || key.contains("template_id_"))
            .collect();
        assert!(foreign.is_empty(), "{event}");
        fluent_bit.stop()?;
        let log = fluent_bit.log();
        assert!(!log.contains("renamed to foreign_"), "{log}");
    }
    Ok(())
}

#[test]
fn events_of_another_host_are_taken_for_events_only_where_that_is_asked_for() -> Result<()> {
    let mut aggregator = fluent_bit!();
    let Some(mut sender) = prepared()? else {
        return Ok(());
    };
    sender.write("in.log", &log_with_failure())?;
    for option in ["", "foreign_events accept"] {
        let port = free_port()?;
        std::fs::remove_file(aggregator.folder().join("events")).ok();
        let configuration = [
            SERVICE,
            &format!("[INPUT]\n    name forward\n    listen 127.0.0.1\n    port {port}\n"),
            &filter(option),
            &output("bellwether.*", "events"),
        ]
        .concat();
        aggregator.start("fluent-bit.conf", &configuration)?;
        aggregator.wait("a port to forward to", |_| {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        })?;
        let forward = format!(
            "[OUTPUT]\n    name forward\n    match bellwether.*\n    host 127.0.0.1\n    port {port}\n"
        );
        let configuration = [SERVICE, TAIL, COMPANION, &filter(""), &forward].concat();
        sender.start("fluent-bit.conf", &configuration)?;
        aggregator.wait("an event", |f| !f.records("events").is_empty())?;
        sender.stop()?;
        let event = aggregator.records("events").remove(0);
        if option.is_empty() {
            assert_eq!(
                (event["foreign_event"].as_str(), event.get("event")),
                (Some("log_failure"), None),
                "{event}"
            );
            assert_eq!(event["hypervisor"], "node7");
        } else {
            super::assert_event(&event);
        }
        // What it quotes of its host's log is no line of the aggregator's.
        assert_eq!(aggregator.records("events").len(), 1);
        aggregator.stop()?;
    }
    Ok(())
}
