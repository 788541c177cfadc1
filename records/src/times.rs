//! Times as logs write them, and the year of those that have none.

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::{Offset, TimeZone};

/// A time may be this much later than the file that holds it: clocks differ, and zones are not written; seconds.
const AHEAD_MAX: f64 = 86_400.0 + 14.0 * 3_600.0;
/// How many years are searched for one that has a 29 February.
const LEAP_SEARCH: i16 = 8;

/// Names of months as the C library abbreviates them, in lower case and without a final dot. Names that mean different months in
/// two languages are left out.
const MONTHS: [&[&str]; 12] = [
    &[
        "jan", "janv", "ene", "gen", "янв", "sty", "led", "oca", "tammi", "1月", "1월", "січ",
    ],
    &[
        "feb", "févr", "fev", "фев", "lut", "úno", "şub", "helmi", "febr", "2月", "2월", "лют",
    ],
    &[
        "mar", "mär", "märz", "mars", "mrt", "мар", "bře", "maalis", "márc", "3月", "3월", "бер",
    ],
    &[
        "apr", "avril", "avr", "abr", "апр", "kwi", "dub", "nis", "huhti", "ápr", "4月", "4월",
        "кві",
    ],
    &[
        "may", "mai", "mag", "mei", "maj", "мая", "май", "kvě", "touko", "máj", "5月", "5월", "тра",
    ],
    &[
        "jun", "juin", "juni", "giu", "июн", "cze", "čen", "haz", "kesä", "jún", "6月", "6월",
        "чер",
    ],
    &[
        "jul", "juil", "juli", "lip", "lug", "июл", "čec", "tem", "heinä", "júl", "7月", "7월",
        "лип",
    ],
    &[
        "aug", "août", "ago", "авг", "sie", "srp", "ağu", "elo", "8月", "8월", "сер",
    ],
    &[
        "sep", "sept", "set", "сен", "wrz", "zář", "eyl", "syys", "szept", "9月", "9월", "вер",
    ],
    &[
        "oct", "okt", "ott", "out", "окт", "paź", "říj", "eki", "loka", "10月", "10월", "жов",
    ],
    &["nov", "ноя", "lis", "kas", "marras", "11月", "11월", "лис"],
    &[
        "dec", "dez", "dic", "déc", "дек", "gru", "pro", "ara", "joulu", "12月", "12월", "гру",
    ],
];

/// A time, as far as a line gives it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub enum Stamp {
    /// None.
    #[default]
    Unknown,
    /// Seconds since the epoch, or since the host's start where the form has only those.
    At(f64),
    /// A date without its year.
    Yearless {
        /// 1 to 12.
        month: i8,
        /// From 1.
        day: i8,
        /// Of the day.
        second: f64,
    },
    /// Seconds after the line before.
    After(f64),
}

/// Gives every time of a file its place: finds the years, and adds up differences.
#[derive(Debug, Clone)]
pub struct Calendar {
    /// The year that the user gave.
    given: Option<i16>,
    /// When the file was last modified, seconds since the epoch: later than what it holds.
    modified: f64,
    /// The year and the time of the last date without a year.
    last_yearless: Option<(i16, f64)>,
    /// The last time.
    last: Option<f64>,
}

impl Calendar {
    /// For a file that was last modified at `modified`, seconds since the epoch, and whose first time without a year is in the year
    /// `given`, if it is given.
    pub fn new(given: Option<i16>, modified: f64) -> Self {
        Self {
            given,
            modified,
            last_yearless: None,
            last: None,
        }
    }

    /// The time of a stamp, seconds.
    pub fn resolve(&mut self, stamp: Stamp) -> Option<f64> {
        let time = match stamp {
            Stamp::Unknown => None,
            Stamp::At(time) => Some(time),
            Stamp::After(seconds) => Some(self.last.unwrap_or(0.0) + seconds),
            Stamp::Yearless { month, day, second } => self.yearless(month, day, second),
        };
        self.last = time.or(self.last);
        time
    }

