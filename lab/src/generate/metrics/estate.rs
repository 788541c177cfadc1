//! Estates that are made up to order: how samples correlate, what wave of the day all VMs share, which VMs belong to one tenant, and
//! several metrics of each VM.

use std::f64::consts::TAU;

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, StandardNormal};

use super::fault::Span;
use super::values::Values;

/// The levels of the VMs, percent; log-uniform.
const LEVELS: Span<f64> = Span {
    from: 3.0,
    to: 60.0,
};
/// The levels of VMs that do almost nothing, percent.
const IDLE_LEVELS: Span<f64> = Span { from: 0.3, to: 2.5 };
/// How other metrics follow the VM's CPU: a value to the power of this.
const ELASTICITY: Span<f64> = Span { from: 0.3, to: 1.0 };
/// The correlation of the other metrics' own noise from one sample to the next.
const OTHERS_PHI: f64 = 0.5;

/// How the VMs of an estate behave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estate {
    /// The correlation from one sample to the next of a VM's noise: an autoregressive process of order 1 in the logarithm.
    pub phi: f64,
    /// The standard deviation of that noise, as a share; drawn for each VM.
    pub noise: Span<f64>,
    /// The amplitude of a wave of the day that all VMs share, as a share.
    pub wave: f64,
    /// How many tenants the VMs are of in turn; 0: each VM goes its own way.
    pub tenants: usize,
    /// The share of the variance of the noise that the VMs of a tenant have in common.
    pub alike: f64,
    /// Samples of a day.
    pub day: usize,
}

impl Estate {
    /// The CPU percentages of `vms` VMs over `rows` samples. `idle`: all do almost nothing.
    pub fn values(&self, rng: &mut ChaCha8Rng, vms: usize, rows: usize, idle: bool) -> Values {
        let levels = if idle { IDLE_LEVELS } else { LEVELS };
        let phase = rng.random_range(0..self.day);
        let wave: Vec<f64> = (0..rows)
            .map(|row| 1.0 + self.wave * (TAU * (row + phase) as f64 / self.day as f64).sin())
            .collect();
        let tenants: Vec<Vec<f64>> = (0..self.tenants)
            .map(|_| process(rng, self.phi, rows))
            .collect();
        let common = self.alike.sqrt();
        let own_share = (1.0 - self.alike).sqrt();
        (0..vms)
            .map(|vm| {
                let level = rng.random_range(levels.from.ln()..levels.to.ln()).exp();
                let deviation =
                    self.noise.from + (self.noise.to - self.noise.from) * rng.random::<f64>();
                let own = process(rng, self.phi, rows);
                let tenant = tenants.get(vm % self.tenants.max(1));
                let state = |row: usize| match tenant {
                    Some(tenant) => common * tenant[row] + own_share * own[row],
                    None => own[row],
                };
                (0..rows)
                    .map(|row| {
                        let factor = (deviation * state(row) - deviation * deviation / 2.0).exp();
                        (level * wave[row] * factor).clamp(0.0, 100.0)
                    })
                    .collect()
            })
            .collect()
    }
}

/// An autoregressive process of order 1 with variance 1.
fn process(rng: &mut ChaCha8Rng, phi: f64, rows: usize) -> Vec<f64> {
    let fresh = (1.0 - phi * phi).max(0.0).sqrt();
    let mut normal = || -> f64 { StandardNormal.sample(rng) };
    let mut state = normal();
    (0..rows)
        .map(|_| {
            state = phi * state + fresh * normal();
            state
        })
        .collect()
}

/// The typical level of a metric beside CPU, in its unit, and its highest value.
pub fn scale(metric: &str) -> (Span<f64>, f64) {
    match metric {
        "cpu" => (LEVELS, 100.0),
        "disk_time" | "steal" | "vcpu_delay" => (
            Span {
                from: 0.5,
                to: 30.0,
            },
            100.0,
        ),
        "disk_latency" => (
            Span {
                from: 0.3,
                to: 15.0,
            },
            f64::MAX,
        ),
        "net_errors" => (
            Span {
                from: 0.01,
                to: 0.5,
            },
            f64::MAX,
        ),
        "net_octets" => (Span { from: 1e4, to: 1e7 }, f64::MAX),
        _ => (
            Span {
                from: 5.0,
                to: 2000.0,
            },
            f64::MAX,
        ),
    }
}

