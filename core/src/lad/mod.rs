//! LAD: detecting a failing host by its log (VMFT-LAD, lecture, chapter 4).
//!
//! A [`Detector`] takes one record at a time ([`Detector::observe`]): it finds the record's template (the log key), classifies its
//! text, compares the window of the last log keys with the known ones, and raises [`Event`]s ([`Detector::next_event`]). Each
//! stream, the merged log of one host, is evaluated by itself. A [`Sequence`] is the part that needs no text, for log keys from
//! elsewhere.
//!
//! ```
//! use bellwether_core::event::{EventKind, State};
//! use bellwether_core::lad::{Detector, LadOptions, Record, Source};
//! use bellwether_core::units::Time;
//!
//! let mut detector = Detector::new(LadOptions::default())?;
//! let observed = detector.observe(&Record {
//!     stream: "kvm1",
//!     time: Time::from_secs(1_700_000_000.0),
//!     text: "blk_update_request: I/O error, dev sda, sector 2048",
//!     priority: Some(3),
//!     source: Source { program: b"kernel", ..Source::default() },
//! });
//! assert!(observed.failure);
//! let event = detector.next_event().unwrap();
//! assert_eq!((event.kind(), event.state), (EventKind::LogFailure, State::Raised));
//! # Ok::<(), bellwether_core::options::OptionError>(())
//! ```

mod budget;
mod episode;
mod first_seen;
mod novelty;
mod options;
mod paper;
mod recent;
mod report;
mod sequence;
mod snapshot;
mod source;
mod store;
mod stream;
mod streams;
mod verdict_cache;

use std::fmt;
use std::ops::{AddAssign, SubAssign};

use serde::{Deserialize, Serialize};

use self::stream::Stream;
use self::streams::Streams;
use self::verdict_cache::VerdictCache;
use crate::detector::detector;
use crate::drain::{Miner, Scratch};
use crate::event::{Event, Queue};
use crate::inference::{Family, with_priority};
use crate::options::OptionError;
use crate::units::{Share, Time};

pub use options::{LadOptions, Mode};
pub use sequence::{Sequence, Step};
pub use source::Source;
pub use verdict_cache::{SharedInference, inference};

/// One record of a log.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Record<'a> {
    /// The stream that it belongs to: the name of the host whose log it is; not empty.
    pub stream: &'a str,
    /// When.
    pub time: Time,
    /// What it says, without time, host and source.
    pub text: &'a str,
    /// What it says of its own usage, where it does: syslog's severity, 0 (emergency) to 7 (debug).
    pub priority: Option<u8>,
    /// Who says it.
    pub source: Source<'a>,
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It counts.
    Taken,
    /// The stream's name is empty or too long, or the time is not a number that can be. It was classified by what it says alone.
    Refused,
    /// The option `max_streams` leaves no budget for its stream. It was classified by what it says alone.
    Full,
}

/// What a record was found to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observed {
    /// What became of it.
    pub outcome: Outcome,
    /// The number of its template within its stream, from 1; 0 where it is of no stream.
    pub template_id: u64,
    /// How severe what it says is.
    pub severity: Share,
    /// The family of what it says, where it says anything of the kind.
    pub family: Option<Family>,
    /// The score that the mode gives it.
    pub score: Share,
    /// It tells of a failure: its severity reaches `severity_threshold`.
    pub failure: bool,
    /// It begins or extends an episode.
    pub alarm: bool,
    /// It completes a window that was unknown.
    pub novel: bool,
    /// It is one of the first of its stream.
    pub training: bool,
}

/// What an operator says of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Its records report of no failure, whatever they say.
    Benign,
    /// Its records report of a failure.
    Failure,
}

/// How many records came to what, and what there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Records with [`Outcome::Taken`].
    pub taken: u64,
    /// Records with [`Outcome::Refused`].
    pub refused: u64,
    /// Records with [`Outcome::Full`].
    pub full: u64,
    /// Records that reported of a failure.
    pub failures: u64,
    /// Records that completed an unknown window.
    pub novel: u64,
    /// Episodes that were raised.
    pub episodes: u64,
    /// Events that nobody fetched in time, lost.
    pub events_lost: u64,
    /// Streams that made budget for others, or were silent for too long.
    pub streams_forgotten: u64,
    /// Streams that there is state of.
    pub streams: u64,
    /// Templates that are known, over all streams.
    pub templates: u64,
    /// Templates that made budget for others, over the streams that there are.
    pub templates_evicted: u64,
    /// Windows that are known, over all streams.
    pub windows: u64,
    /// How much memory all of it takes, bytes.
    pub bytes: u64,
    /// Episodes that are open.
    #[serde(skip)]
    pub open_episodes: u64,
}

