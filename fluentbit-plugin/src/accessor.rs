//! Naming a value in a record: `log`, `$log`, `$log['message']`, `$items[0]['name']`.

use crate::msgpack::{Reader, Value};

/// One step into a map or an array.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(Box<[u8]>),
    Index(u32),
}

/// The way to a value: a key of the record, and the steps from there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accessor {
    key: Box<[u8]>,
    steps: Vec<Step>,
}

impl Accessor {
    /// What `text` names, as Fluent Bit's record accessors are written; without the `$` it is a plain key.
    ///
    /// # Errors
    /// It is neither; what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some(path) = text.strip_prefix('$') else {
            return Self::plain(text);
        };
        let end = path.find('[').unwrap_or(path.len());
        let (key, mut rest) = path.split_at(end);
        if key.is_empty() {
            return Err(format!("there is no key behind the $ of \"{text}\""));
        }
        if key == "TAG" {
            return Err(format!(
                "\"{text}\" is no key of a record; $TAG, the whole tag, is for stream_keys alone"
            ));
        }
        if key.contains([']', '\'', '"']) {
            return Err(format!("\"{key}\" in \"{text}\" is no key"));
        }
        let mut steps = Vec::new();
        while !rest.is_empty() {
            let (quoted, closing) = match rest.strip_prefix("['") {
                Some(quoted) => (Some(quoted), "']"),
                None => (None, "]"),
            };
            let Some(step) = quoted.or_else(|| rest.strip_prefix('[')) else {
                return Err(format!("\"{rest}\" follows a ] in \"{text}\""));
            };
            let Some((inner, behind)) = step.split_once(closing) else {
                return Err(format!("a [ of \"{text}\" is not closed by {closing}"));
            };
            steps.push(match quoted {
                Some(_) => Step::Key(inner.as_bytes().into()),
                None => Step::Index(inner.parse().map_err(|_| {
                    format!("[{inner}] in \"{text}\" is neither ['a key'] nor [a number]")
                })?),
            });
            rest = behind;
        }
        Ok(Self {
            key: key.as_bytes().into(),
            steps,
        })
    }

    /// The key `text`.
    fn plain(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("there is an empty key".into());
        }
        if text.contains(['[', ']', '\'', '"']) {
            return Err(match Self::parse(&format!("${text}")) {
                Ok(_) => format!("did you mean ${text}?"),
                Err(_) => format!("\"{text}\" is neither a key nor the way to one"),
            });
        }
        Ok(Self {
            key: text.as_bytes().into(),
            steps: Vec::new(),
        })
    }

    /// The last key on the way.
    pub fn last_key(&self) -> &[u8] {
        let last = self.steps.iter().rev().find_map(|step| match step {
            Step::Key(key) => Some(&**key),
            Step::Index(_) => None,
        });
        last.unwrap_or(&self.key)
    }

    /// What it leads to from the value of the record's key, which is `bytes`.
    #[inline]
    fn follow<'a>(&self, value: Value<'a>, bytes: &'a [u8]) -> Option<Value<'a>> {
        if self.steps.is_empty() {
            return Some(value);
        }
        let mut reader = Reader::new(bytes);
        self.steps
            .iter()
            .try_fold(reader.next().ok()?, |value, step| {
                enter(&mut reader, value, step)
            })
    }
}

fn enter<'a>(reader: &mut Reader<'a>, value: Value<'a>, step: &Step) -> Option<Value<'a>> {
    match (value, step) {
        (Value::Map(pairs), Step::Key(wanted)) => {
            for _ in 0..pairs {
                let key = reader.next().ok()?;
                reader.skip_within(key).ok()?;
                if key == Value::Str(wanted) {
                    return reader.next().ok();
                }
                reader.skip().ok()?;
            }
            None
        }
        (Value::Array(length), &Step::Index(wanted)) if wanted < length => {
            for _ in 0..wanted {
                reader.skip().ok()?;
            }
            reader.next().ok()
        }
        _ => None,
    }
}

/// The most keys that can be wanted.
pub const WANTED_MAX: usize = u64::BITS as usize;

/// The keys of a record that somebody wants to see, each once.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    keys: Vec<Box<[u8]>>,
    /// For each length of a key up to 63, a bit: most keys of a record are told by it to be of no interest.
    lengths: u64,
}

/// Where to look for an accessor's key among the [`Seen`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    index: usize,
    accessor: Accessor,
}

fn length_bit(key: &[u8]) -> u64 {
    1 << key.len().min(63)
}

impl Wanted {
    /// Adds what `accessor` needs.
    ///
    /// # Panics
    /// There are more than [`WANTED_MAX`] keys.
    pub fn add(&mut self, accessor: Accessor) -> Path {
        let known = self.keys.iter().position(|key| *key == accessor.key);
        let index = known.unwrap_or_else(|| {
            self.lengths |= length_bit(&accessor.key);
            assert!(self.keys.len() < WANTED_MAX, "the options hold fewer keys");
            self.keys.push(accessor.key.clone());
            self.keys.len() - 1
        });
        Path { index, accessor }
    }

