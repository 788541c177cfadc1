//! Level: the VMs together changed by more than they did within days, although the course of the day was divided out of them.
//!
//! Hosts whose VMs share a sharp course of the day deviate from it together, a little, every day: the bar learns that, and ranks know
//! no size, so a fault is invisible to the other channels although it is several times as large. Here the size decides: the mean of
//! the VMs' changes, each ln of the present's mean over the past's, against the largest of the last days. It takes a known course
//! and some days; where that is not known, the other channels are better.

use serde::{Deserialize, Serialize};

use super::judge::Judge;
use crate::event::Direction;
use crate::had::method::{Alarm, Verdict};
use crate::had::quorum::votes_needed;
use crate::memory::vec;

/// Its name in events.
pub(super) const CHANNEL: &str = "level";
/// The time scales that it uses, by index: fast and brisk.
const SCALES: usize = 2;
/// Samples after which a change belongs to the past: a present and its base.
const LAG: usize = 64;
/// Least number of VMs.
const VMS_MIN: usize = 4;
/// Share of the VMs that must change in the direction of the mean, each by at least [`PART`] of it.
const QUORUM: f64 = 0.7;
const PART: f64 = 0.2;
/// No VM changes by more than this, in ln: one alone does not carry the mean.
const CHANGE_MAX: f64 = 1.0;
/// The least change that counts, in ln.
const CHANGE_MIN: f64 = 0.1;
/// Days for which the course must have been known, and those that are remembered.
const DAYS_MIN: f64 = 2.0;
const DAYS_MAX: usize = 7;
/// A change must be this many times the largest of those days.
const FACTOR: f64 = 1.25;
/// Every such part of the largest makes it ten times as improbable: what hosts with a course of the day exceed by chance, at
/// factors of 1.1 to 1.6, on servers of one company.
const PART_PER_DECADE: f64 = 0.2;

/// The changes of one time scale.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Scale {
    /// The largest change of each day, the oldest first.
    days: Vec<f32>,
    /// That of the day at hand, and its samples.
    largest: f32,
    passed: u32,
    /// The last changes, a ring; they are not yet the past.
    pending: Vec<f32>,
    oldest: u32,
}

impl Default for Scale {
    fn default() -> Self {
        Self {
            days: Vec::new(),
            largest: 0.0,
            passed: 0,
            pending: vec![0.0; LAG],
            oldest: 0,
        }
    }
}

/// What a scale found: the change as a multiple of the largest of the past, and how the VMs voted.
#[derive(Debug, Clone, Copy)]
struct Found {
    ratio: f64,
    voters: usize,
    agreeing: usize,
    up: bool,
}

impl Scale {
    /// Takes the VMs' changes at one sample; `day` is the number of samples a day, and `is_known` says that enough of them are
    /// the past. `None` if not, or the VMs are few or do not agree.
    fn pass(
        &mut self,
        changes: impl Iterator<Item = f64> + Clone,
        day: f64,
        is_known: bool,
    ) -> Option<Found> {
        let voters = changes.clone().count();
        if voters < VMS_MIN {
            return None;
        }
        let sum: f64 = changes
            .clone()
            .map(|change| change.clamp(-CHANGE_MAX, CHANGE_MAX))
            .sum();
        let mean = sum / voters as f64;
        let at = self.oldest as usize;
        let lagged = std::mem::replace(&mut self.pending[at], mean.abs() as f32);
        self.oldest = ((at + 1) % LAG) as u32;
        self.largest = self.largest.max(lagged);
        self.passed += 1;
        if f64::from(self.passed) >= day {
            if self.days.len() == DAYS_MAX {
                self.days.remove(0);
            }
            self.days.push(self.largest);
            (self.largest, self.passed) = (0.0, 0);
        }
        let agreeing = changes
            .filter(|change| change * mean.signum() >= PART * mean.abs())
            .count();
        if !is_known || agreeing < votes_needed(voters, QUORUM) {
            return None;
        }
        let past = self.days.iter().fold(self.largest, |a, b| a.max(*b));
        Some(Found {
            ratio: mean.abs() / f64::from(past).max(CHANGE_MIN),
            voters,
            agreeing,
            up: mean > 0.0,
        })
    }

    /// Forgets the changes that are not yet the past.
    fn interrupt(&mut self) {
        self.pending.fill(0.0);
    }

    fn is_valid(&self) -> bool {
        let all = self.days.iter().chain(&self.pending);
        self.days.len() <= DAYS_MAX
            && self.pending.len() == LAG
            && (self.oldest as usize) < LAG
            && all.chain([&self.largest]).all(|x| x.is_finite())
    }
}

