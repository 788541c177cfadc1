//! The codec of Fluent Bit's records, and the forms of their texts: any bytes are read without a panic and within their bounds;
//! what is found in a record and written of it is what rmpv, an implementation of its own, reads of it, and what is found in a
//! JSON object is what serde_json reads of that.
#![no_main]

// The plugin is an object that a host loads, and is no crate to depend on: these are its files.
#[allow(dead_code)]
#[path = "../../fluentbit-plugin/src/accessor.rs"]
mod accessor;
#[allow(dead_code)]
#[path = "../../fluentbit-plugin/src/event.rs"]
mod event;
#[allow(dead_code)]
#[path = "../../fluentbit-plugin/src/filter/form.rs"]
mod form;
#[allow(dead_code)]
#[path = "../../fluentbit-plugin/src/filter/json.rs"]
mod json;
#[allow(dead_code)]
#[path = "../../fluentbit-plugin/src/filter/keys.rs"]
mod keys;
#[allow(dead_code)]
#[path = "../../fluentbit-plugin/src/msgpack.rs"]
mod msgpack;
#[allow(dead_code)]
#[path = "../../fluentbit-plugin/src/record.rs"]
mod record;
#[allow(dead_code)]
#[path = "../../fluentbit-plugin/src/filter/values.rs"]
mod values;

use std::fmt;

use accessor::{Accessor, Path, Root, Seen, Wanted};
use event::FieldValue;
use json::Json;
use keys::Sources;
use libfuzzer_sys::fuzz_target;
use msgpack::Reader;
use record::{Pair, Record, Records, When};
use rmpv::Value;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

/// How deeply rmpv goes into what is nested, where the plugin has no limit.
const DEPTH_MAX: usize = 200;

/// The longest name of a host or program that is found in a text, bytes.
const NAME_MAX_BYTES: usize = 255;

/// Two lines of text, and a chunk.
struct Input<'a> {
    /// What the first line names, each behind a blank.
    accessors: Vec<Accessor>,
    /// The key that is added, in place of one that the record may have.
    added: &'a [u8],
    chunk: &'a [u8],
}

impl<'a> Input<'a> {
    fn of(data: &'a [u8]) -> Option<Self> {
        let mut parts = data.splitn(3, |&byte| byte == b'\n');
        let (named, added, chunk) = (parts.next()?, parts.next()?, parts.next()?);
        let named = std::str::from_utf8(named).ok()?;
        let accessors = named.split(' ').map(Accessor::parse);
        let accessors = accessors.filter_map(|parsed| match parsed {
            Ok(accessor) => Some(accessor),
            Err(why) => {
                assert!(!why.is_empty());
                None
            }
        });
        Some(Self {
            accessors: accessors
                .take(accessor::WANTED_MAX - keys::OWN_KEYS)
                .collect(),
            added,
            chunk,
        })
    }
}

fuzz_target!(|data: &[u8]| {
    walk(data);
    if let Some(input) = Input::of(data) {
        walk(input.chunk);
        records(&input);
    }
    said(data);
    object(data);
    if let Ok(text) = std::str::from_utf8(data) {
        let record = an_event(text);
        let mut records = Records::of(&record);
        let written = records.next(|_, _, _| {}).expect("an event is a record");
        assert_eq!(written.expect("there is one").end, record.len());
    }
});

/// The record of an event with values that `text` has.
fn an_event(text: &str) -> Vec<u8> {
    let mut bytes = [0; 8];
    let head = text.len().min(8);
    bytes[..head].copy_from_slice(&text.as_bytes()[..head]);
    let number = f64::from_le_bytes(bytes);
    let fields = [
        ("event", FieldValue::Text(text)),
        (text, FieldValue::Number(number)),
        ("count", FieldValue::Integer(u64::from_le_bytes(bytes))),
        ("on", FieldValue::Flag(text.is_empty())),
    ];
    event::record(number, &fields)
}

/// Reads value after value.
fn walk(bytes: &[u8]) {
    let mut reader = Reader::new(bytes);
    while !reader.is_at_end() {
        let start = reader.at();
        if reader.skip().is_err() {
            assert!(reader.at() <= bytes.len());
            return;
        }
        assert!(reader.at() > start);
        assert_eq!(reader.since(start), &bytes[start..reader.at()]);
    }
}

