//! The share of the memory or of the swap space that is in use.

use super::kind::Part;

/// The values of one row.
#[derive(Debug, Clone, Copy, Default)]
pub struct Share {
    used: f64,
    all: f64,
    has_used: bool,
    has_free: bool,
    percent: f64,
    percents: u32,
}

impl Share {
    /// Takes the size of one part, of everything or of one of several devices, in bytes.
    pub fn add(&mut self, part: Part, bytes: f64) {
        if !(bytes.is_finite() && bytes >= 0.0) {
            return;
        }
        self.all += bytes;
        match part {
            Part::Used => {
                self.used += bytes;
                self.has_used = true;
            }
            Part::Free => self.has_free = true,
            Part::Other => {}
        }
    }

    /// Takes the share as collectd computes it, in percent.
    pub fn add_percent(&mut self, percent: f64) {
        if (0.0..=100.5).contains(&percent) {
            self.percent += percent;
            self.percents += 1;
        }
    }

    /// The share of the row, 0 to 1, and begins the next one; NaN where the parts are not all known. Of nothing, nothing is in use.
    pub fn take(&mut self) -> f64 {
        let row = std::mem::take(self);
        if row.percents > 0 {
            (row.percent / f64::from(row.percents) / 100.0).min(1.0)
        } else if row.has_used && row.has_free {
            row.used / row.all.max(1.0)
        } else {
            f64::NAN
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_in_use_is_of_all_parts_together() {
        let mut memory = Share::default();
        for _ in 0..2 {
            for (part, gib) in [
                (Part::Used, 12.0),
                (Part::Free, 2.0),
                (Part::Other, 1.0),
                (Part::Other, 9.0),
            ] {
                memory.add(part, gib);
            }
        }
        assert_eq!(memory.take(), 0.5);
        assert!(memory.take().is_nan(), "the next row begins empty");
    }

    #[test]
    fn the_devices_of_swap_space_are_one() {
        let mut swap = Share::default();
        for (used, free) in [(3.0, 1.0), (0.0, 4.0)] {
            swap.add(Part::Used, used);
            swap.add(Part::Free, free);
        }
        assert_eq!(swap.take(), 0.375);
    }

    #[test]
    fn percent_is_taken_as_it_is() {
        let mut memory = Share::default();
        memory.add(Part::Used, 1.0);
        memory.add_percent(75.0);
        assert_eq!(memory.take(), 0.75);
    }

    #[test]
    fn a_part_that_is_missing_leaves_the_share_unknown_and_a_host_without_swap_uses_none() {
        let mut memory = Share::default();
        memory.add(Part::Used, 5.0);
        memory.add(Part::Other, 5.0);
        assert!(memory.take().is_nan());
        let mut swap = Share::default();
        swap.add(Part::Used, 0.0);
        swap.add(Part::Free, 0.0);
        swap.add_percent(f64::NAN);
        assert_eq!(swap.take(), 0.0);
    }
}
