//! An event.

use std::{fmt, ptr};

use crate::handle::{Owned, text};
use crate::raw;

/// What a detector reports, once: a condition began, or it ended.
pub struct Event(pub(crate) Owned<raw::bw_event>);

// SAFETY: an event never changes and may be used from several threads at once.
unsafe impl Sync for Event {}

/// A field of an event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Field<'a> {
    /// The key.
    pub key: &'a str,
    /// The value.
    pub value: Value<'a>,
    /// The value as text, as in the JSON without quotes and escapes.
    pub text: &'a str,
}

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// A string, or of a type that only a newer library has.
    Text(&'a str),
    /// A finite number.
    Number(f64),
    /// A whole number, not negative.
    Integer(u64),
    /// True or false.
    Flag(bool),
}

impl Event {
    /// The event as one line of JSON, without a newline.
    pub fn json(&self) -> &str {
        // SAFETY: the handle is ours, and its string lives as long as it.
        unsafe { text(self.0.functions().bw_event_json(self.0.as_ptr())) }.unwrap_or_default()
    }

    /// All fields, in the order of the JSON.
    pub fn fields(&self) -> impl Iterator<Item = Field<'_>> {
        // SAFETY: the handle is ours.
        let count = unsafe { self.0.functions().bw_event_field_count(self.0.as_ptr()) };
        (0..count).filter_map(|index| {
            self.field(|field| {
                // SAFETY: the handle is ours, and the struct has the size that it says.
                unsafe {
                    let f = self.0.functions();
                    f.bw_event_field(self.0.as_ptr(), index, field, ptr::null_mut())
                }
            })
        })
    }

    /// The field with that key.
    pub fn get(&self, key: &str) -> Option<Field<'_>> {
        self.field(|field| {
            // SAFETY: the handle is ours, `key` has as many bytes as its length says, and the struct has the size that it says.
            unsafe {
                self.0.functions().bw_event_find(
                    self.0.as_ptr(),
                    key.as_ptr().cast(),
                    key.len(),
                    field,
                    ptr::null_mut(),
                )
            }
        })
    }

    /// The value of `key` as text, whatever its type.
    pub fn text(&self, key: &str) -> Option<&str> {
        Some(self.get(key)?.text)
    }

    /// The value of `key` as a number, true as 1 and false as 0; `None` for a text.
    pub fn number(&self, key: &str) -> Option<f64> {
        match self.get(key)?.value {
            Value::Text(_) => None,
            Value::Number(number) => Some(number),
            Value::Integer(number) => Some(number as f64),
            Value::Flag(flag) => Some(f64::from(u8::from(flag))),
        }
    }

    /// The field that `read` gives.
    fn field(&self, read: impl FnOnce(*mut raw::bw_field) -> raw::bw_result) -> Option<Field<'_>> {
        let mut field = raw::bw_field {
            size: size_of::<raw::bw_field>(),
            key: raw::bw_string::NONE,
            text: raw::bw_string::NONE,
            number: 0.0,
            integer: 0,
            kind: 0,
            flag: false,
        };
        if read(&mut field) != raw::BW_OK {
            return None;
        }
        // SAFETY: the strings of an event live as long as it.
        let (key, text) = unsafe { (text(field.key)?, text(field.text)?) };
        let value = match field.kind {
            raw::BW_FIELD_NUMBER => Value::Number(field.number),
            raw::BW_FIELD_INTEGER => Value::Integer(field.integer),
            raw::BW_FIELD_FLAG => Value::Flag(field.flag),
            _ => Value::Text(text),
        };
        Some(Field { key, value, text })
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Event").field(&self.json()).finish()
    }
}
