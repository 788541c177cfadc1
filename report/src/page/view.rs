//! The series of a recording over time, below each other: votes, score, and a row a VM with its change points.

use std::fmt::Write as _;

use bellwether_core::event::{Direction, EventKind};
use maud::{Markup, html};

use super::parts::{Page, axis};
use super::plot::{Columns, HEIGHT, Scale, area, coordinate, line};
use crate::model::{Incident, Recording, Vm, Vote};
use crate::words;

/// A name longer than this keeps its last characters when it is cut: they are what distinguishes it from others.
const NAME_CUT: usize = 16;
const NAME_TAIL: usize = 8;
/// The height of the mark of a change point.
const MARK: i32 = 52;

/// The series of a recording over some of its rows.
pub struct View<'a> {
    /// The recording.
    pub recording: &'a Recording,
    /// Which rows, and how they become columns.
    pub columns: Columns,
    /// The incident that it is about, where it is about one.
    pub incident: Option<&'a Incident>,
    /// The page.
    pub page: &'a Page<'a>,
    /// The id of what stands behind all series.
    pub background: String,
}

impl View<'_> {
    /// The frame that the cursor moves in.
    pub fn frame(&self, inside: Markup) -> Markup {
        let recording = self.recording;
        let rows = &self.columns.rows;
        let metric = words::metric(&recording.metric);
        let step = recording.interval * self.columns.per as f64;
        let label = format!(
            "{metric} of {}; arrow keys move through time",
            words::counted(recording.vms.len(), "VM")
        );
        html! {
            div class={ "view " (size(recording.vms.len())) } tabindex="0" role="group" aria-label=(label) data-from=(recording.time(rows.start)) data-step=(step)
                data-columns=(self.columns.count()) data-unit=(recording.unit()) data-per=(self.columns.per)
                data-zone=[self.page.clock.zone_name(recording.start)] {
                (inside)
            }
        }
    }

    /// Where a row's left edge is, as a coordinate.
    fn x(&self, row: usize) -> String {
        let most = self.columns.count() as f64 - 0.5;
        coordinate(self.columns.edge(row).clamp(-0.5, most))
    }

    /// What stands behind all series, and the votes and the score over time.
    pub fn head(&self, incidents: &[Incident]) -> Markup {
        let recording = self.recording;
        let (consensus, score) = (&recording.consensus, &recording.score);
        let raised = self.incident.map(|i| &i.event);
        html! {
            p class="readout" { output { "Point at a series, or press \u{2190} \u{2192}, to read values." } }
            svg class="defs" aria-hidden="true" { defs { g id=(self.background) { (self.bands(incidents)) } } }
            div class="row votes" {
                span class="name" { "VMs changing alike" }
                svg class="plot" viewBox=(self.columns.view_box()) preserveAspectRatio="none" aria-hidden="true" {
                    use href={ "#" (self.background) } {}
                    path class="area" d=(area(consensus, &self.columns, &Scale::SHARE)) {}
                    path class="data" data-top="1" d=(line(consensus, &self.columns, &Scale::SHARE)) {}
                }
                span class="did" {
                    @if let Some((agreeing, voters)) = raised.and_then(words::agreement) { (agreeing) " of " (voters) " at the alarm" }
                    @else { "0 to 100 %" }
                }
            }
            div class="row votes" {
                span class="name" { "Alarm score" }
                svg class="plot" viewBox=(self.columns.view_box()) preserveAspectRatio="none" aria-hidden="true" {
                    use href={ "#" (self.background) } {}
                    path class="limit" d={ "M-.5 " (HEIGHT / 2) "H" (self.columns.count()) } {}
                    path class="area" d=(area(score, &self.columns, &Scale::SHARE)) {}
                    path class="data" data-top="1" d=(line(score, &self.columns, &Scale::SHARE)) {}
                }
                span class="did" { "alarm from 0.5" }
            }
        }
    }

    /// When incidents are open, where the change points of the one at hand overlap, and when it was raised.
    fn bands(&self, incidents: &[Incident]) -> Markup {
        let recording = self.recording;
        let rows = &self.columns.rows;
        let is_anomaly = |i: &&Incident| i.event.kind() == EventKind::HypervisorAnomaly;
        let band = |from: usize, to: usize| {
            let (a, b) = (
                from.clamp(rows.start, rows.end),
                to.clamp(rows.start, rows.end),
            );
            (a < b).then(|| format!("M{} 0H{}V{HEIGHT}H{0}Z", self.x(a), self.x(b)))
        };
        let open = incidents.iter().filter(is_anomaly).filter_map(|i| {
            let until = i.until().map_or(recording.rows(), |t| recording.row(t));
            band(recording.row(i.since()), until)
        });
        let open: String = open.collect();
        let mut raised = String::new();
        for incident in incidents.iter().filter(is_anomaly) {
            let row = recording.row(incident.since());
            if rows.contains(&row) {
                write!(raised, "M{} 0V{HEIGHT}", self.x(row))
                    .expect("writing to a string cannot fail");
            }
        }
        let over = self.incident.and_then(|i| {
            let (first, last) = words::overlap(i, recording)?;
            band(recording.row(first), recording.row(last) + 1)
        });
        html! {
            @if !open.is_empty() { path class="open" d=(open) {} }
            @if let Some(over) = over { path class="over" d=(over) {} }
            @if !raised.is_empty() { path class="raise" d=(raised) {} }
        }
    }

    /// A VM's series, with what it did.
    pub fn vm(&self, vm: &Vm, vote: Option<&Vote>) -> Markup {
        let scale = Scale::of(&vm.values[self.columns.rows.clone()]);
        let unit = self.recording.unit();
        let changes = vm
            .changes
            .iter()
            .filter(|c| self.columns.rows.contains(&c.row));
        let marks: String = changes
            .clone()
            .map(|change| {
                let x = coordinate(self.columns.edge(change.row) + 0.5);
                if change.after >= change.before {
                    format!("M{x} 0v{MARK}")
                } else {
                    format!("M{x} {HEIGHT}v-{MARK}")
                }
            })
            .collect();
        let agrees = vote.is_some_and(|v| v.agrees);
        html! {
            li class={ "row" @if agrees { " agrees" } } {
                span class="name" {
                    (name(&vm.name))
                    small { @if let Some(scale) = &scale { (words::number(scale.least)) "\u{2013}" (words::number(scale.most)) (unit) } }
                }
                svg class="plot" viewBox=(self.columns.view_box()) preserveAspectRatio="none" aria-hidden="true" {
                    use href={ "#" (self.background) } {}
                    @if let Some(scale) = &scale {
                        path class="data" data-top=(coordinate(scale.top)) d=(line(&vm.values, &self.columns, scale)) {}
                        @if !marks.is_empty() { path class="mark" d=(marks) {} }
                        @if let Some(levels) = self.levels(vote, scale) { path class="levels" d=(levels) {} }
                    }
                }
                span class="did" {
                    @match (vote, self.incident) {
                        (Some(vote), Some(incident)) => (did(vote, incident, unit)),
                        _ => @match changes.count() {
                            0 => "no change",
                            n => (words::counted(n, "change")),
                        },
                    }
                }
            }
        }
    }

    /// The levels before and after the change of a VM that agrees.
    fn levels(&self, vote: Option<&Vote>, scale: &Scale) -> Option<String> {
        let (vote, incident) = (vote.filter(|v| v.agrees)?, self.incident?);
        if incident.direction() == Some(Direction::Frozen) {
            return None;
        }
        let step = vote.step?;
        let raised = self.recording.row(incident.event.time.secs());
        let from = raised.saturating_sub(3 * incident.present);
        Some(format!(
            "M{} {}H{}V{}H{}",
            self.x(from),
            scale.y(step.before),
            self.x(step.row),
            scale.y(step.after),
            self.x(raised + incident.present + 1),
        ))
    }
}

