//! What is found of detectors for logs, as a chart.

use std::collections::BTreeSet;

use super::evaluated::Evaluated;
use super::operating::Operating;
use super::tables::CRITERIA;
use crate::evaluate::chart::{Axis, Chart, Line, Panel};

/// A figure at one threshold: its title, and its value in percent.
type Percent = (&'static str, fn(&Operating) -> Option<f64>);

const PERCENT: [Percent; 2] = [
    ("failures detected early", |o| o.early_percent),
    ("records that are false alarms", |o| Some(o.fpr_percent)),
];

/// With options that are swept, failures detected early and false alarms by their values (dissertation, figure 8); otherwise
/// the curves of the receiver operating characteristic (figure 5).
pub fn chart(evaluated: &[Evaluated]) -> Chart {
    if evaluated
        .iter()
        .any(|evaluated| !evaluated.swept.is_empty())
    {
        swept(evaluated)
    } else {
        roc(evaluated)
    }
}

fn swept(evaluated: &[Evaluated]) -> Chart {
    let mut option = "";
    let mut values: Vec<&str> = Vec::new();
    for last in evaluated
        .iter()
        .filter_map(|evaluated| evaluated.swept.last())
    {
        option = &last.name;
        if !values.contains(&last.value.as_str()) {
            values.push(&last.value);
        }
    }
    let panel = |(title, value): Percent| {
        let mut lines: Vec<Line> = Vec::new();
        for evaluated in evaluated {
            let [others @ .., last] = &evaluated.swept[..] else {
                continue;
            };
            let others = others.iter().map(|s| format!(" {}={}", s.name, s.value));
            let name = evaluated.source.clone() + &others.collect::<String>();
            let place = values.iter().position(|value| *value == last.value);
            let point = place.zip(value(&evaluated.figures.operating));
            let point = point.map(|(place, value)| (place as f64, value));
            match lines.iter_mut().find(|line| line.name == name) {
                Some(line) => line.points.extend(point),
                None => lines.push(Line {
                    name,
                    points: point.into_iter().collect(),
                }),
            }
        }
        let points = lines.iter().flat_map(|line| &line.points);
        let most = points.map(|point| point.1).fold(0.0, f64::max);
        Panel {
            title: title.to_owned(),
            y: Axis::up_to("percent", most),
            lines,
        }
    };
    Chart {
        title: format!("Alarms by {option}"),
        x: Axis::of_names(option, values.iter().map(|value| (*value).to_owned())),
        groups: vec![PERCENT.into_iter().map(panel).collect()],
    }
}

fn roc(evaluated: &[Evaluated]) -> Chart {
    let scenarios = evaluated
        .iter()
        .flat_map(|evaluated| evaluated.figures.roc.keys());
    let scenarios: BTreeSet<&String> = scenarios.collect();
    let mut groups = Vec::new();
    for (criterion, word) in CRITERIA {
        let panel = |scenario: &&String| {
            let line = |evaluated: &Evaluated| {
                let points = evaluated.figures.roc.get(*scenario)?.get(criterion);
                Some(Line {
                    name: evaluated.detector.clone(),
                    // The area under the curve is counted from the threshold that nothing reaches, too.
                    points: [(0.0, 0.0)]
                        .into_iter()
                        .chain(points.iter().rev().map(|point| (point.fpr, point.tpr)))
                        .collect(),
                })
            };
            Panel {
                title: format!("{scenario}, {word}"),
                y: Axis::up_to("true positive rate", 1.0),
                lines: evaluated.iter().filter_map(line).collect(),
            }
        };
        groups.push(scenarios.iter().map(panel).collect());
    }
    Chart {
        title: "Receiver operating characteristic, thresholds in steps of 0.05".to_owned(),
        x: Axis::up_to("false positive rate", 1.0),
        groups,
    }
}
