//! The algorithm `zscore`: HAD as published (lecture, "HAD algorithm").
//!
//! Each VM's short window, the present, is compared with the long window before it, the past. Change points that the [`Filter`]
//! does not drop are counted over VMs and time by [`Overlap`]; there is an alarm if more than a share of the VMs changed within
//! the overlap window.
//!
//! What the lecture leaves open: the windows are disjoint, the standard deviation is that of the population, a long window with a
//! standard deviation below 1e-9 is ignored, and |z| decides, so VMs that rise and VMs that fall count together.
//!
//! Memory of a VM: 16 bytes per sample of either window, `overlap_window_sz / 4` bytes and about 250 more; a little over 1 KiB
//! with the defaults. The cost of a sample does not depend on the windows.

use serde::{Deserialize, Serialize};

use super::filter::Filter;
use super::method::{Alarm, Method, Verdict};
use super::options::HadOptions;
use super::overlap::Overlap;
use super::past::Past;
use super::window::{Delay, MovingMean, MovingVariance};
use crate::memory::vec;

/// Below this variance, a standard deviation of 1e-9, a change cannot be measured.
const LEAST_VARIANCE: f64 = 1e-18;

/// HAD as published, for one metric of one hypervisor.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Zscore {
    short_sz: usize,
    long_sz: usize,
    overlap_sz: usize,
    threshold: f64,
    filtering: bool,
    share: f64,
    vms: Vec<Vm>,
    /// VMs with at least one value.
    used: u32,
    overlap: Overlap,
    past: Past,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Vm {
    /// Values between the short window and the long one.
    delay: Delay,
    short: MovingMean,
    long: MovingVariance,
    filter: Filter,
    /// The tick of the last value; 0 for none.
    last_tick: u64,
}

/// The change of one VM: the components of z.
#[derive(Clone, Copy)]
struct Change {
    /// Mean of the short window minus mean of the long one.
    by: f64,
    /// Variance of the long window.
    variance: f64,
}

impl Change {
    /// Whether |z| exceeds the threshold whose square is given. Comparing squares saves the root and the division.
    #[inline]
    fn is_above(self, threshold_squared: f64) -> bool {
        self.variance >= LEAST_VARIANCE && self.by * self.by > threshold_squared * self.variance
    }

    fn z(self) -> f64 {
        if self.variance >= LEAST_VARIANCE {
            self.by / self.variance.sqrt()
        } else {
            0.0
        }
    }
}

impl Vm {
    fn new(short_sz: usize, long_sz: usize, overlap_sz: usize) -> Self {
        Self {
            delay: Delay::new(short_sz),
            short: MovingMean::new(short_sz),
            long: MovingVariance::new(long_sz),
            filter: Filter::new(overlap_sz),
            last_tick: 0,
        }
    }

    #[inline]
    fn push(&mut self, value: f64) {
        self.short.push(value);
        if let Some(past) = self.delay.push(value) {
            self.long.push(past);
        }
    }

    #[inline]
    fn change(&self) -> Option<Change> {
        let (past, variance) = self.long.moments()?;
        let by = self.short.mean()? - past;
        Some(Change { by, variance })
    }
}

impl Zscore {
    /// State without VMs.
    pub fn new(options: &HadOptions) -> Self {
        Self {
            short_sz: options.zscore_window_short_sz,
            long_sz: options.zscore_window_long_sz,
            overlap_sz: options.overlap_window_sz,
            threshold: options.zscore_threshold,
            filtering: options.zscore_dynamic_filtering,
            share: options.zscore_overlap_min_pct,
            vms: Vec::new(),
            used: 0,
            overlap: Overlap::new(options.overlap_window_sz),
            past: Past::new(options.overlap_window_sz),
        }
    }

    /// Continues a restored state under `options`, which must have the same window lengths. Returns `false` if it is not a valid
    /// state of `slots` VMs.
    pub fn restore(&mut self, options: &HadOptions, slots: usize) -> bool {
        let valid = self.vms.len() == slots
            && self.overlap.is_valid(options.overlap_window_sz, slots)
            && self.past.is_valid(options.overlap_window_sz)
            && self.vms.iter().all(|vm| {
                vm.delay.is_valid(options.zscore_window_short_sz)
                    && vm.short.is_valid(options.zscore_window_short_sz)
                    && vm.long.is_valid(options.zscore_window_long_sz)
                    && vm.filter.is_valid(options.overlap_window_sz)
            });
        if valid {
            let restored = std::mem::replace(self, Self::new(options));
            self.used = restored.vms.iter().filter(|vm| vm.last_tick > 0).count() as u32;
            self.vms = restored.vms;
            self.overlap = restored.overlap;
            self.past = restored.past;
        }
        valid
    }

