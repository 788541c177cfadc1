//! Chunks of records in every encoding that a Fluent Bit writes.

use rmpv::Value;

/// How the time of a record is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// Extension type 0: seconds and nanoseconds.
    Extension,
    /// A whole number of seconds.
    Integer,
    /// A floating-point number of seconds.
    Float,
}

/// How a record is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoding {
    /// Its time.
    pub time: Time,
    /// Whether it has metadata, as from 2.1 on.
    pub metadata: bool,
    /// Whether the heads of its arrays and maps are four bytes wide, however short they are.
    pub wide: bool,
}

/// Every encoding.
pub fn encodings() -> impl Iterator<Item = Encoding> {
    let times = [Time::Extension, Time::Integer, Time::Float];
    times.into_iter().flat_map(|time| {
        [(false, false), (false, true), (true, false), (true, true)].map(|(metadata, wide)| {
            Encoding {
                time,
                metadata,
                wide,
            }
        })
    })
}

/// What Fluent Bit 5 writes.
pub const USUAL: Encoding = Encoding {
    time: Time::Extension,
    metadata: true,
    wide: false,
};

impl Encoding {
    /// A record of so many seconds since the epoch. -1 and -2 open and close a group.
    pub fn record(self, seconds: i64, map: &Value) -> Vec<u8> {
        let time = match self.time {
            Time::Extension => {
                let nanos = 500_000_000u32.to_be_bytes();
                Value::Ext(0, [(seconds as u32).to_be_bytes(), nanos].concat())
            }
            Time::Integer => seconds.into(),
            Time::Float => (seconds as f64).into(),
        };
        let head = match self.metadata {
            true => Value::Array(vec![time, Value::Map(Vec::new())]),
            false => time,
        };
        let mut out = Vec::new();
        self.write(&mut out, &Value::Array(vec![head, map.clone()]));
        out
    }

    fn write(self, out: &mut Vec<u8>, value: &Value) {
        match value {
            Value::Array(values) if self.wide => {
                out.push(0xdd);
                out.extend((values.len() as u32).to_be_bytes());
                values.iter().for_each(|value| self.write(out, value));
            }
            Value::Map(pairs) if self.wide => {
                out.push(0xdf);
                out.extend((pairs.len() as u32).to_be_bytes());
                for (key, value) in pairs {
                    self.write(out, key);
                    self.write(out, value);
                }
            }
            // Their parts have heads too.
            Value::Array(values) => {
                out.push(0x90 | values.len() as u8);
                values.iter().for_each(|value| self.write(out, value));
            }
            value => rmpv::encode::write_value(out, value).expect("a vector takes all"),
        }
    }
}

/// A map with these pairs.
pub fn map<const N: usize>(pairs: [(&str, Value); N]) -> Value {
    Value::Map(pairs.into_iter().map(|(k, v)| (k.into(), v)).collect())
}

/// The records of a chunk, as a decoder of others' making reads them.
pub fn records(mut chunk: &[u8]) -> Vec<Value> {
    let mut values = Vec::new();
    while !chunk.is_empty() {
        values.push(rmpv::decode::read_value(&mut chunk).expect("the chunk is whole"));
    }
    values
}
