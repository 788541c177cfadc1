//! Questions: templates that the lexicon leaves open, for an operator or a language model to classify (VMFT-LAD's adaptive
//! learning; lecture, chapter 4). The detector asks nobody itself: the caller fetches a question whenever it likes, and the answer
//! comes whenever it comes.

use std::collections::VecDeque;

use smol_str::SmolStr;

use crate::memory::{allocation, small_text};
use crate::text::shortened;

/// Maximum length of a template in a question, in bytes.
pub const QUESTION_MAX_BYTES: usize = 300;
/// Maximum length of a program's name, in bytes.
const PROGRAM_MAX_BYTES: usize = 64;

/// A template that completed an unknown window, and whose text reports no failure that the lexicon knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Identifies it in [`Detector::answer`](super::Detector::answer); unique within the detector's life.
    pub id: u64,
    /// The stream that it is from.
    pub stream: String,
    /// Its number within its stream.
    pub template_id: u64,
    /// The template, shortened to [`QUESTION_MAX_BYTES`]: parameters are placeholders such as `<:NUM:>`.
    pub template: String,
    /// The program that wrote its last record, if known.
    pub program: String,
    /// Number of records of the template so far.
    pub count: u64,
    /// Other templates of the stream that are normal, by training or by a verdict: those of most records first, at most eight.
    pub benign: Vec<String>,
}

/// A question that has no answer yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) id: u64,
    pub(super) stream: SmolStr,
    pub(super) template_id: u64,
    pub(super) program: SmolStr,
}

/// The questions without an answer, oldest first.
#[derive(Debug, Default)]
pub(super) struct Questions {
    max: usize,
    open: VecDeque<Open>,
    /// Number of those, the first ones, that were fetched.
    fetched: usize,
    last_id: u64,
    /// Number of questions that were dropped without an answer, or not asked because the limit was reached.
    dropped: u64,
}

impl Questions {
    /// At most `max` at a time.
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            ..Self::default()
        }
    }

    /// None, with the same limit. Ids go on: an answer to a question of these is none to a later one.
    pub(super) fn emptied(&self) -> Self {
        Self {
            max: self.max,
            last_id: self.last_id,
            ..Self::default()
        }
    }

    /// Adds a question; `false` if the limit is reached. The oldest question that was fetched and not answered is dropped for it.
    pub(super) fn put(&mut self, stream: &str, template_id: u64, program: &str) -> bool {
        if self.open.len() >= self.max {
            self.dropped += 1;
            if self.fetched == 0 {
                return false;
            }
            self.fetched -= 1;
            self.open.pop_front();
        }
        self.last_id += 1;
        self.open.push_back(Open {
            id: self.last_id,
            stream: stream.into(),
            template_id,
            program: shortened(program, PROGRAM_MAX_BYTES).into(),
        });
        true
    }

    /// The next question that was not fetched yet.
    pub(super) fn fetch(&mut self) -> Option<Open> {
        let next = self.open.get(self.fetched)?.clone();
        self.fetched += 1;
        Some(next)
    }

    /// Removes the question with this id, if it is open and was fetched.
    pub(super) fn take(&mut self, id: u64) -> Option<Open> {
        let at = self.open.binary_search_by_key(&id, |open| open.id).ok()?;
        if at >= self.fetched {
            return None;
        }
        self.fetched -= 1;
        self.open.remove(at)
    }

    /// Removes the question about a template, fetched or not, if there is one: a verdict came by another way.
    pub(super) fn settle(&mut self, stream: &str, template_id: u64) {
        let is_it = |open: &Open| open.template_id == template_id && open.stream == stream;
        if let Some(at) = self.open.iter().position(is_it) {
            self.open.remove(at);
            self.fetched -= usize::from(at < self.fetched);
        }
    }

    /// Number of questions without an answer.
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Memory in bytes, at most.
    pub(super) fn bytes(&self) -> usize {
        let names = |open: &Open| small_text(&open.stream) + small_text(&open.program);
        allocation(self.open.capacity() * size_of::<Open>())
            + self.open.iter().map(names).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_fetched_once_and_answered_once() {
        let mut questions = Questions::new(4);
        assert!(questions.put("kvm1", 7, "kernel"));
        assert_eq!(questions.take(1), None, "nobody has seen it");
        assert_eq!(questions.fetch().unwrap().template_id, 7);
        assert_eq!(questions.fetch(), None);
        assert!(questions.take(1).is_some());
        assert_eq!(questions.take(1), None);
        assert_eq!(questions.len(), 0);
    }

    #[test]
    fn an_answer_that_comes_after_a_state_was_loaded_is_not_taken_for_that_to_a_later_question() {
        let mut questions = Questions::new(2);
        assert!(questions.put("kvm1", 7, ""));
        let earlier = questions.fetch().unwrap();
        let mut questions = questions.emptied();
        assert!(questions.put("kvm1", 8, "") && questions.fetch().is_some());
        assert_eq!(questions.take(earlier.id), None);
        assert_eq!(questions.len(), 1);
    }

    #[test]
    fn at_the_limit_what_was_fetched_and_not_answered_makes_room_and_what_waits_does_not() {
        let mut questions = Questions::new(2);
        assert!(questions.put("kvm1", 1, "") && questions.put("kvm1", 2, ""));
        assert!(!questions.put("kvm1", 3, ""));
        questions.fetch();
        assert!(questions.put("kvm1", 3, ""));
        assert_eq!((questions.len(), questions.dropped()), (2, 2));
        assert_eq!(questions.take(1), None);
        let fetched = [questions.fetch(), questions.fetch()];
        assert_eq!(fetched.map(|open| open.unwrap().template_id), [2, 3]);
        assert!(questions.take(3).is_some() && questions.take(2).is_some());
    }
}
