//! Maintenance windows: when nothing is to be learned about a hypervisor, nor reported. And the form in which people write them.
//!
//! A mask file has one window a line:
//!
//! ```text
//! # hypervisor  from                  until
//! hv1           2026-11-28T22:00:00Z  2026-11-29T02:00:00Z
//! rack7-*       2026-11-28T22:00:00Z  +4h30m                # firmware
//! *             1795903200            1795906800
//! ```
//!
//! The name is that of a hypervisor, or a pattern in which `*` stands for any text; in double quotes if it has blanks or a `#`. A
//! time is as RFC 3339 has it, with its offset from UTC, or in seconds since the epoch. The end may be a duration after the start.
//!
//! ```
//! use bellwether_core::maintenance::parse;
//!
//! let parsed = parse("hv1 2026-11-28T22:00:00Z +2h\nhv2 now +2h\n");
//! assert_eq!(parsed.windows.len(), 1);
//! assert_eq!(parsed.windows[0].until.seconds_since(parsed.windows[0].from), 7200.0);
//! assert_eq!(parsed.faults[0].line, 2);
//! ```

use std::borrow::Cow;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::text::{clean, shortened};
use crate::units::Time;

/// Maximum length of the name of a hypervisor, or of a pattern, in bytes.
pub const NAME_MAX_BYTES: usize = 512;
/// Maximum size of a mask file in bytes.
pub const FILE_MAX_BYTES: usize = 1 << 20;
/// Maximum number of windows.
pub const WINDOWS_MAX: usize = 4096;
/// Of the lines of a file that are no windows, this many are described; further ones are only counted.
const FAULTS_MAX: usize = 8;
/// Maximum length of what is quoted from a line, in bytes.
const QUOTED_MAX_BYTES: usize = 60;

/// A time in which a hypervisor is in maintenance: from `from` on and before `until`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// The name of the hypervisor, or a pattern ([`matches()`]).
    pub hypervisor: String,
    /// Its start.
    pub from: Time,
    /// Its end.
    pub until: Time,
}

/// Why a window is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum WindowError {
    /// The name is empty or too long.
    #[error("the name of the hypervisor has {0} bytes; it takes 1 to {NAME_MAX_BYTES}")]
    Name(usize),
    /// A time is not a plausible one.
    #[error("the {0} is not a time; it takes seconds since the epoch")]
    Time(&'static str),
    /// It ends before it begins, or at once.
    #[error("the end is not after the start")]
    Order,
    /// There are too many.
    #[error("there are {WINDOWS_MAX} windows, which is the limit; remove those that are over")]
    Full,
}

impl Window {
    /// Checks that the window has a name and a duration.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn validate(&self) -> Result<(), WindowError> {
        let bytes = self.hypervisor.len();
        if !(1..=NAME_MAX_BYTES).contains(&bytes) {
            return Err(WindowError::Name(bytes));
        }
        for (time, which) in [(self.from, "start"), (self.until, "end")] {
            if !time.is_plausible() {
                return Err(WindowError::Time(which));
            }
        }
        if self.until <= self.from {
            return Err(WindowError::Order);
        }
        Ok(())
    }

    /// Whether it covers all of `other`, of the same name.
    pub fn covers(&self, other: &Self) -> bool {
        self.hypervisor == other.hypervisor && self.from <= other.from && other.until <= self.until
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, until) = (shown(self.from), shown(self.until));
        write!(f, "{} from {from} until {until}", quoted(&self.hypervisor))
    }
}

/// A time as RFC 3339 has it, to the second; in seconds since the epoch if it is of no calendar.
pub fn shown(time: Time) -> String {
    let second = time.secs().round() as i64;
    Timestamp::from_second(second).map_or_else(|_| format!("{second}"), |time| time.to_string())
}