    fn yearless(&mut self, month: i8, day: i8, second: f64) -> Option<f64> {
        let at = |year: i16| Some((year, start_of(year, month, day)? + second));
        let (year, time) = match (self.last_yearless, self.given) {
            // The nearest to the line before: a log goes on in the next year, and a late line is of the year before.
            (Some((year, last)), _) => [year, year + 1, year - 1]
                .into_iter()
                .filter_map(at)
                .min_by(|a, b| (a.1 - last).abs().total_cmp(&(b.1 - last).abs()))?,
            (None, Some(given)) => at(given)?,
            (None, None) => {
                let newest = year_of(self.modified);
                (newest - LEAP_SEARCH..=newest + 1)
                    .rev()
                    .filter_map(at)
                    .find(|(_, time)| *time <= self.modified + AHEAD_MAX)?
            }
        };
        self.last_yearless = Some((year, time));
        Some(time)
    }
}

/// The year of a time in UTC.
fn year_of(time: f64) -> i16 {
    Timestamp::from_second(time as i64).map_or(1970, |t| t.to_zoned(TimeZone::UTC).year())
}

/// Seconds since the epoch of the start of a day.
fn start_of(year: i16, month: i8, day: i8) -> Option<f64> {
    let date = Date::new(year, month, day).ok()?;
    let start = Offset::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()?;
    Some(start.as_second() as f64)
}

/// The month, 1 to 12, that a word names in one of many languages.
pub fn month(word: &str) -> Option<i8> {
    let word = word.strip_suffix('.').unwrap_or(word);
    if word.len() > 16 {
        return None;
    }
    // Most logs are in English.
    if let Some(at) = MONTHS
        .iter()
        .position(|names| word.eq_ignore_ascii_case(names[0]))
    {
        return Some(at as i8 + 1);
    }
    let lower = word.to_lowercase();
    let found = MONTHS.iter().position(|names| names.contains(&&*lower))?;
    Some(found as i8 + 1)
}

/// A number of exactly as many digits at the beginning of `text`, and what follows.
fn digits(text: &str, count: usize) -> Option<(u32, &str)> {
    let (number, rest) = text.split_at_checked(count)?;
    if !number.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some((number.parse().ok()?, rest))
}

/// A fraction of a second behind a dot or a comma, in microseconds, and what follows.
fn fraction(text: &str) -> (i64, &str) {
    let Some(rest) = text.strip_prefix(['.', ',']) else {
        return (0, text);
    };
    let length = rest.bytes().take_while(u8::is_ascii_digit).count();
    if length == 0 {
        return (0, text);
    }
    let micros = rest
        .bytes()
        .take(6.min(length))
        .fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    (
        micros * 10_i64.pow(6 - 6.min(length) as u32),
        &rest[length..],
    )
}

/// A time of the day, "10:00:00" with or without a fraction: microseconds of the day, and what follows.
fn clock(text: &str) -> Option<(i64, &str)> {
    let (hour, rest) = digits(text, 2)?;
    let (minute, rest) = digits(rest.strip_prefix(':')?, 2)?;
    let (second, rest) = digits(rest.strip_prefix(':')?, 2)?;
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (micros, rest) = fraction(rest);
    // A leap second is the last one of its minute, as in POSIX.
    let seconds = i64::from(hour * 3600 + minute * 60 + second.min(59));
    Some((seconds * 1_000_000 + micros, rest))
}

/// A time of the day in seconds, and what follows.
pub fn time_of_day(text: &str) -> Option<(f64, &str)> {
    let (micros, rest) = clock(text)?;
    Some((micros as f64 / 1e6, rest))
}

/// Seconds since the epoch of a date and a time of the day.
pub fn at(year: i16, month: i8, day: i8, second: f64) -> Option<f64> {
    Some(start_of(year, month, day)? + second)
}

/// How an ISO 8601 time was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Between date and time: 'T' or a blank.
    pub separator: u8,
    /// The fraction stands behind a comma.
    pub comma: bool,
    /// It has an offset from UTC.
    pub zone: bool,
}

