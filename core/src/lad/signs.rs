//! What a stream says about its host right now, for an estimate of its risk: in how many of the last minutes it reported a failure,
//! and how many of its templates are new to the fleet.

use serde::{Deserialize, Serialize};

/// Minutes that are kept.
pub const SIGNS_MINUTES: u32 = 20;

/// Minutes in which something happened, one bit each: bit 0 is the newest of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Signs {
    /// The newest minute, since the epoch.
    newest: i64,
    /// Minutes with a record that reports a failure.
    failing: u32,
    /// Minutes with a template that is new to the fleet, and minutes with more than one.
    unseen: u32,
    unseen_more: u32,
}

/// The bits of the minutes that are kept.
const KEPT: u32 = (1 << SIGNS_MINUTES) - 1;

fn minute(seconds: f64) -> i64 {
    (seconds / 60.0).floor() as i64
}

/// `bits` after `minutes` minutes.
fn aged(bits: u32, minutes: i64) -> u32 {
    match u32::try_from(minutes) {
        Ok(minutes) if minutes < SIGNS_MINUTES => (bits << minutes) & KEPT,
        _ => 0,
    }
}

impl Signs {
    /// The bit of the minute of `seconds`, which becomes the newest if it is later. A record that is older than all that is kept
    /// shows that the clock was set back: what was kept is of no time that can be named.
    fn bit(&mut self, seconds: f64) -> u32 {
        let ahead = minute(seconds) - self.newest;
        if ahead <= 0 && ahead > -i64::from(SIGNS_MINUTES) {
            return 1 << -ahead;
        }
        for bits in [&mut self.failing, &mut self.unseen, &mut self.unseen_more] {
            *bits = aged(*bits, ahead);
        }
        self.newest += ahead;
        1
    }

    /// Takes a record that reports a failure.
    pub(super) fn failed(&mut self, seconds: f64) {
        let bit = self.bit(seconds);
        self.failing |= bit;
    }

    /// Takes a template that is new to the fleet.
    pub(super) fn unseen(&mut self, seconds: f64) {
        let bit = self.bit(seconds);
        self.unseen_more |= self.unseen & bit;
        self.unseen |= bit;
    }

    /// The counts at `seconds`: minutes with a failure, and templates new to the fleet, of which those of one minute count as two
    /// at most.
    pub(super) fn at(self, seconds: f64) -> (u32, u32) {
        let ahead = minute(seconds) - self.newest;
        // A record a little ahead of the clock is one of now.
        let ahead = if (-2..0).contains(&ahead) { 0 } else { ahead };
        let count = |bits| aged(bits, ahead).count_ones();
        (
            count(self.failing),
            count(self.unseen) + count(self.unseen_more),
        )
    }

    /// Whether it could have been saved.
    pub(super) fn is_valid(self) -> bool {
        (self.failing | self.unseen | self.unseen_more) & !KEPT == 0
            && self.newest.unsigned_abs() < 1 << 40
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minutes_are_counted_once_each_and_leave_after_twenty() {
        let mut signs = Signs::default();
        for second in [60_000, 60_010, 60_059, 60_060, 60_300] {
            signs.failed(f64::from(second));
        }
        assert_eq!(signs.at(60_300.0), (3, 0));
        assert_eq!(signs.at(60_000.0 + 20.0 * 60.0 - 1.0), (3, 0));
        assert_eq!(signs.at(60_000.0 + 20.0 * 60.0), (2, 0));
        assert_eq!(signs.at(60_300.0 + 20.0 * 60.0), (0, 0));
        assert_eq!(signs.at(1e9), (0, 0));
    }

    #[test]
    fn records_that_come_out_of_order_fall_into_their_minutes() {
        let mut signs = Signs::default();
        for minute in [100, 95, 98, 95, 82] {
            signs.failed(f64::from(minute) * 60.0);
        }
        assert_eq!(signs.at(6_000.0), (4, 0));
        assert_eq!(signs.at(6_120.0), (3, 0));
    }

    #[test]
    fn two_templates_of_one_minute_are_two() {
        let mut signs = Signs::default();
        signs.unseen(60.0);
        assert_eq!(signs.at(60.0), (0, 1));
        signs.unseen(70.0);
        signs.unseen(80.0);
        assert_eq!(signs.at(60.0), (0, 2));
        signs.unseen(120.0);
        assert_eq!(signs.at(120.0), (0, 3));
    }

    #[test]
    fn a_clock_that_was_set_back_is_followed_and_the_old_minutes_are_dropped() {
        let mut signs = Signs::default();
        signs.failed(1e9);
        signs.failed(6_000.0);
        assert_eq!(signs.at(6_000.0), (1, 0));
        assert!(signs.is_valid());
        // A time in the future is not now.
        signs.failed(60_000.0);
        assert_eq!(signs.at(6_000.0), (0, 0));
    }
}
