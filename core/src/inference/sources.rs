//! The source of a message: which classes its program belongs to, where its own text begins, and its level.

use rustc_hash::FxHashMap;

use super::class::{SourceClass, SourceClasses};
use super::message::{Message, Transport};
use super::syntax::Program;

/// Longer names of programs are cut.
const NAME_MAX_BYTES: usize = 64;
/// Digits of a process number.
const PROCESS_MAX_DIGITS: usize = 10;
/// In so many bytes at the beginning of a message a program may state its level.
const LEVEL_WITHIN_BYTES: usize = 96;
/// Among so many words.
const LEVEL_WITHIN_WORDS: usize = 7;

/// The programs of the lexicon, by name.
#[derive(Debug, Default)]
pub(super) struct Sources {
    exact: FxHashMap<(bool, Vec<u8>), SourceClasses>,
    /// Names that may continue.
    prefixes: FxHashMap<(bool, Vec<u8>), SourceClasses>,
    /// Names before which other text may stand.
    suffixes: Vec<Program>,
}

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin {
    /// The classes of the source. Where it is unknown, those whose messages often stand alone: the kernel's and the hardware's.
    pub classes: SourceClasses,
    /// The source is known.
    pub known: bool,
    /// Syslog severity: that of the record or that in the text, whichever is worse.
    pub level: Option<u8>,
    /// Where the message itself begins in the text, after a source and a time of the kernel.
    pub body: usize,
    /// Where the text states the level: start and end; empty if nowhere.
    pub stated: (u32, u32),
}

impl Sources {
    /// The table of these programs; a name in several classes belongs to all of them.
    pub fn new(programs: &[Program]) -> Self {
        let mut sources = Self::default();
        for program in programs {
            let key = (program.container, program.name.clone().into_bytes());
            let table = match (program.open_start, program.open_end) {
                (true, _) => {
                    sources.suffixes.push(program.clone());
                    continue;
                }
                (false, true) => &mut sources.prefixes,
                (false, false) => &mut sources.exact,
            };
            let classes = table.entry(key).or_insert(SourceClasses::NONE);
            *classes = *classes | program.class.into();
        }
        sources
    }

    /// The classes of a program or container; `None` if the table does not have it.
    pub fn classes(&self, name: &[u8], container: bool) -> Option<SourceClasses> {
        let name = name.rsplit(|&b| b == b'/').next().unwrap_or(name);
        let mut key = (
            container,
            name[..name.len().min(NAME_MAX_BYTES)].to_ascii_lowercase(),
        );
        if let Some(&classes) = self.exact.get(&key) {
            return Some(classes);
        }
        let whole = key.1.clone();
        while !key.1.is_empty() {
            if let Some(&classes) = self.prefixes.get(&key) {
                return Some(classes);
            }
            key.1.pop();
        }
        let ends = |p: &&Program| p.container == container && whole.ends_with(p.name.as_bytes());
        let found = self.suffixes.iter().filter(ends);
        found
            .map(|p| p.class.into())
            .reduce(|a: SourceClasses, b| a | b)
    }

