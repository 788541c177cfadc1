//! One stream, the merged log of one host: its parser, its learned state, and what is open.

use std::borrow::Cow;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::classifier::{self, Pardons, SharedInference, same_subject};
use super::counters::Totals;
use super::episode::{Due, Episode, Episodes, Sign, Trigger};
use super::first_seen::FirstSeen;
use super::novelty::{Change as NoveltyChange, Novelty};
use super::options::{LadOptions, Mode};
use super::pending::Pending;
use super::prediction::SharedModel;
use super::questions::Questions;
use super::quiet::Quiet;
use super::recent::{LINE_MAX_BYTES, Line, Recent};
use super::record::{CERTAIN_SEVERITY, Observed, Outcome, Record, Verdict};
use super::report::{self, End};
use super::seeds::SharedSeeds;
use super::sequence::Sequence;
use super::signs::Signs;
use super::standing::Standing;
use super::unseen::Unseen;
use crate::drain::{Change, ClusterView, Miner, Scratch};
use crate::event::{IncidentId, LogSource, State};
use crate::inference::{Family, Finding, Message, Reading};
use crate::memory::{allocation, small_text, table};
use crate::model::SequenceHistory;
use crate::text::shortened;
use crate::units::{Share, Time};

/// The severity of records that an operator marked as failures.
const FEEDBACK_SEVERITY: f64 = 1.0;
/// The severity of a record that the rest of its report explains.
const HINT: f32 = 0.45;

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

/// Why a template needs no question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Settled {
    /// It was there during training.
    Normal,
    /// Its text reports a failure.
    Failure,
    /// There was a question.
    Asked,
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
    /// Verdicts on templates.
    verdicts: FxHashMap<u64, Verdict>,
    /// Templates that need no question; with the option `questions`. Saved separately.
    #[serde(skip)]
    pub(super) settled: FxHashMap<u64, Settled>,
    /// When the last episode began, in seconds, and the number of earlier ones that began at the same time.
    #[serde(skip)]
    began: Option<(f64, u64)>,
    /// The open episode in a state of version 2 and before; now saved apart.
    pub(super) only_episode: Option<Box<Episode>>,
    #[serde(skip)]
    pub(super) episodes: Episodes,
    #[serde(skip)]
    pardons: Pardons,
    novelty: Novelty,
    /// Saved separately.
    #[serde(skip)]
    pub(super) unseen: Option<Unseen>,
    /// What the last minutes say about the host. Saved separately.
    #[serde(skip)]
    pub(super) signs: Signs,
    /// What the option `sequence_model` predicts from. Not saved: after a restart, it fills within a window.
    #[serde(skip)]
    predicted: Option<Box<SequenceHistory>>,
    /// The newest time of a record, in seconds.
    pub(super) last: f64,
    /// The number of its last record among those of all streams, for LRU eviction.
    pub(super) last_used: u64,
}

/// Number of templates that need no question, from which on those that were evicted are forgotten.
const SETTLED_MIN: usize = 64;
/// Number of templates, the most recently used ones, of which those of most records are shown as normal.
const BENIGN_SCAN_MAX: usize = 1024;

/// What all streams of a detector share.
pub(super) struct Shared<'a> {
    pub(super) inference: &'a SharedInference,
    pub(super) quiet: &'a mut Quiet,
    pub(super) standing: &'a Standing,
    pub(super) seeds: Option<&'a SharedSeeds>,
    pub(super) model: Option<&'a SharedModel>,
}

