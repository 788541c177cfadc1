//! Which groups turn together.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::rate::Rate;
use super::report::{self, End};
use super::topology::Topology;
use crate::event::Event;
use crate::had::binomial_evidence;

/// Least evidence, as a negative decimal logarithm, for all groups together: one in a thousand.
const EVIDENCE_MIN: f64 = 3.0;
/// The rate outside of a group counts as if this many more hosts had turned as often as the fleet usually does.
const PRIOR_HOSTS: f64 = 10.0;

/// What makes an anomaly of a group.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct GroupOptions {
    /// The labels whose groups are watched.
    pub labels: Vec<Box<str>>,
    /// Hosts that turn within this time turn together, in seconds.
    pub window_sec: f64,
    /// Least number of hosts that turn together.
    pub hosts_min: usize,
    /// Least share of a group's hosts that turn together.
    pub share_min: f64,
}

/// A host that turned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Turn {
    time: f64,
    host: Box<str>,
    /// A group anomaly explains it.
    explained: bool,
}

/// An anomaly of a group that has not ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Open {
    since: f64,
    /// When the last of its hosts turned.
    last: f64,
    /// Number of hosts that turned, and number of hosts of the group when it began.
    turned: u32,
    hosts: u32,
    /// The hosts that turned and have not recovered.
    affected: BTreeSet<Box<str>>,
}

/// What a snapshot keeps.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// The hosts that turned within the window, oldest first, each once.
    turns: VecDeque<Turn>,
    /// The open anomalies, by the group's name.
    open: BTreeMap<Box<str>, Open>,
    rate: Rate,
}

/// See the [module](super).
#[derive(Debug, Clone)]
pub(crate) struct Groups {
    options: GroupOptions,
    topology: Topology,
    /// Whether each group is watched, and has an open anomaly.
    watched: Vec<bool>,
    is_open: Vec<bool>,
    /// Number of watched groups that are large enough for an anomaly.
    tested: usize,
    /// Number of hosts of each group, and of all, that turned within the window without an explanation.
    counts: Vec<u32>,
    total: u32,
    /// The hosts in `kept.turns`.
    turned: BTreeSet<Box<str>>,
    kept: Kept,
}

impl Groups {
    /// Groups of no host yet.
    pub fn new(options: GroupOptions) -> Self {
        Self {
            options,
            topology: Topology::default(),
            watched: Vec::new(),
            is_open: Vec::new(),
            tested: 0,
            counts: Vec::new(),
            total: 0,
            turned: BTreeSet::new(),
            kept: Kept::default(),
        }
    }

    /// The hosts and their groups.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// What a snapshot keeps besides the topology.
    pub fn kept(&self) -> &Kept {
        &self.kept
    }

    /// Continues from what a snapshot kept; `false` if it is not what one can have kept.
    pub fn restore(&mut self, topology: Topology, kept: Kept) -> bool {
        let mut opens = kept.open.values();
        let is_valid = topology.is_valid()
            && kept.rate.is_valid()
            && kept.turns.iter().all(|turn| turn.time.is_finite())
            && opens.all(|open| open.since.is_finite() && open.last.is_finite());
        self.topology = topology;
        self.turned = kept.turns.iter().map(|turn| turn.host.clone()).collect();
        let is_valid = is_valid && self.turned.len() == kept.turns.len();
        self.kept = kept;
        if is_valid {
            self.index();
        }
        is_valid
    }

    /// Replaces the topology; anomalies of groups that are gone end.
    pub fn set_topology(&mut self, topology: Topology, now: f64) -> Vec<Event> {
        self.advance_rate(now);
        self.topology = topology;
        self.index();
        self.end(now)
    }

    /// Whether the groups of this label are watched.
    fn is_watched(&self, label: &str) -> bool {
        self.options
            .labels
            .iter()
            .any(|watched| **watched == *label)
    }

    /// Counts again what depends on the topology.
    fn index(&mut self) {
        let groups = self.topology.groups();
        self.watched = groups
            .iter()
            .map(|group| self.is_watched(&group.label))
            .collect();
        let is_tested = |(group, watched): &(&super::topology::Group, &bool)| {
            **watched && group.hosts as usize >= self.options.hosts_min
        };
        self.tested = groups.iter().zip(&self.watched).filter(is_tested).count();
        self.is_open = groups
            .iter()
            .zip(&self.watched)
            .map(|(group, watched)| *watched && self.kept.open.contains_key(&*group.name()))
            .collect();
        self.counts = vec![0; groups.len()];
        self.total = 0;
        for turn in &self.kept.turns {
            if let (false, Some(groups)) = (turn.explained, self.topology.groups_of(&turn.host)) {
                self.total += 1;
                groups
                    .iter()
                    .for_each(|group| self.counts[*group as usize] += 1);
            }
        }
    }

