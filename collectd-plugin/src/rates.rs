//! The metrics of a VM that are made of counters: sums of the rates of its devices.

use crate::counter::{Counter, Point, Rate, Rates, Step, Unrated};

/// The most devices of one kind (disks, network interfaces) that are distinguished in one VM.
pub const MAX_DEVICES: usize = 64;

/// A device that missed this many rounds is forgotten.
const MISSED_ROUNDS: u8 = 8;

#[derive(Debug, Clone)]
struct Device<const N: usize> {
    name: Box<[u8]>,
    counter: Counter<N>,
    /// Its rates in the present round, if it has some.
    rate: Option<[f64; N]>,
    /// Whether it has reported in the present round.
    reported: bool,
    /// Consecutive rounds that ended without it.
    missed: u8,
}

/// One metric of one VM: the sum of the rates of its devices, reported once for each round of their values.
///
/// A VM's disks report one after the other within one read of collectd's `virt` plugin. A round is complete when every
/// device has reported that took part in the last one, and at the latest when one of them reports again. So nothing waits
/// for a disk that was unplugged longer than one round, and a counter that is alone (CPU time) is reported at once.
#[derive(Debug, Clone)]
pub struct Series<const N: usize = 2> {
    devices: Vec<Device<N>>,
    /// The present round: the newest of its times, and whether it was reported.
    time: u64,
    reported: bool,
    /// The round before, as it was reported.
    previous: Option<Rates<N>>,
}

/// The value of a metric, from the sums of its devices' rates; `None` where these make none.
type Value<const N: usize> = fn([f64; N]) -> Option<f64>;

/// The value of a metric that is the sum of its counters.
fn total(rates: [f64; 2]) -> Option<f64> {
    Some(rates[0] + rates[1])
}

fn plus<const N: usize>(mut a: [f64; N], b: [f64; N]) -> [f64; N] {
    a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
    a
}

impl<const N: usize> Default for Series<N> {
    fn default() -> Self {
        Self {
            devices: Vec::new(),
            time: 0,
            reported: false,
            previous: None,
        }
    }
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
        self.add_point(name, Point { time, counters }, interval, total, rates)
    }
}

impl<const N: usize> Series<N> {
    /// [`Series::add`] for a metric that is the `value` of the sums of its rates.
    pub fn add_point(
        &mut self,
        name: &[u8],
        point: Point<N>,
        interval: u64,
        value: Value<N>,
        rates: &mut Vec<Rate>,
    ) -> Option<Unrated> {
        let Some(index) = self.device(name) else {
            return Some(Unrated::Full);
        };
        let time = point.time;
        let step = self.devices[index].counter.add(point, interval);
        match step {
            Step::Unrated(why @ (Unrated::First | Unrated::Reset)) => {
                self.report(index, time, None, value, rates);
                Some(why)
            }
            Step::Unrated(why) => Some(why),
            Step::Newest(rate) => {
                self.report(index, rate.time, Some(rate.per_sec), value, rates);
                None
            }
            Step::Split(first, second) if self.devices.len() == 1 => {
                // The correction goes first: what was missing may bring the detector to a verdict on both.
                rates.extend(
                    [second, first]
                        .iter()
                        .filter_map(|rate| rate_of(rate, value)),
                );
                None
            }
            Step::Split(first, second) => {
                self.correct(index, interval, first, second, value, rates);
                None
            }
        }
    }

    /// Forgets the points of all counters: the next rate starts after the next sample.
    pub fn restart(&mut self) {
        for device in &mut self.devices {
            device.counter.forget();
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

    fn report(
        &mut self,
        index: usize,
        time: u64,
        rate: Option<[f64; N]>,
        value: Value<N>,
        rates: &mut Vec<Rate>,
    ) {
        let mut index = index;
        if self.devices[index].reported {
            index = self.next_round(index, value, rates);
        }
        let device = &mut self.devices[index];
        device.reported = true;
        device.missed = 0;
        device.rate = rate;
        self.time = self.time.max(time);
        if self.devices.iter().all(|d| d.reported || d.missed > 0) {
            self.emit(value, rates);
        }
    }

    /// Ends the present round and begins the next; gives the new index of the device at `index`.
    fn next_round(&mut self, index: usize, value: Value<N>, rates: &mut Vec<Rate>) -> usize {
        if !self.reported {
            self.emit(value, rates);
        }
        self.previous = self.sum().map(|per_sec| Rates {
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
        self.reported = false;
        moved
    }

    fn sum(&self) -> Option<[f64; N]> {
        self.devices.iter().filter_map(|d| d.rate).reduce(plus)
    }

    fn emit(&mut self, value: Value<N>, rates: &mut Vec<Rate>) {
        self.reported = true;
        if let Some(per_sec) = self.sum() {
            let sum = Rates {
                time: self.time,
                per_sec,
            };
            rates.extend(rate_of(&sum, value));
        }
    }

    /// One of several devices reported late: corrects this round's sum and adds to the round that it missed.
    fn correct(
        &mut self,
        index: usize,
        interval: u64,
        first: Rates<N>,
        second: Rates<N>,
        value: Value<N>,
        rates: &mut Vec<Rate>,
    ) {
        let device = &mut self.devices[index];
        if device.reported && self.time.abs_diff(second.time) < interval / 2 {
            device.rate = Some(second.per_sec);
            if self.reported {
                self.emit(value, rates);
            }
        }
        if let Some(previous) = &mut self.previous
            && previous.time.abs_diff(first.time) < interval / 2
        {
            previous.per_sec = plus(previous.per_sec, first.per_sec);
            rates.extend(rate_of(previous, value));
        }
    }
}

/// The rate of a metric, if its counters make a value.
fn rate_of<const N: usize>(rates: &Rates<N>, value: Value<N>) -> Option<Rate> {
    Some(Rate {
        time: rates.time,
        per_sec: value(rates.per_sec)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1 << 30;

    #[test]
    fn a_counter_that_is_alone_is_reported_at_once_and_its_correction_before_what_was_late() {
        let sums = sums(&[
            ("", 1000, [0, 0]),
            ("", 1020, [300, 0]),
            ("", 1010, [100, 0]),
        ]);
        assert_eq!(sums, [(1020, 15.0), (1020, 20.0), (1010, 10.0)]);
    }

    /// Feeds `(device, time in seconds, counters)` at an interval of 10 s.
    fn sums(points: &[(&str, u64, [i64; 2])]) -> Vec<(u64, f64)> {
        let mut series = Series::<2>::default();
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
        let mut series = Series::<2>::default();
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
