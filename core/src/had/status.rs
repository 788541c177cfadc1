//! The status of hypervisors and their VMs.

use super::detector::Detector;
use super::hypervisor::Hypervisor;
use super::joint::{Reported, is_one};
use super::options::Algorithm;
use super::rank;
use crate::units::{Interval, Share, Time};

/// The status of one metric of one hypervisor after its last tick.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Status<'a> {
    /// The hypervisor.
    pub hypervisor: &'a str,
    /// The metric.
    pub metric: &'a str,
    /// Time of the last evaluated tick.
    pub time: Time,
    /// Closeness to an alarm; an alarm is 0.5 or more.
    pub score: Share,
    /// Share of the voters that changed in the same direction.
    pub consensus: Share,
    /// VMs that voted.
    pub voters: u32,
    /// Known VMs, whatever their interval.
    pub vms: u32,
    /// Whether an incident is open that is the hypervisor's own, and not that of its fleet.
    pub raised: bool,
    /// Whether the last evaluated tick was in maintenance.
    pub masked: bool,
    /// The time between two ticks.
    pub interval: Interval,
    /// When the open incident of the hypervisor was raised, the oldest that this metric is part of; `None` if none is reported.
    pub since: Option<Time>,
    /// Whether that was before a day of its VMs was known (option `provisional_sec`).
    pub provisional: bool,
}

/// The status of one VM after the last tick of one metric of its hypervisor: its vote.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VmStatus<'a> {
    /// The VM.
    pub vm: &'a str,
    /// Its change in standard deviations of its own past, signed (for `iad`, twice the change divided by `change_threshold`);
    /// `None` if it abstained: too little is known, or it is silent, idle or saturated.
    pub shift: Option<f64>,
    /// Its mean before the present, in the metric's unit; `None` if unknown.
    pub baseline: Option<f64>,
}

impl Detector {
    /// The status of every metric of every hypervisor, in the order of their first sample. If its VMs have several intervals, it
    /// is that of the interval with an open incident, or else of the one with the most VMs.
    pub fn statuses(&self) -> impl Iterator<Item = Status<'_>> {
        let all = self.hypervisors.iter();
        all.flat_map(|hypervisor| self.statuses_at(hypervisor))
    }

    /// [`Detector::statuses`] of one hypervisor. Empty for an unknown one.
    pub fn statuses_of(&self, hypervisor: &str) -> impl Iterator<Item = Status<'_>> {
        let at = self.index.get(hypervisor);
        let found = at.map(|at| &self.hypervisors[*at as usize]);
        found
            .into_iter()
            .flat_map(|hypervisor| self.statuses_at(hypervisor))
    }

    fn statuses_at<'a>(&'a self, hypervisor: &'a Hypervisor) -> impl Iterator<Item = Status<'a>> {
        hypervisor.metrics().filter_map(|metric| {
            let series = &hypervisor.series[hypervisor.main(metric)?];
            let vms: usize = hypervisor.of(metric).map(|(_, p)| p.vms()).sum();
            let name = &self.options.metrics[metric as usize];
            let is_open = series.incidents.is_raised();
            let own = (!self.options.joint_metrics).then_some(name.as_str());
            let is_withheld = self.fleet.withholds(&hypervisor.name, own);
            let of_metric = |reported: &&Reported| is_one(&self.options, metric, reported.metric);
            let reported = hypervisor.reported.iter().filter(of_metric);
            let since = reported.map(|reported| reported.since).reduce(f64::min);
            let since = since.filter(|_| !is_withheld);
            Some(Status {
                hypervisor: &hypervisor.name,
                metric: name,
                time: Time::from_secs(series.last_tick_time()),
                score: Share::rounded(series.last.score),
                consensus: Share::rounded(series.last.consensus),
                voters: series.last.voters,
                vms: vms as u32,
                raised: is_open && !is_withheld,
                masked: series.is_masked(),
                interval: Interval::from_secs(series.interval),
                since: since.map(Time::from_secs),
                provisional: since
                    .is_some_and(|since| since - series.since < self.options.provisional_sec),
            })
        })
    }

    /// The status of the VMs of a hypervisor after the last tick of a metric, in no particular order, on the time scale of a
    /// `channel` (the value of that key of an event; one that the algorithm does not have, such as "", means its fastest). Empty
    /// for an unknown hypervisor or metric.
    ///
    /// For reports: it iterates over the VMs and stores nothing.
    pub fn vm_statuses<'a>(
        &'a self,
        hypervisor: &str,
        metric: &str,
        channel: &'a str,
    ) -> impl Iterator<Item = VmStatus<'a>> {
        let at = self.index.get(hypervisor).map(|at| *at as usize);
        let metric = self.options.metrics.iter().position(|m| m == metric);
        let series = at.zip(metric).map(|(at, metric)| {
            let series = self.hypervisors[at].of(metric as u32);
            series.map(|(_, series)| series)
        });
        series.into_iter().flatten().flat_map(move |series| {
            let method = series.method.get();
            let members = series.members.iter().enumerate();
            members.filter_map(move |(slot, member)| {
                let shift = method.shift_on(slot, channel);
                Some(VmStatus {
                    vm: member.name.as_deref()?,
                    shift: (!shift.is_nan()).then_some(shift),
                    baseline: method.baseline(slot),
                })
            })
        })
    }

    /// Number of samples in the present window of a VM on the time scale of a `channel`, as for [`Detector::vm_statuses`]: a
    /// change is most visible this many samples after it began.
    pub fn present_samples(&self, channel: &str) -> usize {
        match self.options.algorithm {
            Algorithm::Rank => rank::present_samples(channel),
            Algorithm::Zscore => self.options.zscore_window_short_sz,
            Algorithm::Iad => self.options.iad_window_sz,
        }
    }
}
