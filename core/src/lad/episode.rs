//! Episodes: a burst of records that report failures is one incident, raised once and cleared once.

use serde::{Deserialize, Serialize};

use super::classifier::{REPORT_GAP_SEC, REPORT_MAX_SEC};
use super::source;
use crate::event::LogSource;
use crate::inference::{FailureSubject, Family};
use crate::memory::{allocation, vec};

/// Maximum number of templates whose records an episode counts separately.
const TEMPLATES_MAX: usize = 64;
/// Of one family, so many episodes have a subject; further subjects share one without.
const SUBJECTS_MAX: usize = 8;
/// An episode does not end by records before so many seconds without a failure: on a busy host, the records that end it take no
/// time at all, and each return of the failure would be an incident of its own.
const QUIET_SEC: f64 = 30.0;
/// A score that is higher by this much is an event of its own.
const CLEARLY_HIGHER: f64 = 0.12;
/// Seconds between two updates of an episode that goes on, and of one that becomes more severe.
const UPDATE_SEC: f64 = 3_600.0;
const WORSE_SEC: f64 = 60.0;
/// A clock that was set back by more than this ends the wait for the rest of a report, seconds.
const SET_BACK_SEC: f64 = 60.0;

/// The record that raised an episode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Trigger {
    pub(super) template_id: u64,
    pub(super) template: String,
    /// `None` if only an operator's feedback makes it a failure.
    pub(super) family: Option<Family>,
    /// The phrase that was found, and why it counts.
    pub(super) phrase: String,
    /// The record, shortened and without control characters.
    pub(super) sample: String,
    /// The source of the record; saved separately, as all below.
    #[serde(skip)]
    pub(super) source: LogSource,
    /// The device, guest or unit that it is about.
    #[serde(skip)]
    pub(super) subject: Option<FailureSubject>,
    /// The source was known.
    #[serde(skip)]
    pub(super) trusted: bool,
    /// Identifies the source within its stream.
    #[serde(skip)]
    pub(super) speaker: u64,
    /// Only a verdict that is not certain makes it a failure: a warning is raised.
    #[serde(skip)]
    pub(super) warning: bool,
}

/// An open episode.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Episode {
    /// The record that raised it.
    pub(super) trigger: Trigger,
    /// Number of earlier episodes of the stream that began at the same time. Saved separately.
    #[serde(skip)]
    pub(super) ordinal: u64,
    /// When it began, in seconds.
    pub(super) since: f64,
    /// The time of the last record that reported a failure.
    pub(super) last: f64,
    /// The highest score of its records, 0 to 1.
    pub(super) score: f64,
    /// Number of records that reported a failure.
    pub(super) count: u64,
    /// It was raised during training.
    pub(super) at_startup: bool,
    /// Consecutive records of the stream without one of its failures.
    quiet: usize,
    /// Number of records by template; records of further templates are counted under the id 0.
    templates: Vec<(u64, u64)>,
    /// What was reported of it. Saved separately, as what follows.
    #[serde(skip)]
    pub(super) reported: Reported,
    /// The last records up to the trigger, while it waits to be reported.
    #[serde(skip)]
    pub(super) window: Option<Box<str>>,
}

/// What was reported of an episode.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) enum Reported {
    /// Nothing yet: the rest of the report, until this time in seconds, may explain it.
    Waiting {
        /// When the report ends at the latest unless its source goes on.
        until: f64,
    },
    /// The highest score so far, at this time in seconds.
    At { score: f64, time: f64 },
}

impl Default for Reported {
    fn default() -> Self {
        Reported::Waiting {
            until: f64::NEG_INFINITY,
        }
    }
}

/// What a record adds to an episode.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sign {
    pub(super) template: u64,
    pub(super) time: f64,
    /// From 0 to 1.
    pub(super) score: f64,
    /// The rest of the report may explain it.
    pub(super) tentative: bool,
}

/// What is to be reported of an episode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    /// That it began.
    Raise,
    /// That it goes on, or became more severe.
    Update,
}

