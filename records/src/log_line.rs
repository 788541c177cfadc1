//! One line of a log file: syslog as RFC 5424 and RFC 3164 write it, and what rsyslog writes to files.

use bellwether_core::lad::Source;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;

/// What a line holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogLine<'a> {
    /// Seconds since the epoch, where the line says when.
    pub time: Option<f64>,
    /// The severity that it gives itself, 0 (emergency) to 7 (debug).
    pub priority: Option<u8>,
    /// The program that says it, without its process number, where the line names it.
    pub program: Option<&'a str>,
    /// The message, without time, host and source; the whole line where it has another form.
    pub text: &'a str,
}

/// The months as RFC 3164 writes them.
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

impl<'a> LogLine<'a> {
    /// Who says it.
    pub fn source(&self) -> Source<'a> {
        Source {
            program: self.program.unwrap_or_default().as_bytes(),
            ..Source::default()
        }
    }

    /// Reads a line. `year` is that of times that have none; such times are in UTC, like all that do not say.
    pub fn parse(line: &'a str, year: i16) -> Self {
        let (priority, rest) = priority(line);
        let bare = Self {
            time: None,
            priority,
            program: None,
            text: rest,
        };
        if priority.is_some()
            && let Some(rest) = rest.strip_prefix("1 ")
            && let Some((time, program, text)) = rfc5424(rest)
        {
            return Self {
                time,
                program,
                text,
                ..bare
            };
        }
        let timed = iso(rest).or_else(|| rfc3164(rest, year));
        match timed {
            Some((time, rest)) => {
                let (program, text) = message(rest);
                Self {
                    time: Some(time),
                    program,
                    text,
                    ..bare
                }
            }
            None => bare,
        }
    }
}

/// The number in angle brackets, facility and severity in one, at the beginning of a line.
fn priority(line: &str) -> (Option<u8>, &str) {
    let number = line.strip_prefix('<').and_then(|rest| rest.split_once('>'));
    match number {
        Some((digits, rest)) if (1..=3).contains(&digits.len()) => match digits.parse::<u8>() {
            Ok(number @ 0..=191) => (Some(number % 8), rest),
            _ => (None, line),
        },
        _ => (None, line),
    }
}

/// Time, program and message of what follows the version: time, host, application, process and message id, structured data, message.
fn rfc5424(rest: &str) -> Option<(Option<f64>, Option<&str>, &str)> {
    let mut fields = rest.splitn(6, ' ');
    let time = fields.next()?;
    let time = match time {
        "-" => None,
        _ => Some(seconds(time)?),
    };
    let program = fields.nth(1)?;
    let rest = fields.nth(2)?;
    let text = match rest.strip_prefix('-') {
        Some(text) => text,
        None => after_structured_data(rest)?,
    };
    let text = text.strip_prefix(' ').unwrap_or(text);
    let program = (program != "-").then_some(program);
    Some((time, program, text.strip_prefix('\u{feff}').unwrap_or(text)))
}

/// What comes behind elements in brackets, whose quoted values may hold brackets and escaped quotes.
fn after_structured_data(rest: &str) -> Option<&str> {
    let (mut quoted, mut escaped, mut depth) = (false, false, 0);
    for (at, byte) in rest.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' if depth > 0 => quoted = !quoted,
            _ if quoted => {}
            b'[' if depth == 0 => depth = 1,
            b']' if depth == 1 => depth = 0,
            b' ' if depth == 0 => return Some(&rest[at..]),
            _ if depth == 0 => return None,
            _ => {}
        }
    }
    (depth == 0).then_some("")
}

/// A time as ISO 8601 writes it, and what follows it.
fn iso(line: &str) -> Option<(f64, &str)> {
    if !line.as_bytes().first()?.is_ascii_digit() {
        return None;
    }
    let (time, rest) = line.split_once(' ').unwrap_or((line, ""));
    Some((seconds(time)?, rest))
}

/// Seconds since the epoch of a time as ISO 8601 writes it, with or without an offset.
fn seconds(time: &str) -> Option<f64> {
    if !time.contains('T') {
        return None;
    }
    let timestamp = time.parse::<Timestamp>().ok();
    let timestamp = timestamp.or_else(|| {
        Offset::UTC
            .to_timestamp(time.parse::<DateTime>().ok()?)
            .ok()
    })?;
    Some(timestamp.as_microsecond() as f64 / 1e6)
}

