//! The memory of the detector.
//!
//! Of the option `max_memory_mib`, the hypervisors may take [`STATE_SHARE`]; the rest is for events that wait and for a snapshot
//! while it is taken, which is never larger than the state. At the limit, a new hypervisor takes the place of one that no longer
//! reports, and so does, as soon as time passes, what a new VM needs.

use super::hypervisor::Hypervisor;
use super::observation::Sample;
use super::options::HadOptions;
use super::panel::Panel;
use super::presence::Presence;
use super::tell::{self, Gone};
use super::{Detector, NAME_MAX_BYTES};
use crate::memory::{allocation, table, vec};

/// The share of the memory that the hypervisors may take.
const STATE_SHARE: f64 = 7.0 / 16.0;
/// The share of the memory that events may take that wait.
const EVENTS_SHARE: f64 = 1.0 / 16.0;
/// Room is made from this share of the limit on, down to the next one.
const TIGHT_SHARE: f64 = 15.0 / 16.0;
const EASED_SHARE: f64 = 14.0 / 16.0;

fn share_of(options: &HadOptions, share: f64) -> usize {
    ((options.max_memory_mib << 20) as f64 * share) as usize
}

/// How much memory waiting events may take, in bytes.
pub(super) fn events_limit(options: &HadOptions) -> usize {
    share_of(options, EVENTS_SHARE)
}

/// How much memory a hypervisor with one VM takes, in bytes.
pub(super) fn newcomer_bytes(options: &HadOptions) -> usize {
    let longest = "x".repeat(NAME_MAX_BYTES);
    let first = Sample {
        hypervisor: &longest,
        vm: &longest,
        time: 0.0,
        interval: options.interval,
        value: 0.0,
    };
    let mut panel = Panel::new(options, 0, &first, first.interval);
    panel.slot_or_new(&longest);
    let mut hypervisor = Hypervisor::new(&longest);
    hypervisor.panels.push(panel);
    hypervisor.measured() + size_of::<Hypervisor>() + size_of::<Presence>()
}

impl Hypervisor {
    /// How much memory it takes outside of itself, in bytes.
    fn measured(&self) -> usize {
        // The name is in the index, too.
        2 * allocation(self.name.len())
            + vec(&self.panels)
            + self.panels.iter().map(Panel::bytes).sum::<usize>()
    }
}

impl Detector {
    /// How much memory the hypervisors may take, in bytes.
    pub(super) fn limit(&self) -> usize {
        share_of(&self.options, STATE_SHARE)
    }

    /// How much memory the hypervisors take, in bytes.
    pub(super) fn held(&self) -> usize {
        self.hypervisor_bytes
            + vec(&self.hypervisors)
            + vec(&self.presences.all)
            + table(self.index.capacity(), size_of::<(Box<str>, u32)>())
    }

    /// How much memory its state takes, in bytes.
    pub fn bytes(&self) -> usize {
        self.held() + self.waiting.bytes()
    }

    /// Whether there is no memory for one more hypervisor or VM.
    pub(super) fn is_full(&self) -> bool {
        self.held() + self.newcomer_bytes > self.limit()
    }

    /// Measures the hypervisor at `at` again, whose VMs have changed.
    pub(super) fn measure(&mut self, at: usize) {
        let hypervisor = &mut self.hypervisors[at];
        let before = std::mem::replace(&mut hypervisor.bytes, 0);
        hypervisor.bytes = hypervisor.measured();
        self.hypervisor_bytes = self.hypervisor_bytes - before + hypervisor.bytes;
    }

    /// Measures all hypervisors again.
    pub(super) fn measure_all(&mut self) {
        for hypervisor in &mut self.hypervisors {
            hypervisor.bytes = hypervisor.measured();
        }
        self.hypervisor_bytes = self.hypervisors.iter().map(|h| h.bytes).sum();
    }

    /// Evicts hypervisors that no longer report, those that have been silent longest first, where memory runs short.
    pub(super) fn ease_memory(&mut self, time: f64) {
        let limit = self.limit() as f64;
        let held = self.held() + self.newcomer_bytes;
        if (held as f64) < TIGHT_SHARE * limit {
            return;
        }
        let mut over = held.saturating_sub((EASED_SHARE * limit) as usize);
        let mut silent: Vec<(f64, usize)> = self
            .presences
            .candidates(self.options.forget_sec)
            .map(|candidate| (candidate.silent, candidate.at))
            .collect();
        silent.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let mut stay = vec![true; self.hypervisors.len()];
        for (_, at) in silent {
            if over == 0 {
                break;
            }
            over = over.saturating_sub(self.hypervisors[at].bytes);
            stay[at] = false;
            let hypervisor = &self.hypervisors[at];
            let ended = tell::gone(
                &hypervisor.name,
                &self.options,
                hypervisor,
                time,
                Gone::OutOfMemory,
            );
            self.waiting.push(ended);
            self.counters.hypervisors_evicted += 1;
        }
        self.keep(&stay, time);
    }

    /// Keeps the hypervisors that `stay` has at their index.
    pub(super) fn keep(&mut self, stay: &[bool], time: f64) {
        if stay.iter().all(|stay| *stay) {
            return;
        }
        let mut stays = stay.iter();
        self.hypervisors
            .retain(|_| *stays.next().expect("there is one for each"));
        let over = self.presences.retain(stay, time);
        self.waiting.push(over);
        self.eviction.restart();
        self.guess = 0;
        self.reindex();
        self.measure_all();
    }
}
