//! From what senders post to events: one function for every form that is accepted.
//!
//! | Form | How it is recognized |
//! | --- | --- |
//! | bellwether's JSON: an object, an array, JSON Lines, Fluent Bit's `json`, `json_lines`, `json_stream` | an object with `event` |
//! | collectd's `write_http` (Alertmanager's API) | an object with `labels` and `annotations` |
//! | collectd's `exec` | text that begins with `Severity:` |
//! | Alertmanager's webhook, version 4 | an object with `alerts` |
//! | CloudEvents 1.0, structured and batch | an object with `specversion` |
//! | CloudEvents 1.0, binary | the header `ce-specversion` |

mod alerts;
mod cloud_events;
mod exec;
mod flat;
mod refusal;

use bellwether_core::event::{Event, EventKind, Subject};
use bellwether_core::risk::NAME_MAX_BYTES;
use bellwether_core::units::Time;
use serde_json::{Deserializer, Value};

pub use refusal::Refusal;

/// Maximum number of events in one request.
pub const EVENTS_MAX: usize = 10_000;
/// Maximum number of refused elements that a reply names.
const NAMED_MAX: usize = 20;

/// What the transport says about a body.
#[derive(Debug, Clone, Copy, Default)]
pub struct Head<'a> {
    /// The media type, possibly with parameters; empty if none was given.
    pub content_type: &'a str,
    /// The content coding; empty if none was given.
    pub content_encoding: &'a str,
    /// The header `ce-specversion` of a CloudEvent in binary form.
    pub cloud_event: Option<&'a str>,
}

/// An element of a body.
#[derive(Debug, Clone, PartialEq)]
enum Element {
    /// An event.
    Event(Box<Event>),
    /// Nothing that concerns the controller: the alert of another program, a question about a log template.
    Foreign,
}

/// What a body held.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Batch {
    /// The events, in the order of the body.
    pub events: Vec<Event>,
    /// Number of elements that do not concern the controller.
    pub ignored: u64,
    /// Number of elements that were refused.
    pub refused: u64,
    /// What was wrong with the first of them.
    pub reasons: Vec<String>,
}

impl Batch {
    fn add(&mut self, at: usize, element: Result<Element, Refusal>, now: Time, ahead_sec: f64) {
        let event = match element {
            Ok(Element::Foreign) => {
                self.ignored += 1;
                return;
            }
            Ok(Element::Event(event)) => accepted(*event, now, ahead_sec),
            Err(refusal) => Err(refusal),
        };
        match event {
            Ok(event) => self.events.push(event),
            Err(refusal) => {
                self.refused += 1;
                if self.reasons.len() < NAMED_MAX {
                    self.reasons.push(format!("element {at}: {refusal}"));
                }
            }
        }
    }
}

/// The events in `body`. `now` is the time of arrival; events more than `ahead_sec` seconds later are refused.
///
/// One element that cannot be used does not lose the others: it is counted and named in the [`Batch`].
///
/// # Errors
/// The body as a whole cannot be used, or nothing in it can.
pub fn parse(head: &Head<'_>, body: &[u8], now: Time, ahead_sec: f64) -> Result<Batch, Refusal> {
    check_head(head)?;
    let text = std::str::from_utf8(body)
        .map_err(|error| Refusal::syntax(format!("the body is not UTF-8: {error}")))?;
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Err(Refusal::syntax(
            "the body is empty; it takes events as JSON",
        ));
    }
    let mut batch = Batch::default();
    if exec::is_exec(text) {
        batch.add(0, exec::element(text), now, ahead_sec);
    } else if let Some(version) = head.cloud_event {
        let value = json(text)?;
        batch.add(0, cloud_events::binary(version, value), now, ahead_sec);
    } else {
        for value in Deserializer::from_str(text).into_iter::<Value>() {
            take(&mut batch, value.map_err(|e| not_json(&e))?, now, ahead_sec)?;
        }
    }
    if batch.events.is_empty() && batch.refused > 0 {
        return Err(Refusal::content(batch.reasons.join("; ")));
    }
    Ok(batch)
}

