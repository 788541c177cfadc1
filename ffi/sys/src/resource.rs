//! The detector of the resources of hosts.

use crate::detector::{Detector, Kind, counters};
use crate::error::Error;
use crate::handle::text;
use crate::library::Library;
use crate::raw;

/// The kind of [`Resource`].
#[derive(Debug)]
pub enum ResourceKind {}

impl Kind for ResourceKind {
    const NAME: &'static str = "resource";
    type Counters = ResourceCounters;
}

counters! {
    /// What a detector of resources has counted since it was made, and what it tracks now.
    pub struct ResourceCounters {
        /// Rows that were [`RowOutcome::Taken`].
        taken,
        /// Rows that were [`RowOutcome::Duplicate`].
        duplicate,
        /// Rows that were [`RowOutcome::Late`].
        late,
        /// Rows that were [`RowOutcome::SetAside`].
        set_aside,
        /// Rows that were [`RowOutcome::Refused`].
        refused,
        /// Rows that were [`RowOutcome::Full`].
        full,
        /// Rows that the model of the option "resource_model" did not return well enough.
        unreconstructed,
        /// Events dropped because nobody fetched them in time.
        events_lost,
        /// Silent hosts that were evicted because of the options "max_hypervisors" and "max_memory_mib".
        hypervisors_evicted,
        /// Hosts that are tracked.
        hypervisors,
        /// Open anomalies.
        anomalies,
        /// Memory in use, in bytes.
        bytes,
    }
}

/// One row: the signals of one host at one time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row<'a> {
    /// The name of the host.
    pub hypervisor: &'a str,
    /// When, in seconds since the epoch.
    pub time: f64,
    /// Seconds between two rows of this host; 0 means the option "interval".
    pub interval: f64,
    /// One value per signal in the order of [`Library::resource_signals`]. NaN is unknown, and so are those that are missing at
    /// the end.
    pub values: &'a [f64],
}

/// What became of a row; `bw_resource_outcome`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowOutcome {
    /// It counts.
    Taken,
    /// Its host has a row of the same time, or of less than half an interval before it.
    Duplicate,
    /// It is earlier than the last row of its host.
    Late,
    /// Its interval differs from that of its host.
    SetAside,
    /// The name is empty or too long, the time or the interval is out of range, or there are more values than signals.
    Refused,
    /// A limit is reached, and every tracked host still reports.
    Full,
    /// A value that only a newer library has.
    Other(u32),
}

impl From<raw::bw_resource_outcome> for RowOutcome {
    fn from(code: raw::bw_resource_outcome) -> Self {
        match code {
            raw::BW_RESOURCE_OUTCOME_TAKEN => Self::Taken,
            raw::BW_RESOURCE_OUTCOME_DUPLICATE => Self::Duplicate,
            raw::BW_RESOURCE_OUTCOME_LATE => Self::Late,
            raw::BW_RESOURCE_OUTCOME_SET_ASIDE => Self::SetAside,
            raw::BW_RESOURCE_OUTCOME_REFUSED => Self::Refused,
            raw::BW_RESOURCE_OUTCOME_FULL => Self::Full,
            other => Self::Other(other),
        }
    }
}

/// The deviation of one signal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Deviation {
    /// The index of the signal in [`Library::resource_signals`].
    pub signal: usize,
    /// Signed distance from the usual course in robust standard deviations.
    pub deviation: f64,
    /// The value, in the signal's unit.
    pub value: f64,
    /// The usual value, in the signal's unit.
    pub usual: f64,
}

/// How well a model of resources returns a window of rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reconstructed {
    /// The mean square of the scaled errors.
    pub error: f64,
    /// The index of the signal with the largest part in it, in [`Library::resource_signals`].
    pub signal: usize,
    /// It is above the threshold of the model.
    pub anomalous: bool,
}

impl Reconstructed {
    /// Without a model or a whole window, the error is NaN.
    fn of(error: f64, signal: usize, anomalous: bool) -> Option<Self> {
        let found = Self {
            error,
            signal,
            anomalous,
        };
        (!error.is_nan()).then_some(found)
    }
}

/// How unusual a row is. The p-values are the share of the host's rows of the last weeks, without the last hours, that were at
/// least as unusual; NaN where too little is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Unusual {
    /// Over everything.
    pub p_value: f64,
    /// By how far signals are from their usual course.
    pub p_change: f64,
    /// By how unlike all signals together are to any constellation of the past.
    pub p_pattern: f64,
    /// Closeness to an anomaly, 0 to 1; 0.5 or more is one.
    pub score: f64,
    /// Whether an anomaly is open.
    pub raised: bool,
    /// How well the model of the option "resource_model" returns the window that ends with the row.
    pub reconstructed: Option<Reconstructed>,
    deciding: [Deviation; 4],
    deciding_count: usize,
}

impl From<raw::bw_resource_deviation> for Deviation {
    fn from(one: raw::bw_resource_deviation) -> Self {
        Self {
            signal: one.signal,
            deviation: one.deviation,
            value: one.value,
            usual: one.usual,
        }
    }
}

