//! Whether at least two VMs of a hypervisor vote: without that, the detector is as silent as on a healthy host.
//!
//! The detector's statuses are counted every now and then, and once a day those that were mostly without two votes make a line.

use std::collections::BTreeMap;

/// Seconds between two counts.
const TURN_SEC: f64 = 300.0;
/// Seconds after which the counts are evaluated and begin again.
const WINDOW_SEC: f64 = 86_400.0;
/// A metric of a hypervisor with two votes or more in less than this share of its counts is named.
const VOTED_MIN: f64 = 0.25;
/// Fewer counts than this in a window say nothing: the hypervisor is new, or gone.
const COUNTS_MIN: u32 = 200;
/// The most hypervisors and metrics that are named in a line.
const NAMED_MAX: usize = 3;

/// Counts with two VMs or more, and those of them in which two or more voted.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    all: u32,
    with_votes: u32,
}

/// The counts of all hypervisors and metrics.
#[derive(Debug, Default)]
pub struct Votes {
    counts: BTreeMap<(Box<str>, Box<str>), Count>,
    next_turn: f64,
    next_window: Option<f64>,
}

impl Votes {
    /// Whether it is time to count, by the steady clock.
    pub fn is_due(&self, now: f64) -> bool {
        now >= self.next_turn
    }

    /// Counts a status: the hypervisor, the metric, its VMs and how many of them voted. Each is counted once a turn.
    pub fn count(&mut self, hypervisor: &str, metric: &str, vms: u32, voters: u32) {
        if vms < 2 {
            return;
        }
        let key = (hypervisor.into(), metric.into());
        let count = self.counts.entry(key).or_default();
        count.all = count.all.saturating_add(1);
        count.with_votes += u32::from(voters >= 2);
    }

    /// Ends a turn at `now`, by the steady clock. At the end of a window, a line about those without two votes, if there are any.
    pub fn end_turn(&mut self, now: f64) -> Option<String> {
        self.next_turn = now + TURN_SEC;
        if now < *self.next_window.get_or_insert(now + WINDOW_SEC) {
            return None;
        }
        self.next_window = Some(now + WINDOW_SEC);
        let counts = std::mem::take(&mut self.counts);
        let share = |count: &Count| f64::from(count.with_votes) / f64::from(count.all);
        let is_silent = |count: &Count| count.all >= COUNTS_MIN && share(count) < VOTED_MIN;
        let silent: Vec<_> = counts
            .iter()
            .filter(|(_, count)| is_silent(count))
            .collect();
        if silent.is_empty() {
            return None;
        }
        let named = silent
            .iter()
            .take(NAMED_MAX)
            .map(|((hypervisor, metric), count)| {
                format!("{metric} of {hypervisor} for {:.1} h", 24.0 * share(count))
            });
        let named: Vec<String> = named.collect();
        let more = match silent.len().saturating_sub(NAMED_MAX) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        Some(format!(
            "in the last 24 h, at least two VMs voted on {}{more}, and without that no fault is detected; VMs that are idle, at their \
             limit, report rarely, or are known for too short a time do not vote",
            named.join(", ")
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of `days` days in which `voters` of 5 VMs of each hypervisor vote.
    fn lines(days: f64, hypervisors: usize, voters: impl Fn(f64) -> u32) -> Vec<String> {
        let mut votes = Votes::default();
        let mut lines = Vec::new();
        let mut now = 1000.0;
        while now < 1000.0 + days * WINDOW_SEC {
            assert!(votes.is_due(now));
            for hypervisor in 0..hypervisors {
                votes.count(&format!("hv{hypervisor}"), "cpu", 5, voters(now));
                votes.count("lone", "cpu", 1, 0);
            }
            lines.extend(votes.end_turn(now));
            assert!(!votes.is_due(now + TURN_SEC / 2.0));
            now += TURN_SEC;
        }
        lines
    }

    #[test]
    fn vms_without_two_votes_make_one_line_a_day() {
        let all = lines(2.5, 5, |_| 1);
        assert_eq!(all.len(), 2, "{all:?}");
        let named = "cpu of hv0 for 0.0 h, cpu of hv1 for 0.0 h, cpu of hv2 for 0.0 h and 2 more, and without";
        assert!(all[0].contains(named), "{}", all[0]);
        let rarely = lines(1.1, 1, |now| {
            if now < 1000.0 + WINDOW_SEC / 8.0 {
                5
            } else {
                0
            }
        });
        assert!(
            rarely[0].contains("cpu of hv0 for 3.0 h, and"),
            "{rarely:?}"
        );
    }

    #[test]
    fn two_voters_for_most_of_the_day_and_days_too_short_make_none() {
        assert!(
            lines(2.5, 2, |now| if now < 1000.0 + WINDOW_SEC / 3.0 {
                0
            } else {
                2
            })
            .is_empty()
        );
        assert!(lines(0.9, 2, |_| 0).is_empty());
    }
}
