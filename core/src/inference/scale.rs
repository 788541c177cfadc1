//! What has been found in a message, weighed.

use super::phrase::Phrase;
use super::syntax::Role;
use super::{Family, Finding};

/// Most words of failure that count in one message.
const WORDS_MAX: usize = 8;
/// The most that words of failure come to where they are said of nothing in particular.
const THINGLESS_MAX: f32 = 0.45;
/// Findings below this are not worth telling: no priority makes them a failure.
pub(super) const FLOOR: f32 = 0.3;

/// What has been found in a message, for and against.
#[derive(Default)]
pub(super) struct Scale<'a> {
    phrase: Option<&'a Phrase>,
    thing: Option<&'a Phrase>,
    words: [Option<&'a Phrase>; WORDS_MAX],
    benign: f32,
}

impl<'a> Scale<'a> {
    pub fn put(&mut self, phrase: &'a Phrase) {
        let heavier = |than: Option<&Phrase>| than.is_none_or(|other| phrase.weight > other.weight);
        match phrase.role {
            Role::Phrase(_) if heavier(self.phrase) => self.phrase = Some(phrase),
            Role::Thing(_) if heavier(self.thing) => self.thing = Some(phrase),
            Role::Word => {
                let known = |word: &Option<&Phrase>| word.is_none_or(|w| w.text == phrase.text);
                if let Some(room) = self.words.iter_mut().find(|word| known(word)) {
                    *room = Some(phrase);
                }
            }
            Role::Benign => self.benign = self.benign.max(phrase.weight),
            _ => {}
        }
    }

    /// What the words come to: each makes up its share of what the others have left open.
    fn weak(&self) -> f32 {
        let open = |open: f32, phrase: &Phrase| open * (1.0 - phrase.weight);
        let words = self.words.iter().flatten().copied().fold(1.0, open);
        match self.thing {
            Some(thing) if words < 1.0 => 1.0 - open(words, thing),
            _ => (1.0 - words).min(THINGLESS_MAX),
        }
    }

    /// What all of it comes to.
    pub fn finding(&self) -> Option<Finding> {
        let weak = self.weak();
        let phrase = self.phrase.filter(|phrase| phrase.weight >= weak);
        let severity = phrase.map_or(weak, |phrase| phrase.weight);
        if severity < FLOOR || severity <= self.benign {
            return None;
        }
        Some(match phrase {
            Some(phrase) => Finding {
                severity,
                family: phrase.role.family(),
                reason: format!("\"{}\"", phrase.text),
            },
            None => Finding {
                severity,
                family: self
                    .thing
                    .map_or(Family::Service, |thing| thing.role.family()),
                reason: self.words(),
            },
        })
    }

    /// The words found and what they are said of, in words.
    fn words(&self) -> String {
        let mut said = String::new();
        for word in self.words.iter().flatten() {
            let and = if said.is_empty() { "" } else { " and " };
            said += &format!("{and}\"{}\"", word.text);
        }
        if let Some(thing) = self.thing {
            said += &format!(" said of \"{}\"", thing.text);
        }
        said
    }
}