/// Reads record after record as the filter does.
fn records(input: &Input) {
    let mut wanted = Wanted::default();
    let accessors = input.accessors.iter().cloned();
    let paths: Vec<_> = accessors.map(|accessor| wanted.add(accessor)).collect();
    let sources = Sources::new(&mut wanted);
    let mut seen = Seen::new(&wanted);
    let mut attributes = Known::Map(Vec::new());
    let mut records = Records::of(input.chunk);
    let mut end = 0;
    loop {
        seen.clear(Root::Record);
        let found = records.next(|key, value, bytes| {
            seen.take(&wanted, Root::Record, key, value, bytes);
        });
        let Ok(Some(record)) = found else {
            return;
        };
        assert_eq!(record.start, end, "no byte is between two records");
        assert!(record.end > record.start && record.end <= input.chunk.len());
        end = record.end;
        match record.time {
            When::Open => {
                keys::open_group(&wanted, &mut seen, &record);
                attributes = Known::of(record.map)
                    .value_of(b"resource")
                    .value_of(b"attributes");
            }
            When::Close => {
                seen.clear(Root::Resource);
                attributes = Known::Map(Vec::new());
            }
            When::Seconds(_) => {
                keys::take_metadata(&wanted, &mut seen, &record);
                let maps = [
                    &Known::of(record.map),
                    &Known::of(record.metadata),
                    &attributes,
                ];
                paths.iter().for_each(|path| begins(path, &seen, maps));
                let own = sources.of(&seen, input.added);
                assert!(input.added.starts_with(own.text));
                sources.has_pod(&seen);
                keys::listed(&record);
            }
        }
        rewritten(&record, input);
    }
}

/// What rmpv reads of a map.
enum Known {
    /// The pairs; of what is no map none.
    Map(Vec<(Value, Value)>),
    /// It is nested more deeply than rmpv goes.
    TooDeep,
}

impl Known {
    fn of(mut map: &[u8]) -> Self {
        if map.is_empty() {
            return Self::Map(Vec::new());
        }
        match rmpv::decode::read_value_with_max_depth(&mut map, DEPTH_MAX) {
            Ok(value) => Self::of_value(&value),
            Err(_) => Self::TooDeep,
        }
    }

    fn of_value(value: &Value) -> Self {
        match value {
            Value::Map(pairs) => Self::Map(pairs.clone()),
            _ => Self::Map(Vec::new()),
        }
    }

    /// What is under the first key of this name.
    fn get(&self, name: &[u8]) -> Option<&Value> {
        let Self::Map(pairs) = self else {
            return None;
        };
        let is_named = |key: &Value| key_bytes(key) == Some(name);
        pairs
            .iter()
            .find_map(|(key, value)| is_named(key).then_some(value))
    }

    fn value_of(&self, name: &[u8]) -> Self {
        match self {
            Self::TooDeep => Self::TooDeep,
            map => map.get(name).map_or(Self::Map(Vec::new()), Self::of_value),
        }
    }
}

/// A path begins at the value of its key in the map of its root, which are record, metadata and resource.
fn begins(path: &Path, seen: &Seen<'_>, maps: [&Known; 3]) {
    seen.get(path);
    let map = maps[path.accessor().root() as usize];
    if matches!(map, Known::TooDeep) {
        return;
    }
    let begin = seen.begin(path).map(|(_, mut bytes)| {
        let value = rmpv::decode::read_value_with_max_depth(&mut bytes, DEPTH_MAX);
        assert!(bytes.is_empty(), "a value ends where its bytes end");
        value.expect("it is in the map, which was read")
    });
    // NaN is not equal to itself; as text it is.
    let right = map.get(path.accessor().key());
    assert_eq!(format!("{:?}", begin.as_ref()), format!("{right:?}"));
}

/// What a text says is within it or unescaped from it, and a plain one says what it is.
fn said(text: &[u8]) {
    for has_program in [false, true] {
        let mut scratch = Default::default();
        let said = form::parse(text, has_program, &mut scratch);
        if form::is_plain(text) {
            let plain = form::Parsed {
                text,
                ..form::Parsed::default()
            };
            assert_eq!(said, plain);
        }
        assert!(said.priority.is_none_or(|priority| priority <= 7));
        assert!(!has_program || said.program.is_none() && said.host.is_none());
        for name in [said.host, said.program].into_iter().flatten() {
            assert!(!name.is_empty() && name.len() <= NAME_MAX_BYTES);
        }
        let copied = said.text.len() <= text.len() || text.contains(&b'\\');
        assert!(copied, "only an escape may grow");
    }
}

