//! What the detector has learnt, saved and restored.

use std::collections::VecDeque;
use std::path::Path;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::judge::Judge;
use super::stream::{Past, Stream};
use super::{Counters, Detector, Waiting};
use crate::drain::State;
use crate::event::Event;
use crate::snapshot::{self, SnapshotError, Tag};

/// Marks the snapshots of LAD.
const TAG: Tag = *b"lad ";

#[derive(Serialize, Deserialize)]
struct Saved<P> {
    /// The options that shape the state, as (name, value).
    shape: Vec<(String, String)>,
    /// Each stream's parser and all else.
    streams: Vec<(State, P)>,
    counters: Counters,
    episodes: u64,
    lost: u64,
    swept: f64,
    /// Events that wait, as JSON: their keys come and go, which the binary form cannot say.
    events: Vec<String>,
}

impl Detector {
    /// The options that shape the state: a snapshot made with others cannot be used.
    fn shape(&self) -> Vec<(String, String)> {
        let names = ["mode", "window_size"].into_iter();
        names
            .map(|name| {
                let value = self.options.get(name).expect("an option's name");
                (name.to_owned(), value)
            })
            .collect()
    }

    /// Saves all that was learnt to `path` ([`snapshot::save`]). A detector that loads it goes on as if it had never
    /// stopped.
    ///
    /// # Errors
    /// [`SnapshotError::Io`].
    pub fn save(&self, path: &Path) -> Result<(), SnapshotError> {
        let streams = self.streams.iter();
        let saved = Saved::<&Past> {
            shape: self.shape(),
            streams: streams.map(|s| (s.miner.state(), &s.past)).collect(),
            counters: self.counters,
            episodes: self.waiting.episodes,
            lost: self.waiting.lost,
            swept: self.swept,
            events: self.waiting.events.iter().map(Event::to_json).collect(),
        };
        let payload =
            postcard::to_stdvec(&saved).expect("the state has only types that can be written");
        snapshot::save(path, TAG, &payload)
    }

    /// Replaces all that was learnt by what was saved to `path`; `false` where there is no such file.
    ///
    /// # Errors
    /// A file that cannot be read, is damaged, of another version, or made with options that shape the state otherwise; the
    /// detector is then as it was.
    pub fn load(&mut self, path: &Path) -> Result<bool, SnapshotError> {
        let Some(payload) = snapshot::load(path, TAG)? else {
            return Ok(false);
        };
        match self.restored(&payload) {
            Ok(restored) => {
                *self = restored;
                Ok(true)
            }
            Err(reason) => Err(snapshot::set_aside(path, reason)),
        }
    }

    /// The detector that a snapshot's payload describes.
    pub(super) fn restored(&self, payload: &[u8]) -> Result<Self, String> {
        let senseless = |what: &str, error: &dyn std::fmt::Display| {
            format!("damaged: {what} makes no sense ({error})")
        };
        let saved: Saved<Past> =
            postcard::from_bytes(payload).map_err(|e| senseless("its content", &e))?;
        for ((name, now), (_, then)) in self.shape().iter().zip(&saved.shape) {
            if now != then {
                return Err(format!(
                    "it was made with {name} = {then}, which is {now} now"
                ));
            }
        }
        let events = saved.events.iter().map(|json| serde_json::from_str(json));
        let events: Result<VecDeque<Event>, _> = events.collect();
        let mut detector = Self {
            options: self.options.clone(),
            judge: Judge::new(self.judge.inference()),
            blank: self.blank.clone(),
            streams: Vec::with_capacity(saved.streams.len()),
            index: FxHashMap::default(),
            guess: 0,
            waiting: Waiting {
                events: events.map_err(|e| senseless("an event in it", &e))?,
                lost: saved.lost,
                episodes: saved.episodes,
            },
            counters: saved.counters,
            bytes: 0,
            swept: saved.swept,
        };
        for (parser, past) in saved.streams {
            let at = detector.streams.len() as u32;
            let known_before = detector.index.insert(past.name.clone(), at).is_some();
            if known_before || !past.is_sound(&detector.options) {
                return Err(format!(
                    "damaged: the stream \"{}\" in it makes no sense",
                    past.name
                ));
            }
            let mut miner = self.blank.clone();
            miner
                .restore(&parser)
                .map_err(|e| senseless("a parser in it", &e))?;
            let mut stream = Stream {
                miner,
                past,
                bytes: 0,
                records: 0,
            };
            stream.weigh();
            detector.bytes += stream.bytes;
            detector.streams.push(stream);
        }
        // Made with larger limits: what was silent for longest goes.
        while detector.streams.len() > detector.options.max_streams {
            detector.forget_oldest();
        }
        Ok(detector)
    }
}