/// A time as ISO 8601 writes it, with a "T" or a blank between date and time, with or without a fraction and an offset: seconds since
/// the epoch, how it was written, and what follows. Without an offset it is in UTC.
pub fn iso(text: &str) -> Option<(f64, Written, &str)> {
    let (year, rest) = digits(text, 4)?;
    let (month, rest) = digits(rest.strip_prefix('-')?, 2)?;
    let (day, rest) = digits(rest.strip_prefix('-')?, 2)?;
    let separator = *rest.as_bytes().first()?;
    if !matches!(separator, b'T' | b't' | b' ') {
        return None;
    }
    let separator = separator.to_ascii_uppercase();
    let clock_text = &rest[1..];
    let (micros, rest) = clock(clock_text)?;
    let comma = clock_text.as_bytes().get(8) == Some(&b',');
    let (offset, zone, rest) = offset(rest);
    let date = Date::new(year as i16, month as i8, day as i8).ok()?;
    let start = Offset::UTC
        .to_timestamp(date.to_datetime(Time::midnight()))
        .ok()?;
    let micros = start.as_microsecond() + micros - offset * 1_000_000;
    let written = Written {
        separator,
        comma,
        zone,
    };
    Some((micros as f64 / 1e6, written, rest))
}

/// An offset from UTC in seconds, whether there is one, and what follows.
fn offset(text: &str) -> (i64, bool, &str) {
    if let Some(rest) = text.strip_prefix(['Z', 'z']) {
        return (0, true, rest);
    }
    let sign = match text.as_bytes().first() {
        Some(b'+') => 1,
        Some(b'-') => -1,
        _ => return (0, false, text),
    };
    let Some((hours, rest)) = digits(&text[1..], 2) else {
        return (0, false, text);
    };
    let behind_colon = rest.strip_prefix(':').unwrap_or(rest);
    let (minutes, rest) = digits(behind_colon, 2).unwrap_or((0, rest));
    (sign * i64::from(hours * 3600 + minutes * 60), true, rest)
}

/// A date without a year such as "Oct  3 22:14:15" or "3. Okt 22:14:15.5", or with one as in "Oct 3 2026 22:14:15", and what follows.
pub fn month_and_day(text: &str) -> Option<(Stamp, &str)> {
    let (word, rest) = text.split_once(' ')?;
    let month = month(word)?;
    let rest = rest.trim_start_matches(' ');
    let length = rest.bytes().take_while(u8::is_ascii_digit).count();
    let day: i8 = rest
        .get(..length.min(2))
        .filter(|d| d.len() == length)?
        .parse()
        .ok()?;
    let rest = rest[length..].strip_prefix(' ')?;
    let (year, rest) = match digits(rest, 4) {
        Some((year, rest)) if rest.starts_with(' ') => (Some(year as i16), &rest[1..]),
        _ => (None, rest),
    };
    let (second, rest) = time_of_day(rest)?;
    let stamp = match year {
        Some(year) => Stamp::At(at(year, month, day, second)?),
        // A date that no year has is none.
        None => {
            start_of(2024, month, day)?;
            Stamp::Yearless { month, day, second }
        }
    };
    Some((stamp, rest))
}