/// The classification of a record by its text and by feedback.
#[derive(Debug, Default)]
struct Classified {
    severity: f64,
    family: Option<Family>,
    failure: bool,
    /// Only a verdict that is not certain makes it a failure.
    warning: bool,
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
            settled: FxHashMap::default(),
            began: None,
            only_episode: None,
            episodes: Episodes::default(),
            pardons: Pardons::default(),
            novelty: Novelty::default(),
            unseen: None,
            signs: Signs::default(),
            predicted: None,
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
        shared: &mut Shared<'_>,
        record: &Record<'_>,
        pending: &mut Pending,
    ) -> Observed {
        let Shared {
            inference,
            quiet,
            standing,
            seeds,
            model,
        } = shared;
        let time = record.time.secs();
        let added = self.miner.add_masked(scratch);
        let id = added.cluster;
        let miner = &self.miner;
        if added.change == Change::New {
            let is_known = |id| miner.template(id).is_some();
            let first_seen = &mut self.past.first_seen;
            first_seen.add(id, time, miner.len(), is_known);
            if !standing.is_empty()
                && let Some(verdict) = standing.of(record.text)
            {
                self.past.verdicts.insert(id, verdict);
            }
        }
        let mut reading = Reading::default();
        if !quiet.has(inference, record, scratch.masked()) {
            reading = classifier::read(inference, record);
            if reading.is_quiet() {
                quiet.add(inference, record, scratch.masked());
            }
        }
        let speaker = match reading.is_quiet() && self.past.episodes.is_empty() {
            true => 0,
            false => classifier::speaker(record),
        };
        let past = &mut self.past;
        past.pardons.add(speaker, &reading, time);
        if let Some(finding) = &mut reading.finding {
            let subject = finding.subject.as_ref();
            if finding.tentative
                && past
                    .pardons
                    .explain(speaker, finding.severity, subject, time)
            {
                finding.severity = finding.severity.min(HINT);
            }
        }
        let finding = reading.finding;
        let classified = past.classify(options, id, finding.as_ref());
        past.last = past.last.max(time);
        let windows = past.sequence.windows();
        let grows = past.recent.push(id, record.text, options.window_size);
        let step = past
            .sequence
            .observe(options, id, classified.severity, classified.failure);
        let learned = windows != past.sequence.windows();
        self.grown |= self.miner.has_grown() || step.alarm || learned || grows;
        let mut observed = Observed {
            outcome: Outcome::Taken,
            template_id: id,
            severity: Share::new(classified.severity),
            family: classified.family,
            score: Share::new(step.score),
            failure: classified.failure,
            alarm: step.alarm,
            incident: None,
            novel: step.novel,
            training: step.training,
            unseen: false,
            predicted: None,
        };
        if added.change == Change::New
            && finding.is_none()
            && !classified.failure
            && let Some(seeds) = seeds
        {
            observed.unseen = past.is_unseen(options, id, seeds, scratch);
        }
        if classified.failure {
            past.signs.failed(time);
        } else if observed.unseen {
            past.signs.unseen(time);
        }
        if let Some(model) = model {
            self.grown |= past.predicted.is_none();
            let history = past
                .predicted
                .get_or_insert_with(|| Box::new(model.history()));
            observed.predicted = Some(model.observe(history, scratch));
        }
        if !past.episodes.is_empty() {
            let explained = |episode: &Episode| {
                !episode.is_reported()
                    && episode.trigger.speaker == speaker
                    && episode.score <= f64::from(reading.pardon)
                    && same_subject(reading.pardoned.as_ref(), episode.trigger.subject.as_ref())
            };
            let open = past.episodes.0.len();
            past.episodes.0.retain(|episode| !explained(episode));
            pending.open -= (open - past.episodes.0.len()) as u64;
            for episode in &mut past.episodes.0 {
                episode.quiet();
                episode.follow(speaker, time);
            }
        }
        if step.alarm {
            let trigger = match classified.failure {
                true => self.trigger(id, record, finding.as_ref(), &classified),
                false => self.trigger_in_window(options, inference),
            };
            let sign = Sign {
                template: id,
                time,
                score: step.score,
                tentative: classified.failure && finding.is_some_and(|f| f.tentative),
            };
            observed.incident = Some(self.alarm(options, trigger, sign, step.training, pending));
        }
        if !self.past.episodes.is_empty() {
            self.follow_episodes(options, time, pending);
        }
        if options.mode == Mode::Symbolic && !step.training {
            self.follow_novelty(options, step.novel, record, pending);
        }
        if observed.unseen {
            self.extend_unseen(options, record, pending);
        } else if self.past.unseen.is_some() {
            self.follow_unseen(options, time, pending);
        }
        if options.questions > 0 && (step.novel || step.training || classified.failure) {
            self.ask(record, &observed, &mut pending.questions);
        }
        observed
    }

    /// Puts the templates of an unknown window to question about which nothing is known, the newest first; `observed` is of the
    /// window's last record.
    #[cold]
    fn ask(&mut self, record: &Record<'_>, observed: &Observed, questions: &mut Questions) {
        let id = observed.template_id;
        let past = &mut self.past;
        let capacity = past.settled.capacity();
        if past.settled.len() >= SETTLED_MIN.max(2 * self.miner.len()) {
            let miner = &self.miner;
            past.settled.retain(|&id, _| miner.template(id).is_some());
        }
        if observed.failure {
            past.settled.insert(id, Settled::Failure);
        } else if observed.training {
            past.settled.entry(id).or_insert(Settled::Normal);
        } else {
            for &of_window in past.sequence.window().iter().rev() {
                let is_open = !past.verdicts.contains_key(&of_window)
                    && !past.settled.contains_key(&of_window);
                // Of an older record, the program is not known any more.
                let program = match of_window == id {
                    true => String::from_utf8_lossy(record.source.program),
                    false => Cow::Borrowed(""),
                };
                if is_open && questions.put(&past.name, of_window, &program) {
                    past.settled.insert(of_window, Settled::Asked);
                }
            }
        }
        self.grown |= capacity != past.settled.capacity();
    }

    /// Templates of the stream that are normal, by training or by a verdict: those of most records first.
    pub(super) fn benign(&self, max: usize) -> Vec<String> {
        let is_benign = |id: u64| match self.past.verdicts.get(&id) {
            Some(verdict) => matches!(verdict, Verdict::Benign | Verdict::LikelyBenign),
            None => self.past.settled.get(&id) == Some(&Settled::Normal),
        };
        let skipped = self.miner.len().saturating_sub(BENIGN_SCAN_MAX);
        let clusters = self.miner.clusters().skip(skipped);
        let mut benign: Vec<ClusterView<'_>> = clusters.filter(|c| is_benign(c.id)).collect();
        benign.sort_unstable_by_key(|cluster| std::cmp::Reverse(cluster.size));
        benign.truncate(max);
        let text = |cluster: &ClusterView<'_>| cluster.template.to_owned();
        benign.iter().map(text).collect()
    }

    /// The trigger of an episode for a record that reports a failure.
    fn trigger(
        &self,
        id: u64,
        record: &Record<'_>,
        finding: Option<&Finding>,
        classified: &Classified,
    ) -> Trigger {
        Trigger {
            source: record.source.into(),
            subject: finding.and_then(|finding| finding.subject.clone()),
            trusted: finding.is_none_or(|finding| finding.source_known),
            speaker: classifier::speaker(record),
            ..self.trigger_of(
                id,
                record.text,
                classified,
                finding
                    .filter(|_| !classified.warning)
                    .map(|f| f.reason.clone()),
            )
        }
    }

    /// The same for a text of which nothing else is known.
    fn trigger_of(
        &self,
        id: u64,
        text: &str,
        classified: &Classified,
        phrase: Option<String>,
    ) -> Trigger {
        let by_feedback = || match classified.warning {
            true => "likely a failure by feedback",
            false => "marked as a failure by feedback",
        };
        Trigger {
            template_id: id,
            template: self.miner.template(id).unwrap_or_default().to_owned(),
            family: classified.family,
            phrase: phrase.unwrap_or_else(|| by_feedback().into()),
            sample: shortened(text, LINE_MAX_BYTES),
            source: LogSource::default(),
            subject: None,
            trusted: true,
            speaker: 0,
            warning: classified.warning,
        }
    }

    /// The same for the last record of the window that reports a failure.
    fn trigger_in_window(&self, options: &LadOptions, inference: &SharedInference) -> Trigger {
        let mut triggers = self
            .past
            .recent
            .lines()
            .into_iter()
            .rev()
            .filter_map(|line| {
                let finding = inference.read(&Message::of(&line.text)).finding;
                let classified = self
                    .past
                    .classify(options, line.template_id, finding.as_ref());
                classified.failure.then(|| {
                    let phrase = finding.map(|f| f.reason);
                    self.trigger_of(line.template_id, &line.text, &classified, phrase)
                })
            });
        triggers.next().unwrap_or_else(|| {
            let nothing = Classified::default();
            self.trigger_of(
                0,
                "",
                &nothing,
                Some("a failure in an unknown window".into()),
            )
        })
    }

    /// Begins or extends an episode; returns its incident.
    fn alarm(
        &mut self,
        options: &LadOptions,
        mut trigger: Trigger,
        sign: Sign,
        training: bool,
        pending: &mut Pending,
    ) -> IncidentId {
        let past = &mut self.past;
        let episode = match options.mode {
            Mode::Symbolic => past.episodes.find(&trigger, sign.time),
            // As published: a window has no family.
            Mode::Paper => {
                let mut episodes = past.episodes.0.iter_mut();
                episodes.find(|episode| episode.trigger.warning == trigger.warning)
            }
        };
        if let Some(episode) = episode {
            episode.extend(sign);
            let (since, ordinal) = (episode.since, episode.ordinal);
            return past.incident(since, ordinal);
        }
        if past.episodes.is_crowded(trigger.family) {
            trigger.subject = None;
        }
        let mut episode = Episode::new(trigger, past.ordinal(sign.time), sign, training);
        episode.window = Some(past.recent.to_text().into());
        let (since, ordinal) = (episode.since, episode.ordinal);
        past.episodes.0.push(episode);
        pending.open += 1;
        past.incident(since, ordinal)
    }

    /// Reports what is due of open episodes at `time`, and ends those that are over.
    pub(super) fn follow_episodes(
        &mut self,
        options: &LadOptions,
        time: f64,
        pending: &mut Pending,
    ) {
        let mut at = 0;
        while at < self.past.episodes.0.len() {
            let episode = &mut self.past.episodes.0[at];
            let due = episode.due(time);
            let end = episode.end(time, options.episode_sz, options.episode_sec);
            match due {
                Due::Nothing => {}
                Due::Raise => self.raise(at, pending),
                Due::Update if end.is_none() => {
                    pending.push(report::updated(self, &self.past.episodes.0[at], time));
                }
                Due::Update => {}
            }
            match end {
                Some(end) => self.clear(at, time, end, pending),
                None => at += 1,
            }
        }
    }

    /// Reports the episodes that still wait for the rest of their report.
    pub(super) fn raise_waiting(&mut self, pending: &mut Pending) {
        for at in 0..self.past.episodes.0.len() {
            let episode = &mut self.past.episodes.0[at];
            if !episode.is_reported() && episode.due(f64::INFINITY) == Due::Raise {
                self.raise(at, pending);
            }
        }
    }

    /// Reports that the episode at `at` began.
    fn raise(&mut self, at: usize, pending: &mut Pending) {
        pending.episodes += 1;
        pending.push(report::raised(self, &self.past.episodes.0[at]));
        self.past.episodes.0[at].window = None;
        self.grown = true;
    }

    /// Ends the episode at `at`.
    fn clear(&mut self, at: usize, time: f64, end: End, pending: &mut Pending) {
        let episode = self.past.episodes.0.remove(at);
        self.grown = true;
        pending.open -= 1;
        if episode.is_reported() {
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

    /// Takes the last record as one of a template that is new to the fleet.
    #[cold]
    fn extend_unseen(&mut self, options: &LadOptions, record: &Record<'_>, pending: &mut Pending) {
        let (time, id) = (record.time.secs(), self.past.recent.newest().unwrap_or(0));
        self.follow_unseen(options, time, pending);
        let (state, unseen) = match &mut self.past.unseen {
            Some(unseen) => {
                let due = unseen.extend(id, time);
                (due.then_some(State::Updated), *unseen)
            }
            none => {
                pending.unseen += 1;
                (Some(State::Raised), *none.insert(Unseen::new(id, time)))
            }
        };
        if let Some(state) = state {
            pending.push(report::unseen(self, record, state, unseen));
        }
    }

    /// Clears the condition for templates new to the fleet, if it is over at `time`.
    pub(super) fn follow_unseen(&mut self, options: &LadOptions, time: f64, pending: &mut Pending) {
        let quiet_sec = options.episode_sec;
        if self
            .past
            .unseen
            .is_some_and(|unseen| unseen.is_over(time, quiet_sec))
        {
            self.clear_unseen(time, End::Silent(quiet_sec), pending);
        }
    }

    fn clear_unseen(&mut self, time: f64, end: End, pending: &mut Pending) {
        if let Some(unseen) = self.past.unseen.take() {
            pending.unseen -= 1;
            pending.push(report::unseen_cleared(self, unseen, time, end));
        }
    }

    /// Clears what is open, because the stream is being forgotten.
    pub(super) fn end(&mut self, options: &LadOptions, time: f64, pending: &mut Pending) {
        // What still waits for the rest of its report is not lost.
        self.raise_waiting(pending);
        while !self.past.episodes.is_empty() {
            self.clear(0, time, End::Forgotten, pending);
        }
        self.clear_unseen(time, End::Forgotten, pending);
        if let Some(since) = self.past.novelty.end()
            && options.novelty_events
        {
            let reason = End::Forgotten.reason();
            pending.push(report::novelty_cleared(self, since, time, &reason));
        }
    }

    /// Takes a verdict on a template; `None` withdraws an earlier one. Applies it to what is already known. Returns
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
        if verdict.is_some() {
            pending.questions.settle(&self.past.name, id);
        }
        let verdicts = &mut self.past.verdicts;
        let is_certain = |verdict: Option<Verdict>| verdict.is_some_and(Verdict::is_certain);
        if verdict.is_some() && !is_certain(verdict) && is_certain(verdicts.get(&id).copied()) {
            return true;
        }
        self.grown = true;
        if verdicts.len() >= options.drain.max_clusters {
            verdicts.retain(|&id, _| self.miner.template(id).is_some());
        }
        match verdict {
            Some(verdict) => verdicts.insert(id, verdict),
            None => verdicts.remove(&id),
        };
        let time = self.past.last;
        match verdict {
            Some(verdict @ (Verdict::Benign | Verdict::LikelyBenign)) => {
                let mut at = 0;
                while at < self.past.episodes.0.len() {
                    let episode = &mut self.past.episodes.0[at];
                    let may_end = verdict.is_certain() || episode.score < CERTAIN_SEVERITY;
                    match may_end && episode.without(id) {
                        true => self.clear(at, time, End::Feedback, pending),
                        false => at += 1,
                    }
                }
            }
            Some(Verdict::Failure | Verdict::LikelyFailure(_)) => {
                self.past.sequence.unlearn(id);
                let training = self.past.sequence.is_training(options);
                // What the texts alone report was raised before.
                let classified = self.past.classify(options, id, None);
                let lines = self.past.recent.lines().into_iter();
                for Line { text, .. } in lines.filter(|line| line.template_id == id) {
                    let trigger = self.trigger_of(id, &text, &classified, None);
                    let sign = Sign {
                        template: id,
                        time,
                        score: classified.severity,
                        tentative: false,
                    };
                    self.alarm(options, trigger, sign, training, pending);
                }
                self.follow_episodes(options, time, pending);
            }
            None => {}
        }
        true
    }

    /// Measures the stream if it may have grown, and updates the totals.
    #[inline]
    pub(super) fn measure(&mut self, totals: &mut Totals) {
        if self.grown {
            self.remeasure(totals);
        }
    }

    /// Measures the stream, and updates the totals.
    pub(super) fn remeasure(&mut self, totals: &mut Totals) {
        self.grown = false;
        *totals -= self.usage;
        self.usage = self.measured();
        *totals += self.usage;
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
        allocation(size_of::<Self>())
            + small_text(&past.name)
            + self.miner.bytes()
            + past.sequence.bytes()
            + past.recent.bytes()
            + past.first_seen.bytes()
            + table(past.verdicts.capacity(), size_of::<(u64, Verdict)>())
            + table(past.settled.capacity(), size_of::<(u64, Settled)>())
            + past.episodes.bytes()
            + past.predicted.as_ref().map_or(0, |history| {
                allocation(size_of::<SequenceHistory>()) + history.bytes()
            })
    }
}

