//! The learned state of the detector, saved and restored.
//!
//! Version 1: options that shape the state, streams (each with its parser), counters, episodes raised, events lost, `swept`, pending
//! events as JSON; then, possibly missing, the sources of open episodes. Version 2: the same, and the ordinals of open episodes.
//! Version 3: streams have any number of episodes, which are saved at the end with all that belongs to them; the two lists before are
//! empty.

use std::fmt;
use std::io::{self, Write};

use rustc_hash::FxHashMap;
use serde::de::{DeserializeSeed, Deserializer, Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::counters::{Counters, Totals};
use super::detector::Detector;
use super::episode::{Episode, Reported, Trigger};
use super::pending::Pending;
use super::quiet::Quiet;
use super::record::Verdict;
use super::signs::Signs;
use super::stream::{Past, Settled, Stream};
use super::streams::Streams;
use super::unseen::Unseen;
use crate::drain::{Miner, Restore, Scratch, StateError};
use crate::event::{Event, LogSource, Queue};
use crate::inference::FailureSubject;
use crate::snapshot::{self, LazySeq, Reader, Saved, Shape, Tag, Unusable, write_value};

/// The sources of open episodes, by the index of their stream.
type Sources = Vec<(u64, LogSource)>;
/// The ordinals of open episodes, by the index of their stream.
type Ordinals = Vec<(u64, u64)>;

/// An episode with what its own form leaves out.
#[derive(Serialize, Deserialize)]
struct SavedEpisode {
    episode: Episode,
    source: LogSource,
    subject: Option<FailureSubject>,
    trusted: bool,
    speaker: u64,
    ordinal: u64,
    reported: Reported,
    window: Option<String>,
}

impl SavedEpisode {
    fn of(episode: &Episode) -> Self {
        Self {
            episode: episode.clone(),
            source: episode.trigger.source.clone(),
            subject: episode.trigger.subject.clone(),
            trusted: episode.trigger.trusted,
            speaker: episode.trigger.speaker,
            ordinal: episode.ordinal,
            reported: episode.reported,
            window: episode.window.as_deref().map(str::to_owned),
        }
    }

    fn restored(self) -> Episode {
        let mut episode = self.episode;
        episode.trigger = Trigger {
            source: self.source,
            subject: self.subject,
            trusted: self.trusted,
            speaker: self.speaker,
            ..episode.trigger
        };
        episode.ordinal = self.ordinal;
        episode.reported = self.reported;
        episode.window = self.window.map(Into::into);
        episode
    }
}

impl Detector {
    /// The options that shape the state.
    fn shape(&self) -> Shape {
        snapshot::shape(&self.options, &["mode", "window_size"])
    }

    /// The stream at this index.
    fn stream_at(&mut self, at: u64) -> Result<&mut Stream, Unusable> {
        let at = usize::try_from(at).ok();
        let stream = at.and_then(|at| self.streams.get_mut(at));
        stream.ok_or_else(|| {
            Unusable::Impossible("it describes an episode of a stream that is not in it".into())
        })
    }

    /// The only episode of the stream at this index, as versions before 3 had them.
    fn only_episode_at(&mut self, at: u64) -> Result<&mut Episode, Unusable> {
        let episode = self.stream_at(at)?.past.episodes.0.first_mut();
        episode
            .ok_or_else(|| Unusable::Impossible("it describes an episode that is not in it".into()))
    }

    /// A detector with the options of this one that has learned nothing.
    fn unlearned(&self) -> Self {
        Self {
            options: self.options.clone(),
            limits: self.limits.clone(),
            scratch: Scratch::default(),
            inference: self.inference.clone(),
            quiet: Quiet::new(self.quiet.limit()),
            standing: self.standing.blank(),
            seeds: self.seeds.clone(),
            model: self.model.clone(),
            blank: self.blank.blank(),
            streams: Streams::default(),
            guess: 0,
            pending: Pending {
                events: Queue::new(self.pending.events.limit(), 0),
                questions: self.pending.questions.emptied(),
                ..Pending::default()
            },
            counters: Counters::default(),
            totals: Totals::default(),
            swept: f64::NEG_INFINITY,
            hand: 0,
            followed: f64::NEG_INFINITY,
        }
    }

    /// Adds a restored stream.
    fn add_restored(&mut self, miner: Miner, mut past: Past) -> Result<(), Unusable> {
        if let Some(mut only) = past.only_episode.take() {
            only.was_reported();
            past.episodes.0.push(*only);
        }
        let is_known = self.streams.find(&past.name).is_some();
        if is_known || !past.is_valid(&self.limits) {
            return Err(Unusable::Impossible(format!(
                "the stream \"{}\" in it has values that no stream can have",
                past.name
            )));
        }
        let stream = Stream::restored(miner, past);
        self.totals += stream.usage;
        self.pending.open += stream.past.episodes.0.len() as u64;
        self.streams.push(stream);
        Ok(())
    }
}

/// Reads one stream: its parser, into a blank one, and the rest.
struct StreamSeed(Miner);

impl<'de> DeserializeSeed<'de> for StreamSeed {
    type Value = (Result<Miner, StateError>, Past);

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_tuple(2, self)
    }
}