/// Whether `name` is the name that `pattern` is, in which each `*` stands for any text, also for none.
///
/// ```
/// use bellwether_core::maintenance::matches;
///
/// assert!(matches("hv1", "hv1") && matches("rack7-*", "rack7-hv3") && matches("*", "hv1"));
/// assert!(!matches("hv1", "hv10") && !matches("rack7-*", "rack8-hv3"));
/// ```
pub fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    // The earliest place of each part leaves the most for those behind it.
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// A line that is no window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Its number, from 1.
    pub line: usize,
    /// What is wrong with it, and what would be right.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

/// The windows of a mask file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parsed {
    /// Those of all lines that are right, at most [`WINDOWS_MAX`].
    pub windows: Vec<Window>,
    /// The first lines that are not.
    pub faults: Vec<Fault>,
    /// How many further lines are not.
    pub further_faults: usize,
}

impl Parsed {
    /// A line for each fault, and one for those that are only counted.
    pub fn warnings(&self) -> impl Iterator<Item = String> {
        let further = self.further_faults;
        let rest = (further > 0).then(|| format!("{further} further lines are wrong"));
        self.faults.iter().map(Fault::to_string).chain(rest)
    }

    fn fault(&mut self, line: usize, message: String) {
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(Fault { line, message });
        } else {
            self.further_faults += 1;
        }
    }
}

/// Parses a mask file. Of a text above [`FILE_MAX_BYTES`], the whole lines within it count.
pub fn parse(text: &str) -> Parsed {
    let mut parsed = Parsed::default();
    let (text, is_cut) = within_limit(text);
    let mut last = 0;
    for (number, line) in (1..).zip(text.lines()) {
        last = number;
        match parse_line(line) {
            Ok(None) => {}
            Ok(Some(window)) if parsed.windows.len() < WINDOWS_MAX => parsed.windows.push(window),
            Ok(Some(_)) => parsed.fault(number, WindowError::Full.to_string()),
            Err(message) => parsed.fault(number, message),
        }
    }
    if is_cut {
        let message =
            format!("the file is larger than {FILE_MAX_BYTES} bytes; the rest is ignored");
        parsed.fault(last + 1, message);
    }
    parsed
}

/// The whole lines of `text` within the limit, and whether there are more.
fn within_limit(text: &str) -> (&str, bool) {
    if text.len() <= FILE_MAX_BYTES {
        return (text, false);
    }
    let bytes = &text.as_bytes()[..FILE_MAX_BYTES];
    let end = bytes.iter().rposition(|byte| *byte == b'\n');
    (&text[..end.map_or(0, |at| at + 1)], true)
}

/// The window of a line; `None` if it has nothing but a comment.
fn parse_line(line: &str) -> Result<Option<Window>, String> {
    let line = line.strip_prefix('\u{feff}').unwrap_or(line).trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let (name, rest) = name_of(line)?;
    let rest = rest.split('#').next().unwrap_or_default();
    window(&name, rest).map(Some)
}

/// The name that a line begins with, and what follows.
fn name_of(line: &str) -> Result<(Cow<'_, str>, &str), String> {
    if let Some(quoted) = line.strip_prefix('"') {
        let (name, rest) = quoted.split_once('"').ok_or_else(|| {
            "the name begins with a double quote and does not end with one".to_owned()
        })?;
        return Ok((name.into(), rest));
    }
    let end = line.find(|c: char| c.is_whitespace() || c == '#');
    let (name, rest) = line.split_at(end.unwrap_or(line.len()));
    Ok((name.into(), rest))
}

/// The window of the hypervisor `name` that `times` has: its start and its end, separated by blanks.
///
/// # Errors
/// What is wrong with it, and what would be right.
pub fn window(name: &str, times: &str) -> Result<Window, String> {
    const FORM: &str = "a line is HYPERVISOR FROM UNTIL";
    let words: Vec<&str> = times.split_whitespace().take(4).collect();
    let [from, until] = words[..] else {
        let fault = match words.len() {
            0 => "it has no times",
            1 => "it has only one time",
            _ => "it has more than two times",
        };
        return Err(format!(
            "{fault}; {FORM}, such as \"hv1 2026-11-28T22:00:00Z +4h\"; a name with blanks is in double quotes"
        ));
    };
    let from = time(from).map_err(|fault| format!("the start {fault}"))?;
    let until = match until.strip_prefix('+') {
        Some(length) => duration(length).map(|length| from + length),
        None => time(until),
    };
    let until = until.map_err(|fault| format!("the end {fault}"))?;
    let window = Window {
        hypervisor: name.to_owned(),
        from: Time::from_secs(from),
        until: Time::from_secs(until),
    };
    window.validate().map_err(|error| error.to_string())?;
    Ok(window)
}

