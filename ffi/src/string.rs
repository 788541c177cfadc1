//! Strings out of the library, and where strings are in a buffer of the caller's.

use std::ffi::c_char;
use std::ptr;

/// A string with its length. Where `data` is NULL, there is none.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bw_string {
    /// The first byte; NULL where there is no string.
    pub data: *const c_char,
    /// The length in bytes, without the NUL that some strings are followed by.
    pub size: usize,
}

/// Part of a buffer, as a batch refers to its strings.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct bw_span {
    /// The offset of the first byte.
    pub start: u32,
    /// The length in bytes.
    pub size: u32,
}

impl bw_string {
    /// No string.
    pub(crate) const NONE: Self = Self {
        data: ptr::null(),
        size: 0,
    };

    /// `text`, for as long as it lives.
    pub(crate) const fn of(text: &str) -> Self {
        Self {
            data: text.as_ptr().cast(),
            size: text.len(),
        }
    }

    /// `text`, or none.
    pub(crate) const fn optional(text: Option<&str>) -> Self {
        match text {
            Some(text) => Self::of(text),
            None => Self::NONE,
        }
    }

    /// `text` without the NUL that it ends with.
    pub(crate) fn before_nul(text: &str) -> Self {
        debug_assert!(text.ends_with('\0'));
        Self {
            size: text.len() - 1,
            ..Self::of(text)
        }
    }
}
