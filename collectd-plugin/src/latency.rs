//! The latency of a VM's disks: the time that operations took, over their number, of the same disks in the same interval.

use crate::counter::{Point, Rate, Unrated};
use crate::rates::{MAX_DEVICES, Series};

/// The two values of one read of a disk are no farther apart than this share of the interval: `virt` dispatches them one after the
/// other, each with a time of its own.
const TOGETHER: u64 = 10;

/// Values of a disk that wait for their counterparts: those of the newest reads.
const WAITING_MAX: usize = 3;

/// The two counters that a latency is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// Operations read and written.
    Operations,
    /// Nanoseconds spent reading and writing.
    Time,
}

/// A value whose counterpart has not come.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    half: Half,
    point: Point,
}

#[derive(Debug, Clone)]
struct Disk {
    name: Box<[u8]>,
    waiting: Vec<Waiting>,
}

/// Milliseconds an operation, of all disks of one VM together; nothing for an interval without an operation.
///
/// The values of one read of a disk are put together first, whichever comes first, so that both rates are over the same interval. A
/// disk that lacks one of them (not every driver takes the time) counts for neither.
#[derive(Debug, Clone, Default)]
pub struct Latency {
    disks: Vec<Disk>,
    /// Operations read and written, and the time of both.
    series: Series<4>,
}

impl Latency {
    /// Takes one half of a read of the disk `name`; see [`Series::add`].
    pub fn add(
        &mut self,
        half: Half,
        name: &[u8],
        point: Point,
        interval: u64,
        rates: &mut Vec<Rate>,
    ) -> Option<Unrated> {
        let disk = self.disk(name);
        let fits = |other: &Waiting| {
            other.half != half && other.point.time.abs_diff(point.time) <= interval / TOGETHER
        };
        let Some(at) = disk.waiting.iter().position(fits) else {
            if disk.waiting.len() == WAITING_MAX {
                disk.waiting.remove(0);
            }
            disk.waiting.push(Waiting { half, point });
            return None;
        };
        let other = disk.waiting.remove(at).point;
        let (operations, time) = match half {
            Half::Operations => (point, other),
            Half::Time => (other, point),
        };
        let whole = Point {
            time: point.time.max(other.time),
            counters: [
                operations.counters[0],
                operations.counters[1],
                time.counters[0],
                time.counters[1],
            ],
        };
        self.series
            .add_point(name, whole, interval, milliseconds, rates)
    }

    /// Forgets the points of all counters: the next latency is of the interval after the next read.
    pub fn restart(&mut self) {
        self.disks.clear();
        self.series.restart();
    }

    fn disk(&mut self, name: &[u8]) -> &mut Disk {
        let at = match self.disks.iter().position(|disk| *disk.name == *name) {
            Some(at) => at,
            None => {
                if self.disks.len() == MAX_DEVICES {
                    // Disks that are gone give way: whoever reports comes again.
                    self.disks.remove(0);
                }
                self.disks.push(Disk {
                    name: name.into(),
                    waiting: Vec::new(),
                });
                self.disks.len() - 1
            }
        };
        &mut self.disks[at]
    }
}

