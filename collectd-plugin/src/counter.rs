//! One counter: its last samples, and the rates between them.
//!
//! collectd calls its writers from several threads, so samples of one counter can come late and twice, and `uc_get_rate`
//! then answers with the newest rate whatever the sample. So rates are computed here, from the counters and the samples' own
//! times. The last few points are kept: a late one splits the interval that it falls into, and both halves get their rate.

/// Units of collectd's time in a second.
const TICKS_PER_SEC: f64 = 1_073_741_824.0;

/// A gap longer than this and than [`GAP_INTERVALS`] has no rate: its mean would be reported as that of the last interval.
const GAP_SEC: f64 = 300.0;
/// See [`GAP_SEC`].
const GAP_INTERVALS: f64 = 4.0;

/// Points that are kept of a counter: the newest and those that a late one may fall between.
const POINTS: usize = 3;

/// collectd's time in seconds since the epoch.
pub fn seconds(time: u64) -> f64 {
    time as f64 / TICKS_PER_SEC
}

/// Seconds since the epoch in collectd's time.
pub fn ticks(seconds: f64) -> u64 {
    (seconds * TICKS_PER_SEC) as u64
}

/// What a sample is that gives no rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unrated {
    /// The first of its counter, or the first after a gap.
    First,
    /// Its time is, or is next to, that of one already seen.
    Duplicate,
    /// Older than all that is remembered of its counter.
    Late,
    /// The counter went backwards: the VM was restarted or has migrated.
    Reset,
    /// The limit of devices is reached.
    Full,
}

/// A rate and the end of the interval that it holds for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// collectd's time of the end of the interval.
    pub time: u64,
    /// Units of the counter in a second.
    pub per_sec: f64,
}

/// The rates of several counters, and the end of the interval that they hold for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates<const N: usize> {
    /// collectd's time of the end of the interval.
    pub time: u64,
    /// Units of each counter in a second.
    pub per_sec: [f64; N],
}

/// What became of one point of one counter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step<const N: usize> {
    /// No rate.
    Unrated(Unrated),
    /// The rate of the interval that ends with the newest point.
    Newest(Rates<N>),
    /// A late point: the rates of the two intervals that it makes of one. The second of them corrects what was reported.
    Split(Rates<N>, Rates<N>),
}

/// One sample of a counter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point<const N: usize = 2> {
    /// collectd's time.
    pub time: u64,
    /// Counters that are reported together (read and write, received and sent); 0 where there are fewer.
    pub counters: [i64; N],
}

impl<const N: usize> Point<N> {
    /// The rates from `self` to `later`, or `None` where a counter went backwards.
    fn rate_to(&self, later: &Self) -> Option<Rates<N>> {
        let seconds = seconds(later.time - self.time);
        let mut per_sec = [0.0; N];
        for (i, rate) in per_sec.iter_mut().enumerate() {
            // Differences wrap, so that a COUNTER beyond 2^63 is as good as a DERIVE.
            let difference = later.counters[i].wrapping_sub(self.counters[i]);
            if difference < 0 {
                return None;
            }
            *rate = difference as f64 / seconds;
        }
        Some(Rates {
            time: later.time,
            per_sec,
        })
    }
}

/// The last points of one counter, oldest first; at most [`POINTS`].
#[derive(Debug, Clone)]
pub struct Counter<const N: usize> {
    points: Vec<Point<N>>,
}

impl<const N: usize> Counter<N> {
    /// A counter without values yet.
    pub fn new() -> Self {
        Self {
            points: Vec::with_capacity(POINTS),
        }
    }

    /// Forgets all points: the next rate starts after the next sample.
    pub fn forget(&mut self) {
        self.points.clear();
    }

    fn restart(&mut self, point: Point<N>) {
        self.points.clear();
        self.points.push(point);
    }

    /// Takes a sample; `interval` is collectd's, and nominal.
    pub fn add(&mut self, point: Point<N>, interval: u64) -> Step<N> {
        let near = interval / 10;
        if self
            .points
            .iter()
            .any(|p| p.time.abs_diff(point.time) <= near)
        {
            return Step::Unrated(Unrated::Duplicate);
        }
        let Some(&newest) = self.points.last() else {
            self.restart(point);
            return Step::Unrated(Unrated::First);
        };
        if point.time > newest.time {
            return self.add_newest(newest, point, interval);
        }
        match self.points.iter().rposition(|p| p.time < point.time) {
            Some(before) => self.split(before, point),
            None if self.points.len() == 1 => {
                // The second point overtook the first: now both are there.
                let Some(rate) = point.rate_to(&newest) else {
                    return Step::Unrated(Unrated::Late);
                };
                self.points.insert(0, point);
                Step::Newest(rate)
            }
            None => Step::Unrated(Unrated::Late),
        }
    }

