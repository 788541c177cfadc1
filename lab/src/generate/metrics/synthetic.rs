//! VMs that were never recorded: five kinds of workload, for when there are no traces.

use std::f64::consts::TAU;

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, StandardNormal};

use super::values::{DAY, Values};

/// A kind of workload, each with a share of the VMs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Workload {
    /// A level with noise that persists (an autoregressive process of order 1 in the logarithm): 30 % of the VMs.
    Autoregressive,
    /// A wave of the day, each VM with a phase of its own: 15 %.
    Diurnal,
    /// Quiet with bursts of work, one in five hours, half an hour long: 15 %.
    Bursts,
    /// Almost nothing: 25 %.
    Idle,
    /// Jobs that start at fixed times, every hour to every day: 15 %.
    Batch,
}

impl Workload {
    fn draw(rng: &mut ChaCha8Rng) -> Self {
        match rng.random_range(0..100) {
            0..30 => Self::Autoregressive,
            30..45 => Self::Diurnal,
            45..60 => Self::Bursts,
            60..85 => Self::Idle,
            _ => Self::Batch,
        }
    }

    /// The level that it keeps to at each of `rows` samples, of which a day has `day`, percent.
    fn levels(self, rng: &mut ChaCha8Rng, rows: usize, day: usize) -> Vec<f64> {
        // How long a sample is, in samples of five minutes.
        let length = DAY as f64 / day as f64;
        match self {
            Self::Autoregressive => vec![log_uniform(rng, 3.0, 40.0); rows],
            Self::Idle => vec![log_uniform(rng, 0.3, 2.5); rows],
            Self::Diurnal => {
                let level = log_uniform(rng, 5.0, 40.0);
                let swing = rng.random_range(0.2..0.6);
                let phase = rng.random_range(0.0..TAU);
                let at = |row: usize| TAU * row as f64 / day as f64 + phase;
                (0..rows)
                    .map(|row| level * (1.0 + swing * at(row).sin()))
                    .collect()
            }
            Self::Bursts => {
                let rest = log_uniform(rng, 2.0, 10.0);
                let mut work = None;
                (0..rows)
                    .map(|_| {
                        let mut happens =
                            |per_row: f64| rng.random_bool((per_row * length).min(1.0));
                        let (starts, ends) = (happens(1.0 / 60.0), happens(1.0 / 6.0));
                        work = match work {
                            None if starts => Some(rng.random_range(20.0..80.0)),
                            Some(_) if ends => None,
                            going_on => going_on,
                        };
                        work.unwrap_or(rest)
                    })
                    .collect()
            }
            Self::Batch => {
                let period = [day / 24, day / 6, day / 2, day][rng.random_range(0..4)].max(1);
                let busy = (period as f64 * rng.random_range(0.1..0.5)).ceil() as usize;
                let (low, high) = (rng.random_range(1.0..5.0), rng.random_range(30.0..90.0));
                let offset = rng.random_range(0..period);
                let works = |row: usize| (row + offset) % period < busy;
                (0..rows)
                    .map(|row| if works(row) { high } else { low })
                    .collect()
            }
        }
    }
}

/// The CPU percentages of `vms` VMs over `rows` samples, of which a day has `day`. From one sample to the next they are as noisy as
/// PlanetLab's of five minutes. `idle`: all do almost nothing.
pub fn hypervisor(rng: &mut ChaCha8Rng, vms: usize, rows: usize, idle: bool, day: usize) -> Values {
    (0..vms)
        .map(|_| {
            let workload = if idle {
                Workload::Idle
            } else {
                Workload::draw(rng)
            };
            let levels = workload.levels(rng, rows, day);
            noisy(rng, levels)
        })
        .collect()
}

/// Levels with noise that multiplies them, on average by one.
fn noisy(rng: &mut ChaCha8Rng, mut levels: Vec<f64>) -> Vec<f64> {
    let persistence: f64 = rng.random_range(0.1..0.7);
    let deviation = rng.random_range(0.3..0.9);
    let fresh = (1.0 - persistence * persistence).sqrt();
    let mut normal = || -> f64 { StandardNormal.sample(rng) };
    let mut state = normal();
    for level in &mut levels {
        state = persistence * state + fresh * normal();
        let factor = (deviation * state - deviation * deviation / 2.0).exp();
        *level = (*level * factor).clamp(0.0, 100.0);
    }
    levels
}

fn log_uniform(rng: &mut ChaCha8Rng, from: f64, to: f64) -> f64 {
    rng.random_range(from.ln()..to.ln()).exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;

    fn rng() -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(5)
    }

    fn mean(values: &[f64]) -> f64 {
        values.iter().sum::<f64>() / values.len() as f64
    }

    #[test]
    fn synthetic_vms_are_percentages_and_differ() {
        let vms = hypervisor(&mut rng(), 60, 575, false, DAY);
        assert!(vms.iter().flatten().all(|v| (0.0..=100.0).contains(v)));
        let means: Vec<f64> = vms.iter().map(|vm| mean(vm)).collect();
        assert!(means.iter().filter(|m| **m < 4.0).count() > 5);
        assert!(means.iter().filter(|m| **m > 15.0).count() > 5);
    }

    #[test]
    fn idle_vms_do_almost_nothing() {
        let vms = hypervisor(&mut rng(), 60, 575, true, DAY);
        assert!(vms.iter().all(|vm| mean(vm) < 4.0));
    }

    #[test]
    fn noise_keeps_the_level() {
        let mut rng = rng();
        let many: Vec<f64> = (0..200)
            .map(|_| mean(&noisy(&mut rng, vec![10.0; 500])))
            .collect();
        assert!((mean(&many) - 10.0).abs() < 0.5, "{}", mean(&many));
    }

    #[test]
    fn a_diurnal_vm_returns_after_a_day_and_a_batch_job_after_its_period() {
        let mut rng = rng();
        let wave = Workload::Diurnal.levels(&mut rng, 2 * DAY, DAY);
        let jobs = Workload::Batch.levels(&mut rng, 2 * DAY, DAY);
        assert!((0..DAY).all(|row| (wave[row] - wave[row + DAY]).abs() < 1e-9));
        assert!((0..DAY).all(|row| jobs[row] == jobs[row + DAY]));
        assert!(wave.iter().any(|v| *v > 1.3 * mean(&wave)));
        assert!(jobs.iter().any(|v| *v >= 30.0) && jobs.iter().any(|v| *v <= 5.0));
    }

    #[test]
    fn bursts_are_short_and_rare() {
        let mut rng = rng();
        let levels = Workload::Bursts.levels(&mut rng, 20_000, DAY);
        let busy = levels.iter().filter(|v| **v >= 20.0).count() as f64 / 20_000.0;
        assert!((0.05..0.15).contains(&busy), "{busy}");
    }
}
