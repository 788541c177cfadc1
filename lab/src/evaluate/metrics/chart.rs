//! What is found of detectors for metrics, as a chart.

use super::report::{Evaluated, Report};
use super::score::Figures;
use super::tables::{Measure, by_cell};
use crate::evaluate::chart::{Axis, Chart, Line, Panel};
use crate::evaluate::sweep::Sweep;

/// A panel for each measure and cell, those of a measure together, where there is anything to show. With a sweep, by whose values the detectors of `report`
/// are in their order, these are the horizontal axis and numbers of VMs the lines; otherwise numbers of VMs are the axis and
/// detectors the lines.
pub fn chart(report: &Report, measures: &[Measure], sweep: Option<&Sweep>) -> Chart {
    let vms = report.vms();
    let (title, x) = match sweep {
        Some(Sweep(settings)) => {
            let option = settings.first().map_or("", |setting| &setting.name);
            let values = settings.iter().map(|setting| setting.value.clone());
            (format!("By {option}"), Axis::of_names(option, values))
        }
        None => (
            "By the number of VMs".to_owned(),
            Axis::of_names("VMs of a hypervisor", vms.iter().map(usize::to_string)),
        ),
    };
    let cells = report
        .detectors
        .first()
        .map(|evaluated| by_cell(&evaluated.rows));
    let cells: Vec<&str> = cells.into_iter().flatten().map(|(cell, _)| cell).collect();
    let mut groups = Vec::new();
    for &measure in measures {
        let lines = |cell: &&str| -> Vec<Line> {
            let at = |evaluated: &Evaluated, vms: usize| {
                let rows = evaluated.rows.iter();
                let mut rows = rows.filter(|row| row.cell == *cell && row.vms == Some(vms));
                let figures: Option<&Figures> = rows.next().map(|row| &row.figures);
                figures.and_then(|figures| measure.value(figures))
            };
            if sweep.is_some() {
                let line = |vms: &usize| {
                    let name = format!("{vms} VMs");
                    line(
                        name,
                        report.detectors.iter().map(|evaluated| at(evaluated, *vms)),
                    )
                };
                vms.iter().map(line).collect()
            } else {
                let line = |evaluated: &Evaluated| {
                    let values = vms.iter().map(|vms| at(evaluated, *vms));
                    line(evaluated.detector.clone(), values)
                };
                report.detectors.iter().map(line).collect()
            }
        };
        let shown = |(_, lines): &(&str, Vec<Line>)| lines.iter().any(|l| !l.points.is_empty());
        let panels = cells.iter().map(|cell| (*cell, lines(cell)));
        let panels: Vec<(&str, Vec<Line>)> = panels.filter(shown).collect();
        // One scale for all, so that they can be compared.
        let points = panels.iter().flat_map(|(_, lines)| lines);
        let points = points.flat_map(|line| &line.points);
        let most = points.map(|point| point.1).fold(0.0, f64::max);
        let most = if measure.is_share() { 1.0 } else { most };
        let panel = |(cell, lines): (&str, Vec<Line>)| Panel {
            title: cell.to_owned(),
            y: Axis::up_to(measure.title(), most),
            lines,
        };
        let panels = panels.into_iter().map(panel).collect();
        groups.push(panels);
    }
    Chart { title, x, groups }
}

/// The line through `values` at the places 0, 1, 2, ...; what cannot be said is left out.
fn line(name: String, values: impl Iterator<Item = Option<f64>>) -> Line {
    let points = (0..).map(f64::from).zip(values);
    let points = points.filter_map(|(place, value)| Some((place, value?)));
    Line {
        name,
        points: points.collect(),
    }
}
