//! One stream, the merged log of one host: its parser, its learned state, and what is open.

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::counters::Totals;
use super::episode::{Episode, Trigger};
use super::first_seen::FirstSeen;
use super::novelty::{Change as NoveltyChange, Novelty};
use super::options::{LadOptions, Mode};
use super::pending::Pending;
use super::recent::{LINE_MAX_BYTES, Line, Recent};
use super::record::{Observed, Outcome, Record, Verdict};
use super::report::{self, End};
use super::sequence::Sequence;
use super::source::Source;
use super::verdict_cache::VerdictCache;
use crate::drain::{Change, Miner, Scratch};
use crate::event::LogSource;
use crate::inference::{Family, Finding};
use crate::memory::{allocation, table};
use crate::text::shortened;
use crate::units::Share;

/// The severity of records that an operator marked as failures.
const FEEDBACK_SEVERITY: f64 = 1.0;

/// Memory of a heap-allocated name besides its text, in bytes.
const NAME_HEADER_BYTES: usize = 2 * size_of::<usize>();

/// A stream.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) miner: Miner,
    pub(super) past: Past,
    /// Its size when it was last measured.
    pub(super) usage: Totals,
    /// It may have grown since then.
    grown: bool,
}

/// All of a stream but its parser.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Past {
    #[serde(with = "crate::snapshot::owned::small_text")]
    pub(super) name: SmolStr,
    sequence: Sequence,
    pub(super) recent: Recent,
    /// When each template was first seen.
    pub(super) first_seen: FirstSeen,
    /// An operator's verdicts on templates.
    verdicts: FxHashMap<u64, Verdict>,
    /// When the last episode began, in seconds, and the number of earlier ones that began at the same time.
    #[serde(skip)]
    began: Option<(f64, u64)>,
    /// Boxed, because most streams have none.
    pub(super) episode: Option<Box<Episode>>,
    novelty: Novelty,
    /// The newest time of a record, in seconds.
    pub(super) last: f64,
    /// The number of its last record among those of all streams, for LRU eviction.
    pub(super) last_used: u64,
}

/// The classification of a record by its text and by feedback.
struct Classified {
    severity: f64,
    family: Option<Family>,
    failure: bool,
}

impl Stream {
    /// A stream that has learned nothing.
    pub(super) fn new(name: &str, miner: Miner, options: &LadOptions) -> Self {
        let past = Past {
            name: name.into(),
            sequence: Sequence::new(options),
            recent: Recent::default(),
            first_seen: FirstSeen::default(),
            verdicts: FxHashMap::default(),
            began: None,
            episode: None,
            novelty: Novelty::default(),
            last: f64::NEG_INFINITY,
            last_used: 0,
        };
        Self::restored(miner, past)
    }

    /// A stream restored from a snapshot.
    pub(super) fn restored(miner: Miner, past: Past) -> Self {
        let mut stream = Self {
            miner,
            past,
            usage: Totals::default(),
            grown: false,
        };
        stream.usage = stream.measured();
        stream
    }

    /// Touches all memory that a record is going to need, so that the cache misses overlap: among very many streams, none of it
    /// is in the processor's caches.
    pub(super) fn prefetch(&self, scratch: &Scratch) {
        self.miner.prefetch(scratch);
        self.past.sequence.prefetch();
        self.past.recent.prefetch();
    }

