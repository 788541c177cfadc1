//! The risk of a host and the evidence of its sources over time.

use bellwether_core::text::duration;
use maud::{Markup, html};

use super::parts::{Page, axis, time};
use super::plot::{Columns, HEIGHT, Scale, area, line};
use crate::model::{Host, Risk, RiskSource};
use crate::words;

/// The evidence at the top of a plot, in nats: a likelihood ratio of 20,000.
const NATS_MAX: f64 = 10.0;

/// The risk over time, where it stands out.
pub fn course(host: &Host, page: &Page<'_>) -> Markup {
    let Some(risk) = host.risk.as_ref().filter(|risk| risk.stands_out()) else {
        return html! {};
    };
    let columns = Columns::new(0..risk.ten.len(), page.columns_whole);
    let label = "evidence score of a failure; arrow keys move through time";
    let step = risk.interval * columns.per as f64;
    let end = risk.start + risk.interval * (risk.ten.len() - 1) as f64;
    html! {
        article class="risk" {
            h3 { "Risk of a failure" }
            (highest(risk, page))
            div class="view low" tabindex="0" role="group" aria-label=(label) data-from=(risk.start) data-step=(step)
                data-columns=(columns.count()) data-unit="" data-per=(columns.per) data-zone=[page.clock.zone_name(risk.start)] {
                p class="readout" { output { "Point at a series, or press \u{2190} \u{2192}, to read values." } }
                (row("Within 10 minutes", &risk.ten, &columns, &Scale::SHARE, true, "alarm from 0.5"))
                (row("Within 30 minutes", &risk.thirty, &columns, &Scale::SHARE, false, "0 to 0.9"))
                @for source in &risk.sources {
                    @let scale = Scale { top: NATS_MAX, least: 0.0, most: NATS_MAX };
                    (row(words::risk_source(source.name), &source.evidence, &columns, &scale, false, &strongest(source)))
                }
                div class="row foot" aria-hidden="true" {
                    span class="name" {}
                    (axis(risk.start, end, page))
                    span class="did" { (page.clock.zone(risk.start)) }
                }
                p class="legend" {
                    "An evidence score until a site has calibrated it. Of each source: its evidence for a failure, in nats; below 0 is not drawn."
                }
            }
        }
    }
}

/// When it was highest, and what decided.
fn highest(risk: &Risk, page: &Page<'_>) -> Markup {
    let known = risk
        .ten
        .iter()
        .enumerate()
        .filter(|(_, value)| !value.is_nan());
    // Of equal ones the first.
    let highest = known.rev().max_by(|a, b| a.1.total_cmp(b.1));
    let Some((row, ten)) = highest else {
        return html! {};
    };
    let at = risk.start + risk.interval * row as f64;
    let above = risk.ten.iter().filter(|value| **value >= 0.5).count();
    let states = risk.sources.iter().filter_map(|source| {
        let state = source.states.get(row).copied().flatten()?;
        Some(format!("{}: {state}", words::risk_source(source.name)))
    });
    let states: Vec<String> = states.collect();
    html! {
        p class="verdict" {
            "Highest " (time(at, &page.clock.point(at), page.clock)) ": "
            (words::number(f64::from(*ten))) " within 10 minutes, " (words::number(f64::from(risk.thirty[row]))) " within 30"
            @if above > 0 { "; at 0.5 and more for " (duration(above as f64 * risk.interval)) }
            "."
        }
        @if !states.is_empty() { p { (states.join("; ")) "." } }
    }
}

/// The state with the most evidence.
fn strongest(source: &RiskSource) -> String {
    let known = source.evidence.iter().zip(&source.states);
    let known = known.filter(|(evidence, _)| !evidence.is_nan());
    let strongest = known.max_by(|a, b| a.0.total_cmp(b.0));
    strongest
        .and_then(|(_, state)| *state)
        .unwrap_or("unknown")
        .to_owned()
}

fn row(
    name: &str,
    values: &[f32],
    columns: &Columns,
    scale: &Scale,
    has_limit: bool,
    did: &str,
) -> Markup {
    html! {
        div class="row votes" {
            span class="name" { (name) }
            svg class="plot" viewBox=(columns.view_box()) preserveAspectRatio="none" aria-hidden="true" {
                @if has_limit { path class="limit" d={ "M-.5 " (HEIGHT / 2) "H" (columns.count()) } {} }
                path class="area" d=(area(values, columns, scale)) {}
                path class="data" data-top=(scale.top) d=(line(values, columns, scale)) {}
            }
            span class="did" { (did) }
        }
    }
}
