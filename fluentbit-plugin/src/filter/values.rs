//! What a record's values stand for.

use std::borrow::Cow;

use crate::msgpack::Value;

/// A text that has something in it.
#[inline]
pub fn text(value: Value<'_>) -> Option<&[u8]> {
    match value {
        Value::Str(text) | Value::Bin(text) if !text.is_empty() => Some(text),
        _ => None,
    }
}

/// The name of a stream, which can be a number too.
pub fn name(value: Value<'_>) -> Option<Cow<'_, str>> {
    match value {
        Value::Unsigned(n) => Some(n.to_string().into()),
        Value::Negative(n) => Some(n.to_string().into()),
        value => text(value).map(String::from_utf8_lossy),
    }
}

/// A syslog priority: a number, a number in digits, or a word.
pub fn priority(value: Value<'_>, with_facility: bool) -> Option<u8> {
    /// The words by which priorities go, each with the longer and the older forms.
    const WORDS: [&[&str]; 8] = [
        &["emerg", "emergency", "panic"],
        &["alert"],
        &["crit", "critical", "fatal"],
        &["err", "error"],
        &["warning", "warn"],
        &["notice"],
        &["info", "informational", "information"],
        &["debug", "trace"],
    ];
    let number = match value {
        Value::Unsigned(n) => n,
        Value::Str(text) => {
            let text = std::str::from_utf8(text).ok()?.trim();
            match text.parse() {
                Ok(n) => n,
                Err(_) => {
                    let is = |words: &&[&str]| words.iter().any(|w| w.eq_ignore_ascii_case(text));
                    WORDS.iter().position(is)? as u64
                }
            }
        }
        _ => return None,
    };
    match number {
        0..=7 => Some(number as u8),
        // 24 facilities of eight priorities each.
        8..=191 if with_facility => Some((number % 8) as u8),
        _ => None,
    }
}
