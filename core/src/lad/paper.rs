//! The subsequence store of VMFT-LAD as published (lecture, section 4.3): windows in the order of their hits, compared by the
//! relative distance of the numbers of their log keys (section 1.1.7, equation 2).

use rustc_hash::FxHashSet;
use serde::{Deserialize, Serialize};

/// Memory of a window besides its keys: its entry, its copy in the set, and the overhead of the allocations.
const OVERHEAD_BYTES: usize = 88;

/// A known window.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Known {
    window: Box<[u64]>,
    /// The sum of the keys.
    sum: u64,
    hits: u64,
    /// Learned after training, by adaptive learning.
    pushed: bool,
}

/// Unique windows, those with the most hits first.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct PaperStore {
    /// In descending order of hits, as a max-heap would return them.
    known: Vec<Known>,
    unique: FxHashSet<Box<[u64]>>,
}

fn sum(window: &[u64]) -> u64 {
    window.iter().fold(0, |sum, &key| sum.saturating_add(key))
}

impl PaperStore {
    /// Learns `window` if it is new; if there are `max` already, it replaces one of those with the fewest hits.
    pub(super) fn push(&mut self, window: &[u64], pushed: bool, max: usize) {
        if self.unique.contains(window) {
            return;
        }
        while self.known.len() >= max
            && let Some(least) = self.known.pop()
        {
            self.unique.remove(&least.window);
        }
        self.unique.insert(window.into());
        self.known.push(Known {
            window: window.into(),
            sum: sum(window),
            hits: 1,
            pushed,
        });
    }

    /// The smallest relative distance of `window` to the known ones, 0 to 1; 1 if there are none. The search ends with the first
    /// one within `similar`, which gets a hit.
    pub(super) fn distance(&mut self, window: &[u64], similar: f64) -> f64 {
        let own_sum = sum(window);
        let mut smallest = 1.0;
        let mut found = None;
        for (i, known) in self.known.iter().enumerate() {
            // The difference of the sums is a lower bound of the distance, so most windows need no closer look.
            let least = relative(own_sum.abs_diff(known.sum), known.sum);
            if least >= smallest && least > similar {
                continue;
            }
            let pairs = window.iter().zip(&known.window);
            let difference = pairs.fold(0_u64, |d, (a, b)| d.saturating_add(a.abs_diff(*b)));
            let distance = relative(difference, known.sum);
            if distance < smallest {
                smallest = distance;
            }
            if distance <= similar {
                found = Some(i);
                break;
            }
        }
        if let Some(i) = found {
            self.increment_hits(i);
        }
        smallest
    }

    /// Adds a hit to the window at `i`, which may move forward among those with as many hits.
    fn increment_hits(&mut self, i: usize) {
        let hits = self.known[i].hits;
        let first_equal = self.known.partition_point(|k| k.hits > hits);
        self.known[i].hits += 1;
        self.known.swap(i, first_equal);
    }

    /// Forgets the windows with `key` that adaptive learning has added.
    pub(super) fn unlearn(&mut self, key: u64) {
        let unique = &mut self.unique;
        self.known.retain(|known| {
            let keep = !(known.pushed && known.window.contains(&key));
            if !keep {
                unique.remove(&known.window);
            }
            keep
        });
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// Approximate memory in bytes, for windows of `window_size` keys.
    pub(super) fn bytes(&self, window_size: usize) -> usize {
        self.known.capacity() * (OVERHEAD_BYTES + 2 * window_size * size_of::<u64>())
    }

    /// Whether a restored store is one that could have been saved.
    pub(super) fn is_valid(&self, window_size: usize) -> bool {
        self.unique.len() == self.len()
            && self.known.is_sorted_by(|a, b| a.hits >= b.hits)
            && self.known.iter().all(|known| {
                known.window.len() == window_size
                    && known.sum == sum(&known.window)
                    && self.unique.contains(&known.window)
            })
    }
}

/// `difference` relative to `sum`, at most 1; 1 if the sum is 0.
fn relative(difference: u64, sum: u64) -> f64 {
    if sum == 0 {
        1.0
    } else {
        (difference as f64 / sum as f64).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(windows: &[&[u64]]) -> PaperStore {
        let mut store = PaperStore::default();
        for window in windows {
            store.push(window, false, 1000);
        }
        store
    }

    #[test]
    fn the_distance_is_relative_to_the_known_window_and_at_most_one() {
        assert_eq!(store(&[&[10, 10]]).distance(&[10, 15], 0.0), 0.25);
        assert_eq!(store(&[&[10, 15]]).distance(&[10, 10], 0.0), 0.2);
        assert_eq!(store(&[&[1, 1]]).distance(&[100, 100], 0.0), 1.0);
        assert_eq!(store(&[&[0, 0]]).distance(&[0, 0], 0.0), 1.0);
        assert_eq!(store(&[]).distance(&[1, 1], 0.0), 1.0);
        assert_eq!(
            store(&[&[10, 20], &[20, 10]]).distance(&[20, 11], 0.0),
            1.0 / 30.0
        );
    }

    #[test]
    fn the_search_ends_with_the_first_similar_window_and_the_most_used_comes_first() {
        let mut store = store(&[&[100, 104], &[100, 100]]);
        assert_eq!(store.distance(&[100, 100], 0.05), 4.0 / 204.0);
        assert_eq!(store.known[0].hits, 2);
        for _ in 0..3 {
            assert_eq!(store.distance(&[100, 94], 0.03), 0.03);
        }
        assert_eq!(store.known[0].window.as_ref(), [100, 100]);
        assert_eq!(store.distance(&[100, 100], 0.05), 0.0);
        assert!(store.is_valid(2));
    }

    #[test]
    fn the_shortcut_by_sums_changes_no_distance() {
        let mut random = 7_u64;
        let mut next = || {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            [0, 1, 2].map(|i| random >> (40 + 5 * i) & 63)
        };
        let windows: Vec<[u64; 3]> = (0..200).map(|_| next()).collect();
        let plain = |a: &[u64; 3]| {
            let distances = windows.iter().map(|b| {
                let difference: u64 = a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).sum();
                (difference as f64 / b.iter().sum::<u64>() as f64).min(1.0)
            });
            distances.fold(1.0, f64::min)
        };
        let mut store = PaperStore::default();
        windows.iter().for_each(|w| store.push(w, false, 1000));
        for _ in 0..1_000 {
            let window = next();
            assert_eq!(store.distance(&window, 0.0), plain(&window), "{window:?}");
        }
    }

    #[test]
    fn it_stays_within_its_bound_and_keeps_windows_in_use() {
        let mut store = PaperStore::default();
        store.push(&[5, 5], false, 10);
        store.distance(&[5, 5], 0.0);
        for key in 100..200 {
            store.push(&[key, key], true, 10);
        }
        assert_eq!(store.len(), 10);
        assert_eq!(store.distance(&[5, 5], 0.0), 0.0);
        assert!(store.is_valid(2));
    }

    #[test]
    fn only_pushed_windows_are_unlearned() {
        let mut store = store(&[&[1, 2]]);
        store.push(&[3, 2], true, 1000);
        store.push(&[3, 4], true, 1000);
        store.unlearn(2);
        assert_eq!(store.len(), 2);
        assert!(store.is_valid(2));
    }
}
