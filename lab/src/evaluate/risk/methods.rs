//! Ways to state one probability from the states of the sources.

use anyhow::Result;
use bellwether_core::risk::{
    Detector, Horizon, Observation, RiskOptions, SharedTables, Source, SourceState,
};
use bellwether_core::units::Time;
use rayon::prelude::*;

use super::figures::{Evaluated, evaluated};
use super::score::Scores;
use crate::minutes::{Fleet, Host, Minute, SOURCES, Weights, unknown};

/// A way to state a probability.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// The detector "risk", with all sources.
    Ours,
    /// The detector "risk", with one source.
    Alone(Source),
    /// FailSafeVM as published.
    Published,
    /// One minus the p-value by Fisher's method, of the fleet's shares of minutes in states as severe.
    Fisher,
    /// That at least one of the sources alone is right, as if they were independent.
    NoisyOr,
}

impl Method {
    /// All of them, ours first.
    pub const ALL: [Self; 8] = [
        Self::Ours,
        Self::Alone(Source::Log),
        Self::Alone(Source::Had),
        Self::Alone(Source::Resource),
        Self::Alone(Source::Novelty),
        Self::Published,
        Self::Fisher,
        Self::NoisyOr,
    ];

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "risk",
            Self::Alone(source) => match source {
                Source::Log => "log alone",
                Source::Had => "had alone",
                Source::Resource => "resource alone",
                Source::Novelty => "novelty alone",
            },
            Self::Published => "FailSafeVM, share of 20",
            Self::Fisher => "Fisher's method",
            Self::NoisyOr => "noisy-or",
        }
    }
}

/// The number of horizons.
pub const HORIZONS: usize = Horizon::ALL.len();

/// What the methods need.
pub struct Methods<'a> {
    /// The options of the detector.
    pub options: RiskOptions,
    /// Its tables.
    pub tables: &'a SharedTables,
    /// What is usual.
    pub fleet: &'a Fleet,
}

impl Methods<'_> {
    /// The figures of these methods on `hosts`, each for both horizons.
    ///
    /// # Errors
    /// Options that contradict each other.
    pub fn evaluate(
        &self,
        hosts: &[Host],
        weights: Weights,
        methods: &[Method],
        draws: u32,
    ) -> Result<Vec<Evaluated>> {
        let stated = |method: &Method| {
            let hosts = hosts.par_iter();
            let stated = hosts.map(|host| self.stated(*method, host));
            stated.collect::<Result<Vec<_>>>()
        };
        let mut all = Vec::new();
        for method in methods {
            let stated = stated(method)?;
            for horizon in Horizon::ALL {
                let of_horizon =
                    |host: usize, minute: usize| stated[host][minute][horizon as usize];
                let scores = Scores::new(hosts, weights, horizon, of_horizon);
                all.push(evaluated(method.name(), horizon, &scores, draws));
            }
        }
        Ok(all)
    }

    /// What a method states at the end of each minute of a host, by horizon.
    fn stated(&self, method: Method, host: &Host) -> Result<Vec<[f64; HORIZONS]>> {
        match method {
            Method::Ours => self.detected(host, |states| states),
            Method::Alone(source) => self.alone(host, source),
            Method::Published => {
                let shares = host
                    .minutes
                    .iter()
                    .map(|minute| [minute.published; HORIZONS]);
                Ok(shares.collect())
            }
            Method::Fisher => {
                let stated = host
                    .minutes
                    .iter()
                    .map(|minute| [self.fisher(minute); HORIZONS]);
                Ok(stated.collect())
            }
            Method::NoisyOr => {
                let alone = Source::ALL.iter().map(|source| self.alone(host, *source));
                let alone: Vec<_> = alone.collect::<Result<_>>()?;
                let none = |minute: usize, horizon: usize| -> f64 {
                    alone
                        .iter()
                        .map(|stated| 1.0 - stated[minute][horizon])
                        .product()
                };
                let minutes = 0..host.minutes.len();
                let stated = minutes.map(|minute| std::array::from_fn(|h| 1.0 - none(minute, h)));
                Ok(stated.collect())
            }
        }
    }

    fn alone(&self, host: &Host, source: Source) -> Result<Vec<[f64; HORIZONS]>> {
        self.detected(host, |states| {
            let mut alone = unknown();
            alone[source as usize] = states[source as usize];
            alone
        })
    }

    /// What the detector states of a host, from what `seen` makes of the states.
    fn detected(
        &self,
        host: &Host,
        seen: impl Fn([SourceState; SOURCES]) -> [SourceState; SOURCES],
    ) -> Result<Vec<[f64; HORIZONS]>> {
        let mut detector = Detector::with_tables(self.options.clone(), self.tables.clone())?;
        let minutes = host.minutes.iter().map(|minute| {
            let mut stated = [0.0; HORIZONS];
            for state in seen(minute.states) {
                let observed = detector.observe(&Observation {
                    hypervisor: &host.name,
                    time: Time::from_secs(minute.time),
                    state,
                });
                stated = [observed.risk_10min.get(), observed.risk_30min.get()];
            }
            while detector.next_event().is_some() {}
            stated
        });
        Ok(minutes.collect())
    }

    /// Fisher's method: -2 sum ln p has a chi-squared distribution with two degrees of freedom for each p-value (R. A. Fisher,
    /// Statistical Methods for Research Workers, 1925).
    fn fisher(&self, minute: &Minute) -> f64 {
        let p_values = minute.states.iter();
        let p_values: Vec<f64> = p_values.filter_map(|s| self.fleet.p_value(*s)).collect();
        1.0 - fisher_p(&p_values)
    }
}

/// The combined p-value. With 2k degrees of freedom, P(chi-squared > 2x) is exp(-x) times the sum over i below k of x^i / i!.
fn fisher_p(p_values: &[f64]) -> f64 {
    let x: f64 = p_values.iter().map(|p| -libm::log(*p)).sum();
    let (mut term, mut sum) = (1.0, 0.0);
    for i in 0..p_values.len() {
        sum += term;
        term *= x / (i + 1) as f64;
    }
    match p_values.is_empty() {
        true => 1.0,
        false => (libm::exp(-x) * sum).clamp(0.0, 1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fishers_method_of_one_p_value_is_itself_and_of_none_says_nothing() {
        assert!((fisher_p(&[0.03]) - 0.03).abs() < 1e-12);
        assert_eq!(fisher_p(&[]), 1.0);
        // Published example: 0.02 and 0.08 give 0.0119.
        assert!(
            (fisher_p(&[0.02, 0.08]) - 0.0119).abs() < 5e-5,
            "{}",
            fisher_p(&[0.02, 0.08])
        );
    }
}