    /// Who wrote `message`, whose text to classify is `text`.
    pub fn origin(&self, message: &Message<'_>, text: &str) -> Origin {
        let bytes = text.as_bytes();
        let mut body = 0;
        let other = SourceClasses::from(SourceClass::Other);
        let of_program = |name: &[u8]| self.classes(name, false).unwrap_or(other);
        let program = match message.program.iter().position(|&b| b == b'[') {
            Some(end) => &message.program[..end],
            None => message.program,
        };
        let known = match message.transport {
            Transport::Kernel => Some(SourceClass::Kernel.into()),
            Transport::Container => Some(self.classes(program, true).unwrap_or(other)),
            Transport::Unknown | Transport::Process if !program.is_empty() => {
                Some(of_program(program))
            }
            Transport::Process => Some(other),
            Transport::Unknown => source_in_text(bytes).map(|(name, at)| {
                body = at;
                of_program(name)
            }),
        };
        let kernel = SourceClasses::from(SourceClass::Kernel);
        let is_kernel = known == Some(kernel);
        let mut classes = known.unwrap_or_else(|| {
            SourceClasses::from(SourceClass::Kernel) | SourceClass::Hardware.into()
        });
        if is_kernel && message.transport == Transport::Process {
            classes = other;
        }
        if is_of_a_user(message.unit) && !is_kernel {
            classes = other;
        }
        body += kernel_time(&bytes[body..]);
        // Early at boot, programs log through the kernel's ring buffer.
        if classes == kernel
            && let Some((name, at)) = source_in_text(&bytes[body..])
            && !is_report_of_a_process(&bytes[body + at..])
        {
            classes = of_program(name);
            body += at;
        }
        let stated = level_in_text(&text[body..]);
        let level = match (message.priority, stated) {
            (Some(a), Some((b, _))) => Some(a.min(b)),
            (a, b) => a.or(b.map(|(level, _)| level)),
        };
        let (from, to) = stated.map_or((0, 0), |(_, range)| range);
        Origin {
            classes,
            known: known.is_some(),
            level,
            body,
            stated: ((body + from) as u32, (body + to) as u32),
        }
    }
}

/// Whether a unit is a user's own session or service manager.
fn is_of_a_user(unit: &[u8]) -> bool {
    unit.starts_with(b"user@") || unit.starts_with(b"session-")
}

/// Length of the time, and of what stands beside it, at the beginning of a message of the kernel: "[   12.345678] ",
/// "[12.3][  T1] ", "{7}".
fn kernel_time(text: &[u8]) -> usize {
    let mut at = 0;
    loop {
        let rest = &text[at..];
        let (open, close) = match rest.first() {
            Some(b'[') => (b'[', b']'),
            Some(b'{') => (b'{', b'}'),
            _ => break,
        };
        let Some(end) = rest.iter().take(24).position(|&b| b == close) else {
            break;
        };
        let inner = &rest[1..end];
        let digits = inner.iter().filter(|b| b.is_ascii_digit()).count();
        let others = inner
            .iter()
            .all(|b| b.is_ascii_digit() || b" .TC".contains(b));
        if digits == 0 || !others || (open == b'{' && inner.contains(&b'.')) {
            break;
        }
        at += end + 1;
    }
    at + text[at..].iter().take_while(|&&b| b == b' ').count()
}

/// The program in "sshd[17]: text" or "kernel: text", and where the text begins.
fn source_in_text(text: &[u8]) -> Option<(&[u8], usize)> {
    if text.starts_with(b"kernel: ") {
        return Some((b"kernel", 8));
    }
    let is_name = |b: &u8| b.is_ascii_alphanumeric() || b"_-./()@+".contains(b);
    let end = text
        .iter()
        .take(NAME_MAX_BYTES)
        .take_while(|b| is_name(b))
        .count();
    let (name, rest) = text.split_at(end);
    let rest = rest.strip_prefix(b"[")?;
    let digits = rest
        .iter()
        .take(PROCESS_MAX_DIGITS)
        .take_while(|b| b.is_ascii_digit())
        .count();
    let is_source = !name.is_empty() && digits > 0 && rest[digits..].starts_with(b"]: ");
    is_source.then_some((name, end + 1 + digits + 3))
}

/// Whether the kernel reports something of the process that is named before.
fn is_report_of_a_process(text: &[u8]) -> bool {
    [
        &b"segfault"[..],
        b"unhandled",
        b"bad ",
        b"general protection",
        b"trap ",
        b"syscall ",
        b"User address",
    ]
    .iter()
    .any(|report| text.starts_with(report))
}

