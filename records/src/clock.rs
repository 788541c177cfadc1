//! Times for people: dates in a time zone, or the time since the first row where the date of that is unknown.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _, Zoned};

/// Times before this, seconds since the epoch (March 1973), are of a recording whose start is unknown.
const ELAPSED_BEFORE: f64 = 1e8;
const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// The steps between two ticks of an axis, seconds.
const STEPS: [i64; 20] = [
    1,
    2,
    5,
    10,
    15,
    30,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
];

/// Formats times in a time zone.
#[derive(Debug, Clone)]
pub struct Clock {
    zone: TimeZone,
}

impl Clock {
    /// Formats dates in `zone`.
    pub fn new(zone: TimeZone) -> Self {
        Self { zone }
    }

    /// Whether `time` counts from the first row of a recording.
    pub fn is_elapsed(time: f64) -> bool {
        time.abs() < ELAPSED_BEFORE
    }

    /// A time in UTC as ISO 8601 writes it, "2024-02-05T12:39:46Z", or "40 s" where it counts from the first row of a recording.
    pub fn utc(time: f64) -> String {
        let clock = Self::new(TimeZone::UTC);
        clock.machine(time).unwrap_or_else(|| format!("{time} s"))
    }

    fn zoned(&self, time: f64) -> Zoned {
        let second = (time.round() as i64).clamp(
            Timestamp::MIN.as_second() + DAY,
            Timestamp::MAX.as_second() - DAY,
        );
        let timestamp = Timestamp::from_second(second).expect("clamped to what there is");
        timestamp.to_zoned(self.zone.clone())
    }

    /// A point in time with its zone: "2024-02-05 12:39:46 UTC", or "0 d 06:40:00 from the start".
    pub fn point(&self, time: f64) -> String {
        if Self::is_elapsed(time) {
            return format!("{} from the start", elapsed(time));
        }
        let zoned = self.zoned(time);
        format!("{} {}", zoned.strftime("%Y-%m-%d"), of_day(&zoned, true))
    }

    /// From when to when, the day once where it is the same.
    pub fn range(&self, from: f64, to: f64) -> String {
        if Self::is_elapsed(from) {
            return format!("{} to {} from the start", elapsed(from), elapsed(to));
        }
        let (a, b) = (self.zoned(from), self.zoned(to));
        let begin = format!("{} {}", a.strftime("%Y-%m-%d"), of_day(&a, false));
        if a.date() == b.date() {
            format!("{begin} to {}", of_day(&b, true))
        } else {
            format!("{begin} to {} {}", b.strftime("%Y-%m-%d"), of_day(&b, true))
        }
    }

    /// The value of an HTML `datetime` attribute, where the time is one of a calendar.
    pub fn machine(&self, time: f64) -> Option<String> {
        (!Self::is_elapsed(time)).then(|| self.zoned(time).timestamp().to_string())
    }

    /// At most `most` round times within `from..=to`, each with how an axis writes it.
    pub fn ticks(&self, from: f64, to: f64, most: usize) -> Vec<(f64, String)> {
        let span = to - from;
        if span.is_nan() || span <= 0.0 {
            return Vec::new();
        }
        let fits = |step: &i64| span / *step as f64 <= most as f64;
        let weeks = 7 * DAY * ((span / most as f64 / (7 * DAY) as f64).ceil().max(1.0) as i64);
        let step = STEPS.into_iter().find(fits).unwrap_or(weeks);
        if Self::is_elapsed(from) {
            let first = (from / step as f64).ceil() as i64;
            let times = (first..).map(|i| i * step);
            let times = times.take_while(|t| *t as f64 <= to);
            return times.map(|t| (t as f64, count(t, step))).collect();
        }
        let start = self.zoned(from).start_of_day().unwrap_or(self.zoned(from));
        let mut ticks = Vec::new();
        let mut day = start;
        while day.timestamp().as_second() as f64 <= to {
            let Ok(next) = day.checked_add(1.day()) else {
                break;
            };
            if step < DAY {
                // A day may have 23 or 25 hours: its ticks start at midnight.
                let length = next.timestamp().as_second() - day.timestamp().as_second();
                for second in (0..length).step_by(step as usize) {
                    let time = (day.timestamp().as_second() + second) as f64;
                    if (from..=to).contains(&time) {
                        ticks.push((time, self.tick(time, step)));
                    }
                }
                day = next;
            } else {
                let time = day.timestamp().as_second() as f64;
                if time >= from {
                    ticks.push((time, self.tick(time, step)));
                }
                let Ok(next) = day.checked_add((step / DAY).days()) else {
                    break;
                };
                day = next;
            }
        }
        ticks
    }

    fn tick(&self, time: f64, step: i64) -> String {
        let zoned = self.zoned(time);
        let midnight = zoned.hour() == 0 && zoned.minute() == 0 && zoned.second() == 0;
        let format = match step {
            _ if midnight => "%-d %b",
            ..MINUTE => "%H:%M:%S",
            _ => "%H:%M",
        };
        zoned.strftime(format).to_string()
    }

