//! The dashboard: a tile a host (lecture, "Dashboard"). Bars show how strongly each VM changed at the most significant moment, the
//! background how many of them changed alike.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::log;
use super::parts::{Page, badge};
use crate::model::{Host, Level, Moment, Recording, Report};
use crate::words;

/// The height of a VM's bar for one standard deviation, of 50 in each direction.
const UNITS_PER_DEVIATION: f64 = 10.0;
/// A tile has room for at least so many bars: few VMs are no fat ones.
const BARS_MIN: usize = 10;
/// A VM whose shift is at least so many standard deviations counts as one that changed.
const CHANGED: f64 = 1.0;

/// A tile for every host.
pub fn dashboard(report: &Report, page: &Page<'_>) -> Markup {
    let has_bars = report.hosts.iter().any(|h| h.recording.is_some());
    html! {
        @if !report.hosts.is_empty() {
            section class="dashboard" aria-label="Dashboard" {
                ul class={ "tiles" @if report.hosts.len() > 12 { " many" } } {
                    @for (at, host) in report.hosts.iter().enumerate() { (tile(host, at, page)) }
                }
                @if has_bars { (key()) }
            }
        }
    }
}

/// How to read a tile.
fn key() -> Markup {
    html! {
        details class="key" {
            summary { "How to read a tile" }
            p {
                "One tile is one host, the worst first. One bar is one VM, at the most significant moment of the recording: \
                 upwards it rose, downwards it fell, the longer the less usual for that VM (in standard deviations of its own past). \
                 Bars that all point the same way mean that something all VMs share has changed: the host. One long bar alone is a \
                 busy guest."
            }
            p class="degrees" {
                "The background shows how many VMs changed alike: "
                @for (class, text) in [("c0", "under 30 %"), ("c1", "30 %"), ("c2", "50 %"), ("c3", "70 %"), ("c4", "90 % and more")] {
                    span class=(class) { (text) } " "
                }
            }
        }
    }
}

/// The class of a tile's background.
fn degree(host: &Host) -> &'static str {
    let consensus = match &host.recording {
        Some(recording) => recording.moment.consensus,
        None => host
            .worst()
            .and_then(|i| Some(i.event.common_change()?.consensus.get()))
            .unwrap_or_default(),
    };
    match consensus {
        c if c >= 0.9 => "c4",
        c if c >= 0.7 => "c3",
        c if c >= 0.5 => "c2",
        c if c >= 0.3 => "c1",
        _ => "c0",
    }
}

fn tile(host: &Host, at: usize, page: &Page<'_>) -> Markup {
    let level = host.level();
    html! {
        li {
            a class={ "tile " (level.class()) " " (degree(host)) } href={ "#h" (at) } {
                span class="name" { bdi { (breakable(&host.name)) } }
                (badge(level))
                @match &host.recording {
                    Some(recording) => (bars(recording)),
                    None => (log::strip(host, page)),
                }
                span class="alike" { (alike(host)) }
                @if let Some(worst) = host.worst() {
                    span class="when" { (page.clock.point(worst.since())) }
                }
            }
        }
    }
}

/// The name of a host, which may be broken between the labels of a domain.
fn breakable(name: &str) -> Markup {
    html! { @for label in words::printable(name).split_inclusive('.') { (label) wbr; } }
}

/// How many VMs changed alike, or how many records of the log failed, in words.
fn alike(host: &Host) -> String {
    if host.level() == Level::Silence {
        return "no data for a while".to_owned();
    }
    if let Some(recording) = &host.recording {
        let Moment {
            consensus, voters, ..
        } = recording.moment;
        let agreeing = (consensus * f64::from(voters)).round();
        return match host.level() {
            Level::Unknown => words::counted(recording.vms.len(), "VM"),
            Level::Sound => format!("at most {agreeing} of {voters} alike"),
            _ => format!("up to {agreeing} of {voters} alike"),
        };
    }
    if let Some(worst) = host.worst() {
        let event = &worst.event;
        if let Some((agreeing, voters)) = words::agreement(event) {
            return format!("{agreeing} of {voters} VMs alike");
        }
        if let Some(family) = event.log_failure().and_then(|f| f.family.as_ref()) {
            return words::printable(&family.replace('_', " "));
        }
    }
    match &host.log {
        Some(log) => words::counted(log.records.len(), "record"),
        None => words::counted(host.incidents.len(), "incident"),
    }
}

/// A bar a VM, from the middle upwards where it rose and downwards where it fell.
fn bars(recording: &Recording) -> Markup {
    let shifts = &recording.moment.shifts;
    let slots = shifts.len().max(BARS_MIN);
    let offset = (slots - shifts.len()) * 5;
    let (mut changed, mut others, mut silent) = (String::new(), String::new(), String::new());
    for (i, shift) in shifts.iter().enumerate() {
        let x = offset + 10 * i + 1;
        let Some(shift) = shift else {
            write!(silent, "M{x} 50h8").expect("writing to a string cannot fail");
            continue;
        };
        let height = (shift * UNITS_PER_DEVIATION).clamp(-50.0, 50.0).round() as i32;
        let path = if shift.abs() >= CHANGED {
            &mut changed
        } else {
            &mut others
        };
        write!(path, "M{x} 50h8v{}h-8z", -height).expect("writing to a string cannot fail");
    }
    html! {
        svg class="bars" viewBox={ "0 0 " (10 * slots) " 100" } preserveAspectRatio="none" aria-hidden="true" {
            path class="middle" d={ "M0 50H" (10 * slots) } {}
            @if !silent.is_empty() { path class="silent" d=(silent) {} }
            @if !others.is_empty() { path class="other" d=(others) {} }
            @if !changed.is_empty() { path class="changed" d=(changed) {} }
        }
    }
}
