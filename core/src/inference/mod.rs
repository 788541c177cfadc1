//! Failure inference: what a log message reports about the health of its host.
//!
//! [`Inference`] is the interface: it maps a [`Message`] to a [`Reading`]. [`Lexicon`] is the built-in implementation; it needs no
//! model and no network.
//!
//! ```
//! use bellwether_core::inference::{FailureSubject, Family, Inference as _, Lexicon, Message};
//!
//! let lexicon = Lexicon::builtin();
//! let kernel = Message::of("blk_update_request: I/O error, dev sda, sector 2048").from_program("kernel");
//! let finding = lexicon.read(&kernel).finding.unwrap();
//! assert_eq!(finding.family, Family::Storage);
//! assert_eq!(finding.subject, Some(FailureSubject::Device("sda".into())));
//!
//! // The same text as a name that a stranger has chosen is no failure.
//! let stranger = Message::of("Invalid user I/O error, dev sda from 203.0.113.5").from_program("sshd");
//! assert!(lexicon.read(&stranger).finding.is_none_or(|finding| finding.severity < 0.5));
//! ```

mod class;
mod compile;
mod family;
mod finding;
mod lexicon;
mod message;
mod normal;
mod numeric;
mod opaque;
mod phrase;
mod reading;
mod scan;
mod scoring;
mod sources;
mod subject;
mod syntax;
#[cfg(test)]
mod tests;
mod words;

pub use class::{SourceClass, SourceClasses};
pub use family::Family;
pub use finding::{FAULT, Finding, Reading};
pub use lexicon::Lexicon;
pub use message::{Message, Transport};
pub use subject::FailureSubject;
pub use syntax::LexiconError;

/// Classifies messages.
pub trait Inference {
    /// What `message` reports. It depends on nothing but the message.
    fn read(&self, message: &Message<'_>) -> Reading;

    /// Appends the normal form of a text: of two messages that differ in nothing but texts with the same normal form, both report
    /// nothing or neither does. A cache of messages that report nothing can so share an entry among many. By default, a text is its
    /// own normal form.
    fn normalize(&self, text: &str, into: &mut Vec<u8>) {
        into.extend_from_slice(text.as_bytes());
    }

    /// Whether a message that reports nothing would do so with any other decimal numbers in place of those in `text` that are whole
    /// words without a sign and have at most ten digits. A cache can then do without these numbers. By default, it is unknown.
    fn ignores_numbers(&self, _text: &str) -> bool {
        false
    }
}
