//! A change of the fleet, and its events.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::turn::{Turn, is_alike};
use crate::event::{Direction, Event, Evidence, FleetChange, Severity, State, Subject};
use crate::had::attribution::{NAMED_MAX, action, reason};
use crate::had::incident::End;
use crate::had::report::listed;
use crate::memory::allocation;
use crate::text::{duration, list_item};
use crate::units::Time;

/// A change of the fleet is over when the incidents of this share of its hypervisors are.
const OVER_SHARE: f64 = 0.7;

/// Why a change of the fleet ended.
pub(super) const RECOVERED: &str = reason(End::Recovered);
pub(super) const ACCEPTED: &str = reason(End::Accustomed);
pub(super) const SUPERSEDED: &str = reason(End::Superseded);
const GONE: &str = "its hypervisors are gone";

/// See the [module](self).
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Change {
    metric: Box<str>,
    direction: Direction,
    score: f64,
    /// When the first hypervisor changed, and when that was known to be the fleet's; seconds.
    since: f64,
    time: f64,
    /// When it was raised, elapsed seconds.
    pub opened: f64,
    /// By when its last hypervisor changed at the latest, elapsed seconds.
    until: f64,
    /// For how long a hypervisor may be behind the others, seconds.
    slack: f64,
    /// Number of hypervisors whose VMs voted.
    voting: u32,
    /// The names of the first ones that changed, each as an item of a list.
    first: Vec<String>,
    /// The number of open incidents of its hypervisors.
    members: BTreeMap<Box<str>, u32>,
    /// Number of hypervisors whose incidents are over, and how many of these recovered, or stayed changed.
    over: u32,
    recovered: u32,
    accustomed: u32,
}

