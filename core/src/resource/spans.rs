//! The spans of time of the engine, in rows.
//!
//! They were chosen on machines of two public data sets of servers, SMD (a row a minute) and ASD (a row every five minutes); see the
//! chapter on accuracy.

use crate::units::Interval;

/// Half-life of the short course, in seconds: rows that come more often than once a minute are averaged.
const SHORT_SECS: f64 = 30.0;
/// Half-life of the long course, in seconds and at least in rows.
const LONG_SECS: f64 = 210.0;
const LONG_ROWS: f64 = 3.5;
/// Half-life of the usual course, in seconds.
const USUAL_SECS: f64 = 129_600.0;
/// Half-life of the smoothed distance, in seconds and at least in rows.
const SMOOTH_SECS: f64 = 60.0;
/// What is younger is no past to compare with, in seconds.
const GUARD_SECS: f64 = 21_600.0;
/// Mean age of the rows of the past that p-values are taken against, in seconds.
const REFERENCE_SECS: f64 = 604_800.0;
/// Mean age of the constellations that are remembered, in seconds.
const MEMORY_SECS: f64 = 1_814_400.0;
/// Rows that wait for the end of the guard; if more would, only every second, third, ... one does.
const WAITING_MAX: usize = 512;

/// The spans, in rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spans {
    /// Weights of a new row in the short, long and usual course, and in the smoothed distance.
    pub short: f32,
    pub long: f32,
    pub usual: f64,
    pub smooth: f64,
    /// The guard.
    pub guard: u64,
    /// The mean age of the reference, in rows that enter it.
    pub reference: f32,
    /// Every how many rows one enters the reference.
    pub every: u64,
    /// The mean age of the memory.
    pub memory: u64,
    /// After this many missing rows, the courses begin again.
    pub restart: u64,
}

/// The weight of a new row in an average with a half-life in rows.
fn weight(half_life: f64) -> f64 {
    1.0 - 0.5_f64.powf(1.0 / half_life)
}

impl Spans {
    /// The spans for rows that come once per `interval`.
    pub fn new(interval: Interval) -> Self {
        let seconds = interval.secs();
        let rows = |span: f64| span / seconds;
        let is_short = rows(SHORT_SECS) > 0.5;
        let long = rows(LONG_SECS).max(LONG_ROWS);
        let guard = (rows(GUARD_SECS) as u64).max(1);
        let every = guard.div_ceil(WAITING_MAX as u64);
        Self {
            short: if is_short {
                weight(rows(SHORT_SECS)) as f32
            } else {
                1.0
            },
            long: weight(long) as f32,
            usual: weight(rows(USUAL_SECS).max(8.0)),
            smooth: weight(rows(SMOOTH_SECS).max(1.0)),
            guard,
            reference: (rows(REFERENCE_SECS) / every as f64).max(64.0) as f32,
            every,
            memory: (rows(MEMORY_SECS) as u64).max(1),
            restart: (4.0 * long) as u64,
        }
    }

    /// The guard after this many rows: short at first, so that a new host is evaluated soon.
    pub fn guard_after(&self, rows: u64) -> u64 {
        self.guard.min(rows / 8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_bounded_at_any_interval() {
        for seconds in [0.001, 0.1, 1.0, 10.0, 60.0, 300.0, 86_400.0] {
            let spans = Spans::new(Interval::from_secs(seconds));
            assert!(spans.guard / spans.every <= WAITING_MAX as u64, "{seconds}");
            assert!(spans.usual > 0.0 && spans.usual < 0.1, "{seconds}");
        }
    }

    #[test]
    fn rows_that_come_once_a_minute_or_less_are_not_averaged() {
        assert_eq!(Spans::new(Interval::from_secs(60.0)).short, 1.0);
        assert!(Spans::new(Interval::from_secs(10.0)).short < 0.3);
    }
}
