//! An event.

use std::ffi::{CStr, c_char};
use std::fmt;
use std::ptr::{self, NonNull};

use crate::error::check;
use crate::library::Library;
use crate::raw;

/// Something that a detector says, once: that a condition began, or that it ended.
pub struct Event {
    library: Library,
    handle: NonNull<raw::bw_event>,
}

// SAFETY: an event never changes and may be used from several threads at once.
unsafe impl Send for Event {}
// SAFETY: as above.
unsafe impl Sync for Event {}

impl Event {
    /// # Safety
    /// `handle` was made by `library` and is used by nobody else.
    pub(crate) unsafe fn from_raw(library: Library, handle: NonNull<raw::bw_event>) -> Self {
        Self { library, handle }
    }

    /// The event as one line of JSON, without a newline.
    pub fn json(&self) -> &str {
        // SAFETY: the handle is ours, and its string lives as long as it.
        unsafe {
            self.text_of((self.library.functions().bw_event_json)(
                self.handle.as_ptr(),
            ))
        }
        .unwrap_or_default()
    }

    /// The value of `key` as text; `None` where the event has no such key.
    pub fn text(&self, key: &str) -> Option<&str> {
        let f = self.library.functions();
        // SAFETY: the handle is ours, its string lives as long as it, and `key` has as many bytes as its length says.
        unsafe {
            self.text_of((f.bw_event_text)(
                self.handle.as_ptr(),
                key.as_ptr().cast(),
                key.len(),
            ))
        }
    }

    /// The value of `key` as a number, true as 1 and false as 0; `None` where the event has no such key or its value is a
    /// text.
    pub fn number(&self, key: &str) -> Option<f64> {
        let f = self.library.functions();
        let mut number = 0.0;
        // SAFETY: the handle is ours, and `key` has as many bytes as its length says.
        let result = unsafe {
            (f.bw_event_number)(
                self.handle.as_ptr(),
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
        let count =
            unsafe { (self.library.functions().bw_event_field_count)(self.handle.as_ptr()) };
        (0..count).filter_map(|index| self.field(index))
    }

    fn field(&self, index: usize) -> Option<(&str, &str)> {
        let f = self.library.functions();
        let (mut key, mut value) = (ptr::null(), ptr::null());
        // SAFETY: the handle is ours, and its strings live as long as it.
        unsafe {
            check(&self.library, |error| {
                (f.bw_event_field)(self.handle.as_ptr(), index, &mut key, &mut value, error)
            })
            .ok()?;
            Some((self.text_of(key)?, self.text_of(value)?))
        }
    }

    /// # Safety
    /// `text` is NULL, or NUL-terminated and belongs to this event.
    unsafe fn text_of(&self, text: *const c_char) -> Option<&str> {
        if text.is_null() {
            return None;
        }
        // SAFETY: passed on to the caller.
        let text = unsafe { CStr::from_ptr(text) };
        Some(text.to_str().expect("libbellwether's strings are UTF-8"))
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: the handle is ours and used no more.
        unsafe { (self.library.functions().bw_event_free)(self.handle.as_ptr()) };
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Event").field(&self.json()).finish()
    }
}
