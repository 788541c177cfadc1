//! The tables that people read.

use clap::ValueEnum;

use super::Report;
use super::score::Figures;
use crate::evaluate::table::markdown;

/// What a table may be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Measure {
    /// Harmonic mean of precision and recall
    F1,
    /// Share of the hypervisors with alarms that have a fault with one inside
    Precision,
    /// Share of the faults that were found
    Recall,
    /// Median of the rows from a fault's beginning to the alarm
    Delay,
    /// False alarms in 1000 days of one hypervisor
    FalseAlarms,
    /// Share of the hypervisors that have a false alarm, percent
    FalseShare,
}

impl Measure {
    fn title(self) -> &'static str {
        match self {
            Self::F1 => "F1",
            Self::Precision => "Precision",
            Self::Recall => "Recall",
            Self::Delay => "Median delay, rows",
            Self::FalseAlarms => "False alarms in 1000 hypervisor-days",
            Self::FalseShare => "Hypervisors with a false alarm, %",
        }
    }

    fn cell(self, figures: &Figures) -> String {
        match self {
            Self::F1 => number(figures.f1, 2),
            Self::Precision => number(figures.precision, 2),
            Self::Recall => number(figures.recall, 2),
            Self::Delay => number(figures.delay_median, 1),
            Self::FalseAlarms => number(figures.false_alarms_per_1000_days, 1),
            Self::FalseShare => {
                number(Some(100.0 * figures.fp as f64 / figures.n.max(1) as f64), 1)
            }
        }
    }
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.digits$}"))
}

/// A number with its confidence interval, where that says more than the number.
fn ranged(figures: &Figures, name: &str, value: Option<f64>, digits: usize) -> String {
    match figures.intervals.get(name) {
        Some([low, high]) if value.is_some() && low < high => format!(
            "{} [{low:.digits$}, {high:.digits$}]",
            number(value, digits)
        ),
        _ => number(value, digits),
    }
}

/// One measure: a row for each detector and cell, a column for each number of VMs.
pub fn pivot(report: &Report, measure: Measure) -> String {
    let vms = report.vms();
    let mut header = vec!["detector".to_owned(), "scenario".to_owned()];
    header.extend(vms.iter().map(|n| format!("{n} VMs")));
    header.push("all".to_owned());
    let mut rows = Vec::new();
    for judged in &report.detectors {
        for (first, of_cell) in by_cell(&judged.rows) {
            let mut cells = vec![judged.detector.clone(), first.to_owned()];
            let columns = vms.iter().map(|n| Some(*n)).chain([None]);
            cells.extend(columns.map(|vms| {
                let row = of_cell.iter().find(|row| row.vms == vms);
                row.map_or_else(|| "–".to_owned(), |row| measure.cell(&row.figures))
            }));
            rows.push(cells);
        }
    }
    markdown(measure.title(), &header, &rows)
}

/// All measures: a row for each cell, number of VMs and detector.
pub fn full(report: &Report) -> String {
    let header = [
        "scenario",
        "VMs",
        "detector",
        "n",
        "F1",
        "precision",
        "recall",
        "delay",
        "p90",
        "false alarms",
    ]
    .map(str::to_owned);
    let Some(first) = report.detectors.first() else {
        return String::new();
    };
    let mut rows = Vec::new();
    for (at, place) in first.rows.iter().enumerate() {
        for judged in &report.detectors {
            let row = &judged.rows[at];
            let figures = &row.figures;
            rows.push(vec![
                place.cell.clone(),
                place
                    .vms
                    .map_or_else(|| "all".to_owned(), |n| n.to_string()),
                judged.detector.clone(),
                figures.n.to_string(),
                ranged(figures, "f1", figures.f1, 2),
                ranged(figures, "precision", figures.precision, 2),
                ranged(figures, "recall", figures.recall, 2),
                number(figures.delay_median, 1),
                number(figures.delay_p90, 1),
                ranged(
                    figures,
                    "false_alarms_per_1000_days",
                    figures.false_alarms_per_1000_days,
                    1,
                ),
            ]);
        }
    }
    let title =
        "Delays in rows, false alarms in 1000 days of one hypervisor, 95 % confidence in brackets.";
    markdown(title, &header, &rows)
}

/// The rows of each cell, in the order of the cells.
fn by_cell(rows: &[super::Row]) -> Vec<(&str, Vec<&super::Row>)> {
    let mut cells: Vec<(&str, Vec<&super::Row>)> = Vec::new();
    for row in rows {
        match cells.last_mut() {
            Some((cell, of)) if *cell == row.cell => of.push(row),
            _ => cells.push((&row.cell, vec![row])),
        }
    }
    cells
}
