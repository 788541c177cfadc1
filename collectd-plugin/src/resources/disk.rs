//! The disks of a host: how busy the busiest is, and how slow the slowest.

use super::meter::Meter;
use crate::counter::Unrated;

/// Maximum number of disks of a host that are distinguished.
pub const DISKS_MAX: usize = 256;

/// A disk without a value for this many rows is forgotten.
const MISSED_ROWS: u8 = 8;

/// Sums of rates, and how many there are.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    rates: [f64; 2],
    count: u32,
}

impl Sum {
    fn add(&mut self, rates: [f64; 2]) {
        self.rates[0] += rates[0];
        self.rates[1] += rates[1];
        self.count += 1;
    }

    fn mean(self) -> Option<[f64; 2]> {
        (self.count > 0).then(|| self.rates.map(|sum| sum / f64::from(self.count)))
    }
}

#[derive(Debug, Clone)]
struct Disk {
    name: Box<[u8]>,
    /// Those of [`Of`], in its order.
    meters: [Meter<2>; 3],
    sums: [Sum; 3],
    missed: u8,
}

/// What a value of a disk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// Milliseconds with something to do, and weighted ones.
    IoTime,
    /// Operations read and written.
    Operations,
    /// Milliseconds of a mean operation, read and written, times seconds: so the rate is the mean.
    Latency,
}

/// See the [module](self).
#[derive(Debug, Clone, Default)]
pub struct Disks(Vec<Disk>);

impl Disks {
    /// How many disks are kept.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes counters of the disk of this name, which is a new one only if there `may` be one more; `time` and `interval` are
    /// collectd's.
    pub fn add(
        &mut self,
        name: &[u8],
        may_grow: bool,
        of: Of,
        time: u64,
        interval: u64,
        counters: [i64; 2],
    ) -> Option<Unrated> {
        let Some(disk) = self.disk(name, may_grow) else {
            return Some(Unrated::Full);
        };
        disk.missed = 0;
        match disk.meters[of as usize].rates(time, interval, counters) {
            Ok(rates) => {
                disk.sums[of as usize].add(rates);
                None
            }
            Err(why) => Some(why),
        }
    }

    fn disk(&mut self, name: &[u8], may_grow: bool) -> Option<&mut Disk> {
        let at = match self.0.iter().position(|disk| *disk.name == *name) {
            Some(at) => at,
            None if self.0.len() >= DISKS_MAX || !may_grow => return None,
            None => {
                self.0.push(Disk {
                    name: name.into(),
                    meters: [Meter::default(); 3],
                    sums: [Sum::default(); 3],
                    missed: 0,
                });
                self.0.len() - 1
            }
        };
        self.0.get_mut(at)
    }

    /// Forgets the counters of all disks: their rates start after their next values.
    pub fn restart(&mut self) {
        for disk in &mut self.0 {
            disk.meters.iter_mut().for_each(Meter::forget);
            disk.sums = [Sum::default(); 3];
        }
    }

    /// The share of the time for which the busiest disk had something to do, 0 to 1, and the milliseconds per operation of the slowest
    /// one; NaN where they are unknown, or nothing was read or written. Begins the next row.
    pub fn take(&mut self) -> (f64, f64) {
        let (mut busy, mut latency) = (f64::NAN, f64::NAN);
        for disk in &mut self.0 {
            let [io_time, operations, ms] = std::mem::take(&mut disk.sums).map(Sum::mean);
            if let Some([active, _]) = io_time {
                busy = busy.max((active / 1000.0).min(1.0));
            }
            let of_disk = match (operations, ms) {
                (Some([reads, writes]), Some([read, write])) if reads + writes > 0.0 => {
                    Some((reads * read + writes * write) / (reads + writes))
                }
                // Without the number of operations the slower way counts.
                (None, Some([read, write])) if read + write > 0.0 => Some(read.max(write)),
                _ => None,
            };
            if let Some(of_disk) = of_disk {
                latency = latency.max(of_disk);
            }
            disk.missed = disk.missed.saturating_add(1);
        }
        self.0.retain(|disk| disk.missed <= MISSED_ROWS);
        (busy, latency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1 << 30;

    /// One read of a disk at this second, whose counters have grown by these rates since 0.
    fn read(disks: &mut Disks, name: &str, second: u64, rates: [[i64; 2]; 3]) {
        for (of, rates) in [Of::IoTime, Of::Operations, Of::Latency]
            .into_iter()
            .zip(rates)
        {
            let counters = rates.map(|rate| rate * second as i64);
            disks.add(
                name.as_bytes(),
                true,
                of,
                second * SECOND,
                10 * SECOND,
                counters,
            );
        }
    }

    const SDA: [[i64; 2]; 3] = [[300, 900], [30, 10], [2, 10]];
    const SDB: [[i64; 2]; 3] = [[700, 900], [0, 5], [0, 3]];

    #[test]
    fn the_busiest_disk_and_the_slowest_one_count_each_by_itself() {
        let mut disks = Disks::default();
        for second in [1000, 1010] {
            read(&mut disks, "sda", second, SDA);
            read(&mut disks, "sdb", second, SDB);
        }
        // sda: (30 · 2 + 10 · 10) / 40.
        assert_eq!(disks.take(), (0.7, 4.0));
    }

    #[test]
    fn a_disk_without_an_operation_has_no_latency_and_none_is_busier_than_always() {
        let mut disks = Disks::default();
        for second in [1000, 1010] {
            read(&mut disks, "sda", second, [[1010, 0], [0, 0], [0, 0]]);
        }
        let (busy, latency) = disks.take();
        assert_eq!(busy, 1.0);
        assert!(latency.is_nan());
    }

    #[test]
    fn the_latency_is_known_without_the_number_of_operations() {
        let mut disks = Disks::default();
        for second in [1000, 1010_u64] {
            let ms = [4, 9].map(|rate| rate * second as i64);
            disks.add(b"sda", true, Of::Latency, second * SECOND, 10 * SECOND, ms);
        }
        let (busy, latency) = disks.take();
        assert!(busy.is_nan());
        assert_eq!(latency, 9.0);
    }

    #[test]
    fn a_counter_that_begins_again_leaves_its_row_without_a_value() {
        let mut disks = Disks::default();
        read(&mut disks, "sda", 1000, SDA);
        read(&mut disks, "sda", 1010, SDA);
        disks.take();
        let reset = disks.add(b"sda", true, Of::IoTime, 1020 * SECOND, 10 * SECOND, [5, 5]);
        assert_eq!(reset, Some(Unrated::Reset));
        assert!(disks.take().0.is_nan());
    }

    #[test]
    fn disks_that_are_gone_make_place_for_others_and_the_number_is_bounded() {
        let mut disks = Disks::default();
        for disk in 0..1000_u32 {
            let name = disk.to_le_bytes();
            disks.add(&name, true, Of::IoTime, SECOND, SECOND, [0, 0]);
        }
        assert_eq!(disks.len(), DISKS_MAX);
        assert_eq!(
            disks.add(b"new", true, Of::IoTime, SECOND, SECOND, [0, 0]),
            Some(Unrated::Full)
        );
        for _ in 0..=MISSED_ROWS {
            disks.take();
        }
        assert_eq!(disks.len(), 0);
        assert_eq!(
            disks.add(b"new", false, Of::IoTime, SECOND, SECOND, [0, 0]),
            Some(Unrated::Full)
        );
    }
}
