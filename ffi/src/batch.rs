//! What batches of all kinds have in common: arrays of the caller's, and the strings in its buffer.

use std::ops::Range;
use std::{ptr, slice, str};

use crate::border::{Failure, input_bytes, null};
use crate::string::{bw_span, bw_string};

/// `count` elements at `start`.
///
/// # Safety
/// `start` is NULL or points to that many elements, which nobody writes to while the slice lives.
pub(crate) unsafe fn array<'a, T>(
    start: *const T,
    count: usize,
    what: &str,
) -> Result<&'a [T], Failure> {
    check(start, count, what)?;
    if count == 0 {
        return Ok(&[]);
    }
    // SAFETY: it is not NULL, aligned, and has that many elements, which are not more than a slice can have.
    Ok(unsafe { slice::from_raw_parts(start, count) })
}

/// `count` elements at `start`, or none if `start` is NULL.
///
/// # Safety
/// As for [`array`].
pub(crate) unsafe fn optional_array<'a, T>(
    start: *const T,
    count: usize,
    what: &str,
) -> Result<Option<&'a [T]>, Failure> {
    if start.is_null() {
        return Ok(None);
    }
    // SAFETY: passed on to the caller.
    unsafe { array(start, count, what) }.map(Some)
}

/// An array that the library fills, element by element; an absent one is not filled. Its elements are not read and need not be
/// initialized.
pub(crate) struct Output<T>(*mut T, usize);

impl<T> Output<T> {
    /// The array of `count` elements at `start`, absent if that is NULL.
    ///
    /// # Safety
    /// `start` is NULL or points to that many elements, which nobody else uses while this lives.
    pub(crate) unsafe fn new(start: *mut T, count: usize, what: &str) -> Result<Self, Failure> {
        if start.is_null() {
            return Ok(Self(ptr::null_mut(), 0));
        }
        check(start, count, what)?;
        Ok(Self(start, count))
    }

    /// Sets an element.
    pub(crate) fn set(&mut self, index: usize, value: T) {
        if index < self.1 {
            // SAFETY: there is such an element, which is ours.
            unsafe { self.0.add(index).write(value) };
        }
    }
}

/// Whether a slice of `count` elements can begin at `start`.
fn check<T>(start: *const T, count: usize, what: &str) -> Result<(), Failure> {
    if start.is_null() && count > 0 {
        return Err(null(what));
    }
    if count > isize::MAX as usize / size_of::<T>() {
        return Err(Failure::argument(format!(
            "{what} has {count} elements, more than the address space has"
        )));
    }
    if count > 0 && !start.is_aligned() {
        return Err(Failure::argument(format!(
            "{what} is not aligned to {} bytes",
            align_of::<T>()
        )));
    }
    Ok(())
}

/// The buffer with the strings of a batch.
pub(crate) struct Buffer<'a> {
    bytes: &'a [u8],
    /// All of it, if all of it is UTF-8 without NUL bytes: then no string need be checked by itself.
    text: Option<&'a str>,
}

impl<'a> Buffer<'a> {
    /// The buffer that the caller gives, empty if it is NULL.
    ///
    /// # Safety
    /// `buffer` is NULL or has as many bytes as it says, which nobody writes to while this lives.
    pub(crate) unsafe fn new(buffer: bw_string, what: &str) -> Result<Self, Failure> {
        let bytes = if buffer.data.is_null() {
            &[]
        } else {
            // SAFETY: passed on to the caller.
            unsafe { input_bytes(buffer.data, buffer.size, what) }?
        };
        let text = str::from_utf8(bytes).ok();
        Ok(Self {
            bytes,
            text: text.filter(|text| !text.as_bytes().contains(&0)),
        })
    }

    /// Any bytes; `None` where they are not within the buffer.
    pub(crate) fn bytes(&self, span: bw_span) -> Option<&'a [u8]> {
        self.bytes.get(range(span))
    }

    /// A name; `None` where it is not within the buffer, not UTF-8, or has a NUL byte.
    pub(crate) fn name(&self, span: bw_span) -> Option<&'a str> {
        if let Some(text) = self.text {
            return text.get(range(span));
        }
        let name = str::from_utf8(self.bytes(span)?).ok()?;
        (!name.contains('\0')).then_some(name)
    }
}

fn range(span: bw_span) -> Range<usize> {
    let start = span.start as usize;
    start..start + span.size as usize
}
