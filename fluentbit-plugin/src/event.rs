//! Events as records: the fields of an event under its time.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::hash::{BuildHasher as _, Hash as _, Hasher as _, RandomState};
use std::sync::LazyLock;

use parking_lot::Mutex;

use crate::msgpack::{self, Reader};
use crate::record::each_pair;

/// The key whose value says what kind of event it is.
pub const KIND: &str = "event";

/// The key whose value is the version of the event's shape.
pub const SCHEMA: &str = "schema";

/// The kind of the records that ask for a verdict on a template.
pub const QUESTION: &str = "log_question";

/// The kinds of events, of this plugin and of others of bellwether's, and that of questions.
const KINDS: [&[u8]; 11] = [
    b"log_failure",
    b"log_novelty",
    b"hypervisor_anomaly",
    b"hypervisor_silence",
    b"collector_silence",
    b"fleet_change",
    b"workload_change",
    b"failure_risk",
    b"resource_anomaly",
    b"group_anomaly",
    QUESTION.as_bytes(),
];

/// Whether a value of [`KIND`] is the name of a kind of events.
pub fn is_kind(kind: msgpack::Value<'_>) -> bool {
    matches!(kind, msgpack::Value::Str(kind) | msgpack::Value::Bin(kind) if KINDS.contains(&kind))
}

/// Whether a key is one of those by which an event is known.
pub fn is_mark(key: &[u8]) -> bool {
    key == KIND.as_bytes() || key == SCHEMA.as_bytes()
}

/// The fields by which an event is recognized as one that was issued, or a question: [`OF_EVENTS`] or [`OF_QUESTIONS`]. Other
/// filters may have added to the rest of it.
const RECOGNIZED: [&str; 9] = [
    KIND,
    SCHEMA,
    "time",
    "hypervisor",
    "state",
    "severity",
    "incident",
    "template",
    "template_id",
];

/// Which of these an event is recognized by.
const OF_EVENTS: [usize; 7] = [0, 1, 2, 3, 4, 5, 6];

/// Which of these a question is recognized by.
const OF_QUESTIONS: [usize; 6] = [0, 1, 2, 3, 7, 8];

/// How many events are remembered at least.
const REMEMBERED: usize = 4096;

/// The last events of this process, by a hash with a key of this run that is nowhere written: a record that imitates an event has none
/// of these hashes, and one that repeats an event says nothing new.
struct Issued {
    key: RandomState,
    hashes: HashSet<u64>,
    /// The oldest first.
    order: VecDeque<u64>,
    limit: usize,
}

static ISSUED: LazyLock<Mutex<Issued>> = LazyLock::new(|| {
    Mutex::new(Issued {
        key: RandomState::new(),
        hashes: HashSet::new(),
        order: VecDeque::new(),
        limit: REMEMBERED,
    })
});

impl Issued {
    /// The hash of an event's map; `None` of what cannot be one.
    fn hash(&self, map: &[u8]) -> Option<u64> {
        let mut fields = [const { None }; RECOGNIZED.len()];
        let mut twice = [false; RECOGNIZED.len()];
        each_pair(map, |key, value, _| {
            let at = RECOGNIZED.iter().position(|known| known.as_bytes() == key);
            if let Some(at) = at {
                twice[at] |= fields[at].replace(value).is_some();
            }
        });
        let of_question = fields[0] == Some(msgpack::Value::Str(QUESTION.as_bytes()));
        let recognized = match of_question {
            true => &OF_QUESTIONS[..],
            false => &OF_EVENTS[..],
        };
        if recognized.iter().any(|at| twice[*at]) {
            return None;
        }
        let mut hasher = self.key.build_hasher();
        for at in recognized {
            match fields[*at]? {
                msgpack::Value::Str(text) => text.hash(&mut hasher),
                // However it is encoded.
                msgpack::Value::Unsigned(number) => (number as f64).to_bits().hash(&mut hasher),
                msgpack::Value::Float(number) => number.to_bits().hash(&mut hasher),
                _ => return None,
            }
        }
        Some(hasher.finish())
    }

    fn issue(&mut self, map: &[u8]) {
        let Some(hash) = self.hash(map) else {
            return;
        };
        if self.hashes.insert(hash) {
            self.order.push_back(hash);
        }
        while self.order.len() > self.limit {
            if let Some(oldest) = self.order.pop_front() {
                self.hashes.remove(&oldest);
            }
        }
    }
}

