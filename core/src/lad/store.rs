//! The known windows, compared exactly: log keys are symbols, and their numbers have no meaning.

use std::hash::Hasher as _;
use std::hint::black_box;

use hashbrown::HashTable;
use rustc_hash::FxHasher;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::memory::{grow, vec};

/// A bounded hash set of windows with clock eviction (an approximation of LRU). A lookup takes constant time.
#[derive(Debug, Clone, Default)]
pub(super) struct WindowStore {
    /// Number of keys of a window; 0 before the first one.
    size: usize,
    /// The keys of all windows, concatenated.
    keys: Vec<u64>,
    /// The reference bits: whether a window was used since the hand last passed.
    used: Vec<bool>,
    /// The windows by the hash of their keys.
    index: HashTable<u32>,
    /// The hand of the clock algorithm: where the search for a victim continues.
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
    /// Touches some of the windows and of their index.
    pub(super) fn prefetch(&self) {
        black_box(self.keys.first().copied());
        black_box(self.used.first().copied());
        black_box(self.index.iter().next().copied());
    }

    /// Whether `window` is known; it then counts as used.
    pub(super) fn hit(&mut self, window: &[u64]) -> bool {
        // Compared key by key. The keys were just stored one by one, and a wide load of the whole slice would stall until all of
        // those stores have retired (no store forwarding).
        let same = |&at: &u32| self.window(at).iter().zip(window).all(|(a, b)| a == b);
        match self.index.find(hash(window), same) {
            Some(&at) => {
                self.used[at as usize] = true;
                true
            }
            None => false,
        }
    }

    /// Adds `window`, which is not known and as long as all others; if there are `max` already, it replaces one that was not used
    /// recently. Returns its index.
    pub(super) fn learn(&mut self, window: &[u64], max: usize) -> usize {
        self.size = window.len();
        while self.len() > max {
            self.pop();
        }
        let at = if self.len() == max {
            let at = self.next_victim();
            self.remove_from_index(at);
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

    /// The index of the next window that was not used since the hand last passed; the hand moves past it.
    fn next_victim(&mut self) -> usize {
        loop {
            let at = self.hand % self.len();
            self.hand = at + 1;
            if !std::mem::take(&mut self.used[at]) {
                return at;
            }
        }
    }

    /// Removes a window from the index.
    fn remove_from_index(&mut self, at: usize) {
        let hash = hash(self.window(at as u32));
        if let Ok(entry) = self.index.find_entry(hash, |&other| other as usize == at) {
            entry.remove();
        }
    }

    fn pop(&mut self) {
        self.remove_from_index(self.len() - 1);
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

    /// All windows with their reference bits.
    fn windows(&self) -> impl Iterator<Item = (&[u64], bool)> {
        let windows = self.keys.chunks_exact(self.size.max(1));
        windows.zip(self.used.iter().copied())
    }

    pub(super) fn len(&self) -> usize {
        self.used.len()
    }

    /// Memory in bytes.
    pub(super) fn bytes(&self) -> usize {
        vec(&self.keys) + vec(&self.used) + self.index.allocation_size()
    }

    /// Whether a restored store is one that could have been saved.
    pub(super) fn is_valid(&self, window_size: usize) -> bool {
        self.used.is_empty() || self.size == window_size
    }
}

/// A store in a snapshot.
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
    fn a_window_is_known_only_exactly() {
        let mut store = WindowStore::default();
        store.learn(&[1, 2, 3], 16);
        assert!(store.hit(&[1, 2, 3]));
        assert!(!store.hit(&[1, 2, 4]) && !store.hit(&[3, 2, 1]));
        assert_eq!(store.len(), 1);
    }

    #[test]
    fn windows_in_use_survive_a_flood_of_windows_that_never_repeat() {
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
    fn windows_that_end_with_a_key_can_be_unlearned() {
        let mut store = WindowStore::default();
        store.learn(&[1, 2], 16);
        store.learn(&[2, 1], 16);
        store.unlearn(2);
        assert!(!store.hit(&[1, 2]) && store.hit(&[2, 1]));
    }

    #[test]
    fn a_restored_store_evicts_in_the_same_order() {
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
