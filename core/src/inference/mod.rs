//! Failure inference: what a log message reports about the health of its host.
//!
//! [`Inference`] is the interface: it maps text and template to a [`Finding`] or to "unknown". [`Lexicon`] is the built-in
//! implementation; it needs no model and no network.
//!
//! ```
//! use bellwether_core::inference::{Family, Inference as _, Lexicon};
//!
//! let lexicon = Lexicon::builtin();
//! let finding = lexicon.judge("blk_update_request: I/O error, dev sda, sector 2048", "").unwrap();
//! assert_eq!(finding.family, Family::Storage);
//! assert!(lexicon.judge("Started Session 7 of user root.", "").is_none());
//! ```

mod compile;
mod family;
mod finding;
mod lexicon;
mod numbers;
mod phrase;
mod reading;
mod scan;
mod scoring;
mod syntax;
mod words;

pub use family::Family;
pub use finding::{FAULT, Finding, with_priority};
pub use lexicon::Lexicon;
pub use syntax::LexiconError;

/// Classifies messages.
pub trait Inference {
    /// The finding for `text`, or `None` if it reports nothing known.
    ///
    /// `text` is the message as it was logged. `template` is the message with its values replaced by placeholders such as
    /// `<:NUM:>`, `<:*:>` or `<*>`; it is classified instead if `text` is empty. A finding belongs to the text, not to its
    /// template: "0 errors" and "12 errors" share a template.
    fn judge(&self, text: &str, template: &str) -> Option<Finding>;

    /// The equivalence class of the number `digits`, a complete run of ASCII digits without a letter before it. Replacing a
    /// number by another of its class never changes the finding, so a cache can share one finding among many texts. By default
    /// every number is a class of its own.
    fn kind_of_number(&self, digits: &[u8]) -> u64 {
        numbers::own_kind(digits)
    }

    /// Whether the numbers in a text can affect its finding. `masked` is the text with placeholders for its numbers, addresses
    /// and identifiers, and with all its words. If `false`, all texts with this masked form and without a signed number have the
    /// same finding.
    fn depends_on_numbers(&self, masked: &str) -> bool {
        let _ = masked;
        true
    }
}
