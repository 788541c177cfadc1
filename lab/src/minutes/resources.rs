//! How unusual a host's own resources are over time.

use bellwether_core::options::OptionError;
use bellwether_core::resource::{Detector, Observation, ResourceOptions};
use bellwether_core::risk::{Source, SourceState};
use bellwether_core::units::{Interval, Time};

/// The detector of resources over the rows of one host.
pub struct Resources {
    detector: Detector,
    /// Times and combined p-values of the rows, NaN where there is none.
    values: Vec<(f64, f64)>,
}

impl Resources {
    /// Before the first row.
    ///
    /// # Errors
    /// Options that contradict each other.
    pub fn new(options: &ResourceOptions) -> Result<Self, OptionError> {
        Ok(Self {
            detector: Detector::new(options.clone())?,
            values: Vec::new(),
        })
    }

    /// Takes the row at `time`, `interval` seconds after the one before.
    pub fn observe(&mut self, host: &str, time: f64, interval: f64, values: &[f64]) {
        let observed = self.detector.observe(&Observation {
            hypervisor: host,
            time: Time::from_secs(time),
            interval: Some(Interval::from_secs(interval)),
            values,
        });
        while self.detector.next_event().is_some() {}
        let p_value = observed.p_values.map_or(f64::NAN, |p| p.combined);
        self.values.push((time, p_value));
    }

    /// The state of the source at `time`: that of the last row before it.
    pub fn state(&self, time: f64) -> SourceState {
        let before = self.values.partition_point(|(row, _)| *row < time);
        match before.checked_sub(1) {
            Some(last) => SourceState::resource(self.values[last].1),
            None => SourceState::unknown(Source::Resource),
        }
    }
}
