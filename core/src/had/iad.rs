//! The algorithm `iad`, the predecessor of HAD (Jindal et al., "IAD: Indirect Anomalous VMMs Detection in the Cloud-based
//! Environment", AIOPS 2020, Springer 2021).
//!
//! A VM votes when the mean of its last `window_sz` values differs from the mean of as many before them by more than the share
//! `change_threshold` of the latter. There is an alarm when the share of VMs that vote reaches `quorum`. One VM alone is no
//! quorum.
//!
//! Memory of a VM: 24 bytes per sample of the window and about 150 more; 1.1 KiB with the defaults.

use serde::{Deserialize, Serialize};

use super::method::{Alarm, Method, Verdict};
use super::options::HadOptions;
use super::overlap::Changed;
use super::past::Past;
use super::window::{Delay, MovingMean};
use super::zscore::score;
use crate::memory::vec;

/// Lower bound of the mean: relative to smaller ones, any change would be large.
const LEAST_MEAN: f64 = 1e-6;
/// Tolerance of the quorum, so that 0.8 of 5 is 4 despite rounding.
const QUORUM_SLACK: f64 = 1e-9;

/// IAD, for one metric of one hypervisor.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Iad {
    window_sz: usize,
    threshold: f64,
    quorum: f64,
    vms: Vec<Vm>,
    /// VMs with at least one value.
    used: u32,
    now: u64,
    past: Past,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Vm {
    /// Values between the latter window and the former one.
    delay: Delay,
    latter: MovingMean,
    former: MovingMean,
    /// The tick of the last value; 0 for none.
    last_tick: u64,
    /// Its last vote: 1 for rising, -1 for falling, 0 for neither.
    vote: i8,
}

impl Vm {
    fn new(window_sz: usize) -> Self {
        Self {
            delay: Delay::new(window_sz),
            latter: MovingMean::new(window_sz),
            former: MovingMean::new(window_sz),
            last_tick: 0,
            vote: 0,
        }
    }

    #[inline]
    fn push(&mut self, value: f64) {
        self.latter.push(value);
        if let Some(past) = self.delay.push(value) {
            self.former.push(past);
        }
    }

    /// The former mean and the change since.
    #[inline]
    fn change(&self) -> Option<(f64, f64)> {
        let former = self.former.mean()?;
        Some((former, self.latter.mean()? - former))
    }
}

impl Iad {
    /// State without VMs.
    pub fn new(options: &HadOptions) -> Self {
        Self {
            window_sz: options.iad_window_sz,
            threshold: options.iad_change_threshold,
            quorum: options.iad_quorum,
            vms: Vec::new(),
            used: 0,
            now: 0,
            past: Past::new(2 * options.iad_window_sz),
        }
    }

    /// Continues a restored state under `options`, which must have the same window length. Returns `false` if it is not a valid
    /// state of `slots` VMs.
    pub fn restore(&mut self, options: &HadOptions, slots: usize) -> bool {
        let window = options.iad_window_sz;
        let valid = self.vms.len() == slots
            && self.past.is_valid(2 * window)
            && self.vms.iter().all(|vm| {
                vm.last_tick <= self.now
                    && vm.delay.is_valid(window)
                    && vm.latter.is_valid(window)
                    && vm.former.is_valid(window)
            });
        if valid {
            let restored = std::mem::replace(self, Self::new(options));
            self.used = restored.vms.iter().filter(|vm| vm.last_tick > 0).count() as u32;
            self.vms = restored.vms;
            self.now = restored.now;
            self.past = restored.past;
        }
        valid
    }

    /// The votes that count: those of VMs that have been silent for less than a window.
    fn votes(&self) -> Changed {
        let mut votes = Changed::default();
        for vm in &self.vms {
            let counts = self.now - vm.last_tick < self.window_sz as u64;
            votes.up += u32::from(counts && vm.vote > 0);
            votes.down += u32::from(counts && vm.vote < 0);
        }
        votes
    }

