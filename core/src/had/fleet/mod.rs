//! What happens to a fleet of hypervisors at once.
//!
//! Where one detector sees many hypervisors, a change of a fifth of them at about the same time is not the failure of each: it is a
//! roll-out, a change of time, a batch job, or what they have in common, such as a rack or a network. It is one event about the
//! fleet, and no hypervisor is called failing for it.
//!
//! Hypervisors are evaluated one after the other, so the first ones of a change must wait for the others: in a fleet of at least
//! [`FLEET_MIN`], what is raised about a hypervisor is held until all others have been judged once more. If too few have
//! changed by then, it is passed on as it is. Smaller fleets do not wait, and nothing is claimed about them.
//!
//! A hypervisor belongs to an open change of the fleet if it may have changed by then: each time scale sees a change for some time
//! after it happened, and no longer. One that changes on its own later, or in the opposite direction, is raised as usual.

mod change;
mod clock;
mod state;
mod turn;

pub(super) use self::clock::HOST_BYTES;
pub(super) use self::state::SavedFleet;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use self::change::Change;
use self::clock::Hosts;
use self::turn::Turn;
use super::options::{Algorithm, HadOptions};
use super::quorum::{binomial_evidence, votes_needed};
use super::series::Tick;
use crate::event::{Cause, Event, Evidence, MESSAGE_MAX_BYTES, Severity, State};
use crate::memory::allocation;
use crate::text::shortened;
use crate::units::Time;

/// Least number of hypervisors whose VMs vote for a claim about the fleet.
const FLEET_MIN: u32 = 5;
/// Share of the hypervisors, and least number, that must change together.
const SHARE: f64 = 0.2;
const TOGETHER_MIN: usize = 3;
/// Least evidence that as many do not change together by chance, as often as each alone does: one in a thousand.
const EVIDENCE_MIN: f64 = 3.0;
/// If as many hypervisors as it takes are near an alarm, one waits this many times longer for them.
const EXTENSIONS_MAX: u8 = 2;
/// A hypervisor that has not recovered this long after the change of the fleet is over is raised by itself, in seconds or, if that
/// is longer, intervals of its judgments.
const LEFT_SEC: f64 = 7200.0;
const LEFT_JUDGMENTS: f64 = 24.0;
/// Time constant of how often hypervisors change alone, seconds.
const ALONE_SEC: f64 = 86_400.0;
/// For how long turns are remembered, seconds, and how many at most.
const TURNS_SEC: f64 = 86_400.0;
const TURNS_MAX: usize = 1 << 14;

/// What an incident that was not reported waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    /// For what others do.
    Held,
    /// For the end of the open change of the fleet, to which it belongs.
    Member,
    /// For its own end: that change is over.
    Left,
}

/// When to decide about an incident about which nothing is to be decided.
const NEVER: u64 = u64::MAX;

/// An incident of one hypervisor that was not reported.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Followed {
    /// What would raise it.
    #[serde(with = "state::json")]
    event: Box<Event>,
    /// When to decide about it, in elapsed milliseconds, or [`NEVER`].
    due: u64,
    stage: Stage,
    /// Seconds between two judgments on its time scale.
    judged_sec: f64,
    /// How often it waited again.
    extended: u8,
}

impl Followed {
    /// Memory in bytes: with the name, which is also in the order of the decisions.
    fn bytes(&self) -> usize {
        let name = allocation(self.event.hypervisor().len());
        // A vector of one has space for four.
        self.event.bytes() + allocation(4 * size_of::<Self>()) + 2 * name + 128
    }
}

/// How often hypervisors change alone.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Alone {
    /// Decayed number of such changes.
    count: f64,
    /// When it was last updated, elapsed seconds.
    at: f64,
}

impl Alone {
    fn until(&self, now: f64) -> f64 {
        self.count * (-(now - self.at).max(0.0) / ALONE_SEC).exp()
    }

    fn add(&mut self, now: f64) {
        (self.count, self.at) = (self.until(now) + 1.0, now);
    }
}

/// What a snapshot keeps of the fleet.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Kept {
    /// Incidents that were not reported, by hypervisor.
    followed: BTreeMap<Box<str>, Vec<Followed>>,
    /// Hypervisors that changed recently, oldest first.
    turns: VecDeque<Turn>,
    alone: Alone,
    change: Option<Change>,
}

