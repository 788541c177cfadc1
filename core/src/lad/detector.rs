//! The detector: routes each record to its stream.

use std::fmt;

use super::budget;
use super::classifier::{self, SharedInference, inference};
use super::counters::{Counters, Totals};
use super::options::LadOptions;
use super::pending::Pending;
use super::prediction::{self, SharedModel};
use super::questions::Questions;
use super::quiet::Quiet;
use super::record::{NAME_MAX_BYTES, Observed, Outcome, Record};
use super::seeds::{self, SharedSeeds};
use super::standing::Standing;
use super::stream::{Shared, Stream};
use super::streams::Streams;
use crate::detector::detector;
use crate::drain::{self, Miner, Scratch};
use crate::event::{Event, Queue};
use crate::options::OptionError;
use crate::units::Share;

/// Detects failing hosts by their logs.
pub struct Detector {
    pub(super) options: LadOptions,
    /// The options with the limits of one stream cut to the memory for all.
    pub(super) limits: LadOptions,
    /// Buffers for parsing a line, shared by all streams.
    pub(super) scratch: Scratch,
    pub(super) inference: SharedInference,
    pub(super) quiet: Quiet,
    pub(super) standing: Standing,
    /// Templates of the fleet, one copy for all streams.
    pub(super) seeds: Option<SharedSeeds>,
    /// What predicts templates, likewise.
    pub(super) model: Option<SharedModel>,
    /// A parser that has learned nothing; that of a new stream is a copy of it.
    pub(super) blank: Miner,
    pub(super) streams: Streams,
    /// The stream of the last record: consecutive records often belong to one stream.
    pub(super) guess: usize,
    pub(super) pending: Pending,
    pub(super) counters: Counters,
    /// Totals over all streams, updated with every record so that nothing has to iterate over them.
    pub(super) totals: Totals,
    /// The time of the last sweep by [`Detector::advance`].
    pub(super) swept: f64,
    /// Where the search for a stream to evict goes on.
    pub(super) hand: usize,
    /// The time when it last checked the open episodes of all streams.
    pub(super) followed: f64,
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
    /// A detector that has learned nothing, and classifies records by the lexicon ([`inference`]).
    ///
    /// # Errors
    /// Options that contradict each other; a lexicon that cannot be read or is not well-formed; seeds or a model that cannot be used.
    pub fn new(options: LadOptions) -> Result<Self, OptionError> {
        let inference = inference(&options)?;
        Self::with_inference(options, inference)
    }

    /// A detector that has learned nothing, and classifies records by `inference`.
    ///
    /// # Errors
    /// Options that contradict each other, or seeds or a model that cannot be used.
    pub fn with_inference(
        options: LadOptions,
        inference: SharedInference,
    ) -> Result<Self, OptionError> {
        options.validate()?;
        let seeds = seeds::shared(&options)?;
        let model = prediction::shared(&options)?;
        let taken = budget::loaded(seeds.as_ref(), model.as_ref());
        let share = budget::Shares::of(budget::divided(&options, taken));
        let mut limits = share.within(options.clone());
        if seeds.is_some() {
            limits.training = 0;
        }
        Ok(Self {
            blank: Miner::new(limits.drain.clone())?,
            standing: Standing::new(&options)?,
            seeds,
            model,
            pending: Pending {
                events: Queue::new(share.events, 0),
                questions: Questions::new(options.questions),
                ..Pending::default()
            },
            options,
            limits,
            scratch: Scratch::default(),
            inference,
            quiet: Quiet::new(share.quiet),
            streams: Streams::default(),
            guess: 0,
            counters: Counters::default(),
            totals: Totals::default(),
            swept: f64::NEG_INFINITY,
            hand: 0,
            followed: f64::NEG_INFINITY,
        })
    }

    /// The options of this detector.
    pub fn options(&self) -> &LadOptions {
        &self.options
    }

