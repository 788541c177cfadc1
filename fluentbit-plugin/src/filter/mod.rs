//! One chunk's way: record by record to the detector, and back with what it found.

mod added;
mod line;
mod values;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use added::Added;
use values::{name, priority, text};

use crate::abi::Buffer;
use crate::accessor::{Accessor, Path, Seen, Wanted};
use crate::config::{Key, Settings, StreamKey};
use crate::event;
use crate::msgpack::{Malformed, Reader, Value};
use crate::record::{self, Record, Records, Sink};

pub use line::{Detector, Line, Verdict};

/// How many records came to what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tallies {
    /// Records, without events and the markers of groups.
    pub records: u64,
    /// Records without a text.
    pub textless: u64,
    /// Records that were flagged.
    pub flagged: u64,
    /// Records that the detector refused.
    pub refused: u64,
    /// Chunks that could not be read.
    pub malformed: u64,
    /// Events.
    pub events: u64,
}

/// Where to look in a record for the name of its stream.
#[derive(Debug, Clone)]
enum StreamPath {
    Tag,
    Value(Path),
}

/// A path to a priority.
#[derive(Debug, Clone)]
struct PriorityPath {
    path: Path,
    /// Whether it is syslog's PRI, which has the facility in its upper bits.
    with_facility: bool,
}

/// See the [module](self).
pub struct Filter<D> {
    detector: D,
    wanted: Arc<Wanted>,
    texts: Vec<Path>,
    streams: Vec<StreamPath>,
    priorities: Vec<PriorityPath>,
    kind: Path,
    schema: Path,
    host: String,
    prefix: Vec<u8>,
    template_key: Vec<u8>,
    record_keys: Added,
    flagged_keys: Added,
    tallies: Tallies,
    newest: f64,
    /// The pairs for the record at hand.
    added: Vec<u8>,
    /// How much larger the last chunk became that was replaced, as a factor.
    growth: f64,
}

impl<D> fmt::Debug for Filter<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filter")
            .field("tallies", &self.tallies)
            .finish_non_exhaustive()
    }
}

impl<D: Detector> Filter<D> {
    /// A filter with these settings; records that do not say whose log they are of are of `host`.
    pub fn new(settings: &Settings, host: String, detector: D) -> Self {
        let mut wanted = Wanted::default();
        let plain = |key: &str| Accessor::parse(key).expect("the key is not empty");
        let kind = wanted.add(plain(event::KIND));
        let schema = wanted.add(plain(event::SCHEMA));
        let texts = settings.text_keys.iter().cloned();
        let texts = texts.map(|accessor| wanted.add(accessor)).collect();
        let streams = settings.stream_keys.iter().cloned();
        let streams = streams
            .map(|key| match key {
                StreamKey::Tag => StreamPath::Tag,
                StreamKey::Value(accessor) => StreamPath::Value(wanted.add(accessor)),
            })
            .collect();
        let priorities = settings.priority_keys.iter().cloned();
        let priorities = priorities
            .map(|accessor| PriorityPath {
                with_facility: accessor.last_key().eq_ignore_ascii_case(b"pri"),
                path: wanted.add(accessor),
            })
            .collect();
        Self {
            detector,
            record_keys: Added::new(&settings.record_keys, settings),
            flagged_keys: Added::new(&settings.flagged_keys, settings),
            wanted: Arc::new(wanted),
            texts,
            streams,
            priorities,
            kind,
            schema,
            host,
            prefix: settings.key_prefix.clone().into_bytes(),
            template_key: settings.name_of(Key::Template).into_bytes(),
            tallies: Tallies::default(),
            newest: f64::MIN,
            added: Vec::new(),
            growth: 1.0,
        }
    }

    /// The detector.
    pub fn detector(&mut self) -> &mut D {
        &mut self.detector
    }

    /// What was counted so far.
    pub fn tallies(&self) -> Tallies {
        self.tallies
    }

    /// The time of the newest record, in seconds since the epoch; very small before the first.
    pub fn newest(&self) -> f64 {
        self.newest
    }

    /// Takes a chunk of records with one tag; gives the records that stand in its place now, or `None` where it stays as it is.
    ///
    /// `inline` tells whether an event is to be added to the records: it is shown the event's record first. `flagged` is shown
    /// each flagged line with what was found.
    ///
    /// # Errors
    /// The chunk is not one of records; what came before is learnt all the same.
    pub fn take(
        &mut self,
        chunk: &[u8],
        tag: &[u8],
        mut inline: impl FnMut(&[u8]) -> bool,
        mut flagged: impl FnMut(&Line<'_>, &Verdict<'_>),
    ) -> Result<Option<Buffer>, Malformed> {
        let tag = String::from_utf8_lossy(tag);
        let wanted = self.wanted.clone();
        let mut seen = Seen::new(&wanted);
        let mut records = Records::of(chunk);
        let mut replacement = Replacement::of(chunk, self.growth);
        loop {
            seen.clear();
            let mut has_added = false;
            let (prefix, template_key) = (&self.prefix, &self.template_key);
            let record = records.next(|key, value, bytes| {
                seen.take(&wanted, key, value, bytes);
                has_added |= key.starts_with(prefix) || key == template_key;
            });
            let record = match record {
                Ok(Some(record)) => record,
                Ok(None) => break,
                Err(malformed) => {
                    self.tallies.malformed += 1;
                    return Err(malformed);
                }
            };
            let Some(time) = record.time else {
                continue;
            };
            let count = self.judge(&record, time, &tag, &seen, &mut flagged);
            if count > 0 {
                let out = replacement.until(record.start, record.end);
                write(out, &record, count, &self.added, has_added);
            }
        }
        self.events(&mut replacement, &mut inline);
        Ok(replacement.whole().inspect(|whole| {
            self.growth = whole.len() as f64 / chunk.len().max(1) as f64;
        }))
    }