impl Counters {
    /// Names and values.
    pub fn list(&self) -> [(&'static str, u64); 14] {
        [
            ("taken", self.taken),
            ("refused", self.refused),
            ("full", self.full),
            ("failures", self.failures),
            ("novel", self.novel),
            ("episodes", self.episodes),
            ("events_lost", self.events_lost),
            ("streams_forgotten", self.streams_forgotten),
            ("streams", self.streams),
            ("templates", self.templates),
            ("templates_evicted", self.templates_evicted),
            ("windows", self.windows),
            ("bytes", self.bytes),
            ("open_episodes", self.open_episodes),
        ]
    }
}

/// What all streams together have and take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Totals {
    /// Memory, in bytes.
    bytes: usize,
    templates: u64,
    templates_evicted: u64,
    windows: u64,
}

impl AddAssign for Totals {
    fn add_assign(&mut self, more: Self) {
        self.bytes += more.bytes;
        self.templates += more.templates;
        self.templates_evicted += more.templates_evicted;
        self.windows += more.windows;
    }
}

impl SubAssign for Totals {
    fn sub_assign(&mut self, less: Self) {
        self.bytes -= less.bytes;
        self.templates -= less.templates;
        self.templates_evicted -= less.templates_evicted;
        self.windows -= less.windows;
    }
}

/// Longest name of a stream, bytes.
pub const NAME_MAX_BYTES: usize = 512;

/// Events that wait to be fetched, and what is counted of them.
#[derive(Debug, Default)]
struct Pending {
    events: Queue,
    /// Episodes raised so far.
    episodes: u64,
    /// Episodes that are open.
    open: u64,
}

impl Pending {
    fn push(&mut self, event: Event) {
        self.events.push([event]);
    }
}

/// Judges hosts by what their logs say.
pub struct Detector {
    options: LadOptions,
    /// The options, with what one stream may take cut to what is there for all.
    limits: LadOptions,
    /// Where lines are taken apart, whichever stream they are of.
    scratch: Scratch,
    verdict_cache: VerdictCache,
    /// Knows nothing; that of a new stream is made like it.
    blank: Miner,
    streams: Streams,
    /// Where the stream of the last record is: many records of one come in a row.
    guess: usize,
    pending: Pending,
    counters: Counters,
    /// What the streams have and take, kept with every record: nothing has to look through all of them.
    totals: Totals,
    /// The newest time that [`Detector::advance`] looked for the silent at.
    swept: f64,
}

impl fmt::Debug for Detector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Detector")
            .field("options", &self.options)
            .field("streams", &self.streams.len())
            .finish_non_exhaustive()
    }
}

impl Detector {
    /// A detector that knows nothing yet, and asks the lexicon ([`inference`]) what a record says.
    ///
    /// # Errors
    /// Options that contradict each other, and a lexicon that cannot be read or is not well-formed.
    pub fn new(options: LadOptions) -> Result<Self, OptionError> {
        let inference = inference(&options)?;
        Self::with_inference(options, inference)
    }

    /// A detector that knows nothing yet, and asks `inference` what a record says.
    ///
    /// # Errors
    /// Options that contradict each other.
    pub fn with_inference(
        options: LadOptions,
        inference: SharedInference,
    ) -> Result<Self, OptionError> {
        options.validate()?;
        let share = budget::Shares::of(&options);
        let limits = share.within(options.clone());
        Ok(Self {
            blank: Miner::new(limits.drain.clone())?,
            options,
            limits,
            scratch: Scratch::default(),
            verdict_cache: VerdictCache::new(inference, share.answers),
            streams: Streams::default(),
            guess: 0,
            pending: Pending {
                events: Queue::new(share.events, 0),
                ..Pending::default()
            },
            counters: Counters::default(),
            totals: Totals::default(),
            swept: f64::NEG_INFINITY,
        })
    }

    /// The options it was made with.
    pub fn options(&self) -> &LadOptions {
        &self.options
    }