    /// A group of the host with an open anomaly: its name.
    pub fn anomalous(&self, host: &str) -> Option<String> {
        let mut groups = self.topology.groups_of(host)?.iter();
        let open = groups.find(|group| self.is_open[**group as usize])?;
        Some(self.topology.groups()[*open as usize].name())
    }

    /// The names of the groups with an open anomaly.
    pub fn open(&self) -> impl ExactSizeIterator<Item = &str> {
        self.kept.open.keys().map(|name| &**name)
    }

    /// The indices of the watched groups of a host.
    pub fn watched_of(&self, host: &str) -> impl Iterator<Item = u32> {
        let groups = self.topology.groups_of(host).unwrap_or_default();
        groups
            .iter()
            .copied()
            .filter(|group| self.watched[*group as usize])
    }

    fn advance_rate(&mut self, now: f64) {
        self.kept.rate.advance(now, self.topology.len());
    }

    /// Forgets the turns that the window has left behind.
    fn expire(&mut self, now: f64) {
        while let Some(turn) = self.kept.turns.front()
            && now - turn.time > self.options.window_sec
        {
            let turn = self.kept.turns.pop_front().expect("there is one");
            self.turned.remove(&turn.host);
            if turn.explained {
                continue;
            }
            if let Some(groups) = self.topology.groups_of(&turn.host) {
                self.kept.rate.count();
                self.total -= 1;
                groups
                    .iter()
                    .for_each(|group| self.counts[*group as usize] -= 1);
            }
        }
    }

    /// A host turned yellow, or from yellow to red. Returns the event if its group turns with it.
    pub fn turn(&mut self, host: &str, now: f64) -> Option<Event> {
        self.advance_rate(now);
        self.expire(now);
        let groups: Vec<u32> = self.topology.groups_of(host)?.to_vec();
        let mut explained = false;
        for group in groups.iter().filter(|group| self.is_open[**group as usize]) {
            let name = self.topology.groups()[*group as usize].name();
            if let Some(open) = self.kept.open.get_mut(&*name) {
                explained = true;
                open.last = now;
                open.turned += u32::from(open.affected.insert(host.into()));
            }
        }
        if !self.turned.insert(host.into()) {
            return None;
        }
        self.kept.turns.push_back(Turn {
            time: now,
            host: host.into(),
            explained,
        });
        if explained {
            return None;
        }
        self.total += 1;
        groups
            .iter()
            .for_each(|group| self.counts[*group as usize] += 1);
        let (evidence, group) = self.least_probable(&groups)?;
        Some(self.raise(group, evidence, now))
    }

    /// Evidence that it takes.
    fn needed(&self) -> f64 {
        EVIDENCE_MIN + libm::log10(self.tested.max(1) as f64)
    }

    /// Of these groups, the one whose agreement is least probable, with its evidence, if that suffices; of equals the smallest.
    fn least_probable(&self, groups: &[u32]) -> Option<(f64, u32)> {
        let needed = self.needed();
        let candidates = groups.iter().filter_map(|&group| {
            let evidence = self.evidence(group)?;
            (evidence >= needed).then_some((evidence, group))
        });
        let hosts = |group: u32| self.topology.groups()[group as usize].hosts;
        candidates.max_by(|(a, of_a), (b, of_b)| {
            let by_size = hosts(*of_b).cmp(&hosts(*of_a));
            a.total_cmp(b).then(by_size).then(of_b.cmp(of_a))
        })
    }

    /// The evidence that the hosts of a watched group turned together; `None` if too few did.
    fn evidence(&self, group: u32) -> Option<f64> {
        let at = group as usize;
        let (hosts, turned) = (
            self.topology.groups()[at].hosts as usize,
            self.counts[at] as usize,
        );
        let enough = turned >= self.options.hosts_min
            && turned as f64 >= self.options.share_min * hosts as f64;
        if !self.watched[at] || !enough {
            return None;
        }
        let usual = self.kept.rate.within(self.options.window_sec);
        let turned_outside = f64::from(self.total) - turned as f64;
        let outside = (self.topology.len() - hosts) as f64;
        let present = (PRIOR_HOSTS * usual + turned_outside) / (PRIOR_HOSTS + outside);
        Some(binomial_evidence(hosts, turned, usual.max(present)))
    }

