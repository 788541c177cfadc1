//! The records of a chunk.
//!
//! A record is `[time, map]`, or `[[time, metadata], map]` since Fluent Bit 2.1. The time is an extension of type 0 (seconds
//! and nanoseconds, 4 bytes each), a whole number or a floating-point one. Heads of arrays and maps come in every width.
//! Records whose seconds are -1 and -2 open and close a group: they hold what its records have in common and are no records
//! themselves. OTLP has its resources in them since Fluent Bit 3.2: the map of the one that opens the group has `resource`, and
//! that `attributes`.

use crate::msgpack::{Malformed, Reader, Value};

/// What records are written to.
pub trait Sink {
    /// Adds bytes.
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// A record as it stands in its chunk.
#[derive(Debug, Clone, PartialEq)]
pub struct Record<'a> {
    /// Where it starts in the chunk.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
    /// All that comes before the map: the outer head, the time and the metadata.
    pub head: &'a [u8],
    /// When, or that it is the marker of a group.
    pub time: When,
    /// The map of the metadata; empty where there is none.
    pub metadata: &'a [u8],
    /// How many pairs the map holds.
    pub pairs: u32,
    /// The map with its head.
    pub map: &'a [u8],
    /// The pairs.
    pub body: &'a [u8],
}

/// When a record is of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum When {
    /// Seconds since the epoch.
    Seconds(f64),
    /// It opens a group.
    Open,
    /// It closes a group.
    Close,
}

/// Shows `look` each pair of a map, as [`Records::next`] does; what is no map has none.
pub fn each_pair<'a>(map: &'a [u8], mut look: impl FnMut(&'a [u8], Value<'a>, &'a [u8])) {
    let mut reader = Reader::new(map);
    if let Ok(Value::Map(pairs)) = reader.next() {
        // The map was skipped over as a whole before: nothing in it is malformed.
        pairs_of(&mut reader, pairs, &mut look).ok();
    }
}

#[inline]
fn pairs_of<'a>(
    reader: &mut Reader<'a>,
    pairs: u32,
    look: &mut impl FnMut(&'a [u8], Value<'a>, &'a [u8]),
) -> Result<(), Malformed> {
    for _ in 0..pairs {
        let key = reader.next()?;
        reader.skip_within(key)?;
        let at = reader.at();
        let value = reader.next()?;
        reader.skip_within(value)?;
        if let Some(key) = string(key) {
            look(key, value, reader.since(at));
        }
    }
    Ok(())
}

/// The records of a chunk, in their order.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    reader: Reader<'a>,
}

impl<'a> Records<'a> {
    /// The records of `chunk`.
    pub fn of(chunk: &'a [u8]) -> Self {
        Self {
            reader: Reader::new(chunk),
        }
    }

    /// The next record, or `None` at the end.
    ///
    /// `look` is shown each pair of the map: its key where that is a string, its value, and the bytes of the value with all
    /// that it holds.
    ///
    /// # Errors
    /// The chunk holds something else there, or ends within the record.
    #[inline]
    pub fn next(
        &mut self,
        mut look: impl FnMut(&'a [u8], Value<'a>, &'a [u8]),
    ) -> Result<Option<Record<'a>>, Malformed> {
        let reader = &mut self.reader;
        if reader.is_at_end() {
            return Ok(None);
        }
        let start = reader.at();
        let malformed = Malformed { at: start };
        let Value::Array(2) = reader.next()? else {
            return Err(malformed);
        };
        let mut metadata: &[u8] = &[];
        let time = match reader.next()? {
            Value::Array(2) => {
                let time = reader.next()?;
                let at = reader.at();
                let map = reader.next()?;
                reader.skip_within(map)?;
                metadata = reader.since(at);
                time
            }
            time => time,
        };
        let time = time_of(time).ok_or(malformed)?;
        let head = reader.since(start);
        let map = reader.at();
        let Value::Map(pairs) = reader.next()? else {
            return Err(malformed);
        };
        let body = reader.at();
        pairs_of(reader, pairs, &mut look)?;
        Ok(Some(Record {
            start,
            end: reader.at(),
            head,
            time,
            metadata,
            pairs,
            map: reader.since(map),
            body: reader.since(body),
        }))
    }
}