/// Milliseconds an operation, from the rates of all four counters.
fn milliseconds([reads, writes, read_ns, write_ns]: [f64; 4]) -> Option<f64> {
    let operations = reads + writes;
    (operations > 0.0).then(|| (read_ns + write_ns) / operations / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1 << 30;
    const MS: i64 = 1_000_000;

    use Half::{Operations, Time};

    /// Feeds `(half, disk, time in ms, counters)` at an interval of 10 s; gives the latencies with their seconds.
    fn latencies(values: &[(Half, &str, u64, [i64; 2])]) -> Vec<(u64, f64)> {
        let mut latency = Latency::default();
        let mut out = Vec::new();
        for &(half, disk, ms, counters) in values {
            let point = Point {
                time: ms * SECOND / 1000,
                counters,
            };
            latency.add(half, disk.as_bytes(), point, 10 * SECOND, &mut out);
        }
        let second = |rate: &Rate| (rate.time + SECOND / 2) / SECOND;
        out.iter()
            .map(|rate| (second(rate), (rate.per_sec * 1e6).round() / 1e6))
            .collect()
    }

    #[test]
    fn the_latency_is_the_time_over_the_operations_of_the_same_interval() {
        let found = latencies(&[
            (Operations, "vda", 1_000_000, [0, 0]),
            (Time, "vda", 1_000_001, [0, 0]),
            (Operations, "vda", 1_010_000, [100, 0]),
            (Time, "vda", 1_010_001, [300 * MS, 0]),
            (Operations, "vda", 1_020_000, [100, 50]),
            (Time, "vda", 1_020_001, [300 * MS, 500 * MS]),
        ]);
        assert_eq!(found, [(1010, 3.0), (1020, 10.0)]);
    }

    #[test]
    fn either_of_the_two_may_come_first_and_either_may_be_late() {
        let found = latencies(&[
            (Time, "vda", 1_000_000, [0, 0]),
            (Operations, "vda", 1_000_000, [0, 0]),
            (Operations, "vda", 1_010_000, [100, 0]),
            (Operations, "vda", 1_020_000, [200, 0]),
            (Time, "vda", 1_020_000, [600 * MS, 0]),
            (Time, "vda", 1_010_000, [200 * MS, 0]),
        ]);
        // First over both intervals together, then one by one, the correction first.
        assert_eq!(found, [(1020, 3.0), (1020, 4.0), (1010, 2.0)]);
    }

    #[test]
    fn an_interval_without_an_operation_has_no_latency() {
        let found = latencies(&[
            (Operations, "vda", 1_000_000, [7, 7]),
            (Time, "vda", 1_000_000, [9, 9]),
            (Operations, "vda", 1_010_000, [7, 7]),
            (Time, "vda", 1_010_000, [9, 9]),
            (Operations, "vda", 1_020_000, [8, 7]),
            (Time, "vda", 1_020_000, [9 + 2 * MS, 9]),
        ]);
        assert_eq!(found, [(1020, 2.0)]);
    }

    #[test]
    fn a_value_that_is_missing_costs_its_interval_and_no_other_is_mistaken_for_it() {
        let found = latencies(&[
            (Operations, "vda", 1_000_000, [0, 0]),
            (Time, "vda", 1_000_000, [0, 0]),
            (Operations, "vda", 1_010_000, [100, 0]),
            (Operations, "vda", 1_020_000, [200, 0]),
            (Time, "vda", 1_020_000, [400 * MS, 0]),
            (Time, "vda", 1_030_000, [900 * MS, 0]),
            (Operations, "vda", 1_040_000, [400, 0]),
            (Time, "vda", 1_040_000, [1400 * MS, 0]),
        ]);
        assert_eq!(found, [(1020, 2.0), (1040, 5.0)]);
    }

    #[test]
    fn a_reset_of_one_counter_starts_both_again() {
        let found = latencies(&[
            (Operations, "vda", 1_000_000, [1000, 0]),
            (Time, "vda", 1_000_000, [1000 * MS, 0]),
            (Operations, "vda", 1_010_000, [10, 0]),
            (Time, "vda", 1_010_000, [2000 * MS, 0]),
            (Operations, "vda", 1_020_000, [20, 0]),
            (Time, "vda", 1_020_000, [2010 * MS, 0]),
        ]);
        assert_eq!(found, [(1020, 1.0)]);
    }

    #[test]
    fn the_disks_of_a_vm_are_one_and_those_without_times_are_none() {
        let mut values = Vec::new();
        for (read, ms) in [(0, 1_000_000), (1, 1_010_000), (2, 1_020_000)] {
            for (disk, operations, time) in [("vda", 90, 90), ("vdb", 10, 410)] {
                values.push((Operations, disk, ms, [read * operations, 0]));
                values.push((Time, disk, ms + 1, [0, read * time * MS]));
            }
            values.push((Operations, "sda", ms + 2, [read * 1000, 0]));
        }
        assert_eq!(latencies(&values), [(1010, 5.0), (1020, 5.0)]);
    }

    #[test]
    fn after_a_restart_the_first_latency_is_of_what_came_since() {
        let mut latency = Latency::default();
        let mut out = Vec::new();
        for (at, total) in [(1000, 10), (1010, 20), (1020, 1030), (1030, 1040)] {
            if at == 1020 {
                latency.restart();
            }
            for (half, unit) in [(Operations, 1), (Time, MS)] {
                let point = Point {
                    time: at * SECOND,
                    counters: [total * unit, 0],
                };
                latency.add(half, b"vda", point, 10 * SECOND, &mut out);
            }
        }
        let found: Vec<_> = out.iter().map(|rate| rate.time / SECOND).collect();
        assert_eq!(found, [1010, 1030]);
    }

    #[test]
    fn the_number_of_disks_is_bounded() {
        let mut latency = Latency::default();
        for disk in 0..1000_u32 {
            let point = Point {
                time: SECOND,
                counters: [0, 0],
            };
            latency.add(Time, &disk.to_le_bytes(), point, SECOND, &mut Vec::new());
        }
        assert_eq!(latency.disks.len(), MAX_DEVICES);
    }
}
