//! The kernel's messages as `dmesg` prints them in all its formats, and as `/dev/kmsg` gives them.

use std::borrow::Cow;

use bellwether_core::lad::Transport;

use super::line::{Bracket, Context, Line};
use super::words::{is_host, is_program_with_process, level, program};
use crate::times::{self, Stamp};

/// The name of the program, as journald and rsyslog have it.
const KERNEL: &str = "kernel";
/// The facilities as `dmesg -x` names them.
const FACILITIES: [&str; 12] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv",
    "ftp",
];

/// A line that begins with a time in brackets: `dmesg` in most of its formats, or `journalctl -o short-monotonic` and `short-delta`,
/// where host and program follow.
pub fn bracketed<'a>(line: &'a str, context: &mut Context) -> Option<Line<'a>> {
    let (stamp, rest) = bracket(line)?;
    if matches!(stamp, Stamp::At(_)) && context.bracket != Bracket::Kernel {
        let (host, behind) = rest.split_once(' ').unwrap_or((rest, ""));
        let source = behind.split(' ').next().unwrap_or_default();
        let is_same = match &context.bracket {
            Bracket::Host(known) => known == host && program(source).is_some(),
            _ => is_host(host) && is_program_with_process(source),
        };
        if is_same {
            if context.bracket == Bracket::Unknown {
                context.bracket = Bracket::Host(host.to_owned());
            }
            return super::syslog::message(stamp, rest, context, super::syslog::Host::Always);
        }
        // "usb 1-1:" may be a host and a program, too: such a line shows nothing.
        if context.bracket == Bracket::Unknown && !(is_host(host) && program(source).is_some()) {
            context.bracket = Bracket::Kernel;
        }
    }
    Some(of_kernel(stamp, rest))
}

/// A line of the kernel that begins with a time in brackets.
pub fn bracketed_text(line: &str) -> Option<Line<'_>> {
    let (stamp, rest) = bracket(line)?;
    Some(of_kernel(stamp, rest))
}

fn of_kernel(time: Stamp, text: &str) -> Line<'_> {
    // With CONFIG_PRINTK_CALLER, the task or processor that printed it stands in brackets, padded to a width.
    let text = text
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("] "))
        .filter(|(caller, _)| is_caller(caller.trim_start()))
        .map_or(text, |(_, text)| text);
    Line {
        time,
        program: KERNEL.into(),
        transport: Transport::Kernel,
        text: text.into(),
        ..Line::default()
    }
}

