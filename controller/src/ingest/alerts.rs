//! Alerts in Alertmanager's form: as collectd's `write_http` posts notifications, and as Alertmanager's webhook does.
//!
//! An alert concerns the controller if one of its annotations or labels is `event`, the kind of event. What collectd posts has all
//! keys of the event as annotations. The alert of a rule in Prometheus has fewer: what it does not say is taken in the way that
//! permits least, provisional and not trusted, so that no host is evacuated for it alone.

use bellwether_core::event::{EventKind, IncidentId};
use bellwether_core::units::Time;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Element, Refusal, flat};

/// Labels with the name of the host, the first one that is present counts.
const HOST_LABELS: [&str; 5] = ["hypervisor", "bellwether", "host", "node", "instance"];

/// Checks the envelope of a webhook.
pub(super) fn check_webhook(envelope: &Map<String, Value>) -> Result<(), Refusal> {
    match envelope.get("version") {
        None => Ok(()),
        Some(Value::String(version)) if version == "4" => Ok(()),
        Some(version) => Err(Refusal::content(format!(
            "version {version} of Alertmanager's webhook is not supported; it takes \"4\""
        ))),
    }
}

/// Reads an alert.
pub(super) fn element(alert: Value) -> Result<Element, Refusal> {
    let Value::Object(mut alert) = alert else {
        return Err(Refusal::content("an alert is not an object"));
    };
    let labels = texts(&mut alert, "labels")?;
    let mut keys = texts(&mut alert, "annotations")?;
    let kind = keys.get("event").or_else(|| labels.get("event"));
    let Some(kind) = kind.and_then(Value::as_str) else {
        return Ok(Element::Foreign);
    };
    let kind = flat::check_kind(kind)?;
    if let Some(summary) = keys.remove("summary") {
        keys.entry("message").or_insert(summary);
    }
    let is_resolved = alert.get("status").and_then(Value::as_str) == Some("resolved");
    if keys.contains_key("incident") && keys.contains_key("time") {
        if is_resolved && keys.get("state").and_then(Value::as_str) != Some("cleared") {
            // Alertmanager ends an alert of collectd by its resolve_timeout, which says nothing about the host.
            return Ok(Element::Foreign);
        }
        return flat::of_texts(keys);
    }
    let starts = time(&alert, "startsAt")?;
    let time = match is_resolved {
        true => time(&alert, "endsAt")?,
        false => starts,
    };
    fill(&mut keys, &labels, &alert, kind, starts, time, is_resolved)?;
    flat::of_texts(keys)
}

/// Adds the keys that the alert of a rule does not have.
fn fill(
    keys: &mut Map<String, Value>,
    labels: &Map<String, Value>,
    alert: &Map<String, Value>,
    kind: EventKind,
    starts: Time,
    time: Time,
    is_resolved: bool,
) -> Result<(), Refusal> {
    let text = |key: &str| labels.get(key).and_then(Value::as_str);
    let host = HOST_LABELS.iter().find_map(|label| text(label));
    let host = match (keys.get("hypervisor").and_then(Value::as_str), host) {
        (Some(host), _) | (None, Some(host)) => host.to_owned(),
        (None, None) => {
            return Err(Refusal::content(format!(
                "the alert names no host; it takes one of the labels {}",
                HOST_LABELS.join(", ")
            )));
        }
    };
    let fingerprint = alert.get("fingerprint").and_then(Value::as_str);
    let incident = IncidentId::new(kind, &[&host, fingerprint.unwrap_or_default()], starts, 0);
    let mut default = |key: &str, value: Value| {
        keys.entry(key).or_insert(value);
    };
    default("event", kind.as_str().into());
    default("time", json!(time.secs()));
    default("since", json!(starts.secs()));
    default("hypervisor", host.as_str().into());
    default("incident", incident.to_string().into());
    let (state, severity) = match is_resolved {
        true => ("cleared", "okay"),
        false => ("raised", "warning"),
    };
    default("state", state.into());
    default("severity", severity.into());
    // An alarm begins here, and no rule says more.
    default("score", json!(0.5));
    default(
        "message",
        format!("{host}: {kind}", kind = kind.as_str()).into(),
    );
    if is_resolved {
        default("reason", "resolved".into());
    }
    match kind {
        EventKind::HypervisorAnomaly => {
            default("metric", text("metric").unwrap_or("unknown").into());
            default("vms", 0.into());
            default("voters", 0.into());
            default("provisional", true.into());
        }
        EventKind::ResourceAnomaly => {
            default("metric", text("metric").unwrap_or("unknown").into());
            default("provisional", true.into());
        }
        EventKind::LogFailure => {
            default("stream", host.as_str().into());
            default("template", "".into());
            default("template_id", 0.into());
            default("phrase", "".into());
            default("count", 1.into());
            default("trusted", false.into());
        }
        EventKind::LogNovelty => default("stream", host.as_str().into()),
        _ => {}
    }
    Ok(())
}

/// A map of texts in an alert.
fn texts(alert: &mut Map<String, Value>, key: &str) -> Result<Map<String, Value>, Refusal> {
    match alert.remove(key) {
        None => Ok(Map::new()),
        Some(Value::Object(map)) => Ok(map),
        Some(_) => Err(Refusal::content(format!("\"{key}\" is not an object"))),
    }
}

/// A time of an alert.
fn time(alert: &Map<String, Value>, key: &str) -> Result<Time, Refusal> {
    let text = alert.get(key).and_then(Value::as_str).unwrap_or_default();
    let parsed: Result<Timestamp, _> = text.parse();
    let parsed = parsed.map_err(|_| {
        Refusal::content(format!(
            "\"{key}\" is \"{}\"; it takes a time such as 2026-01-05T08:53:38Z",
            bellwether_core::text::shortened(text, 64)
        ))
    })?;
    Ok(Time::from_secs(parsed.as_nanosecond() as f64 / 1e9))
}
