//! The answers of a running controller in words, for a terminal.

use std::fmt::Write as _;

use serde_json::Value;

/// What `/v1/suggestions` says.
///
/// # Errors
/// It is not JSON.
pub fn in_words(answer: &str) -> Result<String, serde_json::Error> {
    let answer: Value = serde_json::from_str(answer)?;
    let list = |key: &str| answer[key].as_array().cloned().unwrap_or_default();
    let mut out = String::new();
    let line = |out: &mut String, text: String| {
        // Writing to a text cannot fail.
        let _ = writeln!(out, "{text}");
    };
    if let Some(by) = answer["pause"]["by"].as_str() {
        let reason = text(&answer["pause"]["reason"]);
        line(
            &mut out,
            format!("paused by {by} {reason}").trim_end().to_owned(),
        );
    }
    if answer["brake"].is_object() {
        let reasons = reasons(&answer["brake"]);
        line(&mut out, format!("the brake has tripped: {reasons}"));
    }
    for (cause, _) in answer["freezes"].as_object().into_iter().flatten() {
        line(&mut out, format!("nothing is evacuated: {cause}"));
    }
    let suggestions = list("suggestions");
    if suggestions.is_empty() {
        line(&mut out, "no suggestions".into());
    }
    for suggestion in suggestions {
        let (id, host) = (&suggestion["id"], text(&suggestion["host"]));
        let state = text(&suggestion["state"]);
        line(
            &mut out,
            format!("{id}  {host}  {state}: {}", reasons(&suggestion)),
        );
    }
    for action in list("evacuations") {
        let (id, host) = (&action["suggestion"], text(&action["host"]));
        let (phase, note) = (text(&action["phase"]), text(&action["note"]));
        let words = format!("evacuation {id}  {host}  {phase}  {note}");
        line(&mut out, words.trim_end().to_owned());
    }
    Ok(out)
}

/// The decisions that followed from an order.
///
/// # Errors
/// It is not JSON.
pub fn decisions(answer: &str) -> Result<String, serde_json::Error> {
    let answer: Value = serde_json::from_str(answer)?;
    let mut out = String::new();
    for decision in answer["decisions"].as_array().into_iter().flatten() {
        let (action, host) = (text(&decision["action"]), text(&decision["host"]));
        // Writing to a text cannot fail.
        let _ = writeln!(out, "{action} {host}: {}", reasons(decision));
    }
    Ok(match out.is_empty() {
        true => "done\n".into(),
        false => out,
    })
}

fn text(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    bellwether_core::text::clean(text).into_owned()
}

fn reasons(of: &Value) -> String {
    let reasons = of["reasons"].as_array().into_iter().flatten();
    reasons.map(text).collect::<Vec<_>>().join("; ")
}
