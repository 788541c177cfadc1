//! One hypervisor: the series of its metrics and intervals.

use serde::{Deserialize, Serialize};

use super::joint::Reported;
use super::series::Series;
use super::spans::Spans;

/// One hypervisor.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Hypervisor {
    pub(super) name: Box<str>,
    /// One for each metric and interval; a VM is in one series per metric.
    pub(super) series: Vec<Series>,
    /// Since when all VMs have been silent, if that was reported; seconds.
    pub(super) silent_since: Option<f64>,
    /// The open incidents that were reported: one, or one per metric without a joint decision. Saved separately.
    #[serde(skip)]
    pub(super) reported: Vec<Reported>,
    /// When it is in maintenance.
    #[serde(skip)]
    pub(super) maintenance: Spans,
    /// The most frequent interval among the rejected samples, by majority vote: the candidate and its lead.
    #[serde(skip)]
    pub(super) rejected: (f64, u32),
    /// Memory outside of itself when last measured, in bytes.
    #[serde(skip)]
    pub(super) bytes: usize,
}

impl Hypervisor {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            series: Vec::new(),
            silent_since: None,
            reported: Vec::new(),
            maintenance: Spans::default(),
            rejected: (0.0, 0),
            bytes: 0,
        }
    }

    /// The series of a metric with their indices.
    pub(super) fn of(&self, metric: u32) -> impl Iterator<Item = (usize, &Series)> {
        let all = self.series.iter().enumerate();
        all.filter(move |(_, series)| series.metric == metric)
    }

    /// All series but the one at `at`.
    pub(super) fn others(&self, at: usize) -> Others<'_> {
        Others([&self.series[..at], &self.series[at + 1..]])
    }

    /// The series that represents a metric: one with an open incident, or else the one with the most VMs.
    pub(super) fn main(&self, metric: u32) -> Option<usize> {
        let order = |(at, series): &(usize, &Series)| {
            let (raised, vms) = (series.incidents.is_raised(), series.vms());
            (raised, vms, usize::MAX - at)
        };
        self.of(metric).max_by_key(order).map(|(at, _)| at)
    }

    /// The metrics, in the order of their first sample.
    pub(super) fn metrics(&self) -> impl Iterator<Item = u32> {
        let all = self.series.iter().enumerate();
        let first = |(at, series): &(usize, &Series)| {
            self.series[..*at].iter().all(|s| s.metric != series.metric)
        };
        all.filter(first).map(|(_, series)| series.metric)
    }

    /// Whether the VMs of a metric have so many different intervals that no two can be compared.
    pub(super) fn is_scattered(&self, metric: u32) -> bool {
        self.of(metric).count() > 1 && self.of(metric).all(|(_, series)| series.vms() < 2)
    }
}

/// The other series of a hypervisor.
pub(super) struct Others<'a>(pub [&'a [Series]; 2]);

impl Others<'_> {
    pub(super) fn all(&self) -> impl Iterator<Item = &Series> {
        self.0.iter().copied().flatten()
    }

    /// Those of the same metric, whose VMs have other intervals.
    pub(super) fn of(&self, metric: u32) -> impl Iterator<Item = &Series> {
        self.all().filter(move |series| series.metric == metric)
    }
}
