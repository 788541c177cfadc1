//! What the detector has learnt, saved and restored.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::judge::Judge;
use super::source::Shown;
use super::stream::{Past, Stream};
use super::streams::Streams;
use super::{Counters, Detector, Totals, Waiting};
use crate::drain::{Desk, State};
use crate::snapshot::{self, Shape, SnapshotError, Tag};

/// Marks the snapshots of LAD.
const TAG: Tag = *b"lad ";

#[derive(Serialize, Deserialize)]
struct Saved<P> {
    /// The options that shape the state, as (name, value).
    shape: Shape,
    /// Each stream's parser and all else.
    streams: Vec<(State, P)>,
    counters: Counters,
    episodes: u64,
    lost: u64,
    swept: f64,
    /// Events that wait, as JSON: their keys come and go, which the binary form cannot say.
    events: Vec<String>,
}

/// Who said the record that raised an episode, by the place of its stream. It stands behind the state, where a version that knows
/// nothing of it reads on as before, and may be missing.
type Sources = Vec<(u64, Shown)>;

impl Detector {
    /// The options that shape the state: a snapshot made with others cannot be used.
    fn shape(&self) -> Shape {
        let names = ["mode", "window_size"].into_iter();
        names
            .map(|name| {
                let value = self.options.get(name).expect("an option's name");
                (name.to_owned(), value)
            })
            .collect()
    }

    /// Saves all that was learnt to `path` ([`snapshot::write`]). A detector that loads it goes on as if it had never
    /// stopped.
    ///
    /// # Errors
    /// [`SnapshotError::Io`].
    pub fn save(&self, path: &Path) -> Result<(), SnapshotError> {
        snapshot::write(path, &self.to_snapshot())
    }

    /// All that was learnt, as the bytes of a file that [`Detector::load`] reads ([`snapshot::write`] writes it).
    pub fn to_snapshot(&self) -> Vec<u8> {
        let streams = self.streams.iter();
        let saved = Saved::<&Past> {
            shape: self.shape(),
            streams: streams.map(|s| (s.miner.state(), &s.past)).collect(),
            counters: self.counters,
            episodes: self.waiting.episodes,
            lost: self.waiting.lost,
            swept: self.swept,
            events: snapshot::events_to_json(&self.waiting.events),
        };
        let of_episode = |stream: &Stream| Some(stream.past.episode.as_ref()?.sign.source.clone());
        let sources = (0_u64..).zip(self.streams.iter());
        let sources: Sources = sources
            .filter_map(|(at, stream)| Some((at, of_episode(stream)?)))
            .filter(|(_, source)| !source.is_empty())
            .collect();
        snapshot::to_bytes(TAG, &saved, &sources)
    }

    /// Replaces all that was learnt by what was saved to `path`; `false` where there is no such file.
    ///
    /// # Errors
    /// A file that cannot be read, is damaged, of another version, or made with options that shape the state otherwise; the
    /// detector is then as it was.
    pub fn load(&mut self, path: &Path) -> Result<bool, SnapshotError> {
        snapshot::load_state(self, path, TAG, Self::restored)
    }

    /// The detector that a snapshot's payload describes.
    pub(super) fn restored(&self, payload: &[u8]) -> Result<Self, String> {
        let (saved, sources): (Saved<Past>, Sources) = snapshot::state(payload)?;
        snapshot::same_shape(&self.shape(), &saved.shape)?;
        let mut detector = Self {
            options: self.options.clone(),
            limits: self.limits.clone(),
            desk: Desk::default(),
            judge: Judge::new(self.judge.inference(), self.judge.limit()),
            blank: self.blank.blank(),
            streams: Streams::default(),
            guess: 0,
            waiting: Waiting {
                limit: self.waiting.limit,
                lost: saved.lost,
                episodes: saved.episodes,
                ..Waiting::default()
            },
            counters: saved.counters,
            totals: Totals::default(),
            swept: saved.swept,
        };
        for event in snapshot::events_from_json(&saved.events)? {
            detector.waiting.push(event);
        }
        for (parser, past) in saved.streams {
            let known_before = detector.streams.find(&past.name).is_some();
            if known_before || !past.is_sound(&detector.limits) {
                return Err(format!(
                    "damaged: the stream \"{}\" in it makes no sense",
                    past.name
                ));
            }
            let mut miner = self.blank.blank();
            miner
                .restore(&parser)
                .map_err(|e| snapshot::senseless("a parser in it", &e))?;
            let stream = Stream::restored(miner, past);
            detector.totals += stream.weight;
            detector.waiting.open += u64::from(stream.past.episode.is_some());
            detector.streams.push(stream);
        }
        for (at, source) in sources {
            let stream = usize::try_from(at)
                .ok()
                .and_then(|at| detector.streams.get_mut(at));
            let episode = stream.and_then(|stream| stream.past.episode.as_mut());
            let Some(episode) = episode else {
                return Err("damaged: it has the source of an episode that is not in it".into());
            };
            episode.sign.source = source;
        }
        // Made with larger limits: what was silent for longest goes.
        while detector.streams.len() > detector.options.max_streams {
            detector.forget_oldest();
        }
        detector.make_room();
        Ok(detector)
    }
}
