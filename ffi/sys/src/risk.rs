//! The probability that a host fails.

use crate::detector::{Detector, Kind, counters, found};
use crate::error::Error;
use crate::handle::{string, text};
use crate::raw;

/// The kind of [`Risk`].
#[derive(Debug)]
pub enum RiskKind {}

impl Kind for RiskKind {
    const NAME: &'static str = "risk";
    type Counters = RiskCounters;
}

counters! {
    /// What a detector of risk has counted since it was made, and what it tracks now.
    pub struct RiskCounters {
        /// Observations that were [`RiskOutcome::Taken`].
        taken,
        /// Observations that were [`RiskOutcome::Late`].
        late,
        /// Observations that were [`RiskOutcome::Refused`].
        refused,
        /// Observations that were [`RiskOutcome::Full`].
        full,
        /// Risks that were raised.
        raised,
        /// Failures that the calibration learned from.
        failures,
        /// Silent hypervisors evicted at a limit.
        hypervisors_evicted,
        /// Events dropped because nobody fetched them in time.
        events_lost,
        /// Hypervisors that are tracked.
        hypervisors,
        /// Risks that are open now.
        open,
        /// 1 if the values are probabilities of this site, 0 if they are evidence scores.
        calibrated,
        /// Memory in use, in bytes.
        bytes,
    }
}

/// A source of evidence about a host, with what its measure is; `bw_risk_source`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RiskSource {
    /// In how many of its last 20 minutes the host's log had records that report a failure.
    Log = raw::BW_RISK_SOURCE_LOG as isize,
    /// Seconds since the oldest open anomaly of its guests was raised; negative if none is open.
    Had = raw::BW_RISK_SOURCE_HAD as isize,
    /// The conformal p-value of the host's own resources.
    Resource = raw::BW_RISK_SOURCE_RESOURCE as isize,
    /// How many templates of its log within the last 20 minutes are new to the fleet.
    Novelty = raw::BW_RISK_SOURCE_NOVELTY as isize,
}

/// What one source says about one host.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RiskObservation<'a> {
    /// The name of the hypervisor.
    pub hypervisor: &'a str,
    /// When the measure was true, in seconds since the epoch.
    pub time: f64,
    /// The source.
    pub source: RiskSource,
    /// The measure; NaN if it is unknown.
    pub measure: f64,
    /// For [`RiskSource::Had`]: the anomaly was raised before a day of the hypervisor was known.
    pub provisional: bool,
}

/// What became of an observation; `bw_risk_observe_outcome`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RiskOutcome {
    /// It counts.
    Taken,
    /// The source has reported a later measure already.
    Late,
    /// The name is empty or too long, or the time is out of range.
    Refused,
    /// A limit is reached, and every tracked hypervisor has a source that reports.
    Full,
    /// A value that only a newer library has.
    Other(u32),
}

impl From<raw::bw_risk_observe_outcome> for RiskOutcome {
    fn from(code: raw::bw_risk_observe_outcome) -> Self {
        match code {
            raw::BW_RISK_OBSERVE_TAKEN => Self::Taken,
            raw::BW_RISK_OBSERVE_LATE => Self::Late,
            raw::BW_RISK_OBSERVE_REFUSED => Self::Refused,
            raw::BW_RISK_OBSERVE_FULL => Self::Full,
            other => Self::Other(other),
        }
    }
}

/// The risk of a host after an observation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RiskObserved {
    /// What became of the observation.
    pub outcome: RiskOutcome,
    /// The probability that guests of the host fail within 10 minutes, 0 to 0.9.
    pub risk_10min: f64,
    /// The same within 30 minutes.
    pub risk_30min: f64,
    /// Whether `failure_risk` is raised.
    pub raised: bool,
}

/// What became of a host; `bw_risk_fate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// At least one of its guests died.
    Failed = raw::BW_RISK_FATE_FAILED as isize,
    /// Nobody knows whether it would have failed.
    Unknown = raw::BW_RISK_FATE_UNKNOWN as isize,
}