    /// How far the voters' changes exceed the threshold: 0.5 for twice the threshold, approaching 1 for large changes.
    fn distinctiveness(&self) -> f64 {
        let (mut sum, mut count) = (0.0, 0.0);
        for (former, by) in self
            .vms
            .iter()
            .filter(|vm| vm.vote != 0)
            .filter_map(Vm::change)
        {
            let share = by.abs() / former.max(LEAST_MEAN);
            sum += 1.0 - (self.threshold / share).min(1.0);
            count += 1.0;
        }
        if count > 0.0 { sum / count } else { 0.0 }
    }
}

impl Method for Iad {
    fn bytes(&self) -> usize {
        // All VMs have windows of the same length.
        let vm = self.vms.first().map_or(0, |vm| {
            vm.delay.bytes() + vm.latter.bytes() + vm.former.bytes()
        });
        vec(&self.vms) + self.vms.len() * vm
    }

    fn resize(&mut self, slots: usize) {
        let window = self.window_sz;
        self.vms.resize_with(slots, || Vm::new(window));
        self.used = self.vms.iter().filter(|vm| vm.last_tick > 0).count() as u32;
    }

    fn reset(&mut self, slot: usize) {
        if std::mem::replace(&mut self.vms[slot], Vm::new(self.window_sz)).last_tick > 0 {
            self.used -= 1;
        }
    }

    fn close(&mut self, values: &[f64], _hour: usize) -> Verdict {
        self.now = self.now.saturating_add(1);
        for (vm, &value) in self.vms.iter_mut().zip(values) {
            if !value.is_finite() {
                continue;
            }
            self.used += u32::from(vm.last_tick == 0);
            vm.last_tick = self.now;
            vm.push(value);
            if let Some((former, by)) = vm.change() {
                let bound = self.threshold * former.max(LEAST_MEAN);
                vm.vote = i8::from(by > bound) - i8::from(by < -bound);
            }
        }

        let votes = self.votes();
        let count = votes.count();
        let consensus = f64::from(count) / f64::from(self.used.max(1));
        let needed = (self.quorum * f64::from(self.used) - QUORUM_SLACK)
            .ceil()
            .max(2.0) as u32;
        let verdict = Verdict {
            voters: self.used,
            consensus,
            score: score(count, needed, self.used),
            weight: 0.0,
            alarm: (count >= needed).then(|| Alarm {
                channel: "iad",
                slow: false,
                direction: votes.direction(),
                distinctiveness: self.distinctiveness(),
                consistency: self.past.consistency(),
            }),
            follows_time_of_day: false,
        };
        self.past.push(consensus);
        verdict
    }

    fn skip(&mut self, ticks: u64) {
        self.now = self.now.saturating_add(ticks);
        self.past.skip(ticks);
    }

    fn baseline(&self, slot: usize) -> Option<f64> {
        self.vms.get(slot)?.former.mean()
    }

    fn shift(&self, slot: usize) -> f64 {
        // There is a mean but no spread: a change of one threshold counts as two standard deviations.
        self.vms
            .get(slot)
            .filter(|vm| vm.last_tick == self.now && vm.last_tick > 0)
            .and_then(Vm::change)
            .map_or(f64::NAN, |(former, by)| {
                2.0 * by / (self.threshold.max(LEAST_MEAN) * former.max(LEAST_MEAN))
            })
    }

