//! Which hypervisors report, and the cause of a silence: the hypervisor itself or the collector.
//!
//! When a feed stalls, all hypervisors fall silent at about the same time. That is one event about the collector, not one for
//! each hypervisor; those that stay silent after the feed has resumed are reported then. Downtime of the detector itself is no
//! silence.

use crate::event::{CollectorSilence, Event, Evidence, Severity, State, Subject};
use crate::eviction::{Candidate, patience};
use crate::text::duration;
use crate::units::Time;

/// At least this many hypervisors must fall silent at about the same time to indicate a silence of the collector.
pub(super) const COLLECTOR_MIN: usize = 5;
/// This share of the hypervisors that reported until then must be silent. The silence ends when more than the rest report again.
const COLLECTOR_SHARE: f64 = 0.9;
/// A hypervisor that has missed this many samples is silent; fewer with a small option `silence_sz`.
const MISSED_INTERVALS: f64 = 3.0;
/// Silences that began within this many intervals began at about the same time.
const TOGETHER_INTERVALS: f64 = 3.0;
/// Maximum number of unsuccessful searches over all hypervisors within an interval.
const CENSUSES_MAX: u32 = 8;
/// If the first time after a restart is this many intervals late, the detector was down in between.
const DOWNTIME_INTERVALS: f64 = 1.5;
/// Maximum step of time that counts towards silence, in seconds: setting a clock does not make everything silent.
const STEP_MAX_SEC: f64 = 600.0;
/// Maximum interval for which the place of a new hypervisor is kept, in seconds.
const INTERVAL_MAX_SEC: f64 = 300.0;

/// When one hypervisor reported. After a restart, only what the series in the snapshot contain is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Presence {
    /// The time of the last sample that counted, seconds.
    pub latest: f64,
    /// Seconds between its samples.
    interval: f64,
    /// Intervals with a sample.
    intervals: u32,
    /// Elapsed seconds according to [`Detector::advance`](super::Detector::advance), without steps of the clock.
    elapsed: f64,
    /// The last increment of `elapsed`, which is its precision.
    step: f64,
    /// The last time passed to it.
    time: Option<f64>,
    /// When it last reported, in `elapsed`.
    reported_at: f64,
    /// Silence before this time is not its own, seconds; infinite if the detector was restored and no time has passed yet.
    excused: f64,
    /// It is known to be silent by itself.
    own_silence: bool,
    /// It is silent together with the collector.
    with_collector: bool,
}

impl Presence {
    /// A hypervisor whose first sample has this time and interval.
    pub(super) fn new(time: f64, interval: f64, elapsed: f64) -> Self {
        Self {
            latest: time,
            interval,
            intervals: 0,
            elapsed,
            step: 0.0,
            time: None,
            reported_at: elapsed,
            excused: f64::NEG_INFINITY,
            own_silence: false,
            with_collector: false,
        }
    }

    /// A hypervisor of a snapshot: the time of its newest known sample, its number of intervals, and whether it was silent.
    pub(super) fn restored(latest: f64, interval: f64, intervals: u32, own_silence: bool) -> Self {
        Self {
            intervals,
            excused: f64::INFINITY,
            own_silence,
            ..Self::new(latest, interval, 0.0)
        }
    }

    /// Whether the detector was restored and nothing was reported since.
    pub(super) fn is_restored(&self) -> bool {
        self.excused == f64::INFINITY
    }

    /// Since when its silence counts, seconds: its last sample, or what excuses it.
    fn silent_since(&self) -> f64 {
        if self.is_restored() {
            self.latest
        } else {
            self.latest.max(self.excused)
        }
    }

    /// The first time after a restart is `time`, and a sample was due at `due`: the time between is no silence of the hypervisor,
    /// unless the detector kept running. Returns whether it was down.
    pub(super) fn resume(&mut self, time: f64, due: f64) -> bool {
        let stopped = time - due > DOWNTIME_INTERVALS * self.interval;
        self.excused = if stopped { time } else { f64::NEG_INFINITY };
        stopped
    }
}

/// The cause of a silence that has become long enough to be reported.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Silence {
    /// The hypervisor itself.
    Own,
    /// The collector, whose silence is already known.
    Collector,
    /// The collector, whose silence is raised with this event.
    CollectorRaised(Box<Event>),
}

/// The presence of all hypervisors. See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Presences {
    /// By the index of the hypervisor.
    pub all: Vec<Presence>,
    /// Elapsed seconds of the hypervisor with the most.
    elapsed: f64,
    /// The last time passed to any of them.
    time: Option<f64>,
    /// Since when the collector is silent, if that was reported; seconds.
    pub collector_since: Option<f64>,
    /// Number of hypervisors that are silent with the collector, and of those that were and report again.
    with_collector: usize,
    returned: usize,
    /// When the current series of searches for [`Presences::fell_silent_together`] began, and how many failed.
    census: Option<(f64, u32)>,
}

