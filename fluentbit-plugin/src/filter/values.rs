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

/// A whole number, or one in digits.
pub fn number(value: Value<'_>) -> Option<u64> {
    match value {
        Value::Unsigned(number) => Some(number),
        Value::Str(text) => std::str::from_utf8(text).ok()?.parse().ok(),
        _ => None,
    }
}

/// What the numbers of a level are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Syslog's severities, 0 (emergency) to 7.
    Syslog,
    /// Syslog's PRI, which has the facility in its upper bits.
    Facility,
    /// Syslog's severities, or tens as loggers of JavaScript have them: 10 (trace) to 60 (fatal).
    Level,
    /// OpenTelemetry's severity numbers, 1 (trace) to 24 (fatal).
    OpenTelemetry,
}

impl Scale {
    /// That of the values of `key`.
    pub fn of(key: &[u8]) -> Self {
        match key {
            _ if key.eq_ignore_ascii_case(b"pri") => Self::Facility,
            b"severity_number" | b"SeverityNumber" | b"severityNumber" => Self::OpenTelemetry,
            b"PRIORITY" | b"priority" | b"severity" => Self::Syslog,
            _ => Self::Level,
        }
    }

    /// The syslog severity of a number.
    fn severity(self, number: u64) -> Option<u8> {
        match (self, number) {
            (Self::OpenTelemetry, 1..=8) => Some(7),
            (Self::OpenTelemetry, 9) => Some(6),
            (Self::OpenTelemetry, 10..=12) => Some(5),
            (Self::OpenTelemetry, 13..=16) => Some(4),
            (Self::OpenTelemetry, 17) => Some(3),
            // What syslog's critical and worse are given, and fatal.
            (Self::OpenTelemetry, 18..=24) => Some(2),
            (Self::OpenTelemetry, _) => None,
            (_, 0..=7) => Some(number as u8),
            // 24 facilities of eight priorities each.
            (Self::Facility, 8..=191) => Some((number % 8) as u8),
            (Self::Level, 10 | 20) => Some(7),
            (Self::Level, 30) => Some(6),
            (Self::Level, 40) => Some(4),
            (Self::Level, 50) => Some(3),
            (Self::Level, 60) => Some(2),
            _ => None,
        }
    }
}

/// The syslog severity that goes by a word.
pub fn level(word: &[u8]) -> Option<u8> {
    /// The words by which they go, each with the longer and the older forms.
    const WORDS: [&[&str]; 8] = [
        &["emerg", "emergency", "panic"],
        &["alert"],
        &["crit", "critical", "fatal", "dpanic", "f", "ftl"],
        &["err", "error", "severe", "e"],
        &["warning", "warn", "w", "wrn"],
        &["notice", "n"],
        &["info", "informational", "information", "i", "inf"],
        &["debug", "trace", "verbose", "d", "dbg", "t", "trc"],
    ];
    if word.len() > 16 {
        return None;
    }
    let is = |words: &&[&str]| {
        let mut words = words.iter();
        words.any(|known| known.as_bytes().eq_ignore_ascii_case(word))
    };
    WORDS.iter().position(is).map(|at| at as u8)
}

/// A syslog priority: a number, a number in digits, or a word.
pub fn priority(value: Value<'_>, scale: Scale) -> Option<u8> {
    match value {
        Value::Unsigned(number) => scale.severity(number),
        Value::Str(text) => {
            let text = text.trim_ascii();
            let number = std::str::from_utf8(text).ok()?.parse().ok();
            match number {
                Some(number) => scale.severity(number),
                None => match text {
                    // OpenTelemetry has four of each.
                    [word @ .., b'2'..=b'4'] => level(word),
                    word => level(word),
                },
            }
        }
        _ => None,
    }
}
