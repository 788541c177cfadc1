//! CloudEvents 1.0 over HTTP and as JSON (CNCF, "CloudEvents - Version 1.0.2", "HTTP Protocol Binding", "JSON Event Format").
//!
//! The data of a CloudEvent is an event of bellwether; its own attributes are not used.

use serde_json::{Map, Value};

use super::{Element, Refusal, flat};

/// Reads a CloudEvent in binary form: the body is its data.
pub(super) fn binary(version: &str, data: Value) -> Result<Element, Refusal> {
    check(version)?;
    flat::element(data)
}

/// Reads a CloudEvent in structured form.
pub(super) fn structured(mut object: Map<String, Value>) -> Result<Element, Refusal> {
    let version = object.get("specversion").and_then(Value::as_str);
    check(version.unwrap_or_default())?;
    match object.remove("data") {
        Some(Value::String(text)) => match serde_json::from_str(&text) {
            Ok(data) => flat::element(data),
            Err(error) => Err(Refusal::content(format!(
                "the \"data\" of the CloudEvent is not JSON: {error}"
            ))),
        },
        Some(data) => flat::element(data),
        None if object.contains_key("data_base64") => Err(Refusal::content(
            "the CloudEvent has \"data_base64\"; it takes \"data\" with an event of bellwether as JSON",
        )),
        None => Err(Refusal::content(
            "the CloudEvent has no \"data\"; it takes an event of bellwether",
        )),
    }
}

fn check(version: &str) -> Result<(), Refusal> {
    match version {
        "1.0" => Ok(()),
        other => Err(Refusal::content(format!(
            "version \"{}\" of CloudEvents is not supported; it takes \"1.0\"",
            bellwether_core::text::shortened(other, 16)
        ))),
    }
}
