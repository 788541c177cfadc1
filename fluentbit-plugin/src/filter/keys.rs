//! The keys that records have by their inputs, where no option names them: who says a record, and how it came.
//!
//! Who writes a record chooses most of it. What raises the trust in a record (the kernel's transport, the name of a program) is taken
//! from keys that the input itself fills; what lowers it (a container, a facility of processes) is believed of anyone.

use std::borrow::Cow;

use bellwether_sys::Transport;

use crate::accessor::{Accessor, Path, Paths, Root, Seen, Wanted};
use crate::msgpack::{Reader, Value};
use crate::record::{Record, each_pair};

use bellwether_agent::text::clean;

use super::values::{self, text};

/// What the filter `kubernetes` adds: a map with the names of the pod, the container and the node (`host`).
pub const KUBERNETES: &[u8] = b"kubernetes";

/// The program of the kernel's messages.
const KERNEL: &[u8] = b"kernel";

/// How many forms the journal's keys have: as they are, without underscores, in lower case, and both.
const FORMS: usize = 4;

/// The key that tells each form: how journald got the record. It and the others with an underscore are journald's own word.
const TRANSPORTS: [&str; FORMS] = ["_TRANSPORT", "TRANSPORT", "_transport", "transport"];

/// Its values.
const JOURNAL_TRANSPORTS: [&[u8]; 6] = [
    KERNEL, b"syslog", b"journal", b"stdout", b"audit", b"driver",
];

const UIDS: [&str; FORMS] = ["_UID", "UID", "_uid", "uid"];

const COMMS: [&str; FORMS] = ["_COMM", "COMM", "_comm", "comm"];

const JOURNAL_UNITS: [&str; FORMS] = [
    "_SYSTEMD_UNIT",
    "SYSTEMD_UNIT",
    "_systemd_unit",
    "systemd_unit",
];

/// The name that whoever logs gives itself.
const IDENTIFIERS: [&str; FORMS] = [
    "SYSLOG_IDENTIFIER",
    "SYSLOG_IDENTIFIER",
    "syslog_identifier",
    "syslog_identifier",
];

/// Where the program stands in other records, or in the journal's if its transport is not there.
const PROGRAMS: [&str; 14] = [
    "SYSLOG_IDENTIFIER",
    "syslog_identifier",
    "_COMM",
    "COMM",
    "_comm",
    "comm",
    "ident",
    "programname",
    "program",
    "appname",
    "$kubernetes['container_name']",
    "container_name",
    "$RESOURCE['k8s.container.name']",
    "$RESOURCE['service.name']",
];

/// Where the unit stands.
const UNITS: [&str; 6] = [
    "_SYSTEMD_UNIT",
    "SYSTEMD_UNIT",
    "_systemd_unit",
    "systemd_unit",
    "$kubernetes['pod_name']",
    "$RESOURCE['k8s.pod.name']",
];

/// Where a record names the pod that it is of.
const PODS: [&str; 2] = ["$kubernetes['pod_name']", "$RESOURCE['k8s.pod.name']"];

/// Where a record names the container that it is of.
const CONTAINERS: [&str; 5] = [
    "$kubernetes['container_name']",
    "CONTAINER_NAME",
    "container_name",
    "$RESOURCE['k8s.container.name']",
    "$RESOURCE['container.name']",
];

/// What only records of containers have: of the filter `kubernetes`, of Docker's and Podman's log drivers, of OpenTelemetry. And what
/// the parsers of Docker's and CRI's logs give, where it is `stdout` or `stderr`.
const OF_CONTAINERS: [&str; 11] = [
    "kubernetes",
    "docker",
    "CONTAINER_ID",
    "container_id",
    "CONTAINER_NAME",
    "container_name",
    "$RESOURCE['k8s.pod.name']",
    "$RESOURCE['k8s.pod.uid']",
    "$RESOURCE['container.id']",
    "$RESOURCE['container.name']",
    "stream",
];

/// Where that is among these.
const STREAM: usize = OF_CONTAINERS.len() - 1;

/// What the input `kmsg` gives beside the text.
const KMSG: [&str; 4] = ["priority", "sequence", "sec", "usec"];

/// What the input `opentelemetry` gives in the metadata of every record, before 3.2 and since then.
const OTLP: [&str; 2] = ["$METADATA['otlp']", "$METADATA['severity_number']"];