    fn memory(&self) -> usize {
        2 * self.window_sz
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Direction;
    use crate::had::contract;
    use proptest::prelude::*;

    fn options(window: usize, threshold: f64, quorum: f64) -> HadOptions {
        HadOptions {
            iad_window_sz: window,
            iad_change_threshold: threshold,
            iad_quorum: quorum,
            ..HadOptions::default()
        }
    }

    fn alarms(options: &HadOptions, rows: &[Vec<f64>]) -> Vec<usize> {
        let mut method = Iad::new(options);
        method.resize(rows.first().map_or(0, Vec::len));
        (0..rows.len())
            .filter(|&t| method.close(&rows[t], 0).alarm.is_some())
            .collect()
    }

    fn from_scratch(options: &HadOptions, rows: &[Vec<f64>]) -> Vec<usize> {
        let w = options.iad_window_sz;
        let vms = rows.first().map_or(0, Vec::len);
        let mean = |rows: &[Vec<f64>], vm: usize| {
            rows.iter().map(|row| row[vm]).sum::<f64>() / rows.len() as f64
        };
        (2 * w..=rows.len())
            .filter(|&end| {
                let (former, latter) = rows[end - 2 * w..end].split_at(w);
                let votes = (0..vms)
                    .filter(|&vm| {
                        let past = mean(former, vm);
                        (mean(latter, vm) - past).abs()
                            > options.iad_change_threshold * past.max(1e-6)
                    })
                    .count();
                votes >= 2 && votes as f64 >= options.iad_quorum * vms as f64 - 1e-9
            })
            .map(|end| end - 1)
            .collect()
    }

    proptest! {
        #[test]
        fn online_is_the_definition_recomputed_from_scratch(
            rows in (1usize..6).prop_flat_map(|vms| prop::collection::vec(prop::collection::vec(0.0..100.0f64, vms), 0..60)),
            window in 1usize..12, threshold in 0.01..1.0f64, quorum in 0.0..1.0f64,
        ) {
            let options = options(window, threshold, quorum);
            prop_assert_eq!(alarms(&options, &rows), from_scratch(&options, &rows));
        }

        #[test]
        fn no_input_panics_and_every_verdict_is_within_bounds(
            rows in prop::collection::vec(prop::collection::vec(any::<f64>(), 3), 0..60),
            window in 1usize..8, reset in 0usize..3, skip: u64,
        ) {
            let mut method = Iad::new(&options(window, 0.15, 0.8));
            contract::verdicts_are_within_bounds(&mut method, &rows, reset, skip);
        }
    }

    fn step(vms: usize, affected: usize, to: f64) -> Vec<Vec<f64>> {
        (0..40)
            .map(|t| {
                (0..vms)
                    .map(|vm| if t >= 20 && vm < affected { to } else { 10.0 })
                    .collect()
            })
            .collect()
    }

    #[test]
    fn a_quorum_of_vms_that_change_together_is_the_host() {
        let options = options(10, 0.15, 0.8);
        assert!(alarms(&options, &step(5, 3, 20.0)).is_empty());
        // One sample of twice the level in ten moves the mean by 10 %, two by 20 %.
        assert_eq!(alarms(&options, &step(5, 4, 20.0)).first(), Some(&21));
        assert!(
            alarms(&options, &step(1, 1, 20.0)).is_empty(),
            "one VM alone is a workload"
        );
    }

    #[test]
    fn an_alarm_has_the_direction() {
        let mut method = Iad::new(&options(10, 0.15, 0.8));
        method.resize(4);
        let alarm = step(4, 4, 2.0)
            .iter()
            .find_map(|row| method.close(row, 0).alarm);
        assert_eq!(alarm.expect("all VMs fell").direction, Direction::Down);
    }

    #[test]
    fn a_silent_vm_has_no_vote_after_a_window() {
        let mut method = Iad::new(&options(10, 0.15, 0.8));
        method.resize(2);
        for row in step(2, 2, 20.0).iter().take(25) {
            method.close(row, 0);
        }
        for tick in 1..=10 {
            let verdict = method.close(&[20.0, f64::NAN], 0);
            assert_eq!(verdict.alarm.is_some(), tick < 10, "tick {tick} of silence");
        }
    }

    #[test]
    fn a_restored_state_goes_on_as_if_it_had_never_stopped() {
        let options = options(4, 0.15, 0.8);
        let reshaped = HadOptions {
            iad_window_sz: 5,
            ..options.clone()
        };
        let retuned = HadOptions {
            iad_quorum: 1.0,
            ..options.clone()
        };
        let shapes = [&options, &reshaped, &retuned];
        contract::a_restored_state_goes_on(Iad::new(&options), Iad::restore, shapes);
    }
}
