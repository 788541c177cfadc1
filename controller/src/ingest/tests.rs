use bellwether_core::event::EventKind;
use serde_json::{Value, json};

use super::*;

const EVENT: &str = r#"{"event":"hypervisor_silence","schema":1,"time":1050.0,"state":"raised","severity":"warning","hypervisor":"hv1","score":0.0,"message":"m","since":990.0,"incident":"a92e671d4e2f0d29a3328573f3d70aaa","vms":5}"#;

fn now() -> Time {
    Time::from_secs(2e9)
}

fn json_head() -> Head<'static> {
    Head {
        content_type: "application/json",
        ..Head::default()
    }
}

fn take(body: &str) -> Result<Batch, Refusal> {
    parse(&json_head(), body.as_bytes(), now(), 300.0)
}

fn refusal(body: &str) -> Refusal {
    take(body).unwrap_err()
}

/// The events that the book shows.
fn documented() -> Vec<Event> {
    let book = include_str!("../../../docs/events.md");
    let blocks = book.split("```json\n").skip(1);
    let blocks = blocks.map(|block| block.split("```").next().unwrap());
    let events = blocks.filter(|block| !block.contains("log_question"));
    events
        .map(|block| serde_json::from_str(block).unwrap())
        .collect()
}

#[test]
fn an_object_an_array_and_lines_of_json_give_the_same_event() {
    let one = take(EVENT).unwrap().events;
    assert_eq!(one.len(), 1);
    assert_eq!(take(&format!("[{EVENT}]")).unwrap().events, one);
    let two = [one.clone(), one].concat();
    for body in [
        format!("[{EVENT},{EVENT}]"),
        format!("{EVENT}\n{EVENT}\n"),
        format!("{EVENT}\r\n\r\n{EVENT}"),
        format!("{EVENT}{EVENT}"),
    ] {
        assert_eq!(take(&body).unwrap().events, two, "{body}");
    }
}

#[test]
fn fluent_bit_may_add_a_date_of_its_own() {
    let dated = EVENT.replacen('{', "{\"date\":1700000000.5,", 1);
    let batch = take(&format!("[{dated}]")).unwrap();
    assert_eq!(batch.events, take(EVENT).unwrap().events);
}

#[test]
fn every_documented_event_survives_collectds_form_in_which_all_values_are_texts() {
    let events = documented();
    assert!(events.len() >= 8, "{}", events.len());
    for event in events {
        let mut annotations = serde_json::Map::new();
        for field in event.fields() {
            let text = match field.value {
                bellwether_core::event::FieldValue::Text(text) => text,
                bellwether_core::event::FieldValue::Number(number) => number.to_string(),
                bellwether_core::event::FieldValue::Integer(count) => count.to_string(),
                bellwether_core::event::FieldValue::Flag(flag) => flag.to_string(),
            };
            let key = match field.key {
                "message" => "summary",
                key => key,
            };
            annotations.insert(key.into(), text.into());
        }
        let alert = json!([{
            "labels": {
                "alertname": format!("collectd_bellwether_{}", event.kind().as_str()),
                "instance": event.hypervisor(),
                "severity": "WARNING",
                "service": "collectd",
            },
            "annotations": annotations,
            "startsAt": "2026-01-05T08:53:38.561Z",
        }]);
        let batch = take(&alert.to_string());
        if event.hypervisor().is_empty() {
            // What is about all hosts has no name, and is taken in nevertheless.
            assert_eq!(batch.unwrap().events.len(), 1);
            continue;
        }
        assert_eq!(batch.unwrap().events, [event]);
    }
}

