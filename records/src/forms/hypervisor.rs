//! What stands on a hypervisor and logs to files of its own: libvirt, QEMU, OpenStack, Ceph and Open vSwitch.

use super::line::{Context, Line};
use super::words::{level, program};
use crate::times::{Stamp, Written};

/// What follows a time in the files of these programs, in forms that nothing else has.
pub fn after_time<'a>(
    time: f64,
    written: Written,
    rest: &'a str,
    context: &Context,
) -> Option<Line<'a>> {
    let line = match rest.as_bytes().first()? {
        b'|' => open_vswitch(rest, context),
        b':' if written.separator == b' ' && written.zone => libvirt(rest, context),
        b' ' => oslo(rest, context)
            .or_else(|| ceph(rest, context))
            .or_else(|| ceph_cluster(rest)),
        _ => None,
    };
    Some(Line {
        time: Stamp::At(time),
        ..line?
    })
}

/// What follows a time where nothing else fits: QEMU's "qemu-system-x86_64: text", or a text alone.
pub fn after_weak_time(time: f64, written: Written, rest: &str) -> Option<Line<'_>> {
    let rest = if rest.is_empty() {
        rest
    } else {
        rest.strip_prefix(' ')?
    };
    let (word, text) = rest.split_once(' ').unwrap_or((rest, ""));
    let named = program(word).filter(|name| written.separator == b'T' && is_program_file(name));
    Some(Line {
        time: Stamp::At(time),
        program: named.unwrap_or_default().into(),
        text: named.map_or(rest, |_| text).into(),
        ..Line::default()
    })
}

/// Whether a word may be the name of a program's file: it has no blank, slash or second colon.
fn is_program_file(word: &str) -> bool {
    !word.is_empty()
        && word
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_-.+".contains(&b))
}

/// The file's name where it begins like the program's, else the program's usual name.
fn name_of<'a>(
    context: &Context,
    beginnings: &[&str],
    usual: &'static str,
) -> std::borrow::Cow<'a, str> {
    // Ceph's daemons have an instance behind a dot.
    let name = context.file.split('.').next().unwrap_or_default();
    match beginnings.iter().any(|begin| name.starts_with(begin)) {
        true => name.to_owned().into(),
        false => usual.into(),
    }
}

/// ": 1234: error : virNetSocketReadWire:1832 : text" of a daemon, ": shutting down, reason=crashed" of a domain.
fn libvirt<'a>(rest: &'a str, context: &Context) -> Option<Line<'a>> {
    let rest = rest.strip_prefix(": ")?;
    let daemon = rest
        .split_once(": ")
        .filter(|(pid, _)| is_number(pid))
        .and_then(|(_, rest)| rest.split_once(" : "));
    let Some((severity, text)) = daemon.and_then(|(word, text)| Some((level(word.trim())?, text)))
    else {
        // libvirt writes it into the file of a domain.
        return Some(Line {
            program: "libvirt".into(),
            text: rest.into(),
            ..Line::default()
        });
    };
    let function = text.split_once(" : ").filter(|(place, _)| {
        place
            .rsplit_once(':')
            .is_some_and(|(name, line)| is_number(line) && !name.contains(' '))
    });
    Some(Line {
        program: name_of(context, &["virt", "libvirt"], "libvirtd"),
        priority: Some(severity),
        text: function.map_or(text, |(_, text)| text).into(),
        ..Line::default()
    })
}