    #[inline]
    fn find(&self, key: &[u8]) -> Option<usize> {
        if self.lengths & length_bit(key) == 0 {
            return None;
        }
        self.keys.iter().position(|wanted| **wanted == *key)
    }
}

/// What a record has under the keys that are wanted.
#[derive(Debug, Clone)]
pub struct Seen<'a> {
    values: Vec<(Value<'a>, &'a [u8])>,
    /// For each of the values, whether it is this record's.
    present: u64,
}

impl<'a> Seen<'a> {
    /// Nothing yet.
    pub fn new(wanted: &Wanted) -> Self {
        Self {
            values: vec![(Value::Nil, &[]); wanted.keys.len()],
            present: 0,
        }
    }

    /// Forgets the last record.
    #[inline]
    pub fn clear(&mut self) {
        self.present = 0;
    }

    /// Takes a pair of the record; of a key that comes twice, the first counts.
    #[inline]
    pub fn take(&mut self, wanted: &Wanted, key: &[u8], value: Value<'a>, bytes: &'a [u8]) {
        if let Some(index) = wanted.find(key)
            && self.present & 1 << index == 0
        {
            self.values[index] = (value, bytes);
            self.present |= 1 << index;
        }
    }

    /// The value at the end of a path.
    #[inline(always)]
    pub fn get(&self, path: &Path) -> Option<Value<'a>> {
        if self.present & 1 << path.index == 0 {
            return None;
        }
        let (value, bytes) = self.values[path.index];
        path.accessor.follow(value, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Records;
    use crate::record::tests::{Time, Width, encoded};
    use rmpv::Value as Any;

    fn map(pairs: &[(&str, Any)]) -> Any {
        Any::Map(
            pairs
                .iter()
                .map(|(k, v)| ((*k).into(), v.clone()))
                .collect(),
        )
    }

    fn found(accessor: &str, pairs: &[(&str, Any)]) -> Option<String> {
        let Any::Map(pairs) = map(pairs) else {
            unreachable!("a map was made")
        };
        let chunk = encoded(Time::Ext, Width::Least, Some(&[]), 5, &pairs);
        let mut wanted = Wanted::default();
        let path = wanted.add(Accessor::parse(accessor).expect(accessor));
        let mut seen = Seen::new(&wanted);
        Records::of(&chunk)
            .next(|key, value, bytes| seen.take(&wanted, key, value, bytes))
            .unwrap();
        match seen.get(&path)? {
            Value::Str(text) => Some(String::from_utf8_lossy(text).into_owned()),
            other => Some(format!("{other:?}")),
        }
    }

    #[test]
    fn keys_steps_and_indexes_lead_to_a_value() {
        let items = Any::Array(vec![1.into(), map(&[("name", "x".into())])]);
        let pairs = [
            (
                "log",
                map(&[("level", "info".into()), ("message", "hello".into())]),
            ),
            ("a.b", "dotted".into()),
            ("items", items),
            ("$odd", "a key with a dollar".into()),
        ];
        for (accessor, wanted) in [
            ("a.b", Some("dotted")),
            ("$a.b", Some("dotted")),
            ("log", Some("Map(2)")),
            ("$log['message']", Some("hello")),
            ("$log['none']", None),
            ("$log[0]", None),
            ("$log['message']['further']", None),
            ("$items[1]['name']", Some("x")),
            ("$items[2]", None),
            ("missing", None),
            ("$missing['x']", None),
            ("$$odd", Some("a key with a dollar")),
        ] {
            assert_eq!(found(accessor, &pairs).as_deref(), wanted, "{accessor}");
        }
    }

    #[test]
    fn what_is_no_accessor_is_refused() {
        for (text, why) in [
            ("", "there is an empty key"),
            ("$", "there is no key behind the $ of \"$\""),
            ("$['a']", "there is no key behind the $ of \"$['a']\""),
            ("$a[", "a [ of \"$a[\" is not closed by ]"),
            ("$a['b'", "a [ of \"$a['b'\" is not closed by ']"),
            ("$a['b", "a [ of \"$a['b\" is not closed by ']"),
            (
                "$a[b]",
                "[b] in \"$a[b]\" is neither ['a key'] nor [a number]",
            ),
            ("$a[\"b\"]", "[\"b\"] in \"$a[\"b\"]\" is neither"),
            ("$a['b']c", "\"c\" follows a ] in \"$a['b']c\""),
            ("$a[-1]", "[-1] in \"$a[-1]\" is neither"),
            ("$TAG", "$TAG, the whole tag, is for stream_keys alone"),
            ("$TAG[1]", "$TAG, the whole tag, is for stream_keys alone"),
            ("a['b']", "did you mean $a['b']?"),
            ("a[0]", "did you mean $a[0]?"),
            ("a[", "\"a[\" is neither a key nor the way to one"),
            ("'a'", "\"'a'\" is neither a key nor the way to one"),
        ] {
            let error = Accessor::parse(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
        assert_eq!(Accessor::parse("$a['b'][0]").unwrap().last_key(), b"b");
    }

    #[test]
    fn of_a_key_that_comes_twice_the_first_counts() {
        let pairs = [("log", "one".into()), ("log", "two".into())];
        assert_eq!(found("log", &pairs).as_deref(), Some("one"));
    }
}