fn is_caller(word: &str) -> bool {
    let number = word.strip_prefix('T').or_else(|| word.strip_prefix('C'));
    number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

/// A message to the kernel's buffer whose facility is known: that of another facility came from a process, which puts its name in
/// front.
pub fn with_facility(facility: u8, severity: u8, line: Line<'_>) -> Line<'_> {
    let mut line = Line {
        priority: Some(severity),
        ..line
    };
    if facility == 0 {
        return line;
    }
    line.transport = Transport::Process;
    line.program = Cow::default();
    if let Cow::Borrowed(text) = line.text
        && let Some((word, rest)) = text.split_once(' ')
        && let Some(name) = program(word)
    {
        line.program = name.into();
        line.text = rest.into();
    }
    line
}

/// What stands in the brackets at the beginning of a line, and the text behind them.
fn bracket(line: &str) -> Option<(Stamp, &str)> {
    let (inside, rest) = line.strip_prefix('[')?.split_once(']')?;
    let rest = rest.strip_prefix(' ').unwrap_or(rest);
    // With the time since the message before: "1.234567 <    0.000012>".
    let (time, delta) = match inside.split_once('<') {
        Some((time, delta)) => (
            time.trim(),
            Some(delta.trim_end().strip_suffix('>')?.trim()),
        ),
        None => (inside.trim(), None),
    };
    let stamp = if time.is_empty() {
        Stamp::After(seconds(delta?)?)
    } else if let Some(delta) = time.strip_prefix('+') {
        Stamp::After(seconds(delta)?)
    } else if let Some(seconds) = seconds(time) {
        Stamp::At(seconds)
    } else {
        ctime(time).or_else(|| short_date(time))?
    };
    Some((stamp, rest))
}

/// A number of seconds with a fraction.
fn seconds(text: &str) -> Option<f64> {
    let (whole, fraction) = text.split_once('.')?;
    let digits =
        |text: &str| (1..=12).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    (digits(whole) && digits(fraction)).then(|| text.parse().ok())?
}

/// "Fri Nov 27 10:00:00 2026", as `dmesg -T` prints it.
fn ctime(text: &str) -> Option<Stamp> {
    let (_, rest) = text.split_once(' ')?;
    let (stamp, rest) = times::month_and_day(rest)?;
    let year: i16 = rest.trim().parse().ok()?;
    match stamp {
        Stamp::Yearless { month, day, second } => {
            Some(Stamp::At(times::at(year, month, day, second)?))
        }
        _ => None,
    }
}

/// "Nov27 10:00", as `dmesg -e` prints the first time of a minute.
fn short_date(text: &str) -> Option<Stamp> {
    let (date, clock) = text.split_once(' ')?;
    let digits = date
        .find(|c: char| c.is_ascii_digit())
        .filter(|at| *at > 0)?;
    // The name of a month may itself begin with a digit; its day does not.
    let month = times::month(date[..digits].trim())?;
    let day: i8 = date[digits..].parse().ok()?;
    let (second, _) = times::time_of_day(&format!("{}:00", clock.trim()))?;
    times::at(2024, month, day, second)?;
    Some(Stamp::Yearless { month, day, second })
}

/// What follows a time with a comma: `dmesg --time-format iso`.
pub fn iso(time: f64, rest: &str) -> Option<Line<'_>> {
    Some(of_kernel(Stamp::At(time), rest.strip_prefix(' ')?))
}

/// `kern  :err   : [    1.234567] text`, as `dmesg -x` prints it in all its formats.
pub fn decoded<'a>(line: &'a str, context: &mut Context) -> Option<Line<'a>> {
    let (facility, rest) = line.split_at_checked(line.find(':').filter(|at| *at <= 10)?)?;
    let (severity, rest) = rest[1..].split_once(':')?;
    let facility = facility.trim_end();
    let number = FACILITIES.iter().position(|name| *name == facility);
    let number =
        number.or_else(|| Some(16 + facility.strip_prefix("local")?.parse::<usize>().ok()?));
    let severity = level(severity.trim_end())?;
    let rest = rest.strip_prefix(' ')?;
    // What it prints with a time looks like a kernel's line, whatever other lines of the file are.
    context.bracket = Bracket::Kernel;
    let line = match rest.as_bytes().first() {
        Some(b'[') => bracketed_text(rest),
        Some(b'0'..=b'9') => times::iso(rest).and_then(|(time, _, rest)| iso(time, rest)),
        _ => None,
    };
    let line = line.unwrap_or_else(|| of_kernel(Stamp::Unknown, rest));
    Some(with_facility(number? as u8, severity, line))
}

/// "3,1234,5678901,-;text", as `/dev/kmsg` gives it: facility and severity, sequence number, microseconds since the start, flags.
pub fn kmsg(line: &str) -> Option<Line<'_>> {
    let (prefix, text) = line.split_at_checked(line.find(';').filter(|at| *at <= 128)?)?;
    let mut fields = prefix.split(',');
    let mut number = || fields.next()?.parse::<u64>().ok();
    let (priority, _, micros) = (number()?, number()?, number()?);
    fields.next()?;
    let line = Line {
        text: unescaped(&text[1..]),
        ..of_kernel(Stamp::At(micros as f64 / 1e6), "")
    };
    Some(with_facility(
        (priority / 8).min(255) as u8,
        (priority % 8) as u8,
        line,
    ))
}

/// A text in which bytes that are not printable stand as "\x0a".
fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains("\\x") {
        return text.into();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("\\x") {
        bytes.extend(before.bytes());
        match behind
            .get(..2)
            .and_then(|hex| u8::from_str_radix(hex, 16).ok())
        {
            Some(byte) => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            None => {
                bytes.extend(b"\\x");
                rest = behind;
            }
        }
    }
    bytes.extend(rest.bytes());
    String::from_utf8_lossy(&bytes).into_owned().into()
}

