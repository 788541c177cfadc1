//! The filter with a detector that finds what a test puts into the lines.

use super::*;
use crate::event::FieldValue;
use crate::record::tests::{TIMES, Time, WIDTHS, Width, decoded, encoded};
use bellwether_sys::{Fate, Verdict as Word};
use proptest::prelude::*;
use rmpv::Value as Any;

/// A line as it was observed, without its lifetime.
type Observed = (String, f64, String, Option<u8>, [String; 3], Transport);

/// Classifies every text with "fail" in it as a failure, and raises an event for each with "event" in it.
#[derive(Default)]
struct Fake {
    observed: Vec<Observed>,
    events: Vec<Vec<u8>>,
    template: String,
    /// Texts of questions.
    questions: Vec<String>,
    applied: Vec<Applied>,
    /// Host, fate and time.
    outcomes: Vec<(String, Fate, Option<f64>)>,
}

/// Feedback as it was applied: template, host, number, verdict and family.
type Applied = (String, Option<String>, Option<u64>, Word, String);

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
            line.transport,
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
            unpredicted: text.contains("novel"),
        })
    }

    fn next_event(&mut self) -> Option<Vec<u8>> {
        self.events.pop()
    }

    fn next_question(&mut self, time: f64) -> Option<Vec<u8>> {
        Some(a_question(time, &self.questions.pop()?))
    }

    fn outcome(&mut self, outcome: &Outcome<'_>) -> Result<(), String> {
        if outcome.hypervisor == "nowhere" {
            return Err("there is no such host".into());
        }
        let host = outcome.hypervisor.clone().into_owned();
        self.outcomes.push((host, outcome.fate, outcome.time));
        Ok(())
    }

    fn apply(&mut self, feedback: &Feedback<'_>) -> Result<usize, String> {
        if feedback.template == "nowhere" {
            return Err("there is no such template".into());
        }
        self.applied.push((
            feedback.template.into(),
            feedback.hypervisor.as_deref().map(str::to_owned),
            feedback.template_id,
            feedback.verdict,
            feedback.family.into(),
        ));
        self.events.push(an_event());
        Ok(1)
    }
}

fn an_event() -> Vec<u8> {
    let fields = [
        ("event", FieldValue::Text("log_failure")),
        ("schema", FieldValue::Integer(1)),
        ("time", FieldValue::Number(7.5)),
        ("state", FieldValue::Text("raised")),
        ("severity", FieldValue::Text("failure")),
        ("hypervisor", FieldValue::Text("hv1")),
        ("incident", FieldValue::Text("00ff")),
    ];
    event::record(7.5, &fields)
}