/// Remembers an event that is about to leave the filter: wherever the pipeline brings it past a filter of this process again, it is
/// [recognized](is_issued).
pub fn issue(record: &[u8]) {
    let mut reader = Reader::new(record);
    let map = reader.next().and_then(|_| {
        reader.skip()?;
        let at = reader.at();
        reader.skip()?;
        Ok(reader.since(at))
    });
    if let Ok(map) = map {
        ISSUED.lock().issue(map);
    }
}

/// Whether a record with this map is an event of this process.
pub fn is_issued(map: &[u8]) -> bool {
    let issued = ISSUED.lock();
    issued
        .hash(map)
        .is_some_and(|hash| issued.hashes.contains(&hash))
}

/// Makes sure that as many events are remembered as can wait in a queue of this length.
pub fn remember(queue_length: usize) {
    let mut issued = ISSUED.lock();
    issued.limit = issued.limit.max(REMEMBERED + queue_length);
}

/// The value of a field of an event.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FieldValue<'a> {
    /// A string.
    Text(&'a str),
    /// A number.
    Number(f64),
    /// A whole number.
    Integer(u64),
    /// True or false.
    Flag(bool),
    /// A list of strings.
    Texts(&'a [String]),
}

/// The record of an event with that time, in seconds since the epoch: its fields in their order.
pub fn record(time: f64, fields: &[(&str, FieldValue<'_>)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    out.extend([0x92, 0x92]);
    write_time(&mut out, time);
    out.push(0x80);
    write_head(&mut out, rmp::encode::write_map_len, fields.len());
    for (key, value) in fields {
        write_str(&mut out, key.as_bytes());
        match *value {
            FieldValue::Text(text) => write_str(&mut out, text.as_bytes()),
            FieldValue::Number(number) => write_float(&mut out, number),
            FieldValue::Integer(number) => write_unsigned(&mut out, number),
            FieldValue::Flag(flag) => write_bool(&mut out, flag),
            FieldValue::Texts(texts) => {
                write_head(&mut out, rmp::encode::write_array_len, texts.len());
                for text in texts {
                    write_str(&mut out, text.as_bytes());
                }
            }
        }
    }
    out
}

/// The host's extension type for times: seconds and nanoseconds.
fn write_time(out: &mut Vec<u8>, time: f64) {
    let time = time.clamp(0.0, f64::from(u32::MAX - 2));
    let seconds = time.floor();
    let nanos = ((time - seconds) * 1e9) as u32;
    out.extend([0xd7, 0]);
    out.extend((seconds as u32).to_be_bytes());
    out.extend(nanos.min(999_999_999).to_be_bytes());
}

fn write_head<R, E: fmt::Debug>(
    out: &mut Vec<u8>,
    write: impl Fn(&mut Vec<u8>, u32) -> Result<R, E>,
    length: usize,
) {
    write(out, length as u32).expect("a vector takes all");
}

/// Writes a string; it need not be UTF-8.
pub fn write_str(out: &mut Vec<u8>, text: &[u8]) {
    write_head(out, rmp::encode::write_str_len, text.len());
    out.extend_from_slice(text);
}

/// Writes a whole number in the shortest form.
pub fn write_unsigned(out: &mut Vec<u8>, number: u64) {
    rmp::encode::write_uint(out, number).expect("a vector takes all");
}

/// Writes a floating-point number.
pub fn write_float(out: &mut Vec<u8>, number: f64) {
    rmp::encode::write_f64(out, number).expect("a vector takes all");
}

/// Writes true or false.
pub fn write_bool(out: &mut Vec<u8>, value: bool) {
    out.push(0xc2 | u8::from(value));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::msgpack::Value as Packed;
    use crate::record::tests::decoded;
    use crate::record::{Records, When};

    #[test]
    fn an_event_is_a_record_with_its_time_and_all_its_keys_in_their_order() {
        let bytes = record(
            1_700_000_000.25,
            &[
                ("event", FieldValue::Text("log_failure")),
                ("schema", FieldValue::Integer(1)),
                ("time", FieldValue::Number(1_700_000_000.25)),
                ("score", FieldValue::Number(0.75)),
                ("on", FieldValue::Flag(true)),
            ],
        );
        let mut keys = Vec::new();
        let found = Records::of(&bytes)
            .next(|key, _, _| keys.push(String::from_utf8_lossy(key).into_owned()))
            .unwrap()
            .unwrap();
        assert_eq!(found.time, When::Seconds(1_700_000_000.25));
        assert_eq!(keys, ["event", "schema", "time", "score", "on"]);
        let shown = decoded(&bytes)[0][1].to_string();
        let wanted = r#"{"event": "log_failure", "schema": 1, "time": 1700000000.25, "score": 0.75, "on": true}"#;
        assert_eq!(shown, wanted);
    }

    #[test]
    fn an_event_is_recognized_by_what_it_says_and_a_limited_number_is() {
        let fields = |time: f64, state: &'static str| {
            [
                ("event", FieldValue::Text("log_failure")),
                ("schema", FieldValue::Integer(1)),
                ("time", FieldValue::Number(time)),
                ("state", FieldValue::Text(state)),
                ("severity", FieldValue::Text("failure")),
                ("hypervisor", FieldValue::Text("hv1")),
                ("incident", FieldValue::Text("00ff")),
                ("message", FieldValue::Text("a disk fails")),
            ]
        };
        let map = |fields: &[(&str, FieldValue<'_>)]| {
            let bytes = record(1.5, fields);
            let record = Records::of(&bytes).next(|_, _, _| {}).unwrap().unwrap();
            record.map.to_vec()
        };
        let mut issued = Issued {
            key: RandomState::new(),
            hashes: HashSet::new(),
            order: VecDeque::new(),
            limit: 3,
        };
        let is_issued = |fields: &[(&str, FieldValue<'_>)], issued: &Issued| {
            let hash = issued.hash(&map(fields));
            hash.is_some_and(|hash| issued.hashes.contains(&hash))
        };
        let event = fields(7.0, "raised");
        issued.issue(&map(&event));
        issued.issue(&map(&event));
        assert!(is_issued(&event, &issued));
        // In another order and with more.
        let mut longer = vec![("cluster", FieldValue::Text("a"))];
        longer.extend(event.iter().rev());
        assert!(is_issued(&longer, &issued));
        // What says something else, or twice, or less, is another's.
        assert!(!is_issued(&fields(7.0, "cleared"), &issued));
        longer.push(("hypervisor", FieldValue::Text("hv2")));
        assert!(!is_issued(&longer, &issued));
        assert!(!is_issued(&event[1..], &issued));
        for time in 8..11 {
            issued.issue(&map(&fields(time.into(), "raised")));
        }
        assert!(!is_issued(&event, &issued));
        assert!(is_issued(&fields(10.0, "raised"), &issued));
        assert_eq!((issued.hashes.len(), issued.order.len()), (3, 3));
    }

    #[test]
    fn a_question_is_recognized_by_its_template_and_is_no_event_of_another_kind() {
        let map = |kind: &'static str, template: &str| {
            let bytes = record(
                1.5,
                &[
                    ("event", FieldValue::Text(kind)),
                    ("schema", FieldValue::Integer(1)),
                    ("time", FieldValue::Number(1.5)),
                    ("hypervisor", FieldValue::Text("hv1")),
                    ("template", FieldValue::Text(template)),
                    ("template_id", FieldValue::Integer(7)),
                    ("benign", FieldValue::Texts(&["a".into(), "b".into()])),
                ],
            );
            let record = Records::of(&bytes).next(|_, _, _| {}).unwrap().unwrap();
            record.map.to_vec()
        };
        let mut issued = Issued {
            key: RandomState::new(),
            hashes: HashSet::new(),
            order: VecDeque::new(),
            limit: 3,
        };
        let question = map(QUESTION, "spare area <:NUM:>");
        issued.issue(&question);
        let is_issued = |map: &[u8]| {
            let hash = issued.hash(map);
            hash.is_some_and(|hash| issued.hashes.contains(&hash))
        };
        assert!(is_issued(&question));
        assert!(!is_issued(&map(QUESTION, "spare area")));
        assert!(!is_issued(&map("log_failure", "spare area <:NUM:>")));
    }

    #[test]
    fn kinds_of_events_are_known_however_they_are_encoded() {
        assert!(is_kind(Packed::Str(b"log_failure")) && is_kind(Packed::Bin(b"failure_risk")));
        assert!(!is_kind(Packed::Str(b"login")) && !is_kind(Packed::Unsigned(7)));
    }
}
