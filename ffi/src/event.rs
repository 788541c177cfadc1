//! An event, read field by field.

use std::ffi::{CStr, CString, c_char};
use std::ptr;

use bellwether_core::event::{Event, FieldValue};

use crate::border::{Failure, Handle, c_string, fallible, guard, null, text};
use crate::error::{bw_error, bw_result};

/// Something that a detector says, once: that a condition began, or that it ended. Given by `bw_had_next_event` and
/// `bw_lad_next_event`, owned by the caller, freed by `bw_event_free`; it outlives the detector. It never changes and may be
/// used from several threads at once.
///
/// Its keys are those of its JSON; which ones there are depends on what it tells of, but these are always there: "event"
/// ("hypervisor_anomaly", "hypervisor_silence", "collector_silence", "workload_change", "log_failure", "log_novelty"), "schema",
/// "time" (seconds since the epoch of the data), "state" ("raised", "cleared"), "severity" ("okay", "warning", "failure"),
/// "hypervisor" (empty in a "collector_silence"), "score" (0 to 1), "message" (one line, at most 255 bytes) and "since" (seconds).
pub struct bw_event {
    json: CString,
    fields: Vec<Field>,
}

struct Field {
    key: CString,
    text: CString,
    number: Option<f64>,
}

impl Handle for bw_event {
    const NAME: &'static str = "bw_event";
}

impl From<Event> for bw_event {
    fn from(event: Event) -> Self {
        let fields = event.fields().into_iter().map(|field| {
            let (text, number) = match field.value {
                FieldValue::Text(text) => (text, None),
                FieldValue::Number(number) => (number.to_string(), Some(number)),
                FieldValue::Integer(count) => (count.to_string(), Some(count as f64)),
                FieldValue::Flag(flag) => (flag.to_string(), Some(f64::from(u8::from(flag)))),
            };
            Field {
                key: c_string(field.key.to_owned()),
                text: c_string(text),
                number,
            }
        });
        Self {
            fields: fields.collect(),
            json: c_string(event.to_json()),
        }
    }
}

impl bw_event {
    fn field(&self, key: &str) -> Option<&Field> {
        self.fields
            .iter()
            .find(|field| field.key.as_bytes() == key.as_bytes())
    }
}

/// Frees `event`. NULL is fine.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_event_free(event: *mut bw_event) {
    // SAFETY: the caller passes NULL or an event that it has not freed and uses no more.
    guard((), || unsafe { bw_event::free(event) });
}

/// The event as one line of JSON in UTF-8, without a newline. The string belongs to `event` and lives as long as it. NULL
/// where `event` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_event_json(event: *const bw_event) -> *const c_char {
    guard(ptr::null(), || {
        // SAFETY: the caller passes NULL or an event that it has not freed.
        unsafe { bw_event::shared(event) }.map_or(ptr::null(), |event| event.json.as_ptr())
    })
}

/// How many keys the event has; 0 where `event` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_event_field_count(event: *const bw_event) -> usize {
    guard(0, || {
        // SAFETY: the caller passes NULL or an event that it has not freed.
        unsafe { bw_event::shared(event) }.map_or(0, |event| event.fields.len())
    })
}

/// Gives the key with this `index` in `*key` and its value as text in `*value`. Both strings are in UTF-8, belong to `event`
/// and live as long as it.
///
/// `BW_NOT_FOUND` where `index` is not below `bw_event_field_count(event)`, `BW_INVALID_ARGUMENT` where `event`, `key` or
/// `value` is NULL; `*key` and `*value` are then as before. `error` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_event_field(
    event: *const bw_event,
    index: usize,
    key: *mut *const c_char,
    value: *mut *const c_char,
    error: *mut *mut bw_error,
) -> bw_result {
    let body = || {
        // SAFETY: the caller passes NULL or an event that it has not freed.
        let event = unsafe { bw_event::shared(event) }?;
        let field = event.fields.get(index).ok_or_else(|| {
            let count = event.fields.len();
            Failure::new(
                bw_result::BW_NOT_FOUND,
                format!("there is no field {index}; this event has {count}, counted from 0"),
            )
        })?;
        if key.is_null() || value.is_null() {
            return Err(null(if key.is_null() { "key" } else { "value" }));
        }
        // SAFETY: neither is NULL, so the caller lets us write to both.
        unsafe {
            key.write(field.key.as_ptr());
            value.write(field.text.as_ptr());
        }
        Ok(())
    };
    // SAFETY: the caller passes NULL or a place for an error.
    unsafe { fallible(error, body) }
}