/// The fleet. See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Fleet {
    is_on: bool,
    accept_sec: f64,
    /// Maximum and current memory of `followed` in bytes.
    limit: usize,
    bytes: usize,
    pub(super) hosts: Hosts,
    kept: Kept,
    /// When to decide, in elapsed milliseconds, and about which hypervisor.
    due: BTreeSet<(u64, Box<str>)>,
}

/// Elapsed seconds in milliseconds.
fn millis(elapsed: f64) -> u64 {
    (elapsed * 1000.0).round() as u64
}

impl Fleet {
    /// A fleet without hypervisors, whose unreported incidents take at most `limit` bytes.
    pub(super) fn new(options: &HadOptions, limit: usize) -> Self {
        Self {
            is_on: options.algorithm == Algorithm::Rank,
            accept_sec: options.accept_sec,
            limit,
            ..Self::default()
        }
    }

    /// Memory outside of itself in bytes, without that of `hosts`.
    pub(super) fn bytes(&self) -> usize {
        let turns = self.kept.turns.iter().map(Turn::bytes).sum::<usize>();
        let spare = self.kept.turns.capacity() - self.kept.turns.len();
        let change = self.kept.change.as_ref().map_or(0, Change::bytes);
        self.bytes + turns + spare * size_of::<Turn>() + change
    }

    /// Whether a change of the fleet is open.
    pub(super) fn is_changed(&self) -> bool {
        self.kept.change.is_some()
    }

    /// Whether an open incident of a hypervisor is not reported; of `metric`, unless its metrics are judged together.
    pub(super) fn withholds(&self, hypervisor: &str, metric: Option<&str>) -> bool {
        let is_one = |one: &Followed| metric.is_none() || one.event.metric() == metric;
        let followed = self.kept.followed.get(hypervisor);
        followed.is_some_and(|all| all.iter().any(is_one))
    }

    /// Takes a tick of the hypervisor at `at`; `is_first` is whether it is of its first series, which counts time.
    #[inline]
    pub(super) fn tick(&mut self, at: usize, tick: &Tick, interval: f64, is_first: bool) {
        if self.is_on {
            self.hosts.tick(at, tick, interval, is_first);
        }
    }

    /// Whether [`Fleet::pass`] has something to decide.
    #[inline]
    pub(super) fn is_due(&self) -> bool {
        self.is_on && (self.is_due_by(millis(self.hosts.elapsed)) || self.is_accepted())
    }

    fn is_due_by(&self, now: u64) -> bool {
        self.due.first().is_some_and(|(due, _)| *due <= now)
    }

    fn is_accepted(&self) -> bool {
        let change = self.kept.change.as_ref();
        change.is_some_and(|change| self.hosts.elapsed - change.opened > self.accept_sec)
    }

    /// Passes events of a hypervisor, whose samples are `interval` seconds apart, and what is due.
    pub(super) fn pass(&mut self, events: Vec<Event>, interval: f64) -> Vec<Event> {
        if !self.is_on {
            return events;
        }
        let mut out = Vec::new();
        for event in events {
            match (&event.evidence, event.state) {
                (Evidence::HypervisorAnomaly(anomaly), State::Raised)
                    if anomaly.change.is_some() =>
                {
                    self.raised(event, interval, &mut out);
                }
                (Evidence::HypervisorAnomaly(_), State::Cleared) => self.cleared(event, &mut out),
                _ => out.push(event),
            }
        }
        self.settle(&mut out);
        out
    }

    /// Decides about all that waits for other hypervisors: no more samples come.
    pub(super) fn finish(&mut self) -> Vec<Event> {
        let mut out = Vec::new();
        let is_held = |one: &Followed| one.stage == Stage::Held;
        let all = self.kept.followed.iter();
        let held = all.filter(|(_, all)| all.iter().any(is_held));
        let names: Vec<Box<str>> = held.map(|(name, _)| name.clone()).collect();
        for name in names {
            while let Some(mut one) = self.unfollow(&name, is_held) {
                one.extended = EXTENSIONS_MAX;
                self.decide(one, &mut out);
            }
        }
        out
    }

