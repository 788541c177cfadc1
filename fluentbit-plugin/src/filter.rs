//! One chunk's way: record by record to the detector, and back with what it found.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::accessor::{Accessor, Path, Seen, Wanted};
use crate::config::{Key, Settings, StreamKey};
use crate::event::{self, write_bool, write_float, write_str, write_unsigned};
use crate::msgpack::{Malformed, Value};
use crate::record::{self, Record, Records};

/// What a detector says of a record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict<'a> {
    /// The number of the record's template, or 0 where there is no room for it.
    pub template_id: u64,
    /// The template.
    pub template: &'a str,
    /// How severe what the text tells of is, 0 to 1.
    pub severity: f64,
    /// The family of failures, where the text tells of one.
    pub family: Option<&'a str>,
    /// How certain a failure is, 0 to 1.
    pub score: f64,
    /// Whether the record does not fit what was learnt.
    pub novel: bool,
}

impl Verdict<'_> {
    /// Whether there is anything to say of the record beside its template.
    pub fn is_flagged(&self) -> bool {
        self.severity > 0.0 || self.score > 0.0 || self.novel
    }
}

/// A line of a log as the detector takes it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line<'a> {
    /// Whose log it is of.
    pub stream: &'a str,
    /// When, in seconds since the epoch.
    pub time: f64,
    /// The text; it need not be UTF-8.
    pub text: &'a [u8],
    /// The syslog priority, 0 to 7.
    pub priority: Option<u8>,
}

/// What judges lines.
pub trait Detector {
    /// Takes the next line; `None` where it cannot.
    fn observe(&mut self, line: &Line<'_>) -> Option<Verdict<'_>>;

    /// The next event that waits, as JSON.
    fn next_event(&mut self) -> Option<String>;
}

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

/// The keys that are added, each with its encoded name.
type Added = Vec<(Key, Vec<u8>)>;

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
    added: Vec<u8>,
    out: Vec<u8>,
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
        let template_key = settings
            .template_key
            .clone()
            .unwrap_or_else(|| format!("{}template", settings.key_prefix));
        let named = |keys: &[Key]| -> Added {
            let with_name = |&key: &Key| {
                let mut name = Vec::new();
                match key {
                    Key::Template => write_str(&mut name, template_key.as_bytes()),
                    _ => {
                        let word = Key::WORDS.iter().find(|(_, known)| *known == key);
                        let word = word.expect("every key has a word").0;
                        let full = format!("{}{word}", settings.key_prefix);
                        write_str(&mut name, full.as_bytes());
                    }
                }
                (key, name)
            };
            keys.iter().map(with_name).collect()
        };
        Self {
            detector,
            record_keys: named(&settings.record_keys),
            flagged_keys: named(&settings.flagged_keys),
            wanted: Arc::new(wanted),
            texts,
            streams,
            priorities,
            kind,
            schema,
            host,
            prefix: settings.key_prefix.clone().into_bytes(),
            template_key: template_key.into_bytes(),
            tallies: Tallies::default(),
            newest: f64::MIN,
            added: Vec::new(),
            out: Vec::new(),
        }
    }

    /// The records that stand in the place of the chunk that was taken last, where [`Self::take`] said so.
    pub fn replaced(&self) -> &[u8] {
        &self.out
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

    /// Takes a chunk of records with one tag; whether other records stand in its place now, which [`Self::replaced`] gives.
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
    ) -> Result<bool, Malformed> {
        self.out.clear();
        let tag = String::from_utf8_lossy(tag);
        let wanted = self.wanted.clone();
        let mut seen = Seen::new(&wanted);
        let mut records = Records::of(chunk);
        // So much of the chunk is in `out` already.
        let mut copied = 0;
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
            if count == 0 {
                continue;
            }
            self.out.extend_from_slice(&chunk[copied..record.start]);
            copied = record.end;
            self.write(&record, count, has_added);
        }
        self.events(chunk, &mut copied, &mut inline);
        if copied == 0 && self.out.is_empty() {
            return Ok(false);
        }
        self.out.extend_from_slice(&chunk[copied..]);
        Ok(true)
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
        let mut count = 0;
        for (key, name) in keys {
            count += u32::from(add(&mut self.added, *key, name, &verdict));
        }
        // A map that is full has no room for more.
        if record.pairs <= u32::MAX - count {
            count
        } else {
            0
        }
    }

    fn write(&mut self, record: &Record<'_>, count: u32, has_added: bool) {
        let added = &self.added;
        if has_added {
            let mut names = Vec::new();
            let mut reader = crate::msgpack::Reader::new(added);
            while let Ok(Value::Str(name)) = reader.next() {
                names.push(name);
                reader.skip().expect("a value follows each key");
            }
            let replaced = |key: &[u8]| names.contains(&key);
            record::write_with(&mut self.out, record, count, added, replaced);
        } else {
            record::write_extended(&mut self.out, record, count, added);
        }
    }

    /// Takes the events that wait, and adds those behind the records that are to be inline.
    fn events(&mut self, chunk: &[u8], copied: &mut usize, inline: &mut impl FnMut(&[u8]) -> bool) {
        while let Some(json) = self.detector.next_event() {
            let Some(record) = event::record(&json) else {
                continue;
            };
            self.tallies.events += 1;
            if inline(&record) {
                self.out.extend_from_slice(&chunk[*copied..]);
                *copied = chunk.len();
                self.out.extend_from_slice(&record);
            }
        }
    }
}