/// The value of `key` as text in UTF-8. The string belongs to `event` and lives as long as it. NULL where the event has no such
/// key, where `event` or `key` is NULL, or where `key` is not UTF-8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_event_text(
    event: *const bw_event,
    key: *const c_char,
    key_len: usize,
) -> *const c_char {
    let body = || {
        // SAFETY: the caller passes NULL or an event that it has not freed.
        let event = unsafe { bw_event::shared(event) }.ok()?;
        // SAFETY: the caller passes NULL or so many bytes.
        let key = unsafe { text(key, key_len, "key") }.ok()?;
        event.field(key).map(|field| CStr::as_ptr(&field.text))
    };
    guard(None, body).unwrap_or(ptr::null())
}

/// Gives the value of `key` as a number in `*number`; true is 1 and false is 0.
///
/// `BW_NOT_FOUND` where the event has no such key or its value is a text (also one that looks like a number, such as a VM
/// named "42"), `BW_INVALID_ARGUMENT` where `event`, `key` or `number` is NULL or `key` is not UTF-8; `*number` is then as
/// before. `error` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_event_number(
    event: *const bw_event,
    key: *const c_char,
    key_len: usize,
    number: *mut f64,
    error: *mut *mut bw_error,
) -> bw_result {
    let body = || {
        // SAFETY: the caller passes NULL or an event that it has not freed.
        let event = unsafe { bw_event::shared(event) }?;
        // SAFETY: the caller passes NULL or so many bytes.
        let key = unsafe { text(key, key_len, "key") }?;
        if number.is_null() {
            return Err(null("number"));
        }
        let missing = |why| Failure::new(bw_result::BW_NOT_FOUND, why);
        let field = event
            .field(key)
            .ok_or_else(|| missing(format!("this event has no key \"{key}\"")))?;
        let found = field
            .number
            .ok_or_else(|| missing(format!("the value of \"{key}\" is a text, not a number")))?;
        // SAFETY: it is not NULL, so the caller lets us write to it.
        unsafe { number.write(found) };
        Ok(())
    };
    // SAFETY: the caller passes NULL or a place for an error.
    unsafe { fallible(error, body) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bellwether_core::event::{Evidence, HypervisorAnomaly, Severity, State, Subject};
    use bellwether_core::units::{Share, Time};

    fn event() -> bw_event {
        let mut event = Event::new(
            Subject::Hypervisor("42".into()),
            State::Raised,
            Severity::Warning,
            Time::from_secs(1_700_000_000.5),
            "5 of 6 VMs rose",
            Evidence::HypervisorAnomaly(HypervisorAnomaly {
                metric: "cpu".into(),
                vms: 6,
                voters: 6,
                provisional: true,
                ..HypervisorAnomaly::default()
            }),
        );
        event.score = Share::new(0.75);
        event.into()
    }

    #[test]
    fn numbers_and_flags_are_numbers_and_a_name_that_looks_like_one_is_not() {
        let number = |key: &str| event().field(key).and_then(|field| field.number);
        assert_eq!(number("time"), Some(1_700_000_000.5));
        assert_eq!(number("provisional"), Some(1.0));
        assert_eq!(number("vms"), Some(6.0));
        assert_eq!(number("hypervisor"), None);
        assert_eq!(number("vm"), None);
    }

    #[test]
    fn texts_are_what_the_json_says_without_its_quotes() {
        let event = event();
        let text = |key: &str| event.field(key).map(|field| field.text.to_str().unwrap());
        assert_eq!(text("event"), Some("hypervisor_anomaly"));
        assert_eq!(text("score"), Some("0.75"));
        assert_eq!(text("vm"), None);
        assert!(
            event
                .json
                .to_str()
                .unwrap()
                .starts_with("{\"event\":\"hypervisor_anomaly\"")
        );
    }
}
