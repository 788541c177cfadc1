//! Which hypervisors are heard of, and whose a silence is: a hypervisor's own or that of the collector.
//!
//! When a feed stalls, all hypervisors fall silent at about the same time. That is one event of the collector's, not one for
//! each of them; who stays silent after the feed has resumed is reported then. And the time in which the detector itself did
//! not run says nothing of anybody.

use super::eviction::{Candidate, patience};
use crate::event::{CollectorSilence, Event, Evidence, Severity, State, Subject};
use crate::text::duration;
use crate::units::Time;

/// So many hypervisors that fall silent at about the same time can be the collector's silence.
pub(super) const COLLECTOR_MIN: usize = 5;
/// This share of the hypervisors that were heard until then must be silent. When more than the rest speak again, it is over.
const COLLECTOR_SHARE: f64 = 0.9;
/// A hypervisor that has missed so many samples is silent; fewer where the option `silence_sz` is small.
const MISSED: f64 = 3.0;
/// Silences that began within so many intervals began at about the same time.
const TOGETHER: f64 = 3.0;
/// So often within an interval everybody is looked at.
const CENSUSES_MAX: u32 = 8;
/// The first sign of time after a restart is this many intervals late where the detector did not run in between.
const DOWNTIME: f64 = 1.5;
/// A longer step of time than this counts as so much when it comes to who still reports, seconds: a clock that is set does
/// not make everybody silent.
const STEP_MAX_SEC: f64 = 600.0;
/// The longest interval that a newcomer's place is kept for, seconds.
const INTERVAL_MAX_SEC: f64 = 300.0;

/// When one hypervisor was heard. All but what the snapshot's panels say is lost with a restart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Presence {
    /// The time of the last sample that counted, seconds.
    pub latest: f64,
    /// Seconds between its samples.
    interval: f64,
    /// Intervals with a sample.
    heard: u32,
    /// Seconds that have passed for it, as [`Detector::advance`](super::Detector::advance) has it, without its leaps.
    elapsed: f64,
    /// By how much `elapsed` grew last: it is known no more exactly than that.
    step: f64,
    /// The last time that was passed to it.
    time: Option<f64>,
    /// When it was last heard, in `elapsed`.
    heard_at: f64,
    /// Silence before this time is not its own, seconds; infinite where the detector was restored and no time has passed yet.
    excused: f64,
    /// It is known to be silent by itself.
    alone: bool,
    /// It is silent with the collector.
    withheld: bool,
}

impl Presence {
    /// A hypervisor whose first sample has this time and interval.
    pub(super) fn new(time: f64, interval: f64, elapsed: f64) -> Self {
        Self {
            latest: time,
            interval,
            heard: 0,
            elapsed,
            step: 0.0,
            time: None,
            heard_at: elapsed,
            excused: f64::NEG_INFINITY,
            alone: false,
            withheld: false,
        }
    }

    /// A hypervisor of a snapshot: its newest sample that is known of, whether it is established, and whether it was silent.
    pub(super) fn restored(latest: f64, interval: f64, heard: u32, alone: bool) -> Self {
        Self {
            heard,
            excused: f64::INFINITY,
            alone,
            ..Self::new(latest, interval, 0.0)
        }
    }

    /// Whether the detector was restored and nothing was heard since.
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

    /// The first sign of time after a restart came at `time`, where it was due at `due`: what lies between is no silence of
    /// the hypervisor, unless the detector never stopped. Whether it stopped.
    pub(super) fn resume(&mut self, time: f64, due: f64) -> bool {
        let stopped = time - due > DOWNTIME * self.interval;
        self.excused = if stopped { time } else { f64::NEG_INFINITY };
        stopped
    }
}

/// Whose a silence is that has become long enough to be told.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Silence {
    /// The hypervisor's own.
    Own,
    /// The collector's, which is known.
    Withheld,
    /// The collector's, which is told herewith.
    Collector(Box<Event>),
}

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Presences {
    /// By the index of the hypervisor.
    pub all: Vec<Presence>,
    /// Seconds that have passed for the hypervisor for which most have.
    elapsed: f64,
    /// The last time that was passed to any of them.
    time: Option<f64>,
    /// Since when the collector is silent, and that was told; seconds.
    pub collector_since: Option<f64>,
    /// Hypervisors that are silent with the collector, and those that were and are heard again.
    withheld: usize,
    returned: usize,
    /// When [`Presences::fell_silent_together`] last looked at everybody, and how often in vain within an interval.
    census: Option<(f64, u32)>,
}

