//! How a line is written.

use std::io::{Result, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::timeline::Entry;

/// The form of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// As rsyslog writes to files: ISO8601-time host source[pid]: message
    Iso,
    /// RFC 3164: <priority>Mmm dd hh:mm:ss host source[pid]: message
    Rfc3164,
    /// RFC 5424: <priority>1 ISO8601-time host source pid - - message
    Rfc5424,
}

impl Format {
    /// Writes a line. Times are in UTC.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn write(self, out: &mut (impl Write + ?Sized), host: &str, entry: &Entry) -> Result<()> {
        let time = Timestamp::from_microsecond(entry.time).map_err(std::io::Error::other)?;
        let time = time.to_zoned(TimeZone::UTC);
        let time = time.strftime(match self {
            Self::Iso => "%Y-%m-%dT%H:%M:%S.%6f+00:00",
            Self::Rfc3164 => "%b %e %H:%M:%S",
            Self::Rfc5424 => "%Y-%m-%dT%H:%M:%S.%6fZ",
        });
        let (source, text) = (&entry.source, &entry.text);
        if self != Self::Iso {
            write!(out, "<{}>", facility(source) * 8 + entry.severity)?;
        }
        if self == Self::Rfc5424 {
            let pid = entry.pid.map_or("-".to_owned(), |pid| pid.to_string());
            return writeln!(out, "1 {time} {host} {source} {pid} - - {text}");
        }
        match entry.pid {
            Some(pid) => writeln!(out, "{time} {host} {source}[{pid}]: {text}"),
            None => writeln!(out, "{time} {host} {source}: {text}"),
        }
    }
}

/// The facility that a program logs to (RFC 5424, table 1).
fn facility(source: &str) -> u8 {
    let program = source.split('/').next().unwrap_or(source);
    match program {
        "kernel" => 0,
        "postfix" => 2,
        "sshd" | "sudo" | "systemd-logind" => 10,
        "CRON" | "cron" | "anacron" => 9,
        "backup" | "check-guests" => 1,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::logs::host::Host;
    use crate::generate::logs::script;
    use crate::generate::logs::timeline::Timeline;
    use bellwether_records::forms::{Context, parse};
    use bellwether_records::times::Calendar;

    /// 2026-01-05T00:00:00Z.
    const START: i64 = 1_767_571_200_000_000;

    #[test]
    fn all_forms_are_read_as_the_same_messages_at_the_same_times() {
        let normal = script::normal().unwrap();
        let host = Host::new("hv1", START, fastrand::Rng::with_seed(1));
        let mut written = 0;
        for entry in Timeline::new(host, START..START + 3_600_000_000, &normal, None, 1) {
            for (format, accuracy) in [
                (Format::Iso, 1e-6),
                (Format::Rfc3164, 1.0),
                (Format::Rfc5424, 1e-6),
            ] {
                let mut line = Vec::new();
                format.write(&mut line, "hv1", &entry).unwrap();
                let line = String::from_utf8(line).unwrap();
                let mut context = Context::default();
                let read = parse(line.trim_end_matches('\n'), &mut context).unwrap();
                let time = Calendar::new(Some(2026), 0.0).resolve(read.time).unwrap();
                assert_eq!(read.host, "hv1", "{line}");
                let text = entry.text.as_str();
                assert_eq!(read.text, text, "{line}");
                let off = entry.time as f64 / 1e6 - time;
                assert!((-1e-6..=accuracy).contains(&off), "{line}");
                let priority = (format != Format::Iso).then_some(entry.severity);
                assert_eq!(read.priority, priority, "{line}");
            }
            written += 1;
        }
        assert!(written > 100);
    }
}
