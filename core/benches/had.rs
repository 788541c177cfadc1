//! The cost of a sample in HAD. Every figure is the time per sample of one VM; the last VM's sample includes the evaluation of
//! the tick.

use std::hint::black_box;

use bellwether_core::had::bare::Bare;
use bellwether_core::had::{Detector, HadOptions, Observation};
use bellwether_core::units::{Interval, Time};
use divan::Bencher;

fn main() {
    println!("All times are per sample of one VM, including the evaluation of ticks.\n");
    divan::main();
}

/// VMs of a hypervisor, unless that is varied.
const VMS: usize = 30;
/// Samples per measurement: whole ticks of 5, 13 and 30 VMs, and enough to average over what happens once per window.
const SAMPLES: u32 = 5 * 13 * 30 * 16;
/// The same for expensive samples: short enough to be rarely interrupted by another program.
const COSTLY_SAMPLES: u32 = 5 * 13 * 30;
/// The short window when the long one is varied, as in the lecture's table.
const SHORT_WINDOW: usize = 15;
const LONG_WINDOWS: [usize; 8] = [16, 32, 64, 128, 256, 512, 1024, 2048];

/// CPU percentages of VMs, each with its own level and noise, from a pool.
struct Load {
    noise: Vec<f64>,
    at: usize,
}

impl Load {
    fn new() -> Self {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let noise = (0..1 << 16)
            .map(|_| {
                // xorshift64
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                0.8 + 0.4 * (state >> 11) as f64 / (1u64 << 53) as f64
            })
            .collect();
        Self { noise, at: 0 }
    }

    fn value(&mut self, vm: usize) -> f64 {
        self.at = (self.at + 1) % self.noise.len();
        (4.0 + 3.0 * (vm % 16) as f64) * self.noise[self.at]
    }
}

fn options(settings: &[(&str, usize)], algorithm: &str) -> HadOptions {
    let mut options = HadOptions::default();
    options.set("algorithm", algorithm).expect("an algorithm");
    for (name, value) in settings {
        options.set(name, &value.to_string()).expect("a value");
    }
    options
}

/// Ticks after which every window is full.
fn warm_up_ticks(options: &HadOptions) -> usize {
    2 * (options.zscore_window_long_sz + options.zscore_window_short_sz + options.iad_window_sz)
        + 1000
}

/// The algorithm alone: VMs are numbered.
fn bare(bencher: Bencher, options: &HadOptions, vms: usize) {
    let mut method = Bare::new(options, vms);
    let mut load = Load::new();
    let mut values = vec![0.0; vms];
    for tick in 0..warm_up_ticks(options) {
        for (vm, value) in values.iter_mut().enumerate() {
            *value = load.value(vm);
        }
        method.close(&values, tick / 360 % 24);
    }
    let mut vm = 0;
    bencher.bench_local(|| {
        values[vm] = load.value(vm);
        vm += 1;
        if vm == vms {
            vm = 0;
            black_box(method.close(&values, 7));
        }
    });
}

/// The detector as agents use it: VMs are found by name, ticks by time.
fn observe(bencher: Bencher, options: &HadOptions, vms: usize) {
    let mut detector = Detector::new(options.clone()).expect("options that agree");
    let mut load = Load::new();
    let names: Vec<String> = (0..vms).map(|vm| format!("instance-{vm:08x}")).collect();
    let mut at = 0usize;
    let mut sample = || {
        let (tick, vm) = (at / vms, at % vms);
        at += 1;
        let outcome = detector.observe(&Observation {
            hypervisor: "compute-0001.example.org",
            vm: &names[vm],
            metric: "cpu",
            time: Time::from_secs(10.0 * tick as f64),
            interval: Some(Interval::from_secs(10.0)),
            value: load.value(vm),
        });
        if vm + 1 == vms {
            while let Some(event) = detector.next_event() {
                black_box(event);
            }
        }
        black_box(outcome);
    };
    for _ in 0..warm_up_ticks(options) * vms {
        sample();
    }
    bencher.bench_local(sample);
}