/// The level of the VMs of one metric of one hypervisor.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Level {
    scales: [Scale; SCALES],
    /// Samples since the course of the day is known; until the windows hold only such samples, nothing is.
    settled: u32,
}

impl Level {
    /// Whether a restored state is possible.
    pub(super) fn is_valid(&self) -> bool {
        self.scales.iter().all(Scale::is_valid)
    }

    /// Memory outside of itself in bytes.
    pub(super) fn bytes(&self) -> usize {
        let scale = |scale: &Scale| vec(&scale.pending) + DAYS_MAX * size_of::<f32>();
        self.scales.iter().map(scale).sum()
    }

    /// Judges one sample, which the judge has taken; `has_course` says that the course of the day was divided out of most of the
    /// VMs, `day` is the number of samples a day. Returns a verdict that may have an alarm, if anything can be said.
    pub(super) fn pass(&mut self, judge: &Judge, has_course: bool, day: f64) -> Option<Verdict> {
        if !has_course {
            self.settled = 0;
            self.scales.iter_mut().for_each(Scale::interrupt);
            return None;
        }
        self.settled = self.settled.saturating_add(1);
        if self.settled < LAG as u32 {
            return None;
        }
        let is_known = f64::from(self.settled) >= 2.0 * LAG as f64 + DAYS_MIN * day;
        let mut best: Option<Found> = None;
        for (c, scale) in self.scales.iter_mut().enumerate() {
            let changes = (0..judge.slots()).filter_map(|slot| judge.change(slot, c));
            let found = scale.pass(changes, day, is_known);
            if found.is_some_and(|found| best.is_none_or(|best| found.ratio > best.ratio)) {
                best = found;
            }
        }
        let Found {
            ratio,
            voters,
            agreeing,
            up,
        } = best?;
        let direction = match up {
            true => Direction::Up,
            false => Direction::Down,
        };
        let alarm = (ratio >= FACTOR).then(|| Alarm {
            consistency: 1.0 / ratio,
            ..Alarm::certain(CHANNEL, direction)
        });
        let score = ratio / (ratio + FACTOR);
        Some(Verdict {
            voters: voters as u32,
            consensus: agreeing as f64 / voters as f64,
            score: match alarm {
                Some(_) => score,
                None => score.min(Verdict::NO_ALARM_MAX),
            },
            weight: Verdict::weight_of((ratio - FACTOR) / PART_PER_DECADE),
            alarm,
            follows_time_of_day: false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: f64 = 100.0;

    /// What a common change of `size` gives, of five VMs of which the last does as it likes.
    fn pass(scale: &mut Scale, size: f64, is_known: bool) -> Option<Found> {
        let changes = [size, 1.1 * size, 0.9 * size, size, 0.0];
        scale.pass(changes.into_iter(), DAY, is_known)
    }

    /// A scale after days of changes of up to 0.24 in the mean.
    fn restless() -> Scale {
        let mut scale = Scale::default();
        for t in 0..450 {
            pass(&mut scale, 0.3 * (f64::from(t) / 16.0).sin(), false);
        }
        scale
    }

    #[test]
    fn a_change_counts_by_how_many_times_the_largest_of_the_last_days_it_is() {
        let mut scale = restless();
        assert!(pass(&mut scale, -0.6, false).is_none(), "too few days");
        let found = pass(&mut scale, -0.6, true).unwrap();
        assert!((found.ratio - 2.0).abs() < 0.1, "{found:?}");
        assert_eq!((found.voters, found.agreeing, found.up), (5, 4, false));
    }

    #[test]
    fn one_vm_alone_and_vms_that_disagree_are_no_change_of_level() {
        let mut scale = restless();
        let mut pass = |changes: [f64; 5]| scale.pass(changes.into_iter(), DAY, true);
        assert!(pass([9.0, 0.0, 0.0, 0.0, 0.0]).is_none());
        assert!(pass([2.0, 2.0, -1.0, -1.0, 0.0]).is_none());
    }

    #[test]
    fn a_change_becomes_usual_after_its_windows_and_is_forgotten_after_a_week() {
        let mut scale = restless();
        let ratio = |scale: &mut Scale| pass(scale, 1.0, true).unwrap().ratio;
        assert!(ratio(&mut scale) > 3.0);
        for _ in 0..LAG {
            pass(&mut scale, 0.1, true);
        }
        assert!((ratio(&mut scale) - 1.0).abs() < 0.1);
        for _ in 0..9 * 100 {
            pass(&mut scale, 0.1, true);
        }
        assert!(ratio(&mut scale) > 3.0);
        assert!(scale.is_valid());
    }
}
