//! How many hosts are evacuated within a window.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::options::PolicyOptions;
use super::terms::Rule;
use crate::text::duration;

/// Maximum number of evacuations within a window, whatever the options say.
const EVACUATIONS_MAX: usize = 4096;

/// The evacuations within the window.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Evacuations {
    /// When each began, and of which host; oldest first.
    log: VecDeque<(f64, Box<str>)>,
}

impl Evacuations {
    /// An evacuation begins.
    pub(super) fn add(&mut self, host: &str, now: f64) {
        self.log.push_back((now, host.into()));
    }

    /// Forgets the evacuations that the window has left behind.
    pub(super) fn expire(&mut self, now: f64, options: &PolicyOptions) {
        let is_old = |(time, _): &(f64, Box<str>)| now - time > options.limit_window_sec;
        while self.log.front().is_some_and(is_old) {
            self.log.pop_front();
        }
    }

    /// Number of evacuations within the window.
    pub(super) fn count(&self) -> usize {
        self.log.len()
    }

    /// The limit of the cluster that a further evacuation would exceed, and why.
    pub(super) fn of_cluster(
        &self,
        cluster: usize,
        options: &PolicyOptions,
    ) -> Option<(Rule, String)> {
        let count = self.log.len();
        let within = || format!("within {}", duration(options.limit_window_sec));
        if options.max_hosts > 0 && count >= options.max_hosts {
            let reason = format!(
                "{count} hosts were evacuated {}, and \"max_hosts\" is {}",
                within(),
                options.max_hosts
            );
            return Some((Rule::MaxHosts, reason));
        }
        let share = ((options.max_share * cluster as f64 + 1e-9) as usize).max(1);
        if options.max_share > 0.0 && count >= share {
            let reason = format!(
                "{count} hosts were evacuated {}, and \"max_share\" ({}) of {cluster} hosts allows {share}",
                within(),
                options.max_share,
            );
            return Some((Rule::MaxShare, reason));
        }
        (count >= EVACUATIONS_MAX).then(|| {
            (
                Rule::Full,
                format!(
                    "{count} hosts were evacuated {}, the most that are counted",
                    within()
                ),
            )
        })
    }

    /// Number of evacuations of hosts that `are` something.
    pub(super) fn count_of(&self, are: impl Fn(&str) -> bool) -> usize {
        self.log.iter().filter(|(_, host)| are(host)).count()
    }

    /// Whether all its values are ones that it can have.
    pub(super) fn is_valid(&self) -> bool {
        self.log.len() <= EVACUATIONS_MAX && self.log.iter().all(|(time, _)| time.is_finite())
    }
}
