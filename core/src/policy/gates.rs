//! The rules that hold an evacuation or refuse an approval.

use super::engine::Policy;
use super::suggestion::Suggestion;
use super::terms::Rule;
use crate::text::duration;
use crate::units::Time;

impl Policy {
    /// The rule that does not allow the evacuation of a suggestion's host at present, even if a person approves it, and why.
    pub(super) fn barrier(&self, suggestion: &Suggestion) -> Option<(Rule, String)> {
        let (state, host) = (&self.state, &*suggestion.host);
        if let Some(tripped) = &state.brake.tripped {
            return Some((
                Rule::Tripped,
                format!("the brake has tripped: {}", tripped.reason),
            ));
        }
        if let Some(paused) = &state.paused {
            let reason = match paused.reason.is_empty() {
                true => String::new(),
                false => format!(": {}", paused.reason),
            };
            return Some((
                Rule::Paused,
                format!("evacuations are paused by {}{reason}", paused.by),
            ));
        }
        if let Some(cause) = self.frozen().first() {
            return Some((Rule::Frozen, format!("evacuations are frozen: {cause}")));
        }
        if let Some(group) = self.groups.anomalous(host) {
            let reason = format!(
                "hosts of {group} turned together: likely what they share, and moving guests does not help"
            );
            return Some((Rule::GroupAnomaly, reason));
        }
        let has_topology = self.groups.topology().len() > 0;
        if has_topology && self.groups.topology().groups_of(host).is_none() {
            let reason =
                format!("{host} is not in the topology, so what it shares with others is unknown");
            return Some((Rule::UnknownHost, reason));
        }
        if !has_topology && self.options.watched().next().is_some() {
            let reason = "there is no topology yet, so what hosts share is unknown".into();
            return Some((Rule::UnknownHost, reason));
        }
        self.over_limit(host)
    }

    /// The limit that an evacuation of this host would exceed.
    fn over_limit(&self, host: &str) -> Option<(Rule, String)> {
        let (evacuations, options) = (&self.state.evacuations, &self.options);
        if let Some(over) = evacuations.of_cluster(self.cluster(), options) {
            return Some(over);
        }
        if options.max_per_group == 0 {
            return None;
        }
        let topology = self.groups.topology();
        self.groups.watched_of(host).find_map(|group| {
            let is_in = |host: &str| topology.groups_of(host).is_some_and(|of| of.contains(&group));
            let count = evacuations.count_of(is_in);
            (count >= options.max_per_group).then(|| {
                let name = topology.groups()[group as usize].name();
                let within = duration(options.limit_window_sec);
                let limit = options.max_per_group;
                let reason = format!("{count} hosts of {name} were evacuated within {within}, and \"max_per_group\" is {limit}");
                (Rule::MaxPerGroup, reason)
            })
        })
    }

    /// The rule that holds an evacuation that needs no further approval, and why.
    pub(super) fn hold(&self, suggestion: &Suggestion) -> Option<(Rule, String)> {
        let now = self.state.now;
        if let Some(barrier) = self.barrier(suggestion) {
            return Some(barrier);
        }
        if suggestion.approved_by.is_none() && self.quiet.contain(Time::from_secs(now)) {
            let reason = format!("these are quiet hours ({})", self.options.quiet_hours);
            return Some((Rule::QuietHours, reason));
        }
        if now - suggestion.opened < self.options.hold_down_sec {
            let reason = format!(
                "the evidence must last for {}",
                duration(self.options.hold_down_sec)
            );
            return Some((Rule::HoldDown, reason));
        }
        let running = self
            .state
            .running
            .and_then(|id| self.state.suggestions.get(&id));
        running.map(|running| {
            let reason = format!(
                "{} is being evacuated, and one host at a time is",
                running.host
            );
            (Rule::OneAtATime, reason)
        })
    }

    /// What freezes evacuations at present, in words.
    pub(super) fn frozen(&self) -> Vec<String> {
        let freeze_on = &self.options.freeze_on;
        self.state
            .freezes
            .reasons(freeze_on, self.state.now, &self.terms)
    }
}
