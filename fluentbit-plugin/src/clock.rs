//! The detector's time: that of the records, which goes on when none arrives.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Records that are older than this when they arrive are a recording, whose time stands still when it ends; and a record that is
/// this far ahead of this machine's clock has a time that cannot be.
const DAY: f64 = 86_400.0;

/// Time goes on for this long at most, which is the longest that the option `forget_sec` takes: nothing is left to end after that.
const LONGEST: Duration = Duration::from_secs(365 * 86_400);

/// Seconds since the epoch, by this machine's clock.
pub fn wall() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}

/// The newest time that a record may have for the clock to follow it: one record that claims to be of next year must not make
/// everything else a year old.
pub fn horizon(wall: f64) -> f64 {
    wall + DAY
}

/// See the [module](self).
#[derive(Debug, Clone, Default)]
pub struct Clock {
    newest: Option<Newest>,
}

/// The newest record.
#[derive(Debug, Clone)]
struct Newest {
    time: f64,
    arrived: Instant,
    /// It was not much older than the moment of its arrival.
    live: bool,
}

impl Clock {
    /// Says that of the records so far, the newest is of `time`; `wall` is the moment by this machine's clock.
    pub fn heard(&mut self, time: f64, now: Instant, wall: f64) {
        if self.newest.as_ref().is_none_or(|newest| time > newest.time) {
            self.newest = Some(Newest {
                time,
                arrived: now,
                live: wall - time < DAY,
            });
        }
    }

    /// What time it is: that of the newest record and the time since it arrived, by the clock that nobody sets. Before the first
    /// record it is none.
    pub fn time(&self, now: Instant) -> Option<f64> {
        let newest = self.newest.as_ref()?;
        let since = now.saturating_duration_since(newest.arrived).min(LONGEST);
        Some(match newest.live {
            true => newest.time + since.as_secs_f64(),
            false => newest.time,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: f64 = 1.7e9;

    #[test]
    fn time_goes_on_from_the_newest_record_by_as_much_as_has_passed() {
        let (start, mut clock) = (Instant::now(), Clock::default());
        assert_eq!(clock.time(start), None);
        // Its clock is an hour off, as where a parser takes the wrong time zone.
        clock.heard(NOW - 3600.0, start, NOW);
        let later = start + Duration::from_secs(90);
        assert_eq!(clock.time(later), Some(NOW - 3510.0));
        // A record that comes late moves nothing.
        clock.heard(NOW - 3700.0, later, NOW + 90.0);
        assert_eq!(clock.time(later), Some(NOW - 3510.0));
        let years = start + 3 * LONGEST;
        assert_eq!(
            clock.time(years),
            Some(NOW - 3600.0 + LONGEST.as_secs_f64())
        );
    }

    #[test]
    fn the_time_of_a_recording_stands_still_where_it_ends() {
        let (start, mut clock) = (Instant::now(), Clock::default());
        clock.heard(NOW - 30.0 * DAY, start, NOW);
        let later = start + Duration::from_secs(90);
        assert_eq!(clock.time(later), Some(NOW - 30.0 * DAY));
        clock.heard(NOW, later, NOW + 90.0);
        assert_eq!(clock.time(later + Duration::from_secs(1)), Some(NOW + 1.0));
    }
}
