//! MessagePack as a host writes it, read without building anything: values are slices of the chunk that they stand in.

use std::fmt;

/// The bytes are no MessagePack, or not what stands where they stand in a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed {
    /// Where, in bytes from the start.
    pub at: usize,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no record can be read at byte {}", self.at)
    }
}

/// A value without looking into it further than its first bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// A whole number that is not negative.
    Unsigned(u64),
    /// A negative whole number.
    Negative(i64),
    /// A floating-point number.
    Float(f64),
    /// A string, which need not be UTF-8: hosts pass on what they have read.
    Str(&'a [u8]),
    /// Bytes.
    Bin(&'a [u8]),
    /// An extension type with its content.
    Ext(i8, &'a [u8]),
    /// The head of an array of this many values, which follow.
    Array(u32),
    /// The head of a map of this many pairs of key and value, which follow.
    Map(u32),
    /// True or false.
    Bool(bool),
    /// Nothing.
    Nil,
}

/// Reads values one after another.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// A reader of `bytes` from their start.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Where the next value starts.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Whether all is read.
    pub fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// The bytes from `start` to the next value.
    pub fn since(&self, start: usize) -> &'a [u8] {
        &self.bytes[start..self.at]
    }

    fn malformed<T>(&self) -> Result<T, Malformed> {
        Err(Malformed { at: self.at })
    }

    #[inline]
    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        match self.bytes[self.at..].get(..length) {
            Some(taken) => {
                self.at += length;
                Ok(taken)
            }
            None => self.malformed(),
        }
    }

    /// A big-endian number of this many bytes: one, two, four or eight.
    #[inline]
    fn number(&mut self, length: usize) -> Result<u64, Malformed> {
        let bytes = self.take(length)?;
        Ok(match *bytes {
            [a] => a.into(),
            [a, b] => u16::from_be_bytes([a, b]).into(),
            [a, b, c, d] => u32::from_be_bytes([a, b, c, d]).into(),
            [a, b, c, d, e, f, g, h] => u64::from_be_bytes([a, b, c, d, e, f, g, h]),
            _ => return self.malformed(),
        })
    }

    #[inline]
    fn length(&mut self, bytes: usize) -> Result<usize, Malformed> {
        self.number(bytes).map(|n| n as usize)
    }

    /// The next value; of an array or a map only the head.
    ///
    /// # Errors
    /// The bytes end within it, or its first one starts no value.
    #[inline]
    pub fn next(&mut self) -> Result<Value<'a>, Malformed> {
        let start = self.at;
        self.value().map_err(|_| Malformed { at: start })
    }

    #[inline]
    fn value(&mut self) -> Result<Value<'a>, Malformed> {
        let signed = |n: i64| match u64::try_from(n) {
            Ok(n) => Value::Unsigned(n),
            Err(_) => Value::Negative(n),
        };
        Ok(match self.take(1)?[0] {
            n @ 0x00..=0x7f => Value::Unsigned(n.into()),
            n @ 0x80..=0x8f => Value::Map(u32::from(n & 0x0f)),
            n @ 0x90..=0x9f => Value::Array(u32::from(n & 0x0f)),
            n @ 0xa0..=0xbf => Value::Str(self.take(usize::from(n & 0x1f))?),
            0xc0 => Value::Nil,
            0xc1 => return self.malformed(),
            0xc2 => Value::Bool(false),
            0xc3 => Value::Bool(true),
            n @ 0xc4..=0xc6 => {
                let length = self.length(1 << (n - 0xc4))?;
                Value::Bin(self.take(length)?)
            }
            n @ 0xc7..=0xc9 => {
                let length = self.length(1 << (n - 0xc7))?;
                self.ext(length)?
            }
            0xca => Value::Float(f32::from_bits(self.number(4)? as u32).into()),
            0xcb => Value::Float(f64::from_bits(self.number(8)?)),
            n @ 0xcc..=0xcf => Value::Unsigned(self.number(1 << (n - 0xcc))?),
            0xd0 => signed((self.number(1)? as i8).into()),
            0xd1 => signed((self.number(2)? as i16).into()),
            0xd2 => signed((self.number(4)? as i32).into()),
            0xd3 => signed(self.number(8)? as i64),
            n @ 0xd4..=0xd8 => self.ext(1 << (n - 0xd4))?,
            n @ 0xd9..=0xdb => {
                let length = self.length(1 << (n - 0xd9))?;
                Value::Str(self.take(length)?)
            }
            n @ 0xdc..=0xdd => Value::Array(self.number(2 << (n - 0xdc))? as u32),
            n @ 0xde..=0xdf => Value::Map(self.number(2 << (n - 0xde))? as u32),
            n @ 0xe0..=0xff => Value::Negative((n as i8).into()),
        })
    }

    fn ext(&mut self, length: usize) -> Result<Value<'a>, Malformed> {
        let kind = self.take(1)?[0] as i8;
        Ok(Value::Ext(kind, self.take(length)?))
    }

    /// Passes over what the value that was read last holds.
    ///
    /// # Errors
    /// The bytes end within it.
    #[inline]
    pub fn skip_within(&mut self, value: Value<'a>) -> Result<(), Malformed> {
        let parts = |value| match value {
            Value::Array(n) => u64::from(n),
            Value::Map(n) => 2 * u64::from(n),
            _ => 0,
        };
        // A count and no recursion: however deep the nesting, each value read is at least a byte.
        let mut pending = parts(value);
        while pending > 0 {
            pending = pending - 1 + parts(self.next()?);
        }
        Ok(())
    }

    /// Passes over the next value with all that it holds.
    ///
    /// # Errors
    /// The bytes end within it, or it is none.
    #[inline]
    pub fn skip(&mut self) -> Result<(), Malformed> {
        let value = self.next()?;
        self.skip_within(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rmpv::Value as Any;

    fn anything() -> impl Strategy<Value = Any> {
        let leaf = prop_oneof![
            Just(Any::Nil),
            any::<bool>().prop_map(Any::from),
            any::<i64>().prop_map(Any::from),
            any::<u64>().prop_map(Any::from),
            any::<f32>().prop_map(Any::from),
            any::<f64>().prop_map(Any::from),
            ".{0,40}".prop_map(|s| Any::from(s.as_str())),
            proptest::collection::vec(any::<u8>(), 0..300).prop_map(Any::from),
            (any::<i8>(), proptest::collection::vec(any::<u8>(), 0..20))
                .prop_map(|(kind, bytes)| Any::Ext(kind, bytes)),
        ];
        leaf.prop_recursive(4, 64, 20, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..20).prop_map(Any::Array),
                proptest::collection::vec((inner.clone(), inner), 0..20).prop_map(Any::Map),
            ]
        })
    }

    fn bytes_of(value: &Any) -> Vec<u8> {
        let mut bytes = Vec::new();
        rmpv::encode::write_value(&mut bytes, value).expect("a vector takes all");
        bytes
    }

    /// The value that was read, built again from its parts.
    fn built(reader: &mut Reader<'_>) -> Any {
        match reader.next().expect("the bytes are whole") {
            Value::Unsigned(n) => n.into(),
            Value::Negative(n) => n.into(),
            Value::Float(x) => Any::F64(x),
            Value::Str(s) => std::str::from_utf8(s).expect("UTF-8 went in").into(),
            Value::Bin(b) => b.into(),
            Value::Ext(kind, bytes) => Any::Ext(kind, bytes.into()),
            Value::Bool(b) => b.into(),
            Value::Nil => Any::Nil,
            Value::Array(n) => Any::Array((0..n).map(|_| built(reader)).collect()),
            Value::Map(n) => Any::Map((0..n).map(|_| (built(reader), built(reader))).collect()),
        }
    }

    /// `value` with the narrow floating-point numbers widened, as the reader gives them.
    fn widened(value: Any) -> Any {
        match value {
            Any::F32(x) => Any::F64(x.into()),
            Any::Array(values) => Any::Array(values.into_iter().map(widened).collect()),
            Any::Map(pairs) => {
                let both = |(k, v)| (widened(k), widened(v));
                Any::Map(pairs.into_iter().map(both).collect())
            }
            other => other,
        }
    }

    proptest! {
        #[test]
        fn what_another_encoder_writes_is_read(value in anything()) {
            let bytes = bytes_of(&value);
            let mut reader = Reader::new(&bytes);
            let read = built(&mut reader);
            prop_assert!(reader.is_at_end());
            // As text, in which two NaN are the same.
            prop_assert_eq!(format!("{read:?}"), format!("{:?}", widened(value)));
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(reader.skip(), Ok(()));
            prop_assert!(reader.is_at_end());
        }

        #[test]
        fn a_value_that_is_cut_off_is_malformed(value in anything(), cut in any::<prop::sample::Index>()) {
            let bytes = bytes_of(&value);
            let cut = &bytes[..cut.index(bytes.len())];
            prop_assert!(Reader::new(cut).skip().is_err());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut reader = Reader::new(&bytes);
            while !reader.is_at_end() {
                let start = reader.at();
                match reader.skip() {
                    Ok(()) => prop_assert!(reader.at() > start),
                    Err(malformed) => {
                        prop_assert!(malformed.at <= bytes.len());
                        break;
                    }
                }
            }
        }
    }

    #[test]
    fn every_width_of_a_number_is_read() {
        for (bytes, value) in [
            (&b"\xcc\x05"[..], Value::Unsigned(5)),
            (b"\xcd\x00\x05", Value::Unsigned(5)),
            (b"\xce\x00\x00\x00\x05", Value::Unsigned(5)),
            (b"\xcf\x00\x00\x00\x00\x00\x00\x00\x05", Value::Unsigned(5)),
            (b"\xd0\x05", Value::Unsigned(5)),
            (b"\xd1\xff\xfb", Value::Negative(-5)),
            (b"\xd2\xff\xff\xff\xfb", Value::Negative(-5)),
            (b"\xd3\xff\xff\xff\xff\xff\xff\xff\xfb", Value::Negative(-5)),
            (b"\xdc\x00\x02", Value::Array(2)),
            (b"\xdd\x00\x00\x00\x02", Value::Array(2)),
            (b"\xde\x00\x02", Value::Map(2)),
            (b"\xdf\x00\x00\x00\x02", Value::Map(2)),
            (b"\xc9\x00\x00\x00\x01\x07x", Value::Ext(7, b"x")),
        ] {
            assert_eq!(Reader::new(bytes).next(), Ok(value), "{bytes:02x?}");
        }
    }

    #[test]
    fn a_million_nested_arrays_cost_no_stack() {
        let mut bytes = vec![0x91; 1_000_000];
        assert!(Reader::new(&bytes).skip().is_err());
        bytes.push(0xc0);
        assert_eq!(Reader::new(&bytes).skip(), Ok(()));
        // A head that promises more than there can be.
        assert!(Reader::new(&[0xdf; 100]).skip().is_err());
    }
}
