//! The windows that are known, compared exactly: log keys are symbols, and their numbers say nothing.

use std::hash::{Hash, Hasher};

use indexmap::{Equivalent, IndexMap};
use rustc_hash::FxBuildHasher;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// The keys that lie within an entry.
const INLINE: usize = 4;

/// A window. One of the usual length lies within its entry, so that to compare it is to look at one place.
type Window = SmallVec<[u64; INLINE]>;

/// A window to look up: found as the slice is, but compared key by key.
///
/// The keys were stored one by one just now. A comparison of the whole slice at once loads them with one wide access, which has
/// to wait until all of these stores have left the processor's queue.
struct KeyByKey<'a>(&'a [u64]);

impl Hash for KeyByKey<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl Equivalent<Window> for KeyByKey<'_> {
    fn equivalent(&self, window: &Window) -> bool {
        self.0.len() == window.len() && self.0.iter().zip(window).all(|(a, b)| a == b)
    }
}

/// What a window takes: the entry with its hash, and its place in the index.
const ENTRY_BYTES: usize = size_of::<(u64, Window, bool)>() + 10;

/// A set of windows with a bound. Looking one up takes the same time however many there are.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct WindowStore {
    /// Each with whether it was used since the hand last passed.
    #[serde(with = "indexmap::map::serde_seq")]
    windows: IndexMap<Window, bool, FxBuildHasher>,
    /// Where the search for a window to forget goes on (the clock algorithm: what was used gets a second chance).
    hand: usize,
}

impl WindowStore {
    /// Whether `window` is known; it then counts as used.
    pub(super) fn hit(&mut self, window: &[u64]) -> bool {
        match self.windows.get_mut(&KeyByKey(window)) {
            Some(used) => {
                *used = true;
                true
            }
            None => false,
        }
    }

    /// Learns `window`; where there are `max` already, a window that was not used for long is forgotten.
    pub(super) fn learn(&mut self, window: &[u64], max: usize) {
        if self.hit(window) {
            return;
        }
        while self.windows.len() >= max {
            self.forget_one();
        }
        self.windows.insert(window.into(), false);
    }

    fn forget_one(&mut self) {
        loop {
            self.hand %= self.windows.len();
            let used = &mut self.windows[self.hand];
            if !std::mem::take(used) {
                // The newest window takes its place. It is the last in line to be looked at again, so the hand passes it.
                self.windows.swap_remove_index(self.hand);
                self.hand += 1;
                return;
            }
            self.hand += 1;
        }
    }

    /// Forgets the windows that end with `key`.
    pub(super) fn take_back(&mut self, key: u64) {
        self.windows.retain(|window, _| window.last() != Some(&key));
        self.hand = 0;
    }

    pub(super) fn len(&self) -> usize {
        self.windows.len()
    }

    /// About how much memory it takes, where a window has `window_size` keys.
    pub(super) fn bytes(&self, window_size: usize) -> usize {
        let spilled = if window_size > INLINE {
            window_size * size_of::<u64>()
        } else {
            0
        };
        self.windows.capacity() * ENTRY_BYTES + self.windows.len() * spilled
    }

    /// Whether a restored store is one that could have been saved.
    pub(super) fn is_sound(&self, window_size: usize) -> bool {
        self.windows.keys().all(|w| w.len() == window_size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_known_only_as_it_is() {
        let mut store = WindowStore::default();
        store.learn(&[1, 2, 3], 16);
        assert!(store.hit(&[1, 2, 3]));
        assert!(!store.hit(&[1, 2, 4]) && !store.hit(&[3, 2, 1]));
        store.learn(&[1, 2, 3], 16);
        assert_eq!(store.len(), 1);
    }

    #[test]
    fn what_is_in_use_outlives_a_flood_of_windows_that_never_come_again() {
        let mut store = WindowStore::default();
        for key in 0..50 {
            store.learn(&[key], 100);
        }
        for key in 1_000..20_000 {
            store.learn(&[key], 100);
            assert!(store.len() <= 100);
            if key % 25 == 0 {
                for key in 0..50 {
                    assert!(store.hit(&[key]), "{key}");
                }
            }
        }
    }

    #[test]
    fn windows_that_end_with_a_key_can_be_taken_back() {
        let mut store = WindowStore::default();
        store.learn(&[1, 2], 16);
        store.learn(&[2, 1], 16);
        store.take_back(2);
        assert!(!store.hit(&[1, 2]) && store.hit(&[2, 1]));
    }
}
