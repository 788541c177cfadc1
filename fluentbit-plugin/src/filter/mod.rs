//! One chunk's way: record by record to the detector, and back with what it found.

mod added;
mod feedback;
mod form;
mod json;
mod keys;
mod line;
mod origin;
mod outcome;
mod values;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bellwether_sys::Transport;

use added::Added;
use form::Best;
use keys::Sources;
use origin::{FOREIGN, Origin};
use values::{Scale, name, priority, text};

use crate::abi::Buffer;
use crate::accessor::{Accessor, Path, Paths, Root, Seen, Wanted};
use crate::config::{ForeignEvents, Key, Settings, StreamKey};
use crate::event;
use crate::msgpack::{Malformed, Reader, Value};
use crate::record::{self, Pair, Record, Records, Sink, When};
use crate::tag::Pattern;

pub use feedback::{Feedback, is_shown_as};
pub use keys::OWN_KEYS;
pub use line::{Detector, Line, Verdict};
pub use outcome::Outcome;

/// This many records without a text, among whatever others, are likely to be of an input whose text is not found.
const TEXTLESS_MANY: u32 = 50;

/// What became of this many records of feedback is kept until it is logged; of more, only the number.
const HEARD_MAX: usize = 32;

/// How many records came to what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FilterCounters {
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
    /// Records with keys of events, or of the filter's own, that are of somebody else.
    pub foreign: u64,
    /// Questions.
    pub questions: u64,
    /// Records of feedback that were applied.
    pub feedback: u64,
    /// Records of feedback that were refused.
    pub feedback_refused: u64,
}

/// What became of a record of feedback, as a line for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// The first of these was applied.
    Applied(u64, String),
    /// The first of these was refused.
    Refused(u64, String),
}

/// See the [module](self).
pub struct Filter<D> {
    detector: D,
    wanted: Arc<Wanted>,
    texts: Paths,
    /// Without the tag.
    streams: Paths,
    /// Where the tag comes among these.
    tag_at: Option<usize>,
    /// So many of the first of these hold for a record that names a pod.
    streams_of_pods: usize,
    priorities: Paths,
    /// Those of the priorities' numbers.
    scales: Vec<Scale>,
    sources: Sources,
    kind: Path,
    verdict: Path,
    feedback_match: Option<Pattern>,
    heard: Vec<Heard>,
    /// How many questions may leave with the next chunk, or between two.
    questions_max: usize,
    accept_foreign: bool,
    host: String,
    prefix: Vec<u8>,
    template_key: Vec<u8>,
    /// The names of the keys with the prefix that are added to one record or another. A template by another name may be another's.
    added_names: Vec<Vec<u8>>,
    record_keys: Added,
    flagged_keys: Added,
    counters: FilterCounters,
    newest: f64,
    /// How many records have had no text since that was last complained of.
    textless: u32,
    /// The keys of one of too many such, until that is complained of.
    unread: Option<String>,
    /// Where texts are written that cannot be read in place.
    scratch: [Vec<u8>; form::OBJECTS_MAX],
    /// Records beyond this time do not count as the newest.
    horizon: f64,
    /// The pairs for the record at hand.
    added: Vec<u8>,
    /// How much larger the last chunk became that was replaced, as a factor.
    growth: f64,
}

impl<D> fmt::Debug for Filter<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filter")
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}

impl<D: Detector> Filter<D> {
    /// A filter with these settings; records that do not say whose log they are of are of `host`.
    pub fn new(settings: &Settings, host: String, detector: D) -> Self {
        let mut wanted = Wanted::default();
        let plain = |key: &str| Accessor::parse(key).expect("the key is not empty");
        let kind = wanted.add(plain(event::KIND));
        let verdict = wanted.add(plain(feedback::VERDICT));
        let paths = |wanted: &mut Wanted, accessors: &[Accessor]| -> Paths {
            let accessors = accessors.iter().cloned();
            accessors.map(|accessor| wanted.add(accessor)).collect()
        };
        let texts = paths(&mut wanted, &settings.text_keys);
        let priorities = paths(&mut wanted, &settings.priority_keys);
        let scales = settings.priority_keys.iter();
        let scales = scales.map(|key| Scale::of(key.last_key())).collect();
        let is_tag = |key: &StreamKey| *key == StreamKey::Tag;
        let streams: Vec<Accessor> = settings
            .stream_keys
            .iter()
            .filter_map(|key| match key {
                StreamKey::Tag => None,
                StreamKey::Value(accessor) => Some(accessor.clone()),
            })
            .collect();
        // A name that stands elsewhere is that of the pod.
        let of_node = |accessor: &&Accessor| {
            accessor.root() != Root::Record || accessor.key() == keys::KUBERNETES
        };
        let streams_of_pods = match settings.usual_streams {
            true => streams.iter().take_while(of_node).count(),
            false => streams.len(),
        };
        let streams = paths(&mut wanted, &streams);
        let sources = Sources::new(&mut wanted);
        Self {
            detector,
            record_keys: Added::new(&settings.record_keys, settings),
            flagged_keys: Added::new(&settings.flagged_keys, settings),
            wanted: Arc::new(wanted),
            texts,
            streams,
            tag_at: settings.stream_keys.iter().position(is_tag),
            streams_of_pods,
            priorities,
            scales,
            sources,
            kind,
            verdict,
            feedback_match: settings.feedback_match.clone(),
            heard: Vec::new(),
            questions_max: 0,
            accept_foreign: settings.foreign_events == ForeignEvents::Accept,
            host,
            prefix: settings.key_prefix.clone().into_bytes(),
            template_key: settings.name_of(Key::Template).into_bytes(),
            added_names: Key::WORDS
                .iter()
                .map(|&(_, key)| settings.name_of(key))
                .filter(|name| name.starts_with(&settings.key_prefix))
                .map(String::into_bytes)
                .collect(),
            counters: FilterCounters::default(),
            newest: f64::NEG_INFINITY,
            textless: 0,
            unread: None,
            scratch: Default::default(),
            horizon: f64::INFINITY,
            added: Vec::new(),
            growth: 1.0,
        }
    }

