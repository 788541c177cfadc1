//! What an operator should know: notices and counters.

use std::fmt;

use crate::prompt::REQUEST_MAX;
use crate::reply::Fault;

/// Maximum number of different notices to keep until they are fetched; counters count all.
const NOTICES_MAX: usize = 32;

/// Something that an operator should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The model failed the exam: nothing is asked until it passes a later one.
    ExamFailed {
        /// Number of right answers.
        right: usize,
    },
    /// The model passed the exam after it had failed.
    ExamPassed,
    /// The exam could not be held, so nothing was asked.
    ExamNotHeld(Fault),
    /// Answers were void because one to a known template beside them was wrong.
    CanaryWrong {
        /// Number of templates without an answer.
        templates: u64,
    },
    /// There was no usable reply.
    NoReply {
        /// Why.
        fault: Fault,
        /// Number of templates without an answer.
        templates: u64,
    },
    /// The server failed or asked for a pause, and that is not over.
    Paused {
        /// Number of templates without an answer.
        templates: u64,
    },
    /// A host's budget of templates is spent for today.
    HostBudget {
        /// Number of templates without an answer.
        templates: u64,
    },
    /// The budget of templates or requests of all hosts is spent for today.
    Budget {
        /// Number of templates without an answer.
        templates: u64,
    },
    /// The server enforces no JSON schema; replies are checked just the same.
    NoSchema,
    /// The cache file could not be read and was set aside under this name; without one, it is overwritten.
    CacheCorrupt(Option<String>),
    /// The cache file cannot be written.
    CacheNotWritten(String),
}

impl Notice {
    /// Adds the templates of `other`; `false` if it is about something else.
    fn add(&mut self, other: &Notice) -> bool {
        use Notice::{Budget, CanaryWrong, HostBudget, NoReply, Paused};
        match (self, other) {
            (
                NoReply { fault, templates },
                NoReply {
                    fault: same,
                    templates: more,
                },
            ) if fault == same => {
                *templates += more;
            }
            (CanaryWrong { templates }, CanaryWrong { templates: more })
            | (Paused { templates }, Paused { templates: more })
            | (HostBudget { templates }, HostBudget { templates: more })
            | (Budget { templates }, Budget { templates: more }) => *templates += more,
            (one, other) => return one == other,
        }
        true
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "language model: ")?;
        match self {
            Notice::ExamFailed { right } => write!(
                f,
                "it failed the exam ({right} of 20 known templates right; {} are required); nothing is asked until it passes a later \
                 one",
                crate::exam::PASSES
            ),
            Notice::ExamPassed => write!(f, "it passed the exam and is asked again"),
            Notice::ExamNotHeld(fault) => write!(
                f,
                "the exam could not be held, so nothing is asked: {fault}"
            ),
            Notice::CanaryWrong { templates } => write!(
                f,
                "a known template was answered wrongly; the answers to {templates} templates of the same requests are void"
            ),
            Notice::NoReply { fault, templates } => {
                write!(f, "{templates} templates have no answer: {fault}")
            }
            Notice::Paused { templates } => write!(
                f,
                "{templates} templates were not asked about: the server failed or asked for a pause, which is not over"
            ),
            Notice::HostBudget { templates } => write!(
                f,
                "{templates} templates were not asked about: the budget of their host is spent for today"
            ),
            Notice::Budget { templates } => write!(
                f,
                "{templates} templates were not asked about: the budget of all hosts is spent for today"
            ),
            Notice::NoSchema => write!(
                f,
                "the server enforces no JSON schema; its replies are checked just the same"
            ),
            Notice::CacheCorrupt(Some(name)) => {
                write!(f, "the cache is corrupt and was set aside as {name}")
            }
            Notice::CacheCorrupt(None) => write!(f, "the cache is corrupt and will be overwritten"),
            Notice::CacheNotWritten(error) => write!(f, "the cache cannot be written: {error}"),
        }
    }
}

/// What happened since the client was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counters {
    /// Requests that were sent.
    pub requests: u64,
    /// Requests without a usable reply.
    pub failed_requests: u64,
    /// Questions that the caller asked.
    pub questions: u64,
    /// Those answered from the cache.
    pub cached: u64,
    /// Those answered by the model, with any verdict.
    pub answered: u64,
    /// Those whose answers are void, or that were not sent because the exam was not passed.
    pub voided: u64,
    /// Those beyond a budget.
    pub over_budget: u64,
    /// Exams that were held.
    pub exams: u64,
    /// Exams that were failed.
    pub exams_failed: u64,
    /// Batches with a wrong canary.
    pub canaries_wrong: u64,
}

/// Notices that wait to be fetched.
#[derive(Debug, Default)]
pub(crate) struct Notices(Vec<Notice>);

impl Notices {
    /// Adds a notice, to one about the same where there is one.
    pub fn put(&mut self, notice: Notice) {
        let is_known = self.0.iter_mut().any(|known| known.add(&notice));
        if !is_known && self.0.len() < NOTICES_MAX {
            self.0.push(notice);
        }
    }

    /// Takes all.
    pub fn take(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.0)
    }
}

// The exam is held in requests of at most that many.
const _: () = assert!(crate::exam::EXAM.len() / 2 <= REQUEST_MAX);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_about_the_same_become_one_and_their_number_is_bounded() {
        let mut notices = Notices::default();
        for templates in 1..=3 {
            notices.put(Notice::Budget { templates });
            notices.put(Notice::NoReply {
                fault: Fault::Timeout,
                templates,
            });
        }
        notices.put(Notice::NoSchema);
        notices.put(Notice::NoSchema);
        let timeout = Notice::NoReply {
            fault: Fault::Timeout,
            templates: 6,
        };
        assert_eq!(
            notices.take(),
            [Notice::Budget { templates: 6 }, timeout, Notice::NoSchema]
        );
        for status in 400..500 {
            notices.put(Notice::NoReply {
                fault: Fault::Status(status),
                templates: 1,
            });
        }
        assert_eq!(notices.take().len(), NOTICES_MAX);
    }
}
