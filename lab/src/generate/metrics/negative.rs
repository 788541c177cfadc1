//! What looks like a failing host and is none.

use std::f64::consts::TAU;

use anyhow::Result;
use clap::ValueEnum;
use rand::RngExt as _;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;

use super::background::{Background, Regime};
use super::values::Values;

/// The fewest rows that all of these fit into.
pub const LEAST_ROWS: usize = 320;

/// Something that no alarm is to be raised at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Negative {
    /// Plain normal life.
    Normal,
    /// One tenant's roll-out: three of ten VMs rise by 50 to 150 % in the same minute.
    Tenant30,
    /// A wave of the day of 20 to 40 % that all VMs share.
    Diurnal,
    /// A third of the VMs appear or disappear.
    Churn,
    /// VMs that do almost nothing.
    Idle,
    /// Half of the VMs always have the same value.
    Constant,
    /// One-sample glitches of idle VMs, some in all VMs at once.
    Glitch,
    /// Samples are missing, once of all VMs for a while.
    Missing,
    /// Counter resets: three times one bogus sample, 0 or 100, in all VMs.
    Reset,
}

impl Negative {
    /// Its word, as in names of cells.
    pub fn word(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Tenant30 => "tenant30",
            Self::Diurnal => "diurnal",
            Self::Churn => "churn",
            Self::Idle => "idle",
            Self::Constant => "constant",
            Self::Glitch => "glitch",
            Self::Missing => "missing",
            Self::Reset => "reset",
        }
    }

    /// The metrics of a hypervisor to which this happens, NaN where a sample is missing, and the day they are from.
    ///
    /// # Errors
    /// Too few VMs in the background.
    pub fn values(
        self,
        rng: &mut ChaCha8Rng,
        background: &Background,
        vms: usize,
        rows: usize,
        regime: Regime,
    ) -> Result<(Values, String)> {
        let (mut values, day) = background.normal(rng, vms, rows, self == Self::Idle, regime)?;
        match self {
            Self::Normal | Self::Idle => {}
            Self::Tenant30 => roll_out(rng, &mut values),
            Self::Diurnal => wave(rng, &mut values, background.day()),
            Self::Churn => come_and_go(rng, &mut values),
            Self::Constant => {
                for vm in index::sample(rng, vms, (vms / 2).max(1)) {
                    let value = (values[vm][0] * 10.0).round() / 10.0;
                    values[vm].fill(value);
                }
            }
            Self::Glitch => glitch(rng, &mut values),
            Self::Missing => {
                for value in values.iter_mut().flatten() {
                    if rng.random_bool(0.05) {
                        *value = f64::NAN;
                    }
                }
                let start = rng.random_range(50..rows - 60);
                let end = start + rng.random_range(3..25);
                values
                    .iter_mut()
                    .for_each(|vm| vm[start..end].fill(f64::NAN));
            }
            Self::Reset => {
                for _ in 0..3 {
                    let row = rng.random_range(20..rows - 1);
                    let bogus = if rng.random_bool(0.5) { 0.0 } else { 100.0 };
                    values.iter_mut().for_each(|vm| vm[row] = bogus);
                }
            }
        }
        for value in values.iter_mut().flatten() {
            *value = value.clamp(0.0, 100.0);
        }
        Ok((values, day))
    }
}

fn roll_out(rng: &mut ChaCha8Rng, values: &mut Values) {
    let (vms, rows) = (values.len(), values[0].len());
    let count = (0.3 * vms as f64 + 0.5).floor() as usize;
    let start = rng.random_range(150..rows - 150);
    for vm in index::sample(rng, vms, count) {
        let factor = 1.0 + rng.random_range(0.5..1.5);
        values[vm][start..].iter_mut().for_each(|v| *v *= factor);
    }
}

