//! Scores the phrases found in a message.

use super::finding::{Finding, Reading};
use super::phrase::Phrase;
use super::syntax::Role;

/// Maximum number of words of failure that count in one message.
const WORDS_MAX: usize = 8;
/// Lower severities are no finding: no priority could make them a failure.
pub(super) const FLOOR: f32 = 0.3;
/// What an unknown program says is a hint at most.
const HINT_MAX: f32 = 0.45;
/// A finding below this severity is weak: the record's level may raise or lower it.
const WEAK: f32 = 0.6;
/// Added to a weak finding by the levels "critical" and worse, and by "error".
const RAISED_CRITICAL: f32 = 0.2;
const RAISED_ERROR: f32 = 0.1;
/// Subtracted from a weak finding by the levels "informational" and "debug".
const LOWERED: f32 = 0.1;
/// The syslog severities.
const CRITICAL: u8 = 2;
const ERROR: u8 = 3;
const INFORMATIONAL: u8 = 6;

/// The evidence of a message, for and against a failure.
#[derive(Default)]
pub(super) struct Score<'a> {
    phrase: Option<&'a Phrase>,
    thing: Option<&'a Phrase>,
    words: [Option<&'a Phrase>; WORDS_MAX],
    benign: f32,
    routine: f32,
    report: f32,
}

impl<'a> Score<'a> {
    /// Adds a phrase that was found.
    pub fn add(&mut self, phrase: &'a Phrase) {
        let heavier = |than: Option<&Phrase>| {
            than.is_none_or(|other| {
                (phrase.weight, !phrase.tentative) > (other.weight, !other.tentative)
            })
        };
        match phrase.role {
            Role::Phrase(_) if heavier(self.phrase) => self.phrase = Some(phrase),
            Role::Thing(_) if heavier(self.thing) => self.thing = Some(phrase),
            Role::Word => {
                let known = |word: &Option<&Phrase>| word.is_none_or(|w| w.text == phrase.text);
                if let Some(place) = self.words.iter_mut().find(|word| known(word)) {
                    *place = Some(phrase);
                }
            }
            Role::Benign => self.benign = self.benign.max(phrase.weight),
            Role::Routine => self.routine = self.routine.max(phrase.weight),
            Role::Report => self.report = self.report.max(phrase.weight),
            _ => {}
        }
    }

    /// The severity of words and thing, combined as independent probabilities (noisy or). Without a thing it is 0: any program
    /// may log such words, even as critical.
    fn weak(&self) -> f32 {
        let open = |open: f32, phrase: &Phrase| open * (1.0 - phrase.weight);
        let words = self.words.iter().flatten().copied().fold(1.0, open);
        match self.thing {
            Some(thing) if words < 1.0 => 1.0 - open(words, thing),
            _ => 0.0,
        }
    }

    /// The reading, at the level that the record or the program states. `other`: the source is none that is believed.
    pub fn reading(&self, level: Option<u8>, other: bool) -> Reading {
        Reading {
            finding: self.finding(level, other),
            pardon: if other { 0.0 } else { self.report },
            pardoned: None,
        }
    }

    /// The finding, unless benign context outweighs it.
    fn finding(&self, level: Option<u8>, other: bool) -> Option<Finding> {
        let weak = match self.weak() {
            weak if weak > self.routine => weak,
            _ => 0.0,
        };
        let phrase = self.phrase.filter(|phrase| phrase.weight >= weak);
        let mut severity = phrase.map_or(weak, |phrase| phrase.weight);
        if severity < FLOOR || severity <= self.benign.max(self.report) {
            return None;
        }
        let subject = phrase.or(self.thing)?;
        let mut reason = match phrase {
            Some(phrase) => format!("\"{}\"", phrase.text),
            None => self.words(),
        };
        if severity < WEAK {
            match level {
                Some(..=CRITICAL) => {
                    severity += RAISED_CRITICAL;
                    reason.push_str(", logged as critical");
                }
                Some(ERROR) if phrase.is_none() => {
                    severity += RAISED_ERROR;
                    reason.push_str(", logged as an error");
                }
                Some(INFORMATIONAL..) => severity -= LOWERED,
                _ => {}
            }
        }
        // What only a site's own lexicon believes counts in full.
        if other && phrase.is_none_or(|p| !p.classes.contains(super::class::SourceClass::Other)) {
            severity = severity.min(HINT_MAX);
        }
        Some(Finding {
            severity,
            family: subject.role.family(),
            reason,
            subject: None,
            tentative: phrase.is_some_and(|phrase| phrase.tentative),
            source_known: true,
        })
    }

    /// The reason that names the words and the thing they refer to.
    fn words(&self) -> String {
        let mut reason = String::new();
        for word in self.words.iter().flatten() {
            let and = if reason.is_empty() { "" } else { " and " };
            reason += &format!("{and}\"{}\"", word.text);
        }
        if let Some(thing) = self.thing {
            reason += &format!(" about \"{}\"", thing.text);
        }
        reason
    }
}