    /// Takes the next record.
    pub(super) fn observe(
        &mut self,
        options: &LadOptions,
        scratch: &mut Scratch,
        verdict_cache: &mut VerdictCache,
        record: &Record<'_>,
        pending: &mut Pending,
    ) -> Observed {
        let time = record.time.secs();
        let added = self.miner.add_masked(scratch);
        let id = added.cluster;
        let miner = &self.miner;
        if added.change == Change::New {
            let is_known = |id| miner.template(id).is_some();
            let first_seen = &mut self.past.first_seen;
            first_seen.add(id, time, miner.len(), is_known);
        }
        let finding = verdict_cache.finding(
            record.text,
            miner.masked_values(scratch, record.text),
            || miner.template(id),
            record.priority,
        );
        let classified = self.past.classify(options, id, finding);
        let past = &mut self.past;
        past.last = past.last.max(time);
        let windows = past.sequence.windows();
        let grows = past.recent.push(id, record.text, options.window_size);
        let step = past
            .sequence
            .observe(options, id, classified.severity, classified.failure);
        let learned = windows != past.sequence.windows();
        self.grown |= self.miner.has_grown() || step.alarm || learned || grows;
        let observed = Observed {
            outcome: Outcome::Taken,
            template_id: id,
            severity: Share::new(classified.severity),
            family: classified.family,
            score: Share::new(step.score),
            failure: classified.failure,
            alarm: step.alarm,
            novel: step.novel,
            training: step.training,
        };
        if step.alarm {
            match &mut past.episode {
                Some(episode) => episode.extend(id, time, step.score),
                None => {
                    let trigger = classified.failure.then(|| {
                        let phrase = finding.map(|f| f.reason.clone());
                        let trigger = self.trigger(id, record.text, classified.family, phrase);
                        with_source(record.source, trigger)
                    });
                    let trigger =
                        trigger.unwrap_or_else(|| self.trigger_in_window(options, verdict_cache));
                    self.raise(trigger, time, step.score, step.training, pending);
                }
            }
        } else if let Some(episode) = &mut past.episode
            && episode.is_over(options.episode_sz)
        {
            self.clear(time, End::Quiet(options.episode_sz), pending);
        }
        if options.mode == Mode::Symbolic && !step.training {
            self.follow_novelty(options, step.novel, record, pending);
        }
        observed
    }

    /// The trigger of an episode for a record that reports a failure.
    fn trigger(
        &self,
        id: u64,
        text: &str,
        family: Option<Family>,
        phrase: Option<String>,
    ) -> Trigger {
        Trigger {
            template_id: id,
            template: self.miner.template(id).unwrap_or_default().to_owned(),
            family,
            phrase: phrase.unwrap_or_else(|| "marked as a failure by feedback".into()),
            sample: shortened(text, LINE_MAX_BYTES),
            source: LogSource::default(),
        }
    }

    /// The same for the last record of the window that reports a failure.
    fn trigger_in_window(&self, options: &LadOptions, verdict_cache: &VerdictCache) -> Trigger {
        let mut triggers = self
            .past
            .recent
            .lines()
            .into_iter()
            .rev()
            .filter_map(|line| {
                let template = self.miner.template(line.template_id).unwrap_or_default();
                let finding = verdict_cache.classify_uncached(&line.text, template);
                let classified = self
                    .past
                    .classify(options, line.template_id, finding.as_ref());
                classified.failure.then(|| {
                    let phrase = finding.map(|f| f.reason);
                    self.trigger(line.template_id, &line.text, classified.family, phrase)
                })
            });
        triggers.next().unwrap_or_else(|| {
            self.trigger(0, "", None, Some("a failure in an unknown window".into()))
        })
    }

    fn raise(
        &mut self,
        trigger: Trigger,
        time: f64,
        score: f64,
        training: bool,
        pending: &mut Pending,
    ) {
        let episode = Episode::new(trigger, self.past.ordinal(time), time, score, training);
        pending.push(report::raised(self, &episode));
        pending.episodes += 1;
        pending.open += 1;
        self.past.episode = Some(Box::new(episode));
    }

    fn clear(&mut self, time: f64, end: End, pending: &mut Pending) {
        if let Some(episode) = self.past.episode.take() {
            pending.open -= 1;
            pending.push(report::cleared(self, &episode, time, end));
        }
    }

    fn follow_novelty(
        &mut self,
        options: &LadOptions,
        novel: bool,
        record: &Record<'_>,
        pending: &mut Pending,
    ) {
        let Some(change) = self.past.novelty.observe(novel, record.time.secs()) else {
            return;
        };
        if !options.novelty_events {
            return;
        }
        pending.push(match change {
            NoveltyChange::Raised { count, expected } => {
                report::novelty_raised(self, record, count, expected)
            }
            NoveltyChange::Cleared { since } => {
                report::novelty_cleared(self, since, record.time.secs(), "back to normal")
            }
        });
    }

    /// Clears what is open, because the stream is being forgotten.
    pub(super) fn end(&mut self, options: &LadOptions, time: f64, pending: &mut Pending) {
        self.clear(time, End::Forgotten, pending);
        if let Some(since) = self.past.novelty.end()
            && options.novelty_events
        {
            let reason = End::Forgotten.reason();
            pending.push(report::novelty_cleared(self, since, time, &reason));
        }
    }