fn a_question(time: f64, template: &str) -> Vec<u8> {
    let fields = [
        ("event", FieldValue::Text("log_question")),
        ("schema", FieldValue::Integer(1)),
        ("time", FieldValue::Number(time)),
        ("hypervisor", FieldValue::Text("hv1")),
        ("template", FieldValue::Text(template)),
        ("template_id", FieldValue::Integer(7)),
    ];
    event::record(time, &fields)
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
        ("flagged_keys", "score,novel,unpredicted"),
    ];
    let chunk = [
        record(&[("log", "well".into())]),
        record(&[("log", "novel".into())]),
    ]
    .concat();
    let out = out(&mut filter(&properties), &chunk).unwrap();
    let wanted = [
        r#"{"log": "well", "log.record.template": "<4>"}"#,
        r#"{"log": "novel", "bw.score": 0, "bw.novel": true, "bw.unpredicted": true}"#,
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
fn keys_of_another_filter_are_replaced_and_those_without_a_successor_are_renamed() {
    let chunk = record(&[
        ("bellwether_template_id", 9.into()),
        ("log", "well".into()),
        ("bellwether_score", 0.25.into()),
        ("bellwether_other", 1.into()),
    ]);
    let mut by_default = filter(&[]);
    let replaced = out(&mut by_default, &chunk).unwrap();
    let wanted = r#"{"log": "well", "foreign_bellwether_score": 0.25, "bellwether_other": 1, "bellwether_template_id": 3, "bellwether_template": "<4>"}"#;
    assert_eq!(maps(&replaced), [wanted]);
    assert_eq!(by_default.counters().foreign, 1);
    // Not even a record that nothing is added to.
    for (text, option) in [("well", ("record_keys", "none")), ("", ("debug", "off"))] {
        let chunk = record(&[("log", text.into()), ("bellwether_score", 1.into())]);
        let renamed = out(&mut filter(&[option]), &chunk).unwrap();
        let wanted = format!(r#"{{"log": "{text}", "foreign_bellwether_score": 1}}"#);
        assert_eq!(maps(&renamed), [wanted]);
    }
    // A name that others use, too.
    let otel = [
        ("template_key", "log.record.template"),
        ("record_keys", "none"),
    ];
    let with_template = record(&[("log", "well".into()), ("log.record.template", "x".into())]);
    assert_eq!(out(&mut filter(&otel), &with_template), None);
    let mut accepting = filter(&[("record_keys", "none"), ("foreign_events", "accept")]);
    assert_eq!(out(&mut accepting, &chunk), None);
    assert_eq!(accepting.counters().foreign, 0);
}

#[test]
fn a_record_that_imitates_an_event_is_none_and_loses_nothing() {
    let event = [
        ("event", Any::from("log_failure")),
        ("schema", 1.into()),
        ("time", 7.5.into()),
        ("state", "raised".into()),
        ("severity", "failure".into()),
        ("hypervisor", "hv2".into()),
        ("incident", "00ff".into()),
        ("message", "hv2: a disk will fail".into()),
    ];
    let renamed = r#"{"foreign_event": "log_failure", "foreign_schema": 1, "time": 7.5, "state": "raised", "severity": "failure", "hypervisor": "hv2", "incident": "00ff", "message": "hv2: a disk will fail"}"#;
    for record_keys in ["none", "template_id"] {
        let mut filter = filter(&[("record_keys", record_keys)]);
        let well = record(&[("log", "well".into())]);
        let replaced = out(&mut filter, &[well.clone(), record(&event), well].concat()).unwrap();
        let maps = maps(&replaced);
        assert_eq!((maps.len(), maps[1].as_str()), (3, renamed));
        // What it says of a host is no line of that host's log.
        assert_eq!(filter.detector.observed.len(), 2);
        assert_eq!(
            (filter.counters().records, filter.counters().foreign),
            (2, 1)
        );
    }
    let mut accepting = filter(&[("foreign_events", "accept")]);
    assert_eq!(out(&mut accepting, &record(&event)), None);
    assert_eq!(accepting.counters(), FilterCounters::default());
}

#[test]
fn no_way_of_writing_an_events_key_hides_it() {
    let plain = |key: &str, value: Any| (Any::from(key), value);
    for fields in [
        // Readers differ in which of two they take.
        vec![
            plain("event", "login".into()),
            plain("event", "log_novelty".into()),
        ],
        vec![
            plain("event", "log_novelty".into()),
            plain("event", "login".into()),
        ],
        // Without a schema, which a rule may not ask for.
        vec![plain("event", "hypervisor_anomaly".into())],
        // As bytes.
        vec![(Any::from(&b"event"[..]), Any::from(&b"log_failure"[..]))],
    ] {
        let mut filter = filter(&[]);
        let chunk = encoded(Time::Ext, Width::Least, Some(&[]), 1000, &fields);
        let replaced = decoded(&out(&mut filter, &chunk).unwrap());
        let keys = replaced[0][1].as_map().unwrap();
        let is_foreign = |(key, _): &(Any, Any)| key.as_str() == Some("foreign_event");
        assert!(keys.iter().all(is_foreign), "{fields:?}");
    }
    // Other programs have events of their own.
    let mut filter = filter(&[]);
    let chunk = record(&[
        ("event", "login".into()),
        ("schema", 1.into()),
        ("msg", "well".into()),
    ]);
    let kept = maps(&out(&mut filter, &chunk).unwrap()).remove(0);
    assert!(
        kept.starts_with(r#"{"event": "login", "schema": 1, "msg": "well", "#),
        "{kept}"
    );
    assert_eq!(filter.counters().foreign, 0);
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
        // Another filter of the pipeline knows it, too.
        let mut second = self::filter(&[]);
        assert_eq!(out(&mut second, event), None);
        assert_eq!(second.counters(), FilterCounters::default());
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

/// A filter that takes feedback of the tag that [`out`] gives.
fn hearing(more: &[(&str, &str)]) -> Filter<Fake> {
    filter(&[&[("feedback_match", "the.*")], more].concat())
}

const VERDICT: (&str, &str) = ("bellwether_verdict", "benign");

#[test]
fn feedback_of_an_allowed_tag_is_applied_and_passes_unclassified_as_it_is() {
    let plain = [("template", Any::from("disk <:*:> failed"))];
    let full = [
        ("hypervisor", Any::from("hv1")),
        ("template", "disk <:*:> failed".into()),
        ("template_id", 7.into()),
        ("family", "storage".into()),
        ("bellwether_verdict_by", "model".into()),
        // What else there is does not matter.
        ("log", "disk sda will fail".into()),
        ("message", Any::Nil),
    ];
    let host = Some("hv1".to_owned());
    let template = || "disk <:*:> failed".to_owned();
    for (verdict, operators, models) in [
        ("benign", Word::Benign, Some(Word::LikelyBenign)),
        ("failure", Word::Failure, Some(Word::LikelyFailure)),
        ("none", Word::None, None),
    ] {
        let verdict = ("bellwether_verdict", Any::from(verdict));
        for record_keys in ["none", "template_id"] {
            let mut filter = hearing(&[("record_keys", record_keys)]);
            let of_operator = record(&[&plain[..], std::slice::from_ref(&verdict)].concat());
            let replaced = out(&mut filter, &of_operator).unwrap();
            // What it causes comes behind it.
            assert_eq!(replaced, [of_operator, an_event()].concat());
            let wanted = (template(), None, None, operators, String::new());
            assert_eq!(filter.detector.applied, [wanted]);
            assert_eq!(filter.counters().records, 0);
            assert_eq!(filter.detector.observed, []);
        }
        let of_model = record(&[&full[..], &[verdict]].concat());
        let mut filter = hearing(&[]);
        out(&mut filter, &of_model);
        let wanted = models.map(|word| (template(), host.clone(), Some(7), word, "storage".into()));
        assert_eq!(filter.detector.applied, Vec::from_iter(wanted));
    }
}

#[test]
fn feedback_is_logged_with_what_it_was_applied_to() {
    let mut filter = hearing(&[]);
    let (verdict, template) = (
        (VERDICT.0, Any::from(VERDICT.1)),
        ("template", "a\nb".into()),
    );
    let of_host = ("hypervisor", Any::from(8));
    out(&mut filter, &record(&[verdict.clone(), template.clone()]));
    out(&mut filter, &record(&[template, verdict, of_host]));
    let wanted = [
        "verdict benign, by operator, on \"a b\" of all hosts: applied to 1 template, and holds for those to come",
        "verdict benign, by operator, on \"a b\" of 8: applied to 1 template",
    ];
    let wanted = [1, 2].map(|n: u64| Heard::Applied(n, wanted[n as usize - 1].into()));
    assert_eq!(filter.heard(), wanted);
    assert_eq!(filter.heard(), []);
    assert_eq!(filter.counters().feedback, 2);
}

#[test]
fn feedback_of_another_tag_is_renamed_and_applied_to_nothing() {
    let chunk = record(&[
        ("log", "disk sda will fail".into()),
        (VERDICT.0, VERDICT.1.into()),
        ("bellwether_verdict_by", "operator".into()),
        ("template", "disk <:*:> will fail".into()),
    ]);
    for properties in [&[][..], &[("feedback_match", "the.tags*")]] {
        let mut filter = filter(&[properties, &[("flagged_keys", "family")]].concat());
        let wanted = r#"{"log": "disk sda will fail", "foreign_bellwether_verdict": "benign", "foreign_bellwether_verdict_by": "operator", "template": "disk <:*:> will fail", "bellwether_family": "storage"}"#;
        assert_eq!(maps(&out(&mut filter, &chunk).unwrap()), [wanted]);
        assert_eq!(filter.detector.applied, []);
        let counters = filter.counters();
        assert_eq!((counters.foreign, counters.records), (1, 1));
        assert_eq!((counters.feedback, counters.feedback_refused), (0, 0));
        assert_eq!(filter.heard(), []);
    }
    // However the key is written, and whatever else the record is.
    let mut filter = filter(&[("record_keys", "none")]);
    let event = pairs(&[("event", "log_failure".into()), ("schema", 1.into())]);
    for more in [vec![], event] {
        let key = Any::from(VERDICT.0.as_bytes());
        let fields = [vec![(key, VERDICT.1.into())], more].concat();
        let chunk = encoded(Time::Ext, Width::Least, Some(&[]), 1000, &fields);
        let replaced = decoded(&out(&mut filter, &chunk).unwrap());
        let keys = replaced[0][1].as_map().unwrap();
        assert!(
            keys.iter()
                .all(|(key, _)| key.as_str().unwrap().starts_with("foreign_"))
        );
    }
    // Nor does a repeated event carry it on.
    event::issue(&an_event());
    let event = decoded(&an_event())[0][1].as_map().unwrap().clone();
    let fields = [event, pairs(&[(VERDICT.0, VERDICT.1.into())])].concat();
    let chunk = encoded(Time::Ext, Width::Least, Some(&[]), 1000, &fields);
    let replaced = maps(&out(&mut filter, &chunk).unwrap()).remove(0);
    assert!(
        replaced.starts_with(r#"{"event": "log_failure", "schema": 1"#),
        "{replaced}"
    );
    assert!(
        replaced.ends_with(r#""foreign_bellwether_verdict": "benign"}"#),
        "{replaced}"
    );
}

#[test]
fn an_event_with_a_verdict_is_feedback_and_an_imitation_of_one_is_none_the_less_renamed() {
    let event = pairs(&[
        ("event", "log_failure".into()),
        ("schema", 1.into()),
        ("template", "disk <:*:> failed".into()),
        ("hypervisor", "hv1".into()),
        (VERDICT.0, VERDICT.1.into()),
    ]);
    let mut filter = hearing(&[]);
    let chunk = encoded(Time::Ext, Width::Least, Some(&[]), 1000, &event);
    let replaced = maps(&out(&mut filter, &chunk).unwrap()).remove(0);
    assert_eq!(
        replaced,
        r#"{"foreign_event": "log_failure", "foreign_schema": 1, "template": "disk <:*:> failed", "hypervisor": "hv1", "bellwether_verdict": "benign"}"#
    );
    assert_eq!(filter.detector.applied.len(), 1);
}

#[test]
fn what_became_of_a_host_is_feedback_on_the_host() {
    let verdict = |word: &str| (VERDICT.0, Any::from(word));
    let host = |name: &str| ("hypervisor", Any::from(name));
    for (fields, wanted) in [
        (
            vec![verdict("host_failed"), host("kvm1")],
            (Fate::Failed, None),
        ),
        (
            vec![
                host("kvm1"),
                verdict("host_unknown"),
                ("time", 1_700_000_000.into()),
            ],
            (Fate::Unknown, Some(1.7e9)),
        ),
    ] {
        let mut filter = hearing(&[]);
        assert_eq!(out(&mut filter, &record(&fields)), None);
        assert!(matches!(&filter.heard()[..], [Heard::Applied(1, line)] if line.contains("kvm1")));
        assert_eq!(
            filter.detector.outcomes,
            [("kvm1".into(), wanted.0, wanted.1)]
        );
        assert_eq!(filter.detector.applied, []);
    }
    for (fields, wanted) in [
        (
            vec![verdict("host_failed")],
            "host_failed without a hypervisor",
        ),
        (
            vec![verdict("host_failed"), host("nowhere")],
            "no such host",
        ),
        (
            vec![
                verdict("host_failed"),
                host("kvm1"),
                ("time", "noon".into()),
            ],
            "time is no number",
        ),
    ] {
        let mut filter = hearing(&[]);
        assert_eq!(out(&mut filter, &record(&fields)), None);
        let heard = filter.heard();
        assert!(
            matches!(&heard[..], [Heard::Refused(1, why)] if why.contains(wanted)),
            "{heard:?}"
        );
    }
}

#[test]
fn feedback_that_is_none_is_refused_with_what_would_be_right() {
    let verdict = |word: &str| (VERDICT.0, Any::from(word));
    let template = |text: &str| ("template", Any::from(text));
    let long = "x".repeat(1 << 20);
    for (fields, wanted) in [
        (
            vec![verdict("bening"), template("a")],
            "bellwether_verdict is \"bening\"; it must be failure, benign or none (did you mean benign?)",
        ),
        (
            vec![(VERDICT.0, true.into()), template("a")],
            "bellwether_verdict is true; it must be failure, benign or none",
        ),
        (
            vec![
                verdict("benign"),
                template("a"),
                ("bellwether_verdict_by", "me".into()),
            ],
            "bellwether_verdict_by is \"me\"; it must be operator or model",
        ),
        (
            vec![
                verdict("none"),
                template("a"),
                ("bellwether_verdict_by", "model".into()),
            ],
            "bellwether_verdict is none, by a model; it must be failure or benign: only an operator withdraws verdicts",
        ),
        (
            vec![verdict("benign")],
            "there is no template; it must be that of a record, an event or a question",
        ),
        (
            vec![verdict("benign"), template("")],
            "template is empty; it must be that of a record, an event or a question",
        ),
        (
            vec![verdict("benign"), ("template", 7.into())],
            "template is 7; it must be a string",
        ),
        (
            vec![verdict("benign"), template(&long)],
            "template has 1048576 bytes; it must have at most 16384",
        ),
        (
            vec![verdict("benign"), template("a"), ("hypervisor", "".into())],
            "hypervisor is \"\"; it must be the name of a host, or be left out for all hosts",
        ),
        (
            vec![verdict("benign"), template("a"), ("hypervisor", Any::Nil)],
            "hypervisor is null; it must be the name of a host, or be left out for all hosts",
        ),
        (
            vec![
                verdict("benign"),
                template("a"),
                ("template_id", "x".into()),
            ],
            "template_id is \"x\"; it must be the number of a template, or be left out",
        ),
        (
            vec![
                verdict("benign"),
                template("a"),
                ("family", Any::Array(vec![])),
            ],
            "family is a list; it must be a string",
        ),
        (
            vec![verdict("benign"), template("a"), verdict("failure")],
            "the key bellwether_verdict is there twice; it must be there once",
        ),
        (
            vec![verdict("benign"), template("nowhere")],
            "there is no such template",
        ),
    ] {
        let mut filter = hearing(&[]);
        assert_eq!(out(&mut filter, &record(&fields)), None, "{wanted}");
        assert_eq!(filter.heard(), [Heard::Refused(1, wanted.into())]);
        assert_eq!(filter.detector.applied, []);
        let counters = filter.counters();
        assert_eq!((counters.feedback_refused, counters.records), (1, 0));
    }
}

#[test]
fn feedback_within_a_text_or_a_map_is_complained_of_and_is_a_record_of_the_log() {
    let said = r#"{"bellwether_verdict":"benign","template":"a","message":"well"}"#;
    let within = any_map(&[(VERDICT.0, VERDICT.1.into()), ("template", "a".into())]);
    for fields in [
        vec![("log", Any::from(said))],
        vec![("log", "well".into()), ("payload", within)],
    ] {
        let mut filter = hearing(&[]);
        out(&mut filter, &record(&fields));
        let heard = filter.heard();
        let [Heard::Refused(1, why)] = &heard[..] else {
            panic!("{heard:?}");
        };
        let start = "a record with the tag the.tag has bellwether_verdict within a text or a map; ";
        assert!(why.starts_with(start), "{why}");
        assert_eq!(filter.detector.observed.len(), 1);
        assert_eq!(filter.detector.applied, []);
        // Of another tag it is nothing but what somebody says.
        let mut other = self::filter(&[]);
        out(&mut other, &record(&fields));
        assert_eq!((other.heard(), other.counters().foreign), (vec![], 0));
    }
}

#[test]
fn of_much_feedback_some_is_logged_and_all_is_counted() {
    let mut filter = hearing(&[]);
    let chunk: Vec<u8> = (0..1000)
        .flat_map(|n| {
            let template = format!("t{n}");
            record(&[(VERDICT.0, VERDICT.1.into()), ("template", template.into())])
        })
        .collect();
    out(&mut filter, &chunk);
    assert_eq!(filter.detector.applied.len(), 1000);
    assert_eq!(
        (filter.heard().len(), filter.counters().feedback),
        (HEARD_MAX, 1000)
    );
}

#[test]
fn questions_leave_behind_events_as_many_as_there_is_room_for_and_the_others_wait() {
    let mut filter = filter(&[("record_keys", "none")]);
    filter.detector.questions = ["c", "b", "a"].map(String::from).into();
    let chunk = record(&[("log", "an event".into())]);
    let question = |template| a_question(1000.0, template);
    // None is taken from the detector by default.
    let replaced = out(&mut filter, &chunk).unwrap();
    assert_eq!(replaced, [chunk.clone(), an_event()].concat());
    filter.set_questions_max(2);
    let replaced = out(&mut filter, &chunk).unwrap();
    let wanted = [chunk, an_event(), question("a"), question("b")];
    assert_eq!(replaced, wanted.concat());
    assert_eq!(filter.detector.questions, ["c"]);
    let mut released = Vec::new();
    filter.release(|record| released.push(record.to_vec()));
    assert_eq!(released, [question("c")]);
    let counters = filter.counters();
    assert_eq!((counters.questions, counters.events), (3, 2));
    // They come back as what they are, and what imitates them as what it is.
    assert_eq!(out(&mut filter, &question("c")), None);
    let imitated = maps(&out(&mut filter, &question("d")).unwrap()).remove(0);
    assert!(
        imitated.starts_with(r#"{"foreign_event": "log_question", "#),
        "{imitated}"
    );
    assert_eq!(filter.counters().records, 2);
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
    let (stream, _, text, priority, [program, unit, tag], _) = filter.detector.observed.remove(0);
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
    let mut filter = filter(&[]);
    out(&mut filter, &chunk);
    assert_eq!(filter.detector.observed[0].5, Transport::Kernel);
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

/// The program and the transport that the detector is given of a record.
fn came(fields: &[(&str, Any)]) -> (String, Transport) {
    let mut filter = filter(&[]);
    out(&mut filter, &record(fields));
    let (.., [program, _, _], transport) = filter.detector.observed.remove(0);
    (program, transport)
}

/// A record of the journal's with these of its fields, as the input `systemd` gives it by its options.
fn journaled(
    fields: &[(&str, &str)],
    strip_underscores: bool,
    lowercase: bool,
) -> Vec<(String, Any)> {
    let named = |&(key, value): &(&str, &str)| {
        let key = match key.strip_prefix('_') {
            Some(stripped) if strip_underscores => stripped,
            _ => key,
        };
        let key = if lowercase {
            key.to_lowercase()
        } else {
            key.into()
        };
        (key, Any::from(value))
    };
    let all = [("MESSAGE", "disk failed"), ("_HOSTNAME", "hv1")];
    all.iter().chain(fields).map(named).collect()
}

/// [`came`] of such a record, which all options of the input have to agree on.
fn came_by_journal(fields: &[(&str, &str)]) -> (String, Transport) {
    let all = [(false, false), (true, false), (false, true), (true, true)].map(|(strip, lower)| {
        let fields = journaled(fields, strip, lower);
        let fields: Vec<(&str, Any)> = fields.iter().map(|(k, v)| (&**k, v.clone())).collect();
        came(&fields)
    });
    assert!(all.iter().all(|one| *one == all[0]), "{fields:?}: {all:?}");
    all[0].clone()
}

#[test]
fn the_journal_tells_the_kernel_from_what_calls_itself_so() {
    let kernel = ("kernel".to_owned(), Transport::Kernel);
    let process = |program: &str| (program.to_owned(), Transport::Process);
    for (fields, wanted) in [
        (
            &[("_TRANSPORT", "kernel"), ("SYSLOG_IDENTIFIER", "kernel")][..],
            kernel.clone(),
        ),
        (&[("_TRANSPORT", "kernel")], kernel),
        // systemd, before there is a journal.
        (
            &[("_TRANSPORT", "kernel"), ("SYSLOG_IDENTIFIER", "systemd")],
            process("systemd"),
        ),
        // `logger -t kernel` of root, which ended before journald could look at it.
        (
            &[
                ("_TRANSPORT", "syslog"),
                ("SYSLOG_IDENTIFIER", "kernel"),
                ("SYSLOG_FACILITY", "0"),
                ("_UID", "0"),
            ],
            process("kernel"),
        ),
        (&[("_TRANSPORT", "audit"), ("_UID", "0")], process("")),
        (
            &[
                ("_TRANSPORT", "stdout"),
                ("SYSLOG_IDENTIFIER", "smartd"),
                ("_UID", "0"),
                ("_COMM", "smartd"),
                ("_SYSTEMD_UNIT", "smartd.service"),
            ],
            process("smartd"),
        ),
    ] {
        assert_eq!(came_by_journal(fields), wanted, "{fields:?}");
    }
}

#[test]
fn a_user_is_not_believed_the_name_of_his_process() {
    let smartd = "smartd";
    for (uid, unit, comm, wanted) in [
        // Services of the system, some of which have users of their own.
        ("0", Some("smartd.service"), Some("smartd"), smartd),
        ("0", Some("session-2.scope"), Some("logger"), smartd),
        ("0", None, None, smartd),
        (
            "64045",
            Some("ceph-osd@3.service"),
            Some("ceph-osd"),
            smartd,
        ),
        (
            "64055",
            Some("machine-qemu\\x2d1\\x2dvm1.scope"),
            None,
            smartd,
        ),
        // People, and what runs on their behalf.
        (
            "1000",
            Some("session-4.scope"),
            Some("logger"),
            "uid 1000 (logger)",
        ),
        (
            "1000",
            Some("session-c1.scope"),
            Some("smartd"),
            "uid 1000 (smartd)",
        ),
        (
            "1000",
            Some("user@1000.service"),
            Some("bash"),
            "uid 1000 (bash)",
        ),
        ("1000", Some("cron.service"), Some("sh"), "uid 1000 (sh)"),
        ("33", Some("crond.service"), Some("sh"), "uid 33 (sh)"),
        (
            "1000",
            Some("sshd@1-[::1]:22.service"),
            None,
            "uid 1000 (smartd)",
        ),
        // A process that ended before journald could look at it.
        ("1000", None, None, "uid 1000 (smartd)"),
        ("33", None, None, "uid 33 (smartd)"),
        ("-1", Some("smartd.service"), None, "uid unknown (smartd)"),
    ] {
        let mut fields = vec![
            ("_TRANSPORT", "syslog"),
            ("SYSLOG_IDENTIFIER", smartd),
            ("_UID", uid),
        ];
        fields.extend(unit.map(|unit| ("_SYSTEMD_UNIT", unit)));
        fields.extend(comm.map(|comm| ("_COMM", comm)));
        let wanted = (wanted.to_owned(), Transport::Process);
        assert_eq!(came_by_journal(&fields), wanted, "{fields:?}");
    }
}

#[test]
fn what_a_sender_adds_to_the_journal_is_not_taken_for_journalds_word() {
    let user = ("uid 1000 (logger)".to_owned(), Transport::Process);
    let own = [
        ("_TRANSPORT", "journal"),
        ("_UID", "1000"),
        ("_COMM", "logger"),
        ("SYSLOG_IDENTIFIER", "kernel"),
    ];
    let forged = [
        ("TRANSPORT", "kernel"),
        ("UID", "0"),
        ("SYSTEMD_UNIT", "smartd.service"),
    ];
    // Beside the fields with underscores, and in their place where these are stripped: whichever comes first.
    let both: Vec<_> = forged.iter().chain(&own).copied().collect();
    let fields = |fields: &[(&str, &str)], strip| -> (String, Transport) {
        let fields = journaled(fields, strip, false);
        let fields: Vec<(&str, Any)> = fields.iter().map(|(k, v)| (&**k, v.clone())).collect();
        came(&fields)
    };
    assert_eq!(fields(&both, false), user);
    let unknown = ("uid unknown (logger)".to_owned(), Transport::Process);
    assert_eq!(fields(&both, true), unknown);
    let both: Vec<_> = own.iter().chain(&forged).copied().collect();
    assert_eq!(fields(&both, true), unknown);
    // A process that ended early has no unit of its own.
    let ended = [
        ("_TRANSPORT", "journal"),
        ("_UID", "1000"),
        ("SYSLOG_IDENTIFIER", "smartd"),
        ("SYSTEMD_UNIT", "smartd.service"),
    ];
    let user = ("uid 1000 (smartd)".to_owned(), Transport::Process);
    for strip in [false, true] {
        assert_eq!(fields(&ended, strip), user);
    }
    // Later versions make a list of the two.
    let list = |a: &str, b: &str| Any::Array(vec![a.into(), b.into()]);
    let fields = [
        ("MESSAGE", "disk failed".into()),
        ("TRANSPORT", list("kernel", "journal")),
        ("UID", list("0", "1000")),
        ("COMM", "logger".into()),
        ("SYSLOG_IDENTIFIER", "kernel".into()),
    ];
    assert_eq!(came(&fields), unknown);
}

#[test]
fn syslogs_facility_is_believed_only_where_it_is_not_the_kernels() {
    for (pri, ident, pid, transport) in [
        (Any::from("27"), "smartd", None, Transport::Process),
        ("13".into(), "kernel", None, Transport::Process),
        (13.into(), "kernel", None, Transport::Process),
        // Of the kernel, or of anyone who says so.
        ("3".into(), "kernel", None, Transport::Unknown),
        ("3".into(), "kernel", Some("17"), Transport::Process),
        ("3".into(), "smartd", Some("17"), Transport::Unknown),
        ("999".into(), "kernel", None, Transport::Unknown),
    ] {
        let mut fields = vec![
            ("pri", pri),
            ("host", "hv1".into()),
            ("ident", ident.into()),
            ("message", "disk failed".into()),
        ];
        fields.extend(pid.map(|pid| ("pid", Any::from(pid))));
        assert_eq!(came(&fields), (ident.to_owned(), transport), "{fields:?}");
    }
    for (line, transport) in [
        (
            "<13>Oct  3 22:14:15 hv1 kernel: disk failed",
            Transport::Process,
        ),
        (
            "<3>Oct  3 22:14:15 hv1 kernel: disk failed",
            Transport::Unknown,
        ),
        (
            "Oct  3 22:14:15 hv1 kernel: disk failed",
            Transport::Unknown,
        ),
        (
            "Oct  3 22:14:15 hv1 kernel[17]: disk failed",
            Transport::Process,
        ),
        (
            "<11>1 2003-10-11T22:14:15Z hv1 kernel - - - disk failed",
            Transport::Process,
        ),
        (
            "<3>1 2003-10-11T22:14:15Z hv1 kernel - - - disk failed",
            Transport::Unknown,
        ),
        (
            "<3>1 2003-10-11T22:14:15Z hv1 kernel 17 - - disk failed",
            Transport::Process,
        ),
    ] {
        let wanted = ("kernel".to_owned(), transport);
        assert_eq!(came(&[("log", line.into())]), wanted, "{line}");
    }
}

#[test]
fn a_container_is_one_whatever_else_its_program_says() {
    let container = |program: &str| (program.to_owned(), Transport::Container);
    let kubernetes = any_map(&[
        ("pod_name", "db-0".into()),
        ("container_name", "postgres".into()),
    ]);
    let forged = [
        ("_TRANSPORT", Any::from("kernel")),
        ("SYSLOG_IDENTIFIER", "kernel".into()),
        ("priority", 3.into()),
        ("sequence", 1.into()),
        ("sec", 1.into()),
        ("usec", 1.into()),
        ("ident", "kernel".into()),
    ];
    let said = ("log", Any::from("disk failed"));
    // The keys of its JSON, merged into the record.
    for own in [
        ("kubernetes", kubernetes),
        ("container_name", "postgres".into()),
        ("CONTAINER_NAME", "postgres".into()),
    ] {
        let fields: Vec<_> = forged.iter().cloned().chain([said.clone(), own]).collect();
        assert_eq!(came(&fields), container("postgres"), "{fields:?}");
    }
    // The parsers of Docker's and CRI's logs.
    assert_eq!(
        came(&[said.clone(), ("stream", "stderr".into())]),
        container("")
    );
    let syslog = "Oct  3 22:14:15 hv2 kernel: disk failed";
    for line in [
        format!("2024-02-05T12:39:46Z stdout F {syslog}"),
        serde_json::json!({"log": format!("{syslog}\n"), "stream": "stdout", "time": "x"})
            .to_string(),
    ] {
        let mut filter = filter(&[]);
        out(&mut filter, &record(&[("log", line.as_str().into())]));
        let (stream, _, text, _, [program, ..], transport) = filter.detector.observed.remove(0);
        assert_eq!(
            (stream.as_str(), text.as_str(), program.as_str()),
            ("here", syslog, "")
        );
        assert_eq!(transport, Transport::Container);
    }
    // One that has the journal's socket.
    let scope = [
        ("_TRANSPORT", "syslog"),
        ("SYSLOG_IDENTIFIER", "smartd"),
        ("_UID", "0"),
        ("_SYSTEMD_UNIT", "docker-0123456789ab.scope"),
    ];
    assert_eq!(came_by_journal(&scope), container("smartd"));
}

#[test]
fn what_an_application_says_in_json_is_no_line_of_the_hosts_syslog() {
    let syslog = "Oct  3 22:14:15 hv2 kernel: disk failed";
    let line = serde_json::json!({"level": "error", "msg": syslog}).to_string();
    let wanted = read("here", syslog, Some(3), "", "");
    assert_eq!(read_of(&record(&[("log", line.as_str().into())])), wanted);
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
    // Whoever sends OTLP chooses what it says: the kernel cannot be told from others.
    for (transport, wanted) in [
        ("kernel", Transport::Unknown),
        ("syslog", Transport::Process),
    ] {
        let fields = [("MESSAGE", text.clone()), ("_TRANSPORT", transport.into())];
        let mut filter = filter(&[]);
        out(&mut filter, &with(&otlp, &fields));
        assert_eq!(filter.detector.observed[0].5, wanted);
    }
    let of_pod = pairs(&[(
        "resource",
        any_map(&[("attributes", any_map(&[("k8s.pod.name", "db-0".into())]))]),
    )]);
    let of_pod = encoded(Time::Ext, Width::Least, Some(&[]), -1, &of_pod);
    let mut of_container = filter(&[]);
    let fields = [("log", text.clone())];
    out(&mut of_container, &[of_pod, with(&otlp, &fields)].concat());
    assert_eq!(of_container.detector.observed[0].5, Transport::Container);
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
fn many_records_without_a_text_give_their_keys() {
    let mut filter = filter(&[]);
    let unread = record(&[("event_text", "disk failed".into()), ("n\n", 1.into())]);
    out(&mut filter, &unread.repeat(49));
    assert_eq!(filter.unread(), None);
    // Empty lines are no such records. Those of another input come in between.
    out(&mut filter, &record(&[("log", "".into())]));
    out(&mut filter, &record(&[("log", "x".into())]));
    assert_eq!(filter.unread(), None);
    out(&mut filter, &unread);
    assert_eq!(filter.unread().as_deref(), Some("event_text, n "));
    assert_eq!(filter.unread(), None);
    assert_eq!(filter.counters().textless, 51);
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
        Just(Any::from("log_failure")),
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
            proptest::collection::vec((prop::sample::select(&["log", "message", "host", "other", "PRIORITY", "event", "bellwether_score"][..]), value()), 0..20),
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
            let (before, after) = (before[1].as_map().unwrap(), after[1].as_map().unwrap());
            // What was renamed is in its place, and what was added is behind all.
            let named = |(key, value): &(Any, Any)| {
                let key = key.as_str().unwrap();
                (key.strip_prefix("foreign_").unwrap_or(key).to_owned(), value.clone())
            };
            let is_score = |(key, _): &(String, Any)| key == "bellwether_score";
            let is_others = |pair: &(String, Any)| !pair.0.starts_with("bellwether_");
            let others = |pairs: &[(Any, Any)]| -> Vec<_> {
                pairs.iter().map(named).filter(is_others).collect()
            };
            prop_assert_eq!(others(before), others(after));
            // A score of another filter is there still, or this filter's is in its place.
            let after: Vec<_> = after.iter().map(named).collect();
            for score in before.iter().map(named).filter(is_score) {
                let own = after.iter().any(|pair| is_score(pair) && pair.1.is_f64());
                prop_assert!(own || after.contains(&score));
            }
        }
    }

    #[test]
    fn any_bytes_are_taken_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        filter(&[]).take(&bytes, b"tag", |_| true, |_, _| {}).ok();
    }
}
