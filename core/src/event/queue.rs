//! Events that wait to be fetched.

use std::collections::VecDeque;

use super::Event;

/// Most events that wait; beyond that the oldest are lost.
pub(crate) const EVENTS_MAX: usize = 4096;

/// Events that wait to be fetched, within limits of number and memory.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    events: VecDeque<Event>,
    /// What they may take and do take, in bytes, without the queue's spare capacity.
    limit: usize,
    bytes: usize,
    lost: u64,
}

impl Queue {
    /// An empty queue for events of at most `limit` bytes, after `lost` events were lost.
    pub(crate) fn new(limit: usize, lost: u64) -> Self {
        Self {
            limit,
            lost,
            ..Self::default()
        }
    }

    /// Adds events; where too many wait or they take too much memory, the oldest are lost.
    pub(crate) fn push(&mut self, events: impl IntoIterator<Item = Event>) {
        for event in events {
            self.bytes += event.bytes();
            self.events.push_back(event);
            while self.events.len() > EVENTS_MAX || self.bytes > self.limit && self.events.len() > 1
            {
                self.pop();
                self.lost += 1;
            }
        }
    }

    /// The oldest.
    pub(crate) fn pop(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        self.bytes -= event.bytes();
        Some(event)
    }

    /// The events, the oldest first.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &Event> {
        self.events.iter()
    }

    /// How many events were lost.
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }

    /// How much memory all of them may take, in bytes.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// How much memory all of them take, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let spare = self.events.capacity() - self.events.len();
        self.bytes + spare * size_of::<Event>()
    }
}
