//! The status of hosts.

use super::detector::Detector;
use super::host::Host;
use super::source::{SOURCES, Source, SourceState};
use super::tables::{HORIZONS, Horizon};
use crate::units::{Share, Time};

/// The status of one host.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Status<'a> {
    /// The hypervisor.
    pub hypervisor: &'a str,
    /// The newest time of its reports, or of the clock.
    pub time: Time,
    /// The probability that it fails within 10 minutes.
    pub risk_10min: Share,
    /// The same within 30 minutes.
    pub risk_30min: Share,
    /// Whether these are probabilities of this site. If not, they are evidence scores.
    pub calibrated: bool,
    /// Whether `failure_risk` is raised.
    pub raised: bool,
    /// Its sources, in the order of [`Source::ALL`].
    pub sources: [SourceStatus; SOURCES],
}

/// The status of one source of a host.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SourceStatus {
    /// Its state at present.
    pub state: SourceState,
    /// Its evidence in nats, by horizon; 0 if it is unknown.
    pub evidence: [f64; HORIZONS],
}

impl Detector {
    /// The status of every host, in no particular order.
    pub fn statuses(&self) -> impl ExactSizeIterator<Item = Status<'_>> {
        self.hosts.iter().map(|host| self.status_of(host))
    }

    /// The status of one host; `None` if it is not tracked.
    pub fn status(&self, hypervisor: &str) -> Option<Status<'_>> {
        let at = *self.index.get(hypervisor)?;
        Some(self.status_of(&self.hosts[at as usize]))
    }

    fn status_of<'a>(&'a self, host: &'a Host) -> Status<'a> {
        let stale_sec = self.options.stale_sec;
        let assessed = self.model.assess(host, stale_sec);
        let [ten, thirty] = assessed.risks;
        Status {
            hypervisor: &host.name,
            time: Time::from_secs(host.now),
            risk_10min: Share::rounded(ten),
            risk_30min: Share::rounded(thirty),
            calibrated: self.model.is_calibrated(),
            raised: host.open.is_some(),
            sources: std::array::from_fn(|at| {
                let state = host.state(Source::ALL[at], stale_sec);
                SourceStatus {
                    state,
                    evidence: Horizon::ALL.map(|h| self.model.tables().evidence(h, state)),
                }
            }),
        }
    }
}
