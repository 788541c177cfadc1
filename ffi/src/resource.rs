//! The detector of the resources of hosts behind the border: the functions that detectors "resource" alone have.

use std::ffi::c_char;
use std::slice;

use bellwether_core::detector::Detector as _;
use bellwether_core::model::Reconstructed;
use bellwether_core::options::OptionError;
use bellwether_core::resource::{
    DECIDING_MAX, Detector, Deviation, Observation, Observed, Outcome, PValues, ResourceOptions,
    Signal,
};
use bellwether_core::units::Time;

use crate::border::{Failure, Growable, Handle, Input, fallible, growable, guard, null, text};
use crate::detector::{Kind, Wraps, bw_detector};
use crate::error::{bw_error, bw_result};
use crate::had::interval;
use crate::resource_status::ResourceStatuses;
use crate::string::bw_string;

/// The detector, and what C reads of it.
pub(crate) struct Resource {
    pub(crate) detector: Detector,
    pub(crate) statuses: ResourceStatuses,
}

impl Kind for Resource {
    const NAME: &'static str = Detector::NAME;
    type Options = ResourceOptions;
    fn new(options: ResourceOptions) -> Result<Self, OptionError> {
        Ok(Self {
            detector: Detector::new(options)?,
            statuses: ResourceStatuses::default(),
        })
    }
}

impl Wraps for Resource {
    type Detector = Detector;
    fn detector(&self) -> &Detector {
        &self.detector
    }
    fn detector_mut(&mut self) -> &mut Detector {
        &mut self.detector
    }
}

/// One row: the signals of one host at one time.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bw_resource_observation {
    /// Set by the caller to `sizeof(bw_resource_observation)`.
    pub size: usize,
    /// The name of the host, `hypervisor_len` bytes.
    pub hypervisor: *const c_char,
    /// The length of the name.
    pub hypervisor_len: usize,
    /// The time of the row, in seconds since the epoch.
    pub time: f64,
    /// Seconds between two rows of this host; 0 means the option "interval".
    pub interval: f64,
    /// One value per signal, in the order of `bw_resource_signal_name`. NaN is unknown, and so are those that are missing at the
    /// end.
    pub values: *const f64,
    /// The number of values, at most that of the signals.
    pub values_len: usize,
}

growable!(bw_resource_observation, 56);

// SAFETY: any bytes are sizes, pointers and numbers.
unsafe impl Input for bw_resource_observation {}

/// What became of a row. None of these is an error; keep feeding rows.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum bw_resource_outcome {
    /// It counts.
    BW_RESOURCE_OUTCOME_TAKEN = 0,
    /// Its host has a row of the same time, or of less than half an interval before it.
    BW_RESOURCE_OUTCOME_DUPLICATE = 1,
    /// It is earlier than the last row of its host. The fifth consecutive one is taken: the clock was set back.
    BW_RESOURCE_OUTCOME_LATE = 2,
    /// Its interval differs from that of its host, which is learned again from the fifth consecutive one on.
    BW_RESOURCE_OUTCOME_SET_ASIDE = 3,
    /// The name is empty or too long, the time or the interval is out of range, or there are more values than signals.
    BW_RESOURCE_OUTCOME_REFUSED = 4,
    /// A limit is reached ("max_hypervisors" or "max_memory_mib"), and every tracked host still reports.
    BW_RESOURCE_OUTCOME_FULL = 5,
}

impl From<Outcome> for bw_resource_outcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Taken => Self::BW_RESOURCE_OUTCOME_TAKEN,
            Outcome::Duplicate => Self::BW_RESOURCE_OUTCOME_DUPLICATE,
            Outcome::Late => Self::BW_RESOURCE_OUTCOME_LATE,
            Outcome::SetAside => Self::BW_RESOURCE_OUTCOME_SET_ASIDE,
            Outcome::Refused => Self::BW_RESOURCE_OUTCOME_REFUSED,
            Outcome::Full => Self::BW_RESOURCE_OUTCOME_FULL,
        }
    }
}

/// The deviation of one signal.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct bw_resource_deviation {
    /// The index of the signal, see `bw_resource_signal_name`.
    pub signal: usize,
    /// Signed distance from the usual course in robust standard deviations.
    pub deviation: f64,
    /// The value, in the signal's unit.
    pub value: f64,
    /// The usual value, in the signal's unit.
    pub usual: f64,
}

impl bw_resource_deviation {
    const NONE: Self = Self {
        signal: 0,
        deviation: 0.0,
        value: 0.0,
        usual: 0.0,
    };
}

impl From<&Deviation> for bw_resource_deviation {
    fn from(one: &Deviation) -> Self {
        Self {
            signal: one.channel,
            deviation: one.deviation,
            value: one.value,
            usual: one.usual,
        }
    }
}

/// How unusual a row is.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct bw_resource_observed {
    /// Set by the caller to `sizeof(bw_resource_observed)`.
    pub size: usize,
    /// What became of the row.
    pub outcome: bw_resource_outcome,
    /// Whether an anomaly of the host is open.
    pub raised: bool,
    /// The share of the host's rows of the last weeks, without the last hours, that were at least as unusual, above 0 to 1;
    /// NaN if all of the row is unknown or the host is too little known.
    pub p_value: f64,
    /// The same only by how far signals are from their usual course.
    pub p_change: f64,
    /// The same only by how unlike all signals together are to any constellation of the past.
    pub p_pattern: f64,
    /// Closeness to an anomaly, 0 to 1; 0.5 or more is one.
    pub score: f64,
    /// How many of `deciding` are set.
    pub deciding_count: usize,
    /// The signals that deviate most, the strongest first.
    pub deciding: [bw_resource_deviation; 4],
    /// The mean square of the scaled errors with which the model of the option "resource_model" returns the window that ends with
    /// the row; NaN without a model, until a window without missing rows is complete, and if less than half of it is known.
    pub reconstruction_error: f64,
    /// The signal with the largest part in that, see `bw_resource_signal_name`.
    pub reconstruction_signal: usize,
    /// Whether that is above the model's threshold. By itself this raises nothing.
    pub unreconstructed: bool,
}

