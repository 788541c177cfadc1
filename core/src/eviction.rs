//! Which entry of a full table a newcomer replaces.
//!
//! Names can be made up, so a table must neither be blocked for a day by names that come once, nor may a flood of them displace
//! known entries. An entry that still reports is never evicted. Of the others, those with the fewest samples go first, and among
//! these the one that has been silent longest. Because nothing reports twice at once, a newcomer keeps its place for
//! [`GRACE_INTERVALS`]; by then a real one has reported again, and a made-up one has not.
//!
//! The table is searched at most once per interval, whatever the number of newcomers. The search lists all victims; newcomers
//! then take their places, and those who come when the list is empty are refused. If there are more newcomers than places, all
//! have the same chance in each interval, so a real newcomer gets a place however large the flood is that it comes with. Half of
//! the places are left to those who come later.

use std::hash::{Hash as _, Hasher as _};

use rustc_hash::FxHasher;

/// An entry with samples in this many intervals is established.
pub(crate) const ESTABLISHED: u32 = 32;

/// An entry without a sample for this many of its intervals no longer reports.
pub(crate) const GRACE_INTERVALS: f64 = 2.5;

/// An established entry may be silent for this share of the option `forget_sec`, but at least for [`ESTABLISHED`] intervals.
const ESTABLISHED_SHARE: f64 = 1.0 / 24.0;

/// The number of newcomers that are admitted per place, relative to the newcomers of the last interval.
const ADMITTED_SHARE: f64 = 0.5;

/// How long an entry that had samples in `intervals` intervals may be silent before it may be evicted; in the unit of `interval`
/// and `forget`, the time after which it is forgotten.
pub(crate) fn patience(intervals: u32, interval: f64, forget: f64) -> f64 {
    if intervals >= ESTABLISHED {
        (ESTABLISHED_SHARE * forget).max(f64::from(ESTABLISHED) * interval)
    } else {
        GRACE_INTERVALS * interval
    }
}

/// An entry that may be evicted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Candidate {
    /// Its index in the table.
    pub at: usize,
    /// Intervals with a sample.
    pub intervals: u32,
    /// How long it has been silent.
    pub silent: f64,
}

/// See the [module](self).
#[derive(Debug, Clone)]
pub(crate) struct Eviction {
    /// Indices of the entries to evict, the next one last.
    victims: Vec<u32>,
    /// When the table was last searched.
    searched: f64,
    /// Newcomers since then.
    newcomers: u64,
    /// How many of 2^32 newcomers are admitted.
    admitted: u64,
    /// Number of searches, which changes the chance of a newcomer with every search.
    searches: u64,
}

impl Default for Eviction {
    fn default() -> Self {
        Self {
            victims: Vec::new(),
            searched: f64::NEG_INFINITY,
            newcomers: 0,
            admitted: 0,
            searches: 0,
        }
    }
}

impl Eviction {
    /// The index that the newcomer `name` takes at the time `now`; `None` if it is refused. If `every` has passed since the last
    /// search, `candidates` lists all entries that may be evicted. `is_silent` tells whether an entry found earlier is still
    /// silent.
    pub(crate) fn slot_for<I: Iterator<Item = Candidate>>(
        &mut self,
        name: &str,
        now: f64,
        every: f64,
        candidates: impl FnOnce() -> I,
        is_silent: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        // Time can be set back if it comes from the samples.
        if now - self.searched >= every || now < self.searched {
            self.search(now, candidates());
        }
        self.newcomers += 1;
        if self.chance_of(name) >= self.admitted {
            return None;
        }
        std::iter::from_fn(|| self.victims.pop())
            .map(|at| at as usize)
            .find(|at| is_silent(*at))
    }

    fn search(&mut self, now: f64, candidates: impl Iterator<Item = Candidate>) {
        let mut found: Vec<Candidate> = candidates.collect();
        // Compared by order of magnitude: among entries with two or three samples, the one that has been silent longer goes
        // first.
        let last_to_go = |c: &Candidate| std::cmp::Reverse((c.intervals | 1).ilog2());
        found.sort_unstable_by(|a, b| {
            let few = last_to_go(a).cmp(&last_to_go(b));
            few.then(a.silent.total_cmp(&b.silent))
                .then(b.at.cmp(&a.at))
        });
        self.victims.clear();
        self.victims.extend(found.iter().map(|c| c.at as u32));
        let places = ADMITTED_SHARE * self.victims.len() as f64;
        // The first newcomers of a flood get all places.
        let share = match self.newcomers {
            0 => 1.0,
            newcomers => places / newcomers as f64,
        };
        self.admitted = (share * (1u64 << 32) as f64) as u64;
        self.searched = now;
        self.newcomers = 0;
        self.searches += 1;
    }

    /// A pseudo-random number below 2^32.
    fn chance_of(&self, name: &str) -> u64 {
        let mut hasher = FxHasher::default();
        name.hash(&mut hasher);
        let mut x = hasher.finish() ^ self.searches.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) >> 32
    }

    /// Forgets the victims, because the indices of the table have changed.
    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(at: usize, intervals: u32, silent: f64) -> Candidate {
        Candidate {
            at,
            intervals,
            silent,
        }
    }

    /// The victims in order, for this many newcomers at once.
    fn order(table: &[Candidate], newcomers: usize) -> Vec<usize> {
        let mut eviction = Eviction::default();
        (0..newcomers)
            .filter_map(|_| eviction.slot_for("new", 0.0, 1.0, || table.iter().copied(), |_| true))
            .collect()
    }

    #[test]
    fn entries_with_the_fewest_samples_are_evicted_first_and_among_these_the_longest_silent() {
        let table = [
            candidate(0, 100, 900.0),
            candidate(1, 1, 30.0),
            candidate(2, 0, 40.0),
            candidate(3, 3, 99.0),
            candidate(4, 2, 50.0),
        ];
        assert_eq!(order(&table, 9), [2, 1, 3, 4, 0]);
    }

    #[test]
    fn the_table_is_searched_once_per_interval_with_any_number_of_newcomers() {
        let mut eviction = Eviction::default();
        let mut searches = 0;
        for n in 0..100_000u32 {
            let candidates = || {
                searches += 1;
                (0..10).map(|at| candidate(at, 1, 30.0))
            };
            eviction.slot_for(
                &n.to_string(),
                f64::from(n / 1000),
                10.0,
                candidates,
                |_| true,
            );
        }
        assert_eq!(searches, 10);
    }

    #[test]
    fn an_entry_that_reports_again_after_the_search_keeps_its_place() {
        let table = [candidate(0, 1, 30.0), candidate(1, 1, 20.0)];
        let mut eviction = Eviction::default();
        let place = eviction.slot_for("new", 0.0, 1.0, || table.into_iter(), |at| at != 0);
        assert_eq!(place, Some(1));
    }

    #[test]
    fn a_persistent_newcomer_gets_a_place_in_a_flood_however_late_it_comes_in_each_interval() {
        let mut eviction = Eviction::default();
        let mut admitted = None;
        for interval in 0..1000 {
            let now = f64::from(interval);
            let mut place = |name: &str| {
                let candidates = || (0..10).map(|at| candidate(at, 1, 30.0));
                eviction.slot_for(name, now, 1.0, candidates, |_| true)
            };
            for n in 0..100 {
                place(&format!("invented-{interval}-{n}"));
            }
            if place("real").is_some() {
                admitted = Some(interval);
                break;
            }
        }
        // One in ten is admitted; in the first interval, the flood is unknown and gets all places.
        assert!(
            admitted.is_some_and(|at| (1..100).contains(&at)),
            "{admitted:?}"
        );
    }
}