/// The risk of a host.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RiskStatus<'a> {
    /// The name of the hypervisor.
    pub hypervisor: &'a str,
    /// The newest time of its reports, or of the clock, in seconds since the epoch.
    pub time: f64,
    /// The probability that its guests fail within 10 minutes, 0 to 0.9.
    pub risk_10min: f64,
    /// The same within 30 minutes.
    pub risk_30min: f64,
    /// What each source says by itself for 10 minutes, in nats, in the order of [`RiskSource`].
    pub evidence: [f64; 4],
    /// The state of each source, from 0, the quiet one, upward; negative if it is unknown.
    pub state: [i32; 4],
    /// Whether `failure_risk` is raised.
    pub raised: bool,
    /// Whether the values are probabilities of this site.
    pub calibrated: bool,
}

/// A detector of risk, from what others say about hosts. Made by [`crate::Library::risk`].
pub type Risk = Detector<RiskKind>;

impl Risk {
    /// Takes what one source says about one host. Events that it causes wait for [`Risk::next_event`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if the name has a NUL byte.
    pub fn observe(&mut self, observation: &RiskObservation<'_>) -> Result<RiskObserved, Error> {
        let observation = raw::bw_risk_observation {
            size: size_of::<raw::bw_risk_observation>(),
            hypervisor: string(observation.hypervisor.as_bytes()),
            time: observation.time,
            measure: observation.measure,
            source: observation.source as raw::bw_risk_source,
            provisional: observation.provisional,
        };
        let mut observed = raw::bw_risk_observed {
            size: size_of::<raw::bw_risk_observed>(),
            risk_10min: 0.0,
            risk_30min: 0.0,
            outcome: 0,
            raised: false,
        };
        // SAFETY: the structs and their strings have the sizes that they say.
        unsafe {
            self.0.call(|f, handle, error| {
                f.bw_risk_observe(handle, &observation, &mut observed, error)
            })
        }?;
        Ok(RiskObserved {
            outcome: observed.outcome.into(),
            risk_10min: observed.risk_10min,
            risk_30min: observed.risk_30min,
            raised: observed.raised,
        })
    }

    /// Reports what became of a host at `time`, seconds since the epoch; `false` if it is not tracked, or if that is known.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if the name has a NUL byte.
    pub fn outcome(&mut self, hypervisor: &str, time: f64, fate: Fate) -> Result<bool, Error> {
        // SAFETY: the string has as many bytes as its length says.
        found(unsafe {
            self.0.call(|f, handle, error| {
                f.bw_risk_outcome(
                    handle,
                    hypervisor.as_ptr().cast(),
                    hypervisor.len(),
                    time,
                    fate as raw::bw_risk_fate,
                    error,
                )
            })
        })
    }

    /// The risk of every host, in no particular order.
    pub fn statuses(&mut self) -> impl Iterator<Item = RiskStatus<'_>> {
        // SAFETY: the handle is ours.
        let count = unsafe { self.0.functions().bw_risk_status_count(self.0.as_ptr()) };
        let this = &*self;
        (0..count).filter_map(move |index| this.status(index))
    }

    fn status(&self, index: usize) -> Option<RiskStatus<'_>> {
        let mut status = raw::bw_risk_status {
            size: size_of::<raw::bw_risk_status>(),
            hypervisor: raw::bw_string::NONE,
            time: 0.0,
            risk_10min: 0.0,
            risk_30min: 0.0,
            evidence: [0.0; 4],
            state: [-1; 4],
            raised: false,
            calibrated: false,
        };
        // SAFETY: the struct has the size that it says, and its string lives until the handle's next change, which the borrow of
        // `self` puts off.
        unsafe {
            self.0
                .call(|f, handle, error| f.bw_risk_status_at(handle, index, &mut status, error))
                .ok()?;
            Some(RiskStatus {
                hypervisor: text(status.hypervisor)?,
                time: status.time,
                risk_10min: status.risk_10min,
                risk_30min: status.risk_30min,
                evidence: status.evidence,
                state: status.state,
                raised: status.raised,
                calibrated: status.calibrated,
            })
        }
    }
}
