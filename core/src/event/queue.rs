//! Events that wait to be fetched.

use std::collections::VecDeque;

use super::Event;

/// Maximum number of pending events; beyond that, the oldest are dropped.
pub(crate) const EVENTS_MAX: usize = 4096;

/// A queue of events that wait to be fetched, limited in number and memory.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    events: VecDeque<Event>,
    /// Maximum and current memory in bytes, without the queue's spare capacity.
    limit: usize,
    bytes: usize,
    lost: u64,
}

impl Queue {
    /// An empty queue for at most `limit` bytes of events, after `lost` events were dropped.
    pub(crate) fn new(limit: usize, lost: u64) -> Self {
        Self {
            limit,
            lost,
            ..Self::default()
        }
    }

    /// Adds events; beyond the limits, the oldest are dropped and counted.
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

    /// Removes the oldest event.
    pub(crate) fn pop(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        self.bytes -= event.bytes();
        Some(event)
    }

    /// The events, oldest first.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &Event> {
        self.events.iter()
    }

    /// Number of dropped events.
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }

    /// Maximum memory in bytes.
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    /// Memory in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let spare = self.events.capacity() - self.events.len();
        self.bytes + spare * size_of::<Event>()
    }
}
