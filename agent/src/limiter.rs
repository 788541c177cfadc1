//! A log limiter: a lasting problem is logged once in a while, not with every value or record.
//!
//! ```
//! use std::time::Duration;
//! use bellwether_agent::limiter::LogLimiter;
//!
//! #[derive(Clone, Copy, PartialEq)]
//! enum Topic { QueueFull, StateNotSaved }
//!
//! let mut limiter = LogLimiter::default();
//! let at = Duration::from_secs;
//! assert!(limiter.allows(Topic::QueueFull, at(0)));
//! assert!(!limiter.allows(Topic::QueueFull, at(599)));
//! assert!(limiter.allows(Topic::StateNotSaved, at(599)));
//! assert!(limiter.allows(Topic::QueueFull, at(600)));
//! ```

use std::time::Duration;

/// The shortest time between two lines on the same topic.
pub const PERIOD: Duration = Duration::from_secs(600);

/// When each topic was last logged. `Topic` is an enum of what can go wrong; there is one entry for each that did.
#[derive(Debug, Clone)]
pub struct LogLimiter<Topic> {
    logged: Vec<(Topic, Duration)>,
}

impl<Topic> Default for LogLimiter<Topic> {
    fn default() -> Self {
        Self { logged: Vec::new() }
    }
}

impl<Topic: PartialEq> LogLimiter<Topic> {
    /// Whether a line on `topic` is to be logged at `now`, which then counts as logged. `now` is the time since any fixed moment
    /// by a clock that is never set.
    pub fn allows(&mut self, topic: Topic, now: Duration) -> bool {
        match self.logged.iter_mut().find(|(known, _)| *known == topic) {
            Some((_, last)) if now.saturating_sub(*last) < PERIOD => false,
            Some((_, last)) => {
                *last = now;
                true
            }
            None => {
                self.logged.push((topic, now));
                true
            }
        }
    }

    /// The same for what is worth a single line: the first time only.
    pub fn allows_once(&mut self, topic: Topic) -> bool {
        let is_first = !self.logged.iter().any(|(known, _)| *known == topic);
        if is_first {
            self.logged.push((topic, Duration::ZERO));
        }
        is_first
    }

    /// The problem is over: its next occurrence is logged at once.
    pub fn reset(&mut self, topic: Topic) {
        self.logged.retain(|(known, _)| *known != topic);
    }
}

/// A number of lines that may be logged within each period, for what is worth a line each time but can come in floods.
#[derive(Debug, Clone)]
pub struct Allowance {
    lines: u32,
    period: Duration,
    /// When the period at hand began.
    since: Duration,
    left: u32,
}

impl Allowance {
    /// `lines` within each `period`.
    pub fn new(lines: u32, period: Duration) -> Self {
        Self {
            lines,
            period,
            since: Duration::ZERO,
            left: lines,
        }
    }

    /// Whether a line is to be logged at `now`, which then counts as logged. `now` is the time since any fixed moment by a clock
    /// that is never set.
    pub fn allows(&mut self, now: Duration) -> bool {
        if now.saturating_sub(self.since) >= self.period {
            (self.since, self.left) = (now, self.lines);
        }
        let allowed = self.left > 0;
        self.left = self.left.saturating_sub(1);
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_lasting_problem_is_logged_every_ten_minutes() {
        let mut limiter = LogLimiter::default();
        let lines = (0..3600).filter(|&s| limiter.allows("full", at(s)));
        assert_eq!(lines.count(), 6);
    }

    #[test]
    fn a_problem_that_was_over_is_logged_at_once_when_it_comes_back() {
        let mut limiter = LogLimiter::default();
        assert!(limiter.allows("state", at(0)));
        limiter.reset("state");
        assert!(limiter.allows("state", at(1)));
        assert!(!limiter.allows("state", at(2)));
    }

    #[test]
    fn of_a_flood_so_many_lines_are_logged_in_each_period() {
        let mut allowance = Allowance::new(3, Duration::from_secs(60));
        let mut logged = |second| (0..9).filter(|_| allowance.allows(at(second))).count();
        assert_eq!([7, 30, 60, 90, 130].map(&mut logged), [3, 0, 3, 0, 3]);
    }

    #[test]
    fn what_is_worth_one_line_gets_one() {
        let mut limiter = LogLimiter::default();
        let lines = (0..9).filter(|_| limiter.allows_once("percent only"));
        assert_eq!(lines.count(), 1);
    }
}
