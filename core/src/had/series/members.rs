//! The members of a series: its VMs and their slots.

use serde::{Deserialize, Serialize};

use super::Series;
use super::misaligned::{Held, NOT_HELD};
use super::ticks::{RECENT_TICKS, TICKS_MAX};
use crate::eviction::{Candidate, patience};
use crate::had::options::HadOptions;
use crate::memory::allocation;

/// A slot of a series, with the VM in it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Member {
    /// The VM's name; `None` if the slot is free.
    pub name: Option<Box<str>>,
    /// The newest tick for which the VM gave a sample, in time or late.
    pub(super) seen: i64,
    /// The next tick to be evaluated waits for it.
    pub(super) expected: bool,
    /// Its samples do not count.
    pub(super) masked: bool,
    /// It has changed alone.
    pub alone: bool,
    /// Since when, seconds. Saved separately.
    #[serde(skip)]
    pub alone_since: f64,
    /// Ticks with a sample; for a restored one only whether it is established.
    #[serde(skip)]
    pub(super) ticks: u32,
}

/// Memory of the name of a VM in bytes: it is in its slot and in the table of slots.
pub(super) fn name_bytes(name: &str) -> usize {
    2 * allocation(name.len())
}

impl Member {
    /// Whether its VM has been silent for so long, at the tick `next`, that it may be evicted.
    fn is_silent(&self, next: i64, forget_ticks: f64) -> bool {
        self.name.is_some()
            && (next - self.seen) as f64 > 1.0 + patience(self.ticks, 1.0, forget_ticks)
    }
}

/// What moves with a VM to another series.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Transfer {
    /// Whether it is masked.
    pub masked: bool,
    /// The samples that were held.
    pub held: Held,
}

impl Series {
    /// The slot of the VM `name`, which is added if it is new; the caller has checked the limits.
    pub(crate) fn slot_or_new(&mut self, name: &str) -> usize {
        if let Some(slot) = self.slot(name) {
            return slot;
        }
        let slot = match self.members.iter().position(|member| member.name.is_none()) {
            Some(free) => {
                self.method.get_mut().reset(free);
                free
            }
            None => {
                self.members.push(Member::default());
                let slots = self.members.len();
                self.method.get_mut().resize(slots);
                self.rows
                    .iter_mut()
                    .for_each(|row| row.values.resize(slots, f64::NAN));
                slots - 1
            }
        };
        self.members[slot] = Member {
            name: Some(name.into()),
            seen: self.next - 2,
            ..Member::default()
        };
        self.slots.insert(name.into(), slot as u32);
        self.name_bytes += name_bytes(name);
        slot
    }

    /// Evicts a VM that no longer reports in favor of the VM `name`; returns whether there was one.
    #[cold]
    pub(crate) fn evict_silent(&mut self, name: &str, options: &HadOptions) -> bool {
        let (members, next) = (&self.members, self.next);
        let forget = options.forget_sec / self.interval;
        let candidates = || {
            let slots = members.iter().enumerate();
            slots
                .filter(|(_, member)| member.is_silent(next, forget))
                .map(|(at, member)| Candidate {
                    at,
                    intervals: member.ticks,
                    silent: (next - member.seen) as f64,
                })
        };
        let is_silent = |slot: usize| members[slot].is_silent(next, forget);
        let found = self
            .eviction
            .slot_for(name, next as f64, 1.0, candidates, is_silent);
        if let Some(slot) = found {
            self.vacate(slot);
        }
        found.is_some()
    }

    /// Removes the VM in `slot`, which moves to another series.
    pub(crate) fn leave(&mut self, slot: usize) -> Transfer {
        let masked = self.members[slot].masked;
        let held = self.runs.get(slot).copied().flatten();
        let none = NOT_HELD;
        self.vacate(slot);
        self.moved += 1;
        Transfer {
            masked,
            held: held.map_or(none, |run| run.held),
        }
    }

    /// Most VMs have moved to another interval: forgets what was learned about them together, and removes VMs that no longer
    /// report at the old interval.
    pub(crate) fn reset_after_move(&mut self) {
        self.moved = 0;
        self.incidents.end();
        for slot in 0..self.members.len() {
            let is_gone = self.members[slot].seen < self.next - RECENT_TICKS
                || self.runs.get(slot).is_some_and(Option::is_some);
            if is_gone && self.members[slot].name.is_some() {
                self.vacate(slot);
            }
        }
    }

    /// Masks or unmasks the VM `name`. An unknown one is added, so that its first samples do not count.
    pub(crate) fn mask(&mut self, name: &str, masked: bool, options: &HadOptions) {
        let slot = if masked {
            Some(self.slot_or_new(name))
        } else {
            self.slot(name)
        };
        if let Some(slot) = slot {
            // Ticks are evaluated some time after they end, so those from when all were masked may still come; and a resumed VM
            // takes a while to report.
            if !masked && self.members[slot].masked && self.unmasked() == 0 {
                self.excused = options.silence_sz as u64;
            }
            self.members[slot].masked = masked;
            if masked {
                self.rows
                    .iter_mut()
                    .for_each(|row| row.values[slot] = f64::NAN);
            }
        }
    }

    /// Number of VMs whose silence counts.
    pub(crate) fn unmasked(&self) -> usize {
        self.members
            .iter()
            .filter(|member| member.name.is_some() && !member.masked)
            .count()
    }

    /// Forgets VMs without a sample for `forget_sec` seconds; returns how many are left.
    pub(crate) fn forget_silent(&mut self, forget_sec: f64) -> usize {
        let oldest = self.next - (forget_sec / self.interval).ceil().min(TICKS_MAX as f64) as i64;
        for slot in 0..self.members.len() {
            let member = &self.members[slot];
            if member.seen < oldest && member.name.is_some() {
                self.vacate(slot);
            }
        }
        self.slots.len()
    }

    /// Removes the VM in `slot`.
    pub(super) fn vacate(&mut self, slot: usize) {
        self.realign(slot);
        let member = &mut self.members[slot];
        let Some(name) = member.name.take() else {
            return;
        };
        self.name_bytes -= name_bytes(&name);
        if member.expected {
            self.expected -= 1;
            if !self.rows[0].values[slot].is_nan() {
                self.rows[0].reported = self.rows[0].reported.saturating_sub(1);
            }
        }
        (member.expected, member.masked, member.alone) = (false, false, false);
        for row in &mut self.rows {
            row.values[slot] = f64::NAN;
        }
        self.slots.remove(&name);
        self.method.get_mut().reset(slot);
        self.last.voters = self.last.voters.min(self.slots.len() as u32);
        self.incidents.forget(slot);
    }

    /// Whether a VM has a vote on the time: if several are waited for, only those.
    pub(super) fn votes(&self, member: &Member) -> bool {
        member.name.is_some() && !member.masked && (member.expected || self.expected < 2)
    }
}
