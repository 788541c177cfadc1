//! Bellwether's own JSON, and the same keys as texts.

use bellwether_core::event::{Event, EventKind};
use bellwether_core::options::nearest;
use serde_json::{Map, Number, Value};

use super::{Element, Refusal};

/// Every kind of event, by the word in its key `event`.
const KINDS: &[EventKind] = &[
    EventKind::HypervisorAnomaly,
    EventKind::HypervisorSilence,
    EventKind::CollectorSilence,
    EventKind::FleetChange,
    EventKind::WorkloadChange,
    EventKind::ResourceAnomaly,
    EventKind::LogFailure,
    EventKind::LogNovelty,
    EventKind::FailureRisk,
    EventKind::GroupAnomaly,
];

/// Keys with a number.
const NUMBERS: &[&str] = &[
    "schema",
    "time",
    "score",
    "since",
    "consensus",
    "distinctiveness",
    "consistency",
    "vms",
    "voters",
    "hypervisors",
    "voting_hypervisors",
    "group_hypervisors",
    "p_value",
    "template_id",
    "count",
    "seen",
    "first_seen",
    "horizon_min",
    "risk_10min",
    "risk_30min",
    "failures_per_host_year",
];

/// Keys with true or false.
const FLAGS: &[&str] = &["provisional", "trusted", "at_startup", "calibrated"];

/// Reads an element that has the keys of an event.
pub(super) fn element(value: Value) -> Result<Element, Refusal> {
    let Value::Object(object) = value else {
        return Err(Refusal::content(format!(
            "{} is not an event, which is a JSON object",
            kind_of(&value)
        )));
    };
    if object.contains_key("dstypes") || object.contains_key("dsnames") {
        return Err(Refusal::content(
            "this is a value of collectd, not a notification: set \"Metrics false\" and \"Notifications true\"",
        ));
    }
    let Some(word) = object.get("event") else {
        return Err(Refusal::content(
            "there is no key \"event\"; it takes an event of bellwether, an alert with \"labels\", or a CloudEvent",
        ));
    };
    let Value::String(word) = word else {
        return Err(Refusal::content("\"event\" is not a text"));
    };
    if word == "log_question" {
        return Ok(Element::Foreign);
    }
    check_kind(word)?;
    match serde_json::from_value::<Event>(Value::Object(object)) {
        Ok(event) => Ok(Element::Event(Box::new(event))),
        Err(error) => Err(Refusal::content(format!("the event is not valid: {error}"))),
    }
}

/// Reads an event whose values may all be texts, as collectd's metadata are.
pub(super) fn of_texts(mut object: Map<String, Value>) -> Result<Element, Refusal> {
    for (key, value) in &mut object {
        let Value::String(text) = value else {
            continue;
        };
        let typed = if NUMBERS.contains(&key.as_str()) {
            number(text).map(Value::Number)
        } else if FLAGS.contains(&key.as_str()) {
            text.parse().ok().map(Value::Bool)
        } else {
            continue;
        };
        *value = typed.ok_or_else(|| {
            let takes = match NUMBERS.contains(&key.as_str()) {
                true => "a number",
                false => "true or false",
            };
            Refusal::content(format!("\"{key}\" is \"{text}\"; it takes {takes}"))
        })?;
    }
    element(Value::Object(object))
}

fn number(text: &str) -> Option<Number> {
    match text.parse::<u64>() {
        Ok(whole) => Some(whole.into()),
        Err(_) => Number::from_f64(text.parse().ok()?),
    }
}

/// Checks that `word` is a kind of event.
pub(super) fn check_kind(word: &str) -> Result<EventKind, Refusal> {
    let words = KINDS.iter().map(|kind| kind.as_str());
    if let Some(kind) = KINDS.iter().find(|kind| kind.as_str() == word) {
        return Ok(*kind);
    }
    let near = nearest(word, words.clone());
    let near = near.map(|near| format!(" (did you mean \"{near}\"?)"));
    Err(Refusal::content(format!(
        "\"{}\" is not a kind of event{}; the kinds are {}",
        bellwether_core::text::shortened(word, 64),
        near.unwrap_or_default(),
        words.collect::<Vec<_>>().join(", ")
    )))
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a flag",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array within an array",
        Value::Object(_) => "an object",
    }
}