/// A time as it is encoded.
#[inline]
fn time_of(time: Value<'_>) -> Option<When> {
    match time {
        Value::Ext(0, &[a, b, c, d, e, f, g, h]) => {
            let seconds = u32::from_be_bytes([a, b, c, d]);
            let nanos = u32::from_be_bytes([e, f, g, h]);
            Some(match seconds {
                // -1 and -2 in 32 bits.
                0xffff_ffff => When::Open,
                0xffff_fffe => When::Close,
                _ => When::Seconds(f64::from(seconds) + f64::from(nanos) / 1e9),
            })
        }
        Value::Unsigned(n) => Some(When::Seconds(n as f64)),
        Value::Negative(-1) => Some(When::Open),
        Value::Negative(_) => Some(When::Close),
        Value::Float(-1.0) => Some(When::Open),
        Value::Float(x) if x.is_finite() && x < 0.0 => Some(When::Close),
        Value::Float(x) if x.is_finite() => Some(When::Seconds(x)),
        _ => None,
    }
}

/// What becomes of a pair of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pair<'a> {
    /// It stays.
    Kept,
    /// It is left out.
    Omitted,
    /// Its value stays under a key that begins with this.
    Renamed(&'a [u8]),
}

/// Writes a record with the keys that are added to its map.
///
/// `added` is this many pairs of key and value, encoded. What becomes of each pair of the record is by its key; one whose key is no
/// string stays.
pub fn write_with<'f>(
    out: &mut impl Sink,
    record: &Record<'_>,
    count: u32,
    added: &[u8],
    fate: impl Fn(&[u8]) -> Pair<'f>,
) {
    out.put(record.head);
    let fates = pairs(record).map(|(key, key_bytes, value)| {
        let fate = key.map_or(Pair::Kept, &fate);
        (fate, key.unwrap_or_default(), key_bytes, value)
    });
    let kept = fates.filter(|(fate, ..)| *fate != Pair::Omitted);
    map_head(out, kept.clone().count() as u32 + count);
    for (fate, key, key_bytes, value) in kept {
        if let Pair::Renamed(start) = fate {
            let mut head = Vec::new();
            let length = (start.len() + key.len()) as u32;
            rmp::encode::write_str_len(&mut head, length).expect("a vector takes all");
            [&head, start, key]
                .into_iter()
                .for_each(|part| out.put(part));
        } else {
            out.put(key_bytes);
        }
        out.put(value);
    }
    out.put(added);
}

/// Writes a record that has none of the keys that are added to it.
#[inline]
pub fn write_extended(out: &mut impl Sink, record: &Record<'_>, count: u32, added: &[u8]) {
    out.put(record.head);
    map_head(out, record.pairs + count);
    out.put(record.body);
    out.put(added);
}

#[inline]
fn map_head(out: &mut impl Sink, pairs: u32) {
    if let n @ 0..=15 = pairs {
        out.put(&[0x80 | n as u8]);
    } else if let Ok(n) = u16::try_from(pairs) {
        out.put(&[0xde]);
        out.put(&n.to_be_bytes());
    } else {
        out.put(&[0xdf]);
        out.put(&pairs.to_be_bytes());
    }
}

/// The pairs of a record: the key where it is a string, its bytes, and those of the value.
fn pairs<'a>(
    record: &Record<'a>,
) -> impl Iterator<Item = (Option<&'a [u8]>, &'a [u8], &'a [u8])> + Clone {
    let mut reader = Reader::new(record.body);
    std::iter::from_fn(move || {
        let start = reader.at();
        let key = reader.next().ok()?;
        reader.skip_within(key).ok()?;
        let (key_bytes, at) = (reader.since(start), reader.at());
        reader.skip().ok()?;
        Some((string(key), key_bytes, reader.since(at)))
    })
}

