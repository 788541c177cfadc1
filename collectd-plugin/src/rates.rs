//! From counters to rates.
//!
//! collectd calls its writers from several threads, so samples of one counter can come late and twice, and `uc_get_rate`
//! then answers with the newest rate whatever the sample. So rates are computed here, from the counters and the samples' own
//! times. The last few points are kept: a late one splits the interval that it falls into, and both halves get their rate.

/// Units of collectd's time in a second.
const TICKS_PER_SEC: f64 = 1_073_741_824.0;

/// A gap longer than this and than [`GAP_INTERVALS`] has no rate: its mean would be told as that of the last interval.
const GAP_SEC: f64 = 300.0;
/// See [`GAP_SEC`].
const GAP_INTERVALS: f64 = 4.0;

/// Points that are kept of a counter: the newest and those that a late one may fall between.
const POINTS: usize = 3;

/// The most devices of one kind (disks, network interfaces) that are told apart in one VM.
const MAX_DEVICES: usize = 64;

/// A device that missed this many rounds is forgotten.
const MISSED_ROUNDS: u8 = 8;

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
    /// There is no room for one more device.
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

/// What became of one point of one counter.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Step {
    Unrated(Unrated),
    /// The rate of the interval that ends with the newest point.
    Newest(Rate),
    /// A late point: the rates of the two intervals that it makes of one. The second of them corrects what was told.
    Split(Rate, Rate),
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Point {
    time: u64,
    /// One or two counters that are told as one (read and write, received and sent); the second is 0 where there is one.
    counters: [i64; 2],
}

impl Point {
    /// The rate from `self` to `later`, or `None` where a counter went backwards.
    fn rate_to(&self, later: &Point) -> Option<Rate> {
        // Differences wrap, so that a COUNTER beyond 2^63 is as good as a DERIVE.
        let first = later.counters[0].wrapping_sub(self.counters[0]);
        let second = later.counters[1].wrapping_sub(self.counters[1]);
        if first < 0 || second < 0 {
            return None;
        }
        Some(Rate {
            time: later.time,
            per_sec: (first as f64 + second as f64) / seconds(later.time - self.time),
        })
    }
}

/// The last points of one counter, oldest first; at most [`POINTS`].
#[derive(Debug, Clone)]
struct Counter {
    points: Vec<Point>,
}

impl Counter {
    fn new() -> Self {
        Self {
            points: Vec::with_capacity(POINTS),
        }
    }

    fn restart(&mut self, point: Point) {
        self.points.clear();
        self.points.push(point);
    }