    /// Opens the anomaly of a group: it explains what its hosts did.
    fn raise(&mut self, group: u32, evidence: f64, now: f64) -> Event {
        let mut affected = BTreeSet::new();
        for turn in self.kept.turns.iter_mut().filter(|turn| !turn.explained) {
            let groups = self.topology.groups_of(&turn.host).unwrap_or_default();
            if groups.contains(&group) {
                turn.explained = true;
                affected.insert(turn.host.clone());
                self.total -= 1;
                groups
                    .iter()
                    .for_each(|group| self.counts[*group as usize] -= 1);
            }
        }
        let needed = self.needed();
        let of = &self.topology.groups()[group as usize];
        let window_sec = self.options.window_sec;
        let event = report::raised(of, &affected, window_sec, (evidence, needed), now);
        let open = Open {
            since: now,
            last: now,
            turned: affected.len() as u32,
            hosts: of.hosts,
            affected,
        };
        self.kept.open.insert(of.name().into(), open);
        self.is_open[group as usize] = true;
        event
    }

    /// A host is green again.
    pub fn recover(&mut self, host: &str) {
        for open in self.kept.open.values_mut() {
            open.affected.remove(host);
        }
    }

    /// Time passes: anomalies end whose hosts have recovered.
    pub fn advance(&mut self, now: f64) -> Vec<Event> {
        self.advance_rate(now);
        self.expire(now);
        self.end(now)
    }

