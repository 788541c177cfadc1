//! Naming a value in a record: `log`, `$log`, `$log['message']`, `$items[0]['name']`; in the record's metadata:
//! `$METADATA['otlp']['severity_number']`; and among the attributes of the resource that its group is of, which OTLP has:
//! `$RESOURCE['host.name']`.

use crate::msgpack::{Reader, Value};

/// Where a value is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root {
    /// The record itself.
    Record = 0,
    /// The record's metadata.
    Metadata = 1,
    /// The attributes of the resource of the record's group.
    Resource = 2,
}

impl Root {
    /// How many there are.
    const COUNT: usize = 3;
    /// Those that have a name.
    const NAMED: [(&'static str, Self); 2] =
        [("METADATA[", Self::Metadata), ("RESOURCE[", Self::Resource)];
}

/// One step into a map or an array.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(Box<[u8]>),
    Index(u32),
}

/// The way to a value: a key, and the steps from there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accessor {
    root: Root,
    key: Box<[u8]>,
    steps: Vec<Step>,
}

impl Accessor {
    /// The plain key `key` of a record.
    pub fn of_key(key: &str) -> Self {
        Self {
            root: Root::Record,
            key: key.as_bytes().into(),
            steps: Vec::new(),
        }
    }

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
        let mut named = Root::NAMED.into_iter();
        if let Some((_, root)) = named.find(|(name, _)| path.starts_with(name)) {
            let Step::Key(key) = steps.remove(0) else {
                return Err(format!(
                    "a key follows the first [ of \"{text}\", no number"
                ));
            };
            return Ok(Self { root, key, steps });
        }
        Ok(Self {
            steps,
            ..Self::of_key(key)
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
        Ok(Self::of_key(text))
    }

    /// Where the value is looked for.
    pub fn root(&self) -> Root {
        self.root
    }

    /// The key where the way begins.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// Whether it is a key of the record without further steps.
    pub fn is_key(&self) -> bool {
        self.root == Root::Record && self.steps.is_empty()
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

/// The most keys of one root that can be wanted.
pub const WANTED_MAX: usize = u128::BITS as usize;

/// The keys of one root that somebody wants to see, each once.
#[derive(Debug, Clone, Default)]
struct Keys {
    /// How many there are.
    count: usize,
    /// Those of each length up to 63, the last for all longer ones: most keys of a record are ruled out by their length.
    by_length: Vec<Vec<WantedKey>>,
    /// For each of these lengths, a bit.
    lengths: u64,
}

/// A key that is wanted.
#[derive(Debug, Clone)]
struct WantedKey {
    /// Some of its bytes, which rule out most others of its length.
    mark: u32,
    key: Box<[u8]>,
    /// Its number.
    index: usize,
}

/// A few bytes of a key.
#[inline]
fn mark_of(key: &[u8]) -> u32 {
    match key {
        [] => 0,
        [first, .., last] => u32::from_le_bytes([*first, key[key.len() / 2], *last, 0]),
        [only] => u32::from(*only),
    }
}

#[inline]
fn length_of(key: &[u8]) -> usize {
    key.len().min(63)
}

impl Keys {
    fn add(&mut self, key: &[u8]) -> usize {
        if let Some(index) = self.find(key) {
            return index;
        }
        assert!(self.count < WANTED_MAX, "the options hold fewer keys");
        let length = length_of(key);
        self.by_length
            .resize(self.by_length.len().max(length + 1), Vec::new());
        self.by_length[length].push(WantedKey {
            mark: mark_of(key),
            key: key.into(),
            index: self.count,
        });
        self.lengths |= 1 << length;
        self.count += 1;
        self.count - 1
    }

    #[inline]
    fn find(&self, key: &[u8]) -> Option<usize> {
        let length = length_of(key);
        if self.lengths & 1 << length == 0 {
            return None;
        }
        let mark = mark_of(key);
        let mut alike = self.by_length[length].iter();
        alike
            .find(|wanted| wanted.mark == mark && *wanted.key == *key)
            .map(|wanted| wanted.index)
    }
}

/// What somebody wants to see of records.
#[derive(Debug, Clone, Default)]
pub struct Wanted([Keys; Root::COUNT]);

/// Where to look for an accessor's key among the [`Seen`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    index: usize,
    accessor: Accessor,
}

impl Wanted {
    /// Adds what `accessor` needs.
    ///
    /// # Panics
    /// There are more than [`WANTED_MAX`] keys.
    pub fn add(&mut self, accessor: Accessor) -> Path {
        let index = self.0[accessor.root as usize].add(&accessor.key);
        Path { index, accessor }
    }

    /// Whether anything of a root is wanted.
    pub fn wants(&self, root: Root) -> bool {
        self.0[root as usize].count > 0
    }
}

/// The values of one root.
#[derive(Debug, Clone)]
struct Values<'a> {
    values: Vec<(Value<'a>, &'a [u8])>,
    /// For each of the values, whether it is there.
    present: u128,
    /// And whether its key is there more than once.
    repeated: u128,
}

/// What a record has under the keys that are wanted.
#[derive(Debug, Clone)]
pub struct Seen<'a>([Values<'a>; Root::COUNT]);