    /// The detector.
    pub fn detector(&mut self) -> &mut D {
        &mut self.detector
    }

    /// What was counted so far.
    pub fn counters(&self) -> FilterCounters {
        self.counters
    }

    /// The time of the newest record within the [horizon](Self::set_horizon), in seconds since the epoch. `None` before the first.
    pub fn newest(&self) -> Option<f64> {
        self.newest.is_finite().then_some(self.newest)
    }

    /// Records beyond this time, in seconds since the epoch, have a time that cannot be: none of them is the newest.
    pub fn set_horizon(&mut self, time: f64) {
        self.horizon = time;
    }

    /// The keys of a record without a text, where many have none; it is given once for as many again.
    pub fn unread(&mut self) -> Option<String> {
        self.unread.take()
    }

    /// What became of the records of feedback since this was asked last.
    pub fn heard(&mut self) -> Vec<Heard> {
        std::mem::take(&mut self.heard)
    }

    /// At most this many questions leave with the next chunk, or between two; further ones wait. None by default.
    pub fn set_questions_max(&mut self, count: usize) {
        self.questions_max = count;
    }

    /// Takes the events and questions that wait between two chunks.
    pub fn release(&mut self, mut send: impl FnMut(&[u8])) {
        while let Some(record) = self.detector.next_event() {
            self.counters.events += 1;
            event::issue(&record);
            send(&record);
        }
        for _ in 0..self.questions_max {
            let Some(record) = self.next_question() else {
                return;
            };
            send(&record);
        }
    }

    fn next_question(&mut self) -> Option<Vec<u8>> {
        let time = self.newest().unwrap_or_default();
        let record = self.detector.next_question(time)?;
        self.counters.questions += 1;
        event::issue(&record);
        Some(record)
    }

    /// Takes a chunk of records with one tag; gives the records that stand in its place now, or `None` where it stays as it is.
    ///
    /// `inline` says whether an event is to be added to the records: it is shown the event's record first. `flagged` is shown
    /// each flagged line with what was found.
    ///
    /// # Errors
    /// The chunk is not one of records; what came before has been observed all the same.
    pub fn take(
        &mut self,
        chunk: &[u8],
        tag: &[u8],
        mut inline: impl FnMut(&[u8]) -> bool,
        mut flagged: impl FnMut(&Line<'_>, &Verdict<'_>),
    ) -> Result<Option<Buffer>, Malformed> {
        let is_match = |pattern: &Pattern| pattern.matches(tag);
        let may_be_feedback = self.feedback_match.as_ref().is_some_and(is_match);
        let tag = String::from_utf8_lossy(tag);
        let wanted = self.wanted.clone();
        let mut seen = Seen::new(&wanted);
        let mut records = Records::of(chunk);
        let mut replacement = Replacement::of(chunk, self.growth);
        loop {
            seen.clear(Root::Record);
            let mut has_added = false;
            let (prefix, template_key) = (&self.prefix, &self.template_key);
            let record = records.next(|key, value, bytes| {
                seen.take(&wanted, Root::Record, key, value, bytes);
                has_added |= key.starts_with(prefix) || key == template_key;
            });
            let record = match record {
                Ok(Some(record)) => record,
                Ok(None) => break,
                Err(malformed) => {
                    self.counters.malformed += 1;
                    return Err(malformed);
                }
            };
            let time = match record.time {
                When::Seconds(time) => time,
                When::Open => {
                    keys::open_group(&wanted, &mut seen, &record);
                    continue;
                }
                When::Close => {
                    seen.clear(Root::Resource);
                    continue;
                }
            };
            keys::take_metadata(&wanted, &mut seen, &record);
            let origin = match seen.begin(&self.kind) {
                Some(_) => Origin::of(&record, self.accept_foreign),
                None => Origin::Record,
            };
            let has_verdict = seen.begin(&self.verdict).is_some();
            let count = match (origin, has_verdict) {
                (_, true) if may_be_feedback => {
                    self.hear(&record);
                    0
                }
                (Origin::Record, _) => {
                    if may_be_feedback && feedback::is_misplaced(&record) {
                        self.misplaced(&tag);
                    }
                    self.classify(&record, time, &tag, &seen, &mut flagged)
                }
                (Origin::Event, false) => continue,
                (Origin::Event | Origin::Imitation, _) => 0,
            };
            let forged = Forged {
                event: origin == Origin::Imitation,
                verdict: has_verdict && !may_be_feedback && !self.accept_foreign,
            };
            if has_added || forged.event || forged.verdict {
                self.rewrite(&mut replacement, &record, count, forged);
            } else if count > 0 {
                let out = replacement.until(record.start, record.end);
                record::write_extended(out, &record, count, &self.added);
            }
        }
        self.events(&mut replacement, &mut inline);
        Ok(replacement.whole().inspect(|whole| {
            self.growth = whole.len() as f64 / chunk.len().max(1) as f64;
        }))
    }

