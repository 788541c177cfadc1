//! The windows that are known, compared exactly: log keys are symbols, and their numbers say nothing.

use std::hash::Hasher as _;
use std::hint::black_box;

use hashbrown::HashTable;
use rustc_hash::FxHasher;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::memory::{grow, vec};

/// A set of windows with a bound. Looking one up takes the same time however many there are.
#[derive(Debug, Clone, Default)]
pub(super) struct WindowStore {
    /// The keys of a window; 0 before the first one.
    size: usize,
    /// Those of all windows, one window behind the other.
    keys: Vec<u64>,
    /// Whether a window was used since the hand last passed.
    used: Vec<bool>,
    /// The windows by their keys.
    index: HashTable<u32>,
    /// Where the search for a window to forget goes on (the clock algorithm: what was used gets a second chance).
    hand: usize,
}

fn hash(window: &[u64]) -> u64 {
    let mut hasher = FxHasher::default();
    for &key in window {
        hasher.write_u64(key);
    }
    hasher.finish()
}

impl WindowStore {
    /// Reads some of the windows and of their index.
    pub(super) fn prefetch(&self) {
        black_box(self.keys.first().copied());
        black_box(self.used.first().copied());
        black_box(self.index.iter().next().copied());
    }

    /// Whether `window` is known; it then counts as used.
    pub(super) fn hit(&mut self, window: &[u64]) -> bool {
        // The keys were stored one by one just now. A comparison of the whole slice at once loads them with one wide access,
        // which has to wait until all of these stores have left the processor's queue.
        let same = |&at: &u32| self.window(at).iter().zip(window).all(|(a, b)| a == b);
        match self.index.find(hash(window), same) {
            Some(&at) => {
                self.used[at as usize] = true;
                true
            }
            None => false,
        }
    }

    /// Learns `window`, which is not known and as long as all others; where there are `max` already, it takes the place of one
    /// that was not used for long. Gives its place.
    pub(super) fn learn(&mut self, window: &[u64], max: usize) -> usize {
        self.size = window.len();
        while self.len() > max {
            self.forget_last();
        }
        let at = if self.len() == max {
            let at = self.least_used();
            self.unlist(at);
            self.keys[at * self.size..][..self.size].copy_from_slice(window);
            at
        } else {
            grow(&mut self.keys, self.size);
            self.keys.extend_from_slice(window);
            grow(&mut self.used, 1);
            self.used.push(false);
            self.len() - 1
        };
        let (keys, size) = (&self.keys, self.size);
        let rehash = |&at: &u32| hash(&keys[at as usize * size..][..size]);
        self.index.insert_unique(hash(window), at as u32, rehash);
        at
    }

    #[inline]
    fn window(&self, at: u32) -> &[u64] {
        &self.keys[at as usize * self.size..][..self.size]
    }

    /// Where the next window is that was not used since the hand last passed; the hand passes it.
    fn least_used(&mut self) -> usize {
        loop {
            let at = self.hand % self.len();
            self.hand = at + 1;
            if !std::mem::take(&mut self.used[at]) {
                return at;
            }
        }
    }

    /// Takes a window out of the index.
    fn unlist(&mut self, at: usize) {
        let hash = hash(self.window(at as u32));
        if let Ok(entry) = self.index.find_entry(hash, |&other| other as usize == at) {
            entry.remove();
        }
    }

    fn forget_last(&mut self) {
        self.unlist(self.len() - 1);
        self.used.pop();
        self.keys.truncate(self.used.len() * self.size);
    }

    /// Forgets the windows that end with `key`.
    pub(super) fn unlearn(&mut self, key: u64) {
        let old = std::mem::take(self);
        for (window, used) in old.windows() {
            if window.last() != Some(&key) {
                let at = self.learn(window, usize::MAX);
                self.used[at] = used;
            }
        }
    }

    /// All windows, with whether they were used since the hand last passed.
    fn windows(&self) -> impl Iterator<Item = (&[u64], bool)> {
        let windows = self.keys.chunks_exact(self.size.max(1));
        windows.zip(self.used.iter().copied())
    }

    pub(super) fn len(&self) -> usize {
        self.used.len()
    }

    /// How much memory it takes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        vec(&self.keys) + vec(&self.used) + self.index.allocation_size()
    }

    /// Whether a restored store is one that could have been saved.
    pub(super) fn is_valid(&self, window_size: usize) -> bool {
        self.used.is_empty() || self.size == window_size
    }
}

/// A store as a snapshot holds it.
#[derive(Serialize, Deserialize)]
struct Saved<W> {
    windows: Vec<(W, bool)>,
    hand: usize,
}

impl Serialize for WindowStore {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let saved = Saved {
            windows: self.windows().collect(),
            hand: self.hand,
        };
        saved.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for WindowStore {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let saved = Saved::<Vec<u64>>::deserialize(deserializer)?;
        let mut store = Self::default();
        let size = saved.windows.first().map_or(0, |(window, _)| window.len());
        for (window, used) in &saved.windows {
            if window.is_empty() || window.len() != size {
                return Err(serde::de::Error::custom("windows of different lengths"));
            }
            if !store.hit(window) {
                let at = store.learn(window, usize::MAX);
                store.used[at] = *used;
            }
        }
        store.hand = saved.hand;
        Ok(store)
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
        store.unlearn(2);
        assert!(!store.hit(&[1, 2]) && store.hit(&[2, 1]));
    }

    #[test]
    fn what_was_saved_is_known_again_and_forgotten_in_the_same_order() {
        let mut store = WindowStore::default();
        for key in 0..60 {
            store.learn(&[key, 7], 50);
            store.hit(&[key / 2, 7]);
        }
        let bytes = postcard::to_stdvec(&store).unwrap();
        let mut restored: WindowStore = postcard::from_bytes(&bytes).unwrap();
        assert!(restored.is_valid(2) && !restored.is_valid(3));
        // Also within smaller bounds.
        for (key, max) in (100..160).zip([50, 50, 40].into_iter().cycle()) {
            store.learn(&[key, 7], max);
            restored.learn(&[key, 7], max);
            assert!(store.windows().eq(restored.windows()));
        }
        assert_eq!(store.len(), 40);
        for key in 0..160 {
            assert_eq!(store.hit(&[key, 7]), restored.hit(&[key, 7]), "{key}");
        }
    }

    #[test]
    fn windows_of_different_lengths_cannot_have_been_saved() {
        let saved = |windows: &[&[u64]]| {
            let windows = windows.iter().map(|w| (w.to_vec(), false)).collect();
            postcard::to_stdvec(&Saved { windows, hand: 9 }).unwrap()
        };
        let restored = |windows| postcard::from_bytes::<WindowStore>(&saved(windows));
        assert!(restored(&[&[1, 2], &[3]]).is_err());
        assert!(restored(&[&[]]).is_err());
        let mut twice = restored(&[&[1, 2], &[1, 2]]).unwrap();
        twice.learn(&[3, 4], 1);
        assert_eq!((twice.len(), twice.hit(&[3, 4])), (1, true));
    }
}
