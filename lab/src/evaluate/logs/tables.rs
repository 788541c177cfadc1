//! The figures as tables, a row for each detector.

use std::collections::BTreeSet;

use clap::ValueEnum;

use super::evaluated::Evaluated;
use super::migration::{Feasible, Fit, Plan, Share};
use super::nab::PROFILE_NAMES;
use super::operating::Operating;
use super::series::{Both, Criterion};
use crate::evaluate::table::markdown;

/// A table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Section {
    /// NAB's scores, with the correct baseline and with the published one (dissertation, table 5)
    Nab,
    /// Areas under the curve (table 4)
    Auc,
    /// False alarms, failures detected early, episodes (table 6)
    Alarms,
    /// Minutes from alarm to failure by scenario (table 7)
    Lead,
}

/// The criteria and what they are called.
pub const CRITERIA: [(Criterion, &str); 2] = [
    (Criterion::Relaxed, "relaxed"),
    (Criterion::Strict, "strict"),
];

/// The column of a table: its heading, and the figure of a detector with its path in the figures.
type Column<'a> = (String, Box<dyn Fn(&Evaluated) -> Cell + 'a>);

/// A figure, how it is printed, and where its interval is.
struct Cell {
    value: Option<f64>,
    decimals: usize,
    path: String,
}

impl Cell {
    fn new(value: Option<f64>, decimals: usize, path: String) -> Self {
        Self {
            value,
            decimals,
            path,
        }
    }

    fn print(&self, evaluated: &Evaluated) -> String {
        let Some(value) = self.value else {
            return "-".into();
        };
        let decimals = self.decimals;
        match evaluated.intervals.get(&self.path) {
            Some([low, high]) => {
                format!("{value:.decimals$} [{low:.decimals$}, {high:.decimals$}]")
            }
            None => format!("{value:.decimals$}"),
        }
    }
}

/// The tables, one after the other.
pub fn text(evaluated: &[Evaluated], sections: &[Section]) -> String {
    let tables: Vec<String> = sections.iter().map(|s| table(*s, evaluated)).collect();
    tables.join("\n")
}

fn table(section: Section, evaluated: &[Evaluated]) -> String {
    match section {
        Section::Nab => {
            let own = print(
                "NAB score; 0 is a detector without alarms",
                evaluated,
                nab("score"),
            );
            let paper = print(
                "NAB score as published, with the baseline of NAB's own data (table 5)",
                evaluated,
                nab("score_paper"),
            );
            format!("{own}\n{paper}")
        }
        Section::Auc => {
            let steps = print(
                "Area under the curve, thresholds in steps of 0.05 (table 4)",
                evaluated,
                area(evaluated, "auc", |evaluated, scenario| {
                    let both = evaluated.figures.auc.get(scenario)?;
                    Some(Both::of(|criterion| Some(*both.get(criterion))))
                }),
            );
            let exact = print(
                "Area under the curve, every threshold",
                evaluated,
                area(evaluated, "auc_exact", |evaluated, scenario| {
                    evaluated.figures.auc_exact.get(scenario).cloned()
                }),
            );
            format!("{steps}\n{exact}")
        }
        Section::Alarms => print(
            "Alarms at one threshold; the rates as published take two series for benign that are not (table 6)",
            evaluated,
            alarms(),
        ),
        Section::Lead => print(
            "Minutes from the first alarm after the injection to the failure (table 7)",
            evaluated,
            lead(evaluated),
        ),
    }
}

/// How long migrations take, and for which failures there is time.
pub fn migration(fits: &[Fit], evaluated: &[Evaluated]) -> String {
    if fits.is_empty() {
        return String::new();
    }
    let header = [
        "migration by",
        "measured",
        "s for each GiB",
        "s besides",
        "residuals, s",
        "worst, s",
        "R²",
    ];
    let row = |fit: &Fit| {
        let deviation = fit.residual_deviation;
        vec![
            fit.method.clone(),
            fit.measured.to_string(),
            format!("{:.3}", fit.seconds_per_gib),
            format!("{:.2}", fit.seconds),
            deviation.map_or_else(|| "-".into(), |s| format!("{s:.2}")),
            format!("{:.2}", fit.worst_residual),
            format!("{:.4}", fit.r_squared),
        ]
    };
    let rows: Vec<Vec<String>> = fits.iter().map(row).collect();
    let title = "How long a migration takes by the VM's memory, fitted to what was measured";
    let mut text = format!("\n{}", markdown(title, &header.map(str::to_owned), &rows));
    for evaluated in evaluated {
        text += &format!("\n{}", in_time(evaluated));
    }
    text
}

