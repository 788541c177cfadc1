//! The form of a text that no parser has taken apart: what the program said stands within a line of syslog, of a container's log, or
//! in a JSON object.
//!
//! Nothing is searched for: a form is known by its first bytes, so that a plain text costs a look at one of them.

use bellwether_sys::Transport;

use super::json::{self, Json, unescaped};
use super::values::{self, Scale};

/// How many JSON objects are looked into, one within the other: that of a container's log, and that of its application.
pub const OBJECTS_MAX: usize = 2;

/// The longest text that is taken apart, bytes.
const TEXT_MAX_BYTES: usize = 1 << 20;

/// The names of hosts and programs are shorter, bytes.
const NAME_MAX_BYTES: usize = 255;

/// The keys of an object whose value is what the program said, the first one that there is.
pub const TEXT_KEYS: [&[u8]; 10] = [
    b"log",
    b"message",
    b"MESSAGE",
    b"msg",
    b"body",
    b"Body",
    b"text",
    b"line",
    b"short_message",
    b"@message",
];

/// The keys of an object whose value is its level, the first one that there is, with the scale of its numbers.
pub const LEVEL_KEYS: [(&[u8], Scale); 15] = [
    (b"PRIORITY", Scale::Syslog),
    (b"priority", Scale::Syslog),
    (b"severity", Scale::Syslog),
    (b"level", Scale::Level),
    (b"lvl", Scale::Level),
    (b"loglevel", Scale::Level),
    (b"log.level", Scale::Level),
    (b"log_level", Scale::Level),
    (b"SeverityText", Scale::Level),
    (b"severity_text", Scale::Level),
    (b"@level", Scale::Level),
    (b"levelname", Scale::Level),
    (b"SeverityNumber", Scale::OpenTelemetry),
    (b"severity_number", Scale::OpenTelemetry),
    (b"pri", Scale::Facility),
];

/// A text, parsed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Parsed<'a> {
    /// The message of the program.
    pub text: &'a [u8],
    /// The host that the text names.
    pub host: Option<&'a [u8]>,
    /// The program that the text names.
    pub program: Option<&'a [u8]>,
    /// The priority that the text names.
    pub priority: Option<u8>,
    /// How it came, where its form says that it is not the kernel's.
    pub transport: Transport,
}

/// Whether a text has none of the forms, as most.
#[inline]
pub fn is_plain(text: &[u8]) -> bool {
    !matches!(
        text,
        [
            b'{' | b'<' | b'0'..=b'9' | b'J' | b'F' | b'M' | b'A' | b'S' | b'O' | b'N' | b'D',
            ..
        ]
    )
}

/// Parses `text`. Where the record has named its program, a line of syslog in its text is something that the program said, and
/// is left as it is.
pub fn parse<'a>(
    text: &'a [u8],
    has_program: bool,
    scratch: &'a mut [Vec<u8>; OBJECTS_MAX],
) -> Parsed<'a> {
    let mut said = Parsed {
        text,
        ..Parsed::default()
    };
    if text.len() > TEXT_MAX_BYTES {
        return said;
    }
    let mut named = has_program;
    let mut scratch = scratch.iter_mut();
    // At most as many times as there are objects to look into, and as there are other forms, each once.
    loop {
        if let Some(inner) = container(said.text) {
            said.text = inner;
            said.transport = Transport::Container;
            // What a container says is no line of the host's syslog.
            named = true;
        } else if !named && let Some(line) = syslog(said.text) {
            named = true;
            said = Parsed {
                priority: line.priority.or(said.priority),
                ..line
            };
        } else if said.text.first() == Some(&b'{')
            && let Some(object) = object(said.text)
            && let Some(out) = scratch.next()
        {
            said.text = unescaped(object.text, out).trim_ascii_end();
            said.priority = object.priority.or(said.priority);
            if object.is_containers {
                said.transport = Transport::Container;
            }
            // Nor is what an application says.
            named = true;
        } else {
            return said;
        }
    }
}

