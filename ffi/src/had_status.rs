//! The current status of each hypervisor and metric.

use bellwether_core::had::Detector;

use crate::border::{Failure, Growable, Handle, fallible, growable, guard};
use crate::detector::bw_detector;
use crate::error::{bw_error, bw_result};
use crate::had::Had;
use crate::string::bw_string;

/// The status of one metric of one hypervisor. If its VMs have several intervals, that of the VMs with an open incident, or else
/// of the interval that most VMs have. Its strings live until the next `bw_had_status_count`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bw_had_status {
    /// Set by the caller to `sizeof(bw_had_status)`.
    pub size: usize,
    /// The name of the hypervisor.
    pub hypervisor: bw_string,
    /// The name of the metric.
    pub metric: bw_string,
    /// The time of the last interval evaluated, in seconds since the epoch.
    pub time: f64,
    /// Seconds between two intervals.
    pub interval: f64,
    /// The anomaly score, 0 to 1; an alarm is 0.5 or more.
    pub score: f64,
    /// The share of the voters that changed the same way, 0 to 1.
    pub consensus: f64,
    /// How many VMs voted.
    pub voters: u32,
    /// How many VMs are tracked, whatever their interval.
    pub vms: u32,
    /// Whether an incident is open.
    pub raised: bool,
    /// Whether the last interval evaluated was in maintenance, see `bw_had_mask_hypervisor`.
    pub masked: bool,
    /// When the open incident of the hypervisor was raised, the oldest that this metric is part of, in seconds since the epoch;
    /// NaN if none is. Since version 7 of the interface, as the next.
    pub since: f64,
    /// Whether that was before a day of its VMs was known (option "provisional_sec").
    pub provisional: bool,
}

growable!(bw_had_status, 88);

/// The statuses at the last `bw_had_status_count`. The names are in one buffer that is reused, so that asking a large fleet every
/// interval allocates nothing.
#[derive(Default)]
pub(crate) struct Statuses {
    names: String,
    rows: Vec<Row>,
}

/// A status with the ends of its two names in the buffer.
struct Row {
    status: bw_had_status,
    start: usize,
    middle: usize,
    end: usize,
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
            let middle = self.names.len();
            self.names.push_str(status.metric);
            self.rows.push(Row {
                status: bw_had_status {
                    size: size_of::<bw_had_status>(),
                    hypervisor: bw_string::NONE,
                    metric: bw_string::NONE,
                    time: status.time.secs(),
                    interval: status.interval.secs(),
                    score: status.score.get(),
                    consensus: status.consensus.get(),
                    voters: status.voters,
                    vms: status.vms,
                    raised: status.raised,
                    masked: status.masked,
                    since: status.since.map_or(f64::NAN, |since| since.secs()),
                    provisional: status.provisional,
                },
                start,
                middle,
                end: self.names.len(),
            });
        }
        self.rows.len()
    }

    /// The status with that index.
    fn get(&self, index: usize) -> Option<bw_had_status> {
        let row = self.rows.get(index)?;
        Some(bw_had_status {
            hypervisor: bw_string::of(&self.names[row.start..row.middle]),
            metric: bw_string::of(&self.names[row.middle..row.end]),
            ..row.status
        })
    }
}

/// Takes the status of every metric of every hypervisor, for `bw_had_status_at`, and gives their number; 0 if `had` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_had_status_count(had: *mut bw_detector) -> usize {
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread uses meanwhile.
        let had = unsafe { bw_detector::exclusive(had) }.ok()?;
        had.change(|had: &mut Had| had.statuses.take(&had.detector))
            .ok()
    };
    guard(None, body).unwrap_or(0)
}

/// Gives one status of those that the last `bw_had_status_count` took in `*status`, in the order in which hypervisors were first
/// seen. `BW_NOT_FOUND` if `index` is not below their number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_had_status_at(
    had: *const bw_detector,
    index: usize,
    status: *mut bw_had_status,
    error: *mut *mut bw_error,
) -> bw_result {
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread changes meanwhile.
        let had: &Had = unsafe { bw_detector::shared(had) }?.read()?;
        let found = had.statuses.get(index).ok_or_else(|| {
            let count = had.statuses.rows.len();
            Failure::not_found(format!(
                "there is no status {index}; the last bw_had_status_count found {count}, counted from 0"
            ))
        })?;
        // SAFETY: the caller passes NULL or a struct of the size that it gives.
        unsafe { found.write(status) }
    };
    // SAFETY: the caller passes NULL or a place for an error.
    unsafe { fallible(error, body) }
}