/// What a line has, for a message.
fn quoted(word: &str) -> String {
    shortened(&clean(word), QUOTED_MAX_BYTES)
}

/// A point in time, in seconds since the epoch.
fn time(word: &str) -> Result<f64, String> {
    let is_number = word
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    if is_number && let Ok(seconds) = word.parse::<f64>() {
        return Ok(seconds);
    }
    if let Ok(time) = word.parse::<Timestamp>() {
        return Ok(time.as_microsecond() as f64 / 1e6);
    }
    let shown = quoted(word);
    if word.to_ascii_lowercase().starts_with("now") || word.starts_with(['+', '-']) {
        return Err(format!(
            "\"{shown}\" would be another time whenever the file is read; write the time itself, such as 2026-11-28T22:00:00Z"
        ));
    }
    if word.contains(['T', 't']) && word.parse::<jiff::civil::DateTime>().is_ok() {
        return Err(format!(
            "\"{shown}\" lacks the offset from UTC; write {shown}Z, or for example {shown}+01:00"
        ));
    }
    Err(format!(
        "\"{shown}\" is not a time; it takes RFC 3339, such as 2026-11-28T22:00:00Z, or seconds since the epoch"
    ))
}

/// A duration such as "1h30m", in seconds.
fn duration(word: &str) -> Result<f64, String> {
    let fault = || {
        format!(
            "\"+{}\" is not a duration; it takes numbers with units d, h, m and s, such as +1h30m",
            quoted(word)
        )
    };
    let (mut rest, mut seconds) = (word, 0.0);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(fault)?;
        let number: u32 = rest[..digits].parse().map_err(|_| fault())?;
        let unit = match rest.as_bytes()[digits] {
            b'd' => 86_400.0,
            b'h' => 3600.0,
            b'm' => 60.0,
            b's' => 1.0,
            _ => return Err(fault()),
        };
        seconds += f64::from(number) * unit;
        rest = &rest[digits + 1..];
    }
    match word.is_empty() {
        true => Err(fault()),
        false => Ok(seconds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-28T22:00:00Z.
    const TEN: f64 = 1_795_903_200.0;

    fn of(hypervisor: &str, from: f64, until: f64) -> Window {
        Window {
            hypervisor: hypervisor.to_owned(),
            from: Time::from_secs(from),
            until: Time::from_secs(until),
        }
    }

    #[test]
    fn a_line_has_a_hypervisor_and_two_times_in_any_of_their_forms() {
        for (line, window) in [
            (
                "hv1 2026-11-28T22:00:00Z 2026-11-29T00:00:00Z",
                of("hv1", TEN, TEN + 7200.0),
            ),
            (
                "hv1\t2026-11-28T23:00:00+01:00   +2h",
                of("hv1", TEN, TEN + 7200.0),
            ),
            (
                "hv1 1795903200 1795903200.5 # note",
                of("hv1", TEN, TEN + 0.5),
            ),
            (
                "rack7-* 2026-11-28T22:00:00.250Z +1d2h3m4s# note",
                of("rack7-*", TEN + 0.25, TEN + 0.25 + 93_784.0),
            ),
            ("\u{feff}* 0 6000\r", of("*", 0.0, 6000.0)),
            ("\"host #1 a\" 10 20", of("host #1 a", 10.0, 20.0)),
        ] {
            let parsed = parse(line);
            assert_eq!(parsed.faults, [], "{line}");
            assert_eq!(parsed.windows, [window], "{line}");
        }
        assert_eq!(parse("\n  \n# comment\n   # hv1 1 2\n"), Parsed::default());
    }

    #[test]
    fn a_wrong_line_is_named_with_what_would_be_right_and_the_others_count() {
        for (line, fault) in [
            (
                "hv1",
                "it has no times; a line is HYPERVISOR FROM UNTIL, such as",
            ),
            ("hv1 # 10 20", "it has no times"),
            ("hv1 10", "it has only one time"),
            (
                "my host 10 20",
                "it has more than two times; a line is HYPERVISOR FROM UNTIL, such as \"hv1 ",
            ),
            ("\"hv1 10 20", "the name begins with a double quote"),
            ("\"\" 10 20", "the name of the hypervisor has 0 bytes"),
            (
                "hv1 now +2h",
                "the start \"now\" would be another time whenever the file is read",
            ),
            ("hv1 +2h +3h", "the start \"+2h\" would be another time"),
            (
                "hv1 2026-11-28T22:00:00 +2h",
                "the start \"2026-11-28T22:00:00\" lacks the offset from UTC; write 2026-11-28T22:00:00Z, or",
            ),
            (
                "hv1 28.11.2026 +2h",
                "the start \"28.11.2026\" is not a time; it takes RFC 3339",
            ),
            (
                "hv1 2026-11-31T22:00:00Z +2h",
                "the start \"2026-11-31T22:00:00Z\" is not a time",
            ),
            (
                "hv1 10 +2w",
                "the end \"+2w\" is not a duration; it takes numbers with units d, h, m and s",
            ),
            ("hv1 10 +", "the end \"+\" is not a duration"),
            ("hv1 10 +5", "the end \"+5\" is not a duration"),
            (
                "hv1 10 +99999999999h",
                "the end \"+99999999999h\" is not a duration",
            ),
            ("hv1 20 10", "the end is not after the start"),
            ("hv1 10 +0s", "the end is not after the start"),
            ("hv1 10 999999999999999", "the end is not a time"),
        ] {
            let parsed = parse(&format!("hv0 1 2\n{line}\nhv2 1 2"));
            assert_eq!(parsed.windows.len(), 2, "{line}");
            let text = parsed.faults[0].to_string();
            assert!(
                text.starts_with(&format!("line 2: {fault}")),
                "{line}: {text}"
            );
        }
    }

    #[test]
    fn a_file_of_nonsense_or_of_any_size_gives_few_warnings_and_few_windows() {
        let nonsense = parse(&"nonsense\n".repeat(100));
        assert_eq!(
            (nonsense.faults.len(), nonsense.further_faults),
            (FAULTS_MAX, 100 - FAULTS_MAX)
        );
        let last = nonsense.warnings().last().unwrap();
        assert_eq!(last, "92 further lines are wrong");
        let many = parse(&"hv1 1 2\n".repeat(WINDOWS_MAX + 3));
        assert_eq!((many.windows.len(), many.faults.len()), (WINDOWS_MAX, 3));
        let large = parse(&format!(
            "hv1 1 2\n# {}\nhv2 1 2\n",
            "ü".repeat(FILE_MAX_BYTES)
        ));
        assert_eq!(large.windows.len(), 1);
        assert!(
            large.faults[0]
                .message
                .contains("larger than 1048576 bytes")
        );
        let long = parse(&format!("hv1 {} +1h", "x".repeat(1000)));
        assert!(long.faults[0].message.len() < 300);
    }

    #[test]
    fn a_window_is_shown_with_its_times_in_utc() {
        let text = of("hv1\nforged", TEN + 0.2, 1e11).to_string();
        assert_eq!(
            text,
            "hv1 forged from 2026-11-28T22:00:00Z until 5138-11-16T09:46:40Z"
        );
        assert_eq!(shown(Time::from_secs(9e14)), "900000000000000");
    }

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, name) in [
            ("a*b*c", "abc"),
            ("a*b*c", "a-b-b-c"),
            ("*.example.org", "hv1.example.org"),
            ("**", ""),
            ("a*a", "aa"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("a*b*c", "ac"),
            ("a*a", "a"),
            ("", "a"),
            ("a*", "ba"),
            ("*ab*ab", "ab"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }
}
