//! Events as records: the fields of an event under its time.

use std::fmt;

use crate::msgpack;

/// The key whose value says what kind of event it is.
pub const KIND: &str = "event";

/// The key whose value is the version of the event's shape.
pub const SCHEMA: &str = "schema";

/// The kinds of events, of this plugin and of others of bellwether's.
const KINDS: [&[u8]; 7] = [
    b"log_failure",
    b"log_novelty",
    b"hypervisor_anomaly",
    b"hypervisor_silence",
    b"collector_silence",
    b"workload_change",
    b"failure_risk",
];

/// Whether a record with these values of [`KIND`] and [`SCHEMA`] is an event and no line of a log.
pub fn is_event(kind: msgpack::Value<'_>, schema: msgpack::Value<'_>) -> bool {
    let kind = matches!(kind, msgpack::Value::Str(kind) if KINDS.contains(&kind));
    kind && matches!(schema, msgpack::Value::Unsigned(_))
}

/// The value of a field of an event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FieldValue<'a> {
    /// A string.
    Text(&'a str),
    /// A number.
    Number(f64),
    /// A whole number.
    Integer(u64),
    /// True or false.
    Flag(bool),
}

/// The record of an event with that time, in seconds since the epoch: its fields in their order.
pub fn record(time: f64, fields: &[(&str, FieldValue<'_>)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    out.extend([0x92, 0x92]);
    write_time(&mut out, time);
    out.push(0x80);
    write_head(&mut out, rmp::encode::write_map_len, fields.len());
    for (key, value) in fields {
        write_str(&mut out, key.as_bytes());
        match *value {
            FieldValue::Text(text) => write_str(&mut out, text.as_bytes()),
            FieldValue::Number(number) => write_float(&mut out, number),
            FieldValue::Integer(number) => write_unsigned(&mut out, number),
            FieldValue::Flag(flag) => write_bool(&mut out, flag),
        }
    }
    out
}

/// The host's extension type for times: seconds and nanoseconds.
fn write_time(out: &mut Vec<u8>, time: f64) {
    let time = time.clamp(0.0, f64::from(u32::MAX - 2));
    let seconds = time.floor();
    let nanos = ((time - seconds) * 1e9) as u32;
    out.extend([0xd7, 0]);
    out.extend((seconds as u32).to_be_bytes());
    out.extend(nanos.min(999_999_999).to_be_bytes());
}

fn write_head<R, E: fmt::Debug>(
    out: &mut Vec<u8>,
    write: impl Fn(&mut Vec<u8>, u32) -> Result<R, E>,
    length: usize,
) {
    write(out, length as u32).expect("a vector takes all");
}

/// Writes a string; it need not be UTF-8.
pub fn write_str(out: &mut Vec<u8>, text: &[u8]) {
    write_head(out, rmp::encode::write_str_len, text.len());
    out.extend_from_slice(text);
}

/// Writes a whole number in the shortest form.
pub fn write_unsigned(out: &mut Vec<u8>, number: u64) {
    rmp::encode::write_uint(out, number).expect("a vector takes all");
}

/// Writes a floating-point number.
pub fn write_float(out: &mut Vec<u8>, number: f64) {
    rmp::encode::write_f64(out, number).expect("a vector takes all");
}

/// Writes true or false.
pub fn write_bool(out: &mut Vec<u8>, value: bool) {
    out.push(0xc2 | u8::from(value));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::msgpack::Value as Packed;
    use crate::record::tests::decoded;
    use crate::record::{Records, When};

    #[test]
    fn an_event_is_a_record_with_its_time_and_all_its_keys_in_their_order() {
        let bytes = record(
            1_700_000_000.25,
            &[
                ("event", FieldValue::Text("log_failure")),
                ("schema", FieldValue::Integer(1)),
                ("time", FieldValue::Number(1_700_000_000.25)),
                ("score", FieldValue::Number(0.75)),
                ("on", FieldValue::Flag(true)),
            ],
        );
        let mut keys = Vec::new();
        let found = Records::of(&bytes)
            .next(|key, _, _| keys.push(String::from_utf8_lossy(key).into_owned()))
            .unwrap()
            .unwrap();
        assert_eq!(found.time, When::Seconds(1_700_000_000.25));
        assert_eq!(keys, ["event", "schema", "time", "score", "on"]);
        let shown = decoded(&bytes)[0][1].to_string();
        let wanted = r#"{"event": "log_failure", "schema": 1, "time": 1700000000.25, "score": 0.75, "on": true}"#;
        assert_eq!(shown, wanted);
    }

    #[test]
    fn events_are_distinguished_from_records_that_only_look_alike() {
        assert!(is_event(Packed::Str(b"log_failure"), Packed::Unsigned(1)));
        assert!(!is_event(Packed::Str(b"login"), Packed::Unsigned(1)));
        assert!(!is_event(Packed::Str(b"log_failure"), Packed::Str(b"1")));
        assert!(!is_event(Packed::Unsigned(7), Packed::Unsigned(1)));
    }
}
