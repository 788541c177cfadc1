//! The current status of the resources of each host.

use bellwether_core::resource::Detector;

use crate::border::{Failure, Growable, Handle, fallible, growable, guard};
use crate::detector::bw_detector;
use crate::error::{bw_error, bw_result};
use crate::resource::{Resource, bw_resource_deviation, deciding, p_values, reconstruction};
use crate::string::bw_string;

/// The status of one host after its last row. Its string lives until the next `bw_resource_status_count`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bw_resource_status {
    /// Set by the caller to `sizeof(bw_resource_status)`.
    pub size: usize,
    /// The name of the host.
    pub hypervisor: bw_string,
    /// The time of the last row, in seconds since the epoch.
    pub time: f64,
    /// Seconds between two rows.
    pub interval: f64,
    /// The p-values as in `bw_resource_observed`.
    pub p_value: f64,
    /// See there.
    pub p_change: f64,
    /// See there.
    pub p_pattern: f64,
    /// Closeness to an anomaly, 0 to 1; 0.5 or more is one.
    pub score: f64,
    /// Whether an anomaly is open.
    pub raised: bool,
    /// Whether the host is known for less than the option "provisional_sec".
    pub provisional: bool,
    /// How many of `deciding` are set.
    pub deciding_count: usize,
    /// The signals that deviate most, the strongest first.
    pub deciding: [bw_resource_deviation; 4],
    /// The model's error as in `bw_resource_observed`.
    pub reconstruction_error: f64,
    /// See there.
    pub reconstruction_signal: usize,
    /// See there.
    pub unreconstructed: bool,
}

growable!(bw_resource_status, 240);

/// The statuses at the last `bw_resource_status_count`. The names are in one buffer that is reused, so that asking a large fleet
/// every interval allocates nothing.
#[derive(Default)]
pub(crate) struct ResourceStatuses {
    names: String,
    rows: Vec<Row>,
}

/// A status with the place of its name in the buffer.
struct Row {
    status: bw_resource_status,
    start: usize,
    end: usize,
}

// SAFETY: the pointers of the rows are NULL, so that nothing in them belongs to a thread.
unsafe impl Send for ResourceStatuses {}

impl ResourceStatuses {
    /// Takes the statuses as they are now: how many they are.
    fn take(&mut self, detector: &Detector) -> usize {
        self.names.clear();
        self.rows.clear();
        for status in detector.statuses() {
            let start = self.names.len();
            self.names.push_str(status.hypervisor);
            let (p_value, p_change, p_pattern) = p_values(status.p_values);
            let (deciding_count, deciding) = deciding(status.deciding);
            let (reconstruction_error, reconstruction_signal, unreconstructed) =
                reconstruction(status.reconstructed);
            self.rows.push(Row {
                status: bw_resource_status {
                    size: size_of::<bw_resource_status>(),
                    hypervisor: bw_string::NONE,
                    time: status.time.secs(),
                    interval: status.interval.secs(),
                    p_value,
                    p_change,
                    p_pattern,
                    score: status.score.get(),
                    raised: status.raised,
                    provisional: status.provisional,
                    deciding_count,
                    deciding,
                    reconstruction_error,
                    reconstruction_signal,
                    unreconstructed,
                },
                start,
                end: self.names.len(),
            });
        }
        self.rows.len()
    }

    /// The status with that index.
    fn get(&self, index: usize) -> Option<bw_resource_status> {
        let row = self.rows.get(index)?;
        Some(bw_resource_status {
            hypervisor: bw_string::of(&self.names[row.start..row.end]),
            ..row.status
        })
    }
}

/// Takes the status of every host, for `bw_resource_status_at`, and gives their number; 0 if `resource` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_resource_status_count(resource: *mut bw_detector) -> usize {
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread uses meanwhile.
        let resource = unsafe { bw_detector::exclusive(resource) }.ok()?;
        resource
            .change(|resource: &mut Resource| resource.statuses.take(&resource.detector))
            .ok()
    };
    guard(None, body).unwrap_or(0)
}

/// Gives one status of those that the last `bw_resource_status_count` took in `*status`. `BW_NOT_FOUND` if `index` is not below
/// their number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_resource_status_at(
    resource: *const bw_detector,
    index: usize,
    status: *mut bw_resource_status,
    error: *mut *mut bw_error,
) -> bw_result {
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread changes meanwhile.
        let resource: &Resource = unsafe { bw_detector::shared(resource) }?.read()?;
        let found = resource.statuses.get(index).ok_or_else(|| {
            let count = resource.statuses.rows.len();
            Failure::not_found(format!(
                "there is no status {index}; the last bw_resource_status_count found {count}, counted from 0"
            ))
        })?;
        // SAFETY: the caller passes NULL or a struct of the size that it gives.
        unsafe { found.write(status) }
    };
    // SAFETY: the caller passes NULL or a place for an error.
    unsafe { fallible(error, body) }
}
