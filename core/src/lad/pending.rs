//! Events that wait to be fetched.

use super::questions::Questions;
use crate::event::{Event, Queue};

/// Events and questions that wait to be fetched, and what is counted with them.
#[derive(Debug, Default)]
pub(super) struct Pending {
    pub(super) events: Queue,
    pub(super) questions: Questions,
    /// Episodes raised so far.
    pub(super) episodes: u64,
    /// Open episodes.
    pub(super) open: u64,
    /// Streams with an open condition for templates new to the fleet.
    pub(super) unseen: u64,
}

impl Pending {
    pub(super) fn push(&mut self, event: Event) {
        self.events.push([event]);
    }
}
