//! The status of hosts.

use super::detector::Detector;
use super::host::Host;
use super::verdict::{Deviation, PValues};
use crate::model::Reconstructed;
use crate::units::{Interval, Share, Time};

/// The status of one host after its last row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Status<'a> {
    /// The host.
    pub hypervisor: &'a str,
    /// The time of its last row.
    pub time: Time,
    /// The time between two rows.
    pub interval: Interval,
    /// How unusual that row is; `None` if all of it is unknown, or the host is too little known.
    pub p_values: Option<PValues>,
    /// Closeness to an anomaly; 0.5 or more is one.
    pub score: Share,
    /// Whether an anomaly is open.
    pub raised: bool,
    /// Whether the host is too little known for a judgment that counts: less than the option `provisional_sec`.
    pub provisional: bool,
    /// How well the model that the option `resource_model` names returns the window that ends with that row, as in
    /// [`Observed::reconstructed`](super::Observed::reconstructed).
    pub reconstructed: Option<Reconstructed>,
    /// The signals that deviate most, the strongest first; at most [`DECIDING_MAX`](super::DECIDING_MAX).
    pub deciding: &'a [Deviation],
}

impl Detector {
    /// The status of every host, in the order of their first row; a host that takes the place of an evicted one has its place.
    pub fn statuses(&self) -> impl Iterator<Item = Status<'_>> {
        self.hosts.iter().map(|host| self.status_of(host))
    }

    /// The status of one host; `None` if it is unknown.
    pub fn status(&self, hypervisor: &str) -> Option<Status<'_>> {
        let at = *self.index.get(hypervisor)?;
        Some(self.status_of(&self.hosts[at as usize]))
    }

    fn status_of<'a>(&self, host: &'a Host) -> Status<'a> {
        Status {
            hypervisor: &host.name,
            time: Time::from_secs(host.time),
            interval: Interval::from_secs(host.interval),
            p_values: host.last.p_values,
            score: host.last.score,
            raised: host.incident.is_some(),
            provisional: host.is_provisional(&self.options),
            reconstructed: host.last.reconstructed,
            deciding: &host.last.deciding,
        }
    }
}
