//! The tables that people read.

use anyhow::{Context as _, Result};
use clap::ValueEnum;

use super::evaluation::Row;
use super::report::{Evaluated, Report};
use super::score::Figures;
use crate::evaluate::table::markdown;

/// The days of a month, on average.
pub const MONTH_DAYS: f64 = 365.25 / 12.0;

/// What a table may be about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Measure {
    /// Harmonic mean of precision and recall
    F1,
    /// Share of the hypervisors with alarms that are true positives
    Precision,
    /// Share of the faults that were detected
    Recall,
    /// Median number of rows from the beginning of a fault to the alarm
    Delay,
    /// False alarms per 1000 days of one hypervisor
    FalseAlarms,
    /// False alarms per month, as in the option false_alarms_per_month
    FalseAlarmsPerMonth,
    /// Percentage of the hypervisors with a false alarm
    FalseShare,
}

impl Measure {
    /// What it is called.
    pub fn title(self) -> &'static str {
        match self {
            Self::F1 => "F1",
            Self::Precision => "Precision",
            Self::Recall => "Recall",
            Self::Delay => "Median delay, rows",
            Self::FalseAlarms => "False alarms in 1000 hypervisor-days",
            Self::FalseAlarmsPerMonth => "False alarms a month of a hypervisor",
            Self::FalseShare => "Hypervisors with a false alarm, %",
        }
    }

    /// Whether it is at most 1.
    pub fn is_share(self) -> bool {
        matches!(self, Self::F1 | Self::Precision | Self::Recall)
    }

    /// Its value, where it can be said.
    pub fn value(self, figures: &Figures) -> Option<f64> {
        match self {
            Self::F1 => f1(figures),
            Self::Precision => figures.precision,
            Self::Recall => figures.recall,
            Self::Delay => figures.delay_median,
            Self::FalseAlarms => figures.false_alarms_per_1000_days,
            Self::FalseAlarmsPerMonth => {
                let rate = figures.false_alarms_per_1000_days;
                rate.map(|rate| rate * MONTH_DAYS / 1000.0)
            }
            Self::FalseShare => Some(false_share(figures)),
        }
    }

    fn cell(self, figures: &Figures) -> String {
        let digits = match self {
            Self::FalseAlarmsPerMonth => 2,
            measure if measure.is_share() => 2,
            _ => 1,
        };
        number(self.value(figures), digits)
    }
}

/// F1, where there are faults to find: without them any false alarm makes it 0, which says nothing.
fn f1(figures: &Figures) -> Option<f64> {
    figures.f1.filter(|_| figures.tp + figures.fn_ > 0)
}

/// A number, or a dash.
pub fn number(value: Option<f64>, digits: usize) -> String {
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
    for evaluated in &report.detectors {
        for (first, of_cell) in by_cell(&evaluated.rows) {
            let mut cells = vec![evaluated.detector.clone(), first.to_owned()];
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
        for evaluated in &report.detectors {
            let row = &evaluated.rows[at];
            let figures = &row.figures;
            rows.push(vec![
                place.cell.clone(),
                place
                    .vms
                    .map_or_else(|| "all".to_owned(), |n| n.to_string()),
                evaluated.detector.clone(),
                figures.n.to_string(),
                ranged(figures, "f1", f1(figures), 2),
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

/// What a change of a figure has to be above to count: a hypervisor on the border may be evaluated otherwise by other arithmetic.
const LEAST_CHANGE: f64 = 0.005;

/// A measure that is compared: its heading, how to say it, and its value, more being better.
type Compared = (&'static str, Measure, fn(&Figures) -> Option<f64>);

const COMPARED: [Compared; 5] = [
    ("F1", Measure::F1, f1),
    ("precision", Measure::Precision, |f| f.precision),
    ("recall", Measure::Recall, |f| f.recall),
    ("delay", Measure::Delay, |f| f.delay_median.map(|d| -d)),
    ("false, %", Measure::FalseShare, |f| {
        Some(-false_share(f) / 100.0)
    }),
];

/// Two evaluations of one detector side by side, and how many of the scenarios got worse: by F1 where there are faults,
/// otherwise by false alarms. Where they are the same, only that is said of a number of VMs.
///
/// # Errors
/// Figures before of what was not evaluated again.
pub fn compare(before: &Evaluated, after: &Evaluated) -> Result<(String, usize)> {
    let mut header = vec!["scenario".to_owned(), "VMs".to_owned()];
    for (name, ..) in COMPARED {
        header.extend([format!("{name} before"), "after".to_owned()]);
    }
    header.push(String::new());
    let (mut rows, mut worse) = (Vec::new(), 0);
    for then in &before.rows {
        let same_place = |row: &&Row| row.cell == then.cell && row.vms == then.vms;
        let now = after.rows.iter().find(same_place).with_context(|| {
            let vms = then.vms.map_or_else(|| "all".to_owned(), |n| n.to_string());
            format!(
                "it has figures of \"{}\" with {vms} VMs, of which it makes no hypervisors",
                then.cell
            )
        })?;
        let gain = |value: fn(&Figures) -> Option<f64>| {
            let (then, now) = (value(&then.figures), value(&now.figures));
            then.zip(now).map_or(0.0, |(then, now)| now - then)
        };
        let evaluated_by = if f1(&then.figures).is_some() { 0 } else { 4 };
        let verdict = match gain(COMPARED[evaluated_by].2) {
            gain if gain < -LEAST_CHANGE => "worse",
            gain if gain > LEAST_CHANGE => "better",
            _ => "",
        };
        if then.vms.is_some() && COMPARED.iter().all(|(.., value)| gain(*value) == 0.0) {
            continue;
        }
        worse += usize::from(then.vms.is_none() && verdict == "worse");
        let vms = then.vms.map_or_else(|| "all".to_owned(), |n| n.to_string());
        let mut cells = vec![then.cell.clone(), vms];
        for (_, measure, _) in COMPARED {
            cells.extend([measure.cell(&then.figures), measure.cell(&now.figures)]);
        }
        cells.push(verdict.to_owned());
        rows.push(cells);
    }
    Ok((markdown(&after.detector, &header, &rows), worse))
}

fn false_share(figures: &Figures) -> f64 {
    100.0 * figures.fp as f64 / figures.n.max(1) as f64
}

/// The rows of each cell, in the order of the cells.
pub fn by_cell(rows: &[Row]) -> Vec<(&str, Vec<&Row>)> {
    let mut cells: Vec<(&str, Vec<&Row>)> = Vec::new();
    for row in rows {
        match cells.last_mut() {
            Some((cell, of)) if *cell == row.cell => of.push(row),
            _ => cells.push((&row.cell, vec![row])),
        }
    }
    cells
}
