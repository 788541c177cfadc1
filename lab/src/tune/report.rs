//! What a search found, for people and as JSON.

use std::collections::BTreeMap;
use std::io::{self, Write as _};

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::problem::{Measured, Problem, Tested};
use super::search::Search;
use super::trials::Trial;
use crate::evaluate::table::markdown;

/// What is said of the best that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All trials came to the same.
    NoDifference,
    /// No trial came to more than the options without tuning.
    Untuned,
    /// It is better where it was not tuned, with 95 % confidence.
    Better,
    /// The interval of the difference holds 0.
    Unsure,
    /// It is worse where it was not tuned.
    Worse,
}

/// One measure of the options without tuning and of the best.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Row {
    measure: String,
    /// Of the untuned and of the best options, on the training half.
    train: [Option<f64>; 2],
    /// The same on the test half.
    test: [Option<f64>; 2],
    /// The 95 % confidence interval of the difference on the test half.
    difference: Option<[f64; 2]>,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// What the data are: those to train on, those to test on.
    train: String,
    test: String,
    objective: String,
    /// What was tuned.
    parameters: Vec<String>,
    trials: usize,
    /// The number of the best trial, and its options.
    best_trial: usize,
    best: BTreeMap<&'static str, String>,
    measures: Vec<Row>,
    pub verdict: Verdict,
    /// Stanzas of configuration, by what they are for.
    stanzas: Vec<(&'static str, String)>,
}

impl Report {
    /// Tests the best of `trials` on the test half; the first trial is the one with the untuned options.
    ///
    /// # Errors
    /// When it cannot be run there.
    pub(super) fn new<P: Problem>(
        problem: &P,
        search: &Search,
        trials: Vec<Trial>,
        draws: usize,
    ) -> Result<Self> {
        let untuned = trials.first().context("there is no trial")?;
        let (mut best_trial, mut best) = (0, untuned);
        for (number, trial) in trials.iter().enumerate() {
            if trial.objective > best.objective {
                (best_trial, best) = (number, trial);
            }
        }
        let tested = problem.test(&untuned.values, &best.values, draws)?;
        let all_same = trials.iter().all(|t| t.objective == untuned.objective);
        let verdict = match tested.differences[0] {
            _ if all_same => Verdict::NoDifference,
            _ if best_trial == 0 => Verdict::Untuned,
            Some([low, _]) if low > 0.0 => Verdict::Better,
            Some([_, high]) if high < 0.0 => Verdict::Worse,
            _ => Verdict::Unsure,
        };
        let setup = problem.setup();
        let [train, test] = setup.descriptions.clone();
        let stanzas = problem.stanzas(&setup.with(&best.values)?);
        let names = search.parameters().iter().map(|parameter| parameter.name);
        Ok(Self {
            train,
            test,
            objective: problem.objective(),
            parameters: search.parameters().iter().map(|p| p.describe()).collect(),
            trials: trials.len(),
            best_trial,
            best: names.zip(best.values.iter().cloned()).collect(),
            measures: rows(P::FIGURES, untuned, best, &tested),
            verdict,
            stanzas,
        })
    }

