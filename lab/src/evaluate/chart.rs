//! Charts for people, as SVG: lines over one horizontal axis, in a panel for each thing that they show.

use std::fs;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context as _, Result};
use plotters::coord::Shift;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::prelude::*;

/// The size of a panel, pixels.
const PANEL: (u32, u32) = (380, 280);
/// The number of panels side by side.
const COLUMNS: usize = 4;
/// The height of the title, and of a line of the legend.
const TITLE_HEIGHT: u32 = 36;
const LEGEND_HEIGHT: u32 = 20;
/// Colors that color-blind readers can distinguish (M. Okabe, K. Ito, 2002).
const COLORS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
    RGBColor(150, 140, 20),
];

/// An axis with its ticks: places and what is written there.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    title: String,
    from: f64,
    to: f64,
    ticks: Vec<(f64, String)>,
}

impl Axis {
    /// An axis of names, at the places 0, 1, 2, ...
    pub fn of_names(title: &str, names: impl IntoIterator<Item = String>) -> Self {
        let ticks: Vec<(f64, String)> = (0..).map(f64::from).zip(names).collect();
        Self {
            title: title.to_owned(),
            from: -0.5,
            to: ticks.len() as f64 - 0.5,
            ticks,
        }
    }

    /// An axis of numbers from 0 to a round one that is `most` or more.
    pub fn up_to(title: &str, most: f64) -> Self {
        let least_step = if most > 0.0 { most / 5.0 } else { 0.2 };
        let power = 10_f64.powf(least_step.log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
        // Not to go a step too far where a division was not exact.
        let enough = |step: &f64| *step >= least_step * (1.0 - 1e-9);
        let step = steps.into_iter().find(enough).unwrap_or(10.0 * power);
        let count = (most / step - 1e-9).ceil().max(1.0);
        let decimals = (-step.log10().floor()).max(0.0) as usize;
        let ticks = (0..=count as u32).map(|tick| {
            let place = f64::from(tick) * step;
            (place, format!("{place:.decimals$}"))
        });
        Self {
            title: title.to_owned(),
            from: 0.0,
            to: count * step,
            ticks: ticks.collect(),
        }
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let share = (value - self.from) / (self.to - self.from);
        from + (share * f64::from(to - from)).round() as i32
    }

    fn key_points<H: KeyPointHint>(&self, _: H) -> Vec<f64> {
        self.ticks.iter().map(|(place, _)| *place).collect()
    }

    fn range(&self) -> Range<f64> {
        self.from..self.to
    }
}

impl ValueFormatter<f64> for Axis {
    /// What is written at the tick that is nearest to `place`.
    fn format_ext(&self, place: &f64) -> String {
        let apart = |tick: &&(f64, String)| (tick.0 - place).abs();
        let nearest = self.ticks.iter();
        let nearest = nearest.min_by(|a, b| apart(a).total_cmp(&apart(b)));
        nearest.map_or_else(String::new, |(_, label)| label.clone())
    }
}

/// A line through points.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Lines of one name have one color in all panels.
    pub name: String,
    pub points: Vec<(f64, f64)>,
}

/// Lines over the chart's horizontal axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    pub title: String,
    pub y: Axis,
    pub lines: Vec<Line>,
}

/// Panels that share the horizontal axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    pub title: String,
    pub x: Axis,
    /// Panels that belong together, each group on lines of its own.
    pub groups: Vec<Vec<Panel>>,
}

