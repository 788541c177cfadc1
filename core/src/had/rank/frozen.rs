//! Frozen VMs: they used to change, and now all repeat one value for longer than ever before.

use serde::{Deserialize, Serialize};

use crate::event::Direction;
use crate::had::method::Alarm;
use crate::had::quorum::votes_needed;

/// Share of the VMs that must be frozen.
const QUORUM: f64 = 0.7;
/// The score of frozen VMs: chance is ruled out, but a stalled source of metrics looks the same.
pub(super) const SCORE: f64 = 0.9;

/// The alarm of frozen VMs.
pub(super) const ALARM: Alarm = Alarm::certain("frozen", Direction::Frozen);

/// Whether `frozen` of the `there` VMs with a value are enough for an alarm.
pub(super) fn is_quorum(there: usize, frozen: usize) -> bool {
    there >= 2 && frozen >= votes_needed(there, QUORUM)
}

/// How often a VM repeats its value.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Repeats {
    /// Number of consecutive repetitions of the last value.
    now: u16,
    /// The longest earlier run.
    longest: u16,
    /// Number of times that the value changed.
    moves: u16,
}

impl Repeats {
    /// Takes whether a sample repeats the value before it.
    pub(super) fn pass(&mut self, repeats: bool) {
        if repeats {
            self.now = self.now.saturating_add(1);
        } else {
            self.longest = self.longest.max(self.now);
            self.moves = self.moves.saturating_add(1);
            self.now = 0;
        }
    }

    /// Limits the run that a corrupt state may claim.
    pub(super) fn limit(&mut self) {
        self.longest = self.longest.min(u16::MAX / 4);
    }

    /// Whether a VM whose value changed at least `moves_min` times repeats one for longer than ever before, and at least
    /// `repeats_min` times.
    pub(super) fn is_frozen(&self, moves_min: u16, repeats_min: u16) -> bool {
        let longest = self.longest.saturating_mul(2).saturating_add(1);
        self.moves >= moves_min && self.now >= repeats_min.max(longest)
    }
}