    /// The zone's name as a database of zones has it, where times are of a calendar.
    pub fn zone_name(&self, time: f64) -> Option<&str> {
        if Self::is_elapsed(time) {
            return None;
        }
        Some(self.zone.iana_name().unwrap_or("UTC"))
    }

    /// The zone's name for an axis.
    pub fn zone(&self, time: f64) -> String {
        if Self::is_elapsed(time) {
            "time from the start".to_owned()
        } else {
            self.zoned(time).strftime("%Z").to_string()
        }
    }
}

/// The time of the day, without seconds where there are none, and its zone on demand.
fn of_day(time: &Zoned, zone: bool) -> String {
    let seconds = if time.second() == 0 { "" } else { ":%S" };
    let zone = if zone { " %Z" } else { "" };
    time.strftime(&format!("%H:%M{seconds}{zone}")).to_string()
}

/// Seconds from the start as days and the time of the day: "1 d 06:40:00".
fn elapsed(time: f64) -> String {
    let sign = if time < -0.5 { "-" } else { "" };
    let t = time.abs().round() as i64;
    let clock = format!(
        "{:02}:{:02}:{:02}",
        t % DAY / HOUR,
        t % HOUR / MINUTE,
        t % MINUTE
    );
    if t < DAY {
        format!("{sign}{clock}")
    } else {
        format!("{sign}{} d {clock}", t / DAY)
    }
}

/// Round seconds from the start for an axis.
fn count(t: i64, step: i64) -> String {
    match (t, step) {
        (0, _) => "start".to_owned(),
        (_, DAY..) => format!("{} d", t / DAY),
        (_, HOUR..) if t % DAY == 0 => format!("{} d", t / DAY),
        (_, HOUR..) if t < DAY => format!("{} h", t / HOUR),
        (_, HOUR..) => format!("{} d {} h", t / DAY, t % DAY / HOUR),
        (_, MINUTE..) => format!("{}:{:02} h", t / HOUR, t % HOUR / MINUTE),
        _ => format!("{}:{:02}:{:02}", t / HOUR, t % HOUR / MINUTE, t % MINUTE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written out, because a machine need not have the database of zones.
    const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";

    fn clock(zone: &str) -> Clock {
        Clock::new(TimeZone::posix(zone).unwrap())
    }

    #[test]
    fn a_time_names_its_zone() {
        let time = 1_707_136_786.0;
        assert_eq!(clock("UTC0").point(time), "2024-02-05 12:39:46 UTC");
        assert_eq!(clock("UTC0").point(time - 46.0), "2024-02-05 12:39 UTC");
        assert_eq!(clock(BERLIN).point(time), "2024-02-05 13:39:46 CET");
        assert_eq!(clock("UTC0").machine(time).unwrap(), "2024-02-05T12:39:46Z");
        assert_eq!(
            clock("UTC0").range(time, time + 60.0),
            "2024-02-05 12:39:46 to 12:40:46 UTC"
        );
        assert_eq!(
            clock("UTC0").range(time, time + 86_400.0),
            "2024-02-05 12:39:46 to 2024-02-06 12:39:46 UTC"
        );
    }

    #[test]
    fn a_recording_without_a_date_counts_from_its_start() {
        let clock = clock("UTC0");
        assert_eq!(clock.point(24_000.0), "06:40:00 from the start");
        assert_eq!(clock.point(86_461.0), "1 d 00:01:01 from the start");
        assert_eq!(clock.machine(24_000.0), None);
        assert_eq!(Clock::utc(24_000.0), "24000 s");
        let ticks = clock.ticks(0.0, 172_200.0, 6);
        let labels: Vec<_> = ticks.iter().map(|(_, label)| label.as_str()).collect();
        assert_eq!(labels, ["start", "12 h", "1 d", "1 d 12 h"]);
    }

    #[test]
    fn ticks_are_round_in_the_zone_also_where_the_clock_is_set_forward() {
        let clock = clock(BERLIN);
        // 31 March 2024, 00:00 to 12:00 in Berlin, where 02:00 is 03:00.
        let from = 1_711_839_600.0;
        let ticks = clock.ticks(from, from + 11.0 * 3600.0, 6);
        let labels: Vec<_> = ticks.iter().map(|(_, label)| label.as_str()).collect();
        assert_eq!(labels[0], "31 Mar");
        assert!(labels.len() <= 6 && ticks.windows(2).all(|t| t[0].0 < t[1].0));
        let days = clock.ticks(from, from + 40.0 * 86_400.0, 6);
        assert!(days.len() <= 7 && days.iter().all(|(_, label)| !label.contains(':')));
    }

    #[test]
    fn no_span_is_too_short_or_too_long_for_an_axis() {
        let clock = clock("UTC0");
        for (from, to) in [
            (0.0, 0.0),
            (0.0, 1.0),
            (5.0, 4.0),
            (2e9, 2e9 + 3.0),
            (2e9, 2e9 + 4e8),
            (0.0, 9e7),
        ] {
            let ticks = clock.ticks(from, to, 6);
            assert!(ticks.len() <= 8, "{from} to {to}: {}", ticks.len());
        }
        clock.point(9e10);
        clock.point(-9e10);
    }
}