/// A time such as "Oct  3 22:14:15", and what follows it.
fn rfc3164(line: &str, year: i16) -> Option<(f64, &str)> {
    let (time, rest) = line.split_at_checked(15)?;
    let month = MONTHS.iter().position(|month| time.starts_with(month))?;
    let day = time.get(4..6)?.trim_start().parse().ok()?;
    let mut clock = time
        .get(7..)?
        .splitn(3, ':')
        .map(|part| part.parse::<i8>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    let date = Date::new(year, month as i8 + 1, day).ok()?;
    let time = jiff::civil::Time::new(hour, minute, second.min(59), 0).ok()?;
    let timestamp = Offset::UTC.to_timestamp(date.to_datetime(time)).ok()?;
    Some((timestamp.as_second() as f64, rest.strip_prefix(' ')?))
}

/// The program and what follows host and program: "host-1 kernel: text", "host-1 sshd[17]: text".
fn message(rest: &str) -> (Option<&str>, &str) {
    let Some((_, rest)) = rest.split_once(' ') else {
        return (None, rest);
    };
    let (source, text) = rest.split_once(' ').unwrap_or((rest, ""));
    let Some(program) = source.strip_suffix(':') else {
        return (None, rest);
    };
    let program = program.split_once('[').map_or(program, |(name, _)| name);
    ((!program.is_empty()).then_some(program), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> (Option<f64>, Option<u8>, &str) {
        let line = LogLine::parse(line, 2024);
        (line.time, line.priority, line.text)
    }

    #[test]
    fn what_rsyslog_writes_to_files() {
        let time = Some(1_707_136_786.25);
        for line in [
            "2024-02-05T12:39:46.250000+00:00 host-02 hostd[17934]: (root) EDIT (root)",
            "2024-02-05T14:39:46.25+02:00 host-02 cron: (root) EDIT (root)",
            "2024-02-05T12:39:46.25Z host-02 cron[1]: (root) EDIT (root)",
            "2024-02-05T12:39:46.25 host-02 cron[1]: (root) EDIT (root)",
        ] {
            assert_eq!(parse(line), (time, None, "(root) EDIT (root)"), "{line}");
        }
        assert_eq!(
            parse("2024-02-05T12:39:46.25Z host-02 cron[1]:"),
            (time, None, "")
        );
        let kernel = "2024-02-05T12:39:46.25Z h kernel: [    1.5] br0: port 1(eth0) entered";
        assert_eq!(parse(kernel).2, "[    1.5] br0: port 1(eth0) entered");
    }

    #[test]
    fn rfc_3164_with_and_without_a_priority() {
        let line = "<34>Oct  3 22:14:15 mymachine su: 'su root' failed for lonvick";
        let said = (
            Some(1_727_993_655.0),
            Some(2),
            "'su root' failed for lonvick",
        );
        assert_eq!(parse(line), said);
        assert_eq!(parse(&line[4..]).1, None);
        assert_eq!(parse(&line[4..]).0, said.0);
        assert_eq!(parse("Feb 30 22:14:15 a b: c").0, None);
    }

    #[test]
    fn rfc_5424_with_structured_data_and_without() {
        let line = "<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 \
                    [a@1 iut=\"3\" x=\"q\\\"]z\"][b@2] \u{feff}An application event";
        assert_eq!(
            parse(line),
            (Some(1_065_910_455.003), Some(5), "An application event")
        );
        let line = "<11>1 - host app 12 - - disk failed";
        assert_eq!(parse(line), (None, Some(3), "disk failed"));
        assert_eq!(
            parse("<11>1 2003-10-11T22:14:15.003Z host app 12 - -").2,
            ""
        );
    }

    #[test]
    fn the_program_is_named_without_its_process() {
        for (line, program) in [
            (
                "2024-02-05T12:39:46Z host-02 hostd[17934]: x",
                Some("hostd"),
            ),
            ("Oct  3 22:14:15 host kernel: [    1.5] x", Some("kernel")),
            ("<11>1 - host app 12 - - disk failed", Some("app")),
            ("<11>1 - host - 12 - - disk failed", None),
            ("Oct  3 22:14:15 host last message repeated 3 times", None),
            ("disk failed", None),
        ] {
            assert_eq!(LogLine::parse(line, 2024).program, program, "{line}");
        }
    }

    #[test]
    fn a_line_of_another_form_is_its_own_message() {
        for line in [
            "",
            "disk failed",
            "  at main.c:12",
            "<999>x",
            "<>",
            "12 monkeys",
            "Octopus",
            "ü<1",
        ] {
            assert_eq!(parse(line), (None, None, line), "{line}");
        }
        assert_eq!(parse("<3>disk failed"), (None, Some(3), "disk failed"));
    }
}
