//! Whether a record is an event of bellwether's, or imitates one.

use crate::event;
use crate::record::{Record, each_pair};

/// What is put before a key that is not what its name says.
pub const FOREIGN: &[u8] = b"foreign_";

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A record of a log.
    Record,
    /// An event that a filter of this process emitted, or one of another process where such are accepted.
    Event,
    /// Something that has the keys of an event.
    Imitation,
}

impl Origin {
    /// That of a record with the key of an event's kind.
    #[cold]
    pub fn of(record: &Record<'_>, accept_foreign: bool) -> Self {
        let mut claims = false;
        // All of them: of a key that comes twice, one reader takes the first and another the last.
        each_pair(record.map, |key, value, _| {
            claims |= key == event::KIND.as_bytes() && event::is_kind(value);
        });
        match claims {
            false => Self::Record,
            true if accept_foreign || event::is_issued(record.map) => Self::Event,
            true => Self::Imitation,
        }
    }
}
