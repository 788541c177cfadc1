//! The learned state of the detector, saved and restored.
//!
//! Version 1: options that shape the state, streams (each with its parser), counters, episodes raised, events lost, `swept`, pending
//! events as JSON; then, possibly missing, the sources of open episodes. Version 2: the same, and the ordinals of open episodes.

use std::fmt;
use std::io::{self, Write};

use serde::de::{DeserializeSeed, Deserializer, Error as _, SeqAccess, Visitor};

use super::counters::{Counters, Totals};
use super::detector::Detector;
use super::episode::Episode;
use super::pending::Pending;
use super::stream::{Past, Stream};
use super::streams::Streams;
use super::verdict_cache::VerdictCache;
use crate::drain::{Miner, Restore, Scratch, StateError};
use crate::event::{Event, LogSource, Queue};
use crate::snapshot::{self, LazySeq, Reader, Saved, Shape, Tag, Unusable, write_value};

/// The sources of open episodes, by the index of their stream.
type Sources = Vec<(u64, LogSource)>;
/// The ordinals of open episodes, by the index of their stream.
type Ordinals = Vec<(u64, u64)>;

impl Detector {
    /// The options that shape the state.
    fn shape(&self) -> Shape {
        snapshot::shape(&self.options, &["mode", "window_size"])
    }

    /// What `of` returns for each open episode, by the index of its stream.
    fn of_episodes<T>(&self, of: impl Fn(&Episode) -> Option<T>) -> Vec<(u64, T)> {
        let streams = (0_u64..).zip(self.streams.iter());
        streams
            .filter_map(|(at, stream)| Some((at, of(stream.past.episode.as_deref()?)?)))
            .collect()
    }

    /// The open episode of the stream at this index.
    fn episode_at(&mut self, at: u64) -> Result<&mut Episode, Unusable> {
        let at = usize::try_from(at).ok();
        let stream = at.and_then(|at| self.streams.get_mut(at));
        let episode = stream.and_then(|stream| stream.past.episode.as_deref_mut());
        episode
            .ok_or_else(|| Unusable::Impossible("it describes an episode that is not in it".into()))
    }

    /// A detector with the options of this one that has learned nothing.
    fn unlearned(&self) -> Self {
        Self {
            options: self.options.clone(),
            limits: self.limits.clone(),
            scratch: Scratch::default(),
            verdict_cache: VerdictCache::new(
                self.verdict_cache.inference(),
                self.verdict_cache.limit(),
            ),
            blank: self.blank.blank(),
            streams: Streams::default(),
            guess: 0,
            pending: Pending {
                events: Queue::new(self.pending.events.limit(), 0),
                ..Pending::default()
            },
            counters: Counters::default(),
            totals: Totals::default(),
            swept: f64::NEG_INFINITY,
        }
    }

    /// Adds a restored stream.
    fn add_restored(&mut self, miner: Miner, past: Past) -> Result<(), Unusable> {
        let is_known = self.streams.find(&past.name).is_some();
        if is_known || !past.is_valid(&self.limits) {
            return Err(Unusable::Impossible(format!(
                "the stream \"{}\" in it has values that no stream can have",
                past.name
            )));
        }
        let stream = Stream::restored(miner, past);
        self.totals += stream.usage;
        self.pending.open += u64::from(stream.past.episode.is_some());
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
    const VERSION: u32 = 2;
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
        let source = |source: &LogSource| {
            let is_known = *source != LogSource::default();
            is_known.then(|| source.clone())
        };
        write_value(
            out,
            &self.of_episodes(|episode| source(&episode.trigger.source)),
        )?;
        write_value(out, &self.of_episodes(|episode| Some(episode.ordinal)))
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
                detector.episode_at(at)?.trigger.source = source;
            }
        }
        if version > 1 {
            let ordinals: Ordinals = input.next("the ordinals")?;
            for (at, ordinal) in ordinals {
                detector.episode_at(at)?.ordinal = ordinal;
            }
        }
        // The snapshot may have been made with larger limits: the least recently used streams are evicted.
        while detector.streams.len() > detector.options.max_streams {
            detector.evict_least_recent();
        }
        detector.enforce_memory_limit();
        Ok(detector)
    }
}