impl Presences {
    /// Time has passed for the hypervisor at `at`, by its own clock.
    pub(super) fn advance(&mut self, at: usize, time: f64) {
        let presence = &mut self.all[at];
        let step = presence.time.map_or(0.0, |last| time - last);
        presence.step = step.clamp(0.0, STEP_MAX_SEC);
        presence.elapsed += presence.step;
        presence.time = Some(time);
        self.elapsed = self.elapsed.max(presence.elapsed);
        self.time = Some(time);
    }

    /// Seconds that have passed; `None` where nobody said so yet.
    pub(super) fn elapsed(&self) -> Option<f64> {
        self.time.map(|_| self.elapsed)
    }

    /// The last time that is known to have passed, seconds since the epoch; `otherwise` where none is.
    pub(super) fn time_or(&self, otherwise: f64) -> f64 {
        self.time.unwrap_or(otherwise)
    }

    /// A hypervisor that was first heard at `time`.
    pub(super) fn add(&mut self, time: f64, interval: f64) {
        self.all.push(Presence::new(time, interval, self.elapsed));
    }

    /// Another hypervisor takes the place of the one at `at`.
    pub(super) fn replace(&mut self, at: usize, time: f64, interval: f64) {
        self.withheld -= usize::from(self.all[at].withheld);
        self.all[at] = Presence::new(time, interval, self.elapsed);
    }

    /// Only the hypervisors stay that `stay` has at their index; gives the event that ends a silence of the collector which is
    /// nobody's any more.
    pub(super) fn retain(&mut self, stay: &[bool], time: f64) -> Option<Event> {
        let mut stay = stay.iter();
        self.all.retain(|_| stay.next().copied().unwrap_or(true));
        self.withheld = self.all.iter().filter(|p| p.withheld).count();
        let over = self.withheld == 0 && self.collector_since.is_some();
        over.then(|| self.collector_heard(time, "forgotten"))
            .flatten()
    }

    /// The collector was silent when the state was saved: all who were not silent by themselves are so with it.
    pub(super) fn restore_collector(&mut self, since: Option<f64>) {
        self.collector_since = since;
        for presence in &mut self.all {
            presence.withheld = since.is_some() && !presence.alone;
        }
        self.withheld = self.all.iter().filter(|p| p.withheld).count();
    }

    /// Whether the hypervisor at `at` does not report any more and may have to make room.
    pub(super) fn is_silent(&self, at: usize, forget_sec: f64) -> bool {
        let presence = &self.all[at];
        let interval = presence.interval.min(INTERVAL_MAX_SEC);
        presence.elapsed - presence.heard_at - presence.step
            > patience(presence.heard, interval, forget_sec)
    }

    /// The hypervisors that may have to make room.
    pub(super) fn candidates(&self, forget_sec: f64) -> impl Iterator<Item = Candidate> {
        let silent = (0..self.all.len()).filter(move |at| self.is_silent(*at, forget_sec));
        silent.map(|at| Candidate {
            at,
            heard: self.all[at].heard,
            silent: self.all[at].elapsed - self.all[at].heard_at,
        })
    }

    /// An interval of the hypervisor at `at` had a sample; gives the event that ends the collector's silence where that does.
    /// `counts` says whether the interval is one more, and not one that other VMs or metrics had as well.
    pub(super) fn heard(&mut self, at: usize, time: f64, counts: bool) -> Option<Event> {
        let presence = &mut self.all[at];
        presence.heard = presence.heard.saturating_add(u32::from(counts));
        presence.heard_at = presence.elapsed;
        presence.alone = false;
        if !std::mem::take(&mut presence.withheld) {
            return None;
        }
        self.withheld -= 1;
        self.returned += 1;
        let share = self.returned as f64 / (self.returned + self.withheld) as f64;
        let resumed = self.returned >= 2 && share > 1.0 - COLLECTOR_SHARE;
        resumed
            .then(|| self.collector_heard(time, "samples again"))
            .flatten()
    }