    /// Takes the next record of a stream. Events that it brings about wait for [`Detector::next_event`].
    pub fn observe(&mut self, record: &Record<'_>) -> Observed {
        let valid =
            (1..=NAME_MAX_BYTES).contains(&record.stream.len()) && record.time.is_plausible();
        let at = if valid {
            self.blank.mask_into(&mut self.scratch, record.text);
            self.stream_or_new(record.stream).ok_or(Outcome::Full)
        } else {
            Err(Outcome::Refused)
        };
        let observed = match at {
            Ok(at) => self.taken(at, record),
            Err(outcome) => self.alone(record, outcome),
        };
        self.counters.failures += u64::from(observed.failure);
        self.counters.novel += u64::from(observed.novel);
        observed
    }

    /// Gives a record to its stream.
    fn taken(&mut self, at: usize, record: &Record<'_>) -> Observed {
        self.counters.taken += 1;
        let stream = &mut self.streams[at];
        stream.past.heard = self.counters.taken;
        let observed = stream.observe(
            &self.limits,
            &mut self.scratch,
            &mut self.verdict_cache,
            record,
            &mut self.pending,
        );
        stream.measure(&mut self.totals);
        self.make_room();
        observed
    }

    /// Judges a record that is of no stream.
    fn alone(&mut self, record: &Record<'_>, outcome: Outcome) -> Observed {
        *match outcome {
            Outcome::Full => &mut self.counters.full,
            _ => &mut self.counters.refused,
        } += 1;
        let finding = with_priority(
            self.verdict_cache.find_uncached(record.text, ""),
            record.priority,
        );
        let severity = finding
            .as_ref()
            .map_or(Share::ZERO, |f| Share::rounded(f64::from(f.severity)));
        let failure = severity.get() >= self.options.severity_threshold;
        Observed {
            outcome,
            template_id: 0,
            severity,
            family: finding.map(|f| f.family),
            score: if failure { severity } else { Share::ZERO },
            failure,
            alarm: false,
            novel: false,
            training: false,
        }
    }

    /// Where the stream `name` is, made if need be and the options allow.
    fn stream_or_new(&mut self, name: &str) -> Option<usize> {
        if self
            .streams
            .get(self.guess)
            .is_some_and(|s| &*s.past.name == name)
        {
            return Some(self.guess);
        }
        let at = match self.streams.find(name) {
            Some(at) => at,
            None if self.streams.len() >= self.options.max_streams => return None,
            None => {
                let stream = Stream::new(name, self.blank.blank(), &self.limits);
                self.totals += stream.usage;
                self.streams.push(stream)
            }
        };
        self.guess = at;
        self.streams[at].prefetch(&self.scratch);
        Some(at)
    }

    /// Takes an operator's word for what the records of a template are, `None` to take an earlier word back. It holds from now
    /// on, and re-scores what it touches: windows that were learned from what is a failure after all are forgotten, an episode
    /// of which nothing is left is cleared, one that should be there is raised. `false` where there is no such stream or
    /// template.
    pub fn feedback(&mut self, stream: &str, template_id: u64, verdict: Option<Verdict>) -> bool {
        let Some(at) = self.streams.find(stream) else {
            return false;
        };
        let stream = &mut self.streams[at];
        let known = stream.feedback(&self.limits, template_id, verdict, &mut self.pending);
        stream.measure(&mut self.totals);
        known
    }

    /// The template with that number, or `None` where there is no such stream or template (any more).
    pub fn template(&self, stream: &str, template_id: u64) -> Option<&str> {
        let guess = self
            .streams
            .get(self.guess)
            .filter(|s| &*s.past.name == stream);
        let stream = match guess {
            Some(stream) => stream,
            None => &self.streams[self.streams.find(stream)?],
        };
        stream.miner.template(template_id)
    }

    /// The oldest event not yet fetched. At most 4096 wait; beyond that the oldest are lost and counted.
    pub fn next_event(&mut self) -> Option<Event> {
        self.pending.events.pop()
    }

    /// What became of the records, and what there is. It takes no longer with more streams.
    pub fn counters(&self) -> Counters {
        Counters {
            episodes: self.pending.episodes,
            events_lost: self.pending.events.lost(),
            streams: self.streams.len() as u64,
            bytes: self.held() as u64,
            templates: self.totals.templates,
            templates_evicted: self.totals.templates_evicted,
            windows: self.totals.windows,
            open_episodes: self.pending.open,
            ..self.counters
        }
    }

    /// How much memory its state takes, in bytes.
    pub fn bytes(&self) -> usize {
        self.held()
    }
}

detector!(Detector, "lad", LadOptions, Record, Observed);

#[cfg(test)]
mod tests;
