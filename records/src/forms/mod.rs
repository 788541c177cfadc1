//! The forms of log lines: what each says about a record's time, host, program, unit, transport, priority and text.
//!
//! A form is recognized by the line alone ([`parse`]), but for a few whose lines look alike and are distinguished by their [`Context`].
//! Each family has a file:
//! - [`syslog`]: RFC 3164 and 5424, the files of rsyslog and syslog-ng, `journalctl -o short` and its variants.
//! - [`journal`]: fields of the systemd journal, as `journalctl` exports them.
//! - [`kernel`]: `dmesg` and `/dev/kmsg`.
//! - [`container`]: Docker's json-file and the container runtime interface (CRI).
//! - [`json`]: applications that log JSON. [`otlp`]: OpenTelemetry's.
//! - [`application`]: klog, logfmt, audit records, and time, level and text.
//! - [`hypervisor`]: libvirt, QEMU, OpenStack, Ceph and Open vSwitch in files of their own.

pub mod application;
pub mod container;
pub mod hypervisor;
pub mod journal;
pub mod json;
pub mod kernel;
mod line;
pub mod otlp;
pub mod syslog;
mod words;

pub use line::{Bracket, Container, Context, Line, Output};

/// The forms that are known, for messages and help.
pub const KNOWN: &str = "syslog (RFC 3164, RFC 5424, rsyslog, syslog-ng), journalctl -o short*, with-unit, verbose, export and json*, \
     dmesg and /dev/kmsg, Docker's json-file, CRI, OTLP JSON, JSON and logfmt of applications, klog, audit, and the files of libvirt, \
     QEMU, OpenStack, Ceph and Open vSwitch";

/// Parses a line without its ending; `None` if it has no known form. JSON is not parsed here ([`json::records`]).
pub fn parse<'a>(line: &'a str, context: &mut Context) -> Option<Line<'a>> {
    let first = *line.as_bytes().first()?;
    match first {
        b'<' => syslog::with_priority(line, context),
        b'[' => kernel::bracketed(line, context).or_else(|| application::bracketed(line)),
        b'0'..=b'9' => numeric(line, context),
        _ => syslog::dated(line, context)
            .or_else(|| kernel::decoded(line, context))
            .or_else(|| application::klog(line))
            .or_else(|| application::audit(line))
            .or_else(|| application::logfmt(line))
            .or_else(|| hypervisor::qemu_untimed(line)),
    }
}

/// Lines that begin with a digit.
fn numeric<'a>(line: &'a str, context: &mut Context) -> Option<Line<'a>> {
    if let Some((time, written, rest)) = crate::times::iso(line) {
        if written.comma && written.separator == b'T' {
            return kernel::iso(time, rest);
        }
        return container::cri(time, rest, context)
            .or_else(|| hypervisor::after_time(time, written, rest, context))
            .or_else(|| application::leveled(time, rest))
            .or_else(|| syslog::after_iso(time, written, rest, context))
            .or_else(|| hypervisor::after_weak_time(time, written, rest));
    }
    let kmsg = kernel::kmsg(line);
    context.is_kmsg |= kmsg.is_some();
    kmsg.or_else(|| syslog::unix(line, context))
        .or_else(|| syslog::without_priority(line))
        .or_else(|| syslog::dated(line, context))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::times::Stamp;
    use bellwether_core::lad::Transport;

    /// 2026-11-27T10:00:00Z.
    pub const TIME: f64 = 1_795_773_600.0;

    /// What the tables of the families compare: time, host, program, transport, priority, text.
    pub type Row<'a> = (Stamp, &'a str, &'a str, Transport, Option<u8>, &'a str);

    /// Asserts that lines parse to these, each by itself.
    pub fn assert_rows(rows: &[(&str, Row<'_>)]) {
        for (line, expected) in rows {
            let mut context = Context::default();
            assert_line(line, &mut context, expected);
        }
    }

    /// Asserts that a line parses to this.
    pub fn assert_line(line: &str, context: &mut Context, expected: &Row<'_>) {
        let found = parse(line, context).unwrap_or_else(|| panic!("not recognized: {line}"));
        let found: Row<'_> = (
            found.time,
            &found.host,
            &found.program,
            found.transport,
            found.priority,
            &found.text,
        );
        assert_eq!(&found, expected, "{line}");
    }

    #[test]
    fn a_line_of_no_form_is_none() {
        for line in [
            "",
            "disk failed",
            "  at main.c:12",
            "<999>x",
            "<>",
            "12 monkeys",
            "Octopus",
            "ü<1",
            "[",
            "[]",
            "{",
            "1,",
            "a: b",
            "E1",
        ] {
            assert_eq!(parse(line, &mut Context::default()), None, "{line}");
        }
    }
}
