//! Records in JSON: entries of a journal, Docker's json-file, `dmesg --json`, OTLP, and what applications log (zap, zerolog, pino, ECS,
//! GELF and the like).

use std::borrow::Cow;

use bellwether_core::lad::Transport;
use serde_json::{Map, Value};

use super::application::{
    HOST_KEYS, LEVEL_KEYS, PROGRAM_KEYS, REASON_KEYS, TEXT_KEYS, TIME_KEYS, stamp, with_reason,
};
use super::line::{Context, Line, Output};
use super::words::level;
use super::{container, journal, kernel, otlp};
use crate::times::{self, Stamp};

/// Why a text gives no records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// It is the beginning of JSON.
    Incomplete,
    /// It is no JSON, or has another form.
    Other,
}

/// The records in a text of JSON: an object, an array of objects, or an envelope of them.
///
/// # Errors
/// Why there are none.
pub fn records(text: &str, context: &Context) -> Result<Vec<Line<'static>>, Failure> {
    let value: Value = serde_json::from_str(text).map_err(|error| match error.is_eof() {
        true => Failure::Incomplete,
        false => Failure::Other,
    })?;
    let mut lines = Vec::new();
    match value {
        Value::Array(values) => {
            for value in values {
                add(
                    value.as_object().ok_or(Failure::Other)?,
                    context,
                    &mut lines,
                )
                .ok_or(Failure::Other)?;
            }
        }
        Value::Object(object) => add(&object, context, &mut lines).ok_or(Failure::Other)?,
        _ => return Err(Failure::Other),
    }
    Ok(lines)
}

fn add(
    object: &Map<String, Value>,
    context: &Context,
    lines: &mut Vec<Line<'static>>,
) -> Option<()> {
    if otlp::add(object, lines) {
        return Some(());
    }
    if let (Some(Value::Array(messages)), 1) = (object.get("dmesg"), object.len()) {
        lines.extend(messages.iter().filter_map(dmesg));
        return Some(());
    }
    lines.push(record(object, context)?);
    Some(())
}

/// The record that an object is.
pub fn record(object: &Map<String, Value>, context: &Context) -> Option<Line<'static>> {
    journal::json(object)
        .or_else(|| docker(object, context))
        .or_else(|| application(object))
}

/// A message of `dmesg --json`.
fn dmesg(message: &Value) -> Option<Line<'static>> {
    let text = message.get("msg")?.as_str()?.to_owned();
    let time = match message.get("time") {
        Some(Value::Number(number)) => Stamp::At(number.as_f64()?),
        Some(Value::String(text)) => stamp(text),
        _ => Stamp::Unknown,
    };
    let line = Line {
        time,
        program: "kernel".into(),
        transport: Transport::Kernel,
        text: text.into(),
        ..Line::default()
    };
    let (facility, severity) = match message.get("pri") {
        Some(Value::Number(number)) => (number.as_u64()? / 8, number.as_u64()? % 8),
        Some(Value::String(word)) => {
            let is_kernel = message
                .get("fac")
                .and_then(Value::as_str)
                .is_none_or(|facility| facility == "kern");
            (u64::from(!is_kernel), u64::from(level(word)?))
        }
        _ => return Some(line),
    };
    Some(kernel::with_facility(
        facility.min(255) as u8,
        severity as u8,
        line,
    ))
}

/// A line of a container: `{"log":"text\n","stream":"stderr","time":"..."}`. A text that goes on in the next one has no line feed.
fn docker(object: &Map<String, Value>, context: &Context) -> Option<Line<'static>> {
    let text = |key| object.get(key).and_then(Value::as_str);
    let (log, stream, time) = (text("log")?, text("stream")?, text("time")?);
    let output = match stream {
        "stdout" => Output::Stdout,
        "stderr" => Output::Stderr,
        _ => return None,
    };
    let is_part = !log.ends_with('\n');
    let log = log.strip_suffix('\n').unwrap_or(log);
    let line = container::output_of(stamp(time), output, is_part, "", context);
    Some(Line {
        text: log.strip_suffix('\r').unwrap_or(log).to_owned().into(),
        ..line
    })
}

/// What an application logs.
fn application(object: &Map<String, Value>) -> Option<Line<'static>> {
    let find = |keys: &[&str]| keys.iter().find_map(|key| string(object, key));
    let text = find(&TEXT_KEYS).or_else(|| find(&["short_message", "Body"]))?;
    let time = TIME_KEYS
        .iter()
        .find_map(|key| object.get(*key))
        .map_or(Stamp::Unknown, time_of);
    let kubernetes = object.get("kubernetes").and_then(Value::as_object);
    let node = kubernetes.and_then(|of| string(of, "host"));
    let pod = kubernetes.and_then(|of| {
        Some(format!(
            "{}/{}",
            string(of, "namespace_name")?,
            string(of, "pod_name")?
        ))
    });
    let named = |key: &str| {
        let object = object.get(key)?.as_object()?;
        string(object, "name").or_else(|| string(object, "hostname"))
    };
    Some(Line {
        time,
        host: node
            .or_else(|| find(&HOST_KEYS))
            .or_else(|| named("host"))
            .unwrap_or_default()
            .into(),
        program: kubernetes
            .and_then(|of| string(of, "container_name"))
            .or_else(|| find(&PROGRAM_KEYS))
            .or_else(|| named("service"))
            .unwrap_or_default()
            .into(),
        unit: pod.unwrap_or_default().into(),
        transport: match kubernetes {
            Some(_) => Transport::Container,
            None => Transport::Unknown,
        },
        priority: severity(object),
        text: with_reason(Cow::Owned(text), find(&REASON_KEYS).map(Cow::Owned)),
        ..Line::default()
    })
}

