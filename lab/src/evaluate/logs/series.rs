//! A labeled series with its scores, and the criteria by which alarms count.

use serde::Serialize;

use super::labels::Label;

/// Records at the beginning of a series that count for nothing: detectors learn from them.
pub const TRAINING: usize = 150;

/// When an alarm counts as a detection of the failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Criterion {
    /// From the injection to the end of the series (dissertation, section 5.1.1).
    Relaxed,
    /// Before the failure (section 5.1.2).
    Strict,
}

/// Something by either criterion.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Both<T> {
    pub relaxed: T,
    pub strict: T,
}

impl<T> Both<T> {
    /// Makes it by each criterion.
    pub fn of(make: impl Fn(Criterion) -> T) -> Self {
        Self {
            relaxed: make(Criterion::Relaxed),
            strict: make(Criterion::Strict),
        }
    }

    /// That by `criterion`.
    pub fn get(&self, criterion: Criterion) -> &T {
        match criterion {
            Criterion::Relaxed => &self.relaxed,
            Criterion::Strict => &self.strict,
        }
    }
}

/// A labeled series and the score of each of its records.
#[derive(Debug, Clone, Copy)]
pub struct Series<'a> {
    pub label: &'a Label,
    pub scores: &'a [f64],
}

/// The records from `begin` to before `end`, as far as there are any.
pub fn part(scores: &[f64], begin: usize, end: usize) -> &[f64] {
    let end = end.min(scores.len());
    &scores[begin.min(end)..end]
}