fn check_head(head: &Head<'_>) -> Result<(), Refusal> {
    if !["", "identity"].contains(&head.content_encoding) {
        return Err(Refusal::media(format!(
            "the content encoding \"{}\" is not supported: send the body uncompressed",
            head.content_encoding
        )));
    }
    let media = head.content_type.split(';').next().unwrap_or_default();
    let media = media.trim().to_ascii_lowercase();
    if media.contains("msgpack") || media.contains("protobuf") {
        return Err(Refusal::media(format!(
            "\"{media}\" is not supported: send JSON (Fluent Bit: format json)"
        )));
    }
    Ok(())
}

fn json(text: &str) -> Result<Value, Refusal> {
    serde_json::from_str(text).map_err(|error| not_json(&error))
}

fn not_json(error: &serde_json::Error) -> Refusal {
    let cut = match error.is_eof() {
        true => " (collectd's write_http cuts a notification at 4096 bytes)",
        false => "",
    };
    Refusal::syntax(format!("the body is not JSON: {error}{cut}"))
}

/// Takes one value of the top level: an element, an array of elements, or an envelope around some.
fn take(batch: &mut Batch, value: Value, now: Time, ahead_sec: f64) -> Result<(), Refusal> {
    let elements = match value {
        Value::Array(elements) => elements,
        other => vec![other],
    };
    for element in elements {
        let count = batch.events.len() as u64 + batch.ignored + batch.refused;
        if count >= EVENTS_MAX as u64 {
            return Err(Refusal::large(format!(
                "the body has more than {EVENTS_MAX} events: send them in several requests"
            )));
        }
        let at = count as usize;
        match element {
            Value::Object(mut object) if object.contains_key("alerts") => {
                let alerts = object.remove("alerts");
                let Some(Value::Array(alerts)) = alerts else {
                    let error = Refusal::content("\"alerts\" is not an array");
                    batch.add(at, Err(error), now, ahead_sec);
                    continue;
                };
                if let Err(refusal) = alerts::check_webhook(&object) {
                    batch.add(at, Err(refusal), now, ahead_sec);
                    continue;
                }
                for (more, alert) in alerts.into_iter().take(EVENTS_MAX).enumerate() {
                    batch.add(at + more, alerts::element(alert), now, ahead_sec);
                }
            }
            Value::Object(object) if object.contains_key("specversion") => {
                batch.add(at, cloud_events::structured(object), now, ahead_sec);
            }
            Value::Object(object) if object.contains_key("labels") => {
                batch.add(at, alerts::element(Value::Object(object)), now, ahead_sec);
            }
            other => batch.add(at, flat::element(other), now, ahead_sec),
        }
    }
    Ok(())
}

/// Checks what an event's own form cannot: its time, and the names that everything else is keyed by.
fn accepted(event: Event, now: Time, ahead_sec: f64) -> Result<Event, Refusal> {
    if !event.time.is_plausible() {
        return Err(Refusal::content(format!(
            "\"time\" ({}) is no time in seconds since the epoch",
            event.time.secs()
        )));
    }
    let ahead = event.time.seconds_since(now);
    if ahead > ahead_sec {
        return Err(Refusal::content(format!(
            "\"time\" is {ahead:.0} s in the future: set the clock of the sender, or of the controller"
        )));
    }
    let is_of_group = matches!(
        event.kind(),
        EventKind::CollectorSilence | EventKind::FleetChange | EventKind::GroupAnomaly
    );
    let name = match &event.subject {
        Subject::Group(name) if is_of_group => name.as_str(),
        Subject::Group(_) => {
            return Err(Refusal::content(
                "\"hypervisor\" is empty; it takes the name of a host",
            ));
        }
        _ => event.hypervisor(),
    };
    if name.len() > NAME_MAX_BYTES {
        return Err(Refusal::content(format!(
            "the name of the host has {} bytes; it takes at most {NAME_MAX_BYTES}",
            name.len()
        )));
    }
    // The same texts as a later replay of the stored event has.
    let cleaned = serde_json::from_str(&event.to_json());
    cleaned.map_err(|error| Refusal::content(error.to_string()))
}

#[cfg(test)]
mod tests;
