//! Logs and incidents on a line of time, and the episodes with their templates and records.

use std::fmt::Write as _;

use bellwether_core::event::{Event, EventKind};
use maud::{Markup, html};

use super::parts::{Page, axis, time};
use super::plot::coordinate;
use crate::model::{Host, Incident, Level, Log};
use crate::words;

/// Bars of a line of time, and of the one in a tile.
const BARS: usize = 240;
const BARS_TILE: usize = 48;
/// The height of a line of time in its own units, and of the lane at its foot in which incidents lie.
const HEIGHT: f64 = 100.0;
const LANE: f64 = 26.0;
/// The height of that lane where there is no log above it.
const LANE_ALONE: f64 = 60.0;
/// Episodes of one host that are shown.
const EPISODES_MAX: usize = 40;

/// A strip for a tile: the records of the log, and when incidents were open.
pub fn strip(host: &Host, page: &Page<'_>) -> Markup {
    let span = match (&host.log, host.span()) {
        (Some(_), Some(own)) => own,
        (None, Some(own)) => page.span_with(own),
        (_, None) => page.span,
    };
    drawing(host, span, BARS_TILE, "bars")
}

/// The timeline of a host: the number of records, the failing ones, and when incidents were open.
pub fn timeline(host: &Host, page: &Page<'_>) -> Markup {
    let span = match (&host.log, host.span()) {
        (Some(log), _) if !log.records.is_empty() => times(log),
        (_, Some(own)) => page.span_with(own),
        _ => return html! {},
    };
    html! {
        @if let Some(log) = &host.log {
            h3 { "The log" }
            p {
                (words::counted(log.records.len(), "record")) ", "
                (log.records.iter().filter(|(_, failed)| *failed).count()) " of them report a failure; "
                (words::counted(log.templates as usize, "template")) "."
            }
        }
        @if span.1 > span.0 {
            div class="time" {
                (drawing(host, span, BARS, "timeline"))
                (axis(span.0, span.1, page))
                p class="legend" {
                    @if host.log.is_some() {
                        span class="swatch said" {} "records (logarithmic) "
                        span class="swatch failed" {} "that report a failure "
                    }
                    span class="swatch lane" {} "incident open · " (page.clock.zone(span.0))
                }
            }
        }
    }
}

fn times(log: &Log) -> (f64, f64) {
    let times = log.records.iter().map(|(time, _)| *time);
    times.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), t| {
        (a.min(t), b.max(t))
    })
}

fn drawing(host: &Host, (from, to): (f64, f64), bars: usize, class: &str) -> Markup {
    let span = (to - from).max(1e-3);
    let lane = if host.log.is_some() { LANE } else { LANE_ALONE };
    let x = |time: f64| ((time - from) / span).clamp(0.0, 1.0) * bars as f64;
    let mut said = vec![0usize; bars];
    let mut failed = vec![0usize; bars];
    for (time, failure) in host.log.iter().flat_map(|log| &log.records) {
        let at = (x(*time) as usize).min(bars - 1);
        said[at] += 1;
        failed[at] += usize::from(*failure);
    }
    let most = said.iter().copied().max().unwrap_or_default().max(1) as f64;
    let path = |counts: &[usize]| {
        let mut path = String::new();
        for (at, &count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let share = (1.0 + count as f64).ln() / (1.0 + most).ln();
            let height = (share * (HEIGHT - lane)).round().max(4.0);
            write!(path, "M{at} {}h1v-{height}h-1z", HEIGHT - lane)
                .expect("writing to a string cannot fail");
        }
        path
    };
    // Those that lie below the others are drawn first.
    let mut lanes: Vec<(Level, String)> = host
        .incidents
        .iter()
        .map(|incident| {
            let left = x(incident.since());
            let right = x(incident.until().unwrap_or(to)).max(left + bars as f64 / 120.0);
            let (left, width) = (coordinate(left), coordinate(right - left));
            let top = HEIGHT - lane + 4.0;
            (
                incident.level(),
                format!("M{left} {top}h{width}V{HEIGHT}H{left}z"),
            )
        })
        .collect();
    lanes.sort_by_key(|(level, _)| *level);
    html! {
        svg class=(class) viewBox={ "0 0 " (bars) " " (HEIGHT) } preserveAspectRatio="none" aria-hidden="true" {
            path class="middle" d={ "M0 " (HEIGHT - lane + 1.0) "H" (bars) } {}
            path class="said" d=(path(&said)) {}
            path class="failed" d=(path(&failed)) {}
            @for (level, path) in lanes { path class={ "lane " (level.class()) } d=(path) {} }
        }
    }
}

