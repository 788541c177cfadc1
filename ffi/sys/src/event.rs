//! An event.

use std::fmt;
use std::ptr;

use crate::handle::{Owned, text};
use crate::raw;

/// Something that a detector says, once: that a condition began, or that it ended.
pub struct Event(pub(crate) Owned<raw::bw_event>);

// SAFETY: an event never changes and may be used from several threads at once.
unsafe impl Sync for Event {}

impl Event {
    /// The event as one line of JSON, without a newline.
    pub fn json(&self) -> &str {
        // SAFETY: the handle is ours, and its string lives as long as it.
        unsafe { text((self.0.functions().bw_event_json)(self.0.as_ptr())) }.unwrap_or_default()
    }

    /// The value of `key` as text; `None` where the event has no such key.
    pub fn text(&self, key: &str) -> Option<&str> {
        let f = self.0.functions();
        // SAFETY: the handle is ours, its string lives as long as it, and `key` has as many bytes as its length says.
        unsafe {
            text((f.bw_event_text)(
                self.0.as_ptr(),
                key.as_ptr().cast(),
                key.len(),
            ))
        }
    }

    /// The value of `key` as a number, true as 1 and false as 0; `None` where the event has no such key or its value is a
    /// text.
    pub fn number(&self, key: &str) -> Option<f64> {
        let f = self.0.functions();
        let mut number = 0.0;
        // SAFETY: the handle is ours, and `key` has as many bytes as its length says.
        let result = unsafe {
            (f.bw_event_number)(
                self.0.as_ptr(),
                key.as_ptr().cast(),
                key.len(),
                &mut number,
                ptr::null_mut(),
            )
        };
        (result == raw::OK).then_some(number)
    }

    /// All keys with their values as text.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        // SAFETY: the handle is ours.
        let count = unsafe { (self.0.functions().bw_event_field_count)(self.0.as_ptr()) };
        (0..count).filter_map(|index| self.field(index))
    }

    fn field(&self, index: usize) -> Option<(&str, &str)> {
        let (mut key, mut value) = (ptr::null(), ptr::null());
        // SAFETY: the handle is ours, and its strings live as long as it.
        unsafe {
            self.0
                .call(|f, handle, error| {
                    (f.bw_event_field)(handle, index, &mut key, &mut value, error)
                })
                .ok()?;
            Some((text(key)?, text(value)?))
        }
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Event").field(&self.json()).finish()
    }
}
