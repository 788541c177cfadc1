//! What has been found in a message, weighed.

use super::Finding;
use super::phrase::Phrase;
use super::syntax::Role;

/// Most words of failure that count in one message.
const WORDS_MAX: usize = 8;
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

    /// What the words come to: each, and the thing, makes up its share of what the others have left open. Said of nothing they
    /// come to nothing: any program may say them, and log them as critical.
    fn weak(&self) -> f32 {
        let open = |open: f32, phrase: &Phrase| open * (1.0 - phrase.weight);
        let words = self.words.iter().flatten().copied().fold(1.0, open);
        match self.thing {
            Some(thing) if words < 1.0 => 1.0 - open(words, thing),
            _ => 0.0,
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
        let said = phrase.or(self.thing)?;
        Some(Finding {
            severity,
            family: said.role.family(),
            reason: match phrase {
                Some(phrase) => format!("\"{}\"", phrase.text),
                None => self.words(),
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