/// The episodes and novelties of a log, each with what it rests on.
pub fn episodes(host: &Host, page: &Page<'_>) -> Markup {
    let of_log = |incident: &&Incident| {
        matches!(
            incident.event.kind(),
            EventKind::LogFailure | EventKind::LogNovelty
        )
    };
    let incidents: Vec<&Incident> = host.incidents.iter().filter(of_log).collect();
    html! {
        @for incident in incidents.iter().take(EPISODES_MAX) { (episode(incident, page)) }
        @if incidents.len() > EPISODES_MAX { p class="hint" { "and " (incidents.len() - EPISODES_MAX) " more episodes" } }
    }
}

/// Who said the record that raised it.
fn source(event: &Event) -> Option<String> {
    let source = event.log_source()?;
    let names = [&source.program, &source.unit, &source.tag];
    let names: Vec<_> = names
        .into_iter()
        .flatten()
        .map(|name| words::printable(name))
        .collect();
    (!names.is_empty()).then(|| names.join(", "))
}

fn episode(incident: &Incident, page: &Page<'_>) -> Markup {
    let event = &incident.event;
    let failure = event.log_failure();
    let text = |text: &str| Some(words::printable(text));
    let last = incident
        .end
        .as_ref()
        .and_then(Event::count)
        .or(event.count());
    let listed: u64 = incident.records.iter().map(|r| r.count).sum();
    let count = last.unwrap_or_default().max(listed) as usize;
    html! {
        article class={ "incident " (incident.level().class()) } {
            h3 { (words::heading(incident)) }
            p class="verdict" {
                @match failure.map(|f| f.phrase.as_str()).and_then(text) {
                    Some(phrase) => { "Matching phrase: " (phrase) "." },
                    None => (words::printable(&event.message)),
                }
                @if count > 0 && event.kind() == EventKind::LogFailure { " " (words::counted(count, "such record")) "." }
                @if failure.is_some_and(|f| f.at_startup) { " It may have begun before the recording: this was among its first records." }
            }
            p class="course" { (time(incident.since(), &words::course(incident, page.clock), page.clock)) }
            @if let Some(sample) = failure.and_then(|f| f.sample.as_deref()).and_then(text) {
                dl class="record" {
                    div { dt { "Record" } dd { code dir="auto" { (sample) } } }
                    @if let Some(source) = source(event) { div { dt { "From" } dd { (source) } } }
                    @if let Some((id, template)) = event.template() && let Some(template) = text(template) {
                        div { dt { "Template " (id) } dd { code dir="auto" { (template) } } }
                    }
                }
            }
            @if incident.records.len() > 1 {
                details class="more" {
                    summary { (words::counted(incident.records.len(), "template")) " in this episode" }
                    ol class="templates" {
                        @for records in &incident.records {
                            li {
                                span class="count" { (records.count) " ×" }
                                code dir="auto" { (words::printable(&records.template)) }
                                small { "first: " code dir="auto" { (words::printable(&records.sample)) } }
                            }
                        }
                    }
                }
            }
            @if let Some(window) = event.window() && !window.is_empty() {
                details class="more" {
                    summary { "The records before it" }
                    ol class="window" { @for line in window.lines() { li { code dir="auto" { (words::printable(line)) } } } }
                }
            }
        }
    }
}
