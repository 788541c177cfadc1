//! What the parts of the page have in common.

use std::cell::Cell;

use bellwether_records::clock::Clock;
use maud::{Markup, html};

use super::plot::coordinate;
use crate::model::{Host, Incident, Level};

/// The most anomalies of one host that are shown with the series of its VMs.
const PINPOINTS_MAX: usize = 3;

/// What the parts of the page share.
pub struct Page<'a> {
    /// Formats times.
    pub clock: &'a Clock,
    /// From when to when there are data, over all hosts.
    pub span: (f64, f64),
    /// Columns of a series over all of the time.
    pub columns_whole: usize,
    /// Columns of a series around an incident.
    pub columns_near: usize,
    /// Whether the series of hosts without incidents are drawn.
    pub draws_sound: bool,
    /// VMs that may still be shown around an incident.
    pub vms_left: Cell<usize>,
    /// The last number given to something that is referred to.
    pub numbers: Cell<usize>,
}

impl Page<'_> {
    /// The time that a host is shown over: that of all hosts, or its own where it has no time in common with them.
    pub fn span_with(&self, own: (f64, f64)) -> (f64, f64) {
        if Clock::is_elapsed(own.1) == Clock::is_elapsed(self.span.1) {
            (own.0.min(self.span.0), own.1.max(self.span.1))
        } else {
            own
        }
    }

    /// A number that nothing else on the page has.
    pub fn number(&self) -> usize {
        self.numbers.set(self.numbers.get() + 1);
        self.numbers.get()
    }
}

/// The anomalies of a host that are shown with the series of its VMs.
pub fn pinpoints(host: &Host) -> impl Iterator<Item = &Incident> {
    let of_vms = host.worst_first().into_iter();
    of_vms.filter(|i| !i.votes.is_empty()).take(PINPOINTS_MAX)
}

/// The sign of a level, and its label.
pub fn badge(level: Level) -> Markup {
    html! {
        span class={ "badge " (level.class()) } {
            span class="sign" aria-hidden="true" { (level.sign()) }
            span { (level.label()) }
        }
    }
}

/// A point in time with its zone.
pub fn time(at: f64, text: &str, clock: &Clock) -> Markup {
    html! {
        @match clock.machine(at) {
            Some(machine) => time datetime=(machine) { (text) },
            None => span { (text) },
        }
    }
}

/// The ticks of a time axis over `from..=to`, as they stand below plots.
pub fn axis(from: f64, to: f64, page: &Page<'_>) -> Markup {
    let span = (to - from).max(f64::MIN_POSITIVE);
    let ticks = page.clock.ticks(from, to, 6);
    html! {
        svg class="axis" aria-hidden="true" {
            @for (at, label) in ticks {
                @let x = 100.0 * (at - from) / span;
                @let anchor = if x < 6.0 { "start" } else if x > 94.0 { "end" } else { "middle" };
                line x1={ (coordinate(x)) "%" } x2={ (coordinate(x)) "%" } y1="0" y2="5" {}
                text x={ (coordinate(x)) "%" } y="17" text-anchor=(anchor) { (label) }
            }
        }
    }
}