    /// Takes the next record of a stream. Resulting events wait for [`Detector::next_event`].
    pub fn observe(&mut self, record: &Record<'_>) -> Observed {
        let valid =
            (1..=NAME_MAX_BYTES).contains(&record.stream.len()) && record.time.is_plausible();
        let observed = if valid {
            self.blank.mask_into(&mut self.scratch, record.text);
            let at = self.stream_or_new(record.stream);
            self.observe_in_stream(at, record)
        } else {
            self.observe_untracked(record)
        };
        self.counters.failures += u64::from(observed.failure);
        self.counters.novel += u64::from(observed.novel);
        self.counters.unseen += u64::from(observed.unseen);
        let unpredicted = observed
            .predicted
            .is_some_and(|predicted| predicted.anomalous);
        self.counters.unpredicted += u64::from(unpredicted);
        observed
    }

    /// Takes a record of the stream at `at`.
    fn observe_in_stream(&mut self, at: usize, record: &Record<'_>) -> Observed {
        self.counters.taken += 1;
        let stream = &mut self.streams[at];
        stream.past.last_used = self.counters.taken;
        let observed = stream.observe(
            &self.limits,
            &mut self.scratch,
            &mut Shared {
                inference: &self.inference,
                quiet: &mut self.quiet,
                standing: &self.standing,
                seeds: self.seeds.as_ref(),
                model: self.model.as_ref(),
            },
            record,
            &mut self.pending,
        );
        stream.measure(&mut self.totals);
        self.enforce_memory_limit();
        observed
    }

    /// Classifies a record without a stream, by its text alone.
    fn observe_untracked(&mut self, record: &Record<'_>) -> Observed {
        self.counters.refused += 1;
        let finding = classifier::read(&self.inference, record).finding;
        let severity = finding
            .as_ref()
            .map_or(Share::ZERO, |f| Share::rounded(f64::from(f.severity)));
        let failure = severity.get() >= self.options.severity_threshold;
        Observed {
            outcome: Outcome::Refused,
            template_id: 0,
            severity,
            family: finding.map(|f| f.family),
            score: if failure { severity } else { Share::ZERO },
            failure,
            alarm: false,
            incident: None,
            novel: false,
            training: false,
            unseen: false,
            predicted: None,
        }
    }

    /// The index of the stream `name`, which is added if it is new; at the limit of the options, it takes the place of another.
    fn stream_or_new(&mut self, name: &str) -> usize {
        if self
            .streams
            .get(self.guess)
            .is_some_and(|s| &*s.past.name == name)
        {
            return self.guess;
        }
        let at = match self.streams.find(name) {
            Some(at) => at,
            None => {
                while self.streams.len() >= self.options.max_streams {
                    self.evict_least_valuable();
                }
                let stream = Stream::new(name, self.blank.blank(), &self.limits);
                self.totals += stream.usage;
                self.streams.push(stream)
            }
        };
        self.guess = at;
        self.streams[at].prefetch(&self.scratch);
        at
    }

    /// The template with this number, or `None` if there is no such stream or template (any more).
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

    /// The counters of a stream's parser, or `None` if there is no such stream (any more).
    pub fn parser(&self, stream: &str) -> Option<drain::Statistics> {
        let stream = &self.streams[self.streams.find(stream)?];
        Some(stream.miner.statistics())
    }

    /// Reports what still waits for later lines of its report: the logs have ended.
    pub fn finish(&mut self) {
        for at in 0..self.streams.len() {
            self.streams[at].raise_waiting(&mut self.pending);
            self.streams[at].measure(&mut self.totals);
        }
    }

    /// The oldest event that was not fetched yet. At most 4096 wait; beyond that, the oldest are lost and counted.
    pub fn next_event(&mut self) -> Option<Event> {
        self.pending.events.pop()
    }

    /// The counters. Takes constant time, however many streams there are.
    pub fn counters(&self) -> Counters {
        Counters {
            episodes: self.pending.episodes,
            events_lost: self.pending.events.lost(),
            streams: self.streams.len() as u64,
            bytes: self.state_bytes() as u64,
            templates: self.totals.templates,
            templates_evicted: self.totals.templates_evicted,
            windows: self.totals.windows,
            open_episodes: self.pending.open,
            questions: self.pending.questions.len() as u64,
            questions_dropped: self.pending.questions.dropped(),
            ..self.counters
        }
    }

    /// Memory of the state in bytes.
    pub fn bytes(&self) -> usize {
        self.state_bytes()
    }
}

detector!(Detector, "lad", LadOptions, Record, Observed);
