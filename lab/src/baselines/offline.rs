//! HAD as published, offline: every sample recomputes both windows, the filter's queue and the overlap. It raises the alarms of the
//! online form in the core, and shows what that saves (lecture, "Performance: Online vs Offline").

use bellwether_core::had::HadOptions;

/// The rows at which more VMs than the share of all change together. `vms`: the values of each VM, none missing.
pub fn zscore(vms: &[Vec<f64>], options: &HadOptions) -> Vec<usize> {
    let rows = vms.first().map_or(0, Vec::len);
    let window = options.overlap_window_sz;
    let above: Vec<Vec<bool>> = vms
        .iter()
        .map(|vm| {
            let is_above = |row: usize| {
                z(&vm[..=row], options).is_some_and(|z| z.abs() > options.zscore_threshold)
            };
            (0..rows).map(is_above).collect()
        })
        .collect();
    let changes: Vec<Vec<bool>> = above
        .iter()
        .map(|above| {
            (0..rows)
                .map(|row| above[row] && !calms_down(&above[..=row], options))
                .collect()
        })
        .collect();
    let needed = (options.zscore_overlap_min_pct * vms.len() as f64).floor() as usize;
    (0..rows)
        .filter(|&row| {
            let from = (row + 1).saturating_sub(window);
            let changed = |vm: &&Vec<bool>| vm[from..=row].contains(&true);
            changes.iter().any(|vm| vm[row]) && changes.iter().filter(changed).count() > needed
        })
        .collect()
}

/// How far the short window at the end of `values` is from the long one before it, in standard deviations of the latter.
fn z(values: &[f64], options: &HadOptions) -> Option<f64> {
    let (short, long) = (
        options.zscore_window_short_sz,
        options.zscore_window_long_sz,
    );
    let start = values.len().checked_sub(short + long)?;
    let (long, short) = values[start..].split_at(long);
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let past = mean(long);
    let squares: f64 = long.iter().map(|v| (v - past) * (v - past)).sum();
    let deviation = (squares / long.len() as f64).sqrt();
    (deviation >= 1e-9).then(|| (mean(short) - past) / deviation)
}

/// Whether the newer half of the last values holds fewer above the threshold than the older one.
fn calms_down(above: &[bool], options: &HadOptions) -> bool {
    let half = options.overlap_window_sz;
    let Some(start) = above.len().checked_sub(2 * half) else {
        return false;
    };
    let (older, newer) = above[start..].split_at(half);
    let count = |part: &[bool]| part.iter().filter(|above| **above).count();
    options.zscore_dynamic_filtering && count(newer) < count(older)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::metrics::background::{Background, Regime};
    use crate::generate::metrics::values::DAY;
    use bellwether_core::had::bare::Bare;
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn offline_raises_the_alarms_that_online_does() {
        let mut options = HadOptions::default();
        options.set("algorithm", "zscore").unwrap();
        let mut alarmed = 0;
        for seed in 0..6 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let (vms, _) = Background::Synthetic(DAY)
                .normal(&mut rng, 4, 800, false, Regime::Quiet)
                .unwrap();
            let mut online = Bare::new(&options, vms.len());
            let rows: Vec<usize> = (0..800)
                .filter(|&row| online.close(&vms.iter().map(|vm| vm[row]).collect::<Vec<_>>(), 0))
                .collect();
            alarmed += rows.len();
            assert_eq!(zscore(&vms, &options), rows);
        }
        assert!(alarmed > 0);
    }
}
