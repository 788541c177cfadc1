//! Conditions under which nothing is evacuated, whatever is known about a host.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::host::{Host, Taken};
use super::input::{Finding, InputError};
use super::options::{FREEZES, words};
use super::record::Terms;
use super::terms::Origin;

/// Maximum number of causes that the caller names.
const CAUSES_MAX: usize = 16;

/// See the [module](self).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Freezes {
    /// Conditions of the whole fleet, as of a host without a name.
    fleet: Host,
    /// What the caller named, and since when.
    causes: BTreeMap<Box<str>, f64>,
}

impl Freezes {
    /// None.
    pub(super) fn new() -> Self {
        Self {
            fleet: Host::new(f64::NEG_INFINITY),
            causes: BTreeMap::new(),
        }
    }

    /// Takes a report about the whole fleet.
    pub(super) fn take(&mut self, finding: &Finding, now: f64, terms: &Terms) -> Taken {
        self.fleet.prune(now, terms);
        self.fleet.take(finding, now, terms)
    }

    /// The caller cannot decide, or can again.
    pub(super) fn set(&mut self, cause: &str, on: bool, now: f64) -> Result<(), InputError> {
        if !on {
            self.causes.remove(cause);
            return Ok(());
        }
        if self.causes.len() >= CAUSES_MAX && !self.causes.contains_key(cause) {
            return Err(InputError::Full {
                what: "causes that freeze",
                limit: CAUSES_MAX,
            });
        }
        self.causes.entry(cause.into()).or_insert(now);
        Ok(())
    }

    /// What freezes evacuations at `now`, in words. `freeze_on` is the option.
    pub(super) fn reasons(&self, freeze_on: &str, now: f64, terms: &Terms) -> Vec<String> {
        let causes = self.causes.keys().map(|cause| cause.to_string());
        let of_fleet = words(freeze_on).filter_map(|word| {
            let origin = if word == FREEZES[0] {
                Origin::Fleet
            } else {
                Origin::Silence
            };
            self.fleet
                .trusted_of(origin, now, terms)
                .map(|text| format!("{word}: {text}"))
        });
        causes.chain(of_fleet).collect()
    }

    /// Whether all its values are ones that it can have.
    pub(super) fn is_valid(&self) -> bool {
        self.fleet.is_valid() && self.causes.len() <= CAUSES_MAX
    }
}
