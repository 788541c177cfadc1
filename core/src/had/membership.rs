//! Which VM belongs to which series: new VMs, VMs that move to another interval, and masked VMs.

use super::detector::{Detector, INTERVALS_MAX, NAME_MAX_BYTES};
use super::notice::{self, NoticeKind};
use super::observation::{Outcome, Sample};
use super::report;
use super::series::{Series, Transfer};

/// A rejected interval with this many more samples than all other rejected ones replaces another.
const REJECTED_MAX: u32 = 64;

impl Detector {
    /// The series and slot of a VM that is not in the series `found` for its interval, if that exists. The VM is new, or its
    /// interval has changed; after several samples of the new interval, it moves.
    #[cold]
    #[inline(never)]
    pub(super) fn admit(
        &mut self,
        at: usize,
        metric: u32,
        found: Option<usize>,
        sample: &Sample<'_>,
    ) -> Result<(usize, usize), Outcome> {
        let hypervisor = &mut self.hypervisors[at];
        let current = hypervisor
            .of(metric)
            .find_map(|(i, series)| Some((i, series.slot(sample.vm)?)));
        if let Some((i, slot)) = current {
            let series = &mut hypervisor.series[i];
            if series.takes(sample.interval) {
                return Ok((i, slot));
            }
            if !series.note_other_interval(slot, sample) {
                return Err(Outcome::SetAside);
            }
        } else if !self.can_admit(at, metric, sample.vm) {
            return Err(Outcome::Full);
        }
        let i = match found {
            Some(i) => i,
            None => self.series_of_new_interval(at, metric, current, sample)?,
        };
        let (i, transfer) = match current {
            Some((from, slot)) if from != i => {
                let (i, transfer) = self.leave(at, (from, slot), i, sample.time);
                (i, Some(transfer))
            }
            _ => (i, None),
        };
        let hypervisor = &mut self.hypervisors[at];
        let series = &mut hypervisor.series[i];
        series.maintenance = hypervisor.maintenance.clone();
        let slot = series.slot_or_new(sample.vm);
        if let Some(transfer) = transfer {
            series.moved = series.moved.saturating_sub(1);
            series.mask(sample.vm, transfer.masked, &self.options);
            for (time, value) in transfer.held {
                if time < sample.time {
                    let held = Sample {
                        time,
                        value,
                        ..*sample
                    };
                    self.with_series(at, i, |series, on_tick| {
                        series.observe(slot, &held, on_tick)
                    });
                }
            }
        }
        let hypervisor = &self.hypervisors[at];
        if hypervisor.is_scattered(metric) {
            self.notices.add(NoticeKind::Unjudged, || {
                notice::unjudged(&hypervisor.name, &self.options.metrics[metric as usize])
            });
        }
        self.measure(at);
        Ok((i, slot))
    }

    /// Whether the unknown VM `name` can be added. At the option `max_vms`, it replaces one that no longer reports.
    fn can_admit(&mut self, at: usize, metric: u32, name: &str) -> bool {
        let hypervisor = &self.hypervisors[at];
        let vms: usize = hypervisor.of(metric).map(|(_, series)| series.vms()).sum();
        if vms < self.options.max_vms && !self.is_full() {
            return true;
        }
        let hypervisor = &mut self.hypervisors[at];
        let mut all = hypervisor.series.iter_mut();
        let evicted = all.any(|s| s.metric == metric && s.evict_silent(name, &self.options));
        self.counters.vms_evicted += u64::from(evicted);
        evicted
    }

