//! Scores the phrases found in a message.

use super::finding::Finding;
use super::phrase::Phrase;
use super::syntax::Role;

/// Maximum number of words of failure that count in one message.
const WORDS_MAX: usize = 8;
/// Lower severities are no finding: no priority could make them a failure.
pub(super) const FLOOR: f32 = 0.3;

/// The evidence of a message, for and against a failure.
#[derive(Default)]
pub(super) struct Score<'a> {
    phrase: Option<&'a Phrase>,
    thing: Option<&'a Phrase>,
    words: [Option<&'a Phrase>; WORDS_MAX],
    benign: f32,
}

impl<'a> Score<'a> {
    /// Adds a phrase that was found.
    pub fn add(&mut self, phrase: &'a Phrase) {
        let heavier = |than: Option<&Phrase>| than.is_none_or(|other| phrase.weight > other.weight);
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

    /// The finding, unless benign context outweighs it.
    pub fn finding(&self) -> Option<Finding> {
        let weak = self.weak();
        let phrase = self.phrase.filter(|phrase| phrase.weight >= weak);
        let severity = phrase.map_or(weak, |phrase| phrase.weight);
        if severity < FLOOR || severity <= self.benign {
            return None;
        }
        let subject = phrase.or(self.thing)?;
        Some(Finding {
            severity,
            family: subject.role.family(),
            reason: match phrase {
                Some(phrase) => format!("\"{}\"", phrase.text),
                None => self.words(),
            },
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
