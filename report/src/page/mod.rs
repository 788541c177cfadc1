//! The page: one HTML file that loads nothing.
//!
//! All text from outside goes through the templates' escaping. A Content-Security-Policy allows the page's own style and
//! script by their hashes and nothing else, so that even a hole in the escaping would let nothing run or load.

mod dashboard;
mod log;
mod parts;
mod pinpoint;
mod plot;
mod risk;
mod view;

use std::cell::Cell;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bellwether_core::event::EventKind;
use bellwether_core::text::duration;
use bellwether_records::clock::Clock;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use crate::model::{Host, Incident, Level, Report};
use crate::words;
use parts::{Page, badge, pinpoints, time};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// Columns of all plots together, about, and of one plot: what keeps the page small however many VMs there are.
const COLUMNS_ALL: usize = 72_000;
const COLUMNS_MIN: usize = 24;
const COLUMNS_MAX: usize = 480;
/// With more VMs than this, the series of hosts without incidents are not drawn.
const VMS_DRAWN_MAX: usize = 6_000;
/// VMs of all anomalies together that are shown with their series.
const PINPOINT_VMS_MAX: usize = 3_000;
/// Hosts that are shown unfolded.
const UNFOLDED_MAX: usize = 3;

/// A source expression of a Content-Security-Policy that allows exactly this text.
fn source(text: &str) -> String {
    format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(text)))
}

/// The page of a report, as HTML.
pub fn render(report: &Report, title: &str, clock: &Clock) -> String {
    let policy = format!(
        "default-src 'none'; script-src {}; style-src {}; base-uri 'none'; form-action 'none'",
        source(SCRIPT),
        source(STYLE)
    );
    let page = Page {
        clock,
        span: span(report),
        columns_whole: columns(report.hosts.iter().map(vms).sum()),
        columns_near: columns(report.hosts.iter().map(pinpointed_vms).sum()),
        draws_sound: report.hosts.iter().map(vms).sum::<usize>() <= VMS_DRAWN_MAX,
        vms_left: Cell::new(PINPOINT_VMS_MAX),
        numbers: Cell::new(0),
    };
    let title = words::printable(title);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                meta name="generator" content={ "bellwether " (bellwether_core::VERSION) };
                title { (title) }
                style { (PreEscaped(STYLE)) }
                script { (PreEscaped(SCRIPT)) }
            }
            body {
                a class="skip" href="#hosts" { "Skip to the hosts" }
                (header(report, &title, &page))
                main {
                    (dashboard::dashboard(report, &page))
                    section id="hosts" aria-label="Hosts in detail" {
                        @for (at, host) in report.hosts.iter().enumerate() {
                            (host_section(host, at, report, &page))
                        }
                    }
                }
                (footer(report))
            }
        }
    }
    .into_string()
}

/// How many columns a series gets where there are `vms` of them.
fn columns(vms: usize) -> usize {
    (COLUMNS_ALL / vms.max(1)).clamp(COLUMNS_MIN, COLUMNS_MAX)
}

fn vms(host: &Host) -> usize {
    host.recording
        .as_ref()
        .map_or(0, |recording| recording.vms.len())
}

fn pinpointed_vms(host: &Host) -> usize {
    pinpoints(host).count() * vms(host)
}

fn span(report: &Report) -> (f64, f64) {
    let spans = report.hosts.iter().filter_map(Host::span);
    // A recording without a date and a log with one have no time in common.
    let dated: Vec<_> = spans.clone().filter(|s| !Clock::is_elapsed(s.1)).collect();
    let spans: Vec<_> = if dated.is_empty() {
        spans.collect()
    } else {
        dated
    };
    let join = |a: (f64, f64), b: (f64, f64)| (a.0.min(b.0), a.1.max(b.1));
    spans.into_iter().reduce(join).unwrap_or((0.0, 0.0))
}

fn header(report: &Report, title: &str, page: &Page<'_>) -> Markup {
    let (level, summary) = words::summary(report);
    let vms: usize = report.hosts.iter().map(vms).sum();
    html! {
        header {
            div class="bar" {
                h1 { bdi { (title) } }
                button type="button" class="theme" aria-live="polite" { "Theme: system" }
            }
            p class={ "summary " (level.class()) } {
                span class="sign" aria-hidden="true" { (level.sign()) }
                span { (summary) }
            }
            p class="facts" {
                (words::counted(report.hosts.len(), "host"))
                @if vms > 0 { " with " (words::counted(vms, "VM")) }
                @if page.span.1 > page.span.0 {
                    " · " (page.clock.range(page.span.0, page.span.1)) " (" (duration(page.span.1 - page.span.0)) ")"
                }
            }
        }
    }
}

fn footer(report: &Report) -> Markup {
    html! {
        footer {
            @for source in &report.sources { p { "Made from " (words::printable(source)) "." } }
            @for warning in &report.warnings { p class="warning" { "Note: " (words::printable(warning)) "." } }
            p { "bellwether " (bellwether_core::VERSION) }
        }
    }
}

fn host_section(host: &Host, at: usize, report: &Report, page: &Page<'_>) -> Markup {
    let level = host.level();
    let open = at < UNFOLDED_MAX && (level >= Level::Silence || report.hosts.len() <= UNFOLDED_MAX);
    html! {
        details class="host" id={ "h" (at) } open[open] {
            summary {
                h2 { bdi { (words::printable(&host.name)) } }
                (badge(level))
                span class="brief" { (brief(host, page)) }
            }
            div class="inside" {
                @if host.incidents.is_empty() { p class="verdict" { (words::nothing(host, page.clock)) } }
                (risk::course(host, page))
                @if host.recording.is_none() { (log::timeline(host, page)) }
                (pinpoint::incidents(host, page))
                @if let Some(recording) = &host.recording {
                    @if page.draws_sound || !host.incidents.is_empty() {
                        (pinpoint::whole(host, recording, page))
                    } @else {
                        p class="hint" {
                            "The series are not drawn because there are too many. A report of this host alone shows them."
                        }
                    }
                }
                @if host.recording.is_some() && host.log.is_some() { (log::timeline(host, page)) }
                (log::episodes(host, page))
                (workloads(host, page))
            }
        }
    }
}

/// The text beside the name of a folded host.
fn brief(host: &Host, page: &Page<'_>) -> Markup {
    html! {
        @if let Some(worst) = host.worst() {
            (time(worst.since(), &page.clock.point(worst.since()), page.clock))
            @match worst.until() {
                Some(until) => { ", for " (duration(until - worst.since())) },
                None => ", still open at the end",
            }
            @let more = host.incidents.len() - 1;
            @if more > 0 { "; " (more) " more" }
        } @else if let Some(recording) = &host.recording {
            (words::counted(recording.vms.len(), "VM"))
        }
    }
}

/// The workload changes of a host.
fn workloads(host: &Host, page: &Page<'_>) -> Markup {
    let of_workload = |i: &&Incident| i.event.kind() == EventKind::WorkloadChange;
    let changes: Vec<&Incident> = host.incidents.iter().filter(of_workload).collect();
    pinpoint::listed("Workload changes", &changes, page)
}

#[cfg(test)]
mod tests;