impl Episode {
    /// An episode that begins with this sign.
    pub(super) fn new(trigger: Trigger, ordinal: u64, sign: Sign, at_startup: bool) -> Self {
        let mut episode = Self {
            trigger,
            ordinal,
            since: sign.time,
            last: sign.time,
            score: 0.0,
            count: 0,
            at_startup,
            quiet: 0,
            templates: Vec::new(),
            reported: Reported::Waiting {
                until: match sign.tentative {
                    true => sign.time + REPORT_GAP_SEC,
                    false => f64::NEG_INFINITY,
                },
            },
            window: None,
        };
        episode.extend(sign);
        episode
    }

    /// Adds a record that reports a failure.
    pub(super) fn extend(&mut self, sign: Sign) {
        self.last = self.last.max(sign.time);
        self.score = self.score.max(sign.score);
        self.count += 1;
        self.quiet = 0;
        if let (Reported::Waiting { until }, false) = (&mut self.reported, sign.tentative) {
            *until = f64::NEG_INFINITY;
        }
        let has_room = self.templates.len() < TEMPLATES_MAX;
        match self
            .templates
            .iter_mut()
            .find(|(id, _)| *id == sign.template)
        {
            Some((_, count)) => *count += 1,
            None if has_room => self.templates.push((sign.template, 1)),
            // The last entry becomes the one for all further templates.
            None => {
                let others = &mut self.templates[TEMPLATES_MAX - 1];
                *others = (0, others.1 + 1);
            }
        }
    }

    /// Takes a record of the same source: the report goes on.
    pub(super) fn follow(&mut self, speaker: u64, time: f64) {
        if let Reported::Waiting { until } = &mut self.reported
            && speaker == self.trigger.speaker
            && time <= *until
        {
            *until = (time + REPORT_GAP_SEC).min(self.since + REPORT_MAX_SEC);
        }
    }

    /// What is to be reported at `time`, which is then noted as reported.
    pub(super) fn due(&mut self, time: f64) -> Due {
        let due = match self.reported {
            Reported::Waiting { until } if time > until || time < self.since - SET_BACK_SEC => {
                Due::Raise
            }
            Reported::Waiting { .. } => return Due::Nothing,
            Reported::At { score, time: at } => {
                let worse = self.score - score >= CLEARLY_HIGHER && time - at >= WORSE_SEC;
                // It goes on only if it was seen since.
                if !(worse || self.last - at >= UPDATE_SEC) {
                    return Due::Nothing;
                }
                Due::Update
            }
        };
        self.reported = Reported::At {
            score: self.score,
            time,
        };
        due
    }

    /// Notes that it was reported as it is: episodes of earlier versions were when they began.
    pub(super) fn was_reported(&mut self) {
        self.reported = Reported::At {
            score: self.score,
            time: self.last,
        };
    }

    /// Whether it was reported.
    pub(super) fn is_reported(&self) -> bool {
        matches!(self.reported, Reported::At { .. })
    }

    /// Takes a record of the stream that is none of its failures.
    pub(super) fn quiet(&mut self) {
        self.quiet += 1;
    }

    /// Whether it has ended at `time`: after `records` records, or after `seconds`, without a failure.
    pub(super) fn end(
        &self,
        time: f64,
        records: usize,
        seconds: f64,
    ) -> Option<super::report::End> {
        use super::report::End;
        let calm = time - self.last;
        match () {
            () if self.quiet >= records && !(0.0..QUIET_SEC).contains(&calm) => {
                Some(End::Quiet(self.quiet))
            }
            () if calm >= seconds => Some(End::Silent(calm)),
            () => None,
        }
    }

    /// Memory of the episode outside of itself in bytes.
    pub(super) fn bytes(&self) -> usize {
        let Trigger {
            template,
            phrase,
            sample,
            source,
            subject,
            template_id: _,
            family: _,
            trusted: _,
            speaker: _,
            warning: _,
        } = &self.trigger;
        let texts = [template, phrase, sample].map(|text| allocation(text.capacity()));
        let subject = subject.as_ref().map_or(0, |s| allocation(s.name().len()));
        texts.iter().sum::<usize>()
            + subject
            + source::bytes(source)
            + vec(&self.templates)
            + self
                .window
                .as_ref()
                .map_or(0, |text| allocation(text.len()))
    }

    /// Removes the records of `template`, which report no failure after all; returns whether none are left, which ends the
    /// episode.
    pub(super) fn without(&mut self, template: u64) -> bool {
        if let Some(at) = self.templates.iter().position(|(id, _)| *id == template) {
            self.count -= self.templates.swap_remove(at).1;
        }
        self.count == 0
    }
}

