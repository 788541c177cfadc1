//! The minutes of a host with what was known at each, and what became of it.

use bellwether_core::risk::{Horizon, Source, SourceState};

/// Seconds of a year, on average.
const YEAR_S: f64 = 31_557_600.0;
/// Seconds of a minute.
const MINUTE_S: f64 = 60.0;

/// Number of sources.
pub const SOURCES: usize = Source::ALL.len();

/// What was known of a host at the end of a minute.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Minute {
    /// Its end, in seconds since the epoch.
    pub time: f64,
    /// The state of each source, in the order of [`Source::ALL`].
    pub states: [SourceState; SOURCES],
    /// The probability as published (FailSafeVM): the share of the last 20 minutes in which one of its models had a flag; NaN where it was
    /// not computed.
    pub published: f64,
}

/// All sources unknown.
pub fn unknown() -> [SourceState; SOURCES] {
    std::array::from_fn(|at| SourceState::unknown(Source::ALL[at]))
}

/// What follows a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follows {
    /// A guest dies within the horizon.
    Failure,
    /// There is a fault, of which a guest dies later than that.
    LaterFailure,
    /// Neither.
    None,
}

/// A host until its guest dies, or until its data end.
#[derive(Debug, Clone, PartialEq)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// When its fault begins and when the guest dies, in seconds since the epoch; `None` if healthy.
    pub failure: Option<(f64, f64)>,
    /// Its minutes, in their order.
    pub minutes: Vec<Minute>,
}

impl Host {
    /// Whether the guest dies after `time` and within the horizon.
    pub fn fails_within(&self, time: f64, horizon: Horizon) -> bool {
        let seconds = f64::from(horizon.minutes()) * MINUTE_S;
        self.failure
            .is_some_and(|(_, death)| time < death && death <= time + seconds)
    }

    /// What follows the minute that ends at `time`.
    pub fn follows(&self, time: f64, horizon: Horizon) -> Follows {
        let is_under_way = |(begin, death): (f64, f64)| begin <= time && time < death;
        match self.failure {
            _ if self.fails_within(time, horizon) => Follows::Failure,
            Some(failure) if is_under_way(failure) => Follows::LaterFailure,
            _ => Follows::None,
        }
    }

    /// Whether the fault has begun at `time`, or a failure follows within the longest horizon.
    pub fn is_near_failure(&self, time: f64) -> bool {
        let has_begun = self.failure.is_some_and(|(begin, _)| begin <= time);
        has_begun || self.fails_within(time, Horizon::Thirty)
    }
}

/// How often minutes count, so that failures are as frequent as in a fleet: there are more of them in the data, or nothing could be
/// measured. What is near a failure counts once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weights {
    /// That of a minute that is not near a failure ([`Host::is_near_failure`]); one that is has 1.
    pub elsewhere: f64,
}

impl Weights {
    /// The weights with which `hosts` have this number of failures per host and year.
    pub fn new(hosts: &[Host], failures_per_host_year: f64) -> Self {
        let minutes = || {
            hosts
                .iter()
                .flat_map(|host| host.minutes.iter().map(move |m| (host, m)))
        };
        let near = minutes()
            .filter(|(host, minute)| host.is_near_failure(minute.time))
            .count();
        let elsewhere = minutes().count() - near;
        let failures = hosts.iter().filter(|host| host.failure.is_some()).count();
        let wanted = failures as f64 * YEAR_S / MINUTE_S / failures_per_host_year - near as f64;
        Self {
            elsewhere: match failures {
                0 => 1.0,
                _ => (wanted / elsewhere.max(1) as f64).max(0.0),
            },
        }
    }

    /// That of a minute of `host` that ends at `time`.
    pub fn of(self, host: &Host, time: f64) -> f64 {
        if host.is_near_failure(time) {
            1.0
        } else {
            self.elsewhere
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(failure: Option<(f64, f64)>, minutes: usize) -> Host {
        let minute = |at: usize| Minute {
            time: at as f64 * MINUTE_S,
            states: unknown(),
            published: f64::NAN,
        };
        Host {
            name: "hv1".into(),
            failure,
            minutes: (0..minutes).map(minute).collect(),
        }
    }

    #[test]
    fn a_host_fails_within_the_horizon_before_the_death_and_not_at_it() {
        let host = host(Some((3_000.0, 6_000.0)), 100);
        let at = |time| host.fails_within(time, Horizon::Ten);
        assert_eq!(
            [5_399.0, 5_400.0, 5_999.0, 6_000.0].map(at),
            [false, true, true, false]
        );
        assert!(host.fails_within(4_200.0, Horizon::Thirty));
        assert!(host.is_near_failure(3_000.0) && !host.is_near_failure(2_999.0));
        let short = self::host(Some((5_700.0, 6_000.0)), 100);
        assert!(short.is_near_failure(4_200.0) && !short.is_near_failure(4_199.0));
    }

    #[test]
    fn weighted_minutes_have_as_many_failures_as_asked_for() {
        let hosts = [host(Some((3_000.0, 6_000.0)), 100), host(None, 5_000)];
        let weights = Weights::new(&hosts, 12.0);
        let sum: f64 = hosts
            .iter()
            .flat_map(|host| host.minutes.iter().map(|m| weights.of(host, m.time)))
            .sum();
        let per_year = YEAR_S / MINUTE_S / sum;
        assert!((per_year - 12.0).abs() < 1e-9, "{per_year}");
    }
}