/// Syslog's PRI, and the number of the process.
const SYSLOG: [&str; 2] = ["pri", "pid"];

/// How many keys of a record are wanted at most beside those of the options: the marks of an event and of feedback, and all of these.
pub const OWN_KEYS: usize = 2
    + 5 * FORMS
    + PROGRAMS.len()
    + UNITS.len()
    + PODS.len()
    + CONTAINERS.len()
    + OF_CONTAINERS.len()
    + KMSG.len()
    + OTLP.len()
    + SYSLOG.len();

/// Units of systemd that are containers: those of Docker, Podman, CRI-O and containerd.
const CONTAINER_UNITS: [&[u8]; 4] = [b"docker-", b"libpod-", b"crio-", b"cri-containerd-"];

/// Services in which users' own processes run: those that log users in, and that run their jobs.
const SERVICES_OF_USERS: [&[u8]; 16] = [
    b"session",
    b"user",
    b"ssh",
    b"sshd",
    b"cron",
    b"crond",
    b"anacron",
    b"atd",
    b"getty",
    b"serial-getty",
    b"console-getty",
    b"container-getty",
    b"gdm",
    b"gdm3",
    b"lightdm",
    b"sddm",
];

/// Where to look for who says a record.
#[derive(Debug)]
pub struct Sources {
    transports: Paths,
    journal: [Journal; FORMS],
    programs: Paths,
    units: Paths,
    pods: Paths,
    containers: Paths,
    of_containers: Paths,
    /// All whose presence decides how a record came, without the metadata.
    deciding: Paths,
    kmsg: [Path; KMSG.len()],
    otlp: Paths,
    pri: Path,
    pid: Path,
}

/// The keys of one form of the journal's records.
#[derive(Debug)]
struct Journal {
    transport: Path,
    uid: Path,
    comm: Path,
    unit: Path,
    identifier: Path,
}

/// What a record says of its source, and its text.
#[derive(Debug, Clone)]
pub struct Own<'a> {
    /// The text.
    pub text: &'a [u8],
    /// The program.
    pub program: Option<Cow<'a, [u8]>>,
    /// The unit.
    pub unit: Option<&'a [u8]>,
    /// How it came.
    pub transport: Transport,
}

impl Sources {
    /// Those of all inputs.
    pub fn new(wanted: &mut Wanted) -> Self {
        let mut path = |key: &&str| {
            let accessor = Accessor::parse(key).expect("the keys are accessors");
            wanted.add(accessor)
        };
        Self {
            transports: TRANSPORTS.iter().map(&mut path).collect(),
            journal: [0, 1, 2, 3].map(|form| Journal {
                transport: path(&TRANSPORTS[form]),
                uid: path(&UIDS[form]),
                comm: path(&COMMS[form]),
                unit: path(&JOURNAL_UNITS[form]),
                identifier: path(&IDENTIFIERS[form]),
            }),
            programs: PROGRAMS.iter().map(&mut path).collect(),
            units: UNITS.iter().map(&mut path).collect(),
            pods: PODS.iter().map(&mut path).collect(),
            containers: CONTAINERS.iter().map(&mut path).collect(),
            of_containers: OF_CONTAINERS.iter().map(&mut path).collect(),
            deciding: (TRANSPORTS.iter())
                .chain(&OF_CONTAINERS)
                .chain(&KMSG[1..2])
                .chain(&SYSLOG)
                .map(&mut path)
                .collect(),
            kmsg: KMSG.each_ref().map(&mut path),
            otlp: OTLP.iter().map(&mut path).collect(),
            pri: path(&SYSLOG[0]),
            pid: path(&SYSLOG[1]),
        }
    }

    /// Whether a record names a pod.
    pub fn has_pod(&self, seen: &Seen<'_>) -> bool {
        self.pods.find(seen, |_, value| text(value)).is_some()
    }

    /// Who says a record, how it came, and its text without what its input adds to it.
    #[inline]
    pub fn of<'a>(&self, seen: &Seen<'a>, said: &'a [u8]) -> Own<'a> {
        if !self.deciding.any(seen) {
            let unit = self.units.find(seen, |_, value| text(value));
            return Own {
                text: said,
                program: self.program(seen).map(Cow::Borrowed),
                unit,
                transport: match Self::is_of_container_unit(unit) {
                    true => Transport::Container,
                    false => Transport::Unknown,
                },
            };
        }
        self.decide(seen, said)
    }