    /// Has the detector look at a record; gives how many pairs are to be added to it, which are then in `added`.
    fn judge<'a>(
        &mut self,
        record: &Record<'_>,
        time: f64,
        tag: &'a str,
        seen: &Seen<'a>,
        flagged: &mut impl FnMut(&Line<'_>, &Verdict<'_>),
    ) -> u32 {
        if let (Some(kind), Some(schema)) = (seen.get(&self.kind), seen.get(&self.schema))
            && event::is_event(kind, schema)
        {
            return 0;
        }
        self.tallies.records += 1;
        let Some(text) = self.texts.iter().find_map(|path| text(seen.get(path)?)) else {
            self.tallies.textless += 1;
            return 0;
        };
        let stream = self.streams.iter().find_map(|path| match path {
            StreamPath::Tag => Some(Cow::Borrowed(tag)),
            StreamPath::Value(path) => name(seen.get(path)?),
        });
        let priorities = self.priorities.iter();
        let line = Line {
            stream: stream.as_deref().unwrap_or(&self.host),
            time,
            text,
            priority: priorities
                .filter_map(|path| priority(seen.get(&path.path)?, path.with_facility))
                .next(),
        };
        self.newest = self.newest.max(time);
        let Some(verdict) = self.detector.observe(&line) else {
            self.tallies.refused += 1;
            return 0;
        };
        let keys = if verdict.is_flagged() {
            self.tallies.flagged += 1;
            flagged(&line, &verdict);
            &self.flagged_keys
        } else {
            &self.record_keys
        };
        self.added.clear();
        let count = keys.write(&mut self.added, &verdict);
        // A map that is full has no room for more.
        if record.pairs <= u32::MAX - count {
            count
        } else {
            0
        }
    }

    /// Takes the events that wait, and adds those behind the records that are to be inline.
    fn events(
        &mut self,
        replacement: &mut Replacement<'_>,
        inline: &mut impl FnMut(&[u8]) -> bool,
    ) {
        while let Some(json) = self.detector.next_event() {
            let Some(record) = event::record(&json) else {
                continue;
            };
            self.tallies.events += 1;
            if inline(&record) {
                let end = replacement.chunk.len();
                replacement.until(end, end).extend_from_slice(&record);
            }
        }
    }
}

/// What stands in the place of a chunk: nothing is copied before the first change.
struct Replacement<'a> {
    chunk: &'a [u8],
    /// So much of the chunk is done with.
    done: usize,
    out: Buffer,
    growth: f64,
}

impl<'a> Replacement<'a> {
    /// One that is likely to be larger by the factor `growth`.
    fn of(chunk: &'a [u8], growth: f64) -> Self {
        Self {
            chunk,
            done: 0,
            out: Buffer::new(),
            growth,
        }
    }

    /// Copies what comes before `start`; what stands in the place of the bytes from there to `end` goes behind it.
    #[inline]
    fn until(&mut self, start: usize, end: usize) -> &mut Buffer {
        if self.out.is_empty() {
            // A little more, so that records that are a little longer do not need the next size.
            let likely = self.chunk.len() as f64 * self.growth * 1.05;
            self.out.reserve(likely as usize + 256);
        }
        self.out.extend_from_slice(&self.chunk[self.done..start]);
        self.done = end;
        &mut self.out
    }

    /// All of it; `None` where nothing was changed.
    fn whole(mut self) -> Option<Buffer> {
        if self.out.is_empty() {
            return None;
        }
        self.out.extend_from_slice(&self.chunk[self.done..]);
        Some(self.out)
    }
}

impl Sink for Buffer {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Writes a record with so many pairs that are added to it. `has_added`: there may be such keys in it already.
#[inline]
fn write(out: &mut Buffer, record: &Record<'_>, count: u32, added: &[u8], has_added: bool) {
    if has_added {
        let mut names = Vec::new();
        let mut reader = Reader::new(added);
        while let Ok(Value::Str(name)) = reader.next() {
            names.push(name);
            reader.skip().expect("a value follows each key");
        }
        let replaced = |key: &[u8]| names.contains(&key);
        record::write_with(out, record, count, added, replaced);
    } else {
        record::write_extended(out, record, count, added);
    }
}

#[cfg(test)]
mod tests;
