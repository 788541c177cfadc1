//! The evidence of the last minutes of a host whose outcome is not known yet.

use serde::{Deserialize, Serialize};

use super::tables::{HORIZONS, Horizon};

/// Number of minutes that are kept: the longest horizon, the time within which outcomes may be reported, and the present one.
const MINUTES: usize = 64;
/// Failures may be reported this many minutes late.
const LATE_MINUTES: i64 = 30;
/// The minutes after a failure, or after the guests were moved away, teach nothing: the host's state is its aftermath.
const AFTERMATH_MINUTES: i64 = 30;

/// A sample of the evidence for each minute, by horizon; NaN where there is none, or where it has been counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Recent {
    /// The newest minute since the epoch.
    newest: i64,
    /// Minutes up to this one teach nothing.
    quiet_until: i64,
    samples: [Vec<f32>; HORIZONS],
}

/// The minute of a time in seconds.
pub(super) fn minute(seconds: f64) -> i64 {
    (seconds / 60.0).floor() as i64
}

fn slot(minute: i64) -> usize {
    minute.rem_euclid(MINUTES as i64) as usize
}

impl Recent {
    /// No samples, at this minute.
    pub(super) fn new(minute: i64) -> Self {
        Self {
            newest: minute - 1,
            quiet_until: i64::MIN,
            samples: std::array::from_fn(|_| vec![f32::NAN; MINUTES]),
        }
    }

    /// Whether it could have been made here.
    pub(super) fn is_valid(&self) -> bool {
        self.samples.iter().all(|all| all.len() == MINUTES) && self.newest.unsigned_abs() < 1 << 40
    }

    /// Memory of one in bytes.
    pub(super) const BYTES: usize =
        size_of::<Self>() + HORIZONS * (MINUTES * size_of::<f32>() + 16);

    /// Moves on to `minute`: passes each sample to `healthy` that no failure can follow within its horizon any more. `true` if the
    /// minute is new and waits for a sample.
    pub(super) fn advance(&mut self, minute: i64, mut healthy: impl FnMut(Horizon, f64)) -> bool {
        if minute < self.newest - MINUTES as i64 {
            // The clock was set back.
            *self = Self::new(minute);
        }
        if minute <= self.newest {
            return false;
        }
        // After that many steps nothing is left to be counted.
        let last = minute.min(self.newest + 2 * MINUTES as i64);
        for now in self.newest + 1..=last {
            for (samples, horizon) in self.samples.iter_mut().zip(Horizon::ALL) {
                let over = now - i64::from(horizon.minutes()) - LATE_MINUTES - 1;
                let sample = std::mem::replace(&mut samples[slot(over)], f32::NAN);
                if !sample.is_nan() {
                    healthy(horizon, f64::from(sample));
                }
            }
        }
        self.newest = minute;
        true
    }

    /// Sets the sample of the newest minute.
    pub(super) fn put(&mut self, evidence: [f64; HORIZONS]) {
        if self.newest <= self.quiet_until {
            return;
        }
        for (samples, evidence) in self.samples.iter_mut().zip(evidence) {
            samples[slot(self.newest)] = evidence as f32;
        }
    }

    /// The host failed in `minute`: passes each sample within a horizon before it to `failing`. `false` if that failure has been
    /// counted, or is too old.
    pub(super) fn fail(&mut self, minute: i64, mut failing: impl FnMut(Horizon, f64)) -> bool {
        if minute <= self.quiet_until || minute < self.newest - LATE_MINUTES {
            return false;
        }
        self.end(minute, |horizon, age, sample| {
            if age >= 0 {
                failing(horizon, sample);
            }
        });
        true
    }

    /// What would have become of the host from `minute` on will never be known.
    pub(super) fn drop_until(&mut self, minute: i64) {
        self.end(minute, |_, _, _| {});
    }

    /// Takes the samples from a horizon before `minute` on, each with its age at that minute.
    fn end(&mut self, minute: i64, mut take: impl FnMut(Horizon, i64, f64)) {
        let oldest = self.newest - MINUTES as i64 + 1;
        for (samples, horizon) in self.samples.iter_mut().zip(Horizon::ALL) {
            let first = (minute - i64::from(horizon.minutes())).max(oldest);
            for at in first..=self.newest {
                let sample = std::mem::replace(&mut samples[slot(at)], f32::NAN);
                if !sample.is_nan() {
                    take(horizon, minute - at, f64::from(sample));
                }
            }
        }
        self.quiet_until = self.quiet_until.max(minute + AFTERMATH_MINUTES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds the minutes, with their number as evidence, and collects what is counted as healthy.
    fn feed(recent: &mut Recent, minutes: std::ops::Range<i64>) -> Vec<(Horizon, f64)> {
        let mut healthy = Vec::new();
        for minute in minutes {
            recent.advance(minute, |horizon, evidence| {
                healthy.push((horizon, evidence))
            });
            recent.put([minute as f64; HORIZONS]);
        }
        healthy
    }

    #[test]
    fn minutes_without_a_failure_count_as_healthy_once_each() {
        let mut recent = Recent::new(1_000);
        let healthy = feed(&mut recent, 1_000..1_200);
        let of = |wanted| -> Vec<f64> {
            let all = healthy.iter().filter(|(horizon, _)| *horizon == wanted);
            all.map(|(_, evidence)| *evidence).collect()
        };
        let expected = |last: i64| -> Vec<f64> { (1_000..=last).map(|m| m as f64).collect() };
        assert_eq!(of(Horizon::Ten), expected(1_199 - 41));
        assert_eq!(of(Horizon::Thirty), expected(1_199 - 61));
    }

    #[test]
    fn a_failure_counts_the_minutes_of_each_horizon_even_if_it_is_reported_late() {
        for late in [0, 29] {
            let mut recent = Recent::new(0);
            let mut healthy = feed(&mut recent, 0..60 + late + 1);
            let mut failing = Vec::new();
            assert!(recent.fail(60, |horizon, evidence| failing.push((horizon, evidence))));
            let of = |wanted| {
                failing
                    .iter()
                    .filter(|(horizon, _)| *horizon == wanted)
                    .count()
            };
            assert_eq!((of(Horizon::Ten), of(Horizon::Thirty)), (11, 31));
            assert!(failing.iter().all(|(_, evidence)| *evidence <= 60.0));
            assert!(!recent.fail(61, |_, _| panic!("it is the same failure")));
            // The aftermath is not counted as healthy.
            healthy.extend(feed(&mut recent, 60 + late + 1..300));
            assert!(healthy.iter().all(|(horizon, evidence)| {
                *evidence < 60.0 - f64::from(horizon.minutes()) || *evidence > 90.0
            }));
        }
    }

    #[test]
    fn what_nobody_can_know_is_counted_on_neither_side() {
        let mut recent = Recent::new(0);
        let mut healthy = feed(&mut recent, 0..60);
        recent.drop_until(59);
        healthy.extend(feed(&mut recent, 60..90));
        assert!(healthy.iter().all(|(_, evidence)| *evidence < 49.0));
    }

    #[test]
    fn a_clock_that_jumps_loses_samples_and_nothing_else() {
        let mut recent = Recent::new(1_000);
        feed(&mut recent, 1_000..1_010);
        let forward = feed(&mut recent, 900_000..900_001);
        assert_eq!(forward.len(), 20);
        feed(&mut recent, 5..10);
        assert!(recent.is_valid());
    }
}
