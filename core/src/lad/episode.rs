//! Episodes: a burst of records that report of failure is one event, raised once and cleared once.

use serde::{Deserialize, Serialize};

use super::source;
use crate::event::LogSource;
use crate::inference::Family;
use crate::memory::{allocation, vec};

/// The most templates whose records an episode counts apart from each other.
const TEMPLATES_MAX: usize = 64;

/// What a record that tells of a failure says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Trigger {
    pub(super) template_id: u64,
    pub(super) template: String,
    /// `None` where nothing but an operator's word makes it a failure.
    pub(super) family: Option<Family>,
    /// Which phrase, in a few words.
    pub(super) phrase: String,
    /// The record, shortened and cleaned.
    pub(super) sample: String,
    /// Who said it; saved apart from the rest.
    #[serde(skip)]
    pub(super) source: LogSource,
}

/// An episode that goes on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Episode {
    /// What raised it.
    pub(super) trigger: Trigger,
    /// How many episodes of the stream began at the same time before it. Saved apart from the rest.
    #[serde(skip)]
    pub(super) ordinal: u64,
    /// When, in seconds.
    pub(super) since: f64,
    /// The time of the last record that reported of a failure.
    pub(super) last: f64,
    /// The highest score, 0 to 1.
    pub(super) score: f64,
    /// Records that reported of a failure.
    pub(super) count: u64,
    /// Raised in training.
    pub(super) at_startup: bool,
    /// Records since the last one that reported of a failure.
    quiet: usize,
    /// How many of the records have which template; those of further templates have the id 0.
    templates: Vec<(u64, u64)>,
}

impl Episode {
    /// One that begins with a record of that `score` at `time`.
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

    /// One more record that tells of a failure.
    pub(super) fn extend(&mut self, template: u64, time: f64, score: f64) {
        self.last = self.last.max(time);
        self.score = self.score.max(score);
        self.count += 1;
        self.quiet = 0;
        let has_room = self.templates.len() < TEMPLATES_MAX;
        match self.templates.iter_mut().find(|(id, _)| *id == template) {
            Some((_, count)) => *count += 1,
            None if has_room => self.templates.push((template, 1)),
            // A place for all the others, taken from the last one that had its own.
            None => {
                let others = &mut self.templates[TEMPLATES_MAX - 1];
                *others = (0, others.1 + 1);
            }
        }
    }

    /// One more record that tells of none: whether `limit` in a row have, which ends the episode.
    pub(super) fn is_over(&mut self, limit: usize) -> bool {
        self.quiet += 1;
        self.quiet >= limit
    }

    /// How much memory it takes, in bytes.
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

    /// The records of `template` report of no failure after all: whether nothing is left, which ends the episode.
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
    fn so_many_quiet_records_in_a_row_end_it() {
        let mut episode = episode();
        assert!(!episode.is_over(3) && !episode.is_over(3));
        episode.extend(7, 12.0, 0.9);
        assert!(!episode.is_over(3) && !episode.is_over(3) && episode.is_over(3));
        assert_eq!((episode.count, episode.score, episode.last), (2, 0.9, 12.0));
    }

    #[test]
    fn it_is_over_when_nothing_is_left_that_tells_of_a_failure() {
        let mut episode = episode();
        episode.extend(8, 11.0, 0.6);
        episode.extend(8, 12.0, 0.6);
        assert!(!episode.without(7));
        assert_eq!(episode.count, 2);
        assert!(!episode.without(9));
        assert!(episode.without(8));
    }

    #[test]
    fn a_flood_of_templates_keeps_the_count_right() {
        let mut episode = episode();
        for template in 100..1_000 {
            episode.extend(template, 11.0, 0.6);
        }
        assert_eq!(episode.templates.len(), TEMPLATES_MAX);
        assert_eq!(
            episode.templates.iter().map(|t| t.1).sum::<u64>(),
            episode.count
        );
        assert!(!episode.without(500), "counted among the others");
        assert_eq!(episode.count, 901);
    }
}
