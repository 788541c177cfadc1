//! Where hypervisors and their VMs stand.

use super::options::Algorithm;
use super::{Detector, rank};
use crate::units::{Interval, Share, Time};

/// Where one metric of one hypervisor stands after its last tick.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Status<'a> {
    /// The hypervisor.
    pub hypervisor: &'a str,
    /// The metric.
    pub metric: &'a str,
    /// Time of the last tick judged.
    pub time: Time,
    /// How near to an alarm; an alarm is 0.5 or more.
    pub score: Share,
    /// Share of the voters that changed the same way.
    pub consensus: Share,
    /// VMs that had a say.
    pub voters: u32,
    /// VMs that are known, whatever their interval.
    pub vms: u32,
    /// Whether an incident is open.
    pub raised: bool,
    /// The time between two ticks.
    pub interval: Interval,
}

/// Where one VM stands after the last tick of one metric of its hypervisor: its say in the verdict.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VmStatus<'a> {
    /// The VM.
    pub vm: &'a str,
    /// How strongly it changed, in standard deviations of its own past, with its sign (for `iad`, twice the change by
    /// `change_threshold`); `None` where it abstained: too little is known of it, it is silent, idle or saturated.
    pub shift: Option<f64>,
    /// The mean of what it did before the present, in the metric's unit; `None` where that is not known.
    pub baseline: Option<f64>,
}

impl Detector {
    /// Where every metric of every hypervisor stands, in the order of their first sight. Where its VMs have several intervals,
    /// that is where those stand that have an open incident, or else those of the interval that most have.
    pub fn statuses(&self) -> impl Iterator<Item = Status<'_>> {
        self.hypervisors.iter().flat_map(|hypervisor| {
            hypervisor.metrics().filter_map(|metric| {
                let panel = &hypervisor.panels[hypervisor.main(metric)?];
                let vms: usize = hypervisor.of(metric).map(|(_, p)| p.vms()).sum();
                Some(Status {
                    hypervisor: &hypervisor.name,
                    metric: &self.options.metrics[metric as usize],
                    time: Time::from_secs(panel.judged_time()),
                    score: Share::rounded(panel.last.score),
                    consensus: Share::rounded(panel.last.consensus),
                    voters: panel.last.voters,
                    vms: vms as u32,
                    raised: panel.incidents.is_raised(),
                    interval: Interval::from_secs(panel.interval),
                })
            })
        })
    }

    /// Where the VMs of a hypervisor stand after the last tick of a metric, in no particular order, on the scale of time of a
    /// `channel` (the key of that name in an event; one that the algorithm does not have, such as "", means its fastest).
    /// Gives none for a hypervisor or metric that is not known.
    ///
    /// For a look inside, as a report takes it. It walks over the VMs; nothing is kept for its sake.
    pub fn vm_statuses<'a>(
        &'a self,
        hypervisor: &str,
        metric: &str,
        channel: &'a str,
    ) -> impl Iterator<Item = VmStatus<'a>> {
        let at = self.index.get(hypervisor).map(|at| *at as usize);
        let metric = self.options.metrics.iter().position(|m| m == metric);
        let panels = at.zip(metric).map(|(at, metric)| {
            let panels = self.hypervisors[at].of(metric as u32);
            panels.map(|(_, panel)| panel)
        });
        panels.into_iter().flatten().flat_map(move |panel| {
            let method = panel.method.get();
            let seats = panel.seats.iter().enumerate();
            seats.filter_map(move |(slot, seat)| {
                let shift = method.shift_on(slot, channel);
                Some(VmStatus {
                    vm: seat.name.as_deref()?,
                    shift: (!shift.is_nan()).then_some(shift),
                    baseline: method.baseline(slot),
                })
            })
        })
    }

    /// How many samples a VM's present has on the scale of time of a `channel`, as for [`Detector::vm_statuses`]: a change is at
    /// its plainest so many samples after it began.
    pub fn present_samples(&self, channel: &str) -> usize {
        match self.options.algorithm {
            Algorithm::Rank => rank::present_samples(channel),
            Algorithm::Zscore => self.options.zscore_window_short_sz,
            Algorithm::Iad => self.options.iad_window_sz,
        }
    }
}
