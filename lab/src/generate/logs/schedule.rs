//! When something is logged.

use anyhow::{Context as _, Result, bail, ensure};
use fastrand::Rng;

use super::time::MICROS;

const MINUTE: i64 = 60 * MICROS;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// The first Monday since the epoch, which was a Thursday.
const MONDAY: i64 = 4 * DAY;
/// What a timer may be late by, microseconds.
const LATENESS: i64 = 2 * MICROS;
/// How much more than on average happens when the working day is at its height, and less in the dead of night.
const DAY_SWING: f64 = 0.75;
/// When the working day is at its height, hours.
const NOON_HOURS: f64 = 14.0;
/// What a day without work has of one with.
const WEEKEND: f64 = 0.5;

const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// When a family of lines occurs. Times are in microseconds.
#[derive(Debug, Clone, PartialEq)]
pub enum Schedule {
    /// At random, more by day and on working days where it follows them.
    Random {
        /// How often on average.
        per_hour: f64,
        /// Whether it follows the working day.
        day: bool,
    },
    /// In every period since the epoch, at this offset.
    Every { period: i64, offset: i64 },
    /// Once, about so long after the fault began.
    Once { after: i64 },
    /// At random between these times after the fault began, with this mean distance.
    Between { from: i64, to: i64, mean: i64 },
}

impl Schedule {
    /// Reads a schedule as the scripts write it.
    ///
    /// # Errors
    /// What is no schedule.
    pub fn parse(words: &[&str]) -> Result<Self> {
        let (words, day) = match words {
            [words @ .., "day"] => (words, true),
            _ => (words, false),
        };
        let schedule = match words {
            [rate] if rate.ends_with("/h") => Self::Random {
                per_hour: rate.trim_end_matches("/h").parse()?,
                day,
            },
            ["every", period] => Self::Every {
                period: span(period)?,
                offset: 0,
            },
            ["hourly", minute] => Self::Every {
                period: HOUR,
                offset: minute.parse::<i64>()? * MINUTE,
            },
            ["daily", time] => Self::Every {
                period: DAY,
                offset: clock(time)?,
            },
            ["weekly", weekday, time] => {
                let weekday = WEEKDAYS.iter().position(|name| name == weekday);
                let weekday = weekday.context("a week has the days mon to sun")? as i64;
                Self::Every {
                    period: 7 * DAY,
                    offset: MONDAY + weekday * DAY + clock(time)?,
                }
            }
            ["at", after] => Self::Once {
                after: span(after)?,
            },
            [between, "every", mean] => {
                let (from, to) = between.split_once('-').context("it takes FROM-TO")?;
                let (from, to, mean) = (span(from)?, span(to)?, span(mean)?);
                ensure!(from < to && mean > 0, "it ends before it begins");
                Self::Between { from, to, mean }
            }
            _ => bail!("\"{}\" is no schedule", words.join(" ")),
        };
        let follows_day = matches!(schedule, Self::Random { .. });
        ensure!(
            !day || follows_day,
            "only what is random can follow the day"
        );
        Ok(schedule)
    }

    /// How often it occurs in an hour on average; 0 for what occurs in a fault alone.
    pub fn per_hour(&self) -> f64 {
        match self {
            Self::Random { per_hour, .. } => *per_hour,
            Self::Every { period, .. } => HOUR as f64 / *period as f64,
            Self::Once { .. } | Self::Between { .. } => 0.0,
        }
    }

    /// When it occurs last in a fault.
    pub fn last(&self) -> i64 {
        match self {
            Self::Once { after } => *after,
            Self::Between { to, .. } => *to,
            Self::Random { .. } | Self::Every { .. } => 0,
        }
    }

    /// The first occurrence at or after `begin`; `None` where there is none.
    pub fn first(&self, begin: i64, fault: &Fault, rng: &mut Rng) -> Option<i64> {
        match self {
            Self::Random { .. } => self.after(begin, fault, rng),
            Self::Every { period, offset } => {
                let since = (begin - offset).rem_euclid(*period);
                let first = if since == 0 {
                    begin
                } else {
                    begin - since + period
                };
                Some(first + rng.i64(0..LATENESS))
            }
            Self::Once { after } => Some(fault.time(*after) + rng.i64(0..10 * MICROS)),
            Self::Between { from, .. } => self.after(fault.time(*from), fault, rng),
        }
    }

    /// The occurrence after one at `time`.
    pub fn after(&self, time: i64, fault: &Fault, rng: &mut Rng) -> Option<i64> {
        match self {
            Self::Random { per_hour, day } => {
                // Thinning: candidates at the highest rate, of which a share is taken that follows the rate.
                let highest = if *day { 1.0 + DAY_SWING } else { 1.0 };
                let mut time = time;
                loop {
                    time += gap(HOUR as f64 / (per_hour * highest), rng);
                    let share = if *day { activity(time) / highest } else { 1.0 };
                    if rng.f64() < share {
                        return Some(time);
                    }
                }
            }
            Self::Every { period, offset } => {
                let due = time - (time - offset).rem_euclid(*period) + period;
                Some(due + rng.i64(0..LATENESS))
            }
            Self::Once { .. } => None,
            Self::Between { to, mean, .. } => {
                let next = time + gap(*mean as f64 * fault.pace, rng);
                (next < fault.time(*to)).then_some(next)
            }
        }
    }
}