    /// An incident of a hypervisor begins.
    fn raised(&mut self, event: Event, interval: f64, out: &mut Vec<Event>) {
        let Some(turn) = Turn::of(&event, interval, self.hosts.elapsed) else {
            out.push(event);
            return;
        };
        if let Some(change) = &mut self.kept.change
            && change.takes(&turn)
        {
            change.add(&turn);
            let has_room = self.bytes < self.limit;
            match has_room {
                true => self.follow(event, Stage::Member, NEVER, turn.judged_sec),
                false => out.push(attributed(event)),
            }
            return;
        }
        if self.hosts.voting() < FLEET_MIN {
            out.push(event);
            return;
        }
        let (due, judged_sec) = (self.hosts.elapsed + turn.hold_sec(), turn.judged_sec);
        self.prune();
        self.kept.turns.push_back(turn);
        if self.bytes < self.limit {
            self.follow(event, Stage::Held, millis(due), judged_sec);
        } else {
            // Without room to wait, now must do.
            self.decide(
                Followed {
                    event: Box::new(event),
                    due: 0,
                    stage: Stage::Held,
                    judged_sec,
                    extended: EXTENSIONS_MAX,
                },
                out,
            );
        }
    }

    /// An incident of a hypervisor ends.
    fn cleared(&mut self, event: Event, out: &mut Vec<Event>) {
        let name = event.hypervisor();
        let mut is_silent = false;
        if let Some(one) = self.unfollow(name, |one| one.event.metric() == event.metric()) {
            if one.stage == Stage::Held {
                // It ended before others could change.
                self.release(*one.event, out);
            } else {
                is_silent = true;
            }
        }
        for turn in &mut self.kept.turns {
            turn.is_over |= *turn.hypervisor == *name;
        }
        let over = match &mut self.kept.change {
            Some(change) => change.ended(&event),
            None => None,
        };
        if !is_silent {
            out.push(event);
        }
        if let Some(end) = over {
            self.close(end, out);
        }
    }

    /// Adds an incident that is not reported.
    fn follow(&mut self, event: Event, stage: Stage, due: u64, judged_sec: f64) {
        let name: Box<str> = event.hypervisor().into();
        let followed = Followed {
            event: Box::new(event),
            due,
            stage,
            judged_sec,
            extended: 0,
        };
        self.insert(name, followed);
    }

    fn insert(&mut self, name: Box<str>, followed: Followed) {
        self.bytes += followed.bytes();
        if followed.due != NEVER {
            self.due.insert((followed.due, name.clone()));
        }
        self.kept.followed.entry(name).or_default().push(followed);
    }

    /// Removes the first incident of a hypervisor that `is` it.
    fn unfollow(&mut self, name: &str, is: impl Fn(&Followed) -> bool) -> Option<Followed> {
        let all = self.kept.followed.get_mut(name)?;
        let at = all.iter().position(is)?;
        let one = all.remove(at);
        if all.iter().all(|other| other.due != one.due) {
            self.due.remove(&(one.due, name.into()));
        }
        if all.is_empty() {
            self.kept.followed.remove(name);
        }
        self.bytes -= one.bytes();
        Some(one)
    }

    /// Forgets a hypervisor that is no longer tracked.
    pub(super) fn forget(&mut self, hypervisor: &str) {
        let waits = |one: &Followed| one.stage != Stage::Held;
        while self.unfollow(hypervisor, waits).is_some() {}
    }

    /// Decides what is due.
    fn settle(&mut self, out: &mut Vec<Event>) {
        let now = millis(self.hosts.elapsed);
        while self.is_due_by(now) {
            let Some((due, name)) = self.due.pop_first() else {
                break;
            };
            while let Some(one) = self.unfollow(&name, |one| one.due == due) {
                match one.stage {
                    Stage::Held => self.decide(one, out),
                    Stage::Member | Stage::Left => out.push(self.left(*one.event)),
                }
            }
        }
        if self.is_accepted() {
            self.close(change::ACCEPTED, out);
        }
    }