impl Past {
    /// The incident of an episode.
    fn incident(&self, since: f64, ordinal: u64) -> IncidentId {
        IncidentId::of_log_failure(&self.name, Time::from_secs(since), ordinal)
    }

    /// Number of records so far.
    pub(super) fn records(&self) -> u64 {
        self.sequence.seen()
    }

    /// Number of episodes that began at `time` before this one: log times often have whole seconds only.
    fn ordinal(&mut self, time: f64) -> u64 {
        let ordinal = match self.began {
            Some((began, ordinal)) if began == time => ordinal + 1,
            _ => 0,
        };
        self.began = Some((time, ordinal));
        ordinal
    }

    /// Whether the line in `scratch`, the first of its template `id`, is new to the fleet and no verdict calls it benign. What
    /// is not needs no question.
    #[cold]
    fn is_unseen(
        &mut self,
        options: &LadOptions,
        id: u64,
        seeds: &SharedSeeds,
        scratch: &mut Scratch,
    ) -> bool {
        if self.verdicts.contains_key(&id) {
            return false;
        }
        let unseen = !seeds.has(scratch);
        if options.questions > 0 && !unseen {
            self.settled.insert(id, Settled::Normal);
        }
        unseen
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
        let threshold = options.severity_threshold;
        let severity = match verdict {
            None => reported,
            Some(Verdict::Benign) => 0.0,
            Some(Verdict::Failure) => FEEDBACK_SEVERITY,
            Some(Verdict::LikelyBenign) if reported < CERTAIN_SEVERITY => 0.0,
            Some(Verdict::LikelyBenign) => reported,
            Some(Verdict::LikelyFailure(_)) => reported.max(threshold),
        };
        let (warning, family) = match verdict {
            Some(Verdict::LikelyFailure(of_verdict)) if reported < threshold => {
                (true, of_verdict.or(family))
            }
            _ => (false, family),
        };
        Classified {
            severity,
            family,
            failure: severity >= threshold,
            warning,
        }
    }

    /// Whether a restored past is one that could have been saved with these options.
    pub(super) fn is_valid(&self, options: &LadOptions) -> bool {
        !self.name.is_empty()
            && self.sequence.is_valid(options)
            && self.recent.is_valid(options.window_size)
    }
}