    /// Ends the anomalies that are over, or whose groups are gone.
    fn end(&mut self, now: f64) -> Vec<Event> {
        if self.kept.open.is_empty() {
            return Vec::new();
        }
        let groups = self.topology.groups().iter().zip(&self.is_open);
        let present: BTreeSet<String> = groups
            .filter(|(_, is_open)| **is_open)
            .map(|(group, _)| group.name())
            .collect();
        let (options, mut events) = (&self.options, Vec::new());
        self.kept.open.retain(|name, open| {
            let is_gone = !present.contains(&**name);
            let is_over =
                open.affected.len() < options.hosts_min && now - open.last > options.window_sec;
            if is_gone || is_over {
                let end = if is_gone { End::Gone } else { End::Recovered };
                let event = report::cleared(name, open.turned, open.hosts, end, open.since, now);
                events.push(event);
            }
            !is_gone && !is_over
        });
        if !events.is_empty() {
            self.index();
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::State;

    /// `racks` racks of `hosts` hosts each; all hosts of two consecutive racks share a switch, and all hosts a kernel.
    fn fleet(racks: usize, hosts: usize) -> Groups {
        let labels = ["rack", "switch", "kernel"].map(Box::from).to_vec();
        let mut groups = Groups::new(GroupOptions {
            labels,
            window_sec: 600.0,
            hosts_min: 3,
            share_min: 0.1,
        });
        let label = |name: &str, value: String| (name.to_owned(), value);
        let host = |i: usize| {
            let rack = i / hosts;
            let labels = [
                label("rack", format!("r{rack}")),
                label("switch", format!("s{}", rack / 2)),
                label("kernel", "6.1".into()),
                label("serial", i.to_string()),
            ];
            (name(i), labels.into())
        };
        let topology = Topology::new(&(0..racks * hosts).map(host).collect()).unwrap();
        assert!(groups.set_topology(topology, 0.0).is_empty());
        groups
    }

    fn name(i: usize) -> String {
        format!("hv{i}")
    }

    /// Turns these hosts, a second apart; the events.
    fn turn(groups: &mut Groups, from: f64, hosts: impl IntoIterator<Item = usize>) -> Vec<Event> {
        let mut at = from;
        let events = hosts.into_iter().filter_map(|i| {
            at += 1.0;
            groups.turn(&name(i), at)
        });
        events.collect()
    }

    #[test]
    fn hosts_of_one_rack_that_turn_together_are_one_anomaly_of_the_rack_and_not_of_its_switch() {
        let mut groups = fleet(10, 10);
        let events = turn(&mut groups, 100.0, [20, 21, 22, 23, 24]);
        assert_eq!(events.len(), 1);
        let event = &events[0];
        assert_eq!(
            event.subject,
            crate::event::Subject::Group("rack=r2".into())
        );
        assert_eq!((event.state, event.time.secs()), (State::Raised, 103.0));
        let anomaly = event.group_anomaly().unwrap();
        assert_eq!((anomaly.hypervisors, anomaly.group_hypervisors), (3, 10));
        assert_eq!(anomaly.changed_hypervisors, "hv20,hv21,hv22");
        assert!(anomaly.p_value.unwrap() < 1e-4 && event.score.get() > 0.5);
        // The veto is about all hosts of the rack and about no other.
        assert_eq!(groups.anomalous("hv29"), Some("rack=r2".into()));
        assert_eq!(groups.anomalous("hv30"), None);
        assert_eq!(groups.anomalous("unknown"), None);
    }

    #[test]
    fn hosts_of_two_racks_behind_one_switch_point_to_the_switch() {
        let mut groups = fleet(10, 10);
        let events = turn(&mut groups, 0.0, [20, 30, 21, 31]);
        assert_eq!(events.len(), 1);
        assert_eq!(
            events[0].subject,
            crate::event::Subject::Group("switch=s1".into())
        );
    }

    #[test]
    fn hosts_that_turn_all_over_the_fleet_point_to_no_rack() {
        let mut groups = fleet(20, 10);
        // Every third host, three or four of each rack, in no order.
        let events = turn(&mut groups, 0.0, (0..67).map(|i| i * 37 % 67 * 3));
        let subjects: Vec<_> = events.iter().map(|event| event.subject.clone()).collect();
        assert_eq!(
            subjects,
            [crate::event::Subject::Group("kernel=6.1".into())]
        );
    }

    #[test]
    fn a_few_hosts_that_turn_by_themselves_over_days_are_no_anomaly() {
        let mut groups = fleet(10, 10);
        for day in 0..60u32 {
            // Five hosts a day, as often as the prior assumes, in all racks.
            for i in 0..5 {
                let at = f64::from(day) * 86_400.0 + f64::from(i) * 17_000.0;
                let host = (day as usize * 37 + i as usize * 23) % 100;
                assert_eq!(groups.turn(&name(host), at), None);
                groups.recover(&name(host));
            }
        }
    }

    #[test]
    fn too_few_hosts_or_hosts_too_far_apart_are_no_anomaly() {
        let mut groups = fleet(10, 10);
        assert!(turn(&mut groups, 0.0, [20, 21]).is_empty());
        // The same host again is not a third one.
        assert!(turn(&mut groups, 10.0, [20, 21]).is_empty());
        assert!(turn(&mut groups, 700.0, [22, 23]).is_empty());
    }

    #[test]
    fn an_anomaly_ends_when_its_hosts_have_recovered_and_the_window_has_passed() {
        let mut groups = fleet(10, 10);
        let raised = turn(&mut groups, 0.0, [20, 21, 22, 23]).remove(0);
        assert!(groups.advance(5000.0).is_empty());
        for i in [20, 21] {
            groups.recover(&name(i));
        }
        let ended = groups.advance(5001.0);
        assert_eq!(ended.len(), 1);
        assert_eq!(
            (ended[0].state, ended[0].incident),
            (State::Cleared, raised.incident)
        );
        let anomaly = ended[0].group_anomaly().unwrap();
        assert_eq!(
            (anomaly.hypervisors, anomaly.reason.as_deref()),
            (4, Some("recovered"))
        );
        assert_eq!(groups.anomalous("hv29"), None);
    }

    #[test]
    fn an_anomaly_ends_when_its_group_leaves_the_topology() {
        let mut groups = fleet(10, 10);
        turn(&mut groups, 0.0, [20, 21, 22]);
        let ended = groups.set_topology(Topology::default(), 10.0);
        assert_eq!(ended.len(), 1);
        let anomaly = ended[0].group_anomaly().unwrap();
        assert_eq!(
            anomaly.reason.as_deref(),
            Some("the group is not watched any more")
        );
        assert_eq!(groups.open().len(), 0);
    }

    #[test]
    fn groups_of_labels_that_are_not_watched_count_for_nothing() {
        let mut groups = fleet(10, 10);
        groups.options.labels = vec!["serial".into()];
        groups.index();
        assert!(turn(&mut groups, 0.0, 20..30).is_empty());
    }

    #[test]
    fn restored_groups_continue_as_if_they_had_never_stopped() {
        let mut live = fleet(10, 10);
        turn(&mut live, 0.0, [20, 21, 22, 55, 56]);
        let mut restored = Groups::new(live.options.clone());
        assert!(restored.restore(live.topology().clone(), live.kept().clone()));
        for groups in [&mut live, &mut restored] {
            assert_eq!(turn(groups, 20.0, [23, 57]).len(), 1);
        }
        assert_eq!(live.kept(), restored.kept());
        assert_eq!((live.counts, live.total), (restored.counts, restored.total));
    }
}
