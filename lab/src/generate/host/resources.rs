//! The resources of a host, as collectd's plugins and the kernel's pressure stall information show them.
//!
//! The signals follow from a few causes: what the guests do, the disks' load, the memory in use, and strains on each of these. So they
//! move together as they do on a real host.

use bellwether_core::resource::Signal;
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, Poisson, StandardNormal};

use super::setting::Setting;
use super::strain::{On, Strain};
use crate::generate::logs::time::MICROS;
use crate::generate::metrics::values::Values;

/// One row: the signals in the order of [`Signal::ALL`], NaN where unknown.
pub type Row = [f64; Signal::COUNT];

/// The share of memory in use from which the kernel searches for pages to free.
const MEMORY_HIGH: f64 = 0.93;
/// How often a row is missing.
const MISSING: f64 = 0.0005;
/// The correlation of causes over a minute.
const MINUTE_PHI: f64 = 0.7;

/// What is the same all the time.
struct Machine {
    /// Number of CPUs.
    cpus: f64,
    /// Share of the CPUs that guests use on average.
    usage: f64,
    /// The kernel's share of what is busy.
    system: f64,
    /// Load of the disks on average.
    io: f64,
    /// Milliseconds per operation of an idle disk.
    latency: f64,
    /// Share of memory in use.
    memory: f64,
    /// Whether it has swap, and how much of it is in use.
    swap: Option<f64>,
    /// Major faults per second.
    faults: f64,
}

impl Machine {
    fn draw(rng: &mut ChaCha8Rng) -> Self {
        Self {
            cpus: [16.0, 32.0, 64.0, 128.0][rng.random_range(0..4)],
            usage: rng.random_range(0.1..0.55),
            system: rng.random_range(0.06..0.2),
            io: log_uniform(rng, 0.03, 0.4),
            latency: log_uniform(rng, 0.1, 6.0),
            memory: rng.random_range(0.45..0.86),
            swap: rng.random_bool(0.7).then(|| rng.random_range(0.0..0.3)),
            faults: log_uniform(rng, 0.05, 5.0),
        }
    }
}

fn log_uniform(rng: &mut ChaCha8Rng, from: f64, to: f64) -> f64 {
    libm::exp(rng.random_range(libm::log(from)..libm::log(to)))
}

/// A factor around 1 that changes slowly: an autoregressive process of order 1 in the logarithm.
struct Drift {
    state: f64,
    phi: f64,
    deviation: f64,
}

impl Drift {
    fn new(rng: &mut ChaCha8Rng, phi: f64, deviation: f64) -> Self {
        Self {
            state: StandardNormal.sample(rng),
            phi,
            deviation,
        }
    }

    fn next(&mut self, rng: &mut ChaCha8Rng) -> f64 {
        let fresh: f64 = StandardNormal.sample(rng);
        self.state = self.phi * self.state + (1.0 - self.phi * self.phi).sqrt() * fresh;
        libm::exp(self.deviation * self.state)
    }
}

/// A factor around 1 with this standard deviation in the logarithm.
fn noise(rng: &mut ChaCha8Rng, deviation: f64) -> f64 {
    let normal: f64 = StandardNormal.sample(rng);
    libm::exp(deviation * normal)
}

/// Events of a Poisson distribution.
fn count(rng: &mut ChaCha8Rng, mean: f64) -> f64 {
    Poisson::new(mean.clamp(1e-9, 1e6)).map_or(0.0, |poisson| poisson.sample(rng))
}

