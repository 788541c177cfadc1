//! The beginning of an incident of one hypervisor.

use serde::{Deserialize, Serialize};

use crate::event::{Direction, Event};
use crate::had::rank;
use crate::memory::allocation;

/// Least and greatest time that an incident waits for those of others, seconds.
const HOLD_MIN_SEC: f64 = 60.0;
const HOLD_MAX_SEC: f64 = 3600.0;
/// Changes this many seconds apart, or this many times the wait, are at about the same time.
const SLACK_SEC: f64 = 900.0;
const SLACK_HOLDS: f64 = 4.0;

/// A part of that time: ticks of the same time are not quite at the same time.
const JITTER: f64 = 0.05;

/// How long an incident waits that is judged every `judged_sec` seconds: until all others have been judged once more.
pub(super) fn hold_sec(judged_sec: f64) -> f64 {
    judged_sec.clamp(HOLD_MIN_SEC, HOLD_MAX_SEC) * (1.0 + JITTER)
}

/// See the [module](self).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Turn {
    pub hypervisor: Box<str>,
    pub metric: Box<str>,
    pub direction: Direction,
    pub score: f64,
    /// Its time, seconds.
    pub time: f64,
    /// The same in elapsed seconds.
    pub elapsed: f64,
    /// Seconds between two judgments on its time scale.
    pub judged_sec: f64,
    /// For how long that time scale sees a change, seconds.
    pub sees_sec: f64,
    /// The incident has ended.
    pub is_over: bool,
}

impl Turn {
    /// That of an event that raises an incident, at `elapsed` seconds; samples are `interval` seconds apart.
    pub(super) fn of(event: &Event, interval: f64, elapsed: f64) -> Option<Self> {
        let change = event.common_change()?;
        let judged_sec = rank::judged_sec(&change.channel, interval);
        Some(Self {
            hypervisor: event.hypervisor().into(),
            metric: event.metric()?.into(),
            direction: change.direction,
            score: event.score.get(),
            time: event.time.secs(),
            elapsed,
            judged_sec,
            sees_sec: judged_sec * rank::present_samples(&change.channel) as f64,
            is_over: false,
        })
    }

    /// Memory in bytes.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + allocation(self.hypervisor.len()) + allocation(self.metric.len())
    }

    /// How long it waits for others, seconds.
    pub(super) fn hold_sec(&self) -> f64 {
        hold_sec(self.judged_sec)
    }

    /// How far apart changes are that are at about the same time, seconds.
    pub(super) fn slack_sec(&self) -> f64 {
        SLACK_SEC.max(SLACK_HOLDS * self.hold_sec())
    }

    /// Whether an earlier turn can be of the same change as this one: it is alike, and this one may have changed by then.
    pub(super) fn includes(&self, earlier: &Self) -> bool {
        self.is_like(earlier) && self.elapsed - self.sees_sec - self.slack_sec() <= earlier.elapsed
    }

    /// Whether both are alike: in the same metric, a change has one direction; what one metric does says nothing about the direction
    /// of another.
    fn is_like(&self, other: &Self) -> bool {
        self.metric != other.metric || is_alike(self.direction, other.direction)
    }
}

/// Whether two directions in the same metric can be of one change.
pub(super) fn is_alike(one: Direction, other: Direction) -> bool {
    use Direction::{Frozen, Mixed};
    match (one, other) {
        (Frozen, _) | (_, Frozen) => one == other,
        (Mixed, _) | (_, Mixed) => true,
        _ => one == other,
    }
}
