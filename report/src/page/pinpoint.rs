//! PinPoint: the series of the VMs with their change points, where these overlap, the votes, and the verdict in words
//! (lecture, "PinPoint Visualization").

use std::ops::Range;

use bellwether_core::event::{Cause, Event, EventKind};
use bellwether_core::text::{duration, split_list};
use maud::{Markup, html};

use super::parts::{Page, pinpoints, time};
use super::plot::{Columns, coordinate};
use super::view::View;
use crate::model::{Host, Incident, Recording};
use crate::words;

/// The most incidents of one host that are shown in detail, the worst ones; and the most of the others that are listed.
const ARTICLES_MAX: usize = 4;
const LISTED_MAX: usize = 60;
/// Around an incident are shown so many presents before and after the alarm, and so many rows at least and at most.
const PRESENTS_AROUND: usize = 8;
const ROWS_AROUND: Range<usize> = 40..400;
/// An incident that fills this share of the recording is shown with all of it.
const NEARLY_ALL: f64 = 0.85;

/// The incidents of the metrics, each with what it rests on.
pub fn incidents(host: &Host, page: &Page<'_>) -> Markup {
    let of_metrics = |incident: &&Incident| {
        matches!(
            incident.event.kind(),
            EventKind::HypervisorAnomaly
                | EventKind::HypervisorSilence
                | EventKind::CollectorSilence
                | EventKind::FleetChange
        )
    };
    let mut first = host.worst_first();
    first.retain(of_metrics);
    first.truncate(ARTICLES_MAX);
    let is_first = |incident: &&Incident| first.iter().any(|f| std::ptr::eq(*f, *incident));
    let of_vms = host.incidents.iter().filter(of_metrics);
    let more: Vec<&Incident> = of_vms.filter(|i| !is_first(i)).collect();
    html! {
        @for incident in &first {
            @let is_drawn = pinpoints(host).any(|drawn| std::ptr::eq(drawn, *incident));
            (article(host, incident, is_drawn, page))
        }
        (listed("More incidents", &more, page))
    }
}

/// Incidents, a line each.
pub fn listed(heading: &str, incidents: &[&Incident], page: &Page<'_>) -> Markup {
    html! {
        @if !incidents.is_empty() {
            details class="part" {
                summary { h3 { (heading) } " " span class="brief" { (incidents.len()) } }
                ul class="lines" {
                    @for incident in incidents.iter().take(LISTED_MAX) {
                        li {
                            (time(incident.since(), &page.clock.point(incident.since()), page.clock))
                            @if let Some(until) = incident.until() { ", for " (duration(until - incident.since())) }
                            ": " (words::printable(&incident.event.message))
                        }
                    }
                    @if incidents.len() > LISTED_MAX { li { "and " (incidents.len() - LISTED_MAX) " more" } }
                }
            }
        }
    }
}

fn article(host: &Host, incident: &Incident, is_drawn: bool, page: &Page<'_>) -> Markup {
    let event = &incident.event;
    let recording = host.recording.as_ref();
    html! {
        article class={ "incident " (incident.level().class()) } {
            h3 { (words::heading(incident)) }
            p class="verdict" { (words::what(incident, recording, page.clock)) }
            @if let Some(why) = words::why(incident) { p { (why) } }
            p class="course" { (time(incident.since(), &words::course(incident, page.clock), page.clock)) }
            @if let Some(recording) = recording && is_drawn {
                (near(recording, incident, page))
            } @else if let Some(vms) = event.common_change().map(|c| &c.changed_vms).filter(|vms| !vms.is_empty()) {
                p class="hint" {
                    "VMs that changed the most: "
                    @for vm in split_list(vms) { bdi class="vmname" { (words::printable(&vm)) } " " }
                }
            }
            (evidence(event))
        }
    }
}