    fn add(&mut self, point: Point, interval: u64) -> Step {
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

    fn add_newest(&mut self, newest: Point, point: Point, interval: u64) -> Step {
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

    fn split(&mut self, before: usize, point: Point) -> Step {
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

#[derive(Debug, Clone)]
struct Device {
    name: Box<[u8]>,
    counter: Counter,
    /// Its rate in the present round, if it has one.
    rate: Option<f64>,
    /// Whether it has reported in the present round.
    reported: bool,
    /// Rounds in a row that ended without it.
    missed: u8,
}

/// One metric of one VM: the sum of the rates of its devices, told once for each round of their reports.
///
/// A VM's disks report one after the other within one read of collectd's `virt` plugin. A round is complete when every
/// device has reported that took part in the last one, and at the latest when one of them reports again. So nothing waits
/// for a disk that was unplugged longer than one round, and a counter that is alone (CPU time) is told at once.
#[derive(Debug, Clone, Default)]
pub struct Series {
    devices: Vec<Device>,
    /// The present round: the newest of its times, and whether it was told.
    time: u64,
    told: bool,
    /// The round before, as it was told.
    previous: Option<Rate>,
}

impl Series {
    /// Takes one point of the device `name`: its `time`, its nominal `interval` (both collectd's), and one or two counters
    /// that are summed up. Rates that are known now, or better than before, are appended to `rates`.
    pub fn add(
        &mut self,
        name: &[u8],
        time: u64,
        interval: u64,
        counters: [i64; 2],
        rates: &mut Vec<Rate>,
    ) -> Option<Unrated> {
        let Some(index) = self.device(name) else {
            return Some(Unrated::Full);
        };
        let step = self.devices[index]
            .counter
            .add(Point { time, counters }, interval);
        match step {
            Step::Unrated(why @ (Unrated::First | Unrated::Reset)) => {
                self.report(index, time, None, rates);
                Some(why)
            }
            Step::Unrated(why) => Some(why),
            Step::Newest(rate) => {
                self.report(index, rate.time, Some(rate.per_sec), rates);
                None
            }
            Step::Split(first, second) if self.devices.len() == 1 => {
                // The correction goes first: what was missing may bring the detector to judge both.
                rates.extend([second, first]);
                None
            }
            Step::Split(first, second) => {
                self.correct(index, interval, first, second, rates);
                None
            }
        }
    }

    /// Forgets the points of all counters: the next rate starts after the next sample.
    pub fn restart(&mut self) {
        for device in &mut self.devices {
            device.counter.points.clear();
            device.rate = None;
        }
        self.previous = None;
    }

    fn device(&mut self, name: &[u8]) -> Option<usize> {
        if let Some(index) = self.devices.iter().position(|d| *d.name == *name) {
            return Some(index);
        }
        if self.devices.len() == MAX_DEVICES {
            return None;
        }
        // There are many VMs, and most have one device of a kind.
        self.devices.reserve_exact(1);
        self.devices.push(Device {
            name: name.into(),
            counter: Counter::new(),
            rate: None,
            reported: false,
            missed: 0,
        });
        Some(self.devices.len() - 1)
    }

    fn report(&mut self, index: usize, time: u64, rate: Option<f64>, rates: &mut Vec<Rate>) {
        let mut index = index;
        if self.devices[index].reported {
            index = self.next_round(index, rates);
        }
        let device = &mut self.devices[index];
        device.reported = true;
        device.missed = 0;
        device.rate = rate;
        self.time = self.time.max(time);
        if self.devices.iter().all(|d| d.reported || d.missed > 0) {
            self.tell(rates);
        }
    }

    /// Ends the present round and begins the next; gives the new index of the device at `index`.
    fn next_round(&mut self, index: usize, rates: &mut Vec<Rate>) -> usize {
        if !self.told {
            self.tell(rates);
        }
        self.previous = self.sum().map(|per_sec| Rate {
            time: self.time,
            per_sec,
        });
        let mut at = 0;
        let mut moved = index;
        self.devices.retain_mut(|device| {
            device.missed = if device.reported {
                0
            } else {
                device.missed.saturating_add(1)
            };
            device.reported = false;
            device.rate = None;
            let keep = device.missed < MISSED_ROUNDS;
            if !keep && at < index {
                moved -= 1;
            }
            at += 1;
            keep
        });
        self.time = 0;
        self.told = false;
        moved
    }

    fn sum(&self) -> Option<f64> {
        self.devices
            .iter()
            .filter_map(|d| d.rate)
            .reduce(|a, b| a + b)
    }

    fn tell(&mut self, rates: &mut Vec<Rate>) {
        self.told = true;
        if let Some(per_sec) = self.sum() {
            rates.push(Rate {
                time: self.time,
                per_sec,
            });
        }
    }

    /// One of several devices reported late: corrects this round's sum and adds to the round that it missed.
    fn correct(
        &mut self,
        index: usize,
        interval: u64,
        first: Rate,
        second: Rate,
        rates: &mut Vec<Rate>,
    ) {
        let device = &mut self.devices[index];
        if device.reported && self.time.abs_diff(second.time) < interval / 2 {
            device.rate = Some(second.per_sec);
            if self.told {
                self.tell(rates);
            }
        }
        if let Some(previous) = &mut self.previous
            && previous.time.abs_diff(first.time) < interval / 2
        {
            previous.per_sec += first.per_sec;
            rates.push(*previous);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1 << 30;

    /// Feeds `(time in seconds, counter)` of one counter at an interval of 10 s; gives the rates as (seconds, per second).
    fn rates(points: &[(u64, i64)]) -> (Vec<(u64, f64)>, Vec<Unrated>) {
        let mut series = Series::default();
        let (mut out, mut unrated) = (Vec::new(), Vec::new());
        for &(time, counter) in points {
            unrated.extend(series.add(b"", time * SECOND, 10 * SECOND, [counter, 0], &mut out));
        }
        let rates = out.iter().map(|r| (r.time / SECOND, r.per_sec)).collect();
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
        assert_eq!(rates, [(1020, 15.0), (1020, 20.0), (1010, 10.0)]);
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
    fn a_counter_that_goes_backwards_starts_anew() {
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

    /// Feeds `(device, time in seconds, counters)` at an interval of 10 s.
    fn sums(points: &[(&str, u64, [i64; 2])]) -> Vec<(u64, f64)> {
        let mut series = Series::default();
        let mut out = Vec::new();
        for &(device, time, counters) in points {
            series.add(
                device.as_bytes(),
                time * SECOND,
                10 * SECOND,
                counters,
                &mut out,
            );
        }
        out.iter().map(|r| (r.time / SECOND, r.per_sec)).collect()
    }

    #[test]
    fn the_devices_of_a_vm_are_summed_up_once_a_round() {
        let sums = sums(&[
            ("vda", 1000, [0, 0]),
            ("vdb", 1000, [0, 0]),
            ("vda", 1010, [100, 50]),
            ("vdb", 1010, [10, 0]),
            ("vda", 1020, [200, 100]),
            ("vdb", 1020, [20, 0]),
        ]);
        assert_eq!(sums, [(1010, 16.0), (1020, 16.0)]);
    }

    #[test]
    fn an_unplugged_device_holds_its_vm_up_for_one_round_only() {
        let sums = sums(&[
            ("vda", 1000, [0, 0]),
            ("vdb", 1000, [0, 0]),
            ("vda", 1010, [100, 0]),
            ("vdb", 1010, [100, 0]),
            ("vda", 1020, [200, 0]),
            ("vda", 1030, [300, 0]),
            ("vda", 1040, [400, 0]),
        ]);
        assert_eq!(
            sums,
            [(1010, 20.0), (1020, 10.0), (1030, 10.0), (1040, 10.0)]
        );
    }

    #[test]
    fn a_new_device_adds_nothing_before_it_has_a_rate() {
        let sums = sums(&[
            ("vda", 1000, [0, 0]),
            ("vda", 1010, [100, 0]),
            ("vda", 1020, [200, 0]),
            ("vdb", 1020, [77, 0]),
            ("vda", 1030, [300, 0]),
            ("vdb", 1030, [177, 0]),
        ]);
        assert_eq!(
            sums,
            [(1010, 10.0), (1020, 10.0), (1020, 10.0), (1030, 20.0)]
        );
    }

    #[test]
    fn a_late_device_corrects_the_round_that_it_missed() {
        let sums = sums(&[
            ("vda", 1000, [0, 0]),
            ("vdb", 1000, [0, 0]),
            ("vda", 1010, [100, 0]),
            ("vda", 1020, [200, 0]),
            ("vdb", 1020, [500, 0]),
            ("vdb", 1010, [100, 0]),
        ]);
        // vdb first shows the mean of both intervals, 25 a second; then 10 in the first and 40 in the second.
        assert_eq!(
            sums,
            [
                (1010, 10.0),
                (1020, 10.0),
                (1020, 35.0),
                (1020, 50.0),
                (1010, 20.0)
            ]
        );
    }

    #[test]
    fn the_number_of_devices_is_bounded() {
        let mut series = Series::default();
        let mut out = Vec::new();
        for device in 0..1000u32 {
            series.add(
                &device.to_le_bytes(),
                SECOND * 1000,
                SECOND,
                [0, 0],
                &mut out,
            );
        }
        assert_eq!(series.devices.len(), MAX_DEVICES);
    }
}