/// Some paths, of which most records have none.
#[derive(Debug, Clone, Default)]
pub struct Paths {
    paths: Vec<Path>,
    /// For each root, the values that they begin with.
    masks: [u128; Root::COUNT],
}

impl FromIterator<Path> for Paths {
    fn from_iter<I: IntoIterator<Item = Path>>(paths: I) -> Self {
        let paths: Vec<Path> = paths.into_iter().collect();
        let mut masks = [0; Root::COUNT];
        for path in &paths {
            masks[path.accessor.root as usize] |= 1 << path.index;
        }
        Self { paths, masks }
    }
}

impl Path {
    /// The accessor.
    pub fn accessor(&self) -> &Accessor {
        &self.accessor
    }
}

impl Paths {
    /// The first value that `take` takes.
    #[inline]
    pub fn find<'a, T>(
        &self,
        seen: &Seen<'a>,
        mut take: impl FnMut(usize, Value<'a>) -> Option<T>,
    ) -> Option<T> {
        if !self.any(seen) {
            return None;
        }
        let mut paths = self.paths.iter().enumerate();
        paths.find_map(|(at, path)| take(at, seen.get(path)?))
    }

    /// Whether there is a value where any of them begins.
    #[inline]
    pub fn any(&self, seen: &Seen<'_>) -> bool {
        let [record, metadata, resource] = &seen.0;
        let [of_record, of_metadata, of_resource] = self.masks;
        (record.present & of_record)
            | (metadata.present & of_metadata)
            | (resource.present & of_resource)
            != 0
    }

    /// All of them.
    pub fn iter(&self) -> std::slice::Iter<'_, Path> {
        self.paths.iter()
    }
}

impl<'a> Seen<'a> {
    /// Nothing yet.
    pub fn new(wanted: &Wanted) -> Self {
        Self(wanted.0.each_ref().map(|keys| Values {
            values: vec![(Value::Nil, &[]); keys.count],
            present: 0,
            repeated: 0,
        }))
    }

    /// Forgets what there was of a root.
    #[inline]
    pub fn clear(&mut self, root: Root) {
        let values = &mut self.0[root as usize];
        (values.present, values.repeated) = (0, 0);
    }

    /// Takes a pair of a root; of a key that comes twice, the first counts.
    #[inline]
    pub fn take(
        &mut self,
        wanted: &Wanted,
        root: Root,
        key: &[u8],
        value: Value<'a>,
        bytes: &'a [u8],
    ) {
        let values = &mut self.0[root as usize];
        if let Some(index) = wanted.0[root as usize].find(key) {
            if values.present & 1 << index != 0 {
                values.repeated |= 1 << index;
                return;
            }
            values.values[index] = (value, bytes);
            values.present |= 1 << index;
        }
    }

    /// The value at the end of a path.
    #[inline(always)]
    pub fn get(&self, path: &Path) -> Option<Value<'a>> {
        let (value, bytes) = self.begin(path)?;
        path.accessor.follow(value, bytes)
    }

    /// The value at the end of a path, unless its key is there more than once.
    #[inline]
    pub fn only(&self, path: &Path) -> Option<Value<'a>> {
        let repeated = self.0[path.accessor.root as usize].repeated;
        if repeated != 0 && repeated & 1 << path.index != 0 {
            return None;
        }
        self.get(path)
    }

    /// The value where a path begins, and its bytes with all that it holds.
    #[inline(always)]
    pub fn begin(&self, path: &Path) -> Option<(Value<'a>, &'a [u8])> {
        let values = &self.0[path.accessor.root as usize];
        (values.present & 1 << path.index != 0).then(|| values.values[path.index])
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
            .next(|key, value, bytes| seen.take(&wanted, Root::Record, key, value, bytes))
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
            ("$METADATA[0]", "a key follows the first ["),
        ] {
            let error = Accessor::parse(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
        assert_eq!(Accessor::parse("$a['b'][0]").unwrap().last_key(), b"b");
        let resource = Accessor::parse("$RESOURCE['host.name']").unwrap();
        assert_eq!(
            (resource.root(), resource.key()),
            (Root::Resource, &b"host.name"[..])
        );
        assert_eq!(Accessor::parse("$RESOURCE").unwrap().root(), Root::Record);
    }

    #[test]
    fn of_a_key_that_comes_twice_the_first_counts() {
        let pairs = [("log", "one".into()), ("log", "two".into())];
        assert_eq!(found("log", &pairs).as_deref(), Some("one"));
    }
}