/// Another metric of the VMs whose CPU percentages are `cpu`: it follows them, each VM in its own measure, with noise of its own. Missing
/// samples are missing there, too.
pub fn following(rng: &mut ChaCha8Rng, cpu: &Values, metric: &str) -> Values {
    let (levels, most) = scale(metric);
    cpu.iter()
        .map(|vm| {
            let known = || vm.iter().filter(|value| !value.is_nan());
            let mean = (known().sum::<f64>() / known().count().max(1) as f64).max(0.01);
            let level = rng.random_range(levels.from.ln()..levels.to.ln()).exp();
            let power = rng.random_range(ELASTICITY.from..ELASTICITY.to);
            let deviation = rng.random_range(0.1..0.4);
            let noise = process(rng, OTHERS_PHI, vm.len());
            let values = vm.iter().zip(noise);
            values
                .map(|(value, noise)| {
                    if value.is_nan() {
                        return f64::NAN;
                    }
                    let follows = (value.max(0.01) / mean).powf(power);
                    (level * follows * (deviation * noise).exp()).clamp(0.0, most)
                })
                .collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;

    const PLAIN: Estate = Estate {
        phi: 0.8,
        noise: Span { from: 0.2, to: 0.2 },
        wave: 0.0,
        tenants: 0,
        alike: 0.9,
        day: 288,
    };

    fn values(estate: Estate) -> Values {
        estate.values(&mut ChaCha8Rng::seed_from_u64(3), 6, 20_000, false)
    }

    fn logs(values: &[f64]) -> Vec<f64> {
        let logs: Vec<f64> = values.iter().map(|value| value.max(0.01).ln()).collect();
        let mean = logs.iter().sum::<f64>() / logs.len() as f64;
        logs.into_iter().map(|log| log - mean).collect()
    }

    fn correlation(a: &[f64], b: &[f64]) -> f64 {
        let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        product(a, b) / (product(a, a) * product(b, b)).sqrt()
    }

    #[test]
    fn samples_correlate_by_phi_and_vary_by_the_noise() {
        for phi in [0.0, 0.8, 0.95] {
            for vm in values(Estate { phi, ..PLAIN }) {
                if vm.contains(&100.0) {
                    continue;
                }
                let logs = logs(&vm);
                let found = correlation(&logs[1..], &logs[..logs.len() - 1]);
                assert!((found - phi).abs() < 0.03, "{phi}: {found}");
                let variance = logs.iter().map(|l| l * l).sum::<f64>() / logs.len() as f64;
                assert!(
                    (variance.sqrt() - 0.2).abs() < 0.04,
                    "{phi}: {}",
                    variance.sqrt()
                );
            }
        }
    }

    #[test]
    fn vms_are_independent_but_for_the_wave_and_their_tenant() {
        let apart = |estate: Estate, a: usize, b: usize| {
            let all = values(estate);
            correlation(&logs(&all[a]), &logs(&all[b]))
        };
        assert!(apart(PLAIN, 0, 1).abs() < 0.15);
        let wave = Estate {
            wave: 0.4,
            noise: Span {
                from: 0.05,
                to: 0.05,
            },
            ..PLAIN
        };
        assert!(apart(wave, 0, 1) > 0.8);
        let tenants = Estate {
            tenants: 2,
            ..PLAIN
        };
        assert!(apart(tenants, 0, 2) > 0.6, "{}", apart(tenants, 0, 2));
        assert!(apart(tenants, 0, 1).abs() < 0.15);
    }

    #[test]
    fn a_wave_comes_back_after_a_day_and_has_its_amplitude() {
        let quiet = Span { from: 0.0, to: 0.0 };
        let vm = &values(Estate {
            wave: 0.3,
            noise: quiet,
            ..PLAIN
        })[0];
        assert!((0..288).all(|row| (vm[row] - vm[row + 288]).abs() < 1e-9));
        let (least, most) = vm
            .iter()
            .fold((f64::MAX, 0.0_f64), |(a, b), v| (a.min(*v), b.max(*v)));
        assert!((most / least - 1.3 / 0.7).abs() < 0.01, "{}", most / least);
    }

    #[test]
    fn another_metric_follows_the_cpu_of_its_vm() {
        let cpu = values(Estate { wave: 0.4, ..PLAIN });
        let ops = following(&mut ChaCha8Rng::seed_from_u64(5), &cpu, "disk_ops");
        for (cpu, ops) in cpu.iter().zip(&ops) {
            assert!(correlation(&logs(cpu), &logs(ops)) > 0.2);
        }
        assert!(ops.iter().flatten().any(|value| *value > 100.0));
    }
}
