//! Forms that many applications share: klog, logfmt, audit records, and lines of a time, a level and a text.

use std::borrow::Cow;

use super::line::Line;
use super::words::level;
use crate::times::{self, Stamp};

/// Keys of the message, the first that is there.
pub const TEXT_KEYS: [&str; 6] = ["msg", "message", "MESSAGE", "log", "text", "event"];
/// Keys of the level.
pub const LEVEL_KEYS: [&str; 9] = [
    "level",
    "lvl",
    "severity",
    "loglevel",
    "log_level",
    "log.level",
    "levelname",
    "SeverityText",
    "priority",
];
/// Keys of the time.
pub const TIME_KEYS: [&str; 9] = [
    "time",
    "ts",
    "timestamp",
    "@timestamp",
    "t",
    "datetime",
    "eventTime",
    "date",
    "Timestamp",
];
/// Keys of what went wrong, which belongs to the message.
pub const REASON_KEYS: [&str; 6] = [
    "error",
    "err",
    "reason",
    "exception",
    "cause",
    "errorVerbose",
];
/// Keys of the host.
pub const HOST_KEYS: [&str; 5] = ["host", "hostname", "host.name", "_HOSTNAME", "nodename"];
/// Keys of the program.
pub const PROGRAM_KEYS: [&str; 9] = [
    "program",
    "programname",
    "ident",
    "SYSLOG_IDENTIFIER",
    "app",
    "appname",
    "service",
    "service.name",
    "process",
];

/// "E1127 10:00:00.123456    1 file.go:12] text", as Kubernetes' components print: a letter for the level, month and day, time, thread,
/// place.
pub fn klog(line: &str) -> Option<Line<'_>> {
    let priority = match line.as_bytes().first()? {
        b'I' => 6,
        b'W' => 4,
        b'E' => 3,
        b'F' => 2,
        _ => return None,
    };
    let (date, rest) = line[1..].split_once(' ')?;
    (date.len() == 4 && date.bytes().all(|b| b.is_ascii_digit())).then_some(())?;
    let (second, rest) = times::time_of_day(rest)?;
    let (place, text) = rest
        .split_once("] ")
        .or_else(|| Some((rest.strip_suffix(']')?, "")))?;
    let file = place.trim_start().split_once(' ')?.1;
    file.rsplit_once(':')?.1.parse::<u32>().ok()?;
    let (month, day) = (date[..2].parse().ok()?, date[2..].parse().ok()?);
    times::at(2024, month, day, second)?;
    Some(Line {
        time: Stamp::Yearless { month, day, second },
        priority: Some(priority),
        text: text.into(),
        ..Line::default()
    })
}

/// "time=... level=error msg="..." error="..."": pairs of keys and values.
pub fn logfmt(line: &str) -> Option<Line<'_>> {
    let key_length = line.bytes().take_while(|&b| is_key_byte(b)).count();
    (key_length > 0 && line[key_length..].starts_with('=')).then_some(())?;
    // Few keys are looked for, and a message is required: other lines may hold an "=", too.
    let mut found: [Option<Cow<'_, str>>; 6] = Default::default();
    let [text, severity, time, reason, host, program] = &mut found;
    let mut rest = line;
    while !rest.is_empty() {
        let (key, value, behind) = pair(rest)?;
        rest = behind;
        for (keys, slot) in [
            (&TEXT_KEYS[..], &mut *text),
            (&LEVEL_KEYS, &mut *severity),
            (&TIME_KEYS, &mut *time),
            (&REASON_KEYS, &mut *reason),
            (&HOST_KEYS, &mut *host),
            (&PROGRAM_KEYS, &mut *program),
        ] {
            if slot.is_none() && keys.contains(&key) {
                *slot = Some(value.clone());
            }
        }
    }
    let [text, severity, time, reason, host, program] = found;
    let text = text?;
    Some(Line {
        time: time.map_or(Stamp::Unknown, |time| stamp(&time)),
        host: host.unwrap_or_default(),
        program: program.unwrap_or_default(),
        priority: severity.and_then(|word| level(&word)),
        text: with_reason(text, reason),
        ..Line::default()
    })
}

fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_.@-/".contains(&byte)
}

/// The first pair of a text, and what follows it. A value is quoted as in Go and JSON, or ends at a blank.
fn pair(text: &str) -> Option<(&str, Cow<'_, str>, &str)> {
    let length = text.bytes().take_while(|&b| is_key_byte(b)).count();
    let (key, rest) = text
        .split_at_checked(length)
        .filter(|(key, _)| !key.is_empty())?;
    let Some(rest) = rest.strip_prefix('=') else {
        // A key alone is true.
        return Some((
            key,
            "".into(),
            rest.strip_prefix(' ')?.trim_start_matches(' '),
        ));
    };
    let Some(quoted) = rest.strip_prefix('"') else {
        let (value, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        return Some((key, value.into(), rest.trim_start_matches(' ')));
    };
    let mut escaped = false;
    let end = quoted.bytes().position(|byte| {
        let is_end = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        is_end
    })?;
    let value = unescaped(&quoted[..end]);
    Some((key, value, quoted[end + 1..].trim_start_matches(' ')))
}

fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return text.into();
    }
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => match characters.next() {
                Some('n') => plain.push('\n'),
                Some('t') => plain.push('\t'),
                Some(other) => plain.push(other),
                None => plain.push('\\'),
            },
            _ => plain.push(c),
        }
    }
    plain.into()
}

/// A message with what went wrong, where the message does not say it itself.
pub fn with_reason<'a>(text: Cow<'a, str>, reason: Option<Cow<'a, str>>) -> Cow<'a, str> {
    match reason {
        Some(reason) if !reason.is_empty() && !text.contains(&*reason) => {
            format!("{text}: {reason}").into()
        }
        _ => text,
    }
}

/// The time that a value gives: ISO 8601, or a number of seconds or a smaller unit.
pub fn stamp(value: &str) -> Stamp {
    if let Some((time, _, "")) = times::iso(value) {
        return Stamp::At(time);
    }
    let number = value.parse::<f64>().ok().and_then(times::of_number);
    number.map_or(Stamp::Unknown, Stamp::At)
}

/// "type=AVC msg=audit(1795773600.123:88): text", as the audit daemon writes it.
pub fn audit(line: &str) -> Option<Line<'_>> {
    let (kind, rest) = line.split_once(" msg=audit(")?;
    let is_kind = kind.len() <= 128 && kind.split(' ').next_back()?.starts_with("type=");
    is_kind.then_some(())?;
    let (stamp, _) = rest.split_once(')')?;
    let (time, _) = stamp.split_once(':')?;
    let host = kind
        .strip_prefix("node=")
        .and_then(|rest| rest.split_once(' '));
    Some(Line {
        time: Stamp::At(times::of_number(time.parse().ok()?)?),
        host: host.map_or("", |(host, _)| host).into(),
        program: "audit".into(),
        text: line.into(),
        ..Line::default()
    })
}

/// What follows a time where a level follows: " ERROR text", `[error] text`, " - module - ERROR - text".
pub fn leveled(time: f64, rest: &str) -> Option<Line<'_>> {
    let rest = rest.strip_prefix(' ')?.trim_start();
    let (priority, text) = match rest.strip_prefix("- ") {
        Some(rest) => {
            let mut fields = rest.splitn(3, " - ");
            let (module, word) = (fields.next()?, fields.next()?);
            (module.len() <= 128).then_some(())?;
            (level(word)?, fields.next()?)
        }
        None => {
            let (word, text) = rest.split_once(' ').unwrap_or((rest, ""));
            let bare = word.trim_end_matches(':');
            let bare = bare
                .strip_prefix('[')
                .and_then(|word| word.strip_suffix(']'))
                .unwrap_or(bare);
            (level(bare)?, text.trim_start())
        }
    };
    Some(Line {
        time: Stamp::At(time),
        priority: Some(priority),
        text: text.into(),
        ..Line::default()
    })
}