#[test]
fn collectds_exec_form_gives_the_event_of_its_headers() {
    let text = "Severity: WARNING\nTime: 1050.000\nHost: hv1\nPlugin: bellwether\nType: hypervisor_silence\n\
        event: hypervisor_silence\nschema: 1\ntime: 1050\nstate: raised\nseverity: warning\nhypervisor: hv1\nscore: 0\nsince: 990\n\
        incident: a92e671d4e2f0d29a3328573f3d70aaa\nvms: 5\n\nm\n";
    assert_eq!(take(text).unwrap().events, take(EVENT).unwrap().events);
    // A notification of another plugin does not concern the controller.
    let other = "Severity: FAILURE\nTime: 1.0\nHost: h\nPlugin: load\n\nload is high\n";
    let batch = take(other).unwrap();
    assert_eq!((batch.events.len(), batch.ignored), (0, 1));
    let broken = refusal("Severity: FAILURE\nnonsense\n\nm");
    assert!(broken.message.contains("nonsense"), "{broken}");
}

fn webhook(status: &str, labels: &Value, annotations: &Value) -> String {
    json!({
        "version": "4", "groupKey": "{}:{}", "status": status, "receiver": "bellwether",
        "alerts": [{
            "status": status, "labels": labels, "annotations": annotations,
            "startsAt": "2026-01-05T08:53:38.561Z", "endsAt": "2026-01-05T09:53:38.561Z", "fingerprint": "c1",
        }],
    })
    .to_string()
}

#[test]
fn a_rule_of_prometheus_gives_an_event_that_moves_nothing_by_itself() {
    let labels = json!({ "alertname": "HypervisorAnomaly", "bellwether": "hv1", "event": "hypervisor_anomaly" });
    let text = json!({ "summary": "hv1 is probably failing" });
    let raised = take(&webhook("firing", &labels, &text)).unwrap().events;
    assert_eq!(raised[0].kind(), EventKind::HypervisorAnomaly);
    assert_eq!(raised[0].hypervisor(), "hv1");
    assert!(raised[0].is_provisional());
    assert_eq!(raised[0].message, "hv1 is probably failing");
    let cleared = take(&webhook("resolved", &labels, &text)).unwrap().events;
    assert_eq!(cleared[0].incident, raised[0].incident);
    assert_eq!(cleared[0].state.as_str(), "cleared");
    let log = json!({ "alertname": "HostFailing", "instance": "hv1", "event": "log_failure" });
    let log = take(&webhook("firing", &log, &text)).unwrap().events;
    assert!(!log[0].log_failure().unwrap().trusted);
}

