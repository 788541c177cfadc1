//! The CPU percentages of a host's guests.

use rand::RngExt as _;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;

use super::setting::Setting;
use super::strain::Change;
use crate::generate::logs::time::MICROS;
use crate::generate::metrics::estate::Estate;
use crate::generate::metrics::fault::Span;
use crate::generate::metrics::values::Values;

/// The correlation of the noise of a VM over a minute.
const MINUTE_PHI: f64 = 0.6;
/// Its standard deviation, as a share of the level.
const NOISE: Span<f64> = Span {
    from: 0.08,
    to: 0.35,
};
/// The amplitude of the wave of the day, as a share of the level.
const WAVE: Span<f64> = Span { from: 0.0, to: 0.3 };
/// How often a sample is missing.
const MISSING: f64 = 0.001;
const DAY_S: f64 = 86_400.0;

/// The CPU percentages of `guests` VMs over the rows of `setting`, with these changes; NaN where a sample is missing.
pub fn values(
    rng: &mut ChaCha8Rng,
    setting: &Setting,
    guests: usize,
    changes: &[Change],
) -> Values {
    let interval = setting.interval as f64 / MICROS as f64;
    let estate = Estate {
        phi: libm::pow(MINUTE_PHI, interval / 60.0),
        noise: NOISE,
        wave: rng.random_range(WAVE.from..WAVE.to),
        tenants: 3,
        alike: 0.3,
        day: ((DAY_S / interval).round() as usize).max(1),
    };
    let times: Vec<i64> = setting.rows().collect();
    let mut values = estate.values(rng, guests, times.len(), false);
    for change in changes {
        let count = (change.share * guests as f64).round() as usize;
        for vm in index::sample(rng, guests, count.clamp(1, guests)) {
            let factor = 1.0 + (change.factor - 1.0) * rng.random_range(0.75..1.25);
            let factor = factor.max(0.0);
            for (value, time) in values[vm].iter_mut().zip(&times) {
                *value = (*value * change.at(*time, factor)).clamp(0.0, 100.0);
            }
        }
    }
    for value in values.iter_mut().flatten() {
        *value = match rng.random_bool(MISSING) {
            true => f64::NAN,
            // As they are written.
            false => (*value * 100.0).round() / 100.0,
        };
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;

    #[test]
    fn a_change_reaches_its_share_of_the_vms_while_it_lasts() {
        let setting = Setting::short();
        let minutes = |minutes: i64| setting.start + minutes * 60 * MICROS;
        let change = Change {
            from: minutes(120),
            rise: 1,
            to: minutes(240),
            share: 0.5,
            factor: 0.1,
        };
        let make = |changes: &[Change]| {
            let mut rng = ChaCha8Rng::seed_from_u64(1);
            values(&mut rng, &setting, 10, changes)
        };
        let (plain, changed) = (make(&[]), make(&[change]));
        let mean = |vm: &[f64], from: usize, to: usize| {
            let known = vm[from..to].iter().filter(|value| !value.is_nan());
            known.clone().sum::<f64>() / known.count() as f64
        };
        // A row every half minute.
        let fell = |vm: usize| mean(&changed[vm], 245, 470) < 0.5 * mean(&plain[vm], 245, 470);
        assert_eq!((0..10).filter(|&vm| fell(vm)).count(), 5);
        for vm in 0..10 {
            let ratio = mean(&changed[vm], 0, 230) / mean(&plain[vm], 0, 230);
            assert!((ratio - 1.0).abs() < 0.05, "{ratio}");
        }
    }

    #[test]
    fn values_are_percentages_of_which_few_are_missing() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let values = values(&mut rng, &Setting::short(), 12, &[]);
        let (missing, all) = values
            .iter()
            .flatten()
            .fold((0, 0), |(missing, all), value| {
                assert!(value.is_nan() || (0.0..=100.0).contains(value));
                (missing + usize::from(value.is_nan()), all + 1)
            });
        assert!(missing > 0 && missing * 200 < all, "{missing} of {all}");
    }
}
