//! Hypervisors with VMs, whose samples go on long enough for a detector to judge them.

use arbitrary::Arbitrary;
use bellwether_core::had::{Detector, Observation};
use bellwether_core::units::{Interval, Time};

const NAMES: [&str; 16] = [
    "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "höst", "€",
];

/// The name of a hypervisor or a VM.
#[derive(Arbitrary, Debug, Clone, Copy)]
pub enum Name<'a> {
    Usual(u8),
    Text(&'a str),
}

impl<'a> Name<'a> {
    pub fn get(self) -> &'a str {
        match self {
            Self::Usual(n) => NAMES[usize::from(n) % NAMES.len()],
            Self::Text(text) => text,
        }
    }
}

/// Some ticks of one hypervisor, during which nothing changes.
#[derive(Arbitrary, Debug, Clone, Copy)]
pub struct Ticks {
    hypervisor: u8,
    count: u8,
    vms: u8,
    /// Where the VMs are, in percent; each has a noise of its own.
    level: u8,
    /// How far apart VMs are.
    spread: u8,
    noise: u8,
    seed: u8,
}

impl Ticks {
    /// Gives the samples to `detector`, from the time `clock` (seconds) on and every `interval` seconds: how many there were.
    pub fn feed(self, detector: &mut Detector, clock: &mut f64, interval: f64) -> u64 {
        let mut random = u64::from(self.seed) << 1 | 1;
        let vms = usize::from(self.vms % 12) + 1;
        for _ in 0..self.count {
            *clock += interval;
            for (vm, name) in NAMES[..vms].iter().enumerate() {
                // Knuth's MMIX generator: what comes need only differ.
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                let noise = (random >> 40) as f64 / (1u64 << 24) as f64 * f64::from(self.noise);
                detector.observe(&Observation {
                    hypervisor: NAMES[usize::from(self.hypervisor % 3)],
                    vm: name,
                    metric: "cpu",
                    time: Time::from_secs(*clock),
                    interval: Some(Interval::from_secs(interval)),
                    value: f64::from(self.level) + vm as f64 * f64::from(self.spread) + noise,
                });
            }
        }
        u64::from(self.count) * vms as u64
    }
}
