//! The risk behind the border: the functions that detectors "risk" alone have.

use std::ffi::{c_char, c_uint};

use bellwether_core::detector::Detector as _;
use bellwether_core::options::OptionError;
use bellwether_core::risk::{
    Detector, Fate, Observation, Observed, Outcome, RiskOptions, Source, SourceState,
};
use bellwether_core::units::Time;

use crate::border::{Failure, Growable, Handle, Input, fallible, growable, input_bool, text};
use crate::detector::{Kind, Wraps, bw_detector};
use crate::error::{bw_error, bw_result};
use crate::risk_status::Statuses;
use crate::string::bw_string;

/// The risk, and what C reads of it.
pub(crate) struct Risk {
    pub(crate) detector: Detector,
    pub(crate) statuses: Statuses,
}

impl Kind for Risk {
    const NAME: &'static str = Detector::NAME;
    type Options = RiskOptions;
    fn new(options: RiskOptions) -> Result<Self, OptionError> {
        Ok(Self {
            detector: Detector::new(options)?,
            statuses: Statuses::default(),
        })
    }
}

impl Wraps for Risk {
    type Detector = Detector;
    fn detector(&self) -> &Detector {
        &self.detector
    }
    fn detector_mut(&mut self) -> &mut Detector {
        &mut self.detector
    }
}

/// A source of evidence about a host, with what its measure is. The measure is NaN where it is unknown.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum bw_risk_source {
    /// The host's log: in how many of its last 20 minutes it had records that report a failure.
    BW_RISK_SOURCE_LOG = 0,
    /// The metrics of its guests: the seconds since the oldest open `hypervisor_anomaly` was raised; negative if none is open.
    BW_RISK_SOURCE_HAD = 1,
    /// The host's own resources: the conformal p-value of the last row, 0 to 1.
    BW_RISK_SOURCE_RESOURCE = 2,
    /// How many templates of its log within the last 20 minutes are new to the fleet.
    BW_RISK_SOURCE_NOVELTY = 3,
}

/// A `bw_risk_source` that a caller passes in: any number, since C does not check it.
pub type input_source = c_uint;

/// The source with that number.
fn source(number: c_uint) -> Result<Source, Failure> {
    const LOG: c_uint = bw_risk_source::BW_RISK_SOURCE_LOG as c_uint;
    const HAD: c_uint = bw_risk_source::BW_RISK_SOURCE_HAD as c_uint;
    const RESOURCE: c_uint = bw_risk_source::BW_RISK_SOURCE_RESOURCE as c_uint;
    const NOVELTY: c_uint = bw_risk_source::BW_RISK_SOURCE_NOVELTY as c_uint;
    Ok(match number {
        LOG => Source::Log,
        HAD => Source::Had,
        RESOURCE => Source::Resource,
        NOVELTY => Source::Novelty,
        other => {
            return Err(Failure::argument(format!(
                "bw_risk_observation.source is {other}; it must be one of bw_risk_source, {LOG} to {NOVELTY}"
            )));
        }
    })
}

/// What one source says about one host. To be repeated, at least once in a third of the option "stale_sec": a source that does
/// not report becomes unknown.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bw_risk_observation {
    /// Set by the caller to `sizeof(bw_risk_observation)`.
    pub size: usize,
    /// The name of the hypervisor.
    pub hypervisor: bw_string,
    /// When the measure was true, in seconds since the epoch.
    pub time: f64,
    /// The measure, see `bw_risk_source`.
    pub measure: f64,
    /// The source.
    pub source: input_source,
    /// For `BW_RISK_SOURCE_HAD`: the incident was raised before a day of the hypervisor was known.
    pub provisional: input_bool,
}

growable!(bw_risk_observation, 48);

// SAFETY: any bytes are sizes, pointers and numbers.
unsafe impl Input for bw_risk_observation {}

/// What became of an observation. None of these is an error; keep feeding.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum bw_risk_observe_outcome {
    /// It counts.
    BW_RISK_OBSERVE_TAKEN = 0,
    /// The source has reported a later measure already.
    BW_RISK_OBSERVE_LATE = 1,
    /// The name is empty or too long, or the time is out of range.
    BW_RISK_OBSERVE_REFUSED = 2,
    /// A limit is reached ("max_hypervisors", "max_memory_mib"), and every tracked hypervisor has a source that reports.
    BW_RISK_OBSERVE_FULL = 3,
}

impl From<Outcome> for bw_risk_observe_outcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Taken => Self::BW_RISK_OBSERVE_TAKEN,
            Outcome::Late => Self::BW_RISK_OBSERVE_LATE,
            Outcome::Refused => Self::BW_RISK_OBSERVE_REFUSED,
            Outcome::Full => Self::BW_RISK_OBSERVE_FULL,
        }
    }
}