    /// Decides about a hypervisor that has waited for others.
    fn decide(&mut self, mut one: Followed, out: &mut Vec<Event>) {
        let now = self.hosts.elapsed;
        self.prune();
        // Samples as far apart as the judgments are judged as often.
        let Some(own) = Turn::of(&one.event, one.judged_sec, now) else {
            out.push(*one.event);
            return;
        };
        let own = &own;
        let all = &self.kept.turns;
        let turns = || all.iter().filter(move |turn| own.includes(turn));
        let names: BTreeSet<&str> = turns().map(|turn| &*turn.hypervisor).collect();
        // Hypervisors that changed may have stopped reporting since.
        let voting = (self.hosts.voting() as usize).max(names.len());
        let needed = votes_needed(voting, SHARE).max(TOGETHER_MIN);
        let window = turns().next().map_or(0.0, |first| now - first.elapsed);
        let alone = self.kept.alone.until(now) * window / ALONE_SEC / voting as f64;
        let is_together = names.len() >= needed
            && binomial_evidence(voting, names.len(), alone.min(1.0)) >= EVIDENCE_MIN;
        if is_together {
            let change = Change::new(turns(), voting, now);
            let raised = change.raised();
            if self.kept.change.is_some() {
                self.close(change::SUPERSEDED, out);
            }
            self.kept.change = Some(change);
            out.push(raised);
            self.kept.turns.retain(|turn| !own.includes(turn));
            self.withhold(one, out);
            self.take_held(own, out);
            return;
        }
        let near = self.hosts.near() as usize;
        if near >= needed && one.extended < EXTENSIONS_MAX {
            one.extended += 1;
            one.due = millis(now + turn::hold_sec(one.judged_sec));
            let name = one.event.hypervisor().into();
            self.insert(name, one);
            return;
        }
        self.release(*one.event, out);
    }

    /// Takes what is held and goes with `own` into the change of the fleet that has just begun.
    fn take_held(&mut self, own: &Turn, out: &mut Vec<Event>) {
        let now = self.hosts.elapsed;
        let goes_with = |one: &Followed| {
            one.stage == Stage::Held
                && Turn::of(&one.event, one.judged_sec, now).is_some_and(|turn| own.includes(&turn))
        };
        let all = self.kept.followed.iter();
        let names: Vec<Box<str>> = all
            .filter(|(_, all)| all.iter().any(goes_with))
            .map(|(name, _)| name.clone())
            .collect();
        for name in names {
            while let Some(one) = self.unfollow(&name, goes_with) {
                self.withhold(one, out);
            }
        }
    }

    /// Keeps an incident silent as part of the open change of the fleet.
    fn withhold(&mut self, one: Followed, out: &mut Vec<Event>) {
        if self.bytes >= self.limit {
            out.push(attributed(*one.event));
            return;
        }
        let name = one.event.hypervisor().into();
        let followed = Followed {
            due: NEVER,
            stage: Stage::Member,
            ..one
        };
        self.insert(name, followed);
    }

    /// Reports an incident as the hypervisor's own.
    fn release(&mut self, event: Event, out: &mut Vec<Event>) {
        self.kept.alone.add(self.hosts.elapsed);
        out.push(event);
    }

    /// The event about a hypervisor that is still changed long after the change of the fleet was over.
    fn left(&self, mut event: Event) -> Event {
        let text = format!("the fleet has recovered, but not {}", event.message);
        event.message = shortened(&text, MESSAGE_MAX_BYTES);
        event.time = Time::from_secs(self.hosts.time.max(event.time.secs()));
        event
    }

    /// Ends the open change of the fleet.
    fn close(&mut self, end: &'static str, out: &mut Vec<Event>) {
        let Some(change) = self.kept.change.take() else {
            return;
        };
        let now = self.hosts.elapsed;
        let time = self.hosts.time;
        out.push(change.cleared(end, time));
        for (name, all) in &mut self.kept.followed {
            for one in all.iter_mut().filter(|one| one.stage == Stage::Member) {
                one.stage = Stage::Left;
                if end == change::RECOVERED {
                    one.due = millis(now + LEFT_SEC.max(LEFT_JUDGMENTS * one.judged_sec));
                    self.due.insert((one.due, name.clone()));
                }
            }
        }
    }

    /// Forgets turns of long ago.
    fn prune(&mut self) {
        let now = self.hosts.elapsed;
        let turns = &mut self.kept.turns;
        while turns
            .front()
            .is_some_and(|turn| now - turn.elapsed > TURNS_SEC)
            || turns.len() >= TURNS_MAX
        {
            turns.pop_front();
        }
    }
}

