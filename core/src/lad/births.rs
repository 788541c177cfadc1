//! When each template was first seen.

use serde::{Deserialize, Serialize};

use crate::memory::{grow, vec};

/// Templates that are gone may stay until there are twice as many as are known, and so many more.
const GONE_MAX: usize = 64;

/// The times of the first records of templates, in seconds, by the templates' numbers, which count up.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "Vec<(u64, f64)>", into = "Vec<(u64, f64)>")]
pub(super) struct Births(Vec<(u64, f64)>);

impl Births {
    /// A template that is one of so many `known` ones has its first record; `lives` says which of the others are.
    pub(super) fn add(&mut self, id: u64, time: f64, known: usize, lives: impl Fn(u64) -> bool) {
        let Self(times) = self;
        if times.len() >= 2 * known + GONE_MAX {
            times.retain(|&(id, _)| lives(id));
            times.shrink_to(2 * known + GONE_MAX);
        }
        grow(times, 1);
        let at = match times.last() {
            Some(&(newest, _)) if newest >= id => times.partition_point(|&(other, _)| other < id),
            _ => times.len(),
        };
        times.insert(at, (id, time));
    }

    /// When a template was first seen, in seconds, where that is known.
    pub(super) fn of(&self, id: u64) -> Option<f64> {
        let Self(times) = self;
        let at = times.binary_search_by_key(&id, |&(id, _)| id).ok()?;
        Some(times[at].1)
    }

    /// How much memory it takes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        vec(&self.0)
    }
}

impl From<Vec<(u64, f64)>> for Births {
    fn from(mut times: Vec<(u64, f64)>) -> Self {
        times.sort_unstable_by_key(|&(id, _)| id);
        Self(times)
    }
}

impl From<Births> for Vec<(u64, f64)> {
    fn from(Births(times): Births) -> Self {
        times
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_of_templates_that_are_known_are_kept_and_those_of_others_not_for_long() {
        let mut births = Births::default();
        for id in 1..=1_000_u64 {
            births.add(id, id as f64, 10, |id| id % 100 == 0);
            assert!(births.0.len() <= 84 + 1);
        }
        assert_eq!(births.of(500), Some(500.0));
        assert_eq!(births.of(1_000), Some(1_000.0));
        assert_eq!((births.of(501), births.of(2_000)), (None, None));
    }

    #[test]
    fn a_snapshot_has_them_in_any_order() {
        let bytes = postcard::to_stdvec(&vec![(5_u64, 1.0), (2, 3.0), (9, 4.0)]).unwrap();
        let mut births: Births = postcard::from_bytes(&bytes).unwrap();
        assert_eq!((births.of(2), births.of(9)), (Some(3.0), Some(4.0)));
        births.add(7, 8.0, 10, |_| true);
        assert_eq!((births.of(7), births.of(9)), (Some(8.0), Some(4.0)));
    }
}
