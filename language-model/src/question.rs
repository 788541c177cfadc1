//! Questions and answers.

use bellwether_core::inference::Family;

/// A template to ask about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question<'a> {
    /// The host that logged it. It counts against the host's budget, and is not sent.
    pub host: &'a str,
    /// The template: parameters are placeholders such as `<:NUM:>`.
    pub template: &'a str,
    /// The program that writes it; empty if unknown.
    pub program: &'a str,
    /// Number of records of the template so far.
    pub count: u64,
    /// Other templates of the host that are normal; sent as examples unless [`zero_shot`](crate::Settings::zero_shot).
    pub benign: &'a [String],
}

/// What a template reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// A failure.
    Failing,
    /// No failure.
    Normal,
    /// The model does not know, could not be asked, or is not believed.
    Unknown,
}

impl Verdict {
    /// All verdicts.
    pub const ALL: [Verdict; 3] = [Verdict::Failing, Verdict::Normal, Verdict::Unknown];

    /// The name, as models and the cache use it.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Failing => "failing",
            Verdict::Normal => "normal",
            Verdict::Unknown => "unknown",
        }
    }

    /// The verdict with this name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|verdict| verdict.as_str() == name)
    }
}

/// Where an answer is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The model answered now, and its canaries were right.
    Model,
    /// The model answered before.
    Cache,
    /// Nobody answered: the question can be asked again.
    Nobody,
}

/// The answer to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// What the template reports.
    pub verdict: Verdict,
    /// What is failing, if it is [`Verdict::Failing`] and the model says so.
    pub family: Option<Family>,
    /// Where the answer is from.
    pub origin: Origin,
}

impl Answer {
    /// No answer.
    pub(crate) const NONE: Answer = Answer {
        verdict: Verdict::Unknown,
        family: None,
        origin: Origin::Nobody,
    };
}