/// A key that is a string; hosts write one as bytes, too, and outputs do not tell them apart.
#[inline]
fn string(key: Value<'_>) -> Option<&[u8]> {
    match key {
        Value::Str(key) | Value::Bin(key) => Some(key),
        _ => None,
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use proptest::prelude::*;
    use rmpv::Value as Any;

    /// How a chunk's time is written.
    #[derive(Debug, Clone, Copy, PartialEq)]
    pub enum Time {
        Ext,
        Ext8,
        Integer,
        Float,
    }

    /// How wide the heads of arrays and maps are.
    #[derive(Debug, Clone, Copy, PartialEq)]
    pub enum Width {
        Least,
        Two,
        Four,
    }

    pub const TIMES: [Time; 4] = [Time::Ext, Time::Ext8, Time::Integer, Time::Float];
    pub const WIDTHS: [Width; 3] = [Width::Least, Width::Two, Width::Four];

    fn head(out: &mut Vec<u8>, fix: u8, wide: u8, length: usize, width: Width) {
        match width {
            Width::Least if length < 16 => out.push(fix | length as u8),
            Width::Least | Width::Two if length < 65536 => {
                out.push(wide);
                out.extend((length as u16).to_be_bytes());
            }
            _ => {
                out.push(wide + 1);
                out.extend((length as u32).to_be_bytes());
            }
        }
    }

    /// A record of Fluent Bit's, in one of the ways in which it may be written.
    pub fn encoded(
        time: Time,
        width: Width,
        metadata: Option<&[(&str, Any)]>,
        seconds: i64,
        pairs: &[(Any, Any)],
    ) -> Vec<u8> {
        let mut out = Vec::new();
        head(&mut out, 0x90, 0xdc, 2, width);
        if metadata.is_some() {
            head(&mut out, 0x90, 0xdc, 2, width);
        }
        match time {
            Time::Ext => out.extend([0xd7, 0]),
            Time::Ext8 => out.extend([0xc7, 8, 0]),
            Time::Integer => {
                rmp::encode::write_sint(&mut out, seconds).unwrap();
            }
            Time::Float => rmp::encode::write_f64(&mut out, seconds as f64).unwrap(),
        }
        if matches!(time, Time::Ext | Time::Ext8) {
            out.extend((seconds as u32).to_be_bytes());
            out.extend(0u32.to_be_bytes());
        }
        if let Some(metadata) = metadata {
            head(&mut out, 0x80, 0xde, metadata.len(), width);
            for (key, value) in metadata {
                rmpv::encode::write_value(&mut out, &Any::from(*key)).unwrap();
                rmpv::encode::write_value(&mut out, value).unwrap();
            }
        }
        head(&mut out, 0x80, 0xde, pairs.len(), width);
        for (key, value) in pairs {
            rmpv::encode::write_value(&mut out, key).unwrap();
            rmpv::encode::write_value(&mut out, value).unwrap();
        }
        out
    }

    /// What a decoder of others' making finds in a chunk.
    pub fn decoded(mut chunk: &[u8]) -> Vec<Any> {
        let mut values = Vec::new();
        while !chunk.is_empty() {
            values.push(rmpv::decode::read_value(&mut chunk).expect("the chunk is whole"));
        }
        values
    }

    fn text(pairs: &[(&str, &str)]) -> Vec<(Any, Any)> {
        pairs.iter().map(|&(k, v)| (k.into(), v.into())).collect()
    }

    fn only(chunk: &[u8]) -> Record<'_> {
        let mut records = Records::of(chunk);
        let record = records.next(|_, _, _| {}).unwrap().expect("there is one");
        assert_eq!(records.next(|_, _, _| {}), Ok(None));
        record
    }

    #[test]
    fn every_encoding_of_a_record_is_read_and_extended() {
        let metadata = [("severity", Any::from("info"))];
        for time in TIMES {
            for width in WIDTHS {
                for metadata in [None, Some(&[][..]), Some(&metadata[..])] {
                    let case = format!("{time:?} {width:?} {metadata:?}");
                    let pairs = text(&[("log", "hello"), ("b", "c")]);
                    let chunk = encoded(time, width, metadata, 1_700_000_000, &pairs);
                    let record = only(&chunk);
                    assert_eq!(record.time, When::Seconds(1.7e9), "{case}");
                    assert_eq!(record.pairs, 2, "{case}");
                    let mut out = Vec::new();
                    write_extended(&mut out, &record, 1, b"\xa1x\x07");
                    let mut wanted = pairs.clone();
                    wanted.push(("x".into(), 7.into()));
                    let wanted = encoded(time, width, metadata, 1_700_000_000, &wanted);
                    assert_eq!(decoded(&out), decoded(&wanted), "{case}");
                }
            }
        }
    }

    #[test]
    fn a_map_grows_into_a_wider_head() {
        for count in [14, 15, 16, 65534, 65535, 65536] {
            let pairs: Vec<(Any, Any)> = (0..count)
                .map(|n: i32| (n.to_string().into(), n.into()))
                .collect();
            let chunk = encoded(Time::Ext, Width::Least, Some(&[]), 5, &pairs);
            let mut out = Vec::new();
            write_extended(&mut out, &only(&chunk), 2, b"\xa1x\x07\xa1y\x08");
            assert_eq!(only(&out).pairs, count as u32 + 2);
            assert_eq!(decoded(&out).len(), 1);
        }
    }

    #[test]
    fn pairs_are_kept_replaced_or_renamed() {
        let pairs = text(&[("a", "1"), ("x", "old"), ("b", "2")]);
        let chunk = encoded(Time::Ext, Width::Least, Some(&[]), 5, &pairs);
        let mut out = Vec::new();
        write_with(
            &mut out,
            &only(&chunk),
            1,
            b"\xa1x\xa3new",
            |key| match key {
                b"x" => Pair::Omitted,
                b"b" => Pair::Renamed(b"foreign_"),
                _ => Pair::Kept,
            },
        );
        let wanted = text(&[("a", "1"), ("foreign_b", "2"), ("x", "new")]);
        let wanted = encoded(Time::Ext, Width::Least, Some(&[]), 5, &wanted);
        assert_eq!(decoded(&out), decoded(&wanted));
    }

    #[test]
    fn the_markers_of_groups_have_no_time() {
        for (seconds, marker) in [(-1, When::Open), (-2, When::Close)] {
            for time in TIMES {
                let chunk = encoded(time, Width::Least, Some(&[]), seconds, &[]);
                assert_eq!(only(&chunk).time, marker, "{seconds} {time:?}");
            }
        }
    }

    #[test]
    fn what_is_no_record_is_malformed() {
        for chunk in [
            &b"\x07"[..],
            b"\x91\x07",
            b"\x92\x07\x07",
            b"\x92\xa1t\x80",
            b"\x92\xd7\x01\0\0\0\0\0\0\0\0\x80",
            b"\x92\x91\x07\x80",
            b"\x92\xcb\x7f\xf8\0\0\0\0\0\0\x80",
            b"\x93\x07\x80\x80",
        ] {
            assert!(
                Records::of(chunk).next(|_, _, _| {}).is_err(),
                "{chunk:02x?}"
            );
        }
        // The second one is cut off.
        let mut chunk = encoded(Time::Ext, Width::Least, None, 5, &text(&[("a", "1")]));
        let whole = chunk.clone();
        chunk.extend(&whole[..whole.len() - 1]);
        let mut records = Records::of(&chunk);
        assert!(records.next(|_, _, _| {}).is_ok());
        let error = records.next(|_, _, _| {}).unwrap_err();
        assert!(error.at >= whole.len());
    }

    #[test]
    fn each_pair_is_shown_with_its_bytes() {
        let pairs = [
            (Any::from("a"), Any::Array(vec![1.into(), "x".into()])),
            (Any::from(7), Any::from("the key is no string")),
            (Any::from("b"), Any::Nil),
        ];
        let chunk = encoded(Time::Float, Width::Two, None, 5, &pairs);
        let mut shown = Vec::new();
        Records::of(&chunk)
            .next(|key, value, bytes| shown.push((key, value, bytes)))
            .unwrap();
        assert_eq!(
            shown,
            [
                (&b"a"[..], Value::Array(2), &b"\x92\x01\xa1x"[..]),
                (b"b", Value::Nil, b"\xc0")
            ]
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_records_or_malformed(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut records = Records::of(&bytes);
            let mut end = 0;
            while let Ok(Some(record)) = records.next(|_, _, _| {}) {
                prop_assert_eq!(record.start, end);
                prop_assert!(record.end > end);
                end = record.end;
            }
        }

        #[test]
        fn a_record_with_a_byte_changed_is_read_or_refused(
            at in any::<prop::sample::Index>(), byte in any::<u8>(), time in prop::sample::select(&TIMES[..]),
            width in prop::sample::select(&WIDTHS[..]), metadata in any::<bool>(),
        ) {
            let metadata = metadata.then_some(&[][..]);
            let mut chunk = encoded(time, width, metadata, 1_700_000_000, &text(&[("log", "hello"), ("b", "c")]));
            let at = at.index(chunk.len());
            chunk[at] = byte;
            if let Ok(Some(record)) = Records::of(&chunk).next(|_, _, _| {}) {
                let mut out = Vec::new();
                write_extended(&mut out, &record, 1, b"\xa1x\x07");
                write_with(&mut out, &record, 1, b"\xa1x\x07", |_| Pair::Omitted);
                write_with(&mut out, &record, 1, b"\xa1x\x07", |_| Pair::Renamed(b"foreign_"));
                let mut written = Records::of(&out);
                for _ in 0..3 {
                    let again = written.next(|_, _, _| {}).map(|r| r.is_some());
                    prop_assert_eq!(again, Ok(true));
                }
            }
        }
    }
}