/// A sample with a name that comes once, with full tables: half of the entries report, half are such names.
#[divan::bench_group(sample_size = COSTLY_SAMPLES, sample_count = 20)]
mod flood {
    use std::fmt::Write as _;

    use super::*;

    /// Ticks after which entries that report are established.
    const TICKS: usize = 40;
    /// Made-up names per second.
    const A_SECOND: usize = 1000;

    #[divan::bench]
    fn invented_hypervisors(bencher: Bencher) {
        let options = options(&[], "rank");
        let known = options.max_hypervisors / 2;
        let known: Vec<String> = (0..known).map(|n| format!("compute-{n}")).collect();
        let names: Vec<(&str, &str)> = known.iter().map(|name| (name.as_str(), "vm")).collect();
        flood(bencher, options, &names, |name| (name, "vm"));
    }

    #[divan::bench]
    fn invented_vms(bencher: Bencher) {
        let options = options(&[], "rank");
        let known: Vec<String> = (0..options.max_vms / 2)
            .map(|n| format!("vm-{n}"))
            .collect();
        let names: Vec<(&str, &str)> = known
            .iter()
            .map(|name| ("compute", name.as_str()))
            .collect();
        flood(bencher, options, &names, |name| ("compute", name));
    }

    fn sample<'a>((hypervisor, vm): (&'a str, &'a str), time: f64) -> Observation<'a> {
        Observation {
            hypervisor,
            vm,
            metric: "cpu",
            time: Time::from_secs(time),
            interval: Some(Interval::from_secs(10.0)),
            value: 20.0,
        }
    }

    fn flood(
        bencher: Bencher,
        options: HadOptions,
        known: &[(&str, &str)],
        invented: fn(&str) -> (&str, &str),
    ) {
        let mut detector = Detector::new(options).expect("options that agree");
        let mut time = 0.0;
        for _ in 0..TICKS {
            for names in known {
                detector.observe(&sample(*names, time));
            }
            time += 10.0;
            detector.advance(Time::from_secs(time));
        }
        let mut name = String::new();
        let mut count = 0usize;
        bencher.bench_local(|| {
            count += 1;
            if count.is_multiple_of(A_SECOND) {
                time += 1.0;
                detector.advance(Time::from_secs(time));
            }
            name.clear();
            write!(name, "invented-{count}").expect("writing to a string cannot fail");
            black_box(detector.observe(&sample(invented(&name), time)));
        });
    }
}

#[divan::bench_group(sample_size = SAMPLES, sample_count = 20)]
mod algorithm {
    use super::*;

    #[divan::bench(args = [5, 13, 30], sample_size = COSTLY_SAMPLES, sample_count = 300)]
    fn rank_by_vms(bencher: Bencher, vms: usize) {
        bare(bencher, &options(&[], "rank"), vms);
    }

    #[divan::bench(args = LONG_WINDOWS)]
    fn zscore_by_window(bencher: Bencher, window: usize) {
        let settings = [
            ("window_long_sz", window),
            ("window_short_sz", SHORT_WINDOW),
        ];
        bare(bencher, &options(&settings, "zscore"), VMS);
    }

    #[divan::bench]
    fn zscore_defaults(bencher: Bencher) {
        bare(bencher, &options(&[], "zscore"), VMS);
    }

    #[divan::bench]
    fn iad_defaults(bencher: Bencher) {
        bare(bencher, &options(&[], "iad"), VMS);
    }

