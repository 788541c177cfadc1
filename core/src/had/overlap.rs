//! How many VMs changed within the same interval (lecture, "Correlation strength": Min Color Count Over Intervals).

use serde::{Deserialize, Serialize};

use crate::event::Direction;
use crate::memory::vec;

/// The tick of the last change of every VM of a hypervisor.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Overlap {
    window: u64,
    /// The present tick. It starts at `window`, so that tick 0 stands for no change.
    now: u64,
    last: Vec<u64>,
    rising: Vec<bool>,
}

/// Number of VMs that changed within the window, by direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Changed {
    pub up: u32,
    pub down: u32,
}

impl Changed {
    /// Number of VMs that changed.
    pub fn count(self) -> u32 {
        self.up + self.down
    }

    /// The direction shared by at least four fifths of them.
    pub fn direction(self) -> Direction {
        match self.count() {
            all if self.down * 5 <= all => Direction::Up,
            all if self.up * 5 <= all => Direction::Down,
            _ => Direction::Mixed,
        }
    }
}

impl Overlap {
    /// Without any change; changes less than `window` ticks apart are simultaneous.
    pub fn new(window: usize) -> Self {
        let window = window.max(1) as u64;
        Self {
            window,
            now: window,
            last: Vec::new(),
            rising: Vec::new(),
        }
    }

    /// Whether a restored state is one of `slots` VMs and this window.
    pub fn is_valid(&self, window: usize, slots: usize) -> bool {
        self.window == window.max(1) as u64
            && self.now >= self.window
            && self.last.len() == slots
            && self.rising.len() == slots
            && self.last.iter().all(|&last| last <= self.now)
    }

    /// Memory outside of itself in bytes.
    pub fn bytes(&self) -> usize {
        vec(&self.last) + vec(&self.rising)
    }

    /// Changes the number of slots.
    pub fn resize(&mut self, slots: usize) {
        self.last.resize(slots, 0);
        self.rising.resize(slots, false);
    }

    /// Forgets the change of the VM in `slot`.
    pub fn reset(&mut self, slot: usize) {
        self.last[slot] = 0;
    }

    /// Advances by `ticks` ticks.
    pub fn advance(&mut self, ticks: u64) {
        self.now = self.now.saturating_add(ticks);
    }

    /// The present tick; increasing, never 0.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// Records that the VM in `slot` changes now.
    #[inline]
    pub fn change(&mut self, slot: usize, rising: bool) {
        self.last[slot] = self.now;
        self.rising[slot] = rising;
    }

    /// Whether the VM in `slot` changed within the window.
    pub fn changed(&self, slot: usize) -> bool {
        self.now - self.last[slot] < self.window
    }

    /// Number of VMs that changed within the window.
    #[inline]
    pub fn count(&self) -> Changed {
        let (mut all, mut up) = (0, 0);
        for (&last, &rising) in self.last.iter().zip(&self.rising) {
            let recent = u32::from(self.now - last < self.window);
            all += recent;
            up += recent & u32::from(rising);
        }
        Changed { up, down: all - up }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_count_as_simultaneous_until_they_are_a_window_apart() {
        let mut overlap = Overlap::new(3);
        overlap.resize(2);
        assert_eq!(overlap.count().count(), 0);
        overlap.change(0, true);
        overlap.advance(2);
        overlap.change(1, false);
        assert_eq!(overlap.count(), Changed { up: 1, down: 1 });
        overlap.advance(1);
        assert_eq!(overlap.count(), Changed { up: 0, down: 1 });
        overlap.advance(u64::MAX);
        assert_eq!(overlap.count().count(), 0);
    }

    #[test]
    fn a_vm_that_changes_twice_counts_once_and_a_new_vm_in_its_slot_not_at_all() {
        let mut overlap = Overlap::new(10);
        overlap.resize(1);
        overlap.change(0, true);
        overlap.advance(1);
        overlap.change(0, true);
        assert_eq!(overlap.count(), Changed { up: 1, down: 0 });
        overlap.reset(0);
        assert!(!overlap.changed(0));
        assert_eq!(overlap.count().count(), 0);
    }

    #[test]
    fn a_direction_is_reported_only_if_nearly_all_share_it() {
        assert_eq!(Changed { up: 4, down: 1 }.direction(), Direction::Up);
        assert_eq!(Changed { up: 1, down: 4 }.direction(), Direction::Down);
        assert_eq!(Changed { up: 3, down: 2 }.direction(), Direction::Mixed);
    }
}