growable!(bw_resource_observed, 208);

/// The three p-values, NaN where there are none.
pub(crate) fn p_values(p: Option<PValues>) -> (f64, f64, f64) {
    p.map_or((f64::NAN, f64::NAN, f64::NAN), |p| {
        (p.combined, p.change, p.pattern)
    })
}

/// Error, signal and flag of a reconstruction.
pub(crate) fn reconstruction(found: Option<Reconstructed>) -> (f64, usize, bool) {
    found.map_or((f64::NAN, 0, false), |found| {
        (found.error, found.channel, found.anomalous)
    })
}

/// The deviations, and how many they are.
pub(crate) fn deciding(all: &[Deviation]) -> (usize, [bw_resource_deviation; DECIDING_MAX]) {
    let mut out = [bw_resource_deviation::NONE; DECIDING_MAX];
    for (to, one) in out.iter_mut().zip(all) {
        *to = one.into();
    }
    (all.len().min(DECIDING_MAX), out)
}

impl From<Observed> for bw_resource_observed {
    fn from(observed: Observed) -> Self {
        let (p_value, p_change, p_pattern) = p_values(observed.p_values);
        let (deciding_count, deciding) = deciding(&observed.deciding);
        let (reconstruction_error, reconstruction_signal, unreconstructed) =
            reconstruction(observed.reconstructed);
        Self {
            size: size_of::<Self>(),
            outcome: observed.outcome.into(),
            raised: observed.raised,
            p_value,
            p_change,
            p_pattern,
            score: observed.score.get(),
            deciding_count,
            deciding,
            reconstruction_error,
            reconstruction_signal,
            unreconstructed,
        }
    }
}

/// The name of the signal with that index, such as "cpu_busy", and in `*unit`, which may be NULL, its unit ("share", "ms",
/// "count", ...). Both are static. None if there are not that many signals; a later version may add some at the end. Any thread
/// may call it at any time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_resource_signal_name(index: usize, unit: *mut bw_string) -> bw_string {
    guard(bw_string::NONE, || {
        let Some(signal) = Signal::ALL.get(index) else {
            return bw_string::NONE;
        };
        if !unit.is_null() {
            // SAFETY: it is not NULL, so the caller lets us write to it.
            unsafe { unit.write(bw_string::of(signal.unit())) };
        }
        bw_string::of(signal.name())
    })
}

/// The numbers that C gives as pointer and length.
///
/// # Safety
/// `pointer` is NULL or points to `length` numbers that nobody writes to while the slice lives.
unsafe fn numbers<'a>(pointer: *const f64, length: usize) -> Result<&'a [f64], Failure> {
    const WHAT: &str = "bw_resource_observation.values";
    if length == 0 {
        return Ok(&[]);
    }
    if pointer.is_null() {
        return Err(null(WHAT));
    }
    if !pointer.is_aligned() {
        return Err(Failure::argument(format!(
            "{WHAT} is not aligned for double"
        )));
    }
    if length > Signal::COUNT {
        return Err(Failure::argument(format!(
            "bw_resource_observation.values_len is {length}; there are {} signals",
            Signal::COUNT
        )));
    }
    // SAFETY: it is not NULL, it is aligned, and `length` numbers are there.
    Ok(unsafe { slice::from_raw_parts(pointer, length) })
}

/// Takes one row and gives in `*observed`, which may be NULL, how unusual it is. Events that it causes wait for
/// `bw_detector_next_event`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_resource_observe(
    resource: *mut bw_detector,
    observation: *const bw_resource_observation,
    observed: *mut bw_resource_observed,
    error: *mut *mut bw_error,
) -> bw_result {
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread uses meanwhile.
        let resource = unsafe { bw_detector::exclusive(resource) }?;
        // SAFETY: the caller passes NULL or a struct of the size that it gives.
        let o = unsafe { bw_resource_observation::read(observation) }?;
        // SAFETY: the name is NULL or has as many bytes as it says, and the values are NULL or as many as they say.
        let (hypervisor, values) = unsafe {
            (
                text(
                    o.hypervisor,
                    o.hypervisor_len,
                    "bw_resource_observation.hypervisor",
                )?,
                numbers(o.values, o.values_len)?,
            )
        };
        if !observed.is_null() {
            // SAFETY: it is not NULL, so the caller lets us read its size.
            unsafe { bw_resource_observed::check(observed) }?;
        }
        let row = Observation {
            hypervisor,
            time: Time::from_secs(o.time),
            interval: interval(o.interval),
            values,
        };
        let found = resource.change(|resource: &mut Resource| resource.detector.observe(&row))?;
        if observed.is_null() {
            return Ok(());
        }
        // SAFETY: the caller passes a struct of the size that it gives.
        unsafe { bw_resource_observed::from(found).write(observed) }
    };
    // SAFETY: the caller passes NULL or a place for an error.
    unsafe { fallible(error, body) }
}
