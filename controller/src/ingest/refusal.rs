//! Why a body or an element was refused.

use std::fmt;

/// Why a body or an element was refused, with the status of HTTP for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The status of HTTP: 400, 413, 415 or 422.
    pub status: u16,
    /// What was wrong, and what would be right.
    pub message: String,
}

impl Refusal {
    /// The body cannot be read.
    pub(super) fn syntax(message: impl Into<String>) -> Self {
        Self::new(400, message)
    }

    /// The body is too large.
    pub(super) fn large(message: impl Into<String>) -> Self {
        Self::new(413, message)
    }

    /// The body is in a form that is not supported.
    pub(super) fn media(message: impl Into<String>) -> Self {
        Self::new(415, message)
    }

    /// The body can be read and is none of the forms.
    pub(super) fn content(message: impl Into<String>) -> Self {
        Self::new(422, message)
    }

    fn new(status: u16, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { status, message }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}