/// The rows of a host whose guests have the CPU percentages `vms`, under these strains.
pub fn rows(rng: &mut ChaCha8Rng, setting: &Setting, vms: &Values, strains: &[Strain]) -> Vec<Row> {
    let machine = Machine::draw(rng);
    let interval = setting.interval as f64 / MICROS as f64;
    let phi = libm::pow(MINUTE_PHI, interval / 60.0);
    let slow = libm::pow(0.995, interval / 60.0);
    let mut io = Drift::new(rng, phi, 0.5);
    let mut of_day = Drift::new(rng, slow, 0.2);
    let mut memory = Drift::new(rng, slow, 0.04);
    let guests = loads(vms);
    let mut rows = Vec::with_capacity(guests.len());
    for (time, guests) in setting.rows().zip(guests) {
        let on = |on: On| {
            let strains = strains.iter().filter(|strain| strain.on == on);
            strains.map(|strain| strain.at(time)).sum::<f64>()
        };
        let causes = Causes {
            guests: machine.usage * guests + on(On::Cpu),
            io: machine.io * io.next(rng) * of_day.next(rng) + on(On::Io),
            latency: on(On::Latency),
            memory: machine.memory * memory.next(rng),
            shortage: on(On::Memory),
            hang: on(On::Hang),
        };
        let row = causes.row(&machine, rng);
        rows.push(match rng.random_bool(MISSING) {
            true => [f64::NAN; Signal::COUNT],
            false => row,
        });
    }
    rows
}

/// What the guests do together, by row; 1 on average.
fn loads(vms: &Values) -> Vec<f64> {
    let rows = vms.first().map_or(0, Vec::len);
    let known = |value: f64| if value.is_nan() { 0.0 } else { value };
    let sum = |row: usize| vms.iter().map(|vm| known(vm[row])).sum::<f64>();
    let sums: Vec<f64> = (0..rows).map(sum).collect();
    let mean = (sums.iter().sum::<f64>() / rows.max(1) as f64).max(1e-9);
    sums.into_iter().map(|sum| sum / mean).collect()
}

/// What a row follows from.
struct Causes {
    guests: f64,
    io: f64,
    latency: f64,
    memory: f64,
    shortage: f64,
    hang: f64,
}

