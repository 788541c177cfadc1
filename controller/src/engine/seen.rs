//! Which events were taken in already: senders repeat what was not acknowledged.

use std::collections::{HashSet, VecDeque};
use std::hash::Hasher as _;

use bellwether_core::event::Event;
use siphasher::sip128::{Hasher128 as _, SipHasher13};

/// The keys of the last events.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    keys: HashSet<u128>,
    order: VecDeque<u128>,
    max: usize,
}

impl Seen {
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            ..Self::default()
        }
    }

    /// Whether an event is remembered.
    pub(super) fn contains(&self, event: &Event) -> bool {
        self.keys.contains(&key(event))
    }

    /// Remembers an event; `false` if it was already.
    pub(super) fn add(&mut self, event: &Event) -> bool {
        self.insert(key(event))
    }

    fn insert(&mut self, key: u128) -> bool {
        if !self.keys.insert(key) {
            return false;
        }
        self.order.push_back(key);
        while self.order.len() > self.max {
            if let Some(oldest) = self.order.pop_front() {
                self.keys.remove(&oldest);
            }
        }
        true
    }

    /// The keys, oldest first, as bytes.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        self.order
            .iter()
            .flat_map(|key| key.to_le_bytes())
            .collect()
    }

    /// Those of [`Self::to_bytes`].
    pub(super) fn from_bytes(bytes: &[u8], max: usize) -> Self {
        let mut seen = Self::new(max);
        for key in bytes.as_chunks::<16>().0 {
            seen.insert(u128::from_le_bytes(*key));
        }
        seen
    }
}

/// What an event is identified by: incident, state and time, the latter in milliseconds, which every form carries.
fn key(event: &Event) -> u128 {
    let mut hasher = SipHasher13::new();
    hasher.write(event.incident.to_string().as_bytes());
    hasher.write(event.state.as_str().as_bytes());
    hasher.write(&((event.time.secs() * 1e3).round() as i64).to_le_bytes());
    hasher.finish128().as_u128()
}