    /// [`of`](Self::of) a record with a key that says how it came.
    fn decide<'a>(&self, seen: &Seen<'a>, said: &'a [u8]) -> Own<'a> {
        let form = self.transports.find(seen, |form, value| {
            // Two values, of which one is the sender's, are a list, or the key is there twice.
            let known = match value {
                Value::Str(value) => {
                    TRANSPORTS[form].starts_with('_') || JOURNAL_TRANSPORTS.contains(&value)
                }
                value => matches!(value, Value::Array(_)),
            };
            known.then_some(form)
        });
        let own = match form {
            Some(form) => self.journal[form].of(seen, said, TRANSPORTS[form].starts_with('_')),
            None => self.plain(seen, said),
        };
        if self.is_container(seen, own.unit) {
            return self.container(seen, own);
        }
        if own.transport == Transport::Kernel && self.is_otlp(seen) {
            // Whoever sends OTLP chooses all keys.
            return Own {
                transport: Transport::Unknown,
                ..own
            };
        }
        own
    }

    /// [`of`](Self::of) a record without the journal's keys.
    fn plain<'a>(&self, seen: &Seen<'a>, said: &'a [u8]) -> Own<'a> {
        let program = self.program(seen);
        let unit = self.units.find(seen, |_, value| text(value));
        if program.is_none() && self.kmsg.iter().all(|path| seen.begin(path).is_some()) {
            return Own {
                text: without_dictionary(said),
                program: Some(KERNEL.into()),
                unit,
                transport: Transport::Kernel,
            };
        }
        Own {
            text: said,
            program: program.map(Cow::Borrowed),
            unit,
            transport: match self.is_syslog_of_process(seen, program) {
                true => Transport::Process,
                false => Transport::Unknown,
            },
        }
    }

    /// Whether syslog's keys say that a record is not the kernel's: its facility is another one than the kernel's, or it names its
    /// process, which the kernel does not have. The kernel's own facility says nothing: a sender chooses it.
    fn is_syslog_of_process(&self, seen: &Seen<'_>, program: Option<&[u8]>) -> bool {
        let pri = seen.get(&self.pri).and_then(values::number);
        pri.is_some_and(|pri| (8..=191).contains(&pri))
            || program == Some(KERNEL) && seen.get(&self.pid).and_then(values::number).is_some()
    }

    #[inline]
    fn program<'a>(&self, seen: &Seen<'a>) -> Option<&'a [u8]> {
        self.programs.find(seen, |_, value| text(value))
    }

    #[inline]
    fn is_container(&self, seen: &Seen<'_>, unit: Option<&[u8]>) -> bool {
        let marked = self.of_containers.find(seen, |at, value| {
            let is_stream = matches!(value, Value::Str(b"stdout" | b"stderr"));
            (at != STREAM || is_stream).then_some(())
        });
        marked.is_some() || Self::is_of_container_unit(unit)
    }

    #[inline]
    fn is_of_container_unit(unit: Option<&[u8]>) -> bool {
        unit.is_some_and(|unit| {
            unit.ends_with(b".scope") && CONTAINER_UNITS.iter().any(|c| unit.starts_with(c))
        })
    }

    /// A record of a container: whatever else its program says of itself.
    fn container<'a>(&self, seen: &Seen<'a>, own: Own<'a>) -> Own<'a> {
        let container = self.containers.find(seen, |_, value| text(value));
        Own {
            program: container.map(Cow::Borrowed).or(own.program),
            transport: Transport::Container,
            ..own
        }
    }

    #[cold]
    fn is_otlp(&self, seen: &Seen<'_>) -> bool {
        self.otlp.find(seen, |_, _| Some(())).is_some()
    }
}

impl Journal {
    /// Who says a record of the journal's. `is_marked`: its own fields have their underscore, which those of a sender cannot have.
    fn of<'a>(&self, seen: &Seen<'a>, said: &'a [u8], is_marked: bool) -> Own<'a> {
        let field = |path: &Path| seen.only(path).and_then(text);
        let (identifier, unit) = (field(&self.identifier), field(&self.unit));
        let name = identifier.or_else(|| field(&self.comm));
        let is_kernel = seen.only(&self.transport) == Some(Value::Str(KERNEL));
        // What else is written to the kernel's ring buffer has another name there.
        let transport = match is_kernel && name.is_none_or(|name| name == KERNEL) {
            true => Transport::Kernel,
            false => Transport::Process,
        };
        let uid = match seen.begin(&self.uid) {
            // Journald does not say, as of the kernel.
            None => Some(0),
            Some(_) => seen.only(&self.uid).and_then(values::number),
        };
        let program = match uid {
            _ if transport == Transport::Kernel => Some(KERNEL.into()),
            // A process that ended early has no unit but the one that it may have added.
            Some(uid) if is_of_system(uid, unit) && (is_marked || !is_persons(uid)) => {
                name.map(Cow::Borrowed)
            }
            uid => Some(of_user(uid, field(&self.comm).or(identifier)).into()),
        };
        Own {
            text: said,
            program,
            unit,
            transport,
        }
    }
}