/// The three terms of attribution, each with a bar, a number and what it means (lecture, "Reasoning").
fn evidence(event: &Event) -> Markup {
    let change = event.common_change();
    let agreeing = words::agreement(event).map_or(String::new(), |(agreeing, voters)| {
        format!("{agreeing} of {voters} VMs changed the same way")
    });
    let terms = [
        (
            "Consensus",
            change.map(|c| c.consensus.get()),
            agreeing.as_str(),
            "high points to the host",
        ),
        (
            "Distinctiveness",
            change.map(|c| c.distinctiveness.get()),
            "how unlike its own past each VM behaved",
            "high points to the host",
        ),
        (
            "Consistency",
            change.map(|c| c.consistency.get()),
            "how much of it the host has shown before",
            "low points to the host",
        ),
    ];
    let cause = match change.map(|c| c.cause) {
        Some(Cause::External) => "external: the host",
        Some(Cause::Internal) => "internal: the workload",
        Some(Cause::Fleet) => "the fleet: many hosts changed",
        None => "",
    };
    html! {
        @if change.is_some() {
            dl class="evidence" {
                @for (term, share, meaning, side) in terms {
                    @if let Some(share) = share {
                        div {
                            dt { (term) " " strong { (words::percent(share)) } }
                            dd {
                                svg class="share" aria-hidden="true" { rect width={ (coordinate(100.0 * share)) "%" } height="100%" {} }
                                (meaning) "; " (side)
                            }
                        }
                    }
                }
                div {
                    dt { "Cause " strong { (cause) } }
                    dd { "score " (words::number(event.score.get())) "; an alarm needs 0.5"
                        @if let Some(channel) = change.map(|c| &c.channel) { "; detected on the scale \u{201c}" (words::printable(channel)) "\u{201d}" } }
                }
            }
        }
    }
}

/// The rows around an incident.
fn rows_around(recording: &Recording, incident: &Incident) -> Range<usize> {
    let raised = recording.row(incident.event.time.secs());
    let around = (PRESENTS_AROUND * incident.present).clamp(ROWS_AROUND.start, ROWS_AROUND.end);
    let until = incident
        .until()
        .map_or(recording.rows(), |t| recording.row(t));
    let end = until.min(raised + 2 * around) + around / 2;
    let rows = raised.saturating_sub(around)..end.min(recording.rows());
    if rows.len() as f64 >= NEARLY_ALL * recording.rows() as f64 {
        0..recording.rows()
    } else {
        rows
    }
}

fn near(recording: &Recording, incident: &Incident, page: &Page<'_>) -> Markup {
    if page.vms_left.get() < recording.vms.len() {
        return html! {
            p class="hint" { "The series are not drawn because there are too many. A report of this host alone shows them." }
        };
    }
    page.vms_left.set(page.vms_left.get() - recording.vms.len());
    let columns = Columns::new(rows_around(recording, incident), page.columns_near);
    // Those that agree first, by the time of their change: what they share then stands out.
    let mut order: Vec<usize> = (0..recording.vms.len()).collect();
    let place = |i: &usize| {
        let vote = &incident.votes[*i];
        let row = vote.step.map_or(usize::MAX, |s| s.row);
        (!vote.agrees, !vote.follows, row, *i)
    };
    order.sort_by_key(place);
    let agreeing = incident.votes.iter().filter(|v| v.agrees).count();
    let view = View {
        recording,
        columns,
        incident: Some(incident),
        page,
        background: format!("g{}", page.number()),
    };
    let inside = html! {
        (view.head(std::slice::from_ref(incident)))
        ol {
            @for i in &order[..agreeing] { (view.vm(&recording.vms[*i], incident.votes.get(*i))) }
        }
        @if agreeing < order.len() {
            p class="divider" {
                @if agreeing > 0 { "The other " (words::counted(order.len() - agreeing, "VM")) }
                @else { "No VM stands out on this scale" }
            }
            ol {
                @for i in &order[agreeing..] { (view.vm(&recording.vms[*i], incident.votes.get(*i))) }
            }
        }
        (view.foot())
    };
    view.frame(inside)
}

/// All of the recording.
pub fn whole(host: &Host, recording: &Recording, page: &Page<'_>) -> Markup {
    let covered = pinpoints(host).any(|i| rows_around(recording, i).len() == recording.rows());
    if covered || recording.rows() == 0 {
        return html! {};
    }
    let view = View {
        recording,
        columns: Columns::new(0..recording.rows(), page.columns_whole),
        incident: None,
        page,
        background: format!("g{}", page.number()),
    };
    let inside = html! {
        (view.head(&host.incidents))
        ol {
            @for vm in &recording.vms { (view.vm(vm, None)) }
        }
        (view.foot())
    };
    html! {
        details class="part" open[host.incidents.is_empty()] {
            summary { h3 { "The whole recording" } }
            (view.frame(inside))
        }
    }
}