/// Adds a pair where the verdict has a value for it.
#[inline]
fn add(out: &mut Vec<u8>, key: Key, name: &[u8], verdict: &Verdict<'_>) -> bool {
    let start = out.len();
    out.extend_from_slice(name);
    match key {
        Key::TemplateId | Key::Template if verdict.template_id == 0 => {
            out.truncate(start);
            return false;
        }
        Key::TemplateId => write_unsigned(out, verdict.template_id),
        Key::Template => write_str(out, verdict.template.as_bytes()),
        Key::Severity => write_float(out, verdict.severity),
        Key::Score => write_float(out, verdict.score),
        Key::Novel => write_bool(out, verdict.novel),
        Key::Family => match verdict.family {
            Some(family) => write_str(out, family.as_bytes()),
            None => {
                out.truncate(start);
                return false;
            }
        },
    }
    true
}

/// A text that has something in it.
#[inline]
fn text(value: Value<'_>) -> Option<&[u8]> {
    match value {
        Value::Str(text) | Value::Bin(text) if !text.is_empty() => Some(text),
        _ => None,
    }
}

/// The name of a stream, which can be a number too.
fn name(value: Value<'_>) -> Option<Cow<'_, str>> {
    match value {
        Value::Unsigned(n) => Some(n.to_string().into()),
        Value::Negative(n) => Some(n.to_string().into()),
        value => text(value).map(String::from_utf8_lossy),
    }
}

/// A syslog priority: a number, a number in digits, or a word.
fn priority(value: Value<'_>, with_facility: bool) -> Option<u8> {
    /// The words by which priorities go, each with the longer and the older forms.
    const WORDS: [&[&str]; 8] = [
        &["emerg", "emergency", "panic"],
        &["alert"],
        &["crit", "critical", "fatal"],
        &["err", "error"],
        &["warning", "warn"],
        &["notice"],
        &["info", "informational", "information"],
        &["debug", "trace"],
    ];
    let number = match value {
        Value::Unsigned(n) => n,
        Value::Str(text) => {
            let text = std::str::from_utf8(text).ok()?.trim();
            match text.parse() {
                Ok(n) => n,
                Err(_) => {
                    let is = |words: &&[&str]| words.iter().any(|w| w.eq_ignore_ascii_case(text));
                    WORDS.iter().position(is)? as u64
                }
            }
        }
        _ => return None,
    };
    match number {
        0..=7 => Some(number as u8),
        // 24 facilities of eight priorities each.
        8..=191 if with_facility => Some((number % 8) as u8),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::{TIMES, Time, WIDTHS, Width, decoded, encoded};
    use proptest::prelude::*;
    use rmpv::Value as Any;

    /// A line as it was observed, without its lifetime.
    type Observed = (String, f64, String, Option<u8>);

    /// Finds fault with every text that has "fail" in it, and tells of each that has "event" in it.
    #[derive(Default)]
    struct Fake {
        observed: Vec<Observed>,
        events: Vec<String>,
        template: String,
    }

    impl Detector for Fake {
        fn observe(&mut self, line: &Line<'_>) -> Option<Verdict<'_>> {
            let text = String::from_utf8_lossy(line.text);
            if text.contains("refuse") {
                return None;
            }
            let observed = (
                line.stream.into(),
                line.time,
                text.clone().into_owned(),
                line.priority,
            );
            self.observed.push(observed);
            let fails = text.contains("fail");
            if text.contains("event") {
                let json = r#"{"event":"log_failure","schema":1,"time":7.5,"state":"raised"}"#;
                self.events.push(json.into());
            }
            self.template = format!("<{}>", text.len());
            Some(Verdict {
                template_id: 3 * u64::from(!text.contains("full")),
                template: &self.template,
                severity: if fails { 0.75 } else { 0.0 },
                family: fails.then_some("storage"),
                score: if fails { 0.5 } else { 0.0 },
                novel: text.contains("novel"),
            })
        }

        fn next_event(&mut self) -> Option<String> {
            self.events.pop()
        }
    }

    fn filter(properties: &[(&str, &str)]) -> Filter<Fake> {
        let settings = Settings::read(|key| {
            let found = properties.iter().find(|(known, _)| *known == key);
            found.map(|(_, value)| (*value).to_owned())
        });
        Filter::new(&settings.unwrap(), "here".into(), Fake::default())
    }

    fn pairs(pairs: &[(&str, Any)]) -> Vec<(Any, Any)> {
        let any = |(k, v): &(&str, Any)| (Any::from(*k), v.clone());
        pairs.iter().map(any).collect()
    }

    fn record(fields: &[(&str, Any)]) -> Vec<u8> {
        encoded(Time::Ext, Width::Least, Some(&[]), 1000, &pairs(fields))
    }

    /// What comes out for a chunk; events go inline.
    fn out(filter: &mut Filter<Fake>, chunk: &[u8]) -> Option<Vec<u8>> {
        let replaced = filter.take(chunk, b"the.tag", |_| true, |_, _| {});
        replaced.unwrap().then(|| filter.replaced().into())
    }

    fn maps(chunk: &[u8]) -> Vec<String> {
        decoded(chunk)
            .iter()
            .map(|record| record[1].to_string())
            .collect()
    }

    #[test]
    fn keys_are_added_behind_those_that_are_there() {
        let chunk = [
            record(&[("log", "well".into())]),
            record(&[("log", "fail".into())]),
        ]
        .concat();
        let out = out(&mut filter(&[]), &chunk).unwrap();
        let wanted = [
            r#"{"log": "well", "bellwether_template_id": 3, "bellwether_template": "<4>"}"#,
            r#"{"log": "fail", "bellwether_template_id": 3, "bellwether_template": "<4>", "bellwether_severity": 0.75, "bellwether_family": "storage", "bellwether_score": 0.5, "bellwether_novel": false}"#,
        ];
        assert_eq!(maps(&out), wanted);
    }

    #[test]
    fn which_keys_are_added_and_what_they_are_called_is_configured() {
        let properties = [
            ("key_prefix", "bw."),
            ("template_key", "log.record.template"),
            ("record_keys", "template"),
            ("flagged_keys", "score,novel"),
        ];
        let chunk = [
            record(&[("log", "well".into())]),
            record(&[("log", "novel".into())]),
        ]
        .concat();
        let out = out(&mut filter(&properties), &chunk).unwrap();
        let wanted = [
            r#"{"log": "well", "log.record.template": "<4>"}"#,
            r#"{"log": "novel", "bw.score": 0, "bw.novel": true}"#,
        ];
        assert_eq!(maps(&out), wanted);
    }

    #[test]
    fn without_keys_for_them_only_flagged_records_are_copied() {
        let mut filter = filter(&[("record_keys", "none")]);
        let well = record(&[("log", "well".into())]);
        assert_eq!(out(&mut filter, &well.repeat(5)), None);
        let chunk = [
            well.repeat(2),
            record(&[("log", "fail".into())]),
            well.clone(),
        ]
        .concat();
        let out = out(&mut filter, &chunk).unwrap();
        assert!(out.starts_with(&well.repeat(2)) && out.ends_with(&well));
        assert_eq!(maps(&out).len(), 4);
    }

    #[test]
    fn keys_of_an_earlier_filter_are_replaced() {
        let chunk = record(&[
            ("bellwether_template_id", 9.into()),
            ("log", "well".into()),
            ("bellwether_score", 0.25.into()),
        ]);
        let out = out(&mut filter(&[]), &chunk).unwrap();
        let wanted = r#"{"log": "well", "bellwether_score": 0.25, "bellwether_template_id": 3, "bellwether_template": "<4>"}"#;
        assert_eq!(maps(&out), [wanted]);
    }

    #[test]
    fn a_template_that_there_is_no_room_for_is_not_added() {
        let chunk = record(&[("log", "full".into())]);
        assert_eq!(out(&mut filter(&[]), &chunk), None);
    }

    #[test]
    fn the_text_is_found_where_the_options_say() {
        let nested = Any::Map(pairs(&[("message", "deep".into())]));
        let chunk = [
            record(&[("message", "m".into())]),
            record(&[("log", "l".into()), ("message", "m".into())]),
            record(&[("log", nested.clone()), ("message", "m".into())]),
            record(&[("log", Any::from(&b"bytes"[..]))]),
        ]
        .concat();
        let mut by_default = filter(&[]);
        out(&mut by_default, &chunk);
        let texts = |f: &Filter<Fake>| -> Vec<String> {
            f.detector.observed.iter().map(|o| o.2.clone()).collect()
        };
        assert_eq!(texts(&by_default), ["m", "l", "m", "bytes"]);
        let mut by_accessor = filter(&[("text_keys", "$log['message']")]);
        out(&mut by_accessor, &chunk);
        assert_eq!(texts(&by_accessor), ["deep"]);
        assert_eq!(by_accessor.tallies().textless, 3);
    }

    #[test]
    fn records_without_a_text_pass_as_they_are() {
        let chunk: Vec<u8> = [
            Any::Nil,
            7.into(),
            true.into(),
            "".into(),
            Any::Array(vec![]),
        ]
        .into_iter()
        .flat_map(|value| record(&[("log", value)]))
        .chain(record(&[]))
        .collect();
        let mut filter = filter(&[]);
        assert_eq!(out(&mut filter, &chunk), None);
        assert_eq!(filter.tallies().textless, 6);
    }

    #[test]
    fn a_text_that_is_no_utf8_is_kept_as_it_is() {
        let mut chunk = record(&[("log", "a?b".into())]);
        let at = chunk.iter().position(|&b| b == b'?').unwrap();
        chunk[at] = 0xff;
        let mut filter = filter(&[]);
        let out = out(&mut filter, &chunk).unwrap();
        assert!(out.windows(3).any(|w| w == b"a\xffb"));
        assert_eq!(filter.detector.observed[0].2, "a\u{fffd}b");
    }

    #[test]
    fn a_record_is_of_the_host_that_it_names_or_of_this_one() {
        let chunk = [
            record(&[("log", "x".into())]),
            record(&[("log", "x".into()), ("host", "node7".into())]),
            record(&[
                ("log", "x".into()),
                ("host", "node7".into()),
                ("_HOSTNAME", 8.into()),
            ]),
        ]
        .concat();
        let streams = |properties: &[(&str, &str)]| -> Vec<String> {
            let mut filter = filter(properties);
            out(&mut filter, &chunk);
            filter
                .detector
                .observed
                .iter()
                .map(|o| o.0.clone())
                .collect()
        };
        assert_eq!(streams(&[]), ["here", "node7", "8"]);
        assert_eq!(
            streams(&[("stream_keys", "host,$TAG")]),
            ["the.tag", "node7", "node7"]
        );
    }

    #[test]
    fn priorities_are_numbers_digits_or_words() {
        let of = |key: &str, value: Any| {
            let mut filter = filter(&[]);
            out(&mut filter, &record(&[("log", "x".into()), (key, value)]));
            filter.detector.observed[0].3
        };
        assert_eq!(of("PRIORITY", "3".into()), Some(3));
        assert_eq!(of("priority", 6.into()), Some(6));
        assert_eq!(of("severity", "Warning".into()), Some(4));
        assert_eq!(of("severity", "FATAL".into()), Some(2));
        assert_eq!(of("pri", "34".into()), Some(2));
        assert_eq!(of("pri", 192.into()), None);
        assert_eq!(of("priority", 34.into()), None);
        assert_eq!(of("priority", "urgent".into()), None);
        assert_eq!(of("priority", (-1).into()), None);
        assert_eq!(of("other", 3.into()), None);
    }

    #[test]
    fn an_event_comes_behind_the_records_of_its_chunk_and_is_no_record_to_a_filter() {
        for record_keys in ["none", "template_id"] {
            let mut filter = filter(&[("record_keys", record_keys)]);
            let well = record(&[("log", "well".into())]);
            let chunk = [record(&[("log", "an event".into())]), well.clone()].concat();
            let out_first = out(&mut filter, &chunk).unwrap();
            let first = maps(&out_first);
            assert_eq!(first.len(), 3, "{first:#?}");
            assert!(first[2].contains("\"log_failure\""), "{first:#?}");
            let records = filter.tallies().records;
            // The event alone, as rewrite_tag hands it in again.
            let event = &out_first[out_first.len()
                - event::record(
                    r#"{"event":"log_failure","schema":1,"time":7.5,"state":"raised"}"#,
                )
                .unwrap()
                .len()..];
            assert_eq!(out(&mut filter, event), None);
            assert_eq!(filter.tallies().records, records);
            assert_eq!(filter.tallies().events, 1);
        }
    }

    #[test]
    fn an_event_that_goes_elsewhere_leaves_the_chunk_alone() {
        let mut filter = filter(&[("record_keys", "none")]);
        let chunk = record(&[("log", "an event".into())]);
        let mut shown = 0;
        let outcome = filter.take(
            &chunk,
            b"",
            |_| {
                shown += 1;
                false
            },
            |_, _| {},
        );
        assert_eq!(outcome, Ok(false));
        assert_eq!(shown, 1);
    }

    #[test]
    fn groups_keep_their_markers() {
        let open = encoded(
            Time::Ext,
            Width::Least,
            Some(&[]),
            -1,
            &pairs(&[("resource", "r".into())]),
        );
        let close = encoded(Time::Ext, Width::Least, Some(&[]), -2, &[]);
        let chunk = [
            open.clone(),
            record(&[("log", "fail".into())]),
            close.clone(),
        ]
        .concat();
        let out = out(&mut filter(&[]), &chunk).unwrap();
        assert!(out.starts_with(&open) && out.ends_with(&close));
        assert_eq!(decoded(&out).len(), 3);
    }

    #[test]
    fn a_chunk_that_cannot_be_read_is_an_error_and_what_follows_is_read() {
        let mut filter = filter(&[]);
        let mut chunk = record(&[("log", "well".into())]);
        let good = chunk.clone();
        chunk.pop();
        assert!(filter.take(&chunk, b"", |_| true, |_, _| {}).is_err());
        assert_eq!(maps(&out(&mut filter, &good).unwrap()).len(), 1);
        assert_eq!(filter.tallies().malformed, 1);
        assert_eq!(out(&mut filter, b""), None);
    }

    #[test]
    fn a_line_that_the_detector_refuses_passes_as_it_is() {
        let mut filter = filter(&[]);
        assert_eq!(out(&mut filter, &record(&[("log", "refuse".into())])), None);
        assert_eq!(filter.tallies().refused, 1);
    }

    #[test]
    fn flagged_lines_are_shown() {
        let mut filter = filter(&[]);
        let chunk = [
            record(&[("log", "well".into())]),
            record(&[("log", "fail".into())]),
        ]
        .concat();
        let mut shown = Vec::new();
        let see = |line: &Line<'_>, verdict: &Verdict<'_>| {
            shown.push((line.text.to_vec(), verdict.severity));
        };
        filter.take(&chunk, b"", |_| true, see).unwrap();
        assert_eq!(shown, [(b"fail".to_vec(), 0.75)]);
    }

    fn value() -> impl Strategy<Value = Any> {
        prop_oneof![
            "[ -~]{0,40}".prop_map(|s| Any::from(s.as_str())),
            Just(Any::from("it will fail")),
            Just(Any::from("an event")),
            any::<i64>().prop_map(Any::from),
            Just(Any::Nil),
            proptest::collection::vec(
                "[a-z]{0,5}".prop_map(|s| (Any::from("k"), Any::from(s.as_str()))),
                0..3
            )
            .prop_map(Any::Map),
        ]
    }

    proptest! {
        #[test]
        fn no_record_is_lost_changed_or_reordered(
            records in proptest::collection::vec((
                proptest::collection::vec((prop::sample::select(&["log", "message", "host", "other", "PRIORITY"][..]), value()), 0..20),
                prop::sample::select(&TIMES[..]), prop::sample::select(&WIDTHS[..]), any::<bool>(), -2i64..2000,
            ), 0..8),
            none in any::<bool>(),
        ) {
            let chunk: Vec<u8> = records.iter().flat_map(|(fields, time, width, metadata, seconds)| {
                encoded(*time, *width, metadata.then_some(&[][..]), *seconds, &pairs(fields))
            }).collect();
            let mut filter = filter(&[("record_keys", if none { "none" } else { "template" })]);
            let out = out(&mut filter, &chunk).unwrap_or_else(|| chunk.clone());
            let (before, mut after) = (decoded(&chunk), decoded(&out));
            let events = after.split_off(before.len());
            prop_assert!(events.iter().all(|e| e.to_string().contains("log_failure")));
            for (before, after) in before.iter().zip(&after) {
                prop_assert_eq!(&before[0], &after[0]);
                let kept: Vec<(Any, Any)> = after[1].as_map().unwrap().iter()
                    .filter(|(k, _)| !k.as_str().unwrap().starts_with("bellwether_")).cloned().collect();
                prop_assert_eq!(before[1].as_map().unwrap(), &kept);
            }
        }

        #[test]
        fn any_bytes_are_taken_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            filter(&[]).take(&bytes, b"tag", |_| true, |_, _| {}).ok();
        }
    }
}