    /// Prints it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn print(&self, json: bool) -> Result<()> {
        let text = if json {
            serde_json::to_string_pretty(self)? + "\n"
        } else {
            self.text()
        };
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        Ok(out.flush()?)
    }

    fn text(&self) -> String {
        let best: Vec<String> = self.best.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let title = format!(
            "Tuned {} for {}.\nTuned on {}; judged on {}.\nTrial {} is the best of {}: {}",
            self.parameters.join(", "),
            self.objective,
            self.train,
            self.test,
            self.best_trial,
            self.trials,
            best.join(", ")
        );
        let header = [
            "measure",
            "untuned, train",
            "best, train",
            "untuned, test",
            "best, test",
            "difference, test",
        ]
        .map(str::to_owned);
        let rows: Vec<Vec<String>> = self.measures.iter().map(Row::cells).collect();
        let mut out = markdown(&title, &header, &rows);
        out += &format!("\n{}\n", self.words());
        for (what, stanza) in &self.stanzas {
            out += &format!("\n{what}:\n\n{stanza}");
        }
        out
    }

    /// What it means.
    fn words(&self) -> String {
        let objective = &self.measures[0];
        let mut words = match (self.verdict, objective.difference) {
            (Verdict::NoDifference, _) => {
                "All trials come to the same: what was tuned makes no difference on these data."
                    .into()
            }
            (Verdict::Untuned, _) => {
                "No trial is better than the options without tuning: leave them as they are.".into()
            }
            (Verdict::Better, Some([low, high])) => format!(
                "The best is better where it was not tuned: the objective rises by {} to {} with 95 % confidence.",
                number(low),
                number(high)
            ),
            (Verdict::Worse, Some([low, high])) => format!(
                "The best is worse where it was not tuned, by {} to {} with 95 % confidence: it fits the data that it was tuned \
                 on, and no others. Leave the options as they are.",
                number(-high),
                number(-low)
            ),
            (_, Some([low, high])) => format!(
                "That the best is better is not shown: where it was not tuned, the change of the objective lies between {} and {} \
                 with 95 % confidence. Leave the options as they are, or try more data.",
                number(low),
                number(high)
            ),
            (_, None) => "How sure that is, these data do not say.".into(),
        };
        for (side, value) in [("train", objective.train[1]), ("test", objective.test[1])] {
            if value.is_some_and(|value| value < 0.0) {
                words += &format!(
                    " On the side \"{side}\", the best has more false alarms than the limit allows."
                );
            }
        }
        words
    }
}

fn rows(names: &[&str], untuned: &Trial, best: &Trial, tested: &Tested) -> Vec<Row> {
    let of = |trial: &Trial| Measured {
        objective: trial.objective,
        figures: trial.figures.clone(),
    };
    let (untuned, best) = (of(untuned), of(best));
    let train = untuned.all().zip(best.all());
    let test = tested.untuned.all().zip(tested.best.all());
    let names = ["objective"].iter().chain(names);
    names
        .zip(train)
        .zip(test)
        .zip(&tested.differences)
        .map(|(((name, train), test), difference)| Row {
            measure: (*name).to_owned(),
            train: train.into(),
            test: test.into(),
            difference: *difference,
        })
        .collect()
}

impl Row {
    fn cells(&self) -> Vec<String> {
        let cell = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), number);
        let difference = match (self.test, self.difference) {
            ([Some(untuned), Some(best)], Some([low, high])) => format!(
                "{} [{}, {}]",
                number(best - untuned),
                number(low),
                number(high)
            ),
            _ => "–".to_owned(),
        };
        let values = self.train.into_iter().chain(self.test).map(cell);
        [self.measure.clone()]
            .into_iter()
            .chain(values)
            .chain([difference])
            .collect()
    }
}

/// A number with four digits after the point, without the zeros at its end.
fn number(value: f64) -> String {
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0" } else { text }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(verdict: Verdict, difference: [f64; 2]) -> Report {
        Report {
            train: "one half".into(),
            test: "the other".into(),
            objective: "F1".into(),
            parameters: vec!["iad_quorum=0..1".into()],
            trials: 9,
            best_trial: 4,
            best: BTreeMap::from([("iad_quorum", "0.5".to_owned())]),
            measures: vec![Row {
                measure: "objective".into(),
                train: [Some(0.5), Some(0.75)],
                test: [Some(0.5), Some(-0.25)],
                difference: Some(difference),
            }],
            verdict,
            stanzas: vec![("For x", "Quorum 0.5\n".into())],
        }
    }

    #[test]
    fn it_says_so_when_the_best_is_not_shown_to_be_better() {
        let text = report(Verdict::Unsure, [-1.5, 0.125]).text();
        assert!(text.contains("not shown: where it was not tuned"), "{text}");
        assert!(text.contains("-0.75 [-1.5, 0.125]"), "{text}");
        assert!(
            text.contains("\"test\", the best has more false alarms"),
            "{text}"
        );
        assert!(text.ends_with("For x:\n\nQuorum 0.5\n"), "{text}");
        let text = report(Verdict::Worse, [-1.5, -0.5]).text();
        assert!(
            text.contains("worse where it was not tuned, by 0.5 to 1.5"),
            "{text}"
        );
    }
}
