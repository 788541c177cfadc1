//! The filter with a detector that finds what a test puts into the lines.

use super::*;
use crate::event::FieldValue;
use crate::record::tests::{TIMES, Time, WIDTHS, Width, decoded, encoded};
use proptest::prelude::*;
use rmpv::Value as Any;

/// A line as it was observed, without its lifetime.
type Observed = (String, f64, String, Option<u8>, [String; 3]);

/// Classifies every text with "fail" in it as a failure, and raises an event for each with "event" in it.
#[derive(Default)]
struct Fake {
    observed: Vec<Observed>,
    events: Vec<Vec<u8>>,
    template: String,
}

impl Detector for Fake {
    fn observe(&mut self, line: &Line<'_>) -> Option<Verdict<'_>> {
        let text = String::from_utf8_lossy(line.text);
        if text.contains("refuse") {
            return None;
        }
        let observed = (
            line.stream.into(),
            line.time,
            text.clone().into_owned(),
            line.priority,
            [line.program, line.unit, line.tag]
                .map(|name| String::from_utf8_lossy(name).into_owned()),
        );
        self.observed.push(observed);
        let fails = text.contains("fail");
        if text.contains("event") {
            self.events.push(an_event());
        }
        self.template = format!("<{}>", text.len());
        Some(Verdict {
            template_id: 3 * u64::from(!text.contains("full")),
            template: &self.template,
            severity: if fails { 0.75 } else { 0.0 },
            family: fails.then_some("storage"),
            score: if fails { 0.5 } else { 0.0 },
            novel: text.contains("novel"),
        })
    }

    fn next_event(&mut self) -> Option<Vec<u8>> {
        self.events.pop()
    }
}

fn an_event() -> Vec<u8> {
    let fields = [
        ("event", FieldValue::Text("log_failure")),
        ("schema", FieldValue::Integer(1)),
        ("time", FieldValue::Number(7.5)),
        ("state", FieldValue::Text("raised")),
    ];
    event::record(7.5, &fields)
}

fn filter(properties: &[(&str, &str)]) -> Filter<Fake> {
    let settings = Settings::read(|key| {
        let found = properties.iter().find(|(known, _)| *known == key);
        found.map(|(_, value)| (*value).to_owned())
    });
    Filter::new(&settings.unwrap(), "here".into(), Fake::default())
}

fn pairs(pairs: &[(&str, Any)]) -> Vec<(Any, Any)> {
    let any = |(k, v): &(&str, Any)| (Any::from(*k), v.clone());
    pairs.iter().map(any).collect()
}

fn record(fields: &[(&str, Any)]) -> Vec<u8> {
    encoded(Time::Ext, Width::Least, Some(&[]), 1000, &pairs(fields))
}

/// What comes out for a chunk; events go inline.
fn out(filter: &mut Filter<Fake>, chunk: &[u8]) -> Option<Vec<u8>> {
    let replaced = filter.take(chunk, b"the.tag", |_| true, |_, _| {});
    replaced.unwrap().map(|records| records.to_vec())
}

fn maps(chunk: &[u8]) -> Vec<String> {
    decoded(chunk)
        .iter()
        .map(|record| record[1].to_string())
        .collect()
}

#[test]
fn keys_are_added_behind_those_that_are_there() {
    let chunk = [
        record(&[("log", "well".into())]),
        record(&[("log", "fail".into())]),
    ]
    .concat();
    let out = out(&mut filter(&[]), &chunk).unwrap();
    let wanted = [
        r#"{"log": "well", "bellwether_template_id": 3, "bellwether_template": "<4>"}"#,
        r#"{"log": "fail", "bellwether_template_id": 3, "bellwether_template": "<4>", "bellwether_severity": 0.75, "bellwether_family": "storage", "bellwether_score": 0.5, "bellwether_novel": false}"#,
    ];
    assert_eq!(maps(&out), wanted);
}

#[test]
fn which_keys_are_added_and_what_they_are_called_is_configured() {
    let properties = [
        ("key_prefix", "bw."),
        ("template_key", "log.record.template"),
        ("record_keys", "template"),
        ("flagged_keys", "score,novel"),
    ];
    let chunk = [
        record(&[("log", "well".into())]),
        record(&[("log", "novel".into())]),
    ]
    .concat();
    let out = out(&mut filter(&properties), &chunk).unwrap();
    let wanted = [
        r#"{"log": "well", "log.record.template": "<4>"}"#,
        r#"{"log": "novel", "bw.score": 0, "bw.novel": true}"#,
    ];
    assert_eq!(maps(&out), wanted);
}

#[test]
fn without_keys_for_them_only_flagged_records_are_copied() {
    let mut filter = filter(&[("record_keys", "none")]);
    let well = record(&[("log", "well".into())]);
    assert_eq!(out(&mut filter, &well.repeat(5)), None);
    let chunk = [
        well.repeat(2),
        record(&[("log", "fail".into())]),
        well.clone(),
    ]
    .concat();
    let out = out(&mut filter, &chunk).unwrap();
    assert!(out.starts_with(&well.repeat(2)) && out.ends_with(&well));
    assert_eq!(maps(&out).len(), 4);
}

#[test]
fn keys_of_an_earlier_filter_are_replaced() {
    let chunk = record(&[
        ("bellwether_template_id", 9.into()),
        ("log", "well".into()),
        ("bellwether_score", 0.25.into()),
    ]);
    let out = out(&mut filter(&[]), &chunk).unwrap();
    let wanted = r#"{"log": "well", "bellwether_score": 0.25, "bellwether_template_id": 3, "bellwether_template": "<4>"}"#;
    assert_eq!(maps(&out), [wanted]);
}

#[test]
fn a_template_that_there_is_no_room_for_is_not_added() {
    let chunk = record(&[("log", "full".into())]);
    assert_eq!(out(&mut filter(&[]), &chunk), None);
}

#[test]
fn the_text_is_found_where_the_options_say() {
    let nested = Any::Map(pairs(&[("message", "deep".into())]));
    let chunk = [
        record(&[("message", "m".into())]),
        record(&[("log", "l".into()), ("message", "m".into())]),
        record(&[("log", nested.clone()), ("message", "m".into())]),
        record(&[("log", Any::from(&b"bytes"[..]))]),
    ]
    .concat();
    let mut by_default = filter(&[]);
    out(&mut by_default, &chunk);
    let texts = |f: &Filter<Fake>| -> Vec<String> {
        f.detector.observed.iter().map(|o| o.2.clone()).collect()
    };
    assert_eq!(texts(&by_default), ["m", "l", "m", "bytes"]);
    let mut by_accessor = filter(&[("text_keys", "$log['message']")]);
    out(&mut by_accessor, &chunk);
    assert_eq!(texts(&by_accessor), ["deep"]);
    assert_eq!(by_accessor.counters().textless, 3);
}

#[test]
fn records_without_a_text_pass_as_they_are() {
    let chunk: Vec<u8> = [
        Any::Nil,
        7.into(),
        true.into(),
        "".into(),
        Any::Array(vec![]),
    ]
    .into_iter()
    .flat_map(|value| record(&[("log", value)]))
    .chain(record(&[]))
    .collect();
    let mut filter = filter(&[]);
    assert_eq!(out(&mut filter, &chunk), None);
    assert_eq!(filter.counters().textless, 6);
}

#[test]
fn a_text_that_is_no_utf8_is_kept_as_it_is() {
    let mut chunk = record(&[("log", "a?b".into())]);
    let at = chunk.iter().position(|&b| b == b'?').unwrap();
    chunk[at] = 0xff;
    let mut filter = filter(&[]);
    let out = out(&mut filter, &chunk).unwrap();
    assert!(out.windows(3).any(|w| w == b"a\xffb"));
    assert_eq!(filter.detector.observed[0].2, "a\u{fffd}b");
}

#[test]
fn a_record_is_of_the_host_that_it_names_or_of_this_one() {
    let chunk = [
        record(&[("log", "x".into())]),
        record(&[("log", "x".into()), ("host", "node7".into())]),
        record(&[
            ("log", "x".into()),
            ("host", "node7".into()),
            ("_HOSTNAME", 8.into()),
        ]),
    ]
    .concat();
    let streams = |properties: &[(&str, &str)]| -> Vec<String> {
        let mut filter = filter(properties);
        out(&mut filter, &chunk);
        filter
            .detector
            .observed
            .iter()
            .map(|o| o.0.clone())
            .collect()
    };
    assert_eq!(streams(&[]), ["here", "node7", "8"]);
    assert_eq!(
        streams(&[("stream_keys", "host,$TAG")]),
        ["the.tag", "node7", "node7"]
    );
}

#[test]
fn priorities_are_numbers_digits_or_words() {
    let of = |key: &str, value: Any| {
        let mut filter = filter(&[]);
        out(&mut filter, &record(&[("log", "x".into()), (key, value)]));
        filter.detector.observed[0].3
    };
    assert_eq!(of("PRIORITY", "3".into()), Some(3));
    assert_eq!(of("priority", 6.into()), Some(6));
    assert_eq!(of("severity", "Warning".into()), Some(4));
    assert_eq!(of("severity", "FATAL".into()), Some(2));
    assert_eq!(of("pri", "34".into()), Some(2));
    assert_eq!(of("pri", 192.into()), None);
    assert_eq!(of("priority", 34.into()), None);
    assert_eq!(of("priority", "urgent".into()), None);
    assert_eq!(of("priority", (-1).into()), None);
    assert_eq!(of("other", 3.into()), None);
}

#[test]
fn an_event_comes_behind_the_records_of_its_chunk_and_is_no_record_to_a_filter() {
    for record_keys in ["none", "template_id"] {
        let mut filter = filter(&[("record_keys", record_keys)]);
        let well = record(&[("log", "well".into())]);
        let chunk = [record(&[("log", "an event".into())]), well.clone()].concat();
        let out_first = out(&mut filter, &chunk).unwrap();
        let first = maps(&out_first);
        assert_eq!(first.len(), 3, "{first:#?}");
        assert!(first[2].contains("\"log_failure\""), "{first:#?}");
        let records = filter.counters().records;
        // The event alone, as rewrite_tag hands it in again.
        let event = &out_first[out_first.len() - an_event().len()..];
        assert_eq!(out(&mut filter, event), None);
        assert_eq!(filter.counters().records, records);
        assert_eq!(filter.counters().events, 1);
    }
}

#[test]
fn an_event_that_goes_elsewhere_leaves_the_chunk_alone() {
    let mut filter = filter(&[("record_keys", "none")]);
    let chunk = record(&[("log", "an event".into())]);
    let mut shown = 0;
    let outcome = filter.take(
        &chunk,
        b"",
        |_| {
            shown += 1;
            false
        },
        |_, _| {},
    );
    assert!(outcome.unwrap().is_none());
    assert_eq!(shown, 1);
}

#[test]
fn groups_keep_their_markers() {
    let open = encoded(
        Time::Ext,
        Width::Least,
        Some(&[]),
        -1,
        &pairs(&[("resource", "r".into())]),
    );
    let close = encoded(Time::Ext, Width::Least, Some(&[]), -2, &[]);
    let chunk = [
        open.clone(),
        record(&[("log", "fail".into())]),
        close.clone(),
    ]
    .concat();
    let out = out(&mut filter(&[]), &chunk).unwrap();
    assert!(out.starts_with(&open) && out.ends_with(&close));
    assert_eq!(decoded(&out).len(), 3);
}

#[test]
fn a_chunk_that_cannot_be_read_is_an_error_and_what_follows_is_read() {
    let mut filter = filter(&[]);
    let mut chunk = record(&[("log", "well".into())]);
    let good = chunk.clone();
    chunk.pop();
    assert!(filter.take(&chunk, b"", |_| true, |_, _| {}).is_err());
    assert_eq!(maps(&out(&mut filter, &good).unwrap()).len(), 1);
    assert_eq!(filter.counters().malformed, 1);
    assert_eq!(out(&mut filter, b""), None);
}

#[test]
fn a_line_that_the_detector_refuses_passes_as_it_is() {
    let mut filter = filter(&[]);
    assert_eq!(out(&mut filter, &record(&[("log", "refuse".into())])), None);
    assert_eq!(filter.counters().refused, 1);
}

#[test]
fn flagged_lines_are_shown() {
    let mut filter = filter(&[]);
    let chunk = [
        record(&[("log", "well".into())]),
        record(&[("log", "fail".into())]),
    ]
    .concat();
    let mut shown = Vec::new();
    let see = |line: &Line<'_>, verdict: &Verdict<'_>| {
        shown.push((line.text.to_vec(), verdict.severity));
    };
    filter.take(&chunk, b"", |_| true, see).unwrap();
    assert_eq!(shown, [(b"fail".to_vec(), 0.75)]);
}

/// What the detector is given of one record: stream, text, priority, program and unit.
fn read_of(chunk: &[u8]) -> (String, String, Option<u8>, String, String) {
    let mut filter = filter(&[]);
    out(&mut filter, chunk);
    let (stream, _, text, priority, [program, unit, tag]) = filter.detector.observed.remove(0);
    assert_eq!(tag, "the.tag");
    (stream, text, priority, program, unit)
}

fn read(
    stream: &str,
    text: &str,
    priority: Option<u8>,
    program: &str,
    unit: &str,
) -> (String, String, Option<u8>, String, String) {
    (
        stream.into(),
        text.into(),
        priority,
        program.into(),
        unit.into(),
    )
}

fn any_map(fields: &[(&str, Any)]) -> Any {
    Any::Map(pairs(fields))
}

#[test]
fn the_kernels_ring_buffer_is_read() {
    let chunk = record(&[
        ("priority", 3.into()),
        ("sequence", 4711.into()),
        ("sec", 12.into()),
        ("usec", 345.into()),
        (
            "msg",
            "I/O error, dev sda\n SUBSYSTEM=block\n DEVICE=b8:0".into(),
        ),
    ]);
    let wanted = read("here", "I/O error, dev sda", Some(3), "kernel", "");
    assert_eq!(read_of(&chunk), wanted);
}

#[test]
fn the_journal_is_read_with_and_without_underscores_and_in_lower_case() {
    let wanted = read("hv1", "disk failed", Some(3), "smartd", "smartd.service");
    let strip = |key: &'static str| key.trim_start_matches('_');
    let journal: [(&str, &str); 5] = [
        ("MESSAGE", "disk failed"),
        ("PRIORITY", "3"),
        ("_HOSTNAME", "hv1"),
        ("SYSLOG_IDENTIFIER", "smartd"),
        ("_SYSTEMD_UNIT", "smartd.service"),
    ];
    for (underscores, lowercase) in [(true, false), (false, false), (true, true), (false, true)] {
        let fields = journal.map(|(key, value)| {
            let key = if underscores { key } else { strip(key) };
            let key = if lowercase {
                key.to_lowercase()
            } else {
                key.to_owned()
            };
            (key, Any::from(value))
        });
        let fields: Vec<(&str, Any)> = fields.iter().map(|(k, v)| (&**k, v.clone())).collect();
        assert_eq!(read_of(&record(&fields)), wanted, "{fields:?}");
    }
}

#[test]
fn rsyslogs_file_is_read_with_a_parser_and_without() {
    let wanted = read("hv1", "disk failed", None, "smartd", "");
    for line in [
        "Oct  3 22:14:15 hv1 smartd[17]: disk failed",
        "2024-02-05T12:39:46.250000+00:00 hv1 smartd[17]: disk failed",
    ] {
        assert_eq!(read_of(&record(&[("log", line.into())])), wanted, "{line}");
    }
    let parsed = record(&[
        ("pri", "27".into()),
        ("time", "Oct  3 22:14:15".into()),
        ("host", "hv1".into()),
        ("ident", "smartd".into()),
        ("pid", "17".into()),
        ("message", "disk failed".into()),
    ]);
    let wanted = read("hv1", "disk failed", Some(3), "smartd", "");
    assert_eq!(read_of(&parsed), wanted);
    // The name that another filter added is the record's own.
    let named = record(&[
        ("log", "Oct  3 22:14:15 hv1 smartd[17]: disk failed".into()),
        ("hostname", "node7".into()),
    ]);
    assert_eq!(read_of(&named).0, "node7");
}

#[test]
fn a_line_that_a_named_program_says_names_no_other_host_and_program() {
    let line = "Oct  3 22:14:15 hv2 kernel: Out of memory";
    let chunk = record(&[
        ("MESSAGE", line.into()),
        ("_HOSTNAME", "hv1".into()),
        ("SYSLOG_IDENTIFIER", "logger".into()),
    ]);
    assert_eq!(read_of(&chunk), read("hv1", line, None, "logger", ""));
}

#[test]
fn otlp_is_read_with_its_resource_and_severity() {
    let open = encoded(
        Time::Ext,
        Width::Least,
        Some(&[("schema", "otlp".into())]),
        -1,
        &pairs(&[(
            "resource",
            any_map(&[(
                "attributes",
                any_map(&[
                    ("service.name", "smartd".into()),
                    ("host.name", "hv1".into()),
                ]),
            )]),
        )]),
    );
    let close = encoded(Time::Ext, Width::Least, Some(&[]), -2, &[]);
    let severity = any_map(&[("severity_number", 17.into())]);
    let with = |metadata: &[(&str, Any)], fields: &[(&str, Any)]| {
        encoded(
            Time::Ext,
            Width::Least,
            Some(metadata),
            1000,
            &pairs(fields),
        )
    };
    let otlp = [("otlp", severity)];
    let wanted = read("hv1", "disk failed", Some(3), "smartd", "");
    let text = Any::from("disk failed");
    for body in [
        &[("log", text.clone())][..],
        // A body that is a map stands in the record itself; its host is somebody else's.
        &[("message", text.clone()), ("host", "db".into())],
        &[("body", any_map(&[("message", text.clone())]))],
    ] {
        let chunk = [open.clone(), with(&otlp, body), close.clone()].concat();
        assert_eq!(read_of(&chunk), wanted, "{body:?}");
    }
    // Behind the group, its resource holds no more.
    let chunk = [open, close, with(&[], &[("log", text.clone())])].concat();
    assert_eq!(read_of(&chunk), read("here", "disk failed", None, "", ""));
    // Before 3.2 the severity stood in the metadata itself.
    for (number, priority) in [(1, 7), (9, 6), (13, 4), (17, 3), (21, 2)] {
        let metadata = [("severity_number", Any::from(number))];
        let chunk = with(&metadata, &[("message", text.clone())]);
        assert_eq!(read_of(&chunk).2, Some(priority), "{number}");
    }
    let metadata = [("otlp", any_map(&[("severity_text", "Error2".into())]))];
    assert_eq!(read_of(&with(&metadata, &[("log", text)])).2, Some(3));
}

#[test]
fn containers_are_read_in_both_forms_and_belong_to_the_node() {
    let kubernetes = any_map(&[
        ("pod_name", "db-0".into()),
        ("container_name", "postgres".into()),
        ("host", "node7".into()),
    ]);
    let application = r#"{"level":"error","hostname":"db-0","msg":"disk failed"}"#;
    let cri = format!("2024-02-05T12:39:46.25Z stderr F {application}");
    let docker =
        serde_json::json!({"log": format!("{application}\n"), "stream": "stderr"}).to_string();
    for text in [application.to_owned(), cri, docker] {
        for merged in [false, true] {
            let mut fields = vec![("log", text.as_str().into())];
            if merged {
                // As the filter kubernetes merges the application's own keys into the record.
                fields.push(("level", "error".into()));
                fields.push(("hostname", "db-0".into()));
            }
            fields.push(("kubernetes", kubernetes.clone()));
            let wanted = read("node7", "disk failed", Some(3), "postgres", "db-0");
            assert_eq!(read_of(&record(&fields)), wanted, "{fields:?}");
        }
    }
    // Under a key of its own, without the log.
    let merged = any_map(&[("lvl", "error".into()), ("msg", "disk failed".into())]);
    let chunk = record(&[("log_processed", merged), ("kubernetes", kubernetes)]);
    let wanted = read("node7", "disk failed", Some(3), "postgres", "db-0");
    assert_eq!(read_of(&chunk), wanted);
    // The node is not known, but the pod is not the host.
    let kubernetes = any_map(&[("pod_name", "db-0".into())]);
    let fields = [
        ("log", "disk failed".into()),
        ("hostname", "db-0".into()),
        ("kubernetes", kubernetes),
    ];
    assert_eq!(
        read_of(&record(&fields)),
        read("here", "disk failed", None, "", "db-0")
    );
    // Unless that is what is wanted.
    let mut by_option = filter(&[("stream_keys", "hostname")]);
    out(&mut by_option, &record(&fields));
    assert_eq!(by_option.detector.observed[0].0, "db-0");
}

#[test]
fn levels_go_by_many_names() {
    for (key, value, priority) in [
        ("level", Any::from("error"), Some(3)),
        ("level", 50.into(), Some(3)),
        ("lvl", "eror".into(), None),
        ("lvl", "WARN".into(), Some(4)),
        ("loglevel", "Info".into(), Some(6)),
        ("log.level", "critical".into(), Some(2)),
        ("SeverityText", "ERROR".into(), Some(3)),
        ("severity_text", "FATAL".into(), Some(2)),
        ("SeverityNumber", 17.into(), Some(3)),
        ("severity_number", "9".into(), Some(6)),
        ("severity", 17.into(), None),
    ] {
        let chunk = record(&[("log", "x".into()), (key, value.clone())]);
        assert_eq!(read_of(&chunk).2, priority, "{key} {value}");
    }
}

#[test]
fn many_records_in_a_row_without_a_text_give_their_keys() {
    let mut filter = filter(&[]);
    let unread = record(&[("event_text", "disk failed".into()), ("n\n", 1.into())]);
    out(&mut filter, &unread.repeat(49));
    assert_eq!(filter.unread(), None);
    // Empty lines are no such records, and a text ends the row.
    out(&mut filter, &record(&[("log", "".into())]));
    assert_eq!(filter.unread(), None);
    out(&mut filter, &record(&[("log", "x".into())]));
    out(&mut filter, &unread.repeat(49));
    assert_eq!(filter.unread(), None);
    out(&mut filter, &unread);
    assert_eq!(filter.unread().as_deref(), Some("event_text, n "));
    assert_eq!(filter.unread(), None);
    assert_eq!(filter.counters().textless, 100);
    let fields: Vec<(String, Any)> = (0..1000)
        .map(|n| (format!("{n}{}", "k".repeat(1000)), Any::Nil))
        .collect();
    let fields: Vec<(&str, Any)> = fields.iter().map(|(k, v)| (&**k, v.clone())).collect();
    out(&mut filter, &record(&fields).repeat(50));
    let keys = filter.unread().unwrap();
    assert!(keys.len() < 700 && keys.ends_with("..."), "{keys}");
}

#[test]
fn a_record_of_next_year_is_not_the_newest() {
    let mut filter = filter(&[]);
    assert_eq!(filter.newest(), None);
    filter.set_horizon(1500.0);
    out(&mut filter, &record(&[("log", "x".into())]));
    let of_next_year = encoded(
        Time::Ext,
        Width::Least,
        None,
        2000,
        &pairs(&[("log", "x".into())]),
    );
    out(&mut filter, &of_next_year);
    assert_eq!(filter.newest(), Some(1000.0));
}

fn value() -> impl Strategy<Value = Any> {
    prop_oneof![
        "[ -~]{0,40}".prop_map(|s| Any::from(s.as_str())),
        Just(Any::from("it will fail")),
        Just(Any::from("an event")),
        any::<i64>().prop_map(Any::from),
        Just(Any::Nil),
        proptest::collection::vec(
            "[a-z]{0,5}".prop_map(|s| (Any::from("k"), Any::from(s.as_str()))),
            0..3
        )
        .prop_map(Any::Map),
    ]
}

proptest! {
    #[test]
    fn no_record_is_lost_changed_or_reordered(
        records in proptest::collection::vec((
            proptest::collection::vec((prop::sample::select(&["log", "message", "host", "other", "PRIORITY"][..]), value()), 0..20),
            prop::sample::select(&TIMES[..]), prop::sample::select(&WIDTHS[..]), any::<bool>(), -2i64..2000,
        ), 0..8),
        none in any::<bool>(),
    ) {
        let chunk: Vec<u8> = records.iter().flat_map(|(fields, time, width, metadata, seconds)| {
            encoded(*time, *width, metadata.then_some(&[][..]), *seconds, &pairs(fields))
        }).collect();
        let mut filter = filter(&[("record_keys", if none { "none" } else { "template" })]);
        let out = out(&mut filter, &chunk).unwrap_or_else(|| chunk.clone());
        let (before, mut after) = (decoded(&chunk), decoded(&out));
        let events = after.split_off(before.len());
        prop_assert!(events.iter().all(|e| e.to_string().contains("log_failure")));
        for (before, after) in before.iter().zip(&after) {
            prop_assert_eq!(&before[0], &after[0]);
            let kept: Vec<(Any, Any)> = after[1].as_map().unwrap().iter()
                .filter(|(k, _)| !k.as_str().unwrap().starts_with("bellwether_")).cloned().collect();
            prop_assert_eq!(before[1].as_map().unwrap(), &kept);
        }
    }

    #[test]
    fn any_bytes_are_taken_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        filter(&[]).take(&bytes, b"tag", |_| true, |_, _| {}).ok();
    }
}