/// What a JSON object says.
struct Object<'a> {
    text: &'a [u8],
    priority: Option<u8>,
    /// It is a line of Docker's log of a container.
    is_containers: bool,
}

fn object(text: &[u8]) -> Option<Object<'_>> {
    let mut found = Best::default();
    let mut level = Best::default();
    let mut is_containers = false;
    let whole = json::each_pair(text, |key, value| {
        if let Json::Text(text) = value
            && !text.is_empty()
            && let Some(rank) = TEXT_KEYS.iter().position(|known| *known == key)
        {
            found.take(rank, text);
        } else if let Some(rank) = LEVEL_KEYS.iter().position(|(known, _)| *known == key)
            && let Some(priority) = values::priority(value.value(), LEVEL_KEYS[rank].1)
        {
            level.take(rank, priority);
        } else if key == b"stream" {
            is_containers = matches!(value, Json::Text(b"stdout" | b"stderr"));
        }
    });
    let text = found.value.filter(|_| whole)?;
    Some(Object {
        text,
        priority: level.value,
        is_containers,
    })
}

/// The value with the lowest rank.
#[derive(Debug, Clone, Copy)]
pub struct Best<T> {
    rank: usize,
    /// The value.
    pub value: Option<T>,
}

impl<T> Default for Best<T> {
    fn default() -> Self {
        Self {
            rank: usize::MAX,
            value: None,
        }
    }
}

impl<T> Best<T> {
    /// Takes a value unless there is one with this rank or a lower one.
    pub fn take(&mut self, rank: usize, value: T) {
        if rank < self.rank {
            (self.rank, self.value) = (rank, Some(value));
        }
    }
}

/// What a container said, from a line of the container runtime's: "2024-02-05T12:39:46.25Z stdout F text".
fn container(line: &[u8]) -> Option<&[u8]> {
    let rest = iso(line)?;
    let rest = rest
        .strip_prefix(b"stdout ")
        .or_else(|| rest.strip_prefix(b"stderr "))?;
    match rest {
        [b'F' | b'P', b' ', text @ ..] => Some(text),
        [b'F' | b'P'] => Some(b""),
        _ => None,
    }
}

/// What a line of syslog says, of RFC 5424, of RFC 3164, or as rsyslog writes it to files.
fn syslog(line: &[u8]) -> Option<Parsed<'_>> {
    let (priority, by_process, rest) = pri(line);
    // Whoever sends a line chooses its facility; only that it is not the kernel's is believed.
    let came = |names_process: bool| match by_process || names_process {
        true => Transport::Process,
        false => Transport::Unknown,
    };
    if priority.is_some()
        && let Some(rest) = rest.strip_prefix(b"1 ")
        && let Some(said) = rfc5424(rest)
    {
        let transport = match said.transport {
            Transport::Process => said.transport,
            _ => came(false),
        };
        return Some(Parsed {
            priority,
            transport,
            ..said
        });
    }
    let (rest, by_syslog) = match (iso(rest), rfc3164(rest)) {
        (Some(rest), _) => (rest, priority.is_some()),
        (None, Some(rest)) => (rest, true),
        // A priority alone, as the kernel and systemd take it.
        (None, None) => {
            return priority.is_some().then_some(Parsed {
                text: rest,
                priority,
                transport: came(false),
                ..Parsed::default()
            });
        }
    };
    // A program may log to the local syslog without naming the host.
    let (host, program, process, text) = match source(rest) {
        Some((program, process, text)) if by_syslog => (None, Some(program), process, text),
        _ => {
            let (host, rest) = word(rest)?;
            if !is_host(host) {
                return None;
            }
            match source(rest) {
                // Other programs begin their lines with such a time too, and go on with a level, a thread or a file: only a line
                // that no other would write says which host it is of.
                Some((program, process, text)) => {
                    let sure = by_syslog || process || program == b"kernel";
                    (sure.then_some(host), Some(program), process, text)
                }
                None if by_syslog => (Some(host), None, false, rest),
                None => return None,
            }
        }
    };
    Some(Parsed {
        text,
        host,
        program,
        priority,
        transport: came(process),
    })
}