/// When a fault begins and how slowly it unfolds.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// Its begin, in microseconds since the epoch.
    pub begin: i64,
    /// How much longer it takes than its script says.
    pub pace: f64,
}

impl Fault {
    /// When that is which the script has so long after the begin.
    pub fn time(&self, after: i64) -> i64 {
        self.begin + (after as f64 * self.pace) as i64
    }
}

/// How much happens at a time of what follows the working day; 1 is the mean of a working day.
fn activity(time: i64) -> f64 {
    let hour = time.rem_euclid(DAY) as f64 / HOUR as f64;
    let swing = libm::cos((hour - NOON_HOURS) / 24.0 * std::f64::consts::TAU);
    let is_weekend = (time - MONDAY).rem_euclid(7 * DAY) >= 5 * DAY;
    (1.0 + DAY_SWING * swing) * if is_weekend { WEEKEND } else { 1.0 }
}

/// A distance between events that come at random with this mean distance, at least a millisecond.
fn gap(mean: f64, rng: &mut Rng) -> i64 {
    // libm's, for that of the system need not be the same everywhere to the last bit.
    ((-libm::log(1.0 - rng.f64()) * mean) as i64).max(1_000)
}

/// Reads a span of time such as 300ms, 1.5s, 4m or 12h.
///
/// # Errors
/// What is none.
pub fn span(text: &str) -> Result<i64> {
    let end = text
        .find(|c: char| c.is_ascii_lowercase())
        .context("a span has a unit: ms, s, m or h")?;
    let unit = match &text[end..] {
        "ms" => MICROS / 1_000,
        "s" => MICROS,
        "m" => MINUTE,
        "h" => HOUR,
        other => bail!("\"{other}\" is no unit: ms, s, m or h"),
    };
    let count: f64 = text[..end].parse()?;
    Ok((count * unit as f64) as i64)
}

/// Reads a time of day such as 06:25.
fn clock(text: &str) -> Result<i64> {
    let (hour, minute) = text.split_once(':').context("a time of day is HH:MM")?;
    Ok(hour.parse::<i64>()? * HOUR + minute.parse::<i64>()? * MINUTE)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-05T00:00:00Z, a Monday.
    const MONDAY_2026: i64 = 1_767_571_200 * MICROS;

    fn schedule(text: &str) -> Schedule {
        Schedule::parse(&text.split(' ').collect::<Vec<_>>()).unwrap()
    }

    fn occurrences(text: &str, hours: i64) -> Vec<i64> {
        let (schedule, mut rng) = (schedule(text), Rng::with_seed(3));
        let fault = Fault {
            begin: MONDAY_2026,
            pace: 1.0,
        };
        let mut times = Vec::new();
        let mut next = schedule.first(MONDAY_2026, &fault, &mut rng);
        while let Some(time) = next.filter(|time| *time < MONDAY_2026 + hours * HOUR) {
            times.push(time - MONDAY_2026);
            next = schedule.after(time, &fault, &mut rng);
        }
        times
    }

    #[test]
    fn timers_are_on_time() {
        let minutes = |text, hours| {
            let times = occurrences(text, hours).into_iter();
            times.map(|time| time / MINUTE).collect::<Vec<_>>()
        };
        assert_eq!(minutes("hourly 17", 3), [17, 77, 137]);
        assert_eq!(minutes("every 12h", 36), [0, 720, 1440]);
        assert_eq!(minutes("daily 06:25", 48), [385, 385 + 1440]);
        assert_eq!(minutes("weekly sun 00:57", 14 * 24), [8697, 8697 + 10080]);
    }

    #[test]
    fn what_is_random_is_as_frequent_as_it_says_and_follows_the_day() {
        let times = occurrences("60/h", 240);
        assert!((13_500..15_500).contains(&times.len()), "{}", times.len());
        let times = occurrences("60/h day", 120);
        assert!((6_500..7_900).contains(&times.len()), "{}", times.len());
        let by_day = times
            .iter()
            .filter(|t| (8..20).contains(&(*t % DAY / HOUR)));
        assert!(by_day.count() * 10 > times.len() * 7);
    }

    #[test]
    fn a_fault_takes_its_time_and_ends() {
        assert_eq!(occurrences("at 3m", 1).len(), 1);
        let times = occurrences("4m-24m every 50s", 24);
        assert!((12..40).contains(&times.len()), "{}", times.len());
        assert!(times.iter().all(|t| (4 * MINUTE..24 * MINUTE).contains(t)));
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for text in [
            "often",
            "daily six",
            "weekly moon 00:00",
            "20m-4m every 1s",
            "at 5d",
            "at 3m day",
        ] {
            let words: Vec<&str> = text.split(' ').collect();
            assert!(Schedule::parse(&words).is_err(), "{text}");
        }
    }
}
