//! Quiet hours: times of day without automatic evacuations.

use crate::units::Time;

/// Seconds of a day and of a minute.
const DAY_SEC: f64 = 86_400.0;
const MINUTE_SEC: f64 = 60.0;
/// Minutes of a day.
const DAY_MINUTES: u32 = 24 * 60;

/// The offset of a local time from UTC, in minutes; east is positive. There is no daylight saving time in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct UtcOffset(i32);

impl UtcOffset {
    /// Reads an offset such as `+02:00` or `Z`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "\"{text}\" is not an offset from UTC; it takes one from -14:00 to +14:00, such as \"+02:00\""
            )
        };
        if text == "Z" {
            return Ok(Self(0));
        }
        let (sign, rest) = match text.split_at_checked(1) {
            Some(("+", rest)) => (1, rest),
            Some(("-", rest)) => (-1, rest),
            _ => return Err(wrong()),
        };
        let minutes = minute_of_day(rest).filter(|minutes| *minutes <= 14 * 60);
        minutes
            .map(|minutes| Self(sign * minutes as i32))
            .ok_or_else(wrong)
    }
}

/// The minute of the day of a time such as `06:30`; `24:00` is its end.
fn minute_of_day(text: &str) -> Option<u32> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |text: &str| {
        let is_one = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        is_one.then(|| text.parse::<u32>().ok()).flatten()
    };
    let (hours, minutes) = (number(hours)?, number(minutes).filter(|m| *m < 60)?);
    Some(hours * 60 + minutes).filter(|minute| *minute <= DAY_MINUTES)
}

/// Times of day, in local time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct QuietHours {
    /// The first minute of each, and the first one after it.
    spans: Vec<(u32, u32)>,
    offset: UtcOffset,
}

impl QuietHours {
    /// Reads a list such as `22:00-06:00,12:00-13:00`.
    pub(super) fn parse(text: &str, offset: UtcOffset) -> Result<Self, String> {
        let span = |word: &str| {
            let (from, until) = word.split_once('-')?;
            let (from, until) = (minute_of_day(from.trim())?, minute_of_day(until.trim())?);
            (from != until).then_some((from, until))
        };
        let spans = super::options::words(text).map(|word| {
            span(word).ok_or_else(|| {
                format!("\"{word}\" is not a time of day with a beginning and an end, such as \"22:00-06:00\"")
            })
        });
        let spans = spans.collect::<Result<_, _>>()?;
        Ok(Self { spans, offset })
    }

    /// Whether `time` is within one of them.
    pub(super) fn contain(&self, time: Time) -> bool {
        let local = time.secs() + f64::from(self.offset.0) * MINUTE_SEC;
        let minute = (local.rem_euclid(DAY_SEC) / MINUTE_SEC) as u32;
        let within = |&(from, until): &(u32, u32)| match from < until {
            true => (from..until).contains(&minute),
            false => minute >= from || minute < until,
        };
        self.spans.iter().any(within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-28T00:00:00Z.
    const MIDNIGHT: f64 = 1_795_824_000.0;

    fn contains(hours: &str, offset: &str, at: (u32, u32)) -> bool {
        let hours = QuietHours::parse(hours, UtcOffset::parse(offset).unwrap()).unwrap();
        let (hour, minute) = at;
        hours.contain(Time::from_secs(
            MIDNIGHT + f64::from(hour * 3600 + minute * 60),
        ))
    }

    #[test]
    fn quiet_hours_may_span_midnight_and_end_before_their_last_minute() {
        let hours = "22:00-06:00, 12:00-13:30";
        for (at, expected) in [
            ((21, 59), false),
            ((22, 0), true),
            ((0, 0), true),
            ((5, 59), true),
            ((6, 0), false),
            ((12, 0), true),
            ((13, 29), true),
            ((13, 30), false),
        ] {
            assert_eq!(contains(hours, "Z", at), expected, "{at:?}");
        }
        assert!(contains("00:00-24:00", "Z", (23, 59)));
        assert!(!contains("", "Z", (3, 0)));
    }

    #[test]
    fn quiet_hours_are_in_local_time() {
        assert!(contains("22:00-06:00", "+02:00", (20, 0)));
        assert!(!contains("22:00-06:00", "+02:00", (4, 0)));
        assert!(contains("22:00-06:00", "-05:30", (3, 30)));
        assert!(!contains("22:00-06:00", "-05:30", (3, 29)));
    }

    #[test]
    fn what_is_no_time_of_day_or_no_offset_is_refused_with_what_would_be_right() {
        let utc = UtcOffset::parse("+00:00").unwrap();
        for text in [
            "22:00",
            "22:00-25:00",
            "22:60-23:00",
            "1:00-2:00",
            "06:00-06:00",
            "a-b",
            "+1:00-02:00",
        ] {
            let error = QuietHours::parse(text, utc).unwrap_err();
            assert!(error.contains("22:00-06:00"), "{error}");
        }
        for text in ["", "2", "02:00", "+2", "+15:00", "+02:00:00", "ü"] {
            assert!(
                UtcOffset::parse(text).unwrap_err().contains("+02:00"),
                "{text}"
            );
        }
    }
}