    /// The cost of z if both windows are summed up again for every sample, without filter and quorum.
    #[divan::bench(args = LONG_WINDOWS, sample_size = 2000)]
    fn zscore_from_scratch_by_window(bencher: Bencher, window: usize) {
        let mut load = Load::new();
        let len = window + SHORT_WINDOW;
        // Each value is written twice, so that the last `len` values are always contiguous.
        let mut rings = vec![vec![10.0; 2 * len]; VMS];
        let (mut tick, mut vm, mut above) = (0, 0, 0u32);
        bencher.bench_local(|| {
            let ring = &mut rings[vm];
            let value = load.value(vm);
            ring[tick] = value;
            ring[tick + len] = value;
            let (long, short) = ring[tick + 1..=tick + len].split_at(window);
            let mean = long.iter().sum::<f64>() / window as f64;
            let squares: f64 = long.iter().map(|x| (x - mean) * (x - mean)).sum();
            let deviation = (squares / window as f64).sqrt();
            let z = (short.iter().sum::<f64>() / SHORT_WINDOW as f64 - mean) / deviation;
            above += u32::from(deviation >= 1e-9 && z.abs() > 1.99);
            vm += 1;
            if vm == VMS {
                vm = 0;
                tick = (tick + 1) % len;
            }
            black_box(above);
        });
    }
}

#[divan::bench_group(sample_size = SAMPLES, sample_count = 20)]
mod detector_observe {
    use super::*;

    #[divan::bench(args = [5, 13, 30], sample_size = COSTLY_SAMPLES, sample_count = 300)]
    fn rank_by_vms(bencher: Bencher, vms: usize) {
        observe(bencher, &options(&[], "rank"), vms);
    }

    #[divan::bench]
    fn zscore_defaults(bencher: Bencher) {
        observe(bencher, &options(&[], "zscore"), VMS);
    }

    #[divan::bench]
    fn iad_defaults(bencher: Bencher) {
        observe(bencher, &options(&[], "iad"), VMS);
    }
}

/// The cost of a sample of a hostile VM, with wrong times and intervals, on a hypervisor with 30 other VMs.
#[divan::bench_group(sample_size = COSTLY_SAMPLES, sample_count = 100)]
mod hostile_observe {
    use super::*;

    fn hostile(bencher: Bencher, lie: impl Fn(usize) -> (f64, f64)) {
        let mut detector = Detector::new(options(&[], "rank")).expect("options that agree");
        let mut load = Load::new();
        let names: Vec<String> = (0..VMS).map(|vm| format!("instance-{vm:08x}")).collect();
        let mut observe = |vm: &str, time: f64, interval: f64, value: f64| {
            black_box(detector.observe(&Observation {
                hypervisor: "compute-0001.example.org",
                vm,
                metric: "cpu",
                time: Time::from_secs(time),
                interval: Some(Interval::from_secs(interval)),
                value,
            }));
        };
        let ticks = 1000;
        for tick in 0..ticks {
            for (vm, name) in names.iter().enumerate() {
                observe(name, 10.0 * tick as f64, 10.0, load.value(vm));
            }
        }
        let mut at = 0;
        bencher.bench_local(|| {
            let (time, interval) = lie(at);
            at += 1;
            observe("hostile", 10.0 * ticks as f64 + time, interval, 5.0);
        });
    }

    #[divan::bench]
    fn times_from_the_future(bencher: Bencher) {
        hostile(bencher, |at| (1000.0 + 10.0 * at as f64, 10.0));
    }

    #[divan::bench]
    fn times_to_and_fro(bencher: Bencher) {
        hostile(bencher, |at| {
            (if at % 2 == 0 { 4000.0 } else { -4000.0 }, 10.0)
        });
    }

    #[divan::bench]
    fn intervals_to_and_fro(bencher: Bencher) {
        hostile(bencher, |at| (10.0 * at as f64, 5.0 + (at % 7) as f64));
    }

    #[divan::bench]
    fn an_interval_that_changes_as_soon_as_it_is_believed(bencher: Bencher) {
        hostile(bencher, |at| (10.0 * at as f64, 5.0 + (at / 3 % 7) as f64));
    }
}

/// The overhead in every figure above: drawing a value.
#[divan::bench(sample_size = SAMPLES, sample_count = 20)]
fn load_alone(bencher: Bencher) {
    let mut load = Load::new();
    let mut values = [0.0; VMS];
    let mut vm = 0;
    bencher.bench_local(|| {
        values[vm] = load.value(vm);
        vm = (vm + 1) % VMS;
        black_box(&values);
    });
}