impl Presences {
    /// Advances the time of the hypervisor at `at`, by its own clock.
    pub(super) fn advance(&mut self, at: usize, time: f64) {
        let presence = &mut self.all[at];
        let step = presence.time.map_or(0.0, |last| time - last);
        presence.step = step.clamp(0.0, STEP_MAX_SEC);
        presence.elapsed += presence.step;
        presence.time = Some(time);
        self.elapsed = self.elapsed.max(presence.elapsed);
        self.time = Some(time);
    }

    /// Elapsed seconds; `None` if no time has passed yet.
    pub(super) fn elapsed(&self) -> Option<f64> {
        self.time.map(|_| self.elapsed)
    }

    /// The last time passed, seconds since the epoch; `otherwise` if there is none.
    pub(super) fn time_or(&self, otherwise: f64) -> f64 {
        self.time.unwrap_or(otherwise)
    }

    /// Adds a hypervisor that first reported at `time`.
    pub(super) fn add(&mut self, time: f64, interval: f64) {
        self.all.push(Presence::new(time, interval, self.elapsed));
    }

    /// Replaces the hypervisor at `at` by another.
    pub(super) fn replace(&mut self, at: usize, time: f64, interval: f64) {
        self.with_collector -= usize::from(self.all[at].with_collector);
        self.all[at] = Presence::new(time, interval, self.elapsed);
    }

    /// Keeps the hypervisors for which `is_kept` is true at their index. Returns the event that clears a silence of the collector
    /// if no hypervisor with it is left.
    pub(super) fn retain(&mut self, is_kept: &[bool], time: f64) -> Option<Event> {
        let mut is_kept = is_kept.iter();
        self.all.retain(|_| is_kept.next().copied().unwrap_or(true));
        self.with_collector = self.all.iter().filter(|p| p.with_collector).count();
        let over = self.with_collector == 0 && self.collector_since.is_some();
        over.then(|| self.collector_silence_cleared(time, "forgotten"))
            .flatten()
    }

    /// Restores a silence of the collector: all hypervisors that were not silent by themselves are silent with it.
    pub(super) fn restore_collector(&mut self, since: Option<f64>) {
        self.collector_since = since;
        for presence in &mut self.all {
            presence.with_collector = since.is_some() && !presence.own_silence;
        }
        self.with_collector = self.all.iter().filter(|p| p.with_collector).count();
    }

    /// Whether the hypervisor at `at` no longer reports and may be evicted.
    pub(super) fn is_silent(&self, at: usize, forget_sec: f64) -> bool {
        let presence = &self.all[at];
        let interval = presence.interval.min(INTERVAL_MAX_SEC);
        presence.elapsed - presence.reported_at - presence.step
            > patience(presence.intervals, interval, forget_sec)
    }

    /// The hypervisors that may be evicted.
    pub(super) fn candidates(&self, forget_sec: f64) -> impl Iterator<Item = Candidate> {
        let silent = (0..self.all.len()).filter(move |at| self.is_silent(*at, forget_sec));
        silent.map(|at| Candidate {
            at,
            intervals: self.all[at].intervals,
            silent: self.all[at].elapsed - self.all[at].reported_at,
        })
    }

    /// An interval of the hypervisor at `at` had a sample. Returns the event that clears the collector's silence if that ends.
    /// `counts` is whether this interval is a new one, and not one that other VMs or metrics also had.
    pub(super) fn reported(&mut self, at: usize, time: f64, counts: bool) -> Option<Event> {
        let presence = &mut self.all[at];
        presence.intervals = presence.intervals.saturating_add(u32::from(counts));
        presence.reported_at = presence.elapsed;
        presence.own_silence = false;
        if !std::mem::take(&mut presence.with_collector) {
            return None;
        }
        self.with_collector -= 1;
        self.returned += 1;
        let share = self.returned as f64 / (self.returned + self.with_collector) as f64;
        let resumed = self.returned >= 2 && share > 1.0 - COLLECTOR_SHARE;
        resumed
            .then(|| self.collector_silence_cleared(time, "samples again"))
            .flatten()
    }

    /// Whatever the hypervisor at `at` did until `time`, it was in maintenance: silence counts from there.
    pub(super) fn excuse(&mut self, at: usize, time: f64) {
        let presence = &mut self.all[at];
        presence.excused = presence.excused.max(time);
    }

