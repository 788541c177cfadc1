//! Many samples in one call.

use bellwether_core::had::Observation;
use bellwether_core::units::Time;

use crate::batch::{Buffer, Output, array, optional_array};
use crate::border::{Handle, Input, fallible, growable};
use crate::detector::bw_detector;
use crate::error::{bw_error, bw_result};
use crate::had::{Had, bw_had_outcome, interval};
use crate::string::{bw_span, bw_string};

/// Many samples, in flat arrays of `count` elements: for callers to whom a call is expensive. The names are parts of one text and
/// may share it.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bw_had_batch {
    /// Set by the caller to `sizeof(bw_had_batch)`.
    pub size: usize,
    /// How many samples there are.
    pub count: usize,
    /// The text that has all names.
    pub text: bw_string,
    /// Where the names of the hypervisors are in `text`.
    pub hypervisors: *const bw_span,
    /// Where the names of the VMs are.
    pub vms: *const bw_span,
    /// Where the names of the metrics are.
    pub metrics: *const bw_span,
    /// The times, in seconds since the epoch.
    pub times: *const f64,
    /// Seconds between two samples of the VM; NULL means the option "interval" for all.
    pub intervals: *const f64,
    /// The values.
    pub values: *const f64,
    /// Filled with what became of each sample; may be NULL.
    pub outcomes: *mut bw_had_outcome,
}

growable!(bw_had_batch, 88);

// SAFETY: any bytes are sizes and pointers.
unsafe impl Input for bw_had_batch {}

/// Takes many samples in their order, each as `bw_had_observe` does. One that is no observation (`BW_HAD_OUTCOME_INVALID`) does
/// not keep the others from being taken. `*processed`, which may be NULL, is how many were observations; it is set on failure
/// too. Fetch the events after each batch.
///
/// `BW_INVALID_ARGUMENT` if an array that must not be is NULL or one is not aligned; nothing is then taken.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_had_observe_many(
    had: *mut bw_detector,
    batch: *const bw_had_batch,
    processed: *mut usize,
    error: *mut *mut bw_error,
) -> bw_result {
    let mut done = 0;
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread uses meanwhile.
        let had = unsafe { bw_detector::exclusive(had) }?;
        // SAFETY: the caller passes NULL or a struct of the size that it gives.
        let b = unsafe { bw_had_batch::read(batch) }?;
        // SAFETY: the caller passes arrays that are NULL or have `count` elements, and a text with as many bytes as it says;
        // nobody else writes to them or uses the outcomes meanwhile.
        let (text, hypervisors, vms, metrics, times, intervals, values, mut outcomes) = unsafe {
            (
                Buffer::new(b.text, "bw_had_batch.text")?,
                array(b.hypervisors, b.count, "bw_had_batch.hypervisors")?,
                array(b.vms, b.count, "bw_had_batch.vms")?,
                array(b.metrics, b.count, "bw_had_batch.metrics")?,
                array(b.times, b.count, "bw_had_batch.times")?,
                optional_array(b.intervals, b.count, "bw_had_batch.intervals")?,
                array(b.values, b.count, "bw_had_batch.values")?,
                Output::new(b.outcomes, b.count, "bw_had_batch.outcomes")?,
            )
        };
        let observation = |i: usize| {
            Some(Observation {
                hypervisor: text.name(hypervisors[i])?,
                vm: text.name(vms[i])?,
                metric: text.name(metrics[i])?,
                time: Time::from_secs(times[i]),
                interval: intervals.and_then(|intervals| interval(intervals[i])),
                value: values[i],
            })
        };
        had.change(|had: &mut Had| {
            for i in 0..b.count {
                let Some(observation) = observation(i) else {
                    outcomes.set(i, bw_had_outcome::BW_HAD_OUTCOME_INVALID);
                    continue;
                };
                outcomes.set(i, had.detector.observe(&observation).into());
                done += 1;
            }
        })
    };
    // SAFETY: the caller passes NULL or a place for an error.
    let result = unsafe { fallible(error, body) };
    if !processed.is_null() {
        // SAFETY: it is not NULL, so the caller lets us write to it.
        unsafe { processed.write(done) };
    }
    result
}
