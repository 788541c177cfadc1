//! One host: the states of its sources, and what is open.

use serde::{Deserialize, Serialize};

use super::observation::NAME_MAX_BYTES;
use super::recent::Recent;
use super::source::{SOURCES, Source, SourceState};
use super::tables::{HORIZONS, Horizon, Joint, Tables};

/// The state of a source, and when it was in it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Slot {
    level: Option<u8>,
    /// In seconds.
    time: f64,
}

/// An open `failure_risk`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Open {
    /// When it was raised, in seconds.
    pub(super) since: f64,
    /// When it was last reported, in seconds.
    pub(super) reported: f64,
    /// The probability that was last reported.
    pub(super) score: f64,
    /// Since when the probability is low, in seconds.
    pub(super) low_since: Option<f64>,
}

/// A host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Host {
    pub(super) name: Box<str>,
    slots: [Slot; SOURCES],
    /// The newest time, in seconds.
    pub(super) now: f64,
    pub(super) open: Option<Open>,
    /// With the option `calibrate`.
    pub(super) recent: Option<Box<Recent>>,
}

/// What became of the state of a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Update {
    Taken,
    Late,
}

impl Host {
    /// A host whose sources are unknown.
    pub(super) fn new(name: &str, time: f64) -> Self {
        let never = Slot {
            level: None,
            time: f64::NEG_INFINITY,
        };
        Self {
            name: name.into(),
            slots: [never; SOURCES],
            now: time,
            open: None,
            recent: None,
        }
    }

    /// Whether it could have been saved.
    pub(super) fn is_valid(&self) -> bool {
        let is_time = |time: f64| time.abs() <= crate::units::Time::MAX_SECS;
        let mut slots = self.slots.iter().zip(Source::ALL);
        let are_slots = slots.all(|(slot, source)| {
            (is_time(slot.time) || slot.time == f64::NEG_INFINITY)
                && slot
                    .level
                    .is_none_or(|level| usize::from(level) < source.states().len())
        });
        let open = self.open.is_none_or(|open| {
            [
                open.since,
                open.reported,
                open.low_since.unwrap_or_default(),
            ]
            .into_iter()
            .all(is_time)
                && (0.0..=1.0).contains(&open.score)
        });
        are_slots
            && open
            && is_time(self.now)
            && (1..=NAME_MAX_BYTES).contains(&self.name.len())
            && self.recent.as_ref().is_none_or(|recent| recent.is_valid())
    }

    /// Takes the state of a source at `time`.
    pub(super) fn update(&mut self, state: SourceState, time: f64, stale_sec: f64) -> Update {
        let slot = &mut self.slots[state.source() as usize];
        if time < slot.time {
            if slot.time - time <= stale_sec {
                return Update::Late;
            }
            // The clock was set back: what was reported before is not of the present.
            self.now = time;
        }
        *slot = Slot {
            level: state.level().map(|level| level as u8),
            time,
        };
        self.now = self.now.max(time);
        Update::Taken
    }

    /// The state of a source at present.
    pub(super) fn state(&self, source: Source, stale_sec: f64) -> SourceState {
        let slot = self.slots[source as usize];
        match slot.level {
            Some(level) if (self.now - slot.time).abs() <= stale_sec => {
                SourceState::new(source, usize::from(level)).unwrap_or(SourceState::unknown(source))
            }
            _ => SourceState::unknown(source),
        }
    }

    /// The evidence of all sources together, in nats, by horizon; `None` if none of them is known. `priors` are the logarithms of the
    /// odds without evidence.
    pub(super) fn evidence(
        &self,
        tables: &Tables,
        priors: &[f64; HORIZONS],
        stale_sec: f64,
    ) -> Option<[f64; HORIZONS]> {
        let mut joint = [Joint::default(); HORIZONS];
        let mut is_known = false;
        for &source in Source::ALL {
            let state = self.state(source, stale_sec);
            is_known |= state.level().is_some();
            for (joint, horizon) in joint.iter_mut().zip(Horizon::ALL) {
                tables.join(horizon, state, joint);
            }
        }
        let of = |horizon: Horizon| {
            let h = horizon as usize;
            tables.joined(horizon, priors[h], &joint[h])
        };
        is_known.then(|| Horizon::ALL.map(of))
    }

    /// When a source last reported, in seconds.
    pub(super) fn last_report(&self) -> f64 {
        let times = self.slots.iter().map(|slot| slot.time);
        times.fold(f64::NEG_INFINITY, f64::max)
    }
}
