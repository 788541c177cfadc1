//! The options of the detector.

use crate::options::{Kind, OptionError, options};

options! {
    /// The options of a [`Detector`](super::Detector).
    pub struct ResourceOptions {
        interval: f64 = "10", Kind::Number { min: 0.001, max: 86400.0 }, "seconds",
            "Time between two rows of a host, for data that do not state it.";
        false_alarms_per_day: f64 = "0.2", Kind::Number { min: 0.001, max: 100.0 }, "per host",
            "Acceptable number of false `resource_anomaly` events per day. Raise it to detect smaller deviations.";
        provisional_sec: f64 = "86400", Kind::Number { min: 0.0, max: 31_536_000.0 }, "seconds",
            "Anomalies of a host known for less than this are provisional, because its daily course is unknown.";
        forget_sec: f64 = "604800", Kind::Number { min: 1.0, max: 31_536_000.0 }, "seconds",
            "Forget a host after this time without a row.";
        resource_model: String = "", Kind::Text { max: 4096 }, "path",
            "File of a model of the resources of this fleet's hosts, by \"bellwether-lab train resources\": rows are compared to what it returns of them, which raises nothing by itself; empty means none.";
        max_hypervisors: usize = "10000", Kind::Integer { min: 1, max: 1_000_000 }, "",
            "Maximum number of hosts to track. At the limit, a new one replaces one that no longer reports; one that reports is never replaced.";
        max_memory_mib: usize = "256", Kind::Integer { min: 8, max: 1_048_576 }, "MiB",
            "Maximum memory to use, including what saving the state takes. At the limit, a new host replaces one that no longer reports.";
    }
}

impl ResourceOptions {
    /// Checks what no option can check alone.
    ///
    /// # Errors
    /// [`OptionError::Conflict`] with the contradiction.
    pub fn validate(&self) -> Result<(), OptionError> {
        if self.forget_sec < 2.0 * self.interval {
            return Err(OptionError::Conflict {
                name: "forget_sec",
                message: format!(
                    "{} would forget a host between two of its rows; it takes at least twice \"interval\" ({} seconds)",
                    self.forget_sec,
                    2.0 * self.interval
                ),
            });
        }
        Ok(())
    }
}