    /// 1 minus the share of their recent past in which the VMs that changed now were also above the threshold.
    fn distinctiveness(&self) -> f64 {
        let (mut sum, mut count) = (0.0, 0.0);
        for (slot, vm) in self.vms.iter().enumerate() {
            if self.overlap.changed(slot) {
                sum += vm.filter.past_share();
                count += 1.0;
            }
        }
        if count > 0.0 { 1.0 - sum / count } else { 0.0 }
    }
}

impl Method for Zscore {
    fn bytes(&self) -> usize {
        // All VMs have windows of the same lengths.
        let vm = self.vms.first().map_or(0, |vm| {
            vm.delay.bytes() + vm.short.bytes() + vm.long.bytes() + vm.filter.bytes()
        });
        vec(&self.vms) + self.vms.len() * vm + self.overlap.bytes()
    }

    fn resize(&mut self, slots: usize) {
        let (short, long, overlap) = (self.short_sz, self.long_sz, self.overlap_sz);
        self.vms
            .resize_with(slots, || Vm::new(short, long, overlap));
        self.overlap.resize(slots);
        self.used = self.vms.iter().filter(|vm| vm.last_tick > 0).count() as u32;
    }

    fn reset(&mut self, slot: usize) {
        let vm = Vm::new(self.short_sz, self.long_sz, self.overlap_sz);
        if std::mem::replace(&mut self.vms[slot], vm).last_tick > 0 {
            self.used -= 1;
        }
        self.overlap.reset(slot);
    }

    fn close(&mut self, values: &[f64], _hour: usize) -> Verdict {
        self.overlap.advance(1);
        let now = self.overlap.now();
        let threshold_squared = self.threshold * self.threshold;
        let mut any_changed = false;
        for (slot, (vm, &value)) in self.vms.iter_mut().zip(values).enumerate() {
            if !value.is_finite() {
                continue;
            }
            self.used += u32::from(vm.last_tick == 0);
            vm.last_tick = now;
            vm.push(value);
            let change = vm.change().filter(|c| c.is_above(threshold_squared));
            vm.filter.push(change.is_some());
            if let Some(change) = change
                && !(self.filtering && vm.filter.calms_down())
            {
                self.overlap.change(slot, change.by > 0.0);
                any_changed = true;
            }
        }

        let changed = self.overlap.count();
        let count = changed.count();
        let consensus = f64::from(count) / f64::from(self.used.max(1));
        let excess = (self.share * f64::from(self.used)).floor() as u32;
        let verdict = Verdict {
            voters: self.used,
            consensus,
            score: score(count, excess + 1, self.used),
            weight: 0.0,
            alarm: (any_changed && count > excess).then(|| Alarm {
                channel: "zscore",
                slow: false,
                direction: changed.direction(),
                distinctiveness: self.distinctiveness(),
                consistency: self.past.consistency(),
            }),
            follows_time_of_day: false,
        };
        self.past.push(consensus);
        verdict
    }

    fn skip(&mut self, ticks: u64) {
        self.overlap.advance(ticks);
        self.past.skip(ticks);
    }

    fn baseline(&self, slot: usize) -> Option<f64> {
        Some(self.vms.get(slot)?.long.moments()?.0)
    }

    fn shift(&self, slot: usize) -> f64 {
        self.vms
            .get(slot)
            .filter(|vm| vm.last_tick == self.overlap.now())
            .and_then(Vm::change)
            .map_or(f64::NAN, Change::z)
    }

    fn memory(&self) -> usize {
        (self.short_sz + self.long_sz).max(2 * self.overlap_sz)
    }
}

