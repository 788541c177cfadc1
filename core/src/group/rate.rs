//! How often a host turns by itself.

use serde::{Deserialize, Serialize};

/// Time constant of the rate, in seconds.
const MEMORY_SEC: f64 = 7.0 * 86_400.0;
/// What is assumed before anything is known, as turns and as time of one host in seconds: one in 20 days, with little weight.
const PRIOR_TURNS: f64 = 1.0;
const PRIOR_SEC: f64 = 20.0 * 86_400.0;

/// Exponentially decayed turns, and the time of all hosts that they occurred in.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Rate {
    turns: f64,
    /// The time of all hosts together, in seconds.
    exposure: f64,
    /// When it was last brought up to date; `None` before the first time.
    at: Option<f64>,
}

impl Rate {
    /// Takes the time until `now` into account, during which there were this many hosts.
    pub(super) fn advance(&mut self, now: f64, hosts: usize) {
        let elapsed = self.at.map_or(0.0, |at| (now - at).max(0.0));
        let left = libm::exp(-elapsed / MEMORY_SEC);
        self.turns *= left;
        self.exposure = self.exposure * left + hosts as f64 * MEMORY_SEC * (1.0 - left);
        self.at = Some(now);
    }

    /// Counts a turn that no group explains.
    pub(super) fn count(&mut self) {
        self.turns += 1.0;
    }

    /// The probability that a host turns within `seconds`.
    pub(super) fn within(&self, seconds: f64) -> f64 {
        let rate = (PRIOR_TURNS + self.turns) / (PRIOR_SEC + self.exposure);
        -libm::expm1(-rate * seconds)
    }

    /// Whether all its values are ones that it can have.
    pub(super) fn is_valid(&self) -> bool {
        let is_amount = |x: f64| x.is_finite() && x >= 0.0;
        is_amount(self.turns) && is_amount(self.exposure) && self.at.is_none_or(f64::is_finite)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_of_a_fleet_is_found_and_starts_from_the_prior() {
        let mut rate = Rate::default();
        let day = 86_400.0;
        rate.advance(0.0, 100);
        assert!((rate.within(day) - 0.05).abs() < 0.003);
        // 100 hosts, ten turns a day: 0.1 per host and day.
        for i in 1..=600 {
            rate.advance(f64::from(i) * day / 10.0, 100);
            rate.count();
        }
        let daily = -libm::log1p(-rate.within(day));
        assert!((daily - 0.1).abs() < 0.005, "{daily}");
        assert!(rate.is_valid());
    }

    #[test]
    fn a_clock_that_is_set_back_changes_nothing() {
        let mut rate = Rate::default();
        rate.advance(1000.0, 5);
        rate.count();
        let before = rate.within(600.0);
        rate.advance(0.0, 5);
        assert_eq!(rate.within(600.0), before);
    }
}
