//! Where a detector stands: counters and statuses.

use std::ffi::c_char;
use std::ptr;

use bellwether_core::had::{Counters, Detector};

use crate::border::WithSize;

/// How many observations came to what since the detector was made, and what there is now.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bw_counters {
    /// Set by the caller to `sizeof(bw_counters)`.
    pub size: usize,
    /// Observations that were `BW_OUTCOME_TAKEN`.
    pub taken: u64,
    /// Observations that were `BW_OUTCOME_DUPLICATE`.
    pub duplicate: u64,
    /// Observations that were `BW_OUTCOME_LATE`.
    pub late: u64,
    /// Observations that were `BW_OUTCOME_IGNORED`.
    pub ignored: u64,
    /// Observations that were `BW_OUTCOME_MASKED`.
    pub masked: u64,
    /// Observations that were `BW_OUTCOME_REFUSED`.
    pub refused: u64,
    /// Observations that were `BW_OUTCOME_FULL`.
    pub full: u64,
    /// Events that were lost because nobody fetched them in time.
    pub events_lost: u64,
    /// Hypervisors that there is state of.
    pub hypervisors: u64,
    /// VMs that there is state of, over all hypervisors and metrics.
    pub vms: u64,
}

// SAFETY: it is `repr(C)` and begins with a `usize`.
unsafe impl WithSize for bw_counters {
    const NAME: &'static str = "bw_counters";
    const SIZE_AT_FIRST: usize = size_of::<Self>();
}

impl From<Counters> for bw_counters {
    fn from(counters: Counters) -> Self {
        Self {
            size: size_of::<Self>(),
            taken: counters.taken,
            duplicate: counters.duplicate,
            late: counters.late,
            ignored: counters.ignored,
            masked: counters.masked,
            refused: counters.refused,
            full: counters.full,
            events_lost: counters.events_lost,
            hypervisors: counters.hypervisors,
            vms: counters.vms,
        }
    }
}

/// Where one metric of one hypervisor stands. The strings are in UTF-8 and NUL-terminated; they belong to the detector and
/// live until the next `bw_had_status_count` or `bw_had_free`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bw_status {
    /// Set by the caller to `sizeof(bw_status)`.
    pub size: usize,
    /// The hypervisor's name.
    pub hypervisor: *const c_char,
    /// The bytes of `hypervisor` without the NUL.
    pub hypervisor_len: usize,
    /// The metric's name.
    pub metric: *const c_char,
    /// The bytes of `metric` without the NUL.
    pub metric_len: usize,
    /// Time of the last interval judged, in seconds since the epoch.
    pub time: f64,
    /// How near to an alarm, 0 to 1; an alarm is 0.5 or more.
    pub score: f64,
    /// Share of the VMs that had a say and changed the same way, 0 to 1.
    pub consensus: f64,
    /// How many VMs had a say.
    pub voters: u32,
    /// How many VMs are known.
    pub vms: u32,
    /// Whether an incident is open.
    pub raised: bool,
}

// SAFETY: it is `repr(C)` and begins with a `usize`.
unsafe impl WithSize for bw_status {
    const NAME: &'static str = "bw_status";
    const SIZE_AT_FIRST: usize = size_of::<Self>();
}

/// The statuses as `bw_had_status_count` last saw them. The names are in one piece of memory that is used again, so that a
/// large fleet asked every interval costs no allocation.
#[derive(Default)]
pub(crate) struct Stock {
    names: Vec<u8>,
    /// Each with the places of its two names in `names`; its pointers are NULL until it is read.
    rows: Vec<(bw_status, [usize; 2])>,
}

impl Stock {
    /// Takes stock of where everything stands now, and says how many statuses these are.
    pub(crate) fn take(&mut self, detector: &Detector) -> usize {
        self.names.clear();
        self.rows.clear();
        for status in detector.statuses() {
            let places = [status.hypervisor, status.metric].map(|name| {
                let start = self.names.len();
                self.names.extend_from_slice(name.as_bytes());
                self.names.push(0);
                start
            });
            let row = bw_status {
                size: size_of::<bw_status>(),
                hypervisor: ptr::null(),
                hypervisor_len: status.hypervisor.len(),
                metric: ptr::null(),
                metric_len: status.metric.len(),
                time: status.time,
                score: status.score,
                consensus: status.consensus,
                voters: status.voters,
                vms: status.vms,
                raised: status.raised,
            };
            self.rows.push((row, places));
        }
        self.rows.len()
    }

    /// How many statuses there were.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The status with this index, whose strings live until stock is taken again.
    pub(crate) fn get(&self, index: usize) -> Option<bw_status> {
        let (mut status, places) = *self.rows.get(index)?;
        [status.hypervisor, status.metric] =
            places.map(|start| self.names[start..].as_ptr().cast());
        Some(status)
    }
}
