//! The brake: it trips by itself, and stays so until a person resets it.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::options::PolicyOptions;
use super::terms::Rule;

/// Least number of hosts of a share that trips the brake.
const SHARE_HOSTS_MIN: usize = 3;

/// Why the brake has tripped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tripped {
    /// When, in seconds since the epoch.
    pub time: f64,
    /// The rule: [`Rule::TripHosts`] or [`Rule::TripFailures`].
    pub rule: Rule,
    /// Why, in words.
    pub reason: String,
}

/// See the [module](self).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Brake {
    pub(super) tripped: Option<Tripped>,
    /// The hosts that turned red within the window, oldest first, each once.
    reds: VecDeque<(f64, Box<str>)>,
    /// Consecutive evacuations that failed.
    failures: u32,
}

impl Brake {
    /// A host turned red, in a cluster of this many hosts; `true` if the brake trips.
    pub(super) fn red(
        &mut self,
        host: &str,
        cluster: usize,
        now: f64,
        options: &PolicyOptions,
    ) -> bool {
        if self.tripped.is_some() {
            return false;
        }
        while self
            .reds
            .front()
            .is_some_and(|(time, _)| now - time > options.window_sec)
        {
            self.reds.pop_front();
        }
        if self.reds.iter().all(|(_, red)| **red != *host) {
            self.reds.push_back((now, host.into()));
        }
        let share = (options.trip_share * cluster as f64 - 1e-9).ceil() as usize;
        let limit = options.trip_hosts.min(share.max(SHARE_HOSTS_MIN));
        if self.reds.len() < limit {
            return false;
        }
        let reason = format!(
            "{} hosts of {cluster} turned red within {}, the last one {host}; {limit} trip the brake: likely a common cause",
            self.reds.len(),
            crate::text::duration(options.window_sec),
        );
        self.trip(now, Rule::TripHosts, reason);
        true
    }

    /// An evacuation failed; `true` if the brake trips.
    pub(super) fn failure(&mut self, now: f64, options: &PolicyOptions) -> bool {
        self.failures = self.failures.saturating_add(1);
        if self.tripped.is_some() || (self.failures as usize) < options.trip_failures {
            return false;
        }
        let reason = match self.failures {
            1 => "an evacuation failed".into(),
            failures => format!("{failures} consecutive evacuations failed"),
        };
        self.trip(now, Rule::TripFailures, reason);
        true
    }

    fn trip(&mut self, time: f64, rule: Rule, reason: String) {
        self.reds.clear();
        self.tripped = Some(Tripped { time, rule, reason });
    }

    /// An evacuation ended well.
    pub(super) fn success(&mut self) {
        self.failures = 0;
    }

    /// A person releases it: what happened before no longer counts.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// Whether it could have come about with these options, or with looser ones.
    pub(super) fn is_valid(&self) -> bool {
        self.reds.iter().all(|(time, _)| time.is_finite())
    }
}
