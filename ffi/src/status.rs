//! Where a detector stands: counters and statuses.

use std::ptr;

use bellwether_core::had::{Counters, Detector};

use crate::border::with_size;
use crate::layout::{bw_counters, bw_status};

with_size!(bw_counters, grown from hypervisors_evicted);

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
            hypervisors_evicted: counters.hypervisors_evicted,
            vms_evicted: counters.vms_evicted,
            set_aside: counters.set_aside,
            intervals_changed: counters.intervals_changed,
            clock_steps: counters.clock_steps,
            unjudged: counters.unjudged,
        }
    }
}

with_size!(bw_status, 80);

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
                time: status.time.secs(),
                score: status.score.get(),
                consensus: status.consensus.get(),
                voters: status.voters,
                vms: status.vms,
                raised: status.raised,
                interval: status.interval.secs(),
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
