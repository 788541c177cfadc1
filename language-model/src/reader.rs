//! Between a detector and a client: takes the detector's questions, asks, and returns the answers.

use std::sync::{Mutex, PoisonError};

use bellwether_core::lad::{self, Detector};
use bellwether_core::units::Time;

use crate::client::Client;
use crate::question::{Answer, Question, Verdict};

/// Answers the questions of a detector while it reads recorded data. Several readers can share a client.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'c> {
    client: &'c Mutex<Client>,
    /// The time of day, for the client.
    now: Time,
}

impl<'c> Reader<'c> {
    /// `now` is the time of day.
    pub fn new(client: &'c Mutex<Client>, now: Time) -> Self {
        Self { client, now }
    }

    /// Asks all questions that the detector has after a record, and applies the answers; events that they cause wait in the
    /// detector. A verdict raises an event for the last records of a stream only, and recorded data can wait: so questions do not
    /// wait for others to share a request with.
    pub fn follow(&self, detector: &mut Detector) {
        let asked: Vec<lad::Question> = std::iter::from_fn(|| detector.next_question()).collect();
        if asked.is_empty() {
            return;
        }
        let questions: Vec<Question<'_>> = asked
            .iter()
            .map(|question| Question {
                host: &question.stream,
                template: &question.template,
                program: &question.program,
                count: question.count,
                benign: &question.benign,
            })
            .collect();
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        let answers = client.ask(self.now, &questions);
        drop(client);
        for (question, answer) in asked.iter().zip(answers) {
            detector.answer(question.id, verdict(answer));
        }
    }
}

/// An answer as a detector takes it: never as certain.
fn verdict(answer: Answer) -> Option<lad::Verdict> {
    match answer.verdict {
        Verdict::Failing => Some(lad::Verdict::LikelyFailure(answer.family)),
        Verdict::Normal => Some(lad::Verdict::LikelyBenign),
        Verdict::Unknown => None,
    }
}