fn in_time(evaluated: &Evaluated) -> String {
    let scenarios: BTreeSet<&String> = evaluated
        .migration
        .iter()
        .flat_map(|feasible| feasible.by_scenario.keys())
        .collect();
    let mut header: Vec<String> = ["migration", "takes, s", "in time, %"]
        .map(str::to_owned)
        .to_vec();
    header.extend(scenarios.iter().map(|name| (*name).clone()));
    let row = |feasible: &Feasible| {
        let of = match feasible.plan {
            Plan::OneVm { memory_gib } => format!("one VM of {memory_gib} GiB"),
            Plan::InTurn => "all in turn".into(),
            Plan::AtOnce => "all at once".into(),
        };
        let share = |share: &Share| {
            let [low, high] = share.interval;
            format!("{:.1} [{low:.1}, {high:.1}]", share.percent)
        };
        let mut row = vec![
            format!("{}, {of}", feasible.method),
            format!("{:.1}", feasible.seconds),
            share(&feasible.all),
        ];
        let by_scenario = scenarios.iter().map(|name| feasible.by_scenario.get(*name));
        row.extend(by_scenario.map(|found| found.map_or_else(|| "-".into(), share)));
        row
    };
    let rows: Vec<Vec<String>> = evaluated.migration.iter().map(row).collect();
    let title = format!(
        "Failures with time to migrate between the first alarm and the failure: {}",
        evaluated.detector
    );
    markdown(&title, &header, &rows)
}

fn print(title: &str, evaluated: &[Evaluated], columns: Vec<Column<'_>>) -> String {
    let mut header = vec!["detector".to_owned()];
    header.extend(columns.iter().map(|column| column.0.clone()));
    let row = |evaluated: &Evaluated| {
        let cells = columns
            .iter()
            .map(|column| column.1(evaluated).print(evaluated));
        [evaluated.detector.clone()]
            .into_iter()
            .chain(cells)
            .collect()
    };
    let rows: Vec<Vec<String>> = evaluated.iter().map(row).collect();
    markdown(title, &header, &rows)
}

fn nab(which: &'static str) -> Vec<Column<'static>> {
    let mut columns: Vec<Column<'_>> = Vec::new();
    for (criterion, criterion_name) in CRITERIA {
        for profile in PROFILE_NAMES {
            let heading = format!("{criterion_name} {}", profile.replace('_', " "));
            let cell = move |evaluated: &Evaluated| {
                let nab = &evaluated.figures.nab.get(criterion)[profile];
                let value = if which == "score" {
                    nab.score
                } else {
                    nab.score_paper
                };
                Cell::new(value, 2, format!("nab.{criterion_name}.{profile}.{which}"))
            };
            columns.push((heading, Box::new(cell)));
        }
    }
    columns
}

fn area<'a>(
    evaluated: &[Evaluated],
    name: &'static str,
    get: impl Fn(&Evaluated, &str) -> Option<Both<Option<f64>>> + Copy + 'a,
) -> Vec<Column<'a>> {
    let scenarios: BTreeSet<String> = evaluated
        .iter()
        .flat_map(|evaluated| evaluated.figures.auc.keys().cloned())
        .collect();
    let mut columns: Vec<Column<'_>> = Vec::new();
    for (criterion, criterion_name) in CRITERIA {
        for scenario in scenarios.clone() {
            let heading = format!("{criterion_name} {scenario}");
            let cell = move |evaluated: &Evaluated| {
                let value = get(evaluated, &scenario).and_then(|both| *both.get(criterion));
                Cell::new(value, 3, format!("{name}.{scenario}.{criterion_name}"))
            };
            columns.push((heading, Box::new(cell)));
        }
    }
    columns
}

fn alarms() -> Vec<Column<'static>> {
    fn column(
        heading: &str,
        name: &'static str,
        decimals: usize,
        get: impl Fn(&Operating) -> Option<f64> + 'static,
    ) -> Column<'static> {
        let cell = move |evaluated: &Evaluated| {
            let path = format!("operating.{name}");
            Cell::new(get(&evaluated.figures.operating), decimals, path)
        };
        (heading.to_owned(), Box::new(cell))
    }
    vec![
        // No interval: it does not change from draw to draw.
        (
            "threshold".into(),
            Box::new(|evaluated: &Evaluated| {
                Cell::new(
                    Some(evaluated.figures.operating.threshold),
                    3,
                    String::new(),
                )
            }),
        ),
        column("false alarms, %", "fpr_percent", 4, |o| Some(o.fpr_percent)),
        column("as published", "fpr_percent_paper", 4, |o| {
            Some(o.fpr_percent_paper)
        }),
        column("false episodes", "fp_episodes", 0, |o| Some(o.fp_episodes)),
        column("detected early, %", "early_percent", 1, |o| o.early_percent),
        column("as published", "early_percent_paper", 1, |o| {
            o.early_percent_paper
        }),
        column("a minute early, %", "early_60s_percent", 1, |o| {
            o.early_60s_percent
        }),
        column("episodes", "episodes", 0, |o| Some(o.episodes)),
    ]
}

fn lead(evaluated: &[Evaluated]) -> Vec<Column<'static>> {
    let scenarios: BTreeSet<String> = evaluated
        .iter()
        .flat_map(|evaluated| evaluated.figures.operating.lead_min_mean.keys().cloned())
        .collect();
    let mut columns: Vec<Column<'_>> = Vec::new();
    for scenario in scenarios {
        for name in ["mean", "median"] {
            let heading = format!("{scenario}, {name}");
            let scenario = scenario.clone();
            let cell = move |evaluated: &Evaluated| {
                let operating = &evaluated.figures.operating;
                let values = if name == "mean" {
                    &operating.lead_min_mean
                } else {
                    &operating.lead_min_median
                };
                let path = format!("operating.lead_min_{name}.{scenario}");
                Cell::new(values.get(&scenario).copied(), 2, path)
            };
            columns.push((heading, Box::new(cell)));
        }
    }
    columns
}
