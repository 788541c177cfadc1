//! The codec of Fluent Bit's records: any bytes are read without a panic and within their bounds, and what is written of a
//! record is what rmpv, an implementation of its own, reads of it.
#![no_main]

// The plugin is an object that a host loads, and is no crate to depend on: these are its files.
#[allow(dead_code)]
#[path = "../../fluentbit-plugin/src/accessor.rs"]
mod accessor;
#[allow(dead_code)]
#[path = "../../fluentbit-plugin/src/event.rs"]
mod event;
#[allow(dead_code)]
#[path = "../../fluentbit-plugin/src/msgpack.rs"]
mod msgpack;
#[allow(dead_code)]
#[path = "../../fluentbit-plugin/src/record.rs"]
mod record;

use accessor::{Accessor, Seen, Wanted};
use libfuzzer_sys::fuzz_target;
use msgpack::Reader;
use record::{Record, Records};
use rmpv::Value;

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
        let accessors = named.split(' ').filter_map(Accessor::parse);
        Some(Self {
            accessors: accessors.take(accessor::WANTED_MAX).collect(),
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
    let event = std::str::from_utf8(data).ok();
    if let Some(record) = event.and_then(event::record) {
        let mut records = Records::of(&record);
        let written = records.next(|_, _, _| {}).expect("an event is a record");
        assert_eq!(written.expect("there is one").end, record.len());
    }
});

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

fn records(input: &Input) {
    let mut wanted = Wanted::default();
    let accessors = input.accessors.iter().cloned();
    let paths: Vec<_> = accessors.map(|accessor| wanted.add(accessor)).collect();
    let mut records = Records::of(input.chunk);
    let mut end = 0;
    loop {
        let mut seen = Seen::new(&wanted);
        let found = records.next(|key, value, bytes| seen.take(&wanted, key, value, bytes));
        let Ok(Some(record)) = found else {
            return;
        };
        assert_eq!(record.start, end, "no byte is between two records");
        assert!(record.end > record.start && record.end <= input.chunk.len());
        end = record.end;
        for path in &paths {
            seen.get(path);
        }
        rewritten(&record, input);
    }
}

/// The record with a key added is the record with a key added.
fn rewritten(record: &Record<'_>, input: &Input) {
    // rmpv's own limit of nesting: the plugin has none.
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

    out.clear();
    let is_replaced = |key: &[u8]| key == input.added;
    record::write_with(&mut out, record, 1, &added, is_replaced);
    let mut right = pairs;
    right.retain(|(key, _)| match key {
        Value::String(key) => !is_replaced(key.as_bytes()),
        _ => true,
    });
    right.push(new);
    same(&out, &right);
}

fn same(bytes: &[u8], right: &[(Value, Value)]) {
    let read = pairs(bytes).expect("what is written can be read");
    // NaN is not equal to itself; as text it is.
    assert_eq!(format!("{read:?}"), format!("{right:?}"));
    let mut records = Records::of(bytes);
    let record = records.next(|_, _, _| {}).expect("and by the plugin");
    assert_eq!(record.expect("it is one").end, bytes.len());
}

/// The pairs of a record as rmpv reads them; `None` where it cannot.
fn pairs(mut bytes: &[u8]) -> Option<Vec<(Value, Value)>> {
    let value = rmpv::decode::read_value_with_max_depth(&mut bytes, 200).ok()?;
    assert!(bytes.is_empty(), "the record ends where its value ends");
    match value {
        Value::Array(mut parts) if parts.len() == 2 => match parts.pop() {
            Some(Value::Map(pairs)) => Some(pairs),
            other => panic!("a record's second part is a map, not {other:?}"),
        },
        other => panic!("a record is an array of two, not {other:?}"),
    }
}
