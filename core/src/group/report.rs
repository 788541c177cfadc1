//! The events of a group anomaly.

use std::collections::BTreeSet;

use super::topology::Group;
use crate::event::{Event, Evidence, GroupAnomaly, Severity, State, Subject};
use crate::text::{duration, list_item};
use crate::units::Time;

/// Maximum number of hosts that an event names.
const NAMED_MAX: usize = 8;

/// Why an anomaly of a group ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Fewer of its hosts are affected than it takes.
    Recovered,
    /// The group is not in the topology any more, or its label is not watched any more.
    Gone,
}

impl End {
    fn reason(self) -> &'static str {
        match self {
            Self::Recovered => "recovered",
            Self::Gone => "the group is not watched any more",
        }
    }
}

/// At which evidence the score is 1; it is 0.5 where an anomaly begins.
const SCORE_FULL: f64 = 2.0;

/// The event for an anomaly that begins. `evidence` is the negative decimal logarithm of its probability, `needed` what it takes.
pub(super) fn raised(
    group: &Group,
    turned: &BTreeSet<Box<str>>,
    window_sec: f64,
    (evidence, needed): (f64, f64),
    time: f64,
) -> Event {
    let named: Vec<_> = turned
        .iter()
        .take(NAMED_MAX)
        .map(|name| list_item(name))
        .collect();
    let text = format!(
        "{}: {} of its {} hosts turned yellow or red within {}: likely what they share; move no guests within it or into it ({}{})",
        group.name(),
        turned.len(),
        group.hosts,
        duration(window_sec),
        named.join(", "),
        if turned.len() > NAMED_MAX {
            ", …"
        } else {
            ""
        },
    );
    let anomaly = GroupAnomaly {
        hypervisors: turned.len() as u32,
        group_hypervisors: group.hosts,
        p_value: Some(10f64.powf(-evidence)),
        changed_hypervisors: named.join(","),
        reason: None,
    };
    let event = Event::new(
        Subject::Group(group.name()),
        State::Raised,
        Severity::Warning,
        Time::from_secs(time),
        &text,
        Evidence::GroupAnomaly(anomaly),
    );
    event.with_score((evidence / needed / SCORE_FULL).min(1.0))
}

/// The event for an anomaly that ends.
pub(super) fn cleared(
    name: &str,
    turned: u32,
    hosts: u32,
    end: End,
    since: f64,
    time: f64,
) -> Event {
    let lasted = duration(time - since);
    let text = match end {
        End::Recovered => format!("{name}: its hosts have recovered, after {lasted}"),
        End::Gone => format!("{name}: {}, after {lasted}", end.reason()),
    };
    let anomaly = GroupAnomaly {
        hypervisors: turned,
        group_hypervisors: hosts,
        reason: Some(end.reason().to_owned()),
        ..GroupAnomaly::default()
    };
    let event = Event::new(
        Subject::Group(name.to_owned()),
        State::Cleared,
        Severity::Okay,
        Time::from_secs(time),
        &text,
        Evidence::GroupAnomaly(anomaly),
    );
    event.of_incident(Time::from_secs(since), 0)
}