/// `7311 ERROR nova.virt.libvirt.driver [-] text` of OpenStack's services.
fn oslo<'a>(rest: &'a str, context: &Context) -> Option<Line<'a>> {
    let mut words = rest[1..].splitn(4, ' ');
    let (pid, severity, logger) = (words.next()?, words.next()?, words.next()?);
    (is_number(pid) && severity.bytes().all(|b| b.is_ascii_uppercase())).then_some(())?;
    let severity = level(severity)?;
    let text = words.next().unwrap_or_default();
    // Who asked for it: "[-]", "[req-...]", "[None req-...]".
    let request = text.strip_prefix('[').and_then(|rest| rest.split_once(']'));
    let request = request.filter(|(inside, _)| *inside == "-" || inside.contains("req-"));
    let text = request.map_or(text, |(_, text)| text.trim_start());
    let service = logger.split('.').next().unwrap_or(logger);
    let program = match context.file.starts_with(service) {
        true => context.file.clone(),
        false => service.to_owned(),
    };
    Some(Line {
        program: program.into(),
        priority: Some(severity),
        text: text.into(),
        ..Line::default()
    })
}

/// " 7ff3df46d700  3 text" of Ceph's daemons: thread, level, text. Errors have level -1.
fn ceph<'a>(rest: &'a str, context: &Context) -> Option<Line<'a>> {
    let (thread, rest) = rest[1..].split_once(' ')?;
    let is_thread =
        (9..=16).contains(&thread.len()) && thread.bytes().all(|b| b.is_ascii_hexdigit());
    is_thread.then_some(())?;
    let (number, text) = rest.trim_start().split_once(' ')?;
    let priority = match number.parse::<i8>().ok()? {
        ..=-1 => 3,
        0 => 5,
        1..=5 => 6,
        _ => 7,
    };
    Some(Line {
        program: name_of(context, &["ceph-", "rbd", "radosgw"], "ceph"),
        priority: Some(priority),
        text: text.into(),
        ..Line::default()
    })
}

/// `mon.a (mon.0) 1234 : cluster [WRN] text` of Ceph's cluster log.
fn ceph_cluster(rest: &str) -> Option<Line<'_>> {
    let (who, rest) = rest[1..].split_once(" : ")?;
    (who.len() <= 256 && who.contains(" (")).then_some(())?;
    let (_, rest) = rest
        .split_once('[')
        .filter(|(channel, _)| channel.len() <= 64)?;
    let (severity, text) = rest.split_once("] ")?;
    let priority = match severity {
        "SEC" => 4,
        _ => level(severity)?,
    };
    Some(Line {
        program: format!("ceph-{}", who.split('.').next()?).into(),
        priority: Some(priority),
        text: text.into(),
        ..Line::default()
    })
}

/// "|00012|bridge|ERR|text" of Open vSwitch.
fn open_vswitch<'a>(rest: &'a str, context: &Context) -> Option<Line<'a>> {
    let mut fields = rest[1..].splitn(4, '|');
    let (number, _, severity) = (fields.next()?, fields.next()?, fields.next()?);
    is_number(number).then_some(())?;
    Some(Line {
        program: name_of(context, &["ovs", "ovn"], "ovs-vswitchd"),
        priority: Some(level(severity)?),
        text: fields.next()?.into(),
        ..Line::default()
    })
}