/// A VM's name, which keeps its end where it is too long.
fn name(name: &str) -> Markup {
    let name = words::printable(name);
    let length = name.chars().count();
    let cut = name.char_indices().nth(length.saturating_sub(NAME_TAIL));
    html! {
        @match cut {
            Some((cut, _)) if length > NAME_CUT => bdi title=(name) { span { (name[..cut]) } span { (name[cut..]) } },
            _ => bdi { (name) },
        }
    }
}

/// What a VM did when an incident was raised, in words.
fn did(vote: &Vote, incident: &Incident, unit: &str) -> Markup {
    if incident.direction() == Some(Direction::Frozen) {
        return html! { @if vote.agrees { "\u{2744} frozen" } @else { "moves" } };
    }
    let (Some(step), Some(_)) = (&vote.step, vote.shift) else {
        return html! { span class="quiet" { "did not vote" } };
    };
    let (sign, text) = words::step(step);
    html! {
        @if vote.agrees {
            strong { (sign) " " (text) }
            small { (words::number(step.before)) " \u{2192} " (words::number(step.after)) (unit) }
        } @else if vote.follows {
            (sign) " " (text) small { "after the alarm" }
        } @else {
            span class="quiet" { "does not agree" }
        }
    }
}

impl View<'_> {
    /// The axis and what the marks mean.
    pub fn foot(&self) -> Markup {
        let recording = self.recording;
        let rows = &self.columns.rows;
        let (from, to) = (
            recording.time(rows.start),
            recording.time(rows.end) - recording.interval / 2.0,
        );
        html! {
            div class="row foot" aria-hidden="true" {
                span class="name" {}
                (axis(from, to, self.page))
                span class="did" { (self.page.clock.zone(recording.start)) }
            }
            p class="legend" {
                @if self.incident.is_some() {
                    span class="swatch over" {} "where the changes overlap "
                    span class="swatch levels" {} "level before and after "
                }
                span class="swatch raise" {} "alarm raised "
                span class="swatch open" {} "incident open "
                span class="swatch mark" {} "change point: at the top the VM rose, at the bottom it fell. "
                "Each series has its own scale from 0."
            }
        }
    }
}

/// The class of the rows' height: few VMs get more room.
fn size(vms: usize) -> &'static str {
    match vms {
        ..=6 => "tall",
        7..=16 => "middle",
        17..=36 => "low",
        _ => "flat",
    }
}
