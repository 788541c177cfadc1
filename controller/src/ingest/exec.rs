//! A notification as collectd's plugin `exec` gives it to a program: headers, an empty line, the message.

use serde_json::{Map, Value};

use super::{Element, Refusal, flat};

/// Whether a text is such a notification.
pub(super) fn is_exec(text: &str) -> bool {
    text.starts_with("Severity:")
}

/// Reads one. The headers with small initials are the notification's metadata, which are the keys of the event.
pub(super) fn element(text: &str) -> Result<Element, Refusal> {
    let text = text.replace("\r\n", "\n");
    let (headers, message) = text.split_once("\n\n").unwrap_or((&text, ""));
    let mut event = Map::new();
    for line in headers.lines() {
        let Some((name, value)) = line.split_once(':') else {
            return Err(Refusal::content(format!(
                "\"{}\" is not a header of collectd's exec form, such as \"Severity: FAILURE\"",
                bellwether_core::text::shortened(line, 64)
            )));
        };
        let value = value.strip_prefix(' ').unwrap_or(value);
        if name.starts_with(|c: char| c.is_ascii_lowercase()) {
            event.insert(name.to_owned(), value.into());
        }
    }
    if !event.contains_key("event") {
        return Ok(Element::Foreign);
    }
    event.insert("message".into(), Value::String(message.trim().into()));
    flat::of_texts(event)
}