/// Whether a process may be what it calls itself: it is root's or a service of the system. A user chooses the name of his process,
/// too.
fn is_of_system(uid: u64, unit: Option<&[u8]>) -> bool {
    uid == 0
        || unit.is_some_and(|unit| {
            let end = unit.iter().position(|byte| b".@".contains(byte));
            let stem = &unit[..end.unwrap_or(unit.len())];
            let stem = match unit.strip_suffix(b".scope") {
                Some(scope) if scope.starts_with(b"session-") => b"session",
                _ => stem,
            };
            !SERVICES_OF_USERS.contains(&stem)
        })
}

/// Whether a user is a person, or one of a name space that a person or a container has. Systems have their own up to 999, and those that
/// systemd and distributions hand out from 60000 on.
fn is_persons(uid: u64) -> bool {
    (1000..60_000).contains(&uid) || uid > 65_535
}

/// What the process of a user is called: no name of a program that is known, whatever it calls itself.
#[cold]
fn of_user(uid: Option<u64>, name: Option<&[u8]>) -> Vec<u8> {
    let mut program = match uid {
        Some(uid) => format!("uid {uid}"),
        None => "uid unknown".to_owned(),
    }
    .into_bytes();
    if let Some(name) = name {
        program.extend_from_slice(b" (");
        program.extend_from_slice(&name[..name.len().min(64)]);
        program.push(b')');
    }
    program
}

/// A message of the kernel's without the lines of "KEY=value" that follow it in the ring buffer, each indented by a space.
fn without_dictionary(said: &[u8]) -> &[u8] {
    let end = said.windows(2).position(|two| two == b"\n ");
    end.map_or(said, |end| &said[..end])
}

/// Takes what is wanted of a record's metadata.
#[inline]
pub fn take_metadata<'a>(wanted: &Wanted, seen: &mut Seen<'a>, record: &Record<'a>) {
    seen.clear(Root::Metadata);
    // More than an empty map, as most have.
    if record.metadata.len() > 1 && wanted.wants(Root::Metadata) {
        each_pair(record.metadata, |key, value, bytes| {
            seen.take(wanted, Root::Metadata, key, value, bytes);
        });
    }
}

/// Takes what is wanted of the resource that the record which opens a group holds.
pub fn open_group<'a>(wanted: &Wanted, seen: &mut Seen<'a>, group: &Record<'a>) {
    seen.clear(Root::Resource);
    if !wanted.wants(Root::Resource) {
        return;
    }
    let named = |map: &'a [u8], name: &[u8]| {
        let mut found = None;
        each_pair(map, |key, _, bytes| {
            if key == name {
                found.get_or_insert(bytes);
            }
        });
        found
    };
    let attributes = named(group.map, b"resource").and_then(|map| named(map, b"attributes"));
    each_pair(attributes.unwrap_or_default(), |key, value, bytes| {
        seen.take(wanted, Root::Resource, key, value, bytes);
    });
}

/// The first keys of a record, for a line of the log.
pub fn listed(record: &Record<'_>) -> String {
    /// How many, and how much of each.
    const KEYS: usize = 12;
    const KEY_BYTES: usize = 40;
    let mut keys = Vec::new();
    let mut reader = Reader::new(record.body);
    while keys.len() <= KEYS
        && let Ok(key) = reader.next()
    {
        if let Value::Str(key) = key {
            let key = String::from_utf8_lossy(&key[..key.len().min(KEY_BYTES)]).into_owned();
            keys.push(clean(&key).into_owned());
        }
        if reader
            .skip_within(key)
            .and_then(|()| reader.skip())
            .is_err()
        {
            break;
        }
    }
    if keys.len() > KEYS {
        keys[KEYS] = "...".into();
    }
    keys.join(", ")
}