impl Unusual {
    /// The signals that deviate most, the strongest first.
    pub fn deciding(&self) -> &[Deviation] {
        self.deciding
            .get(..self.deciding_count)
            .unwrap_or(&self.deciding)
    }
}

/// The status of one host after its last row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ResourceStatus<'a> {
    /// The name of the host.
    pub hypervisor: &'a str,
    /// The time of the last row, in seconds since the epoch.
    pub time: f64,
    /// Seconds between two rows.
    pub interval: f64,
    /// How unusual it is.
    pub unusual: Unusual,
    /// Whether the host is known for less than the option "provisional_sec".
    pub provisional: bool,
}

const NO_DEVIATION: raw::bw_resource_deviation = raw::bw_resource_deviation {
    signal: 0,
    deviation: 0.0,
    value: 0.0,
    usual: 0.0,
};

/// A detector of how unusual the resources of hosts are. Made by [`Library::resource`].
pub type Resource = Detector<ResourceKind>;

impl Resource {
    /// Takes one row. Events that it causes wait for [`Resource::next_event`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if the name has a NUL byte, or there are more values than signals.
    pub fn observe(&mut self, row: &Row<'_>) -> Result<(RowOutcome, Unusual), Error> {
        let observation = raw::bw_resource_observation {
            size: size_of::<raw::bw_resource_observation>(),
            hypervisor: row.hypervisor.as_ptr().cast(),
            hypervisor_len: row.hypervisor.len(),
            time: row.time,
            interval: row.interval,
            values: row.values.as_ptr(),
            values_len: row.values.len(),
        };
        let mut observed = raw::bw_resource_observed {
            size: size_of::<raw::bw_resource_observed>(),
            outcome: 0,
            raised: false,
            p_value: 0.0,
            p_change: 0.0,
            p_pattern: 0.0,
            score: 0.0,
            deciding_count: 0,
            deciding: [NO_DEVIATION; 4],
            reconstruction_error: f64::NAN,
            reconstruction_signal: 0,
            unreconstructed: false,
        };
        // SAFETY: the structs have the sizes that they say, and the name and the values the lengths.
        unsafe {
            self.0.call(|f, handle, error| {
                f.bw_resource_observe(handle, &observation, &mut observed, error)
            })
        }?;
        let unusual = Unusual {
            p_value: observed.p_value,
            p_change: observed.p_change,
            p_pattern: observed.p_pattern,
            score: observed.score,
            raised: observed.raised,
            reconstructed: Reconstructed::of(
                observed.reconstruction_error,
                observed.reconstruction_signal,
                observed.unreconstructed,
            ),
            deciding: observed.deciding.map(Deviation::from),
            deciding_count: observed.deciding_count,
        };
        Ok((observed.outcome.into(), unusual))
    }

    /// The status of every host.
    pub fn statuses(&mut self) -> impl Iterator<Item = ResourceStatus<'_>> {
        // SAFETY: the handle is ours.
        let count = unsafe { self.0.functions().bw_resource_status_count(self.0.as_ptr()) };
        let this = &*self;
        (0..count).filter_map(move |index| this.status(index))
    }

    fn status(&self, index: usize) -> Option<ResourceStatus<'_>> {
        let mut status = raw::bw_resource_status {
            size: size_of::<raw::bw_resource_status>(),
            hypervisor: raw::bw_string::NONE,
            time: 0.0,
            interval: 0.0,
            p_value: 0.0,
            p_change: 0.0,
            p_pattern: 0.0,
            score: 0.0,
            raised: false,
            provisional: false,
            deciding_count: 0,
            deciding: [NO_DEVIATION; 4],
            reconstruction_error: f64::NAN,
            reconstruction_signal: 0,
            unreconstructed: false,
        };
        // SAFETY: the struct has the size that it says, and its string lives until the handle's next change, which the borrow of
        // `self` puts off.
        unsafe {
            self.0
                .call(|f, handle, error| f.bw_resource_status_at(handle, index, &mut status, error))
                .ok()?;
            Some(ResourceStatus {
                hypervisor: text(status.hypervisor)?,
                time: status.time,
                interval: status.interval,
                unusual: Unusual {
                    p_value: status.p_value,
                    p_change: status.p_change,
                    p_pattern: status.p_pattern,
                    score: status.score,
                    raised: status.raised,
                    reconstructed: Reconstructed::of(
                        status.reconstruction_error,
                        status.reconstruction_signal,
                        status.unreconstructed,
                    ),
                    deciding: status.deciding.map(Deviation::from),
                    deciding_count: status.deciding_count,
                },
                provisional: status.provisional,
            })
        }
    }
}

impl Library {
    /// Names and units of the signals of a host, in the order of [`Row::values`].
    pub fn resource_signals(&self) -> Vec<(&'static str, &'static str)> {
        let signal = |index| {
            let mut unit = raw::bw_string::NONE;
            // SAFETY: the unit may be written to, and both texts are static; the library is not unloaded.
            unsafe {
                let name = text(self.functions().bw_resource_signal_name(index, &mut unit))?;
                Some((name, text(unit)?))
            }
        };
        (0..).map_while(signal).collect()
    }
}