/// A value that is text or a number.
fn string(object: &Map<String, Value>, key: &str) -> Option<String> {
    match object.get(key)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn time_of(value: &Value) -> Stamp {
    match value {
        Value::String(text) => stamp(text),
        Value::Number(number) => number
            .as_f64()
            .and_then(times::of_number)
            .map_or(Stamp::Unknown, Stamp::At),
        _ => Stamp::Unknown,
    }
}

/// The level that an object gives by name, as syslog's number, or as the numbers of pino and bunyan.
fn severity(object: &Map<String, Value>) -> Option<u8> {
    let nested = || object.get("log")?.get("level");
    match LEVEL_KEYS
        .iter()
        .find_map(|key| object.get(*key))
        .or_else(nested)?
    {
        Value::String(word) => {
            level(word).or_else(|| word.parse().ok().filter(|number| *number <= 7))
        }
        Value::Number(number) => match number.as_u64()? {
            number @ 0..=7 => Some(number as u8),
            10..=29 => Some(7),
            30..=39 => Some(6),
            40..=49 => Some(4),
            50..=59 => Some(3),
            60..=69 => Some(2),
            _ => None,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::TIME;
    use super::*;

    type Row<'a> = (Stamp, &'a str, &'a str, Transport, Option<u8>, &'a str);

    fn assert_record(text: &str, expected: Row<'_>) {
        let found = records(text, &Context::default()).unwrap();
        let [line] = &found[..] else {
            panic!("{text}: {found:?}")
        };
        let found = (
            line.time,
            &*line.host,
            &*line.program,
            line.transport,
            line.priority,
            &*line.text,
        );
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn what_applications_log() {
        let at = Stamp::At(TIME + 0.5);
        let said = (at, "", "", Transport::Unknown, Some(3), "volume lost");
        for text in [
            r#"{"level":"error","ts":1795773600.5,"caller":"a.go:1","msg":"volume lost"}"#,
            r#"{"level":"error","time":"2026-11-27T10:00:00.5Z","message":"volume lost"}"#,
            r#"{"level":50,"time":1795773600500,"msg":"volume lost"}"#,
            r#"{"@timestamp":"2026-11-27T10:00:00.500Z","log":{"level":"error"},"message":"volume lost"}"#,
            r#"{"version":"1.1","timestamp":1795773600.5,"level":3,"short_message":"volume lost"}"#,
            r#"[{"severity":"ERROR","timestamp":"2026-11-27T10:00:00.5Z","message":"volume lost"}]"#,
        ] {
            assert_record(text, said);
        }
        assert_record(
            r#"{"level":"warn","msg":"sync failed","error":"timeout","host":{"name":"hv1"},"service":"csi"}"#,
            (
                Stamp::Unknown,
                "hv1",
                "csi",
                Transport::Unknown,
                Some(4),
                "sync failed: timeout",
            ),
        );
        assert_record(
            r#"{"log":"x","host":"pod-1","kubernetes":{"host":"node-7","pod_name":"p","namespace_name":"n","container_name":"c"}}"#,
            (
                Stamp::Unknown,
                "node-7",
                "c",
                Transport::Container,
                None,
                "x",
            ),
        );
    }

    #[test]
    fn docker_s_lines_are_a_container_s() {
        let at = Stamp::At(TIME + 0.123_456);
        let text =
            r#"{"log":"disk failed\n","stream":"stderr","time":"2026-11-27T10:00:00.123456789Z"}"#;
        assert_record(
            text,
            (at, "", "", Transport::Container, None, "disk failed"),
        );
        let part = records(&text.replace("\\n", ""), &Context::default()).unwrap();
        assert!(part[0].is_part && part[0].output == Some(Output::Stderr));
    }

    #[test]
    fn dmesg_s_json_has_numbers_or_names() {
        let text = r#"{"dmesg":[{"pri":3,"time":1.5,"msg":"I/O error"},{"fac":"daemon","pri":"info","time":2.5,"msg":"systemd[1]: x"}]}"#;
        let lines = records(text, &Context::default()).unwrap();
        let row = |line: &Line<'_>| {
            (
                line.time,
                line.program.clone().into_owned(),
                line.transport,
                line.priority,
            )
        };
        assert_eq!(
            row(&lines[0]),
            (
                Stamp::At(1.5),
                "kernel".to_owned(),
                Transport::Kernel,
                Some(3)
            )
        );
        assert_eq!(
            (row(&lines[1]).2, lines[1].priority),
            (Transport::Process, Some(6))
        );
    }

    #[test]
    fn what_holds_no_message_is_none() {
        for (text, failure) in [
            ("{\"a\":", Failure::Incomplete),
            ("{", Failure::Incomplete),
            ("{\"a\":1}", Failure::Other),
            ("{a}", Failure::Other),
            ("[1]", Failure::Other),
            ("{} x", Failure::Other),
        ] {
            assert_eq!(records(text, &Context::default()), Err(failure), "{text}");
        }
    }
}
