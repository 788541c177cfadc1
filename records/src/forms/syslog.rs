//! Syslog as RFC 5424 and RFC 3164 define it and as rsyslog and syslog-ng write it to files, and `journalctl -o short`, which looks
//! like it.

use std::borrow::Cow;

use bellwether_core::lad::Transport;

use super::line::{Context, Line};
use super::words::{is_host, is_program_with_process, level, program};
use crate::times::{self, Stamp, Written};

/// The endings of units' names, by which `journalctl -o with-unit` names programs.
const UNITS: [&str; 11] = [
    ".service",
    ".scope",
    ".socket",
    ".mount",
    ".slice",
    ".timer",
    ".target",
    ".swap",
    ".automount",
    ".path",
    ".device",
];

/// A line with a number in angle brackets: facility and severity of syslog, or of `dmesg -r`.
pub fn with_priority<'a>(line: &'a str, context: &mut Context) -> Option<Line<'a>> {
    let (number, rest) = priority(line)?;
    let (facility, severity) = (number / 8, number % 8);
    let sent = |line: Line<'a>| Line {
        priority: Some(severity),
        transport: transport(facility),
        ..line
    };
    if let Some(rest) = rest.strip_prefix("1 ")
        && let Some(line) = rfc5424(rest)
    {
        return Some(sent(line));
    }
    if rest.starts_with('[')
        && let Some(line) = super::kernel::bracketed_text(rest)
    {
        return Some(super::kernel::with_facility(facility, severity, line));
    }
    let dated = match times::iso(rest) {
        Some((time, written, rest)) => after_iso(time, written, rest, context),
        None => dated(rest, context),
    };
    if let Some(line) = dated {
        return Some(sent(line));
    }
    // Without a time: "<13>program[1]: text", as sent to the local socket. Without a program, it is a level as a service prints it.
    match local(rest) {
        Some(line) => Some(sent(line)),
        None => Some(Line {
            priority: Some(severity),
            text: rest.into(),
            ..Line::default()
        }),
    }
}

/// What a program sends to the local socket without a time: `program[1]: text`.
fn local(rest: &str) -> Option<Line<'_>> {
    let (word, text) = rest.split_once(' ')?;
    is_program_with_process(word).then_some(())?;
    Some(Line {
        program: program(word)?.into(),
        text: text.into(),
        ..Line::default()
    })
}

/// Facility 0 is the kernel's; a process cannot log with it, for the C library and journald replace it.
fn transport(facility: u8) -> Transport {
    match facility {
        0 => Transport::Kernel,
        _ => Transport::Process,
    }
}

/// The number in angle brackets, facility and severity in one, at the beginning of a line.
fn priority(line: &str) -> Option<(u8, &str)> {
    let (digits, rest) = line.strip_prefix('<')?.split_once('>')?;
    let number = digits
        .bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| digits.parse().ok())??;
    ((1..=3).contains(&digits.len()) && number <= 191).then_some((number, rest))
}

/// RFC 5424 without the number in angle brackets.
pub fn without_priority(line: &str) -> Option<Line<'_>> {
    let rest = line.strip_prefix("1 ")?;
    (rest.starts_with("- ") || times::iso(rest).is_some()).then_some(())?;
    rfc5424(rest)
}

/// What follows the version: time, host, application, process and message id, structured data, message.
fn rfc5424(rest: &str) -> Option<Line<'_>> {
    let mut fields = rest.splitn(6, ' ');
    let time = match fields.next()? {
        "-" => Stamp::Unknown,
        time => match times::iso(time)? {
            (time, _, "") => Stamp::At(time),
            _ => return None,
        },
    };
    let (host, application) = (fields.next()?, fields.next()?);
    let rest = fields.nth(2)?;
    let text = match rest.strip_prefix('-') {
        Some(text) => text,
        None => after_structured_data(rest)?,
    };
    // rsyslog keeps the blank that stood behind the tag of RFC 3164.
    let text = text.trim_start_matches(' ');
    let known = |word| if word == "-" { "" } else { word };
    Some(Line {
        time,
        host: known(host).into(),
        program: known(application).into(),
        text: text.strip_prefix('\u{feff}').unwrap_or(text).into(),
        ..Line::default()
    })
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

/// A line that begins with a date in words: `Oct  3 22:14:15 host program[1]: text` (RFC 3164), or
/// `Fri 2026-11-27 10:00:00 UTC host program[1]: text` (`journalctl -o short-full`).
pub fn dated<'a>(line: &'a str, context: &mut Context) -> Option<Line<'a>> {
    if let Some((time, rest)) = times::month_and_day(line) {
        return message(time, rest.strip_prefix(' ')?, context, Host::Always);
    }
    let (time, rest) = weekday_and_date(line)?;
    message(Stamp::At(time), rest, context, Host::Always)
}

