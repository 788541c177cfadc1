//! The gate: whether a common change is a step, or follows the time of day.

use super::channel::RING;
use super::shift::{BINS, MISSING, Vm};

/// Samples averaged into one block.
const BLOCK: usize = 4;
/// Minimum number of blocks in which a daily wave can be distinguished from a step.
const BLOCKS_MIN: usize = 24;
/// Harmonics of the daily wave: a day and half a day.
const HARMONICS: usize = 2;
/// Blocks over which a step rises.
const RISE: f64 = 6.0;
/// A step is sought within this many of the newest blocks.
const RECENT: usize = 50;
/// Minimum F-like ratio of a step on top of the daily wave.
const RATIO_MIN: f64 = 12.0;
/// Share of what the daily wave explains that the step must explain in addition.
const SHARE_MIN: f64 = 0.15;

/// The common course of the VMs of a hypervisor: the mean over VMs of the rank of each sample within its own VM's history, by
/// blocks, centered on 0. `signs` inverts VMs that fell while others rose.
fn common_course(vms: &[Vm], cursor: usize, known: usize, signs: Option<&[f32]>) -> Vec<f64> {
    let span = known.min(RING) / BLOCK * BLOCK;
    let mut sum = vec![0.0f64; span / BLOCK];
    let mut count = vec![0u32; span / BLOCK];
    for (i, vm) in vms.iter().enumerate() {
        let bins = || vm.history(cursor).skip(RING - span);
        let mut histogram = [0u32; BINS];
        let mut present = 0u32;
        for bin in bins().filter(|b| *b != MISSING) {
            histogram[usize::from(bin)] += 1;
            present += 1;
        }
        if (present as usize) < span / 2 || present == 0 {
            continue;
        }
        let sign = signs.map_or(1.0, |s| if s[i] < 0.0 { -1.0 } else { 1.0 });
        let mut rank = [0.0f64; BINS];
        let mut below = 0.0;
        for (rank, count) in rank.iter_mut().zip(histogram) {
            *rank = sign * ((below + 0.5 * f64::from(count)) / f64::from(present) - 0.5);
            below += f64::from(count);
        }
        for (at, bin) in bins().enumerate().filter(|(_, b)| *b != MISSING) {
            sum[at / BLOCK] += rank[usize::from(bin)];
            count[at / BLOCK] += 1;
        }
    }
    let mut last = 0.0;
    for (s, n) in sum.iter_mut().zip(count) {
        last = if n > 0 { *s / f64::from(n) } else { last };
        *s = last;
    }
    sum
}

/// An orthonormal basis (Gram-Schmidt).
struct Basis(Vec<Vec<f64>>);

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

impl Basis {
    /// The residual of `v`.
    fn residual(&self, mut v: Vec<f64>) -> Vec<f64> {
        for q in &self.0 {
            let part = dot(&v, q);
            v.iter_mut().zip(q).for_each(|(x, q)| *x -= part * q);
        }
        v
    }

    /// Adds `v`, unless it is in the span already.
    fn add(&mut self, v: Vec<f64>) {
        let before = dot(&v, &v);
        let mut rest = self.residual(v);
        let norm = dot(&rest, &rest);
        if norm > 1e-9 * before.max(1e-9) {
            rest.iter_mut().for_each(|x| *x /= norm.sqrt());
            self.0.push(rest);
        }
    }
}

