//! The memory budget of the detector.
//!
//! Of the option `max_memory_mib`, the hypervisors may take [`STATE_SHARE`]; the rest is for pending events and for a snapshot
//! while it is taken, which is never larger than the state. At the limit, a new hypervisor replaces one that no longer reports.
//! As soon as time passes, such hypervisors are also evicted for new VMs.

use super::detector::{Detector, NAME_MAX_BYTES};
use super::fleet::HOST_BYTES;
use super::hypervisor::Hypervisor;
use super::observation::Sample;
use super::options::HadOptions;
use super::presence::Presence;
use super::report::{self, Removal};
use super::series::Series;
use crate::memory::{allocation, table, vec};

/// The share of the memory for the hypervisors.
const STATE_SHARE: f64 = 7.0 / 16.0;
/// The share of the memory for the incidents that a fleet's hypervisors have in common; a snapshot has them, too.
const FLEET_SHARE: f64 = 1.0 / 32.0;
/// The share of the memory for pending events.
const EVENTS_SHARE: f64 = 1.0 / 16.0;
/// Eviction begins at this share of the limit and continues down to the next one.
const HIGH_WATERMARK: f64 = 15.0 / 16.0;
const LOW_WATERMARK: f64 = 14.0 / 16.0;

fn share_of(options: &HadOptions, share: f64) -> usize {
    ((options.max_memory_mib << 20) as f64 * share) as usize
}

/// Maximum memory of pending events in bytes.
pub(super) fn events_limit(options: &HadOptions) -> usize {
    share_of(options, EVENTS_SHARE)
}

/// Maximum memory of incidents of a fleet that are not reported, in bytes.
pub(super) fn fleet_limit(options: &HadOptions) -> usize {
    share_of(options, FLEET_SHARE)
}

/// Memory of a hypervisor with one VM in bytes.
pub(super) fn new_hypervisor_bytes(options: &HadOptions) -> usize {
    let longest = "x".repeat(NAME_MAX_BYTES);
    let first = Sample {
        hypervisor: &longest,
        vm: &longest,
        time: 0.0,
        interval: options.interval,
        value: 0.0,
    };
    let mut series = Series::new(options, 0, &first, first.interval);
    series.slot_or_new(&longest);
    let mut hypervisor = Hypervisor::new(&longest);
    hypervisor.series.push(series);
    hypervisor.measured() + size_of::<Hypervisor>() + size_of::<Presence>() + HOST_BYTES
}

impl Hypervisor {
    /// Memory outside of itself in bytes.
    fn measured(&self) -> usize {
        // The name is also in the index.
        2 * allocation(self.name.len())
            + self.maintenance.bytes()
            + vec(&self.series)
            + vec(&self.reported)
            + self.series.iter().map(Series::bytes).sum::<usize>()
    }
}

impl Detector {
    /// Maximum memory of the hypervisors in bytes.
    pub(super) fn state_limit(&self) -> usize {
        share_of(&self.options, STATE_SHARE)
    }

    /// Memory of the hypervisors in bytes.
    pub(super) fn state_bytes(&self) -> usize {
        self.hypervisor_bytes
            + self.masks.bytes()
            + vec(&self.hypervisors)
            + vec(&self.presences.all)
            + self.fleet.hosts.bytes()
            + table(self.index.capacity(), size_of::<(Box<str>, u32)>())
    }

    /// Memory of the state in bytes.
    pub fn bytes(&self) -> usize {
        self.state_bytes() + self.fleet.bytes() + self.pending.bytes()
    }

    /// Whether the memory limit leaves no place for another hypervisor or VM.
    pub(super) fn is_full(&self) -> bool {
        self.state_bytes() + self.new_hypervisor_bytes > self.state_limit()
    }

    /// Measures the hypervisor at `at` after its VMs have changed.
    pub(super) fn measure(&mut self, at: usize) {
        let hypervisor = &mut self.hypervisors[at];
        let before = std::mem::replace(&mut hypervisor.bytes, 0);
        hypervisor.bytes = hypervisor.measured();
        self.hypervisor_bytes = self.hypervisor_bytes - before + hypervisor.bytes;
    }

    /// Measures all hypervisors.
    pub(super) fn measure_all(&mut self) {
        for hypervisor in &mut self.hypervisors {
            hypervisor.bytes = hypervisor.measured();
        }
        self.hypervisor_bytes = self.hypervisors.iter().map(|h| h.bytes).sum();
    }

    /// If memory is short, evicts hypervisors that no longer report, those that have been silent longest first.
    pub(super) fn evict_for_memory(&mut self, time: f64) {
        let limit = self.state_limit() as f64;
        let bytes = self.state_bytes() + self.new_hypervisor_bytes;
        if (bytes as f64) < HIGH_WATERMARK * limit {
            return;
        }
        let mut over = bytes.saturating_sub((LOW_WATERMARK * limit) as usize);
        let mut silent: Vec<(f64, usize)> = self
            .presences
            .candidates(self.options.forget_sec)
            .map(|candidate| (candidate.silent, candidate.at))
            .collect();
        silent.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let mut is_kept = vec![true; self.hypervisors.len()];
        for (_, at) in silent {
            if over == 0 {
                break;
            }
            over = over.saturating_sub(self.hypervisors[at].bytes);
            is_kept[at] = false;
            let hypervisor = &self.hypervisors[at];
            let ended = report::removed(
                &hypervisor.name,
                &self.options,
                hypervisor,
                time,
                Removal::OutOfMemory,
            );
            let ended = self.fleet.pass(ended, self.options.interval);
            self.pending.push(ended);
            self.counters.hypervisors_evicted += 1;
        }
        self.retain(&is_kept, time);
    }

    /// Keeps the hypervisors for which `is_kept` is true at their index.
    pub(super) fn retain(&mut self, is_kept: &[bool], time: f64) {
        if is_kept.iter().all(|is_kept| *is_kept) {
            return;
        }
        let all = self.hypervisors.iter().zip(is_kept);
        for (hypervisor, _) in all.filter(|(_, is_kept)| !**is_kept) {
            self.fleet.forget(&hypervisor.name);
        }
        let mut kept = is_kept.iter();
        self.hypervisors
            .retain(|_| *kept.next().expect("there is one for each"));
        self.fleet.hosts.retain(is_kept);
        let over = self.presences.retain(is_kept, time);
        self.pending.push(over);
        self.eviction.reset();
        self.guess = 0;
        self.reindex();
        self.measure_all();
    }
}
