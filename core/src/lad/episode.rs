//! Episodes: a burst of records that report failures is one incident, raised once and cleared once.

use serde::{Deserialize, Serialize};

use super::source;
use crate::event::LogSource;
use crate::inference::Family;
use crate::memory::{allocation, vec};

/// Maximum number of templates whose records an episode counts separately.
const TEMPLATES_MAX: usize = 64;

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
    /// The source of the record; saved separately.
    #[serde(skip)]
    pub(super) source: LogSource,
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
    /// Consecutive records without a failure.
    quiet: usize,
    /// Number of records by template; records of further templates are counted under the id 0.
    templates: Vec<(u64, u64)>,
}

impl Episode {
    /// An episode that begins at `time` with a record of this `score`.
    pub(super) fn new(
        trigger: Trigger,
        ordinal: u64,
        time: f64,
        score: f64,
        at_startup: bool,
    ) -> Self {
        let template = trigger.template_id;
        let mut episode = Self {
            trigger,
            ordinal,
            since: time,
            last: time,
            score: 0.0,
            count: 0,
            at_startup,
            quiet: 0,
            templates: Vec::new(),
        };
        episode.extend(template, time, score);
        episode
    }

    /// Adds a record that reports a failure.
    pub(super) fn extend(&mut self, template: u64, time: f64, score: f64) {
        self.last = self.last.max(time);
        self.score = self.score.max(score);
        self.count += 1;
        self.quiet = 0;
        let has_room = self.templates.len() < TEMPLATES_MAX;
        match self.templates.iter_mut().find(|(id, _)| *id == template) {
            Some((_, count)) => *count += 1,
            None if has_room => self.templates.push((template, 1)),
            // The last entry becomes the one for all further templates.
            None => {
                let others = &mut self.templates[TEMPLATES_MAX - 1];
                *others = (0, others.1 + 1);
            }
        }
    }

    /// Takes a record without a failure; returns whether it is number `limit` in sequence, which ends the episode.
    pub(super) fn is_over(&mut self, limit: usize) -> bool {
        self.quiet += 1;
        self.quiet >= limit
    }

    /// Memory of the episode in bytes.
    pub(super) fn bytes(&self) -> usize {
        let Trigger {
            template,
            phrase,
            sample,
            source,
            template_id: _,
            family: _,
        } = &self.trigger;
        let texts = [template, phrase, sample].map(|text| allocation(text.capacity()));
        allocation(size_of::<Self>())
            + texts.iter().sum::<usize>()
            + source::bytes(source)
            + vec(&self.templates)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn episode() -> Episode {
        let trigger = Trigger {
            template_id: 7,
            template: "disk <:*:> failed".into(),
            family: Some(Family::Storage),
            phrase: "\"disk failed\"".into(),
            sample: "disk sda failed".into(),
            source: LogSource::default(),
        };
        Episode::new(trigger, 0, 10.0, 0.7, false)
    }

    #[test]
    fn consecutive_quiet_records_end_it() {
        let mut episode = episode();
        assert!(!episode.is_over(3) && !episode.is_over(3));
        episode.extend(7, 12.0, 0.9);
        assert!(!episode.is_over(3) && !episode.is_over(3) && episode.is_over(3));
        assert_eq!((episode.count, episode.score, episode.last), (2, 0.9, 12.0));
    }

    #[test]
    fn it_is_over_when_no_record_of_a_failure_is_left() {
        let mut episode = episode();
        episode.extend(8, 11.0, 0.6);
        episode.extend(8, 12.0, 0.6);
        assert!(!episode.without(7));
        assert_eq!(episode.count, 2);
        assert!(!episode.without(9));
        assert!(episode.without(8));
    }

    #[test]
    fn the_count_stays_right_with_any_number_of_templates() {
        let mut episode = episode();
        for template in 100..1_000 {
            episode.extend(template, 11.0, 0.6);
        }
        assert_eq!(episode.templates.len(), TEMPLATES_MAX);
        assert_eq!(
            episode.templates.iter().map(|t| t.1).sum::<u64>(),
            episode.count
        );
        assert!(!episode.without(500), "counted with the others");
        assert_eq!(episode.count, 901);
    }
}