/// The severity in "<PRI>", whether the facility there is another one than the kernel's, and what follows it.
fn pri(line: &[u8]) -> (Option<u8>, bool, &[u8]) {
    let parsed = || {
        let rest = line.strip_prefix(b"<")?;
        let end = rest.iter().take(4).position(|&byte| byte == b'>')?;
        let digits = &rest[..end];
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let number: u8 = std::str::from_utf8(digits).ok()?.parse().ok()?;
        (number <= 191).then(|| (number, &rest[end + 1..]))
    };
    match parsed() {
        Some((number, rest)) => (Some(number % 8), number >= 8, rest),
        None => (None, false, line),
    }
}

/// What follows a time as ISO 8601 writes it, with an offset, and a space.
fn iso(line: &[u8]) -> Option<&[u8]> {
    const DATE: &[u8] = b"dddd-dd-ddTdd:dd:dd";
    if line.len() <= DATE.len() {
        return None;
    }
    let fits = |(byte, form): (&u8, &u8)| match form {
        b'd' => byte.is_ascii_digit(),
        form => byte == form,
    };
    if !line.iter().zip(DATE).all(fits) {
        return None;
    }
    let rest = &line[DATE.len()..];
    let digits = |from: &[u8]| from.iter().take_while(|b| b.is_ascii_digit()).count();
    let rest = match rest {
        [b'.' | b',', fraction @ ..] => match digits(fraction) {
            count @ 1..=9 => &fraction[count..],
            _ => return None,
        },
        rest => rest,
    };
    match rest {
        [b'Z', b' ', rest @ ..] => Some(rest),
        [b'+' | b'-', a, b, b':', c, d, b' ', rest @ ..]
        | [b'+' | b'-', a, b, c, d, b' ', rest @ ..]
            if [a, b, c, d].iter().all(|b| b.is_ascii_digit()) =>
        {
            Some(rest)
        }
        _ => None,
    }
}

/// What follows a time such as "Oct  3 22:14:15 ".
fn rfc3164(line: &[u8]) -> Option<&[u8]> {
    const MONTHS: [&[u8]; 12] = [
        b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov",
        b"Dec",
    ];
    let (time, rest) = line.split_at_checked(16)?;
    let digit = |at: usize| time[at].is_ascii_digit();
    let is_time = time[3] == b' '
        && MONTHS.contains(&&time[..3])
        && (time[4] == b' ' || digit(4))
        && [5, 7, 8, 10, 11, 13, 14].into_iter().all(digit)
        && [time[6], time[9], time[12], time[15]] == *b" :: ";
    is_time.then_some(rest)
}

/// Host, program and text of what follows the version: time, host, program, process, message id, structured data, text.
fn rfc5424(rest: &[u8]) -> Option<Parsed<'_>> {
    let (_, rest) = word(rest)?;
    let (host, rest) = word(rest)?;
    let (program, rest) = word(rest)?;
    let (process, rest) = word(rest)?;
    let (_, rest) = word(rest)?;
    let text = match rest {
        [b'-', text @ ..] => text,
        rest => after_structured_data(rest)?,
    };
    let text = text.strip_prefix(b" ").unwrap_or(text);
    let known = |name: &'_ [u8]| name != b"-";
    Some(Parsed {
        text: text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text),
        host: Some(host).filter(|host| known(host) && is_host(host)),
        program: Some(program).filter(|program| known(program)),
        priority: None,
        transport: match known(process) {
            true => Transport::Process,
            false => Transport::Unknown,
        },
    })
}

/// What follows elements in brackets, whose quoted values may hold brackets and escaped quotes.
fn after_structured_data(rest: &[u8]) -> Option<&[u8]> {
    let (mut quoted, mut escaped, mut within) = (false, false, false);
    for (at, &byte) in rest.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' if within => quoted = !quoted,
            _ if quoted => {}
            b'[' if !within => within = true,
            b']' if within => within = false,
            b' ' if !within => return Some(&rest[at..]),
            _ if !within => return None,
            _ => {}
        }
    }
    (!within).then_some(b"")
}

