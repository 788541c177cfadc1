//! The fleet in a snapshot.

use super::{Fleet, Hosts, Kept, Stage, TURNS_MAX, Turn};
use crate::event::{Event, State};
use crate::had::options::HadOptions;

/// An event as JSON, whose keys depend on its kind.
pub(super) mod json {
    use serde::{Deserialize, Deserializer, Serializer, de};

    use crate::event::Event;

    pub(crate) fn serialize<S: Serializer>(
        event: &Event,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&event.to_json())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Box<Event>, D::Error> {
        let json = String::deserialize(deserializer)?;
        let event = serde_json::from_str(&json).map_err(de::Error::custom)?;
        Ok(Box::new(event))
    }
}

/// The fleet in a snapshot: elapsed seconds, the number of hypervisors that had a vote recently, and the rest.
pub(crate) type SavedFleet<T = Kept> = (f64, u32, T);

impl Fleet {
    /// What a snapshot keeps.
    pub(crate) fn saved(&self) -> SavedFleet<&Kept> {
        (self.hosts.elapsed, self.hosts.voting(), &self.kept)
    }

    /// The fleet of a snapshot, and what was held of hypervisors that are no longer tracked; `None` if the state is not valid. `times`
    /// are those of the last ticks of the hypervisors, and `is_tracked` is whether that of an event is among them.
    pub(crate) fn restored(
        options: &HadOptions,
        limit: usize,
        (elapsed, voting, mut kept): SavedFleet,
        times: impl Iterator<Item = f64>,
        is_tracked: impl Fn(&Event) -> bool,
    ) -> Option<(Self, Vec<Event>)> {
        if !(0.0..=1e15).contains(&elapsed) || !kept.is_valid() {
            return None;
        }
        let mut left = Vec::new();
        let mut fleet = Self::new(options, limit);
        if fleet.is_on {
            fleet.hosts = Hosts::restored(elapsed, voting, times);
        }
        let followed = std::mem::take(&mut kept.followed);
        fleet.kept = kept;
        for (name, all) in followed {
            for one in all {
                if is_tracked(&one.event) {
                    fleet.insert(name.clone(), one);
                } else if one.stage == Stage::Held {
                    left.push(*one.event);
                }
            }
        }
        Some((fleet, left))
    }
}

impl Kept {
    fn is_valid(&self) -> bool {
        let is_time = |x: f64| x.is_finite() && (0.0..=1e15).contains(&x);
        let is_turn = |turn: &Turn| {
            [turn.score, turn.elapsed, turn.judged_sec, turn.sees_sec]
                .into_iter()
                .all(is_time)
        };
        let mut followed = self
            .followed
            .iter()
            .flat_map(|(name, all)| all.iter().map(move |one| (name, one)));
        self.turns.len() <= TURNS_MAX
            && self.turns.iter().all(is_turn)
            && self.alone.count.is_finite()
            && self.alone.at.is_finite()
            && self.change.as_ref().is_none_or(super::Change::is_valid)
            && followed.all(|(name, one)| {
                one.event.hypervisor() == &**name
                    && one.event.metric().is_some()
                    && one.event.state == State::Raised
                    && one.event.common_change().is_some()
                    && is_time(one.judged_sec)
            })
    }
}