impl<'de> Visitor<'de> for StreamSeed {
    type Value = (Result<Miner, StateError>, Past);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a stream")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut parts: A) -> Result<Self::Value, A::Error> {
        let missing = || A::Error::custom("a stream ends early");
        let parser = parts.next_element_seed(Restore(&mut self.0))?;
        let parser = parser.ok_or_else(missing)?;
        let past = parts.next_element()?.ok_or_else(missing)?;
        Ok((parser.map(|()| self.0), past))
    }
}

/// Restores streams into a detector, one at a time.
struct StreamsSeed<'d> {
    detector: &'d mut Detector,
    error: &'d mut Option<Unusable>,
}

impl<'de> DeserializeSeed<'de> for StreamsSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for StreamsSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("streams")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut streams: A) -> Result<(), A::Error> {
        let blank = self.detector.blank.blank();
        while let Some((parser, past)) = streams.next_element_seed(StreamSeed(blank.blank()))? {
            let parser =
                parser.map_err(|error| Unusable::Impossible(format!("a parser in it: {error}")));
            let added = parser.and_then(|parser| self.detector.add_restored(parser, past));
            if let Err(error) = added {
                *self.error = Some(error);
                return Err(A::Error::custom("a stream cannot be restored"));
            }
        }
        Ok(())
    }
}

impl Saved for Detector {
    const TAG: Tag = *b"lad ";
    const VERSION: u32 = 3;
    const OLDEST: u32 = 1;

    fn write_state(&self, out: &mut dyn Write) -> io::Result<()> {
        write_value(out, &self.shape())?;
        let streams = || self.streams.iter().map(|s| (s.miner.saved(), &s.past));
        write_value(out, &LazySeq(streams))?;
        write_value(out, &self.counters)?;
        write_value(out, &self.pending.episodes)?;
        write_value(out, &self.pending.events.lost())?;
        write_value(out, &self.swept)?;
        write_value(
            out,
            &LazySeq(|| self.pending.events.iter().map(Event::to_json)),
        )?;
        write_value(out, &Sources::new())?;
        write_value(out, &Ordinals::new())?;
        let episodes = || {
            let of_stream = |s: &Stream| -> Vec<SavedEpisode> {
                s.past.episodes.0.iter().map(SavedEpisode::of).collect()
            };
            self.streams.iter().map(of_stream)
        };
        write_value(out, &LazySeq(episodes))?;
        let warnings = || {
            let of_stream = |s: &Stream| -> Vec<bool> {
                let episodes = s.past.episodes.0.iter();
                episodes.map(|episode| episode.trigger.warning).collect()
            };
            self.streams.iter().map(of_stream)
        };
        write_value(out, &LazySeq(warnings))?;
        let settled = || self.streams.iter().map(|stream| &stream.past.settled);
        write_value(out, &LazySeq(settled))?;
        let standing: Vec<(&str, Verdict)> = self.standing.iter().collect();
        write_value(out, &standing)?;
        write_value(out, &self.counters.unseen)?;
        let unseen = || self.streams.iter().map(|stream| stream.past.unseen);
        write_value(out, &LazySeq(unseen))?;
        let signs = || self.streams.iter().map(|stream| stream.past.signs);
        write_value(out, &LazySeq(signs))
    }