    /// Creates a series for a new interval. `current` is the place of the VM so far.
    fn series_of_new_interval(
        &mut self,
        at: usize,
        metric: u32,
        current: Option<(usize, usize)>,
        sample: &Sample<'_>,
    ) -> Result<usize, Outcome> {
        let interval = sample.interval;
        let hypervisor = &mut self.hypervisors[at];
        let new = Series::new(&self.options, metric, sample, interval);
        if hypervisor.of(metric).count() < INTERVALS_MAX {
            hypervisor.series.push(new);
            return Ok(hypervisor.series.len() - 1);
        }
        let (smallest, vms) = hypervisor
            .of(metric)
            .map(|(i, series)| (i, series.vms()))
            .min_by_key(|(_, vms)| *vms)
            .expect("there are several");
        // A series is replaced if more VMs have the new interval, or if its only VM cannot be evaluated and the new interval is
        // requested persistently.
        let movers: usize = hypervisor
            .of(metric)
            .map(|(_, series)| series.movers(interval))
            .sum();
        let (claimed, votes) = &mut hypervisor.rejected;
        if *votes == 0 {
            *claimed = interval;
        }
        if *claimed == interval {
            *votes += 1;
        } else {
            *votes -= 1;
        }
        let empties = current.is_some_and(|(i, _)| hypervisor.series[i].vms() == 1);
        let replaces = vms < movers || (vms < 2 && *votes > REJECTED_MAX);
        if !empties && !replaces {
            self.notices.add(NoticeKind::Intervals, || {
                notice::intervals(&hypervisor.name, INTERVALS_MAX, interval)
            });
            return Err(if current.is_some() {
                Outcome::SetAside
            } else {
                Outcome::Full
            });
        }
        *votes = 0;
        if !empties {
            // The VM itself may have been in it, and is then new.
            let ended = report::interval_changed(hypervisor, smallest, &self.options, sample.time);
            let ended = self.fleet.pass(ended, self.options.interval);
            self.pending.push(ended);
            hypervisor.series[smallest] = new;
            return Ok(smallest);
        }
        hypervisor.series.push(new);
        Ok(hypervisor.series.len() - 1)
    }

    /// Moves the VM in `slot` from the series `from` to the series `to`; returns the index of the latter afterwards.
    fn leave(
        &mut self,
        at: usize,
        (from, slot): (usize, usize),
        to: usize,
        time: f64,
    ) -> (usize, Transfer) {
        let hypervisor = &mut self.hypervisors[at];
        let (old, new) = (
            hypervisor.series[from].interval,
            hypervisor.series[to].interval,
        );
        let transfer = hypervisor.series[from].leave(slot);
        let series = &hypervisor.series[from];
        if series.moved > series.vms() {
            let ended = report::interval_changed(hypervisor, from, &self.options, time);
            let ended = self.fleet.pass(ended, self.options.interval);
            self.pending.push(ended);
            let series = &hypervisor.series[from];
            if series.moved > 1 {
                self.counters.intervals_changed += 1;
                self.notices.add(NoticeKind::IntervalChanged, || {
                    let metric = &self.options.metrics[series.metric as usize];
                    notice::interval_changed(&hypervisor.name, metric, old, new)
                });
            }
            hypervisor.series[from].reset_after_move();
        }
        if hypervisor.series[from].vms() > 0 {
            return (to, transfer);
        }
        hypervisor.series.remove(from);
        (to - usize::from(to > from), transfer)
    }

    /// Masks a VM that is paused, shut off or migrating, or unmasks it. A masked VM abstains: its samples do not count. Has no
    /// effect for a VM of an unknown hypervisor.
    pub fn mask(&mut self, hypervisor: &str, vm: &str, masked: bool) {
        let Some(at) = self.index.get(hypervisor).copied() else {
            return;
        };
        if !(1..=NAME_MAX_BYTES).contains(&vm.len()) {
            return;
        }
        let metrics: Vec<u32> = self.hypervisors[at as usize].metrics().collect();
        for metric in metrics {
            let hypervisor = &self.hypervisors[at as usize];
            let known = hypervisor.of(metric).find(|(_, s)| s.slot(vm).is_some());
            let known = known.map(|(i, _)| i);
            // An unknown VM is added only to be masked.
            let place = match known {
                None if masked && self.can_admit(at as usize, metric, vm) => {
                    self.hypervisors[at as usize].main(metric)
                }
                known => known,
            };
            if let Some(i) = place {
                self.hypervisors[at as usize].series[i].mask(vm, masked, &self.options);
                self.measure(at as usize);
            }
        }
    }
}