    /// Has the detector look at a record; gives how many pairs are to be added to it, which are then in `added`.
    fn classify<'a>(
        &mut self,
        record: &Record<'_>,
        time: f64,
        tag: &'a str,
        seen: &Seen<'a>,
        flagged: &mut impl FnMut(&Line<'_>, &Verdict<'_>),
    ) -> u32 {
        self.counters.records += 1;
        let Some((text, level)) = self.text(seen) else {
            self.miss(record, seen);
            return 0;
        };
        let named = self.streams.find(seen, |at, value| {
            let at_pod = at >= self.streams_of_pods && self.sources.has_pod(seen);
            (!at_pod && self.tag_at.is_none_or(|tag| at < tag))
                .then(|| name(value))
                .flatten()
        });
        let named = named.or_else(|| self.tag_at.map(|_| Cow::Borrowed(tag)));
        let own = self.sources.of(seen, text);
        let said = match form::is_plain(own.text) {
            true => form::Parsed {
                text: own.text,
                ..form::Parsed::default()
            },
            false => {
                // Where the program is known, and where it cannot be the host's syslog, a line of syslog is only what is said.
                let named = own.program.is_some() || own.transport != Transport::Unknown;
                form::parse(own.text, named, &mut self.scratch)
            }
        };
        let priority = self
            .priorities
            .find(seen, |at, value| priority(value, self.scales[at]));
        if said.text.is_empty() {
            self.counters.textless += 1;
            return 0;
        }
        let stream = named.or(said.host.map(String::from_utf8_lossy));
        let line = Line {
            stream: stream.as_deref().unwrap_or(&self.host),
            time,
            text: said.text,
            priority: priority.or(level).or(said.priority),
            program: own.program.as_deref().or(said.program).unwrap_or_default(),
            unit: own.unit.unwrap_or_default(),
            tag: tag.as_bytes(),
            transport: match own.transport {
                Transport::Unknown => said.transport,
                known => known,
            },
        };
        if time > self.newest && time <= self.horizon {
            self.newest = time;
        }
        let Some(verdict) = self.detector.observe(&line) else {
            self.counters.refused += 1;
            return 0;
        };
        let keys = if verdict.is_flagged() {
            self.counters.flagged += 1;
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

    /// The text of a record, and the level that stands beside it where it is in a map.
    #[inline]
    fn text<'a>(&self, seen: &Seen<'a>) -> Option<(&'a [u8], Option<u8>)> {
        let plain = self.texts.find(seen, |_, value| text(value));
        match plain {
            Some(text) => Some((text, None)),
            None => self.text_within(seen),
        }
    }

    /// The same of a record whose text is in a map.
    #[cold]
    fn text_within<'a>(&self, seen: &Seen<'a>) -> Option<(&'a [u8], Option<u8>)> {
        let maps = self.texts.iter().filter_map(|path| match seen.begin(path) {
            Some((Value::Map(_), bytes)) if path.accessor().is_key() => Some(bytes),
            _ => None,
        });
        maps.map(|map| {
            let (mut found, mut level) = (Best::default(), Best::default());
            record::each_pair(map, |key, value, _| {
                let known = form::TEXT_KEYS.iter().position(|known| *known == key);
                if let (Some(rank), Some(text)) = (known, text(value)) {
                    found.take(rank, text);
                }
                let known = form::LEVEL_KEYS.iter().position(|(known, _)| *known == key);
                if let Some(rank) = known
                    && let Some(priority) = priority(value, form::LEVEL_KEYS[rank].1)
                {
                    level.take(rank, priority);
                }
            });
            Some((found.value?, level.value))
        })
        .find_map(|found| found)
    }

    /// Takes a record of feedback.
    #[cold]
    fn hear(&mut self, record: &Record<'_>) {
        let applied = match Outcome::of(record) {
            Some(outcome) => outcome.and_then(|outcome| {
                self.detector.outcome(&outcome)?;
                Ok(outcome.applied())
            }),
            None => Feedback::of(record)
                .and_then(|feedback| Ok(feedback.applied(self.detector.apply(&feedback)?))),
        };
        let heard = match applied {
            Ok(line) => {
                self.counters.feedback += 1;
                Heard::Applied(self.counters.feedback, line)
            }
            Err(why) => {
                self.counters.feedback_refused += 1;
                Heard::Refused(self.counters.feedback_refused, why)
            }
        };
        if self.heard.len() < HEARD_MAX {
            self.heard.push(heard);
        }
    }

    /// A record may be feedback that nobody has taken apart.
    #[cold]
    fn misplaced(&mut self, tag: &str) {
        self.counters.feedback_refused += 1;
        if self.heard.len() < HEARD_MAX {
            let why = format!(
                "a record with the tag {tag} has {} within a text or a map; it must be a key of the record itself: give the input a \
                 parser for JSON, or lift the map with the filter nest",
                feedback::VERDICT
            );
            self.heard
                .push(Heard::Refused(self.counters.feedback_refused, why));
        }
    }

    /// Writes a record that has keys of an event or of feedback, or keys by the names of those that are added: this filter's take the
    /// place of the latter, and all others are renamed, so that nobody takes them for its own.
    #[cold]
    fn rewrite(
        &mut self,
        replacement: &mut Replacement<'_>,
        record: &Record<'_>,
        count: u32,
        forged: Forged,
    ) {
        let added = if count > 0 { &*self.added } else { &[] };
        let mut written = Vec::new();
        let mut reader = Reader::new(added);
        while let Ok(Value::Str(name)) = reader.next() {
            written.push(name);
            reader.skip().expect("a value follows each key");
        }
        let (added_names, accept) = (&self.added_names, self.accept_foreign);
        let is_added = |key: &[u8]| added_names.iter().any(|name| name == key);
        let fate = |key: &[u8]| match key {
            key if written.contains(&key) => Pair::Omitted,
            key if forged.event && event::is_mark(key) => Pair::Renamed(FOREIGN),
            key if forged.verdict && feedback::is_mark(key) => Pair::Renamed(FOREIGN),
            key if !accept && is_added(key) => Pair::Renamed(FOREIGN),
            _ => Pair::Kept,
        };
        let mut renamed = false;
        record::each_pair(record.map, |key, _, _| {
            renamed |= matches!(fate(key), Pair::Renamed(_));
        });
        if !renamed && count == 0 {
            return;
        }
        self.counters.foreign += u64::from(renamed);
        let out = replacement.until(record.start, record.end);
        record::write_with(out, record, count, added, fate);
    }

    /// A record has no text.
    #[cold]
    fn miss(&mut self, record: &Record<'_>, seen: &Seen<'_>) {
        self.counters.textless += 1;
        let is_empty = |value| matches!(value, Value::Str(_) | Value::Bin(_)).then_some(());
        if self.texts.find(seen, |_, value| is_empty(value)).is_some() {
            // An empty line, where its key says.
            return;
        }
        self.textless += 1;
        if self.textless == TEXTLESS_MANY {
            self.textless = 0;
            self.unread = Some(keys::listed(record));
        }
    }

    /// Takes the events and questions that wait, and adds those behind the records that are to be inline.
    fn events(
        &mut self,
        replacement: &mut Replacement<'_>,
        inline: &mut impl FnMut(&[u8]) -> bool,
    ) {
        while let Some(record) = self.detector.next_event() {
            self.counters.events += 1;
            event::issue(&record);
            if inline(&record) {
                replacement.append(&record);
            }
        }
        for _ in 0..self.questions_max {
            let Some(record) = self.next_question() else {
                return;
            };
            if inline(&record) {
                replacement.append(&record);
            }
        }
    }
}

/// Which keys of a record are an imitation.
#[derive(Debug, Clone, Copy)]
struct Forged {
    /// Those of an event.
    event: bool,
    /// Those of feedback.
    verdict: bool,
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

    /// Adds a record behind all of the chunk's.
    fn append(&mut self, record: &[u8]) {
        let end = self.chunk.len();
        self.until(end, end).extend_from_slice(record);
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

#[cfg(test)]
mod tests;