impl Change {
    /// A change that began with `turns` and is known at `now` (elapsed seconds).
    pub(super) fn new<'a>(turns: impl Iterator<Item = &'a Turn>, voting: usize, now: f64) -> Self {
        // In which order hypervisors are evaluated at the same time says nothing.
        let mut turns: Vec<&Turn> = turns.collect();
        turns.sort_by(|a, b| {
            let by_time = a.time.total_cmp(&b.time);
            by_time.then_with(|| a.hypervisor.cmp(&b.hypervisor))
        });
        let mut kinds: BTreeMap<(&str, Direction), u32> = BTreeMap::new();
        for turn in &turns {
            *kinds.entry((&turn.metric, turn.direction)).or_default() += 1;
        }
        let most = kinds.into_iter().max_by_key(|(_, count)| *count);
        let (metric, direction) = most.map_or(("", Direction::Mixed), |(kind, _)| kind);
        let mut change = Self {
            metric: metric.into(),
            direction,
            score: 0.0,
            since: f64::INFINITY,
            time: f64::NEG_INFINITY,
            opened: now,
            until: now,
            slack: 0.0,
            voting: voting as u32,
            first: Vec::new(),
            members: BTreeMap::new(),
            over: 0,
            recovered: 0,
            accustomed: 0,
        };
        let mut named = BTreeSet::new();
        for turn in turns {
            change.since = change.since.min(turn.time);
            change.time = change.time.max(turn.time);
            change.score = change.score.max(turn.score);
            change.slack = change.slack.max(turn.slack_sec());
            if named.insert(&turn.hypervisor) && named.len() <= NAMED_MAX {
                change.first.push(list_item(&turn.hypervisor).into_owned());
            }
            let open = change.members.entry(turn.hypervisor.clone()).or_default();
            *open += u32::from(!turn.is_over);
        }
        change.over = change.members.values().filter(|open| **open == 0).count() as u32;
        change.recovered = change.over;
        change
    }

    /// Memory outside of itself in bytes.
    pub(super) fn bytes(&self) -> usize {
        let members = self.members.keys();
        members
            .map(|name| allocation(name.len()) + 64)
            .sum::<usize>()
            + self
                .first
                .iter()
                .map(|name| allocation(name.len()) + 24)
                .sum::<usize>()
            + allocation(self.metric.len())
    }

    /// Whether a hypervisor that turned now may have changed with the others.
    pub(super) fn takes(&self, turn: &Turn) -> bool {
        let is_alike = *turn.metric != *self.metric || is_alike(turn.direction, self.direction);
        is_alike && turn.elapsed - turn.sees_sec <= self.until + self.slack
    }

    /// Adds a hypervisor.
    pub(super) fn add(&mut self, turn: &Turn) {
        // A roll-out goes on for as long as further hypervisors follow.
        self.until = self.until.max(turn.elapsed - turn.sees_sec);
        match self.members.get_mut(&turn.hypervisor) {
            Some(open) => {
                self.over -= u32::from(*open == 0).min(self.over);
                *open += 1;
            }
            None => {
                self.members.insert(turn.hypervisor.clone(), 1);
            }
        }
    }

    /// Takes the end of an incident of a hypervisor; returns why the change is over if that is the last that it takes.
    pub(super) fn ended(&mut self, cleared: &Event) -> Option<&'static str> {
        let open = self.members.get_mut(cleared.hypervisor())?;
        if *open == 0 {
            return None;
        }
        *open -= 1;
        if *open > 0 {
            return None;
        }
        self.over += 1;
        match cleared.reason() {
            Some(RECOVERED) => self.recovered += 1,
            Some(ACCEPTED) => self.accustomed += 1,
            _ => {}
        }
        if f64::from(self.over) < OVER_SHARE * self.members.len() as f64 {
            return None;
        }
        Some(match 2 * self.recovered.max(self.accustomed) >= self.over {
            true if self.recovered >= self.accustomed => RECOVERED,
            true => ACCEPTED,
            false => GONE,
        })
    }

    /// The event that raises it.
    pub(super) fn raised(&self) -> Event {
        let (count, voting) = (self.members.len(), self.voting);
        let text = format!(
            "{} {} on {count} of {voting} hypervisors{}: likely what they have in common (a roll-out, a job, a rack, a network), \
             not each by itself",
            self.metric,
            action(self.direction),
            listed(&self.first)
        );
        let evidence = FleetChange {
            direction: Some(self.direction),
            changed_hypervisors: self.first.join(","),
            ..self.evidence()
        };
        self.event(State::Raised, Severity::Warning, self.time, &text, evidence)
    }

    /// The event that clears it at `time`, seconds.
    pub(super) fn cleared(&self, end: &str, time: f64) -> Event {
        let time = time.max(self.time);
        let (metric, count) = (&self.metric, self.members.len());
        let lasted = duration((time - self.since).max(0.0));
        let text = match end {
            RECOVERED => {
                format!(
                    "{metric} of most of {count} hypervisors is back to where it was, after {lasted}"
                )
            }
            ACCEPTED => format!(
                "{metric} of {count} hypervisors has stayed changed for {lasted}; that is taken as normal from now on"
            ),
            SUPERSEDED => format!("{metric}: the fleet changed again, after {lasted}"),
            _ => format!("the hypervisors that changed together are gone, after {lasted}"),
        };
        let evidence = FleetChange {
            reason: Some(end.to_owned()),
            ..self.evidence()
        };
        self.event(State::Cleared, Severity::Okay, time, &text, evidence)
    }

    fn evidence(&self) -> FleetChange {
        let count = self.members.len() as u32;
        FleetChange {
            metric: self.metric.to_string(),
            hypervisors: count,
            voting_hypervisors: self.voting.max(count),
            ..FleetChange::default()
        }
    }

    fn event(
        &self,
        state: State,
        severity: Severity,
        time: f64,
        text: &str,
        evidence: FleetChange,
    ) -> Event {
        let subject = Subject::Group(String::new());
        let evidence = Evidence::FleetChange(evidence);
        let time = Time::from_secs(time);
        Event::new(subject, state, severity, time, text, evidence)
            .of_incident(Time::from_secs(self.since), 0)
            .with_score(self.score)
    }

    /// Whether a restored one is possible.
    pub(super) fn is_valid(&self) -> bool {
        let numbers = [self.score, self.opened, self.until, self.slack];
        let times = [self.since, self.time];
        numbers.iter().all(|x| x.is_finite() && *x >= 0.0)
            && times.iter().all(|t| Time::from_secs(*t).is_plausible())
            && self.over as usize <= self.members.len()
            && self.first.len() <= NAMED_MAX
    }
}