    /// Takes an operator's verdict on a template; `None` withdraws an earlier one. Applies it to what is already known. Returns
    /// `false` if there is no such template.
    pub(super) fn feedback(
        &mut self,
        options: &LadOptions,
        id: u64,
        verdict: Option<Verdict>,
        pending: &mut Pending,
    ) -> bool {
        if self.miner.template(id).is_none() {
            return false;
        }
        self.grown = true;
        let verdicts = &mut self.past.verdicts;
        if verdicts.len() >= options.drain.max_clusters {
            verdicts.retain(|&id, _| self.miner.template(id).is_some());
        }
        match verdict {
            Some(verdict) => verdicts.insert(id, verdict),
            None => verdicts.remove(&id),
        };
        let time = self.past.last;
        match verdict {
            Some(Verdict::Benign) => {
                let episode = self.past.episode.as_mut();
                if episode.is_some_and(|episode| episode.without(id)) {
                    self.clear(time, End::Feedback, pending);
                }
            }
            Some(Verdict::Failure) => {
                self.past.sequence.unlearn(id);
                let lines = self.past.recent.lines().into_iter();
                for Line { text, .. } in lines.filter(|line| line.template_id == id) {
                    match &mut self.past.episode {
                        Some(episode) => episode.extend(id, time, FEEDBACK_SEVERITY),
                        None => {
                            let trigger = self.trigger(id, &text, None, None);
                            let training = self.past.sequence.is_training(options);
                            self.raise(trigger, time, FEEDBACK_SEVERITY, training, pending);
                        }
                    }
                }
            }
            None => {}
        }
        true
    }

    /// Measures the stream if it may have grown, and updates the totals.
    #[inline]
    pub(super) fn measure(&mut self, totals: &mut Totals) {
        if std::mem::take(&mut self.grown) {
            *totals -= self.usage;
            self.usage = self.measured();
            *totals += self.usage;
        }
    }

    fn measured(&self) -> Totals {
        let parser = self.miner.statistics();
        Totals {
            bytes: self.bytes(),
            templates: parser.clusters,
            templates_evicted: parser.evicted,
            windows: self.past.sequence.windows() as u64,
        }
    }

    /// Memory in bytes, including its place in the detector.
    pub(super) fn bytes(&self) -> usize {
        let past = &self.past;
        let name = match past.name.is_heap_allocated() {
            true => allocation(NAME_HEADER_BYTES + past.name.len()),
            false => 0,
        };
        allocation(size_of::<Self>())
            + name
            + self.miner.bytes()
            + past.sequence.bytes()
            + past.recent.bytes()
            + past.first_seen.bytes()
            + table(past.verdicts.capacity(), size_of::<(u64, Verdict)>())
            + past.episode.as_deref().map_or(0, Episode::bytes)
    }
}

/// `trigger` with its source.
fn with_source(source: Source<'_>, trigger: Trigger) -> Trigger {
    Trigger {
        source: source.into(),
        ..trigger
    }
}

impl Past {
    /// Number of episodes that began at `time` before this one: log times often have whole seconds only.
    fn ordinal(&mut self, time: f64) -> u64 {
        let ordinal = match self.began {
            Some((began, ordinal)) if began == time => ordinal + 1,
            _ => 0,
        };
        self.began = Some((time, ordinal));
        ordinal
    }

    /// Classifies a record of the template `id` by its text and by feedback.
    fn classify(&self, options: &LadOptions, id: u64, finding: Option<&Finding>) -> Classified {
        let verdict = if self.verdicts.is_empty() {
            None
        } else {
            self.verdicts.get(&id).copied()
        };
        let family = finding.map(|f| f.family);
        let reported = finding.map_or(0.0, |f| Share::rounded(f64::from(f.severity)).get());
        let severity = match verdict {
            None => reported,
            Some(Verdict::Benign) => 0.0,
            Some(Verdict::Failure) => FEEDBACK_SEVERITY,
        };
        Classified {
            severity,
            family,
            failure: severity >= options.severity_threshold,
        }
    }

    /// Whether a restored past is one that could have been saved with these options.
    pub(super) fn is_valid(&self, options: &LadOptions) -> bool {
        !self.name.is_empty()
            && self.sequence.is_valid(options)
            && self.recent.is_valid(options.window_size)
    }
}