impl Causes {
    fn row(&self, machine: &Machine, rng: &mut ChaCha8Rng) -> Row {
        let share = |value: f64| value.clamp(0.0, 1.0);
        let used = self.memory + (1.0 - self.memory).max(0.0) * self.shortage;
        let used = used.clamp(0.05, 0.997);
        // 0 to 1: how hard it is to get a free page.
        let reclaim = share((used - MEMORY_HIGH) / (1.0 - MEMORY_HIGH));
        let swaps = if machine.swap.is_some() { reclaim } else { 0.0 };
        let io = self.io + 0.6 * swaps;
        let disk_busy = share((1.0 - libm::exp(-1.2 * io)) * noise(rng, 0.1) + 0.3 * self.latency);
        let slower = 1.0 + 3.0 * io * io + 9.0 * self.latency + 2.0 * reclaim;
        let disk_latency = machine.latency * slower * noise(rng, 0.3);
        let blocked = count(rng, 0.1 + 2.0 * io + 6.0 * self.latency + 4.0 * reclaim)
            + count(rng, machine.cpus * self.hang);
        let busy = share((self.guests + 0.01) * noise(rng, 0.06) + 0.2 * reclaim + 0.1 * self.hang);
        let system = share(busy * machine.system * noise(rng, 0.15) + 0.15 * reclaim);
        let iowait = share((0.05 * io + 0.15 * self.latency) * noise(rng, 0.4)) * (1.0 - busy);
        let load = busy * noise(rng, 0.1) + blocked / machine.cpus;
        let psi = |mean: f64, rng: &mut ChaCha8Rng| share(mean * noise(rng, 0.5));
        let psi_io = psi(
            0.01 * io + 0.3 * disk_busy.powi(6) + 0.2 * self.latency + 0.15 * self.hang,
            rng,
        );
        let psi_memory = psi(1e-5 + 0.4 * reclaim.powi(2), rng);
        let crowded = busy.powi(4);
        let swap = machine.swap.map_or(0.0, |used| share(used + 0.6 * reclaim));
        let values = [
            (Signal::CpuBusy, busy),
            (Signal::CpuSystem, system),
            (Signal::CpuIowait, iowait),
            (Signal::CpuSteal, 0.0),
            (Signal::Load, load),
            (Signal::ProcessesBlocked, blocked),
            (Signal::MemoryUsed, used),
            (Signal::SwapUsed, swap),
            (Signal::SwapIn, count(rng, 0.02 + 300.0 * swaps)),
            (Signal::SwapOut, count(rng, 0.01 + 900.0 * swaps)),
            (
                Signal::MajorFaults,
                machine.faults * noise(rng, 0.6) + 250.0 * reclaim * noise(rng, 0.4),
            ),
            (Signal::PageScans, count(rng, 40_000.0 * reclaim * reclaim)),
            (Signal::DiskBusy, disk_busy),
            (Signal::DiskLatency, disk_latency),
            (
                Signal::PsiCpuSome,
                psi(0.002 + 0.3 * crowded + 0.1 * self.hang, rng),
            ),
            (Signal::PsiMemorySome, psi_memory),
            (
                Signal::PsiMemoryFull,
                psi_memory * rng.random_range(0.3..0.8),
            ),
            (Signal::PsiIoSome, psi_io),
            (Signal::PsiIoFull, psi_io * rng.random_range(0.3..0.8)),
            (
                Signal::VmSteal,
                psi(0.002 + 0.2 * crowded + 0.05 * self.hang, rng),
            ),
            (
                Signal::VmDelay,
                psi(0.003 + 0.2 * crowded + 0.15 * self.hang, rng),
            ),
        ];
        let mut row = [f64::NAN; Signal::COUNT];
        for (signal, value) in values {
            row[signal as usize] = value;
        }
        // As they are written: six significant digits.
        row.map(|value| {
            if value == 0.0 {
                return 0.0;
            }
            let scale = 10_f64.powi(5 - value.abs().log10().floor() as i32);
            (value * scale).round() / scale
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;

    /// The mean of a signal in the last hour with a strain on `on` in it, and without, of many hosts.
    fn means(on: On, height: f64, signal: Signal) -> (f64, f64) {
        let setting = Setting::short();
        let rows_all = setting.rows().len();
        let strain = Strain {
            on,
            from: setting.span().end - 3_600 * MICROS,
            rise: 1,
            to: setting.span().end,
            height,
        };
        let vms: Values = vec![vec![10.0; rows_all]; 4];
        let mean = |strains: &[Strain]| {
            let hosts = (0..8).flat_map(|seed| {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                rows(&mut rng, &setting, &vms, strains).split_off(rows_all - 118)
            });
            let values: Vec<f64> = hosts.map(|row| row[signal as usize]).collect();
            let known = values.iter().filter(|value| !value.is_nan());
            known.clone().sum::<f64>() / known.count() as f64
        };
        (mean(&[strain]), mean(&[]))
    }

    #[test]
    fn every_strain_shows_in_the_signals_of_what_it_is_on() {
        for (on, height, signal, factor) in [
            (On::Memory, 1.0, Signal::PageScans, 5.0),
            (On::Memory, 1.0, Signal::PsiMemorySome, 5.0),
            (On::Memory, 1.0, Signal::SwapOut, 5.0),
            (On::Latency, 2.0, Signal::DiskLatency, 5.0),
            (On::Latency, 2.0, Signal::ProcessesBlocked, 3.0),
            (On::Io, 1.0, Signal::DiskBusy, 2.0),
            (On::Hang, 1.0, Signal::Load, 1.8),
            (On::Hang, 1.0, Signal::VmDelay, 5.0),
            (On::Cpu, 0.4, Signal::CpuBusy, 1.5),
        ] {
            let (strained, usual) = means(on, height, signal);
            assert!(
                strained > factor * usual,
                "{on:?} {signal:?}: {strained}, {usual}"
            );
        }
    }

    #[test]
    fn shares_are_shares_and_rates_are_not_negative() {
        let setting = Setting::short();
        let vms: Values = vec![vec![20.0; setting.rows().len()]; 3];
        for seed in 0..5 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            for row in rows(&mut rng, &setting, &vms, &[]) {
                for (signal, value) in Signal::ALL.iter().zip(row) {
                    let most = if signal.unit() == "share" { 1.0 } else { 1e9 };
                    let is_valid = value.is_nan() || (0.0..=most).contains(&value);
                    assert!(is_valid, "{signal:?}: {value}");
                }
            }
        }
    }
}
