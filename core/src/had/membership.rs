//! Which VM belongs to which panel: newcomers, VMs that move to another interval, and those that are masked.

use super::notice::{self, NoticeKind};
use super::observation::{Outcome, Sample};
use super::panel::{Leaver, Panel};
use super::{Detector, INTERVALS_MAX, NAME_MAX_BYTES, tell};

/// This many more samples of a further interval than of all others that were turned away make room for it.
const TURNED_AWAY_MAX: u32 = 64;

impl Detector {
    /// The panel and the slot of a VM that is not in the panel of its interval, `found`, if there is one: the VM is new, or it
    /// has samples of another interval than before, to which it moves once they are several.
    #[cold]
    #[inline(never)]
    pub(super) fn seat(
        &mut self,
        at: usize,
        metric: u32,
        found: Option<usize>,
        sample: &Sample<'_>,
    ) -> Result<(usize, usize), Outcome> {
        let hypervisor = &mut self.hypervisors[at];
        let home = hypervisor
            .of(metric)
            .find_map(|(i, panel)| Some((i, panel.slot(sample.vm)?)));
        if let Some((i, slot)) = home {
            let panel = &mut hypervisor.panels[i];
            if panel.takes(sample.interval) {
                return Ok((i, slot));
            }
            if !panel.has_other_interval(slot, sample) {
                return Err(Outcome::SetAside);
            }
        } else if !self.has_room(at, metric, sample.vm) {
            return Err(Outcome::Full);
        }
        let i = match found {
            Some(i) => i,
            None => self.panel_of_new_interval(at, metric, home, sample)?,
        };
        let (i, leaver) = match home {
            Some((from, slot)) if from != i => {
                let (i, leaver) = self.leave(at, (from, slot), i, sample.time);
                (i, Some(leaver))
            }
            _ => (i, None),
        };
        let hypervisor = &mut self.hypervisors[at];
        let panel = &mut hypervisor.panels[i];
        let slot = panel.slot_or_new(sample.vm);
        if let Some(leaver) = leaver {
            panel.moved = panel.moved.saturating_sub(1);
            panel.mask(sample.vm, leaver.masked, &self.options);
            for (time, value) in leaver.held {
                if time < sample.time {
                    let held = Sample {
                        time,
                        value,
                        ..*sample
                    };
                    self.with_panel(at, i, |panel, judged| panel.observe(slot, &held, judged));
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

    /// Whether there is room for the VM `name`, which is not known: at the option `max_vms`, one that no longer reports makes it.
    fn has_room(&mut self, at: usize, metric: u32, name: &str) -> bool {
        let hypervisor = &self.hypervisors[at];
        let vms: usize = hypervisor.of(metric).map(|(_, panel)| panel.vms()).sum();
        if vms < self.options.max_vms && !self.is_full() {
            return true;
        }
        let hypervisor = &mut self.hypervisors[at];
        let mut panels = hypervisor.panels.iter_mut();
        let evicted = panels.any(|p| p.metric == metric && p.evict_silent(name, &self.options));
        self.counters.vms_evicted += u64::from(evicted);
        evicted
    }

    /// A panel for an interval that there is none of. `home` is where the VM has been so far.
    fn panel_of_new_interval(
        &mut self,
        at: usize,
        metric: u32,
        home: Option<(usize, usize)>,
        sample: &Sample<'_>,
    ) -> Result<usize, Outcome> {
        let interval = sample.interval;
        let hypervisor = &mut self.hypervisors[at];
        let new = Panel::new(&self.options, metric, sample, interval);
        if hypervisor.of(metric).count() < INTERVALS_MAX {
            hypervisor.panels.push(new);
            return Ok(hypervisor.panels.len() - 1);
        }
        let (smallest, vms) = hypervisor
            .of(metric)
            .map(|(i, panel)| (i, panel.vms()))
            .min_by_key(|(_, vms)| *vms)
            .expect("there are several");
        // A panel makes room for an interval that more VMs have; one whose only VM cannot be judged, for one that is claimed
        // again and again.
        let movers: usize = hypervisor
            .of(metric)
            .map(|(_, panel)| panel.movers(interval))
            .sum();
        let (claimed, votes) = &mut hypervisor.turned_away;
        if *votes == 0 {
            *claimed = interval;
        }
        if *claimed == interval {
            *votes += 1;
        } else {
            *votes -= 1;
        }
        let empties = home.is_some_and(|(i, _)| hypervisor.panels[i].vms() == 1);
        let makes_room = vms < movers || (vms < 2 && *votes > TURNED_AWAY_MAX);
        if !empties && !makes_room {
            self.notices.add(NoticeKind::Intervals, || {
                notice::intervals(&hypervisor.name, INTERVALS_MAX, interval)
            });
            return Err(if home.is_some() {
                Outcome::SetAside
            } else {
                Outcome::Full
            });
        }
        *votes = 0;
        if !empties {
            // The VM itself may have been in it, and is then a newcomer.
            let old = &hypervisor.panels[smallest];
            let ended = tell::interval_changed(
                &hypervisor.name,
                &self.options,
                old,
                &hypervisor.others(smallest),
                sample.time,
            );
            self.waiting.push(ended);
            hypervisor.panels[smallest] = new;
            return Ok(smallest);
        }
        hypervisor.panels.push(new);
        Ok(hypervisor.panels.len() - 1)
    }

    /// Takes the VM in `slot` out of the panel `from`, to go to the panel `to`; gives the place of that one afterwards.
    fn leave(
        &mut self,
        at: usize,
        (from, slot): (usize, usize),
        to: usize,
        time: f64,
    ) -> (usize, Leaver) {
        let hypervisor = &mut self.hypervisors[at];
        let (old, new) = (
            hypervisor.panels[from].interval,
            hypervisor.panels[to].interval,
        );
        let leaver = hypervisor.panels[from].leave(slot);
        let panel = &hypervisor.panels[from];
        if panel.moved > panel.vms() {
            let ended = tell::interval_changed(
                &hypervisor.name,
                &self.options,
                panel,
                &hypervisor.others(from),
                time,
            );
            self.waiting.push(ended);
            if panel.moved > 1 {
                self.counters.intervals_changed += 1;
                self.notices.add(NoticeKind::IntervalChanged, || {
                    let metric = &self.options.metrics[panel.metric as usize];
                    notice::interval_changed(&hypervisor.name, metric, old, new)
                });
            }
            hypervisor.panels[from].most_have_moved();
        }
        if hypervisor.panels[from].vms() > 0 {
            return (to, leaver);
        }
        hypervisor.panels.remove(from);
        (to - usize::from(to > from), leaver)
    }

    /// Masks a VM that is paused, shut off or migrating, or unmasks it. A masked VM abstains: its samples do not count.
    /// Masking a VM that was never seen has no effect where the hypervisor was not seen either.
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
            let known = hypervisor.of(metric).find(|(_, p)| p.slot(vm).is_some());
            let known = known.map(|(i, _)| i);
            // One that is not known is made known only where it is masked.
            let place = match known {
                None if masked && self.has_room(at as usize, metric, vm) => {
                    self.hypervisors[at as usize].main(metric)
                }
                known => known,
            };
            if let Some(i) = place {
                self.hypervisors[at as usize].panels[i].mask(vm, masked, &self.options);
                self.measure(at as usize);
            }
        }
    }
}