    fn add_newest(&mut self, newest: Point<N>, point: Point<N>, interval: u64) -> Step<N> {
        let gap = seconds(point.time - newest.time);
        if gap > GAP_SEC.max(GAP_INTERVALS * seconds(interval)) {
            self.restart(point);
            return Step::Unrated(Unrated::First);
        }
        let Some(rate) = newest.rate_to(&point) else {
            self.restart(point);
            return Step::Unrated(Unrated::Reset);
        };
        if self.points.len() == POINTS {
            self.points.remove(0);
        }
        self.points.push(point);
        Step::Newest(rate)
    }

    fn split(&mut self, before: usize, point: Point<N>) -> Step<N> {
        let (earlier, later) = (self.points[before], self.points[before + 1]);
        match (earlier.rate_to(&point), point.rate_to(&later)) {
            (Some(first), Some(second)) => {
                let mut at = before + 1;
                if self.points.len() == POINTS {
                    self.points.remove(0);
                    at -= 1;
                }
                self.points.insert(at, point);
                Step::Split(first, second)
            }
            // It does not lie between its neighbours: of a life before a reset.
            _ => Step::Unrated(Unrated::Late),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1 << 30;

    /// Feeds `(time in seconds, counter)` of one counter at an interval of 10 s; gives the rates as (seconds, per second).
    fn rates(points: &[(u64, i64)]) -> (Vec<(u64, f64)>, Vec<Unrated>) {
        let mut counter = Counter::new();
        let (mut rates, mut unrated) = (Vec::new(), Vec::new());
        for &(time, value) in points {
            let point = Point {
                time: time * SECOND,
                counters: [value, 0],
            };
            match counter.add(point, 10 * SECOND) {
                Step::Unrated(why) => unrated.push(why),
                Step::Newest(rate) => rates.push(rate),
                Step::Split(first, second) => rates.extend([first, second]),
            }
        }
        let rates = rates
            .iter()
            .map(|r| (r.time / SECOND, r.per_sec[0]))
            .collect();
        (rates, unrated)
    }

    #[test]
    fn the_first_sample_has_no_rate_and_the_second_has_one() {
        let (rates, unrated) = rates(&[(1000, 50), (1010, 150)]);
        assert_eq!(rates, [(1010, 10.0)]);
        assert_eq!(unrated, [Unrated::First]);
    }

    #[test]
    fn a_rate_is_over_the_time_that_really_passed() {
        assert_eq!(rates(&[(1000, 0), (1016, 160)]).0, [(1016, 10.0)]);
    }

    #[test]
    fn a_late_sample_splits_its_interval_and_corrects_the_later_rate() {
        let (rates, _) = rates(&[(1000, 0), (1020, 300), (1010, 100)]);
        assert_eq!(rates, [(1020, 15.0), (1010, 10.0), (1020, 20.0)]);
    }

    #[test]
    fn the_second_sample_may_overtake_the_first() {
        let (rates, unrated) = rates(&[(1010, 100), (1000, 0), (1020, 300)]);
        assert_eq!(rates, [(1010, 10.0), (1020, 20.0)]);
        assert_eq!(unrated, [Unrated::First]);
    }

    #[test]
    fn a_sample_older_than_all_that_is_known_is_late() {
        let (_, unrated) = rates(&[(1000, 0), (1010, 1), (1020, 2), (1030, 3), (990, 0)]);
        assert_eq!(unrated, [Unrated::First, Unrated::Late]);
    }

    #[test]
    fn a_duplicate_is_ignored_whatever_its_value() {
        let (rates, unrated) = rates(&[(1000, 0), (1010, 100), (1010, 999), (1020, 200)]);
        assert_eq!(rates, [(1010, 10.0), (1020, 10.0)]);
        assert_eq!(unrated, [Unrated::First, Unrated::Duplicate]);
    }

    #[test]
    fn a_counter_that_goes_backwards_starts_again() {
        let (rates, unrated) = rates(&[
            (1000, 5000),
            (1010, 5100),
            (1020, 30),
            (1030, 130),
            (1015, 5150),
        ]);
        assert_eq!(rates, [(1010, 10.0), (1030, 10.0)]);
        assert_eq!(unrated, [Unrated::First, Unrated::Reset, Unrated::Late]);
    }

    #[test]
    fn a_long_gap_has_no_rate() {
        let (rates, unrated) = rates(&[(1000, 0), (1400, 4000), (1410, 4100)]);
        assert_eq!(rates, [(1410, 10.0)]);
        assert_eq!(unrated, [Unrated::First, Unrated::First]);
    }

    #[test]
    fn a_counter_that_wraps_keeps_its_rate() {
        assert_eq!(
            rates(&[(1000, i64::MAX - 49), (1010, i64::MIN + 50)]).0,
            [(1010, 10.0)]
        );
    }
}