/// `[2026-11-27 10:00:00] text` or `[2026-11-27T10:00:00Z] ERROR text`.
pub fn bracketed(line: &str) -> Option<Line<'_>> {
    let (time, rest) = line.strip_prefix('[')?.split_once(']')?;
    let (time, _, behind) = times::iso(time)?;
    behind.is_empty().then_some(())?;
    leveled(time, rest).or_else(|| {
        Some(Line {
            time: Stamp::At(time),
            text: rest.trim_start().into(),
            ..Line::default()
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{TIME, assert_rows};
    use super::*;
    use bellwether_core::lad::Transport::Unknown;

    #[test]
    fn klog_has_its_level_in_a_letter() {
        let at = Stamp::Yearless {
            month: 11,
            day: 27,
            second: 36_000.123_456,
        };
        assert_rows(&[
            (
                "E1127 10:00:00.123456    1 file.go:12] disk [a] failed",
                (at, "", "", Unknown, Some(3), "disk [a] failed"),
            ),
            (
                "W1127 10:00:00.123456  987 a_b.cc:7] x",
                (at, "", "", Unknown, Some(4), "x"),
            ),
        ]);
        for line in [
            "E1127 was an error",
            "Error: 1127",
            "E9999 10:00:00.1 1 a.go:1] x",
        ] {
            assert_eq!(klog(line), None, "{line}");
        }
    }

    #[test]
    fn logfmt_s_message_comes_with_what_went_wrong() {
        let at = Stamp::At(TIME + 0.5);
        assert_rows(&[
            (
                "time=\"2026-11-27T10:00:00.5Z\" level=error msg=\"ExecSync for \\\"abc\\\" failed\" error=\"rpc error\"",
                (
                    at,
                    "",
                    "",
                    Unknown,
                    Some(3),
                    "ExecSync for \"abc\" failed: rpc error",
                ),
            ),
            (
                "ts=1795773600.5 caller=main.go:12 level=warn component=db host=hv1 msg=slow",
                (at, "hv1", "", Unknown, Some(4), "slow"),
            ),
        ]);
        for line in ["a=b", "panic=1 quiet", "x = msg=1", "msg=\"unfinished"] {
            assert_eq!(logfmt(line), None, "{line}");
        }
    }

    #[test]
    fn a_level_behind_a_time_is_its_priority() {
        let at = Stamp::At(TIME);
        assert_rows(&[
            (
                "2026-11-27 10:00:00 ERROR disk failed",
                (at, "", "", Unknown, Some(3), "disk failed"),
            ),
            (
                "2026-11-27T10:00:00Z [warn] disk slow",
                (at, "", "", Unknown, Some(4), "disk slow"),
            ),
            (
                "2026-11-27 10:00:00,000 - app.db - CRITICAL - lost",
                (at, "", "", Unknown, Some(2), "lost"),
            ),
            (
                "[2026-11-27 10:00:00] ERROR: lost",
                (at, "", "", Unknown, Some(3), "lost"),
            ),
            (
                "[2026-11-27T10:00:00Z] lost",
                (at, "", "", Unknown, None, "lost"),
            ),
        ]);
    }

    #[test]
    fn an_audit_record_has_its_time_in_parentheses() {
        let line = "node=hv1 type=ANOM_ABEND msg=audit(1795773600.500:88): comm=\"qemu\" sig=6";
        assert_rows(&[
            (
                line,
                (Stamp::At(TIME + 0.5), "hv1", "audit", Unknown, None, line),
            ),
            (
                &line[9..],
                (
                    Stamp::At(TIME + 0.5),
                    "",
                    "audit",
                    Unknown,
                    None,
                    &line[9..],
                ),
            ),
        ]);
    }
}
