//! The risk of hosts as values: what the half that watches their logs said of them on the board.

use rustc_hash::FxHashMap;

use crate::board::RiskOf;
use crate::host::{Gauge, Host};

/// A value is due again after this share of an interval.
const DUE_SHARE: f64 = 0.75;

/// Which risks were dispatched.
#[derive(Debug, Default)]
pub struct RiskValues {
    /// The time of the last one of each host, in seconds since the epoch.
    times: FxHashMap<Box<str>, f64>,
}

impl RiskValues {
    /// Dispatches the risk of each host once per `interval`, seconds, with the time at which it was true. One that is not fresh is
    /// unknown and dispatched as no value, and so is one that was not published again since.
    pub fn dispatch(&mut self, host: &dyn Host, interval: f64, risks: Vec<RiskOf>) {
        let now = host.now();
        let mut times = FxHashMap::default();
        for (name, risk) in risks {
            let last = self.times.remove(&name);
            // The rounds in which they are read need not be in step with the interval. A time before the last one is of a clock that was set.
            let is_due = |last: f64| (risk.time - last).abs() > DUE_SHARE * interval;
            if !risk.is_fresh(now) || !last.is_none_or(is_due) {
                times.extend(last.map(|last| (name, last)));
                continue;
            }
            let values = [
                ("failure_risk", risk.risk_10min),
                ("failure_risk_30min", risk.risk_30min),
            ];
            for (type_instance, value) in values {
                host.dispatch_gauge(&Gauge {
                    plugin_instance: &name,
                    type_: "percent",
                    type_instance,
                    time: risk.time,
                    interval,
                    value: 100.0 * f64::from(value),
                });
            }
            times.insert(name, risk.time);
        }
        // Of the others nothing was read.
        self.times = times;
    }
}

#[cfg(test)]
mod tests {
    use bellwether_agent::board::{RISK_STALE_SEC, Risk};
    use parking_lot::Mutex;

    use super::*;
    use crate::host::{Level, Notification};

    /// A daemon whose clock is set by the test, and which keeps the gauges it gets, as "PLUGIN_INSTANCE/TYPE-TYPE_INSTANCE TIME VALUE".
    #[derive(Default)]
    struct Recorder {
        now: Mutex<f64>,
        lines: Mutex<Vec<String>>,
    }

    impl Host for Recorder {
        fn log(&self, _: Level, _: &str) {}
        fn now(&self) -> f64 {
            *self.now.lock()
        }
        fn steady(&self) -> f64 {
            self.now()
        }
        fn hostname(&self) -> &str {
            "here"
        }
        fn dispatch_gauge(&self, gauge: &Gauge<'_>) {
            let Gauge {
                plugin_instance,
                type_,
                type_instance,
                time,
                value,
                ..
            } = gauge;
            let line = format!("{plugin_instance}/{type_}-{type_instance} {time} {value}");
            self.lines.lock().push(line);
        }
        fn dispatch_notification(&self, _: &Notification<'_>) {}
    }

    fn of(name: &str, time: f64) -> RiskOf {
        let risk = Risk {
            time,
            risk_10min: 0.25,
            risk_30min: 0.5,
            calibrated: false,
            raised: false,
        };
        (name.into(), risk)
    }

    /// What is dispatched of these rounds, each at a time and with what was read, at an interval of ten seconds.
    fn dispatched<const N: usize>(rounds: [(f64, Vec<RiskOf>); N]) -> Vec<String> {
        let (host, mut values) = (Recorder::default(), RiskValues::default());
        for (now, risks) in rounds {
            *host.now.lock() = now;
            values.dispatch(&host, 10.0, risks);
        }
        host.lines.into_inner()
    }

    /// The times of the first value of each host among `lines`.
    fn times(lines: &[String]) -> Vec<&str> {
        let values = lines.iter().filter(|line| line.contains("failure_risk "));
        values.filter_map(|line| line.split(' ').nth(1)).collect()
    }

    #[test]
    fn the_risk_of_a_host_is_two_values_in_percent_with_its_own_time() {
        assert_eq!(
            dispatched([(1000.5, vec![of("hv0", 1000.0)])]),
            [
                "hv0/percent-failure_risk 1000 25",
                "hv0/percent-failure_risk_30min 1000 50",
            ]
        );
    }

    #[test]
    fn a_risk_is_dispatched_once_per_interval_although_it_is_read_more_often() {
        let round = |time: f64| (time, vec![of("hv0", time)]);
        let lines = dispatched([1000.0, 1006.2, 1010.1, 1015.0, 1020.2].map(round));
        assert_eq!(times(&lines), ["1000", "1010.1", "1020.2"]);
    }

    #[test]
    fn what_is_not_published_again_is_not_dispatched_again() {
        let lines = dispatched([1000.0, 1010.0, 1020.0].map(|now| (now, vec![of("hv0", 1000.0)])));
        assert_eq!(times(&lines), ["1000"]);
    }

    #[test]
    fn a_stale_risk_is_no_value() {
        let now = 1000.0 + RISK_STALE_SEC + 1.0;
        let left = vec![of("crashed", 1000.0), of("alive", now)];
        let lines = dispatched([(now, left)]);
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(
            lines.iter().all(|line| line.starts_with("alive/")),
            "{lines:?}"
        );
    }

    #[test]
    fn after_the_clock_was_set_back_values_go_on() {
        let lines = dispatched([5000.0, 1000.0, 1010.0].map(|now| (now, vec![of("hv0", now)])));
        assert_eq!(times(&lines), ["5000", "1000", "1010"]);
    }

    #[test]
    fn hosts_that_are_no_longer_read_are_forgotten() {
        let (host, mut values) = (Recorder::default(), RiskValues::default());
        for n in 0..100 {
            values.dispatch(&host, 10.0, vec![of(&format!("hv{n}"), 0.0)]);
            assert_eq!(values.times.len(), 1);
        }
        values.dispatch(&host, 10.0, Vec::new());
        assert!(values.times.is_empty());
    }
}
