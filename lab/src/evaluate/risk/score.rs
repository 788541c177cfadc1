//! What a method states of many hosts, and what became of them, in a form from which figures follow quickly.

use std::collections::BTreeMap;

use bellwether_core::risk::Horizon;

use crate::minutes::{Host, Weights};

/// An alarm begins at this probability...
const ALARM: f64 = 0.5;
/// ...and ends below this one, as `failure_risk` does.
const ALARM_END: f64 = 0.25;
/// Seconds of a day.
const DAY_S: f64 = 86_400.0;

/// Minutes of one host at which the same was stated and the same became of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cases {
    /// The number of the host.
    pub host: usize,
    /// The probability that was stated.
    pub stated: f64,
    /// Whether the host failed within the horizon.
    pub failed: bool,
    /// How many minutes.
    pub minutes: u64,
    /// How much they weigh together.
    pub weight: f64,
}

/// The alarms of one host.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alarms {
    /// Whether it fails.
    pub is_failing: bool,
    /// For a failing host, minutes from the first alarm in the fault to the death.
    pub lead_min: Option<f64>,
    /// For a healthy host, alarms.
    pub false_alarms: u32,
    /// Days that it was watched.
    pub days: f64,
}

/// What a method states of many hosts.
#[derive(Debug, Clone)]
pub struct Scores {
    /// The largest probabilities first.
    pub cases: Vec<Cases>,
    /// By the number of the host.
    pub alarms: Vec<Alarms>,
}

impl Scores {
    /// `stated` gives the probability for the number of a host and that of a minute.
    pub fn new(
        hosts: &[Host],
        weights: Weights,
        horizon: Horizon,
        stated: impl Fn(usize, usize) -> f64,
    ) -> Self {
        let mut cases = Vec::new();
        let mut alarms = Vec::new();
        for (number, host) in hosts.iter().enumerate() {
            // Probabilities are not negative, so that their bits are in their order.
            let mut of_host: BTreeMap<(u64, bool), (u64, f64)> = BTreeMap::new();
            let mut open = false;
            let mut alarm = Alarms {
                is_failing: host.failure.is_some(),
                lead_min: None,
                false_alarms: 0,
                days: host.minutes.len() as f64 * 60.0 / DAY_S,
            };
            for (at, minute) in host.minutes.iter().enumerate() {
                let probability = stated(number, at);
                if probability.is_nan() {
                    continue;
                }
                let failed = host.fails_within(minute.time, horizon);
                let case = of_host.entry((probability.to_bits(), failed)).or_default();
                case.0 += 1;
                case.1 += weights.of(host, minute.time);
                let begins = !open && probability >= ALARM;
                open = probability >= ALARM || open && probability >= ALARM_END;
                match host.failure {
                    None => alarm.false_alarms += u32::from(begins),
                    Some((begin, death)) if minute.time >= begin && probability >= ALARM => {
                        let lead = (death - minute.time) / 60.0;
                        alarm.lead_min = alarm.lead_min.or(Some(lead));
                    }
                    Some(_) => {}
                }
            }
            let of_host = of_host.into_iter();
            cases.extend(of_host.map(|((bits, failed), (minutes, weight))| Cases {
                host: number,
                stated: f64::from_bits(bits),
                failed,
                minutes,
                weight,
            }));
            alarms.push(alarm);
        }
        cases.sort_by(|a, b| b.stated.total_cmp(&a.stated));
        Self { cases, alarms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::minutes::{Minute, unknown};

    fn host(failure: Option<(f64, f64)>, minutes: usize) -> Host {
        let minute = |at: usize| Minute {
            time: (at + 1) as f64 * 60.0,
            states: unknown(),
            published: f64::NAN,
        };
        Host {
            name: "hv1".into(),
            failure,
            minutes: (0..minutes).map(minute).collect(),
        }
    }

    fn scores(hosts: &[Host], stated: impl Fn(usize, usize) -> f64) -> Scores {
        let weights = Weights { elsewhere: 2.0 };
        Scores::new(hosts, weights, Horizon::Ten, stated)
    }

    #[test]
    fn an_alarm_counts_once_until_the_probability_has_fallen_to_half_of_its_threshold() {
        let stated = [0.1, 0.6, 0.4, 0.5, 0.2, 0.5, 0.9];
        let scores = scores(&[host(None, 7)], |_, at| stated[at]);
        assert_eq!(scores.alarms[0].false_alarms, 2);
    }

    #[test]
    fn the_lead_is_from_the_first_alarm_in_the_fault() {
        // The fault begins at minute 10, the guest dies at minute 30; the first alarm is before that, the second at minute 20.
        let failing = host(Some((600.0, 1_800.0)), 30);
        let scores = scores(&[failing], |_, at| match at + 1 {
            5 | 20.. => 0.7,
            _ => 0.0,
        });
        assert_eq!(scores.alarms[0].lead_min, Some(10.0));
        assert_eq!(scores.alarms[0].false_alarms, 0);
    }

    #[test]
    fn cases_hold_every_minute_by_what_was_stated_and_what_became_of_it() {
        // The guest dies at minute 60; from minute 30 on, minutes are near it.
        let hosts = [host(Some((3_000.0, 3_600.0)), 59), host(None, 10)];
        let scores = scores(&hosts, |_, at| if at < 50 { 0.25 } else { 0.75 });
        let case = |host, stated, failed| {
            let is =
                |case: &&Cases| (case.host, case.stated, case.failed) == (host, stated, failed);
            let found = scores.cases.iter().find(is);
            found.map(|case| (case.minutes, case.weight))
        };
        assert_eq!(case(0, 0.25, false), Some((49, 29.0 * 2.0 + 20.0)));
        assert_eq!(case(0, 0.25, true), Some((1, 1.0)));
        assert_eq!(case(0, 0.75, true), Some((9, 9.0)));
        assert_eq!(case(1, 0.25, false), Some((10, 20.0)));
        assert_eq!(scores.cases.len(), 4);
        assert!(scores.cases.is_sorted_by(|a, b| a.stated >= b.stated));
    }
}
