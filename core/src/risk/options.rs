//! The options of the risk.

use super::tables::Horizon;
use crate::options::{Kind, OptionError, choice, options};

choice! {
    /// The horizon of the alarm.
    pub enum AlarmHorizon {
        /// 10 minutes.
        Ten = "10",
        /// 30 minutes.
        Thirty = "30",
    }
}

impl From<AlarmHorizon> for Horizon {
    fn from(horizon: AlarmHorizon) -> Self {
        match horizon {
            AlarmHorizon::Ten => Self::Ten,
            AlarmHorizon::Thirty => Self::Thirty,
        }
    }
}

options! {
    /// The options of a [`Detector`](super::Detector).
    pub struct RiskOptions {
        failures_per_host_year: f64 = "0.4", Kind::Number { min: 0.0001, max: 1000.0 }, "per host and year",
            "How often a host fails so that guests die; the probability starts from it. The default is one in 1,000 hosts a day.";
        threshold: f64 = "0.5", Kind::Number { min: 0.01, max: 0.9 }, "",
            "Raise `failure_risk` at this probability; clear it below half of it.";
        horizon: AlarmHorizon = "10", Kind::Choice(AlarmHorizon::WORDS), "minutes",
            "How far ahead the probability that raises `failure_risk` looks.";
        stale_sec: f64 = "180", Kind::Number { min: 1.0, max: 86_400.0 }, "seconds",
            "A source that has not reported for this time is unknown; set it to at least three intervals of the slowest source.";
        hold_sec: f64 = "300", Kind::Number { min: 0.0, max: 86_400.0 }, "seconds",
            "Clear `failure_risk` after the probability has been low for this time.";
        update_sec: f64 = "1800", Kind::Number { min: 60.0, max: 31_536_000.0 }, "seconds",
            "Report a `failure_risk` that goes on again after this time; one that has become clearly worse at most once a minute.";
        tables: String = "", Kind::Text { max: 4096 }, "path",
            "File with the counts of each source's states before failures and without, by \"bellwether-lab tune risk\"; empty means the built-in ones.";
        calibrate: bool = "false", Kind::Flag, "",
            "Learn from reported outcomes how likely a failure is. Only if every failure of a host is reported.";
        calibration_failures: usize = "20", Kind::Integer { min: 5, max: 100_000 }, "",
            "Number of reported failures from which on the value is a probability of this site.";
        forget_sec: f64 = "86400", Kind::Number { min: 1.0, max: 31_536_000.0 }, "seconds",
            "Forget a hypervisor after this time without a report of any source.";
        max_hypervisors: usize = "10000", Kind::Integer { min: 1, max: 1_000_000 }, "",
            "Maximum number of hypervisors to track; at the limit, one whose sources are all silent is evicted.";
        max_memory_mib: usize = "64", Kind::Integer { min: 1, max: 1_048_576 }, "MiB",
            "Maximum memory to use, including what saving the state takes; at the limit, hypervisors whose sources are all silent are evicted.";
    }
}

impl RiskOptions {
    /// Checks what no option can check alone.
    ///
    /// # Errors
    /// [`OptionError::Conflict`] with the contradiction.
    pub fn validate(&self) -> Result<(), OptionError> {
        if self.forget_sec < self.stale_sec {
            return Err(OptionError::Conflict {
                name: "forget_sec",
                message: format!(
                    "{} would forget a hypervisor that still counts; it takes at least \"stale_sec\" ({})",
                    self.forget_sec, self.stale_sec
                ),
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_what_the_table_says_and_no_two_contradict() {
        let options = RiskOptions::default();
        options.validate().unwrap();
        for spec in RiskOptions::SPECS {
            let shown = options.get(spec.name);
            assert_eq!(shown.as_deref(), Some(spec.default), "{}", spec.name);
        }
    }

    #[test]
    fn forgetting_what_still_counts_is_refused() {
        let mut options = RiskOptions::default();
        options.set("forget_sec", "60").unwrap();
        let error = options.validate().unwrap_err().to_string();
        assert!(
            error.contains("forget_sec") && error.contains("stale_sec"),
            "{error}"
        );
    }
}
