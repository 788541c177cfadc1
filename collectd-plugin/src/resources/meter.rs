//! Rates of counters and means of values, as far as a row needs them.

use crate::counter::{Unrated, seconds};

/// A gap longer than this, and than [`GAP_INTERVALS`], has no rate: its mean would be reported as that of the last interval.
const GAP_SEC: f64 = 300.0;
/// See [`GAP_SEC`].
const GAP_INTERVALS: f64 = 4.0;

/// A value of a source counts for rows that end at most this many of its intervals later, unless a newer one has come.
const HOLD_INTERVALS: f64 = 2.0;

/// Whether `later` is too long after `earlier` (collectd's times) for a difference to be that of one interval.
pub fn is_gap(earlier: u64, later: u64, interval: u64) -> bool {
    let gap = seconds(later.saturating_sub(earlier));
    gap > GAP_SEC.max(GAP_INTERVALS * seconds(interval))
}

/// The last point of counters that are reported together.
///
/// A late point gives nothing: the rate between its neighbors is over both of their intervals, and so is the row's mean.
#[derive(Debug, Clone, Copy)]
pub struct Meter<const N: usize> {
    time: u64,
    counters: [i64; N],
}

impl<const N: usize> Default for Meter<N> {
    fn default() -> Self {
        Self {
            time: 0,
            counters: [0; N],
        }
    }
}

impl<const N: usize> Meter<N> {
    /// Takes a point; gives the rates per second since the one before. `time` and `interval` are collectd's.
    pub fn rates(
        &mut self,
        time: u64,
        interval: u64,
        counters: [i64; N],
    ) -> Result<[f64; N], Unrated> {
        let before = *self;
        if before.time != 0 {
            if time.abs_diff(before.time) <= interval / 10 {
                return Err(Unrated::Duplicate);
            }
            if time < before.time {
                return Err(Unrated::Late);
            }
        }
        *self = Self { time, counters };
        if before.time == 0 || is_gap(before.time, time, interval) {
            return Err(Unrated::First);
        }
        let elapsed = seconds(time - before.time);
        let mut rates = [0.0; N];
        for (at, rate) in rates.iter_mut().enumerate() {
            // Differences wrap, so that a COUNTER beyond 2^63 is as good as a DERIVE.
            let difference = counters[at].wrapping_sub(before.counters[at]);
            if difference < 0 {
                return Err(Unrated::Reset);
            }
            *rate = difference as f64 / elapsed;
        }
        Ok(rates)
    }

    /// Forgets the point: the next rate starts after the next one.
    pub fn forget(&mut self) {
        self.time = 0;
    }
}

/// The mean of the values of one row, and the last one for rows that get none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mean {
    sum: f64,
    count: u32,
    last: f64,
    /// The time of the newest value, and the interval of its source; seconds.
    time: f64,
    interval: f64,
}

impl Mean {
    /// Takes a value of that time whose source has this interval, in seconds. What is not finite is no value.
    pub fn add(&mut self, value: f64, time: f64, interval: f64) {
        if value.is_finite() {
            self.sum += value;
            self.count += 1;
            self.time = self.time.max(time);
            self.interval = interval;
        }
    }

    /// The value of the row that ends at `end` (seconds), and begins the next one. NaN where nothing is known.
    pub fn take(&mut self, end: f64) -> f64 {
        if self.count > 0 {
            self.last = self.sum / f64::from(self.count);
            (self.sum, self.count) = (0.0, 0);
            return self.last;
        }
        let is_fresh = self.interval > 0.0 && end - self.time <= HOLD_INTERVALS * self.interval;
        if is_fresh { self.last } else { f64::NAN }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1 << 30;

    fn rates(points: &[(u64, i64)]) -> Vec<Result<f64, Unrated>> {
        let mut meter = Meter::<1>::default();
        let rate = |&(time, counter): &(u64, i64)| {
            let rates = meter.rates(time * SECOND, 10 * SECOND, [counter]);
            rates.map(|[rate]| rate)
        };
        points.iter().map(rate).collect()
    }

    #[test]
    fn a_rate_is_over_the_time_that_really_passed() {
        let found = rates(&[(1000, 50), (1010, 150), (1016, 450)]);
        assert_eq!(found, [Err(Unrated::First), Ok(10.0), Ok(50.0)]);
    }

    #[test]
    fn resets_duplicates_late_points_and_gaps_have_no_rate_and_spoil_no_other() {
        let found = rates(&[
            (1000, 500),
            (1010, 20),
            (1010, 20),
            (1005, 700),
            (1020, 120),
            (2000, 9000),
            (2010, 9010),
        ]);
        assert_eq!(
            found,
            [
                Err(Unrated::First),
                Err(Unrated::Reset),
                Err(Unrated::Duplicate),
                Err(Unrated::Late),
                Ok(10.0),
                Err(Unrated::First),
                Ok(1.0),
            ]
        );
    }

    #[test]
    fn a_counter_that_wraps_keeps_its_rate() {
        let found = rates(&[(1000, i64::MAX - 49), (1010, i64::MIN + 50)]);
        assert_eq!(found[1], Ok(10.0));
    }

    #[test]
    fn a_row_has_the_mean_of_its_values() {
        let mut mean = Mean::default();
        mean.add(1.0, 1001.0, 5.0);
        mean.add(f64::NAN, 1003.0, 5.0);
        mean.add(4.0, 1006.0, 5.0);
        assert_eq!(mean.take(1010.0), 2.5);
    }

    #[test]
    fn a_value_that_is_missing_is_held_for_the_time_of_its_source_and_then_unknown() {
        let mut mean = Mean::default();
        assert!(mean.take(1000.0).is_nan());
        mean.add(3.0, 1005.0, 10.0);
        let rows = [1010.0, 1020.0, 1030.0].map(|end| mean.take(end));
        assert_eq!(rows[..2], [3.0, 3.0]);
        assert!(rows[2].is_nan());
        mean.add(7.0, 1035.0, 60.0);
        let held = (104..116).filter(|row| mean.take(10.0 * f64::from(*row)) == 7.0);
        assert_eq!(held.count(), 12);
    }
}