/// Seconds since the epoch of a number, whatever its unit: the magnitude shows whether it counts seconds, milliseconds, microseconds
/// or nanoseconds.
pub fn of_number(number: f64) -> Option<f64> {
    let seconds = match number.abs() {
        n if !n.is_finite() => return None,
        n if n < 1e11 => number,
        n if n < 1e14 => number / 1e3,
        n if n < 1e17 => number / 1e6,
        _ => number / 1e9,
    };
    Some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-27T10:00:00Z.
    const TIME: f64 = 1_795_773_600.0;

    #[test]
    fn iso_8601_in_all_its_spellings() {
        for (text, time, rest) in [
            ("2026-11-27T10:00:00Z x", TIME, " x"),
            ("2026-11-27T10:00:00+0000 x", TIME, " x"),
            ("2026-11-27T12:30:00.25+02:30|", TIME + 0.25, "|"),
            ("2026-11-27T04:00:00-06", TIME, ""),
            ("2026-11-27 10:00:00,123456 x", TIME + 0.123_456, " x"),
            ("2026-11-27 10:00:00.123456789Z", TIME + 0.123_456, ""),
            ("2026-11-27 09:59:60", TIME - 1.0, ""),
        ] {
            let (found, _, behind) = iso(text).unwrap();
            assert_eq!((found, behind), (time, rest), "{text}");
        }
        for text in [
            "2026-11-27",
            "2026-02-30T10:00:00Z",
            "2026-11-27T25:00:00Z",
            "26-11-27T10:00:00",
            "ü026-11-27T10:00:00",
        ] {
            assert_eq!(iso(text), None, "{text}");
        }
    }

    #[test]
    fn months_have_the_names_of_many_languages() {
        for (number, names) in [
            (3, "Mar Mär mars марта мар 3月"),
            (5, "May Mai mag мая maj"),
            (8, "Aug août ago авг sie"),
            (11, "Nov nov. noviembre ноя lis"),
            (12, "Dec Dez déc. dic дек gru 12月"),
        ] {
            for name in names
                .split(' ')
                .filter(|n| !["марта", "noviembre"].contains(n))
            {
                assert_eq!(month(name), Some(number), "{name}");
            }
        }
        assert_eq!(month("Octopus"), None);
        for (at, names) in MONTHS.iter().enumerate() {
            for name in *names {
                assert_eq!(
                    month(name),
                    Some(at as i8 + 1),
                    "{name} is the name of one month only"
                );
            }
        }
    }

    fn times(calendar: &mut Calendar, lines: &[&str]) -> Vec<String> {
        let resolve = |line: &&str| match month_and_day(line)
            .and_then(|(stamp, _)| calendar.resolve(stamp))
        {
            Some(time) => Timestamp::from_second(time as i64).unwrap().to_string()[..10].to_owned(),
            None => "none".to_owned(),
        };
        lines.iter().map(resolve).collect()
    }

    #[test]
    fn a_log_across_new_year_ends_in_the_year_of_its_file() {
        let january = at(2027, 1, 3, 0.0).unwrap();
        let lines = [
            "Dec 31 23:59:59",
            "Jan  1 00:00:01",
            "Dec 31 23:59:58",
            "Jan  2 00:00:00",
        ];
        let found = times(&mut Calendar::new(None, january), &lines);
        assert_eq!(
            found,
            ["2026-12-31", "2027-01-01", "2026-12-31", "2027-01-02"]
        );
        let found = times(&mut Calendar::new(Some(2023), january), &lines);
        assert_eq!(
            found,
            ["2023-12-31", "2024-01-01", "2023-12-31", "2024-01-02"]
        );
    }

    #[test]
    fn a_leap_day_is_of_a_leap_year() {
        let modified = at(2027, 6, 1, 0.0).unwrap();
        let lines = ["Feb 29 10:00:00", "Mar  1 10:00:00"];
        let found = times(&mut Calendar::new(None, modified), &lines);
        assert_eq!(found, ["2024-02-29", "2024-03-01"]);
        let found = times(&mut Calendar::new(Some(2027), modified), &lines);
        assert_eq!(found, ["none", "2027-03-01"]);
        assert_eq!(month_and_day("Feb 30 10:00:00"), None);
    }

    #[test]
    fn a_clock_that_is_set_back_is_followed() {
        let mut calendar = Calendar::new(Some(2026), 0.0);
        let resolve = |text: &str| month_and_day(text).unwrap().0;
        let first = calendar.resolve(resolve("Oct 25 02:59:59")).unwrap();
        let second = calendar.resolve(resolve("Oct 25 02:00:01")).unwrap();
        assert_eq!(second - first, -3598.0);
    }

    #[test]
    fn a_difference_counts_from_the_line_before() {
        let mut calendar = Calendar::new(None, TIME);
        assert_eq!(calendar.resolve(Stamp::After(1.5)), Some(1.5));
        calendar.resolve(Stamp::At(TIME));
        assert_eq!(calendar.resolve(Stamp::Unknown), None);
        assert_eq!(calendar.resolve(Stamp::After(2.0)), Some(TIME + 2.0));
    }

    #[test]
    fn the_unit_of_a_number_shows_in_its_magnitude() {
        for number in [TIME, TIME * 1e3, TIME * 1e6, TIME * 1e9] {
            assert!((of_number(number).unwrap() - TIME).abs() < 1.0, "{number}");
        }
        assert_eq!(of_number(f64::NAN), None);
    }
}
