//! OpenTelemetry's logs in JSON, as the Collector's file exporter writes them: `resourceLogs`, `scopeLogs`, `logRecords`; or a record
//! alone.

use bellwether_core::lad::Transport;
use serde_json::{Map, Value};

use super::line::{Context, Line};
use super::words::level;
use super::{container, journal, json};
use crate::times::Stamp;

/// Adds the records of an object; `false` if it holds none of OpenTelemetry's.
pub fn add(object: &Map<String, Value>, lines: &mut Vec<Line<'static>>) -> bool {
    if let Some(Value::Array(resources)) = object
        .get("resourceLogs")
        .or_else(|| object.get("resource_logs"))
    {
        for of in resources {
            let resource = attributes(of.get("resource"));
            for scope in list(
                of,
                &["scopeLogs", "scope_logs", "instrumentationLibraryLogs"],
            ) {
                for record in list(scope, &["logRecords", "log_records", "logs"]) {
                    lines.extend(record.as_object().map(|record| line(record, &resource)));
                }
            }
        }
        return true;
    }
    let is_record = object.contains_key("body")
        && ["timeUnixNano", "observedTimeUnixNano", "severityNumber"]
            .iter()
            .any(|key| object.contains_key(*key));
    if is_record {
        lines.push(line(object, &attributes(object.get("resource"))));
    }
    is_record
}

fn list<'a>(of: &'a Value, keys: &[&str]) -> impl Iterator<Item = &'a Value> {
    let found = keys.iter().find_map(|key| of.get(*key)?.as_array());
    found.into_iter().flatten()
}

/// The attributes of a resource or record, by their keys.
fn attributes(of: Option<&Value>) -> Map<String, Value> {
    let pairs = of.and_then(|of| of.get("attributes"));
    match pairs {
        Some(Value::Array(pairs)) => pairs_of(pairs),
        Some(Value::Object(map)) => map.clone(),
        _ => Map::new(),
    }
}

fn pairs_of(pairs: &[Value]) -> Map<String, Value> {
    let pair = |pair: &Value| {
        Some((
            pair.get("key")?.as_str()?.to_owned(),
            plain(pair.get("value")?),
        ))
    };
    pairs.iter().filter_map(pair).collect()
}

/// A value without its type.
fn plain(value: &Value) -> Value {
    let Some((kind, inside)) = value.as_object().and_then(|object| object.iter().next()) else {
        return value.clone();
    };
    let values = || {
        inside
            .get("values")
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default()
    };
    match &**kind {
        "stringValue" | "boolValue" | "doubleValue" => inside.clone(),
        // 64-bit numbers are strings in JSON.
        "intValue" => inside
            .as_str()
            .and_then(|text| text.parse::<i64>().ok())
            .map_or(inside.clone(), Value::from),
        "kvlistValue" => Value::Object(pairs_of(values())),
        "arrayValue" => Value::Array(values().iter().map(plain).collect()),
        _ => value.clone(),
    }
}

fn line(record: &Map<String, Value>, resource: &Map<String, Value>) -> Line<'static> {
    let own = attributes(Some(&Value::Object(record.clone())));
    let find = |keys: &[&str]| {
        let keys = keys.iter();
        let mut values =
            keys.filter_map(|key| own.get(*key).or_else(|| resource.get(*key))?.as_str());
        values.next().map(str::to_owned)
    };
    let body = plain(record.get("body").unwrap_or(&Value::Null));
    let mut line = match &body {
        Value::Object(object) => json::record(object, &Context::default()),
        _ => None,
    }
    .unwrap_or_else(|| Line {
        text: match &body {
            Value::Object(_) => body.to_string().into(),
            body => journal::text(body).into_owned().into(),
        },
        ..Line::default()
    });
    let nanos = |key: &str| match record.get(key)? {
        Value::String(text) => text.parse::<u64>().ok(),
        number => number.as_u64(),
    };
    let time = ["timeUnixNano", "observedTimeUnixNano"]
        .iter()
        .filter_map(|key| nanos(key))
        .find(|time| *time > 0);
    if let Some(nanos) = time {
        line.time = Stamp::At((nanos / 1000) as f64 / 1e6);
    }
    line.priority = severity(record).or(line.priority);
    if line.host.is_empty() {
        line.host = find(&["k8s.node.name", "host.name", "hostname", "net.host.name"])
            .unwrap_or_default()
            .into();
    }
    if line.program.is_empty() {
        let keys = [
            "appname",
            "syslog.identifier",
            "k8s.container.name",
            "container.name",
            "service.name",
            "process.executable.name",
        ];
        line.program = find(&keys).unwrap_or_default().into();
    }
    if line.unit.is_empty() {
        line.unit = find(&["k8s.pod.name", "container.id"])
            .unwrap_or_default()
            .into();
    }
    if line.transport == Transport::Unknown {
        line.transport = transport(
            &own,
            find(&["k8s.container.name", "container.name", "container.id"]).is_some(),
        );
    }
    if line.transport == Transport::Container
        && let Some((priority, text)) = container::refine(&line.text)
    {
        line.priority = line.priority.or(priority);
        line.text = text.into();
    }
    line
}