/// Whether a line adds a property to a record of `/dev/kmsg`: " SUBSYSTEM=pci".
pub fn is_kmsg_property(line: &str) -> bool {
    let key = line.strip_prefix(' ').and_then(|rest| rest.split_once('='));
    key.is_some_and(|(key, _)| {
        !key.is_empty() && key.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{TIME, assert_line, assert_rows};
    use super::*;
    use crate::forms::parse;
    use Transport::{Kernel, Process};

    #[test]
    fn dmesg_in_all_its_formats() {
        let text = "nvme nvme0: I/O 5 QID 1 timeout, aborting";
        let row = |time, priority| (time, "", "kernel", Kernel, priority, text);
        let short = Stamp::Yearless {
            month: 11,
            day: 27,
            second: 36_000.0,
        };
        for (prefix, time, priority) in [
            ("[   12.340000] ", Stamp::At(12.34), None),
            ("[12345.678901] ", Stamp::At(12_345.678_901), None),
            ("[   12.340000 <    0.000012>] ", Stamp::At(12.34), None),
            ("[<    0.250000>] ", Stamp::After(0.25), None),
            ("[Fri Nov 27 10:00:00 2026] ", Stamp::At(TIME), None),
            ("[ven. nov. 27 10:00:00 2026] ", Stamp::At(TIME), None),
            (
                "[Fri Nov 27 10:00:00 2026 <    0.000012>] ",
                Stamp::At(TIME),
                None,
            ),
            ("[Nov27 10:00] ", short, None),
            ("[  +0.000012] ", Stamp::After(0.000_012), None),
            ("2026-11-27T10:00:00,000000+00:00 ", Stamp::At(TIME), None),
            ("<4>[   12.340000] ", Stamp::At(12.34), Some(4)),
            ("kern  :err   : [   12.340000] ", Stamp::At(12.34), Some(3)),
            (
                "kern  :warn  : [Fri Nov 27 10:00:00 2026] ",
                Stamp::At(TIME),
                Some(4),
            ),
            (
                "kern  :warn  : 2026-11-27T10:00:00,000000+00:00 ",
                Stamp::At(TIME),
                Some(4),
            ),
            ("kern  :notice: [Nov27 10:00] ", short, Some(5)),
            ("kern  :info  : ", Stamp::Unknown, Some(6)),
            ("[   12.340000] [   T1234] ", Stamp::At(12.34), None),
            ("[   12.340000][    C3] ", Stamp::At(12.34), None),
            ("3,1234,12340000,-;", Stamp::At(12.34), Some(3)),
            ("3,1234,12340000,-,caller=T1;", Stamp::At(12.34), Some(3)),
        ] {
            assert_rows(&[(&format!("{prefix}{text}"), row(time, priority))]);
        }
    }

    #[test]
    fn what_a_process_writes_to_the_buffer_is_not_the_kernel() {
        let at = Stamp::At(1.5);
        let row = (at, "", "systemd", Process, Some(4), "Inserted module");
        assert_rows(&[
            ("<28>[    1.500000] systemd[1]: Inserted module", row),
            ("28,77,1500000,-;systemd[1]: Inserted module", row),
            (
                "daemon:warn  : [    1.500000] systemd[1]: Inserted module",
                row,
            ),
            (
                "<12>[    1.500000] Out of memory",
                (at, "", "", Process, Some(4), "Out of memory"),
            ),
        ]);
    }

    #[test]
    fn kmsg_escapes_what_is_not_printable() {
        assert_rows(&[(
            "6,1,1500000,-;a\\x0ab\\x5c \\xz",
            (Stamp::At(1.5), "", "kernel", Kernel, Some(6), "a\nb\\ \\xz"),
        )]);
        assert!(
            is_kmsg_property(" SUBSYSTEM=pci") && is_kmsg_property(" DEVICE=+pci:0000:00:01.0")
        );
        assert!(!is_kmsg_property(" text = more") && !is_kmsg_property("A=b"));
    }

    #[test]
    fn the_kernel_s_lines_are_not_taken_for_those_of_a_journal() {
        let mut context = Context::default();
        for text in [
            "Linux version 6.1",
            "usb 1-1: new device",
            "scsi host0: ahci",
            "task qemu[12]: hung",
        ] {
            let line = format!("[    1.500000] {text}");
            assert_line(
                &line,
                &mut context,
                &(Stamp::At(1.5), "", "kernel", Kernel, None, text),
            );
        }
        assert_eq!(context.bracket, Bracket::Kernel);
        // The first line of a cut buffer may look like either.
        let mut context = Context::default();
        parse("[    1.500000] usb 1-1: new device", &mut context).unwrap();
        assert_eq!(context.bracket, Bracket::Unknown);
        parse("[    1.500000] hv1 kernel: x", &mut context).unwrap();
        let line = parse("[    1.600000] hv1 mdadm: Fail event", &mut context).unwrap();
        assert_eq!(
            (&*line.host, &*line.program, line.transport),
            ("hv1", "mdadm", Transport::Unknown)
        );
    }
}