/// Zones whose abbreviations mean one offset only, hours.
const ZONES: [(&str, f64); 19] = [
    ("WEST", 1.0),
    ("CET", 1.0),
    ("CEST", 2.0),
    ("EET", 2.0),
    ("EEST", 3.0),
    ("MSK", 3.0),
    ("SAST", 2.0),
    ("EST", -5.0),
    ("EDT", -4.0),
    ("CDT", -5.0),
    ("MST", -7.0),
    ("MDT", -6.0),
    ("PST", -8.0),
    ("PDT", -7.0),
    ("JST", 9.0),
    ("KST", 9.0),
    ("AEST", 10.0),
    ("AEDT", 11.0),
    ("NZST", 12.0),
];

/// A date such as "Fri 2026-11-27 10:00:00 UTC ", and what follows. A zone whose abbreviation means several is taken for UTC.
pub fn weekday_and_date(line: &str) -> Option<(f64, &str)> {
    let (weekday, rest) = line.split_once(' ')?;
    let is_word = weekday.len() <= 24 && weekday.chars().all(|c| c.is_alphabetic() || c == '.');
    is_word.then_some(())?;
    let (time, _, rest) = times::iso(rest)?;
    let (zone, rest) = rest.strip_prefix(' ')?.split_once(' ')?;
    let offset = match zone.strip_prefix(['+', '-']) {
        Some(digits) if digits.len() <= 5 => {
            let number = |range: std::ops::Range<usize>| {
                let digits = digits.get(range).and_then(|d| d.parse::<u32>().ok());
                digits.unwrap_or(0)
            };
            let seconds = f64::from(number(0..2) * 3600 + number(2..4) * 60);
            if zone.starts_with('-') {
                -seconds
            } else {
                seconds
            }
        }
        _ => ZONES
            .iter()
            .find(|(name, _)| *name == zone)
            .map_or(0.0, |(_, hours)| hours * 3600.0),
    };
    Some((time - offset, rest))
}

/// What follows a time as rsyslog and syslog-ng write it to files: `host program[1]: text`.
pub fn after_iso<'a>(
    time: f64,
    written: Written,
    rest: &'a str,
    context: &mut Context,
) -> Option<Line<'a>> {
    // Applications write a blank between date and time, and rarely a host.
    let host = if written.separator == b'T' {
        Host::BeforeProgram
    } else {
        Host::BeforeProcess
    };
    message(Stamp::At(time), rest.strip_prefix(' ')?, context, host)
}

/// `1795773600.123456 host program[1]: text`, as `journalctl -o short-unix` writes it.
pub fn unix<'a>(line: &'a str, context: &mut Context) -> Option<Line<'a>> {
    let (number, rest) = line.split_once(' ')?;
    let (seconds, fraction) = number.split_once('.')?;
    let is_number = (9..=11).contains(&seconds.len()) && fraction.len() <= 9;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    (is_number && digits(seconds) && digits(fraction)).then_some(())?;
    message(
        Stamp::At(number.parse().ok()?),
        rest,
        context,
        Host::BeforeProgram,
    )
}

/// When the word behind a time is a host. It always is where a line before named it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// The form always has one.
    Always,
    /// A program follows: "host su: text".
    BeforeProgram,
    /// A program with its process follows, or the kernel: `host sshd[17]: text`.
    BeforeProcess,
}

/// Host, program and text: "host kernel: text", `host sshd[17]: text`; or program and text alone.
pub fn message<'a>(
    time: Stamp,
    rest: &'a str,
    context: &mut Context,
    host: Host,
) -> Option<Line<'a>> {
    let rest = rest.trim_start_matches(' ');
    let (word, behind) = rest.split_once(' ').unwrap_or((rest, ""));
    if is_host(word) && level(word).is_none() {
        let behind = behind.trim_start_matches(' ');
        let (source, text) = behind.split_once(' ').unwrap_or((behind, ""));
        let program = program(source);
        let is_known = context.host.as_deref() == Some(word);
        let is_host = match host {
            Host::Always => true,
            Host::BeforeProgram => program.is_some(),
            Host::BeforeProcess => is_program_with_process(source),
        };
        if is_host || is_known {
            if program.is_some() && !is_known {
                context.host = Some(word.to_owned());
            }
            let (program, text) = program.map_or(("", behind), |program| (program, text));
            let is_unit = UNITS.iter().any(|ending| program.ends_with(ending));
            let unit = if is_unit { program } else { "" };
            let unit: Cow<'_, str> = unit.rsplit('/').next().unwrap_or_default().into();
            return Some(Line {
                time,
                host: word.into(),
                program: if is_unit {
                    without_ending(&unit)
                } else {
                    program.into()
                },
                unit,
                text: text.into(),
                ..Line::default()
            });
        }
    }
    // No host: "program[1]: text".
    let is_program = host == Host::Always || is_program_with_process(word);
    let program = is_program.then(|| program(word))??;
    Some(Line {
        time,
        program: program.into(),
        text: behind.into(),
        ..Line::default()
    })
}