    /// Since when the hypervisor at `at` answers for a silence that began at `since`, seconds.
    pub(super) fn own_since(&self, at: usize, since: f64) -> f64 {
        since.max(self.all[at].excused)
    }

    /// The silence of the hypervisor at `at` has become long enough to be told: `limit` samples, of which the first was missed
    /// after `since`.
    pub(super) fn whose(&mut self, at: usize, since: f64, time: f64, limit: u64) -> Silence {
        if self.collector_since.is_none() {
            let Some(reporting) = self.fell_silent_together(at, since, time, limit) else {
                self.all[at].alone = true;
                return Silence::Own;
            };
            self.collector_since = Some(since);
            self.returned = 0;
            self.withheld = self.all.iter().filter(|p| p.withheld).count();
            return Silence::Collector(Box::new(self.collector_silent(since, time, reporting)));
        }
        self.withheld += usize::from(!self.all[at].withheld);
        self.all[at].withheld = true;
        Silence::Withheld
    }

    /// Whether most hypervisors fell silent at about the same time as the one at `at`, which are then marked: how many were
    /// heard until then.
    fn fell_silent_together(
        &mut self,
        at: usize,
        since: f64,
        time: f64,
        limit: u64,
    ) -> Option<usize> {
        let interval = self.all[at].interval;
        // Where many fall silent and too many do not, the answer is the same for all: not everybody is looked at for each.
        let (first, vain) = self
            .census
            .filter(|(first, _)| (time - first).abs() < interval)
            .unwrap_or((time, 0));
        if vain >= CENSUSES_MAX {
            return None;
        }
        self.census = Some((first, vain + 1));
        let missed = (limit as f64 - 1.5).clamp(0.5, MISSED);
        let fell_silent = |presence: &Presence| {
            let together = TOGETHER * presence.interval.max(interval);
            time - presence.silent_since() >= missed * presence.interval
                && (presence.silent_since() - since).abs() <= together
        };
        let (mut silent, mut speaking) = (0, 0);
        for (i, presence) in self.all.iter().enumerate() {
            if presence.alone {
                continue;
            }
            if i == at || fell_silent(presence) {
                silent += 1;
            } else if presence.latest > since + presence.interval {
                speaking += 1;
            }
        }
        let reporting = silent + speaking;
        let most = silent >= COLLECTOR_MIN && silent as f64 >= COLLECTOR_SHARE * reporting as f64;
        if most {
            for (i, presence) in self.all.iter_mut().enumerate() {
                presence.withheld = !presence.alone && (i == at || fell_silent(presence));
            }
        }
        most.then_some(reporting)
    }

    fn collector_silent(&self, since: f64, time: f64, reporting: usize) -> Event {
        let text = format!(
            "no sample from {} of {reporting} hypervisors for {}: likely the collector or what feeds it, not the hypervisors; \
             nothing is known of them now",
            self.withheld,
            duration(time - since)
        );
        let evidence = CollectorSilence {
            hypervisors: Some(self.withheld as u32),
            reason: None,
        };
        collector_silence(since, time, &text, evidence)
    }

    /// The collector's silence is over. What was silent with it gets the time to speak again.
    fn collector_heard(&mut self, time: f64, reason: &str) -> Option<Event> {
        let since = self.collector_since.take()?;
        let hypervisors = self.returned + self.withheld;
        for presence in &mut self.all {
            presence.withheld = false;
            if !presence.is_restored() {
                presence.excused = presence.excused.max(time);
            }
        }
        self.withheld = 0;
        self.census = None;
        let text = format!(
            "samples of the hypervisors come again, after {}; those that stay silent are reported one by one",
            duration(time - since.min(time))
        );
        let evidence = CollectorSilence {
            hypervisors: Some(hypervisors as u32),
            reason: Some(reason.to_owned()),
        };
        Some(collector_silence(since, time, &text, evidence))
    }
}

/// A silence of the collector that began at `since`, seconds: raised, or cleared with the reason.
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
