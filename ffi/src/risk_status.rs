//! The current risk of each host.

use bellwether_core::risk::{Detector, Source};

use crate::border::{Failure, Growable, Handle, fallible, growable, guard};
use crate::detector::bw_detector;
use crate::error::{bw_error, bw_result};
use crate::risk::Risk;
use crate::string::bw_string;

/// Number of sources in a status.
const SOURCES: usize = 4;
const _: () = assert!(SOURCES == Source::ALL.len());

/// The risk of one host. Its string lives until the next `bw_risk_status_count`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bw_risk_status {
    /// Set by the caller to `sizeof(bw_risk_status)`.
    pub size: usize,
    /// The name of the hypervisor.
    pub hypervisor: bw_string,
    /// The newest time of its reports, or of the clock, in seconds since the epoch.
    pub time: f64,
    /// The probability that its guests fail within 10 minutes, 0 to 0.9.
    pub risk_10min: f64,
    /// The same within 30 minutes.
    pub risk_30min: f64,
    /// What each source contributes for 10 minutes, by `bw_risk_source`: its log-likelihood ratio in nats; 0 if it is unknown.
    pub evidence: [f64; 4],
    /// The state of each source, from 0, the quiet one, upward; negative if it is unknown.
    pub state: [i32; 4],
    /// Whether `failure_risk` is raised.
    pub raised: bool,
    /// Whether the values are probabilities of this site; if not, they are evidence scores.
    pub calibrated: bool,
}

growable!(bw_risk_status, 104);

/// The statuses at the last `bw_risk_status_count`, with their names in one buffer that is reused.
#[derive(Default)]
pub(crate) struct Statuses {
    names: String,
    rows: Vec<(bw_risk_status, usize, usize)>,
}

// SAFETY: the pointers of the rows are NULL, so that nothing in them belongs to a thread.
unsafe impl Send for Statuses {}

impl Statuses {
    /// Takes the statuses as they are now: how many they are.
    fn take(&mut self, detector: &Detector) -> usize {
        self.names.clear();
        self.rows.clear();
        for status in detector.statuses() {
            let start = self.names.len();
            self.names.push_str(status.hypervisor);
            let row = bw_risk_status {
                size: size_of::<bw_risk_status>(),
                hypervisor: bw_string::NONE,
                time: status.time.secs(),
                risk_10min: status.risk_10min.get(),
                risk_30min: status.risk_30min.get(),
                evidence: status.sources.map(|source| source.evidence[0]),
                state: status
                    .sources
                    .map(|source| source.state.level().map_or(-1, |level| level as i32)),
                raised: status.raised,
                calibrated: status.calibrated,
            };
            self.rows.push((row, start, self.names.len()));
        }
        self.rows.len()
    }

    /// The status with that index.
    fn get(&self, index: usize) -> Option<bw_risk_status> {
        let &(row, start, end) = self.rows.get(index)?;
        Some(bw_risk_status {
            hypervisor: bw_string::of(&self.names[start..end]),
            ..row
        })
    }
}

/// Takes the risk of every host, for `bw_risk_status_at`, and gives their number; 0 if `risk` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_risk_status_count(risk: *mut bw_detector) -> usize {
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread uses meanwhile.
        let risk = unsafe { bw_detector::exclusive(risk) }.ok()?;
        risk.change(|risk: &mut Risk| risk.statuses.take(&risk.detector))
            .ok()
    };
    guard(None, body).unwrap_or(0)
}

/// Gives one status of those that the last `bw_risk_status_count` took in `*status`, in no particular order. `BW_NOT_FOUND` if
/// `index` is not below their number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_risk_status_at(
    risk: *const bw_detector,
    index: usize,
    status: *mut bw_risk_status,
    error: *mut *mut bw_error,
) -> bw_result {
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread changes meanwhile.
        let risk: &Risk = unsafe { bw_detector::shared(risk) }?.read()?;
        let found = risk.statuses.get(index).ok_or_else(|| {
            let count = risk.statuses.rows.len();
            Failure::not_found(format!(
                "there is no status {index}; the last bw_risk_status_count found {count}, counted from 0"
            ))
        })?;
        // SAFETY: the caller passes NULL or a struct of the size that it gives.
        unsafe { found.write(status) }
    };
    // SAFETY: the caller passes NULL or a place for an error.
    unsafe { fallible(error, body) }
}
