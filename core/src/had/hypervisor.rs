//! One hypervisor: the panels of its metrics and intervals.

use serde::{Deserialize, Serialize};

use super::panel::Panel;
use super::tell::Others;

/// One hypervisor.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Hypervisor {
    pub(super) name: Box<str>,
    /// One for each metric and interval that has been seen; a VM is in one of each metric.
    pub(super) panels: Vec<Panel>,
    /// All VMs have been silent since this time, and that was told; seconds.
    pub(super) silent_since: Option<f64>,
    /// The interval that most samples have for which there is no room, and by how many more than the others.
    #[serde(skip)]
    pub(super) turned_away: (f64, u32),
    /// How much memory it took outside of itself when it was last measured, in bytes.
    #[serde(skip)]
    pub(super) bytes: usize,
}

impl Hypervisor {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            panels: Vec::new(),
            silent_since: None,
            turned_away: (0.0, 0),
            bytes: 0,
        }
    }

    /// The panels of a metric with their places.
    pub(super) fn of(&self, metric: u32) -> impl Iterator<Item = (usize, &Panel)> {
        let panels = self.panels.iter().enumerate();
        panels.filter(move |(_, panel)| panel.metric == metric)
    }

    /// All panels but the one at `at`.
    pub(super) fn others(&self, at: usize) -> Others<'_> {
        Others([&self.panels[..at], &self.panels[at + 1..]])
    }

    /// The panel of a metric that speaks for it: one with an open incident, or else the one of most VMs.
    pub(super) fn main(&self, metric: u32) -> Option<usize> {
        let order = |(at, panel): &(usize, &Panel)| {
            let (raised, vms) = (panel.incidents.is_raised(), panel.vms());
            (raised, vms, usize::MAX - at)
        };
        self.of(metric).max_by_key(order).map(|(at, _)| at)
    }

    /// The metrics that have been seen, in the order of their first sight.
    pub(super) fn metrics(&self) -> impl Iterator<Item = u32> {
        let panels = self.panels.iter().enumerate();
        let first = |(at, panel): &(usize, &Panel)| {
            self.panels[..*at].iter().all(|p| p.metric != panel.metric)
        };
        panels.filter(first).map(|(_, panel)| panel.metric)
    }

    /// Whether the VMs of a metric have so many intervals that no two of them can be compared.
    pub(super) fn is_scattered(&self, metric: u32) -> bool {
        self.of(metric).count() > 1 && self.of(metric).all(|(_, panel)| panel.vms() < 2)
    }
}