/// Whether the common course over the last `known` samples is better explained by a step than by daily waves.
///
/// `day` is the number of samples per day. Compares least squares on {1, step} with {1, waves} by the Bayesian information
/// criterion, or requires a step that explains much in addition to the waves.
pub(super) fn is_step(
    vms: &[Vm],
    cursor: usize,
    known: usize,
    day: f64,
    signs: Option<&[f32]>,
) -> bool {
    let course = common_course(vms, cursor, known, signs);
    let blocks = course.len();
    if blocks < BLOCKS_MIN {
        return false;
    }
    let n = blocks as f64;
    let constant = Basis(vec![vec![1.0 / n.sqrt(); blocks]]);
    let mut waves = Basis(constant.0.clone());
    for harmonic in 1..=HARMONICS {
        let phase = |j: usize| std::f64::consts::TAU * (harmonic * BLOCK * j) as f64 / day;
        waves.add((0..blocks).map(|j| phase(j).sin()).collect());
        waves.add((0..blocks).map(|j| phase(j).cos()).collect());
    }
    let level_rest = constant.residual(course.clone());
    let wave_rest = waves.residual(course);
    let (level_rss, wave_rss) = (dot(&level_rest, &level_rest), dot(&wave_rest, &wave_rest));
    let (mut step_rss, mut both_rss) = (level_rss, wave_rss);
    for tau in 3.max(blocks.saturating_sub(RECENT))..blocks - 1 {
        let step: Vec<f64> = (0..blocks)
            .map(|j| ((j as f64 - tau as f64 + 1.0) / RISE).clamp(0.0, 1.0))
            .collect();
        let explained = |basis: &Basis, rest: &[f64]| {
            let beside = basis.residual(step.clone());
            let norm = dot(&beside, &beside);
            if norm > 1e-6 {
                dot(&beside, rest).powi(2) / norm
            } else {
                0.0
            }
        };
        step_rss = step_rss.min(level_rss - explained(&constant, &level_rest));
        both_rss = both_rss.min(wave_rss - explained(&waves, &wave_rest));
    }
    let criterion =
        |rss: f64, parameters: usize| n * (rss.max(0.0) + 1e-12).ln() + parameters as f64 * n.ln();
    if criterion(step_rss, 3) < criterion(wave_rss, 1 + 2 * HARMONICS) {
        return true;
    }
    let freedom = (blocks - waves.0.len() - 2) as f64;
    let gain = wave_rss - both_rss;
    gain / (both_rss.max(0.0) / freedom + 1e-12) >= RATIO_MIN
        && gain >= SHARE_MIN * (level_rss - wave_rss)
}

#[cfg(test)]
mod tests {
    use super::super::shift::Cursor;
    use super::*;

    const DAY: f64 = 288.0;

    /// Eight VMs over `samples` samples, each with its own level and small noise, multiplied by `factor`.
    fn vms(samples: u64, factor: impl Fn(u64) -> f64) -> (Vec<Vm>, usize) {
        let mut vms = vec![Vm::default(); 8];
        for t in 0..samples {
            let cursor = Cursor::at(t);
            for (i, vm) in vms.iter_mut().enumerate() {
                let noise = ((t * 7919 + i as u64 * 104_729) % 1009) as f64 / 1009.0 - 0.5;
                let value = (15.0 + i as f64) * (1.0 + 0.2 * noise) * factor(t);
                vm.push(
                    value,
                    &cursor,
                    true,
                    [f32::NAN; super::super::channel::CHANNELS].each_mut(),
                );
            }
        }
        (vms, Cursor::at(samples - 1).bin)
    }

    #[test]
    fn a_step_passes_and_the_course_of_the_day_does_not() {
        let wave = |t: u64| 1.0 + 0.3 * (std::f64::consts::TAU * t as f64 / DAY).sin();
        for samples in [200, 300, 416, 700] {
            let (step, cursor) = vms(samples, |t| if t + 20 >= samples { 1.4 } else { 1.0 });
            assert!(
                is_step(&step, cursor, samples.min(416) as usize, DAY, None),
                "step, {samples} samples"
            );
            let (waving, cursor) = vms(samples, wave);
            assert!(
                !is_step(&waving, cursor, samples.min(416) as usize, DAY, None),
                "wave, {samples} samples"
            );
        }
        let shallow = |t: u64| 1.0 + 0.4 * (wave(t) - 1.0);
        let (both, cursor) = vms(416, |t| shallow(t) * if t >= 330 { 2.0 } else { 1.0 });
        assert!(
            is_step(&both, cursor, 416, DAY, None),
            "a step on top of a wave"
        );
    }

    #[test]
    fn too_short_a_history_is_no_step() {
        let (step, cursor) = vms(90, |t| if t >= 70 { 3.0 } else { 1.0 });
        assert!(!is_step(&step, cursor, 90, DAY, None));
    }

    #[test]
    fn signs_invert_the_vms_that_fall() {
        let mut both = vec![Vm::default(); 8];
        for t in 0..300 {
            let cursor = Cursor::at(t);
            for (i, vm) in both.iter_mut().enumerate() {
                let noise = ((t * 7919 + i as u64 * 104_729) % 1009) as f64 / 1009.0 - 0.5;
                let factor = match (t >= 280, i % 2) {
                    (false, _) => 1.0,
                    (true, 0) => 1.5,
                    (true, _) => 0.6,
                };
                let value = 20.0 * (1.0 + 0.2 * noise) * factor;
                vm.push(
                    value,
                    &cursor,
                    true,
                    [f32::NAN; super::super::channel::CHANNELS].each_mut(),
                );
            }
        }
        let cursor = Cursor::at(299).bin;
        let signs: Vec<f32> = (0..8)
            .map(|i| if i % 2 == 0 { 3.0 } else { -3.0 })
            .collect();
        assert!(is_step(&both, cursor, 300, DAY, Some(&signs)));
    }
}