/// The level that a program states at the beginning of its text, as a syslog severity: `crit:`, `<3>`, `[ERR]`, `|EMER|`,
/// `*ERROR*`, `E1123` of klog, `level=error`; and from where to where.
fn level_in_text(text: &str) -> Option<(u8, (usize, usize))> {
    let mut end = text.len().min(LEVEL_WITHIN_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = &text[..end];
    let bytes = text.as_bytes();
    if let [b'<', level @ b'0'..=b'7', b'>', ..] = bytes {
        return Some((level - b'0', (0, 3)));
    }
    // klog: a letter and the date, "E1123 10:00:00.123456".
    if let [level @ (b'F' | b'E' | b'W' | b'I'), rest @ ..] = bytes
        && rest.len() > 5
        && rest[..4].iter().all(u8::is_ascii_digit)
        && rest[4] == b' '
    {
        let level = match level {
            b'F' => 2,
            b'E' => 3,
            b'W' => 4,
            _ => 6,
        };
        return Some((level, (0, 5)));
    }
    let mut at = 0;
    for (index, word) in text
        .split(|c: char| c.is_whitespace() || "|[]<>()*:".contains(c))
        .enumerate()
    {
        if index > 2 * LEVEL_WITHIN_WORDS {
            break;
        }
        let after = bytes.get(at + word.len()).copied();
        let before = at.checked_sub(1).map(|at| bytes[at]);
        at += word.len() + 1;
        let word = word
            .strip_prefix("level=")
            .unwrap_or(word)
            .trim_matches('"');
        let Some(level) = level_word(word) else {
            continue;
        };
        // A word in small letters may be one of the sentence, unless punctuation marks it as a level.
        let is_marked = word.bytes().all(|b| b.is_ascii_uppercase())
            || (after == Some(b':') && before.is_none_or(|b| b" ]".contains(&b)) && index < 4)
            || matches!(
                (before, after),
                (Some(b'[' | b'<' | b'|'), Some(b']' | b'>' | b'|'))
            )
            || bytes[..at - 1].ends_with(format!("level={word}").as_bytes());
        if is_marked {
            return Some((level, (at - 1 - word.len(), at - 1)));
        }
    }
    None
}

/// The syslog severity with this name.
fn level_word(word: &str) -> Option<u8> {
    if !(3..=9).contains(&word.len()) {
        return None;
    }
    Some(match word.to_ascii_lowercase().as_str() {
        "emerg" | "emergency" | "emer" | "panic" => 0,
        "alert" => 1,
        "crit" | "critical" | "fatal" => 2,
        "err" | "error" => 3,
        "warn" | "warning" | "wrn" => 4,
        "notice" => 5,
        "info" => 6,
        "debug" | "dbg" | "trace" => 7,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::lexicon::Lexicon;
    use super::*;

    fn origin<'a>(message: Message<'a>) -> (Origin, &'a str) {
        let origin = Lexicon::builtin().sources.origin(&message, message.text);
        (origin, &message.text[origin.body..])
    }

    fn classes(program: &str, transport: Transport) -> SourceClasses {
        let message = Message {
            transport,
            ..Message::of("text").from_program(program)
        };
        origin(message).0.classes
    }

    #[test]
    fn a_program_belongs_to_its_classes_and_any_other_to_none_that_is_believed() {
        let of = |program| classes(program, Transport::Unknown);
        for (program, class) in [
            ("kernel", SourceClass::Kernel),
            ("systemd", SourceClass::Init),
            ("qemu-vm1", SourceClass::Vmm),
            ("/usr/sbin/libvirtd", SourceClass::Vmm),
            ("LIBVIRTD[17]", SourceClass::Vmm),
            ("ceph-osd", SourceClass::Storage),
            ("smartd", SourceClass::Hardware),
            ("smartd", SourceClass::Storage),
            ("pacemaker-controld", SourceClass::Cluster),
            ("var-lib-glusterd", SourceClass::Storage),
            ("ovs-vswitchd", SourceClass::Network),
        ] {
            assert!(of(program).contains(class), "{program}");
            assert!(!of(program).contains(SourceClass::Other), "{program}");
        }
        for program in ["sshd", "alice", "kernelx", "nova-api", "ceph-exporter"] {
            assert_eq!(of(program), SourceClass::Other.into(), "{program}");
        }
    }

    #[test]
    fn only_the_kernels_own_transport_speaks_for_the_kernel() {
        let kernel = SourceClasses::from(SourceClass::Kernel);
        let other = SourceClasses::from(SourceClass::Other);
        assert_eq!(classes("kernel", Transport::Unknown), kernel);
        assert_eq!(classes("", Transport::Kernel), kernel);
        assert_eq!(classes("kernel", Transport::Process), other);
        assert_eq!(classes("kernel", Transport::Container), other);
        assert_eq!(classes("libvirtd", Transport::Container), other);
        assert_eq!(classes("", Transport::Process), other);
        assert!(classes("libvirtd", Transport::Process).contains(SourceClass::Vmm));
    }

    #[test]
    fn what_a_user_session_says_is_not_the_hosts() {
        let message = Message {
            unit: b"user@1000.service",
            ..Message::of("x").from_program("systemd")
        };
        assert_eq!(origin(message).0.classes, SourceClass::Other.into());
    }

    #[test]
    fn a_source_in_the_text_counts_where_the_pipeline_names_none() {
        let (found, body) = origin(Message::of("sshd[17]: kernel: disk failed"));
        assert_eq!(
            (found.classes, found.known),
            (SourceClass::Other.into(), true)
        );
        assert_eq!(body, "kernel: disk failed");
        let (found, body) = origin(Message::of("kernel: [   12.345678] disk failed"));
        assert_eq!(found.classes, SourceClass::Kernel.into());
        assert_eq!(body, "disk failed");
        let (found, body) = origin(Message::of("nvme nvme0: disk failed"));
        assert!(!found.known && found.classes.contains(SourceClass::Kernel));
        assert!(!found.classes.contains(SourceClass::Cluster));
        assert_eq!(body, "nvme nvme0: disk failed");
    }

    #[test]
    fn programs_that_log_through_the_kernel_speak_for_themselves() {
        let kernel = |text| origin(Message::of(text).from_program("kernel"));
        assert_eq!(
            kernel("[ 1.5] systemd[1]: Failed").0.classes,
            SourceClass::Init.into()
        );
        assert_eq!(
            kernel("mallory[17]: x").0.classes,
            SourceClass::Other.into()
        );
        let report = kernel("[12.5][  T1] mallory[17]: segfault at 0");
        assert_eq!(report.0.classes, SourceClass::Kernel.into());
        assert_eq!(report.1, "mallory[17]: segfault at 0");
        assert_eq!(kernel("{77}[Hardware Error]: x").1, "[Hardware Error]: x");
    }

    #[test]
    fn a_level_in_the_text_is_found_in_all_its_forms() {
        for (text, level) in [
            ("[dcdb] crit: cpg failed", Some(2)),
            ("<3>disk failed", Some(3)),
            ("00012|util(pmd-c02/id:9)|EMER|assertion", Some(0)),
            ("00099|ovs_rcu(urcu2)|WARN|blocked", Some(4)),
            ("xe 0000:03:00.0: [drm] *ERROR* wedged", Some(3)),
            ("E1123 10:00:00.123456    1 file.go:12] x", Some(3)),
            ("time=\"2026\" level=error msg=x", Some(3)),
            ("error: Result of monitor", Some(3)),
            (
                "2023-09-22 18:53:31.267 7311 ERROR nova.virt [-] x",
                Some(3),
            ),
            ("cluster [WRN] Health check failed", Some(4)),
            ("[error||0 |HA monitor|xapi_ha] x", Some(3)),
            ("I/O error, dev sda", None),
            ("the error of it: none", None),
            ("an alert came", None),
        ] {
            let found = level_in_text(text);
            assert_eq!(found.map(|(level, _)| level), level, "{text}");
            if let Some((_, (from, to))) = found {
                assert!(
                    from < to && text.is_char_boundary(from) && text.is_char_boundary(to),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn the_worse_of_both_levels_counts() {
        let message = Message::of("error: x").from_program("pacemakerd");
        assert_eq!(origin(message.with_priority(Some(6))).0.level, Some(3));
        assert_eq!(origin(message.with_priority(Some(2))).0.level, Some(2));
    }

    proptest::proptest! {
        #[test]
        fn any_text_has_an_origin(text in "\\PC{0,60}|(kernel: |\\[ *[0-9.]+\\] ?|x\\[7\\]: |\\{1\\}|<3>)*\\PC{0,20}") {
            let (found, body) = origin(Message::of(&text));
            proptest::prop_assert!(found.body + body.len() == text.len());
        }
    }
}