    /// The start of the silence of the hypervisor at `at` that counts, if it began at `since`, seconds.
    pub(super) fn own_since(&self, at: usize, since: f64) -> f64 {
        since.max(self.all[at].excused)
    }

    /// Attributes the silence of the hypervisor at `at`, which has become long enough to be reported: `limit` samples, the first
    /// of them missed after `since`.
    pub(super) fn attribute_silence(
        &mut self,
        at: usize,
        since: f64,
        time: f64,
        limit: u64,
    ) -> Silence {
        if self.collector_since.is_none() {
            let Some(reporting) = self.fell_silent_together(at, since, time, limit) else {
                self.all[at].own_silence = true;
                return Silence::Own;
            };
            self.collector_since = Some(since);
            self.returned = 0;
            self.with_collector = self.all.iter().filter(|p| p.with_collector).count();
            return Silence::CollectorRaised(Box::new(
                self.collector_silence_raised(since, time, reporting),
            ));
        }
        self.with_collector += usize::from(!self.all[at].with_collector);
        self.all[at].with_collector = true;
        Silence::Collector
    }

    /// Whether most hypervisors fell silent at about the same time as the one at `at`; these are then marked. Returns how many
    /// had reported until then.
    fn fell_silent_together(
        &mut self,
        at: usize,
        since: f64,
        time: f64,
        limit: u64,
    ) -> Option<usize> {
        let interval = self.all[at].interval;
        // If many fall silent and too few others do, the answer is the same for all of them: not each needs a search over all.
        let (first, failed) = self
            .census
            .filter(|(first, _)| (time - first).abs() < interval)
            .unwrap_or((time, 0));
        if failed >= CENSUSES_MAX {
            return None;
        }
        self.census = Some((first, failed + 1));
        let missed = (limit as f64 - 1.5).clamp(0.5, MISSED_INTERVALS);
        let fell_silent = |presence: &Presence| {
            let together = TOGETHER_INTERVALS * presence.interval.max(interval);
            time - presence.silent_since() >= missed * presence.interval
                && (presence.silent_since() - since).abs() <= together
        };
        let (mut silent, mut reporting) = (0, 0);
        for (i, presence) in self.all.iter().enumerate() {
            if presence.own_silence {
                continue;
            }
            if i == at || fell_silent(presence) {
                silent += 1;
            } else if presence.latest > since + presence.interval {
                reporting += 1;
            }
        }
        let total = silent + reporting;
        let most = silent >= COLLECTOR_MIN && silent as f64 >= COLLECTOR_SHARE * total as f64;
        if most {
            for (i, presence) in self.all.iter_mut().enumerate() {
                presence.with_collector =
                    !presence.own_silence && (i == at || fell_silent(presence));
            }
        }
        most.then_some(total)
    }

    fn collector_silence_raised(&self, since: f64, time: f64, reporting: usize) -> Event {
        let text = format!(
            "no sample from {} of {reporting} hypervisors for {}: likely the collector or its input, not the hypervisors; \
             their state is unknown",
            self.with_collector,
            duration(time - since)
        );
        let evidence = CollectorSilence {
            hypervisors: Some(self.with_collector as u32),
            reason: None,
        };
        collector_silence(since, time, &text, evidence)
    }

    /// Ends the collector's silence. Hypervisors that were silent with it get the time to report again.
    fn collector_silence_cleared(&mut self, time: f64, reason: &str) -> Option<Event> {
        let since = self.collector_since.take()?;
        let hypervisors = self.returned + self.with_collector;
        for presence in &mut self.all {
            presence.with_collector = false;
            if !presence.is_restored() {
                presence.excused = presence.excused.max(time);
            }
        }
        self.with_collector = 0;
        self.census = None;
        let text = format!(
            "hypervisors report again after {}; those that stay silent are reported individually",
            duration(time - since.min(time))
        );
        let evidence = CollectorSilence {
            hypervisors: Some(hypervisors as u32),
            reason: Some(reason.to_owned()),
        };
        Some(collector_silence(since, time, &text, evidence))
    }
}

/// The event for a silence of the collector that began at `since`, seconds: raised, or cleared with the reason.
fn collector_silence(since: f64, time: f64, text: &str, evidence: CollectorSilence) -> Event {
    let (state, severity) = match evidence.reason {
        None => (State::Raised, Severity::Warning),
        Some(_) => (State::Cleared, Severity::Okay),
    };
    Event::new(
        Subject::Group(String::new()),
        state,
        severity,
        Time::from_secs(time),
        text,
        Evidence::CollectorSilence(evidence),
    )
    .of_incident(Time::from_secs(since), 0)
}