/// The open episodes of a stream: one per family and subject.
#[derive(Debug, Default)]
pub(super) struct Episodes(pub(super) Vec<Episode>);

impl Episodes {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The episode that a failure with this trigger, at `time`, belongs to.
    pub(super) fn find(&mut self, trigger: &Trigger, time: f64) -> Option<&mut Episode> {
        let (family, speaker) = (trigger.family, trigger.speaker);
        if trigger.warning {
            let is_same = |e: &&mut Episode| e.trigger.warning && e.trigger.family == family;
            return self.0.iter_mut().find(is_same);
        }
        let subject = trigger.subject.as_ref();
        let is_report = |e: &Episode| {
            e.trigger.speaker == speaker
                && !e.trigger.warning
                && (0.0..=REPORT_GAP_SEC).contains(&(time - e.last))
        };
        let at = match (family, subject) {
            // The lines of a stack trace belong to the report before them.
            (Some(Family::Trace), _) => self.0.iter().rposition(is_report),
            _ => None,
        };
        let of_family = |e: &Episode| e.trigger.family == family && !e.trigger.warning;
        let at = at.or_else(|| {
            self.0
                .iter()
                .position(|e| of_family(e) && e.trigger.subject.as_ref() == subject)
        });
        let at = at.or_else(|| match subject {
            // A line of a report that names nothing belongs to what the report named before.
            None => self.0.iter().rposition(|e| of_family(e) && is_report(e)),
            Some(_) if self.is_crowded(family) => self
                .0
                .iter()
                .position(|e| of_family(e) && e.trigger.subject.is_none()),
            // An episode of an earlier version, which had one for all subjects.
            Some(_) => self.0.iter().position(|e| {
                of_family(e) && e.trigger.subject.is_none() && e.trigger.speaker == 0
            }),
        });
        Some(&mut self.0[at?])
    }

    /// Whether further subjects of this family share one episode.
    pub(super) fn is_crowded(&self, family: Option<Family>) -> bool {
        let of_family = |e: &&Episode| e.trigger.family == family && e.trigger.subject.is_some();
        self.0.iter().filter(of_family).count() >= SUBJECTS_MAX
    }