/// The risk of a host after an observation.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bw_risk_observed {
    /// Set by the caller to `sizeof(bw_risk_observed)`.
    pub size: usize,
    /// The probability that guests of the host fail within 10 minutes, 0 to 0.9; an evidence score until the detector is calibrated.
    pub risk_10min: f64,
    /// The same within 30 minutes.
    pub risk_30min: f64,
    /// What became of the observation.
    pub outcome: bw_risk_observe_outcome,
    /// Whether `failure_risk` is raised.
    pub raised: bool,
}

growable!(bw_risk_observed, 32);

impl From<Observed> for bw_risk_observed {
    fn from(observed: Observed) -> Self {
        Self {
            size: size_of::<Self>(),
            risk_10min: observed.risk_10min.get(),
            risk_30min: observed.risk_30min.get(),
            outcome: observed.outcome.into(),
            raised: observed.raised,
        }
    }
}

/// Takes what one source says about one host and gives in `*observed`, which may be NULL, the host's risk. Events that it causes
/// wait for `bw_detector_next_event`. Call `bw_detector_advance` as time passes: only then does a silent source become unknown.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_risk_observe(
    risk: *mut bw_detector,
    observation: *const bw_risk_observation,
    observed: *mut bw_risk_observed,
    error: *mut *mut bw_error,
) -> bw_result {
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread uses meanwhile.
        let risk = unsafe { bw_detector::exclusive(risk) }?;
        // SAFETY: the caller passes NULL or a struct of the size that it gives.
        let o = unsafe { bw_risk_observation::read(observation) }?;
        // SAFETY: the string of the struct is NULL or has as many bytes as it says.
        let hypervisor = unsafe {
            text(
                o.hypervisor.data,
                o.hypervisor.size,
                "bw_risk_observation.hypervisor",
            )
        }?;
        if !observed.is_null() {
            // SAFETY: it is not NULL, so the caller lets us read its size.
            unsafe { bw_risk_observed::check(observed) }?;
        }
        let observation = Observation {
            hypervisor,
            time: Time::from_secs(o.time),
            state: SourceState::measured(source(o.source)?, o.measure, o.provisional != 0),
        };
        let found = risk.change(|risk: &mut Risk| risk.detector.observe(&observation))?;
        if observed.is_null() {
            return Ok(());
        }
        // SAFETY: the caller passes a struct of the size that it gives.
        unsafe { bw_risk_observed::from(found).write(observed) }
    };
    // SAFETY: the caller passes NULL or a place for an error.
    unsafe { fallible(error, body) }
}

/// What became of a host.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum bw_risk_fate {
    /// It failed: at least one of its guests died.
    BW_RISK_FATE_FAILED = 0,
    /// Nobody knows whether it would have failed: its guests were moved away, or it is in maintenance. What was observed in the
    /// half hour before teaches nothing.
    BW_RISK_FATE_UNKNOWN = 1,
}

/// A `bw_risk_fate` that a caller passes in: any number, since C does not check it.
pub type input_fate = c_uint;

/// Reports what became of a host at `time`, seconds since the epoch, at most half an hour ago. With the option "calibrate", values
/// become probabilities of this site once enough failures were reported; without it, this has no effect. `BW_NOT_FOUND` if the
/// host is not tracked, or if that failure has been reported.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_risk_outcome(
    risk: *mut bw_detector,
    hypervisor: *const c_char,
    hypervisor_len: usize,
    time: f64,
    fate: input_fate,
    error: *mut *mut bw_error,
) -> bw_result {
    const FAILED: c_uint = bw_risk_fate::BW_RISK_FATE_FAILED as c_uint;
    const UNKNOWN: c_uint = bw_risk_fate::BW_RISK_FATE_UNKNOWN as c_uint;
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread uses meanwhile.
        let risk = unsafe { bw_detector::exclusive(risk) }?;
        // SAFETY: the caller passes NULL or that many bytes.
        let hypervisor = unsafe { text(hypervisor, hypervisor_len, "hypervisor") }?;
        let fate = match fate {
            FAILED => Fate::Failed,
            UNKNOWN => Fate::Unknown,
            other => {
                return Err(Failure::argument(format!(
                    "fate is {other}; it must be one of bw_risk_fate, {FAILED} to {UNKNOWN}"
                )));
            }
        };
        let time = Time::from_secs(time);
        if risk.change(|risk: &mut Risk| risk.detector.outcome(hypervisor, time, fate))? {
            return Ok(());
        }
        Err(Failure::not_found(format!(
            "there is no hypervisor \"{hypervisor}\" whose outcome at that time is not known yet"
        )))
    };
    // SAFETY: the caller passes NULL or a place for an error.
    unsafe { fallible(error, body) }
}