#[test]
fn alerts_of_others_are_ignored_and_one_without_a_host_is_refused() {
    let other = json!({ "alertname": "DiskFull", "instance": "hv1" });
    let batch = take(&webhook("firing", &other, &json!({}))).unwrap();
    assert_eq!((batch.events.len(), batch.ignored), (0, 1));
    let nameless = json!({ "event": "hypervisor_anomaly" });
    let refused = refusal(&webhook("firing", &nameless, &json!({})));
    assert!(refused.message.contains("names no host"), "{refused}");
    let version = refusal(r#"{"version":"3","alerts":[]}"#);
    assert!(version.message.contains("it takes \"4\""), "{version}");
}

#[test]
fn cloud_events_are_taken_in_in_all_three_forms() {
    let wanted = take(EVENT).unwrap().events;
    let data: Value = serde_json::from_str(EVENT).unwrap();
    let structured = json!({
        "specversion": "1.0", "type": "bellwether.event", "source": "/hv1", "id": "1", "data": data,
    });
    assert_eq!(take(&structured.to_string()).unwrap().events, wanted);
    let batch = take(&json!([structured, structured]).to_string()).unwrap();
    assert_eq!(batch.events.len(), 2);
    let binary = Head {
        cloud_event: Some("1.0"),
        ..json_head()
    };
    let binary = parse(&binary, EVENT.as_bytes(), now(), 300.0).unwrap();
    assert_eq!(binary.events, wanted);
}

#[test]
fn a_cloud_event_without_usable_data_is_refused_with_what_it_takes() {
    for (body, part) in [
        (r#"{"specversion":"0.3","data":{}}"#, "it takes \"1.0\""),
        (r#"{"specversion":"1.0"}"#, "has no \"data\""),
        (
            r#"{"specversion":"1.0","data_base64":"e30="}"#,
            "data_base64",
        ),
        (r#"{"specversion":"1.0","data":"{"}"#, "is not JSON"),
    ] {
        let refused = refusal(body);
        assert_eq!(refused.status, 422);
        assert!(refused.message.contains(part), "{body}: {refused}");
    }
}

#[test]
fn what_is_no_event_is_refused_with_the_reason() {
    for (body, status, part) in [
        ("", 400, "is empty"),
        ("{", 400, "is not JSON"),
        ("hello", 400, "is not JSON"),
        ("7", 422, "a number is not an event"),
        ("[[1]]", 422, "an array within an array"),
        ("{}", 422, "no key \"event\""),
        (r#"{"event":7}"#, 422, "\"event\" is not a text"),
        (
            r#"{"event":"hypervisor_anomally"}"#,
            422,
            "did you mean \"hypervisor_anomaly\"?",
        ),
        (
            r#"{"event":"hypervisor_silence","time":1}"#,
            422,
            "is not valid",
        ),
        (
            r#"[{"values":[1],"dstypes":["gauge"],"dsnames":["value"]}]"#,
            422,
            "Metrics false",
        ),
        (r#"[{"labels":7}]"#, 422, "\"labels\" is not an object"),
        (r#"{"alerts":7}"#, 422, "\"alerts\" is not an array"),
    ] {
        let refused = refusal(body);
        assert_eq!(refused.status, status, "{body}: {refused}");
        assert!(refused.message.contains(part), "{body}: {refused}");
    }
    let invalid = parse(&json_head(), b"\xff\xfe", now(), 300.0).unwrap_err();
    assert!(invalid.message.contains("UTF-8"), "{invalid}");
}

#[test]
fn a_media_type_or_coding_that_is_not_read_is_refused() {
    let packed = Head {
        content_type: "application/msgpack",
        ..Head::default()
    };
    let refused = parse(&packed, b"x", now(), 300.0).unwrap_err();
    assert_eq!(refused.status, 415);
    let coded = Head {
        content_encoding: "gzip",
        ..json_head()
    };
    let refused = parse(&coded, b"x", now(), 300.0).unwrap_err();
    assert!(refused.message.contains("uncompressed"), "{refused}");
}

#[test]
fn a_time_in_the_future_and_an_impossible_one_are_refused() {
    let future = EVENT.replace("1050.0", "2000000301.0");
    assert!(refusal(&future).message.contains("in the future"));
    take(&EVENT.replace("1050.0", "2000000299.0")).unwrap();
    let impossible = EVENT.replace("1050.0", "-1e12");
    assert_eq!(refusal(&impossible).status, 422);
}

#[test]
fn a_name_that_is_empty_or_too_long_is_refused_and_control_characters_are_cleaned() {
    assert!(
        refusal(&EVENT.replace("hv1", ""))
            .message
            .contains("\"hypervisor\" is empty")
    );
    let long = "h".repeat(NAME_MAX_BYTES + 1);
    assert!(
        refusal(&EVENT.replace("hv1", &long))
            .message
            .contains("at most 512")
    );
    let cleaned = take(&EVENT.replace("hv1", "hv\\n1")).unwrap();
    assert_eq!(cleaned.events[0].hypervisor(), "hv 1");
}

#[test]
fn one_bad_element_does_not_lose_the_others() {
    let batch = take(&format!("[{EVENT},{{}},{EVENT}]")).unwrap();
    assert_eq!((batch.events.len(), batch.refused), (2, 1));
    assert!(
        batch.reasons[0].starts_with("element 1: "),
        "{:?}",
        batch.reasons
    );
}

#[test]
fn a_question_is_ignored_and_too_many_events_are_refused() {
    let batch = take(r#"{"event":"log_question","time":1.0}"#).unwrap();
    assert_eq!(batch.ignored, 1);
    let many = format!("[{}]", vec!["{}"; EVENTS_MAX + 1].join(","));
    assert_eq!(refusal(&many).status, 413);
}