impl Chart {
    /// Writes the chart into a file.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let svg = self.svg().context("drawing the chart")?;
        fs::write(path, svg)
            .with_context(|| format!("{}: the chart cannot be written", path.display()))
    }

    /// The names of all lines, in the order in which they come.
    fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for line in self.groups.iter().flatten().flat_map(|panel| &panel.lines) {
            if !names.contains(&line.name.as_str()) {
                names.push(&line.name);
            }
        }
        names
    }

    /// The chart as SVG.
    fn svg(&self) -> Result<String> {
        let names = self.names();
        let panels = self.groups.iter().flat_map(|group| group.chunks(COLUMNS));
        let panels: Vec<&[Panel]> = panels.collect();
        let columns = panels.iter().map(|row| row.len()).max().unwrap_or(1);
        let rows = panels.len().max(1);
        let width = columns as u32 * PANEL.0;
        let panels_height = rows as u32 * PANEL.1;
        let legend_height = (names.len() as u32 + 1) * LEGEND_HEIGHT;
        let height = TITLE_HEIGHT + panels_height + legend_height;
        let mut svg = String::new();
        {
            let root = SVGBackend::with_string(&mut svg, (width, height)).into_drawing_area();
            root.fill(&WHITE)?;
            root.draw(&Text::new(self.title.clone(), (16, 12), font(17)))?;
            let (_, below) = root.split_vertically(TITLE_HEIGHT);
            let (above, legend) = below.split_vertically(panels_height);
            let areas = above.split_evenly((rows, columns));
            for (areas, panels) in areas.chunks(columns).zip(panels) {
                for (area, panel) in areas.iter().zip(panels) {
                    self.draw(area, panel, &names)?;
                }
            }
            for (at, name) in names.iter().enumerate() {
                let y = at as i32 * LEGEND_HEIGHT as i32 + LEGEND_HEIGHT as i32 / 2;
                let line = [(16, y), (46, y)];
                legend.draw(&PathElement::new(line, color(at).stroke_width(2)))?;
                legend.draw(&Circle::new((31, y), 3, dot(at)))?;
                legend.draw(&Text::new((*name).to_owned(), (54, y - 6), font(13)))?;
            }
            root.present()?;
        }
        Ok(svg)
    }

    fn draw<B>(&self, area: &DrawingArea<B, Shift>, panel: &Panel, names: &[&str]) -> Result<()>
    where
        B: DrawingBackend,
        B::ErrorType: 'static,
    {
        let (x, y) = (&self.x, &panel.y);
        let mut chart = ChartBuilder::on(area)
            .caption(&panel.title, font(14))
            .margin(10)
            .x_label_area_size(40)
            .y_label_area_size(52)
            .build_cartesian_2d(x.clone(), y.clone())?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .bold_line_style(BLACK.mix(0.15))
            .light_line_style(TRANSPARENT)
            .label_style(font(12))
            .axis_desc_style(font(12))
            .x_desc(&x.title)
            .y_desc(&y.title)
            .draw()?;
        for line in &panel.lines {
            let at = names.iter().position(|name| *name == line.name);
            let at = at.unwrap_or(0);
            chart.draw_series(LineSeries::new(
                line.points.iter().copied(),
                color(at).stroke_width(2),
            ))?;
            let dots = line.points.iter();
            chart.draw_series(dots.map(|point| Circle::new(*point, 3, dot(at))))?;
        }
        Ok(())
    }
}

fn font(size: i32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&BLACK)
}

fn color(at: usize) -> RGBColor {
    COLORS[at % COLORS.len()]
}

/// How the points of a line are drawn: rings, where its color is that of another one.
fn dot(at: usize) -> ShapeStyle {
    ShapeStyle {
        filled: at < COLORS.len(),
        ..color(at).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_of_numbers_ends_at_a_round_one() {
        for (most, to, last) in [
            (1.0, 1.0, "1.0"),
            (0.34, 0.4, "0.4"),
            (97.0, 100.0, "100"),
            (0.0103, 0.015, "0.015"),
            (0.0, 0.2, "0.2"),
        ] {
            let axis = Axis::up_to("x", most);
            assert!((axis.to - to).abs() < 1e-12, "{most}: {}", axis.to);
            assert_eq!(axis.ticks.last().unwrap().1, last, "{most}");
        }
    }

    #[test]
    fn a_chart_has_every_panel_tick_and_name_and_one_color_a_name() {
        let panel = |title: &str, lines: &[&str]| Panel {
            title: title.to_owned(),
            y: Axis::up_to("F1", 1.0),
            lines: lines
                .iter()
                .map(|name| Line {
                    name: (*name).to_owned(),
                    points: vec![(0.0, 0.5), (1.0, 1.0)],
                })
                .collect(),
        };
        let chart = Chart {
            title: "Faults & alarms".into(),
            x: Axis::of_names("VMs", ["5".to_owned(), "thirty".to_owned()]),
            groups: vec![
                vec![panel("easy", &["rank"])],
                vec![panel("hard", &["zscore", "rank"])],
            ],
        };
        assert_eq!(chart.names(), ["rank", "zscore"]);
        let svg = chart.svg().unwrap();
        let page = scraper::Html::parse_document(&svg);
        let selector = scraper::Selector::parse("text").unwrap();
        let texts: Vec<String> = page
            .select(&selector)
            .map(|text| text.text().collect::<String>().trim().to_owned())
            .collect();
        for text in [
            "Faults & alarms",
            "easy",
            "hard",
            "VMs",
            "F1",
            "0.8",
            "thirty",
            "rank",
            "zscore",
        ] {
            assert!(texts.iter().any(|t| t == text), "{text}: {texts:?}");
        }
        let lines = scraper::Selector::parse("polyline[stroke=\"#0072B2\"]").unwrap();
        // Both panels and the legend.
        assert_eq!(page.select(&lines).count(), 3);
    }
}
