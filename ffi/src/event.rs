//! An event, read field by field.

use std::ffi::c_char;
use std::sync::OnceLock;

use bellwether_core::event::{Event, Field, FieldValue};

use crate::border::{Failure, Growable, Handle, fallible, free, growable, guard, text};
use crate::error::{bw_error, bw_result};
use crate::string::bw_string;

/// What a detector reports, once: a condition began, or it ended. Independent of its detector. It never changes; several threads
/// may use it at once, and its strings live as long as it.
///
/// Which fields it has depends on its kind. Always there: "event" (the kind: "hypervisor_anomaly", "log_failure", ...), "schema",
/// "time" (seconds since the epoch, of the data), "state" ("raised" or "cleared"), "severity" ("okay", "warning" or "failure"),
/// "hypervisor" (empty if it is about more than one), "score" (0 to 1), "message" (one line, at most 255 bytes) and "since"
/// (seconds).
pub struct bw_event {
    event: Event,
    fields: Vec<(Field, Text)>,
    /// The event as JSON with a NUL at its end, once somebody asked for it.
    json: OnceLock<String>,
}

/// The value of a field that is no text, as text.
type Text = Option<String>;

/// The text of a value that is none, as JSON has it.
fn text_of(value: &FieldValue) -> Text {
    match value {
        FieldValue::Text(_) => None,
        FieldValue::Number(number) => Some(format!("{number:?}")),
        FieldValue::Integer(number) => Some(number.to_string()),
        FieldValue::Flag(flag) => Some(flag.to_string()),
    }
}

impl Handle for bw_event {
    const NAME: &'static str = "bw_event";
}

impl From<Event> for bw_event {
    fn from(event: Event) -> Self {
        Self {
            fields: event
                .fields()
                .into_iter()
                .map(|field| {
                    let text = text_of(&field.value);
                    (field, text)
                })
                .collect(),
            event,
            json: OnceLock::new(),
        }
    }
}

/// The type of a field's value.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum bw_field_kind {
    /// A string.
    BW_FIELD_TEXT = 0,
    /// A finite number.
    BW_FIELD_NUMBER = 1,
    /// A whole number, not negative.
    BW_FIELD_INTEGER = 2,
    /// True or false.
    BW_FIELD_FLAG = 3,
}

/// One field of an event.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bw_field {
    /// Set by the caller to `sizeof(bw_field)`.
    pub size: usize,
    /// The key, in snake case.
    pub key: bw_string,
    /// The value as text, whatever its type: as in the JSON, without quotes and escapes.
    pub text: bw_string,
    /// The value as a number; 1 for true, 0 for false and for a text.
    pub number: f64,
    /// The value as a whole number; 0 for a `BW_FIELD_NUMBER` and a text.
    pub integer: u64,
    /// The type of the value.
    pub kind: bw_field_kind,
    /// The value of a `BW_FIELD_FLAG`.
    pub flag: bool,
}

growable!(bw_field, 64);

impl From<&(Field, Text)> for bw_field {
    fn from((field, text): &(Field, Text)) -> Self {
        let mut text = bw_string::optional(text.as_deref());
        let (kind, number, integer, flag) = match &field.value {
            FieldValue::Text(own) => {
                text = bw_string::of(own);
                (bw_field_kind::BW_FIELD_TEXT, 0.0, 0, false)
            }
            &FieldValue::Number(number) => (bw_field_kind::BW_FIELD_NUMBER, number, 0, false),
            &FieldValue::Integer(integer) => {
                let number = integer as f64;
                (bw_field_kind::BW_FIELD_INTEGER, number, integer, false)
            }
            &FieldValue::Flag(flag) => {
                let integer = u64::from(flag);
                (bw_field_kind::BW_FIELD_FLAG, integer as f64, integer, flag)
            }
        };
        Self {
            size: size_of::<Self>(),
            key: bw_string::of(field.key),
            text,
            number,
            integer,
            kind,
            flag,
        }
    }
}

/// Frees `event`. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_event_free(event: *mut bw_event) {
    // SAFETY: passed on to the caller.
    unsafe { free(event) };
}

/// How many fields the event has; 0 if `event` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_event_field_count(event: *const bw_event) -> usize {
    guard(0, || {
        // SAFETY: the caller passes NULL or an event that it has not freed.
        unsafe { bw_event::shared(event) }.map_or(0, |event| event.fields.len())
    })
}

/// Gives the field with that index, in the order of the JSON, in `*field`. `BW_NOT_FOUND` if `index` is not below
/// `bw_event_field_count(event)`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_event_field(
    event: *const bw_event,
    index: usize,
    field: *mut bw_field,
    error: *mut *mut bw_error,
) -> bw_result {
    let body = || {
        // SAFETY: the caller passes NULL or an event that it has not freed.
        let event = unsafe { bw_event::shared(event) }?;
        let found = event.fields.get(index).ok_or_else(|| {
            let count = event.fields.len();
            Failure::not_found(format!(
                "there is no field {index}; this event has {count}, counted from 0"
            ))
        })?;
        // SAFETY: the caller passes NULL or a struct of the size that it gives.
        unsafe { bw_field::from(found).write(field) }
    };
    // SAFETY: the caller passes NULL or a place for an error.
    unsafe { fallible(error, body) }
}

/// Gives the field with that key in `*field`. `BW_NOT_FOUND` if the event has none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_event_find(
    event: *const bw_event,
    key: *const c_char,
    key_len: usize,
    field: *mut bw_field,
    error: *mut *mut bw_error,
) -> bw_result {
    let body = || {
        // SAFETY: the caller passes NULL or an event that it has not freed.
        let event = unsafe { bw_event::shared(event) }?;
        // SAFETY: the caller passes NULL or that many bytes.
        let key = unsafe { text(key, key_len, "key") }?;
        let found = event.fields.iter().find(|(field, _)| field.key == key);
        let found = found
            .ok_or_else(|| Failure::not_found(format!("this event has no field \"{key}\"")))?;
        // SAFETY: the caller passes NULL or a struct of the size that it gives.
        unsafe { bw_field::from(found).write(field) }
    };
    // SAFETY: the caller passes NULL or a place for an error.
    unsafe { fallible(error, body) }
}

/// The event as one line of JSON, NUL-terminated, without a newline; none if `event` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_event_json(event: *const bw_event) -> bw_string {
    guard(bw_string::NONE, || {
        // SAFETY: the caller passes NULL or an event that it has not freed.
        let Ok(event) = (unsafe { bw_event::shared(event) }) else {
            return bw_string::NONE;
        };
        let json = event.json.get_or_init(|| event.event.to_json() + "\0");
        bw_string::before_nul(json)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_the_text_that_the_json_has() {
        for number in [
            0.0,
            0.0001,
            0.8333,
            1.0,
            -5.25,
            1.7e9,
            1_700_000_000.125,
            1e15,
        ] {
            let text = text_of(&FieldValue::Number(number));
            assert_eq!(text, Some(serde_json::to_string(&number).unwrap()));
        }
        assert_eq!(
            text_of(&FieldValue::Integer(u64::MAX)),
            Some(u64::MAX.to_string())
        );
        assert_eq!(text_of(&FieldValue::Flag(true)), Some("true".to_owned()));
    }
}