    fn read_state(&self, version: u32, mut input: Reader<'_>) -> Result<Self, Unusable> {
        snapshot::same_shape(&self.shape(), &input.next("the options")?)?;
        let mut detector = self.unlearned();
        let mut error = None;
        let restoring = StreamsSeed {
            detector: &mut detector,
            error: &mut error,
        };
        let restored = input.next_into("the streams", restoring);
        if let Some(error) = error {
            return Err(error);
        }
        restored?;
        detector.counters = input.next("the counters")?;
        detector.pending.episodes = input.next("the number of episodes")?;
        let lost = input.next("the number of lost events")?;
        detector.pending.events = Queue::new(self.pending.events.limit(), lost);
        detector.swept = input.next("the time")?;
        let events: Vec<String> = input.next("the events")?;
        for json in &events {
            detector.pending.push(snapshot::event_from_json(json)?);
        }
        // Version 1 did not always have them.
        if version > 1 || !input.is_at_end() {
            let sources: Sources = input.next("the sources")?;
            for (at, source) in sources {
                detector.only_episode_at(at)?.trigger.source = source;
            }
        }
        if version > 1 {
            let ordinals: Ordinals = input.next("the ordinals")?;
            for (at, ordinal) in ordinals {
                detector.only_episode_at(at)?.ordinal = ordinal;
            }
        }
        if version > 2 {
            let episodes: Vec<Vec<SavedEpisode>> = input.next("the episodes")?;
            for (at, of_stream) in (0..).zip(episodes) {
                if of_stream.is_empty() {
                    continue;
                }
                detector.pending.open += of_stream.len() as u64;
                let stream = detector.stream_at(at)?;
                let episodes = of_stream.into_iter().map(SavedEpisode::restored);
                stream.past.episodes.0.extend(episodes);
            }
        }
        // Version 3 did not always have them.
        if version > 2 && !input.is_at_end() {
            let warnings: Vec<Vec<bool>> = input.next("the warnings")?;
            for (at, of_stream) in (0..).zip(warnings) {
                let episodes = &mut detector.stream_at(at)?.past.episodes.0;
                for (episode, warning) in episodes.iter_mut().zip(of_stream) {
                    episode.trigger.warning = warning;
                }
            }
            let settled: Vec<FxHashMap<u64, Settled>> = input.next("the settled templates")?;
            for (at, of_stream) in (0..).zip(settled) {
                detector.stream_at(at)?.past.settled = of_stream;
            }
        }
        if version > 2 && !input.is_at_end() {
            let standing: Vec<(String, Verdict)> = input.next("the verdicts for all streams")?;
            for (template, verdict) in standing {
                detector.standing.set(&template, Some(verdict));
            }
        }
        if version > 2 && !input.is_at_end() {
            detector.counters.unseen = input.next("the number of unseen templates")?;
            let unseen: Vec<Option<Unseen>> = input.next("the unseen templates")?;
            for (at, of_stream) in (0..).zip(unseen) {
                detector.pending.unseen += u64::from(of_stream.is_some());
                detector.stream_at(at)?.past.unseen = of_stream;
            }
        }
        if version > 2 && !input.is_at_end() {
            let signs: Vec<Signs> = input.next("the signs of the last minutes")?;
            for (at, of_stream) in (0..).zip(signs) {
                if !of_stream.is_valid() {
                    return Err(Unusable::Impossible(
                        "a stream in it has minutes that are not kept".into(),
                    ));
                }
                detector.stream_at(at)?.past.signs = of_stream;
            }
        }
        // What was saved apart from a stream has its size as well.
        for at in 0..detector.streams.len() {
            detector.streams[at].remeasure(&mut detector.totals);
        }
        // The snapshot may have been made with larger limits: the least recently used streams are evicted.
        while detector.streams.len() > detector.options.max_streams {
            detector.evict_least_recent();
        }
        detector.enforce_memory_limit();
        Ok(detector)
    }
}