/// The pairs of a JSON object, also those whose key comes twice.
struct Pairs(Vec<(String, serde_json::Value)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = Pairs;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

/// An object that serde_json reads is read alike; whatever else it is, it is read or refused.
fn object(text: &[u8]) {
    let mut pairs = Vec::new();
    let is_object = json::each_pair(text, |key, value| {
        let (mut key_out, mut value_out) = Default::default();
        let key = json::unescaped(key, &mut key_out).to_vec();
        let string = match value {
            Json::Text(text) => Some(json::unescaped(text, &mut value_out).to_vec()),
            _ => None,
        };
        pairs.push((key, string, value));
    });
    let Ok(Pairs(right)) = serde_json::from_slice::<Pairs>(text) else {
        return;
    };
    assert!(is_object);
    assert_eq!(pairs.len(), right.len());
    // In a line of a log, what moves the cursor is a blank.
    let blank = |text: &[u8]| {
        let moves = |byte: &u8| matches!(byte, b'\r' | 8 | 12);
        let blank = text
            .iter()
            .map(|byte| if moves(byte) { b' ' } else { *byte });
        blank.collect::<Vec<_>>()
    };
    for ((key, string, value), (right_key, right_value)) in pairs.iter().zip(&right) {
        assert_eq!(blank(key), blank(right_key.as_bytes()));
        let right_string = right_value.as_str().map(|text| blank(text.as_bytes()));
        assert_eq!(string.as_deref().map(blank), right_string);
        if let Json::Number(_) = value {
            let number = match value.value() {
                msgpack::Value::Unsigned(number) => Some(number),
                _ => None,
            };
            assert_eq!(number, right_value.as_u64());
        }
        assert_eq!(matches!(value, Json::Number(_)), right_value.is_number());
    }
}

/// The record with a key added is the record with a key added.
fn rewritten(record: &Record<'_>, input: &Input) {
    let Some(pairs) = pairs(&input.chunk[record.start..record.end]) else {
        return;
    };
    assert_eq!(pairs.len(), record.pairs as usize);
    let mut added = Vec::new();
    event::write_str(&mut added, input.added);
    event::write_unsigned(&mut added, 7);
    // A key need not be UTF-8, which a string of Rust's is; read back, it is the same to rmpv.
    let mut key = Vec::new();
    event::write_str(&mut key, input.added);
    let key = rmpv::decode::read_value(&mut &*key).expect("a string was written");
    let new = (key, Value::from(7));

    let mut out = Vec::new();
    record::write_extended(&mut out, record, 1, &added);
    let mut right = pairs.clone();
    right.push(new.clone());
    same(&out, &right);

    let is_added = |key: &[u8]| key == input.added;
    for fate in [Pair::Omitted, Pair::Renamed(b"foreign_")] {
        out.clear();
        record::write_with(&mut out, record, 1, &added, |key| match is_added(key) {
            true => fate,
            false => Pair::Kept,
        });
        let mut right = pairs.clone();
        if fate == Pair::Omitted {
            right.retain(|(key, _)| !key_bytes(key).is_some_and(is_added));
        }
        for (key, _) in &mut right {
            if key_bytes(key).is_some_and(is_added) {
                let mut renamed = Vec::new();
                event::write_str(&mut renamed, &[b"foreign_", input.added].concat());
                *key = rmpv::decode::read_value(&mut &*renamed).expect("a string was written");
            }
        }
        right.push(new.clone());
        same(&out, &right);
    }
}

/// A key that is a string, or bytes, which are as good.
fn key_bytes(key: &Value) -> Option<&[u8]> {
    match key {
        Value::String(key) => Some(key.as_bytes()),
        Value::Binary(key) => Some(key),
        _ => None,
    }
}

fn same(bytes: &[u8], right: &[(Value, Value)]) {
    let read = pairs(bytes).expect("what is written can be read");
    assert_eq!(format!("{read:?}"), format!("{right:?}"));
    let mut records = Records::of(bytes);
    let record = records.next(|_, _, _| {}).expect("and by the plugin");
    assert_eq!(record.expect("it is one").end, bytes.len());
}

/// The pairs of a record as rmpv reads them; `None` where it cannot.
fn pairs(mut bytes: &[u8]) -> Option<Vec<(Value, Value)>> {
    let value = rmpv::decode::read_value_with_max_depth(&mut bytes, DEPTH_MAX).ok()?;
    assert!(bytes.is_empty(), "the record ends where its value ends");
    match value {
        Value::Array(mut parts) if parts.len() == 2 => match parts.pop() {
            Some(Value::Map(pairs)) => Some(pairs),
            other => panic!("a record's second part is a map, not {other:?}"),
        },
        other => panic!("a record is an array of two, not {other:?}"),
    }
}
