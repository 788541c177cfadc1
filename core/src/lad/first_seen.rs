//! When each template was first seen.

use serde::{Deserialize, Serialize};

use crate::memory::{grow, vec};

/// Evicted templates may stay until there are twice as many entries as known templates, plus this many.
const GONE_MAX: usize = 64;

/// The times of the first records of templates in seconds, sorted by template number, which count up.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "Vec<(u64, f64)>", into = "Vec<(u64, f64)>")]
pub(super) struct FirstSeen(Vec<(u64, f64)>);

impl FirstSeen {
    /// Adds the first record of a template, which is one of `known` templates; `is_known` says which of the others still are.
    pub(super) fn add(&mut self, id: u64, time: f64, known: usize, is_known: impl Fn(u64) -> bool) {
        let Self(times) = self;
        if times.len() >= 2 * known + GONE_MAX {
            times.retain(|&(id, _)| is_known(id));
            times.shrink_to(2 * known + GONE_MAX);
        }
        grow(times, 1);
        let at = match times.last() {
            Some(&(newest, _)) if newest >= id => times.partition_point(|&(other, _)| other < id),
            _ => times.len(),
        };
        times.insert(at, (id, time));
    }

    /// When a template was first seen, in seconds, if known.
    pub(super) fn of(&self, id: u64) -> Option<f64> {
        let Self(times) = self;
        let at = times.binary_search_by_key(&id, |&(id, _)| id).ok()?;
        Some(times[at].1)
    }

    /// Memory in bytes.
    pub(super) fn bytes(&self) -> usize {
        vec(&self.0)
    }
}

impl From<Vec<(u64, f64)>> for FirstSeen {
    fn from(mut times: Vec<(u64, f64)>) -> Self {
        times.sort_unstable_by_key(|&(id, _)| id);
        Self(times)
    }
}

impl From<FirstSeen> for Vec<(u64, f64)> {
    fn from(FirstSeen(times): FirstSeen) -> Self {
        times
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_known_templates_are_kept_and_others_are_dropped_soon() {
        let mut first_seen = FirstSeen::default();
        for id in 1..=1_000_u64 {
            first_seen.add(id, id as f64, 10, |id| id % 100 == 0);
            assert!(first_seen.0.len() <= 84 + 1);
        }
        assert_eq!(first_seen.of(500), Some(500.0));
        assert_eq!(first_seen.of(1_000), Some(1_000.0));
        assert_eq!((first_seen.of(501), first_seen.of(2_000)), (None, None));
    }

    #[test]
    fn a_snapshot_may_have_them_in_any_order() {
        let bytes = postcard::to_stdvec(&vec![(5_u64, 1.0), (2, 3.0), (9, 4.0)]).unwrap();
        let mut first_seen: FirstSeen = postcard::from_bytes(&bytes).unwrap();
        assert_eq!((first_seen.of(2), first_seen.of(9)), (Some(3.0), Some(4.0)));
        first_seen.add(7, 8.0, 10, |_| true);
        assert_eq!((first_seen.of(7), first_seen.of(9)), (Some(8.0), Some(4.0)));
    }
}