/// The event about a hypervisor that changed with the fleet, where it has to leave.
fn attributed(mut event: Event) -> Event {
    if let Evidence::HypervisorAnomaly(anomaly) = &mut event.evidence
        && let Some(change) = &mut anomaly.change
    {
        change.cause = Cause::Fleet;
    }
    event.severity = Severity::Warning;
    let text = format!("with the fleet, not by itself: {}", event.message);
    event.message = shortened(&text, MESSAGE_MAX_BYTES);
    event
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{CommonChange, Direction, EventKind, HypervisorAnomaly, Subject};
    use crate::had::method::Verdict;
    use crate::units::Share;

    fn event(host: usize, time: f64, change: bool) -> Event {
        let change = change.then(|| CommonChange {
            cause: Cause::External,
            consensus: Share::new(1.0),
            distinctiveness: Share::ZERO,
            consistency: Share::ZERO,
            direction: Direction::Up,
            channel: "fast".into(),
            changed_vms: String::new(),
        });
        let (state, severity) = match change {
            Some(_) => (State::Raised, Severity::Failure),
            None => (State::Cleared, Severity::Okay),
        };
        Event::new(
            Subject::Hypervisor(format!("hv{host}")),
            state,
            severity,
            Time::from_secs(time),
            "text",
            Evidence::HypervisorAnomaly(HypervisorAnomaly {
                metric: "cpu".into(),
                change,
                ..HypervisorAnomaly::default()
            }),
        )
    }

    fn tick(fleet: &mut Fleet, hosts: usize, time: f64) -> Vec<Event> {
        let verdict = Verdict {
            voters: 6,
            ..Verdict::default()
        };
        let tick = Tick {
            time,
            verdict,
            silent: 0,
            has_sample: true,
            masked: false,
            heard: true,
        };
        let mut events = Vec::new();
        for at in 0..hosts {
            fleet.tick(at, &tick, 300.0, true);
            events.extend(fleet.pass(Vec::new(), 300.0));
        }
        events
    }

    fn fleet(limit: usize, hosts: usize) -> Fleet {
        let mut fleet = Fleet::new(&HadOptions::default(), limit);
        for t in 0..4 {
            tick(&mut fleet, hosts, 300.0 * f64::from(t));
        }
        fleet
    }

    #[test]
    fn without_memory_to_wait_hypervisors_are_still_attributed_to_the_fleet() {
        let mut fleet = fleet(4000, 20);
        let mut events = Vec::new();
        for host in 0..20 {
            events.extend(fleet.pass(vec![event(host, 900.0, true)], 300.0));
            assert!(fleet.bytes() < 40_000);
        }
        events.extend(tick(&mut fleet, 20, 1500.0));
        let changes = events.iter().filter(|e| e.kind() == EventKind::FleetChange);
        assert_eq!(changes.count(), 1);
        let own = || {
            events
                .iter()
                .filter(|e| e.kind() == EventKind::HypervisorAnomaly)
        };
        assert!(own().count() > 10);
        for event in own() {
            assert_eq!(event.severity, Severity::Warning);
            assert_eq!(event.common_change().unwrap().cause, Cause::Fleet);
        }
        // What left is cleared, what did not is not, and then the fleet is.
        let ends = (0..20).flat_map(|host| fleet.pass(vec![event(host, 1800.0, false)], 300.0));
        let ends: Vec<Event> = ends.collect();
        assert_eq!(ends.len(), own().count() + 1);
        assert_eq!(fleet.bytes, 0);
    }

    #[test]
    fn hypervisors_that_often_change_alone_are_no_fleet() {
        let together = |alone: usize| {
            let mut fleet = fleet(1 << 20, 20);
            for _ in 0..alone {
                fleet.kept.alone.add(fleet.hosts.elapsed);
            }
            let four = (0..4).map(|host| event(host, 900.0, true)).collect();
            let mut events = fleet.pass(four, 300.0);
            events.extend(tick(&mut fleet, 20, 1200.0));
            events.extend(tick(&mut fleet, 20, 1500.0));
            events.len()
        };
        assert_eq!(together(0), 1);
        assert_eq!(together(400), 4);
    }

    #[test]
    fn the_fleet_takes_the_same_memory_however_long_its_hypervisors_come_and_go() {
        let mut fleet = fleet(1 << 20, 20);
        for round in 0..200 {
            let time = 1200.0 + 7200.0 * f64::from(round);
            tick(&mut fleet, 20, time);
            fleet.pass(vec![event(3, time, true)], 300.0);
            tick(&mut fleet, 20, time + 3600.0);
            fleet.pass(vec![event(3, time, false)], 300.0);
        }
        assert_eq!((fleet.bytes, fleet.due.len()), (0, 0));
        assert!(fleet.kept.turns.len() < 100, "{}", fleet.kept.turns.len());
    }
}