fn wave(rng: &mut ChaCha8Rng, values: &mut Values, day: usize) {
    let swing = rng.random_range(0.2..0.4);
    let phase = rng.random_range(0..day);
    for vm in values {
        for (row, value) in vm.iter_mut().enumerate() {
            *value *= 1.0 + swing * (TAU * (row + phase) as f64 / day as f64).sin();
        }
    }
}

fn come_and_go(rng: &mut ChaCha8Rng, values: &mut Values) {
    let (vms, rows) = (values.len(), values[0].len());
    for vm in index::sample(rng, vms, (vms / 3).max(1)) {
        let at = rng.random_range(60..rows - 60);
        let gone = if rng.random_bool(0.5) {
            0..at
        } else {
            at..rows
        };
        values[vm][gone].fill(f64::NAN);
    }
}

fn glitch(rng: &mut ChaCha8Rng, values: &mut Values) {
    let rows = values[0].len();
    for vm in &mut *values {
        if vm.iter().sum::<f64>() / (rows as f64) < 15.0 {
            let height = rng.random_range(5.0..40.0);
            for value in vm {
                if rng.random_bool(0.01) {
                    *value += height;
                }
            }
        }
    }
    let together: Vec<usize> = (0..4).map(|_| rng.random_range(0..rows)).collect();
    for vm in values {
        let height = rng.random_range(5.0..40.0);
        together.iter().for_each(|&row| vm[row] += height);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::metrics::values::DAY;
    use rand::SeedableRng as _;

    fn make(kind: Negative, vms: usize) -> Values {
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        kind.values(
            &mut rng,
            &Background::Synthetic(DAY),
            vms,
            575,
            Regime::Quiet,
        )
        .unwrap()
        .0
    }

    fn missing(values: &Values) -> usize {
        values.iter().flatten().filter(|v| v.is_nan()).count()
    }

    #[test]
    fn values_are_percentages_and_only_churn_and_missing_lack_any() {
        for kind in Negative::value_variants() {
            for vms in [2, 5, 30] {
                let values = make(*kind, vms);
                assert!(
                    values
                        .iter()
                        .flatten()
                        .all(|v| v.is_nan() || (0.0..=100.0).contains(v))
                );
                let lacks = matches!(kind, Negative::Churn | Negative::Missing);
                assert_eq!(missing(&values) > 0, lacks, "{kind:?}");
            }
        }
    }

    #[test]
    fn a_roll_out_reaches_three_of_ten_vms() {
        let mut values: Values = vec![vec![10.0; 575]; 10];
        roll_out(&mut ChaCha8Rng::seed_from_u64(1), &mut values);
        let risen = values.iter().filter(|vm| vm[574] >= 15.0).count();
        assert_eq!(risen, 3);
        assert!(values.iter().all(|vm| vm[149] == 10.0));
    }

    #[test]
    fn a_reset_shows_in_all_vms_at_once() {
        let values = make(Negative::Reset, 5);
        let bogus = (0..575)
            .filter(|&row| {
                let first = values[0][row];
                (first == 0.0 || first == 100.0) && values.iter().all(|vm| vm[row] == first)
            })
            .count();
        assert!((1..=3).contains(&bogus), "{bogus}");
    }

    #[test]
    fn all_vms_are_silent_together_once_where_samples_are_missing() {
        let values = make(Negative::Missing, 8);
        let silent = (0..575)
            .filter(|&row| values.iter().all(|vm| vm[row].is_nan()))
            .count();
        assert!((3..25).contains(&silent), "{silent}");
        let share = missing(&values) as f64 / (8.0 * 575.0);
        assert!((0.04..0.12).contains(&share), "{share}");
    }

    #[test]
    fn a_wave_of_the_day_is_common_to_all() {
        let mut values: Values = vec![vec![10.0; 575]; 3];
        wave(&mut ChaCha8Rng::seed_from_u64(1), &mut values, DAY);
        assert!(values.iter().all(|vm| *vm == values[0]));
        let top = values[0].iter().copied().fold(0.0, f64::max);
        assert!((12.0..=14.0).contains(&top), "{top}");
    }
}
