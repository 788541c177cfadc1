//! One VM: its counters, and whether it has a vote.

use bellwether_sys::Had;

use crate::counter::{Point, Rate, Unrated};
use crate::latency::{Half, Latency};
use crate::queue::Fixed;
use crate::rates::Series;
use crate::report::Counts;
use crate::virt::{Kind, METRICS};

/// This many values of `percent-virt_cpu_total` without a CPU counter mean that there is none.
const PERCENT_ONLY: u32 = 3;

/// A masked VM whose samples came this often is running, whatever notification was missed: `virt` reads running ones only.
const MASKED_SAMPLES_MAX: u32 = 360;

/// One VM.
#[derive(Debug)]
pub struct Vm {
    /// The name of its hypervisor.
    pub hypervisor: Box<str>,
    /// Its own name.
    pub name: Box<str>,
    /// The number of its hypervisor's clock.
    pub clock: usize,
    /// Its own number, which no other VM has for long.
    pub number: u32,
    /// Whether it abstains.
    pub masked: bool,
    /// Whether the detector knows whether it abstains.
    mask_sent: bool,
    /// Samples that came while it was masked.
    samples_masked: u32,
    /// Values of `percent-virt_cpu_total` since its CPU counter was last seen.
    percent_only: u32,
    /// Its metrics that are made of counters.
    series: [Option<Box<Series>>; METRICS.len()],
    /// The latency of its disks.
    latency: Option<Box<Latency>>,
    /// How many intervals had a value of it.
    pub heard: u32,
    /// When its last value arrived, in seconds.
    pub seen: f64,
    /// Seconds after which the next one is due.
    pub interval: f64,
}

impl Vm {
    /// A VM of which nothing is known; `clock` is the number of its hypervisor's, and it was seen at `now` (seconds).
    pub fn new(hypervisor: &str, name: &str, clock: usize, now: f64) -> Self {
        Self {
            hypervisor: hypervisor.into(),
            name: name.into(),
            clock,
            number: 0,
            masked: false,
            mask_sent: false,
            samples_masked: 0,
            percent_only: 0,
            series: [const { None }; METRICS.len()],
            latency: None,
            heard: 0,
            seen: now,
            interval: 0.0,
        }
    }

    /// A value of it arrived at `now` (seconds), and the next one is due after `interval`.
    pub fn heard(&mut self, now: f64, interval: f64) {
        // Several values of one interval arrive at about the same time.
        if self.heard == 0 || now - self.seen >= 0.5 * interval {
            self.heard = self.heard.saturating_add(1);
        }
        self.seen = now;
        self.interval = interval;
    }

    /// Masks or unmasks it. The first rate after a change starts after it.
    pub fn mask(&mut self, masked: bool, had: &mut Had) {
        self.samples_masked = 0;
        if self.masked == masked {
            return;
        }
        self.masked = masked;
        for series in self.series.iter_mut().flatten() {
            series.restart();
        }
        if let Some(latency) = &mut self.latency {
            latency.restart();
        }
        self.tell_mask(had);
    }

    fn tell_mask(&self, had: &mut Had) {
        // The names hold no NUL, so that this cannot fail.
        had.mask(&self.hypervisor, &self.name, self.masked).ok();
    }

    /// The detector has got the first sample of it in this run: it has no masks of VMs that it does not know, and those of a
    /// former run may be out of date.
    pub fn known(&mut self, had: &mut Had) {
        if !self.mask_sent {
            self.mask_sent = true;
            self.tell_mask(had);
        }
    }

    /// A sample came of it: again and again, that unmasks it.
    pub fn sampled(&mut self, had: &mut Had) {
        if self.masked {
            self.samples_masked += 1;
            if self.samples_masked > MASKED_SAMPLES_MAX {
                self.mask(false, had);
            }
        }
    }

    /// Whether its last value was the one by which it is clear that it has CPU use in percent only.
    pub fn has_percent_only(&self) -> bool {
        self.percent_only == PERCENT_ONLY
    }

    /// Takes CPU use as `virt` computes it, where there is nothing better; whether it is of use.
    pub fn percent(&mut self, fixed: &Fixed, rates: &mut Vec<Rate>) -> bool {
        self.percent_only = self.percent_only.saturating_add(1);
        if self.percent_only < PERCENT_ONLY {
            return false;
        }
        rates.push(Rate {
            time: fixed.time,
            per_sec: f64::from_bits(fixed.values[0]),
        });
        true
    }

    /// Takes a counter of the device `name`; whether it counts as a sample of the VM.
    pub fn count(
        &mut self,
        kind: Kind,
        fixed: &Fixed,
        name: &[u8],
        rates: &mut Vec<Rate>,
        counts: &mut Counts,
    ) -> bool {
        if kind == Kind::Cpu {
            self.percent_only = 0;
        }
        let series = self.series[kind as usize].get_or_insert_default();
        let counters = fixed.values.map(|value| value as i64);
        match series.add(name, fixed.time, fixed.interval, counters, rates) {
            None | Some(Unrated::First) => {}
            Some(Unrated::Reset) => counts.resets += 1,
            Some(Unrated::Duplicate) => counts.duplicates += 1,
            Some(Unrated::Late) => counts.late += 1,
            Some(Unrated::Full) => counts.full += 1,
        }
        kind == Kind::Cpu
    }

    /// Takes one half of the latency of the disk `name`. Values that come twice or late are counted where they are values of their
    /// own metric.
    pub fn latency(&mut self, half: Half, fixed: &Fixed, name: &[u8], rates: &mut Vec<Rate>) {
        let latency = self.latency.get_or_insert_default();
        let point = Point {
            time: fixed.time,
            counters: fixed.values.map(|value| value as i64),
        };
        latency.add(half, name, point, fixed.interval, rates);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1 << 30;

    fn sample(tick: u64, value: u64) -> Fixed {
        Fixed {
            kind: 0,
            time: (1000 + 10 * tick) * SECOND,
            interval: 10 * SECOND,
            arrival: 0,
            values: [value, 0],
        }
    }

    #[test]
    fn percent_is_of_use_once_it_is_clear_that_there_is_no_counter() {
        let (mut vm, mut rates) = (Vm::new("hv", "vm", 0, 0.0), Vec::new());
        let used: Vec<bool> = (0..4)
            .map(|tick| vm.percent(&sample(tick, 12.5f64.to_bits()), &mut rates))
            .collect();
        assert_eq!(used, [false, false, true, true]);
        assert_eq!(rates[0].per_sec, 12.5);
    }

    #[test]
    fn percent_is_of_no_use_beside_a_counter() {
        let (mut vm, mut rates) = (Vm::new("hv", "vm", 0, 0.0), Vec::new());
        let mut counts = Counts::default();
        for tick in 0..10 {
            assert!(!vm.percent(&sample(tick, 12.5f64.to_bits()), &mut Vec::new()));
            let counter = sample(tick, tick * 1_000_000_000);
            vm.count(Kind::Cpu, &counter, b"", &mut rates, &mut counts);
        }
        assert_eq!(rates.len(), 9);
    }

    #[test]
    fn resets_and_duplicates_are_counted() {
        let (mut vm, mut rates) = (Vm::new("hv", "vm", 0, 0.0), Vec::new());
        let mut counts = Counts::default();
        for (tick, value) in [(0, 50), (1, 60), (1, 60), (2, 5), (3, 15)] {
            let counter = sample(tick, value);
            vm.count(Kind::DiskOps, &counter, b"vda", &mut rates, &mut counts);
        }
        assert_eq!((counts.resets, counts.duplicates), (1, 1));
        assert_eq!(rates.len(), 2);
    }
}
