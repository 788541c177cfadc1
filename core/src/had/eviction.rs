//! Who makes room for a newcomer in a table that is full.
//!
//! Names can be invented, so a table must neither be filled for a day by names that come once, nor may a flood of them displace
//! what is known. An entry that still reports never makes room. Of those that do not, the ones with the fewest samples go first,
//! and among these the one that has been silent longest. As nobody reports twice at once, a newcomer keeps its place for
//! [`GRACE_INTERVALS`]: a real one is then back, an invented one is not.
//!
//! The table is searched at most once an interval, whatever the number of newcomers: the search lists all who may go, the next
//! ones take them from the list, and those who come when it is empty are turned away. Where more want in than can, all have the
//! same chance in every interval, so that a real newcomer gets its place however large the flood is that it comes in; and half
//! of the places are left to those who come later.

use std::hash::{Hash as _, Hasher as _};

use rustc_hash::FxHasher;

/// From so many intervals with samples on, an entry is established.
pub(super) const ESTABLISHED: u32 = 32;

/// Who has not reported for so many of its intervals no longer does.
pub(super) const GRACE_INTERVALS: f64 = 2.5;

/// An established entry is given this share of the option `forget_sec`, but at least [`ESTABLISHED`] intervals.
const ESTABLISHED_SHARE: f64 = 1.0 / 24.0;

/// So many newcomers are let in for each place that there was for those of the last interval.
const ADMITTED_SHARE: f64 = 0.5;

/// How long an entry that had samples in `heard` intervals may be silent before it may have to make room; in the unit of
/// `interval`, in which `forget` says how long it may be silent at all.
pub(super) fn patience(heard: u32, interval: f64, forget: f64) -> f64 {
    if heard >= ESTABLISHED {
        (ESTABLISHED_SHARE * forget).max(f64::from(ESTABLISHED) * interval)
    } else {
        GRACE_INTERVALS * interval
    }
}

/// An entry that may have to make room.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Candidate {
    /// Its place in the table.
    pub at: usize,
    /// Intervals with a sample of it.
    pub heard: u32,
    /// How long it has been silent.
    pub silent: f64,
}

/// See the [module](self).
#[derive(Debug, Clone)]
pub(super) struct Eviction {
    /// Who may go, the next one last.
    victims: Vec<u32>,
    /// When the table was last searched.
    searched: f64,
    /// Newcomers since then.
    newcomers: u64,
    /// How many of 2^32 newcomers may take a place.
    admitted: u64,
    /// Makes the chance of a newcomer another one with every search.
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
    /// The place that the newcomer `name` is to take at the time `now`; `None` where it is turned away. Where `every` has passed
    /// since the last search, `candidates` gives all who may go. `is_silent` says whether one found earlier still is.
    pub(super) fn place_for<I: Iterator<Item = Candidate>>(
        &mut self,
        name: &str,
        now: f64,
        every: f64,
        candidates: impl FnOnce() -> I,
        is_silent: impl Fn(usize) -> bool,
    ) -> Option<usize> {
        // Time can be set back, where it is that of the samples.
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
        // Numbers of samples that are alike are the same: of two who came twice or thrice, the one silent for longer goes.
        let last_to_go = |c: &Candidate| std::cmp::Reverse((c.heard | 1).ilog2());
        found.sort_unstable_by(|a, b| {
            let few = last_to_go(a).cmp(&last_to_go(b));
            few.then(a.silent.total_cmp(&b.silent))
                .then(b.at.cmp(&a.at))
        });
        self.victims.clear();
        self.victims.extend(found.iter().map(|c| c.at as u32));
        let places = ADMITTED_SHARE * self.victims.len() as f64;
        // The first newcomers of a flood find whatever there is.
        let share = match self.newcomers {
            0 => 1.0,
            newcomers => places / newcomers as f64,
        };
        self.admitted = (share * (1u64 << 32) as f64) as u64;
        self.searched = now;
        self.newcomers = 0;
        self.searches += 1;
    }

    /// A number below 2^32 that looks random.
    fn chance_of(&self, name: &str) -> u64 {
        let mut hasher = FxHasher::default();
        name.hash(&mut hasher);
        let mut x = hasher.finish() ^ self.searches.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) >> 32
    }

    /// The places of the table are others now.
    pub(super) fn restart(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(at: usize, heard: u32, silent: f64) -> Candidate {
        Candidate { at, heard, silent }
    }

    /// Who makes room, in their order, when so many newcomers come at once.
    fn order(table: &[Candidate], newcomers: usize) -> Vec<usize> {
        let mut eviction = Eviction::default();
        (0..newcomers)
            .filter_map(|_| eviction.place_for("new", 0.0, 1.0, || table.iter().copied(), |_| true))
            .collect()
    }

    #[test]
    fn the_fewest_samples_go_first_and_among_these_the_longest_silent() {
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
    fn the_table_is_searched_once_an_interval_however_many_want_in() {
        let mut eviction = Eviction::default();
        let mut searches = 0;
        for n in 0..100_000u32 {
            let candidates = || {
                searches += 1;
                (0..10).map(|at| candidate(at, 1, 30.0))
            };
            eviction.place_for(
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
    fn who_reports_again_after_the_search_keeps_its_place() {
        let table = [candidate(0, 1, 30.0), candidate(1, 1, 20.0)];
        let mut eviction = Eviction::default();
        let place = eviction.place_for("new", 0.0, 1.0, || table.into_iter(), |at| at != 0);
        assert_eq!(place, Some(1));
    }

    #[test]
    fn a_newcomer_that_keeps_coming_gets_a_place_in_a_flood_however_late_it_comes_in_each_interval()
    {
        let mut eviction = Eviction::default();
        let mut admitted = None;
        for interval in 0..1000 {
            let now = f64::from(interval);
            let mut place = |name: &str| {
                let candidates = || (0..10).map(|at| candidate(at, 1, 30.0));
                eviction.place_for(name, now, 1.0, candidates, |_| true)
            };
            for n in 0..100 {
                place(&format!("invented-{interval}-{n}"));
            }
            if place("real").is_some() {
                admitted = Some(interval);
                break;
            }
        }
        // One in ten gets in; the first interval, in which nothing is known of the flood, is the flood's.
        assert!(
            admitted.is_some_and(|at| (1..100).contains(&at)),
            "{admitted:?}"
        );
    }
}
