//! The keys that records have by their inputs, where no option names them: who says a record.

use crate::accessor::{Accessor, Path, Paths, Root, Seen, Wanted};
use crate::msgpack::{Reader, Value};
use crate::record::{Record, each_pair};

use super::values::text;

/// What the filter `kubernetes` adds: a map with the names of the pod, the container and the node (`host`).
pub const KUBERNETES: &[u8] = b"kubernetes";

/// Where the program stands: the journal's, as the input `systemd` gives it in all its ways, syslog's, containers' and
/// OpenTelemetry's.
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

/// What the input `kmsg` gives beside the text.
const KMSG: [&str; 2] = ["sequence", "usec"];

/// How many keys of a record are wanted at most beside those of the options: the marks of an event, and all of these.
pub const OWN_KEYS: usize = 2 + PROGRAMS.len() + UNITS.len() + PODS.len() + KMSG.len();

/// Where to look for who says a record.
#[derive(Debug)]
pub struct Sources {
    programs: Paths,
    units: Paths,
    pods: Paths,
    kmsg: [Path; KMSG.len()],
}

/// What a record says of its source, and its text.
#[derive(Debug, Clone, Copy)]
pub struct Own<'a> {
    /// The text.
    pub text: &'a [u8],
    /// The program.
    pub program: Option<&'a [u8]>,
    /// The unit.
    pub unit: Option<&'a [u8]>,
}

impl Sources {
    /// Those of all inputs.
    pub fn new(wanted: &mut Wanted) -> Self {
        let mut path = |key: &&str| {
            let accessor = Accessor::parse(key).expect("the keys are accessors");
            wanted.add(accessor)
        };
        Self {
            programs: PROGRAMS.iter().map(&mut path).collect(),
            units: UNITS.iter().map(&mut path).collect(),
            pods: PODS.iter().map(&mut path).collect(),
            kmsg: KMSG.each_ref().map(path),
        }
    }

    /// Whether a record names a pod.
    pub fn has_pod(&self, seen: &Seen<'_>) -> bool {
        self.pods.find(seen, |_, value| text(value)).is_some()
    }

    /// Who says a record, and its text without what its input adds to it.
    #[inline]
    pub fn of<'a>(&self, seen: &Seen<'a>, said: &'a [u8]) -> Own<'a> {
        let program = self.programs.find(seen, |_, value| text(value));
        let unit = self.units.find(seen, |_, value| text(value));
        if program.is_none() && self.kmsg.iter().all(|path| seen.begin(path).is_some()) {
            return Own {
                text: without_dictionary(said),
                program: Some(b"kernel"),
                unit,
            };
        }
        Own {
            text: said,
            program,
            unit,
        }
    }
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
            keys.push(key.replace(|c: char| c.is_control(), " "));
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
