//! Feedback: verdicts on templates, from an operator or in answer to a question.

use super::detector::Detector;
use super::questions::{Open, QUESTION_MAX_BYTES, Question};
use super::record::Verdict;
use crate::text::shortened;

/// Maximum number of normal templates beside a question.
const NORMAL_MAX: usize = 8;

impl Detector {
    /// Takes a verdict on a template; `None` withdraws an earlier one. It applies from now on, and to what is already known: windows
    /// learned from what is a failure are forgotten, an episode without remaining records is cleared, a missed one is raised. A
    /// verdict that is not certain does not replace one that is. A question about the template is answered by it. Returns `false`
    /// if there is no such stream or template.
    pub fn feedback(&mut self, stream: &str, template_id: u64, verdict: Option<Verdict>) -> bool {
        let Some(at) = self.streams.find(stream) else {
            return false;
        };
        let stream = &mut self.streams[at];
        let known = stream.feedback(&self.limits, template_id, verdict, &mut self.pending);
        stream.measure(&mut self.totals);
        known
    }

    /// Takes a verdict on a template by its text, in the form of [`Detector::template`]; `None` withdraws an earlier one. In
    /// `template`, `<:*:>` stands for any word, so that it may cover several templates.
    ///
    /// With the name of a stream, it is applied to that stream, as by [`Detector::feedback`]. Without, it holds for all streams, also
    /// for templates and streams that are still to come; at most 1024 such verdicts are kept, the newest. Returns the number of
    /// templates that it was applied to now.
    pub fn feedback_by_text(
        &mut self,
        stream: Option<&str>,
        template: &str,
        verdict: Option<Verdict>,
    ) -> usize {
        let of_stream = match stream {
            Some(stream) => match self.streams.find(stream) {
                Some(at) => at..at + 1,
                None => return 0,
            },
            None => {
                self.standing.set(template, verdict);
                0..self.streams.len()
            }
        };
        let mut applied = 0;
        for at in of_stream {
            let stream = &mut self.streams[at];
            for id in stream.miner.instances(template) {
                applied +=
                    usize::from(stream.feedback(&self.limits, id, verdict, &mut self.pending));
            }
            stream.measure(&mut self.totals);
        }
        applied
    }

    /// The oldest question that was not fetched yet; with the option `questions` above 0. There is one per template and stream, for
    /// templates in unknown windows that were not there during training. At most as many as the option says wait for an answer;
    /// beyond that, the oldest that were fetched are given up. After a restart, questions without an answer are not put again.
    pub fn next_question(&mut self) -> Option<Question> {
        loop {
            let open = self.pending.questions.fetch()?;
            let question = self.question(&open);
            if question.is_some() {
                return question;
            }
            // The stream or the template was evicted meanwhile.
            self.pending.questions.take(open.id);
        }
    }

    fn question(&self, open: &Open) -> Option<Question> {
        let stream = self.streams.get(self.streams.find(&open.stream)?)?;
        let template = stream.miner.template(open.template_id)?;
        let short = |text: &str| shortened(text, QUESTION_MAX_BYTES);
        let template = short(template);
        let benign = stream
            .benign(NORMAL_MAX)
            .into_iter()
            .map(|text| short(&text));
        Some(Question {
            id: open.id,
            stream: open.stream.to_string(),
            template_id: open.template_id,
            program: open.program.to_string(),
            count: stream.miner.size(open.template_id).unwrap_or(0),
            benign: benign.filter(|text| *text != template).collect(),
            template,
        })
    }

    /// Takes the answer to a question; `None` if it remains open whether the template reports a failure. A verdict is applied as
    /// by [`Detector::feedback`]. Returns `false` if there is no such question, or if its template was evicted meanwhile.
    pub fn answer(&mut self, id: u64, verdict: Option<Verdict>) -> bool {
        let Some(open) = self.pending.questions.take(id) else {
            return false;
        };
        match verdict {
            Some(_) => self.feedback(&open.stream, open.template_id, verdict),
            None => true,
        }
    }
}