/// The first word, which a space ends, and what follows it.
fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text
        .iter()
        .take(NAME_MAX_BYTES + 1)
        .position(|&byte| byte == b' ')?;
    (end > 0).then(|| (&text[..end], &text[end + 1..]))
}

/// The program of "sshd[17]: text" and "kernel: text", whether it names its process, and the text.
fn source(text: &[u8]) -> Option<(&[u8], bool, &[u8])> {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-./()@+".contains(byte);
    let text = text.strip_prefix(b" ").unwrap_or(text);
    let length = text
        .iter()
        .take(NAME_MAX_BYTES)
        .take_while(|byte| is_name(byte))
        .count();
    let (program, rest) = text.split_at(length);
    if program.is_empty() {
        return None;
    }
    let (process, rest) = match rest {
        [b'[', rest @ ..] => {
            let end = rest.iter().take(32).position(|&byte| byte == b']')?;
            (true, &rest[end + 1..])
        }
        rest => (false, rest),
    };
    let rest = rest.strip_prefix(b":")?;
    match rest {
        [] => Some((program, process, rest)),
        [b' ', text @ ..] => Some((program, process, text)),
        _ => None,
    }
}

/// Whether a word can be the name of a host, and is not a level.
fn is_host(word: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-:".contains(byte);
    word.len() <= NAME_MAX_BYTES
        && word.iter().all(is_part)
        && word.last() != Some(&b':')
        && values::level(word).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What is said: text, host, program and priority.
    type Fields = (String, Option<String>, Option<String>, Option<u8>);

    fn parsed(text: &str, has_program: bool) -> Fields {
        let string = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let mut scratch = Default::default();
        let said = parse(text.as_bytes(), has_program, &mut scratch);
        let found = (
            string(said.text),
            said.host.map(string),
            said.program.map(string),
            said.priority,
        );
        assert!(!is_plain(text.as_bytes()) || found.0 == text, "{text}");
        found
    }

    fn fields(
        text: &str,
        host: Option<&str>,
        program: Option<&str>,
        priority: Option<u8>,
    ) -> Fields {
        let string = |text: &str| text.to_owned();
        (text.into(), host.map(string), program.map(string), priority)
    }

    #[test]
    fn a_line_of_syslog_names_its_host_and_program() {
        let (host, sshd, kernel) = (Some("hv-1.example"), Some("sshd"), Some("kernel"));
        for (line, wanted) in [
            (
                "Oct  3 22:14:15 hv-1.example sshd[17]: session opened",
                fields("session opened", host, sshd, None),
            ),
            (
                "2024-02-05T12:39:46.250000+00:00 hv-1.example sshd[17]: session opened",
                fields("session opened", host, sshd, None),
            ),
            (
                "2024-02-05T12:39:46+0100 hv-1.example kernel: [    1.5] br0: port 1",
                fields("[    1.5] br0: port 1", host, kernel, None),
            ),
            (
                "<34>Oct 13 22:14:15 hv-1.example sshd[17]: a: b",
                fields("a: b", host, sshd, Some(2)),
            ),
            // As programs write to /dev/log.
            (
                "<30>Oct 13 22:14:15 sshd[17]: session opened",
                fields("session opened", None, sshd, Some(6)),
            ),
            (
                "<165>1 2003-10-11T22:14:15.003Z hv-1.example sshd 17 ID47 [a@1 x=\"q\\\"]z\"][b@2] \u{feff}said",
                fields("said", host, sshd, Some(5)),
            ),
            (
                "<11>1 - - - - - - said",
                fields("said", None, None, Some(3)),
            ),
            ("<3>said", fields("said", None, None, Some(3))),
            (
                "Oct  3 22:14:15 hv-1.example last message repeated 3 times",
                fields("last message repeated 3 times", host, None, None),
            ),
            (
                "2024-02-05T12:39:46Z hv-1.example dnsmasq: said",
                fields("said", None, Some("dnsmasq"), None),
            ),
        ] {
            assert_eq!(parsed(line, false), wanted, "{line}");
            // A program that says such a line has named itself already.
            assert_eq!(parsed(line, true), fields(line, None, None, None), "{line}");
        }
    }

    #[test]
    fn a_line_that_only_begins_with_a_time_is_left_as_it_is() {
        for line in [
            "2024-02-05T12:39:46Z ERROR main: disk failed",
            "2024-02-05T12:39:46Z INFO [main] started",
            "2024-02-05 12:39:46 hv-1 sshd[17]: said",
            "2024-02-05T12:39:46Z",
            "2024-02-05T12:39:46.Z h p[1]: x",
            "1: link is down",
            "Octopus is a cephalopod",
            "Mar",
            "<999>x",
            "<>",
            "<1",
            "{not json",
            "{\"level\":\"error\"}",
            "{\"log\":7}",
        ] {
            assert_eq!(
                parsed(line, false),
                fields(line, None, None, None),
                "{line}"
            );
        }
    }

    #[test]
    fn what_a_container_says_stands_behind_the_runtimes_stamp() {
        for line in [
            "2024-02-05T12:39:46.250000000+01:00 stdout F disk failed",
            "2024-02-05T12:39:46.25Z stderr P disk failed",
            // A time that was never set.
            "0001-01-01T00:00:00Z stderr F disk failed",
        ] {
            assert_eq!(parsed(line, false).0, "disk failed");
            assert_eq!(parsed(line, true).0, "disk failed");
        }
        // Whatever it says of hosts.
        let line = "2024-02-05T12:39:46Z stdout F Oct  3 22:14:15 hv-2 kernel: disk failed";
        let inner = "Oct  3 22:14:15 hv-2 kernel: disk failed";
        assert_eq!(parsed(line, false), fields(inner, None, None, None));
    }

    #[test]
    fn an_application_that_logs_json_says_what_is_in_it() {
        let inner = r#"{"level":"error","ts":1.5,"host":"db","msg":"disk \"sda\" failed"}"#;
        let wanted = fields("disk \"sda\" failed", None, None, Some(3));
        let docker =
            serde_json::json!({"log": format!("{inner}\n"), "stream": "stdout", "time": "x"});
        for line in [
            inner.to_owned(),
            docker.to_string(),
            format!("2024-02-05T12:39:46Z stdout F {inner}"),
        ] {
            for has_program in [false, true] {
                assert_eq!(parsed(&line, has_program), wanted, "{line}");
            }
        }
        let docker = r#"{"log":"disk failed\n","stream":"stderr","time":"x"}"#;
        assert_eq!(parsed(docker, false).0, "disk failed");
        // More of them, one within the other, are not looked into.
        let mut line = "deep".to_owned();
        for _ in 0..9 {
            line = serde_json::json!({ "log": line }).to_string();
        }
        assert!(parsed(&line, false).0.starts_with("{\"log\":"));
    }

    #[test]
    fn numbers_of_levels_are_those_of_syslog_or_of_loggers() {
        for (level, priority) in [
            ("3", Some(3)),
            ("30", Some(6)),
            ("50", Some(3)),
            ("60", Some(2)),
            ("\"warn\"", Some(4)),
            ("\"E\"", Some(3)),
            ("17", None),
            ("null", None),
        ] {
            let line = format!("{{\"msg\":\"said\",\"level\":{level}}}");
            assert_eq!(parsed(&line, false), fields("said", None, None, priority));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_in_time_that_grows_with_them(
            start in prop::sample::select(&[
                "", "<34>", "<34>1 ", "Oct  3 22:14:15 ", "2024-02-05T12:39:46Z ", "2024-02-05T12:39:46Z stdout F ",
                "{\"log\":\"", "{\"log\":{", "{\"msg\":\"a\",",
            ][..]),
            rest in "[ -~]{0,80}",
            has_program in any::<bool>(),
        ) {
            parsed(&format!("{start}{rest}"), has_program);
        }
    }
}