/// "qemu-system-x86_64: text": what QEMU prints without a time into the file of its domain.
pub fn qemu_untimed(line: &str) -> Option<Line<'_>> {
    let (word, text) = line.split_once(' ')?;
    let name = program(word)?;
    (name.starts_with("qemu-") && is_program_file(name)).then(|| Line {
        program: name.into(),
        text: text.into(),
        ..Line::default()
    })
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{TIME, assert_line, assert_rows};
    use super::*;
    use bellwether_core::lad::Transport::Unknown;

    #[test]
    fn files_of_the_programs_of_a_hypervisor() {
        let at = Stamp::At(TIME + 0.123);
        assert_rows(&[
            (
                "2026-11-27 10:00:00.123+0000: 1234: error : virNetSocketReadWire:1832 : End of file: I/O error",
                (
                    at,
                    "",
                    "libvirtd",
                    Unknown,
                    Some(3),
                    "End of file: I/O error",
                ),
            ),
            (
                "2026-11-27 10:00:00.123+0000: 1234: info : libvirt version: 9.0.0",
                (
                    at,
                    "",
                    "libvirtd",
                    Unknown,
                    Some(6),
                    "libvirt version: 9.0.0",
                ),
            ),
            (
                "2026-11-27 10:00:00.123+0000: shutting down, reason=crashed",
                (
                    at,
                    "",
                    "libvirt",
                    Unknown,
                    None,
                    "shutting down, reason=crashed",
                ),
            ),
            (
                "2026-11-27T10:00:00.123000Z qemu-system-x86_64: terminating on signal 15 from pid 1 (a)",
                (
                    at,
                    "",
                    "qemu-system-x86_64",
                    Unknown,
                    None,
                    "terminating on signal 15 from pid 1 (a)",
                ),
            ),
            (
                "qemu-system-x86_64: cannot set up guest memory",
                (
                    Stamp::Unknown,
                    "",
                    "qemu-system-x86_64",
                    Unknown,
                    None,
                    "cannot set up guest memory",
                ),
            ),
            (
                "2026-11-27 10:00:00.123 7311 ERROR nova.virt.libvirt.driver [-] [instance: de49] attaching failed",
                (
                    at,
                    "",
                    "nova",
                    Unknown,
                    Some(3),
                    "[instance: de49] attaching failed",
                ),
            ),
            (
                "2026-11-27 10:00:00.123 7311 WARNING nova.compute.manager [None req-1 - - - - - -] shutdown by itself",
                (at, "", "nova", Unknown, Some(4), "shutdown by itself"),
            ),
            (
                "2026-11-27T10:00:00.123+0000 7ff3df46d700  3 rocksdb: Compaction error",
                (
                    at,
                    "",
                    "ceph",
                    Unknown,
                    Some(6),
                    "rocksdb: Compaction error",
                ),
            ),
            (
                "2026-11-27T10:00:00.123+0000 7ff3df46d700 -1 bdev(0x55 /dev/sdb) _aio_thread got r=-5",
                (
                    at,
                    "",
                    "ceph",
                    Unknown,
                    Some(3),
                    "bdev(0x55 /dev/sdb) _aio_thread got r=-5",
                ),
            ),
            (
                "2026-11-27T10:00:00.123+0000 mon.a (mon.0) 1234 : cluster [WRN] Health check failed: 1 osds down",
                (
                    at,
                    "",
                    "ceph-mon",
                    Unknown,
                    Some(4),
                    "Health check failed: 1 osds down",
                ),
            ),
            (
                "2026-11-27T10:00:00.123Z|00012|bridge(handler1)|ERR|could not add: x|y",
                (
                    at,
                    "",
                    "ovs-vswitchd",
                    Unknown,
                    Some(3),
                    "could not add: x|y",
                ),
            ),
            (
                "2026-11-27T10:00:00.123Z Starting up",
                (at, "", "", Unknown, None, "Starting up"),
            ),
        ]);
    }

    #[test]
    fn a_file_named_after_its_program_names_it() {
        for (file, line, expected) in [
            (
                "virtqemud",
                "2026-11-27 10:00:00.123+0000: 1: error : f:1 : x",
                "virtqemud",
            ),
            (
                "nova-compute",
                "2026-11-27 10:00:00.123 7 ERROR nova.virt [-] x",
                "nova-compute",
            ),
            (
                "ceph-osd.3",
                "2026-11-27T10:00:00.123+0000 7ff3df46d700 -1 x",
                "ceph-osd",
            ),
            (
                "ovsdb-server",
                "2026-11-27T10:00:00.123Z|00012|a|ERR|x",
                "ovsdb-server",
            ),
        ] {
            let mut context = Context {
                file: file.to_owned(),
                ..Context::default()
            };
            let priority = Some(3);
            assert_line(
                line,
                &mut context,
                &(
                    Stamp::At(TIME + 0.123),
                    "",
                    expected,
                    Unknown,
                    priority,
                    "x",
                ),
            );
        }
    }
}