/// The syslog receiver gives the facility as an attribute of the record.
fn transport(own: &Map<String, Value>, is_container: bool) -> Transport {
    match own.get("facility").and_then(Value::as_u64) {
        _ if is_container => Transport::Container,
        Some(0) => Transport::Kernel,
        Some(_) => Transport::Process,
        None => Transport::Unknown,
    }
}

/// The severity by OpenTelemetry's number, in steps of four, else by its name.
fn severity(record: &Map<String, Value>) -> Option<u8> {
    let number = match record.get("severityNumber") {
        Some(Value::Number(number)) => number.as_u64(),
        // "SEVERITY_NUMBER_ERROR2".
        Some(Value::String(name)) => {
            let name = name.strip_prefix("SEVERITY_NUMBER_").unwrap_or(name);
            return level(name.trim_end_matches(|c: char| c.is_ascii_digit()));
        }
        _ => None,
    };
    match number {
        Some(1..=8) => Some(7),
        Some(9) => Some(6),
        Some(10..=12) => Some(5),
        Some(13..=16) => Some(4),
        Some(17) => Some(3),
        Some(18) => Some(2),
        Some(19..=20) => Some(1),
        Some(21..=24) => Some(2),
        _ => level(record.get("severityText")?.as_str()?),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::TIME;
    use super::*;

    fn of(text: &str) -> Vec<Line<'static>> {
        let value: Value = serde_json::from_str(text).unwrap();
        let mut lines = Vec::new();
        assert!(add(value.as_object().unwrap(), &mut lines));
        lines
    }

    #[test]
    fn a_host_is_in_the_resource_and_a_level_is_a_number() {
        let lines = of(
            r#"{"resourceLogs":[{"resource":{"attributes":[{"key":"host.name","value":{"stringValue":"hv1"}},
            {"key":"service.name","value":{"stringValue":"csi"}}]},"scopeLogs":[{"scope":{},"logRecords":[
            {"timeUnixNano":"1795773600500000000","severityNumber":17,"body":{"stringValue":"volume lost"}},
            {"observedTimeUnixNano":"1795773600500000000","severityText":"Warn","body":{"stringValue":"slow"},
             "attributes":[{"key":"facility","value":{"intValue":"0"}},{"key":"appname","value":{"stringValue":"kernel"}}]}]}]}]}"#,
        );
        let row = |line: &Line<'_>| (line.time, line.transport, line.priority);
        assert_eq!(
            row(&lines[0]),
            (Stamp::At(TIME + 0.5), Transport::Unknown, Some(3))
        );
        assert_eq!(
            (&*lines[0].host, &*lines[0].program, &*lines[0].text),
            ("hv1", "csi", "volume lost")
        );
        assert_eq!(
            row(&lines[1]),
            (Stamp::At(TIME + 0.5), Transport::Kernel, Some(4))
        );
        assert_eq!(lines[1].program, "kernel");
    }

    #[test]
    fn a_body_may_be_an_entry_of_a_journal() {
        let lines = of(
            r#"{"timeUnixNano":"1795773600500000000","body":{"kvlistValue":{"values":[
            {"key":"MESSAGE","value":{"stringValue":"I/O error"}},{"key":"_TRANSPORT","value":{"stringValue":"kernel"}},
            {"key":"_HOSTNAME","value":{"stringValue":"hv2"}},{"key":"PRIORITY","value":{"stringValue":"3"}},
            {"key":"_CMDLINE","value":{"stringValue":"oom"}}]}}}"#,
        );
        let line = &lines[0];
        assert_eq!(
            (&*line.host, line.transport, line.priority, &*line.text),
            ("hv2", Transport::Kernel, Some(3), "I/O error")
        );
    }

    #[test]
    fn a_record_of_a_container_has_the_node_for_a_host() {
        let lines = of(
            r#"{"severityNumber":"SEVERITY_NUMBER_ERROR","body":"{\"msg\":\"volume lost\"}","resource":{"attributes":{
            "k8s.node.name":"node-7","host.name":"pod-1","k8s.container.name":"csi","k8s.pod.name":"csi-0"}}}"#,
        );
        let line = &lines[0];
        assert_eq!(
            (&*line.host, &*line.program, &*line.unit),
            ("node-7", "csi", "csi-0")
        );
        assert_eq!(
            (line.transport, line.priority, &*line.text),
            (Transport::Container, Some(3), "volume lost")
        );
    }
}