    /// Memory outside of itself in bytes.
    pub(super) fn bytes(&self) -> usize {
        vec(&self.0) + self.0.iter().map(Episode::bytes).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lad::report::End;

    fn sign(template: u64, time: f64, score: f64) -> Sign {
        Sign {
            template,
            time,
            score,
            tentative: false,
        }
    }

    fn trigger(family: Family, device: Option<&str>) -> Trigger {
        Trigger {
            template_id: 7,
            template: "disk <:*:> failed".into(),
            family: Some(family),
            phrase: "\"disk failed\"".into(),
            sample: "disk sda failed".into(),
            source: LogSource::default(),
            subject: device.map(|name| FailureSubject::Device(name.into())),
            trusted: true,
            speaker: 1,
            warning: false,
        }
    }

    fn episode() -> Episode {
        Episode::new(trigger(Family::Storage, None), 0, sign(7, 10.0, 0.7), false)
    }

    #[test]
    fn consecutive_quiet_records_end_it_but_not_at_once() {
        let mut episode = episode();
        for _ in 0..3 {
            assert_eq!(episode.end(20.0, 3, 900.0), None);
            episode.quiet();
        }
        assert_eq!(episode.end(20.0, 3, 900.0), None, "only ten seconds");
        assert_eq!(episode.end(40.0, 3, 900.0), Some(End::Quiet(3)));
        episode.extend(sign(7, 41.0, 0.9));
        assert_eq!(episode.end(80.0, 3, 900.0), None);
        assert_eq!((episode.count, episode.score, episode.last), (2, 0.9, 41.0));
    }

    #[test]
    fn time_ends_it_without_any_record() {
        let episode = episode();
        assert_eq!(episode.end(909.0, 3, 900.0), None);
        assert_eq!(episode.end(911.0, 3, 900.0), Some(End::Silent(901.0)));
    }

    #[test]
    fn a_tentative_failure_waits_for_the_rest_of_its_report() {
        let tentative = Sign {
            tentative: true,
            ..sign(7, 10.0, 0.9)
        };
        let begin = || Episode::new(trigger(Family::Hardware, None), 0, tentative, false);
        let mut episode = begin();
        assert_eq!(episode.due(14.0), Due::Nothing);
        assert_eq!(episode.due(15.5), Due::Raise);
        assert_eq!(episode.due(16.0), Due::Nothing);

        let mut followed = begin();
        for time in [13.0, 17.0, 21.0, 24.0] {
            followed.follow(1, time);
            assert_eq!(followed.due(time), Due::Nothing, "{time}");
        }
        assert_eq!(
            followed.due(25.5),
            Due::Raise,
            "a report does not last forever"
        );

        let mut other = begin();
        other.follow(2, 13.0);
        assert_eq!(
            other.due(15.5),
            Due::Raise,
            "another source's lines do not prolong it"
        );

        let mut certain = begin();
        certain.extend(sign(8, 11.0, 0.9));
        assert_eq!(certain.due(11.0), Due::Raise);

        let mut set_back = begin();
        assert_eq!(set_back.due(-100.0), Due::Raise);
    }

    #[test]
    fn what_becomes_worse_or_goes_on_is_updated_at_a_bounded_rate() {
        let mut episode = episode();
        assert_eq!(episode.due(10.0), Due::Raise);
        episode.extend(sign(7, 20.0, 0.95));
        assert_eq!(episode.due(20.0), Due::Nothing, "within a minute");
        assert_eq!(episode.due(71.0), Due::Update);
        let mut updates = 0;
        for time in 72..72 + 4 * 3_600 {
            episode.extend(sign(7, f64::from(time), 0.95));
            updates += u32::from(episode.due(f64::from(time)) == Due::Update);
        }
        assert_eq!(updates, 4);
        assert_eq!(episode.due(90_000.0), Due::Nothing, "it was not seen since");
    }

    #[test]
    fn it_is_over_when_no_record_of_a_failure_is_left() {
        let mut episode = episode();
        episode.extend(sign(8, 11.0, 0.6));
        episode.extend(sign(8, 12.0, 0.6));
        assert!(!episode.without(7));
        assert_eq!(episode.count, 2);
        assert!(!episode.without(9));
        assert!(episode.without(8));
    }

    #[test]
    fn the_count_stays_right_with_any_number_of_templates() {
        let mut episode = episode();
        for template in 100..1_000 {
            episode.extend(sign(template, 11.0, 0.6));
        }
        assert_eq!(episode.templates.len(), TEMPLATES_MAX);
        assert_eq!(
            episode.templates.iter().map(|t| t.1).sum::<u64>(),
            episode.count
        );
        assert!(!episode.without(500), "counted with the others");
        assert_eq!(episode.count, 901);
    }

    #[test]
    fn each_family_and_subject_has_an_episode_up_to_a_limit() {
        let mut episodes = Episodes::default();
        let name = |i: u32| format!("sd{i}");
        let of = |i: u32, family| trigger(family, Some(&name(i)));
        for i in 0..30 {
            let found = episodes.find(&of(i, Family::Storage), f64::from(i));
            if found.is_some() {
                continue;
            }
            let named = (!episodes.is_crowded(Some(Family::Storage))).then(|| format!("sd{i}"));
            let trigger = trigger(Family::Storage, named.as_deref());
            episodes
                .0
                .push(Episode::new(trigger, 0, sign(7, f64::from(i), 0.9), false));
        }
        assert_eq!(episodes.0.len(), SUBJECTS_MAX + 1);
        assert!(episodes.find(&of(0, Family::Network), 30.0).is_none());
    }

    #[test]
    fn a_line_that_names_nothing_belongs_to_its_report() {
        let mut episodes = Episodes::default();
        let sda = trigger(Family::Storage, Some("sda"));
        episodes
            .0
            .push(Episode::new(sda, 0, sign(7, 10.0, 0.9), false));
        let nothing = trigger(Family::Storage, None);
        assert!(episodes.find(&nothing, 12.0).is_some());
        let other = Trigger {
            speaker: 2,
            ..nothing.clone()
        };
        assert!(episodes.find(&other, 12.0).is_none(), "another source");
        assert!(episodes.find(&nothing, 20.0).is_none(), "later");
        assert!(episodes.find(&trigger(Family::Trace, None), 12.0).is_some());
    }
}
