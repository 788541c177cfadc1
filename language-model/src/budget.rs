//! How much may be asked in a day.

use std::collections::HashMap;

use bellwether_core::units::Time;

use crate::settings::Settings;

const DAY_SEC: f64 = 86_400.0;

/// What was spent today.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    /// The number of the day since the epoch.
    day: f64,
    requests: u32,
    templates: u32,
    /// By host; at most as many as there were templates.
    by_host: HashMap<Box<str>, u32>,
}

/// Why a template cannot be asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spent {
    Host,
    Fleet,
}

impl Budget {
    /// Begins a new day where `now` is in another one.
    pub fn at(&mut self, now: Time) {
        let day = (now.secs() / DAY_SEC).floor();
        if day != self.day {
            *self = Self {
                day,
                ..Self::default()
            };
        }
    }

    /// Takes a template of `host`.
    pub fn take_template(&mut self, settings: &Settings, host: &str) -> Result<(), Spent> {
        if self.templates >= settings.templates_per_day {
            return Err(Spent::Fleet);
        }
        let of_host = self.by_host.get(host).copied().unwrap_or(0);
        if of_host >= settings.host_templates_per_day {
            return Err(Spent::Host);
        }
        self.templates += 1;
        self.by_host.insert(host.into(), of_host + 1);
        Ok(())
    }

    /// Takes a request; `false` if none is left.
    pub fn take_request(&mut self, settings: &Settings) -> bool {
        let is_left = self.requests < settings.requests_per_day;
        self.requests += u32::from(is_left);
        is_left
    }

    /// Whether a request is left.
    pub fn has_request(&self, settings: &Settings) -> bool {
        self.requests < settings.requests_per_day
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_and_the_fleet_have_so_much_a_day_and_the_same_again_the_next_day() {
        let settings = Settings {
            host_templates_per_day: 2,
            templates_per_day: 3,
            requests_per_day: 1,
            ..Settings::new("", "")
        };
        let mut budget = Budget::default();
        for day in [19_000.0, 19_001.0] {
            budget.at(Time::from_secs(day * DAY_SEC + 5.0));
            let take = |budget: &mut Budget, host| budget.take_template(&settings, host);
            assert_eq!(take(&mut budget, "a"), Ok(()));
            assert_eq!(take(&mut budget, "a"), Ok(()));
            assert_eq!(take(&mut budget, "a"), Err(Spent::Host));
            assert_eq!(take(&mut budget, "b"), Ok(()));
            assert_eq!(take(&mut budget, "b"), Err(Spent::Fleet));
            assert!(budget.take_request(&settings) && !budget.take_request(&settings));
            budget.at(Time::from_secs(day * DAY_SEC + 86_000.0));
            assert_eq!(take(&mut budget, "c"), Err(Spent::Fleet));
        }
    }
}