fn without_ending<'a>(unit: &Cow<'a, str>) -> Cow<'a, str> {
    let name = |unit: &str| {
        unit.rsplit_once('.')
            .map_or(unit.len(), |(name, _)| name.len())
    };
    match unit {
        Cow::Borrowed(unit) => unit[..name(unit)].into(),
        Cow::Owned(unit) => unit[..name(unit)].to_owned().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{TIME, assert_line, assert_rows};
    use super::*;
    use crate::forms::parse;
    use Transport::{Kernel, Process, Unknown};

    const OCTOBER: Stamp = Stamp::Yearless {
        month: 10,
        day: 3,
        second: 80_055.0,
    };

    #[test]
    fn files_of_rsyslog_and_syslog_ng_do_not_say_the_transport() {
        let at = Stamp::At(TIME + 0.25);
        assert_rows(&[
            (
                "2026-11-27T10:00:00.250000+00:00 hv1 hostd[17934]: (root) EDIT",
                (at, "hv1", "hostd", Unknown, None, "(root) EDIT"),
            ),
            (
                "2026-11-27T12:00:00.25+02:00 hv1.example.org cron: x",
                (at, "hv1.example.org", "cron", Unknown, None, "x"),
            ),
            (
                "2026-11-27T10:00:00.25Z hv1 cron[1]:",
                (at, "hv1", "cron", Unknown, None, ""),
            ),
            (
                "2026-11-27T10:00:00.25 10.0.0.7 postfix/smtpd[1]: x",
                (at, "10.0.0.7", "postfix/smtpd", Unknown, None, "x"),
            ),
            (
                "2026-11-27T10:00:00.25Z h kernel: [    1.5] br0: port 1",
                (at, "h", "kernel", Unknown, None, "[    1.5] br0: port 1"),
            ),
            (
                "2026-11-27T10:00:00.25Z fe80::1 a: b",
                (at, "fe80::1", "a", Unknown, None, "b"),
            ),
            (
                "Oct  3 22:14:15 hv1 su: 'su root' failed",
                (OCTOBER, "hv1", "su", Unknown, None, "'su root' failed"),
            ),
            (
                "Oct 3 22:14:15 hv1 last message repeated 3 times",
                (
                    OCTOBER,
                    "hv1",
                    "",
                    Unknown,
                    None,
                    "last message repeated 3 times",
                ),
            ),
            (
                "Okt  3 22:14:15 hv1 su: x",
                (OCTOBER, "hv1", "su", Unknown, None, "x"),
            ),
            (
                "окт 03 22:14:15 hv1 su: x",
                (OCTOBER, "hv1", "su", Unknown, None, "x"),
            ),
            (
                "10月 03 22:14:15 hv1 su: x",
                (OCTOBER, "hv1", "su", Unknown, None, "x"),
            ),
        ]);
    }

    #[test]
    fn a_line_as_programs_send_it_has_no_host() {
        assert_rows(&[
            (
                "<13>Oct  3 22:14:15 root: text",
                (OCTOBER, "", "root", Process, Some(5), "text"),
            ),
            (
                "Oct  3 22:14:15 sshd[7]: text",
                (OCTOBER, "", "sshd", Unknown, None, "text"),
            ),
            (
                "2026-11-27T10:00:00Z sshd[7]: text",
                (Stamp::At(TIME), "", "sshd", Unknown, None, "text"),
            ),
            (
                "2026-11-27 10:00:00 Server error: text",
                (Stamp::At(TIME), "", "", Unknown, None, "Server error: text"),
            ),
            (
                "2026-11-27 10:00:00 hv1 sshd[7]: text",
                (Stamp::At(TIME), "hv1", "sshd", Unknown, None, "text"),
            ),
        ]);
    }

    #[test]
    fn a_priority_says_who_may_have_logged_it() {
        assert_rows(&[
            (
                "<34>Oct  3 22:14:15 mymachine su: failed",
                (OCTOBER, "mymachine", "su", Process, Some(2), "failed"),
            ),
            (
                "<3>Oct  3 22:14:15 hv1 kernel: I/O error",
                (OCTOBER, "hv1", "kernel", Kernel, Some(3), "I/O error"),
            ),
            (
                "<11>Oct  3 22:14:15 hv1 kernel: I/O error",
                (OCTOBER, "hv1", "kernel", Process, Some(3), "I/O error"),
            ),
            (
                "<13>root[7]: text",
                (Stamp::Unknown, "", "root", Process, Some(5), "text"),
            ),
            (
                "<3>disk failed",
                (Stamp::Unknown, "", "", Unknown, Some(3), "disk failed"),
            ),
            (
                "<30>2026-11-27T10:00:00Z hv1 sshd[1]: x",
                (Stamp::At(TIME), "hv1", "sshd", Process, Some(6), "x"),
            ),
        ]);
    }

    #[test]
    fn rfc_5424_with_structured_data_and_without_and_without_a_priority() {
        let at = Stamp::At(TIME);
        assert_rows(&[(
            "<2>1 2026-11-27T10:00:00+00:00 hv1 kernel - - -  I/O error",
            (at, "hv1", "kernel", Kernel, Some(2), "I/O error"),
        )]);
        assert_rows(&[(
            "2026-11-27T10:00:00Z hv1 app[7] hello",
            (at, "hv1", "app", Unknown, None, "hello"),
        )]);
        let line = "<165>1 2026-11-27T10:00:00Z mymachine.example.com evntslog - ID47 [a@1 iut=\"3\" x=\"q\\\"]z\"][b@2] \u{feff}An event";
        assert_rows(&[
            (
                line,
                (
                    at,
                    "mymachine.example.com",
                    "evntslog",
                    Process,
                    Some(5),
                    "An event",
                ),
            ),
            (
                &line[5..],
                (
                    at,
                    "mymachine.example.com",
                    "evntslog",
                    Unknown,
                    None,
                    "An event",
                ),
            ),
            (
                "<3>1 - host app 12 - - disk failed",
                (
                    Stamp::Unknown,
                    "host",
                    "app",
                    Kernel,
                    Some(3),
                    "disk failed",
                ),
            ),
            (
                "1 - host app 12 - - disk failed",
                (Stamp::Unknown, "host", "app", Unknown, None, "disk failed"),
            ),
            (
                "<11>1 2026-11-27T10:00:00Z - - - - -",
                (at, "", "", Process, Some(3), ""),
            ),
        ]);
    }

    #[test]
    fn journalctl_in_all_its_short_forms() {
        let at = Stamp::At(TIME + 0.5);
        let precise = Stamp::Yearless {
            month: 10,
            day: 3,
            second: 80_055.5,
        };
        let row = |time| (time, "hv1", "qemu", Unknown, None, "text: more");
        assert_rows(&[
            (
                "Oct 03 22:14:15.500000 hv1 qemu[5]: text: more",
                row(precise),
            ),
            (
                "2026-11-27T10:00:00.500000+0000 hv1 qemu[5]: text: more",
                row(at),
            ),
            (
                "Fri 2026-11-27 10:00:00.5 UTC hv1 qemu[5]: text: more",
                row(at),
            ),
            (
                "Fr. 2026-11-27 12:00:00.5 +02 hv1 qemu[5]: text: more",
                row(at),
            ),
            (
                "Fri 2026-11-27 11:00:00.5 CET hv1 qemu[5]: text: more",
                row(at),
            ),
            ("1795773600.500000 hv1 qemu[5]: text: more", row(at)),
            ("1795773600.500000 hv1 qemu: text: more", row(at)),
            (
                "[    5.250000] hv1 qemu[5]: text: more",
                row(Stamp::At(5.25)),
            ),
            (
                "[    5.250000                ] hv1 qemu[5]: text: more",
                row(Stamp::At(5.25)),
            ),
            (
                "[    5.250000 <    1.000000 >] hv1 qemu[5]: text: more",
                row(Stamp::At(5.25)),
            ),
        ]);
        let line = "Fri 2026-11-27 10:00:00 UTC hv1 init.scope/ssh.service[77]: x";
        let line = parse(line, &mut Context::default()).unwrap();
        assert_eq!(
            (&*line.program, &*line.unit, &*line.text),
            ("ssh", "ssh.service", "x")
        );
    }

    #[test]
    fn a_word_behind_an_iso_time_is_a_host_where_a_program_follows_or_a_line_before_named_it() {
        let mut context = Context::default();
        let repeated = "2026-11-27T10:00:00Z hv1 message repeated 3 times";
        let whole = (
            Stamp::At(TIME),
            "",
            "",
            Unknown,
            None,
            "hv1 message repeated 3 times",
        );
        assert_line(repeated, &mut context, &whole);
        parse("2026-11-27T10:00:00Z hv1 kernel: x", &mut context).unwrap();
        let expected = (
            Stamp::At(TIME),
            "hv1",
            "",
            Unknown,
            None,
            "message repeated 3 times",
        );
        assert_line(repeated, &mut context, &expected);
    }
}
