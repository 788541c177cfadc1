//! What is found of methods, as tables.

use super::bins::{Bin, MINUTES_MIN};
use super::figures::{Evaluated, Figures};
use crate::evaluate::table::markdown;

/// The tables of generated hosts, and of given logs where there are any.
pub fn text(generated: &[Evaluated], given: &[Evaluated], made_by: &str) -> String {
    let mut text = figures("Generated hosts", generated);
    text += "\n";
    text += &reliability("Reliability on generated hosts", generated);
    if !given.is_empty() {
        text += "\n";
        text += &figures("Given logs, nothing else known", given);
        text += "\n";
        text += &reliability("Reliability on given logs", given);
    }
    text += &format!("\nTables: {made_by}\n");
    text
}

fn figures(title: &str, evaluated: &[Evaluated]) -> String {
    let header = [
        "method",
        "horizon, min",
        "Brier skill",
        "AP",
        "found at 0.5",
        "lead, min",
        "false alarms in 100 healthy host-days",
        "worst bin",
    ];
    let row = |evaluated: &Evaluated| {
        let cell = |get: fn(&Figures) -> f64, decimals: usize| {
            let value = get(&evaluated.figures);
            match &evaluated.interval {
                None => format!("{value:.decimals$}"),
                Some((low, high)) => {
                    let (low, high) = (get(low), get(high));
                    format!("{value:.decimals$} [{low:.decimals$}, {high:.decimals$}]")
                }
            }
        };
        vec![
            evaluated.method.to_owned(),
            evaluated.horizon.to_string(),
            cell(|f| f.brier_skill, 2),
            cell(|f| f.average_precision, 3),
            cell(|f| f.recall, 2),
            cell(|f| f.lead_min, 1),
            cell(|f| f.false_alarms, 1),
            format!("{:.2}", evaluated.worst_bin),
        ]
    };
    let rows: Vec<Vec<String>> = evaluated.iter().map(row).collect();
    let rates: Vec<String> = evaluated
        .chunk_by(|a, b| a.method == b.method)
        .next()
        .into_iter()
        .flatten()
        .map(|e| format!("{:.2e} within {} minutes", e.base_rate, e.horizon))
        .collect();
    let title = format!("{title}; a failure follows: {}", rates.join(", "));
    markdown(&title, &header.map(str::to_owned), &rows)
}

/// Stated and observed frequencies of the first method.
fn reliability(title: &str, evaluated: &[Evaluated]) -> String {
    let header = ["horizon, min", "stated", "observed", "minutes", "counts"];
    let mut rows = Vec::new();
    let first = evaluated.chunk_by(|a, b| a.method == b.method).next();
    for evaluated in first.into_iter().flatten() {
        let bins = evaluated.reliability.iter().filter(|bin| bin.minutes > 0);
        rows.extend(bins.map(|bin: &Bin| {
            vec![
                evaluated.horizon.to_string(),
                format!("{:.3}", bin.stated),
                format!("{:.3}", bin.observed),
                bin.minutes.to_string(),
                match bin.minutes >= MINUTES_MIN {
                    true => "yes".into(),
                    false => "no".into(),
                },
            ]
        }));
    }
    let method = evaluated.first().map_or("", |evaluated| evaluated.method);
    markdown(
        &format!("{title}: {method}"),
        &header.map(str::to_owned),
        &rows,
    )
}