/// The score of `count` votes among `all` VMs if `needed` make an alarm: 0 to 0.5 below, more than 0.5 up to 1 from there on.
pub(super) fn score(count: u32, needed: u32, all: u32) -> f64 {
    let (count, needed) = (f64::from(count), f64::from(needed.max(1)));
    if count < needed {
        0.5 * count / needed
    } else {
        let beyond = f64::from(all) - needed + 1.0;
        0.5 + 0.5 * ((count - needed + 1.0) / beyond.max(1.0)).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Direction;
    use crate::had::contract;
    use proptest::prelude::*;
    use std::io::Write as _;

    fn options(short: usize, long: usize, overlap: usize) -> HadOptions {
        HadOptions {
            zscore_window_short_sz: short,
            zscore_window_long_sz: long,
            overlap_window_sz: overlap,
            ..HadOptions::default()
        }
    }

    /// The ticks with an alarm, and the last verdict.
    fn run(options: &HadOptions, rows: &[Vec<f64>]) -> (Vec<usize>, Verdict) {
        let mut method = Zscore::new(options);
        method.resize(rows.first().map_or(0, Vec::len));
        let mut last = Verdict::default();
        let mut alarms = Vec::new();
        for (t, row) in rows.iter().enumerate() {
            last = method.close(row, 0);
            if last.alarm.is_some() {
                alarms.push(t);
            }
        }
        (alarms, last)
    }

    /// The definition, recomputed from scratch at every tick: for each VM the index of its samples and their |z|.
    fn from_scratch(options: &HadOptions, rows: &[Vec<f64>]) -> Vec<usize> {
        let vms = rows.first().map_or(0, Vec::len);
        let mut samples: Vec<Vec<f64>> = vec![Vec::new(); vms];
        let mut above: Vec<Vec<bool>> = vec![Vec::new(); vms];
        let mut changes: Vec<(usize, usize)> = Vec::new();
        let mut alarms = Vec::new();
        for (t, row) in rows.iter().enumerate() {
            let before = changes.len();
            for vm in 0..vms {
                if row[vm].is_nan() {
                    continue;
                }
                samples[vm].push(row[vm]);
                let n = samples[vm].len();
                let mut z = 0.0;
                if n >= options.zscore_window_short_sz + options.zscore_window_long_sz {
                    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
                    let (past, short) = samples[vm].split_at(n - options.zscore_window_short_sz);
                    let long = &past[past.len() - options.zscore_window_long_sz..];
                    let m = mean(long);
                    let sd =
                        mean(&long.iter().map(|x| (x - m) * (x - m)).collect::<Vec<_>>()).sqrt();
                    z = if sd < 1e-9 {
                        0.0
                    } else {
                        (mean(short) - m).abs() / sd
                    };
                }
                above[vm].push(z > options.zscore_threshold);
                let half = options.overlap_window_sz;
                let drop = options.zscore_dynamic_filtering && n >= 2 * half && {
                    let (older, newer) = above[vm][n - 2 * half..].split_at(half);
                    let count = |part: &[bool]| part.iter().filter(|&&b| b).count();
                    count(newer) < count(older)
                };
                if z > options.zscore_threshold && !drop {
                    changes.push((t, vm));
                }
            }
            let mut recent: Vec<usize> = changes
                .iter()
                .filter(|(at, _)| t - at < options.overlap_window_sz)
                .map(|&(_, vm)| vm)
                .collect();
            recent.sort_unstable();
            recent.dedup();
            let n = samples.iter().filter(|s| !s.is_empty()).count();
            let needed = (options.zscore_overlap_min_pct * n as f64).floor();
            if changes.len() > before && recent.len() as f64 > needed {
                alarms.push(t);
            }
        }
        alarms
    }

    /// Series whose samples are noise around levels that change, with gaps.
    fn rows() -> impl Strategy<Value = Vec<Vec<f64>>> {
        (1usize..7, 1usize..120, any::<u64>()).prop_map(|(vms, ticks, seed)| {
            let mut state = seed | 1;
            let mut random = || {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 11) as f64 / (1u64 << 53) as f64
            };
            let mut levels: Vec<f64> = (0..vms).map(|_| 50.0 * random()).collect();
            (0..ticks)
                .map(|_| {
                    if random() < 0.05 {
                        levels.iter_mut().for_each(|level| *level = 50.0 * random());
                    }
                    levels
                        .iter()
                        .map(|level| match random() {
                            missing if missing < 0.05 => f64::NAN,
                            _ => level * (1.0 + 0.1 * random()),
                        })
                        .collect()
                })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn online_is_the_definition_recomputed_from_scratch(
            rows in rows(), short in 1usize..8, long in 2usize..12, overlap in 1usize..12,
            threshold in 0.5..4.0f64, share in 0.0..1.0f64, filtering: bool,
        ) {
            let options = HadOptions {
                zscore_threshold: threshold, zscore_overlap_min_pct: share, zscore_dynamic_filtering: filtering, ..options(short, long, overlap)
            };
            prop_assert_eq!(run(&options, &rows).0, from_scratch(&options, &rows));
        }

        #[test]
        fn no_input_panics_and_every_verdict_is_within_bounds(
            rows in prop::collection::vec(prop::collection::vec(any::<f64>(), 3), 0..60),
            short in 1usize..8, long in 2usize..12, overlap in 1usize..12, reset in 0usize..3, skip: u64,
        ) {
            let mut method = Zscore::new(&options(short, long, overlap));
            contract::verdicts_are_within_bounds(&mut method, &rows, reset, skip);
        }
    }

    /// Five VMs with a fault that multiplies their levels from tick 100 on.
    fn fault(affected: usize, factor: f64) -> Vec<Vec<f64>> {
        (0..150)
            .map(|t| {
                (0..5)
                    .map(|vm| {
                        let level = 20.0 + f64::from((t * 7 + vm * 3) % 10) / 5.0;
                        if t >= 100 && (vm as usize) < affected {
                            level * factor
                        } else {
                            level
                        }
                    })
                    .collect()
            })
            .collect()
    }

    #[test]
    fn one_vm_that_changes_is_a_workload_and_all_together_are_the_host() {
        let (alarms, _) = run(&HadOptions::default(), &fault(1, 2.0));
        assert!(alarms.is_empty());
        let (alarms, last) = run(&HadOptions::default(), &fault(5, 2.0));
        assert_eq!(
            alarms.first(),
            Some(&101),
            "one doubled sample of 18 moves the mean by less than 1.99 standard deviations, two by more"
        );
        assert_eq!((last.voters, last.consensus, last.score), (5, 1.0, 1.0));
    }

    #[test]
    fn an_alarm_has_the_direction_and_the_distinctiveness_of_the_change() {
        let (_, last) = run(&HadOptions::default(), &fault(5, 0.5)[..110]);
        let alarm = last.alarm.expect("the fault lasts");
        assert_eq!(alarm.direction, Direction::Down);
        assert_eq!((alarm.distinctiveness, alarm.consistency), (1.0, 0.0));
    }

    #[test]
    fn a_silent_vm_keeps_its_window_and_its_vote_while_it_has_its_slot() {
        let mut method = Zscore::new(&options(1, 2, 3));
        method.resize(2);
        for value in [1.0, 2.0, 1.0] {
            method.close(&[value, value], 0);
        }
        assert_eq!(method.baseline(0), Some(1.5));
        assert_eq!(method.shift(0), -1.0);
        assert_eq!(method.close(&[f64::NAN, 1.0], 0).voters, 2);
        assert_eq!(method.baseline(0), Some(1.5));
        assert!(method.shift(0).is_nan());
        method.reset(0);
        assert_eq!(method.close(&[f64::NAN, 1.0], 0).voters, 1);
        assert_eq!(method.baseline(0), None);
    }

    #[test]
    fn a_score_reaches_one_half_with_the_vm_that_makes_the_alarm() {
        assert_eq!(score(0, 4, 5), 0.0);
        assert!(score(3, 4, 5) < 0.5);
        assert!(score(4, 4, 5) > 0.5);
        assert_eq!(score(5, 4, 5), 1.0);
        assert_eq!(score(5, 9, 5), 0.5 * 5.0 / 9.0);
    }

    /// With the evaluation data beside the checkout, the detections are exactly those listed there.
    #[test]
    fn the_detections_are_those_of_the_published_definition() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../shared/eval/had_zscore_cases");
        let Ok(entries) = std::fs::read_dir(&folder) else {
            // Directly to the standard error: the harness captures what a passing test prints.
            let _ = writeln!(
                std::io::stderr(),
                "SKIPPED: there is no {}",
                folder.display()
            );
            return;
        };
        let options = HadOptions::default();
        let mut found = Vec::new();
        for entry in entries {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|e| e != "csv") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let rows: Vec<Vec<f64>> = text
                .lines()
                .skip(1)
                .map(|line| {
                    line.split(',')
                        .skip(1)
                        .map(|cell| cell.parse().unwrap_or(f64::NAN))
                        .collect()
                })
                .collect();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let mut rearmed_at = 0;
            for t in run(&options, &rows).0 {
                if t >= rearmed_at {
                    found.push((name.clone(), t as u64));
                }
                rearmed_at = t + options.overlap_window_sz + 1;
            }
        }
        found.sort();
        let detections = std::fs::read_to_string(folder.join("detections.jsonl")).unwrap();
        let mut expected: Vec<(String, u64)> = detections
            .lines()
            .map(|line| {
                let line: serde_json::Value = serde_json::from_str(line).unwrap();
                (
                    line["hypervisor"].as_str().unwrap().to_owned(),
                    line["index"].as_u64().unwrap(),
                )
            })
            .collect();
        expected.sort();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_restored_state_continues_as_if_it_had_never_stopped() {
        let options = options(3, 5, 4);
        let reshaped = HadOptions {
            zscore_window_short_sz: 4,
            ..options.clone()
        };
        let retuned = HadOptions {
            zscore_threshold: 9.0,
            ..options.clone()
        };
        let shapes = [&options, &reshaped, &retuned];
        contract::a_restored_state_goes_on(Zscore::new(&options), Zscore::restore, shapes);
    }
}
